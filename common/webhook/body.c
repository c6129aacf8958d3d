/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body: what a standard webhook says.  Made of the decision alone, so every try of a message, also by
 * another process after a crash, sends the same bytes under the same id.
 */
#include "webhook.h"

static void pair(struct buf *b, const char *key, struct str value)
{
    buf_addf(b, "\"%s\":", key);
    json_write_str(b, value);
    buf_addc(b, ',');
}

/* A string or a list of strings: all that a param can be. */
static void param(struct buf *b, const struct val *v)
{
    if (v->t != V_LIST) {
        json_write_str(b, v->t == V_STRING ? val_get_str(*v) : STR(""));
        return;
    }
    buf_addc(b, '[');
    for (uint32_t i = 0; i < v->n; i++) {
        if (i)
            buf_addc(b, ',');
        param(b, &v->list[i]);
    }
    buf_addc(b, ']');
}

void webhook_body(const struct decision *d, struct buf *out)
{
    char at[40];
    buf_addc(out, '{');
    pair(out, "id", str_c(d->id));
    pair(out, "type", STR("rouse.message"));
    size_t n = time_format_ms(d->at_ms, at);
    pair(out, "timestamp", (struct str){at, n});
    buf_adds(out, "\"data\":{");
    pair(out, "member", d->member);
    pair(out, "rule", d->rule);
    pair(out, "message", d->message);
    pair(out, "to", d->to);
    pair(out, "template", d->template);
    pair(out, "text", d->text);
    buf_adds(out, "\"data\":{");
    for (uint32_t i = 0; i < d->n_data; i++) {
        if (i)
            buf_addc(out, ',');
        json_write_str(out, d->data[i].name);
        buf_addc(out, ':');
        param(out, &d->data[i].value);
    }
    buf_adds(out, "}}}");
}
