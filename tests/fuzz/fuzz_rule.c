/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_rule: any bytes as a bundle, and as a file beside a small shop; what loads must survive a bundle. */
#include "rule.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void measure(const struct program *p)
{
    struct sms_size *v;
    struct arena *a = arena_new(0);
    size_t n = program_sms(p, a, &v);
    for (size_t i = 0; i < n; i++)
        if (v[i].most < v[i].text || sms_segments(v[i].most) < sms_segments(v[i].text))
            abort();
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char shop[] =
        "policy: {tz: UTC, consent: {sms: 'true'}}\ntags: {phone: {type: address}, "
        "n: {count: e}, s: {type: int}}\nevents: {e: {member: m, fields: {x: int, y: "
        "string?}}}\nmessages: {m: {params: [a], via: [sms], purpose: service}}\n";
    struct str names[] = {STR("a.yaml"), STR("b.yaml")};
    struct str texts[] = {{shop, sizeof shop - 1}, {(const char *)data, size}};
    struct rule_options o = {.tests = true};
    struct diags *d = diags_new();
    struct buf b;
    char hash[65];
    struct program *p = bundle_load(texts[1], NULL);
    rule_free(&p);
    buf_init(&b, 64 << 20);
    p = rule_load_texts(names, texts, 2, &o, d);
    struct program *q =
        p && bundle_make(p, NULL, &b, hash, NULL) == 0 ? bundle_load(buf_str(&b), NULL) : p;
    if (p && (!q || (q != p && strcmp(q->hash, hash) != 0)))
        abort();
    diags_text(d, 50, &b);
    diags_json(d, 50, &b);
    diags_github(d, 50, &b);
    if (p)
        measure(p);
    if (q != p)
        rule_free(&q);
    rule_free(&p);
    buf_free(&b);
    diags_free(&d);
    return 0;
}
