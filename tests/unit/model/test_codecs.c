/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions, outcomes, dead letters and control values: written, read back, refused when broken. */
#include <setjmp.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "model_priv.h"

static struct arena *a;
static struct buf b;

static int setup(void **state)
{
    (void)state;
    a = arena_new(0);
    buf_init(&b, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&a);
    buf_free(&b);
    return 0;
}

static struct decision sample(void)
{
    static const struct val items[2] = {{.t = V_STRING, .n = 1, .s = "A"},
                                        {.t = V_STRING, .n = 3, .s = "猫"}};
    static struct param data[2];
    data[0] = (struct param){STR("name"), val_str(STR("张\"三"))};
    data[1] = (struct param){STR("skus"), {.t = V_LIST, .n = 2, .list = items}};
    return (struct decision){.kind = DEC_SEND,
                             .p = 3,
                             .era = 1,
                             .seq = 42,
                             .at_ms = 1700000000000,
                             .member = STR("m1"),
                             .rule = STR("welcome"),
                             .key = STR("k"),
                             .send_key = STR("s"),
                             .message = STR("hello"),
                             .gateway = STR("sms"),
                             .to = STR("138"),
                             .purpose = STR("marketing"),
                             .expire_ms = 1700000060000,
                             .quiet_from = 1260,
                             .quiet_to = 540,
                             .utc_off_s = 28800,
                             .template = STR("T1"),
                             .text = STR("hi"),
                             .data = data,
                             .n_data = 2};
}

static void test_decision(void **state)
{
    (void)state;
    struct decision d = sample(), r;
    struct err err = {0};
    uint8_t chain[32] = {0}, zero[32] = {0};
    decision_write(&d, 7, chain, &b);
    assert_int_equal(strlen(d.id), 39);
    uint32_t era, p;
    uint64_t seq;
    assert_int_equal(decision_id_read(str_c(d.id), 7, &era, &p, &seq), 0);
    assert_true(era == 1 && p == 3 && seq == 42);
    assert_int_equal(decision_id_read(str_c(d.id), 8, &era, &p, &seq), -1);
    assert_int_equal(decision_id_read(STR("nonsense"), 7, &era, &p, &seq), -1);
    assert_non_null(
        strstr(b.p, ",\"t\":\"send\",\"p\":3,\"era\":1,\"seq\":42,\"at\":1700000000000,"));
    assert_int_equal(decision_read(buf_str(&b), a, &r, &err), 0);
    assert_int_equal(r.kind, DEC_SEND);
    assert_int_equal(r.seq, 42);
    assert_true(str_eq(r.to, d.to) && str_eq(r.text, d.text) && str_eqc(r.reason, ""));
    assert_int_equal(r.quiet_from, 1260);
    assert_int_equal(r.utc_off_s, 28800);
    assert_int_equal(r.n_data, 2);
    assert_true(val_eq(&r.data[0].value, &d.data[0].value));
    assert_true(val_eq(&r.data[1].value, &d.data[1].value));
    assert_string_equal(r.id, d.id);
    assert_memory_equal(r.chain, chain, 32);
    assert_int_equal(decision_follows(buf_str(&b), &r, 7, zero), 1);
    assert_int_equal(decision_follows(buf_str(&b), &r, 8, zero), 0);
    zero[0] = 1;
    assert_int_equal(decision_follows(buf_str(&b), &r, 7, zero), 0);
}

/* The chain is over the content as an object of its own, so anybody can compute it. */
static void test_decision_chain(void **state)
{
    (void)state;
    struct decision d = sample();
    uint8_t chain[32] = {0}, zero[32] = {0}, want[32];
    decision_write(&d, 7, chain, &b);
    const char *content = strstr(b.p, "\"t\":");
    struct buf c;
    buf_init(&c, 1 << 16);
    buf_addc(&c, '{');
    buf_adds(&c, content);
    hash_sha256_2(zero, 32, c.p, c.n, want);
    assert_memory_equal(chain, want, 32);
    buf_free(&c);
    /* any changed byte breaks it */
    struct decision r;
    assert_int_equal(decision_read(buf_str(&b), a, &r, NULL), 0);
    char *at = strstr(b.p, "welcome");
    *at = 'W';
    assert_int_equal(decision_follows(buf_str(&b), &r, 7, zero), 0);
}

static void test_decision_small(void **state)
{
    (void)state;
    struct decision w = {.kind = DEC_WITHHOLD,
                         .member = STR("m"),
                         .rule = STR("r"),
                         .reason = STR("limit"),
                         .quiet_from = -1,
                         .quiet_to = -1},
                    r;
    struct decision c = {.kind = DEC_CONVERT,
                         .seq = 1,
                         .member = STR("m"),
                         .rule = STR("r"),
                         .value = 12.5,
                         .quiet_from = -1,
                         .quiet_to = -1};
    uint8_t chain[32] = {0}, first[32];
    decision_write(&w, 1, chain, &b);
    memcpy(first, chain, 32);
    assert_int_equal(decision_read(buf_str(&b), a, &r, NULL), 0);
    assert_true(r.kind == DEC_WITHHOLD && str_eqc(r.reason, "limit") && r.quiet_from == -1);
    size_t at = b.n;
    decision_write(&c, 1, chain, &b); /* appends */
    struct str second = {b.p + at, b.n - at};
    assert_int_equal(decision_read(second, a, &r, NULL), 0);
    assert_true(r.kind == DEC_CONVERT && r.value >= 12.5 && r.value <= 12.5);
    assert_int_equal(decision_follows(second, &r, 1, first), 1);
}

/* Every proper prefix of a record is refused, and so is a missing key. */
static void test_decision_refused(void **state)
{
    (void)state;
    struct decision d = sample(), r;
    struct err err = {0};
    uint8_t chain[32] = {0};
    decision_write(&d, 7, chain, &b);
    for (size_t n = 0; n < b.n; n++) {
        char *cut = xmemdup0(b.p, n);
        assert_int_equal(decision_read((struct str){cut, n}, a, &r, NULL), -1);
        free(cut);
    }
    assert_int_equal(decision_read(STR("{\"t\":\"send\"}"), a, &r, &err), -1);
    assert_string_equal(err.code, "decision");
}

static void test_outcomes(void **state)
{
    (void)state;
    struct outcome o = {.kind = OUT_RESULT,
                        .tok = "0123456789abcdef0123456789abcdef",
                        .era = 2,
                        .seq = 9,
                        .id = "abc",
                        .attempt = 3,
                        .at_ms = 5,
                        .member = STR("m"),
                        .rule = STR("r"),
                        .message = STR("x"),
                        .gateway = STR("sms"),
                        .result_class = STR("ok"),
                        .status = STR("sent"),
                        .code = STR("0"),
                        .final = true,
                        .sent = true},
                   r;
    outcome_write(&o, &b);
    assert_int_equal(outcome_read(buf_str(&b), a, &r, NULL), 0);
    assert_true(r.kind == OUT_RESULT && r.final && r.sent && r.seq == 9 && r.attempt == 3);
    assert_string_equal(r.tok, o.tok);
    assert_true(str_eqc(r.status, "sent") && str_eqc(r.gateway, "sms") && str_eqc(r.code, "0"));
    uint64_t seqs[3] = {5, 6, 900};
    uint32_t tries[3] = {1, 0, 7};
    struct outcome s = {.kind = OUT_SNAPSHOT,
                        .tok = "t",
                        .next = 901,
                        .decisions_off = 77,
                        .incomplete = seqs,
                        .incomplete_attempts = tries,
                        .n_incomplete = 3};
    memset(s.chain, 0xab, 32);
    buf_reset(&b);
    outcome_write(&s, &b);
    assert_int_equal(outcome_read(buf_str(&b), a, &r, NULL), 0);
    assert_true(r.kind == OUT_SNAPSHOT && r.next == 901 && r.decisions_off == 77);
    assert_int_equal(r.n_incomplete, 3);
    assert_true(r.incomplete[2] == 900 && r.incomplete_attempts[2] == 7);
    assert_memory_equal(r.chain, s.chain, 32);
    struct outcome c = {.kind = OUT_CLAIM, .tok = "t"};
    buf_reset(&b);
    outcome_write(&c, &b);
    assert_string_equal(b.p, "{\"t\":\"claim\",\"tok\":\"t\",\"era\":0,\"at\":0}");
    assert_int_equal(outcome_read(buf_str(&b), a, &r, NULL), 0);
    assert_int_equal(outcome_read(STR("{\"t\":\"claim\",\"tok\":\"t\",\"era\":0}"), a, &r, NULL),
                     -1);
    assert_int_equal(
        outcome_read(STR("{\"t\":\"other\",\"tok\":\"t\",\"era\":0,\"at\":0}"), a, &r, NULL), -1);
}

static void test_tag_change(void **state)
{
    (void)state;
    struct tag_change_rec c = {.member = STR("m1"),
                               .tag = STR("tier"),
                               .value = STR("gold \"1\""),
                               .off = 1234,
                               .entry = 3,
                               .at_ms = 1772445600000},
                          r;
    struct err err = {0};
    tag_change_write(&c, &b);
    assert_string_equal(b.p, "{\"member\":\"m1\",\"tag\":\"tier\",\"value\":\"gold \\\"1\\\"\","
                             "\"off\":1234,\"entry\":3,\"at\":1772445600000}");
    assert_int_equal(tag_change_read(buf_str(&b), a, &r, &err), 0);
    assert_true(str_eq(r.member, c.member) && str_eq(r.tag, c.tag) && str_eq(r.value, c.value));
    assert_true(!r.unset && r.off == 1234 && r.entry == 3 && r.at_ms == c.at_ms);
    for (size_t n = 0; n < b.n; n++) {
        char *cut = xmemdup0(b.p, n);
        assert_int_equal(tag_change_read((struct str){cut, n}, a, &r, NULL), -1);
        free(cut);
    }
    c.unset = true;
    buf_reset(&b);
    tag_change_write(&c, &b);
    assert_non_null(strstr(b.p, "\"value\":null,\"off\""));
    assert_int_equal(tag_change_read(buf_str(&b), a, &r, &err), 0);
    assert_true(r.unset && r.value.n == 0);
    static const char *const bad[] = {
        "{\"member\":\"m\",\"tag\":\"t\",\"off\":1,\"entry\":0,\"at\":1}", /* no value */
        "{\"member\":\"m\",\"tag\":\"t\",\"value\":1,\"off\":1,\"entry\":0,\"at\":1}",
        "{\"member\":\"m\",\"tag\":\"t\",\"value\":null,\"off\":-1,\"entry\":0,\"at\":1}",
        "{\"member\":\"m\",\"tag\":\"t\",\"value\":null,\"off\":1,\"entry\":0,\"at\":1} "};
    for (size_t i = 0; i < BASE_LEN(bad); i++)
        assert_int_equal(tag_change_read(str_c(bad[i]), a, &r, NULL), -1);
    assert_int_equal(tag_change_read(STR("{\"member\":\"m\",\"new\":[1],\"tag\":\"t\",\"value\":"
                                         "null,\"off\":1,\"entry\":0,\"at\":1}"),
                                     a, &r, NULL),
                     0); /* a key that is not known */
}

static void test_dead(void **state)
{
    (void)state;
    struct dead d = {.src = {STR("t.x"), 1, 2, 3},
                     .at_ms = 9,
                     .code = STR("utf8"),
                     .path = STR("a.b"),
                     .reason = STR("bad"),
                     .key = STR("k"),
                     .value = STR("\xff\x00z")},
                r;
    dead_write(&d, &b);
    assert_int_equal(dead_read(buf_str(&b), a, &r, NULL), 0);
    assert_true(str_eq(r.value, d.value) && str_eq(r.key, d.key) && str_eq(r.path, d.path));
    assert_true(r.src.offset == 3 && r.src.partition == 2 && str_eq(r.src.topic, d.src.topic));
    d.value = STR("{\"plain\":\"猫\"}");
    buf_reset(&b);
    dead_write(&d, &b);
    assert_non_null(strstr(b.p, "\"value\":\"{\\\"plain\\\":"));
    assert_int_equal(dead_read(buf_str(&b), a, &r, NULL), 0);
    assert_true(str_eq(r.value, d.value) && r.cut_from == 0);
    assert_int_equal(dead_read(STR("{\"s\":[\"a\"]}"), a, &r, NULL), -1);
    assert_int_equal(dead_read(STR("[]"), a, &r, NULL), -1);
}

static void test_control(void **state)
{
    (void)state;
    struct genesis g = {.topology = 0xdeadbeef,
                        .partitions = 64,
                        .record_clock = true,
                        .end_ms = 123,
                        .version = 1},
                   r;
    struct err err = {0};
    genesis_write(&g, &b);
    assert_string_equal(b.p,
                        "{\"v\":1,\"topology\":3735928559,\"partitions\":64,\"clock\":\"record\","
                        "\"end\":123}");
    assert_int_equal(genesis_read(buf_str(&b), &r, NULL), 0);
    assert_true(r.topology == g.topology && r.partitions == 64 && r.record_clock &&
                r.end_ms == 123);
    assert_int_equal(genesis_read(STR("{\"v\":2}"), &r, &err), -1);
    assert_string_equal(err.code, "version");
    assert_int_equal(
        genesis_read(STR("{\"v\":1,\"topology\":1,\"partitions\":0,\"clock\":\"append\"}"), &r,
                     NULL),
        -1);
    struct active v = {.level = 1}, w;
    memset(v.hash, 'a', 64);
    buf_reset(&b);
    active_write(&v, &b);
    assert_int_equal(active_read(buf_str(&b), &w, NULL), 0);
    assert_string_equal(w.hash, v.hash);
    assert_int_equal(w.level, 1);
    assert_int_equal(active_read(STR("{\"hash\":\"zz\",\"level\":1}"), &w, NULL), -1);
    int64_t epoch = 0;
    buf_reset(&b);
    source_epoch_write(4, &b);
    assert_int_equal(source_epoch_read(buf_str(&b), &epoch, NULL), 0);
    assert_int_equal(epoch, 4);
    assert_int_equal(source_epoch_read(STR("{\"epoch\":-1}"), &epoch, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_decision, setup, teardown),
        cmocka_unit_test_setup_teardown(test_decision_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_decision_small, setup, teardown),
        cmocka_unit_test_setup_teardown(test_decision_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outcomes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tag_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead, setup, teardown),
        cmocka_unit_test_setup_teardown(test_control, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
