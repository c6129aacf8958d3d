/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcome: rouse.outcomes, the dispatcher's journal.  One record each for: whose claim holds, an attempt
 * before its first byte leaves, what came of it, and a snapshot of what is not finished.
 */
#include "model_priv.h"

static const char *const kinds[] = {[OUT_CLAIM] = "claim",
                                    [OUT_ATTEMPT] = "attempt",
                                    [OUT_RESULT] = "result",
                                    [OUT_SNAPSHOT] = "snapshot"};

/* ---- writing ---- */

static void put_incomplete(struct buf *b, const struct outcome *o)
{
    put_key(b, "open");
    buf_addc(b, '[');
    for (uint32_t i = 0; i < o->n_incomplete; i++) {
        buf_adds(b, i ? ",[" : "[");
        add_u64(b, o->incomplete[i]);
        buf_addc(b, ',');
        add_u64(b, o->incomplete_attempts ? o->incomplete_attempts[i] : 0);
        buf_addc(b, ',');
        add_u64(b, o->incomplete_tries ? o->incomplete_tries[i] : 0);
        buf_addc(b, ',');
        add_u64(b, o->incomplete_state ? o->incomplete_state[i] : 0);
        buf_addc(b, ']');
    }
    buf_addc(b, ']');
}

static void put_snapshot(struct buf *b, const struct outcome *o)
{
    put_u64(b, "next", o->next);
    put_hex32(b, "chain", o->chain);
    put_i64(b, "off", o->decisions_off);
    put_incomplete(b, o);
}

static void put_attempt(struct buf *b, const struct outcome *o)
{
    put_u64(b, "seq", o->seq);
    put_str(b, "id", str_c(o->id));
    put_u64(b, "n", o->attempt);
    put_str_opt(b, "member", o->member);
    put_str_opt(b, "rule", o->rule);
    put_str_opt(b, "message", o->message);
    put_str_opt(b, "gateway", o->gateway);
    if (o->kind != OUT_RESULT)
        return;
    put_str(b, "class", o->result_class);
    put_str_opt(b, "status", o->status);
    put_str_opt(b, "code", o->code);
    put_bool(b, "final", o->final);
    put_bool(b, "sent", o->sent);
}

void outcome_write(const struct outcome *o, struct buf *b)
{
    buf_addf(b, "{\"t\":\"%s\"", kinds[o->kind]);
    put_str(b, "tok", str_c(o->tok));
    put_u64(b, "era", o->era);
    put_i64(b, "at", o->at_ms);
    if (o->kind == OUT_SNAPSHOT)
        put_snapshot(b, o);
    else if (o->kind != OUT_CLAIM)
        put_attempt(b, o);
    buf_addc(b, '}');
}

/* ---- reading ---- */

enum {
    O_T,
    O_TOK,
    O_ERA,
    O_AT,
    O_SEQ,
    O_ID,
    O_N,
    O_MEMBER,
    O_RULE,
    O_MESSAGE,
    O_GATEWAY,
    O_CLASS,
    O_STATUS,
    O_CODE,
    O_FINAL,
    O_SENT,
    O_NEXT,
    O_CHAIN,
    O_OFF,
    O_OPEN,
    O_KEYS
};
static const struct str outcome_keys[O_KEYS] = {
    KEY("t"),       KEY("tok"),   KEY("era"),    KEY("at"),   KEY("seq"),
    KEY("id"),      KEY("n"),     KEY("member"), KEY("rule"), KEY("message"),
    KEY("gateway"), KEY("class"), KEY("status"), KEY("code"), KEY("final"),
    KEY("sent"),    KEY("next"),  KEY("chain"),  KEY("off"),  KEY("open")};
#define MUST_ALL (1U << O_T | 1U << O_TOK | 1U << O_ERA | 1U << O_AT)
#define MUST_TRY (MUST_ALL | 1U << O_SEQ | 1U << O_ID | 1U << O_N)
static const uint32_t outcome_must[] = {
    [OUT_CLAIM] = MUST_ALL,
    [OUT_ATTEMPT] = MUST_TRY,
    [OUT_RESULT] = MUST_TRY | 1U << O_CLASS | 1U << O_FINAL | 1U << O_SENT,
    [OUT_SNAPSHOT] = MUST_ALL | 1U << O_NEXT | 1U << O_CHAIN | 1U << O_OFF | 1U << O_OPEN};

/* The four arrays of a snapshot, grown together. */
struct incomplete {
    uint64_t *seqs;
    uint32_t *attempts, *tries, cap;
    uint8_t *states;
};

static void *grown(struct arena *a, const void *old, size_t used, size_t bytes)
{
    void *p = arena_zalloc(a, bytes);
    if (used)
        memcpy(p, old, used);
    return p;
}

static void grow_incomplete(struct arena *a, struct incomplete *i, uint32_t n)
{
    if (n < i->cap)
        return;
    i->cap = i->cap ? i->cap * 2 : 16;
    i->seqs = grown(a, i->seqs, n * sizeof *i->seqs, i->cap * sizeof *i->seqs);
    i->attempts = grown(a, i->attempts, n * sizeof *i->attempts, i->cap * sizeof *i->attempts);
    i->tries = grown(a, i->tries, n * sizeof *i->tries, i->cap * sizeof *i->tries);
    i->states = grown(a, i->states, n, i->cap);
}

static bool scan_incomplete(struct scan *s, struct outcome *o)
{
    struct incomplete i = {0};
    uint32_t n = 0, state;
    int at = 0, k;
    while ((k = scan_item(s, &at)) == 1) {
        grow_incomplete(s->a, &i, n);
        if (!scan_c(s, '[') || !scan_u64(s, &i.seqs[n]) || !scan_c(s, ',') ||
            !scan_u32(s, &i.attempts[n]) || !scan_c(s, ',') || !scan_u32(s, &i.tries[n]) ||
            !scan_c(s, ',') || !scan_u32(s, &state) || state > 7 || !scan_c(s, ']'))
            return false;
        i.states[n++] = (uint8_t)state;
    }
    o->incomplete = i.seqs;
    o->incomplete_attempts = i.attempts;
    o->incomplete_tries = i.tries;
    o->incomplete_state = i.states;
    o->n_incomplete = n;
    return k == SCAN_END;
}

static bool scan_number(struct scan *s, struct outcome *o, int k)
{
    int kind;
    switch (k) {
    case O_T:
        kind = scan_enum(s, kinds, BASE_LEN(kinds));
        o->kind = (enum outcome_kind)kind;
        return kind >= 0;
    case O_ERA:
        return scan_u32(s, &o->era);
    case O_AT:
        return scan_i64(s, &o->at_ms);
    case O_SEQ:
        return scan_u64(s, &o->seq);
    case O_N:
        return scan_u32(s, &o->attempt);
    case O_FINAL:
        return scan_bool(s, &o->final);
    case O_SENT:
        return scan_bool(s, &o->sent);
    case O_NEXT:
        return scan_u64(s, &o->next);
    case O_CHAIN:
        return scan_hex32(s, o->chain);
    case O_OFF:
        return scan_i64(s, &o->decisions_off);
    case O_OPEN:
        return scan_incomplete(s, o);
    default:
        return scan_skip(s);
    }
}

static bool outcome_value(struct scan *s, struct outcome *o, int k)
{
    struct str *const strings[O_KEYS] = {
        [O_MEMBER] = &o->member,   [O_RULE] = &o->rule,          [O_MESSAGE] = &o->message,
        [O_GATEWAY] = &o->gateway, [O_CLASS] = &o->result_class, [O_STATUS] = &o->status,
        [O_CODE] = &o->code};
    if (k < O_KEYS && strings[k])
        return scan_str(s, strings[k]);
    if (k == O_TOK)
        return scan_text(s, o->tok, sizeof o->tok);
    if (k == O_ID)
        return scan_text(s, o->id, sizeof o->id);
    return scan_number(s, o, k);
}

int outcome_read(struct str bytes, struct arena *a, struct outcome *out, struct err *err)
{
    struct scan s = {.p = bytes.p, .end = bytes.p + bytes.n, .a = a};
    struct outcome o = {.kind = OUT_CLAIM};
    int at = 0, k;
    uint32_t seen = 0;
    o.member = o.rule = o.message = o.gateway = o.result_class = o.status = o.code = STR("");
    while ((k = scan_key(&s, outcome_keys, O_KEYS, &at)) >= 0 && outcome_value(&s, &o, k))
        seen |= 1U << k;
    if (k != SCAN_END || s.p != s.end || !(seen & 1U << O_T) ||
        (seen & outcome_must[o.kind]) != outcome_must[o.kind] ||
        (o.status.n && !receipt_status_ok(o.status)))
        return err_code(err, ERR_INPUT, "outcome", "not an outcome of this version, near byte %td",
                        s.p - bytes.p);
    *out = o;
    return 0;
}
