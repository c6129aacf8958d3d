/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr: the door of the module: compiling, what a compiled expression knows about itself, evaluating;
 * and how its messages are made.
 */
#include "expr_priv.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- messages ---- */

#define MOST_ERRORS 50 /* of one expression */

struct span comp_span(const struct comp *c, uint32_t start, uint32_t end)
{
    const struct expr_src *s = c->src;
    uint32_t n = (uint32_t)s->text.n;
    start = start > n ? n : start;
    end = end > n ? n : end;
    return (struct span){s->file, s->map ? s->map[start] : s->base + start,
                         s->map ? s->map[end] : s->base + end};
}

/* What goes into a message is one line of whole characters, whatever the author wrote. */
static struct str one_line(char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = ' ';
    while (n && !utf8_valid((struct str){text, n}))
        n--; /* cut off in the middle of a character */
    return (struct str){text, n};
}

static struct str one_line_of(struct comp *c, const char *text)
{
    return text ? one_line(arena_strdup(c->tmp, text)) : STR("");
}

__attribute__((format(printf, 6, 0))) static void add(struct comp *c, const char *code,
                                                      struct span at, const char *label,
                                                      const char *note, const char *fmt, va_list ap)
{
    char text[1024];
    (void)vsnprintf(text, sizeof text, fmt, ap);
    if (++c->errors > MOST_ERRORS)
        return;
    struct diag g = {.at = at,
                     .text = one_line(text),
                     .label = one_line_of(c, label),
                     .note = one_line_of(c, note)};
    (void)snprintf(g.code, sizeof g.code, "%s", code);
    diags_add(c->d, &g);
}

void comp_err(struct comp *c, const char *code, uint32_t start, uint32_t end, const char *label,
              const char *note, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(c, code, comp_span(c, start, end), label, note, fmt, ap);
    va_end(ap);
}

void comp_err_at(struct comp *c, const char *code, struct span at, const char *label,
                 const char *note, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(c, code, at, label, note, fmt, ap);
    va_end(ap);
}

const char *comp_text(struct comp *c, const struct node *n)
{
    uint32_t len = n->end - n->start;
    if (len > 60)
        return "this";
    return arena_printf(c->tmp, "%.*s", (int)len, c->src->text.p + n->start);
}

const char *comp_suggest(struct comp *c, struct str word, const struct str *names, size_t n)
{
    struct str best = suggest(word, names, n);
    return best.n ? arena_printf(c->tmp, "did you mean `%.*s`?", STR_ARG(best)) : NULL;
}

static int by_bytes(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

const char *comp_known(struct comp *c, const char *lead, const struct str *names, size_t n)
{
    struct str *v = ARENA_ARRAY(c->tmp, struct str, n ? n : 1);
    struct buf b;
    if (n == 0)
        return NULL;
    memcpy(v, names, n * sizeof *v);
    qsort(v, n, sizeof *v, by_bytes);
    buf_init(&b, 8192);
    buf_adds(&b, lead);
    for (size_t i = 0; i < n; i++) {
        buf_adds(&b, i ? ", " : ": ");
        buf_addstr(&b, v[i]);
    }
    const char *text = arena_str(c->tmp, buf_str(&b)).p;
    buf_free(&b);
    return text;
}

/* ---- what the rule index wants to know ---- */

static bool indexable(const struct type *t)
{
    return t->kind == TYPE_STRING || t->kind == TYPE_INT || t->kind == TYPE_BOOL;
}

static bool equality(struct comp *c, const struct node *n, struct equality *out)
{
    if ((n->kind != N_CMP || n->op != T_EQ) && n->kind != N_IN)
        return false;
    const struct node *f = n->kids[0], *k = n->kids[1];
    if (n->kind == N_CMP && f->kind == N_CONST) {
        f = n->kids[1];
        k = n->kids[0];
    }
    if (f->kind != N_SELECT || f->kids[0]->kind != N_IDENT || f->kids[0]->root != ROOT_EVENT ||
        !indexable(f->type) || k->kind != N_CONST)
        return false;
    out->field = f->index;
    if (n->kind == N_IN) {
        out->values = k->val;
        return k->val.t == V_LIST && (k->val.n == 0 || k->val.list[0].t == type_val(f->type));
    }
    struct val *one = ARENA_NEW(c->a, struct val);
    *one = k->val;
    out->values = (struct val){.t = V_LIST, .n = 1, .list = one};
    return k->val.t == type_val(f->type);
}

static void find_equalities(struct comp *c, const struct node *n, struct expr *e)
{
    uint32_t most = n->kind == N_AND ? n->n : 1, k = 0;
    struct equality *v = ARENA_ARRAY(c->a, struct equality, most);
    for (uint32_t i = 0; i < most; i++)
        if (equality(c, n->kind == N_AND ? n->kids[i] : n, &v[k]))
            k++;
    e->equals = v;
    e->n_equals = k;
}

static uint32_t count_tags(const struct node *n, uint32_t *out)
{
    uint32_t k = 0;
    if ((n->kind == N_SELECT || n->kind == N_HAS) && n->kids[0]->kind == N_IDENT &&
        (n->kids[0]->root == ROOT_MEMBER || n->kids[0]->root == ROOT_OLD)) {
        if (out)
            *out = n->index;
        k++;
    }
    for (uint32_t i = 0; i < n->n; i++)
        k += count_tags(n->kids[i], out ? out + k : NULL);
    return k;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void find_tags(struct comp *c, const struct node *n, struct expr *e)
{
    uint32_t k = count_tags(n, NULL), m = 0;
    uint32_t *v = ARENA_ARRAY(c->a, uint32_t, k ? k : 1);
    (void)count_tags(n, v);
    qsort(v, k, sizeof *v, by_number);
    for (uint32_t i = 0; i < k; i++)
        if (m == 0 || v[m - 1] != v[i])
            v[m++] = v[i];
    e->tags = v;
    e->n_tags = m;
}

/* ---- compiling ---- */

/* Conditions may compare and convert; what has no bound in the schema is built elsewhere. */
static void check_building(struct comp *c, const struct node *n)
{
    bool list = n->kind == N_LIST || n->kind == N_MAP;
    if (n->free == 0) /* constant, or reported as one that fails */
        return;
    bool join = n->kind == N_ARITH && (n->type->kind == TYPE_STRING || n->type->kind == TYPE_LIST);
    if (list || join)
        comp_err(c, "X017", n->op_start, n->op_end, NULL, NULL,
                 "%s, which only `with:` and `set:` may do",
                 list ? "this builds a list or a map" : "this joins texts or lists");
    for (uint32_t i = 0; i < n->n; i++) {
        bool items = n->kind == N_IN && i == 1 && n->kids[1]->kind == N_LIST &&
                     n->kids[1]->n <= EXPR_STACK_ITEMS;
        for (uint32_t j = 0; items && j < n->kids[1]->n; j++)
            check_building(c, n->kids[1]->kids[j]);
        if (!items)
            check_building(c, n->kids[i]);
    }
}

static struct node *analyse(struct comp *c, const struct type *want, uint32_t *cost)
{
    struct node *n = NULL;
    if (!utf8_valid(c->src->text)) {
        comp_err(c, "X002", 0, 1, NULL, NULL, "text that is not UTF-8");
        return NULL;
    }
    if (utf8_len(c->src->text) > EXPR_MAX_POINTS) {
        comp_err(c, "X003", 0, 1, NULL, NULL, "an expression has at most %d characters",
                 EXPR_MAX_POINTS);
        return NULL;
    }
    n = parse(c);
    if (!n)
        return NULL;
    (void)check(c, n);
    if (want && c->errors == 0)
        check_want(c, n, want);
    if (c->errors)
        return NULL;
    n = fold(c, n);
    if (!c->env->build)
        check_building(c, n);
    *cost = cost_of(c, n);
    if (*cost > EXPR_MAX_COST)
        comp_err(c, "X004", n->start, n->end, NULL,
                 "give the lists and texts in it a smaller `max`, or say it with fewer macros",
                 "this might cost %u, and %d is the most for one event", *cost, EXPR_MAX_COST);
    return c->errors ? NULL : n;
}

/* A constant in the form that its place wants. */
static void settle_const(struct comp *c, struct node *n, const struct type *want, struct expr *e)
{
    struct expr_ctx *ctx = ARENA_NEW(c->tmp, struct expr_ctx);
    struct val v;
    if (vm_run(&e->code, ctx, &v) != 0) {
        comp_err(c, "X012", n->start, n->end, NULL, NULL, "%.*s%s does not fit: %s",
                 STR_ARG(c->src->what), c->src->what.n ? "" : "the result", ctx->error);
        return;
    }
    e->is_const = true;
    e->value = want && want->kind == TYPE_MONEY ? v : n->val;
}

static int compile(struct comp *c, const struct type *want, const struct expr **out)
{
    uint32_t cost = 0;
    struct node *n = analyse(c, want, &cost);
    if (!n)
        return -1;
    struct expr *e = ARENA_NEW(c->a, struct expr);
    e->type = want && want->kind != TYPE_ERROR ? want : n->type;
    e->cost = cost;
    e->at = comp_span(c, 0, (uint32_t)c->src->text.n);
    e->uses_old = c->uses_old;
    e->uses_now = c->uses_now;
    if (gen(c, c->a, n, want, &e->code) != 0)
        return -1;
    find_tags(c, n, e);
    find_equalities(c, n, e);
    find_facts(c, n, e);
    find_absent(c, n, e);
    if (n->kind == N_CONST)
        settle_const(c, n, want, e);
    if (c->errors)
        return -1;
    *out = e;
    return 0;
}

int expr_compile(struct arena *a, const struct expr_env *env, const struct expr_src *src,
                 const struct type *want, struct diags *d, const struct expr **out)
{
    struct comp c = {.a = a, .tmp = arena_new(0), .env = env, .src = src, .d = d};
    int rc = compile(&c, want, out);
    arena_free(&c.tmp);
    return rc;
}

/* ---- a compiled expression ---- */

struct span expr_at(const struct expr *e)
{
    return e->at;
}

const struct type *expr_type(const struct expr *e)
{
    return e->type;
}

bool expr_uses_old(const struct expr *e)
{
    return e->uses_old;
}

bool expr_uses_now(const struct expr *e)
{
    return e->uses_now;
}

bool expr_uses_tag(const struct expr *e, uint32_t tag)
{
    for (uint32_t i = 0; i < e->n_tags; i++)
        if (e->tags[i] == tag)
            return true;
    return false;
}

bool expr_is_const(const struct expr *e, struct val *out)
{
    if (e->is_const && out)
        *out = e->value;
    return e->is_const;
}

uint32_t expr_cost(const struct expr *e)
{
    return e->cost;
}

int expr_equals(const struct expr *e, uint32_t field, struct val *values)
{
    for (uint32_t i = 0; i < e->n_equals; i++)
        if (e->equals[i].field == field) {
            *values = e->equals[i].values;
            return 1;
        }
    return 0;
}

int expr_eval(const struct expr *e, struct expr_ctx *c, struct val *out)
{
    c->scratch_n = 0;
    c->error = NULL;
    c->evals++;
    if (e->is_const) {
        *out = e->value;
        return 0;
    }
    int rc = vm_run(&e->code, c, out);
    if (rc == 0)
        c->error = NULL; /* one that was made up for */
    return rc;
}

bool expr_true(const struct expr *e, struct expr_ctx *c)
{
    struct val v;
    if (!e)
        return true;
    return expr_eval(e, c, &v) == 0 && v.t == V_BOOL && v.b;
}
