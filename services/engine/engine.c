/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop.  Each turn: what has come from Kafka and Redis is taken in, every partition does what it
 * can without waiting, then everything waits for the next descriptor.  Only here clocks are read.
 */
#include "engine_priv.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TURN_MS 100 /* at least so often deadlines are looked at */
#define GAUGES_MS 1000
#define DRAIN_MS 5000 /* Kafka or Redis may be away */

static const char *const chaos_points[] = {"claimed",  "loaded",     "folded",   "produced",
                                           "reported", "committing", "committed"};

int64_t engine_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int chaos_parse(struct engine *e, const char *text, struct err *err)
{
    const char *colon = strchr(text, ':');
    if (text[0] == '\0')
        return 0;
    size_t n = colon == NULL ? 0 : (size_t)(colon - text);
    for (size_t i = 0; i < BASE_LEN(chaos_points); i++) {
        if (strlen(chaos_points[i]) == n && strncmp(text, chaos_points[i], n) == 0 &&
            str_i64(str_c(colon + 1), &e->chaos_left) == 0 && e->chaos_left > 0) {
            snprintf(e->chaos_name, sizeof e->chaos_name, "%s", chaos_points[i]);
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "--chaos-point: `%s` is not NAME:N", text);
}

void engine_chaos(struct engine *e, const char *name)
{
    if (e->chaos_left == 0 || strcmp(e->chaos_name, name) != 0 || --e->chaos_left > 0)
        return;
    log_warn("chaos", "point=%s", name);
    kill(getpid(), SIGKILL); /* as kill -9 would: nothing is tidied up */
}

int engine_new(const struct engine_conf *c, struct service *s, struct engine **out, struct err *err)
{
    struct engine *e = xcalloc(1, sizeof *e);
    e->conf = *c;
    e->s = s;
    e->redis_fd = -1;
    metrics_register(engine_metrics, EM_N);
    if (chaos_parse(e, c->chaos_point, err) != 0 || world_new(e, err) != 0) {
        engine_free(&e);
        return -1;
    }
    *out = e;
    return 0;
}

void engine_free(struct engine **ep)
{
    if (*ep == NULL)
        return;
    world_free(*ep);
    free(*ep);
    *ep = NULL;
}

/* One turn for every partition.  Redis is served between them, so that it never waits for the whole
 * round: while one partition folds, the COMMITs of the others are under way. */
static void turn_parts(struct engine *e)
{
    for (uint32_t p = 0; p < e->genesis.partitions; p++) {
        struct part *t = &e->parts[p];
        if (t->state == PART_IDLE)
            continue;
        bool was_ready = t->state == PART_READY, more = part_step(t);
        e->busy |= more;
        tick_part(t);
        bool worked = was_ready && (more || t->state != PART_READY);
        if (worked && redis_pending(e->redis) > 0)
            world_redis(e);
    }
}

static void turn(struct engine *e)
{
    e->now_ms = service_now_ms();
    e->mono_ms = service_mono_ms();
    e->busy = false;
    world_redis(e);
    world_control(e);
    world_group(e);
    world_fetch(e);
    world_producer(e);
    if (e->started)
        turn_parts(e);
    world_redis(e);
    offsets_flush(e, false);
    if (e->mono_ms - e->gauges_ms >= GAUGES_MS) {
        e->gauges_ms = e->mono_ms;
        metrics_gauges(e);
    }
    world_health(e);
}

/* How long may the loop sleep if no descriptor wakes it? */
static int pause_ms(const struct engine *e)
{
    if (e->busy)
        return 0;
    int64_t wait = TURN_MS;
    for (uint32_t p = 0; e->started && p < e->genesis.partitions; p++) {
        const struct part *t = &e->parts[p];
        if (t->state == PART_READY && t->dirty_ms != 0 && e->conf.window_ms < wait)
            wait = e->conf.window_ms;
    }
    if (e->offsets_urgent && wait > 5)
        wait = 5;
    return (int)wait;
}

static bool quiet(const struct engine *e)
{
    for (uint32_t p = 0; e->started && p < e->genesis.partitions; p++) {
        const struct part *t = &e->parts[p];
        if (t->state == PART_LOADING || t->state == PART_PRODUCING || t->state == PART_COMMITTING)
            return false;
        if (t->state == PART_READY && decide_dirty(t->d))
            return false;
    }
    return true;
}

static void drain(struct engine *e)
{
    int64_t until = service_mono_ms() + DRAIN_MS;
    e->draining = true;
    log_info("draining", "partitions=%" PRIu32, e->n_owned);
    do {
        turn(e);
        if (quiet(e)) {
            offsets_flush(e, true);
            return;
        }
        (void)service_wait(e->s, e->busy ? 0 : 5);
    } while (e->mono_ms < until);
    log_warn("not_drained", "effect=%s",
             "what was not committed is folded again by who comes next");
}

void engine_run(struct engine *e)
{
    int wait = 0;
    while (service_wait(e->s, wait)) {
        turn(e);
        wait = pause_ms(e);
    }
    drain(e);
}
