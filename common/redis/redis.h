/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis: one connection to redis-server and, on it, the home slots: everything that rouse remembers
 * about partition p, changed in one atomic step (common/redis/README.md has keys and functions).
 *
 * The connection is a non-blocking socket of our own driven from the caller's loop; hiredis only
 * reads replies.  Requests are pipelined and answered in order, each with one of
 * three outcomes: done, refused, or uncertain (the reply is lost: it may or may not have happened).
 * There is no clock in here (mono_ms is an argument), no reconnect of its own, and no knowledge of
 * what a state means.  Nothing is retried: that is the caller's decision.
 */
#ifndef ROUSE_REDIS_H
#define ROUSE_REDIS_H

#include "base.h"

/* ---- the connection ---------------------------------------------------------------------------- */

struct redis_conf {
    const char *address;  /* "127.0.0.1:6379", "[::1]:6379" or "unix:/path"; names are looked up */
    const char *user;     /* NULL or "" = the default user */
    const char *password; /* NULL or "" = no AUTH */
    size_t max_reply;     /* bytes of one reply, above it the connection ends; 0 = 64 MiB */
    size_t max_pending;   /* bytes not yet written, above it requests are refused; 0 = 64 MiB */
};
enum redis_state {
    REDIS_DOWN,       /* no socket: redis_connect */
    REDIS_CONNECTING, /* the socket is not connected yet */
    REDIS_GREETING,   /* AUTH and INFO are under way: is it a primary, is it noeviction? */
    REDIS_READY,      /* takes requests */
};

struct redis;
int redis_new(const struct redis_conf *c, struct redis **out, struct err *err);
void redis_free(struct redis **r); /* pending requests are dropped without a word */
/* Begins to connect; it must be READY before deadline_ms. Of a host name's addresses the next one is
 * tried each time. The look-up of a name blocks: use addresses where that matters. */
int redis_connect(struct redis *r, int64_t deadline_ms, struct err *err);
/* Ends the connection: what is pending is called back (refused if no byte of it was written, else
 * uncertain). Safe inside a callback: it takes effect after it. */
void redis_close(struct redis *r, const char *why);
enum redis_state redis_state(const struct redis *r);
int redis_fd(const struct redis *r);           /* -1 = down. Changes with each connect. */
bool redis_wants_write(const struct redis *r); /* connecting, or a backlog */
/* Writes, reads, calls back, enforces deadlines. 0, or -1 once when the connection has ended; err
 * says why (ERR_AGAIN: connect again, later; ERR_FATAL: an operator has to do something, see the
 * text, though trying again later is right then too). */
int redis_poll(struct redis *r, int64_t mono_ms, struct err *err);
size_t redis_pending(const struct redis *r); /* requests without a reply */
uint64_t redis_bytes_out(const struct redis *r);
uint64_t redis_bytes_in(const struct redis *r);

/* ---- replies ------------------------------------------------------------------------------------- */

enum redis_kind { REDIS_NIL, REDIS_INT, REDIS_STRING, REDIS_STATUS, REDIS_ERROR, REDIS_ARRAY };
struct redis_reply {
    enum redis_kind kind;
    uint32_t n;   /* array */
    int64_t i;    /* int */
    struct str s; /* string, status, error; NUL after it */
    const struct redis_reply **items;
};

enum redis_outcome {
    REDIS_DONE,      /* it has happened */
    REDIS_REFUSED,   /* it has not happened, and will not */
    REDIS_UNCERTAIN, /* the reply is lost: it may have happened, or happen yet */
};
/* What to do about a refusal. */
enum redis_fault {
    REDIS_FAULT_NONE,
    REDIS_FAULT_CONFLICT, /* somebody else owns it, or it has moved: drop everything, CLAIM again */
    REDIS_FAULT_NOMETA,   /* the home slot is gone: "state lost", park */
    REDIS_FAULT_HOLD,     /* busy, loading, full: wait, try again; alarm after 10 s */
    REDIS_FAULT_ELSEWHERE, /* not this server: connect again and CLAIM */
    REDIS_FAULT_SETUP, /* rights, password, library: an operator must act; park, try again slowly */
    REDIS_FAULT_BUG,   /* cannot be: park the partition, keep the others */
};
struct redis_result {
    enum redis_outcome outcome;
    enum redis_fault fault;
    const struct redis_reply *reply; /* DONE: as it came. Valid during the callback. */
    struct err err;                  /* not DONE: why */
};
typedef void redis_fn(void *arg, const struct redis_result *res);

/* By the first word of an error reply ("MOVED 123 …"); what the words mean is a table. */
enum redis_fault redis_fault(struct str error, const char **help);
const char *redis_fault_name(enum redis_fault f);

/* One command. fn is called exactly once, later, in order, unless redis_free comes first. -1 (and no
 * call) when not READY or the backlog is full: ERR_AGAIN. Not answered by deadline_ms: the connection
 * ends. */
int redis_send(struct redis *r, const struct str *argv, size_t argc, int64_t deadline_ms,
               redis_fn *fn, void *arg, struct err *err);

/* For tools: connect and wait; send one command and wait. timeout_ms without progress is ERR_AGAIN.
 * The reply (errors too) is valid until the next call. */
int redis_connect_wait(struct redis *r, int timeout_ms, struct err *err);
int redis_call(struct redis *r, const struct str *argv, size_t argc, int timeout_ms,
               const struct redis_reply **reply, struct err *err);
/* Drives the connection until nothing is pending. For tests and tools. */
int redis_drain(struct redis *r, int timeout_ms, struct err *err);

/* ---- home slots ---------------------------------------------------------------------------------- */

#define REDIS_MAX_MEMBERS 512         /* a COMMIT changes at most so many members … */
#define REDIS_MAX_COMMIT (1024 << 10) /* … and carries at most so many bytes of arguments */
#define REDIS_MAX_LOAD 2000           /* members of a LOAD */
#define REDIS_MAX_DUE 2000            /* timers of a DUE, members of an INDEX */
#define REDIS_MAX_META 1800           /* fields of one COMMIT */

uint16_t redis_slot(struct str key); /* CRC16 of the hash tag, mod 16384 */
/* Partition p of P: the key prefix "rouse:{TAG}:" where slot(TAG) = floor(p * 16384 / P). TAG is the
 * first such string of 0-9a-z by length, then bytes. */
struct redis_home {
    uint32_t p;
    struct str prefix;
    char text[24];
};
void redis_home(struct redis_home *h, uint32_t p, uint32_t partitions);

/* Whose claim, and the place it stands at: what each read and write is checked against. */
struct redis_cursor {
    char tok[33]; /* 128 random bits in hex */
    uint64_t off, sub;
};

/* CLAIM: the reply is the whole meta, field, value, field, value … Refused with NOMETA where it is
 * missing. */
int redis_claim(struct redis *r, const struct redis_home *h, const char *tok, int64_t deadline_ms,
                redis_fn *fn, void *arg, struct err *err);
struct str redis_meta(const struct redis_reply *meta, const char *field); /* p NULL = absent */

/* LOAD: states of members, and for seqs of era whom they were for. */
int redis_load(struct redis *r, const struct redis_home *h, const struct redis_cursor *c,
               const struct str *members, size_t n, uint32_t era, const uint64_t *seqs,
               size_t n_seqs, int64_t deadline_ms, redis_fn *fn, void *arg, struct err *err);
struct str redis_load_state(const struct redis_reply *load, size_t i); /* empty = no such member */
/* 1, 0 = not known (any more) */
int redis_load_sent(const struct redis_reply *load, size_t i, struct str *member, struct str *rule,
                    struct str *message);

/* DUE: the next n timers after (after_ms, after_member) in the order of (due, member bytes), due <=
 * upto_ms. INT64_MIN and the empty member = from the start. INT64_MAX = no timer.  redis_due tells
 * what the index says, which may be too early (never too late): good for "is there anything?".
 * redis_timers tells what is so; the reply NIL means "ask again" (stale entries were put right).
 * `whole` says that all COMMITs since the walk began at the start have been `exact`, so that nothing
 * stale can stand below `after`.  `h` must outlive the request. */
struct redis_due {
    int64_t after_ms;
    struct str after_member;
    int64_t upto_ms;
    uint32_t n;
    bool whole;
};
int redis_due(struct redis *r, const struct redis_home *h, const struct redis_cursor *c,
              const struct redis_due *q, int64_t deadline_ms, redis_fn *fn, void *arg,
              struct err *err);
int redis_timers(struct redis *r, const struct redis_home *h, const struct redis_cursor *c,
                 const struct redis_due *q, int64_t deadline_ms, redis_fn *fn, void *arg,
                 struct err *err);
size_t redis_due_n(const struct redis_reply *due);
int redis_due_get(const struct redis_reply *due, size_t i, int64_t *due_ms, struct str *member);

/* INDEX: the next n members, in order of bytes, after `after`, whose collection `tag` holds `key`. */
int redis_index(struct redis *r, const struct redis_home *h, const struct redis_cursor *c,
                struct str tag, struct str key, struct str after, uint32_t n, int64_t deadline_ms,
                redis_fn *fn, void *arg, struct err *err);

/* COMMIT. Everything is borrowed until the call returns. */
struct redis_change { /* one member, once */
    struct str member;
    struct str state; /* not with gone */
    int64_t due_ms;   /* always given; INT64_MAX: in the index without a timer */
    bool gone;        /* leaves states and timers */
    bool due_changed; /* since the last commit, or new */
};
struct redis_tag { /* a public tag; those of one member stand together */
    struct str member, tag, value;
    bool unset;
};
struct redis_sent { /* seq ascending */
    uint64_t seq;
    struct str member, rule, message;
};
struct redis_link { /* fan-out index */
    struct str tag, key, member;
    bool remove;
};
struct redis_field {
    struct str name, value;
};
struct redis_commit {
    const struct redis_change *changes;
    size_t n_changes;
    const struct redis_tag *tags;
    size_t n_tags;
    uint32_t era;
    const struct redis_sent *sent;
    size_t n_sent;
    const struct redis_link *links;
    size_t n_links;
    const struct redis_field *meta; /* what has changed; off and sub always */
    size_t n_meta;
    /* Old blocks of `sent` that may go: blocks [drop_from, drop_to) of era, each only if it was begun
     * before drop_before_ms. Stamp of a new block: now_ms. */
    uint64_t drop_from, drop_to;
    int64_t drop_before_ms, now_ms;
    bool exact; /* timers are moved at once: while the whole index is being walked through */
};
int redis_commit(struct redis *r, const struct redis_home *h, const struct redis_cursor *c,
                 const struct redis_commit *what, int64_t deadline_ms, redis_fn *fn, void *arg,
                 struct err *err);
#define REDIS_SENT_BLOCK 1000 /* seqs of one `sent` hash */

/* READ: for people; no claim. */
int redis_read(struct redis *r, const struct redis_home *h, struct str member, int64_t deadline_ms,
               redis_fn *fn, void *arg, struct err *err);

/* ---- administration (rouse init, rouse member) ------------------------------------------------------ */

/* The library's text ("#!lua name=rouse …"). */
extern const char redis_library[];
/* FUNCTION LOAD REPLACE. Needs an administrator's rights. */
int redis_init_library(struct redis *r, int timeout_ms, struct err *err);
/* Meta of p where it is absent: off 0, sub 0, seq 0, …, topology. 1 written, 0 was there with the same
 * topology, -1 error (ERR_INPUT code "topology": it belongs to another). */
int redis_init_home(struct redis *r, uint32_t topology, uint32_t partitions, uint32_t p,
                    int timeout_ms, struct err *err);
/* 1 there, 0 absent, -1 error or another topology. */
int redis_check_home(struct redis *r, uint32_t topology, uint32_t partitions, uint32_t p,
                     int timeout_ms, struct err *err);
/* The text of meta's `topo`: "TOPOLOGY/PARTITIONS/P", topology in hex. */
void redis_topo(char out[40], uint32_t topology, uint32_t partitions, uint32_t p);

struct redis_member { /* strings live until the next call on r */
    uint64_t off, sub, n;
    int64_t now_ms;
    struct str hash;  /* of the rules it was folded under */
    struct str state; /* empty = not known */
    int64_t due_ms;   /* INT64_MAX = no timer */
};
/* 1 known, 0 no such member (the rest is filled), -1 error. */
int redis_read_member(struct redis *r, uint32_t partitions, struct str member, int timeout_ms,
                      struct redis_member *out, struct err *err);

#endif
