/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands share: reading their options. */
#ifndef ROUSE_SANDBOX_PRIV_H
#define ROUSE_SANDBOX_PRIV_H

#include "kafka.h"
#include "service.h"

/* Options of a command that is no daemon. 0 = go on, 1 = --help was printed, -1 = told on stderr. */
int sandbox_options(const struct service_spec *spec, int argc, char **argv, void *conf,
                    struct arena *a);
/* Print `name: text` on stderr; returns 1, the exit code. */
int sandbox_fail(const char *name, const struct err *err);

#endif
