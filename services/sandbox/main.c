/* SPDX-License-Identifier: Apache-2.0 */
/* rouse-sandbox: the names of the subcommands, and nothing else. */
#include "sandbox.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"broker", "a Kafka broker in one process, for demos and tests", sandbox_broker},
    {"gateway", "SMS and WeChat gateways that answer, fail, stall and drop as told",
     sandbox_gateway},
    {"generate", "publish a seeded retail year, or records for a benchmark", sandbox_generate},
    {"ping", "wait until a Kafka broker answers", sandbox_ping},
};

static void usage(FILE *to)
{
    fprintf(to, "usage: rouse-sandbox COMMAND [--help | options]\n\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].help);
}

int main(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        usage(stdout);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("rouse-sandbox %s\n", ROUSE_VERSION);
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    if (argc > 1)
        fprintf(stderr, "rouse-sandbox: no command `%s`: see rouse-sandbox --help\n", argv[1]);
    else
        usage(stderr);
    return 2;
}
