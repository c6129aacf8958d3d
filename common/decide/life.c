/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blob: a member's life as bytes and back (layout: README.md).  Moments are written relative to
 * `base`, the log time of the unit that wrote the blob, so that they take few bytes; sections that
 * are empty take none.  Reading never fails on content that a program no longer knows: what refers to
 * a removed event reads as nothing.
 */
#include "life_priv.h"

#include <endian.h>

enum section {
    HAS_TAG_DUE = 1,
    HAS_IDLE = 2,
    HAS_RING = 4,
    HAS_LAST = 8,
    HAS_TIMED = 16,
    HAS_CHARGES = 32,
    HAS_RUNS = 64,
    HAS_MORE = 128,
};

void life_begin(struct life *l, uint64_t gen)
{
    memset(l, 0, sizeof *l);
    l->gen = gen;
    l->tag_due = l->idle_due = TIME_NEVER;
}

/* ---- writing ---------------------------------------------------------------------------------------- */

static uint8_t sections(const struct life *l)
{
    uint8_t s = 0;
    s |= l->tag_due != TIME_NEVER ? HAS_TAG_DUE : 0;
    s |= l->idle_due != TIME_NEVER ? HAS_IDLE : 0;
    s |= l->n_ring ? HAS_RING : 0;
    s |= l->last.n ? HAS_LAST : 0;
    s |= l->timed.n ? HAS_TIMED : 0;
    s |= l->limits.n || l->scopes.n ? HAS_CHARGES : 0;
    s |= l->optouts.n || l->kept.n ? HAS_MORE : 0;
    for (uint32_t i = 0; i < l->runs.n; i++)
        s |= l->runs.v[i].dead ? 0 : HAS_RUNS;
    return s;
}

static void wr_ring(const struct life *l, struct buf *b)
{
    uint64_t le[LIFE_RING];
    for (uint32_t i = 0; i < l->n_ring; i++)
        le[i] = htole64(l->ring[i]);
    wr_fix(b, l->n_ring, 1);
    buf_add(b, le, l->n_ring * sizeof *le);
}

static void wr_last(const struct life *l, struct buf *b)
{
    wr_u64(b, l->last.n);
    for (uint32_t i = 0; i < l->last.n; i++) {
        wr_fix(b, l->last.v[i].event, 4);
        wr_i64(b, l->last.v[i].at - l->base);
    }
}

/* An identity is a year or a moment; only moments gain from being relative. */
#define SMALL_IDENT 100000
enum timed_flag { TIMED_DUE = 1, TIMED_LAG = 2, TIMED_DONE_REL = 4, TIMED_PEND_REL = 8 };

static void wr_timed(const struct life *l, struct buf *b)
{
    wr_u64(b, l->timed.n);
    for (uint32_t i = 0; i < l->timed.n; i++) {
        const struct timed *t = &l->timed.v[i];
        uint8_t f = t->due == TIME_NEVER ? 0 : TIMED_DUE;
        f |= f && t->armed != t->due ? TIMED_LAG : 0;
        f |= t->done >= SMALL_IDENT ? TIMED_DONE_REL : 0;
        f |= t->pend >= SMALL_IDENT ? TIMED_PEND_REL : 0;
        wr_fix(b, t->rule, 6);
        wr_fix(b, f, 1);
        wr_i64(b, t->done - (f & TIMED_DONE_REL ? l->base : 0));
        wr_i64(b, t->pend - (f & TIMED_PEND_REL ? l->base : 0));
        if (f & TIMED_DUE)
            wr_i64(b, t->due - l->base);
        if (f & TIMED_LAG)
            wr_i64(b, t->armed - t->due);
    }
}

static void wr_charge_list(const struct charges *c, int64_t base, struct buf *b)
{
    wr_u64(b, c->n);
    for (uint32_t i = 0; i < c->n; i++) {
        wr_i64(b, c->v[i].at - base);
        wr_u64(b, c->v[i].n);
        base = c->v[i].at;
    }
}

static void wr_charges(const struct life *l, struct buf *b)
{
    wr_u64(b, l->limits.n);
    for (uint32_t i = 0; i < l->limits.n; i++) {
        wr_fix(b, l->limits.v[i].rule, 6);
        wr_fix(b, l->limits.v[i].key, l->limits.v[i].key ? 7 : 1); /* 0, or 56 bits, low byte set */
        wr_charge_list(&l->limits.v[i].c, l->base, b);
    }
    wr_u64(b, l->scopes.n);
    for (uint32_t i = 0; i < l->scopes.n; i++) {
        wr_fix(b, l->scopes.v[i].gateway, 4);
        wr_charge_list(&l->scopes.v[i].c, l->base, b);
    }
}

static void wr_moment(const struct life *l, const struct prog_ix *ix, const struct moment *m,
                      struct buf *b)
{
    uint32_t n = 0, all = m->def && m->f ? m->def->fields->n_fields : 0;
    wr_fix(b, m->event, 4);
    wr_i64(b, m->at - l->base);
    for (uint32_t i = 0; i < all; i++)
        n += m->f[i].t != V_ABSENT;
    wr_u64(b, n);
    for (uint32_t i = 0; i < all; i++) {
        if (m->f[i].t == V_ABSENT)
            continue;
        wr_fix(b, ix->field_id[m->def->index][i], 4);
        wr_val(b, &m->f[i]);
    }
}

#define RUN_EVENT 32 /* beside enum run_flag, in the blob only */
#define RUN_NEXT 64

static void wr_run(const struct life *l, const struct prog_ix *ix, const struct run *r,
                   struct buf *b)
{
    uint8_t f = r->flags;
    f |= r->event.event ? RUN_EVENT : 0;
    f |= r->next.event ? RUN_NEXT : 0;
    wr_fix(b, r->rule, 6);
    wr_fix(b, r->version, 8);
    wr_fix(b, f, 1);
    wr_fix(b, r->depth, 1);
    wr_str(b, r->key);
    wr_fix(b, r->ident, 8);
    wr_i64(b, r->start_ms - l->base);
    wr_i64(b, r->step_ms - r->start_ms);
    wr_u64(b, r->pc);
    wr_u64(b, r->out);
    if (f & RUN_WAITS) {
        wr_i64(b, r->due - l->base);
        wr_i64(b, r->armed - r->due);
    }
    if (f & RUN_CHARGED)
        wr_i64(b, r->charged_ms - l->base);
    if (f & RUN_GOAL)
        wr_i64(b, r->goal_ms - l->base);
    if (f & RUN_EVENT)
        wr_moment(l, ix, &r->event, b);
    if (f & RUN_NEXT)
        wr_moment(l, ix, &r->next, b);
}

static void wr_want(const struct life *l, const struct want *w, uint32_t run, struct buf *b)
{
    wr_u64(b, run);
    wr_str(b, w->message);
    wr_str(b, w->path);
    wr_fix(b, w->state, 1);
    wr_fix(b, w->flags, 1);
    wr_i64(b, w->expire_ms - l->base);
    if (w->state == WANT_OUT) {
        wr_u64(b, w->seq);
        wr_u64(b, w->era);
    } else {
        wr_i64(b, w->due - l->base);
    }
    wr_fix(b, w->gateway, 4);
    if (w->flags & WANT_ANY)
        wr_i64(b, w->any_ms - l->base);
    if (w->flags & WANT_GATE)
        wr_i64(b, w->gate_ms - l->base);
    wr_u64(b, w->tried.n);
    for (uint32_t i = 0; i < w->tried.n; i++)
        wr_fix(b, w->tried.v[i], 4);
    wr_u64(b, w->params.n);
    for (uint32_t i = 0; i < w->params.n; i++) {
        wr_fix(b, w->params.v[i].name, 4);
        wr_val(b, &w->params.v[i].v);
    }
}

/* Dead ones are left out; a message names its run by its place among the others. */
static void wr_runs(const struct life *l, const struct prog_ix *ix, struct buf *b)
{
    uint32_t runs = 0, wants = 0;
    for (uint32_t i = 0; i < l->runs.n; i++)
        runs += !l->runs.v[i].dead;
    for (uint32_t i = 0; i < l->wants.n; i++)
        wants += !l->wants.v[i].dead;
    wr_u64(b, runs);
    for (uint32_t i = 0; i < l->runs.n; i++)
        if (!l->runs.v[i].dead)
            wr_run(l, ix, &l->runs.v[i], b);
    wr_u64(b, wants);
    for (uint32_t i = 0; i < l->wants.n; i++) {
        const struct want *w = &l->wants.v[i];
        uint32_t at = 0;
        if (w->dead)
            continue;
        for (uint32_t k = 0; k < w->run; k++)
            at += !l->runs.v[k].dead;
        wr_want(l, w, at, b);
    }
}

static void wr_more(const struct life *l, const struct prog_ix *ix, struct buf *b)
{
    wr_u64(b, l->optouts.n);
    for (uint32_t i = 0; i < l->optouts.n; i++) {
        wr_fix(b, l->optouts.v[i].gateway, 4);
        wr_i64(b, l->optouts.v[i].at - l->base);
    }
    wr_u64(b, l->kept.n);
    for (uint32_t i = 0; i < l->kept.n; i++)
        wr_moment(l, ix, &l->kept.v[i], b);
}

void life_write(struct life *l, const struct prog_ix *ix, int64_t now_ms, struct buf *out)
{
    l->base = now_ms;
    uint8_t s = sections(l);
    wr_fix(out, LIFE_VERSION, 1);
    wr_fix(out, s, 1);
    wr_u64(out, l->gen);
    wr_i64(out, l->base);
    if (s & HAS_TAG_DUE)
        wr_i64(out, l->tag_due - l->base);
    if (s & HAS_IDLE)
        wr_i64(out, l->idle_due - l->base);
    if (s & HAS_RING)
        wr_ring(l, out);
    if (s & HAS_LAST)
        wr_last(l, out);
    if (s & HAS_TIMED)
        wr_timed(l, out);
    if (s & HAS_CHARGES)
        wr_charges(l, out);
    if (s & HAS_RUNS)
        wr_runs(l, ix, out);
    if (s & HAS_MORE)
        wr_more(l, ix, out);
}

/* ---- reading ---------------------------------------------------------------------------------------- */

/* A count of items of at least `least` bytes each. */
static uint32_t rd_count(struct rd *r, int least)
{
    uint64_t n = rd_u64(r);
    if (n > (uint64_t)(r->end - r->p) / (uint64_t)least) {
        r->bad = true;
        return 0;
    }
    return (uint32_t)n;
}

#define MOMENT_MAX INT64_C(1000000000000000) /* ms: far beyond any calendar, far from overflow */

/* A moment, relative to another. */
static int64_t rd_at(struct rd *r, int64_t base)
{
    int64_t d = rd_i64(r);
    if (d < -MOMENT_MAX || d > MOMENT_MAX || base + d < -MOMENT_MAX || base + d > MOMENT_MAX) {
        r->bad = true;
        return 0;
    }
    return base + d;
}

static void rd_ring(struct life *l, struct rd *r)
{
    uint32_t n = (uint32_t)rd_fix(r, 1);
    if (n > LIFE_RING || (size_t)(r->end - r->p) < n * sizeof *l->ring) {
        r->bad = true;
        return;
    }
    memcpy(l->ring, r->p, n * sizeof *l->ring);
    r->p += n * sizeof *l->ring;
    for (uint32_t i = 0; i < n; i++)
        l->ring[i] = le64toh(l->ring[i]);
    l->n_ring = n;
}

static void rd_last(struct life *l, struct arena *a, struct rd *r)
{
    for (uint32_t n = rd_count(r, 5); n-- > 0;) {
        struct last_at *t = VEC_ADD(a, l->last);
        t->event = (uint32_t)rd_fix(r, 4);
        t->at = rd_at(r, l->base);
    }
}

static void rd_timed(struct life *l, struct arena *a, struct rd *r)
{
    for (uint32_t n = rd_count(r, 9); n-- > 0;) {
        struct timed *t = VEC_ADD(a, l->timed);
        t->rule = rd_fix(r, 6);
        uint8_t f = (uint8_t)rd_fix(r, 1);
        t->done = rd_at(r, f & TIMED_DONE_REL ? l->base : 0);
        t->pend = rd_at(r, f & TIMED_PEND_REL ? l->base : 0);
        t->due = f & TIMED_DUE ? rd_at(r, l->base) : TIME_NEVER;
        t->armed = (f & TIMED_DUE) && (f & TIMED_LAG) ? rd_at(r, t->due) : t->due;
    }
}

static void rd_charge_list(struct charges *c, int64_t base, struct arena *a, struct rd *r)
{
    for (uint32_t n = rd_count(r, 2); n-- > 0;) {
        struct charge *t = VEC_ADD(a, *c);
        t->at = rd_at(r, base);
        t->n = (uint32_t)rd_u64(r);
        base = t->at;
    }
}

static void rd_charges(struct life *l, struct arena *a, struct rd *r)
{
    for (uint32_t n = rd_count(r, 8); n-- > 0;) {
        struct counter *t = VEC_ADD(a, l->limits);
        t->rule = rd_fix(r, 6);
        t->key = rd_fix(r, 1);
        if (t->key)
            t->key |= rd_fix(r, 6) << 8;
        rd_charge_list(&t->c, l->base, a, r);
    }
    for (uint32_t n = rd_count(r, 5); n-- > 0;) {
        struct scope *t = VEC_ADD(a, l->scopes);
        t->gateway = (uint32_t)rd_fix(r, 4);
        rd_charge_list(&t->c, l->base, a, r);
    }
}

static void rd_fields(const struct prog_ix *ix, struct moment *m, struct arena *a, struct rd *r)
{
    uint32_t n = rd_count(r, 5), all = m->def ? m->def->fields->n_fields : 0;
    struct val *f = all ? ARENA_ARRAY(a, struct val, all) : NULL;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t id = (uint32_t)rd_fix(r, 4);
        struct val v = rd_val(r, a, 0);
        for (uint32_t i = 0; i < all; i++)
            if (ix->field_id[m->def->index][i] == id &&
                val_fits(&v, m->def->fields->fields[i].type))
                f[i] = v;
    }
    m->f = n ? f : NULL;
}

static void rd_moment(const struct life *l, const struct prog_ix *ix, struct moment *m,
                      struct arena *a, struct rd *r)
{
    m->event = (uint32_t)rd_fix(r, 4);
    m->at = rd_at(r, l->base);
    m->def = prog_event(ix, m->event);
    rd_fields(ix, m, a, r);
    if (!m->def)
        *m = (struct moment){0};
}

static void rd_run(struct life *l, const struct prog_ix *ix, struct arena *a, struct rd *r)
{
    struct run *t = VEC_ADD(a, l->runs);
    t->rule = rd_fix(r, 6);
    t->version = rd_fix(r, 8);
    uint8_t f = (uint8_t)rd_fix(r, 1);
    t->flags = f & (uint8_t) ~(RUN_EVENT | RUN_NEXT);
    t->depth = (uint8_t)rd_fix(r, 1);
    t->key = rd_str(r);
    t->ident = rd_fix(r, 8);
    t->start_ms = rd_at(r, l->base);
    t->step_ms = rd_at(r, t->start_ms);
    t->pc = (uint32_t)rd_u64(r);
    t->out = (uint32_t)rd_u64(r);
    if (f & RUN_WAITS) {
        t->due = rd_at(r, l->base);
        t->armed = rd_at(r, t->due);
    }
    if (f & RUN_CHARGED)
        t->charged_ms = rd_at(r, l->base);
    if (f & RUN_GOAL)
        t->goal_ms = rd_at(r, l->base);
    if (f & RUN_EVENT)
        rd_moment(l, ix, &t->event, a, r);
    if (f & RUN_NEXT)
        rd_moment(l, ix, &t->next, a, r);
    t->def = prog_version(ix, t->rule, t->version);
    if (t->def && t->pc >= t->def->n_code)
        t->def = NULL;
}

static void rd_want(struct life *l, struct arena *a, struct rd *r)
{
    struct want *t = VEC_ADD(a, l->wants);
    t->run = (uint32_t)rd_u64(r);
    t->message = rd_str(r);
    t->path = rd_str(r);
    t->state = (enum want_state)rd_fix(r, 1);
    t->flags = (uint8_t)rd_fix(r, 1);
    t->expire_ms = rd_at(r, l->base);
    if (t->state == WANT_OUT) {
        t->seq = rd_u64(r);
        t->era = (uint32_t)rd_u64(r);
    } else {
        t->due = rd_at(r, l->base);
    }
    t->gateway = (uint32_t)rd_fix(r, 4);
    if (t->flags & WANT_ANY)
        t->any_ms = rd_at(r, l->base);
    if (t->flags & WANT_GATE)
        t->gate_ms = rd_at(r, l->base);
    for (uint32_t n = rd_count(r, 4); n-- > 0;)
        *VEC_ADD(a, t->tried) = (uint32_t)rd_fix(r, 4);
    for (uint32_t n = rd_count(r, 5); n-- > 0;) {
        struct want_param *p = VEC_ADD(a, t->params);
        p->name = (uint32_t)rd_fix(r, 4);
        p->v = rd_val(r, a, 0);
    }
    if (t->run >= l->runs.n || t->state > WANT_OUT || t->state == WANT_READY)
        r->bad = true;
}

static void rd_more(struct life *l, const struct prog_ix *ix, struct arena *a, struct rd *r)
{
    for (uint32_t n = rd_count(r, 5); n-- > 0;) {
        struct optout *t = VEC_ADD(a, l->optouts);
        t->gateway = (uint32_t)rd_fix(r, 4);
        t->at = rd_at(r, l->base);
    }
    for (uint32_t n = rd_count(r, 6); n-- > 0;) {
        struct moment m = {0};
        rd_moment(l, ix, &m, a, r);
        if (m.def)
            *VEC_ADD(a, l->kept) = m;
    }
}

static void rd_sections(struct life *l, const struct prog_ix *ix, struct arena *a, struct rd *in,
                        uint8_t s)
{
    if (s & HAS_TAG_DUE)
        l->tag_due = rd_at(in, l->base);
    if (s & HAS_IDLE)
        l->idle_due = rd_at(in, l->base);
    if (s & HAS_RING)
        rd_ring(l, in);
    if (s & HAS_LAST)
        rd_last(l, a, in);
    if (s & HAS_TIMED)
        rd_timed(l, a, in);
    if (s & HAS_CHARGES)
        rd_charges(l, a, in);
    if (s & HAS_RUNS) {
        for (uint32_t n = rd_count(in, 27); n-- > 0;)
            rd_run(l, ix, a, in);
        for (uint32_t n = rd_count(in, 13); n-- > 0;)
            rd_want(l, a, in);
    }
    if (s & HAS_MORE)
        rd_more(l, ix, a, in);
}

int life_read(struct life *l, const struct prog_ix *ix, struct arena *a, struct rd *in,
              struct err *err)
{
    life_begin(l, 0);
    uint64_t version = rd_fix(in, 1);
    if (version != LIFE_VERSION)
        return err_code(err, ERR_FATAL, "state_version",
                        "the state is of version %llu, this binary reads up to %d: run a newer one",
                        (unsigned long long)version, LIFE_VERSION);
    uint8_t s = (uint8_t)rd_fix(in, 1);
    l->gen = rd_u64(in);
    l->base = rd_at(in, 0);
    rd_sections(l, ix, a, in, s);
    if (in->bad)
        return err_code(err, ERR_FATAL, "state_corrupt", "the state does not decode");
    return 0;
}
