/* SPDX-License-Identifier: Apache-2.0 */
/* check: what a text must satisfy beyond being one: max, one_of, dates, lunar dates. */
#include "model_priv.h"

static bool one_of(const struct type *t, struct str v)
{
    for (uint32_t i = 0; i < t->n_one_of; i++)
        if (str_eq(t->one_of[i], v))
            return true;
    return t->one_of == NULL;
}

enum text_fault model_text_fault(const struct type *t, struct str v)
{
    uint32_t max = t->max ? t->max : MODEL_STRING_MAX;
    if (v.n > max && utf8_len(v) > max)
        return TEXT_TOO_LONG;
    if (t->kind == TYPE_DATE)
        return model_date_ok(v) ? TEXT_OK : TEXT_BAD_DATE;
    if (t->kind == TYPE_LUNAR_DATE)
        return model_lunar_ok(v) ? TEXT_OK : TEXT_BAD_DATE;
    return one_of(t, v) ? TEXT_OK : TEXT_ONE_OF;
}

bool model_date_ok(struct str v)
{
    int32_t y, m, d;
    return v.n == 10 && time_date(v, &y, &m, &d) == 0;
}

bool model_lunar_ok(struct str v)
{
    struct lunar d;
    return lunar_date(v, &d) == 0;
}
