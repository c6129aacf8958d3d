/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON Schema of rule files (draft 7, which editors know), made of the loader's own tables of
 * keys.  How a value is written is a word in those tables (`length`, `condition`, `a|b`, `int 1..9`);
 * here stands what each word means in JSON Schema.  In the fragments `@word` is short for a reference
 * to a definition.  With a program the names that exist become enums; without one they are patterns.
 */
#include "rule_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define LEN_PATTERN "([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?"
#define CLOCK_PATTERN "([01][0-9]|2[0-3]):[0-5][0-9]"
#define DATE_PATTERN "[0-9]{4}-[0-9]{2}-[0-9]{2}"
#define STEP_PATTERN                                                                               \
    "^\\\\+(0|0s|0m|[0-9dhms]+)$|^" DATE_PATTERN " " CLOCK_PATTERN "(:[0-5][0-9])?$"

static const struct {
    const char *name, *json;
} shapes[] = {
    {"text", "{\"type\":[\"string\",\"number\",\"boolean\"]}"},
    {"scalar", "{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]}"},
    {"texts", "{\"type\":\"array\",\"items\":@text,\"minItems\":1}"},
    {"map", "{\"type\":\"object\"}"},
    {"name", "{\"type\":\"string\",\"pattern\":\"^[a-z][a-z0-9_]{0,63}$\"}"},
    {"path", "{\"type\":\"string\",\"pattern\":\"^[^.]+([.][^.]+){0,15}$\"}"},
    {"bool", "{\"type\":\"boolean\"}"},
    {"true", "{\"const\":true}"},
    {"number", "{\"type\":\"number\",\"exclusiveMinimum\":0,\"maximum\":1000}"},
    {"share", "{\"type\":\"number\",\"exclusiveMinimum\":0,\"maximum\":100}"},
    {"expr", "{\"type\":[\"string\",\"number\",\"boolean\"]}"},
    {"condition", "{\"type\":[\"string\",\"boolean\"]}"},
    {"length", "{\"type\":\"string\",\"minLength\":2,\"pattern\":\"^" LEN_PATTERN "$\"}"},
    {"length_or_cycle", "{\"anyOf\":[@length,@cycle]}"},
    {"days", "{\"type\":\"string\",\"minLength\":2,\"pattern\":\"^" LEN_PATTERN "$\"}"},
    {"clock", "{\"type\":\"string\",\"pattern\":\"^" CLOCK_PATTERN "$\"}"},
    {"percent", "{\"type\":\"string\",\"pattern\":\"^[0-9]{1,3}([.][0-9]{1,2})?%$\"}"},
    {"limit", "{\"type\":\"string\",\"pattern\":\"^[1-9][0-9]* (ever|per "
              "(day|week|month|year|[0-9][0-9dhms]+))$\"}"},
    {"window", "{\"anyOf\":[{\"enum\":[\"day\",\"week\",\"month\",\"year\"]},@length]}"},
    {"keep", "{\"anyOf\":[{\"const\":\"forever\"},@length]}"},
    {"range",
     "{\"type\":\"string\",\"pattern\":\"^(" DATE_PATTERN ")?[.][.](" DATE_PATTERN ")?$\"}"},
    {"quiet", "{\"type\":\"string\",\"pattern\":\"^" CLOCK_PATTERN "-" CLOCK_PATTERN "$\"}"},
    {"date", "{\"type\":\"string\",\"pattern\":\"^(member[.][a-z][a-z0-9_]*|(lunar "
             ")?[0-9]{2}-[0-9]{2}|" DATE_PATTERN ")$\"}"},
    {"schedule", "{\"type\":\"string\",\"pattern\":\"^(day|month ([1-9]|[12][0-9]|3[01]|last)|"
                 "((workday|mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?(,|(?= "
                 ")))+) " CLOCK_PATTERN "$\"}"},
    {"local_time",
     "{\"type\":\"string\",\"pattern\":\"^" DATE_PATTERN " " CLOCK_PATTERN "(:[0-5][0-9])?$\"}"},
    {"test_time", "{\"type\":\"string\",\"pattern\":\"" STEP_PATTERN "\"}"},
    {"day_list", "{\"anyOf\":[@day_range,{\"type\":\"array\",\"items\":@day_range}]}"},
    {"day_range",
     "{\"type\":\"string\",\"pattern\":\"^" DATE_PATTERN "([.][.]" DATE_PATTERN ")?$\"}"},
    /* events */
    {"match", "{\"type\":\"object\",\"additionalProperties\":@text}"},
    {"member", "{\"anyOf\":[@path,{\"type\":\"object\",\"minProperties\":2,\"maxProperties\":2,"
               "\"propertyNames\":@name,\"additionalProperties\":@path}]}"},
    {"fields", "{\"type\":[\"object\",\"null\"],\"additionalProperties\":@type}"},
    {"type", "{\"anyOf\":[@type_word,{\"type\":\"array\",\"items\":@type,\"minItems\":1,"
             "\"maxItems\":1},@long_type,{\"type\":\"object\",\"additionalProperties\":@type}]}"},
    /* names that others build on */
    {"events", "{\"anyOf\":[@event,{\"type\":\"array\",\"items\":@event,\"minItems\":1,"
               "\"uniqueItems\":true}]}"},
    {"gateways", "{\"anyOf\":[@gateway,{\"type\":\"array\",\"items\":@gateway,\"minItems\":1,"
                 "\"uniqueItems\":true}]}"},
    {"rules", "{\"anyOf\":[@rule_name,{\"type\":\"array\",\"items\":@rule_name,\"minItems\":1}]}"},
    /* messages and policy */
    {"params", "{\"anyOf\":[{\"type\":\"array\",\"items\":@name},{\"type\":\"object\","
               "\"propertyNames\":@name,\"additionalProperties\":@type}]}"},
    {"data", "{\"type\":\"object\",\"additionalProperties\":@name}"},
    {"consent",
     "{\"type\":\"object\",\"propertyNames\":@gateway,\"additionalProperties\":@condition}"},
    {"caps",
     "{\"type\":\"object\",\"propertyNames\":{\"anyOf\":[{\"const\":\"any\"},@gateway]},"
     "\"additionalProperties\":{\"anyOf\":[@limit,{\"type\":\"array\",\"items\":@limit}]}}"},
    {"holds", "{\"type\":\"array\",\"items\":@hold}"},
    /* tags */
    {"level_list", "{\"type\":\"array\",\"minItems\":1,\"maxItems\":32,\"items\":{\"type\":"
                   "\"object\",\"minProperties\":1,\"maxProperties\":1,"
                   "\"additionalProperties\":@condition}}"},
    /* rules */
    {"trigger", "{\"anyOf\":[@events,@trigger_form]}"},
    {"patterns", "{\"anyOf\":[@event,@pattern,{\"type\":\"array\",\"minItems\":1,\"items\":"
                 "{\"anyOf\":[@event,@pattern]}}]}"},
    {"wait", "{\"anyOf\":[@length,@clock,{\"type\":\"string\",\"pattern\":\"^[0-9]+d " CLOCK_PATTERN
             "$\"},@wait_to]}"},
    {"with", "{\"type\":\"object\",\"additionalProperties\":@expr}"},
    {"set", "{\"type\":\"object\",\"minProperties\":1,\"propertyNames\":@stored_tag,"
            "\"additionalProperties\":@scalar}"},
    {"split", "{\"type\":\"object\",\"propertyNames\":@name,\"additionalProperties\":@arm}"},
    {"branches", "{\"type\":\"array\",\"minItems\":1,\"items\":@branch}"},
    {"steps", "{\"type\":\"array\",\"items\":@step}"},
    /* tests */
    {"buckets",
     "{\"type\":\"object\",\"propertyNames\":@rule_name,\"additionalProperties\":@name}"},
    {"members_of_test",
     "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"object\",\"null\"],\"properties\":"
     "{\"$fail\":@gateways,\"$holdout\":@bool},\"propertyNames\":{\"anyOf\":[{\"enum\":"
     "[\"$fail\",\"$holdout\"]},@stored_tag]}}}"},
    {"test_steps", "{\"type\":\"array\",\"items\":@test_step}"},
    {"expects", "{\"type\":\"array\",\"items\":@expect}"},
    {"withhelds", "{\"type\":\"array\",\"items\":@withheld}"},
};

static const struct key_table *const tables[] = {
    &event_def_table, &members_table,     &long_type_table,    &table_table,   &value_table,
    &levels_table,    &message_def_table, &block_table,        &policy_table,  &hold_table,
    &workdays_table,  &rule_table,        &trigger_form_table, &cycle_table,   &pattern_table,
    &goal_table,      &wait_to_table,     &arm_table,          &branch_table,  &test_table,
    &test_step_table, &expect_table,      &withheld_table,     &receipt_table,
};

const struct key_table *key_table_at(size_t i)
{
    return i < BASE_LEN(tables) ? tables[i] : NULL;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A fragment with its @words. */
static void write_json(struct buf *out, const char *json)
{
    while (*json) {
        size_t n = strcspn(json, "@");
        buf_add(out, json, n);
        json += n;
        if (!*json)
            return;
        n = strspn(++json, "abcdefghijklmnopqrstuvwxyz_");
        buf_addf(out, "{\"$ref\":\"#/definitions/%.*s\"}", (int)n, json);
        json += n;
    }
}

static void write_words(struct buf *out, const char *words)
{
    buf_adds(out, "{\"enum\":[");
    for (const char *w = words; *w;) {
        size_t n = strcspn(w, "|");
        buf_addf(out, "%s\"%.*s\"", w == words ? "" : ",", (int)n, w);
        w += n + (w[n] == '|');
    }
    buf_adds(out, "]}");
}

/* What a key's `type` says. */
static void write_type(struct buf *out, const char *type)
{
    long long from, to;
    if (strchr(type, '|'))
        write_words(out, type);
    else if (sscanf(type, "int %lld..%lld", &from, &to) == 2)
        buf_addf(out, "{\"type\":\"integer\",\"minimum\":%lld,\"maximum\":%lld}", from, to);
    else
        buf_addf(out, "{\"$ref\":\"#/definitions/%s\"}", type);
}

static void write_keys(struct buf *out, const struct key_def *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (keys[i].unbuilt)
            continue;
        buf_addf(out, "%s\n      \"%s\":{\"description\":", i ? "," : "", keys[i].name);
        json_write_str(out, str_c(keys[i].en));
        buf_adds(out, ",\"allOf\":[");
        write_type(out, keys[i].type);
        buf_adds(out, "]}");
    }
}

/* {…} with the keys; `more`: what else its properties may be, in JSON. */
static void write_object(struct buf *out, const struct key_def *keys, size_t n, bool need,
                         const char *more)
{
    const char *sep = "";
    buf_adds(out, "{\"type\":\"object\",\"required\":[");
    for (size_t i = 0; need && i < n; i++) {
        if (!keys[i].need)
            continue;
        buf_addf(out, "%s\"%s\"", sep, keys[i].name);
        sep = ",";
    }
    buf_adds(out, "],\"additionalProperties\":");
    write_json(out, more);
    buf_adds(out, ",\"properties\":{");
    write_keys(out, keys, n);
    buf_adds(out, "}}");
}

static void define(struct buf *out, const char *name)
{
    buf_addf(out, ",\n    \"%s\":", name);
}

/* ---- names ----------------------------------------------------------------------------------- */

struct enumeration {
    struct buf *out;
    uint32_t n;
};

/* "a" or "a.b". */
static void enum_add(struct enumeration *e, struct str a, struct str b)
{
    buf_addf(e->out, "%s\"" STR_FMT "%s" STR_FMT "\"", e->n++ ? "," : "", STR_ARG(a),
             b.n ? "." : "", STR_ARG(b));
}

/* Any name, where the names are not known. */
static bool any_name(struct buf *out, const char *def, const struct program *p, const char *json)
{
    define(out, def);
    if (!p)
        write_json(out, json);
    else
        buf_adds(out, "{\"enum\":[");
    return !p;
}

static void define_events(struct buf *out, const struct program *p)
{
    struct enumeration e = {out, 0};
    if (!any_name(out, "event", p, "@name")) {
        for (uint32_t i = 0; i < p->schema->n; i++)
            enum_add(&e, p->schema->events[i]->name, STR(""));
        buf_adds(out, "]}");
    }
    e.n = 0;
    if (any_name(
            out, "source", p,
            "{\"type\":\"string\",\"pattern\":\"^[a-z][a-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)?$\"}"))
        return;
    for (uint32_t i = 0; i < p->schema->n; i++) {
        const struct event_def *ev = p->schema->events[i];
        enum_add(&e, ev->name, STR(""));
        for (uint32_t k = 0; k < ev->fields->n_fields; k++)
            enum_add(&e, ev->name, ev->fields->fields[k].name);
    }
    buf_adds(out, "]}");
}

static void define_tags(struct buf *out, const struct program *p)
{
    static const struct {
        const char *name, *json;
        bool stored, duration;
    } sets[] = {
        {"tag", "@name", false, false},
        {"stored_tag", "@name", true, false},
        {"duration_tag", "{\"type\":\"string\"}", false, true},
    };
    for (size_t s = 0; s < BASE_LEN(sets); s++) {
        struct enumeration e = {out, 0};
        if (any_name(out, sets[s].name, p, sets[s].json))
            continue;
        for (uint32_t i = 0; i < p->n_tags; i++) {
            const struct tag_def *t = &p->tags[i];
            if ((sets[s].stored && t->kind != TAG_STORED) ||
                (sets[s].duration && t->type->kind != TYPE_DURATION))
                continue;
            enum_add(&e, t->name, STR(""));
            if (sets[s].duration)
                enum_add(&e, STR("member"), t->name);
        }
        buf_adds(out, "]}");
    }
}

static void define_others(struct buf *out, const struct program *p)
{
    struct enumeration e = {out, 0};
    if (!any_name(out, "message", p, "@name")) {
        for (uint32_t i = 0; i < p->n_messages; i++)
            enum_add(&e, p->messages[i].name, STR(""));
        buf_adds(out, "]}");
    }
    e.n = 0;
    if (!any_name(out, "gateway", p, "@name")) {
        for (uint32_t i = 0; i < p->n_gateways; i++)
            enum_add(&e, p->gateways[i].name, STR(""));
        buf_adds(out, "]}");
    }
    e.n = 0;
    if (!any_name(out, "rule_name", p, "@name")) {
        for (uint32_t i = 0; i < p->n_rules; i++)
            enum_add(&e, p->rules[i].name, STR(""));
        buf_adds(out, "]}");
    }
}

/* ---- what is made of several tables ---------------------------------------------------------- */

static void define_types(struct buf *out)
{
    define(out, "type_word");
    buf_adds(out, "{\"type\":\"string\",\"pattern\":\"^\\\\[*(");
    for (size_t i = 0; type_word_at(i); i++)
        buf_addf(out, "%s%s", i ? "|" : "", type_word_at(i));
    buf_adds(out, ")[?\\\\]]*$\"}");
}

static void define_tag_kinds(struct buf *out)
{
    struct key_def keys[TAG_KEYS_MAX];
    define(out, "tag_def");
    buf_adds(out, "{\"oneOf\":[");
    for (int k = TAG_STORED; k <= TAG_LEVELS; k++) {
        size_t n = tag_kind_keys((enum tag_kind)k, keys);
        buf_adds(out, k ? ",\n     " : "\n     ");
        write_object(out, keys, n, true, "false");
    }
    buf_adds(out, "]}");
}

static void define_steps(struct buf *out)
{
    struct key_def keys[STEP_KEYS_MAX];
    size_t n;
    define(out, "step");
    buf_adds(out, "{\"oneOf\":[");
    for (size_t v = 0; (n = step_keys_of(v, keys)) != 0; v++) {
        buf_adds(out, v ? ",\n     " : "\n     ");
        write_object(out, keys, n, true, "false");
    }
    buf_adds(out, "]}");
}

static void define_tables(struct buf *out)
{
    static const char with_member[] = "{\"oneOf\":[{\"required\":[\"member\"]},"
                                      "{\"required\":[\"members\"]}],\"allOf\":[";
    for (size_t i = 0; i < BASE_LEN(tables); i++) {
        const struct key_table *t = tables[i];
        define(out, t->name);
        if (t == &event_def_table)
            buf_adds(out, with_member);
        if (t == &message_def_table) /* and a block for each gateway */
            write_object(out, t->keys, t->n, true, "@block");
        else /* a policy may stand in several files */
            write_object(out, t->keys, t->n, t != &policy_table, "false");
        buf_adds(out, t == &event_def_table ? "]}" : "");
    }
}

static void write_sections(struct buf *out)
{
    static const char *const defs[N_SECTIONS] = {
        [SEC_EVENTS] = "event_def",     [SEC_TABLES] = "table", [SEC_TAGS] = "tag_def",
        [SEC_MESSAGES] = "message_def", [SEC_RULES] = "rule",   [SEC_TESTS] = "test",
    };
    buf_adds(out, "  \"type\":[\"object\",\"null\"],\n  \"additionalProperties\":false,\n"
                  "  \"properties\":{");
    for (int s = 0; s < N_SECTIONS; s++) {
        buf_addf(out, "%s\n    \"%s\":", s ? "," : "", section_names[s]);
        if (s == SEC_POLICY)
            write_json(out, "{\"anyOf\":[{\"type\":\"null\"},@policy]}");
        else
            buf_addf(out,
                     "{\"type\":[\"object\",\"null\"],\"propertyNames\":{\"$ref\":\"#/definitions/"
                     "name\"},\"additionalProperties\":{\"$ref\":\"#/definitions/%s\"}}",
                     defs[s]);
    }
    buf_adds(out, "\n  }");
}

void rule_schema(const struct program *p, struct buf *out)
{
    buf_adds(out, "{\n  \"$schema\":\"http://json-schema.org/draft-07/schema#\",\n"
                  "  \"title\":\"rouse rule files\",\n");
    write_sections(out);
    buf_adds(out, ",\n  \"definitions\":{\n    \"any\":{}");
    for (size_t i = 0; i < BASE_LEN(shapes); i++) {
        define(out, shapes[i].name);
        write_json(out, shapes[i].json);
    }
    define_events(out, p);
    define_tags(out, p);
    define_others(out, p);
    define_types(out);
    define_tag_kinds(out);
    define_steps(out);
    define_tables(out);
    buf_adds(out, "\n  }\n}\n");
}
