/* SPDX-License-Identifier: Apache-2.0 */
/* rouse-engine where it cannot go on: what it waits for, what it parks for, and what it says. */
#include "year.h"

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
        {3, "level", "99", "p=3 code=level.*hint=.*newer rouse-engine"},
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

/* A record that nobody can read: its partition stops there and says what to do, the others go on. */
static void test_poison(void **state)
{
    struct world *w = *state;
    struct kafka_producer *k;
    struct err err = {0};
    w->port = free_port();
    pid_t e = engine_start(w, false, NULL);
    wait_done(w);
    assert_int_equal(kafka_producer_new(&w->kafka, &k, &err), 0);
    produce(k, "rouse.log", 2, (struct str){0}, STR("{\"t\":\"from the future\"}"));
    for (uint32_t p = 0; p < P; p++) {
        const struct record tick = {.kind = REC_TICK, .at_ms = T0 + (DAYS + 1) * TIME_DAY};
        log_add(w, p, &tick);
        produce(k, "rouse.log", (int32_t)p, (struct str){0}, w->log[p][w->n_log[p] - 1].text);
    }
    w->n_log[2]--; /* behind it */
    assert_int_equal(kafka_producer_flush(k, WAIT_MS, on_report, NULL, &err), 0);
    kafka_producer_free(&k);
    wait_log(w, "partition_parked p=2 code=record .*cannot be read.*hint=.*nothing is lost");
    wait_health(w, "1 parked, partition 2: the record at ");
    wait_health(w, "start a rouse-engine that can fold this record");
    wait_done(w);
    wait_metric(w, "rouse_engine_lag_records ", 1, 2);
    engine_stop(w, e);
    check(w);
}

/* ---- what is waited for ------------------------------------------------------------------------------ */

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

/* Passes on what comes to `port` of loopback to the broker: one process a connection. */
static void relay(int from, const char *to)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)atoi(strrchr(to, ':') + 1))};
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    int fds[2] = {from, socket(AF_INET, SOCK_STREAM, 0)};
    if (connect(fds[1], (struct sockaddr *)&a, sizeof a) != 0)
        _exit(1);
    for (;;) {
        struct pollfd p[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
        char bytes[4096];
        if (poll(p, 2, -1) < 0)
            _exit(1);
        for (int i = 0; i < 2; i++) {
            if (p[i].revents == 0)
                continue;
            ssize_t n = read(fds[i], bytes, sizeof bytes);
            if (n <= 0 || write(fds[!i], bytes, (size_t)n) != n)
                _exit(0);
        }
    }
}

static pid_t relay_start(int port, const char *to)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 16) != 0)
        _exit(1);
    for (;;) {
        int got = accept(fd, NULL, NULL);
        if (got >= 0 && fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(fd);
            relay(got, to);
        }
        close(got);
    }
}

/* No broker answers at first: it says so, can be stopped, and goes on when there is one. */
static void test_no_kafka(void **state)
{
    struct world *w = *state;
    char broker[sizeof w->bootstrap];
    int port = free_port();
    memcpy(broker, w->bootstrap, sizeof broker);
    snprintf(w->bootstrap, sizeof w->bootstrap, "127.0.0.1:%d", port);
    w->port = free_port();
    pid_t e = engine_start(w, false, NULL);
    wait_health(w, "waiting for Kafka");
    wait_log(w, "event=kafka_away");
    engine_stop(w, e);
    e = engine_start(w, false, NULL);
    wait_health(w, "503");
    pid_t relaying = relay_start(port, broker);
    wait_health(w, "200 OK");
    wait_done(w);
    engine_stop(w, e);
    kill(relaying, SIGKILL);
    waitpid(relaying, NULL, 0);
    memcpy(w->bootstrap, broker, sizeof broker);
    check(w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parks, world_start, world_stop),
        cmocka_unit_test_setup_teardown(test_poison, world_start, world_stop),
        cmocka_unit_test_setup_teardown(test_waits, world_start, world_stop),
        cmocka_unit_test_setup_teardown(test_no_kafka, world_start, world_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
