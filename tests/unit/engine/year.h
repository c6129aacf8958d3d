/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A year of a small shop on a real redis-server and the sandbox broker, for rouse-engine as a process.
 * Whatever happens to it, the decisions in rouse.decisions and the changes in rouse.tags, without
 * repetitions, must be byte by byte those of an offline fold over the same log.
 */
#ifndef TEST_ENGINE_YEAR_H
#define TEST_ENGINE_YEAR_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "world.h"

#define YEAR_UNUSED __attribute__((unused))

static const char year_rules[] =
    "events:\n"
    "  register: {topic: crm, id: id, member: m, time: t, fields: {id: string, openid: string}}\n"
    "  purchase: {topic: pay, id: id, member: m, time: t, fields: {id: string, amount: money}}\n"
    "  sale: {topic: news, id: id, time: t, members: {in: baskets, key: kind}, fields: {id: "
    "string, kind: string}}\n"
    "tags:\n"
    "  openid: {type: address, from: register.openid}\n"
    "  baskets: {collect: purchase, of: \"event.amount < 30 ? 'small' : event.amount < 60 ? "
    "'middle' : 'big'\", max: 2}\n"
    "  follows: {type: bool, default: true}\n"
    "  orders: {count: purchase, public: true}\n"
    "  spend_30d: {sum: purchase.amount, window: 30d}\n"
    "  loyal: {value: member.orders >= 3}\n"
    "  level: {levels: [{gold: member.spend_30d >= 1000}, {silver: member.spend_30d >= 300}],\n"
    "    else: basic, public: true}\n"
    "messages:\n"
    "  hello: {params: [n], via: [wechat], wechat: {template: W1}}\n"
    "  back: {params: [n], via: [wechat], wechat: {template: W2}}\n"
    "policy:\n"
    "  tz: Asia/Shanghai\n"
    "  consent: {wechat: member.follows}\n"
    "  tests: optional\n"
    "rules:\n"
    "  hello: {trigger: register, do: [{wait: 2h}, {send: hello, with: {n: "
    "string(member.orders)}}]}\n"
    "  back: {trigger: {silence: [purchase, register], for: 10d}, limit: 1 per 30d,\n"
    "    do: [{send: back, with: {n: string(member.orders)}}]}\n"
    "  sale: {trigger: sale, limit: 1 per 9d, do: [{send: back, with: {n: event.kind}}]}\n"
    "  thanks: {trigger: purchase, key: event.id, if: member.orders % 3 == 0,\n"
    "    do: [{wait: 1d}, {send: hello, with: {n: event.id}}]}\n";

YEAR_UNUSED static void broker_start(struct world *w)
{
    char exe[600], file[128], log[128];
    snprintf(exe, sizeof exe, "%s/rouse-sandbox", w->bin);
    snprintf(file, sizeof file, "%s/bootstrap", w->dir);
    snprintf(log, sizeof log, "%s/broker.log", w->dir);
    const char *argv[] = {exe,
                          "broker",
                          "--topics",
                          "rouse.control:1,rouse.log:4,rouse.decisions:4,rouse.tags:4",
                          "--bootstrap-file",
                          file,
                          NULL};
    w->broker = spawn(argv, log);
    FILE *f = NULL;
    for (int i = 0; i < 1000 && (f = fopen(file, "r")) == NULL; i++)
        nap();
    if (f == NULL)
        fail_msg("no broker: is %s built?", exe);
    assert_non_null(fgets(w->bootstrap, sizeof w->bootstrap, f));
    fclose(f);
    w->bootstrap[strcspn(w->bootstrap, "\n")] = '\0';
    w->kafka =
        (struct kafka_conf){.bootstrap = w->bootstrap, .client_id = "test", .session_ms = 6000};
}

/* News for all whose last baskets were of a kind: the same entry in every partition. */
static void log_sale(struct world *w, int day)
{
    static const char *const kinds[] = {"small", "middle", "big"};
    int64_t at = T0 + day * TIME_DAY + 22 * TIME_HOUR;
    struct event ev = event_make(w, "sale", 0, at, day);
    struct val *f = (struct val *)(uintptr_t)ev.f;
    f[type_field(ev.def->fields, STR("kind"))] = val_str(str_c(kinds[day % 3]));
    ev.member = STR("");
    struct entry e = {.src = {STR("news"), 0, 0, day}, .at_ms = at, .events = &ev, .n_events = 1};
    const struct record r = {.kind = REC_EVENT, .n = 1, .entries = &e, .n_entries = 1};
    for (uint32_t p = 0; p < P; p++)
        log_add(w, p, &r);
}

YEAR_UNUSED static void log_day(struct world *w, int day, int64_t *off)
{
    for (int k = 0; k < 40; k++) {
        int m = (int)((*off * 7919 + day * 31) % MEMBERS);
        if (day > 40 && m % 3 == 0)
            continue; /* falls silent */
        int64_t at = T0 + day * TIME_DAY + k * 30 * TIME_MIN;
        struct event ev =
            event_make(w, day == m % 20 && k < 20 ? "register" : "purchase", m, at, *off);
        struct entry e = {
            .src = {STR("pay"), 0, 0, (*off)++}, .at_ms = at, .events = &ev, .n_events = 1};
        const struct record r = {.kind = REC_EVENT, .n = 1, .entries = &e, .n_entries = 1};
        log_add(w, part_of(ev.member), &r);
        if (*off % 13 == 0) /* ingest may append twice */
            log_add(w, part_of(ev.member), &r);
    }
    log_sale(w, day);
    for (uint32_t p = 0; p < P; p++) {
        const struct record tick = {.kind = REC_TICK, .at_ms = T0 + (day + 1) * TIME_DAY};
        log_add(w, p, &tick);
    }
}

YEAR_UNUSED static void log_publish(struct world *w, const char *hash, uint64_t n)
{
    struct kafka_producer *k;
    struct err err = {0};
    int64_t off = 0;
    const struct record rules = {
        .kind = REC_RULES, .at_ms = T0, .n = n, .hash = str_c(hash), .level = RULE_LEVEL};
    for (uint32_t p = 0; p < P; p++)
        log_add(w, p, &rules);
    for (int day = 0; day < DAYS; day++)
        log_day(w, day, &off);
    assert_int_equal(kafka_producer_new(&w->kafka, &k, &err), 0);
    for (uint32_t p = 0; p < P; p++) {
        for (size_t i = 0; i < w->n_log[p]; i++)
            produce(k, "rouse.log", (int32_t)p, (struct str){0}, w->log[p][i].text);
    }
    assert_int_equal(kafka_producer_flush(k, WAIT_MS, on_report, NULL, &err), 0);
    assert_int_equal(awaited, 0);
    kafka_producer_free(&k);
}

YEAR_UNUSED static bool done(struct world *w)
{
    struct err err = {0};
    for (uint32_t p = 0; p < P; p++) {
        struct redis_home h;
        char key[64];
        int64_t off = 0;
        const struct redis_reply *reply;
        redis_home(&h, p, P);
        snprintf(key, sizeof key, "%smeta", h.text);
        const struct str argv[] = {STR("HGET"), str_c(key), STR("off")};
        if (redis_call(w->r, argv, 3, 5000, &reply, &err) != 0 || reply->s.p == NULL)
            return false;
        (void)str_i64(reply->s, &off);
        if (off < (int64_t)w->n_log[p])
            return false;
    }
    return true;
}

YEAR_UNUSED static void wait_done(struct world *w)
{
    for (int i = 0; i < WAIT_MS / 10; i++) {
        if (done(w))
            return;
        nap();
    }
    log_show(w);
    fail_msg("the engine does not get to the end");
}

YEAR_UNUSED static int world_start(void **state)
{
    char hash[65];
    struct world *w = world_new(year_rules);
    broker_start(w);
    control_publish(w, hash);
    log_publish(w, hash, 3);
    *state = w;
    return 0;
}

YEAR_UNUSED static void http_get(int port, const char *path, char *out, size_t n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    char req[128];
    size_t got = 0;
    out[0] = '\0';
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) {
        snprintf(req, sizeof req, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
        (void)!write(fd, req, strlen(req));
        ssize_t k;
        while (got < n - 1 && (k = read(fd, out + got, n - 1 - got)) > 0)
            got += (size_t)k;
        out[got] = '\0';
    }
    close(fd);
}

YEAR_UNUSED static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
    getsockname(fd, (struct sockaddr *)&a, &n);
    close(fd);
    return ntohs(a.sin_port);
}

YEAR_UNUSED static void wait_health(struct world *w, const char *text)
{
    char got[2048] = "";
    for (int i = 0; i < WAIT_MS / 10; i++) {
        http_get(w->port, "/healthz", got, sizeof got);
        if (strstr(got, text) != NULL)
            return;
        nap();
    }
    fail_msg("/healthz says: %s", got);
}

/* The value of a metric without labels comes to lie in [least, most]. */
YEAR_UNUSED static void wait_metric(struct world *w, const char *name, double least, double most)
{
    static char got[1 << 16];
    char line[128] = "";
    snprintf(line, sizeof line, "\n%s", name);
    for (int i = 0; i < WAIT_MS / 10; i++) {
        http_get(w->port, "/metrics", got, sizeof got);
        const char *at = strstr(got, line);
        if (at != NULL) {
            double v = strtod(at + strlen(line), NULL);
            if (v >= least && v <= most)
                return;
        }
        nap();
    }
    const char *at = strstr(got, line);
    fail_msg("/metrics says: %.80s", at == NULL ? got : at);
}

YEAR_UNUSED static void wait_log(struct world *w, const char *text)
{
    char cmd[256];
    for (int i = 0; i < WAIT_MS / 100; i++) {
        snprintf(cmd, sizeof cmd, "grep -q '%s' %s/engine.log", text, w->dir);
        if (system(cmd) == 0)
            return;
        for (int k = 0; k < 10; k++)
            nap();
    }
    log_show(w);
    fail_msg("the log does not say: %s", text);
}

#endif
