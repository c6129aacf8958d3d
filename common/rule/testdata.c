/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test's `data:` as the raw record that would have come from Kafka: JSON, with the member, the time
 * and what `match` asks for filled in where the event's declaration says they stand.  It is decoded by
 * the production decoder, so a test cannot feed what ingest would refuse.
 */
#include "test_priv.h"

#include <stdio.h>

struct jn { /* a JSON value that can still be added to */
    struct str key;
    enum { J_RAW, J_OBJECT, J_ARRAY } kind;
    struct str raw; /* scalars: as written */
    struct jn *first, *last, *next;
};
struct conv {
    struct load *L;
    const struct event_def *def;
    struct str path[YAML_MAX_DEPTH + 1];
    uint32_t depth;
};

static struct jn *add(struct load *L, struct jn *to, struct str key)
{
    struct jn *n = ARENA_NEW(L->a, struct jn);
    n->key = key;
    if (to->last)
        to->last->next = n;
    else
        to->first = n;
    to->last = n;
    return n;
}

static struct str quoted(struct load *L, struct str s)
{
    struct buf b;
    buf_init(&b, 2 * YAML_MAX_BYTES);
    json_write_str(&b, s);
    struct str out = arena_str(L->a, buf_str(&b));
    buf_free(&b);
    return out;
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][-+]?[0-9]+)? */
static bool is_json_number(struct str s)
{
    struct yaml_node n = {.kind = YAML_SCALAR, .style = YAML_PLAIN, .text = s};
    double v;
    if (!yaml_f64(&n, &v) || s.p[0] == '+')
        return false;
    size_t i = s.p[0] == '-';
    return !(s.p[i] == '0' && i + 1 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '9');
}

static bool is_text(const struct type *t)
{
    return t && (t->kind == TYPE_STRING || t->kind == TYPE_DATE || t->kind == TYPE_LUNAR_DATE ||
                 t->kind == TYPE_ADDRESS);
}

static struct str scalar(struct load *L, const struct yaml_node *y, const struct type *t)
{
    bool b;
    if (yaml_is_null(y))
        return STR("null");
    if (y->style != YAML_PLAIN || is_text(t))
        return quoted(L, y->text);
    if (yaml_bool(y, &b) || is_json_number(y->text))
        return y->text;
    return quoted(L, y->text);
}

static bool same_path(const struct path *p, const struct str *keys, uint32_t n)
{
    if (p->n != n)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (!str_eq(p->keys[i], keys[i]))
            return false;
    return true;
}

/* The declared type of what stands at the present path. */
static const struct type *type_here(const struct conv *c)
{
    uint32_t n = c->def->fields->n_fields - EVENT_EXTRA;
    for (uint32_t i = 0; i < n; i++)
        if (same_path(&c->def->paths[i], c->path, c->depth))
            return c->def->fields->fields[i].type;
    if (same_path(&c->def->id, c->path, c->depth))
        return &type_string;
    for (uint32_t i = 0; i < c->def->n_member; i++)
        if (same_path(&c->def->member[i].path, c->path, c->depth))
            return &type_string;
    return NULL;
}

static void convert(struct conv *c, const struct yaml_node *y, const struct type *t, struct jn *out)
{
    if (y->kind == YAML_SCALAR) {
        out->raw = scalar(c->L, y, t);
        return;
    }
    bool each = c->def->each.n && same_path(&c->def->each, c->path, c->depth);
    uint32_t depth = c->depth;
    out->kind = y->kind == YAML_MAPPING ? J_OBJECT : J_ARRAY;
    for (uint32_t i = 0; i < y->n; i++) {
        if (y->kind == YAML_SEQUENCE) {
            c->depth = each ? 0 : depth;
            convert(c, y->items[i], each || !t ? NULL : t->elem, add(c->L, out, (struct str){0}));
            continue;
        }
        struct str key = y->pairs[i].key;
        const struct type *sub = NULL;
        c->path[c->depth++] = key;
        if (t && t->kind == TYPE_RECORD) {
            int f = type_field(t, key);
            sub = f >= 0 ? t->fields[f].type : NULL;
        } else if (!t) {
            sub = type_here(c);
        }
        convert(c, y->pairs[i].value, sub, add(c->L, out, key));
        c->depth = depth;
    }
    c->depth = depth;
}

/* Put `raw` where `p` leads, unless something stands there. */
static void fill(struct load *L, struct jn *n, const struct path *p, struct str raw)
{
    for (uint32_t i = 0; i < p->n; i++) {
        struct jn *k = n->first;
        while (k && !str_eq(k->key, p->keys[i]))
            k = k->next;
        if (k && (i + 1 == p->n || k->kind != J_OBJECT))
            return;
        if (!k) {
            k = add(L, n, p->keys[i]);
            k->kind = i + 1 < p->n ? J_OBJECT : J_RAW;
            k->raw = raw;
        }
        n = k;
    }
}

static void write(const struct jn *n, struct buf *out)
{
    if (n->kind == J_RAW) {
        buf_addstr(out, n->raw);
        return;
    }
    buf_addc(out, n->kind == J_OBJECT ? '{' : '[');
    for (const struct jn *k = n->first; k; k = k->next) {
        if (k != n->first)
            buf_addc(out, ',');
        if (n->kind == J_OBJECT) {
            json_write_str(out, k->key);
            buf_addc(out, ':');
        }
        write(k, out);
    }
    buf_addc(out, n->kind == J_OBJECT ? '}' : ']');
}

static struct str render(struct load *L, const struct jn *n)
{
    struct buf b;
    buf_init(&b, 4 * YAML_MAX_BYTES);
    write(n, &b);
    struct str s = arena_str(L->a, buf_str(&b));
    buf_free(&b);
    return s;
}

static void decode(struct load *L, struct test_step *s, int64_t number, struct span at)
{
    struct upstream u = {.src = {.topic = s->event->topic, .offset = number},
                         .kafka_ms = s->time_ms,
                         .value = s->json};
    struct decode_limits lim = {.max_bytes = 65536, .max_depth = 32, .latest_ms = TIME_NEVER};
    struct event *events;
    struct err err = {0};
    if (model_decode(L->p->schema, &u, &lim, L->a, &events, &s->n_events, &err)) {
        diags_addf(L->d, "S024", at, (struct str){0}, (struct str){0},
                   "ingest would refuse this: %s", err.text);
        return;
    }
    s->events = events;
    bool made = false;
    for (uint32_t i = 0; i < s->n_events; i++)
        made |= events[i].def == s->event;
    if (!made)
        diags_addf(L->d, "S024", at, (struct str){0}, (struct str){0},
                   "this record does not make a `" STR_FMT "`", STR_ARG(s->event->name));
}

void test_event(struct load *L, const struct yaml_node *data, struct test_step *s, int64_t number,
                struct span at)
{
    struct conv c = {.L = L, .def = s->event};
    struct jn root = {.kind = J_OBJECT};
    char text[48];
    if (data && !want_map(L, data, "`data`"))
        return;
    if (data)
        convert(&c, data, NULL, &root);
    s->json = render(L, &root);
    for (uint32_t i = 0; i < s->event->n_member; i++)
        fill(L, &root, &s->event->member[i].path, quoted(L, s->member));
    size_t n = time_format_ms(s->time_ms, text);
    fill(L, &root, &s->event->time, quoted(L, (struct str){text, n}));
    for (uint32_t i = 0; i < s->event->n_match; i++)
        fill(L, &root, &s->event->match[i].path, quoted(L, s->event->match[i].value));
    struct str bare = s->json;
    s->json = render(L, &root);
    decode(L, s, number, at);
    s->json = bare;
}
