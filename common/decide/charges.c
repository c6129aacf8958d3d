/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Charges of limits and caps.  A charge is the log time at which it was made; whether it counts is
 * decided when the limit is looked at, so an edited limit reads what an earlier one wrote.  Charges
 * are kept no finer than their limit can tell apart: `ever` one number, days one entry a local day.
 */
#include "life_priv.h"

#define DAYS_MAX 2900000 /* to about the end of the year 9999 */

enum charge_grain limit_grain(const struct limit *l)
{
    switch (l->per) {
    case PER_EVER:
        return GRAIN_EVER;
    case PER_LENGTH:
        return GRAIN_EXACT;
    case PER_DAYS:
    case PER_DAY:
    case PER_WEEK:
    case PER_MONTH:
    case PER_YEAR:
        break;
    }
    return GRAIN_DAY;
}

/* The local day number at which the period that holds `day` ends. */
static int64_t period_end(int64_t day, enum per_kind per, int64_t len)
{
    struct civil c;
    if (per == PER_DAYS)
        return day + (len < DAYS_MAX ? len : DAYS_MAX);
    if (per == PER_DAY)
        return day + 1;
    if (per == PER_WEEK)
        return day - time_weekday(day) + 7;
    time_civil(day, &c);
    if (per == PER_YEAR)
        return time_days(c.year + 1, 1, 1);
    return c.mon == 12 ? time_days(c.year + 1, 1, 1) : time_days(c.year, c.mon + 1, 1);
}

int64_t charge_gone(int64_t at, const struct limit *l, const struct zone *tz)
{
    if (l->per == PER_EVER)
        return TIME_NEVER;
    if (l->per == PER_LENGTH)
        return life_plus(at, l->len);
    return time_day_start(tz, period_end(time_local_day(tz, at), l->per, l->len));
}

uint32_t charges_count(const struct charges *c, const struct limit *l, int64_t now_ms,
                       const struct zone *tz)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++)
        if (charge_gone(c->v[i].at, l, tz) > now_ms)
            n += c->v[i].n;
    return n;
}

void charges_add(struct arena *a, struct charges *c, int64_t at, enum charge_grain g,
                 const struct zone *tz)
{
    struct charge *last = c->n ? &c->v[c->n - 1] : NULL;
    bool merge =
        last && (g == GRAIN_EVER || last->at == at ||
                 (g == GRAIN_DAY && time_local_day(tz, last->at) == time_local_day(tz, at)));
    while (g == GRAIN_EVER && c->n > 1) { /* written by a limit that told days apart */
        c->v[0].n += c->v[c->n - 1].n;
        c->n--;
    }
    if (merge) {
        last = &c->v[c->n - 1];
        last->n++;
        if (g == GRAIN_EVER)
            last->at = at;
        return;
    }
    *VEC_ADD(a, *c) = (struct charge){at, 1};
}

static uint32_t find_charge(const struct charges *c, int64_t at, enum charge_grain g,
                            const struct zone *tz)
{
    for (uint32_t i = c->n; i-- > 0;)
        if (c->v[i].at == at)
            return i;
    for (uint32_t i = c->n; g == GRAIN_DAY && i-- > 0;)
        if (time_local_day(tz, c->v[i].at) == time_local_day(tz, at))
            return i;
    return g == GRAIN_EVER && c->n ? c->n - 1 : c->n;
}

void charges_refund(struct charges *c, int64_t at, enum charge_grain g, const struct zone *tz)
{
    uint32_t i = find_charge(c, at, g, tz);
    if (i < c->n && --c->v[i].n == 0)
        VEC_DEL(*c, i);
}

void charges_prune(struct charges *c, const struct limit *l, int64_t now_ms, const struct zone *tz)
{
    uint32_t gone = 0;
    while (gone < c->n && charge_gone(c->v[gone].at, l, tz) <= now_ms)
        gone++;
    if (gone) {
        memmove(c->v, c->v + gone, (c->n - gone) * sizeof *c->v);
        c->n -= gone;
    }
}
