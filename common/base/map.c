/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map: from bytes to a pointer.  Entries stand in an array in order of insertion and a table of
 * indexes points into it, so iteration has nothing to do with hash order; a removed entry leaves a
 * hole until the next rebuild.
 */
#include "base.h"

#include <stdlib.h>

struct item {
    struct str key; /* p NULL = a hole */
    void *val;
    uint64_t hash;
};
struct map {
    struct item *items;
    size_t n, cap; /* used, holes included */
    size_t live;
    uint32_t *table; /* 0 = free, 1 = removed, else index + 2 */
    size_t size;     /* a power of two */
    size_t taken;    /* slots not free */
    bool copy;
};

struct map *map_new(bool copy_keys)
{
    struct map *m = xcalloc(1, sizeof *m);
    m->copy = copy_keys;
    m->size = 16;
    m->table = xcalloc(m->size, sizeof *m->table);
    return m;
}

static void drop_key(const struct map *m, struct item *it)
{
    if (m->copy && it->key.p) {
        const void *p = it->key.p;
        void *q;
        memcpy(&q, &p, sizeof q); /* the copy is ours: const was only for readers */
        free(q);
    }
    it->key.p = NULL;
    it->val = NULL;
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->n; i++)
        drop_key(m, &m->items[i]);
    m->n = m->live = m->taken = 0;
    memset(m->table, 0, m->size * sizeof *m->table);
}

void map_free(struct map **m)
{
    if (!*m)
        return;
    map_clear(*m);
    free((*m)->items);
    free((*m)->table);
    free(*m);
    *m = NULL;
}

/* The slot of `key`, or m->size. */
static size_t find(const struct map *m, struct str key, uint64_t hash)
{
    for (size_t i = (size_t)hash & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
        uint32_t t = m->table[i];
        if (t == 0)
            return m->size;
        if (t >= 2 && m->items[t - 2].hash == hash && str_eq(m->items[t - 2].key, key))
            return i;
    }
}

static void place(struct map *m, size_t index)
{
    size_t i = (size_t)m->items[index].hash & (m->size - 1);
    while (m->table[i] >= 2)
        i = (i + 1) & (m->size - 1);
    m->taken += m->table[i] == 0;
    m->table[i] = (uint32_t)index + 2;
}

/* Close the holes and make the table fit. */
static void rebuild(struct map *m)
{
    size_t to = 0;
    for (size_t i = 0; i < m->n; i++)
        if (m->items[i].key.p)
            m->items[to++] = m->items[i];
    m->n = to;
    while (m->size < m->live * 4)
        m->size *= 2;
    m->table = xrealloc(m->table, m->size * sizeof *m->table);
    memset(m->table, 0, m->size * sizeof *m->table);
    m->taken = 0;
    for (size_t i = 0; i < m->n; i++)
        place(m, i);
}

void *map_get(const struct map *m, struct str key)
{
    size_t slot = find(m, key, hash_bytes(key));
    return slot == m->size ? NULL : m->items[m->table[slot] - 2].val;
}

void map_put(struct map *m, struct str key, void *val)
{
    uint64_t hash = hash_bytes(key);
    size_t slot = find(m, key, hash);
    if (slot != m->size) {
        m->items[m->table[slot] - 2].val = val;
        return;
    }
    if (m->n == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 16;
        m->items = xrealloc(m->items, m->cap * sizeof *m->items);
    }
    struct item *it = &m->items[m->n++];
    it->key = key;
    if (m->copy)
        it->key.p = xmemdup0(key.p, key.n);
    else if (!key.p)
        it->key.p = "";
    it->val = val;
    it->hash = hash;
    m->live++;
    if ((m->taken + 1) * 4 > m->size * 3)
        rebuild(m);
    else
        place(m, m->n - 1);
}

void *map_del(struct map *m, struct str key)
{
    size_t slot = find(m, key, hash_bytes(key));
    if (slot == m->size)
        return NULL;
    struct item *it = &m->items[m->table[slot] - 2];
    void *val = it->val;
    drop_key(m, it);
    m->table[slot] = 1;
    m->live--;
    return val;
}

size_t map_len(const struct map *m)
{
    return m->live;
}

int map_next(const struct map *m, size_t *it, struct str *key, void **val)
{
    while (*it < m->n) {
        const struct item *i = &m->items[(*it)++];
        if (!i->key.p)
            continue;
        if (key)
            *key = i->key;
        if (val)
            *val = i->val;
        return 1;
    }
    return 0;
}
