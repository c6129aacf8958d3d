/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Chinese calendar as a table, 1900 to 2100: no astronomy at run time, so that every machine and
 * every version gives the same day.  A year is 17 bits: 16 says that the leap month has 30 days,
 * 15 .. 4 that month 1 .. 12 has (else 29), 3 .. 0 which month a leap month follows (0 = none).
 *
 * The table agrees day by day with the published calendar (Hong Kong Observatory, GB/T 33661-2017).
 * New moons within seconds of midnight in 2057, 2089 and 2097 may be set otherwise when those years'
 * calendars are published; the Observatory says so itself.
 */
#include "time.h"

static const uint32_t years[] = {
    0x04bd8, 0x04ae0, 0x0a570, 0x054d5, 0x0d260, 0x0d950, 0x16554, 0x056a0, 0x09ad0, 0x055d2,
    0x04ae0, 0x0a5b6, 0x0a4d0, 0x0d250, 0x1d255, 0x0b540, 0x0d6a0, 0x0ada2, 0x095b0, 0x14977,
    0x04970, 0x0a4b0, 0x0b4b5, 0x06a50, 0x06d40, 0x1ab54, 0x02b60, 0x09570, 0x052f2, 0x04970,
    0x06566, 0x0d4a0, 0x0ea50, 0x16a95, 0x05ad0, 0x02b60, 0x186e3, 0x092e0, 0x1c8d7, 0x0c950,
    0x0d4a0, 0x1d8a6, 0x0b550, 0x056a0, 0x1a5b4, 0x025d0, 0x092d0, 0x0d2b2, 0x0a950, 0x0b557,
    0x06ca0, 0x0b550, 0x15355, 0x04da0, 0x0a5b0, 0x14573, 0x052b0, 0x0a9a8, 0x0e950, 0x06aa0,
    0x0aea6, 0x0ab50, 0x04b60, 0x0aae4, 0x0a570, 0x05260, 0x0f263, 0x0d950, 0x05b57, 0x056a0,
    0x096d0, 0x04dd5, 0x04ad0, 0x0a4d0, 0x0d4d4, 0x0d250, 0x0d558, 0x0b540, 0x0b6a0, 0x195a6,
    0x095b0, 0x049b0, 0x0a974, 0x0a4b0, 0x0b27a, 0x06a50, 0x06d40, 0x0af46, 0x0ab60, 0x09570,
    0x04af5, 0x04970, 0x064b0, 0x074a3, 0x0ea50, 0x06b58, 0x05ac0, 0x0ab60, 0x096d5, 0x092e0,
    0x0c960, 0x0d954, 0x0d4a0, 0x0da50, 0x07552, 0x056a0, 0x0abb7, 0x025d0, 0x092d0, 0x0cab5,
    0x0a950, 0x0b4a0, 0x0baa4, 0x0ad50, 0x055d9, 0x04ba0, 0x0a5b0, 0x15176, 0x052b0, 0x0a930,
    0x07954, 0x06aa0, 0x0ad50, 0x05b52, 0x04b60, 0x0a6e6, 0x0a4e0, 0x0d260, 0x0ea65, 0x0d530,
    0x05aa0, 0x076a3, 0x096d0, 0x04afb, 0x04ad0, 0x0a4d0, 0x1d0b6, 0x0d250, 0x0d520, 0x0dd45,
    0x0b5a0, 0x056d0, 0x055b2, 0x049b0, 0x0a577, 0x0a4b0, 0x0aa50, 0x1b255, 0x06d20, 0x0ada0,
    0x14b63, 0x09370, 0x049f8, 0x04970, 0x064b0, 0x168a6, 0x0ea50, 0x06aa0, 0x1a6c4, 0x0aae0,
    0x092e0, 0x0d2e3, 0x0c960, 0x0d557, 0x0d4a0, 0x0da50, 0x05d55, 0x056a0, 0x0a6d0, 0x055d4,
    0x052d0, 0x0a9b8, 0x0a950, 0x0b4a0, 0x0b6a6, 0x0ad50, 0x055a0, 0x0aba4, 0x0a5b0, 0x052b0,
    0x0b273, 0x06930, 0x07337, 0x06aa0, 0x0ad50, 0x14b55, 0x04b60, 0x0a570, 0x054e4, 0x0d160,
    0x0e968, 0x0d520, 0x0daa0, 0x16aa6, 0x056d0, 0x04ae0, 0x0a9d4, 0x0a2d0, 0x0d150, 0x0f252,
    0x0d520,
};
#define FIRST 1900
#define LAST (FIRST + (int32_t)BASE_LEN(years) - 1)
#define FIRST_DAY (-25537) /* 1900-01-31, the first day of 1900 */

static int leap_of(int32_t year)
{
    return (int)(years[year - FIRST] & 15);
}

int lunar_mdays(int32_t year, int32_t mon, bool leap)
{
    if (year < FIRST || year > LAST || mon < 1 || mon > 12 || (leap && leap_of(year) != mon))
        return 0;
    uint32_t bits = years[year - FIRST];
    return 29 + (int)(leap ? bits >> 16 & 1 : bits >> (16 - mon) & 1);
}

static int year_days(int32_t year)
{
    int n = 0, leap = leap_of(year);
    for (int32_t m = 1; m <= 12; m++)
        n += lunar_mdays(year, m, false);
    return leap ? n + lunar_mdays(year, leap, true) : n;
}

int lunar_days(int32_t year, int32_t mon, bool leap, int32_t day, int64_t *days)
{
    int64_t d = FIRST_DAY;
    if (day < 1 || day > lunar_mdays(year, mon, leap))
        return -1;
    for (int32_t y = FIRST; y < year; y++)
        d += year_days(y);
    for (int32_t m = 1; m < mon + (leap ? 1 : 0); m++) {
        d += lunar_mdays(year, m, false);
        if (m < mon && leap_of(year) == m)
            d += lunar_mdays(year, m, true);
    }
    *days = d + day - 1;
    return 0;
}

int lunar_of_days(int64_t days, struct lunar *out)
{
    int64_t left = days - FIRST_DAY;
    int32_t y = FIRST;
    if (left < 0)
        return -1;
    for (; y <= LAST && left >= year_days(y); y++)
        left -= year_days(y);
    if (y > LAST)
        return -1;
    bool leap = false;
    int32_t m = 1;
    while (left >= lunar_mdays(y, m, leap)) {
        left -= lunar_mdays(y, m, leap);
        leap = !leap && leap_of(y) == m;
        m += !leap;
    }
    *out = (struct lunar){y, m, (int32_t)left + 1, leap};
    return 0;
}

int lunar_date(struct str s, struct lunar *out)
{
    size_t leap = s.n == 11 ? 1 : 0;
    static const size_t digits[] = {0, 1, 2, 3, 5, 6, 8, 9};
    int32_t v[8];
    if (s.n != 10 + leap || s.p[4] != '-' || (leap && s.p[5] != 'L') || s.p[7 + leap] != '-')
        return -1;
    for (size_t i = 0; i < BASE_LEN(digits); i++) {
        char c = s.p[digits[i] + (i < 4 ? 0 : leap)];
        if (c < '0' || c > '9')
            return -1;
        v[i] = c - '0';
    }
    struct lunar d = {v[0] * 1000 + v[1] * 100 + v[2] * 10 + v[3], v[4] * 10 + v[5],
                      v[6] * 10 + v[7], leap != 0};
    if (d.mon < 1 || d.mon > 12 || d.day < 1 || d.day > 30)
        return -1;
    *out = d;
    return 0;
}

int lunar_occurrence(const struct lunar *d, int32_t year, int64_t *days)
{
    bool leap = d->leap && lunar_mdays(year, d->mon, true) > 0;
    int last = lunar_mdays(year, d->mon, leap);
    return lunar_days(year, d->mon, leap, d->day > last ? last : d->day, days);
}
