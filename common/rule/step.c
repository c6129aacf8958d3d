/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a rule, flattened: a list of instructions with jump targets, so that a run's place is
 * one number.
 *
 *   wait until … else: S    WAIT next=after else_pc=S…  [S… JUMP end]  after
 *   split, choose           SPLIT [arm… JUMP after] [arm… JUMP after]  after
 *
 * While flattening, what `next` means is followed along: a satisfied until changes it, and where two
 * branches that changed it meet again there is none.
 */
#include "step_priv.h"

static const struct key_def verbs[] = {
    [STEP_WAIT] =
        {"wait", false, NULL, "wait",
         "a length (2h), a clock time (\"09:00\" = the next, \"1d 10:00\" = tomorrow at ten), or "
         "{to: EXPRESSION}",
         "时长（2h）、钟点（\"09:00\" = 下一个九点，\"1d 10:00\" = 明天十点），或 {to: 表达式}"},
    [STEP_SEND] = {"send", false, NULL, "message", "a message", "发送一条消息"},
    [STEP_SET] = {"set", false, NULL, "set", "writes stored tags; null takes one away",
                  "写入存储标签；null 是清除"},
    [STEP_SPLIT] = {"split", false, NULL, "split",
                    "arms with shares of 100; a member always lands in the same arm",
                    "按比例分组，合计 100；同一会员总在同一组"},
    [STEP_CHOOSE] = {"choose", false, NULL, "branches",
                     "a list {if, do}: the first branch that is true; none: go on",
                     "{if, do} 的列表：走第一个满足的分支；都不满足就继续"},
    [STEP_STOP] = {"stop", false, NULL, "true", "ends the run", "结束运行"},
};
static const struct key_def companions[] = {
    [C_UNTIL] = {"until", false, NULL, "patterns",
                 "beside `wait`: goes on as soon as this comes, which is then `next`",
                 "和 `wait` 一起：等到这个事件就继续，之后用 `next` 指它"},
    [C_ELSE] = {"else", false, NULL, "steps",
                "beside `until`: what is done when time runs out; then the run ends",
                "和 `until` 一起：等不到时做什么；做完就结束"},
    [C_WITH] = {"with", false, NULL, "with", "beside `send`: an expression for each parameter",
                "和 `send` 一起：每个参数一个表达式"},
    [C_SALT] = {"salt", false, NULL, "text",
                "beside `split`: the second split of a rule needs a salt of its own",
                "和 `split` 一起：同一规则的第二个分流要有自己的 salt"},
};
static const uint32_t goes_with[N_VERBS] = {
    [STEP_WAIT] = 1u << C_UNTIL | 1u << C_ELSE,
    [STEP_SEND] = 1u << C_WITH,
    [STEP_SPLIT] = 1u << C_SALT,
};

/* ---- instructions ---------------------------------------------------------------------------- */

uint32_t step_emit(struct rule_load *R, struct instr in)
{
    if (R->n == R->cap) {
        uint32_t cap = R->cap ? R->cap * 2 : 8;
        struct instr *v = ARENA_ARRAY(R->L->a, struct instr, cap);
        if (R->n)
            memcpy(v, R->code, R->n * sizeof *v);
        R->code = v;
        R->cap = cap;
    }
    R->code[R->n] = in;
    return R->n++;
}

struct instr step_begin(const struct rule_load *R, enum op op, const struct step *s)
{
    return (struct instr){.op = op, .path = s->path, .at = s->key_at, .next_view = R->next_view};
}

struct expr_env step_env(const struct rule_load *R)
{
    struct expr_env env = R->env;
    env.next = R->next_view ? R->next_view->type : NULL;
    env.no_next = R->next_mixed ? STR("the branches before this step leave different ones")
                                : STR("no `wait … until` stands before this step");
    if (R->waited && env.old) {
        env.old = false;
        env.no_old = STR("after a wait, or a message that may be held, nobody knows it any more");
    }
    return env;
}

struct str step_path(struct rule_load *R, struct str prefix, struct str name)
{
    if (!prefix.n)
        return arena_str(R->L->a, name);
    return str_c(arena_printf(R->L->a, STR_FMT "." STR_FMT, STR_ARG(prefix), STR_ARG(name)));
}

struct str step_number(struct rule_load *R, uint32_t i)
{
    return str_c(arena_printf(R->L->a, "%u", i));
}

/* ---- patterns -------------------------------------------------------------------------------- */

enum { P_EVENT, P_WHERE, N_PATTERN };
static const struct key_def pattern_keys[] = {
    [P_EVENT] = {"event", true, NULL, "event", "the event", "事件"},
    [P_WHERE] =
        {"where", false, NULL, "condition",
         "only those for which this is true; sees `event`, `next` (the candidate), `member`",
         "只算满足条件的；可用 `event`、`next`（候选事件）、`member`"},
};
const struct key_table pattern_table = {"pattern", pattern_keys, BASE_LEN(pattern_keys),
                                        "an event in `cancel` or `until`",
                                        "`cancel`、`until` 里的事件"};

bool read_pattern(struct rule_load *R, const struct yaml_node *n, struct pattern *out)
{
    struct load *L = R->L;
    const struct yaml_node *k[N_PATTERN];
    *out = (struct pattern){.event = RULE_NONE};
    if (n->kind == YAML_SCALAR) {
        out->event = read_event(L, n);
        return out->event != RULE_NONE;
    }
    if (!read_keys(L, n, (struct where){"a pattern", {0}}, pattern_keys, N_PATTERN, NULL, 0, k))
        return false;
    out->event = read_event(L, k[P_EVENT]);
    if (out->event == RULE_NONE || !k[P_WHERE])
        return out->event != RULE_NONE;
    struct expr_env env = step_env(R);
    env.next = L->events[out->event]->fields;
    env.old = false;
    env.no_old = STR("in `where` only the present is known");
    out->where = compile_bool(L, k[P_WHERE], &env);
    return out->where != NULL;
}

uint32_t read_patterns(struct rule_load *R, const struct yaml_node *n, const struct pattern **out)
{
    const struct yaml_node *const *items, *one;
    uint32_t count = as_list(n, &items, &one), made = 0;
    struct pattern *v = ARENA_ARRAY(R->L->a, struct pattern, count + 1);
    if (count == 0)
        diags_addf(R->L->d, "R012", n->at, (struct str){0}, (struct str){0},
                   "an empty list of events");
    for (uint32_t i = 0; i < count; i++)
        made += read_pattern(R, items[i], &v[made]);
    *out = v;
    return made;
}

/* ---- wait ------------------------------------------------------------------------------------ */

static void bad_wait(struct load *L, const struct yaml_node *n, struct str s)
{
    diags_addf(L->d, "D002", n->at,
               STR("a length like 2h or 3d, or a clock time like \"09:00\" or \"1d 09:00\""),
               (struct str){0}, "bad wait `" STR_FMT "`", STR_ARG(s));
}

/* "0d CLOCK" too, which is no length. */
static bool whole_days(struct str s, int32_t *days)
{
    int64_t v;
    if (s.n < 2 || s.p[s.n - 1] != 'd' || str_i64((struct str){s.p, s.n - 1}, &v) != 0 || v < 0 ||
        v > 3660)
        return false;
    *days = (int32_t)v;
    return true;
}

static const struct key_def to_keys[] = {
    {"to", true, NULL, "expr", "a moment (a timestamp); past = at once",
     "一个时刻（timestamp）；已过 = 立即"},
};
const struct key_table wait_to_table = {"wait_to", to_keys, BASE_LEN(to_keys), "`wait` to a moment",
                                        "`wait` 到某个时刻"};

static void read_wait(struct rule_load *R, const struct yaml_node *n, struct instr *in)
{
    struct str s;
    struct load *L = R->L;
    if (n->kind == YAML_MAPPING) {
        const struct yaml_node *to;
        struct expr_env env = step_env(R);
        in->wait = WAIT_TO;
        if (read_keys(L, n, (struct where){"`wait`", {0}}, to_keys, 1, NULL, 0, &to))
            in->to = compile(L, to, &env, &type_timestamp, STR("`to`"));
        return;
    }
    if (!want_text(L, n, "`wait`", &s))
        return;
    if (time_len(s, &in->len_ms) == 0) {
        in->wait = WAIT_LENGTH;
        return;
    }
    in->wait = WAIT_CLOCK;
    in->days = -1;
    const char *space = memchr(s.p, ' ', s.n);
    struct str clock = s;
    if (space) {
        struct str days = {s.p, (size_t)(space - s.p)};
        clock = (struct str){space + 1, s.n - days.n - 1};
        if (!whole_days(days, &in->days) || time_clock(clock, &in->clock) != 0)
            bad_wait(L, n, s);
    } else if (time_clock(s, &in->clock) != 0) {
        bad_wait(L, n, s);
    } else {
        read_clock(L, n, "`wait`", &in->clock); /* warns when it has no quotes */
    }
}

static void wait_step(struct rule_load *R, const struct step *s)
{
    struct load *L = R->L;
    struct instr in = step_begin(R, OP_WAIT, s);
    in.else_pc = PC_END;
    read_wait(R, s->value, &in);
    struct event_view *view = NULL;
    if (s->with[C_UNTIL]) {
        in.n_until = read_patterns(R, s->with[C_UNTIL], &in.until);
        uint32_t *events = ARENA_ARRAY(L->a, uint32_t, in.n_until + 1), n = 0;
        for (uint32_t i = 0; i < in.n_until; i++) {
            bool seen = false;
            for (uint32_t k = 0; k < n; k++)
                seen |= events[k] == in.until[i].event;
            if (!seen)
                events[n++] = in.until[i].event;
        }
        view = ARENA_NEW(L->a, struct event_view);
        *view = make_view(L, events, n);
        if (!view->type)
            view->type = &type_error; /* reported; `next` is not judged */
        in.until_view = *view;
    } else if (s->with[C_ELSE]) {
        diags_addf(L->d, "D003", s->with[C_ELSE]->at, STR("add `until:`"), (struct str){0},
                   "`else` is for a wait that has an `until`");
    }
    R->waited = true;
    uint32_t pc = step_emit(R, in);
    if (s->with[C_ELSE] && s->with[C_ELSE]->n) {
        R->code[pc].else_pc = R->n;
        step_list(R, s->with[C_ELSE], step_path(R, s->path, STR("else")));
        step_emit(R,
                  (struct instr){.op = OP_JUMP, .path = s->path, .at = s->key_at, .next = PC_END});
    } else if (s->with[C_ELSE]) {
        want_list(L, s->with[C_ELSE], "`else`");
    }
    R->code[pc].next = R->n;
    if (view) {
        R->next_view = view;
        R->next_mixed = false;
    }
}

/* ---- send, set, stop ------------------------------------------------------------------------- */

static void read_args(struct rule_load *R, const struct step *s, const struct message_def *m,
                      const struct expr **args)
{
    struct load *L = R->L;
    const struct yaml_node *with = s->with[C_WITH];
    struct expr_env env = step_env(R);
    env.build = true;
    for (uint32_t i = 0; with && i < with->n; i++) {
        const struct yaml_pair *p = &with->pairs[i];
        uint32_t k = 0;
        while (k < m->n_params && !str_eq(m->params[k], p->key))
            k++;
        if (k == m->n_params) {
            if (!L->message_broken[m->index])
                diags_addf(L->d, "D012", p->key_at, did_you_mean(L, p->key, m->params, m->n_params),
                           (struct str){0}, "message `" STR_FMT "` has no parameter `" STR_FMT "`",
                           STR_ARG(m->name), STR_ARG(p->key));
            continue;
        }
        const struct type *want =
            m->param_list[k] ? type_list_of(L, &type_string, 0) : &type_string;
        struct str what = str_c(arena_printf(L->a, "`" STR_FMT "`", STR_ARG(p->key)));
        args[k] = compile(L, p->value, &env, want, what);
    }
    for (uint32_t k = 0; k < m->n_params; k++) {
        if ((with && yaml_pair(with, m->params[k])) || L->message_broken[m->index])
            continue;
        diags_addf(L->d, "D011", expr_span(s->value), STR("add it under `with:`"), (struct str){0},
                   "message `" STR_FMT "` needs parameter `" STR_FMT "`", STR_ARG(m->name),
                   STR_ARG(m->params[k]));
    }
}

static void send_step(struct rule_load *R, const struct step *s)
{
    struct load *L = R->L;
    struct str word;
    struct instr in = step_begin(R, OP_SEND, s);
    in.message = RULE_NONE;
    if (!want_text(L, s->value, "`send`", &word))
        return;
    if (s->with[C_WITH] && !want_map(L, s->with[C_WITH], "`with`"))
        return;
    in.message = message_index(L, word);
    if (in.message == RULE_NONE) {
        unknown(L, "D010", expr_span(s->value), "message", word, L->message_names, L->p->n_messages,
                "messages");
        return;
    }
    const struct message_def *m = &L->messages[in.message];
    const struct expr **args = ARENA_ARRAY(L->a, const struct expr *, m->n_params + 1);
    read_args(R, s, m, args);
    in.args = args;
    R->r->has_marketing |= m->purpose == PURPOSE_MARKETING;
    R->waited |= m->purpose == PURPOSE_MARKETING || m->quiet; /* it may be held */
    uint32_t pc = step_emit(R, in);
    R->code[pc].next = R->n;
}

static const char *const kind_names[] = {
    [TAG_STORED] = "stored", [TAG_COUNT] = "count",   [TAG_SUM] = "sum",
    [TAG_AVG] = "avg",       [TAG_MIN] = "min",       [TAG_MAX] = "max",
    [TAG_FIRST] = "first",   [TAG_LAST] = "last",     [TAG_DISTINCT] = "distinct",
    [TAG_GAP] = "gap",       [TAG_STREAK] = "streak", [TAG_COLLECT] = "collect",
    [TAG_VALUE] = "value",   [TAG_LEVELS] = "levels",
};

static bool set_one(struct rule_load *R, const struct yaml_pair *p, uint32_t *tag,
                    const struct expr **value)
{
    struct load *L = R->L;
    uint32_t t = name_index(L->tag_names, L->p->n_tags, p->key);
    if (t == RULE_NONE) {
        unknown(L, "R011", p->key_at, "tag", p->key, L->tag_names, L->p->n_tags, NULL);
        return false;
    }
    const struct tag_def *tag_def = &L->tags[t];
    if (tag_def->kind != TAG_STORED) {
        diags_addf(L->d, "D013", p->key_at, (struct str){0}, (struct str){0},
                   "tag `" STR_FMT "` is computed (%s) and cannot be set", STR_ARG(p->key),
                   kind_names[tag_def->kind]);
        return false;
    }
    *tag = t;
    *value = NULL;
    if (yaml_is_null(p->value))
        return true;
    struct expr_env env = step_env(R);
    env.build = true;
    struct str what = str_c(arena_printf(L->a, "`" STR_FMT "`", STR_ARG(p->key)));
    *value = compile(L, p->value, &env, L->tag_broken[t] ? NULL : tag_def->type, what);
    return *value != NULL;
}

static void set_step(struct rule_load *R, const struct step *s)
{
    struct load *L = R->L;
    if (!want_map(L, s->value, "`set`"))
        return;
    struct instr in = step_begin(R, OP_SET, s);
    uint32_t *tags = ARENA_ARRAY(L->a, uint32_t, s->value->n + 1);
    const struct expr **values = ARENA_ARRAY(L->a, const struct expr *, s->value->n + 1);
    if (s->value->n == 0)
        diags_addf(L->d, "D004", s->value->at, (struct str){0}, (struct str){0}, "an empty `set`");
    for (uint32_t i = 0; i < s->value->n; i++)
        in.n_set += set_one(R, &s->value->pairs[i], &tags[in.n_set], &values[in.n_set]);
    in.tags = tags;
    in.values = values;
    uint32_t pc = step_emit(R, in);
    R->code[pc].next = R->n;
}

static void stop_step(struct rule_load *R, const struct step *s)
{
    bool yes = false;
    if (read_bool(R->L, s->value, "`stop`", &yes) && !yes)
        diags_addf(R->L->d, "D004", s->value->at, (struct str){0}, (struct str){0},
                   "write `stop: true`, or nothing");
    struct instr in = step_begin(R, OP_STOP, s);
    in.next = PC_END;
    step_emit(R, in);
}

/* ---- a list of steps ------------------------------------------------------------------------- */

static bool bad_verb(struct load *L, const struct yaml_node *n, struct span at)
{
    struct str names[N_VERBS];
    for (int v = 0; v < N_VERBS; v++)
        names[v] = str_c(verbs[v].name);
    struct str label = {0};
    for (uint32_t i = 0; i < n->n && !label.n; i++) {
        label = did_you_mean(L, n->pairs[i].key, names, N_VERBS);
        at = label.n ? n->pairs[i].key_at : at;
    }
    diags_addf(L->d, "D001", at, label, (struct str){0},
               "a step needs exactly one verb: wait, send, set, split, choose, stop");
    return false;
}

/* The step's verb and what stands beside it. */
static bool read_step(struct load *L, const struct yaml_node *n, struct step *s)
{
    int verb = -1, found = 0;
    if (n->kind != YAML_MAPPING)
        return want_map(L, n, "a step");
    for (uint32_t i = 0; i < n->n; i++) {
        for (int v = 0; v < N_VERBS; v++) {
            if (!str_eqc(n->pairs[i].key, verbs[v].name))
                continue;
            found++;
            verb = v;
            s->key_at = n->pairs[i].key_at;
            s->value = n->pairs[i].value;
        }
    }
    if (found == 0)
        return bad_verb(L, n, n->n ? n->pairs[0].key_at : n->at);
    if (found > 1) {
        diags_addf(L->d, "D001", s->key_at, STR("begin another step with `- `"), (struct str){0},
                   "a step needs exactly one verb: wait, send, set, split, choose, stop");
        return false;
    }
    s->verb = (enum verb)verb;
    for (uint32_t i = 0; i < n->n; i++) {
        const struct yaml_pair *p = &n->pairs[i];
        struct str names[N_COMPANIONS];
        size_t allowed = 0;
        bool known = str_eqc(p->key, verbs[verb].name);
        for (int c = 0; c < N_COMPANIONS; c++) {
            if (!(goes_with[verb] & 1u << c))
                continue;
            names[allowed++] = str_c(companions[c].name);
            if (str_eqc(p->key, companions[c].name)) {
                s->with[c] = p->value;
                known = true;
            }
        }
        if (!known)
            diags_addf(L->d, "S002", p->key_at, did_you_mean(L, p->key, names, allowed),
                       (struct str){0}, "unknown key `" STR_FMT "` in a step with `%s`",
                       STR_ARG(p->key), verbs[verb].name);
    }
    return true;
}

void step_list(struct rule_load *R, const struct yaml_node *n, struct str prefix)
{
    static void (*const compile_step[N_VERBS])(struct rule_load *, const struct step *) = {
        [STEP_WAIT] = wait_step,   [STEP_SEND] = send_step,     [STEP_SET] = set_step,
        [STEP_SPLIT] = split_step, [STEP_CHOOSE] = choose_step, [STEP_STOP] = stop_step,
    };
    if (!want_list(R->L, n, "`do` (or `else`)"))
        return;
    for (uint32_t i = 0; i < n->n; i++) {
        struct step s = {0};
        if (!read_step(R->L, n->items[i], &s))
            continue;
        s.path = step_path(R, prefix, step_number(R, i));
        compile_step[s.verb](R, &s);
    }
}

void load_steps(struct rule_load *R, const struct yaml_node *steps)
{
    step_list(R, steps, (struct str){0});
    uint32_t end = step_emit(R, (struct instr){.op = OP_END, .path = STR("end"), .at = steps->at});
    R->code[end].next = end;
    for (uint32_t i = 0; i < R->n; i++) {
        struct instr *in = &R->code[i];
        in->next = in->next == PC_END ? end : in->next;
        in->else_pc = in->else_pc == PC_END ? end : in->else_pc;
    }
    R->r->code = R->code;
    R->r->n_code = R->n;
}

/* ---- for the schema and the reference -------------------------------------------------------- */

size_t step_keys_of(size_t verb, struct key_def keys[STEP_KEYS_MAX])
{
    size_t n = 0;
    if (verb >= N_VERBS)
        return 0;
    keys[n] = verbs[verb];
    keys[n++].need = true;
    for (int c = 0; c < N_COMPANIONS; c++)
        if (goes_with[verb] & 1u << c)
            keys[n++] = companions[c];
    return n;
}
