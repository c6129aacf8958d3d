/* SPDX-License-Identifier: Apache-2.0 */
/* When a message is tried again, and which addresses may be connected to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "webhook.h"

static void test_schedules(void **state)
{
    const struct webhook_schedule *service = webhook_schedule_for(STR("service"));
    const struct webhook_schedule *other = webhook_schedule_for(STR("marketing"));
    (void)state;
    assert_int_equal(service->n, 6);
    assert_int_equal(other->n, 8);
    assert_int_equal(webhook_retry_wait(service, 0, UINT32_MAX), 0);
    assert_int_equal(service->step_ms[5], TIME_HOUR);
    assert_int_equal(other->step_ms[7], 10 * TIME_HOUR);
    assert_int_equal(webhook_retry_wait(service, 6, 0), -1);
    assert_int_equal(webhook_retry_wait(other, 8, 0), -1);
    for (uint32_t i = 1; i < other->n; i++) {
        int64_t step = other->step_ms[i], least = webhook_retry_wait(other, i, 0),
                most = webhook_retry_wait(other, i, UINT32_MAX),
                mid = webhook_retry_wait(other, i, UINT32_C(1) << 31);
        assert_true(least >= step * 8 / 10 - 1 && least <= step * 8 / 10 + 1 + step / 100000);
        assert_true(most <= step * 12 / 10 && most >= step * 12 / 10 - 2 - step / 100000);
        assert_true(mid > step - step / 1000 - 2 && mid < step + step / 1000 + 2);
    }
}

static void test_retry_after(void **state)
{
    static const int64_t now = INT64_C(784111777000); /* Sun, 06 Nov 1994 08:49:37 GMT */
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {
        {"120", 120000},
        {" 5", 5000},
        {"0", 0},
        {"-5", 0},
        {"soon", 0},
        {"", 0},
        {"1.5", 0},
        {"99999999999999999999", 0},
        {"9223372036854775807", INT64_MAX},
        {"Sun, 06 Nov 1994 08:50:37 GMT", 60000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:48:37 GMT", 0},
        {"Fri, 31 Dec 2100 23:59:59 GMT", INT64_C(4133980799000) - now},
        {"Sun, 31 Feb 1999 08:48:37 GMT", 0},
        {"Sun, 06 Nov 1994 25:48:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:48:37 CST", 0},
        {"Sun Nov  6 08:49:37 1994", 0},
    };
    (void)state;
    for (size_t i = 0; i < BASE_LEN(cases); i++)
        assert_true(webhook_retry_after(str_c(cases[i].text), now) == cases[i].want);
    /* clamped to [schedule step, min(24 h, what is left)] */
    assert_true(webhook_retry_clamp(0, 5000, TIME_DAY) == 5000);
    assert_true(webhook_retry_clamp(1000, 5000, TIME_DAY) == 5000);
    assert_true(webhook_retry_clamp(60000, 5000, TIME_DAY) == 60000);
    assert_true(webhook_retry_clamp(INT64_MAX, 5000, 10 * TIME_DAY) == TIME_DAY);
    assert_true(webhook_retry_clamp(60000, 5000, 30000) == 30000);
}

static void test_addresses(void **state)
{
    static const char *const special[] = {"0.0.0.0",
                                          "10.1.2.3",
                                          "100.100.100.200",
                                          "127.0.0.1",
                                          "169.254.169.254",
                                          "169.254.0.23",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.0.0.1",
                                          "192.0.2.1",
                                          "192.168.1.1",
                                          "198.18.0.1",
                                          "198.51.100.7",
                                          "203.0.113.9",
                                          "224.0.0.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "fe80::1",
                                          "fc00::1",
                                          "fd00:ec2::254",
                                          "ff02::1",
                                          "2001:db8::1",
                                          "2002:7f00:1::",
                                          "64:ff9b::7f00:1",
                                          "100::1",
                                          "::ffff:127.0.0.1",
                                          "::ffff:10.0.0.1",
                                          "::127.0.0.1",
                                          "5f00::1",
                                          "3fff::1",
                                          "",
                                          "localhost",
                                          "1.2.3",
                                          "1.2.3.4.5"};
    static const char *const open[] = {"1.1.1.1",        "8.8.8.8",         "172.15.0.1",
                                       "172.32.0.1",     "100.128.0.1",     "192.0.1.1",
                                       "198.20.0.1",     "223.255.255.255", "2606:4700::1111",
                                       "::ffff:8.8.8.8", "240e::1"};
    struct webhook_cidr c[3];
    (void)state;
    for (size_t i = 0; i < BASE_LEN(special); i++)
        assert_false(webhook_addr_ok(special[i], NULL, 0));
    for (size_t i = 0; i < BASE_LEN(open); i++)
        assert_true(webhook_addr_ok(open[i], NULL, 0));
    assert_int_equal(webhook_cidr_parse(STR("127.0.0.0/8"), &c[0]), 0);
    assert_int_equal(webhook_cidr_parse(STR("fd00::/9"), &c[1]), 0);
    assert_int_equal(webhook_cidr_parse(STR("10.1.2.3"), &c[2]), 0);
    assert_true(webhook_addr_ok("127.9.9.9", c, 3));
    assert_true(webhook_addr_ok("::ffff:127.0.0.1", c, 3));
    assert_true(webhook_addr_ok("fd00:ec2::254", c, 3));
    assert_true(webhook_addr_ok("fd7f::1", c, 3));
    assert_false(webhook_addr_ok("fd80::1", c, 3));
    assert_true(webhook_addr_ok("10.1.2.3", c, 3));
    assert_false(webhook_addr_ok("10.1.2.4", c, 3));
    static const char *const bad[] = {"",       "/8",  "127.0.0.1/33", "127.0.0.1/-1",
                                      "::/129", "a/8", "127.0.0.0/8x", "127.0.0.0/"};
    for (size_t i = 0; i < BASE_LEN(bad); i++)
        assert_int_equal(webhook_cidr_parse(str_c(bad[i]), &c[0]), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
