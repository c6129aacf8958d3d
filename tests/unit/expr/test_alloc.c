/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An evaluation allocates nothing, whatever it does: strings, lists, errors, times.  Allocations are
 * counted where they happen: by the sanitizer's hook, or by standing in front of malloc.
 */
#include "fixture.h"

static size_t allocations;

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *p, size_t n)
{
    (void)p, (void)n;
    allocations++;
}

static void on_free(const volatile void *p)
{
    (void)p;
}

static void count_from_here(void)
{
    static bool installed;
    if (!installed)
        assert_true(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
    installed = true;
    allocations = 0;
}
#else
/* glibc's own names for them. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
    allocations++;
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    allocations++;
    return __libc_realloc(p, n);
}

static void count_from_here(void)
{
    allocations = 0;
}
#endif

static const char *const texts[] = {
    "event.amount > 100 && event.channel == 'app' && member.orders_30d >= 3",
    "event.items.exists(i, i.sku.startsWith('MILK')) && event.items.all(i, i.price > 1)",
    "event.store == 'x' || member.last_purchase < now - days(7) || event.qty / 0 == 1",
    "member.views[event.items[0].sku] >= 3 && 'X' in member.views",
    "date(now) + ' ' + string(event.amount) + yuan(event.amount) + string(event.time)",
    "string(0.1 + event.amount) + string(1.0 / 3.0) + string(duration('1.5s'))",
    "event.items.map(i, i.sku + '×' + string(i.qty)) + ['a'] + event.items.map(i, i.sku)",
    "event.items.filter(i, i.qty > 1).map(i, i.price)",
    "{'a': event.qty, event.channel: 2}.exists(k, k == 'app')",
    "event.time.getHours(tz) + event.time.getDayOfWeek('+09:00') + int(event.time)",
    "double('1.' + string(event.qty)) > 1.5 && int(string(event.qty)) == 7",
    "timestamp('2026-03-0' + string(event.qty - 5) + 'T10:00:00Z') < event.time",
    "event.order_id in ['z', 'p1'] && event.channel in words && event.qty in [1.0, 7.0]",
    "event.store",
    "event.order_id + event.store",
};

static void test_none(void **state)
{
    (void)state;
    struct shop *s = shop_new();
    const struct expr *e[BASE_LEN(texts)];
    struct val v;
    s->env.build = true;
    count_from_here();
    for (size_t i = 0; i < BASE_LEN(texts); i++) {
        e[i] = shop_compile(s, str_c(texts[i]), NULL);
        assert_non_null(e[i]);
    }
    assert_true(allocations > 0); /* the counter counts */
    for (size_t i = 0; i < BASE_LEN(texts); i++)
        (void)expr_eval(e[i], s->ctx, &v); /* first calls may make the C library set itself up */
    count_from_here();
    for (int round = 0; round < 100; round++)
        for (size_t i = 0; i < BASE_LEN(texts); i++)
            (void)expr_eval(e[i], s->ctx, &v);
    assert_int_equal(allocations, 0);
    free(xmalloc(1));
    assert_int_equal(allocations, 1);
    shop_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
