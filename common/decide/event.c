/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of one event (rules.md §6): duplicates, tags, live runs, starts, silence and tag changes;
 * wanted messages go to policy when the unit closes.
 */
#include "fold_priv.h"

uint64_t event_key(const struct decide *d, const struct event *ev)
{
    uint64_t h = d->ix->event_seed[ev->def->index];
    h = fold_hash(fold_hash(h, ev->id), (struct str){"", 1});
    return fold_mix(fold_hash(h, ev->role));
}

/* 1: has it been seen?  If not it is now. */
static bool duplicate(struct decide *d, uint64_t key)
{
    struct life *l = &d->life;
    key &= UINT64_C(0xffffffffffff);
    for (uint32_t i = 0; i < l->n_ring; i++)
        if (SEEN_HASH(l->ring[i]) == key)
            return true;
    if (l->n_ring == LIFE_RING) {
        memmove(l->ring, l->ring + 1, (LIFE_RING - 1) * sizeof *l->ring);
        l->n_ring--;
    }
    l->ring[l->n_ring++] = key << 16 | (uint16_t)(d->u.now / TIME_MIN);
    return false;
}

int64_t *life_last(struct decide *d, uint32_t event, bool make)
{
    struct life *l = &d->life;
    uint32_t id = d->ix->event_id[event];
    for (uint32_t i = 0; i < l->last.n; i++)
        if (l->last.v[i].event == id)
            return &l->last.v[i].at;
    if (!make)
        return NULL;
    *VEC_ADD(d->a, l->last) = (struct last_at){id, INT64_MIN};
    return &l->last.v[l->last.n - 1].at;
}

/* True when the event is the latest of its kind. */
static bool move_last(struct decide *d, const struct event *ev)
{
    if (!d->ix->counts_last[ev->def->index] || ev->at_ms + LIFE_LAST_MS <= d->u.now)
        return false;
    int64_t *at = life_last(d, ev->def->index, true);
    if (ev->at_ms <= *at)
        return false;
    *at = ev->at_ms;
    return true;
}

static void keep(struct decide *d, const struct moment *m)
{
    struct life *l = &d->life;
    if (!d->prog->kept_event[m->def->index] || life_plus(m->at, d->ix->late_ms) <= d->u.now)
        return;
    if (l->kept.n == LIFE_KEPT)
        VEC_DEL(l->kept, 0);
    *VEC_ADD(d->a, l->kept) = *m;
}

/* A grant is a write of a tag that a consent reads, newer than the opt-out. */
static void grants(struct decide *d, const struct event *ev)
{
    if (d->life.optouts.n == 0)
        return;
    for (uint32_t i = 0; i < d->prog->n_tags; i++) {
        const struct tag_def *t = &d->prog->tags[i];
        int f = -1;
        if (t->kind != TAG_STORED)
            continue;
        if (ev->def->profile)
            f = type_field(ev->def->fields, t->name);
        else if (t->from_event == ev->def->index && t->from_field != RULE_NONE)
            f = (int)t->from_field;
        if (f >= 0 && ev->f[f].t != V_ABSENT && ev->f[f].t != V_NULL)
            consent_granted(d, i, ev->at_ms);
    }
}

static void start_rules(struct decide *d, const struct event *ev, const struct moment *m,
                        uint64_t key)
{
    const struct index_list *l = &d->prog->starts_by_event[ev->def->index];
    bool late = false;
    for (uint32_t i = 0; i < l->n; i++) {
        const struct rule_def *r = &d->prog->rules[l->v[i]];
        const struct start s = {.event = m, .at = ev->at_ms, .ident = key};
        if (d->u.now - ev->at_ms > r->late_ms)
            late = true;
        else
            run_start(d, r, &s);
    }
    d->stats.late += late;
}

bool event_steps(struct decide *d, const struct event *ev)
{
    const struct tag_change *c = NULL;
    uint64_t key = event_key(d, ev);
    if (duplicate(d, key)) {
        d->stats.duplicates++;
        return false;
    }
    const struct moment m = {
        .def = ev->def, .event = d->ix->event_id[ev->def->index], .at = ev->at_ms, .f = ev->f};
    d->u.ev = ev;
    d->ctx.event = ev->f;
    d->ctx.next = NULL;
    tagset_event(d->tags, ev, &d->ctx, d->u.now);
    uint32_t n = unit_changes(d, &c);
    bool latest = move_last(d, ev);
    grants(d, ev);
    if (d->life.runs.n)
        runs_offer(d, &m);
    start_rules(d, ev, &m, key);
    if (latest)
        timed_event(d, ev->def->index);
    timed_moved(d);
    tags_changed(d, c, n);
    keep(d, &m);
    d->u.hold_check = true;
    return true;
}

int apply_fan(struct decide *d, struct node *m, const struct event *ev, uint32_t tag,
              struct str key, struct err *err)
{
    if (unit_open(d, m, d->meta.now_ms, d->meta.now_ms, err) != 0)
        return -1;
    bool news = tagset_holds(d->tags, tag, key) && event_steps(d, ev);
    d->stats.events += news;
    if (!news && !d->u.updated)
        return 0;
    return unit_close(d, err);
}

int apply_event(struct decide *d, struct node *m, const struct event *ev, struct err *err)
{
    if (unit_open(d, m, d->meta.now_ms, d->meta.now_ms, err) != 0)
        return -1;
    bool news = event_steps(d, ev);
    d->stats.events += news;
    if (!news && !d->u.updated)
        return 0; /* nothing was touched */
    return unit_close(d, err);
}
