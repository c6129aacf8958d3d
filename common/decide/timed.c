/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules that time triggers: silence, date, every.  Each has at most one armed moment a member, with an
 * identity (the anchor, the occurrence's year, the scheduled instant), so that nothing fires twice: not
 * after an edit, not after a change of the birthday, not after downtime.  A moment that is overdue by more
 * than the rule's `late` when it is armed is skipped, so a new rule does not fire at the past.
 */
#include "fold_priv.h"

#define EVERY_DAYS 70 /* further than this no schedule has gaps, but for days off */

int64_t clock_after(const struct zone *tz, int64_t t, int32_t minute, bool strict)
{
    int64_t day = time_local_day(tz, t), at = time_at(tz, day, minute);
    while (at < t || (strict && at == t))
        at = time_at(tz, ++day, minute);
    return at;
}

static bool listed(const int64_t *v, uint32_t n, int64_t day)
{
    uint32_t low = 0;
    while (n > 0) {
        uint32_t half = n / 2;
        if (v[low + half] < day) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return v && v[low] == day;
}

/* Monday to Friday but for the house's exceptions. */
static bool is_workday(const struct workdays *w, int64_t day)
{
    if (w->n_off && day <= w->off[w->n_off - 1] && listed(w->off, w->n_off, day))
        return false;
    return time_weekday(day) < 5 ||
           (w->n_on && day <= w->on[w->n_on - 1] && listed(w->on, w->n_on, day));
}

static bool on_day(const struct program *p, const struct trigger *t, int64_t day)
{
    struct civil c;
    if (t->month_day == 0)
        return (t->weekdays >> time_weekday(day) & 1) ||
               (t->weekdays & EVERY_WORKDAY && is_workday(&p->policy.workdays, day));
    time_civil(day, &c);
    int last = time_mdays(c.year, c.mon);
    int32_t want = t->month_day < 0 || t->month_day > last ? last : t->month_day;
    return c.day == want;
}

static int64_t every_after(const struct program *p, const struct trigger *t, int64_t after)
{
    int64_t day = time_local_day(p->tz, after);
    for (int64_t end = day + EVERY_DAYS + p->policy.workdays.n_off; day < end; day++) {
        int64_t at = time_at(p->tz, day, t->at < 0 ? 0 : t->at);
        if (at > after && on_day(p, t, day))
            return at;
    }
    return TIME_NEVER;
}

/* ---- arming ---------------------------------------------------------------------------------------------- */

static struct timed *timed_get(struct decide *d, const struct rule_def *r)
{
    uint64_t id = d->ix->rule_id[r->index];
    for (uint32_t i = 0; i < d->life.timed.n; i++)
        if (d->life.timed.v[i].rule == id)
            return &d->life.timed.v[i];
    struct timed *t = VEC_ADD(d->a, d->life.timed);
    *t = (struct timed){.rule = id, .due = TIME_NEVER, .armed = TIME_NEVER};
    return t;
}

static void disarm(struct timed *t)
{
    t->pend = 0;
    t->due = t->armed = TIME_NEVER;
}

/* False: overdue by more than `late`. */
static bool arm(struct decide *d, const struct rule_def *r, struct timed *t, int64_t due,
                int64_t ident)
{
    disarm(t);
    if (d->u.now - due > r->late_ms)
        return false;
    t->pend = ident;
    t->due = due;
    t->armed = due > d->u.now ? due : d->u.now;
    return true;
}

/* How long this member's silence has to last: so many times his own cycle, within bounds. */
static int64_t silence_ms(struct decide *d, const struct trigger *t)
{
    struct val v;
    if (t->times == 0 || tagset_get(d->tags, t->tag, d->u.now, &v) != 1 || v.t != V_DURATION)
        return t->for_ms;
    __int128 ms = (__int128)v.i * t->times / 1000 / 1000000; /* v is nanoseconds */
    return ms > t->for_ms ? t->for_ms : ms < t->min_ms ? t->min_ms : (int64_t)ms;
}

static void arm_silence(struct decide *d, const struct rule_def *r, struct timed *t)
{
    int64_t anchor = INT64_MIN;
    for (uint32_t i = 0; i < r->trigger.n_events; i++) {
        const int64_t *at = life_last(d, r->trigger.events[i], false);
        if (at && *at > anchor)
            anchor = *at;
    }
    if (anchor == INT64_MIN || anchor == t->done) {
        disarm(t); /* never did it, or has been told */
        return;
    }
    int64_t due = life_plus(anchor, silence_ms(d, &r->trigger));
    if (r->trigger.at >= 0)
        due = clock_after(d->prog->tz, due, r->trigger.at, false);
    if (!arm(d, r, t, due, anchor))
        t->done = anchor;
}

struct date {
    int32_t y, m, d;
    bool leap; /* lunar: of the leap month */
    bool year; /* it has one: nothing occurs before it */
};

/* The day on which it comes round in a year of its calendar; 29 February is 28 February in common
 * years. False: the table of lunar years does not reach there. */
static bool occurrence(const struct trigger *t, const struct date *at, int32_t year, int64_t *day)
{
    if (t->lunar) {
        const struct lunar l = {at->y, at->m, at->d, at->leap};
        return lunar_occurrence(&l, year, day) == 0;
    }
    int last = time_mdays(year, at->m);
    *day = time_days(year, at->m, at->d > last ? last : at->d);
    return true;
}

static bool date_of(struct decide *d, const struct trigger *t, struct date *out)
{
    struct val v;
    *out = (struct date){t->year, t->mon, t->day, false, t->date != DATE_YEARLY};
    if (t->date != DATE_TAG)
        return true;
    if (tagset_get(d->tags, t->tag, d->u.now, &v) != 1)
        return false;
    if (v.t == V_TIMESTAMP) {
        struct civil c;
        time_local(d->prog->tz, v.i * TIME_SEC, &c);
        out->y = c.year, out->m = c.mon, out->d = c.day;
        return true;
    }
    if (v.t != V_STRING)
        return false;
    if (!t->lunar)
        return time_date(val_get_str(v), &out->y, &out->m, &out->d) == 0;
    struct lunar l;
    if (lunar_date(val_get_str(v), &l) != 0)
        return false;
    out->y = l.year, out->m = l.mon, out->d = l.day, out->leap = l.leap;
    return true;
}

/* TIME_NEVER: it does not come round in that year. */
static int64_t date_due(struct decide *d, const struct trigger *t, const struct date *at,
                        int32_t year)
{
    int64_t day;
    if (!occurrence(t, at, year, &day))
        return TIME_NEVER;
    return time_at(d->prog->tz, day + t->shift_days, t->at < 0 ? 0 : t->at) + unit_stagger(d);
}

static void arm_date(struct decide *d, const struct rule_def *r, struct timed *t)
{
    struct date at;
    struct civil now;
    const struct trigger *tr = &r->trigger;
    disarm(t);
    if (!date_of(d, tr, &at))
        return;
    if (tr->once || tr->date == DATE_ONCE) {
        int64_t due = date_due(d, tr, &at, at.y);
        if (due != TIME_NEVER && at.y > t->done && !arm(d, r, t, due, at.y))
            t->done = at.y;
        return;
    }
    time_local(d->prog->tz, d->u.now, &now);
    int32_t from = now.year - 1 - tr->lunar - (tr->shift_days > 0 ? tr->shift_days / 354 : 0);
    if (at.year && from < at.y)
        from = at.y;
    if (from <= t->done)
        from = (int32_t)t->done + 1;
    for (int32_t y = from; y < from + 8; y++) {
        int64_t due = date_due(d, tr, &at, y);
        if (due == TIME_NEVER || arm(d, r, t, due, y))
            return;
    }
}

static void arm_every(struct decide *d, const struct rule_def *r, struct timed *t, int64_t after)
{
    int64_t at = every_after(d->prog, &r->trigger, after);
    disarm(t);
    if (at != TIME_NEVER)
        (void)arm(d, r, t, at + unit_stagger(d), at);
}

/* A schedule that has not fired yet is left as it is while the rule still has that instant. */
static void check_every(struct decide *d, const struct rule_def *r, struct timed *t)
{
    if (t->due != TIME_NEVER && every_after(d->prog, &r->trigger, t->pend - 1) == t->pend)
        return;
    arm_every(d, r, t, d->u.now);
}

static void timed_arm(struct decide *d, const struct rule_def *r)
{
    struct timed *t = timed_get(d, r);
    switch (r->trigger.kind) {
    case TRIG_SILENCE:
        arm_silence(d, r, t);
        break;
    case TRIG_DATE:
        arm_date(d, r, t);
        break;
    case TRIG_EVERY:
        check_every(d, r, t);
        break;
    case TRIG_EVENT:
    case TRIG_TAG:
        break;
    }
}

void timed_all(struct decide *d)
{
    struct life *l = &d->life;
    for (uint32_t i = l->timed.n; i-- > 0;) {
        uint32_t rule = prog_rule(d->ix, l->timed.v[i].rule);
        enum trigger_kind k = rule == RULE_NONE ? TRIG_EVENT : d->prog->rules[rule].trigger.kind;
        if (k == TRIG_EVENT || k == TRIG_TAG || !d->ix->rule_on[rule])
            VEC_DEL(l->timed, i);
    }
    for (uint32_t i = 0; i < d->prog->timed.n; i++)
        if (d->ix->rule_on[d->prog->timed.v[i]])
            timed_arm(d, &d->prog->rules[d->prog->timed.v[i]]);
}

static void arm_listed(struct decide *d, const struct index_list *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (d->ix->rule_on[l->v[i]])
            timed_arm(d, &d->prog->rules[l->v[i]]);
}

void timed_event(struct decide *d, uint32_t event)
{
    arm_listed(d, &d->prog->silence_by_event[event]);
}

void timed_tag(struct decide *d, uint32_t tag)
{
    arm_listed(d, &d->ix->date_by_tag[tag]);
}

void timed_moved(struct decide *d)
{
    arm_listed(d, &d->ix->date_moved);
}

/* A day that follows from other tags may have moved since it was armed, without a word. */
static bool still(struct decide *d, const struct rule_def *r, const struct timed *t)
{
    struct date at;
    const struct trigger *tr = &r->trigger;
    if (tr->kind != TRIG_DATE || tr->date != DATE_TAG || d->prog->tags[tr->tag].kind == TAG_STORED)
        return true;
    return date_of(d, tr, &at) && date_due(d, tr, &at, (int32_t)t->pend) == t->due;
}

/* ---- firing ---------------------------------------------------------------------------------------------- */

void timed_fire(struct decide *d, uint32_t i)
{
    struct timed t = d->life.timed.v[i], *at = &d->life.timed.v[i];
    const struct rule_def *r = &d->prog->rules[prog_rule(d->ix, t.rule)];
    const struct start s = {.at = t.due, .ident = (uint64_t)t.pend};
    if (r->trigger.kind == TRIG_EVERY) {
        arm_every(d, r, at, t.pend);
    } else if (!still(d, r, &t)) {
        timed_arm(d, r);
        return;
    } else {
        at->done = t.pend;
        timed_arm(d, r);
    }
    if (d->u.seen - t.due > r->late_ms)
        d->stats.late++; /* folded too late: skipped */
    else
        run_start(d, r, &s);
}
