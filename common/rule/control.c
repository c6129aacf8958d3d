/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control: what rouse.control says, record by record.  Every process feeds it the topic from the
 * beginning, in order, and asks: which genesis, which activation, which program, which verdict.  The
 * topic is compacted, so the last record of a key counts; a bundle is there once its manifest and
 * all its chunks are.  Programs are compiled when first asked for and live as long as the control.
 */
#include "rule.h"

#include <stdio.h>
#include <stdlib.h>

struct bundle {
    struct str *chunks; /* malloc'ed copies; p NULL = not there */
    uint32_t n_chunks, cap;
    uint32_t want; /* of the manifest; 0 = no manifest yet */
    uint64_t bytes;
    struct program *program;
    struct err bad; /* why it cannot be loaded */
};
struct control {
    bool have_genesis, have_active;
    struct genesis genesis;
    struct active active;
    uint64_t n;
    struct map *bundles; /* hash -> struct bundle */
    struct map *values;  /* other keys -> NUL-terminated text */
};

struct control *control_new(void)
{
    struct control *c = xcalloc(1, sizeof *c);
    c->bundles = map_new(true);
    c->values = map_new(true);
    return c;
}

static void drop_chunk(struct str *s)
{
    void *p;
    memcpy(&p, &s->p, sizeof p);
    free(p);
    *s = (struct str){NULL, 0};
}

static void drop_chunks(struct bundle *b)
{
    for (uint32_t i = 0; i < b->n_chunks; i++)
        drop_chunk(&b->chunks[i]);
    free(b->chunks);
    b->chunks = NULL;
    b->n_chunks = b->cap = 0;
}

void control_free(struct control **c)
{
    size_t it = 0;
    void *v;
    if (!*c)
        return;
    while (map_next((*c)->bundles, &it, NULL, &v)) {
        struct bundle *b = v;
        rule_free(&b->program);
        drop_chunks(b);
        free(b);
    }
    it = 0;
    while (map_next((*c)->values, &it, NULL, &v))
        free(v);
    map_free(&(*c)->bundles);
    map_free(&(*c)->values);
    free(*c);
    *c = NULL;
}

static struct bundle *bundle_of(struct control *c, struct str hash)
{
    struct bundle *b = map_get(c->bundles, hash);
    if (!b) {
        b = xcalloc(1, sizeof *b);
        map_put(c->bundles, hash, b);
    }
    return b;
}

static int put_chunk(struct bundle *b, int64_t i, struct str value, struct err *err)
{
    if (i < 0 || i >= BUNDLE_MAX_CHUNKS || value.n > BUNDLE_CHUNK)
        return err_code(err, ERR_INPUT, "control", "a bundle's chunk %lld of %zu bytes",
                        (long long)i, value.n);
    if ((uint32_t)i >= b->cap) {
        uint32_t cap = (uint32_t)i + 16;
        b->chunks = xrealloc(b->chunks, cap * sizeof *b->chunks);
        memset(b->chunks + b->cap, 0, (cap - b->cap) * sizeof *b->chunks);
        b->cap = cap;
    }
    drop_chunk(&b->chunks[i]);
    b->chunks[i] = (struct str){xmemdup0(value.p, value.n), value.n};
    if ((uint32_t)i >= b->n_chunks)
        b->n_chunks = (uint32_t)i + 1;
    return 0;
}

static int put_manifest(struct bundle *b, struct str value, struct err *err)
{
    const struct json *j;
    struct arena *a = arena_new(0);
    int rc = json_parse(value, 4, a, &j, err);
    if (rc == 0) {
        int64_t chunks = json_i64(j, "chunks", 0), bytes = json_i64(j, "bytes", -1);
        if (chunks < 1 || chunks > BUNDLE_MAX_CHUNKS || bytes < 0 || bytes > BUNDLE_MAX_BYTES) {
            rc = err_code(err, ERR_INPUT, "control", "a bundle's manifest is out of range");
        } else {
            b->want = (uint32_t)chunks;
            b->bytes = (uint64_t)bytes;
        }
    }
    arena_free(&a);
    return rc;
}

/* bundle/<hash>/<i> and bundle/<hash>/manifest */
static int take_bundle(struct control *c, struct str key, struct str value, struct err *err)
{
    struct str rest = {key.p + 7, key.n - 7}, hash = {rest.p, 64};
    int64_t i;
    if (rest.n < 66 || rest.p[64] != '/')
        return err_code(err, ERR_INPUT, "control", "unknown key `" STR_FMT "`", STR_ARG(key));
    struct str what = {rest.p + 65, rest.n - 65};
    if (str_eqc(what, "manifest"))
        return put_manifest(bundle_of(c, hash), value, err);
    if (str_i64(what, &i) != 0)
        return err_code(err, ERR_INPUT, "control", "unknown key `" STR_FMT "`", STR_ARG(key));
    return put_chunk(bundle_of(c, hash), i, value, err);
}

int control_record(struct control *c, struct str key, struct str value, bool tombstone,
                   int64_t offset, struct err *err)
{
    if (str_starts(key, "bundle/"))
        return tombstone ? 0 : take_bundle(c, key, value, err);
    if (str_eqc(key, "genesis")) {
        if (tombstone || genesis_read(value, &c->genesis, err) != 0)
            return -1;
        c->have_genesis = true;
        return 0;
    }
    if (str_eqc(key, "active")) {
        if (tombstone || active_read(value, &c->active, err) != 0)
            return -1;
        c->have_active = true;
        c->n = (uint64_t)offset;
        return 0;
    }
    free(map_del(c->values, key));
    if (!tombstone)
        map_put(c->values, key, xmemdup0(value.p, value.n));
    return 0;
}

const struct genesis *control_genesis(const struct control *c)
{
    return c->have_genesis ? &c->genesis : NULL;
}

const struct active *control_active(const struct control *c, uint64_t *n)
{
    if (!c->have_active)
        return NULL;
    *n = c->n;
    return &c->active;
}

const char *control_value(const struct control *c, const char *key)
{
    return map_get(c->values, str_c(key));
}

static bool complete(const struct bundle *b)
{
    uint64_t bytes = 0;
    if (b->want == 0 || b->n_chunks < b->want)
        return false;
    for (uint32_t i = 0; i < b->want; i++) {
        if (!b->chunks[i].p)
            return false;
        bytes += b->chunks[i].n;
    }
    return bytes == b->bytes;
}

static void load(struct bundle *b, struct str hash)
{
    struct buf whole;
    buf_init(&whole, BUNDLE_MAX_BYTES);
    for (uint32_t i = 0; i < b->want; i++)
        buf_addstr(&whole, b->chunks[i]);
    b->program = bundle_load(buf_str(&whole), &b->bad);
    buf_free(&whole);
    if (b->program && !str_eq(str_c(b->program->hash), hash)) {
        rule_free(&b->program);
        (void)err_code(&b->bad, ERR_FATAL, "bundle",
                       "a bundle's bytes do not have the hash it is named by");
    }
    drop_chunks(b);
}

int control_program(struct control *c, struct str hash, const struct program **out, struct err *err)
{
    struct bundle *b = map_get(c->bundles, hash);
    if (b && !b->program && b->bad.kind == ERR_NONE && complete(b))
        load(b, hash);
    if (b && b->bad.kind != ERR_NONE) {
        if (err && err->kind == ERR_NONE)
            *err = b->bad;
        return -1;
    }
    if (!b || !b->program)
        return 0;
    *out = b->program;
    return 1;
}
