/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A member's life but for the tags: what the fold remembers of his runs, messages, limits and timers.
 * Everything lives in an arena that is emptied before the next member, so a unit of work allocates
 * nothing once it has grown.  life.c turns it into the blob of README.md and back.
 *
 * Names are kept as hashes, because a blob outlives the program that wrote it: rules by 48 bits,
 * events, gateways, fields and params by 32.  prog.c refuses a program in which two names meet.
 */
#ifndef ROUSE_LIFE_PRIV_H
#define ROUSE_LIFE_PRIV_H

#include "decide_priv.h"

#define LIFE_VERSION 1
#define LIFE_RING 16                  /* keys remembered against duplicates … */
#define LIFE_RING_MIN (24 * 60)       /* … for 24 h, in minutes; below 65,536 */
#define LIFE_KEYS 64                  /* limit keys a rule */
#define LIFE_KEPT 32                  /* events kept for `late` */
#define LIFE_LAST_MS (400 * TIME_DAY) /* last times of events */
#define LIFE_RESULT_MS (7 * TIME_DAY) /* after `expire`: how long a result is waited for */

#define LIFE_LATEST INT64_C(253402300799000) /* the end of the year 9999: no moment is later */
static inline int64_t life_clamp(int64_t at)
{
    return at > LIFE_LATEST ? LIFE_LATEST : at < -LIFE_LATEST ? -LIFE_LATEST : at;
}
/* A length may be as long as it can be written. */
static inline int64_t life_plus(int64_t at, int64_t len)
{
    return len > LIFE_LATEST - at ? LIFE_LATEST : at + len;
}

/* ---- arrays in the arena --------------------------------------------------------------------------- */

/* Room for one more of `size` bytes; the new item is zero. */
void *vec_add(struct arena *a, void *items, uint32_t *n, uint32_t *cap, size_t size);
#define VEC_ADD(a, l)                                                                              \
    ((l).v = vec_add((a), (l).v, &(l).n, &(l).cap, sizeof *(l).v), &(l).v[(l).n - 1])
/* Remove item i, keeping the order. */
void vec_del(void *items, uint32_t *n, uint32_t i, size_t size);
#define VEC_DEL(l, i) vec_del((l).v, &(l).n, (i), sizeof *(l).v)
#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *v;                                                                                   \
        uint32_t n, cap;                                                                           \
    }

/* ---- what there is ---------------------------------------------------------------------------------- */

struct charge {
    int64_t at;
    uint32_t n;
};
struct charges { /* oldest first */
    struct charge *v;
    uint32_t n, cap;
};
/* One remembered key: 48 bits of (event, id, role), then the low 16 bits of the minute of log time in
 * which it was folded.  As it stands in the blob. */
#define SEEN_HASH(s) ((s) >> 16)
#define SEEN_MIN(s) ((uint16_t)(s))
struct last_at { /* when an event was last seen, by event time */
    uint32_t event;
    int64_t at;
};
struct timed { /* one silence, date or every rule */
    uint64_t rule;
    int64_t done;  /* identity of what has fired or was skipped: anchor, year, instant; 0 none */
    int64_t pend;  /* identity of what is armed */
    int64_t due;   /* the true due moment; TIME_NEVER = nothing armed */
    int64_t armed; /* max(due, when it was armed) */
};
struct counter { /* charges of one limit; most lately charged last */
    uint64_t rule;
    uint64_t key;
    struct charges c;
};
struct scope {        /* charges of caps */
    uint32_t gateway; /* 0 = any */
    struct charges c;
};
struct optout {
    uint32_t gateway;
    int64_t at;
};
struct moment {                  /* an event with its values */
    const struct event_def *def; /* NULL: none, or no longer declared */
    uint32_t event;              /* 0: none */
    int64_t at;
    const struct val *f; /* in declared order */
};

enum run_flag {
    RUN_LIVE = 1,
    RUN_WAITS = 2,    /* at a wait, armed */
    RUN_CHARGED = 4,  /* its limit */
    RUN_GOAL = 8,     /* its goal window is open */
    RUN_CONTROL = 16, /* held out: its goal counts for the control group */
    /* 32 and 64 are taken in the blob */
    RUN_GOALED = 128 /* the window has been open */
};
struct run {
    uint64_t rule, version; /* hashes of name and text */
    const struct rule_def *def;
    struct str key;
    uint8_t flags;
    uint8_t depth;    /* tag changes that led to it at this same instant */
    bool born;        /* in this unit */
    bool dead;        /* gone when the unit closes */
    uint64_t ident;   /* trigger identity */
    int64_t start_ms; /* its clock: event time, or due instant */
    int64_t step_ms;  /* when the present step began */
    uint32_t pc;
    int64_t due; /* WAITS: the true deadline */
    int64_t armed;
    int64_t charged_ms;
    uint32_t out;    /* messages that passed and have not failed for good */
    int64_t goal_ms; /* when the window opened */
    struct moment event, next;
};

enum want_state {
    WANT_READY, /* in the queue of this unit */
    WANT_HOLD,  /* kept by `hold`: looked at again at each event; due = expire */
    WANT_QUIET, /* kept by quiet hours; due = their end */
    WANT_OUT,   /* with a gateway */
};
enum want_flag {
    WANT_BLOCKS = 1,  /* its run waits at the send */
    WANT_BAD = 2,     /* a param was in error */
    WANT_ANY = 4,     /* charged for `any` */
    WANT_GATE = 8,    /* charged for its gateway */
    WANT_PASSED = 16, /* counted in run.out */
    WANT_ENDS = 32,   /* cancelled while out: no falling back */
    WANT_TAKEN = 64,  /* the gateway has accepted it */
};
struct want_param {
    uint32_t name;
    struct val v; /* a string or a list of strings */
};
struct want {
    uint32_t run; /* index in life.runs */
    struct str message, path;
    enum want_state state;
    uint8_t flags;
    bool dead;
    bool held; /* it was kept before: the run's next step counts from now */
    int64_t expire_ms, due;
    uint64_t seq; /* OUT */
    uint32_t era, gateway;
    int64_t any_ms, gate_ms; /* when charged */
    VEC(uint32_t) tried;
    VEC(struct want_param) params;
};

struct life {
    uint64_t gen;             /* activation under which it was last brought up to date */
    int64_t base;             /* log time of the unit that wrote it */
    int64_t tag_due;          /* time alone may change a tag */
    int64_t idle_due;         /* everything may have expired */
    uint64_t ring[LIFE_RING]; /* oldest first */
    uint32_t n_ring;
    VEC(struct last_at) last;
    VEC(struct timed) timed;
    VEC(struct counter) limits;
    VEC(struct scope) scopes;
    VEC(struct optout) optouts;
    VEC(struct moment) kept;
    VEC(struct run) runs;
    VEC(struct want) wants;
};

/* ---- names as hashes -------------------------------------------------------------------------------- */

uint32_t id32(struct str name);
uint64_t id48(struct str name);

/* What the fold looks up in a program, made once a program. */
struct prog_ix {
    const struct program *p;
    const uint64_t *rule_id;              /* [rule] */
    const bool *rule_on;                  /* [rule] may start: mode and test say so */
    const uint32_t *event_id;             /* [event] */
    const uint64_t *event_seed;           /* [event] hash of its name and a zero byte */
    const uint32_t *const *field_id;      /* [event][field] */
    const uint32_t *gateway_id;           /* [gateway] */
    const bool *counts_last;              /* [event] its last time is remembered */
    const struct index_list *date_by_tag; /* [tag] date rules that follow it */
    struct index_list date_moved;         /* date rules on tags that move with events */
    int64_t late_ms;                      /* the greatest `late` */
    const struct event_def *receipt;
    int receipt_field[4]; /* message, rule, gateway, status */
    struct arena *a;
    const struct name_ix {
        uint64_t id, version;
        uint32_t i;                           /* rules: 0x80000000 = in old_rules */
    } * rules, *versions, *events, *gateways; /* sorted by (id, version) */
    uint32_t n_versions;
};
struct prog_ix *prog_new(const struct program *p, const struct test_def *test, struct err *err);
void prog_free(struct prog_ix **ix);
uint32_t prog_rule(const struct prog_ix *ix, uint64_t id); /* RULE_NONE = none */
const struct rule_def *prog_version(const struct prog_ix *ix, uint64_t id, uint64_t version);
const struct event_def *prog_event(const struct prog_ix *ix, uint32_t id);
uint32_t prog_gateway(const struct prog_ix *ix, uint32_t id);
uint64_t rule_version(const struct rule_def *r);

/* ---- the blob ---------------------------------------------------------------------------------------- */

void life_begin(struct life *l, uint64_t gen);
/* Read the life part; `in` then stands at the tagset.  Strings point into the blob, lists into `a`. */
int life_read(struct life *l, const struct prog_ix *ix, struct arena *a, struct rd *in,
              struct err *err);
/* Write it: dead runs and messages are left out.  The tagset follows. */
void life_write(struct life *l, const struct prog_ix *ix, int64_t now_ms, struct buf *out);
/* The least armed moment; TIME_NEVER if none. */
int64_t life_due(const struct life *l);
/* Nothing that a new member would not have, but for the tags. */
bool life_bare(const struct life *l);
/* Drop what time has made meaningless. */
void life_prune(struct life *l, const struct prog_ix *ix, int64_t now_ms);
/* The part about runs and messages: those that nothing needs any more are marked dead. */
void life_prune_runs(struct life *l, const struct prog_ix *ix, int64_t now_ms);
/* When the last thing in it that can expire has expired; TIME_NEVER if something stays. */
int64_t life_idle(const struct life *l, const struct prog_ix *ix);

void wr_val(struct buf *b, const struct val *v);
struct val rd_val(struct rd *r, struct arena *a, int depth);
bool val_fits(const struct val *v, const struct type *t); /* a stored value is of this type still */
void wr_fix(struct buf *b, uint64_t v, int bytes);
uint64_t rd_fix(struct rd *r, int bytes);

/* ---- charges ----------------------------------------------------------------------------------------- */

uint32_t charges_count(const struct charges *c, const struct limit *l, int64_t now_ms,
                       const struct zone *tz);
/* How charges are kept: all in one, one a local day, or each for itself. */
enum charge_grain { GRAIN_EVER, GRAIN_DAY, GRAIN_EXACT };
enum charge_grain limit_grain(const struct limit *l);
void charges_add(struct arena *a, struct charges *c, int64_t at, enum charge_grain g,
                 const struct zone *tz);
void charges_refund(struct charges *c, int64_t at, enum charge_grain g, const struct zone *tz);
/* The moment at which a charge made at `at` no longer counts; TIME_NEVER for `ever`. */
int64_t charge_gone(int64_t at, const struct limit *l, const struct zone *tz);
/* Drop the charges that `keep` says are gone: those older than all of its limits' windows. */
void charges_prune(struct charges *c, const struct limit *l, int64_t now_ms, const struct zone *tz);

/* When a charge of a gateway (0 = any) counts for none of the policy's caps; INT64_MIN: no cap. */
int64_t scope_gone(const struct prog_ix *ix, uint32_t gateway, int64_t at);

#endif
