/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_expr: any bytes as an expression over a small shop; what compiles is evaluated. */
#include "../unit/expr/fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    if (e && expr_eval(e, s->ctx, &v) == 0)
        val_text(&v, &b);
    if (e)
        expr_disasm(e, &b);
    diags_text(s->d, 50, &b);
    buf_free(&b);
    shop_free(s);
    return 0;
}
