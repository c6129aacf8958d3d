/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts: what can be proven about a condition without running it, for warnings.  A condition is cut
 * into atoms: a term (`member.level`, `now.getHours()` …, known by its canonical text) compared with
 * constants.  Two atoms about one term contradict each other when no value satisfies both.  Nothing
 * is guessed: what is no atom proves nothing.  An operand in error is "not true", so what is said to
 * be never true is never true; what is said to be always true is true whenever its term is there.
 */
#include "expr_priv.h"

#include <inttypes.h>
#include <stdio.h>

#define MOST_ATOMS 64 /* looked at together */
#define MOST_FACTS 16 /* of one expression */

/* ---- terms ----------------------------------------------------------------------------------- */

static bool kids_text(const struct node *n, struct buf *b)
{
    for (uint32_t i = 0; i < n->n; i++) {
        buf_addc(b, i ? ',' : '(');
        if (!term_text(n->kids[i], b))
            return false;
    }
    buf_addc(b, ')');
    return true;
}

static void const_text(const struct val *v, struct buf *b)
{
    if (v->t == V_STRING)
        buf_addf(b, "'%" PRIu32 ":" STR_FMT "'", v->n, STR_ARG(val_get_str(*v)));
    else if (v->t >= V_LIST) /* a table: the same one has the same list */
        buf_addf(b, "[%p]", (const void *)v->list);
    else
        buf_addf(b, "%d:%" PRId64 ":%" PRIu32, (int)v->t, v->i, v->n);
}

bool term_text(const struct node *n, struct buf *b)
{
    switch ((enum node_kind)n->kind) {
    case N_CONST:
        const_text(&n->val, b);
        return true;
    case N_IDENT:
        buf_addstr(b, n->name);
        return true;
    case N_LOCAL:
        buf_addf(b, "$%" PRIu32, n->index);
        return true;
    case N_SELECT:
    case N_HAS:
        if (n->kind == N_HAS)
            buf_adds(b, "has ");
        if (!term_text(n->kids[0], b))
            return false;
        buf_addf(b, "." STR_FMT, STR_ARG(n->name));
        return true;
    case N_INDEX:
        buf_adds(b, "index");
        return kids_text(n, b);
    case N_CALL:
        buf_addf(b, "call %p %p", (const void *)n->fn, (const void *)n->zone);
        return kids_text(n, b);
    case N_ARITH:
    case N_NEG:
        buf_addf(b, "op %d %d", n->kind, n->op);
        return kids_text(n, b);
    case N_LIST:
    case N_MAP:
    case N_NOT:
    case N_CMP:
    case N_IN:
    case N_AND:
    case N_OR:
    case N_COND:
    case N_COMP:
    case N_BAD:
        break;
    }
    return false;
}

/* ---- atoms ----------------------------------------------------------------------------------- */

static enum atom_op op_of(enum tok t)
{
    switch ((int)t) {
    case T_LT:
        return ATOM_LT;
    case T_LE:
        return ATOM_LE;
    case T_GT:
        return ATOM_GT;
    case T_GE:
        return ATOM_GE;
    case T_NE:
        return ATOM_NOT_IN;
    default:
        return ATOM_IN;
    }
}

/* The constant stands on the left. */
static enum atom_op mirrored(enum atom_op op)
{
    static const enum atom_op other[] = {
        [ATOM_IN] = ATOM_IN, [ATOM_NOT_IN] = ATOM_NOT_IN, [ATOM_LT] = ATOM_GT,
        [ATOM_LE] = ATOM_GE, [ATOM_GT] = ATOM_LT,         [ATOM_GE] = ATOM_LE};
    return other[op];
}

static enum atom_op negated(enum atom_op op)
{
    static const enum atom_op other[] = {
        [ATOM_IN] = ATOM_NOT_IN, [ATOM_NOT_IN] = ATOM_IN, [ATOM_LT] = ATOM_GE,
        [ATOM_LE] = ATOM_GT,     [ATOM_GT] = ATOM_LE,     [ATOM_GE] = ATOM_LT};
    return other[op];
}

static const struct val *one_value(struct comp *c, struct val v)
{
    struct val *one = ARENA_NEW(c->a, struct val);
    *one = v;
    return one;
}

static bool split_atom(struct comp *c, const struct node *n, const struct node **term,
                       struct atom *a)
{
    a->n = 1;
    if (n->kind == N_CMP && (n->kids[0]->kind == N_CONST) != (n->kids[1]->kind == N_CONST)) {
        bool left = n->kids[0]->kind == N_CONST;
        *term = n->kids[left ? 1 : 0];
        a->op = left ? mirrored(op_of((enum tok)n->op)) : op_of((enum tok)n->op);
        a->v = one_value(c, n->kids[left ? 0 : 1]->val);
        return a->v->t < V_LIST;
    }
    if (n->kind == N_IN && n->kids[1]->kind == N_CONST && n->kids[1]->val.t == V_LIST) {
        *term = n->kids[0];
        a->op = ATOM_IN;
        a->v = n->kids[1]->val.list;
        a->n = n->kids[1]->val.n;
        return true;
    }
    *term = n;
    a->op = ATOM_IN;
    a->v = one_value(c, val_bool(true));
    return n->type->kind == TYPE_BOOL;
}

bool atom_of(struct comp *c, const struct node *n, bool negate, struct atom *a)
{
    const struct node *term;
    struct buf b;
    bool ok = false;
    *a = (struct atom){.node = n};
    while (n->kind == N_NOT) {
        n = n->kids[0];
        negate = !negate;
    }
    if (!split_atom(c, n, &term, a) || term->kind == N_CONST)
        return false;
    if (negate)
        a->op = negated(a->op);
    a->type = term->type;
    buf_init(&b, 4096);
    if (term_text(term, &b) && !b.over) {
        a->term = arena_str(c->a, buf_str(&b));
        ok = true;
    }
    buf_free(&b);
    return ok;
}

/* ---- what two atoms say together -------------------------------------------------------------- */

static bool is_number(const struct val *v)
{
    return v->t == V_INT || v->t == V_DOUBLE || v->t == V_MONEY;
}

static double number(const struct val *v)
{
    return v->t == V_DOUBLE ? v->d : v->t == V_MONEY ? money_double(v->i) : (double)v->i;
}

/* -1 0 1; false: they cannot be compared. */
static bool compare(const struct val *a, const struct val *b, int *out)
{
    if (a->t == b->t && a->t != V_DOUBLE && a->t < V_LIST && a->t > V_NULL) {
        *out = value_order(a, b);
        return true;
    }
    if (!is_number(a) || !is_number(b))
        return false;
    double x = number(a), y = number(b);
    *out = (x > y) - (x < y);
    return x == x && y == y;
}

/* May this value satisfy the atom? */
static bool holds(const struct atom *a, const struct val *v)
{
    int order;
    if (a->op == ATOM_IN || a->op == ATOM_NOT_IN) {
        for (uint32_t i = 0; i < a->n; i++)
            if (value_eq(&a->v[i], v))
                return a->op == ATOM_IN;
        return a->op == ATOM_NOT_IN;
    }
    if (!compare(v, a->v, &order))
        return true;
    return a->op == ATOM_LT   ? order < 0
           : a->op == ATOM_LE ? order <= 0
           : a->op == ATOM_GT ? order > 0
                              : order >= 0;
}

static bool none_holds(const struct atom *set, const struct atom *a)
{
    for (uint32_t i = 0; i < set->n; i++)
        if (holds(a, &set->v[i]))
            return false;
    return true;
}

/* No value lies above `low` and below `high`. */
static bool apart(const struct atom *low, const struct atom *high)
{
    int order;
    if (!compare(low->v, high->v, &order))
        return false;
    bool open_low = low->op == ATOM_GT, open_high = high->op == ATOM_LT;
    if (order > 0 || (order == 0 && (open_low || open_high)))
        return true;
    return low->type->kind == TYPE_INT && open_low && open_high && low->v->t == V_INT &&
           high->v->t == V_INT && low->v->i < INT64_MAX && low->v->i + 1 == high->v->i;
}

static bool contradict(const struct atom *a, const struct atom *b)
{
    if (!str_eq(a->term, b->term))
        return false;
    if (a->op == ATOM_IN)
        return none_holds(a, b);
    if (b->op == ATOM_IN)
        return none_holds(b, a);
    if (a->op == ATOM_NOT_IN || b->op == ATOM_NOT_IN)
        return false;
    bool a_low = a->op == ATOM_GT || a->op == ATOM_GE, b_low = b->op == ATOM_GT || b->op == ATOM_GE;
    return a_low != b_low && apart(a_low ? a : b, a_low ? b : a);
}

/* Every value that `a`'s term can have (its one_of) is refused by one of the atoms. */
static bool nothing_left(const struct atom *v, uint32_t n, const struct atom *a)
{
    if (a->op != ATOM_NOT_IN || !a->type->n_one_of)
        return false;
    for (uint32_t k = 0; k < a->type->n_one_of; k++) {
        struct val word = val_str(a->type->one_of[k]);
        bool left = true;
        for (uint32_t i = 0; i < n && left; i++)
            left = !str_eq(v[i].term, a->term) || holds(&v[i], &word);
        if (left)
            return false;
    }
    return true;
}

/* ---- the walk -------------------------------------------------------------------------------- */

struct facts {
    struct comp *c;
    struct atom v[MOST_ATOMS]; /* what holds around the present place */
    uint32_t n;
};

void fact_add(struct comp *c, const struct node *n, bool always, const char *with)
{
    if (!c->facts)
        c->facts = ARENA_ARRAY(c->a, struct expr_fact, MOST_FACTS);
    if (c->n_facts < MOST_FACTS)
        c->facts[c->n_facts++] =
            (struct expr_fact){always, comp_span(c, n->start, n->end),
                               with ? str_c(arena_strdup(c->a, with)) : STR("")};
}

static void walk(struct facts *f, struct node *n);

/* `a` holds too from here on. True: it cannot, and that has been noted. */
static bool assume(struct facts *f, const struct atom *a)
{
    for (uint32_t i = 0; i < f->n; i++) {
        if (!contradict(&f->v[i], a))
            continue;
        fact_add(f->c, a->node, false, comp_text(f->c, f->v[i].node));
        return true;
    }
    if (f->n == MOST_ATOMS)
        return false;
    f->v[f->n++] = *a;
    if (!nothing_left(f->v, f->n, a))
        return false;
    fact_add(f->c, a->node, false, EXPR_ALL_BEFORE);
    return true;
}

/* The atoms of a conjunction; true: it is never true, and that has been noted. */
static bool assume_all(struct facts *f, struct node *n)
{
    struct atom a;
    if (n->kind == N_AND) {
        for (uint32_t i = 0; i < n->n; i++)
            if (assume_all(f, n->kids[i]))
                return true;
        return false;
    }
    return atom_of(f->c, n, false, &a) && assume(f, &a);
}

/* Below a conjunction, with all its atoms known. */
static void walk_parts(struct facts *f, struct node *n)
{
    struct atom a;
    if (n->kind == N_AND)
        for (uint32_t i = 0; i < n->n; i++)
            walk_parts(f, n->kids[i]);
    else if (!atom_of(f->c, n, false, &a))
        walk(f, n);
}

/* `x != 1 || x != 2`: the negations contradict each other. */
static void walk_or(struct facts *f, struct node *n)
{
    struct atom a[MOST_ATOMS];
    uint32_t k = 0;
    for (uint32_t i = 0; i < n->n && k < MOST_ATOMS; i++) {
        if (!atom_of(f->c, n->kids[i], true, &a[k]))
            continue;
        for (uint32_t j = 0; j < k; j++)
            if (contradict(&a[j], &a[k])) {
                fact_add(f->c, n->kids[i], true, comp_text(f->c, a[j].node));
                return;
            }
        k++;
    }
    for (uint32_t i = 0; i < n->n; i++)
        walk(f, n->kids[i]);
}

static void walk(struct facts *f, struct node *n)
{
    uint32_t before = f->n;
    struct atom a;
    if (n->kind == N_OR) {
        walk_or(f, n);
    } else if (n->kind == N_AND) {
        if (!assume_all(f, n))
            walk_parts(f, n);
    } else if (n->type->kind == TYPE_BOOL && atom_of(f->c, n, false, &a)) {
        (void)assume(f, &a);
    } else {
        for (uint32_t i = 0; i < n->n; i++)
            walk(f, n->kids[i]);
    }
    f->n = before;
}

static void keep_atoms(struct comp *c, const struct node *n, struct expr *e)
{
    uint32_t most = n->kind == N_AND ? n->n : 1;
    struct atom *v = ARENA_ARRAY(c->a, struct atom, most);
    e->atoms_all = true;
    for (uint32_t i = 0; i < most; i++) {
        if (atom_of(c, n->kind == N_AND ? n->kids[i] : n, false, &v[e->n_atoms]))
            e->n_atoms++;
        else
            e->atoms_all = false;
    }
    e->atoms = v;
}

void find_facts(struct comp *c, struct node *n, struct expr *e)
{
    struct facts *f = ARENA_NEW(c->tmp, struct facts);
    f->c = c;
    if (n->kind != N_CONST) {
        walk(f, n);
        if (n->type->kind == TYPE_BOOL)
            keep_atoms(c, n, e);
    }
    e->facts = c->facts;
    e->n_facts = c->n_facts;
    e->most_points = n->len;
}

/* ---- questions ------------------------------------------------------------------------------- */

const struct expr_fact *expr_facts(const struct expr *e, uint32_t *n)
{
    *n = e->n_facts;
    return e->facts;
}

uint32_t expr_most_points(const struct expr *e)
{
    return e->most_points;
}

static bool is_true(const struct expr *e)
{
    struct val v;
    return !e || (expr_is_const(e, &v) && v.t == V_BOOL && v.b);
}

bool expr_implies(const struct expr *b, const struct expr *a)
{
    if (is_true(a))
        return true;
    if (!b || !a->atoms_all || !a->n_atoms)
        return false;
    for (uint32_t i = 0; i < a->n_atoms; i++) {
        struct atom not = a->atoms[i];
        not .op = negated(not .op);
        uint32_t k = 0;
        while (k < b->n_atoms && !contradict(&b->atoms[k], &not ))
            k++;
        if (k == b->n_atoms)
            return false;
    }
    return true;
}

bool expr_excludes(const struct expr *a, const struct expr *b)
{
    if (!a || !b)
        return false;
    for (uint32_t i = 0; i < a->n_atoms; i++)
        for (uint32_t k = 0; k < b->n_atoms; k++)
            if (contradict(&a->atoms[i], &b->atoms[k]))
                return true;
    return false;
}

/* With the term absent, what is said of it fails, but for has(). */
static bool admits(const struct atom *a, struct str term, const struct val *v)
{
    struct val there = val_bool(v != NULL);
    if (str_eq(a->term, term))
        return v && holds(a, v);
    if (str_starts(a->term, "has ") && str_eq((struct str){a->term.p + 4, a->term.n - 4}, term))
        return holds(a, &there);
    return true;
}

bool expr_admits(const struct expr *e, struct str term, const struct val *v)
{
    struct val k;
    if (!e)
        return true;
    if (expr_is_const(e, &k))
        return k.t != V_BOOL || k.b;
    for (uint32_t i = 0; i < e->n_atoms; i++)
        if (!admits(&e->atoms[i], term, v))
            return false;
    return true;
}
