/* SPDX-License-Identifier: Apache-2.0 */
/* runner: one test of a `tests:` section on the production fold. */
#ifndef ROUSE_RUNNER_H
#define ROUSE_RUNNER_H

#include "rule.h"

/* True when it passed; else `out` says what was expected, what came, and what was decided. covered[rule]
 * is set for each rule that came to a send or a withheld. */
bool runner_run(const struct program *p, const struct test_def *t, bool *covered, struct buf *out);

#endif
