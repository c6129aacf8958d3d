/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: options, rule files from paths, one way to fail. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

int cli_fail(const char *command, const struct err *err)
{
    (void)fprintf(stderr, "rouse %s: %s%s%s\n", command, err->file, err->file[0] ? ": " : "",
                  err->text);
    return 2;
}

int cli_options(const struct service_spec *spec, int argc, char **argv, void *conf, struct arena *a,
                const char **rest, size_t *n_rest, int *exit_code)
{
    struct err err = {0};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            struct buf b;
            buf_init(&b, 1 << 16);
            options_help(spec, &b);
            (void)fputs(b.p, stdout);
            buf_free(&b);
            *exit_code = 0;
            return 1;
        }
    if (options_parse(spec, argc, argv, conf, a, rest, n_rest, &err) != 0) {
        *exit_code = cli_fail(spec->name, &err);
        return 1;
    }
    return 0;
}

static void print_diags(struct diags *d, const char *format, uint32_t most)
{
    struct buf b;
    buf_init(&b, 64 << 20);
    most = most ? most : 50;
    if (format && strcmp(format, "json") == 0)
        diags_json(d, most, &b);
    else if (format && strcmp(format, "github") == 0)
        diags_github(d, most, &b);
    else if (diags_len(d))
        diags_text(d, most, &b);
    if (b.n)
        (void)fputs(b.p, format ? stdout : stderr);
    buf_free(&b);
}

struct program *cli_load_rules(const char *command, const char *const *paths, size_t n,
                               const struct rule_options *o, const char *format, bool strict,
                               int *exit_code)
{
    struct err err = {0};
    struct program *p;
    struct diags *d = diags_new();
    p = rule_load_paths(paths, n, o, d, &err);
    print_diags(d, format, o->max_errors);
    *exit_code = 0;
    if (err.kind != ERR_NONE)
        *exit_code = cli_fail(command, &err);
    else if (!p || (strict && diags_warnings(d)))
        *exit_code = 1;
    diags_free(&d);
    if (*exit_code)
        rule_free(&p);
    return p;
}
