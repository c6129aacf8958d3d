/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unit of work on one member: his blob is decoded, changed and encoded again.  A member whose blob
 * was written under earlier rules is first brought up to date: timers of new and changed rules are
 * armed, runs whose text is gone end, tags are settled.
 */
#include "fold_priv.h"

/* ---- opening ------------------------------------------------------------------------------------------- */

static int decode(struct decide *d, struct node *m, int64_t now, struct err *err)
{
    struct rd in = {0};
    if (m->n)
        in = (struct rd){.p = m->state, .end = m->state + m->n};
    if (m->n == 0) {
        life_begin(&d->life, d->meta.n);
        tagset_begin(d->tags, d->prog);
    } else if (life_read(&d->life, d->ix, d->a, &in, err) != 0 ||
               tagset_read(d->tags, d->prog, &in, now, err) != 0) {
        return err_wrap(err, "a member's state"); /* not whose: this text is logged */
    } else if (d->life.gen > d->meta.n) {
        return err_set(err, ERR_FATAL,
                       "a member's state was written under activation %llu, now %llu",
                       (unsigned long long)d->life.gen, (unsigned long long)d->meta.n);
    }
    tagset_member(d->tags, node_name(m));
    return 0;
}

/* Runs whose text is in no bundle any more end here. */
static void end_lost_runs(struct decide *d)
{
    struct life *l = &d->life;
    for (uint32_t i = 0; i < l->runs.n; i++)
        if (!l->runs.v[i].dead && !l->runs.v[i].def)
            run_lost(d, i);
}

static void bring_up_to_date(struct decide *d)
{
    d->u.updated = true;
    d->life.gen = d->meta.n;
    timed_all(d);
    unit_settle(d);
    tagset_link_all(d->tags); /* a collection that has become an index */
}

int unit_open(struct decide *d, struct node *m, int64_t now, int64_t seen, struct err *err)
{
    arena_reset(d->a);
    d->u = (struct unit){.m = m, .now = now, .seen = seen, .fresh = m->n == 0, .size = m->n};
    d->ctx.now_ms = now;
    d->ctx.event = d->ctx.next = NULL;
    m->used = true;
    if (decode(d, m, now, err) != 0)
        return -1;
    if (!m->dirty && !m->in_tree)
        m->due = m->old_due = d->u.fresh ? TIME_NEVER : life_due(&d->life);
    if (now > d->meta.now_ms)
        d->meta.now_ms = now;
    end_lost_runs(d);
    life_prune(&d->life, d->ix, now);
    d->life.base = now;
    if (d->u.fresh)
        timed_all(d);
    else if (d->life.gen < d->meta.n)
        bring_up_to_date(d);
    if (d->prog->uses_old) {
        tagset_snapshot(d->tags, now);
        d->u.snapped = true;
    }
    return 0;
}

void unit_peek(struct decide *d, struct node *m)
{
    arena_reset(d->a);
    if (d->prog && decode(d, m, d->meta.now_ms, NULL) == 0) {
        node_due(d, m, life_due(&d->life));
        m->old_due = m->due;
    }
}

/* ---- tags ----------------------------------------------------------------------------------------------- */

uint32_t unit_changes(struct decide *d, const struct tag_change **out)
{
    const struct tag_change *c;
    uint32_t n = tagset_settle(d->tags, d->u.now, &c);
    if (n == 0)
        return 0;
    struct tag_change *copy = arena_alloc(d->a, n * sizeof *copy);
    for (uint32_t i = 0; i < n; i++) {
        copy[i] = c[i];
        copy[i].before = val_dup(d->a, c[i].before);
        copy[i].after = val_dup(d->a, c[i].after);
    }
    *out = copy;
    return n;
}

void unit_settle(struct decide *d)
{
    const struct tag_change *c = NULL;
    uint32_t n = unit_changes(d, &c);
    tags_changed(d, c, n);
}

/* ---- size ----------------------------------------------------------------------------------------------- */

bool unit_full(struct decide *d, size_t more)
{
    d->u.size += more;
    if (d->u.size <= DECIDE_MAX_STATE)
        return false;
    size_t saved = tagset_trim(d->tags, d->u.size - DECIDE_MAX_STATE);
    d->u.size = d->u.size > saved ? d->u.size - saved : 0;
    if (d->u.size <= DECIDE_MAX_STATE)
        return false;
    d->u.size -= more;
    return true;
}

static void encode(struct decide *d)
{
    buf_reset(&d->blob);
    life_write(&d->life, d->ix, d->u.now, &d->blob);
    tagset_write(d->tags, &d->blob);
}

/* The newest run gives way. */
static bool drop_run(struct decide *d)
{
    struct life *l = &d->life;
    for (uint32_t i = l->runs.n; i-- > 0;) {
        struct run *r = &l->runs.v[i];
        if (r->dead)
            continue;
        write_refusal(d, r->def, r, STR("full"));
        run_end(d, i, END_FULL);
        for (uint32_t k = 0; k < l->wants.n; k++)
            if (!l->wants.v[k].dead && l->wants.v[k].run == i)
                want_drop(d, k, l->wants.v[k].state != WANT_OUT);
        r->dead = true;
        return true;
    }
    return false;
}

/* What gives way when the state has grown too big: collections' oldest, kept events, runs, limits. */
static bool shrink(struct decide *d)
{
    struct life *l = &d->life;
    if (tagset_trim(d->tags, d->blob.n - DECIDE_MAX_STATE) > 0)
        return true;
    if (l->kept.n) {
        VEC_DEL(l->kept, 0);
        return true;
    }
    if (drop_run(d))
        return true;
    if (l->limits.n) {
        VEC_DEL(l->limits, 0);
        return true;
    }
    return false;
}

/* ---- closing -------------------------------------------------------------------------------------------- */

static int64_t tag_due(struct decide *d)
{
    int64_t at = tagset_next(d->tags, d->u.now);
    if (at <= d->u.now + 1 && tagset_is_new(d->tags, d->u.now))
        return TIME_NEVER; /* all has expired: nothing more can */
    if (at == TIME_NEVER)
        return at;
    if (at <= d->u.now)
        at = d->u.now + TIME_MIN;
    if (at == time_day_start(d->prog->tz, time_local_day(d->prog->tz, at)))
        at += unit_stagger(d);
    return at;
}

/* Each member at his own moment of a day.  One that is armed already stays: it will look again. */
static int64_t idle_due(struct decide *d)
{
    if (d->life.idle_due != TIME_NEVER && d->life.idle_due > d->u.now)
        return d->life.idle_due;
    int64_t at = tagset_idle(d->tags, d->u.now), life;
    if (at == TIME_NEVER || (life = life_idle(&d->life, d->ix)) == TIME_NEVER)
        return TIME_NEVER;
    at = at > life ? at : life;
    if (at <= d->u.now)
        at = d->u.now + 1;
    return (at + TIME_DAY - 1) / TIME_DAY * TIME_DAY +
           (int64_t)(id32(node_name(d->u.m)) % (uint64_t)TIME_DAY);
}

static void store(struct decide *d, bool gone)
{
    struct node *m = d->u.m;
    if (gone && m->n == 0)
        return;
    node_dirty(d, m);
    node_state(d, m, gone ? STR("") : buf_str(&d->blob));
    node_due(d, m, gone ? TIME_NEVER : life_due(&d->life));
}

int unit_close(struct decide *d, struct err *err)
{
    queue_run(d);
    life_prune_runs(&d->life, d->ix, d->u.now);
    d->stats.expr_errors += tagset_errors(d->tags);
    if (life_bare(&d->life) && tagset_is_new(d->tags, d->u.now)) {
        fan_links(d, false); /* nothing is left in a collection */
        store(d, true);
        return 0;
    }
    d->life.tag_due = tag_due(d);
    d->life.idle_due = idle_due(d);
    encode(d);
    while (d->blob.n > DECIDE_MAX_STATE && shrink(d)) {
        life_prune_runs(&d->life, d->ix, d->u.now);
        encode(d);
    }
    if (d->blob.n > DECIDE_MAX_STATE || d->blob.over)
        return err_set(err, ERR_FATAL, "a member's state has %zu bytes, at most %d", d->blob.n,
                       DECIDE_MAX_STATE);
    fan_links(d, false);
    store(d, false);
    return 0;
}

int unit_erase(struct decide *d, struct node *m, int64_t now, struct err *err)
{
    (void)err; /* what does not decode is erased too */
    struct val v;
    arena_reset(d->a);
    d->u = (struct unit){.m = m, .now = now, .seen = now};
    d->ctx.now_ms = now;
    if (m->n == 0)
        return 0;
    bool ok = decode(d, m, now, NULL) == 0;
    if (!m->dirty && !m->in_tree) /* as committed: he may be back before the next commit */
        m->due = m->old_due = ok ? life_due(&d->life) : TIME_NEVER;
    if (ok)
        for (uint32_t i = 0; i < d->prog->n_tags; i++)
            if (d->prog->tags[i].public_ && tagset_get(d->tags, i, now, &v) == 1)
                write_public(d, i, NULL);
    if (ok)
        fan_links(d, true);
    store(d, true);
    return 0;
}
