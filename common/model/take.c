/* SPDX-License-Identifier: Apache-2.0 */
/* take: one JSON value as the type that the rule files declare for it, or the reason why not. */
#include "decode_priv.h"

/* ---- what to say ---- */

static void print_at(struct buf *b, const struct at *at)
{
    if (at->up)
        print_at(b, at->up);
    if (!at->path && !at->name.n) {
        buf_addf(b, "[%u]", at->index);
        return;
    }
    for (uint32_t i = 0; at->path && i < at->path->n; i++) {
        if (b->n)
            buf_addc(b, '.');
        buf_addstr(b, at->path->keys[i]);
    }
    if (at->path)
        return;
    if (b->n)
        buf_addc(b, '.');
    buf_addstr(b, at->name);
}

/* Text cut to n bytes at a code point. */
static struct str cut(struct str s, size_t n)
{
    if (s.n <= n)
        return s;
    while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return (struct str){s.p, n};
}

static void print_value(struct buf *b, const struct json *v)
{
    struct buf whole;
    if (v->kind == JSON_OBJECT || v->kind == JSON_ARRAY) {
        buf_adds(b, v->kind == JSON_OBJECT ? "an object" : "a list");
        return;
    }
    buf_init(&whole, 1 << 20);
    json_write_json(&whole, v);
    struct str text = buf_str(&whole), shown = cut(text, 64);
    buf_addstr(b, shown);
    if (shown.n < text.n)
        buf_adds(b, "…");
    buf_free(&whole);
}

int take_bad(const struct decoding *d, const struct at *at, const char *code, const char *what,
             const struct json *value, const struct type *t)
{
    struct buf path, shown;
    buf_init(&path, 1 << 16);
    buf_init(&shown, 1 << 16);
    print_at(&path, at);
    bool secret = t && t->kind == TYPE_ADDRESS;
    if (value && !secret)
        print_value(&shown, value);
    struct str p = cut(buf_str(&path), sizeof d->err->file - 1);
    bool first = d->err && d->err->kind == ERR_NONE;
    err_code(d->err, ERR_INPUT, code, STR_FMT " %s%s" STR_FMT, STR_ARG(p), what,
             shown.n ? ": " : "", STR_ARG(buf_str(&shown)));
    if (first && p.n) {
        memcpy(d->err->file, p.p, p.n);
        d->err->file[p.n] = '\0';
    }
    buf_free(&path);
    buf_free(&shown);
    return -1;
}

static int wrong_type(const struct decoding *d, const struct at *at, const struct json *j,
                      const struct type *t)
{
    static const char *const want[] = {
        [TYPE_ERROR] = "is not anything",   [TYPE_NULL] = "is not null",
        [TYPE_BOOL] = "is not a bool",      [TYPE_INT] = "is not an int",
        [TYPE_DOUBLE] = "is not a double",  [TYPE_STRING] = "is not a string",
        [TYPE_MONEY] = "is not money",      [TYPE_DATE] = "is not a date",
        [TYPE_TIMESTAMP] = "is not a time", [TYPE_DURATION] = "is not a duration",
        [TYPE_ADDRESS] = "is not a string", [TYPE_LUNAR_DATE] = "is not a lunar date",
        [TYPE_LIST] = "is not a list",      [TYPE_MAP] = "is not a map",
        [TYPE_RECORD] = "is not an object",
    };
    return take_bad(d, at, "wrong_type", want[t->kind], j, t);
}

/* ---- text ---- */

static int take_text(const struct decoding *d, const struct at *at, const struct json *j,
                     const struct type *t, struct val *out)
{
    static const struct {
        const char *code, *what;
    } faults[] = {[TEXT_TOO_LONG] = {"too_long", "is longer than its max"},
                  [TEXT_ONE_OF] = {"one_of", "is none of the values declared for it"},
                  [TEXT_BAD_DATE] = {"bad_date", "is not a date of the calendar"}};
    if (j->kind != JSON_STRING)
        return wrong_type(d, at, j, t);
    enum text_fault f = model_text_fault(t, j->s);
    if (f != TEXT_OK)
        return take_bad(d, at, faults[f].code, faults[f].what, j, t);
    *out = val_str(j->s);
    return 0;
}

/* ---- money: yuan with at most two places, as fen ---- */

/* "-12.30": exact. Zeros after the second place do no harm. */
static bool money_text(struct str s, int64_t *fen)
{
    bool neg = s.n > 0 && s.p[0] == '-', dot = false;
    int64_t v = 0;
    int places = 0;
    size_t digits = 0;
    for (size_t i = neg ? 1 : 0; i < s.n; i++) {
        if (s.p[i] == '.' && !dot && digits) {
            dot = true;
            continue;
        }
        int c = s.p[i] - '0';
        if (c < 0 || c > 9)
            return false;
        digits++;
        if (dot && ++places > 2) {
            if (c != 0)
                return false;
            continue;
        }
        if (__builtin_mul_overflow(v, INT64_C(10), &v) || __builtin_add_overflow(v, (int64_t)c, &v))
            return false;
    }
    if (digits == 0 || (dot && places == 0))
        return false;
    for (; places < 2; places++)
        if (__builtin_mul_overflow(v, INT64_C(10), &v))
            return false;
    *fen = neg ? -v : v;
    return true;
}

/* To the nearest; |x| stays far below 2^63. */
static int64_t nearest(double x)
{
    return (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
}

/* A double stands for an amount of fen when that amount divided by 100 is this very double: a decimal of
 * up to 15 digits and its double are one to one, so 99.9 passes and 99.901 or 0.1 + 0.2 does not. */
static bool money_real(double yuan, int64_t *fen)
{
    if (!(yuan > -1e13 && yuan < 1e13))
        return false;
    int64_t v = nearest(yuan * 100.0);
    double back = (double)v / 100.0;
    *fen = v;
    return back >= yuan && back <= yuan;
}

static int take_money(const struct decoding *d, const struct at *at, const struct json *j,
                      const struct type *t, struct val *out)
{
    int64_t fen = 0;
    bool ok = j->kind == JSON_INT    ? !__builtin_mul_overflow(j->i, INT64_C(100), &fen)
              : j->kind == JSON_REAL ? money_real(j->d, &fen)
                                     : j->kind == JSON_STRING && money_text(j->s, &fen);
    if (!ok && (j->kind == JSON_INT || j->kind == JSON_REAL || j->kind == JSON_STRING))
        return take_bad(d, at, "bad_money", "is not an amount with at most two places", j, t);
    if (!ok)
        return wrong_type(d, at, j, t);
    *out = val_money(fen);
    return 0;
}

/* ---- moments ---- */

#define SECONDS_BELOW 1e11 /* a number below it is seconds: in ms it would be before 1973-03-03 */
#define TIME_LEAST (-62135596800000) /* 0001-01-01 */
#define TIME_MOST 253402300799999    /* 9999-12-31 */

static bool number_time(const struct json *j, int64_t *ms)
{
    if (!(j->d > -1e15 && j->d < 1e15))
        return false;
    if (j->d < SECONDS_BELOW && j->d > -SECONDS_BELOW) {
        *ms = j->kind == JSON_INT ? j->i * 1000 : nearest(j->d * 1000.0);
        return true;
    }
    *ms = j->kind == JSON_INT ? j->i : nearest(j->d);
    return true;
}

int take_time(const struct decoding *d, const struct at *at, const struct json *j, int64_t *ms)
{
    bool ok = j->kind == JSON_STRING
                  ? time_parse_ms(j->s, d->schema->tz, ms) == 0
                  : (j->kind == JSON_INT || j->kind == JSON_REAL) && number_time(j, ms);
    if (!ok || *ms < TIME_LEAST || *ms > TIME_MOST)
        return take_bad(d, at, "bad_time",
                        "is not RFC 3339, nor seconds or milliseconds since 1970", j, NULL);
    return 0;
}

/* ---- lists and records ---- */

static int take_list(const struct decoding *d, const struct at *at, const struct json *j,
                     const struct type *t, struct val *out)
{
    if (j->kind != JSON_ARRAY)
        return wrong_type(d, at, j, t);
    if (j->n > (t->max ? t->max : MODEL_LIST_MAX))
        return take_bad(d, at, "too_many", "has more items than its max", NULL, t);
    struct val *list = ARENA_ARRAY(d->a, struct val, j->n);
    for (uint32_t i = 0; i < j->n; i++) {
        struct at item = {.up = at, .index = i};
        if (take_value(d, &item, &j->items[i], t->elem, &list[i]) < 0)
            return -1;
    }
    *out = (struct val){.t = V_LIST, .n = j->n, .list = list};
    return 0;
}

static const struct json *member_of(const struct json *j, struct str name)
{
    for (uint32_t i = 0; i < j->n; i++)
        if (str_eq(j->keys[i], name))
            return &j->items[i];
    return NULL;
}

static int take_record(const struct decoding *d, const struct at *at, const struct json *j,
                       const struct type *t, struct val *out)
{
    if (j->kind != JSON_OBJECT)
        return wrong_type(d, at, j, t);
    struct val *f = ARENA_ARRAY(d->a, struct val, t->n_fields);
    for (uint32_t i = 0; i < t->n_fields; i++) {
        const struct field *field = &t->fields[i];
        struct at in = {.up = at, .name = field->name};
        const struct json *v = member_of(j, field->name);
        if (!v || v->kind == JSON_NULL) {
            if (!field->optional)
                return take_bad(d, &in, "missing_field", "is missing", NULL, NULL);
            continue;
        }
        if (take_value(d, &in, v, field->type, &f[i]) < 0)
            return -1;
    }
    *out = (struct val){.t = V_RECORD, .n = t->n_fields, .list = f};
    return 0;
}

int take_value(const struct decoding *d, const struct at *at, const struct json *j,
               const struct type *t, struct val *out)
{
    int64_t ms;
    switch (t->kind) {
    case TYPE_BOOL:
        if (j->kind != JSON_BOOL)
            return wrong_type(d, at, j, t);
        *out = val_bool(j->b);
        return 0;
    case TYPE_INT:
        if (j->kind != JSON_INT)
            return wrong_type(d, at, j, t);
        *out = val_int(j->i);
        return 0;
    case TYPE_DOUBLE:
        if (j->kind != JSON_INT && j->kind != JSON_REAL)
            return wrong_type(d, at, j, t);
        *out = val_double(j->d);
        return 0;
    case TYPE_MONEY:
        return take_money(d, at, j, t, out);
    case TYPE_STRING:
    case TYPE_ADDRESS:
    case TYPE_DATE:
    case TYPE_LUNAR_DATE:
        return take_text(d, at, j, t, out);
    case TYPE_TIMESTAMP:
        if (take_time(d, at, j, &ms) < 0)
            return -1;
        *out = val_time_ms(ms);
        return 0;
    case TYPE_LIST:
        return take_list(d, at, j, t, out);
    case TYPE_RECORD:
        return take_record(d, at, j, t, out);
    case TYPE_ERROR:
    case TYPE_NULL:
    case TYPE_DURATION:
    case TYPE_MAP:
        return wrong_type(d, at, j, t); /* no declaration can name these */
    }
    return -1;
}
