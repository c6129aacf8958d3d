/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine talks to: Redis, rouse.control, the group, the fetcher, the producer.  Each may be
 * away at the start and at any time after: it is waited for, said once, and said again when it is back.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine_priv.h"

#define REDIS_RETRY_MS 500
#define REDIS_GREET_MS 5000
#define CONTROL_RETRY_MS 1000
#define CONTROL_ASK_MS 1000
#define PRODUCER_RETRY_MS 500

/* Descriptors only wake the loop; it polls everything each turn. */
static void woken(void *arg)
{
    (void)arg;
}

/* ---- Redis ------------------------------------------------------------------------------------------------ */

static void redis_watch(struct engine *e)
{
    int fd = redis_fd(e->redis);
    bool write = redis_wants_write(e->redis);
    if (fd != e->redis_fd && e->redis_fd >= 0)
        service_unwatch(e->s, e->redis_fd);
    if (fd >= 0 && (fd != e->redis_fd || write != e->redis_write))
        service_watch_rw(e->s, fd, write, woken, e);
    e->redis_fd = fd;
    e->redis_write = write;
}

static void redis_lost(struct engine *e, const struct err *err)
{
    if (!e->redis_told)
        log_err(LOG_LEVEL_WARN, "redis_away", err, "address=%s", e->conf.redis);
    e->redis_told = true;
    e->redis_retry_ms = e->mono_ms + REDIS_RETRY_MS;
}

void world_redis(struct engine *e)
{
    struct err err = {0};
    enum redis_state before = redis_state(e->redis);
    if (before == REDIS_DOWN) {
        if (e->mono_ms < e->redis_retry_ms)
            return;
        if (redis_connect(e->redis, e->mono_ms + REDIS_GREET_MS, &err) != 0) {
            redis_lost(e, &err);
            return;
        }
    }
    if (redis_poll(e->redis, e->mono_ms, &err) != 0) {
        if (before == REDIS_READY)
            e->redis_told = false;
        if (e->redis_fd >= 0) /* the next socket may get the same number */
            service_unwatch(e->s, e->redis_fd);
        e->redis_fd = -1;
        redis_lost(e, &err);
    } else if (before != REDIS_READY && redis_state(e->redis) == REDIS_READY) {
        log_info("redis_ready", "address=%s", e->conf.redis);
        e->redis_told = false;
        e->busy = true;
    }
    redis_watch(e);
}

/* ---- rouse.control ------------------------------------------------------------------------------------------- */

static void take_control(struct engine *e, struct kafka_msg *m)
{
    struct err err = {0};
    if (m->err != NULL) {
        log_err(LOG_LEVEL_ERROR, "control", m->err, "offset=%" PRId64, m->offset);
        e->control_lost = true;
        e->control_retry_ms = e->mono_ms + CONTROL_RETRY_MS;
    } else {
        e->control_next = m->offset + 1;
        if (control_record(e->control, m->key, m->value, m->tombstone, m->offset, &err) != 0)
            log_err(LOG_LEVEL_ERROR, "control_record", &err, "offset=%" PRId64, m->offset);
    }
    kafka_msg_done(m);
}

/* Where does rouse.control end?  Asked until the broker has said it once. */
static bool control_ended(struct engine *e)
{
    int64_t low;
    struct err err = {0};
    if (e->control_end >= 0)
        return e->control_next >= e->control_end;
    if (e->mono_ms < e->control_retry_ms)
        return false;
    if (kafka_watermarks(&e->kafka, TOPIC_CONTROL, 0, &low, &e->control_end, CONTROL_ASK_MS,
                         &err) != 0) {
        e->control_retry_ms = service_mono_ms() + CONTROL_RETRY_MS; /* asking took its time */
        e->control_end = -1;
        if (!e->control_told)
            log_err(LOG_LEVEL_WARN, "kafka_away", &err, "bootstrap=%s", e->conf.bootstrap);
        e->control_told = true;
        return false;
    }
    e->control_told = false;
    if (kafka_fetch_assign(e->fetcher, TOPIC_CONTROL, 0, KAFKA_BEGINNING, &err) != 0) {
        log_err(LOG_LEVEL_WARN, "control_assign", &err, "topic=%s", TOPIC_CONTROL);
        e->control_retry_ms = e->mono_ms + CONTROL_RETRY_MS;
        e->control_end = -1;
        return false;
    }
    return e->control_next >= e->control_end;
}

static void control_again(struct engine *e)
{
    struct err err = {0};
    if (!e->control_lost || e->mono_ms < e->control_retry_ms)
        return;
    e->control_retry_ms = e->mono_ms + CONTROL_RETRY_MS;
    e->control_lost =
        kafka_fetch_assign(e->fetcher, TOPIC_CONTROL, 0,
                           e->control_next > 0 ? e->control_next : KAFKA_BEGINNING, &err) != 0;
}

void world_control(struct engine *e)
{
    control_again(e);
    if (e->started || !control_ended(e))
        return;
    const struct genesis *g = control_genesis(e->control);
    if (g == NULL) {
        if (!e->control_told)
            log_warn("genesis_awaited", "topic=%s hint=%s", TOPIC_CONTROL, "run rouse init");
        e->control_told = true;
        return;
    }
    e->genesis = *g;
    e->record_clock = g->record_clock;
    e->parts = xcalloc(g->partitions, sizeof *e->parts);
    for (uint32_t p = 0; p < g->partitions; p++)
        part_init(&e->parts[p], e, p);
    e->started = true;
    log_info("genesis", "topology=%08" PRIx32 " partitions=%" PRIu32 " clock=%s", g->topology,
             g->partitions, g->record_clock ? "record" : "append");
}

/* ---- group ---------------------------------------------------------------------------------------------------- */

static void on_assign(void *arg, const struct kafka_tp *tp, size_t n)
{
    struct engine *e = arg;
    bool *ours = xcalloc(e->genesis.partitions, sizeof *ours);
    e->n_owned = 0;
    for (size_t i = 0; i < n; i++) {
        if (tp[i].partition >= 0 && (uint32_t)tp[i].partition < e->genesis.partitions) {
            ours[tp[i].partition] = true;
            e->n_owned++;
        }
    }
    log_info("partitions", "n=%zu", n);
    for (uint32_t p = 0; p < e->genesis.partitions; p++)
        part_own(&e->parts[p], ours[p]);
    e->busy = true;
    free(ours);
}

static void group_end(struct engine *e)
{
    if (e->group == NULL)
        return;
    service_unwatch(e->s, kafka_group_fd(e->group));
    kafka_group_free(&e->group);
}

void world_group(struct engine *e)
{
    static const char *const topics[] = {TOPIC_LOG};
    struct err err = {0};
    if (!e->started)
        return;
    if (e->group == NULL) {
        if (e->draining || e->mono_ms < e->group_retry_ms)
            return;
        e->group_retry_ms = e->mono_ms + 5000;
        if (kafka_group_new(&e->kafka, e->conf.group, topics, 1, &e->group, &err) != 0) {
            log_err(LOG_LEVEL_ERROR, "group", &err, "group=%s", e->conf.group);
            return;
        }
        service_watch(e->s, kafka_group_fd(e->group), woken, e);
    }
    if (kafka_group_poll(e->group, 0, on_assign, e, &err) != 0) {
        log_err(LOG_LEVEL_ERROR, "group", &err, "group=%s", e->conf.group);
        on_assign(e, NULL, 0);
        group_end(e);
    }
}

/* ---- fetcher --------------------------------------------------------------------------------------------------- */

void world_fetch(struct engine *e)
{
    struct kafka_msg *m = e->fetched;
    if (e->queued_bytes > (size_t)e->conf.queue_bytes)
        return;
    size_t n = kafka_fetch(e->fetcher, 0, m, FETCH_MESSAGES);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(m[i].topic, TOPIC_CONTROL) == 0)
            take_control(e, &m[i]);
        else if (e->started && (uint32_t)m[i].partition < e->genesis.partitions)
            part_take(&e->parts[m[i].partition], &m[i]);
        else
            kafka_msg_done(&m[i]);
    }
    if (n == FETCH_MESSAGES)
        e->busy = true;
}

/* ---- producer --------------------------------------------------------------------------------------------------- */

/* Whose report it is: generation, partition, tick or part of a bite. */
void *world_opaque(const struct part *t, bool tick)
{
    return (void *)(uintptr_t)(t->gen << 11 | (uint64_t)t->p << 1 | (tick ? 1 : 0));
}

static void on_report(void *arg, void *opaque, const char *topic, int32_t partition, int64_t offset,
                      const struct err *err)
{
    struct engine *e = arg;
    uint64_t o = (uintptr_t)opaque;
    struct part *t = &e->parts[(o >> 1) & 1023];
    (void)partition;
    (void)offset;
    if (err != NULL) {
        if (!e->producer_failed)
            log_err(LOG_LEVEL_WARN, "report", err, "topic=%s p=%" PRIu32, topic, t->p);
        e->producer_failed = true;
    } else if ((o & 1) == 0 && t->gen == o >> 11) {
        commit_report(t);
    }
}

static void producer_end(struct engine *e)
{
    if (e->producer == NULL)
        return;
    service_unwatch(e->s, kafka_producer_fd(e->producer));
    kafka_producer_free(&e->producer);
    e->producer_failed = false;
    e->producer_retry_ms = e->mono_ms + PRODUCER_RETRY_MS;
}

void world_producer(struct engine *e)
{
    struct err err = {0};
    if (e->producer == NULL) {
        if (!e->started || e->mono_ms < e->producer_retry_ms)
            return;
        e->producer_retry_ms = e->mono_ms + PRODUCER_RETRY_MS;
        if (kafka_producer_new(&e->kafka, &e->producer, &err) != 0) {
            log_err(LOG_LEVEL_ERROR, "producer", &err, "bootstrap=%s", e->conf.bootstrap);
            return;
        }
        service_watch(e->s, kafka_producer_fd(e->producer), woken, e);
    }
    kafka_producer_poll(e->producer, 0, on_report, e);
    if (!e->producer_failed && !kafka_producer_fatal(e->producer, &err))
        return;
    log_err(LOG_LEVEL_WARN, "producer_again", &err, "bootstrap=%s", e->conf.bootstrap);
    producer_end(e);
    for (uint32_t p = 0; p < e->genesis.partitions; p++) {
        if (e->parts[p].state == PART_PRODUCING)
            part_again(&e->parts[p], "producer", NULL);
    }
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

static int kafka_settings(struct engine *e, struct err *err)
{
    if (kafka_extra(e->conf.kafka, &e->kafka_extra, err) != 0)
        return -1;
    e->kafka = (struct kafka_conf){
        .bootstrap = e->conf.bootstrap,
        .client_id = "rouse-engine",
        .linger_ms = (uint32_t)e->conf.linger_ms,
        .fetch_wait_ms = (uint32_t)e->conf.fetch_wait_ms,
        .session_ms = (uint32_t)e->conf.session_ms,
        .extra = e->kafka_extra.list,
        .log = service_kafka_log,
    };
    return 0;
}

static int password_read(struct engine *e, struct err *err)
{
    const char *name = e->conf.redis_password_file;
    if (name[0] == '\0')
        return 0;
    FILE *f = fopen(name, "re");
    if (f == NULL || fgets(e->password, sizeof e->password, f) == NULL) {
        if (f != NULL)
            (void)fclose(f);
        return err_set(err, ERR_INPUT, "--redis-password-file: %s cannot be read", name);
    }
    (void)fclose(f);
    e->password[strcspn(e->password, "\r\n")] = '\0';
    return 0;
}

int world_new(struct engine *e, struct err *err)
{
    if (kafka_settings(e, err) != 0 || password_read(e, err) != 0)
        return -1;
    const struct redis_conf rc = {
        .address = e->conf.redis,
        .user = e->conf.redis_user,
        .password = e->password,
    };
    if (redis_new(&rc, &e->redis, err) != 0)
        return -1;
    if (kafka_fetcher_new(&e->kafka, &e->fetcher, err) != 0)
        return -1;
    service_watch(e->s, kafka_fetcher_fd(e->fetcher), woken, e);
    e->control = control_new();
    buf_init(&e->produced, 1 << 20);
    e->control_end = -1;
    return 0;
}

void world_free(struct engine *e)
{
    for (uint32_t p = 0; e->started && p < e->genesis.partitions; p++)
        part_free(&e->parts[p]);
    if (e->redis != NULL) /* what is under way is called back, finds its partition gone, and goes */
        redis_close(e->redis, "the engine stops");
    redis_free(&e->redis);
    free(e->parts);
    group_end(e);
    producer_end(e);
    if (e->fetcher != NULL)
        service_unwatch(e->s, kafka_fetcher_fd(e->fetcher));
    kafka_fetcher_free(&e->fetcher);
    control_free(&e->control);
    buf_free(&e->produced);
}

void world_health(struct engine *e)
{
    char text[512];
    uint32_t parked = 0, first = 0;
    for (uint32_t p = e->started ? e->genesis.partitions : 0; p-- > 0;) {
        if (e->parts[p].state == PART_PARKED) {
            parked++;
            first = p;
        }
    }
    if (!e->started)
        service_health(e->s, false,
                       e->control_end < 0 ? "waiting for Kafka"
                                          : "waiting for genesis: rouse init");
    else if (redis_state(e->redis) != REDIS_READY)
        service_health(e->s, false, "waiting for Redis");
    else if (parked > 0) {
        snprintf(text, sizeof text, "%" PRIu32 " parked, partition %" PRIu32 ": %s; %s", parked,
                 first, e->parts[first].reason, e->parts[first].hint);
        service_health(e->s, false, text);
    } else {
        service_health(e->s, true, "");
    }
}
