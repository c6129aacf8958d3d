/* SPDX-License-Identifier: Apache-2.0 */
/*
 * absent: what an expression reads that may not be there, without asking first.  Asked is by
 * `has(x) ? … : …`, `has(x) && …` and `!has(x) || …`.  For warnings about sends: a parameter that
 * cannot be worked out withholds the message.
 */
#include "expr_priv.h"

#define MOST_ABSENT 8 /* of one expression */
#define MOST_KNOWN 64

struct absent {
    struct comp *c;
    struct expr *e;
    struct expr_absent *v;
    struct str known[MOST_KNOWN]; /* terms that are there */
    uint32_t n;
};

/* The condition (or its negation) says that a term is there. */
static void know(struct absent *x, const struct node *n, bool negate)
{
    struct atom a;
    if (x->n < MOST_KNOWN && atom_of(x->c, n, negate, &a) && str_starts(a.term, "has ") &&
        a.op == ATOM_IN)
        x->known[x->n++] = (struct str){a.term.p + 4, a.term.n - 4};
}

static void know_all(struct absent *x, const struct node *n, bool negate)
{
    if (n->kind != (negate ? N_OR : N_AND)) {
        know(x, n, negate);
        return;
    }
    for (uint32_t i = 0; i < n->n; i++)
        know_all(x, n->kids[i], negate);
}

static void read_field(struct absent *x, const struct node *n)
{
    const struct type *of = n->kids[0]->type;
    struct buf b;
    if (of->kind != TYPE_RECORD || !of->fields[n->index].optional)
        return;
    buf_init(&b, 4096);
    bool known = !term_text(n, &b) || b.over;
    for (uint32_t i = 0; i < x->n && !known; i++)
        known = str_eq(x->known[i], buf_str(&b));
    if (!known && x->e->n_absent < MOST_ABSENT)
        x->v[x->e->n_absent++] =
            (struct expr_absent){comp_span(x->c, n->start, n->end), arena_str(x->c->a, buf_str(&b)),
                                 str_c(arena_strdup(x->c->a, comp_text(x->c, n)))};
    buf_free(&b);
}

static void walk(struct absent *x, const struct node *n)
{
    uint32_t before = x->n;
    if (n->kind == N_HAS) {
        walk(x, n->kids[0]);
        return;
    }
    if (n->kind == N_SELECT)
        read_field(x, n);
    if (n->kind == N_COND) {
        walk(x, n->kids[0]);
        know_all(x, n->kids[0], false);
        walk(x, n->kids[1]);
        x->n = before;
        know_all(x, n->kids[0], true);
        walk(x, n->kids[2]);
        x->n = before;
        return;
    }
    if (n->kind == N_AND || n->kind == N_OR)
        know_all(x, n, n->kind == N_OR);
    for (uint32_t i = 0; i < n->n; i++)
        walk(x, n->kids[i]);
    x->n = before;
}

const struct expr_absent *expr_absent(const struct expr *e, uint32_t *n)
{
    *n = e->n_absent;
    return e->absent;
}

/* ---- what a condition needs ------------------------------------------------------------------- */

struct needs {
    struct comp *c;
    struct str v[MOST_KNOWN];
    uint32_t n;
};

static void need(struct needs *x, const struct node *n)
{
    struct buf b;
    buf_init(&b, 4096);
    if (term_text(n, &b) && !b.over && x->n < MOST_KNOWN)
        x->v[x->n++] = arena_str(x->c->a, buf_str(&b));
    buf_free(&b);
}

/* An error of one of these operands is an error of the whole, so they have all been there. */
static void needed(struct needs *x, const struct node *n)
{
    if (n->kind == N_SELECT)
        need(x, n);
    if (n->kind == N_OR || n->kind == N_HAS || n->kind == N_CONST)
        return;
    uint32_t most = n->kind == N_COND ? 1 : n->n;
    if (n->kind == N_COMP) /* `exists`: some item's condition was true; the others may have none */
        most = n->op == MACRO_EXISTS ? n->n : 1;
    for (uint32_t i = 0; i < most; i++)
        needed(x, n->kids[i]);
}

static void needed_of_all(struct needs *x, const struct node *n)
{
    if (n->kind == N_AND) {
        for (uint32_t i = 0; i < n->n; i++)
            needed_of_all(x, n->kids[i]);
        return;
    }
    if (n->kind == N_HAS) { /* "has event.coupon" */
        need(x, n);
        if (x->n && str_starts(x->v[x->n - 1], "has "))
            x->v[x->n - 1] = (struct str){x->v[x->n - 1].p + 4, x->v[x->n - 1].n - 4};
    }
    needed(x, n);
}

static void find_needs(struct comp *c, const struct node *n, struct expr *e)
{
    struct needs *x = ARENA_NEW(c->tmp, struct needs);
    x->c = c;
    if (n->type->kind == TYPE_BOOL)
        needed_of_all(x, n);
    struct str *keep = ARENA_ARRAY(c->a, struct str, x->n + 1);
    memcpy(keep, x->v, x->n * sizeof *keep);
    e->needs = keep;
    e->n_needs = x->n;
}

bool expr_requires(const struct expr *e, struct str term)
{
    for (uint32_t i = 0; e && i < e->n_needs; i++)
        if (str_eq(e->needs[i], term))
            return true;
    return false;
}

void find_absent(struct comp *c, const struct node *n, struct expr *e)
{
    struct absent *x = ARENA_NEW(c->tmp, struct absent);
    struct expr_absent v[MOST_ABSENT];
    x->c = c;
    x->e = e;
    x->v = v;
    find_needs(c, n, e);
    if (n->fails)
        walk(x, n);
    if (!e->n_absent)
        return;
    struct expr_absent *keep = ARENA_ARRAY(c->a, struct expr_absent, e->n_absent);
    memcpy(keep, v, e->n_absent * sizeof *v);
    e->absent = keep;
}
