/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fastjson: the common form of JSON in one pass, for upstream messages at full rate.  It builds the same
 * tree that jansson's would become, or gives up: everything that it does not like, whether wrong or only
 * unusual (more than 32 keys in an object), goes to jansson, which either takes it or finds the words.
 * tests/unit/model and the fuzzer hold the two against each other.
 */
#include "model_priv.h"

#define FAST_KEYS 32 /* duplicates are looked for pair by pair */

static void space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
        s->p++;
}

static bool value(struct scan *s, uint32_t depth, struct json *to);

static bool duplicate(const struct str *keys, uint32_t n)
{
    struct str k = keys[n];
    for (uint32_t i = 0; i < n; i++)
        if (keys[i].n == k.n && (k.n == 0 || (keys[i].p[0] == k.p[0] && str_eq(keys[i], k))))
            return true;
    return false;
}

static bool key(struct scan *s, struct str *keys, uint32_t n)
{
    space(s);
    if (!scan_str(s, &keys[n]) || memchr(keys[n].p, 0, keys[n].n) || duplicate(keys, n))
        return false;
    space(s);
    return scan_c(s, ':');
}

static bool object(struct scan *s, uint32_t depth, struct json *to)
{
    struct str keys[FAST_KEYS];
    struct json *items = NULL;
    uint32_t n = 0, cap = 0;
    s->p++;
    space(s);
    if (!scan_c(s, '}')) {
        do {
            if (n == FAST_KEYS || !key(s, keys, n))
                return false;
            if (n == cap) {
                cap = cap ? FAST_KEYS : 12;
                struct json *more = arena_alloc(s->a, cap * sizeof *more);
                if (n)
                    memcpy(more, items, n * sizeof *more);
                items = more;
            }
            if (!value(s, depth, &items[n++]))
                return false;
            space(s);
        } while (scan_c(s, ','));
        if (!scan_c(s, '}'))
            return false;
    }
    struct str *kept = arena_alloc(s->a, n * sizeof *kept);
    if (n)
        memcpy(kept, keys, n * sizeof *kept);
    to->kind = JSON_OBJECT;
    to->keys = kept;
    to->items = items;
    to->n = n;
    return true;
}

static bool array(struct scan *s, uint32_t depth, struct json *to)
{
    struct json *items = NULL;
    uint32_t n = 0, cap = 0;
    s->p++;
    space(s);
    if (!scan_c(s, ']')) {
        do {
            if (n == cap) {
                cap = cap ? cap * 2 : 4;
                struct json *more = arena_alloc(s->a, cap * sizeof *more);
                if (n)
                    memcpy(more, items, n * sizeof *more);
                items = more;
            }
            if (!value(s, depth, &items[n++]))
                return false;
            space(s);
        } while (scan_c(s, ','));
        if (!scan_c(s, ']'))
            return false;
    }
    to->kind = JSON_ARRAY;
    to->items = items;
    to->n = n;
    return true;
}

static bool number(struct scan *s, struct json *to)
{
    const char *from = s->p;
    if (scan_i64(s, &to->i)) {
        to->kind = JSON_INT;
        to->d = (double)to->i;
        return true;
    }
    s->p = from; /* a real, unless it is an integer that is too large: jansson refuses those */
    if (!scan_double(s, &to->d))
        return false;
    for (const char *p = from; p < s->p; p++)
        if (*p == '.' || *p == 'e' || *p == 'E') {
            to->kind = JSON_REAL;
            to->i = 0;
            return true;
        }
    return false;
}

static bool word(struct scan *s, struct json *to)
{
    if (scan_lit(s, "null")) {
        to->kind = JSON_NULL;
        return true;
    }
    to->kind = JSON_BOOL;
    return scan_bool(s, &to->b);
}

static bool value(struct scan *s, uint32_t depth, struct json *to)
{
    memset(to, 0, sizeof *to);
    to->s = STR("");
    space(s);
    if (s->p >= s->end)
        return false;
    char c = *s->p;
    if (c == '"') {
        to->kind = JSON_STRING;
        return scan_str(s, &to->s);
    }
    if (c == '{' || c == '[') {
        if (depth == 0)
            return false;
        return c == '{' ? object(s, depth - 1, to) : array(s, depth - 1, to);
    }
    return c == '-' || (c >= '0' && c <= '9') ? number(s, to) : word(s, to);
}

int json_fast(struct str text, uint32_t max_depth, struct arena *a, const struct json **out)
{
    struct str own = arena_str(a, text); /* the tree outlives the caller's bytes */
    struct scan s = {.p = own.p, .end = own.p + own.n, .a = a};
    struct json *root = arena_alloc(a, sizeof *root);
    if (!value(&s, max_depth < MODEL_DEPTH_MAX ? max_depth : MODEL_DEPTH_MAX, root))
        return 0;
    space(&s);
    if (s.p != s.end)
        return 0;
    *out = root;
    return 1;
}
