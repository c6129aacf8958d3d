/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `events:` section -> the schema by which ingest decodes and the fold reads.  Two events are
 * built in: `profile` (writes stored tags) and `receipt` (what became of a message).
 */
#include "rule_priv.h"

#include <stdlib.h>

enum { K_TOPIC, K_MATCH, K_ID, K_MEMBER, K_TIME, K_FIELDS, K_EACH, K_MEMBERS, N_KEYS };
static const struct key_def event_keys[] = {
    [K_TOPIC] = {"topic", false, NULL, "text", "the Kafka topic; the event's name if not given",
                 "Kafka 主题；不写就是事件名"},
    [K_MATCH] = {"match", false, NULL, "match",
                 "only records whose field has this value; several events may share a topic",
                 "只取字段等于这个值的记录；多个事件可以共用一个主题"},
    [K_ID] = {"id", false, NULL, "path",
              "what makes a record the same one, for dropping duplicates",
              "记录的唯一标识，用来去重"},
    [K_MEMBER] = {"member", false, NULL, "member",
                  "who it is about; two members: {inviter: a, invitee: b}",
                  "是哪位会员；涉及两位会员：{inviter: a, invitee: b}"},
    [K_TIME] = {"time", false, NULL, "path", "when it happened; Kafka's time if not given",
                "发生的时间；不写就用 Kafka 的时间"},
    [K_FIELDS] = {"fields", false, NULL, "fields", "what it carries: name and type of each field",
                  "带有哪些字段：每个字段的名字和类型"},
    [K_EACH] = {"each", false, NULL, "path", "one event for each element of this list",
                "列表里的每个元素各算一个事件"},
    [K_MEMBERS] = {"members", false, NULL, "members",
                   "no member of its own: it goes to every member whose collection holds the key",
                   "没有会员：发给所有收藏里有这个键的会员"},
};
const struct key_table event_def_table = {"event_def", event_keys, BASE_LEN(event_keys), "an event",
                                          "一个事件"};

static const char *const receipt_fields[] = {"message", "rule", "gateway", "status"};
static const char *const receipt_status[] = {"sent",    "delivered", "failed", "ambiguous",
                                             "expired", "returned",  "read",   "clicked",
                                             "replied", "opted_out"};

static struct path path_one(struct load *L, const char *a, struct str b)
{
    struct str *keys = ARENA_ARRAY(L->a, struct str, 2);
    keys[0] = str_c(a);
    keys[1] = b;
    return (struct path){keys, b.n ? 2 : 1};
}

/* ---- the three fields that every event has --------------------------------------------------- */

static struct type *new_fields(struct load *L, struct str name, uint32_t n, struct field **f,
                               struct path **paths)
{
    static const char *const extra[EVENT_EXTRA] = {"id", "time", "role"};
    struct type *t = ARENA_NEW(L->a, struct type);
    *f = ARENA_ARRAY(L->a, struct field, n + EVENT_EXTRA);
    *paths = ARENA_ARRAY(L->a, struct path, n + EVENT_EXTRA);
    for (uint32_t i = 0; i < EVENT_EXTRA; i++) {
        (*f)[n + i].name = str_c(extra[i]);
        (*f)[n + i].type = i == 1 ? &type_timestamp : &type_string;
    }
    *t =
        (struct type){.kind = TYPE_RECORD, .fields = *f, .n_fields = n + EVENT_EXTRA, .name = name};
    return t;
}

static bool is_extra(struct str name)
{
    return str_eqc(name, "id") || str_eqc(name, "time") || str_eqc(name, "role");
}

/* Fields named id, time or role would hide what every event has; `id: string` is allowed, because
 * event.id is the identity and most records call it so. */
static bool hides_extra(struct load *L, const struct yaml_pair *p, const struct event_def *e)
{
    if (!is_extra(p->key))
        return false;
    struct str word = p->value->kind == YAML_SCALAR ? p->value->text : (struct str){0};
    bool same = (str_eqc(p->key, "id") && e->id.n == 1 && str_eqc(e->id.keys[0], "id") &&
                 str_eqc(word, "string")) ||
                (str_eqc(p->key, "time") && e->time.n == 1 && str_eqc(e->time.keys[0], "time") &&
                 str_eqc(word, "timestamp"));
    if (!same)
        diags_addf(L->d, "T005", p->key_at,
                   STR("give it another name: {type: …, path: …} says where it stands"),
                   (struct str){0}, "every event has a field `" STR_FMT "` already",
                   STR_ARG(p->key));
    return true;
}

static void read_fields(struct load *L, const struct yaml_node *n, struct event_def *e)
{
    struct field *f;
    struct path *paths;
    uint32_t count = n && n->kind == YAML_MAPPING ? n->n : 0, w = 0;
    struct type *t = new_fields(L, e->name, count, &f, &paths);
    e->fields = t;
    if (n && !yaml_is_null(n))
        want_map(L, n, "`fields`");
    struct field extra[EVENT_EXTRA];
    memcpy(extra, f + count, sizeof extra);
    for (uint32_t i = 0; i < count; i++) {
        const struct yaml_pair *p = &n->pairs[i];
        struct field_type ft = {0};
        if (hides_extra(L, p, e))
            continue;
        bool dotted = memchr(p->key.p, '.', p->key.n) != NULL;
        if (dotted)
            diags_addf(L->d, "S005", p->key_at, STR("write NAME: {type: …, path: data.user.id}"),
                       (struct str){0}, "`" STR_FMT "` cannot be the name of a field",
                       STR_ARG(p->key));
        f[w].name = p->key;
        f[w].type = &type_error;
        if (read_type(L, p->value, "a field's type", &ft))
            f[w] = (struct field){.name = p->key, .type = ft.type, .optional = ft.optional};
        if (f[w].type->kind == TYPE_ADDRESS || f[w].type->kind == TYPE_DURATION)
            diags_addf(L->d, "T006", p->value->at, STR("use string or int"), (struct str){0},
                       "an event cannot carry a field of type %s", type_word(f[w].type));
        paths[w] = ft.path.n ? ft.path : path_one(L, arena_strdup(L->a, p->key.p), (struct str){0});
        w++;
    }
    memmove(f + w, extra, sizeof extra);
    t->n_fields = w + EVENT_EXTRA;
    e->paths = paths;
}

/* ---- one event ------------------------------------------------------------------------------- */

static void read_match(struct load *L, const struct yaml_node *n, struct event_def *e)
{
    if (!want_map(L, n, "`match`"))
        return;
    struct event_match *m = ARENA_ARRAY(L->a, struct event_match, n->n + 1);
    for (uint32_t i = 0; i < n->n; i++) {
        m[i].path = path_of(L, n->pairs[i].key);
        want_text(L, n->pairs[i].value, "a value of `match`", &m[i].value);
    }
    e->match = m;
    e->n_match = n->n;
}

static void read_member(struct load *L, const struct yaml_node *n, struct event_def *e)
{
    if (n->kind == YAML_SCALAR) {
        if (read_path(L, n, "`member`", &e->member[0].path))
            e->n_member = 1;
        return;
    }
    if (!want_map(L, n, "`member`"))
        return;
    if (n->n != 2) {
        diags_addf(L->d, "S013", n->at, STR("write like {inviter: a, invitee: b}"), (struct str){0},
                   "an event belongs to one member, or to two with their roles");
        return;
    }
    for (uint32_t i = 0; i < 2; i++) {
        e->member[i].role = n->pairs[i].key;
        if (!is_name(n->pairs[i].key))
            diags_addf(L->d, "S005", n->pairs[i].key_at,
                       STR("use lower-case letters, digits and _"), (struct str){0},
                       "`" STR_FMT "` cannot be a role", STR_ARG(n->pairs[i].key));
        read_path(L, n->pairs[i].value, "a member's path", &e->member[i].path);
    }
    e->n_member = 2;
}

enum { F_IN, F_KEY, N_FAN };
static const struct key_def fan_keys[] = {
    [F_IN] = {"in", true, NULL, "tag", "a `collect` tag: its members get the event",
              "一个 `collect` 标签：收藏里有它的会员都会收到"},
    [F_KEY] = {"key", true, NULL, "text", "the field of the event that holds the key",
               "事件里写着键的字段"},
};
const struct key_table members_table = {"members", fan_keys, BASE_LEN(fan_keys),
                                        "`members` (fan-out)", "`members`（扇出）"};

/* members: {in: favorites, key: sku}.  The field is found here, the tag when there are tags. */
static void read_fan(struct load *L, const struct yaml_node *n, struct event_def *e)
{
    const struct yaml_node *k[N_FAN];
    struct str key;
    if (!read_keys(L, n, (struct where){"`members`", {0}}, fan_keys, N_FAN, NULL, 0, k) ||
        !want_text(L, k[F_IN], "`in`", &e->fan_tag) || !want_text(L, k[F_KEY], "`key`", &key))
        return;
    int f = type_field(e->fields, key);
    if (f < 0 || (uint32_t)f >= e->fields->n_fields - EVENT_EXTRA) {
        struct str *names = ARENA_ARRAY(L->a, struct str, e->fields->n_fields);
        uint32_t count = e->fields->n_fields - EVENT_EXTRA;
        for (uint32_t i = 0; i < count; i++)
            names[i] = e->fields->fields[i].name;
        unknown(L, "S015", k[F_KEY]->at, "field", key, names, count, "fields");
        return;
    }
    const struct type *t = e->fields->fields[f].type;
    e->fan_field = (uint32_t)f;
    if (t->kind != TYPE_STRING && t->kind != TYPE_DATE && t->kind != TYPE_ERROR)
        diags_addf(L->d, "S015", k[F_KEY]->at, STR("declare the field as string"), (struct str){0},
                   "the key of a collection is a text, this field is %s", type_word(t));
}

/* Now that the tags are there: the collections that events go by become indexes. */
void load_fans(struct load *L)
{
    for (uint32_t i = 0; i < L->p->schema->n; i++) {
        const struct event_def *e = L->events[i];
        if (!e->fan_tag.n)
            continue;
        const struct item *it = items_get(&L->items[SEC_EVENTS], e->name);
        const struct yaml_node *n = yaml_get(yaml_get(it->node, "members"), "in");
        uint32_t t = name_index(L->tag_names, L->p->n_tags, e->fan_tag);
        if (t == RULE_NONE)
            unknown(L, "R011", n->at, "tag", e->fan_tag, L->tag_names, L->p->n_tags, NULL);
        else if (L->tags[t].kind == TAG_COLLECT)
            L->tags[t].indexed = true;
        else if (!L->tag_broken[t])
            diags_addf(L->d, "S016", n->at, STR("a collection is {collect: EVENT.FIELD}"),
                       (struct str){0}, "tag `" STR_FMT "` is no collection", STR_ARG(e->fan_tag));
    }
}

static void load_event(struct load *L, const struct item *it, struct event_def *e)
{
    const struct yaml_node *k[N_KEYS];
    bool ok =
        read_keys(L, it->node, (struct where){"event", it->name}, event_keys, N_KEYS, NULL, 0, k);
    e->topic = it->name;
    if (k[K_TOPIC])
        want_text(L, k[K_TOPIC], "`topic`", &e->topic);
    if (k[K_MATCH])
        read_match(L, k[K_MATCH], e);
    if (k[K_ID])
        read_path(L, k[K_ID], "`id`", &e->id);
    if (k[K_TIME])
        read_path(L, k[K_TIME], "`time`", &e->time);
    if (k[K_EACH])
        read_path(L, k[K_EACH], "`each`", &e->each);
    if (k[K_MEMBER] && k[K_MEMBERS])
        diags_addf(L->d, "S013", k[K_MEMBERS]->at, STR("leave one of them out"), (struct str){0},
                   "an event has either a `member` of its own or goes to `members`");
    if (k[K_MEMBER])
        read_member(L, k[K_MEMBER], e);
    else if (ok && !k[K_MEMBERS])
        diags_addf(L->d, "S004", it->name_at, STR("add the field that says who it is about"),
                   (struct str){0}, "event `" STR_FMT "` needs `member:`", STR_ARG(it->name));
    read_fields(L, k[K_FIELDS], e);
    if (k[K_MEMBERS] && !k[K_MEMBER])
        read_fan(L, k[K_MEMBERS], e);
}

/* ---- the built-in ones ----------------------------------------------------------------------- */

static void make_receipt(struct load *L, struct event_def *e)
{
    struct field *f;
    struct path *paths;
    uint32_t n = BASE_LEN(receipt_fields);
    e->receipt = true;
    e->topic = (struct str){"", 0}; /* comes from our own outcomes, never from upstream */
    e->member[0].path = path_one(L, "member", (struct str){0});
    e->n_member = 1;
    e->fields = new_fields(L, e->name, n, &f, &paths);
    e->paths = paths;
    struct str *status = ARENA_ARRAY(L->a, struct str, BASE_LEN(receipt_status));
    for (size_t i = 0; i < BASE_LEN(receipt_status); i++)
        status[i] = str_c(receipt_status[i]);
    struct type *one_of = ARENA_NEW(L->a, struct type);
    *one_of = type_string;
    one_of->one_of = status;
    one_of->n_one_of = BASE_LEN(receipt_status);
    for (uint32_t i = 0; i < n; i++) {
        f[i].name = str_c(receipt_fields[i]);
        f[i].type = str_eqc(f[i].name, "status") ? one_of : &type_string;
        paths[i] = path_one(L, receipt_fields[i], (struct str){0});
    }
}

/* One optional field a stored tag; absent in `set` = left alone, null = unset. */
void load_profile(struct load *L)
{
    uint32_t n = 0, index = event_index(L, STR("profile"));
    struct event_def *e = L->events[index];
    struct field *f;
    struct path *paths;
    for (uint32_t i = 0; i < L->p->n_tags; i++)
        n += L->tags[i].kind == TAG_STORED;
    e->fields = new_fields(L, e->name, n, &f, &paths);
    e->paths = paths;
    n = 0;
    for (uint32_t i = 0; i < L->p->n_tags; i++) {
        if (L->tags[i].kind != TAG_STORED)
            continue;
        f[n] = (struct field){.name = L->tags[i].name, .type = L->tags[i].type, .optional = true};
        paths[n++] = path_one(L, "set", L->tags[i].name);
    }
}

static void make_profile(struct load *L, struct event_def *e)
{
    struct field *f;
    struct path *paths;
    e->profile = true;
    e->topic = e->name;
    e->member[0].path = path_one(L, "member", (struct str){0});
    e->n_member = 1;
    e->time = path_one(L, "time", (struct str){0});
    e->fields = new_fields(L, e->name, 0, &f, &paths); /* load_profile fills it */
    e->paths = paths;
}

/* ---- all ------------------------------------------------------------------------------------- */

uint32_t name_index(const struct str *names, uint32_t n, struct str name)
{
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(names[mid], name);
        if (c == 0)
            return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return RULE_NONE;
}

uint32_t event_index(const struct load *L, struct str name)
{
    return name_index(L->event_names, L->p->schema->n, name);
}

uint32_t read_event(struct load *L, const struct yaml_node *n)
{
    struct str s;
    if (!want_text(L, n, "an event", &s))
        return RULE_NONE;
    uint32_t i = event_index(L, s);
    if (i == RULE_NONE)
        unknown(L, "R010", expr_span(n), "event", s, L->event_names, L->p->schema->n, "events");
    return i;
}

static int by_def_name(const void *a, const void *b)
{
    return str_cmp((*(struct event_def *const *)a)->name, (*(struct event_def *const *)b)->name);
}

void load_events(struct load *L)
{
    const struct items *t = &L->items[SEC_EVENTS];
    uint32_t n = 0;
    L->events = ARENA_ARRAY(L->a, struct event_def *, t->n + 2);
    for (uint32_t i = 0; i < t->n + 2; i++) {
        struct event_def *e = ARENA_NEW(L->a, struct event_def);
        e->name = i < t->n ? t->v[i].name : i == t->n ? STR("profile") : STR("receipt");
        if (i < t->n && (str_eqc(e->name, "profile") || str_eqc(e->name, "receipt"))) {
            diags_addf(L->d, "S006", t->v[i].name_at, STR("give it another name"), (struct str){0},
                       "event `" STR_FMT "` is built in", STR_ARG(e->name));
            continue;
        }
        L->events[n++] = e;
    }
    qsort(L->events, n, sizeof *L->events, by_def_name);
    struct str *names = ARENA_ARRAY(L->a, struct str, n);
    for (uint32_t i = 0; i < n; i++) {
        struct event_def *e = L->events[i];
        const struct item *it = items_get(t, e->name);
        names[i] = e->name;
        e->index = i;
        if (str_eqc(e->name, "profile"))
            make_profile(L, e);
        else if (str_eqc(e->name, "receipt"))
            make_receipt(L, e);
        else
            load_event(L, it, e);
    }
    struct schema *s = ARENA_NEW(L->a, struct schema);
    *s = (struct schema){(const struct event_def *const *)L->events, n, L->p->tz};
    L->event_names = names;
    L->p->schema = s;
}
