/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox: what demos and tests need around rouse, in one program: a broker in one process, gateways
 * that answer, fail, stall and drop as told, and a seeded generator of a retail year.  Each is a
 * subcommand; argv[0] is its name.  They return the process's exit code (0, 1, 2 = bad usage).
 */
#ifndef ROUSE_SANDBOX_H
#define ROUSE_SANDBOX_H

int sandbox_broker(int argc, char **argv);
int sandbox_gateway(int argc, char **argv);
int sandbox_generate(int argc, char **argv);
int sandbox_ping(int argc, char **argv);

#endif
