/* SPDX-License-Identifier: Apache-2.0 */
#include "mock.h"

static int make(const struct kafka_conf *c, struct err *err)
{
    struct kafka_producer *p;

    if (kafka_producer_new(c, &p, err) < 0)
        return -1;
    kafka_producer_free(&p);
    return 0;
}

static void only_connection_settings_pass(void **state)
{
    static const char *const good[] = {"security.protocol", "plaintext", "sasl.username", "u",
                                       NULL};
    static const char *const bad[][3] = {
        {"enable.idempotence", "false", NULL},
        {"plugin.library.paths", "x.so", NULL},
        {"sasl.kerberos.kinit.cmd", "rm", NULL},
        {"ssl.endpoint.identification.algorithm", "none", NULL},
        {"enable.ssl.certificate.verification", "false", NULL},
        {"security.protocol", "nonsense", NULL},
        {"security.protocol", NULL, NULL},
    };
    struct kafka_conf c = {.bootstrap = "127.0.0.1:1", .extra = good};
    struct err err = {0};

    (void)state;
    assert_int_equal(make(&c, &err), 0);
    for (size_t i = 0; i < BASE_LEN(bad); i++) {
        err_clear(&err);
        c.extra = bad[i];
        assert_int_equal(make(&c, &err), -1);
        assert_int_equal(err.kind, ERR_INPUT);
        assert_string_equal(err.code, "kafka_conf");
        assert_non_null(strstr(err.text, bad[i][0]));
    }
}

static void an_address_is_needed(void **state)
{
    struct kafka_conf c = {.bootstrap = ""};
    struct err err = {0};

    (void)state;
    assert_int_equal(make(&c, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
}

static void on_log(void *arg, int level, const char *facility, const char *text)
{
    (void)level;
    (void)facility;
    assert_non_null(text);
    ++*(int *)arg;
}

static void logs_come_through_poll_only(void **state)
{
    int lines = 0;
    struct kafka_conf c = {.bootstrap = "127.0.0.1:1", .log = on_log, .log_arg = &lines};
    struct kafka_producer *p;
    struct err err = {0};

    (void)state;
    assert_int_equal(kafka_producer_new(&c, &p, &err), 0);
    assert_int_equal(lines, 0);
    for (int i = 0; i < 100 && lines == 0; i++)
        kafka_producer_poll(p, 100, NULL, NULL);
    assert_true(lines > 0);
    kafka_producer_free(&p);
}

static void tools_give_up_in_time_when_nobody_answers(void **state)
{
    struct kafka_conf c = {.bootstrap = "127.0.0.1:1"};
    struct kafka_topic t = {"t", 1, 1, NULL};
    struct kafka_tp tp = {"t", 0, -1, {0}};
    struct arena *a = arena_new(0);
    struct err err[5] = {0};
    int64_t low, high, start = mock_now_ms();

    (void)state;
    assert_int_equal(kafka_watermarks(&c, "t", 0, &low, &high, 300, &err[0]), -1);
    assert_int_equal(kafka_topic_partitions(&c, "t", 300, &err[1]), -1);
    assert_int_equal(kafka_topic_create(&c, &t, 300, &err[2]), -1);
    assert_int_equal(kafka_committed(&c, "g", &tp, 1, a, 300, &err[3]), -1);
    assert_int_equal(kafka_read_all(&c, "t", 0, KAFKA_BEGINNING, NULL, NULL, 300, &err[4]), -1);
    for (size_t i = 0; i < BASE_LEN(err); i++)
        assert_int_equal(err[i].kind, ERR_AGAIN);
    assert_true(mock_now_ms() - start < 20000);
    arena_free(&a);
}

static void sandbox_broker_has_no_admin_interface(void **state)
{
    struct mock *m = *state;
    struct kafka_topic t = {"t", 1, 1, NULL};
    char value[64];
    struct err err = {0};

    mock_topic(m, "there", 3);
    assert_int_equal(kafka_topic_create(&m->conf, &t, 3000, &err), -1);
    if (strcmp(err.code, "unsupported") != 0)
        fail_msg("%s", err.text);
    err_clear(&err);
    assert_int_equal(
        kafka_topic_config(&m->conf, "there", "retention.ms", value, sizeof(value), 3000, &err),
        -1);
    assert_string_equal(err.code, "unsupported");
    err_clear(&err);
    assert_int_equal(kafka_topic_delete(&m->conf, "there", 3000, &err), -1);
    assert_string_equal(err.code, "unsupported");
    err_clear(&err);
    assert_int_equal(kafka_topic_partitions(&m->conf, "there", 3000, &err), 3);
    assert_int_equal(kafka_topic_partitions(&m->conf, "nowhere", 3000, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_connection_settings_pass),
        cmocka_unit_test(an_address_is_needed),
        cmocka_unit_test(logs_come_through_poll_only),
        cmocka_unit_test(tools_give_up_in_time_when_nobody_answers),
        cmocka_unit_test_setup_teardown(sandbox_broker_has_no_admin_interface, mock_up, mock_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
