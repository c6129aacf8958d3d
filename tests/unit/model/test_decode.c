/* SPDX-License-Identifier: Apache-2.0 */
/* Upstream decoding: the forms that are read, every dead-letter code, and the two parsers held against
 * each other. */
#include <setjmp.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "shop.h"

static struct arena *a;
static struct schema schema;
static struct event *ev;
static uint32_t n;
static struct err err;

static int setup(void **state)
{
    (void)state;
    a = arena_new(0);
    schema = shop_schema();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&a);
    return 0;
}

static const struct decode_limits limits = {
    .max_bytes = 4096, .max_depth = 32, .latest_ms = 1800000000000};

static int decode_h(const char *topic, struct str value, const struct str *headers, uint32_t n_h)
{
    struct upstream u = {.src = {str_c(topic), 1, 2, 3},
                         .kafka_ms = 1700000000001,
                         .value = value,
                         .headers = headers,
                         .n_headers = n_h};
    memset(&err, 0, sizeof err);
    return model_decode(&schema, &u, &limits, a, &ev, &n, &err);
}

static int decode(const char *topic, const char *text)
{
    return decode_h(topic, str_c(text), NULL, 0);
}

#define PAID "\"type\":\"PAID\",\"member_id\":\"m1\",\"paid_at\":1700000000,\"order_id\":\"o1\","
#define OK_REST "\"amount\":\"99.90\",\"channel\":\"app\",\"items\":[]"

static void test_plain(void **state)
{
    (void)state;
    assert_int_equal(decode("trade",
                            "{" PAID "\"amount\":99.9,\"channel\":\"app\",\"junk\":{\"a\":[1]},"
                            "\"items\":[{\"sku\":\"A\",\"qty\":2,\"price\":1},"
                            "{\"sku\":\"B\",\"qty\":1}],\"rate\":3,\"first\":true,"
                            "\"when\":\"2026-03-02T10:00:00.5Z\",\"born\":\"2000-02-29\","
                            "\"moon\":\"2001-L04-30\",\"note\":\"四个字呀\",\"coupon\":null}"),
                     0);
    assert_int_equal(n, 3); /* the record's own first, then its lines */
    assert_ptr_equal(ev[0].def, &def_purchase);
    assert_true(str_eqc(ev[0].id, "o1") && str_eqc(ev[0].member, "m1") && str_eqc(ev[0].role, ""));
    assert_int_equal(ev[0].at_ms, 1700000000000);
    const struct val *f = ev[0].f;
    assert_true(f[1].t == V_MONEY && f[1].i == 9990);
    assert_int_equal(f[2].t, V_ABSENT);
    assert_int_equal(f[4].n, 2);
    assert_int_equal(f[4].list[0].list[2].i, 100);
    assert_int_equal(f[4].list[1].list[2].t, V_ABSENT);
    assert_int_equal(f[5].t, V_DOUBLE);
    assert_int_equal(val_ms(f[7]), 1772445600500);
    assert_true(f[12].t == V_STRING && f[13].t == V_TIMESTAMP && f[14].t == V_STRING);
    assert_ptr_equal(ev[2].def, &def_line);
    assert_true(str_eqc(ev[2].id, "o1/1") && str_eqc(val_get_str(ev[2].f[0]), "B") &&
                str_eqc(val_get_str(ev[2].f[1]), "o1"));
}

static void test_no_match(void **state)
{
    (void)state;
    assert_int_equal(decode("trade", "{\"type\":\"OPEN\"}"), 0);
    assert_int_equal(n, 0);
    assert_int_equal(decode("unknown", "not even json"), 0);
    assert_int_equal(n, 0);
}

static void test_two_members(void **state)
{
    (void)state;
    assert_int_equal(decode("crm", "{\"data\":{\"from\":7,\"to\":\"m2\",\"level\":1}}"), 0);
    assert_int_equal(n, 2);
    assert_true(str_eqc(ev[0].member, "7") && str_eqc(ev[0].role, "inviter"));
    assert_true(str_eqc(ev[1].member, "m2") && str_eqc(ev[1].role, "invitee"));
    assert_true(str_eqc(ev[0].id, "crm/1/2/3")); /* no id declared: where it stands */
    assert_int_equal(ev[0].at_ms, 1700000000001);
    assert_true(str_eqc(val_get_str(ev[1].f[3]), "invitee"));
}

static void test_fan_out(void **state)
{
    (void)state;
    assert_int_equal(decode("stock", "{\"level\":3}"), 0);
    assert_true(n == 1 && ev[0].member.n == 0);
}

static void test_profile(void **state)
{
    (void)state;
    assert_int_equal(decode("profile", "{\"member\":\"m\",\"time\":\"2026-03-02T10:00:00Z\","
                                       "\"set\":{\"name\":\"张\",\"vip\":null,\"other\":1}}"),
                     0);
    assert_int_equal(n, 1);
    assert_int_equal(ev[0].at_ms, 1772445600000);
    assert_int_equal(ev[0].f[0].t, V_STRING);
    assert_int_equal(ev[0].f[1].t, V_NULL);
    assert_int_equal(ev[0].f[2].t, V_ABSENT);
    assert_int_equal(decode("profile", "{\"member\":\"m\"}"), -1);
    assert_string_equal(err.file, "set");
    assert_int_equal(decode("profile", "{\"member\":\"m\",\"set\":{\"phone\":13800000000}}"), -1);
    assert_string_equal(err.file, "set.phone");
    assert_null(strstr(err.text, "13800000000")); /* an address is never shown */
}

static void test_cloudevents(void **state)
{
    (void)state;
    const struct str binary[] = {STR("ce_specversion"), STR("1.0"),
                                 STR("ce_id"),          STR("77"),
                                 STR("ce_source"),      STR("/crm"),
                                 STR("ce_type"),        STR("PAID"),
                                 STR("ce_time"),        STR("2023-11-14T22:13:20Z")};
    assert_int_equal(decode_h("stock", STR("{\"level\":1}"), binary, 5), 0);
    assert_true(n == 1 && str_eqc(ev[0].id, "/crm 77"));
    assert_int_equal(ev[0].at_ms, 1700000000000);
    /* match may speak of attributes */
    assert_int_equal(decode_h("trade",
                              STR("{\"member_id\":\"m1\",\"order_id\":\"o\",\"paid_at\":1,"
                                  "\"items\":[],\"channel\":\"app\",\"amount\":1}"),
                              binary, 5),
                     0);
    assert_int_equal(n, 1);
    const struct str type[] = {STR("Content-Type"),
                               STR("application/cloudevents+json; charset=utf-8")};
    assert_int_equal(decode_h("stock",
                              STR("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\","
                                  "\"type\":\"t\",\"time\":\"2023-11-14T22:13:20Z\","
                                  "\"data\":{\"level\":5}}"),
                              type, 1),
                     0);
    assert_true(n == 1 && str_eqc(ev[0].id, "s 1") && ev[0].f[0].i == 5);
    assert_int_equal(decode_h("stock",
                              STR("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\","
                                  "\"type\":\"t\",\"data_base64\":\"eyJsZXZlbCI6NX0=\"}"),
                              type, 1),
                     0);
    assert_true(n == 1 && ev[0].f[0].i == 5 && ev[0].at_ms == 1700000000001);
    assert_int_equal(
        decode_h("stock", STR("{\"specversion\":\"1.0\",\"id\":\"1\",\"data\":{}}"), type, 1), -1);
    assert_string_equal(err.code, "cloudevent");
    assert_int_equal(decode_h("stock", STR("{\"level\":1}"), binary, 1), -1);
    assert_string_equal(err.code, "cloudevent");
    const struct str batch[] = {STR("content-type"), STR("application/cloudevents-batch+json")};
    assert_int_equal(decode_h("stock", STR("[]"), batch, 1), -1);
    assert_string_equal(err.code, "cloudevent");
}

static const struct {
    const char *topic, *text, *code, *path;
} dead[] = {
    {"trade", "", "empty", ""},
    {"trade", "{", "json_syntax", ""},
    {"trade", "[1]", "wrong_type", ""},
    {"trade", "{\"a\":1,\"a\":2}", "json_duplicate_key", ""},
    {"trade", "{\"a\":\"\xff\"}", "utf8", ""},
    {"trade", "{\"type\":\"PAID\"}", "missing_field", "order_id"},
    {"trade", "{\"type\":\"PAID\",\"order_id\":\"o\",\"paid_at\":1," OK_REST "}", "missing_member",
     "member_id"},
    {"trade", "{\"type\":\"PAID\",\"member_id\":\"\",\"order_id\":\"o\",\"paid_at\":1," OK_REST "}",
     "missing_member", "member_id"},
    {"trade", "{\"type\":\"PAID\",\"member_id\":1.5,\"order_id\":\"o\",\"paid_at\":1," OK_REST "}",
     "wrong_type", "member_id"},
    {"trade",
     "{\"type\":\"PAID\",\"member_id\":\"a\\u0000\",\"order_id\":\"o\",\"paid_at\":1," OK_REST "}",
     "bad_member", "member_id"},
    {"trade",
     "{\"type\":\"PAID\",\"member_id\":\"m\",\"order_id\":\"o\",\"paid_at\":\"x\"," OK_REST "}",
     "bad_time", "paid_at"},
    {"trade",
     "{\"type\":\"PAID\",\"member_id\":\"m\",\"order_id\":\"o\",\"paid_at\":1900000000," OK_REST
     "}",
     "future_time", "paid_at"},
    {"trade", "{" PAID "\"channel\":\"app\"}", "missing_field", "amount"},
    {"trade", "{" PAID "\"amount\":null,\"channel\":\"app\"}", "missing_field", "amount"},
    {"trade", "{" PAID "\"amount\":1.001,\"channel\":\"app\"}", "bad_money", "amount"},
    {"trade", "{" PAID "\"amount\":\"1.001\",\"channel\":\"app\"}", "bad_money", "amount"},
    {"trade", "{" PAID "\"amount\":\"1e2\",\"channel\":\"app\"}", "bad_money", "amount"},
    {"trade", "{" PAID "\"amount\":true,\"channel\":\"app\"}", "wrong_type", "amount"},
    {"trade", "{" PAID "\"amount\":9223372036854775807,\"channel\":\"app\"}", "bad_money",
     "amount"},
    {"trade", "{" PAID "\"amount\":1,\"channel\":\"web\"}", "one_of", "channel"},
    {"trade", "{" PAID OK_REST ",\"rate\":\"1\"}", "wrong_type", "rate"},
    {"trade", "{" PAID OK_REST ",\"first\":1}", "wrong_type", "first"},
    {"trade", "{" PAID OK_REST ",\"born\":\"2001-02-29\"}", "bad_date", "born"},
    {"trade", "{" PAID OK_REST ",\"moon\":\"2001-13-01\"}", "bad_date", "moon"},
    {"trade", "{" PAID OK_REST ",\"note\":\"五个字不行\"}", "too_long", "note"},
    {"trade", "{" PAID OK_REST ",\"when\":true}", "bad_time", "when"},
    {"trade", "{" PAID "\"amount\":1,\"channel\":\"app\",\"items\":[1,2,3,4]}", "too_many",
     "items"},
    {"trade", "{" PAID "\"amount\":1,\"channel\":\"app\",\"items\":[{\"sku\":\"A\",\"qty\":1.0}]}",
     "wrong_type", "items[0].qty"},
    {"trade",
     "{" PAID "\"amount\":1,\"channel\":\"app\",\"items\":[{\"sku\":\"A\",\"qty\":1},{\"qty\":1}]}",
     "missing_field", "items[1].sku"},
    {"trade", "{" PAID "\"amount\":1,\"channel\":\"app\"}", "missing_field", "items"}, /* of each */
    {"crm", "{\"data\":{\"from\":1,\"level\":1}}", "missing_member", "data.to"},
    {"crm", "{\"data\":{\"from\":1,\"to\":2,\"level\":\"x\"}}", "wrong_type", "data.level"},
};

static void test_dead_letters(void **state)
{
    (void)state;
    for (size_t i = 0; i < BASE_LEN(dead); i++) {
        if (decode(dead[i].topic, dead[i].text) != -1)
            fail_msg("accepted: %s", dead[i].text);
        if (strcmp(err.code, dead[i].code) != 0 || strcmp(err.file, dead[i].path) != 0)
            fail_msg("%s: %s at %s, not %s at %s", dead[i].text, err.code, err.file, dead[i].code,
                     dead[i].path);
        assert_int_equal(err.kind, ERR_INPUT);
    }
    static char big[5000];
    memset(big, ' ', sizeof big - 1);
    assert_int_equal(decode("trade", big), -1);
    assert_string_equal(err.code, "too_big");
    static char deep[1001];
    memset(deep, '[', sizeof deep - 1);
    assert_int_equal(decode("trade", deep), -1);
    assert_string_equal(err.code, "json_depth");
}

static void test_need_time(void **state)
{
    (void)state;
    struct decode_limits lim = limits;
    struct upstream u = {.src = {STR("stock"), 0, 0, 0}, .value = STR("{\"level\":1}")};
    lim.need_time = true;
    memset(&err, 0, sizeof err);
    assert_int_equal(model_decode(&schema, &u, &lim, a, &ev, &n, &err), -1);
    assert_string_equal(err.code, "missing_time");
}

/* Money is exact: 0.01 to 2000.00 in both spellings, and nothing in between. */
static void test_money(void **state)
{
    (void)state;
    char text[256];
    for (int fen = 1; fen <= 200000; fen += fen < 2000 ? 1 : 37) {
        (void)snprintf(text, sizeof text,
                       "{" PAID "\"channel\":\"app\",\"items\":[],\"amount\":%d.%02d}", fen / 100,
                       fen % 100);
        assert_int_equal(decode("trade", text), 0);
        assert_int_equal(ev[0].f[1].i, fen);
        (void)snprintf(text, sizeof text,
                       "{" PAID "\"channel\":\"app\",\"items\":[],\"amount\":\"-%d.%02d0\"}",
                       fen / 100, fen % 100);
        assert_int_equal(decode("trade", text), 0);
        assert_int_equal(ev[0].f[1].i, -fen);
        (void)snprintf(text, sizeof text,
                       "{" PAID "\"channel\":\"app\",\"items\":[],\"amount\":%d.%02d1}", fen / 100,
                       fen % 100);
        assert_int_equal(decode("trade", text), -1);
        arena_reset(a);
    }
    assert_int_equal(decode("trade", "{" PAID "\"channel\":\"app\",\"items\":[],\"amount\":1.5e2}"),
                     0);
    assert_int_equal(ev[0].f[1].i, 15000);
    assert_int_equal(decode("trade", "{" PAID "\"channel\":\"app\",\"items\":[],\"amount\":"
                                     "9999999999999.99}"),
                     0);
    assert_int_equal(ev[0].f[1].i, 999999999999999);
}

/* ---- what the fast parser accepts, jansson accepts with the same tree ---- */

static bool same(const struct json *x, const struct json *y)
{
    if (x->kind != y->kind || x->n != y->n || x->b != y->b || x->i != y->i ||
        memcmp(&x->d, &y->d, sizeof x->d) != 0 || !str_eq(x->s, y->s))
        return false;
    for (uint32_t i = 0; i < x->n; i++)
        if (!same(&x->items[i], &y->items[i]) ||
            (x->kind == JSON_OBJECT && !str_eq(x->keys[i], y->keys[i])))
            return false;
    return true;
}

static const char *const seeds[] = {
    "{\"a\":1,\"b\":[1.5,-0,-0.0,1e3,true,false,null],\"c\":{\"d\":\"x\\n\\u732b\\ud83d\\ude00\"}}",
    " { \"k\" : [ ] , \"\" : { } } ",
    "[9223372036854775807,-9223372036854775808,0.1,123456789012345678,1.7976931348623157e308]",
    "{\"猫\":\"狗\",\"b\":\"\\\\\\/\\b\\f\\r\\t\\\"\"}",
};

static void test_parsers_agree(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252U;
    int accepted = 0;
    for (int round = 0; round < 30000; round++) {
        char text[256];
        const char *seed = seeds[(size_t)round % BASE_LEN(seeds)];
        size_t len = strlen(seed);
        memcpy(text, seed, len + 1);
        for (int k = round < 4 ? 0 : 1 + round % 3; k > 0; k--) {
            static const char alphabet[] = "\"\\{}[]:,0123456789.eE+-tfn \n\x01\x80\xc3u";
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            text[x % len] = alphabet[(x >> 32) % (sizeof alphabet - 1)];
        }
        const struct json *fast, *slow;
        if (json_fast((struct str){text, len}, 8, a, &fast)) {
            accepted++;
            memset(&err, 0, sizeof err);
            if (json_slow((struct str){text, len}, 8, a, &slow, &err) < 0 || !same(fast, slow))
                fail_msg("the parsers differ on %s (%s)", text, err.text);
        }
        arena_reset(a);
    }
    assert_true(accepted > 1000);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_plain),        T(test_no_match),  T(test_two_members),
                                       T(test_fan_out),      T(test_profile),   T(test_cloudevents),
                                       T(test_dead_letters), T(test_need_time), T(test_money),
                                       T(test_parsers_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
