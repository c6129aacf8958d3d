/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of the sandbox's gateways: a function of gateway and content, in the shares asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway_priv.h"

static void test_parse(void **state)
{
    static const char *const good[] = {"",
                                       "clear",
                                       "fail=sms:0.5",
                                       "fail=*:1,lost=wechat:0",
                                       "next=drop:sms:3",
                                       "down=5s",
                                       "clear,half=sms:1\n"};
    static const char *const bad[] = {
        "x",           "fail",    "fail=sms",   "fail=sms:",     "fail=sms:2",      "fail=sms:-1",
        "fail=sms:x",  "fail=:1", "oops=sms:1", "next=fail:sms", "next=fail:sms:x", "down=soon",
        "fail=sms:nan"};
    (void)state;
    for (size_t i = 0; i < BASE_LEN(good); i++) {
        struct faults f = {0};
        assert_int_equal(faults_parse(str_c(good[i]), &f, NULL), 0);
    }
    for (size_t i = 0; i < BASE_LEN(bad); i++) {
        struct faults f = {0};
        struct err err = {0};
        assert_int_equal(faults_parse(str_c(bad[i]), &f, &err), -1);
        assert_int_equal(f.n, 0);
        assert_non_null(strstr(err.text, "clear"));
    }
}

static void test_shares(void **state)
{
    struct faults f = {0};
    unsigned seen[FAULT_N] = {0};
    (void)state;
    assert_int_equal(faults_parse(STR("fail=sms:0.2,lost=sms:0.1,drop=*:0.1"), &f, NULL), 0);
    for (int i = 0; i < 10000; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "message %d", i);
        enum fault a = faults_meet(&f, STR("sms"), str_c(text));
        assert_int_equal(a, faults_meet(&f, STR("sms"), str_c(text)));
        seen[a]++;
    }
    assert_in_range(seen[FAULT_FAIL], 1800, 2200);
    assert_in_range(seen[FAULT_LOST], 900, 1100);
    assert_in_range(seen[FAULT_DROP], 900, 1100);
    assert_int_equal(seen[FAULT_NONE] + seen[FAULT_FAIL] + seen[FAULT_LOST] + seen[FAULT_DROP],
                     10000);
    unsigned wechat = 0;
    for (int i = 0; i < 1000; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "message %d", i);
        enum fault a = faults_meet(&f, STR("wechat"), str_c(text));
        assert_true(a == FAULT_NONE || a == FAULT_DROP);
        wechat += a == FAULT_DROP;
    }
    assert_in_range(wechat, 60, 140);
}

static void test_next(void **state)
{
    struct faults f = {0};
    (void)state;
    assert_int_equal(faults_parse(STR("next=stall:sms:2"), &f, NULL), 0);
    assert_int_equal(faults_meet(&f, STR("wechat"), STR("a")), FAULT_NONE);
    assert_int_equal(faults_meet(&f, STR("sms"), STR("a")), FAULT_STALL);
    assert_int_equal(faults_meet(&f, STR("sms"), STR("b")), FAULT_STALL);
    assert_int_equal(faults_meet(&f, STR("sms"), STR("a")), FAULT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
