/* SPDX-License-Identifier: Apache-2.0 */
/* text: lengths, clocks, dates and RFC 3339 as people and protocols write them. */
#include "time.h"

#include <stdio.h>

/* ---- the calendar (proleptic Gregorian; days counted from 1970-01-01) ---- */

#define ERA_DAYS 146097 /* days in 400 years */

int64_t time_days(int32_t year, int32_t mon, int32_t day)
{
    int64_t y = mon <= 2 ? (int64_t)year - 1 : year; /* years begin in March: leap day is last */
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (mon + (mon > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * ERA_DAYS + doe - 719468;
}

void time_civil(int64_t days, struct civil *out)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t doe = z - era * ERA_DAYS;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    memset(out, 0, sizeof *out);
    out->day = (int32_t)(doy - (153 * mp + 2) / 5 + 1);
    out->mon = (int32_t)(mp < 10 ? mp + 3 : mp - 9);
    out->year = (int32_t)(yoe + era * 400 + (out->mon <= 2));
}

int time_mdays(int32_t year, int32_t mon)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return mon == 2 && leap ? 29 : days[mon - 1];
}

int time_weekday(int64_t days)
{
    int64_t w = (days + 3) % 7; /* 1970-01-01 was a Thursday */
    return (int)(w < 0 ? w + 7 : w);
}

/* ---- lengths and clocks ---- */

int time_len(struct str s, int64_t *ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'d', TIME_DAY}, {'h', TIME_HOUR}, {'m', TIME_MIN}, {'s', TIME_SEC}};
    int64_t total = 0;
    size_t i = 0, u = 0;
    if (s.n == 0)
        return -1;
    while (i < s.n) {
        int64_t v = 0, part;
        size_t from = i;
        for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            if (__builtin_mul_overflow(v, INT64_C(10), &v) ||
                __builtin_add_overflow(v, (int64_t)(s.p[i] - '0'), &v))
                return -1;
        if (i == from || i == s.n)
            return -1;
        while (u < BASE_LEN(units) && units[u].unit != s.p[i]) /* each unit once, largest first */
            u++;
        if (u == BASE_LEN(units) || __builtin_mul_overflow(v, units[u].ms, &part) ||
            __builtin_add_overflow(total, part, &total))
            return -1;
        u++;
        i++;
    }
    if (total <= 0)
        return -1;
    *ms = total;
    return 0;
}

/* Exactly `digits` decimal digits at s[*i]. */
static int digits(struct str s, size_t *i, int n, int32_t *out)
{
    int32_t v = 0;
    if (s.n - *i < (size_t)n || *i > s.n)
        return -1;
    for (int k = 0; k < n; k++) {
        char c = s.p[*i + (size_t)k];
        if (c < '0' || c > '9')
            return -1;
        v = v * 10 + (c - '0');
    }
    *i += (size_t)n;
    *out = v;
    return 0;
}

static int one_char(struct str s, size_t *i, char c)
{
    if (*i >= s.n || s.p[*i] != c)
        return -1;
    ++*i;
    return 0;
}

int time_clock(struct str s, int32_t *minutes)
{
    int32_t h, m;
    size_t i = 0;
    if (digits(s, &i, 2, &h) != 0 || one_char(s, &i, ':') != 0 || digits(s, &i, 2, &m) != 0 ||
        i != s.n || h > 23 || m > 59)
        return -1;
    *minutes = h * 60 + m;
    return 0;
}

static int date_at(struct str s, size_t *i, int32_t *y, int32_t *m, int32_t *d)
{
    if (digits(s, i, 4, y) != 0 || one_char(s, i, '-') != 0 || digits(s, i, 2, m) != 0 ||
        one_char(s, i, '-') != 0 || digits(s, i, 2, d) != 0)
        return -1;
    if (*y < 1 || *m < 1 || *m > 12 || *d < 1 || *d > time_mdays(*y, *m))
        return -1;
    return 0;
}

int time_date(struct str s, int32_t *y, int32_t *m, int32_t *d)
{
    size_t i = 0;
    return date_at(s, &i, y, m, d) == 0 && i == s.n ? 0 : -1;
}

/* ---- RFC 3339 ---- */

static int fraction(struct str s, size_t *i, int32_t *nanos)
{
    int32_t v = 0, n = 0;
    *nanos = 0;
    if (*i >= s.n || (s.p[*i] != '.' && s.p[*i] != ','))
        return 0;
    for (++*i; *i < s.n && s.p[*i] >= '0' && s.p[*i] <= '9'; ++*i, n++) {
        if (n == 9)
            return -1;
        v = v * 10 + (s.p[*i] - '0');
    }
    if (n == 0)
        return -1;
    for (; n < 9; n++)
        v *= 10;
    *nanos = v;
    return 0;
}

/* "Z", "+08:00"; 1 = read, 0 = nothing there, -1 = nonsense. */
static int designator(struct str s, size_t *i, int32_t *off_s)
{
    int32_t h, m;
    *off_s = 0;
    if (*i == s.n)
        return 0;
    char c = s.p[(*i)++];
    if (c == 'Z' || c == 'z')
        return *i == s.n ? 1 : -1;
    if (c != '+' && c != '-')
        return -1;
    if (digits(s, i, 2, &h) != 0 || one_char(s, i, ':') != 0 || digits(s, i, 2, &m) != 0 ||
        *i != s.n || h > 23 || m > 59)
        return -1;
    *off_s = (h * 3600 + m * 60) * (c == '-' ? -1 : 1);
    return 1;
}

int time_parse(struct str s, const struct zone *z, int64_t *unix_s, int32_t *nanos)
{
    int32_t y, mo, d, h, mi, sec = 0, off, frac = 0;
    size_t i = 0;
    if (date_at(s, &i, &y, &mo, &d) != 0 || i >= s.n ||
        (s.p[i] != 'T' && s.p[i] != 't' && s.p[i] != ' '))
        return -1;
    i++;
    if (digits(s, &i, 2, &h) != 0 || one_char(s, &i, ':') != 0 || digits(s, &i, 2, &mi) != 0)
        return -1;
    if (i < s.n && s.p[i] == ':') {
        i++;
        if (digits(s, &i, 2, &sec) != 0 || fraction(s, &i, &frac) != 0)
            return -1;
    }
    if (h > 23 || mi > 59 || sec > 59)
        return -1;
    int have = designator(s, &i, &off);
    if (have < 0 || (have == 0 && !z))
        return -1;
    int64_t days = time_days(y, mo, d);
    if (have)
        *unix_s = days * 86400 + h * 3600 + mi * 60 + sec - off;
    else
        *unix_s = time_at(z, days, h * 60 + mi) / 1000 + sec;
    *nanos = frac;
    return 0;
}

int time_parse_ms(struct str s, const struct zone *z, int64_t *ms)
{
    int64_t sec;
    int32_t nanos;
    if (time_parse(s, z, &sec, &nanos) != 0)
        return -1;
    *ms = sec * 1000 + nanos / 1000000;
    return 0;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

size_t time_format_ms(int64_t ms, char *out)
{
    int64_t days = floor_div(ms, TIME_DAY), rest = ms - days * TIME_DAY;
    struct civil c;
    time_civil(days, &c);
    int n =
        snprintf(out, 40, "%04d-%02d-%02dT%02d:%02d:%02d", c.year, c.mon, c.day,
                 (int)(rest / TIME_HOUR), (int)(rest / TIME_MIN % 60), (int)(rest / TIME_SEC % 60));
    if (rest % 1000)
        n += snprintf(out + n, 40 - (size_t)n, ".%03d", (int)(rest % 1000));
    n += snprintf(out + n, 40 - (size_t)n, "Z");
    return (size_t)n;
}

size_t time_format_local(const struct zone *z, int64_t ms, char *out)
{
    struct civil c;
    time_local(z, ms, &c);
    int n = snprintf(out, 40, "%04d-%02d-%02d %02d:%02d", c.year, c.mon, c.day, c.hour, c.min);
    if (c.sec)
        n += snprintf(out + n, 40 - (size_t)n, ":%02d", c.sec);
    return (size_t)n;
}
