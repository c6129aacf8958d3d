/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate --bench: simple records of about 200 bytes, as fast as they are taken or at a given rate: 80 %
 * browse, 12 % purchase, 8 % post.  Their time is the time of making them, so that they are good in
 * `append` mode; everything else is a function of the seed.
 */
#include "generate_priv.h"

#include <inttypes.h>
#include <stdio.h>

static const char padding[] = "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz";

static char *put(char *to, const char *s, size_t n)
{
    memcpy(to, s, n);
    return to + n;
}
#define PUT(to, lit) put(to, lit, sizeof(lit) - 1)

/* n digits of v */
static char *put_digits(char *to, uint64_t v, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        to[i] = (char)('0' + v % 10);
        v /= 10;
    }
    return to + n;
}

struct bench_record {
    char key[16], value[320];
    size_t n_key, n_value;
    enum gen_topic topic;
};

static char *head(char *to, const struct bench_record *r, const char *field, size_t n,
                  uint64_t number)
{
    to = PUT(to, "{\"");
    to = put(to, field, n);
    to = PUT(to, "\":\"x");
    to = put_digits(to, number, 10);
    to = PUT(to, "\",\"member_id\":\"");
    to = put(to, r->key, r->n_key);
    return PUT(to, "\",");
}

static char *browse(char *to, const struct bench_record *r, uint64_t number, int64_t now,
                    struct gen_rng *g)
{
    to = head(to, r, "id", 2, number);
    to = PUT(to, "\"ts\":");
    to = put_digits(to, (uint64_t)now, 13);
    to = PUT(to, ",\"sku\":\"SKU");
    to = put_digits(to, gen_below(g, 2000), 5);
    to = PUT(to, "\",\"title\":\"");
    to = put(to, padding, 62);
    return PUT(to, "\",\"page\":\"https://shop.example/item\"}");
}

static char *purchase(char *to, const struct bench_record *r, uint64_t number, int64_t now,
                      struct gen_rng *g)
{
    uint32_t yuan = 10 + gen_below(g, 490);

    to = head(to, r, "order_id", 8, number);
    to = PUT(to, "\"paid_at\":");
    to = put_digits(to, (uint64_t)now, 13);
    to = PUT(to, ",\"amount\":\"");
    to = put_digits(to, yuan, yuan < 100 ? 2 : 3);
    to = PUT(to, ".50\",\"channel\":\"app\",\"items\":[{\"sku\":\"SKU");
    to = put_digits(to, gen_below(g, 2000), 5);
    to = PUT(to, "\",\"qty\":1,\"price\":\"");
    to = put_digits(to, yuan, yuan < 100 ? 2 : 3);
    return PUT(to, ".50\"}],\"note\":\"abcdefghijklmnopqrst\"}");
}

static char *post(char *to, const struct bench_record *r, uint64_t number, int64_t now,
                  struct gen_rng *g)
{
    uint32_t likes = gen_below(g, 20);

    to = head(to, r, "id", 2, number);
    to = PUT(to, "\"ts\":");
    to = put_digits(to, (uint64_t)now, 13);
    to = PUT(to, ",\"topic_name\":\"running\",\"likes\":");
    to = put_digits(to, likes, likes < 10 ? 1 : 2);
    to = PUT(to, ",\"text\":\"");
    to = put(to, padding, 62);
    return PUT(to, "\",\"lang\":\"zh\"}");
}

static void make(struct bench_record *r, const struct gen_bench *b, uint64_t number, int64_t now,
                 struct gen_rng *g)
{
    uint32_t what = gen_below(g, 100);
    char *end;

    r->key[0] = 'm';
    r->n_key = (size_t)(put_digits(r->key + 1, 1 + gen_below(g, (uint32_t)b->members), 7) - r->key);
    r->topic = what < 80 ? GEN_BROWSE : what < 92 ? GEN_ORDER : GEN_POST;
    if (r->topic == GEN_BROWSE)
        end = browse(r->value, r, number, now, g);
    else if (r->topic == GEN_ORDER)
        end = purchase(r->value, r, number, now, g);
    else
        end = post(r->value, r, number, now, g);
    r->n_value = (size_t)(end - r->value);
}

/* Wait until the rate allows the next thousand (or hundredth of a second's worth). */
static int64_t pace(struct gen_publish *u, const struct gen_bench *b, int64_t start, int64_t done)
{
    int64_t due = b->rate ? start + done * 1000 / b->rate : 0, now;

    while ((now = service_mono_ms()) < due)
        gen_publish_poll(u, (int)(due - now));
    return service_now_ms();
}

int gen_bench(struct gen_publish *u, const struct gen_bench *b, struct err *err)
{
    struct gen_rng g = gen_rng((uint64_t)b->seed, 0xbe);
    struct bench_record r;
    int64_t start = service_mono_ms(), now = service_now_ms(), ms;
    int64_t step = b->rate && b->rate < 100000 ? b->rate / 100 + 1 : 1000;

    for (int64_t i = 0; i < b->count; i++) {
        if (i % step == 0)
            now = pace(u, b, start, i);
        make(&r, b, (uint64_t)i, now, &g);
        if (gen_publish_one(u, r.topic, (struct str){r.key, r.n_key},
                            (struct str){r.value, r.n_value}, err) < 0)
            return -1;
    }
    if (gen_publish_flush(u, err) < 0)
        return -1;
    ms = service_mono_ms() - start;
    printf("bench records=%" PRId64 " ms=%" PRId64 " per_second=%" PRId64 "\n", b->count, ms,
           b->count * 1000 / (ms ? ms : 1));
    return 0;
}
