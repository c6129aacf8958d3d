/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "service.h"

struct conf {
    const char *bootstrap;
    int64_t batch, wait_ms, cache;
    bool fast;
};
static const struct option_def options[] = {
    {"bootstrap", OPT_STRING, offsetof(struct conf, bootstrap), NULL, 0, 0, "Brokers."},
    {"batch", OPT_INT, offsetof(struct conf, batch), "100", 1, 1000, "Records a batch."},
    {"wait", OPT_DURATION, offsetof(struct conf, wait_ms), "5s", 0, 0, "How long."},
    {"cache", OPT_SIZE, offsetof(struct conf, cache), "64MiB", 0, 0, "How much."},
    {"fast", OPT_BOOL, offsetof(struct conf, fast), "false", 0, 0, "Faster."},
};
static const struct service_spec spec = {"test", "A test.", options, BASE_LEN(options)};

static int parse(struct conf *c, struct arena *a, struct err *err, int argc, const char **argv)
{
    char *copy[16];
    memset(c, 0, sizeof *c);
    memset(err, 0, sizeof *err);
    for (int i = 0; i < argc; i++)
        copy[i] = arena_strdup(a, argv[i]);
    return options_parse(&spec, argc, copy, c, a, NULL, NULL, err);
}
#define PARSE(...)                                                                                 \
    parse(&c, a, &err, (int)BASE_LEN(((const char *[]){__VA_ARGS__})),                             \
          (const char *[]){__VA_ARGS__})

static void test_sources(void **state)
{
    struct conf c;
    struct err err;
    struct arena *a = arena_new(0);
    char path[] = "/tmp/rouse-options-XXXXXX";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const char text[] = "bootstrap: file:9092\nbatch: 7\nwait: 2m\ncache: 1GiB\n";
    assert_int_equal(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
    (void)close(fd);
    assert_int_equal(PARSE("x", "--config", path), 0);
    assert_string_equal(c.bootstrap, "file:9092");
    assert_int_equal(c.batch, 7);
    assert_int_equal(c.wait_ms, 120000);
    assert_int_equal(c.cache, 1 << 30);
    (void)setenv("ROUSE_BATCH", "8", 1);
    assert_int_equal(PARSE("x", "--config", path, "--fast"), 0);
    assert_int_equal(c.batch, 8);
    assert_true(c.fast);
    assert_int_equal(PARSE("x", "--batch=9", "--config", path, "--no-fast"), 0);
    assert_int_equal(c.batch, 9);
    assert_false(c.fast);
    (void)unsetenv("ROUSE_BATCH");
    (void)unlink(path);
    arena_free(&a);
}

static void test_bad(void **state)
{
    struct conf c;
    struct err err;
    struct arena *a = arena_new(0);
    (void)state;
    assert_int_equal(PARSE("x"), -1);
    assert_string_equal(err.text, "--bootstrap must be given: Brokers.");
    assert_int_equal(PARSE("x", "--bootsrap", "b"), -1);
    assert_string_equal(err.text,
                        "command line: unknown option `bootsrap`: did you mean `bootstrap`?");
    assert_int_equal(PARSE("x", "--bootstrap", "b", "--batch", "1001"), -1);
    assert_string_equal(err.text,
                        "command line: --batch must be between 1 and 1000, `1001` is not");
    assert_int_equal(PARSE("x", "--bootstrap", "b", "--batch", "0"), -1);
    assert_int_equal(PARSE("x", "--bootstrap", "b", "--batch", "1000"), 0);
    assert_int_equal(PARSE("x", "--bootstrap", "b", "--wait", "5"), -1);
    assert_int_equal(PARSE("x", "--bootstrap", "b", "--wait"), -1);
    assert_int_equal(PARSE("x", "--bootstrap", "b", "--fast=maybe"), -1);
    assert_int_equal(PARSE("x", "--bootstrap", "b", "stray"), -1);
    assert_int_equal(PARSE("x", "--config", "/nonexistent/file"), -1);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sources), cmocka_unit_test(test_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
