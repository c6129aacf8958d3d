/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the functions' replies. A reply that has not the promised shape reads as empty. */
#include "redis_priv.h"

static const struct redis_reply *item(const struct redis_reply *a, size_t i)
{
    if (a == NULL || a->kind != REDIS_ARRAY || i >= a->n)
        return NULL;
    return a->items[i];
}

static struct str text(const struct redis_reply *o)
{
    if (o == NULL || (o->kind != REDIS_STRING && o->kind != REDIS_STATUS))
        return (struct str){NULL, 0};
    return o->s;
}

struct str redis_meta(const struct redis_reply *meta, const char *field)
{
    for (size_t i = 0; meta->kind == REDIS_ARRAY && i + 1 < meta->n; i += 2) {
        if (str_eqc(text(item(meta, i)), field))
            return text(item(meta, i + 1));
    }
    return (struct str){NULL, 0};
}

const struct redis_reply *reply_copy(struct arena *a, const struct redis_reply *from)
{
    struct redis_reply *o = ARENA_NEW(a, struct redis_reply);
    *o = *from;
    if (from->kind == REDIS_ARRAY) {
        o->items = arena_alloc(a, sizeof *o->items * ((size_t)from->n + 1));
        for (uint32_t i = 0; i < from->n; i++)
            o->items[i] = reply_copy(a, from->items[i]); /* at most as deep as the reader goes: 7 */
    } else if (from->s.p != NULL) {
        o->s = arena_str(a, from->s);
    }
    return o;
}

/* ---- states: when it is due (eight bytes, little end first), then what the fold wrote ------------------ */

struct str state_blob(struct str value, int64_t *due_ms)
{
    uint64_t due = 0;
    *due_ms = INT64_MAX;
    if (value.n < STATE_HEAD)
        return (struct str){NULL, 0};
    for (int i = STATE_HEAD - 1; i >= 0; i--)
        due = due << 8 | (unsigned char)value.p[i];
    *due_ms = (int64_t)due;
    return (struct str){value.p + STATE_HEAD, value.n - STATE_HEAD};
}

struct str state_value(struct arena *a, int64_t due_ms, struct str blob)
{
    char *t = arena_alloc(a, STATE_HEAD + blob.n);
    for (int i = 0; i < STATE_HEAD; i++)
        t[i] = (char)((uint64_t)due_ms >> 8 * i & 255);
    if (blob.n > 0)
        memcpy(t + STATE_HEAD, blob.p, blob.n);
    return (struct str){t, STATE_HEAD + blob.n};
}

struct str redis_load_state(const struct redis_reply *load, size_t i)
{
    int64_t due;
    return state_blob(text(item(item(load, 0), i)), &due);
}

/* "LEN:bytes,": the next one of *s */
static int netstring(struct str *s, struct str *out)
{
    const char *colon = s->n > 0 ? memchr(s->p, ':', s->n) : NULL;
    int64_t n;
    if (colon == NULL || str_i64((struct str){s->p, (size_t)(colon - s->p)}, &n) != 0 || n < 0)
        return -1;
    size_t head = (size_t)(colon - s->p) + 1;
    if ((uint64_t)n >= s->n - head || s->p[head + (size_t)n] != ',')
        return -1;
    *out = (struct str){colon + 1, (size_t)n};
    s->p += head + (size_t)n + 1;
    s->n -= head + (size_t)n + 1;
    return 0;
}

int redis_load_sent(const struct redis_reply *load, size_t i, struct str *member, struct str *rule,
                    struct str *message)
{
    struct str s = text(item(item(load, 1), i));
    struct str part[3];
    for (int k = 0; k < 3; k++) {
        if (netstring(&s, &part[k]) != 0)
            return 0;
    }
    *member = part[0];
    *rule = part[1];
    *message = part[2];
    return 1;
}

size_t redis_due_n(const struct redis_reply *due)
{
    return due->kind == REDIS_ARRAY ? due->n / 2 : 0;
}

int redis_due_get(const struct redis_reply *due, size_t i, int64_t *due_ms, struct str *member)
{
    struct str score = text(item(due, 2 * i + 1));
    *member = text(item(due, 2 * i));
    if (str_eqc(score, "inf")) {
        *due_ms = INT64_MAX;
        return 0;
    }
    return str_i64(score, due_ms);
}
