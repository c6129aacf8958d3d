/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `tables:` section: CSV files and lists as constant values for expressions.  CSV as RFC 4180
 * has it: a header line, fields in double quotes where they need it.  A table is part of the bundle.
 */
#include "rule_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_ROWS 200000
#define MAX_LIST 100000
#define MAX_BAD_ROWS 10 /* reported of a table */

enum { K_FILE, K_KEY, K_FIELDS, K_LIST, N_KEYS };
static const struct key_def table_keys[] = {
    [K_FILE] = {"file", false, NULL, "text", "a CSV file beside this one", "同目录下的 CSV 文件"},
    [K_KEY] = {"key", false, NULL, "text", "the column by which a row is found", "按哪一列查"},
    [K_FIELDS] = {"fields", false, NULL, "fields", "the columns and their types",
                  "有哪些列、什么类型"},
    [K_LIST] = {"list", false, NULL, "texts", "instead of a file: a list of words",
                "不用文件：直接列出一串词"},
};
const struct key_table table_table = {"table", table_keys, BASE_LEN(table_keys), "a table",
                                      "一张表"};

struct row {
    struct val key;
    struct val *cells;
    struct span at;
};
struct csv {
    struct load *L;
    struct srcfile *file;
    size_t i;
    struct str table;
    const struct type *key_type;
    const struct type *record;
    uint32_t key_col, *cols; /* where the key and each field stand */
    uint32_t n_cols;         /* of the header */
    struct row *rows;
    uint32_t n, cap;
};

/* ---- reading cells --------------------------------------------------------------------------- */

static void bad_csv(struct csv *c, size_t from, size_t to, const char *text)
{
    struct span at = {c->file, (uint32_t)from, (uint32_t)to};
    diags_addf(c->L->d, "T010", at, (struct str){0}, (struct str){0}, "%s", text);
}

static bool quoted_cell(struct csv *c, struct str *out)
{
    struct str t = c->file->text;
    size_t from = c->i++, w = 0;
    char *s = arena_alloc(c->L->a, 1);
    size_t end = c->i;
    while (end < t.n && !(t.p[end] == '"' && !(end + 1 < t.n && t.p[end + 1] == '"')))
        end += t.p[end] == '"' ? 2 : 1;
    if (end >= t.n) {
        bad_csv(c, from, from + 1, "the closing quote is missing");
        return false;
    }
    s = arena_alloc(c->L->a, end - c->i + 1);
    for (; c->i < end; c->i++) {
        s[w++] = t.p[c->i];
        c->i += t.p[c->i] == '"';
    }
    s[w] = 0;
    *out = (struct str){s, w};
    c->i = end + 1;
    if (c->i < t.n && !strchr(",\r\n", t.p[c->i])) {
        bad_csv(c, c->i, c->i + 1, "text after a closing quote");
        return false;
    }
    return true;
}

/* One line's cells into `cells` (at most max): their number, -1 = reported. *at: the line. */
static int read_line(struct csv *c, struct str *cells, uint32_t max, struct span *at)
{
    struct str t = c->file->text;
    uint32_t n = 0;
    size_t from = c->i;
    for (;;) {
        struct str cell;
        size_t begin = c->i;
        if (c->i < t.n && t.p[c->i] == '"') {
            if (!quoted_cell(c, &cell))
                return -1;
        } else {
            while (c->i < t.n && !strchr(",\r\n", t.p[c->i]))
                c->i++;
            cell = (struct str){t.p + begin, c->i - begin};
        }
        if (n < max)
            cells[n] = cell;
        n++;
        if (c->i < t.n && t.p[c->i] == ',') {
            c->i++;
            continue;
        }
        break;
    }
    *at = (struct span){c->file, (uint32_t)from, (uint32_t)c->i};
    if (c->i < t.n && t.p[c->i] == '\r')
        c->i++;
    if (c->i < t.n && t.p[c->i] == '\n')
        c->i++;
    return (int)n;
}

static bool find_columns(struct csv *c, struct str key)
{
    struct str names[256];
    struct span at;
    int n = read_line(c, names, BASE_LEN(names), &at);
    if (n < 0)
        return false;
    if (n > (int)BASE_LEN(names)) {
        bad_csv(c, at.start, at.end, "more than 256 columns");
        return false;
    }
    c->n_cols = (uint32_t)n;
    bool ok = true;
    for (uint32_t f = 0; f <= c->record->n_fields; f++) {
        struct str want = f < c->record->n_fields ? c->record->fields[f].name : key;
        uint32_t k = 0;
        while (k < c->n_cols && !str_eq(names[k], want))
            k++;
        if (k == c->n_cols) {
            unknown(c->L, "T011", at, "column", want, names, (size_t)n, "columns");
            ok = false;
        }
        *(f < c->record->n_fields ? &c->cols[f] : &c->key_col) = k;
    }
    return ok;
}

/* A cell as a value; absent when empty. */
static bool cell_value(struct csv *c, struct str cell, const struct field *f, struct span at,
                       struct val *out)
{
    *out = (struct val){0};
    if (cell.n == 0 && f->optional)
        return true;
    if (cell.n > 0 && text_value(c->L, cell, f->type, out))
        return true;
    if (cell.n == 0)
        diags_addf(c->L->d, "T012", at, STR("write `?` after its type if it may be empty"),
                   (struct str){0}, "column `" STR_FMT "` is empty", STR_ARG(f->name));
    else
        diags_addf(c->L->d, "T012", at, (struct str){0}, (struct str){0},
                   "column `" STR_FMT "`: `" STR_FMT "` is not a value of type %s",
                   STR_ARG(f->name), STR_ARG(cell), type_word(f->type));
    return false;
}

static bool read_row(struct csv *c)
{
    struct str cells[256];
    struct span at;
    int n = read_line(c, cells, BASE_LEN(cells), &at);
    if (n < 0)
        return false;
    if (n == 1 && cells[0].n == 0)
        return true; /* an empty line */
    if ((uint32_t)n != c->n_cols) {
        bad_csv(c, at.start, at.end,
                arena_printf(c->L->a, "%d cells, the header has %u", n, c->n_cols));
        return false;
    }
    if (c->n == MAX_ROWS) {
        bad_csv(c, at.start, at.end, "more than 200,000 rows");
        return false;
    }
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 64;
        c->rows = xrealloc(c->rows, c->cap * sizeof *c->rows);
    }
    struct row *r = &c->rows[c->n++];
    *r = (struct row){.at = at, .cells = ARENA_ARRAY(c->L->a, struct val, c->record->n_fields + 1)};
    struct field key = {.name = STR("key"), .type = c->key_type};
    bool ok = cell_value(c, cells[c->key_col], &key, at, &r->key);
    for (uint32_t f = 0; f < c->record->n_fields; f++)
        ok &= cell_value(c, cells[c->cols[f]], &c->record->fields[f], at, &r->cells[f]);
    return ok;
}

static int by_key(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->key.t == V_INT)
        return x->key.i < y->key.i ? -1 : x->key.i > y->key.i;
    return str_cmp(val_get_str(x->key), val_get_str(y->key));
}

static void check_keys(struct csv *c)
{
    uint32_t bad = 0;
    for (uint32_t i = 1; i < c->n && bad < MAX_BAD_ROWS; i++) {
        if (by_key(&c->rows[i - 1], &c->rows[i]) != 0)
            continue;
        const struct row *a = &c->rows[i - 1], *b = &c->rows[i];
        if (a->at.start > b->at.start) {
            a = b;
            b = &c->rows[i - 1];
        }
        bad++;
        int line, col;
        srcfile_pos(c->file, a->at.start, &line, &col);
        struct str label = str_c(arena_printf(c->L->a, "first given at line %d", line));
        if (b->key.t == V_INT)
            diags_addf(c->L->d, "T013", b->at, label, (struct str){0}, "duplicate key `%lld`",
                       (long long)b->key.i);
        else
            diags_addf(c->L->d, "T013", b->at, label, (struct str){0},
                       "duplicate key `" STR_FMT "`", STR_ARG(val_get_str(b->key)));
    }
}

static void make_map(struct csv *c, struct expr_table *out)
{
    struct val *v = ARENA_ARRAY(c->L->a, struct val, 2 * (size_t)c->n + 1);
    for (uint32_t i = 0; i < c->n; i++) {
        v[2 * i] = c->rows[i].key;
        v[2 * i + 1] =
            (struct val){.t = V_RECORD, .n = c->record->n_fields, .list = c->rows[i].cells};
    }
    struct type *t = ARENA_NEW(c->L->a, struct type);
    *t = (struct type){
        .kind = TYPE_MAP, .key = c->key_type, .elem = c->record, .max = c->n ? c->n : 1};
    out->type = t;
    out->value = (struct val){.t = V_MAP, .n = c->n, .list = v};
}

static void read_csv(struct csv *c, struct str key, struct expr_table *out)
{
    struct str t = c->file->text;
    if (!utf8_valid(t) || (t.n && memchr(t.p, 0, t.n))) {
        bad_csv(c, 0, 0, "not UTF-8 text");
        return;
    }
    c->i = str_starts(t, "\xef\xbb\xbf") ? 3 : 0;
    size_t before = diags_errors(c->L->d);
    bool ok = find_columns(c, key);
    while (ok && c->i < t.n && diags_errors(c->L->d) < before + MAX_BAD_ROWS)
        ok = read_row(c) || diags_errors(c->L->d) > before;
    if (diags_errors(c->L->d) > before)
        return;
    if (c->n)
        qsort(c->rows, c->n, sizeof *c->rows, by_key);
    check_keys(c);
    make_map(c, out);
}

/* ---- the section ----------------------------------------------------------------------------- */

static bool load_fields(struct load *L, const struct yaml_node *n, struct str key, struct csv *c)
{
    struct field_type ft = {0};
    if (!want_map(L, n, "`fields`") || !read_type(L, n, "`fields`", &ft))
        return false;
    c->record = ft.type;
    c->cols = ARENA_ARRAY(L->a, uint32_t, ft.type->n_fields + 1);
    c->key_type = &type_string;
    if (ft.type->kind != TYPE_RECORD) {
        diags_addf(L->d, "T014", n->at, (struct str){0}, (struct str){0},
                   "`fields` names the columns and their types");
        return false;
    }
    int k = type_field(ft.type, key);
    if (k >= 0)
        c->key_type = ft.type->fields[k].type;
    if (c->key_type->kind == TYPE_STRING || c->key_type->kind == TYPE_INT)
        return true;
    diags_addf(L->d, "T014", n->at, (struct str){0}, (struct str){0},
               "the key of a table is a string or an int");
    return false;
}

static void keep_csv(struct load *L, struct str table, struct str text)
{
    struct loaded *l = L->l;
    struct csv_text *v = ARENA_ARRAY(L->a, struct csv_text, l->n_csvs + 1);
    if (l->n_csvs)
        memcpy(v, l->csvs, l->n_csvs * sizeof *v);
    v[l->n_csvs++] = (struct csv_text){table, text};
    l->csvs = v;
}

/* A bundle has no files, and its tables' names stand in no directory. */
static struct str beside(struct load *L, const struct srcfile *at, struct str file)
{
    size_t n = at->name.n;
    while (n > 0 && at->name.p[n - 1] != '/')
        n--;
    return str_c(arena_printf(L->a, STR_FMT STR_FMT, (int)n, at->name.p, STR_ARG(file)));
}

static void load_file(struct load *L, const struct item *it, const struct yaml_node **k,
                      uint32_t number, struct expr_table *out)
{
    struct str file, key;
    struct csv c = {.L = L, .table = it->name};
    if (!k[K_KEY] || !k[K_FIELDS]) {
        diags_addf(L->d, "S004", it->name_at, (struct str){0}, (struct str){0},
                   "table `" STR_FMT "` needs `key:` and `fields:`", STR_ARG(it->name));
        return;
    }
    if (!want_text(L, k[K_FILE], "`file`", &file) || !want_text(L, k[K_KEY], "`key`", &key) ||
        !load_fields(L, k[K_FIELDS], key, &c))
        return;
    if (file.n == 0 || file.p[0] == '/' || memmem(file.p, file.n, "..", 2)) {
        diags_addf(L->d, "T015", k[K_FILE]->at, STR("a name beside this file"), (struct str){0},
                   "a table's file stands in the directory of the rules");
        return;
    }
    struct err err = {0};
    struct str text;
    struct str path = beside(L, k[K_FILE]->at.file, file);
    if (L->csv(L, it->name, path, &text, &err)) {
        diags_addf(L->d, "T015", k[K_FILE]->at, (struct str){0}, (struct str){0}, "%s", err.text);
        return;
    }
    keep_csv(L, it->name, text);
    c.file = ARENA_NEW(L->a, struct srcfile);
    *c.file = (struct srcfile){.name = path, .text = text, .order = FIRST_TABLE_FILE + number};
    read_csv(&c, key, out);
    free(c.rows);
}

static void load_list(struct load *L, const struct yaml_node *n, struct expr_table *out)
{
    if (!want_list(L, n, "`list`"))
        return;
    if (n->n == 0 || n->n > MAX_LIST) {
        diags_addf(L->d, "T014", n->at, (struct str){0}, (struct str){0},
                   "a list has from 1 to 100,000 words");
        return;
    }
    struct val *v = ARENA_ARRAY(L->a, struct val, n->n + 1);
    for (uint32_t i = 0; i < n->n; i++) {
        struct str s;
        if (!want_text(L, n->items[i], "a word of the list", &s))
            return;
        v[i] = val_str(s);
    }
    out->type = type_list_of(L, &type_string, n->n);
    out->value = (struct val){.t = V_LIST, .n = n->n, .list = v};
}

static void load_table(struct load *L, uint32_t number, struct expr_table *out)
{
    const struct item *it = &L->items[SEC_TABLES].v[number];
    static const char *const variables[] = {"event", "next", "member", "old", "now", "tz", NULL};
    const struct yaml_node *k[N_KEYS];
    for (size_t i = 0; variables[i]; i++)
        if (str_eqc(it->name, variables[i]))
            diags_addf(L->d, "S005", it->name_at, STR("give it another name"), (struct str){0},
                       "`" STR_FMT "` has a meaning of its own in expressions", STR_ARG(it->name));
    if (!read_keys(L, it->node, (struct where){"table", it->name}, table_keys, N_KEYS, NULL, 0, k))
        return;
    if (k[K_FILE] && !k[K_LIST])
        load_file(L, it, k, number, out);
    else if (k[K_LIST] && !k[K_FILE] && !k[K_KEY] && !k[K_FIELDS])
        load_list(L, k[K_LIST], out);
    else
        diags_addf(L->d, "T014", it->name_at, STR("{file, key, fields} or {list: […]}"),
                   (struct str){0}, "table `" STR_FMT "` is either a file or a list",
                   STR_ARG(it->name));
}

void load_tables(struct load *L)
{
    const struct items *t = &L->items[SEC_TABLES];
    struct expr_table *tables = ARENA_ARRAY(L->a, struct expr_table, t->n + 1);
    struct str *names = ARENA_ARRAY(L->a, struct str, t->n + 1);
    L->table_names = names;
    L->p->tables = tables;
    for (uint32_t i = 0; i < t->n; i++) {
        names[i] = t->v[i].name;
        tables[i] = (struct expr_table){.name = names[i], .type = &type_error};
    }
    L->p->n_tables = t->n;
    for (uint32_t i = 0; i < t->n; i++)
        load_table(L, i, &tables[i]);
}
