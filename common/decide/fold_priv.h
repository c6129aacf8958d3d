/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fold's inside.  One struct decide holds a partition: the members it was given (members.c), the
 * part of the timer index it was given (window.c), and the cursor (fold.c).  Work is done in units,
 * each on one member: open (decode) -> change -> close (encode).  Between two units anything may be
 * committed, lost, loaded again, and nothing comes out different.
 *
 *   fold.c      records: cursor, phases (sweep, timers, apply); marks.c what was seen; out.c what goes out
 *   members.c   the cache; tree.c the order of (due, member)
 *   window.c    what is asked of the store and what it answers
 *   unit.c      open, close, bring up to date
 *   event.c     the order of one event
 *   runs.c      runs: start, end, events offered; steps.c the steps
 *   wants.c     wanted messages: queue, sending, ending
 *   policy.c    may this message go, by which gateway
 *   timed.c     silence, date, every           fire.c    one timer of one member
 *   fan.c       an event to all whose collection holds its key
 *   receipts.c  what became of a message       write.c   decisions
 *   expr_ctx.c  what expressions see           show.c    for people
 */
#ifndef ROUSE_FOLD_PRIV_H
#define ROUSE_FOLD_PRIV_H

#include "life_priv.h"

#define FOLD_CHAIN 8               /* tag changes that may follow from one */
#define FOLD_OUT_BYTES (1 << 20)   /* decisions a commit */
#define FOLD_OUT_TAGS 8192         /* changes of public tags a commit */
#define FOLD_OUT_ARENA (256 << 10) /* bytes of them and of who was sent what, a commit */
#define FOLD_OUT_LINKS 2048        /* changes of the fan-out index a commit */
#define WINDOW_N 1024              /* timers a fetch */

/* ---- members ------------------------------------------------------------------------------------------ */

struct node {
    struct node *hnext;        /* hash chain */
    struct node *prev, *next;  /* loaded: least recently used first, roughly */
    struct node *left, *right; /* tree */
    uint64_t hash;
    int64_t due;     /* present; TIME_NEVER = none. Unknown until opened or told by the index */
    int64_t old_due; /* as committed */
    uint8_t *state;
    uint32_t n, cap; /* bytes of state; loaded and n == 0: no such member */
    int32_t stagger; /* ms; -1 = not computed */
    bool loaded, dirty, in_tree, asked;
    bool used;   /* since the cache was last cleaned */
    bool stored; /* the store has it */
    uint16_t name_n;
    char name[];
};
static inline struct str node_name(const struct node *m)
{
    return (struct str){m->name, m->name_n};
}
struct tree {
    struct node *root;
    uint32_t n;
};
/* Order of (due, member bytes). */
int key_cmp(int64_t due_a, struct str a, int64_t due_b, struct str b);
void tree_add(struct tree *t, struct node *m); /* m->due must not change while it is in */
void tree_del(struct tree *t, struct node *m);
struct node *tree_min(const struct tree *t);
struct node *tree_max(const struct tree *t);
struct node *tree_after(const struct tree *t, int64_t due, struct str member); /* least above */

/* ---- the unit ------------------------------------------------------------------------------------------ */

struct unit {
    struct node *m;
    int64_t now, seen;
    const struct event *ev;        /* being applied; NULL */
    bool fresh;                    /* the member was not known */
    bool updated;                  /* brought up to date with new rules in this unit */
    bool snapped;                  /* tagset_snapshot was taken: `old` reads it */
    bool hold_check;               /* look again at held messages */
    size_t size;                   /* about how big the state is */
    const struct tag_change *view; /* a change being told: `old` of these is `before` */
    uint32_t n_view;
    uint32_t depth; /* of tag changes */
    uint32_t tag_starts;
};

struct mark { /* of one source partition; the topic's bytes follow */
    struct decide_src src;
    bool moved;
    char topic[];
};
struct sent_by { /* complete mode and this batch: whom a seq was for */
    uint64_t seq;
    struct str member, rule, message;
};
struct fetched { /* the sweep's part of the index, as committed */
    int64_t due;
    struct str member;
};

enum phase { PHASE_SWEEP, PHASE_TIMERS, PHASE_APPLY };
enum ask { ASK_NONE, ASK_WINDOW, ASK_SWEEP };

struct decide {
    struct decide_conf conf;
    uint32_t max_members;
    size_t max_bytes;
    struct decide_meta meta;
    const struct program *prog;
    struct prog_ix *ix;
    struct prog_ix **ixs; /* one a program met */
    uint32_t n_ixs;

    /* cursor: inside record meta.off when `inside` */
    bool inside, moved;
    uint64_t sub; /* committed */
    uint32_t entry;
    enum phase phase;
    uint32_t place; /* sweep: members of this bite; apply: events done */

    /* members */
    struct node **table;
    uint32_t n_nodes, n_buckets;
    struct node *lru_first, *lru_last;
    size_t cache_bytes;
    struct node **dirty;
    uint32_t n_dirty, cap_dirty;
    size_t dirty_bytes;
    struct tree tree;

    /* window of the timer index: everything up to the bound is in the tree */
    int64_t bound_due;
    struct buf bound_member;
    bool bound_all; /* every member at bound_due */
    int64_t horizon;
    enum ask ask;
    int64_t ask_upto;
    uint32_t ask_n;
    struct decide_timer ask_after;
    struct buf ask_member;

    /* sweep */
    struct fetched *sweep;
    uint32_t n_sweep, cap_sweep, sweep_at;
    bool sweep_have, sweep_more;
    struct arena *sweep_arena;

    /* fan-out: the walk of the event at (entry, place) */
    struct buf fan_after;             /* the last member done; empty before the first */
    struct str *fan;                  /* the bite fetched */
    uint32_t n_fan, cap_fan, fan_at;  /* fan_at: the next of it */
    bool fan_have, fan_more, ask_fan; /* more: there may be others behind the bite */
    struct arena *fan_arena;
    struct buf fan_key;              /* tag, NUL, key */
    struct str fan_tag, fan_ask_key; /* in fan_key: what is asked for */
    struct map *index;               /* complete mode: tag NUL key -> struct fan_set */

    /* wants */
    struct str *want;
    uint32_t n_want, cap_want;
    uint64_t *want_seq;
    uint32_t n_want_seq, cap_want_seq;
    struct map *seqs; /* answers: 8 bytes of seq -> struct sent_by */
    struct arena *seq_arena;

    struct map *marks; /* topic and partition -> struct mark; partition -1: its greatest epoch */
    struct mark *last_mark; /* the one used last, of its topic's greatest epoch */
    struct buf mark_key;

    /* scratch of the unit */
    struct tagset *tags;
    struct life life;
    struct unit u;
    struct arena *a;
    struct expr_ctx ctx;
    struct buf blob, text;

    /* out */
    struct buf dec;
    uint32_t *dec_at;
    uint32_t n_dec, cap_dec;
    uint64_t first_seq;
    struct decide_public *pub;
    uint32_t n_pub, cap_pub;
    struct decide_link *link;
    uint32_t n_link, cap_link;
    struct arena *out;    /* until committed */
    struct arena *all;    /* complete mode: what is never dropped */
    struct sent_by *sent; /* by seq; complete mode: all, else since the last commit */
    uint32_t n_sent, cap_sent;
    uint32_t sent_from; /* first one not committed */
    struct str *out_dec;
    struct decide_change *out_change;
    struct decide_public *out_pub;
    struct decide_sent *out_sent;
    struct decide_src *out_src;
    uint32_t cap_out_dec, cap_out_change, cap_out_pub, cap_out_sent, cap_out_src;

    struct decide_stats stats;
};

/* members.c */
struct node *node_find(const struct decide *d, struct str member);
struct node *node_get(struct decide *d, struct str member);          /* made when not there */
void node_state(struct decide *d, struct node *m, struct str state); /* loaded: becomes the state */
void node_dirty(struct decide *d, struct node *m);
void node_due(struct decide *d, struct node *m, int64_t due); /* keeps tree and window right */
void members_prefetch(const struct decide *d, const struct record *r, uint32_t entry);
void members_clear(struct decide *d);
void members_committed(struct decide *d);
void members_free(struct decide *d);
void *grown(void *items, uint32_t *cap, uint32_t n, size_t size); /* room for n items */

/* window.c */
bool window_covers(const struct decide *d, int64_t due);
bool window_holds(const struct decide *d, int64_t due, struct str member);
void window_ask(struct decide *d, int64_t upto);
void window_shrink(struct decide *d);
void want_member(struct decide *d, struct node *m);
void want_due(struct decide *d, int64_t upto); /* members of the tree due by then, not loaded */
void sweep_start(struct decide *d);
void sweep_forget(struct decide *d);
/* 1 and the next member above the sweep's place, 0 no more, -1 asked for. */
int sweep_next(struct decide *d, struct node **m, int64_t *due);

/* fold.c */
bool fold_room(const struct decide *d, const struct node *m); /* may one more unit change m? */
int fold_switch(struct decide *d, const struct program *p, struct err *err);

/* marks.c */
bool mark_above(struct decide *d, const struct source *s); /* not folded yet */
void mark_move(struct decide *d, const struct source *s);
void marks_reset(struct decide *d, const struct decide_src *src, size_t n);
void marks_free(struct decide *d);

/* out.c */
void out_clear(struct decide *d);
void out_free(struct decide *d);
void out_sent(struct decide *d, uint64_t seq, struct str rule, struct str message);
const struct sent_by *sent_find(const struct decide *d, uint64_t seq);

/* unit.c */
int unit_open(struct decide *d, struct node *m, int64_t now, int64_t seen, struct err *err);
/* Step 6, then encode. */
int unit_close(struct decide *d, struct err *err);
void unit_peek(struct decide *d, struct node *m); /* its due moment, from its state */
int unit_erase(struct decide *d, struct node *m, int64_t now, struct err *err);
/* Bring tags up to date; the changes are copied into the unit's arena. */
uint32_t unit_changes(struct decide *d, const struct tag_change **out);
void unit_settle(struct decide *d);            /* … and step 5 for them */
bool unit_full(struct decide *d, size_t more); /* the state has no room for so many bytes more */

/* event.c */
int apply_event(struct decide *d, struct node *m, const struct event *ev, struct err *err);
/* Steps 1 to 5 in an open unit; false: a duplicate. */
bool event_steps(struct decide *d, const struct event *ev);
uint64_t event_key(const struct decide *d, const struct event *ev);

/* expr_ctx.c */
void ctx_bind(struct decide *d);
/* `event` and `next` for a run's expressions; view NULL = none. */
void ctx_event(struct decide *d, const struct event_view *v, const struct moment *m);
void ctx_next(struct decide *d, const struct event_view *v, const struct moment *m);
void ctx_candidate(struct decide *d, const struct val *f);
bool ctx_true(struct decide *d, const struct expr *e); /* errors are counted */
int ctx_eval(struct decide *d, const struct expr *e, struct val *out);
bool pattern_matches(struct decide *d, const struct run *r, const struct pattern *p,
                     const struct moment *m);

/* runs.c */
struct start {
    const struct moment *event; /* NULL: none */
    int64_t at;                 /* the run's clock starts here */
    uint64_t ident;
};
void run_start(struct decide *d, const struct rule_def *r, const struct start *s);
enum run_end { END_DONE, END_CANCELLED, END_SUPERSEDED, END_EXPRESSION, END_FULL };
void run_end(struct decide *d, uint32_t run, enum run_end why);
void run_lost(struct decide *d, uint32_t run); /* its text is gone: superseded */
void runs_offer(struct decide *d, const struct moment *m);
/* steps.c */
void run_exec(struct decide *d, uint32_t run);
void runs_timeout(struct decide *d, uint32_t run); /* its wait has ended */
bool until_matches(struct decide *d, const struct run *r, const struct instr *in,
                   const struct moment *m);
void until_came(struct run *r, const struct instr *in, const struct moment *m);

void tags_changed(struct decide *d, const struct tag_change *c, uint32_t n);
int rule_cmp(const struct rule_def *a, struct str key_a, const struct rule_def *b,
             struct str key_b); /* priority high to low, name, key */

/* wants.c */
void want_new(struct decide *d, uint32_t run, const struct instr *in);
void want_drop(struct decide *d, uint32_t want, bool failed); /* failed: it never went out */
void wants_stop(struct decide *d, uint32_t run, bool fall_back);
void queue_run(struct decide *d); /* step 6 */
const struct message_def *want_message(const struct decide *d, const struct want *w);
void want_failed(struct decide *d, uint32_t want); /* back to policy, next gateway */
void want_returned(struct decide *d,
                   uint32_t want); /* the same gateway, at the end of quiet hours */

/* policy.c */
enum verdict { VERDICT_SEND, VERDICT_KEEP, VERDICT_WITHHOLD };
struct ruling {
    enum verdict verdict;
    struct str reason; /* withhold */
    bool charge, caps; /* as if sent */
    bool control;      /* held out */
    const struct gateway_block *block;
    enum want_state keep;
    int64_t due;
};
void policy_rule(struct decide *d, struct want *w, struct ruling *out);
bool limit_room(struct decide *d, const struct rule_def *r, struct str key);
void limit_charge(struct decide *d, struct run *r);
void limit_refund(struct decide *d, struct run *r);
void scope_charge(struct decide *d, uint32_t gateway, int64_t at);
void scope_refund(struct decide *d, uint32_t gateway, int64_t at);
bool quiet_applies(const struct decide *d, const struct message_def *m);
int64_t quiet_end(struct decide *d, int64_t now); /* strictly after; TIME_NEVER: no quiet hours */
void consent_granted(struct decide *d, uint32_t tag, int64_t at); /* it was written then */
uint32_t bucket_of(struct str salt, struct str member, uint32_t mod);
int32_t unit_stagger(struct decide *d);

/* timed.c */
void timed_all(struct decide *d);                   /* new member, or brought up to date */
void timed_event(struct decide *d, uint32_t event); /* its last time has moved on */
void timed_tag(struct decide *d, uint32_t tag);
void timed_moved(struct decide *d);
void timed_fire(struct decide *d, uint32_t i);
int64_t clock_after(const struct zone *tz, int64_t t, int32_t minute, bool strict);
int64_t *life_last(struct decide *d, uint32_t event, bool make);

/* fan.c */
enum decide_rc fan_event(struct decide *d, const struct event *ev, struct err *err);
void fan_end(struct decide *d);
void fan_clear(struct decide *d);
/* What the unit's member gained and lost; gone: he leaves every index. */
void fan_links(struct decide *d, bool gone);
enum decide_rc fold_ready(struct decide *d, struct node *m); /* fold.c */
int apply_fan(struct decide *d, struct node *m, const struct event *ev, uint32_t tag,
              struct str key,
              struct err *err); /* event.c: to a member whose collection holds key */

/* fire.c */
int fire_one(struct decide *d, struct node *m, int64_t seen, struct err *err);

/* receipts.c */
int apply_receipt(struct decide *d, struct node *m, const struct record *r, struct err *err);
/* Whom it is about: 1 known, 0 nobody, -1 asked for. */
int receipt_member(struct decide *d, const struct record *r, struct str *member);

/* write.c */
void write_send(struct decide *d, struct want *w, const struct message_def *msg,
                const struct gateway_block *b);
void write_withhold(struct decide *d, const struct want *w, struct str reason);
void write_refusal(struct decide *d, const struct rule_def *r, const struct run *run,
                   struct str reason);
void write_convert(struct decide *d, const struct run *r, double value);
void write_public(struct decide *d, uint32_t tag, const struct val *v); /* NULL: unset */

#endif
