/* SPDX-License-Identifier: Apache-2.0 */
/* What tests.c and testdata.c share. */
#ifndef ROUSE_TEST_PRIV_H
#define ROUSE_TEST_PRIV_H

#include "rule_priv.h"

/* Make s->json and s->events of `data` (NULL = nothing given). s has event, member and time. number: a
 * different one for each step of a test. */
void test_event(struct load *L, const struct yaml_node *data, struct test_step *s, int64_t number,
                struct span at);

#endif
