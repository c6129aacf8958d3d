/* SPDX-License-Identifier: Apache-2.0 */
/*
 * READY: takes a batch of fetched records, notes the members they concern, loads those that the cache
 * has not, folds record by record.  The batch is for speed only: decide's results do not depend on it.
 * A `rules` record stands alone in its batch, because what follows is read under the new schema.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine_priv.h"

#define BATCH_ITEMS 4096
#define BUSY_WINDOWS 10 /* while records are waiting, a commit may wait so many windows */

void fold_drop(struct part *t)
{
    for (size_t i = t->next_item; i < t->n_items; i++)
        kafka_msg_done(&t->items[i].msg);
    t->n_items = t->next_item = 0;
    if (t->have_last)
        kafka_msg_done(&t->last);
    t->have_last = false;
    arena_reset(t->arena);
}

/* ---- the batch --------------------------------------------------------------------------------------------- */

/* May this record be folded now, as far as its time goes?  (append clock) */
static bool time_ok(struct part *t, const struct kafka_msg *m)
{
    char key[64];
    if (t->e->record_clock || m->ts_ms <= t->e->now_ms + t->e->conf.guard_ms)
        return true;
    snprintf(key, sizeof key, "time_ok/%" PRIu32 "/%" PRId64, t->p, m->offset);
    return control_value(t->e->control, key) != NULL;
}

/* Parks for a message that cannot be folded; false then. */
static bool message_ok(struct part *t, const struct kafka_msg *m)
{
    if (m->err != NULL) {
        if (m->err->kind == ERR_AGAIN || strcmp(m->err->code, "out_of_range") == 0)
            part_again(t, m->err->code, m->err);
        else
            part_park(t, "log", "offset %" PRId64 ": %.120s", m->offset, m->err->text);
        return false;
    }
    if (!t->e->record_clock && !m->append_time) {
        part_park(t, "log_time", "rouse.log has not message.timestamp.type=LogAppendTime");
        return false;
    }
    if (!time_ok(t, m)) {
        part_park(t, "clock",
                  "the record at %" PRId64 " is %" PRId64 " s ahead of this host's clock",
                  m->offset, (m->ts_ms - t->e->now_ms) / 1000);
        return false;
    }
    return true;
}

/* The bundle of a `rules` record may lag behind it: 1 there, 0 wait. */
static int rules_ready(struct part *t, const struct record *r)
{
    const struct program *program;
    struct err err = {0};
    if (r->kind != REC_RULES || r->n <= decide_meta(t->d)->n)
        return 1;
    if (r->level > RULE_LEVEL) {
        part_park(t, "level", "rules of level %" PRIu32 ", this program knows %d", r->level,
                  RULE_LEVEL);
        return 0;
    }
    int rc = control_program(t->e->control, r->hash, &program, &err);
    if (rc < 0)
        part_park(t, "bundle", "bundle " STR_FMT ": %.90s", STR_ARG(r->hash), err.text);
    else if (rc == 0 && !t->bundle_told)
        log_warn("bundle_awaited", "p=%" PRIu32 " hash=" STR_FMT, t->p, STR_ARG(r->hash));
    t->bundle_told = rc == 0;
    return rc == 1;
}

static struct item *item_new(struct part *t)
{
    if (t->n_items == t->cap_items) {
        t->cap_items = t->cap_items == 0 ? 64 : t->cap_items * 2;
        t->items = xrealloc(t->items, t->cap_items * sizeof *t->items);
    }
    return &t->items[t->n_items];
}

/* The front of the queue into the batch.  1 taken, 0 the batch ends before it, -1 not READY any more. */
static int batch_add(struct part *t)
{
    struct kafka_msg *m = part_front(t);
    struct err err = {0};
    if (m->err == NULL && m->offset < (int64_t)decide_meta(t->d)->off) {
        struct kafka_msg old = part_pop(t);
        kafka_msg_done(&old);
        return 1;
    }
    if (t->n_items > 0 && (m->err != NULL || !time_ok(t, m)))
        return 0;
    if (!message_ok(t, m))
        return -1;
    struct item *it = item_new(t);
    if (record_read(decide_schema(t->d), m->value, t->arena, &it->rec, &err) != 0) {
        if (t->n_items > 0)
            return 0;
        part_park(t, "record", "the record at %" PRId64 " cannot be read: %.110s", m->offset,
                  err.text);
        return -1;
    }
    if (it->rec.kind == REC_RULES && t->n_items > 0)
        return 0;
    if (!rules_ready(t, &it->rec))
        return t->state == PART_READY ? 0 : -1;
    it->msg = part_pop(t);
    decide_want(t->d, &it->rec);
    t->n_items++;
    return 1;
}

static bool batch_fill(struct part *t)
{
    size_t bytes = 0;
    arena_reset(t->arena);
    t->n_items = t->next_item = 0;
    while (t->q_n > 0 && t->n_items < BATCH_ITEMS && bytes < (size_t)t->e->conf.batch_bytes) {
        bytes += part_front(t)->value.n;
        int rc = batch_add(t);
        if (rc < 0)
            return false;
        if (rc == 0 || (t->n_items == 1 && t->items[0].rec.kind == REC_RULES))
            break;
    }
    return t->n_items > 0;
}

/* ---- what decide asks for ---------------------------------------------------------------------------------- */

/* A reply is in: with the last one the fold goes on. */
static void arrived(struct part *t)
{
    if (--t->loads > 0)
        return;
    metric_observe(&engine_metrics[EM_STAGE], "load", (double)(engine_us() - t->began_us) / 1e6);
    part_move(t, PART_READY, "loaded");
    engine_chaos(t->e, "loaded");
}

static void put_states(struct part *t, const struct request *q, const struct redis_reply *reply)
{
    for (uint32_t i = 0; i < q->n_members; i++)
        decide_put(t->d, q->members[i], redis_load_state(reply, i));
    for (uint32_t i = 0; i < q->n_seqs; i++) {
        struct str member = {0}, rule = {0}, message = {0};
        (void)redis_load_sent(reply, i, &member, &rule, &message);
        decide_put_seq(t->d, q->seqs[i], member, rule, message);
    }
    metric_add(&engine_metrics[EM_LOADED], NULL, q->n_members);
}

static void on_load(void *arg, const struct redis_result *res)
{
    struct request *q = arg;
    struct part *t = q->t;
    if (!request_stale(q)) {
        if (res->outcome == REDIS_DONE) {
            put_states(t, q, res->reply);
            arrived(t);
        } else {
            part_refused(t, "LOAD", res);
        }
    }
    request_free(q);
}

static int put_timers(struct part *t, const struct redis_reply *reply)
{
    size_t n = redis_due_n(reply);
    struct decide_timer *list = xcalloc(n + 1, sizeof *list);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = redis_due_get(reply, i, &list[i].due_ms, &list[i].member);
    if (rc == 0)
        decide_put_timers(t->d, list, (uint32_t)n);
    free(list);
    return rc;
}

static void on_due(void *arg, const struct redis_result *res);

static int due_send(struct request *q, struct err *err)
{
    struct part *t = q->t;
    return redis_timers(t->e->redis, &t->home, &t->cursor, &q->due,
                        t->e->mono_ms + t->e->conf.redis_timeout_ms, on_due, q, err);
}

static void on_due(void *arg, const struct redis_result *res)
{
    struct request *q = arg;
    struct part *t = q->t;
    struct err err = {0};
    if (!request_stale(q)) {
        if (res->outcome != REDIS_DONE)
            part_refused(t, "DUE", res);
        else if (res->reply->kind == REDIS_NIL && due_send(q, &err) == 0)
            return;
        else if (res->reply->kind == REDIS_NIL)
            part_again(t, "redis", &err);
        else if (put_timers(t, res->reply) != 0)
            part_park(t, "redis", "a timer's moment is not a number");
        else
            arrived(t);
    }
    request_free(q);
}

static void on_index(void *arg, const struct redis_result *res)
{
    struct request *q = arg;
    struct part *t = q->t;
    if (!request_stale(q)) {
        if (res->outcome != REDIS_DONE || res->reply->kind != REDIS_ARRAY) {
            part_refused(t, "INDEX", res);
        } else {
            struct str *m = ARENA_ARRAY(q->a, struct str, res->reply->n + 1);
            for (size_t i = 0; i < res->reply->n; i++)
                m[i] = res->reply->items[i]->s;
            decide_put_index(t->d, m, (uint32_t)res->reply->n);
            arrived(t);
        }
    }
    request_free(q);
}

static int64_t deadline(const struct part *t)
{
    return t->e->mono_ms + t->e->conf.redis_timeout_ms;
}

static uint32_t piece(uint32_t n, uint32_t from)
{
    uint32_t left = n > from ? n - from : 0;
    return left < REDIS_MAX_LOAD ? left : REDIS_MAX_LOAD;
}

/* Members and seqs from `from` on, as many of each as one LOAD takes. */
static int ask_states(struct part *t, const struct decide_wants *w, uint32_t from, struct err *err)
{
    struct request *q = request_new(t);
    uint32_t n = piece(w->n_members, from), n_seqs = piece(w->n_seqs, from);
    struct str *m = ARENA_ARRAY(q->a, struct str, n);
    for (uint32_t i = 0; i < n; i++)
        m[i] = arena_str(q->a, w->members[from + i]);
    q->members = m;
    q->n_members = n;
    if (n_seqs > 0) {
        uint64_t *s = ARENA_ARRAY(q->a, uint64_t, n_seqs);
        memcpy(s, w->seqs + from, n_seqs * sizeof *s);
        q->seqs = s;
        q->n_seqs = n_seqs;
    }
    if (redis_load(t->e->redis, &t->home, &t->cursor, m, n, t->committed.era, q->seqs, q->n_seqs,
                   deadline(t), on_load, q, err) != 0) {
        request_free(q);
        return -1;
    }
    t->loads++;
    return 0;
}

static int ask_timers(struct part *t, const struct decide_wants *w, struct err *err)
{
    struct request *q = request_new(t);
    q->due = (struct redis_due){
        .after_ms = w->after.due_ms,
        .after_member = arena_str(q->a, w->after.member),
        .upto_ms = w->upto_ms,
        .n = w->timers_n,
        .whole = w->upto_ms == TIME_NEVER, /* the sweep: see `exact` in commit.c */
    };
    if (due_send(q, err) != 0) {
        request_free(q);
        return -1;
    }
    t->loads++;
    return 0;
}

static int ask_index(struct part *t, const struct decide_wants *w, struct err *err)
{
    struct request *q = request_new(t);
    if (redis_index(t->e->redis, &t->home, &t->cursor, w->index_tag, w->index_key, w->index_after,
                    w->index_n, deadline(t), on_index, q, err) != 0) {
        request_free(q);
        return -1;
    }
    t->loads++;
    return 0;
}

/* 1 something was asked, 0 nothing is wanted, -1 the partition starts over. */
static int ask(struct part *t)
{
    struct decide_wants w;
    struct err err = {0};
    int rc = 0;
    decide_wants(t->d, &w);
    t->began_us = engine_us();
    uint32_t most = w.n_members > w.n_seqs ? w.n_members : w.n_seqs;
    for (uint32_t from = 0; rc == 0 && from < most; from += REDIS_MAX_LOAD)
        rc = ask_states(t, &w, from, &err);
    if (rc == 0 && w.timers)
        rc = ask_timers(t, &w, &err);
    if (rc == 0 && w.index)
        rc = ask_index(t, &w, &err);
    if (rc != 0) {
        part_again(t, "redis", &err);
        return -1;
    }
    if (t->loads == 0)
        return 0;
    part_move(t, PART_LOADING, "wanted");
    return 1;
}

/* ---- folding ------------------------------------------------------------------------------------------------ */

static void folded(struct part *t, struct item *it)
{
    if (t->have_last)
        kafka_msg_done(&t->last);
    t->last = it->msg;
    t->have_last = true;
    t->next_item++;
    metric_add(&engine_metrics[EM_RECORDS], NULL, 1);
}

static bool fold_run(struct part *t)
{
    int64_t began = engine_us();
    while (t->next_item < t->n_items) {
        struct item *it = &t->items[t->next_item];
        struct err err = {0};
        enum decide_rc rc =
            decide_record(t->d, &it->rec, (uint64_t)it->msg.offset, it->msg.ts_ms, &err);
        if (rc == DECIDE_DONE) {
            folded(t, it);
            continue;
        }
        metric_observe(&engine_metrics[EM_STAGE], "fold", (double)(engine_us() - began) / 1e6);
        if (rc == DECIDE_NEED) {
            if (ask(t) == 0)
                part_park(t, "bug", "the fold needs something and does not say what");
        } else if (rc == DECIDE_FULL) {
            commit_begin(t);
        } else {
            part_park(t, "record", "the record at %" PRId64 " cannot be folded: %.110s",
                      it->msg.offset, err.text);
        }
        return false;
    }
    metric_observe(&engine_metrics[EM_STAGE], "fold", (double)(engine_us() - began) / 1e6);
    return true;
}

/* Is it time to commit what is folded? */
static bool commit_due(struct part *t)
{
    if (!decide_dirty(t->d))
        return false;
    if (t->dirty_ms == 0)
        t->dirty_ms = t->e->mono_ms;
    /* Waiting for more is for a Redis that is busy; an idle one may as well be given what there is. */
    if (t->q_n == 0 && redis_pending(t->e->redis) == 0)
        return true;
    int64_t window = t->e->conf.window_ms * (t->q_n > 0 ? BUSY_WINDOWS : 1);
    return t->e->draining || t->e->mono_ms - t->dirty_ms >= window;
}

bool fold_step(struct part *t)
{
    if (t->next_item == t->n_items || t->e->draining) {
        if (commit_due(t)) {
            commit_begin(t);
            return false;
        }
        if (t->e->draining || !batch_fill(t))
            return false;
        if (ask(t) != 0)
            return false;
    }
    if (!fold_run(t) || t->state != PART_READY)
        return false;
    return commit_due(t) || t->q_n > 0; /* the first notes when it became dirty */
}
