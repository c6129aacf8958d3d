/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From libyaml's code points to bytes of the file, and from the decoded bytes of a quoted scalar
 * back to where each was written.  The second repeats YAML's rules for quotes, escapes and folded
 * lines; when its result differs from libyaml's (it never should) every byte is given the place of
 * the opening quote, which is still a true place.
 */
#include "yaml_priv.h"

void places_init(struct places *p, struct arena *a, struct str text)
{
    *p = (struct places){.text = text};
    size_t i = 0;
    while (i < text.n && (uint8_t)text.p[i] < 0x80)
        i++;
    if (i == text.n)
        return;
    uint32_t *at = ARENA_ARRAY(a, uint32_t, text.n / PLACE_STEP + 2);
    size_t cp = 0;
    for (i = 0; i < text.n; i++) {
        if (((uint8_t)text.p[i] & 0xc0) == 0x80)
            continue;
        if (cp % PLACE_STEP == 0)
            at[p->n++] = (uint32_t)i;
        cp++;
    }
    p->at = at;
}

uint32_t places_byte(const struct places *p, size_t code_point)
{
    if (!p->at)
        return (uint32_t)(code_point < p->text.n ? code_point : p->text.n);
    size_t slot = code_point / PLACE_STEP;
    if (slot >= p->n)
        slot = p->n - 1;
    size_t i = p->at[slot];
    size_t left = code_point - slot * PLACE_STEP;
    while (left > 0 && i < p->text.n) {
        i++;
        while (i < p->text.n && ((uint8_t)p->text.p[i] & 0xc0) == 0x80)
            i++;
        left--;
    }
    return (uint32_t)i;
}

/* ---- quoted scalars -------------------------------------------------------------------------- */

struct unquote {
    struct str raw, decoded;
    uint32_t base;
    uint32_t *map;
    size_t n;   /* decoded bytes placed */
    bool wrong; /* they are not what libyaml says */
};

static void put(struct unquote *u, char c, size_t raw_off)
{
    if (u->n >= u->decoded.n || u->decoded.p[u->n] != c)
        u->wrong = true;
    else
        u->map[u->n++] = u->base + (uint32_t)raw_off;
}

static void put_cp(struct unquote *u, uint32_t cp, size_t raw_off)
{
    char b[4];
    size_t n = 1;
    if (cp < 0x80) {
        b[0] = (char)cp;
    } else if (cp < 0x800) {
        b[0] = (char)(0xc0 | cp >> 6);
        b[1] = (char)(0x80 | (cp & 0x3f));
        n = 2;
    } else if (cp < 0x10000) {
        b[0] = (char)(0xe0 | cp >> 12);
        b[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        b[2] = (char)(0x80 | (cp & 0x3f));
        n = 3;
    } else {
        b[0] = (char)(0xf0 | cp >> 18);
        b[1] = (char)(0x80 | (cp >> 12 & 0x3f));
        b[2] = (char)(0x80 | (cp >> 6 & 0x3f));
        b[3] = (char)(0x80 | (cp & 0x3f));
        n = 4;
    }
    for (size_t i = 0; i < n; i++)
        put(u, b[i], raw_off);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

/* Past one line break. */
static size_t skip_break(struct str s, size_t i)
{
    return i + (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n' ? 2 : 1);
}

static size_t skip_blanks(struct str s, size_t i)
{
    while (i < s.n && is_blank(s.p[i]))
        i++;
    return i;
}

/* A run of breaks and blanks that begins with a break: one break is a space, n are n - 1 breaks;
 * after an escaped break the first is nothing. */
static size_t fold(struct unquote *u, size_t i, bool escaped)
{
    size_t first = i, more = 0;
    i = skip_blanks(u->raw, skip_break(u->raw, i));
    while (i < u->raw.n && is_break(u->raw.p[i])) {
        put(u, '\n', i);
        more++;
        i = skip_blanks(u->raw, skip_break(u->raw, i));
    }
    if (!more && !escaped)
        put(u, ' ', first);
    return i;
}

static const struct {
    char c;
    uint8_t digits;
    uint16_t cp;
} escapes[] = {
    {'0', 0, 0},    {'a', 0, 7},   {'b', 0, 8},   {'t', 0, 9},      {'\t', 0, 9},
    {'n', 0, 10},   {'v', 0, 11},  {'f', 0, 12},  {'r', 0, 13},     {'e', 0, 27},
    {' ', 0, ' '},  {'"', 0, '"'}, {'/', 0, '/'}, {'\\', 0, '\\'},  {'N', 0, 0x85},
    {'_', 0, 0xa0}, {'x', 2, 0},   {'u', 4, 0},   {'L', 0, 0x2028}, {'P', 0, 0x2029},
    {'U', 8, 0},
};

static uint32_t hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0');
    return (uint32_t)((c | 0x20) - 'a' + 10) & 15;
}

/* A backslash at i; returns what follows the escape. */
static size_t escape(struct unquote *u, size_t i)
{
    struct str s = u->raw;
    size_t from = i++;
    if (i >= s.n)
        return i;
    if (is_break(s.p[i]))
        return fold(u, i, true);
    for (size_t k = 0; k < BASE_LEN(escapes); k++) {
        if (escapes[k].c != s.p[i])
            continue;
        uint32_t cp = escapes[k].cp;
        i++;
        for (uint8_t h = 0; h < escapes[k].digits && i < s.n; h++)
            cp = cp << 4 | hex_digit(s.p[i++]);
        put_cp(u, cp, from);
        return i;
    }
    u->wrong = true;
    return i + 1;
}

/* Blanks belong to the text unless a line ends after them. */
static size_t blanks(struct unquote *u, size_t i)
{
    size_t end = skip_blanks(u->raw, i);
    if (end < u->raw.n && is_break(u->raw.p[end]))
        return fold(u, end, false);
    for (; i < end; i++)
        put(u, u->raw.p[i], i);
    return end;
}

const uint32_t *quoted_map(struct arena *a, struct str raw, uint32_t base, struct str decoded)
{
    struct unquote u = {.decoded = decoded, .base = base};
    u.map = ARENA_ARRAY(a, uint32_t, decoded.n + 1);
    bool dbl = raw.n > 0 && raw.p[0] == '"';
    u.raw = (struct str){raw.p, raw.n ? raw.n - 1 : 0}; /* the closing quote is not text */
    size_t i = 1;
    while (i < u.raw.n && !u.wrong) {
        char c = u.raw.p[i];
        if (is_blank(c)) {
            i = blanks(&u, i);
        } else if (is_break(c)) {
            i = fold(&u, i, false);
        } else if (dbl && c == '\\') {
            i = escape(&u, i);
        } else {
            put(&u, c, i);
            i += !dbl && c == '\'' ? 2 : 1;
        }
    }
    if (u.n != decoded.n || u.wrong)
        for (u.n = 0; u.n < decoded.n; u.n++)
            u.map[u.n] = base;
    u.map[decoded.n] = base + (uint32_t)u.raw.n;
    return u.map;
}

void paren_scan(struct str s, struct parens *p)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (p->quote) {
            if (c == '\\')
                i++;
            else if (c == p->quote)
                p->quote = 0;
        } else if (c == '\'' || c == '"') {
            p->quote = c;
        } else if (c == '(' || c == '[') {
            p->depth++;
        } else if (c == ')' || c == ']') {
            p->depth--;
        }
    }
}
