/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: JSON texts as trees.  Two parsers, one meaning: json_fast (fastjson.c) takes the common form of
 * a small message in one pass; whatever it does not take, jansson parses here, and its tree is copied
 * into the arena.  Every error message and every refusal comes from this file, so the two cannot differ
 * in what they refuse.
 */
/* Both jansson and model.h have a JSON_STRING: jansson's kinds get another name here. */
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_REAL JANSSON_REAL
#define JSON_NULL JANSSON_NULL
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_REAL
#undef JSON_NULL

#include "model_priv.h"

/* ---- what jansson does not check the way we want ---- */

/* Nesting, counted before anything is built: jansson's own limit is 2,048 and costs its stack. */
static int check_depth(struct str t, uint32_t max_depth, struct err *err)
{
    uint32_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > max_depth)
                return err_code(err, ERR_INPUT, "json_depth",
                                "nested deeper than %u levels at byte %zu", max_depth, i);
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return 0;
}

static int jansson_error(const json_error_t *e, struct err *err)
{
    static const struct {
        enum json_error_code from;
        const char *code;
    } codes[] = {
        {json_error_duplicate_key, "json_duplicate_key"},
        {json_error_invalid_utf8, "utf8"},
        {json_error_stack_overflow, "json_depth"},
        {json_error_numeric_overflow, "json_number"},
        {json_error_null_byte_in_key, "json_nul"},
    };
    const char *code = "json_syntax";
    for (size_t i = 0; i < BASE_LEN(codes); i++)
        if (json_error_code(e) == codes[i].from)
            code = codes[i].code;
    err_code(err, ERR_INPUT, code, "%s", e->text);
    if (err && err->line == 0) {
        err->line = e->line;
        err->col = e->column;
    }
    return -1;
}

/* ---- the copy ---- */

static void copy(const json_t *from, struct arena *a, struct json *to);

static void copy_object(const json_t *from, struct arena *a, struct json *to)
{
    size_t n = json_object_size(from), i = 0;
    struct str *keys = ARENA_ARRAY(a, struct str, n ? n : 1);
    struct json *items = ARENA_ARRAY(a, struct json, n ? n : 1);
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)(uintptr_t)from, key, item)
    {
        keys[i] = arena_str(a, str_c(key));
        copy(item, a, &items[i++]);
    }
    to->keys = keys;
    to->items = items;
    to->n = (uint32_t)n;
}

static void copy_array(const json_t *from, struct arena *a, struct json *to)
{
    size_t n = json_array_size(from);
    struct json *items = ARENA_ARRAY(a, struct json, n ? n : 1);
    for (size_t i = 0; i < n; i++)
        copy(json_array_get(from, i), a, &items[i]);
    to->items = items;
    to->n = (uint32_t)n;
}

static void copy(const json_t *from, struct arena *a, struct json *to)
{
    memset(to, 0, sizeof *to);
    to->s = STR("");
    switch (json_typeof(from)) {
    case JANSSON_NULL:
        to->kind = JSON_NULL;
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        to->kind = JSON_BOOL;
        to->b = json_typeof(from) == JSON_TRUE;
        break;
    case JSON_INTEGER:
        to->kind = JSON_INT;
        to->i = json_integer_value(from);
        to->d = (double)to->i;
        break;
    case JANSSON_REAL:
        to->kind = JSON_REAL;
        to->d = json_real_value(from);
        break;
    case JANSSON_STRING:
        to->kind = JSON_STRING;
        to->s = arena_str(a, (struct str){json_string_value(from), json_string_length(from)});
        break;
    case JANSSON_ARRAY:
        to->kind = JSON_ARRAY;
        copy_array(from, a, to);
        break;
    case JANSSON_OBJECT:
        to->kind = JSON_OBJECT;
        copy_object(from, a, to);
        break;
    }
}

/* ---- parsing ---- */

int json_slow(struct str text, uint32_t max_depth, struct arena *a, const struct json **out,
              struct err *err)
{
    json_error_t e;
    if (check_depth(text, max_depth, err) < 0)
        return -1;
    json_t *root = json_loadb(text.n ? text.p : "", text.n,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    if (!root)
        return jansson_error(&e, err);
    struct json *to = ARENA_NEW(a, struct json);
    copy(root, a, to);
    json_decref(root);
    *out = to;
    return 0;
}

int json_parse(struct str text, uint32_t max_depth, struct arena *a, const struct json **out,
               struct err *err)
{
    if (json_fast(text, max_depth, a, out))
        return 0;
    return json_slow(text, max_depth, a, out, err);
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (!object || object->kind != JSON_OBJECT)
        return NULL;
    for (uint32_t i = 0; i < object->n; i++)
        if (str_eqc(object->keys[i], key))
            return &object->items[i];
    return NULL;
}

struct str json_str(const struct json *object, const char *key)
{
    const struct json *j = json_get(object, key);
    return j && j->kind == JSON_STRING ? j->s : STR("");
}

int64_t json_i64(const struct json *object, const char *key, int64_t dflt)
{
    const struct json *j = json_get(object, key);
    return j && j->kind == JSON_INT ? j->i : dflt;
}
