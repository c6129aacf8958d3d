/* SPDX-License-Identifier: Apache-2.0 */
#include "mock.h"

struct mine {
    size_t n;
    int calls;
    bool has[16];
};

static void on_assign(void *arg, const struct kafka_tp *tp, size_t n)
{
    struct mine *me = arg;

    memset(me->has, 0, sizeof(me->has));
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(tp[i].topic, "t");
        me->has[tp[i].partition] = true;
    }
    me->n = n;
    me->calls++;
}

static struct kafka_group *join(struct mock *m)
{
    static const char *const topics[] = {"t"};
    struct kafka_group *g;
    struct err err = {0};

    if (kafka_group_new(&m->conf, "g", topics, 1, &g, &err) < 0)
        fail_msg("%s", err.text);
    return g;
}

static void poll_until(struct kafka_group *a, struct mine *ma, size_t na, struct kafka_group *b,
                       struct mine *mb, size_t nb)
{
    struct err err = {0};
    int64_t end = mock_now_ms() + 30000;

    while (ma->n != na || mb->n != nb) {
        assert_true(mock_now_ms() < end);
        if (a)
            assert_int_equal(kafka_group_poll(a, 50, on_assign, ma, &err), 0);
        if (b)
            assert_int_equal(kafka_group_poll(b, 50, on_assign, mb, &err), 0);
    }
}

static void two_members_share_and_one_inherits(void **state)
{
    struct mock *m = *state;
    struct mine ma = {0}, mb = {0};
    struct kafka_group *a, *b;
    int64_t start;

    mock_topic(m, "t", 8);
    a = join(m);
    poll_until(a, &ma, 8, NULL, &mb, 0);
    b = join(m);
    poll_until(a, &ma, 4, b, &mb, 4);
    for (int i = 0; i < 8; i++)
        assert_true(ma.has[i] != mb.has[i]);
    start = mock_now_ms();
    kafka_group_free(&b);
    assert_null(b);
    assert_true(mock_now_ms() - start < 6000);
    mb.n = 0;
    poll_until(a, &ma, 8, NULL, &mb, 0);
    kafka_group_free(&a);
}

static void commits_are_seen_from_outside(void **state)
{
    struct mock *m = *state;
    struct mine ma = {0}, none = {0};
    struct kafka_group *g;
    struct kafka_watch *w;
    struct kafka_tp tp[] = {{"t", 0, 7, {"epoch=1", 7}}, {"t", 2, 40, {0}}};
    struct kafka_tp got[] = {{"t", 0, 0, {0}}, {"t", 1, 0, {0}}, {"t", 2, 0, {0}}};
    struct arena *a = arena_new(0);
    struct err err = {0};

    mock_topic(m, "t", 3);
    mock_fill(m, "t", 0, 0, 12);
    g = join(m);
    poll_until(g, &ma, 3, NULL, &none, 0);
    assert_int_equal(kafka_group_commit_sync(g, tp, 2, &err), 0);
    assert_int_equal(kafka_committed(&m->conf, "g", got, 3, a, 5000, &err), 0);
    assert_int_equal(got[0].offset, 7);
    assert_true(str_eqc(got[0].metadata, "epoch=1"));
    assert_int_equal(got[1].offset, -1);
    assert_int_equal(got[2].offset, 40);
    assert_int_equal(kafka_committed(&m->conf, "nobody", got, 1, a, 5000, &err), 0);
    assert_int_equal(got[0].offset, -1);

    assert_int_equal(kafka_watch_new(&m->conf, "g", &w, &err), 0);
    tp[0].offset = 9;
    assert_int_equal(kafka_group_commit(g, tp, 1, &err), 0);
    for (int i = 0; i < 100 && got[0].offset != 9; i++) {
        assert_int_equal(kafka_group_poll(g, 20, on_assign, &ma, &err), 0);
        assert_int_equal(kafka_watch_committed(w, got, 3, 5000, &err), 0);
    }
    assert_int_equal(got[0].offset, 9);
    assert_int_equal(kafka_watch_ends(w, got, 3, 5000, &err), 0);
    assert_int_equal(got[0].offset, 12);
    assert_int_equal(got[1].offset, 0);
    kafka_watch_free(&w);
    assert_null(w);
    kafka_group_free(&g);
    arena_free(&a);
}

/* The two handles of one process: membership says what is ours, the fetcher reads it. */
static void two_handles_take_a_partition_back(void **state)
{
    struct mock *m = *state;
    struct mine ma = {0}, none = {0};
    struct kafka_group *g;
    struct kafka_fetcher *f;
    struct err err = {0};
    int64_t next[4] = {0};
    bool back = false;

    mock_topic(m, "t", 4);
    for (int p = 0; p < 4; p++)
        mock_fill(m, "t", p, 0, 200);
    g = join(m);
    assert_int_equal(kafka_fetcher_new(&m->conf, &f, &err), 0);
    poll_until(g, &ma, 4, NULL, &none, 0);
    for (int p = 0; p < 4; p++)
        assert_int_equal(kafka_fetch_assign(f, "t", p, 0, &err), 0);
    while (next[0] + next[1] + next[2] + next[3] < 800) {
        struct kafka_msg msg;

        mock_next(f, &msg);
        assert_int_equal(msg.offset, next[msg.partition]);
        next[msg.partition]++;
        kafka_msg_done(&msg);
        if (!back && next[2] == 100) {
            back = true;
            next[2] = 40;
            assert_int_equal(kafka_fetch_assign(f, "t", 2, 40, &err), 0);
        }
        assert_int_equal(kafka_group_poll(g, 0, on_assign, &ma, &err), 0);
    }
    assert_true(back);
    assert_int_equal(ma.calls, 1);
    kafka_fetcher_free(&f);
    kafka_group_free(&g);
}

static void leaving_is_bounded_when_the_broker_is_away(void **state)
{
    struct mock *m = *state;
    struct mine ma = {0}, none = {0};
    struct kafka_group *g;
    int64_t start;

    mock_topic(m, "t", 2);
    g = join(m);
    poll_until(g, &ma, 2, NULL, &none, 0);
    rd_kafka_mock_broker_set_down(m->cluster, 1);
    start = mock_now_ms();
    kafka_group_free(&g);
    assert_true(mock_now_ms() - start < 8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_members_share_and_one_inherits, mock_up, mock_down),
        cmocka_unit_test_setup_teardown(commits_are_seen_from_outside, mock_up, mock_down),
        cmocka_unit_test_setup_teardown(two_handles_take_a_partition_back, mock_up, mock_down),
        cmocka_unit_test_setup_teardown(leaving_is_bounded_when_the_broker_is_away, mock_up,
                                        mock_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
