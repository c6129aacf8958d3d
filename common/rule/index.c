/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The indexes by which the fold finds what an event, a tag or the time concerns.  Lists of rules are in
 * the order in which rules act: priority high to low, then name.
 */
#include "rule_priv.h"

#include <stdlib.h>

/* Lists by slot, filled in two passes: first counted, then placed. */
struct lists {
    struct index_list *v;
    uint32_t **at;
    uint32_t n;
    bool placing;
};

static struct lists lists_new(struct load *L, uint32_t n)
{
    return (struct lists){.v = ARENA_ARRAY(L->a, struct index_list, n + 1),
                          .at = ARENA_ARRAY(L->a, uint32_t *, n + 1),
                          .n = n};
}

static void lists_add(struct lists *t, uint32_t slot, uint32_t value)
{
    if (t->placing)
        t->at[slot][t->v[slot].n] = value;
    t->v[slot].n++;
}

static void lists_place(struct load *L, struct lists *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        t->at[i] = ARENA_ARRAY(L->a, uint32_t, t->v[i].n + 1);
        t->v[i] = (struct index_list){t->at[i], 0};
    }
    t->placing = true;
}

struct by_priority {
    int32_t priority;
    uint32_t rule;
};

static int high_first(const void *a, const void *b)
{
    const struct by_priority *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static void index_rules(struct load *L)
{
    struct program *p = L->p;
    struct by_priority *order = ARENA_ARRAY(L->a, struct by_priority, p->n_rules + 1);
    for (uint32_t i = 0; i < p->n_rules; i++)
        order[i] = (struct by_priority){p->rules[i].priority, i};
    qsort(order, p->n_rules, sizeof *order, high_first);
    struct lists starts = lists_new(L, p->schema->n), silence = lists_new(L, p->schema->n);
    struct lists by_tag = lists_new(L, p->n_tags);
    uint32_t *timed = ARENA_ARRAY(L->a, uint32_t, p->n_rules + 1);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < p->n_rules; i++) {
            const struct trigger *t = &p->rules[order[i].rule].trigger;
            struct lists *events = t->kind == TRIG_EVENT ? &starts : &silence;
            for (uint32_t e = 0; e < t->n_events; e++)
                lists_add(events, t->events[e], order[i].rule);
            if (t->kind == TRIG_TAG)
                lists_add(&by_tag, t->tag, order[i].rule);
        }
        if (pass == 0) {
            lists_place(L, &starts);
            lists_place(L, &silence);
            lists_place(L, &by_tag);
        }
    }
    p->timed = (struct index_list){timed, 0};
    for (uint32_t i = 0; i < p->n_rules; i++) {
        enum trigger_kind k = p->rules[i].trigger.kind;
        if (k == TRIG_SILENCE || k == TRIG_DATE || k == TRIG_EVERY)
            timed[p->timed.n++] = i;
    }
    p->starts_by_event = starts.v;
    p->silence_by_event = silence.v;
    p->rules_by_tag = by_tag.v;
}

/* Whose changes somebody hears of.  Aggregates depend on no tag, so they come before those that may
 * depend on them. */
static void index_watched(struct load *L)
{
    struct program *p = L->p;
    uint32_t *watched = ARENA_ARRAY(L->a, uint32_t, p->n_tags + 1);
    p->watched = (struct index_list){watched, 0};
    for (uint32_t i = 0; i < p->n_tags; i++) {
        const struct tag_def *t = &p->tags[i];
        bool derived = t->kind == TAG_VALUE || t->kind == TAG_LEVELS || t->kind == TAG_STORED;
        if (!derived && (t->public_ || p->rules_by_tag[i].n))
            watched[p->watched.n++] = i;
    }
    for (uint32_t i = 0; i < p->derived.n; i++) {
        uint32_t t = p->derived.v[i];
        if (p->tags[t].public_ || p->tags[t].kind == TAG_LEVELS || p->rules_by_tag[t].n)
            watched[p->watched.n++] = t;
    }
}

static void index_tags(struct load *L)
{
    struct program *p = L->p;
    struct lists by_event = lists_new(L, p->schema->n);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < p->n_tags; i++) {
            const struct tag_def *t = &p->tags[i];
            if (t->kind == TAG_STORED && t->from_event != RULE_NONE)
                lists_add(&by_event, t->from_event, i);
            else if (t->event != RULE_NONE)
                lists_add(&by_event, t->event, i);
            if (t->has_less && t->less_event != t->event)
                lists_add(&by_event, t->less_event, i);
            if (t->has_drop && t->drop_event != t->event)
                lists_add(&by_event, t->drop_event, i);
        }
        if (pass == 0)
            lists_place(L, &by_event);
    }
    p->tags_by_event = by_event.v;
    index_watched(L);
}

static void keep_events(const struct rule_def *r, bool *kept)
{
    for (uint32_t i = 0; i < r->n_cancel; i++)
        kept[r->cancel[i].event] = true;
    for (uint32_t i = 0; i < r->n_code; i++)
        for (uint32_t u = 0; u < r->code[i].n_until; u++)
            kept[r->code[i].until[u].event] = true;
}

static bool old(const struct expr *e)
{
    return e && expr_uses_old(e);
}

static bool rule_uses_old(const struct load *L, const struct rule_def *r)
{
    bool uses = old(r->when) || old(r->key);
    for (uint32_t i = 0; i < r->n_code && !uses; i++) {
        const struct instr *in = &r->code[i];
        uses |= old(in->to);
        for (uint32_t b = 0; b < in->n_branches; b++)
            uses |= old(in->branches[b].when);
        for (uint32_t s = 0; s < in->n_set; s++)
            uses |= old(in->values[s]);
        uint32_t args = in->op == OP_SEND ? L->messages[in->message].n_params : 0;
        for (uint32_t a = 0; a < args; a++)
            uses |= old(in->args[a]);
    }
    return uses;
}

void build_indexes(struct load *L)
{
    struct program *p = L->p;
    index_rules(L);
    index_tags(L);
    bool *kept = ARENA_ARRAY(L->a, bool, p->schema->n + 1);
    for (uint32_t i = 0; i < p->n_rules; i++) {
        keep_events(&p->rules[i], kept);
        p->uses_old |= rule_uses_old(L, &p->rules[i]);
    }
    for (uint32_t i = 0; i < p->n_old_rules; i++)
        keep_events(&p->old_rules[i], kept);
    p->kept_event = kept;
}
