/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the engine.
 *
 *   world.c   the connections: Redis, control topic, group, fetcher, producer
 *   part.c    a partition's state machine: one function makes every transition
 *   claim.c   WAITING to READY: CLAIM, meta, the fingerprint
 *   fold.c    READY: batches of records through decide, and what it asks for
 *   commit.c  decisions and tag changes -> reports -> COMMIT
 *   tick.c    ticks and the committed offsets
 *   engine.c  the loop
 *
 * A partition goes   WAITING -> CLAIMING -> (BUNDLE) -> POSITIONING -> READY -> LOADING -> READY …
 *                    -> PRODUCING -> COMMITTING -> READY; any surprise: back to WAITING;
 *                    what cannot go on: PARKED.
 */
#ifndef ROUSE_ENGINE_PRIV_H
#define ROUSE_ENGINE_PRIV_H

#include "decide.h"
#include "engine.h"
#include "kafka.h"
#include "redis.h"

#define TOPIC_LOG "rouse.log"
#define TOPIC_DECISIONS "rouse.decisions"
#define TOPIC_TAGS "rouse.tags"
#define TOPIC_CONTROL "rouse.control"
#define FETCH_MESSAGES 1024

/* In each state holds what its comment says; the token and the cursor are Redis' unless said. */
enum part_state {
    PART_IDLE,        /* not ours: nothing is held */
    PART_WAITING,     /* ours, nothing is held; CLAIM at retry_ms */
    PART_CLAIMING,    /* CLAIM is under way */
    PART_BUNDLE,      /* claimed; the bundle that meta names is not in rouse.control yet */
    PART_POSITIONING, /* assigned at the fingerprint; its record has not come yet */
    PART_READY,       /* the fold stands at or behind the cursor; nothing is under way */
    PART_LOADING,     /* the fold asked for states, timers or seqs */
    PART_PRODUCING,   /* a bite is folded; its decisions and tag changes are being appended */
    PART_COMMITTING,  /* all reports are in; COMMIT is under way */
    PART_PARKED,      /* cannot go on; `reason` says why */
    PART_STATES,
};
extern const char *const part_state_names[PART_STATES];

/* The last record folded: proof that the log is still the same. */
struct fingerprint {
    bool known;
    int64_t off, ts;
    uint32_t crc;
};

struct item { /* a record of the batch */
    struct kafka_msg msg;
    struct record rec;
};

struct engine;
struct part {
    struct engine *e;
    uint32_t p;
    enum part_state state;
    char reason[160];  /* PARKED: why */
    const char *hint;  /* PARKED: what to do */
    uint64_t gen;      /* changes with each life: late replies and reports are told by it */
    unsigned failures; /* in a row */
    int64_t retry_ms, since_ms; /* mono: next CLAIM; when this state began */
    struct redis_home home;
    struct redis_cursor cursor;
    struct decide *d;
    struct decide_meta committed; /* as Redis has it */
    struct fingerprint fp;        /* as CLAIM found it */
    uint64_t sent_lo,
        sent_lo_stored; /* oldest block of `sent` that may still be there; as meta says */

    struct kafka_msg *queue; /* ring of fetched messages */
    size_t q_head, q_n, q_cap, q_bytes;
    bool paused;

    struct arena *arena; /* of the batch */
    struct item *items;
    size_t n_items, next_item, cap_items;
    struct kafka_msg last; /* folded last, kept for the fingerprint */
    bool have_last;
    int64_t dirty_ms; /* mono: the oldest change that is not committed; 0 = none */

    unsigned loads;            /* replies awaited */
    struct decide_out out;     /* PRODUCING, COMMITTING: the bite; nothing calls decide meanwhile */
    size_t next_out;           /* of out, not yet handed to the producer: decisions, then told */
    size_t reports;            /* awaited */
    int64_t began_us;          /* of the stage under way */
    struct decide_stats stats; /* as already counted */

    int64_t tick_ms; /* mono: of the last tick */
    bool off_dirty, bundle_told;
};

struct engine {
    struct engine_conf conf;
    struct service *s;
    struct kafka_conf kafka;
    struct kafka_extra kafka_extra;
    char password[512];

    struct redis *redis;
    int redis_fd;
    bool redis_write, redis_told;
    int64_t redis_retry_ms;

    struct control *control;
    int64_t control_next, control_end; /* end -1 = not asked yet */
    int64_t control_retry_ms;
    bool control_told, control_lost; /* lost: nothing comes of it until it is assigned again */
    bool record_clock;
    struct genesis genesis;
    bool started; /* genesis known: group and partitions exist */

    struct kafka_fetcher *fetcher;
    struct kafka_msg fetched[FETCH_MESSAGES]; /* of one turn */
    struct kafka_group *group;
    int64_t group_retry_ms, gauges_ms, ask_retry_ms;
    struct kafka_producer *producer;
    struct buf produced; /* a record being made for it */
    bool producer_failed;
    int64_t producer_retry_ms;

    struct part *parts; /* genesis.partitions of them */
    uint32_t n_owned;
    size_t queued_bytes;
    int64_t offsets_ms, offsets_all_ms;
    bool offsets_urgent;

    char chaos_name[32];
    int64_t chaos_left;
    int64_t now_ms, mono_ms; /* of this turn of the loop */
    bool draining;
    bool busy; /* something can go on at once: do not wait */
};

/* ---- part.c ------------------------------------------------------------------------------------------- */

void part_init(struct part *t, struct engine *e, uint32_t p);
void part_free(struct part *t);
/* The one function that changes a state. `why` is for the log. */
void part_move(struct part *t, enum part_state to, const char *why);
void part_own(struct part *t, bool ours);
/* A surprise: everything is dropped, CLAIM again later. */
void part_again(struct part *t, const char *why, const struct err *err);
void part_park(struct part *t, const char *code, const char *fmt, ...) BASE_PRINTF(3, 4);
/* What a refused or lost request means for the partition. */
void part_refused(struct part *t, const char *what, const struct redis_result *res);
/* What can be done without waiting. True if there is more at once. */
bool part_step(struct part *t);
void part_take(struct part *t, struct kafka_msg *m); /* takes the message */
struct kafka_msg *part_front(struct part *t);        /* NULL = none */
struct kafka_msg part_pop(struct part *t);
static inline bool part_owned(const struct part *t)
{
    return t->state != PART_IDLE;
}

/* A request to Redis remembers for whom it was made. */
struct request {
    struct part *t;
    uint64_t gen;
    struct arena *a;
    const struct str *members;
    const uint64_t *seqs;
    uint32_t n_members, n_seqs;
    struct redis_due due;
};
struct request *request_new(struct part *t);
void request_free(struct request *q);
bool request_stale(const struct request *q);

/* ---- claim.c --------------------------------------------------------------------------------------- */

void claim_begin(struct part *t);
bool claim_position(struct part *t); /* true: READY */

/* ---- fold.c ------------------------------------------------------------------------------------------- */

bool fold_step(struct part *t);
void fold_drop(struct part *t); /* gives every message of the batch back */

/* ---- commit.c ----------------------------------------------------------------------------------------- */

void commit_begin(struct part *t);
void commit_produce(struct part *t); /* PRODUCING: goes on */
void commit_report(struct part *t);  /* one report came, a good one */

/* ---- tick.c ------------------------------------------------------------------------------------------- */

void tick_part(struct part *t);
void offsets_flush(struct engine *e, bool wait);

/* ---- world.c ------------------------------------------------------------------------------------------ */

int world_new(struct engine *e, struct err *err);
void world_free(struct engine *e);
void world_redis(struct engine *e);   /* connect, poll */
void world_control(struct engine *e); /* is it read to its end? */
void world_fetch(struct engine *e);
void world_group(struct engine *e);
void world_producer(struct engine *e);
void *world_opaque(const struct part *t, bool tick);
void world_health(struct engine *e);

/* ---- engine.c ----------------------------------------------------------------------------------------- */

int64_t engine_us(void); /* monotonic, for the stages' histograms */
/* For tests: the process kills itself at the n-th pass of --chaos-point NAME:N. */
void engine_chaos(struct engine *e, const char *name);

/* ---- metrics.c ---------------------------------------------------------------------------------------- */

enum engine_metric {
    EM_RECORDS,
    EM_EVENTS,
    EM_DUPLICATES,
    EM_LATE,
    EM_DROPPED,
    EM_DECISIONS,
    EM_WITHHELD,
    EM_TAG_CHANGES,
    EM_TIMERS,
    EM_EXPR_ERRORS,
    EM_COMMITS,
    EM_MEMBERS,
    EM_LOADED,
    EM_CLAIMS,
    EM_AGAIN,
    EM_TICKS,
    EM_PARTITIONS,
    EM_BEHIND,
    EM_LAG,
    EM_CACHE,
    EM_QUEUED,
    EM_REDIS_BYTES,
    EM_STAGE,
    EM_N,
};
extern struct metric engine_metrics[EM_N];
void metrics_stats(struct part *t); /* what decide counted since last time */
void metrics_gauges(struct engine *e);

#endif
