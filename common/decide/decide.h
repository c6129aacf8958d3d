/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide: the fold.  decide(state, record) -> state', decisions.  No clock, no I/O, no randomness, no
 * locale, no tzdata, no hash order: time is what the log says, and the result does not depend on where
 * commits fall.  It holds the states of the members that it was given (the owner's cache) and the
 * window of the timer index that it was given; what it lacks it asks for, and whoever drives it (the
 * engine from Redis; `rouse test`, backtests and the oracle from nothing) gives it.
 *
 *   decide_reset(meta) after a CLAIM
 *   decide_want(record)*  -> load what decide_wants() lists -> decide_put*
 *   decide_record(record) -> DONE: next record
 *                            NEED: give what decide_wants() lists, call again with the same record
 *                            FULL: commit decide_out(), call again with the same record
 *                            PARK: err says why
 *   decide_out() -> append decisions, wait, COMMIT -> decide_committed()
 */
#ifndef ROUSE_DECIDE_H
#define ROUSE_DECIDE_H

#include "rule.h"

#define DECIDE_MAX_MEMBERS 512       /* a commit carries at most this many members */
#define DECIDE_MAX_BYTES (512 << 10) /* … and bytes of state */
#define DECIDE_MAX_STATE (64 << 10)  /* one member's state */
#define DECIDE_SWEEP 512             /* members a bite of the activation sweep */
#define DECIDE_MAX_MEMBER 128 /* bytes of a member's name; an event of a longer one is dropped */

struct decide_conf {
    uint32_t topology, p, partitions;
    bool record_clock; /* log time is the entry's own (false: the log's append time) */
    bool complete;     /* a member not put is a new one, and the timers are all here: no store */
    bool stagger;      /* spread date/every/midnight/quiet-end timers over 60 s (tests: off) */
    size_t
        cache_bytes; /* clean states above this are dropped, least recently used first; 0 = never */
    uint32_t max_members; /* 0 = DECIDE_MAX_MEMBERS: smaller bites, for tests */
    size_t max_bytes;
    /* The program of a bundle hash: 0 and *out, -1 = not known. Programs outlive the fold. */
    int (*program)(void *arg, struct str hash, const struct program **out);
    void *arg;
    /* For `rouse test`: forced arms, forced holdout, only some rules. NULL otherwise. */
    const struct test_def *test;
};

/* The cursor and everything else that meta holds besides owner and topology. */
struct decide_meta {
    uint64_t off, sub; /* record `off` is next; sub commits were made inside it */
    char pos[256];     /* place inside the record; empty when sub == 0 */
    uint64_t seq;      /* next decision */
    uint8_t chain[32];
    uint32_t era;
    int64_t now_ms; /* log time */
    uint64_t n;     /* activation; 0 = none yet */
    char hash[65];
    uint32_t level;
    char sweep[256]; /* place of the activation sweep; empty = none running */
};

struct decide;
struct decide *decide_new(const struct decide_conf *conf);
void decide_free(struct decide **d);
/* Drop cache, window and everything not committed; go on from meta. src: the marks of meta. */
struct decide_src {
    struct str topic;
    int64_t epoch;
    int32_t partition;
    int64_t offset; /* greatest folded */
};
int decide_reset(struct decide *d, const struct decide_meta *meta, const struct decide_src *src,
                 size_t n_src, struct err *err);
const struct decide_meta *decide_meta(const struct decide *d); /* present values */
const struct schema *decide_schema(const struct decide *d); /* of the present program; never NULL */
const struct program *decide_program(const struct decide *d); /* NULL before the first activation */

enum decide_rc { DECIDE_DONE, DECIDE_NEED, DECIDE_FULL, DECIDE_PARK };

/* Note the members that `r` will need. */
void decide_want(struct decide *d, const struct record *r);
enum decide_rc decide_record(struct decide *d, const struct record *r, uint64_t off, int64_t log_ms,
                             struct err *err);

struct decide_timer {
    int64_t due_ms;
    struct str member;
};
/* What is asked for; empties the list of members. */
struct decide_wants {
    const struct str *members; /* not in the cache */
    uint32_t n_members;
    const uint64_t *seqs; /* receipts that name no member: whom were these for? */
    uint32_t n_seqs;
    bool timers; /* the next `timers_n` of the index after (after), due <= upto */
    struct decide_timer after;
    int64_t upto_ms; /* TIME_NEVER includes members without a timer (sweep) */
    uint32_t timers_n;
    bool
        index; /* the next `index_n` members, in order of bytes, after `index_after`, under (tag, key) */
    struct str index_tag, index_key, index_after;
    uint32_t index_n;
};
void decide_wants(struct decide *d, struct decide_wants *out);
/* A state as it was committed; empty = no such member. Copied. */
void decide_put(struct decide *d, struct str member, struct str state);
/* The answer: in order; fewer than asked = there are no more up to `upto_ms`. Copied. */
void decide_put_timers(struct decide *d, const struct decide_timer *t, uint32_t n);
/* The answer: in order; fewer than asked = there are no more. Copied. */
void decide_put_index(struct decide *d, const struct str *members, uint32_t n);
/* Whom a seq was for. */
void decide_put_seq(struct decide *d, uint64_t seq, struct str member, struct str rule,
                    struct str message);

/* What has changed since the last commit. Valid until the next call on `d`. */
struct decide_change {
    struct str member;
    struct str state; /* empty with gone */
    int64_t due_ms;   /* TIME_NEVER: no timer, still in the index */
    bool gone;        /* equals a new member's: leaves state and index */
    bool due_changed;
    bool due_later; /* changed, and later than what was committed: the index may stay behind */
};
struct decide_public { /* one changed public tag */
    struct str member, tag;
    struct str value; /* text; */
    bool unset;
    uint64_t off;   /* the record that changed it, */
    uint32_t entry; /* its entry (0 in one that has none), */
    int64_t at_ms;  /* and log time then */
};
struct decide_link { /* a member comes to stand under (tag, key) of the index, or leaves */
    struct str tag, key, member;
    bool remove;
};
struct decide_sent {
    uint64_t seq;
    struct str member, rule, message;
};
struct decide_out {
    const struct str *decisions; /* canonical JSON, seq ascending from first_seq */
    uint32_t n_decisions;
    uint64_t first_seq;
    const struct decide_change *changes; /* in order of member bytes */
    uint32_t n_changes;
    const struct decide_public *publics; /* the last word on each */
    uint32_t n_publics;
    const struct decide_public *told; /* all of them, in the order in which they happened: a
                                       * function of the log, wherever commits fall */
    uint32_t n_told;
    const struct decide_sent *sent;
    uint32_t n_sent;
    const struct decide_link *links; /* in order: the last word on one counts */
    uint32_t n_links;
    const struct decide_src *src; /* marks that moved */
    uint32_t n_src;
    size_t state_bytes;
};
void decide_out(struct decide *d, struct decide_out *out);
void decide_committed(struct decide *d);
bool decide_dirty(const struct decide *d); /* anything at all to commit, the cursor included */

/* The least timer known: the engine ticks when it has passed. TIME_NEVER = none within the window. */
int64_t decide_next_due(const struct decide *d);

struct decide_stats {
    uint64_t events, duplicates, sources_seen, late, sends, withholds, runs_started, runs_ended,
        timers_fired, expr_errors, dropped, members, cache_bytes, evicted;
};
void decide_stats(const struct decide *d, struct decide_stats *out);

/* ---- looking at a state (rouse member, tests) ---------------------------------------------------- */

/* Everything in a state as JSON for people: tags with values at now_ms, runs, held messages, limits. */
int decide_show(const struct program *p, struct str member, struct str state, int64_t now_ms,
                struct buf *out, struct err *err);
/* A tag's value as text, for expect_member; 1 present, 0 absent. */
int decide_tag_text(struct decide *d, struct str member, struct str tag, struct buf *out);

#endif
