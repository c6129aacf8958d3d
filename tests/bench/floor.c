/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor: what the same work costs when it does nothing.  Consumes rouse.log, and for every batch of
 * records sends one MGET and one MSET of as many states of `--state` bytes as a commit would carry,
 * then commits nothing and decides nothing.  Prints events, seconds and its own CPU time: the engine's
 * figures are read beside it, from the same run on the same machine.
 *
 *   bench_floor BOOTSTRAP REDIS PARTITIONS STATE_BYTES
 */
#include "kafka.h"
#include "model.h"
#include "redis.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define BATCH 2000
#define GROUP 512

struct floor {
    struct redis *redis;
    struct arena *arena;
    char *state;
    size_t state_bytes;
    struct str keys[GROUP];
    size_t n_keys;
    uint64_t events, members;
};

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void on_reply(void *arg, const struct redis_result *res)
{
    (void)arg;
    if (res->outcome != REDIS_DONE) {
        (void)fprintf(stderr, "floor: %s\n", res->err.text);
        exit(1);
    }
}

static void flush_group(struct floor *f)
{
    struct err err = {0};
    struct str get[GROUP + 1], set[2 * GROUP + 1];
    if (f->n_keys == 0)
        return;
    get[0] = STR("MGET");
    set[0] = STR("MSET");
    for (size_t i = 0; i < f->n_keys; i++) {
        get[i + 1] = f->keys[i];
        set[2 * i + 1] = f->keys[i];
        set[2 * i + 2] = (struct str){f->state, f->state_bytes};
    }
    if (redis_send(f->redis, get, f->n_keys + 1, INT64_MAX, on_reply, NULL, &err) != 0 ||
        redis_send(f->redis, set, 2 * f->n_keys + 1, INT64_MAX, on_reply, NULL, &err) != 0 ||
        redis_drain(f->redis, 10000, &err) != 0) {
        (void)fprintf(stderr, "floor: %s\n", err.text);
        exit(1);
    }
    f->members += f->n_keys;
    f->n_keys = 0;
    arena_reset(f->arena);
}

/* Every `"m":"…"` of a record is an event of that member. */
static void take(struct floor *f, struct str value)
{
    const char *p = value.p, *end = value.p + value.n;
    while ((p = memmem(p, (size_t)(end - p), "\"m\":\"", 5)) != NULL) {
        p += 5;
        const char *q = memchr(p, '"', (size_t)(end - p));
        if (!q)
            return;
        f->keys[f->n_keys++] = str_c(arena_printf(f->arena, "floor:%.*s", (int)(q - p), p));
        f->events++;
        if (f->n_keys == GROUP)
            flush_group(f);
        p = q;
    }
}

int main(int argc, char **argv)
{
    static struct kafka_msg m[BATCH];
    struct err err = {0};
    struct kafka_fetcher *fetcher;
    struct floor f = {.arena = arena_new(0)};
    if (argc != 5) {
        (void)fprintf(stderr, "bench_floor BOOTSTRAP REDIS PARTITIONS STATE_BYTES\n");
        return 2;
    }
    struct kafka_conf k = {.bootstrap = argv[1], .client_id = "floor"};
    struct redis_conf rc = {.address = argv[2]};
    int parts = (int)strtol(argv[3], NULL, 10);
    f.state_bytes = (size_t)strtol(argv[4], NULL, 10);
    f.state = xcalloc(1, f.state_bytes + 1);
    memset(f.state, 'x', f.state_bytes);
    int64_t ends = 0, seen = 0;
    if (redis_new(&rc, &f.redis, &err) != 0 || redis_connect_wait(f.redis, 10000, &err) != 0 ||
        kafka_fetcher_new(&k, &fetcher, &err) != 0) {
        (void)fprintf(stderr, "floor: %s\n", err.text);
        return 1;
    }
    for (int32_t p = 0; p < parts; p++) {
        int64_t low, high;
        if (kafka_watermarks(&k, "rouse.log", p, &low, &high, 10000, &err) != 0 ||
            kafka_fetch_assign(fetcher, "rouse.log", p, KAFKA_BEGINNING, &err) != 0) {
            (void)fprintf(stderr, "floor: %s\n", err.text);
            return 1;
        }
        ends += high - low;
    }
    double t0 = now_s(), c0 = cpu_s();
    while (seen < ends) {
        size_t n = kafka_fetch(fetcher, 1000, m, BATCH);
        for (size_t i = 0; i < n; i++) {
            take(&f, m[i].value);
            kafka_msg_done(&m[i]);
        }
        seen += (int64_t)n;
        flush_group(&f);
    }
    (void)printf("floor events=%" PRIu64 " seconds=%.3f cpu=%.3f\n", f.events, now_s() - t0,
                 cpu_s() - c0);
    kafka_fetcher_free(&fetcher);
    redis_free(&f.redis);
    free(f.state);
    arena_free(&f.arena);
    return 0;
}
