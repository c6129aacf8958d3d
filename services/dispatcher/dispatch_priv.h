/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch_priv: the inside of a partition, shared by dispatch.c (decisions), outcomes.c, try.c
 * (messages out) and works.c (the messages). */
#ifndef ROUSE_DISPATCH_PRIV_H
#define ROUSE_DISPATCH_PRIV_H

#include "dispatch.h"

#define RING 1024 /* ids of the last accepted decisions, to tell a duplicate from a divergence */

/* The messages of a partition: by seq, in order of acceptance, by due time. */
struct works {
    struct work **slot; /* open addressing, by seq; NULL = free */
    uint32_t cap, n;
    struct work *head, *tail; /* those with a decision */
    struct heap *due;
};

struct dispatch {
    struct dispatch_conf conf;
    enum dispatch_phase phase;
    struct err err;
    char tok[33], owner[33]; /* ours; of the newest claim read, empty = none yet */
    bool begun, whole;       /* a record was read; the first was at offset 0 */
    bool have_snapshot, must_have_snapshot;
    /* rouse.decisions */
    uint32_t era;
    uint64_t next;
    uint8_t chain[32];
    int64_t read_off;  /* first offset not yet taken in; -1 = unknown */
    int64_t start_off; /* where reading began */
    bool again;        /* the last one read again was again_seq */
    uint64_t again_seq;
    uint8_t again_chain[32];
    uint64_t ring[RING]; /* first 8 bytes of the chain of seq, at seq % RING */
    uint64_t ring_from;  /* seqs below are not in it */
    /* rouse.outcomes */
    int64_t snapshot_off;
    uint64_t since_snapshot;
    int64_t last_at_ms; /* newest decision's time: the record clock of claims and snapshots */
    struct works works;
    uint32_t n_known, n_pending, n_orphans;
    struct work *garbage, *orphans; /* linked by next */
    struct effect *effects;
    size_t n_effects, cap_effects;
    struct buf scratch; /* bodies */
    struct dispatch_stats stats;
};

/* works.c */
void works_init(struct works *w);
void works_free(struct works *w);
struct work *works_get(const struct works *w, uint64_t seq);
struct work *works_add(struct dispatch *d, uint64_t seq); /* WORK_KNOWN */
void works_load(struct work *w, int64_t off, const struct decision *r);
void works_due(struct work *w, int64_t due_ms); /* TIME_NEVER = none */
void works_remove(struct work *w);              /* to the garbage */
void works_orphan(struct work *w);              /* out of everything, until its answer comes */
void works_dead(struct dispatch *d);            /* free the garbage */

/* dispatch.c */
struct effect *effect_add(struct dispatch *d, enum effect_kind kind, struct work *w);
struct outcome *write_add(struct dispatch *d, enum outcome_kind kind, struct work *w,
                          const struct dispatch_now *now);

void dispatch_set_phase(struct dispatch *d, enum dispatch_phase phase);
void dispatch_take_over(struct dispatch *d); /* our claim is the newest read */

/* try.c */
void try_begin(struct work *w, const struct dispatch_now *now); /* its decision is here */
void try_read_back(struct work *w, const struct dispatch_now *now);
/* Does a result of this class use up a try? */
bool try_counts(const struct dispatch *d, struct str result_class, bool sent);

#endif
