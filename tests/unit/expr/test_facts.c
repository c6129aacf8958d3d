/* SPDX-License-Identifier: Apache-2.0 */
/* What is proven about conditions: what is said, and what must not be said. */
#include "fixture.h"

static void add_fact(struct str text, const struct expr_fact *f, struct buf *out)
{
    buf_addf(out, "%s%s `%.*s`", out->n ? "; " : "", f->always ? "always" : "never",
             (int)(f->at.end - f->at.start), text.p + f->at.start);
    if (f->with.n)
        buf_addf(out, " with `" STR_FMT "`", STR_ARG(f->with));
}

static void test_facts(void **state)
{
    static const struct {
        const char *text, *facts;
    } cases[] = {
        /* contradictions */
        {"member.level == 'gold' && member.level == 'silver'",
         "never `member.level == 'silver'` with `member.level == 'gold'`"},
        {"event.channel in ['app', 'store'] && event.channel == 'mini'",
         "never `event.channel == 'mini'` with `event.channel in ['app', 'store']`"},
        {"event.amount > 100 && event.qty > 1 && event.amount < 50",
         "never `event.amount < 50` with `event.amount > 100`"},
        {"event.amount > 100 && event.amount <= 100.0",
         "never `event.amount <= 100.0` with `event.amount > 100`"},
        {"event.amount >= 100 && event.amount <= 100.0", ""},
        {"100 < event.amount && 50 > event.amount",
         "never `50 > event.amount` with `100 < event.amount`"},
        {"event.qty > 1 && event.qty < 2", "never `event.qty < 2` with `event.qty > 1`"},
        {"event.amount > 1 && event.amount < 2", ""},
        {"event.amount == 100.0 && event.amount > 100",
         "never `event.amount > 100` with `event.amount == 100.0`"},
        {"event.amount == 100.0 && event.amount < 100",
         "never `event.amount < 100` with `event.amount == 100.0`"},
        {"event.amount == 100.0 && event.amount >= 100 && event.amount <= 100", ""},
        {"event.gift && !event.gift", "never `!event.gift` with `event.gift`"},
        {"has(event.coupon) && !has(event.coupon)",
         "never `!has(event.coupon)` with `has(event.coupon)`"},
        {"now.getHours() < 9 && now.getHours() >= 21",
         "never `now.getHours() >= 21` with `now.getHours() < 9`"},
        {"now.getHours('UTC') < 9 && now.getHours('+08:00') >= 21", ""},
        {"event.qty + 1 > 5 && event.qty + 1 < 3",
         "never `event.qty + 1 < 3` with `event.qty + 1 > 5`"},
        {"event.qty + 1 > 5 && event.qty + 2 < 3", ""},
        {"event.channel != 'app' && event.channel != 'store' && event.channel != 'mini'",
         "never `event.channel != 'mini'` with `what stands before it`"},
        {"event.channel != 'app' && event.channel != 'store'", ""},
        {"event.order_id != 'a' && event.order_id != 'b'", ""},
        /* inside and around */
        {"event.qty == 1 && (event.qty == 2 || event.gift)",
         "never `event.qty == 2` with `event.qty == 1`"},
        {"(event.qty == 2 || event.gift) && event.qty == 1",
         "never `event.qty == 2` with `event.qty == 1`"},
        {"event.qty == 1 || (event.qty == 2 && event.gift)", ""},
        {"event.items.exists(i, i.qty == 1 && i.qty == 2)", "never `i.qty == 2` with `i.qty == 1`"},
        {"event.items.exists(i, i.qty == 1) && event.items.exists(i, i.qty == 2)", ""},
        {"event.items[0].qty == 1 && event.items[1].qty == 2", ""},
        {"products[event.order_id].category == 'a' && products[event.order_id].category == 'b'",
         "never `products[event.order_id].category == 'b'` with "
         "`products[event.order_id].category == 'a'`"},
        {"products[event.order_id].category == 'a' && products[event.id].category == 'b'", ""},
        {"member.level == 'gold' && old.level == 'silver'", ""},
        {"next.qty == 1 && event.qty == 2", ""},
        /* nothing is left to decide */
        {"event.amount != 1.0 || event.amount != 2.0",
         "always `event.amount != 2.0` with `event.amount != 1.0`"},
        {"event.qty < 10 || event.qty > 5", "always `event.qty > 5` with `event.qty < 10`"},
        {"event.qty < 10 || event.qty > 15", ""},
        {"event.gift || !event.gift", "always `!event.gift` with `event.gift`"},
        /* constant parts */
        {"event.gift && 2 > 1", "always `2 > 1`"},
        {"event.gift || true", "always `true`"},
        {"event.gift && (event.qty > 1 || 1 > 2)", "never `1 > 2`"},
        {"event.gift && (event.qty > 1 || 2 > 1)", "always `2 > 1`"},
        {"(1 > 2 ? event.qty : 3) > 2 && event.gift", "never `1 > 2`"},
        {"has(event.coupon) ? event.coupon == 'x' : true", ""},
        {"event.items.all(i, i.qty > 0) && event.gift", ""},
    };
    (void)state;
    for (size_t i = 0; i < BASE_LEN(cases); i++) {
        struct shop *s = shop_new();
        struct str text = str_c(cases[i].text);
        const struct expr *e = shop_compile(s, text, &type_bool);
        if (!e)
            fail_msg("%s: %s", cases[i].text, diags_get(s->d, 0)->text.p);
        struct buf b;
        uint32_t n;
        buf_init(&b, 4096);
        const struct expr_fact *f = expr_facts(e, &n);
        for (uint32_t k = 0; k < n; k++)
            add_fact(text, &f[k], &b);
        if (!str_eqc(buf_str(&b), cases[i].facts))
            fail_msg("%s: " STR_FMT, cases[i].text, STR_ARG(buf_str(&b)));
        buf_free(&b);
        shop_free(s);
    }
}

static void test_relations(void **state)
{
    static const struct {
        const char *b, *a;
        bool implies, excludes;
    } cases[] = {
        {"event.amount > 500", "event.amount > 100", true, false},
        {"event.amount > 100", "event.amount > 500", false, false},
        {"event.amount > 500 && event.gift", "event.amount > 100", true, false},
        {"event.amount > 500", "event.amount > 100 && event.gift", false, false},
        {"event.amount > 500 && event.gift", "event.amount >= 500 && event.gift", true, false},
        {"event.amount > 500", "event.amount < 500", false, true},
        {"event.channel == 'app'", "event.channel in ['app', 'mini']", true, false},
        {"event.channel in ['app', 'mini']", "event.channel == 'app'", false, false},
        {"event.channel == 'app'", "event.channel != 'mini'", true, false},
        {"event.amount > 500", "event.amount > 100 || event.gift", false, false},
        {"event.amount > 500 || event.gift", "event.amount > 100", false, false},
        {"event.gift", "2 > 1", true, false},
        {"event.gift", "!event.gift", false, true},
    };
    (void)state;
    for (size_t i = 0; i < BASE_LEN(cases); i++) {
        struct shop *s = shop_new();
        const struct expr *b = shop_compile(s, str_c(cases[i].b), &type_bool),
                          *a = shop_compile(s, str_c(cases[i].a), &type_bool);
        if (expr_implies(b, a) != cases[i].implies || expr_excludes(b, a) != cases[i].excludes)
            fail_msg("%s / %s", cases[i].b, cases[i].a);
        assert_true(expr_implies(b, NULL));
        assert_false(expr_implies(NULL, b));
        shop_free(s);
    }
}

static void test_admits(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    const struct expr *e =
        shop_compile(s,
                     STR("event.channel == 'app' && event.qty < 5 && (event.gift || old.level == "
                         "'gold')"),
                     &type_bool);
    struct val app = val_str(STR("app")), mini = val_str(STR("mini")), four = val_int(4),
               five = val_int(5);
    assert_true(expr_admits(e, STR("event.channel"), &app));
    assert_false(expr_admits(e, STR("event.channel"), &mini));
    assert_true(expr_admits(e, STR("event.qty"), &four));
    assert_false(expr_admits(e, STR("event.qty"), &five));
    assert_true(expr_admits(e, STR("event.order_id"), &five));
    assert_true(expr_admits(NULL, STR("event.qty"), &five));
    shop_free(s);
}

static void test_absent(void **state)
{
    static const struct {
        const char *text, *absent;
    } cases[] = {
        {"event.order_id", ""},
        {"event.coupon", "event.coupon"},
        {"event.coupon + event.store + event.coupon", "event.coupon event.store event.coupon"},
        {"has(event.coupon) ? event.coupon : 'x'", ""},
        {"has(event.coupon) ? 'x' : event.coupon", "event.coupon"},
        {"!has(event.coupon) ? 'x' : event.coupon", ""},
        {"has(event.coupon) && has(event.store) ? event.coupon + event.store : 'x'", ""},
        {"has(event.coupon) || has(event.store) ? event.coupon + event.store : 'x'",
         "event.coupon event.store"},
        {"!has(event.coupon) || !has(event.store) ? 'x' : event.coupon + event.store", ""},
        {"has(event.coupon) && event.coupon == 'a' ? 'x' : 'y'", ""},
        {"event.coupon == 'a' && has(event.coupon) ? 'x' : 'y'", ""},
        {"!has(event.coupon) || event.coupon == 'a' ? 'x' : 'y'", ""},
        {"event.coupon == 'a' && event.gift ? 'x' : 'y'", "event.coupon"},
        {"has(event.store) ? event.coupon : 'x'", "event.coupon"},
        {"has(event.items[0].note) ? event.items[0].note : 'x'", ""},
        {"event.items[0].note", "event.items[0].note"},
        {"string(member.birthday)", "member.birthday"},
    };
    (void)state;
    for (size_t i = 0; i < BASE_LEN(cases); i++) {
        struct shop *s = shop_new();
        struct buf b;
        uint32_t n;
        buf_init(&b, 4096);
        s->env.build = true;
        const struct expr *e = shop_compile(s, str_c(cases[i].text), &type_string);
        if (!e)
            fail_msg("%s: %s", cases[i].text, diags_get(s->d, 0)->text.p);
        const struct expr_absent *v = expr_absent(e, &n);
        for (uint32_t k = 0; k < n; k++)
            buf_addf(&b, "%s" STR_FMT, k ? " " : "", STR_ARG(v[k].text));
        if (!str_eqc(buf_str(&b), cases[i].absent))
            fail_msg("%s: " STR_FMT, cases[i].text, STR_ARG(buf_str(&b)));
        buf_free(&b);
        shop_free(s);
    }
}

static void test_requires(void **state)
{
    static const struct {
        const char *text;
        bool needs;
    } cases[] = {
        {"has(event.store)", true},
        {"!has(event.store)", false},
        {"event.store == 'x'", true},
        {"!(event.store == 'x')", true},
        {"size(event.store) > 3 && event.gift", true},
        {"event.store == 'x' || event.gift", false},
        {"event.gift ? event.store == 'x' : true", false},
        {"event.store == 'x' ? event.gift : true", true},
        {"event.items.exists(i, i.sku == event.store)", true},
        {"event.items.all(i, i.sku == event.store)", false},
        {"event.gift && (event.qty > 1 && event.store in ['a', 'b'])", true},
        {"event.coupon == 'x'", false},
    };
    (void)state;
    for (size_t i = 0; i < BASE_LEN(cases); i++) {
        struct shop *s = shop_new();
        const struct expr *e = shop_compile(s, str_c(cases[i].text), &type_bool);
        if (!e)
            fail_msg("%s: %s", cases[i].text, diags_get(s->d, 0)->text.p);
        if (expr_requires(e, STR("event.store")) != cases[i].needs)
            fail_msg("%s", cases[i].text);
        shop_free(s);
    }
}

static void test_lengths(void **state)
{
    static const struct {
        const char *text;
        uint32_t most;
    } cases[] = {{"'abc'", 3},
                 {"'张三'", 2},
                 {"event.order_id", 256},
                 {"event.channel", 5},
                 {"'a' + event.channel", 6},
                 {"event.gift ? 'yes' : 'no'", 3},
                 {"string(event.qty)", 20}};
    (void)state;
    for (size_t i = 0; i < BASE_LEN(cases); i++) {
        struct shop *s = shop_new();
        s->env.build = true;
        const struct expr *e = shop_compile(s, str_c(cases[i].text), &type_string);
        if (expr_most_points(e) != cases[i].most)
            fail_msg("%s: %u", cases[i].text, expr_most_points(e));
        shop_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),    cmocka_unit_test(test_relations),
        cmocka_unit_test(test_admits),   cmocka_unit_test(test_absent),
        cmocka_unit_test(test_requires), cmocka_unit_test(test_lengths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
