/* SPDX-License-Identifier: Apache-2.0 */
/* Every file of the fuzzers' corpora, through the fuzzers' own functions. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define LLVMFuzzerTestOneInput fuzz_record
#include "../../fuzz/fuzz_record.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_upstream
#include "../../fuzz/fuzz_upstream.c"

static void replay(const char *name, int (*fuzz)(const uint8_t *, size_t))
{
    char path[512];
    int files = 0;
    (void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", ROUSE_SOURCE, name);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));) {
        static uint8_t bytes[1 << 16];
        (void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s/%s", ROUSE_SOURCE, name,
                       e->d_name);
        FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (!f)
            continue;
        size_t n = fread(bytes, 1, sizeof bytes, f);
        (void)fclose(f);
        uint8_t *exact = malloc(n ? n : 1); /* so that reading beyond the end is seen */
        memcpy(exact, bytes, n);
        assert_int_equal(fuzz(exact, n), 0);
        free(exact);
        files++;
    }
    (void)closedir(d);
    assert_true(files >= 8);
}

static void test_record(void **state)
{
    (void)state;
    replay("record", fuzz_record);
}

static void test_upstream(void **state)
{
    (void)state;
    replay("upstream", fuzz_upstream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_record),
                                       cmocka_unit_test(test_upstream)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
