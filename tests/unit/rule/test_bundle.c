/* SPDX-License-Identifier: Apache-2.0 */
/* The bundle: canonical, complete, without tzdata, and with the earlier texts of rules. */
#include "rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char base[] =
    "policy: {tz: Asia/Shanghai, consent: {wechat: 'true'}, quiet: '21:00-09:00', late: 2h}\n"
    "tags: {openid: {type: address}, n: {count: e, window: 3d}}\n"
    "events: {e: {member: m, fields: {sku: string, amount: money}}}\n"
    "tables: {t: {file: t.csv, key: sku, fields: {stage: int}}}\n"
    "messages: {m: {params: [a], via: [wechat], wechat: {template: T, text: \"你好{a}\"}}}\n";

static struct program *load(const char *rules)
{
    struct str names[] = {STR("base.yaml"), STR("t.csv"), STR("rules.yaml")};
    struct str texts[] = {str_c(base), STR("sku,stage\nA,1\n"), str_c(rules)};
    struct diags *d = diags_new();
    struct program *p = rule_load_texts(names, texts, 3, NULL, d);
    if (!p)
        fail_msg("%s: " STR_FMT, diags_get(d, 0)->code, STR_ARG(diags_get(d, 0)->text));
    diags_free(&d);
    return p;
}

static void make(const struct program *p, const struct program *prev, struct buf *out,
                 char hash[65])
{
    struct err err = {0};
    buf_init(out, 64 << 20);
    assert_int_equal(bundle_make(p, prev, out, hash, &err), 0);
}

static struct program *reload(const struct buf *b)
{
    struct err err = {0};
    struct program *p = bundle_load(buf_str(b), &err);
    if (!p)
        fail_msg("%s", err.text);
    return p;
}

static const char rule_1[] = "rules:\n"
                             "  r:\n"
                             "    trigger: e  # a comment\n"
                             "    if: |\n"
                             "      event.amount > 100 && // not the small ones\n"
                             "        t[event.sku].stage == 1 && now.getHours('Europe/Paris') > 8\n"
                             "    limit: 1 ever\n"
                             "    do: [{wait: 1h}, {send: m, with: {a: event.sku}}]\n";

static void round_trip(void **state)
{
    (void)state;
    struct buf a, b;
    char ha[65], hb[65];
    struct program *p = load(rule_1);
    make(p, NULL, &a, ha);
    struct program *q = reload(&a);
    make(q, NULL, &b, hb);
    assert_string_equal(ha, hb);
    assert_string_equal(q->hash, ha);
    assert_true(str_eq(buf_str(&a), buf_str(&b)));
    assert_true(str_eq(zone_name(q->tz), STR("Asia/Shanghai")));
    assert_int_equal(time_local_minute(q->tz, 0), 8 * 60);
    assert_true(str_eq(p->rules[0].hash, q->rules[0].hash));
    assert_int_equal(p->tags[0].def_hash == q->tags[0].def_hash, 1);
    assert_int_equal(q->policy.late_ms, 2 * TIME_HOUR);
    assert_int_equal(q->tables[0].value.n, 1);
    assert_int_equal(q->gateways[5].address_tag, program_tag(q, STR("openid")));
    assert_non_null(memmem(a.p, a.n, "Europe/Paris;", 13)); /* the zone an expression names */
    rule_free(&p);
    rule_free(&q);
    buf_free(&a);
    buf_free(&b);
}

/* Comments, styles, order and file boundaries do not show. */
static void canonical(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "rules:\n  a: {trigger: e, do: []}\n  b: {trigger: e, do: [{wait: 1h}]}\n",
        "rules:\n  b:\n    trigger: 'e'\n    do:\n    - wait: \"1h\"   # hm\n  a: {trigger: e, do: "
        "[]}\n",
    };
    char h[2][65];
    for (int i = 0; i < 2; i++) {
        struct buf b;
        struct program *p = load(texts[i]);
        make(p, NULL, &b, h[i]);
        rule_free(&p);
        buf_free(&b);
    }
    assert_string_not_equal(h[0], h[1]); /* quotes do show: they may matter */
    struct buf b;
    struct program *p = load("rules:\n  b:\n    trigger: e\n    do:\n    - wait: 1h   # hm\n  a: "
                             "{trigger: e, do: [ ]}\n");
    make(p, NULL, &b, h[1]);
    assert_string_equal(h[0], h[1]);
    rule_free(&p);
    buf_free(&b);
}

static struct program *next_version(struct program *prev, const char *rules, struct buf *out)
{
    char hash[65];
    struct program *p = load(rules);
    make(p, prev, out, hash);
    rule_free(&p);
    rule_free(&prev);
    p = reload(out);
    return p;
}

static void earlier_texts(void **state)
{
    (void)state;
    struct program *p = NULL;
    struct str first = {0};
    char rules[256], hash_5[17] = "", hash_0[17] = "";
    (void)first;
    for (int i = 0; i < 12; i++) {
        struct buf out;
        snprintf(rules, sizeof rules, "rules:\n  r: {trigger: e, do: [{wait: %dh}]}\n%s", i + 1,
                 i < 3 ? "  gone: {trigger: e, do: []}\n" : "");
        p = next_version(p, rules, &out);
        if (i == 0)
            memcpy(hash_0, p->rules[1].hash.p, 16);
        if (i == 5)
            memcpy(hash_5, p->rules[0].hash.p, 16);
        buf_free(&out);
    }
    assert_int_equal(p->n_rules, 1);
    assert_int_equal(p->n_old_rules, 8); /* seven of r and the last of gone */
    const struct rule_def *r = program_version(p, STR("r"), (struct str){hash_5, 16});
    assert_non_null(r);
    assert_int_equal(r->code[0].len_ms, 6 * TIME_HOUR);
    assert_null(program_version(p, STR("r"), (struct str){hash_0, 16})); /* too long ago */
    /* Going back: the present text is no earlier one. */
    struct buf out;
    snprintf(rules, sizeof rules, "rules:\n  r: {trigger: e, do: [{wait: 6h}]}\n");
    p = next_version(p, rules, &out);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < p->n_old_rules; i++)
        seen += str_eq(p->old_rules[i].hash, (struct str){hash_5, 16});
    assert_int_equal(seen, 0);
    assert_true(str_eq(p->rules[0].hash, (struct str){hash_5, 16}));
    buf_free(&out);
    rule_free(&p);
}

/* An earlier text that no longer compiles is dropped from the program but carried on. */
static void superseded(void **state)
{
    (void)state;
    struct buf out;
    char hash[65];
    struct program *p = load("messages: {gone: {via: [wechat]}}\n"
                             "rules: {r: {trigger: e, limit: 1 ever, do: [{send: gone}]}}\n");
    make(p, NULL, &out, hash);
    struct program *q = reload(&out);
    buf_free(&out);
    rule_free(&p);
    p = next_version(q, "rules: {r: {trigger: e, do: []}}\n", &out);
    assert_int_equal(p->n_old_rules, 0);
    buf_free(&out);
    p = next_version(p, "messages: {gone: {via: [wechat]}}\nrules: {r: {trigger: e, do: []}}\n",
                     &out);
    assert_int_equal(p->n_old_rules, 1);
    assert_true(p->kept_event[schema_event(p->schema, STR("e"))->index] == false);
    buf_free(&out);
    rule_free(&p);
}

static void damaged(void **state)
{
    (void)state;
    struct buf b;
    char hash[65];
    struct program *p = load(rule_1);
    make(p, NULL, &b, hash);
    rule_free(&p);
    for (size_t n = 0; n < b.n; n += n < 200 ? 1 : 37) { /* cut anywhere */
        struct err err = {0};
        p = bundle_load((struct str){b.p, n}, &err);
        if (p) /* between two records: a smaller program, under another name */
            assert_string_not_equal(p->hash, hash);
        else
            assert_int_equal(err.kind, ERR_INPUT);
        rule_free(&p);
    }
    struct err err = {0};
    char *level = memmem(b.p, b.n, "level 1\n", 8);
    level[6] = '9';
    assert_null(bundle_load(buf_str(&b), &err));
    assert_string_equal(err.code, "bundle_level");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip), cmocka_unit_test(canonical), cmocka_unit_test(earlier_texts),
        cmocka_unit_test(superseded), cmocka_unit_test(damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
