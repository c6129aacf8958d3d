/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop.  Each turn: reports, control and assignment; then a batch of records is taken; then what is old
 * enough is appended, and what is acknowledged is committed.  Only here clocks are read.
 */
#include "ingest_priv.h"

#include <stdlib.h>

#define TURN_MS 100
#define DRAIN_MS 5000 /* Kafka may be away */

int ingest_new(const struct ingest_conf *c, struct service *s, struct ingest **out, struct err *err)
{
    struct ingest *in = xcalloc(1, sizeof *in);
    in->conf = *c;
    in->s = s;
    in->bad_n = UINT64_MAX;
    in->a = arena_new(0);
    buf_init(&in->b, 1 << 20);
    in->progress = progress_new();
    metrics_register(ingest_metrics, IM_N);
    if (world_new(in, err) != 0) {
        ingest_free(&in);
        return -1;
    }
    *out = in;
    return 0;
}

void ingest_free(struct ingest **inp)
{
    struct ingest *in = *inp;
    if (!in)
        return;
    lapse_end(in);
    world_free(in);
    pack_free(&in->pack);
    progress_free(&in->progress);
    arena_free(&in->a);
    buf_free(&in->b);
    free(in);
    *inp = NULL;
}

static void take(struct ingest *in, struct kafka_msg *m)
{
    struct src *s = source_find(in, m->topic, m->partition);
    if (s && m->err) {
        source_error(s, m);
    } else if (s && source_accept(s, m)) {
        if (in->genesis.record_clock) {
            lapse_take(s, m); /* keeps it */
            return;
        }
        take_record(s, m);
        source_taken(s, m);
    }
    kafka_msg_done(m);
}

static void batch_turn(struct ingest *in)
{
    if (!in->producer || (!in->genesis.record_clock && !in->announced))
        return;
    while (in->batch_at < in->batch_n && world_room(in) && !in->producer_failed)
        take(in, &in->batch[in->batch_at++]);
    in->busy |= in->batch_at < in->batch_n;
}

static void live_turn(struct ingest *in)
{
    if (in->assigned && in->producer)
        world_announce(in, in->now_ms);
    batch_turn(in);
    pack_flush_older(in->pack, in->mono_ms - in->conf.pack_wait_ms);
    source_positions(in, false);
    source_commit(in, false);
}

static void turn(struct ingest *in)
{
    in->now_ms = service_now_ms();
    in->mono_ms = service_mono_ms();
    in->busy = false;
    in->wait_ms = TURN_MS;
    world_turn(in);
    world_fetch(in);
    if (in->started && in->program) {
        if (in->genesis.record_clock)
            lapse_start(in);
        if (!in->genesis.record_clock || in->run.merge)
            source_place(in);
        if (in->genesis.record_clock) {
            batch_turn(in);
            lapse_turn(in);
        } else {
            live_turn(in);
        }
    }
    world_health(in);
}

/* How long may the loop sleep if no descriptor wakes it? */
static int pause_ms(const struct ingest *in)
{
    int64_t wait = in->wait_ms;
    if (in->busy)
        return 0;
    if (in->started && pack_oldest_ms(in->pack) != TIME_NEVER && in->conf.pack_wait_ms < wait)
        wait = in->conf.pack_wait_ms;
    return (int)wait;
}

/* Append clock: what was taken is appended and committed.  Record clock: the day is begun again. */
static void drain(struct ingest *in)
{
    int64_t until = service_mono_ms() + DRAIN_MS;
    in->draining = true;
    if (!in->started || in->genesis.record_clock || !in->assigned || in->producer_failed)
        return;
    source_positions(in, true);
    while (progress_open(in->progress) && !in->producer_failed && in->mono_ms < until) {
        in->mono_ms = service_mono_ms();
        world_turn(in);
        (void)service_wait(in->s, 5);
    }
    if (!progress_open(in->progress))
        source_commit(in, true);
}

void ingest_run(struct ingest *in)
{
    int wait = 0;
    while (service_wait(in->s, wait)) {
        turn(in);
        wait = pause_ms(in);
    }
    drain(in);
    log_info("stopped", "open=%llu", (unsigned long long)progress_open(in->progress));
}
