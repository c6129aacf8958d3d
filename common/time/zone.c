/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone: a time zone as a table of transitions.  zone_load reads a TZif file (RFC 8536) once, at
 * `rouse apply`, expands its closing POSIX rule to the year 2200, and the table travels in the bundle;
 * from then on local time is arithmetic, the same on every machine whatever its tzdata says.
 */
#include "time.h"

#include <stdio.h>
#include <stdlib.h>

#define ZONE_LAST_YEAR 2200
#define ZONE_MAX 4096

struct turn {
    int64_t at_s;  /* from this instant on … */
    int32_t off_s; /* … local = UTC + off_s */
};
struct zone {
    struct str name;
    int32_t first_off_s;
    const struct turn *turns;
    uint32_t n;
};

static const struct zone utc = {{"UTC", 3}, 0, NULL, 0};

const struct zone *zone_utc(void)
{
    return &utc;
}

struct str zone_name(const struct zone *z)
{
    return z->name;
}

int32_t zone_offset_s(const struct zone *z, int64_t unix_s)
{
    uint32_t lo = 0, hi = z->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (z->turns[mid].at_s <= unix_s)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo ? z->turns[lo - 1].off_s : z->first_off_s;
}

/* ---- local time ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t local_s(const struct zone *z, int64_t ms)
{
    int64_t s = floor_div(ms, 1000);
    return s + zone_offset_s(z, s);
}

void time_local(const struct zone *z, int64_t ms, struct civil *out)
{
    int64_t s = local_s(z, ms), days = floor_div(s, 86400), rest = s - days * 86400;
    time_civil(days, out);
    out->hour = (int32_t)(rest / 3600);
    out->min = (int32_t)(rest / 60 % 60);
    out->sec = (int32_t)(rest % 60);
}

int64_t time_local_day(const struct zone *z, int64_t ms)
{
    return floor_div(local_s(z, ms), 86400);
}

int32_t time_local_minute(const struct zone *z, int64_t ms)
{
    int64_t s = local_s(z, ms);
    return (int32_t)((s - floor_div(s, 86400) * 86400) / 60);
}

/* Candidates are the wall clock under the offset before and after a nearby turn.  The first instant
 * that shows the wall clock wins; if none does the clock was skipped and the turn itself is it. */
int64_t time_at(const struct zone *z, int64_t day, int32_t minute)
{
    int64_t wall = day * 86400 + (int64_t)minute * 60;
    int32_t before = zone_offset_s(z, wall - 86400), after = zone_offset_s(z, wall + 86400);
    int64_t a = wall - before, b = wall - after;
    int64_t first = a < b ? a : b, second = a < b ? b : a;
    if (first + zone_offset_s(z, first) == wall)
        return first * 1000;
    if (second + zone_offset_s(z, second) == wall)
        return second * 1000;
    for (uint32_t i = 0; i < z->n; i++)
        if (z->turns[i].at_s > wall - 2 * 86400 && z->turns[i].at_s + z->turns[i].off_s > wall)
            return z->turns[i].at_s * 1000;
    return second * 1000;
}

int64_t time_day_start(const struct zone *z, int64_t day)
{
    return time_at(z, day, 0);
}

/* ---- the POSIX rule at the end of a TZif file: "EST5EDT,M3.2.0,M11.1.0" ---- */

struct day_rule {
    int mon, week, weekday; /* M form only: what tzdata uses */
    int32_t at_s;
};
struct posix_rule {
    int32_t std_s, dst_s;
    bool dst;
    struct day_rule start, end;
};

static bool rule_name(const char **p)
{
    const char *s = *p;
    if (*s == '<') {
        s = strchr(s, '>');
        if (!s)
            return false;
        s++;
    } else {
        while ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z'))
            s++;
    }
    bool ok = s != *p;
    *p = s;
    return ok;
}

static bool rule_number(const char **p, int32_t *out)
{
    const char *s = *p;
    int32_t v = 0;
    while (*s >= '0' && *s <= '9' && v < 100000)
        v = v * 10 + (*s++ - '0');
    bool ok = s != *p;
    *p = s;
    *out = v;
    return ok;
}

/* [+-]hh[:mm[:ss]] in seconds */
static bool rule_time(const char **p, int32_t *out)
{
    int32_t sign = 1, part, total = 0, unit = 3600;
    if (**p == '-' || **p == '+')
        sign = *(*p)++ == '-' ? -1 : 1;
    for (;; unit /= 60) {
        if (!rule_number(p, &part))
            return false;
        total += part * unit;
        if (**p != ':' || unit == 1)
            break;
        (*p)++;
    }
    *out = sign * total;
    return true;
}

static bool rule_day(const char **p, struct day_rule *d)
{
    int32_t m, w, wd;
    if (*(*p)++ != ',' || *(*p)++ != 'M' || !rule_number(p, &m) || *(*p)++ != '.' ||
        !rule_number(p, &w) || *(*p)++ != '.' || !rule_number(p, &wd))
        return false;
    *d = (struct day_rule){m, w, wd, 7200};
    if (**p == '/') {
        (*p)++;
        return rule_time(p, &d->at_s);
    }
    return m >= 1 && m <= 12 && w >= 1 && w <= 5 && wd <= 6;
}

static bool posix_parse(const char *p, struct posix_rule *r)
{
    int32_t off;
    memset(r, 0, sizeof *r);
    if (!rule_name(&p) || !rule_time(&p, &off))
        return false;
    r->std_s = -off; /* POSIX counts west */
    if (*p == '\0')
        return true;
    r->dst = true;
    r->dst_s = r->std_s + 3600;
    if (!rule_name(&p))
        return false;
    if (*p != ',') {
        if (!rule_time(&p, &off))
            return false;
        r->dst_s = -off;
    }
    return rule_day(&p, &r->start) && rule_day(&p, &r->end) && *p == '\0';
}

/* The wall clock of a day rule in `year`, in seconds as if it were UTC. */
static int64_t rule_wall(const struct day_rule *d, int32_t year)
{
    int64_t first = time_days(year, d->mon, 1);
    int sunday0 = (time_weekday(first) + 1) % 7;
    int day = 1 + (d->weekday - sunday0 + 7) % 7 + (d->week - 1) * 7;
    while (day > time_mdays(year, d->mon))
        day -= 7;
    return (first + day - 1) * 86400 + d->at_s;
}

/* ---- TZif ---- */

struct table {
    struct turn v[ZONE_MAX];
    uint32_t n;
    int32_t first_off_s;
};

static int64_t be(const unsigned char *p, int n)
{
    uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < n; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

static int table_add(struct table *t, int64_t at_s, int32_t off_s)
{
    int32_t now = t->n ? t->v[t->n - 1].off_s : t->first_off_s;
    if (off_s == now)
        return 0;
    if (t->n == ZONE_MAX)
        return -1;
    t->v[t->n++] = (struct turn){at_s, off_s};
    return 0;
}

static int expand(struct table *t, const struct posix_rule *r)
{
    int64_t last = t->n ? t->v[t->n - 1].at_s : INT64_MIN;
    struct civil c = {.year = 1970};
    if (t->n)
        time_civil(floor_div(last, 86400), &c);
    if (!r->dst)
        return 0;
    for (int32_t y = c.year; y <= ZONE_LAST_YEAR; y++) {
        struct turn a = {rule_wall(&r->start, y) - r->std_s, r->dst_s};
        struct turn b = {rule_wall(&r->end, y) - r->dst_s, r->std_s};
        struct turn first = a.at_s < b.at_s ? a : b, second = a.at_s < b.at_s ? b : a;
        if (first.at_s > last && table_add(t, first.at_s, first.off_s) != 0)
            return -1;
        if (second.at_s > last && table_add(t, second.at_s, second.off_s) != 0)
            return -1;
    }
    return 0;
}

struct counts {
    uint32_t isut, isstd, leap, time, type, chars;
};

static int header(const unsigned char *p, size_t n, struct counts *c)
{
    if (n < 44 || memcmp(p, "TZif", 4) != 0)
        return -1;
    uint32_t *to[] = {&c->isut, &c->isstd, &c->leap, &c->time, &c->type, &c->chars};
    for (size_t i = 0; i < BASE_LEN(to); i++) {
        int64_t v = be(p + 20 + 4 * i, 4);
        if (v < 0 || v > 100000)
            return -1;
        *to[i] = (uint32_t)v;
    }
    return c->type > 0 ? 0 : -1;
}

static size_t block_size(const struct counts *c, size_t time_size)
{
    return c->time * time_size + c->time + (size_t)c->type * 6 + c->chars +
           c->leap * (time_size + 4) + c->isstd + c->isut;
}

/* The 64-bit block of a version 2+ file and its closing rule. */
static int tzif(const unsigned char *p, size_t n, struct table *t)
{
    struct counts c;
    struct posix_rule rule;
    char text[128];
    if (header(p, n, &c) != 0 || p[4] < '2')
        return -1;
    size_t skip = 44 + block_size(&c, 4);
    if (skip > n || header(p + skip, n - skip, &c) != 0)
        return -1;
    const unsigned char *q = p + skip + 44;
    size_t size = block_size(&c, 8), left = n - skip - 44;
    if (size + 2 > left)
        return -1;
    const unsigned char *types = q + (size_t)c.time * 9;
    t->first_off_s = (int32_t)be(types, 4);
    for (uint32_t i = 0; i < c.time; i++) {
        unsigned type = q[(size_t)c.time * 8 + i];
        if (type >= c.type ||
            table_add(t, be(q + (size_t)i * 8, 8), (int32_t)be(types + (size_t)type * 6, 4)) != 0)
            return -1;
    }
    size_t len = left - size - 2; /* between two line feeds */
    if (len == 0 || len >= sizeof text)
        return 0;
    memcpy(text, q + size + 1, len);
    text[len] = '\0';
    return posix_parse(text, &rule) ? expand(t, &rule) : -1;
}

static const struct zone *zone_make(struct arena *a, struct str name, const struct table *t)
{
    struct zone *z = ARENA_NEW(a, struct zone);
    struct turn *turns = arena_alloc(a, t->n * sizeof *turns);
    if (t->n)
        memcpy(turns, t->v, t->n * sizeof *turns);
    z->name = arena_str(a, name);
    z->first_off_s = t->first_off_s;
    z->turns = turns;
    z->n = t->n;
    return z;
}

static bool name_ok(struct str name)
{
    if (name.n == 0 || name.n > 64 || name.p[0] == '/' || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '/' || c == '_' || c == '-' || c == '+';
        if (!ok)
            return false;
    }
    return true;
}

const struct zone *zone_load(struct arena *a, const char *dir, struct str name, struct err *err)
{
    char path[512];
    unsigned char *bytes;
    const struct zone *z = NULL;
    if (str_eqc(name, "UTC"))
        return &utc;
    if (!name_ok(name)) {
        err_set(err, ERR_INPUT, "not a time zone name: `" STR_FMT "`", STR_ARG(name));
        return NULL;
    }
    (void)snprintf(path, sizeof path, "%s/" STR_FMT, dir ? dir : "/usr/share/zoneinfo",
                   STR_ARG(name));
    FILE *f = fopen(path, "re");
    if (!f) {
        err_set(err, ERR_INPUT, "unknown time zone `" STR_FMT "`", STR_ARG(name));
        return NULL;
    }
    const size_t most = 1 << 17;
    bytes = xmalloc(most);
    struct table *t = xcalloc(1, sizeof *t);
    size_t n = fread(bytes, 1, most, f);
    (void)fclose(f);
    if (tzif(bytes, n, t) == 0)
        z = zone_make(a, name, t);
    else
        err_set(err, ERR_INPUT, "cannot read the time zone file of `" STR_FMT "`", STR_ARG(name));
    free(t);
    free(bytes);
    return z;
}

/* ---- the form in a bundle ---- */

void zone_write(const struct zone *z, struct buf *out)
{
    buf_addf(out, STR_FMT ";%d", STR_ARG(z->name), z->first_off_s);
    for (uint32_t i = 0; i < z->n; i++)
        buf_addf(out, ";%lld:%d", (long long)z->turns[i].at_s, z->turns[i].off_s);
}

static bool cut(struct str *rest, char at, struct str *piece)
{
    if (rest->n == 0)
        return false;
    const char *p = memchr(rest->p, at, rest->n);
    size_t n = p ? (size_t)(p - rest->p) : rest->n;
    *piece = (struct str){rest->p, n};
    rest->p += n + (p ? 1 : 0);
    rest->n -= n + (p ? 1 : 0);
    return true;
}

static int read_turn(struct str piece, struct table *t)
{
    struct str at;
    int64_t at_s, off_s;
    if (!cut(&piece, ':', &at) || str_i64(at, &at_s) != 0 || str_i64(piece, &off_s) != 0 ||
        off_s < -86400 || off_s > 86400 || (t->n && at_s <= t->v[t->n - 1].at_s))
        return -1;
    return table_add(t, at_s, (int32_t)off_s);
}

const struct zone *zone_read(struct arena *a, struct str text, struct err *err)
{
    struct str rest = text, name, piece;
    int64_t first;
    const struct zone *z = NULL;
    struct table *t = xcalloc(1, sizeof *t);
    bool ok = cut(&rest, ';', &name) && name_ok(name) && cut(&rest, ';', &piece) &&
              str_i64(piece, &first) == 0 && first >= -86400 && first <= 86400;
    if (ok)
        t->first_off_s = (int32_t)first;
    while (ok && cut(&rest, ';', &piece))
        ok = read_turn(piece, t) == 0;
    if (ok)
        z = zone_make(a, name, t);
    else
        err_set(err, ERR_INPUT, "bad time zone table");
    free(t);
    return z;
}

const struct zone *zone_fixed(struct arena *a, struct str text)
{
    int32_t minutes;
    struct str clock = text;
    bool minus = text.n > 0 && text.p[0] == '-';
    if (text.n > 0 && (text.p[0] == '-' || text.p[0] == '+')) {
        clock.p++;
        clock.n--;
    }
    if (time_clock(clock, &minutes) != 0)
        return NULL;
    struct zone *z = ARENA_NEW(a, struct zone);
    z->name = arena_str(a, text);
    z->first_off_s = minutes * 60 * (minus ? -1 : 1);
    return z;
}
