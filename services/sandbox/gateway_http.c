/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP/1.1 server of our own, because the point of these gateways is to do what a decent server
 * never does: end a connection in the middle of an answer, take a message and stay silent, close the
 * door for a while.  One thread, epoll, keep-alive, requests with Content-Length only.
 *
 * In each turn all requests that have come are handled first, then before_answers (the journal) is
 * called, and only then do answers leave: what was answered is in the journal.
 */
#include "gateway_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_HEAD 16384
#define MAX_BODY (1u << 20)
#define EVENTS 256

struct conn {
    struct conn *prev, *next;
    int fd;
    bool eof, stalled, closing; /* closing: after what is in `out` */
    bool watching_write;
    struct buf in, out;
    size_t sent;
};

struct gw_server {
    int epfd, listen_fd, port;
    struct sockaddr_in at;
    int64_t up_at; /* mono ms; 0 = up */
    gw_handler_fn *fn;
    void (*before_answers)(void *arg);
    void *arg;
    struct conn *conns, *dead;
};

/* ---- connections ------------------------------------------------------------------------------------------- */

static void conn_close(struct gw_server *s, struct conn *c)
{
    if (c->fd < 0)
        return;
    (void)close(c->fd);
    c->fd = -1;
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->next = s->dead;
    s->dead = c;
}

static void bury(struct gw_server *s)
{
    while (s->dead) {
        struct conn *c = s->dead;
        s->dead = c->next;
        buf_free(&c->in);
        buf_free(&c->out);
        free(c);
    }
}

static void accept_all(struct gw_server *s)
{
    for (;;) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
        if (fd < 0)
            return;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct conn *c = xcalloc(1, sizeof *c);
        c->fd = fd;
        buf_init(&c->in, MAX_HEAD + MAX_BODY);
        buf_init(&c->out, MAX_BODY * 4);
        c->next = s->conns;
        if (c->next)
            c->next->prev = c;
        s->conns = c;
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
        (void)epoll_ctl(s->epfd, EPOLL_CTL_ADD, fd, &ev);
    }
}

static void read_some(struct conn *c)
{
    char chunk[16384];
    for (;;) {
        ssize_t n = recv(c->fd, chunk, sizeof chunk, 0);
        if (n > 0)
            buf_add(&c->in, chunk, (size_t)n);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || c->in.over)
            c->eof = true;
        if (n < (ssize_t)sizeof chunk)
            return;
    }
}

/* ---- requests ------------------------------------------------------------------------------------------------ */

static struct str until(struct str s, const char *what)
{
    const char *at = s.n ? memmem(s.p, s.n, what, strlen(what)) : NULL;
    return (struct str){s.p, at ? (size_t)(at - s.p) : s.n};
}

static bool named(struct str line, const char *name, struct str *value)
{
    size_t n = strlen(name);
    if (line.n <= n || line.p[n] != ':' || strncasecmp(line.p, name, n) != 0)
        return false;
    *value = (struct str){line.p + n + 1, line.n - n - 1};
    while (value->n && value->p[0] == ' ')
        *value = (struct str){value->p + 1, value->n - 1};
    return true;
}

/* 1 a request (*used bytes of it), 0 not all there yet, -1 not HTTP as we speak it. */
static int parse(struct str in, struct gw_request *r, size_t *used)
{
    struct str head = until(in, "\r\n\r\n"), v;
    int64_t length = 0;
    memset(r, 0, sizeof *r);
    if (head.n == in.n)
        return in.n > MAX_HEAD ? -1 : 0;
    struct str line = until(head, "\r\n");
    r->method = until(line, " ");
    if (r->method.n + 2 > line.n)
        return -1;
    r->path = until((struct str){line.p + r->method.n + 1, line.n - r->method.n - 1}, " ");
    for (size_t at = line.n + 2; at < head.n; at += line.n + 2) {
        line = until((struct str){head.p + at, head.n - at}, "\r\n");
        if (named(line, "content-length", &v) && (str_i64(v, &length) || length < 0))
            return -1;
        if (named(line, "transfer-encoding", &v))
            return -1;
        (void)named(line, "webhook-id", &r->id);
        (void)named(line, "webhook-timestamp", &r->timestamp);
        (void)named(line, "webhook-signature", &r->signature);
    }
    if (length > MAX_BODY)
        return -1;
    *used = head.n + 4 + (size_t)length;
    if (in.n < *used)
        return 0;
    r->body = (struct str){in.p + head.n + 4, (size_t)length};
    return 1;
}

static void answer(struct conn *c, struct gw_reply *a)
{
    size_t body = a->action == GW_HALF ? a->body.n / 2 : a->body.n;
    c->stalled = a->action == GW_STALL;
    c->closing = a->action == GW_CLOSE || a->action == GW_HALF;
    if (a->action == GW_CLOSE || a->action == GW_STALL)
        return;
    buf_addf(&c->out,
             "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n",
             a->status, a->status < 300 ? "OK" : "No", a->body.n, a->headers);
    buf_add(&c->out, a->body.p ? a->body.p : "", body);
}

static void serve(struct gw_server *s, struct conn *c)
{
    size_t done = 0, used = 0;
    while (!c->stalled && !c->closing) {
        struct gw_request r;
        int rc = parse((struct str){c->in.p + done, c->in.n - done}, &r, &used);
        if (rc < 0)
            c->closing = true;
        if (rc <= 0)
            break;
        struct gw_reply a = {.status = 200, .headers = ""};
        buf_init(&a.body, MAX_BODY);
        s->fn(s->arg, &r, &a);
        answer(c, &a);
        buf_free(&a.body);
        done += used;
    }
    if (done) {
        memmove(c->in.p, c->in.p + done, c->in.n - done);
        c->in.n -= done;
    }
}

static void flush(struct gw_server *s, struct conn *c)
{
    while (c->sent < c->out.n) {
        ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            conn_close(s, c);
            return;
        }
        c->sent += (size_t)n;
    }
    bool more = c->sent < c->out.n;
    if (!more) {
        buf_reset(&c->out);
        c->sent = 0;
    }
    if ((c->closing && !more) || c->eof) {
        conn_close(s, c);
    } else if (more != c->watching_write) {
        struct epoll_event ev = {.events = EPOLLIN | (more ? (uint32_t)EPOLLOUT : 0),
                                 .data.ptr = c};
        (void)epoll_ctl(s->epfd, EPOLL_CTL_MOD, c->fd, &ev);
        c->watching_write = more;
    }
}

/* ---- the door ------------------------------------------------------------------------------------------------- */

static int open_door(struct gw_server *s, struct err *err)
{
    int one = 1;
    socklen_t n = sizeof s->at;
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->listen_fd < 0 || setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(s->listen_fd, (struct sockaddr *)&s->at, sizeof s->at) || listen(s->listen_fd, 4096) ||
        getsockname(s->listen_fd, (struct sockaddr *)&s->at, &n))
        return err_set(err, ERR_FATAL, "cannot listen: %s", strerror(errno));
    s->port = ntohs(s->at.sin_port);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
    (void)epoll_ctl(s->epfd, EPOLL_CTL_ADD, s->listen_fd, &ev);
    s->up_at = 0;
    return 0;
}

void gw_server_down(struct gw_server *s, int64_t ms)
{
    if (s->listen_fd >= 0)
        (void)close(s->listen_fd);
    s->listen_fd = -1;
    s->up_at = service_mono_ms() + ms;
    while (s->conns)
        conn_close(s, s->conns);
}

int gw_server_new(const char *address, gw_handler_fn *fn, void (*before_answers)(void *arg),
                  void *arg, struct gw_server **out, struct err *err)
{
    char host[64] = "";
    int port = -1;
    struct gw_server *s = xcalloc(1, sizeof *s);
    s->fn = fn;
    s->before_answers = before_answers;
    s->arg = arg;
    s->listen_fd = -1;
    s->epfd = epoll_create1(EPOLL_CLOEXEC);
    s->at.sin_family = AF_INET;
    *out = s;
    if (sscanf(address, "%63[0-9.]:%d", host, &port) != 2 || port < 0 || port > 65535 ||
        inet_pton(AF_INET, host, &s->at.sin_addr) != 1)
        return err_set(err, ERR_INPUT, "not an address like 127.0.0.1:8080: `%s`", address);
    s->at.sin_port = htons((uint16_t)port);
    return open_door(s, err);
}

void gw_server_free(struct gw_server **sp)
{
    struct gw_server *s = *sp;
    if (!s)
        return;
    while (s->conns)
        conn_close(s, s->conns);
    bury(s);
    if (s->listen_fd >= 0)
        (void)close(s->listen_fd);
    if (s->epfd >= 0)
        (void)close(s->epfd);
    free(s);
    *sp = NULL;
}

int gw_server_port(const struct gw_server *s)
{
    return s->port;
}

bool gw_server_turn(struct gw_server *s, int wait_ms, int stop_fd)
{
    struct epoll_event ev[EVENTS];
    struct err err = {0};
    if (s->up_at && service_mono_ms() >= s->up_at && open_door(s, &err) && s->listen_fd >= 0) {
        (void)close(s->listen_fd); /* the port is taken: knock again next turn */
        s->listen_fd = -1;
    }
    int n = epoll_wait(s->epfd, ev, EVENTS, s->up_at ? 10 : wait_ms);
    for (int i = 0; i < n; i++) {
        struct conn *c = ev[i].data.ptr;
        if (ev[i].data.ptr == s) {
            accept_all(s);
        } else if (ev[i].data.ptr && c->fd >= 0) {
            read_some(c);
            serve(s, c);
        }
    }
    s->before_answers(s->arg);
    for (int i = 0; i < n; i++) {
        struct conn *c = ev[i].data.ptr;
        if (ev[i].data.ptr && ev[i].data.ptr != s && c->fd >= 0)
            flush(s, c);
    }
    bury(s);
    uint64_t got[32];
    return read(stop_fd, got, sizeof got) <= 0;
}
