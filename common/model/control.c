/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control: rouse.dead and the values of rouse.control.  None of it is hot: written piece by piece, read as trees.  Keys that this version does not know are
 * ignored; a greater version number is refused.
 */
#include "model_priv.h"

#include <stdio.h>
#include <stdlib.h>

static int parse(struct str bytes, const char *what, struct arena *a, const struct json **out,
                 struct err *err)
{
    if (json_parse(bytes, 8, a, out, err) < 0)
        return err_wrap(err, "%s", what);
    if ((*out)->kind != JSON_OBJECT)
        return err_code(err, ERR_INPUT, "control", "%s: not an object", what);
    return 0;
}

static int64_t number(const struct json *j, const char *key, int64_t min, int64_t max, bool *ok)
{
    const struct json *v = json_get(j, key);
    if (v && v->kind == JSON_INT && v->i >= min && v->i <= max)
        return v->i;
    *ok = false;
    return 0;
}

/* ---- dead letters ---- */

static void put_bytes(struct buf *b, const char *key, const char *key64, struct str v)
{
    if (utf8_valid(v)) {
        put_str(b, key, v);
        return;
    }
    char *tmp = xmalloc(v.n / 3 * 4 + 8);
    size_t n = enc_base64((const uint8_t *)v.p, v.n, tmp);
    put_str(b, key64, (struct str){tmp, n});
    free(tmp);
}

void dead_write(const struct dead *d, struct buf *b)
{
    buf_addc(b, '{');
    put_source(b, "s", &d->src);
    put_i64(b, "at", d->at_ms);
    put_str(b, "code", d->code);
    put_str_opt(b, "path", d->path);
    put_str(b, "reason", d->reason);
    if (d->cut_from)
        put_u64(b, "bytes", d->cut_from);
    if (d->key.n)
        put_bytes(b, "key", "key64", d->key);
    put_bytes(b, "value", "value64", d->value);
    buf_addc(b, '}');
}

static int get_bytes(const struct json *j, const char *key, const char *key64, struct arena *a,
                     struct str *out)
{
    struct str v = json_str(j, key64);
    *out = json_str(j, key);
    if (!v.n)
        return 0;
    uint8_t *raw = arena_alloc(a, v.n);
    int n = dec_base64(v, raw, v.n);
    *out = (struct str){(const char *)raw, n < 0 ? 0 : (size_t)n};
    return n < 0 ? -1 : 0;
}

int dead_read(struct str bytes, struct arena *a, struct dead *out, struct err *err)
{
    const struct json *j, *s;
    struct dead d = {.at_ms = 0};
    if (parse(bytes, "dead letter", a, &j, err) < 0)
        return -1;
    s = json_get(j, "s");
    if (!s || s->kind != JSON_ARRAY || s->n != 4 || get_bytes(j, "key", "key64", a, &d.key) < 0 ||
        get_bytes(j, "value", "value64", a, &d.value) < 0)
        return err_code(err, ERR_INPUT, "dead", "not a dead letter of this version");
    d.src = (struct source){.topic = s->items[0].s,
                            .epoch = s->items[1].i,
                            .partition = (int32_t)s->items[2].i,
                            .offset = s->items[3].i};
    d.at_ms = json_i64(j, "at", 0);
    d.code = json_str(j, "code");
    d.path = json_str(j, "path");
    d.reason = json_str(j, "reason");
    d.cut_from = (uint64_t)json_i64(j, "bytes", 0);
    *out = d;
    return 0;
}

/* ---- genesis, active, source ---- */

void genesis_write(const struct genesis *g, struct buf *b)
{
    buf_addc(b, '{');
    put_u64(b, "v", g->version);
    put_u64(b, "topology", g->topology);
    put_u64(b, "partitions", g->partitions);
    put_str(b, "clock", g->record_clock ? STR("record") : STR("append"));
    if (g->record_clock)
        put_i64(b, "end", g->end_ms);
    buf_addc(b, '}');
}

static int genesis_fill(const struct json *j, struct genesis *g, struct err *err)
{
    bool ok = true;
    struct str clock = json_str(j, "clock");
    g->version = (uint32_t)number(j, "v", 1, UINT32_MAX, &ok);
    if (ok && g->version > 1)
        return err_code(err, ERR_FATAL, "version", "genesis is of version %u, this program knows 1",
                        g->version);
    g->topology = (uint32_t)number(j, "topology", 0, UINT32_MAX, &ok);
    g->partitions = (uint32_t)number(j, "partitions", 1, 1024, &ok);
    g->record_clock = str_eqc(clock, "record");
    if (g->record_clock)
        g->end_ms = number(j, "end", INT64_MIN, INT64_MAX, &ok);
    if (!ok || (!g->record_clock && !str_eqc(clock, "append")))
        return err_code(err, ERR_INPUT, "genesis", "not a genesis record");
    return 0;
}

int genesis_read(struct str bytes, struct genesis *out, struct err *err)
{
    struct arena *a = arena_new(0);
    struct genesis g = {.version = 0};
    const struct json *j;
    int rc = parse(bytes, "genesis", a, &j, err);
    if (rc == 0)
        rc = genesis_fill(j, &g, err);
    if (rc == 0)
        *out = g;
    arena_free(&a);
    return rc;
}

void active_write(const struct active *v, struct buf *b)
{
    buf_addc(b, '{');
    put_str(b, "hash", str_c(v->hash));
    put_u64(b, "level", v->level);
    buf_addc(b, '}');
}

int active_read(struct str bytes, struct active *out, struct err *err)
{
    struct arena *a = arena_new(0);
    const struct json *j;
    uint8_t raw[32];
    bool ok = true;
    int rc = parse(bytes, "active", a, &j, err);
    if (rc == 0) {
        struct str hash = json_str(j, "hash");
        uint32_t level = (uint32_t)number(j, "level", 0, UINT32_MAX, &ok);
        if (!ok || hash.n != 64 || dec_hex(hash, raw, 32) != 0) {
            rc = err_code(err, ERR_INPUT, "active", "not an activation");
        } else {
            (void)snprintf(out->hash, sizeof out->hash, STR_FMT, STR_ARG(hash));
            out->level = level;
        }
    }
    arena_free(&a);
    return rc;
}

void source_epoch_write(int64_t epoch, struct buf *b)
{
    buf_addc(b, '{');
    put_i64(b, "epoch", epoch);
    buf_addc(b, '}');
}

int source_epoch_read(struct str bytes, int64_t *epoch, struct err *err)
{
    struct arena *a = arena_new(0);
    const struct json *j;
    bool ok = true;
    int rc = parse(bytes, "source", a, &j, err);
    if (rc == 0) {
        int64_t v = number(j, "epoch", 0, INT64_MAX, &ok);
        if (!ok)
            rc = err_code(err, ERR_INPUT, "source", "not a source record");
        else
            *epoch = v;
    }
    arena_free(&a);
    return rc;
}
