/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state for people: JSON with names where the program knows them.  Nothing here changes a state.
 */
#include "fold_priv.h"

#include <inttypes.h>

static void put_name(struct buf *b, struct str name, uint64_t id)
{
    if (name.n)
        json_write_str(b, name);
    else
        buf_addf(b, "\"?%" PRIx64 "\"", id);
}

static void put_time(struct buf *b, const struct prog_ix *ix, const char *key, int64_t ms)
{
    char at[40];
    buf_addf(b, ",\"%s\":\"", key);
    buf_add(b, at, time_format_local(ix->p->tz, ms, at));
    buf_addc(b, '"');
}

static void put_rule(struct buf *b, const struct prog_ix *ix, uint64_t id)
{
    uint32_t i = prog_rule(ix, id);
    buf_adds(b, "{\"rule\":");
    put_name(b, i == RULE_NONE ? STR("") : ix->p->rules[i].name, id);
}

static void put_gateway(struct buf *b, const struct prog_ix *ix, uint32_t id)
{
    uint32_t i = prog_gateway(ix, id);
    put_name(b, id == 0 ? STR("any") : i == RULE_NONE ? STR("") : ix->p->gateways[i].name, id);
}

static void put_charges(struct buf *b, const struct prog_ix *ix, const struct charges *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++)
        n += c->v[i].n;
    buf_addf(b, ",\"charges\":%u", n);
    if (c->n)
        put_time(b, ix, "last", c->v[c->n - 1].at);
    buf_addc(b, '}');
}

static void show_run(struct buf *b, const struct prog_ix *ix, const struct run *r)
{
    put_rule(b, ix, r->rule);
    if (r->def)
        buf_addf(b, ",\"version\":\"" STR_FMT "\"", STR_ARG(r->def->hash));
    if (r->key.n) {
        buf_adds(b, ",\"key\":");
        json_write_str(b, r->key);
    }
    buf_addf(b, ",\"live\":%s", r->flags & RUN_LIVE ? "true" : "false");
    put_time(b, ix, "started", r->start_ms);
    if (r->def && r->flags & RUN_LIVE) {
        buf_adds(b, ",\"step\":");
        json_write_str(b, r->def->code[r->pc].path);
    }
    if (r->flags & RUN_WAITS)
        put_time(b, ix, "until", r->due);
    if (r->flags & RUN_GOAL)
        put_time(b, ix, "goal_until", life_plus(r->goal_ms, r->def ? r->def->goal_within_ms : 0));
    buf_addc(b, '}');
}

static void show_want(struct buf *b, const struct prog_ix *ix, const struct life *l,
                      const struct want *w)
{
    static const char *const states[] = {"ready", "held", "quiet", "sent"};
    put_rule(b, ix, l->runs.v[w->run].rule);
    buf_adds(b, ",\"message\":");
    json_write_str(b, w->message);
    buf_addf(b, ",\"state\":\"%s\"", states[w->state]);
    if (w->gateway) {
        buf_adds(b, ",\"gateway\":");
        put_gateway(b, ix, w->gateway);
    }
    if (w->state == WANT_OUT)
        buf_addf(b, ",\"seq\":%" PRIu64, w->seq);
    else
        put_time(b, ix, "until", w->due);
    put_time(b, ix, "expires", w->expire_ms);
    buf_addc(b, '}');
}

static void show_timed(struct buf *b, const struct prog_ix *ix, const struct timed *t)
{
    put_rule(b, ix, t->rule);
    if (t->due != TIME_NEVER)
        put_time(b, ix, "due", t->due);
    if (t->done)
        buf_addf(b, ",\"done\":%" PRId64, t->done);
    buf_addc(b, '}');
}

static void show_last(struct buf *b, const struct prog_ix *ix, const struct last_at *t)
{
    const struct event_def *e = prog_event(ix, t->event);
    buf_adds(b, "{\"event\":");
    put_name(b, e ? e->name : STR(""), t->event);
    put_time(b, ix, "at", t->at);
    buf_addc(b, '}');
}

/* `"NAME":[item,item]` with the items that `put` writes. */
#define SHOW_LIST(name, list, put)                                                                 \
    do {                                                                                           \
        buf_adds(b, ",\"" name "\":[");                                                            \
        for (uint32_t i = 0; i < (list).n; i++) {                                                  \
            if (i)                                                                                 \
                buf_addc(b, ',');                                                                  \
            put;                                                                                   \
        }                                                                                          \
        buf_addc(b, ']');                                                                          \
    } while (0)

static void show_counter(struct buf *b, const struct prog_ix *ix, const struct counter *c)
{
    put_rule(b, ix, c->rule);
    if (c->key)
        buf_addf(b, ",\"key\":\"?%" PRIx64 "\"", c->key);
    put_charges(b, ix, &c->c);
}

static void show_scope(struct buf *b, const struct prog_ix *ix, const struct scope *s)
{
    buf_adds(b, "{\"cap\":");
    put_gateway(b, ix, s->gateway);
    put_charges(b, ix, &s->c);
}

static void show_optout(struct buf *b, const struct prog_ix *ix, const struct optout *o)
{
    buf_adds(b, "{\"gateway\":");
    put_gateway(b, ix, o->gateway);
    put_time(b, ix, "at", o->at);
    buf_addc(b, '}');
}

static void show_life(struct buf *b, const struct prog_ix *ix, const struct life *l)
{
    SHOW_LIST("runs", l->runs, show_run(b, ix, &l->runs.v[i]));
    SHOW_LIST("messages", l->wants, show_want(b, ix, l, &l->wants.v[i]));
    SHOW_LIST("timers", l->timed, show_timed(b, ix, &l->timed.v[i]));
    SHOW_LIST("limits", l->limits, show_counter(b, ix, &l->limits.v[i]));
    SHOW_LIST("caps", l->scopes, show_scope(b, ix, &l->scopes.v[i]));
    SHOW_LIST("opted_out", l->optouts, show_optout(b, ix, &l->optouts.v[i]));
    SHOW_LIST("last", l->last, show_last(b, ix, &l->last.v[i]));
    buf_addf(b, ",\"kept_events\":%u,\"remembered_ids\":%u", l->kept.n, l->n_ring);
}

static int show(const struct prog_ix *ix, const struct program *p, struct str member,
                struct str state, int64_t now_ms, struct buf *out, struct err *err)
{
    struct life l;
    struct arena *a = arena_new(0);
    struct tagset *t = tagset_new();
    struct rd in = {.p = (const uint8_t *)state.p, .end = (const uint8_t *)state.p + state.n};
    int rc = life_read(&l, ix, a, &in, err);
    if (rc == 0)
        rc = tagset_read(t, p, &in, now_ms, err);
    if (rc == 0) {
        int64_t due = life_due(&l);
        tagset_member(t, member);
        buf_adds(out, "{\"member\":");
        json_write_str(out, member);
        buf_addf(out, ",\"bytes\":%zu,\"activation\":%" PRIu64, state.n, l.gen);
        put_time(out, ix, "as_of", l.base);
        if (due != TIME_NEVER)
            put_time(out, ix, "next_timer", due);
        buf_adds(out, ",\"tags\":");
        tagset_show(t, now_ms, out);
        show_life(out, ix, &l);
        buf_addc(out, '}');
    }
    tagset_free(&t);
    arena_free(&a);
    return rc;
}

int decide_show(const struct program *p, struct str member, struct str state, int64_t now_ms,
                struct buf *out, struct err *err)
{
    struct prog_ix *ix = prog_new(p, NULL, err);
    if (!ix)
        return -1;
    int rc = show(ix, p, member, state, now_ms, out, err);
    prog_free(&ix);
    return rc;
}

int decide_tag_text(struct decide *d, struct str member, struct str tag, struct buf *out)
{
    struct node *m = node_find(d, member);
    struct val v;
    uint32_t i = d->prog ? program_tag(d->prog, tag) : RULE_NONE;
    if (i == RULE_NONE)
        return 0;
    arena_reset(d->a);
    d->u = (struct unit){.m = m, .now = d->meta.now_ms};
    d->ctx.now_ms = d->meta.now_ms;
    if (m && m->n) {
        struct rd in = {.p = m->state, .end = m->state + m->n};
        if (life_read(&d->life, d->ix, d->a, &in, NULL) != 0 ||
            tagset_read(d->tags, d->prog, &in, d->meta.now_ms, NULL) != 0)
            return 0;
    } else {
        tagset_begin(d->tags, d->prog);
    }
    tagset_member(d->tags, member);
    if (tagset_get(d->tags, i, d->meta.now_ms, &v) != 1)
        return 0;
    val_text(&v, out);
    return 1;
}
