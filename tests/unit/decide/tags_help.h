/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs made by hand, without the loader, for the tests of tags: one schema of three events, tags
 * added one by one (in name order), the indexes worked out as the loader does.
 */
#ifndef TAGS_HELP_H
#define TAGS_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "decide_priv.h"

enum { EV_BUY, EV_LOOK, EV_PROFILE, N_EV };
enum { F_AMOUNT, F_BIG, F_DAY, F_NOTE, F_QTY, F_SCORE, F_SKU, N_BUY }; /* then id, time, role */

#define MAX_TAGS 64

struct world {
    struct arena *a;
    struct program p;
    struct schema schema;
    struct event_def ev[N_EV];
    const struct event_def *evp[N_EV];
    struct type fields[N_EV];
    struct tag_def tags[MAX_TAGS];
    struct type member;
    struct index_list by_event[N_EV];
    uint32_t watched[MAX_TAGS], n_watched;
    bool kept[N_EV];
};

static const struct type *opt_fields(struct arena *a, struct type *t, const char *const *names,
                                     const struct type *const *types, uint32_t n)
{
    struct field *f = ARENA_ARRAY(a, struct field, n + EVENT_EXTRA);
    const char *extra[] = {"id", "time", "role"};
    const struct type *extra_t[] = {&type_string, &type_timestamp, &type_string};
    for (uint32_t i = 0; i < n + EVENT_EXTRA; i++)
        f[i] = (struct field){.name = str_c(i < n ? names[i] : extra[i - n]),
                              .type = i < n ? types[i] : extra_t[i - n],
                              .optional = i < n};
    *t = (struct type){.kind = TYPE_RECORD, .fields = f, .n_fields = n + EVENT_EXTRA};
    return t;
}

static inline struct world *world_new(const char *zone)
{
    struct arena *a = arena_new(0);
    struct world *w = ARENA_NEW(a, struct world);
    static const char *const buy[] = {"amount", "big", "day", "note", "qty", "score", "sku"};
    static const struct type *const buy_t[] = {&type_money, &type_bool,   &type_date,  &type_string,
                                               &type_int,   &type_double, &type_string};
    static const char *const name[] = {"buy", "look", "profile"};
    w->a = a;
    for (uint32_t e = 0; e < N_EV; e++) {
        w->ev[e] =
            (struct event_def){.name = str_c(name[e]), .index = e, .profile = e == EV_PROFILE};
        w->ev[e].fields = opt_fields(a, &w->fields[e], buy, buy_t, e == EV_PROFILE ? 0 : N_BUY);
        w->evp[e] = &w->ev[e];
    }
    w->schema = (struct schema){.events = w->evp, .n = N_EV};
    w->p.schema = &w->schema;
    w->p.tz = zone ? zone_load(a, NULL, str_c(zone), NULL) : zone_utc();
    assert_non_null(w->p.tz);
    w->schema.tz = w->p.tz;
    w->p.tags = w->tags;
    return w;
}

static inline void world_free(struct world *w)
{
    struct arena *a = w->a;
    arena_free(&a);
}

/* Expression over `event` (no member) or over `member` as far as tags are defined. */
static inline const struct expr *world_expr(struct world *w, bool member, const char *text,
                                            const struct type *want)
{
    struct srcfile *file = ARENA_NEW(w->a, struct srcfile);
    struct diags *d = diags_new();
    const struct expr *e = NULL;
    struct expr_env env = {.event = member ? NULL : &w->fields[EV_BUY], .now = member};
    struct expr_src src = {.file = file, .text = str_c(text)};
    struct buf b;
    if (member) {
        struct field *f = ARENA_ARRAY(w->a, struct field, w->p.n_tags + 1);
        for (uint32_t i = 0; i < w->p.n_tags; i++)
            f[i] = (struct field){w->tags[i].name, w->tags[i].type, true, 0};
        f[w->p.n_tags] = (struct field){STR("id"), &type_string, false, 0};
        struct type *t = ARENA_NEW(w->a, struct type);
        *t = (struct type){.kind = TYPE_RECORD, .fields = f, .n_fields = w->p.n_tags + 1};
        env.member = t;
    }
    file->name = STR("test");
    file->text = src.text;
    if (expr_compile(w->a, &env, &src, want, d, &e) != 0) {
        buf_init(&b, 1 << 20);
        diags_text(d, 10, &b);
        (void)fprintf(stderr, "%s\n", b.p);
        buf_free(&b);
    }
    diags_free(&d);
    assert_non_null(e);
    return e;
}

static const struct type type_strings = {
    .kind = TYPE_LIST, .name = {"list", 4}, .elem = &type_string, .max = 3};

static inline struct tag_def *tag_add(struct world *w, const char *name, enum tag_kind kind,
                                      const struct type *type)
{
    assert_true(w->p.n_tags < MAX_TAGS);
    struct tag_def *d = &w->tags[w->p.n_tags];
    assert_true(w->p.n_tags == 0 || str_cmp(d[-1].name, str_c(name)) < 0);
    *d = (struct tag_def){.name = str_c(name), .index = w->p.n_tags++, .kind = kind, .type = type};
    d->from_event = d->from_field = d->event = d->field = RULE_NONE;
    d->def_hash = hash_bytes(d->name) * 31 + (uint64_t)kind;
    return d;
}

static inline struct tag_def *agg_add(struct world *w, const char *name, enum tag_kind kind,
                                      uint32_t field, enum window_kind win, int64_t n)
{
    static const struct type *const field_t[] = {&type_money,  &type_bool,   &type_date,
                                                 &type_string, &type_int,    &type_double,
                                                 &type_string, &type_string, &type_timestamp};
    struct tag_def *d = tag_add(w, name, kind, NULL);
    d->event = EV_BUY;
    d->field = field;
    d->window = (struct window){win, n};
    d->arg = field == RULE_NONE ? NULL : field_t[field];
    d->max = 3;
    d->type = kind == TAG_COUNT || kind == TAG_DISTINCT || kind == TAG_STREAK ? &type_int
              : kind == TAG_GAP                                               ? &type_duration
              : kind == TAG_AVG                                               ? &type_double
                                                                              : d->arg;
    if (kind == TAG_COLLECT)
        d->type = &type_strings;
    d->def_hash += (uint64_t)win * 7919 + (uint64_t)n;
    return d;
}

static inline void agg_by(struct world *w, struct tag_def *d, const char *by)
{
    struct type *t = ARENA_NEW(w->a, struct type);
    *t = (struct type){.kind = TYPE_MAP, .max = 64, .key = &type_string, .elem = d->type};
    d->type = t;
    d->by = world_expr(w, false, by, &type_string);
    d->def_hash++;
}

static inline struct tag_def *value_add(struct world *w, const char *name, const char *text,
                                        const struct type *type)
{
    const struct expr *e = world_expr(w, true, text, type);
    struct tag_def *d = tag_add(w, name, TAG_VALUE, type);
    uint32_t *reads = ARENA_ARRAY(w->a, uint32_t, MAX_TAGS);
    d->value = e;
    d->public_ = true;
    for (uint32_t i = 0; i < d->index; i++)
        if (expr_uses_tag(e, i))
            reads[d->n_reads++] = i;
    d->reads = reads;
    return d;
}

/* conditions best first; the last name is the else */
static inline struct tag_def *levels_add(struct world *w, const char *name,
                                         const char *const *names, const char *const *when,
                                         uint32_t n, int64_t keep)
{
    struct level *l = ARENA_ARRAY(w->a, struct level, n);
    uint32_t *reads = ARENA_ARRAY(w->a, uint32_t, MAX_TAGS), n_reads = 0;
    for (uint32_t i = 0; i < n; i++)
        l[i] = (struct level){str_c(names[i]),
                              i + 1 < n ? world_expr(w, true, when[i], &type_bool) : NULL};
    for (uint32_t t = 0; t < w->p.n_tags; t++)
        for (uint32_t i = 0; i + 1 < n; i++)
            if (expr_uses_tag(l[i].when, t) && (n_reads == 0 || reads[n_reads - 1] != t))
                reads[n_reads++] = t;
    struct tag_def *d = tag_add(w, name, TAG_LEVELS, &type_string);
    d->levels = l;
    d->n_levels = n;
    d->keep_ms = keep;
    d->reads = reads;
    d->n_reads = n_reads;
    d->public_ = true;
    return d;
}

/* The indexes. Values and levels may only read tags before them, so index order is dependency order. */
static inline const struct program *world_done(struct world *w)
{
    uint32_t *derived = ARENA_ARRAY(w->a, uint32_t, MAX_TAGS), n_derived = 0;
    uint32_t *watched = ARENA_ARRAY(w->a, uint32_t, MAX_TAGS), n_watched = 0;
    for (uint32_t e = 0; e < N_EV; e++) {
        uint32_t *v = ARENA_ARRAY(w->a, uint32_t, MAX_TAGS), n = 0;
        for (uint32_t i = 0; i < w->p.n_tags; i++)
            if (w->tags[i].event == e || w->tags[i].from_event == e)
                v[n++] = i;
        w->by_event[e] = (struct index_list){v, n};
    }
    for (uint32_t i = 0; i < w->p.n_tags; i++) {
        bool d = w->tags[i].kind == TAG_VALUE || w->tags[i].kind == TAG_LEVELS;
        if (d)
            derived[n_derived++] = i;
        if (w->tags[i].public_ || w->tags[i].kind == TAG_LEVELS)
            watched[n_watched++] = i;
    }
    uint32_t n_stored = 0;
    for (uint32_t i = 0; i < w->p.n_tags; i++)
        n_stored += w->tags[i].kind == TAG_STORED;
    const char **names = ARENA_ARRAY(w->a, const char *, n_stored + 1);
    const struct type **types = ARENA_ARRAY(w->a, const struct type *, n_stored + 1);
    n_stored = 0;
    for (uint32_t i = 0; i < w->p.n_tags; i++)
        if (w->tags[i].kind == TAG_STORED) {
            names[n_stored] = w->tags[i].name.p;
            types[n_stored++] = w->tags[i].type;
        }
    w->ev[EV_PROFILE].fields = opt_fields(w->a, &w->fields[EV_PROFILE], names, types, n_stored);
    w->p.tags_by_event = w->by_event;
    w->p.derived = (struct index_list){derived, n_derived};
    w->p.watched = (struct index_list){watched, n_watched};
    w->p.kept_event = w->kept;
    return &w->p;
}

/* ---- events ---- */

struct test_event {
    struct event ev;
    struct val f[16];
};

static inline void event_make(struct world *w, uint32_t e, int64_t at, struct test_event *out)
{
    uint32_t n = w->fields[e].n_fields;
    memset(out, 0, sizeof *out);
    out->ev = (struct event){.def = &w->ev[e], .id = STR("e1"), .member = STR("m"), .at_ms = at};
    out->ev.f = out->f;
    out->f[n - 3] = val_str(STR("e1"));
    out->f[n - 2] = val_time_ms(at);
    out->f[n - 1] = val_str(STR(""));
}

static inline void event_put(struct tagset *t, const struct test_event *e, int64_t now)
{
    static struct expr_ctx ctx;
    ctx.event = e->ev.f;
    ctx.now_ms = now;
    tagset_event(t, &e->ev, &ctx, now);
}

static inline void buy(struct world *w, struct tagset *t, int64_t at, int64_t now, int64_t fen)
{
    struct test_event e;
    event_make(w, EV_BUY, at, &e);
    e.f[F_AMOUNT] = val_money(fen);
    event_put(t, &e, now);
}

/* Write and read again under p. */
static inline void again(struct tagset *t, const struct program *p, int64_t now)
{
    struct buf b;
    struct err err = {0};
    buf_init(&b, 1 << 20);
    tagset_write(t, &b);
    assert_false(b.over);
    struct rd r = {(const uint8_t *)b.p, (const uint8_t *)b.p + b.n, false};
    if (tagset_read(t, p, &r, now, &err) != 0)
        fail_msg("%s", err.text);
    assert_ptr_equal(r.p, r.end);
    memset(b.p, 0xdd, b.n); /* nothing may point into it any more */
    buf_free(&b);
}

static inline int64_t at_local(const struct world *w, int y, int m, int d, int hour, int min)
{
    return time_at(w->p.tz, time_days(y, m, d), hour * 60 + min);
}

static inline void val_show(const struct val *v, char *out, size_t n)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_addf(&b, "%d:", v->t);
    val_text(v, &b);
    (void)snprintf(out, n, "%s", b.p);
    buf_free(&b);
}

static inline void expect_text(struct tagset *t, uint32_t tag, int64_t now, const char *want)
{
    struct val v;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_adds(&b, "");
    if (tagset_get(t, tag, now, &v) == 1)
        val_text(&v, &b);
    else
        buf_adds(&b, "-");
    assert_string_equal(b.p, want);
    buf_free(&b);
}

static inline uint32_t settle(struct tagset *t, int64_t now, const struct tag_change **c)
{
    return tagset_settle(t, now, c);
}

static inline void put_set(struct tagset *t, uint32_t tag, const char *text, int64_t at, int want)
{
    struct val v = text ? val_str(str_c(text)) : (struct val){.t = V_NULL};
    assert_int_equal(tagset_set(t, tag, &v, at), want);
}

/* A small shop: orders, basket, spending, a segment, a level, a value on both. */
static inline struct world *shop(int64_t keep)
{
    static const char *const names[] = {"gold", "silver", "basic"};
    static const char *const when[] = {"member.c_spend >= 100", "member.c_spend >= 10"};
    struct world *w = world_new("Asia/Shanghai");
    agg_add(w, "a_orders", TAG_COUNT, RULE_NONE, WIN_DAYS, 30);
    agg_add(w, "b_avg", TAG_AVG, F_AMOUNT, WIN_DAYS, 180);
    agg_add(w, "c_spend", TAG_SUM, F_AMOUNT, WIN_DAYS, 10);
    value_add(w, "d_loyal", "member.a_orders >= 3 && member.b_avg > 200", &type_bool);
    levels_add(w, "e_level", names, when, 3, keep);
    value_add(w, "f_vip", "member.d_loyal && member.e_level == 'gold'", &type_bool);
    value_add(w, "g_avg", "member.b_avg * 2.0", &type_double);
    world_done(w);
    return w;
}

#endif
