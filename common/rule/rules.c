/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `rules:` section: one rule from its tree.  The same function reads the earlier texts that a
 * bundle carries.
 */
#include "rule_priv.h"

enum {
    K_TRIGGER,
    K_IF,
    K_KEY,
    K_AGAIN,
    K_CANCEL,
    K_LIMIT,
    K_PRIORITY,
    K_ACTIVE,
    K_MODE,
    K_HOLDOUT,
    K_LATE,
    K_GOAL,
    K_DO,
    K_NOTE,
    N_KEYS
};
static const struct key_def rule_keys[] = {
    [K_TRIGGER] = {"trigger", true, NULL, "trigger", "what starts the rule", "由什么触发"},
    [K_IF] = {"if", false, NULL, "condition",
              "looked at once, when the trigger comes; an error counts as false",
              "触发时判断一次；出错按“否”算"},
    [K_KEY] = {"key", false, NULL, "expr",
               "one run for each value of this instead of one for the member",
               "按这个值分别运行，每个值各一份，而不是每位会员一份"},
    [K_AGAIN] = {"again", false, NULL, "ignore|restart",
                 "what a new trigger does to a run that is still going on: nothing (default), or "
                 "it begins anew",
                 "运行还没结束时又触发：忽略（默认），还是重新开始"},
    [K_CANCEL] = {"cancel", false, NULL, "patterns",
                  "the events that end the run, during a wait or while a message is held",
                  "哪些事件会终止运行（等待中或消息暂存时）"},
    [K_LIMIT] = {"limit", false, NULL, "limit", "how often a member (and key) may get this",
                 "每位会员（每个 key）最多几次"},
    [K_PRIORITY] = {"priority", false, NULL, "int 0..100",
                    "who goes first at one instant; 50 if not given", "同一时刻谁先发；不写是 50"},
    [K_ACTIVE] = {"active", false, NULL, "range",
                  "local dates between which it starts runs, both included",
                  "只在这些日期内触发（本地日期，含首尾）"},
    [K_MODE] = {"mode", false, NULL, "live|shadow|off",
                "live (default), shadow: everything but sending and setting, or off",
                "live（默认）；shadow：只记录，不发送也不写标签；off：停用"},
    [K_HOLDOUT] = {"holdout", false, NULL, "percent",
                   "of its members so many get nothing, to measure what it brings",
                   "留出这么多会员不发，用来衡量效果"},
    [K_LATE] = {"late", false, NULL, "length",
                "an event older than this starts nothing; as in `policy` if not given",
                "比这更旧的事件不触发；不写则同 `policy`"},
    [K_GOAL] = {"goal", false, NULL, "goal",
                "what counts as success, for members who got it and for those held out",
                "什么算成功：收到的会员和留出的会员分别统计"},
    [K_DO] = {"do", true, NULL, "steps", "the steps, in order", "依次执行的步骤"},
    [K_NOTE] = {"note", false, NULL, "text", "for people; changes nothing",
                "给人看的说明，不影响运行"},
};
const struct key_table rule_table = {"rule", rule_keys, BASE_LEN(rule_keys), "a rule", "一条规则"};
enum { G_EVENT, G_WHERE, G_WITHIN, G_VALUE, N_GOAL };
static const struct key_def goal_keys[] = {
    [G_EVENT] = {"event", true, NULL, "event", "the event that counts", "算成功的事件"},
    [G_WHERE] =
        {"where", false, NULL, "condition",
         "only those for which this is true; sees `event`, `next` (the candidate), `member`",
         "只算满足条件的；可用 `event`、`next`（候选事件）、`member`"},
    [G_WITHIN] = {"within", true, NULL, "length", "how long after the first message",
                  "从第一条消息起多长时间内"},
    [G_VALUE] = {"value", false, NULL, "expr", "a number to add up, such as next.amount",
                 "要累加的数值，例如 next.amount"},
};
const struct key_table goal_table = {"goal", goal_keys, BASE_LEN(goal_keys), "`goal`",
                                     "`goal`（目标）"};

/* ---- what a version is called ---------------------------------------------------------------- */

struct str rule_hash(struct load *L, const struct yaml_node *node, struct str *text)
{
    struct buf b;
    uint8_t sha[32];
    buf_init(&b, 4 * YAML_MAX_BYTES);
    yaml_write(node, &b);
    *text = arena_str(L->a, buf_str(&b));
    if (node->kind == YAML_MAPPING && yaml_get(node, "note")) {
        struct yaml_node without = *node;
        struct yaml_pair *pairs = ARENA_ARRAY(L->a, struct yaml_pair, node->n);
        without.n = 0;
        for (uint32_t i = 0; i < node->n; i++)
            if (!str_eqc(node->pairs[i].key, "note"))
                pairs[without.n++] = node->pairs[i];
        without.pairs = pairs;
        buf_reset(&b);
        yaml_write(&without, &b);
    }
    hash_sha256(b.p, b.n, sha);
    buf_free(&b);
    char *hex = arena_alloc(L->a, 17);
    enc_hex(sha, 8, hex);
    return (struct str){hex, 16};
}

/* ---- the environment of a rule's expressions ------------------------------------------------- */

static struct str view_name(struct load *L, const struct event_view *v)
{
    struct buf b;
    buf_init(&b, 4096);
    for (uint32_t i = 0; i < v->n_events; i++) {
        buf_adds(&b, i == 0 ? "" : i + 1 < v->n_events ? ", " : " and ");
        buf_addstr(&b, L->event_names[v->events[i]]);
    }
    struct str s = arena_str(L->a, buf_str(&b));
    buf_free(&b);
    return s;
}

static void make_env(struct rule_load *R)
{
    static const struct str no_event[] = {
        [TRIG_EVENT] = {"", 0},
        [TRIG_SILENCE] = {"a rule that silence triggers has no event", 41},
        [TRIG_DATE] = {"a rule that a date triggers has no event", 40},
        [TRIG_EVERY] = {"a rule on a schedule has no event", 33},
        [TRIG_TAG] = {"a rule that a tag triggers has no event", 39},
    };
    const struct trigger *t = &R->r->trigger;
    R->env = env_member(R->L);
    R->env.no_event = no_event[t->kind];
    R->env.no_next = STR("no `wait … until` stands before this");
    R->env.event = R->r->view.type;
    if (R->r->view.type)
        R->env.event_name = view_name(R->L, &R->r->view);
    else if (R->bad)
        R->env.event = &type_error;
    R->env.old = t->kind == TRIG_EVENT || t->kind == TRIG_TAG;
    R->env.no_old = STR("`old` is for rules that an event or a tag triggers");
}

/* ---- the parts ------------------------------------------------------------------------------- */

static void read_key(struct rule_load *R, const struct yaml_node *n)
{
    struct load *L = R->L;
    if (!n)
        return;
    if (R->r->trigger.kind != TRIG_EVENT) {
        diags_addf(L->d, "R019", n->at, STR("leave it out"), (struct str){0},
                   "`key` is for rules that an event triggers");
        return;
    }
    R->r->key = compile(L, n, &R->env, NULL, STR("`key`"));
    if (!R->r->key)
        return;
    enum type_kind k = expr_type(R->r->key)->kind;
    if (k != TYPE_STRING && k != TYPE_INT && k != TYPE_BOOL && k != TYPE_ERROR)
        diags_addf(L->d, "R020", expr_span(n), (struct str){0}, STR("use string(...)"),
                   "`key` must be string, int or bool, this is %s",
                   type_word(expr_type(R->r->key)));
}

static void read_active(struct load *L, const struct yaml_node *n, struct rule_def *r)
{
    struct str s;
    if (!n || !want_text(L, n, "`active`", &s))
        return;
    const char *dots = memmem(s.p, s.n, "..", 2);
    struct str from = {s.p, dots ? (size_t)(dots - s.p) : 0};
    struct str to = {s.p + from.n + 2, dots ? s.n - from.n - 2 : 0};
    bool ok = dots && (from.n || to.n);
    ok = ok && (!from.n || read_date_word(from, &r->active_from));
    ok = ok && (!to.n || read_date_word(to, &r->active_to));
    if (!ok)
        diags_addf(L->d, "R021", n->at, STR("write like 2026-06-01..2026-06-18"), (struct str){0},
                   "bad range of dates `" STR_FMT "`", STR_ARG(s));
    else if (r->active_from > r->active_to)
        diags_addf(L->d, "R021", n->at, (struct str){0}, (struct str){0},
                   "a range that ends before it begins");
}

static void read_goal(struct rule_load *R, const struct yaml_node *n)
{
    struct load *L = R->L;
    struct rule_def *r = R->r;
    const struct yaml_node *k[N_GOAL];
    if (!n || !read_keys(L, n, (struct where){"`goal`", {0}}, goal_keys, N_GOAL, NULL, 0, k))
        return;
    r->goal.event = read_event(L, k[G_EVENT]);
    read_len(L, k[G_WITHIN], "R022", "`within`", &r->goal_within_ms);
    if (r->goal.event == RULE_NONE)
        return;
    r->has_goal = true;
    struct expr_env env = R->env;
    env.next = L->events[r->goal.event]->fields;
    env.old = false;
    env.no_old = STR("a goal looks at the present");
    if (k[G_WHERE])
        r->goal.where = compile_bool(L, k[G_WHERE], &env);
    if (!k[G_VALUE])
        return;
    r->goal_value = compile(L, k[G_VALUE], &env, NULL, STR("`value`"));
    enum type_kind kind = r->goal_value ? expr_type(r->goal_value)->kind : TYPE_ERROR;
    if (kind != TYPE_INT && kind != TYPE_DOUBLE && kind != TYPE_MONEY && kind != TYPE_ERROR)
        diags_addf(L->d, "R023", expr_span(k[G_VALUE]), (struct str){0}, (struct str){0},
                   "the value of a goal is a number, this is %s",
                   type_word(expr_type(r->goal_value)));
}

static void read_options(struct rule_load *R, const struct yaml_node **k)
{
    struct load *L = R->L;
    struct rule_def *r = R->r;
    int64_t priority = 50;
    int w = read_word(L, k[K_AGAIN], "`again`", rule_keys[K_AGAIN].type);
    r->again = w > 0 ? AGAIN_RESTART : AGAIN_IGNORE;
    w = read_word(L, k[K_MODE], "`mode`", rule_keys[K_MODE].type);
    r->mode = w > 0 ? (enum rule_mode)w : MODE_LIVE;
    read_limit(L, k[K_LIMIT], &r->limit);
    read_int(L, k[K_PRIORITY], "`priority`", 0, 100, &priority);
    r->priority = (int32_t)priority;
    read_active(L, k[K_ACTIVE], r);
    read_percent(L, k[K_HOLDOUT], "`holdout`", &r->holdout);
    read_len(L, k[K_LATE], "P003", "`late`", &r->late_ms);
    if (k[K_NOTE] && k[K_NOTE]->kind != YAML_SCALAR) {
        struct str s;
        want_text(L, k[K_NOTE], "`note`", &s);
    }
}

static const struct yaml_node empty_steps = {.kind = YAML_SEQUENCE};

int load_rule(struct load *L, const struct item *it, struct rule_def *r)
{
    const struct yaml_node *k[N_KEYS];
    size_t before = diags_errors(L->d);
    struct rule_load R = {.L = L, .r = r};
    r->name = it->name;
    r->at = it->name_at;
    r->priority = 50;
    r->late_ms = L->p->policy.late_ms;
    r->active_from = INT64_MIN;
    r->active_to = INT64_MAX;
    r->hash = rule_hash(L, it->node, &r->text);
    read_keys(L, it->node, (struct where){"rule", it->name}, rule_keys, N_KEYS, NULL, 0, k);
    if (it->node->kind != YAML_MAPPING)
        return -1;
    if (k[K_TRIGGER])
        load_trigger(&R, k[K_TRIGGER]);
    else
        R.bad = true;
    make_env(&R);
    if (k[K_IF])
        r->when = compile_bool(L, k[K_IF], &R.env);
    read_key(&R, k[K_KEY]);
    if (k[K_CANCEL])
        r->n_cancel = read_patterns(&R, k[K_CANCEL], &r->cancel);
    read_options(&R, k);
    read_goal(&R, k[K_GOAL]);
    if (k[K_DO])
        load_steps(&R, k[K_DO]);
    else
        load_steps(&R, &empty_steps);
    return diags_errors(L->d) > before ? -1 : 0;
}

void load_rules(struct load *L)
{
    const struct items *t = &L->items[SEC_RULES];
    struct rule_def *rules = ARENA_ARRAY(L->a, struct rule_def, t->n + 1);
    struct str *names = ARENA_ARRAY(L->a, struct str, t->n + 1);
    for (uint32_t i = 0; i < t->n; i++) {
        names[i] = t->v[i].name;
        rules[i].index = i;
        load_rule(L, &t->v[i], &rules[i]);
    }
    L->rule_names = names;
    L->p->rules = rules;
    L->p->n_rules = t->n;
}
