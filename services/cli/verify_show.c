/* SPDX-License-Identifier: Apache-2.0 */
/* The run as people read it: messages by rule and gateway, withheld by reason, one member's story. */
#include "verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct row {
    struct str key;
    uint64_t n;
};
struct table {
    struct map *map;
    struct arena *arena;
};

static void add(struct table *t, const char *key)
{
    struct row *r = map_get(t->map, str_c(key));
    if (!r) {
        r = ARENA_NEW(t->arena, struct row);
        r->key = str_c(arena_strdup(t->arena, key));
        map_put(t->map, r->key, r);
    }
    r->n++;
}

static int by_key(const void *a, const void *b)
{
    return str_cmp((*(struct row *const *)a)->key, (*(struct row *const *)b)->key);
}

static void print_table(const struct table *t, const char *title)
{
    size_t n = 0, it = 0;
    void *v;
    struct row **rows = xcalloc(map_len(t->map) + 1, sizeof(struct row *));
    while (map_next(t->map, &it, NULL, &v))
        rows[n++] = v;
    qsort(rows, n, sizeof(struct row *), by_key);
    (void)printf("%s\n", title);
    for (size_t i = 0; i < n; i++)
        (void)printf("  %8" PRIu64 "  " STR_FMT "\n", rows[i]->n, STR_ARG(rows[i]->key));
    if (n == 0)
        (void)puts("         0");
    free(rows);
}

/* Calls fn for every decision, decoded. */
typedef void each_fn(void *arg, const struct decision *d, const struct verdict *v);
static void each(const struct verify *v, each_fn *fn, void *arg)
{
    struct arena *a = arena_new(0);
    for (uint32_t p = 0; p < v->g->partitions; p++)
        for (size_t i = 0; i < v->parts[p].n; i++) {
            struct decision d;
            struct err err = {0};
            arena_reset(a);
            if (decision_read(v->parts[p].v[i].json, a, &d, &err) == 0)
                fn(arg, &d, &v->parts[p].v[i]);
        }
    arena_free(&a);
}

/* ---- summary ---- */

struct summary {
    struct table sent, withheld;
};

static void sum(void *arg, const struct decision *d, const struct verdict *v)
{
    struct summary *s = arg;
    char key[512];
    if (d->kind == DEC_SEND) {
        (void)snprintf(key, sizeof key, STR_FMT "  " STR_FMT " via " STR_FMT "  %s",
                       STR_ARG(d->rule), STR_ARG(d->message), STR_ARG(d->gateway),
                       fate_name(v->fate));
        add(&s->sent, key);
    } else if (d->kind == DEC_WITHHOLD) {
        (void)snprintf(key, sizeof key, STR_FMT "  " STR_FMT, STR_ARG(d->reason), STR_ARG(d->rule));
        add(&s->withheld, key);
    }
}

void verify_summary(const struct verify *v)
{
    struct summary s = {{map_new(false), v->arena}, {map_new(false), v->arena}};
    each(v, sum, &s);
    print_table(&s.sent, "messages by rule and gateway");
    print_table(&s.withheld, "withheld by reason and rule");
    map_free(&s.sent.map);
    map_free(&s.withheld.map);
}

/* ---- story ---- */

struct story {
    const struct verify *v;
    const struct program *program;
    struct str member;
    struct table rules; /* member -> different rules that sent to him */
    struct table sends; /* member -> sends */
    struct map *pairs;
};

static void tell(void *arg, const struct decision *d, const struct verdict *v)
{
    static const char *const kinds[] = {"send", "withhold", "convert"};
    const struct story *s = arg;
    char at[40];
    if (!str_eq(d->member, s->member))
        return;
    if (s->program)
        (void)time_format_local(s->program->tz, d->at_ms, at);
    else
        (void)time_format_ms(d->at_ms, at);
    (void)printf("  %s  %-8s " STR_FMT, at, kinds[d->kind], STR_ARG(d->rule));
    if (d->kind == DEC_SEND)
        (void)printf(": " STR_FMT " via " STR_FMT " (%s)", STR_ARG(d->message), STR_ARG(d->gateway),
                     fate_name(v->fate));
    else if (d->kind == DEC_WITHHOLD)
        (void)printf(": " STR_FMT " because " STR_FMT, STR_ARG(d->message), STR_ARG(d->reason));
    (void)putchar('\n');
}

static void weigh(void *arg, const struct decision *d, const struct verdict *v)
{
    struct story *s = arg;
    char key[1024];
    static char there;
    (void)v;
    if (d->kind != DEC_SEND)
        return;
    int n = snprintf(key, sizeof key, STR_FMT "\n" STR_FMT, STR_ARG(d->member), STR_ARG(d->rule));
    struct str pair = {key, (size_t)n};
    bool again = map_get(s->pairs, pair) != NULL;
    if (!again)
        map_put(s->pairs, pair, &there);
    key[d->member.n] = '\0';
    add(&s->sends, key);
    if (!again)
        add(&s->rules, key);
}

/* The member whom most rules reached, with as few messages as possible. */
static struct str most_telling(const struct story *s)
{
    struct str best = {"", 0};
    uint64_t most = 0, fewest = UINT64_MAX;
    size_t it = 0;
    void *p;
    while (map_next(s->rules.map, &it, NULL, &p)) {
        const struct row *r = p, *n = map_get(s->sends.map, r->key);
        if (r->n < most || (r->n == most && n->n > fewest) ||
            (r->n == most && n->n == fewest && str_cmp(r->key, best) > 0))
            continue;
        best = r->key;
        most = r->n;
        fewest = n->n;
    }
    return best;
}

void verify_story(const struct verify *v, const char *member)
{
    uint64_t n;
    struct err err = {0};
    struct story s = {.v = v,
                      .member = str_c(member),
                      .rules = {map_new(false), v->arena},
                      .sends = {map_new(false), v->arena},
                      .pairs = map_new(true)};
    const struct active *now = control_active(v->ctl, &n);
    if (now && control_program(v->ctl, str_c(now->hash), &s.program, &err) != 1)
        s.program = NULL;
    if (strcmp(member, "auto") == 0) {
        each(v, weigh, &s);
        s.member = most_telling(&s);
    }
    (void)printf("the story of member " STR_FMT "\n", STR_ARG(s.member));
    each(v, tell, &s);
    map_free(&s.rules.map);
    map_free(&s.sends.map);
    map_free(&s.pairs);
}
