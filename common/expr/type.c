/* SPDX-License-Identifier: Apache-2.0 */
/*
 * type: the types of the model as expressions see them.  Money is a double, dates are strings; the
 * poison type goes with everything, so that one mistake is reported once.  The same poison is the
 * element type of `[]` and `{}`: no value of it can ever be met, and the context decides.
 */
#include "expr_priv.h"

static const struct type date_text = {.kind = TYPE_STRING, .max = 11, .name = {"string", 6}};

const struct type *type_read(const struct type *declared)
{
    if (declared->kind == TYPE_MONEY)
        return &type_double;
    if (declared->kind == TYPE_DATE || declared->kind == TYPE_LUNAR_DATE)
        return &date_text;
    return declared;
}

const struct type *type_list(struct comp *c, const struct type *elem, uint32_t max)
{
    struct type *t = ARENA_NEW(c->a, struct type);
    t->kind = TYPE_LIST;
    t->elem = elem;
    t->max = max;
    return t;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static const struct type *unify_fields(struct comp *c, const struct type *a, const struct type *b)
{
    if (a->n_fields != b->n_fields)
        return NULL;
    for (uint32_t i = 0; i < a->n_fields; i++)
        if (!str_eq(a->fields[i].name, b->fields[i].name) ||
            !type_unify(c, a->fields[i].type, b->fields[i].type))
            return NULL;
    return a;
}

static const struct type *unify_containers(struct comp *c, const struct type *a,
                                           const struct type *b)
{
    const struct type *key = a->kind == TYPE_MAP ? type_unify(c, a->key, b->key) : NULL;
    const struct type *elem = type_unify(c, a->elem, b->elem);
    if (!elem || (a->kind == TYPE_MAP && !key))
        return NULL;
    struct type *t = ARENA_NEW(c->a, struct type);
    t->kind = a->kind;
    t->key = key;
    t->elem = elem;
    t->max = larger(a->max, b->max);
    return t;
}

const struct type *type_unify(struct comp *c, const struct type *a, const struct type *b)
{
    a = type_read(a);
    b = type_read(b);
    if (a == b || type_poison(b))
        return a;
    if (type_poison(a))
        return b;
    if (a->kind != b->kind)
        return NULL;
    if (a->kind == TYPE_RECORD)
        return unify_fields(c, a, b);
    if (a->kind == TYPE_LIST || a->kind == TYPE_MAP)
        return unify_containers(c, a, b);
    if (a->kind != TYPE_STRING || (a->one_of == b->one_of && a->max == b->max))
        return a;
    struct type *t = ARENA_NEW(c->a, struct type);
    t->kind = TYPE_STRING;
    t->max = larger(a->max, b->max);
    return t;
}

const char *type_text(struct comp *c, const struct type *t)
{
    static const char *const names[] = {
        [TYPE_ERROR] = "?",           [TYPE_NULL] = "null",
        [TYPE_BOOL] = "bool",         [TYPE_INT] = "int",
        [TYPE_DOUBLE] = "double",     [TYPE_STRING] = "string",
        [TYPE_MONEY] = "double",      [TYPE_DATE] = "string",
        [TYPE_LUNAR_DATE] = "string", [TYPE_TIMESTAMP] = "timestamp",
        [TYPE_DURATION] = "duration", [TYPE_ADDRESS] = "address",
        [TYPE_LIST] = "list",         [TYPE_MAP] = "map",
        [TYPE_RECORD] = "record",
    };
    if (t->kind == TYPE_LIST && !type_poison(t->elem))
        return arena_printf(c->tmp, "list(%s)", type_text(c, t->elem));
    if (t->kind == TYPE_MAP && !type_poison(t->elem))
        return arena_printf(c->tmp, "map(%s, %s)", type_text(c, t->key), type_text(c, t->elem));
    if (t->kind == TYPE_RECORD && t->name.n)
        return arena_printf(c->tmp, "record `%.*s`", STR_ARG(t->name));
    return names[t->kind];
}

enum val_kind type_val(const struct type *t)
{
    static const uint8_t kinds[] = {
        [TYPE_ERROR] = V_NULL,        [TYPE_NULL] = V_NULL,
        [TYPE_BOOL] = V_BOOL,         [TYPE_INT] = V_INT,
        [TYPE_DOUBLE] = V_DOUBLE,     [TYPE_STRING] = V_STRING,
        [TYPE_MONEY] = V_DOUBLE,      [TYPE_DATE] = V_STRING,
        [TYPE_LUNAR_DATE] = V_STRING, [TYPE_TIMESTAMP] = V_TIMESTAMP,
        [TYPE_DURATION] = V_DURATION, [TYPE_ADDRESS] = V_STRING,
        [TYPE_LIST] = V_LIST,         [TYPE_MAP] = V_MAP,
        [TYPE_RECORD] = V_RECORD,
    };
    return (enum val_kind)kinds[t->kind];
}
