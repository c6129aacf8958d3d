/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seven sections of all files as seven lists of named items.  File boundaries mean nothing; a
 * name is unique in its section across files.
 */
#include "rule_priv.h"

#include <stdlib.h>

const char *const section_names[N_SECTIONS] = {"events", "tables", "tags", "messages",
                                               "policy", "rules",  "tests"};

void items_add(struct load *L, enum section s, struct item it)
{
    struct items *t = &L->items[s];
    if (!t->names)
        t->names = map_new(false);
    void *seen = map_get(t->names, it.name);
    if (seen) {
        const struct item *first = &t->v[(uintptr_t)seen - 1];
        int line, col;
        if (diags_errors(L->d) > MOST_ADVICE) /* each costs a walk through the file */
            return;
        srcfile_pos(first->name_at.file, first->name_at.start, &line, &col);
        struct str label = str_c(arena_printf(L->a, "first given at " STR_FMT ":%d",
                                              STR_ARG(first->name_at.file->name), line));
        diags_addf(L->d, "S006", it.name_at, label, (struct str){0},
                   "`" STR_FMT "` is defined twice in `%s`", STR_ARG(it.name), section_names[s]);
        return;
    }
    if (t->n == t->cap) {
        uint32_t cap = t->cap ? t->cap * 2 : 32;
        struct item *v = ARENA_ARRAY(L->a, struct item, cap);
        if (t->n)
            memcpy(v, t->v, t->n * sizeof *v);
        t->v = v;
        t->cap = cap;
    }
    t->v[t->n++] = it;
    map_put(t->names, it.name, (void *)(uintptr_t)t->n);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

/* Everything but tests is in name order, so that the program does not depend on file boundaries. */
void items_sort(struct load *L)
{
    for (int s = 0; s < N_SECTIONS; s++) {
        struct items *t = &L->items[s];
        if (t->n == 0 || s == SEC_TESTS)
            continue;
        qsort(t->v, t->n, sizeof *t->v, by_name);
        map_clear(t->names);
        for (uint32_t i = 0; i < t->n; i++)
            map_put(t->names, t->v[i].name, (void *)(uintptr_t)(i + 1));
    }
}

const struct item *items_get(const struct items *t, struct str name)
{
    void *at = t->names ? map_get(t->names, name) : NULL;
    return at ? &t->v[(uintptr_t)at - 1] : NULL;
}

static void gather_section(struct load *L, enum section s, const struct yaml_node *n)
{
    if (yaml_is_null(n))
        return;
    if (!want_map(L, n, arena_printf(L->a, "`%s`", section_names[s])))
        return;
    for (uint32_t i = 0; i < n->n; i++) {
        const struct yaml_pair *p = &n->pairs[i];
        if (s != SEC_POLICY && !is_name(p->key)) {
            diags_addf(L->d, "S005", p->key_at,
                       p->key.n > 64
                           ? STR("a name has 64 characters at most")
                           : STR("use lower-case letters, digits and _, beginning with a letter"),
                       (struct str){0}, "`" STR_FMT "` cannot be a name", STR_ARG(p->key));
            continue;
        }
        items_add(L, s, (struct item){p->key, p->key_at, p->value});
    }
}

void gather(struct load *L, const struct yaml_node *root)
{
    if (yaml_is_null(root) || !want_map(L, root, "a file of rules"))
        return;
    for (uint32_t i = 0; i < root->n; i++) {
        const struct yaml_pair *p = &root->pairs[i];
        int s = 0;
        while (s < N_SECTIONS && !str_eqc(p->key, section_names[s]))
            s++;
        if (s < N_SECTIONS) {
            gather_section(L, (enum section)s, p->value);
            continue;
        }
        struct str names[N_SECTIONS];
        for (int k = 0; k < N_SECTIONS; k++)
            names[k] = str_c(section_names[k]);
        unknown(L, "S001", p->key_at, "section", p->key, names, N_SECTIONS, "sections");
    }
}
