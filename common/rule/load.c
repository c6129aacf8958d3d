/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways into the loader: a directory, or texts in memory.  All errors of all files are reported in
 * one run; only when a file cannot be read as YAML at all does the checking of meaning wait, because
 * everything defined in that file would be missed in the others.
 */
#include "rule_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MAX_CSV_BYTES (16u << 20)
#define MAX_FILES 10000
#define MAX_DIR_DEPTH 16

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

struct file {
    char *path;
    struct srcfile src;
};
struct files {
    struct file *v;
    size_t n, cap;
};

static int read_file(const char *path, size_t max, struct buf *out, struct err *err)
{
    FILE *f = fopen(path, "rbe");
    if (!f)
        return err_set(err, ERR_FATAL, "%s: %s", path, strerror(errno));
    buf_init(out, max + 1);
    char chunk[16384];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, f)) > 0 && !out->over)
        buf_add(out, chunk, got);
    int bad = ferror(f);
    fclose(f);
    if (bad || out->over || out->n > max) {
        buf_free(out);
        return bad ? err_set(err, ERR_FATAL, "%s: cannot be read", path)
                   : err_set(err, ERR_FATAL, "%s: larger than %zu MiB", path, max >> 20);
    }
    return 0;
}

int read_whole(struct load *L, const char *path, size_t max, struct str *out)
{
    struct err err = {0};
    struct buf b;
    if (read_file(path, max, &b, &err)) {
        diags_addf(L->d, "S014", span_none(), (struct str){0}, (struct str){0}, "%s", err.text);
        return -1;
    }
    *out = arena_str(L->a, buf_str(&b));
    buf_free(&b);
    return 0;
}

static bool is_yaml(const char *name)
{
    size_t n = strlen(name);
    return n > 5 && strcmp(name + n - 5, ".yaml") == 0;
}

static void add_file(struct files *fs, const char *path)
{
    if (fs->n == fs->cap) {
        fs->cap = fs->cap ? fs->cap * 2 : 16;
        fs->v = xrealloc(fs->v, fs->cap * sizeof *fs->v);
    }
    fs->v[fs->n++] = (struct file){.path = xstrdup(path)};
}

static int walk(struct files *fs, const char *dir, int depth, struct err *err);

static int walk_entry(struct files *fs, const char *dir, const char *name, int depth,
                      struct err *err)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return err_set(err, ERR_FATAL, "%s/%s: the path is too long", dir, name);
    struct stat st;
    if (stat(path, &st) != 0)
        return err_set(err, ERR_FATAL, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return walk(fs, path, depth + 1, err);
    if (!S_ISREG(st.st_mode) || !is_yaml(name))
        return 0;
    if (fs->n == MAX_FILES)
        return err_set(err, ERR_FATAL, "%s: more than %d files", dir, MAX_FILES);
    add_file(fs, path);
    return 0;
}

static int walk(struct files *fs, const char *dir, int depth, struct err *err)
{
    if (depth > MAX_DIR_DEPTH)
        return err_set(err, ERR_FATAL, "%s: nested too deep", dir);
    DIR *d = opendir(dir);
    if (!d)
        return err_set(err, ERR_FATAL, "%s: %s", dir, strerror(errno));
    int rc = 0;
    struct dirent *e;
    while (rc == 0 && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            rc = walk_entry(fs, dir, e->d_name, depth, err);
    closedir(d);
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

/* A table's file stands beside the file that names it. */
static int csv_beside(struct load *L, struct str table, struct str file, const struct srcfile *at,
                      struct str *out, struct err *err)
{
    (void)table;
    size_t n = at->name.n;
    while (n > 0 && at->name.p[n - 1] != '/')
        n--;
    char path[4096];
    int len = snprintf(path, sizeof path, STR_FMT STR_FMT, (int)n, at->name.p, STR_ARG(file));
    if (len < 0 || len >= (int)sizeof path)
        return err_set(err, ERR_INPUT, "the path is too long");
    struct buf b;
    if (read_file(path, MAX_CSV_BYTES, &b, err))
        return -1;
    *out = arena_str(L->a, buf_str(&b));
    buf_free(&b);
    return 0;
}

/* Parse all files; then, unless one of them could not be read at all, the program. */
static int load_sources(struct load *L, const struct srcfile *files, size_t n)
{
    bool missing = false;
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

static int find_files(const char *dir, struct files *fs, struct err *err)
{
    struct stat st;
    if (stat(dir, &st) != 0)
        return err_set(err, ERR_FATAL, "%s: %s", dir, strerror(errno));
    if (S_ISREG(st.st_mode)) {
        add_file(fs, dir);
        return 0;
    }
    if (walk(fs, dir, 0, err))
        return -1;
    qsort(fs->v, fs->n, sizeof *fs->v, by_path);
    if (fs->n == 0)
        return err_set(err, ERR_FATAL, "%s: no *.yaml files", dir);
    return 0;
}

static int read_all(struct load *L, struct files *fs, struct srcfile **out, struct err *err)
{
    struct srcfile *src = ARENA_ARRAY(L->a, struct srcfile, fs->n);
    for (size_t i = 0; i < fs->n; i++) {
        struct buf b;
        if (read_file(fs->v[i].path, 2 * YAML_MAX_BYTES, &b, err))
            return -1;
        src[i].name = arena_str(L->a, str_c(fs->v[i].path));
        src[i].text = arena_str(L->a, buf_str(&b));
        src[i].order = (uint32_t)i;
        buf_free(&b);
    }
    *out = src;
    return 0;
}

struct program *rule_load_dir(const char *dir, const struct rule_options *o, struct diags *d,
                              struct err *err)
{
    struct files fs = {0};
    struct load L;
    struct srcfile *src = NULL;
    struct program *p = NULL;
    size_t n = strlen(dir);
    char *base = xmemdup0(dir, n > 1 && dir[n - 1] == '/' ? n - 1 : n);
    load_begin(&L, loaded_new(), d, o);
    L.csv = csv_beside;
    if (find_files(base, &fs, err) || read_all(&L, &fs, &src, err)) {
        p = L.p;
        rule_free(&p);
    } else {
        finish(&L, load_sources(&L, src, fs.n), &p);
    }
    for (size_t i = 0; i < fs.n; i++)
        free(fs.v[i].path);
    free(fs.v);
    free(base);
    return p;
}

struct memory {
    const struct str *names, *texts;
    uint32_t n;
};

static int csv_in_memory(struct load *L, struct str table, struct str file,
                         const struct srcfile *at, struct str *out, struct err *err)
{
    (void)table;
    (void)at;
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
