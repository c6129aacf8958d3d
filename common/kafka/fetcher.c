/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fetcher: a consumer handle that never subscribes, and reads exactly the partitions it is told to
 * from exactly the offsets it is told.
 *
 *     assign -> reading from `next` -> unassign
 *                  |  ^ pause
 *                  v
 *               broken (told once; nothing more comes until it is assigned again)
 *
 * librdkafka numbers the assignments of a partition and throws away what belongs to an older one.
 * On top of that a message is dropped here unless its partition is assigned and its offset is at
 * least `next`, whatever the batch interface of 2.0.2 lets through around a pause or a move.  A
 * partition is moved by unassign and assign: seek is refused after an out-of-range, and fails right
 * after an assign.
 */
#include "kafka_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { KICK_MS = 20 };

struct part {
    int64_t next; /* least offset that may still be handed out */
    bool assigned, paused, broken;
};

struct topic {
    rd_kafka_topic_t *rkt; /* held: so messages of the topic carry this very pointer */
    const char *name;
    struct part *parts;
    int32_t n_parts;
};

struct kafka_fetcher {
    struct handle h;
    struct topic **topics;
    size_t n_topics, last;
    rd_kafka_message_t **raw; /* room for one batch */
    size_t n_raw;
    size_t kick_bytes, taken_bytes; /* see kick(); 0 = no need */
};

int kafka_fetcher_new(const struct kafka_conf *c, struct kafka_fetcher **out, struct err *err)
{
    struct kafka_fetcher *f = xcalloc(1, sizeof(*f));

    /* librdkafka wants a group name for this interface; it is never joined nor committed to. */
    if (kafka_consumer_open(&f->h, c, "rouse-fetcher", NULL, 0, err) < 0 ||
        kafka_handle_watch(&f->h, rd_kafka_queue_get_consumer(f->h.rk), err) < 0) {
        kafka_fetcher_free(&f);
        return -1;
    }
    if (rd_kafka_version() < 0x020200ff)
        f->kick_bytes = (size_t)(c->fetch_queue_kb ? c->fetch_queue_kb : KAFKA_QUEUE_KB) * 512;
    *out = f;
    return 0;
}

void kafka_fetcher_free(struct kafka_fetcher **fp)
{
    struct kafka_fetcher *f = *fp;

    if (!f)
        return;
    for (size_t i = 0; i < f->n_topics; i++) {
        rd_kafka_topic_destroy(f->topics[i]->rkt);
        free(f->topics[i]->parts);
        free(f->topics[i]);
    }
    free(f->topics);
    free(f->raw);
    kafka_handle_close(&f->h);
    free(f);
    *fp = NULL;
}

int kafka_fetcher_fd(const struct kafka_fetcher *f)
{
    return f->h.fd;
}

/* ---- what is assigned ----------------------------------------------------------------------------- */

static struct topic *topic_named(struct kafka_fetcher *f, const char *name)
{
    for (size_t i = 0; i < f->n_topics; i++) {
        if (strcmp(f->topics[i]->name, name) == 0)
            return f->topics[i];
    }
    return NULL;
}

static struct topic *topic_add(struct kafka_fetcher *f, const char *name, struct err *err)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(f->h.rk, name, NULL);
    struct topic *t;

    if (!rkt) {
        kafka_err(err, rd_kafka_last_error(), name, NULL);
        return NULL;
    }
    t = xcalloc(1, sizeof(*t));
    t->rkt = rkt;
    t->name = rd_kafka_topic_name(rkt);
    f->topics = xrealloc(f->topics, (f->n_topics + 1) * sizeof(struct topic *));
    f->topics[f->n_topics++] = t;
    return t;
}

static struct part *part_of(struct topic *t, int32_t partition)
{
    return t && partition >= 0 && partition < t->n_parts ? &t->parts[partition] : NULL;
}

static struct part *part_add(struct topic *t, int32_t partition)
{
    assert(partition >= 0);
    if (partition >= t->n_parts) {
        t->parts = xrealloc(t->parts, (size_t)(partition + 1) * sizeof(*t->parts));
        memset(t->parts + t->n_parts, 0, (size_t)(partition + 1 - t->n_parts) * sizeof(*t->parts));
        t->n_parts = partition + 1;
    }
    return &t->parts[partition];
}

static rd_kafka_topic_partition_list_t *one(const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(l, topic, partition)->offset = offset;
    return l;
}

int kafka_fetch_assign(struct kafka_fetcher *f, const char *topic, int32_t partition,
                       int64_t offset, struct err *err)
{
    struct topic *t = topic_named(f, topic);
    struct part *p;
    rd_kafka_topic_partition_list_t *l;
    rd_kafka_error_t *e;

    if (!t && !(t = topic_add(f, topic, err)))
        return -1;
    p = part_add(t, partition);
    if (p->assigned && kafka_fetch_unassign(f, topic, partition) < 0)
        return err_set(err, ERR_FATAL, "%s/%d cannot be unassigned", topic, partition);
    l = one(topic, partition, offset);
    e = rd_kafka_incremental_assign(f->h.rk, l);
    rd_kafka_topic_partition_list_destroy(l);
    if (e)
        return kafka_err_obj(err, e, "assign");
    *p = (struct part){.next = offset < 0 ? 0 : offset, .assigned = true};
    return 0;
}

int kafka_fetch_unassign(struct kafka_fetcher *f, const char *topic, int32_t partition)
{
    struct part *p = part_of(topic_named(f, topic), partition);
    rd_kafka_topic_partition_list_t *l;
    rd_kafka_error_t *e;

    if (!p || !p->assigned)
        return 0;
    kafka_fetch_pause(f, topic, partition, false); /* a pause outlives an assignment */
    l = one(topic, partition, RD_KAFKA_OFFSET_INVALID);
    e = rd_kafka_incremental_unassign(f->h.rk, l);
    rd_kafka_topic_partition_list_destroy(l);
    p->assigned = false;
    if (!e)
        return 0;
    rd_kafka_error_destroy(e);
    return -1;
}

int kafka_fetch_pause(struct kafka_fetcher *f, const char *topic, int32_t partition, bool pause)
{
    struct part *p = part_of(topic_named(f, topic), partition);
    rd_kafka_topic_partition_list_t *l;
    rd_kafka_resp_err_t e;

    if (!p || !p->assigned || p->paused == pause) /* resuming what is not paused moves it back */
        return 0;
    l = one(topic, partition, RD_KAFKA_OFFSET_INVALID);
    e = pause ? rd_kafka_pause_partitions(f->h.rk, l) : rd_kafka_resume_partitions(f->h.rk, l);
    if (!e)
        e = l->elems[0].err;
    rd_kafka_topic_partition_list_destroy(l);
    if (e)
        return -1;
    p->paused = pause;
    return 0;
}

int kafka_fetch_end(struct kafka_fetcher *f, const char *topic, int32_t partition, int64_t *end)
{
    int64_t low, high;

    if (!part_of(topic_named(f, topic), partition) ||
        rd_kafka_get_watermark_offsets(f->h.rk, topic, partition, &low, &high) || high < 0)
        return 0;
    *end = high;
    return 1;
}

/* ---- what comes ------------------------------------------------------------------------------------- */

static struct topic *topic_of(struct kafka_fetcher *f, const rd_kafka_topic_t *rkt)
{
    if (f->last < f->n_topics && f->topics[f->last]->rkt == rkt)
        return f->topics[f->last];
    for (size_t i = 0; i < f->n_topics; i++) {
        if (f->topics[i]->rkt == rkt) {
            f->last = i;
            return f->topics[i];
        }
    }
    return rkt ? topic_named(f, rd_kafka_topic_name(rkt)) : NULL;
}

/* An error of one partition.  Only those that end its reading are told, and once: librdkafka repeats
 * an unreadable batch twice a second for ever. */
static bool take_error(struct kafka_fetcher *f, struct topic *t, struct part *p,
                       rd_kafka_message_t *raw, struct kafka_msg *out)
{
    struct err err = {0};
    char what[300];

    if (raw->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return false;
    if (!p || !p->assigned || p->broken) {
        kafka_handle_log(&f->h, 4, "FETCH", rd_kafka_message_errstr(raw));
        return false;
    }
    snprintf(what, sizeof(what), "%.250s/%d", t->name, raw->partition);
    kafka_err(&err, raw->err, what, rd_kafka_message_errstr(raw));
    if (err.kind == ERR_AGAIN) {
        kafka_handle_log(&f->h, 4, "FETCH", err.text);
        return false;
    }
    if (raw->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        snprintf(err.code, sizeof(err.code), "bad_batch");
    err.kind =
        err.kind == ERR_INPUT && strcmp(err.code, "unknown_topic") == 0 ? ERR_AGAIN : ERR_FATAL;
    p->broken = true;
    *out = (struct kafka_msg){.topic = t->name,
                              .partition = raw->partition,
                              .offset = raw->offset < 0 ? p->next : raw->offset,
                              .handle = raw,
                              .err = xmalloc(sizeof(err))};
    *out->err = err;
    return true;
}

static bool take(struct kafka_fetcher *f, rd_kafka_message_t *raw, struct kafka_msg *out)
{
    struct topic *t = topic_of(f, raw->rkt);
    struct part *p = part_of(t, raw->partition);

    if (raw->err)
        return take_error(f, t, p, raw, out);
    if (!p || !p->assigned || p->broken || raw->offset < p->next)
        return false;
    p->next = raw->offset + 1;
    kafka_msg_fill(out, raw, t->name);
    return true;
}

static size_t batch(struct kafka_fetcher *f, size_t from, size_t max)
{
    ssize_t n = rd_kafka_consume_batch_queue(f->h.q, 0, f->raw + from, max - from);

    return from + (n > 0 ? (size_t)n : 0);
}

/* Before 2.2, when the queue of a handle is above its mark, the threads that fetch look at it again only
 * after a second; a consumer that empties it sooner starves.  Any request wakes them: so each time
 * half of the mark has been taken, the leaders are asked a short question (a millisecond; data has
 * just come, so they are there).  Nothing is done with the answer. */
static void kick(struct kafka_fetcher *f, size_t taken)
{
    rd_kafka_topic_partition_list_t *l;

    f->taken_bytes += taken;
    if (f->kick_bytes == 0 || f->taken_bytes < f->kick_bytes)
        return;
    f->taken_bytes = 0;
    if (rd_kafka_assignment(f->h.rk, &l))
        return;
    for (int i = 0; i < l->cnt; i++)
        l->elems[i].offset = RD_KAFKA_OFFSET_END;
    if (l->cnt > 0)
        rd_kafka_offsets_for_times(f->h.rk, l, KICK_MS);
    rd_kafka_topic_partition_list_destroy(l);
}

size_t kafka_fetch(struct kafka_fetcher *f, int timeout_ms, struct kafka_msg *out, size_t max)
{
    size_t n, kept = 0, taken = 0;

    if (max > f->n_raw) {
        f->raw = xrealloc(f->raw, max * sizeof(rd_kafka_message_t *));
        f->n_raw = max;
    }
    kafka_handle_drained(&f->h);
    n = batch(f, 0, max); /* (a batch with a time-out would wait until it is full) */
    if (n == 0 && timeout_ms != 0 && max > 0) {
        f->raw[0] = rd_kafka_consumer_poll(f->h.rk, timeout_ms);
        n = f->raw[0] ? batch(f, 1, max) : 0;
    }
    if (n == max)
        kafka_handle_again(&f->h);
    for (size_t i = 0; i < n; i++) {
        taken += f->raw[i]->len + f->raw[i]->key_len;
        if (take(f, f->raw[i], &out[kept]))
            kept++;
        else
            rd_kafka_message_destroy(f->raw[i]);
    }
    kick(f, taken);
    return kept;
}
