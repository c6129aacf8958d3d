/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli: the tools of `rouse`.  Each command is one function that gets the arguments from its own name
 * on and returns the exit code: 0 clean, 1 findings, 2 cannot run.
 */
#ifndef ROUSE_CLI_H
#define ROUSE_CLI_H

#include "kafka.h"
#include "rule.h"
#include "service.h"

int cli_check(int argc, char **argv);
int cli_test(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_schema(int argc, char **argv);
int cli_init(int argc, char **argv);
int cli_apply(int argc, char **argv);
int cli_member(int argc, char **argv);
int cli_dead(int argc, char **argv);
int cli_verify(int argc, char **argv);

/* Parse a command's own options; prints the problem or the help. 0 go on, 1 stop with *exit_code. */
int cli_options(const struct service_spec *spec, int argc, char **argv, void *conf, struct arena *a,
                const char **rest, size_t *n_rest, int *exit_code);
/* "rouse COMMAND: text" on stderr; returns 2. */
int cli_fail(const char *command, const struct err *err);

/* Rules from directories and files. NULL: the messages have been printed (*exit_code). Warnings are
 * printed too, and are findings when `strict`.  format: text, json, github; NULL = text on stderr, for
 * commands whose output is read by programs. */
struct program *cli_load_rules(const char *command, const char *const *paths, size_t n,
                               const struct rule_options *o, const char *format, bool strict,
                               int *exit_code);

/* Run every test of `p` (`only` NULL, or the one of that name). Prints failures in full and one line
 * a test. Returns the number that failed; *ran is how many were run. With policy.tests_required a
 * rule that no test runs to a send or a withheld counts as a failure. */
size_t cli_run_tests(const struct program *p, const char *only, bool quiet, size_t *ran);

#endif
