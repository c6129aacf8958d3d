/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch: what the dispatcher knows and does about one partition, as a pure step: records and answers
 * in, effects out.  No clock, no I/O, no randomness of its own.
 *
 * What it knows is a fold over rouse.outcomes (what was done) and rouse.decisions (what is wanted).
 * Nothing counts before it has been read back: an attempt is sent when it comes out of the log under
 * the newest claim, a message is done when its final result comes out of the log.  So the process that
 * wrote a record and the one that takes over after a crash see the same thing.
 *
 *      claim ──► folding outcomes to our own claim ──► running ──► lost | parked
 *
 *      a message:   known ─► waiting ─► queued ─► attempting ─► in flight ─► finishing ─► (gone)
 *                              ▲          ▲          │ gate: no bytes   │        ▲
 *                              └──────────┴──────────┼──────────────────┤        │
 *                                                    │   reconciling ◄──┘        │
 *                                                    └───────────────────────────┘
 *
 * Invariants: one `attempt` is sent at most once; a message has at most one open attempt under a claim;
 * a message leaves only when a final result stands in the log; a snapshot is written only when nothing
 * that the log told is still waiting for its decision, so it may stand for everything before it.
 */
#ifndef ROUSE_DISPATCH_H
#define ROUSE_DISPATCH_H

#include "webhook.h"

struct dispatch_gateway { /* what the step needs of an adapter */
    uint32_t index;
    enum webhook_ambiguous ambiguous;
    int64_t reconcile_ms;
    bool retry_once;
    const struct webhook_schedule *schedule; /* NULL = by purpose */
};

struct dispatch_conf {
    uint32_t p, topology;
    bool record; /* the clock is the time of the decision in hand (architecture §5, Time-lapse) */
    /* NULL = no adapter of that name: the message waits for one, until it expires. */
    const struct dispatch_gateway *(*gateway)(void *arg, struct str name);
    void *arg;
};

enum work_state {
    WORK_KNOWN,       /* the outcomes speak of it, its decision has not been read (again) yet */
    WORK_WAITING,     /* due_ms: then it is queued */
    WORK_QUEUED,      /* in its gateway's queue; due_ms: its expiry */
    WORK_ATTEMPTING,  /* attempt written, not read back */
    WORK_INFLIGHT,    /* EFFECT_SEND was given, no answer yet */
    WORK_RECONCILING, /* ambiguous; due_ms: the end of waiting for a report */
    WORK_FINISHING,   /* final result written, not read back */
    WORK_ORPHAN,      /* in flight, and the partition is no longer ours to decide on */
    WORK_GONE,        /* freed by dispatch_effects_clear */
};

struct work {
    struct dispatch *d;
    struct work *prev, *next;     /* in order of acceptance */
    struct work *q_prev, *q_next; /* the gateway's queue: the shell's */
    bool in_queue, busy;          /* the shell's: in a queue; counted as in flight */
    enum work_state state;
    uint64_t seq;
    int64_t off;       /* in rouse.decisions */
    uint32_t attempts; /* the last attempt's number */
    uint32_t tries;    /* those that count against the schedule */
    bool open;         /* the last attempt has no result */
    bool ambiguous;    /* an attempt may have arrived */
    bool once;         /* … and it was tried again after that */
    bool final;        /* a final result stands in the log */
    int64_t due_ms;    /* host clock */
    size_t heap_pos;   /* SIZE_MAX = not in the heap */
    char id[40];
    int64_t at_ms, expire_ms;
    int32_t quiet_from, quiet_to, utc_off_s;
    struct str member, rule, message, gateway, purpose, body; /* in mem */
    const struct dispatch_gateway *gw;
    char code[48]; /* of the last verdict */
    char *mem;
};

enum effect_kind {
    EFFECT_WRITE,     /* append `o` to rouse.outcomes p, in this order */
    EFFECT_QUEUE,     /* put w into its gateway's queue (at its end) */
    EFFECT_UNQUEUE,   /* take w out of it */
    EFFECT_SEND,      /* send w->body under w->id now */
    EFFECT_RELEASE,   /* w's attempt has ended: room for another at its gateway */
    EFFECT_DECISIONS, /* read rouse.decisions p from `off` */
    EFFECT_LOST,      /* another process has claimed the partition */
    EFFECT_PARK,      /* dispatch_error() says why */
};
struct effect {
    enum effect_kind kind;
    struct work *w;
    struct outcome o; /* strings live until dispatch_effects_clear */
    int64_t off;
};

enum dispatch_phase {
    DISPATCH_IDLE,    /* not claimed */
    DISPATCH_FOLDING, /* our claim is written; reading up to it */
    DISPATCH_RUNNING, /* our claim is the newest read */
    DISPATCH_LOST,
    DISPATCH_PARKED,
};

/* Time and chance, given with each input. */
struct dispatch_now {
    int64_t ms; /* host clock */
    uint32_t random;
};

struct dispatch;
struct dispatch *dispatch_new(const struct dispatch_conf *conf);
void dispatch_free(struct dispatch **d); /* orphans too: nothing may be in flight */

/* Take the partition: forget everything but orphans and write a claim.  must_have_snapshot: the group
 * has committed the place of one, so a log without any has lost what was sent. */
void dispatch_claim(struct dispatch *d, const char *tok, bool must_have_snapshot,
                    const struct dispatch_now *now);
/* Let go of it: as a claim, without one. */
void dispatch_drop(struct dispatch *d);
/* Stop for a reason found outside ("decisions out of range"). */
void dispatch_park(struct dispatch *d, const struct err *why);

/* One record of rouse.outcomes p, in order. */
void dispatch_outcome(struct dispatch *d, int64_t off, const struct outcome *o,
                      const struct dispatch_now *now);
/* One record of rouse.decisions p, in order; `bytes` as read, `r` parsed of it. */
void dispatch_decision(struct dispatch *d, int64_t off, struct str bytes, const struct decision *r,
                       const struct dispatch_now *now);
/* The gateway has room: w (queued) makes an attempt. */
void dispatch_try(struct work *w, const struct dispatch_now *now);
/* What became of EFFECT_SEND. */
void dispatch_answer(struct work *w, const struct webhook_verdict *v, bool sent,
                     const struct dispatch_now *now);
/* Kafka has acknowledged the final result of `seq` that we wrote: it stands, before it is read back. */
void dispatch_acknowledged(struct dispatch *d, uint64_t seq);
/* Timers that have passed. */
void dispatch_due(struct dispatch *d, const struct dispatch_now *now);
int64_t dispatch_next_due(const struct dispatch *d); /* TIME_NEVER = none */
/* Write a snapshot, if one can be written now. */
bool dispatch_snapshot(struct dispatch *d, const struct dispatch_now *now);

/* What is to be done, in order; then clear. */
const struct effect *dispatch_effects(const struct dispatch *d, size_t *n);
void dispatch_effects_clear(struct dispatch *d);

uint32_t dispatch_partition(const struct dispatch *d);
enum dispatch_phase dispatch_phase(const struct dispatch *d);
const struct err *dispatch_error(const struct dispatch *d);
uint64_t dispatch_next(const struct dispatch *d); /* seq */
int64_t
dispatch_floor(const struct dispatch *d); /* every decision below it is final; -1 = unknown */
int64_t dispatch_snapshot_off(const struct dispatch *d);    /* newest valid one read; -1 = none */
uint64_t dispatch_since_snapshot(const struct dispatch *d); /* outcomes read after it */
uint32_t dispatch_pending(const struct dispatch *d);        /* accepted and not final, or known */
uint32_t dispatch_orphans(const struct dispatch *d);
bool dispatch_caught_up(const struct dispatch *d); /* nothing known waits for its decision */

struct dispatch_stats {
    uint64_t accepted, duplicates, sends, finals, ambiguous, expired, returned, invalid_attempts;
};
const struct dispatch_stats *dispatch_stats(const struct dispatch *d);

#endif
