/* SPDX-License-Identifier: Apache-2.0 */
/* rouse check, rouse test: what marketing runs before anything is applied. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

struct conf {
    const char *format, *gateways, *only;
    int64_t max_errors;
    bool quiet;
};

static const struct option_def check_options[] = {
    {"format", OPT_STRING, offsetof(struct conf, format), "text", 0, 0, "text, json or github."},
    {"gateways", OPT_STRING, offsetof(struct conf, gateways), "", 0, 0,
     "Directory of gateway adapters; without it wechat (openid) and sms (phone) exist."},
    {"max-errors", OPT_INT, offsetof(struct conf, max_errors), "50", 1, 100000,
     "Print at most so many."},
};
static const struct service_spec check_spec = {
    "check", "rouse check [OPTIONS] DIR | FILE…: read rule files and say what is wrong with them.",
    check_options, BASE_LEN(check_options)};

static const struct option_def test_options[] = {
    {"gateways", OPT_STRING, offsetof(struct conf, gateways), "", 0, 0,
     "Directory of gateway adapters."},
    {"only", OPT_STRING, offsetof(struct conf, only), "", 0, 0, "Run the test of this name."},
    {"quiet", OPT_BOOL, offsetof(struct conf, quiet), "false", 0, 0, "Print failures only."},
};
static const struct service_spec test_spec = {
    "test", "rouse test [OPTIONS] DIR | FILE…: run the tests that stand beside the rules.",
    test_options, BASE_LEN(test_options)};

static bool known_format(const char *f)
{
    return strcmp(f, "text") == 0 || strcmp(f, "json") == 0 || strcmp(f, "github") == 0;
}

int cli_check(int argc, char **argv)
{
    struct conf c = {0};
    struct err err = {0};
    int code;
    size_t n = 0;
    struct arena *a = arena_new(0);
    const char **paths = ARENA_ARRAY(a, const char *, (size_t)argc);
    if (cli_options(&check_spec, argc, argv, &c, a, paths, &n, &code) == 0) {
        struct rule_options o = {.gateways_dir = c.gateways[0] ? c.gateways : NULL,
                                 .tests = true,
                                 .max_errors = (uint32_t)c.max_errors};
        if (n == 0)
            (void)err_set(&err, ERR_INPUT, "name a directory or files");
        else if (!known_format(c.format))
            (void)err_set(&err, ERR_INPUT, "--format is text, json or github, not `%s`", c.format);
        if (err.kind != ERR_NONE) {
            code = cli_fail("check", &err);
        } else {
            struct program *p = cli_load_rules("check", paths, n, &o, c.format, &code);
            if (p && strcmp(c.format, "text") == 0)
                (void)printf("ok: %u events, %u tags, %u messages, %u rules, %u tests\n",
                             p->schema->n, p->n_tags, p->n_messages, p->n_rules, p->n_tests);
            rule_free(&p);
        }
    }
    arena_free(&a);
    return code;
}

int cli_test(int argc, char **argv)
{
    struct conf c = {0};
    struct err err = {0};
    int code;
    size_t n = 0, ran = 0;
    struct arena *a = arena_new(0);
    const char **paths = ARENA_ARRAY(a, const char *, (size_t)argc);
    if (cli_options(&test_spec, argc, argv, &c, a, paths, &n, &code) != 0) {
        arena_free(&a);
        return code;
    }
    struct rule_options o = {.gateways_dir = c.gateways[0] ? c.gateways : NULL, .tests = true};
    if (n == 0) {
        (void)err_set(&err, ERR_INPUT, "name a directory or files");
        code = cli_fail("test", &err);
    } else {
        struct program *p = cli_load_rules("test", paths, n, &o, "text", &code);
        if (p) {
            size_t failed = cli_run_tests(p, c.only[0] ? c.only : NULL, c.quiet, &ran);
            (void)printf("%zu passed, %zu failed\n", ran - (failed < ran ? failed : ran), failed);
            code = failed || (c.only[0] && ran == 0) ? 1 : 0;
        }
        rule_free(&p);
    }
    arena_free(&a);
    return code;
}
