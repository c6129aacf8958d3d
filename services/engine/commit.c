/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a bite, in the order that never changes: append its decisions to rouse.decisions (same p,
 * seq ascending) and its changes of public tags to rouse.tags, wait for ALL reports, COMMIT to Redis,
 * and only then is the cache that of the new cursor.  A commit before the reports could lose
 * decisions; a report that fails ends the producer and sends the partition back to CLAIM, where the
 * same bite is made again from what Redis holds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine_priv.h"

#define META_FIELDS 20 /* besides the marks of sources */

/* ---- meta ---------------------------------------------------------------------------------------------------- */

struct fields {
    struct arena *a;
    struct redis_field *f;
    size_t n;
};

static void field(struct fields *m, const char *name, struct str value)
{
    m->f[m->n++] = (struct redis_field){str_c(name), value};
}

static void field_u64(struct fields *m, const char *name, uint64_t v)
{
    field(m, name, str_c(arena_printf(m->a, "%" PRIu64, v)));
}

static void field_text(struct fields *m, const char *name, const char *now, const char *before)
{
    if (strcmp(now, before) != 0)
        field(m, name, str_c(now));
}

static void field_changed(struct fields *m, const char *name, uint64_t now, uint64_t before)
{
    if (now != before)
        field_u64(m, name, now);
}

static void meta_fingerprint(struct fields *m, const struct part *t)
{
    if (!t->have_last)
        return;
    field_u64(m, "fp_off", (uint64_t)t->last.offset);
    field_u64(m, "fp_ts", (uint64_t)t->last.ts_ms);
    field_u64(m, "fp_crc", hash_crc32c(0, t->last.value.p, t->last.value.n));
}

/* Every field that has changed. */
static void meta_fields(struct fields *m, const struct part *t, const struct decide_meta *now)
{
    const struct decide_meta *was = &t->committed;
    char chain[65];
    field_u64(m, "off", now->off);
    field_u64(m, "sub", now->sub);
    field_text(m, "pos", now->pos, was->pos);
    field_changed(m, "seq", now->seq, was->seq);
    if (memcmp(now->chain, was->chain, sizeof now->chain) != 0) {
        enc_hex(now->chain, sizeof now->chain, chain);
        field(m, "chain", str_c(arena_strdup(m->a, chain)));
    }
    field_changed(m, "era", now->era, was->era);
    field_changed(m, "now", (uint64_t)now->now_ms, (uint64_t)was->now_ms);
    field_changed(m, "n", now->n, was->n);
    field_text(m, "hash", now->hash, was->hash);
    field_changed(m, "level", now->level, was->level);
    field_text(m, "sweep", now->sweep, was->sweep);
    field_changed(m, "sent_lo", t->sent_lo, t->sent_lo_stored);
    meta_fingerprint(m, t);
    for (uint32_t i = 0; i < t->out.n_src; i++) {
        const struct decide_src *s = &t->out.src[i];
        const char *name = arena_printf(m->a, "src:%" PRId64 ":" STR_FMT ":%" PRId32, s->epoch,
                                        STR_ARG(s->topic), s->partition);
        field(m, name, str_c(arena_printf(m->a, "%" PRId64, s->offset)));
    }
}

/* ---- COMMIT --------------------------------------------------------------------------------------------------- */

/* A timer that is only put off need not be moved: the index may be early. */
static void put_changes(struct arena *a, const struct decide_out *o, struct redis_commit *w)
{
    struct redis_change *c = ARENA_ARRAY(a, struct redis_change, o->n_changes);
    for (uint32_t i = 0; i < o->n_changes; i++) {
        const struct decide_change *d = &o->changes[i];
        c[i] = (struct redis_change){d->member, d->state, d->due_ms, d->gone,
                                     d->due_changed && (w->exact || !d->due_later)};
    }
    w->changes = c;
    w->n_changes = o->n_changes;
}

static void put_tags(struct arena *a, const struct decide_out *o, struct redis_commit *w)
{
    struct redis_tag *g = ARENA_ARRAY(a, struct redis_tag, o->n_publics);
    for (uint32_t i = 0; i < o->n_publics; i++) {
        const struct decide_public *d = &o->publics[i];
        g[i] = (struct redis_tag){d->member, d->tag, d->value, d->unset};
    }
    w->tags = g;
    w->n_tags = o->n_publics;
}

static void put_sent(struct arena *a, const struct decide_out *o, struct redis_commit *w)
{
    struct redis_sent *s = ARENA_ARRAY(a, struct redis_sent, o->n_sent);
    for (uint32_t i = 0; i < o->n_sent; i++) {
        const struct decide_sent *d = &o->sent[i];
        s[i] = (struct redis_sent){d->seq, d->member, d->rule, d->message};
    }
    w->sent = s;
    w->n_sent = o->n_sent;
}

static void put_links(struct arena *a, const struct decide_out *o, struct redis_commit *w)
{
    struct redis_link *l = ARENA_ARRAY(a, struct redis_link, o->n_links);
    for (uint32_t i = 0; i < o->n_links; i++) {
        const struct decide_link *d = &o->links[i];
        l[i] = (struct redis_link){d->tag, d->key, d->member, d->remove};
    }
    w->links = l;
    w->n_links = o->n_links;
}

/* When a block of `sent` is begun, the oldest ones may be old enough to go. */
static void put_drops(const struct part *t, const struct decide_meta *now, struct redis_commit *w)
{
    w->era = now->era;
    w->now_ms = now->now_ms;
    if (now->seq / REDIS_SENT_BLOCK == t->committed.seq / REDIS_SENT_BLOCK)
        return;
    w->drop_from = t->sent_lo;
    w->drop_to = t->committed.seq / REDIS_SENT_BLOCK;
    w->drop_before_ms = now->now_ms - t->e->conf.sent_keep_ms;
}

static void committed(struct part *t, const struct redis_reply *reply)
{
    struct engine *e = t->e;
    metric_observe(&engine_metrics[EM_STAGE], "commit", (double)(engine_us() - t->began_us) / 1e6);
    metric_add(&engine_metrics[EM_COMMITS], NULL, 1);
    metric_add(&engine_metrics[EM_MEMBERS], NULL, t->out.n_changes);
    if (t->out.n_told > 0)
        metric_add(&engine_metrics[EM_TAG_CHANGES], NULL, t->out.n_told);
    t->sent_lo_stored = t->sent_lo;
    if (reply->kind == REDIS_ARRAY && reply->n == 2)
        t->sent_lo += (uint64_t)reply->items[1]->i;
    t->committed = *decide_meta(t->d);
    t->cursor.off = t->committed.off;
    t->cursor.sub = t->committed.sub;
    if (t->have_last) {
        kafka_msg_done(&t->last);
        t->have_last = false;
    }
    decide_committed(t->d);
    metrics_stats(t);
    t->failures = 0;
    t->dirty_ms = 0;
    t->reason[0] = '\0';
    t->off_dirty = true;
    /* A time-lapse waits for it; else it is for people, and 200 requests a second are not. */
    if (e->record_clock && t->q_n == 0 && t->next_item == t->n_items)
        e->offsets_urgent = true;
    part_move(t, PART_READY, "committed");
    engine_chaos(e, "committed");
}

static void on_commit(void *arg, const struct redis_result *res)
{
    struct request *q = arg;
    if (!request_stale(q)) {
        if (res->outcome == REDIS_DONE)
            committed(q->t, res->reply);
        else
            part_refused(q->t, "COMMIT", res);
    }
    request_free(q);
}

static void commit_send(struct part *t)
{
    struct engine *e = t->e;
    struct request *q = request_new(t);
    struct redis_commit w = {0};
    struct err err = {0};
    const struct decide_meta *now = decide_meta(t->d);
    struct fields m = {.a = q->a};
    m.f = ARENA_ARRAY(q->a, struct redis_field, META_FIELDS + t->out.n_src);
    meta_fields(&m, t, now);
    /* A sweep walks through the whole index: from the commit that begins it to the one that ends it
     * timers are moved at once, so that nothing stale stands where it has been. */
    w.exact = now->sweep[0] != '\0' || t->committed.sweep[0] != '\0';
    put_changes(q->a, &t->out, &w);
    put_tags(q->a, &t->out, &w);
    put_sent(q->a, &t->out, &w);
    put_links(q->a, &t->out, &w);
    put_drops(t, now, &w);
    w.meta = m.f;
    w.n_meta = m.n;
    t->began_us = engine_us();
    part_move(t, PART_COMMITTING, "reported");
    if (redis_commit(e->redis, &t->home, &t->cursor, &w, e->mono_ms + e->conf.redis_timeout_ms,
                     on_commit, q, &err) != 0) {
        request_free(q);
        if (err.kind == ERR_INPUT)
            part_park(t, "bug", "%.150s", err.text);
        else
            part_again(t, "redis", &err);
        return;
    }
    if (e->chaos_left > 0 && strcmp(e->chaos_name, "committing") == 0)
        redis_poll(e->redis, e->mono_ms, NULL); /* so that it has left when we die */
    engine_chaos(e, "committing");
}

/* ---- what is appended ----------------------------------------------------------------------------------------- */

static void all_reported(struct part *t)
{
    metric_observe(&engine_metrics[EM_STAGE], "produce", (double)(engine_us() - t->began_us) / 1e6);
    engine_chaos(t->e, "reported");
    commit_send(t);
}

static size_t n_out(const struct part *t)
{
    return (size_t)t->out.n_decisions + t->out.n_told;
}

static int produce_decision(struct part *t, struct str decision, struct err *err)
{
    return kafka_produce(t->e->producer, TOPIC_DECISIONS, (int32_t)t->p, (struct str){NULL, 0},
                         decision, NULL, 0, world_opaque(t, false), err);
}

static int produce_change(struct part *t, const struct decide_public *c, struct err *err)
{
    const struct tag_change_rec r = {.member = c->member,
                                     .tag = c->tag,
                                     .value = c->value,
                                     .unset = c->unset,
                                     .off = c->off,
                                     .entry = c->entry,
                                     .at_ms = c->at_ms};
    buf_reset(&t->e->produced);
    tag_change_write(&r, &t->e->produced);
    return kafka_produce(t->e->producer, TOPIC_TAGS, (int32_t)t->p, c->member,
                         buf_str(&t->e->produced), NULL, 0, world_opaque(t, false), err);
}

void commit_produce(struct part *t)
{
    struct engine *e = t->e;
    while (t->next_out < n_out(t)) {
        struct err err = {0};
        if (e->producer == NULL || e->producer_failed) {
            part_again(t, "producer", NULL);
            return;
        }
        size_t i = t->next_out, n = t->out.n_decisions;
        if ((i < n ? produce_decision(t, t->out.decisions[i], &err)
                   : produce_change(t, &t->out.told[i - n], &err)) == 0) {
            t->next_out++;
            t->reports++;
            continue;
        }
        if (err.kind == ERR_AGAIN)
            return; /* the queue is full: reports will make room */
        part_park(t, "produce", "nothing can be appended to %s: %.100s",
                  i < n ? TOPIC_DECISIONS : TOPIC_TAGS, err.text);
        return;
    }
    if (t->state == PART_PRODUCING && t->reports == 0)
        all_reported(t);
}

void commit_report(struct part *t)
{
    t->reports--;
    if (t->state == PART_PRODUCING && t->reports == 0 && t->next_out == n_out(t))
        all_reported(t);
}

void commit_begin(struct part *t)
{
    decide_out(t->d, &t->out);
    t->next_out = 0;
    t->reports = 0;
    t->began_us = engine_us();
    engine_chaos(t->e, "folded");
    if (n_out(t) == 0) {
        commit_send(t);
        return;
    }
    part_move(t, PART_PRODUCING, "folded");
    commit_produce(t);
    if (t->state == PART_PRODUCING && t->next_out == n_out(t))
        engine_chaos(t->e, "produced");
}
