/* SPDX-License-Identifier: Apache-2.0 */
/*
 * time: lengths, clocks, RFC 3339, the Gregorian calendar and time zones as data.  All times are
 * int64 milliseconds since 1970-01-01T00:00:00Z unless the name says otherwise.  A zone is a table
 * of transitions that `rouse apply` reads from tzdata once and puts into the bundle; nothing else
 * ever reads tzdata.  Nothing here reads a clock.
 */
#ifndef ROUSE_TIME_H
#define ROUSE_TIME_H

#include "base.h"

#define TIME_SEC INT64_C(1000)
#define TIME_MIN (60 * TIME_SEC)
#define TIME_HOUR (60 * TIME_MIN)
#define TIME_DAY (24 * TIME_HOUR)
#define TIME_NEVER INT64_MAX

struct civil {
    int32_t year;
    int32_t mon, day; /* 1.. */
    int32_t hour, min, sec;
};

/* Days since 1970-01-01 and back (proleptic Gregorian). */
int64_t time_days(int32_t year, int32_t mon, int32_t day);
void time_civil(int64_t days, struct civil *out); /* fills year, mon, day; zero clock */
int time_mdays(int32_t year, int32_t mon);
int time_weekday(int64_t days); /* 0 = Monday .. 6 = Sunday */

/* The Chinese calendar, 1900 to 2100. */
struct lunar {
    int32_t year, mon, day; /* 1.. */
    bool leap;              /* the leap month that follows month `mon` */
};
int lunar_mdays(int32_t year, int32_t mon, bool leap); /* 29 or 30; 0 = there is no such month */
int lunar_days(int32_t year, int32_t mon, bool leap, int32_t day,
               int64_t *days);                      /* -1 = no such day */
int lunar_of_days(int64_t days, struct lunar *out); /* -1 = outside */
/* "YYYY-MM-DD" or "YYYY-LMM-DD" (leap month): the form only, any year. */
int lunar_date(struct str s, struct lunar *out);
/* When d comes round in a lunar year: day 30 of a month that has 29 is day 29; one of a leap month is in
 * that year's leap month, or the ordinary one; an ordinary one never in a leap month. -1 = outside. */
int lunar_occurrence(const struct lunar *d, int32_t year, int64_t *days);

/* Length: `d h m s` parts concatenated, "1h30m". 0 ok, -1 not a length. Result in ms, > 0. */
int time_len(struct str s, int64_t *ms);
/* "HH:MM" (24:00 refused) -> minutes of the day. */
int time_clock(struct str s, int32_t *minutes);
/* "YYYY-MM-DD", calendar checked. */
int time_date(struct str s, int32_t *y, int32_t *m, int32_t *d);

struct zone;
/* From tzdata (the only reader; for check, test and apply). dir NULL = the system's. */
const struct zone *zone_load(struct arena *a, const char *dir, struct str name, struct err *err);
/* The embedded form: "NAME;FIRST_OFF;T:OFF;T:OFF;…;RULE" as text without spaces; and back. */
void zone_write(const struct zone *z, struct buf *out);
const struct zone *zone_read(struct arena *a, struct str text, struct err *err);
const struct zone *zone_utc(void);
/* "+08:00"/"-05:00" as CEL accepts them; NULL if it is not one. */
const struct zone *zone_fixed(struct arena *a, struct str text);
struct str zone_name(const struct zone *z);
int32_t zone_offset_s(const struct zone *z, int64_t unix_s);

void time_local(const struct zone *z, int64_t ms, struct civil *out);
int64_t time_local_day(const struct zone *z, int64_t ms); /* day number of the local date */
int32_t time_local_minute(const struct zone *z,
                          int64_t ms); /* minutes since local midnight by the wall clock */
/* Local wall clock -> ms. A missing local time is the first instant after the gap, a repeated one
 * the first. */
int64_t time_at(const struct zone *z, int64_t day, int32_t minute_of_day);
int64_t time_day_start(const struct zone *z, int64_t day); /* = time_at(z, day, 0) */

/* RFC 3339; without a zone designator `z` is used (NULL = refuse). Fraction up to 9 digits. */
int time_parse(struct str s, const struct zone *z, int64_t *unix_s, int32_t *nanos);
int time_parse_ms(struct str s, const struct zone *z, int64_t *ms);
/* "2026-03-02T10:00:00.000Z" (fraction only if not zero) into at most 40 bytes; returns length. */
size_t time_format_ms(int64_t ms, char *out);
/* "2026-03-02 10:00" local, with ":SS" if not zero. */
size_t time_format_local(const struct zone *z, int64_t ms, char *out);

#endif
