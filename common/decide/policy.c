/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy at a send (rules.md §6): the first thing that applies names the reason.
 *
 *   off, expired, params, no_address, consent, limit, hold:<as>, quiet, cap, holdout, shadow, sent
 *
 * hold and quiet keep the message; it starts again from the top when released.  Only the gateways that
 * have not failed yet are looked at, or the one that it is to go to again.
 */
#include "fold_priv.h"

/* ---- who is the member to us ---------------------------------------------------------------------------- */

uint32_t bucket_of(struct str salt, struct str member, uint32_t mod)
{
    uint8_t in[512], out[32];
    uint64_t v = 0;
    size_t n =
        salt.n < sizeof in - DECIDE_MAX_MEMBER - 1 ? salt.n : sizeof in - DECIDE_MAX_MEMBER - 1;
    memcpy(in, salt.p, n);
    in[n] = 0;
    memcpy(in + n + 1, member.p, member.n);
    hash_sha256(in, n + 1 + member.n, out);
    for (int i = 0; i < 8; i++)
        v = v << 8 | out[i];
    return (uint32_t)(v % mod);
}

int32_t unit_stagger(struct decide *d)
{
    struct node *m = d->u.m;
    if (!d->conf.stagger)
        return 0;
    if (m->stagger < 0)
        m->stagger = (int32_t)bucket_of(STR("stagger"), node_name(m), (uint32_t)TIME_MIN);
    return m->stagger;
}

static bool test_holdout(const struct decide *d)
{
    const struct test_def *t = d->conf.test;
    for (uint32_t i = 0; i < t->n_members; i++)
        if (t->members[i].holdout && str_eq(t->members[i].name, node_name(d->u.m)))
            return true;
    return false;
}

static bool held_by_house(const struct decide *d)
{
    if (d->conf.test)
        return test_holdout(d);
    uint32_t share = d->prog->policy.holdout;
    return share && bucket_of(STR("holdout"), node_name(d->u.m), 10000) < share;
}

static bool held_by_rule(struct decide *d, const struct rule_def *r)
{
    if (r->holdout == 0 || d->conf.test)
        return false;
    buf_reset(&d->text);
    buf_adds(&d->text, "holdout/");
    buf_addstr(&d->text, r->name);
    return bucket_of(buf_str(&d->text), node_name(d->u.m), 10000) < r->holdout;
}

/* ---- consent -------------------------------------------------------------------------------------------- */

static bool opted_out(const struct decide *d, uint32_t gateway)
{
    for (uint32_t i = 0; i < d->life.optouts.n; i++)
        if (d->life.optouts.v[i].gateway == d->ix->gateway_id[gateway])
            return true;
    return false;
}

static bool step_says(const struct test_step *s, const struct tag_def *t)
{
    for (uint32_t i = 0; s->event && i < s->n_events; i++) {
        const struct event *ev = &s->events[i];
        int f = -1;
        if (ev->def && ev->def->profile)
            f = type_field(ev->def->fields, t->name);
        else if (ev->def && t->from_event == ev->def->index && t->from_field != RULE_NONE)
            f = (int)t->from_field;
        if (f >= 0 && ev->f[f].t != V_ABSENT)
            return true;
    }
    return false;
}

/* Does the test speak of this tag, or has the tag a value that is not its default? */
static bool test_says(struct decide *d, const struct tag_def *t)
{
    const struct test_def *test = d->conf.test;
    struct val v;
    for (uint32_t i = 0; i < test->n_members; i++)
        for (uint32_t k = 0; k < test->members[i].n_tags; k++)
            if (str_eq(test->members[i].name, node_name(d->u.m)) &&
                str_eq(test->members[i].tags[k].name, t->name))
                return true;
    for (uint32_t i = 0; i < test->n_steps; i++)
        if (step_says(&test->steps[i], t))
            return true;
    return tagset_get(d->tags, t->index, d->u.now, &v) == 1 &&
           !(t->has_default && val_eq(&v, &t->dflt));
}

/* In a test consent is given unless the test says otherwise. */
static bool test_gives(struct decide *d, const struct expr *e)
{
    for (uint32_t i = 0; i < d->prog->n_tags; i++)
        if (expr_uses_tag(e, i) && test_says(d, &d->prog->tags[i]))
            return false;
    return true;
}

static bool consents(struct decide *d, const struct message_def *m, uint32_t gateway)
{
    const struct expr *e = d->prog->gateways[gateway].consent;
    if (m->purpose == PURPOSE_TASK)
        return true;
    if (opted_out(d, gateway))
        return false;
    if (m->purpose == PURPOSE_SERVICE)
        return true;
    if (d->conf.test && (!e || test_gives(d, e)))
        return true;
    ctx_event(d, NULL, NULL);
    return e && ctx_true(d, e);
}

void consent_granted(struct decide *d, uint32_t tag, int64_t at)
{
    for (uint32_t i = d->life.optouts.n; i-- > 0;) {
        const struct optout *o = &d->life.optouts.v[i];
        uint32_t g = prog_gateway(d->ix, o->gateway);
        const struct expr *e = g == RULE_NONE ? NULL : d->prog->gateways[g].consent;
        if (!e || at <= o->at || !expr_uses_tag(e, tag))
            continue;
        ctx_event(d, NULL, NULL);
        if (ctx_true(d, e))
            VEC_DEL(d->life.optouts, i);
    }
}

/* ---- limits --------------------------------------------------------------------------------------------- */

static uint64_t key_hash(struct str key)
{
    uint64_t h = fold_mix(fold_hash(FOLD_SEED, key)) & UINT64_C(0xffffffffffffff);
    return key.n == 0 ? 0 : h & 0xff ? h : h | 1; /* the blob tells 0 from others by the low byte */
}

static struct counter *counter_find(const struct decide *d, uint64_t rule, uint64_t key)
{
    for (uint32_t i = 0; i < d->life.limits.n; i++) {
        struct counter *c = &d->life.limits.v[i];
        if (c->rule == rule && c->key == key)
            return c;
    }
    return NULL;
}

bool limit_room(struct decide *d, const struct rule_def *r, struct str key)
{
    if (r->limit.n == 0 || d->life.limits.n == 0)
        return true;
    const struct counter *c = counter_find(d, id48(r->name), key_hash(key));
    return !c || charges_count(&c->c, &r->limit, d->u.now, d->prog->tz) < r->limit.n;
}

/* The counter goes to the end; of a rule's keys the least lately charged ones leave. */
void limit_charge(struct decide *d, struct run *r)
{
    struct life *l = &d->life;
    uint32_t of_rule = 0;
    struct counter c = {.rule = r->rule, .key = key_hash(r->key)};
    if (r->def->limit.n == 0)
        return;
    const struct counter *had = counter_find(d, c.rule, c.key);
    if (had) {
        c = *had;
        VEC_DEL(l->limits, (uint32_t)(had - l->limits.v));
    }
    for (uint32_t i = l->limits.n; i-- > 0;)
        if (l->limits.v[i].rule == c.rule && ++of_rule >= LIFE_KEYS)
            VEC_DEL(l->limits, i);
    charges_prune(&c.c, &r->def->limit, d->u.now, d->prog->tz);
    charges_add(d->a, &c.c, d->u.now, limit_grain(&r->def->limit), d->prog->tz);
    *VEC_ADD(d->a, l->limits) = c;
    r->flags |= RUN_CHARGED;
    r->charged_ms = d->u.now;
}

void limit_refund(struct decide *d, struct run *r)
{
    struct counter *c = counter_find(d, r->rule, key_hash(r->key));
    r->flags &= (uint8_t)~RUN_CHARGED;
    if (!c)
        return;
    charges_refund(&c->c, r->charged_ms, limit_grain(&r->def->limit), d->prog->tz);
    if (c->c.n == 0)
        VEC_DEL(d->life.limits, (uint32_t)(c - d->life.limits.v));
}

/* ---- caps ----------------------------------------------------------------------------------------------- */

static uint32_t cap_scope(const struct decide *d, const struct cap *c)
{
    return c->gateway == RULE_NONE ? 0 : d->ix->gateway_id[c->gateway];
}

static struct scope *scope_find(const struct decide *d, uint32_t gateway)
{
    for (uint32_t i = 0; i < d->life.scopes.n; i++)
        if (d->life.scopes.v[i].gateway == gateway)
            return &d->life.scopes.v[i];
    return NULL;
}

/* As fine as the finest of its caps; false: it has none. */
static bool scope_grain(const struct decide *d, uint32_t gateway, enum charge_grain *g)
{
    bool any = false;
    *g = GRAIN_EVER;
    for (uint32_t i = 0; i < d->prog->policy.n_caps; i++) {
        const struct cap *c = &d->prog->policy.caps[i];
        if (cap_scope(d, c) != gateway)
            continue;
        any = true;
        if (limit_grain(&c->limit) > *g)
            *g = limit_grain(&c->limit);
    }
    return any;
}

void scope_charge(struct decide *d, uint32_t gateway, int64_t at)
{
    enum charge_grain g;
    if (!scope_grain(d, gateway, &g))
        return;
    struct scope *s = scope_find(d, gateway);
    if (!s) {
        s = VEC_ADD(d->a, d->life.scopes);
        s->gateway = gateway;
    }
    charges_add(d->a, &s->c, at, g, d->prog->tz);
}

void scope_refund(struct decide *d, uint32_t gateway, int64_t at)
{
    enum charge_grain g;
    struct scope *s = scope_find(d, gateway);
    if (!s)
        return;
    (void)scope_grain(d, gateway, &g);
    charges_refund(&s->c, at, g, d->prog->tz);
    if (s->c.n == 0)
        VEC_DEL(d->life.scopes, (uint32_t)(s - d->life.scopes.v));
}

/* Is there room under all caps of a scope?  A charge of the message's own does not stand in its way. */
static bool cap_room(const struct decide *d, uint32_t gateway, bool own, int64_t own_at)
{
    const struct scope *s = scope_find(d, gateway);
    for (uint32_t i = 0; s && i < d->prog->policy.n_caps; i++) {
        const struct cap *c = &d->prog->policy.caps[i];
        if (cap_scope(d, c) != gateway)
            continue;
        uint32_t n = charges_count(&s->c, &c->limit, d->u.now, d->prog->tz);
        if (own && n && charge_gone(own_at, &c->limit, d->prog->tz) > d->u.now)
            n--;
        if (n >= c->limit.n)
            return false;
    }
    return true;
}

/* ---- quiet hours ---------------------------------------------------------------------------------------- */

bool quiet_applies(const struct decide *d, const struct message_def *m)
{
    return d->prog->policy.quiet_from >= 0 && (m->purpose == PURPOSE_MARKETING || m->quiet);
}

static bool quiet_now(const struct decide *d)
{
    const struct policy *p = &d->prog->policy;
    int32_t m = time_local_minute(d->prog->tz, d->u.now);
    if (p->quiet_from <= p->quiet_to)
        return m >= p->quiet_from && m < p->quiet_to;
    return m >= p->quiet_from || m < p->quiet_to;
}

int64_t quiet_end(struct decide *d, int64_t now)
{
    if (d->prog->policy.quiet_from < 0)
        return TIME_NEVER;
    return clock_after(d->prog->tz, now, d->prog->policy.quiet_to, true) + unit_stagger(d);
}

/* ---- the order ------------------------------------------------------------------------------------------ */

#define VIA_MAX 16
struct ways { /* which of the message's gateways are still in question */
    const struct message_def *m;
    bool in[VIA_MAX];
    uint32_t n;
};

static bool is_tried(const struct want *w, uint32_t gateway)
{
    for (uint32_t i = 0; i < w->tried.n; i++)
        if (w->tried.v[i] == gateway)
            return true;
    return false;
}

static void ways_untried(const struct decide *d, const struct want *w, const struct message_def *m,
                         struct ways *out)
{
    bool again = w->gateway && !is_tried(w, w->gateway); /* returned: the same one */
    *out = (struct ways){.m = m, .n = m->n_via < VIA_MAX ? m->n_via : VIA_MAX};
    for (uint32_t i = 0; i < out->n; i++) {
        uint32_t id = d->ix->gateway_id[m->via[i].gateway];
        out->in[i] = !is_tried(w, id) && (!again || id == w->gateway);
    }
}

static bool has_address(struct decide *d, uint32_t gateway)
{
    struct val v;
    uint32_t tag = d->prog->gateways[gateway].address_tag;
    return tag == RULE_NONE ||
           (tagset_get(d->tags, tag, d->u.now, &v) == 1 && v.t == V_STRING && v.n > 0);
}

enum way { WAY_ADDRESS, WAY_CONSENT, WAY_CAP };

static bool passes(struct decide *d, const struct want *w, const struct message_def *m,
                   uint32_t gateway, enum way what)
{
    switch (what) {
    case WAY_ADDRESS:
        return has_address(d, gateway);
    case WAY_CONSENT:
        return consents(d, m, gateway);
    case WAY_CAP:
        break;
    }
    uint32_t id = d->ix->gateway_id[gateway];
    bool own = w->flags & WANT_GATE && w->gateway == id;
    return m->purpose != PURPOSE_MARKETING || cap_room(d, id, own, w->gate_ms);
}

/* Strike out what does not pass; false: none is left. */
static bool narrow(struct decide *d, const struct want *w, struct ways *s, enum way what)
{
    bool any = false;
    for (uint32_t i = 0; i < s->n; i++) {
        s->in[i] = s->in[i] && passes(d, w, s->m, s->m->via[i].gateway, what);
        any = any || s->in[i];
    }
    return any;
}

static void withhold(struct ruling *out, struct str reason)
{
    out->verdict = VERDICT_WITHHOLD;
    out->reason = reason;
}

static bool off(const struct decide *d, const struct run *r, const struct message_def *m)
{
    uint32_t now = prog_rule(d->ix, r->rule); /* as it is today, when it is still there */
    return !m || (now == RULE_NONE ? r->def : &d->prog->rules[now])->mode == MODE_OFF;
}

/* Does a hold apply?  An error holds. */
static const struct hold_def *held(struct decide *d)
{
    for (uint32_t i = 0; i < d->prog->policy.n_holds; i++) {
        struct val v;
        ctx_event(d, NULL, NULL);
        if (ctx_eval(d, d->prog->policy.holds[i].when, &v) != 0 || v.t != V_BOOL || v.b)
            return &d->prog->policy.holds[i];
    }
    return NULL;
}

/* hold, quiet: true when the message is kept. */
static bool keeps(struct decide *d, const struct want *w, const struct message_def *m,
                  struct ruling *out)
{
    out->verdict = VERDICT_KEEP;
    if (m->purpose == PURPOSE_MARKETING && held(d)) {
        out->keep = WANT_HOLD;
        out->due = w->expire_ms;
        return true;
    }
    if (quiet_applies(d, m) && quiet_now(d)) {
        out->keep = WANT_QUIET;
        out->due = quiet_end(d, d->u.now);
        return true;
    }
    return false;
}

/* cap, holdout, shadow, sent. */
static void choose(struct decide *d, const struct want *w, const struct message_def *m,
                   struct ways *s, struct ruling *out)
{
    const struct rule_def *r = d->life.runs.v[w->run].def;
    bool marketing = m->purpose == PURPOSE_MARKETING;
    if (!narrow(d, w, s, WAY_CAP) ||
        (marketing && !cap_room(d, 0, w->flags & WANT_ANY, w->any_ms))) {
        withhold(out, STR("cap"));
        return;
    }
    for (uint32_t i = s->n; i-- > 0;)
        if (s->in[i])
            out->block = &m->via[i];
    bool house = r->has_marketing && held_by_house(d);
    out->control = house || (r->has_marketing && held_by_rule(d, r));
    out->charge = true;
    out->caps = marketing;
    if (out->control && m->purpose != PURPOSE_SERVICE) {
        out->caps = marketing && house;
        withhold(out, STR("holdout"));
    } else if (r->mode == MODE_SHADOW) {
        out->caps = out->control = false;
        withhold(out, STR("shadow"));
    } else {
        out->verdict = VERDICT_SEND;
    }
}

void policy_rule(struct decide *d, struct want *w, struct ruling *out)
{
    const struct run *r = &d->life.runs.v[w->run];
    const struct message_def *m = want_message(d, w);
    struct ways s;
    *out = (struct ruling){.reason = STR("")};
    if (off(d, r, m)) {
        withhold(out, STR("off"));
        return;
    }
    ways_untried(d, w, m, &s);
    if (d->u.now >= w->expire_ms)
        withhold(out, STR("expired"));
    else if (w->flags & WANT_BAD)
        withhold(out, STR("params"));
    else if (!narrow(d, w, &s, WAY_ADDRESS))
        withhold(out, STR("no_address"));
    else if (!narrow(d, w, &s, WAY_CONSENT))
        withhold(out, STR("consent"));
    else if (!(r->flags & RUN_CHARGED) && !limit_room(d, r->def, r->key))
        withhold(out, STR("limit"));
    else if (!keeps(d, w, m, out))
        choose(d, w, m, &s, out);
}
