/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Chinese calendar: published days, there and back through the whole table, and, where ICU was found
 * when this was built, every month of it against ICU's own calculation.
 */
#include "time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#ifdef ROUSE_ICU
#include <unicode/ucal.h>
#endif

static int64_t days_of(const char *date)
{
    int32_t y, m, d;
    assert_int_equal(time_date(str_c(date), &y, &m, &d), 0);
    return time_days(y, m, d);
}

static void published(void **state)
{
    (void)state;
    static const struct {
        const char *lunar, *date;
    } v[] = {
        /* New Year 2020 to 2035 */
        {"2020-01-01", "2020-01-25"},
        {"2021-01-01", "2021-02-12"},
        {"2022-01-01", "2022-02-01"},
        {"2023-01-01", "2023-01-22"},
        {"2024-01-01", "2024-02-10"},
        {"2025-01-01", "2025-01-29"},
        {"2026-01-01", "2026-02-17"},
        {"2027-01-01", "2027-02-06"},
        {"2028-01-01", "2028-01-26"},
        {"2029-01-01", "2029-02-13"},
        {"2030-01-01", "2030-02-03"},
        {"2031-01-01", "2031-01-23"},
        {"2032-01-01", "2032-02-11"},
        {"2033-01-01", "2033-01-31"},
        {"2034-01-01", "2034-02-19"},
        {"2035-01-01", "2035-02-08"},
        /* Dragon Boat, Mid-Autumn, Laba; 2022 has two Laba days in its Gregorian year, 2023 none */
        {"2024-05-05", "2024-06-10"},
        {"2025-05-05", "2025-05-31"},
        {"2026-05-05", "2026-06-19"},
        {"2024-08-15", "2024-09-17"},
        {"2025-08-15", "2025-10-06"},
        {"2026-08-15", "2026-09-25"},
        {"2021-12-08", "2022-01-10"},
        {"2022-12-08", "2022-12-30"},
        {"2023-12-08", "2024-01-18"},
        /* leap months; in 2033 it follows the eleventh */
        {"2017-L06-01", "2017-07-23"},
        {"2020-L04-01", "2020-05-23"},
        {"2023-L02-01", "2023-03-22"},
        {"2025-L06-01", "2025-07-25"},
        {"2033-L11-01", "2033-12-22"},
        /* both ends */
        {"1900-01-01", "1900-01-31"},
        {"2100-12-29", "2101-01-28"},
    };
    for (size_t i = 0; i < BASE_LEN(v); i++) {
        struct lunar l, back;
        int64_t day;
        assert_int_equal(lunar_date(str_c(v[i].lunar), &l), 0);
        assert_int_equal(lunar_days(l.year, l.mon, l.leap, l.day, &day), 0);
        if (day != days_of(v[i].date))
            fail_msg("%s is %lld days off %s", v[i].lunar, (long long)(day - days_of(v[i].date)),
                     v[i].date);
        assert_int_equal(lunar_of_days(day, &back), 0);
        assert_memory_equal(&l, &back, sizeof l);
    }
}

static void there_and_back(void **state)
{
    (void)state;
    struct lunar l, before = {1900, 1, 0, false};
    int64_t first = days_of("1900-01-31"), last = days_of("2101-01-28"), day;
    for (int64_t d = first; d <= last; d++) {
        assert_int_equal(lunar_of_days(d, &l), 0);
        assert_int_equal(lunar_days(l.year, l.mon, l.leap, l.day, &day), 0);
        assert_int_equal(day, d);
        if (l.day > 1)
            assert_int_equal(l.day, before.day + 1);
        else if (d > first)
            assert_int_equal(before.day, lunar_mdays(before.year, before.mon, before.leap));
        before = l;
    }
    assert_int_equal(lunar_of_days(first - 1, &l), -1);
    assert_int_equal(lunar_of_days(last + 1, &l), -1);
    assert_int_equal(lunar_days(1899, 12, false, 1, &day), -1);
    assert_int_equal(lunar_days(2101, 1, false, 1, &day), -1);
    assert_int_equal(lunar_days(2025, 5, true, 1, &day), -1);
    assert_int_equal(lunar_days(2025, 13, false, 1, &day), -1);
}

static void occurrences(void **state)
{
    (void)state;
    int64_t day;
    struct lunar eve = {1990, 12, 30, false}, leap = {2023, 2, 10, true},
                 plain = {1990, 2, 10, false};
    /* the last month of 2024 has 29 days */
    assert_int_equal(lunar_occurrence(&eve, 2024, &day), 0);
    assert_int_equal(day, days_of("2025-01-28"));
    assert_int_equal(lunar_occurrence(&eve, 2023, &day), 0);
    assert_int_equal(day, days_of("2024-02-09"));
    /* in the leap month where there is one, else in the ordinary; an ordinary day never in the leap */
    assert_int_equal(lunar_occurrence(&leap, 2023, &day), 0);
    assert_int_equal(day, days_of("2023-03-31"));
    assert_int_equal(lunar_occurrence(&leap, 2024, &day), 0);
    assert_int_equal(day, days_of("2024-03-19"));
    assert_int_equal(lunar_occurrence(&plain, 2023, &day), 0);
    assert_int_equal(day, days_of("2023-03-01"));
    assert_int_equal(lunar_occurrence(&plain, 2101, &day), -1);
}

static void forms(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           "2023-1-01",  "2023-13-01",  "2023-00-01",
                                      "2023-01-31", "2023-01-00", "2023-l02-01", "2023L02-01",
                                      "2023-02L01", "2023-L02-1", "2023/02/01",  "2023-02-011",
                                      "x023-02-01", "2023-L2-001"};
    struct lunar l;
    for (size_t i = 0; i < BASE_LEN(bad); i++)
        if (lunar_date(str_c(bad[i]), &l) == 0)
            fail_msg("`%s` was taken", bad[i]);
}

#ifdef ROUSE_ICU
/* ICU calculates; where a new moon or a solar term falls near midnight it may be a day off.  These are
 * the lunar years in which a month of ICU 72 begins on another day than published. */
static bool icu_differs(int32_t year)
{
    static const int32_t years[] = {1917, 1922, 1953, 1954, 1955, 1987, 1998, 2012,
                                    2018, 2026, 2027, 2029, 2030, 2057, 2070};
    for (size_t i = 0; i < BASE_LEN(years); i++)
        if (years[i] == year || years[i] + 1 == year)
            return true;
    return false;
}

static void against_icu(void **state)
{
    (void)state;
    static const UChar zone[] = {'A', 's', 'i', 'a', '/', 'S', 'h',
                                 'a', 'n', 'g', 'h', 'a', 'i', 0};
    UErrorCode e = U_ZERO_ERROR;
    UCalendar *c = ucal_open(zone, -1, "zh_CN@calendar=chinese", UCAL_DEFAULT, &e);
    int months = 0, differ = 0;
    struct lunar l;
    assert_true(U_SUCCESS(e));
    for (int64_t d = days_of("1900-01-31"); d <= days_of("2101-01-28"); d++) {
        assert_int_equal(lunar_of_days(d, &l), 0);
        if (l.day != 1)
            continue;
        ucal_setMillis(c, (double)(d * TIME_DAY + 4 * TIME_HOUR), &e);
        bool same = ucal_get(c, UCAL_DATE, &e) == 1 && ucal_get(c, UCAL_MONTH, &e) + 1 == l.mon &&
                    (ucal_get(c, UCAL_IS_LEAP_MONTH, &e) != 0) == l.leap;
        months++;
        differ += !same;
        if (!same && !icu_differs(l.year))
            fail_msg("month %s%d of %d", l.leap ? "L" : "", l.mon, l.year);
    }
    assert_true(U_SUCCESS(e));
    assert_int_equal(months, 2486);
    assert_in_range(differ, 1, 40); /* nearly all of them are compared */
    ucal_close(c);
}
#else
static void against_icu(void **state)
{
    (void)state;
    print_message("skipped: ICU was not found when this was built\n");
    skip();
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published),   cmocka_unit_test(there_and_back),
        cmocka_unit_test(occurrences), cmocka_unit_test(forms),
        cmocka_unit_test(against_icu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
