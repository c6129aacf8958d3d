/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rouse-engine as a process, on a real redis-server and the sandbox broker.  Whatever happens to it
 * (killed at every point of its loop, Redis killed under it, two of them at once), the decisions in
 * rouse.decisions, without repetitions, must be byte by byte those of an offline fold over the same log.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "world.h"

static const char year_rules[] =
    "events:\n"
    "  register: {topic: crm, id: id, member: m, time: t, fields: {id: string, openid: string}}\n"
    "  purchase: {topic: pay, id: id, member: m, time: t, fields: {id: string, amount: money}}\n"
    "tags:\n"
    "  openid: {type: address, from: register.openid}\n"
    "  follows: {type: bool, default: true}\n"
    "  orders: {count: purchase}\n"
    "  spend_30d: {sum: purchase.amount, window: 30d}\n"
    "  loyal: {value: member.orders >= 3}\n"
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
    "  thanks: {trigger: purchase, key: event.id, if: member.orders % 3 == 0,\n"
    "    do: [{wait: 1d}, {send: hello, with: {n: event.id}}]}\n";

static void broker_start(struct world *w)
{
    char exe[600], file[128], log[128];
    snprintf(exe, sizeof exe, "%s/rouse-sandbox", w->bin);
    snprintf(file, sizeof file, "%s/bootstrap", w->dir);
    snprintf(log, sizeof log, "%s/broker.log", w->dir);
    const char *argv[] = {exe,
                          "broker",
                          "--topics",
                          "rouse.control:1,rouse.log:4,rouse.decisions:4",
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

static void log_day(struct world *w, int day, int64_t *off)
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
    for (uint32_t p = 0; p < P; p++) {
        const struct record tick = {.kind = REC_TICK, .at_ms = T0 + (day + 1) * TIME_DAY};
        log_add(w, p, &tick);
    }
}

static void log_publish(struct world *w, const char *hash, uint64_t n)
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

static bool done(struct world *w)
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

static void wait_done(struct world *w)
{
    for (int i = 0; i < WAIT_MS / 10; i++) {
        if (done(w))
            return;
        nap();
    }
    log_show(w);
    fail_msg("the engine does not get to the end");
}

static int world_start(void **state)
{
    char hash[65];
    struct world *w = world_new(year_rules);
    broker_start(w);
    control_publish(w, hash);
    log_publish(w, hash, 3);
    *state = w;
    return 0;
}

static void http_get(int port, const char *path, char *out, size_t n)
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

static int free_port(void)
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

static void wait_health(struct world *w, const char *text)
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

/* ---- tests --------------------------------------------------------------------------------------------------- */

static void test_plain(void **state)
{
    struct world *w = *state;
    pid_t e = engine_start(w, false, NULL);
    wait_done(w);
    engine_stop(w, e);
    assert_true(check(w) > 100);
    /* the offsets are in the group too */
    struct kafka_tp tp[P];
    struct err err = {0};
    for (int p = 0; p < P; p++)
        tp[p] = (struct kafka_tp){.topic = "rouse.log", .partition = p};
    assert_int_equal(kafka_committed(&w->kafka, w->group, tp, P, w->a, WAIT_MS, &err), 0);
    for (int p = 0; p < P; p++)
        assert_int_equal(tp[p].offset, w->n_log[p]);
}

/* kill -9 at every point of the loop, several times each. */
static void test_killed_everywhere(void **state)
{
    struct world *w = *state;
    static const char *const points[] = {"claimed",  "loaded",     "folded",   "produced",
                                         "reported", "committing", "committed"};
    int died = 0;
    for (int round = 1; round <= 9; round++) {
        char point[32];
        int status;
        snprintf(point, sizeof point, "%s:%d", points[(size_t)round % BASE_LEN(points)],
                 1 + round * 7 % 20);
        if (strncmp(point, "claimed", 7) == 0)
            snprintf(point, sizeof point, "claimed:2");
        const char *more[] = {"--chaos-point", point, NULL};
        pid_t e = engine_start(w, false, more);
        while (waitpid(e, &status, WNOHANG) == 0 && !done(w))
            nap();
        if (kill(e, 0) == 0 && waitpid(e, &status, WNOHANG) == 0) {
            engine_stop(w, e); /* it was through before its hour came */
            break;
        }
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        died++;
    }
    assert_true(died >= 7);
    pid_t e = engine_start(w, false, NULL);
    wait_done(w);
    engine_stop(w, e);
    check(w);
}

/* Redis dies under the engine and comes back with less than it had acknowledged. */
static void test_redis_killed(void **state)
{
    struct world *w = *state;
    const char *more[] = {"--commit-window", "20ms", NULL};
    pid_t e = engine_start(w, false, more);
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 20 && !done(w); k++)
            nap();
        redis_free(&w->r);
        server_kill(&w->redis, SIGKILL);
        for (int k = 0; k < 20; k++)
            nap();
        server_run(&w->redis);
        server_wait(&w->redis, &w->r);
    }
    wait_done(w);
    engine_stop(w, e);
    check(w);
}

/* Two that both think they own everything: only one gets through at a time, nothing is wrong. */
static void test_duel(void **state)
{
    struct world *w = *state;
    w->port = 0;
    pid_t a = engine_start(w, false, NULL);
    pid_t b = engine_start(w, false, NULL); /* another group: both own all partitions */
    wait_done(w);
    engine_stop(w, a);
    engine_stop(w, b);
    check(w);
}

/* Two of one group: they share, and the survivor takes over. */
static void test_share(void **state)
{
    struct world *w = *state;
    pid_t a = engine_start(w, false, NULL);
    pid_t b = engine_start(w, true, NULL);
    for (int k = 0; k < 100; k++)
        nap();
    kill(a, SIGKILL);
    waitpid(a, NULL, 0);
    wait_done(w);
    engine_stop(w, b);
    check(w);
}

/* ---- what parks ------------------------------------------------------------------------------------ */

static void meta_set(struct world *w, uint32_t p, const char *field, const char *value)
{
    struct redis_home h;
    char key[64];
    const struct redis_reply *reply;
    redis_home(&h, p, P);
    snprintf(key, sizeof key, "%smeta", h.text);
    const struct str argv[] = {STR("HSET"), str_c(key), str_c(field), str_c(value)};
    assert_int_equal(redis_call(w->r, argv, 4, 5000, &reply, NULL), 0);
}

static void wait_log(struct world *w, const char *text)
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

static void test_parks(void **state)
{
    struct world *w = *state;
    static const struct {
        uint32_t p;
        const char *field, *value, *text;
    } t[] = {
        {0, "fp_crc", "1", "p=0 code=log_diverged.*re-created"},
        {1, "topo", "00000001/4/1", "p=1 code=topology.*genesis says"},
        {2, "off", "999999", "p=2 code=log_diverged.*truncated"},
        {3, "level", "99", "p=3 code=level.*upgrade it"},
    };
    w->port = free_port();
    pid_t e = engine_start(w, false, NULL);
    wait_done(w);
    wait_health(w, "200 OK");
    engine_stop(w, e);
    check(w);
    meta_set(w, 2, "fp_off", "999998");
    for (size_t i = 0; i < BASE_LEN(t); i++)
        meta_set(w, t[i].p, t[i].field, t[i].value);
    e = engine_start(w, false, NULL);
    for (size_t i = 0; i < BASE_LEN(t); i++)
        wait_log(w, t[i].text);
    wait_health(w, "4 parked, partition 0");
    engine_stop(w, e);
    const struct str flush[] = {STR("FLUSHALL")};
    const struct redis_reply *reply;
    assert_int_equal(redis_call(w->r, flush, 1, 5000, &reply, NULL), 0);
    e = engine_start(w, false, NULL);
    wait_health(w, "state lost");
    engine_stop(w, e);
    const struct str size[] = {STR("DBSIZE")};
    assert_int_equal(redis_call(w->r, size, 1, 5000, &reply, NULL), 0);
    assert_int_equal(reply->i, 0); /* nothing starts over */
}

/* Nothing is there at first: it waits, says so, and goes on when it comes. */
static void test_waits(void **state)
{
    struct world *w = *state;
    w->port = free_port();
    redis_free(&w->r);
    server_kill(&w->redis, SIGTERM);
    pid_t e = engine_start(w, false, NULL);
    wait_health(w, "waiting for Redis");
    server_run(&w->redis);
    server_wait(&w->redis, &w->r);
    wait_health(w, "200 OK");
    kill(w->broker, SIGSTOP); /* nothing answers for a while */
    for (int k = 0; k < 300; k++)
        nap();
    kill(w->broker, SIGCONT);
    wait_done(w);
    wait_health(w, "200 OK");
    engine_stop(w, e);
    check(w);
}

/* One line, exit 2. */
static void test_bad_options(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"--chaos-point", "nowhere:1"},   {"--chaos-point", "folded:0"},
        {"--chaos-point", "folded"},      {"--kafka", "novalue"},
        {"--kafka", "group.id=x"},        {"--redis", "nowhere"},
        {"--redis-password-file", "/no"}, {"--no-such", "x"},
        {"--commit-members", "513"},
    };
    char exe[512];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 20);
    assert_true(n > 0);
    exe[n] = '\0';
    snprintf(strrchr(exe, '/'), 20, "/rouse-engine");
    for (size_t i = 0; i < BASE_LEN(bad); i++) {
        const char *argv[] = {exe, bad[i][0], bad[i][1], NULL};
        int status;
        waitpid(spawn(argv, "/dev/null"), &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 2)
            fail_msg("%s %s: status %d", bad[i][0], bad[i][1], status);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test_setup_teardown(test_plain, world_start, world_stop),
        cmocka_unit_test_setup_teardown(test_killed_everywhere, world_start, world_stop),
        cmocka_unit_test_setup_teardown(test_redis_killed, world_start, world_stop),
        cmocka_unit_test_setup_teardown(test_duel, world_start, world_stop),
        cmocka_unit_test_setup_teardown(test_share, world_start, world_stop),
        cmocka_unit_test_setup_teardown(test_parks, world_start, world_stop),
        cmocka_unit_test_setup_teardown(test_waits, world_start, world_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
