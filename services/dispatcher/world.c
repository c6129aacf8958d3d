/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world: what the dispatcher talks to in Kafka.  Each part may be away at the start and at any time
 * after: it is waited for, said once, and said again when it is back.
 *
 * The producer is one for all partitions, so what is written first stands first.  When a report says
 * that a record was not taken nobody knows what was: a new producer is made and every partition goes
 * back to its claim.
 */
#include "dispatcher_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RETRY_MS 1000
#define READ_WAIT_MS 3000
#define FETCH_MESSAGES 1024
#define RECOMMIT_MS 2000 /* a commit may be lost in a rebalance, and nobody says so */
#define MAX_RECORD (2u << 20)

/* Descriptors only wake the loop; it polls everything each turn. */
static void woken(void *arg)
{
    (void)arg;
}

/* ---- rouse.control ---------------------------------------------------------------------------------------- */

static int on_control(void *arg, const struct kafka_msg *m)
{
    struct genesis *g = arg;
    struct err err = {0};
    if (m->err || m->tombstone || !str_eqc(m->key, "genesis"))
        return 0;
    if (genesis_read(m->value, g, &err))
        log_err(LOG_LEVEL_ERROR, "genesis", &err, "offset=%" PRId64, m->offset);
    return 0;
}

static int open_fetcher(struct dispatcher *x, struct err *err)
{
    struct kafka_conf c = x->kafka;
    c.fetch_wait_ms = (uint32_t)x->conf.fetch_wait_ms;
    if (kafka_fetcher_new(&c, &x->fetcher, err))
        return -1;
    return service_watch(x->s, kafka_fetcher_fd(x->fetcher), woken, x);
}

static void start(struct dispatcher *x)
{
    struct genesis g = {0};
    struct err err = {0};
    if (x->started || x->mono_ms < x->control_retry_ms)
        return;
    x->control_retry_ms = x->mono_ms + RETRY_MS;
    if (kafka_read_all(&x->kafka, TOPIC_CONTROL, 0, KAFKA_BEGINNING, on_control, &g, READ_WAIT_MS,
                       &err)) {
        if (!x->told_away)
            log_err(LOG_LEVEL_WARN, "kafka_away", &err, "bootstrap=%s", x->conf.bootstrap);
        x->told_away = true;
        return;
    }
    if (!g.partitions) {
        if (!x->told_away)
            log_warn("genesis_awaited", "topic=%s hint=%s", TOPIC_CONTROL, "run: rouse init");
        x->told_away = true;
        return;
    }
    x->genesis = g;
    x->record = g.record_clock;
    if (open_fetcher(x, &err)) {
        log_err(LOG_LEVEL_ERROR, "fetcher", &err, "bootstrap=%s", x->conf.bootstrap);
        return;
    }
    x->parts = xcalloc(g.partitions, sizeof *x->parts);
    for (uint32_t p = 0; p < g.partitions; p++)
        part_init(&x->parts[p], x, (int32_t)p);
    x->started = true;
    log_info("genesis", "topology=%08" PRIx32 " partitions=%" PRIu32 " clock=%s", g.topology,
             g.partitions, g.record_clock ? "record" : "append");
}

/* ---- group ------------------------------------------------------------------------------------------------- */

/* n = 0 is a revoke in the course of a rebalance: nothing new is begun, but what we have is kept, for
 * it may come back; that nobody else works on it is proved by the claims in the log, not by this. */
static void on_assign(void *arg, const struct kafka_tp *tp, size_t n)
{
    struct dispatcher *x = arg;
    x->suspended = n == 0;
    x->busy = true;
    log_info("partitions", "n=%zu", n);
    if (!n)
        return;
    bool *ours = xcalloc(x->genesis.partitions, sizeof *ours);
    for (size_t i = 0; i < n; i++)
        if (tp[i].partition >= 0 && (uint32_t)tp[i].partition < x->genesis.partitions)
            ours[tp[i].partition] = true;
    for (uint32_t p = 0; p < x->genesis.partitions; p++)
        part_own(&x->parts[p], ours[p]);
    free(ours);
}

static void group_turn(struct dispatcher *x)
{
    static const char *const topics[] = {TOPIC_DECISIONS};
    struct err err = {0};
    if (!x->group) {
        if (x->draining || x->mono_ms < x->group_retry_ms)
            return;
        x->group_retry_ms = x->mono_ms + RETRY_MS;
        if (kafka_group_new(&x->kafka, x->conf.group, topics, 1, &x->group, &err)) {
            log_err(LOG_LEVEL_ERROR, "group", &err, "group=%s", x->conf.group);
            return;
        }
        (void)service_watch(x->s, kafka_group_fd(x->group), woken, x);
    }
    if (kafka_group_poll(x->group, 0, on_assign, x, &err)) {
        log_err(LOG_LEVEL_ERROR, "group", &err, "group=%s", x->conf.group);
        x->suspended = true;
        service_unwatch(x->s, kafka_group_fd(x->group));
        kafka_group_free(&x->group);
    }
}

/* ---- commits ------------------------------------------------------------------------------------------------ */

static size_t offsets(struct dispatcher *x, struct kafka_tp *tp, bool all)
{
    size_t n = 0;
    for (uint32_t p = 0; p < x->genesis.partitions; p++) {
        struct part *t = &x->parts[p];
        int64_t floor = dispatch_floor(t->d), off = dispatch_snapshot_off(t->d);
        if (t->state != PART_RUNNING)
            continue;
        if (floor >= 0 && (all || floor != t->floor))
            tp[n++] = (struct kafka_tp){TOPIC_DECISIONS, t->p, floor, {0}};
        if (off >= 0 && (all || off != t->snapshot_off))
            tp[n++] = (struct kafka_tp){TOPIC_OUTCOMES, t->p, off, {0}};
        t->floor = floor;
        t->snapshot_off = off;
    }
    return n;
}

void world_commit(struct dispatcher *x, bool wait)
{
    struct err err = {0};
    bool all = wait || x->mono_ms >= x->recommit_ms;
    if (!x->started || !x->group || (!wait && x->mono_ms < x->commit_at_ms))
        return;
    if (x->suspended) /* a commit of an old generation throws librdkafka out of its joining again */
        return;
    struct kafka_tp *tp = xcalloc((size_t)x->genesis.partitions * 2, sizeof *tp);
    size_t n = offsets(x, tp, all);
    int rc = 0;
    if (n && wait)
        rc = kafka_group_commit_sync(x->group, tp, n, &err);
    else if (n)
        rc = kafka_group_commit(x->group, tp, n, &err);
    if (rc)
        log_err(LOG_LEVEL_WARN, "commit", &err, "n=%zu", n);
    free(tp);
    if (n)
        dispatcher_chaos(x, "committed");
    x->commit_at_ms = x->mono_ms + (x->record ? 1 : x->conf.commit_ms);
    if (all)
        x->recommit_ms = x->mono_ms + RECOMMIT_MS;
}

/* ---- producer ------------------------------------------------------------------------------------------------ */

/* Of a final result the report says which it was: partition, claim and seq in one word. */
#define SEQ_BITS 42
#define CLAIM_BITS 11
static void *whose(const struct part *t, const struct outcome *o)
{
    if (o->kind != OUT_RESULT || !o->final || o->seq >> SEQ_BITS)
        return NULL;
    return (void *)(uintptr_t)(((uint64_t)t->p << (SEQ_BITS + CLAIM_BITS) |
                                (uint64_t)(t->claims % (1u << CLAIM_BITS)) << SEQ_BITS | o->seq) +
                               1);
}

static void acknowledged(struct dispatcher *x, void *opaque)
{
    uint64_t v = (uint64_t)(uintptr_t)opaque - 1;
    struct part *t = &x->parts[v >> (SEQ_BITS + CLAIM_BITS)];
    if ((v >> SEQ_BITS) % (1u << CLAIM_BITS) != t->claims % (1u << CLAIM_BITS))
        return;
    dispatch_acknowledged(t->d, v & ((UINT64_C(1) << SEQ_BITS) - 1));
    part_effects(t);
}

static void on_report(void *arg, void *opaque, const char *topic, int32_t partition, int64_t offset,
                      const struct err *err)
{
    struct dispatcher *x = arg;
    (void)offset;
    if (err && !x->producer_failed)
        log_err(LOG_LEVEL_WARN, "report", err, "topic=%s p=%" PRId32, topic, partition);
    x->producer_failed |= err != NULL;
    if (!err && opaque)
        acknowledged(x, opaque);
}

static void put_off(struct dispatcher *x, int32_t p, bool result, void *opaque, struct str bytes)
{
    struct backlog *b = xmalloc(sizeof *b + bytes.n);
    *b = (struct backlog){.p = p, .result = result, .opaque = opaque, .n = bytes.n};
    memcpy(b->bytes, bytes.p, bytes.n);
    *x->backlog_end = b;
    x->backlog_end = &b->next;
}

/* 0 taken, 1 no room now. */
static int produce(struct dispatcher *x, int32_t p, void *opaque, struct str bytes)
{
    struct err err = {0};
    if (!x->producer || x->producer_failed)
        return 1;
    if (!kafka_produce(x->producer, TOPIC_OUTCOMES, p, STR(""), bytes, NULL, 0, opaque, &err))
        return 0;
    if (err.kind != ERR_AGAIN) {
        log_err(LOG_LEVEL_ERROR, "produce", &err, "topic=%s p=%" PRId32, TOPIC_OUTCOMES, p);
        x->producer_failed = true;
    }
    return 1;
}

void world_write(struct dispatcher *x, int32_t p, const struct outcome *o)
{
    bool result = o->kind == OUT_RESULT;
    void *opaque = whose(&x->parts[p], o);
    buf_reset(&x->out);
    outcome_write(o, &x->out);
    if (x->backlog || produce(x, p, opaque, buf_str(&x->out)))
        put_off(x, p, result, opaque, buf_str(&x->out));
    if (result)
        dispatcher_chaos(x, "result-written");
}

static void flush_backlog(struct dispatcher *x)
{
    while (x->backlog) {
        struct backlog *b = x->backlog;
        if (produce(x, b->p, b->opaque, (struct str){b->bytes, b->n}))
            return;
        x->backlog = b->next;
        if (!x->backlog)
            x->backlog_end = &x->backlog;
        free(b);
    }
}

/* Claims, attempts and snapshots of the old producer are void; results still tell the truth. */
static void keep_results(struct dispatcher *x)
{
    struct backlog **at = &x->backlog;
    while (*at) {
        struct backlog *b = *at;
        if (b->result) {
            at = &b->next;
            continue;
        }
        *at = b->next;
        free(b);
    }
    x->backlog_end = at;
}

static void producer_again(struct dispatcher *x, const struct err *err)
{
    log_err(LOG_LEVEL_WARN, "producer_again", err, "bootstrap=%s", x->conf.bootstrap);
    service_unwatch(x->s, kafka_producer_fd(x->producer));
    kafka_producer_free(&x->producer);
    x->producer_failed = false;
    for (uint32_t p = 0; x->started && p < x->genesis.partitions; p++)
        part_again(&x->parts[p], "producer", RETRY_MS / 2);
    keep_results(x);
}

static void producer_turn(struct dispatcher *x)
{
    struct err err = {0};
    if (!x->producer) {
        struct kafka_conf c = x->kafka;
        c.linger_ms = (uint32_t)x->conf.linger_ms;
        if (x->mono_ms < x->producer_retry_ms)
            return;
        x->producer_retry_ms = x->mono_ms + RETRY_MS;
        if (kafka_producer_new(&c, &x->producer, &err)) {
            log_err(LOG_LEVEL_ERROR, "producer", &err, "bootstrap=%s", x->conf.bootstrap);
            return;
        }
        (void)service_watch(x->s, kafka_producer_fd(x->producer), woken, x);
    }
    (void)kafka_producer_poll(x->producer, 0, on_report, x);
    flush_backlog(x);
    if (x->producer_failed || kafka_producer_fatal(x->producer, &err))
        producer_again(x, &err);
}

bool world_written(const struct dispatcher *x)
{
    return !x->backlog;
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

static void fetch_turn(struct dispatcher *x)
{
    struct kafka_msg m[FETCH_MESSAGES];
    size_t n = kafka_fetch(x->fetcher, 0, m, FETCH_MESSAGES);
    for (size_t i = 0; i < n; i++) {
        if ((uint32_t)m[i].partition < x->genesis.partitions) {
            struct part *t = &x->parts[m[i].partition];
            if (strcmp(m[i].topic, TOPIC_OUTCOMES) == 0)
                part_outcome(t, &m[i]);
            else
                part_decision(t, &m[i]);
        }
        kafka_msg_done(&m[i]);
    }
    x->busy |= n == FETCH_MESSAGES;
}

void world_turn(struct dispatcher *x)
{
    start(x);
    if (!x->started)
        return;
    producer_turn(x);
    group_turn(x);
    part_claim_all(x);
    fetch_turn(x);
}

/* ---- beginning and end ---------------------------------------------------------------------------------------- */

int world_new(struct dispatcher *x, struct err *err)
{
    x->kafka = (struct kafka_conf){.bootstrap = x->conf.bootstrap,
                                   .client_id = "rouse-dispatcher",
                                   .session_ms = (uint32_t)x->conf.session_ms,
                                   .extra = x->kafka_extra.list,
                                   .log = service_kafka_log,
                                   .log_arg = x};
    x->backlog_end = &x->backlog;
    buf_init(&x->out, MAX_RECORD);
    if (kafka_extra(x->conf.kafka, &x->kafka_extra, err))
        return -1;
    return kafka_watch_new(&x->kafka, x->conf.group, &x->watch, err); /* refuses bad settings now */
}

void world_free(struct dispatcher *x)
{
    for (uint32_t p = 0; x->parts && p < x->genesis.partitions; p++)
        dispatch_free(&x->parts[p].d);
    free(x->parts);
    while (x->backlog) {
        struct backlog *b = x->backlog;
        x->backlog = b->next;
        free(b);
    }
    kafka_watch_free(&x->watch);
    kafka_group_free(&x->group);
    kafka_fetcher_free(&x->fetcher);
    kafka_producer_free(&x->producer);
    buf_free(&x->out);
}
