/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making room, and showing people.  Room is made where a definition lets content grow with what members
 * do: keys of a `by` first (of the tag that takes most, least recently touched first), then the oldest
 * cells of distinct, first and collect.
 */
#include "tags_priv.h"

/* ---- trim ---- */

static size_t keys_size(struct tagset *t, uint32_t slot)
{
    size_t n = 0;
    const struct tag_def *d = t->plan->slot_def[slot];
    for (uint32_t i = 0; i < t->s[slot].n_keys; i++)
        n += tags_put_key_size(t, d, &t->s[slot].keys[i]);
    return n;
}

static size_t body_size(struct tagset *t, uint32_t slot)
{
    buf_reset(&t->body);
    uint8_t *p = (uint8_t *)buf_room(&t->body, tags_slot_bound(t, slot));
    return p ? (size_t)(tags_put_slot(t, slot, p) - p) : 0;
}

/* The slot that takes most: of those with keys, or of distinct and first without. */
static uint32_t largest(struct tagset *t, bool by, size_t *size)
{
    uint32_t best = RULE_NONE;
    *size = 0;
    for (uint32_t i = 0; i < t->plan->n_layout; i++) {
        const struct tag_def *d = t->plan->slot_def[i];
        if (t->plan->slot_kind[i] != SLOT_CELLS || (d->by != NULL) != by ||
            (!by && d->kind != TAG_DISTINCT && d->kind != TAG_FIRST && d->kind != TAG_COLLECT))
            continue;
        const struct slot *s = tags_open(t, i);
        if (s->bad || (by ? s->n_keys : s->c.n) == 0)
            continue;
        size_t n = by ? keys_size(t, i) : body_size(t, i);
        if (n > *size) {
            *size = n;
            best = i;
        }
    }
    return best;
}

/* Drops the oldest of a slot; the bytes that it took. */
static size_t drop_oldest(struct tagset *t, uint32_t slot, bool by, size_t size)
{
    struct slot *s = &t->s[slot];
    const struct tag_def *d = t->plan->slot_def[slot];
    size_t n = size;
    if (by) {
        n = tags_put_key_size(t, d, &s->keys[0]);
        tags_keys_drop(s, 0);
        t->evictions++;
    } else {
        if (d->kind == TAG_COLLECT)
            tags_link(t, d, val_get_str(s->c.v[0].v), false);
        memmove(s->c.v, s->c.v + 1, (s->c.n - 1) * sizeof *s->c.v);
        if (--s->c.n)
            n = size - body_size(t, slot);
    }
    tags_mutate(t, slot);
    return n;
}

size_t tagset_trim(struct tagset *t, size_t bytes)
{
    size_t saved = 0, size;
    for (int by = 1; by >= 0; by--)
        while (saved < bytes) {
            uint32_t slot = largest(t, by, &size);
            if (slot == RULE_NONE)
                break;
            saved += drop_oldest(t, slot, by, size);
        }
    return saved;
}

/* ---- show ---- */

/* The last four characters help to tell two numbers apart; of a short one nothing is shown. */
static void show_address(struct str s, struct buf *out)
{
    size_t from = s.n;
    for (int left = 4; left > 0 && from > 0; from--)
        if (((unsigned char)s.p[from - 1] & 0xc0) != 0x80)
            left--;
    buf_adds(out, "\"***");
    if (s.n >= 8 && from >= 4)
        for (size_t i = from; i < s.n; i++) /* an address is bytes of a CRM: no quotes get out */
            buf_addc(out, s.p[i] == '"' || s.p[i] == '\\' || (unsigned char)s.p[i] < 0x20 ? '*'
                                                                                          : s.p[i]);
    buf_addc(out, '"');
}

static void show_val(const struct val *v, struct buf *out)
{
    bool quoted = v->t == V_DURATION || v->t == V_TIMESTAMP;
    if (v->t == V_LIST || v->t == V_MAP) {
        buf_addc(out, v->t == V_MAP ? '{' : '[');
        for (uint32_t i = 0; i < v->n; i++) {
            if (i)
                buf_addc(out, ',');
            show_val(&v->list[v->t == V_MAP ? 2 * i : i], out);
            if (v->t != V_MAP)
                continue;
            buf_addc(out, ':');
            show_val(&v->list[2 * i + 1], out);
        }
        buf_addc(out, v->t == V_MAP ? '}' : ']');
    } else if (v->t == V_MONEY || quoted) {
        buf_adds(out, quoted ? "\"" : "");
        val_text(v, out);
        buf_adds(out, quoted ? "\"" : "");
    } else {
        json_write_val(out, v, NULL);
    }
}

void tagset_show(struct tagset *t, int64_t now_ms, struct buf *out)
{
    bool first = true;
    buf_addc(out, '{');
    for (uint32_t i = 0; i < t->p->n_tags; i++) {
        const struct tag_def *d = &t->p->tags[i];
        struct val v;
        if (tagset_get(t, i, now_ms, &v) != 1)
            continue;
        if (!first)
            buf_addc(out, ',');
        first = false;
        json_write_str(out, d->name);
        buf_addc(out, ':');
        if (d->type && d->type->kind == TYPE_ADDRESS && v.t == V_STRING)
            show_address(val_get_str(v), out);
        else
            show_val(&v, out);
    }
    buf_addc(out, '}');
}
