/* SPDX-License-Identifier: Apache-2.0 */
/* rouse schema: a JSON Schema of rule files, so that editors complete keys and names and underline
 * what does not fit. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

struct conf {
    const char *gateways;
};

static const struct option_def options[] = {
    {"gateways", OPT_STRING, offsetof(struct conf, gateways), "", 0, 0,
     "Directory of gateway adapters; without it wechat (openid) and sms (phone) exist."},
};
static const struct service_spec spec = {
    "schema",
    "rouse schema [OPTIONS] [DIR | FILE…]: a JSON Schema of rule files, for editors.  With rules: "
    "only the names that they define are right.",
    options, BASE_LEN(options)};

int cli_schema(int argc, char **argv)
{
    struct conf c = {0};
    int code;
    size_t n = 0;
    struct arena *a = arena_new(0);
    const char **paths = ARENA_ARRAY(a, const char *, (size_t)argc);
    if (cli_options(&spec, argc, argv, &c, a, paths, &n, &code) == 0) {
        struct rule_options o = {.gateways_dir = c.gateways[0] ? c.gateways : NULL};
        struct program *p = n ? cli_load_rules("schema", paths, n, &o, NULL, false, &code) : NULL;
        code = n ? code : 0;
        if (code == 0) {
            struct buf b;
            buf_init(&b, 64 << 20);
            rule_schema(p, &b);
            (void)fwrite(b.p, 1, b.n, stdout);
            buf_free(&b);
        }
        rule_free(&p);
    }
    arena_free(&a);
    return code;
}
