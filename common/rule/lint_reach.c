/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warnings about what is never reached: steps behind an end, branches and levels that those above them
 * take, an `until` that `cancel` forestalls, a rule whose dates never come.  Each is proven, none
 * guessed.
 */
#include "rule_priv.h"

/* ---- walking the steps ----------------------------------------------------------------------- */

static void reach_branches(const struct instr *in, enum reach how, bool *seen)
{
    bool all = in->op == OP_SPLIT;
    for (uint32_t i = 0; i < in->n_branches; i++) {
        const struct branch *b = &in->branches[i];
        if (how != REACH_UNTARGETED || !b->when)
            seen[b->pc] = true;
        all |= in->op == OP_CHOOSE && !b->when;
    }
    if (!all)
        seen[in->next] = true;
}

static void reach_wait(const struct instr *in, enum reach how, bool *seen)
{
    if (how == REACH_AT_ONCE)
        return;
    if (how == REACH_ALL || !in->n_until)
        seen[in->next] = true;
    if (in->n_until)
        seen[in->else_pc] = true;
}

bool *lint_reached(struct load *L, const struct rule_def *r, enum reach how)
{
    bool *seen = ARENA_ARRAY(L->a, bool, r->n_code + 1);
    if (r->n_code)
        seen[0] = true;
    for (uint32_t i = 0; i < r->n_code; i++) { /* every step leads forward */
        const struct instr *in = &r->code[i];
        if (!seen[i])
            continue;
        switch (in->op) {
        case OP_WAIT:
            reach_wait(in, how, seen);
            break;
        case OP_SPLIT:
        case OP_CHOOSE:
            reach_branches(in, how, seen);
            break;
        case OP_SEND:
        case OP_SET:
        case OP_JUMP:
            seen[in->next] = true;
            break;
        case OP_STOP:
        case OP_END:
            break;
        }
    }
    return seen;
}

const struct expr *lint_branch(const struct instr *choose, uint32_t pc)
{
    const struct expr *when = NULL;
    for (uint32_t i = 0; i < choose->n_branches; i++)
        if (choose->branches[i].pc <= pc)
            when = choose->branches[i].when;
    return pc < choose->next ? when : NULL;
}

static void never_reached(struct load *L, struct span at, const char *label, const char *what)
{
    diags_addf(L->d, "W009", at, str_c(label), (struct str){0}, "%s", what);
}

static void lint_steps(struct load *L, const struct rule_def *r)
{
    bool *seen = lint_reached(L, r, REACH_ALL), said = false;
    for (uint32_t i = 0; i < r->n_code; i++) {
        enum op op = r->code[i].op;
        if (seen[i]) {
            said = false;
        } else if (!said && op != OP_JUMP && op != OP_END) {
            never_reached(L, r->code[i].at, "the run has always ended before it",
                          "this step is never reached");
            said = true;
        }
    }
}

/* ---- conditions above conditions -------------------------------------------------------------- */

/* The first of the conditions above number `i` that is true whenever it is; NULL: none. */
static const struct expr *taken_by(const struct expr *const *when, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (when[k] && when[i] && expr_implies(when[i], when[k]))
            return when[k];
    return NULL;
}

static void lint_order(struct load *L, const struct expr *const *when, uint32_t n, const char *what)
{
    for (uint32_t i = 1; i < n; i++) {
        int line, col;
        const struct expr *above = taken_by(when, i);
        if (!above)
            continue;
        struct span at = expr_at(above);
        srcfile_pos(at.file, at.start, &line, &col);
        never_reached(L, expr_at(when[i]),
                      arena_printf(L->a, "whenever it is true, so is the one at line %d", line),
                      what);
    }
}

static void lint_choose(struct load *L, const struct instr *in)
{
    const struct expr **when = ARENA_ARRAY(L->a, const struct expr *, in->n_branches + 1);
    for (uint32_t i = 0; i < in->n_branches; i++)
        when[i] = in->branches[i].when;
    lint_order(L, when, in->n_branches, "this branch is never taken");
}

static void lint_levels(struct load *L, const struct tag_def *t)
{
    const struct expr **when = ARENA_ARRAY(L->a, const struct expr *, t->n_levels + 1);
    for (uint32_t i = 0; i < t->n_levels; i++)
        when[i] = t->levels[i].when;
    lint_order(L, when, t->n_levels, "this level is never reached");
}

/* ---- events that end the run before they can do anything else ---------------------------------- */

static bool cancels(const struct rule_def *r, uint32_t event)
{
    for (uint32_t i = 0; i < r->n_cancel; i++)
        if (r->cancel[i].event == event && !r->cancel[i].where)
            return true;
    return false;
}

static void lint_until(struct load *L, const struct rule_def *r, const struct instr *in)
{
    for (uint32_t i = 0; i < in->n_until; i++)
        if (!cancels(r, in->until[i].event))
            return;
    if (in->n_until)
        never_reached(L, in->at, "the same event ends the run by `cancel`",
                      "an `until` that never comes true");
}

/* ---- dates ----------------------------------------------------------------------------------- */

#define LONGEST_RANGE 800 /* days; a longer one holds every date of a year */

/* May the trigger come on this local day? */
static bool comes_on(const struct trigger *t, int64_t day)
{
    struct civil c;
    if (t->kind == TRIG_EVERY && t->month_day == 0)
        return (t->weekdays & 0x80) || (t->weekdays >> time_weekday(day) & 1); /* workdays: maybe */
    time_civil(day - t->shift_days, &c);
    int32_t last = time_mdays(c.year, c.mon), want = t->day;
    if (t->kind == TRIG_EVERY) {
        want = t->month_day < 0 || t->month_day > last ? last : t->month_day;
        return c.day == want;
    }
    if (t->date == DATE_ONCE && c.year != t->year)
        return false;
    return c.mon == t->mon && c.day == (want > last ? last : want);
}

static void lint_active(struct load *L, const struct rule_def *r)
{
    const struct trigger *t = &r->trigger;
    bool fixed = t->kind == TRIG_EVERY || (t->kind == TRIG_DATE && !t->lunar &&
                                           (t->date == DATE_ONCE || t->date == DATE_YEARLY));
    if (!fixed || r->active_from == INT64_MIN || r->active_to == INT64_MAX ||
        r->active_to - r->active_from > LONGEST_RANGE)
        return;
    for (int64_t day = r->active_from; day <= r->active_to; day++)
        if (comes_on(t, day))
            return;
    never_reached(L, r->at, "none of its days lies in `active`", "a rule that never starts");
}

void lint_reach(struct load *L)
{
    for (uint32_t i = 0; i < L->p->n_tags; i++)
        lint_levels(L, &L->p->tags[i]);
    for (uint32_t i = 0; i < L->p->n_rules; i++) {
        const struct rule_def *r = &L->p->rules[i];
        lint_steps(L, r);
        lint_active(L, r);
        for (uint32_t k = 0; k < r->n_code; k++) {
            if (r->code[k].op == OP_CHOOSE)
                lint_choose(L, &r->code[k]);
            else if (r->code[k].op == OP_WAIT)
                lint_until(L, r, &r->code[k]);
        }
    }
}
