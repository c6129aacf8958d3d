/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The producer.  Idempotent, so a retry neither doubles nor reorders; without a message timeout, so it
 * goes on trying for as long as it lives: whoever gives up frees it, and then the outcome of what was
 * in flight is unknown.  A report that failed is permanent and leaves a hole in what was appended;
 * the caller starts again with a new producer.
 */
#include "kafka_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct known_topic {
    rd_kafka_topic_t *rkt;
    const char *name;
};

struct kafka_producer {
    struct handle h;
    struct known_topic *topics; /* few: searched in order, the last one used first */
    size_t n_topics, last;
    uint64_t open;       /* produced, not yet reported */
    kafka_report_fn *fn; /* while polling */
    void *arg;
    int reports;
};

static const struct setting own[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"message.timeout.ms", "0"},
    {"request.timeout.ms", "10000"},
    {"max.in.flight.requests.per.connection", "5"},
    {"retry.backoff.ms", "50"},
    {"partitioner", "murmur2_random"},
    {"queue.buffering.max.kbytes", "65536"},
    {"queue.buffering.max.messages", "100000"},
    {"message.max.bytes", "1000000"},
};

static void report_cb(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct kafka_producer *p = opaque;
    struct err err = {0};
    char what[300];

    (void)rk;
    p->open--;
    p->reports++;
    if (!p->fn)
        return;
    if (m->err) {
        snprintf(what, sizeof(what), "append to %s/%d", rd_kafka_topic_name(m->rkt), m->partition);
        kafka_err(&err, m->err, what, NULL);
    }
    p->fn(p->arg, m->_private, rd_kafka_topic_name(m->rkt), m->partition,
          m->offset < 0 ? -1 : m->offset, m->err ? &err : NULL);
}

int kafka_producer_new(const struct kafka_conf *c, struct kafka_producer **out, struct err *err)
{
    struct setting all[BASE_LEN(own) + 2];
    char linger[16];
    struct kafka_producer *p;
    rd_kafka_conf_t *conf;

    snprintf(linger, sizeof(linger), "%u", c->linger_ms);
    memcpy(all, own, sizeof(own));
    all[BASE_LEN(own)] = (struct setting){"linger.ms", linger};
    all[BASE_LEN(own) + 1] =
        (struct setting){"compression.type", c->compression ? c->compression : "lz4"};
    conf = kafka_conf_make(c, all, BASE_LEN(all), err);
    if (!conf)
        return -1;
    rd_kafka_conf_set_dr_msg_cb(conf, report_cb);
    p = xcalloc(1, sizeof(*p));
    if (kafka_handle_open(&p->h, RD_KAFKA_PRODUCER, conf, c, err) < 0 ||
        kafka_handle_watch(&p->h, rd_kafka_queue_get_main(p->h.rk), err) < 0) {
        kafka_producer_free(&p);
        return -1;
    }
    *out = p;
    return 0;
}

void kafka_producer_free(struct kafka_producer **pp)
{
    struct kafka_producer *p = *pp;

    if (!p)
        return;
    p->fn = NULL;
    if (p->h.rk)
        rd_kafka_purge(p->h.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                    RD_KAFKA_PURGE_F_NON_BLOCKING);
    for (size_t i = 0; i < p->n_topics; i++)
        rd_kafka_topic_destroy(p->topics[i].rkt);
    free(p->topics);
    kafka_handle_close(&p->h);
    free(p);
    *pp = NULL;
}

int kafka_producer_fd(const struct kafka_producer *p)
{
    return p->h.fd;
}

static rd_kafka_topic_t *topic(struct kafka_producer *p, const char *name)
{
    rd_kafka_topic_t *rkt;

    if (p->last < p->n_topics && strcmp(p->topics[p->last].name, name) == 0)
        return p->topics[p->last].rkt;
    for (size_t i = 0; i < p->n_topics; i++) {
        if (strcmp(p->topics[i].name, name) == 0) {
            p->last = i;
            return p->topics[i].rkt;
        }
    }
    rkt = rd_kafka_topic_new(p->h.rk, name, NULL);
    if (!rkt)
        return NULL;
    p->topics = xrealloc(p->topics, (p->n_topics + 1) * sizeof(*p->topics));
    p->topics[p->n_topics] = (struct known_topic){rkt, rd_kafka_topic_name(rkt)};
    p->last = p->n_topics++;
    return rkt;
}

/* librdkafka counts a NULL as "no key" or "no value", so an empty one needs an address. */
static void *bytes(struct str s)
{
    union {
        const char *in;
        void *out;
    } u = {.in = s.p};

    return u.out;
}

static rd_kafka_resp_err_t with_headers(struct kafka_producer *p, rd_kafka_topic_t *rkt,
                                        int32_t partition, struct str key, struct str value,
                                        const struct kafka_header *h, uint32_t n_h, void *opaque)
{
    rd_kafka_headers_t *hs = rd_kafka_headers_new(n_h);
    rd_kafka_resp_err_t e;

    for (uint32_t i = 0; i < n_h; i++)
        rd_kafka_header_add(hs, h[i].name, -1, h[i].value.p, (ssize_t)h[i].value.n);
    e = rd_kafka_producev(p->h.rk, RD_KAFKA_V_RKT(rkt), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_KEY(bytes(key), key.n),
                          RD_KAFKA_V_VALUE(bytes(value), value.n),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(hs),
                          RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
    if (e)
        rd_kafka_headers_destroy(hs);
    return e;
}

int kafka_produce(struct kafka_producer *p, const char *name, int32_t partition, struct str key,
                  struct str value, const struct kafka_header *h, uint32_t n_h, void *opaque,
                  struct err *err)
{
    rd_kafka_topic_t *rkt = topic(p, name);
    rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR_NO_ERROR;
    char what[300];

    if (!rkt)
        e = rd_kafka_last_error();
    else if (n_h)
        e = with_headers(p, rkt, partition, key, value, h, n_h, opaque);
    else if (rd_kafka_produce(rkt, partition, RD_KAFKA_MSG_F_COPY, bytes(value), value.n, key.p,
                              key.n, opaque) < 0)
        e = rd_kafka_last_error();
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR) {
        p->open++;
        return 0;
    }
    snprintf(what, sizeof(what), "append to %.250s/%d", name, partition);
    return kafka_err(err, e, what, NULL);
}

int kafka_producer_poll(struct kafka_producer *p, int timeout_ms, kafka_report_fn *fn, void *arg)
{
    p->fn = fn;
    p->arg = arg;
    p->reports = 0;
    kafka_handle_drained(&p->h);
    rd_kafka_poll(p->h.rk, timeout_ms); /* takes the whole queue, so nothing is left behind */
    p->fn = NULL;
    return p->reports;
}

bool kafka_producer_fatal(struct kafka_producer *p, struct err *err)
{
    char why[400];
    rd_kafka_resp_err_t e = rd_kafka_fatal_error(p->h.rk, why, sizeof(why));

    if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    err_code(err, ERR_FATAL, "fatal", "the producer is lost: %s (%s)", why, rd_kafka_err2name(e));
    return true;
}

int kafka_producer_flush(struct kafka_producer *p, int timeout_ms, kafka_report_fn *fn, void *arg,
                         struct err *err)
{
    p->fn = fn;
    p->arg = arg;
    rd_kafka_flush(p->h.rk, timeout_ms); /* polls; what counts is how many reports have come */
    p->fn = NULL;
    if (p->open == 0)
        return 0;
    return err_code(err, ERR_AGAIN, "timeout", "%" PRIu64 " records not acknowledged after %d ms",
                    p->open, timeout_ms);
}
