/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

static int64_t fixed_clock(void)
{
    return 0;
}

/* What one call writes to stderr. */
static char text[8192];
static int keep, tube[2];

static void capture(void)
{
    assert_int_equal(pipe(tube), 0);
    keep = dup(STDERR_FILENO);
    (void)dup2(tube[1], STDERR_FILENO);
}

static void captured(void)
{
    (void)dup2(keep, STDERR_FILENO);
    (void)close(keep);
    (void)close(tube[1]);
    ssize_t n = read(tube[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    (void)close(tube[0]);
}

static void test_line(void **state)
{
    (void)state;
    log_init("svc", LOG_LEVEL_INFO, fixed_clock);
    capture();
    log_debug("never", "x=%d", 1);
    log_info("claimed", "p=%d off=%ld who=%.*s note=%s ratio=%.2f", 3, 7L, 2, "abc",
             "two words\nforged=\"1\"", 0.5);
    captured();
    assert_string_equal(text, "info 1970-01-01T00:00:00Z svc event=claimed p=3 off=7 who=ab "
                              "note=\"two words\\nforged=\\\"1\\\"\" ratio=0.50\n");
}

static void test_err(void **state)
{
    struct err e = {0};
    (void)state;
    (void)err_code(&e, ERR_AGAIN, "busy", "try later");
    capture();
    log_err(LOG_LEVEL_WARN, "produce", &e, "topic=%s", "t");
    captured();
    assert_string_equal(text, "warn 1970-01-01T00:00:00Z svc event=produce topic=t kind=again "
                              "code=busy error=\"try later\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_line), cmocka_unit_test(test_err)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
