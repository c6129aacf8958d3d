/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members that the fold has been given.  A node is a member whose state is here (loaded, on the
 * LRU list), or one of whom only the timer is known (in the tree), or one that has been asked for.
 * Dirty ones differ from what is committed and stay; clean ones leave, least recently used first,
 * when the cache is too big.  That changes only what must be asked for, never what comes out.
 */
#include "fold_priv.h"

#include <stdlib.h>

#define BUCKETS_FIRST 1024

void *grown(void *items, uint32_t *cap, uint32_t n, size_t size)
{
    if (n <= *cap)
        return items;
    uint32_t more = *cap ? *cap : 16;
    while (more < n)
        more *= 2;
    *cap = more;
    return xrealloc(items, more * size);
}

static size_t node_bytes(const struct node *m)
{
    return sizeof *m + m->name_n + m->cap;
}

/* ---- the table ---------------------------------------------------------------------------------------- */

static struct node **place(const struct decide *d, uint64_t hash)
{
    return &d->table[hash & (d->n_buckets - 1)];
}

static void rehash(struct decide *d)
{
    struct node **old = d->table;
    uint32_t n = d->n_buckets;
    d->n_buckets = n ? n * 2 : BUCKETS_FIRST;
    d->table = xcalloc(d->n_buckets, sizeof(struct node *));
    for (uint32_t i = 0; i < n; i++) {
        for (struct node *m = old[i], *next; m; m = next) {
            next = m->hnext;
            struct node **to = place(d, m->hash);
            m->hnext = *to;
            *to = m;
        }
    }
    free(old);
}

static struct node *find(const struct decide *d, struct str member, uint64_t hash)
{
    if (d->n_buckets == 0)
        return NULL;
    for (struct node *m = *place(d, hash); m; m = m->hnext)
        if (m->hash == hash && str_eq(node_name(m), member))
            return m;
    return NULL;
}

struct node *node_find(const struct decide *d, struct str member)
{
    return find(d, member, hash_bytes(member));
}

struct node *node_get(struct decide *d, struct str member)
{
    uint64_t hash = hash_bytes(member);
    struct node *m = find(d, member, hash);
    if (m)
        return m;
    if (d->n_nodes >= d->n_buckets)
        rehash(d);
    m = xcalloc(1, sizeof *m + member.n);
    m->hash = hash;
    m->due = m->old_due = TIME_NEVER;
    m->stagger = -1;
    m->name_n = (uint16_t)member.n;
    memcpy(m->name, member.p, member.n);
    struct node **to = place(d, hash);
    m->hnext = *to;
    *to = m;
    d->n_nodes++;
    return m;
}

/* Memory is far away: what the next entries will touch is asked for ahead of time, one hop each. */
void members_prefetch(const struct decide *d, const struct record *r, uint32_t entry)
{
    const struct node *m;
    if (d->n_buckets == 0)
        return;
    if (entry + 6 < r->n_entries && r->entries[entry + 6].n_events)
        __builtin_prefetch(place(d, hash_bytes(r->entries[entry + 6].events[0].member)));
    if (entry + 4 < r->n_entries && r->entries[entry + 4].n_events &&
        (m = *place(d, hash_bytes(r->entries[entry + 4].events[0].member))) != NULL) {
        __builtin_prefetch(m);
        __builtin_prefetch((const char *)m + 64);
    }
    if (entry + 2 < r->n_entries && r->entries[entry + 2].n_events &&
        (m = node_find(d, r->entries[entry + 2].events[0].member)) != NULL && m->state)
        for (uint32_t at = 0; at < m->n && at < 512; at += 64)
            __builtin_prefetch(m->state + at);
}

/* ---- loaded ones -------------------------------------------------------------------------------------- */

static void lru_out(struct decide *d, struct node *m)
{
    *(m->prev ? &m->prev->next : &d->lru_first) = m->next;
    *(m->next ? &m->next->prev : &d->lru_last) = m->prev;
    m->prev = m->next = NULL;
}

static void lru_in(struct decide *d, struct node *m)
{
    m->prev = d->lru_last;
    m->next = NULL;
    *(d->lru_last ? &d->lru_last->next : &d->lru_first) = m;
    d->lru_last = m;
}

/* A member used since the list was last walked gets a second chance: moving him at each event would
 * cost the cache lines of his neighbours. */
static struct node *lru_victim(struct decide *d)
{
    struct node *m = d->lru_first;
    while (m->used) {
        m->used = false;
        lru_out(d, m);
        lru_in(d, m);
        m = d->lru_first;
    }
    return m;
}

void node_state(struct decide *d, struct node *m, struct str state)
{
    if (m->loaded) {
        d->cache_bytes -= node_bytes(m);
    } else {
        m->loaded = true;
        m->asked = false;
        lru_in(d, m);
        d->stats.members++;
    }
    if (state.n > m->cap) {
        m->cap = (uint32_t)((state.n + state.n / 4 + 31) & ~(size_t)31);
        free(m->state);
        m->state = xmalloc(m->cap);
    }
    if (state.n)
        memcpy(m->state, state.p, state.n);
    if (m->dirty)
        d->dirty_bytes += state.n - m->n;
    m->n = (uint32_t)state.n;
    d->cache_bytes += node_bytes(m);
}

void node_dirty(struct decide *d, struct node *m)
{
    if (m->dirty)
        return;
    d->dirty = grown(d->dirty, &d->cap_dirty, d->n_dirty + 1, sizeof(struct node *));
    d->dirty[d->n_dirty++] = m;
    d->dirty_bytes += m->n;
    m->dirty = true;
    m->old_due = m->due;
}

void node_due(struct decide *d, struct node *m, int64_t due)
{
    bool in = m->n > 0 && window_holds(d, due, node_name(m));
    if (m->in_tree && (!in || due != m->due))
        tree_del(&d->tree, m);
    m->due = due;
    if (in && !m->in_tree)
        tree_add(&d->tree, m);
}

/* ---- leaving ------------------------------------------------------------------------------------------- */

static void node_free(struct decide *d, struct node *m)
{
    struct node **at = place(d, m->hash);
    while (*at != m)
        at = &(*at)->hnext;
    *at = m->hnext;
    d->n_nodes--;
    free(m->state);
    free(m);
}

/* Its state goes; what the index says of it stays while the window holds it. */
static void unload(struct decide *d, struct node *m)
{
    lru_out(d, m);
    d->cache_bytes -= node_bytes(m);
    d->stats.members--;
    if (!m->in_tree) {
        node_free(d, m);
        return;
    }
    free(m->state);
    m->state = NULL;
    m->n = m->cap = 0;
    m->loaded = false;
}

void members_committed(struct decide *d)
{
    for (uint32_t i = 0; i < d->n_dirty; i++) {
        struct node *m = d->dirty[i];
        m->dirty = false;
        m->stored = m->n > 0;
        m->old_due = m->due;
        if (m->n == 0)
            unload(d, m);
    }
    d->n_dirty = 0;
    d->dirty_bytes = 0;
    sweep_forget(d);
    if (d->conf.complete || d->conf.cache_bytes == 0)
        return;
    while (d->lru_first && d->cache_bytes > d->conf.cache_bytes) {
        unload(d, lru_victim(d));
        d->stats.evicted++;
    }
    window_shrink(d);
}

/* Timers that are far away are forgotten when too many are known. */
void window_shrink(struct decide *d)
{
    const uint32_t most = 64 * (d->max_members < DECIDE_MAX_MEMBERS ? 1 : WINDOW_N);
    if (d->conf.complete || d->tree.n <= most)
        return;
    while (d->tree.n > most / 2) {
        struct node *m = tree_max(&d->tree);
        tree_del(&d->tree, m);
        if (!m->loaded && !m->asked)
            node_free(d, m);
    }
    struct node *last = tree_max(&d->tree);
    d->bound_due = last->due;
    d->bound_all = false;
    buf_reset(&d->bound_member);
    buf_addstr(&d->bound_member, node_name(last));
}

void members_clear(struct decide *d)
{
    for (uint32_t i = 0; i < d->n_buckets; i++) {
        for (struct node *m = d->table[i], *next; m; m = next) {
            next = m->hnext;
            free(m->state);
            free(m);
        }
        d->table[i] = NULL;
    }
    d->n_nodes = 0;
    d->lru_first = d->lru_last = NULL;
    d->cache_bytes = 0;
    d->stats.members = 0;
    d->n_dirty = 0;
    d->dirty_bytes = 0;
    d->tree = (struct tree){0};
}

void members_free(struct decide *d)
{
    members_clear(d);
    free(d->table);
    free(d->dirty);
}
