/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots as bytes (README.md, "Tags").  The kind and the window of the definition say what stands in a
 * cell; a single cell without a window is its payload alone.
 */
#include "tags_priv.h"

/* ---- cells ---- */

/* A distinct value says whether it is a hash; the rest are as any value. */
static uint8_t *put_distinct(uint8_t *p, const struct val *v, const struct type *arg)
{
    if (v->t != V_STRING)
        return tags_put_val(p, v, arg, EPOCH_MS);
    p = put_u(p, (uint64_t)v->n << 1 | v->pad[0]);
    memcpy(p, v->s, v->n);
    return p + v->n;
}

static bool is_text(const struct type *t)
{
    return t->kind == TYPE_STRING || t->kind == TYPE_DATE || t->kind == TYPE_LUNAR_DATE;
}

static struct val get_distinct(struct tagset *t, struct rd *r, const struct type *arg)
{
    if (!is_text(arg))
        return tags_get_val(t, r, arg, EPOCH_MS);
    uint64_t n = get_u(r);
    struct val v = {.t = V_STRING, .pad = {(uint8_t)(n & 1)}, .n = (uint32_t)(n >> 1)};
    v.s = (const char *)r->p;
    if (n >> 1 > (uint64_t)(r->end - r->p)) {
        r->bad = true;
        v.n = 0;
    }
    r->p += v.n;
    return v;
}

static uint8_t *put_cell(uint8_t *p, const struct tag_def *d, const struct cell *x, int64_t prev_t)
{
    switch ((int)d->kind) {
    case TAG_COUNT:
        return put_u(p, d->has_less ? zz(x->n) : (uint64_t)x->n);
    case TAG_AVG:
        p = put_u(p, (uint64_t)x->n);
        return tags_put_val(p, &x->v, d->arg, EPOCH_MS);
    case TAG_FIRST:
    case TAG_LAST:
        p = tags_put_time(p, x->t, prev_t);
        return tags_put_val(p, &x->v, d->arg, x->t);
    case TAG_GAP:
        return tags_put_time(put_u(p, (uint64_t)x->n), x->t, prev_t);
    case TAG_DISTINCT:
        return put_distinct(p, &x->v, d->arg);
    case TAG_STREAK:
        return put_distinct(put_u(p, (uint64_t)x->n), &x->v, d->arg);
    case TAG_COLLECT:
        return put_distinct(tags_put_time(p, x->t, prev_t), &x->v, d->arg);
    default: /* sum, min, max */
        return tags_put_val(p, &x->v, d->arg, EPOCH_MS);
    }
}

static void get_cell(struct tagset *t, struct rd *r, const struct tag_def *d, struct cell *x,
                     int64_t prev_t)
{
    switch ((int)d->kind) {
    case TAG_COUNT:
        x->n = d->has_less ? unzz(get_u(r)) : (int64_t)get_u(r);
        return;
    case TAG_AVG:
        x->n = (int64_t)get_u(r);
        x->v = tags_get_val(t, r, d->arg, EPOCH_MS);
        return;
    case TAG_FIRST:
    case TAG_LAST:
        x->t = tags_get_time(r, prev_t);
        x->v = tags_get_val(t, r, d->arg, x->t);
        return;
    case TAG_GAP:
        x->n = (int64_t)get_u(r);
        x->t = tags_get_time(r, prev_t);
        return;
    case TAG_DISTINCT:
        x->v = get_distinct(t, r, d->arg);
        return;
    case TAG_STREAK:
        x->n = (int64_t)get_u(r);
        x->v = get_distinct(t, r, d->arg);
        return;
    case TAG_COLLECT:
        x->t = tags_get_time(r, prev_t);
        x->v = get_distinct(t, r, d->arg);
        return;
    default:
        x->v = tags_get_val(t, r, d->arg, EPOCH_MS);
        return;
    }
}

static bool one_cell(const struct tag_def *d)
{
    return d->kind == TAG_LAST || d->kind == TAG_STREAK ||
           (d->window.kind == WIN_EVER && d->kind != TAG_DISTINCT && d->kind != TAG_COLLECT);
}

/* Buckets stand before their cells: the first from 2020, the others from the one before. */
static bool has_buckets(const struct tag_def *d)
{
    return d->window.kind != WIN_EVER;
}

static uint8_t *put_cells(uint8_t *p, const struct tag_def *d, const struct cells *c)
{
    int64_t b = tags_win_base(d->window.kind), prev_t = EPOCH_MS;
    int64_t step = d->kind == TAG_DISTINCT ? 0 : 1;
    if (d->kind == TAG_GAP)
        p = tags_put_time(p, c->v[c->n - 1].v.i, c->v[c->n - 1].t);
    for (uint32_t i = 0; i < c->n; i++) {
        const struct cell *x = &c->v[i];
        if (has_buckets(d))
            p = i ? put_u(p, (uint64_t)(x->b - b - step)) : put_u(p, zz(x->b - b));
        p = put_cell(p, d, x, prev_t);
        b = x->b;
        prev_t = x->t;
    }
    return p;
}

/* Years far beyond the calendar's: with them no sum below can overflow. */
#define TIMES_MAX (INT64_C(1) << 53)
#define COUNT_MAX (UINT64_C(1) << 48)
static bool time_ok(int64_t ms)
{
    return ms > -TIMES_MAX && ms < TIMES_MAX;
}

/* A cell takes at least one byte, so the bytes bound the cells. */
static void cells_for(struct cells *c, size_t most)
{
    if (c->cap < most) {
        c->cap = (uint32_t)most;
        c->v = xrealloc(c->v, c->cap * sizeof *c->v);
    }
    c->n = 0;
}

/* What is read most: buckets of counts, and of short texts. */
static void get_counts(struct rd *r, struct cells *c, int64_t b)
{
    do {
        uint64_t v = get_u(r), n = get_u(r);
        b = (int64_t)((uint64_t)b + (c->n ? v + 1 : (uint64_t)unzz(v)));
        c->v[c->n++] = (struct cell){.b = b, .n = (int64_t)n};
        r->bad |= n > COUNT_MAX;
    } while (r->p < r->end);
}

static void get_texts(struct rd *r, struct cells *c, int64_t b)
{
    do {
        uint64_t v = get_u(r), n = get_u(r);
        if (n >> 1 > (uint64_t)(r->end - r->p)) {
            r->bad = true;
            n = 0;
        }
        b = (int64_t)((uint64_t)b + (c->n ? v : (uint64_t)unzz(v)));
        struct cell *x = &c->v[c->n++];
        x->b = b;
        x->n = x->t = 0;
        x->v = (struct val){.t = V_STRING,
                            .pad = {(uint8_t)(n & 1)},
                            .n = (uint32_t)(n >> 1),
                            .s = (const char *)r->p};
        r->p += n >> 1;
    } while (r->p < r->end);
}

static void get_any(struct tagset *t, struct rd *r, const struct tag_def *d, struct cells *c,
                    int64_t b)
{
    int64_t prev_t = EPOCH_MS;
    uint64_t step = d->kind == TAG_DISTINCT ? 0 : 1;
    bool buckets = has_buckets(d);
    do {
        struct cell *x = &c->v[c->n++];
        *x = (struct cell){0};
        if (buckets) {
            uint64_t v = get_u(r);
            b = (int64_t)((uint64_t)b + (c->n > 1 ? v + step : (uint64_t)unzz(v)));
        }
        x->b = b;
        get_cell(t, r, d, x, prev_t);
        prev_t = x->t;
        r->bad |= !time_ok(x->t) || (uint64_t)(x->n < 0 ? -x->n : x->n) > COUNT_MAX;
    } while (r->p < r->end);
}

void tags_get_cells(struct tagset *t, struct rd *r, const struct tag_def *d, struct cells *c)
{
    int64_t base = tags_win_base(d->window.kind);
    int64_t most = INT64_C(1) << (d->window.kind == WIN_LENGTH ? 32 : 27);
    int64_t tail = d->kind == TAG_GAP ? tags_get_time(r, 0) : 0;
    cells_for(c, (size_t)(r->end - r->p) + 1);
    if (d->kind == TAG_COUNT && has_buckets(d) && !d->has_less)
        get_counts(r, c, base);
    else if (d->kind == TAG_DISTINCT && has_buckets(d) && is_text(d->arg))
        get_texts(r, c, base);
    else
        get_any(t, r, d, c, base);
    struct cell *last = &c->v[c->n - 1];
    if (d->kind == TAG_GAP) {
        last->v.i = (int64_t)((uint64_t)last->t + (uint64_t)tail);
        r->bad |= !time_ok(last->v.i);
    }
    r->bad |=
        c->v[0].b < -most || last->b > most || last->b < c->v[0].b || (c->n > 1 && one_cell(d));
}

static size_t cells_bound(const struct cells *c)
{
    size_t n = 32 + (size_t)c->n * 64; /* numbers, and texts of distinct */
    for (uint32_t i = 0; i < c->n && c->v[i].v.t == V_STRING; i++)
        n += c->v[i].v.n;
    return n;
}

int64_t tags_peek_oldest(const struct tag_def *d, const uint8_t *raw, uint32_t n)
{
    struct rd r = {raw, raw + n, false};
    if (d->kind == TAG_GAP)
        (void)get_u(&r);
    return (int64_t)((uint64_t)tags_win_base(d->window.kind) + (uint64_t)unzz(get_u(&r)));
}

/* ---- keys ---- */

static size_t key_bound(const struct bykey *k)
{
    return 24 + k->key.n + k->raw_n + cells_bound(&k->c);
}

/* The bytes [p + 1, end) get their length put before them. */
uint8_t *tags_put_len(uint8_t *p, uint8_t *end)
{
    size_t n = (size_t)(end - p - 1);
    uint8_t len[10];
    size_t extra = (size_t)(put_u(len, n) - len) - 1;
    if (extra)
        memmove(p + 1 + extra, p + 1, n);
    memcpy(p, len, extra + 1);
    return end + extra;
}

/* A key nobody touched is copied from where it stands, name and all. */
static void put_key(struct run *run, const struct tag_def *d, const struct bykey *k)
{
    const uint8_t *name = (const uint8_t *)k->key.p;
    if (!k->dirty) {
        run_add(run, name - len_size(k->key.n), k->raw + k->raw_n);
        return;
    }
    uint8_t *p = tags_put_str(run_end(run), k->key);
    run->p = tags_put_len(p, put_cells(p + 1, d, &k->c));
}

size_t tags_put_key_size(struct tagset *t, const struct tag_def *d, const struct bykey *k)
{
    buf_reset(&t->body);
    uint8_t *p = (uint8_t *)buf_room(&t->body, key_bound(k));
    struct run run = {.p = p};
    if (!p)
        return 0;
    put_key(&run, d, k);
    return (size_t)(run_end(&run) - p);
}

static size_t keys_bound(const struct slot *s)
{
    size_t bound = 0;
    for (uint32_t i = 0; i < s->n_keys; i++)
        bound += key_bound(&s->keys[i]);
    return bound;
}

static uint8_t *put_keys(uint8_t *p, const struct tag_def *d, const struct slot *s)
{
    struct run run = {.p = p};
    for (uint32_t i = 0; i < s->n_keys; i++)
        put_key(&run, d, &s->keys[i]);
    return run_end(&run);
}

static void get_keys(struct rd *r, struct slot *s)
{
    while (r->p < r->end && !r->bad) {
        struct bykey *k = tags_keys_push(s);
        k->key = get_s(r);
        struct str body = get_s(r);
        k->raw = (const uint8_t *)body.p;
        k->raw_n = (uint32_t)body.n;
        r->bad |= body.n == 0;
    }
    if (s->n_keys > BY_MAX)
        r->bad = true;
}

/* ---- slots ---- */

static uint8_t *put_levels(uint8_t *p, const struct slot *s)
{
    p = put_u(p, s->held);
    for (uint32_t i = 0; i < s->n_pend; i++) {
        p = put_u(p, s->pend[i].level);
        p = tags_put_time(p, s->pend[i].since, EPOCH_MS);
    }
    return p;
}

static void get_levels(struct rd *r, const struct tag_def *d, struct slot *s)
{
    uint64_t level = get_u(r);
    r->bad |= level >= d->n_levels;
    s->held = (uint32_t)level;
    while (r->p < r->end && !r->bad) {
        uint64_t next = get_u(r);
        if (next <= level ||
            next >= d->n_levels) { /* falls go down, so they are fewer than levels */
            r->bad = true;
            return;
        }
        level = next;
        s->pend[s->n_pend++] = (struct pend){(uint32_t)level, tags_get_time(r, EPOCH_MS)};
        r->bad |= !time_ok(s->pend[s->n_pend - 1].since);
    }
}

bool tags_told_hashed(const struct tag_def *d)
{
    return d->by || d->type->kind == TYPE_MAP || d->type->kind == TYPE_LIST ||
           d->type->kind == TYPE_RECORD;
}

const struct type *tags_told_type(const struct tag_def *d)
{
    if (tags_told_hashed(d))
        return &type_int;
    switch ((int)d->kind) {
    case TAG_COUNT:
    case TAG_DISTINCT:
    case TAG_STREAK:
        return &type_int;
    case TAG_GAP:
        return &type_duration;
    case TAG_AVG:
        return d->arg->kind == TYPE_DURATION ? &type_duration : &type_double;
    case TAG_VALUE:
        return d->type;
    default:
        return d->arg;
    }
}

size_t tags_slot_bound(const struct tagset *t, uint32_t slot)
{
    const struct slot *s = &t->s[slot];
    switch (t->plan->slot_kind[slot]) {
    case SLOT_CELLS:
        return t->plan->slot_def[slot]->by ? keys_bound(s) : cells_bound(&s->c);
    case SLOT_LEVEL:
        return 16 + (size_t)s->n_pend * 24;
    case SLOT_TOLD:
    case SLOT_STORED:
        break;
    }
    return 16 + (s->has ? tags_val_bound(&s->v) : 0);
}

uint8_t *tags_put_slot(const struct tagset *t, uint32_t slot, uint8_t *p)
{
    const struct slot *s = &t->s[slot];
    const struct tag_def *d = t->plan->slot_def[slot];
    enum slot_kind k = t->plan->slot_kind[slot];
    if (k == SLOT_CELLS)
        return d->by ? put_keys(p, d, s) : put_cells(p, d, &s->c);
    if (k == SLOT_LEVEL)
        return put_levels(p, s);
    if (k == SLOT_STORED)
        p = put_u(p, zz((int64_t)((uint64_t)s->at - (uint64_t)t->t0)));
    if (s->has)
        p = tags_put_val(p, &s->v, k == SLOT_TOLD ? tags_told_type(d) : d->type, EPOCH_MS);
    return p;
}

void tags_get_slot(struct tagset *t, uint32_t slot, struct rd *r)
{
    struct slot *s = &t->s[slot];
    const struct tag_def *d = t->plan->slot_def[slot];
    enum slot_kind k = t->plan->slot_kind[slot];
    if (k == SLOT_CELLS && d->by) {
        get_keys(r, s);
    } else if (k == SLOT_CELLS) {
        tags_get_cells(t, r, d, &s->c);
    } else if (k == SLOT_LEVEL) {
        get_levels(r, d, s);
    } else {
        if (k == SLOT_STORED) {
            s->at = (int64_t)((uint64_t)t->t0 + (uint64_t)unzz(get_u(r)));
            s->written = true;
            r->bad |= !time_ok(s->at);
        }
        s->has = r->p < r->end;
        if (s->has)
            s->v = tags_get_val(t, r, k == SLOT_TOLD ? tags_told_type(d) : d->type, EPOCH_MS);
    }
    if (r->p != r->end)
        r->bad = true;
}
