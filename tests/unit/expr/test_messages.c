/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is refused, and in which words: messages.txt beside this file has the expressions and the exact
 * text.  A line `>>> EXPR` (or `>>> [WANT] EXPR`, WANT being a type, `build` for a place that may build,
 * or `bare` for one without any variable) begins a case.  Every code must occur.
 */
#include "fixture.h"

static struct str read_file(struct arena *a, const char *path)
{
    struct buf b;
    char tmp[4096];
    size_t n;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    buf_init(&b, 1 << 20);
    while ((n = fread(tmp, 1, sizeof tmp, f)) > 0)
        buf_add(&b, tmp, n);
    (void)fclose(f);
    struct str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return s;
}

static struct str next_line(struct str *rest)
{
    const char *nl = memchr(rest->p, '\n', rest->n);
    size_t n = nl ? (size_t)(nl - rest->p) : rest->n;
    struct str line = {rest->p, n};
    *rest = (struct str){rest->p + n + (nl != NULL), rest->n - n - (nl != NULL)};
    return line;
}

static const struct type *wanted(struct shop *s, struct str *expr)
{
    static const struct {
        const char *word;
        const struct type *type;
    } words[] = {{"[bool] ", &type_bool},     {"[string] ", &type_string},
                 {"[money] ", &type_money},   {"[date] ", &type_date},
                 {"[level] ", &level_type},   {"[duration] ", &type_duration},
                 {"[double] ", &type_double}, {"[timestamp] ", &type_timestamp},
                 {"[build] ", NULL},          {"[bare] ", NULL}};
    for (size_t i = 0; i < BASE_LEN(words); i++)
        if (str_starts(*expr, words[i].word)) {
            size_t n = strlen(words[i].word);
            *expr = (struct str){expr->p + n, expr->n - n};
            s->env.build |= strcmp(words[i].word, "[build] ") == 0;
            if (strcmp(words[i].word, "[bare] ") == 0)
                s->env = (struct expr_env){.no_event = STR("a silence rule has no event"),
                                           .no_now = STR("tags do not know the time")};
            return words[i].type;
        }
    return NULL;
}

static void one_case(struct str expr, struct str expected)
{
    struct shop *s = shop_new();
    struct buf b;
    const struct type *want = wanted(s, &expr);
    buf_init(&b, 1 << 20);
    assert_null(shop_compile(s, expr, want));
    diags_text(s->d, 50, &b);
    while (expected.n && expected.p[expected.n - 1] == '\n')
        expected.n--;
    if (b.n < expected.n || memcmp(b.p, expected.p, expected.n) != 0)
        fail_msg("for `%.*s` got:\n%s", STR_ARG(expr), b.p);
    buf_free(&b);
    shop_free(s);
}

static void test_texts(void **state)
{
    (void)state;
    struct arena *a = arena_new(0);
    struct str rest = read_file(a, ROUSE_SOURCE "/tests/unit/expr/messages.txt");
    struct str expr = {"", 0}, expected = {"", 0};
    int cases = 0;
    while (rest.n) {
        struct str line = next_line(&rest);
        if (str_starts(line, ">>> ")) {
            if (expr.n)
                one_case(expr, expected);
            expr = (struct str){line.p + 4, line.n - 4};
            expected = (struct str){line.p + line.n + 1, 0};
            cases++;
        } else {
            expected.n = (size_t)(line.p + line.n - expected.p);
        }
    }
    one_case(expr, expected);
    assert_true(cases > 80);
    arena_free(&a);
}

static void test_every_code(void **state)
{
    (void)state;
    struct arena *a = arena_new(0);
    struct str all = read_file(a, ROUSE_SOURCE "/tests/unit/expr/messages.txt");
    size_t n;
    const struct diag_code *codes = expr_codes(&n);
    for (size_t i = 0; i < n; i++) {
        char word[16];
        (void)snprintf(word, sizeof word, "[%s]", codes[i].code);
        if (!memmem(all.p, all.n, word, strlen(word)))
            fail_msg("no case gives %s", codes[i].code);
        assert_true(i == 0 || strcmp(codes[i - 1].code, codes[i].code) < 0);
    }
    arena_free(&a);
}

/* Offsets of an expression in a quoted scalar go through its map, and `what` names it. */
static void test_places(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    const struct expr *e = NULL;
    static const struct srcfile file = {.name = NAME("f.yaml"),
                                        .text = NAME("if: \"event.\\u0061b\"")};
    static const uint32_t map[] = {5, 6, 7, 8, 9, 10, 11, 17, 18};
    struct expr_src src = {.file = &file, .text = STR("event.ab"), .map = map, .what = STR("`if`")};
    assert_int_equal(expr_compile(s->a, &s->env, &src, NULL, s->d, &e), -1);
    assert_int_equal(diags_get(s->d, 0)->at.start, 11);
    assert_int_equal(diags_get(s->d, 0)->at.end, 18);
    src = (struct expr_src){.file = &file, .text = STR("1 + 1"), .base = 3, .what = STR("`if`")};
    assert_int_equal(expr_compile(s->a, &s->env, &src, &type_bool, s->d, &e), -1);
    assert_string_equal(diags_get(s->d, 1)->text.p, "`if` must be bool, this is int");
    assert_int_equal(diags_get(s->d, 1)->at.start, 3);
    assert_null(e);
    shop_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_every_code),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
