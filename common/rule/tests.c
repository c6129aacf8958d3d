/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `tests:` section (rules.md §10): what is fed when, and what is expected.  Running them is the
 * business of the fold's drivers; here everything is checked and decoded.
 */
#include "test_priv.h"

enum { K_START, K_RULES, K_BUCKETS, K_MEMBERS, K_STEPS, K_NOTE, N_KEYS };
static const struct key_def test_keys[] = {
    [K_START] = {"start", true, NULL, "local_time",
                 "local time at which it begins, like \"2026-03-02 10:00\"",
                 "从哪个本地时间开始，例如 \"2026-03-02 10:00\""},
    [K_RULES] = {"rules", false, NULL, "rules", "only these rules; all if not given",
                 "只运行这些规则；不写就是全部"},
    [K_BUCKETS] = {"buckets", false, NULL, "buckets",
                   "RULE: ARM, so that a split does not depend on the member's id",
                   "规则: 分组，让分流不取决于会员号"},
    [K_MEMBERS] =
        {"members", true, NULL, "members_of_test",
         "the members and their stored tags; $fail: [gateway] and $holdout: true steer the test",
         "会员和他们的存储标签；$fail: [通道] 和 $holdout: true 用来控制测试"},
    [K_STEPS] = {"steps", true, NULL, "test_steps", "what happens and what is expected, in order",
                 "依次发生什么、期望什么"},
    [K_NOTE] = {"note", false, NULL, "text", "for people", "给人看的说明"},
};
const struct key_table test_table = {"test", test_keys, BASE_LEN(test_keys), "a test", "一个测试"};
enum { S_AT, S_MEMBER, S_EVENT, S_TIME, S_DATA, S_EXPECT, S_WITHHELD, S_EXPECT_MEMBER, N_STEP };
static const struct key_def step_keys[] = {
    [S_AT] = {"at", true, NULL, "test_time", "+LEN after the start, or a local time",
              "+时长（从开始算），或本地时间"},
    [S_MEMBER] = {"member", false, NULL, "text",
                  "whose event; may be left out when there is one member",
                  "谁的事件；只有一位会员时可以不写"},
    [S_EVENT] = {"event", false, NULL, "event", "feeds this event", "发生这个事件"},
    [S_TIME] = {"time", false, NULL, "test_time", "its event time, when it arrives late",
                "事件时间（迟到时写）"},
    [S_DATA] = {"data", false, NULL, "map", "the record's fields", "记录的字段"},
    [S_EXPECT] = {"expect", false, NULL, "expects",
                  "every message since the last `expect`, in order; [] = none",
                  "自上次 `expect` 以来的全部消息，按顺序；[] = 没有"},
    [S_WITHHELD] = {"withheld", false, NULL, "withhelds", "messages that were refused, and why",
                    "被拦下的消息和原因"},
    [S_EXPECT_MEMBER] = {"expect_member", false, NULL, "map", "what tags read; `unset` = absent",
                         "标签的值；`unset` = 没有"},
};
const struct key_table test_step_table = {"test_step", step_keys, BASE_LEN(step_keys),
                                          "a step of a test", "测试的一步"};
enum { E_SEND, E_TO, E_VIA, E_AT, E_WITH, N_EXPECT };
static const struct key_def expect_keys[] = {
    [E_SEND] = {"send", false, NULL, "message", "the message", "消息"},
    [E_TO] = {"to", false, NULL, "text", "the member", "会员"},
    [E_VIA] = {"via", false, NULL, "gateway", "the gateway", "通道"},
    [E_AT] = {"at", false, NULL, "test_time", "when", "什么时候"},
    [E_WITH] = {"with", false, NULL, "map", "its parameters; those not written are not compared",
                "参数；没写的不比较"},
};
const struct key_table expect_table = {"expect", expect_keys, BASE_LEN(expect_keys),
                                       "an entry of `expect`", "`expect` 的一项"};
enum { W_SEND, W_TO, W_BECAUSE, N_WITHHELD };
static const struct key_def withheld_keys[] = {
    [W_SEND] = {"send", false, NULL, "message", "the message", "消息"},
    [W_TO] = {"to", false, NULL, "text", "the member", "会员"},
    [W_BECAUSE] = {"because", false, NULL, "text", "the reason", "原因"},
};
const struct key_table withheld_table = {"withheld", withheld_keys, BASE_LEN(withheld_keys),
                                         "an entry of `withheld`", "`withheld` 的一项"};

struct test_load {
    struct load *L;
    struct test_def *t;
};

/* ---- times ----------------------------------------------------------------------------------- */

/* "2026-03-02 10:00", seconds allowed. */
static bool local_time(const struct load *L, struct str s, int64_t *ms)
{
    int64_t day, sec = 0;
    int32_t minute;
    if (s.n != 16 && s.n != 19)
        return false;
    if (!read_date_word((struct str){s.p, 10}, &day) || s.p[10] != ' ' ||
        time_clock((struct str){s.p + 11, 5}, &minute) != 0)
        return false;
    if (s.n == 19 &&
        (s.p[16] != ':' || str_i64((struct str){s.p + 17, 2}, &sec) != 0 || sec < 0 || sec > 59))
        return false;
    *ms = time_at(L->p->tz, day, minute) + sec * TIME_SEC;
    return true;
}

/* +LEN after the start, or a local time. */
static bool read_time(struct test_load *T, const struct yaml_node *n, const char *what, int64_t *ms)
{
    struct str s;
    int64_t len = 0;
    if (!n || !want_text(T->L, n, what, &s))
        return false;
    if (s.n > 1 && s.p[0] == '+') {
        struct str rest = {s.p + 1, s.n - 1};
        bool zero = str_eqc(rest, "0s") || str_eqc(rest, "0") || str_eqc(rest, "0m");
        if (zero || time_len(rest, &len) == 0) {
            *ms = T->t->start_ms + len;
            return true;
        }
    } else if (local_time(T->L, s, ms)) {
        return true;
    }
    diags_addf(T->L->d, "S020", n->at, STR("write like +90m or \"2026-03-02 10:00\""),
               (struct str){0}, "bad time `" STR_FMT "`", STR_ARG(s));
    return false;
}

/* ---- members --------------------------------------------------------------------------------- */

static void read_fail(struct load *L, const struct yaml_node *n, struct test_member *m)
{
    const struct yaml_node *const *items, *one;
    uint32_t count = as_list(n, &items, &one);
    struct str *v = ARENA_ARRAY(L->a, struct str, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        if (!want_text(L, items[i], "a gateway", &v[m->n_fail]))
            continue;
        if (gateway_index(L, v[m->n_fail]) == RULE_NONE)
            unknown(L, "M008", items[i]->at, "gateway", v[m->n_fail], NULL, 0, NULL);
        m->n_fail++;
    }
    m->fail = v;
}

static void read_member_tag(struct load *L, const struct yaml_pair *p, struct test_member *m,
                            struct param *v)
{
    uint32_t t = name_index(L->tag_names, L->p->n_tags, p->key);
    if (t == RULE_NONE) {
        unknown(L, "R011", p->key_at, "tag", p->key, L->tag_names, L->p->n_tags, NULL);
        return;
    }
    if (L->tags[t].kind != TAG_STORED) {
        diags_addf(L->d, "D013", p->key_at, STR("feed the events that it is computed from"),
                   (struct str){0}, "tag `" STR_FMT "` is computed and cannot be set",
                   STR_ARG(p->key));
        return;
    }
    if (yaml_is_null(p->value))
        return;
    struct param *to = &v[m->n_tags];
    to->name = p->key;
    if (read_value(L, p->value, L->tags[t].type, &to->value))
        m->n_tags++;
}

static void read_members(struct test_load *T, const struct yaml_node *n)
{
    struct load *L = T->L;
    if (!want_map(L, n, "`members`"))
        return;
    struct test_member *v = ARENA_ARRAY(L->a, struct test_member, n->n + 1);
    for (uint32_t i = 0; i < n->n; i++) {
        const struct yaml_node *tags = n->pairs[i].value;
        struct test_member *m = &v[i];
        m->name = n->pairs[i].key;
        if (yaml_is_null(tags) || !want_map(L, tags, "a member"))
            continue;
        struct param *params = ARENA_ARRAY(L->a, struct param, tags->n + 1);
        for (uint32_t k = 0; k < tags->n; k++) {
            const struct yaml_pair *p = &tags->pairs[k];
            if (str_eqc(p->key, "$fail"))
                read_fail(L, p->value, m);
            else if (str_eqc(p->key, "$holdout"))
                read_bool(L, p->value, "`$holdout`", &m->holdout);
            else
                read_member_tag(L, p, m, params);
        }
        m->tags = params;
    }
    T->t->members = v;
    T->t->n_members = n->n;
}

/* The member that a node names; without one, the only one there is. */
static bool pick_member(struct test_load *T, const struct yaml_node *n, struct span at,
                        struct str *out)
{
    struct load *L = T->L;
    const struct test_def *t = T->t;
    if (!n) {
        if (t->n_members == 1) {
            *out = t->members[0].name;
            return true;
        }
        diags_addf(L->d, "S021", at, STR("add `member:`"), (struct str){0},
                   "this test has several members");
        return false;
    }
    if (!want_text(L, n, "a member", out))
        return false;
    struct str *names = ARENA_ARRAY(L->a, struct str, t->n_members + 1);
    for (uint32_t i = 0; i < t->n_members; i++) {
        names[i] = t->members[i].name;
        if (str_eq(names[i], *out))
            return true;
    }
    unknown(L, "S021", n->at, "member", *out, names, t->n_members, "members");
    return false;
}

/* ---- what is expected ------------------------------------------------------------------------ */

static uint32_t read_message(struct load *L, const struct yaml_node *n, struct str *out)
{
    if (!n || !want_text(L, n, "a message", out))
        return RULE_NONE;
    uint32_t m = message_index(L, *out);
    if (m == RULE_NONE)
        unknown(L, "D010", n->at, "message", *out, L->message_names, L->p->n_messages, "messages");
    return m;
}

static void read_with(struct load *L, const struct yaml_node *n, uint32_t message,
                      struct test_expect *e)
{
    if (!want_map(L, n, "`with`"))
        return;
    struct param *v = ARENA_ARRAY(L->a, struct param, n->n + 1);
    for (uint32_t i = 0; i < n->n; i++) {
        const struct yaml_pair *p = &n->pairs[i];
        const struct message_def *m = message == RULE_NONE ? NULL : &L->messages[message];
        uint32_t k = 0;
        while (m && k < m->n_params && !str_eq(m->params[k], p->key))
            k++;
        if (m && k == m->n_params) {
            diags_addf(L->d, "D012", p->key_at, did_you_mean(L, p->key, m->params, m->n_params),
                       (struct str){0}, "message `" STR_FMT "` has no parameter `" STR_FMT "`",
                       STR_ARG(m->name), STR_ARG(p->key));
            continue;
        }
        static const struct type texts = {.kind = TYPE_LIST, .elem = &type_string, .max = 64};
        const struct type *t = p->value->kind == YAML_SEQUENCE ? &texts : &type_string;
        v[e->n_with].name = p->key;
        if (read_value(L, p->value, t, &v[e->n_with].value))
            e->n_with++;
    }
    e->with = v;
}

static void read_expect(struct test_load *T, const struct yaml_node *n, struct test_step *s)
{
    struct load *L = T->L;
    if (!want_list(L, n, "`expect`"))
        return;
    struct test_expect *v = ARENA_ARRAY(L->a, struct test_expect, n->n + 1);
    for (uint32_t i = 0; i < n->n; i++) {
        const struct yaml_node *k[N_EXPECT];
        struct test_expect *e = &v[s->n_expect++];
        *e = (struct test_expect){.at_ms = INT64_MIN, .span = n->items[i]->at};
        if (!read_keys(L, n->items[i], (struct where){"`expect`", {0}}, expect_keys, N_EXPECT, NULL,
                       0, k))
            continue;
        uint32_t m = read_message(L, k[E_SEND], &e->send);
        if (k[E_TO])
            pick_member(T, k[E_TO], k[E_TO]->at, &e->to);
        if (k[E_VIA] && want_text(L, k[E_VIA], "`via`", &e->via) &&
            gateway_index(L, e->via) == RULE_NONE)
            unknown(L, "M008", k[E_VIA]->at, "gateway", e->via, NULL, 0, NULL);
        read_time(T, k[E_AT], "`at`", &e->at_ms);
        if (k[E_WITH])
            read_with(L, k[E_WITH], m, e);
    }
    s->expect = v;
    s->has_expect = true;
}

static void read_withheld(struct test_load *T, const struct yaml_node *n, struct test_step *s)
{
    struct load *L = T->L;
    if (!want_list(L, n, "`withheld`"))
        return;
    struct test_withheld *v = ARENA_ARRAY(L->a, struct test_withheld, n->n + 1);
    for (uint32_t i = 0; i < n->n; i++) {
        const struct yaml_node *k[N_WITHHELD];
        struct test_withheld *w = &v[s->n_withheld++];
        *w = (struct test_withheld){.span = n->items[i]->at};
        if (!read_keys(L, n->items[i], (struct where){"`withheld`", {0}}, withheld_keys, N_WITHHELD,
                       NULL, 0, k))
            continue;
        read_message(L, k[W_SEND], &w->send);
        if (k[W_TO])
            pick_member(T, k[W_TO], k[W_TO]->at, &w->to);
        if (k[W_BECAUSE])
            want_text(L, k[W_BECAUSE], "`because`", &w->because);
    }
    s->withheld = v;
    s->has_withheld = true;
}

static void read_tag_texts(struct load *L, const struct yaml_node *n, struct str member,
                           struct test_step *s, struct test_tag *v)
{
    for (uint32_t i = 0; i < n->n; i++) {
        const struct yaml_pair *p = &n->pairs[i];
        struct str text = {0};
        if (name_index(L->tag_names, L->p->n_tags, p->key) == RULE_NONE) {
            unknown(L, "R011", p->key_at, "tag", p->key, L->tag_names, L->p->n_tags, NULL);
            continue;
        }
        bool null = yaml_is_null(p->value);
        if (!null && !want_text(L, p->value, "a tag's value", &text))
            continue;
        bool unset = null || (p->value->style == YAML_PLAIN && str_eqc(text, "unset"));
        v[s->n_tags++] = (struct test_tag){
            .member = member, .tag = p->key, .value = text, .unset = unset, .span = p->key_at};
    }
}

/* {TAG: value} of one member, or {MEMBER: {TAG: value}}. */
static void read_expect_member(struct test_load *T, const struct yaml_node *n,
                               const struct yaml_node *member, struct test_step *s)
{
    struct load *L = T->L;
    struct str name;
    if (!want_map(L, n, "`expect_member`"))
        return;
    bool nested = n->n > 0 && n->pairs[0].value->kind == YAML_MAPPING;
    uint32_t total = n->n;
    for (uint32_t i = 0; nested && i < n->n; i++)
        total += n->pairs[i].value->n;
    struct test_tag *v = ARENA_ARRAY(L->a, struct test_tag, total + 1);
    s->tags = v;
    if (!nested) {
        if (pick_member(T, member, n->at, &name))
            read_tag_texts(L, n, name, s, v);
        return;
    }
    for (uint32_t i = 0; i < n->n; i++) {
        struct yaml_node key = {.kind = YAML_SCALAR, .style = YAML_DOUBLE};
        key.at = n->pairs[i].key_at;
        key.text = n->pairs[i].key;
        if (pick_member(T, &key, key.at, &name) &&
            want_map(L, n->pairs[i].value, "a member's tags"))
            read_tag_texts(L, n->pairs[i].value, name, s, v);
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

enum { R_MESSAGE, R_STATUS, N_RECEIPT };
static const struct key_def receipt_keys[] = {
    [R_MESSAGE] = {"message", true, NULL, "message", "which message", "哪条消息"},
    [R_STATUS] = {"status", true, NULL, "delivered|read|clicked|replied|opted_out",
                  "what became of it", "后来怎样"},
};
const struct key_table receipt_table = {"receipt", receipt_keys, BASE_LEN(receipt_keys),
                                        "the `data` of a receipt", "回执的 `data`"};

/* {event: receipt, data: {message: M, status: clicked}}: what members do with what they got.  Sent and
 * failed come by themselves. */
static void read_receipt(struct test_load *T, const struct yaml_node **k, struct test_step *s)
{
    struct load *L = T->L;
    const struct yaml_node *data[N_RECEIPT];
    struct str message, status;
    if (!k[S_DATA]) {
        diags_addf(L->d, "S022", k[S_EVENT]->at, STR("add `data: {message: M, status: clicked}`"),
                   (struct str){0}, "a receipt says of which message, and what");
        return;
    }
    if (!read_keys(L, k[S_DATA], (struct where){"a receipt", {0}}, receipt_keys, N_RECEIPT, NULL, 0,
                   data) ||
        !pick_member(T, k[S_MEMBER], k[S_EVENT]->at, &s->member) ||
        !want_text(L, data[R_MESSAGE], "`message`", &message) ||
        !want_text(L, data[R_STATUS], "`status`", &status))
        return;
    if (str_eqc(status, "sent") || str_eqc(status, "failed"))
        diags_addf(L->d, "S022", data[R_STATUS]->at,
                   STR("`$fail` on a member makes a gateway fail"), (struct str){0},
                   "`sent` and `failed` come by themselves in a test");
    else if (read_word(L, data[R_STATUS], "`status`", receipt_keys[R_STATUS].type) < 0)
        return;
    if (name_index(L->message_names, L->p->n_messages, message) == RULE_NONE) {
        unknown(L, "D010", data[R_MESSAGE]->at, "message", message, L->message_names,
                L->p->n_messages, "messages");
        return;
    }
    s->message = message;
    s->status = status;
}

static void read_event_step(struct test_load *T, const struct yaml_node **k,
                            const struct yaml_node *n, struct test_step *s, uint32_t number)
{
    struct load *L = T->L;
    uint32_t e = read_event(L, k[S_EVENT]);
    if (e == RULE_NONE)
        return;
    if (L->events[e]->receipt) {
        read_receipt(T, k, s);
        return;
    }
    s->time_ms = s->at_ms;
    bool timed = !k[S_TIME] || read_time(T, k[S_TIME], "`time`", &s->time_ms);
    bool fan = L->events[e]->fan_tag.n > 0;
    if (fan && k[S_MEMBER])
        diags_addf(L->d, "S021", k[S_MEMBER]->at, STR("leave it out"), (struct str){0},
                   "`" STR_FMT "` goes to all whose collection holds its key",
                   STR_ARG(L->event_names[e]));
    if ((!fan && !pick_member(T, k[S_MEMBER], k[S_EVENT]->at, &s->member)) || !timed)
        return;
    s->event = L->events[e];
    test_event(L, k[S_DATA], s, number, k[S_DATA] ? k[S_DATA]->at : n->at);
}

static void read_step(struct test_load *T, const struct yaml_node *n, struct test_step *s,
                      uint32_t number, int64_t *last)
{
    struct load *L = T->L;
    const struct yaml_node *k[N_STEP];
    s->span = n->at;
    if (!read_keys(L, n, (struct where){"a step", {0}}, step_keys, N_STEP, NULL, 0, k) ||
        !read_time(T, k[S_AT], "`at`", &s->at_ms))
        return;
    if (s->at_ms < *last)
        diags_addf(L->d, "S023", k[S_AT]->at, STR("put the steps in order"), (struct str){0},
                   "time does not run backwards");
    *last = s->at_ms;
    bool checks = k[S_EXPECT] || k[S_WITHHELD] || k[S_EXPECT_MEMBER];
    if ((k[S_EVENT] != NULL) == checks) {
        diags_addf(L->d, "S025", k[S_AT]->at,
                   checks ? STR("write two steps") : STR("add `event:` or `expect:`"),
                   (struct str){0}, "a step either feeds an event or says what is expected");
        return;
    }
    if (k[S_EVENT])
        read_event_step(T, k, n, s, number);
    if (k[S_EXPECT])
        read_expect(T, k[S_EXPECT], s);
    if (k[S_WITHHELD])
        read_withheld(T, k[S_WITHHELD], s);
    if (k[S_EXPECT_MEMBER])
        read_expect_member(T, k[S_EXPECT_MEMBER], k[S_MEMBER], s);
}

/* ---- one test -------------------------------------------------------------------------------- */

static uint32_t read_rule(struct load *L, struct str name, struct span at)
{
    uint32_t i = name_index(L->rule_names, L->p->n_rules, name);
    if (i == RULE_NONE)
        unknown(L, "S026", at, "rule", name, L->rule_names, L->p->n_rules, "rules");
    return i;
}

static void read_rules(struct test_load *T, const struct yaml_node *n)
{
    struct load *L = T->L;
    const struct yaml_node *const *items, *one;
    uint32_t count = as_list(n, &items, &one);
    uint32_t *v = ARENA_ARRAY(L->a, uint32_t, count + 1);
    struct str name;
    if (count == 0)
        diags_addf(L->d, "S026", n->at, STR("leave `rules` out for all"), (struct str){0},
                   "an empty list of rules");
    for (uint32_t i = 0; i < count; i++) {
        if (!want_text(L, items[i], "a rule", &name))
            continue;
        uint32_t r = read_rule(L, name, items[i]->at);
        if (r != RULE_NONE)
            v[T->t->n_rules++] = r;
    }
    T->t->rules = v;
}

static bool has_arm(const struct rule_def *r, struct str arm)
{
    for (uint32_t i = 0; i < r->n_code; i++)
        for (uint32_t b = 0; r->code[i].op == OP_SPLIT && b < r->code[i].n_branches; b++)
            if (str_eq(r->code[i].branches[b].name, arm))
                return true;
    return false;
}

static void read_buckets(struct test_load *T, const struct yaml_node *n)
{
    struct load *L = T->L;
    if (!want_map(L, n, "`buckets`"))
        return;
    struct test_bucket *v = ARENA_ARRAY(L->a, struct test_bucket, n->n + 1);
    for (uint32_t i = 0; i < n->n; i++) {
        const struct yaml_pair *p = &n->pairs[i];
        struct test_bucket b = {.rule = p->key};
        uint32_t r = read_rule(L, p->key, p->key_at);
        if (r == RULE_NONE || !want_text(L, p->value, "an arm", &b.arm))
            continue;
        if (!has_arm(&L->p->rules[r], b.arm))
            diags_addf(L->d, "S027", p->value->at, (struct str){0}, (struct str){0},
                       "rule `" STR_FMT "` has no arm `" STR_FMT "`", STR_ARG(p->key),
                       STR_ARG(b.arm));
        v[T->t->n_buckets++] = b;
    }
    T->t->buckets = v;
}

static void load_test(struct load *L, const struct item *it, struct test_def *t)
{
    struct test_load T = {L, t};
    const struct yaml_node *k[N_KEYS];
    struct str start;
    t->name = it->name;
    t->span = it->name_at;
    if (!read_keys(L, it->node, (struct where){"test", it->name}, test_keys, N_KEYS, NULL, 0, k) ||
        !want_text(L, k[K_START], "`start`", &start))
        return;
    if (!local_time(L, start, &t->start_ms)) {
        diags_addf(L->d, "S020", k[K_START]->at, STR("write like \"2026-03-02 10:00\""),
                   (struct str){0}, "bad time `" STR_FMT "`", STR_ARG(start));
        return;
    }
    if (k[K_RULES])
        read_rules(&T, k[K_RULES]);
    if (k[K_BUCKETS])
        read_buckets(&T, k[K_BUCKETS]);
    read_members(&T, k[K_MEMBERS]);
    if (!want_list(L, k[K_STEPS], "`steps`"))
        return;
    struct test_step *v = ARENA_ARRAY(L->a, struct test_step, k[K_STEPS]->n + 1);
    int64_t last = t->start_ms;
    for (uint32_t i = 0; i < k[K_STEPS]->n; i++)
        read_step(&T, k[K_STEPS]->items[i], &v[i], i, &last);
    t->steps = v;
    t->n_steps = k[K_STEPS]->n;
}

/* Only on a program that stands: its events decode what the tests feed. */
void load_tests(struct load *L)
{
    const struct items *t = &L->items[SEC_TESTS];
    if (diags_errors(L->d))
        return;
    struct test_def *v = ARENA_ARRAY(L->a, struct test_def, t->n + 1);
    for (uint32_t i = 0; i < t->n; i++)
        load_test(L, &t->v[i], &v[i]);
    L->p->tests = v;
    L->p->n_tests = t->n;
}
