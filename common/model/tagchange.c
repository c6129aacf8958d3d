/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tagchange: rouse.tags.  One record a change of a public tag, for other systems; its value is the text
 * that stands in the member's hash in Redis.
 */
#include "model_priv.h"

void tag_change_write(const struct tag_change_rec *c, struct buf *b)
{
    buf_addc(b, '{');
    put_str(b, "member", c->member);
    put_str(b, "tag", c->tag);
    if (c->unset) {
        put_key(b, "value");
        buf_adds(b, "null");
    } else {
        put_str(b, "value", c->value);
    }
    put_u64(b, "off", c->off);
    put_u64(b, "entry", c->entry);
    put_i64(b, "at", c->at_ms);
    buf_addc(b, '}');
}

enum { T_MEMBER, T_TAG, T_VALUE, T_OFF, T_ENTRY, T_AT, T_KEYS };
static const struct str tag_keys[T_KEYS] = {KEY("member"), KEY("tag"),   KEY("value"),
                                            KEY("off"),    KEY("entry"), KEY("at")};

static bool tag_value(struct scan *s, struct tag_change_rec *c, int k)
{
    switch (k) {
    case T_MEMBER:
        return scan_str(s, &c->member);
    case T_TAG:
        return scan_str(s, &c->tag);
    case T_VALUE:
        c->unset = scan_lit(s, "null");
        return c->unset || scan_str(s, &c->value);
    case T_OFF:
        return scan_u64(s, &c->off);
    case T_ENTRY:
        return scan_u32(s, &c->entry);
    case T_AT:
        return scan_i64(s, &c->at_ms);
    default:
        return scan_skip(s);
    }
}

int tag_change_read(struct str bytes, struct arena *a, struct tag_change_rec *out, struct err *err)
{
    struct scan s = {.p = bytes.p, .end = bytes.p + bytes.n, .a = a};
    struct tag_change_rec c = {.value = STR("")};
    int at = 0, k;
    uint32_t seen = 0;
    while ((k = scan_key(&s, tag_keys, T_KEYS, &at)) >= 0 && tag_value(&s, &c, k))
        seen |= 1U << k;
    if (k != SCAN_END || s.p != s.end || (seen & ((1U << T_KEYS) - 1)) != (1U << T_KEYS) - 1)
        return err_code(err, ERR_INPUT, "tag_change",
                        "not a tag change of this version, near byte %td", s.p - bytes.p);
    *out = c;
    return 0;
}
