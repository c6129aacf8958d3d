/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of a message.  A definite failure gives it back to policy for the next gateway, a return
 * for the same one; an ambiguous one is left alone for good.  Later reports only add to the first
 * final one.  Each is then an event like any other, for the rules that trigger on `receipt`.
 */
#include "fold_priv.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- whom it is about ------------------------------------------------------------------------------------ */

static struct str seq_key(const uint64_t *seq)
{
    return (struct str){(const char *)seq, sizeof *seq};
}

static void want_seq(struct decide *d, uint64_t seq)
{
    for (uint32_t i = 0; i < d->n_want_seq; i++)
        if (d->want_seq[i] == seq)
            return;
    d->want_seq = grown(d->want_seq, &d->cap_want_seq, d->n_want_seq + 1, sizeof *d->want_seq);
    d->want_seq[d->n_want_seq++] = seq;
}

static const struct sent_by *sent_known(const struct decide *d, uint64_t seq)
{
    const struct sent_by *s = sent_find(d, seq);
    return s ? s : map_get(d->seqs, seq_key(&seq));
}

void decide_put_seq(struct decide *d, uint64_t seq, struct str member, struct str rule,
                    struct str message)
{
    if (map_get(d->seqs, seq_key(&seq)))
        return;
    struct sent_by *s = ARENA_NEW(d->seq_arena, struct sent_by);
    *s = (struct sent_by){.seq = seq,
                          .member = arena_str(d->seq_arena, member),
                          .rule = arena_str(d->seq_arena, rule),
                          .message = arena_str(d->seq_arena, message)};
    map_put(d->seqs, seq_key(&seq), s);
}

int receipt_member(struct decide *d, const struct record *r, struct str *member)
{
    *member = r->receipt.member;
    if (member->n)
        return 1;
    if (r->receipt.era != d->meta.era || r->receipt.seq >= d->meta.seq)
        return 0;
    const struct sent_by *s = sent_known(d, r->receipt.seq);
    if (!s && !d->conf.complete) {
        want_seq(d, r->receipt.seq);
        return -1;
    }
    if (s)
        *member = s->member;
    return s && s->member.n > 0;
}

/* ---- what it does ---------------------------------------------------------------------------------------- */

static uint32_t find_out(const struct decide *d, const struct receipt *r)
{
    for (uint32_t i = 0; i < d->life.wants.n; i++) {
        const struct want *w = &d->life.wants.v[i];
        if (!w->dead && w->state == WANT_OUT && w->seq == r->seq && w->era == r->era)
            return i;
    }
    return RULE_NONE;
}

/* False: it says nothing new. */
static bool take(struct decide *d, uint32_t want, struct str status)
{
    struct want *w = &d->life.wants.v[want];
    if (str_eqc(status, "failed") || str_eqc(status, "expired")) {
        want_failed(d, want);
    } else if (str_eqc(status, "returned")) {
        want_returned(d, want);
    } else if (str_eqc(status, "sent")) {
        if (w->flags & WANT_TAKEN)
            return false;
        w->flags |= WANT_TAKEN;
    } else { /* ambiguous, delivered, read, clicked, replied, opted_out: it is out of our hands */
        want_drop(d, want, false);
    }
    return true;
}

static void opt_out(struct decide *d, struct str gateway, int64_t at)
{
    uint32_t id = id32(gateway), known = 0;
    while (known < d->prog->n_gateways && !str_eq(d->prog->gateways[known].name, gateway))
        known++;
    if (known == d->prog->n_gateways)
        return; /* whoever reported it: nothing of ours goes that way */
    for (uint32_t i = 0; i < d->life.optouts.n; i++) {
        struct optout *o = &d->life.optouts.v[i];
        if (o->gateway != id)
            continue;
        o->at = at > o->at ? at : o->at;
        return;
    }
    *VEC_ADD(d->a, d->life.optouts) = (struct optout){id, at};
}

/* The receipt as an event. */
static bool as_event(struct decide *d, const struct record *r, const struct sent_by *s,
                     struct event *ev)
{
    const struct event_def *def = d->ix->receipt;
    if (!def)
        return false;
    uint32_t n = def->fields->n_fields;
    struct val *f = ARENA_ARRAY(d->a, struct val, n);
    const struct receipt *x = &r->receipt;
    const struct str parts[] = {x->message.n || !s ? x->message : s->message,
                                x->rule.n || !s ? x->rule : s->rule, x->gateway, x->status};
    char id[64];
    (void)snprintf(id, sizeof id, "%" PRIu32 "/%" PRIu64 "/%.16s", x->era, x->seq,
                   arena_str(d->a, x->status).p);
    for (size_t i = 0; i < BASE_LEN(parts); i++)
        if (d->ix->receipt_field[i] >= 0)
            f[d->ix->receipt_field[i]] = val_str(parts[i]);
    *ev = (struct event){.def = def,
                         .id = arena_str(d->a, str_c(id)),
                         .member = node_name(d->u.m),
                         .role = STR(""),
                         .at_ms = r->at_ms,
                         .f = f};
    f[n - EVENT_EXTRA] = val_str(ev->id);
    f[n - EVENT_EXTRA + 1] = val_time_ms(ev->at_ms);
    f[n - EVENT_EXTRA + 2] = val_str(ev->role);
    return true;
}

int apply_receipt(struct decide *d, struct node *m, const struct record *r, struct err *err)
{
    struct event ev;
    const struct receipt *x = &r->receipt;
    if (m->n == 0) { /* erased, or gone long ago */
        d->stats.dropped++;
        return 0;
    }
    if (unit_open(d, m, d->meta.now_ms, d->meta.now_ms, err) != 0)
        return -1;
    bool news = true;
    uint32_t want = find_out(d, x);
    if (want != RULE_NONE)
        news = take(d, want, x->status);
    if (str_eqc(x->status, "opted_out"))
        opt_out(d, x->gateway, r->at_ms);
    if (news && as_event(d, r, sent_known(d, x->seq), &ev))
        (void)event_steps(d, &ev);
    return unit_close(d, err);
}
