/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode: an upstream Kafka record becomes events, as the `events:` section says.
 *
 *   bytes + headers --> data object (+ CloudEvents attributes) --> every event of the topic whose `match`
 *   holds, in name order, those with `each` after the others --> one event a member, one an element
 *
 * All or nothing: one value that does not fit and the record is a dead letter as a whole.  What is not
 * declared is ignored.
 */
#include "decode_priv.h"

static const struct decode_limits default_limits = {
    .max_bytes = 65536, .max_depth = 32, .latest_ms = INT64_MAX, .need_time = false};

/* ---- the record's data ---- */

static bool header_is(struct str name, const char *want)
{
    if (name.n != strlen(want))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != want[i])
            return false;
    }
    return true;
}

static struct str header(const struct upstream *u, const char *want)
{
    for (uint32_t i = 0; i < u->n_headers; i++)
        if (header_is(u->headers[2 * i], want))
            return u->headers[2 * i + 1];
    return STR("");
}

static int refuse(const struct decoding *d, const char *code, const char *text)
{
    return err_code(d->err, ERR_INPUT, code, "%s", text);
}

/* ce_id, ce_source … as an object of strings: CloudEvents' binary mode. */
static int binary_attributes(struct decoding *d)
{
    const struct upstream *u = d->u;
    struct json *env = ARENA_NEW(d->a, struct json);
    struct str *keys = ARENA_ARRAY(d->a, struct str, u->n_headers);
    struct json *items = ARENA_ARRAY(d->a, struct json, u->n_headers);
    for (uint32_t i = 0; i < u->n_headers; i++) {
        struct str name = u->headers[2 * i], v = u->headers[2 * i + 1];
        if (name.n < 4 || memcmp(name.p, "ce_", 3) != 0)
            continue;
        if (!utf8_valid(v) || !utf8_valid(name))
            return refuse(d, "utf8", "a ce_ header is not UTF-8");
        keys[env->n] = arena_str(d->a, (struct str){name.p + 3, name.n - 3});
        items[env->n++] = (struct json){.kind = JSON_STRING, .s = arena_str(d->a, v)};
    }
    env->kind = JSON_OBJECT;
    env->keys = keys;
    env->items = items;
    d->env = env;
    return 0;
}

static int parse(struct decoding *d, struct str text, const struct json **out)
{
    if (text.n == 0)
        return refuse(d, "empty", "the record has no value");
    if (json_parse(text, d->lim->max_depth, d->a, out, d->err) < 0)
        return -1;
    if ((*out)->kind != JSON_OBJECT)
        return refuse(d, "wrong_type", "the record is not an object");
    return 0;
}

/* The envelope is parsed: its data is the event. */
static int structured_data(struct decoding *d)
{
    const struct json *data = json_get(d->root, "data");
    struct str encoded = json_str(d->root, "data_base64");
    d->env = d->root;
    if (encoded.n) {
        uint8_t *raw = arena_alloc(d->a, encoded.n);
        int n = dec_base64(encoded, raw, encoded.n);
        if (n < 0)
            return refuse(d, "cloudevent", "data_base64 is not base64");
        return parse(d, (struct str){(const char *)raw, (size_t)n}, &d->root);
    }
    if (!data || data->kind != JSON_OBJECT)
        return refuse(d, "cloudevent", "data is not an object");
    d->root = data;
    return 0;
}

static int check_attributes(struct decoding *d)
{
    static const char *const must[] = {"specversion", "id", "source", "type"};
    for (size_t i = 0; i < BASE_LEN(must); i++)
        if (json_str(d->env, must[i]).n == 0)
            return err_code(d->err, ERR_INPUT, "cloudevent", "attribute %s is missing", must[i]);
    return str_starts(json_str(d->env, "specversion"), "1.")
               ? 0
               : refuse(d, "cloudevent", "specversion is not 1.x");
}

static int read_data(struct decoding *d)
{
    struct str type = d->u->n_headers ? header(d->u, "content-type") : STR("");
    bool structured = str_starts(type, "application/cloudevents+json");
    if (d->u->value.n > d->lim->max_bytes)
        return err_code(d->err, ERR_INPUT, "too_big", "%zu bytes, at most %zu are read",
                        d->u->value.n, d->lim->max_bytes);
    if (!structured && str_starts(type, "application/cloudevents"))
        return refuse(d, "cloudevent", "only the JSON format of CloudEvents is read");
    if (parse(d, d->u->value, &d->root) < 0)
        return -1;
    if (structured && structured_data(d) < 0)
        return -1;
    if (!structured && d->u->n_headers && header(d->u, "ce_specversion").n &&
        binary_attributes(d) < 0)
        return -1;
    return d->env ? check_attributes(d) : 0;
}

/* ---- paths ---- */

static const struct json *step(const struct json *j, struct str name)
{
    if (!j || j->kind != JSON_OBJECT)
        return NULL;
    for (uint32_t i = 0; i < j->n; i++)
        if (str_eq(j->keys[i], name))
            return &j->items[i];
    return NULL;
}

static const struct json *walk(const struct json *j, const struct path *path)
{
    for (uint32_t i = 0; j && i < path->n; i++)
        j = step(j, path->keys[i]);
    return j && j->kind != JSON_NULL ? j : NULL;
}

/* In the element first, then in the record. JSON null is nothing. */
static const struct json *find(const struct decoding *d, const struct path *path)
{
    const struct json *j = d->element ? walk(d->element, path) : NULL;
    return j ? j : walk(d->root, path);
}

/* Who, when, which: CloudEvents attributes can say it too. */
static const struct json *find_meta(const struct decoding *d, const struct path *path)
{
    const struct json *j = find(d, path);
    return j || !d->env ? j : walk(d->env, path);
}

/* ---- who, when, which ---- */

static const struct str key_member = {"member", 6}, key_time = {"time", 4}, key_set = {"set", 3};
static const struct path path_member = {&key_member, 1}, path_time = {&key_time, 1};

/* Text of a string or an integer; 0 = it is neither. */
static int name_text(const struct decoding *d, const struct json *j, struct str *out)
{
    if (j->kind == JSON_STRING) {
        *out = j->s;
        return 1;
    }
    if (j->kind != JSON_INT)
        return 0;
    *out = str_c(arena_printf(d->a, "%lld", (long long)j->i));
    return 1;
}

/* Names become parts of keys: nothing that a log or a terminal could stumble over. */
static bool name_ok(struct str s, size_t max)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return s.n <= max;
}

static int take_member(const struct decoding *d, const struct path *path, struct str *out)
{
    const struct json *j = find_meta(d, path);
    struct at at = {.path = path};
    if (!j || (j->kind == JSON_STRING && j->s.n == 0))
        return take_bad(d, &at, "missing_member", "is missing: whose event is it?", NULL, NULL);
    if (!name_text(d, j, out))
        return take_bad(d, &at, "wrong_type", "is not a member's id", j, NULL);
    if (!name_ok(*out, MODEL_MEMBER_MAX))
        return take_bad(d, &at, "bad_member", "is too long for a member's id or has control bytes",
                        j, NULL);
    return 0;
}

static int take_id(const struct decoding *d, const struct event_def *def, struct str *out)
{
    const struct source *s = &d->u->src;
    struct str source = json_str(d->env, "source"), id = json_str(d->env, "id");
    struct at at = {.path = &def->id};
    if (def->id.n) {
        const struct json *j = find_meta(d, &def->id);
        if (!j)
            return take_bad(d, &at, "missing_field", "is missing: it is the event's identity", NULL,
                            NULL);
        if (!name_text(d, j, out))
            return take_bad(d, &at, "wrong_type", "is not an identity", j, NULL);
    } else if (d->env) { /* a source has no blanks, so this is unambiguous */
        *out = str_c(arena_printf(d->a, STR_FMT " " STR_FMT, STR_ARG(source), STR_ARG(id)));
    } else {
        *out = str_c(arena_printf(d->a, STR_FMT "/%lld/%d/%lld", STR_ARG(s->topic),
                                  (long long)s->epoch, s->partition, (long long)s->offset));
    }
    if (!name_ok(*out, MODEL_ID_MAX))
        return take_bad(d, &at, "too_long", "is too long for an identity or has control bytes",
                        NULL, NULL);
    return 0;
}

static int take_when(const struct decoding *d, const struct event_def *def, int64_t *ms)
{
    const struct path *path = def->time.n ? &def->time : &path_time;
    const struct json *j = def->time.n ? find_meta(d, path) : def->profile ? find(d, path) : NULL;
    struct at at = {.path = path};
    if (!j && d->env)
        j = step(d->env, key_time);
    if (j ? take_time(d, &at, j, ms) < 0 : d->lim->need_time)
        return take_bad(d, &at, "missing_time",
                        "is missing: the clock of this run is in the records", NULL, NULL);
    if (!j)
        *ms = d->u->kafka_ms;
    if (*ms > d->lim->latest_ms)
        return take_bad(d, &at, "future_time", "is in the future", j, NULL);
    return 0;
}

/* ---- one event ---- */

struct list {
    struct event *v;
    uint32_t n, cap;
};

static struct event *add(struct arena *a, struct list *l)
{
    if (l->n == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 4;
        struct event *more = ARENA_ARRAY(a, struct event, cap);
        if (l->n)
            memcpy(more, l->v, l->n * sizeof *more);
        l->v = more;
        l->cap = cap;
    }
    return &l->v[l->n++];
}

/* `set: {TAG: value|null}` of a profile record, or a declared field under its path. */
static const struct json *field_json(const struct decoding *d, const struct event_def *def,
                                     uint32_t i, const struct json *set)
{
    if (def->profile)
        return step(set, def->fields->fields[i].name);
    if (def->paths)
        return find(d, &def->paths[i]);
    return find(d, &(struct path){&def->fields->fields[i].name, 1});
}

static int take_fields(const struct decoding *d, const struct event_def *def, struct val *f)
{
    const struct json *set = def->profile ? step(d->root, key_set) : NULL;
    struct at at_set = {.name = key_set};
    if (def->profile && (!set || set->kind != JSON_OBJECT))
        return take_bad(d, &at_set, set ? "wrong_type" : "missing_field",
                        set ? "is not an object" : "is missing", NULL, NULL);
    for (uint32_t i = 0; i + EVENT_EXTRA < def->fields->n_fields; i++) {
        const struct field *field = &def->fields->fields[i];
        const struct json *j = field_json(d, def, i, set);
        struct at at = {.up = def->profile ? &at_set : NULL, .name = field->name};
        if (!def->profile && def->paths)
            at = (struct at){.path = &def->paths[i]};
        if (j && j->kind != JSON_NULL) {
            if (take_value(d, &at, j, field->type, &f[i]) < 0)
                return -1;
        } else if (j && def->profile) {
            f[i] = (struct val){.t = V_NULL};
        } else if (!field->optional) {
            return take_bad(d, &at, "missing_field", "is missing", NULL, NULL);
        }
    }
    return 0;
}

/* One event a member; they share the declared values but not the role. */
static int add_members(const struct decoding *d, const struct event_def *def, struct event *ev,
                       const struct val *f, struct list *out)
{
    uint32_t n = def->fields->n_fields, members = def->n_member;
    bool implied = members == 0 && def->profile;
    if (implied)
        members = 1;
    for (uint32_t m = 0; m < (members ? members : 1); m++) {
        struct val *own = ARENA_ARRAY(d->a, struct val, n);
        memcpy(own, f, n * sizeof *own);
        ev->role = members && !implied && def->member[m].role.p ? def->member[m].role : STR("");
        if (members &&
            take_member(d, implied ? &path_member : &def->member[m].path, &ev->member) < 0)
            return -1;
        own[n - 3] = val_str(ev->id);
        own[n - 2] = val_time_ms(ev->at_ms);
        own[n - 1] = val_str(ev->role);
        ev->f = own;
        *add(d->a, out) = *ev;
    }
    return 0;
}

static int one_event(const struct decoding *d, const struct event_def *def, int64_t index,
                     struct list *out)
{
    struct event ev = {.def = def, .member = STR(""), .role = STR("")};
    struct val *f = ARENA_ARRAY(d->a, struct val, def->fields->n_fields);
    if (take_id(d, def, &ev.id) < 0 || take_when(d, def, &ev.at_ms) < 0 ||
        take_fields(d, def, f) < 0)
        return -1;
    if (index >= 0)
        ev.id = str_c(arena_printf(d->a, STR_FMT "/%lld", STR_ARG(ev.id), (long long)index));
    return add_members(d, def, &ev, f, out);
}

static int each_event(struct decoding *d, const struct event_def *def, struct list *out)
{
    const struct json *list = walk(d->root, &def->each);
    struct at at = {.path = &def->each};
    if (!list)
        return take_bad(d, &at, "missing_field", "is missing", NULL, NULL);
    if (list->kind != JSON_ARRAY)
        return take_bad(d, &at, "wrong_type", "is not a list", list, NULL);
    if (list->n > MODEL_EACH_MAX)
        return take_bad(d, &at, "too_many", "has too many items", NULL, NULL);
    for (uint32_t i = 0; i < list->n; i++) {
        struct at item = {.up = &at, .index = i};
        if (list->items[i].kind != JSON_OBJECT)
            return take_bad(d, &item, "wrong_type", "is not an object", &list->items[i], NULL);
        d->element = &list->items[i];
        if (one_event(d, def, i, out) < 0)
            return -1;
    }
    d->element = NULL;
    return 0;
}

/* ---- the record ---- */

static bool matches(const struct decoding *d, const struct event_def *def)
{
    for (uint32_t i = 0; i < def->n_match; i++) {
        const struct json *j = find_meta(d, &def->match[i].path);
        struct str text;
        if (!j)
            return false;
        if (j->kind == JSON_BOOL)
            text = j->b ? STR("true") : STR("false");
        else if (!name_text(d, j, &text))
            return false;
        if (!str_eq(text, def->match[i].value))
            return false;
    }
    return true;
}

static bool concerns(const struct event_def *def, const struct upstream *u)
{
    return !def->receipt && str_eq(def->topic, u->src.topic);
}

static int every_match(struct decoding *d, bool each, struct list *out)
{
    for (uint32_t i = 0; i < d->schema->n; i++) {
        const struct event_def *def = d->schema->events[i];
        if (!concerns(def, d->u) || (def->each.n > 0) != each || !matches(d, def))
            continue;
        if ((each ? each_event(d, def, out) : one_event(d, def, -1, out)) < 0)
            return -1;
    }
    return 0;
}

int model_decode(const struct schema *s, const struct upstream *u, const struct decode_limits *lim,
                 struct arena *a, struct event **out, uint32_t *n, struct err *err)
{
    struct decoding d = {
        .schema = s, .u = u, .lim = lim ? lim : &default_limits, .a = a, .err = err};
    struct list list = {NULL, 0, 0};
    if (schema_has_topic(s, u->src.topic) &&
        (read_data(&d) < 0 || every_match(&d, false, &list) < 0 ||
         every_match(&d, true, &list) < 0))
        return -1;
    *out = list.v;
    *n = list.n;
    return 0;
}
