/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock of production: log time is the broker's LogAppendTime, and the engine appends the ticks.
 * Needs Apache Kafka: tests/integration/test_engine.sh starts one and names it in
 * ROUSE_ENGINE_BOOTSTRAP; without that the test is skipped.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "world.h"

static const char rules[] =
    "events:\n"
    "  register: {topic: crm, id: id, member: m, time: t, fields: {id: string, openid: string}}\n"
    "  purchase: {topic: pay, id: id, member: m, time: t, fields: {id: string, amount: money}}\n"
    "tags:\n"
    "  openid: {type: address, from: register.openid}\n"
    "  follows: {type: bool, default: true}\n"
    "  orders: {count: purchase, public: true}\n"
    "messages:\n"
    "  hello: {params: [n], via: [wechat], wechat: {template: W1}}\n"
    "policy:\n"
    "  tz: Asia/Shanghai\n"
    "  consent: {wechat: member.follows}\n"
    "  tests: optional\n"
    "rules:\n"
    "  hello: {trigger: register, do: [{wait: 2s}, {send: hello, with: {n: event.id}}]}\n"
    "  thanks: {trigger: purchase, key: event.id,\n"
    "    do: [{wait: 4s}, {send: hello, with: {n: string(member.orders)}}]}\n";

static void topics_create(struct world *w)
{
    static const char *const stamped[] = {"message.timestamp.type", "LogAppendTime", NULL};
    static const char *const compact[] = {"cleanup.policy", "compact", NULL};
    const struct kafka_topic t[] = {{"rouse.control", 1, 1, compact},
                                    {"rouse.log", P, 1, stamped},
                                    {"rouse.decisions", P, 1, NULL},
                                    {"rouse.tags", P, 1, NULL}};
    for (size_t i = 0; i < BASE_LEN(t); i++) {
        struct err err = {0};
        (void)kafka_topic_delete(&w->kafka, t[i].name, WAIT_MS, NULL);
        for (int k = 0; k < 500 && kafka_topic_create(&w->kafka, &t[i], WAIT_MS, &err) != 1; k++) {
            err_clear(&err); /* the deletion may take a moment */
            nap();
        }
    }
}

static int world_start(void **state)
{
    const char *bootstrap = getenv("ROUSE_ENGINE_BOOTSTRAP");
    *state = NULL;
    if (bootstrap == NULL)
        return 0;
    struct world *w = world_new(rules);
    w->append = true;
    snprintf(w->bootstrap, sizeof w->bootstrap, "%s", bootstrap);
    w->kafka = (struct kafka_conf){.bootstrap = w->bootstrap, .client_id = "test"};
    topics_create(w);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    return *state == NULL ? 0 : world_stop(state);
}

static void events_publish(struct world *w, const char *hash)
{
    struct kafka_producer *k;
    struct err err = {0};
    const struct record r = {.kind = REC_RULES, .n = 3, .hash = str_c(hash), .level = RULE_LEVEL};
    for (uint32_t p = 0; p < P; p++)
        log_add(w, p, &r);
    int64_t now = (int64_t)time(NULL) * 1000; /* older ones would be too late to act upon */
    for (int i = 0; i < 200; i++) {
        struct event ev = event_make(w, i < 40 ? "register" : "purchase", i % 40, now + i, i);
        struct entry e = {
            .src = {STR("pay"), 0, 0, i}, .at_ms = now + i, .events = &ev, .n_events = 1};
        const struct record rec = {.kind = REC_EVENT, .n = 3, .entries = &e, .n_entries = 1};
        log_add(w, part_of(ev.member), &rec);
    }
    assert_int_equal(kafka_producer_new(&w->kafka, &k, &err), 0);
    for (uint32_t p = 0; p < P; p++) {
        for (size_t i = 0; i < w->n_log[p]; i++)
            produce(k, "rouse.log", (int32_t)p, (struct str){0}, w->log[p][i].text);
        w->n_log[p] = 0; /* it is read back: the broker stamps it, and the ticks come in between */
    }
    assert_int_equal(kafka_producer_flush(k, WAIT_MS, on_report, NULL, &err), 0);
    kafka_producer_free(&k);
}

static int on_log(void *arg, const struct kafka_msg *m)
{
    struct world *w = arg;
    uint32_t p = (uint32_t)m->partition;
    assert_true(m->append_time);
    assert_int_equal(m->offset, w->n_log[p]);
    if (w->n_log[p] == w->cap_log[p]) {
        w->cap_log[p] = w->cap_log[p] * 2 + 64;
        w->log[p] = xrealloc(w->log[p], w->cap_log[p] * sizeof *w->log[p]);
    }
    w->log[p][w->n_log[p]++] = (struct record_text){arena_str(w->a, m->value), m->ts_ms};
    return 0;
}

static int on_count(void *arg, const struct kafka_msg *m)
{
    (void)m;
    ++*(size_t *)arg;
    return 0;
}

static size_t decisions(struct world *w)
{
    size_t n = 0;
    for (int32_t p = 0; p < P; p++) {
        struct err err = {0};
        (void)kafka_read_all(&w->kafka, "rouse.decisions", p, KAFKA_BEGINNING, on_count, &n,
                             WAIT_MS, &err);
    }
    return n;
}

/* 40 hellos and 160 thanks fall due while nothing happens any more: only ticks make them. */
static void test_append(void **state)
{
    struct world *w = *state;
    char hash[65];
    if (w == NULL)
        skip();
    control_publish(w, hash);
    events_publish(w, hash);
    pid_t e = engine_start(w, false, NULL);
    for (int i = 0; i < 300 && decisions(w) < 100; i++)
        nap();
    kill(e, SIGKILL); /* in the middle of it */
    waitpid(e, NULL, 0);
    e = engine_start(w, false, NULL);
    for (int i = 0; i < 3000 && decisions(w) < 200; i++)
        nap();
    if (decisions(w) < 200)
        log_show(w);
    engine_stop(w, e);
    for (int32_t p = 0; p < P; p++) {
        struct err err = {0};
        assert_int_equal(
            kafka_read_all(&w->kafka, "rouse.log", p, KAFKA_BEGINNING, on_log, w, WAIT_MS, &err),
            0);
    }
    assert_int_equal(check(w), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_append, world_start, world_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
