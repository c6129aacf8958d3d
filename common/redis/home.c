/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Home slots: where the keys of a partition lie, and the six functions as typed requests.  Which keys
 * hold states and timers is known here and in library.c only.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis_priv.h"

/* ---- slots and tags --------------------------------------------------------------------------------- */

/* CRC-16/XMODEM, as Redis Cluster uses it. */
static uint16_t crc16(const char *p, size_t n)
{
    unsigned crc = 0;
    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned)(unsigned char)p[i] << 8;
        for (int b = 0; b < 8; b++)
            crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
        crc &= 0xffff;
    }
    return (uint16_t)crc;
}

uint16_t redis_slot(struct str key)
{
    const char *open = key.n > 0 ? memchr(key.p, '{', key.n) : NULL;
    if (open != NULL) {
        const char *from = open + 1;
        const char *close = memchr(from, '}', (size_t)(key.p + key.n - from));
        if (close != NULL && close > from)
            key = (struct str){from, (size_t)(close - from)};
    }
    return crc16(key.p, key.n) & 16383;
}

/* The i-th string of n digits of base 36. */
static void tag_text(uint32_t i, size_t n, char *out)
{
    for (size_t k = n; k > 0; k--, i /= 36)
        out[k - 1] = "0123456789abcdefghijklmnopqrstuvwxyz"[i % 36];
    out[n] = '\0';
}

static void tag_find(uint16_t slot, char out[8])
{
    uint32_t count = 36;
    for (size_t n = 1; n < 6; n++, count *= 36) {
        for (uint32_t i = 0; i < count; i++) {
            tag_text(i, n, out);
            if ((crc16(out, n) & 16383) == slot)
                return;
        }
    }
    abort(); /* four digits reach every slot (a test shows it) */
}

void redis_home(struct redis_home *h, uint32_t p, uint32_t partitions)
{
    char tag[8];
    tag_find((uint16_t)((uint64_t)p * 16384 / partitions), tag);
    h->p = p;
    int n = snprintf(h->text, sizeof h->text, "rouse:{%s}:", tag);
    h->prefix = (struct str){h->text, (size_t)n};
}

/* ---- building a call -------------------------------------------------------------------------------- */

void call_begin(struct call *c, const struct redis_home *h, size_t max_keys, size_t max_args)
{
    *c = (struct call){.a = arena_new(0), .max_keys = max_keys, .max_args = max_args, .h = h};
    c->keys = ARENA_ARRAY(c->a, struct str, max_keys);
    c->args = ARENA_ARRAY(c->a, struct str, max_args);
}

void call_arg(struct call *c, struct str s)
{
    c->args[c->n_args++] = s;
    c->bytes += s.n + 16;
}

/* printf would be a third of what a commit costs us. */
static void arg_u64(struct call *c, uint64_t v)
{
    char *t = arena_alloc(c->a, 24), *p = t + 24;
    do {
        *--p = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    call_arg(c, (struct str){p, (size_t)(t + 24 - p)});
}

static void arg_i64(struct call *c, int64_t v)
{
    if (v >= 0)
        arg_u64(c, (uint64_t)v);
    else
        call_arg(c, str_c(arena_printf(c->a, "%" PRId64, v)));
}

void call_score(struct call *c, int64_t ms)
{
    if (ms == INT64_MAX)
        call_arg(c, STR("inf"));
    else if (ms == INT64_MIN)
        call_arg(c, STR("-inf"));
    else
        arg_i64(c, ms);
}

/* prefix, what, rest */
static void key(struct call *c, const char *what, struct str rest)
{
    size_t n = c->h->prefix.n, m = strlen(what);
    char *t = arena_alloc(c->a, n + m + rest.n + 1);
    memcpy(t, c->h->prefix.p, n);
    memcpy(t + n, what, m);
    if (rest.n > 0)
        memcpy(t + n + m, rest.p, rest.n);
    c->keys[c->n_keys++] = (struct str){t, n + m + rest.n};
    c->bytes += n + m + rest.n + 16;
}

/* a:b, whatever bytes they hold */
static struct str pair(struct arena *a, struct str x, struct str y)
{
    char *t = arena_alloc(a, x.n + y.n + 1);
    if (x.n > 0)
        memcpy(t, x.p, x.n);
    t[x.n] = ':';
    if (y.n > 0)
        memcpy(t + x.n + 1, y.p, y.n);
    return (struct str){t, x.n + y.n + 1};
}

static void key_sent(struct call *c, uint32_t era, uint64_t block)
{
    char t[48];
    int n = snprintf(t, sizeof t, "%" PRIu32 ":%" PRIu64, era, block);
    key(c, "sent:", (struct str){t, (size_t)n});
}

void call_meta(struct call *c)
{
    key(c, "meta", (struct str){NULL, 0});
}

void call_timers(struct call *c)
{
    key(c, "timers", (struct str){NULL, 0});
}

void call_state(struct call *c, struct str member)
{
    key(c, "s:", member);
}

void call_cursor(struct call *c, const struct redis_cursor *at)
{
    call_arg(c, str_c(at->tok));
    arg_u64(c, at->off);
    arg_u64(c, at->sub);
}

int call_send(struct call *c, struct redis *r, const char *verb, const char *function,
              int64_t deadline_ms, redis_fn *fn, void *fn_arg, struct err *err)
{
    size_t n = 3 + c->n_keys + c->n_args;
    struct str *argv = ARENA_ARRAY(c->a, struct str, n);
    argv[0] = str_c(verb);
    argv[1] = str_c(function);
    argv[2] = str_c(arena_printf(c->a, "%zu", c->n_keys));
    memcpy(argv + 3, c->keys, c->n_keys * sizeof *argv);
    if (c->n_args > 0)
        memcpy(argv + 3 + c->n_keys, c->args, c->n_args * sizeof *argv);
    int rc = redis_send(r, argv, n, deadline_ms, fn, fn_arg, err);
    arena_free(&c->a);
    return rc;
}

/* ---- the requests ------------------------------------------------------------------------------------ */

int redis_claim(struct redis *r, const struct redis_home *h, const char *tok, int64_t deadline_ms,
                redis_fn *fn, void *fn_arg, struct err *err)
{
    struct call c;
    call_begin(&c, h, 1, 1);
    call_meta(&c);
    call_arg(&c, str_c(tok));
    return call_send(&c, r, "FCALL", "rouse_claim", deadline_ms, fn, fn_arg, err);
}

int redis_load(struct redis *r, const struct redis_home *h, const struct redis_cursor *at,
               const struct str *members, size_t n, uint32_t era, const uint64_t *seqs,
               size_t n_seqs, int64_t deadline_ms, redis_fn *fn, void *fn_arg, struct err *err)
{
    if (n > REDIS_MAX_LOAD || n_seqs > REDIS_MAX_LOAD)
        return err_set(err, ERR_INPUT, "redis: LOAD of %zu members, %zu seqs: at most %d", n,
                       n_seqs, REDIS_MAX_LOAD);
    struct call c;
    call_begin(&c, h, 1 + n + n_seqs, 4 + n_seqs);
    call_meta(&c);
    for (size_t i = 0; i < n; i++)
        call_state(&c, members[i]);
    call_cursor(&c, at);
    arg_u64(&c, n);
    for (size_t i = 0; i < n_seqs; i++) {
        key_sent(&c, era, seqs[i] / REDIS_SENT_BLOCK);
        arg_u64(&c, seqs[i]);
    }
    return call_send(&c, r, "FCALL_RO", "rouse_load", deadline_ms, fn, fn_arg, err);
}

int redis_due(struct redis *r, const struct redis_home *h, const struct redis_cursor *at,
              const struct redis_due *q, int64_t deadline_ms, redis_fn *fn, void *fn_arg,
              struct err *err)
{
    struct call c;
    call_begin(&c, h, 2, 7);
    call_meta(&c);
    call_timers(&c);
    call_cursor(&c, at);
    call_score(&c, q->after_ms);
    call_arg(&c, q->after_member);
    call_score(&c, q->upto_ms);
    arg_u64(&c, q->n < REDIS_MAX_DUE ? q->n : REDIS_MAX_DUE);
    return call_send(&c, r, "FCALL_RO", "rouse_due", deadline_ms, fn, fn_arg, err);
}

int redis_index(struct redis *r, const struct redis_home *h, const struct redis_cursor *at,
                struct str tag, struct str k, struct str after, uint32_t n, int64_t deadline_ms,
                redis_fn *fn, void *fn_arg, struct err *err)
{
    struct call c;
    call_begin(&c, h, 2, 5);
    call_meta(&c);
    key(&c, "x:", pair(c.a, tag, k));
    call_cursor(&c, at);
    call_arg(&c, after);
    arg_u64(&c, n < REDIS_MAX_DUE ? n : REDIS_MAX_DUE);
    return call_send(&c, r, "FCALL_RO", "rouse_index", deadline_ms, fn, fn_arg, err);
}

int redis_read(struct redis *r, const struct redis_home *h, struct str member, int64_t deadline_ms,
               redis_fn *fn, void *fn_arg, struct err *err)
{
    struct call c;
    call_begin(&c, h, 2, 1);
    call_meta(&c);
    call_state(&c, member);
    return call_send(&c, r, "FCALL_RO", "rouse_read", deadline_ms, fn, fn_arg, err);
}

/* ---- COMMIT -------------------------------------------------------------------------------------------- */

/* States: keys of those set, keys of those deleted; then the values. */
static void put_states(struct call *c, const struct redis_commit *w, size_t count[2])
{
    for (size_t i = 0; i < w->n_changes; i++) {
        if (!w->changes[i].gone) {
            call_state(c, w->changes[i].member);
            count[0]++;
        }
    }
    for (size_t i = 0; i < w->n_changes; i++) {
        if (w->changes[i].gone) {
            call_state(c, w->changes[i].member);
            count[1]++;
        }
    }
}

static void put_timers(struct call *c, const struct redis_commit *w)
{
    for (size_t i = 0; i < w->n_changes; i++) {
        if (!w->changes[i].gone)
            call_arg(c, state_value(c->a, w->changes[i].due_ms, w->changes[i].state));
    }
    for (size_t i = 0; i < w->n_changes; i++) {
        if (!w->changes[i].gone && w->changes[i].due_changed) {
            call_score(c, w->changes[i].due_ms);
            call_arg(c, w->changes[i].member);
        }
    }
    for (size_t i = 0; i < w->n_changes; i++) {
        if (w->changes[i].gone)
            call_arg(c, w->changes[i].member);
    }
}

static size_t n_rearmed(const struct redis_commit *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_changes; i++)
        n += !w->changes[i].gone && w->changes[i].due_changed;
    return n;
}

/* The end of the run of tags that are of tags[i]'s member. */
static size_t tag_run(const struct redis_commit *w, size_t i)
{
    size_t j = i + 1;
    while (j < w->n_tags && str_eq(w->tags[j].member, w->tags[i].member))
        j++;
    return j;
}

static size_t put_tag_keys(struct call *c, const struct redis_commit *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_tags; i = tag_run(w, i), n++)
        key(c, "tags:", w->tags[i].member);
    return n;
}

static void put_tag_run(struct call *c, const struct redis_commit *w, size_t i, size_t j)
{
    int64_t unset = 0;
    for (size_t k = i; k < j; k++)
        unset += w->tags[k].unset;
    arg_i64(c, (int64_t)(j - i) - unset);
    arg_i64(c, unset);
    for (size_t k = i; k < j; k++) {
        if (!w->tags[k].unset) {
            call_arg(c, w->tags[k].tag);
            call_arg(c, w->tags[k].value);
        }
    }
    for (size_t k = i; k < j; k++) {
        if (w->tags[k].unset)
            call_arg(c, w->tags[k].tag);
    }
}

static size_t sent_run(const struct redis_commit *w, size_t i)
{
    size_t j = i + 1;
    while (j < w->n_sent && w->sent[j].seq / REDIS_SENT_BLOCK == w->sent[i].seq / REDIS_SENT_BLOCK)
        j++;
    return j;
}

static size_t put_sent_keys(struct call *c, const struct redis_commit *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_sent; i = sent_run(w, i), n++)
        key_sent(c, w->era, w->sent[i].seq / REDIS_SENT_BLOCK);
    return n;
}

/* "7:M000123,7:welcome,9:hello_sms," */
static struct str sent_text(struct arena *a, const struct redis_sent *s)
{
    const struct str part[3] = {s->member, s->rule, s->message};
    char *t = arena_alloc(a, s->member.n + s->rule.n + s->message.n + 3 * 24);
    size_t n = 0;
    for (int i = 0; i < 3; i++) {
        n += (size_t)snprintf(t + n, 24, "%zu:", part[i].n);
        if (part[i].n > 0)
            memcpy(t + n, part[i].p, part[i].n);
        n += part[i].n;
        t[n++] = ',';
    }
    return (struct str){t, n};
}

static void put_sent_run(struct call *c, const struct redis_commit *w, size_t i, size_t j)
{
    arg_u64(c, j - i);
    arg_i64(c, w->now_ms);
    for (; i < j; i++) {
        arg_u64(c, w->sent[i].seq);
        call_arg(c, sent_text(c->a, &w->sent[i]));
    }
}

static void put_link(struct call *c, const struct redis_link *l)
{
    arg_i64(c, l->remove ? 0 : 1);
    arg_i64(c, l->remove ? 1 : 0);
    if (!l->remove)
        call_arg(c, STR("0"));
    call_arg(c, l->member);
}

static size_t commit_drops(const struct redis_commit *w)
{
    if (w->drop_to <= w->drop_from)
        return 0;
    return w->drop_to - w->drop_from < 4 ? (size_t)(w->drop_to - w->drop_from) : 4;
}

static void commit_keys(struct call *c, const struct redis_commit *w, size_t count[6])
{
    call_meta(c);
    call_timers(c);
    put_states(c, w, count);
    count[2] = put_tag_keys(c, w);
    count[3] = put_sent_keys(c, w);
    for (size_t i = 0; i < w->n_links; i++)
        key(c, "x:", pair(c->a, w->links[i].tag, w->links[i].key));
    count[4] = w->n_links;
    count[5] = commit_drops(w);
    for (size_t i = 0; i < count[5]; i++)
        key_sent(c, w->era, w->drop_from + i);
}

/* As the function reads them: set del zadd zrem tags sent links drop meta, before,
 * lazy. */
static void commit_counts(struct call *c, const struct redis_commit *w, const size_t count[6])
{
    const size_t counts[] = {count[0], count[1], n_rearmed(w), count[1], count[2],
                             count[3], count[4], count[5],     w->n_meta};
    for (size_t i = 0; i < BASE_LEN(counts); i++)
        arg_u64(c, counts[i]);
    arg_i64(c, w->drop_before_ms);
    arg_u64(c, w->exact ? 0 : 1);
}

static int commit_limits(const struct redis_commit *w, struct err *err)
{
    if (w->n_changes > REDIS_MAX_MEMBERS)
        return err_set(err, ERR_INPUT, "redis: COMMIT of %zu members, at most %d", w->n_changes,
                       REDIS_MAX_MEMBERS);
    if (w->n_meta == 0 || w->n_meta > REDIS_MAX_META)
        return err_set(err, ERR_INPUT, "redis: COMMIT of %zu meta fields, 1 to %d", w->n_meta,
                       REDIS_MAX_META);
    return 0;
}

int redis_commit(struct redis *r, const struct redis_home *h, const struct redis_cursor *at,
                 const struct redis_commit *w, int64_t deadline_ms, redis_fn *fn, void *fn_arg,
                 struct err *err)
{
    if (commit_limits(w, err) != 0)
        return -1;
    struct call c;
    size_t count[6] = {0};
    call_begin(&c, h, 2 + w->n_changes + w->n_tags + w->n_sent + w->n_links + 4,
               14 + 3 * w->n_changes + 4 * w->n_tags + 4 * w->n_sent + 4 * w->n_links +
                   2 * w->n_meta);
    commit_keys(&c, w, count);
    call_cursor(&c, at);
    commit_counts(&c, w, count);
    put_timers(&c, w);
    for (size_t i = 0; i < w->n_tags; i = tag_run(w, i))
        put_tag_run(&c, w, i, tag_run(w, i));
    for (size_t i = 0; i < w->n_sent; i = sent_run(w, i))
        put_sent_run(&c, w, i, sent_run(w, i));
    for (size_t i = 0; i < w->n_links; i++)
        put_link(&c, &w->links[i]);
    for (size_t i = 0; i < w->n_meta; i++) {
        call_arg(&c, w->meta[i].name);
        call_arg(&c, w->meta[i].value);
    }
    if (c.bytes > REDIS_MAX_COMMIT) {
        size_t bytes = c.bytes;
        arena_free(&c.a);
        return err_set(err, ERR_INPUT, "redis: COMMIT of %zu bytes, at most %d", bytes,
                       REDIS_MAX_COMMIT);
    }
    return call_send(&c, r, "FCALL", "rouse_commit", deadline_ms, fn, fn_arg, err);
}
