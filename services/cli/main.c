/* SPDX-License-Identifier: Apache-2.0 */
/* rouse: the command line.  A table of commands; each has a file of its own. */
#include "cli.h"

#include <stdio.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};
static const struct command commands[] = {
    {"check", cli_check, "read rule files and say what is wrong with them"},
    {"test", cli_test, "run the tests that stand beside the rules"},
    {"explain", cli_explain, "the meaning of an error or warning code"},
    {"schema", cli_schema, "a JSON Schema of rule files, for editors"},
    {"init", cli_init, "create the topics, the home slots and the genesis record"},
    {"apply", cli_apply, "check, test, bundle and activate rules"},
    {"member", cli_member, "what is known about one member"},
    {"dead", cli_dead, "the records that could not be read, with their reasons"},
    {"verify", cli_verify, "fold the log again and compare it with what was decided and done"},
};

static void print_help(FILE *to)
{
    (void)fputs("rouse " ROUSE_VERSION ": event-driven marketing triggers\n\n", to);
    for (size_t i = 0; i < BASE_LEN(commands); i++)
        (void)fprintf(to, "  rouse %-8s %s\n", commands[i].name, commands[i].help);
    (void)fputs("\nrouse COMMAND --help tells more.\n", to);
}

int main(int argc, char **argv)
{
    struct str names[BASE_LEN(commands)];
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("rouse " ROUSE_VERSION);
        return 0;
    }
    for (size_t i = 0; i < BASE_LEN(commands); i++) {
        names[i] = str_c(commands[i].name);
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    struct str near = suggest(str_c(argv[1]), names, BASE_LEN(commands));
    (void)fprintf(stderr, "rouse: unknown command `%s`%s" STR_FMT "%s\n", argv[1],
                  near.n ? ": did you mean `" : ": see rouse --help", STR_ARG(near),
                  near.n ? "`?" : "");
    return 2;
}
