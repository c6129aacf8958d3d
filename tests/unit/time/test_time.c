/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "time.h"

static int64_t at(const char *s)
{
    int64_t ms = 0;
    assert_int_equal(time_parse_ms(str_c(s), NULL, &ms), 0);
    return ms;
}

static void test_calendar(void **state)
{
    struct civil c;
    (void)state;
    assert_int_equal(time_days(1970, 1, 1), 0);
    assert_int_equal(time_weekday(time_days(2026, 11, 25)), 2); /* a Wednesday */
    for (int64_t d = -800000; d < 800000; d += 37) {
        time_civil(d, &c);
        assert_int_equal(time_days(c.year, c.mon, c.day), d);
        assert_true(c.day >= 1 && c.day <= time_mdays(c.year, c.mon));
    }
}

static void test_text(void **state)
{
    int64_t ms;
    int32_t min, y, m, d;
    (void)state;
    assert_int_equal(time_len(STR("1h30m"), &ms), 0);
    assert_int_equal(ms, 90 * TIME_MIN);
    assert_int_equal(time_len(STR("90d"), &ms), 0);
    assert_int_equal(time_len(STR("3mo"), &ms), -1);
    assert_int_equal(time_len(STR("30m1h"), &ms), -1);
    assert_int_equal(time_len(STR("0s"), &ms), -1);
    assert_int_equal(time_len(STR("99999999999999999d"), &ms), -1);
    assert_int_equal(time_clock(STR("09:05"), &min), 0);
    assert_int_equal(min, 545);
    assert_int_equal(time_clock(STR("24:00"), &min), -1);
    assert_int_equal(time_clock(STR("9:00"), &min), -1);
    assert_int_equal(time_date(STR("2024-02-29"), &y, &m, &d), 0);
    assert_int_equal(time_date(STR("2023-02-29"), &y, &m, &d), -1);
}

static void test_rfc3339(void **state)
{
    int64_t s, ms;
    int32_t nanos;
    char out[40];
    (void)state;
    assert_int_equal(time_parse(STR("2026-03-02T10:00:00.5+08:00"), NULL, &s, &nanos), 0);
    assert_int_equal(s * 1000, at("2026-03-02T02:00:00Z"));
    assert_int_equal(nanos, 500000000);
    assert_int_equal(time_parse_ms(STR("2026-03-02T10:00:00"), NULL, &ms), -1);
    assert_int_equal(time_parse_ms(STR("2026-03-02T25:00:00Z"), NULL, &ms), -1);
    assert_int_equal(time_parse_ms(STR("2026-03-02T10:00:00Zx"), NULL, &ms), -1);
    (void)time_format_ms(at("2026-03-02T10:00:00.25Z"), out);
    assert_string_equal(out, "2026-03-02T10:00:00.250Z");
    (void)time_format_ms(at("1969-12-31T23:59:59Z"), out);
    assert_string_equal(out, "1969-12-31T23:59:59Z");
}

static void check_zone(const char *name)
{
    struct err err = {0};
    struct arena *a = arena_new(0);
    struct buf text;
    const struct zone *z = zone_load(a, NULL, str_c(name), &err);
    assert_non_null(z);
    buf_init(&text, 1 << 20);
    zone_write(z, &text);
    const struct zone *back = zone_read(a, buf_str(&text), &err);
    assert_non_null(back);
    (void)setenv("TZ", name, 1);
    tzset();
    for (int64_t s = -1000000000; s < 4000000000; s += 86400 * 5 + 3601) {
        struct tm tm;
        time_t t = (time_t)s;
        (void)localtime_r(&t, &tm);
        assert_int_equal(zone_offset_s(z, s), tm.tm_gmtoff); /* the C library as referee */
        assert_int_equal(zone_offset_s(back, s), tm.tm_gmtoff);
        int64_t day = time_local_day(z, s * 1000);
        assert_true(time_day_start(z, day) <= s * 1000);
        assert_true(time_day_start(z, day + 1) > s * 1000);
    }
    (void)unsetenv("TZ");
    tzset();
    buf_free(&text);
    arena_free(&a);
}

static void test_zones(void **state)
{
    (void)state;
    check_zone("Asia/Shanghai");
    check_zone("America/New_York");
    check_zone("Europe/London");
    check_zone("Australia/Lord_Howe"); /* half an hour of summer time */
    check_zone("America/Sao_Paulo");   /* changed at midnight */
}

static void test_gap_and_overlap(void **state)
{
    struct err err = {0};
    struct arena *a = arena_new(0);
    const struct zone *ny = zone_load(a, NULL, STR("America/New_York"), &err);
    (void)state;
    /* 02:30 does not exist on 2026-03-08: the first instant after the gap. */
    assert_int_equal(time_at(ny, time_days(2026, 3, 8), 150), at("2026-03-08T07:00:00Z"));
    /* 01:30 comes twice on 2026-11-01: the first. */
    assert_int_equal(time_at(ny, time_days(2026, 11, 1), 90), at("2026-11-01T05:30:00Z"));
    assert_null(zone_load(a, NULL, STR("../etc/passwd"), &err));
    err_clear(&err);
    assert_null(zone_load(a, NULL, STR("Asia/Nowhere"), &err));
    assert_string_equal(err.text, "unknown time zone `Asia/Nowhere`");
    err_clear(&err);
    assert_null(zone_read(a, STR("X;0;5:1;4:2"), &err));
    const struct zone *f = zone_fixed(a, STR("-03:30"));
    assert_int_equal(zone_offset_s(f, 0), -12600);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calendar),        cmocka_unit_test(test_text),
        cmocka_unit_test(test_rfc3339),         cmocka_unit_test(test_zones),
        cmocka_unit_test(test_gap_and_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
