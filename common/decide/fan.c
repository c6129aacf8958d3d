/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fan-out: an event without a member goes to everybody whose collection holds its key, in the order of
 * member bytes, in bites.  Who that might be an index says; it may name too many (a definition has
 * changed), never too few, so the member's own state has the last word.
 *
 * What a unit changes in a collection (links) is committed together with the state.  The walk begins only
 * when all of that is committed, and nothing on its way changes a collection: no timer fires inside an
 * entry, and the event moves no tag.  So the index stands still under the walk, and the place in it (the
 * last member done) is all that the cursor has to say.
 *
 * In complete mode the index is here: made of the same links, so it holds what the store's would.
 */
#include "fold_priv.h"

#include <stdlib.h>

/* ---- complete mode ------------------------------------------------------------------------------------- */

struct fan_set { /* members in order of bytes */
    struct str *v;
    uint32_t n, cap;
};

static struct str fan_name(struct decide *d, struct str tag, struct str key)
{
    buf_reset(&d->fan_key);
    buf_addstr(&d->fan_key, tag);
    buf_addc(&d->fan_key, '\0');
    buf_addstr(&d->fan_key, key);
    return buf_str(&d->fan_key);
}

/* Place of the least member above, or of an equal one with *found. */
static uint32_t fan_place(const struct fan_set *s, struct str member, bool *found)
{
    uint32_t lo = 0, hi = s->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (str_cmp(s->v[mid], member) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = lo < s->n && str_eq(s->v[lo], member);
    return lo;
}

static void index_link(struct decide *d, const struct decide_link *l)
{
    bool found;
    struct str name = fan_name(d, l->tag, l->key);
    struct fan_set *s = map_get(d->index, name);
    if (!s) {
        s = xcalloc(1, sizeof *s);
        map_put(d->index, name, s);
    }
    uint32_t i = fan_place(s, l->member, &found);
    if (found == !l->remove)
        return;
    if (l->remove) {
        memmove(s->v + i, s->v + i + 1, (--s->n - i) * sizeof *s->v);
        return;
    }
    s->v = grown(s->v, &s->cap, s->n + 1, sizeof *s->v);
    memmove(s->v + i + 1, s->v + i, (s->n++ - i) * sizeof *s->v);
    s->v[i] = arena_str(d->all, l->member);
}

void fan_clear(struct decide *d)
{
    size_t it = 0;
    void *v;
    while (map_next(d->index, &it, NULL, &v)) {
        free(((struct fan_set *)v)->v);
        free(v);
    }
    map_clear(d->index);
    fan_end(d);
}

/* ---- links ---------------------------------------------------------------------------------------------- */

static void link_add(struct decide *d, const struct tag_link *l, bool remove)
{
    struct decide_link link = {.tag = d->prog->tags[l->tag].name, .remove = remove};
    if (d->conf.complete) {
        link.key = l->key;
        link.member = node_name(d->u.m);
        index_link(d, &link);
        return;
    }
    link.tag = arena_str(d->out, link.tag);
    link.key = arena_str(d->out, l->key);
    link.member = arena_str(d->out, node_name(d->u.m));
    d->link = grown(d->link, &d->cap_link, d->n_link + 1, sizeof *d->link);
    d->link[d->n_link++] = link;
}

void fan_links(struct decide *d, bool gone)
{
    const struct tag_link *l;
    uint32_t n;
    if (gone)
        tagset_link_all(d->tags);
    n = tagset_links(d->tags, &l);
    for (uint32_t i = 0; i < n; i++)
        link_add(d, &l[i], gone || !l[i].on);
}

/* ---- the walk --------------------------------------------------------------------------------------------- */

void fan_end(struct decide *d)
{
    buf_reset(&d->fan_after);
    d->n_fan = d->fan_at = 0;
    d->fan_have = d->fan_more = d->ask_fan = false;
    arena_reset(d->fan_arena);
}

static void fan_take(struct decide *d, const struct str *members, uint32_t n)
{
    arena_reset(d->fan_arena);
    d->fan = grown(d->fan, &d->cap_fan, n, sizeof *d->fan);
    for (uint32_t i = 0; i < n; i++)
        d->fan[i] = arena_str(d->fan_arena, members[i]);
    d->n_fan = n;
    d->fan_at = 0;
    d->fan_have = true;
    d->fan_more = n >= d->max_members;
}

void decide_put_index(struct decide *d, const struct str *members, uint32_t n)
{
    d->ask_fan = false;
    fan_take(d, members, n);
}

/* The next bite of the index into d->fan. */
static enum decide_rc fan_fetch(struct decide *d, struct str tag, struct str key)
{
    if (!d->conf.complete) {
        if (d->n_link)
            return DECIDE_FULL; /* the store's index does not know of these yet */
        d->ask_fan = true;
        (void)fan_name(d, tag, key);
        d->fan_tag = (struct str){d->fan_key.p, tag.n};
        d->fan_ask_key = (struct str){d->fan_key.p + tag.n + 1, key.n};
        return DECIDE_NEED;
    }
    const struct fan_set *s = map_get(d->index, fan_name(d, tag, key));
    bool found = false;
    uint32_t from = s ? fan_place(s, buf_str(&d->fan_after), &found) + found : 0;
    uint32_t left = s ? s->n - from : 0;
    fan_take(d, left ? s->v + from : NULL, left < d->max_members ? left : d->max_members);
    return DECIDE_DONE;
}

static void want_fan(struct decide *d)
{
    for (uint32_t i = d->fan_at; i < d->n_fan; i++)
        want_member(d, node_get(d, d->fan[i]));
}

/* One member of d->fan. */
static enum decide_rc fan_one(struct decide *d, const struct event *ev, uint32_t tag,
                              struct str key, struct err *err)
{
    struct event own = *ev;
    struct node *m = node_get(d, d->fan[d->fan_at]);
    if (!m->loaded)
        want_fan(d);
    enum decide_rc rc = fold_ready(d, m);
    if (rc != DECIDE_DONE)
        return rc;
    own.member = node_name(m);
    if (m->n > 0 && apply_fan(d, m, &own, tag, key, err) != 0)
        return DECIDE_PARK;
    buf_reset(&d->fan_after);
    buf_addstr(&d->fan_after, own.member);
    d->fan_at++;
    return DECIDE_DONE;
}

enum decide_rc fan_event(struct decide *d, const struct event *ev, struct err *err)
{
    uint32_t tag = program_tag(d->prog, ev->def->fan_tag);
    const struct val *v = &ev->f[ev->def->fan_field];
    if (tag == RULE_NONE || v->t != V_STRING || v->n == 0) {
        d->stats.dropped++;
        return DECIDE_DONE;
    }
    for (;;) {
        enum decide_rc rc = DECIDE_DONE;
        if (d->fan_have && d->fan_at == d->n_fan && !d->fan_more)
            break;
        if (!d->fan_have || d->fan_at == d->n_fan)
            rc = fan_fetch(d, ev->def->fan_tag, val_get_str(*v));
        else
            rc = fan_one(d, ev, tag, val_get_str(*v), err);
        if (rc != DECIDE_DONE)
            return rc;
        if (d->fan_after.n)
            d->inside = d->moved = true;
    }
    fan_end(d);
    return DECIDE_DONE;
}
