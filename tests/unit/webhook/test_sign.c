/* SPDX-License-Identifier: Apache-2.0 */
/* Standard Webhooks: published vectors (V1, V2 are in the libraries of the specification's repository)
 * and our own, computed with another implementation; secrets from files; verification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "webhook.h"

#define KEY1 "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define KEY2 "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

static const struct {
    const char *secrets, *id;
    int64_t ts;
    struct str body;
    const char *want;
} vectors[] = {
    {KEY1,
     "msg_p5jXN8AQM9LWM0D4loKWxJek",
     1614265330,
     {"{\"test\": 2432232314}", 20},
     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {KEY2,
     "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
     1649367553,
     {"{\"email\":\"test@example.com\",\"username\":\"test_user\"}", 51},
     "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="},
    {KEY1,
     "msg_cn_1",
     1700000000,
     {"{\"type\":\"member.message\",\"data\":{\"text\":\"【签名】您好，拒收请回复R\"}}", 0},
     "v1,1GlAyA0rUXkV+h20+Yun5+pQNhXeTI/+IDf8Et2JtuY="},
    {KEY1, "msg_empty", 1700000000, {"", 0}, "v1,LrOGikvEp3ovC4ipwU5sfXzzFy9SMN1tDL3jPPGtLmc="},
    {KEY2 "\n" KEY1,
     "msg_rot",
     1700000000,
     {"{}", 2},
     "v1,2f4bJlyZxkR7S8ba00FRSZEEdeQTX3NJ5YzxP96ruok= "
     "v1,+4aQjM1cwCDTyA7hOy7o/KwSotOohNtaOfTsv0MsdSM="},
    {KEY1,
     "msg_bin",
     1700000000,
     {"a\0b\r\n", 5},
     "v1,WhNvlR0s63jqdIbH1YpwwnAYMJ6LrAIyIIaM47yuJdM="},
};

static struct str body_of(size_t i)
{
    struct str b = vectors[i].body;
    if (!b.n)
        b.n = strlen(b.p);
    return b;
}

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < BASE_LEN(vectors); i++) {
        struct webhook_keys k;
        struct err err = {0};
        char sig[WEBHOOK_SIGNATURE_MAX], ts[24];
        assert_int_equal(webhook_keys_parse(str_c(vectors[i].secrets), &k, &err), 0);
        webhook_sign(&k, str_c(vectors[i].id), vectors[i].ts, body_of(i), sig);
        assert_string_equal(sig, vectors[i].want);
        (void)snprintf(ts, sizeof ts, "%lld", (long long)vectors[i].ts);
        assert_null(webhook_verify(&k, str_c(vectors[i].id), str_c(ts), str_c(sig), body_of(i),
                                   vectors[i].ts, 300));
    }
}

static void test_verify(void **state)
{
    static const char good[] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    static const struct {
        const char *id, *ts, *sig, *want;
        int64_t now;
    } cases[] = {
        {"msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", good, NULL, 1614265330 + 300},
        {"msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", good, "too_old", 1614265330 + 301},
        {"msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", good, "too_new", 1614265330 - 301},
        {"", "1614265330", good, "bad_id", 1614265330},
        {"a.b", "1614265330", good, "bad_id", 1614265330},
        {"msg_p5jXN8AQM9LWM0D4loKWxJek", "", good, "bad_timestamp", 1614265330},
        {"msg_p5jXN8AQM9LWM0D4loKWxJek", "soon", good, "bad_timestamp", 1614265330},
        {"msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "", "bad_signature", 1614265330},
        {"msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1,", "bad_signature", 1614265330},
        {"msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
         "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=", "bad_signature", 1614265330},
        {"msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
         "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "bad_signature", 1614265330},
        {"msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
         "v2,xx v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= "
         "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,",
         NULL, 1614265330},
        {"msg_other", "1614265330", good, "bad_signature", 1614265330},
        {"msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265331", good, "bad_signature", 1614265330},
    };
    struct webhook_keys k;
    (void)state;
    assert_int_equal(webhook_keys_parse(STR(KEY1), &k, NULL), 0);
    for (size_t i = 0; i < BASE_LEN(cases); i++) {
        const char *got = webhook_verify(&k, str_c(cases[i].id), str_c(cases[i].ts),
                                         str_c(cases[i].sig), body_of(0), cases[i].now, 300);
        assert_true(got == cases[i].want || (got && cases[i].want && !strcmp(got, cases[i].want)));
    }
    /* tolerance 0: any age */
    assert_null(
        webhook_verify(&k, str_c(vectors[0].id), STR("1614265330"), str_c(good), body_of(0), 0, 0));
}

static void test_secrets(void **state)
{
    static const char *const bad[] = {"",
                                      "\n# nothing\n",
                                      "whsec_",
                                      "whsec_short",
                                      "secret",
                                      "whsec_AAAA",
                                      "whsk_6Xb/dCcHpPea21PS1N9VY",
                                      "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                      KEY1 "\nMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};
    struct webhook_keys k;
    (void)state;
    for (size_t i = 0; i < BASE_LEN(bad); i++) {
        struct err err = {0};
        assert_int_equal(webhook_keys_parse(str_c(bad[i]), &k, &err), -1);
        assert_int_equal(err.kind, ERR_INPUT);
        assert_null(strstr(err.text, "MfKQ9r8")); /* never the secret itself */
    }
    struct err err = {0};
    assert_int_equal(webhook_keys_parse(STR("# current\n" KEY2 "\r\n\n" KEY1), &k, &err), 0);
    assert_int_equal(k.n, 2);
    assert_int_equal(k.k[0].n, 24);
    assert_int_equal(webhook_keys_load("/nonexistent/secret", &k, &err), -1);
    assert_non_null(strstr(err.text, "/nonexistent/secret"));
}

static void test_body(void **state)
{
    static const struct val list[] = {{.t = V_STRING, .n = 1, .s = "A"},
                                      {.t = V_STRING, .n = 3, .s = "\"B\""}};
    static const struct param data[] = {{{"name", 4}, {.t = V_STRING, .n = 6, .s = "张三"}},
                                        {{"skus", 4}, {.t = V_LIST, .n = 2, .list = list}}};
    struct decision d = {.kind = DEC_SEND,
                         .at_ms = INT64_C(1772416800000),
                         .member = STR("m1"),
                         .rule = STR("welcome"),
                         .message = STR("welcome_a"),
                         .to = STR("o1"),
                         .template = STR("WX01"),
                         .text = STR("您好\n"),
                         .data = data,
                         .n_data = 2};
    struct buf b;
    (void)state;
    buf_init(&b, 65536);
    memcpy(d.id, "abc", 4);
    webhook_body(&d, &b);
    assert_string_equal(
        b.p, "{\"id\":\"abc\",\"type\":\"rouse.message\",\"timestamp\":"
             "\"2026-03-02T02:00:00Z\",\"data\":{\"member\":\"m1\",\"rule\":\"welcome\","
             "\"message\":\"welcome_a\",\"to\":\"o1\",\"template\":\"WX01\",\"text\":"
             "\"您好\\n\",\"data\":{\"name\":\"张三\",\"skus\":[\"A\",\"\\\"B\\\"\"]}}}");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
