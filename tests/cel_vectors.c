/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cel_vectors FILE.jsonl: runs conformance vectors of CEL against common/expr and prints
 * `N passed, M failed` and the id of every failure.  Exit 0 = none failed, 1 = some did, 2 = the file
 * cannot be read, 77 = there is no such file (a test that is skipped).
 *
 * A vector of class `run` or `xnum` must compile and give its value, or be an error where it says so;
 * one of class `reject` or `dyn` must be refused; one that needs a feature outside the language must
 * be refused by a message that names the feature.
 */
#include "expr.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Features that are refused, and the word that the message must have. */
static const char *const outside[][2] = {
    {"uint", "uint"}, {"bytes", "bytes"}, {"type", "type"}, {"fn:matches", "matches"}};

struct vector {
    struct arena *a;
    const struct json *j;
    struct expr_var *vars;
    struct val *values;
    uint32_t n_vars;
    struct str undeclared; /* a binding whose type does not exist here */
    struct expr_ctx *ctx;
};

/* ---- types and values as the file writes them ---- */

static const struct type *parse_type(struct arena *a, struct str *s);

static bool eat(struct str *s, const char *word)
{
    size_t n = strlen(word);
    if (!str_starts(*s, word))
        return false;
    *s = (struct str){s->p + n, s->n - n};
    while (s->n && s->p[0] == ' ')
        *s = (struct str){s->p + 1, s->n - 1};
    return true;
}

static const struct type *parse_container(struct arena *a, struct str *s, bool map)
{
    struct type *t = ARENA_NEW(a, struct type);
    t->kind = map ? TYPE_MAP : TYPE_LIST;
    if (map) {
        t->key = parse_type(a, s);
        if (!t->key || !eat(s, ","))
            return NULL;
    }
    t->elem = parse_type(a, s);
    return t->elem && eat(s, ")") ? t : NULL;
}

static const struct type *parse_type(struct arena *a, struct str *s)
{
    static const struct {
        const char *name;
        const struct type *type;
    } simple[] = {{"bool", &type_bool},
                  {"int", &type_int},
                  {"double", &type_double},
                  {"string", &type_string},
                  {"timestamp", &type_timestamp},
                  {"duration", &type_duration},
                  {"null", &type_null}};
    if (eat(s, "list("))
        return parse_container(a, s, false);
    if (eat(s, "map("))
        return parse_container(a, s, true);
    for (size_t i = 0; i < BASE_LEN(simple); i++)
        if (eat(s, simple[i].name))
            return simple[i].type;
    return NULL;
}

static double to_double(struct str s)
{
    char tmp[64];
    if (s.n >= sizeof tmp)
        return NAN;
    memcpy(tmp, s.p, s.n);
    tmp[s.n] = '\0';
    return strtod(tmp, NULL); /* NaN and Infinity too */
}

/* 0, or -1: a kind of value that does not exist here. */
static int to_value(struct arena *a, const struct json *j, struct val *out);

static int to_items(struct arena *a, const struct json *items, bool pairs, struct val *out)
{
    uint32_t step = pairs ? 2 : 1;
    struct val *v = ARENA_ARRAY(a, struct val, items->n * step + 1);
    for (uint32_t i = 0; i < items->n * step; i++) {
        const struct json *from = pairs ? &items->items[i / 2].items[i % 2] : &items->items[i];
        if (to_value(a, from, &v[i]) != 0)
            return -1;
    }
    *out = (struct val){.t = pairs ? V_MAP : V_LIST, .n = items->n, .list = v};
    return 0;
}

static int to_value(struct arena *a, const struct json *j, struct val *out)
{
    const struct json *v = j->n ? &j->items[0] : NULL;
    struct str kind = j->n ? j->keys[0] : STR("");
    memset(out, 0, sizeof *out);
    if (str_eqc(kind, "null"))
        out->t = V_NULL;
    else if (str_eqc(kind, "bool"))
        *out = val_bool(v->b);
    else if (str_eqc(kind, "double"))
        *out = val_double(to_double(v->s));
    else if (str_eqc(kind, "string"))
        *out = val_str(v->s);
    else if (str_eqc(kind, "int") || str_eqc(kind, "duration")) {
        out->t = str_eqc(kind, "int") ? V_INT : V_DURATION;
        return str_i64(v->s, &out->i);
    } else if (str_eqc(kind, "timestamp")) {
        out->t = V_TIMESTAMP;
        out->n = (uint32_t)json_i64(v, "n", 0);
        return str_i64(json_str(v, "s"), &out->i);
    } else if (str_eqc(kind, "list") || str_eqc(kind, "map"))
        return to_items(a, v, str_eqc(kind, "map"), out);
    else
        return -1;
    return 0;
}

static bool same(const struct val *a, const struct val *b);

static bool same_map(const struct val *a, const struct val *b)
{
    for (uint32_t i = 0; i < a->n; i++) {
        bool found = false;
        for (uint32_t k = 0; k < b->n && !found; k++)
            found = same(&a->list[2 * i], &b->list[2 * k]) &&
                    same(&a->list[2 * i + 1], &b->list[2 * k + 1]);
        if (!found)
            return false;
    }
    return a->n == b->n;
}

/* As the file wants it: NaN is itself, and -0.0 is not 0.0. */
static bool same(const struct val *a, const struct val *b)
{
    if (a->t != b->t)
        return false;
    if (a->t == V_DOUBLE)
        return (isnan(a->d) && isnan(b->d)) || memcmp(&a->d, &b->d, sizeof a->d) == 0;
    if (a->t == V_MAP)
        return same_map(a, b);
    if (a->t != V_LIST)
        return val_eq(a, b);
    for (uint32_t i = 0; i < a->n && i < b->n; i++)
        if (!same(&a->list[i], &b->list[i]))
            return false;
    return a->n == b->n;
}

/* ---- one vector ---- */

static const struct zone *find_zone(void *arg, struct str name)
{
    return zone_load(arg, NULL, name, NULL);
}

static void declare(struct vector *v)
{
    const struct json *decls = json_get(v->j, "decls"), *bindings = json_get(v->j, "bindings");
    uint32_t n = decls ? decls->n : 0;
    v->vars = ARENA_ARRAY(v->a, struct expr_var, n + 1);
    v->values = ARENA_ARRAY(v->a, struct val, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        struct str text = decls->items[i].s, rest = text;
        const struct type *t = parse_type(v->a, &rest);
        const struct json *value = NULL;
        for (uint32_t k = 0; bindings && k < bindings->n; k++)
            if (str_eq(bindings->keys[k], decls->keys[i]))
                value = &bindings->items[k];
        if (!t || rest.n || !value || to_value(v->a, value, &v->values[v->n_vars]) != 0) {
            v->undeclared = text;
            continue;
        }
        v->vars[v->n_vars++] = (struct expr_var){decls->keys[i], t};
    }
}

/* 1 = a value, 0 = an error when evaluated, -1 = refused. */
static int run(struct vector *v, struct diags *d, struct val *out)
{
    struct str text = json_str(v->j, "expr");
    struct srcfile *file = ARENA_NEW(v->a, struct srcfile); /* messages point into it */
    *file = (struct srcfile){.name = STR("vector"), .text = text};
    struct expr_src src = {.file = file, .text = text};
    struct expr_env env = {
        .build = true, .vars = v->vars, .n_vars = v->n_vars, .zone = find_zone, .zone_arg = v->a};
    const struct expr *e;
    if (v->undeclared.n || expr_compile(v->a, &env, &src, NULL, d, &e) != 0)
        return -1;
    v->ctx->vars = v->values;
    v->ctx->tz = zone_utc();
    return expr_eval(e, v->ctx, out) == 0;
}

static bool names(const struct vector *v, const struct diags *d, const char *word)
{
    if (v->undeclared.n && memmem(v->undeclared.p, v->undeclared.n, word, strlen(word)))
        return true;
    for (size_t i = 0; i < diags_len(d); i++) {
        struct str text = diags_get(d, i)->text;
        if (memmem(text.p, text.n, word, strlen(word)))
            return true;
    }
    return false;
}

/* The word of the first feature that is not of this language, or NULL. */
static bool refused_feature(const struct vector *v, const struct diags *d, bool *named)
{
    const struct json *features = json_get(v->j, "features");
    bool any = false;
    for (uint32_t i = 0; features && i < features->n; i++)
        for (size_t k = 0; k < BASE_LEN(outside); k++)
            if (str_eqc(features->items[i].s, outside[k][0])) {
                any = true;
                *named |= names(v, d, outside[k][1]);
            }
    return any;
}

static bool passes(struct vector *v, struct diags *d)
{
    const struct json *want = json_get(v->j, "value");
    struct str class = json_str(v->j, "class");
    struct val got, expected;
    bool named = false;
    int rc = run(v, d, &got);
    if (refused_feature(v, d, &named))
        return rc == -1 && named;
    if (str_eqc(class, "dyn"))
        return rc == -1;
    if (str_eqc(class, "reject") || !want)
        return rc != 1;
    return rc == 1 && to_value(v->a, want, &expected) == 0 && same(&got, &expected);
}

static void complain(const struct vector *v, struct diags *d)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    diags_text(d, 5, &b);
    struct str id = json_str(v->j, "id");
    (void)printf("FAILED " STR_FMT "\n", STR_ARG(id));
    if (diags_len(d))
        (void)printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
    buf_free(&b);
}

/* 1 passed, 0 failed, -1 = not a vector. */
static int vector_line(struct str line, struct expr_ctx *ctx)
{
    struct vector v = {.a = arena_new(0), .ctx = ctx};
    struct diags *d = diags_new();
    struct err err = {0};
    int rc = -1;
    if (json_parse(line, 64, v.a, &v.j, &err) != 0) {
        (void)fprintf(stderr, "bad vector: %s\n", err.text);
    } else {
        declare(&v);
        rc = passes(&v, d);
        if (!rc)
            complain(&v, d);
    }
    diags_free(&d);
    arena_free(&v.a);
    return rc;
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t cap = 0, passed = 0, failed = 0;
    ssize_t n;
    bool broken = false;
    FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!f) {
        (void)fprintf(stderr, argc == 2 ? "%s: skipped, no such file\n" : "usage: %s FILE.jsonl\n",
                      argv[argc - 1]);
        return argc == 2 && errno == ENOENT ? 77 : 2;
    }
    struct expr_ctx *ctx = xcalloc(1, sizeof *ctx);
    while ((n = getline(&line, &cap, f)) > 0) {
        int rc = vector_line((struct str){line, (size_t)n}, ctx);
        passed += rc == 1;
        failed += rc == 0;
        broken |= rc < 0;
    }
    free(ctx);
    free(line);
    (void)fclose(f);
    (void)printf("%zu passed, %zu failed\n", passed, failed);
    return broken ? 2 : failed ? 1 : 0;
}
