/* SPDX-License-Identifier: Apache-2.0 */
/* rouse check, rouse test: what marketing runs before anything is applied. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

struct conf {
    const char *format, *gateways, *only;
    int64_t max_errors;
    bool quiet, messages, strict;
};

static const struct option_def check_options[] = {
    {"format", OPT_STRING, offsetof(struct conf, format), "text", 0, 0, "text, json or github."},
    {"gateways", OPT_STRING, offsetof(struct conf, gateways), "", 0, 0,
     "Directory of gateway adapters; without it wechat (openid), sms (phone), email (email), "
     "points, coupon and staff exist."},
    {"max-errors", OPT_INT, offsetof(struct conf, max_errors), "50", 1, 100000,
     "Print at most so many."},
    {"strict", OPT_BOOL, offsetof(struct conf, strict), "false", 0, 0,
     "A warning is a finding too: exit 1."},
    {"messages", OPT_BOOL, offsetof(struct conf, messages), "false", 0, 0,
     "Say too how long the SMS texts get at worst."},
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

/* ---- rouse check --messages ---- */

static void print_params(const struct program *p, const struct sms_size *s)
{
    const struct message_def *m = &p->messages[s->message];
    const char *sep = "";
    for (uint32_t k = 0; k < m->n_params; k++) {
        bool used = false;
        for (uint32_t i = 0; i < m->via[s->block].n_text; i++)
            used |= m->via[s->block].text[i].param == k;
        if (!used)
            continue;
        (void)printf("%s" STR_FMT " %u", sep, STR_ARG(m->params[k]), s->params[k]);
        sep = ", ";
    }
}

static void print_size(const struct program *p, const struct sms_size *s)
{
    const struct message_def *m = &p->messages[s->message];
    uint32_t least = sms_segments(s->text), most = sms_segments(s->most);
    (void)printf("%-24.*s %-12.*s ", STR_ARG(m->name),
                 STR_ARG(p->gateways[m->via[s->block].gateway].name));
    if (s->most == 0) {
        (void)printf("%5s %5s  %-9s the text is the gateway's\n", "-", "-", "-");
        return;
    }
    char segments[32];
    (void)snprintf(segments, sizeof segments, least == most ? "%u" : "%u to %u", least, most);
    (void)printf("%5u %5u  %-9s ", s->text, s->most, segments);
    print_params(p, s);
    (void)printf("%s\n", s->sent ? "" : " (no rule sends it)");
}

static void print_messages(const struct program *p)
{
    struct arena *a = arena_new(0);
    struct sms_size *v;
    size_t n = program_sms(p, a, &v);
    (void)printf("%-24s %-12s %5s %5s  %-9s %s\n", "message", "gateway", "text", "most", "segments",
                 "parameters, at most");
    for (size_t i = 0; i < n; i++)
        print_size(p, &v[i]);
    (void)puts(
        "Characters as carriers count them: 70 are one segment, more are sent in parts of 67; an "
        "emoji counts two.\nA parameter is as long as the `max` of what it shows: declare it "
        "(name: {type: string, max: 10}) to know more.");
    arena_free(&a);
}

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
            struct program *p = cli_load_rules("check", paths, n, &o, c.format, c.strict, &code);
            if (p && strcmp(c.format, "text") == 0)
                (void)printf("ok: %u events, %u tags, %u messages, %u rules, %u tests\n",
                             p->schema->n, p->n_tags, p->n_messages, p->n_rules, p->n_tests);
            if (p && c.messages)
                print_messages(p);
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
        struct program *p = cli_load_rules("test", paths, n, &o, "text", false, &code);
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
