/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One timer of one member: of those due at his least moment the first by (priority high to low, rule,
 * key).  Timers of his tags come before those of rules, so that rules see what time has changed, and
 * the idle timer last.
 */
#include "fold_priv.h"

enum kind { FIRE_NONE, FIRE_TAGS, FIRE_WANT, FIRE_RUN, FIRE_TIMED, FIRE_IDLE };
struct timer {
    enum kind kind;
    uint32_t i;
    const struct rule_def *r;
    struct str key;
};

static void offer(struct timer *best, enum kind kind, uint32_t i, const struct rule_def *r,
                  struct str key)
{
    if (best->kind == FIRE_TAGS)
        return;
    if (best->kind != FIRE_NONE && rule_cmp(best->r, best->key, r, key) <= 0)
        return;
    *best = (struct timer){kind, i, r, key};
}

static struct timer first_timer(const struct decide *d, int64_t due)
{
    const struct life *l = &d->life;
    struct timer t = {.kind = l->tag_due == due ? FIRE_TAGS : FIRE_NONE};
    for (uint32_t i = 0; i < l->wants.n; i++) {
        const struct want *w = &l->wants.v[i];
        const struct run *r = &l->runs.v[w->run];
        if (!w->dead && w->state != WANT_OUT && w->due == due)
            offer(&t, FIRE_WANT, i, r->def, r->key);
    }
    for (uint32_t i = 0; i < l->runs.n; i++) {
        const struct run *r = &l->runs.v[i];
        if (!r->dead && r->flags & RUN_WAITS && r->armed == due)
            offer(&t, FIRE_RUN, i, r->def, r->key);
    }
    for (uint32_t i = 0; i < l->timed.n; i++)
        if (l->timed.v[i].armed == due)
            offer(&t, FIRE_TIMED, i, &d->prog->rules[prog_rule(d->ix, l->timed.v[i].rule)],
                  STR(""));
    if (t.kind == FIRE_NONE && l->idle_due == due)
        t.kind = FIRE_IDLE;
    return t;
}

static void fire(struct decide *d, const struct timer *t)
{
    struct life *l = &d->life;
    switch (t->kind) {
    case FIRE_TAGS:
        unit_settle(d);
        d->u.hold_check = true;
        break;
    case FIRE_WANT:
        l->wants.v[t->i].state = WANT_READY;
        l->wants.v[t->i].held = true;
        break;
    case FIRE_RUN:
        runs_timeout(d, t->i);
        break;
    case FIRE_TIMED:
        timed_fire(d, t->i);
        break;
    case FIRE_IDLE: /* closing finds out whether anything is left */
    case FIRE_NONE: /* it stood in rules that are gone */
        break;
    }
}

int fire_one(struct decide *d, struct node *m, int64_t seen, struct err *err)
{
    int64_t due = m->due;
    if (unit_open(d, m, due, seen, err) != 0)
        return -1;
    const struct timer t = first_timer(d, due);
    if (t.kind == FIRE_NONE && !d->u.updated && life_due(&d->life) == due)
        return err_set(err, ERR_FATAL, "a member has a timer that nothing explains");
    d->stats.timers_fired++;
    fire(d, &t);
    return unit_close(d, err);
}
