/* SPDX-License-Identifier: Apache-2.0 */
/* yaml: positions, what is refused, what a scalar says, hints, the normal form. */
#include "yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

struct doc {
    struct arena *a;
    struct srcfile f;
    struct diags *d;
    const struct yaml_node *root;
    int rc;
};

static struct doc parse(struct str text)
{
    struct doc x = {.a = arena_new(0), .d = diags_new()};
    x.f = (struct srcfile){.name = STR("t.yaml"), .text = arena_str(x.a, text)};
    struct srcfile *f = ARENA_NEW(x.a, struct srcfile);
    *f = x.f;
    x.rc = yaml_parse(x.a, f, x.d, &x.root);
    return x;
}

static void done(struct doc *x)
{
    diags_free(&x->d);
    arena_free(&x->a);
}

static struct str at(const struct doc *x, struct span s)
{
    return (struct str){x->f.text.p + s.start, s.end - s.start};
}

#define assert_str(got, want)                                                                      \
    do {                                                                                           \
        struct str g_ = (got);                                                                     \
        char *c_ = xmemdup0(g_.p, g_.n);                                                           \
        assert_string_equal(c_, (want));                                                           \
        free(c_);                                                                                  \
    } while (0)

static void positions(void **state)
{
    (void)state;
    struct doc x = parse(str_c("规则:\n"
                               "  一: 值  # 注\n"
                               "  b: [x, {c: 'd'}]\n"
                               "  long: a\n"
                               "    b c\n"
                               "  block: |\n"
                               "    第一\n"
                               "    second\n"
                               "\n"
                               "  last: 1\n"));
    assert_int_equal(x.rc, 0);
    const struct yaml_node *m = yaml_get(x.root, "规则");
    assert_non_null(m);
    assert_str(at(&x, yaml_pair(m, str_c("一"))->key_at), "一");
    assert_str(at(&x, yaml_get(m, "一")->at), "值");
    assert_str(at(&x, yaml_get(m, "b")->at), "[x, {c: 'd'}]");
    const struct yaml_node *c = yaml_get(yaml_get(m, "b")->items[1], "c");
    assert_str(at(&x, c->at), "'d'");
    assert_str(c->text, "d");
    assert_str(at(&x, yaml_sub(c, 0, 1)), "d");
    assert_str(at(&x, yaml_get(m, "long")->at), "a\n    b c");
    assert_str(yaml_get(m, "long")->text, "a b c");
    assert_str(at(&x, yaml_get(m, "block")->at), "第一\n    second");
    assert_str(yaml_get(m, "block")->text, "第一\nsecond\n");
    const uint32_t *map;
    uint32_t base;
    assert_str(yaml_expr(yaml_get(m, "block"), &map, &base), "第一\n    second");
    assert_null(map);
    assert_int_equal(base, yaml_get(m, "block")->at.start);
    int line, col;
    srcfile_pos(&x.f, yaml_get(m, "last")->at.start, &line, &col);
    assert_int_equal(line, 10);
    assert_int_equal(col, 9);
    done(&x);
}

/* Every decoded byte of a quoted scalar has the place where it was written. */
static void quoted(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *text;
        size_t from, to;
        const char *where;
    } cases[] = {
        {"a: 'it''s x'", "it's x", 5, 6, "x"},
        {"a: 'it''s x'", "it's x", 2, 3, "''"},
        {"a: \"q\\\"w\"", "q\"w", 1, 2, "\\\""},
        {"a: \"\\u6d4b\\x41 b\"", "测A b", 0, 3, "\\u6d4b"},
        {"a: \"\\u6d4b\\x41 b\"", "测A b", 5, 6, "b"},
        {"a: \"one  \n   two\"", "one two", 4, 7, "two"},
        {"a: 'one\n\n\n  two'", "one\n\ntwo", 5, 8, "two"},
        {"a: \"one \\\n   two\"", "one two", 4, 7, "two"},
        {"a: \"tab\\tx 中y\"", "tab\tx 中y", 9, 10, "y"},
        {"a: ''", "", 0, 0, ""},
        {"a: \"\\U0001F600z\"", "😀z", 4, 5, "z"},
        {"a: \"x\\_\\N\\L\\P\\ey\"", "x\xc2\xa0\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\x1by", 12, 13, "y"},
    };
    for (size_t i = 0; i < BASE_LEN(cases); i++) {
        struct doc x = parse(str_c(cases[i].yaml));
        assert_int_equal(x.rc, 0);
        const struct yaml_node *n = yaml_get(x.root, "a");
        assert_str(n->text, cases[i].text);
        assert_str(at(&x, yaml_sub(n, cases[i].from, cases[i].to)), cases[i].where);
        done(&x);
    }
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *code, *where;
    } cases[] = {
        {"a: \xff", "Y001", "\xff"},
        {"a: \"x\\0y\"", "Y002", "\"x\\0y\""},
        {"a: &x 1", "Y006", "&"},
        {"a: *x", "Y006", "*x"},
        {"*x : 1", "Y006", "*x"},
        {"a: !!str 1", "Y007", "!!str 1"},
        {"a: !member.vip\nb: 1", "Y007", "!member.vip"},
        {"a: !has(member.x) && y\nb: 1", "Y007", "!has(member.x) && y"},
        {"%YAML 1.1\n---\na: 1", "Y008", "%"},
        {"a: 1\n---\nb: 2", "Y009", "---"},
        {"<<: {a: 1}", "Y011", "<<"},
        {"? [a, b]\n: 1", "Y012", "["},
        {"{a: 1}: 2", "Y012", "{"},
        {"a:\n\tb: 1", "Y014", "\t"},
        {"a: x == \"p: q\"", "Y015", ":"},
        {"a: x ? y : z", "Y015", ":"},
        {"a: [1, 2].exists(x)\nb: 1", "Y015", "[1, 2].exists(x)"},
        {"a: 'x' == y\nb: 1", "Y015", "'x' == y"},
        {"a: %x", "Y015", "%x"},
        {"a: @x", "Y015", "@x"},
        {"a: {w: x.exists(i, i.b == 1), c: 1}", "Y016", ","},
        {"a: [f(x, y), 1]", "Y016", ","},
        {"a: 'open", "Y010", "'"},
        {"a: 1\n  b: 2", "Y010", "b"},
        {"a: 1\nb", "Y010", ""},
        {"a: {b: 1", "Y010", "{"},
        {"a: \"\\q\"", "Y010", "\\"},
        {"a: \x01", "Y010", "\x01"},
    };
    for (size_t i = 0; i < BASE_LEN(cases); i++) {
        struct doc x = parse(str_c(cases[i].yaml));
        if (x.rc != -1 || diags_errors(x.d) != 1)
            fail_msg("case %zu `%s`: rc %d, %zu errors", i, cases[i].yaml, x.rc, diags_errors(x.d));
        const struct diag *g = diags_get(x.d, 0);
        if (strcmp(g->code, cases[i].code) != 0 || !str_eqc(at(&x, g->at), cases[i].where))
            fail_msg("case %zu `%s`: %s at `" STR_FMT "`: " STR_FMT, i, cases[i].yaml, g->code,
                     STR_ARG(at(&x, g->at)), STR_ARG(g->text));
        done(&x);
    }
}

static void nul_byte(void **state)
{
    (void)state;
    struct doc x = parse((struct str){"a: 1\0b: 2", 9});
    assert_int_equal(x.rc, -1);
    assert_null(x.root);
    assert_string_equal(diags_get(x.d, 0)->code, "Y002");
    assert_int_equal(diags_get(x.d, 0)->at.start, 4);
    done(&x);
}

static void duplicates(void **state)
{
    (void)state;
    struct doc x = parse(str_c("a:\n  b: 1\n  c: 2\n  b: 3\n"));
    assert_int_equal(x.rc, -1);
    const struct diag *g = diags_get(x.d, 0);
    assert_string_equal(g->code, "Y013");
    assert_str(g->label, "first given at line 2");
    assert_non_null(x.root); /* the first one counts, the rest is checked */
    assert_str(yaml_get(yaml_get(x.root, "a"), "b")->text, "1");
    assert_int_equal(yaml_get(x.root, "a")->n, 2);
    done(&x);

    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 1000; i++)
        buf_addf(&b, "k%d: %d\n", i % 999, i);
    x = parse(buf_str(&b));
    assert_int_equal(x.rc, -1);
    assert_int_equal(diags_errors(x.d), 1);
    assert_str(diags_get(x.d, 0)->label, "first given at line 1");
    assert_int_equal(x.root->n, 999);
    buf_free(&b);
    done(&x);
}

static void mended(void **state)
{
    (void)state;
    struct doc x = parse(str_c("a: {w: f(x, y, z), v: 1}"));
    assert_int_equal(x.rc, -1);
    assert_str(yaml_get(yaml_get(x.root, "a"), "w")->text, "f(x, y, z)");
    assert_int_equal(yaml_get(x.root, "a")->n, 2);
    done(&x);
    x = parse(str_c("a: {w: !x.y, v: 1}"));
    assert_int_equal(x.rc, -1);
    assert_str(yaml_get(yaml_get(x.root, "a"), "w")->text, "!x.y");
    done(&x);
}

static struct doc repeated(const char *what, size_t bytes)
{
    struct buf b;
    buf_init(&b, 4 << 20);
    while (b.n < bytes)
        buf_adds(&b, what);
    struct doc x = parse(buf_str(&b));
    buf_free(&b);
    return x;
}

static void limits(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t bytes;
        const char *code;
    } cases[] = {
        {"[", 100000, "Y004"},    {"{", 100000, "Y012"},     {"- ", 100000, "Y004"},
        {"? ", 100000, "Y012"},   {"- a\n", 900000, "Y005"}, {"- abcdefghi\n", 1100000, "Y003"},
        {"{a: ", 100000, "Y004"}, {"[a, [", 100000, "Y004"},
    };
    for (size_t i = 0; i < BASE_LEN(cases); i++) {
        clock_t t = clock();
        struct doc x = repeated(cases[i].what, cases[i].bytes);
        double s = (double)(clock() - t) / CLOCKS_PER_SEC;
        assert_int_equal(x.rc, -1);
        assert_null(x.root);
        if (strcmp(diags_get(x.d, 0)->code, cases[i].code) != 0)
            fail_msg("`%s`: %s", cases[i].what, diags_get(x.d, 0)->code);
        assert_true(s < 5.0); /* milliseconds; the bound is for a busy machine under sanitizers */
        done(&x);
    }
    char deep[128] = "";
    for (int i = 0; i < 32; i++)
        strcat(deep, "[");
    for (int i = 0; i < 32; i++)
        strcat(deep, "]");
    struct doc x = parse(str_c(deep));
    assert_int_equal(x.rc, 0);
    done(&x);
}

static void scalars(void **state)
{
    (void)state;
    struct doc x = parse(str_c("t: true\nyes: yes\nq: 'true'\ni: 42\nneg: -7\noct: 0o7\nclock: "
                               "10:00\nf: 1.5e2\nnan: .nan\nnull1: null\nnull2: ~\nnull3:\n"
                               "qnull: 'null'\nplus: +3\nbig: 99999999999999999999\n"));
    assert_int_equal(x.rc, 0);
    bool b = false;
    int64_t i = 0;
    double f = 0;
    struct str s;
    assert_true(yaml_bool(yaml_get(x.root, "t"), &b) && b);
    assert_false(yaml_bool(yaml_get(x.root, "yes"), &b));
    assert_false(yaml_bool(yaml_get(x.root, "q"), &b));
    assert_true(yaml_i64(yaml_get(x.root, "i"), &i) && i == 42);
    assert_true(yaml_i64(yaml_get(x.root, "neg"), &i) && i == -7);
    assert_true(yaml_i64(yaml_get(x.root, "plus"), &i) && i == 3);
    assert_false(yaml_i64(yaml_get(x.root, "oct"), &i));
    assert_false(yaml_i64(yaml_get(x.root, "clock"), &i));
    assert_false(yaml_i64(yaml_get(x.root, "big"), &i));
    assert_true(yaml_f64(yaml_get(x.root, "f"), &f) && f == 150.0);
    assert_true(yaml_f64(yaml_get(x.root, "i"), &f) && f == 42.0);
    assert_false(yaml_f64(yaml_get(x.root, "nan"), &f));
    assert_true(yaml_is_null(yaml_get(x.root, "null1")));
    assert_true(yaml_is_null(yaml_get(x.root, "null2")));
    assert_true(yaml_is_null(yaml_get(x.root, "null3")));
    assert_false(yaml_is_null(yaml_get(x.root, "qnull")));
    assert_true(yaml_text(yaml_get(x.root, "qnull"), &s));
    assert_false(yaml_text(yaml_get(x.root, "null3"), &s));
    done(&x);
    x = parse(str_c(""));
    assert_int_equal(x.rc, 0);
    assert_int_equal(x.root->kind, YAML_MAPPING);
    done(&x);
}

static void comment_cut(void **state)
{
    (void)state;
    struct span hash;
    struct doc x = parse(str_c("a: x == 'p #q'\nb: x # why\n"));
    assert_int_equal(x.rc, 0);
    assert_int_equal(yaml_cut_by_comment(yaml_get(x.root, "a"), &hash), 1);
    assert_str(at(&x, hash), "#");
    assert_int_equal(yaml_cut_by_comment(yaml_get(x.root, "b"), &hash), 0);
    done(&x);
}

static void normal(struct str text, struct buf *out)
{
    struct doc x = parse(text);
    assert_int_equal(x.rc, 0);
    buf_init(out, 1 << 20);
    yaml_write(x.root, out);
    done(&x);
}

static void normal_form(void **state)
{
    (void)state;
    struct buf b, c;
    normal(str_c("# c\na:   x   # d\nb:\n  - 1\n  - '1'\n  - a b\n  - \"l\\nm\"\nc: {}\nd: ~\n"
                 "\"$e\": -x\nf: 中\n"),
           &b);
    assert_str(buf_str(&b), "{a: x, b: [1, \"1\", \"a b\", \"l\\nm\"], c: {}, d: null, \"$e\": "
                            "\"-x\", f: \"中\"}");
    normal(buf_str(&b), &c); /* and it is its own normal form */
    assert_true(str_eq(buf_str(&b), buf_str(&c)));
    buf_free(&b);
    buf_free(&c);
}

static void one_error(void **state)
{
    (void)state;
    struct arena *a = arena_new(0);
    struct srcfile f = {.name = STR("c.yaml"), .text = STR("a: 1\nb: &x 2\n")};
    const struct yaml_node *root = NULL;
    struct err e = {0};
    assert_int_equal(yaml_parse_err(a, &f, &root, &e), -1);
    assert_null(root);
    assert_string_equal(e.code, "Y006");
    assert_string_equal(e.file, "c.yaml");
    assert_int_equal(e.line, 2);
    assert_int_equal(e.col, 4);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions),   cmocka_unit_test(quoted),     cmocka_unit_test(refused),
        cmocka_unit_test(nul_byte),    cmocka_unit_test(duplicates), cmocka_unit_test(mended),
        cmocka_unit_test(limits),      cmocka_unit_test(scalars),    cmocka_unit_test(comment_cut),
        cmocka_unit_test(normal_form), cmocka_unit_test(one_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
