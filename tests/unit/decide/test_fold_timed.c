/* SPDX-License-Identifier: Apache-2.0 */
/* What time triggers: silence, date, every; edits, activation and its sweep, downtime, idling. */
#include "fold_util.h"
#include "shop.h"

#define POLICY                                                                                     \
    "policy:\n"                                                                                    \
    "  tz: Asia/Shanghai\n"                                                                        \
    "  consent: {sms: member.sms_ok, wechat: member.follows}\n"                                    \
    "  late: 1h\n"                                                                                 \
    "  expire: 24h\n"

static void begin_clock(struct fu *f, const char *rules, const char *local, bool append)
{
    const char *texts[] = {shop, POLICY, rules};
    fu_start_clock(f, texts, 3, local, append);
    fu_fold(f);
}

static void begin(struct fu *f, const char *rules, const char *local)
{
    begin_clock(f, rules, local, false);
}

/* Another program takes effect now; its bundle has the earlier texts or not. */
static void edit(struct fu *f, const char *rules, bool keep_texts)
{
    const char *texts[] = {shop, POLICY, rules};
    f->p = fu_program(texts, 3);
    if (keep_texts)
        f->p = fu_bundled(f->p, f->by_hash[f->n_programs - 1]);
    f->by_hash[f->n_programs++] = f->p;
    fu_rules(&f->log, f->n_programs, (int)f->n_programs - 1, f->now);
    fu_fold(f);
}

static void known(struct fu *f, const char *m, const char *birthday)
{
    char json[256];
    (void)snprintf(
        json, sizeof json, "{\"member\":\"%s\",\"set\":{\"openid\":\"o\",\"phone\":\"1\"%s%s%s}}",
        m, birthday ? ",\"birthday\":\"" : "", birthday ? birthday : "", birthday ? "\"" : "");
    fu_send(f, "profile", json);
}

#define SILENCE                                                                                    \
    "rules:\n"                                                                                     \
    "  winback: {trigger: {silence: [purchase, register], for: 90d, at: \"10:00\"}, do: [{send: "  \
    "text, with: {name: member.name}}]}\n"

static void silence(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, SILENCE, "2026-03-02 10:00");
    known(&f, "m1", NULL);
    known(&f, "m2", NULL); /* never did it: never fires */
    fu_send(&f, "crm", "{\"id\":\"r1\",\"m\":\"m1\"}");
    fu_go_send(&f, "2026-04-01 13:00", "order", "{\"id\":\"p1\",\"m\":\"m1\",\"amount\":1}");
    fu_go(&f, "2026-06-30 13:00"); /* due now; at 10:00 means the next morning */
    EXPECT(&f, "");
    fu_go(&f, "2027-06-01 00:00");
    EXPECT(&f, "send text m1 sms 2026-07-01 10:00");
    fu_stop(&f);
}

static void birthdays(void **state)
{
    struct fu f;
    (void)state;
    begin(&f,
          "rules:\n"
          "  birthday: {trigger: {date: member.birthday, before: 3d, at: \"10:00\"}, do: [{send: "
          "note, "
          "with: {name: member.name}}]}\n",
          "2026-01-01 00:00");
    known(&f, "m1", "2000-02-29");
    known(&f, "m2", "1990-01-02");
    fu_go(&f, "2026-12-31 00:00");
    EXPECT(&f, "send note m1 wechat 2026-02-25 10:00\nsend note m2 wechat 2026-12-30 10:00");
    fu_go(&f, "2028-12-31 00:00");
    EXPECT(&f, "send note m1 wechat 2027-02-25 10:00\nsend note m2 wechat 2027-12-30 10:00\n"
               "send note m1 wechat 2028-02-26 10:00\nsend note m2 wechat 2028-12-30 10:00");
    /* an edited birthday gives no second gift in the same year */
    known(&f, "m1", "2000-12-31"); /* three days before is past; so is 2028 */
    known(&f, "m2", "1990-01-20"); /* occurrence 2029 has been given */
    fu_go(&f, "2029-12-31 00:00");
    EXPECT(&f, "send note m1 wechat 2029-12-28 10:00");
    fu_go(&f, "2030-02-01 00:00");
    EXPECT(&f, "send note m2 wechat 2030-01-17 10:00");
    fu_stop(&f);
}

static void fixed_dates(void **state)
{
    struct fu f;
    (void)state;
    begin(&f,
          "rules:\n"
          "  once: {trigger: {date: \"2026-06-18\", at: \"08:00\"}, do: [{send: note, with: {name: "
          "member.name}}]}\n"
          "  yearly: {trigger: {date: \"11-11\", after: 1d}, do: [{send: text, with: {name: "
          "member.name}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1", NULL);
    fu_go(&f, "2028-01-01 00:00");
    EXPECT(&f, "send note m1 wechat 2026-06-18 08:00\nsend text m1 sms 2026-11-12 00:00\n"
               "send text m1 sms 2027-11-12 00:00");
    fu_stop(&f);
}

static void schedules(void **state)
{
    struct fu f;
    (void)state;
    begin(&f,
          "rules:\n"
          "  week: {trigger: {every: \"mon-fri 17:00\"}, if: member.orders > 0, do: [{send: note, "
          "with: {name: member.name}}]}\n"
          "  payday: {trigger: {every: \"month last 09:00\"}, do: [{send: text, with: {name: "
          "member.name}}]}\n",
          "2026-03-05 12:00"); /* a Thursday */
    known(&f, "m1", NULL);
    known(&f, "m2", NULL);
    fu_send(&f, "order", "{\"id\":\"p1\",\"m\":\"m1\",\"amount\":1}");
    fu_go(&f, "2026-03-09 17:00");
    EXPECT(&f, "send note m1 wechat 2026-03-05 17:00\nsend note m1 wechat 2026-03-06 17:00\n"
               "send note m1 wechat 2026-03-09 17:00");
    fu_go(&f, "2026-03-31 08:59");
    (void)fu_news(&f);
    fu_go(&f, "2026-03-31 09:00");
    EXPECT(&f, "send text m1 sms 2026-03-31 09:00\nsend text m2 sms 2026-03-31 09:00");
    fu_stop(&f);
}

/* What is folded later than `late` after its instant is skipped; waits are not. (`append`: a tick's
 * time is what is seen.) */
static void downtime(void **state)
{
    struct fu f;
    struct decide_stats st;
    (void)state;
    begin_clock(
        &f,
        "rules:\n"
        "  week: {trigger: {every: \"day 17:00\"}, do: [{send: note, with: {name: "
        "member.name}}]}\n"
        "  later: {trigger: browse, do: [{wait: 30m}, {send: text, with: {name: member.name}}, "
        "{wait: 1h}, {send: text, with: {name: member.name}}]}\n",
        "2026-03-05 16:00", true);
    known(&f, "m1", NULL);
    fu_send(&f, "browse", "{\"id\":\"b\",\"m\":\"m1\",\"sku\":\"A\"}");
    fu_go(&f, "2026-03-07 17:30");
    EXPECT(&f, "send text m1 sms 2026-03-05 16:30\nsend text m1 sms 2026-03-05 17:30\n"
               "send note m1 wechat 2026-03-07 17:00");
    decide_stats(f.d, &st);
    assert_int_equal(st.late, 2);
    fu_stop(&f);
}

/* New rules reach members who send nothing; what is overdue by more than `late` does not fire. */
static void activation_sweeps(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, "rules:\n  none: {trigger: cart, do: [{send: note, with: {name: member.name}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1", NULL);
    known(&f, "m2", NULL);
    fu_send(&f, "order", "{\"id\":\"p1\",\"m\":\"m1\",\"amount\":1}");
    fu_go_send(&f, "2026-03-20 10:00", "order", "{\"id\":\"p2\",\"m\":\"m2\",\"amount\":1}");
    fu_go(&f, "2026-06-01 10:00"); /* m1 is silent for 91 days, m2 for 73 */
    edit(&f, SILENCE, false);
    fu_go(&f, "2027-06-01 10:00");
    EXPECT(&f, "send text m2 sms 2026-06-18 10:00");
    fu_stop(&f);
}

#define SLOW(len, mode)                                                                            \
    "rules:\n  slow: {trigger: browse, " mode "do: [{wait: " len "}, {send: note, with: {name: "   \
    "member.name}}]}\n"

/* A run finishes on the text that it started with; one whose text is gone ends. */
static void edit_with_live_runs(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, SLOW("1d", ""), "2026-03-02 10:00");
    known(&f, "m1", NULL);
    fu_send(&f, "browse", "{\"id\":\"b\",\"m\":\"m1\",\"sku\":\"A\"}");
    edit(&f, SLOW("2d", ""), true);
    fu_go(&f, "2026-03-03 12:00");
    EXPECT(&f, "send note m1 wechat 2026-03-03 10:00");
    fu_send(&f, "browse", "{\"id\":\"b2\",\"m\":\"m1\",\"sku\":\"A\"}");
    edit(&f,
         SLOW("2d", "") "  other: {trigger: cart, do: [{send: note, with: {name: member.name}}]}\n",
         false);
    fu_go(&f, "2026-03-06 12:00"); /* the same text: it goes on */
    EXPECT(&f, "send note m1 wechat 2026-03-05 12:00");
    fu_send(&f, "browse", "{\"id\":\"b3\",\"m\":\"m1\",\"sku\":\"A\"}");
    edit(&f, SLOW("3d", ""), false);
    fu_go(&f, "2026-03-10 12:00");
    EXPECT(&f, ""); /* superseded */
    fu_stop(&f);
}

/* A rule that is switched off withholds what its runs want; a rule taken out lets them finish. */
static void switched_off(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, SLOW("1d", ""), "2026-03-02 10:00");
    known(&f, "m1", NULL);
    fu_send(&f, "browse", "{\"id\":\"b\",\"m\":\"m1\",\"sku\":\"A\"}");
    edit(&f, SLOW("1d", "mode: \"off\", "), true);
    fu_send(&f, "browse", "{\"id\":\"b2\",\"m\":\"m1\",\"sku\":\"A\"}"); /* starts nothing */
    fu_go(&f, "2026-03-05 10:00");
    EXPECT(&f, "withhold note m1 off 2026-03-03 10:00");
    edit(&f, SLOW("1d", ""), true);
    fu_send(&f, "browse", "{\"id\":\"b4\",\"m\":\"m1\",\"sku\":\"A\"}");
    edit(&f, "rules:\n  other: {trigger: cart, do: [{send: note, with: {name: member.name}}]}\n",
         true);
    fu_go(&f, "2026-03-07 10:00");
    EXPECT(&f, "send note m1 wechat 2026-03-06 10:00");
    fu_stop(&f);
}

static void rules_that_do_not_count(void **state)
{
    struct fu f;
    struct err err = {0};
    (void)state;
    begin(&f, "rules:\n  a: {trigger: browse, do: [{send: note, with: {name: member.name}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1", NULL);
    fu_rules(&f.log, 1, 7, f.now); /* n <= current: ignored, whatever it names */
    fu_fold(&f);
    assert_int_equal(decide_meta(f.d)->n, 1);
    char hash[65];
    memset(hash, '9', 64);
    hash[64] = 0;
    struct record r = {.kind = REC_RULES, .n = 2, .at_ms = f.now, .hash = str_c(hash), .level = 1};
    assert_int_equal(decide_record(f.d, &r, f.folded, f.now, &err), DECIDE_PARK);
    assert_non_null(strstr(err.text, "9999"));
    err = (struct err){0};
    r.hash.p = "0000000000000000000000000000000000000000000000000000000000000000";
    r.level = RULE_LEVEL + 1;
    assert_int_equal(decide_record(f.d, &r, f.folded, f.now, &err), DECIDE_PARK);
    assert_string_equal(err.code, "rules_level");
    r.level = RULE_LEVEL;
    assert_int_equal(decide_record(f.d, &r, f.folded, f.now, &err), DECIDE_DONE);
    assert_int_equal(decide_meta(f.d)->n, 2);
    fu_stop(&f);
}

/* A level falls once the lower one has lasted `keep`, by time alone. */
static void level_falls_at_midnight(void **state)
{
    struct fu f;
    (void)state;
    begin(&f,
          "rules:\n"
          "  down: {trigger: {tag: level}, if: old.level == 'gold', do: [{send: note, with: {name: "
          "member.level}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1", NULL);
    fu_send(&f, "order", "{\"id\":\"p1\",\"m\":\"m1\",\"amount\":1000}");
    fu_go(&f, "2026-05-01 00:00");
    /* 30 local days, then ten days of keep */
    EXPECT(&f, "send note m1 wechat 2026-04-11 00:00");
    assert_true(str_eqc(val_get_str(f.dec[0].d.data[0].value), "basic"));
    fu_stop(&f);
}

/* A member leaves when nothing is left of him that a new one would not have. */
static void idle_members_leave(void **state)
{
    struct fu f;
    struct decide_stats st;
    (void)state;
    static const char base[] =
        "events:\n  ping: {topic: ping, id: id, member: m, time: ts, fields: {id: string}}\n"
        "tags:\n  pings: {count: ping, window: 7d}\n  openid: {type: address}\n"
        "messages:\n  note: {params: [], via: [wechat], purpose: task, wechat: {template: W}}\n";
    static const char rules[] =
        "rules:\n  p: {trigger: {every: \"mon 09:00\"}, if: member.pings > 1, "
        "do: [{send: note}]}\n";
    const char *const small[] = {base, "policy: {tz: Asia/Shanghai}\n", rules};
    fu_start(&f, small, 3, "2026-03-02 10:00");
    fu_send(&f, "ping", "{\"id\":\"1\",\"m\":\"m1\"}");
    decide_stats(f.d, &st);
    assert_int_equal(st.members, 1);
    fu_go(&f, "2027-03-02 10:00");
    decide_stats(f.d, &st);
    assert_int_equal(st.members, 1); /* the time of the last ping is kept for 400 days */
    fu_go(&f, "2027-05-02 10:00");
    decide_stats(f.d, &st);
    assert_int_equal(st.members, 0);
    fu_stop(&f);
}

/* Schedules, dates and midnights are spread over a minute, each member at his own moment. */
static void staggered(void **state)
{
    struct fu f;
    (void)state;
    begin(&f,
          "rules:\n"
          "  day: {trigger: {every: \"day 12:00\"}, do: [{send: note, with: {name: "
          "member.name}}]}\n",
          "2026-03-02 10:00");
    decide_free(&f.d);
    f.d = decide_new(&(struct decide_conf){.partitions = 1,
                                           .complete = true,
                                           .record_clock = true,
                                           .stagger = true,
                                           .program = fu_lookup,
                                           .arg = &f});
    f.folded = 0;
    fu_fold(&f);
    known(&f, "m1", NULL);
    known(&f, "m2", NULL);
    known(&f, "m3", NULL);
    fu_go(&f, "2026-03-02 12:01");
    assert_int_equal(f.n_dec, 3);
    int64_t noon = fu_at(f.p->tz, "2026-03-02 12:00"), last = noon;
    for (uint32_t i = 0; i < 3; i++) {
        uint8_t in[32] = "stagger", out[32];
        uint64_t v = 0;
        const struct decision *d = &f.dec[i].d;
        memcpy(in + 8, d->member.p, d->member.n);
        hash_sha256(in, 8 + d->member.n, out);
        for (int k = 0; k < 8; k++)
            v = v << 8 | out[k];
        assert_int_equal(d->at_ms - noon, (int64_t)(v % 60000));
        assert_true(d->at_ms >= last);
        last = d->at_ms;
    }
    fu_go(&f, "2026-03-03 12:01");
    assert_int_equal(f.n_dec, 6);
    fu_stop(&f);
}

/* A missing 31st is the last day of its month; `if` is asked once, when the run starts. */
static void ends_of_months(void **state)
{
    struct fu f;
    (void)state;
    begin(&f,
          "rules:\n"
          "  m31: {trigger: {every: \"month 31 08:00\"}, do: [{send: note, with: {name: "
          "member.name}}]}\n"
          "  once: {trigger: browse, if: member.orders == 0, do: [{wait: 1d}, {send: text, with: "
          "{name: member.name}}]}\n",
          "2026-01-30 10:00");
    known(&f, "m1", NULL);
    fu_send(&f, "browse", "{\"id\":\"b\",\"m\":\"m1\",\"sku\":\"A\"}");
    fu_send(&f, "order", "{\"id\":\"p\",\"m\":\"m1\",\"amount\":1}");
    fu_go(&f, "2026-04-30 09:00");
    EXPECT(&f, "send note m1 wechat 2026-01-31 08:00\nsend text m1 sms 2026-01-31 10:00\n"
               "send note m1 wechat 2026-02-28 08:00\nsend note m1 wechat 2026-03-31 08:00\n"
               "send note m1 wechat 2026-04-30 08:00");
    fu_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence),
        cmocka_unit_test(birthdays),
        cmocka_unit_test(fixed_dates),
        cmocka_unit_test(schedules),
        cmocka_unit_test(downtime),
        cmocka_unit_test(activation_sweeps),
        cmocka_unit_test(edit_with_live_runs),
        cmocka_unit_test(switched_off),
        cmocka_unit_test(rules_that_do_not_count),
        cmocka_unit_test(level_falls_at_midnight),
        cmocka_unit_test(idle_members_leave),
        cmocka_unit_test(staggered),
        cmocka_unit_test(ends_of_months),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
