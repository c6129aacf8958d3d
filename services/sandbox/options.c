/* SPDX-License-Identifier: Apache-2.0 */
/* Options and errors of the commands that run once and end. */
#include "sandbox_priv.h"

#include <stdio.h>

int sandbox_options(const struct service_spec *spec, int argc, char **argv, void *conf,
                    struct arena *a)
{
    struct err err = {0};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            struct buf b;

            buf_init(&b, 1 << 16);
            options_help(spec, &b);
            fputs(b.p, stdout);
            buf_free(&b);
            return 1;
        }
    }
    if (options_parse(spec, argc, argv, conf, a, NULL, NULL, &err) == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", spec->name, err.text);
    return -1;
}

int sandbox_fail(const char *name, const struct err *err)
{
    fprintf(stderr, "%s: %s\n", name, err->text);
    return 1;
}
