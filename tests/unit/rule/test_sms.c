/* SPDX-License-Identifier: Apache-2.0 */
/* How long SMS texts get. */
#include "rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char rules[] =
    "policy: {tz: UTC, consent: {sms: 'true'}}\n"
    "tags:\n"
    "  phone: {type: address}\n"
    "  name: {type: {type: string, max: 10}, default: 会员}\n"
    "  nick: {type: string, default: x}\n"
    "events:\n"
    "  e: {member: m, fields: {amount: money, kind: {type: string, one_of: [a, abc]}}}\n"
    "messages:\n"
    "  const: {params: [x], via: [sms], sms: {text: '【悦选】{x}，拒收请回复R'}}\n"
    "  long: {params: [x, y], via: [sms], sms: {text: '【悦选】{x}{x}{y}，拒收请回复R'}}\n"
    "  never: {params: [x], via: [sms], sms: {text: '【悦选】{x}，拒收请回复R'}}\n"
    "  template: {params: [x], via: [sms], sms: {template: T}}\n"
    "  unused: {params: [x], via: [sms], purpose: service, sms: {text: '【悦选】😀'}}\n"
    "rules:\n"
    "  r:\n"
    "    trigger: e\n"
    "    do:\n"
    "      - {send: const, with: {x: \"'您好'\"}}\n"
    "      - {send: const, with: {x: event.kind}}\n"
    "      - {send: long, with: {x: member.name, y: yuan(event.amount)}}\n"
    "      - {send: long, with: {x: \"'😀'\", y: \"member.name + member.name\"}}\n"
    "      - {send: template, with: {x: member.nick}}\n"
    "      - {send: unused, with: {x: member.nick}}\n";

static void sizes(void **state)
{
    static const struct {
        const char *name;
        uint32_t text, most, x;
        bool sent;
    } want[] = {{"const", 11, 14, 3, true},
                {"long", 11, 11 + 20 + 32, 10, true},
                {"never", 11, 11 + 256, 256, false},
                {"template", 0, 0, 256, true},
                {"unused", 6, 6, 256, true}};
    struct str names[] = {STR("a.yaml")}, texts[] = {str_c(rules)};
    struct diags *d = diags_new();
    struct arena *a = arena_new(0);
    struct sms_size *v;
    (void)state;
    struct program *p = rule_load_texts(names, texts, 1, NULL, d);
    if (!p)
        fail_msg("%s", diags_get(d, 0)->text.p);
    assert_int_equal(program_sms(p, a, &v), BASE_LEN(want));
    for (size_t i = 0; i < BASE_LEN(want); i++) {
        if (!str_eqc(p->messages[v[i].message].name, want[i].name) || v[i].text != want[i].text ||
            v[i].most != want[i].most || v[i].params[0] != want[i].x || v[i].sent != want[i].sent)
            fail_msg("%s: text %u, most %u, x %u, sent %d", want[i].name, v[i].text, v[i].most,
                     v[i].params[0], v[i].sent);
    }
    arena_free(&a);
    rule_free(&p);
    diags_free(&d);
}

static void segments(void **state)
{
    (void)state;
    static const uint32_t want[][2] = {{0, 1},   {1, 1},   {70, 1},  {71, 2},
                                       {134, 2}, {135, 3}, {201, 3}, {202, 4}};
    for (size_t i = 0; i < BASE_LEN(want); i++)
        assert_int_equal(sms_segments(want[i][0]), want[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(segments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
