/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of a Redis that has lost its mind: fed in pieces, read until the parser refuses. */
#include "redis_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct reader *rd = reader_new(1 << 16);
    size_t piece = n > 0 ? data[0] % 32 + 1 : 1;
    for (size_t i = 1; i < n; i += piece) {
        const struct redis_reply *reply;
        struct err err = {0};
        int rc;
        reader_feed(rd, (const char *)data + i, i + piece < n ? piece : n - i);
        while ((rc = reader_next(rd, &reply, &err)) == 1) {
            int64_t due;
            struct str a, b, c;
            (void)redis_meta(reply, "off");
            (void)redis_load_state(reply, 0);
            (void)redis_load_sent(reply, 0, &a, &b, &c);
            if (redis_due_n(reply) > 0)
                (void)redis_due_get(reply, 0, &due, &a);
        }
        if (rc < 0)
            break;
    }
    reader_free(&rd);
    return 0;
}
