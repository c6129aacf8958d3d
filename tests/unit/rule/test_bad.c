/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with rule files is said exactly as the cases under tests/cases/bad have it: codes,
 * places, underlines and advice.
 *
 *   NAME.yaml  loaded beside the example shop (NAME `tests*`: and the example rules) -> NAME.expected
 *   NAME.make  the same, of a file too large to keep: a line `N*TEXT` stands for N times TEXT
 *   NAME/      a directory of its own, loaded alone; .gateways in it is --gateways -> NAME/expected
 *
 * Every code of the table has a case that produces it, and every case stays within the table.  With
 * ROUSE_UPDATE=1 the expected files are written anew: read the difference.
 */
#include "rule.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BAD ROUSE_SOURCE "/tests/cases/bad/"
#define FORMATS ROUSE_SOURCE "/tests/cases/formats/"
#define DESIGN ROUSE_SOURCE "/../shared/design/"
#define EXAMPLES ROUSE_SOURCE "/tests/cases/examples/"

static struct str slurp(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s cannot be read", path);
    struct buf b;
    buf_init(&b, 4 << 20);
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_add(&b, chunk, n);
    fclose(f);
    struct str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return s;
}

static bool ends_in(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && strcmp(s + n - k, end) == 0;
}

/* ---- one case -------------------------------------------------------------------------------- */

/* N*TEXT lines of a recipe, written out. */
static struct str make(struct arena *a, struct str recipe)
{
    struct buf b;
    buf_init(&b, 4 << 20);
    while (recipe.n) {
        const char *nl = memchr(recipe.p, '\n', recipe.n);
        struct str line = {recipe.p, nl ? (size_t)(nl - recipe.p) : recipe.n};
        char *star;
        long times = strtol(line.p, &star, 10);
        if (star > line.p && *star == '*' && star < line.p + line.n) {
            struct str text = {star + 1, (size_t)(line.p + line.n - star - 1)};
            for (long i = 0; i < times; i++)
                buf_addstr(&b, text);
        } else {
            buf_addstr(&b, line);
            buf_addc(&b, '\n');
        }
        size_t took = line.n + (nl != NULL);
        recipe = (struct str){recipe.p + took, recipe.n - took};
    }
    struct str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return s;
}

static struct program *load_file(struct arena *a, const char *name, struct diags *d)
{
    static const char *const csvs[] = {"bad.csv", "dup.csv", "quote.csv"};
    struct str names[8], texts[8];
    uint32_t n = 0;
    for (; n < BASE_LEN(csvs); n++) {
        names[n] = str_c(csvs[n]);
        texts[n] = slurp(a, arena_printf(a, BAD "%s", csvs[n]));
    }
    names[n] = STR("shop.yaml");
    texts[n++] = slurp(a, EXAMPLES "shop.yaml");
    if (strncmp(name, "tests", 5) == 0) {
        names[n] = STR("rules.yaml");
        texts[n++] = slurp(a, EXAMPLES "rules.yaml");
    }
    names[n] = str_c(name);
    texts[n] = slurp(a, arena_printf(a, BAD "%s", name));
    if (ends_in(name, ".make"))
        texts[n] = make(a, texts[n]);
    n++;
    struct rule_options o = {.tests = true};
    return rule_load_texts(names, texts, n, &o, d);
}

static struct program *load_directory(struct arena *a, const char *name, struct diags *d)
{
    struct stat st;
    const char *gateways = arena_printf(a, "%s/.gateways", name);
    struct rule_options o = {.tests = true,
                             .gateways_dir = lstat(gateways, &st) == 0 ? gateways : NULL};
    struct err err = {0};
    struct program *p = rule_load_dir(name, &o, d, &err);
    if (err.kind != ERR_NONE)
        fail_msg("%s: %s", name, err.text);
    return p;
}

static void compare(struct arena *a, const char *name, const char *expected, struct str got)
{
    if (getenv("ROUSE_UPDATE")) {
        FILE *f = fopen(expected, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(got.p, 1, got.n, f), got.n);
        fclose(f);
        return;
    }
    struct str want = slurp(a, expected);
    if (!str_eq(got, want))
        fail_msg("%s: expected\n" STR_FMT "\ngot\n" STR_FMT, name, STR_ARG(want), STR_ARG(got));
}

static void check(const char *name, bool directory)
{
    struct arena *a = arena_new(0);
    struct diags *d = diags_new();
    struct program *p = directory ? load_directory(a, name, d) : load_file(a, name, d);
    struct buf got;
    buf_init(&got, 4 << 20);
    diags_text(d, 50, &got);
    compare(a, name,
            directory
                ? arena_printf(a, BAD "%s/expected", name)
                : arena_printf(a, BAD "%.*s.expected", (int)(strrchr(name, '.') - name), name),
            buf_str(&got));
    if (diags_len(d) == 0)
        fail_msg("%s: nothing is wrong with it", name);
    assert_int_equal(p == NULL, diags_errors(d) > 0);
    rule_free(&p);
    buf_free(&got);
    diags_free(&d);
    arena_free(&a);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Calls fn for each case: flat files and directories. */
static int each_case(void (*fn)(const char *name, bool directory))
{
    DIR *d = opendir(BAD);
    assert_non_null(d);
    struct dirent *e;
    struct stat st;
    int n = 0;
    char path[512];
    while ((e = readdir(d)) != NULL) {
        (void)snprintf(path, sizeof path, BAD "%s", e->d_name);
        bool directory = e->d_name[0] != '.' && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
        if (!directory && !ends_in(e->d_name, ".yaml") && !ends_in(e->d_name, ".make"))
            continue;
        fn(e->d_name, directory);
        n++;
    }
    closedir(d);
    return n;
}

static void bad_files(void **state)
{
    (void)state;
    assert_int_equal(chdir(BAD), 0); /* so that directories give short names */
    assert_true(each_case(check) > 40);
}

/* ---- other forms ----------------------------------------------------------------------------- */

/* The cases under tests/cases/formats, as editors and GitHub get them. */
static void formats(void **state)
{
    static void (*const show[])(struct diags *, size_t, struct buf *) = {diags_text, diags_json,
                                                                         diags_github};
    static const char *const names[] = {"text", "json", "github"};
    (void)state;
    assert_int_equal(chdir(FORMATS), 0);
    for (size_t i = 0; i < BASE_LEN(show); i++) {
        struct arena *a = arena_new(0);
        struct diags *d = diags_new();
        struct program *p = load_directory(a, "rules,100%:all", d);
        struct buf got;
        buf_init(&got, 4 << 20);
        show[i](d, 8, &got);
        compare(a, names[i], arena_printf(a, FORMATS "expected.%s", names[i]), buf_str(&got));
        assert_null(p);
        buf_free(&got);
        diags_free(&d);
        arena_free(&a);
    }
}

/* Lists of known names grow with the language; the rest of the design's own case stays as it is. */
static struct str without_lists(struct arena *a, struct str text)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    while (text.n) {
        const char *nl = memchr(text.p, '\n', text.n);
        size_t n = nl ? (size_t)(nl - text.p) + 1 : text.n;
        const char *list = memmem(text.p, n, " = ", 3), *bar = memchr(text.p, '|', n);
        if (!list || bar)
            buf_add(&b, text.p, n);
        else
            buf_adds(&b, " = …\n");
        text = (struct str){text.p + n, text.n - n};
    }
    struct str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return s;
}

static void design(void **state)
{
    (void)state;
    struct stat st;
    if (stat(DESIGN "bad/bad.yaml", &st) != 0)
        skip();
    struct arena *a = arena_new(0);
    struct diags *d = diags_new();
    struct str names[] = {STR("shop.yaml"), STR("bad.yaml")};
    struct str files[] = {slurp(a, DESIGN "examples/shop.yaml"), slurp(a, DESIGN "bad/bad.yaml")};
    struct buf got;
    buf_init(&got, 1 << 20);
    assert_null(rule_load_texts(names, files, 2, NULL, d));
    diags_text(d, 50, &got);
    struct str want = without_lists(a, slurp(a, DESIGN "bad/bad.expected.txt"));
    struct str have = without_lists(a, buf_str(&got));
    if (!str_eq(want, have))
        fail_msg("expected\n" STR_FMT "\ngot\n" STR_FMT, STR_ARG(want), STR_ARG(have));
    buf_free(&got);
    diags_free(&d);
    arena_free(&a);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct diag_code *code_of(const char *code, size_t *index)
{
    const struct diag_code *c;
    for (*index = 0; (c = rule_code(*index)) != NULL; ++*index)
        if (strncmp(c->code, code, 4) == 0)
            return c;
    return NULL;
}

static void has_text(const struct diag_code *c, const struct code_text *t, const char *lang)
{
    if (!t->meaning || strlen(t->meaning) < 8 || !t->advice || strlen(t->advice) < 8)
        fail_msg("%s lacks its text in %s", c->code, lang);
}

static bool has_han(const char *s)
{
    struct str t = str_c(s);
    uint32_t cp;
    for (size_t i = 0; i < t.n;) {
        i += utf8_next(t, i, &cp);
        if (cp >= 0x4e00 && cp <= 0x9fff)
            return true;
    }
    return false;
}

/* Each code stands in the table once, with its meaning and a way out in both languages. */
static void texts(void **state)
{
    (void)state;
    const struct diag_code *c;
    size_t i = 0, at;
    for (; (c = rule_code(i)) != NULL; i++) {
        assert_int_equal(strlen(c->code), 4);
        assert_ptr_equal(code_of(c->code, &at), c);
        has_text(c, &c->en, "English");
        has_text(c, &c->zh, "Chinese");
        if (!has_han(c->zh.meaning) || !has_han(c->zh.advice))
            fail_msg("the Chinese text of %s is not Chinese", c->code);
    }
    assert_true(i > 100);
}

static bool produced[512];

static void mark(struct str text, const char *word, const char *name)
{
    size_t index;
    for (const char *p = text.p; (p = strstr(p, word)) != NULL; p++) {
        p += strlen(word);
        if (!code_of(p, &index))
            fail_msg("%s: %.4s is not in the table", name, p);
        assert_true(index < BASE_LEN(produced));
        produced[index] = true;
    }
}

static void collect(const char *name, bool directory)
{
    struct arena *a = arena_new(0);
    int stem = (int)(directory ? (size_t)0 : (size_t)(strrchr(name, '.') - name));
    const char *path = directory ? arena_printf(a, BAD "%s/expected", name)
                                 : arena_printf(a, BAD "%.*s.expected", stem, name);
    struct str s = slurp(a, path);
    mark(s, " error[", name);
    mark(s, " warning[", name);
    if (strncmp(s.p, "error[", 6) == 0) /* without a place, first of all */
        mark(s, "error[", name);
    arena_free(&a);
}

/* Every code has a case under tests/cases/bad, and no case has a code that is not in the table. */
static void cases(void **state)
{
    (void)state;
    const struct diag_code *c;
    struct buf missing;
    buf_init(&missing, 1 << 16);
    each_case(collect);
    for (size_t i = 0; (c = rule_code(i)) != NULL; i++)
        if (!produced[i])
            buf_addf(&missing, " %s", c->code);
    if (missing.n)
        fail_msg("no case under tests/cases/bad produces:" STR_FMT, STR_ARG(buf_str(&missing)));
    buf_free(&missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bad_files), cmocka_unit_test(formats),
                                       cmocka_unit_test(design), cmocka_unit_test(texts),
                                       cmocka_unit_test(cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
