/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: runs a fuzz target over every file of its corpus, so that what was once found stays mended.
 * tests/fuzz/run.sh builds the same targets with libFuzzer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST ((size_t)4 << 20)

static int one(const char *dir, const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return -1;
    uint8_t *whole = malloc(MOST);
    size_t n = whole ? fread(whole, 1, MOST, f) : 0;
    (void)fclose(f);
    uint8_t *exact = malloc(n + 1); /* so that a read past the end is seen */
    for (size_t i = 0; exact && i < n; i++)
        exact[i] = whole[i];
    if (exact)
        (void)LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    free(whole);
    return 0;
}

int main(int argc, char **argv)
{
    int files = 0;
    DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
    if (!d) {
        (void)fprintf(stderr, "replay CORPUS\n");
        return 2;
    }
    for (const struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            files += one(argv[1], e->d_name) == 0;
    (void)closedir(d);
    (void)printf("%d inputs replayed\n", files);
    return files > 0 ? 0 : 1;
}
