/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time for a silent partition (append clock): its owner appends a tick to it when its least timer has
 * passed, at most one a second, and each --tick.  It is the broker's clock that then decides; a
 * superfluous tick does no harm.  Also the offsets committed to the group, for lag tools and for the
 * time-lapse barrier; the engine never reads them.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "engine_priv.h"

#define TICK_LEAST_MS 1000
#define OFFSETS_URGENT_MS 5
#define OFFSETS_MS 500
#define OFFSETS_ALL_MS 2000

static void tick(struct part *t)
{
    struct engine *e = t->e;
    struct record r = {.kind = REC_TICK, .at_ms = e->now_ms};
    struct err err = {0};
    struct buf b;
    t->tick_ms = e->mono_ms;
    if (e->producer == NULL || e->producer_failed)
        return;
    buf_init(&b, 4096);
    record_write(&r, &b);
    if (kafka_produce(e->producer, TOPIC_LOG, (int32_t)t->p, (struct str){NULL, 0}, buf_str(&b),
                      NULL, 0, world_opaque(t, true), &err) == 0)
        metric_add(&engine_metrics[EM_TICKS], NULL, 1);
    buf_free(&b);
}

void tick_part(struct part *t)
{
    struct engine *e = t->e;
    if (e->record_clock || e->draining || t->state < PART_READY || t->state == PART_PARKED)
        return;
    int64_t since = e->mono_ms - t->tick_ms;
    if (since < TICK_LEAST_MS)
        return;
    /* While a bite is under way decide is not to be disturbed; there will be another turn. */
    if (since >= e->conf.tick_ms || (t->state == PART_READY && decide_next_due(t->d) <= e->now_ms))
        tick(t);
}

/* `all`: those that were told already too.  A commit can be lost without a word (a rebalance, or a
 * process that died between COMMIT and here), and the time-lapse barrier waits for it. */
static size_t offsets_list(struct engine *e, struct kafka_tp *tp, bool all)
{
    size_t n = 0;
    for (uint32_t p = 0; p < e->genesis.partitions; p++) {
        struct part *t = &e->parts[p];
        if ((t->off_dirty || (all && t->state == PART_READY)) && part_owned(t))
            tp[n++] = (struct kafka_tp){
                .topic = TOPIC_LOG, .partition = (int32_t)p, .offset = (int64_t)t->committed.off};
        t->off_dirty = false;
    }
    return n;
}

void offsets_flush(struct engine *e, bool wait)
{
    int64_t since = e->mono_ms - e->offsets_ms;
    if (!e->started || e->group == NULL)
        return;
    if (!wait && since < (e->offsets_urgent ? OFFSETS_URGENT_MS : OFFSETS_MS))
        return;
    struct kafka_tp *tp = xcalloc(e->genesis.partitions, sizeof *tp);
    bool all = e->mono_ms - e->offsets_all_ms >= OFFSETS_ALL_MS;
    size_t n = offsets_list(e, tp, all);
    struct err err = {0};
    if (all)
        e->offsets_all_ms = e->mono_ms;
    e->offsets_ms = e->mono_ms;
    e->offsets_urgent = false;
    if (n > 0 && (wait ? kafka_group_commit_sync(e->group, tp, n, &err)
                       : kafka_group_commit(e->group, tp, n, &err)) != 0)
        log_err(LOG_LEVEL_DEBUG, "offsets", &err, "n=%zu", n);
    free(tp);
}
