/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values and arrays of a life.  A value in a blob says itself what it is (one byte, enum val_kind), so it
 * can be read under a program that declares its field otherwise; val_fits then says whether it may
 * still be used.
 */
#include "life_priv.h"

#include <endian.h>

#define VAL_DEPTH 32

void *vec_add(struct arena *a, void *items, uint32_t *n, uint32_t *cap, size_t size)
{
    char *v = items;
    if (*n == *cap) {
        uint32_t more = *cap ? *cap * 2 : 4;
        v = arena_alloc(a, more * size);
        if (*n)
            memcpy(v, items, *n * size);
        *cap = more;
    }
    memset(v + *n * size, 0, size);
    ++*n;
    return v;
}

void vec_del(void *items, uint32_t *n, uint32_t i, size_t size)
{
    char *v = items;
    memmove(v + i * size, v + (i + 1) * size, (*n - i - 1) * size);
    --*n;
}

void wr_fix(struct buf *b, uint64_t v, int bytes)
{
    char *to = buf_room(b, 8); /* whole words are quicker than single bytes */
    if (!to)
        return;
    v = htole64(v);
    memcpy(to, &v, 8);
    b->n += (size_t)bytes;
}

uint64_t rd_fix(struct rd *r, int bytes)
{
    uint64_t v = 0;
    if (r->end - r->p < bytes) {
        r->bad = true;
        r->p = r->end;
        return 0;
    }
    if (r->end - r->p >= 8) {
        memcpy(&v, r->p, 8);
        v = le64toh(v) & UINT64_MAX >> (64 - 8 * bytes);
    } else {
        for (int i = bytes - 1; i >= 0; i--)
            v = v << 8 | r->p[i];
    }
    r->p += bytes;
    return v;
}

static void wr_items(struct buf *b, const struct val *v, uint32_t n)
{
    wr_u64(b, v->n);
    for (uint32_t i = 0; i < n; i++)
        wr_val(b, &v->list[i]);
}

void wr_val(struct buf *b, const struct val *v)
{
    buf_addc(b, (char)v->t);
    switch ((enum val_kind)v->t) {
    case V_ABSENT:
    case V_NULL:
        break;
    case V_BOOL:
        buf_addc(b, v->b ? 1 : 0);
        break;
    case V_INT:
    case V_MONEY:
    case V_DURATION:
        wr_i64(b, v->i);
        break;
    case V_DOUBLE:
        wr_f64(b, v->d);
        break;
    case V_STRING:
        wr_str(b, val_get_str(*v));
        break;
    case V_TIMESTAMP:
        wr_i64(b, v->i);
        wr_u64(b, v->n);
        break;
    case V_LIST:
    case V_RECORD:
        wr_items(b, v, v->n);
        break;
    case V_MAP:
        wr_items(b, v, 2 * v->n);
        break;
    }
}

static struct val rd_items(struct rd *r, struct arena *a, uint8_t t, int depth)
{
    uint64_t n = rd_u64(r), all = t == V_MAP ? 2 * n : n;
    if (depth >= VAL_DEPTH || n > (uint64_t)(r->end - r->p)) { /* an item has at least a byte */
        r->bad = true;
        return (struct val){.t = V_ABSENT};
    }
    struct val *list = arena_alloc(a, (all + 1) * sizeof *list);
    for (uint64_t i = 0; i < all; i++)
        list[i] = rd_val(r, a, depth + 1);
    return (struct val){.t = t, .n = (uint32_t)n, .list = list};
}

struct val rd_val(struct rd *r, struct arena *a, int depth)
{
    struct val v = {.t = (uint8_t)rd_fix(r, 1)};
    switch ((enum val_kind)v.t) {
    case V_ABSENT:
    case V_NULL:
        return v;
    case V_BOOL:
        v.b = rd_fix(r, 1) != 0;
        return v;
    case V_INT:
    case V_MONEY:
    case V_DURATION:
        v.i = rd_i64(r);
        return v;
    case V_DOUBLE:
        v.d = rd_f64(r);
        return v;
    case V_STRING:
        return val_str(rd_str(r));
    case V_TIMESTAMP:
        v.i = rd_i64(r);
        v.n = (uint32_t)rd_u64(r);
        return v;
    case V_LIST:
    case V_RECORD:
    case V_MAP:
        return rd_items(r, a, v.t, depth);
    }
    r->bad = true;
    return (struct val){.t = V_ABSENT};
}

static bool all_fit(const struct val *v, const struct type *t)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (!val_fits(&v->list[i], t->elem))
            return false;
    return true;
}

static bool pairs_fit(const struct val *v, const struct type *t)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (!val_fits(&v->list[2 * i], t->key) || !val_fits(&v->list[2 * i + 1], t->elem))
            return false;
    return true;
}

static bool record_fits(const struct val *v, const struct type *t)
{
    if (v->n != t->n_fields)
        return false;
    for (uint32_t i = 0; i < v->n; i++) {
        bool absent = v->list[i].t == V_ABSENT;
        if (absent ? !t->fields[i].optional : !val_fits(&v->list[i], t->fields[i].type))
            return false;
    }
    return true;
}

bool val_fits(const struct val *v, const struct type *t)
{
    switch (t->kind) {
    case TYPE_BOOL:
        return v->t == V_BOOL;
    case TYPE_INT:
        return v->t == V_INT;
    case TYPE_DOUBLE:
        return v->t == V_DOUBLE;
    case TYPE_STRING:
    case TYPE_DATE:
    case TYPE_LUNAR_DATE:
    case TYPE_ADDRESS:
        return v->t == V_STRING;
    case TYPE_MONEY:
        return v->t == V_MONEY;
    case TYPE_TIMESTAMP:
        return v->t == V_TIMESTAMP;
    case TYPE_DURATION:
        return v->t == V_DURATION;
    case TYPE_LIST:
        return v->t == V_LIST && all_fit(v, t);
    case TYPE_MAP:
        return v->t == V_MAP && pairs_fit(v, t);
    case TYPE_RECORD:
        return v->t == V_RECORD && record_fits(v, t);
    case TYPE_NULL:
        return v->t == V_NULL;
    case TYPE_ERROR:
        break;
    }
    return false;
}
