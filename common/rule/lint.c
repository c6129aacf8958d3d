/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warnings: what is allowed and is probably a mistake.  Only on a program without errors.
 */
#include "rule_priv.h"

#include <stdlib.h>

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

/* A promotion that a calendar starts and that no condition holds back goes to everybody. */
static void lint_audience(struct load *L, const struct rule_def *r)
{
    const struct trigger *t = &r->trigger;
    bool calendar = t->kind == TRIG_EVERY || (t->kind == TRIG_DATE && t->date != DATE_TAG);
    if (!calendar || !r->has_marketing || r->when || r->mode == MODE_OFF)
        return;
    const bool *seen = lint_reached(L, r, REACH_UNTARGETED);
    for (uint32_t i = 0; i < r->n_code; i++) {
        const struct instr *in = &r->code[i];
        if (!seen[i] || in->op != OP_SEND || L->messages[in->message].purpose != PURPOSE_MARKETING)
            continue;
        warn(L, "W008", r->at, "say in `if` whom it is for",
             "a promotion without an audience goes to every member");
        return;
    }
}

/* ---- conditions ------------------------------------------------------------------------------ */

static void lint_const(struct load *L, const struct expr *e, const char *never, const char *always)
{
    struct val v;
    if (e && expr_is_const(e, &v) && v.t == V_BOOL)
        warn(L, v.b ? "W003" : "W004", expr_at(e), v.b ? always : never,
             v.b ? "a condition that is always true" : "a condition that is always false");
}

static void lint_conditions(struct load *L, const struct rule_def *r)
{
    lint_const(L, r->when, "the rule never starts", "leave it out");
    for (uint32_t i = 0; i < r->n_cancel; i++)
        lint_const(L, r->cancel[i].where, "it never cancels", "leave it out");
    if (r->has_goal)
        lint_const(L, r->goal.where, "the goal is never reached", "leave it out");
    for (uint32_t i = 0; i < r->n_code; i++) {
        const struct instr *in = &r->code[i];
        for (uint32_t k = 0; in->op == OP_WAIT && k < in->n_until; k++)
            lint_const(L, in->until[k].where, "it never comes true", "leave it out");
        for (uint32_t k = 0; in->op == OP_CHOOSE && k < in->n_branches; k++)
            lint_const(L, in->branches[k].when, "the branch is never taken", "leave it out");
    }
}

/* Conditions that concern everybody. */
static void lint_house(struct load *L)
{
    struct val v;
    for (uint32_t i = 0; i < L->p->policy.n_holds; i++)
        lint_const(L, L->p->policy.holds[i].when, "it never holds anything",
                   "marketing waits for ever");
    for (uint32_t i = 0; i < L->p->n_gateways; i++) {
        const struct expr *e = L->p->gateways[i].consent;
        if (e && expr_is_const(e, &v) && v.t == V_BOOL &&
            !v.b) /* true: an agreement of the house's */
            lint_const(L, e, "nobody gets marketing this way", "");
    }
    for (uint32_t i = 0; i < L->p->n_tags; i++) {
        const struct tag_def *t = &L->p->tags[i];
        lint_const(L, t->where, "nothing is ever counted", "leave it out");
        for (uint32_t k = 0; k < t->n_levels; k++)
            lint_const(L, t->levels[k].when, "nobody ever has this level",
                       "everybody has this level");
    }
}

static void lint_fact(struct load *L, const struct expr_fact *f)
{
    const char *code = f->always ? "W003" : "W004";
    if (!f->with.n)
        warn(L, code, f->at, "leave it out",
             f->always ? "this part is always true" : "this part is always false");
    else if (f->always)
        diags_addf(L->d, code, f->at, STR("`||` takes either: was `&&` meant?"), (struct str){0},
                   "one of this and `" STR_FMT "` is always true", STR_ARG(f->with));
    else if (str_eqc(f->with, EXPR_ALL_BEFORE))
        warn(L, code, f->at, "was `||` meant?",
             "never true together with what stands before it: no value is left");
    else
        diags_addf(L->d, code, f->at, STR("`&&` wants both: was `||` meant?"), (struct str){0},
                   "never true together with `" STR_FMT "`", STR_ARG(f->with));
}

static void lint_parts(struct load *L)
{
    for (uint32_t i = 0; i < L->n_exprs; i++) {
        uint32_t n;
        const struct expr_fact *f = expr_facts(L->exprs[i], &n);
        if (expr_is_const(L->exprs[i], NULL))
            continue; /* said of the whole, where it matters */
        for (uint32_t k = 0; k < n; k++)
            lint_fact(L, &f[k]);
    }
}

static bool same_path(const struct path *a, const struct path *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (!str_eq(a->keys[i], b->keys[i]))
            return false;
    return true;
}

/* `match` lets one value of a field through, and the condition wants another. */
static void lint_match(struct load *L, const struct rule_def *r)
{
    if (r->trigger.kind != TRIG_EVENT || r->trigger.n_events != 1 || !r->when)
        return;
    const struct event_def *e = L->events[r->trigger.events[0]];
    for (uint32_t m = 0; m < e->n_match; m++) {
        struct val v = val_str(e->match[m].value);
        for (uint32_t f = 0; f + EVENT_EXTRA < e->fields->n_fields; f++) {
            struct str name = e->fields->fields[f].name;
            if (!same_path(&e->paths[f], &e->match[m].path) ||
                e->fields->fields[f].type->kind != TYPE_STRING)
                continue;
            struct str term = str_c(arena_printf(L->a, "event." STR_FMT, STR_ARG(name)));
            if (!expr_is_const(r->when, NULL) && !expr_admits(r->when, term, &v))
                diags_addf(L->d, "W004", expr_at(r->when), STR("the rule never starts"),
                           (struct str){0},
                           "`match` of `" STR_FMT "` lets only '" STR_FMT "' through",
                           STR_ARG(e->name), STR_ARG(e->match[m].value));
        }
    }
}

/* ---- what may be absent ---------------------------------------------------------------------- */

/* What started the rule has given the tag a value: it has just changed, is its date, is written by the
 * event or worked out from it. */
static bool started_by(const struct load *L, const struct rule_def *r, const struct tag_def *tag)
{
    const struct trigger *t = &r->trigger;
    if (t->kind == TRIG_TAG || (t->kind == TRIG_DATE && t->date == DATE_TAG))
        return t->tag == tag->index;
    if ((t->kind != TRIG_EVENT && t->kind != TRIG_SILENCE) || t->n_events != 1)
        return false;
    bool stored = tag->kind == TAG_STORED;
    uint32_t event = stored ? tag->from_event : tag->event,
             field = stored ? tag->from_field : tag->field;
    if (event != t->events[0] || tag->where || tag->kind == TAG_GAP || tag->kind == TAG_VALUE ||
        tag->kind == TAG_LEVELS)
        return false;
    return field == RULE_NONE || !L->events[event]->fields->fields[field].optional;
}

/* Somebody has made sure that it is there: the rule's condition, its key or what started it, or the
 * condition of a branch around the step. */
static bool asked(struct load *L, const struct rule_def *r, uint32_t pc, struct str term)
{
    uint32_t n;
    if (expr_requires(r->when, term))
        return true;
    const struct expr_absent *key = r->key ? expr_absent(r->key, &n) : NULL;
    for (uint32_t i = 0; key && i < n; i++)
        if (str_eq(key[i].term, term))
            return true;
    uint32_t tag = RULE_NONE;
    if (str_starts(term, "member."))
        tag = program_tag(L->p, (struct str){term.p + 7, term.n - 7});
    if (tag != RULE_NONE && started_by(L, r, &L->p->tags[tag]))
        return true;
    for (uint32_t i = 0; i < pc; i++)
        if (r->code[i].op == OP_CHOOSE && expr_requires(lint_branch(&r->code[i], pc), term))
            return true;
    return false;
}

/* `with: {title: event.coupon}` where the field may be absent: such a send is withheld. */
static void lint_absent(struct load *L, const struct rule_def *r, uint32_t pc, const struct expr *e)
{
    uint32_t n;
    const struct expr_absent *v = expr_absent(e, &n);
    for (uint32_t i = 0; i < n; i++) {
        bool tag = str_starts(v[i].term, "member.");
        if ((!tag && !str_starts(v[i].term, "event.")) || asked(L, r, pc, v[i].term))
            continue;
        struct str label = str_c(arena_printf(L->a, "%swrite has(" STR_FMT ") ? " STR_FMT " : '…'",
                                              tag ? "give the tag a `default:`, or " : "",
                                              STR_ARG(v[i].text), STR_ARG(v[i].text)));
        diags_addf(L->d, "W005", v[i].at, label, (struct str){0},
                   "`" STR_FMT "` may be absent, and then nothing is sent", STR_ARG(v[i].text));
    }
}

static void lint_sends(struct load *L, const struct rule_def *r)
{
    for (uint32_t pc = 0; pc < r->n_code; pc++) {
        const struct instr *in = &r->code[pc];
        if (in->op != OP_SEND)
            continue;
        for (uint32_t k = 0; k < L->messages[in->message].n_params; k++)
            lint_absent(L, r, pc, in->args[k]);
    }
}

/* ---- quiet hours ----------------------------------------------------------------------------- */

/* Minutes until the quiet hours end; 0: not in them. */
static int32_t quiet_left(const struct policy *po, int32_t clock)
{
    int32_t from = po->quiet_from, to = po->quiet_to;
    if (from < 0 || clock < 0)
        return 0;
    bool in = from > to ? clock >= from || clock < to : clock >= from && clock < to;
    return in ? (to - clock + 24 * 60) % (24 * 60) : 0;
}

/* The step wants a message at this clock time. */
static void lint_clock(struct load *L, struct span at, int32_t clock, const struct instr *step,
                       const char *what)
{
    int32_t left = quiet_left(&L->p->policy, clock);
    if (!left || step->op != OP_SEND || !L->messages[step->message].quiet)
        return;
    bool gone = L->messages[step->message].expire_ms <= left * (int64_t)TIME_MIN;
    warn(L, "W006", at,
         gone ? "the message expires before they end: it is never sent"
              : "the message waits on until they end",
         what);
}

/* A wait to a clock time inside the quiet hours, straight before a message that keeps them, is held
 * again; an `at:` of the trigger is the same mistake. */
static void lint_quiet(struct load *L, const struct rule_def *r)
{
    for (uint32_t i = 0; i + 1 < r->n_code; i++) {
        const struct instr *w = &r->code[i];
        if (w->op == OP_WAIT && w->wait == WAIT_CLOCK && w->next < r->n_code)
            lint_clock(L, w->at, w->clock, &r->code[w->next],
                       "a wait to a time inside the quiet hours");
    }
    if (r->n_code)
        lint_clock(L, r->at, r->trigger.at, &r->code[0],
                   "a rule that begins inside the quiet hours");
}

/* ---- copies ---------------------------------------------------------------------------------- */

static int by_hash(const void *a, const void *b)
{
    const struct rule_def *x = *(const struct rule_def *const *)a,
                          *y = *(const struct rule_def *const *)b;
    int c = str_cmp(x->hash, y->hash);
    return c != 0 ? c : str_cmp(x->name, y->name);
}

/* Two rules of one text: every member gets everything twice. */
static void lint_copies(struct load *L)
{
    uint32_t n = 0;
    const struct rule_def **v = ARENA_ARRAY(L->a, const struct rule_def *, L->p->n_rules + 1);
    for (uint32_t i = 0; i < L->p->n_rules; i++)
        if (L->p->rules[i].mode != MODE_OFF)
            v[n++] = &L->p->rules[i];
    if (n)
        qsort(v, n, sizeof *v, by_hash);
    for (uint32_t i = 1; i < n; i++)
        if (str_eq(v[i - 1]->hash, v[i]->hash))
            diags_addf(L->d, "W010", v[i]->at, STR("remove one, or say what differs"),
                       (struct str){0}, "the same rule as `" STR_FMT "`, word for word",
                       STR_ARG(v[i - 1]->name));
}

void lint(struct load *L)
{
    for (uint32_t i = 0; i < L->p->n_rules; i++) {
        const struct rule_def *r = &L->p->rules[i];
        lint_limit(L, r);
        lint_audience(L, r);
        lint_conditions(L, r);
        lint_match(L, r);
        lint_sends(L, r);
        lint_quiet(L, r);
    }
    lint_house(L);
    lint_parts(L);
    lint_copies(L);
    lint_reach(L);
    lint_cascade(L);
}
