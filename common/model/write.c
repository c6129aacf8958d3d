/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write: canonical JSON, piece by piece.  No white space, the caller's order of keys, one form of each
 * value: equal content is equal bytes, so that digests and tests can compare bytes.
 */
#include "model_priv.h"

#include <math.h>

/* What stands for a byte inside quotes: 0 = itself, 'u' = \u00XX, else backslash and this letter. */
static const char escapes[256] = {
    [0] = 'u',  [1] = 'u',    [2] = 'u',    [3] = 'u',    [4] = 'u',   [5] = 'u',     [6] = 'u',
    [7] = 'u',  ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', [11] = 'u',  ['\f'] = 'f',  ['\r'] = 'r',
    [14] = 'u', [15] = 'u',   [16] = 'u',   [17] = 'u',   [18] = 'u',  [19] = 'u',    [20] = 'u',
    [21] = 'u', [22] = 'u',   [23] = 'u',   [24] = 'u',   [25] = 'u',  [26] = 'u',    [27] = 'u',
    [28] = 'u', [29] = 'u',   [30] = 'u',   [31] = 'u',   ['"'] = '"', ['\\'] = '\\',
};

static void add_escaped(struct buf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char tmp[6] = {'\\', escapes[c], '0', '0', hex[c >> 4], hex[c & 15]};
    buf_add(b, tmp, escapes[c] == 'u' ? 6 : 2);
}

/* Bytes before the first one that needs an escape. */
static size_t clean_run(struct str s)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) { /* any special byte among eight; the loop below finds it */
        uint64_t v;
        memcpy(&v, s.p + i, 8);
        uint64_t quote = (v ^ (ones * '"')) - ones, slash = (v ^ (ones * '\\')) - ones;
        if (((quote | slash | (v - ones * 0x20)) & ~v) & high)
            break;
    }
    while (i < s.n && !escapes[(unsigned char)s.p[i]])
        i++;
    return i;
}

void json_write_str(struct buf *b, struct str s)
{
    size_t run = clean_run(s);
    char *to = buf_room(b, run + 2);
    if (!to)
        return;
    *to++ = '"';
    if (run)
        memcpy(to, s.p, run);
    b->n += run + 1;
    for (size_t i = run; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (escapes[c])
            add_escaped(b, c);
        else
            buf_addc(b, (char)c);
    }
    buf_addc(b, '"');
}

/* "name": of a declared field, which never needs an escape; a comma before all but the first. */
void put_name(struct buf *b, bool first, struct str name)
{
    char *to = buf_room(b, name.n + 4);
    if (!to)
        return;
    *to = ',';
    to += first ? 0 : 1;
    *to++ = '"';
    memcpy(to, name.p, name.n);
    to[name.n] = '"';
    to[name.n + 1] = ':';
    b->n += name.n + (first ? 3 : 4);
    b->p[b->n] = '\0';
}

/* JSON has no NaN and no infinity: they become null, which readers take as absent. */
static void write_double(struct buf *b, double d)
{
    if (isnan(d) || isinf(d))
        buf_adds(b, "null");
    else
        model_add_double(b, d);
}

static void write_record(struct buf *b, const struct val *v, const struct type *t)
{
    bool first = true;
    buf_addc(b, '{');
    for (uint32_t i = 0; i < v->n && t && i < t->n_fields; i++) {
        if (v->list[i].t == V_ABSENT)
            continue;
        put_name(b, first, t->fields[i].name);
        first = false;
        json_write_val(b, &v->list[i], t->fields[i].type);
    }
    buf_addc(b, '}');
}

static void write_map(struct buf *b, const struct val *v, const struct type *t)
{
    struct buf key;
    buf_init(&key, 1 << 20);
    buf_addc(b, '{');
    for (uint32_t i = 0; i < v->n; i++) {
        if (i)
            buf_addc(b, ',');
        buf_reset(&key);
        val_text(&v->list[2 * i], &key);
        json_write_str(b, buf_str(&key));
        buf_addc(b, ':');
        json_write_val(b, &v->list[2 * i + 1], t ? t->elem : NULL);
    }
    buf_addc(b, '}');
    buf_free(&key);
}

static void write_list(struct buf *b, const struct val *v, const struct type *t)
{
    buf_addc(b, '[');
    for (uint32_t i = 0; i < v->n; i++) {
        if (i)
            buf_addc(b, ',');
        json_write_val(b, &v->list[i], t ? t->elem : NULL);
    }
    buf_addc(b, ']');
}

void json_write_val(struct buf *b, const struct val *v, const struct type *t)
{
    switch ((enum val_kind)v->t) {
    case V_ABSENT:
    case V_NULL:
        buf_add(b, "null", 4);
        return;
    case V_BOOL:
        buf_adds(b, v->b ? "true" : "false");
        return;
    case V_INT:
    case V_MONEY:
    case V_DURATION:
        buf_addi64(b, v->i);
        return;
    case V_DOUBLE:
        write_double(b, v->d);
        return;
    case V_STRING:
        json_write_str(b, val_get_str(*v));
        return;
    case V_TIMESTAMP:
        buf_addi64(b, val_ms(*v));
        return;
    case V_LIST:
        write_list(b, v, t);
        return;
    case V_MAP:
        write_map(b, v, t);
        return;
    case V_RECORD:
        write_record(b, v, t);
        return;
    }
}

static void write_object(struct buf *b, const struct json *j)
{
    buf_addc(b, '{');
    for (uint32_t i = 0; i < j->n; i++) {
        if (i)
            buf_addc(b, ',');
        json_write_str(b, j->keys[i]);
        buf_addc(b, ':');
        json_write_json(b, &j->items[i]);
    }
    buf_addc(b, '}');
}

static void write_array(struct buf *b, const struct json *j)
{
    buf_addc(b, '[');
    for (uint32_t i = 0; i < j->n; i++) {
        if (i)
            buf_addc(b, ',');
        json_write_json(b, &j->items[i]);
    }
    buf_addc(b, ']');
}

void json_write_json(struct buf *b, const struct json *j)
{
    switch (j->kind) {
    case JSON_NULL:
        buf_add(b, "null", 4);
        return;
    case JSON_BOOL:
        buf_adds(b, j->b ? "true" : "false");
        return;
    case JSON_INT:
        buf_addi64(b, j->i);
        return;
    case JSON_REAL:
        write_double(b, j->d);
        return;
    case JSON_STRING:
        json_write_str(b, j->s);
        return;
    case JSON_ARRAY:
        write_array(b, j);
        return;
    case JSON_OBJECT:
        write_object(b, j);
        return;
    }
}

/* ---- keys in a fixed order ---- */

void add_u64(struct buf *b, uint64_t v)
{
    char tmp[20];
    size_t i = sizeof tmp;
    do {
        tmp[--i] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_add(b, tmp + i, sizeof tmp - i);
}

void put_key(struct buf *b, const char *key)
{
    put_name(b, b->n > 0 && b->p[b->n - 1] == '{', str_c(key));
}

void put_str(struct buf *b, const char *key, struct str v)
{
    put_key(b, key);
    json_write_str(b, v);
}

void put_str_opt(struct buf *b, const char *key, struct str v)
{
    if (v.n)
        put_str(b, key, v);
}

void put_i64(struct buf *b, const char *key, int64_t v)
{
    put_key(b, key);
    buf_addi64(b, v);
}

void put_u64(struct buf *b, const char *key, uint64_t v)
{
    put_key(b, key);
    add_u64(b, v);
}

void put_bool(struct buf *b, const char *key, bool v)
{
    put_key(b, key);
    buf_adds(b, v ? "true" : "false");
}

void put_hex32(struct buf *b, const char *key, const uint8_t v[32])
{
    char hex[65];
    enc_hex(v, 32, hex);
    put_key(b, key);
    buf_addc(b, '"');
    buf_add(b, hex, 64);
    buf_addc(b, '"');
}

void put_source(struct buf *b, const char *key, const struct source *s)
{
    put_key(b, key);
    buf_addc(b, '[');
    json_write_str(b, s->topic);
    buf_addc(b, ',');
    buf_addi64(b, s->epoch);
    buf_addc(b, ',');
    buf_addi64(b, s->partition);
    buf_addc(b, ',');
    buf_addi64(b, s->offset);
    buf_addc(b, ']');
}
