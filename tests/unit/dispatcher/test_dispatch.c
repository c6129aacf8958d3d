/* SPDX-License-Identifier: Apache-2.0 */
/* One partition, step by step: what is accepted, what parks and with which words, what each answer leads
 * to, and when nothing is sent although an attempt stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dispatch.h"

#define TOPOLOGY 7u
#define T0 INT64_C(1772416800000) /* 2026-03-02 10:00 in Shanghai */
#define TOK "0123456789abcdef0123456789abcdef"

struct bench {
    struct dispatch *d;
    struct dispatch_gateway gw;
    struct dispatch_now now;
    uint8_t chain[32];
    uint64_t seq;
    int64_t off, out_off;
    struct buf bytes;
    struct arena *a;
    /* the last of each effect */
    struct outcome out;
    char cls[32], status[16], code[64];
    struct work *queued, *sent;
    unsigned writes, queues, sends, releases, parks, losts;
    int64_t decisions;
    uint64_t snap[8];
    uint8_t snap_state[8];
    uint32_t snap_n;
};

static const struct dispatch_gateway *find(void *arg, struct str name)
{
    struct bench *b = arg;
    return str_eqc(name, "sms") ? &b->gw : NULL;
}

static void note_write(struct bench *b, const struct outcome *o)
{
    b->writes++;
    b->out = *o;
    (void)snprintf(b->cls, sizeof b->cls, STR_FMT, STR_ARG(o->result_class));
    (void)snprintf(b->status, sizeof b->status, STR_FMT, STR_ARG(o->status));
    (void)snprintf(b->code, sizeof b->code, STR_FMT, STR_ARG(o->code));
    if (o->kind != OUT_SNAPSHOT)
        return;
    b->snap_n = o->n_incomplete;
    for (uint32_t i = 0; i < o->n_incomplete && i < 8; i++) {
        b->snap[i] = o->incomplete[i];
        b->snap_state[i] = o->incomplete_state[i];
    }
}

static void effects(struct bench *b)
{
    size_t n;
    const struct effect *e = dispatch_effects(b->d, &n);
    for (size_t i = 0; i < n; i++) {
        if (e[i].kind == EFFECT_WRITE)
            note_write(b, &e[i].o);
        if (e[i].kind == EFFECT_QUEUE) {
            b->queued = e[i].w;
            b->queues++;
        }
        if (e[i].kind == EFFECT_UNQUEUE && b->queued == e[i].w)
            b->queued = NULL;
        if (e[i].kind == EFFECT_SEND) {
            b->sent = e[i].w;
            b->sends++;
        }
        b->releases += e[i].kind == EFFECT_RELEASE;
        b->parks += e[i].kind == EFFECT_PARK;
        b->losts += e[i].kind == EFFECT_LOST;
        if (e[i].kind == EFFECT_DECISIONS)
            b->decisions = e[i].off;
    }
    dispatch_effects_clear(b->d);
}

/* What was written last comes out of the log again. */
static void echo(struct bench *b)
{
    struct outcome o = b->out;
    o.result_class = str_c(b->cls);
    o.status = str_c(b->status);
    o.code = str_c(b->code);
    o.member = o.rule = o.message = o.gateway = STR("");
    dispatch_outcome(b->d, b->out_off++, &o, &b->now);
    effects(b);
}

static void init(struct bench *b, bool record)
{
    memset(b, 0, sizeof *b);
    b->gw = (struct dispatch_gateway){.ambiguous = WEBHOOK_AMB_RECONCILE, .reconcile_ms = 600000};
    b->now.ms = T0;
    b->a = arena_new(0);
    buf_init(&b->bytes, 65536);
    struct dispatch_conf c = {
        .p = 3, .topology = TOPOLOGY, .record = record, .gateway = find, .arg = b};
    b->d = dispatch_new(&c);
    b->decisions = -9;
}

static void claimed(struct bench *b, bool record)
{
    init(b, record);
    dispatch_claim(b->d, TOK, false, &b->now);
    effects(b);
    assert_int_equal(b->out.kind, OUT_CLAIM);
    assert_int_equal(dispatch_phase(b->d), DISPATCH_FOLDING);
    echo(b);
    assert_int_equal(dispatch_phase(b->d), DISPATCH_RUNNING);
    assert_int_equal(b->decisions, 0);
}

static void done(struct bench *b)
{
    dispatch_free(&b->d);
    arena_free(&b->a);
    buf_free(&b->bytes);
}

static struct decision decision(struct bench *b, enum decision_kind kind)
{
    struct decision d = {.kind = kind,
                         .p = 3,
                         .seq = b->seq++,
                         .at_ms = T0,
                         .member = STR("m1"),
                         .rule = STR("r"),
                         .message = STR("msg"),
                         .gateway = STR("sms"),
                         .to = STR("138"),
                         .purpose = STR("service"),
                         .expire_ms = T0 + TIME_DAY,
                         .quiet_from = -1,
                         .quiet_to = -1,
                         .utc_off_s = 28800};
    if (kind == DEC_WITHHOLD)
        d.reason = STR("limit");
    return d;
}

static void write_and_read(struct bench *b, struct decision *d)
{
    struct decision r;
    struct err err = {0};
    buf_reset(&b->bytes);
    decision_write(d, TOPOLOGY, b->chain, &b->bytes);
    arena_reset(b->a);
    assert_int_equal(decision_read(buf_str(&b->bytes), b->a, &r, &err), 0);
    dispatch_decision(b->d, b->off++, buf_str(&b->bytes), &r, &b->now);
    effects(b);
}

static void want(struct bench *b)
{
    struct decision d = decision(b, DEC_SEND);
    b->queued = NULL;
    write_and_read(b, &d);
}

/* From the queue into the air. */
static void go(struct bench *b)
{
    struct work *w = b->queued;
    assert_non_null(w);
    b->queued = b->sent = NULL;
    dispatch_try(w, &b->now);
    effects(b);
    assert_int_equal(b->out.kind, OUT_ATTEMPT);
    assert_null(b->sent);
    echo(b);
}

static void answer(struct bench *b, enum webhook_class cls, bool sent)
{
    struct webhook_verdict v = {.cls = cls, .code = "x"};
    struct work *w = b->sent;
    assert_non_null(w);
    b->sent = NULL;
    dispatch_answer(w, &v, sent, &b->now);
    effects(b);
    assert_int_equal(b->out.kind, OUT_RESULT);
}

static void due(struct bench *b)
{
    b->now.ms = dispatch_next_due(b->d);
    dispatch_due(b->d, &b->now);
    effects(b);
}

static void test_sent(void **state)
{
    struct bench b;
    (void)state;
    claimed(&b, false);
    want(&b);
    assert_int_equal(dispatch_floor(b.d), 0);
    go(&b);
    assert_int_equal(b.out.attempt, 1);
    answer(&b, WEBHOOK_OK, true);
    assert_string_equal(b.status, "sent");
    assert_true(b.out.final && b.out.sent);
    assert_int_equal(b.releases, 1);
    assert_int_equal(dispatch_floor(b.d), 0); /* not before the result stands in the log */
    echo(&b);
    assert_int_equal(dispatch_floor(b.d), 1);
    assert_int_equal(dispatch_pending(b.d), 0);
    done(&b);
}

static void test_no_send(void **state)
{
    struct bench b;
    (void)state;
    claimed(&b, false);
    struct decision d = decision(&b, DEC_WITHHOLD);
    unsigned writes = b.writes;
    write_and_read(&b, &d);
    assert_int_equal(dispatch_next(b.d), 1);
    assert_int_equal(dispatch_floor(b.d), 1);
    assert_int_equal(b.writes, writes);
    done(&b);
}

static void test_duplicate(void **state)
{
    struct bench b;
    struct decision r;
    (void)state;
    claimed(&b, false);
    want(&b);
    arena_reset(b.a);
    assert_int_equal(decision_read(buf_str(&b.bytes), b.a, &r, NULL), 0);
    dispatch_decision(b.d, b.off++, buf_str(&b.bytes), &r, &b.now);
    effects(&b);
    assert_int_equal(b.queues, 1);
    assert_int_equal(dispatch_stats(b.d)->duplicates, 1);
    assert_int_equal(dispatch_phase(b.d), DISPATCH_RUNNING);
    done(&b);
}

static void test_gap(void **state)
{
    struct bench b;
    (void)state;
    claimed(&b, false);
    want(&b);
    struct decision lost = decision(&b, DEC_SEND);
    decision_write(&lost, TOPOLOGY, b.chain, &b.bytes);
    lost = decision(&b, DEC_SEND);
    decision_write(&lost, TOPOLOGY, b.chain, &b.bytes);
    unsigned queues = b.queues;
    want(&b);
    assert_int_equal(b.parks, 1);
    assert_int_equal(b.queues, queues);
    assert_string_equal(dispatch_error(b.d)->code, "gap");
    assert_string_equal(dispatch_error(b.d)->text,
                        "partition 3: seq 1 to 2 are missing in rouse.decisions (era 0): offset 1 "
                        "holds seq 3");
    assert_int_equal(dispatch_floor(b.d), -1);
    want(&b); /* nothing more is taken */
    assert_int_equal(b.queues, queues);
    done(&b);
}

static void test_chain(void **state)
{
    struct bench b;
    (void)state;
    claimed(&b, false);
    want(&b);
    b.chain[0] ^= 1;
    want(&b);
    assert_int_equal(b.parks, 1);
    assert_string_equal(dispatch_error(b.d)->code, "chain");
    done(&b);
    claimed(&b, false); /* the same number with other content: decided twice */
    want(&b);
    b.seq = 0;
    memset(b.chain, 0, sizeof b.chain);
    struct decision d = decision(&b, DEC_SEND);
    d.member = STR("m2");
    write_and_read(&b, &d);
    assert_int_equal(b.parks, 1);
    assert_string_equal(dispatch_error(b.d)->code, "diverged");
    done(&b);
    claimed(&b, false);
    struct decision era = decision(&b, DEC_SEND);
    era.era = 1;
    write_and_read(&b, &era);
    assert_int_equal(b.parks, 1);
    assert_string_equal(dispatch_error(b.d)->code, "era");
    done(&b);
}

static void test_expired(void **state)
{
    struct bench b;
    (void)state;
    claimed(&b, false);
    want(&b);
    b.now.ms = T0 + TIME_DAY;
    go(&b); /* the attempt stands, and no byte leaves */
    assert_int_equal(b.sends, 0);
    assert_string_equal(b.status, "expired");
    assert_false(b.out.sent);
    assert_int_equal(b.out.attempt, 1);
    echo(&b);
    assert_int_equal(dispatch_pending(b.d), 0);
    want(&b); /* one that its gateway never has room for */
    b.now.ms = T0;
    struct decision d = decision(&b, DEC_SEND);
    write_and_read(&b, &d);
    due(&b);
    assert_true(b.now.ms >= T0 + TIME_DAY);
    assert_int_equal(b.out.kind, OUT_ATTEMPT);
    done(&b);
}

static void quiet_case(int32_t from, int32_t to, int64_t at, bool returned)
{
    struct bench b;
    claimed(&b, false);
    struct decision d = decision(&b, DEC_SEND);
    d.quiet_from = from;
    d.quiet_to = to;
    write_and_read(&b, &d);
    b.now.ms = at;
    go(&b);
    assert_int_equal(b.sends, !returned);
    if (returned)
        assert_string_equal(b.status, "returned");
    else
        answer(&b, WEBHOOK_OK, true);
    done(&b);
}

static void test_quiet(void **state)
{
    (void)state;
    quiet_case(21 * 60, 9 * 60, T0, false); /* 10:00 */
    quiet_case(21 * 60, 9 * 60, T0 - TIME_HOUR - 1, true);
    quiet_case(21 * 60, 9 * 60, T0 - TIME_HOUR, false); /* 09:00: half-open */
    quiet_case(21 * 60, 9 * 60, T0 + 11 * TIME_HOUR - 1, false);
    quiet_case(21 * 60, 9 * 60, T0 + 11 * TIME_HOUR, true); /* 21:00 */
    quiet_case(9 * 60, 11 * 60, T0, true);
    quiet_case(-1, -1, T0, false);
    quiet_case(600, 600, T0, false);
}

static void test_retries(void **state)
{
    static const int64_t waits[] = {5, 30, 120, 600, 3600};
    struct bench b;
    (void)state;
    claimed(&b, false);
    want(&b);
    for (uint32_t i = 0; i < 5; i++) {
        go(&b);
        assert_int_equal(b.out.attempt, i + 1);
        answer(&b, WEBHOOK_RETRY, i % 2 == 0);
        assert_false(b.out.final);
        echo(&b);
        int64_t from = b.now.ms;
        assert_null(b.queued);
        due(&b);
        assert_in_range(b.now.ms - from, waits[i] * 800 - 1, waits[i] * 800 + 60);
    }
    go(&b);
    answer(&b, WEBHOOK_RETRY, true);
    assert_string_equal(b.status, "failed");
    done(&b);
}

static void test_uncounted(void **state)
{
    struct bench b;
    (void)state;
    claimed(&b, false);
    want(&b);
    for (uint32_t i = 0; i < 20; i++) {
        go(&b);
        answer(&b, WEBHOOK_THROTTLE, true);
        assert_false(b.out.final);
        echo(&b);
        due(&b);
        go(&b);
        answer(&b, WEBHOOK_ACCOUNT_STOP, true);
        assert_false(b.out.final);
        echo(&b);
    }
    go(&b);
    answer(&b, WEBHOOK_PERMANENT_RECIPIENT, true);
    assert_string_equal(b.status, "failed");
    echo(&b);
    want(&b);
    go(&b);
    answer(&b, WEBHOOK_DEFER, true);
    assert_string_equal(b.status, "returned");
    done(&b);
}

static void test_reconcile(void **state)
{
    struct bench b;
    (void)state;
    claimed(&b, false);
    want(&b);
    go(&b);
    answer(&b, WEBHOOK_AMBIGUOUS, true);
    assert_false(b.out.final);
    echo(&b);
    assert_true(dispatch_next_due(b.d) == b.now.ms + 600000);
    due(&b);
    assert_string_equal(b.status, "ambiguous");
    assert_true(b.out.final);
    echo(&b);
    assert_int_equal(dispatch_pending(b.d), 0);
    b.gw.retry_once = true;
    want(&b);
    go(&b);
    answer(&b, WEBHOOK_AMBIGUOUS, true);
    echo(&b);
    due(&b);
    go(&b); /* once more */
    assert_int_equal(b.out.attempt, 2);
    answer(&b, WEBHOOK_RETRY, true);
    assert_string_equal(b.status, "ambiguous"); /* never `failed`: the first may have arrived */
    done(&b);
}

static void test_policies(void **state)
{
    struct bench b;
    (void)state;
    claimed(&b, false);
    b.gw.ambiguous = WEBHOOK_AMB_FAIL;
    want(&b);
    go(&b);
    answer(&b, WEBHOOK_AMBIGUOUS, true);
    assert_string_equal(b.status, "ambiguous");
    echo(&b);
    b.gw.ambiguous = WEBHOOK_AMB_RETRY;
    want(&b);
    go(&b);
    answer(&b, WEBHOOK_AMBIGUOUS, true);
    assert_false(b.out.final);
    echo(&b);
    due(&b);
    go(&b);
    answer(&b, WEBHOOK_PERMANENT_RECIPIENT, true);
    assert_string_equal(b.status, "ambiguous");
    echo(&b);
    want(&b);
    go(&b);
    answer(&b, WEBHOOK_AMBIGUOUS, true);
    echo(&b);
    due(&b);
    go(&b);
    answer(&b, WEBHOOK_DUPLICATE_OK, true);
    assert_string_equal(b.status, "sent");
    done(&b);
}

static void test_record(void **state)
{
    struct bench b;
    (void)state;
    claimed(&b, true);
    b.now.ms = T0 + 400 * TIME_DAY; /* the host's clock is elsewhere, and does not count */
    want(&b);
    for (int i = 0; i < 50; i++) { /* without a connection: at once again, uncounted */
        go(&b);
        assert_int_equal(b.sends, i + 1);
        answer(&b, WEBHOOK_RETRY, false);
        assert_false(b.out.final);
        assert_true(b.out.at_ms == T0);
        echo(&b);
    }
    for (int i = 0; i < 6; i++) { /* answers count */
        go(&b);
        answer(&b, i % 3 ? WEBHOOK_RETRY : WEBHOOK_THROTTLE, true);
        assert_int_equal(b.out.final, i == 5);
        echo(&b);
    }
    assert_string_equal(b.status, "failed");
    assert_int_equal(dispatch_pending(b.d), 0);
    want(&b);
    go(&b);
    answer(&b, WEBHOOK_AMBIGUOUS, true); /* reconcile ends at once */
    assert_string_equal(b.status, "ambiguous");
    assert_true(dispatch_next_due(b.d) == TIME_NEVER);
    done(&b);
}

static void test_lost(void **state)
{
    struct bench b;
    struct outcome other = {.kind = OUT_CLAIM, .tok = "ffffffffffffffffffffffffffffffff"};
    (void)state;
    claimed(&b, false);
    want(&b);
    go(&b); /* in flight */
    struct work *flight = b.sent;
    want(&b);
    dispatch_try(b.queued, &b.now); /* written, and then another claims */
    effects(&b);
    struct bench attempt = b;
    dispatch_outcome(b.d, b.out_off++, &other, &b.now);
    effects(&b);
    assert_int_equal(b.losts, 1);
    assert_int_equal(dispatch_orphans(b.d), 1);
    unsigned sends = b.sends;
    b.out = attempt.out;
    echo(&b); /* our attempt comes after the claim: void */
    assert_int_equal(b.sends, sends);
    b.sent = flight;
    answer(&b, WEBHOOK_OK, true); /* the result of what was sent is still told */
    assert_string_equal(b.status, "sent");
    assert_int_equal(dispatch_orphans(b.d), 0);
    done(&b);
}

static void test_parked_attempt(void **state)
{
    struct bench b;
    struct err why = {0};
    (void)state;
    claimed(&b, false);
    want(&b);
    dispatch_try(b.queued, &b.now);
    effects(&b);
    (void)err_code(&why, ERR_FATAL, "out_of_range", "gone");
    struct outcome attempt = b.out;
    dispatch_park(b.d, &why);
    effects(&b);
    b.out = attempt;
    echo(&b); /* valid, but nothing is sent any more, and that is said */
    assert_int_equal(b.sends, 0);
    assert_string_equal(b.cls, "suppressed");
    assert_false(b.out.sent || b.out.final);
    done(&b);
}

static void test_snapshot(void **state)
{
    struct bench b;
    (void)state;
    claimed(&b, false);
    want(&b);
    go(&b);
    struct work *first = b.sent;
    want(&b);
    go(&b);
    answer(&b, WEBHOOK_AMBIGUOUS, true);
    echo(&b);
    want(&b);
    go(&b);
    answer(&b, WEBHOOK_OK, true); /* written, not read back: the snapshot comes after it */
    want(&b);
    assert_true(dispatch_snapshot(b.d, &b.now));
    effects(&b);
    assert_int_equal(b.out.kind, OUT_SNAPSHOT);
    assert_true(b.out.next == 4 && b.out.decisions_off == 0);
    assert_int_equal(b.snap_n, 3);
    assert_true(b.snap[0] == 0 && b.snap_state[0] == 1);
    assert_true(b.snap[1] == 1 && b.snap_state[1] == 2);
    assert_true(b.snap[2] == 3 && b.snap_state[2] == 0);
    assert_int_equal(dispatch_snapshot_off(b.d), -1);
    int64_t at = b.out_off;
    echo(&b);
    assert_int_equal(dispatch_snapshot_off(b.d), at);
    b.sent = first;
    answer(&b, WEBHOOK_OK, true);
    done(&b);
}

/* Where the log of what was sent is gone nothing is sent again: the partition stops. */
static void test_outcomes_lost(void **state)
{
    struct bench b;
    (void)state;
    init(&b, false);
    dispatch_claim(b.d, TOK, true, &b.now);
    effects(&b);
    echo(&b);
    assert_int_equal(b.parks, 1);
    assert_string_equal(dispatch_error(b.d)->code, "outcomes_lost");
    done(&b);
    init(&b, false);
    b.out_off = 17;
    dispatch_claim(b.d, TOK, false, &b.now);
    effects(&b);
    echo(&b);
    assert_int_equal(b.parks, 1);
    assert_string_equal(dispatch_error(b.d)->code, "outcomes_lost");
    done(&b);
}

static void test_no_adapter(void **state)
{
    struct bench b;
    (void)state;
    claimed(&b, false);
    struct decision d = decision(&b, DEC_SEND);
    d.gateway = STR("pigeon");
    write_and_read(&b, &d);
    assert_int_equal(b.queues, 0);
    due(&b);
    assert_true(b.now.ms == T0 + TIME_DAY);
    echo(&b);
    assert_string_equal(b.status, "expired");
    done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sent),       cmocka_unit_test(test_no_send),
        cmocka_unit_test(test_duplicate),  cmocka_unit_test(test_gap),
        cmocka_unit_test(test_chain),      cmocka_unit_test(test_expired),
        cmocka_unit_test(test_quiet),      cmocka_unit_test(test_retries),
        cmocka_unit_test(test_uncounted),  cmocka_unit_test(test_reconcile),
        cmocka_unit_test(test_policies),   cmocka_unit_test(test_record),
        cmocka_unit_test(test_lost),       cmocka_unit_test(test_parked_attempt),
        cmocka_unit_test(test_snapshot),   cmocka_unit_test(test_outcomes_lost),
        cmocka_unit_test(test_no_adapter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
