/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aggregates as cells.  A windowed value is computed from one cell a bucket, so it is exact at every
 * edge; what no window can show any more is pruned from the front.  Where a kind lets a cell go earlier
 * without changing any future value, it goes: a maximum that a later bucket reaches can never be the
 * answer again; only the last event of all can be `last`; of distinct values only the newest bucket of
 * each matters, and of those only the 256 newest.  A streak is one cell whose bucket only rises; a
 * collection has a cell a key, the one that came last at the end.
 */
#include "tags_priv.h"

#include <math.h>
#include <stdlib.h>

/* ---- values ---- */

static bool money_of(struct val *v)
{
    if (v->t == V_INT && !__builtin_mul_overflow(v->i, INT64_C(100), &v->i)) {
        v->t = V_MONEY;
        return true;
    }
    if (v->t == V_DOUBLE && fabs(v->d) < 9e13) {
        *v = val_money(llround(v->d * 100));
        return true;
    }
    return v->t == V_MONEY;
}

bool tags_val_coerce(const struct type *type, struct val *v)
{
    switch (type->kind) {
    case TYPE_BOOL:
        return v->t == V_BOOL;
    case TYPE_INT:
        return v->t == V_INT;
    case TYPE_DOUBLE:
        if (v->t == V_INT)
            *v = val_double((double)v->i);
        else if (v->t == V_MONEY)
            *v = val_double(tags_ratio(v->i, 100));
        return v->t == V_DOUBLE && !isnan(v->d);
    case TYPE_MONEY:
        return money_of(v);
    case TYPE_STRING:
    case TYPE_DATE:
    case TYPE_LUNAR_DATE:
    case TYPE_ADDRESS:
        return v->t == V_STRING;
    case TYPE_TIMESTAMP:
        return v->t == V_TIMESTAMP;
    case TYPE_DURATION:
        return v->t == V_DURATION;
    case TYPE_LIST:
        return v->t == V_LIST;
    case TYPE_ERROR:
    case TYPE_NULL:
    case TYPE_MAP:
    case TYPE_RECORD:
        break;
    }
    return false;
}

static int order_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int tags_val_order(const struct val *a, const struct val *b)
{
    switch ((enum val_kind)a->t) {
    case V_BOOL:
        return (int)a->b - (int)b->b;
    case V_DOUBLE:
        return (a->d > b->d) - (a->d < b->d);
    case V_STRING:
        return str_cmp(val_get_str(*a), val_get_str(*b));
    case V_TIMESTAMP:
        return a->i != b->i ? order_i64(a->i, b->i) : order_i64(a->n, b->n);
    case V_INT:
    case V_MONEY:
    case V_DURATION:
        return order_i64(a->i, b->i);
    case V_ABSENT:
    case V_NULL:
    case V_LIST:
    case V_MAP:
    case V_RECORD:
        break;
    }
    return 0;
}

/* num / den rounded once.  Both exact as doubles: one IEEE division.  Otherwise divide integers with 64
 * bits to spare and keep a sticky bit, so that the conversion to double is the only rounding. */
double tags_ratio(int64_t num, uint64_t den)
{
    const uint64_t exact = UINT64_C(1) << 53;
    uint64_t mag = num < 0 ? 0 - (uint64_t)num : (uint64_t)num;
    if (mag <= exact && den <= exact)
        return (double)num / (double)den;
    int shift = __builtin_clzll(mag | 1) + 63; /* the dividend fills 127 bits */
    unsigned __int128 n = (unsigned __int128)mag << shift, q = n / den;
    int drop = 0;
    while (q >> (64 + drop))
        drop++;
    bool sticky = n % den != 0 || (drop && (q & (((unsigned __int128)1 << drop) - 1)) != 0);
    uint64_t top = (uint64_t)(q >> drop) | (uint64_t)sticky;
    double d = ldexp((double)top, drop - shift);
    return num < 0 ? -d : d;
}

/* Integers stop at the ends of int64 instead of wrapping. */
static void val_add(struct val *sum, const struct val *v)
{
    if (sum->t == V_DOUBLE)
        sum->d += v->d;
    else if (__builtin_add_overflow(sum->i, v->i, &sum->i))
        sum->i = v->i < 0 ? INT64_MIN : INT64_MAX;
}

/* ---- arrays ---- */

struct cell *tags_cells_room(struct cells *c, uint32_t at)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 4;
        c->v = xrealloc(c->v, c->cap * sizeof *c->v);
    }
    memmove(c->v + at + 1, c->v + at, (c->n - at) * sizeof *c->v);
    c->n++;
    memset(&c->v[at], 0, sizeof c->v[at]);
    return &c->v[at];
}

static void cells_cut(struct cells *c, uint32_t from, uint32_t n)
{
    if (n == 0)
        return;
    memmove(c->v + from, c->v + from + n, (c->n - from - n) * sizeof *c->v);
    c->n -= n;
}

/* Place of bucket b: its cell's index with *found, else where it would stand. */
static uint32_t cells_find(const struct cells *c, int64_t b, bool *found)
{
    uint32_t i = c->n;
    while (i > 0 && c->v[i - 1].b > b) /* nearly always the newest */
        i--;
    *found = i > 0 && c->v[i - 1].b == b;
    return *found ? i - 1 : i;
}

static struct cell *cells_at(struct cells *c, int64_t b, bool *fresh)
{
    bool found;
    uint32_t i = cells_find(c, b, &found);
    *fresh = !found;
    if (found)
        return &c->v[i];
    struct cell *x = tags_cells_room(c, i);
    x->b = b;
    return x;
}

bool tags_cells_prune(struct cells *c, int64_t lower)
{
    uint32_t n = 0;
    while (n < c->n && c->v[n].b < lower)
        n++;
    if (n)
        cells_cut(c, 0, n);
    return n > 0;
}

/* ---- adding ---- */

static void add_sum(const struct tag_def *d, struct cells *c, int64_t b, struct val v)
{
    bool fresh;
    struct cell *x = cells_at(c, b, &fresh);
    x->n++;
    if (d->kind == TAG_COUNT)
        return;
    if (fresh)
        x->v = v;
    else
        val_add(&x->v, &v);
}

/* sign 1: max, -1: min.  Values fall (max) or rise (min) strictly from the oldest cell to the newest. */
static void add_best(struct tagset *t, int sign, struct cells *c, int64_t b, struct val v)
{
    uint32_t i = c->n;
    while (i > 0 && c->v[i - 1].b >= b) {
        if (sign * tags_val_order(&c->v[i - 1].v, &v) >= 0)
            return;
        i--;
    }
    uint32_t to = i; /* [i, to) has bucket b: at most one, and it is worse */
    while (to < c->n && c->v[to].b == b)
        to++;
    while (i > 0 && sign * tags_val_order(&c->v[i - 1].v, &v) <= 0)
        i--;
    cells_cut(c, i, to - i);
    struct cell *x = tags_cells_room(c, i);
    x->b = b;
    x->v = val_dup(t->strs, v);
}

static void add_first(struct tagset *t, struct cells *c, int64_t b, int64_t at, struct val v)
{
    bool fresh;
    struct cell *x = cells_at(c, b, &fresh);
    if (!fresh && at >= x->t)
        return;
    x->t = at;
    x->v = val_dup(t->strs, v);
}

static void add_last(struct tagset *t, struct cells *c, int64_t b, int64_t at, struct val v)
{
    struct cell *x = c->n ? &c->v[0] : tags_cells_room(c, 0);
    if (x->v.t != V_ABSENT && at < x->t)
        return;
    *x = (struct cell){.b = b, .t = at, .v = val_dup(t->strs, v)};
}

static void add_gap(struct cells *c, int64_t b, int64_t at)
{
    bool fresh;
    struct cell *x = cells_at(c, b, &fresh);
    if (fresh || at < x->t)
        x->t = at;
    if (fresh || at > x->v.i)
        x->v.i = at;
    x->n++;
}

/* Texts of one catalogue differ at their ends. */
static bool same_value(const struct val *a, const struct val *b)
{
    if (a->t != V_STRING || b->t != V_STRING)
        return val_eq(a, b);
    return a->n == b->n && a->pad[0] == b->pad[0] &&
           (a->n == 0 || (a->s[a->n - 1] == b->s[a->n - 1] && memcmp(a->s, b->s, a->n) == 0));
}

/* Long texts are remembered as 16 bytes of their SHA-256; `hash` is room for it. */
static struct val shortened(struct val v, char hash[32])
{
    if (v.t != V_STRING || v.n <= DISTINCT_RAW)
        return v;
    hash_sha256(v.s, v.n, (uint8_t *)hash);
    return (struct val){.t = V_STRING, .pad = {1}, .n = 16, .s = hash};
}

/* A value's cell moves to its newest bucket.  Above 256 the value with the oldest bucket goes: whatever
 * bound comes, the values shown are then all of them, or 256. */
static void add_distinct(struct tagset *t, struct cells *c, int64_t b, struct val v)
{
    char hash[32];
    bool found;
    v = shortened(v, hash);
    uint32_t i = 0;
    while (i < c->n && !same_value(&c->v[i].v, &v))
        i++;
    if (i < c->n) {
        if (c->v[i].b >= b)
            return;
        v = c->v[i].v;
        cells_cut(c, i, 1);
    } else {
        if (c->n == DISTINCT_MAX) {
            if (c->v[0].b >= b)
                return;
            cells_cut(c, 0, 1);
        }
        v = val_dup(t->strs, v);
    }
    i = cells_find(c, b, &found);
    struct cell *x = tags_cells_room(c, found ? i + 1 : i);
    x->b = b;
    x->v = v;
}

/* By arrival: what comes now continues what came last, wherever its time falls.  What came last is still
 * in sight of b, or a new run begins. */
static void add_streak(struct tagset *t, const struct tag_def *d, struct cells *c, int64_t b,
                       struct val v)
{
    char hash[32];
    bool fresh = c->n == 0;
    struct cell *x = fresh ? tags_cells_room(c, 0) : &c->v[0];
    bool paused = d->window.kind == WIN_LENGTH && b - x->b >= d->window.n / TIME_MIN;
    v = shortened(v, hash);
    if (!fresh && !paused && same_value(&x->v, &v)) {
        x->n++;
    } else {
        x->v = val_dup(t->strs, v);
        x->n = 1;
    }
    if (fresh || b > x->b)
        x->b = b;
}

void tags_link(struct tagset *t, const struct tag_def *d, struct str key, bool on)
{
    if (!d->indexed)
        return;
    if (t->n_links == t->cap_links) {
        t->cap_links = t->cap_links ? 2 * t->cap_links : 8;
        t->links = xrealloc(t->links, t->cap_links * sizeof *t->links);
    }
    t->links[t->n_links++] = (struct tag_link){d->index, on, key};
}

/* The newest last; the oldest leaves above max. */
static void add_key(struct tagset *t, const struct tag_def *d, struct cells *c, int64_t at,
                    struct val v)
{
    uint32_t i = c->n;
    while (i > 0 && !same_value(&c->v[i - 1].v, &v))
        i--;
    if (i > 0) {
        v = c->v[i - 1].v;
        at = at > c->v[i - 1].t ? at : c->v[i - 1].t;
        cells_cut(c, i - 1, 1);
    } else {
        if (c->n >= d->max) {
            tags_link(t, d, val_get_str(c->v[0].v), false);
            cells_cut(c, 0, 1);
            t->evictions++;
        }
        v = val_dup(t->strs, v);
        tags_link(t, d, val_get_str(v), true);
    }
    struct cell *x = tags_cells_room(c, c->n);
    x->t = at;
    x->v = v;
}

bool tags_cells_drop(struct cells *c, struct str key, int64_t at)
{
    for (uint32_t i = c->n; i > 0; i--) {
        if (!str_eq(val_get_str(c->v[i - 1].v), key))
            continue;
        if (c->v[i - 1].t > at)
            return false;
        cells_cut(c, i - 1, 1);
        return true;
    }
    return false;
}

void tags_cells_take(const struct tag_def *d, struct cells *c, int64_t b, struct val v)
{
    bool fresh;
    struct cell *x = cells_at(c, b, &fresh);
    if (d->kind == TAG_COUNT) {
        x->n--;
        return;
    }
    if (v.t == V_DOUBLE)
        v.d = -v.d;
    else
        v.i = v.i == INT64_MIN ? INT64_MAX : -v.i;
    if (fresh)
        x->v = v;
    else
        val_add(&x->v, &v);
}

void tags_cells_add(struct tagset *t, const struct tag_def *d, struct cells *c, int64_t b,
                    int64_t at, struct val v)
{
    switch (d->kind) {
    case TAG_COUNT:
    case TAG_SUM:
    case TAG_AVG:
        add_sum(d, c, b, v);
        break;
    case TAG_MIN:
        add_best(t, -1, c, b, v);
        break;
    case TAG_MAX:
        add_best(t, 1, c, b, v);
        break;
    case TAG_FIRST:
        add_first(t, c, b, at, v);
        break;
    case TAG_LAST:
        add_last(t, c, b, at, v);
        break;
    case TAG_DISTINCT:
        add_distinct(t, c, b, v);
        break;
    case TAG_GAP:
        add_gap(c, b, at);
        break;
    case TAG_STREAK:
        add_streak(t, d, c, b, v);
        break;
    case TAG_COLLECT:
        add_key(t, d, c, at, v);
        break;
    case TAG_STORED:
    case TAG_VALUE:
    case TAG_LEVELS:
        break;
    }
}

/* ---- computing ---- */

static struct val zero_of(const struct type *arg)
{
    if (arg && arg->kind == TYPE_DOUBLE)
        return val_double(0);
    if (arg && arg->kind == TYPE_DURATION)
        return (struct val){.t = V_DURATION};
    return arg && arg->kind == TYPE_MONEY ? val_money(0) : val_int(0);
}

static struct val mean_of(const struct val *sum, int64_t n)
{
    switch ((int)sum->t) {
    case V_MONEY: /* yuan: what expressions compare */
        return val_double(tags_ratio(sum->i, (uint64_t)n * 100));
    case V_DURATION:
        return (struct val){.t = V_DURATION, .i = sum->i / n};
    case V_INT:
        return val_double(tags_ratio(sum->i, (uint64_t)n));
    default:
        return val_double(sum->d / (double)n);
    }
}

static struct val gap_of(const struct cell *first, const struct cell *last, int64_t n)
{
    __int128 ns = ((__int128)last->v.i - first->t) * 1000000 / (n - 1);
    int64_t i = ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
    return (struct val){.t = V_DURATION, .i = i};
}

/* x .. end are the cells shown; there is at least one. */
static bool shown_value(const struct tag_def *d, const struct cell *x, const struct cell *end,
                        struct val *out)
{
    int64_t n = 0;
    struct val sum = {.t = V_ABSENT};
    switch ((int)d->kind) {
    case TAG_MIN:
    case TAG_MAX:
    case TAG_FIRST:
    case TAG_LAST:
        *out = x->v;
        return true;
    case TAG_DISTINCT:
        *out = val_int(end - x);
        return true;
    case TAG_COLLECT:
        *out = (struct val){.t = V_LIST, .n = (uint32_t)(end - x)}; /* tags_aggregate lists it */
        return true;
    default:
        break;
    }
    const struct cell *first = x;
    sum = x->v;
    for (n = x++->n; x < end; x++) {
        n += x->n;
        if (d->kind == TAG_SUM || d->kind == TAG_AVG)
            val_add(&sum, &x->v);
    }
    if (d->kind == TAG_COUNT || d->kind == TAG_STREAK)
        *out = val_int(n < 0 ? 0 : n); /* more was taken off than came in sight */
    else if (d->kind == TAG_SUM)
        *out = sum;
    else if (d->kind == TAG_AVG)
        *out = mean_of(&sum, n);
    else if (n > 1)
        *out = gap_of(first, end - 1, n);
    return d->kind != TAG_GAP || n > 1;
}

bool tags_cells_value(const struct tag_def *d, const struct cells *c, int64_t lower,
                      struct val *out)
{
    uint32_t i = 0;
    while (i < c->n && c->v[i].b < lower)
        i++;
    if (i < c->n)
        return shown_value(d, c->v + i, c->v + c->n, out);
    if (d->by) /* no such key */
        return false;
    if (d->kind == TAG_COUNT || d->kind == TAG_DISTINCT || d->kind == TAG_STREAK)
        *out = val_int(0);
    else if (d->kind == TAG_COLLECT)
        *out = (struct val){.t = V_LIST};
    else if (d->kind == TAG_SUM)
        *out = zero_of(d->arg);
    else
        return false;
    return true;
}

/* ---- keys of a `by` ---- */

struct bykey *tags_keys_push(struct slot *s)
{
    if (s->n_keys == s->cap_keys) {
        uint32_t cap = s->cap_keys ? 2 * s->cap_keys : 4;
        s->keys = xrealloc(s->keys, cap * sizeof *s->keys);
        memset(s->keys + s->cap_keys, 0, (cap - s->cap_keys) * sizeof *s->keys);
        s->cap_keys = cap;
    }
    struct bykey *k = &s->keys[s->n_keys++];
    k->raw = NULL;
    k->raw_n = 0;
    k->open = k->dirty = false;
    k->c.n = 0;
    return k;
}

/* The place goes behind the last one, its memory with it. */
void tags_keys_drop(struct slot *s, uint32_t i)
{
    struct bykey gone = s->keys[i];
    memmove(s->keys + i, s->keys + i + 1, (s->n_keys - i - 1) * sizeof *s->keys);
    s->keys[--s->n_keys] = gone;
}

struct cells *tags_key_open(struct tagset *t, struct slot *s, const struct tag_def *d,
                            struct bykey *k)
{
    if (k->open)
        return &k->c;
    struct rd r = {k->raw, k->raw + k->raw_n, false};
    k->open = true;
    if (k->raw)
        tags_get_cells(t, &r, d, &k->c);
    if (r.bad || r.p != r.end) {
        s->bad = t->bad = true;
        k->c.n = 0;
    }
    return &k->c;
}

bool tags_keys_prune(struct tagset *t, struct slot *s, const struct tag_def *d, int64_t lower)
{
    bool went = false;
    for (uint32_t i = s->n_keys; i-- > 0 && !s->bad;) {
        struct bykey *k = &s->keys[i];
        if (!k->open && tags_peek_oldest(d, k->raw, k->raw_n) >= lower)
            continue;
        if (tags_cells_prune(tags_key_open(t, s, d, k), lower))
            k->dirty = went = true;
        if (k->c.n == 0 && !s->bad)
            tags_keys_drop(s, i);
    }
    return went;
}

struct bykey *tags_keys_touch(struct tagset *t, struct slot *s, const struct tag_def *d,
                              struct str key, int64_t lower)
{
    uint32_t i = s->n_keys;
    while (i > 0 && !str_eq(s->keys[i - 1].key, key))
        i--;
    if (i > 0) {
        struct bykey k = s->keys[i - 1];
        memmove(s->keys + i - 1, s->keys + i, (s->n_keys - i) * sizeof *s->keys);
        s->keys[s->n_keys - 1] = k;
        return &s->keys[s->n_keys - 1];
    }
    if (s->n_keys == BY_MAX)
        (void)tags_keys_prune(t, s, d,
                              lower); /* what nobody sees leaves first, and is no eviction */
    if (s->n_keys == BY_MAX) {
        tags_keys_drop(s, 0);
        t->evictions++;
    }
    struct bykey *k = tags_keys_push(s);
    k->key = arena_str(t->strs, key);
    k->open = true;
    return k;
}
