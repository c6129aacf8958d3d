/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `policy:` section, and limits (which rules have too).  Zone, `late` and `expire` are read first,
 * because times and messages refer to them; consent and holds need the tags.
 */
#include "rule_priv.h"

#include <stdlib.h>

enum { P_TZ, P_CONSENT, P_QUIET, P_CAPS, P_HOLDOUT, P_HOLD, P_LATE, P_EXPIRE, P_WORKDAYS, P_TESTS };
static const struct key_def policy_keys[] = {
    [P_TZ] = {"tz", true, NULL, "text", "the zone of all clock times and dates, like Asia/Shanghai",
              "所有钟点和日期的时区，例如 Asia/Shanghai"},
    [P_CONSENT] = {"consent", false, NULL, "consent",
                   "a condition for each gateway that carries marketing; false, absent or in "
                   "error: no marketing",
                   "每个营销通道一个条件；为否、没有值或出错：不发营销"},
    [P_QUIET] = {"quiet", false, NULL, "quiet",
                 "hours in which marketing waits, like \"21:00-09:00\"",
                 "免打扰时段，营销消息等到结束再发，例如 \"21:00-09:00\""},
    [P_CAPS] = {"caps", false, NULL, "caps",
                "how much marketing a member gets from all rules together: `any`, or a gateway",
                "所有规则合计，每位会员最多收多少营销：`any` 或某个通道"},
    [P_HOLDOUT] = {"holdout", false, NULL, "percent",
                   "so many members never get marketing, to measure what it brings",
                   "这么多会员永远不发营销，用来衡量效果"},
    [P_HOLD] = {"hold", false, NULL, "holds", "a list {if, as}: marketing waits while one is true",
                "{if, as} 的列表：有一条为真，营销就先不发"},
    [P_LATE] = {"late", false, NULL, "length",
                "an event older than this updates tags but starts nothing (1h)",
                "比这更旧的事件只更新标签，不触发规则（1h）"},
    [P_EXPIRE] = {"expire", false, NULL, "length",
                  "a message is worth nothing so long after it was first wanted (24h)",
                  "消息从想发起多久以后就不再发（24h）"},
    [P_WORKDAYS] = {"workdays", false, NULL, "workdays",
                    "exceptions to Monday to Friday: {off: [days], on: [days]}",
                    "周一到周五以外的调休：{off: [日期], on: [日期]}"},
    [P_TESTS] = {"tests", false, NULL, "required|optional",
                 "required: a rule that no test runs to a message does not load",
                 "required：没有测试跑到消息的规则不能加载"},
};
const struct key_table policy_table = {"policy", policy_keys, BASE_LEN(policy_keys), "`policy`",
                                       "`policy`（总规）"};

static const struct yaml_node *policy_get(const struct load *L, const char *key)
{
    const struct item *it = items_get(&L->items[SEC_POLICY], str_c(key));
    return it ? it->node : NULL;
}

/* ---- limits ---------------------------------------------------------------------------------- */

static bool parse_limit(struct str s, struct limit *out)
{
    static const struct {
        const char *word;
        enum per_kind per;
    } words[] = {{"day", PER_DAY}, {"week", PER_WEEK}, {"month", PER_MONTH}, {"year", PER_YEAR}};
    size_t i = 0;
    uint32_t n = 0;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && i < 6)
        n = n * 10 + (uint32_t)(s.p[i++] - '0');
    if (i == 0 || n == 0 || n > 1000)
        return false;
    struct str rest = {s.p + i, s.n - i};
    *out = (struct limit){.n = n};
    if (str_eqc(rest, " ever")) {
        out->per = PER_EVER;
        return true;
    }
    if (!str_starts(rest, " per "))
        return false;
    struct str word = {rest.p + 5, rest.n - 5};
    for (size_t k = 0; k < BASE_LEN(words); k++) {
        if (str_eqc(word, words[k].word)) {
            out->per = words[k].per;
            return true;
        }
    }
    int64_t ms;
    if (time_len(word, &ms) != 0 || ms > 3660 * TIME_DAY)
        return false;
    bool days = word.p[word.n - 1] == 'd' && ms % TIME_DAY == 0;
    out->per = days ? PER_DAYS : PER_LENGTH;
    out->len = days ? ms / TIME_DAY : ms;
    return true;
}

bool read_limit(struct load *L, const struct yaml_node *n, struct limit *out)
{
    struct str s;
    if (!n || !want_text(L, n, "a limit", &s))
        return false;
    if (parse_limit(s, out))
        return true;
    diags_addf(L->d, "L001", n->at, STR("write like `1 per day`, `3 per 7d`, `1 ever`"),
               (struct str){0}, "bad limit `" STR_FMT "`", STR_ARG(s));
    return false;
}

/* ---- what others need first ------------------------------------------------------------------ */

static bool is_empty(const struct load *L)
{
    for (int s = 0; s < N_SECTIONS; s++)
        if (s != SEC_POLICY && L->items[s].n)
            return false;
    return true;
}

static void read_zone(struct load *L)
{
    struct str name;
    const struct yaml_node *n = policy_get(L, "tz");
    L->p->tz = L->p->tz ? L->p->tz : zone_utc();
    if (L->bundle)
        return;
    if (!n) {
        const struct items *t = &L->items[SEC_POLICY];
        if (!is_empty(L))
            diags_addf(L->d, "P001", t->n ? t->v[0].name_at : span_none(),
                       STR("add `tz: Asia/Shanghai`"), (struct str){0},
                       "`policy` needs `tz:`, the zone of all clock times and dates");
        return;
    }
    struct err err = {0};
    if (!want_text(L, n, "`tz`", &name))
        return;
    const struct zone *z = zone_load(L->a, L->o->zone_dir, name, &err);
    if (z)
        L->p->tz = z;
    else
        diags_addf(L->d, "P002", n->at, STR("write like Asia/Shanghai"), (struct str){0},
                   "unknown time zone `" STR_FMT "`", STR_ARG(name));
}

void load_zone(struct load *L)
{
    struct policy *po = &L->p->policy;
    po->late_ms = TIME_HOUR;
    po->expire_ms = TIME_DAY;
    read_zone(L);
    read_len(L, policy_get(L, "late"), "P003", "`late`", &po->late_ms);
    read_len(L, policy_get(L, "expire"), "P003", "`expire`", &po->expire_ms);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void unknown_gateway(struct load *L, struct span at, struct str word)
{
    struct str names[MAX_GATEWAYS];
    for (uint32_t i = 0; i < L->p->n_gateways; i++)
        names[i] = L->gateways[i].name;
    unknown(L, "M008", at, "gateway", word, names, L->p->n_gateways, "gateways");
}

static void read_consent(struct load *L, const struct yaml_node *n)
{
    struct expr_env env = env_member(L);
    if (!n || !want_map(L, n, "`consent`"))
        return;
    for (uint32_t i = 0; i < n->n; i++) {
        uint32_t g = gateway_index(L, n->pairs[i].key);
        if (g == RULE_NONE)
            unknown_gateway(L, n->pairs[i].key_at, n->pairs[i].key);
        else
            L->gateways[g].consent = compile_bool(L, n->pairs[i].value, &env);
    }
}

/* Marketing needs consent for every gateway it may take. Said once a gateway. */
static void check_consent(struct load *L, const struct yaml_node *consent)
{
    bool said[MAX_GATEWAYS] = {false};
    for (uint32_t i = 0; i < L->p->n_messages; i++) {
        const struct message_def *m = &L->messages[i];
        for (uint32_t v = 0; m->purpose == PURPOSE_MARKETING && v < m->n_via; v++) {
            uint32_t g = m->via[v].gateway;
            if (said[g] || yaml_pair(consent, L->gateways[g].name))
                continue;
            said[g] = true;
            struct str g_name = L->gateways[g].name;
            diags_addf(L->d, "P004", L->items[SEC_MESSAGES].v[i].name_at,
                       str_c(arena_printf(L->a, "add `" STR_FMT ": …` under `policy: consent:`",
                                          STR_ARG(g_name))),
                       (struct str){0}, "marketing through `" STR_FMT "` needs consent",
                       STR_ARG(g_name));
        }
    }
}

static void read_quiet(struct load *L, const struct yaml_node *n)
{
    struct str s;
    struct policy *po = &L->p->policy;
    if (!n || !want_text(L, n, "`quiet`", &s))
        return;
    const char *dash = memchr(s.p, '-', s.n);
    struct str from = {s.p, dash ? (size_t)(dash - s.p) : 0};
    struct str to = {s.p + from.n + 1, dash ? s.n - from.n - 1 : 0};
    int32_t a, b;
    if (!dash || time_clock(from, &a) || time_clock(to, &b)) {
        diags_addf(L->d, "P005", n->at, STR("write like \"21:00-09:00\""), (struct str){0},
                   "bad quiet hours `" STR_FMT "`", STR_ARG(s));
    } else if (a == b) {
        diags_addf(L->d, "P005", n->at, STR("leave `quiet` out for no quiet hours"),
                   (struct str){0}, "quiet hours that end when they begin");
    } else {
        po->quiet_from = a;
        po->quiet_to = b;
    }
}

static void read_caps(struct load *L, const struct yaml_node *n)
{
    if (!n || !want_map(L, n, "`caps`"))
        return;
    uint32_t total = 0;
    for (uint32_t i = 0; i < n->n; i++)
        total += n->pairs[i].value->kind == YAML_SEQUENCE ? n->pairs[i].value->n : 1;
    struct cap *v = ARENA_ARRAY(L->a, struct cap, total + 1);
    for (uint32_t i = 0; i < n->n; i++) {
        const struct yaml_pair *p = &n->pairs[i];
        bool any = str_eqc(p->key, "any");
        uint32_t g = any ? RULE_NONE : gateway_index(L, p->key);
        if (!any && g == RULE_NONE) {
            unknown_gateway(L, p->key_at, p->key);
            continue;
        }
        const struct yaml_node *const *items, *one;
        uint32_t count = as_list(p->value, &items, &one);
        for (uint32_t k = 0; k < count; k++) {
            struct cap c = {.gateway = g};
            if (read_limit(L, items[k], &c.limit))
                v[L->p->policy.n_caps++] = c;
        }
    }
    L->p->policy.caps = v;
}

enum { H_IF, H_AS, N_HOLD };
static const struct key_def hold_keys[] = {
    [H_IF] = {"if", true, NULL, "condition", "while this is true (or in error) the message waits",
              "为真（或出错）时消息先不发"},
    [H_AS] = {"as", true, NULL, "name", "what the reason is called: hold:NAME",
              "原因的名字：hold:名字"},
};
const struct key_table hold_table = {"hold", hold_keys, BASE_LEN(hold_keys), "an entry of `hold`",
                                     "`hold` 的一项"};

static void read_hold(struct load *L, const struct yaml_node *n)
{
    struct expr_env env = env_member(L);
    if (!n || !want_list(L, n, "`hold`"))
        return;
    struct hold_def *v = ARENA_ARRAY(L->a, struct hold_def, n->n + 1);
    for (uint32_t i = 0; i < n->n; i++) {
        const struct yaml_node *k[N_HOLD];
        struct hold_def h;
        if (!read_keys(L, n->items[i], (struct where){"hold", {0}}, hold_keys, N_HOLD, NULL, 0,
                       k) ||
            !want_text(L, k[H_AS], "`as`", &h.as))
            continue;
        if (!is_name(h.as))
            diags_addf(L->d, "S005", k[H_AS]->at, STR("use lower-case letters, digits and _"),
                       (struct str){0}, "`" STR_FMT "` cannot be a name", STR_ARG(h.as));
        h.when = compile_bool(L, k[H_IF], &env);
        v[L->p->policy.n_holds++] = h;
    }
    L->p->policy.holds = v;
}

/* ---- workdays -------------------------------------------------------------------------------- */

enum { WD_OFF, WD_ON, N_WD };
static const struct key_def workday_keys[] = {
    [WD_OFF] = {"off", false, NULL, "day_list", "days off, single or as a range",
                "休息的日子，单日或一段"},
    [WD_ON] = {"on", false, NULL, "day_list", "weekend days that are worked", "要上班的周末"},
};
const struct key_table workdays_table = {"workdays", workday_keys, BASE_LEN(workday_keys),
                                         "`workdays`", "`workdays`（调休）"};
#define MAX_WORKDAYS 4096 /* days in each list, ranges counted out */

struct days {
    int64_t *v;
    uint32_t n;
};

static bool days_has(const struct days *d, int64_t day)
{
    for (uint32_t i = 0; i < d->n; i++)
        if (d->v[i] == day)
            return true;
    return false;
}

/* "2026-10-01" or "2026-10-01..2026-10-07". */
static bool read_range(struct load *L, const struct yaml_node *n, int64_t *from, int64_t *to)
{
    struct str s;
    if (!want_text(L, n, "a day", &s))
        return false;
    bool range = s.n == 22 && memcmp(s.p + 10, "..", 2) == 0;
    if (read_date_word((struct str){s.p, range ? 10 : s.n}, from) &&
        (!range || read_date_word((struct str){s.p + 12, 10}, to))) {
        *to = range ? *to : *from;
        if (*from <= *to)
            return true;
    }
    diags_addf(L->d, "P006", n->at, STR("write \"2026-10-01\" or \"2026-10-01..2026-10-07\""),
               (struct str){0}, "bad day `" STR_FMT "`", STR_ARG(s));
    return false;
}

static void read_day_list(struct load *L, const struct yaml_node *n, struct days *d,
                          const struct days *other)
{
    const struct yaml_node *const *items, *one;
    uint32_t count = n ? as_list(n, &items, &one) : 0;
    d->v = ARENA_ARRAY(L->a, int64_t, MAX_WORKDAYS);
    for (uint32_t i = 0; i < count; i++) {
        int64_t from, to;
        if (!read_range(L, items[i], &from, &to))
            continue;
        int64_t day = from;
        while (day <= to && !days_has(d, day) && !days_has(other, day) && d->n < MAX_WORKDAYS)
            d->v[d->n++] = day++;
        if (day <= to)
            diags_addf(L->d, "P007", items[i]->at, (struct str){0}, (struct str){0},
                       d->n == MAX_WORKDAYS ? "more than 4096 days"
                                            : "a day that is given already");
    }
}

static int by_day(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void read_workdays(struct load *L, const struct yaml_node *n)
{
    const struct yaml_node *k[N_WD];
    struct days off = {0}, on = {0};
    if (!n || !want_map(L, n, "`workdays`"))
        return;
    read_keys(L, n, (struct where){"`workdays`", {0}}, workday_keys, N_WD, NULL, 0, k);
    read_day_list(L, k[WD_OFF], &off, &on);
    read_day_list(L, k[WD_ON], &on, &off);
    qsort(off.v, off.n, sizeof *off.v, by_day);
    qsort(on.v, on.n, sizeof *on.v, by_day);
    L->p->policy.workdays = (struct workdays){off.v, on.v, off.n, on.n};
}

/* ---- all ------------------------------------------------------------------------------------- */

static void check_policy_keys(struct load *L)
{
    const struct items *t = &L->items[SEC_POLICY];
    struct str names[BASE_LEN(policy_keys)];
    size_t n = BASE_LEN(policy_keys);
    for (size_t i = 0; i < n; i++)
        names[i] = str_c(policy_keys[i].name);
    for (uint32_t i = 0; i < t->n; i++) {
        const struct item *it = &t->v[i];
        bool known = false;
        for (size_t k = 0; k < n; k++)
            known |= str_eq(names[k], it->name);
        if (known)
            continue;
        struct str list = join_names(L, names, n);
        diags_addf(L->d, "S002", it->name_at, did_you_mean(L, it->name, names, n),
                   str_c(arena_printf(L->a, "allowed: " STR_FMT, STR_ARG(list))),
                   "unknown key `" STR_FMT "` in `policy`", STR_ARG(it->name));
    }
}

void load_policy(struct load *L)
{
    struct policy *po = &L->p->policy;
    check_policy_keys(L);
    read_consent(L, policy_get(L, "consent"));
    check_consent(L, policy_get(L, "consent"));
    read_quiet(L, policy_get(L, "quiet"));
    read_caps(L, policy_get(L, "caps"));
    read_percent(L, policy_get(L, "holdout"), "`holdout`", &po->holdout);
    po->holdout_pct = po->holdout / 100.0;
    read_hold(L, policy_get(L, "hold"));
    read_workdays(L, policy_get(L, "workdays"));
    po->tests_required =
        read_word(L, policy_get(L, "tests"), "`tests`", policy_keys[P_TESTS].type) == 0;
}
