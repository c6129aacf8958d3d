/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch: phases, rouse.decisions and snapshots of a partition.  Reading decisions tells what is wanted
 * and proves that nothing is missing and nothing was made twice differently (dense seq, chained
 * content).  What was done is read in outcomes.c, what happens to one message is in try.c.
 */
#include "dispatch_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_BODY (4u << 20)

/* ---- effects ---------------------------------------------------------------------------------------- */

struct effect *effect_add(struct dispatch *d, enum effect_kind kind, struct work *w)
{
    if (d->n_effects == d->cap_effects) {
        d->cap_effects = d->cap_effects ? d->cap_effects * 2 : 16;
        d->effects = xrealloc(d->effects, d->cap_effects * sizeof *d->effects);
    }
    struct effect *e = &d->effects[d->n_effects++];
    memset(e, 0, sizeof *e);
    e->kind = kind;
    e->w = w;
    return e;
}

struct outcome *write_add(struct dispatch *d, enum outcome_kind kind, struct work *w,
                          const struct dispatch_now *now)
{
    struct outcome *o = &effect_add(d, EFFECT_WRITE, w)->o;
    o->kind = kind;
    memcpy(o->tok, d->tok, sizeof o->tok);
    o->era = d->era;
    o->at_ms = d->conf.record ? d->last_at_ms : now->ms;
    if (!w)
        return o;
    o->at_ms = d->conf.record ? w->at_ms : now->ms;
    o->seq = w->seq;
    memcpy(o->id, w->id, sizeof o->id);
    o->attempt = w->attempts;
    o->member = w->member;
    o->rule = w->rule;
    o->message = w->message;
    o->gateway = w->gateway;
    return o;
}

const struct effect *dispatch_effects(const struct dispatch *d, size_t *n)
{
    *n = d->n_effects;
    return d->effects;
}

void dispatch_effects_clear(struct dispatch *d)
{
    for (size_t i = 0; i < d->n_effects; i++)
        if (d->effects[i].kind == EFFECT_WRITE && d->effects[i].o.kind == OUT_SNAPSHOT) {
            free((void *)(uintptr_t)d->effects[i].o.incomplete);
            free((void *)(uintptr_t)d->effects[i].o.incomplete_attempts);
            free((void *)(uintptr_t)d->effects[i].o.incomplete_tries);
            free((void *)(uintptr_t)d->effects[i].o.incomplete_state);
        }
    d->n_effects = 0;
    works_dead(d);
}

/* ---- phases ----------------------------------------------------------------------------------------- */

/* Let go of every message: what is in flight stays until its answer, the rest is forgotten.  Parked, we
 * are still the owner: attempts not yet read back are waited for, so that they get their result. */
static void let_go(struct dispatch *d, bool keep_attempts)
{
    for (uint32_t i = 0; i < d->works.cap;) {
        struct work *w = d->works.slot[i];
        if (!w || (keep_attempts && (w->state == WORK_ATTEMPTING || w->state == WORK_FINISHING))) {
            i++;
            continue;
        }
        if (w->state == WORK_QUEUED)
            (void)effect_add(d, EFFECT_UNQUEUE, w);
        if (w->state == WORK_ATTEMPTING)
            (void)effect_add(d, EFFECT_RELEASE, w);
        if (w->state == WORK_INFLIGHT)
            works_orphan(w);
        else
            works_remove(w);
        /* the table closes ranks: what comes next may stand at this place now */
    }
}

void dispatch_set_phase(struct dispatch *d, enum dispatch_phase phase)
{
    d->phase = phase;
    if (phase == DISPATCH_LOST) {
        (void)effect_add(d, EFFECT_LOST, NULL);
        let_go(d, false);
    } else if (phase == DISPATCH_PARKED) {
        (void)effect_add(d, EFFECT_PARK, NULL);
        let_go(d, true);
    } else if (phase == DISPATCH_IDLE) {
        let_go(d, false);
    }
}

void dispatch_park(struct dispatch *d, const struct err *why)
{
    if (d->phase == DISPATCH_PARKED)
        return;
    d->err = *why;
    dispatch_set_phase(d, DISPATCH_PARKED);
}

static void park(struct dispatch *d, const char *code, const char *fmt, ...) BASE_PRINTF(3, 4);

static void park(struct dispatch *d, const char *code, const char *fmt, ...)
{
    struct err err = {0};
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    (void)err_code(&err, ERR_FATAL, code, "%s", text);
    dispatch_park(d, &err);
}

void dispatch_claim(struct dispatch *d, const char *tok, bool must_have_snapshot,
                    const struct dispatch_now *now)
{
    dispatch_set_phase(d, DISPATCH_IDLE);
    err_clear(&d->err);
    memset(d->owner, 0, sizeof d->owner);
    memset(d->tok, 0, sizeof d->tok);
    memcpy(d->tok, tok, strnlen(tok, sizeof d->tok - 1));
    d->begun = d->whole = d->have_snapshot = false;
    d->must_have_snapshot = must_have_snapshot;
    d->era = 0;
    d->next = 0;
    memset(d->chain, 0, sizeof d->chain);
    d->read_off = -1;
    d->start_off = 0;
    d->again = false;
    d->ring_from = 0;
    d->snapshot_off = -1;
    d->since_snapshot = 0;
    d->phase = DISPATCH_FOLDING;
    (void)write_add(d, OUT_CLAIM, NULL, now);
}

void dispatch_drop(struct dispatch *d)
{
    dispatch_set_phase(d, DISPATCH_IDLE);
}

/* Our claim is the newest: everything before it has been folded. */
void dispatch_take_over(struct dispatch *d)
{
    d->phase = DISPATCH_RUNNING;
    if (!d->have_snapshot && (!d->whole || d->must_have_snapshot)) {
        park(d, "outcomes_lost",
             "rouse.outcomes of partition %u holds no snapshot, and %s: what was sent is not known",
             d->conf.p, d->whole ? "there has been one" : "does not begin at offset 0");
        return;
    }
    d->read_off = d->start_off;
    d->ring_from = d->next;
    effect_add(d, EFFECT_DECISIONS, NULL)->off = d->start_off;
}

/* ---- rouse.decisions ------------------------------------------------------------------------------------- */

static uint64_t mark(const uint8_t chain[32])
{
    uint64_t m;
    memcpy(&m, chain, sizeof m);
    return m;
}

/* A decision below `next`: of a message that is not finished and whose content we lack, or a duplicate,
 * which must be the same.  -1 = parked. */
static int read_again(struct dispatch *d, int64_t off, struct str bytes, const struct decision *r,
                      const struct dispatch_now *now)
{
    bool follows = true;
    if (d->again && r->seq == d->again_seq + 1)
        follows = decision_follows(bytes, r, d->conf.topology, d->again_chain) == 1;
    if (r->seq + 1 == d->next)
        follows &= memcmp(r->chain, d->chain, sizeof d->chain) == 0;
    if (r->seq >= d->ring_from && d->next - r->seq <= RING)
        follows &= d->ring[r->seq % RING] == mark(r->chain);
    if (!follows) {
        park(d, "diverged",
             "partition %u: seq %" PRIu64 " at offset %" PRId64 " of rouse.decisions differs from "
             "what was accepted under that number: two histories were decided",
             d->conf.p, r->seq, off);
        return -1;
    }
    d->again = true;
    d->again_seq = r->seq;
    memcpy(d->again_chain, r->chain, sizeof d->again_chain);
    struct work *w = works_get(&d->works, r->seq);
    if (w && w->state == WORK_KNOWN && r->kind == DEC_SEND) {
        works_load(w, off, r);
        try_begin(w, now);
    } else {
        d->stats.duplicates++;
    }
    return 0;
}

static int accept_next(struct dispatch *d, int64_t off, struct str bytes, const struct decision *r,
                       const struct dispatch_now *now)
{
    if (decision_follows(bytes, r, d->conf.topology, d->chain) != 1) {
        park(d, "chain",
             "partition %u: seq %" PRIu64 " (id %s) at offset %" PRId64 " of rouse.decisions does "
             "not follow seq %" PRIu64 ": it or its predecessor was changed or decided twice",
             d->conf.p, r->seq, r->id, off, r->seq ? r->seq - 1 : 0);
        return -1;
    }
    d->next++;
    memcpy(d->chain, r->chain, sizeof d->chain);
    d->ring[r->seq % RING] = mark(r->chain);
    d->again = false;
    if (r->at_ms > d->last_at_ms)
        d->last_at_ms = r->at_ms;
    d->stats.accepted++;
    struct work *w = works_get(&d->works, r->seq);
    if (r->kind != DEC_SEND) { /* done with being read: nothing leaves, nothing is written */
        if (w)
            works_remove(w);
        return 0;
    }
    if (!w)
        w = works_add(d, r->seq);
    works_load(w, off, r);
    try_begin(w, now);
    return 0;
}

void dispatch_decision(struct dispatch *d, int64_t off, struct str bytes, const struct decision *r,
                       const struct dispatch_now *now)
{
    int rc;
    if (d->phase != DISPATCH_RUNNING)
        return;
    if (r->era != d->era) {
        if (r->era < d->era) {
            d->stats.duplicates++;
            d->read_off = off + 1;
            return;
        }
        park(d, "era",
             "partition %u: era %u begins at offset %" PRId64 " of rouse.decisions (ours is %u); a "
             "new era is taken only after the operator's verdict, which is not built yet",
             d->conf.p, r->era, off, d->era);
        return;
    }
    if (r->seq > d->next) {
        park(d, "gap",
             "partition %u: seq %" PRIu64 " to %" PRIu64
             " are missing in rouse.decisions (era %u): "
             "offset %" PRId64 " holds seq %" PRIu64,
             d->conf.p, d->next, r->seq - 1, d->era, off, r->seq);
        return;
    }
    rc = r->seq < d->next ? read_again(d, off, bytes, r, now) : accept_next(d, off, bytes, r, now);
    if (!rc)
        d->read_off = off + 1;
}

/* ---- snapshots ---------------------------------------------------------------------------------------------- */

bool dispatch_snapshot(struct dispatch *d, const struct dispatch_now *now)
{
    if (d->phase != DISPATCH_RUNNING || d->n_known)
        return false;
    uint32_t most = d->n_pending ? d->n_pending : 1, n = 0;
    uint64_t *seqs = xcalloc(most, sizeof *seqs);
    uint32_t *attempts = xcalloc(most, sizeof *attempts), *tries = xcalloc(most, sizeof *tries);
    uint8_t *states = xcalloc(most, sizeof *states);
    for (const struct work *w = d->works.head; w; w = w->next) {
        if (w->state == WORK_FINISHING || w->final)
            continue; /* its final result stands before the snapshot */
        seqs[n] = w->seq;
        attempts[n] = w->attempts;
        tries[n] = w->tries;
        states[n] = (uint8_t)((w->open ? 1 : 0) | (w->ambiguous ? 2 : 0) | (w->once ? 4 : 0));
        n++;
    }
    int64_t off = dispatch_floor(d);
    struct outcome *o = write_add(d, OUT_SNAPSHOT, NULL, now);
    o->next = d->next;
    memcpy(o->chain, d->chain, sizeof o->chain);
    o->decisions_off = off;
    o->incomplete = seqs;
    o->incomplete_attempts = attempts;
    o->incomplete_tries = tries;
    o->incomplete_state = states;
    o->n_incomplete = n;
    return true;
}

/* ---- the rest ------------------------------------------------------------------------------------------------ */

struct dispatch *dispatch_new(const struct dispatch_conf *conf)
{
    struct dispatch *d = xcalloc(1, sizeof *d);
    d->conf = *conf;
    d->read_off = d->snapshot_off = -1;
    works_init(&d->works);
    buf_init(&d->scratch, MAX_BODY);
    return d;
}

void dispatch_free(struct dispatch **dp)
{
    struct dispatch *d = *dp;
    if (!d)
        return;
    let_go(d, false);
    while (d->orphans)
        works_remove(d->orphans);
    dispatch_effects_clear(d);
    works_free(&d->works);
    buf_free(&d->scratch);
    free(d->effects);
    free(d);
    *dp = NULL;
}

uint32_t dispatch_partition(const struct dispatch *d)
{
    return d->conf.p;
}

enum dispatch_phase dispatch_phase(const struct dispatch *d)
{
    return d->phase;
}

const struct err *dispatch_error(const struct dispatch *d)
{
    return &d->err;
}

uint64_t dispatch_next(const struct dispatch *d)
{
    return d->next;
}

int64_t dispatch_floor(const struct dispatch *d)
{
    if (d->phase != DISPATCH_RUNNING)
        return -1;
    if (d->n_known)
        return d->start_off;
    return d->works.head ? d->works.head->off : d->read_off;
}

int64_t dispatch_snapshot_off(const struct dispatch *d)
{
    return d->snapshot_off;
}

uint64_t dispatch_since_snapshot(const struct dispatch *d)
{
    return d->since_snapshot;
}

uint32_t dispatch_pending(const struct dispatch *d)
{
    return d->n_pending + d->n_known;
}

uint32_t dispatch_orphans(const struct dispatch *d)
{
    return d->n_orphans;
}

bool dispatch_caught_up(const struct dispatch *d)
{
    return d->phase == DISPATCH_RUNNING && !d->n_known;
}

const struct dispatch_stats *dispatch_stats(const struct dispatch *d)
{
    return &d->stats;
}
