/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem: allocation that aborts instead of failing, and arenas.  Limits on input make running out of
 * memory a misconfiguration, so no caller has an error path for it.
 *
 * An arena is a chain of blocks; a reset keeps them all and starts again at the first, so an arena
 * that is reset after every message stops allocating once it has seen its largest message.
 */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>

static _Noreturn void out_of_memory(size_t n)
{
    (void)fprintf(stderr, "out of memory: %zu bytes\n", n);
    abort();
}

void *xmalloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    if (!p)
        out_of_memory(n);
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p)
        out_of_memory(n * size);
    return p;
}

void *xrealloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);
    if (!q)
        out_of_memory(n);
    return q;
}

char *xstrdup(const char *s)
{
    return xmemdup0(s, strlen(s));
}

char *xmemdup0(const char *p, size_t n)
{
    char *q = xmalloc(n + 1);
    if (n)
        memcpy(q, p, n);
    q[n] = '\0';
    return q;
}

/* ---- arena ---- */

#define ARENA_FIRST 4096

struct block {
    struct block *next;
    size_t cap;
    _Alignas(16) char data[];
};
struct arena {
    struct block *first, *at;
    size_t used; /* in the block `at` */
    size_t total, max;
};

struct arena *arena_new(size_t max)
{
    struct arena *a = xcalloc(1, sizeof *a);
    a->max = max;
    return a;
}

void arena_free(struct arena **a)
{
    if (!*a)
        return;
    for (struct block *b = (*a)->first; b;) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
    free(*a);
    *a = NULL;
}

void arena_reset(struct arena *a)
{
    a->at = a->first;
    a->used = 0;
    a->total = 0;
}

/* Go to a following block with room for n, or put a new one behind `at`. */
static void arena_grow(struct arena *a, size_t n)
{
    struct block *next = a->at ? a->at->next : a->first;
    if (!next || next->cap < n) {
        size_t cap = a->at ? a->at->cap * 2 : ARENA_FIRST;
        if (cap > (1U << 20))
            cap = 1U << 20;
        if (cap < n)
            cap = n;
        struct block *b = xmalloc(sizeof *b + cap);
        b->cap = cap;
        b->next = next;
        if (a->at)
            a->at->next = b;
        else
            a->first = b;
        next = b;
    }
    a->at = next;
    a->used = 0;
}

void *arena_alloc(struct arena *a, size_t n)
{
    n = (n + 15) & ~(size_t)15;
    if (a->max && a->total + n > a->max)
        out_of_memory(a->total + n);
    if (!a->at || a->used + n > a->at->cap)
        arena_grow(a, n);
    void *p = a->at->data + a->used;
    a->used += n;
    a->total += n;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
    void *p = arena_alloc(a, n);
    memset(p, 0, n);
    return p;
}

struct str arena_str(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return (struct str){p, s.n};
}

char *arena_strdup(struct arena *a, const char *s)
{
    size_t n = strlen(s);
    char *p = arena_alloc(a, n + 1);
    memcpy(p, s, n + 1);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = arena_alloc(a, (size_t)n + 1);
    (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

size_t arena_used(const struct arena *a)
{
    return a->total;
}
