/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has changed since the last commit, as the driver takes it: decisions, states in the order of
 * member bytes, public tags, whom the new seqs were for, source marks.
 */
#include "fold_priv.h"

#include <stdlib.h>

void out_sent(struct decide *d, uint64_t seq, struct str rule, struct str message)
{
    struct arena *a = d->conf.complete ? d->all : d->out;
    d->sent = grown(d->sent, &d->cap_sent, d->n_sent + 1, sizeof *d->sent);
    d->sent[d->n_sent++] = (struct sent_by){.seq = seq,
                                            .member = arena_str(a, node_name(d->u.m)),
                                            .rule = arena_str(a, rule),
                                            .message = arena_str(a, message)};
}

const struct sent_by *sent_find(const struct decide *d, uint64_t seq)
{
    uint32_t lo = 0, hi = d->n_sent;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (d->sent[mid].seq < seq)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < d->n_sent && d->sent[lo].seq == seq ? &d->sent[lo] : NULL;
}

static int by_name(const void *a, const void *b)
{
    const struct node *const *x = a, *const *y = b;
    return str_cmp(node_name(*x), node_name(*y));
}

static uint32_t put_changes(struct decide *d)
{
    uint32_t n = 0;
    if (d->n_dirty)
        qsort(d->dirty, d->n_dirty, sizeof(struct node *), by_name);
    d->out_change = grown(d->out_change, &d->cap_out_change, d->n_dirty, sizeof *d->out_change);
    for (uint32_t i = 0; i < d->n_dirty; i++) {
        const struct node *m = d->dirty[i];
        if (m->n == 0 && !m->stored) /* came and went between two commits */
            continue;
        d->out_change[n++] =
            (struct decide_change){.member = node_name(m),
                                   .state = {(const char *)m->state, m->n},
                                   .due_ms = m->due,
                                   .gone = m->n == 0,
                                   .due_changed = m->n == 0 || !m->stored || m->due != m->old_due,
                                   .due_later = m->n > 0 && m->stored && m->due > m->old_due};
    }
    return n;
}

static int by_member_tag(const void *a, const void *b)
{
    const struct decide_public *x = a, *y = b;
    int c = str_cmp(x->member, y->member);
    if (c == 0)
        c = str_cmp(x->tag, y->tag);
    return c ? c : (x->value.p < y->value.p ? -1 : x->value.p > y->value.p);
}

/* The last word on each tag. d->pub is in order of time; the copies' places in out_pub say it. */
static uint32_t put_publics(struct decide *d)
{
    uint32_t n = 0;
    d->out_pub = grown(d->out_pub, &d->cap_out_pub, d->n_pub, sizeof *d->out_pub);
    for (uint32_t i = 0; i < d->n_pub; i++) {
        struct decide_public p = d->pub[i];
        p.value.p = (const char *)&d->pub[i]; /* for the order of equals; put right below */
        d->out_pub[i] = p;
    }
    if (d->n_pub)
        qsort(d->out_pub, d->n_pub, sizeof *d->out_pub, by_member_tag);
    for (uint32_t i = 0; i < d->n_pub; i++) {
        const struct decide_public *p = &d->out_pub[i], *next = p + 1;
        bool again =
            i + 1 < d->n_pub && str_eq(p->member, next->member) && str_eq(p->tag, next->tag);
        if (!again)
            d->out_pub[n++] = *(const struct decide_public *)(const void *)p->value.p;
    }
    return n;
}

static uint32_t put_src(struct decide *d)
{
    size_t it = 0;
    uint32_t n = 0;
    void *v;
    d->out_src =
        grown(d->out_src, &d->cap_out_src, (uint32_t)map_len(d->marks), sizeof *d->out_src);
    while (map_next(d->marks, &it, NULL, &v)) {
        const struct mark *m = v;
        if (m->moved)
            d->out_src[n++] = m->src;
    }
    return n;
}

static uint32_t put_sent(struct decide *d)
{
    uint32_t n = d->n_sent - d->sent_from;
    d->out_sent = grown(d->out_sent, &d->cap_out_sent, n, sizeof *d->out_sent);
    for (uint32_t i = 0; i < n; i++) {
        const struct sent_by *s = &d->sent[d->sent_from + i];
        d->out_sent[i] = (struct decide_sent){s->seq, s->member, s->rule, s->message};
    }
    return n;
}

void decide_out(struct decide *d, struct decide_out *out)
{
    d->out_dec = grown(d->out_dec, &d->cap_out_dec, d->n_dec, sizeof *d->out_dec);
    for (uint32_t i = 0; i < d->n_dec; i++) {
        size_t end = i + 1 < d->n_dec ? d->dec_at[i + 1] : d->dec.n;
        d->out_dec[i] = (struct str){d->dec.p + d->dec_at[i], end - d->dec_at[i]};
    }
    *out = (struct decide_out){.n_decisions = d->n_dec,
                               .first_seq = d->meta.seq - d->n_dec,
                               .n_changes = put_changes(d),
                               .n_publics = put_publics(d),
                               .n_sent = put_sent(d),
                               .n_src = put_src(d),
                               .state_bytes = d->dirty_bytes};
    out->decisions = d->out_dec;
    out->changes = d->out_change;
    out->publics = d->out_pub;
    out->told = d->pub;
    out->n_told = d->n_pub;
    out->sent = d->out_sent;
    out->links = d->link;
    out->n_links = d->n_link;
    out->src = d->out_src;
}

/* Nothing is waiting to be committed. */
void out_clear(struct decide *d)
{
    size_t it = 0;
    void *v;
    buf_reset(&d->dec);
    d->n_dec = 0;
    d->n_pub = 0;
    d->n_link = 0;
    if (!d->conf.complete)
        d->n_sent = 0;
    d->sent_from = d->n_sent;
    arena_reset(d->out);
    while (map_next(d->marks, &it, NULL, &v))
        ((struct mark *)v)->moved = false;
}

void decide_committed(struct decide *d)
{
    out_clear(d);
    members_committed(d);
    map_clear(d->seqs);
    arena_reset(d->seq_arena);
    d->sub = d->meta.sub;
    d->moved = false;
}

void out_free(struct decide *d)
{
    buf_free(&d->dec);
    free(d->dec_at);
    free(d->pub);
    free(d->link);
    free(d->sent);
    free(d->out_dec);
    free(d->out_change);
    free(d->out_pub);
    free(d->out_sent);
    free(d->out_src);
    arena_free(&d->out);
    arena_free(&d->all);
}
