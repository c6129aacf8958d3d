/* SPDX-License-Identifier: Apache-2.0 */
/*
 * works: the messages of a partition that are not finished.  A small hash table by seq (outcomes name
 * them so), a list in order of acceptance (its head is what the group's offset waits for) and a heap by
 * due time.  A removed message stays readable until the effects that speak of it have been done.
 */
#include "dispatch_priv.h"

#include <stdlib.h>

static uint32_t place(uint64_t seq, uint32_t cap)
{
    return (uint32_t)((seq * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (cap - 1);
}

static bool sooner(const void *a, const void *b)
{
    const struct work *x = a, *y = b;
    return x->due_ms != y->due_ms ? x->due_ms < y->due_ms : x->seq < y->seq;
}

static void set_pos(void *item, size_t pos)
{
    struct work *w = item;
    w->heap_pos = pos;
}

void works_init(struct works *w)
{
    w->cap = 64;
    w->slot = xcalloc(w->cap, sizeof(struct work *));
    w->due = heap_new(sooner, set_pos);
}

void works_free(struct works *w)
{
    free(w->slot);
    heap_free(&w->due);
}

static void put(struct works *t, struct work *w)
{
    uint32_t i = place(w->seq, t->cap);
    while (t->slot[i])
        i = (i + 1) & (t->cap - 1);
    t->slot[i] = w;
}

static void grow(struct works *t)
{
    struct work **old = t->slot;
    uint32_t n = t->cap;
    t->cap *= 2;
    t->slot = xcalloc(t->cap, sizeof(struct work *));
    for (uint32_t i = 0; i < n; i++)
        if (old[i])
            put(t, old[i]);
    free(old);
}

struct work *works_get(const struct works *t, uint64_t seq)
{
    for (uint32_t i = place(seq, t->cap); t->slot[i]; i = (i + 1) & (t->cap - 1))
        if (t->slot[i]->seq == seq)
            return t->slot[i];
    return NULL;
}

struct work *works_add(struct dispatch *d, uint64_t seq)
{
    struct work *w = xcalloc(1, sizeof *w);
    w->d = d;
    w->seq = seq;
    w->off = -1;
    w->due_ms = TIME_NEVER;
    w->heap_pos = SIZE_MAX;
    if ((d->works.n + 1) * 2 > d->works.cap)
        grow(&d->works);
    put(&d->works, w);
    d->works.n++;
    d->n_known++;
    return w;
}

/* Backward shift: no tombstones. */
static void take(struct works *t, const struct work *w)
{
    uint32_t mask = t->cap - 1, hole = place(w->seq, t->cap);
    while (t->slot[hole] != w)
        hole = (hole + 1) & mask;
    for (uint32_t i = (hole + 1) & mask; t->slot[i]; i = (i + 1) & mask) {
        uint32_t home = place(t->slot[i]->seq, t->cap);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            t->slot[hole] = t->slot[i];
            hole = i;
        }
    }
    t->slot[hole] = NULL;
    t->n--;
}

static struct str keep(char **to, struct str s)
{
    char *p = *to;
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    *to += s.n + 1;
    return (struct str){p, s.n};
}

void works_load(struct work *w, int64_t off, const struct decision *r)
{
    struct dispatch *d = w->d;
    buf_reset(&d->scratch);
    webhook_body(r, &d->scratch);
    struct str body = buf_str(&d->scratch);
    char *to =
        xmalloc(r->member.n + r->rule.n + r->message.n + r->gateway.n + r->purpose.n + body.n + 6);
    w->mem = to;
    w->member = keep(&to, r->member);
    w->rule = keep(&to, r->rule);
    w->message = keep(&to, r->message);
    w->gateway = keep(&to, r->gateway);
    w->purpose = keep(&to, r->purpose);
    w->body = keep(&to, body);
    memcpy(w->id, r->id, sizeof w->id);
    w->off = off;
    w->at_ms = r->at_ms;
    w->expire_ms = r->expire_ms;
    w->quiet_from = r->quiet_from;
    w->quiet_to = r->quiet_to;
    w->utc_off_s = r->utc_off_s;
    w->gw = d->conf.gateway(d->conf.arg, w->gateway);
    w->prev = d->works.tail;
    if (w->prev)
        w->prev->next = w;
    else
        d->works.head = w;
    d->works.tail = w;
    d->n_known--;
    d->n_pending++;
}

void works_due(struct work *w, int64_t due_ms)
{
    if (w->heap_pos != SIZE_MAX)
        heap_remove(w->d->works.due, w->heap_pos);
    w->heap_pos = SIZE_MAX;
    w->due_ms = due_ms;
    if (due_ms != TIME_NEVER)
        heap_push(w->d->works.due, w);
}

/* Out of table, list and heap. */
static void unlink_all(struct work *w)
{
    struct dispatch *d = w->d;
    works_due(w, TIME_NEVER);
    take(&d->works, w);
    if (w->off < 0) {
        d->n_known--;
        return;
    }
    d->n_pending--;
    if (w->prev)
        w->prev->next = w->next;
    else
        d->works.head = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        d->works.tail = w->prev;
    w->prev = w->next = NULL;
}

void works_remove(struct work *w)
{
    struct dispatch *d = w->d;
    if (w->state == WORK_ORPHAN) {
        struct work **at = &d->orphans;
        while (*at != w)
            at = &(*at)->next;
        *at = w->next;
        d->n_orphans--;
    } else {
        unlink_all(w);
    }
    w->state = WORK_GONE;
    w->next = d->garbage;
    d->garbage = w;
}

void works_orphan(struct work *w)
{
    struct dispatch *d = w->d;
    unlink_all(w);
    w->state = WORK_ORPHAN;
    w->next = d->orphans;
    d->orphans = w;
    d->n_orphans++;
}

void works_dead(struct dispatch *d)
{
    while (d->garbage) {
        struct work *w = d->garbage;
        d->garbage = w->next;
        free(w->mem);
        free(w);
    }
}
