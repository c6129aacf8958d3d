/* SPDX-License-Identifier: Apache-2.0 */
/* dispatcher_priv: the shell's inside, shared by its files. */
#ifndef ROUSE_DISPATCHER_PRIV_H
#define ROUSE_DISPATCHER_PRIV_H

#include "dispatch.h"
#include "dispatcher.h"
#include "kafka.h"

#define TOPIC_CONTROL "rouse.control"
#define TOPIC_DECISIONS "rouse.decisions"
#define TOPIC_OUTCOMES "rouse.outcomes"

enum part_state {
    PART_AWAY,     /* not ours */
    PART_WANTED,   /* ours, to be claimed */
    PART_CLAIMING, /* claim written, folding rouse.outcomes up to it */
    PART_RUNNING,
    PART_PARKED, /* stopped until a person has looked; the claim is kept */
    PART_STATES,
};
extern const char *const part_state_names[PART_STATES];

struct dispatcher;
struct part {
    struct dispatcher *x;
    int32_t p;
    enum part_state state;
    bool owned;
    uint32_t claims; /* so far: tells reports of an older claim */
    struct dispatch *d;
    bool from_start;             /* the committed offset was no snapshot: read all */
    int64_t first_off;           /* of rouse.outcomes: must be a snapshot; -1 = any */
    int64_t retry_ms;            /* mono: not claimed before */
    bool paused;                 /* rouse.decisions */
    int64_t floor, snapshot_off; /* as committed, -1 = not yet */
    int64_t snapshot_ms;         /* mono: when the last was written */
    bool snapshot_waiting;       /* … and has not been read back; before it stood: */
    int64_t snapshot_seen;
    bool in_effects;
    struct dispatch_stats told; /* counted in the metrics */
};

struct gateway {
    struct dispatcher *x;
    struct webhook_adapter *adapter;
    struct dispatch_gateway view;
    char name[65];
    struct work *head, *tail; /* queue */
    uint32_t n_queued, busy;
    int64_t blocked_ms; /* mono: nothing is tried before */
    bool probing;       /* one at a time until one succeeds */
    bool down;          /* said so */
    char told[48];      /* the code that was said */
    int64_t told_ms;    /* mono */
};

struct dispatcher {
    struct dispatcher_conf conf;
    struct service *s;
    struct kafka_conf kafka;
    struct kafka_extra kafka_extra;
    int64_t now_ms, mono_ms;
    uint64_t rng;
    char chaos[32];
    int64_t chaos_left;
    /* world */
    struct genesis genesis;
    bool started, record, suspended, draining, busy, told_away;
    int64_t control_retry_ms, group_retry_ms, producer_retry_ms, claim_retry_ms, commit_at_ms,
        recommit_ms, gauges_ms;
    struct kafka_group *group;
    struct kafka_fetcher *fetcher;
    struct kafka_producer *producer;
    struct kafka_watch *watch;
    bool producer_failed;
    struct backlog { /* records that the producer had no room for, in order */
        struct backlog *next;
        int32_t p;
        bool result;
        void *opaque;
        size_t n;
        char bytes[];
    } * backlog, **backlog_end;
    struct buf out;
    struct arena *arena; /* one record */
    /* gateways */
    struct webhook_client *client;
    struct gateway *gateways;
    uint32_t n_gateways;
    char no_adapter[65]; /* the last name that was asked for in vain */
    struct failed {      /* webhook_send refused them */
        struct work *w;
        bool fatal;
    } * failed;
    size_t n_failed, cap_failed;
    /* partitions */
    struct part *parts;
    uint64_t n_pending; /* messages of all partitions */
};

struct dispatch_now dispatcher_now(struct dispatcher *x);
/* The process ends here when it was told to (tests). */
void dispatcher_chaos(struct dispatcher *x, const char *point);

/* world.c */
int world_new(struct dispatcher *x, struct err *err);
void world_free(struct dispatcher *x);
void world_turn(struct dispatcher *x); /* control, group, producer, records */
void world_write(struct dispatcher *x, int32_t p, const struct outcome *o);
void world_commit(struct dispatcher *x, bool wait);
bool world_written(const struct dispatcher *x); /* nothing waits to be produced */

/* part.c */
void part_init(struct part *t, struct dispatcher *x, int32_t p);
void part_own(struct part *t, bool ours);
void part_claim_all(struct dispatcher *x);
void part_outcome(struct part *t, const struct kafka_msg *m);
void part_decision(struct part *t, const struct kafka_msg *m);
void part_effects(struct part *t);
void part_turn(struct part *t); /* timers, snapshots, pausing */
void part_again(struct part *t, const char *why, int64_t wait_ms);
bool part_snapshot(struct part *t);

/* gateways.c */
int gateways_load(struct dispatcher *x, struct err *err);
void gateways_free(struct dispatcher *x);
const struct dispatch_gateway *gateways_find(void *arg, struct str name);
void gateway_push(struct gateway *g, struct work *w);
void gateway_remove(struct gateway *g, struct work *w);
void gateway_send(struct gateway *g, struct work *w);
void gateways_answer(void *arg, void *opaque, const struct webhook_answer *a);
void gateways_turn(struct dispatcher *x);
uint32_t gateways_busy(const struct dispatcher *x);

/* metrics.c */
enum dispatcher_metric {
    DM_ACCEPTED,
    DM_DUPLICATES,
    DM_RESULTS,
    DM_FINALS,
    DM_AMBIGUOUS,
    DM_SENDS,
    DM_INVALID,
    DM_CLAIMS,
    DM_LOST,
    DM_AGAIN,
    DM_SNAPSHOTS,
    DM_PARTITIONS,
    DM_PENDING,
    DM_QUEUED,
    DM_IN_FLIGHT,
    DM_TROUBLE,
    DM_NO_ADAPTER,
    DM_ANSWER,
    DM_N,
};
extern struct metric dispatcher_metrics[DM_N];
void metrics_part(struct part *t);
void metrics_gauges(struct dispatcher *x);

#endif
