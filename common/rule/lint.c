/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warnings: what is allowed and is probably a mistake.  Only on a program without errors.
 */
#include "rule_priv.h"

static void warn(struct load *L, const char *code, struct span at, const char *label,
                 const char *text)
{
    diags_addf(L->d, code, at, str_c(label), (struct str){0}, "%s", text);
}

/* Marketing that a busy member may trigger without end: an event starts it, and neither a limit nor a
 * house cap holds it. */
static void lint_limit(struct load *L, const struct rule_def *r)
{
    if (!r->has_marketing || r->limit.n || r->trigger.kind != TRIG_EVENT || r->mode == MODE_OFF)
        return;
    if (L->p->policy.n_caps)
        return;
    warn(L, "W002", r->at, "add `limit: 1 per 7d`, or `caps:` under `policy:`",
         "a marketing rule without a limit");
}

static void lint_const(struct load *L, const struct rule_def *r, const struct yaml_node *node)
{
    struct val v;
    const struct yaml_node *n = yaml_get(node, "if");
    if (r->when && n && expr_is_const(r->when, &v) && v.t == V_BOOL)
        warn(L, v.b ? "W003" : "W004", expr_span(n), v.b ? "leave it out" : "the rule never starts",
             v.b ? "a condition that is always true" : "a condition that is always false");
}

static bool names(const struct yaml_node *n, struct str s)
{
    return n && n->kind == YAML_SCALAR && memmem(n->text.p, n->text.n, s.p, s.n);
}

/* `with: {title: event.coupon}` where the field may be absent: such a send is withheld. */
static void lint_optional(struct load *L, const struct yaml_node *with, const struct rule_def *r)
{
    for (uint32_t i = 0; with->kind == YAML_MAPPING && i < with->n; i++) {
        const struct yaml_node *n = with->pairs[i].value;
        if (n->kind != YAML_SCALAR)
            continue;
        struct str s = n->text;
        const struct type *rec = NULL;
        size_t skip = 0;
        if (str_starts(s, "event.")) {
            rec = r->view.type;
            skip = 6;
        } else if (str_starts(s, "member.")) {
            rec = L->p->member;
            skip = 7;
        }
        int f = rec ? type_field(rec, (struct str){s.p + skip, s.n - skip}) : -1;
        if (f < 0 || !rec->fields[f].optional)
            continue;
        /* The rule's condition, its key or its date reads it: it was thought of. */
        const struct yaml_node *rule = items_get(&L->items[SEC_RULES], r->name)->node;
        if (names(yaml_get(rule, "if"), s) || names(yaml_get(rule, "key"), s) ||
            names(yaml_get(yaml_get(rule, "trigger"), "date"), s))
            continue;
        diags_addf(
            L->d, "W005", expr_span(n),
            str_c(arena_printf(
                L->a, "give the tag a `default:`, or write has(" STR_FMT ") ? " STR_FMT " : '…'",
                STR_ARG(s), STR_ARG(s))),
            (struct str){0}, "`" STR_FMT "` may be absent, and then nothing is sent", STR_ARG(s));
    }
}

static void lint_steps(struct load *L, const struct yaml_node *n, const struct rule_def *r)
{
    if (n->kind == YAML_SEQUENCE) {
        for (uint32_t i = 0; i < n->n; i++)
            lint_steps(L, n->items[i], r);
    } else if (n->kind == YAML_MAPPING) {
        for (uint32_t i = 0; i < n->n; i++) {
            if (str_eqc(n->pairs[i].key, "with"))
                lint_optional(L, n->pairs[i].value, r);
            else
                lint_steps(L, n->pairs[i].value, r);
        }
    }
}

/* A wait to a clock time inside the quiet hours, straight before a marketing message, is held again. */
static void lint_quiet(struct load *L, const struct rule_def *r)
{
    const struct policy *po = &L->p->policy;
    if (po->quiet_from < 0)
        return;
    for (uint32_t i = 0; i + 1 < r->n_code; i++) {
        const struct instr *w = &r->code[i];
        if (w->op != OP_WAIT || w->wait != WAIT_CLOCK || w->next >= r->n_code)
            continue;
        const struct instr *s = &r->code[w->next];
        bool wraps = po->quiet_from > po->quiet_to;
        bool in = wraps ? w->clock >= po->quiet_from || w->clock < po->quiet_to
                        : w->clock >= po->quiet_from && w->clock < po->quiet_to;
        if (in && s->op == OP_SEND && L->messages[s->message].quiet)
            warn(L, "W006", w->at, "the message waits on until they end",
                 "a wait to a time inside the quiet hours");
    }
}

/* An at: clock of the trigger is the same mistake. */
static void lint_at(struct load *L, const struct rule_def *r)
{
    const struct policy *po = &L->p->policy;
    int32_t at = r->trigger.at;
    if (po->quiet_from < 0 || at < 0 || !r->has_marketing || r->n_code < 1)
        return;
    bool wraps = po->quiet_from > po->quiet_to;
    bool in = wraps ? at >= po->quiet_from || at < po->quiet_to
                    : at >= po->quiet_from && at < po->quiet_to;
    if (in && r->code[0].op == OP_SEND && L->messages[r->code[0].message].quiet)
        warn(L, "W006", r->at, "its messages wait until they end",
             "a rule that begins inside the quiet hours");
}

void lint(struct load *L)
{
    for (uint32_t i = 0; i < L->p->n_rules; i++) {
        const struct rule_def *r = &L->p->rules[i];
        const struct yaml_node *node = L->items[SEC_RULES].v[i].node;
        lint_limit(L, r);
        lint_const(L, r, node);
        lint_steps(L, yaml_get(node, "do"), r);
        lint_quiet(L, r);
        lint_at(L, r);
    }
}
