/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changed, and when time alone will change something.  A settle evaluates a watched tag only when
 * something it rests on has moved since the last one: an event or a write marked it, or a bucket has
 * left a window (the oldest cell is looked at without decoding the rest), or a ttl or a `keep` has run
 * out, or it reads `now`.
 *
 * Levels.  The level held is the best one computed within the last `keep`: a rise is immediate, and a
 * fall to L comes once the level computed has been L or worse for `keep`.  What is remembered of the
 * past are the falls to come, worst last:
 *
 *     held gold │ silver or worse since t0 │ basic since t1        falls to silver at t0 + keep,
 *                                                                  to basic at t1 + keep
 */
#include "tags_priv.h"

#include <stdlib.h>

static const struct tag_def *def_of(const struct tagset *t, uint32_t slot)
{
    return t->plan->slot_def[slot];
}

static int64_t add_ms(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? TIME_NEVER : sum;
}

static struct tag_change *change_add(struct tagset *t, uint32_t tag)
{
    if (t->n_changes == t->cap_changes) {
        t->cap_changes = t->cap_changes ? 2 * t->cap_changes : 8;
        t->changes = xrealloc(t->changes, t->cap_changes * sizeof *t->changes);
    }
    struct tag_change *c = &t->changes[t->n_changes++];
    memset(c, 0, sizeof *c);
    c->tag = tag;
    return c;
}

static struct val kept(struct tagset *t, bool has, struct val v)
{
    return has ? val_dup(t->chg[t->chg_at], v) : (struct val){.t = V_ABSENT};
}

/* ---- stored ---- */

/* A value whose ttl has run out leaves here, so that its leaving is told. */
static void stored_expire(struct tagset *t, uint32_t slot, int64_t now_ms)
{
    struct slot *s = tags_open(t, slot);
    const struct tag_def *d = def_of(t, slot);
    if (!s->written || tags_stored_alive(s, d, now_ms))
        return;
    if (!s->touched) {
        s->touched = true;
        s->had = tags_stored_value(s, d, true, &s->before) == 1;
        s->before = kept(t, s->had, s->before);
    }
    tags_mutate(t, slot);
    s->written = s->has = false;
}

static void stored_changes(struct tagset *t, int64_t now_ms)
{
    for (uint32_t i = t->plan->n_layout; i < t->plan->n_slots; i++) {
        struct slot *s = &t->s[i];
        const struct tag_def *d = def_of(t, i);
        struct val v = {.t = V_ABSENT};
        if (d->ttl_ms && (s->raw || s->open))
            stored_expire(t, i, now_ms);
        if (!s->touched)
            continue;
        s->touched = false;
        bool has = tags_stored_value(s, d, true, &v) == 1;
        if (has == s->had && (!has || val_eq(&v, &s->before)))
            continue;
        struct tag_change *c = change_add(t, d->index);
        c->had = s->had;
        c->has = has;
        c->before = s->before;
        c->after = kept(t, has, v);
    }
}

/* ---- what time has moved ---- */

static int64_t oldest_bucket(struct tagset *t, uint32_t slot)
{
    const struct tag_def *d = def_of(t, slot);
    int64_t b = INT64_MAX, x;
    if (!d->by && !t->s[slot].open)
        return tags_peek_oldest(d, t->s[slot].raw, t->s[slot].raw_n);
    const struct slot *s = tags_open(t, slot);
    if (!d->by)
        return s->c.n ? s->c.v[0].b : b;
    for (uint32_t i = 0; i < s->n_keys; i++) {
        const struct bykey *k = &s->keys[i];
        x = !k->open ? tags_peek_oldest(d, k->raw, k->raw_n) : k->c.n ? k->c.v[0].b : b;
        b = x < b ? x : b;
    }
    return b;
}

static int64_t newest_bucket(struct tagset *t, uint32_t slot)
{
    const struct tag_def *d = def_of(t, slot);
    struct slot *s = tags_open(t, slot);
    int64_t b = INT64_MIN;
    if (!d->by)
        return s->c.n ? s->c.v[s->c.n - 1].b : b;
    for (uint32_t i = 0; i < s->n_keys; i++) {
        const struct cells *c = tags_key_open(t, s, d, &s->keys[i]);
        if (c->n && c->v[c->n - 1].b > b)
            b = c->v[c->n - 1].b;
    }
    return b;
}

static void windows_moved(struct tagset *t, int64_t now_ms)
{
    for (uint32_t i = 0; i < t->plan->timed.n; i++) {
        uint32_t tag = t->plan->timed.v[i], slot = t->plan->tag_slot[tag];
        int64_t lower = tags_win_lower(t, &t->p->tags[tag].window, now_ms);
        if (t->s[slot].later || (!slot_nothing(t, slot) && oldest_bucket(t, slot) < lower))
            (void)tags_prune(t, slot, now_ms);
    }
}

/* ---- derived tags ---- */

/* It rests on something whose history is not there yet but will be: it is evaluated when it is. */
static bool must_wait(struct tagset *t, const struct order *o, int64_t now_ms)
{
    for (uint32_t i = 0; i < o->n_deps; i++) {
        uint32_t slot = t->plan->tag_slot[o->deps[i]];
        const struct tag_def *d = &t->p->tags[o->deps[i]];
        if (slot == RULE_NONE || !t->s[slot].later)
            continue;
        if (d->kind == TAG_LEVELS || (d->window.kind != WIN_EVER && tags_later(t, slot, now_ms)))
            return true;
    }
    return false;
}

/* Of a map or a list: what tells one value from another. */
static int64_t print_of(struct tagset *t, const struct val *map)
{
    uint32_t n = map->t == V_MAP ? 2 * map->n : map->n;
    struct buf *b = &t->body;
    buf_reset(b);
    for (uint32_t i = 0; i < n; i++) {
        buf_addf(b, "%d:%u:", map->list[i].t, map->list[i].n);
        val_text(&map->list[i], b);
    }
    return (int64_t)fold_hash(FOLD_SEED, buf_str(b));
}

static void settle_told(struct tagset *t, const struct order *o, int64_t now_ms)
{
    const struct tag_def *d = &t->p->tags[o->tag];
    struct val v = {.t = V_ABSENT}, told;
    struct slot *s = tags_open(t, o->slot);
    bool first = s->later;
    if (d->kind != TAG_VALUE && t->s[t->plan->tag_slot[o->tag]].later)
        return; /* absent until its window has passed */
    s->later = false;
    bool has = tagset_get(t, o->tag, now_ms, &v) == 1;
    told = has && tags_told_hashed(d) ? val_int(print_of(t, &v)) : v;
    has = has && tags_val_coerce(tags_told_type(d), &told);
    if (has == s->has && (!has || val_eq(&told, &s->v)))
        return;
    struct tag_change *c = change_add(t, o->tag);
    c->first = first;
    c->had = s->has && !first;
    c->has = has;
    c->before = kept(t, c->had, tags_told_hashed(d) ? (struct val){.t = V_NULL} : s->v);
    c->after = kept(t, has, v);
    s->has = has;
    s->v = has ? val_dup(t->strs, told) : told;
    s->dirty = true;
}

static uint32_t level_computed(struct tagset *t, const struct tag_def *d, int64_t now_ms)
{
    struct val v;
    uint32_t c = 0;
    for (uint32_t i = 0; i < d->n_reads; i++) /* evaluations do not nest */
        if (d->reads[i] < t->p->n_tags && t->p->tags[d->reads[i]].kind == TAG_VALUE)
            (void)tagset_get(t, d->reads[i], now_ms, &v);
    t->evaluating = true;
    while (c + 1 < d->n_levels && !expr_true(d->levels[c].when, tags_inner(t, now_ms)))
        c++;
    t->evaluating = false;
    return c;
}

/* Level c was computed at now_ms; true when anything in s changed. */
static bool level_step(struct slot *s, const struct tag_def *d, uint32_t c, int64_t now_ms)
{
    uint32_t held = s->held, n = s->n_pend, fell = 0;
    int64_t since = now_ms;
    bool pushed = false;
    while (s->n_pend && s->pend[s->n_pend - 1].level > c)
        since = s->pend[--s->n_pend].since; /* so long it has been c or worse */
    if (c < s->held) {
        s->held = c;
    } else if (c > s->held && d->keep_ms != TIME_NEVER &&
               (s->n_pend == 0 || s->pend[s->n_pend - 1].level < c)) {
        s->pend[s->n_pend++] = (struct pend){c, since};
        pushed = true;
    }
    while (fell < s->n_pend && add_ms(s->pend[fell].since, d->keep_ms) <= now_ms)
        s->held = s->pend[fell++].level;
    memmove(s->pend, s->pend + fell, (s->n_pend - fell) * sizeof *s->pend);
    s->n_pend -= fell;
    return s->held != held || s->n_pend != n || pushed;
}

static void settle_level(struct tagset *t, const struct order *o, int64_t now_ms)
{
    const struct tag_def *d = &t->p->tags[o->tag];
    struct slot *s = tags_open(t, o->slot);
    uint32_t was = s->held, c = level_computed(t, d, now_ms);
    bool first = s->later;
    if (first) {
        s->later = false;
        s->held = c;
        s->dirty = true;
        tags_mutate(t, o->slot);
    } else if (level_step(s, d, c, now_ms)) {
        s->dirty = true;
    }
    if (s->held == was)
        return;
    tags_mutate(t, o->slot);
    struct tag_change *x = change_add(t, o->tag);
    x->first = first;
    x->had = !first;
    x->has = true;
    if (x->had)
        x->before = val_str(d->levels[was].name);
    x->after = val_str(d->levels[s->held].name);
}

static bool fall_due(struct tagset *t, const struct order *o, int64_t now_ms)
{
    if (t->plan->slot_kind[o->slot] != SLOT_LEVEL || (!t->s[o->slot].open && !t->s[o->slot].raw))
        return false;
    const struct slot *s = tags_open(t, o->slot);
    return s->n_pend && add_ms(s->pend[0].since, t->p->tags[o->tag].keep_ms) <= now_ms;
}

uint32_t tagset_settle(struct tagset *t, int64_t now_ms, const struct tag_change **out)
{
    tags_advance(t, now_ms);
    t->n_changes = 0;
    stored_changes(t, now_ms);
    windows_moved(t, now_ms);
    for (uint32_t i = 0; i < t->plan->n_order; i++) {
        const struct order *o = &t->plan->order[i];
        bool later = t->s[o->slot].later;
        if (!t->all && !t->need[i] && !o->uses_now && !later && !fall_due(t, o, now_ms))
            continue;
        t->need[i] = false;
        if (later && must_wait(t, o, now_ms))
            continue;
        if (t->plan->slot_kind[o->slot] == SLOT_LEVEL)
            settle_level(t, o, now_ms);
        else
            settle_told(t, o, now_ms);
    }
    t->all = t->unsettled = false;
    t->chg_at ^= 1;
    arena_reset(t->chg[t->chg_at]);
    *out = t->changes;
    return t->n_changes;
}

/* ---- when ---- */

static void sooner(int64_t *at, int64_t e)
{
    if (e < *at)
        *at = e;
}

static bool order_holds(struct tagset *t, const struct order *o)
{
    for (uint32_t i = 0; i < o->n_deps; i++) {
        uint32_t slot = t->plan->tag_slot[o->deps[i]];
        if (slot != RULE_NONE && !slot_nothing(t, slot))
            return true;
    }
    return false;
}

static int64_t order_next(struct tagset *t, const struct order *o, int64_t now_ms)
{
    int64_t at = TIME_NEVER;
    if (o->uses_now && order_holds(t, o))
        at = tags_win_today(t, now_ms)->to;
    if (t->plan->slot_kind[o->slot] == SLOT_LEVEL && !slot_nothing(t, o->slot)) {
        const struct slot *s = tags_open(t, o->slot);
        if (s->n_pend)
            sooner(&at, add_ms(s->pend[0].since, t->p->tags[o->tag].keep_ms));
    }
    return at;
}

/* A bucket leaves: kept as a day as long as possible, for one conversion in the end. */
static void leaves(struct tagset *t, const struct window *w, int64_t b, int64_t *at, int64_t *day)
{
    if (b == INT64_MAX)
        return;
    if (w->kind == WIN_LENGTH)
        sooner(at, tags_win_gone(t, w, b));
    else
        sooner(day, tags_win_gone_day(w, b));
}

int64_t tagset_next(struct tagset *t, int64_t now_ms)
{
    int64_t at = tagset_idle(t, now_ms), day = INT64_MAX;
    for (uint32_t i = t->plan->n_layout; i < t->plan->n_slots; i++) {
        if (!t->plan->slot_def[i]->ttl_ms || slot_nothing(t, i))
            continue;
        const struct slot *s = tags_open(t, i);
        if (s->has)
            sooner(&at, tags_stored_end(s, t->plan->slot_def[i]));
    }
    for (uint32_t i = 0; i < t->plan->timed.n; i++) {
        uint32_t tag = t->plan->timed.v[i], slot = t->plan->tag_slot[tag];
        const struct window *w = &t->p->tags[tag].window;
        if (t->s[slot].later)
            leaves(t, w, t->s[slot].since, &at, &day);
        if (!slot_nothing(t, slot))
            leaves(t, w, oldest_bucket(t, slot), &at, &day);
    }
    if (day != INT64_MAX)
        sooner(&at, time_day_start(t->tz, day));
    for (uint32_t i = 0; i < t->plan->n_order; i++)
        sooner(&at, order_next(t, &t->plan->order[i], now_ms));
    return at > now_ms ? at : now_ms + 1;
}

/* ---- idle ---- */

/* Without decoding anything: does something stay whatever time it gets? */
static bool stays(const struct tagset *t, uint32_t i)
{
    const struct slot *s = &t->s[i];
    const struct tag_def *d = def_of(t, i);
    switch (t->plan->slot_kind[i]) {
    case SLOT_CELLS:
        return d->window.kind == WIN_EVER && (s->later || !slot_nothing(t, i));
    case SLOT_STORED:
        return !d->ttl_ms && !slot_nothing(t, i);
    case SLOT_LEVEL:
        return d->keep_ms == TIME_NEVER && !slot_nothing(t, i);
    case SLOT_TOLD:
        break;
    }
    return false;
}

/* When the last of a slot is out of sight; INT64_MIN: nothing to wait for. */
static int64_t gone(struct tagset *t, uint32_t i)
{
    const struct tag_def *d = def_of(t, i);
    int64_t at = INT64_MIN, e;
    if (t->plan->slot_kind[i] == SLOT_CELLS && t->s[i].later)
        at = tags_win_gone(t, &d->window, t->s[i].since);
    if (slot_nothing(t, i))
        return at;
    const struct slot *s = tags_open(t, i);
    switch (t->plan->slot_kind[i]) {
    case SLOT_CELLS:
        e = newest_bucket(t, i);
        e = e == INT64_MIN ? e : tags_win_gone(t, &d->window, e);
        return e > at ? e : at;
    case SLOT_STORED:
        return s->written ? tags_stored_end(s, d) : at;
    case SLOT_LEVEL:
        return s->n_pend ? add_ms(s->pend[s->n_pend - 1].since, d->keep_ms) : at;
    case SLOT_TOLD:
        break;
    }
    return at;
}

int64_t tagset_idle(struct tagset *t, int64_t now_ms)
{
    int64_t at = INT64_MIN;
    for (uint32_t i = 0; i < t->plan->n_slots; i++)
        if (stays(t, i))
            return TIME_NEVER;
    for (uint32_t i = 0; i < t->plan->n_slots; i++) {
        int64_t e = gone(t, i);
        if (e > at)
            at = e;
    }
    if (at > now_ms)
        return at;
    return tagset_is_new(t, now_ms) ? now_ms : TIME_NEVER;
}

bool tagset_is_new(struct tagset *t, int64_t now_ms)
{
    for (uint32_t i = 0; i < t->plan->n_slots; i++) {
        const struct tag_def *d = def_of(t, i);
        enum slot_kind k = t->plan->slot_kind[i];
        if (t->s[i].later && (k != SLOT_CELLS || tags_later(t, i, now_ms)))
            return false;
        if (slot_nothing(t, i))
            continue;
        const struct slot *s = tags_open(t, i);
        if (s->bad)
            return false;
        if (k == SLOT_CELLS && newest_bucket(t, i) < tags_win_lower(t, &d->window, now_ms))
            continue;
        if (k == SLOT_STORED && !tags_stored_alive(s, d, now_ms))
            continue;
        if (!slot_nothing(t, i))
            return false;
    }
    return true;
}
