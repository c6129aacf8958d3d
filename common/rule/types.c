/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types as they are written (`string`, `money?`, `[T]`, `{name: T}`, `{type: T, one_of: …, max: …}`),
 * paths, and scalars read as values of a type.
 */
#include "rule_priv.h"

#include <stdlib.h>

static const struct {
    const char *name;
    const struct type *type;
} words[] = {
    {"string", &type_string},     {"int", &type_int},
    {"double", &type_double},     {"money", &type_money},
    {"bool", &type_bool},         {"timestamp", &type_timestamp},
    {"date", &type_date},         {"lunar_date", &type_lunar_date},
    {"duration", &type_duration}, {"address", &type_address},
};

const char *type_word_at(size_t i)
{
    return i < BASE_LEN(words) ? words[i].name : NULL;
}

const char *type_word(const struct type *t)
{
    static const char *const kinds[] = {
        [TYPE_ERROR] = "an error",
        [TYPE_NULL] = "null",
        [TYPE_BOOL] = "bool",
        [TYPE_INT] = "int",
        [TYPE_DOUBLE] = "double",
        [TYPE_STRING] = "string",
        [TYPE_MONEY] = "money",
        [TYPE_DATE] = "date",
        [TYPE_LUNAR_DATE] = "lunar_date",
        [TYPE_TIMESTAMP] = "timestamp",
        [TYPE_DURATION] = "duration",
        [TYPE_ADDRESS] = "address",
        [TYPE_LIST] = "a list",
        [TYPE_MAP] = "a map",
        [TYPE_RECORD] = "a record",
    };
    return kinds[t->kind];
}

/* ---- paths ----------------------------------------------------------------------------------- */

struct path path_of(struct load *L, struct str text)
{
    uint32_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '.';
    struct str *keys = ARENA_ARRAY(L->a, struct str, n);
    size_t from = 0;
    uint32_t k = 0;
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] != '.')
            continue;
        keys[k++] = arena_str(L->a, (struct str){text.p + from, i - from});
        from = i + 1;
    }
    return (struct path){keys, n};
}

bool read_path(struct load *L, const struct yaml_node *n, const char *what, struct path *out)
{
    struct str s;
    if (!want_text(L, n, what, &s))
        return false;
    struct path p = path_of(L, s);
    for (uint32_t i = 0; i < p.n; i++) {
        if (p.keys[i].n == 0 || p.n > 16) {
            diags_addf(L->d, "S012", n->at, STR("write a field name, or a path like data.user.id"),
                       (struct str){0}, "`" STR_FMT "` is not a path", STR_ARG(s));
            return false;
        }
    }
    *out = p;
    return true;
}

/* ---- types ----------------------------------------------------------------------------------- */

const struct type *type_list_of(struct load *L, const struct type *elem, uint32_t max)
{
    struct type *t = ARENA_NEW(L->a, struct type);
    *t = (struct type){.kind = TYPE_LIST, .elem = elem, .max = max ? max : 64};
    return t;
}

static bool bad_type(struct load *L, const struct yaml_node *n, struct str word)
{
    struct str names[BASE_LEN(words)];
    for (size_t i = 0; i < BASE_LEN(words); i++)
        names[i] = str_c(words[i].name);
    unknown(L, "T001", n->at, "type", word, names, BASE_LEN(words), "types");
    return false;
}

/* WORD, [TEXT], either with `?`. */
static bool text_type(struct load *L, const struct yaml_node *n, struct str s, int depth,
                      struct field_type *out)
{
    if (s.n > 1 && s.p[s.n - 1] == '?') {
        out->optional = true;
        s.n--;
    }
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']' && depth < 8) {
        struct field_type elem = {0};
        if (!text_type(L, n, (struct str){s.p + 1, s.n - 2}, depth + 1, &elem))
            return false;
        out->type = type_list_of(L, elem.type, 0);
        return true;
    }
    for (size_t i = 0; i < BASE_LEN(words); i++) {
        if (str_eqc(s, words[i].name)) {
            out->type = words[i].type;
            return true;
        }
    }
    return bad_type(L, n, s);
}

enum { K_TYPE, K_ONE_OF, K_MAX, K_PATH, K_OPTIONAL, N_LONG };
static const struct key_def long_keys[] = {
    [K_TYPE] = {"type", true, NULL, "type", "the type", "类型"},
    [K_ONE_OF] = {"one_of", false, NULL, "texts", "the only values allowed", "只能是这些值"},
    [K_MAX] = {"max", false, NULL, "int 1..16384",
               "the greatest length: characters of a text (256), items of a list (64)",
               "最大长度：文本的字数（256），列表的项数（64）"},
    [K_PATH] = {"path", false, NULL, "path", "where it stands in the record, such as data.user.id",
                "在记录里的位置，例如 data.user.id"},
    [K_OPTIONAL] = {"optional", false, NULL, "bool", "may be absent, like `?`",
                    "可以没有，和 `?` 一样"},
};
const struct key_table long_type_table = {"long_type", long_keys, BASE_LEN(long_keys),
                                          "a type in its long form", "类型的完整写法"};

/* {type: T, …} and not a record that happens to have a field called `type`. */
static bool is_long(const struct yaml_node *n)
{
    if (!yaml_get(n, "type"))
        return false;
    for (uint32_t i = 0; i < n->n; i++) {
        size_t k = 0;
        while (k < N_LONG && !str_eqc(n->pairs[i].key, long_keys[k].name))
            k++;
        if (k == N_LONG)
            return false;
    }
    return true;
}

static bool read_one_of(struct load *L, const struct yaml_node *n, struct type *t)
{
    if (t->kind != TYPE_STRING) {
        diags_addf(L->d, "T002", n->at, (struct str){0}, (struct str){0},
                   "`one_of` is for strings, this is %s", type_word(t));
        return false;
    }
    if (!want_list(L, n, "`one_of`"))
        return false;
    if (n->n == 0) {
        diags_addf(L->d, "T003", n->at, (struct str){0}, (struct str){0},
                   "an empty `one_of` allows nothing");
        return false;
    }
    struct str *v = ARENA_ARRAY(L->a, struct str, n->n);
    for (uint32_t i = 0; i < n->n; i++)
        if (!want_text(L, n->items[i], "a value of `one_of`", &v[i]))
            return false;
    t->one_of = v;
    t->n_one_of = n->n;
    return true;
}

static bool read_long(struct load *L, const struct yaml_node *n, struct field_type *out)
{
    const struct yaml_node *k[N_LONG];
    if (!read_keys(L, n, (struct where){"a type", {0}}, long_keys, N_LONG, NULL, 0, k))
        return false;
    if (!read_type(L, k[K_TYPE], "`type`", out))
        return false;
    struct type *t = ARENA_NEW(L->a, struct type);
    *t = *out->type;
    int64_t max;
    if (k[K_MAX]) {
        bool sized = t->kind == TYPE_STRING || t->kind == TYPE_LIST || t->kind == TYPE_MAP;
        if (!sized) {
            diags_addf(L->d, "T002", k[K_MAX]->at, (struct str){0}, (struct str){0},
                       "`max` is for strings and lists, this is %s", type_word(t));
            return false;
        }
        if (!read_int(L, k[K_MAX], "`max`", 1, t->kind == TYPE_STRING ? 16384 : 1024, &max))
            return false;
        t->max = (uint32_t)max;
    }
    if (k[K_ONE_OF] && !read_one_of(L, k[K_ONE_OF], t))
        return false;
    if (k[K_PATH] && !read_path(L, k[K_PATH], "`path`", &out->path))
        return false;
    read_bool(L, k[K_OPTIONAL], "`optional`", &out->optional);
    out->type = t;
    return true;
}

static bool is_field_name(struct str s)
{
    if (s.n == 0 || s.n > 64 || (s.p[0] >= '0' && s.p[0] <= '9'))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return true;
}

static bool read_record(struct load *L, const struct yaml_node *n, struct field_type *out)
{
    struct type *t = ARENA_NEW(L->a, struct type);
    struct field *f = ARENA_ARRAY(L->a, struct field, n->n + 1);
    *t = (struct type){.kind = TYPE_RECORD, .fields = f, .n_fields = n->n, .name = STR("record")};
    bool ok = true;
    for (uint32_t i = 0; i < n->n; i++) {
        struct field_type ft = {0};
        f[i].name = n->pairs[i].key;
        f[i].type = &type_error;
        if (!is_field_name(f[i].name)) {
            diags_addf(L->d, "S005", n->pairs[i].key_at, STR("use letters, digits and _"),
                       (struct str){0}, "`" STR_FMT "` cannot be the name of a field",
                       STR_ARG(f[i].name));
            ok = false;
        } else if (!read_type(L, n->pairs[i].value, "a type", &ft)) {
            ok = false;
        } else if (ft.path.n) {
            diags_addf(L->d, "S012", n->pairs[i].value->at, (struct str){0}, (struct str){0},
                       "`path` is for the fields of an event, not inside a record");
            ok = false;
        } else {
            f[i].type = ft.type;
            f[i].optional = ft.optional;
        }
    }
    out->type = t;
    return ok;
}

bool read_type(struct load *L, const struct yaml_node *n, const char *what, struct field_type *out)
{
    struct str s;
    if (n->kind == YAML_MAPPING)
        return is_long(n) ? read_long(L, n, out) : read_record(L, n, out);
    if (n->kind == YAML_SCALAR)
        return want_text(L, n, what, &s) && text_type(L, n, s, 0, out);
    if (n->n != 1) {
        diags_addf(L->d, "T001", n->at, STR("write [T]"), (struct str){0},
                   "a list has one type of items");
        return false;
    }
    struct field_type elem = {0};
    if (!read_type(L, n->items[0], what, &elem))
        return false;
    out->type = type_list_of(L, elem.type, 0);
    return true;
}

/* ---- several events seen as one -------------------------------------------------------------- */

bool type_same(const struct type *a, const struct type *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->n_fields != b->n_fields || a->n_one_of != b->n_one_of)
        return false;
    for (uint32_t i = 0; i < a->n_one_of; i++)
        if (!str_eq(a->one_of[i], b->one_of[i]))
            return false;
    if ((a->elem && !type_same(a->elem, b->elem)) || (a->key && !type_same(a->key, b->key)))
        return false;
    for (uint32_t i = 0; i < a->n_fields; i++)
        if (!str_eq(a->fields[i].name, b->fields[i].name) ||
            a->fields[i].optional != b->fields[i].optional ||
            !type_same(a->fields[i].type, b->fields[i].type))
            return false;
    return true;
}

/* Field `f` of the first event in all others: fills at[1..], and what can be said of it in common. */
static bool in_common(struct load *L, const uint32_t *events, uint32_t n, struct field *f,
                      uint32_t *at)
{
    for (uint32_t i = 1; i < n; i++) {
        const struct type *other = L->events[events[i]]->fields;
        int k = type_field(other, f->name);
        if (k < 0)
            return false;
        const struct field *g = &other->fields[k];
        if (!type_same(f->type, g->type)) {
            if (f->type->kind != TYPE_STRING || g->type->kind != TYPE_STRING)
                return false;
            struct type *plain =
                ARENA_NEW(L->a, struct type); /* strings of other lists of values */
            *plain = type_string;
            plain->max = f->type->max > g->type->max ? f->type->max : g->type->max;
            f->type = plain;
        }
        if (g->type->max > f->type->max) {
            struct type *wide = ARENA_NEW(L->a, struct type);
            *wide = *f->type;
            wide->max = g->type->max;
            f->type = wide;
        }
        f->optional |= g->optional;
        at[i] = (uint32_t)k;
    }
    return true;
}

struct event_view make_view(struct load *L, const uint32_t *events, uint32_t n)
{
    struct event_view v = {.events = events, .n_events = n};
    if (n == 0)
        return v;
    const struct type *first = L->events[events[0]]->fields;
    if (n == 1) {
        v.type = first;
        return v;
    }
    struct field *f = ARENA_ARRAY(L->a, struct field, first->n_fields);
    uint32_t **map = ARENA_ARRAY(L->a, uint32_t *, n);
    uint32_t *at = ARENA_ARRAY(L->a, uint32_t, n);
    for (uint32_t i = 0; i < n; i++)
        map[i] = ARENA_ARRAY(L->a, uint32_t, first->n_fields);
    struct type *t = ARENA_NEW(L->a, struct type);
    *t = (struct type){.kind = TYPE_RECORD, .fields = f, .name = first->name};
    for (uint32_t k = 0; k < first->n_fields; k++) {
        f[t->n_fields] = first->fields[k];
        at[0] = k;
        if (!in_common(L, events, n, &f[t->n_fields], at))
            continue;
        for (uint32_t i = 0; i < n; i++)
            map[i][t->n_fields] = at[i];
        t->n_fields++;
    }
    v.type = t;
    v.map = (const uint32_t *const *)map;
    return v;
}

const struct val *event_view(const struct event_view *v, const struct event *ev, struct val *room)
{
    if (!v->type || !ev->def)
        return NULL;
    for (uint32_t i = 0; i < v->n_events; i++) {
        if (v->events[i] != ev->def->index)
            continue;
        if (!v->map)
            return ev->f;
        for (uint32_t k = 0; k < v->type->n_fields; k++)
            room[k] = ev->f[v->map[i][k]];
        return room;
    }
    return NULL;
}
