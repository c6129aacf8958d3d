/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decisions as records: numbered densely, chained, and carrying all that the dispatcher needs.
 */
#include "fold_priv.h"

#include <inttypes.h>
#include <stdio.h>

static const struct str purposes[] = {[PURPOSE_MARKETING] = {"marketing", 9},
                                      [PURPOSE_SERVICE] = {"service", 7},
                                      [PURPOSE_TASK] = {"task", 4}};

static void add_part(struct buf *b, struct str s)
{
    buf_addstr(b, s);
    buf_addc(b, '\0');
}

/* All tries of one wanted message share it: (rule, member, key, trigger identity, step path). */
static struct str send_key(struct decide *d, const struct rule_def *r, struct str key,
                           uint64_t ident, struct str path)
{
    uint8_t raw[32];
    char num[32], out[64];
    buf_reset(&d->text);
    add_part(&d->text, r->name);
    add_part(&d->text, node_name(d->u.m));
    add_part(&d->text, key);
    (void)snprintf(num, sizeof num, "%d %" PRIx64, (int)r->trigger.kind, ident);
    add_part(&d->text, str_c(num));
    buf_addstr(&d->text, path);
    hash_sha256(d->text.p, d->text.n, raw);
    size_t n = enc_base32(raw, 16, out);
    return arena_str(d->a, (struct str){out, n});
}

static struct decision base(struct decide *d, enum decision_kind kind, const struct rule_def *r,
                            struct str key)
{
    const struct str none = STR("");
    return (struct decision){.kind = kind,
                             .p = d->conf.p,
                             .era = d->meta.era,
                             .seq = d->meta.seq,
                             .at_ms = d->u.now,
                             .member = node_name(d->u.m),
                             .rule = r->name,
                             .key = key,
                             .send_key = none,
                             .message = none,
                             .gateway = none,
                             .to = none,
                             .purpose = none,
                             .reason = none,
                             .quiet_from = -1,
                             .quiet_to = -1,
                             .template = none,
                             .text = none};
}

static void put(struct decide *d, struct decision *dec)
{
    d->dec_at = grown(d->dec_at, &d->cap_dec, d->n_dec + 1, sizeof *d->dec_at);
    d->dec_at[d->n_dec++] = (uint32_t)d->dec.n;
    decision_write(dec, d->conf.topology, d->meta.chain, &d->dec);
    d->meta.seq++;
}

/* ---- send ------------------------------------------------------------------------------------------------ */

static const struct val *param(const struct want *w, struct str name)
{
    uint32_t id = id32(name);
    for (uint32_t i = 0; i < w->params.n; i++)
        if (w->params.v[i].name == id)
            return &w->params.v[i].v;
    return NULL;
}

static void add_text(struct buf *b, const struct val *v)
{
    if (!v)
        return;
    if (v->t != V_LIST) {
        val_text(v, b);
        return;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        if (i)
            buf_adds(b, "、");
        val_text(&v->list[i], b);
    }
}

static struct str render(struct decide *d, const struct want *w, const struct message_def *m,
                         const struct gateway_block *b)
{
    buf_reset(&d->text);
    for (uint32_t i = 0; i < b->n_text; i++) {
        if (b->text[i].param == RULE_NONE)
            buf_addstr(&d->text, b->text[i].lit);
        else
            add_text(&d->text, param(w, m->params[b->text[i].param]));
    }
    return arena_str(d->a, buf_str(&d->text));
}

static void put_data(struct decide *d, const struct want *w, const struct message_def *m,
                     const struct gateway_block *b, struct decision *dec)
{
    uint32_t n = b->n_data ? b->n_data : m->n_params;
    struct param *data = arena_alloc(d->a, (n + 1) * sizeof *data);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t of = b->n_data ? b->data_params[i] : i;
        const struct val *v = param(w, m->params[of]);
        if (!v)
            continue;
        data[dec->n_data++] = (struct param){b->n_data ? b->data_names[i] : m->params[of], *v};
    }
    dec->data = data;
}

void write_send(struct decide *d, struct want *w, const struct message_def *m,
                const struct gateway_block *b)
{
    const struct run *r = &d->life.runs.v[w->run];
    const struct gateway_def *g = &d->prog->gateways[b->gateway];
    struct decision dec = base(d, DEC_SEND, r->def, r->key);
    struct val to;
    dec.send_key = send_key(d, r->def, r->key, r->ident, w->path);
    dec.message = m->name;
    dec.gateway = g->name;
    if (g->address_tag != RULE_NONE && tagset_get(d->tags, g->address_tag, d->u.now, &to) == 1)
        dec.to = val_get_str(to);
    dec.purpose = purposes[m->purpose];
    dec.expire_ms = w->expire_ms;
    if (quiet_applies(d, m)) {
        dec.quiet_from = d->prog->policy.quiet_from;
        dec.quiet_to = d->prog->policy.quiet_to;
    }
    int64_t s = d->u.now / 1000 - (d->u.now % 1000 < 0);
    dec.utc_off_s = zone_offset_s(d->prog->tz, s);
    dec.template = b->template;
    dec.text = render(d, w, m, b);
    put_data(d, w, m, b, &dec);
    w->seq = dec.seq;
    w->era = dec.era;
    put(d, &dec);
    out_sent(d, dec.seq, r->def->name, m->name);
    d->stats.sends++;
}

/* ---- withhold, convert ----------------------------------------------------------------------------------- */

void write_withhold(struct decide *d, const struct want *w, struct str reason)
{
    const struct run *r = &d->life.runs.v[w->run];
    const struct message_def *m = want_message(d, w);
    struct decision dec = base(d, DEC_WITHHOLD, r->def, r->key);
    dec.send_key = send_key(d, r->def, r->key, r->ident, w->path);
    dec.message = w->message;
    if (m)
        dec.purpose = purposes[m->purpose];
    dec.reason = reason;
    put(d, &dec);
    d->stats.withholds++;
}

/* A start that is refused names the first message that the rule would have sent. */
void write_refusal(struct decide *d, const struct rule_def *r, const struct run *run,
                   struct str reason)
{
    struct decision dec = base(d, DEC_WITHHOLD, r, run->key);
    struct str path = STR("");
    for (uint32_t i = 0; i < r->n_code; i++) {
        if (r->code[i].op != OP_SEND)
            continue;
        const struct message_def *m = &d->prog->messages[r->code[i].message];
        dec.message = m->name;
        dec.purpose = purposes[m->purpose];
        path = r->code[i].path;
        break;
    }
    dec.send_key = send_key(d, r, run->key, run->ident, path);
    dec.reason = reason;
    put(d, &dec);
    d->stats.withholds++;
}

void write_convert(struct decide *d, const struct run *r, double value)
{
    struct decision dec = base(d, DEC_CONVERT, r->def, r->key);
    dec.send_key = send_key(d, r->def, r->key, r->ident, STR(""));
    if (r->flags & RUN_CONTROL)
        dec.reason = STR("holdout");
    dec.value = value;
    put(d, &dec);
}

void write_public(struct decide *d, uint32_t tag, const struct val *v)
{
    struct decide_public p = {.member = arena_str(d->out, node_name(d->u.m)),
                              .tag = arena_str(d->out, d->prog->tags[tag].name),
                              .unset = !v,
                              .off = d->meta.off,
                              .entry = d->entry,
                              .at_ms = d->u.now};
    if (v) {
        buf_reset(&d->text);
        val_text(v, &d->text);
        p.value = arena_str(d->out, buf_str(&d->text));
    }
    d->pub = grown(d->pub, &d->cap_pub, d->n_pub + 1, sizeof *d->pub);
    d->pub[d->n_pub++] = p;
}
