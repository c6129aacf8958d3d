/* SPDX-License-Identifier: Apache-2.0 */
/* Tags as a whole: programs that change under a member, the blob, room, and the moments at which time
 * alone changes something. */
#include "tags_help.h"

#define SH "Asia/Shanghai"

/* ---- another program ---- */

struct later {
    struct world *w, *w2;
    const struct program *p, *p2;
    struct tagset *t;
    int64_t now;
};

/* A member of program 1 is read under program 2, which has more tags and lacks one. */
static void later_begin(struct later *l)
{
    static const char *const names[] = {"hi", "lo"};
    static const char *const when[] = {"member.b_days >= 1"};
    struct world *w = l->w = world_new(SH), *w2 = l->w2 = world_new(SH);
    agg_add(w, "a_ever", TAG_COUNT, RULE_NONE, WIN_EVER, 0);
    agg_add(w, "x_gone", TAG_COUNT, RULE_NONE, WIN_EVER, 0);
    tag_add(w, "z_name", TAG_STORED, &type_string);
    agg_add(w2, "a_ever", TAG_COUNT, RULE_NONE, WIN_EVER, 0);
    agg_add(w2, "b_days", TAG_COUNT, RULE_NONE, WIN_DAYS, 3);
    agg_add(w2, "c_ever", TAG_COUNT, RULE_NONE, WIN_EVER, 0);
    value_add(w2, "d_big", "member.a_ever >= 1", &type_bool);
    value_add(w2, "e_days", "member.b_days >= 1", &type_bool);
    levels_add(w2, "f_level", names, when, 2, 0);
    agg_add(w2, "g_week", TAG_COUNT, RULE_NONE, WIN_WEEK, 0);
    agg_add(w2, "h_len", TAG_COUNT, RULE_NONE, WIN_LENGTH, TIME_HOUR);
    tag_add(w2, "z_name", TAG_STORED, &type_string);
    l->p = world_done(w);
    l->p2 = world_done(w2);
    l->t = tagset_new();
    l->now = at_local(w, 2026, 3, 3, 10, 0); /* a Tuesday */
    tagset_begin(l->t, l->p);
    buy(w, l->t, l->now, l->now, 100);
    put_set(l->t, 2, "Li", l->now, 1);
    again(l->t, l->p2, l->now);
}

static void later_end(struct later *l)
{
    tagset_free(&l->t);
    world_free(l->w);
    world_free(l->w2);
}

static void test_added_later(void **state)
{
    (void)state;
    struct later l;
    const struct tag_change *c;
    later_begin(&l);
    expect_text(l.t, 0, l.now, "1");
    expect_text(l.t, 1, l.now, "-");
    expect_text(l.t, 8, l.now, "Li");
    buy(l.w2, l.t, l.now, l.now, 100);
    assert_int_equal(settle(l.t, l.now, &c), 1);
    assert_true(c[0].tag == 3 && c[0].first && !c[0].had && c[0].has && c[0].after.b);
    for (int round = 0; round < 2; round++) {
        again(l.t, l.p2, l.now);
        expect_text(l.t, 0, l.now, "2");
        expect_text(l.t, 1, l.now, "-"); /* its window has not passed */
        expect_text(l.t, 2, l.now, "-");
        expect_text(l.t, 5, l.now, "-");
        assert_int_equal(settle(l.t, l.now, &c), 0);
    }
    expect_text(l.t, 7, l.now + TIME_HOUR - TIME_MIN, "-");
    expect_text(l.t, 7, l.now + TIME_HOUR, "0");
    expect_text(l.t, 6, at_local(l.w, 2026, 3, 8, 23, 0), "-");
    expect_text(l.t, 6, at_local(l.w, 2026, 3, 9, 0, 0), "0"); /* a week is known from its start */
    assert_int_equal(tagset_next(l.t, l.now), at_local(l.w, 2026, 3, 6, 0, 0));
    assert_false(tagset_is_new(l.t, l.now));
    later_end(&l);
}

static void test_added_later_becomes_known(void **state)
{
    (void)state;
    struct later l;
    const struct tag_change *c;
    later_begin(&l);
    (void)settle(l.t, l.now, &c);
    l.now += 2 * TIME_DAY;
    buy(l.w2, l.t, l.now, l.now, 100);
    again(l.t, l.p2, l.now);
    assert_int_equal(settle(l.t, l.now, &c), 0);
    l.now = at_local(l.w, 2026, 3, 6, 0, 0); /* three days after the one that was not whole */
    again(l.t, l.p2, l.now);
    assert_int_equal(settle(l.t, l.now, &c), 2);
    assert_true(c[0].tag == 4 && c[0].first && c[0].after.b);
    assert_true(c[1].tag == 5 && c[1].first && str_eqc(val_get_str(c[1].after), "hi"));
    again(l.t, l.p2, l.now);
    expect_text(l.t, 1, l.now, "1");
    expect_text(l.t, 2, l.now, "-"); /* without a window: never */
    expect_text(l.t, 5, l.now, "hi");
    l.now = tagset_next(l.t, l.now);
    assert_int_equal(l.now, at_local(l.w, 2026, 3, 8, 0, 0));
    assert_int_equal(settle(l.t, l.now, &c), 2);
    assert_false(c[0].first || c[1].first);
    assert_int_equal(tagset_idle(l.t, l.now), TIME_NEVER);
    again(l.t, l.p, l.now); /* and back: what program 2 dropped was added later */
    expect_text(l.t, 0, l.now, "2");
    expect_text(l.t, 1, l.now, "-");
    expect_text(l.t, 2, l.now, "Li");
    later_end(&l);
}

static void test_changed_definition(void **state)
{
    (void)state;
    struct world *w = world_new(SH), *w2 = world_new(SH);
    agg_add(w, "a", TAG_COUNT, RULE_NONE, WIN_DAYS, 1);
    agg_add(w2, "a", TAG_SUM, F_AMOUNT, WIN_DAYS, 1);
    const struct program *p = world_done(w), *p2 = world_done(w2);
    struct tagset *t = tagset_new();
    int64_t now = at_local(w, 2026, 3, 3, 10, 0);
    tagset_begin(t, p);
    buy(w, t, now, now, 100);
    again(t, p2, now);
    expect_text(t, 0, now, "-");
    buy(w2, t, now, now, 300);
    again(t, p2, now);
    expect_text(t, 0, now, "-");
    expect_text(t, 0, now + TIME_DAY, "0.00");
    assert_int_equal(tagset_idle(t, now), at_local(w, 2026, 3, 4, 0, 0));
    assert_true(tagset_is_new(t, now + TIME_DAY));
    tagset_free(&t);
    world_free(w);
    world_free(w2);
}

/* ---- the blob ---- */

/* A level, a segment and nine days of sums. */
static struct tagset *some_state(const struct world *w, int64_t now, struct buf *out)
{
    struct tagset *t = tagset_new();
    const struct tag_change *c;
    tagset_begin(t, &w->p);
    for (int i = 0; i < 9; i++)
        buy((struct world *)(uintptr_t)w, t, now - i * TIME_DAY, now, 4000);
    (void)settle(t, now, &c);
    tagset_write(t, out);
    return t;
}

static int read_bytes(struct tagset *t, const struct program *p, const char *bytes, size_t n,
                      int64_t now, struct err *err)
{
    struct rd r = {(const uint8_t *)bytes, (const uint8_t *)bytes + n, false};
    return tagset_read(t, p, &r, now, err);
}

static void test_version(void **state)
{
    (void)state;
    struct world *w = shop(TIME_DAY);
    int64_t now = at_local(w, 2026, 3, 2, 10, 0);
    struct err err = {0};
    struct buf b;
    buf_init(&b, 1 << 20);
    struct tagset *t = some_state(w, now, &b);
    b.p[0]++;
    assert_int_equal(read_bytes(t, &w->p, b.p, b.n, now, &err), -1);
    assert_string_equal(err.code, "state_version");
    assert_int_equal(err.kind, ERR_FATAL);
    buf_free(&b);
    tagset_free(&t);
    world_free(w);
}

/* Every prefix is refused; every flipped bit gives something readable or is refused, without a crash;
 * each in memory of its own. */
static void test_corruption(void **state)
{
    (void)state;
    struct world *w = shop(TIME_DAY);
    const struct tag_change *c;
    int64_t now = at_local(w, 2026, 3, 2, 10, 0);
    struct buf b, out;
    buf_init(&b, 1 << 20);
    buf_init(&out, 1 << 20);
    struct tagset *t = some_state(w, now, &b);
    for (size_t n = 0; n < b.n; n++) {
        char *part = xmemdup0(b.p, n);
        assert_int_equal(read_bytes(t, &w->p, part, n, now, NULL), -1);
        free(part);
    }
    for (size_t i = 0; i < b.n * 8; i++) {
        char *copy = xmemdup0(b.p, b.n);
        copy[i / 8] = (char)((unsigned char)copy[i / 8] ^ 1U << (i % 8));
        if (read_bytes(t, &w->p, copy, b.n, now, NULL) == 0) {
            buf_reset(&out);
            (void)settle(t, now, &c);
            (void)tagset_next(t, now);
            buy(w, t, now, now, 100);
            tagset_show(t, now + TIME_DAY, &out);
            tagset_write(t, &out);
        }
        free(copy);
    }
    assert_int_equal(read_bytes(t, &w->p, b.p, b.n, now, NULL), 0);
    assert_false(tagset_bad(t));
    buf_free(&b);
    buf_free(&out);
    tagset_free(&t);
    world_free(w);
}

/* What moved is told by the next settle even when the state was written in between. */
static void test_unsettled(void **state)
{
    (void)state;
    struct world *w = shop(TIME_NEVER);
    struct tagset *t = tagset_new();
    const struct tag_change *c;
    int64_t now = at_local(w, 2026, 3, 2, 10, 0);
    tagset_begin(t, &w->p);
    (void)settle(t, now, &c);
    buy(w, t, now, now, 100000);
    again(t, &w->p, now);
    again(t, &w->p, now);
    assert_int_equal(settle(t, now, &c), 2);
    assert_int_equal(c[0].tag, 4);
    again(t, &w->p, now);
    assert_int_equal(settle(t, now, &c), 0);
    tagset_free(&t);
    world_free(w);
}

/* The same touches give the same bytes, whether the state is written in between or not. */
static void test_canonical(void **state)
{
    (void)state;
    struct world *w = shop(TIME_DAY);
    struct tagset *t = tagset_new(), *u = tagset_new();
    const struct tag_change *c;
    struct buf a, b;
    int64_t now = at_local(w, 2026, 3, 2, 10, 0);
    buf_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    tagset_begin(t, &w->p);
    tagset_begin(u, &w->p);
    for (int i = 0; i < 200; i++) {
        now += (i % 7) * 5 * TIME_HOUR;
        buy(w, t, now - (i % 3) * TIME_DAY, now, 100 * i);
        buy(w, u, now - (i % 3) * TIME_DAY, now, 100 * i);
        (void)settle(t, now, &c);
        (void)settle(u, now, &c);
        again(u, &w->p, now);
        buf_reset(&a);
        buf_reset(&b);
        tagset_write(t, &a);
        tagset_write(u, &b);
        assert_true(str_eq(buf_str(&a), buf_str(&b)));
    }
    buf_free(&a);
    buf_free(&b);
    tagset_free(&t);
    tagset_free(&u);
    world_free(w);
}

static void test_trim_and_show(void **state)
{
    (void)state;
    struct world *w = world_new(SH);
    struct tag_def *by = agg_add(w, "a_by", TAG_DISTINCT, F_NOTE, WIN_DAYS, 5);
    agg_by(w, by, "event.sku");
    agg_add(w, "b_set", TAG_DISTINCT, F_NOTE, WIN_DAYS, 5);
    tag_add(w, "c_phone", TAG_STORED, &type_address);
    agg_add(w, "d_sum", TAG_SUM, F_AMOUNT, WIN_EVER, 0);
    const struct program *p = world_done(w);
    struct tagset *t = tagset_new();
    struct test_event e;
    struct buf b;
    char text[64], sku[8];
    buf_init(&b, 1 << 20);
    tagset_begin(t, p);
    put_set(t, 2, "13812345678", 1000, 1);
    for (int i = 0; i < 200; i++) { /* ten keys of twenty values */
        event_make(w, EV_BUY, 1000 + i, &e);
        (void)snprintf(text, sizeof text, "a rather long text of number %d", i);
        (void)snprintf(sku, sizeof sku, "s%d", i % 10);
        e.f[F_NOTE] = val_str(str_c(text));
        e.f[F_SKU] = val_str(str_c(sku));
        e.f[F_AMOUNT] = val_money(199);
        event_put(t, &e, 1000 + i);
    }
    again(t, p, 2000);
    tagset_write(t, &b);
    size_t before = b.n, saved = tagset_trim(t, 2000);
    buf_reset(&b);
    tagset_write(t, &b);
    assert_true(saved >= 2000 && b.n <= before - 2000 && b.n > before - 3000);
    assert_int_equal(tagset_evictions(t), 6);
    saved = tagset_trim(t, 3000); /* the keys are not enough */
    again(t, p, 2000);
    buf_reset(&b);
    tagset_show(t, 2000, &b);
    assert_non_null(strstr(b.p, "\"c_phone\":\"***5678\""));
    assert_null(strstr(b.p, "1381234"));
    assert_non_null(strstr(b.p, "\"d_sum\":398.00"));
    assert_non_null(strstr(b.p, "\"a_by\":{}"));
    buf_free(&b);
    tagset_free(&t);
    world_free(w);
}

static void test_reader_ctx(void **state)
{
    (void)state;
    struct world *w = shop(0);
    struct tagset *t = tagset_new();
    static struct expr_ctx ctx;
    const struct tag_change *c;
    const struct expr *e = world_expr(
        w, true, "member.id == 'm7' && member.d_loyal && member.a_orders == 3", &type_bool);
    int64_t now = at_local(w, 2026, 3, 2, 10, 0);
    tagset_begin(t, &w->p);
    tagset_member(t, STR("m7"));
    for (int i = 0; i < 3; i++)
        buy(w, t, now, now, 30000);
    (void)settle(t, now, &c);
    tagset_ctx(t, &ctx);
    ctx.now_ms = now;
    ctx.tz = w->p.tz;
    assert_true(expr_true(e, &ctx));
    ctx.now_ms = now + 40 * TIME_DAY;
    assert_false(expr_true(e, &ctx));
    tagset_free(&t);
    world_free(w);
}

/* ---- timers: between a settle and the next moment nothing watched changes ---- */

static uint64_t seed = 88172645463325252;
static uint64_t rnd(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 11) % n;
}

static uint32_t changes_at(struct tagset *t, const struct program *p, struct str blob, int64_t now)
{
    const struct tag_change *c;
    struct rd r = {(const uint8_t *)blob.p, (const uint8_t *)blob.p + blob.n, false};
    assert_int_equal(tagset_read(t, p, &r, now, NULL), 0);
    return tagset_settle(t, now, &c);
}

static struct world *timer_world(void)
{
    static const char *const names[] = {"a", "b", "c"};
    static const char *const when[] = {"member.c_len >= 2 || member.d_week >= 3",
                                       "member.a_day >= 2"};
    struct world *w = world_new("America/New_York");
    agg_add(w, "a_day", TAG_COUNT, RULE_NONE, WIN_DAYS, 4);
    agg_add(w, "b_gap", TAG_GAP, RULE_NONE, WIN_DAYS, 9);
    agg_add(w, "c_len", TAG_COUNT, RULE_NONE, WIN_LENGTH, 3 * TIME_HOUR);
    agg_add(w, "d_week", TAG_COUNT, RULE_NONE, WIN_WEEK, 0);
    agg_add(w, "e_max", TAG_MAX, F_AMOUNT, WIN_MONTH, 0)->public_ = true;
    tag_add(w, "f_kol", TAG_STORED, &type_int)->ttl_ms = 30 * TIME_HOUR;
    value_add(w, "g_long", "member.b_gap > duration('20h')", &type_bool);
    value_add(w, "h_kol", "has(member.f_kol) && member.f_kol > member.a_day", &type_bool);
    levels_add(w, "i_lev", names, when, 3, 36 * TIME_HOUR);
    value_add(w, "j_sum", "member.i_lev == 'a' ? member.d_week : member.f_kol", &type_int);
    world_done(w);
    return w;
}

static void test_next_is_exact(void **state)
{
    (void)state;
    struct world *w = timer_world();
    struct tagset *t = tagset_new(), *u = tagset_new();
    const struct tag_change *c;
    struct buf b;
    int fired = 0;
    int64_t now = at_local(w, 2026, 3, 6, 9, 30);
    buf_init(&b, 1 << 20);
    tagset_begin(t, &w->p);
    for (int i = 0; i < 1500; i++) {
        struct val v = val_int((int64_t)rnd(6));
        if (rnd(3) == 0)
            buy(w, t, now - (int64_t)rnd(3 * TIME_DAY), now, (int64_t)rnd(900));
        if (rnd(9) == 0)
            (void)tagset_set(t, 5, &v, now - (int64_t)rnd(TIME_DAY));
        (void)settle(t, now, &c);
        buf_reset(&b);
        tagset_write(t, &b);
        int64_t next = tagset_next(t, now);
        assert_true(next > now);
        int64_t until = next == TIME_NEVER ? now + 100 * TIME_DAY : next;
        for (int k = 0; k < 4; k++)
            assert_int_equal(
                changes_at(u, &w->p, buf_str(&b), now + (int64_t)rnd((uint64_t)(until - now))), 0);
        assert_int_equal(changes_at(u, &w->p, buf_str(&b), until - 1), 0);
        fired += next != TIME_NEVER && changes_at(u, &w->p, buf_str(&b), next) > 0;
        now = next != TIME_NEVER && rnd(2) ? next : now + (int64_t)rnd(12 * TIME_HOUR);
        again(t, &w->p, now);
    }
    assert_true(fired > 100);
    buf_free(&b);
    tagset_free(&t);
    tagset_free(&u);
    world_free(w);
}

/* Once idle says so, and it was settled on the way, nothing is left. */
static void test_idle_ends(void **state)
{
    (void)state;
    struct world *w = timer_world();
    struct tagset *t = tagset_new();
    const struct tag_change *c;
    for (int i = 0; i < 200; i++) {
        int64_t now = at_local(w, 2026, 3, 6, 9, 30);
        struct val v = val_int(3);
        int steps = 0;
        tagset_begin(t, &w->p);
        for (uint64_t n = rnd(8) + 1; n > 0; n--, now += (int64_t)rnd(9 * TIME_HOUR)) {
            buy(w, t, now, now, (int64_t)rnd(900));
            if (rnd(3) == 0)
                (void)tagset_set(t, 5, &v, now);
            (void)settle(t, now, &c);
        }
        (void)settle(t, now, &c);
        assert_false(tagset_is_new(t, now));
        while (!tagset_is_new(t, now)) {
            assert_true(steps++ < 60);
            now = tagset_next(t, now);
            assert_true(now != TIME_NEVER);
            again(t, &w->p, now);
            (void)settle(t, now, &c);
        }
        assert_true(now < at_local(w, 2026, 5, 1, 0, 0));
    }
    tagset_free(&t);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_added_later),        cmocka_unit_test(test_added_later_becomes_known),
        cmocka_unit_test(test_changed_definition), cmocka_unit_test(test_version),
        cmocka_unit_test(test_corruption),         cmocka_unit_test(test_unsettled),
        cmocka_unit_test(test_canonical),          cmocka_unit_test(test_trim_and_show),
        cmocka_unit_test(test_reader_ctx),         cmocka_unit_test(test_next_is_exact),
        cmocka_unit_test(test_idle_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
