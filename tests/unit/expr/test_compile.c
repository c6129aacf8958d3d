/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, cost, and what a compiled expression knows about itself. */
#include "fixture.h"

/* `one` n times, joined by `glue`, between two texts. */
static struct str many(struct shop *s, const char *before, const char *one, const char *glue, int n,
                       const char *after)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_adds(&b, before);
    for (int i = 0; i < n; i++) {
        if (i)
            buf_adds(&b, glue);
        buf_adds(&b, one);
    }
    buf_adds(&b, after);
    struct str out = arena_str(s->a, buf_str(&b));
    buf_free(&b);
    return out;
}

static void accept(struct shop *s, struct str text)
{
    if (!shop_compile(s, text, NULL))
        fail_msg("refused: %.*s: %s", STR_ARG(text), diags_get(s->d, diags_len(s->d) - 1)->text.p);
}

static void refuse(struct shop *s, struct str text, const char *code)
{
    assert_null(shop_compile(s, text, NULL));
    assert_string_equal(diags_get(s->d, 0)->code, code);
    diags_free(&s->d);
    s->d = diags_new();
}

static void test_limits(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    accept(s, many(s, "", "event.gift", " || ", 200, ""));
    accept(s, many(s, "", "event.gift ? 1", " : ", 40, " : 2"));
    accept(s, many(s, "", "(", "", 63, many(s, "true", ")", "", 63, "").p));
    refuse(s, many(s, "", "(", "", 64, many(s, "true", ")", "", 64, "").p), "X003");
    accept(s, many(s, "", "!", "", 62, "event.gift"));
    refuse(s, many(s, "", "!", "", 64, "event.gift"), "X003");
    accept(s, many(s, "", "event.qty", " + ", 63, ""));
    refuse(s, many(s, "", "event.qty", " + ", 65, ""), "X003");
    refuse(s, many(s, "", "(", "", 100000, ""), "X003");
    refuse(s, many(s, "", "[", "", 4000, ""), "X003");
    refuse(s, many(s, "", "-", "", 4000, "1"), "X003");
    refuse(s, many(s, "event", ".a", "", 100, ""), "X003");
    refuse(s, many(s, "event.items", "[0]", "", 100, ""), "X003");
    accept(s, many(s, "event.order_id == '", "字", "", 4076, "'"));
    refuse(s, many(s, "event.order_id == '", "字", "", 4078, "'"), "X003");
    accept(s, many(s, "event.qty in [", "1", ",", 2000, "]"));
    accept(s, many(s, "event.qty in [", "event.qty", ", ", 32, "]"));
    refuse(s, many(s, "event.qty in [", "event.qty", ", ", 33, "]"), "X017");
    refuse(s, STR("event.qty in [1, event.gift ? 1 : 'a']"), "X010");
    refuse(s, STR("size([1, 2].map(x, x)) == 2"), "X017");
    refuse(s, STR(""), "X001");
    refuse(s, STR(" \n // nothing\n"), "X001");
    shop_free(s);
}

/* Many mistakes: all told, but not without end. */
static void test_many_errors(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    assert_null(shop_compile(s, many(s, "", "x", " && ", 30, ""), NULL));
    assert_int_equal(diags_errors(s->d), 30);
    assert_null(shop_compile(s, many(s, "", "x", " && ", 800, ""), NULL));
    assert_true(diags_errors(s->d) <= 80);
    shop_free(s);
}

static uint32_t cost(struct shop *s, const char *text)
{
    const struct expr *e = shop_compile(s, str_c(text), NULL);
    assert_non_null(e);
    return expr_cost(e);
}

static void test_cost(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    assert_int_equal(cost(s, "1 + 2 == 3"), 0);
    assert_true(cost(s, "event.qty > 1") < cost(s, "event.qty > 1 && event.amount > 2"));
    assert_true(cost(s, "event.items.exists(i, i.qty > 1)") > 20 * 2);
    assert_true(cost(s, "event.items.exists(i, i.sku in member.likes)") <= EXPR_SCRATCH);
    assert_true(cost(s, "event.order_id.contains(event.coupon)") >
                cost(s, "event.order_id.contains('a')"));
    accept(s, STR("event.items.all(i, event.items.exists(j, i.sku == j.sku))"));
    refuse(s, STR("event.prices.all(i, event.prices.exists(j, i == j))"), "X004");
    shop_free(s);
}

/* Whatever the static bound says, a loop over a list that is too long for its schema stops. */
static void test_backstop(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    struct val v, *big = ARENA_ARRAY(s->a, struct val, 100000);
    for (int i = 0; i < 100000; i++)
        big[i] = val_money(i);
    s->event[7] = (struct val){.t = V_LIST, .n = 100000, .list = big};
    const struct expr *e = shop_compile(s, STR("event.prices.all(p, p >= 0)"), NULL);
    assert_int_equal(expr_eval(e, s->ctx, &v), -1);
    assert_string_equal(s->ctx->error, "it takes too long");
    s->env.build = true;
    e = shop_compile(s, STR("event.prices.filter(p, p >= 0)"), NULL);
    assert_int_equal(expr_eval(e, s->ctx, &v), -1);
    assert_string_equal(s->ctx->error, "the result is too long");
    shop_free(s);
}

static void test_scratch(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    struct val v;
    static char long_text[6000];
    memset(long_text, 'x', sizeof long_text);
    s->env.build = true;
    s->event[0] = val_str((struct str){long_text, sizeof long_text});
    const struct expr *one = shop_compile(s, STR("'<' + event.order_id + '>'"), NULL);
    const struct expr *two = shop_compile(s, STR("event.order_id + event.order_id"), NULL);
    for (int i = 0; i < 3; i++) { /* the scratch begins anew each time */
        assert_int_equal(expr_eval(one, s->ctx, &v), 0);
        assert_int_equal(v.n, sizeof long_text + 2);
        assert_true(v.s[0] == '<' && v.s[1] == 'x' && v.s[6001] == '>');
        assert_int_equal(expr_eval(two, s->ctx, &v), -1);
        assert_string_equal(s->ctx->error, "the result is too long");
    }
    shop_free(s);
}

static void test_uses(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    const struct expr *e = shop_compile(
        s, STR("member.level == 'gold' && (has(member.phone) || 'a' in member.views)"), NULL);
    assert_true(expr_uses_tag(e, T_LEVEL) && expr_uses_tag(e, T_PHONE) &&
                expr_uses_tag(e, T_VIEWS));
    assert_false(expr_uses_tag(e, T_NAME) || expr_uses_old(e) || expr_uses_now(e));
    e = shop_compile(s, STR("old.level == 'gold' || event.time < now"), NULL);
    assert_true(expr_uses_tag(e, T_LEVEL) && expr_uses_old(e) && expr_uses_now(e));
    assert_ptr_equal(expr_type(e), &type_bool);
    assert_false(expr_is_const(e, NULL));
    e = shop_compile(s, STR("1 + 1 == 2 || event.gift"), NULL);
    struct val v;
    assert_true(expr_is_const(e, &v) && v.t == V_BOOL && v.b);
    assert_true(expr_true(e, s->ctx));
    e = shop_compile(s, STR("event.gift && false"), NULL);
    assert_true(expr_is_const(e, &v) && !v.b);
    e = shop_compile(s, STR("true && event.gift"), NULL);
    assert_false(expr_is_const(e, &v));
    e = shop_compile(s, STR("event.items.map(i, i.sku)"), NULL);
    assert_null(e);
    shop_free(s);
}

static void test_equals(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    struct val v;
    const struct expr *e = shop_compile(s,
                                        STR("event.channel == 'app' && event.amount > 5 && "
                                            "7 == event.qty && event.order_id in ['b', 'a']"),
                                        NULL);
    assert_int_equal(expr_equals(e, 4, &v), 1);
    assert_true(v.n == 1 && str_eqc(val_get_str(v.list[0]), "app"));
    assert_int_equal(expr_equals(e, 6, &v), 1);
    assert_true(v.n == 1 && v.list[0].i == 7);
    assert_int_equal(expr_equals(e, 0, &v), 1);
    assert_int_equal(v.n, 2);
    assert_int_equal(expr_equals(e, 1, &v), 0);
    e = shop_compile(s, STR("event.channel == 'app' || event.qty == 7"), NULL);
    assert_int_equal(expr_equals(e, 4, &v), 0);
    e = shop_compile(s, STR("next.channel == 'app' && event.qty == 7.0"), NULL);
    assert_int_equal(expr_equals(e, 4, &v) + expr_equals(e, 6, &v), 0);
    e = shop_compile(s, STR("event.channel == 'app'"), NULL);
    assert_int_equal(expr_equals(e, 4, &v), 1);
    shop_free(s);
}

static void test_disasm(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    struct buf b;
    const struct expr *e = shop_compile(s,
                                        STR("event.amount > 100 && member.last_purchase < now && "
                                            "event.time.getHours(tz) == 10"),
                                        NULL);
    buf_init(&b, 4096);
    expr_disasm(e, &b);
    assert_string_equal(b.p, "   0  event 1 double\n"
                             "   1  gt.double 100\n"
                             "   2  and.first @11\n"
                             "   3  member 6 timestamp\n"
                             "   4  now\n"
                             "   5  lt.time\n"
                             "   6  and.more @11\n"
                             "   7  event 10 timestamp\n"
                             "   8  time.field 5 tz\n"
                             "   9  eq.int 10\n"
                             "  10  and.last\n"
                             "  11  ret\n"
                             "      an error in 3..6 goes on at 6\n");
    buf_reset(&b);
    e = shop_compile(s, STR("'tea' in words"), NULL);
    expr_disasm(e, &b);
    assert_string_equal(b.p, "      always true\n");
    buf_free(&b);
    shop_free(s);
}

/* What was compiled does not need the text, nor the arena's neighbours. */
static void test_stands_alone(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    s->env.build = true;
    char *text = xstrdup("{'app': 'yes'}[event.channel] + 'é' + {'k': event.order_id}.k");
    const struct expr *e = shop_compile(s, str_c(text), &type_string);
    struct val v;
    memset(text, 'z', strlen(text));
    free(text);
    assert_non_null(e);
    assert_int_equal(expr_eval(e, s->ctx, &v), 0);
    assert_true(str_eqc(val_get_str(v), "yesép1"));
    shop_free(s);
}

static const struct zone *known_zone(void *arg, struct str name)
{
    return str_eqc(name, "Asia/Kathmandu") ? arg : NULL;
}

static void test_zone_callback(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    struct val v;
    s->env.zone = known_zone;
    s->env.zone_arg = (void *)(uintptr_t)zone_fixed(s->a, STR("+05:45"));
    const struct expr *e = shop_compile(s, STR("event.time.getMinutes('Asia/Kathmandu')"), NULL);
    assert_int_equal(expr_eval(e, s->ctx, &v), 0);
    assert_int_equal(v.i, 45);
    refuse(s, STR("event.time.getMinutes('Asia/Nowhere')"), "X019");
    refuse(s, STR("event.time.getMinutes('+25:00')"), "X019");
    refuse(s, STR("event.time.getMinutes('')"), "X019");
    shop_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_many_errors),
        cmocka_unit_test(test_cost),         cmocka_unit_test(test_backstop),
        cmocka_unit_test(test_scratch),      cmocka_unit_test(test_uses),
        cmocka_unit_test(test_equals),       cmocka_unit_test(test_disasm),
        cmocka_unit_test(test_stands_alone), cmocka_unit_test(test_zone_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
