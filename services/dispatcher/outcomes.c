/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcomes: the fold over rouse.outcomes, which tells who owns a partition and what was done.  It is the
 * same before a claim (what did the others do?) and after it (what of mine counts?).
 */
#include "dispatch_priv.h"

#include <stdlib.h>

static void on_claim(struct dispatch *d, const struct outcome *o)
{
    memcpy(d->owner, o->tok, sizeof d->owner);
    bool ours = strcmp(o->tok, d->tok) == 0;
    if (d->phase == DISPATCH_FOLDING && ours)
        dispatch_take_over(d);
    else if (!ours && (d->phase == DISPATCH_RUNNING || d->phase == DISPATCH_PARKED))
        dispatch_set_phase(d, DISPATCH_LOST);
}

/* Attempts and snapshots count only under the newest claim.  Where the log begins later than the claim
 * (retention), the first that comes is taken to stand under it. */
static bool valid(struct dispatch *d, const struct outcome *o)
{
    if (!d->owner[0])
        memcpy(d->owner, o->tok, sizeof d->owner);
    return strcmp(d->owner, o->tok) == 0;
}

/* The message that a record speaks of; while folding one that was not known begins here, but below a
 * snapshot what is not known is finished. */
static struct work *spoken_of(struct dispatch *d, uint64_t seq)
{
    struct work *w = works_get(&d->works, seq);
    if (!w && d->phase == DISPATCH_FOLDING && !(d->have_snapshot && seq < d->next))
        w = works_add(d, seq);
    return w;
}

static void on_attempt(struct dispatch *d, const struct outcome *o, const struct dispatch_now *now)
{
    if (!valid(d, o)) {
        d->stats.invalid_attempts++;
        return;
    }
    struct work *w = spoken_of(d, o->seq);
    if (w && w->state == WORK_KNOWN) {
        w->once |= w->ambiguous;
        if (o->attempt > w->attempts)
            w->attempts = o->attempt;
        w->open = true;
    } else if (w && w->state == WORK_ATTEMPTING && w->attempts == o->attempt) {
        try_read_back(w, now);
    }
}

/* A final result of somebody stands in the log: ours, or a late one of who had the partition before. */
static void finished(struct work *w)
{
    struct dispatch *d = w->d;
    w->final = true;
    if (w->state == WORK_KNOWN || w->state == WORK_ATTEMPTING || w->state == WORK_INFLIGHT)
        return; /* until its decision, its attempt, its answer has come */
    d->stats.finals++;
    if (w->state == WORK_QUEUED)
        (void)effect_add(d, EFFECT_UNQUEUE, w);
    works_remove(w);
}

void dispatch_acknowledged(struct dispatch *d, uint64_t seq)
{
    struct work *w = works_get(&d->works, seq);
    if (w && w->state == WORK_FINISHING)
        finished(w);
}

static void on_result(struct dispatch *d, const struct outcome *o)
{
    struct work *w = spoken_of(d, o->seq);
    if (!w)
        return; /* finished before: a later result only upgrades what the member's log says */
    if (w->state == WORK_KNOWN) {
        if (o->attempt > w->attempts)
            w->attempts = o->attempt;
        if (o->attempt == w->attempts)
            w->open = false;
        w->ambiguous |= str_eqc(o->result_class, "ambiguous");
        w->tries += try_counts(d, o->result_class, o->sent);
    }
    if (o->final)
        finished(w);
}

static bool listed(const struct outcome *o, uint64_t seq, uint32_t *at)
{
    while (*at < o->n_incomplete && o->incomplete[*at] < seq)
        (*at)++;
    return *at < o->n_incomplete && o->incomplete[*at] == seq;
}

static int by_seq(const void *a, const void *b)
{
    const struct work *const *x = a, *const *y = b;
    return (*x)->seq < (*y)->seq ? -1 : (*x)->seq > (*y)->seq;
}

/* What was known of messages below the snapshot and is not in it is finished. */
static void forget_finished(struct dispatch *d, const struct outcome *o)
{
    uint32_t n = 0, at = 0;
    struct work **all = xcalloc(d->works.n + 1, sizeof(struct work *));
    for (uint32_t i = 0; i < d->works.cap; i++)
        if (d->works.slot[i])
            all[n++] = d->works.slot[i];
    qsort(all, n, sizeof all[0], by_seq);
    for (uint32_t i = 0; i < n && all[i]->seq < o->next; i++)
        if (!listed(o, all[i]->seq, &at))
            works_remove(all[i]);
    free(all);
}

static void adopt_snapshot(struct dispatch *d, const struct outcome *o)
{
    forget_finished(d, o);
    for (uint32_t i = 0; i < o->n_incomplete; i++) {
        struct work *w = works_get(&d->works, o->incomplete[i]);
        if (!w)
            w = works_add(d, o->incomplete[i]);
        if (w->final)
            continue; /* a late result that the snapshot's writer had not read yet */
        w->attempts = o->incomplete_attempts[i];
        w->tries = o->incomplete_tries[i];
        w->open = o->incomplete_state[i] & 1;
        w->ambiguous = o->incomplete_state[i] & 2;
        w->once = o->incomplete_state[i] & 4;
    }
    d->era = o->era;
    d->next = o->next;
    memcpy(d->chain, o->chain, sizeof d->chain);
    d->start_off = o->decisions_off;
    d->have_snapshot = true;
}

static void on_snapshot(struct dispatch *d, int64_t off, const struct outcome *o)
{
    if (!valid(d, o))
        return;
    if (d->phase == DISPATCH_FOLDING)
        adopt_snapshot(d, o);
    d->snapshot_off = off;
    d->since_snapshot = 0;
}

void dispatch_outcome(struct dispatch *d, int64_t off, const struct outcome *o,
                      const struct dispatch_now *now)
{
    if (d->phase == DISPATCH_IDLE)
        return;
    if (!d->begun)
        d->whole = off == 0;
    d->begun = true;
    d->since_snapshot++;
    switch (o->kind) {
    case OUT_CLAIM:
        on_claim(d, o);
        break;
    case OUT_ATTEMPT:
        on_attempt(d, o, now);
        break;
    case OUT_RESULT:
        on_result(d, o);
        break;
    case OUT_SNAPSHOT:
        on_snapshot(d, off, o);
        break;
    }
}
