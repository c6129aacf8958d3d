/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of tags*.c: what is remembered about one member, as arrays that are reused from member to
 * member.  Nothing else of decide includes this.
 *
 *   tags_plan.c    what a program needs to know once: slots, layout, who depends on whom
 *   tags_time.c    windows: which bucket a time falls into, which buckets a window shows
 *   tags_cells.c   aggregates as cells (one a bucket, or what the kind needs): add, prune, compute
 *   tags_val.c     numbers and values as bytes
 *   tags_code.c    slots as bytes
 *   tags_blob.c    the blob: frame, reading lazily, writing
 *   tags.c         events and writes in; reading, expressions, `old`
 *   tags_settle.c  what changed; when time alone will change something
 *   tags_show.c    trimming, and showing people
 *
 * The idea: a slot's bytes are kept as they were read and decoded ("opened") only when an event, an
 * expression or the clock touches that slot; slots nobody touched are written back by memcpy.  So every
 * body stands on its own: nothing in it is relative to anything outside it but the stored tags' t0.
 */
#ifndef ROUSE_TAGS_PRIV_H
#define ROUSE_TAGS_PRIV_H

#include "decide_priv.h"

#define TAGS_VERSION 1
#define TAGS_UNSETTLED 0x80 /* in the version byte: settle must look at everything */
#define BY_MAX 64           /* keys of a `by` */
#define DISTINCT_MAX 256
#define DISTINCT_RAW 20 /* longer strings are remembered as 16 bytes of their SHA-256 */
#define EPOCH_DAY 18262 /* 2020-01-01: bytes count from here */
#define EPOCH_MS (EPOCH_DAY * TIME_DAY)

/* ---- one cell: what happened in one bucket --------------------------------------------------- */

/* In order of b, one a bucket, but: min and max keep only cells that no later one outdoes; last keeps
 * one cell in all; distinct keeps a cell a value, b being its latest bucket; streak keeps one cell;
 * collect one a key, in the order of their coming. */
struct cell {
    int64_t b; /* bucket: day, minute, week, month or year number; 0 without a window */
    int64_t n; /* count, avg, gap: events; streak: how many in a row */
    int64_t t; /* first, last, gap: time of the (first) event, ms; collect: of the add */
    struct val
        v; /* sum, avg: the sum; min max first last distinct streak collect: the value; gap: last time in .i,
                     true in the newest cell only */
};
struct cells {
    struct cell *v;
    uint32_t n, cap;
};
struct bykey { /* least recently touched first */
    struct str key;
    const uint8_t *raw; /* as read, until somebody needs the cells */
    uint32_t raw_n;
    bool open, dirty;
    struct cells c;
};
struct pend { /* the level computed has been `level` or worse since then */
    uint32_t level;
    int64_t since;
};

enum slot_kind {
    SLOT_CELLS,  /* an aggregate */
    SLOT_TOLD,   /* the value that the last settle saw, of a watched value or aggregate */
    SLOT_LEVEL,  /* levels: the level held and the falls to come */
    SLOT_STORED, /* a stored tag */
};
struct slot {
    const uint8_t *raw; /* as read; NULL = empty */
    uint32_t raw_n;
    union {
        struct {
            bool open, dirty, bad;
            bool later;   /* added later, `since` has not passed */
            bool cached;  /* cval is the value for lower bound clower */
            bool chas;    /* … and there is one */
            bool has;     /* TOLD, STORED: there is a value */
            bool written; /* STORED: at is a write's time (also of null) */
            bool touched; /* STORED: before/had are as of the last settle */
            bool had;     /* STORED */
        };
        uint64_t flags[2]; /* all of them: cleared at once */
    };
    /* The rest means something only as the flags say; tags_open fills it. */
    int64_t since; /* later: the bucket in which the tag was first seen */
    /* CELLS */
    struct cells c;     /* without by */
    struct bykey *keys; /* with by; places beyond n_keys keep their cells' memory */
    uint32_t n_keys, cap_keys;
    int64_t clower;
    uint64_t cver;
    struct val cval;
    /* LEVEL */
    uint32_t held, n_pend;
    struct pend *pend; /* room for n_levels */
    /* TOLD, STORED */
    struct val v, before;
    int64_t at;
};

/* ---- plan: what is the same for all members of a program ----------------------------------------- */

struct order { /* settled in this order: watched aggregates, then derived tags */
    uint32_t tag, slot;
    const uint32_t *deps; /* aggregates, stored tags and levels it rests on, through values */
    uint32_t n_deps;
    bool uses_now;
};
struct plan {
    const struct program *p;
    const struct tag_def *tags; /* these three guard against another program at the same address */
    const uint32_t *watched;
    uint32_t n_tags;
    struct arena *a;
    uint32_t n_slots, n_layout; /* slots 0 .. n_layout-1 are in the layout, the rest are stored */
    uint32_t *slot_tag;
    const struct tag_def **slot_def;
    enum slot_kind *slot_kind;
    uint32_t *tag_slot; /* [tag] RULE_NONE = keeps nothing (value) */
    uint8_t *layout;    /* 3 bytes a slot, stored ones too */
    struct order *order;
    uint32_t n_order;
    struct index_list *rev;   /* [tag] orders that rest on it */
    struct index_list fading; /* slots of which something can leave with time */
    struct index_list timed;  /* aggregates with a window that some order rests on */
    struct index_list olds;   /* tags that `old` may be asked for */
    bool *old;                /* [tag] the same */
    uint32_t **profile;       /* [event] of a profile event: field -> tag or RULE_NONE; else NULL */
};
struct plan *tags_plan_new(const struct program *p);
void tags_plan_free(struct plan **plan);

/* ---- the tagset ----------------------------------------------------------------------------------- */

struct span_day { /* [from, to) is local day `day` */
    int64_t from, to, day;
    int64_t month, year; /* year * 12 + month - 1; year */
};
struct vcache {
    uint64_t version;
    int64_t now;
    int rc;
    struct val v;
};
struct oldval {
    int rc;
    struct val v;
};
struct tagset {
    const struct program *p;
    struct plan *plan;
    struct slot *s; /* plan->n_slots */
    struct vcache *vc;
    struct oldval *old;
    bool *need;           /* [order] settle must evaluate it */
    uint32_t *live;       /* [slot] scratch of a write */
    struct arena *strs;   /* strings and lists of slots, since begin/read */
    struct arena *tmp;    /* made by reads, since the last write */
    struct arena *olds;   /* snapshot */
    struct arena *chg[2]; /* before and after values: this settle's and the last one's */
    uint32_t chg_at;
    struct tag_change *changes;
    uint32_t n_changes, cap_changes;
    struct tag_link *links; /* since begin/read or the last tagset_links; keys in strs */
    uint32_t n_links, cap_links;
    struct buf raw;  /* the blob as read */
    struct buf body; /* scratch */
    struct str member;
    uint64_t version; /* counts writes */
    uint64_t errors, evictions;
    int64_t day; /* local day of the last prune; INT64_MIN = none yet */
    int64_t now; /* greatest now_ms seen */
    int64_t t0;  /* stored tags' times are relative to it */
    bool has_t0;
    bool all;       /* settle must look at everything */
    bool unsettled; /* something moved since the last settle */
    bool bad;
    bool evaluating;
    struct span_day today, other; /* caches: the day of now, of an event */
    const struct zone *tz;
    struct expr_ctx *reader; /* of tagset_ctx */
    struct expr_ctx ctx;     /* for value and levels */
};

void tags_mutate(struct tagset *t, uint32_t slot); /* slot is about to change */
struct slot *tags_open(struct tagset *t, uint32_t slot);
/* Go on to now_ms: on a new local day everything that no window shows any more goes. */
void tags_advance(struct tagset *t, int64_t now_ms);
bool tags_prune(struct tagset *t, uint32_t slot, int64_t now_ms);
void tags_mark(struct tagset *t, uint32_t tag); /* orders that rest on it need evaluation */
bool tags_later(struct tagset *t, uint32_t slot, int64_t now_ms); /* still absent: added later */
bool tags_told_initial(const struct tag_def *d, struct val *v); /* what a new member starts from */
bool tags_slot_empty(const struct slot *s, const struct tag_def *d, enum slot_kind k);
/* Nothing is kept here that a new member would not have. */
static inline bool slot_nothing(const struct tagset *t, uint32_t i)
{
    const struct slot *s = &t->s[i];
    return s->open ? tags_slot_empty(s, t->plan->slot_def[i], t->plan->slot_kind[i]) : !s->raw;
}
bool tags_stored_alive(const struct slot *s, const struct tag_def *d, int64_t now_ms);
int tags_stored_value(const struct slot *s, const struct tag_def *d, bool live, struct val *out);
struct expr_ctx *tags_inner(struct tagset *t, int64_t now_ms); /* for value and levels */
int64_t tags_stored_end(const struct slot *s,
                        const struct tag_def *d); /* ttl expiry or TIME_NEVER */
int tags_aggregate(struct tagset *t, uint32_t tag, int64_t now_ms, struct val *out);

/* ---- windows ------------------------------------------------------------------------------------- */

int64_t tags_win_bucket(struct tagset *t, const struct window *w, int64_t ms);
int64_t tags_win_gone(const struct tagset *t, const struct window *w,
                      int64_t b); /* when b leaves */
/* … for all but WIN_EVER and WIN_LENGTH: the local day at whose beginning it leaves. */
int64_t tags_win_gone_day(const struct window *w, int64_t b);
int64_t tags_win_base(enum window_kind k);
void tags_span_fill(struct span_day *s, const struct zone *z, int64_t ms);
static inline int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}
static inline const struct span_day *tags_win_today(struct tagset *t, int64_t now_ms)
{
    if (now_ms < t->today.from || now_ms >= t->today.to)
        tags_span_fill(&t->today, t->tz, now_ms);
    return &t->today;
}
/* The least bucket that a window shows. */
static inline int64_t tags_win_lower(struct tagset *t, const struct window *w, int64_t now_ms)
{
    switch (w->kind) {
    case WIN_EVER:
        return 0;
    case WIN_LENGTH:
        return floor_div(now_ms, TIME_MIN) - w->n / TIME_MIN + 1;
    case WIN_DAYS:
        return tags_win_today(t, now_ms)->day - w->n + 1;
    case WIN_DAY:
        return tags_win_today(t, now_ms)->day;
    case WIN_WEEK: /* day 0 was a Thursday */
        return floor_div(tags_win_today(t, now_ms)->day + 3, 7);
    case WIN_MONTH:
        return tags_win_today(t, now_ms)->month;
    case WIN_YEAR:
        return tags_win_today(t, now_ms)->year;
    }
    return 0;
}

/* ---- cells ---------------------------------------------------------------------------------------- */

bool tags_val_coerce(const struct type *type, struct val *v); /* false: cannot be such a value */
int tags_val_order(const struct val *a, const struct val *b); /* of one kind: <0, 0, >0 */
void tags_cells_add(struct tagset *t, const struct tag_def *d, struct cells *c, int64_t b,
                    int64_t at, struct val v);
/* count, sum: take v (a number, or absent) off in bucket b. */
void tags_cells_take(const struct tag_def *d, struct cells *c, int64_t b, struct val v);
/* collect: the key leaves, unless it came after at. True: it was there. */
bool tags_cells_drop(struct cells *c, struct str key, int64_t at);
void tags_link(struct tagset *t, const struct tag_def *d, struct str key, bool on);
bool tags_cells_prune(struct cells *c, int64_t lower); /* true: something went */
bool tags_cells_value(const struct tag_def *d, const struct cells *c, int64_t lower,
                      struct val *out);
struct cell *tags_cells_room(struct cells *c, uint32_t at); /* insert a zero cell before `at` */
struct bykey *tags_keys_touch(struct tagset *t, struct slot *s, const struct tag_def *d,
                              struct str key, int64_t lower);
/* The cells of a key; empty and s->bad when they do not decode. */
struct cells *tags_key_open(struct tagset *t, struct slot *s, const struct tag_def *d,
                            struct bykey *k);
struct bykey *tags_keys_push(struct slot *s);
void tags_keys_drop(struct slot *s, uint32_t i);
bool tags_keys_prune(struct tagset *t, struct slot *s, const struct tag_def *d, int64_t lower);
double tags_ratio(int64_t num, uint64_t den); /* correctly rounded num / den */

/* ---- bytes ---------------------------------------------------------------------------------------- */

static inline uint64_t zz(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t unzz(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
static inline uint8_t *put_u(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}
static inline size_t len_size(size_t n)
{
    return n < 0x80 ? 1 : n < 0x4000 ? 2 : n < 0x200000 ? 3 : 4;
}
/* Bytes copied from one place in pieces that often join. */
struct run {
    uint8_t *p;
    const uint8_t *from, *to;
};
static inline uint8_t *run_end(struct run *r)
{
    if (r->to != r->from)
        memcpy(r->p, r->from, (size_t)(r->to - r->from));
    r->p += r->to - r->from;
    r->from = r->to = NULL;
    return r->p;
}
static inline void run_add(struct run *r, const uint8_t *from, const uint8_t *to)
{
    if (r->to != from) {
        (void)run_end(r);
        r->from = from;
    }
    r->to = to;
}
uint8_t *tags_put_str(uint8_t *p, struct str s);
uint8_t *tags_put_time(uint8_t *p, int64_t ms, int64_t base);
int64_t tags_get_time(struct rd *r, int64_t base);
uint64_t tags_get_u_long(struct rd *r);
static inline uint64_t get_u(struct rd *r)
{
    if (r->p < r->end && *r->p < 0x80)
        return *r->p++;
    return tags_get_u_long(r);
}
/* What a TOLD slot keeps; of a map it is a hash. */
const struct type *tags_told_type(const struct tag_def *d);
bool tags_told_hashed(const struct tag_def *d);
static inline struct str get_s(struct rd *r)
{
    uint64_t n = get_u(r);
    if (n > (uint64_t)(r->end - r->p)) {
        r->bad = true;
        r->p = r->end;
        return (struct str){"", 0};
    }
    struct str s = {(const char *)r->p, (size_t)n};
    r->p += n;
    return s;
}
size_t tags_val_bound(const struct val *v); /* bytes that put_val needs at most */
uint8_t *tags_put_val(uint8_t *p, const struct val *v, const struct type *type, int64_t base_ms);
struct val tags_get_val(struct tagset *t, struct rd *r, const struct type *type, int64_t base_ms);
size_t tags_slot_bound(const struct tagset *t, uint32_t slot);
uint8_t *tags_put_slot(const struct tagset *t, uint32_t slot, uint8_t *p); /* the body */
uint8_t *tags_put_len(uint8_t *p, uint8_t *end);
void tags_get_slot(struct tagset *t, uint32_t slot, struct rd *r); /* fills an empty one; r->bad */
size_t tags_put_key_size(struct tagset *t, const struct tag_def *d, const struct bykey *k);
/* The bucket of the oldest cell of cells that have not been decoded. */
int64_t tags_peek_oldest(const struct tag_def *d, const uint8_t *raw, uint32_t n);
/* Cells from their bytes; r->bad. */
void tags_get_cells(struct tagset *t, struct rd *r, const struct tag_def *d, struct cells *c);

#endif
