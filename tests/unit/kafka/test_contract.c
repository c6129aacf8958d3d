/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of kafka.h, told by the same assertions on every kind of broker: alone, against a mock
 * cluster in this process; with ROUSE_CONTRACT_BOOTSTRAP, against the broker there (tests/integration/
 * test_kafka_contract.sh: the sandbox broker, which must have the topics below, and Apache Kafka).
 */
#include "mock.h"

enum { PARTITIONS = 4, RECORDS = 4000 };
static const char log_topic[] = "contract.log", group_topic[] = "contract.group";

struct broker {
    struct mock *mock; /* NULL = another process */
    struct kafka_conf conf;
    bool kafka; /* has administration and LogAppendTime */
};

static void need_topic(struct broker *b, const char *name)
{
    static const char *const config[] = {"message.timestamp.type", "LogAppendTime", "retention.ms",
                                         "604800000", NULL};
    struct kafka_topic t = {name, PARTITIONS, -1, config};
    struct err err = {0};
    int r = kafka_topic_create(&b->conf, &t, 20000, &err);

    b->kafka = r >= 0;
    if (r < 0 && strcmp(err.code, "unsupported") != 0)
        fail_msg("%s", err.text);
    if (b->mock)
        mock_topic(b->mock, name, PARTITIONS);
    for (int i = 0; i < 100; i++) { /* a new topic takes a moment to be known */
        if (kafka_topic_partitions(&b->conf, name, 5000, &err) == PARTITIONS)
            return;
    }
    fail_msg("%s has not %d partitions", name, PARTITIONS);
}

static int up(void **state)
{
    struct broker *b = calloc(1, sizeof(*b));
    void *m;

    b->conf = (struct kafka_conf){.bootstrap = getenv("ROUSE_CONTRACT_BOOTSTRAP"),
                                  .client_id = "contract",
                                  .fetch_wait_ms = 10,
                                  .session_ms = 6000};
    if (!b->conf.bootstrap) {
        mock_up(&m);
        b->mock = m;
        b->conf = b->mock->conf;
    }
    need_topic(b, log_topic);
    need_topic(b, group_topic);
    *state = b;
    return 0;
}

static int down(void **state)
{
    struct broker *b = *state;
    struct err err = {0};
    void *m = b->mock;

    if (b->kafka) {
        kafka_topic_delete(&b->conf, log_topic, 20000, &err);
        kafka_topic_delete(&b->conf, group_topic, 20000, &err);
    }
    if (m)
        mock_down(&m);
    free(b);
    return 0;
}

/* ---- the log ---- */

static void topics_are_made_once_and_looked_at(void **state)
{
    struct broker *b = *state;
    struct kafka_topic t = {log_topic, PARTITIONS, -1, NULL};
    char value[64];
    struct err err = {0};

    if (!b->kafka) {
        assert_int_equal(kafka_topic_create(&b->conf, &t, 5000, &err), -1);
        assert_string_equal(err.code, "unsupported");
        return;
    }
    assert_int_equal(kafka_topic_create(&b->conf, &t, 20000, &err), 0);
    assert_int_equal(kafka_topic_config(&b->conf, log_topic, "message.timestamp.type", value,
                                        sizeof(value), 20000, &err),
                     1);
    assert_string_equal(value, "LogAppendTime");
    assert_int_equal(
        kafka_topic_config(&b->conf, log_topic, "no.such", value, sizeof(value), 20000, &err), 0);
    assert_int_equal(kafka_topic_partitions(&b->conf, "contract.nowhere", 20000, &err), 0);
}

struct seen {
    int64_t next[PARTITIONS];
    int reports;
};

static void on_report(void *arg, void *opaque, const char *topic, int32_t partition, int64_t offset,
                      const struct err *err)
{
    struct seen *s = arg;

    assert_string_equal(topic, log_topic);
    if (err)
        fail_msg("%s", err->text);
    assert_int_equal(offset, s->next[partition]);
    assert_int_equal((uintptr_t)opaque, offset);
    s->next[partition]++;
    s->reports++;
}

static void records_are_appended_in_order(void **state)
{
    struct broker *b = *state;
    struct kafka_producer *p;
    struct seen s = {0};
    struct err err = {0};
    struct kafka_tp ends[PARTITIONS];
    struct kafka_watch *w;

    assert_int_equal(kafka_producer_new(&b->conf, &p, &err), 0);
    for (int i = 0; i < RECORDS; i++) {
        char v[32];
        int n = snprintf(v, sizeof(v), "v%d", i / PARTITIONS);

        assert_int_equal(kafka_produce(p, log_topic, i % PARTITIONS, STR("k"),
                                       (struct str){v, (size_t)n}, NULL, 0,
                                       (void *)(uintptr_t)(i / PARTITIONS), &err),
                         0);
    }
    if (kafka_producer_flush(p, 30000, on_report, &s, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(s.reports, RECORDS);
    kafka_producer_free(&p);
    assert_int_equal(kafka_watch_new(&b->conf, "contract-none", &w, &err), 0);
    for (int i = 0; i < PARTITIONS; i++)
        ends[i] = (struct kafka_tp){log_topic, i, -1, {0}};
    assert_int_equal(kafka_watch_ends(w, ends, PARTITIONS, 10000, &err), 0);
    for (int i = 0; i < PARTITIONS; i++)
        assert_int_equal(ends[i].offset, RECORDS / PARTITIONS);
    kafka_watch_free(&w);
}

static void check_record(const struct broker *b, struct kafka_msg *m, int64_t *next)
{
    char v[32];

    if (m->err)
        fail_msg("%s", m->err->text);
    assert_string_equal(m->topic, log_topic);
    assert_int_equal(m->offset, next[m->partition]);
    snprintf(v, sizeof(v), "v%d", (int)m->offset);
    assert_true(str_eqc(m->value, v));
    assert_int_equal(m->append_time, b->kafka);
    if (b->kafka) {
        int64_t now = (int64_t)time(NULL) * 1000;

        assert_true(m->ts_ms > now - 600000 && m->ts_ms < now + 60000);
    }
    next[m->partition]++;
    kafka_msg_done(m);
}

static void records_are_read_in_order_and_taken_back(void **state)
{
    struct broker *b = *state;
    struct kafka_fetcher *f;
    struct kafka_msg m[64];
    struct err err = {0};
    int64_t next[PARTITIONS] = {0}, left = RECORDS;
    bool back = false;

    assert_int_equal(kafka_fetcher_new(&b->conf, &f, &err), 0);
    for (int i = 0; i < PARTITIONS; i++)
        assert_int_equal(kafka_fetch_assign(f, log_topic, i, 0, &err), 0);
    while (left > 0) {
        size_t n = kafka_fetch(f, 10000, m, back ? 64 : 1);

        assert_true(n > 0);
        for (size_t i = 0; i < n; i++)
            check_record(b, &m[i], next);
        left -= (int64_t)n;
        if (!back && next[2] == 500) {
            back = true;
            next[2] = 40;
            left += 460;
            assert_int_equal(kafka_fetch_assign(f, log_topic, 2, 40, &err), 0);
        }
    }
    assert_true(back);
    for (int i = 0; i < PARTITIONS; i++)
        assert_int_equal(next[i], RECORDS / PARTITIONS);
    kafka_fetcher_free(&f);
}

static void beyond_the_end_is_an_error(void **state)
{
    struct broker *b = *state;
    struct kafka_fetcher *f;
    struct kafka_msg m;
    struct err err = {0};

    assert_int_equal(kafka_fetcher_new(&b->conf, &f, &err), 0);
    assert_int_equal(kafka_fetch_assign(f, log_topic, 1, RECORDS * 10, &err), 0);
    mock_next(f, &m);
    assert_non_null(m.err);
    assert_string_equal(m.err->code, "out_of_range");
    assert_int_equal(m.partition, 1);
    kafka_msg_done(&m);
    assert_int_equal(kafka_fetch_assign(f, log_topic, 1, 990, &err), 0);
    mock_next(f, &m);
    assert_null(m.err);
    assert_int_equal(m.offset, 990);
    kafka_msg_done(&m);
    kafka_fetcher_free(&f);
}

static int count(void *arg, const struct kafka_msg *m)
{
    int64_t *next = arg;

    assert_int_equal(m->offset, (*next)++);
    return 0;
}

static void a_partition_is_read_whole(void **state)
{
    struct broker *b = *state;
    struct err err = {0};
    int64_t next = 0, low = -1, high = -1;

    if (kafka_read_all(&b->conf, log_topic, 3, KAFKA_BEGINNING, count, &next, 10000, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(next, RECORDS / PARTITIONS);
    assert_int_equal(kafka_watermarks(&b->conf, log_topic, 3, &low, &high, 10000, &err), 0);
    assert_int_equal(low, 0);
    assert_int_equal(high, RECORDS / PARTITIONS);
}

/* ---- the group ---- */

struct mine {
    size_t n;
    bool has[PARTITIONS];
};

static void on_assign(void *arg, const struct kafka_tp *tp, size_t n)
{
    struct mine *me = arg;

    memset(me->has, 0, sizeof(me->has));
    for (size_t i = 0; i < n; i++)
        me->has[tp[i].partition] = true;
    me->n = n;
}

static void poll_until(struct kafka_group **g, struct mine *me, size_t n, size_t each)
{
    struct err err = {0};
    int64_t end = mock_now_ms() + 40000;

    for (size_t done = 0; done < n;) {
        done = 0;
        assert_true(mock_now_ms() < end);
        for (size_t i = 0; i < n; i++) {
            if (kafka_group_poll(g[i], 50, on_assign, &me[i], &err) < 0)
                fail_msg("%s", err.text);
            done += me[i].n == each;
        }
    }
}

static void a_group_shares_and_its_offsets_are_kept(void **state)
{
    static const char *const topics[] = {group_topic};
    struct broker *b = *state;
    struct kafka_group *g[2];
    struct mine me[2] = {0};
    struct kafka_tp tp[PARTITIONS];
    struct arena *a = arena_new(0);
    struct err err = {0};

    assert_int_equal(kafka_group_new(&b->conf, "contract", topics, 1, &g[0], &err), 0);
    poll_until(g, me, 1, PARTITIONS);
    assert_int_equal(kafka_group_new(&b->conf, "contract", topics, 1, &g[1], &err), 0);
    poll_until(g, me, 2, PARTITIONS / 2);
    for (int i = 0; i < PARTITIONS; i++) {
        assert_true(me[0].has[i] != me[1].has[i]);
        tp[i] = (struct kafka_tp){group_topic, i, 100 + i, {"crc=0a1b", 8}};
        if (kafka_group_commit_sync(g[me[0].has[i] ? 0 : 1], &tp[i], 1, &err) < 0)
            fail_msg("%s", err.text);
    }
    kafka_group_free(&g[1]);
    me[0].n = 0;
    poll_until(g, me, 1, PARTITIONS);
    kafka_group_free(&g[0]);
    memset(tp, 0, sizeof(tp));
    for (int i = 0; i < PARTITIONS; i++)
        tp[i] = (struct kafka_tp){group_topic, i, -1, {0}};
    if (kafka_committed(&b->conf, "contract", tp, PARTITIONS, a, 10000, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < PARTITIONS; i++) {
        assert_int_equal(tp[i].offset, 100 + i);
        assert_true(str_eqc(tp[i].metadata, "crc=0a1b"));
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_are_made_once_and_looked_at),
        cmocka_unit_test(records_are_appended_in_order),
        cmocka_unit_test(records_are_read_in_order_and_taken_back),
        cmocka_unit_test(beyond_the_end_is_an_error),
        cmocka_unit_test(a_partition_is_read_whole),
        cmocka_unit_test(a_group_shares_and_its_offsets_are_kept),
    };
    return cmocka_run_group_tests(tests, up, down);
}
