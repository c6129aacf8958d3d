/* SPDX-License-Identifier: Apache-2.0 */
/* rouse.log records: written, read back to the same bytes; other orders of keys; what does not fit; what
 * is broken. */
#include <setjmp.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "shop.h"

static struct arena *a;
static struct buf b;
static struct schema schema;

static int setup(void **state)
{
    (void)state;
    a = arena_new(0);
    buf_init(&b, 1 << 20);
    schema = shop_schema();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&a);
    buf_free(&b);
    return 0;
}

static struct record read_ok(const char *text)
{
    struct record r;
    struct err err = {0};
    if (record_read(&schema, str_c(text), a, &r, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return r;
}

static void refused(const char *text, size_t n)
{
    struct record r;
    struct err err = {0};
    char *own = xmemdup0(text, n); /* so that reading beyond the end is seen */
    char *exact = malloc(n ? n : 1);
    memcpy(exact, own, n);
    if (record_read(&schema, (struct str){exact, n}, a, &r, &err) != -1)
        fail_msg("accepted: %s", own);
    assert_string_equal(err.code, "record");
    free(own);
    free(exact);
}

static const char *const same[] = {
    "{\"t\":\"event\",\"n\":7,\"e\":[{\"s\":[\"trade\",0,3,12345],\"at\":1700000000000,\"v\":["
    "{\"k\":\"purchase\",\"i\":\"o1\",\"m\":\"m1\",\"t\":1699999999999,\"f\":{\"order_id\":\"o1\","
    "\"amount\":9990,\"channel\":\"app\",\"items\":[{\"sku\":\"A\",\"qty\":2,\"price\":100},"
    "{\"sku\":\"B\\n\",\"qty\":-1}],\"rate\":0.25,\"first\":true,\"when\":1700000000123,"
    "\"born\":\"2000-02-29\",\"moon\":\"2001-L04-30\",\"note\":\"猫\"}},"
    "{\"k\":\"order_line\",\"i\":\"o1/0\",\"m\":\"m1\",\"t\":5,\"f\":{\"sku\":\"A\",\"order_id\":"
    "\"o1\"}}]},{\"s\":[\"crm\",2,0,0],\"at\":-1,\"v\":[{\"k\":\"invite\",\"i\":\"x\",\"m\":\"a\","
    "\"r\":\"inviter\",\"t\":0,\"f\":{\"level\":1}}]}]}",
    "{\"t\":\"event\",\"n\":0,\"e\":[]}",
    "{\"t\":\"event\",\"n\":1,\"e\":[{\"s\":[\"p\",0,0,0],\"at\":0,\"v\":[{\"k\":\"profile\",\"i\":"
    "\"1\","
    "\"m\":\"m\",\"t\":0,\"f\":{\"name\":null,\"vip\":true}}]}]}",
    "{\"t\":\"receipt\",\"at\":5,\"s\":[\"rouse.outcomes\",1,2,77],\"era\":1,\"seq\":77,\"member\":"
    "\"m\","
    "\"rule\":\"r\",\"message\":\"x\",\"gateway\":\"sms\",\"status\":\"sent\"}",
    "{\"t\":\"receipt\",\"at\":5,\"s\":[\"c\",0,0,0],\"era\":0,\"seq\":18446744073709551615,"
    "\"status\":\"opted_out\"}",
    "{\"t\":\"tick\",\"at\":-5}",
    "{\"t\":\"rules\",\"at\":0,\"n\":9,\"hash\":"
    "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"level\":1}",
    "{\"t\":\"erase\",\"at\":1,\"member\":\"m\"}",
};

static void test_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < BASE_LEN(same); i++) {
        struct record r = read_ok(same[i]);
        buf_reset(&b);
        record_write(&r, &b);
        assert_string_equal(b.p, same[i]);
        for (size_t n = 0; n < strlen(same[i]); n++)
            refused(same[i], n);
    }
}

static void test_values(void **state)
{
    (void)state;
    struct record r = read_ok(same[0]);
    assert_true(r.kind == REC_EVENT && r.n == 7 && r.n_entries == 2 && r.n_dropped == 0);
    const struct entry *e = &r.entries[0];
    assert_true(e->src.offset == 12345 && e->src.partition == 3 && str_eqc(e->src.topic, "trade"));
    assert_int_equal(e->n_events, 2);
    assert_ptr_equal(e->events[0].def, &def_purchase);
    const struct val *f = e->events[0].f;
    assert_true(f[1].t == V_MONEY && f[1].i == 9990 && f[2].t == V_ABSENT);
    assert_true(str_eqc(val_get_str(f[4].list[1].list[0]), "B\n"));
    assert_int_equal(f[4].list[1].list[2].t, V_ABSENT);
    assert_true(str_eqc(val_get_str(f[12]), "o1") && val_ms(f[13]) == 1699999999999);
    assert_true(str_eqc(r.entries[1].events[0].role, "inviter"));
}

#define ENTRY(v) "{\"t\":\"event\",\"n\":1,\"e\":[{\"s\":[\"t\",0,0,1],\"at\":1,\"v\":[" v "]}]}"
#define LINE(f) "{\"k\":\"order_line\",\"i\":\"i\",\"m\":\"m\",\"t\":1,\"f\":" f "}"

/* Another order, keys nobody knows, fields that are gone: read by names. */
static void test_by_names(void **state)
{
    (void)state;
    struct record r =
        read_ok("{\"t\":\"event\",\"e\":[{\"at\":1,\"new\":{\"a\":[1]},\"v\":["
                "{\"k\":\"order_line\",\"t\":1,\"m\":\"m\",\"x\":1.5e3,\"i\":\"i\",\"f\":"
                "{\"gone\":[{}],\"order_id\":\"o\",\"sku\":\"s\"}}],\"s\":[\"t\",0,0,1]}],"
                "\"n\":1}");
    const struct event *ev = &r.entries[0].events[0];
    assert_ptr_equal(ev->def, &def_line);
    assert_true(str_eqc(val_get_str(ev->f[0]), "s") && str_eqc(val_get_str(ev->f[1]), "o"));
    assert_true(str_eqc(ev->id, "i") && str_eqc(val_get_str(ev->f[2]), "i"));
}

/* Events that do not fit lose their def; the others are read. */
static const char *const misfits[] = {
    "{}",
    "{\"sku\":\"s\"}",
    "{\"sku\":1,\"order_id\":\"o\"}",
    "{\"sku\":null,\"order_id\":\"o\"}",
    "{\"sku\":[\"s\"],\"order_id\":\"o\"}",
};

static void test_misfits(void **state)
{
    (void)state;
    char text[1024];
    for (size_t i = 0; i < BASE_LEN(misfits); i++) {
        (void)snprintf(text, sizeof text,
                       ENTRY(LINE("%s") "," LINE("{\"sku\":\"s\",\"order_id\":\"o\"}")),
                       misfits[i]);
        struct record r = read_ok(text);
        assert_int_equal(r.n_dropped, 1);
        assert_null(r.entries[0].events[0].def);
        assert_ptr_equal(r.entries[0].events[1].def, &def_line);
    }
    struct record r =
        read_ok(ENTRY("{\"k\":\"gone\",\"i\":\"i\",\"t\":1,\"f\":{\"a\":{\"b\":[]}}}"));
    assert_true(r.n_dropped == 1 && !r.entries[0].events[0].def);
    /* limits of the declaration hold here too */
    r = read_ok(
        ENTRY("{\"k\":\"purchase\",\"i\":\"i\",\"t\":1,\"f\":{\"order_id\":\"o\",\"amount\":1,"
              "\"channel\":\"fax\"}}"));
    assert_int_equal(r.n_dropped, 1);
    r = read_ok(
        ENTRY("{\"k\":\"purchase\",\"i\":\"i\",\"t\":1,\"f\":{\"order_id\":\"o\",\"amount\":1.5,"
              "\"channel\":\"app\"}}"));
    assert_int_equal(r.n_dropped, 1);
}

static const char *const broken[] = {
    "",
    "null",
    "[]",
    "{}",
    "{\"t\":\"event\"}",
    "{\"t\":\"event\",\"n\":1}",
    "{\"t\":\"other\",\"at\":1}",
    "{\"t\":\"tick\",\"at\":1} ",
    "{ \"t\":\"tick\",\"at\":1}",
    "{\"t\":\"tick\",\"at\":1.5}",
    "{\"t\":\"tick\",\"at\":01}",
    "{\"t\":\"tick\",\"at\":9223372036854775808}",
    "{\"t\":\"tick\",\"at\":1,}",
    "{\"t\":\"rules\",\"at\":1,\"n\":1,\"hash\":\"x\",\"level\":1}",
    "{\"t\":\"receipt\",\"at\":5,\"s\":[\"c\",0,0,0],\"era\":0,\"seq\":1,\"status\":\"huh\"}",
    "{\"t\":\"receipt\",\"at\":5,\"s\":[\"c\",0,0,0],\"era\":4294967296,\"seq\":1,\"status\":"
    "\"sent\"}",
    "{\"t\":\"erase\",\"at\":1,\"member\":\"\xff\"}",
    "{\"t\":\"erase\",\"at\":1,\"member\":\"a\nb\"}",
    "{\"t\":\"erase\",\"at\":1,\"member\":\"\\ud800\"}",
    "{\"t\":\"erase\",\"at\":1,\"member\":\"\\q\"}",
    ENTRY("{\"i\":\"i\",\"t\":1,\"f\":{},\"k\":\"order_line\"}"), /* k comes first */
    ENTRY(LINE("{\"sku\":\"s\",}")),
    ENTRY(LINE("{\"sku\":}")),
    ENTRY(LINE("[1,]")),
    ENTRY(LINE("{\"sku\":tru}")),
};

static void test_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < BASE_LEN(broken); i++)
        refused(broken[i], strlen(broken[i]));
    static char deep[70000];
    int n = snprintf(deep, sizeof deep, "{\"t\":\"tick\",\"at\":1,\"x\":");
    memset(deep + n, '[', 60000);
    refused(deep, (size_t)n + 60000);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_round_trip), T(test_values), T(test_by_names),
                                       T(test_misfits), T(test_broken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
