/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers and values as bytes (README.md, "Tags").  Numbers are LEB128 varints, signed ones zigzag; the
 * type comes from the definition and is not written.  Writers need room first (val_bound), readers
 * never pass the end: they set r->bad and give zeros.
 */
#include "tags_priv.h"

#include <math.h>

/* ---- varints ---- */

uint64_t tags_get_u_long(struct rd *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->p >= r->end)
            break;
        uint8_t c = *r->p++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return v;
    }
    r->bad = true;
    r->p = r->end;
    return 0;
}

uint64_t rd_u64(struct rd *r)
{
    return get_u(r);
}

int64_t rd_i64(struct rd *r)
{
    return unzz(get_u(r));
}

struct str rd_str(struct rd *r)
{
    return get_s(r);
}

static uint64_t get_8(struct rd *r)
{
    uint64_t v = 0;
    if (r->end - r->p < 8) {
        r->bad = true;
        r->p = r->end;
        return 0;
    }
    for (unsigned i = 0; i < 8; i++)
        v |= (uint64_t)r->p[i] << (8 * i);
    r->p += 8;
    return v;
}

static uint8_t *put_8(uint8_t *p, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        *p++ = (uint8_t)(v >> (8 * i));
    return p;
}

double rd_f64(struct rd *r)
{
    uint64_t v = get_8(r);
    double d;
    memcpy(&d, &v, sizeof d);
    return d;
}

void wr_u64(struct buf *b, uint64_t v)
{
    uint8_t *p = (uint8_t *)buf_room(b, 10);
    if (p)
        b->n += (size_t)(put_u(p, v) - p);
}

void wr_i64(struct buf *b, int64_t v)
{
    wr_u64(b, zz(v));
}

void wr_str(struct buf *b, struct str s)
{
    wr_u64(b, s.n);
    buf_addstr(b, s);
}

void wr_f64(struct buf *b, double d)
{
    uint64_t v;
    uint8_t *p = (uint8_t *)buf_room(b, 8);
    memcpy(&v, &d, sizeof v);
    if (p)
        b->n += (size_t)(put_8(p, v) - p);
}

/* ---- pieces ---- */

uint8_t *tags_put_str(uint8_t *p, struct str s)
{
    p = put_u(p, s.n);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p + s.n;
}

/* A time relative to another: whole seconds apart (even) or milliseconds (odd). */
uint8_t *tags_put_time(uint8_t *p, int64_t ms, int64_t base)
{
    int64_t d = (int64_t)((uint64_t)ms - (uint64_t)base);
    if (d % 1000 == 0)
        return put_u(p, zz(d / 1000) << 1);
    return put_u(p, zz(d) << 1 | 1);
}

int64_t tags_get_time(struct rd *r, int64_t base)
{
    uint64_t v = get_u(r);
    uint64_t d = (uint64_t)unzz(v >> 1);
    return (int64_t)((uint64_t)base + (v & 1 ? d : d * 1000));
}

/* Whole numbers are short; everything else, -0.0 included, is its eight bytes. */
static uint8_t *put_double(uint8_t *p, double d)
{
    if (d >= -4503599627370496.0 && d <= 4503599627370496.0 && !(signbit(d) && d >= 0) &&
        (double)(int64_t)d >= d && (double)(int64_t)d <= d)
        return put_u(p, zz((int64_t)d) << 1);
    uint64_t v;
    memcpy(&v, &d, sizeof v);
    *p++ = 1;
    return put_8(p, v);
}

static double get_double(struct rd *r)
{
    uint64_t v = get_u(r);
    return v & 1 ? rd_f64(r) : (double)unzz(v >> 1);
}

static uint8_t *put_stamp(uint8_t *p, const struct val *v, int64_t base_ms)
{
    struct val base = val_time_ms(base_ms);
    uint64_t d = zz((int64_t)((uint64_t)v->i - (uint64_t)base.i));
    if (v->n == base.n)
        return put_u(p, d << 1);
    return put_u(put_u(p, d << 1 | 1), v->n);
}

static struct val get_stamp(struct rd *r, int64_t base_ms)
{
    struct val v = val_time_ms(base_ms);
    uint64_t d = get_u(r);
    v.i = (int64_t)((uint64_t)v.i + (uint64_t)unzz(d >> 1));
    if (d & 1)
        v.n = (uint32_t)get_u(r);
    if (v.n > 999999999)
        r->bad = true;
    return v;
}

static void date_text(int64_t days, char out[10])
{
    struct civil c;
    time_civil(days, &c);
    int part[] = {c.year / 100, c.year % 100, c.mon, c.day};
    char *p = out;
    for (size_t i = 0; i < BASE_LEN(part); i++) {
        if (i > 1)
            *p++ = '-';
        *p++ = (char)('0' + part[i] / 10);
        *p++ = (char)('0' + part[i] % 10);
    }
}

/* A date that reads back the same is its day number; anything else its text. */
static uint8_t *put_date(uint8_t *p, struct str s)
{
    int32_t y, m, d;
    char text[10];
    if (s.n == sizeof text && time_date(s, &y, &m, &d) == 0 && y > 0) {
        int64_t days = time_days(y, m, d);
        date_text(days, text);
        if (memcmp(text, s.p, sizeof text) == 0)
            return put_u(p, zz(days) + 1);
    }
    return tags_put_str(put_u(p, 0), s);
}

static struct str get_date(struct tagset *t, struct rd *r)
{
    uint64_t v = get_u(r);
    if (v == 0)
        return get_s(r);
    int64_t days = unzz(v - 1);
    if (days < -719162 || days > 2932896) { /* years 1 .. 9999 */
        r->bad = true;
        return (struct str){"", 0};
    }
    char *p = arena_alloc(t->strs, 10);
    date_text(days, p);
    return (struct str){p, 10};
}

/* ---- values ---- */

size_t tags_val_bound(const struct val *v)
{
    size_t n = 16;
    if (v->t == V_STRING)
        return n + v->n;
    if (v->t == V_LIST)
        for (uint32_t i = 0; i < v->n; i++)
            n += tags_val_bound(&v->list[i]);
    return n;
}

static uint8_t *put_text(uint8_t *p, const struct val *v, const struct type *type)
{
    if (type->kind == TYPE_DATE)
        return put_date(p, val_get_str(*v));
    return tags_put_str(p, val_get_str(*v));
}

uint8_t *tags_put_val(uint8_t *p, const struct val *v, const struct type *type, int64_t base_ms)
{
    switch ((enum val_kind)v->t) {
    case V_BOOL:
        *p++ = v->b;
        return p;
    case V_INT:
    case V_MONEY:
    case V_DURATION:
        return put_u(p, zz(v->i));
    case V_DOUBLE:
        return put_double(p, v->d);
    case V_STRING:
        return put_text(p, v, type);
    case V_TIMESTAMP:
        return put_stamp(p, v, base_ms);
    case V_LIST:
        p = put_u(p, v->n);
        for (uint32_t i = 0; i < v->n; i++)
            p = tags_put_val(p, &v->list[i], type->elem, base_ms);
        return p;
    case V_ABSENT:
    case V_NULL:
    case V_MAP:
    case V_RECORD:
        break;
    }
    return p;
}

static struct val get_list(struct tagset *t, struct rd *r, const struct type *type, int64_t base)
{
    uint64_t n = get_u(r);
    if (n > (uint64_t)(r->end - r->p)) {
        r->bad = true;
        n = 0;
    }
    struct val *list = arena_alloc(t->strs, (size_t)(n ? n : 1) * sizeof *list);
    for (uint64_t i = 0; i < n; i++)
        list[i] = tags_get_val(t, r, type->elem, base);
    return (struct val){.t = V_LIST, .n = (uint32_t)n, .list = list};
}

struct val tags_get_val(struct tagset *t, struct rd *r, const struct type *type, int64_t base_ms)
{
    switch (type->kind) {
    case TYPE_BOOL:
        return val_bool(get_u(r) != 0);
    case TYPE_INT:
        return val_int(unzz(get_u(r)));
    case TYPE_MONEY:
        return val_money(unzz(get_u(r)));
    case TYPE_DURATION:
        return (struct val){.t = V_DURATION, .i = unzz(get_u(r))};
    case TYPE_DOUBLE:
        return val_double(get_double(r));
    case TYPE_DATE:
        return val_str(get_date(t, r));
    case TYPE_STRING:
    case TYPE_LUNAR_DATE:
    case TYPE_ADDRESS:
        return val_str(get_s(r));
    case TYPE_TIMESTAMP:
        return get_stamp(r, base_ms);
    case TYPE_LIST:
        return get_list(t, r, type, base_ms);
    case TYPE_ERROR:
    case TYPE_NULL:
    case TYPE_MAP:
    case TYPE_RECORD:
        break;
    }
    r->bad = true;
    return (struct val){.t = V_ABSENT};
}
