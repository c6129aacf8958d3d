/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adapter_rules: the part of an adapter that is in the rule language: what the answer's JSON holds, and
 * what an answer means.  Static types, so `answer` has to say what `j` may hold; all of it is optional,
 * and a rule that needs what is not there does not match.
 */
#include "webhook_priv.h"

#define MAX_RULES 64
#define MAX_FIELDS 64
#define MAX_DEPTH 6

/* ---- answer: the type of j -------------------------------------------------------------------------- */

static const struct type *answer_type(struct adapter_load *l, const struct yaml_node *v, int depth);

static const struct type *answer_record(struct adapter_load *l, const struct yaml_node *v,
                                        int depth)
{
    if (v->n > MAX_FIELDS) {
        adapter_bad(l, "A008", v, "more than 64 fields");
        return NULL;
    }
    struct type *t = ARENA_NEW(l->a->arena, struct type);
    struct field *f = ARENA_ARRAY(l->a->arena, struct field, v->n + 1);
    for (uint32_t i = 0; i < v->n; i++) {
        f[i].name = v->pairs[i].key;
        f[i].optional = true;
        f[i].type = answer_type(l, v->pairs[i].value, depth + 1);
        if (!f[i].type)
            return NULL;
    }
    *t = (struct type){.kind = TYPE_RECORD, .fields = f, .n_fields = v->n, .name = STR("answer")};
    return t;
}

static const struct type *answer_type(struct adapter_load *l, const struct yaml_node *v, int depth)
{
    static const struct {
        const char *name;
        const struct type *type;
    } scalars[] = {{"int", &type_int},
                   {"string", &type_string},
                   {"bool", &type_bool},
                   {"double", &type_double}};
    struct str s;
    if (depth < MAX_DEPTH && v->kind == YAML_MAPPING)
        return answer_record(l, v, depth);
    if (depth < MAX_DEPTH && v->kind == YAML_SEQUENCE && v->n == 1) {
        const struct type *elem = answer_type(l, v->items[0], depth + 1);
        struct type *t = ARENA_NEW(l->a->arena, struct type);
        *t = (struct type){.kind = TYPE_LIST, .elem = elem, .max = 64};
        return elem ? t : NULL;
    }
    for (size_t i = 0; i < BASE_LEN(scalars) && yaml_text(v, &s); i++)
        if (str_eqc(s, scalars[i].name))
            return scalars[i].type;
    adapter_bad(l, "A008", v,
                "a field of the answer is int, string, bool, double, {FIELDS} or [TYPE]");
    return NULL;
}

void adapter_answer(struct adapter_load *l, const struct yaml_node *v)
{
    if (v->kind != YAML_MAPPING) {
        adapter_bad(l, "A008", v, "`answer` must be a mapping of the fields of the answer's JSON");
        return;
    }
    const struct type *t = answer_type(l, v, 0);
    if (t)
        l->a->answer = t;
}

/* ---- classify ---------------------------------------------------------------------------------------- */

static const struct expr *compile(struct adapter_load *l, const struct yaml_node *v,
                                  const struct type *want)
{
    static const struct type headers = {
        .kind = TYPE_MAP, .key = &type_string, .elem = &type_string, .max = 256};
    struct expr_var vars[N_VARS] = {
        [VAR_SENT] = {STR("sent"), &type_bool},    [VAR_CURL] = {STR("curl"), &type_int},
        [VAR_STATUS] = {STR("status"), &type_int}, [VAR_H] = {STR("h"), &headers},
        [VAR_BODY] = {STR("body"), &type_string},  [VAR_J] = {STR("j"), l->a->answer},
    };
    struct expr_env *env = ARENA_NEW(l->a->arena, struct expr_env);
    env->now = env->build = true;
    env->vars = memcpy(ARENA_ARRAY(l->a->arena, struct expr_var, N_VARS), vars, sizeof vars);
    env->n_vars = N_VARS;
    if (v->kind != YAML_SCALAR) {
        adapter_bad(l, "A009", v, "must be an expression");
        return NULL;
    }
    struct expr_src src = {.file = &l->a->src};
    src.text = yaml_expr(v, &src.map, &src.base);
    const struct expr *e = NULL;
    return expr_compile(l->a->arena, env, &src, want, l->d, &e) ? NULL : e;
}

static bool one_rule(struct adapter_load *l, const struct yaml_node *v, struct adapter_rule *r)
{
    static const char *const keys[] = {"when", "then", "delay"};
    const struct yaml_node *when = yaml_get(v, "when"), *then = yaml_get(v, "then");
    const struct yaml_node *delay = yaml_get(v, "delay");
    struct str s;
    if (!when || !then) {
        adapter_bad(l, "A009", v,
                    "a rule is {when: EXPRESSION, then: CLASS}, perhaps with delay: LENGTH");
        return false;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        bool known = false;
        for (size_t k = 0; k < BASE_LEN(keys); k++)
            known |= str_eqc(v->pairs[i].key, keys[k]);
        if (!known)
            diags_addf(l->d, "A001", v->pairs[i].key_at, STR(""), STR(""),
                       "unknown key `" STR_FMT "` in a rule of `classify`",
                       STR_ARG(v->pairs[i].key));
    }
    r->at = v->at;
    r->when = compile(l, when, &type_bool);
    if (!yaml_text(then, &s) || webhook_class_parse(s, &r->then))
        adapter_bad(l, "A009", then,
                    "not a class: ok duplicate_ok throttle retry ambiguous "
                    "permanent_recipient permanent_content account_stop defer");
    else if (r->then == WEBHOOK_TOKEN_REFRESH)
        adapter_bad(l, "A003", then,
                    "`token_refresh` is not built yet (gateways with access tokens)");
    if (delay)
        (void)adapter_length(l, delay, TIME_DAY, &r->delay_ms);
    return r->when != NULL;
}

/* Without a byte sent only curl's code varies, and there are few of them: try them all. */
static void check_unsent(struct adapter_load *l)
{
    for (int curl = 0; curl <= 120; curl++) {
        struct webhook_answer w = {.curl = curl};
        const struct adapter_rule *r = adapter_match(l->a, &w, 0);
        if (r && (r->then == WEBHOOK_OK || r->then == WEBHOOK_DUPLICATE_OK)) {
            diags_addf(l->d, "A010", r->at, STR(""), STR("begin it with `sent && …`"),
                       "says ok of a request of which not a byte was sent");
            return;
        }
    }
}

void adapter_classify(struct adapter_load *l, const struct yaml_node *v)
{
    if (v->kind != YAML_SEQUENCE || !v->n || v->n > MAX_RULES) {
        adapter_bad(l, "A009", v, "`classify` must be a list of 1 to 64 rules");
        return;
    }
    struct adapter_rule *r = ARENA_ARRAY(l->a->arena, struct adapter_rule, v->n);
    bool good = true;
    for (uint32_t i = 0; i < v->n; i++)
        good &= one_rule(l, v->items[i], &r[i]);
    if (!good)
        return;
    struct val last;
    if (!expr_is_const(r[v->n - 1].when, &last) || last.t != V_BOOL || !last.b) {
        adapter_bad(l, "A011", v->items[v->n - 1],
                    "the last rule of `classify` must be a catch-all");
        return;
    }
    l->a->rules = r;
    l->a->n_rules = v->n;
    check_unsent(l);
}

void adapter_code(struct adapter_load *l, const struct yaml_node *v)
{
    l->a->code = compile(l, v, &type_string);
}
