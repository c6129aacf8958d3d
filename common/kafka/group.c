/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Membership.  The handle subscribes with an eager strategy, and answers every assignment with an
 * empty one: it fetches nothing, it only tells which partitions are ours.  The records come through a
 * fetcher, which can restart one partition without touching the others; on a subscribed eager handle
 * librdkafka refuses that.  Ownership is fenced elsewhere; this is about liveness only.
 */
#include "kafka_priv.h"

#include <stdio.h>
#include <stdlib.h>

enum { COMMIT_WAIT_MS = 3000, CLOSE_WAIT_MS = 2000 };

struct kafka_group {
    struct handle h;
    struct map *names;   /* topic -> its interned name */
    kafka_assign_fn *fn; /* while polling */
    void *arg;
};

static const char *intern(struct kafka_group *g, const char *topic)
{
    char *name = map_get(g->names, str_c(topic));

    if (!name) {
        name = xstrdup(topic);
        map_put(g->names, str_c(name), name);
    }
    return name;
}

static void tell(struct kafka_group *g, const rd_kafka_topic_partition_list_t *l)
{
    size_t n = l ? (size_t)l->cnt : 0;
    struct kafka_tp *tp = n ? xcalloc(n, sizeof(*tp)) : NULL;

    for (size_t i = 0; i < n; i++)
        tp[i] = (struct kafka_tp){intern(g, l->elems[i].topic), l->elems[i].partition, -1, {0}};
    if (g->fn)
        g->fn(g->arg, tp, n);
    free(tp);
}

static void rebalance_cb(rd_kafka_t *rk, rd_kafka_resp_err_t e, rd_kafka_topic_partition_list_t *l,
                         void *opaque)
{
    struct kafka_group *g = opaque;
    rd_kafka_topic_partition_list_t *none;

    if (e != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        tell(g, NULL);
        rd_kafka_assign(rk, NULL);
        return;
    }
    none = rd_kafka_topic_partition_list_new(0);
    rd_kafka_assign(rk, none);
    rd_kafka_topic_partition_list_destroy(none);
    tell(g, l);
}

static int subscribe(struct kafka_group *g, const char *const *topics, size_t n, struct err *err)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new((int)n);
    rd_kafka_resp_err_t e;

    for (size_t i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(l, topics[i], RD_KAFKA_PARTITION_UA);
    e = rd_kafka_subscribe(g->h.rk, l);
    rd_kafka_topic_partition_list_destroy(l);
    return e ? kafka_err(err, e, "subscribe", NULL) : 0;
}

static rd_kafka_conf_t *group_conf(const struct kafka_conf *c, const char *group, struct err *err)
{
    uint32_t session = c->session_ms ? c->session_ms : 10000;
    char session_text[16], beat[16];

    snprintf(session_text, sizeof(session_text), "%u", session);
    snprintf(beat, sizeof(beat), "%u", session / 3 ? session / 3 : 1);
    /* One strategy only: the sandbox broker asserts that every member's first one is the same. */
    const struct setting own[] = {
        {"group.id", group},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        {"allow.auto.create.topics", "false"},
        {"partition.assignment.strategy", "roundrobin"},
        {"session.timeout.ms", session_text},
        {"heartbeat.interval.ms", beat},
        {"max.poll.interval.ms", "60000"},
    };
    return kafka_conf_make(c, own, BASE_LEN(own), err);
}

int kafka_group_new(const struct kafka_conf *c, const char *group, const char *const *topics,
                    size_t n_topics, struct kafka_group **out, struct err *err)
{
    rd_kafka_conf_t *conf = group_conf(c, group, err);
    struct kafka_group *g;

    if (!conf)
        return -1;
    rd_kafka_conf_set_rebalance_cb(conf, rebalance_cb);
    g = xcalloc(1, sizeof(*g));
    g->names = map_new(true);
    if (kafka_handle_open(&g->h, RD_KAFKA_CONSUMER, conf, c, err) < 0 ||
        kafka_handle_watch(&g->h, rd_kafka_queue_get_consumer(g->h.rk), err) < 0 ||
        subscribe(g, topics, n_topics, err) < 0) {
        kafka_group_free(&g);
        return -1;
    }
    *out = g;
    return 0;
}

/* Leave the group, so that the others need not wait for the session to end; not longer than the
 * bound, because a coordinator may be away. */
static void leave(struct kafka_group *g)
{
    const int slice = 50;
    rd_kafka_queue_t *q = rd_kafka_queue_new(g->h.rk);
    rd_kafka_error_t *e = rd_kafka_consumer_close_queue(g->h.rk, q);

    for (int left = CLOSE_WAIT_MS; !e && left > 0 && !rd_kafka_consumer_closed(g->h.rk);
         left -= slice)
        rd_kafka_queue_poll_callback(q, slice);
    if (e)
        rd_kafka_error_destroy(e);
    rd_kafka_queue_destroy(q);
}

void kafka_group_free(struct kafka_group **gp)
{
    struct kafka_group *g = *gp;
    size_t it = 0;
    struct str key;
    void *name;

    if (!g)
        return;
    g->fn = NULL;
    if (g->h.rk && g->h.q)
        leave(g);
    kafka_handle_close(&g->h);
    while (map_next(g->names, &it, &key, &name))
        free(name);
    map_free(&g->names);
    free(g);
    *gp = NULL;
}

int kafka_group_fd(const struct kafka_group *g)
{
    return g->h.fd;
}

/* Will polling on mend it?  Waiting helps against everything but a refusal. */
static int check(struct kafka_group *g, const rd_kafka_message_t *m, struct err *err)
{
    switch ((int)m->err) {
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
    case RD_KAFKA_RESP_ERR__FATAL:
        return kafka_err(err, m->err, "consumer group", rd_kafka_message_errstr(m));
    default:
        if (m->err)
            kafka_handle_log(&g->h, 4, "GROUP", rd_kafka_message_errstr(m));
        return 0;
    }
}

int kafka_group_poll(struct kafka_group *g, int timeout_ms, kafka_assign_fn *fn, void *arg,
                     struct err *err)
{
    rd_kafka_message_t *m;
    int r = 0;

    g->fn = fn;
    g->arg = arg;
    kafka_handle_drained(&g->h);
    while (r == 0 && (m = rd_kafka_consumer_poll(g->h.rk, timeout_ms))) {
        r = check(g, m, err);
        rd_kafka_message_destroy(m);
        timeout_ms = 0;
    }
    g->fn = NULL;
    return r;
}

int kafka_group_commit(struct kafka_group *g, const struct kafka_tp *tp, size_t n, struct err *err)
{
    rd_kafka_topic_partition_list_t *l;
    rd_kafka_resp_err_t e;

    if (n == 0)
        return 0;
    l = kafka_tp_list(tp, n, true);
    e = rd_kafka_commit(g->h.rk, l, 1);
    rd_kafka_topic_partition_list_destroy(l);
    return e ? kafka_err(err, e, "commit offsets", NULL) : 0;
}

static int committed(rd_kafka_event_t *ev, struct err *err)
{
    const rd_kafka_topic_partition_list_t *l = rd_kafka_event_topic_partition_list(ev);
    rd_kafka_resp_err_t e = rd_kafka_event_error(ev);

    for (int i = 0; l && !e && i < l->cnt; i++)
        e = l->elems[i].err;
    return e ? kafka_err(err, e, "commit offsets", NULL) : 0;
}

int kafka_group_commit_sync(struct kafka_group *g, const struct kafka_tp *tp, size_t n,
                            struct err *err)
{
    rd_kafka_topic_partition_list_t *l;
    rd_kafka_queue_t *q;
    rd_kafka_event_t *ev = NULL;
    rd_kafka_resp_err_t e;
    int r;

    if (n == 0)
        return 0;
    l = kafka_tp_list(tp, n, true);
    q = rd_kafka_queue_new(g->h.rk);
    e = rd_kafka_commit_queue(g->h.rk, l, q, NULL, NULL);
    if (!e)
        ev = rd_kafka_queue_poll(q, COMMIT_WAIT_MS);
    if (e)
        r = kafka_err(err, e, "commit offsets", NULL);
    else if (!ev)
        r = err_code(err, ERR_AGAIN, "timeout", "commit offsets: no answer in %d ms",
                     COMMIT_WAIT_MS);
    else
        r = committed(ev, err);
    if (ev)
        rd_kafka_event_destroy(ev);
    rd_kafka_topic_partition_list_destroy(l);
    rd_kafka_queue_destroy(q);
    return r;
}
