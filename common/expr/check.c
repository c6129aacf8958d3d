/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check: one pass over the tree, bottom up, that gives every node its type and every name its
 * meaning.  A node that is wrong is reported at its innermost place and becomes poison, which every
 * operator accepts: so all mistakes of an expression are told at once and none twice.
 */
#include "expr_priv.h"

#include <inttypes.h>

static bool is_number(const struct type *t)
{
    return t->kind == TYPE_INT || t->kind == TYPE_DOUBLE;
}

static bool is_scalar(const struct type *t)
{
    return is_number(t) || t->kind == TYPE_BOOL || t->kind == TYPE_STRING ||
           t->kind == TYPE_TIMESTAMP || t->kind == TYPE_DURATION;
}

static const char *op_text(uint8_t op)
{
    static const struct {
        enum tok t;
        const char *text;
    } texts[] = {
        {T_LT, "<"},    {T_LE, "<="},  {T_GT, ">"},    {T_GE, ">="},     {T_EQ, "=="},
        {T_NE, "!="},   {T_IN, "in"},  {T_AND, "&&"},  {T_OR, "||"},     {T_PLUS, "+"},
        {T_MINUS, "-"}, {T_STAR, "*"}, {T_SLASH, "/"}, {T_PERCENT, "%"},
    };
    for (size_t i = 0; i < BASE_LEN(texts); i++)
        if (texts[i].t == (enum tok)op)
            return texts[i].text;
    return "?";
}

static const struct type *check_index(struct comp *c, struct node *n)
{
    const struct type *t = check(c, n->kids[0]), *k = check(c, n->kids[1]);
    if (type_poison(t))
        return &type_error;
    if (t->kind != TYPE_LIST && t->kind != TYPE_MAP) {
        comp_err(c, "X010", n->op_start, n->op_end, NULL, NULL,
                 "`[…]` needs a list or a map, `%s` is %s", comp_text(c, n->kids[0]),
                 type_text(c, t));
        return &type_error;
    }
    const struct type *key = t->kind == TYPE_LIST ? &type_int : t->key;
    if (!type_unify(c, key, k))
        comp_err(c, "X010", n->kids[1]->start, n->kids[1]->end, NULL, NULL,
                 "the %s of `%s` is %s, this is %s", t->kind == TYPE_LIST ? "index" : "key",
                 comp_text(c, n->kids[0]), type_text(c, key), type_text(c, k));
    return type_read(t->elem);
}

/* ---- one_of ---- */

static void check_literal(struct comp *c, const struct node *field, const struct type *t,
                          const struct node *lit)
{
    if (lit->kind != N_CONST || lit->val.t != V_STRING || t->kind != TYPE_STRING || !t->n_one_of)
        return;
    struct str word = val_get_str(lit->val);
    for (uint32_t i = 0; i < t->n_one_of; i++)
        if (str_eq(t->one_of[i], word))
            return;
    struct str best = suggest(word, t->one_of, t->n_one_of);
    const char *label = best.n ? arena_printf(c->tmp, "did you mean '%.*s'?", STR_ARG(best)) : NULL;
    const char *note = comp_known(c, "one of", t->one_of, t->n_one_of);
    struct str name =
        field && (field->kind == N_SELECT || field->kind == N_IDENT || field->kind == N_LOCAL)
            ? field->name
            : c->src->what;
    if (field && name.n)
        comp_err(c, "X013", lit->start, lit->end, label, note, "`%.*s` is never '%.*s'",
                 STR_ARG(name), STR_ARG(word));
    else
        comp_err(c, "X013", lit->start, lit->end, label, note, "%.*s%s may not be '%.*s'",
                 STR_ARG(name), name.n ? "" : "this", STR_ARG(word));
}

/* ---- numbers with an end ---- */

/* `member.skus > 300` where distinct counts to 256 and no further: never true, silently. */
static void check_most(struct comp *c, const struct node *field, const struct type *t,
                       const struct node *lit)
{
    if (t->kind != TYPE_INT || !t->most || lit->kind != N_CONST)
        return;
    double v = lit->val.t == V_INT ? (double)lit->val.i : lit->val.d;
    if (v > (double)t->most)
        comp_err(c, "X020", lit->start, lit->end, NULL, NULL, "`%s` counts to %" PRIu32 " at most",
                 comp_text(c, field), t->most);
}

/* ---- operators ---- */

static const char *convert_hint(struct comp *c, const struct node *n)
{
    const struct node *a = n->kids[0], *b = n->kids[1];
    const struct node *i = a->type->kind == TYPE_INT ? a : b;
    bool mixed = is_number(a->type) && is_number(b->type) && a->type->kind != b->type->kind;
    if (!mixed && (a->type->kind == TYPE_STRING || b->type->kind == TYPE_STRING) && n->op == T_PLUS)
        return "`+` joins texts: use string(...) for the other side";
    if (n->kind == N_CMP && a->type->kind == TYPE_BOOL && a->kind == N_CMP)
        return "comparisons do not chain: write `a < b && b < c`";
    if (!mixed)
        return NULL;
    const char *text = comp_text(c, i);
    if (n->op == T_PERCENT)
        return "`%` is for int only";
    if (i->kind == N_CONST)
        return arena_printf(c->tmp,
                            "CEL never mixes int and double in arithmetic: write `%s.0` instead "
                            "of `%s`, or double(x)",
                            text, text);
    return arena_printf(c->tmp, "CEL never mixes int and double in arithmetic: write double(%s)",
                        text);
}

static const struct type *op_undefined(struct comp *c, struct node *n)
{
    comp_err(c, "X010", n->op_start, n->op_end, NULL, convert_hint(c, n),
             "operator `%s` is not defined for %s and %s", op_text(n->op),
             type_text(c, n->kids[0]->type), type_text(c, n->kids[1]->type));
    return &type_error;
}

static const struct type *arith_type(struct comp *c, uint8_t op, const struct type *a,
                                     const struct type *b)
{
    bool plus = op == T_PLUS, minus = op == T_MINUS;
    if (a->kind == TYPE_TIMESTAMP && b->kind == TYPE_DURATION && (plus || minus))
        return a;
    if (a->kind == TYPE_DURATION && b->kind == TYPE_TIMESTAMP && plus)
        return b;
    if (a->kind == TYPE_TIMESTAMP && b->kind == TYPE_TIMESTAMP && minus)
        return &type_duration;
    if (a->kind != b->kind)
        return NULL;
    if (a->kind == TYPE_INT || (a->kind == TYPE_DOUBLE && op != T_PERCENT) ||
        (a->kind == TYPE_DURATION && (plus || minus)))
        return a;
    if (a->kind == TYPE_STRING && plus)
        return &type_string;
    return a->kind == TYPE_LIST && plus ? type_unify(c, a, b) : NULL;
}

static const struct type *check_arith(struct comp *c, struct node *n)
{
    const struct type *a = check(c, n->kids[0]), *b = check(c, n->kids[1]);
    if (type_poison(a) || type_poison(b))
        return &type_error;
    const struct type *t = arith_type(c, n->op, a, b);
    return t ? t : op_undefined(c, n);
}

/* `x == null`: nothing but null is null; what people mean is has(). */
static void null_compared(struct comp *c, struct node *n)
{
    const struct node *other = n->kids[n->kids[0]->type->kind == TYPE_NULL];
    const char *label = NULL;
    if (other->kind == N_SELECT)
        label = arena_printf(c->tmp, "write `%shas(%s)`", n->op == T_EQ ? "!" : "",
                             comp_text(c, other));
    comp_err(c, "X014", n->start, n->end, label, NULL, "`%s` is never null, it is %s",
             comp_text(c, other), type_text(c, other->type));
}

static const struct type *check_cmp(struct comp *c, struct node *n)
{
    struct node *l = n->kids[0], *r = n->kids[1];
    const struct type *a = check(c, l), *b = check(c, r);
    bool equality = n->op == T_EQ || n->op == T_NE;
    if (type_poison(a) || type_poison(b))
        return &type_bool;
    if (is_number(a) && is_number(b)) {
        check_most(c, l, a, r);
        check_most(c, r, b, l);
        return &type_bool;
    }
    if (equality && (a->kind == TYPE_NULL) != (b->kind == TYPE_NULL)) {
        null_compared(c, n);
        return &type_bool;
    }
    if (!type_unify(c, a, b) || (!equality && !is_scalar(a))) {
        (void)op_undefined(c, n);
        return &type_bool;
    }
    if (equality) {
        check_literal(c, l, a, r);
        check_literal(c, r, b, l);
    }
    return &type_bool;
}

static const struct type *check_in(struct comp *c, struct node *n)
{
    struct node *l = n->kids[0], *r = n->kids[1];
    const struct type *a = check(c, l), *b = check(c, r);
    if (type_poison(a) || type_poison(b))
        return &type_bool;
    if (b->kind != TYPE_LIST && b->kind != TYPE_MAP) {
        const char *label = NULL;
        if (a->kind == TYPE_STRING && b->kind == TYPE_STRING)
            label =
                arena_printf(c->tmp, "write `%s.contains(%s)`", comp_text(c, r), comp_text(c, l));
        comp_err(c, "X010", n->op_start, n->op_end, label, NULL,
                 "`in` needs a list or a map on its right, this is %s", type_text(c, b));
        return &type_bool;
    }
    const struct type *elem = type_read(b->kind == TYPE_MAP ? b->key : b->elem);
    bool cross = b->kind == TYPE_LIST && is_number(a) && is_number(elem);
    if (!cross && !type_unify(c, a, elem))
        (void)op_undefined(c, n);
    for (uint32_t i = 0; r->kind == N_LIST && i < r->n; i++)
        check_literal(c, l, a, r->kids[i]);
    return &type_bool;
}

static const struct type *check_logic(struct comp *c, struct node *n)
{
    for (uint32_t i = 0; i < n->n; i++) {
        const struct type *t = check(c, n->kids[i]);
        if (!type_poison(t) && t->kind != TYPE_BOOL)
            comp_err(c, "X010", n->kids[i]->start, n->kids[i]->end, NULL, NULL,
                     "operator `%s` needs bool, this is %s", op_text(n->op), type_text(c, t));
    }
    return &type_bool;
}

static const struct type *check_unary(struct comp *c, struct node *n)
{
    const struct type *t = check(c, n->kids[0]);
    bool good = n->kind == N_NOT ? t->kind == TYPE_BOOL : is_number(t);
    if (good || type_poison(t))
        return n->kind == N_NOT ? &type_bool : t;
    comp_err(c, "X010", n->op_start, n->op_end, NULL, NULL, "operator `%s` is not defined for %s",
             n->kind == N_NOT ? "!" : "-", type_text(c, t));
    return n->kind == N_NOT ? &type_bool : &type_error;
}

static const struct type *check_cond(struct comp *c, struct node *n)
{
    const struct type *q = check(c, n->kids[0]);
    const struct type *a = check(c, n->kids[1]), *b = check(c, n->kids[2]);
    if (!type_poison(q) && q->kind != TYPE_BOOL)
        comp_err(c, "X010", n->kids[0]->start, n->kids[0]->end, NULL, NULL,
                 "what stands before `?` must be bool, this is %s", type_text(c, q));
    const struct type *t = type_unify(c, a, b);
    if (t)
        return t;
    comp_err(c, "X010", n->kids[2]->start, n->kids[2]->end, NULL, NULL,
             "both sides of `:` must have one type, these are %s and %s", type_text(c, a),
             type_text(c, b));
    return &type_error;
}

/* ---- literals ---- */

/* One type for the kids at first, first + step …; poison when they have none in common. */
static const struct type *common_type(struct comp *c, struct node *n, uint32_t first, uint32_t step,
                                      const char *what)
{
    const struct type *t = &type_error, *u;
    for (uint32_t i = first; i < n->n; i += step) {
        const struct type *k = check(c, n->kids[i]);
        u = type_unify(c, t, k);
        if (!u)
            comp_err(c, "X010", n->kids[i]->start, n->kids[i]->end, NULL, NULL,
                     "the %s have one type: this is %s, before it %s", what, type_text(c, k),
                     type_text(c, t));
        else
            t = u;
    }
    return t;
}

static const struct type *check_list(struct comp *c, struct node *n)
{
    return type_list(c, common_type(c, n, 0, 1, "items of a list"), n->n ? n->n : 1);
}

static const struct type *check_map(struct comp *c, struct node *n)
{
    struct type *t = ARENA_NEW(c->a, struct type);
    t->kind = TYPE_MAP;
    t->key = common_type(c, n, 0, 2, "keys of a map");
    t->elem = common_type(c, n, 1, 2, "values of a map");
    t->max = n->n ? n->n / 2 : 1;
    if (!type_poison(t->key) && t->key->kind != TYPE_INT && t->key->kind != TYPE_STRING &&
        t->key->kind != TYPE_BOOL)
        comp_err(c, "X010", n->kids[0]->start, n->kids[0]->end, NULL, NULL,
                 "keys of a map are int, string or bool, this is %s", type_text(c, t->key));
    return t;
}

static const struct type *check_kind(struct comp *c, struct node *n)
{
    switch ((enum node_kind)n->kind) {
    case N_IDENT:
        return check_alone(c, n);
    case N_SELECT:
    case N_HAS:
        return check_select(c, n);
    case N_INDEX:
        return check_index(c, n);
    case N_CALL:
        return check_call(c, n);
    case N_LIST:
        return check_list(c, n);
    case N_MAP:
        return check_map(c, n);
    case N_NOT:
    case N_NEG:
        return check_unary(c, n);
    case N_ARITH:
        return check_arith(c, n);
    case N_CMP:
        return check_cmp(c, n);
    case N_IN:
        return check_in(c, n);
    case N_AND:
    case N_OR:
        return check_logic(c, n);
    case N_COND:
        return check_cond(c, n);
    case N_CONST:
    case N_LOCAL:
    case N_COMP:
    case N_BAD:
        break;
    }
    return n->type;
}

const struct type *check(struct comp *c, struct node *n)
{
    n->type = check_kind(c, n);
    if (n->kind != N_COMP) /* a macro has taken its own variable out */
        for (uint32_t i = 0; i < n->n; i++)
            n->free |= n->kids[i]->free;
    return n->type;
}

/* ---- what the whole must be ---- */

static const char *want_hint(const struct type *want, const struct type *t)
{
    if (want->kind == TYPE_STRING && (is_number(t) || t->kind == TYPE_BOOL ||
                                      t->kind == TYPE_TIMESTAMP || t->kind == TYPE_DURATION))
        return "use string(...)";
    if (want->kind == TYPE_DOUBLE && (t->kind == TYPE_INT || t->kind == TYPE_STRING))
        return "use double(...)";
    if (want->kind == TYPE_INT && (t->kind == TYPE_DOUBLE || t->kind == TYPE_STRING))
        return "use int(...)";
    if (want->kind == TYPE_TIMESTAMP && t->kind == TYPE_STRING)
        return "use timestamp(...)";
    if (want->kind == TYPE_DURATION && t->kind == TYPE_STRING)
        return "use duration(...)";
    return NULL;
}

static const char *want_text(struct comp *c, const struct type *want)
{
    if (want->kind == TYPE_MONEY || want->kind == TYPE_DATE || want->kind == TYPE_LUNAR_DATE)
        return arena_strdup(c->tmp, want->kind == TYPE_MONEY  ? "money"
                                    : want->kind == TYPE_DATE ? "a date like '2026-03-02'"
                                                              : "a lunar date like '2026-L06-02'");
    return type_text(c, want);
}

void check_want(struct comp *c, struct node *n, const struct type *want)
{
    const struct type *seen = want->kind == TYPE_ADDRESS ? &type_string : type_read(want);
    bool whole_yuan = want->kind == TYPE_MONEY && n->type->kind == TYPE_INT;
    if (type_poison(n->type) || whole_yuan) /* an int is whole yuan */
        return;
    if (type_unify(c, seen, n->type)) {
        check_literal(c, NULL, want, n);
        return;
    }
    struct str what = c->src->what;
    comp_err(c, "X012", n->start, n->end, NULL,
             want->kind == seen->kind || want->kind == TYPE_MONEY ? want_hint(seen, n->type) : NULL,
             "%.*s%s must be %s, this is %s", STR_ARG(what), what.n ? "" : "the result",
             want_text(c, want), type_text(c, n->type));
}
