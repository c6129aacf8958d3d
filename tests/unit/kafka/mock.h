/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of this folder: librdkafka's mock cluster in this process, and short ways to append
 * and to fetch.  The mock is right for error paths; nothing about Kafka itself is shown with it.
 */
#ifndef ROUSE_TEST_MOCK_H
#define ROUSE_TEST_MOCK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

struct mock {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *cluster;
    struct kafka_conf conf;
};

static inline int64_t mock_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline int mock_up(void **state)
{
    struct mock *m = calloc(1, sizeof(*m));
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];

    rd_kafka_conf_set(conf, "log_level", "2", why, sizeof(why));
    m->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    m->cluster = rd_kafka_mock_cluster_new(m->rk, 1);
    m->conf = (struct kafka_conf){.bootstrap = rd_kafka_mock_cluster_bootstraps(m->cluster),
                                  .client_id = "test",
                                  .fetch_wait_ms = 10,
                                  .session_ms = 6000};
    *state = m;
    return 0;
}

static inline int mock_down(void **state)
{
    struct mock *m = *state;

    rd_kafka_mock_cluster_destroy(m->cluster);
    rd_kafka_destroy(m->rk);
    free(m);
    return 0;
}

static inline void mock_topic(struct mock *m, const char *name, int partitions)
{
    assert_int_equal(rd_kafka_mock_topic_create(m->cluster, name, partitions, 1), 0);
}

static inline void mock_report(void *arg, void *opaque, const char *topic, int32_t partition,
                               int64_t offset, const struct err *err)
{
    (void)arg;
    (void)opaque;
    (void)topic;
    (void)partition;
    (void)offset;
    assert_null(err);
}

/* n records "v<from>"… to one partition, acknowledged before it returns. */
static inline void mock_fill(struct mock *m, const char *topic, int32_t partition, int from, int n)
{
    struct kafka_producer *p;
    struct err err = {0};

    assert_int_equal(kafka_producer_new(&m->conf, &p, &err), 0);
    for (int i = from; i < from + n; i++) {
        char v[16];
        int len = snprintf(v, sizeof(v), "v%d", i);

        assert_int_equal(kafka_produce(p, topic, partition, STR("k"), (struct str){v, (size_t)len},
                                       NULL, 0, NULL, &err),
                         0);
    }
    assert_int_equal(kafka_producer_flush(p, 10000, mock_report, NULL, &err), 0);
    kafka_producer_free(&p);
}

/* Fetch one message or fail after ten seconds. */
static inline void mock_next(struct kafka_fetcher *f, struct kafka_msg *out)
{
    int64_t end = mock_now_ms() + 10000;

    while (mock_now_ms() < end) {
        if (kafka_fetch(f, 100, out, 1) == 1)
            return;
    }
    fail_msg("nothing was fetched");
}

#endif
