/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part: a partition as the shell sees it.  It is claimed when the group says that it is ours, folded up
 * to the claim, and run; any surprise goes back to the claim.  What was begun under an older claim of
 * this process is answered first, so that its results stand before the new claim.
 *
 *     away ◄──► wanted ─► claiming ─► running ─► parked
 *                 ▲           │          │
 *                 └───────────┴──────────┘  surprise, lost
 */
#include "dispatcher_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LOST_MS 3000
#define AWAY_MS 1000 /* a broker that does not know the topic, just now */
#define CLAIM_WAIT_MS 2000

const char *const part_state_names[PART_STATES] = {"away", "wanted", "claiming", "running",
                                                   "parked"};

void part_init(struct part *t, struct dispatcher *x, int32_t p)
{
    struct dispatch_conf conf = {.p = (uint32_t)p,
                                 .topology = x->genesis.topology,
                                 .record = x->record,
                                 .gateway = gateways_find,
                                 .arg = x};
    t->x = x;
    t->p = p;
    t->state = PART_AWAY;
    t->d = dispatch_new(&conf);
    t->floor = t->snapshot_off = -1;
    t->first_off = -1;
}

/* Every change of state is made here. */
static void set_state(struct part *t, enum part_state to, const char *why)
{
    if (t->state != to)
        log_debug("partition", "p=%" PRId32 " from=%s to=%s why=%s", t->p,
                  part_state_names[t->state], part_state_names[to], why);
    t->state = to;
}

static void stop_reading(struct part *t)
{
    (void)kafka_fetch_unassign(t->x->fetcher, TOPIC_OUTCOMES, t->p);
    (void)kafka_fetch_unassign(t->x->fetcher, TOPIC_DECISIONS, t->p);
    t->paused = false;
}

static void let_go(struct part *t)
{
    stop_reading(t);
    dispatch_drop(t->d);
    part_effects(t);
    t->floor = t->snapshot_off = -1;
}

void part_again(struct part *t, const char *why, int64_t wait_ms)
{
    if (t->state == PART_AWAY || t->state == PART_WANTED)
        return;
    metric_add(&dispatcher_metrics[DM_AGAIN], why, 1);
    log_info("partition_again", "p=%" PRId32 " why=%s", t->p, why);
    let_go(t);
    t->retry_ms = t->x->mono_ms + wait_ms;
    set_state(t, t->owned ? PART_WANTED : PART_AWAY, why);
}

void part_own(struct part *t, bool ours)
{
    t->owned = ours;
    if (ours && t->state == PART_AWAY) {
        t->from_start = false;
        t->retry_ms = 0;
        set_state(t, PART_WANTED, "assigned");
    } else if (!ours && t->state != PART_AWAY) {
        let_go(t);
        set_state(t, PART_AWAY, "revoked");
    }
}

/* ---- claiming ------------------------------------------------------------------------------------------- */

static void claim(struct part *t, int64_t committed)
{
    struct dispatcher *x = t->x;
    struct err err = {0};
    uint8_t random[16];
    char tok[33];
    t->first_off = t->from_start || committed < 0 ? -1 : committed;
    if (kafka_fetch_assign(x->fetcher, TOPIC_OUTCOMES, t->p,
                           t->first_off < 0 ? KAFKA_BEGINNING : t->first_off, &err)) {
        log_err(LOG_LEVEL_WARN, "assign", &err, "p=%" PRId32, t->p);
        t->retry_ms = x->mono_ms + 1000;
        return;
    }
    service_random(random, sizeof random);
    enc_hex(random, sizeof random, tok);
    t->claims++;
    set_state(t, PART_CLAIMING, "claim");
    metric_add(&dispatcher_metrics[DM_CLAIMS], NULL, 1);
    struct dispatch_now now = dispatcher_now(x);
    dispatch_claim(t->d, tok, committed >= 0, &now);
    part_effects(t);
}

void part_claim_all(struct dispatcher *x)
{
    if (!x->producer || x->draining || x->suspended || x->mono_ms < x->claim_retry_ms)
        return;
    uint32_t n = 0;
    struct kafka_tp *tp = xcalloc(x->genesis.partitions, sizeof *tp);
    for (uint32_t p = 0; p < x->genesis.partitions; p++) {
        struct part *t = &x->parts[p];
        if (t->state == PART_WANTED && t->retry_ms <= x->mono_ms && !dispatch_orphans(t->d))
            tp[n++] = (struct kafka_tp){TOPIC_OUTCOMES, (int32_t)p, -1, {0}};
    }
    struct err err = {0};
    int rc = 0;
    if (n)
        rc = kafka_watch_committed(x->watch, tp, n, CLAIM_WAIT_MS, &err);
    if (rc) {
        log_err(LOG_LEVEL_WARN, "committed_offsets", &err, "n=%" PRIu32, n);
        x->claim_retry_ms = x->mono_ms + 1000;
    }
    for (uint32_t i = 0; i < n && !rc; i++)
        claim(&x->parts[tp[i].partition], tp[i].offset);
    free(tp);
}

/* ---- records ----------------------------------------------------------------------------------------------- */

static void park(struct part *t, const struct err *err)
{
    dispatch_park(t->d, err);
    part_effects(t);
}

/* The place that the group has committed is only a hint. */
static bool bad_hint(struct part *t, const char *why)
{
    if (t->first_off < 0)
        return false;
    log_warn("snapshot_missing", "p=%" PRId32 " offset=%" PRId64 " why=%s", t->p, t->first_off,
             why);
    t->from_start = true;
    part_again(t, "snapshot_missing", 0);
    return true;
}

void part_outcome(struct part *t, const struct kafka_msg *m)
{
    struct dispatcher *x = t->x;
    struct outcome o;
    struct err err = {0};
    if (t->state == PART_AWAY || t->state == PART_WANTED)
        return;
    if (m->err) {
        if (m->err->kind == ERR_AGAIN)
            part_again(t, m->err->code, AWAY_MS);
        else if (!bad_hint(t, m->err->code))
            park(t, m->err);
        return;
    }
    arena_reset(x->arena);
    if (outcome_read(m->value, x->arena, &o, &err)) {
        (void)err_wrap(&err, "rouse.outcomes partition %" PRId32 " offset %" PRId64, t->p,
                       m->offset);
        park(t, &err);
        return;
    }
    if (t->first_off >= 0 && (m->offset != t->first_off || o.kind != OUT_SNAPSHOT)) {
        (void)bad_hint(t, "not_a_snapshot");
        return;
    }
    t->first_off = -1;
    struct dispatch_now now = dispatcher_now(x);
    dispatch_outcome(t->d, m->offset, &o, &now);
    if (o.kind == OUT_RESULT && o.final && t->state == PART_RUNNING) {
        char label[128];
        (void)snprintf(label, sizeof label, STR_FMT "," STR_FMT, STR_ARG(o.gateway),
                       STR_ARG(o.status));
        metric_add(&dispatcher_metrics[DM_FINALS], label, 1);
    }
    part_effects(t);
}

void part_decision(struct part *t, const struct kafka_msg *m)
{
    struct dispatcher *x = t->x;
    struct decision r;
    struct err err = {0};
    if (t->state != PART_RUNNING)
        return;
    if (m->err) {
        if (m->err->kind == ERR_AGAIN)
            part_again(t, m->err->code, AWAY_MS);
        else
            park(t, m->err);
        return;
    }
    arena_reset(x->arena);
    if (decision_read(m->value, x->arena, &r, &err)) {
        (void)err_wrap(&err, "rouse.decisions partition %" PRId32 " offset %" PRId64, t->p,
                       m->offset);
        park(t, &err);
        return;
    }
    struct dispatch_now now = dispatcher_now(x);
    dispatch_decision(t->d, m->offset, m->value, &r, &now);
    part_effects(t);
}

/* ---- effects ------------------------------------------------------------------------------------------------ */

static void release(struct dispatcher *x, struct work *w)
{
    if (!w->busy)
        return;
    w->busy = false;
    x->gateways[w->gw->index].busy--;
}

static void begin_decisions(struct part *t, int64_t off)
{
    struct err err = {0};
    set_state(t, PART_RUNNING, "claimed");
    t->from_start = t->snapshot_waiting = false;
    t->snapshot_ms = t->x->mono_ms;
    log_info("partition_claimed", "p=%" PRId32 " next=%" PRIu64 " off=%" PRId64 " unfinished=%u",
             t->p, dispatch_next(t->d), off, dispatch_pending(t->d));
    dispatcher_chaos(t->x, "claimed");
    if (kafka_fetch_assign(t->x->fetcher, TOPIC_DECISIONS, t->p, off, &err)) {
        log_err(LOG_LEVEL_WARN, "assign", &err, "p=%" PRId32, t->p);
        park(t, &err);
    }
}

static void lost(struct part *t)
{
    log_warn("partition_lost", "p=%" PRId32 " why=%s", t->p, "claimed by another process");
    metric_add(&dispatcher_metrics[DM_LOST], NULL, 1);
    part_again(t, "lost", LOST_MS + (int64_t)(dispatcher_now(t->x).random % LOST_MS));
}

static void parked(struct part *t)
{
    log_err(LOG_LEVEL_ERROR, "partition_parked", dispatch_error(t->d), "p=%" PRId32, t->p);
    (void)kafka_fetch_unassign(t->x->fetcher, TOPIC_DECISIONS, t->p);
    set_state(t, PART_PARKED, "park");
    t->x->gauges_ms = 0; /* tell /healthz now */
}

static void one_effect(struct part *t, const struct effect *e)
{
    struct dispatcher *x = t->x;
    switch (e->kind) {
    case EFFECT_WRITE:
        world_write(x, t->p, &e->o);
        break;
    case EFFECT_QUEUE:
        gateway_push(&x->gateways[e->w->gw->index], e->w);
        break;
    case EFFECT_UNQUEUE:
        gateway_remove(&x->gateways[e->w->gw->index], e->w);
        break;
    case EFFECT_SEND:
        gateway_send(&x->gateways[e->w->gw->index], e->w);
        break;
    case EFFECT_RELEASE:
        release(x, e->w);
        break;
    case EFFECT_DECISIONS:
        begin_decisions(t, e->off);
        break;
    case EFFECT_LOST:
        lost(t);
        break;
    case EFFECT_PARK:
        parked(t);
        break;
    }
}

/* In order.  Doing one may add others (a lost partition lets go of everything): they come after it. */
void part_effects(struct part *t)
{
    size_t n;
    if (t->in_effects)
        return;
    t->in_effects = true;
    (void)dispatch_effects(t->d, &n);
    for (size_t i = 0; i < n; i++) {
        struct effect e = dispatch_effects(t->d, &n)[i];
        one_effect(t, &e);
        (void)dispatch_effects(t->d, &n);
    }
    dispatch_effects_clear(t->d);
    t->in_effects = false;
}

/* ---- a turn -------------------------------------------------------------------------------------------------- */

bool part_snapshot(struct part *t)
{
    struct dispatch_now now = dispatcher_now(t->x);
    if (t->state != PART_RUNNING || !dispatch_snapshot(t->d, &now))
        return false;
    t->snapshot_ms = t->x->mono_ms;
    t->snapshot_waiting = true;
    t->snapshot_seen = dispatch_snapshot_off(t->d);
    metric_add(&dispatcher_metrics[DM_SNAPSHOTS], NULL, 1);
    part_effects(t);
    dispatcher_chaos(t->x, "snapshot");
    return true;
}

static void pause_or_go_on(struct part *t)
{
    const struct dispatcher_conf *c = &t->x->conf;
    uint64_t mine = dispatch_pending(t->d), all = t->x->n_pending;
    bool full = mine >= (uint64_t)c->max_pending || all >= (uint64_t)c->max_queued;
    bool room = mine < (uint64_t)c->max_pending / 10 * 9 && all < (uint64_t)c->max_queued / 10 * 9;
    if (t->paused ? !room : !full)
        return;
    t->paused = !t->paused;
    (void)kafka_fetch_pause(t->x->fetcher, TOPIC_DECISIONS, t->p, t->paused);
}

void part_turn(struct part *t)
{
    struct dispatcher *x = t->x;
    if (t->state != PART_RUNNING)
        return;
    if (dispatch_next_due(t->d) <= x->now_ms && !x->draining) {
        struct dispatch_now now = dispatcher_now(x);
        dispatch_due(t->d, &now);
        part_effects(t);
    }
    pause_or_go_on(t);
    if (t->snapshot_waiting && dispatch_snapshot_off(t->d) == t->snapshot_seen)
        return; /* written, not read back yet */
    t->snapshot_waiting = false;
    if (dispatch_snapshot_off(t->d) < 0 || x->mono_ms - t->snapshot_ms >= x->conf.snapshot_ms ||
        dispatch_since_snapshot(t->d) >= (uint64_t)x->conf.snapshot_records)
        (void)part_snapshot(t);
}
