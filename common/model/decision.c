/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decision: rouse.decisions.  A record is {"id":…,"chain":…,CONTENT without its opening brace}; CONTENT is
 * a canonical object of its own, and chain = SHA-256(previous chain ‖ CONTENT).  So a reader can check
 * the chain from the bytes as they are, without writing anything anew.
 */
#include "model_priv.h"

#include <stdio.h>

#define ID_LEN 39
#define HEAD_LEN (sizeof "{\"id\":\"\",\"chain\":\"\"," - 1 + ID_LEN + 64)

static const char *const kinds[] = {
    [DEC_SEND] = "send", [DEC_WITHHOLD] = "withhold", [DEC_CONVERT] = "convert"};

static void put_be(uint8_t *to, uint64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, v >>= 8)
        to[i] = (uint8_t)(v & 0xff);
}

/* topology 32, era 32, p 16, seq 48 bits, 64 bits of chain: 24 bytes, 39 letters */
static void make_id(uint32_t topology, const struct decision *d, const uint8_t chain[32],
                    char out[40])
{
    uint8_t raw[24];
    put_be(raw, topology, 4);
    put_be(raw + 4, d->era, 4);
    put_be(raw + 8, d->p, 2);
    put_be(raw + 10, d->seq, 6);
    memcpy(raw + 16, chain, 8);
    enc_base32(raw, sizeof raw, out);
}

static int dec_base32(struct str s, uint8_t *out, size_t n)
{
    uint64_t bits = 0;
    int have = 0;
    size_t at = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        int v = c >= 'a' && c <= 'z' ? c - 'a' : c >= '2' && c <= '7' ? c - '2' + 26 : -1;
        if (v < 0)
            return -1;
        bits = bits << 5 | (uint64_t)v;
        have += 5;
        if (have >= 8 && at < n)
            out[at++] = (uint8_t)(bits >> (have -= 8));
    }
    return at == n ? 0 : -1;
}

static uint64_t get_be(const uint8_t *from, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | from[i];
    return v;
}

int decision_id_read(struct str id, uint32_t topology, uint32_t *era, uint32_t *p, uint64_t *seq)
{
    uint8_t raw[24];
    if (id.n != ID_LEN || dec_base32(id, raw, sizeof raw) != 0 || get_be(raw, 4) != topology)
        return -1;
    *era = (uint32_t)get_be(raw + 4, 4);
    *p = (uint32_t)get_be(raw + 8, 2);
    *seq = get_be(raw + 10, 6);
    return 0;
}

/* chain' of the content `"{" ‖ rest`. */
static void next_chain(const uint8_t prev[32], struct str rest, uint8_t out[32])
{
    uint8_t head[33];
    memcpy(head, prev, 32);
    head[32] = '{';
    hash_sha256_2(head, sizeof head, rest.p, rest.n, out);
}

/* ---- writing ---- */

static void put_data(struct buf *b, const struct decision *d)
{
    put_key(b, "data");
    buf_addc(b, '{');
    for (uint32_t i = 0; i < d->n_data; i++) {
        if (i)
            buf_addc(b, ',');
        json_write_str(b, d->data[i].name);
        buf_addc(b, ':');
        json_write_val(b, &d->data[i].value, NULL);
    }
    buf_addc(b, '}');
}

static void put_send(struct buf *b, const struct decision *d)
{
    put_i64(b, "expire", d->expire_ms);
    if (d->quiet_from >= 0) {
        put_key(b, "quiet");
        buf_addf(b, "[%d,%d]", d->quiet_from, d->quiet_to);
    }
    put_i64(b, "off", d->utc_off_s);
    put_str_opt(b, "template", d->template);
    put_str_opt(b, "text", d->text);
    if (d->n_data)
        put_data(b, d);
}

static void put_content(struct buf *b, const struct decision *d)
{
    buf_addf(b, "\"t\":\"%s\"", kinds[d->kind]);
    put_u64(b, "p", d->p);
    put_u64(b, "era", d->era);
    put_u64(b, "seq", d->seq);
    put_i64(b, "at", d->at_ms);
    put_str(b, "member", d->member);
    put_str(b, "rule", d->rule);
    put_str_opt(b, "key", d->key);
    put_str_opt(b, "send_key", d->send_key);
    put_str_opt(b, "message", d->message);
    put_str_opt(b, "gateway", d->gateway);
    put_str_opt(b, "to", d->to);
    put_str_opt(b, "purpose", d->purpose);
    put_str_opt(b, "reason", d->reason);
    if (d->kind == DEC_SEND)
        put_send(b, d);
    if (d->kind == DEC_CONVERT) {
        put_key(b, "value");
        json_write_val(b, &(struct val){.t = V_DOUBLE, .d = d->value}, NULL);
    }
    buf_addc(b, '}');
}

void decision_write(struct decision *d, uint32_t topology, uint8_t chain[32], struct buf *out)
{
    char head[HEAD_LEN + 1], hex[65];
    size_t at = out->n;
    memset(head, ' ', HEAD_LEN);
    buf_add(out, head, HEAD_LEN);
    put_content(out, d);
    if (out->over)
        return;
    next_chain(chain, (struct str){out->p + at + HEAD_LEN, out->n - at - HEAD_LEN}, d->chain);
    memcpy(chain, d->chain, 32);
    make_id(topology, d, d->chain, d->id);
    enc_hex(d->chain, 32, hex);
    (void)snprintf(head, sizeof head, "{\"id\":\"%s\",\"chain\":\"%s\",", d->id, hex);
    memcpy(out->p + at, head, HEAD_LEN);
}

/* ---- reading ---- */

enum {
    D_ID,
    D_CHAIN,
    D_T,
    D_P,
    D_ERA,
    D_SEQ,
    D_AT,
    D_MEMBER,
    D_RULE,
    D_KEY,
    D_SEND_KEY,
    D_MESSAGE,
    D_GATEWAY,
    D_TO,
    D_PURPOSE,
    D_REASON,
    D_EXPIRE,
    D_QUIET,
    D_OFF,
    D_TEMPLATE,
    D_TEXT,
    D_DATA,
    D_VALUE,
    D_KEYS
};
static const struct str decision_keys[D_KEYS] = {
    KEY("id"),      KEY("chain"),    KEY("t"),       KEY("p"),      KEY("era"),      KEY("seq"),
    KEY("at"),      KEY("member"),   KEY("rule"),    KEY("key"),    KEY("send_key"), KEY("message"),
    KEY("gateway"), KEY("to"),       KEY("purpose"), KEY("reason"), KEY("expire"),   KEY("quiet"),
    KEY("off"),     KEY("template"), KEY("text"),    KEY("data"),   KEY("value")};
#define MUST_ALL                                                                                   \
    (1U << D_ID | 1U << D_CHAIN | 1U << D_T | 1U << D_P | 1U << D_ERA | 1U << D_SEQ | 1U << D_AT | \
     1U << D_MEMBER | 1U << D_RULE)
static const uint32_t decision_must[] = {[DEC_SEND] = MUST_ALL | 1U << D_MESSAGE | 1U << D_GATEWAY |
                                                      1U << D_EXPIRE | 1U << D_OFF,
                                         [DEC_WITHHOLD] = MUST_ALL | 1U << D_REASON,
                                         [DEC_CONVERT] = MUST_ALL};

static bool scan_strings(struct scan *s, struct val *out)
{
    uint32_t cap = 4, n = 0;
    struct val *list = ARENA_ARRAY(s->a, struct val, cap);
    struct str v;
    int at = 0, k;
    while ((k = scan_item(s, &at)) == 1) {
        if (n == cap) {
            struct val *to = ARENA_ARRAY(s->a, struct val, cap * 2);
            memcpy(to, list, n * sizeof *to);
            list = to;
            cap *= 2;
        }
        if (!scan_str(s, &v))
            return false;
        list[n++] = val_str(v);
    }
    *out = (struct val){.t = V_LIST, .n = n, .list = list};
    return k == SCAN_END;
}

static bool scan_param(struct scan *s, struct param *to)
{
    struct str v;
    if (!scan_str(s, &to->name) || !scan_c(s, ':') || s->p >= s->end)
        return false;
    if (*s->p == '[')
        return scan_strings(s, &to->value);
    if (!scan_str(s, &v))
        return false;
    to->value = val_str(v);
    return true;
}

static bool scan_data(struct scan *s, struct decision *d)
{
    uint32_t cap = 4, n = 0;
    struct param *list = ARENA_ARRAY(s->a, struct param, cap);
    if (!scan_c(s, '{'))
        return false;
    if (!scan_c(s, '}')) {
        do {
            if (n == cap) {
                struct param *to = ARENA_ARRAY(s->a, struct param, cap * 2);
                memcpy(to, list, n * sizeof *to);
                list = to;
                cap *= 2;
            }
            if (!scan_param(s, &list[n++]))
                return false;
        } while (scan_c(s, ','));
        if (!scan_c(s, '}'))
            return false;
    }
    d->data = list;
    d->n_data = n;
    return true;
}

static bool scan_minutes(struct scan *s, int32_t *out)
{
    uint64_t v;
    if (!scan_u64(s, &v) || v > 1440)
        return false;
    *out = (int32_t)v;
    return true;
}

static bool scan_number(struct scan *s, struct decision *d, int k)
{
    int64_t off;
    int kind;
    switch (k) {
    case D_T:
        kind = scan_enum(s, kinds, BASE_LEN(kinds));
        d->kind = (enum decision_kind)kind;
        return kind >= 0;
    case D_P:
        return scan_u32(s, &d->p);
    case D_ERA:
        return scan_u32(s, &d->era);
    case D_SEQ:
        return scan_u64(s, &d->seq);
    case D_AT:
        return scan_i64(s, &d->at_ms);
    case D_EXPIRE:
        return scan_i64(s, &d->expire_ms);
    case D_OFF:
        if (!scan_i64(s, &off) || off < -86400 || off > 86400)
            return false;
        d->utc_off_s = (int32_t)off;
        return true;
    case D_QUIET:
        return scan_c(s, '[') && scan_minutes(s, &d->quiet_from) && scan_c(s, ',') &&
               scan_minutes(s, &d->quiet_to) && scan_c(s, ']');
    case D_VALUE:
        return scan_lit(s, "null") || scan_double(s, &d->value);
    default:
        return scan_skip(s);
    }
}

static bool decision_value(struct scan *s, struct decision *d, int k)
{
    struct str *const strings[D_KEYS] = {[D_MEMBER] = &d->member,   [D_RULE] = &d->rule,
                                         [D_KEY] = &d->key,         [D_SEND_KEY] = &d->send_key,
                                         [D_MESSAGE] = &d->message, [D_GATEWAY] = &d->gateway,
                                         [D_TO] = &d->to,           [D_PURPOSE] = &d->purpose,
                                         [D_REASON] = &d->reason,   [D_TEMPLATE] = &d->template,
                                         [D_TEXT] = &d->text};
    if (k < D_KEYS && strings[k])
        return scan_str(s, strings[k]);
    if (k == D_ID)
        return scan_text(s, d->id, sizeof d->id);
    if (k == D_CHAIN)
        return scan_hex32(s, d->chain);
    if (k == D_DATA)
        return scan_data(s, d);
    return scan_number(s, d, k);
}

int decision_read(struct str bytes, struct arena *a, struct decision *out, struct err *err)
{
    struct scan s = {.p = bytes.p, .end = bytes.p + bytes.n, .a = a};
    struct decision d = {.quiet_from = -1, .quiet_to = -1};
    int at = 0, k;
    uint32_t seen = 0;
    d.member = d.rule = d.key = d.send_key = d.message = d.gateway = d.to = STR("");
    d.purpose = d.reason = d.template = d.text = STR("");
    while ((k = scan_key(&s, decision_keys, D_KEYS, &at)) >= 0 && decision_value(&s, &d, k))
        seen |= 1U << k;
    if (k != SCAN_END || s.p != s.end || !(seen & 1U << D_T) ||
        (seen & decision_must[d.kind]) != decision_must[d.kind])
        return err_code(err, ERR_INPUT, "decision", "not a decision of this version, near byte %td",
                        s.p - bytes.p);
    *out = d;
    return 0;
}

int decision_follows(struct str bytes, const struct decision *d, uint32_t topology,
                     const uint8_t prev[32])
{
    uint8_t chain[32];
    char id[40];
    if (bytes.n <= HEAD_LEN || bytes.p[HEAD_LEN - 1] != ',')
        return 0;
    next_chain(prev, (struct str){bytes.p + HEAD_LEN, bytes.n - HEAD_LEN}, chain);
    make_id(topology, d, chain, id);
    return memcmp(chain, d->chain, 32) == 0 && strcmp(id, d->id) == 0;
}
