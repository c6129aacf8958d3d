/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long SMS texts get.  Carriers in China count UTF-16 units, signature and opt-out phrase
 * included: up to 70 are one segment, more are sent in parts of 67, each of which is paid.  What a
 * parameter holds at most follows from the expressions of all sends and the `max` of the fields they
 * read.
 */
#include "rule_priv.h"

#define ONE_SEGMENT 70
#define PART 67
#define TEXT_MOST 256 /* a text whose `max` nobody gave */

uint32_t sms_segments(uint32_t units)
{
    return units <= ONE_SEGMENT ? 1 : (units + PART - 1) / PART;
}

static uint32_t utf16_units(struct str s)
{
    uint32_t cp, n = 0;
    for (size_t i = 0; i < s.n;) {
        i += utf8_next(s, i, &cp);
        n += cp > 0xffff ? 2 : 1;
    }
    return n;
}

static uint32_t greatest(const struct expr *e)
{
    struct val v;
    return expr_is_const(e, &v) && v.t == V_STRING ? utf16_units(val_get_str(v))
                                                   : expr_most_points(e);
}

/* What the sends of one rule give to each message's parameters. */
static void read_sends(const struct program *p, const struct rule_def *r, uint32_t *const *most,
                       bool *sent)
{
    for (uint32_t i = 0; i < r->n_code; i++) {
        const struct instr *in = &r->code[i];
        if (in->op != OP_SEND)
            continue;
        const struct message_def *m = &p->messages[in->message];
        sent[in->message] = true;
        for (uint32_t k = 0; k < m->n_params; k++) {
            uint32_t len = m->param_list[k] ? 0 : greatest(in->args[k]);
            if (len > most[in->message][k])
                most[in->message][k] = len;
        }
    }
}

static void measure(const struct gateway_block *b, struct sms_size *s)
{
    for (uint32_t i = 0; i < b->n_text; i++) {
        const struct text_part *t = &b->text[i];
        if (t->param == RULE_NONE)
            s->text += utf16_units(t->lit);
        else
            s->most += s->params[t->param];
    }
    s->most += s->text;
}

size_t program_sms(const struct program *p, struct arena *a, struct sms_size **out)
{
    size_t n = 0;
    uint32_t **most = ARENA_ARRAY(a, uint32_t *, p->n_messages + 1);
    bool *sent = ARENA_ARRAY(a, bool, p->n_messages + 1);
    for (uint32_t i = 0; i < p->n_messages; i++) {
        most[i] = ARENA_ARRAY(a, uint32_t, p->messages[i].n_params + 1);
        for (uint32_t v = 0; v < p->messages[i].n_via; v++)
            n += is_sms(p->gateways[p->messages[i].via[v].gateway].name);
    }
    for (uint32_t i = 0; i < p->n_rules; i++)
        read_sends(p, &p->rules[i], most, sent);
    struct sms_size *v = ARENA_ARRAY(a, struct sms_size, n + 1);
    n = 0;
    for (uint32_t i = 0; i < p->n_messages; i++) {
        const struct message_def *m = &p->messages[i];
        for (uint32_t k = 0; k < m->n_params && !sent[i]; k++)
            most[i][k] = m->param_list[k] ? 0 : TEXT_MOST;
        for (uint32_t b = 0; b < m->n_via; b++) {
            if (!is_sms(p->gateways[m->via[b].gateway].name))
                continue;
            v[n] = (struct sms_size){.message = i, .block = b, .params = most[i], .sent = sent[i]};
            measure(&m->via[b], &v[n++]);
        }
    }
    *out = v;
    return n;
}
