/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <stdlib.h>

struct window {
    uint64_t open; /* not reported */
    struct places places;
};
struct progress {
    struct window *v; /* [0] has id `first`; the last one is being filled */
    size_t n, cap;
    uint64_t first;
    struct places taken;
};

static void add(struct progress *p)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 8;
        p->v = xrealloc(p->v, p->cap * sizeof *p->v);
    }
    memset(&p->v[p->n++], 0, sizeof *p->v);
}

struct progress *progress_new(void)
{
    struct progress *p = xcalloc(1, sizeof *p);
    p->first = 1;
    add(p);
    return p;
}

static void drop(struct progress *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(p->v[i].places.v);
    p->n -= n;
    p->first += n;
    memmove(p->v, p->v + n, p->n * sizeof *p->v);
}

void progress_free(struct progress **pp)
{
    struct progress *p = *pp;
    if (!p)
        return;
    drop(p, p->n);
    free(p->taken.v);
    free(p->v);
    free(p);
    *pp = NULL;
}

uint64_t progress_sent(struct progress *p)
{
    p->v[p->n - 1].open++;
    return p->first + p->n - 1;
}

void progress_reported(struct progress *p, uint64_t id)
{
    if (id >= p->first && id < p->first + p->n && p->v[id - p->first].open > 0)
        p->v[id - p->first].open--;
}

uint64_t progress_open(const struct progress *p)
{
    uint64_t open = 0;
    for (size_t i = 0; i < p->n; i++)
        open += p->v[i].open;
    return open;
}

void progress_close(struct progress *p, const struct place *v, size_t n)
{
    struct places *to = &p->v[p->n - 1].places;
    to->v = xmalloc((n ? n : 1) * sizeof *v);
    if (n)
        memcpy(to->v, v, n * sizeof *v);
    to->n = n;
    add(p);
}

const struct places *progress_take(struct progress *p)
{
    size_t done = 0;
    while (done + 1 < p->n && p->v[done].open == 0)
        done++;
    if (done == 0)
        return NULL;
    free(p->taken.v);
    p->taken = p->v[done - 1].places;
    p->v[done - 1].places.v = NULL;
    drop(p, done);
    return &p->taken;
}

void progress_reset(struct progress *p)
{
    drop(p, p->n);
    add(p);
}
