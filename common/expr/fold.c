/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold: what does not depend on an event is computed once, by the same virtual machine that will run
 * the rest, so folding cannot mean anything else than running.  A constant part that can only fail is
 * a mistake of its author and is reported; one that `||` or `&&` or `? :` around it absorbs is not.
 */
#include "expr_priv.h"

static struct node *become(struct node *n, struct val v)
{
    n->kind = N_CONST;
    n->n = 0;
    n->free = 0;
    n->val = v;
    return n;
}

/* Run a part without variables. 0 = *out, permanent; -1 = it fails, ctx says why. */
static int run(struct comp *c, struct node *n, struct expr_ctx *ctx, struct val *out)
{
    struct code code;
    struct val v;
    (void)cost_of(c, n); /* says which operands may fail */
    if (gen(c, c->tmp, n, NULL, &code) != 0 || vm_run(&code, ctx, &v) != 0)
        return -1;
    *out = val_dup(c->a, v);
    return 0;
}

static struct expr_ctx *new_ctx(struct comp *c)
{
    if (!c->ctx)
        c->ctx = ARENA_NEW(c->tmp, struct expr_ctx);
    c->ctx->error = NULL;
    c->ctx->scratch_n = 0;
    return c->ctx;
}

static bool all_const(const struct node *n)
{
    for (uint32_t i = 0; i < n->n; i++)
        if (n->kids[i]->kind != N_CONST)
            return false;
    return true;
}

/* Literals of constants are built here, whatever their size. */
static struct node *fold_literal(struct comp *c, struct node *n)
{
    struct val *v = ARENA_ARRAY(c->a, struct val, n->n ? n->n : 1);
    for (uint32_t i = 0; i < n->n; i++)
        v[i] = n->kids[i]->val;
    if (n->kind == N_LIST)
        return become(n, (struct val){.t = V_LIST, .n = n->n, .list = v});
    list_sort(v, n->n / 2, 2);
    for (uint32_t i = 2; i < n->n; i += 2)
        if (value_eq(&v[i - 2], &v[i]))
            return n; /* the same key twice: let it fail */
    return become(n, (struct val){.t = V_MAP, .n = n->n / 2, .list = v});
}

/* A part that does not depend on anything is said once, where it stands. */
static void note(struct comp *c, struct node *n, const struct node *kid)
{
    if (!kid->noted)
        fact_add(c, kid, kid->val.b, NULL);
    n->noted = true;
}

static struct node *fold_logic(struct comp *c, struct node *n)
{
    bool decides = n->kind == N_OR;
    uint32_t k = 0;
    for (uint32_t i = 0; i < n->n; i++) {
        if (n->kids[i]->kind != N_CONST) {
            n->kids[k++] = n->kids[i];
            continue;
        }
        note(c, n, n->kids[i]);
        if (n->kids[i]->val.b == decides)
            return become(n, val_bool(decides));
    }
    n->n = k;
    if (k == 0)
        return become(n, val_bool(!decides));
    return k == 1 ? n->kids[0] : n;
}

static struct node *fold_tree(struct comp *c, struct node *n)
{
    struct val v;
    for (uint32_t i = 0; i < n->n; i++)
        n->kids[i] = fold_tree(c, n->kids[i]);
    if (n->kind == N_CONST || n->kind == N_BAD)
        return n;
    if ((n->kind == N_LIST || n->kind == N_MAP) && all_const(n))
        return fold_literal(c, n);
    if (n->free == 0)
        return run(c, n, new_ctx(c), &v) == 0 ? become(n, v) : n;
    if (n->kind == N_AND || n->kind == N_OR)
        return fold_logic(c, n);
    if (n->kind == N_COND && n->kids[0]->kind == N_CONST) {
        note(c, n, n->kids[0]);
        return n->kids[n->kids[0]->val.b ? 1 : 2];
    }
    return n;
}

/* Constant parts that are left can only fail. */
static void report(struct comp *c, struct node *n)
{
    struct val v;
    if (n->kind == N_CONST)
        return;
    if (n->free != 0) {
        for (uint32_t i = 0; i < n->n; i++)
            report(c, n->kids[i]);
        return;
    }
    struct expr_ctx *ctx = new_ctx(c);
    if (run(c, n, ctx, &v) != 0 && ctx->error)
        comp_err_at(c, "X018", ctx->error_at, NULL, NULL, "this always fails: %s", ctx->error);
}

struct node *fold(struct comp *c, struct node *n)
{
    n = fold_tree(c, n);
    report(c, n);
    return n;
}
