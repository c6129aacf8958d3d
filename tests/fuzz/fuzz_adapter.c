/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_adapter: any bytes as a gateway adapter; one that loads then meets the same bytes as an answer. */
#include "webhook.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct webhook_adapter_options o = {.check_only = true};
    struct webhook_adapter *a = NULL;
    struct diags *d = diags_new();
    struct str text = {(const char *)data, size};
    struct buf out;
    buf_init(&out, 1u << 20);
    if (webhook_adapter_read(STR("f.yaml"), text, &o, d, &a, NULL) == 0) {
        struct webhook_verdict v;
        struct webhook_answer w = {.sent = true,
                                   .complete = true,
                                   .status = 200,
                                   .body = text,
                                   .headers = text,
                                   .retry_after = text};
        webhook_classify(a, &w, 0, &v);
        w.body = STR("{\"errcode\":0,\"data\":{\"ids\":[\"a\"]}}");
        webhook_classify(a, &w, 0, &v);
    }
    diags_text(d, 50, &out);
    buf_free(&out);
    diags_free(&d);
    webhook_adapter_free(&a);
    return 0;
}
