/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_upstream: any bytes as an upstream record (the first byte chooses topic and form).  What decodes is
 * written to a record of rouse.log and must fit there; what the fast parser takes, jansson must take. */
#include <stdlib.h>

#include "../unit/model/shop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct json *x, const struct json *y)
{
    bool ok = x->kind == y->kind && x->n == y->n && x->b == y->b && x->i == y->i &&
              memcmp(&x->d, &y->d, sizeof x->d) == 0 && str_eq(x->s, y->s);
    for (uint32_t i = 0; ok && i < x->n; i++)
        ok = same(&x->items[i], &y->items[i]) &&
             (x->kind != JSON_OBJECT || str_eq(x->keys[i], y->keys[i]));
    return ok;
}

static void decode(const struct schema *s, const struct upstream *u, struct arena *a)
{
    struct event *ev;
    struct entry e = {.src = u->src};
    struct record r;
    struct buf b;
    if (model_decode(s, u, NULL, a, &ev, &e.n_events, NULL) != 0)
        return;
    e.events = ev;
    buf_init(&b, 1 << 26);
    record_begin_event(&b, 1);
    record_add_entry(&b, &e, true);
    record_end_event(&b);
    if (record_read(s, buf_str(&b), a, &r, NULL) != 0 || r.n_dropped)
        abort();
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str topics[] = {S("trade"), S("crm"), S("stock"), S("profile")};
    static const struct str headers[] = {S("content-type"),   S("application/cloudevents+json"),
                                         S("ce_id"),          S("7"),
                                         S("ce_specversion"), S("1.0"),
                                         S("ce_source"),      S("/s"),
                                         S("ce_type"),        S("PAID")};
    if (size < 1)
        return 0;
    struct schema schema = shop_schema();
    struct arena *a = arena_new(0);
    struct upstream u = {.src = {topics[data[0] & 3], 0, 1, 2},
                         .value = {(const char *)data + 1, size - 1}};
    u.headers = data[0] & 4 ? headers : headers + 2;
    u.n_headers = data[0] & 4 ? 1 : data[0] & 8 ? 4 : 0;
    const struct json *fast, *slow;
    if (json_fast(u.value, 16, a, &fast) &&
        (json_slow(u.value, 16, a, &slow, NULL) != 0 || !same(fast, slow)))
        abort();
    decode(&schema, &u, a);
    arena_free(&a);
    return 0;
}
