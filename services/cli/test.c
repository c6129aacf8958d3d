/* SPDX-License-Identifier: Apache-2.0 */
/* All tests of a program, and whether policy's `tests: required` is met. */
#include "cli.h"
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>

/* A rule that only writes tags comes to neither; its tests look at the tags. */
static bool sends(const struct rule_def *r)
{
    for (uint32_t i = 0; i < r->n_code; i++)
        if (r->code[i].op == OP_SEND)
            return true;
    return false;
}

static size_t not_covered(const struct program *p, const bool *covered)
{
    size_t n = 0;
    for (uint32_t i = 0; i < p->n_rules; i++) {
        const struct rule_def *r = &p->rules[i];
        int line = 0, col = 0;
        if (covered[i] || r->mode == MODE_OFF || !sends(r))
            continue;
        if (r->at.file)
            srcfile_pos(r->at.file, r->at.start, &line, &col);
        (void)printf(STR_FMT ":%d:%d: no test brings rule `" STR_FMT
                             "` to a send or a withheld, and policy says `tests: required`\n",
                     STR_ARG(r->at.file ? r->at.file->name : STR("?")), line, col,
                     STR_ARG(r->name));
        n++;
    }
    return n;
}

size_t cli_run_tests(const struct program *p, const char *only, bool quiet, size_t *ran)
{
    struct buf out;
    size_t failed = 0;
    bool *covered = xcalloc(p->n_rules + 1, sizeof *covered);
    buf_init(&out, 1 << 20);
    *ran = 0;
    for (uint32_t i = 0; i < p->n_tests; i++) {
        const struct test_def *t = &p->tests[i];
        if (only && !str_eqc(t->name, only))
            continue;
        ++*ran;
        buf_reset(&out);
        bool ok = runner_run(p, t, covered, &out);
        failed += !ok;
        if (!ok || !quiet)
            (void)printf("%s " STR_FMT "\n", ok ? "ok    " : "FAILED", STR_ARG(t->name));
        if (!ok)
            (void)fwrite(out.p, 1, out.n, stdout);
    }
    if (p->policy.tests_required && !only)
        failed += not_covered(p, covered);
    buf_free(&out);
    free(covered);
    return failed;
}
