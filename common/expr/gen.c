/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gen: typed tree -> stack code.  Types are known, so an instruction never asks what it works on; only
 * loads look at the kind of what they got, because values come from outside.
 *
 * Errors.  In CEL `a || b` is true when either is, even if the other is an error.  An operand that can
 * fail is therefore a protected range: an error inside it cuts the stack back to where the operand
 * began, pushes a mark and goes on behind it.  The chain keeps one value, true (of `&&`) or the mark,
 * while it goes on:
 *
 *       a            [protected]          a                 (operands that cannot fail)
 *       JF_KEEP end                       JF_OR_POP end
 *       b            [protected]          b
 *       AND_JF end                        JF_OR_POP end
 *       z                                 z
 *   end: AND_END                      end:
 *
 * The table of ranges costs nothing until something fails.
 */
#include "expr_priv.h"

struct gen {
    struct comp *c;
    struct arena *a;
    struct ins *ins;
    uint32_t *start, *end;
    uint32_t n, cap;
    struct val *consts;
    uint32_t n_consts, cap_consts;
    struct handler *handlers;
    uint32_t n_handlers, cap_handlers;
    const struct zone **zones;
    uint32_t n_zones, cap_zones;
    int depth, deepest;
    bool failed;
};

static void gen_node(struct gen *g, struct node *n);

/* Room for one more in an array of the code's arena. */
static void *grown(struct gen *g, void *v, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap)
        return v;
    uint32_t more = *cap ? *cap * 2 : 8;
    char *to = arena_zalloc(g->a, more * size);
    if (n)
        memcpy(to, v, n * size);
    *cap = more;
    return to;
}

static void moved(struct gen *g, int by)
{
    g->depth += by;
    if (g->depth > g->deepest)
        g->deepest = g->depth;
}

static uint32_t emit(struct gen *g, const struct node *n, enum opcode op, enum val_kind kind,
                     uint32_t a, uint32_t b)
{
    uint32_t cap = g->cap, same = g->cap;
    bool name = n->kind == N_SELECT || n->kind == N_HAS || n->kind == N_COMP;
    struct span at = comp_span(g->c, name ? n->start : n->op_start, n->op_end);
    g->ins = grown(g, g->ins, g->n, &cap, sizeof *g->ins);
    cap = same;
    g->start = grown(g, g->start, g->n, &cap, sizeof *g->start);
    g->end = grown(g, g->end, g->n, &same, sizeof *g->end);
    g->cap = cap;
    g->ins[g->n] = (struct ins){.op = (uint8_t)op, .kind = (uint8_t)kind, .a = (uint16_t)a, .b = b};
    g->start[g->n] = at.start;
    g->end[g->n] = at.end;
    moved(g, op_infos[op].effect);
    return g->n++;
}

static void patch(struct gen *g, uint32_t at)
{
    g->ins[at].b = g->n;
}

static uint32_t add_const(struct gen *g, struct val v)
{
    g->consts = grown(g, g->consts, g->n_consts, &g->cap_consts, sizeof *g->consts);
    g->consts[g->n_consts] = v;
    return g->n_consts++;
}

static uint32_t add_zone(struct gen *g, const struct zone *z)
{
    for (uint32_t i = 0; i < g->n_zones; i++)
        if (g->zones[i] == z)
            return i;
    g->zones = grown(g, g->zones, g->n_zones, &g->cap_zones, sizeof *g->zones);
    g->zones[g->n_zones] = z;
    return g->n_zones++;
}

static void protect(struct gen *g, uint32_t from, int depth, bool mark)
{
    g->handlers = grown(g, g->handlers, g->n_handlers, &g->cap_handlers, sizeof *g->handlers);
    g->handlers[g->n_handlers++] = (struct handler){
        .from = from, .to = g->n, .target = g->n, .depth = (uint16_t)depth, .mark = mark};
}

/* ---- loads ---- */

static bool is_tags(const struct node *n)
{
    return n->kind == N_IDENT && (n->root == ROOT_MEMBER || n->root == ROOT_OLD);
}

/* member.TAG, a map: its keys are asked for one by one. */
static bool is_map_tag(const struct node *n)
{
    return n->kind == N_SELECT && n->type->kind == TYPE_MAP && is_tags(n->kids[0]);
}

static void gen_const(struct gen *g, const struct node *n, struct val v)
{
    (void)emit(g, n, OP_CONST, (enum val_kind)v.t, 0, add_const(g, v));
}

static void gen_ident(struct gen *g, const struct node *n)
{
    enum val_kind kind = type_val(n->type);
    switch (n->root) {
    case ROOT_EVENT:
        (void)emit(g, n, OP_EVENT_ALL, kind, 0, n->type->n_fields);
        break;
    case ROOT_NEXT:
        (void)emit(g, n, OP_NEXT_ALL, kind, 0, n->type->n_fields);
        break;
    case ROOT_NOW:
        (void)emit(g, n, OP_NOW, kind, 0, 0);
        break;
    case ROOT_TZ:
        (void)emit(g, n, OP_TZ, kind, 0, 0);
        break;
    case ROOT_VAR:
        (void)emit(g, n, OP_VAR, kind, 0, n->index);
        break;
    case ROOT_NONE:
    case ROOT_MEMBER: /* never alone */
    case ROOT_OLD:
        (void)emit(g, n, OP_RAISE, kind, 0, 0);
        break;
    }
}

static void gen_map_key(struct gen *g, const struct node *n, bool has)
{
    struct node *of = n->kids[0];
    if (is_map_tag(of)) {
        (void)emit(g, n, has ? OP_MEMBER_IN : OP_MEMBER_AT, has ? V_BOOL : type_val(n->type),
                   of->kids[0]->root == ROOT_OLD, of->index);
        return;
    }
    (void)emit(g, n, has ? OP_MAP_IN : OP_MAP_AT, has ? V_BOOL : type_val(n->type),
               of->kind == N_CONST, 0);
}

static void gen_select(struct gen *g, struct node *n)
{
    struct node *of = n->kids[0];
    bool has = n->kind == N_HAS;
    enum val_kind kind = has ? V_BOOL : type_val(n->type);
    if (of->type->kind == TYPE_MAP) {
        if (!has && !is_map_tag(of))
            gen_node(g, of);
        gen_const(g, n, val_str(arena_str(g->a, n->name)));
        if (has && !is_map_tag(of))
            gen_node(g, of);
        gen_map_key(g, n, has);
    } else if (of->kind == N_IDENT && of->root == ROOT_EVENT) {
        (void)emit(g, n, has ? OP_HAS_EVENT : OP_EVENT, kind, 0, n->index);
    } else if (of->kind == N_IDENT && of->root == ROOT_NEXT) {
        (void)emit(g, n, has ? OP_HAS_NEXT : OP_NEXT, kind, 0, n->index);
    } else if (is_tags(of)) {
        (void)emit(g, n, has ? OP_HAS_MEMBER : OP_MEMBER, kind, of->root == ROOT_OLD, n->index);
    } else if (of->kind == N_LOCAL && !has && of->type->kind == TYPE_RECORD) {
        (void)emit(g, n, OP_LOCAL_FIELD, kind, of->index, n->index);
    } else {
        gen_node(g, of);
        (void)emit(g, n, has ? OP_HAS_FIELD : OP_FIELD, kind, 0, n->index);
    }
}

static void gen_index(struct gen *g, struct node *n)
{
    struct node *of = n->kids[0];
    if (is_map_tag(of)) {
        gen_node(g, n->kids[1]);
        gen_map_key(g, n, false);
        return;
    }
    gen_node(g, of);
    gen_node(g, n->kids[1]);
    if (of->type->kind == TYPE_MAP)
        gen_map_key(g, n, false);
    else
        (void)emit(g, n, OP_INDEX, type_val(n->type), 0, 0);
}

/* ---- operators ---- */

static void gen_arith(struct gen *g, struct node *n)
{
    static const struct {
        uint8_t tok, left, right, op;
    } table[] = {
        {T_PLUS, TYPE_INT, TYPE_INT, OP_ADD_I},
        {T_MINUS, TYPE_INT, TYPE_INT, OP_SUB_I},
        {T_STAR, TYPE_INT, TYPE_INT, OP_MUL_I},
        {T_SLASH, TYPE_INT, TYPE_INT, OP_DIV_I},
        {T_PERCENT, TYPE_INT, TYPE_INT, OP_MOD_I},
        {T_PLUS, TYPE_DOUBLE, TYPE_DOUBLE, OP_ADD_D},
        {T_MINUS, TYPE_DOUBLE, TYPE_DOUBLE, OP_SUB_D},
        {T_STAR, TYPE_DOUBLE, TYPE_DOUBLE, OP_MUL_D},
        {T_SLASH, TYPE_DOUBLE, TYPE_DOUBLE, OP_DIV_D},
        {T_PLUS, TYPE_STRING, TYPE_STRING, OP_ADD_S},
        {T_PLUS, TYPE_LIST, TYPE_LIST, OP_ADD_L},
        {T_PLUS, TYPE_TIMESTAMP, TYPE_DURATION, OP_ADD_T},
        {T_PLUS, TYPE_DURATION, TYPE_TIMESTAMP, OP_ADD_DT},
        {T_PLUS, TYPE_DURATION, TYPE_DURATION, OP_ADD_I},
        {T_MINUS, TYPE_DURATION, TYPE_DURATION, OP_SUB_I},
        {T_MINUS, TYPE_TIMESTAMP, TYPE_DURATION, OP_SUB_T},
        {T_MINUS, TYPE_TIMESTAMP, TYPE_TIMESTAMP, OP_DIFF_T},
    };
    enum opcode op = OP_RAISE;
    gen_node(g, n->kids[0]);
    gen_node(g, n->kids[1]);
    for (size_t i = 0; i < BASE_LEN(table); i++)
        if (table[i].tok == n->op && table[i].left == n->kids[0]->type->kind &&
            table[i].right == n->kids[1]->type->kind)
            op = (enum opcode)table[i].op;
    if (op == OP_RAISE) /* items of an empty literal: never met */
        moved(g, -2);
    (void)emit(g, n, op, type_val(n->type), 0, 0);
}

/* The first of the six comparisons for values of this type. */
static enum opcode cmp_base(const struct type *t)
{
    switch (t->kind) {
    case TYPE_INT:
    case TYPE_DURATION:
        return OP_LT_I;
    case TYPE_DOUBLE:
    case TYPE_MONEY:
        return OP_LT_D;
    case TYPE_STRING:
    case TYPE_DATE:
    case TYPE_LUNAR_DATE:
    case TYPE_ADDRESS:
        return OP_LT_S;
    case TYPE_TIMESTAMP:
        return OP_LT_T;
    case TYPE_BOOL:
        return OP_LT_B;
    case TYPE_ERROR:
    case TYPE_NULL:
    case TYPE_LIST:
    case TYPE_MAP:
    case TYPE_RECORD:
        break;
    }
    return OP_EQ_V;
}

/* An operand that is compared with a double. */
static void gen_double(struct gen *g, struct node *n)
{
    if (n->kind == N_CONST && n->val.t == V_INT) {
        gen_const(g, n, val_double((double)n->val.i));
        return;
    }
    gen_node(g, n);
    if (n->type->kind == TYPE_INT)
        (void)emit(g, n, OP_I2D, V_DOUBLE, 0, 0);
}

/* The constant form of a comparison, OP_RAISE if there is none. */
static enum opcode cmp_const(enum opcode base, uint32_t which)
{
    if (base == OP_LT_I)
        return (enum opcode)(OP_LT_IK + which);
    if (base == OP_LT_D)
        return (enum opcode)(OP_LT_DK + which);
    if (base == OP_LT_S && which >= T_EQ - T_LT)
        return (enum opcode)(OP_EQ_SK + (which - (T_EQ - T_LT)));
    return OP_RAISE;
}

static void gen_cmp(struct gen *g, struct node *n)
{
    static const uint8_t mirrored[] = {T_GT, T_GE, T_LT, T_LE, T_EQ, T_NE};
    struct node *l = n->kids[0], *r = n->kids[1];
    uint8_t tok = n->op;
    if (l->kind == N_CONST && r->kind != N_CONST) { /* 100 < x is x > 100 */
        l = n->kids[1];
        r = n->kids[0];
        tok = mirrored[tok - T_LT];
    }
    const struct type *t = type_poison(l->type) ? r->type : l->type;
    bool dbl = l->type->kind == TYPE_DOUBLE || r->type->kind == TYPE_DOUBLE;
    enum opcode base = dbl ? OP_LT_D : cmp_base(t);
    uint32_t which = (uint32_t)tok - T_LT;
    enum opcode fused = r->kind == N_CONST ? cmp_const(base, which) : OP_RAISE;
    if (dbl)
        gen_double(g, l);
    else
        gen_node(g, l);
    if (fused != OP_RAISE) {
        struct val k = r->val;
        if (dbl && k.t == V_INT)
            k = val_double((double)k.i);
        (void)emit(g, n, fused, V_BOOL, 0, add_const(g, k));
        return;
    }
    if (dbl)
        gen_double(g, r);
    else
        gen_node(g, r);
    if (base == OP_EQ_V)
        (void)emit(g, n, tok == T_NE ? OP_NE_V : OP_EQ_V, V_BOOL, 0, 0);
    else
        (void)emit(g, n, (enum opcode)(base + which), V_BOOL, 0, 0);
}

/* A constant list that is searched: sorted, of one kind, without NaN. */
static struct val searchable(struct gen *g, struct val list, bool dbl)
{
    struct val *v;
    uint32_t n = 0;
    if (!(dbl && list.n && list.list[0].t != V_DOUBLE) && list_sorted(list.list, list.n))
        return list;
    v = ARENA_ARRAY(g->a, struct val, list.n ? list.n : 1);
    for (uint32_t i = 0; i < list.n; i++) {
        struct val x = list.list[i];
        if (x.t == V_MONEY)
            x = val_double(money_double(x.i));
        if (dbl && x.t == V_INT)
            x = val_double((double)x.i);
        if (x.t != V_DOUBLE || x.d <= 0 || x.d > 0) /* NaN equals nothing */
            v[n++] = x;
    }
    list_sort(v, n, 1);
    return (struct val){.t = V_LIST, .n = n, .list = v};
}

static bool in_literal(struct gen *g, struct node *n)
{
    struct node *list = n->kids[1];
    if (list->kind != N_LIST || list->n > EXPR_STACK_ITEMS)
        return false;
    for (uint32_t i = 0; i < list->n; i++)
        gen_node(g, list->kids[i]);
    (void)emit(g, n, OP_IN_STACK, V_BOOL, 0, list->n);
    moved(g, -(int)list->n);
    return true;
}

static void gen_in(struct gen *g, struct node *n)
{
    struct node *x = n->kids[0], *in = n->kids[1];
    const struct type *elem = in->type->kind == TYPE_LIST ? type_read(in->type->elem) : NULL;
    bool dbl = elem && (x->type->kind == TYPE_DOUBLE || elem->kind == TYPE_DOUBLE);
    if (dbl)
        gen_double(g, x);
    else
        gen_node(g, x);
    if (is_map_tag(in)) {
        (void)emit(g, n, OP_MEMBER_IN, V_BOOL, in->kids[0]->root == ROOT_OLD, in->index);
    } else if (!elem) {
        gen_node(g, in);
        (void)emit(g, n, OP_MAP_IN, V_BOOL, in->kind == N_CONST, 0);
    } else if (in->kind == N_CONST && cmp_base(x->type) != OP_EQ_V) {
        (void)emit(g, n, OP_IN_SORTED, V_BOOL, 0, add_const(g, searchable(g, in->val, dbl)));
    } else if (!in_literal(g, n)) {
        gen_node(g, in);
        (void)emit(g, n, OP_IN_LIST, V_BOOL, 0, 0);
    }
}

static void gen_logic(struct gen *g, struct node *n)
{
    bool and = n->kind == N_AND, fails = false;
    uint32_t *jumps = ARENA_ARRAY(g->c->tmp, uint32_t, n->n);
    int base = g->depth;
    for (uint32_t i = 0; i + 1 < n->n; i++)
        fails |= n->kids[i]->fails;
    for (uint32_t i = 0; i < n->n; i++) {
        uint32_t from = g->n;
        bool last = i + 1 == n->n;
        gen_node(g, n->kids[i]);
        if (n->kids[i]->fails && !last)
            protect(g, from, i ? base + 1 : base, and);
        if (!last && !fails)
            jumps[i] = emit(g, n, and? OP_JF_OR_POP : OP_JT_OR_POP, V_BOOL, 0, 0);
        else if (!last && i == 0)
            jumps[i] = emit(g, n, and? OP_JF_KEEP : OP_JT_KEEP, V_BOOL, 0, 0);
        else if (!last)
            jumps[i] = emit(g, n, and? OP_AND_JF : OP_OR_JT, V_BOOL, 0, 0);
        else if (fails)
            (void)emit(g, n, and? OP_AND_END : OP_OR_END, V_BOOL, 0, 0);
    }
    for (uint32_t i = 0; i + 1 < n->n; i++)
        patch(g, jumps[i]);
}

static void gen_cond(struct gen *g, struct node *n)
{
    gen_node(g, n->kids[0]);
    uint32_t no = emit(g, n, OP_JF, V_BOOL, 0, 0);
    int base = g->depth;
    gen_node(g, n->kids[1]);
    uint32_t end = emit(g, n, OP_JUMP, V_BOOL, 0, 0);
    patch(g, no);
    g->depth = base;
    gen_node(g, n->kids[2]);
    patch(g, end);
}

/* ---- macros, literals, calls ---- */

static void gen_comp(struct gen *g, struct node *n)
{
    static const uint8_t next[] = {[MACRO_ALL] = OP_ALL_NEXT,
                                   [MACRO_EXISTS] = OP_EXISTS_NEXT,
                                   [MACRO_ONE] = OP_ONE_NEXT,
                                   [MACRO_FILTER] = OP_FILTER_NEXT,
                                   [MACRO_MAP] = OP_MAP_NEXT};
    bool absorbs = n->op == MACRO_ALL || n->op == MACRO_EXISTS;
    uint32_t skip = 0;
    gen_node(g, n->kids[0]);
    uint32_t loop = emit(g, n, OP_LOOP, (enum val_kind)n->op, n->index, 0);
    int base = g->depth;
    uint32_t body = g->n;
    gen_node(g, n->kids[1]);
    if (absorbs && n->kids[1]->fails)
        protect(g, body, base, n->op == MACRO_ALL);
    if (n->n == 3) {
        skip = emit(g, n, OP_JF, V_BOOL, 0, 0);
        gen_node(g, n->kids[2]);
    }
    (void)emit(g, n, (enum opcode)next[n->op], V_NULL, n->index, body);
    if (n->n == 3) {
        uint32_t end = emit(g, n, OP_JUMP, V_NULL, 0, 0);
        patch(g, skip);
        g->depth = base;
        (void)emit(g, n, OP_MAP_SKIP, V_NULL, n->index, body);
        patch(g, end);
    }
    patch(g, loop);
}

static void gen_literal(struct gen *g, struct node *n)
{
    bool map = n->kind == N_MAP;
    uint32_t step = map ? 2 : 1;
    (void)emit(g, n, map ? OP_MAP_NEW : OP_LIST_NEW, V_NULL, 0, n->n / step);
    for (uint32_t i = 0; i < n->n; i += step) {
        gen_node(g, n->kids[i]);
        if (map)
            gen_node(g, n->kids[i + 1]);
        (void)emit(g, n->kids[i], map ? OP_MAP_SET : OP_LIST_SET, V_NULL, 0, i / step);
    }
}

static void gen_call(struct gen *g, struct node *n)
{
    const struct fn *f = n->fn;
    uint32_t b = 0;
    gen_node(g, n->kids[0]);
    if (f->flags & FN_SAME)
        return;
    if (f->arg2 != TYPE_ERROR)
        gen_node(g, n->kids[1]);
    if (f->flags & FN_ZONE)
        b = add_zone(g, n->zone);
    (void)emit(g, n, (enum opcode)f->op, type_val(n->type), f->field, b);
}

static void gen_unary(struct gen *g, struct node *n)
{
    gen_node(g, n->kids[0]);
    if (n->kind == N_NOT)
        (void)emit(g, n, OP_NOT, V_BOOL, 0, 0);
    else
        (void)emit(g, n, n->type->kind == TYPE_INT ? OP_NEG_I : OP_NEG_D, V_NULL, 0, 0);
}

static void gen_node(struct gen *g, struct node *n)
{
    switch ((enum node_kind)n->kind) {
    case N_CONST:
        gen_const(g, n, n->val);
        break;
    case N_IDENT:
        gen_ident(g, n);
        break;
    case N_LOCAL:
        (void)emit(g, n, OP_LOCAL, type_val(n->type), n->index, 0);
        break;
    case N_SELECT:
    case N_HAS:
        gen_select(g, n);
        break;
    case N_INDEX:
        gen_index(g, n);
        break;
    case N_CALL:
        gen_call(g, n);
        break;
    case N_LIST:
    case N_MAP:
        gen_literal(g, n);
        break;
    case N_NOT:
    case N_NEG:
        gen_unary(g, n);
        break;
    case N_ARITH:
        gen_arith(g, n);
        break;
    case N_CMP:
        gen_cmp(g, n);
        break;
    case N_IN:
        gen_in(g, n);
        break;
    case N_AND:
    case N_OR:
        gen_logic(g, n);
        break;
    case N_COND:
        gen_cond(g, n);
        break;
    case N_COMP:
        gen_comp(g, n);
        break;
    case N_BAD:
        g->failed = true;
        break;
    }
}

/* The value as a tag or a param takes it. */
static void gen_want(struct gen *g, struct node *n, const struct type *want)
{
    if (want->kind == TYPE_MONEY) {
        if (n->type->kind == TYPE_INT)
            (void)emit(g, n, OP_I2D, V_DOUBLE, 0, 0);
        (void)emit(g, n, OP_TO_MONEY, V_MONEY, 0, 0);
    }
    if (want->kind == TYPE_DATE || want->kind == TYPE_LUNAR_DATE ||
        (want->kind == TYPE_STRING && want->n_one_of && n->type->one_of != want->one_of))
        (void)emit(g, n, OP_CHECK, V_STRING, 0, 0);
}

int gen(struct comp *c, struct arena *to, struct node *n, const struct type *want, struct code *out)
{
    struct gen g = {.c = c, .a = to};
    (void)add_zone(&g, NULL);
    gen_node(&g, n);
    if (want)
        gen_want(&g, n, want);
    (void)emit(&g, n, OP_RET, V_NULL, 0, 0);
    if (g.failed)
        return -1;
    if (g.deepest >= EXPR_MAX_STACK) {
        comp_err(c, "X003", n->start, n->end, NULL, NULL, "too many values at a time");
        return -1;
    }
    *out = (struct code){.ins = g.ins,
                         .start = g.start,
                         .end = g.end,
                         .n = g.n,
                         .consts = g.consts,
                         .n_consts = g.n_consts,
                         .handlers = g.handlers,
                         .n_handlers = g.n_handlers,
                         .zones = g.zones,
                         .n_zones = g.n_zones,
                         .check = want,
                         .file = c->src->file,
                         .stack = (uint32_t)g.deepest};
    return 0;
}
