/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tools and for starting up: watermarks, a whole partition from end to end, and whether a topic is
 * there.  Each call makes its own handle.
 */
#include "kafka_priv.h"

int kafka_watermarks(const struct kafka_conf *c, const char *topic, int32_t partition, int64_t *low,
                     int64_t *high, int timeout_ms, struct err *err)
{
    struct handle h = {.fd = -1};
    rd_kafka_resp_err_t e;
    int64_t lo, hi;

    if (kafka_consumer_open(&h, c, "rouse-tools", NULL, 0, err) < 0)
        return -1;
    e = rd_kafka_query_watermark_offsets(h.rk, topic, partition, &lo, &hi, timeout_ms);
    kafka_handle_close(&h);
    if (e)
        return kafka_err(err, e, topic, NULL);
    *low = lo;
    *high = hi;
    return 0;
}

struct reading {
    struct handle h;
    const char *topic;
    int32_t partition;
    int64_t next, high;
    kafka_read_fn *fn;
    void *arg;
};

static int start(struct reading *r, const struct kafka_conf *c, int64_t from, int timeout_ms,
                 struct err *err)
{
    static const struct setting eof = {"enable.partition.eof", "true"};
    rd_kafka_topic_partition_list_t *l;
    rd_kafka_resp_err_t e;
    int64_t low;

    if (kafka_consumer_open(&r->h, c, "rouse-tools", &eof, 1, err) < 0)
        return -1;
    e = rd_kafka_query_watermark_offsets(r->h.rk, r->topic, r->partition, &low, &r->high,
                                         timeout_ms);
    if (e)
        return kafka_err(err, e, r->topic, NULL);
    r->next = from < 0 ? low : from;
    if (r->next >= r->high)
        return 0;
    l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(l, r->topic, r->partition)->offset = r->next;
    e = rd_kafka_assign(r->h.rk, l);
    rd_kafka_topic_partition_list_destroy(l);
    return e ? kafka_err(err, e, r->topic, NULL) : 0;
}

/* One thing that came. 0 = go on, 1 = the caller has enough, -1. */
static int take(struct reading *r, rd_kafka_message_t *raw, struct err *err)
{
    struct kafka_msg m;
    struct err e = {0};
    int stop;

    if (raw->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        r->next = raw->offset;
        return 0;
    }
    if (raw->err) {
        kafka_err(&e, raw->err, r->topic, rd_kafka_message_errstr(raw));
        if (e.kind == ERR_AGAIN)
            return 0; /* librdkafka goes on by itself */
        return kafka_err(err, raw->err, r->topic, rd_kafka_message_errstr(raw));
    }
    if (raw->offset < r->next || raw->offset >= r->high)
        return 0;
    kafka_msg_fill(&m, raw, r->topic);
    stop = r->fn(r->arg, &m);
    r->next = raw->offset + 1;
    return stop ? 1 : 0;
}

static int run(struct reading *r, int timeout_ms, struct err *err)
{
    const int slice = 100;
    int idle = 0, stop = 0;

    while (stop == 0 && r->next < r->high) {
        rd_kafka_message_t *raw = rd_kafka_consumer_poll(r->h.rk, slice);
        int64_t before = r->next;

        if (raw) {
            stop = take(r, raw, err);
            rd_kafka_message_destroy(raw);
        }
        idle = r->next == before ? idle + (raw ? 1 : slice) : 0;
        if (stop == 0 && idle > timeout_ms)
            return err_code(err, ERR_AGAIN, "timeout",
                            "%s/%d: nothing in %d ms, at offset %lld of %lld", r->topic,
                            r->partition, timeout_ms, (long long)r->next, (long long)r->high);
    }
    return stop < 0 ? -1 : 0;
}

int kafka_read_all(const struct kafka_conf *c, const char *topic, int32_t partition, int64_t from,
                   kafka_read_fn *fn, void *arg, int timeout_ms, struct err *err)
{
    struct reading r = {
        .h = {.fd = -1}, .topic = topic, .partition = partition, .fn = fn, .arg = arg};
    int rc = start(&r, c, from, timeout_ms, err);

    if (rc == 0)
        rc = run(&r, timeout_ms, err);
    kafka_handle_close(&r.h);
    return rc;
}

static int count(const struct rd_kafka_metadata *md, const char *topic, struct err *err)
{
    for (int i = 0; i < md->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *t = &md->topics[i];

        if (strcmp(t->topic, topic) == 0)
            return t->err ? kafka_err(err, t->err, topic, NULL) : t->partition_cnt;
    }
    return 0;
}

/* All topics are asked for: to ask for one by name makes it, on a broker that makes topics by itself
 * (the sandbox broker does). */
int kafka_topic_partitions(const struct kafka_conf *c, const char *topic, int timeout_ms,
                           struct err *err)
{
    struct handle h = {.fd = -1};
    const struct rd_kafka_metadata *md;
    rd_kafka_resp_err_t e;
    int n;

    if (kafka_consumer_open(&h, c, "rouse-tools", NULL, 0, err) < 0)
        return -1;
    e = rd_kafka_metadata(h.rk, 1, NULL, &md, timeout_ms);
    if (e) {
        n = kafka_err(err, e, topic, NULL);
    } else {
        n = count(md, topic, err);
        rd_kafka_metadata_destroy(md);
    }
    kafka_handle_close(&h);
    return n;
}
