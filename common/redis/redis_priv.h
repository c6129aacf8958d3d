/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of redis: the connection's body and the reader behind it. */
#ifndef ROUSE_REDIS_PRIV_H
#define ROUSE_REDIS_PRIV_H

#include "redis.h"

/* ---- reader: bytes in, replies out ------------------------------------------------------------- */

/* hiredis' parser with objects of our own: they live in an arena that is emptied after each reply, and
 * an array that claims more items than anything we ask for is an error instead of an allocation. */
#define READER_MAX_ITEMS (1 << 20)

struct reader;
struct reader *reader_new(size_t max_reply);
void reader_free(struct reader **rd);
void reader_feed(struct reader *rd, const char *p, size_t n);
/* 1 and *out (valid until the next call), 0 = more bytes needed, -1 not RESP or too large. */
int reader_next(struct reader *rd, const struct redis_reply **out, struct err *err);

const struct redis_reply *reply_copy(struct arena *a, const struct redis_reply *from);

/* ---- what lies under s:<member> ---------------------------------------------------------------------- */

#define STATE_HEAD 8
struct str state_blob(struct str value, int64_t *due_ms);
struct str state_value(struct arena *a, int64_t due_ms, struct str blob);

/* ---- calls --------------------------------------------------------------------------------------------- */

/* FCALL's arguments in order: keys first, then the others.  Texts made for it live in the arena. */
struct call {
    struct arena *a;
    struct str *keys, *args;
    size_t n_keys, n_args, max_keys, max_args, bytes;
    const struct redis_home *h;
};
void call_begin(struct call *c, const struct redis_home *h, size_t max_keys, size_t max_args);
void call_arg(struct call *c, struct str s);
void call_cursor(struct call *c, const struct redis_cursor *at);
void call_score(struct call *c, int64_t ms);
void call_meta(struct call *c);
void call_timers(struct call *c);
void call_state(struct call *c, struct str member);
int call_send(struct call *c, struct redis *r, const char *verb, const char *function,
              int64_t deadline_ms, redis_fn *fn, void *fn_arg, struct err *err);

/* ---- connection ---------------------------------------------------------------------------------- */

struct pending { /* a request without a reply */
    redis_fn *fn;
    void *arg;
    int64_t deadline_ms;
    uint64_t from; /* place of its first byte in everything ever queued on this connection */
};

struct redis {
    char *address, *user, *password;
    size_t max_reply, max_pending;
    enum redis_state state;
    int fd;
    int64_t greet_by_ms;
    unsigned tries; /* which of a name's addresses is next */
    struct reader *reader;
    char *in;  /* what one recv brings; not on the stack, where it would be zeroed each time */
    char *out; /* out[out_pos .. out_n) is not written yet */
    size_t out_pos, out_n, out_cap;
    uint64_t queued, written; /* bytes of this connection */
    uint64_t bytes_out, bytes_in;
    struct pending *ring; /* pending requests, oldest at head */
    size_t head, n_pending, cap;
    bool in_poll;       /* callbacks are running: closing waits */
    bool closing;       /* redis_close was called meanwhile */
    struct err why;     /* of the end of the connection */
    struct arena *kept; /* the reply of redis_call */
};

bool addr_ok(const char *address);
int addr_connect(struct redis *r, int *fd, struct err *err); /* a non-blocking socket, connecting */

#endif
