/* SPDX-License-Identifier: Apache-2.0 */
/* value and JSON: equality, texts, canonical writing, parsing and what it refuses. */
#include <setjmp.h>
#include <stdio.h>
#include <stdarg.h>
#include <cmocka.h>

#include "model_priv.h"

static void expect_text(struct val v, const char *want)
{
    struct buf b;
    buf_init(&b, 4096);
    val_text(&v, &b);
    buf_addc(&b, '\0');
    assert_string_equal(b.p, want);
    buf_free(&b);
}

static void test_text(void **state)
{
    (void)state;
    struct val list[] = {val_str(STR("a")), val_int(-3)};
    expect_text(val_money(12345), "123.45");
    expect_text(val_money(-5), "-0.05");
    expect_text(val_money(INT64_MIN), "-92233720368547758.08");
    expect_text(val_double(0.1), "0.1");
    expect_text(val_double(100), "100");
    expect_text(val_double(-2.5), "-2.5");
    expect_text(val_double(1.0 / 3), "0.3333333333333333");
    expect_text(val_double(5e-324), "4.94065645841247e-324");
    expect_text(val_double(1e300), "1e+300");
    expect_text(val_double(9007199254740993.0), "9007199254740992");
    expect_text(val_bool(true), "true");
    expect_text(val_time_ms(-1), "1969-12-31T23:59:59.999Z");
    expect_text((struct val){.t = V_DURATION, .i = -1500000000}, "-1.5s");
    expect_text((struct val){.t = V_DURATION, .i = 90000000000}, "90s");
    expect_text((struct val){.t = V_LIST, .n = 2, .list = list}, "a,-3");
}

static void test_double_round_trip(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252U;
    for (int i = 0; i < 20000; i++) {
        double d, back;
        char tmp[33];
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        memcpy(&d, &x, sizeof d);
        if (!(d > -1e308 && d < 1e308))
            continue;
        tmp[model_double_text(d, tmp)] = '\0';
        struct scan s = {.p = tmp, .end = tmp + strlen(tmp)};
        assert_true(scan_double(&s, &back) && s.p == s.end);
        assert_memory_equal(&d, &back, sizeof d);
    }
}

static void test_time(void **state)
{
    (void)state;
    int64_t ms[] = {0, 1, -1, 999, -999, -1000, 1700000000123, -62135596800000};
    for (size_t i = 0; i < BASE_LEN(ms); i++)
        assert_int_equal(val_ms(val_time_ms(ms[i])), ms[i]);
    assert_int_equal(val_ms((struct val){.t = V_TIMESTAMP, .i = INT64_MAX}), INT64_MAX);
    assert_int_equal(val_ms((struct val){.t = V_TIMESTAMP, .i = INT64_MIN}), INT64_MIN);
}

static void test_eq_dup(void **state)
{
    (void)state;
    struct arena *a = arena_new(0);
    struct val nan = val_double(0.0 / (double)(*state != NULL));
    struct val m1[] = {val_str(STR("a")), val_int(1), val_str(STR("b")), val_int(2)};
    struct val m2[] = {val_str(STR("b")), val_int(2), val_str(STR("a")), val_int(1)};
    struct val m3[] = {val_str(STR("b")), val_int(2), val_str(STR("c")), val_int(1)};
    struct val x = {.t = V_MAP, .n = 2, .list = m1}, y = {.t = V_MAP, .n = 2, .list = m2},
               z = {.t = V_MAP, .n = 2, .list = m3};
    struct val one = val_int(1), money = val_money(1);
    assert_false(val_eq(&nan, &nan));
    assert_true(val_eq(&x, &y));
    assert_false(val_eq(&x, &z));
    assert_false(val_eq(&one, &money));
    struct val d = val_dup(a, x);
    assert_true(val_eq(&d, &x));
    assert_ptr_not_equal(d.list, x.list);
    assert_ptr_not_equal(d.list[0].s, x.list[0].s);
    arena_free(&a);
}

static void test_write_str(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    json_write_str(&b, STR("a\"\\\n\t\x01/\x7f猫\0z"));
    assert_string_equal(b.p, "\"a\\\"\\\\\\n\\t\\u0001/\x7f猫\\u0000z\"");
    buf_free(&b);
}

/* ---- parsing ---- */

static const char *const round_trips[] = {
    "{}",
    "[]",
    "null",
    "true",
    "-1",
    "\"\"",
    "{\"b\":1,\"a\":[1,2.5,\"x\",null,{\"c\":false}]}",
    "9223372036854775807",
    "-9223372036854775808",
    "\"\\u0000\"",
    "[[[[]]]]",
    "1e+300",
    "\"猫猫猫\"",
    "{\"a\":\"\\n\",\"b\":\"\\\"\"}",
};

static void test_parse_round_trip(void **state)
{
    (void)state;
    struct arena *a = arena_new(0);
    struct buf b;
    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < BASE_LEN(round_trips); i++) {
        const struct json *j;
        struct err err = {0};
        buf_reset(&b);
        assert_int_equal(json_parse(str_c(round_trips[i]), 8, a, &j, &err), 0);
        json_write_json(&b, j);
        assert_string_equal(b.p, round_trips[i]);
    }
    buf_free(&b);
    arena_free(&a);
}

static const struct {
    const char *text, *code;
} refused[] = {
    {"", "json_syntax"},
    {"{", "json_syntax"},
    {"{}x", "json_syntax"},
    {"{} {}", "json_syntax"},
    {"{\"a\":1,}", "json_syntax"},
    {"{\"a\":1,\"a\":2}", "json_duplicate_key"},
    {"{\"a\":{\"b\":1,\"c\":2,\"b\":1}}", "json_duplicate_key"},
    {"[[[[[[[[[1]]]]]]]]]", "json_depth"},
    {"{\"a\\u0000b\":1}", "json_nul"},
    {"\"\xff\"", "utf8"},
    {"\"\xc0\x80\"", "utf8"},
    {"\"\xed\xa0\x80\"", "utf8"},
    {"\"\\ud800\"", "json_syntax"},
    {"\"\\udc00\"", "json_syntax"},
    {"92233720368547758070", "json_number"},
    {"1e999", "json_number"},
    {"01", "json_syntax"},
    {"1.", "json_syntax"},
    {"+1", "json_syntax"},
    {"nul", "json_syntax"},
    {"NaN", "json_syntax"},
    {"\"a\nb\"", "json_syntax"},
    {"'a'", "json_syntax"},
    {"\"\\x\"", "json_syntax"},
};

static void test_parse_refused(void **state)
{
    (void)state;
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < BASE_LEN(refused); i++) {
        const struct json *j = NULL;
        struct err err = {0};
        if (json_parse(str_c(refused[i].text), 8, a, &j, &err) != -1)
            fail_msg("accepted: %s", refused[i].text);
        if (strcmp(err.code, refused[i].code) != 0)
            fail_msg("%s: %s, not %s (%s)", refused[i].text, err.code, refused[i].code, err.text);
        assert_int_equal(err.kind, ERR_INPUT);
    }
    arena_free(&a);
}

static void test_parse_deep(void **state)
{
    (void)state;
    struct arena *a = arena_new(0);
    static char deep[100001];
    const struct json *j;
    struct err err = {0};
    memset(deep, '[', sizeof deep - 1);
    assert_int_equal(json_parse((struct str){deep, sizeof deep - 1}, 32, a, &j, &err), -1);
    assert_string_equal(err.code, "json_depth");
    arena_free(&a);
}

static void test_get(void **state)
{
    (void)state;
    struct arena *a = arena_new(0);
    const struct json *j;
    assert_int_equal(json_parse(STR("{\"s\":\"x\",\"i\":7,\"d\":1.5}"), 4, a, &j, NULL), 0);
    assert_true(str_eqc(json_str(j, "s"), "x"));
    assert_int_equal(json_str(j, "i").n, 0);
    assert_int_equal(json_i64(j, "i", 1), 7);
    assert_int_equal(json_i64(j, "d", 1), 1);
    assert_null(json_get(j, "none"));
    assert_null(json_get(json_get(j, "s"), "x"));
    assert_null(json_get(NULL, "x"));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),          cmocka_unit_test(test_double_round_trip),
        cmocka_unit_test(test_time),          cmocka_unit_test(test_eq_dup),
        cmocka_unit_test(test_write_str),     cmocka_unit_test(test_parse_round_trip),
        cmocka_unit_test(test_parse_refused), cmocka_unit_test(test_parse_deep),
        cmocka_unit_test(test_get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
