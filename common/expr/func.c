/* SPDX-License-Identifier: Apache-2.0 */
/*
 * func: the functions and macros that there are (one table, an overload a row), those of CEL and its
 * extensions that there are not (refused by name), and the checking of calls.
 */
#include "expr_priv.h"

#define NONE TYPE_ERROR
#define TIME_ROW(n, f)                                                                             \
    {                                                                                              \
        n, FN_METHOD, FN_ZONE, OP_TIME_FIELD, f, TYPE_TIMESTAMP, NONE, &type_int, 0                \
    }
#define SPAN_ROW(n, f)                                                                             \
    {                                                                                              \
        n, FN_METHOD, 0, OP_DUR_FIELD, f, TYPE_DURATION, NONE, &type_int, 0                        \
    }
#define SAME_ROW(n, k, t)                                                                          \
    {                                                                                              \
        n, FN_GLOBAL, FN_SAME, 0, 0, k, NONE, t, 0                                                 \
    }
#define CONV_ROW(n, k, t, op)                                                                      \
    {                                                                                              \
        n, FN_GLOBAL, 0, op, 0, k, NONE, t, 0                                                      \
    }
#define TEXT_ROW(n, k, op, len)                                                                    \
    {                                                                                              \
        n, FN_GLOBAL, 0, op, 0, k, NONE, &type_string, len                                         \
    }

static const struct fn rows[] = {
    {"contains", FN_METHOD, 0, OP_CONTAINS, 0, TYPE_STRING, TYPE_STRING, &type_bool, 0},
    {"endsWith", FN_METHOD, 0, OP_ENDS, 0, TYPE_STRING, TYPE_STRING, &type_bool, 0},
    {"startsWith", FN_METHOD, 0, OP_STARTS, 0, TYPE_STRING, TYPE_STRING, &type_bool, 0},
    {"size", FN_BOTH, 0, OP_SIZE_S, 0, TYPE_STRING, NONE, &type_int, 0},
    {"size", FN_BOTH, 0, OP_SIZE_L, 0, TYPE_LIST, NONE, &type_int, 0},
    {"size", FN_BOTH, 0, OP_SIZE_L, 0, TYPE_MAP, NONE, &type_int, 0},
    SAME_ROW("bool", TYPE_BOOL, &type_bool),
    CONV_ROW("bool", TYPE_STRING, &type_bool, OP_S2B),
    SAME_ROW("int", TYPE_INT, &type_int),
    CONV_ROW("int", TYPE_DOUBLE, &type_int, OP_D2I),
    CONV_ROW("int", TYPE_STRING, &type_int, OP_S2I),
    CONV_ROW("int", TYPE_TIMESTAMP, &type_int, OP_T2I),
    SAME_ROW("double", TYPE_DOUBLE, &type_double),
    CONV_ROW("double", TYPE_INT, &type_double, OP_I2D),
    CONV_ROW("double", TYPE_STRING, &type_double, OP_S2D),
    SAME_ROW("string", TYPE_STRING, &type_string),
    TEXT_ROW("string", TYPE_INT, OP_TO_S, 20),
    TEXT_ROW("string", TYPE_DOUBLE, OP_TO_S, 32),
    TEXT_ROW("string", TYPE_BOOL, OP_TO_S, 5),
    TEXT_ROW("string", TYPE_TIMESTAMP, OP_TO_S, 30),
    TEXT_ROW("string", TYPE_DURATION, OP_TO_S, 22),
    SAME_ROW("timestamp", TYPE_TIMESTAMP, &type_timestamp),
    CONV_ROW("timestamp", TYPE_STRING, &type_timestamp, OP_S2T),
    CONV_ROW("timestamp", TYPE_INT, &type_timestamp, OP_I2T),
    SAME_ROW("duration", TYPE_DURATION, &type_duration),
    CONV_ROW("duration", TYPE_STRING, &type_duration, OP_S2L),
    CONV_ROW("days", TYPE_INT, &type_duration, OP_DAYS),
    TEXT_ROW("date", TYPE_TIMESTAMP, OP_DATE, 10),
    TEXT_ROW("yuan", TYPE_DOUBLE, OP_YUAN, 32),
    TIME_ROW("getDate", TF_DATE),
    TIME_ROW("getDayOfMonth", TF_DAY_OF_MONTH),
    TIME_ROW("getDayOfWeek", TF_DAY_OF_WEEK),
    TIME_ROW("getDayOfYear", TF_DAY_OF_YEAR),
    TIME_ROW("getFullYear", TF_FULL_YEAR),
    TIME_ROW("getHours", TF_HOURS),
    TIME_ROW("getMilliseconds", TF_MILLIS),
    TIME_ROW("getMinutes", TF_MINUTES),
    TIME_ROW("getMonth", TF_MONTH),
    TIME_ROW("getSeconds", TF_SECONDS),
    SPAN_ROW("getHours", TF_HOURS),
    SPAN_ROW("getMilliseconds", TF_MILLIS),
    SPAN_ROW("getMinutes", TF_MINUTES),
    SPAN_ROW("getSeconds", TF_SECONDS),
};

static const struct macro_row {
    const char *name;
    enum macro macro;
    uint32_t least, most; /* arguments */
    bool build;           /* with:/set: only */
} macros[] = {
    {"all", MACRO_ALL, 2, 2, false},        {"exists", MACRO_EXISTS, 2, 2, false},
    {"exists_one", MACRO_ONE, 2, 2, false}, {"filter", MACRO_FILTER, 2, 2, true},
    {"map", MACRO_MAP, 2, 3, true},
};

/* Of CEL or its usual extensions, and not of this language. */
static const struct refused {
    const char *name, *label;
} refusals[] = {
    {"matches", "use contains, startsWith or endsWith"},
    {"type", "types are checked when the file is loaded"},
    {"uint", "use int(...)"},
    {"bytes", "use string(...)"},
    {"existsOne", "write `exists_one`"},
    {"optMap", "use has(x) ? … : …"},
    {"optFlatMap", "use has(x) ? … : …"},
    {"orValue", "use has(x) ? … : …"},
    {"hasValue", "use has(x)"},
    {"transformList", "use map or filter"},
    {"transformMap", "use map or filter"},
    {"transformMapEntry", "use map or filter"},
    {"lowerAscii", NULL},
    {"upperAscii", NULL},
    {"replace", NULL},
    {"split", NULL},
    {"join", NULL},
    {"substring", NULL},
    {"indexOf", "use contains"},
    {"lastIndexOf", NULL},
    {"charAt", NULL},
    {"format", "use string(...) and `+`"},
    {"trim", NULL},
    {"reverse", NULL},
    {"flatten", NULL},
    {"slice", NULL},
    {"sort", NULL},
    {"sortBy", NULL},
    {"first", "use x[0]"},
    {"last", NULL},
    {"bind", NULL},
};

const struct fn *fn_rows(size_t *n)
{
    *n = BASE_LEN(rows);
    return rows;
}

/* ---- names ---- */

static struct str *known_names(struct comp *c, size_t *n)
{
    struct str *v = ARENA_ARRAY(c->tmp, struct str, BASE_LEN(rows) + BASE_LEN(macros) + 2);
    size_t k = 0;
    for (size_t i = 0; i < BASE_LEN(macros); i++)
        v[k++] = str_c(macros[i].name);
    v[k++] = STR("has");
    v[k++] = STR("dyn");
    for (size_t i = 0; i < BASE_LEN(rows); i++) {
        bool again = false;
        for (size_t j = 0; j < k && !again; j++)
            again = str_eqc(v[j], rows[i].name);
        if (!again)
            v[k++] = str_c(rows[i].name);
    }
    *n = k;
    return v;
}

static const struct type *unknown_function(struct comp *c, struct node *n)
{
    for (size_t i = 0; i < BASE_LEN(refusals); i++)
        if (str_eqc(n->name, refusals[i].name)) {
            comp_err(c, "X011", n->op_start, n->op_end, refusals[i].label, NULL,
                     "`%s` is not part of this language", refusals[i].name);
            return &type_error;
        }
    size_t k;
    struct str *names = known_names(c, &k);
    comp_err(c, "X010", n->op_start, n->op_end, comp_suggest(c, n->name, names, k),
             comp_known(c, "known", names, k), "unknown function `%.*s`", STR_ARG(n->name));
    return &type_error;
}

/* ---- macros ---- */

static const struct type *macro_result(struct comp *c, struct node *n, const struct type *range)
{
    const struct type *body = n->kids[n->n - 1]->type;
    if (n->op == MACRO_MAP)
        return type_list(c, body, range->max);
    if (n->op == MACRO_FILTER)
        return type_list(c, type_read(range->kind == TYPE_MAP ? range->key : range->elem),
                         range->max);
    return &type_bool;
}

static void check_predicate(struct comp *c, const struct node *n, const char *macro)
{
    if (!type_poison(n->type) && n->type->kind != TYPE_BOOL)
        comp_err(c, "X010", n->start, n->end, NULL, NULL,
                 "the condition of `%s` must be bool, this is %s", macro, type_text(c, n->type));
}

/* Kids become: range, predicate (map: result, or predicate and result). */
static const struct type *check_body(struct comp *c, struct node *n, const struct macro_row *m,
                                     struct str var, const struct type *range)
{
    uint32_t level = c->n_locals;
    const struct type *elem = &type_error;
    if (range->kind == TYPE_LIST)
        elem = range->elem;
    else if (range->kind == TYPE_MAP)
        elem = range->key;
    c->locals[c->n_locals++] = (struct local){.name = var, .type = elem};
    for (uint32_t i = 1; i < n->n; i++) {
        (void)check(c, n->kids[i]);
        n->free |= (uint8_t)(n->kids[i]->free & ~FREE_LOCAL(level));
    }
    c->n_locals--;
    n->free |= n->kids[0]->free;
    n->kind = N_COMP;
    n->op = (uint8_t)m->macro;
    n->index = level;
    if (m->macro != MACRO_MAP || n->n == 3)
        check_predicate(c, n->kids[1], m->name);
    return range->kind == TYPE_LIST || range->kind == TYPE_MAP ? macro_result(c, n, range)
           : m->build                                          ? &type_error
                                                               : &type_bool;
}

static const struct type *check_macro(struct comp *c, struct node *n, const struct macro_row *m)
{
    uint32_t args = n->n - 1;
    const struct node *var = args ? n->kids[1] : NULL;
    const struct type *poison = m->build ? &type_error : &type_bool;
    if (args == 3 && m->most == 2 && n->kids[2]->kind == N_IDENT) {
        comp_err(c, "X011", n->op_start, n->op_end, "write it with one variable", NULL,
                 "the form of `%s` with two variables is not part of this language", m->name);
        return poison;
    }
    if (args < m->least || args > m->most || var->kind != N_IDENT) {
        comp_err(c, "X010", n->op_start, n->op_end,
                 arena_printf(c->tmp, "write `%s(x, …)`", m->name), NULL,
                 "`%s` takes a name and %s", m->name,
                 m->macro == MACRO_MAP ? "an expression" : "a condition");
        return poison;
    }
    if (m->build && !c->env->build)
        comp_err(c, "X017", n->op_start, n->op_end,
                 m->macro == MACRO_FILTER ? "use `exists`" : NULL, NULL,
                 "`%s` makes a list, which only `with:` and `set:` may do", m->name);
    const struct type *range = check(c, n->kids[0]);
    if (!type_poison(range) && range->kind != TYPE_LIST && range->kind != TYPE_MAP)
        comp_err(c, "X010", n->op_start, n->op_end, NULL, NULL,
                 "`%s` needs a list or a map, `%s` is %s", m->name, comp_text(c, n->kids[0]),
                 type_text(c, range));
    if (c->n_locals == EXPR_MAX_NEST) {
        comp_err(c, "X003", n->op_start, n->op_end, NULL, NULL,
                 "macros stand at most %d deep inside each other", EXPR_MAX_NEST);
        return poison;
    }
    struct str name = var->name;
    for (uint32_t i = 1; i + 1 < n->n; i++)
        n->kids[i] = n->kids[i + 1];
    n->n--;
    return check_body(c, n, m, name, range);
}

static const struct type *check_has(struct comp *c, struct node *n)
{
    if (n->n != 1 || n->kids[0]->kind != N_SELECT) {
        comp_err(c, "X010", n->start, n->end, "write `has(event.field)`", NULL,
                 "`has` takes one field");
        return &type_bool;
    }
    struct node *s = n->kids[0];
    uint32_t start = n->start, end = n->end;
    *n = *s;
    n->kind = N_HAS;
    n->start = start;
    n->end = end;
    return check(c, n);
}

static const struct type *check_dyn(struct comp *c, struct node *n)
{
    if (n->n != 1) {
        comp_err(c, "X010", n->op_start, n->op_end, NULL, NULL, "`dyn` takes one argument");
        return &type_error;
    }
    uint32_t start = n->start, end = n->end;
    *n = *n->kids[0];
    n->start = start;
    n->end = end;
    return check(c, n);
}

/* ---- functions ---- */

static const struct zone *zone_of(struct comp *c, struct str name)
{
    char fixed[16] = "+";
    if (str_eqc(name, "UTC"))
        return zone_utc();
    if (name.n && name.n < sizeof fixed - 1 &&
        (name.p[0] == '+' || name.p[0] == '-' || (name.p[0] >= '0' && name.p[0] <= '9'))) {
        size_t sign = name.p[0] != '+' && name.p[0] != '-'; /* '02:00' is +02:00 */
        memcpy(fixed + sign, name.p, name.n);
        return zone_fixed(c->a, arena_str(c->a, (struct str){fixed, name.n + sign}));
    }
    return c->env->zone ? c->env->zone(c->env->zone_arg, name) : NULL;
}

static void check_zone(struct comp *c, struct node *n)
{
    struct node *z = n->kids[1];
    if (z->kind == N_IDENT && z->root == ROOT_TZ)
        return;
    if (z->kind != N_CONST || z->val.t != V_STRING) {
        if (!type_poison(z->type))
            comp_err(c, "X019", z->start, z->end, NULL, NULL,
                     "a time zone is `tz` or written out, like 'Asia/Shanghai'");
        return;
    }
    n->zone = zone_of(c, val_get_str(z->val));
    if (!n->zone)
        comp_err(c, "X019", z->start, z->end, NULL, NULL, "unknown time zone `%.*s`",
                 STR_ARG(val_get_str(z->val)));
}

static bool row_fits(const struct fn *f, const struct node *n)
{
    bool style = f->style & (n->method ? FN_METHOD : FN_GLOBAL);
    uint32_t least = f->arg2 == NONE ? 1 : 2, most = f->flags & FN_ZONE ? 2 : least;
    return style && n->n >= least && n->n <= most;
}

static bool row_takes(const struct fn *f, const struct node *n)
{
    enum type_kind second = f->flags & FN_ZONE ? TYPE_STRING : f->arg2;
    if (!type_poison(n->kids[0]->type) && n->kids[0]->type->kind != f->arg)
        return false;
    return n->n < 2 || type_poison(n->kids[1]->type) || n->kids[1]->type->kind == second;
}

static const char *arg_hint(struct comp *c, const struct node *n, const struct node *arg)
{
    if (str_eqc(n->name, "yuan") && arg->kind == N_CONST && arg->val.t == V_INT)
        return arena_printf(c->tmp, "write `%s.0`", comp_text(c, arg));
    if (str_eqc(n->name, "yuan") && arg->type->kind == TYPE_INT)
        return "use double(...)";
    return NULL;
}

/* There are rows of this name, and none of them fits. */
static const struct type *bad_call(struct comp *c, struct node *n)
{
    const struct fn *f = NULL, *named = NULL;
    struct str takes[BASE_LEN(rows)];
    size_t k = 0;
    for (size_t i = 0; i < BASE_LEN(rows); i++) {
        if (!str_eqc(n->name, rows[i].name))
            continue;
        named = &rows[i];
        if (!row_fits(&rows[i], n))
            continue;
        struct type shown = {.kind = rows[i].arg, .elem = &type_error, .key = &type_error};
        f = &rows[i];
        takes[k++] = str_c(type_text(c, &shown));
    }
    if (f && n->n == 2 && n->kids[0]->type->kind == f->arg) {
        struct node *arg = n->kids[1];
        comp_err(c, "X010", arg->start, arg->end, NULL, NULL, "`%s` takes a string, this is %s",
                 f->name, type_text(c, arg->type));
    } else if (f) {
        struct node *arg = n->kids[0];
        comp_err(c, "X010", n->method ? n->op_start : arg->start, n->method ? n->op_end : arg->end,
                 arg_hint(c, n, arg), comp_known(c, "takes", takes, k),
                 "`%s` is not defined for %s", f->name, type_text(c, arg->type));
    } else if (!(named->style & (n->method ? FN_METHOD : FN_GLOBAL))) {
        comp_err(c, "X010", n->op_start, n->op_end,
                 arena_printf(c->tmp, n->method ? "write `%s(x)`" : "write `x.%s(…)`", named->name),
                 NULL, n->method ? "`%s` is not called with a dot" : "`%s` is called with a dot",
                 named->name);
    } else {
        uint32_t want = (named->arg2 == NONE ? 1U : 2U) - n->method, have = n->n - n->method;
        comp_err(c, "X010", n->op_start, n->op_end, NULL, NULL, "`%s` takes %u argument%s, not %u",
                 named->name, want, want == 1 ? "" : "s", have);
    }
    return named->result;
}

static const struct type *call_type(struct comp *c, struct node *n)
{
    n->type = n->fn->result;
    if (n->fn->flags & FN_ZONE && n->n == 2)
        check_zone(c, n);
    else if (n->fn->flags & FN_ZONE)
        n->zone = zone_utc();
    if (n->fn->op == OP_DATE)
        n->free |= FREE_ENV; /* the policy's zone */
    return n->type;
}

const struct type *check_call(struct comp *c, struct node *n)
{
    bool named = false;
    for (size_t i = 0; i < BASE_LEN(macros) && n->method; i++)
        if (str_eqc(n->name, macros[i].name))
            return check_macro(c, n, &macros[i]);
    if (!n->method && str_eqc(n->name, "has"))
        return check_has(c, n);
    if (!n->method && str_eqc(n->name, "dyn"))
        return check_dyn(c, n);
    for (uint32_t i = 0; i < n->n; i++)
        (void)check(c, n->kids[i]);
    for (size_t i = 0; i < BASE_LEN(rows); i++) {
        if (!str_eqc(n->name, rows[i].name))
            continue;
        named = true;
        if (row_fits(&rows[i], n) && row_takes(&rows[i], n)) {
            n->fn = &rows[i];
            return call_type(c, n);
        }
    }
    return named ? bad_call(c, n) : unknown_function(c, n);
}
