/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection: DOWN -> CONNECTING -> GREETING -> READY -> DOWN.
 *
 *   redis_send -> out buffer -> socket -> reader -> the oldest pending request's callback
 *
 * Replies come in order, so a request that is late cannot be skipped: the connection ends.  Whatever
 * ends it, each pending request is called back exactly once: refused when not one byte of it had been
 * handed to the kernel, else uncertain.  Callbacks may send and may close; closing takes effect when
 * they have returned.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis_priv.h"

#define READ_CHUNK 65536
#define READ_ROUNDS 16 /* per poll: others want their turn */

int redis_new(const struct redis_conf *c, struct redis **out, struct err *err)
{
    if (!addr_ok(c->address))
        return err_set(err, ERR_INPUT, "redis: not an address: %s (host:port or unix:/path)",
                       c->address);
    struct redis *r = xcalloc(1, sizeof *r);
    r->address = xstrdup(c->address);
    r->user = xstrdup(c->user == NULL ? "" : c->user);
    r->password = xstrdup(c->password == NULL ? "" : c->password);
    r->max_reply = c->max_reply != 0 ? c->max_reply : 64u << 20;
    r->max_pending = c->max_pending != 0 ? c->max_pending : 64u << 20;
    r->fd = -1;
    r->kept = arena_new(0);
    r->in = xmalloc(READ_CHUNK);
    *out = r;
    return 0;
}

void redis_free(struct redis **rp)
{
    struct redis *r = *rp;
    if (r == NULL)
        return;
    if (r->fd >= 0)
        close(r->fd);
    reader_free(&r->reader);
    arena_free(&r->kept);
    free(r->address);
    free(r->user);
    free(r->password);
    free(r->in);
    free(r->out);
    free(r->ring);
    free(r);
    *rp = NULL;
}

enum redis_state redis_state(const struct redis *r)
{
    return r->state;
}

int redis_fd(const struct redis *r)
{
    return r->fd;
}

bool redis_wants_write(const struct redis *r)
{
    return r->state == REDIS_CONNECTING || r->out_n > r->out_pos;
}

size_t redis_pending(const struct redis *r)
{
    return r->n_pending;
}

uint64_t redis_bytes_out(const struct redis *r)
{
    return r->bytes_out;
}

uint64_t redis_bytes_in(const struct redis *r)
{
    return r->bytes_in;
}

/* ---- the end of a connection ---------------------------------------------------------------------- */

static struct pending ring_pop(struct redis *r)
{
    struct pending p = r->ring[r->head];
    r->head = (r->head + 1) % r->cap;
    r->n_pending--;
    return p;
}

/* The one door to DOWN. */
static void end(struct redis *r)
{
    if (r->state == REDIS_DOWN)
        return;
    close(r->fd);
    r->fd = -1;
    r->state = REDIS_DOWN;
    r->closing = false;
    r->out_n = r->out_pos = 0;
    reader_free(&r->reader);
    struct err why = r->why;
    /* Only those that were pending now: a callback cannot add more, since we are not READY. */
    while (r->n_pending > 0) {
        struct pending p = ring_pop(r);
        struct redis_result res = {.outcome = REDIS_UNCERTAIN, .fault = REDIS_FAULT_HOLD};
        if (p.from >= r->written)
            res.outcome = REDIS_REFUSED;
        res.err = why;
        p.fn(p.arg, &res);
    }
}

static void fail(struct redis *r, enum err_kind kind, const char *what)
{
    if (r->why.kind == ERR_NONE)
        err_set(&r->why, kind, "redis %s: %s", r->address, what);
    r->closing = true;
}

void redis_close(struct redis *r, const char *why)
{
    if (r->state == REDIS_DOWN)
        return;
    fail(r, ERR_AGAIN, why);
    if (!r->in_poll)
        end(r);
}

/* ---- requests ------------------------------------------------------------------------------------- */

static void ring_push(struct redis *r, const struct pending *p)
{
    if (r->n_pending == r->cap) {
        size_t cap = r->cap == 0 ? 64 : r->cap * 2;
        struct pending *ring = xmalloc(cap * sizeof *ring);
        for (size_t i = 0; i < r->n_pending; i++)
            ring[i] = r->ring[(r->head + i) % r->cap];
        free(r->ring);
        r->ring = ring;
        r->head = 0;
        r->cap = cap;
    }
    r->ring[(r->head + r->n_pending++) % r->cap] = *p;
}

/* Room for n more bytes. */
static char *out_room(struct redis *r, size_t n)
{
    if (r->out_pos > 0 && r->out_pos == r->out_n)
        r->out_pos = r->out_n = 0;
    if (r->out_n + n > r->out_cap && r->out_pos > 0) {
        memmove(r->out, r->out + r->out_pos, r->out_n - r->out_pos);
        r->out_n -= r->out_pos;
        r->out_pos = 0;
    }
    if (r->out_n + n > r->out_cap) {
        r->out_cap = (r->out_n + n) * 3 / 2;
        r->out = xrealloc(r->out, r->out_cap);
    }
    return r->out + r->out_n;
}

#define HEAD_MAX 24 /* a sign, the digits of any size_t, an end of line */

/* "*3\r\n", "$12\r\n" */
static char *put_head(char *to, char sign, size_t n)
{
    char digits[HEAD_MAX], *d = digits + sizeof digits;
    do {
        *--d = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    *to++ = sign;
    memcpy(to, d, (size_t)(digits + sizeof digits - d));
    to += digits + sizeof digits - d;
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

/* A command is an array of strings, written where it will be sent from: a COMMIT is large. */
static void enqueue(struct redis *r, const struct str *argv, size_t argc,
                    const struct pending *like)
{
    size_t most = HEAD_MAX;
    for (size_t i = 0; i < argc; i++)
        most += HEAD_MAX + argv[i].n + 2;
    struct pending q = *like;
    q.from = r->queued;
    ring_push(r, &q);
    char *from = out_room(r, most), *to = put_head(from, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        to = put_head(to, '$', argv[i].n);
        if (argv[i].n > 0)
            memcpy(to, argv[i].p, argv[i].n);
        to += argv[i].n;
        *to++ = '\r';
        *to++ = '\n';
    }
    r->out_n += (size_t)(to - from);
    r->queued += (uint64_t)(to - from);
}

int redis_send(struct redis *r, const struct str *argv, size_t argc, int64_t deadline_ms,
               redis_fn *fn, void *arg, struct err *err)
{
    if (r->state != REDIS_READY || r->closing)
        return err_set(err, ERR_AGAIN, "redis %s: not connected", r->address);
    if (r->out_n - r->out_pos > r->max_pending)
        return err_set(err, ERR_AGAIN, "redis %s: %zu bytes wait to be written", r->address,
                       r->out_n - r->out_pos);
    struct pending p = {.fn = fn, .arg = arg, .deadline_ms = deadline_ms};
    enqueue(r, argv, argc, &p);
    return 0;
}

/* ---- greeting: who is it? ------------------------------------------------------------------------- */

static void refuse(struct redis *r, enum err_kind kind, const struct redis_result *res)
{
    if (r->why.kind == ERR_NONE)
        err_set(&r->why, kind, "redis %s: %s", r->address, res->err.text);
    r->closing = true;
}

static enum err_kind kind_of(enum redis_fault f)
{
    return f == REDIS_FAULT_SETUP ? ERR_FATAL : ERR_AGAIN;
}

static void on_auth(void *arg, const struct redis_result *res)
{
    if (res->outcome != REDIS_DONE)
        refuse(arg, kind_of(res->fault), res);
}

/* The value of "name:value" in INFO's text. */
static struct str info_get(struct str info, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = info.p, *end_ = info.p + info.n; p < end_;) {
        const char *nl = memchr(p, '\n', (size_t)(end_ - p));
        size_t len = nl == NULL ? (size_t)(end_ - p) : (size_t)(nl - p);
        if (len > n && p[n] == ':' && memcmp(p, name, n) == 0) {
            struct str v = {p + n + 1, len - n - 1};
            if (v.n > 0 && v.p[v.n - 1] == '\r')
                v.n--;
            return v;
        }
        p += len + 1;
    }
    return (struct str){NULL, 0};
}

static void on_info(void *arg, const struct redis_result *res)
{
    struct redis *r = arg;
    if (res->outcome != REDIS_DONE) {
        refuse(r, kind_of(res->fault), res);
        return;
    }
    struct str policy = info_get(res->reply->s, "maxmemory_policy");
    struct str role = info_get(res->reply->s, "role");
    char text[256];
    if (policy.n > 0 && !str_eqc(policy, "noeviction")) {
        snprintf(text, sizeof text,
                 "maxmemory-policy is " STR_FMT ": it may throw state away; set noeviction",
                 STR_ARG(policy));
        fail(r, ERR_FATAL, text);
    } else if (role.n > 0 && !str_eqc(role, "master")) {
        fail(r, ERR_AGAIN, "it is a replica: name the primary");
    } else if (str_eqc(info_get(res->reply->s, "loading"), "1")) {
        fail(r, ERR_AGAIN, "redis-server is reading its files");
    } else {
        r->state = REDIS_READY;
    }
}

static void greet(struct redis *r)
{
    r->state = REDIS_GREETING;
    struct pending p = {.fn = on_auth, .arg = r, .deadline_ms = r->greet_by_ms};
    if (r->password[0] != '\0') {
        struct str auth[3] = {STR("AUTH"), str_c(r->user), str_c(r->password)};
        if (r->user[0] == '\0') {
            auth[1] = auth[2];
            enqueue(r, auth, 2, &p);
        } else {
            enqueue(r, auth, 3, &p);
        }
    }
    const struct str info[] = {STR("INFO"), STR("memory"), STR("replication"), STR("persistence")};
    p.fn = on_info;
    enqueue(r, info, BASE_LEN(info), &p);
}

int redis_connect(struct redis *r, int64_t deadline_ms, struct err *err)
{
    if (r->state != REDIS_DOWN)
        return 0;
    err_clear(&r->why);
    r->closing = false; /* the last end's callbacks may have asked for one more */
    if (addr_connect(r, &r->fd, err) != 0)
        return -1;
    r->reader = reader_new(r->max_reply);
    r->state = REDIS_CONNECTING;
    r->greet_by_ms = deadline_ms;
    r->queued = r->written = 0;
    return 0;
}

/* ---- the socket ------------------------------------------------------------------------------------ */

/* True: the socket takes no more for now. */
static bool flush(struct redis *r)
{
    while (!r->closing && r->out_pos < r->out_n) {
        ssize_t n = send(r->fd, r->out + r->out_pos, r->out_n - r->out_pos, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (n < 0) {
            fail(r, ERR_AGAIN, strerror(errno));
            return false;
        }
        r->out_pos += (size_t)n;
        r->written += (size_t)n;
        r->bytes_out += (size_t)n;
    }
    return false;
}

static void connected(struct redis *r)
{
    /* Not before the kernel says so: SO_ERROR is 0 while it is still trying. */
    int e = 0;
    socklen_t n = sizeof e;
    if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0)
        e = errno;
    if (e != 0) {
        fail(r, ERR_AGAIN, strerror(e));
        return;
    }
    struct sockaddr_storage peer;
    socklen_t peer_n = sizeof peer;
    if (getpeername(r->fd, (struct sockaddr *)&peer, &peer_n) == 0)
        greet(r);
}

static void answer(struct redis *r, const struct redis_reply *reply)
{
    if (r->n_pending == 0) {
        fail(r, ERR_AGAIN, "a reply that nobody asked for");
        return;
    }
    struct pending p = ring_pop(r);
    struct redis_result res = {.outcome = REDIS_DONE, .reply = reply};
    if (reply->kind == REDIS_ERROR) {
        const char *help;
        res.outcome = REDIS_REFUSED;
        res.fault = redis_fault(reply->s, &help);
        res.reply = NULL;
        err_code(&res.err, kind_of(res.fault), redis_fault_name(res.fault), STR_FMT " (%s)",
                 STR_ARG(reply->s), help);
    }
    p.fn(p.arg, &res);
}

static void answers(struct redis *r)
{
    const struct redis_reply *reply;
    int rc = 0;
    while (!r->closing && (rc = reader_next(r->reader, &reply, &r->why)) == 1)
        answer(r, reply);
    if (rc < 0)
        r->closing = true;
}

static void receive(struct redis *r)
{
    for (int i = 0; i < READ_ROUNDS && !r->closing; i++) {
        ssize_t n = recv(r->fd, r->in, READ_CHUNK, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0) {
            fail(r, ERR_AGAIN, n == 0 ? "the server closed the connection" : strerror(errno));
            return;
        }
        r->bytes_in += (size_t)n;
        reader_feed(r->reader, r->in, (size_t)n);
        answers(r);
    }
}

static void late(struct redis *r, int64_t mono_ms)
{
    if (r->state != REDIS_READY && mono_ms > r->greet_by_ms)
        fail(r, ERR_AGAIN, "no answer to the greeting in time");
    else if (r->n_pending > 0 && mono_ms > r->ring[r->head].deadline_ms)
        fail(r, ERR_AGAIN, "no reply in time");
}

int redis_poll(struct redis *r, int64_t mono_ms, struct err *err)
{
    if (r->state == REDIS_DOWN)
        return 0;
    r->in_poll = true;
    if (r->state == REDIS_CONNECTING)
        connected(r);
    if (!r->closing && r->state != REDIS_CONNECTING) {
        bool full = flush(r);
        if (!r->closing)
            receive(r);
        if (!full)
            (void)flush(r); /* what the callbacks sent */
    }
    if (!r->closing)
        late(r, mono_ms);
    r->in_poll = false;
    if (!r->closing)
        return 0;
    struct err why = r->why;
    end(r);
    if (err != NULL && err->kind == ERR_NONE)
        *err = why;
    return -1;
}
