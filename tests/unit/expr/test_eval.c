/* SPDX-License-Identifier: Apache-2.0 */
/* What expressions give: a table of texts and results, and the places where CEL is peculiar. */
#include "fixture.h"

struct row {
    const char *expr, *result;
};

static void check_rows(struct shop *s, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *got = shop_eval(s, rows[i].expr);
        if (strcmp(got, rows[i].result) != 0)
            fail_msg("`%s` gives `%s`, not `%s`", rows[i].expr, got, rows[i].result);
    }
}
#define CHECK(s, rows) check_rows(s, rows, BASE_LEN(rows))

static void test_loads(void **state)
{
    static const struct row rows[] = {
        {"event.amount", "199.9"},
        {"event.amount >= 199.9", "true"},
        {"event.amount > 199.9", "false"},
        {"event.amount == 199.9 && event.amount < 200", "true"},
        {"199.9 <= event.amount", "true"},
        {"event.qty", "7"},
        {"event.qty >= 6.5", "true"},
        {"6.5 > event.qty", "false"},
        {"event.store", "error: a value that is not there"},
        {"event.coupon == 'K1'", "true"},
        {"has(event.store)", "false"},
        {"has(event.coupon) && has(event.amount)", "true"},
        {"has(next.store) || next.channel == 'app'", "true"},
        {"event.items[0].sku + event.items[1].sku", "MILK1BREAD"},
        {"event.items[1].price", "12.5"},
        {"event.items[2].sku", "error: an index outside the list"},
        {"event.items[-1].sku", "error: an index outside the list"},
        {"has(event.items[0].note)", "false"},
        {"has(event.items[1].note)", "true"},
        {"event.items[0].note", "error: a value that is not there"},
        {"size(event.items)", "2"},
        {"event.prices[0] > 199", "true"},
        {"199.9 in event.prices", "true"},
        {"12 in event.prices", "false"},
        {"event.prices == [199.9, 12.5]", "true"},
        {"event == next", "true"},
        {"member.name", "张三"},
        {"member.id", "m1"},
        {"member.level != old.level && old.level == 'silver'", "true"},
        {"member.orders_30d - old.orders_30d", "1"},
        {"member.spend_365d > 19999.98 && member.spend_365d < 20000", "true"},
        {"member.birthday < '1990-04'", "true"},
        {"has(member.birthday) && !has(member.lunar)", "true"},
        {"member.lunar", "error: a value that is not there"},
        {"has(member.phone)", "true"},
        {"member.views['MILK1']", "5"},
        {"member.views[event.items[0].sku] >= 3", "true"},
        {"member.views['X']", "error: no such key"},
        {"member.views.MILK1 == 5", "true"},
        {"has(member.views.X)", "false"},
        {"'MILK1' in member.views && !('X' in member.views)", "true"},
        {"size(member.views)", "2"},
        {"member.views.exists(k, k == 'app')", "true"},
        {"member.views == {'app': 1, 'MILK1': 5}", "true"},
        {"event.order_id in member.likes", "true"},
        {"products['MILK1'].category", "dairy"},
        {"products[event.items[0].sku].stage", "2"},
        {"products[event.items[1].sku].stage", "error: a value that is not there"},
        {"products[event.channel].stage", "error: no such key"},
        {"event.channel in products", "false"},
        {"event.channel in words", "true"},
        {"words.exists(w, w == event.channel)", "true"},
    };
    (void)state;
    struct shop *s = shop_new();
    s->env.build = true;
    CHECK(s, rows);
    shop_free(s);
}

/* In every chain the error may stand anywhere. */
static void test_errors(void **state)
{
    static const struct row rows[] = {
        {"event.store == 'x' || event.gift", "true"},
        {"event.gift || event.store == 'x'", "true"},
        {"event.store == 'x' && !event.gift", "false"},
        {"!event.gift && event.store == 'x'", "false"},
        {"event.store == 'x' && event.gift", "error: a value that is not there"},
        {"event.gift && event.store == 'x'", "error: a value that is not there"},
        {"event.store == 'x' || !event.gift", "error: a value that is not there"},
        {"!event.gift || event.store == 'x'", "error: a value that is not there"},
        {"event.gift && event.store == 'x' && !event.gift", "false"},
        {"event.store == 'x' && event.qty / 0 == 1 && !event.gift", "false"},
        {"event.store == 'x' || event.qty / 0 == 1 || event.gift", "true"},
        {"event.store == 'x' && event.gift && event.gift", "error: a value that is not there"},
        {"event.qty / 0 == 1 && event.gift && event.gift", "error: division by zero"},
        {"(event.store == 'x' || event.gift) && event.gift", "true"},
        {"event.gift && (event.gift && (event.store == 'x' || event.gift))", "true"},
        {"(event.store == 'x' && event.gift) || event.gift", "true"},
        {"!(event.store == 'x')", "error: a value that is not there"},
        {"event.store == 'x' ? true : true", "error: a value that is not there"},
        {"event.gift ? 1 : event.qty / 0", "1"},
        {"(event.gift || event.store == 'x') ? 'a' : 'b'", "a"},
        {"event.items.exists(i, i.note == 'cold')", "true"},
        {"event.items.exists(i, i.note == 'hot')", "error: a value that is not there"},
        {"event.items.all(i, i.note == 'hot')", "false"},
        {"event.items.all(i, i.note == 'cold')", "error: a value that is not there"},
        {"event.items.exists_one(i, i.note == 'cold')", "error: a value that is not there"},
        {"event.items.exists(i, i.note == 'hot') || event.gift", "true"},
        {"event.items.all(i, i.note == 'cold') && !event.gift", "false"},
        {"event.items.exists(i, has(i.note) && i.note == 'cold')", "true"},
        {"event.store in ['a', event.store]", "error: a value that is not there"},
        {"'a' in ['a', event.store]", "error: a value that is not there"},
        {"[1, 2, 3].exists(x, x / (event.qty - 7) == 1)", "error: division by zero"},
        {"[1, 2].all(a, [1, 2].exists(b, a == b || event.store == 'x'))", "true"},
        {"[1, 2].all(a, [3].exists(b, a == b || event.store == 'x'))",
         "error: a value that is not there"},
        {"event.qty + 9223372036854775807", "error: a number that does not fit"},
        {"-(event.qty - 9223372036854775807 - 8)", "error: a number that does not fit"},
        {"(event.qty - 9223372036854775807 - 8) / -1", "error: a number that does not fit"},
        {"(event.qty - 9223372036854775807 - 8) % -1", "error: a number that does not fit"},
        {"event.qty * 9223372036854775807", "error: a number that does not fit"},
    };
    (void)state;
    struct shop *s = shop_new();
    CHECK(s, rows);
    shop_free(s);
}

static void test_error_is_false(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    struct val v;
    const struct expr *e =
        shop_compile(s, STR("!(member.last_purchase < now - days(7))"), &type_bool);
    assert_true(expr_true(NULL, s->ctx));
    assert_true(expr_eval(e, s->ctx, &v) == 0 && s->ctx->error == NULL);
    s->no_last = true;
    assert_false(expr_true(e, s->ctx)); /* absent is an error, and that is false, not true */
    assert_string_equal(s->ctx->error, "a value that is not there");
    assert_int_equal(s->ctx->error_at.start, 2);
    assert_int_equal(s->ctx->error_at.end, 22);
    e = shop_compile(s, STR("!has(member.last_purchase) || member.last_purchase < now"), NULL);
    assert_true(expr_true(e, s->ctx));
    s->broken = true;
    assert_false(expr_true(e, s->ctx));
    e = shop_compile(s, STR("event.gift || member.orders_30d > 1"), NULL);
    assert_true(expr_true(e, s->ctx));
    e = shop_compile(s, STR("member.orders_30d > 1 || event.gift"), NULL);
    assert_true(expr_true(e, s->ctx));
    assert_null(s->ctx->error); /* made up for */
    assert_true(s->ctx->evals >= 5 && s->ctx->steps > 10);
    shop_free(s);
}

/* Inputs that are not what the schema says must not be believed. */
static void test_wrong_inputs(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    struct val v;
    const struct expr *e = shop_compile(s, STR("event.order_id == 'x'"), NULL);
    s->event[0] = val_int(1);
    assert_int_equal(expr_eval(e, s->ctx, &v), -1);
    s->ctx->event = NULL;
    assert_int_equal(expr_eval(e, s->ctx, &v), -1);
    assert_string_equal(s->ctx->error, "there is no such event here");
    e = shop_compile(s, STR("has(next.coupon)"), NULL);
    s->ctx->next = NULL;
    assert_int_equal(expr_eval(e, s->ctx, &v), -1);
    e = shop_compile(s, STR("date(now) == '2026-03-02'"), NULL);
    s->ctx->tz = NULL;
    assert_int_equal(expr_eval(e, s->ctx, &v), -1);
    e = shop_compile(s, STR("member.views['app'] == 1"), NULL);
    s->ctx->member_at = NULL; /* the whole map is read then */
    assert_true(expr_true(e, s->ctx));
    s->ctx->member = NULL;
    assert_false(expr_true(e, s->ctx));
    shop_free(s);
}

static void test_functions(void **state)
{
    static const struct row rows[] = {
        {"event.time", "2026-03-02T02:00:00.123Z"},
        {"event.time.getHours(tz)", "10"},
        {"event.time.getHours()", "2"},
        {"event.time.getHours('-03:00')", "23"},
        {"event.time.getHours('02:00')", "4"},
        {"event.time.getDate('-03:00')", "1"},
        {"event.time.getDayOfWeek()", "1"},
        {"event.time.getDayOfWeek('-03:00')", "0"},
        {"event.time.getMonth()", "2"},
        {"event.time.getDayOfMonth()", "1"},
        {"event.time.getDayOfYear()", "60"},
        {"event.time.getFullYear()", "2026"},
        {"event.time.getMinutes('+05:45')", "45"},
        {"event.time.getSeconds()", "0"},
        {"event.time.getMilliseconds()", "123"},
        {"string(event.time)", "2026-03-02T02:00:00.123Z"},
        {"int(event.time)", "1772416800"},
        {"date(event.time)", "2026-03-02"},
        {"date(event.time - duration('2h1s'))", "2026-03-02"},
        {"date(event.time - duration('10h1s'))", "2026-03-01"},
        {"event.time - now", "0.123s"},
        {"event.time - days(1) < now && now - days(-1) > event.time", "true"},
        {"days(event.qty)", "604800s"},
        {"days(106752)", "refused: X018"},
        {"days(event.qty * 20000)", "error: a number that does not fit"},
        {"duration('1h30m') + duration('1.5s')", "5401.5s"},
        {"duration('-1h').getMinutes()", "-60"},
        {"duration('3661.25s').getHours()", "1"},
        {"duration('3661.25s').getSeconds()", "3661"},
        {"duration('3661.25s').getMilliseconds()", "250"},
        {"duration('0')", "0s"},
        {"duration('1us') + duration('1µs') + duration('1ns')", "0.000002001s"},
        {"duration('h')", "refused: X018"},
        {"duration('1')", "refused: X018"},
        {"duration('')", "refused: X018"},
        {"duration('1h-1m')", "refused: X018"},
        {"yuan(event.amount)", "199.90"},
        {"yuan(-0.5) + yuan(1e3) + yuan(0.005)", "-0.501000.000.01"},
        {"yuan(1e30)", "refused: X018"},
        {"string(event.amount) + '/' + string(event.qty) + '/' + string(event.gift)",
         "199.9/7/true"},
        {"string(1e15) + string(0.1) + string(1e-7) + string(-0.0)", "1e+150.11e-07-0"},
        {"string(5e-324)", "4.94065645841247e-324"},
        {"string(0.1 + 0.2)", "0.30000000000000004"},
        {"string(1.0 / 0.0)", "Infinity"},
        {"int('42') + int('-7') + int('+1')", "36"},
        {"int('4x')", "refused: X018"},
        {"int('')", "refused: X018"},
        {"int(event.order_id)", "error: a text that is not an int"},
        {"int(-7.9)", "-7"},
        {"int(9223372036854775807.0)", "refused: X018"},
        {"double('1e3') + double(' 1')", "refused: X018"},
        {"double('-.5e1')", "-5"},
        {"double('1e999')", "refused: X018"},
        {"double('NaN') == double('NaN')", "false"},
        {"bool('true') && !bool('0')", "true"},
        {"timestamp('2026-03-02T10:00:00+08:00') < event.time", "true"},
        {"timestamp('2026-03-02 10:00:00Z') < event.time", "refused: X018"},
        {"timestamp('2026-03-02T10:00:00') < event.time", "refused: X018"},
        {"timestamp(int(event.time)) == now", "true"},
        {"'中文字'.size() == 3 && size('a') == 1", "true"},
        {"event.order_id.startsWith('p') && event.order_id.endsWith('1')", "true"},
        {"event.order_id.contains('') && !event.order_id.contains('p12')", "true"},
        {"dyn(event.amount) > 100", "true"},
        {"9223372036854775807 < 9223372036854775808.0", "false"},
    };
    (void)state;
    struct shop *s = shop_new();
    s->env.build = true;
    CHECK(s, rows);
    shop_free(s);
}

static void test_building(void **state)
{
    static const struct row rows[] = {
        {"event.items.map(i, i.sku)", "MILK1,BREAD"},
        {"event.items.map(i, i.qty > 1, i.sku)", "BREAD"},
        {"event.items.map(i, i.qty > 5, i.sku)", ""},
        {"event.items.filter(i, i.price > 50)[0].sku", "MILK1"},
        {"event.prices.filter(p, p > 100)", "199.90"},
        {"event.prices.map(p, p * 2.0)", "399.8,25"},
        {"[event.qty, 2] + [3]", "7,2,3"},
        {"[[event.qty], [1, 2]][0]", "7"},
        {"{'a': event.qty, event.channel: 2}", "a=7,app=2"},
        {"{'app': event.qty, event.channel: 2}", "error: the same key twice"},
        {"{'a': event.qty}.a + {event.order_id: 5}['p1']", "12"},
        {"event.items.map(i, event.items.map(j, i.qty * j.qty))", "1,2,2,4"},
        {"event.items.map(i, i.sku + '×' + string(i.qty)) == ['MILK1×1', 'BREAD×2']", "true"},
        {"{1: 2, 3: 4}.map(k, k + event.qty)", "8,10"},
        {"event.gift ? event.items.map(i, i.sku) : []", "MILK1,BREAD"},
        {"[].map(x, x)", ""},
        {"size([[]])", "1"},
        {"event.qty in [1, 7, 9] && event.qty in [1.0, 7.0]", "true"},
        {"event.amount in [1, 2] || event.amount in [199.9, 5.0]", "true"},
        {"event.qty in [0.0 / 0.0, 7.0]", "true"},
        {"0.0 / double(event.qty - 7) in [0.0 / 0.0]", "false"},
        {"event.gift in [true] && !(event.gift in [])", "true"},
        {"event.time in [event.time, now]", "true"},
        {"event.order_id in ['z', 'p1', 'a'] && event.order_id in ['p1']", "true"},
        {"event.items.exists(i, i.sku in ['BREAD', 'X'])", "true"},
        {"event.items.exists_one(i, i.qty > 0)", "false"},
        {"event.items.exists_one(event, event.qty > 1)", "true"},
    };
    (void)state;
    struct shop *s = shop_new();
    s->env.build = true;
    CHECK(s, rows);
    shop_free(s);
}

/* The double that is seen is the correctly rounded one, beyond 2^53 fen too. */
static void test_money(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    struct val v;
    const struct expr *e = shop_compile(s, STR("event.amount"), NULL);
    const struct expr *back = shop_compile(s, STR("event.amount"), &type_money);
    const struct expr *fixed = shop_compile(s, STR("99"), &type_money);
    static const struct {
        int64_t fen;
        double d;
    } rows[] = {{0, 0.0},
                {-1, -0.01},
                {19990, 199.9},
                {INT64_C(9007199254740993), 90071992547409.93},
                {INT64_C(9223372036854775807), 92233720368547758.07},
                {INT64_C(-9223372036854775807), -92233720368547758.07},
                {INT64_C(1234567890123456789), 12345678901234567.89}};
    for (size_t i = 0; i < BASE_LEN(rows); i++) {
        s->event[1] = val_money(rows[i].fen);
        assert_int_equal(expr_eval(e, s->ctx, &v), 0);
        assert_int_equal(v.t, V_DOUBLE);
        assert_memory_equal(&v.d, &rows[i].d, sizeof v.d);
    }
    for (int64_t fen = -100000; fen < 100000; fen += 7) {
        s->event[1] = val_money(fen);
        assert_int_equal(expr_eval(back, s->ctx, &v), 0);
        assert_true(v.t == V_MONEY && v.i == fen);
    }
    assert_true(expr_is_const(fixed, &v) && v.t == V_MONEY && v.i == 9900);
    shop_free(s);
}

/* set: writes tags whose type is narrower than a string. */
static void test_narrow(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    struct val v;
    s->env.build = true;
    const struct expr *date = shop_compile(s, STR("date(event.time)"), &type_date);
    assert_int_equal(expr_eval(date, s->ctx, &v), 0);
    date = shop_compile(s, STR("event.order_id"), &type_date);
    assert_int_equal(expr_eval(date, s->ctx, &v), -1);
    const struct expr *lunar = shop_compile(s, STR("'2026-L06-30'"), &type_lunar_date);
    assert_true(expr_is_const(lunar, &v));
    assert_null(shop_compile(s, STR("'2026-L06-31'"), &type_lunar_date));
    assert_null(shop_compile(s, STR("'2026-L6-30'"), &type_lunar_date));
    assert_null(shop_compile(s, STR("''"), &type_lunar_date));
    const struct expr *level = shop_compile(s, STR("event.order_id"), &level_type);
    assert_int_equal(expr_eval(level, s->ctx, &v), -1);
    level = shop_compile(s, STR("event.gift ? 'gold' : 'basic'"), &level_type);
    assert_int_equal(expr_eval(level, s->ctx, &v), 0);
    assert_non_null(shop_compile(s, STR("member.level"), &level_type));
    assert_non_null(shop_compile(s, STR("'138'"), &type_address));
    shop_free(s);
}

static void test_vars(void **state)
{
    static const struct expr_var vars[] = {{NAME("status"), &type_int},
                                           {NAME("body"), &type_string},
                                           {NAME("a.b"), &views_type},
                                           {NAME("a.b.c"), &type_int}};
    static const struct row rows[] = {
        {"status == 200 && body.contains('ok')", "true"},
        {"a.b.c", "5"},
        {"a.b.MILK1", "5"},
        {"[1].exists(status, status == 1)", "true"},
    };
    (void)state;
    struct shop *s = shop_new();
    struct val v;
    struct val values[] = {
        val_int(200), val_str(STR("{ok}")), {.t = V_MAP, .n = 2, .list = s->views}, val_int(5)};
    s->env = (struct expr_env){.vars = vars, .n_vars = BASE_LEN(vars)};
    s->ctx->vars = values;
    CHECK(s, rows);
    const struct expr *e = shop_compile(s, STR("status == 200 || body == ''"), &type_bool);
    values[0] = (struct val){.t = V_ABSENT};
    assert_int_equal(expr_eval(e, s->ctx, &v), -1);
    shop_free(s);
}

/* Two values of each of six types: literals in ascending order (bool has only two). */
static const char *const lits[6][3] = {
    {"-1", "0", "9"},
    {"-0.5", "0.0", "1e9"},
    {"''", "'a'", "'ab'"},
    {"false", "false", "true"},
    {"timestamp(-1)", "timestamp('1970-01-01T00:00:00Z')", "timestamp('1970-01-01T00:00:00.5Z')"},
    {"duration('-1ns')", "duration('0')", "duration('1h')"},
};
static const struct expr_var pairs[] = {
    {NAME("i"), &type_int},   {NAME("d"), &type_double},     {NAME("s"), &type_string},
    {NAME("b"), &type_bool},  {NAME("t"), &type_timestamp},  {NAME("u"), &type_duration},
    {NAME("ii"), &type_int},  {NAME("dd"), &type_double},    {NAME("ss"), &type_string},
    {NAME("bb"), &type_bool}, {NAME("tt"), &type_timestamp}, {NAME("uu"), &type_duration}};

/* The six comparisons of a literal with another: as variables, as constants, and mixed. */
static void compare(struct shop *s, int type, const char *p, const char *q, int order)
{
    static const char *const ops[] = {"<", "<=", ">", ">=", "==", "!="};
    static const bool expected[3][6] = {{1, 1, 0, 0, 0, 1}, {0, 1, 0, 1, 1, 0}, {0, 0, 1, 1, 0, 1}};
    const char *x = pairs[type].name.p, *y = pairs[type + 6].name.p;
    const char *sides[4][2] = {{x, y}, {x, q}, {p, y}, {p, q}};
    for (int k = 0; k < 24; k++) {
        const char **side = sides[k / 6], *op = ops[k % 6];
        const char *got = shop_eval(s, arena_printf(s->a, "%s %s %s", side[0], op, side[1]));
        if (strcmp(got, expected[order + 1][k % 6] ? "true" : "false") != 0)
            fail_msg("%s %s %s gives %s", side[0], op, side[1], got);
    }
}

static struct val literal(struct shop *s, const char *text)
{
    struct val v = {0};
    const struct expr *e = shop_compile(s, str_c(text), NULL);
    assert_true(e && expr_is_const(e, &v));
    return v;
}

static void test_compare(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    struct val values[12];
    s->ctx->vars = values;
    s->env = (struct expr_env){.vars = pairs, .n_vars = 12};
    for (int k = 0; k < 6 * 9; k++) {
        int type = k / 9, a = k % 9 / 3, b = k % 3;
        int order = (a > b) - (a < b);
        if (type == 3) /* bool */
            order = (a == 2) - (b == 2);
        values[type] = literal(s, lits[type][a]);
        values[type + 6] = literal(s, lits[type][b]);
        compare(s, type, lits[type][a], lits[type][b], order);
    }
    shop_free(s);
}

/* int against double, both ways. */
static void test_compare_cross(void **state)
{
    static const struct expr_var vars[] = {{NAME("i"), &type_int}, {NAME("d"), &type_double}};
    static const struct row rows[] = {
        {"i < d && d > i && i != d && !(i == d)", "true"},
        {"i <= d && !(d <= i) && !(i >= d) && d >= i", "true"},
        {"i + 1 > d && d < i + 1", "true"},
        {"i in [2.0, 3.0] && !(d in [3, 4]) && !(i in [d, 4.5])", "true"},
        {"[d, 3.0].exists(x, x == i)", "true"},
    };
    (void)state;
    struct shop *s = shop_new();
    struct val values[] = {val_int(3), val_double(3.5)};
    s->env = (struct expr_env){.vars = vars, .n_vars = 2, .build = true};
    s->ctx->vars = values;
    CHECK(s, rows);
    shop_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loads),          cmocka_unit_test(test_errors),
        cmocka_unit_test(test_error_is_false), cmocka_unit_test(test_wrong_inputs),
        cmocka_unit_test(test_functions),      cmocka_unit_test(test_building),
        cmocka_unit_test(test_money),          cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_vars),           cmocka_unit_test(test_compare),
        cmocka_unit_test(test_compare_cross),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
