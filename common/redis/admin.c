/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tools: waiting for replies, loading the library, writing and checking the metas, reading one
 * member.  Time-outs are those of poll(2): time without progress.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis_priv.h"

/* ---- waiting ------------------------------------------------------------------------------------------- */

static int wait_once(struct redis *r, int timeout_ms, struct err *err)
{
    struct pollfd p = {.fd = redis_fd(r), .events = POLLIN};
    if (redis_wants_write(r))
        p.events |= POLLOUT;
    int n = poll(&p, 1, timeout_ms);
    if (n < 0 && errno == EINTR)
        return 0;
    if (n <= 0) {
        redis_close(r, "no reply in time");
        return err_set(err, ERR_AGAIN, "redis %s: no reply in %d ms", r->address, timeout_ms);
    }
    return redis_poll(r, INT64_MIN, err); /* no deadline ever passes */
}

int redis_connect_wait(struct redis *r, int timeout_ms, struct err *err)
{
    if (redis_connect(r, INT64_MAX, err) != 0)
        return -1;
    while (redis_state(r) != REDIS_READY) {
        if (wait_once(r, timeout_ms, err) != 0)
            return -1;
    }
    return 0;
}

int redis_drain(struct redis *r, int timeout_ms, struct err *err)
{
    while (redis_pending(r) > 0) {
        if (wait_once(r, timeout_ms, err) != 0)
            return -1;
    }
    return 0;
}

struct waiter {
    struct redis *r;
    const struct redis_reply *reply;
    struct err err;
    bool done;
};

static void on_reply(void *arg, const struct redis_result *res)
{
    struct waiter *w = arg;
    w->done = true;
    w->err = res->err;
    if (res->outcome == REDIS_DONE)
        w->reply = reply_copy(w->r->kept, res->reply);
}

static int wait_for(struct waiter *w, int timeout_ms, struct err *err)
{
    struct err lost = {0};
    while (!w->done) {
        if (wait_once(w->r, timeout_ms, &lost) != 0 && !w->done) {
            if (err != NULL && err->kind == ERR_NONE)
                *err = lost;
            return -1;
        }
    }
    if (w->reply != NULL)
        return 0;
    if (err != NULL && err->kind == ERR_NONE)
        *err = w->err;
    return -1;
}

int redis_call(struct redis *r, const struct str *argv, size_t argc, int timeout_ms,
               const struct redis_reply **reply, struct err *err)
{
    struct waiter w = {.r = r};
    arena_reset(r->kept);
    if (redis_send(r, argv, argc, INT64_MAX, on_reply, &w, err) != 0)
        return -1;
    if (wait_for(&w, timeout_ms, err) != 0)
        return -1;
    *reply = w.reply;
    return 0;
}

/* ---- library and metas ------------------------------------------------------------------------------ */

int redis_init_library(struct redis *r, int timeout_ms, struct err *err)
{
    const struct str argv[] = {STR("FUNCTION"), STR("LOAD"), STR("REPLACE"), str_c(redis_library)};
    const struct redis_reply *reply;
    return redis_call(r, argv, BASE_LEN(argv), timeout_ms, &reply, err);
}

void redis_topo(char out[40], uint32_t topology, uint32_t partitions, uint32_t p)
{
    snprintf(out, 40, "%08" PRIx32 "/%" PRIu32 "/%" PRIu32, topology, partitions, p);
}

static struct str meta_key(struct redis_home *h, char out[32], uint32_t p, uint32_t partitions)
{
    redis_home(h, p, partitions);
    int n = snprintf(out, 32, "%smeta", h->text);
    return (struct str){out, (size_t)n};
}

int redis_check_home(struct redis *r, uint32_t topology, uint32_t partitions, uint32_t p,
                     int timeout_ms, struct err *err)
{
    struct redis_home h;
    char k[32], want[40];
    const struct str argv[] = {STR("HGET"), meta_key(&h, k, p, partitions), STR("topo")};
    const struct redis_reply *reply;
    redis_topo(want, topology, partitions, p);
    if (redis_call(r, argv, BASE_LEN(argv), timeout_ms, &reply, err) != 0)
        return -1;
    if (reply->kind == REDIS_NIL)
        return 0;
    if (!str_eqc(reply->s, want))
        return err_code(err, ERR_INPUT, "topology",
                        "partition %" PRIu32 ": this Redis belongs to topology " STR_FMT
                        ", not to %s",
                        p, STR_ARG(reply->s), want);
    return 1;
}

int redis_init_home(struct redis *r, uint32_t topology, uint32_t partitions, uint32_t p,
                    int timeout_ms, struct err *err)
{
    int there = redis_check_home(r, topology, partitions, p, timeout_ms, err);
    if (there != 0)
        return there < 0 ? -1 : 0;
    struct redis_home h;
    char k[32], topo[40];
    redis_topo(topo, topology, partitions, p);
    const struct str zero = STR("0");
    const struct str argv[] = {
        STR("HSET"),  meta_key(&h, k, p, partitions),
        STR("topo"),  str_c(topo),
        STR("off"),   zero,
        STR("sub"),   zero,
        STR("pos"),   STR(""),
        STR("seq"),   zero,
        STR("era"),   zero,
        STR("now"),   zero,
        STR("n"),     zero,
        STR("level"), zero,
        STR("hash"),  STR(""),
        STR("sweep"), STR(""),
        STR("chain"), STR("0000000000000000000000000000000000000000000000000000000000000000"),
    };
    const struct redis_reply *reply;
    if (redis_call(r, argv, BASE_LEN(argv), timeout_ms, &reply, err) != 0)
        return -1;
    return 1;
}

/* ---- one member ------------------------------------------------------------------------------------- */

static int64_t number(const struct redis_reply *a, uint32_t i)
{
    int64_t v = 0;
    if (a->kind == REDIS_ARRAY && i < a->n && a->items[i]->kind == REDIS_STRING)
        (void)str_i64(a->items[i]->s, &v);
    return v;
}

static int member_from(const struct redis_reply *reply, struct redis_member *out, struct err *err)
{
    if (reply->kind != REDIS_ARRAY || reply->n != 2 || reply->items[0]->kind != REDIS_ARRAY ||
        reply->items[0]->n != 6)
        return err_set(err, ERR_FATAL, "redis: READ: not the reply of this version's library");
    const struct redis_reply *m = reply->items[0];
    if (m->items[0]->kind == REDIS_NIL)
        return err_code(err, ERR_FATAL, "nometa", "redis: no home slot: run `rouse init`");
    *out = (struct redis_member){
        .off = (uint64_t)number(m, 0),
        .sub = (uint64_t)number(m, 1),
        .now_ms = number(m, 2),
        .n = (uint64_t)number(m, 3),
        .due_ms = INT64_MAX,
    };
    if (m->items[4]->kind == REDIS_STRING)
        out->hash = m->items[4]->s;
    if (reply->items[1]->kind != REDIS_STRING)
        return 0;
    out->state = state_blob(reply->items[1]->s, &out->due_ms);
    return 1;
}

int redis_read_member(struct redis *r, uint32_t partitions, struct str member, int timeout_ms,
                      struct redis_member *out, struct err *err)
{
    struct redis_home h;
    struct waiter w = {.r = r};
    arena_reset(r->kept);
    redis_home(&h, (hash_murmur2(member) & 0x7fffffff) % partitions, partitions);
    if (redis_read(r, &h, member, INT64_MAX, on_reply, &w, err) != 0)
        return -1;
    if (wait_for(&w, timeout_ms, err) != 0)
        return -1;
    return member_from(w.reply, out, err);
}
