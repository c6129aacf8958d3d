/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a tree: look-ups, what a scalar says, where its bytes are, and the normal form.
 */
#include "yaml_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const struct yaml_pair *yaml_pair(const struct yaml_node *map, struct str key)
{
    if (!map || map->kind != YAML_MAPPING)
        return NULL;
    for (uint32_t i = 0; i < map->n; i++)
        if (str_eq(map->pairs[i].key, key))
            return &map->pairs[i];
    return NULL;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    const struct yaml_pair *p = yaml_pair(map, str_c(key));
    return p ? p->value : NULL;
}

/* ---- places ---------------------------------------------------------------------------------- */

struct str yaml_expr(const struct yaml_node *scalar, const uint32_t **map, uint32_t *base)
{
    *map = scalar->map;
    *base = scalar->at.start;
    if (scalar->map)
        return scalar->text;
    if (scalar->style == YAML_PLAIN && scalar->text.n == 0)
        return scalar->text;
    if (scalar->text.n == 0)
        return (struct str){"", 0};
    return (struct str){scalar->at.file->text.p + scalar->at.start,
                        scalar->at.end - scalar->at.start};
}

struct span yaml_sub(const struct yaml_node *scalar, size_t from, size_t to)
{
    struct span s = scalar->at;
    if (scalar->map && from <= to && to <= scalar->text.n) {
        s.start = scalar->map[from];
        s.end = scalar->map[to];
    } else if (scalar->text.n == scalar->at.end - scalar->at.start && to <= scalar->text.n) {
        s.start = scalar->at.start + (uint32_t)from;
        s.end = scalar->at.start + (uint32_t)to;
    }
    return s;
}

int yaml_cut_by_comment(const struct yaml_node *scalar, struct span *hash)
{
    if (scalar->kind != YAML_SCALAR || scalar->style != YAML_PLAIN)
        return 0;
    struct str t = scalar->at.file->text;
    uint32_t i = scalar->at.end;
    while (i < t.n && (t.p[i] == ' ' || t.p[i] == '\t'))
        i++;
    if (i >= t.n || i == scalar->at.end || t.p[i] != '#')
        return 0;
    struct parens open = {0};
    paren_scan(scalar->text, &open);
    if (!open.quote)
        return 0;
    *hash = (struct span){scalar->at.file, i, i + 1};
    return 1;
}

/* ---- conversions ----------------------------------------------------------------------------- */

static bool is_plain(const struct yaml_node *n)
{
    return n && n->kind == YAML_SCALAR && n->style == YAML_PLAIN;
}

bool yaml_is_null(const struct yaml_node *n)
{
    return is_plain(n) && (n->text.n == 0 || str_eqc(n->text, "~") || str_eqc(n->text, "null"));
}

bool yaml_bool(const struct yaml_node *n, bool *out)
{
    if (!is_plain(n))
        return false;
    bool yes = str_eqc(n->text, "true");
    if (!yes && !str_eqc(n->text, "false"))
        return false;
    *out = yes;
    return true;
}

bool yaml_i64(const struct yaml_node *n, int64_t *out)
{
    if (!is_plain(n))
        return false;
    struct str t = n->text;
    if (t.n > 1 && t.p[0] == '+' && t.p[1] != '-')
        t = (struct str){t.p + 1, t.n - 1};
    return str_i64(t, out) == 0;
}

/* [-+] digits [. digits] [e [-+] digits]; at least one digit before the point. */
static bool is_number(struct str t)
{
    size_t i = 0, from;
    if (i < t.n && (t.p[i] == '-' || t.p[i] == '+'))
        i++;
    for (from = i; i < t.n && t.p[i] >= '0' && t.p[i] <= '9';)
        i++;
    if (i == from)
        return false;
    if (i < t.n && t.p[i] == '.') {
        for (from = ++i; i < t.n && t.p[i] >= '0' && t.p[i] <= '9';)
            i++;
        if (i == from)
            return false;
    }
    if (i < t.n && (t.p[i] == 'e' || t.p[i] == 'E')) {
        i++;
        if (i < t.n && (t.p[i] == '-' || t.p[i] == '+'))
            i++;
        for (from = i; i < t.n && t.p[i] >= '0' && t.p[i] <= '9';)
            i++;
        if (i == from)
            return false;
    }
    return i == t.n;
}

bool yaml_f64(const struct yaml_node *n, double *out)
{
    if (!is_plain(n) || n->text.n > 64 || !is_number(n->text))
        return false;
    double v = strtod(n->text.p, NULL); /* no locale is ever set: the C locale's point */
    if (!isfinite(v))
        return false;
    *out = v;
    return true;
}

bool yaml_text(const struct yaml_node *n, struct str *out)
{
    if (!n || n->kind != YAML_SCALAR || yaml_is_null(n))
        return false;
    *out = n->text;
    return true;
}

/* ---- the normal form ------------------------------------------------------------------------- */

/* Letters, digits and signs that no YAML reader takes for anything else. */
static bool is_safe(struct str s)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-";
    if (s.n == 0 || s.n > 128 || s.p[0] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!memchr(safe, s.p[i], sizeof safe - 1))
            return false;
    if (s.p[0] == '-')
        return s.n > 1 && s.p[1] >= '0' && s.p[1] <= '9';
    return true;
}

static void write_quoted(struct str s, struct buf *out)
{
    buf_addc(out, '"');
    for (size_t i = 0; i < s.n;) {
        uint32_t cp;
        size_t took = utf8_next(s, i, &cp);
        if (cp == '"' || cp == '\\') {
            buf_addc(out, '\\');
            buf_addc(out, (char)cp);
        } else if (cp == '\n') {
            buf_adds(out, "\\n");
        } else if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029 ||
                   cp == 0xfeff || cp == 0xfffe || cp == 0xffff) {
            buf_addf(out, "\\u%04x", (unsigned)cp);
        } else {
            buf_add(out, s.p + i, took);
        }
        i += took;
    }
    buf_addc(out, '"');
}

static void write_key(struct str key, struct buf *out)
{
    bool word = key.n > 0 && key.n <= 128 && key.p[0] != '-' && is_safe(key);
    if (word)
        buf_addstr(out, key);
    else
        write_quoted(key, out);
    buf_adds(out, ": ");
}

/* A plain scalar that is no null, bool or number means the same when quoted; and one that is has only
 * safe characters. */
static void write_scalar(const struct yaml_node *n, struct buf *out)
{
    if (yaml_is_null(n))
        buf_adds(out, "null");
    else if (n->style == YAML_PLAIN && is_safe(n->text))
        buf_addstr(out, n->text);
    else
        write_quoted(n->text, out);
}

/* At most YAML_MAX_DEPTH deep. */
void yaml_write(const struct yaml_node *n, struct buf *out)
{
    if (n->kind == YAML_SCALAR) {
        write_scalar(n, out);
        return;
    }
    bool map = n->kind == YAML_MAPPING;
    buf_addc(out, map ? '{' : '[');
    for (uint32_t i = 0; i < n->n; i++) {
        if (i)
            buf_adds(out, ", ");
        if (map)
            write_key(n->pairs[i].key, out);
        yaml_write(map ? n->pairs[i].value : n->items[i], out);
    }
    buf_addc(out, map ? '}' : ']');
}
