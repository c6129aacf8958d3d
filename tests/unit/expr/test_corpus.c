/* SPDX-License-Identifier: Apache-2.0 */
/* Replays the fuzzer's corpus: whatever is in it must neither crash nor hang. */
#include "../../fuzz/fuzz_expr.c"

#include <dirent.h>

static void replay(const char *path)
{
    static uint8_t bytes[1 << 16];
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    (void)fclose(f);
    (void)LLVMFuzzerTestOneInput(bytes, n);
}

static void test_corpus(void **state)
{
    (void)state;
    const char *dir = ROUSE_SOURCE "/tests/fuzz/corpus/expr";
    char path[512];
    int n = 0;
    struct dirent *e;
    DIR *d = opendir(dir);
    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        replay(path);
        n++;
    }
    (void)closedir(d);
    assert_true(n > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
