/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_expr: any bytes as an expression over a small shop; what compiles is evaluated, and what is
 * claimed to be proven of it must agree.
 */
#include "../unit/expr/fixture.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A true condition admits the values that were there, and needs nothing that was not. */
static void check_true(struct shop *s, const struct expr *e)
{
    static const struct {
        const char *term;
        int field;
    } fields[] = {{"event.order_id", 0}, {"event.amount", 1}, {"event.coupon", 3},
                  {"event.channel", 4},  {"event.qty", 6},    {"event.gift", 8}};
    struct val level = val_str(STR("gold"));
    for (size_t i = 0; i < BASE_LEN(fields); i++)
        if (!expr_admits(e, str_c(fields[i].term), &s->event[fields[i].field]))
            abort();
    if (!expr_admits(e, STR("member.level"), &level) || !expr_admits(e, STR("event.store"), NULL))
        abort();
    if (expr_requires(e, STR("event.store")) || expr_requires(e, STR("member.lunar")))
        abort();
    if (!expr_implies(e, e) && expr_implies(NULL, e))
        abort();
    if (expr_excludes(e, e))
        abort();
}

static void check_value(struct shop *s, const struct expr *e, const struct val *v)
{
    if (v->t == V_BOOL && v->b)
        check_true(s, e);
    if (v->t == V_STRING && utf8_valid(val_get_str(*v)) &&
        utf8_len(val_get_str(*v)) > expr_most_points(e))
        abort();
}

/* The first byte chooses what the place allows. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct type *const wants[] = {NULL, &type_bool, &type_string, &type_money,
                                               &type_date};
    if (size < 1)
        return 0;
    struct shop *s = shop_new();
    struct buf b;
    struct val v;
    buf_init(&b, 1 << 20);
    s->env.build = data[0] & 1;
    struct str text = {(const char *)data + 1, size - 1};
    const struct expr *e = shop_compile(s, text, wants[(data[0] >> 1) % BASE_LEN(wants)]);
    if (e && expr_eval(e, s->ctx, &v) == 0) {
        check_value(s, e, &v);
        val_text(&v, &b);
    }
    if (e)
        expr_disasm(e, &b);
    diags_text(s->d, 50, &b);
    buf_free(&b);
    shop_free(s);
    return 0;
}
