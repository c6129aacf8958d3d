/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: rouse.log, written and read.  The reader is the engine's hot path: one pass over the bytes,
 * directed by the schema; the value of a declared field goes straight into its slot of the event's
 * array.  An event that does not fit the current declaration (it was decoded under another one) is
 * skipped and counted; a record whose JSON is broken is an error.
 */
#include "model_priv.h"

static const char *const statuses[] = {"sent",    "delivered", "failed", "ambiguous",
                                       "expired", "returned",  "read",   "clicked",
                                       "replied", "opted_out"};

bool receipt_status_ok(struct str status)
{
    for (size_t i = 0; i < BASE_LEN(statuses); i++)
        if (str_eqc(status, statuses[i]))
            return true;
    return false;
}

/* ---- writing ---- */

void record_begin_event(struct buf *b, uint64_t n)
{
    buf_adds(b, "{\"t\":\"event\",\"n\":");
    add_u64(b, n);
    buf_adds(b, ",\"e\":[");
}

static void add_event(struct buf *b, const struct event *ev)
{
    uint32_t n = ev->def->fields->n_fields - EVENT_EXTRA;
    bool first = true;
    buf_addc(b, '{');
    put_str(b, "k", ev->def->name);
    put_str(b, "i", ev->id);
    put_str_opt(b, "m", ev->member);
    put_str_opt(b, "r", ev->role);
    put_i64(b, "t", ev->at_ms);
    put_key(b, "f");
    buf_addc(b, '{');
    for (uint32_t i = 0; i < n; i++) {
        if (ev->f[i].t == V_ABSENT)
            continue;
        put_name(b, first, ev->def->fields->fields[i].name);
        first = false;
        json_write_val(b, &ev->f[i], ev->def->fields->fields[i].type);
    }
    buf_add(b, "}}", 2);
}

void record_add_entry(struct buf *b, const struct entry *e, bool first)
{
    bool comma = false;
    if (!first)
        buf_addc(b, ',');
    buf_addc(b, '{');
    put_source(b, "s", &e->src);
    put_i64(b, "at", e->at_ms);
    put_key(b, "v");
    buf_addc(b, '[');
    for (uint32_t i = 0; i < e->n_events; i++) {
        if (!e->events[i].def)
            continue;
        if (comma)
            buf_addc(b, ',');
        comma = true;
        add_event(b, &e->events[i]);
    }
    buf_add(b, "]}", 2);
}

void record_end_event(struct buf *b)
{
    buf_add(b, "]}", 2);
}

static void write_receipt(const struct record *r, struct buf *b)
{
    const struct receipt *c = &r->receipt;
    buf_adds(b, "{\"t\":\"receipt\"");
    put_i64(b, "at", r->at_ms);
    put_source(b, "s", &r->src);
    put_u64(b, "era", c->era);
    put_u64(b, "seq", c->seq);
    put_str_opt(b, "member", c->member);
    put_str_opt(b, "rule", c->rule);
    put_str_opt(b, "message", c->message);
    put_str_opt(b, "gateway", c->gateway);
    put_str(b, "status", c->status);
    buf_addc(b, '}');
}

static void write_events(const struct record *r, struct buf *b)
{
    record_begin_event(b, r->n);
    for (uint32_t i = 0; i < r->n_entries; i++)
        record_add_entry(b, &r->entries[i], i == 0);
    record_end_event(b);
}

void record_write(const struct record *r, struct buf *b)
{
    switch (r->kind) {
    case REC_EVENT:
        write_events(r, b);
        return;
    case REC_RECEIPT:
        write_receipt(r, b);
        return;
    case REC_TICK:
        buf_adds(b, "{\"t\":\"tick\"");
        put_i64(b, "at", r->at_ms);
        break;
    case REC_RULES:
        buf_adds(b, "{\"t\":\"rules\"");
        put_i64(b, "at", r->at_ms);
        put_u64(b, "n", r->n);
        put_str(b, "hash", r->hash);
        put_u64(b, "level", r->level);
        break;
    case REC_ERASE:
        buf_adds(b, "{\"t\":\"erase\"");
        put_i64(b, "at", r->at_ms);
        put_str(b, "member", r->member);
        break;
    }
    buf_addc(b, '}');
}

/* ---- reading events ---- */

/* A list in the arena that doubles. */
static void *grown(struct arena *a, const void *old, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap)
        return (void *)(uintptr_t)old;
    *cap = *cap ? *cap * 2 : 4;
    void *to = arena_alloc(a, *cap * size);
    if (n)
        memcpy(to, old, n * size);
    return to;
}

struct reader {
    struct scan s;
    const struct schema *schema;
    const struct event_def *last; /* most events of a record are of one kind */
    uint32_t dropped;
};

enum { EV_K, EV_I, EV_M, EV_R, EV_T, EV_F, EV_N };
static const struct str event_keys[EV_N] = {KEY("k"), KEY("i"), KEY("m"),
                                            KEY("r"), KEY("t"), KEY("f")};

/* The `f` object into ev->f; when it does not fit the declaration the event loses its def. */
static bool event_fields(struct reader *r, struct event *ev)
{
    const char *from = r->s.p;
    if (ev->def) {
        const struct type *t = ev->def->fields;
        struct val *f = ARENA_ARRAY(r->s.a, struct val, t->n_fields);
        ev->f = f;
        if (scan_fields(&r->s, t->fields, t->n_fields - EVENT_EXTRA, ev->def->profile, f))
            return true;
    }
    ev->def = NULL;
    r->s.p = from;
    return scan_skip(&r->s);
}

static bool event_value(struct reader *r, struct event *ev, int k, struct str *name)
{
    struct scan *s = &r->s;
    switch (k) {
    case EV_K:
        if (!scan_str(s, name))
            return false;
        if (!r->last || !str_eq(r->last->name, *name))
            r->last = schema_event(r->schema, *name);
        ev->def = r->last;
        return true;
    case EV_I:
        return scan_str(s, &ev->id);
    case EV_M:
        return scan_str(s, &ev->member);
    case EV_R:
        return scan_str(s, &ev->role);
    case EV_T:
        return scan_i64(s, &ev->at_ms);
    case EV_F:
        return name->p && event_fields(r, ev); /* `k` always stands first */
    default:
        return scan_skip(s);
    }
}

static bool read_event(struct reader *r, struct event *ev)
{
    const uint32_t must = 1U << EV_K | 1U << EV_I | 1U << EV_T | 1U << EV_F;
    struct str name = {NULL, 0};
    int at = 0, k;
    uint32_t seen = 0;
    *ev = (struct event){.id = STR(""), .member = STR(""), .role = STR("")};
    while ((k = scan_key(&r->s, event_keys, EV_N, &at)) >= 0) {
        if (!event_value(r, ev, k, &name))
            return false;
        seen |= 1U << k;
    }
    if (k != SCAN_END || (seen & must) != must)
        return false;
    if (!ev->def) {
        r->dropped++;
        return true;
    }
    struct val *extra = (struct val *)(uintptr_t)ev->f + ev->def->fields->n_fields - EVENT_EXTRA;
    extra[0] = val_str(ev->id);
    extra[1] = val_time_ms(ev->at_ms);
    extra[2] = val_str(ev->role);
    return true;
}

enum { EN_S, EN_AT, EN_V, EN_N };
static const struct str entry_keys[EN_N] = {KEY("s"), KEY("at"), KEY("v")};

static bool read_events(struct reader *r, struct entry *e)
{
    uint32_t cap = 0, n = 0;
    struct event *list = NULL;
    int at = 0, k;
    while ((k = scan_item(&r->s, &at)) == 1) {
        list = grown(r->s.a, list, n, &cap, sizeof *list);
        if (!read_event(r, &list[n]))
            return false;
        n++;
    }
    e->events = list;
    e->n_events = n;
    return k == SCAN_END;
}

static bool read_entry(struct reader *r, struct entry *e)
{
    int at = 0, k;
    uint32_t seen = 0;
    memset(e, 0, sizeof *e);
    while ((k = scan_key(&r->s, entry_keys, EN_N, &at)) >= 0) {
        bool ok = k == EN_S    ? scan_source(&r->s, &e->src)
                  : k == EN_AT ? scan_i64(&r->s, &e->at_ms)
                  : k == EN_V  ? read_events(r, e)
                               : scan_skip(&r->s);
        if (!ok)
            return false;
        seen |= 1U << k;
    }
    return k == SCAN_END && (seen & 7U) == 7U;
}

static bool read_entries(struct reader *r, struct record *out)
{
    uint32_t cap = 0, n = 0;
    struct entry *list = NULL;
    int at = 0, k;
    while ((k = scan_item(&r->s, &at)) == 1) {
        list = grown(r->s.a, list, n, &cap, sizeof *list);
        if (!read_entry(r, &list[n]))
            return false;
        n++;
    }
    out->entries = list;
    out->n_entries = n;
    return k == SCAN_END;
}

/* ---- reading records ---- */

enum {
    R_T,
    R_AT,
    R_N,
    R_E,
    R_S,
    R_ERA,
    R_SEQ,
    R_MEMBER,
    R_RULE,
    R_MESSAGE,
    R_GATEWAY,
    R_STATUS,
    R_HASH,
    R_LEVEL,
    R_KEYS
};
static const struct str record_keys[R_KEYS] = {
    KEY("t"),       KEY("at"),     KEY("n"),      KEY("e"),    KEY("s"),
    KEY("era"),     KEY("seq"),    KEY("member"), KEY("rule"), KEY("message"),
    KEY("gateway"), KEY("status"), KEY("hash"),   KEY("level")};
static const char *const kinds[] = {[REC_EVENT] = "event",
                                    [REC_RECEIPT] = "receipt",
                                    [REC_TICK] = "tick",
                                    [REC_RULES] = "rules",
                                    [REC_ERASE] = "erase"};
static const uint32_t record_must[] = {
    [REC_EVENT] = 1U << R_N | 1U << R_E,
    [REC_RECEIPT] = 1U << R_AT | 1U << R_S | 1U << R_ERA | 1U << R_SEQ | 1U << R_STATUS,
    [REC_TICK] = 1U << R_AT,
    [REC_RULES] = 1U << R_AT | 1U << R_N | 1U << R_HASH | 1U << R_LEVEL,
    [REC_ERASE] = 1U << R_AT | 1U << R_MEMBER};

static bool record_value(struct reader *r, struct record *out, int k)
{
    struct scan *s = &r->s;
    struct receipt *c = &out->receipt;
    struct str *const strings[R_KEYS] = {
        [R_MEMBER] = &c->member,   [R_RULE] = &c->rule,     [R_MESSAGE] = &c->message,
        [R_GATEWAY] = &c->gateway, [R_STATUS] = &c->status, [R_HASH] = &out->hash};
    int kind;
    if (k < R_KEYS && strings[k])
        return scan_str(s, strings[k]);
    switch (k) {
    case R_T:
        kind = scan_enum(s, kinds, BASE_LEN(kinds));
        out->kind = (enum record_kind)kind;
        return kind >= 0;
    case R_AT:
        return scan_i64(s, &out->at_ms);
    case R_N:
        return scan_u64(s, &out->n);
    case R_E:
        return read_entries(r, out);
    case R_S:
        return scan_source(s, &out->src);
    case R_ERA:
        return scan_u32(s, &c->era);
    case R_SEQ:
        return scan_u64(s, &c->seq);
    case R_LEVEL:
        return scan_u32(s, &out->level);
    default:
        return scan_skip(s);
    }
}

static bool record_whole(const struct record *r, uint32_t seen)
{
    if (!(seen & 1U << R_T) || (seen & record_must[r->kind]) != record_must[r->kind])
        return false;
    if (r->kind == REC_RECEIPT)
        return receipt_status_ok(r->receipt.status);
    return r->kind != REC_RULES || r->hash.n == 64;
}

int record_read(const struct schema *s, struct str bytes, struct arena *a, struct record *out,
                struct err *err)
{
    struct reader r = {.s = {.p = bytes.p, .end = bytes.p + bytes.n, .a = a}, .schema = s};
    struct record rec = {.hash = STR(""), .member = STR("")};
    struct receipt *c = &rec.receipt;
    int at = 0, k;
    uint32_t seen = 0;
    c->member = c->rule = c->message = c->gateway = c->status = STR("");
    while ((k = scan_key(&r.s, record_keys, R_KEYS, &at)) >= 0 && record_value(&r, &rec, k))
        seen |= 1U << k;
    if (k != SCAN_END || r.s.p != r.s.end || !record_whole(&rec, seen))
        return err_code(err, ERR_INPUT, "record", "not a record of this version, near byte %td",
                        r.s.p - bytes.p);
    rec.n_dropped = r.dropped;
    if (rec.kind == REC_ERASE)
        rec.member = c->member;
    *out = rec;
    return 0;
}
