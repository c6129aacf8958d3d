/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lapse: the order of a time-lapse run (record clock), as pure steps.
 *
 * merge: the heads of the upstream partitions, least (time, topic, partition) first; a partition without
 * a head holds everything up, until its end marker has come.
 *
 * The day, noon to noon of the policy's zone:
 *
 *      OPEN ─► rules ─► EVENTS ─► tick ─► BARRIER ─► receipts? ─ yes: append them, BARRIER again
 *       ▲                                               │ no
 *       └──────────────────── next day ◄────────────────┴─► DONE after the last day
 *
 * BARRIER: the engine's committed offsets equal the ends of rouse.log, then the dispatcher's those of
 * rouse.decisions.  Its two halves are asked again until they hold; nothing is guessed from time.
 *
 * results: of each decision the first final result, by seq, each once.
 */
#ifndef ROUSE_INGEST_LAPSE_H
#define ROUSE_INGEST_LAPSE_H

#include "model.h"

/* ---- merge ---- */

struct merge_head {
    struct str topic;
    int32_t partition;
    int64_t at_ms;
};
struct merge;
struct merge *merge_new(void);
void merge_free(struct merge **m);
/* Heads live in the sources; a source is in the merge while it has one. */
void merge_put(struct merge *m, struct merge_head *head);
struct merge_head *merge_least(const struct merge *m); /* NULL = none */
void merge_take(struct merge *m);                      /* drop the least */
void merge_clear(struct merge *m);

/* ---- the day ---- */

enum lapse_state {
    LAPSE_OPEN,    /* between days: the heads are not looked at yet */
    LAPSE_EVENTS,  /* rules are out; heads before `tick_ms` are released */
    LAPSE_BARRIER, /* the tick (or a round of receipts) is out; the others catch up */
    LAPSE_DONE,    /* the last day is done */
};
enum lapse_do {
    LAPSE_WAIT,     /* for heads */
    LAPSE_RULES,    /* append rules to every partition at start_ms */
    LAPSE_EVENT,    /* release the least head */
    LAPSE_TICK,     /* append a tick at tick_ms to every partition */
    LAPSE_ASK,      /* ask the barrier; lapse_caught_up when it holds */
    LAPSE_FINISHED, /* nothing more, ever */
};
struct lapse {
    enum lapse_state state;
    const struct zone *tz;
    int64_t end_ms;   /* of genesis */
    int64_t start_ms; /* of the day; events before it are released too */
    int64_t tick_ms;  /* its end: the next noon, or end_ms */
    int64_t last_ms;  /* tick of the day before; INT64_MIN = none */
    int64_t days;
    uint32_t round; /* of receipts on this day */
};
void lapse_init(struct lapse *l, const struct zone *tz, int64_t end_ms);
/* Go on after the day that ended with this tick. */
void lapse_resume(struct lapse *l, int64_t last_tick_ms);
/* What is next.  complete: every partition has a head or has ended.  least: of the merge, or NULL. */
enum lapse_do lapse_next(struct lapse *l, bool complete, const struct merge_head *least);
/* The barrier holds; receipts: so many new first final results were found (and are now appended, one
 * round).  True when the day is over. */
bool lapse_caught_up(struct lapse *l, size_t receipts);
/* A receipt stands one ms after what the decision was made in: the tick, or the round before. */
int64_t lapse_receipt_ms(const struct lapse *l, int64_t decision_ms);

/* ---- barrier ---- */

/* committed[p], -1 = none.  True when each is at least ends[p]. */
bool barrier_reached(const int64_t *committed, const int64_t *ends, uint32_t n);

/* ---- results ---- */

struct result {
    uint64_t seq;
    int64_t at_ms;
    struct receipt receipt; /* strings are copies */
};
struct results;
struct results *results_new(uint32_t partitions);
void results_free(struct results **r);
/* next: the least seq of p that has not been released (from the last day's commit). */
void results_resume(struct results *r, uint32_t p, uint64_t next);
uint64_t results_next(const struct results *r, uint32_t p);
/* A record of rouse.outcomes p: kept when it is the first final result of its decision. */
void results_add(struct results *r, uint32_t p, const struct outcome *o);
size_t results_waiting(const struct results *r);
/* Those of p by seq, and forget them. Valid until the next call. */
const struct result *results_take(struct results *r, uint32_t p, size_t *n);

#endif
