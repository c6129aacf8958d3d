/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What starts a rule: an event, silence, a date, a schedule or a change of a tag.
 */
#include "rule_priv.h"

enum { T_SILENCE, T_FOR, T_AT, T_DATE, T_BEFORE, T_AFTER, T_REPEAT, T_EVERY, T_TAG, N_TRIG };
static const struct key_def trigger_keys[] = {
    [T_SILENCE] = {"silence", false, NULL, "events", "none of these events for some time",
                   "这些事件有一段时间都没有发生"},
    [T_FOR] = {"for", false, NULL, "length_or_cycle",
               "how long; or relative to the member's own rhythm",
               "多久没有发生；也可以按会员自己的周期"},
    [T_AT] = {"at", false, NULL, "clock", "the first such clock time at or after the due moment",
              "到期时或之后的第一个这个钟点"},
    [T_DATE] = {"date", false, NULL, "date",
                "member.TAG, \"MM-DD\", \"lunar MM-DD\" or \"YYYY-MM-DD\"",
                "member.标签、\"MM-DD\"、\"lunar MM-DD\"（农历）或 \"YYYY-MM-DD\""},
    [T_BEFORE] = {"before", false, NULL, "days", "so many days before the date", "提前几天"},
    [T_AFTER] = {"after", false, NULL, "days", "so many days after the date", "之后几天"},
    [T_REPEAT] = {"repeat", false, NULL, "yearly|never",
                  "whether it comes again each year; a date without a year does",
                  "是否每年重复；不带年份的日期默认每年"},
    [T_EVERY] = {"every", false, NULL, "schedule",
                 "a schedule: \"day 09:00\", \"workday 17:00\", \"mon,thu 10:00\", \"month 1 "
                 "10:00\", \"month last 10:00\"",
                 "按日程：\"day 09:00\"、\"workday 17:00\"、\"mon,thu 10:00\"、\"month 1 "
                 "10:00\"、\"month last 10:00\""},
    [T_TAG] = {"tag", false, NULL, "tag", "a tag that changes", "某个标签发生变化"},
};
const struct key_table trigger_form_table = {"trigger_form", trigger_keys, BASE_LEN(trigger_keys),
                                             "a trigger that is no event", "不是事件的触发方式"};
/* Which keys go with which trigger. */
static const struct {
    int key;
    enum trigger_kind kind;
    uint32_t with; /* bits of T_… */
} forms[] = {
    {T_SILENCE, TRIG_SILENCE, 1u << T_FOR | 1u << T_AT},
    {T_DATE, TRIG_DATE, 1u << T_BEFORE | 1u << T_AFTER | 1u << T_AT | 1u << T_REPEAT},
    {T_EVERY, TRIG_EVERY, 0},
    {T_TAG, TRIG_TAG, 0},
};

/* One event or a list of them. */
static bool read_events(struct load *L, const struct yaml_node *n, struct trigger *t)
{
    const struct yaml_node *const *items, *one;
    uint32_t count = as_list(n, &items, &one);
    uint32_t *v = ARENA_ARRAY(L->a, uint32_t, count + 1);
    t->events = v;
    if (count == 0)
        diags_addf(L->d, "R012", n->at, (struct str){0}, (struct str){0},
                   "an empty list of events");
    bool ok = count > 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t e = read_event(L, items[i]);
        ok &= e != RULE_NONE;
        for (uint32_t k = 0; k < t->n_events && e != RULE_NONE; k++) {
            if (v[k] != e)
                continue;
            diags_addf(L->d, "R012", items[i]->at, (struct str){0}, (struct str){0},
                       "event `" STR_FMT "` is given twice", STR_ARG(L->event_names[e]));
            ok = false;
        }
        if (e != RULE_NONE)
            v[t->n_events++] = e;
    }
    return ok;
}

/* ---- silence --------------------------------------------------------------------------------- */

enum { C_TIMES, C_OF, C_MIN, C_MAX, N_CYCLE };
static const struct key_def cycle_keys[] = {
    [C_TIMES] = {"times", true, NULL, "number", "how many times the tag's length",
                 "是标签值的几倍"},
    [C_OF] = {"of", true, NULL, "duration_tag",
              "a tag that holds a length of time, such as a `gap`",
              "值为时间长度的标签，例如 `gap`"},
    [C_MIN] = {"min", false, NULL, "length", "at least so long", "最短多久"},
    [C_MAX] = {"max", true, NULL, "length",
               "at most so long, and what holds while the tag is absent",
               "最长多久；标签没有值时就用它"},
};
const struct key_table cycle_table = {"cycle", cycle_keys, BASE_LEN(cycle_keys),
                                      "a silence by the member's own rhythm: `for`",
                                      "按会员自己周期的沉默：`for`"};

/* A decimal above 0 with at most three places, up to 1,000: in thousandths. */
static bool read_times(struct load *L, const struct yaml_node *n, int64_t *out)
{
    struct str s;
    if (!want_text(L, n, "`times`", &s))
        return false;
    int64_t v = 0;
    size_t i = 0, places = 0;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && v < 10000; i++)
        v = v * 10 + (s.p[i] - '0');
    bool ok = i > 0;
    if (ok && i + 1 < s.n && s.p[i] == '.')
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && places < 3; i++, places++)
            v = v * 10 + (s.p[i] - '0');
    for (; places < 3; places++)
        v *= 10;
    if (ok && i == s.n && v > 0 && v <= 1000000) {
        *out = v;
        return true;
    }
    diags_addf(L->d, "R024", n->at, STR("write like 2 or 1.5"), (struct str){0},
               "`times` is a number above 0, at most 1000, with up to three places");
    return false;
}

/* A tag whose value is a length of time. */
static void read_cycle_tag(struct load *L, const struct yaml_node *n, struct trigger *t)
{
    struct str s;
    if (!want_text(L, n, "`of`", &s))
        return;
    struct str name = str_starts(s, "member.") ? (struct str){s.p + 7, s.n - 7} : s;
    t->tag = name_index(L->tag_names, L->p->n_tags, name);
    if (t->tag == RULE_NONE)
        unknown(L, "R011", n->at, "tag", name, L->tag_names, L->p->n_tags, NULL);
    else if (L->tags[t->tag].type->kind != TYPE_DURATION &&
             L->tags[t->tag].type->kind != TYPE_ERROR)
        diags_addf(L->d, "R025", n->at, STR("a `gap` tag is one: {gap: purchase}"), (struct str){0},
                   "tag `" STR_FMT "` is %s, not a length of time", STR_ARG(name),
                   type_word(L->tags[t->tag].type));
}

/* {times: 2, of: member.cycle, min: 30d, max: 120d} */
static void read_cycle(struct load *L, const struct yaml_node *n, struct trigger *t)
{
    const struct yaml_node *k[N_CYCLE];
    if (!read_keys(L, n, (struct where){"`for`", {0}}, cycle_keys, N_CYCLE, NULL, 0, k))
        return;
    read_times(L, k[C_TIMES], &t->times);
    read_cycle_tag(L, k[C_OF], t);
    read_len(L, k[C_MIN], "R013", "`min`", &t->min_ms);
    read_len(L, k[C_MAX], "R013", "`max`", &t->for_ms);
    if (k[C_MIN] && t->min_ms > t->for_ms)
        diags_addf(L->d, "R013", k[C_MIN]->at, (struct str){0}, (struct str){0},
                   "`min` is longer than `max`");
}

static void read_silence(struct load *L, const struct yaml_node **k, struct trigger *t)
{
    read_events(L, k[T_SILENCE], t);
    for (uint32_t i = 0; i < t->n_events; i++)
        if (L->events[t->events[i]]->fan_tag.n)
            diags_addf(L->d, "R027", k[T_SILENCE]->at, STR("name what members do themselves"),
                       (struct str){0},
                       "`" STR_FMT "` is nothing that the member does: it ends no silence",
                       STR_ARG(L->event_names[t->events[i]]));
    if (!k[T_FOR])
        diags_addf(L->d, "S004", k[T_SILENCE]->at, STR("add how long: `for: 90d`"), (struct str){0},
                   "a silence needs `for:`");
    else if (k[T_FOR]->kind == YAML_MAPPING)
        read_cycle(L, k[T_FOR], t);
    else
        read_len(L, k[T_FOR], "R013", "`for`", &t->for_ms);
}

/* ---- dates ----------------------------------------------------------------------------------- */

bool read_date_word(struct str s, int64_t *day)
{
    int32_t y, m, d;
    if (time_date(s, &y, &m, &d) != 0)
        return false;
    *day = time_days(y, m, d);
    return true;
}

/* "MM-DD" of the Chinese calendar: any month may have 30 days. */
static bool lunar_month_day(struct str s, struct trigger *t)
{
    char text[16] = "1900-";
    struct lunar d;
    if (s.n != 5)
        return false;
    memcpy(text + 5, s.p, 5);
    if (lunar_date(str_c(text), &d) != 0)
        return false;
    t->lunar = true;
    t->mon = d.mon;
    t->day = d.day;
    return true;
}

static bool month_day(struct str s, struct trigger *t)
{
    char text[16] = "2000-"; /* a leap year: 02-29 is a date */
    if (s.n != 5)
        return false;
    memcpy(text + 5, s.p, 5);
    return time_date(str_c(text), &t->year, &t->mon, &t->day) == 0;
}

static void date_of_tag(struct load *L, const struct yaml_node *n, struct str s, struct trigger *t)
{
    struct str name = {s.p + 7, s.n - 7};
    struct span at = yaml_sub(n, 7, s.n);
    uint32_t i = name_index(L->tag_names, L->p->n_tags, name);
    t->date = DATE_TAG;
    t->tag = i;
    if (i == RULE_NONE) {
        unknown(L, "R011", at, "tag", name, L->tag_names, L->p->n_tags, NULL);
        return;
    }
    enum type_kind k = L->tags[i].type->kind;
    t->lunar = k == TYPE_LUNAR_DATE;
    if (k != TYPE_DATE && k != TYPE_LUNAR_DATE && k != TYPE_TIMESTAMP && k != TYPE_ERROR)
        diags_addf(L->d, "R014", n->at, (struct str){0}, (struct str){0},
                   "tag `" STR_FMT "` is %s, not a date", STR_ARG(name),
                   type_word(L->tags[i].type));
    else if (L->tags[i].value && expr_uses_now(L->tags[i].value))
        diags_addf(L->d, "R026", n->at, STR("leave `now` out of the tag's `value`"),
                   (struct str){0},
                   "tag `" STR_FMT "` moves with the clock, so its day never comes", STR_ARG(name));
}

static int64_t read_days(struct load *L, const struct yaml_node *n, const char *what)
{
    int64_t ms = 0;
    if (!read_len(L, n, "R015", what, &ms))
        return 0;
    if (ms % TIME_DAY == 0 && ms / TIME_DAY <= 366)
        return ms / TIME_DAY;
    diags_addf(L->d, "R015", n->at, STR("write like 3d"), (struct str){0},
               "%s counts whole days, at most 366", what);
    return 0;
}

static void read_date(struct load *L, const struct yaml_node **k, struct trigger *t)
{
    struct str s;
    const struct yaml_node *n = k[T_DATE];
    if (!want_text(L, n, "`date`", &s))
        return;
    if (str_starts(s, "member."))
        date_of_tag(L, n, s, t);
    else if (month_day(s, t) ||
             (str_starts(s, "lunar ") && lunar_month_day((struct str){s.p + 6, s.n - 6}, t)))
        t->date = DATE_YEARLY;
    else if (time_date(s, &t->year, &t->mon, &t->day) == 0)
        t->date = DATE_ONCE;
    else
        diags_addf(L->d, "R014", n->at,
                   STR("member.TAG, \"MM-DD\", \"lunar MM-DD\" or \"YYYY-MM-DD\""), (struct str){0},
                   "bad date `" STR_FMT "`", STR_ARG(s));
    if (k[T_BEFORE] && k[T_AFTER])
        diags_addf(L->d, "R015", k[T_AFTER]->at, (struct str){0}, (struct str){0},
                   "either `before` or `after`");
    int64_t shift = read_days(L, k[T_AFTER], "`after`");
    if (k[T_BEFORE])
        shift = -read_days(L, k[T_BEFORE], "`before`");
    t->shift_days = (int32_t)shift;
    int repeat = read_word(L, k[T_REPEAT], "`repeat`", trigger_keys[T_REPEAT].type);
    t->once = repeat == 1 || t->date == DATE_ONCE;
    if (t->date == DATE_ONCE && repeat == 0)
        diags_addf(L->d, "R014", k[T_REPEAT]->at, STR("write the date as \"MM-DD\""),
                   (struct str){0}, "a date with a year comes once");
}

/* ---- schedules ------------------------------------------------------------------------------- */

static int weekday(struct str s)
{
    static const char names[7][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    for (int i = 0; i < 7; i++)
        if (str_eqc(s, names[i]))
            return i;
    return -1;
}

/* "mon", "mon-fri", "sat-mon", "workday": bits. 0 = not one. */
static uint8_t weekdays(struct str s)
{
    if (str_eqc(s, "workday"))
        return EVERY_WORKDAY;
    const char *dash = memchr(s.p, '-', s.n);
    struct str a = {s.p, dash ? (size_t)(dash - s.p) : s.n};
    int from = weekday(a), to = from;
    if (dash)
        to = weekday((struct str){dash + 1, s.n - a.n - 1});
    if (from < 0 || to < 0)
        return 0;
    uint8_t bits = 0;
    for (int d = from;; d = (d + 1) % 7) {
        bits = (uint8_t)(bits | 1u << d);
        if (d == to)
            return bits;
    }
}

static bool parse_days(struct str s, struct trigger *t)
{
    if (str_eqc(s, "day")) {
        t->weekdays = 0x7f;
        return true;
    }
    if (str_starts(s, "month ")) {
        struct str word = {s.p + 6, s.n - 6};
        int64_t d;
        if (str_eqc(word, "last")) {
            t->month_day = -1;
            return true;
        }
        if (str_i64(word, &d) != 0 || d < 1 || d > 31)
            return false;
        t->month_day = (int32_t)d;
        return true;
    }
    for (size_t from = 0; from <= s.n;) {
        const char *comma = memchr(s.p + from, ',', s.n - from);
        size_t end = comma ? (size_t)(comma - s.p) : s.n;
        uint8_t bits = weekdays((struct str){s.p + from, end - from});
        if (!bits)
            return false;
        t->weekdays |= bits;
        from = end + 1;
    }
    return true;
}

static void read_every(struct load *L, const struct yaml_node *n, struct trigger *t)
{
    struct str s;
    if (!want_text(L, n, "`every`", &s))
        return;
    size_t i = s.n;
    while (i > 0 && s.p[i - 1] != ' ')
        i--;
    struct str days = {s.p, i > 0 ? i - 1 : 0}, clock = {s.p + i, s.n - i};
    if (days.n == 0 || !parse_days(days, t) || time_clock(clock, &t->at) != 0)
        diags_addf(
            L->d, "R016", n->at,
            STR("like \"day 09:00\", \"workday 17:00\", \"mon,thu 10:00\", \"month 1 10:00\", "
                "\"month last 10:00\""),
            (struct str){0}, "bad schedule `" STR_FMT "`", STR_ARG(s));
}

/* ---- all ------------------------------------------------------------------------------------- */

static void read_tag(struct load *L, const struct yaml_node *n, struct trigger *t)
{
    struct str s;
    if (!want_text(L, n, "`tag`", &s))
        return;
    t->tag = name_index(L->tag_names, L->p->n_tags, s);
    if (t->tag == RULE_NONE) {
        unknown(L, "R011", n->at, "tag", s, L->tag_names, L->p->n_tags, NULL);
        return;
    }
    const struct tag_def *tag = &L->tags[t->tag];
    if (tag->by && !L->tag_broken[t->tag])
        diags_addf(L->d, "R017", n->at,
                   STR("make a `value` tag of it: {value: member.x['k'] >= 3}"), (struct str){0},
                   "tag `" STR_FMT "` has a value for each key, not one that changes", STR_ARG(s));
}

static void read_form(struct rule_load *R, const struct yaml_node *n)
{
    struct load *L = R->L;
    struct trigger *t = &R->r->trigger;
    const struct yaml_node *k[N_TRIG];
    size_t before = diags_errors(L->d);
    read_keys(L, n, (struct where){"a trigger", {0}}, trigger_keys, N_TRIG, NULL, 0, k);
    size_t form = BASE_LEN(forms), found = 0;
    for (size_t i = 0; i < BASE_LEN(forms); i++) {
        if (!k[forms[i].key])
            continue;
        form = i;
        found++;
    }
    if (found != 1) {
        if (diags_errors(L->d) == before)
            diags_addf(L->d, "R018", n->at, STR("silence, date, every or tag"), (struct str){0},
                       "a trigger is one event, a list of events, or one of four forms");
        return;
    }
    for (int i = 0; i < N_TRIG; i++)
        if (k[i] && i != forms[form].key && !(forms[form].with & 1u << i))
            diags_addf(L->d, "R018", k[i]->at, (struct str){0}, (struct str){0},
                       "`%s` does not go with `%s`", trigger_keys[i].name,
                       trigger_keys[forms[form].key].name);
    t->kind = forms[form].kind;
    if (forms[form].with & 1u << T_AT)
        read_clock(L, k[T_AT], "`at`", &t->at);
    if (t->kind == TRIG_SILENCE)
        read_silence(L, k, t);
    else if (t->kind == TRIG_DATE)
        read_date(L, k, t);
    else if (t->kind == TRIG_EVERY)
        read_every(L, k[T_EVERY], t);
    else
        read_tag(L, k[T_TAG], t);
}

void load_trigger(struct rule_load *R, const struct yaml_node *n)
{
    struct trigger *t = &R->r->trigger;
    t->kind = TRIG_EVENT;
    t->at = -1;
    t->tag = RULE_NONE;
    if (n->kind == YAML_MAPPING) {
        read_form(R, n);
        return;
    }
    if (!read_events(R->L, n, t))
        R->bad = true; /* `event` has no type: what reads it is not judged */
    else
        R->r->view = make_view(R->L, t->events, t->n_events);
}
