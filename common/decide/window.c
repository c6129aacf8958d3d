/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of the store, and what it answers.
 *
 * Timers: everything up to the bound (due, member) is in the tree, as the index says or as it has
 * changed in memory since.  Timers fire only up to the bound; to go on, the index is asked for what
 * follows it.  A member changed since the last commit is known better here than there, so the
 * answer is not believed about him.
 *
 * The sweep walks the same order from its own place, with a part of the index of its own, which is
 * good until the next commit; members changed meanwhile stand where they now are.
 */
#include "fold_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define HORIZON_MIN TIME_MIN
#define HORIZON_MAX (2 * TIME_DAY)

/* ---- the window ---------------------------------------------------------------------------------------- */

bool window_covers(const struct decide *d, int64_t due)
{
    return d->bound_due > due || (d->bound_due == due && d->bound_all);
}

bool window_holds(const struct decide *d, int64_t due, struct str member)
{
    if (due == d->bound_due)
        return d->bound_all || str_cmp(member, buf_str(&d->bound_member)) <= 0;
    return due < d->bound_due;
}

static void ask(struct decide *d, enum ask what, int64_t due, struct str member, int64_t upto,
                uint32_t n)
{
    d->ask = what;
    d->ask_upto = upto;
    d->ask_n = n;
    buf_reset(&d->ask_member);
    buf_addstr(&d->ask_member, member);
    d->ask_after = (struct decide_timer){due, buf_str(&d->ask_member)};
}

/* Timers a fetch; fewer where bites are small, for tests. */
static uint32_t window_n(const struct decide *d)
{
    return d->max_members < DECIDE_MAX_MEMBERS ? d->max_members : WINDOW_N;
}

void window_ask(struct decide *d, int64_t upto)
{
    struct str member = buf_str(&d->bound_member);
    int64_t due = d->bound_due;
    if (due < 0) {
        due = 0;
        member = STR("");
    } else if (d->bound_all) {
        due++; /* members have names: (due + 1, "") is below all of that moment */
        member = STR("");
    }
    ask(d, ASK_WINDOW, due, member, upto + d->horizon, window_n(d));
}

static void bound_at(struct decide *d, int64_t due, struct str member, bool all)
{
    d->bound_due = due;
    d->bound_all = all;
    buf_reset(&d->bound_member);
    buf_addstr(&d->bound_member, member);
}

static void put_window(struct decide *d, const struct decide_timer *t, uint32_t n)
{
    bool more = n >= d->ask_n;
    if (more)
        bound_at(d, t[n - 1].due_ms, t[n - 1].member, false);
    else
        bound_at(d, d->ask_upto, STR(""), true);
    if (more && d->horizon > HORIZON_MIN)
        d->horizon /= 2;
    else if (n < d->ask_n / 4 && d->horizon < HORIZON_MAX)
        d->horizon *= 2;
    for (uint32_t i = 0; i < n; i++) {
        struct node *m = node_get(d, t[i].member);
        if (m->dirty || m->in_tree)
            continue;
        m->stored = true;
        m->due = m->old_due = t[i].due_ms;
        tree_add(&d->tree, m);
    }
    for (uint32_t i = 0; i < d->n_dirty; i++) {
        struct node *m = d->dirty[i];
        if (!m->in_tree && m->n && window_holds(d, m->due, node_name(m)))
            tree_add(&d->tree, m);
    }
}

/* ---- the sweep ------------------------------------------------------------------------------------------ */

/* meta.sweep is "." before the first member, then "DUE MEMBER" of the last one. */
static int64_t sweep_place(const struct decide *d, struct str *member)
{
    const char *sp = strchr(d->meta.sweep, ' ');
    *member = sp ? str_c(sp + 1) : STR("");
    return sp ? strtoll(d->meta.sweep, NULL, 10) : 0;
}

void sweep_start(struct decide *d)
{
    (void)snprintf(d->meta.sweep, sizeof d->meta.sweep, ".");
    sweep_forget(d);
}

void sweep_forget(struct decide *d)
{
    d->n_sweep = d->sweep_at = 0;
    d->sweep_have = d->sweep_more = false;
    arena_reset(d->sweep_arena);
}

static void put_sweep(struct decide *d, const struct decide_timer *t, uint32_t n)
{
    d->sweep_have = true;
    d->sweep_more = n >= d->ask_n;
    d->sweep = grown(d->sweep, &d->cap_sweep, d->n_sweep + n, sizeof *d->sweep);
    for (uint32_t i = 0; i < n; i++)
        d->sweep[d->n_sweep++] =
            (struct fetched){t[i].due_ms, arena_str(d->sweep_arena, t[i].member)};
}

static struct node *dirty_after(const struct decide *d, int64_t due, struct str member)
{
    struct node *best = NULL;
    for (uint32_t i = 0; i < d->n_dirty; i++) {
        struct node *m = d->dirty[i];
        if (m->n == 0 || key_cmp(m->due, node_name(m), due, member) <= 0)
            continue;
        if (!best || key_cmp(m->due, node_name(m), best->due, node_name(best)) < 0)
            best = m;
    }
    return best;
}

static const struct fetched *fetched_next(struct decide *d, int64_t due, struct str member)
{
    while (d->sweep_at < d->n_sweep) {
        const struct fetched *f = &d->sweep[d->sweep_at];
        struct node *m = node_find(d, f->member);
        if (key_cmp(f->due, f->member, due, member) > 0 && !(m && m->dirty))
            return f;
        d->sweep_at++; /* done, or it stands elsewhere now */
    }
    return NULL;
}

int sweep_next(struct decide *d, struct node **m, int64_t *due)
{
    struct str member;
    int64_t from = sweep_place(d, &member);
    if (d->conf.complete) {
        *m = tree_after(&d->tree, from, member);
        *due = *m ? (*m)->due : 0;
        return *m != NULL;
    }
    const struct fetched *f = d->sweep_have ? fetched_next(d, from, member) : NULL;
    if (!f && (!d->sweep_have || d->sweep_more)) {
        if (d->n_sweep) {
            from = d->sweep[d->n_sweep - 1].due;
            member = d->sweep[d->n_sweep - 1].member;
        }
        ask(d, ASK_SWEEP, from, member, TIME_NEVER, window_n(d));
        return -1;
    }
    struct node *changed = dirty_after(d, from, member);
    if (changed && (!f || key_cmp(changed->due, node_name(changed), f->due, f->member) < 0)) {
        *m = changed;
        *due = changed->due;
        return 1;
    }
    if (!f)
        return 0;
    *m = node_get(d, f->member);
    *due = f->due;
    return 1;
}

/* ---- wants ---------------------------------------------------------------------------------------------- */

void want_member(struct decide *d, struct node *m)
{
    if (m->loaded || (m->asked && d->n_want) || d->conf.complete)
        return;
    m->asked = true;
    d->want = grown(d->want, &d->cap_want, d->n_want + 1, sizeof *d->want);
    d->want[d->n_want++] = node_name(m);
}

void want_due(struct decide *d, int64_t upto)
{
    uint32_t seen = 0;
    for (struct node *m = tree_min(&d->tree);
         m && m->due <= upto && seen < WINDOW_N && d->n_want < d->max_members;
         m = tree_after(&d->tree, m->due, node_name(m)), seen++)
        want_member(d, m);
}

void decide_wants(struct decide *d, struct decide_wants *out)
{
    *out = (struct decide_wants){.members = d->want,
                                 .n_members = d->n_want,
                                 .seqs = d->want_seq,
                                 .n_seqs = d->n_want_seq,
                                 .timers = d->ask != ASK_NONE,
                                 .after = d->ask_after,
                                 .upto_ms = d->ask_upto,
                                 .timers_n = d->ask_n,
                                 .index = d->ask_fan,
                                 .index_tag = d->fan_tag,
                                 .index_key = d->fan_ask_key,
                                 .index_after = buf_str(&d->fan_after),
                                 .index_n = d->max_members};
    d->n_want = d->n_want_seq = 0;
}

void decide_put(struct decide *d, struct str member, struct str state)
{
    struct node *m = node_get(d, member);
    if (m->loaded)
        return;
    m->stored = state.n > 0;
    node_state(d, m, state);
    if (d->conf.complete && state.n)
        unit_peek(d, m);
}

void decide_put_timers(struct decide *d, const struct decide_timer *t, uint32_t n)
{
    enum ask what = d->ask;
    d->ask = ASK_NONE;
    if (what == ASK_WINDOW)
        put_window(d, t, n);
    if (what == ASK_SWEEP)
        put_sweep(d, t, n);
}

int64_t decide_next_due(const struct decide *d)
{
    const struct node *m = tree_min(&d->tree); /* the tree holds nothing above the bound */
    if (d->meta.sweep[0])                      /* goes on with each record */
        return d->meta.now_ms;
    if (m || d->conf.complete)
        return m ? m->due : TIME_NEVER;
    return d->bound_due < d->meta.now_ms ? d->meta.now_ms : d->bound_due + 1;
}
