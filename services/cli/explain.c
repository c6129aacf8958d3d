/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rouse explain [CODE…]: what the codes in messages mean and the way out, in English or Chinese;
 * without a code, a line for each.
 */
#include "cli.h"
#include "webhook.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_CODES 512

struct conf {
    const char *lang;
};

static const struct option_def options[] = {
    {"lang", OPT_STRING, offsetof(struct conf, lang), "", 0, 0,
     "en or zh; not given: the language of LC_ALL, LC_MESSAGES or LANG."},
};
static const struct service_spec spec = {
    "explain", "rouse explain [OPTIONS] [CODE…]: what a code means and what to do about it.",
    options, BASE_LEN(options)};

/* -1: neither. */
static int chinese(const char *lang)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    if (lang[0])
        return strcmp(lang, "zh") == 0 ? 1 : strcmp(lang, "en") == 0 ? 0 : -1;
    for (size_t i = 0; i < BASE_LEN(names); i++) {
        const char *v = getenv(names[i]);
        if (v && v[0])
            return strncmp(v, "zh", 2) == 0;
    }
    return 0;
}

/* The i-th of all codes: of adapters, then of rules. */
static const struct diag_code *code_at(size_t i)
{
    size_t n;
    const struct diag_code *v = webhook_codes(&n);
    return i < n ? &v[i] : rule_code(i - n);
}

static const struct code_text *text_of(const struct diag_code *c, bool zh)
{
    return zh ? &c->zh : &c->en;
}

/* True: printed. */
static bool explain_one(const char *word, bool zh)
{
    struct str names[MOST_CODES];
    char code[8] = "";
    size_t n = 0;
    for (size_t i = 0; word[i] && i < sizeof code - 1; i++)
        code[i] = (char)toupper((unsigned char)word[i]);
    for (const struct diag_code *c; n < MOST_CODES && (c = code_at(n)) != NULL; n++) {
        names[n] = str_c(c->code);
        if (strlen(word) < sizeof code && strcmp(c->code, code) == 0) {
            const struct code_text *t = text_of(c, zh);
            (void)printf("%s  %s\n      %s\n", c->code, t->meaning, t->advice);
            return true;
        }
    }
    struct str near = suggest(str_c(word), names, n);
    (void)fprintf(stderr, "rouse explain: there is no code `%s`: ", word);
    if (near.n)
        (void)fprintf(stderr, "did you mean `" STR_FMT "`?\n", STR_ARG(near));
    else
        (void)fputs("rouse explain lists them\n", stderr);
    return false;
}

int cli_explain(int argc, char **argv)
{
    struct conf c = {0};
    struct err err = {0};
    int code;
    size_t n = 0;
    struct arena *a = arena_new(0);
    const char **words = ARENA_ARRAY(a, const char *, (size_t)argc);
    if (cli_options(&spec, argc, argv, &c, a, words, &n, &code) == 0) {
        int zh = chinese(c.lang);
        code = 0;
        if (zh < 0) {
            (void)err_set(&err, ERR_INPUT, "--lang is en or zh, not `%s`", c.lang);
            code = cli_fail("explain", &err);
            n = 0;
        } else if (n == 0) {
            const struct diag_code *d;
            for (size_t i = 0; (d = code_at(i)) != NULL; i++)
                (void)printf("%s  %s\n", d->code, text_of(d, zh)->meaning);
        }
        for (size_t i = 0; i < n; i++)
            code = explain_one(words[i], zh) ? code : 2;
    }
    arena_free(&a);
    return code;
}
