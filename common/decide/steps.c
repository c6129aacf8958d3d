/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a run: wait, send, set, split, choose, stop.  A run goes on until it waits, wants to send,
 * or ends.
 */
#include "fold_priv.h"

#define RUN(i) (&d->life.runs.v[i])
#define EXEC_MAX 100000 /* the code has no loops; against a program that has */

static void ctx_run(struct decide *d, const struct run *r, const struct instr *in)
{
    ctx_event(d, &r->def->view, &r->event);
    ctx_next(d, in->next_view, &r->next);
}

/* When the wait ends: 0 and *due, or -1 for an expression in error.  A wait for a moment that is past
 * when it begins ends where it began: a step never starts before the one that it follows. */
static int wait_due(struct decide *d, const struct run *r, const struct instr *in, int64_t *due)
{
    struct val v;
    int64_t at = r->step_ms;
    const struct zone *tz = d->prog->tz;
    switch (in->wait) {
    case WAIT_LENGTH:
        at = life_plus(at, in->len_ms);
        break;
    case WAIT_CLOCK:
        at = in->days < 0 ? clock_after(tz, at, in->clock, true)
                          : time_at(tz, time_local_day(tz, at) + in->days, in->clock);
        break;
    case WAIT_TO:
        ctx_run(d, r, in);
        if (ctx_eval(d, in->to, &v) != 0 || v.t != V_TIMESTAMP)
            return -1;
        at = val_ms(v);
        break;
    }
    at = life_clamp(at);
    *due = at > r->step_ms ? at : r->step_ms;
    return 0;
}

bool until_matches(struct decide *d, const struct run *r, const struct instr *in,
                   const struct moment *m)
{
    if (m->at <= r->step_ms)
        return false;
    for (uint32_t i = 0; i < in->n_until; i++)
        if (pattern_matches(d, r, &in->until[i], m))
            return true;
    return false;
}

void until_came(struct run *r, const struct instr *in, const struct moment *m)
{
    r->flags &= (uint8_t)~RUN_WAITS;
    r->next = *m;
    r->step_ms = m->at;
    r->pc = in->next;
}

/* The earliest remembered event that ends the wait. */
static const struct moment *remembered(struct decide *d, const struct run *r,
                                       const struct instr *in)
{
    const struct moment *best = NULL;
    for (uint32_t i = 0; in->n_until && i < d->life.kept.n; i++) {
        const struct moment *m = &d->life.kept.v[i];
        if ((!best || m->at < best->at) && until_matches(d, r, in, m))
            best = m;
    }
    return best;
}

/* True: the run goes on at once. */
static bool step_wait(struct decide *d, uint32_t run, const struct instr *in)
{
    int64_t due;
    struct run *r = RUN(run);
    if (wait_due(d, r, in, &due) != 0) {
        run_end(d, run, END_EXPRESSION);
        return false;
    }
    const struct moment *m = remembered(d, r, in);
    if (m) {
        until_came(r, in, m);
        return true;
    }
    r->flags |= RUN_WAITS;
    r->due = due;
    r->armed = due > d->u.now ? due : d->u.now;
    if (due > d->u.now)
        r->depth = 0; /* time passes: what follows is no chain */
    return false;
}

static void step_set(struct decide *d, uint32_t run, const struct instr *in)
{
    struct run *r = RUN(run);
    uint32_t depth = d->u.depth;
    r->pc = in->next;
    if (r->def->mode == MODE_SHADOW)
        return;
    for (uint32_t i = 0; i < in->n_set; i++) {
        struct val v = {.t = V_NULL};
        ctx_run(d, RUN(run), in);
        if (in->values[i] && ctx_eval(d, in->values[i], &v) != 0)
            continue;
        v = val_dup(d->a, v);
        if (unit_full(d, 8 + (v.t == V_STRING ? v.n : 0)))
            continue;
        (void)tagset_set(d->tags, in->tags[i], &v, d->u.now);
        if (v.t != V_NULL)
            consent_granted(d, in->tags[i], d->u.now);
    }
    d->u.depth = RUN(run)->depth;
    unit_settle(d);
    d->u.depth = depth;
}

/* `rouse test` may force an arm. */
static const struct branch *forced_arm(const struct decide *d, const struct rule_def *def,
                                       const struct instr *in)
{
    const struct test_def *t = d->conf.test;
    for (uint32_t i = 0; t && i < t->n_buckets; i++) {
        if (!str_eq(t->buckets[i].rule, def->name))
            continue;
        for (uint32_t k = 0; k < in->n_branches; k++)
            if (str_eq(in->branches[k].name, t->buckets[i].arm))
                return &in->branches[k];
    }
    return NULL;
}

static uint32_t step_split(struct decide *d, const struct rule_def *def, const struct instr *in)
{
    const struct branch *arm = forced_arm(d, def, in);
    uint32_t bucket = arm ? 0 : bucket_of(in->salt, node_name(d->u.m), 10000);
    for (uint32_t i = 0; !arm && i < in->n_branches; i++)
        if (bucket < in->branches[i].below)
            arm = &in->branches[i];
    return arm ? arm->pc : in->next;
}

static uint32_t step_choose(struct decide *d, uint32_t run, const struct instr *in)
{
    for (uint32_t i = 0; i < in->n_branches; i++) {
        ctx_run(d, RUN(run), in);
        if (ctx_true(d, in->branches[i].when))
            return in->branches[i].pc;
    }
    return in->next;
}

/* One step; false: the run stops here for now. */
static bool step(struct decide *d, uint32_t run, const struct instr *in)
{
    switch (in->op) {
    case OP_WAIT:
        return step_wait(d, run, in);
    case OP_SEND:
        want_new(d, run, in);
        return false;
    case OP_SET:
        step_set(d, run, in);
        return true;
    case OP_SPLIT:
        RUN(run)->pc = step_split(d, RUN(run)->def, in);
        return true;
    case OP_CHOOSE:
        RUN(run)->pc = step_choose(d, run, in);
        return true;
    case OP_JUMP:
        RUN(run)->pc = in->next;
        return true;
    case OP_STOP:
    case OP_END:
        break;
    }
    run_end(d, run, END_DONE);
    return false;
}

void run_exec(struct decide *d, uint32_t run)
{
    for (int i = 0; i < EXEC_MAX && RUN(run)->flags & RUN_LIVE; i++) {
        const struct run *r = RUN(run);
        if (r->pc >= r->def->n_code) {
            run_end(d, run, END_DONE);
            return;
        }
        if (!step(d, run, &r->def->code[r->pc]))
            return;
    }
}

void runs_timeout(struct decide *d, uint32_t run)
{
    struct run *r = RUN(run);
    const struct instr *in = &r->def->code[r->pc];
    r->flags &= (uint8_t)~RUN_WAITS;
    r->step_ms = r->due; /* the deadline, even when folded later */
    r->pc = in->n_until ? in->else_pc : in->next;
    run_exec(d, run);
}
