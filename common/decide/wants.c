/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wanted messages.  A `send` step makes one: its params are evaluated there and then, once.  When the
 * unit closes, all that are ready go to policy, the highest priority first; policy sends, keeps or
 * withholds.  A message that is with a gateway is kept until its result is known, because a definite
 * failure gives it back to policy for the next gateway.
 *
 *   READY ──policy──► OUT ──delivered, ambiguous, expire──► gone
 *     ▲  ▲              │
 *     │  └──failed──────┘ (returned: QUIET)
 *     └── HOLD, QUIET ◄─policy            withheld, cancelled, out of gateways ──► gone
 */
#include "fold_priv.h"

#define WANT(i) (&d->life.wants.v[i])

const struct message_def *want_message(const struct decide *d, const struct want *w)
{
    const struct program *p = d->prog;
    uint32_t lo = 0, hi = p->n_messages;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(p->messages[mid].name, w->message);
        if (c == 0)
            return &p->messages[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* ---- made ----------------------------------------------------------------------------------------------- */

static bool is_strings(const struct val *v)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (v->list[i].t != V_STRING)
            return false;
    return true;
}

/* A param is a string or a list of strings; other values become text. */
static struct val param_value(struct decide *d, const struct val *v)
{
    if (v->t == V_STRING || (v->t == V_LIST && is_strings(v)))
        return val_dup(d->a, *v);
    buf_reset(&d->text);
    val_text(v, &d->text);
    return val_str(arena_str(d->a, buf_str(&d->text)));
}

void want_new(struct decide *d, uint32_t run, const struct instr *in)
{
    const struct message_def *msg = &d->prog->messages[in->message];
    uint32_t at = d->life.wants.n;
    struct want *w = VEC_ADD(d->a, d->life.wants);
    w->run = run;
    w->message = msg->name;
    w->path = in->path;
    w->state = WANT_READY;
    w->flags = WANT_BLOCKS;
    w->expire_ms = life_plus(d->u.now, msg->expire_ms);
    d->u.size += 32 + msg->name.n;
    for (uint32_t i = 0; i < msg->n_params; i++) {
        const struct run *r = &d->life.runs.v[run];
        struct val v;
        ctx_event(d, &r->def->view, &r->event);
        ctx_next(d, in->next_view, &r->next);
        if (ctx_eval(d, in->args[i], &v) != 0 || v.t == V_NULL || v.t == V_ABSENT) {
            WANT(at)->flags |= WANT_BAD;
            continue;
        }
        v = param_value(d, &v);
        d->u.size += 6 + (v.t == V_STRING ? v.n : 0);
        *VEC_ADD(d->a, WANT(at)->params) = (struct want_param){id32(msg->params[i]), v};
    }
}

/* ---- ended ---------------------------------------------------------------------------------------------- */

void want_drop(struct decide *d, uint32_t want, bool failed)
{
    struct want *w = WANT(want);
    struct run *r = &d->life.runs.v[w->run];
    w->dead = true;
    if (!failed || !(w->flags & WANT_PASSED))
        return;
    if (w->flags & WANT_ANY)
        scope_refund(d, 0, w->any_ms);
    if (w->flags & WANT_GATE)
        scope_refund(d, w->gateway, w->gate_ms);
    if (r->out > 0 && --r->out == 0 && r->flags & RUN_CHARGED)
        limit_refund(d, r);
}

/* The run's messages stop: those held at once, those with a gateway do not fall back (unless they
 * may). */
void wants_stop(struct decide *d, uint32_t run, bool fall_back)
{
    for (uint32_t i = 0; i < d->life.wants.n; i++) {
        struct want *w = WANT(i);
        if (w->dead || w->run != run)
            continue;
        if (w->state != WANT_OUT)
            want_drop(d, i, true);
        else if (!fall_back)
            w->flags |= WANT_ENDS;
    }
}

/* ---- given back ----------------------------------------------------------------------------------------- */

static bool tried(const struct want *w, uint32_t gateway)
{
    for (uint32_t i = 0; i < w->tried.n; i++)
        if (w->tried.v[i] == gateway)
            return true;
    return false;
}

static bool gateway_left(const struct decide *d, const struct want *w)
{
    const struct message_def *msg = want_message(d, w);
    for (uint32_t i = 0; msg && i < msg->n_via; i++)
        if (!tried(w, d->ix->gateway_id[msg->via[i].gateway]))
            return true;
    return false;
}

void want_failed(struct decide *d, uint32_t want)
{
    struct want *w = WANT(want);
    *VEC_ADD(d->a, w->tried) = w->gateway;
    w->flags &= (uint8_t)~WANT_TAKEN;
    if (w->flags & WANT_ENDS || !gateway_left(d, w))
        want_drop(d, want, true);
    else
        w->state = WANT_READY;
}

void want_returned(struct decide *d, uint32_t want)
{
    struct want *w = WANT(want);
    int64_t end = quiet_end(d, d->u.now);
    w->flags &= (uint8_t)~WANT_TAKEN;
    if (w->flags & WANT_ENDS) {
        want_drop(d, want, true);
        return;
    }
    w->state = end == TIME_NEVER ? WANT_READY : WANT_QUIET;
    w->due = end < w->expire_ms ? end : w->expire_ms;
    if (w->due < d->u.now)
        w->due = d->u.now;
}

/* ---- the queue ------------------------------------------------------------------------------------------ */

/* When the first message passes, or is held out. */
static void open_goal(struct decide *d, struct run *r, bool control)
{
    if (!r->def->has_goal || r->flags & RUN_GOALED)
        return;
    r->flags |= RUN_GOAL | RUN_GOALED | (control ? RUN_CONTROL : 0);
    r->goal_ms = d->u.now;
}

static void charge(struct decide *d, struct want *w, const struct ruling *v)
{
    struct run *r = &d->life.runs.v[w->run];
    uint32_t gateway = d->ix->gateway_id[v->block->gateway];
    if (!(r->flags & RUN_CHARGED))
        limit_charge(d, r);
    if (!(w->flags & WANT_PASSED)) {
        w->flags |= WANT_PASSED;
        r->out++;
    }
    if (!v->caps)
        return;
    if (!(w->flags & WANT_ANY)) {
        scope_charge(d, 0, d->u.now);
        w->flags |= WANT_ANY;
        w->any_ms = d->u.now;
    }
    if (w->flags & WANT_GATE)
        scope_refund(d, w->gateway, w->gate_ms); /* it moves on */
    scope_charge(d, gateway, d->u.now);
    w->flags |= WANT_GATE;
    w->gate_ms = d->u.now;
}

static void send_it(struct decide *d, struct want *w, const struct ruling *v)
{
    charge(d, w, v);
    open_goal(d, &d->life.runs.v[w->run], v->control);
    w->gateway = d->ix->gateway_id[v->block->gateway];
    w->state = WANT_OUT;
    write_send(d, w, want_message(d, w), v->block);
}

static void withhold(struct decide *d, uint32_t want, const struct ruling *v)
{
    struct want *w = WANT(want);
    write_withhold(d, w, v->reason);
    if (!v->charge) {
        want_drop(d, want, true);
        return;
    }
    charge(d, w, v);
    if (v->control)
        open_goal(d, &d->life.runs.v[w->run], true); /* shadow opens none */
    w->dead = true;
}

/* The run stood at this send: it goes on. */
static void release(struct decide *d, uint32_t want)
{
    struct want *w = WANT(want);
    struct run *r = &d->life.runs.v[w->run];
    if (!(w->flags & WANT_BLOCKS))
        return;
    w->flags &= (uint8_t)~WANT_BLOCKS;
    if (r->dead || !(r->flags & RUN_LIVE))
        return;
    if (w->held)
        r->step_ms = d->u.now;
    r->pc = r->def->code[r->pc].next;
    run_exec(d, w->run);
}

static void rule_on(struct decide *d, uint32_t want)
{
    struct want *w = WANT(want);
    struct ruling v;
    policy_rule(d, w, &v);
    switch (v.verdict) {
    case VERDICT_SEND:
        send_it(d, w, &v);
        break;
    case VERDICT_WITHHOLD:
        withhold(d, want, &v);
        break;
    case VERDICT_KEEP:
        w->state = v.keep;
        w->due = v.due < w->expire_ms ? v.due : w->expire_ms;
        return;
    }
    release(d, want);
}

static uint32_t first_ready(const struct decide *d)
{
    const struct life *l = &d->life;
    uint32_t best = RULE_NONE;
    for (uint32_t i = 0; i < l->wants.n; i++) {
        const struct want *w = &l->wants.v[i];
        if (w->dead || w->state != WANT_READY)
            continue;
        const struct run *r = &l->runs.v[w->run];
        const struct run *b = best == RULE_NONE ? NULL : &l->runs.v[l->wants.v[best].run];
        if (!b || rule_cmp(r->def, r->key, b->def, b->key) < 0)
            best = i;
    }
    return best;
}

void queue_run(struct decide *d)
{
    uint32_t want;
    if (d->life.wants.n == 0)
        return;
    for (uint32_t i = 0; d->u.hold_check && i < d->life.wants.n; i++) {
        if (WANT(i)->dead || WANT(i)->state != WANT_HOLD)
            continue;
        WANT(i)->state = WANT_READY;
        WANT(i)->held = true;
    }
    d->u.hold_check = false;
    while ((want = first_ready(d)) != RULE_NONE)
        rule_on(d, want);
}
