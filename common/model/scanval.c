/* SPDX-License-Identifier: Apache-2.0 */
/* scanval: typed values from canonical JSON, straight into their slots. */
#include "model_priv.h"

static bool scan_list(struct scan *s, const struct type *t, struct val *out)
{
    uint32_t max = t->max ? t->max : MODEL_LIST_MAX, cap = 0, n = 0;
    struct val *list = NULL;
    int at = 0, k;
    while ((k = scan_item(s, &at)) == 1) {
        if (n == max)
            return false;
        if (n == cap) {
            cap = cap ? cap * 2 : 4;
            struct val *to = ARENA_ARRAY(s->a, struct val, cap);
            if (n)
                memcpy(to, list, n * sizeof *to);
            list = to;
        }
        if (!scan_val(s, t->elem, &list[n]))
            return false;
        n++;
    }
    *out = (struct val){.t = V_LIST, .n = n, .list = list};
    return k == SCAN_END;
}

static bool scan_record(struct scan *s, const struct type *t, struct val *out)
{
    struct val *f = ARENA_ARRAY(s->a, struct val, t->n_fields ? t->n_fields : 1);
    if (!scan_fields(s, t->fields, t->n_fields, false, f))
        return false;
    *out = (struct val){.t = V_RECORD, .n = t->n_fields, .list = f};
    return true;
}

static bool scan_string(struct scan *s, const struct type *t, struct val *out)
{
    struct str v;
    if (!scan_str(s, &v) || v.n > UINT32_MAX || model_text_fault(t, v) != TEXT_OK)
        return false;
    *out = val_str(v);
    return true;
}

bool scan_val(struct scan *s, const struct type *t, struct val *out)
{
    int64_t i = 0;
    double d;
    bool b;
    switch (t->kind) {
    case TYPE_BOOL:
        if (!scan_bool(s, &b))
            return false;
        *out = val_bool(b);
        return true;
    case TYPE_INT:
    case TYPE_MONEY:
    case TYPE_TIMESTAMP:
    case TYPE_DURATION:
        if (!scan_i64(s, &i))
            return false;
        *out = t->kind == TYPE_INT         ? val_int(i)
               : t->kind == TYPE_MONEY     ? val_money(i)
               : t->kind == TYPE_TIMESTAMP ? val_time_ms(i)
                                           : (struct val){.t = V_DURATION, .i = i};
        return true;
    case TYPE_DOUBLE:
        if (!scan_double(s, &d))
            return false;
        *out = val_double(d);
        return true;
    case TYPE_STRING:
    case TYPE_DATE:
    case TYPE_LUNAR_DATE:
    case TYPE_ADDRESS:
        return scan_string(s, t, out);
    case TYPE_LIST:
        return scan_list(s, t, out);
    case TYPE_RECORD:
        return scan_record(s, t, out);
    case TYPE_ERROR:
    case TYPE_NULL:
    case TYPE_MAP: /* no field of an event can be a map */
        return false;
    }
    return false;
}

/* Does `"name":` stand here? */
static inline bool at_name(struct scan *s, struct str name)
{
    if ((size_t)(s->end - s->p) < name.n + 3 || s->p[0] != '"' || s->p[name.n + 1] != '"' ||
        s->p[name.n + 2] != ':' || memcmp(s->p + 1, name.p, name.n) != 0)
        return false;
    s->p += name.n + 3;
    return true;
}

/* Which field stands here: n = an unknown one. *at is where to look first. */
static bool field_key(struct scan *s, const struct field *fields, uint32_t n, uint32_t *at)
{
    struct str other;
    uint32_t k = *at;
    for (uint32_t tried = 0; tried < n; tried++, k++) {
        if (k >= n)
            k = 0;
        if (at_name(s, fields[k].name)) {
            *at = k;
            return true;
        }
    }
    *at = n;
    return scan_str(s, &other) && scan_c(s, ':');
}

static bool field_val(struct scan *s, const struct field *f, bool nulls, struct val *out)
{
    if (scan_lit(s, "null")) {
        *out = (struct val){.t = nulls ? V_NULL : V_ABSENT};
        return true;
    }
    return scan_val(s, f->type, out);
}

bool scan_fields(struct scan *s, const struct field *fields, uint32_t n, bool nulls, struct val *f)
{
    uint32_t at = 0;
    if (!scan_c(s, '{'))
        return false;
    if (!scan_c(s, '}')) {
        do {
            if (!field_key(s, fields, n, &at))
                return false;
            if (at < n ? !field_val(s, &fields[at], nulls, &f[at]) : !scan_skip(s))
                return false;
            at++;
        } while (scan_c(s, ','));
        if (!scan_c(s, '}'))
            return false;
    }
    for (uint32_t i = 0; i < n; i++)
        if (f[i].t == V_ABSENT && !fields[i].optional)
            return false;
    return true;
}
