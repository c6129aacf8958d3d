/* SPDX-License-Identifier: Apache-2.0 */
#include "lapse.h"

#include <stdlib.h>

/* ---- merge ---- */

struct merge {
    struct heap *heap;
};

static bool head_less(const void *a, const void *b)
{
    const struct merge_head *x = a, *y = b;
    int c;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms;
    c = str_cmp(x->topic, y->topic);
    return c != 0 ? c < 0 : x->partition < y->partition;
}

struct merge *merge_new(void)
{
    struct merge *m = xcalloc(1, sizeof *m);
    m->heap = heap_new(head_less, NULL);
    return m;
}

void merge_free(struct merge **m)
{
    if (!*m)
        return;
    heap_free(&(*m)->heap);
    free(*m);
    *m = NULL;
}

void merge_put(struct merge *m, struct merge_head *head)
{
    heap_push(m->heap, head);
}

struct merge_head *merge_least(const struct merge *m)
{
    return heap_top(m->heap);
}

void merge_take(struct merge *m)
{
    (void)heap_pop(m->heap);
}

void merge_clear(struct merge *m)
{
    while (heap_pop(m->heap))
        continue;
}

/* ---- the day ---- */

#define NOON 720 /* minutes */

/* The last noon at or before. */
static int64_t noon_before(const struct zone *tz, int64_t ms)
{
    int64_t day = time_local_day(tz, ms), noon = time_at(tz, day, NOON);
    return noon <= ms ? noon : time_at(tz, day - 1, NOON);
}

static int64_t noon_after(const struct zone *tz, int64_t ms)
{
    int64_t day = time_local_day(tz, ms), noon = time_at(tz, day, NOON);
    return noon > ms ? noon : time_at(tz, day + 1, NOON);
}

void lapse_init(struct lapse *l, const struct zone *tz, int64_t end_ms)
{
    *l = (struct lapse){.state = LAPSE_OPEN, .tz = tz, .end_ms = end_ms, .last_ms = INT64_MIN};
}

void lapse_resume(struct lapse *l, int64_t last_tick_ms)
{
    l->last_ms = last_tick_ms;
    l->state = last_tick_ms >= l->end_ms ? LAPSE_DONE : LAPSE_OPEN;
}

/* Without a day before, the first event says where to begin; without an event, the end does. */
static void open_day(struct lapse *l, const struct merge_head *least)
{
    if (l->last_ms != INT64_MIN)
        l->start_ms = l->last_ms;
    else
        l->start_ms = noon_before(l->tz, least ? least->at_ms : l->end_ms);
    l->tick_ms = noon_after(l->tz, l->start_ms);
    if (l->tick_ms > l->end_ms)
        l->tick_ms = l->end_ms;
    l->state = LAPSE_EVENTS;
    l->round = 0;
    l->days++;
}

/* The end itself belongs to the last day; any other noon to the day that it begins. */
static bool in_day(const struct lapse *l, int64_t at_ms)
{
    return at_ms < l->tick_ms || (l->tick_ms == l->end_ms && at_ms == l->end_ms);
}

enum lapse_do lapse_next(struct lapse *l, bool complete, const struct merge_head *least)
{
    switch (l->state) {
    case LAPSE_OPEN:
        if (!complete)
            return LAPSE_WAIT;
        open_day(l, least);
        return LAPSE_RULES;
    case LAPSE_EVENTS:
        if (!complete)
            return LAPSE_WAIT;
        if (least && in_day(l, least->at_ms))
            return LAPSE_EVENT;
        l->state = LAPSE_BARRIER;
        return LAPSE_TICK;
    case LAPSE_BARRIER:
        return LAPSE_ASK;
    case LAPSE_DONE:
        return LAPSE_FINISHED;
    }
    return LAPSE_FINISHED;
}

bool lapse_caught_up(struct lapse *l, size_t receipts)
{
    if (receipts) {
        l->round++;
        return false;
    }
    l->last_ms = l->tick_ms;
    l->state = l->tick_ms >= l->end_ms ? LAPSE_DONE : LAPSE_OPEN;
    return true;
}

int64_t lapse_receipt_ms(const struct lapse *l, int64_t decision_ms)
{
    return (decision_ms > l->tick_ms ? decision_ms : l->tick_ms) + 1;
}

/* ---- barrier ---- */

bool barrier_reached(const int64_t *committed, const int64_t *ends, uint32_t n)
{
    for (uint32_t p = 0; p < n; p++)
        if ((committed[p] < 0 ? 0 : committed[p]) < ends[p])
            return false;
    return true;
}

/* ---- results ---- */

struct part_results {
    struct result *v; /* in order of seq */
    size_t n, cap;
    uint64_t next;
    struct arena *a, *taken; /* strings of v; of what was taken last */
};
struct results {
    struct part_results *parts;
    uint32_t n;
    size_t waiting;
    struct result *out;
    size_t cap_out;
};

struct results *results_new(uint32_t partitions)
{
    struct results *r = xcalloc(1, sizeof *r);
    r->parts = xcalloc(partitions, sizeof *r->parts);
    r->n = partitions;
    for (uint32_t p = 0; p < partitions; p++) {
        r->parts[p].a = arena_new(0);
        r->parts[p].taken = arena_new(0);
    }
    return r;
}

void results_free(struct results **rp)
{
    struct results *r = *rp;
    if (!r)
        return;
    for (uint32_t p = 0; p < r->n; p++) {
        arena_free(&r->parts[p].a);
        arena_free(&r->parts[p].taken);
        free(r->parts[p].v);
    }
    free(r->parts);
    free(r->out);
    free(r);
    *rp = NULL;
}

void results_resume(struct results *r, uint32_t p, uint64_t next)
{
    struct part_results *t = &r->parts[p];
    r->waiting -= t->n;
    t->n = 0;
    t->next = next;
    arena_reset(t->a);
}

uint64_t results_next(const struct results *r, uint32_t p)
{
    return r->parts[p].next;
}

size_t results_waiting(const struct results *r)
{
    return r->waiting;
}

void results_add(struct results *r, uint32_t p, const struct outcome *o)
{
    struct part_results *t = &r->parts[p];
    if (o->kind != OUT_RESULT || !o->final || !o->status.n || o->seq < t->next)
        return;
    size_t at = t->n; /* results come nearly in order: look from the end */
    while (at > 0 && t->v[at - 1].seq > o->seq)
        at--;
    if (at > 0 && t->v[at - 1].seq == o->seq)
        return; /* not the first */
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->v = xrealloc(t->v, t->cap * sizeof *t->v);
    }
    memmove(&t->v[at + 1], &t->v[at], (t->n - at) * sizeof *t->v);
    t->v[at] = (struct result){.seq = o->seq,
                               .at_ms = o->at_ms,
                               .receipt = {.era = o->era,
                                           .seq = o->seq,
                                           .member = arena_str(t->a, o->member),
                                           .rule = arena_str(t->a, o->rule),
                                           .message = arena_str(t->a, o->message),
                                           .gateway = arena_str(t->a, o->gateway),
                                           .status = arena_str(t->a, o->status)}};
    t->n++;
    r->waiting++;
}

const struct result *results_take(struct results *r, uint32_t p, size_t *n)
{
    struct part_results *t = &r->parts[p];
    struct arena *swap = t->taken;
    *n = t->n;
    if (t->n == 0)
        return NULL;
    if (t->n > r->cap_out) {
        r->cap_out = t->n;
        r->out = xrealloc(r->out, r->cap_out * sizeof *r->out);
    }
    memcpy(r->out, t->v, t->n * sizeof *r->out);
    t->next = t->v[t->n - 1].seq + 1;
    r->waiting -= t->n;
    t->n = 0;
    t->taken = t->a;
    t->a = swap;
    arena_reset(t->a);
    return r->out;
}
