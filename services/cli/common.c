/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: options, rule files from paths, one way to fail. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

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

/* ---- rule files ---- */

static int read_whole(struct arena *a, const char *path, struct str *out, struct err *err)
{
    struct stat st;
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(err, ERR_INPUT, "%s: cannot be read: %m", path);
    if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > (64 << 20)) {
        (void)fclose(f);
        return err_set(err, ERR_INPUT, "%s: not a file of at most 64 MiB", path);
    }
    char *text = arena_alloc(a, (size_t)st.st_size + 1);
    size_t n = fread(text, 1, (size_t)st.st_size, f);
    (void)fclose(f);
    text[n] = '\0';
    *out = (struct str){text, n};
    return 0;
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static struct program *load_files(const char *const *paths, size_t n, const struct rule_options *o,
                                  struct diags *d, struct err *err)
{
    struct program *p = NULL;
    struct arena *a = arena_new(0);
    struct str *names = ARENA_ARRAY(a, struct str, n), *texts = ARENA_ARRAY(a, struct str, n);
    size_t i;
    for (i = 0; i < n; i++) {
        names[i] = str_c(paths[i]);
        if (read_whole(a, paths[i], &texts[i], err) != 0)
            break;
    }
    if (i == n)
        p = rule_load_texts(names, texts, (uint32_t)n, o, d);
    arena_free(&a);
    return p;
}

static void print_diags(struct diags *d, const char *format, uint32_t most)
{
    struct buf b;
    buf_init(&b, 64 << 20);
    if (strcmp(format, "json") == 0)
        diags_json(d, &b);
    else if (strcmp(format, "github") == 0)
        diags_github(d, &b);
    else if (diags_len(d))
        diags_text(d, most ? most : 50, &b);
    if (b.n)
        (void)fputs(b.p, stdout);
    buf_free(&b);
}

struct program *cli_load_rules(const char *command, const char *const *paths, size_t n,
                               const struct rule_options *o, const char *format, int *exit_code)
{
    struct err err = {0};
    struct program *p;
    struct diags *d = diags_new();
    if (n == 1 && is_dir(paths[0]))
        p = rule_load_dir(paths[0], o, d, &err);
    else
        p = load_files(paths, n, o, d, &err);
    print_diags(d, format, o->max_errors);
    *exit_code = 0;
    if (err.kind != ERR_NONE)
        *exit_code = cli_fail(command, &err);
    else if (!p)
        *exit_code = 1;
    diags_free(&d);
    if (*exit_code)
        rule_free(&p);
    return p;
}
