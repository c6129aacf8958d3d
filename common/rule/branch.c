/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps with branches: split and choose.  Each branch ends in a jump to what follows the step; what
 * `next` means is merged where they meet.
 */
#include "step_priv.h"

/* ---- split and choose ------------------------------------------------------------------------ */

/* What `next` is where branches meet. */
struct meet {
    const struct event_view *before, *after;
    bool before_mixed, mixed, before_waited, waited, any;
};

static struct meet meet_begin(const struct rule_load *R)
{
    return (struct meet){
        .before = R->next_view, .before_mixed = R->next_mixed, .before_waited = R->waited};
}

static void meet_branch(struct rule_load *R, struct meet *m)
{
    m->mixed |= R->next_mixed || (m->any && m->after != R->next_view);
    m->after = R->next_view;
    m->any = true;
    m->waited |= R->waited;
    R->waited = m->before_waited;
    R->next_view = m->before;
    R->next_mixed = m->before_mixed;
}

static void meet_end(struct rule_load *R, struct meet *m, bool may_pass)
{
    if (may_pass)
        meet_branch(R, m);
    R->waited = m->waited;
    R->next_mixed = m->mixed;
    R->next_view = m->mixed ? NULL : m->after;
}

/* A branch's steps and the jump behind them. Returns where it begins. */
static uint32_t branch_body(struct rule_load *R, const struct yaml_node *steps, struct str path,
                            const struct step *s, uint32_t *jump)
{
    uint32_t pc = R->n;
    step_list(R, steps, path);
    *jump = step_emit(R, (struct instr){.op = OP_JUMP, .path = s->path, .at = s->key_at});
    return pc;
}

enum { M_SHARE, M_DO, N_ARM };
static const struct key_def arm_keys[] = {
    [M_SHARE] = {"share", true, NULL, "share", "its part of 100", "在 100 中占多少"},
    [M_DO] = {"do", false, NULL, "steps", "its steps; none: nothing happens in this arm",
              "这一组的步骤；不写就什么都不做"},
};
const struct key_table arm_table = {"arm", arm_keys, BASE_LEN(arm_keys), "an arm of `split`",
                                    "`split` 的一组"};

/* 45, or 33.33: hundredths of a percent. */
static bool read_share(struct load *L, const struct yaml_node *n, uint32_t *share)
{
    double v = 0;
    if (!n)
        return false;
    double scaled = 0;
    bool ok = yaml_f64(n, &v);
    if (ok) {
        scaled = v * 100;
        ok = v > 0 && v <= 100 && scaled == (double)(uint32_t)(scaled + 0.5);
        if (!ok && v > 0 && v <= 100) { /* 33.33 * 100 is not exact */
            double near = (double)(uint32_t)(scaled + 0.5);
            ok = near - scaled < 1e-6 && scaled - near < 1e-6;
        }
    }
    if (!ok) {
        diags_addf(L->d, "D023", n->at, (struct str){0}, (struct str){0},
                   "a share is a number above 0, of 100 in all");
        return false;
    }
    *share = (uint32_t)(scaled + 0.5);
    return true;
}

static struct str read_salt(struct rule_load *R, const struct step *s)
{
    struct load *L = R->L;
    struct str salt = R->r->name;
    const struct yaml_node *n = s->with[C_SALT];
    if (n && !want_text(L, n, "`salt`", &salt))
        return salt;
    for (uint32_t i = 0; i < R->n_salts; i++) {
        if (!str_eq(R->salts[i], salt))
            continue;
        diags_addf(L->d, "D022", s->key_at, STR("add `salt: NAME` beside it"), (struct str){0},
                   "a second split in a rule needs a salt of its own");
        return salt;
    }
    if (R->n_salts < BASE_LEN(R->salts))
        R->salts[R->n_salts++] = salt;
    else
        diags_addf(L->d, "D022", s->key_at, (struct str){0}, (struct str){0},
                   "at most 16 splits in a rule");
    return salt;
}

void split_step(struct rule_load *R, const struct step *s)
{
    struct load *L = R->L;
    if (!want_map(L, s->value, "`split`"))
        return;
    uint32_t n = s->value->n, sum = 0;
    bool shares = true;
    struct branch *arms = ARENA_ARRAY(L->a, struct branch, n + 1);
    uint32_t *jumps = ARENA_ARRAY(L->a, uint32_t, n + 1), made = 0;
    struct instr in = step_begin(R, OP_SPLIT, s);
    in.salt = read_salt(R, s);
    uint32_t pc = step_emit(R, in);
    struct meet m = meet_begin(R);
    for (uint32_t i = 0; i < n; i++) {
        const struct yaml_pair *p = &s->value->pairs[i];
        const struct yaml_node *k[N_ARM];
        uint32_t share = 0;
        if (!is_name(p->key))
            diags_addf(L->d, "S005", p->key_at, STR("use lower-case letters, digits and _"),
                       (struct str){0}, "`" STR_FMT "` cannot be the name of an arm",
                       STR_ARG(p->key));
        bool read =
            read_keys(L, p->value, (struct where){"arm", p->key}, arm_keys, N_ARM, NULL, 0, k);
        shares &= read && read_share(L, k[M_SHARE], &share);
        sum += share;
        arms[i] = (struct branch){.name = p->key, .below = sum, .pc = PC_END};
        if (k[M_DO]) {
            arms[i].pc = branch_body(R, k[M_DO], step_path(R, s->path, p->key), s, &jumps[made]);
            made++;
        }
        meet_branch(R, &m);
    }
    if (shares && sum != 10000) {
        const char *text = sum % 100 ? arena_printf(L->a, "%u.%02u", sum / 100, sum % 100)
                                     : arena_printf(L->a, "%u", sum / 100);
        diags_addf(L->d, "D020", s->key_at, (struct str){0}, (struct str){0},
                   "shares add up to %s, not 100", text);
    }
    meet_end(R, &m, n == 0);
    for (uint32_t i = 0; i < made; i++)
        R->code[jumps[i]].next = R->n;
    for (uint32_t i = 0; i < n; i++)
        arms[i].pc = arms[i].pc == PC_END ? R->n : arms[i].pc;
    R->code[pc].branches = arms;
    R->code[pc].n_branches = n;
    R->code[pc].next = R->n;
}

enum { B_IF, B_DO, N_BRANCH };
static const struct key_def branch_keys[] = {
    [B_IF] = {"if", false, NULL, "condition",
              "when this branch is taken; only the last may do without",
              "满足时走这个分支；只有最后一个可以不写"},
    [B_DO] = {"do", true, NULL, "steps", "its steps", "这个分支的步骤"},
};
const struct key_table branch_table = {"branch", branch_keys, BASE_LEN(branch_keys),
                                       "a branch of `choose`", "`choose` 的一个分支"};

void choose_step(struct rule_load *R, const struct step *s)
{
    struct load *L = R->L;
    if (!want_list(L, s->value, "`choose`"))
        return;
    uint32_t n = s->value->n;
    struct branch *v = ARENA_ARRAY(L->a, struct branch, n + 1);
    uint32_t *jumps = ARENA_ARRAY(L->a, uint32_t, n + 1), made = 0;
    uint32_t pc = step_emit(R, step_begin(R, OP_CHOOSE, s));
    struct meet m = meet_begin(R);
    struct expr_env env = step_env(R);
    bool always = false;
    if (n == 0)
        diags_addf(L->d, "D004", s->value->at, (struct str){0}, (struct str){0},
                   "an empty `choose`");
    for (uint32_t i = 0; i < n; i++) {
        const struct yaml_node *b = s->value->items[i], *k[N_BRANCH];
        if (!read_keys(L, b, (struct where){"a branch", {0}}, branch_keys, N_BRANCH, NULL, 0, k))
            continue;
        if (!k[B_IF] && i + 1 < n)
            diags_addf(L->d, "D021", b->at, STR("add `if:`"), (struct str){0},
                       "only the last branch may do without `if`");
        always |= !k[B_IF];
        v[made] = (struct branch){.when = k[B_IF] ? compile_bool(L, k[B_IF], &env) : NULL};
        struct str path = step_path(R, s->path, step_number(R, i));
        v[made].pc = branch_body(R, k[B_DO], path, s, &jumps[made]);
        made++;
        meet_branch(R, &m);
    }
    meet_end(R, &m, !always);
    for (uint32_t i = 0; i < made; i++)
        R->code[jumps[i]].next = R->n;
    R->code[pc].branches = v;
    R->code[pc].n_branches = made;
    R->code[pc].next = R->n;
}
