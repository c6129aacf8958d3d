/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `tags:` section: stored tags and aggregates here, `value` and `levels` in derived.c.  Exactly one
 * of the kinds' keys makes a tag's kind; a table says what each kind may have beside it.
 */
#include "rule_priv.h"

#include <stdlib.h>

#define MAX_WINDOW_DAYS 3660
#define MAX_WINDOW_LEN (48 * TIME_HOUR)
#define COLLECT_MAX 1000 /* keys of a collection; */
#define COLLECT_DEFAULT 64

/* In the order of enum tag_kind; the key that makes the kind. */
static const struct key_def tag_kinds[] = {
    [TAG_STORED] = {"type", true, NULL, "type", "what was written last", "最后写入的值"},
    [TAG_COUNT] = {"count", true, NULL, "source", "how often the event came", "事件发生了几次"},
    [TAG_SUM] = {"sum", true, NULL, "source", "the values added up", "数值合计"},
    [TAG_AVG] = {"avg", true, NULL, "source", "their average", "平均值"},
    [TAG_MIN] = {"min", true, NULL, "source", "the least: number, date or time",
                 "最小值：数字、日期或时间"},
    [TAG_MAX] = {"max", true, NULL, "source", "the greatest: number, date or time",
                 "最大值：数字、日期或时间"},
    [TAG_FIRST] = {"first", true, NULL, "source", "the value of the earliest event",
                   "最早一次的值"},
    [TAG_LAST] = {"last", true, NULL, "source", "the value of the latest event", "最近一次的值"},
    [TAG_DISTINCT] = {"distinct", true, NULL, "source", "how many different values, exact to 256",
                      "有多少种不同的值，最多精确到 256"},
    [TAG_GAP] = {"gap", true, NULL, "source",
                 "the mean time between the member's own events, a duration",
                 "会员两次事件之间的平均间隔（时长）"},
    [TAG_STREAK] = {"streak", true, NULL, "source",
                    "how often in a row the same value; another one starts again at 1",
                    "同一个值连续出现了几次；换一个值就从 1 重新算"},
    [TAG_COLLECT] = {"collect", true, NULL, "source",
                     "a set of texts, newest first; may carry fan-out",
                     "一组文本，最新的在前；可用于扇出"},
    [TAG_VALUE] = {"value", true, NULL, "expr", "what an expression over other tags gives",
                   "用其他标签算出的值"},
    [TAG_LEVELS] = {"levels", true, NULL, "level_list", "the first level whose condition holds",
                    "第一个满足条件的等级"},
};
#define N_KINDS 14

enum { S_TYPE, S_DEFAULT, S_TTL, S_ONE_OF, S_MAX, S_FROM, S_PUBLIC, N_STORED };
static const struct key_def stored_keys[] = {
    [S_TYPE] = {"type", true, NULL, "type",
                "makes it a stored tag: string int double money bool timestamp date lunar_date "
                "duration, or address",
                "存储的标签：string int double money bool timestamp date lunar_date duration，或 "
                "address（地址）"},
    [S_DEFAULT] = {"default", false, NULL, "scalar", "what is read while nothing is stored",
                   "还没有值时读到什么"},
    [S_TTL] = {"ttl", false, NULL, "length", "how long after the last write it disappears",
               "最后一次写入后多久消失"},
    [S_ONE_OF] = {"one_of", false, NULL, "texts", "the only values allowed", "只能是这些值"},
    [S_MAX] = {"max", false, NULL, "int 1..16384", "the greatest length of a text",
               "文本的最大长度"},
    [S_FROM] = {"from", false, NULL, "source", "EVENT.FIELD that writes it",
                "由哪个“事件.字段”写入"},
    [S_PUBLIC] = {"public", false, NULL, "bool",
                  "other systems may read it in Redis and follow its changes",
                  "其他系统可以在 Redis 里读到，并收到变化"},
};
enum { A_WHAT, A_OF, A_BY, A_WHERE, A_WINDOW, A_PUBLIC, A_LESS, A_DROP, A_MAX, N_AGG };
/* The first is the kind's own key and is filled in. */
static const struct key_def agg_keys[] = {
    [A_WHAT] = {"", true, NULL, "source",
                "EVENT, or EVENT.FIELD where something is added up or picked",
                "“事件”，或要汇总的“事件.字段”"},
    [A_OF] = {"of", false, NULL, "expr",
              "instead of a field: an expression over `event` and tables",
              "不取字段，而是用 `event` 和表计算"},
    [A_BY] = {"by", false, NULL, "expr", "one value for each of these: the newest 64 are kept",
              "按它分别统计：保留最近的 64 个"},
    [A_WHERE] = {"where", false, NULL, "condition", "only events for which this is true",
                 "只算满足条件的事件"},
    [A_WINDOW] = {"window", false, NULL, "window",
                  "30d = the last 30 local days; 2h = the last two hours (up to 48h); day week "
                  "month year = since it began; none: ever",
                  "30d = 最近 30 个自然日；2h = 最近两小时（最多 48h）；day week month year = "
                  "从本日、周、月、年开始算；不写：累计"},
    [A_PUBLIC] = {"public", false, NULL, "bool",
                  "other systems may read it in Redis and follow its changes",
                  "其他系统可以在 Redis 里读到，并收到变化"},
    [A_LESS] = {"less", false, NULL, "source",
                "what is taken off, at its own time (count: EVENT, sum: EVENT.FIELD)",
                "在它发生时减去（count 写“事件”，sum 写“事件.字段”）"},
    [A_DROP] = {"drop", false, NULL, "source", "EVENT.FIELD that takes a key out of the collection",
                "把某个键移出收藏的“事件.字段”"},
    [A_MAX] = {"max", false, NULL, "int 1..1000",
               "how many keys at most; the oldest leaves (64 if not given)",
               "最多保留几个键，最旧的先离开（不写是 64）"},
};

/* `max` beside `type` or `collect` is a greatest length. */
static int kind_of(const struct yaml_node *n, struct span *at, bool *two)
{
    int kind = -1;
    bool stored = yaml_get(n, "type") || yaml_get(n, "collect");
    *two = false;
    for (uint32_t i = 0; i < n->n; i++) {
        for (int k = 0; k < N_KINDS; k++) {
            if (!str_eqc(n->pairs[i].key, tag_kinds[k].name) || (stored && k == TAG_MAX))
                continue;
            *two = kind >= 0;
            *at = n->pairs[i].key_at;
            if (kind < 0)
                kind = k;
        }
    }
    return kind;
}

/* ---- stored ---------------------------------------------------------------------------------- */

static void read_from(struct load *L, const struct yaml_node *n, struct tag_def *t);

static void load_stored(struct load *L, const struct item *it, struct tag_def *t)
{
    const struct yaml_node *k[N_STORED];
    t->type = &type_error;
    t->from_event = RULE_NONE;
    read_keys(L, it->node, (struct where){"tag", it->name}, stored_keys, N_STORED, NULL, 0, k);
    if (!k[S_TYPE])
        return;
    struct field_type ft = {0};
    /* {type, one_of, max} together are a type in its long form. */
    struct yaml_pair pairs[3];
    struct yaml_node form = {.kind = YAML_MAPPING, .at = it->node->at, .pairs = pairs};
    static const int type_keys[] = {S_TYPE, S_ONE_OF, S_MAX};
    for (size_t i = 0; i < BASE_LEN(type_keys); i++) {
        if (!k[type_keys[i]])
            continue;
        pairs[form.n++] = (struct yaml_pair){.key = str_c(stored_keys[type_keys[i]].name),
                                             .key_at = k[type_keys[i]]->at,
                                             .value = k[type_keys[i]]};
    }
    if (!read_type(L, form.n == 1 ? k[S_TYPE] : &form, "`type`", &ft))
        return;
    if (ft.type->kind == TYPE_RECORD || ft.type->kind == TYPE_LIST) {
        diags_addf(L->d, "G001", k[S_TYPE]->at, (struct str){0}, (struct str){0},
                   "a stored tag is one value, not %s", type_word(ft.type));
        return;
    }
    t->type = ft.type;
    if (k[S_DEFAULT] && !yaml_is_null(k[S_DEFAULT]))
        t->has_default = read_value(L, k[S_DEFAULT], t->type, &t->dflt);
    read_len(L, k[S_TTL], "G005", "`ttl`", &t->ttl_ms);
    read_bool(L, k[S_PUBLIC], "`public`", &t->public_);
    if (t->public_ && t->type->kind == TYPE_ADDRESS)
        diags_addf(L->d, "G006", k[S_PUBLIC]->at, (struct str){0}, (struct str){0},
                   "an address is never public");
    if (k[S_FROM])
        read_from(L, k[S_FROM], t);
}

/* ---- what is aggregated ---------------------------------------------------------------------- */

/* EVENT or EVENT.FIELD (as paths go only one field deep). false = reported. */
static bool read_source(struct load *L, const struct yaml_node *n, uint32_t *event, uint32_t *field)
{
    struct str s;
    *event = *field = RULE_NONE;
    if (!want_text(L, n, "an event", &s))
        return false;
    const char *dot = memchr(s.p, '.', s.n);
    struct str name = {s.p, dot ? (size_t)(dot - s.p) : s.n};
    struct span at = yaml_sub(n, 0, name.n);
    uint32_t e = event_index(L, name);
    if (e == RULE_NONE) {
        unknown(L, "R010", at, "event", name, L->event_names, L->p->schema->n, "events");
        return false;
    }
    *event = e;
    if (L->events[e]->fan_tag.n) {
        diags_addf(L->d, "G018", at, STR("a rule may be triggered by it"), (struct str){0},
                   "`" STR_FMT
                   "` goes to others and is nothing that the member did: it moves no tag",
                   STR_ARG(name));
        return false;
    }
    if (!dot)
        return true;
    const struct type *rec = L->events[e]->fields;
    struct str word = {dot + 1, s.n - name.n - 1};
    int f = type_field(rec, word);
    if (f < 0) {
        struct str *names = ARENA_ARRAY(L->a, struct str, rec->n_fields);
        for (uint32_t i = 0; i < rec->n_fields; i++)
            names[i] = rec->fields[i].name;
        struct str known = join_names(L, names, rec->n_fields);
        diags_addf(L->d, "G002", yaml_sub(n, name.n + 1, s.n),
                   did_you_mean(L, word, names, rec->n_fields),
                   str_c(arena_printf(L->a, "known: " STR_FMT, STR_ARG(known))),
                   "unknown field `" STR_FMT "` of `" STR_FMT "`", STR_ARG(word), STR_ARG(name));
        return false;
    }
    *field = (uint32_t)f;
    return true;
}

static void read_from(struct load *L, const struct yaml_node *n, struct tag_def *t)
{
    uint32_t event, field;
    if (!read_source(L, n, &event, &field))
        return;
    if (field == RULE_NONE) {
        diags_addf(L->d, "G002", n->at, STR("write EVENT.FIELD"), (struct str){0},
                   "`from` names a field of an event");
        return;
    }
    const struct type *ft = L->events[event]->fields->fields[field].type;
    bool text = (ft->kind == TYPE_STRING || ft->kind == TYPE_DATE || ft->kind == TYPE_LUNAR_DATE) &&
                t->type->kind == TYPE_ADDRESS;
    bool fits = text || type_same(ft, t->type) || ft->kind == TYPE_ERROR ||
                (ft->kind == t->type->kind && t->type->n_one_of == 0);
    if (!fits) {
        diags_addf(L->d, "G007", n->at, (struct str){0}, (struct str){0},
                   "tag `" STR_FMT "` is %s, this field is %s", STR_ARG(t->name),
                   type_word(t->type), type_word(ft));
        return;
    }
    t->from_event = event;
    t->from_field = field;
}

static void bad_window(struct load *L, const struct yaml_node *n, struct str s, const char *note)
{
    diags_addf(L->d, "G004", n->at, STR("a length like 30d, or day|week|month|year"), str_c(note),
               "bad window `" STR_FMT "`", STR_ARG(s));
}

static void read_window(struct load *L, const struct yaml_node *n, struct window *w)
{
    static const char *const names[] = {"day", "week", "month", "year"};
    static const enum window_kind kinds[] = {WIN_DAY, WIN_WEEK, WIN_MONTH, WIN_YEAR};
    struct str s;
    int64_t ms;
    if (!n || !want_text(L, n, "`window`", &s))
        return;
    for (size_t i = 0; i < BASE_LEN(names); i++) {
        if (str_eqc(s, names[i])) {
            w->kind = kinds[i];
            return;
        }
    }
    if (time_len(s, &ms) != 0) {
        bad_window(L, n, s,
                   "months differ in length: write 30d (rolling) or month (since the 1st)");
        return;
    }
    bool days = s.p[s.n - 1] == 'd' && ms % TIME_DAY == 0;
    if (days && ms / TIME_DAY <= MAX_WINDOW_DAYS)
        *w = (struct window){WIN_DAYS, ms / TIME_DAY};
    else if (days)
        bad_window(L, n, s, "at most 3660d");
    else if (ms > MAX_WINDOW_LEN)
        bad_window(L, n, s, "windows in hours or minutes reach up to 48h; longer ones count days");
    else if (ms % TIME_MIN != 0)
        bad_window(L, n, s, "windows move by the minute");
    else
        *w = (struct window){WIN_LENGTH, ms};
}

/* Of a streak: how long it may rest. */
static void read_pause(struct load *L, const struct yaml_node *n, struct window *w)
{
    struct str s;
    int64_t ms;
    if (!n || !want_text(L, n, "`window`", &s))
        return;
    if (time_len(s, &ms) != 0 || ms < TIME_MIN || ms % TIME_MIN != 0 ||
        ms > MAX_WINDOW_DAYS * TIME_DAY)
        diags_addf(L->d, "G004", n->at, STR("a length like 2h or 1d"),
                   STR("the window of a streak is its longest pause: whole minutes, at most 3660d"),
                   "bad window `" STR_FMT "`", STR_ARG(s));
    else
        *w = (struct window){WIN_LENGTH, ms};
}

static bool is_numeric(const struct type *t)
{
    return t->kind == TYPE_INT || t->kind == TYPE_DOUBLE || t->kind == TYPE_MONEY;
}

static bool is_scalar(const struct type *t)
{
    return t->kind != TYPE_LIST && t->kind != TYPE_MAP && t->kind != TYPE_RECORD &&
           t->kind != TYPE_NULL && t->kind != TYPE_ADDRESS;
}

/* `distinct` is exact to here, then it stands still; expressions refuse to ask for more. */
static const struct type distinct_int = {.kind = TYPE_INT, .name = {"int", 3}, .most = 256};

/* What each kind takes and gives. */
static const struct type *result_type(enum tag_kind k, const struct type *arg)
{
    switch (k) {
    case TAG_COUNT:
    case TAG_STREAK:
        return &type_int;
    case TAG_DISTINCT:
        return &distinct_int;
    case TAG_AVG:
        return &type_double;
    case TAG_GAP:
        return &type_duration;
    case TAG_SUM:
    case TAG_MIN:
    case TAG_MAX:
    case TAG_FIRST:
    case TAG_LAST:
        return arg;
    case TAG_COLLECT: /* a list of them: see read_set */
    case TAG_STORED:
    case TAG_VALUE:
    case TAG_LEVELS:
        break;
    }
    return &type_error;
}

static bool takes(enum tag_kind k, const struct type *arg, const char **needs)
{
    if (arg->kind == TYPE_ERROR)
        return true;
    if (k == TAG_SUM || k == TAG_AVG) {
        *needs = "a number";
        return is_numeric(arg);
    }
    if (k == TAG_MIN || k == TAG_MAX) {
        *needs = "a number, a date or a time";
        return is_numeric(arg) || arg->kind == TYPE_DATE || arg->kind == TYPE_TIMESTAMP ||
               arg->kind == TYPE_DURATION;
    }
    if (k == TAG_COLLECT) {
        *needs = "a text";
        return arg->kind == TYPE_STRING || arg->kind == TYPE_DATE;
    }
    *needs = "a single value";
    return is_scalar(arg);
}

static void check_arg(struct load *L, const struct yaml_node *what, struct tag_def *t,
                      const struct yaml_node *of)
{
    bool alone = t->kind == TAG_COUNT || t->kind == TAG_GAP;
    const char *key = tag_kinds[t->kind].name, *needs = "";
    if (alone && (t->field != RULE_NONE || of)) {
        diags_addf(L->d, "G008", what->at, STR("write the event alone"), (struct str){0},
                   "%s needs an event, not one of its fields", key);
        t->field = RULE_NONE;
        return;
    }
    if (alone)
        return;
    if ((t->field == RULE_NONE) == (of == NULL)) {
        diags_addf(L->d, "G008", what->at, STR("write EVENT.FIELD, or EVENT with of: EXPRESSION"),
                   (struct str){0}, "%s needs to know of what", key);
        return;
    }
    if (of && !t->of)
        return; /* reported */
    t->arg = t->of ? expr_type(t->of) : L->events[t->event]->fields->fields[t->field].type;
    if (takes(t->kind, t->arg, &needs))
        return;
    if (of)
        diags_addf(L->d, "G003", expr_span(of), (struct str){0}, (struct str){0},
                   "%s needs %s, this is %s", key, needs, type_word(t->arg));
    else
        diags_addf(L->d, "G003", what->at, (struct str){0}, (struct str){0},
                   "%s needs %s, `" STR_FMT "` is %s", key, needs,
                   STR_ARG(L->events[t->event]->fields->fields[t->field].name), type_word(t->arg));
    t->arg = &type_error;
}

static void read_by(struct load *L, const struct yaml_node *n, const struct expr_env *env,
                    struct tag_def *t)
{
    t->by = compile(L, n, env, NULL, STR("`by`"));
    if (!t->by)
        return;
    const struct type *key = expr_type(t->by);
    if (key->kind != TYPE_STRING && key->kind != TYPE_DATE) {
        diags_addf(L->d, "G009", expr_span(n), (struct str){0}, STR("use string(...)"),
                   "`by` must be string, this is %s", type_word(key));
        return;
    }
    struct type *map = ARENA_NEW(L->a, struct type);
    *map = (struct type){.kind = TYPE_MAP, .key = &type_string, .elem = t->type, .max = 64};
    t->type = map;
}

/* A key of aggregates that this kind cannot have. */
static bool misplaced(enum tag_kind k, int key)
{
    switch (key) {
    case A_LESS:
        return k != TAG_COUNT && k != TAG_SUM;
    case A_DROP:
    case A_MAX:
        return k != TAG_COLLECT;
    case A_BY:
        return k == TAG_STREAK || k == TAG_COLLECT;
    case A_WINDOW:
        return k == TAG_COLLECT;
    default:
        return false;
    }
}

static void check_keys(struct load *L, const struct item *it, const struct tag_def *t,
                       const struct yaml_node **k)
{
    static const char *const why[N_AGG] = {
        [A_LESS] = "`less` goes with count and sum",
        [A_DROP] = "`drop` goes with collect",
        [A_MAX] = "`max` goes with collect",
        [A_BY] = "a streak is told apart by `of`, a collection has its keys already",
        [A_WINDOW] = "a collection keeps a key until it is dropped or the newest `max` push it out",
    };
    for (int i = 0; i < N_AGG; i++) {
        if (!k[i] || !misplaced(t->kind, i))
            continue;
        const struct yaml_pair *p = yaml_pair(it->node, str_c(agg_keys[i].name));
        diags_addf(L->d, "G016", p->key_at, STR("leave it out"), str_c(why[i]),
                   "`%s` does not go with %s", agg_keys[i].name, tag_kinds[t->kind].name);
        k[i] = NULL;
    }
}

/* Another event that moves this tag too; the field, where one is wanted, must be there. */
static bool read_other(struct load *L, const struct yaml_node *n, const char *key, bool wants_field,
                       uint32_t *event, uint32_t *field)
{
    if (!read_source(L, n, event, field))
        return false;
    if (L->events[*event]->profile) {
        diags_addf(L->d, "G010", n->at, (struct str){0}, (struct str){0},
                   "`profile` writes stored tags and cannot be aggregated");
        return false;
    }
    if ((*field != RULE_NONE) == wants_field)
        return true;
    diags_addf(
        L->d, "G008", n->at, wants_field ? STR("write EVENT.FIELD") : STR("write the event alone"),
        (struct str){0},
        wants_field ? "`%s` needs to know of what" : "`%s` needs an event, not one of its fields",
        key);
    return false;
}

static void read_less(struct load *L, const struct yaml_node *const *k, struct tag_def *t)
{
    const struct yaml_node *n = k[A_LESS];
    bool field = t->kind == TAG_SUM;
    if (k[A_BY] || k[A_WHERE]) {
        diags_addf(L->d, "G017", n->at, STR("make two tags, and a `value` that subtracts"),
                   STR("which of the other events belong to these cannot be known"),
                   "`less` does not go with `%s`", k[A_BY] ? "by" : "where");
        return;
    }
    if (!read_other(L, n, "less", field, &t->less_event, &t->less_field))
        return;
    t->has_less = true;
    if (!field || t->arg->kind == TYPE_ERROR)
        return;
    const struct type *off = L->events[t->less_event]->fields->fields[t->less_field].type;
    if (off->kind == t->arg->kind || off->kind == TYPE_ERROR ||
        (t->arg->kind == TYPE_DOUBLE && is_numeric(off)))
        return;
    diags_addf(L->d, "G003", n->at, (struct str){0}, (struct str){0},
               "this sum is of %s, and `less` is %s", type_word(t->arg), type_word(off));
}

static void read_set(struct load *L, const struct yaml_node *const *k, struct tag_def *t)
{
    int64_t max = COLLECT_DEFAULT;
    if (k[A_MAX])
        read_int(L, k[A_MAX], "`max`", 1, COLLECT_MAX, &max);
    t->max = (uint32_t)max;
    struct type *list = ARENA_NEW(L->a, struct type);
    *list = (struct type){.kind = TYPE_LIST, .elem = t->arg, .max = t->max};
    if (t->arg->kind != TYPE_ERROR)
        t->type = list;
    if (!k[A_DROP] || !read_other(L, k[A_DROP], "drop", true, &t->drop_event, &t->drop_field))
        return;
    t->has_drop = true;
    const struct type *off = L->events[t->drop_event]->fields->fields[t->drop_field].type;
    if (off->kind != t->arg->kind && off->kind != TYPE_ERROR && t->arg->kind != TYPE_ERROR)
        diags_addf(L->d, "G003", k[A_DROP]->at, (struct str){0}, (struct str){0},
                   "what is collected is %s, and `drop` is %s", type_word(t->arg), type_word(off));
}

static void load_aggregate(struct load *L, const struct item *it, struct tag_def *t)
{
    const struct yaml_node *k[N_AGG];
    struct key_def keys[N_AGG];
    memcpy(keys, agg_keys, sizeof keys);
    keys[A_WHAT].name = tag_kinds[t->kind].name;
    t->type = &type_error;
    t->event = t->field = RULE_NONE;
    read_keys(L, it->node, (struct where){"tag", it->name}, keys, N_AGG, NULL, 0, k);
    check_keys(L, it, t, k);
    if (t->kind == TAG_STREAK)
        read_pause(L, k[A_WINDOW], &t->window);
    else
        read_window(L, k[A_WINDOW], &t->window);
    read_bool(L, k[A_PUBLIC], "`public`", &t->public_);
    if (!k[A_WHAT] || !read_source(L, k[A_WHAT], &t->event, &t->field))
        return;
    if (L->events[t->event]->profile) {
        diags_addf(L->d, "G010", k[A_WHAT]->at, (struct str){0}, (struct str){0},
                   "`profile` writes stored tags and cannot be aggregated");
        return;
    }
    struct expr_env env = env_event(L, t->event);
    if (k[A_OF])
        t->of = compile(L, k[A_OF], &env, NULL, STR("`of`"));
    if (k[A_WHERE])
        t->where = compile_bool(L, k[A_WHERE], &env);
    t->arg = &type_error;
    check_arg(L, k[A_WHAT], t, k[A_OF]);
    t->type = result_type(t->kind, t->arg);
    if (k[A_LESS])
        read_less(L, k, t);
    if (t->kind == TAG_COLLECT)
        read_set(L, k, t);
    if (k[A_BY])
        read_by(L, k[A_BY], &env, t);
    if (k[A_BY] && t->public_)
        diags_addf(L->d, "G015", k[A_PUBLIC]->at, STR("make a `value` tag of it"), (struct str){0},
                   "a tag with a value for each key cannot be public");
}

/* ---- the section ----------------------------------------------------------------------------- */

/* Whose state this is: name, what was written (keys sorted), and the type that is summed.  What only
 * changes how a value is shown or how long it counts does not make another tag. */
static uint64_t def_hash(const struct tag_def *t, const struct yaml_node *n)
{
    static const char *const shown[] = {"public", "max", "default", "ttl", "one_of", "from"};
    struct buf b;
    buf_init(&b, 2 * YAML_MAX_BYTES);
    buf_addstr(&b, t->name);
    uint32_t done = 0;
    struct str last = {0};
    for (; done < n->n; done++) { /* selection by key: mappings here are small */
        const struct yaml_pair *least = NULL;
        for (uint32_t i = 0; i < n->n; i++) {
            const struct yaml_pair *p = &n->pairs[i];
            if ((done == 0 || str_cmp(p->key, last) > 0) &&
                (!least || str_cmp(p->key, least->key) < 0))
                least = p;
        }
        if (!least)
            break;
        last = least->key;
        bool skip = false;
        for (size_t i = 0; i < BASE_LEN(shown); i++)
            skip |= str_eqc(last, shown[i]) &&
                    (i == 0 || t->kind == TAG_STORED || (i == 1 && t->kind == TAG_COLLECT));
        if (skip)
            continue;
        buf_addc(&b, '\0');
        buf_addstr(&b, last);
        buf_addc(&b, '\0');
        yaml_write(least->value, &b);
    }
    buf_addf(&b, "#%d", t->arg ? (int)t->arg->kind : 0);
    uint8_t sha[32];
    hash_sha256(b.p, b.n, sha);
    buf_free(&b);
    uint64_t h = 0;
    for (int i = 0; i < 8; i++)
        h = h << 8 | sha[i];
    return h;
}

static bool tag_optional(const struct tag_def *t)
{
    switch (t->kind) {
    case TAG_STORED:
        return !t->has_default;
    case TAG_COUNT:
    case TAG_SUM:
    case TAG_DISTINCT:
    case TAG_STREAK:
    case TAG_COLLECT:
    case TAG_LEVELS:
        return false;
    case TAG_VALUE:
        return t->type->kind != TYPE_BOOL;
    case TAG_AVG:
    case TAG_MIN:
    case TAG_MAX:
    case TAG_FIRST:
    case TAG_LAST:
    case TAG_GAP:
        break;
    }
    return !t->by; /* a map of nothing is empty, not absent */
}

void tag_field(struct load *L, const struct tag_def *t)
{
    L->member_fields[t->index].type = t->type;
    L->member_fields[t->index].optional = tag_optional(t);
}

static void bad_kind(struct load *L, const struct item *it, struct span at, bool two)
{
    struct str names[N_KINDS];
    for (int k = 0; k < N_KINDS; k++)
        names[k] = str_c(tag_kinds[k].name);
    struct str known = join_names(L, names, N_KINDS);
    struct str label = {0};
    for (uint32_t i = 0; i < it->node->n && !label.n && !two; i++)
        label = did_you_mean(L, it->node->pairs[i].key, names, N_KINDS);
    diags_addf(L->d, "G011", two ? at : it->name_at, label,
               str_c(arena_printf(L->a, "one of: " STR_FMT, STR_ARG(known))),
               "tag `" STR_FMT "` needs exactly one of the keys that say what it is",
               STR_ARG(it->name));
}

static void name_tags(struct load *L)
{
    const struct items *t = &L->items[SEC_TAGS];
    struct str *names = ARENA_ARRAY(L->a, struct str, t->n + 1);
    struct type *member = ARENA_NEW(L->a, struct type);
    L->tags = ARENA_ARRAY(L->a, struct tag_def, t->n + 1);
    L->tag_broken = ARENA_ARRAY(L->a, bool, t->n + 1);
    L->member_fields = ARENA_ARRAY(L->a, struct field, t->n + 1);
    for (uint32_t i = 0; i < t->n; i++) {
        names[i] = t->v[i].name;
        L->tags[i] = (struct tag_def){.name = names[i],
                                      .index = i,
                                      .type = &type_error,
                                      .from_event = RULE_NONE,
                                      .event = RULE_NONE,
                                      .field = RULE_NONE};
        L->member_fields[i] = (struct field){.name = names[i], .type = &type_error};
        if (str_eqc(names[i], "id"))
            diags_addf(L->d, "S005", t->v[i].name_at, STR("give it another name"), (struct str){0},
                       "`member.id` is there already: the member's own id");
    }
    L->member_fields[t->n] = (struct field){.name = STR("id"), .type = &type_string};
    *member = (struct type){.kind = TYPE_RECORD,
                            .fields = L->member_fields,
                            .n_fields = t->n + 1,
                            .name = STR("member")};
    L->tag_names = names;
    L->p->tags = L->tags;
    L->p->n_tags = t->n;
    L->p->member = member;
}

static void load_tag(struct load *L, const struct item *it, struct tag_def *t, int kind, bool two,
                     struct span at)
{
    size_t before = diags_errors(L->d);
    bool map = it->node->kind == YAML_MAPPING;
    t->kind = kind >= 0 ? (enum tag_kind)kind : TAG_STORED;
    if (!map)
        want_map(L, it->node, arena_printf(L->a, "tag `" STR_FMT "`", STR_ARG(it->name)));
    else if (kind < 0 || two)
        bad_kind(L, it, at, kind >= 0);
    else if (kind == TAG_STORED)
        load_stored(L, it, t);
    else if (kind < TAG_VALUE)
        load_aggregate(L, it, t);
    if (diags_errors(L->d) > before) {
        L->tag_broken[t->index] = true;
        t->type = &type_error;
    }
    if (map)
        t->def_hash = def_hash(t, it->node);
    tag_field(L, t);
}

void load_tags(struct load *L)
{
    name_tags(L);
    const struct items *t = &L->items[SEC_TAGS];
    for (int pass = 0; pass < 2;
         pass++) { /* stored ones first: profile's fields are made of them */
        for (uint32_t i = 0; i < t->n; i++) {
            const struct item *it = &t->v[i];
            struct span at = it->name_at;
            bool two = false, map = it->node->kind == YAML_MAPPING;
            int kind = map ? kind_of(it->node, &at, &two) : -1;
            bool stored = kind == TAG_STORED && !two;
            if (pass == 0) /* profile must not take the others for stored ones */
                L->tags[i].kind = stored ? TAG_STORED : kind > 0 ? (enum tag_kind)kind : TAG_COUNT;
            if (stored == (pass == 0))
                load_tag(L, it, &L->tags[i], kind, two, at);
        }
        if (pass == 0)
            load_profile(L);
    }
    load_derived(L);
}

/* ---- for the schema and the reference -------------------------------------------------------- */

size_t tag_kind_keys(enum tag_kind k, struct key_def keys[TAG_KEYS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; k == TAG_STORED && i < N_STORED; i++)
        keys[n++] = stored_keys[i];
    for (int i = 0; k != TAG_STORED && k < TAG_VALUE && i < N_AGG; i++) {
        if (misplaced(k, i))
            continue;
        bool no_of = (k == TAG_COUNT || k == TAG_GAP) && i == A_OF;
        if (!no_of)
            keys[n++] = i == A_WHAT ? tag_kinds[k] : agg_keys[i];
    }
    const struct key_table *t = k == TAG_VALUE ? &value_table : &levels_table;
    for (size_t i = 0; k >= TAG_VALUE && i < t->n; i++)
        keys[n++] = t->keys[i];
    return n;
}

const struct key_def *tag_kind_key(enum tag_kind k)
{
    return &tag_kinds[k];
}
