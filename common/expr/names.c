/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: what the names of an expression mean: variables, macro variables, tables, fields; and what to
 * say about one that means nothing.
 */
#include "expr_priv.h"

#include <stdlib.h>

/* ---- names ---- */

static const struct {
    const char *name;
    enum root root;
} roots[] = {{"event", ROOT_EVENT}, {"next", ROOT_NEXT}, {"member", ROOT_MEMBER},
             {"old", ROOT_OLD},     {"now", ROOT_NOW},   {"tz", ROOT_TZ}};

static const struct type *root_type(const struct expr_env *env, enum root root, struct str *why)
{
    switch (root) {
    case ROOT_EVENT:
        *why = env->no_event;
        return env->event;
    case ROOT_NEXT:
        *why = env->no_next;
        return env->next;
    case ROOT_MEMBER:
        *why = env->no_member;
        return env->member;
    case ROOT_OLD:
        *why = env->no_old;
        return env->old ? env->member : NULL;
    case ROOT_NOW:
        *why = env->no_now;
        return env->now ? &type_timestamp : NULL;
    case ROOT_TZ:
        *why = env->no_now;
        return env->now ? &type_string : NULL;
    case ROOT_NONE:
    case ROOT_VAR:
        break;
    }
    return NULL;
}

static const struct expr_var *find_var(const struct comp *c, struct str name, uint32_t *index)
{
    for (uint32_t i = 0; i < c->env->n_vars; i++)
        if (str_eq(c->env->vars[i].name, name)) {
            *index = i;
            return &c->env->vars[i];
        }
    return NULL;
}

static const struct type *is_var(struct node *n, const struct type *t, enum root root,
                                 uint32_t index)
{
    n->kind = N_IDENT;
    n->root = root;
    n->index = index;
    n->free = FREE_ENV;
    n->n = 0;
    return n->type = type_read(t);
}

static bool local_name(struct comp *c, struct node *n)
{
    for (uint32_t i = c->n_locals; i-- > 0;)
        if (str_eq(c->locals[i].name, n->name)) {
            n->kind = N_LOCAL;
            n->index = i;
            n->free = (uint8_t)FREE_LOCAL(i);
            n->type = type_read(c->locals[i].type);
            return true;
        }
    return false;
}

static bool table_name(struct comp *c, struct node *n)
{
    for (uint32_t i = 0; i < c->env->n_tables; i++)
        if (str_eq(c->env->tables[i].name, n->name)) {
            n->kind = N_CONST;
            n->val = c->env->tables[i].value;
            n->type = c->env->tables[i].type;
            return true;
        }
    return false;
}

static void unknown_name(struct comp *c, struct node *n)
{
    static const char *const types[] = {"int",       "uint",     "double", "bool", "string",
                                        "bytes",     "list",     "map",    "type", "null_type",
                                        "timestamp", "duration", "dyn"};
    size_t max = BASE_LEN(roots) + c->env->n_tables + c->env->n_vars + c->n_locals, k = 0;
    struct str *names = ARENA_ARRAY(c->tmp, struct str, max), why;
    for (size_t i = 0; i < BASE_LEN(types); i++)
        if (str_eqc(n->name, types[i])) {
            comp_err(c, "X011", n->start, n->end, NULL, NULL,
                     "`%s` is the name of a type, and `type` values are not part of this language",
                     types[i]);
            return;
        }
    for (size_t i = 0; i < BASE_LEN(roots); i++)
        if (root_type(c->env, roots[i].root, &why))
            names[k++] = str_c(roots[i].name);
    for (uint32_t i = 0; i < c->n_locals; i++)
        names[k++] = c->locals[i].name;
    for (uint32_t i = 0; i < c->env->n_tables; i++)
        names[k++] = c->env->tables[i].name;
    for (uint32_t i = 0; i < c->env->n_vars; i++)
        names[k++] = c->env->vars[i].name;
    bool whole = c->env->build && n->end - n->start == c->src->text.n;
    const char *label = whole ? arena_printf(c->tmp, "a text needs quotes inside YAML: \"'%.*s'\"",
                                             STR_ARG(n->name))
                              : comp_suggest(c, n->name, names, k);
    comp_err(c, "X010", n->start, n->end, label, comp_known(c, "known", names, k),
             "unknown name `%.*s`", STR_ARG(n->name));
}

static const struct type *check_ident(struct comp *c, struct node *n)
{
    uint32_t index;
    struct str why = {"", 0};
    if (local_name(c, n))
        return n->type;
    const struct expr_var *var = find_var(c, n->name, &index);
    if (var)
        return is_var(n, var->type, ROOT_VAR, index);
    for (size_t i = 0; i < BASE_LEN(roots); i++) {
        if (!str_eqc(n->name, roots[i].name))
            continue;
        const struct type *t = root_type(c->env, roots[i].root, &why);
        if (t) {
            c->uses_old |= roots[i].root == ROOT_OLD;
            c->uses_now |= roots[i].root == ROOT_NOW;
            return is_var(n, t, roots[i].root, 0);
        }
        comp_err(c, "X015", n->start, n->end, arena_str(c->tmp, why).p, NULL,
                 "there is no `%s` here", roots[i].name);
        return &type_error;
    }
    if (table_name(c, n))
        return n->type;
    unknown_name(c, n);
    return &type_error;
}

/* ---- fields ---- */

static int str_order(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The fields' names, sorted, each once. */
static struct str *field_names(struct comp *c, const struct type *t, size_t *n)
{
    struct str *v = ARENA_ARRAY(c->tmp, struct str, t->n_fields + 1);
    size_t k = 0;
    for (uint32_t i = 0; i < t->n_fields; i++)
        v[i] = t->fields[i].name;
    if (t->n_fields)
        qsort(v, t->n_fields, sizeof *v, str_order);
    for (uint32_t i = 0; i < t->n_fields; i++)
        if (k == 0 || !str_eq(v[k - 1], v[i]))
            v[k++] = v[i];
    *n = k;
    return v;
}

static const char *elsewhere(struct comp *c, const struct node *n)
{
    struct str why;
    for (size_t i = 0; i < BASE_LEN(roots); i++) {
        const struct type *t = root_type(c->env, roots[i].root, &why);
        if (t && t->kind == TYPE_RECORD && type_field(t, n->name) >= 0)
            return arena_printf(c->tmp, "did you mean `%s.%.*s`?", roots[i].name, STR_ARG(n->name));
    }
    return NULL;
}

static const struct type *unknown_field(struct comp *c, struct node *n, const struct type *t)
{
    size_t k;
    struct str *names = field_names(c, t, &k), of = t->name;
    if (n->kids[0]->kind == N_IDENT && n->kids[0]->root == ROOT_EVENT && c->env->event_name.n)
        of = c->env->event_name;
    const char *label = comp_suggest(c, n->name, names, k);
    if (!label && n->kids[0]->kind == N_IDENT)
        label = elsewhere(c, n);
    comp_err(c, "X010", n->op_start, n->op_end, label, comp_known(c, "known", names, k),
             of.n ? "unknown field `%.*s` of `%.*s`" : "unknown field `%.*s`", STR_ARG(n->name),
             STR_ARG(of));
    return &type_error;
}

static const struct type *select_field(struct comp *c, struct node *n, const struct type *t)
{
    int i = type_field(t, n->name);
    if (i < 0)
        return unknown_field(c, n, t);
    n->index = (uint32_t)i;
    if (t->fields[i].type->kind == TYPE_ADDRESS && n->kind != N_HAS) {
        comp_err(c, "X016", n->start, n->end,
                 arena_printf(c->tmp, "write `has(%s)`", comp_text(c, n)), NULL,
                 "`%.*s` is an address: an expression may only ask whether it is there",
                 STR_ARG(n->name));
        return &type_error;
    }
    return n->kind == N_HAS ? &type_bool : type_read(t->fields[i].type);
}

static bool dotted(const struct node *n, struct buf *out)
{
    if (n->kind == N_SELECT) {
        if (!dotted(n->kids[0], out))
            return false;
        buf_addc(out, '.');
    } else if (n->kind != N_IDENT || n->root != ROOT_NONE) {
        return false;
    }
    buf_addstr(out, n->name);
    return true;
}

/* Variables may have dots in their names; the longest name wins. */
static bool dotted_name(struct comp *c, struct node *n)
{
    bool any = false, found = false;
    struct buf name;
    uint32_t index;
    for (uint32_t i = 0; i < c->env->n_vars && !any; i++)
        any = memchr(c->env->vars[i].name.p, '.', c->env->vars[i].name.n) != NULL;
    if (!any)
        return false;
    buf_init(&name, 1024);
    if (dotted(n, &name)) {
        const struct expr_var *var = find_var(c, buf_str(&name), &index);
        found = var != NULL;
        if (var)
            (void)is_var(n, var->type, ROOT_VAR, index);
    }
    buf_free(&name);
    return found;
}

/* What stands before a dot: here `member` may stand alone. */
static const struct type *check_base(struct comp *c, struct node *n)
{
    if (n->kind != N_IDENT)
        return check(c, n);
    return n->type = check_ident(c, n);
}

static const struct type *select_key(struct comp *c, struct node *n, const struct type *t)
{
    char first = c->src->text.p[n->op_start];
    if (first >= '0' && first <= '9') { /* the lexer lets it through for the sake of records */
        comp_err(
            c, "X001", n->op_start, n->op_end,
            arena_printf(c->tmp, "write `%s['%.*s']`", comp_text(c, n->kids[0]), STR_ARG(n->name)),
            NULL, "a name does not begin with a digit");
        return &type_error;
    }
    return n->kind == N_HAS ? &type_bool : type_read(t->elem);
}

/* `event.title.size`: the brackets are missing. */
static const char *method_hint(struct comp *c, const struct node *n)
{
    size_t k;
    const struct fn *rows = fn_rows(&k);
    for (size_t i = 0; i < k; i++)
        if (rows[i].style & FN_METHOD && str_eqc(n->name, rows[i].name))
            return arena_printf(c->tmp, "write `%s(%s)`", rows[i].name,
                                rows[i].arg2 == TYPE_ERROR ? "" : "…");
    return NULL;
}

/* N_SELECT and N_HAS. */
const struct type *check_select(struct comp *c, struct node *n)
{
    if (n->kind == N_SELECT && dotted_name(c, n))
        return n->type;
    const struct type *t = check_base(c, n->kids[0]);
    n->free = n->kids[0]->free;
    if (type_poison(t))
        return n->kind == N_HAS ? &type_bool : &type_error;
    if (t->kind == TYPE_RECORD)
        return select_field(c, n, t);
    if (t->kind == TYPE_MAP && type_unify(c, t->key, &type_string))
        return select_key(c, n, t);
    comp_err(c, "X010", n->op_start, n->op_end, method_hint(c, n), NULL,
             "`%s` has no fields, it is %s", comp_text(c, n->kids[0]), type_text(c, t));
    return &type_error;
}

/* A variable as a value of its own. */
const struct type *check_alone(struct comp *c, struct node *n)
{
    const struct type *t = check_ident(c, n);
    if (n->kind == N_IDENT && (n->root == ROOT_MEMBER || n->root == ROOT_OLD)) {
        comp_err(c, "X010", n->start, n->end,
                 arena_printf(c->tmp, "write `%.*s.TAG`", STR_ARG(n->name)), NULL,
                 "`%.*s` is read tag by tag", STR_ARG(n->name));
        return &type_error;
    }
    return t;
}
