/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection, against a scripted server on a unix socket (lost replies, garbage, deadlines) and
 * against a real one (rights, eviction, kill -9 with the append-only file).
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "server.h"

#define GREETING "$14\r\nrole:master\r\nx\r\n" /* INFO, as short as it goes */
#define TOK "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* ---- a server that does as it is told --------------------------------------------------------------- */

struct fake {
    char dir[64], address[128];
    int listen_fd, fd;
    struct redis *r;
    struct err err;
};

static void fake_say(struct fake *f, const char *text)
{
    assert_int_equal(write(f->fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Reads what the client has sent until `n` bytes or nothing more comes. */
static size_t fake_read(struct fake *f)
{
    char buf[4096];
    size_t n = 0;
    struct pollfd p = {.fd = f->fd, .events = POLLIN};
    while (poll(&p, 1, 20) > 0) {
        ssize_t got = read(f->fd, buf, sizeof buf);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    return n;
}

static int fake_start(void **state)
{
    struct fake *f = xcalloc(1, sizeof *f);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(f->dir, sizeof f->dir, "/tmp/rouse-fake-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(a.sun_path, sizeof a.sun_path, "%s/s", f->dir);
    snprintf(f->address, sizeof f->address, "unix:%s", a.sun_path);
    f->listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(f->listen_fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(f->listen_fd, 8), 0);
    struct redis_conf c = {.address = f->address, .max_reply = 1 << 16, .max_pending = 1 << 16};
    assert_int_equal(redis_new(&c, &f->r, &f->err), 0);
    f->fd = -1;
    *state = f;
    return 0;
}

static int fake_stop(void **state)
{
    struct fake *f = *state;
    redis_free(&f->r);
    close(f->listen_fd);
    if (f->fd >= 0)
        close(f->fd);
    char cmd[96];
    snprintf(cmd, sizeof cmd, "rm -rf %s", f->dir);
    assert_int_equal(system(cmd), 0);
    free(f);
    return 0;
}

/* Connected; the client has asked INFO. */
static void fake_accept(struct fake *f)
{
    assert_int_equal(redis_connect(f->r, 1000, &f->err), 0);
    f->fd = accept(f->listen_fd, NULL, NULL);
    assert_true(f->fd >= 0);
    assert_int_equal(redis_poll(f->r, 1, &f->err), 0);
    assert_int_equal(redis_state(f->r), REDIS_GREETING);
    assert_true(fake_read(f) > 0);
}

static void fake_ready(struct fake *f)
{
    fake_accept(f);
    fake_say(f, GREETING);
    assert_int_equal(redis_poll(f->r, 1, &f->err), 0);
    assert_int_equal(redis_state(f->r), REDIS_READY);
}

struct got {
    int calls, order;
    enum redis_outcome outcome;
    enum redis_fault fault;
    char text[512];
    struct redis *r; /* to close from inside */
};
static int order;

static void on_got(void *arg, const struct redis_result *res)
{
    struct got *g = arg;
    g->calls++;
    g->order = ++order;
    g->outcome = res->outcome;
    g->fault = res->fault;
    if (res->reply != NULL && res->reply->s.p != NULL)
        snprintf(g->text, sizeof g->text, "%s", res->reply->s.p);
    else
        snprintf(g->text, sizeof g->text, "%s", res->err.text);
    if (g->r != NULL)
        redis_close(g->r, "closed inside");
}

static int ping(struct fake *f, struct got *g, int64_t deadline)
{
    const struct str argv[] = {STR("PING")};
    *g = (struct got){.r = g->r};
    return redis_send(f->r, argv, 1, deadline, on_got, g, &f->err);
}

/* ---- tests --------------------------------------------------------------------------------------------- */

static void test_pipeline(void **state)
{
    struct fake *f = *state;
    struct got g[3] = {0};
    fake_ready(f);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ping(f, &g[i], 100), 0);
    assert_int_equal(redis_poll(f->r, 2, &f->err), 0);
    fake_say(f, "+one\r\n$3\r\nt"); /* a reply in pieces */
    assert_int_equal(redis_poll(f->r, 2, &f->err), 0);
    assert_int_equal(g[0].calls, 1);
    assert_int_equal(g[1].calls, 0);
    fake_say(f, "wo\r\n-BUSY a script\r\n");
    assert_int_equal(redis_poll(f->r, 2, &f->err), 0);
    assert_string_equal(g[0].text, "one");
    assert_string_equal(g[1].text, "two");
    assert_int_equal(g[2].outcome, REDIS_REFUSED);
    assert_int_equal(g[2].fault, REDIS_FAULT_HOLD);
    assert_true(g[0].order < g[1].order && g[1].order < g[2].order);
}

/* What was written may have happened; what was not, has not. */
static void test_lost_reply(void **state)
{
    struct fake *f = *state;
    struct got g[2] = {0};
    fake_ready(f);
    assert_int_equal(ping(f, &g[0], 100), 0);
    assert_int_equal(redis_poll(f->r, 2, &f->err), 0);
    assert_int_equal(ping(f, &g[1], 100), 0); /* not written yet */
    close(f->fd);
    f->fd = -1;
    struct err err = {0};
    assert_int_equal(redis_poll(f->r, 2, &err), -1);
    assert_int_equal(err.kind, ERR_AGAIN);
    assert_int_equal(g[0].outcome, REDIS_UNCERTAIN);
    assert_int_equal(g[1].calls, 1);
    assert_int_not_equal(g[1].outcome, REDIS_DONE);
    assert_int_equal(redis_state(f->r), REDIS_DOWN);
    assert_int_equal(ping(f, &g[0], 100), -1);
    /* and again */
    err_clear(&f->err);
    fake_ready(f);
    assert_int_equal(ping(f, &g[0], 100), 0);
}

static void test_refused_unwritten(void **state)
{
    struct fake *f = *state;
    struct got g[2] = {0};
    fake_ready(f);
    assert_int_equal(ping(f, &g[0], 100), 0);
    redis_close(f->r, "changed my mind"); /* before any byte left */
    assert_int_equal(g[0].calls, 1);
    assert_int_equal(g[0].outcome, REDIS_REFUSED);
    assert_non_null(strstr(g[0].text, "changed my mind"));
}

static void test_deadline(void **state)
{
    struct fake *f = *state;
    struct got g[2] = {0};
    fake_ready(f);
    assert_int_equal(ping(f, &g[0], 100), 0);
    assert_int_equal(ping(f, &g[1], 500), 0);
    assert_int_equal(redis_poll(f->r, 100, &f->err), 0);
    assert_int_equal(redis_poll(f->r, 101, &f->err), -1);
    assert_int_equal(g[0].outcome, REDIS_UNCERTAIN);
    assert_int_equal(g[1].outcome, REDIS_UNCERTAIN);
    assert_non_null(strstr(f->err.text, "no reply in time"));
    err_clear(&f->err);
    fake_accept(f); /* nobody greets back */
    assert_int_equal(redis_poll(f->r, 1001, &f->err), -1);
}

static void test_close_inside(void **state)
{
    struct fake *f = *state;
    struct got g[2] = {{.r = f->r}, {0}};
    fake_ready(f);
    assert_int_equal(ping(f, &g[0], 100), 0);
    assert_int_equal(ping(f, &g[1], 100), 0);
    assert_int_equal(redis_poll(f->r, 2, &f->err), 0);
    fake_say(f, "+a\r\n+b\r\n");
    assert_int_equal(redis_poll(f->r, 2, &f->err), -1);
    assert_int_equal(g[0].outcome, REDIS_DONE);
    assert_int_equal(g[1].outcome, REDIS_UNCERTAIN);
}

static void test_bad_replies(void **state)
{
    struct fake *f = *state;
    static char huge[(1 << 16) + 100];
    memset(huge, 'x', sizeof huge - 1);
    memcpy(huge, "$9999999\r\n", 10);
    const char *const bad[] = {"hello\r\n",
                               "*2000000\r\n",
                               "*9999999999999\r\n",
                               "+asked\r\n+not\r\n",
                               "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
                               huge};
    for (size_t i = 0; i < BASE_LEN(bad); i++) {
        struct got g = {0};
        err_clear(&f->err);
        fake_ready(f);
        assert_int_equal(ping(f, &g, 100), 0);
        assert_int_equal(redis_poll(f->r, 2, &f->err), 0);
        fake_say(f, bad[i]);
        int rc = 0;
        for (int k = 0; k < 5 && rc == 0; k++)
            rc = redis_poll(f->r, 2, &f->err);
        assert_int_equal(rc, -1);
        assert_int_equal(g.calls, 1);
        close(f->fd);
        f->fd = -1;
    }
}

static void test_backlog(void **state)
{
    struct fake *f = *state;
    struct got g = {0};
    static char big[1 << 17];
    fake_ready(f);
    const struct str argv[] = {STR("ECHO"), {big, sizeof big}};
    assert_int_equal(redis_send(f->r, argv, 2, 100, on_got, &g, &f->err), 0);
    assert_int_equal(redis_send(f->r, argv, 2, 100, on_got, &g, &f->err), -1);
    assert_int_equal(f->err.kind, ERR_AGAIN);
}

static void test_greetings(void **state)
{
    struct fake *f = *state;
    static const struct {
        const char *say, *text;
        enum err_kind kind;
    } t[] = {
        {"$41\r\nmaxmemory_policy:allkeys-lru\r\nrole:master\r\n", "set noeviction", ERR_FATAL},
        {"$10\r\nrole:slave\r\n", "replica", ERR_AGAIN},
        {"-LOADING Redis is loading\r\n", "LOADING", ERR_AGAIN},
        {"-NOAUTH Authentication required.\r\n", "redis-password", ERR_FATAL},
        {"-NOPERM no\r\n", "lacks rights", ERR_FATAL},
        {"-ERR max number of clients reached\r\n", "maxclients", ERR_AGAIN},
    };
    for (size_t i = 0; i < BASE_LEN(t); i++) {
        err_clear(&f->err);
        fake_accept(f);
        fake_say(f, t[i].say);
        assert_int_equal(redis_poll(f->r, 2, &f->err), -1);
        assert_non_null(strstr(f->err.text, t[i].text));
        assert_int_equal(f->err.kind, t[i].kind);
        close(f->fd);
        f->fd = -1;
    }
}

/* The server goes while it is being asked who it is: the next connection knows nothing of that. */
static void test_greeting_lost(void **state)
{
    struct fake *f = *state;
    fake_accept(f);
    close(f->fd);
    assert_int_equal(redis_poll(f->r, 1, &f->err), -1);
    assert_int_equal(redis_state(f->r), REDIS_DOWN);
    fake_ready(f);
}

static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        enum redis_fault fault;
    } t[] = {
        {"CONFLICT it stands at 7.0", REDIS_FAULT_CONFLICT},
        {"NOMETA no home slot", REDIS_FAULT_NOMETA},
        {"LOADING Redis is loading the dataset in memory", REDIS_FAULT_HOLD},
        {"BUSY Redis is busy running a script", REDIS_FAULT_HOLD},
        {"OOM command not allowed when used memory > 'maxmemory'.", REDIS_FAULT_HOLD},
        {"MISCONF Redis is configured to save RDB snapshots", REDIS_FAULT_HOLD},
        {"NOREPLICAS Not enough good replicas to write.", REDIS_FAULT_HOLD},
        {"CLUSTERDOWN The cluster is down", REDIS_FAULT_HOLD},
        {"MASTERDOWN Link with MASTER is down", REDIS_FAULT_HOLD},
        {"TRYAGAIN Multiple keys request during rehashing of slot", REDIS_FAULT_HOLD},
        {"READONLY You can't write against a read only replica.", REDIS_FAULT_ELSEWHERE},
        {"MOVED 3999 127.0.0.1:6381", REDIS_FAULT_ELSEWHERE},
        {"ASK 3999 127.0.0.1:6381", REDIS_FAULT_ELSEWHERE},
        {"NOAUTH Authentication required.", REDIS_FAULT_SETUP},
        {"NOPERM this user has no permissions", REDIS_FAULT_SETUP},
        {"NOSCRIPT No matching script.", REDIS_FAULT_SETUP},
        {"ERR Function not found", REDIS_FAULT_SETUP},
        {"ERR unknown command 'FCALL'", REDIS_FAULT_SETUP},
        {"ERR wrong number of arguments", REDIS_FAULT_BUG},
        {"WRONGTYPE Operation against a key", REDIS_FAULT_BUG},
        {"CROSSSLOT Keys in request", REDIS_FAULT_BUG},
        {"NEVERHEARD of", REDIS_FAULT_BUG},
        {"", REDIS_FAULT_BUG},
    };
    for (size_t i = 0; i < BASE_LEN(t); i++) {
        const char *help;
        assert_int_equal(redis_fault(str_c(t[i].reply), &help), t[i].fault);
        assert_true(strlen(help) > 5);
    }
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "localhost", ":6379", "unix:relative"};
    for (size_t i = 0; i < BASE_LEN(bad); i++) {
        struct redis *r = NULL;
        struct redis_conf c = {.address = bad[i]};
        struct err err = {0};
        assert_int_equal(redis_new(&c, &r, &err), -1);
        assert_int_equal(err.kind, ERR_INPUT);
    }
    struct redis *r = NULL; /* nobody listens */
    struct redis_conf c = {.address = "127.0.0.1:1"};
    struct err err = {0};
    assert_int_equal(redis_new(&c, &r, &err), 0);
    assert_int_equal(redis_connect_wait(r, 2000, &err), -1);
    assert_int_equal(err.kind, ERR_AGAIN);
    redis_free(&r);
    c.address = "unix:/nonexistent/s";
    err_clear(&err);
    assert_int_equal(redis_new(&c, &r, &err), 0);
    assert_int_equal(redis_connect(r, 0, &err), -1);
    redis_free(&r);
}

/* ---- on a real server ------------------------------------------------------------------------------------ */

static int call(struct redis *r, const char *words, char *out, size_t n)
{
    char text[512];
    struct str argv[32];
    size_t argc = 0;
    char *save;
    snprintf(text, sizeof text, "%s", words);
    for (char *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        argv[argc++] = str_c(w);
    const struct redis_reply *reply;
    struct err err = {0};
    int rc = redis_call(r, argv, argc, 5000, &reply, &err);
    if (out != NULL)
        snprintf(out, n, "%s", rc != 0 ? err.text : reply->s.p != NULL ? reply->s.p : "");
    return rc;
}

static void on_commit(void *arg, const struct redis_result *res)
{
    if (res->outcome == REDIS_DONE)
        ++*(uint64_t *)arg;
}

/* The least that the engine's user needs: as in README.md.  A function runs with its caller's rights. */
#define ACL_USER                                                                                   \
    "ACL SETUSER eng on >secret ~rouse:* +fcall +fcall_ro +info +type +get +getrange +mget +mset " \
    "+unlink "                                                                                     \
    "+hget +hmget +hgetall +hset +hsetnx +hdel +zadd +zrem +zcount +zscore +zrank +zrange "        \
    "+zrangebylex"

static void test_rights(void **state)
{
    (void)state;
    struct server s = {0};
    struct redis *admin, *user;
    struct err err = {0};
    char text[512];
    server_start(&s, &admin);
    assert_int_equal(redis_init_library(admin, 5000, &err), 0);
    for (uint32_t p = 0; p < 4; p++)
        assert_int_equal(redis_init_home(admin, 1, 4, p, 5000, &err), 1);
    assert_int_equal(call(admin, ACL_USER, NULL, 0), 0);
    assert_int_equal(call(admin, "CONFIG SET requirepass other", NULL, 0), 0);
    struct redis_conf c = {.address = s.address, .user = "eng", .password = "secret"};
    assert_int_equal(redis_new(&c, &user, &err), 0);
    if (redis_connect_wait(user, 5000, &err) != 0)
        fail_msg("%s", err.text);
    struct redis_member m; /* FCALL is all it needs */
    if (redis_read_member(user, 4, STR("x"), 5000, &m, &err) != 0)
        fail_msg("%s", err.text);
    struct redis_home h;
    struct redis_cursor c0 = {.tok = TOK};
    struct redis_field meta[] = {{STR("off"), STR("1")}, {STR("sub"), STR("0")}};
    struct redis_change ch[] = {{STR("a"), STR("s"), 5, false, true},
                                {STR("b"), STR(""), 5, true, true}};
    const struct redis_tag tag[] = {{STR("a"), STR("t"), STR("1"), false},
                                    {STR("a"), STR("u"), STR(""), true}};
    const struct redis_sent sent = {0, STR("a"), STR("r"), STR("m")};
    const struct redis_link link[] = {{STR("t"), STR("k"), STR("a"), false},
                                      {STR("t"), STR("k"), STR("b"), true}};
    const struct redis_commit w = {.changes = ch,
                                   .n_changes = 2,
                                   .tags = tag,
                                   .n_tags = 2,
                                   .sent = &sent,
                                   .n_sent = 1,
                                   .links = link,
                                   .n_links = 2,
                                   .meta = meta,
                                   .n_meta = 2,
                                   .drop_to = 3};
    const struct redis_due due = {1, STR("x"), 9, 5, false}; /* "a" is there */
    const uint64_t seq = 0;
    uint64_t done = 0;
    redis_home(&h, 0, 4);
    redis_claim(user, &h, TOK, INT64_MAX, on_commit, &done, NULL);
    redis_load(user, &h, &c0, &ch[0].member, 1, 0, &seq, 1, INT64_MAX, on_commit, &done, NULL);
    redis_commit(user, &h, &c0, &w, INT64_MAX, on_commit, &done, NULL);
    c0.off = 1;
    redis_timers(user, &h, &c0, &due, INT64_MAX, on_commit, &done, NULL);
    redis_index(user, &h, &c0, STR("t"), STR("k"), STR(""), 5, INT64_MAX, on_commit, &done, NULL);
    assert_int_equal(redis_drain(user, 5000, &err), 0);
    assert_int_equal(done, 5);
    assert_int_equal(call(user, "SET rouse:x 1", text, sizeof text), -1);
    assert_non_null(strstr(text, "NOPERM"));
    assert_int_equal(redis_init_library(user, 5000, &err), -1);
    redis_free(&user);
    c.password = "wrong";
    err_clear(&err);
    assert_int_equal(redis_new(&c, &user, &err), 0);
    assert_int_equal(redis_connect_wait(user, 5000, &err), -1);
    assert_int_equal(err.kind, ERR_FATAL);
    assert_null(strstr(err.text, "wrong:")); /* no password in a message */
    redis_free(&user);
    redis_free(&admin);
    server_stop(&s);
}

static void test_eviction(void **state)
{
    (void)state;
    struct server s = {0};
    struct redis *r;
    struct err err = {0};
    server_start(&s, &r);
    assert_int_equal(call(r, "CONFIG SET maxmemory-policy allkeys-lru", NULL, 0), 0);
    redis_close(r, "test");
    assert_int_equal(redis_connect_wait(r, 5000, &err), -1);
    assert_non_null(strstr(err.text, "noeviction"));
    redis_free(&r);
    server_stop(&s);
}

/* kill -9 in the middle of commits: state and cursor come back together, the functions too. */
static void test_kill(void **state)
{
    (void)state;
    struct server s = {.extra = {"--appendonly", "yes", "--appendfsync", "always"}};
    struct redis *r;
    struct redis_home h;
    struct err err = {0};
    server_start(&s, &r);
    assert_int_equal(redis_init_library(r, 5000, &err), 0);
    assert_int_equal(redis_init_home(r, 1, 4, 0, 5000, &err), 1);
    redis_home(&h, 0, 4);
    uint64_t done = 0, none = 0;
    struct redis_cursor c = {.tok = TOK};
    assert_int_equal(redis_claim(r, &h, TOK, INT64_MAX, on_commit, &none, NULL), 0);
    for (int i = 0; i < 3000; i++) {
        char off[24], value[24];
        snprintf(off, sizeof off, "%d", i + 1);
        snprintf(value, sizeof value, "v%d", i + 1);
        const struct redis_change ch = {STR("m"), str_c(value), i, false, true};
        const struct redis_field meta[] = {{STR("off"), str_c(off)}, {STR("sub"), STR("0")}};
        const struct redis_commit w = {.changes = &ch, .n_changes = 1, .meta = meta, .n_meta = 2};
        assert_int_equal(redis_commit(r, &h, &c, &w, INT64_MAX, on_commit, &done, NULL), 0);
        c.off++;
        if (i == 1000)
            server_kill(&s, SIGKILL);
        if (redis_poll(r, 0, &err) != 0)
            break;
    }
    redis_free(&r);
    server_run(&s);
    server_wait(&s, &r);
    const struct redis_reply *reply;
    char key[64];
    snprintf(key, sizeof key, "%smeta", h.text);
    const struct str get[] = {STR("HGET"), str_c(key), STR("off")};
    assert_int_equal(redis_call(r, get, 3, 5000, &reply, &err), 0);
    int64_t off;
    assert_int_equal(str_i64(reply->s, &off), 0);
    assert_true((uint64_t)off >= done); /* acknowledged under `always` */
    snprintf(key, sizeof key, "%ss:m", h.text);
    const struct str state_of[] = {STR("GET"), str_c(key)};
    assert_int_equal(redis_call(r, state_of, 2, 5000, &reply, &err), 0);
    assert_int_equal(atoll(reply->s.p + 9), off); /* behind the due moment */
    struct redis_member m;                        /* FUNCTION LOAD is in the file too */
    err_clear(&err);
    assert_true(redis_read_member(r, 4, STR("nobody"), 5000, &m, &err) >= 0 ||
                strcmp(err.code, "nometa") == 0);
    redis_free(&r);
    server_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pipeline, fake_start, fake_stop),
        cmocka_unit_test_setup_teardown(test_lost_reply, fake_start, fake_stop),
        cmocka_unit_test_setup_teardown(test_refused_unwritten, fake_start, fake_stop),
        cmocka_unit_test_setup_teardown(test_deadline, fake_start, fake_stop),
        cmocka_unit_test_setup_teardown(test_close_inside, fake_start, fake_stop),
        cmocka_unit_test_setup_teardown(test_bad_replies, fake_start, fake_stop),
        cmocka_unit_test_setup_teardown(test_backlog, fake_start, fake_stop),
        cmocka_unit_test_setup_teardown(test_greetings, fake_start, fake_stop),
        cmocka_unit_test_setup_teardown(test_greeting_lost, fake_start, fake_stop),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
