/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_yaml: any bytes as a file.  What has a tree is written in its normal form, which must be its own. */
#include "yaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct diags *d = diags_new();
    struct buf out[2];
    struct srcfile f = {.name = STR("f"), .text = {(const char *)data, size}}, g = f;
    const struct yaml_node *n;
    buf_init(&out[0], YAML_MAX_BYTES);
    buf_init(&out[1], 8 * YAML_MAX_BYTES);
    if (yaml_parse(a, &f, d, &n) == 0) {
        yaml_write(n, &out[0]);
        g.text = buf_str(&out[0]);
        if (!out[0].over && yaml_parse(a, &g, d, &n) == 0)
            yaml_write(n, &out[1]);
        if (!out[0].over && (!n || !str_eq(buf_str(&out[0]), buf_str(&out[1]))))
            abort();
    }
    diags_text(d, 50, &out[1]);
    buf_free(&out[0]);
    buf_free(&out[1]);
    diags_free(&d);
    arena_free(&a);
    return 0;
}
