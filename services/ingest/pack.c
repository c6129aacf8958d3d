/* SPDX-License-Identifier: Apache-2.0 */
#include "pack.h"

#include <stdlib.h>

struct open_record {
    struct buf b; /* b.n == 0: none open */
    int64_t since_ms;
    uint32_t prev, next; /* in order of opening */
};
struct pack {
    uint32_t partitions;
    size_t max;
    pack_emit_fn *fn;
    void *arg;
    struct open_record *open; /* [partitions] is the ring's anchor */
    struct buf scratch;       /* the entries of one upstream record */
    struct part_entry *made;  /* where they stand in it */
    uint32_t n_made, cap_made;
    struct event *picked; /* the events of one entry */
    uint32_t *to;         /* partition of each event */
    uint32_t cap_events;
    uint64_t n;
};
struct part_entry {
    uint32_t p;
    size_t from, n;
};
#define EVERY UINT32_MAX /* no member: a fan-out event goes to every partition */
#define CLOSING 2        /* bytes of record_end_event */

struct pack *pack_new(uint32_t partitions, size_t max_bytes, pack_emit_fn *fn, void *arg)
{
    struct pack *k = xcalloc(1, sizeof *k);
    k->partitions = partitions;
    k->max = max_bytes;
    k->fn = fn;
    k->arg = arg;
    k->open = xcalloc(partitions + 1, sizeof *k->open);
    for (uint32_t p = 0; p < partitions; p++)
        buf_init(&k->open[p].b, max_bytes + CLOSING);
    k->open[partitions].prev = k->open[partitions].next = partitions;
    buf_init(&k->scratch, SIZE_MAX / 4);
    return k;
}

void pack_free(struct pack **kp)
{
    struct pack *k = *kp;
    if (!k)
        return;
    for (uint32_t p = 0; p < k->partitions; p++)
        buf_free(&k->open[p].b);
    buf_free(&k->scratch);
    free(k->open);
    free(k->made);
    free(k->picked);
    free(k->to);
    free(k);
    *kp = NULL;
}

uint32_t pack_partition(const struct pack *k, struct str member)
{
    return (hash_murmur2(member) & 0x7fffffffU) % k->partitions;
}

/* ---- the open records ---- */

static void close_record(struct pack *k, uint32_t p)
{
    struct open_record *o = &k->open[p];
    k->open[o->prev].next = o->next;
    k->open[o->next].prev = o->prev;
    buf_reset(&o->b);
}

static void emit(struct pack *k, uint32_t p)
{
    record_end_event(&k->open[p].b);
    k->fn(k->arg, p, buf_str(&k->open[p].b));
    close_record(k, p);
}

void pack_flush_older(struct pack *k, int64_t than_ms)
{
    uint32_t first;
    while ((first = k->open[k->partitions].next) != k->partitions &&
           k->open[first].since_ms <= than_ms)
        emit(k, first);
}

void pack_flush(struct pack *k)
{
    pack_flush_older(k, TIME_NEVER);
}

void pack_reset(struct pack *k)
{
    while (k->open[k->partitions].next != k->partitions)
        close_record(k, k->open[k->partitions].next);
}

int64_t pack_oldest_ms(const struct pack *k)
{
    uint32_t first = k->open[k->partitions].next;
    return first == k->partitions ? TIME_NEVER : k->open[first].since_ms;
}

static void begin(struct pack *k, uint32_t p, int64_t now_ms)
{
    struct open_record *o = &k->open[p], *anchor = &k->open[k->partitions];
    record_begin_event(&o->b, k->n);
    o->since_ms = now_ms;
    o->prev = anchor->prev;
    o->next = k->partitions;
    k->open[o->prev].next = p;
    anchor->prev = p;
}

static void append(struct pack *k, const struct part_entry *e, int64_t now_ms)
{
    struct buf *b = &k->open[e->p].b;
    struct str entry = {k->scratch.p + e->from, e->n};
    if (b->n && b->n + 1 + entry.n + CLOSING > k->max)
        emit(k, e->p);
    if (b->n)
        buf_addc(b, ',');
    else
        begin(k, e->p, now_ms);
    buf_addstr(b, entry);
}

/* ---- entries ---- */

#define HEAD_MAX 40 /* {"t":"event","n":…,"e":[ */

/* The events of this record that belong to p, as one entry in the scratch. */
static int make_entry(struct pack *k, const struct source *src, int64_t at_ms, uint32_t p,
                      const struct event *ev, uint32_t n_ev, struct err *err)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_ev; i++)
        if (k->to[i] == p || k->to[i] == EVERY)
            k->picked[n++] = ev[i];
    size_t from = k->scratch.n;
    struct entry e = {.src = *src, .at_ms = at_ms, .events = k->picked, .n_events = n};
    record_add_entry(&k->scratch, &e, true);
    size_t bytes = k->scratch.n - from;
    if (bytes + HEAD_MAX + CLOSING > k->max)
        return err_code(err, ERR_INPUT, "too_big",
                        "its events take %zu bytes, a record of rouse.log holds %zu", bytes,
                        k->max);
    if (k->n_made == k->cap_made) {
        k->cap_made = k->cap_made ? k->cap_made * 2 : 16;
        k->made = xrealloc(k->made, k->cap_made * sizeof *k->made);
    }
    k->made[k->n_made++] = (struct part_entry){p, from, bytes};
    return 0;
}

static bool made_already(const struct pack *k, uint32_t p)
{
    for (uint32_t i = 0; i < k->n_made; i++)
        if (k->made[i].p == p)
            return true;
    return false;
}

/* Where each event goes; true when one goes everywhere. */
static bool route(struct pack *k, const struct event *ev, uint32_t n_ev, int64_t *at_ms)
{
    bool every = false;
    if (n_ev > k->cap_events) {
        k->cap_events = n_ev;
        k->to = xrealloc(k->to, n_ev * sizeof *k->to);
        k->picked = xrealloc(k->picked, n_ev * sizeof *k->picked);
    }
    *at_ms = ev[0].at_ms;
    for (uint32_t i = 0; i < n_ev; i++) {
        bool same = i > 0 && str_eq(ev[i].member, ev[i - 1].member);
        k->to[i] = same ? k->to[i - 1] : ev[i].member.n ? pack_partition(k, ev[i].member) : EVERY;
        every |= k->to[i] == EVERY;
        *at_ms = ev[i].at_ms > *at_ms ? ev[i].at_ms : *at_ms;
    }
    return every;
}

int pack_add(struct pack *k, uint64_t n, const struct source *src, const struct event *ev,
             uint32_t n_ev, int64_t now_ms, struct err *err)
{
    int64_t at_ms;
    if (n_ev == 0)
        return 0;
    bool every = route(k, ev, n_ev, &at_ms);
    k->n_made = 0;
    buf_reset(&k->scratch);
    if (every) {
        for (uint32_t p = 0; p < k->partitions; p++)
            if (make_entry(k, src, at_ms, p, ev, n_ev, err) < 0)
                return -1;
    } else {
        for (uint32_t i = 0; i < n_ev; i++)
            if (!made_already(k, k->to[i]) &&
                make_entry(k, src, at_ms, k->to[i], ev, n_ev, err) < 0)
                return -1;
    }
    if (n != k->n)
        pack_flush(k);
    k->n = n;
    for (uint32_t i = 0; i < k->n_made; i++)
        append(k, &k->made[i], now_ms);
    return 0;
}
