/* SPDX-License-Identifier: Apache-2.0 */
#include "mock.h"

#include <poll.h>

struct seen {
    int ok, failed;
    int64_t last[8]; /* offset by partition */
    uintptr_t next;  /* opaque that must come next */
    struct err err;
};

static void on_report(void *arg, void *opaque, const char *topic, int32_t partition, int64_t offset,
                      const struct err *err)
{
    struct seen *s = arg;

    (void)topic;
    if (err) {
        s->failed++;
        s->err = *err;
        return;
    }
    s->ok++;
    assert_in_range(partition, 0, 7);
    assert_true(offset > s->last[partition] || s->last[partition] == 0);
    s->last[partition] = offset;
    if (s->next)
        assert_int_equal((uintptr_t)opaque, s->next++);
}

static void reports_come_in_order_with_opaque_and_offset(void **state)
{
    struct mock *m = *state;
    struct kafka_producer *p;
    struct seen s = {.next = 1};
    struct err err = {0};

    mock_topic(m, "t", 4);
    assert_int_equal(kafka_producer_new(&m->conf, &p, &err), 0);
    for (uintptr_t i = 1; i <= 1000; i++)
        assert_int_equal(kafka_produce(p, "t", 2, STR("k"), STR("value"), NULL, 0, (void *)i, &err),
                         0);
    while (s.ok < 1000) {
        struct pollfd fd = {kafka_producer_fd(p), POLLIN, 0};

        assert_int_equal(poll(&fd, 1, 10000), 1);
        kafka_producer_poll(p, 0, on_report, &s);
    }
    assert_int_equal(s.last[2], 999);
    assert_int_equal(s.failed, 0);
    assert_false(kafka_producer_fatal(p, &err));
    kafka_producer_free(&p);
    assert_null(p);
    kafka_producer_free(&p);
}

static void key_decides_the_partition_as_java_does(void **state)
{
    static const char *const keys[] = {"m1", "m2", "m000123", "会员", "a-longer-member-id-0001"};
    struct mock *m = *state;
    struct kafka_producer *p;
    struct kafka_fetcher *f;
    struct err err = {0};
    struct kafka_msg msg;

    mock_topic(m, "t", 5);
    assert_int_equal(kafka_producer_new(&m->conf, &p, &err), 0);
    for (size_t i = 0; i < BASE_LEN(keys); i++)
        assert_int_equal(kafka_produce(p, "t", -1, str_c(keys[i]), STR("x"), NULL, 0, NULL, &err),
                         0);
    assert_int_equal(kafka_producer_flush(p, 10000, mock_report, NULL, &err), 0);
    kafka_producer_free(&p);
    assert_int_equal(kafka_fetcher_new(&m->conf, &f, &err), 0);
    for (int32_t i = 0; i < 5; i++)
        assert_int_equal(kafka_fetch_assign(f, "t", i, 0, &err), 0);
    for (size_t i = 0; i < BASE_LEN(keys); i++) {
        mock_next(f, &msg);
        assert_int_equal(msg.partition, (hash_murmur2(msg.key) & 0x7fffffff) % 5);
        kafka_msg_done(&msg);
    }
    kafka_fetcher_free(&f);
}

static void headers_empty_and_tombstone_survive(void **state)
{
    static const struct kafka_header h[] = {{"rouse-end", {"1", 1}}, {"x", {"a\0b", 3}}};
    struct mock *m = *state;
    struct kafka_producer *p;
    struct kafka_fetcher *f;
    struct err err = {0};
    struct kafka_msg msg;
    const struct str *pairs;
    struct arena *a = arena_new(0);

    mock_topic(m, "t", 1);
    assert_int_equal(kafka_producer_new(&m->conf, &p, &err), 0);
    assert_int_equal(kafka_produce(p, "t", 0, (struct str){0}, STR(""), h, 2, NULL, &err), 0);
    assert_int_equal(kafka_produce(p, "t", 0, STR("gone"), (struct str){0}, NULL, 0, NULL, &err),
                     0);
    assert_int_equal(kafka_producer_flush(p, 10000, mock_report, NULL, &err), 0);
    kafka_producer_free(&p);
    assert_int_equal(kafka_fetcher_new(&m->conf, &f, &err), 0);
    assert_int_equal(kafka_fetch_assign(f, "t", 0, KAFKA_BEGINNING, &err), 0);
    mock_next(f, &msg);
    assert_false(msg.tombstone);
    assert_int_equal(msg.value.n, 0);
    assert_int_equal(msg.key.n, 0);
    assert_int_equal(kafka_msg_headers(&msg, a, &pairs), 2);
    assert_true(str_eqc(pairs[0], "rouse-end") && str_eqc(pairs[1], "1"));
    assert_true(str_eqc(pairs[2], "x") && str_eq(pairs[3], STR("a\0b")));
    kafka_msg_done(&msg);
    mock_next(f, &msg);
    assert_true(msg.tombstone);
    assert_true(str_eqc(msg.key, "gone"));
    assert_int_equal(kafka_msg_headers(&msg, a, &pairs), 0);
    kafka_msg_done(&msg);
    kafka_fetcher_free(&f);
    arena_free(&a);
}

static void full_queue_is_again_and_nothing_is_lost(void **state)
{
    struct mock *m = *state;
    struct kafka_producer *p;
    struct seen s = {0};
    struct err err = {0};
    int sent = 0;

    mock_topic(m, "t", 1);
    rd_kafka_mock_broker_set_down(m->cluster, 1);
    assert_int_equal(kafka_producer_new(&m->conf, &p, &err), 0);
    while (kafka_produce(p, "t", 0, STR(""), STR("x"), NULL, 0, NULL, &err) == 0)
        assert_true(++sent <= 200000);
    assert_int_equal(err.kind, ERR_AGAIN);
    assert_string_equal(err.code, "queue_full");
    assert_true(sent >= 1000);
    assert_int_equal(kafka_producer_poll(p, 0, on_report, &s), 0);
    rd_kafka_mock_broker_set_up(m->cluster, 1);
    err_clear(&err);
    assert_int_equal(kafka_producer_flush(p, 30000, on_report, &s, &err), 0);
    assert_int_equal(s.ok, sent);
    kafka_producer_free(&p);
}

static void refused_records_are_input_errors(void **state)
{
    struct mock *m = *state;
    struct kafka_producer *p;
    struct seen s = {0};
    struct err err = {0};
    char *big = calloc(1, 2 << 20);

    mock_topic(m, "t", 2);
    assert_int_equal(kafka_producer_new(&m->conf, &p, &err), 0);
    assert_int_equal(
        kafka_produce(p, "t", 0, STR(""), (struct str){big, 2 << 20}, NULL, 0, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    assert_string_equal(err.code, "too_large");
    free(big);
    /* The first record fetches the topic's partitions; then a wrong one is known at once. */
    err_clear(&err);
    assert_int_equal(kafka_produce(p, "t", 0, STR(""), STR("x"), NULL, 0, NULL, &err), 0);
    assert_int_equal(kafka_producer_flush(p, 10000, on_report, &s, &err), 0);
    assert_int_equal(kafka_produce(p, "t", 9, STR(""), STR("x"), NULL, 0, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    assert_string_equal(err.code, "unknown_topic");
    kafka_producer_free(&p);
}

static void transient_errors_are_retried_permanent_ones_told(void **state)
{
    struct mock *m = *state;
    struct kafka_producer *p;
    struct seen s = {0};
    struct err err = {0};

    mock_topic(m, "t", 1);
    assert_int_equal(kafka_producer_new(&m->conf, &p, &err), 0);
    rd_kafka_mock_push_request_errors(
        m->cluster, 0 /* Produce */, 3, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR__TRANSPORT);
    assert_int_equal(kafka_produce(p, "t", 0, STR(""), STR("x"), NULL, 0, NULL, &err), 0);
    assert_int_equal(kafka_producer_flush(p, 20000, on_report, &s, &err), 0);
    assert_int_equal(s.ok, 1);
    rd_kafka_mock_push_request_errors(m->cluster, 0, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    assert_int_equal(kafka_produce(p, "t", 0, STR(""), STR("x"), NULL, 0, NULL, &err), 0);
    assert_int_equal(kafka_producer_flush(p, 20000, on_report, &s, &err), 0);
    assert_int_equal(s.failed, 1);
    assert_string_equal(s.err.code, "too_large");
    kafka_producer_free(&p);
}

static void freeing_abandons_what_is_queued(void **state)
{
    struct mock *m = *state;
    struct kafka_producer *p;
    struct err err = {0};
    int64_t start;

    mock_topic(m, "t", 1);
    rd_kafka_mock_broker_set_down(m->cluster, 1);
    assert_int_equal(kafka_producer_new(&m->conf, &p, &err), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(kafka_produce(p, "t", 0, STR(""), STR("x"), NULL, 0, NULL, &err), 0);
    assert_int_equal(kafka_producer_flush(p, 300, mock_report, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_AGAIN);
    start = mock_now_ms();
    kafka_producer_free(&p);
    assert_true(mock_now_ms() - start < 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reports_come_in_order_with_opaque_and_offset, mock_up,
                                        mock_down),
        cmocka_unit_test_setup_teardown(key_decides_the_partition_as_java_does, mock_up, mock_down),
        cmocka_unit_test_setup_teardown(headers_empty_and_tombstone_survive, mock_up, mock_down),
        cmocka_unit_test_setup_teardown(full_queue_is_again_and_nothing_is_lost, mock_up,
                                        mock_down),
        cmocka_unit_test_setup_teardown(refused_records_are_input_errors, mock_up, mock_down),
        cmocka_unit_test_setup_teardown(transient_errors_are_retried_permanent_ones_told, mock_up,
                                        mock_down),
        cmocka_unit_test_setup_teardown(freeing_abandons_what_is_queued, mock_up, mock_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
