/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A warning about tag cascades that may go round in circles: a rule that a tag starts sets a tag that
 * starts a rule … that sets the first one again.  (The fold stops such a chain after eight changes.)
 *
 * What counts is one `set` of a constant or of anything: an act.  Act b follows act a when a's tag, or
 * one computed from it, starts b's rule and b's conditions admit the value that a sets.  Only what
 * happens at once is looked at, before any `wait`.  In a circle that sets a tag to one constant only,
 * the tag changes once and starts nothing any more: such acts are left out, until none is left or the
 * rest can really go on.
 */
#include "rule_priv.h"

#include <stdlib.h>

#define MOST_ACTS 512 /* that may be in circles; of more nothing is said */
#define MOST_GUARDS 17

struct act {
    const struct rule_def *rule;
    uint32_t tag;
    const struct expr *value; /* NULL: unset */
    const struct expr *guards[MOST_GUARDS];
    uint32_t n_guards;
    bool gone;
};
struct cascade {
    struct load *L;
    struct act *v; /* those that may still be in a circle */
    uint32_t n, cap;
    const struct act *all; /* every act */
    uint32_t n_all;
    bool *reach; /* [i * n + k]: k follows i, at last */
    bool **from; /* [tag] the tags computed from it, directly or not; made when asked for */
};

/* ---- acts ------------------------------------------------------------------------------------ */

static void add_acts(struct cascade *x, const struct rule_def *r, uint32_t pc)
{
    const struct instr *in = &r->code[pc];
    struct act a = {.rule = r};
    if (r->when)
        a.guards[a.n_guards++] = r->when;
    for (uint32_t i = 0; i < pc && a.n_guards < MOST_GUARDS; i++) {
        const struct expr *e = r->code[i].op == OP_CHOOSE ? lint_branch(&r->code[i], pc) : NULL;
        if (e)
            a.guards[a.n_guards++] = e;
    }
    for (uint32_t k = 0; k < in->n_set; k++) {
        if (x->n == x->cap) {
            x->cap = x->cap ? x->cap * 2 : 64;
            x->v = xrealloc(x->v, x->cap * sizeof *x->v);
        }
        a.tag = in->tags[k];
        a.value = in->values[k];
        x->v[x->n++] = a;
    }
}

static void find_acts(struct cascade *x)
{
    for (uint32_t i = 0; i < x->L->p->n_rules; i++) {
        const struct rule_def *r = &x->L->p->rules[i];
        if (r->trigger.kind != TRIG_TAG || r->mode != MODE_LIVE)
            continue;
        const bool *seen = lint_reached(x->L, r, REACH_AT_ONCE);
        for (uint32_t pc = 0; pc < r->n_code; pc++)
            if (seen[pc] && r->code[pc].op == OP_SET)
                add_acts(x, r, pc);
    }
}

/* Cheaply: what no other act can start, or what starts none, is in no circle. A computed tag may
 * follow from any. */
static bool filter(struct cascade *x)
{
    uint32_t n = x->L->p->n_tags, w = 0;
    bool *set = ARENA_ARRAY(x->L->a, bool, n + 1), *starts = ARENA_ARRAY(x->L->a, bool, n + 1);
    bool computed = false;
    for (uint32_t i = 0; i < x->n; i++) {
        uint32_t t = x->v[i].rule->trigger.tag;
        set[x->v[i].tag] = starts[t] = true;
        computed |= x->L->p->tags[t].kind != TAG_STORED;
    }
    for (uint32_t i = 0; i < x->n; i++) {
        uint32_t t = x->v[i].rule->trigger.tag;
        if ((set[t] || x->L->p->tags[t].kind != TAG_STORED) && (starts[x->v[i].tag] || computed))
            x->v[w++] = x->v[i];
    }
    bool less = w < x->n;
    x->n = w;
    return less;
}

/* ---- which follows which --------------------------------------------------------------------- */

/* Is `tag` computed from `from`? */
static bool depends(struct cascade *x, uint32_t tag, uint32_t from)
{
    const struct program *p = x->L->p;
    if (!x->from)
        x->from = ARENA_ARRAY(x->L->a, bool *, p->n_tags + 1);
    if (!x->from[from]) {
        bool *is = x->from[from] = ARENA_ARRAY(x->L->a, bool, p->n_tags + 1);
        is[from] = true;
        for (uint32_t i = 0; i < p->derived.n; i++) { /* each after those that it reads */
            const struct tag_def *t = &p->tags[p->derived.v[i]];
            for (uint32_t k = 0; k < t->n_reads; k++)
                is[t->index] |= is[t->reads[k]];
        }
    }
    return x->from[from][tag];
}

static bool admits(const struct cascade *x, const struct act *b, const struct act *a)
{
    struct val v;
    bool constant = a->value && expr_is_const(a->value, &v);
    if (a->value && !constant)
        return true;
    struct str term =
        str_c(arena_printf(x->L->a, "member." STR_FMT, STR_ARG(x->L->p->tags[a->tag].name)));
    for (uint32_t i = 0; i < b->n_guards; i++)
        if (!expr_admits(b->guards[i], term, a->value ? &v : NULL))
            return false;
    return true;
}

static bool follows(struct cascade *x, const struct act *a, const struct act *b)
{
    uint32_t starts = b->rule->trigger.tag;
    if (starts == a->tag)
        return admits(x, b, a);
    return depends(x, starts, a->tag);
}

/* Leave out what nothing leads to, or what leads to nothing: it is in no circle. */
static void trim(struct cascade *x)
{
    bool again = true;
    while (again) {
        again = false;
        for (uint32_t i = 0; i < x->n; i++) {
            bool in = false, out = false;
            for (uint32_t k = 0; k < x->n && !x->v[i].gone && !(in && out); k++) {
                if (x->v[k].gone)
                    continue;
                in = in || follows(x, &x->v[k], &x->v[i]);
                out = out || follows(x, &x->v[i], &x->v[k]);
            }
            if (!x->v[i].gone && !(in && out))
                x->v[i].gone = again = true;
        }
    }
    uint32_t w = 0;
    for (uint32_t i = 0; i < x->n; i++)
        if (!x->v[i].gone)
            x->v[w++] = x->v[i];
    x->n = w;
}

static void close_reach(struct cascade *x)
{
    uint32_t n = x->n;
    x->reach = ARENA_ARRAY(x->L->a, bool, (size_t)n *n + 1);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < n; k++)
            x->reach[i * n + k] = follows(x, &x->v[i], &x->v[k]);
    for (uint32_t m = 0; m < n; m++)
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t k = 0; x->reach[i * n + m] && k < n; k++)
                x->reach[i * n + k] |= x->reach[m * n + k];
}

static bool in_circle(const struct cascade *x, uint32_t i, uint32_t k)
{
    return x->reach[i * x->n + k] && x->reach[k * x->n + i];
}

static bool same_value(const struct act *a, const struct act *b)
{
    struct val x, y;
    if (!a->value || !b->value)
        return !a->value && !b->value;
    return expr_is_const(a->value, &x) && expr_is_const(b->value, &y) && val_eq(&x, &y);
}

static bool rule_in_circle(const struct cascade *x, const struct rule_def *r, uint32_t i)
{
    for (uint32_t k = 0; k < x->n; k++)
        if (x->v[k].rule == r && in_circle(x, i, k))
            return true;
    return false;
}

/* Whatever the rules of its circles do, the tag gets the same constant. */
static bool settles(const struct cascade *x, uint32_t i)
{
    if (!same_value(&x->v[i], &x->v[i]))
        return false;
    for (uint32_t k = 0; k < x->n_all; k++)
        if (x->all[k].tag == x->v[i].tag && !same_value(&x->v[i], &x->all[k]) &&
            rule_in_circle(x, x->all[k].rule, i))
            return false;
    return true;
}

/* ---- what is said ---------------------------------------------------------------------------- */

/* Text of a circle that begins and ends with act `first`. */
static const char *circle(struct cascade *x, uint32_t first)
{
    struct buf b;
    bool *been = ARENA_ARRAY(x->L->a, bool, x->n);
    uint32_t i = first;
    buf_init(&b, 2000);
    do {
        been[i] = true;
        buf_addf(&b, "`" STR_FMT "` sets `" STR_FMT "` → ", STR_ARG(x->v[i].rule->name),
                 STR_ARG(x->L->p->tags[x->v[i].tag].name));
        uint32_t k = 0; /* straight back if possible, else on towards it */
        if (follows(x, &x->v[i], &x->v[first]))
            break;
        while (k < x->n &&
               (been[k] || !follows(x, &x->v[i], &x->v[k]) || !x->reach[k * x->n + first]))
            k++;
        i = k;
    } while (i < x->n);
    buf_addf(&b, "`" STR_FMT "`", STR_ARG(x->v[first].rule->name));
    const char *text = arena_str(x->L->a, buf_str(&b)).p;
    buf_free(&b);
    return text;
}

static void report(struct cascade *x)
{
    bool *said = ARENA_ARRAY(x->L->a, bool, x->n + 1);
    for (uint32_t i = 0; i < x->n; i++) {
        if (said[i] || !in_circle(x, i, i))
            continue;
        for (uint32_t k = 0; k < x->n; k++)
            said[k] |= in_circle(x, i, k);
        diags_addf(x->L->d, "W007", x->v[i].rule->at,
                   STR("let one of them ask in `if` for the value that it waits for"),
                   str_c(circle(x, i)), "tags and rules that may start each other without end");
    }
}

void lint_cascade(struct load *L)
{
    struct cascade x = {.L = L};
    find_acts(&x);
    struct act *all = ARENA_ARRAY(L->a, struct act, x.n + 1);
    if (x.n)
        memcpy(all, x.v, x.n * sizeof *all);
    x.all = all;
    x.n_all = x.n;
    while (filter(&x))
        ;
    while (x.n > 0 && x.n <= MOST_ACTS) {
        trim(&x);
        if (x.n == 0)
            break;
        close_reach(&x);
        bool gone = false;
        for (uint32_t i = 0; i < x.n; i++)
            gone |= x.v[i].gone = settles(&x, i);
        if (!gone) {
            report(&x);
            break;
        }
    }
    free(x.v);
}
