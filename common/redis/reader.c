/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies: hiredis' incremental RESP parser building struct redis_reply in an arena.  One code for
 * hiredis 0.14 and 1.x, which differ in the type of an array's length and in the RESP3 kinds, which
 * we never ask for.
 */
#include <hiredis/hiredis.h>

#include "redis_priv.h"

struct reader {
    redisReader *h;
    struct arena *arena;
    size_t max_reply;
    bool drop; /* the arena holds a reply that was handed out */
};

static struct redis_reply *node(const redisReadTask *t, enum redis_kind kind)
{
    struct reader *rd = t->privdata;
    /* hiredis takes an object's pointer only for what it hands back to us. */
    struct redis_reply *o = arena_zalloc(rd->arena, sizeof *o);
    o->kind = kind;
    if (t->parent != NULL) {
        struct redis_reply *up = t->parent->obj;
        up->items[t->idx] = o;
    }
    return o;
}

static void *on_string(const redisReadTask *t, char *p, size_t n)
{
    enum redis_kind kind = REDIS_STRING;
    if (t->type == REDIS_REPLY_ERROR)
        kind = REDIS_ERROR;
    else if (t->type == REDIS_REPLY_STATUS)
        kind = REDIS_STATUS;
    struct redis_reply *o = node(t, kind);
    o->s = arena_str(((struct reader *)t->privdata)->arena, (struct str){p, n});
    return o;
}

#if HIREDIS_MAJOR >= 1
static void *on_array(const redisReadTask *t, size_t n)
#else
static void *on_array(const redisReadTask *t, int n)
#endif
{
    if ((unsigned long long)n > READER_MAX_ITEMS)
        return NULL; /* hiredis makes it an error */
    struct reader *rd = t->privdata;
    struct redis_reply *o = node(t, REDIS_ARRAY);
    o->n = (uint32_t)n;
    o->items = arena_zalloc(rd->arena, sizeof *o->items * (size_t)n + 1);
    return o;
}

static void *on_integer(const redisReadTask *t, long long i)
{
    struct redis_reply *o = node(t, REDIS_INT);
    o->i = i;
    return o;
}

static void *on_nil(const redisReadTask *t)
{
    return node(t, REDIS_NIL);
}

static void on_free(void *p)
{
    (void)p; /* the arena's */
}

static redisReplyObjectFunctions functions = {
    .createString = on_string,
    .createArray = on_array,
    .createInteger = on_integer,
    .createNil = on_nil,
    .freeObject = on_free,
};

struct reader *reader_new(size_t max_reply)
{
    struct reader *rd = xcalloc(1, sizeof *rd);
    rd->h = redisReaderCreateWithFunctions(&functions);
    if (rd->h == NULL)
        abort();
    rd->h->privdata = rd;
    rd->arena = arena_new(0);
    rd->max_reply = max_reply;
    return rd;
}

void reader_free(struct reader **rd)
{
    if (*rd == NULL)
        return;
    redisReaderFree((*rd)->h);
    arena_free(&(*rd)->arena);
    free(*rd);
    *rd = NULL;
}

void reader_feed(struct reader *rd, const char *p, size_t n)
{
    redisReaderFeed(rd->h, p, n);
}

int reader_next(struct reader *rd, const struct redis_reply **out, struct err *err)
{
    if (rd->drop) {
        arena_reset(rd->arena);
        rd->drop = false;
    }
    void *reply = NULL;
    if (redisReaderGetReply(rd->h, &reply) != 0)
        return err_set(err, ERR_AGAIN, "redis: bad reply: %s", rd->h->errstr);
    if (reply != NULL) {
        *out = reply;
        rd->drop = true;
        return 1;
    }
    if (rd->h->len - rd->h->pos > rd->max_reply || arena_used(rd->arena) > rd->max_reply)
        return err_set(err, ERR_AGAIN, "redis: a reply of more than %zu bytes", rd->max_reply);
    return 0;
}
