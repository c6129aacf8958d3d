/* SPDX-License-Identifier: Apache-2.0 */
/* heap: a binary min-heap of pointers whose items may know where they stand. */
#include "base.h"

#include <assert.h>
#include <stdlib.h>

struct heap {
    void **v;
    size_t n, cap;
    bool (*less)(const void *, const void *);
    void (*set_pos)(void *, size_t);
};

struct heap *heap_new(bool (*less)(const void *, const void *), void (*set_pos)(void *, size_t))
{
    struct heap *h = xcalloc(1, sizeof *h);
    h->less = less;
    h->set_pos = set_pos;
    return h;
}

void heap_free(struct heap **h)
{
    if (!*h)
        return;
    free((*h)->v);
    free(*h);
    *h = NULL;
}

static void put(struct heap *h, size_t i, void *item)
{
    h->v[i] = item;
    if (h->set_pos)
        h->set_pos(item, i);
}

static void up(struct heap *h, size_t i)
{
    void *item = h->v[i];
    while (i > 0 && h->less(item, h->v[(i - 1) / 2])) {
        put(h, i, h->v[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(h, i, item);
}

static void down(struct heap *h, size_t i)
{
    void *item = h->v[i];
    for (;;) {
        size_t c = 2 * i + 1;
        if (c >= h->n)
            break;
        if (c + 1 < h->n && h->less(h->v[c + 1], h->v[c]))
            c++;
        if (!h->less(h->v[c], item))
            break;
        put(h, i, h->v[c]);
        i = c;
    }
    put(h, i, item);
}

void heap_push(struct heap *h, void *item)
{
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->v = xrealloc(h->v, h->cap * sizeof *h->v);
    }
    h->v[h->n++] = item;
    up(h, h->n - 1);
}

void *heap_top(const struct heap *h)
{
    return h->n ? h->v[0] : NULL;
}

void *heap_pop(struct heap *h)
{
    void *item = heap_top(h);
    if (item)
        heap_remove(h, 0);
    return item;
}

void heap_remove(struct heap *h, size_t pos)
{
    assert(pos < h->n);
    h->n--;
    if (pos == h->n)
        return;
    h->v[pos] = h->v[h->n];
    heap_moved(h, pos);
}

void heap_moved(struct heap *h, size_t pos)
{
    assert(pos < h->n);
    if (pos > 0 && h->less(h->v[pos], h->v[(pos - 1) / 2]))
        up(h, pos);
    else
        down(h, pos);
}

size_t heap_len(const struct heap *h)
{
    return h->n;
}
