/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "generate_priv.h"

#include <jansson.h>

/* 2025-01-01 00:00 in China */
static const int64_t from_ms = INT64_C(1735660800000);

static struct gen_year make(uint64_t seed, uint32_t members, int32_t days)
{
    struct gen_year y = {
        .seed = seed, .members = members, .days = days, .bad_per = 200, .from_ms = from_ms};

    gen_year_make(&y);
    return y;
}

static void the_seed_decides_everything(void **state)
{
    struct gen_year a = make(7, 200, 100);
    char first[65], again[65], other[65];

    (void)state;
    gen_year_digest(&a, first);
    gen_year_free(&a);
    setenv("TZ", "America/New_York", 1);
    tzset();
    a = make(7, 200, 100);
    gen_year_digest(&a, again);
    gen_year_free(&a);
    unsetenv("TZ");
    tzset();
    assert_string_equal(first, again);
    a = make(8, 200, 100);
    gen_year_digest(&a, other);
    gen_year_free(&a);
    assert_string_not_equal(first, other);
}

static bool member_is(const struct gen_record *r, uint32_t member)
{
    return r->member == member;
}

static void a_life_does_not_depend_on_the_others(void **state)
{
    struct gen_year a = make(7, 50, 200), b = make(7, 300, 200);
    size_t j = 0;

    (void)state;
    for (size_t i = 0; i < a.n; i++) {
        if (!member_is(&a.records[i], 33))
            continue;
        while (j < b.n && !member_is(&b.records[j], 33))
            j++;
        assert_true(j < b.n);
        assert_true(str_eq(a.records[i].value, b.records[j++].value));
    }
    gen_year_free(&a);
    gen_year_free(&b);
}

static void time_never_goes_back(void **state)
{
    struct gen_year y = make(1, 300, 365);

    (void)state;
    for (size_t i = 0; i < y.n; i++) {
        assert_true(y.records[i].at_ms >= from_ms && y.records[i].at_ms < y.end_ms);
        assert_int_equal(y.records[i].at_ms % 1000, 0);
        assert_true(i == 0 || y.records[i - 1].at_ms <= y.records[i].at_ms);
    }
    gen_year_free(&y);
}

static void good_records_are_json_with_a_member(void **state)
{
    struct gen_year y = make(3, 300, 365);
    char key[16];

    (void)state;
    for (size_t i = 0; i < y.n; i++) {
        const struct gen_record *r = &y.records[i];
        const char *field = r->topic == GEN_PROFILE ? "member" : "member_id";
        json_t *v = json_loadb(r->value.p, r->value.n, JSON_REJECT_DUPLICATES, NULL);

        if (r->kind == GEN_BAD) {
            json_decref(v);
            continue;
        }
        assert_non_null(v);
        gen_key(r->member, key);
        assert_string_equal(json_string_value(json_object_get(v, field)), key);
        json_decref(v);
    }
    gen_year_free(&y);
}

/* What every kind of malformed record is good for: not JSON, no member, or a field of a wrong type. */
static void bad_records_are_bad(void **state)
{
    static const char *const times[] = {[GEN_MEMBER] = "created_at",
                                        [GEN_PROFILE] = "time",
                                        [GEN_ORDER] = "paid_at",
                                        [GEN_CART] = "ts",
                                        [GEN_BROWSE] = "ts",
                                        [GEN_COUPON] = "ts",
                                        [GEN_POST] = "ts"};
    struct gen_year y = make(5, 400, 365);
    size_t unreadable = 0, nobody = 0, rest = 0;

    (void)state;
    for (size_t i = 0; i < y.n; i++) {
        const struct gen_record *r = &y.records[i];
        const char *field = r->topic == GEN_PROFILE ? "member" : "member_id";
        json_t *v;

        if (r->kind != GEN_BAD)
            continue;
        assert_true(i > 0);
        v = json_loadb(r->value.p, r->value.n, 0, NULL);
        unreadable += v == NULL;
        nobody += v && !json_is_string(json_object_get(v, field));
        rest += v && json_is_string(json_object_get(v, field));
        if (v && r->topic != GEN_PROFILE)
            assert_non_null(json_object_get(v, times[r->topic]));
        json_decref(v);
    }
    assert_int_equal(unreadable + nobody + rest, y.kinds[GEN_BAD]);
    assert_true(unreadable > 10 && nobody > 10 && rest > 5);
    gen_year_free(&y);
}

/* The demo's year: enough happens, and a partition of the sandbox broker can hold it. */
static void the_year_of_the_demo_fits(void **state)
{
    struct gen_year y = {
        .seed = 1, .members = 2000, .days = 365, .bad_per = 2000, .from_ms = from_ms};
    uint64_t bytes[GEN_TOPICS][4] = {{0}}, count[GEN_TOPICS] = {0};
    char key[16];

    (void)state;
    gen_year_make(&y);
    for (size_t i = 0; i < y.n; i++) {
        const struct gen_record *r = &y.records[i];
        size_t n = gen_key(r->member, key);

        bytes[r->topic][(hash_murmur2((struct str){key, n}) & 0x7fffffff) % 4] += n + r->value.n;
        count[r->topic]++;
    }
    assert_in_range(y.n, 60000, 100000);
    assert_in_range(y.kinds[GEN_BAD], 20, 100);
    assert_in_range(y.kinds[GEN_TWICE], 40, 200);
    for (int t = 0; t < GEN_EMPTY; t++) {
        assert_true(count[t] >= 1900);
        for (int p = 0; p < 4; p++)
            assert_true(bytes[t][p] < 3U << 20);
    }
    gen_year_free(&y);
}

static void numbers_stay_in_their_range(void **state)
{
    struct gen_rng r = gen_rng(1, 2);
    bool low = false, high = false;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        int64_t v = gen_between(&r, -3, 3), at = gen_clock_ms(&r);

        assert_true(v >= -3 && v <= 3);
        low |= v == -3;
        high |= v == 3;
        assert_true(at >= 0 && at < 86400000 && at % 1000 == 0);
        assert_true(gen_below(&r, 1) == 0);
        assert_false(gen_chance(&r, 0));
        assert_true(gen_chance(&r, 100));
    }
    assert_true(low && high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seed_decides_everything),
        cmocka_unit_test(a_life_does_not_depend_on_the_others),
        cmocka_unit_test(time_never_goes_back),
        cmocka_unit_test(good_records_are_json_with_a_member),
        cmocka_unit_test(bad_records_are_bad),
        cmocka_unit_test(the_year_of_the_demo_fits),
        cmocka_unit_test(numbers_stay_in_their_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
