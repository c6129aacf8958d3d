/* SPDX-License-Identifier: Apache-2.0 */
/* The pure steps of ingest: packing, progress, the merge, the virtual day, results. */
#include <setjmp.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lapse.h"
#include "pack.h"
#include "progress.h"

/* ---- pack ---- */

static const struct field fields[] = {{{"note", 4}, &type_string, true, 0},
                                      {{"id", 2}, &type_string, false, 0},
                                      {{"time", 4}, &type_timestamp, false, 0},
                                      {{"role", 4}, &type_string, false, 0}};
static const struct type type = {.kind = TYPE_RECORD, .fields = fields, .n_fields = 4};
static struct event_def def;

struct sink {
    char *record[64];
    uint32_t p[64];
    size_t n;
};

static void take(void *arg, uint32_t p, struct str record)
{
    struct sink *s = arg;
    assert_true(s->n < 64);
    s->p[s->n] = p;
    s->record[s->n++] = xmemdup0(record.p, record.n);
}

static void sink_clear(struct sink *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->record[i]);
    s->n = 0;
}

static struct event event(const char *member, const char *note, struct val *f)
{
    def = (struct event_def){.name = STR("e"), .fields = &type};
    f[0] = note ? val_str(str_c(note)) : (struct val){0};
    return (struct event){
        .def = &def, .id = STR("i"), .member = str_c(member), .role = STR(""), .at_ms = 5, .f = f};
}

static const struct source src = {{"t", 1}, 0, 2, 9};

static void test_pack(void **state)
{
    (void)state;
    struct sink s = {.n = 0};
    struct val f[3][4];
    struct pack *k = pack_new(64, 400, take, &s);
    struct event ev[3] = {event("a", NULL, f[0]), event("b", "x", f[1]), event("a", "y", f[2])};
    uint32_t pa = pack_partition(k, STR("a")), pb = pack_partition(k, STR("b"));
    assert_int_not_equal(pa, pb);
    assert_int_equal(pack_oldest_ms(k), TIME_NEVER);
    assert_int_equal(pack_add(k, 7, &src, ev, 3, 100, NULL), 0);
    assert_int_equal(pack_oldest_ms(k), 100);
    pack_flush_older(k, 99);
    assert_int_equal(s.n, 0);
    pack_flush_older(k, 100);
    assert_int_equal(s.n, 2); /* in order of opening: a's first */
    assert_true(s.p[0] == pa && s.p[1] == pb);
    assert_string_equal(s.record[0],
                        "{\"t\":\"event\",\"n\":7,\"e\":[{\"s\":[\"t\",0,2,9],\"at\":5,\"v\":["
                        "{\"k\":\"e\",\"i\":\"i\",\"m\":\"a\",\"t\":5,\"f\":{}},"
                        "{\"k\":\"e\",\"i\":\"i\",\"m\":\"a\",\"t\":5,\"f\":{\"note\":\"y\"}}]}]}");
    sink_clear(&s);
    /* full: the record leaves before the entry that does not fit */
    for (int i = 0; i < 10; i++)
        assert_int_equal(pack_add(k, 7, &src, ev, 1, 200, NULL), 0);
    assert_true(s.n >= 1);
    for (size_t i = 0; i < s.n; i++)
        assert_true(strlen(s.record[i]) <= 400);
    /* another activation never shares a record */
    size_t before = s.n;
    assert_int_equal(pack_add(k, 8, &src, ev, 1, 200, NULL), 0);
    assert_int_equal(s.n, before + 1);
    pack_flush(k);
    assert_non_null(strstr(s.record[s.n - 1], "\"n\":8,"));
    sink_clear(&s);
    pack_free(&k);
}

static void test_pack_fan_out(void **state)
{
    (void)state;
    struct sink s = {.n = 0};
    struct val f[2][4];
    struct pack *k = pack_new(4, 1000, take, &s);
    struct event ev[2] = {event("", "to all", f[0]), event("b", NULL, f[1])};
    assert_int_equal(pack_add(k, 1, &src, ev, 2, 0, NULL), 0);
    pack_flush(k);
    assert_int_equal(s.n, 4);
    int with_b = 0;
    for (size_t i = 0; i < 4; i++) {
        assert_non_null(strstr(s.record[i], "to all"));
        with_b += strstr(s.record[i], "\"m\":\"b\"") != NULL;
    }
    assert_int_equal(with_b, 1);
    sink_clear(&s);
    pack_free(&k);
}

static void test_pack_too_big(void **state)
{
    (void)state;
    struct sink s = {.n = 0};
    struct err err = {0};
    struct val f[2][4];
    char big[500];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    struct pack *k = pack_new(4, 400, take, &s);
    struct event ev[2] = {event("a", "fits", f[0]), event("b", big, f[1])};
    assert_int_equal(pack_add(k, 1, &src, ev, 2, 0, &err), -1);
    assert_string_equal(err.code, "too_big");
    pack_flush(k);
    assert_int_equal(s.n, 0); /* nothing of the record was taken */
    assert_int_equal(pack_add(k, 1, &src, ev, 1, 0, NULL), 0);
    pack_reset(k);
    pack_flush(k);
    assert_int_equal(s.n, 0);
    pack_free(&k);
}

/* ---- progress ---- */

static void test_progress(void **state)
{
    (void)state;
    struct progress *p = progress_new();
    struct place a = {"t", 0, 10, "0:1"}, b = {"t", 0, 20, "0:2"};
    uint64_t w1 = progress_sent(p);
    assert_int_equal(progress_sent(p), w1);
    progress_close(p, &a, 1);
    uint64_t w2 = progress_sent(p);
    assert_int_not_equal(w1, w2);
    progress_close(p, &b, 1);
    assert_int_equal(progress_open(p), 3);
    progress_reported(p, w2); /* the later window first: nothing may be committed */
    assert_null(progress_take(p));
    progress_reported(p, w1);
    assert_null(progress_take(p));
    progress_reported(p, w1);
    const struct places *got = progress_take(p); /* the newest that holds */
    assert_non_null(got);
    assert_int_equal(got->n, 1);
    assert_int_equal(got->v[0].offset, 20);
    assert_null(progress_take(p));
    uint64_t w3 = progress_sent(p);
    progress_reset(p);
    uint64_t w4 = progress_sent(p);
    progress_reported(p, w3); /* of an abandoned producer */
    assert_int_equal(progress_open(p), 1);
    progress_close(p, &a, 1);
    progress_reported(p, w4);
    assert_int_equal(progress_take(p)->v[0].offset, 10);
    progress_free(&p);
}

/* ---- merge ---- */

static void test_merge(void **state)
{
    (void)state;
    struct merge *m = merge_new();
    struct merge_head h[4] = {
        {STR("b"), 0, 5}, {STR("a"), 1, 5}, {STR("a"), 0, 5}, {STR("c"), 0, 4}};
    const int order[4] = {3, 2, 1, 0};
    for (int i = 0; i < 4; i++)
        merge_put(m, &h[i]);
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(merge_least(m), &h[order[i]]);
        merge_take(m);
    }
    assert_null(merge_least(m));
    merge_put(m, &h[0]);
    merge_clear(m);
    assert_null(merge_least(m));
    merge_free(&m);
}

/* ---- the day ---- */

static void test_lapse(void **state)
{
    (void)state;
    struct arena *a = arena_new(0);
    const struct zone *tz = zone_fixed(a, STR("+08:00"));
    int64_t noon, end;
    assert_int_equal(time_parse_ms(STR("2026-03-02T12:00:00+08:00"), NULL, &noon), 0);
    end = noon + 2 * TIME_DAY + TIME_HOUR;
    struct lapse l;
    lapse_init(&l, tz, end);
    struct merge_head head = {STR("t"), 0, noon + 5};
    assert_int_equal(lapse_next(&l, false, &head), LAPSE_WAIT);
    assert_int_equal(lapse_next(&l, true, &head), LAPSE_RULES);
    assert_int_equal(l.start_ms, noon);
    assert_int_equal(l.tick_ms, noon + TIME_DAY);
    assert_int_equal(lapse_next(&l, true, &head), LAPSE_EVENT);
    head.at_ms = noon + TIME_DAY - 1;
    assert_int_equal(lapse_next(&l, false, &head), LAPSE_WAIT); /* a head is missing */
    assert_int_equal(lapse_next(&l, true, &head), LAPSE_EVENT);
    head.at_ms = noon + TIME_DAY; /* the noon begins the next day */
    assert_int_equal(lapse_next(&l, true, &head), LAPSE_TICK);
    assert_int_equal(lapse_next(&l, true, &head), LAPSE_ASK);
    assert_int_equal(lapse_receipt_ms(&l, noon + 7), l.tick_ms + 1);
    assert_false(lapse_caught_up(&l, 3));
    assert_int_equal(lapse_receipt_ms(&l, l.tick_ms + 1), l.tick_ms + 2);
    assert_int_equal(lapse_next(&l, true, &head), LAPSE_ASK);
    assert_true(lapse_caught_up(&l, 0));
    /* a day without events still ticks; the last one is short and takes its end in */
    assert_int_equal(lapse_next(&l, true, NULL), LAPSE_RULES);
    assert_int_equal(l.tick_ms, noon + 2 * TIME_DAY);
    assert_int_equal(lapse_next(&l, true, NULL), LAPSE_TICK);
    assert_true(lapse_caught_up(&l, 0));
    head.at_ms = end;
    assert_int_equal(lapse_next(&l, true, &head), LAPSE_RULES);
    assert_int_equal(l.tick_ms, end);
    assert_int_equal(lapse_next(&l, true, &head), LAPSE_EVENT);
    assert_int_equal(lapse_next(&l, true, NULL), LAPSE_TICK);
    assert_true(lapse_caught_up(&l, 0));
    assert_int_equal(lapse_next(&l, true, NULL), LAPSE_FINISHED);
    lapse_init(&l, tz, end);
    lapse_resume(&l, noon);
    head.at_ms = noon - TIME_HOUR; /* out of order in its partition: released late */
    assert_int_equal(lapse_next(&l, true, &head), LAPSE_RULES);
    assert_int_equal(l.tick_ms, noon + TIME_DAY);
    assert_int_equal(lapse_next(&l, true, &head), LAPSE_EVENT);
    lapse_resume(&l, end);
    assert_int_equal(lapse_next(&l, true, NULL), LAPSE_FINISHED);
    arena_free(&a);
}

static void test_barrier(void **state)
{
    (void)state;
    const int64_t committed[] = {-1, 5, 7}, low[] = {0, 5, 7}, high[] = {0, 5, 8},
                  some[] = {1, 0, 0};
    assert_true(barrier_reached(committed, low, 3));
    assert_false(barrier_reached(committed, high, 3));
    assert_false(barrier_reached(committed, some, 3));
}

/* ---- results ---- */

static void test_results(void **state)
{
    (void)state;
    struct results *r = results_new(2);
    struct outcome o = {.kind = OUT_RESULT,
                        .final = true,
                        .status = STR("sent"),
                        .seq = 4,
                        .gateway = STR("sms"),
                        .member = STR("m")};
    size_t n;
    results_add(r, 1, &o);
    o.seq = 2;
    results_add(r, 1, &o);
    o.status = STR("failed"); /* not the first */
    results_add(r, 1, &o);
    o.seq = 3;
    o.final = false;
    results_add(r, 1, &o);
    o.final = true;
    o.status = STR("");
    results_add(r, 1, &o);
    assert_int_equal(results_waiting(r), 2);
    assert_null(results_take(r, 0, &n));
    const struct result *v = results_take(r, 1, &n);
    assert_int_equal(n, 2);
    assert_true(v[0].seq == 2 && v[1].seq == 4 && str_eqc(v[0].receipt.status, "sent"));
    assert_int_equal(results_next(r, 1), 5);
    o.seq = 4; /* released already */
    o.status = STR("read");
    results_add(r, 1, &o);
    assert_int_equal(results_waiting(r), 0);
    results_resume(r, 0, 10);
    o.seq = 9;
    results_add(r, 0, &o);
    assert_int_equal(results_waiting(r), 0);
    results_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack),         cmocka_unit_test(test_pack_fan_out),
        cmocka_unit_test(test_pack_too_big), cmocka_unit_test(test_progress),
        cmocka_unit_test(test_merge),        cmocka_unit_test(test_lapse),
        cmocka_unit_test(test_barrier),      cmocka_unit_test(test_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
