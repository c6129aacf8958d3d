/* SPDX-License-Identifier: Apache-2.0 */
/* lib: values at run time: comparing, searching, and times. What makes or reads text is in text.c. */
#include "expr_priv.h"

#include <math.h>
#include <stdlib.h>

/* ---- money ---- */

/* Fen / 100 correctly rounded beyond 2^53: divide with 20 more bits, keep a sticky one. */
double money_double_slow(int64_t fen)
{
    unsigned __int128 u = fen < 0 ? 0 - (uint64_t)fen : (uint64_t)fen;
    u <<= 20;
    unsigned __int128 q = u / 100;
    if (u % 100)
        q |= 1;
    double d = (double)q / 1048576.0;
    return fen < 0 ? -d : d;
}

/* Times 100 is exact in a 64-bit significand, so this rounds once, half away from zero. */
const char *lib_to_money(double d, struct val *out)
{
    if (!(d > -9e16 && d < 9e16))
        return "an amount that does not fit";
    long double fen = (long double)d * 100.0L;
    int64_t whole = (int64_t)fen;
    long double rest = fen - (long double)whole;
    *out = val_money(whole + (rest >= 0.5L) - (rest <= -0.5L));
    return NULL;
}

/* ---- equality and order ---- */

static double as_double(const struct val *v)
{
    return v->t == V_DOUBLE ? v->d : v->t == V_MONEY ? money_double(v->i) : (double)v->i;
}

static bool all_eq(const struct val *a, const struct val *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!value_eq(&a[i], &b[i]))
            return false;
    return true;
}

static bool map_eq(const struct val *a, const struct val *b)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const struct val *v = map_find(*b, &a->list[2 * i], false);
        if (!v || !value_eq(v, &a->list[2 * i + 1]))
            return false;
    }
    return true;
}

bool value_eq(const struct val *a, const struct val *b)
{
    if (a->t != b->t) {
        bool num_a = a->t == V_INT || a->t == V_DOUBLE || a->t == V_MONEY;
        bool num_b = b->t == V_INT || b->t == V_DOUBLE || b->t == V_MONEY;
        return num_a && num_b && as_double(a) == as_double(b);
    }
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
    case V_DOUBLE:
        return a->d == b->d;
    case V_STRING:
        return str_eq(val_get_str(*a), val_get_str(*b));
    case V_TIMESTAMP:
        return a->i == b->i && a->n == b->n;
    case V_LIST:
    case V_RECORD:
        return a->n == b->n && all_eq(a->list, b->list, a->n);
    case V_MAP:
        return a->n == b->n && map_eq(a, b);
    }
    return false;
}

int value_order(const struct val *a, const struct val *b)
{
    if (a->t != b->t)
        return (a->t > b->t) - (a->t < b->t);
    if (a->t == V_STRING)
        return str_cmp(val_get_str(*a), val_get_str(*b));
    if (a->t == V_DOUBLE)
        return (a->d > b->d) - (a->d < b->d);
    if (a->t == V_BOOL)
        return (a->b > b->b) - (a->b < b->b);
    if (a->t == V_TIMESTAMP && a->i == b->i)
        return (a->n > b->n) - (a->n < b->n);
    return (a->i > b->i) - (a->i < b->i);
}

static int order(const void *a, const void *b)
{
    return value_order(a, b);
}

void list_sort(struct val *list, uint32_t n, uint32_t step)
{
    if (n > 1)
        qsort(list, n, step * sizeof *list, order);
}

/* Ascending, scalars of one kind, no money (compared as a double) and no NaN. */
bool list_sorted(const struct val *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (list[i].t != list[0].t || list[i].t == V_MONEY || list[i].t >= V_LIST)
            return false;
        if (list[i].t == V_DOUBLE && isnan(list[i].d))
            return false;
        if (i && value_order(&list[i - 1], &list[i]) > 0)
            return false;
    }
    return true;
}

/* Where `v` stands among n items `step` apart, or n. */
static uint32_t search(const struct val *list, uint32_t n, uint32_t step, const struct val *v)
{
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        int d = value_order(&list[(size_t)mid * step], v);
        if (d == 0)
            return mid;
        if (d < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return n;
}

bool list_has_sorted(struct val list, const struct val *v)
{
    if (v->t == V_DOUBLE && isnan(v->d))
        return false;
    return search(list.list, list.n, 1, v) < list.n;
}

const struct val *map_find(struct val map, const struct val *key, bool sorted)
{
    if (sorted) {
        uint32_t i = search(map.list, map.n, 2, key);
        return i < map.n ? &map.list[(size_t)i * 2 + 1] : NULL;
    }
    for (uint32_t i = 0; i < map.n; i++)
        if (value_eq(&map.list[(size_t)i * 2], key))
            return &map.list[(size_t)i * 2 + 1];
    return NULL;
}

/* ---- scratch ---- */

void *scratch(struct expr_ctx *c, size_t n, size_t align)
{
    uintptr_t from = (uintptr_t)c->scratch + c->scratch_n;
    size_t pad = (size_t)(-from & (align - 1));
    if (n > EXPR_SCRATCH || pad + n > EXPR_SCRATCH - c->scratch_n)
        return NULL;
    c->scratch_n += (uint32_t)(pad + n);
    return (void *)(from + pad);
}

static const char too_long[] = "the result is too long";

const char *lib_append(struct expr_ctx *c, struct val a, struct val b, struct val *out)
{
    size_t n = (size_t)a.n + b.n;
    struct val *v = scratch(c, n * sizeof *v, sizeof *v);
    if (!v)
        return too_long;
    if (a.n)
        memcpy(v, a.list, a.n * sizeof *v);
    if (b.n)
        memcpy(v + a.n, b.list, b.n * sizeof *v);
    *out = (struct val){.t = V_LIST, .n = (uint32_t)n, .list = v};
    return NULL;
}

/* A left side that ends where the scratch ends grows in place: `a + b + c` copies once. */
const char *lib_concat(struct expr_ctx *c, struct val a, struct val b, struct val *out)
{
    bool last = a.n && a.s + a.n == c->scratch + c->scratch_n && a.s >= c->scratch;
    char *to = scratch(c, last ? b.n : (size_t)a.n + b.n, 1);
    if (!to)
        return too_long;
    const char *start = last ? a.s : to;
    if (!last && a.n)
        memcpy(to, a.s, a.n);
    if (b.n)
        memcpy(to + (last ? 0 : a.n), b.s, b.n);
    *out = val_str((struct str){start, (size_t)a.n + b.n});
    return NULL;
}

/* ---- times ---- */

#define SEC_LEAST INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define SEC_MOST INT64_C(253402300799)  /* 9999-12-31T23:59:59Z */
#define NS INT64_C(1000000000)

static const char out_of_time[] = "a time outside the years 1 to 9999";

bool time_in_range(struct val t)
{
    return t.i >= SEC_LEAST && t.i <= SEC_MOST;
}

const char *lib_time_add(struct val t, int64_t ns, struct val *out)
{
    int64_t s = ns / NS, n = (int64_t)t.n + ns % NS;
    if (n < 0)
        s--, n += NS;
    else if (n >= NS)
        s++, n -= NS;
    t.n = (uint32_t)n;
    t.i += s; /* both are far from the ends of int64 */
    *out = t;
    return time_in_range(t) ? NULL : out_of_time;
}

const char *lib_time_diff(struct val a, struct val b, int64_t *ns)
{
    if (__builtin_mul_overflow(a.i - b.i, NS, ns) ||
        __builtin_add_overflow(*ns, (int64_t)a.n - (int64_t)b.n, ns))
        return "a difference of more than 292 years";
    return NULL;
}

static int64_t floor_ms(struct val t)
{
    return t.i * 1000 + t.n / 1000000;
}

int64_t lib_time_field(enum time_field f, struct val t, const struct zone *z)
{
    struct civil c;
    if (f == TF_MILLIS)
        return t.n / 1000000;
    time_local(z, floor_ms(t), &c);
    switch (f) {
    case TF_DATE:
        return c.day;
    case TF_DAY_OF_MONTH:
        return c.day - 1;
    case TF_DAY_OF_WEEK: /* Sunday is 0 */
        return (time_weekday(time_days(c.year, c.mon, c.day)) + 1) % 7;
    case TF_DAY_OF_YEAR:
        return time_days(c.year, c.mon, c.day) - time_days(c.year, 1, 1);
    case TF_FULL_YEAR:
        return c.year;
    case TF_HOURS:
        return c.hour;
    case TF_MINUTES:
        return c.min;
    case TF_MONTH:
        return c.mon - 1;
    case TF_SECONDS:
        return c.sec;
    case TF_MILLIS:
        break;
    }
    return 0;
}

/* Hours, minutes and seconds are the whole length in that unit; milliseconds are those of its last
 * second, as the conformance tests have it. */
int64_t lib_duration_field(enum time_field f, int64_t ns)
{
    if (f == TF_HOURS)
        return ns / (3600 * NS);
    if (f == TF_MINUTES)
        return ns / (60 * NS);
    if (f == TF_SECONDS)
        return ns / NS;
    return ns % NS / 1000000;
}
