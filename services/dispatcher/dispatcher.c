/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatcher: the loop and its order: records in, answers in, timers, new attempts, commits.  Ends by
 * draining: nothing new is tried, answers are waited for and written down, snapshots are taken, so that
 * whoever comes next finds nothing open.
 */
#include "dispatcher_priv.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define IDLE_MS 100
#define GAUGES_MS 500
#define KAFKA_MS 3000

struct dispatch_now dispatcher_now(struct dispatcher *x)
{
    x->rng ^= x->rng << 13;
    x->rng ^= x->rng >> 7;
    x->rng ^= x->rng << 17;
    return (struct dispatch_now){x->now_ms, (uint32_t)(x->rng >> 32)};
}

void dispatcher_chaos(struct dispatcher *x, const char *point)
{
    if (x->chaos_left && strcmp(point, x->chaos) == 0 && --x->chaos_left == 0)
        (void)kill(getpid(), SIGKILL);
}

static int chaos_option(struct dispatcher *x, struct err *err)
{
    const char *text = x->conf.chaos_point, *colon = strchr(text, ':');
    if (!text[0])
        return 0;
    if (!colon || (size_t)(colon - text) >= sizeof x->chaos ||
        str_i64(str_c(colon + 1), &x->chaos_left) || x->chaos_left < 1)
        return err_set(err, ERR_INPUT, "chaos-point: not NAME:N: `%s`", text);
    (void)snprintf(x->chaos, sizeof x->chaos, "%.*s", (int)(colon - text), text);
    return 0;
}

static void client_ready(void *arg)
{
    (void)arg; /* polled each turn */
}

int dispatcher_new(const struct dispatcher_conf *conf, struct service *s, struct dispatcher **out,
                   struct err *err)
{
    struct dispatcher *x = xcalloc(1, sizeof *x);
    x->conf = *conf;
    x->s = s;
    x->arena = arena_new(0);
    service_random((uint8_t *)&x->rng, sizeof x->rng);
    x->rng |= 1;
    metrics_register(dispatcher_metrics, DM_N);
    if (chaos_option(x, err) || world_new(x, err) || gateways_load(x, err) ||
        webhook_client_new(0, gateways_answer, x, &x->client, err) ||
        service_watch(s, webhook_client_fd(x->client), client_ready, x)) {
        dispatcher_free(&x);
        return -1;
    }
    service_health(s, false, "starting");
    *out = x;
    return 0;
}

static void health(struct dispatcher *x)
{
    struct buf b;
    bool ready = x->started && x->group && x->producer;
    buf_init(&b, 4096);
    if (!ready)
        buf_adds(&b, !x->started ? "waiting for Kafka and rouse.control\n" : "waiting for Kafka\n");
    for (uint32_t p = 0; x->started && p < x->genesis.partitions; p++)
        if (x->parts[p].state == PART_PARKED) {
            ready = false;
            buf_addf(&b, "parked: %s\n", dispatch_error(x->parts[p].d)->text);
        }
    service_health(x->s, ready, b.p ? b.p : "");
    buf_free(&b);
}

static void parts_turn(struct dispatcher *x)
{
    x->n_pending = 0;
    for (uint32_t p = 0; x->started && p < x->genesis.partitions; p++)
        x->n_pending += dispatch_pending(x->parts[p].d);
    for (uint32_t p = 0; x->started && p < x->genesis.partitions; p++)
        part_turn(&x->parts[p]);
}

static void turn(struct dispatcher *x)
{
    x->busy = false;
    x->now_ms = service_now_ms();
    x->mono_ms = service_mono_ms();
    world_turn(x);
    parts_turn(x);
    gateways_turn(x);
    world_commit(x, false);
    if (x->mono_ms >= x->gauges_ms) {
        metrics_gauges(x);
        health(x);
        x->gauges_ms = x->mono_ms + GAUGES_MS;
    }
}

static int wait_ms(const struct dispatcher *x)
{
    int64_t wait = IDLE_MS;
    int64_t curl = webhook_client_timeout_ms(x->client, x->mono_ms);
    if (x->busy)
        return 0;
    if (curl >= 0 && curl < wait)
        wait = curl;
    for (uint32_t p = 0; x->started && p < x->genesis.partitions; p++) {
        int64_t due = dispatch_next_due(x->parts[p].d);
        if (due != TIME_NEVER && due - x->now_ms < wait)
            wait = due > x->now_ms ? due - x->now_ms : 0;
        if (x->parts[p].state == PART_RUNNING &&
            dispatch_floor(x->parts[p].d) != x->parts[p].floor &&
            x->commit_at_ms - x->mono_ms < wait)
            wait = x->commit_at_ms > x->mono_ms ? x->commit_at_ms - x->mono_ms : 0;
    }
    return (int)wait;
}

static bool snapshots_read(const struct dispatcher *x)
{
    for (uint32_t p = 0; p < x->genesis.partitions; p++) {
        const struct part *t = &x->parts[p];
        if (t->state == PART_RUNNING && t->snapshot_waiting &&
            dispatch_snapshot_off(t->d) == t->snapshot_seen)
            return false;
    }
    return true;
}

static bool busy(const struct dispatcher *x, int64_t *now)
{
    *now = service_mono_ms();
    return gateways_busy(x) || !world_written(x);
}

/* The gateways are given conf.drain_ms; Kafka, which may be away, a few seconds. */
static void drain(struct dispatcher *x)
{
    int64_t now = service_mono_ms(), end = now + x->conf.drain_ms, kafka_end = now + KAFKA_MS;
    x->draining = true;
    log_info("draining", "in_flight=%" PRIu32 " pending=%" PRIu64, gateways_busy(x), x->n_pending);
    while (x->started && busy(x, &now) && now < end &&
           (webhook_client_in_flight(x->client) || now < kafka_end)) {
        (void)service_wait(x->s, 5);
        turn(x);
    }
    if (x->started && !busy(x, &now)) {
        for (uint32_t p = 0; p < x->genesis.partitions; p++)
            (void)part_snapshot(&x->parts[p]);
        kafka_end = now + KAFKA_MS;
        while (!snapshots_read(x) && service_mono_ms() < kafka_end) {
            (void)service_wait(x->s, 5);
            turn(x);
        }
        if (snapshots_read(x))
            world_commit(x, true);
    }
    log_info("stopped", "in_flight=%" PRIu32 " pending=%" PRIu64, gateways_busy(x), x->n_pending);
}

void dispatcher_run(struct dispatcher *x)
{
    int wait = 0;
    while (service_wait(x->s, wait)) {
        turn(x);
        wait = wait_ms(x);
    }
    drain(x);
}

void dispatcher_free(struct dispatcher **xp)
{
    struct dispatcher *x = *xp;
    if (!x)
        return;
    webhook_client_free(&x->client);
    world_free(x);
    gateways_free(x);
    arena_free(&x->arena);
    free(x);
    *xp = NULL;
}
