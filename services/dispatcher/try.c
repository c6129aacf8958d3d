/* SPDX-License-Identifier: Apache-2.0 */
/*
 * try: what happens to one message between its decision and its final result.  Everything that ends an
 * attempt passes through settle(), everything that ends a message through finish().
 *
 * Two clocks.  Timers always run on the host's; what is *judged* (expiry, quiet hours) and what is
 * *recorded* is the time of the decision in hand where genesis says `record`: there nothing expires,
 * an answer is followed by the next try at once, and a gateway without a connection costs no try.
 */
#include "dispatch_priv.h"

#define THROTTLE_MS                                                                                \
    (5 * TIME_SEC) /* message waits at least; the gateway's own pause is the shell's */

static int64_t clock_of(const struct work *w, const struct dispatch_now *now)
{
    return w->d->conf.record ? w->at_ms : now->ms;
}

static const struct webhook_schedule *schedule_of(const struct work *w)
{
    return w->gw && w->gw->schedule ? w->gw->schedule : webhook_schedule_for(w->purpose);
}

bool try_counts(const struct dispatch *d, struct str result_class, bool sent)
{
    if (str_eqc(result_class, "ambiguous"))
        return true;
    if (str_eqc(result_class, "retry"))
        return sent || !d->conf.record;
    return d->conf.record &&
           (str_eqc(result_class, "throttle") || str_eqc(result_class, "account_stop"));
}

/* ---- waiting and queueing ------------------------------------------------------------------------------ */

/* In the queue a message is still watched for its expiry: a gateway that never has room must not keep
 * it beyond. */
static void queue(struct work *w)
{
    w->state = WORK_QUEUED;
    works_due(w, w->d->conf.record || w->expire_ms <= 0 ? TIME_NEVER : w->expire_ms);
    (void)effect_add(w->d, EFFECT_QUEUE, w);
}

/* No gateway of that name: only its expiry can end it. */
static void wait_until(struct work *w, int64_t due_ms, const struct dispatch_now *now)
{
    bool record = w->d->conf.record;
    if (!record && w->expire_ms > 0 && due_ms > w->expire_ms)
        due_ms = w->expire_ms;
    if (!w->gw) {
        w->state = WORK_WAITING;
        works_due(w, record || w->expire_ms <= 0 ? TIME_NEVER : w->expire_ms);
    } else if (due_ms <= now->ms || record) {
        queue(w);
    } else {
        w->state = WORK_WAITING;
        works_due(w, due_ms);
    }
}

/* ---- results --------------------------------------------------------------------------------------------- */

static struct outcome *result(struct work *w, const char *cls, const char *code, bool sent,
                              const struct dispatch_now *now)
{
    struct outcome *o = write_add(w->d, OUT_RESULT, w, now);
    o->result_class = str_c(cls);
    o->code = str_c(code);
    o->sent = sent;
    w->open = false;
    return o;
}

/* The last word about a message.  What may have arrived is never called failed. */
static void finish(struct work *w, struct outcome *o, const char *status)
{
    if (w->ambiguous && strcmp(status, "sent") != 0)
        status = "ambiguous";
    o->status = str_c(status);
    o->final = true;
    if (strcmp(status, "ambiguous") == 0)
        w->d->stats.ambiguous++;
    if (w->final || w->state == WORK_ORPHAN) { /* nobody waits for the word to come back */
        works_remove(w);
        return;
    }
    works_due(w, TIME_NEVER);
    w->state = WORK_FINISHING;
}

/* Another try after `after_ms` at least, or the end. */
static void again(struct work *w, struct outcome *o, int64_t after_ms,
                  const struct dispatch_now *now)
{
    int64_t wait = webhook_retry_wait(schedule_of(w), w->tries, now->random);
    if (wait < 0) {
        finish(w, o, "failed");
        return;
    }
    int64_t left = w->expire_ms > 0 ? w->expire_ms - now->ms : TIME_DAY;
    wait = webhook_retry_clamp(after_ms, wait, left > 0 ? left : 0);
    wait_until(w, now->ms + wait, now);
}

static void on_ambiguous(struct work *w, struct outcome *o, const struct dispatch_now *now)
{
    const struct dispatch_gateway *g = w->gw;
    bool was = w->ambiguous;
    w->ambiguous = true;
    if (!g || g->ambiguous == WEBHOOK_AMB_FAIL) {
        finish(w, o, "ambiguous");
    } else if (g->ambiguous == WEBHOOK_AMB_RETRY) {
        w->once = true;
        again(w, o, 0, now);
    } else if (was && w->once) {
        finish(w, o, "ambiguous");
    } else if (!w->d->conf.record) {
        w->state = WORK_RECONCILING;
        works_due(w, now->ms + g->reconcile_ms);
    } else if (g->retry_once) {
        w->once = true;
        queue(w);
    } else {
        finish(w, o, "ambiguous");
    }
}

/* Of an attempt whose process had lost the partition: said, but nothing is planned. */
static void settle_orphan(struct work *w, struct outcome *o, enum webhook_class cls)
{
    if (cls == WEBHOOK_OK || cls == WEBHOOK_DUPLICATE_OK)
        finish(w, o, "sent");
    else if (cls == WEBHOOK_PERMANENT_RECIPIENT || cls == WEBHOOK_PERMANENT_CONTENT)
        finish(w, o, "failed");
    else if (cls == WEBHOOK_AMBIGUOUS && w->gw && w->gw->ambiguous == WEBHOOK_AMB_FAIL)
        finish(w, o, "ambiguous");
    else
        works_remove(w);
}

static void settle(struct work *w, struct outcome *o, const struct webhook_verdict *v,
                   const struct dispatch_now *now)
{
    switch (v->cls) {
    case WEBHOOK_OK:
    case WEBHOOK_DUPLICATE_OK:
        finish(w, o, "sent");
        break;
    case WEBHOOK_PERMANENT_RECIPIENT:
    case WEBHOOK_PERMANENT_CONTENT:
        finish(w, o, "failed");
        break;
    case WEBHOOK_DEFER: /* the gateway's own quiet hours: the fold decides again */
        finish(w, o, "returned");
        break;
    case WEBHOOK_AMBIGUOUS:
        on_ambiguous(w, o, now);
        break;
    case WEBHOOK_THROTTLE:
        if (w->d->conf.record)
            again(w, o, 0, now);
        else
            wait_until(w, now->ms + (v->after_ms > THROTTLE_MS ? v->after_ms : THROTTLE_MS), now);
        break;
    case WEBHOOK_RETRY:
    case WEBHOOK_TOKEN_REFRESH:
        if (w->once && w->gw && w->gw->ambiguous == WEBHOOK_AMB_RECONCILE)
            finish(w, o, "failed"); /* `retry_once` was this one */
        else
            again(w, o, v->after_ms, now);
        break;
    case WEBHOOK_ACCOUNT_STOP: /* the gateway pauses; the message keeps its place */
        if (w->d->conf.record)
            again(w, o, 0, now);
        else
            queue(w);
        break;
    }
}

void dispatch_answer(struct work *w, const struct webhook_verdict *v, bool sent,
                     const struct dispatch_now *now)
{
    struct dispatch *d = w->d;
    const char *cls = webhook_class_name(v->cls);
    bool orphan = w->state == WORK_ORPHAN;
    (void)effect_add(d, EFFECT_RELEASE, w);
    struct outcome *o = result(w, cls, "", sent, now);
    memcpy(w->code, v->code, sizeof w->code);
    o->code = str_c(w->code);
    w->tries += try_counts(d, str_c(cls), sent);
    if (orphan)
        settle_orphan(w, o, v->cls);
    else if (w->final && v->cls != WEBHOOK_OK && v->cls != WEBHOOK_DUPLICATE_OK)
        works_remove(w); /* another's word stands already, and this is no better */
    else
        settle(w, o, v, now);
}

/* ---- attempts -------------------------------------------------------------------------------------------- */

void dispatch_try(struct work *w, const struct dispatch_now *now)
{
    works_due(w, TIME_NEVER);
    w->state = WORK_ATTEMPTING;
    w->attempts++;
    w->open = true;
    w->once |= w->ambiguous;
    (void)write_add(w->d, OUT_ATTEMPT, w, now);
}

/* Is it quiet now, by the policy's hours that the decision carries?  Half-open, may pass midnight. */
static bool quiet(const struct work *w, int64_t ms)
{
    if (w->quiet_from < 0 || w->quiet_to < 0 || w->quiet_from == w->quiet_to)
        return false;
    int64_t s = ms / 1000 + w->utc_off_s;
    int32_t minute = (int32_t)(((s % 86400 + 86400) % 86400) / 60);
    if (w->quiet_from < w->quiet_to)
        return minute >= w->quiet_from && minute < w->quiet_to;
    return minute >= w->quiet_from || minute < w->quiet_to;
}

/* The attempt stands in the log under our claim.  Now, and only now, bytes may leave; or it is seen that
 * none should. */
void try_read_back(struct work *w, const struct dispatch_now *now)
{
    struct dispatch *d = w->d;
    int64_t at = clock_of(w, now);
    if (d->phase != DISPATCH_RUNNING || w->final) {
        (void)effect_add(d, EFFECT_RELEASE, w);
        (void)result(w, "suppressed", w->final ? "finished" : "parked", false, now);
        works_remove(w);
    } else if (w->expire_ms > 0 && at >= w->expire_ms) {
        d->stats.expired++;
        (void)effect_add(d, EFFECT_RELEASE, w);
        finish(w, result(w, "expired", "", false, now), "expired");
    } else if (quiet(w, at)) {
        d->stats.returned++;
        (void)effect_add(d, EFFECT_RELEASE, w);
        finish(w, result(w, "returned", "quiet", false, now), "returned");
    } else {
        d->stats.sends++;
        w->state = WORK_INFLIGHT;
        (void)effect_add(d, EFFECT_SEND, w);
    }
}

/* ---- beginnings ------------------------------------------------------------------------------------------- */

/* Found open when we took over: bytes may have left. */
static void begin_open(struct work *w, const struct dispatch_now *now)
{
    if (w->d->conf.record) { /* sent again under the same id, as if the crash had not been */
        w->open = false;
        wait_until(w, now->ms, now);
        return;
    }
    struct outcome *o = result(w, "ambiguous", "takeover", true, now);
    w->tries++;
    on_ambiguous(w, o, now);
}

/* Ambiguous, and closed by who had it before: what does the policy still allow? */
static void begin_ambiguous(struct work *w, const struct dispatch_now *now)
{
    const struct dispatch_gateway *g = w->gw;
    if (g->ambiguous == WEBHOOK_AMB_RECONCILE && !w->once) {
        w->state = WORK_RECONCILING; /* the wait begins anew */
        works_due(w, now->ms + g->reconcile_ms);
    } else {
        finish(w, result(w, "ambiguous", "takeover", true, now), "ambiguous");
    }
}

void try_begin(struct work *w, const struct dispatch_now *now)
{
    struct dispatch *d = w->d;
    if (w->final) {
        d->stats.finals++;
        works_remove(w);
    } else if (w->open) {
        begin_open(w, now);
    } else if (w->ambiguous && w->gw && w->gw->ambiguous != WEBHOOK_AMB_RETRY && !d->conf.record) {
        begin_ambiguous(w, now);
    } else {
        int64_t wait = w->tries ? webhook_retry_wait(schedule_of(w), w->tries, now->random) : 0;
        wait_until(w, now->ms + (wait > 0 ? wait : 0), now);
    }
}

static void due_one(struct work *w, const struct dispatch_now *now)
{
    const struct dispatch_gateway *g = w->gw;
    bool expired = w->expire_ms > 0 && now->ms >= w->expire_ms;
    if (w->state == WORK_RECONCILING && g && g->retry_once && !expired) {
        w->once = true;
        queue(w);
    } else if (w->state == WORK_RECONCILING) {
        finish(w, result(w, "ambiguous", "no_report", true, now), "ambiguous");
    } else if (w->state == WORK_WAITING && !expired) {
        queue(w);
    } else { /* expired: an attempt that will end without a byte */
        if (w->state == WORK_QUEUED)
            (void)effect_add(w->d, EFFECT_UNQUEUE, w);
        dispatch_try(w, now);
    }
}

void dispatch_due(struct dispatch *d, const struct dispatch_now *now)
{
    struct work *w;
    while ((w = heap_top(d->works.due)) && w->due_ms <= now->ms) {
        works_due(w, TIME_NEVER);
        due_one(w, now);
    }
}

int64_t dispatch_next_due(const struct dispatch *d)
{
    const struct work *w = heap_top(d->works.due);
    return w ? w->due_ms : TIME_NEVER;
}
