/* SPDX-License-Identifier: Apache-2.0 */
/* text: conversions from and to text.  Numbers and times have one form, whatever the locale is. */
#include "expr_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char too_long[] = "the result is too long";

static const char *give(struct expr_ctx *c, const char *p, size_t n, struct val *out)
{
    char *to = scratch(c, n, 1);
    if (!to)
        return too_long;
    memcpy(to, p, n);
    *out = val_str((struct str){to, n});
    return NULL;
}

/* ---- to text ---- */

/* Shortest form that reads back as the same number. */
static size_t double_text(double d, char out[40])
{
    if (isnan(d) || isinf(d))
        return (size_t)snprintf(out, 40, "%s", isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
    if (d > -1e15 && d < 1e15 && d == (double)(int64_t)d && !(d == 0 && signbit(d)))
        return (size_t)snprintf(out, 40, "%lld", (long long)d);
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(out, 40, "%.*g", digits, d);
        if (strtod(out, NULL) == d)
            break;
    }
    return (size_t)n;
}

/* `.5`, or nothing */
static size_t fraction_text(uint32_t nanos, char out[16])
{
    size_t n = (size_t)snprintf(out, 16, ".%09u", nanos);
    while (n > 0 && (out[n - 1] == '0' || out[n - 1] == '.'))
        n--;
    return n;
}

static size_t time_text(struct val t, char out[64])
{
    char frac[16];
    size_t n = time_format_ms(t.i * 1000, out) - 1, k = fraction_text(t.n, frac);
    memcpy(out + n, frac, k);
    out[n + k] = 'Z';
    return n + k + 1;
}

static size_t duration_text(int64_t ns, char out[64])
{
    char frac[16];
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    size_t k = fraction_text((uint32_t)(u % 1000000000U), frac);
    size_t n = (size_t)snprintf(out, 64, "%s%llu", ns < 0 ? "-" : "",
                                (unsigned long long)(u / 1000000000U));
    memcpy(out + n, frac, k);
    out[n + k] = 's';
    return n + k + 1;
}

const char *lib_to_string(struct expr_ctx *c, struct val v, struct val *out)
{
    char tmp[64];
    size_t n = 0;
    if (v.t == V_BOOL)
        n = (size_t)snprintf(tmp, sizeof tmp, "%s", v.b ? "true" : "false");
    else if (v.t == V_INT)
        n = (size_t)snprintf(tmp, sizeof tmp, "%lld", (long long)v.i);
    else if (v.t == V_DOUBLE)
        n = double_text(v.d, tmp);
    else if (v.t == V_TIMESTAMP)
        n = time_text(v, tmp);
    else if (v.t == V_DURATION)
        n = duration_text(v.i, tmp);
    return give(c, tmp, n, out);
}

const char *lib_yuan(struct expr_ctx *c, double d, struct val *out)
{
    struct val fen;
    char tmp[40];
    const char *msg = lib_to_money(d, &fen);
    if (msg)
        return msg;
    uint64_t u = fen.i < 0 ? 0 - (uint64_t)fen.i : (uint64_t)fen.i;
    int n = snprintf(tmp, sizeof tmp, "%s%llu.%02u", fen.i < 0 ? "-" : "",
                     (unsigned long long)(u / 100), (unsigned)(u % 100));
    return give(c, tmp, (size_t)n, out);
}

const char *lib_date(struct expr_ctx *c, struct val t, struct val *out)
{
    struct civil d;
    char tmp[40];
    if (!c->tz)
        return "there is no time zone";
    time_local(c->tz, t.i * 1000, &d);
    int n = snprintf(tmp, sizeof tmp, "%04d-%02d-%02d", d.year, d.mon, d.day);
    return give(c, tmp, (size_t)n, out);
}

/* ---- from text ---- */

static bool digit(struct str s, size_t i)
{
    return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

const char *lib_parse_int(struct str s, int64_t *out)
{
    if (s.n > 1 && s.p[0] == '+' && s.p[1] != '-')
        s = (struct str){s.p + 1, s.n - 1};
    return str_i64(s, out) == 0 ? NULL : "a text that is not an int";
}

static bool same_word(struct str s, const char *word)
{
    size_t n = strlen(word);
    if (s.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((s.p[i] | 0x20) != word[i])
            return false;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits], with at least one digit in front of the exponent. */
static bool double_shape(struct str s)
{
    size_t i = s.n && (s.p[0] == '+' || s.p[0] == '-'), digits = 0;
    for (; digit(s, i); i++)
        digits++;
    if (i < s.n && s.p[i] == '.')
        for (i++; digit(s, i); i++)
            digits++;
    if (digits == 0)
        return false;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        i += i < s.n && (s.p[i] == '+' || s.p[i] == '-');
        if (!digit(s, i))
            return false;
        while (digit(s, i))
            i++;
    }
    return i == s.n;
}

const char *lib_parse_double(struct str s, double *out)
{
    static const char bad[] = "a text that is not a double";
    char tmp[512];
    size_t sign = s.n && (s.p[0] == '+' || s.p[0] == '-');
    struct str word = {s.p + sign, s.n - sign};
    bool minus = sign && s.p[0] == '-';
    if (same_word(word, "nan")) {
        *out = (double)NAN;
        return sign ? bad : NULL;
    }
    if (same_word(word, "inf") || same_word(word, "infinity")) {
        *out = minus ? -HUGE_VAL : HUGE_VAL;
        return NULL;
    }
    if (s.n >= sizeof tmp || !double_shape(s))
        return bad;
    memcpy(tmp, s.p, s.n);
    tmp[s.n] = '\0';
    *out = strtod(tmp, NULL);
    return isinf(*out) ? "a number that does not fit" : NULL;
}

const char *lib_parse_bool(struct str s, bool *out)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < BASE_LEN(yes); i++)
        if (str_eqc(s, yes[i]) || str_eqc(s, no[i])) {
            *out = str_eqc(s, yes[i]);
            return NULL;
        }
    return "a text that is not a bool";
}

/* RFC 3339 to the letter: the `T`, the seconds and the zone must be there. */
const char *lib_parse_time(struct str s, struct val *out)
{
    int64_t sec;
    int32_t nanos;
    bool shape =
        s.n >= 20 && (s.p[10] == 'T' || s.p[10] == 't') && s.p[16] == ':' && !memchr(s.p, ',', s.n);
    if (!shape || time_parse(s, NULL, &sec, &nanos) != 0)
        return "a text that is not a time like 2026-03-02T10:00:00+08:00";
    *out = (struct val){.t = V_TIMESTAMP, .n = (uint32_t)nanos, .i = sec};
    return time_in_range(*out) ? NULL : "a time outside the years 1 to 9999";
}

struct unit {
    const char *name;
    int64_t ns;
};
static const struct unit units[] = {
    {"ns", 1},
    {"us", 1000},
    {"µs", 1000},
    {"μs", 1000},
    {"ms", 1000000},
    {"s", INT64_C(1000000000)},
    {"m", INT64_C(60000000000)},
    {"h", INT64_C(3600000000000)},
};

/* The longest unit at s[*i]. */
static int64_t unit_at(struct str s, size_t *i)
{
    struct str rest = {s.p + *i, s.n - *i};
    const struct unit *best = NULL;
    for (size_t k = 0; k < BASE_LEN(units); k++)
        if (str_starts(rest, units[k].name) &&
            (!best || strlen(units[k].name) > strlen(best->name)))
            best = &units[k];
    if (!best)
        return 0;
    *i += strlen(best->name);
    return best->ns;
}

/* One number with its unit; digits behind the point beyond a nanosecond are cut off. */
static const char *duration_part(struct str s, size_t *i, unsigned __int128 *total)
{
    static const char bad[] = "a text that is not a duration like 90m or 1h30m";
    unsigned __int128 whole = 0, frac = 0, scale = 1;
    size_t from = *i;
    for (; digit(s, *i); ++*i) {
        whole = whole * 10 + (unsigned)(s.p[*i] - '0');
        if (whole > UINT64_MAX)
            return "a duration that does not fit";
    }
    size_t digits = *i - from;
    if (*i < s.n && s.p[*i] == '.')
        for (++*i; digit(s, *i); ++*i, digits++)
            if (scale < 1000000000000000U) {
                frac = frac * 10 + (unsigned)(s.p[*i] - '0');
                scale *= 10;
            }
    int64_t ns = digits ? unit_at(s, i) : 0;
    if (!ns)
        return bad;
    *total += whole * (uint64_t)ns + frac * (uint64_t)ns / scale;
    return *total > (unsigned __int128)INT64_MAX + 1 ? "a duration that does not fit" : NULL;
}

const char *lib_parse_duration(struct str s, int64_t *ns)
{
    unsigned __int128 total = 0;
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
    bool minus = i && s.p[0] == '-';
    if (s.n == i + 1 && s.p[i] == '0') {
        *ns = 0;
        return NULL;
    }
    do {
        const char *msg = duration_part(s, &i, &total);
        if (msg)
            return msg;
    } while (i < s.n);
    if (!minus && total > INT64_MAX)
        return "a duration that does not fit";
    *ns = minus ? (int64_t)(0 - (uint64_t)total) : (int64_t)total;
    return NULL;
}

const char *lib_double_int(double d, int64_t *out)
{
    if (!(d > -9223372036854775808.0 && d < 9223372036854775808.0))
        return "a number that does not fit";
    *out = (int64_t)d;
    return NULL;
}

/* ---- what a tag takes ---- */

const char *value_check(const struct type *t, struct val v)
{
    int32_t y, m, d;
    struct lunar lunar;
    struct str s = val_get_str(v);
    if (t->kind == TYPE_DATE)
        return time_date(s, &y, &m, &d) == 0 ? NULL : "a text that is not a date like 2026-03-02";
    if (t->kind == TYPE_LUNAR_DATE)
        return lunar_date(s, &lunar) == 0 ? NULL
                                          : "a text that is not a lunar date like 2026-03-02";
    for (uint32_t i = 0; i < t->n_one_of; i++)
        if (str_eq(t->one_of[i], s))
            return NULL;
    return t->n_one_of ? "a text that the tag does not allow" : NULL;
}
