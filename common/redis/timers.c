/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers, lazily.  Nearly every event puts its member's next due moment off, and moving an entry of a
 * big sorted set costs Redis more than all the rest of a commit.  So an entry only ever moves
 * towards the front when its member is written (ZADD LT); when it is really due stands before the
 * state.  Whoever reads timers goes through the index from its start, since an entry that stands
 * below the place asked for may really belong above it:
 *
 *     DUE (what the index says) -> DUES (what the states say) -> all the same: the next page, or done
 *                                                            -> else REARM those, and ask again
 *
 * After REARM the entries are where they would be had they been moved at once, so what is answered
 * does not depend on any of this.  What stands below and is right is little: the caller asks for
 * more when he has done with what he had.  Walking through the whole index would go over it again
 * and again; that is what `exact` and `whole` are for.
 */
#include <stdlib.h>

#include "redis_priv.h"

#define BELOW 600 /* entries of a page beyond those asked for */

struct walk {
    struct redis *r;
    const struct redis_home *h;
    struct redis_cursor at;
    struct redis_due q;
    int64_t deadline_ms;
    redis_fn *fn;
    void *arg;
    struct arena *a;
    const struct redis_reply *page; /* the index's answer */
    uint32_t page_n;                /* asked for */
    int64_t from_ms;                /* where the page begins */
    struct str from_member;
    struct redis_reply answer; /* member, score, … */
};

static void done(struct walk *w, const struct redis_result *res)
{
    w->fn(w->arg, res);
    arena_free(&w->a);
    free(w);
}

static void cannot(struct walk *w, const struct err *err)
{
    const struct redis_result res = {
        .outcome = REDIS_REFUSED, .fault = REDIS_FAULT_HOLD, .err = *err};
    done(w, &res);
}

static int page_ask(struct walk *w, struct err *err);

static void on_rearmed(void *arg, const struct redis_result *res)
{
    static const struct redis_reply again = {.kind = REDIS_NIL};
    struct walk *w = arg;
    const struct redis_result ask = {.outcome = REDIS_DONE, .reply = &again};
    done(w, res->outcome == REDIS_DONE ? &ask : res);
}

/* The i-th timer of the page, and whether its state says another moment. */
static bool stale(const struct walk *w, const struct redis_reply *dues, size_t i, int64_t *really,
                  struct str *member)
{
    int64_t due;
    if (redis_due_get(w->page, i, &due, member) != 0 || i >= dues->n ||
        dues->items[i]->kind != REDIS_STRING || dues->items[i]->s.n != STATE_HEAD)
        return false;
    (void)state_blob(dues->items[i]->s, really);
    return *really != due;
}

/* True when there were stale ones: the walk ends with "ask again". */
static bool rearm(struct walk *w, const struct redis_reply *dues)
{
    struct call c;
    struct err err = {0};
    size_t n = redis_due_n(w->page), moved = 0;
    call_begin(&c, w->h, 2, 3 + 2 * n);
    call_meta(&c);
    call_timers(&c);
    call_cursor(&c, &w->at);
    for (size_t i = 0; i < n; i++) {
        int64_t really;
        struct str member;
        if (!stale(w, dues, i, &really, &member))
            continue;
        call_score(&c, really);
        call_arg(&c, member);
        moved++;
    }
    if (moved == 0) {
        arena_free(&c.a);
        return false;
    }
    if (call_send(&c, w->r, "FCALL", "rouse_rearm", w->deadline_ms, on_rearmed, w, &err) != 0)
        cannot(w, &err);
    return true;
}

static bool above(const struct walk *w, int64_t due, struct str member)
{
    if (due != w->q.after_ms)
        return due > w->q.after_ms;
    return str_cmp(member, w->q.after_member) > 0;
}

/* What was asked for of this page. */
static void answer_add(struct walk *w)
{
    for (size_t i = 0; i < redis_due_n(w->page) && w->answer.n < 2 * w->q.n; i++) {
        int64_t due;
        struct str member;
        if (redis_due_get(w->page, i, &due, &member) != 0 || !above(w, due, member))
            continue;
        w->answer.items[w->answer.n++] = w->page->items[2 * i];
        w->answer.items[w->answer.n++] = w->page->items[2 * i + 1];
    }
}

static void on_dues(void *arg, const struct redis_result *res)
{
    struct walk *w = arg;
    if (res->outcome != REDIS_DONE) {
        done(w, res);
        return;
    }
    if (rearm(w, res->reply))
        return;
    struct err err = {0};
    size_t n = redis_due_n(w->page);
    answer_add(w);
    if (w->answer.n < 2 * w->q.n && n == w->page_n) {
        (void)redis_due_get(w->page, n - 1, &w->from_ms, &w->from_member);
        if (page_ask(w, &err) != 0)
            cannot(w, &err);
        return;
    }
    const struct redis_result answer = {.outcome = REDIS_DONE, .reply = &w->answer};
    done(w, &answer);
}

static void on_page(void *arg, const struct redis_result *res)
{
    struct walk *w = arg;
    size_t n = res->outcome == REDIS_DONE ? redis_due_n(res->reply) : 0;
    if (n == 0) {
        const struct redis_result answer = {.outcome = REDIS_DONE, .reply = &w->answer};
        done(w, res->outcome == REDIS_DONE ? &answer : res);
        return;
    }
    struct call c;
    struct err err = {0};
    w->page = reply_copy(w->a, res->reply);
    call_begin(&c, w->h, 1 + n, 3);
    call_meta(&c);
    call_cursor(&c, &w->at);
    for (size_t i = 0; i < n; i++) {
        int64_t due;
        struct str member;
        (void)redis_due_get(w->page, i, &due, &member);
        call_state(&c, member);
    }
    if (call_send(&c, w->r, "FCALL_RO", "rouse_dues", w->deadline_ms, on_dues, w, &err) != 0)
        cannot(w, &err);
}

static int page_ask(struct walk *w, struct err *err)
{
    const struct redis_due q = {
        .after_ms = w->from_ms,
        .after_member = w->from_member,
        .upto_ms = w->q.upto_ms,
        .n = w->page_n,
    };
    return redis_due(w->r, w->h, &w->at, &q, w->deadline_ms, on_page, w, err);
}

int redis_timers(struct redis *r, const struct redis_home *h, const struct redis_cursor *at,
                 const struct redis_due *q, int64_t deadline_ms, redis_fn *fn, void *arg,
                 struct err *err)
{
    struct walk *w = xcalloc(1, sizeof *w);
    *w = (struct walk){.r = r,
                       .h = h,
                       .at = *at,
                       .q = *q,
                       .deadline_ms = deadline_ms,
                       .fn = fn,
                       .arg = arg,
                       .a = arena_new(0),
                       .from_ms = INT64_MIN};
    if (w->q.n > REDIS_MAX_DUE)
        w->q.n = REDIS_MAX_DUE;
    w->q.after_member = arena_str(w->a, q->after_member);
    if (q->whole) {
        w->from_ms = q->after_ms;
        w->from_member = w->q.after_member;
    }
    w->page_n = w->q.n + BELOW < REDIS_MAX_DUE ? w->q.n + BELOW : REDIS_MAX_DUE;
    w->answer = (struct redis_reply){.kind = REDIS_ARRAY};
    w->answer.items = ARENA_ARRAY(w->a, const struct redis_reply *, 2 * (size_t)w->q.n + 1);
    if (page_ask(w, err) == 0)
        return 0;
    arena_free(&w->a);
    free(w);
    return -1;
}
