/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_record: any bytes as a record of rouse.log, rouse.decisions and rouse.outcomes.  What is read is
 * written, and must read back to the same bytes. */
#include <stdlib.h>

#include "../unit/model/shop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct schema schema = shop_schema();
    struct str text = {(const char *)data, size};
    struct arena *a = arena_new(0);
    struct buf first, second;
    struct record r;
    struct decision d;
    struct outcome o;
    buf_init(&first, 1 << 24);
    buf_init(&second, 1 << 24);
    if (record_read(&schema, text, a, &r, NULL) == 0) {
        record_write(&r, &first);
        if (record_read(&schema, buf_str(&first), a, &r, NULL) != 0 || r.n_dropped)
            abort();
        record_write(&r, &second);
        if (!str_eq(buf_str(&first), buf_str(&second)))
            abort();
    }
    if (decision_read(text, a, &d, NULL) == 0)
        (void)decision_follows(text, &d, 7, d.chain);
    (void)outcome_read(text, a, &o, NULL);
    buf_free(&first);
    buf_free(&second);
    arena_free(&a);
    return 0;
}
