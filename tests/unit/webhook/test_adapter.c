/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters: what is refused and with which words; what answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "webhook.h"

#define HEAD "name: sms\nkind: standard_webhook\nurl: https://sms.example.com/v1\nsecret_file: s\n"

static struct webhook_adapter *load(const char *text, struct buf *why)
{
    struct webhook_adapter_options o = {.check_only = true};
    struct webhook_adapter *a = NULL;
    struct diags *d = diags_new();
    struct err err = {0};
    int rc = webhook_adapter_read(STR("a.yaml"), str_c(text), &o, d, &a, &err);
    if (why)
        diags_text(d, 50, why);
    diags_free(&d);
    if (rc)
        webhook_adapter_free(&a);
    return a;
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", "an adapter needs `name`"},
        {HEAD "rate: 5\n", "unknown key `rate` in an adapter"},
        {HEAD "timeout: {}\n", "did you mean `timeouts`?"},
        {HEAD "auth: {kind: token}\n", "`auth` of an adapter is not built yet"},
        {HEAD "receipt: {}\n", "`receipt` of an adapter is not built yet"},
        {HEAD "limits: {rate: 5/s}\n", "`rate` of `limits` is not built yet"},
        {HEAD "limits: {in_flight: 0}\n", "from 1 to 10000"},
        {HEAD "limits: 5\n", "`limits` must be a mapping"},
        {HEAD "timeouts: {total: 1h}\n", "at most 300 s"},
        {HEAD "retry: {schedule: [5s]}\n", "the first try is at once"},
        {HEAD "retry: {jitter: 0.5}\n", "`jitter` of `retry` is not built yet"},
        {HEAD "ambiguous: maybe\n", "must be retry, fail or {reconcile"},
        {HEAD "ambiguous: retry\n", "sends again what may have arrived"},
        {HEAD "ambiguous: {reconcile: 5m, then: retry_once}\n", "sends again what may have"},
        {HEAD "ambiguous: {then: fail}\n", "needs `reconcile: LENGTH`"},
        {HEAD "allow: [localhost]\n", "not an address range"},
        {HEAD "allow: 127.0.0.0/8\n", "must be a list"},
        {HEAD "answer: {errcode: number}\n", "int, string, bool, double"},
        {HEAD "classify: [{when: \"sent\", then: ok}]\n", "must be a catch-all"},
        {HEAD "classify: [{when: \"true\", then: ok}]\n", "not a byte was sent"},
        {HEAD "classify: [{when: \"curl == 7\", then: ok}, {when: \"true\", then: ambiguous}]\n",
         "not a byte was sent"},
        {HEAD "classify: [{when: \"true\", then: fine}]\n", "not a class"},
        {HEAD "classify: [{when: \"true\", then: token_refresh}]\n", "is not built yet"},
        {HEAD "classify: [{when: \"true\", then: retry, wait: 5s}]\n", "unknown key `wait`"},
        {HEAD "classify: [{when: \"j.errcode == 0\", then: ok}, {when: \"true\", then: retry}]\n",
         "errcode"},
        {HEAD "classify: [{when: \"status\", then: retry}]\n", "status"},
        {HEAD "idempotent: yes\n", "true or false"},
        {"name: Sms\nkind: standard_webhook\nurl: https://a/\nsecret_file: s\n", "lower case"},
        {"name: sms\nkind: wechat\nurl: https://a/\nsecret_file: s\n",
         "kind `wechat` is not built"},
        {"name: sms\nkind: standard_webhook\nurl: http://a/\nsecret_file: s\n", "not encrypted"},
        {"name: sms\nkind: standard_webhook\nurl: ftp://a/\nsecret_file: s\n", "must begin with"},
        {"name: sms\nkind: standard_webhook\nurl: https:///x\nsecret_file: s\n", "has no host"},
        {"name: sms\nkind: standard_webhook\nurl: https://u:p@a/\nsecret_file: s\n",
         "user, password"},
        {"name: sms\nkind: standard_webhook\nurl: https://a/?key=1\nsecret_file: s\n", "or query"},
    };
    (void)state;
    for (size_t i = 0; i < BASE_LEN(cases); i++) {
        struct buf why;
        buf_init(&why, 65536);
        assert_null(load(cases[i].text, &why));
        if (!why.n || !strstr(why.p, cases[i].want))
            fail_msg("case %zu: no `%s` in:\n%s", i, cases[i].want, why.n ? why.p : "nothing");
        buf_free(&why);
    }
}

static void test_accepted(void **state)
{
    int64_t wait;
    bool once;
    (void)state;
    struct webhook_adapter *a =
        load(HEAD "address: phone\nidempotent: true\nambiguous: {reconcile: 5m, then: retry_once}\n"
                  "limits: {in_flight: 7}\ntimeouts: {connect: 9s, total: 3s}\n"
                  "retry: {schedule: [0s, 1s]}\n",
             NULL);
    assert_non_null(a);
    assert_true(str_eqc(webhook_adapter_name(a), "sms"));
    assert_true(str_eqc(webhook_adapter_address(a), "phone"));
    assert_int_equal(webhook_adapter_limits(a)->in_flight, 7);
    assert_int_equal(webhook_adapter_limits(a)->connect_ms, 3000);
    assert_int_equal(webhook_adapter_ambiguous(a, &wait, &once), WEBHOOK_AMB_RECONCILE);
    assert_true(wait == 300000 && once);
    assert_int_equal(webhook_adapter_schedule(a, STR("service"))->n, 2);
    webhook_adapter_free(&a);
    a = load(HEAD, NULL); /* not idempotent: what may have arrived is not sent again */
    assert_int_equal(webhook_adapter_ambiguous(a, &wait, &once), WEBHOOK_AMB_RECONCILE);
    assert_false(once);
    assert_int_equal(webhook_adapter_schedule(a, STR("service"))->n, 6);
    webhook_adapter_free(&a);
    a = load(HEAD "idempotent: true\n", NULL);
    assert_int_equal(webhook_adapter_ambiguous(a, &wait, &once), WEBHOOK_AMB_RETRY);
    webhook_adapter_free(&a);
    assert_null(a);
}

static void test_shipped(void **state)
{
    static const char *const files[] = {"/deploy/gateways/sms.yaml", "/deploy/gateways/wechat.yaml",
                                        "/tests/fuzz/corpus/adapter/readme"};
    (void)state;
    for (size_t i = 0; i < BASE_LEN(files); i++) {
        char path[1024];
        struct webhook_adapter_options o = {.check_only = true};
        struct webhook_adapter *a = NULL;
        struct diags *d = diags_new();
        struct err err = {0};
        (void)snprintf(path, sizeof path, "%s%s", ROUSE_SOURCE, files[i]);
        assert_int_equal(webhook_adapter_load(path, &o, d, &a, &err), 0);
        diags_free(&d);
        webhook_adapter_free(&a);
    }
}

/* ---- answers --------------------------------------------------------------------------------------- */

static struct webhook_answer answer(int status, const char *body)
{
    return (struct webhook_answer){
        .sent = true, .complete = true, .status = status, .body = str_c(body)};
}

static void expect(const struct webhook_adapter *a, const struct webhook_answer *w,
                   enum webhook_class want, const char *code)
{
    struct webhook_verdict v;
    webhook_classify(a, w, 0, &v);
    assert_string_equal(webhook_class_name(v.cls), webhook_class_name(want));
    assert_string_equal(v.code, code);
}

static void test_standard(void **state)
{
    static const struct {
        int status;
        enum webhook_class want;
    } cases[] = {
        {200, WEBHOOK_OK},
        {204, WEBHOOK_OK},
        {299, WEBHOOK_OK},
        {301, WEBHOOK_PERMANENT_CONTENT},
        {307, WEBHOOK_PERMANENT_CONTENT},
        {400, WEBHOOK_PERMANENT_CONTENT},
        {401, WEBHOOK_ACCOUNT_STOP},
        {403, WEBHOOK_ACCOUNT_STOP},
        {404, WEBHOOK_PERMANENT_RECIPIENT},
        {408, WEBHOOK_RETRY},
        {409, WEBHOOK_DUPLICATE_OK},
        {410, WEBHOOK_ACCOUNT_STOP},
        {429, WEBHOOK_THROTTLE},
        {451, WEBHOOK_PERMANENT_RECIPIENT},
        {500, WEBHOOK_RETRY},
        {503, WEBHOOK_RETRY},
        {599, WEBHOOK_RETRY},
        {600, WEBHOOK_AMBIGUOUS},
        {0, WEBHOOK_AMBIGUOUS},
        {101, WEBHOOK_AMBIGUOUS},
    };
    struct webhook_adapter *a = load(HEAD, NULL);
    (void)state;
    for (size_t i = 0; i < BASE_LEN(cases); i++) {
        struct webhook_answer w = answer(cases[i].status, "{}");
        char code[32];
        (void)snprintf(code, sizeof code, "http_%d", cases[i].status);
        expect(a, &w, cases[i].want, code);
    }
    struct webhook_answer w = {.curl = 7};
    expect(a, &w, WEBHOOK_RETRY, "curl_7");
    w = (struct webhook_answer){.curl = 60};
    expect(a, &w, WEBHOOK_ACCOUNT_STOP, "curl_60");
    w = (struct webhook_answer){.curl = 7, .blocked = true};
    expect(a, &w, WEBHOOK_ACCOUNT_STOP, "address_forbidden");
    w = (struct webhook_answer){.curl = 28, .sent = true};
    expect(a, &w, WEBHOOK_AMBIGUOUS, "curl_28");
    w = (struct webhook_answer){.sent = true, .status = 200}; /* headers cut off: CURLE_OK, 200 */
    expect(a, &w, WEBHOOK_AMBIGUOUS, "cut_answer");
    w = (struct webhook_answer){.sent = true, .curl = 42, .resent = true};
    expect(a, &w, WEBHOOK_AMBIGUOUS, "resend_stopped");
    webhook_adapter_free(&a);
}

static void test_rules(void **state)
{
    struct webhook_adapter *a = load(
        HEAD "answer: {errcode: int, errmsg: string, Response: {Error: {Code: string}}}\n"
             "code: \"string(j.errcode)\"\n"
             "classify:\n"
             "  - {when: \"!sent\", then: retry}\n"
             "  - {when: \"j.errcode == 0\", then: ok}\n"
             "  - {when: \"j.errcode == -1\", then: retry, delay: 7s}\n"
             "  - {when: \"j.errcode in [45009, 45011]\", then: throttle, delay: 60s}\n"
             "  - {when: \"has(j.Response) && j.Response.Error.Code == 'Limit'\", then: throttle}\n"
             "  - {when: \"status == 503 && h['x-why'] == 'maintenance'\", then: defer}\n"
             "  - {when: \"body.contains('DUP')\", then: duplicate_ok}\n"
             "  - {when: \"true\", then: ambiguous}\n",
        NULL);
    struct webhook_verdict v;
    (void)state;
    assert_non_null(a);
    struct webhook_answer w = answer(200, "{\"errcode\":0,\"errmsg\":\"ok\"}");
    expect(a, &w, WEBHOOK_OK, "0");
    w = answer(200, "{\"errcode\":-1}");
    expect(a, &w, WEBHOOK_RETRY, "-1");
    webhook_classify(a, &w, 0, &v);
    assert_int_equal(v.after_ms, 7000);
    w.retry_after = STR("30");
    webhook_classify(a, &w, 0, &v);
    assert_int_equal(v.after_ms, 30000);
    w = answer(200, "{\"errcode\":45011}");
    expect(a, &w, WEBHOOK_THROTTLE, "45011");
    w = answer(200, "{\"Response\":{\"Error\":{\"Code\":\"Limit\"}}}");
    expect(a, &w, WEBHOOK_THROTTLE, "http_200");
    w = answer(200, "{\"errcode\":\"0\"}"); /* of another type: as if it were not there */
    expect(a, &w, WEBHOOK_AMBIGUOUS, "http_200");
    w = answer(200, "<html>ok</html>");
    expect(a, &w, WEBHOOK_AMBIGUOUS, "http_200");
    w = answer(200, "");
    expect(a, &w, WEBHOOK_AMBIGUOUS, "http_200");
    w = answer(200, "DUP");
    expect(a, &w, WEBHOOK_DUPLICATE_OK, "http_200");
    w = answer(503, "{}");
    w.headers = STR("server: x\nx-why:  maintenance\nx-why: other\n");
    expect(a, &w, WEBHOOK_DEFER, "http_503");
    w = answer(200, "{\"errcode\":0}");
    w.complete = false; /* no rule is asked */
    w.curl = 18;
    expect(a, &w, WEBHOOK_AMBIGUOUS, "curl_18");
    webhook_adapter_free(&a);
}

static void test_names(void **state)
{
    enum webhook_class c;
    (void)state;
    for (int i = 0; i < WEBHOOK_N_CLASSES; i++) {
        assert_int_equal(webhook_class_parse(str_c(webhook_class_name((enum webhook_class)i)), &c),
                         0);
        assert_int_equal(c, i);
    }
    assert_int_equal(webhook_class_parse(STR("okay"), &c), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused), cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_shipped), cmocka_unit_test(test_standard),
        cmocka_unit_test(test_rules),   cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
