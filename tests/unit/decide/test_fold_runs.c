/* SPDX-License-Identifier: Apache-2.0 */
/* Runs: triggers, waits, cancels, limits, splits, policy's order, receipts and falling back. */
#include "fold_util.h"
#include "shop.h"

#define POLICY(more)                                                                               \
    "policy:\n"                                                                                    \
    "  tz: Asia/Shanghai\n"                                                                        \
    "  consent: {sms: member.sms_ok, wechat: member.follows}\n"                                    \
    "  late: 1h\n"                                                                                 \
    "  expire: 24h\n" more

#define QUIET "  quiet: \"21:00-09:00\"\n"

static void begin(struct fu *f, const char *policy, const char *rules, const char *local)
{
    const char *texts[] = {shop, policy, rules};
    fu_start(f, texts, 3, local);
    fu_fold(f);
}

/* A member with both addresses. */
static void known(struct fu *f, const char *m)
{
    char json[256];
    (void)snprintf(json, sizeof json,
                   "{\"member\":\"%s\",\"set\":{\"openid\":\"o-%s\",\"phone\":\"1-%s\","
                   "\"name\":\"N\"}}",
                   m, m, m);
    fu_send(f, "profile", json);
}

static void welcome_once(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""),
          "rules:\n"
          "  welcome: {trigger: register, limit: 1 ever, do: [{send: hello, with: {name: "
          "member.name}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1");
    fu_go_send(&f, "2026-03-02 10:05", "crm", "{\"id\":\"r1\",\"m\":\"m1\"}");
    EXPECT(&f, "send hello m1 wechat 2026-03-02 10:05");
    assert_string_equal(fu_tag(&f, "m1", "name"), "N");
    fu_send(&f, "crm", "{\"id\":\"r1\",\"m\":\"m1\"}"); /* the same again */
    EXPECT(&f, "");
    fu_send(&f, "crm", "{\"id\":\"r2\",\"m\":\"m1\"}");
    EXPECT(&f, "withhold hello m1 limit 2026-03-02 10:05");
    const struct decision *d = &f.dec[0].d;
    assert_int_equal(d->seq, 0);
    assert_true(str_eqc(d->to, "o-m1"));
    assert_true(str_eqc(d->template, "W1"));
    assert_true(str_eqc(d->rule, "welcome"));
    assert_true(str_eqc(d->purpose, "marketing"));
    assert_int_equal(d->n_data, 1);
    assert_true(str_eqc(val_get_str(d->data[0].value), "N"));
    assert_int_equal(d->expire_ms - d->at_ms, TIME_DAY);
    assert_int_equal(d->utc_off_s, 8 * 3600);
    uint8_t zero[32] = {0};
    assert_int_equal(decision_follows(f.dec[0].bytes, d, 7, zero), 1);
    assert_int_equal(decision_follows(f.dec[1].bytes, &f.dec[1].d, 7, d->chain), 1);
    fu_stop(&f);
}

#define CART_RULE                                                                                  \
    "rules:\n"                                                                                     \
    "  cart_left:\n"                                                                               \
    "    trigger: cart\n"                                                                          \
    "    if: event.price >= 50\n"                                                                  \
    "    again: restart\n"                                                                         \
    "    cancel: purchase\n"                                                                       \
    "    limit: 1 per 7d\n"                                                                        \
    "    priority: 60\n"                                                                           \
    "    do:\n"                                                                                    \
    "      - wait: 2h\n"                                                                           \
    "      - send: cart\n"                                                                         \
    "        with: {name: member.name, sku: event.sku}\n"

static void cart_debounced(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(QUIET), CART_RULE, "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "cart", "{\"id\":\"c1\",\"m\":\"m1\",\"sku\":\"A\",\"price\":99}");
    fu_go_send(&f, "2026-03-02 11:30", "cart",
               "{\"id\":\"c2\",\"m\":\"m1\",\"sku\":\"B\",\"price\":60}");
    fu_go(&f, "2026-03-02 13:29");
    EXPECT(&f, "");
    fu_go(&f, "2026-03-03 10:00");
    EXPECT(&f, "send cart m1 wechat 2026-03-02 13:30");
    assert_true(str_eqc(f.dec[0].d.data[0].name, "thing1"));
    assert_true(str_eqc(val_get_str(f.dec[0].d.data[0].value), "B"));
    assert_int_equal(f.dec[0].d.quiet_from, 21 * 60);
    fu_go_send(&f, "2026-03-05 10:00", "cart",
               "{\"id\":\"c3\",\"m\":\"m1\",\"sku\":\"B\",\"price\":60}");
    EXPECT(&f, "withhold cart m1 limit 2026-03-05 10:00");
    fu_go_send(&f, "2026-03-09 10:00", "cart", /* seven local days later */
               "{\"id\":\"c4\",\"m\":\"m1\",\"sku\":\"C\",\"price\":60}");
    fu_go(&f, "2026-03-10 10:00");
    EXPECT(&f, "send cart m1 wechat 2026-03-09 12:00");
    fu_stop(&f);
}

static void cancelled_keeps_the_limit(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""), CART_RULE, "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "cart", "{\"id\":\"c1\",\"m\":\"m1\",\"sku\":\"A\",\"price\":99}");
    fu_go_send(&f, "2026-03-02 11:00", "order", "{\"id\":\"p1\",\"m\":\"m1\",\"amount\":9}");
    fu_go_send(&f, "2026-03-02 14:00", "cart",
               "{\"id\":\"c2\",\"m\":\"m1\",\"sku\":\"B\",\"price\":60}");
    fu_go(&f, "2026-03-02 20:00");
    EXPECT(&f, "send cart m1 wechat 2026-03-02 16:00");
    fu_stop(&f);
}

/* The deadline itself is too late for an event: timers of an instant run first. */
static void cancel_at_the_deadline(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""), CART_RULE, "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "cart", "{\"id\":\"c1\",\"m\":\"m1\",\"sku\":\"A\",\"price\":99}");
    fu_go_send(&f, "2026-03-02 12:00", "order", "{\"id\":\"p1\",\"m\":\"m1\",\"amount\":9}");
    EXPECT(&f, "send cart m1 wechat 2026-03-02 12:00");
    fu_stop(&f);
}

/* B before A: the purchase was folded first but happened after the cart was filled. */
static void b_before_a(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""), CART_RULE, "2026-03-02 10:00");
    known(&f, "m1");
    fu_go_send(&f, "2026-03-02 10:30", "order", "{\"id\":\"p1\",\"m\":\"m1\",\"amount\":9}");
    fu_go_send(&f, "2026-03-02 10:40", "cart",
               "{\"id\":\"c1\",\"m\":\"m1\",\"sku\":\"A\",\"price\":99,"
               "\"ts\":\"2026-03-02T10:20:00\"}");
    fu_go(&f, "2026-03-02 20:00");
    EXPECT(&f, "");
    /* and one that happened before it does not cancel; the clock runs from the event's time */
    fu_go_send(&f, "2026-03-02 20:30", "cart",
               "{\"id\":\"c2\",\"m\":\"m1\",\"sku\":\"A\",\"price\":99,"
               "\"ts\":\"2026-03-02T20:00:00\"}");
    fu_go_send(&f, "2026-03-02 20:40", "order",
               "{\"id\":\"p2\",\"m\":\"m1\",\"amount\":9,\"ts\":\"2026-03-02T19:50:00\"}");
    fu_go(&f, "2026-03-03 20:00");
    EXPECT(&f, "send cart m1 wechat 2026-03-02 22:00");
    fu_stop(&f);
}

static void late_counts_but_starts_nothing(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""),
          "rules:\n"
          "  first: {trigger: purchase, if: member.orders == 1, do: [{send: note, with: {name: "
          "member.name}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "order",
            "{\"id\":\"p1\",\"m\":\"m1\",\"amount\":9,\"ts\":\"2026-03-02T08:59:59\"}");
    EXPECT(&f, "");
    assert_string_equal(fu_tag(&f, "m1", "orders"), "1");
    known(&f, "m2");
    fu_send(&f, "order",
            "{\"id\":\"p2\",\"m\":\"m2\",\"amount\":9,\"ts\":\"2026-03-02T09:00:00\"}");
    EXPECT(&f, "send note m2 wechat 2026-03-02 10:00");
    fu_stop(&f);
}

#define UNTIL_RULE                                                                                 \
    "rules:\n"                                                                                     \
    "  coupon:\n"                                                                                  \
    "    trigger: browse\n"                                                                        \
    "    key: event.sku\n"                                                                         \
    "    do:\n"                                                                                    \
    "      - wait: 7d\n"                                                                           \
    "        until: {event: purchase, where: has(next.sku) && next.sku == event.sku}\n"            \
    "        else: [{send: text, with: {name: event.sku}}]\n"                                      \
    "      - send: note\n"                                                                         \
    "        with: {name: next.id}\n"                                                              \
    "      - wait: 1h\n"                                                                           \
    "      - send: text\n"                                                                         \
    "        with: {name: next.id}\n"

static void until_both_ways(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""), UNTIL_RULE, "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "browse", "{\"id\":\"b1\",\"m\":\"m1\",\"sku\":\"A\"}");
    fu_send(&f, "browse", "{\"id\":\"b2\",\"m\":\"m1\",\"sku\":\"B\"}");
    fu_go_send(&f, "2026-03-03 10:00", "order",
               "{\"id\":\"p1\",\"m\":\"m1\",\"amount\":9,\"sku\":\"A\"}");
    EXPECT(&f, "send note m1 wechat 2026-03-03 10:00");
    assert_true(str_eqc(val_get_str(f.dec[0].d.data[0].value), "p1"));
    fu_go(&f, "2026-03-03 12:00");
    EXPECT(&f, "send text m1 sms 2026-03-03 11:00");
    assert_true(str_eqc(f.dec[1].d.text, "【悦选】p1，拒收请回复R"));
    fu_go(&f, "2026-03-12 12:00");
    EXPECT(&f, "send text m1 sms 2026-03-09 10:00");
    assert_true(str_eqc(f.dec[2].d.text, "【悦选】B，拒收请回复R"));
    fu_stop(&f);
}

static void quiet_keeps_then_counts_from_release(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(QUIET),
          "rules:\n"
          "  two:\n"
          "    trigger: register\n"
          "    do:\n"
          "      - {send: note, with: {name: member.name}}\n"
          "      - wait: 2h\n"
          "      - {send: text, with: {name: member.name}}\n",
          "2026-03-02 22:00");
    known(&f, "m1");
    fu_send(&f, "crm", "{\"id\":\"r1\",\"m\":\"m1\"}");
    EXPECT(&f, "");
    fu_go(&f, "2026-03-03 12:00");
    EXPECT(&f, "send note m1 wechat 2026-03-03 09:00\nsend text m1 sms 2026-03-03 11:00");
    fu_stop(&f);
}

/* `with` is evaluated when the message is first wanted; a cancel stops a held message. */
static void held_message_is_cancelled(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(QUIET),
          "rules:\n"
          "  left: {trigger: browse, cancel: purchase, do: [{send: note, with: {name: "
          "member.name}}]}\n",
          "2026-03-02 22:00");
    known(&f, "m1");
    fu_send(&f, "browse", "{\"id\":\"b1\",\"m\":\"m1\",\"sku\":\"A\"}");
    fu_send(&f, "profile", "{\"member\":\"m1\",\"set\":{\"name\":\"Other\"}}");
    fu_go(&f, "2026-03-03 09:00");
    EXPECT(&f, "send note m1 wechat 2026-03-03 09:00");
    assert_true(str_eqc(val_get_str(f.dec[0].d.data[0].value), "N"));
    fu_go_send(&f, "2026-03-03 22:00", "browse", "{\"id\":\"b2\",\"m\":\"m1\",\"sku\":\"A\"}");
    fu_go_send(&f, "2026-03-04 00:00", "order", "{\"id\":\"p1\",\"m\":\"m1\",\"amount\":9}");
    fu_go(&f, "2026-03-04 12:00");
    EXPECT(&f, "");
    fu_stop(&f);
}

#define NOW_RULE                                                                                   \
    "rules:\n"                                                                                     \
    "  now: {trigger: browse, do: [{send: hello, with: {name: member.name}}]}\n"

static void policy_reasons(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY("  caps: {any: [2 per day]}\n"), NOW_RULE, "2026-03-02 10:00");
    fu_send(&f, "browse", "{\"id\":\"b0\",\"m\":\"m0\",\"sku\":\"A\"}");
    EXPECT(&f, "withhold hello m0 no_address 2026-03-02 10:00");
    fu_send(&f, "profile",
            "{\"member\":\"m0\",\"set\":{\"phone\":\"1\",\"sms_ok\":false,\"openid\":\"o\","
            "\"follows\":false}}");
    fu_send(&f, "browse", "{\"id\":\"b1\",\"m\":\"m0\",\"sku\":\"A\"}");
    EXPECT(&f, "withhold hello m0 consent 2026-03-02 10:00");
    fu_send(&f, "profile", "{\"member\":\"m0\",\"set\":{\"sms_ok\":true}}");
    fu_send(&f, "browse", "{\"id\":\"b2\",\"m\":\"m0\",\"sku\":\"A\"}");
    EXPECT(&f, "send hello m0 sms 2026-03-02 10:00");
    fu_send(&f, "browse", "{\"id\":\"b3\",\"m\":\"m0\",\"sku\":\"A\"}");
    fu_send(&f, "browse", "{\"id\":\"b4\",\"m\":\"m0\",\"sku\":\"A\"}");
    EXPECT(&f, "send hello m0 sms 2026-03-02 10:00\nwithhold hello m0 cap 2026-03-02 10:00");
    fu_go_send(&f, "2026-03-03 00:00", "browse", "{\"id\":\"b5\",\"m\":\"m0\",\"sku\":\"A\"}");
    EXPECT(&f, "send hello m0 sms 2026-03-03 00:00");
    fu_stop(&f);
}

static void hold_until_the_complaint_is_over(void **state)
{
    struct fu f;
    (void)state;
    begin(&f,
          POLICY("  hold: [{if: has(member.open_complaints) && member.open_complaints > 0, as: "
                 "grievance}]\n"),
          NOW_RULE, "2026-03-02 10:00");
    known(&f, "m1");
    known(&f, "m2");
    known(&f, "m3");
    fu_send(&f, "profile", "{\"member\":\"m1\",\"set\":{\"open_complaints\":1}}");
    fu_send(&f, "profile", "{\"member\":\"m2\",\"set\":{\"open_complaints\":1}}");
    fu_send(&f, "browse", "{\"id\":\"b1\",\"m\":\"m1\",\"sku\":\"A\"}");
    fu_send(&f, "browse", "{\"id\":\"b2\",\"m\":\"m2\",\"sku\":\"A\"}");
    EXPECT(&f, "");
    fu_go(&f, "2026-03-02 15:00");
    fu_send(&f, "profile", "{\"member\":\"m1\",\"set\":{\"open_complaints\":0}}");
    EXPECT(&f, "send hello m1 wechat 2026-03-02 15:00");
    fu_go(&f, "2026-03-05 15:00"); /* m2's expires after 24 h, before the tag's ttl */
    EXPECT(&f, "withhold hello m2 expired 2026-03-03 10:00");
    fu_stop(&f);
}

static void hold_ends_with_the_ttl(void **state)
{
    struct fu f;
    (void)state;
    begin(&f,
          POLICY("  hold: [{if: has(member.open_complaints) && member.open_complaints > 0, as: "
                 "grievance}]\n"),
          NOW_RULE, "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "profile", "{\"member\":\"m1\",\"set\":{\"open_complaints\":1}}");
    fu_go_send(&f, "2026-03-03 12:00", "browse", "{\"id\":\"b1\",\"m\":\"m1\",\"sku\":\"A\"}");
    fu_go(&f, "2026-03-06 00:00");
    EXPECT(&f, "send hello m1 wechat 2026-03-04 10:00");
    fu_stop(&f);
}

/* ---- receipts ---- */

static void falls_back_and_refunds(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY("  caps: {any: [1 per day], sms: [1 per day], wechat: [1 per day]}\n"),
          "rules:\n"
          "  now: {trigger: browse, limit: 1 ever, do: [{send: hello, with: {name: "
          "member.name}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "browse", "{\"id\":\"b1\",\"m\":\"m1\",\"sku\":\"A\"}");
    EXPECT(&f, "send hello m1 wechat 2026-03-02 10:00");
    fu_go(&f, "2026-03-02 10:01");
    fu_result(&f, 0, "failed"); /* its own charge for `any` does not stand in its way */
    EXPECT(&f, "send hello m1 sms 2026-03-02 10:01");
    assert_true(str_eq(f.dec[0].d.send_key, f.dec[1].d.send_key));
    fu_send(&f, "browse", "{\"id\":\"b2\",\"m\":\"m1\",\"sku\":\"A\"}");
    EXPECT(&f, "withhold hello m1 limit 2026-03-02 10:01");
    fu_result(&f, 0, "failed"); /* about the first try: nothing new */
    EXPECT(&f, "");
    fu_result(&f, 1, "failed"); /* none is left: limit and caps come back */
    EXPECT(&f, "");
    fu_send(&f, "browse", "{\"id\":\"b3\",\"m\":\"m1\",\"sku\":\"A\"}");
    EXPECT(&f, "send hello m1 wechat 2026-03-02 10:01");
    fu_result(&f, 3, "ambiguous"); /* never refunds, never falls over */
    fu_result(&f, 3, "failed");
    fu_send(&f, "browse", "{\"id\":\"b4\",\"m\":\"m1\",\"sku\":\"A\"}");
    EXPECT(&f, "withhold hello m1 limit 2026-03-02 10:01");
    fu_stop(&f);
}

static void returned_waits_for_the_end_of_quiet(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(QUIET), NOW_RULE, "2026-03-02 20:59");
    known(&f, "m1");
    fu_send(&f, "browse", "{\"id\":\"b1\",\"m\":\"m1\",\"sku\":\"A\"}");
    EXPECT(&f, "send hello m1 wechat 2026-03-02 20:59");
    fu_result(&f, 0, "returned"); /* log time says it is not quiet yet */
    EXPECT(&f, "");
    fu_go(&f, "2026-03-03 09:30");
    EXPECT(&f, "send hello m1 wechat 2026-03-03 09:00");
    fu_result(&f, 1, "sent");
    fu_result(&f, 1, "failed"); /* the gateway's own report upgrades it */
    EXPECT(&f, "send hello m1 sms 2026-03-03 09:30");
    fu_result(&f, 2, "delivered");
    fu_result(&f, 2, "failed");
    EXPECT(&f, "");
    fu_stop(&f);
}

static void opting_out_blocks_until_a_grant(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""),
          "rules:\n"
          "  now: {trigger: browse, do: [{send: text, with: {name: member.name}}]}\n"
          "  said: {trigger: receipt, if: event.status == 'opted_out', do: [{send: receipt_note, "
          "with: {name: event.message}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "browse", "{\"id\":\"b1\",\"m\":\"m1\",\"sku\":\"A\"}");
    EXPECT(&f, "send text m1 sms 2026-03-02 10:00");
    fu_result(&f, 0, "opted_out");
    EXPECT(&f, "send receipt_note m1 wechat 2026-03-02 10:00");
    assert_true(str_eqc(val_get_str(f.dec[1].d.data[0].value), "text"));
    fu_send(&f, "browse", "{\"id\":\"b2\",\"m\":\"m1\",\"sku\":\"A\"}");
    EXPECT(&f, "withhold text m1 consent 2026-03-02 10:00");
    fu_go(&f, "2026-03-02 11:00");
    fu_send(&f, "profile", "{\"member\":\"m1\",\"set\":{\"sms_ok\":true}}");
    fu_send(&f, "browse", "{\"id\":\"b3\",\"m\":\"m1\",\"sku\":\"A\"}");
    EXPECT(&f, "send text m1 sms 2026-03-02 11:00");
    fu_stop(&f);
}

/* A receipt that names nobody. */
static void receipt_by_seq(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""), NOW_RULE, "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "browse", "{\"id\":\"b1\",\"m\":\"m1\",\"sku\":\"A\"}");
    fu_receipt(&f.log,
               &(struct receipt){.seq = 0,
                                 .member = STR(""),
                                 .rule = STR(""),
                                 .message = STR(""),
                                 .gateway = STR("wechat"),
                                 .status = STR("failed")},
               f.now);
    fu_receipt(&f.log,
               &(struct receipt){.seq = 99,
                                 .member = STR(""),
                                 .rule = STR(""),
                                 .message = STR(""),
                                 .gateway = STR("wechat"),
                                 .status = STR("failed")},
               f.now);
    fu_fold(&f);
    EXPECT(&f, "send hello m1 wechat 2026-03-02 10:00\nsend hello m1 sms 2026-03-02 10:00");
    fu_stop(&f);
}

/* ---- order, priority, split, choose, set ---- */

static void importance_orders_the_same_instant(void **state)
{
    struct fu f;
    (void)state;
    begin(
        &f, POLICY("  caps: {any: [1 per day]}\n"),
        "rules:\n"
        "  a_low: {trigger: browse, priority: 10, do: [{send: note, with: {name: member.name}}]}\n"
        "  b_high: {trigger: browse, priority: 90, do: [{send: text, with: {name: member.name}}, "
        "{send: receipt_note, with: {name: member.name}}]}\n",
        "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "browse", "{\"id\":\"b1\",\"m\":\"m1\",\"sku\":\"A\"}");
    EXPECT(&f, "send text m1 sms 2026-03-02 10:00\n"
               "send receipt_note m1 wechat 2026-03-02 10:00\n"
               "withhold note m1 cap 2026-03-02 10:00");
    fu_stop(&f);
}

static void split_and_choose(void **state)
{
    struct fu f;
    (void)state;
    begin(
        &f, POLICY(""),
        "rules:\n"
        "  ab:\n"
        "    trigger: browse\n"
        "    do:\n"
        "      - split: {a: {share: 50, do: [{send: note, with: {name: member.name}}]}, b: {share: "
        "50}}\n"
        "      - choose:\n"
        "          - {if: member.orders > 0, do: [{send: text, with: {name: member.name}}]}\n"
        "          - {do: [{stop: true}]}\n"
        "      - {send: receipt_note, with: {name: member.name}}\n",
        "2026-03-02 10:00");
    int a = 0, n = 60;
    for (int i = 0; i < n; i++) {
        char m[16], json[64];
        (void)snprintf(m, sizeof m, "m%d", i);
        known(&f, m);
        (void)snprintf(json, sizeof json, "{\"id\":\"b%d\",\"m\":\"m%d\",\"sku\":\"A\"}", i, i);
        fu_send(&f, "browse", json);
        const char *news = fu_news(&f);
        a += strstr(news, "note") != NULL;
        assert_null(strstr(news, "text"));
    }
    assert_in_range(a, 15, 45);
    fu_send(&f, "order", "{\"id\":\"p\",\"m\":\"m0\",\"amount\":9}");
    fu_send(&f, "browse", "{\"id\":\"bx\",\"m\":\"m0\",\"sku\":\"A\"}");
    assert_non_null(strstr(fu_news(&f), "send receipt_note m0"));
    fu_stop(&f);
}

static void set_and_tag_chain(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""),
          "rules:\n"
          "  kol: {trigger: browse, if: \"!has(member.kol)\", do: [{set: {kol: \"true\"}}, {send: "
          "note, "
          "with: {name: member.name}}]}\n"
          "  told: {trigger: {tag: kol}, if: has(member.kol) && !has(old.kol), do: [{send: text, "
          "with: {name: "
          "member.name}}]}\n"
          "  up: {trigger: {tag: level}, if: member.level == 'gold' && old.level == 'basic', do: "
          "[{send: hello, with: {name: old.level}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "browse", "{\"id\":\"b1\",\"m\":\"m1\",\"sku\":\"A\"}");
    EXPECT(&f, "send note m1 wechat 2026-03-02 10:00\nsend text m1 sms 2026-03-02 10:00");
    fu_send(&f, "browse", "{\"id\":\"b2\",\"m\":\"m1\",\"sku\":\"A\"}");
    EXPECT(&f, "");
    fu_send(&f, "order", "{\"id\":\"p1\",\"m\":\"m1\",\"amount\":1000}");
    EXPECT(&f, "send hello m1 wechat 2026-03-02 10:00");
    assert_true(str_eqc(val_get_str(f.dec[2].d.data[0].value), "basic"));
    fu_stop(&f);
}

static void two_members_of_one_event(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""),
          "rules:\n"
          "  r: {trigger: invite, do: [{send: note, with: {name: event.role}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1");
    known(&f, "m2");
    fu_send(&f, "invite", "{\"id\":\"i1\",\"a\":\"m1\",\"b\":\"m2\"}");
    EXPECT(&f, "send note m1 wechat 2026-03-02 10:00\nsend note m2 wechat 2026-03-02 10:00");
    assert_true(str_eqc(val_get_str(f.dec[0].d.data[0].value), "inviter"));
    assert_true(str_eqc(val_get_str(f.dec[1].d.data[0].value), "invitee"));
    fu_stop(&f);
}

static void goals_and_shadow(void **state)
{
    struct fu f;
    (void)state;
    begin(
        &f, POLICY(""),
        "rules:\n"
        "  g: {trigger: browse, goal: {event: purchase, where: next.amount > 5, within: 3d, value: "
        "next.amount}, do: [{send: note, with: {name: member.name}}]}\n"
        "  s: {trigger: register, mode: shadow, limit: 1 ever, do: [{set: {kol: \"true\"}}, {send: "
        "text, with: {name: member.name}}]}\n",
        "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "browse", "{\"id\":\"b1\",\"m\":\"m1\",\"sku\":\"A\"}");
    fu_go_send(&f, "2026-03-03 10:00", "order", "{\"id\":\"p1\",\"m\":\"m1\",\"amount\":5}");
    fu_send(&f, "order", "{\"id\":\"p2\",\"m\":\"m1\",\"amount\":12.5}");
    fu_send(&f, "order", "{\"id\":\"p3\",\"m\":\"m1\",\"amount\":9}");
    EXPECT(&f, "send note m1 wechat 2026-03-02 10:00\nconvert g m1 12.5");
    fu_send(&f, "crm", "{\"id\":\"r1\",\"m\":\"m1\"}");
    fu_send(&f, "crm", "{\"id\":\"r2\",\"m\":\"m1\"}");
    EXPECT(&f, "withhold text m1 shadow 2026-03-03 10:00\nwithhold text m1 limit 2026-03-03 10:00");
    assert_string_equal(fu_tag(&f, "m1", "kol"), "-");
    fu_stop(&f);
}

static void erased(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""), CART_RULE, "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "cart", "{\"id\":\"c1\",\"m\":\"m1\",\"sku\":\"A\",\"price\":99}");
    fu_record(&f.log, &(struct record){.kind = REC_ERASE, .at_ms = f.now, .member = STR("m1")},
              f.now);
    fu_go(&f, "2026-03-04 10:00");
    EXPECT(&f, "");
    assert_string_equal(fu_tag(&f, "m1", "orders"), "0");
    assert_string_equal(fu_tag(&f, "m1", "openid"), "-");
    fu_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(welcome_once),
        cmocka_unit_test(cart_debounced),
        cmocka_unit_test(cancelled_keeps_the_limit),
        cmocka_unit_test(cancel_at_the_deadline),
        cmocka_unit_test(b_before_a),
        cmocka_unit_test(late_counts_but_starts_nothing),
        cmocka_unit_test(until_both_ways),
        cmocka_unit_test(quiet_keeps_then_counts_from_release),
        cmocka_unit_test(held_message_is_cancelled),
        cmocka_unit_test(policy_reasons),
        cmocka_unit_test(hold_until_the_complaint_is_over),
        cmocka_unit_test(hold_ends_with_the_ttl),
        cmocka_unit_test(falls_back_and_refunds),
        cmocka_unit_test(returned_waits_for_the_end_of_quiet),
        cmocka_unit_test(opting_out_blocks_until_a_grant),
        cmocka_unit_test(receipt_by_seq),
        cmocka_unit_test(importance_orders_the_same_instant),
        cmocka_unit_test(split_and_choose),
        cmocka_unit_test(set_and_tag_chain),
        cmocka_unit_test(two_members_of_one_event),
        cmocka_unit_test(goals_and_shadow),
        cmocka_unit_test(erased),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
