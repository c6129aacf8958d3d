/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scalars as values of a declared type: defaults, cells of tables, tags of tests' members.  The type
 * decides, not the look of the text: a quoted number is no int, an unquoted one may be a string.
 */
#include "rule_priv.h"

#include <stdlib.h>

/* Decimal with at most two places -> fen. */
static bool money_value(struct str s, int64_t *fen)
{
    bool neg = s.n && s.p[0] == '-';
    size_t i = neg ? 1 : 0, places = 0, digits = 0;
    int64_t v = 0;
    bool point = false;
    for (; i < s.n; i++) {
        if (s.p[i] == '.' && !point && digits) {
            point = true;
            continue;
        }
        if (s.p[i] < '0' || s.p[i] > '9' || places == 2)
            return false;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, s.p[i] - '0', &v))
            return false;
        digits++;
        places += point;
    }
    if (!digits || (point && !places))
        return false;
    for (; places < 2; places++)
        if (__builtin_mul_overflow(v, 10, &v))
            return false;
    *fen = neg ? -v : v;
    return true;
}

static bool string_value(struct load *L, struct str s, const struct type *t, struct val *out)
{
    if (utf8_len(s) > (t->max ? t->max : 256))
        return false;
    for (uint32_t i = 0; i < t->n_one_of; i++) {
        if (str_eq(t->one_of[i], s)) {
            *out = val_str(t->one_of[i]);
            return true;
        }
    }
    *out = val_str(arena_str(L->a, s));
    return t->n_one_of == 0;
}

static bool double_value(struct str s, struct val *out)
{
    struct yaml_node n = {.kind = YAML_SCALAR, .style = YAML_PLAIN, .text = s};
    return yaml_f64(&n, &out->d);
}

bool text_value(struct load *L, struct str s, const struct type *t, struct val *out)
{
    *out = (struct val){0};
    int32_t y, m, d;
    struct lunar lunar;
    int64_t ms;
    switch (t->kind) {
    case TYPE_BOOL:
        *out = val_bool(str_eqc(s, "true"));
        return out->b || str_eqc(s, "false");
    case TYPE_INT:
        out->t = V_INT;
        return str_i64(s, &out->i) == 0;
    case TYPE_DOUBLE:
        out->t = V_DOUBLE;
        return double_value(s, out);
    case TYPE_MONEY:
        out->t = V_MONEY;
        return money_value(s, &out->i);
    case TYPE_DATE:
        *out = val_str(arena_str(L->a, s));
        return time_date(s, &y, &m, &d) == 0;
    case TYPE_LUNAR_DATE:
        *out = val_str(arena_str(L->a, s));
        return lunar_date(s, &lunar) == 0;
    case TYPE_STRING:
    case TYPE_ADDRESS:
        return string_value(L, s, t, out);
    case TYPE_TIMESTAMP:
        if (time_parse_ms(s, L->p->tz, &ms))
            return false;
        *out = val_time_ms(ms);
        return true;
    case TYPE_DURATION:
        if (time_len(s, &ms) || ms > INT64_MAX / 1000000)
            return false;
        *out = (struct val){.t = V_DURATION, .i = ms * 1000000};
        return true;
    case TYPE_ERROR:
    case TYPE_NULL:
    case TYPE_LIST:
    case TYPE_MAP:
    case TYPE_RECORD:
        break;
    }
    return false;
}

static bool is_number_type(const struct type *t)
{
    return t->kind == TYPE_INT || t->kind == TYPE_DOUBLE || t->kind == TYPE_BOOL;
}

static struct str one_of_note(struct load *L, const struct type *t)
{
    if (t->n_one_of == 0)
        return (struct str){0};
    struct str names = join_names(L, t->one_of, t->n_one_of);
    return str_c(arena_printf(L->a, "one of: " STR_FMT, STR_ARG(names)));
}

static bool read_value_list(struct load *L, const struct yaml_node *n, const struct type *t,
                            struct val *out)
{
    if (!want_list(L, n, "this value"))
        return false;
    struct val *v = ARENA_ARRAY(L->a, struct val, n->n + 1);
    for (uint32_t i = 0; i < n->n; i++)
        if (!read_value(L, n->items[i], t->elem, &v[i]))
            return false;
    *out = (struct val){.t = V_LIST, .n = n->n, .list = v};
    return true;
}

bool read_value(struct load *L, const struct yaml_node *n, const struct type *t, struct val *out)
{
    struct str s;
    if (t->kind == TYPE_ERROR)
        return false;
    if (t->kind == TYPE_LIST)
        return read_value_list(L, n, t, out);
    if (!want_text(L, n, "this value", &s))
        return false;
    bool quoted = n->style != YAML_PLAIN;
    if (text_value(L, s, t, out) && !(quoted && is_number_type(t)))
        return true;
    diags_addf(L->d, "T004", n->at,
               quoted && is_number_type(t) ? STR("without quotes") : (struct str){0},
               one_of_note(L, t), "`" STR_FMT "` is not %s %s", STR_ARG(s),
               strchr("aeiou", type_word(t)[0]) ? "an" : "a", type_word(t));
    return false;
}
