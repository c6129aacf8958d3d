/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways into the loader: a directory, or texts in memory.  All errors of all files are reported in
 * one run; only when a file cannot be read as YAML at all does the checking of meaning wait, because
 * everything defined in that file would be missed in the others.
 */
#include "rule_priv.h"

#include <stdlib.h>

struct loaded *loaded_new(void)
{
    struct arena *a = arena_new(0);
    struct loaded *l = ARENA_NEW(a, struct loaded);
    l->a = a;
    l->p.level = RULE_LEVEL;
    l->p.policy.quiet_from = l->p.policy.quiet_to = -1;
    return l;
}

void rule_free(struct program **p)
{
    if (!*p)
        return;
    struct loaded *l = (struct loaded *)*p;
    for (int s = 0; s < N_SECTIONS; s++)
        map_free(&l->items[s].names);
    map_free(&l->versions);
    struct arena *a = l->a;
    arena_free(&a);
    *p = NULL;
}

void load_begin(struct load *L, struct loaded *l, struct diags *d, const struct rule_options *o)
{
    static const struct rule_options none = {0};
    *L = (struct load){.a = l->a, .d = d, .l = l, .p = &l->p, .o = o ? o : &none};
    L->items = l->items;
}

int load_program(struct load *L)
{
    items_sort(L);
    load_zone(L);
    load_events(L);
    load_tables(L);
    load_gateways(L);
    load_tags(L);
    load_fans(L);
    check_gateways(L);
    load_messages(L);
    load_policy(L);
    load_rules(L);
    if (L->load_olds && diags_errors(L->d) == 0)
        L->load_olds(L->olds);
    if (diags_errors(L->d) == 0)
        build_indexes(L);
    if (L->o->tests)
        load_tests(L);
    if (diags_errors(L->d) == 0 && !L->bundle)
        lint(L);
    return diags_errors(L->d) ? -1 : 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* A table's file stands beside the file that names it. */
static int csv_beside(struct load *L, struct str table, struct str path, struct str *out,
                      struct err *err)
{
    struct err why = {0};
    (void)table;
    if (file_read(L->a, arena_str(L->a, path).p, TABLE_MAX_BYTES, out, &why) == FILE_READ)
        return 0;
    return err_set(err, ERR_INPUT, STR_FMT ": %s", STR_ARG(path), why.text);
}

/* Parse all files; then, unless one of them could not be read at all, the program. */
static int load_sources(struct load *L, const struct srcfile *files, size_t n)
{
    bool missing = L->unread;
    for (size_t i = 0; i < n; i++) {
        const struct yaml_node *root;
        yaml_parse(L->a, &files[i], L->d, &root);
        if (root)
            gather(L, root);
        else
            missing = true;
    }
    return missing ? -1 : load_program(L);
}

static int finish(struct load *L, int rc, struct program **out)
{
    diags_own(L->d); /* messages outlive the program */
    struct program *p = L->p;
    if (rc || diags_errors(L->d))
        rule_free(&p);
    *out = p;
    return p ? 0 : -1;
}

struct program *rule_load_paths(const char *const *paths, size_t n, const struct rule_options *o,
                                struct diags *d, struct err *err)
{
    struct load L;
    struct srcfile *src = NULL;
    struct program *p = NULL;
    size_t n_src = 0;
    load_begin(&L, loaded_new(), d, o);
    L.csv = csv_beside;
    if (files_read(&L, paths, n, &src, &n_src, err) == 0) {
        finish(&L, load_sources(&L, src, n_src), &p);
    } else {
        diags_own(d);
        p = L.p;
        rule_free(&p);
    }
    return p;
}

struct program *rule_load_dir(const char *dir, const struct rule_options *o, struct diags *d,
                              struct err *err)
{
    return rule_load_paths(&dir, 1, o, d, err);
}

struct memory {
    const struct str *names, *texts;
    uint32_t n;
};

static int csv_in_memory(struct load *L, struct str table, struct str file, struct str *out,
                         struct err *err)
{
    (void)table;
    const struct memory *m = L->csv_arg;
    for (uint32_t i = 0; i < m->n; i++) {
        if (str_eq(m->names[i], file)) {
            *out = arena_str(L->a, m->texts[i]);
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, STR_FMT ": there is no such file", STR_ARG(file));
}

struct program *rule_load_texts(const struct str *names, const struct str *texts, uint32_t n,
                                const struct rule_options *o, struct diags *d)
{
    struct load L;
    struct memory m = {names, texts, n};
    load_begin(&L, loaded_new(), d, o);
    L.csv = csv_in_memory;
    L.csv_arg = &m;
    struct srcfile *src = ARENA_ARRAY(L.a, struct srcfile, n + 1);
    size_t k = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (names[i].n > 4 && memcmp(names[i].p + names[i].n - 4, ".csv", 4) == 0)
            continue;
        src[k] = (struct srcfile){.name = arena_str(L.a, names[i]),
                                  .text = arena_str(L.a, texts[i]),
                                  .order = (uint32_t)k};
        k++;
    }
    struct program *p;
    finish(&L, load_sources(&L, src, k), &p);
    return p;
}

/* ---- looking things up ----------------------------------------------------------------------- */

uint32_t program_rule(const struct program *p, struct str name)
{
    uint32_t lo = 0, hi = p->n_rules;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(p->rules[mid].name, name);
        if (c == 0)
            return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return RULE_NONE;
}

uint32_t program_tag(const struct program *p, struct str name)
{
    uint32_t lo = 0, hi = p->n_tags;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(p->tags[mid].name, name);
        if (c == 0)
            return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return RULE_NONE;
}

const struct rule_def *program_version(const struct program *p, struct str name, struct str hash)
{
    uint32_t i = program_rule(p, name);
    if (i != RULE_NONE && str_eq(p->rules[i].hash, hash))
        return &p->rules[i];
    const struct loaded *l = (const struct loaded *)p;
    char key[128];
    if (!l->versions || name.n + 1 + hash.n > sizeof key)
        return NULL;
    memcpy(key, name.p, name.n);
    key[name.n] = 0;
    memcpy(key + name.n + 1, hash.p, hash.n);
    return map_get(l->versions, (struct str){key, name.n + 1 + hash.n});
}
