/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is the same for all members of a program, worked out once: which tags keep a slot, what stands in
 * the layout, what a settle must evaluate and in which order, who rests on whom, and which tags `old`
 * can be asked for.  Everything lives in the plan's arena.
 */
#include "tags_priv.h"

#include <stdlib.h>

static bool is_aggregate(const struct tag_def *d)
{
    return d->kind >= TAG_COUNT && d->kind <= TAG_COLLECT;
}

static bool in_list(const struct index_list *l, uint32_t v)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->v[i] == v)
            return true;
    return false;
}

/* ---- slots and layout ---- */

/* Its own name in the layout, so that watching a tag or not never changes how its cells are read; with
 * the type, which may change under the same words when a tag that it reads does. */
static uint64_t told_hash(const struct tag_def *d)
{
    const struct type *type = tags_told_type(d);
    uint64_t kinds = (uint64_t)type->kind << 8 | (type->elem ? (uint64_t)type->elem->kind : 0);
    return (d->def_hash ^ (UINT64_C(0x746f6c64) << 16 | kinds)) * UINT64_C(0x9e3779b97f4a7c15);
}

static void slot_add(struct plan *n, uint32_t tag, enum slot_kind k)
{
    const struct tag_def *d = &n->p->tags[tag];
    uint32_t i = n->n_slots++;
    uint64_t h = k == SLOT_TOLD ? told_hash(d) : d->def_hash;
    n->slot_tag[i] = tag;
    n->slot_def[i] = d;
    n->slot_kind[i] = k;
    for (uint32_t b = 0; b < 3; b++)
        n->layout[3 * i + b] = (uint8_t)(h >> (8 * b));
    if (k != SLOT_TOLD)
        n->tag_slot[tag] = i;
}

static bool watched_as_told(const struct program *p, const struct tag_def *d)
{
    return (is_aggregate(d) || d->kind == TAG_VALUE) && in_list(&p->watched, d->index);
}

/* Tags that are neither stored nor aggregate nor levels keep nothing but what was told of them. */
static void make_slots(struct plan *n)
{
    const struct program *p = n->p;
    size_t most = 2 * (size_t)p->n_tags;
    n->slot_tag = ARENA_ARRAY(n->a, uint32_t, most + 1);
    n->slot_def = ARENA_ARRAY(n->a, const struct tag_def *, most + 1);
    n->slot_kind = ARENA_ARRAY(n->a, enum slot_kind, most + 1);
    n->layout = ARENA_ARRAY(n->a, uint8_t, 3 * most + 1);
    n->tag_slot = ARENA_ARRAY(n->a, uint32_t, p->n_tags + 1);
    for (uint32_t i = 0; i < p->n_tags; i++) {
        n->tag_slot[i] = RULE_NONE;
        if (is_aggregate(&p->tags[i]))
            slot_add(n, i, SLOT_CELLS);
        if (watched_as_told(p, &p->tags[i]))
            slot_add(n, i, SLOT_TOLD);
        if (p->tags[i].kind == TAG_LEVELS)
            slot_add(n, i, SLOT_LEVEL);
    }
    n->n_layout = n->n_slots;
    for (uint32_t i = 0; i < p->n_tags; i++)
        if (p->tags[i].kind == TAG_STORED)
            slot_add(n, i, SLOT_STORED);
}

/* ---- dependencies ---- */

static bool def_uses_now(const struct tag_def *d)
{
    if (d->value && expr_uses_now(d->value))
        return true;
    for (uint32_t i = 0; i < d->n_levels; i++)
        if (d->levels[i].when && expr_uses_now(d->levels[i].when))
            return true;
    return false;
}

struct closure {
    const struct program *p;
    bool *seen; /* [tag] */
    uint32_t *v;
    uint32_t n;
    bool now;
};

/* What `tag` rests on that keeps state; through values, which keep none. */
static void closure_reads(struct closure *c, uint32_t tag)
{
    const struct tag_def *d = &c->p->tags[tag];
    c->now |= def_uses_now(d);
    for (uint32_t i = 0; i < d->n_reads; i++) {
        uint32_t r = d->reads[i];
        if (r >= c->p->n_tags || c->seen[r])
            continue;
        c->seen[r] = true;
        if (c->p->tags[r].kind == TAG_VALUE)
            closure_reads(c, r);
        else
            c->v[c->n++] = r;
    }
}

static void order_add(struct plan *n, uint32_t tag, uint32_t slot)
{
    const struct program *p = n->p;
    struct order *o = &n->order[n->n_order++];
    struct closure c = {.p = p,
                        .seen = ARENA_ARRAY(n->a, bool, p->n_tags + 1),
                        .v = ARENA_ARRAY(n->a, uint32_t, p->n_tags + 1)};
    if (is_aggregate(&p->tags[tag]))
        c.v[c.n++] = tag;
    else
        closure_reads(&c, tag);
    *o = (struct order){.tag = tag, .slot = slot, .deps = c.v, .n_deps = c.n, .uses_now = c.now};
}

static uint32_t told_slot(const struct plan *n, uint32_t tag)
{
    for (uint32_t i = 0; i < n->n_layout; i++)
        if (n->slot_tag[i] == tag && n->slot_kind[i] != SLOT_CELLS)
            return i;
    return RULE_NONE;
}

static void make_order(struct plan *n)
{
    const struct program *p = n->p;
    n->order = ARENA_ARRAY(n->a, struct order, p->n_tags + 1);
    for (uint32_t i = 0; i < p->n_tags; i++)
        if (is_aggregate(&p->tags[i]) && told_slot(n, i) != RULE_NONE)
            order_add(n, i, told_slot(n, i));
    for (uint32_t i = 0; i < p->derived.n; i++)
        if (told_slot(n, p->derived.v[i]) != RULE_NONE)
            order_add(n, p->derived.v[i], told_slot(n, p->derived.v[i]));
}

static struct index_list list_copy(struct plan *n, const uint32_t *v, uint32_t len)
{
    uint32_t *to = ARENA_ARRAY(n->a, uint32_t, len + 1);
    for (uint32_t i = 0; i < len; i++)
        to[i] = v[i];
    return (struct index_list){to, len};
}

static void make_reverse(struct plan *n)
{
    uint32_t *tmp = ARENA_ARRAY(n->a, uint32_t, n->p->n_tags + 1), n_timed = 0;
    uint32_t *timed = ARENA_ARRAY(n->a, uint32_t, n->p->n_tags + 1);
    n->rev = ARENA_ARRAY(n->a, struct index_list, n->p->n_tags + 1);
    for (uint32_t tag = 0; tag < n->p->n_tags; tag++) {
        uint32_t len = 0;
        for (uint32_t o = 0; o < n->n_order; o++) {
            struct index_list deps = {n->order[o].deps, n->order[o].n_deps};
            if (in_list(&deps, tag))
                tmp[len++] = o;
        }
        n->rev[tag] = list_copy(n, tmp, len);
        if (len && is_aggregate(&n->p->tags[tag]) && n->p->tags[tag].window.kind != WIN_EVER)
            timed[n_timed++] = tag;
    }
    n->timed = list_copy(n, timed, n_timed);
}

static void make_fading(struct plan *n)
{
    uint32_t *v = ARENA_ARRAY(n->a, uint32_t, n->n_slots + 1), len = 0;
    for (uint32_t i = 0; i < n->n_slots; i++) {
        bool cells = n->slot_kind[i] == SLOT_CELLS && n->slot_def[i]->window.kind != WIN_EVER;
        if (cells || (n->slot_kind[i] == SLOT_STORED && n->slot_def[i]->ttl_ms))
            v[len++] = i;
    }
    n->fading = (struct index_list){v, len};
}

/* ---- old ---- */

static void old_expr(struct plan *n, const struct expr *e)
{
    if (!e || !expr_uses_old(e))
        return;
    for (uint32_t i = 0; i < n->p->n_tags; i++)
        n->old[i] |= expr_uses_tag(e, i);
}

static void old_patterns(struct plan *n, const struct pattern *v, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        old_expr(n, v[i].where);
}

static void old_instr(struct plan *n, const struct instr *in)
{
    old_expr(n, in->to);
    old_patterns(n, in->until, in->n_until);
    for (uint32_t i = 0; i < in->n_branches; i++)
        old_expr(n, in->branches[i].when);
    for (uint32_t i = 0; i < in->n_set; i++)
        old_expr(n, in->values[i]);
    if (in->op == OP_SEND && in->args)
        for (uint32_t i = 0; i < n->p->messages[in->message].n_params; i++)
            old_expr(n, in->args[i]);
}

static void old_rules(struct plan *n, const struct rule_def *v, uint32_t len)
{
    for (const struct rule_def *r = v; len > 0; r++, len--) {
        old_expr(n, r->when);
        old_expr(n, r->key);
        old_expr(n, r->goal.where);
        old_expr(n, r->goal_value);
        old_patterns(n, r->cancel, r->n_cancel);
        for (uint32_t i = 0; i < r->n_code; i++)
            old_instr(n, &r->code[i]);
    }
}

/* The tags that some expression with `old` in it reads; all of them when none can be found. */
static void make_olds(struct plan *n)
{
    const struct program *p = n->p;
    uint32_t *v = ARENA_ARRAY(n->a, uint32_t, p->n_tags + 1), len = 0;
    n->old = ARENA_ARRAY(n->a, bool, p->n_tags + 1);
    if (!p->uses_old)
        return;
    old_rules(n, p->rules, p->n_rules);
    old_rules(n, p->old_rules, p->n_old_rules);
    bool any = false;
    for (uint32_t i = 0; i < p->n_tags; i++)
        any |= n->old[i];
    for (uint32_t i = 0; i < p->n_tags; i++) {
        n->old[i] |= !any;
        if (n->old[i])
            v[len++] = i;
    }
    n->olds = (struct index_list){v, len};
}

/* ---- profile ---- */

static void make_profile(struct plan *n)
{
    const struct schema *s = n->p->schema;
    n->profile = ARENA_ARRAY(n->a, uint32_t *, s->n + 1);
    for (uint32_t e = 0; e < s->n; e++) {
        const struct type *f = s->events[e]->fields;
        if (!s->events[e]->profile)
            continue;
        n->profile[e] = ARENA_ARRAY(n->a, uint32_t, f->n_fields + 1);
        for (uint32_t i = 0; i < f->n_fields; i++) {
            uint32_t tag = RULE_NONE;
            for (uint32_t k = 0; i + EVENT_EXTRA < f->n_fields && k < n->p->n_tags; k++)
                if (n->p->tags[k].kind == TAG_STORED &&
                    str_eq(n->p->tags[k].name, f->fields[i].name))
                    tag = k;
            n->profile[e][i] = tag;
        }
    }
}

struct plan *tags_plan_new(const struct program *p)
{
    struct plan *n = xcalloc(1, sizeof *n);
    n->p = p;
    n->tags = p->tags;
    n->n_tags = p->n_tags;
    n->watched = p->watched.v;
    n->a = arena_new(0);
    make_slots(n);
    make_order(n);
    make_reverse(n);
    make_fading(n);
    make_olds(n);
    make_profile(n);
    return n;
}

void tags_plan_free(struct plan **plan)
{
    if (!*plan)
        return;
    arena_free(&(*plan)->a);
    free(*plan);
    *plan = NULL;
}
