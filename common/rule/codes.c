/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every code that a message may carry, with what it means and the way out in English and Chinese.  A
 * code never changes its meaning; a new mistake gets a new number.  The texts stand in codes_*.c; those
 * of expressions in common/expr.
 * Whoever adds a code adds a file under tests/cases/bad that produces it; a test compares the two.
 */
#include "codes_priv.h"

const struct diag_code *rule_code(size_t i)
{
    size_t n_expr;
    const struct diag_code *expr = expr_codes(&n_expr);
    const struct {
        const struct diag_code *v;
        size_t n;
    } families[] = {{codes_yaml, n_codes_yaml},
                    {codes_shape, n_codes_shape},
                    {codes_tag, n_codes_tag},
                    {codes_rule, n_codes_rule},
                    {expr, n_expr}};
    for (size_t k = 0; k < BASE_LEN(families); k++) {
        if (i < families[k].n)
            return &families[k].v[i];
        i -= families[k].n;
    }
    return NULL;
}
