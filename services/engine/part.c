/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A partition: its states and its queue of fetched messages.  Whatever surprises it leads back to
 * CLAIM, which is always safe; what can only get worse by going on parks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine_priv.h"

#define PARK_RETRY_MS 30000  /* a cause that an operator may have mended */
#define QUEUE_MIN (1u << 20) /* bytes a partition may always queue */

const char *const part_state_names[PART_STATES] = {
    [PART_IDLE] = "idle",
    [PART_WAITING] = "waiting",
    [PART_CLAIMING] = "claiming",
    [PART_BUNDLE] = "bundle",
    [PART_POSITIONING] = "positioning",
    [PART_READY] = "ready",
    [PART_LOADING] = "loading",
    [PART_PRODUCING] = "producing",
    [PART_COMMITTING] = "committing",
    [PART_PARKED] = "parked",
};

/* ---- queue ---------------------------------------------------------------------------------------------- */

struct kafka_msg *part_front(struct part *t)
{
    return t->q_n > 0 ? &t->queue[t->q_head] : NULL;
}

static size_t msg_bytes(const struct kafka_msg *m)
{
    return m->value.n + m->key.n + 200;
}

struct kafka_msg part_pop(struct part *t)
{
    struct kafka_msg m = t->queue[t->q_head];
    t->q_head = (t->q_head + 1) % t->q_cap;
    t->q_n--;
    t->q_bytes -= msg_bytes(&m);
    t->e->queued_bytes -= msg_bytes(&m);
    if (t->paused && t->q_bytes < QUEUE_MIN / 2) {
        kafka_fetch_pause(t->e->fetcher, TOPIC_LOG, (int32_t)t->p, false);
        t->paused = false;
    }
    return m;
}

void part_take(struct part *t, struct kafka_msg *m)
{
    if (t->state < PART_POSITIONING || t->state == PART_PARKED) {
        kafka_msg_done(m);
        return;
    }
    if (t->q_n == t->q_cap) {
        size_t cap = t->q_cap == 0 ? 64 : t->q_cap * 2;
        struct kafka_msg *q = xmalloc(cap * sizeof *q);
        for (size_t i = 0; i < t->q_n; i++)
            q[i] = t->queue[(t->q_head + i) % t->q_cap];
        free(t->queue);
        t->queue = q;
        t->q_head = 0;
        t->q_cap = cap;
    }
    t->queue[(t->q_head + t->q_n++) % t->q_cap] = *m;
    t->q_bytes += msg_bytes(m);
    t->e->queued_bytes += msg_bytes(m);
    size_t share = (size_t)t->e->conf.queue_bytes / (t->e->n_owned > 0 ? t->e->n_owned : 1);
    if (!t->paused && t->q_bytes > (share > QUEUE_MIN ? share : QUEUE_MIN)) {
        kafka_fetch_pause(t->e->fetcher, TOPIC_LOG, (int32_t)t->p, true);
        t->paused = true;
    }
}

/* ---- states --------------------------------------------------------------------------------------------- */

/* Nothing of the claim survives. */
static void drop_all(struct part *t)
{
    fold_drop(t);
    while (t->q_n > 0) {
        struct kafka_msg m = part_pop(t);
        kafka_msg_done(&m);
    }
    if (t->e->fetcher != NULL)
        kafka_fetch_unassign(t->e->fetcher, TOPIC_LOG, (int32_t)t->p);
    decide_free(&t->d);
    t->gen++;
    t->paused = false;
    t->loads = 0;
    t->reports = 0;
    t->dirty_ms = 0;
}

void part_move(struct part *t, enum part_state to, const char *why)
{
    if (to <= PART_POSITIONING || to == PART_PARKED)
        log_debug("partition", "p=%" PRIu32 " from=%s to=%s why=%s", t->p,
                  part_state_names[t->state], part_state_names[to], why);
    if (to == PART_IDLE || to == PART_WAITING || to == PART_PARKED)
        drop_all(t); /* after the log: `why` may be a queued message's */
    t->state = to;
    if (to == PART_READY)
        t->e->busy = true;
    t->since_ms = t->e->mono_ms;
}

void part_own(struct part *t, bool ours)
{
    if (ours == part_owned(t))
        return;
    t->failures = 0;
    t->reason[0] = '\0';
    t->retry_ms = 0;
    part_move(t, ours ? PART_WAITING : PART_IDLE, "group");
}

void part_again(struct part *t, const char *why, const struct err *err)
{
    uint16_t r;
    service_random((uint8_t *)&r, sizeof r);
    unsigned f = t->failures++ < 5 ? t->failures : 5;
    int64_t most = INT64_C(100) << f; /* 200 ms … 3.2 s */
    t->retry_ms = t->e->mono_ms + most / 2 + r % (most / 2);
    metric_add(&engine_metrics[EM_AGAIN], why, 1);
    if (err != NULL && err->kind != ERR_NONE)
        log_err(LOG_LEVEL_WARN, "partition_again", err, "p=%" PRIu32 " cause=%s off=%" PRIu64, t->p,
                why, t->cursor.off);
    else
        log_info("partition_again", "p=%" PRIu32 " cause=%s off=%" PRIu64, t->p, why,
                 t->cursor.off);
    part_move(t, PART_WAITING, why);
}

/* What a person can do about it; `again`: it is looked at again by and by, else at the next start. */
static const struct park {
    const char *code, *hint;
    bool again;
} parks[] = {
    {"state_lost", "restore a backup of Redis, or rebuild", true},
    {"setup", "rouse init loads the functions; then check the rights of --redis-user", true},
    {"topology", "--redis or --bootstrap names another rouse's: mend it", true},
    {"clock", "mend this host's clock; if it is the broker's that is wrong, wait until it is past",
     true},
    {"produce", "rouse init makes the topics; then check the broker", true},
    {"log", "check the broker and the rights on rouse.log", true},
    {"level", "start the newer rouse-engine", false},
    {"bundle", "rouse.control is damaged or newer: start the rouse-engine that fits it", false},
    {"meta", "restore a backup of Redis, or start the newer rouse-engine", false},
    {"log_expired", "restore a younger backup of Redis, or rebuild", false},
    {"log_diverged", "restore rouse.log, or rebuild Redis from it", false},
    {"log_time", "run rouse init: rouse.log must be stamped by the broker from its first record",
     false},
    {"record", "nothing is lost, it waits here: start a rouse-engine that can fold this record",
     false},
};

void part_park(struct part *t, const char *code, const char *fmt, ...)
{
    char text[sizeof t->reason];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    t->retry_ms = INT64_MAX;
    t->hint = "report it as a fault of rouse; a restart tries again";
    for (size_t i = 0; i < BASE_LEN(parks); i++) {
        if (strcmp(code, parks[i].code) != 0)
            continue;
        t->hint = parks[i].hint;
        if (parks[i].again)
            t->retry_ms = t->e->mono_ms + PARK_RETRY_MS;
    }
    if (strcmp(text, t->reason) != 0)
        log_error("partition_parked", "p=%" PRIu32 " code=%s off=%" PRIu64 " text=%s hint=%s", t->p,
                  code, t->cursor.off, text, t->hint);
    memcpy(t->reason, text, sizeof text);
    part_move(t, PART_PARKED, code);
}

void part_refused(struct part *t, const char *what, const struct redis_result *res)
{
    char cause[32];
    switch (res->fault) {
    case REDIS_FAULT_NOMETA:
        part_park(t, "state_lost", "state lost: Redis has no home slot of it");
        return;
    case REDIS_FAULT_SETUP:
        part_park(t, "setup", "%s: %.120s", what, res->err.text);
        return;
    case REDIS_FAULT_BUG:
        part_park(t, "redis", "%s: %.120s", what, res->err.text);
        return;
    case REDIS_FAULT_NONE:
    case REDIS_FAULT_CONFLICT:
    case REDIS_FAULT_HOLD:
    case REDIS_FAULT_ELSEWHERE:
        break;
    }
    snprintf(cause, sizeof cause, "%s",
             res->outcome == REDIS_UNCERTAIN ? "lost_reply" : redis_fault_name(res->fault));
    if (res->fault == REDIS_FAULT_ELSEWHERE)
        redis_close(t->e->redis, "it is not the primary of this partition any more");
    part_again(t, cause, &res->err);
}

/* ---- requests ------------------------------------------------------------------------------------------- */

struct request *request_new(struct part *t)
{
    struct request *q = xcalloc(1, sizeof *q);
    q->t = t;
    q->gen = t->gen;
    q->a = arena_new(0);
    return q;
}

void request_free(struct request *q)
{
    arena_free(&q->a);
    free(q);
}

bool request_stale(const struct request *q)
{
    return q->gen != q->t->gen;
}

/* ---- one step ----------------------------------------------------------------------------------------------- */

bool part_step(struct part *t)
{
    switch (t->state) {
    case PART_WAITING:
        if (t->e->mono_ms >= t->retry_ms && !t->e->draining)
            claim_begin(t);
        return false;
    case PART_BUNDLE:
    case PART_PARKED:
        if (t->e->mono_ms >= t->retry_ms && !t->e->draining) {
            part_move(t, PART_WAITING, "retry");
            t->retry_ms = 0;
        }
        return false;
    case PART_POSITIONING:
        return claim_position(t);
    case PART_READY:
        return fold_step(t);
    case PART_PRODUCING:
        commit_produce(t);
        return false;
    case PART_IDLE:
    case PART_CLAIMING:
    case PART_LOADING:
    case PART_COMMITTING:
    case PART_STATES:
        break;
    }
    return false;
}

void part_init(struct part *t, struct engine *e, uint32_t p)
{
    *t = (struct part){.e = e, .p = p};
    redis_home(&t->home, p, e->genesis.partitions);
    t->arena = arena_new(0);
}

void part_free(struct part *t)
{
    part_move(t, PART_IDLE, "end");
    arena_free(&t->arena);
    free(t->queue);
    free(t->items);
}
