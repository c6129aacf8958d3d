/* SPDX-License-Identifier: Apache-2.0 */
/* What step.c (lists, wait, send, set, stop) and branch.c (split, choose) share. */
#ifndef ROUSE_STEP_PRIV_H
#define ROUSE_STEP_PRIV_H

#include "rule_priv.h"

enum verb { STEP_WAIT, STEP_SEND, STEP_SET, STEP_SPLIT, STEP_CHOOSE, STEP_STOP, N_VERBS };
enum { C_UNTIL, C_ELSE, C_WITH, C_SALT, N_COMPANIONS };

struct step {
    enum verb verb;
    struct span key_at;
    const struct yaml_node *value;
    const struct yaml_node *with[N_COMPANIONS];
    struct str path;
};

uint32_t step_emit(struct rule_load *R, struct instr in); /* its place */
struct instr step_begin(const struct rule_load *R, enum op op, const struct step *s);
struct expr_env step_env(const struct rule_load *R); /* of expressions at this place */
struct str step_path(struct rule_load *R, struct str prefix, struct str name);
struct str step_number(struct rule_load *R, uint32_t i);
void step_list(struct rule_load *R, const struct yaml_node *n, struct str prefix);
void split_step(struct rule_load *R, const struct step *s);
void choose_step(struct rule_load *R, const struct step *s);

#endif
