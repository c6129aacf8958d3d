/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every tests/cases/bad/NAME.yaml, loaded beside the example shop, gives exactly NAME.expected: codes,
 * places, underlines and advice.  (NAME `tests` also gets the example rules.)
 */
#include "rule.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BAD ROUSE_SOURCE "/tests/cases/bad/"
#define EXAMPLES ROUSE_SOURCE "/tests/cases/examples/"

static struct str slurp(const char *path)
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
    return (struct str){b.p ? b.p : calloc(1, 1), b.n};
}

static void check(const char *name)
{
    static const char *const csvs[] = {"bad.csv", "dup.csv", "quote.csv"};
    struct str names[6], texts[6];
    char path[512];
    uint32_t n = 0;
    for (; n < BASE_LEN(csvs); n++) {
        snprintf(path, sizeof path, BAD "%s", csvs[n]);
        names[n] = str_c(csvs[n]);
        texts[n] = slurp(path);
    }
    names[n] = STR("shop.yaml");
    texts[n++] = slurp(EXAMPLES "shop.yaml");
    if (strcmp(name, "tests.yaml") == 0) {
        names[n] = STR("rules.yaml");
        texts[n++] = slurp(EXAMPLES "rules.yaml");
    }
    snprintf(path, sizeof path, BAD "%s", name);
    names[n] = str_c(name);
    texts[n++] = slurp(path);
    snprintf(path, sizeof path, BAD "%.*s.expected", (int)strlen(name) - 5, name);
    struct str want = slurp(path);

    struct rule_options o = {.tests = true};
    struct diags *d = diags_new();
    struct program *p = rule_load_texts(names, texts, n, &o, d);
    struct buf got;
    buf_init(&got, 4 << 20);
    diags_text(d, 50, &got);
    if (!str_eq(buf_str(&got), want))
        fail_msg("%s: expected\n" STR_FMT "\ngot\n" STR_FMT, name, STR_ARG(want),
                 STR_ARG(buf_str(&got)));
    assert_null(p);
    buf_free(&got);
    diags_free(&d);
    for (uint32_t i = 0; i < n; i++)
        free((void *)(uintptr_t)texts[i].p);
    free((void *)(uintptr_t)want.p);
}

static void bad_files(void **state)
{
    (void)state;
    DIR *d = opendir(BAD);
    assert_non_null(d);
    struct dirent *e;
    int n = 0;
    while ((e = readdir(d)) != NULL) {
        size_t len = strlen(e->d_name);
        if (len > 5 && strcmp(e->d_name + len - 5, ".yaml") == 0) {
            check(e->d_name);
            n++;
        }
    }
    closedir(d);
    assert_true(n >= 15);
}

static const struct diag_code *code_of(const char *code)
{
    const struct diag_code *c;
    for (size_t i = 0; (c = rule_code(i)) != NULL; i++)
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
    uint32_t cp = 0;
    for (size_t i = 0; i < t.n; i += utf8_next(t, i, &cp))
        if (cp >= 0x4e00 && cp <= 0x9fff)
            return true;
    return false;
}

/* Each code stands in the table once, with its meaning and a way out in both languages. */
static void texts(void **state)
{
    (void)state;
    const struct diag_code *c;
    size_t i = 0;
    for (; (c = rule_code(i)) != NULL; i++) {
        assert_int_equal(strlen(c->code), 4);
        assert_ptr_equal(code_of(c->code), c);
        has_text(c, &c->en, "English");
        has_text(c, &c->zh, "Chinese");
        if (!has_han(c->zh.meaning) || !has_han(c->zh.advice))
            fail_msg("the Chinese text of %s is not Chinese", c->code);
    }
    assert_true(i > 100);
}

/* Every code in the expected files is in the table. */
static void codes(void **state)
{
    (void)state;
    DIR *d = opendir(BAD);
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        if (!strstr(e->d_name, ".expected"))
            continue;
        char path[512];
        snprintf(path, sizeof path, BAD "%s", e->d_name);
        struct str s = slurp(path);
        for (const char *p = s.p; (p = strstr(p, "error[")) != NULL; p++)
            if (!code_of(p + 6))
                fail_msg("%.4s is not in the table", p + 6);
        free((void *)(uintptr_t)s.p);
    }
    closedir(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bad_files), cmocka_unit_test(texts),
                                       cmocka_unit_test(codes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
