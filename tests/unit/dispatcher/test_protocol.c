/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol under random schedules: one partition's two topics in memory, three dispatchers that
 * read and write them at their own pace, crash, freeze and take over, and a gateway that keeps a
 * ledger.  All driven by one seed, so that a schedule that breaks a promise can be run again.
 *
 * The promises: one attempt is sent at most once; at-most-once adapters apply a message at most once;
 * after everything settled each accepted send has a first final result, a message that the gateway
 * never applied is not called sent, and one that it may have applied is not called failed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dispatch.h"

#define TOPOLOGY 0x726f7573u
#define MAX_LOG 40000
#define MAX_DECISIONS 200
#define WORKERS 3

enum fate { /* of a message at the gateway: a function of the message */
            FATE_OK,
            FATE_REFUSED_ONCE,   /* 503, then ok */
            FATE_UNREACHABLE,    /* no connection twice, then ok */
            FATE_LOST_ANSWER,    /* applied, and the first answer is lost */
            FATE_LOST_REQUEST,   /* the first is not applied, and no answer comes */
            FATE_NO_SUCH_MEMBER, /* permanent */
            FATE_N,
};

struct rec {
    char *p;
    size_t n;
};
struct flight {
    struct work *w;
    struct flight *next;
};
struct worker {
    struct dispatch *d;
    char tok[33];
    int64_t out_pos, dec_pos; /* next offset to read; dec_pos -1: not reading */
    struct rec queue[4096];   /* produced and not yet in the log */
    size_t from, to;
    struct work *ready[4096];
    size_t n_ready;
    struct flight *flights;
};
struct ledger { /* what the gateway and the log saw of one seq */
    uint32_t applied, sends, finals;
    uint64_t sent_attempts; /* bit n: attempt n was sent */
    uint64_t valid;         /* bit n: attempt n stood under the newest claim */
    bool listed;            /* as ambiguous, in any result */
    char status[16];        /* of the first final result */
};
struct sim {
    uint64_t rng;
    int64_t now_ms;
    struct dispatch_gateway gw;
    struct dispatch_conf conf;
    struct rec outcomes[MAX_LOG], decisions[MAX_DECISIONS * 4];
    size_t n_outcomes, n_decisions;
    int64_t committed; /* offset of the newest committed snapshot, -1 = none */
    int64_t floor;     /* committed offset of decisions */
    uint64_t n_seqs;
    uint8_t chain[32];
    enum fate fate[MAX_DECISIONS];
    bool is_send[MAX_DECISIONS];
    struct ledger led[MAX_DECISIONS];
    struct worker w[WORKERS];
    const char *broken; /* the first broken promise */
};

static uint32_t rnd(struct sim *s, uint32_t below)
{
    s->rng ^= s->rng << 13;
    s->rng ^= s->rng >> 7;
    s->rng ^= s->rng << 17;
    return (uint32_t)((s->rng >> 11) % below);
}

static const struct dispatch_gateway *gateway(void *arg, struct str name)
{
    struct sim *s = arg;
    return str_eqc(name, "sms") ? &s->gw : NULL;
}

static struct dispatch_now now(struct sim *s)
{
    return (struct dispatch_now){s->now_ms, rnd(s, UINT32_MAX)};
}

static void append(struct rec *log, size_t *n, size_t max, struct str bytes)
{
    assert_true(*n < max);
    log[*n].p = xmemdup0(bytes.p, bytes.n);
    log[(*n)++].n = bytes.n;
}

static void decide(struct sim *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct buf b;
        char name[32];
        uint64_t seq = s->n_seqs;
        bool send = rnd(s, 5) > 0;
        (void)snprintf(name, sizeof name, "m%u", (unsigned)seq);
        struct decision d = {.kind = send ? DEC_SEND : DEC_WITHHOLD,
                             .seq = seq,
                             .at_ms = s->now_ms,
                             .member = str_c(name),
                             .rule = STR("welcome"),
                             .message = STR("hello"),
                             .gateway = STR("sms"),
                             .to = STR("13800000000"),
                             .purpose = STR("service"),
                             .quiet_from = -1,
                             .quiet_to = -1};
        d.expire_ms = s->now_ms + 90 * TIME_DAY;
        d.reason = send ? STR("") : STR("limit");
        buf_init(&b, 65536);
        decision_write(&d, TOPOLOGY, s->chain, &b);
        s->fate[seq] = (enum fate)rnd(s, FATE_N);
        s->is_send[seq] = send;
        append(s->decisions, &s->n_decisions, BASE_LEN(s->decisions), buf_str(&b));
        buf_free(&b);
        s->n_seqs++;
    }
    /* an engine that crashed before its commit writes the last ones again */
    size_t back = rnd(s, 4), end = s->n_decisions;
    for (size_t i = end - (back < end ? back : end); back && i < end; i++)
        append(s->decisions, &s->n_decisions, BASE_LEN(s->decisions),
               (struct str){s->decisions[i].p, s->decisions[i].n});
}

/* ---- a dispatcher's shell ------------------------------------------------------------------------- */

static void read_decisions(struct worker *w, int64_t off)
{
    w->dec_pos = off < 0 ? 0 : off;
}

static void unready(struct worker *w, const struct work *x)
{
    for (size_t i = 0; i < w->n_ready; i++)
        if (w->ready[i] == x) {
            memmove(w->ready + i, w->ready + i + 1, (w->n_ready - i - 1) * sizeof x);
            w->n_ready--;
            return;
        }
}

static void note_send(struct sim *s, const struct work *x)
{
    struct ledger *l = &s->led[x->seq];
    l->sends++;
    if (x->attempts < 64 && l->sent_attempts & UINT64_C(1) << x->attempts)
        s->broken = "one attempt was sent twice";
    if (x->attempts < 64)
        l->sent_attempts |= UINT64_C(1) << x->attempts;
    if (!s->is_send[x->seq])
        s->broken = "a decision that is no send was sent";
}

static void effects(struct sim *s, struct worker *w)
{
    size_t n;
    const struct effect *e = dispatch_effects(w->d, &n);
    for (size_t i = 0; i < n; i++) {
        struct buf b;
        switch (e[i].kind) {
        case EFFECT_WRITE:
            buf_init(&b, 1u << 20);
            outcome_write(&e[i].o, &b);
            assert_true(w->to < BASE_LEN(w->queue));
            w->queue[w->to].p = xmemdup0(b.p, b.n);
            w->queue[w->to++].n = b.n;
            buf_free(&b);
            break;
        case EFFECT_QUEUE:
            assert_true(w->n_ready < BASE_LEN(w->ready));
            w->ready[w->n_ready++] = e[i].w;
            break;
        case EFFECT_UNQUEUE:
            unready(w, e[i].w);
            break;
        case EFFECT_SEND: {
            struct flight *f = xcalloc(1, sizeof *f);
            f->w = e[i].w;
            f->next = w->flights;
            w->flights = f;
            note_send(s, e[i].w);
            break;
        }
        case EFFECT_DECISIONS:
            read_decisions(w, e[i].off);
            break;
        case EFFECT_PARK:
            if (!s->broken)
                s->broken = "parked";
            break;
        case EFFECT_RELEASE:
        case EFFECT_LOST:
            break;
        }
    }
    dispatch_effects_clear(w->d);
}

/* The broker has said that it took a final result, and the process hears it before it reads it back. */
static void acknowledge(struct worker *w, const struct rec *r)
{
    struct outcome o;
    struct arena *a = arena_new(0);
    assert_int_equal(outcome_read((struct str){r->p, r->n}, a, &o, NULL), 0);
    if (o.kind == OUT_RESULT && o.final && !strcmp(o.tok, w->tok))
        dispatch_acknowledged(w->d, o.seq);
    arena_free(&a);
}

static void drain_queue(struct sim *s, struct worker *w, size_t most)
{
    while (w->from < w->to && most--) {
        struct rec *r = &w->queue[w->from++];
        append(s->outcomes, &s->n_outcomes, MAX_LOG, (struct str){r->p, r->n});
        if (rnd(s, 2))
            acknowledge(w, r);
        free(r->p);
    }
    effects(s, w);
    if (w->from == w->to)
        w->from = w->to = 0;
}

static void claim(struct sim *s, struct worker *w)
{
    struct dispatch_now t = now(s);
    if (dispatch_orphans(w->d))
        return; /* as the service does: first the answers */
    (void)snprintf(w->tok, sizeof w->tok, "%08x%08x%08x%08x", rnd(s, UINT32_MAX),
                   rnd(s, UINT32_MAX), rnd(s, UINT32_MAX), rnd(s, UINT32_MAX));
    w->out_pos = s->committed < 0 ? 0 : s->committed;
    w->dec_pos = -1;
    dispatch_claim(w->d, w->tok, s->committed >= 0, &t);
    effects(s, w);
}

/* The gateway's side of a request; `lost`: no answer reaches the sender. */
static struct webhook_verdict serve(struct sim *s, uint64_t seq, bool *sent)
{
    struct ledger *l = &s->led[seq];
    struct webhook_verdict v = {.cls = WEBHOOK_OK};
    *sent = true;
    switch (s->fate[seq]) {
    case FATE_REFUSED_ONCE:
        if (l->sends == 1)
            v.cls = WEBHOOK_RETRY;
        break;
    case FATE_UNREACHABLE:
        if (l->sends <= 2) {
            v.cls = WEBHOOK_RETRY;
            *sent = false;
        }
        break;
    case FATE_LOST_ANSWER:
        if (l->sends == 1) {
            l->applied++;
            v.cls = WEBHOOK_AMBIGUOUS;
        }
        break;
    case FATE_LOST_REQUEST:
        if (l->sends == 1)
            v.cls = WEBHOOK_AMBIGUOUS;
        break;
    case FATE_NO_SUCH_MEMBER:
        v.cls = WEBHOOK_PERMANENT_RECIPIENT;
        break;
    case FATE_OK:
    case FATE_N:
        break;
    }
    if (v.cls == WEBHOOK_OK)
        l->applied++;
    return v;
}

static void answer_one(struct sim *s, struct worker *w)
{
    struct flight **at = &w->flights;
    for (uint32_t skip = rnd(s, 3); skip && (*at)->next; skip--)
        at = &(*at)->next;
    struct flight *f = *at;
    *at = f->next;
    struct dispatch_now t = now(s);
    bool sent;
    struct webhook_verdict v = serve(s, f->w->seq, &sent);
    dispatch_answer(f->w, &v, sent, &t);
    free(f);
    effects(s, w);
}

/* The process is gone.  Of what it had produced some reached the broker, of what it was sending some
 * the gateway. */
static void crash(struct sim *s, struct worker *w)
{
    drain_queue(s, w, rnd(s, (uint32_t)(w->to - w->from) + 1));
    while (w->from < w->to)
        free(w->queue[w->from++].p);
    w->from = w->to = w->n_ready = 0;
    while (w->flights) {
        struct flight *f = w->flights;
        bool sent;
        if (rnd(s, 2))
            (void)serve(s, f->w->seq, &sent);
        w->flights = f->next;
        free(f);
    }
    dispatch_free(&w->d);
    w->d = dispatch_new(&s->conf);
    w->out_pos = 0;
    w->dec_pos = -1;
}

static bool read_outcome(struct sim *s, struct worker *w)
{
    struct outcome o;
    struct err err = {0};
    struct dispatch_now t = now(s);
    if (dispatch_phase(w->d) == DISPATCH_IDLE || w->out_pos >= (int64_t)s->n_outcomes)
        return false;
    struct rec *r = &s->outcomes[w->out_pos];
    struct arena *a = arena_new(0);
    assert_int_equal(outcome_read((struct str){r->p, r->n}, a, &o, &err), 0);
    dispatch_outcome(w->d, w->out_pos++, &o, &t);
    arena_free(&a);
    effects(s, w);
    return true;
}

static bool read_decision(struct sim *s, struct worker *w)
{
    struct decision r;
    struct err err = {0};
    struct dispatch_now t = now(s);
    if (w->dec_pos < 0 || w->dec_pos >= (int64_t)s->n_decisions ||
        dispatch_phase(w->d) != DISPATCH_RUNNING)
        return false;
    struct rec *b = &s->decisions[w->dec_pos];
    struct arena *a = arena_new(0);
    assert_int_equal(decision_read((struct str){b->p, b->n}, a, &r, &err), 0);
    dispatch_decision(w->d, w->dec_pos++, (struct str){b->p, b->n}, &r, &t);
    arena_free(&a);
    effects(s, w);
    return true;
}

static bool try_one(struct sim *s, struct worker *w)
{
    struct dispatch_now t = now(s);
    if (!w->n_ready)
        return false;
    struct work *x = w->ready[0];
    unready(w, x);
    dispatch_try(x, &t);
    effects(s, w);
    return true;
}

static void commit(struct sim *s, struct worker *w)
{
    if (dispatch_snapshot_off(w->d) > s->committed)
        s->committed = dispatch_snapshot_off(w->d);
    if (dispatch_floor(w->d) > s->floor)
        s->floor = dispatch_floor(w->d);
}

static void timers(struct sim *s, struct worker *w)
{
    struct dispatch_now t = now(s);
    dispatch_due(w->d, &t);
    effects(s, w);
}

static void snapshot(struct sim *s, struct worker *w)
{
    struct dispatch_now t = now(s);
    (void)dispatch_snapshot(w->d, &t);
    effects(s, w);
}

static void step(struct sim *s, struct worker *w)
{
    uint32_t k = rnd(s, 100);
    if (k < 30)
        (void)read_outcome(s, w);
    else if (k < 50)
        (void)read_decision(s, w);
    else if (k < 65)
        drain_queue(s, w, 1 + rnd(s, 4));
    else if (k < 75)
        (void)try_one(s, w);
    else if (k < 85 && w->flights)
        answer_one(s, w);
    else if (k < 90)
        timers(s, w);
    else if (k < 93)
        commit(s, w);
    else if (k < 95)
        snapshot(s, w);
    else if (k < 96)
        crash(s, w);
    else if (k < 97)
        claim(s, w);
    else
        s->now_ms += rnd(s, 5000);
}

/* Alone in the world, until nothing is left to do. */
static void settle(struct sim *s, struct worker *w)
{
    while (w->flights)
        answer_one(s, w);
    claim(s, w);
    for (int rounds = 0; rounds < 2000; rounds++) {
        drain_queue(s, w, SIZE_MAX);
        while (read_outcome(s, w) || read_decision(s, w) || try_one(s, w))
            drain_queue(s, w, SIZE_MAX);
        if (w->flights)
            answer_one(s, w);
        else if (dispatch_next_due(w->d) != TIME_NEVER)
            s->now_ms = dispatch_next_due(w->d);
        else if (dispatch_caught_up(w->d) && w->dec_pos == (int64_t)s->n_decisions)
            break;
        timers(s, w);
    }
    assert_int_equal(dispatch_pending(w->d), 0);
    commit(s, w);
}

/* ---- the judge -------------------------------------------------------------------------------------- */

static void read_ledger(struct sim *s)
{
    struct arena *a = arena_new(0);
    char owner[33] = "";
    for (size_t i = 0; i < s->n_outcomes; i++) {
        struct outcome o;
        assert_int_equal(
            outcome_read((struct str){s->outcomes[i].p, s->outcomes[i].n}, a, &o, NULL), 0);
        struct ledger *l = &s->led[o.seq];
        if (o.kind == OUT_CLAIM)
            memcpy(owner, o.tok, sizeof owner);
        if (o.kind == OUT_ATTEMPT && !strcmp(owner, o.tok) && o.attempt < 64)
            l->valid |= UINT64_C(1) << o.attempt;
        if (o.kind != OUT_RESULT)
            continue;
        if (o.attempt < 64 && !(l->valid & UINT64_C(1) << o.attempt))
            s->broken = "a result without a valid attempt before it";
        l->listed |= str_eqc(o.result_class, "ambiguous");
        if (o.final && !l->finals++)
            (void)snprintf(l->status, sizeof l->status, STR_FMT, STR_ARG(o.status));
    }
    arena_free(&a);
}

static void judge(struct sim *s, bool record)
{
    read_ledger(s);
    for (uint64_t i = 0; i < s->n_seqs && !s->broken; i++) {
        const struct ledger *l = &s->led[i];
        if (l->sent_attempts & ~l->valid)
            s->broken = "sent without a valid attempt";
        if (!s->is_send[i]) {
            if (l->finals || l->sends)
                s->broken = "a withheld decision has a result";
            continue;
        }
        if (!l->finals)
            s->broken = "no final result";
        else if (!strcmp(l->status, "sent") && !l->applied)
            s->broken = "called sent, and the gateway never took it";
        else if (!strcmp(l->status, "failed") && l->applied)
            s->broken = "called failed, and the gateway took it";
        else if (s->gw.ambiguous == WEBHOOK_AMB_FAIL && !record && l->applied > 1)
            s->broken = "applied twice at an at-most-once gateway";
        else if (!record && l->applied > 1 && !l->listed)
            s->broken = "applied twice, and never listed as ambiguous";
    }
    if (!s->broken && s->floor != (int64_t)s->n_decisions)
        s->broken = "the committed offset does not reach the end";
}

static void sim_free(struct sim *s)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        crash(s, &s->w[i]);
        dispatch_free(&s->w[i].d);
    }
    for (size_t i = 0; i < s->n_outcomes; i++)
        free(s->outcomes[i].p);
    for (size_t i = 0; i < s->n_decisions; i++)
        free(s->decisions[i].p);
    free(s);
}

static void run(uint64_t seed, enum webhook_ambiguous policy, bool record)
{
    struct sim *s = xcalloc(1, sizeof *s);
    s->rng = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    s->now_ms = INT64_C(1700000000000);
    s->committed = -1;
    s->gw = (struct dispatch_gateway){
        .ambiguous = policy, .reconcile_ms = 600000, .retry_once = seed % 2 == 0};
    s->conf = (struct dispatch_conf){
        .p = 0, .topology = TOPOLOGY, .record = record, .gateway = gateway, .arg = s};
    for (unsigned i = 0; i < WORKERS; i++) {
        s->w[i].d = dispatch_new(&s->conf);
        s->w[i].dec_pos = -1;
    }
    claim(s, &s->w[0]);
    for (int i = 0; i < 3000 && !s->broken; i++) {
        if (rnd(s, 60) == 0 && s->n_seqs + 8 < MAX_DECISIONS && s->n_decisions < 600)
            decide(s, 1 + rnd(s, 6));
        step(s, &s->w[rnd(s, WORKERS)]);
    }
    for (unsigned i = 0; i + 1 < WORKERS && !s->broken; i++)
        crash(s, &s->w[i]);
    if (!s->broken)
        settle(s, &s->w[WORKERS - 1]);
    judge(s, record);
    if (s->broken)
        fail_msg("seed %llu policy %d record %d: %s", (unsigned long long)seed, (int)policy, record,
                 s->broken);
    sim_free(s);
}

static void test_fail(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++)
        run(seed, WEBHOOK_AMB_FAIL, false);
}

static void test_retry(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++)
        run(seed, WEBHOOK_AMB_RETRY, false);
}

static void test_reconcile(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++)
        run(seed, WEBHOOK_AMB_RECONCILE, false);
}

static void test_record(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++)
        run(seed, WEBHOOK_AMB_RETRY, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_reconcile),
        cmocka_unit_test(test_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
