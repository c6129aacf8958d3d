/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking on: the committed offsets of any group, without joining it, and the ends of partitions.
 * One request asks for all partitions of a leader.
 */
#include "kafka_priv.h"

#include <stdlib.h>

struct kafka_watch {
    struct handle h;
};

int kafka_watch_new(const struct kafka_conf *c, const char *group, struct kafka_watch **out,
                    struct err *err)
{
    struct kafka_watch *w = xcalloc(1, sizeof(*w));

    w->h.fd = -1;
    if (kafka_consumer_open(&w->h, c, group, NULL, 0, err) < 0) {
        kafka_watch_free(&w);
        return -1;
    }
    *out = w;
    return 0;
}

void kafka_watch_free(struct kafka_watch **w)
{
    if (!*w)
        return;
    kafka_handle_close(&(*w)->h);
    free(*w);
    *w = NULL;
}

/* Logs and errors that wait in the handle's queue are served on the way. */
static void serve(struct kafka_watch *w)
{
    rd_kafka_message_t *m;

    while ((m = rd_kafka_consumer_poll(w->h.rk, 0)))
        rd_kafka_message_destroy(m);
}

/* tp NULL in `a` = offsets only. The list and tp have the same order. */
static int take(const rd_kafka_topic_partition_list_t *l, struct kafka_tp *tp, struct arena *a,
                const char *what, struct err *err)
{
    for (int i = 0; i < l->cnt; i++) {
        if (l->elems[i].err)
            return kafka_err(err, l->elems[i].err, what, NULL);
    }
    for (int i = 0; i < l->cnt; i++) {
        tp[i].offset = l->elems[i].offset < 0 ? -1 : l->elems[i].offset;
        if (a)
            tp[i].metadata =
                arena_str(a, (struct str){l->elems[i].metadata,
                                          l->elems[i].metadata ? l->elems[i].metadata_size : 0});
    }
    return 0;
}

static int ask_committed(struct kafka_watch *w, struct kafka_tp *tp, size_t n, struct arena *a,
                         int timeout_ms, struct err *err)
{
    rd_kafka_topic_partition_list_t *l;
    rd_kafka_resp_err_t e;
    int r;

    if (n == 0)
        return 0;
    serve(w);
    l = kafka_tp_list(tp, n, false);
    e = rd_kafka_committed(w->h.rk, l, timeout_ms);
    r = e ? kafka_err(err, e, "committed offsets", NULL) : take(l, tp, a, "committed offsets", err);
    rd_kafka_topic_partition_list_destroy(l);
    return r;
}

int kafka_watch_committed(struct kafka_watch *w, struct kafka_tp *tp, size_t n, int timeout_ms,
                          struct err *err)
{
    return ask_committed(w, tp, n, NULL, timeout_ms, err);
}

int kafka_watch_ends(struct kafka_watch *w, struct kafka_tp *tp, size_t n, int timeout_ms,
                     struct err *err)
{
    rd_kafka_topic_partition_list_t *l;
    rd_kafka_resp_err_t e;
    int r;

    if (n == 0)
        return 0;
    serve(w);
    l = kafka_tp_list(tp, n, false);
    for (int i = 0; i < l->cnt; i++)
        l->elems[i].offset = RD_KAFKA_OFFSET_END; /* as a "time": the end */
    e = rd_kafka_offsets_for_times(w->h.rk, l, timeout_ms);
    r = e ? kafka_err(err, e, "ends of partitions", NULL)
          : take(l, tp, NULL, "ends of partitions", err);
    rd_kafka_topic_partition_list_destroy(l);
    return r;
}

int kafka_committed(const struct kafka_conf *c, const char *group, struct kafka_tp *tp, size_t n,
                    struct arena *a, int timeout_ms, struct err *err)
{
    struct kafka_watch *w;
    int r;

    if (kafka_watch_new(c, group, &w, err) < 0)
        return -1;
    r = ask_committed(w, tp, n, a, timeout_ms, err);
    kafka_watch_free(&w);
    return r;
}
