/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blob's frame (README.md, "Tags").  The layout names the slots by 24 bits of their definitions'
 * hashes.  Under the program that wrote it, it is compared as bytes and slots are found by place; under
 * another one they are found by hash, what is no longer there is dropped, and what the blob does not
 * know was added later.  Bodies are not looked at until somebody needs them.
 */
#include "tags_priv.h"

#include <assert.h>
#include <stdlib.h>

/* ---- slots ---- */

/* As a new member has it. */
static void slot_initial(struct tagset *t, uint32_t slot)
{
    struct slot *s = &t->s[slot];
    const struct tag_def *d = t->plan->slot_def[slot];
    s->has = s->written = false;
    s->c.n = 0;
    s->n_keys = 0;
    if (t->plan->slot_kind[slot] == SLOT_LEVEL) {
        s->held = d->n_levels - 1;
        s->n_pend = 0;
        if (!s->pend)
            s->pend = xmalloc(d->n_levels * sizeof *s->pend);
    } else if (t->plan->slot_kind[slot] == SLOT_TOLD) {
        s->has = tags_told_initial(d, &s->v);
    }
}

struct slot *tags_open(struct tagset *t, uint32_t slot)
{
    struct slot *s = &t->s[slot];
    if (s->open)
        return s;
    s->open = true;
    slot_initial(t, slot);
    if (!s->raw)
        return s;
    struct rd r = {s->raw, s->raw + s->raw_n, false};
    tags_get_slot(t, slot, &r);
    if (r.bad) {
        s->bad = t->bad = true;
        slot_initial(t, slot);
    }
    return s;
}

bool tags_slot_empty(const struct slot *s, const struct tag_def *d, enum slot_kind k)
{
    struct val v = {.t = V_ABSENT};
    if (!s->open || s->bad)
        return !s->raw;
    switch (k) {
    case SLOT_CELLS:
        return d->by ? s->n_keys == 0 : s->c.n == 0;
    case SLOT_LEVEL:
        return s->held == d->n_levels - 1 && s->n_pend == 0;
    case SLOT_STORED:
        return !s->written;
    case SLOT_TOLD:
        break;
    }
    bool has = tags_told_initial(d, &v);
    return s->has == has && (!has || val_eq(&s->v, &v));
}

static void slots_free(struct tagset *t)
{
    for (uint32_t i = 0; t->plan && i < t->plan->n_slots; i++) {
        for (uint32_t k = 0; k < t->s[i].cap_keys; k++)
            free(t->s[i].keys[k].c.v);
        free(t->s[i].keys);
        free(t->s[i].c.v);
        free(t->s[i].pend);
    }
    free(t->s);
    free(t->vc);
    free(t->old);
    free(t->need);
    free(t->live);
    t->s = NULL;
}

/* ---- begin ---- */

static void use_program(struct tagset *t, const struct program *p)
{
    const struct plan *n = t->plan;
    if (n && n->p == p && n->tags == p->tags && n->n_tags == p->n_tags &&
        n->watched == p->watched.v)
        return;
    slots_free(t);
    tags_plan_free(&t->plan);
    t->plan = tags_plan_new(p);
    t->p = p;
    t->tz = p->tz ? p->tz : zone_utc();
    t->s = xcalloc(t->plan->n_slots, sizeof *t->s);
    t->vc = xcalloc(p->n_tags, sizeof *t->vc);
    t->old = xcalloc(p->n_tags, sizeof *t->old);
    t->live = xcalloc(t->plan->n_slots, sizeof *t->live);
    t->need = xcalloc(t->plan->n_order, sizeof *t->need);
    t->today = t->other = (struct span_day){.from = 0, .to = 0};
}

static void start(struct tagset *t, const struct program *p)
{
    use_program(t, p);
    buf_reset(&t->raw);
    for (struct slot *s = t->s, *end = s + t->plan->n_slots; s < end; s++) {
        s->raw = NULL;
        s->raw_n = 0;
        s->flags[0] = s->flags[1] = 0;
    }
    for (uint32_t i = 0; i < t->plan->n_order; i++)
        t->need[i] = false;
    arena_reset(t->strs);
    arena_reset(t->tmp);
    t->version++;
    t->errors = t->evictions = 0;
    t->n_links = 0;
    t->member = (struct str){"", 0};
    t->day = INT64_MIN;
    t->now = INT64_MIN;
    t->has_t0 = t->bad = t->unsettled = t->all = false;
}

void tagset_begin(struct tagset *t, const struct program *p)
{
    start(t, p);
    t->all = true;
}

struct tagset *tagset_new(void)
{
    struct tagset *t = xcalloc(1, sizeof *t);
    t->strs = arena_new(0);
    t->tmp = arena_new(0);
    t->olds = arena_new(0);
    t->chg[0] = arena_new(0);
    t->chg[1] = arena_new(0);
    buf_init(&t->raw, SIZE_MAX / 2);
    buf_init(&t->body, SIZE_MAX / 2);
    return t;
}

void tagset_free(struct tagset **t)
{
    if (!*t)
        return;
    slots_free(*t);
    tags_plan_free(&(*t)->plan);
    arena_free(&(*t)->strs);
    arena_free(&(*t)->tmp);
    arena_free(&(*t)->olds);
    arena_free(&(*t)->chg[0]);
    arena_free(&(*t)->chg[1]);
    free((*t)->changes);
    free((*t)->links);
    buf_free(&(*t)->raw);
    buf_free(&(*t)->body);
    free(*t);
    *t = NULL;
}

/* ---- reading ---- */

/* The slots of the blob, found in the program. */
struct frame {
    uint32_t n;          /* slots in the blob's layout */
    const uint8_t *hash; /* 3 bytes each */
    bool same;           /* the program's own layout: place i is slot i */
    uint32_t *slot;      /* else: [n] slot or RULE_NONE; in t->tmp */
};

static bool same_hash(const struct plan *n, uint32_t slot, const uint8_t *h)
{
    return memcmp(n->layout + 3 * (size_t)slot, h, 3) == 0;
}

/* Slots in the blob stand in the same order as slots of the program, so the search goes on from the
 * last hit first. */
static uint32_t find_slot(const struct tagset *t, uint32_t from, uint32_t to, uint32_t at,
                          const uint8_t *hash, const bool *taken)
{
    for (uint32_t i = 0, n = to - from; i < n; i++) {
        uint32_t slot = at + i < to ? at + i : at + i - n;
        if (same_hash(t->plan, slot, hash) && !(taken && taken[slot]))
            return slot;
    }
    return RULE_NONE;
}

static void map_layout(struct tagset *t, struct frame *f, int64_t now_ms)
{
    const struct plan *n = t->plan;
    bool *taken = arena_zalloc(t->tmp, n->n_slots + 1);
    uint32_t at = 0;
    f->slot = arena_alloc(t->tmp, (f->n + 1) * sizeof *f->slot);
    for (uint32_t i = 0; i < f->n; i++) {
        f->slot[i] = find_slot(t, 0, n->n_layout, at, f->hash + 3 * (size_t)i, taken);
        if (f->slot[i] == RULE_NONE)
            continue;
        taken[f->slot[i]] = true;
        at = f->slot[i] + 1 < n->n_layout ? f->slot[i] + 1 : 0;
    }
    for (uint32_t i = 0; i < n->n_layout; i++) {
        if (taken[i])
            continue;
        enum tag_kind k = t->p->tags[n->slot_tag[i]].kind;
        if (n->slot_kind[i] == SLOT_CELLS && (k == TAG_STREAK || k == TAG_COLLECT))
            continue; /* these begin when they are written down */
        t->s[i].later = true;
        if (n->slot_kind[i] == SLOT_CELLS)
            t->s[i].since = tags_win_bucket(t, &t->p->tags[n->slot_tag[i]].window, now_ms);
    }
    t->all = true;
}

#define BUCKET_MAX (INT64_C(1) << 32)

static uint32_t frame_slot(const struct frame *f, uint32_t i)
{
    return f->same ? i : f->slot[i];
}

static void read_later(struct tagset *t, const struct frame *f, struct rd *r)
{
    for (uint64_t left = get_u(r); left > 0 && !r->bad; left--) {
        uint64_t i = get_u(r);
        int64_t since = unzz(get_u(r));
        if (i >= f->n || since < -BUCKET_MAX || since > BUCKET_MAX) {
            r->bad = true;
            return;
        }
        uint32_t slot = frame_slot(f, (uint32_t)i);
        if (slot == RULE_NONE)
            continue;
        t->s[slot].later = true;
        t->s[slot].since = since + tags_win_base(t->plan->slot_kind[slot] == SLOT_CELLS
                                                     ? t->plan->slot_def[slot]->window.kind
                                                     : WIN_EVER);
    }
}

static const uint8_t *read_body(struct rd *r, uint32_t *n)
{
    struct str s = get_s(r);
    *n = (uint32_t)s.n;
    return (const uint8_t *)s.p;
}

static void read_slots(struct tagset *t, const struct frame *f, struct rd *r)
{
    const uint8_t *bits = r->p;
    size_t n_bits = ((size_t)f->n + 7) / 8;
    if (n_bits > (size_t)(r->end - r->p)) {
        r->bad = true;
        return;
    }
    r->p += n_bits;
    for (uint32_t i = 0; i < f->n && !r->bad; i++) {
        if (!(bits[i / 8] >> (i % 8) & 1))
            continue;
        uint32_t n, slot = frame_slot(f, i);
        const uint8_t *raw = read_body(r, &n);
        if (slot == RULE_NONE || r->bad)
            continue;
        t->s[slot].raw = raw;
        t->s[slot].raw_n = n;
    }
}

static void read_stored(struct tagset *t, struct rd *r)
{
    const struct plan *p = t->plan;
    uint64_t count = get_u(r);
    uint32_t at = p->n_layout;
    if (count == 0)
        return;
    t->t0 = (int64_t)((uint64_t)rd_i64(r) + (uint64_t)EPOCH_MS);
    t->has_t0 = true;
    for (; count > 0 && !r->bad; count--) {
        const uint8_t *hash = r->p;
        uint32_t n;
        if (r->end - r->p < 3) {
            r->bad = true;
            return;
        }
        r->p += 3;
        const uint8_t *raw = read_body(r, &n);
        uint32_t slot = find_slot(t, p->n_layout, p->n_slots, at, hash, NULL);
        if (slot == RULE_NONE || r->bad)
            continue;
        t->s[slot].raw = raw;
        t->s[slot].raw_n = n;
        at = slot + 1 < p->n_slots ? slot + 1 : p->n_layout;
    }
}

int tagset_read(struct tagset *t, const struct program *p, struct rd *in, int64_t now_ms,
                struct err *err)
{
    struct frame f = {0};
    start(t, p);
    buf_add(/* bodies must outlive the blob they came in */
            &t->raw, in->p, (size_t)(in->end - in->p));
    struct rd r = {(const uint8_t *)t->raw.p, (const uint8_t *)t->raw.p + t->raw.n, in->bad};
    uint8_t version = r.p < r.end ? *r.p++ : 0;
    if ((version & ~TAGS_UNSETTLED) != TAGS_VERSION)
        return err_code(err, ERR_FATAL, "state_version",
                        "a member's tags were written in version %d, this program reads %d",
                        version & ~TAGS_UNSETTLED, TAGS_VERSION);
    t->all = version & TAGS_UNSETTLED;
    t->day = (int64_t)((uint64_t)unzz(get_u(&r)) + EPOCH_DAY);
    uint64_t n = get_u(&r);
    if (n > (uint64_t)(r.end - r.p) / 3)
        r.bad = true, n = 0;
    f.n = (uint32_t)n;
    f.hash = r.p;
    r.p += 3 * n;
    f.same = n == t->plan->n_layout && (n == 0 || memcmp(f.hash, t->plan->layout, 3 * n) == 0);
    if (!f.same)
        map_layout(t, &f, now_ms);
    read_later(t, &f, &r);
    read_slots(t, &f, &r);
    read_stored(t, &r);
    if (r.bad) {
        start(t, p);
        return err_code(err, ERR_FATAL, "state_corrupt", "a member's tags cannot be read");
    }
    in->p += r.p - (const uint8_t *)t->raw.p;
    tags_advance(t, now_ms);
    return 0;
}

/* ---- writing ---- */

static bool clean(const struct slot *s)
{
    return !s->dirty || s->bad;
}

static enum window_kind window_of(const struct tagset *t, uint32_t slot)
{
    if (t->plan->slot_kind[slot] != SLOT_CELLS)
        return WIN_EVER;
    return t->plan->slot_def[slot]->window.kind;
}

static uint8_t *put_later(const struct tagset *t, uint32_t n, uint8_t *p)
{
    p = put_u(p, n);
    for (uint32_t i = 0; n && i < t->plan->n_layout; i++)
        if (t->s[i].later)
            p = put_u(put_u(p, i), zz(t->s[i].since - tags_win_base(window_of(t, i))));
    return p;
}

/* Bodies that nobody touched stand behind each other in what was read: they are copied together. */
static uint8_t *put_bodies(const struct tagset *t, const uint32_t *v, uint32_t n, size_t name,
                           uint8_t *p)
{
    struct run run = {.p = p};
    for (uint32_t k = 0; k < n; k++) {
        const struct slot *s = &t->s[v[k]];
        if (clean(s)) {
            run_add(&run, s->raw - name - len_size(s->raw_n), s->raw + s->raw_n);
            continue;
        }
        p = run_end(&run);
        memcpy(p, t->plan->layout + 3 * (size_t)v[k], name);
        run.p = tags_put_len(p + name, tags_put_slot(t, v[k], p + name + 1));
    }
    return run_end(&run);
}

static uint8_t *put_slots(const struct tagset *t, const uint32_t *v, uint32_t n, uint8_t *p)
{
    size_t n_bits = ((size_t)t->plan->n_layout + 7) / 8;
    memset(p, 0, n_bits);
    for (uint32_t k = 0; k < n; k++)
        p[v[k] / 8] = (uint8_t)(p[v[k] / 8] | 1U << (v[k] % 8));
    return put_bodies(t, v, n, 0, p + n_bits);
}

static uint8_t *put_stored(const struct tagset *t, const uint32_t *v, uint32_t n, uint8_t *p)
{
    p = put_u(p, n);
    if (n == 0)
        return p;
    p = put_u(p, zz((int64_t)((uint64_t)t->t0 - (uint64_t)EPOCH_MS)));
    return put_bodies(t, v, n, 3, p);
}

/* Written into memory of our own first: the bound is generous, and the caller's maximum is for what is
 * really there. */
void tagset_write(struct tagset *t, struct buf *out)
{
    const struct plan *n = t->plan;
    uint32_t len = 0, n_slots = 0, later = 0;
    size_t bound = 64 + t->raw.n + 32 * (size_t)n->n_slots;
    for (uint32_t i = 0; i < n->n_slots; i++) {
        later += t->s[i].later;
        if (slot_nothing(t, i))
            continue;
        bound += t->s[i].dirty ? tags_slot_bound(t, i) : 0;
        n_slots += i < n->n_layout;
        t->live[len++] = i;
    }
    buf_reset(&t->body);
    uint8_t *from = (uint8_t *)buf_room(&t->body, bound), *p = from;
    if (!from) {
        out->over = true;
        return;
    }
    *p++ = (uint8_t)(TAGS_VERSION | (t->all || t->unsettled ? TAGS_UNSETTLED : 0));
    p = put_u(p, t->day == INT64_MIN ? 0 : zz(t->day - EPOCH_DAY));
    p = put_u(p, n->n_layout);
    memcpy(p, n->layout, 3 * (size_t)n->n_layout);
    p = put_later(t, later, p + 3 * (size_t)n->n_layout);
    p = put_slots(t, t->live, n_slots, p);
    p = put_stored(t, t->live + n_slots, len - n_slots, p);
    assert((size_t)(p - from) <= bound);
    buf_add(out, from, (size_t)(p - from));
}
