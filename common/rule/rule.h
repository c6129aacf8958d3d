/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule: marketing's files as a program.  Reads all *.yaml under a directory (or a bundle's text),
 * checks everything, reports every error with its place, and gives one immutable struct program:
 * events, tables, tags, messages, policy, rules (their steps flattened to instructions with jump
 * targets), tests, and the indexes by which the fold finds what an event concerns.  It evaluates
 * nothing and keeps no member's state: that is decide.
 */
#ifndef ROUSE_RULE_H
#define ROUSE_RULE_H

#include "expr.h"
#include "yaml.h"

#define RULE_LEVEL 1 /* the fold's own version: what `rules {level}` must not exceed */
#define RULE_NONE UINT32_MAX

/* ---- tags ------------------------------------------------------------------------------------ */

enum tag_kind {
    TAG_STORED,
    TAG_COUNT,
    TAG_SUM,
    TAG_AVG,
    TAG_MIN,
    TAG_MAX,
    TAG_FIRST,
    TAG_LAST,
    TAG_DISTINCT,
    TAG_GAP,
    TAG_STREAK, /* how often in a row the same value; window: the longest pause, WIN_LENGTH of any length */
    TAG_COLLECT, /* a set of strings, newest first */
    TAG_VALUE,
    TAG_LEVELS,
};
enum window_kind { WIN_EVER, WIN_DAYS, WIN_LENGTH, WIN_DAY, WIN_WEEK, WIN_MONTH, WIN_YEAR };
struct window {
    enum window_kind kind;
    int64_t n; /* WIN_DAYS: days; WIN_LENGTH: ms, <= 48 h, a multiple of a minute */
};
struct level {
    struct str name;
    const struct expr *when; /* NULL: the else */
};
struct tag_def {
    struct str name;
    uint32_t index; /* in program.tags, = field index of `member` */
    enum tag_kind kind;
    const struct type *type; /* as read in expressions; by: map(string -> type) */
    uint64_t def_hash;       /* of (name, definition): whose state this is */
    bool public_;
    /* stored */
    bool has_default;
    struct val dflt;
    int64_t ttl_ms;      /* 0 = none */
    uint32_t from_event; /* `from: EVENT.FIELD`; RULE_NONE */
    uint32_t from_field;
    /* aggregates */
    uint32_t event; /* index in schema */
    uint32_t field; /* what is aggregated (may be one of the three extra), RULE_NONE */
    const struct expr *of, *by, *where; /* over event and tables; NULL = none */
    struct window window;
    const struct type *arg; /* type of what is aggregated (TYPE_MONEY sums in fen) */
    bool has_less;          /* count, sum: what this event carries is taken off, at its own time */
    uint32_t less_event, less_field; /* field: RULE_NONE for count */
    bool has_drop;                   /* collect: what this event carries leaves the set */
    uint32_t drop_event, drop_field;
    uint32_t max; /* collect: the oldest leaves above it */
    bool indexed; /* collect: an event goes to whoever holds its key (`members: {in: TAG}`) */
    /* value, levels */
    const struct expr *value;
    const struct level *levels; /* best first; the last is the else */
    uint32_t n_levels;
    int64_t keep_ms;       /* TIME_NEVER = forever; 0 = none */
    const uint32_t *reads; /* tags that value/levels read directly */
    uint32_t n_reads;
};

/* ---- messages and policy --------------------------------------------------------------------- */

enum purpose { PURPOSE_MARKETING, PURPOSE_SERVICE, PURPOSE_TASK };
struct gateway_def {
    struct str name;
    uint32_t address_tag;       /* RULE_NONE: no address of the member's */
    const struct expr *consent; /* over member; NULL = none given */
};
struct text_part { /* literal, or the value of a param */
    struct str lit;
    uint32_t param; /* RULE_NONE: literal */
};
struct gateway_block { /* `sms: {template, text, data}` of a message */
    uint32_t gateway;
    struct str template;
    const struct text_part *text; /* n_text 0: none */
    uint32_t n_text;
    const struct str *data_names; /* n_data 0: all params under their own names */
    const uint32_t *data_params;
    uint32_t n_data;
};
struct message_def {
    struct str name;
    uint32_t index;
    enum purpose purpose;
    bool quiet;        /* quiet hours apply */
    int64_t expire_ms; /* from first wanting; always set (policy's default) */
    const struct str *params;
    const bool *param_list; /* param is a list of strings */
    uint32_t n_params;
    const struct gateway_block *via; /* in order */
    uint32_t n_via;
};
enum per_kind { PER_EVER, PER_LENGTH, PER_DAYS, PER_DAY, PER_WEEK, PER_MONTH, PER_YEAR };
struct limit {  /* "2 per day", "1 ever" */
    uint32_t n; /* 0 = no limit given */
    enum per_kind per;
    int64_t len; /* PER_LENGTH: ms (rolling); PER_DAYS: local days */
};
struct cap {
    uint32_t gateway; /* RULE_NONE: any */
    struct limit limit;
};
struct hold_def {
    const struct expr *when;
    struct str as;
};
/* Exceptions to mon-fri: local day numbers, ascending. */
struct workdays {
    const int64_t *off, *on;
    uint32_t n_off, n_on;
};
struct policy {
    struct workdays workdays;
    int32_t quiet_from, quiet_to; /* minutes; -1 = none */
    const struct cap *caps;
    uint32_t n_caps;
    double holdout_pct; /* 0..100 */
    uint32_t holdout;   /* per 10,000 */
    const struct hold_def *holds;
    uint32_t n_holds;
    int64_t late_ms, expire_ms;
    bool tests_required;
};

/* ---- rules ----------------------------------------------------------------------------------- */

enum trigger_kind { TRIG_EVENT, TRIG_SILENCE, TRIG_DATE, TRIG_EVERY, TRIG_TAG };
enum date_kind { DATE_TAG, DATE_YEARLY /* "MM-DD" */, DATE_ONCE /* "YYYY-MM-DD" */ };
#define EVERY_WORKDAY 0x80
struct trigger {
    enum trigger_kind kind;
    const uint32_t *events; /* EVENT, SILENCE */
    uint32_t n_events;
    int64_t for_ms; /* SILENCE; with times: the longest, and what holds while the tag is absent */
    int64_t times;  /* SILENCE: thousandths of the tag `tag`, a duration; 0 = for_ms as it is */
    int64_t min_ms; /* … and the shortest */
    int32_t at;     /* minutes of the day, -1 = not given */
    enum date_kind date;
    bool lunar;             /* DATE: a day of the Chinese calendar; years are lunar years */
    uint32_t tag;           /* DATE_TAG, TAG, SILENCE with times */
    int32_t year, mon, day; /* DATE_YEARLY, DATE_ONCE */
    int32_t shift_days;     /* after > 0, before < 0 */
    bool once;              /* repeat: never */
    uint8_t weekdays;       /* EVERY: bit 0 = Monday, bit 7 = workdays; 0 = month form */
    int32_t month_day;      /* EVERY month N; -1 = last; 0 = weekday form */
};
/* How expressions read one event of several: `event` of a rule with [EVENT…], `next` after an until
 * with several patterns.  Their type has the fields that all have in common by name and type, so a
 * field's place differs from event to event. */
struct event_view {
    const struct type *type; /* record; NULL: there is no such event here */
    const uint32_t *events;
    uint32_t n_events;
    const uint32_t *const *map; /* [i][k]: where field k of `type` stands in events[i]; NULL: one
                                   event, read as it is */
};
/* The values that an expression compiled for `v` takes for ev: ev->f itself, or `room` (of
 * v->type->n_fields) filled.  NULL when ev is not one of v's events. */
const struct val *event_view(const struct event_view *v, const struct event *ev, struct val *room);

struct pattern {
    uint32_t event;
    const struct expr *where; /* NULL = any; sees event, next (the candidate), member */
};
enum again { AGAIN_IGNORE, AGAIN_RESTART };
enum rule_mode { MODE_LIVE, MODE_SHADOW, MODE_OFF };

enum op { OP_WAIT, OP_SEND, OP_SET, OP_SPLIT, OP_CHOOSE, OP_JUMP, OP_STOP, OP_END };
enum wait_kind { WAIT_LENGTH, WAIT_CLOCK /* "CLOCK" or "Nd CLOCK" */, WAIT_TO };
struct branch {              /* split arm or choose branch */
    struct str name;         /* arm */
    uint32_t below;          /* split: cumulative share in 10,000ths */
    const struct expr *when; /* choose; NULL = always */
    uint32_t pc;
};
struct instr {
    enum op op;
    struct str path; /* step path, "0", "1.a.0": part of the send key */
    struct span at;
    uint32_t next;                      /* where it continues; JUMP: the target */
    const struct event_view *next_view; /* how this step's expressions read `next`; NULL: they don't
                                           (in an until's where, next is the candidate itself) */
    /* WAIT */
    enum wait_kind wait;
    int64_t len_ms;
    int32_t days; /* WAIT_CLOCK: -1 = the clock's next occurrence */
    int32_t clock;
    const struct expr *to;
    const struct pattern *until;
    uint32_t n_until;             /* with until: next = B came; else_pc = time ran out */
    uint32_t else_pc;             /* OP_END's pc when there is no else */
    struct event_view until_view; /* until: how later steps read the event that came */
    /* SEND */
    uint32_t message;
    const struct expr *const *args; /* one a param, in the message's order */
    /* SET */
    const uint32_t *tags;
    const struct expr *const *values; /* NULL entry = null: unset; of the tag's type */
    uint32_t n_set;
    /* SPLIT, CHOOSE */
    struct str salt;
    const struct branch *branches;
    uint32_t n_branches;
};
struct rule_def {
    struct str name;
    uint32_t index;  /* in program.rules or program.old_rules */
    struct str hash; /* 16 hex digits of the text's SHA-256: the version that a run keeps */
    struct span at;
    struct trigger trigger;
    struct event_view view;  /* how this rule reads `event`; type NULL when there is none */
    const struct expr *when; /* `if` */
    const struct expr *key;
    enum again again;
    const struct pattern *cancel;
    uint32_t n_cancel;
    struct limit limit;
    int32_t priority;
    int64_t active_from, active_to; /* local day numbers, inclusive; INT64_MIN/MAX */
    enum rule_mode mode;
    uint32_t holdout; /* per 10,000; own holdout */
    int64_t late_ms;  /* own or policy's */
    bool has_goal;
    struct pattern goal;
    int64_t goal_within_ms;
    const struct expr *goal_value; /* int, double or money; sees event, next (the match), member */
    bool has_marketing;            /* sends a marketing message */
    const struct instr *code;
    uint32_t n_code;
    struct str text; /* normalised source text */
};

/* ---- tests (rules.md §10) -------------------------------------------------------------------- */

struct test_expect {
    struct str send, to, via; /* empty = not compared */
    int64_t at_ms;            /* INT64_MIN = not compared */
    const struct param *with;
    uint32_t n_with;
    struct span span;
};
struct test_withheld {
    struct str send, to, because;
    struct span span;
};
struct test_tag { /* expect_member; value is the text to compare, unset = absent */
    struct str member, tag, value;
    bool unset;
    struct span span;
};
struct test_step {
    int64_t at_ms; /* log time */
    struct span span;
    const struct event_def *event; /* NULL: none */
    struct str member;
    struct str message, status; /* event receipt: what becomes of this message to the member */
    int64_t time_ms;            /* event time; = at_ms when not written */
    struct str json;            /* data as JSON with member and time left out */
    const struct event *events; /* decoded */
    uint32_t n_events;
    bool has_expect, has_withheld;
    const struct test_expect *expect;
    uint32_t n_expect;
    const struct test_withheld *withheld;
    uint32_t n_withheld;
    const struct test_tag *tags;
    uint32_t n_tags;
};
struct test_member {
    struct str name;
    const struct param *tags; /* name, value typed by the tag */
    uint32_t n_tags;
    const struct str *fail; /* gateways that fail */
    uint32_t n_fail;
    bool holdout;
};
struct test_bucket {
    struct str rule, arm;
};
struct test_def {
    struct str name;
    struct span span;
    int64_t start_ms;
    const uint32_t *rules; /* only these; n_rules 0 = all */
    uint32_t n_rules;
    const struct test_bucket *buckets;
    uint32_t n_buckets;
    const struct test_member *members;
    uint32_t n_members;
    const struct test_step *steps;
    uint32_t n_steps;
};

/* ---- program --------------------------------------------------------------------------------- */

struct index_list {
    const uint32_t *v;
    uint32_t n;
};
struct program {
    char hash[65]; /* of the bundle it came from; empty when from files */
    uint32_t level;
    const struct zone *tz;
    const struct schema *schema;
    const struct expr_table *tables;
    uint32_t n_tables;
    const struct tag_def *tags; /* in name order */
    uint32_t n_tags;
    const struct type *member; /* record: the tags in order, then `id` */
    const struct gateway_def *gateways;
    uint32_t n_gateways;
    const struct message_def *messages; /* in name order */
    uint32_t n_messages;
    struct policy policy;
    const struct rule_def *rules; /* in name order */
    uint32_t n_rules;
    const struct rule_def *old_rules; /* earlier texts, for the runs that finish on them */
    uint32_t n_old_rules;
    const struct test_def *tests;
    uint32_t n_tests;
    /* indexes, each in the order the fold needs */
    const struct index_list *starts_by_event; /* [event] rules with an EVENT trigger on it, priority
                                                  high -> low, then name */
    const struct index_list *silence_by_event; /* [event] rules whose silence it ends */
    const struct index_list *tags_by_event;    /* [event] aggregates and `from` tags it moves */
    const struct index_list *rules_by_tag;     /* [tag] rules with a {tag} trigger */
    struct index_list derived;                 /* value and levels tags in dependency order */
    struct index_list
        watched;             /* aggregates, then derived tags in dependency order, that are public,
                                  levels, or have a {tag} rule */
    struct index_list timed; /* rules with silence, date or every triggers */
    const bool *kept_event;  /* [event] named in any cancel/until: kept for `late` */
    bool uses_old;           /* any rule reads `old` */
};

struct rule_options {
    const char *gateways_dir; /* adapters: name -> address tag; NULL = built in (wechat: openid,
                                  sms: phone) */
    const char *zone_dir;     /* NULL = the system's tzdata */
    bool tests;               /* load `tests:` too */
    uint32_t max_errors;      /* 0 = 50 */
};
/* Load every *.yaml under `dir` (sorted by path). NULL when `d` has errors. The program owns its
 * memory. */
struct program *rule_load_dir(const char *dir, const struct rule_options *o, struct diags *d,
                              struct err *err);
/* The same from several directories and files. */
struct program *rule_load_paths(const char *const *paths, size_t n, const struct rule_options *o,
                                struct diags *d, struct err *err);
/* The same from texts in memory: file names and contents. */
struct program *rule_load_texts(const struct str *names, const struct str *texts, uint32_t n,
                                const struct rule_options *o, struct diags *d);
void rule_free(struct program **p);
/* Every code that a diagnostic may carry (those of yaml and expr too): the i-th, or NULL after the
 * last. */
const struct diag_code *rule_code(size_t i);
uint32_t program_rule(const struct program *p, struct str name); /* index or RULE_NONE */
uint32_t program_tag(const struct program *p, struct str name);
const struct rule_def *program_version(const struct program *p, struct str name, struct str hash);

/* ---- what editors and readers are told -------------------------------------------------------- */

/* A JSON Schema (draft 7) of rule files.  With a program, names that exist are the only ones allowed;
 * NULL: any name. */
void rule_schema(const struct program *p, struct buf *out);

/* ---- how long SMS texts get ------------------------------------------------------------------- */

/* One message by one SMS gateway, in UTF-16 units as carriers count them.  A code point of a parameter
 * counts as one: an emoji is two. */
struct sms_size {
    uint32_t message, block; /* in messages, in its via */
    uint32_t text;          /* what always stands there; 0 with most 0: the text is the gateway's */
    const uint32_t *params; /* [param] at most, over all sends */
    uint32_t most;
    bool sent; /* by some rule; else each parameter has a text's default length */
};
size_t program_sms(const struct program *p, struct arena *a, struct sms_size **out);
uint32_t sms_segments(uint32_t units);

/* ---- bundle ---------------------------------------------------------------------------------- */

/* The immutable form that travels through rouse.control: normalised texts, zone, tables, earlier
 * texts of each rule (at most 7, taken over from `prev`); named by its SHA-256. */
int bundle_make(const struct program *p, const struct program *prev, struct buf *out, char hash[65],
                struct err *err);
struct program *bundle_load(struct str bytes, struct err *err); /* checks the hash it computes */

/* ---- rouse.control --------------------------------------------------------------------------- */

#define BUNDLE_CHUNK (512 << 10)
#define BUNDLE_MAX_BYTES (64 << 20)
#define BUNDLE_MAX_CHUNKS (BUNDLE_MAX_BYTES / BUNDLE_CHUNK)

/* What the topic says, fed record by record from its beginning.  Pure: the caller reads Kafka.
 * Keys: `genesis`, `active`, `bundle/<hash>/<i>` (raw bytes), `bundle/<hash>/manifest`
 * ({"chunks":N,"bytes":B}), `source/<topic>`, `skip/…`, `time_ok/…`, `era/<p>`. */
struct control;
struct control *control_new(void);
void control_free(struct control **c);
/* 0, or -1 and err for a record that makes no sense (it is ignored). */
int control_record(struct control *c, struct str key, struct str value, bool tombstone,
                   int64_t offset, struct err *err);
const struct genesis *control_genesis(const struct control *c); /* NULL = none yet */
/* The latest activation and its n (= its offset); NULL = none yet. */
const struct active *control_active(const struct control *c, uint64_t *n);
/* The text under another key (source/<topic>, era/<p> …); NULL = none. */
const char *control_value(const struct control *c, const char *key);
/* The program of a bundle: 1, 0 = not (all) there yet, -1 = it cannot be loaded. Lives as long as c. */
int control_program(struct control *c, struct str hash, const struct program **out,
                    struct err *err);

#endif
