/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of ingest.
 *
 *   pack.c progress.c lapse.c   pure steps
 *   world.c      the connections: control topic, producer, group; which rules are in force
 *   source.c     source partitions: where each begins, what parks it, what is committed
 *   take.c       one Kafka record into entries, receipts or a dead letter
 *   timelapse.c  record clock: one virtual day at a time
 *   ingest.c     the loop
 *
 *   fetcher ──► take ──► pack ──► producer ──► reports ──► progress ──► commit (offset, epoch, crc)
 *
 * Restarting is the answer to every surprise (a failed report, another assignment, other topics): forget
 * what is open, go back to the committed offsets.  What is appended twice the fold drops.
 */
#ifndef ROUSE_INGEST_PRIV_H
#define ROUSE_INGEST_PRIV_H

#include "ingest.h"
#include "kafka.h"
#include "lapse.h"
#include "pack.h"
#include "progress.h"
#include "rule.h"

#define TOPIC_LOG "rouse.log"
#define TOPIC_DECISIONS "rouse.decisions"
#define TOPIC_OUTCOMES "rouse.outcomes"
#define TOPIC_RECEIPTS "rouse.receipts"
#define TOPIC_DEAD "rouse.dead"
#define TOPIC_CONTROL "rouse.control"

enum source_kind { SOURCE_UPSTREAM, SOURCE_OUTCOMES, SOURCE_RECEIPTS };

/* One partition that we read. */
struct src {
    struct ingest *in;
    char *topic;
    int32_t partition;
    enum source_kind kind;
    bool ours, parked, placed; /* placed: the fetcher reads it */
    bool moved;                /* since the last look at the positions */
    int64_t epoch;
    int64_t next; /* everything below has been taken */
    uint32_t crc; /* of record next - 1 */
    bool crc_known;
    bool check; /* the record before the committed offset must still be the same one */
    uint32_t check_crc;
    /* record clock: what is read ahead, and the head that waits in the merge */
    struct kafka_msg *queue; /* ring */
    size_t q_at, q_n, q_cap, q_bytes;
    bool ended, paused, has_head;
    struct merge_head head;
    struct kafka_msg msg; /* of the head */
    struct arena *a;      /* its events */
    struct event *events;
    uint32_t n_events;
};

enum ask_stage {                 /* of the barrier: what is asked until it holds */
                 ASK_REPORTS,    /* everything appended is acknowledged */
                 ASK_ENGINE,     /* its committed offsets equal the ends of rouse.log */
                 ASK_DISPATCHER, /* its committed offsets equal the ends of rouse.decisions */
                 ASK_OUTCOMES,   /* rouse.outcomes is read to its ends */
};
struct run { /* record clock */
    struct lapse lapse;
    struct merge *merge;
    struct results *results;
    struct kafka_watch *engine, *dispatcher;
    enum ask_stage stage;
    int64_t *log_end, *decisions_end, *outcomes_end, *committed; /* one a partition */
    bool finished;
    int64_t told_ms; /* mono: when waiting was last said or began */
};

struct ingest {
    struct ingest_conf conf;
    struct service *s;
    struct kafka_conf kafka;
    struct kafka_extra kafka_extra;
    int64_t now_ms, mono_ms;
    int64_t wait_ms; /* sleep at most so long … */
    bool busy;       /* … or not at all */
    bool draining;

    struct control *control;
    int64_t control_next, control_end, control_retry_ms;
    bool control_lost; /* nothing comes of it until it is assigned again */
    bool started;      /* genesis is known */
    bool told;
    struct genesis genesis;
    const struct program *program; /* in force; NULL = nothing is decoded yet */
    uint64_t n;
    struct active active;
    bool announced; /* `rules` of n are appended by this incarnation */
    uint64_t bad_n; /* an activation that cannot be loaded: said once */

    struct kafka_fetcher *fetcher;
    struct kafka_producer *producer;
    struct kafka_group *group;
    struct kafka_watch *ends; /* for the ends of source partitions */
    bool producer_failed;
    int64_t producer_retry_ms, group_retry_ms, place_retry_ms;
    uint64_t inflight_bytes;

    struct src **src;
    size_t n_src, last_src;
    size_t subscribed; /* topics of the group */
    struct arena *topics_a;
    const char **topics;
    bool assigned, placing; /* placing: some source has to find its place */

    struct kafka_msg batch[512];
    size_t batch_n, batch_at;
    struct pack *pack;
    struct progress *progress;
    int64_t positions_ms;
    struct arena *a; /* of one record */
    struct buf b;
    struct run run;
};

/* world.c */
int world_new(struct ingest *in, struct err *err);
void world_free(struct ingest *in);
void world_turn(struct ingest *in);
void world_fetch(struct ingest *in);
bool world_room(const struct ingest *in); /* may more be appended now? */
/* Append to rouse.log p or another topic; a failure restarts. */
void world_append(struct ingest *in, const char *topic, int32_t p, struct str key,
                  struct str value);
void world_emit(void *arg, uint32_t p, struct str record);
/* Take up the newest activation that can be loaded. */
void world_adopt(struct ingest *in);
void world_announce(struct ingest *in, int64_t at_ms); /* `rules`, where it was not done yet */
void world_restart(struct ingest *in, const char *why);
void world_health(struct ingest *in);

/* source.c */
struct src *source_find(struct ingest *in, const char *topic, int32_t partition);
void source_assign(struct ingest *in, const struct kafka_tp *tp, size_t n);
void source_place(struct ingest *in);  /* those that have no place yet */
void source_forget(struct ingest *in); /* all places: back to the committed ones */
void source_epochs(struct ingest *in); /* rouse.control may have raised one */
void source_park(struct src *s, const char *code, const char *why);
/* The record is the next of its partition: 1 = take it, 0 = not (it is a check, or parks). */
int source_accept(struct src *s, const struct kafka_msg *m);
void source_taken(struct src *s, const struct kafka_msg *m);
void source_error(struct src *s, const struct kafka_msg *m);
void source_positions(struct ingest *in, bool now); /* close a window, commit what may be */
void source_commit(struct ingest *in, bool wait);
void source_free(struct src *s);
int64_t source_epoch_of(struct ingest *in, const char *topic);
uint32_t source_crc(const struct kafka_msg *m);

/* take.c */
struct source take_source(const struct src *s, const struct kafka_msg *m);
void take_record(struct src *s, const struct kafka_msg *m); /* append clock */
/* Decode into `a`. 0; -1 it went to rouse.dead. */
int take_decode(struct src *s, const struct kafka_msg *m, struct arena *a, struct event **ev,
                uint32_t *n);
void take_dead(struct src *s, const struct kafka_msg *m, const struct err *why);
bool take_is_end(struct ingest *in, const struct kafka_msg *m);
void take_receipt(struct ingest *in, uint32_t p, const struct source *src, int64_t at_ms,
                  const struct receipt *r);

/* timelapse.c */
void lapse_start(struct ingest *in);
void lapse_stop(struct ingest *in); /* forget what is read ahead and where the day stands */
void lapse_end(struct ingest *in);
void lapse_take(struct src *s, struct kafka_msg *m); /* keeps m */
void lapse_turn(struct ingest *in);
void lapse_forget(struct src *s); /* what it has read ahead */
void lapse_report(struct ingest *in, int32_t p, int64_t offset);
void lapse_place(struct src *s, const char *metadata); /* outcomes: from where results are new */
void lapse_metadata(const struct src *s, char *out, size_t n);

/* metrics.c */
enum ingest_metric {
    IM_RECORDS,
    IM_EVENTS,
    IM_DEAD,
    IM_RECEIPTS,
    IM_APPENDED,
    IM_BYTES,
    IM_SOURCES,
    IM_PARKED,
    IM_RESTARTS,
    IM_RULES,
    IM_INFLIGHT,
    IM_DAYS,
    IM_DAY,
    IM_FINISHED,
    IM_N
};
extern struct metric ingest_metrics[IM_N];
static inline void count(enum ingest_metric m, const char *labels, double v)
{
    metric_add(&ingest_metrics[m], labels, v);
}

#endif
