/* SPDX-License-Identifier: Apache-2.0 */
/* rule: what the example files become, and what small programs become. */
#include "rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define EXAMPLES ROUSE_SOURCE "/tests/cases/examples"

static const char shop[] = "policy: {tz: Asia/Shanghai, consent: {sms: 'true', wechat: 'true'}}\n"
                           "tags: {openid: {type: address}, phone: {type: address}}\n"
                           "messages: {m: {via: [wechat]}, s: {via: [sms], purpose: service}}\n";

/* Load texts; fail with the messages when there are errors. */
static struct program *load(const char *more)
{
    struct str names[] = {STR("shop.yaml"), STR("t.yaml")};
    struct str texts[] = {str_c(shop), str_c(more)};
    struct diags *d = diags_new();
    struct rule_options o = {.tests = true};
    struct program *p = rule_load_texts(names, texts, 2, &o, d);
    if (!p) {
        struct buf b;
        buf_init(&b, 1 << 20);
        diags_text(d, 50, &b);
        fail_msg("%s", b.p);
    }
    diags_free(&d);
    return p;
}

/* Codes of all messages, joined by spaces. */
static void codes(const char *more, char out[256])
{
    struct str names[] = {STR("shop.yaml"), STR("t.yaml")};
    struct str texts[] = {str_c(shop), str_c(more)};
    struct diags *d = diags_new();
    struct program *p = rule_load_texts(names, texts, 2, NULL, d);
    out[0] = 0;
    for (size_t i = 0; i < diags_len(d) && i < 40; i++) {
        strcat(out, i ? " " : "");
        strcat(out, diags_get(d, i)->code);
    }
    rule_free(&p);
    diags_free(&d);
}

static void assert_str(struct str got, const char *want)
{
    char *c = xmemdup0(got.p, got.n);
    assert_string_equal(c, want);
    free(c);
}

static const struct rule_def *rule(const struct program *p, const char *name)
{
    uint32_t i = program_rule(p, str_c(name));
    assert_int_not_equal(i, RULE_NONE);
    return &p->rules[i];
}

static const struct tag_def *tag(const struct program *p, const char *name)
{
    uint32_t i = program_tag(p, str_c(name));
    assert_int_not_equal(i, RULE_NONE);
    return &p->tags[i];
}

static struct program *examples(void)
{
    struct diags *d = diags_new();
    struct err err = {0};
    struct rule_options o = {.tests = true};
    struct program *p = rule_load_dir(EXAMPLES, &o, d, &err);
    if (!p || diags_len(d))
        fail_msg("%s, %zu messages", err.text, diags_len(d));
    diags_free(&d);
    return p;
}

static void example_program(void **state)
{
    (void)state;
    struct program *p = examples();
    assert_int_equal(p->n_rules, 12);
    assert_int_equal(p->n_tests, 12);
    assert_int_equal(p->schema->n, 8); /* six and the two built-in ones */
    assert_str(zone_name(p->tz), "Asia/Shanghai");
    assert_int_equal(p->policy.quiet_from, 21 * 60);
    assert_int_equal(p->policy.quiet_to, 9 * 60);
    assert_int_equal(p->policy.holdout, 500);
    assert_int_equal(p->policy.n_caps, 3);
    assert_int_equal(p->policy.caps[1].limit.per, PER_DAYS);
    assert_int_equal(p->policy.caps[1].limit.len, 7);
    assert_true(p->uses_old);
    uint32_t purchase = schema_event(p->schema, STR("purchase"))->index;
    assert_true(p->kept_event[purchase]);
    assert_false(p->kept_event[schema_event(p->schema, STR("browse"))->index]);
    assert_int_equal(p->starts_by_event[purchase].n, 2); /* first_order, refill */
    assert_str(p->rules[p->starts_by_event[purchase].v[0]].name, "first_order");
    assert_int_equal(p->silence_by_event[purchase].n, 1);
    assert_int_equal(p->timed.n, 4);
    assert_int_equal(p->rules_by_tag[tag(p, "level")->index].n, 1);
    rule_free(&p);
}

static void example_tags(void **state)
{
    (void)state;
    struct program *p = examples();
    const struct tag_def *t = tag(p, "views_3d");
    assert_int_equal(t->kind, TAG_COUNT);
    assert_int_equal(t->window.kind, WIN_DAYS);
    assert_int_equal(t->window.n, 3);
    assert_non_null(t->by);
    assert_int_equal(t->type->kind, TYPE_MAP);
    t = tag(p, "spend_365d");
    assert_int_equal(t->type->kind, TYPE_MONEY);
    assert_int_equal(t->arg->kind, TYPE_MONEY);
    assert_int_equal(tag(p, "avg_basket")->type->kind, TYPE_DOUBLE);
    assert_int_equal(tag(p, "last_purchase")->type->kind, TYPE_TIMESTAMP);
    assert_int_equal(tag(p, "spend_this_year")->window.kind, WIN_YEAR);
    t = tag(p, "level");
    assert_int_equal(t->n_levels, 3);
    assert_str(t->levels[2].name, "basic");
    assert_null(t->levels[2].when);
    assert_int_equal(t->keep_ms, 30 * TIME_DAY);
    assert_true(t->public_);
    assert_int_equal(t->n_reads, 1);
    assert_int_equal(t->reads[0], tag(p, "spend_365d")->index);
    assert_int_equal(p->derived.n, 2);
    assert_int_equal(p->watched.n, 2);
    t = tag(p, "name");
    assert_true(t->has_default);
    assert_str(val_get_str(t->dflt), "会员");
    int f = type_field(p->member, STR("avg_basket"));
    assert_true(p->member->fields[f].optional);
    f = type_field(p->member, STR("orders"));
    assert_false(p->member->fields[f].optional);
    assert_str(p->member->fields[p->member->n_fields - 1].name, "id");
    /* profile has a field for each stored tag */
    const struct event_def *e = schema_event(p->schema, STR("profile"));
    assert_int_equal(e->fields->n_fields, 8 + EVENT_EXTRA);
    assert_true(e->fields->fields[type_field(e->fields, STR("phone"))].optional);
    rule_free(&p);
}

static void example_rules(void **state)
{
    (void)state;
    struct program *p = examples();
    const struct rule_def *r = rule(p, "welcome"); /* split: a, b, none */
    assert_int_equal(r->code[0].op, OP_SPLIT);
    assert_str(r->code[0].salt, "welcome");
    assert_int_equal(r->code[0].branches[1].below, 9000);
    assert_int_equal(r->code[r->code[0].branches[0].pc].op, OP_SEND);
    assert_str(r->code[r->code[0].branches[1].pc].path, "0.b.0");
    assert_int_equal(r->code[r->code[0].branches[2].pc].op, OP_END);
    assert_int_equal(r->limit.per, PER_EVER);
    r = rule(p, "coupon"); /* wait until, else */
    assert_int_equal(r->code[0].op, OP_WAIT);
    assert_int_equal(r->code[0].len_ms, 7 * TIME_DAY);
    assert_int_equal(r->code[0].n_until, 1);
    assert_int_equal(r->code[r->code[0].else_pc].op, OP_SEND);
    assert_str(r->code[r->code[0].else_pc].path, "0.else.0");
    const struct instr *jump = &r->code[r->code[r->code[0].else_pc].next];
    assert_int_equal(jump->op, OP_JUMP);
    assert_int_equal(r->code[jump->next].op, OP_END);
    assert_int_equal(r->code[r->code[0].next].op, OP_SEND);
    assert_non_null(r->code[r->code[0].next].next_view);
    assert_non_null(r->key);
    r = rule(p, "birthday");
    assert_int_equal(r->trigger.kind, TRIG_DATE);
    assert_int_equal(r->trigger.shift_days, -3);
    assert_int_equal(r->trigger.at, 600);
    r = rule(p, "weekday_deal");
    assert_int_equal(r->trigger.weekdays, 0x1f);
    assert_int_equal(r->trigger.at, 17 * 60);
    r = rule(p, "cart_left");
    assert_int_equal(r->again, AGAIN_RESTART);
    assert_int_equal(r->n_cancel, 1);
    assert_int_equal(r->limit.per, PER_DAYS);
    assert_int_equal(r->priority, 60);
    assert_true(r->has_marketing);
    assert_false(rule(p, "gold")->has_marketing);
    assert_int_equal(rule(p, "first_order")->code[0].wait, WAIT_CLOCK);
    assert_int_equal(rule(p, "first_order")->code[0].days, 1);
    const struct message_def *m = &p->messages[rule(p, "cart_left")->code[1].message];
    assert_int_equal(m->via[1].n_text, 5); /* 【悦选】 {name} ， {title} 还在… */
    assert_int_equal(m->expire_ms, TIME_DAY);
    rule_free(&p);
}

static void example_tests(void **state)
{
    (void)state;
    struct program *p = examples();
    const struct test_def *t = NULL;
    for (uint32_t i = 0; i < p->n_tests; i++)
        if (str_eqc(p->tests[i].name, "late_event_counts_but_does_not_trigger"))
            t = &p->tests[i];
    assert_non_null(t);
    assert_int_equal(t->n_rules, 1);
    assert_int_equal(t->n_steps, 2);
    const struct test_step *s = &t->steps[0];
    assert_int_equal(s->n_events, 1);
    assert_str(s->events[0].id, "p1");
    assert_str(s->member, "m1");
    assert_int_equal(s->at_ms - t->start_ms, TIME_DAY);
    assert_int_equal(s->events[0].at_ms - t->start_ms, 2 * TIME_HOUR);
    assert_true(t->steps[1].has_expect);
    assert_int_equal(t->steps[1].n_expect, 0);
    assert_int_equal(t->steps[1].n_tags, 1);
    assert_str(t->steps[1].tags[0].value, "1");
    rule_free(&p);
}

static void several_events(void **state)
{
    (void)state;
    struct program *p = load("events:\n"
                             "  a: {member: m, fields: {x: int, s: string, only: int}}\n"
                             "  b: {member: m, fields: {s: string?, pad: bool, x: int}}\n"
                             "rules:\n"
                             "  r:\n"
                             "    trigger: [a, b]\n"
                             "    if: event.x > 1 && has(event.s)\n"
                             "    do:\n"
                             "      - {wait: 1h, until: [b, a]}\n"
                             "      - choose: [{if: next.x == 2, do: [{stop: true}]}]\n"
                             "      - {set: {openid: next.s}}\n");
    const struct rule_def *r = rule(p, "r");
    assert_int_equal(r->view.type->n_fields, 2 + EVENT_EXTRA);
    const struct event_def *b = schema_event(p->schema, STR("b"));
    struct val f[6] = {0}, room[5];
    f[0] = val_str(STR("q"));
    f[1] = val_bool(true);
    f[2] = val_int(7);
    struct event ev = {.def = b, .f = f};
    const struct val *v = event_view(&r->view, &ev, room);
    assert_ptr_equal(v, room);
    assert_int_equal(v[type_field(r->view.type, STR("x"))].i, 7);
    assert_str(val_get_str(v[type_field(r->view.type, STR("s"))]), "q");
    assert_true(r->view.type->fields[type_field(r->view.type, STR("s"))].optional);
    assert_int_equal(r->code[0].until_view.n_events, 2);
    assert_non_null(r->code[1].next_view);
    ev.def = schema_event(p->schema, STR("profile"));
    assert_null(event_view(&r->view, &ev, room));
    rule_free(&p);
}

static void members_of_two(void **state)
{
    (void)state;
    struct program *p = load("events:\n"
                             "  invite: {topic: crm.invite, match: {type: OK}, member: {inviter: "
                             "a.id, invitee: b}, each: list, time: t,\n"
                             "           fields: {id2: {type: int, path: data.x}, n: [string]}}\n"
                             "tags: {invites: {count: invite, where: event.role == 'inviter'}}\n");
    const struct event_def *e = schema_event(p->schema, STR("invite"));
    assert_int_equal(e->n_member, 2);
    assert_str(e->member[0].role, "inviter");
    assert_int_equal(e->member[0].path.n, 2);
    assert_int_equal(e->each.n, 1);
    assert_str(e->match[0].value, "OK");
    assert_int_equal(e->paths[0].n, 2);
    assert_str(e->paths[0].keys[1], "x");
    assert_int_equal(p->tags_by_event[e->index].n, 1);
    rule_free(&p);
}

static void derived_order(void **state)
{
    (void)state;
    struct program *p = load("events: {e: {member: m}}\n"
                             "tags:\n"
                             "  a: {value: member.b && member.c > 1}\n"
                             "  b: {value: member.z > 3}\n"
                             "  c: {value: 'member.z + 1', public: false}\n"
                             "  l: {levels: [{top: member.a}], else: low}\n"
                             "  z: {count: e}\n");
    assert_int_equal(p->derived.n, 4);
    assert_str(p->tags[p->derived.v[0]].name, "b");
    assert_str(p->tags[p->derived.v[1]].name, "c");
    assert_str(p->tags[p->derived.v[2]].name, "a");
    assert_str(p->tags[p->derived.v[3]].name, "l");
    assert_int_equal(p->watched.n, 3); /* not c: nobody sees it change */
    rule_free(&p);
}

/* A tag is another one when its meaning changes, not when its default does. */
static void tag_hashes(void **state)
{
    (void)state;
    static const char *const same[] = {
        "tags: {x: {type: int, default: 3}}\n",
        "tags: {x: {type: int, ttl: 3d, public: true}}\n",
        "tags:\n  x:   # a comment\n    type: int\n",
    };
    uint64_t h = 0;
    for (size_t i = 0; i < BASE_LEN(same); i++) {
        struct program *p = load(same[i]);
        if (i)
            assert_true(tag(p, "x")->def_hash == h);
        h = tag(p, "x")->def_hash;
        rule_free(&p);
    }
    static const char *const other[] = {
        "events: {e: {member: m, fields: {a: int}}}\ntags: {x: {sum: e.a, window: 3d}}\n",
        "events: {e: {member: m, fields: {a: money}}}\ntags: {x: {sum: e.a, window: 3d}}\n",
        "events: {e: {member: m, fields: {a: int}}}\ntags: {x: {sum: e.a, window: 4d}}\n",
        "tags: {x: {type: string}}\n",
    };
    for (size_t i = 0; i < BASE_LEN(other); i++) {
        struct program *p = load(other[i]);
        assert_true(tag(p, "x")->def_hash != h);
        h = tag(p, "x")->def_hash;
        rule_free(&p);
    }
}

static void rule_hashes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "events: {e: {member: m}}\nrules: {r: {trigger: e, do: [{wait: 2h}]}}\n",
        ("events: {e: {member: m}}\nrules:\n  r:\n    trigger: e  # why\n    note: a text\n"
         "    do:\n      - wait: 2h\n"),
        "events: {e: {member: m}}\nrules: {r: {trigger: e, do: [{wait: 3h}]}}\n",
    };
    char hash[3][17];
    for (size_t i = 0; i < 3; i++) {
        struct program *p = load(texts[i]);
        struct str h = rule(p, "r")->hash;
        assert_int_equal(h.n, 16);
        memcpy(hash[i], h.p, 16);
        hash[i][16] = 0;
        assert_ptr_equal(program_version(p, STR("r"), h), rule(p, "r"));
        assert_null(program_version(p, STR("r"), STR("0123456789abcdef")));
        rule_free(&p);
    }
    assert_string_equal(hash[0], hash[1]);
    assert_string_not_equal(hash[0], hash[2]);
}

static void limits_of_windows(void **state)
{
    (void)state;
    struct program *p =
        load("events: {e: {member: m}}\n"
             "tags: {a: {count: e, window: 48h}, b: {count: e, window: 1d12h}, c: {count: e, "
             "window: 3660d}, d: {count: e}, w: {count: e, window: week}}\n");
    assert_int_equal(tag(p, "a")->window.kind, WIN_LENGTH);
    assert_int_equal(tag(p, "a")->window.n, 48 * TIME_HOUR);
    assert_int_equal(tag(p, "b")->window.n, 36 * TIME_HOUR);
    assert_int_equal(tag(p, "c")->window.n, 3660);
    assert_int_equal(tag(p, "d")->window.kind, WIN_EVER);
    assert_int_equal(tag(p, "w")->window.kind, WIN_WEEK);
    rule_free(&p);
    char out[256];
    codes("events: {e: {member: m}}\ntags: {a: {count: e, window: 3661d}, b: {count: e, window: "
          "49h}, c: {count: e, window: 0d}}\n",
          out);
    assert_string_equal(out, "G004 G004 G004");
}

static void warnings(void **state)
{
    (void)state;
    char out[256];
    codes(
        "events: {e: {member: m, fields: {a: string?}}}\n"
        "messages: {n: {params: [a], via: [wechat]}}\n"
        "policy: {quiet: '21:00-09:00'}\n"
        "rules:\n"
        "  a: {trigger: e, if: 'true', do: [{send: m}]}\n"
        "  b: {trigger: e, if: 1 > 2, limit: 1 ever, do: [{send: m}]}\n"
        "  c: {trigger: e, limit: 1 ever, do: [{send: n, with: {a: event.a}}]}\n"
        "  d: {trigger: e, if: has(event.a), limit: 1 ever, do: [{wait: '22:00'}, {send: n, with: "
        "{a: event.a}}]}\n"
        "  f: {trigger: {every: 'day 22:00'}, do: [{wait: 10:00}, {send: m}]}\n",
        out);
    assert_string_equal(out, "W002 W003 W004 W005 W006 W008 W001");
}

static void zone_missing(void **state)
{
    (void)state;
    struct str names[] = {STR("a.yaml")}, texts[] = {STR("events: {e: {member: m}}\n")};
    struct diags *d = diags_new();
    assert_null(rule_load_texts(names, texts, 1, NULL, d));
    assert_int_equal(diags_len(d), 1);
    assert_string_equal(diags_get(d, 0)->code, "P001");
    struct buf b;
    buf_init(&b, 4096);
    diags_text(d, 50, &b); /* a message without a place can be printed too */
    buf_free(&b);
    diags_free(&d);
}

static void tables(void **state)
{
    (void)state;
    struct str names[] = {STR("shop.yaml"), STR("t.yaml"), STR("p.csv")};
    struct str texts[] = {
        str_c(shop),
        STR("events: {e: {member: m, fields: {sku: string, text: string}}}\n"
            "tables:\n"
            "  products: {file: p.csv, key: sku, fields: {title: string, stage: int?, price: "
            "money}}\n"
            "  words: {list: [驱虫, 绝育]}\n"
            "rules:\n"
            "  r:\n"
            "    trigger: e\n"
            "    if: >\n"
            "      event.sku in products && products[event.sku].price > 1.5 &&\n"
            "      words.exists(w, event.text.contains(w))\n"
            "    do: []\n"),
        STR("\xef\xbb\xbfstage,sku,price,title,more\r\n1,B,2.50,\"a, \"\"b\"\"\nc\",x\r\n\r\n"
            ",A,3,t,\r\n"),
    };
    struct diags *d = diags_new();
    struct program *p = rule_load_texts(names, texts, 3, NULL, d);
    if (!p)
        fail_msg(STR_FMT, STR_ARG(diags_get(d, 0)->text));
    assert_int_equal(p->n_tables, 2);
    const struct val *v = p->tables[0].value.list;
    assert_int_equal(p->tables[0].value.n, 2);
    assert_str(val_get_str(v[0]), "A"); /* sorted by key */
    assert_int_equal(v[1].list[1].t, V_ABSENT);
    assert_int_equal(v[1].list[2].i, 300);
    assert_str(val_get_str(v[3].list[0]), "a, \"b\"\nc");
    assert_int_equal(v[3].list[1].i, 1);
    rule_free(&p);
    diags_free(&d);
}

static void gateways(void **state)
{
    (void)state;
    char dir[] = "/tmp/rouse-gateways-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/desk.yaml", dir);
    FILE *f = fopen(path, "w");
    fputs("url: http://127.0.0.1\n", f);
    fclose(f);
    char sms[64];
    snprintf(sms, sizeof sms, "%s/sms.yaml", dir);
    f = fopen(sms, "w");
    fputs("address: mobile\n", f);
    fclose(f);
    struct str names[] = {STR("shop.yaml"), STR("t.yaml")};
    struct str texts[] = {str_c(shop), STR("tags: {mobile: {type: address}}\n"
                                           "messages: {t: {via: [desk], purpose: task}}\n")};
    struct rule_options o = {.gateways_dir = dir};
    struct diags *d = diags_new();
    struct program *p = rule_load_texts(names, texts, 2, &o, d);
    assert_non_null(p);
    assert_int_equal(p->n_gateways, 7);
    assert_str(p->gateways[1].name, "desk"); /* between coupon and email */
    assert_int_equal(p->gateways[1].address_tag, RULE_NONE);
    assert_int_equal(p->gateways[4].address_tag, tag(p, "mobile")->index);
    rule_free(&p);
    diags_free(&d);
    unlink(path);
    unlink(sms);
    rmdir(dir);
}

static void no_directory(void **state)
{
    (void)state;
    struct diags *d = diags_new();
    struct err err = {0};
    assert_null(rule_load_dir("/nonexistent/rules", NULL, d, &err));
    assert_int_equal(err.kind, ERR_FATAL);
    diags_free(&d);
}

/* The design's own examples, where they are: all but the one rule that needs a lunar calendar. */
static void design_examples(void **state)
{
    (void)state;
    static const char dir[] = ROUSE_SOURCE "/../shared/design/examples";
    struct stat st;
    if (stat(dir, &st) != 0) {
        print_message("skipped: ../shared is not here\n");
        skip();
    }
    struct rule_options o = {.tests = true};
    struct diags *d = diags_new();
    struct err err = {0};
    struct program *p = rule_load_dir(dir, &o, d, &err);
    assert_non_null(p);
    assert_int_equal(diags_errors(d), 0);
    assert_int_equal(p->n_rules, 12);
    rule_free(&p);
    diags_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_program), cmocka_unit_test(example_tags),
        cmocka_unit_test(example_rules),   cmocka_unit_test(example_tests),
        cmocka_unit_test(several_events),  cmocka_unit_test(members_of_two),
        cmocka_unit_test(derived_order),   cmocka_unit_test(tag_hashes),
        cmocka_unit_test(rule_hashes),     cmocka_unit_test(limits_of_windows),
        cmocka_unit_test(warnings),        cmocka_unit_test(zone_missing),
        cmocka_unit_test(tables),          cmocka_unit_test(gateways),
        cmocka_unit_test(no_directory),    cmocka_unit_test(design_examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
