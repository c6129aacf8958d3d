/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store in memory with the semantics that the engine gives the fold: CLAIM (meta and marks), LOAD (states,
 * whom seqs were for), DUE (the timer index), INDEX, COMMIT (all or nothing), and a decisions topic to which
 * things are appended before a commit.  Needs cmocka's asserts and decide.h.
 *
 *   sim_claim(s, d)            decide_reset from what is committed
 *   sim_serve(s, d)            answer decide_wants
 *   sim_produce(s, &out, n)    append the first n decisions; a seq seen before must have equal bytes
 *   sim_store(s, d, &out)      the commit
 *   sim_fold(s, d, read, …)    one record through all of that, committing when FULL
 */
#ifndef STORE_SIM_H
#define STORE_SIM_H

#include "decide.h"

#define SIM_UNUSED __attribute__((unused))

struct sim_member {
    char *name;
    char *state;
    size_t n;
    int64_t due;
};
struct sim_text { /* a decision, a public value, a seq's message */
    char *p;
    size_t n;
};
struct sim {
    struct decide_meta meta;
    struct decide_src *src;
    size_t n_src;
    struct map *members;        /* name -> struct sim_member */
    struct map *publics;        /* member \1 tag -> struct sim_text */
    struct buf told;            /* every change of a public tag, a line each */
    struct map *links;          /* tag \1 key \1 member -> struct sim_text: the member */
    struct map *sent;           /* seq in decimal -> struct sim_text: member \1 rule \1 message */
    struct sim_text *decisions; /* by seq */
    size_t n_decisions;
    uint64_t appended, commits, loads, dues; /* counts */
    size_t most_members, most_bytes;         /* of a commit */
};

SIM_UNUSED static struct sim *sim_new(void)
{
    struct sim *s = xcalloc(1, sizeof *s);
    s->members = map_new(true);
    s->publics = map_new(true);
    s->links = map_new(true);
    buf_init(&s->told, 64 << 20);
    s->sent = map_new(true);
    return s;
}

static void sim_text_free(struct sim_text *t)
{
    free(t->p);
    free(t);
}

static void sim_member_free(struct sim_member *m)
{
    free(m->name);
    free(m->state);
    free(m);
}

SIM_UNUSED static void sim_free(struct sim **ps)
{
    struct sim *s = *ps;
    size_t it = 0;
    void *v;
    while (map_next(s->members, &it, NULL, &v))
        sim_member_free(v);
    for (it = 0; map_next(s->publics, &it, NULL, &v);)
        sim_text_free(v);
    for (it = 0; map_next(s->sent, &it, NULL, &v);)
        sim_text_free(v);
    for (it = 0; map_next(s->links, &it, NULL, &v);)
        sim_text_free(v);
    for (size_t i = 0; i < s->n_decisions; i++)
        free(s->decisions[i].p);
    for (size_t i = 0; i < s->n_src; i++) {
        char *topic;
        memcpy(&topic, &s->src[i].topic.p, sizeof topic);
        free(topic);
    }
    map_free(&s->members);
    map_free(&s->publics);
    map_free(&s->links);
    buf_free(&s->told);
    map_free(&s->sent);
    free(s->decisions);
    free(s->src);
    free(s);
    *ps = NULL;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

SIM_UNUSED static void sim_claim(struct sim *s, struct decide *d)
{
    struct err err = {0};
    if (decide_reset(d, &s->meta, s->src, s->n_src, &err) != 0)
        fail_msg("reset: %s", err.text);
}

static int sim_by_due(const void *a, const void *b)
{
    const struct decide_timer *x = a, *y = b;
    if (x->due_ms != y->due_ms)
        return x->due_ms < y->due_ms ? -1 : 1;
    return str_cmp(x->member, y->member);
}

static void sim_due(struct sim *s, struct decide *d, const struct decide_wants *w)
{
    struct decide_timer *t = xcalloc(map_len(s->members) + 1, sizeof *t);
    uint32_t n = 0;
    size_t it = 0;
    void *v;
    while (map_next(s->members, &it, NULL, &v)) {
        const struct sim_member *m = v;
        t[n] = (struct decide_timer){m->due, str_c(m->name)};
        if (m->due <= w->upto_ms && sim_by_due(&t[n], &w->after) > 0)
            n++;
    }
    if (n)
        qsort(t, n, sizeof *t, sim_by_due);
    s->dues++;
    decide_put_timers(d, t, n < w->timers_n ? n : w->timers_n);
    free(t);
}

static int sim_by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void sim_index(struct sim *s, struct decide *d, const struct decide_wants *w)
{
    struct str *m = xcalloc(map_len(s->links) + 1, sizeof *m), key;
    char head[1024];
    uint32_t n = 0;
    size_t it = 0;
    void *v;
    (void)snprintf(head, sizeof head, STR_FMT "\1" STR_FMT "\1", STR_ARG(w->index_tag),
                   STR_ARG(w->index_key));
    while (map_next(s->links, &it, &key, &v)) {
        const struct sim_text *t = v;
        m[n] = (struct str){t->p, t->n};
        n += str_starts(key, head) && str_cmp(m[n], w->index_after) > 0;
    }
    if (n)
        qsort(m, n, sizeof *m, sim_by_name);
    decide_put_index(d, m, n < w->index_n ? n : w->index_n);
    free(m);
}

static void sim_seq(struct sim *s, struct decide *d, uint64_t seq)
{
    char key[24];
    struct str part[3] = {STR(""), STR(""), STR("")};
    (void)snprintf(key, sizeof key, "%llu", (unsigned long long)seq);
    const struct sim_text *t = map_get(s->sent, str_c(key));
    if (t) {
        const char *a = strchr(t->p, 1), *b = strchr(a + 1, 1);
        part[0] = (struct str){t->p, (size_t)(a - t->p)};
        part[1] = (struct str){a + 1, (size_t)(b - a - 1)};
        part[2] = str_c(b + 1);
    }
    decide_put_seq(d, seq, part[0], part[1], part[2]);
}

/* True when anything was asked. */
SIM_UNUSED static bool sim_serve(struct sim *s, struct decide *d)
{
    struct decide_wants w;
    decide_wants(d, &w);
    for (uint32_t i = 0; i < w.n_members; i++) {
        const struct sim_member *m = map_get(s->members, w.members[i]);
        decide_put(d, w.members[i], m ? (struct str){m->state, m->n} : STR(""));
        s->loads++;
    }
    for (uint32_t i = 0; i < w.n_seqs; i++)
        sim_seq(s, d, w.seqs[i]);
    if (w.timers)
        sim_due(s, d, &w);
    if (w.index)
        sim_index(s, d, &w);
    return w.n_members || w.n_seqs || w.timers || w.index;
}

/* ---- writing ------------------------------------------------------------------------------------------ */

SIM_UNUSED static void sim_produce(struct sim *s, const struct decide_out *out, uint32_t n)
{
    for (uint32_t i = 0; i < n && i < out->n_decisions; i++) {
        uint64_t seq = out->first_seq + i;
        s->appended++;
        if (seq > s->n_decisions)
            fail_msg("a gap: seq %llu after %zu decisions", (unsigned long long)seq,
                     s->n_decisions);
        if (seq == s->n_decisions) {
            s->decisions = xrealloc(s->decisions, (s->n_decisions + 1) * sizeof *s->decisions);
            s->decisions[s->n_decisions++] = (struct sim_text){
                xmemdup0(out->decisions[i].p, out->decisions[i].n), out->decisions[i].n};
        } else if (!str_eq(out->decisions[i],
                           (struct str){s->decisions[seq].p, s->decisions[seq].n})) {
            fail_msg("seq %llu again, but differs:\n%s\n" STR_FMT, (unsigned long long)seq,
                     s->decisions[seq].p, STR_ARG(out->decisions[i]));
        }
    }
}

static void sim_put_src(struct sim *s, const struct decide_src *src)
{
    for (size_t i = 0; i < s->n_src; i++)
        if (str_eq(s->src[i].topic, src->topic) && s->src[i].epoch == src->epoch &&
            s->src[i].partition == src->partition) {
            s->src[i].offset = src->offset;
            return;
        }
    s->src = xrealloc(s->src, (s->n_src + 1) * sizeof *s->src);
    s->src[s->n_src] = *src;
    s->src[s->n_src++].topic.p = xmemdup0(src->topic.p, src->topic.n);
}

static void sim_put_change(struct sim *s, const struct decide_change *c)
{
    struct sim_member *m = map_get(s->members, c->member);
    if (c->gone) {
        assert_non_null(m);
        assert_false(c->due_later);
        (void)map_del(s->members, c->member);
        sim_member_free(m);
        return;
    }
    assert_true(c->state.n > 0 && c->state.n <= DECIDE_MAX_STATE);
    assert_int_equal(c->due_later, m && c->due_ms > m->due);
    if (!m) {
        m = xcalloc(1, sizeof *m);
        m->name = xmemdup0(c->member.p, c->member.n);
        assert_true(c->due_changed);
        map_put(s->members, c->member, m);
    }
    free(m->state);
    m->state = xmemdup0(c->state.p, c->state.n);
    m->n = c->state.n;
    if (c->due_changed)
        m->due = c->due_ms;
    assert_int_equal(m->due, c->due_ms);
}

static void sim_put_text(struct map *to, const char *key, const char *text)
{
    struct sim_text *t = map_del(to, str_c(key));
    if (t)
        sim_text_free(t);
    if (!text)
        return;
    t = xcalloc(1, sizeof *t);
    t->p = xstrdup(text);
    t->n = strlen(text);
    map_put(to, str_c(key), t);
}

SIM_UNUSED static void sim_store(struct sim *s, const struct decide *d,
                                 const struct decide_out *out)
{
    char key[2048], text[2048];
    const struct decide_meta *meta = decide_meta(d);
    assert_true(meta->off > s->meta.off || meta->sub > s->meta.sub);
    assert_true(meta->now_ms >= s->meta.now_ms);
    assert_int_equal(meta->seq, s->meta.seq + out->n_decisions);
    assert_int_equal(out->first_seq, s->meta.seq);
    for (uint32_t i = 0; i < out->n_changes; i++) {
        if (i)
            assert_true(str_cmp(out->changes[i - 1].member, out->changes[i].member) < 0);
        sim_put_change(s, &out->changes[i]);
    }
    for (uint32_t i = 0; i < out->n_publics; i++) {
        (void)snprintf(key, sizeof key, STR_FMT "\1" STR_FMT, STR_ARG(out->publics[i].member),
                       STR_ARG(out->publics[i].tag));
        (void)snprintf(text, sizeof text, STR_FMT, STR_ARG(out->publics[i].value));
        sim_put_text(s->publics, key, out->publics[i].unset ? NULL : text);
    }
    for (uint32_t i = 0; i < out->n_told; i++) {
        const struct decide_public *t = &out->told[i];
        buf_addf(&s->told, "%llu %u %lld " STR_FMT " " STR_FMT " %s" STR_FMT "\n",
                 (unsigned long long)t->off, t->entry, (long long)t->at_ms, STR_ARG(t->member),
                 STR_ARG(t->tag), t->unset ? "-" : "=", STR_ARG(t->value));
    }
    assert_false(s->told.over);
    for (uint32_t i = 0; i < out->n_sent; i++) {
        (void)snprintf(key, sizeof key, "%llu", (unsigned long long)out->sent[i].seq);
        (void)snprintf(text, sizeof text, STR_FMT "\1" STR_FMT "\1" STR_FMT,
                       STR_ARG(out->sent[i].member), STR_ARG(out->sent[i].rule),
                       STR_ARG(out->sent[i].message));
        sim_put_text(s->sent, key, text);
    }
    for (uint32_t i = 0; i < out->n_links; i++) {
        const struct decide_link *l = &out->links[i];
        (void)snprintf(key, sizeof key, STR_FMT "\1" STR_FMT "\1" STR_FMT, STR_ARG(l->tag),
                       STR_ARG(l->key), STR_ARG(l->member));
        (void)snprintf(text, sizeof text, STR_FMT, STR_ARG(l->member));
        sim_put_text(s->links, key, l->remove ? NULL : text);
    }
    for (uint32_t i = 0; i < out->n_src; i++)
        sim_put_src(s, &out->src[i]);
    s->most_members = out->n_changes > s->most_members ? out->n_changes : s->most_members;
    s->most_bytes = out->state_bytes > s->most_bytes ? out->state_bytes : s->most_bytes;
    s->meta = *meta;
    s->commits++;
}

/* Produce, commit, go on. */
SIM_UNUSED static void sim_commit(struct sim *s, struct decide *d)
{
    struct decide_out out;
    if (!decide_dirty(d))
        return;
    decide_out(d, &out);
    sim_produce(s, &out, out.n_decisions);
    sim_store(s, d, &out);
    decide_committed(d);
}

/* A crash or a surprise in the middle of a commit: 0 before anything, 1 after a part of the decisions, 2
 * after all of them, 3 after the commit whose reply was lost.  Then back to CLAIM. */
SIM_UNUSED static void sim_crash(struct sim *s, struct decide *d, int how, uint32_t part)
{
    struct decide_out out;
    if (decide_dirty(d) && how > 0) {
        decide_out(d, &out);
        sim_produce(s, &out,
                    how == 1 && out.n_decisions ? part % out.n_decisions : out.n_decisions);
        if (how == 3)
            sim_store(s, d, &out);
    }
    sim_claim(s, d);
}

#endif
