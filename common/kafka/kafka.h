/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka: the only module that includes librdkafka.  A producer that loses and reorders nothing, a
 * membership handle that only tells which partitions are ours, a fetcher that reads exactly the
 * partitions it is told to from exactly the offsets it is told, whole reads of a partition, and topic
 * administration.  Everything is polled from the caller's loop; fds become readable when there is
 * something to poll.  (Pitfalls of librdkafka 2.0.2 that shape it: reference in README.md.)
 */
#ifndef ROUSE_KAFKA_H
#define ROUSE_KAFKA_H

#include "base.h"

struct kafka_conf {
    const char *bootstrap;
    const char *client_id;
    uint32_t linger_ms;       /* producer; 0 = send at once */
    uint32_t fetch_wait_ms;   /* fetcher: how long the broker may hold an empty fetch; 0 = 50 */
    uint32_t fetch_queue_kb;  /* fetcher: what may wait for kafka_fetch; 0 = 16384 */
    uint32_t session_ms;      /* group; 0 = 10000 (the sandbox broker wants 6000) */
    const char *compression;  /* NULL = lz4 */
    const char *const *extra; /* name, value, name, value, … NULL: allow-listed pass-through
                                  (security.protocol, ssl.*, sasl.*); others are refused */
    void (*log)(void *arg, int syslog_level, const char *facility, const char *text);
    void *log_arg;
};

/* "name=value,name=value", as options write it, into a list for kafka_conf.extra (which points into
 * `out`). A value "@FILE" is the first line of that file: so a password stands in no argument and may
 * hold a comma. -1: not of that form, more than 32, or a file that cannot be read. */
struct kafka_extra {
    char text[4096], files[4096];
    const char *list[2 * 32 + 1];
};
int kafka_extra(const char *text, struct kafka_extra *out, struct err *err);

/* ---- producer: idempotent, acks=all, message.timeout.ms=0 ------------------------------------------ */

struct kafka_header {
    const char *name;
    struct str value;
};
struct kafka_producer;
int kafka_producer_new(const struct kafka_conf *c, struct kafka_producer **out, struct err *err);
/* Abandons what is in the queue (the outcome of what is in flight is unknown). */
void kafka_producer_free(struct kafka_producer **p);
int kafka_producer_fd(const struct kafka_producer *p);
/* At most 1,000,000 bytes a record. Copies key, value, headers. A value (key) whose p is NULL is a tombstone (no key); an empty one has
 * an address, STR(""). partition -1 = by murmur2 of the key (any partition without a key).
 * `opaque` comes back in the report. -1: ERR_AGAIN the queue is full (poll and try again), ERR_INPUT
 * too large or unknown partition, ERR_FATAL. */
int kafka_produce(struct kafka_producer *p, const char *topic, int32_t partition, struct str key,
                  struct str value, const struct kafka_header *h, uint32_t n_h, void *opaque,
                  struct err *err);
/* Delivery reports that have arrived; waits up to timeout_ms for the first. Returns how many.
 * err NULL = acknowledged (offset -1 in the rare case that the broker did not tell it again). After
 * any failed report the producer must be freed and made again. */
typedef void kafka_report_fn(void *arg, void *opaque, const char *topic, int32_t partition,
                             int64_t offset, const struct err *err);
int kafka_producer_poll(struct kafka_producer *p, int timeout_ms, kafka_report_fn *fn, void *arg);
bool kafka_producer_fatal(struct kafka_producer *p, struct err *err);
/* Wait until every report has come, up to timeout_ms: 0, or -1 ERR_AGAIN. For tools. */
int kafka_producer_flush(struct kafka_producer *p, int timeout_ms, kafka_report_fn *fn, void *arg,
                         struct err *err);

/* ---- group: eager, assigns nothing, tells which partitions are ours ---------------------------------- */

struct kafka_group;
struct kafka_tp {
    const char *topic; /* lives as long as the handle */
    int32_t partition;
    int64_t offset; /* where used; -1 = none */
    struct str metadata;
};
typedef void kafka_assign_fn(void *arg, const struct kafka_tp *tp,
                             size_t n); /* the whole new set */
int kafka_group_new(const struct kafka_conf *c, const char *group, const char *const *topics,
                    size_t n_topics, struct kafka_group **out, struct err *err);
void kafka_group_free(struct kafka_group **g); /* leaves the group; bounded */
int kafka_group_fd(const struct kafka_group *g);
/* fn is called on each change, with n = 0 on a revoke. Must be polled regularly. 0, or -1 on an error
 * that polling will not mend. */
int kafka_group_poll(struct kafka_group *g, int timeout_ms, kafka_assign_fn *fn, void *arg,
                     struct err *err);
/* Asynchronous: for lag tools, barriers and (ingest) the place to go on from. */
int kafka_group_commit(struct kafka_group *g, const struct kafka_tp *tp, size_t n, struct err *err);
/* Waits. */
int kafka_group_commit_sync(struct kafka_group *g, const struct kafka_tp *tp, size_t n,
                            struct err *err);
/* Committed offsets of ANY group, without joining it: fills offset (-1 = none) and metadata (in `a`). */
int kafka_committed(const struct kafka_conf *c, const char *group, struct kafka_tp *tp, size_t n,
                    struct arena *a, int timeout_ms, struct err *err);
/* The same with a handle kept between calls (barriers). */
struct kafka_watch;
int kafka_watch_new(const struct kafka_conf *c, const char *group, struct kafka_watch **out,
                    struct err *err);
void kafka_watch_free(struct kafka_watch **w);
int kafka_watch_committed(struct kafka_watch *w, struct kafka_tp *tp, size_t n, int timeout_ms,
                          struct err *err); /* offsets only */
int kafka_watch_ends(struct kafka_watch *w, struct kafka_tp *tp, size_t n, int timeout_ms,
                     struct err *err); /* high watermarks into offset */

/* ---- fetcher: never subscribes ------------------------------------------------------------------------ */

struct kafka_msg {
    const char *topic; /* interned in the handle */
    int32_t partition;
    int64_t offset;
    int64_t ts_ms;
    bool append_time; /* ts_ms is the broker's LogAppendTime */
    bool tombstone;   /* value NULL */
    struct str key, value;
    void *handle;    /* the librdkafka message; see kafka_msg_done */
    struct err *err; /* NULL, or why nothing more comes of the partition until it is assigned again;
                      * told once. ERR_FATAL "out_of_range" (with the offset), "bad_batch",
                      * "unauthorized"; ERR_AGAIN "unknown_topic" (deleted, or a broker that does
                      * not know it yet: assign again in a while) */
};
struct kafka_fetcher;
int kafka_fetcher_new(const struct kafka_conf *c, struct kafka_fetcher **out, struct err *err);
void kafka_fetcher_free(struct kafka_fetcher **f);
int kafka_fetcher_fd(const struct kafka_fetcher *f);
/* incremental_assign; an assigned partition is moved by unassign + assign, never by seek. */
#define KAFKA_BEGINNING (-2)
#define KAFKA_END (-1)
int kafka_fetch_assign(struct kafka_fetcher *f, const char *topic, int32_t partition,
                       int64_t offset, struct err *err);
int kafka_fetch_unassign(struct kafka_fetcher *f, const char *topic, int32_t partition);
int kafka_fetch_pause(struct kafka_fetcher *f, const char *topic, int32_t partition, bool pause);
/* Where the partition ended when it was last fetched from; asks nobody. 1, or 0 = not known. */
int kafka_fetch_end(struct kafka_fetcher *f, const char *topic, int32_t partition, int64_t *end);
/* Up to max messages, waiting up to timeout_ms for the first. Every message must be given back.
 * Messages below the assigned offset and of unassigned partitions are dropped here. */
size_t kafka_fetch(struct kafka_fetcher *f, int timeout_ms, struct kafka_msg *out, size_t max);
void kafka_msg_done(struct kafka_msg *m);
/* Headers on demand: pairs name, value into `a`. Returns the number of pairs. */
uint32_t kafka_msg_headers(const struct kafka_msg *m, struct arena *a, const struct str **out);

/* ---- tools --------------------------------------------------------------------------------------------- */

/* Low and high watermark, asked from the broker. */
int kafka_watermarks(const struct kafka_conf *c, const char *topic, int32_t partition, int64_t *low,
                     int64_t *high, int timeout_ms, struct err *err);
/* Read a partition from `from` (KAFKA_BEGINNING) to the end that it had at the start. fn returns 0 to
 * go on. -1 on error, timeout_ms without progress is ERR_AGAIN. */
typedef int kafka_read_fn(void *arg, const struct kafka_msg *m);
int kafka_read_all(const struct kafka_conf *c, const char *topic, int32_t partition, int64_t from,
                   kafka_read_fn *fn, void *arg, int timeout_ms, struct err *err);
/* Partitions of a topic: >= 1, 0 = no such topic, -1 error. */
int kafka_topic_partitions(const struct kafka_conf *c, const char *topic, int timeout_ms,
                           struct err *err);
struct kafka_topic {
    const char *name;
    int32_t partitions;
    int32_t replication;       /* -1 = the broker's default */
    const char *const *config; /* name, value, …, NULL */
};
/* 1 created, 0 there already, -1 error (code "unsupported" on the sandbox broker). */
int kafka_topic_create(const struct kafka_conf *c, const struct kafka_topic *t, int timeout_ms,
                       struct err *err);
/* One configuration value of a topic into `out`. 1, 0 = unknown, -1 (code "unsupported"). */
int kafka_topic_config(const struct kafka_conf *c, const char *topic, const char *name, char *out,
                       size_t n, int timeout_ms, struct err *err);
int kafka_topic_delete(const struct kafka_conf *c, const char *topic, int timeout_ms,
                       struct err *err);

#endif
