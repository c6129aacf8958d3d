/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with adapters is said exactly as tests/cases/bad_adapters has it, every A code has a
 * case there and its texts.  With ROUSE_UPDATE=1 the expected files are written anew.
 */
#include "webhook.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define CASES ROUSE_SOURCE "/tests/cases/bad_adapters/"

static bool produced[64];

static const struct diag_code *code_of(const char *code, size_t *i)
{
    size_t n;
    const struct diag_code *v = webhook_codes(&n);
    for (*i = 0; *i < n; ++*i)
        if (strcmp(v[*i].code, code) == 0)
            return &v[*i];
    return NULL;
}

static void compare(const char *name, const char *expected, struct str got)
{
    char text[65536];
    FILE *f = fopen(expected, getenv("ROUSE_UPDATE") ? "wb" : "rb");
    if (!f)
        fail_msg("%s cannot be opened", expected);
    if (getenv("ROUSE_UPDATE")) {
        assert_int_equal(fwrite(got.p, 1, got.n, f), got.n);
    } else {
        struct str want = {text, fread(text, 1, sizeof text, f)};
        if (!str_eq(want, got))
            fail_msg("%s: expected\n" STR_FMT "\ngot\n" STR_FMT, name, STR_ARG(want), STR_ARG(got));
    }
    fclose(f);
}

static void check(const char *name)
{
    struct webhook_adapter_options o = {0};
    struct webhook_adapter *a = NULL;
    struct diags *d = diags_new();
    struct err err = {0};
    struct buf got;
    char expected[512];
    size_t at;
    buf_init(&got, 1 << 20);
    assert_int_equal(webhook_adapter_load(name, &o, d, &a, &err), -1);
    diags_text(d, 50, &got);
    for (size_t i = 0; i < diags_len(d); i++) {
        const char *code = diags_get(d, i)->code;
        if (code_of(code, &at))
            produced[at] = true;
        else if (code[0] != 'X' && code[0] != 'Y')
            fail_msg("%s: %s is not in the table", name, code);
    }
    (void)snprintf(expected, sizeof expected, "%.*s.expected", (int)strlen(name) - 5, name);
    compare(name, expected, buf_str(&got));
    buf_free(&got);
    webhook_adapter_free(&a);
    diags_free(&d);
}

static void cases(void **state)
{
    (void)state;
    size_t n;
    const struct diag_code *v = webhook_codes(&n);
    assert_int_equal(chdir(CASES), 0);
    DIR *d = opendir(".");
    struct dirent *e;
    while ((e = readdir(d)) != NULL)
        if (strstr(e->d_name, ".yaml"))
            check(e->d_name);
    closedir(d);
    for (size_t i = 0; i < n; i++)
        if (!produced[i])
            fail_msg("no case produces %s", v[i].code);
}

static void texts(void **state)
{
    (void)state;
    size_t n, at;
    const struct diag_code *v = webhook_codes(&n);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(code_of(v[i].code, &at), &v[i]);
        assert_true(strlen(v[i].en.meaning) > 8 && strlen(v[i].en.advice) > 8);
        assert_true(strlen(v[i].zh.meaning) > 8 && strlen(v[i].zh.advice) > 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cases), cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
