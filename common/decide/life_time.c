/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A life and the passing of time: what has become meaningless, what is due next, when all that can
 * expire has expired.  Pruning happens when a member is touched, which depends on the log only.
 */
#include "life_priv.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t life_due(const struct life *l)
{
    int64_t due = least(l->tag_due, l->idle_due);
    for (uint32_t i = 0; i < l->timed.n; i++)
        due = least(due, l->timed.v[i].armed);
    for (uint32_t i = 0; i < l->runs.n; i++)
        if (!l->runs.v[i].dead && l->runs.v[i].flags & RUN_WAITS)
            due = least(due, l->runs.v[i].armed);
    for (uint32_t i = 0; i < l->wants.n; i++)
        if (!l->wants.v[i].dead && l->wants.v[i].state != WANT_OUT)
            due = least(due, l->wants.v[i].due);
    return due;
}

bool life_bare(const struct life *l)
{
    if (l->n_ring || l->last.n || l->limits.n || l->scopes.n || l->optouts.n || l->kept.n)
        return false;
    for (uint32_t i = 0; i < l->runs.n; i++)
        if (!l->runs.v[i].dead)
            return false;
    return true;
}

/* Until when a message that is with a gateway is kept: its result may still have to be heard. */
static int64_t out_until(const struct want *w)
{
    return w->expire_ms + (w->flags & WANT_TAKEN ? 0 : LIFE_RESULT_MS);
}

static int64_t goal_until(const struct run *r, const struct prog_ix *ix)
{
    return life_plus(life_plus(r->goal_ms, r->def->goal_within_ms), ix->late_ms);
}

int64_t scope_gone(const struct prog_ix *ix, uint32_t gateway, int64_t at)
{
    const struct policy *p = &ix->p->policy;
    int64_t gone = INT64_MIN;
    for (uint32_t i = 0; i < p->n_caps; i++) {
        uint32_t g = p->caps[i].gateway;
        if ((g == RULE_NONE ? 0 : ix->gateway_id[g]) == gateway)
            gone = most(gone, charge_gone(at, &p->caps[i].limit, ix->p->tz));
    }
    return gone;
}

/* The limit that a counter is kept for; NULL when its rule is gone or has none: the charges then wait
 * a while for the rule to come back. */
static const struct limit *counter_limit(const struct prog_ix *ix, uint64_t rule)
{
    uint32_t i = prog_rule(ix, rule);
    return i == RULE_NONE || ix->p->rules[i].limit.n == 0 ? NULL : &ix->p->rules[i].limit;
}

static int64_t counter_gone(const struct counter *c, const struct prog_ix *ix)
{
    const struct limit *l = counter_limit(ix, c->rule);
    int64_t gone = INT64_MIN;
    for (uint32_t i = 0; i < c->c.n; i++) {
        int64_t at = c->c.v[i].at;
        gone = most(gone, l ? charge_gone(at, l, ix->p->tz) : at + LIFE_LAST_MS);
    }
    return gone;
}

/* ---- pruning ------------------------------------------------------------------------------------------ */

/* The minute of a key, from its 16 bits: it was folded at `base` or before, and not 45 days before,
 * because it would have been pruned then. */
static int64_t seen_minute(const struct life *l, uint64_t seen)
{
    int64_t base = l->base / TIME_MIN;
    return base - (uint16_t)((uint16_t)base - SEEN_MIN(seen));
}

static void prune_ring(struct life *l, int64_t now_ms)
{
    uint32_t gone = 0;
    while (gone < l->n_ring && seen_minute(l, l->ring[gone]) + LIFE_RING_MIN <= now_ms / TIME_MIN)
        gone++;
    if (gone == 0)
        return;
    memmove(l->ring, l->ring + gone, (l->n_ring - gone) * sizeof *l->ring);
    l->n_ring -= gone;
}

static void prune_charges(struct life *l, const struct prog_ix *ix, int64_t now_ms)
{
    for (uint32_t i = l->limits.n; i-- > 0;) {
        struct counter *c = &l->limits.v[i];
        const struct limit *lim = counter_limit(ix, c->rule);
        if (lim)
            charges_prune(&c->c, lim, now_ms, ix->p->tz);
        if (c->c.n == 0 || counter_gone(c, ix) <= now_ms)
            VEC_DEL(l->limits, i);
    }
    for (uint32_t i = l->scopes.n; i-- > 0;) {
        struct scope *s = &l->scopes.v[i];
        while (s->c.n && scope_gone(ix, s->gateway, s->c.v[0].at) <= now_ms)
            VEC_DEL(s->c, 0);
        if (s->c.n == 0)
            VEC_DEL(l->scopes, i);
    }
}

void life_prune_runs(struct life *l, const struct prog_ix *ix, int64_t now_ms)
{
    for (uint32_t i = 0; i < l->wants.n; i++) {
        struct want *w = &l->wants.v[i];
        w->dead = w->dead || (w->state == WANT_OUT && out_until(w) <= now_ms);
    }
    for (uint32_t i = 0; i < l->runs.n; i++) {
        struct run *r = &l->runs.v[i];
        if (r->flags & RUN_GOAL && (!r->def || goal_until(r, ix) <= now_ms))
            r->flags &= (uint8_t)~RUN_GOAL;
        bool used = r->flags & (RUN_LIVE | RUN_GOAL);
        for (uint32_t k = 0; k < l->wants.n && !used; k++)
            used = !l->wants.v[k].dead && l->wants.v[k].run == i;
        r->dead = r->dead || !used;
    }
}

void life_prune(struct life *l, const struct prog_ix *ix, int64_t now_ms)
{
    prune_ring(l, now_ms);
    for (uint32_t i = l->last.n; i-- > 0;)
        if (l->last.v[i].at + LIFE_LAST_MS <= now_ms)
            VEC_DEL(l->last, i);
    for (uint32_t i = l->kept.n; i-- > 0;)
        if (life_plus(l->kept.v[i].at, ix->late_ms) <= now_ms)
            VEC_DEL(l->kept, i);
    if (l->runs.n)
        life_prune_runs(l, ix, now_ms);
    /* Charges are looked at once a day: finding out costs more than they do. */
    if ((l->limits.n || l->scopes.n) && now_ms / TIME_DAY != l->base / TIME_DAY)
        prune_charges(l, ix, now_ms);
}

/* ---- idle ---------------------------------------------------------------------------------------------- */

static int64_t idle_charges(const struct life *l, const struct prog_ix *ix)
{
    int64_t t = INT64_MIN;
    for (uint32_t i = 0; i < l->limits.n; i++)
        t = most(t, counter_gone(&l->limits.v[i], ix));
    for (uint32_t i = 0; i < l->scopes.n; i++)
        for (uint32_t k = 0; k < l->scopes.v[i].c.n; k++)
            t = most(t, scope_gone(ix, l->scopes.v[i].gateway, l->scopes.v[i].c.v[k].at));
    return t;
}

int64_t life_idle(const struct life *l, const struct prog_ix *ix)
{
    int64_t t = idle_charges(l, ix);
    if (l->optouts.n)
        return TIME_NEVER;
    if (l->n_ring)
        t = most(t, (seen_minute(l, l->ring[l->n_ring - 1]) + LIFE_RING_MIN) * TIME_MIN);
    for (uint32_t i = 0; i < l->last.n; i++)
        t = most(t, l->last.v[i].at + LIFE_LAST_MS);
    for (uint32_t i = 0; i < l->kept.n; i++)
        t = most(t, life_plus(l->kept.v[i].at, ix->late_ms));
    for (uint32_t i = 0; i < l->runs.n; i++) {
        const struct run *r = &l->runs.v[i];
        if (!r->dead && r->flags & RUN_LIVE)
            return TIME_NEVER; /* its end is a touch, which looks again */
        if (!r->dead && r->flags & RUN_GOAL)
            t = most(t, goal_until(r, ix));
    }
    for (uint32_t i = 0; i < l->wants.n; i++) {
        const struct want *w = &l->wants.v[i];
        if (!w->dead)
            t = w->state == WANT_OUT ? most(t, out_until(w)) : TIME_NEVER;
    }
    return t;
}
