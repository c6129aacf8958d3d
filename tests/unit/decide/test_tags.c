/* SPDX-License-Identifier: Apache-2.0 */
/* Tags one by one: stored writes, windows at their edges, keys, values, levels, changes. */
#include "tags_help.h"

#define SH "Asia/Shanghai"

/* ---- stored ---- */

static void test_stored(void **state)
{
    (void)state;
    struct world *w = world_new(SH);
    struct tag_def *kol = tag_add(w, "kol", TAG_STORED, &type_bool);
    struct tag_def *name = tag_add(w, "name", TAG_STORED, &type_string);
    int64_t day = TIME_DAY, now = at_local(w, 2026, 3, 2, 10, 0);
    struct tagset *t = tagset_new();
    struct val yes = val_bool(true), v;
    const struct tag_change *c;
    kol->ttl_ms = 90 * day;
    name->has_default = true;
    name->dflt = val_str(STR("member"));
    const struct program *p = world_done(w);
    tagset_begin(t, p);
    assert_true(tagset_is_new(t, now));
    assert_int_equal(settle(t, now, &c), 0);
    expect_text(t, 0, now, "-");
    expect_text(t, 1, now, "member");

    put_set(t, 1, "Li", now, 1);
    put_set(t, 1, "Li", now + 1, 0);   /* the same value, but the write is newer */
    put_set(t, 1, "Wu", now, 0);       /* older than the last write */
    put_set(t, 1, "Zhao", now + 1, 1); /* not older */
    assert_int_equal(tagset_set(t, 0, &yes, now), 1);
    assert_int_equal(settle(t, now, &c), 2);
    assert_int_equal(c[0].tag, 0);
    assert_false(c[0].had);
    assert_true(c[0].has && c[0].after.b && !c[0].first);
    assert_int_equal(c[1].tag, 1); /* once, from the default to the last */
    assert_true(str_eqc(val_get_str(c[1].before), "member"));
    assert_true(str_eqc(val_get_str(c[1].after), "Zhao"));
    again(t, p, now);
    put_set(t, 1, "Wu", now + 2, 1);
    put_set(t, 1, "Zhao", now + 2, 1); /* there and back is no change */
    assert_int_equal(settle(t, now, &c), 0);
    put_set(t, 1, "member", now + 2, 1);
    assert_int_equal(settle(t, now, &c), 1);
    again(t, p, now);
    assert_int_equal(settle(t, now, &c), 0);

    put_set(t, 1, NULL, now + 3, 0); /* unset shows the default, which was the value */
    put_set(t, 1, "late", now + 2, 0);
    again(t, p, now);
    put_set(t, 1, "late", now + 2, 0); /* the unsetting is remembered */
    expect_text(t, 1, now, "member");

    assert_int_equal(tagset_next(t, now), now + 90 * day);
    assert_int_equal(tagset_get(t, 0, now + 90 * day - 1, &v), 1);
    assert_int_equal(tagset_get(t, 0, now + 90 * day, &v), 0);
    again(t, p, now + 90 * day);
    assert_int_equal(settle(t, now + 90 * day, &c), 1);
    assert_true(c[0].tag == 0 && c[0].had && c[0].before.b && !c[0].has);
    assert_int_equal(tagset_next(t, now + 90 * day), TIME_NEVER);
    assert_int_equal(tagset_set(t, 0, &yes, now + 10 * day), 1); /* late, but its ttl is not over */
    tagset_free(&t);
    world_free(w);
}

static void test_ttl_from_last_write(void **state)
{
    (void)state;
    struct world *w = world_new(SH);
    struct tag_def *kol = tag_add(w, "kol", TAG_STORED, &type_bool);
    struct tagset *t = tagset_new();
    struct val yes = val_bool(true), v;
    kol->ttl_ms = 1000;
    const struct program *p = world_done(w);
    tagset_begin(t, p);
    assert_int_equal(tagset_set(t, 0, &yes, 5000), 1);
    assert_int_equal(tagset_set(t, 0, &yes, 5500), 0);
    again(t, p, 5500);
    assert_int_equal(tagset_next(t, 5500), 6500);
    assert_int_equal(tagset_idle(t, 5500), 6500);
    assert_false(tagset_is_new(t, 6499));
    assert_true(tagset_is_new(t, 6500));
    assert_int_equal(tagset_get(t, 0, 6499, &v), 1);
    v.t = V_NULL;
    assert_int_equal(tagset_set(t, 0, &v, 5600), 1);
    assert_int_equal(tagset_idle(t, 5700), 6600); /* the unsetting holds as long as a write would */
    tagset_free(&t);
    world_free(w);
}

static void test_profile_and_from(void **state)
{
    (void)state;
    struct world *w = world_new(SH);
    tag_add(w, "name", TAG_STORED, &type_string);
    struct tag_def *note = tag_add(w, "note", TAG_STORED, &type_string);
    note->from_event = EV_BUY;
    note->from_field = F_NOTE;
    tag_add(w, "points", TAG_STORED, &type_int);
    const struct program *p = world_done(w);
    struct tagset *t = tagset_new();
    struct test_event e;
    tagset_begin(t, p);
    event_make(w, EV_PROFILE, 1000, &e);
    e.f[0] = val_str(STR("Li"));
    e.f[2] = val_int(-7);
    event_put(t, &e, 1000);
    event_make(w, EV_BUY, 2000, &e);
    e.f[F_NOTE] = val_str(STR("hello"));
    event_put(t, &e, 2000);
    again(t, p, 2000);
    event_make(w, EV_BUY, 3000, &e); /* absent leaves it */
    event_put(t, &e, 3000);
    event_make(w, EV_PROFILE, 3000, &e); /* null unsets */
    e.f[0] = (struct val){.t = V_NULL};
    event_put(t, &e, 3000);
    again(t, p, 3000);
    expect_text(t, 0, 3000, "-");
    expect_text(t, 1, 3000, "hello");
    expect_text(t, 2, 3000, "-7");
    tagset_free(&t);
    world_free(w);
}

/* Every type of stored tag comes back as it went in. */
static void test_stored_types(void **state)
{
    (void)state;
    struct world *w = world_new(SH);
    struct type list = {.kind = TYPE_LIST, .elem = &type_string};
    const struct type *types[] = {&type_address, &type_bool,     &type_date,      &type_double,
                                  &type_double,  &type_duration, &type_int,       &type_date,
                                  &list,         &type_money,    &type_timestamp, &type_int};
    struct val items[2] = {val_str(STR("a")), val_str(STR(""))};
    struct val v[] = {val_str(STR("13800001111")),
                      val_bool(false),
                      val_str(STR("2000-02-29")),
                      val_double(-0.0),
                      val_double(0.1),
                      {.t = V_DURATION, .i = -5},
                      val_int(INT64_MIN),
                      val_str(STR("not a date")),
                      {.t = V_LIST, .n = 2, .list = items},
                      val_money(-12345),
                      {.t = V_TIMESTAMP, .n = 999999999, .i = -62135596800},
                      val_int(INT64_MAX)},
               got;
    for (uint32_t i = 0; i < BASE_LEN(types); i++)
        tag_add(w, arena_printf(w->a, "t%02u", i), TAG_STORED, types[i]);
    const struct program *p = world_done(w);
    struct tagset *t = tagset_new();
    tagset_begin(t, p);
    for (uint32_t i = 0; i < BASE_LEN(types); i++)
        assert_int_equal(tagset_set(t, i, &v[i], 1000 * (i % 3)), 1);
    for (int round = 0; round < 3; round++) {
        again(t, p, 5000);
        for (uint32_t i = 0; i < BASE_LEN(types); i++) {
            assert_int_equal(tagset_get(t, i, 5000, &got), 1);
            assert_true(val_eq(&got, &v[i]));
        }
    }
    struct val wrong = val_int(1);
    assert_int_equal(tagset_set(t, 0, &wrong, 9000), 0); /* not of the tag's type */
    tagset_free(&t);
    world_free(w);
}

/* ---- windows ---- */

static void test_midnight(void **state)
{
    (void)state;
    struct world *w = world_new(SH);
    agg_add(w, "d7", TAG_COUNT, RULE_NONE, WIN_DAYS, 7);
    agg_add(w, "len", TAG_COUNT, RULE_NONE, WIN_LENGTH, 30 * TIME_MIN);
    agg_add(w, "month", TAG_SUM, F_AMOUNT, WIN_MONTH, 0);
    agg_add(w, "week", TAG_COUNT, RULE_NONE, WIN_WEEK, 0);
    const struct program *p = world_done(w);
    struct tagset *t = tagset_new();
    int64_t now = at_local(w, 2026, 3, 1, 23, 59); /* a Sunday */
    tagset_begin(t, p);
    buy(w, t, now, now, 19990);
    again(t, p, now);
    expect_text(t, 3, now, "1");
    expect_text(t, 3, now + TIME_MIN, "0"); /* Monday */
    expect_text(t, 0, at_local(w, 2026, 3, 7, 23, 59), "1");
    expect_text(t, 0, at_local(w, 2026, 3, 8, 0, 0), "0");
    expect_text(t, 1, now + 30 * TIME_MIN - 1, "1");
    expect_text(t, 1, now + 30 * TIME_MIN, "0");
    expect_text(t, 2, at_local(w, 2026, 3, 31, 23, 59), "199.90");
    expect_text(t, 2, at_local(w, 2026, 4, 1, 0, 0), "0.00");
    now = at_local(w, 2026, 3, 8, 0, 0);
    buy(w, t, at_local(w, 2026, 3, 1, 12, 0), now, 100); /* older than the window: not counted */
    expect_text(t, 0, now, "0");
    expect_text(t, 2, now, "200.90"); /* but of this month */
    buy(w, t, at_local(w, 2026, 3, 2, 0, 0), now, 100);
    expect_text(t, 0, now, "1");
    assert_int_equal(tagset_idle(t, now), at_local(w, 2026, 4, 1, 0, 0));
    assert_int_equal(tagset_next(t, now), at_local(w, 2026, 4, 1, 0, 0)); /* nothing is watched */
    tagset_free(&t);
    world_free(w);
}

static void test_distinct_saturates(void **state)
{
    (void)state;
    struct world *w = world_new(SH);
    struct tag_def *d = agg_add(w, "ever", TAG_DISTINCT, F_QTY, WIN_EVER, 0);
    struct tag_def *e3 = agg_add(w, "three", TAG_DISTINCT, F_QTY, WIN_DAYS, 3);
    const struct program *p = world_done(w);
    struct tagset *t = tagset_new();
    struct test_event e;
    int64_t now = at_local(w, 2026, 3, 1, 8, 0);
    tagset_begin(t, p);
    for (int i = 0; i < 500;
         i++) { /* 300 on the first day; 200 of them and 100 more on the second */
        int64_t at = now + (i >= 300 ? TIME_DAY : 0) + i;
        event_make(w, EV_BUY, at, &e);
        e.f[F_QTY] = val_int(i < 300 ? i : i - 200);
        event_put(t, &e, at);
    }
    again(t, p, now + TIME_DAY);
    expect_text(t, d->index, now + TIME_DAY, "256");
    expect_text(t, e3->index, now + TIME_DAY, "256");
    expect_text(t, e3->index, now + 3 * TIME_DAY, "200"); /* the first day is out of sight */
    expect_text(t, e3->index, now + 4 * TIME_DAY, "0");
    tagset_free(&t);
    world_free(w);
}

static void test_money_is_exact(void **state)
{
    (void)state;
    struct world *w = world_new(SH);
    agg_add(w, "avg", TAG_AVG, F_AMOUNT, WIN_EVER, 0);
    agg_add(w, "sum", TAG_SUM, F_AMOUNT, WIN_EVER, 0);
    const struct program *p = world_done(w);
    struct tagset *t = tagset_new();
    struct val v;
    tagset_begin(t, p);
    for (int i = 0; i < 3; i++)
        buy(w, t, i, i, 19990);
    assert_int_equal(tagset_get(t, 0, 9, &v), 1);
    assert_int_equal(v.t, V_DOUBLE);
    assert_true(v.d >= 199.9 && v.d <= 199.9);
    for (int i = 0; i < 4; i++)
        buy(w, t, i, i, INT64_MAX - i);
    assert_int_equal(tagset_get(t, 1, 9, &v), 1);
    assert_true(v.t == V_MONEY && v.i == INT64_MAX); /* stops, does not wrap */
    tagset_free(&t);
    world_free(w);
}

/* Sums beyond 2^53 are still divided with one rounding: compared with long division in 128 bits. */
static void test_large_averages(void **state)
{
    (void)state;
    static const struct {
        int64_t fen[3];
        double want;
    } v[] = {
        {{9007199254740993, 0, 0}, 30023997515803.31},
        {{INT64_C(900719925474099301), INT64_C(900719925474099302), INT64_C(900719925474099303)},
         9007199254740993.02},
        {{-INT64_C(4611686018427387904), -1, -INT64_C(4611686018427387903)}, -30744573456182588.0},
    };
    for (size_t i = 0; i < BASE_LEN(v); i++) {
        struct world *w = world_new(SH);
        struct tagset *t = tagset_new();
        struct val got;
        agg_add(w, "avg", TAG_AVG, F_AMOUNT, WIN_EVER, 0);
        tagset_begin(t, world_done(w));
        for (int k = 0; k < 3; k++)
            buy(w, t, k, k, v[i].fen[k]);
        again(t, &w->p, 5);
        assert_int_equal(tagset_get(t, 0, 5, &got), 1);
        assert_memory_equal(&got.d, &v[i].want, sizeof got.d);
        tagset_free(&t);
        world_free(w);
    }
}

static void test_by_evicts(void **state)
{
    (void)state;
    struct world *w = world_new(SH);
    struct tag_def *d = agg_add(w, "views", TAG_COUNT, RULE_NONE, WIN_DAYS, 3);
    agg_by(w, d, "event.sku");
    const struct program *p = world_done(w);
    struct tagset *t = tagset_new();
    struct test_event e;
    struct val v, key;
    char sku[16];
    tagset_begin(t, p);
    for (int i = 0; i < 70; i++) {
        event_make(w, EV_BUY, 1000 + i, &e);
        (void)snprintf(sku, sizeof sku, "s%02d", i == 60 ? 0 : i); /* s00 is touched again */
        e.f[F_SKU] = val_str(str_c(sku));
        event_put(t, &e, 1000 + i);
    }
    assert_int_equal(tagset_evictions(t), 5);
    assert_int_equal(tagset_get(t, 0, 2000, &v), 1);
    assert_int_equal(v.n, 64);
    key = val_str(STR("s00"));
    assert_int_equal(tagset_get_at(t, 0, &key, 2000, &v), 1);
    assert_int_equal(v.i, 2);
    key = val_str(STR("s05"));
    assert_int_equal(tagset_get_at(t, 0, &key, 2000, &v), 0);
    event_make(w, EV_BUY, 3000, &e); /* an error of `by` */
    event_put(t, &e, 3000);
    assert_int_equal(tagset_errors(t), 1);
    again(t, p, 3000);
    assert_int_equal(tagset_evictions(t), 0);
    for (int i = 0; i < 70; i++) { /* keys out of sight are no evictions */
        event_make(w, EV_BUY, 10 * TIME_DAY + i, &e);
        (void)snprintf(sku, sizeof sku, "x%02d", i % 64);
        e.f[F_SKU] = val_str(str_c(sku));
        event_put(t, &e, 10 * TIME_DAY + i);
    }
    assert_int_equal(tagset_evictions(t), 0);
    tagset_free(&t);
    world_free(w);
}

/* ---- values and changes ---- */

static void test_changes(void **state)
{
    (void)state;
    struct world *w = shop(TIME_NEVER);
    struct tagset *t = tagset_new();
    const struct tag_change *c;
    int64_t now = at_local(w, 2026, 3, 2, 10, 0);
    w->p.uses_old = true;
    tagset_begin(t, &w->p);
    expect_text(t, 3, now, "false");
    expect_text(t, 4, now, "basic");
    expect_text(t, 6, now, "-");
    assert_int_equal(settle(t, now, &c), 0); /* a new member starts from these */
    assert_true(tagset_is_new(t, now));
    buy(w, t, now, now, 1000);
    assert_int_equal(settle(t, now, &c), 2);
    assert_int_equal(c[0].tag, 4);
    assert_true(c[0].had && str_eqc(val_get_str(c[0].before), "basic"));
    assert_true(c[0].has && str_eqc(val_get_str(c[0].after), "silver"));
    assert_true(c[1].tag == 6 && !c[1].had && c[1].has);
    assert_true(c[1].after.d >= 20 && c[1].after.d <= 20);
    again(t, &w->p, now);
    assert_int_equal(settle(t, now, &c), 0);
    buy(w, t, now, now, 30000);
    tagset_snapshot(t, now);
    buy(w, t, now, now, 50000);
    again(t, &w->p, now);
    assert_int_equal(settle(t, now, &c), 4);
    assert_int_equal(c[0].tag, 3);
    assert_int_equal(c[1].tag, 4);
    assert_true(str_eqc(val_get_str(c[1].after), "gold"));
    assert_true(c[2].tag == 5 && !c[2].before.b && c[2].after.b);
    struct val v;
    assert_int_equal(tagset_old(t, 4, &v), 1);
    assert_true(str_eqc(val_get_str(v), "silver"));
    assert_int_equal(tagset_old(t, 0, &v), 1);
    assert_int_equal(v.i, 2);
    again(t, &w->p, now);
    expect_text(t, 4, now, "gold");
    /* loyal ends when the 30 days of orders do; gold never */
    int64_t next = tagset_next(t, now);
    assert_int_equal(next, at_local(w, 2026, 3, 12, 0, 0)); /* the spend leaves */
    again(t, &w->p, next);
    assert_int_equal(settle(t, next, &c), 0);
    next = tagset_next(t, next);
    assert_int_equal(next, at_local(w, 2026, 4, 1, 0, 0));
    again(t, &w->p, next);
    assert_int_equal(settle(t, next, &c), 2);
    assert_true(c[0].tag == 3 && !c[0].after.b);
    assert_true(c[1].tag == 5 && !c[1].after.b);
    expect_text(t, 4, next, "gold");
    assert_int_equal(tagset_idle(t, next), TIME_NEVER);
    tagset_free(&t);
    world_free(w);
}

static void test_keep(void **state)
{
    (void)state;
    struct world *w = shop(5 * TIME_DAY);
    struct tagset *t = tagset_new();
    const struct tag_change *c;
    int64_t now = at_local(w, 2026, 3, 2, 10, 0), next;
    tagset_begin(t, &w->p);
    buy(w, t, now, now, 9000);
    assert_int_equal(settle(t, now, &c), 2);
    now += 2 * TIME_DAY; /* 03-04 */
    buy(w, t, now, now, 2000);
    (void)settle(t, now, &c);
    expect_text(t, 4, now, "gold");
    again(t, &w->p, now);
    next = tagset_next(t, now); /* 90 yuan leave on 03-12: silver or worse from then on */
    assert_int_equal(next, at_local(w, 2026, 3, 12, 0, 0));
    (void)settle(t, next, &c);
    expect_text(t, 4, next, "gold");
    again(t, &w->p, next);
    next = tagset_next(t, next); /* the rest leaves on 03-14: basic from then on */
    assert_int_equal(next, at_local(w, 2026, 3, 14, 0, 0));
    (void)settle(t, next, &c);
    again(t, &w->p, next);
    next = tagset_next(t, next);
    assert_int_equal(next, at_local(w, 2026, 3, 17, 0, 0)); /* silver has lasted five days */
    assert_int_equal(settle(t, next - 1, &c), 0);
    assert_int_equal(settle(t, next, &c), 1);
    assert_true(str_eqc(val_get_str(c[0].after), "silver"));
    again(t, &w->p, next);
    next = tagset_next(t, next);
    assert_int_equal(next, at_local(w, 2026, 3, 19, 0, 0));
    assert_int_equal(settle(t, next, &c), 1);
    assert_true(str_eqc(val_get_str(c[0].after), "basic"));
    tagset_free(&t);
    world_free(w);
}

static void test_keep_interrupted(void **state)
{
    (void)state;
    struct world *w = shop(5 * TIME_DAY);
    struct tagset *t = tagset_new();
    const struct tag_change *c;
    int64_t now = at_local(w, 2026, 3, 2, 10, 0), gone = at_local(w, 2026, 3, 12, 0, 0);
    tagset_begin(t, &w->p);
    buy(w, t, now, now, 10000);
    (void)settle(t, now, &c);
    (void)settle(t, gone, &c); /* basic begins */
    buy(w, t, gone + TIME_DAY, gone + TIME_DAY, 5000);
    (void)settle(t, gone + TIME_DAY, &c); /* silver again: it has been silver or worse all along */
    again(t, &w->p, gone + TIME_DAY);
    assert_int_equal(tagset_next(t, gone + TIME_DAY), gone + 5 * TIME_DAY);
    buy(w, t, gone + 2 * TIME_DAY, gone + 2 * TIME_DAY, 5000);
    assert_int_equal(settle(t, gone + 2 * TIME_DAY, &c), 1); /* gold: nothing falls any more */
    assert_int_equal(c[0].tag, 6);
    again(t, &w->p, gone + 2 * TIME_DAY);
    assert_int_equal(settle(t, gone + 5 * TIME_DAY, &c), 0);
    expect_text(t, 4, gone + 5 * TIME_DAY, "gold");
    tagset_free(&t);
    world_free(w);
}

static void test_now(void **state)
{
    (void)state;
    struct world *w = world_new(SH);
    agg_add(w, "a_last", TAG_LAST, N_BUY + 1, WIN_EVER, 0);
    value_add(w, "b_away", "member.a_last < now - days(2)", &type_bool);
    const struct program *p = world_done(w);
    struct tagset *t = tagset_new();
    const struct tag_change *c;
    int64_t now = at_local(w, 2026, 3, 2, 10, 0);
    tagset_begin(t, p);
    assert_int_equal(tagset_next(t, now), now + 1); /* nothing there: idle now */
    buy(w, t, now, now, 1);
    assert_int_equal(settle(t, now, &c), 0);
    again(t, p, now);
    assert_int_equal(tagset_next(t, now), at_local(w, 2026, 3, 3, 0, 0));
    expect_text(t, 1, now + 3 * TIME_DAY, "true");
    now = at_local(w, 2026, 3, 5, 0, 0);
    again(t, p, now);
    assert_int_equal(settle(t, now, &c), 1);
    assert_int_equal(c[0].tag, 1);
    tagset_free(&t);
    world_free(w);
}

/* A watched aggregate, by key and without. */
static void test_watched_aggregates(void **state)
{
    (void)state;
    struct world *w = world_new(SH);
    agg_add(w, "a", TAG_MAX, F_AMOUNT, WIN_DAYS, 2)->public_ = true;
    struct tag_def *by = agg_add(w, "b", TAG_COUNT, RULE_NONE, WIN_DAYS, 2);
    by->public_ = true;
    agg_by(w, by, "event.sku");
    const struct program *p = world_done(w);
    struct tagset *t = tagset_new();
    const struct tag_change *c;
    struct test_event e;
    int64_t now = at_local(w, 2026, 3, 2, 10, 0);
    tagset_begin(t, p);
    event_make(w, EV_BUY, now, &e);
    e.f[F_AMOUNT] = val_money(500);
    e.f[F_SKU] = val_str(STR("x"));
    event_put(t, &e, now);
    assert_int_equal(settle(t, now, &c), 2);
    assert_true(!c[0].had && c[0].after.t == V_MONEY && c[0].after.i == 500);
    assert_true(c[1].had && c[1].before.t == V_NULL && c[1].after.t == V_MAP && c[1].after.n == 1);
    again(t, p, now);
    assert_int_equal(settle(t, now, &c), 0);
    e.f[F_AMOUNT] = val_money(400);
    event_put(t, &e, now);
    assert_int_equal(settle(t, now, &c), 1);
    assert_int_equal(c[0].tag, 1);
    again(t, p, now);
    now = tagset_next(t, now);
    assert_int_equal(now, at_local(w, 2026, 3, 4, 0, 0));
    assert_int_equal(settle(t, now, &c), 2);
    assert_true(c[0].had && c[0].before.i == 500 && !c[0].has);
    assert_int_equal(c[1].after.n, 0);
    again(t, p, now);
    assert_true(tagset_is_new(t, now));
    assert_int_equal(tagset_idle(t, now), now);
    tagset_free(&t);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored),
        cmocka_unit_test(test_ttl_from_last_write),
        cmocka_unit_test(test_profile_and_from),
        cmocka_unit_test(test_stored_types),
        cmocka_unit_test(test_midnight),
        cmocka_unit_test(test_distinct_saturates),
        cmocka_unit_test(test_money_is_exact),
        cmocka_unit_test(test_large_averages),
        cmocka_unit_test(test_by_evicts),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_keep_interrupted),
        cmocka_unit_test(test_now),
        cmocka_unit_test(test_watched_aggregates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
