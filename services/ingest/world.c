/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ingest talks to: rouse.control, the producer, the group; and which rules are in force.  Each may be
 * away at the start and at any time after: it is waited for, and said once.
 */
#include "ingest_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CONTROL_RETRY_MS 1000
#define PRODUCER_RETRY_MS 500
#define GROUP_RETRY_MS 5000
#define FULL_TRIES 100 /* of 10 ms each, when the producer's queue is full */

/* Descriptors only wake the loop; it polls everything each turn. */
static void woken(void *arg)
{
    (void)arg;
}

/* ---- rouse.control ---- */

static void take_control(struct ingest *in, struct kafka_msg *m)
{
    struct err err = {0};
    if (m->err) {
        log_err(LOG_LEVEL_ERROR, "control", m->err, "off=%" PRId64, m->offset);
        in->control_lost = true;
        in->control_retry_ms = in->mono_ms + CONTROL_RETRY_MS;
    } else {
        in->control_next = m->offset + 1;
        if (control_record(in->control, m->key, m->value, m->tombstone, m->offset, &err) != 0)
            log_err(LOG_LEVEL_ERROR, "control_record", &err, "off=%" PRId64, m->offset);
        source_epochs(in);
    }
    kafka_msg_done(m);
}

/* Has rouse.control been read to the end that it had at the start? */
static bool control_ended(struct ingest *in)
{
    int64_t low;
    struct err err = {0};
    if (in->control_end >= 0)
        return in->control_next >= in->control_end;
    if (in->mono_ms < in->control_retry_ms)
        return false;
    in->control_retry_ms = in->mono_ms + CONTROL_RETRY_MS;
    if (kafka_watermarks(&in->kafka, TOPIC_CONTROL, 0, &low, &in->control_end, 1000, &err) != 0 ||
        kafka_fetch_assign(in->fetcher, TOPIC_CONTROL, 0, KAFKA_BEGINNING, &err) != 0) {
        in->control_end = -1;
        if (!in->told)
            log_err(LOG_LEVEL_WARN, "kafka_away", &err, "bootstrap=%s", in->conf.bootstrap);
        in->told = true;
        return false;
    }
    in->told = false;
    return in->control_next >= in->control_end;
}

static void control_again(struct ingest *in)
{
    struct err err = {0};
    if (!in->control_lost || in->mono_ms < in->control_retry_ms)
        return;
    in->control_retry_ms = in->mono_ms + CONTROL_RETRY_MS;
    in->control_lost =
        kafka_fetch_assign(in->fetcher, TOPIC_CONTROL, 0,
                           in->control_next > 0 ? in->control_next : KAFKA_BEGINNING, &err) != 0;
}

static void control_turn(struct ingest *in)
{
    control_again(in);
    if (in->started || !control_ended(in))
        return;
    const struct genesis *g = control_genesis(in->control);
    if (!g) {
        if (!in->told)
            log_warn("genesis_awaited", "topic=%s hint=%s", TOPIC_CONTROL, "run rouse init");
        in->told = true;
        return;
    }
    in->told = false;
    in->genesis = *g;
    in->started = true;
    in->pack = pack_new(g->partitions, (size_t)in->conf.record_bytes, world_emit, in);
    log_info("genesis", "topology=%08" PRIx32 " partitions=%" PRIu32 " clock=%s", g->topology,
             g->partitions, g->record_clock ? "record" : "append");
}

/* ---- which rules ---- */

void world_adopt(struct ingest *in)
{
    uint64_t n = 0;
    const struct program *p = NULL;
    struct err err = {0};
    const struct active *v = control_active(in->control, &n);
    if (!v || (in->program && in->n == n) || in->bad_n == n)
        return;
    int rc = control_program(in->control, str_c(v->hash), &p, &err);
    if (rc == 0) /* its chunks come before it: what is missing now may still be on its way */
        return;
    if (rc < 0) {
        log_err(LOG_LEVEL_ERROR, "rules", &err, "n=%" PRIu64 " hash=%.12s", n, v->hash);
        in->bad_n = n; /* the old rules stay */
        return;
    }
    pack_flush(in->pack);
    in->program = p;
    in->active = *v;
    in->n = n;
    in->announced = false;
    metric_set(&ingest_metrics[IM_RULES], NULL, (double)n);
    log_info("rules", "n=%" PRIu64 " hash=%.12s level=%" PRIu32, n, v->hash, v->level);
}

void world_announce(struct ingest *in, int64_t at_ms)
{
    const struct record r = {.kind = REC_RULES,
                             .at_ms = at_ms,
                             .n = in->n,
                             .hash = str_c(in->active.hash),
                             .level = in->active.level};
    if (in->announced)
        return;
    buf_reset(&in->b);
    record_write(&r, &in->b);
    for (uint32_t p = 0; p < in->genesis.partitions; p++)
        world_append(in, TOPIC_LOG, (int32_t)p, (struct str){NULL, 0}, buf_str(&in->b));
    in->announced = true;
}

/* ---- producer ---- */

#define BYTES_BITS 21 /* an opaque is the window's id and the record's bytes */

static void on_report(void *arg, void *opaque, const char *topic, int32_t partition, int64_t offset,
                      const struct err *err)
{
    struct ingest *in = arg;
    uint64_t o = (uintptr_t)opaque, bytes = o & ((1U << BYTES_BITS) - 1);
    in->inflight_bytes -= bytes < in->inflight_bytes ? bytes : in->inflight_bytes;
    if (err) {
        if (!in->producer_failed)
            log_err(LOG_LEVEL_WARN, "report", err, "topic=%s p=%d", topic, partition);
        in->producer_failed = true;
        return;
    }
    if (strcmp(topic, TOPIC_LOG) == 0)
        lapse_report(in, partition, offset);
    progress_reported(in->progress, o >> BYTES_BITS);
}

static void producer_end(struct ingest *in)
{
    if (in->producer) {
        service_unwatch(in->s, kafka_producer_fd(in->producer));
        kafka_producer_free(&in->producer);
    }
    in->producer_failed = false;
    in->inflight_bytes = 0;
    in->producer_retry_ms = in->mono_ms + PRODUCER_RETRY_MS;
}

static void producer_turn(struct ingest *in)
{
    struct err err = {0};
    if (!in->producer) {
        if (in->mono_ms < in->producer_retry_ms)
            return;
        in->producer_retry_ms = in->mono_ms + PRODUCER_RETRY_MS;
        if (kafka_producer_new(&in->kafka, &in->producer, &err) != 0) {
            log_err(LOG_LEVEL_ERROR, "producer", &err, "bootstrap=%s", in->conf.bootstrap);
            return;
        }
        service_watch(in->s, kafka_producer_fd(in->producer), woken, in);
    }
    /* When nothing more may be appended the fetcher's descriptor keeps waking us: wait here. */
    kafka_producer_poll(in->producer, world_room(in) ? 0 : 5, on_report, in);
    metric_set(&ingest_metrics[IM_INFLIGHT], NULL, (double)in->inflight_bytes);
    if (!in->producer_failed && !kafka_producer_fatal(in->producer, &err))
        return;
    producer_end(in);
    world_restart(in, "producer");
}

bool world_room(const struct ingest *in)
{
    return in->inflight_bytes < (uint64_t)in->conf.queue_bytes;
}

/* Nothing of this window may be committed once one append has failed: the next turn restarts. */
void world_append(struct ingest *in, const char *topic, int32_t p, struct str key, struct str value)
{
    if (!in->producer)
        in->producer_failed = true;
    if (in->producer_failed)
        return;
    uint64_t id = progress_sent(in->progress);
    void *opaque = (void *)(uintptr_t)(id << BYTES_BITS | value.n);
    in->inflight_bytes += value.n;
    for (int i = 0; i < FULL_TRIES; i++) {
        struct err err = {0};
        if (kafka_produce(in->producer, topic, p, key, value, NULL, 0, opaque, &err) == 0) {
            count(IM_APPENDED, NULL, 1);
            count(IM_BYTES, NULL, (double)value.n);
            return;
        }
        if (err.kind != ERR_AGAIN || i + 1 == FULL_TRIES) {
            log_err(LOG_LEVEL_WARN, "append", &err, "topic=%s p=%d bytes=%zu", topic, p, value.n);
            break;
        }
        kafka_producer_poll(in->producer, 10, on_report, in);
    }
    in->producer_failed = true;
}

void world_emit(void *arg, uint32_t p, struct str record)
{
    world_append(arg, TOPIC_LOG, (int32_t)p, (struct str){NULL, 0}, record);
}

/* ---- group ---- */

static void on_assign(void *arg, const struct kafka_tp *tp, size_t n)
{
    struct ingest *in = arg;
    if (in->assigned)
        world_restart(in, "assignment");
    source_assign(in, tp, n);
}

static void group_end(struct ingest *in)
{
    if (!in->group)
        return;
    service_unwatch(in->s, kafka_group_fd(in->group));
    kafka_group_free(&in->group);
    if (in->assigned)
        world_restart(in, "group");
    source_assign(in, NULL, 0);
}

static void add_topic(const char **list, size_t *n, const char *topic)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(list[i], topic) == 0)
            return;
    list[(*n)++] = topic;
}

/* The topics of the rules in force and our own two. True when the group has others. */
static bool topics_changed(struct ingest *in)
{
    const struct schema *s = in->program->schema;
    struct arena *a = arena_new(0);
    const char **list = ARENA_ARRAY(a, const char *, s->n + 2);
    size_t n = 0;
    for (uint32_t i = 0; i < s->n; i++)
        if (!s->events[i]->receipt && s->events[i]->topic.n)
            add_topic(list, &n, arena_str(a, s->events[i]->topic).p);
    add_topic(list, &n, TOPIC_OUTCOMES);
    if (!in->genesis.record_clock)
        add_topic(list, &n, TOPIC_RECEIPTS);
    bool same = in->group && n == in->subscribed;
    for (size_t i = 0; same && i < n; i++)
        same = strcmp(list[i], in->topics[i]) == 0;
    if (same) {
        arena_free(&a);
        return false;
    }
    arena_free(&in->topics_a);
    in->topics_a = a;
    in->topics = list;
    in->subscribed = n;
    return true;
}

static void group_turn(struct ingest *in)
{
    struct err err = {0};
    if (!in->program)
        return;
    if (in->mono_ms >= in->group_retry_ms && topics_changed(in)) {
        group_end(in);
        in->group_retry_ms = in->mono_ms + GROUP_RETRY_MS;
        if (kafka_group_new(&in->kafka, in->conf.group, in->topics, in->subscribed, &in->group,
                            &err) != 0) {
            log_err(LOG_LEVEL_ERROR, "group", &err, "group=%s", in->conf.group);
            return;
        }
        in->group_retry_ms = in->mono_ms;
        service_watch(in->s, kafka_group_fd(in->group), woken, in);
        log_info("subscribed", "group=%s topics=%zu", in->conf.group, in->subscribed);
    }
    if (in->group && kafka_group_poll(in->group, 0, on_assign, in, &err) != 0) {
        log_err(LOG_LEVEL_ERROR, "group", &err, "group=%s", in->conf.group);
        group_end(in);
        in->group_retry_ms = in->mono_ms + GROUP_RETRY_MS;
    }
}

/* ---- fetcher ---- */

/* The next batch: control records are taken at once, the others wait in in->batch. */
void world_fetch(struct ingest *in)
{
    struct kafka_msg *m = in->batch; /* taken control records leave gaps, which are closed */
    if (in->batch_at < in->batch_n || !world_room(in))
        return;
    size_t n = kafka_fetch(in->fetcher, 0, m, BASE_LEN(in->batch));
    in->batch_at = in->batch_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(m[i].topic, TOPIC_CONTROL) == 0)
            take_control(in, &m[i]);
        else
            in->batch[in->batch_n++] = m[i];
    }
    in->busy |= n > 0;
}

/* ---- all of it ---- */

void world_restart(struct ingest *in, const char *why)
{
    log_info("restart", "cause=%s", why);
    count(IM_RESTARTS, why, 1);
    while (in->batch_at < in->batch_n)
        kafka_msg_done(&in->batch[in->batch_at++]);
    lapse_stop(in);
    pack_reset(in->pack);
    progress_reset(in->progress);
    source_forget(in);
    in->announced = false;
}

void world_turn(struct ingest *in)
{
    control_turn(in);
    if (!in->started)
        return;
    producer_turn(in);
    if (!in->genesis.record_clock || !in->program)
        world_adopt(in);
    if (!in->draining)
        group_turn(in);
    else if (in->group)
        (void)kafka_group_poll(in->group, 0, NULL, NULL, &(struct err){0});
}

void world_health(struct ingest *in)
{
    char text[160];
    size_t parked = 0, ours = 0;
    const struct src *first = NULL;
    for (size_t i = 0; i < in->n_src; i++) {
        ours += in->src[i]->ours;
        parked += in->src[i]->ours && in->src[i]->parked;
        if (in->src[i]->ours && in->src[i]->parked && !first)
            first = in->src[i];
    }
    metric_set(&ingest_metrics[IM_SOURCES], NULL, (double)ours);
    metric_set(&ingest_metrics[IM_PARKED], NULL, (double)parked);
    if (!in->started)
        service_health(in->s, false,
                       in->control_end < 0 ? "waiting for Kafka"
                                           : "waiting for genesis: rouse init");
    else if (!in->program)
        service_health(in->s, false, "waiting for rules: rouse apply");
    else if (first) {
        (void)snprintf(text, sizeof text, "%zu parked, first %.100s/%d", parked, first->topic,
                       first->partition);
        service_health(in->s, false, text);
    } else if (in->placing)
        service_health(in->s, false, "waiting for the places of its partitions");
    else if (!in->assigned)
        service_health(in->s, false, "waiting for partitions");
    else
        service_health(in->s, true, "");
}

static int kafka_settings(struct ingest *in, struct err *err)
{
    if (kafka_extra(in->conf.kafka, &in->kafka_extra, err) != 0)
        return -1;
    in->kafka = (struct kafka_conf){.bootstrap = in->conf.bootstrap,
                                    .client_id = "rouse-ingest",
                                    .linger_ms = (uint32_t)in->conf.linger_ms,
                                    .fetch_wait_ms = (uint32_t)in->conf.fetch_wait_ms,
                                    .session_ms = (uint32_t)in->conf.session_ms,
                                    .extra = in->kafka_extra.list,
                                    .log = service_kafka_log};
    return 0;
}

int world_new(struct ingest *in, struct err *err)
{
    in->control = control_new();
    in->control_end = -1;
    if (kafka_settings(in, err) != 0 || kafka_fetcher_new(&in->kafka, &in->fetcher, err) != 0 ||
        kafka_watch_new(&in->kafka, in->conf.group, &in->ends, err) != 0)
        return -1;
    service_watch(in->s, kafka_fetcher_fd(in->fetcher), woken, in);
    return 0;
}

void world_free(struct ingest *in)
{
    while (in->batch_at < in->batch_n)
        kafka_msg_done(&in->batch[in->batch_at++]);
    if (in->group) {
        service_unwatch(in->s, kafka_group_fd(in->group));
        kafka_group_free(&in->group);
    }
    if (in->producer)
        producer_end(in);
    for (size_t i = 0; i < in->n_src; i++)
        source_free(in->src[i]);
    free(in->src);
    if (in->fetcher)
        service_unwatch(in->s, kafka_fetcher_fd(in->fetcher));
    kafka_fetcher_free(&in->fetcher);
    kafka_watch_free(&in->ends);
    control_free(&in->control);
    arena_free(&in->topics_a);
}
