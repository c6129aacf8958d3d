/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fold looks up in a program, made once: names as the hashes that blobs hold, which rules may
 * start, which date rules follow a tag.  Two names that meet in a hash would share state, so such a
 * program is refused here; with 48 and 32 bits nobody will see that message.
 */
#include "life_priv.h"

#include <stdlib.h>

#define FNV_PRIME UINT64_C(0x100000001b3)
#define OLD_RULE UINT32_C(0x80000000)

uint64_t fold_hash(uint64_t h, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (uint8_t)s.p[i]) * FNV_PRIME;
    return h;
}

uint64_t fold_mix(uint64_t h)
{
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 33;
    h *= UINT64_C(0xc4ceb9fe1a85ec53);
    h ^= h >> 33;
    return (uint32_t)h ? h : h | 1;
}

uint32_t id32(struct str name)
{
    return (uint32_t)fold_mix(fold_hash(FOLD_SEED, name));
}

uint64_t id48(struct str name)
{
    return fold_mix(fold_hash(FOLD_SEED, name)) & UINT64_C(0xffffffffffff);
}

uint64_t rule_version(const struct rule_def *r)
{
    return fold_mix(fold_hash(FOLD_SEED, r->hash));
}

static int by_id(const void *a, const void *b)
{
    const struct name_ix *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    if (x->version != y->version)
        return x->version < y->version ? -1 : 1;
    return x->i < y->i ? -1 : x->i > y->i;
}

static const struct name_ix *find(const struct name_ix *v, uint32_t n, uint64_t id,
                                  uint64_t version)
{
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (v[mid].id < id || (v[mid].id == id && v[mid].version < version))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && v[lo].id == id && v[lo].version == version ? &v[lo] : NULL;
}

uint32_t prog_rule(const struct prog_ix *ix, uint64_t id)
{
    const struct name_ix *f = find(ix->rules, ix->p->n_rules, id, 0);
    return f ? f->i : RULE_NONE;
}

const struct rule_def *prog_version(const struct prog_ix *ix, uint64_t id, uint64_t version)
{
    const struct name_ix *f = find(ix->versions, ix->n_versions, id, version);
    if (!f)
        return NULL;
    return f->i & OLD_RULE ? &ix->p->old_rules[f->i & ~OLD_RULE] : &ix->p->rules[f->i];
}

const struct event_def *prog_event(const struct prog_ix *ix, uint32_t id)
{
    const struct name_ix *f = find(ix->events, ix->p->schema->n, id, 0);
    return f ? ix->p->schema->events[f->i] : NULL;
}

uint32_t prog_gateway(const struct prog_ix *ix, uint32_t id)
{
    const struct name_ix *f = find(ix->gateways, ix->p->n_gateways, id, 0);
    return f ? f->i : RULE_NONE;
}

/* ---- making ------------------------------------------------------------------------------------------ */

static int unique(const struct name_ix *v, uint32_t n, const char *what, struct err *err)
{
    for (uint32_t i = 1; i < n; i++)
        if (v[i].id == v[i - 1].id && v[i].version == v[i - 1].version)
            return err_set(err, ERR_FATAL, "two %ss of the program have the same hash: rename one",
                           what);
    return 0;
}

static int make_rules(struct prog_ix *ix, struct err *err)
{
    const struct program *p = ix->p;
    uint32_t n = p->n_rules, all = n + p->n_old_rules;
    struct name_ix *names = ARENA_ARRAY(ix->a, struct name_ix, n);
    struct name_ix *versions = ARENA_ARRAY(ix->a, struct name_ix, all);
    uint64_t *ids = ARENA_ARRAY(ix->a, uint64_t, n);
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = id48(p->rules[i].name);
        names[i] = (struct name_ix){.id = ids[i], .i = i};
    }
    for (uint32_t i = 0; i < all; i++) {
        const struct rule_def *r = i < n ? &p->rules[i] : &p->old_rules[i - n];
        versions[i] = (struct name_ix){
            .id = id48(r->name), .version = rule_version(r), .i = i < n ? i : (i - n) | OLD_RULE};
    }
    if (n)
        qsort(names, n, sizeof *names, by_id);
    if (all)
        qsort(versions, all, sizeof *versions, by_id);
    ix->rule_id = ids;
    ix->rules = names;
    ix->versions = versions;
    ix->n_versions = all;
    return unique(names, n, "rule", err);
}

/* The three fields that every event has besides its own are told apart from declared ones of the
 * same name. */
static uint32_t field_hash(const struct type *t, uint32_t i)
{
    uint64_t h = FOLD_SEED;
    if (i + EVENT_EXTRA >= t->n_fields)
        h = fold_hash(h, STR("\1"));
    return (uint32_t)fold_mix(fold_hash(h, t->fields[i].name));
}

static int make_fields(struct prog_ix *ix, const struct event_def *e, const uint32_t **out,
                       struct err *err)
{
    uint32_t n = e->fields->n_fields, *ids = ARENA_ARRAY(ix->a, uint32_t, n);
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = field_hash(e->fields, i);
        for (uint32_t k = 0; k < i; k++)
            if (ids[k] == ids[i])
                return err_set(err, ERR_FATAL,
                               "two fields of event " STR_FMT " have the same hash: rename one",
                               STR_ARG(e->name));
    }
    *out = ids;
    return 0;
}

static void make_receipt(struct prog_ix *ix, const struct event_def *e)
{
    static const char *const names[] = {"message", "rule", "gateway", "status"};
    ix->receipt = e;
    for (size_t i = 0; i < BASE_LEN(names); i++)
        ix->receipt_field[i] = type_field(e->fields, str_c(names[i]));
}

static int make_events(struct prog_ix *ix, struct err *err)
{
    const struct program *p = ix->p;
    uint32_t n = p->schema->n;
    struct name_ix *names = ARENA_ARRAY(ix->a, struct name_ix, n);
    uint32_t *ids = ARENA_ARRAY(ix->a, uint32_t, n);
    uint64_t *seeds = ARENA_ARRAY(ix->a, uint64_t, n);
    bool *last = ARENA_ARRAY(ix->a, bool, n);
    const uint32_t **fields = ARENA_ARRAY(ix->a, const uint32_t *, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct event_def *e = p->schema->events[i];
        ids[i] = id32(e->name);
        names[i] = (struct name_ix){.id = ids[i], .i = i};
        seeds[i] = fold_hash(fold_hash(FOLD_SEED, e->name), (struct str){"", 1});
        last[i] = (!e->receipt && !e->profile) || p->silence_by_event[i].n > 0;
        if (e->receipt)
            make_receipt(ix, e);
        if (make_fields(ix, e, &fields[i], err) != 0)
            return -1;
    }
    if (n)
        qsort(names, n, sizeof *names, by_id);
    ix->events = names;
    ix->event_id = ids;
    ix->event_seed = seeds;
    ix->counts_last = last;
    ix->field_id = fields;
    return unique(names, n, "event", err);
}

static int make_gateways(struct prog_ix *ix, struct err *err)
{
    const struct program *p = ix->p;
    struct name_ix *names = ARENA_ARRAY(ix->a, struct name_ix, p->n_gateways);
    uint32_t *ids = ARENA_ARRAY(ix->a, uint32_t, p->n_gateways);
    for (uint32_t i = 0; i < p->n_gateways; i++) {
        ids[i] = id32(p->gateways[i].name);
        names[i] = (struct name_ix){.id = ids[i], .i = i};
    }
    if (p->n_gateways)
        qsort(names, p->n_gateways, sizeof *names, by_id);
    ix->gateways = names;
    ix->gateway_id = ids;
    return unique(names, p->n_gateways, "gateway", err);
}

static void make_on(struct prog_ix *ix, const struct test_def *test)
{
    const struct program *p = ix->p;
    bool *on = ARENA_ARRAY(ix->a, bool, p->n_rules);
    ix->late_ms = p->policy.late_ms;
    for (uint32_t i = 0; i < p->n_rules; i++) {
        on[i] = p->rules[i].mode != MODE_OFF && (!test || test->n_rules == 0);
        if (p->rules[i].late_ms > ix->late_ms)
            ix->late_ms = p->rules[i].late_ms;
    }
    for (uint32_t i = 0; test && i < test->n_rules; i++)
        on[test->rules[i]] = p->rules[test->rules[i]].mode != MODE_OFF;
    ix->rule_on = on;
}

static bool moves_with_events(const struct tag_def *t)
{
    return t->kind != TAG_STORED && t->kind != TAG_LEVELS; /* values rest on what does */
}

static void make_dates(struct prog_ix *ix)
{
    const struct program *p = ix->p;
    struct index_list *by = ARENA_ARRAY(ix->a, struct index_list, p->n_tags);
    uint32_t *v = ARENA_ARRAY(ix->a, uint32_t, p->timed.n + 1), *moved, n = 0;
    for (uint32_t tag = 0; tag < p->n_tags; tag++) {
        by[tag].v = v;
        for (uint32_t i = 0; i < p->timed.n; i++) {
            const struct trigger *t = &p->rules[p->timed.v[i]].trigger;
            if (t->kind == TRIG_DATE && t->date == DATE_TAG && t->tag == tag)
                v[by[tag].n++] = p->timed.v[i];
        }
        v += by[tag].n;
    }
    moved = ARENA_ARRAY(ix->a, uint32_t, p->timed.n + 1);
    for (uint32_t tag = 0; tag < p->n_tags; tag++)
        for (uint32_t i = 0; moves_with_events(&p->tags[tag]) && i < by[tag].n; i++)
            moved[n++] = by[tag].v[i];
    ix->date_by_tag = by;
    ix->date_moved = (struct index_list){moved, n};
}

struct prog_ix *prog_new(const struct program *p, const struct test_def *test, struct err *err)
{
    struct prog_ix *ix = xcalloc(1, sizeof *ix);
    ix->p = p;
    ix->a = arena_new(0);
    make_on(ix, test);
    make_dates(ix);
    if (make_rules(ix, err) != 0 || make_events(ix, err) != 0 || make_gateways(ix, err) != 0)
        prog_free(&ix);
    return ix;
}

void prog_free(struct prog_ix **ix)
{
    if (!*ix)
        return;
    arena_free(&(*ix)->a);
    free(*ix);
    *ix = NULL;
}
