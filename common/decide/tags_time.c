/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows.  A window shows whole buckets: `Nd` local days (today is one of the N), `h`/`m` lengths
 * minutes (the present minute is one of them), a calendar word its one day, week, month or year; no
 * window is the one bucket 0.  A bucket is shown while its number is not below a lower bound that
 * only rises, so everything about windows is: which bucket, which bound, when does a bucket leave.
 *
 * A local day begins at its first midnight and never comes back: where clocks go back across midnight,
 * the repeated hour belongs to the new day, so that bounds cannot fall.
 */
#include "tags_priv.h"

void tags_span_fill(struct span_day *s, const struct zone *z, int64_t ms)
{
    struct civil c;
    int64_t day = time_local_day(z, ms);
    while (time_day_start(z, day + 1) <= ms)
        day++;
    s->day = day;
    s->from = time_day_start(z, day);
    s->to = time_day_start(z, day + 1);
    time_civil(day, &c);
    s->year = c.year;
    s->month = (int64_t)c.year * 12 + c.mon - 1;
    if (ms < s->from) /* cannot be, but the cache must not lie */
        s->from = ms;
}

static int64_t bucket_in(const struct window *w, const struct span_day *s, int64_t ms)
{
    switch (w->kind) {
    case WIN_EVER:
        return 0;
    case WIN_LENGTH:
        return floor_div(ms, TIME_MIN);
    case WIN_DAYS:
    case WIN_DAY:
        return s->day;
    case WIN_WEEK: /* day 0 was a Thursday */
        return floor_div(s->day + 3, 7);
    case WIN_MONTH:
        return s->month;
    case WIN_YEAR:
        return s->year;
    }
    return 0;
}

int64_t tags_win_bucket(struct tagset *t, const struct window *w, int64_t ms)
{
    if (w->kind == WIN_EVER || w->kind == WIN_LENGTH)
        return bucket_in(w, NULL, ms);
    if (ms >= t->today.from && ms < t->today.to)
        return bucket_in(w, &t->today, ms);
    if (ms < t->other.from || ms >= t->other.to)
        tags_span_fill(&t->other, t->tz, ms);
    return bucket_in(w, &t->other, ms);
}

int64_t tags_win_gone_day(const struct window *w, int64_t b)
{
    switch (w->kind) {
    case WIN_EVER:
    case WIN_LENGTH:
        break;
    case WIN_DAYS:
        return b + w->n;
    case WIN_DAY:
        return b + 1;
    case WIN_WEEK:
        return (b + 1) * 7 - 3;
    case WIN_MONTH:
        b++;
        return time_days((int32_t)floor_div(b, 12), (int32_t)(b - floor_div(b, 12) * 12) + 1, 1);
    case WIN_YEAR:
        return time_days((int32_t)(b + 1), 1, 1);
    }
    return INT64_MAX;
}

int64_t tags_win_gone(const struct tagset *t, const struct window *w, int64_t b)
{
    if (w->kind == WIN_EVER)
        return TIME_NEVER;
    if (w->kind == WIN_LENGTH)
        return b * TIME_MIN + w->n;
    return time_day_start(t->tz, tags_win_gone_day(w, b));
}

int64_t tags_win_base(enum window_kind k)
{
    switch (k) {
    case WIN_EVER:
        return 0;
    case WIN_LENGTH:
        return EPOCH_DAY * INT64_C(1440);
    case WIN_DAYS:
    case WIN_DAY:
        return EPOCH_DAY;
    case WIN_WEEK:
        return (EPOCH_DAY + 3) / 7;
    case WIN_MONTH:
        return INT64_C(2020) * 12;
    case WIN_YEAR:
        return 2020;
    }
    return 0;
}
