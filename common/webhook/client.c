/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: many POSTs at once on libcurl's multi interface, without a thread and without waiting.
 * libcurl tells which sockets it watches; they stand in an epoll set of our own whose descriptor the
 * caller watches.  Above a thousand transfers a further multi handle is opened: its internal lists
 * are linear.
 *
 * Each transfer belongs to a slot that keeps its easy handle between requests, because making one
 * costs more than the request.  What is checked on every request, also on a reused connection: that
 * libcurl asks to send it only once (it re-sends a POST by itself when a reused connection dies
 * before the first byte of an answer, and reports one success), and that the peer's address is one
 * that may be talked to.
 */
#include "webhook_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#define MAX_SLOTS 16384
#define MAX_POOLS 257 /* one a gateway, and one of slots that belong to none */
#define MAX_HEADERS 16384
#define MAX_IDLE_S 60 /* of a kept connection; below common servers' keep-alive */

struct shard;
struct slot {
    struct webhook_client *c;
    struct shard *shard;
    struct slot *next_free;
    CURL *easy;
    const struct webhook_adapter *adapter; /* whom the handle is set up for */
    struct curl_slist *headers;
    void *opaque;
    struct buf request, answer, answer_headers;
    uint32_t prereqs;
    bool headers_done, blocked, truncated;
    char retry_after[64];
};

struct shard {
    struct webhook_client *c;
    CURLM *multi;
    uint32_t n;       /* transfers */
    int64_t timer_at; /* mono ms; -1 = none */
};

struct pool { /* idle slots that are set up for a gateway */
    const struct webhook_adapter *adapter;
    struct slot *free;
};

struct webhook_client {
    int epfd;
    uint32_t max_transfers, in_flight, n_shards, n_slots;
    int64_t mono_ms; /* as the caller last said */
    webhook_done_fn *fn;
    void *arg;
    struct shard **shards;
    struct pool pools[MAX_POOLS];
    uint32_t n_pools;
    struct slot *slots[MAX_SLOTS];
};

/* ---- libcurl's callbacks ------------------------------------------------------------------------------ */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *seen)
{
    struct shard *s = arg;
    struct epoll_event ev = {0};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(s->c->epfd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    ev.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
    ev.data.u64 = (uint64_t)(uint32_t)fd;
    for (uint32_t i = 0; i < s->c->n_shards; i++)
        if (s->c->shards[i] == s)
            ev.data.u64 |= (uint64_t)i << 32;
    int op = seen ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(s->c->epfd, op, fd, &ev) && errno == EEXIST)
        (void)epoll_ctl(s->c->epfd, EPOLL_CTL_MOD, fd, &ev);
    (void)curl_multi_assign(s->multi, fd, s);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct shard *s = arg;
    (void)multi;
    s->timer_at = timeout_ms < 0 ? -1 : s->c->mono_ms + timeout_ms;
    return 0;
}

static bool may_talk_to(struct slot *t, const char *ip)
{
    return webhook_addr_ok(ip, t->adapter->allow, t->adapter->n_allow);
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct slot *t = arg;
    char ip[INET6_ADDRSTRLEN] = "";
    (void)purpose;
    if (a->family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &a->addr, sizeof in);
        (void)inet_ntop(AF_INET, &in.sin_addr, ip, sizeof ip);
    } else if (a->family == AF_INET6) {
        struct sockaddr_in6 in;
        size_t n = a->addrlen < sizeof in ? a->addrlen : sizeof in;
        memset(&in, 0, sizeof in);
        memcpy(&in, &a->addr, n);
        (void)inet_ntop(AF_INET6, &in.sin6_addr, ip, sizeof ip);
    }
    if (!may_talk_to(t, ip)) {
        t->blocked = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static int on_prereq(void *arg, char *peer, char *local, int peer_port, int local_port)
{
    struct slot *t = arg;
    (void)local;
    (void)peer_port;
    (void)local_port;
    if (!may_talk_to(t, peer)) {
        t->blocked = true;
        return CURL_PREREQFUNC_ABORT;
    }
    return ++t->prereqs > 1 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct slot *t = arg;
    size_t len = size * n;
    struct str line = {p, len};
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    if (str_starts(line, "HTTP/")) { /* a new block: after 100 Continue, or a trailer's end */
        t->headers_done = false;
        buf_reset(&t->answer_headers);
        t->retry_after[0] = '\0';
        return len;
    }
    if (!line.n) {
        t->headers_done = true;
        return len;
    }
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon)
        return len;
    size_t at = t->answer_headers.n, name = (size_t)(colon - line.p);
    buf_addstr(&t->answer_headers, line);
    buf_addc(&t->answer_headers, '\n');
    for (size_t i = at; i < at + name && i < t->answer_headers.n; i++)
        if (t->answer_headers.p[i] >= 'A' && t->answer_headers.p[i] <= 'Z')
            t->answer_headers.p[i] = (char)(t->answer_headers.p[i] - 'A' + 'a');
    if (at < t->answer_headers.n && name == 11 &&
        memcmp(t->answer_headers.p + at, "retry-after", 11) == 0 && line.n - name < 64)
        (void)snprintf(t->retry_after, sizeof t->retry_after, "%.*s", (int)(line.n - name - 1),
                       colon + 1);
    return len;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct slot *t = arg;
    size_t room = WEBHOOK_MAX_BODY - t->answer.n;
    if (size * n > room) {
        buf_add(&t->answer, p, room);
        t->truncated = true;
        return 0; /* ends the transfer with CURLE_WRITE_ERROR */
    }
    buf_add(&t->answer, p, size * n);
    return size * n;
}

/* ---- shards and slots ---------------------------------------------------------------------------------- */

static struct shard *shard_new(struct webhook_client *c)
{
    struct shard *s = xcalloc(1, sizeof *s);
    s->c = c;
    s->timer_at = -1;
    s->multi = curl_multi_init();
    if (!s->multi) {
        free(s);
        return NULL;
    }
    (void)curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
    (void)curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
    (void)curl_multi_setopt(s->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    (void)curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, (long)c->max_transfers);
    c->shards = xrealloc(c->shards, (c->n_shards + 1) * sizeof(struct shard *));
    c->shards[c->n_shards++] = s;
    return s;
}

static struct shard *shard_with_room(struct webhook_client *c)
{
    for (uint32_t i = 0; i < c->n_shards; i++)
        if (c->shards[i]->n < c->max_transfers)
            return c->shards[i];
    return shard_new(c);
}

static struct pool *pool_of(struct webhook_client *c, const struct webhook_adapter *a)
{
    for (uint32_t i = 0; i < c->n_pools; i++)
        if (c->pools[i].adapter == a)
            return &c->pools[i];
    if (c->n_pools == MAX_POOLS)
        return NULL;
    c->pools[c->n_pools].adapter = a;
    return &c->pools[c->n_pools++];
}

static struct slot *slot_new(struct webhook_client *c)
{
    CURL *easy = c->n_slots < MAX_SLOTS ? curl_easy_init() : NULL;
    if (!easy)
        return NULL;
    struct slot *t = xcalloc(1, sizeof *t);
    t->c = c;
    t->easy = easy;
    buf_init(&t->request, 4u << 20);
    buf_init(&t->answer, WEBHOOK_MAX_BODY);
    buf_init(&t->answer_headers, MAX_HEADERS);
    c->slots[c->n_slots++] = t;
    return t;
}

static struct slot *slot_take(struct webhook_client *c, const struct webhook_adapter *a)
{
    struct pool *p = pool_of(c, a);
    struct slot *t = p ? p->free : NULL;
    if (!t)
        return p ? slot_new(c) : NULL;
    p->free = t->next_free;
    return t;
}

static void slot_give(struct slot *t)
{
    struct pool *p = t->adapter ? pool_of(t->c, t->adapter) : NULL;
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    t->opaque = NULL;
    t->shard = NULL;
    if (!p)
        return; /* stays among the slots, to be freed with them */
    t->next_free = p->free;
    p->free = t;
}

/* ---- one request ----------------------------------------------------------------------------------------- */

/* What does not change from request to request of a gateway. */
static int set_up(struct slot *t, const struct webhook_adapter *a)
{
    if (t->adapter == a)
        return 0;
    CURL *e = t->easy;
    char *url = xmemdup0(a->url.p, a->url.n);
    curl_easy_reset(e);
    int rc = 0;
    rc |= (int)curl_easy_setopt(e, CURLOPT_URL, url);
    rc |= (int)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, a->plain_http ? "http,https" : "https");
    rc |= (int)curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    rc |= (int)curl_easy_setopt(e, CURLOPT_POST, 1L);
    rc |= (int)curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    rc |= (int)curl_easy_setopt(e, CURLOPT_PROXY, "");
    rc |= (int)curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
    rc |= (int)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    rc |= (int)curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    rc |= (int)curl_easy_setopt(e, CURLOPT_USERAGENT, "rouse/" ROUSE_VERSION);
    rc |= (int)curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    rc |= (int)curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
    rc |= (int)curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
    rc |= (int)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)a->limits.connect_ms);
    rc |= (int)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)a->limits.total_ms);
    rc |= (int)curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)MAX_IDLE_S);
    rc |= (int)curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
    rc |= (int)curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
    rc |= (int)curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_prereq);
    rc |= (int)curl_easy_setopt(e, CURLOPT_PREREQDATA, t);
    rc |= (int)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    rc |= (int)curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    rc |= (int)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    rc |= (int)curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    rc |= (int)curl_easy_setopt(e, CURLOPT_PRIVATE, (char *)t);
    free(url);
    t->adapter = rc ? NULL : a;
    return rc;
}

static int add_header(struct slot *t, const char *line)
{
    struct curl_slist *l = curl_slist_append(t->headers, line);
    if (!l)
        return -1;
    t->headers = l;
    return 0;
}

static int set_headers(struct slot *t, const char *id, int64_t unix_s)
{
    char line[64 + WEBHOOK_SIGNATURE_MAX], sig[WEBHOOK_SIGNATURE_MAX];
    webhook_sign(&t->adapter->keys, str_c(id), unix_s, buf_str(&t->request), sig);
    int rc = add_header(t, "Content-Type: application/json") | add_header(t, "Expect:") |
             add_header(t, "Accept: application/json");
    (void)snprintf(line, sizeof line, "webhook-id: %s", id);
    rc |= add_header(t, line);
    (void)snprintf(line, sizeof line, "Idempotency-Key: %s", id);
    rc |= add_header(t, line);
    (void)snprintf(line, sizeof line, "webhook-timestamp: %lld", (long long)unix_s);
    rc |= add_header(t, line);
    (void)snprintf(line, sizeof line, "webhook-signature: %s", sig);
    return rc | add_header(t, line);
}

static int start(struct slot *t, const char *id, int64_t unix_s)
{
    int rc = set_headers(t, id, unix_s);
    rc |= (int)curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    rc |= (int)curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->request.n);
    rc |= (int)curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->request.n ? t->request.p : "");
    return rc ? -1 : (int)curl_multi_add_handle(t->shard->multi, t->easy);
}

int webhook_send(struct webhook_client *c, const struct webhook_adapter *a, const char *id,
                 int64_t unix_s, struct str body, void *opaque, int64_t mono_ms, struct err *err)
{
    struct shard *s = shard_with_room(c);
    struct slot *t = s ? slot_take(c, a) : NULL;
    if (!t)
        return err_set(err, ERR_AGAIN, "no room for a further request");
    c->mono_ms = mono_ms;
    t->shard = s;
    t->opaque = opaque;
    t->prereqs = 0;
    t->headers_done = t->blocked = t->truncated = false;
    t->retry_after[0] = '\0';
    buf_reset(&t->request);
    buf_reset(&t->answer);
    buf_reset(&t->answer_headers);
    buf_addstr(&t->request, body);
    if (t->request.over || set_up(t, a) || start(t, id, unix_s)) {
        slot_give(t);
        return err_set(err, ERR_FATAL, "libcurl refuses the request of gateway " STR_FMT,
                       STR_ARG(a->name));
    }
    s->n++;
    c->in_flight++;
    return 0;
}

static void finish(struct slot *t, CURLcode code)
{
    long status = 0;
    curl_off_t took = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &took);
    struct webhook_client *c = t->c;
    struct webhook_answer w = {
        .sent = t->prereqs > 0,
        .resent = t->prereqs > 1,
        .blocked = t->blocked,
        .truncated = t->truncated,
        .curl = (int)code,
        .status = (int)status,
        .headers = buf_str(&t->answer_headers),
        .body = buf_str(&t->answer),
        .retry_after = str_c(t->retry_after),
        .took_us = took,
    };
    w.complete = t->headers_done && !w.resent && (code == CURLE_OK || t->truncated);
    (void)curl_multi_remove_handle(t->shard->multi, t->easy);
    t->shard->n--;
    c->in_flight--;
    c->fn(c->arg, t->opaque, &w);
    slot_give(t);
}

static void collect(struct shard *s)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(s->multi, &left))) {
        char *p = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
        struct slot *t;
        memcpy(&t, &p, sizeof t);
        finish(t, code);
    }
}

void webhook_client_poll(struct webhook_client *c, int64_t mono_ms)
{
    struct epoll_event ev[256];
    int running;
    c->mono_ms = mono_ms;
    int n = epoll_wait(c->epfd, ev, (int)BASE_LEN(ev), 0);
    for (int i = 0; i < n; i++) {
        struct shard *s = c->shards[ev[i].data.u64 >> 32];
        int what = (ev[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (ev[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (ev[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        (void)curl_multi_socket_action(s->multi, (curl_socket_t)(ev[i].data.u64 & 0xffffffff), what,
                                       &running);
    }
    for (uint32_t i = 0; i < c->n_shards; i++) {
        struct shard *s = c->shards[i];
        if (s->timer_at >= 0 && s->timer_at <= mono_ms) {
            s->timer_at = -1;
            (void)curl_multi_socket_action(s->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        collect(s);
    }
}

int64_t webhook_client_timeout_ms(const struct webhook_client *c, int64_t mono_ms)
{
    int64_t least = -1;
    for (uint32_t i = 0; i < c->n_shards; i++) {
        int64_t at = c->shards[i]->timer_at;
        int64_t wait = at < 0 ? -1 : at > mono_ms ? at - mono_ms : 0;
        if (wait >= 0 && (least < 0 || wait < least))
            least = wait;
    }
    return least;
}

int webhook_client_fd(const struct webhook_client *c)
{
    return c->epfd;
}

uint32_t webhook_client_in_flight(const struct webhook_client *c)
{
    return c->in_flight;
}

int webhook_client_new(uint32_t max_transfers, webhook_done_fn *fn, void *arg,
                       struct webhook_client **out, struct err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return err_set(err, ERR_FATAL, "libcurl does not start");
    struct webhook_client *c = xcalloc(1, sizeof *c);
    c->max_transfers = max_transfers ? max_transfers : 1000;
    c->fn = fn;
    c->arg = arg;
    c->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (c->epfd < 0 || !shard_new(c)) {
        webhook_client_free(&c);
        return err_set(err, ERR_FATAL, "no epoll set or multi handle: %s", strerror(errno));
    }
    *out = c;
    return 0;
}

void webhook_client_free(struct webhook_client **cp)
{
    struct webhook_client *c = *cp;
    if (!c)
        return;
    for (uint32_t i = 0; i < c->n_slots; i++) {
        struct slot *t = c->slots[i];
        if (t->shard)
            (void)curl_multi_remove_handle(t->shard->multi, t->easy);
        curl_easy_cleanup(t->easy);
        curl_slist_free_all(t->headers);
        buf_free(&t->request);
        buf_free(&t->answer);
        buf_free(&t->answer_headers);
        free(t);
    }
    for (uint32_t i = 0; i < c->n_shards; i++) {
        (void)curl_multi_cleanup(c->shards[i]->multi);
        free(c->shards[i]);
    }
    free(c->shards);
    if (c->epfd >= 0)
        (void)close(c->epfd);
    free(c);
    curl_global_cleanup();
    *cp = NULL;
}
