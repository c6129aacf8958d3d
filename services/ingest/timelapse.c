/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timelapse: the record clock's run, one virtual day at a time, as lapse.c orders it.  Upstream partitions
 * are read ahead; each shows its first event as a head; the least head is released.  At the end of a day
 * nothing goes on until engine and dispatcher have caught up and all first final results are appended as
 * receipts.  Committed with the day: the upstream offsets, and beside those of rouse.outcomes the next
 * seq whose result is new and the day's tick, so that a restart goes on with the next day.
 */
#include "ingest_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ASK_MS 2000
#define POLL_MS 2
#define TELL_MS 10000
#define STEPS 4096 /* a turn */

/* ---- start and stop ---- */

void lapse_start(struct ingest *in)
{
    struct run *r = &in->run;
    uint32_t n = in->genesis.partitions;
    struct err err = {0};
    if (r->merge || !in->program)
        return;
    if ((!r->engine && kafka_watch_new(&in->kafka, in->conf.engine_group, &r->engine, &err) != 0) ||
        (!r->dispatcher &&
         kafka_watch_new(&in->kafka, in->conf.dispatcher_group, &r->dispatcher, &err) != 0)) {
        log_err(LOG_LEVEL_ERROR, "watch", &err, "bootstrap=%s", in->conf.bootstrap);
        return;
    }
    r->merge = merge_new();
    r->results = results_new(n);
    r->log_end = xcalloc(n, sizeof *r->log_end);
    r->decisions_end = xcalloc(n, sizeof *r->decisions_end);
    r->outcomes_end = xcalloc(n, sizeof *r->outcomes_end);
    r->committed = xcalloc(n, sizeof *r->committed);
    r->stage = ASK_REPORTS;
    lapse_init(&r->lapse, in->program->tz, in->genesis.end_ms);
}

void lapse_stop(struct ingest *in)
{
    struct run *r = &in->run;
    if (r->merge)
        merge_clear(r->merge); /* the heads are freed with their sources' queues */
    merge_free(&r->merge);
    for (size_t i = 0; i < in->n_src; i++)
        lapse_forget(in->src[i]);
    results_free(&r->results);
    free(r->log_end);
    free(r->decisions_end);
    free(r->outcomes_end);
    free(r->committed);
    r->log_end = r->decisions_end = r->outcomes_end = r->committed = NULL;
}

void lapse_end(struct ingest *in)
{
    lapse_stop(in);
    kafka_watch_free(&in->run.engine);
    kafka_watch_free(&in->run.dispatcher);
}

/* "epoch:crc:seq:tick": the last two are ours. */
void lapse_place(struct src *s, const char *metadata)
{
    struct run *r = &s->in->run;
    uint64_t seq = 0;
    int64_t tick = INT64_MIN;
    const char *at = strchr(metadata, ':');
    at = at ? strchr(at + 1, ':') : NULL;
    if (at && sscanf(at, ":%" SCNu64 ":%" SCNd64, &seq, &tick) != 2)
        seq = 0;
    if (!r->results || (uint32_t)s->partition >= s->in->genesis.partitions)
        return;
    results_resume(r->results, (uint32_t)s->partition, seq);
    if (tick > r->lapse.last_ms)
        lapse_resume(&r->lapse, tick);
}

void lapse_metadata(const struct src *s, char *out, size_t n)
{
    const struct run *r = &s->in->run;
    (void)snprintf(out, n, ":%" PRIu64 ":%" PRId64,
                   results_next(r->results, (uint32_t)s->partition), r->lapse.last_ms);
}

void lapse_report(struct ingest *in, int32_t p, int64_t offset)
{
    struct run *r = &in->run;
    if (r->log_end && p >= 0 && (uint32_t)p < in->genesis.partitions && offset >= r->log_end[p])
        r->log_end[p] = offset + 1;
}

/* ---- reading ahead ---- */

static void queue_grow(struct src *s)
{
    size_t cap = s->q_cap ? s->q_cap * 2 : 64;
    struct kafka_msg *to = xcalloc(cap, sizeof *to);
    for (size_t i = 0; i < s->q_n; i++)
        to[i] = s->queue[(s->q_at + i) % s->q_cap];
    free(s->queue);
    s->queue = to;
    s->q_at = 0;
    s->q_cap = cap;
}

static void queue_put(struct src *s, const struct kafka_msg *m)
{
    if (s->q_n == s->q_cap)
        queue_grow(s);
    s->queue[(s->q_at + s->q_n++) % s->q_cap] = *m;
    s->q_bytes += m->key.n + m->value.n + sizeof *m;
}

static struct kafka_msg queue_take(struct src *s)
{
    struct kafka_msg m = s->queue[s->q_at];
    s->q_at = (s->q_at + 1) % s->q_cap;
    s->q_n--;
    s->q_bytes -= m.key.n + m.value.n + sizeof m;
    return m;
}

static void queue_back(struct src *s, const struct kafka_msg *m)
{
    if (s->q_n == s->q_cap)
        queue_grow(s);
    s->q_at = (s->q_at + s->q_cap - 1) % s->q_cap;
    s->queue[s->q_at] = *m;
    s->q_n++;
    s->q_bytes += m->key.n + m->value.n + sizeof *m;
}

static void pause_if(struct src *s)
{
    size_t most = (size_t)s->in->conf.source_bytes;
    bool pause = s->paused ? s->q_bytes > most / 4 : s->q_bytes > most;
    if (pause == s->paused)
        return;
    if (kafka_fetch_pause(s->in->fetcher, s->topic, s->partition, pause) == 0)
        s->paused = pause;
}

/* All heads anew into the merge, without that of `out`. */
static void remerge(struct ingest *in, const struct src *out)
{
    merge_clear(in->run.merge);
    for (size_t i = 0; i < in->n_src; i++)
        if (in->src[i] != out && in->src[i]->has_head)
            merge_put(in->run.merge, &in->src[i]->head);
}

void lapse_forget(struct src *s)
{
    if (s->has_head) {
        kafka_msg_done(&s->msg);
        s->has_head = false;
        if (s->in->run.merge)
            remerge(s->in, s);
    }
    while (s->q_n) {
        struct kafka_msg m = queue_take(s);
        kafka_msg_done(&m);
    }
}

static void take_outcome(struct src *s, struct kafka_msg *m)
{
    struct ingest *in = s->in;
    struct outcome o;
    struct err err = {0};
    arena_reset(in->a);
    if (outcome_read(m->value, in->a, &o, &err) != 0)
        take_dead(s, m, &err);
    else
        results_add(in->run.results, (uint32_t)s->partition, &o);
    source_taken(s, m);
    kafka_msg_done(m);
}

void lapse_take(struct src *s, struct kafka_msg *m)
{
    count(IM_RECORDS, s->topic, 1);
    if (s->kind == SOURCE_OUTCOMES) {
        take_outcome(s, m);
        return;
    }
    queue_put(s, m);
    pause_if(s);
}

/* ---- heads ---- */

/* The next record of s that has events; what has none is done with. */
static void fill_head(struct src *s)
{
    struct ingest *in = s->in;
    while (!s->has_head && !s->ended && s->q_n) {
        struct kafka_msg m = queue_take(s);
        arena_reset(in->a);
        arena_reset(s->a);
        s->ended = take_is_end(in, &m);
        if (!s->ended && take_decode(s, &m, s->a, &s->events, &s->n_events) == 0 && s->n_events) {
            s->msg = m;
            s->head = (struct merge_head){str_c(s->topic), s->partition, s->events[0].at_ms};
            for (uint32_t i = 1; i < s->n_events; i++)
                if (s->events[i].at_ms > s->head.at_ms)
                    s->head.at_ms = s->events[i].at_ms;
            s->has_head = true;
            merge_put(in->run.merge, &s->head);
            break;
        }
        if (!s->ended) /* the mark stays ahead of the position: whoever starts again must meet it */
            source_taken(s, &m);
        kafka_msg_done(&m);
    }
    pause_if(s);
}

/* Other rules: what is a head was decoded under the old ones. */
static void decode_again(struct ingest *in)
{
    merge_clear(in->run.merge);
    for (size_t i = 0; i < in->n_src; i++) {
        struct src *s = in->src[i];
        if (s->has_head)
            queue_back(s, &s->msg);
        s->has_head = false;
        fill_head(s);
    }
}

static bool lacks_head(const struct src *s)
{
    return s->ours && s->kind == SOURCE_UPSTREAM && !s->has_head && !s->ended;
}

static const struct src *first_lacking(const struct ingest *in)
{
    for (size_t i = 0; i < in->n_src; i++)
        if (lacks_head(in->src[i]))
            return in->src[i];
    return NULL;
}

static struct src *owner(struct merge_head *h)
{
    return (struct src *)(void *)((char *)h - offsetof(struct src, head));
}

static struct src *release(struct ingest *in)
{
    struct src *s = owner(merge_least(in->run.merge));
    struct source src = take_source(s, &s->msg);
    struct err err = {0};
    if (pack_add(in->pack, in->n, &src, s->events, s->n_events, in->mono_ms, &err) != 0)
        take_dead(s, &s->msg, &err);
    source_taken(s, &s->msg);
    kafka_msg_done(&s->msg);
    merge_take(in->run.merge);
    s->has_head = false;
    fill_head(s);
    return s;
}

/* ---- the barrier ---- */

/* Positions of all partitions of one of our topics, by committed offset or end. */
static bool ask(struct ingest *in, struct kafka_watch *w, const char *topic, bool ends,
                int64_t *out)
{
    uint32_t n = in->genesis.partitions;
    struct err err = {0};
    arena_reset(in->a);
    struct kafka_tp *tp = ARENA_ARRAY(in->a, struct kafka_tp, n);
    for (uint32_t p = 0; p < n; p++)
        tp[p] = (struct kafka_tp){.topic = topic, .partition = (int32_t)p, .offset = -1};
    if ((ends ? kafka_watch_ends(w, tp, n, ASK_MS, &err)
              : kafka_watch_committed(w, tp, n, ASK_MS, &err)) != 0) {
        if (in->mono_ms - in->run.told_ms >= TELL_MS)
            log_err(LOG_LEVEL_WARN, "barrier", &err, "topic=%s", topic);
        return false;
    }
    for (uint32_t p = 0; p < n; p++)
        out[p] = tp[p].offset;
    return true;
}

static bool outcomes_read(const struct ingest *in)
{
    for (size_t i = 0; i < in->n_src; i++) {
        const struct src *s = in->src[i];
        if (s->ours && s->kind == SOURCE_OUTCOMES &&
            (!s->placed || s->next < in->run.outcomes_end[s->partition]))
            return false;
    }
    return true;
}

/* One stage after the other, each until it holds. True: all do. */
static bool barrier(struct ingest *in)
{
    struct run *r = &in->run;
    uint32_t n = in->genesis.partitions;
    switch (r->stage) {
    case ASK_REPORTS:
        if (progress_open(in->progress))
            return false;
        r->stage = ASK_ENGINE;
        /* fall through */
    case ASK_ENGINE:
        if (!ask(in, r->engine, TOPIC_LOG, false, r->committed) ||
            !barrier_reached(r->committed, r->log_end, n) ||
            !ask(in, r->engine, TOPIC_DECISIONS, true, r->decisions_end))
            return false;
        r->stage = ASK_DISPATCHER;
        /* fall through */
    case ASK_DISPATCHER:
        if (!ask(in, r->dispatcher, TOPIC_DECISIONS, false, r->committed) ||
            !barrier_reached(r->committed, r->decisions_end, n) ||
            !ask(in, r->dispatcher, TOPIC_OUTCOMES, true, r->outcomes_end))
            return false;
        r->stage = ASK_OUTCOMES;
        /* fall through */
    case ASK_OUTCOMES:
        return outcomes_read(in);
    }
    return false;
}

static size_t append_receipts(struct ingest *in)
{
    struct run *r = &in->run;
    size_t total = results_waiting(r->results), n;
    for (uint32_t p = 0; total && p < in->genesis.partitions; p++) {
        const struct result *v = results_take(r->results, p, &n);
        for (size_t i = 0; i < n; i++) {
            struct source src = {STR(TOPIC_OUTCOMES), v[i].receipt.era, (int32_t)p,
                                 (int64_t)v[i].seq};
            take_receipt(in, p, &src, lapse_receipt_ms(&r->lapse, v[i].at_ms), &v[i].receipt);
        }
    }
    return total;
}

static void day_done(struct ingest *in)
{
    char text[48];
    count(IM_DAYS, NULL, 1);
    text[time_format_ms(in->run.lapse.last_ms, text)] = '\0';
    log_debug("day", "end=%s rounds=%u", text, in->run.lapse.round);
    for (size_t i = 0; i < in->n_src; i++)
        in->src[i]->moved |= in->src[i]->kind == SOURCE_OUTCOMES;
    source_positions(in, true);
    source_commit(in, false);
}

/* False: not yet. */
static bool catch_up(struct ingest *in)
{
    if (!barrier(in))
        return false;
    in->run.stage = ASK_REPORTS;
    in->run.told_ms = in->mono_ms;
    if (lapse_caught_up(&in->run.lapse, append_receipts(in)))
        day_done(in);
    return true;
}

/* ---- the run ---- */

static void tick(struct ingest *in)
{
    const struct record rec = {.kind = REC_TICK, .at_ms = in->run.lapse.tick_ms};
    pack_flush(in->pack);
    buf_reset(&in->b);
    record_write(&rec, &in->b);
    for (uint32_t p = 0; p < in->genesis.partitions; p++)
        world_append(in, TOPIC_LOG, (int32_t)p, (struct str){NULL, 0}, buf_str(&in->b));
    in->run.stage = ASK_REPORTS;
    in->run.told_ms = in->mono_ms;
}

static void open_day(struct ingest *in)
{
    const struct program *before = in->program;
    world_adopt(in);
    if (in->program != before) {
        in->run.lapse.tz = in->program->tz;
        decode_again(in);
    }
    world_announce(in, in->run.lapse.start_ms);
    metric_set(&ingest_metrics[IM_DAY], NULL, (double)in->run.lapse.tick_ms / 1000);
    in->run.told_ms = in->mono_ms;
}

static void tell_waiting(struct ingest *in, const char *what, const struct src *s)
{
    static const char *const stages[] = {"reports", "engine", "dispatcher", "outcomes"};
    if (in->mono_ms - in->run.told_ms < TELL_MS)
        return;
    in->run.told_ms = in->mono_ms;
    if (s)
        log_warn("waiting", "for=%s topic=%s p=%d", what, s->topic, s->partition);
    else
        log_warn("waiting", "for=%s day_end_ms=%" PRId64, stages[in->run.stage],
                 in->run.lapse.tick_ms);
}

static void finish(struct ingest *in)
{
    if (in->run.finished)
        return;
    in->run.finished = true;
    metric_set(&ingest_metrics[IM_FINISHED], NULL, 1);
    log_info("finished", "days=%" PRId64, in->run.lapse.days);
}

void lapse_turn(struct ingest *in)
{
    struct run *r = &in->run;
    if (!r->merge || in->placing || !in->assigned || in->producer_failed || !in->producer)
        return;
    for (size_t i = 0; i < in->n_src; i++)
        if (lacks_head(in->src[i]))
            fill_head(in->src[i]);
    const struct src *lacking = first_lacking(in);
    for (int step = 0; step < STEPS && world_room(in) && !in->producer_failed; step++) {
        switch (lapse_next(&r->lapse, !lacking, merge_least(r->merge))) {
        case LAPSE_WAIT:
            tell_waiting(in, "head", lacking);
            return;
        case LAPSE_RULES:
            open_day(in);
            lacking = first_lacking(in);
            break;
        case LAPSE_EVENT: {
            const struct src *s = release(in);
            lacking = lacks_head(s) ? s : NULL;
            break;
        }
        case LAPSE_TICK:
            tick(in);
            break;
        case LAPSE_ASK:
            in->wait_ms = POLL_MS;
            if (!catch_up(in)) {
                tell_waiting(in, "barrier", NULL);
                return;
            }
            break;
        case LAPSE_FINISHED:
            finish(in);
            return;
        }
    }
    in->busy = true;
}
