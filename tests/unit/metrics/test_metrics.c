/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics.h"

static const double bounds[] = {0.1, 1};
static struct metric table[] = {
    {"a_total", METRIC_COUNTER, "Things.", "kind,why", NULL, 0, NULL, NULL},
    {"b", METRIC_GAUGE, "Level.", NULL, NULL, 0, NULL, NULL},
    {"c_seconds", METRIC_HISTOGRAM, "Time.", NULL, bounds, 2, NULL, NULL},
};

static void test_text(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 1 << 16);
    metrics_register(table, BASE_LEN(table));
    metric_add(&table[0], "x,a\"b", 2);
    metric_add(&table[0], "x,a\"b", 1);
    metric_observe(&table[2], NULL, 0.1);
    metric_observe(&table[2], NULL, 5);
    metrics_write(&b);
    assert_string_equal(b.p, "# HELP a_total Things.\n# TYPE a_total counter\n"
                             "a_total{kind=\"x\",why=\"a\\\"b\"} 3\n"
                             "# HELP b Level.\n# TYPE b gauge\nb 0\n"
                             "# HELP c_seconds Time.\n# TYPE c_seconds histogram\n"
                             "c_seconds_bucket{le=\"0.1\"} 1\nc_seconds_bucket{le=\"1\"} 1\n"
                             "c_seconds_bucket{le=\"+Inf\"} 2\nc_seconds_sum 5.1\n"
                             "c_seconds_count 2\n");
    assert_true(metric_get(&table[0], "x,a\"b") == 3);
    metrics_clear();
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
