/* SPDX-License-Identifier: Apache-2.0 */
/* rouse explain [CODE…]: what the codes in messages mean; without a code, all of them. */
#include "cli.h"

#include <stdio.h>

static const char *meaning(struct str code)
{
    size_t n;
    const struct rule_code *r = rule_codes(&n);
    for (size_t i = 0; i < n; i++)
        if (str_eqc(code, r[i].code))
            return r[i].text;
    const struct expr_code *e = expr_codes(&n);
    for (size_t i = 0; i < n; i++)
        if (str_eqc(code, e[i].code))
            return e[i].meaning;
    return NULL;
}

static void print_all(void)
{
    size_t n;
    const struct rule_code *r = rule_codes(&n);
    for (size_t i = 0; i < n; i++)
        (void)printf("%s  %s\n", r[i].code, r[i].text);
    const struct expr_code *e = expr_codes(&n);
    for (size_t i = 0; i < n; i++)
        (void)printf("%s  %s\n", e[i].code, e[i].meaning);
}

int cli_explain(int argc, char **argv)
{
    int code = 0;
    if (argc < 2)
        print_all();
    for (int i = 1; i < argc; i++) {
        const char *text = meaning(str_c(argv[i]));
        if (text) {
            (void)printf("%s  %s\n", argv[i], text);
        } else {
            (void)fprintf(stderr,
                          "rouse explain: there is no code `%s`: rouse explain lists them\n",
                          argv[i]);
            code = 2;
        }
    }
    return code;
}
