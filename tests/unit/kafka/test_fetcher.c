/* SPDX-License-Identifier: Apache-2.0 */
#include "mock.h"

#include <poll.h>

static struct kafka_fetcher *fetcher(struct mock *m)
{
    struct kafka_fetcher *f;
    struct err err = {0};

    assert_int_equal(kafka_fetcher_new(&m->conf, &f, &err), 0);
    return f;
}

static void assign(struct kafka_fetcher *f, int32_t partition, int64_t offset)
{
    struct err err = {0};

    if (kafka_fetch_assign(f, "t", partition, offset, &err) < 0)
        fail_msg("%s", err.text);
}

/* The next n messages must be partition's, in order from `from`. */
static void expect(struct kafka_fetcher *f, int32_t partition, int64_t from, int n)
{
    for (int i = 0; i < n; i++) {
        struct kafka_msg m;
        char v[16];

        mock_next(f, &m);
        if (m.err)
            fail_msg("%s", m.err->text);
        assert_int_equal(m.partition, partition);
        assert_int_equal(m.offset, from + i);
        snprintf(v, sizeof(v), "v%d", (int)(from + i));
        assert_true(str_eqc(m.value, v));
        assert_true(str_eqc(m.key, "k"));
        kafka_msg_done(&m);
    }
}

static void nothing(struct kafka_fetcher *f, int ms)
{
    int64_t end = mock_now_ms() + ms;
    struct kafka_msg m;

    while (mock_now_ms() < end)
        assert_int_equal(kafka_fetch(f, 50, &m, 1), 0);
}

static void reads_from_exactly_the_offset(void **state)
{
    struct mock *m = *state;
    struct kafka_fetcher *f = fetcher(m);

    mock_topic(m, "t", 2);
    mock_fill(m, "t", 0, 0, 100);
    mock_fill(m, "t", 1, 0, 10);
    int64_t end = -1;
    assert_int_equal(kafka_fetch_end(f, "t", 0, &end), 0); /* not assigned yet */
    assign(f, 0, 60);
    expect(f, 0, 60, 40);
    assert_int_equal(kafka_fetch_end(f, "t", 0, &end), 1);
    assert_int_equal(end, 100);
    assert_int_equal(kafka_fetch_end(f, "t", 1, &end), 0); /* nor fetched from */
    nothing(f, 200);
    mock_fill(m, "t", 0, 100, 5);
    expect(f, 0, 100, 5);
    assert_int_equal(kafka_fetch_end(f, "t", 0, &end), 1);
    assert_int_equal(end, 105);
    kafka_fetcher_free(&f);
    assert_null(f);
}

static void beginning_and_end(void **state)
{
    struct mock *m = *state;
    struct kafka_fetcher *f = fetcher(m);

    mock_topic(m, "t", 2);
    mock_fill(m, "t", 0, 0, 10);
    assign(f, 0, KAFKA_BEGINNING);
    expect(f, 0, 0, 10);
    assert_int_equal(kafka_fetch_unassign(f, "t", 0), 0);
    assign(f, 0, KAFKA_END);
    nothing(f, 500);
    mock_fill(m, "t", 0, 10, 3);
    expect(f, 0, 10, 3);
    kafka_fetcher_free(&f);
}

static void a_partition_is_moved_without_touching_the_other(void **state)
{
    struct mock *m = *state;
    struct kafka_fetcher *f = fetcher(m);
    struct kafka_msg b[64];
    int64_t next[2] = {0, 0};
    bool moved = false;

    mock_topic(m, "t", 2);
    mock_fill(m, "t", 0, 0, 3000);
    mock_fill(m, "t", 1, 0, 3000);
    assign(f, 0, 0);
    assign(f, 1, 0);
    while (next[0] < 3000 || next[1] < 3000) {
        size_t n = kafka_fetch(f, 1000, b, BASE_LEN(b));

        for (size_t i = 0; i < n; i++) {
            assert_null(b[i].err);
            assert_int_equal(b[i].offset, next[b[i].partition]);
            next[b[i].partition]++;
            kafka_msg_done(&b[i]);
        }
        if (!moved && next[0] > 500) {
            assign(f, 0, 40); /* back, while its messages are in the queue */
            next[0] = 40;
            moved = true;
        }
    }
    assert_true(moved);
    kafka_fetcher_free(&f);
}

static void unassigned_is_silent_and_comes_back(void **state)
{
    struct mock *m = *state;
    struct kafka_fetcher *f = fetcher(m);

    mock_topic(m, "t", 1);
    mock_fill(m, "t", 0, 0, 100);
    assign(f, 0, 0);
    expect(f, 0, 0, 10);
    assert_int_equal(kafka_fetch_unassign(f, "t", 0), 0);
    assert_int_equal(kafka_fetch_unassign(f, "t", 0), 0);
    assert_int_equal(kafka_fetch_unassign(f, "other", 3), 0);
    nothing(f, 300);
    assign(f, 0, 5);
    expect(f, 0, 5, 95);
    kafka_fetcher_free(&f);
}

static void pause_holds_and_resume_goes_on(void **state)
{
    struct mock *m = *state;
    struct kafka_fetcher *f = fetcher(m);

    mock_topic(m, "t", 1);
    mock_fill(m, "t", 0, 0, 200);
    assign(f, 0, 0);
    expect(f, 0, 0, 10);
    assert_int_equal(kafka_fetch_pause(f, "t", 0, true), 0);
    nothing(f, 300);
    assert_int_equal(kafka_fetch_pause(f, "t", 0, true), 0);
    assert_int_equal(kafka_fetch_pause(f, "t", 0, false), 0);
    assert_int_equal(kafka_fetch_pause(f, "t", 0, false), 0);
    expect(f, 0, 10, 90);
    assert_int_equal(kafka_fetch_pause(f, "t", 0, true), 0);
    assign(f, 0, 150); /* a pause does not outlive the assignment */
    expect(f, 0, 150, 50);
    kafka_fetcher_free(&f);
}

static void out_of_range_is_told_once_and_can_be_mended(void **state)
{
    struct mock *m = *state;
    struct kafka_fetcher *f = fetcher(m);
    struct kafka_msg msg;

    mock_topic(m, "t", 2);
    mock_fill(m, "t", 0, 0, 10);
    mock_fill(m, "t", 1, 0, 10);
    assign(f, 0, 5000);
    mock_next(f, &msg);
    assert_non_null(msg.err);
    assert_int_equal(msg.err->kind, ERR_FATAL);
    assert_string_equal(msg.err->code, "out_of_range");
    assert_int_equal(msg.partition, 0);
    assert_int_equal(msg.offset, 5000);
    kafka_msg_done(&msg);
    nothing(f, 500);
    assign(f, 1, 3); /* the other one is undisturbed */
    expect(f, 1, 3, 7);
    assign(f, 0, 8);
    expect(f, 0, 8, 2);
    kafka_fetcher_free(&f);
}

static void fd_stays_readable_while_messages_wait(void **state)
{
    struct mock *m = *state;
    struct kafka_fetcher *f = fetcher(m);
    int got = 0;

    mock_topic(m, "t", 1);
    mock_fill(m, "t", 0, 0, 500);
    assign(f, 0, 0);
    while (got < 500) {
        struct pollfd fd = {kafka_fetcher_fd(f), POLLIN, 0};
        struct kafka_msg b[7];
        size_t n;

        assert_int_equal(poll(&fd, 1, 10000), 1);
        n = kafka_fetch(f, 0, b, BASE_LEN(b));
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(b[i].offset, got++);
            kafka_msg_done(&b[i]);
        }
    }
    kafka_fetcher_free(&f);
}

static void a_lost_connection_is_no_error(void **state)
{
    struct mock *m = *state;
    struct kafka_fetcher *f = fetcher(m);

    mock_topic(m, "t", 1);
    mock_fill(m, "t", 0, 0, 20);
    assign(f, 0, 0);
    expect(f, 0, 0, 20);
    rd_kafka_mock_broker_set_down(m->cluster, 1);
    nothing(f, 300);
    rd_kafka_mock_broker_set_up(m->cluster, 1);
    mock_fill(m, "t", 0, 20, 5);
    expect(f, 0, 20, 5);
    kafka_fetcher_free(&f);
}

static int collect(void *arg, const struct kafka_msg *m)
{
    int64_t *next = arg;

    assert_int_equal(m->offset, *next);
    ++*next;
    return *next == 25 ? 1 : 0;
}

static void read_all_ends_at_the_end(void **state)
{
    struct mock *m = *state;
    struct err err = {0};
    int64_t next = 0, low, high;

    mock_topic(m, "t", 2);
    assert_int_equal(kafka_read_all(&m->conf, "t", 0, KAFKA_BEGINNING, collect, &next, 5000, &err),
                     0);
    assert_int_equal(next, 0);
    mock_fill(m, "t", 0, 0, 20);
    assert_int_equal(kafka_read_all(&m->conf, "t", 0, KAFKA_BEGINNING, collect, &next, 5000, &err),
                     0);
    assert_int_equal(next, 20);
    mock_fill(m, "t", 0, 20, 20);
    assert_int_equal(kafka_read_all(&m->conf, "t", 0, 20, collect, &next, 5000, &err), 0);
    assert_int_equal(next, 25); /* it had enough */
    assert_int_equal(kafka_watermarks(&m->conf, "t", 0, &low, &high, 5000, &err), 0);
    assert_int_equal(low, 0);
    assert_int_equal(high, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_from_exactly_the_offset, mock_up, mock_down),
        cmocka_unit_test_setup_teardown(beginning_and_end, mock_up, mock_down),
        cmocka_unit_test_setup_teardown(a_partition_is_moved_without_touching_the_other, mock_up,
                                        mock_down),
        cmocka_unit_test_setup_teardown(unassigned_is_silent_and_comes_back, mock_up, mock_down),
        cmocka_unit_test_setup_teardown(pause_holds_and_resume_goes_on, mock_up, mock_down),
        cmocka_unit_test_setup_teardown(out_of_range_is_told_once_and_can_be_mended, mock_up,
                                        mock_down),
        cmocka_unit_test_setup_teardown(fd_stays_readable_while_messages_wait, mock_up, mock_down),
        cmocka_unit_test_setup_teardown(a_lost_connection_is_no_error, mock_up, mock_down),
        cmocka_unit_test_setup_teardown(read_all_ends_at_the_end, mock_up, mock_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
