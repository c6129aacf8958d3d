/* SPDX-License-Identifier: Apache-2.0 */
/* Edges: source marks, duplicates, versions of the blob, cursors, limits of size, holdouts, clocks. */
#include "fold_util.h"
#include "store_sim.h"
#include "shop.h"

#define POLICY(more)                                                                               \
    "policy:\n"                                                                                    \
    "  tz: Asia/Shanghai\n"                                                                        \
    "  consent: {sms: member.sms_ok, wechat: member.follows}\n"                                    \
    "  late: 1h\n"                                                                                 \
    "  expire: 24h\n" more

#define NOW_RULE "rules:\n  now: {trigger: browse, do: [{send: note, with: {name: member.name}}]}\n"

static void begin(struct fu *f, const char *policy, const char *rules, const char *local)
{
    const char *texts[] = {shop, policy, rules};
    fu_start(f, texts, 3, local);
    fu_fold(f);
}

static void known(struct fu *f, const char *m)
{
    char json[256];
    (void)snprintf(json, sizeof json,
                   "{\"member\":\"%s\",\"set\":{\"openid\":\"o\",\"phone\":\"1\"}}", m);
    fu_send(f, "profile", json);
}

static void browse_from(struct fu *f, const char *id, int64_t epoch, int32_t part, int64_t offset)
{
    struct event *ev;
    uint32_t n;
    struct err err = {0};
    struct buf b;
    char json[128];
    (void)snprintf(json, sizeof json, "{\"id\":\"%s\",\"m\":\"m1\",\"sku\":\"A\"}", id);
    const struct upstream u = {
        .src = {.topic = STR("browse"), .epoch = epoch, .partition = part, .offset = offset},
        .kafka_ms = f->now,
        .value = str_c(json)};
    const struct decode_limits lim = {.max_bytes = 65536, .max_depth = 32, .latest_ms = TIME_NEVER};
    assert_int_equal(model_decode(f->p->schema, &u, &lim, f->a, &ev, &n, &err), 0);
    buf_init(&b, RECORD_MAX);
    record_begin_event(&b, 1);
    record_add_entry(&b, &(struct entry){u.src, f->now, ev, n}, true);
    record_end_event(&b);
    fu_add(&f->log, buf_str(&b), f->now);
    buf_free(&b);
    fu_fold(f);
}

static void sources(void **state)
{
    struct fu f;
    struct decide_stats st;
    (void)state;
    begin(&f, POLICY(""), NOW_RULE, "2026-03-02 10:00");
    known(&f, "m1");
#define SENT "send note m1 wechat 2026-03-02 10:00"
    browse_from(&f, "a", 0, 0, 10);
    EXPECT(&f, SENT);
    browse_from(&f, "b", 0, 0, 10); /* not above the mark, whatever it holds */
    browse_from(&f, "c", 0, 0, 9);
    EXPECT(&f, "");
    browse_from(&f, "d", 0, 1, 3); /* another partition has its own */
    EXPECT(&f, SENT);
    browse_from(&f, "e", 2, 0, 0); /* made anew */
    EXPECT(&f, SENT);
    browse_from(&f, "f", 1, 1, 99); /* a lower epoch than the topic has been seen with */
    EXPECT(&f, "");
    browse_from(&f, "g", 2, 0, 1);
    EXPECT(&f, SENT);
    decide_stats(f.d, &st);
    assert_int_equal(st.sources_seen, 3);
    fu_stop(&f);
}

static void browse(struct fu *f, const char *m, const char *id)
{
    char json[256];
    (void)snprintf(json, sizeof json, "{\"id\":\"%s\",\"m\":\"%s\",\"sku\":\"A\"}", id, m);
    fu_send(f, "browse", json);
}

/* The last 16 are remembered, for 24 h. */
static void ring(void **state)
{
    struct fu f;
    char id[16];
    (void)state;
    begin(&f, POLICY(""), NOW_RULE, "2026-03-02 10:00");
    known(&f, "m1");
    for (int i = 0; i < 16; i++) {
        (void)snprintf(id, sizeof id, "b%d", i);
        browse(&f, "m1", id);
    }
    assert_int_equal(f.n_dec, 16);
    for (int i = 0; i < 16; i++) {
        (void)snprintf(id, sizeof id, "b%d", i);
        browse(&f, "m1", id);
    }
    assert_int_equal(f.n_dec, 16);
    browse(&f, "m1", "x"); /* pushes the oldest out */
    browse(&f, "m1", "b1");
    assert_int_equal(f.n_dec, 17);
    browse(&f, "m1", "b0");
    assert_int_equal(f.n_dec, 18);
    fu_go(&f, "2026-03-03 09:59");
    browse(&f, "m1", "x");
    assert_int_equal(f.n_dec, 18);
    fu_go(&f, "2026-03-03 10:00");
    browse(&f, "m1", "x");
    assert_int_equal(f.n_dec, 19);
    fu_stop(&f);
}

/* ---- the blob ---- */

static void blob_versions(void **state)
{
    struct fu f;
    struct sim *s = sim_new();
    struct buf out;
    struct err err = {0};
    (void)state;
    begin(&f, POLICY(""), NOW_RULE, "2026-03-02 10:00");
    struct decide_out o;
    fu_event(&f.log, f.p, "browse", "{\"id\":\"1\",\"m\":\"m1\",\"sku\":\"A\"}", f.now, f.now);
    struct record r;
    assert_int_equal(record_read(f.p->schema, f.log.v[1].bytes, f.a, &r, &err), 0);
    assert_int_equal(decide_record(f.d, &r, 1, f.now, &err), DECIDE_DONE);
    decide_out(f.d, &o);
    assert_int_equal(o.n_changes, 1);
    struct str state1 = arena_str(f.a, o.changes[0].state);
    buf_init(&out, 1 << 20);
    assert_int_equal(decide_show(f.p, STR("m1"), state1, f.now, &out, &err), 0);
    assert_non_null(strstr(out.p, "\"member\":\"m1\""));
    assert_non_null(strstr(out.p, "\"event\":\"browse\""));
    const struct json *j; /* it is JSON */
    assert_int_equal(json_parse(buf_str(&out), 16, f.a, &j, &err), 0);
    char *bytes = xmemdup0(state1.p, state1.n);
    bytes[0] = 2; /* a version to come */
    assert_int_equal(decide_show(f.p, STR("m1"), (struct str){bytes, state1.n}, f.now, &out, &err),
                     -1);
    assert_string_equal(err.code, "state_version");
    assert_int_equal(err.kind, ERR_FATAL);
    for (size_t n = 0; n < state1.n; n++) { /* cut short anywhere: refused, never read past */
        char *cut = xmemdup0(state1.p, n);
        struct err e = {0};
        buf_reset(&out);
        (void)decide_show(f.p, STR("m1"), (struct str){cut, n}, f.now, &out, &e);
        free(cut);
    }
    free(bytes);
    buf_free(&out);
    sim_free(&s);
    fu_stop(&f);
}

/* A blob of a newer version parks the partition. */
static void newer_blob_parks(void **state)
{
    struct fu f;
    struct record r;
    struct err err = {0};
    (void)state;
    begin(&f, POLICY(""), NOW_RULE, "2026-03-02 10:00");
    fu_event(&f.log, f.p, "browse", "{\"id\":\"1\",\"m\":\"m1\",\"sku\":\"A\"}", f.now, f.now);
    assert_int_equal(record_read(f.p->schema, f.log.v[1].bytes, f.a, &r, &err), 0);
    decide_put(f.d, STR("m1"), STR("\x07whatever"));
    assert_int_equal(decide_record(f.d, &r, 1, f.now, &err), DECIDE_PARK);
    assert_string_equal(err.code, "state_version");
    assert_null(strstr(err.text, "m1"));
    fu_stop(&f);
}

/* ---- the cursor ---- */

static void cursors(void **state)
{
    struct fu f;
    struct err err = {0};
    struct record tick = {.kind = REC_TICK, .at_ms = 5};
    (void)state;
    begin(&f, POLICY(""), NOW_RULE, "2026-03-02 10:00");
    struct decide_meta m = *decide_meta(f.d);
    assert_int_equal(m.off, 1);
    assert_int_equal(decide_record(f.d, &tick, 0, 5, &err), DECIDE_DONE); /* below: seen */
    assert_int_equal(decide_meta(f.d)->off, 1);
    assert_int_equal(decide_record(f.d, &tick, 7, 5, &err), DECIDE_DONE); /* offsets have gaps */
    assert_int_equal(decide_meta(f.d)->off, 8);
    (void)strcpy(m.pos, "nonsense");
    m.sub = 1;
    assert_int_equal(decide_reset(f.d, &m, NULL, 0, &err), -1);
    assert_string_equal(err.code, "cursor");
    err = (struct err){0};
    (void)strcpy(m.pos, "0 t 0");
    assert_int_equal(decide_reset(f.d, &m, NULL, 0, &err), 0);
    assert_int_equal(decide_record(f.d, &tick, 2, 5, &err), DECIDE_PARK); /* 1 is begun */
    assert_int_equal(decide_record(f.d, &tick, 1, 5, &err), DECIDE_DONE);
    memset(m.hash, '8', 64);
    err = (struct err){0};
    assert_int_equal(decide_reset(f.d, &m, NULL, 0, &err), -1);
    assert_string_equal(err.code, "rules_unknown");
    fu_stop(&f);
}

static void before_the_rules(void **state)
{
    struct decide *d = decide_new(&(struct decide_conf){.partitions = 1, .complete = true});
    struct record tick = {.kind = REC_TICK, .at_ms = 5};
    struct err err = {0};
    (void)state;
    assert_int_equal(decide_schema(d)->n, 0);
    assert_null(decide_program(d));
    assert_int_equal(decide_next_due(d), TIME_NEVER);
    assert_int_equal(decide_record(d, &tick, 0, 5, &err), DECIDE_DONE);
    struct entry e = {.src = {.topic = STR("t")}, .n_events = 1, .events = &(struct event){0}};
    struct record ev = {.kind = REC_EVENT, .entries = &e, .n_entries = 1};
    assert_int_equal(decide_record(d, &ev, 1, 6, &err), DECIDE_DONE);
    struct decide_stats st;
    decide_stats(d, &st);
    assert_int_equal(st.dropped, 1);
    decide_free(&d);
}

/* Ingest refuses names of more than 128 bytes; what comes in by another way is left alone. */
static void names_that_are_none(void **state)
{
    struct fu f;
    char m[200];
    (void)state;
    begin(&f, POLICY(""), NOW_RULE, "2026-03-02 10:00");
    memset(m, 'x', sizeof m);
    m[DECIDE_MAX_MEMBER] = '\0';
    browse(&f, m, "1");
    assert_int_equal(f.n_dec, 1);
    m[DECIDE_MAX_MEMBER] = 'x';
    fu_record(&f.log, &(struct record){.kind = REC_ERASE, .at_ms = f.now, .member = {m, sizeof m}},
              f.now);
    fu_record(&f.log, &(struct record){.kind = REC_ERASE, .at_ms = f.now, .member = STR("")},
              f.now);
    fu_fold(&f);
    fu_stop(&f);
}

/* ---- limits ---- */

static void newest_64_keys(void **state)
{
    struct fu f;
    char json[128];
    (void)state;
    begin(&f, POLICY(""),
          "rules:\n  now: {trigger: browse, key: event.sku, limit: 1 ever, do: [{send: note, with: "
          "{name: event.sku}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1");
    for (int i = 0; i < 65; i++) {
        (void)snprintf(json, sizeof json, "{\"id\":\"%d\",\"m\":\"m1\",\"sku\":\"S%d\"}", i, i);
        fu_send(&f, "browse", json);
    }
    (void)fu_news(&f);
    fu_send(&f, "browse", "{\"id\":\"a\",\"m\":\"m1\",\"sku\":\"S1\"}");
    EXPECT(&f, "withhold note m1 limit 2026-03-02 10:00");
    fu_send(&f, "browse", "{\"id\":\"b\",\"m\":\"m1\",\"sku\":\"S0\"}"); /* forgotten */
    EXPECT(&f, "send note m1 wechat 2026-03-02 10:00");
    fu_stop(&f);
}

static void rolling_and_calendar(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""),
          "rules:\n"
          "  day: {trigger: browse, limit: 1 per day, do: [{send: note, with: {name: "
          "member.name}}]}\n"
          "  roll: {trigger: browse, limit: 1 per 24h, do: [{send: text, with: {name: "
          "member.name}}]}\n",
          "2026-03-02 20:00");
    known(&f, "m1");
    browse(&f, "m1", "1");
    EXPECT(&f, "send note m1 wechat 2026-03-02 20:00\nsend text m1 sms 2026-03-02 20:00");
    fu_go(&f, "2026-03-03 00:00");
    browse(&f, "m1", "2");
    EXPECT(&f, "withhold text m1 limit 2026-03-03 00:00\nsend note m1 wechat 2026-03-03 00:00");
    fu_go(&f, "2026-03-03 20:00");
    browse(&f, "m1", "3");
    EXPECT(&f, "withhold note m1 limit 2026-03-03 20:00\nsend text m1 sms 2026-03-03 20:00");
    fu_stop(&f);
}

/* State above 64 KiB: a run that would start is refused. */
static void full(void **state)
{
    struct fu f;
    struct buf json;
    (void)state;
    begin(&f, POLICY(""),
          "rules:\n  slow: {trigger: browse, key: event.id, do: [{wait: 30d}, {send: note, with: "
          "{name: event.sku}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1");
    buf_init(&json, 4096);
    bool refused = false;
    for (int i = 0; i < 300 && !refused; i++) {
        buf_reset(&json);
        buf_addf(&json, "{\"id\":\"%d\",\"m\":\"m1\",\"sku\":\"", i);
        for (int k = 0; k < 250; k++)
            buf_addc(&json, 'x');
        buf_adds(&json, "\"}");
        fu_send(&f, "browse", json.p);
        refused = strstr(fu_news(&f), "withhold note m1 full 2026-03-02 10:00") != NULL;
    }
    assert_true(refused);
    buf_free(&json);
    fu_stop(&f);
}

/* A param in error withholds; an error in a hold holds. */
static void errors(void **state)
{
    struct fu f;
    struct decide_stats st;
    (void)state;
    begin(&f, POLICY("  hold: [{if: member.open_complaints > 0, as: grievance}]\n"),
          "rules:\n"
          "  a: {trigger: purchase, do: [{send: note, with: {name: event.coupon}}, {send: "
          "receipt_note, with: {name: event.id}}]}\n"
          "  b: {trigger: browse, do: [{send: note, with: {name: event.id}}]}\n"
          "  c: {trigger: cart, if: member.open_complaints > 0, do: [{send: note, with: {name: "
          "event.id}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1");
    fu_send(&f, "order", "{\"id\":\"p\",\"m\":\"m1\",\"amount\":1}");
    EXPECT(&f, "withhold note m1 params 2026-03-02 10:00\n"
               "send receipt_note m1 wechat 2026-03-02 10:00");
    browse(&f, "m1", "1");
    EXPECT(&f, "");
    fu_send(&f, "profile", "{\"member\":\"m1\",\"set\":{\"open_complaints\":0}}");
    EXPECT(&f, "send note m1 wechat 2026-03-02 10:00");
    decide_stats(f.d, &st);
    uint64_t before = st.expr_errors;
    fu_send(&f, "profile", "{\"member\":\"m1\",\"set\":{\"open_complaints\":null}}");
    fu_send(&f, "cart", "{\"id\":\"c\",\"m\":\"m1\",\"sku\":\"A\",\"price\":1}");
    EXPECT(&f, ""); /* an error in a condition is false, and counted */
    decide_stats(f.d, &st);
    assert_int_equal(st.expr_errors, before + 1);
    fu_stop(&f);
}

/* ---- holdouts ---- */

static void holdouts(void **state)
{
    struct fu f;
    int held = 0, sent = 0, converted = 0;
    (void)state;
    begin(&f, POLICY("  holdout: 50%\n  caps: {any: [1 per day]}\n"),
          "rules:\n"
          "  r:\n"
          "    trigger: browse\n"
          "    goal: {event: purchase, within: 2d}\n"
          "    limit: 2 ever\n"
          "    do:\n"
          "      - {send: note, with: {name: member.name}}\n"
          "      - {send: receipt_note, with: {name: member.name}}\n",
          "2026-03-02 10:00");
    for (int i = 0; i < 40; i++) {
        char m[16], json[96];
        (void)snprintf(m, sizeof m, "m%d", i);
        known(&f, m);
        browse(&f, m, "1");
        const char *news = fu_news(&f);
        bool control = strstr(news, "holdout") != NULL;
        held += control;
        sent += strstr(news, "send note") != NULL;
        assert_non_null(strstr(news, "send receipt_note")); /* service goes out to everybody */
        browse(&f, m, "2"); /* treated and control alike: the cap is used up */
        assert_non_null(strstr(fu_news(&f), "withhold note m"));
        assert_non_null(strstr(f.dec[f.n_dec - 2].bytes.p, "\"reason\":\"cap\""));
        (void)snprintf(json, sizeof json, "{\"id\":\"p\",\"m\":\"%s\",\"amount\":5}", m);
        f.now += TIME_MIN;
        fu_send(&f, "order", json);
        news = fu_news(&f);
        converted += strstr(news, "convert r") != NULL;
        for (uint32_t k = f.n_dec - 2; k < f.n_dec; k++) /* both runs' goals */
            assert_string_equal(f.dec[k].d.reason.n ? "holdout" : "", control ? "holdout" : "");
    }
    assert_int_equal(held + sent, 40);
    assert_in_range(held, 8, 32);
    assert_int_equal(converted, 40);
    fu_stop(&f);
}

/* ---- clocks ---- */

static void waits_by_the_clock(void **state)
{
    struct fu f;
    (void)state;
    begin(
        &f, POLICY(""),
        "rules:\n"
        "  a: {trigger: browse, do: [{wait: \"10:00\"}, {send: note, with: {name: member.name}}]}\n"
        "  b: {trigger: browse, do: [{wait: \"0d 09:00\"}, {send: note, with: {name: "
        "member.name}}]}\n"
        "  c: {trigger: browse, do: [{wait: \"2d 09:00\"}, {send: note, with: {name: "
        "member.name}}]}\n"
        "  d: {trigger: browse, do: [{wait: {to: event.time + duration('90m')}}, {send: note, "
        "with: "
        "{name: member.name}}]}\n"
        "  e: {trigger: browse, do: [{wait: {to: event.time - duration('90m')}}, {send: note, "
        "with: "
        "{name: member.name}}]}\n",
        "2026-03-02 10:00");
    known(&f, "m1");
    browse(&f, "m1", "1");
    fu_go(&f, "2026-03-10 10:00");
    EXPECT(&f, "send note m1 wechat 2026-03-02 10:00\nsend note m1 wechat 2026-03-02 10:00\n"
               "send note m1 wechat 2026-03-02 11:30\nsend note m1 wechat 2026-03-03 10:00\n"
               "send note m1 wechat 2026-03-04 09:00");
    fu_stop(&f);
}

/* `wait: 1d` is 24 h, `"1d 10:00"` is the calendar's. */
static void summer_time(void **state)
{
    struct fu f;
    (void)state;
    const char *texts[] = {
        shop,
        "policy:\n  tz: Europe/Berlin\n  consent: {sms: member.sms_ok, wechat: member.follows}\n",
        "rules:\n"
        "  a: {trigger: browse, do: [{wait: 1d}, {send: note, with: {name: member.name}}]}\n"
        "  b: {trigger: browse, do: [{wait: \"1d 10:00\"}, {send: note, with: {name: "
        "member.name}}]}\n"
        "  c: {trigger: {every: \"sun 02:30\"}, do: [{send: text, with: {name: member.name}}]}\n"};
    fu_start(&f, texts, 3, "2026-03-28 10:00");
    known(&f, "m1");
    browse(&f, "m1", "1");
    fu_go(&f, "2026-03-29 23:00");
    /* 02:30 is missing: the first instant after the gap */
    EXPECT(&f, "send text m1 sms 2026-03-29 03:00\nsend note m1 wechat 2026-03-29 10:00\n"
               "send note m1 wechat 2026-03-29 11:00");
    fu_stop(&f);
}

/* Lengths as long as can be written. */
static void endless(void **state)
{
    struct fu f;
    (void)state;
#define LONG "99999999999d"
    const char *texts[] = {
        shop,
        "policy:\n  tz: Asia/Shanghai\n  late: " LONG "\n  expire: " LONG
        "\n  consent: {sms: member.sms_ok, wechat: member.follows}\n"
        "  caps: {any: [1 per 3650d]}\n",
        "rules:\n"
        "  a: {trigger: browse, limit: 2 per 3650d, goal: {event: purchase, within: " LONG
        "}, do: [{send: note, with: {name: member.name}}, {wait: " LONG
        "}, {send: note, with: {name: member.name}}]}\n"
        "  b: {trigger: {silence: browse, for: " LONG
        "}, do: [{send: text, with: {name: member.name}}]}\n"};
    fu_start(&f, texts, 3, "2026-03-02 10:00");
    known(&f, "m1");
    browse(&f, "m1", "1");
    browse(&f, "m1", "2");
    fu_go(&f, "2030-03-02 10:00");
    fu_send(&f, "order", "{\"id\":\"p\",\"m\":\"m1\",\"amount\":1}");
    EXPECT(&f, "send note m1 wechat 2026-03-02 10:00\nconvert a m1 0");
    browse(&f, "m1", "3");
    EXPECT(&f, "");
    fu_stop(&f);
}

static void active_dates(void **state)
{
    struct fu f;
    (void)state;
    begin(
        &f, POLICY(""),
        "rules:\n  now: {trigger: browse, active: 2026-03-03..2026-03-04, do: [{send: note, with: "
        "{name: member.name}}]}\n",
        "2026-03-02 23:59");
    known(&f, "m1");
    browse(&f, "m1", "1");
    EXPECT(&f, "");
    fu_go(&f, "2026-03-03 00:00");
    browse(&f, "m1", "2");
    EXPECT(&f, "send note m1 wechat 2026-03-03 00:00");
    fu_go(&f, "2026-03-05 00:00");
    browse(&f, "m1", "3");
    EXPECT(&f, "");
    fu_stop(&f);
}

/* Timers of an instant: members by bytes, then priority, rule. */
static void order_of_an_instant(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""),
          "rules:\n"
          "  a: {trigger: {every: \"day 12:00\"}, priority: 1, do: [{send: note, with: {name: "
          "member.name}}]}\n"
          "  b: {trigger: {every: \"day 12:00\"}, priority: 9, do: [{send: text, with: {name: "
          "member.name}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m2");
    known(&f, "m10");
    known(&f, "m1");
    fu_go(&f, "2026-03-02 12:00");
    EXPECT(&f, "send text m1 sms 2026-03-02 12:00\nsend note m1 wechat 2026-03-02 12:00\n"
               "send text m10 sms 2026-03-02 12:00\nsend note m10 wechat 2026-03-02 12:00\n"
               "send text m2 sms 2026-03-02 12:00\nsend note m2 wechat 2026-03-02 12:00");
    fu_stop(&f);
}

/* A chain of more than eight changes stops. */
static void chains_stop(void **state)
{
    struct fu f;
    struct buf tags, rules;
    struct decide_stats st;
    (void)state;
    buf_init(&tags, 1 << 16);
    buf_init(&rules, 1 << 16);
    buf_adds(&tags, "tags:\n");
    buf_adds(&rules, "rules:\n  go: {trigger: browse, do: [{set: {t0: \"1\"}}]}\n");
    for (int i = 0; i < 12; i++)
        buf_addf(&tags, "  t%d: {type: int}\n", i);
    for (int i = 0; i < 11; i++)
        buf_addf(&rules, "  r%d: {trigger: {tag: t%d}, do: [{set: {t%d: \"1\"}}]}\n", i, i, i + 1);
    const char *texts[] = {
        "events:\n  browse: {topic: browse, id: id, member: m, time: ts, fields: {id: string}}\n",
        tags.p, "policy: {tz: Asia/Shanghai}\n", rules.p};
    fu_start(&f, texts, 4, "2026-03-02 10:00");
    fu_send(&f, "browse", "{\"id\":\"1\",\"m\":\"m1\"}");
    assert_string_equal(fu_tag(&f, "m1", "t8"), "1");
    assert_string_equal(fu_tag(&f, "m1", "t9"), "-");
    decide_stats(f.d, &st);
    assert_int_equal(st.expr_errors, 1);
    buf_free(&tags);
    buf_free(&rules);
    fu_stop(&f);
}

/* The dispatcher says `expired` after the time is over: nothing more is tried, charges come back. */
static void expired_at_the_gateway(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY(""),
          "rules:\n  now: {trigger: browse, limit: 1 ever, do: [{send: hello, with: {name: "
          "member.name}}]}\n",
          "2026-03-02 10:00");
    known(&f, "m1");
    browse(&f, "m1", "1");
    EXPECT(&f, "send hello m1 wechat 2026-03-02 10:00");
    fu_go(&f, "2026-03-03 10:01");
    fu_result(&f, 0, "expired");
    EXPECT(&f, "withhold hello m1 expired 2026-03-03 10:01");
    browse(&f, "m1", "2");
    EXPECT(&f, "send hello m1 wechat 2026-03-03 10:01");
    fu_stop(&f);
}

/* A run in test mode: forced arm, forced holdout, only some rules, consent given. */
static void test_mode(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, POLICY("  holdout: 100%\n"),
          "rules:\n"
          "  ab: {trigger: browse, do: [{split: {a: {share: 50, do: [{send: note, with: {name: "
          "member.name}}]}, "
          "b: {share: 50, do: [{send: text, with: {name: member.name}}]}}}]}\n"
          "  other: {trigger: browse, do: [{send: note, with: {name: member.name}}]}\n",
          "2026-03-02 10:00");
    decide_free(&f.d);
    const uint32_t only[] = {program_rule(f.p, STR("ab"))};
    const struct test_bucket arm = {STR("ab"), STR("b")};
    const struct param no = {STR("sms_ok"), val_bool(false)};
    const struct test_member members[] = {{.name = STR("m2"), .holdout = true},
                                          {.name = STR("m3"), .tags = &no, .n_tags = 1}};
    const struct test_def t = {.rules = only,
                               .n_rules = 1,
                               .buckets = &arm,
                               .n_buckets = 1,
                               .members = members,
                               .n_members = 2};
    f.d = decide_new(&(struct decide_conf){.topology = 7,
                                           .partitions = 1,
                                           .complete = true,
                                           .record_clock = true,
                                           .program = fu_lookup,
                                           .arg = &f,
                                           .test = &t});
    f.folded = 0;
    fu_fold(&f);
    known(&f, "m1");
    known(&f, "m2");
    known(&f, "m3");
    browse(&f, "m1", "1");
    browse(&f, "m2", "1");
    fu_send(&f, "profile", "{\"member\":\"m3\",\"set\":{\"sms_ok\":false}}");
    browse(&f, "m3", "1");
    EXPECT(&f, "send text m1 sms 2026-03-02 10:00\nwithhold text m2 holdout 2026-03-02 10:00\n"
               "withhold text m3 consent 2026-03-02 10:00");
    fu_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources),
        cmocka_unit_test(ring),
        cmocka_unit_test(blob_versions),
        cmocka_unit_test(newer_blob_parks),
        cmocka_unit_test(cursors),
        cmocka_unit_test(before_the_rules),
        cmocka_unit_test(names_that_are_none),
        cmocka_unit_test(newest_64_keys),
        cmocka_unit_test(rolling_and_calendar),
        cmocka_unit_test(full),
        cmocka_unit_test(errors),
        cmocka_unit_test(holdouts),
        cmocka_unit_test(waits_by_the_clock),
        cmocka_unit_test(summer_time),
        cmocka_unit_test(endless),
        cmocka_unit_test(active_dates),
        cmocka_unit_test(order_of_an_instant),
        cmocka_unit_test(chains_stop),
        cmocka_unit_test(expired_at_the_gateway),
        cmocka_unit_test(test_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
