/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value: the types and the 16-byte values that everything else passes around.  A value borrows its
 * strings and lists; val_dup makes it stand on its own in an arena.
 */
#include "model_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- types ---- */

#define SIMPLE_TYPE(var, k, text)                                                                  \
    const struct type var = {                                                                      \
        .kind = k, .max = MODEL_STRING_MAX, .name = {"" text, sizeof(text) - 1}}

SIMPLE_TYPE(type_error, TYPE_ERROR, "error");
SIMPLE_TYPE(type_null, TYPE_NULL, "null");
SIMPLE_TYPE(type_bool, TYPE_BOOL, "bool");
SIMPLE_TYPE(type_int, TYPE_INT, "int");
SIMPLE_TYPE(type_double, TYPE_DOUBLE, "double");
SIMPLE_TYPE(type_string, TYPE_STRING, "string");
SIMPLE_TYPE(type_money, TYPE_MONEY, "money");
SIMPLE_TYPE(type_date, TYPE_DATE, "date");
SIMPLE_TYPE(type_lunar_date, TYPE_LUNAR_DATE, "lunar_date");
SIMPLE_TYPE(type_timestamp, TYPE_TIMESTAMP, "timestamp");
SIMPLE_TYPE(type_duration, TYPE_DURATION, "duration");
SIMPLE_TYPE(type_address, TYPE_ADDRESS, "address");

int type_field(const struct type *record, struct str name)
{
    for (uint32_t i = 0; i < record->n_fields; i++)
        if (str_eq(record->fields[i].name, name))
            return (int)i;
    return -1;
}

/* ---- values ---- */

struct val val_time_ms(int64_t ms)
{
    int64_t s = ms / 1000, rest = ms % 1000;
    if (rest < 0)
        s--, rest += 1000;
    return (struct val){.t = V_TIMESTAMP, .n = (uint32_t)rest * 1000000U, .i = s};
}

int64_t val_ms(struct val timestamp)
{
    int64_t ms;
    if (__builtin_mul_overflow(timestamp.i, INT64_C(1000), &ms) ||
        __builtin_add_overflow(ms, (int64_t)(timestamp.n / 1000000U), &ms))
        return timestamp.i < 0 ? INT64_MIN : INT64_MAX;
    return ms;
}

static bool list_eq(const struct val *a, const struct val *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!val_eq(&a[i], &b[i]))
            return false;
    return true;
}

/* Pairs may stand in any order; keys are unique. */
static bool map_eq(const struct val *a, const struct val *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = i; /* most likely the same place */
        for (uint32_t tried = 0; tried < n && !val_eq(&a[2 * i], &b[2 * k]); tried++)
            k = k + 1 == n ? 0 : k + 1;
        if (!val_eq(&a[2 * i], &b[2 * k]) || !val_eq(&a[2 * i + 1], &b[2 * k + 1]))
            return false;
    }
    return true;
}

bool val_eq(const struct val *a, const struct val *b)
{
    if (a->t != b->t)
        return false;
    switch ((enum val_kind)a->t) {
    case V_ABSENT:
    case V_NULL:
        return true;
    case V_BOOL:
        return a->b == b->b;
    case V_INT:
    case V_MONEY:
    case V_DURATION:
        return a->i == b->i;
    case V_TIMESTAMP:
        return a->i == b->i && a->n == b->n;
    case V_DOUBLE:
        return a->d >= b->d && a->d <= b->d; /* NaN is not equal to itself */
    case V_STRING:
        return str_eq(val_get_str(*a), val_get_str(*b));
    case V_LIST:
    case V_RECORD:
        return a->n == b->n && list_eq(a->list, b->list, a->n);
    case V_MAP:
        return a->n == b->n && map_eq(a->list, b->list, a->n);
    }
    return false;
}

struct val val_dup(struct arena *a, struct val v)
{
    if (v.t == V_STRING) {
        v.s = arena_str(a, val_get_str(v)).p;
    } else if (v.t == V_LIST || v.t == V_RECORD || v.t == V_MAP) {
        uint32_t n = v.t == V_MAP ? 2 * v.n : v.n;
        struct val *to = ARENA_ARRAY(a, struct val, n ? n : 1);
        for (uint32_t i = 0; i < n; i++)
            to[i] = val_dup(a, v.list[i]);
        v.list = to;
    }
    return v;
}

/* ---- numbers as text ---- */

size_t model_double_text(double d, char out[32])
{
    if (isnan(d) || isinf(d))
        return (size_t)snprintf(out, 32, "%s", isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
    if (d > -1e15 && d < 1e15 && (double)(int64_t)d >= d && (double)(int64_t)d <= d && !signbit(d))
        return (size_t)snprintf(out, 32, "%lld", (long long)d);
    for (int digits = 15; digits <= 17; digits++) {
        int n = snprintf(out, 32, "%.*g", digits, d);
        double back = strtod(out, NULL);
        if (digits == 17 || memcmp(&back, &d, sizeof d) == 0)
            return (size_t)n;
    }
    return 0; /* not reached: 17 digits are always enough */
}

void model_add_double(struct buf *b, double d)
{
    char tmp[32];
    size_t n = model_double_text(d, tmp);
    buf_add(b, tmp, n);
}

/* Fen as yuan with two places. */
static void add_money(struct buf *b, int64_t fen)
{
    uint64_t u = fen < 0 ? 0 - (uint64_t)fen : (uint64_t)fen;
    buf_addf(b, "%s%llu.%02u", fen < 0 ? "-" : "", (unsigned long long)(u / 100),
             (unsigned)(u % 100));
}

/* Seconds with as many decimals as there are, as CEL writes a duration: "90s", "0.5s". */
static void add_duration(struct buf *b, int64_t ns)
{
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    char frac[16];
    size_t n = (size_t)snprintf(frac, sizeof frac, ".%09u", (unsigned)(u % 1000000000U));
    while (n > 1 && frac[n - 1] == '0')
        n--;
    buf_addf(b, "%s%llu", ns < 0 ? "-" : "", (unsigned long long)(u / 1000000000U));
    buf_add(b, frac, n > 1 ? n : 0);
    buf_addc(b, 's');
}

static void add_items(const struct val *v, struct buf *out)
{
    for (uint32_t i = 0; i < v->n; i++) {
        if (i)
            buf_addc(out, ',');
        if (v->t == V_MAP) {
            val_text(&v->list[2 * i], out);
            buf_addc(out, '=');
            val_text(&v->list[2 * i + 1], out);
        } else {
            val_text(&v->list[i], out);
        }
    }
}

void val_text(const struct val *v, struct buf *out)
{
    char tmp[48];
    switch ((enum val_kind)v->t) {
    case V_ABSENT:
        return;
    case V_NULL:
        buf_adds(out, "null");
        return;
    case V_BOOL:
        buf_adds(out, v->b ? "true" : "false");
        return;
    case V_INT:
        buf_addi64(out, v->i);
        return;
    case V_DOUBLE:
        model_add_double(out, v->d);
        return;
    case V_STRING:
        buf_addstr(out, val_get_str(*v));
        return;
    case V_MONEY:
        add_money(out, v->i);
        return;
    case V_TIMESTAMP:
        buf_add(out, tmp, time_format_ms(val_ms(*v), tmp));
        return;
    case V_DURATION:
        add_duration(out, v->i);
        return;
    case V_LIST:
    case V_MAP:
    case V_RECORD:
        add_items(v, out);
        return;
    }
}
