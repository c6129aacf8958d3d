/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What expressions see: the member's tags as they are at the unit's `now`; `old`, the member just
 * before the event (a snapshot) or just before the change being told (what the change says was there
 * before); `event` and `next` through the views that the loader made for them.
 */
#include "fold_priv.h"

static int read_old(struct decide *d, uint32_t tag, struct val *out)
{
    for (uint32_t i = 0; i < d->u.n_view; i++) {
        const struct tag_change *c = &d->u.view[i];
        if (c->tag != tag || c->before.t == V_NULL) /* a map: only that it changed is known */
            continue;
        if (c->had)
            *out = c->before;
        return c->had;
    }
    return d->u.snapped ? tagset_old(d->tags, tag, out)
                        : tagset_get(d->tags, tag, d->ctx.now_ms, out);
}

static int read_member(void *arg, uint32_t tag, bool old, struct val *out)
{
    struct decide *d = arg;
    return old ? read_old(d, tag, out) : tagset_get(d->tags, tag, d->ctx.now_ms, out);
}

static int read_member_at(void *arg, uint32_t tag, bool old, const struct val *key, struct val *out)
{
    struct decide *d = arg;
    if (old && d->u.snapped)
        return tagset_old_at(d->tags, tag, key, out);
    return tagset_get_at(d->tags, tag, key, d->ctx.now_ms, out);
}

void ctx_bind(struct decide *d)
{
    tagset_ctx(d->tags, &d->ctx);
    d->ctx.member = read_member;
    d->ctx.member_at = read_member_at;
    d->ctx.arg = d;
    d->ctx.tz = d->prog->tz;
}

static const struct val *viewed(struct decide *d, const struct event_view *v,
                                const struct moment *m)
{
    if (!v || !v->type || !m || !m->def || !m->f)
        return NULL;
    struct val *room = v->map ? arena_alloc(d->a, v->type->n_fields * sizeof *room) : NULL;
    const struct event ev = {.def = m->def, .f = m->f, .at_ms = m->at};
    return event_view(v, &ev, room);
}

void ctx_event(struct decide *d, const struct event_view *v, const struct moment *m)
{
    d->ctx.event = viewed(d, v, m);
    d->ctx.next = NULL;
}

void ctx_next(struct decide *d, const struct event_view *v, const struct moment *m)
{
    d->ctx.next = viewed(d, v, m);
}

void ctx_candidate(struct decide *d, const struct val *f)
{
    d->ctx.next = f;
}

bool ctx_true(struct decide *d, const struct expr *e)
{
    if (!e)
        return true;
    d->ctx.error = NULL;
    bool yes = expr_true(e, &d->ctx);
    d->stats.expr_errors += !yes && d->ctx.error;
    return yes;
}

int ctx_eval(struct decide *d, const struct expr *e, struct val *out)
{
    d->ctx.error = NULL;
    if (expr_eval(e, &d->ctx, out) == 0)
        return 0;
    d->stats.expr_errors++;
    return -1;
}

bool pattern_matches(struct decide *d, const struct run *r, const struct pattern *p,
                     const struct moment *m)
{
    if (p->event != m->def->index)
        return false;
    if (!p->where)
        return true;
    ctx_event(d, &r->def->view, &r->event);
    ctx_candidate(d, m->f);
    return ctx_true(d, p->where);
}
