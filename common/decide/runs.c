/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs.  A run is a rule at work for one member: it has a clock (when it started, when its present step
 * began), a place in the rule's code (steps.c goes on from there), and what its expressions may
 * still read.  It is kept after its end while a message of it may still fall back or its goal may
 * still be reached.
 */
#include "fold_priv.h"

#include <stdlib.h>

#define RUN(i) (&d->life.runs.v[i])

int rule_cmp(const struct rule_def *a, struct str key_a, const struct rule_def *b, struct str key_b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    int c = str_cmp(a->name, b->name);
    return c ? c : str_cmp(key_a, key_b);
}

/* ---- the end -------------------------------------------------------------------------------------------- */

void run_end(struct decide *d, uint32_t run, enum run_end why)
{
    struct run *r = RUN(run);
    if (r->flags & RUN_LIVE)
        d->stats.runs_ended++;
    r->flags &= (uint8_t) ~(RUN_LIVE | RUN_WAITS);
    if (why == END_CANCELLED || why == END_SUPERSEDED)
        wants_stop(d, run, why == END_SUPERSEDED);
}

/* Its text is in no bundle any more: nothing of it can go on. */
void run_lost(struct decide *d, uint32_t run)
{
    struct life *l = &d->life;
    if (RUN(run)->flags & RUN_LIVE)
        d->stats.runs_ended++;
    RUN(run)->dead = true;
    RUN(run)->flags = 0;
    for (uint32_t i = 0; i < l->wants.n; i++)
        if (l->wants.v[i].run == run)
            l->wants.v[i].dead = true;
}

/* ---- the start ------------------------------------------------------------------------------------------ */

static uint32_t find_live(const struct decide *d, uint64_t rule, struct str key)
{
    for (uint32_t i = 0; i < d->life.runs.n; i++) {
        const struct run *r = &d->life.runs.v[i];
        if (!r->dead && r->flags & RUN_LIVE && r->rule == rule && str_eq(r->key, key))
            return i;
    }
    return RULE_NONE;
}

static bool reads(const struct expr *e)
{
    struct val v;
    return e && !expr_is_const(e, &v);
}

static bool patterns_read(const struct pattern *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (reads(p[i].where))
            return true;
    return false;
}

static bool instr_reads(const struct decide *d, const struct instr *in)
{
    if (reads(in->to) || patterns_read(in->until, in->n_until))
        return true;
    for (uint32_t i = 0; in->op == OP_SEND && i < d->prog->messages[in->message].n_params; i++)
        if (reads(in->args[i]))
            return true;
    for (uint32_t i = 0; i < in->n_set; i++)
        if (reads(in->values[i]))
            return true;
    for (uint32_t i = 0; i < in->n_branches; i++)
        if (reads(in->branches[i].when))
            return true;
    return false;
}

/* May anything after the start still read the event that started it? */
static bool needs_event(const struct decide *d, const struct rule_def *r)
{
    if (!r->view.type)
        return false;
    if (patterns_read(r->cancel, r->n_cancel) ||
        (r->has_goal && (reads(r->goal.where) || reads(r->goal_value))))
        return true;
    for (uint32_t i = 0; i < r->n_code; i++)
        if (instr_reads(d, &r->code[i]))
            return true;
    return false;
}

static uint32_t run_new(struct decide *d, const struct rule_def *r, struct str key,
                        const struct start *s)
{
    struct run *run = VEC_ADD(d->a, d->life.runs);
    run->rule = d->ix->rule_id[r->index];
    run->version = rule_version(r);
    run->def = r;
    run->key = key;
    run->flags = RUN_LIVE;
    run->depth = (uint8_t)d->u.depth;
    run->born = true;
    run->ident = s->ident;
    run->start_ms = run->step_ms = s->at;
    if (s->event && needs_event(d, r))
        run->event = *s->event;
    d->stats.runs_started++;
    return d->life.runs.n - 1;
}

static bool active(const struct decide *d, const struct rule_def *r)
{
    if (!d->ix->rule_on[r->index])
        return false;
    if (r->active_from == INT64_MIN && r->active_to == INT64_MAX)
        return true;
    int64_t day = time_local_day(d->prog->tz, d->u.now);
    return day >= r->active_from && day <= r->active_to;
}

/* 0 and the key, -1: in error, no run. */
static int start_key(struct decide *d, const struct rule_def *r, struct str *key)
{
    struct val v;
    *key = STR("");
    if (!r->key)
        return 0;
    if (ctx_eval(d, r->key, &v) != 0 || (v.t != V_STRING && v.t != V_INT && v.t != V_BOOL))
        return -1;
    buf_reset(&d->text);
    val_text(&v, &d->text);
    *key = arena_str(d->a, buf_str(&d->text));
    return 0;
}

/* An event that came before its time: it may cancel a run that begins only now. */
static bool cancelled_before(struct decide *d, uint32_t run)
{
    for (uint32_t i = 0; i < d->life.kept.n; i++) {
        const struct moment *m = &d->life.kept.v[i];
        const struct run *r = RUN(run);
        for (uint32_t k = 0; m->at > r->start_ms && k < r->def->n_cancel; k++)
            if (pattern_matches(d, r, &r->def->cancel[k], m))
                return true;
    }
    return false;
}

void run_start(struct decide *d, const struct rule_def *r, const struct start *s)
{
    struct str key;
    if (!active(d, r))
        return;
    ctx_event(d, &r->view, s->event);
    if (!ctx_true(d, r->when) || start_key(d, r, &key) != 0)
        return;
    uint32_t live = find_live(d, d->ix->rule_id[r->index], key);
    if (live != RULE_NONE && r->again == AGAIN_IGNORE)
        return;
    const struct run refused = {.key = key, .ident = s->ident};
    if (!limit_room(d, r, key)) {
        write_refusal(d, r, &refused, STR("limit"));
        return;
    }
    if (unit_full(d, 64 + key.n)) {
        write_refusal(d, r, &refused, STR("full"));
        return;
    }
    if (live != RULE_NONE)
        run_end(d, live, END_SUPERSEDED);
    uint32_t run = run_new(d, r, key, s);
    if (r->n_cancel && cancelled_before(d, run))
        run_end(d, run, END_CANCELLED);
    else
        run_exec(d, run);
}

/* ---- an event is offered ------------------------------------------------------------------------------- */

static bool cancels(struct decide *d, const struct run *r, const struct moment *m)
{
    for (uint32_t k = 0; m->at > r->start_ms && k < r->def->n_cancel; k++)
        if (pattern_matches(d, r, &r->def->cancel[k], m))
            return true;
    return false;
}

static void convert(struct decide *d, uint32_t run, const struct moment *m)
{
    struct run *r = RUN(run);
    struct val v = {.t = V_INT};
    if (!(r->flags & RUN_GOAL) || m->at <= r->goal_ms ||
        m->at >= life_plus(r->goal_ms, r->def->goal_within_ms) ||
        !pattern_matches(d, r, &r->def->goal, m))
        return;
    r->flags &= (uint8_t)~RUN_GOAL;
    ctx_event(d, &r->def->view, &r->event);
    ctx_candidate(d, m->f);
    if (r->def->goal_value && ctx_eval(d, r->def->goal_value, &v) != 0)
        v = val_int(0);
    double value = v.t == V_DOUBLE ? v.d : (double)v.i;
    if (v.t == V_MONEY)
        value = (double)v.i / 100;
    write_convert(d, r, value);
}

static void offer_one(struct decide *d, uint32_t run, const struct moment *m)
{
    struct run *r = RUN(run);
    if (r->dead || r->born)
        return;
    convert(d, run, m);
    if (cancels(d, r, m)) {
        run_end(d, run, END_CANCELLED);
        return;
    }
    const struct instr *in = &r->def->code[r->pc];
    if (!(r->flags & RUN_WAITS) || !until_matches(d, r, in, m))
        return;
    until_came(r, in, m);
    run_exec(d, run);
}

struct offered {
    uint32_t run;
    const struct run *r;
};

static int by_rule(const void *a, const void *b)
{
    const struct offered *x = a, *y = b;
    int c = rule_cmp(x->r->def, x->r->key, y->r->def, y->r->key);
    return c ? c : (x->run > y->run) - (x->run < y->run);
}

void runs_offer(struct decide *d, const struct moment *m)
{
    uint32_t n = 0;
    struct offered *v = arena_alloc(d->a, d->life.runs.n * sizeof *v);
    for (uint32_t i = 0; i < d->life.runs.n; i++)
        if (!RUN(i)->dead && !RUN(i)->born)
            v[n++] = (struct offered){i, RUN(i)};
    if (n > 1)
        qsort(v, n, sizeof *v, by_rule);
    for (uint32_t i = 0; i < n; i++)
        offer_one(d, v[i].run, m);
}

/* ---- tags have changed --------------------------------------------------------------------------------- */

static bool too_late(const struct decide *d, const struct rule_def *r)
{
    if (d->u.ev && d->u.now - d->u.ev->at_ms > r->late_ms)
        return true;
    return d->u.seen - d->u.now > r->late_ms;
}

static void start_by_tag(struct decide *d, uint32_t tag)
{
    const struct index_list *l = &d->prog->rules_by_tag[tag];
    for (uint32_t i = 0; i < l->n; i++) {
        const struct rule_def *r = &d->prog->rules[l->v[i]];
        const struct start s = {.at = d->u.now,
                                .ident = fold_mix((uint64_t)d->u.now + d->u.tag_starts++)};
        if (too_late(d, r))
            d->stats.late++;
        else
            run_start(d, r, &s);
    }
}

void tags_changed(struct decide *d, const struct tag_change *c, uint32_t n)
{
    const struct tag_change *view = d->u.view;
    uint32_t n_view = d->u.n_view;
    for (uint32_t i = 0; i < n; i++) {
        if (d->prog->tags[c[i].tag].public_)
            write_public(d, c[i].tag, c[i].has ? &c[i].after : NULL);
        timed_tag(d, c[i].tag);
    }
    if (n == 0)
        return;
    timed_moved(d); /* dates that follow from a tag that was set */
    if (d->u.depth >= FOLD_CHAIN) {
        d->stats.expr_errors++; /* a chain of more than 8 changes stops */
        return;
    }
    d->u.depth++;
    d->u.view = c;
    d->u.n_view = n;
    for (uint32_t i = 0; i < n; i++)
        if (!c[i].first)
            start_by_tag(d, c[i].tag);
    d->u.view = view;
    d->u.n_view = n_view;
    d->u.depth--;
}
