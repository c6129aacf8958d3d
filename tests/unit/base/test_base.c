/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base.h"

static void test_err(void **state)
{
    struct err e = {0};
    (void)state;
    assert_int_equal(err_set(&e, ERR_INPUT, "no %s", "milk"), -1);
    assert_int_equal(err_set(&e, ERR_FATAL, "second"), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    err_wrap(&e, "shop %d", 7);
    assert_string_equal(e.text, "shop 7: no milk");
    assert_int_equal(err_set(NULL, ERR_INPUT, "x"), -1);
}

static void test_i64(void **state)
{
    int64_t v = 0;
    (void)state;
    assert_int_equal(str_i64(STR("9223372036854775807"), &v), 0);
    assert_true(v == INT64_MAX);
    assert_int_equal(str_i64(STR("-9223372036854775808"), &v), 0);
    assert_true(v == INT64_MIN);
    assert_int_equal(str_i64(STR("9223372036854775808"), &v), -1);
    assert_int_equal(str_i64(STR("-9223372036854775809"), &v), -1);
    assert_int_equal(str_i64(STR(""), &v), -1);
    assert_int_equal(str_i64(STR("-"), &v), -1);
    assert_int_equal(str_i64(STR("1 "), &v), -1);
}

static void test_buf(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 10);
    buf_addi64(&b, INT64_MIN);
    assert_true(b.over);
    assert_int_equal(b.n, 0);
    buf_reset(&b);
    buf_adds(&b, "0123456789");
    assert_false(b.over);
    buf_addc(&b, 'x');
    assert_true(b.over);
    assert_string_equal(b.p, "0123456789");
    buf_free(&b);
    buf_init(&b, 64);
    buf_addi64(&b, INT64_MIN);
    buf_addf(&b, " %d", 5);
    assert_string_equal(b.p, "-9223372036854775808 5");
    buf_free(&b);
}

static void test_arena(void **state)
{
    struct arena *a = arena_new(0);
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 1; i < 3000; i += 7) {
            char *p = arena_alloc(a, i);
            assert_int_equal((uintptr_t)p % 16, 0);
            memset(p, 1, i);
        }
        assert_true(arena_used(a) > 600000);
        arena_reset(a);
        assert_int_equal(arena_used(a), 0);
    }
    assert_string_equal(arena_printf(a, "%d-%s", 3, "x"), "3-x");
    arena_free(&a);
    assert_null(a);
}

static void test_map(void **state)
{
    struct map *m = map_new(true);
    char key[32];
    static int vals[5000];
    (void)state;
    for (int i = 0; i < 5000; i++) {
        int n = snprintf(key, sizeof key, "k%d", i);
        map_put(m, (struct str){key, (size_t)n}, &vals[i]);
    }
    for (int i = 0; i < 5000; i += 2) {
        int n = snprintf(key, sizeof key, "k%d", i);
        assert_ptr_equal(map_del(m, (struct str){key, (size_t)n}), &vals[i]);
    }
    assert_int_equal(map_len(m), 2500);
    for (int i = 0; i < 5000; i++) {
        int n = snprintf(key, sizeof key, "k%d", i);
        void *v = map_get(m, (struct str){key, (size_t)n});
        assert_ptr_equal(v, i % 2 ? (void *)&vals[i] : NULL);
    }
    size_t it = 0;
    void *v;
    int want = 1;
    while (map_next(m, &it, NULL, &v)) { /* in order of insertion */
        assert_ptr_equal(v, &vals[want]);
        want += 2;
    }
    map_free(&m);
}

static bool int_less(const void *a, const void *b)
{
    return *(const int *)a < *(const int *)b;
}

static void test_heap(void **state)
{
    struct heap *h = heap_new(int_less, NULL);
    int v[1000];
    unsigned x = 1;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        x = x * 1103515245U + 12345U;
        v[i] = (int)(x >> 8);
        heap_push(h, &v[i]);
    }
    heap_remove(h, 500);
    int last = -1;
    for (int i = 0; i < 999; i++) {
        const int *p = heap_pop(h);
        assert_true(*p >= last);
        last = *p;
    }
    assert_null(heap_pop(h));
    heap_free(&h);
}

static void test_utf8(void **state)
{
    (void)state;
    assert_true(utf8_valid(STR("abc 牛奶 \xf0\x9f\x98\x80 long enough for words")));
    assert_false(utf8_valid(STR("\xc0\x80")));         /* overlong */
    assert_false(utf8_valid(STR("\xed\xa0\x80")));     /* surrogate */
    assert_false(utf8_valid(STR("\xf4\x90\x80\x80"))); /* above U+10FFFF */
    assert_false(utf8_valid(STR("ab\xe7\x89")));       /* cut */
    assert_int_equal(utf8_len(STR("牛奶x")), 3);
    assert_int_equal(utf8_width(0x725b), 2);
    assert_int_equal(utf8_width('a'), 1);
    assert_int_equal(utf8_width(0x301), 0);
}

static void test_suggest(void **state)
{
    const struct str names[] = {STR("amount"), STR("channel"), STR("orders_30d"), STR("trigger")};
    (void)state;
    assert_true(str_eqc(suggest(STR("amuont"), names, 4), "amount"));
    assert_true(str_eqc(suggest(STR("Chanel"), names, 4), "channel"));
    assert_true(str_eqc(suggest(STR("30d_orders"), names, 4), "orders_30d"));
    assert_int_equal(suggest(STR("zebra"), names, 4).n, 0);
}

static void test_hashes(void **state)
{
    uint8_t out[32];
    char text[80];
    (void)state;
    /* Values of Kafka's own UtilsTest.testMurmur2. */
    assert_int_equal((int32_t)hash_murmur2(STR("21")), -973932308);
    assert_int_equal((int32_t)hash_murmur2(STR("foobar")), -790332482);
    assert_int_equal((int32_t)hash_murmur2(STR("a-little-bit-long-string")), -985981536);
    assert_int_equal((int32_t)hash_murmur2(STR("a-little-bit-longer-string")), -1486304829);
    assert_int_equal((int32_t)hash_murmur2(STR("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")),
                     -58897971);
    assert_true(hash_crc32c(0, "123456789", 9) == 0xe3069283U); /* RFC 3720 check value */
    hash_sha256("abc", 3, out);
    enc_hex(out, 32, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_sha256_2("a", 1, "bc", 2, out);
    enc_hex(out, 4, text);
    assert_string_equal(text, "ba7816bf");
    hash_hmac_sha256("key", 3, "The quick brown fox jumps over the lazy dog", 43, out);
    enc_hex(out, 4, text);
    assert_string_equal(text, "f7bc83f4");
    assert_int_equal(enc_base32((const uint8_t *)"foobar", 6, text), 10); /* RFC 4648 */
    assert_string_equal(text, "mzxw6ytboi");
    enc_base64((const uint8_t *)"foob", 4, text);
    assert_string_equal(text, "Zm9vYg==");
    assert_int_equal(dec_base64(STR("Zm9vYg=="), out, 32), 4);
    assert_memory_equal(out, "foob", 4);
    assert_int_equal(dec_base64(STR("Zm9vYg="), out, 32), -1);
}

static void test_diag(void **state)
{
    struct diags *d = diags_new();
    struct srcfile f = {STR("bad.yaml"), STR("rules:\n\t名: event.amuont\n"), 0};
    struct buf b;
    (void)state;
    buf_init(&b, 1 << 16);
    diags_addf(d, "X010", (struct span){&f, 19, 25}, STR("did you mean `amount`?"),
               STR("known: amount"), "unknown field `%s`", "amuont");
    diags_addf(d, "W001", (struct span){&f, 0, 5}, STR(""), STR(""), "odd");
    diags_text(d, 50, &b);
    assert_string_equal(b.p,
                        "bad.yaml:1:1: warning[W001]: odd\n  |\n1 | rules:\n  | ^^^^^\n\n"
                        "bad.yaml:2:11: error[X010]: unknown field `amuont`\n  |\n"
                        "2 | \t名: event.amuont\n  | \t          ^^^^^^ did you mean `amount`?\n"
                        "  = known: amount\n\n1 errors, 1 warnings\n");
    diags_free(&d);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err),   cmocka_unit_test(test_i64),     cmocka_unit_test(test_buf),
        cmocka_unit_test(test_arena), cmocka_unit_test(test_map),     cmocka_unit_test(test_heap),
        cmocka_unit_test(test_utf8),  cmocka_unit_test(test_suggest), cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_diag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
