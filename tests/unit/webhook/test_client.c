/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP client against a server of a few lines in the same loop that does what it is told: answers,
 * cuts its answer off, says nothing, closes.  What counts is what is said about it afterwards: were
 * bytes sent, did a whole answer come, was it sent twice?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "webhook.h"

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
#define BODY "{\"id\":\"m\"}"

struct server {
    int listen_fd, port, fds[16];
    size_t n;
    char in[65536]; /* what came, all connections together */
    size_t got;
    const char *answer; /* to the next whole request; NULL = none */
    size_t answer_n;
    bool close_after; /* the answer, or the request without one */
    bool reset;       /* … by RST */
    unsigned requests, accepts;
};

struct seen {
    unsigned n;
    bool sent, complete, resent, blocked, truncated;
    int curl, status;
    size_t body;
    char retry_after[64], headers[512];
};

static int64_t mono(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void server_up(struct server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    memset(s, 0, sizeof *s);
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(s->listen_fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s->listen_fd, 16), 0);
    assert_int_equal(getsockname(s->listen_fd, (struct sockaddr *)&at, &n), 0);
    s->port = ntohs(at.sin_port);
    s->answer = OK_ANSWER;
    s->answer_n = strlen(OK_ANSWER);
}

static void server_close(struct server *s, size_t i)
{
    struct linger l = {1, 0};
    if (s->reset)
        (void)setsockopt(s->fds[i], SOL_SOCKET, SO_LINGER, &l, sizeof l);
    (void)close(s->fds[i]);
    s->fds[i] = s->fds[--s->n];
}

static void server_down(struct server *s)
{
    while (s->n)
        server_close(s, 0);
    (void)close(s->listen_fd);
}

static void server_turn(struct server *s)
{
    int fd;
    while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        s->accepts++;
        s->fds[s->n++] = fd;
    }
    for (size_t i = 0; i < s->n;) {
        ssize_t n = recv(s->fds[i], s->in + s->got, sizeof s->in - 1 - s->got, 0);
        if (n == 0) {
            server_close(s, i);
            continue;
        }
        if (n > 0) {
            s->got += (size_t)n;
            s->in[s->got] = '\0';
        }
        if (n > 0 && s->got >= strlen(BODY) && strcmp(s->in + s->got - strlen(BODY), BODY) == 0) {
            s->requests++;
            if (s->answer)
                assert_true(send(s->fds[i], s->answer, s->answer_n, 0) > 0);
            if (s->close_after) {
                server_close(s, i);
                continue;
            }
        }
        i++;
    }
}

static void on_done(void *arg, void *opaque, const struct webhook_answer *w)
{
    struct seen *e = arg;
    assert_ptr_equal(opaque, e);
    e->n++;
    e->sent = w->sent;
    e->complete = w->complete;
    e->resent = w->resent;
    e->blocked = w->blocked;
    e->truncated = w->truncated;
    e->curl = w->curl;
    e->status = w->status;
    e->body = w->body.n;
    (void)snprintf(e->retry_after, sizeof e->retry_after, STR_FMT, STR_ARG(w->retry_after));
    (void)snprintf(e->headers, sizeof e->headers, STR_FMT, STR_ARG(w->headers));
}

static struct webhook_adapter *adapter(const char *url, const char *more)
{
    char text[1024], secret[] = "/tmp/rouse-test-secret-XXXXXX";
    int fd = mkstemp(secret);
    assert_true(fd >= 0);
    assert_true(write(fd, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", 39) == 39);
    (void)close(fd);
    (void)snprintf(text, sizeof text,
                   "name: a\nkind: standard_webhook\nurl: %s\nplain_http: true\nsecret_file: %s\n"
                   "timeouts: {connect: 1s, total: 1s}\n%s",
                   url, secret, more);
    struct webhook_adapter_options o = {0};
    struct webhook_adapter *a = NULL;
    struct diags *d = diags_new();
    assert_int_equal(webhook_adapter_read(STR("a.yaml"), str_c(text), &o, d, &a, NULL), 0);
    diags_free(&d);
    (void)unlink(secret);
    return a;
}

static void ask(struct webhook_client *c, const struct webhook_adapter *a, struct server *s,
                struct seen *e)
{
    struct err err = {0};
    unsigned before = e->n;
    int64_t end = mono() + 5000;
    if (s)
        s->got = 0;
    assert_int_equal(webhook_send(c, a, "m", 1700000000, STR(BODY), e, mono(), &err), 0);
    assert_int_equal(webhook_client_in_flight(c), 1);
    while (e->n == before) {
        int64_t wait = webhook_client_timeout_ms(c, mono());
        struct pollfd p = {.fd = webhook_client_fd(c), .events = POLLIN};
        (void)poll(&p, 1, wait < 0 || wait > 5 ? 5 : (int)wait);
        webhook_client_poll(c, mono());
        if (s)
            server_turn(s);
        assert_true(mono() < end);
    }
    assert_int_equal(e->n, before + 1);
    assert_int_equal(webhook_client_in_flight(c), 0);
}

struct world {
    struct server s;
    struct webhook_client *c;
    struct webhook_adapter *a;
    struct seen e;
};

static void up(struct world *w)
{
    char url[64];
    memset(w, 0, sizeof *w);
    server_up(&w->s);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/x", w->s.port);
    w->a = adapter(url, "allow: [127.0.0.0/8]\n");
    assert_int_equal(webhook_client_new(0, on_done, &w->e, &w->c, NULL), 0);
}

static void down(struct world *w)
{
    webhook_client_free(&w->c);
    webhook_adapter_free(&w->a);
    server_down(&w->s);
}

static void test_answers(void **state)
{
    struct world w;
    (void)state;
    up(&w);
    for (int i = 0; i < 3; i++) {
        ask(w.c, w.a, &w.s, &w.e);
        assert_true(w.e.sent && w.e.complete && !w.e.resent);
        assert_int_equal(w.e.status, 200);
    }
    assert_int_equal(w.s.accepts, 1); /* the connection is kept */
    assert_int_equal(w.s.requests, 3);
    assert_non_null(strstr(w.s.in, "POST /x HTTP/1.1\r\n"));
    assert_non_null(strstr(w.s.in, "webhook-id: m\r\n"));
    assert_non_null(strstr(w.s.in, "webhook-timestamp: 1700000000\r\n"));
    assert_non_null(strstr(w.s.in, "webhook-signature: v1,"));
    assert_non_null(strstr(w.s.in, "Content-Type: application/json\r\n"));
    assert_null(strstr(w.s.in, "Expect:"));
    w.s.answer = "HTTP/1.1 429 No\r\nRetry-After: 17\r\nX-Why: Busy\r\nContent-Length: 0\r\n\r\n";
    w.s.answer_n = strlen(w.s.answer);
    ask(w.c, w.a, &w.s, &w.e);
    assert_int_equal(w.e.status, 429);
    assert_string_equal(w.e.retry_after, " 17");
    assert_non_null(strstr(w.e.headers, "x-why: Busy\n"));
    w.s.answer =
        "HTTP/1.1 307 No\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n";
    w.s.answer_n = strlen(w.s.answer);
    ask(w.c, w.a, &w.s, &w.e);
    assert_int_equal(w.e.status, 307);
    assert_true(w.e.complete);
    down(&w);
}

/* libcurl sends a POST a second time when a reused connection dies before the answer, and reports one
 * success: with FIN and with RST. */
static void resend(bool reset)
{
    struct world w;
    up(&w);
    ask(w.c, w.a, &w.s, &w.e);
    w.s.answer = NULL;
    w.s.close_after = true;
    w.s.reset = reset;
    ask(w.c, w.a, &w.s, &w.e);
    assert_int_equal(w.s.requests, 2); /* the first, and this one once */
    assert_true(w.e.sent && w.e.resent && !w.e.complete);
    down(&w);
}

static void test_no_resend(void **state)
{
    (void)state;
    resend(false);
    resend(true);
}

static void test_cut(void **state)
{
    static const struct {
        const char *answer;
        bool complete;
        int status;
    } cases[] = {
        {NULL, false, 0},                              /* closed after the request */
        {"HTTP/1.1 200 OK\r\nContent-Le", false, 200}, /* in the headers */
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", false, 200}, /* in the body */
        {"garbage\r\n\r\n", false, 0},                                    /* no HTTP */
        {"HTTP/1.1 200 OK\r\n\r\n{}", true, 200},                         /* the end is the end */
    };
    (void)state;
    for (size_t i = 0; i < BASE_LEN(cases); i++) {
        struct world w;
        up(&w);
        w.s.answer = cases[i].answer;
        w.s.answer_n = cases[i].answer ? strlen(cases[i].answer) : 0;
        w.s.close_after = true;
        ask(w.c, w.a, &w.s, &w.e);
        assert_true(w.e.sent);
        assert_int_equal(w.e.complete, cases[i].complete);
        if (cases[i].status)
            assert_int_equal(w.e.status, cases[i].status);
        down(&w);
    }
}

static void test_silent(void **state)
{
    struct world w;
    (void)state;
    up(&w);
    w.s.answer = NULL;
    ask(w.c, w.a, &w.s, &w.e);
    assert_true(w.e.sent && !w.e.complete);
    assert_int_equal(w.e.curl, 28);
    down(&w);
}

static void test_large(void **state)
{
    enum { N = WEBHOOK_MAX_BODY + 5000 };
    static char big[N + 100];
    struct world w;
    (void)state;
    up(&w);
    int n = snprintf(big, sizeof big, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", (int)N);
    memset(big + n, 'x', N);
    w.s.answer = big;
    w.s.answer_n = (size_t)n + N;
    ask(w.c, w.a, &w.s, &w.e);
    assert_true(w.e.sent && w.e.complete && w.e.truncated);
    assert_int_equal(w.e.body, WEBHOOK_MAX_BODY);
    down(&w);
}

static void test_unreachable(void **state)
{
    struct world w;
    (void)state;
    up(&w);
    (void)close(w.s.listen_fd);
    w.s.listen_fd = -1;
    ask(w.c, w.a, NULL, &w.e);
    assert_true(!w.e.sent && !w.e.complete && !w.e.blocked);
    assert_int_equal(w.e.curl, 7);
    down(&w);
}

static void test_forbidden(void **state)
{
    static const char *const urls[] = {"http://127.0.0.1:9/",  "http://169.254.169.254/",
                                       "http://[::1]:9/",      "http://[::ffff:127.0.0.1]:9/",
                                       "http://0x7f000001:9/", "http://localhost:9/"};
    (void)state;
    for (size_t i = 0; i < BASE_LEN(urls); i++) {
        struct webhook_adapter *a = adapter(urls[i], "allow: [192.168.0.0/16]\n");
        struct webhook_client *c;
        struct seen e = {0};
        assert_int_equal(webhook_client_new(0, on_done, &e, &c, NULL), 0);
        ask(c, a, NULL, &e);
        assert_true(!e.sent && e.blocked);
        webhook_client_free(&c);
        webhook_adapter_free(&a);
    }
}

static void test_free_in_flight(void **state)
{
    struct world w;
    (void)state;
    up(&w);
    assert_int_equal(webhook_send(w.c, w.a, "m", 1, STR(BODY), &w.e, mono(), NULL), 0);
    down(&w);
    assert_int_equal(w.e.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),   cmocka_unit_test(test_no_resend),
        cmocka_unit_test(test_cut),       cmocka_unit_test(test_silent),
        cmocka_unit_test(test_large),     cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_forbidden), cmocka_unit_test(test_free_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
