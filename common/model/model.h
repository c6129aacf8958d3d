/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model: what travels.  Types and values; the schema of events; the records of the internal topics
 * and their canonical JSON (no white space, keys in the declared order, one form of numbers, so
 * equal content is equal bytes).  The only module that includes jansson: upstream bytes and
 * gateways' answers go through it; canonical records have a schema-directed single-pass reader.
 * The formats are written down in common/model/README.md.
 */
#ifndef ROUSE_MODEL_H
#define ROUSE_MODEL_H

#include "base.h"
#include "time.h"

/* ---- types ------------------------------------------------------------------------------------- */

enum type_kind {
    TYPE_ERROR, /* poison: already reported */
    TYPE_NULL,
    TYPE_BOOL,
    TYPE_INT,
    TYPE_DOUBLE,
    TYPE_STRING,
    TYPE_MONEY,      /* int64 fen inside; a double in expressions */
    TYPE_DATE,       /* "YYYY-MM-DD"; a string in expressions */
    TYPE_LUNAR_DATE, /* "YYYY-MM-DD" or "YYYY-LMM-DD"; a string in expressions */
    TYPE_TIMESTAMP,
    TYPE_DURATION,
    TYPE_ADDRESS, /* a string that expressions may only test with has() */
    TYPE_LIST,
    TYPE_MAP,
    TYPE_RECORD,
};

struct type;
struct field {
    struct str name;
    const struct type *type;
    bool optional; /* may be absent */
    uint32_t hash; /* reserved for readers */
};
struct type {
    enum type_kind kind;
    uint32_t max;             /* string: code points (default 256); list, map: items (default 64) */
    uint32_t most;            /* int: counts to here and no further; 0 = has no end */
    const struct type *key;   /* map */
    const struct type *elem;  /* list, map */
    const struct str *one_of; /* string: the allowed values, in written order; NULL = any */
    uint32_t n_one_of;
    const struct field *fields; /* record; in declared order */
    uint32_t n_fields;
    struct str name; /* record: how messages call it ("purchase", "member") */
};
extern const struct type type_null, type_bool, type_int, type_double, type_string, type_money,
    type_date, type_lunar_date, type_timestamp, type_duration, type_address, type_error;
int type_field(const struct type *record, struct str name); /* index or -1 */

/* ---- values ------------------------------------------------------------------------------------ */

enum val_kind {
    V_ABSENT = 0, /* an optional field that is not there; never a result of an expression */
    V_NULL,
    V_BOOL,
    V_INT,
    V_DOUBLE,
    V_STRING,
    V_MONEY,     /* i = fen */
    V_TIMESTAMP, /* i = seconds since 1970, n = nanoseconds 0..999999999 */
    V_DURATION,  /* i = nanoseconds */
    V_LIST,      /* n items at list */
    V_MAP,       /* n pairs at list: key, value, key, value */
    V_RECORD,    /* n fields at list, in declared order */
};

/* 16 bytes; strings and lists are borrowed from whoever made the value. */
struct val {
    uint8_t t; /* enum val_kind */
    uint8_t pad[3];
    uint32_t n; /* string: bytes; list: items; map: pairs; record: fields; timestamp: nanos */
    union {
        int64_t i;
        double d;
        bool b;
        const char *s;
        const struct val *list;
    };
};
_Static_assert(sizeof(struct val) == 16, "a value is two words");

static inline struct val val_int(int64_t i)
{
    return (struct val){.t = V_INT, .i = i};
}
static inline struct val val_bool(bool b)
{
    return (struct val){.t = V_BOOL, .b = b};
}
static inline struct val val_double(double d)
{
    return (struct val){.t = V_DOUBLE, .d = d};
}
static inline struct val val_money(int64_t fen)
{
    return (struct val){.t = V_MONEY, .i = fen};
}
static inline struct val val_str(struct str s)
{
    return (struct val){.t = V_STRING, .n = (uint32_t)s.n, .s = s.p};
}
static inline struct str val_get_str(struct val v)
{
    return (struct str){v.s, v.n};
}
struct val val_time_ms(int64_t ms);
int64_t val_ms(struct val timestamp);
bool val_eq(const struct val *a, const struct val *b); /* same kind and content; NaN differs */
struct val val_dup(struct arena *a, struct val v);     /* deep copy */
/* Text of a value for messages and params: money with two places, doubles shortest round trip. */
void val_text(const struct val *v, struct buf *out);

/* ---- events: what the `events:` section declares ----------------------------------------------- */

struct path { /* data.user.id */
    const struct str *keys;
    uint32_t n;
};
struct event_member {
    struct str role; /* empty for the plain form */
    struct path path;
};
struct event_match {
    struct path path;
    struct str value;
};
/* One declared event.  fields->fields has the declared fields in order and then always three more:
 * id (string), time (timestamp), role (string); so a value array has n_fields entries. */
struct event_def {
    struct str name, topic;
    uint32_t index;        /* in the schema */
    bool profile, receipt; /* the two built-in ones */
    const struct event_match *match;
    uint32_t n_match;
    struct path id;                /* n = 0: default identity */
    struct event_member member[2]; /* n_member 0 = fan-out */
    uint32_t n_member;
    struct path time;          /* n = 0: Kafka's timestamp */
    struct path each;          /* n = 0: the record itself */
    const struct type *fields; /* TYPE_RECORD; profile: one optional field a stored tag */
    const struct path *paths;  /* where field i stands in the raw record; each: tried in the
                                      element first, then in the record */
    struct str fan_tag;        /* fan-out: members whose collection fan_tag holds the key */
    uint32_t fan_field;        /* … that stands in this field, a string */
};
#define EVENT_EXTRA 3 /* id, time, role */

struct schema {
    const struct event_def *const *events; /* in name order */
    uint32_t n;
    const struct zone *tz; /* for times without a zone */
};
const struct event_def *schema_event(const struct schema *s, struct str name);
bool schema_has_topic(const struct schema *s, struct str topic);

/* One event, decoded. f[0 .. def->fields->n_fields) */
struct event {
    const struct event_def *def; /* NULL: not in the current schema or does not fit it: dropped */
    struct str id, member, role;
    int64_t at_ms; /* event time */
    const struct val *f;
};

/* Where an upstream record came from. */
struct source {
    struct str topic;
    int64_t epoch;
    int32_t partition;
    int64_t offset;
};

/* ---- upstream decoding (ingest) ---------------------------------------------------------------- */

struct upstream { /* a Kafka record as it came */
    struct source src;
    int64_t kafka_ms;
    struct str key, value;
    const struct str *headers; /* name, value, name, value … */
    uint32_t n_headers;        /* pairs */
};
#define MODEL_MEMBER_MAX 128 /* bytes of a member's id */
#define MODEL_ID_MAX 256     /* bytes of an event's identity */
#define MODEL_EACH_MAX 1024  /* elements of `each` */
struct decode_limits {
    size_t max_bytes;   /* default 65,536: the whole record */
    uint32_t max_depth; /* default 32 */
    int64_t latest_ms;  /* an event later than this is refused ("future_time") */
    bool need_time;     /* record mode: no time in the record is an error */
};
/* Decode one upstream record into events (every match, both members, each element), in order.
 * Plain JSON, CloudEvents structured (content-type application/cloudevents+json) and binary
 * (ce_* headers).  *out is arena memory.  -1: err->code is the dead-letter code (json_syntax,
 * json_depth, json_duplicate_key, utf8, too_big, missing_member, missing_field, wrong_type,
 * bad_time, future_time, one_of, too_long, …: README.md), err->file the JSON path, err->text the reason with
 * the offending value.  No match at all is 0 with *n = 0. */
int model_decode(const struct schema *s, const struct upstream *u, const struct decode_limits *lim,
                 struct arena *a, struct event **out, uint32_t *n, struct err *err);

/* ---- rouse.log --------------------------------------------------------------------------------- */

enum record_kind { REC_EVENT, REC_RECEIPT, REC_TICK, REC_RULES, REC_ERASE };

struct entry {
    struct source src;
    int64_t at_ms; /* event time of its events; the log time in record mode */
    const struct event *events;
    uint32_t n_events;
};
struct receipt {
    uint32_t era;
    uint64_t seq; /* the decision it is about */
    struct str member, rule, message, gateway;
    struct str
        status; /* sent delivered failed ambiguous expired returned read clicked replied opted_out */
};
struct record {
    enum record_kind kind;
    uint64_t n;                  /* event: activation it was decoded under; rules: the activation */
    int64_t at_ms;               /* all but event */
    const struct entry *entries; /* event */
    uint32_t n_entries;
    uint32_t n_dropped; /* reading: events that do not fit the schema */
    struct source src;  /* receipt: where it came from, for dropping what was seen */
    struct receipt receipt;
    struct str hash;   /* rules: 64 hex digits */
    uint32_t level;    /* rules */
    struct str member; /* erase */
};
#define RECORD_MAX 65536
bool receipt_status_ok(struct str status); /* one of the ten above */

/* Events are written entry by entry so that ingest can pack while it decodes. */
void record_begin_event(struct buf *b, uint64_t n);
void record_add_entry(struct buf *b, const struct entry *e, bool first);
void record_end_event(struct buf *b);
void record_write(const struct record *r, struct buf *b); /* any kind, whole */
/* The single pass. Strings point into `bytes` (or the arena where they had escapes). */
int record_read(const struct schema *s, struct str bytes, struct arena *a, struct record *out,
                struct err *err);

/* ---- rouse.decisions --------------------------------------------------------------------------- */

enum decision_kind { DEC_SEND, DEC_WITHHOLD, DEC_CONVERT };

struct param { /* a name and a string, or a list of strings */
    struct str name;
    struct val value;
};
struct decision {
    enum decision_kind kind;
    uint32_t p, era;
    uint64_t seq;
    int64_t at_ms; /* log time of the decision */
    struct str member, rule, key;
    struct str send_key;             /* shared by all tries of one wanted message */
    struct str message, gateway, to; /* send: exactly one gateway and its address (may be empty) */
    struct str purpose;              /* marketing service task */
    struct str reason;               /* withhold: the code ("limit", "hold:grievance") */
    int64_t expire_ms;               /* send */
    int32_t quiet_from, quiet_to;    /* minutes of the local day, -1 = none; half-open, may wrap */
    int32_t utc_off_s;               /* zone offset at at_ms, for the send-time gate */
    struct str template, text;       /* of the gateway's block; text is filled in */
    const struct param *data;        /* of the gateway's block, or all params */
    uint32_t n_data;
    double value;      /* convert: the goal's value, 0 if none */
    uint8_t chain[32]; /* reading: as carried */
    char id[40];       /* reading: as carried; writing: made */
};
/* Chain and write: content is the canonical object without id and chain;
 * chain' = SHA-256(chain ‖ content); id = base32(topology, era, p, seq, 64 bits of chain').
 * `chain` is updated. d->id and d->chain are filled. */
void decision_write(struct decision *d, uint32_t topology, uint8_t chain[32], struct buf *out);
int decision_read(struct str bytes, struct arena *a, struct decision *out, struct err *err);
/* 1 = chain and id of this record follow `prev`, 0 = they do not. */
int decision_follows(struct str bytes, const struct decision *d, uint32_t topology,
                     const uint8_t prev[32]);

/* What an id says, when it is one of this topology: 0, else -1. */
int decision_id_read(struct str id, uint32_t topology, uint32_t *era, uint32_t *p, uint64_t *seq);

/* ---- rouse.outcomes ---------------------------------------------------------------------------- */

enum outcome_kind { OUT_CLAIM, OUT_ATTEMPT, OUT_RESULT, OUT_SNAPSHOT };
struct outcome {
    enum outcome_kind kind;
    char tok[33]; /* 128 random bits in hex: whose claim it stands under */
    uint32_t era;
    uint64_t seq;
    char id[40];
    uint32_t attempt; /* 1.. ; the result carries the attempt it belongs to */
    int64_t at_ms;
    struct str member, rule, message, gateway;
    struct str result_class; /* one of delivery.md's ten, or expired, returned, suppressed */
    struct str status;       /* the receipt status it makes; empty: not final */
    struct str code;         /* the gateway's own code or curl's name; never an address */
    bool final;
    bool sent;                           /* bytes may have left */
    uint64_t next;                       /* snapshot: first seq not accepted */
    uint8_t chain[32];                   /* snapshot */
    int64_t decisions_off;               /* snapshot: offset in rouse.decisions to read from */
    const uint64_t *incomplete;          /* snapshot: accepted seqs without a final result */
    const uint32_t *incomplete_attempts; /* how many attempts each has had */
    const uint32_t *incomplete_tries;    /* how many of them count against the schedule */
    const uint8_t *incomplete_state; /* bits: 1 the last attempt has no result yet, 2 some attempt
                                            was ambiguous, 4 tried again after that.  Writing: NULL =
                                            all 0 (both arrays) */
    uint32_t n_incomplete;
};
void outcome_write(const struct outcome *o, struct buf *b);
int outcome_read(struct str bytes, struct arena *a, struct outcome *out, struct err *err);

/* ---- rouse.tags -------------------------------------------------------------------------------- */

struct tag_change_rec { /* a public tag of a member has changed */
    struct str member, tag;
    struct str value; /* text, as in Redis; */
    bool unset;
    uint64_t off;   /* of rouse.log: the record */
    uint32_t entry; /* and the entry in it that changed it */
    int64_t at_ms;  /* log time of the change */
};
void tag_change_write(const struct tag_change_rec *c, struct buf *b);
int tag_change_read(struct str bytes, struct arena *a, struct tag_change_rec *out, struct err *err);

/* ---- rouse.dead, rouse.control ----------------------------------------------------------------- */

struct dead {
    struct source src;
    int64_t at_ms; /* when it was refused (host clock; record mode: Kafka's) */
    struct str code, path, reason;
    struct str key, value; /* the original bytes; written as base64 when not UTF-8 */
    uint64_t cut_from;     /* value is only the beginning of so many bytes; 0 = it is whole */
};
void dead_write(const struct dead *d, struct buf *b);
int dead_read(struct str bytes, struct arena *a, struct dead *out, struct err *err);

struct genesis {
    uint32_t topology;
    uint32_t partitions;
    bool record_clock; /* false: append */
    int64_t end_ms;    /* record: no event may be later */
    uint32_t version;  /* 1 */
};
void genesis_write(const struct genesis *g, struct buf *b);
int genesis_read(struct str bytes, struct genesis *out, struct err *err);
struct active {
    char hash[65];
    uint32_t level;
};
void active_write(const struct active *v, struct buf *b);
int active_read(struct str bytes, struct active *out, struct err *err);
void source_epoch_write(int64_t epoch, struct buf *b); /* source/<topic> */
int source_epoch_read(struct str bytes, int64_t *epoch, struct err *err);

/* ---- JSON in general --------------------------------------------------------------------------- */

/* A parsed JSON text (jansson behind it): for gateways' answers, tools and tests. */
enum json_kind { JSON_NULL, JSON_BOOL, JSON_INT, JSON_REAL, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
struct json {
    enum json_kind kind;
    bool b;
    int64_t i;
    double d; /* JSON_INT too */
    struct str s;
    const struct str *keys; /* object: n keys in the order written */
    const struct json *items;
    uint32_t n;
};
/* Refuses duplicate keys, more depth than max_depth, NUL in keys, bad UTF-8, trailing bytes. */
int json_parse(struct str text, uint32_t max_depth, struct arena *a, const struct json **out,
               struct err *err);
const struct json *json_get(const struct json *object, const char *key); /* NULL = none */
struct str json_str(const struct json *object, const char *key); /* empty when not a string */
int64_t json_i64(const struct json *object, const char *key, int64_t dflt);
/* Canonical pieces for writers. */
void json_write_str(struct buf *b, struct str s); /* quoted, minimal escapes */
void json_write_val(struct buf *b, const struct val *v, const struct type *t);
void json_write_json(struct buf *b, const struct json *j);

#endif
