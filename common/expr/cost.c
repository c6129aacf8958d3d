/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost: what an evaluation costs at worst, from the greatest lengths that the schema allows.  Since
 * every input is bounded by its schema this is a proof, not a guess.  One unit is at worst some ten
 * nanoseconds: an instruction, 256 characters compared, 32 searched, counted or built, 4 short items
 * of a list looked at.
 *
 * The same pass notes which nodes may fail: only their errors need to be remembered by `&&` and `||`.
 */
#include "expr_priv.h"

#define TEXT_DEFAULT 256
#define LIST_DEFAULT 64
#define SCAN_MOST 1000 /* longer constant lists are not measured, they are too dear anyway */

static uint32_t clip(uint64_t v)
{
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static uint32_t most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What comparing two texts of this length adds. */
static uint32_t compared(uint32_t len)
{
    return len / 256;
}

/* Looking for a value among n that are not sorted. */
static uint64_t scanned(uint32_t n, uint64_t each)
{
    return (n * each + 3) / 4;
}

static uint32_t log2_of(uint32_t n)
{
    uint32_t k = 0;
    for (; n; n >>= 1)
        k++;
    return k;
}

static uint32_t longest_word(const struct type *t)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < t->n_one_of; i++)
        len = most(len, (uint32_t)utf8_len(t->one_of[i]));
    return len;
}

static uint32_t type_len(const struct type *t)
{
    if (t->n_one_of)
        return longest_word(t);
    if (t->kind == TYPE_STRING || t->kind == TYPE_ADDRESS)
        return t->max ? t->max : TEXT_DEFAULT;
    if (t->kind == TYPE_LIST || t->kind == TYPE_MAP)
        return t->max ? t->max : LIST_DEFAULT;
    if (t->kind == TYPE_RECORD)
        return t->n_fields;
    return 1;
}

static void bound_by_type(struct node *n)
{
    const struct type *t = n->type;
    n->len = type_len(t);
    n->elem = t->kind == TYPE_LIST  ? type_len(type_read(t->elem))
              : t->kind == TYPE_MAP ? type_len(type_read(t->key))
                                    : 1;
}

static void bound_const(struct node *n)
{
    bound_by_type(n);
    if (n->val.t == V_STRING)
        n->len = clip(utf8_len(val_get_str(n->val)));
    if (n->val.t != V_LIST && n->val.t != V_MAP)
        return;
    n->len = n->val.n;
    uint32_t step = n->val.t == V_MAP ? 2 : 1;
    if (n->val.n > SCAN_MOST)
        return;
    n->elem = 0;
    for (uint32_t i = 0; i < n->val.n; i++) {
        const struct val *v = &n->val.list[i * step];
        n->elem = most(n->elem, v->t == V_STRING                  ? v->n
                                : v->t == V_LIST || v->t == V_MAP ? v->n
                                                                  : 1);
    }
}

static bool is_root(const struct node *n, enum root a, enum root b)
{
    return n->kind == N_IDENT && (n->root == a || n->root == b);
}

static uint64_t map_looked_up(const struct node *map)
{
    if (map->kind == N_CONST)
        return log2_of(map->len);
    if (map->kind == N_SELECT && is_root(map->kids[0], ROOT_MEMBER, ROOT_OLD))
        return 4; /* the tag is asked for this key only */
    return scanned(map->len, 1);
}

static uint64_t cost_select(struct comp *c, struct node *n)
{
    struct node *of = n->kids[0];
    bound_by_type(n);
    if (is_root(of, ROOT_MEMBER, ROOT_OLD)) {
        n->fails = true;
        return 2;
    }
    uint64_t cost = 1 + (uint64_t)cost_of(c, of);
    if (of->type->kind == TYPE_MAP) {
        n->fails = n->kind != N_HAS || of->fails;
        return cost + map_looked_up(of);
    }
    bool optional = of->type->kind == TYPE_RECORD && of->type->fields[n->index].optional;
    n->fails = of->fails || (optional && n->kind != N_HAS);
    return of->kind == N_LOCAL || is_root(of, ROOT_EVENT, ROOT_NEXT) ? 1 : cost;
}

static uint64_t cost_index(struct comp *c, struct node *n)
{
    struct node *of = n->kids[0];
    uint64_t cost = 1 + (uint64_t)cost_of(c, of) + cost_of(c, n->kids[1]);
    bound_by_type(n);
    if (of->type->kind == TYPE_LIST)
        n->len = of->elem;
    n->fails = true;
    return cost + (of->type->kind == TYPE_MAP ? map_looked_up(of) : 0);
}

static uint64_t cost_arith(struct comp *c, struct node *n)
{
    struct node *a = n->kids[0], *b = n->kids[1];
    uint64_t cost = 1 + (uint64_t)cost_of(c, a) + cost_of(c, b);
    n->fails = a->fails || b->fails || n->type->kind != TYPE_DOUBLE;
    n->len = 1;
    if (n->type->kind == TYPE_STRING || n->type->kind == TYPE_LIST) {
        n->len = clip((uint64_t)a->len + b->len);
        n->elem = most(a->elem, b->elem);
        cost += n->type->kind == TYPE_STRING ? n->len / 32 : n->len / 4;
    }
    return cost;
}

static uint64_t cost_cmp(struct comp *c, struct node *n)
{
    struct node *a = n->kids[0], *b = n->kids[1];
    uint64_t cost = 1 + (uint64_t)cost_of(c, a) + cost_of(c, b);
    uint32_t len = least(a->len, b->len);
    n->fails = a->fails || b->fails;
    n->len = 1;
    if (a->type->kind == TYPE_STRING)
        return cost + compared(len);
    if (a->type->kind == TYPE_LIST)
        return cost + (uint64_t)len * (1 + compared(least(a->elem, b->elem)));
    if (a->type->kind == TYPE_MAP) /* keys are looked for */
        return cost + (uint64_t)len * len;
    return cost + (a->type->kind == TYPE_RECORD ? len : 0);
}

static uint64_t cost_in(struct comp *c, struct node *n)
{
    struct node *a = n->kids[0], *b = n->kids[1];
    uint64_t cost = 1 + (uint64_t)cost_of(c, a) + cost_of(c, b);
    uint64_t one = 1 + (a->type->kind == TYPE_STRING ? compared(least(a->len, b->elem)) : 0);
    n->fails = a->fails || b->fails;
    n->len = 1;
    if (b->type->kind == TYPE_MAP)
        return cost + map_looked_up(b);
    return cost + (b->kind == N_CONST ? log2_of(b->len) * one : scanned(b->len, one));
}

static uint64_t cost_comp(struct comp *c, struct node *n)
{
    struct node *range = n->kids[0], *last = n->kids[n->n - 1];
    uint64_t cost = 1 + (uint64_t)cost_of(c, range), body = 1;
    c->locals[n->index].len = range->elem;
    for (uint32_t i = 1; i < n->n; i++) {
        body += cost_of(c, n->kids[i]);
        n->fails |= n->kids[i]->fails;
    }
    bool list = n->op == MACRO_FILTER || n->op == MACRO_MAP;
    n->fails |= range->fails || list;
    n->len = list ? range->len : 1;
    n->elem = n->op == MACRO_MAP ? last->len : range->elem;
    return body > UINT32_MAX ? UINT64_MAX / 2 : cost + body * range->len;
}

static uint64_t cost_call(struct comp *c, struct node *n)
{
    struct node *a = n->kids[0];
    uint64_t cost = 1;
    for (uint32_t i = 0; i < n->n; i++) {
        cost += cost_of(c, n->kids[i]);
        n->fails |= n->kids[i]->fails;
    }
    n->len = n->fn->len ? n->fn->len : 1;
    if (n->fn->flags & FN_SAME) {
        n->len = a->len;
        return cost - 1;
    }
    if (n->fn->op == OP_CONTAINS)
        return cost + (uint64_t)(a->len / 32 + 1) * most(1, n->kids[1]->len / 64);
    if (n->fn->op == OP_STARTS || n->fn->op == OP_ENDS)
        return cost + compared(n->kids[1]->len);
    if (n->fn->op == OP_SIZE_S)
        return cost + a->len / 32;
    if (n->fn->op == OP_SIZE_L || n->fn->op == OP_I2D)
        return cost;
    n->fails |= n->fn->op != OP_TIME_FIELD && n->fn->op != OP_DUR_FIELD;
    return cost + 10 + (a->type->kind == TYPE_STRING ? a->len / 32 : 0);
}

static uint64_t cost_kids(struct comp *c, struct node *n)
{
    uint64_t cost = n->n;
    n->len = n->n;
    n->elem = 1;
    for (uint32_t i = 0; i < n->n; i++) {
        cost += cost_of(c, n->kids[i]);
        n->fails |= n->kids[i]->fails;
        n->elem = most(n->elem, n->kids[i]->len);
    }
    return cost;
}

static uint64_t cost_cond(struct comp *c, struct node *n)
{
    uint64_t q = cost_of(c, n->kids[0]);
    uint32_t a = cost_of(c, n->kids[1]), b = cost_of(c, n->kids[2]);
    n->fails = n->kids[0]->fails || n->kids[1]->fails || n->kids[2]->fails;
    n->len = most(n->kids[1]->len, n->kids[2]->len);
    n->elem = most(n->kids[1]->elem, n->kids[2]->elem);
    return 1 + q + most(a, b);
}

static uint64_t cost_kind(struct comp *c, struct node *n)
{
    switch ((enum node_kind)n->kind) {
    case N_CONST:
        bound_const(n);
        return 0;
    case N_IDENT:
        bound_by_type(n);
        n->fails = n->root == ROOT_VAR || n->root == ROOT_NEXT || n->root == ROOT_TZ;
        return 1;
    case N_LOCAL:
        bound_by_type(n);
        if (n->type->kind == TYPE_STRING)
            n->len = c->locals[n->index].len;
        return 1;
    case N_SELECT:
    case N_HAS:
        return cost_select(c, n);
    case N_INDEX:
        return cost_index(c, n);
    case N_CALL:
        return cost_call(c, n);
    case N_LIST:
    case N_MAP:
        n->fails = true;
        return cost_kids(c, n);
    case N_AND:
    case N_OR:
        return cost_kids(c, n);
    case N_NOT:
    case N_NEG: {
        uint64_t cost = cost_kids(c, n);
        n->fails |= n->type->kind == TYPE_INT;
        return cost;
    }
    case N_ARITH:
        return cost_arith(c, n);
    case N_CMP:
        return cost_cmp(c, n);
    case N_IN:
        return cost_in(c, n);
    case N_COND:
        return cost_cond(c, n);
    case N_COMP:
        return cost_comp(c, n);
    case N_BAD:
        break;
    }
    return 0;
}

uint32_t cost_of(struct comp *c, struct node *n)
{
    n->fails = false;
    return clip(cost_kind(c, n));
}
