/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lex: the text of an expression as tokens, read in place, so that every offset is an offset of the
 * file.  What people paste by accident (full-width punctuation, a single `=`, `2h`) is recognised
 * here, because here its place is known best.
 */
#include "expr_priv.h"

#include <math.h>
#include <stdlib.h>

static int at(const struct comp *c, uint32_t i)
{
    return i < c->src->text.n ? (unsigned char)c->src->text.p[i] : -1;
}

static bool is_digit(int ch)
{
    return ch >= '0' && ch <= '9';
}

static bool is_letter(int ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
}

static int hex(int ch)
{
    if (is_digit(ch))
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

static void skip_blank(struct comp *c)
{
    for (;;) {
        int ch = at(c, c->pos);
        if (ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == '\f') {
            c->pos++;
        } else if (ch == '/' && at(c, c->pos + 1) == '/') {
            while (c->pos < c->src->text.n && at(c, c->pos) != '\n')
                c->pos++;
        } else {
            return;
        }
    }
}

/* ---- strings ---- */

static size_t put_utf8(char *to, uint32_t cp)
{
    if (cp < 0x80) {
        to[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        to[0] = (char)(0xc0 | cp >> 6);
        to[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        to[0] = (char)(0xe0 | cp >> 12);
        to[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        to[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | cp >> 18);
    to[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    to[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    to[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

/* The code point of the escape at text[*i] (behind the backslash); -1 = there is no such escape. */
static int64_t escape(const struct comp *c, uint32_t *i)
{
    static const char names[] = "abfnrtv\\?\"'`", values[] = "\a\b\f\n\r\t\v\\?\"'`";
    int ch = at(c, *i);
    const char *simple = ch > 0 ? strchr(names, ch) : NULL;
    int digits = ch == 'x' || ch == 'X' ? 2 : ch == 'u' ? 4 : ch == 'U' ? 8 : 0;
    int64_t cp = 0;
    if (simple) {
        ++*i;
        return values[simple - names];
    }
    if (ch >= '0' && ch <= '3') {
        for (int k = 0; k < 3; k++, ++*i) {
            if (at(c, *i) < '0' || at(c, *i) > '7')
                return -1;
            cp = cp * 8 + (at(c, *i) - '0');
        }
        return cp;
    }
    if (!digits)
        return -1;
    for (++*i; digits > 0; digits--, ++*i) {
        if (hex(at(c, *i)) < 0)
            return -1;
        cp = cp * 16 + hex(at(c, *i));
    }
    return cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff) ? -1 : cp;
}

/* Where the literal whose content starts at `i` ends, or 0: its quote is missing. */
static uint32_t string_end(const struct comp *c, uint32_t i, int quote, bool triple, bool raw)
{
    for (; i < c->src->text.n; i++) {
        int ch = at(c, i);
        if (ch == quote && (!triple || (at(c, i + 1) == quote && at(c, i + 2) == quote)))
            return i;
        if (!triple && (ch == '\n' || ch == '\r'))
            return 0;
        if (ch == '\\' && !raw)
            i++;
    }
    return 0;
}

static void unescape(struct comp *c, uint32_t i, uint32_t end, bool raw)
{
    char *to = arena_alloc(c->a, end - i + 1);
    size_t n = 0;
    while (i < end) {
        uint32_t from = i;
        if (raw || at(c, i) != '\\') {
            to[n++] = (char)at(c, i++);
            continue;
        }
        i++;
        int64_t cp = escape(c, &i);
        if (cp < 0) {
            comp_err(c, "X002", from, from + 2, "write `\\\\` for a backslash", NULL,
                     "bad escape in a text");
            c->tok.t = T_BAD;
            return;
        }
        n += put_utf8(to + n, (uint32_t)cp);
    }
    to[n] = '\0';
    c->tok.s = (struct str){to, n};
}

/* Prefix letters (r, b, br) are behind; pos stands on the quote. */
static void lex_string(struct comp *c, bool bytes, bool raw)
{
    int quote = at(c, c->pos);
    bool triple = at(c, c->pos + 1) == quote && at(c, c->pos + 2) == quote;
    uint32_t from = c->pos + (triple ? 3 : 1);
    uint32_t end = string_end(c, from, quote, triple, raw);
    if (end == 0) {
        comp_err(c, "X002", c->tok.start, c->tok.start + 1, "the quote that ends it is missing",
                 NULL, "text without an end");
        c->tok.t = T_BAD;
        c->pos = (uint32_t)c->src->text.n;
        return;
    }
    c->tok.t = bytes ? T_BYTES : T_STRING;
    c->pos = end + (triple ? 3 : 1);
    if (!bytes)
        unescape(c, from, end, raw);
}

/* A string with its prefix, if one stands here. */
static bool lex_prefixed(struct comp *c)
{
    uint32_t i = c->pos;
    bool bytes = at(c, i) == 'b' || at(c, i) == 'B';
    i += bytes;
    bool raw = at(c, i) == 'r' || at(c, i) == 'R';
    i += raw;
    if (at(c, i) != '\'' && at(c, i) != '"')
        return false;
    c->pos = i;
    lex_string(c, bytes, raw);
    return true;
}

/* ---- numbers ---- */

static void bad_number(struct comp *c, const char *text)
{
    comp_err(c, "X002", c->tok.start, c->pos, NULL, NULL, "%s", text);
    c->tok.t = T_BAD;
}

static void lex_int(struct comp *c, int base)
{
    uint64_t u = 0;
    bool over = false;
    for (; base == 16 ? hex(at(c, c->pos)) >= 0 : is_digit(at(c, c->pos)); c->pos++)
        over |= __builtin_mul_overflow(u, (uint64_t)base, &u) ||
                __builtin_add_overflow(u, (uint64_t)hex(at(c, c->pos)), &u);
    c->tok.t = T_INT;
    c->tok.u = u;
    if (at(c, c->pos) == 'u' || at(c, c->pos) == 'U') {
        c->tok.t = T_UINT;
        c->pos++;
    } else if (over) {
        bad_number(c, "a number that does not fit into 64 bits");
    }
}

/* pos stands behind the digits before the point. */
static void lex_double(struct comp *c)
{
    if (at(c, c->pos) == '.')
        for (c->pos++; is_digit(at(c, c->pos));)
            c->pos++;
    uint32_t i = c->pos;
    if (at(c, i) == 'e' || at(c, i) == 'E') {
        i++;
        i += at(c, i) == '+' || at(c, i) == '-';
        if (is_digit(at(c, i)))
            for (c->pos = i; is_digit(at(c, c->pos));)
                c->pos++;
    }
    struct str digits = {c->src->text.p + c->tok.start, c->pos - c->tok.start};
    c->tok.t = T_DOUBLE;
    c->tok.d = strtod(arena_str(c->tmp, digits).p, NULL);
    if (isinf(c->tok.d))
        bad_number(c, "a number that does not fit into a double");
}

/* `2h`, `10days`: what follows a number directly. */
static void after_number(struct comp *c)
{
    uint32_t from = c->pos;
    if (c->tok.t == T_BAD || !is_letter(at(c, from)))
        return;
    while (is_letter(at(c, c->pos)) || is_digit(at(c, c->pos)))
        c->pos++;
    int unit = at(c, from);
    const char *label = NULL;
    bool alone = c->pos == from + 1;
    if (alone && (unit == 'h' || unit == 'm' || unit == 's'))
        label = arena_printf(c->tmp, "write `duration('%.*s')`", (int)(c->pos - c->tok.start),
                             c->src->text.p + c->tok.start);
    else if (alone && unit == 'd')
        label = arena_printf(c->tmp, "write `days(%.*s)`", (int)(from - c->tok.start),
                             c->src->text.p + c->tok.start);
    comp_err(c, "X002", c->tok.start, c->pos, label, NULL, "bad number `%.*s`",
             (int)(c->pos - c->tok.start), c->src->text.p + c->tok.start);
    c->tok.t = T_BAD;
}

static void lex_number(struct comp *c)
{
    if (at(c, c->pos) == '0' && (at(c, c->pos + 1) == 'x' || at(c, c->pos + 1) == 'X')) {
        c->pos += 2;
        if (hex(at(c, c->pos)) < 0)
            bad_number(c, "hexadecimal digits are missing behind `0x`");
        else
            lex_int(c, 16);
        after_number(c);
        return;
    }
    uint32_t i = c->pos;
    while (is_digit(at(c, i)))
        i++;
    bool point = at(c, i) == '.' && is_digit(at(c, i + 1));
    bool exp = (at(c, i) == 'e' || at(c, i) == 'E') &&
               (is_digit(at(c, i + 1)) ||
                ((at(c, i + 1) == '+' || at(c, i + 1) == '-') && is_digit(at(c, i + 2))));
    if (point || exp) {
        c->pos = i;
        lex_double(c);
    } else {
        lex_int(c, 10);
    }
    after_number(c);
}

/* ---- punctuation ---- */

static const struct punct {
    char text[3];
    uint8_t t;
} puncts[] = {
    {"&&", T_AND},   {"||", T_OR},      {"==", T_EQ},      {"!=", T_NE},      {"<=", T_LE},
    {">=", T_GE},    {"<", T_LT},       {">", T_GT},       {"!", T_NOT},      {"-", T_MINUS},
    {"+", T_PLUS},   {"*", T_STAR},     {"/", T_SLASH},    {"%", T_PERCENT},  {"(", T_LPAREN},
    {")", T_RPAREN}, {"[", T_LBRACKET}, {"]", T_RBRACKET}, {"{", T_LBRACE},   {"}", T_RBRACE},
    {".", T_DOT},    {",", T_COMMA},    {":", T_COLON},    {"?", T_QUESTION},
};

/* What an input method or another language makes of it. */
static const struct {
    const char *text, *write;
} mistaken[] = {
    {"=", "=="}, {"&", "&&"}, {"|", "||"}, {"＝", "=="}, {"＆", "&&"}, {"｜", "||"}, {"“", "'"},
    {"”", "'"},  {"‘", "'"},  {"’", "'"},  {"≥", ">="},  {"≤", "<="},  {"≠", "!="},  {"【", "["},
    {"】", "]"}, {"；", ","}, {"×", "*"},  {"÷", "/"},   {"。", "."},
};

static void lex_unknown(struct comp *c)
{
    struct str rest = {c->src->text.p + c->pos, c->src->text.n - c->pos};
    uint32_t cp;
    size_t n = utf8_next(rest, 0, &cp);
    const char *label = NULL;
    if (cp > 0xff00 && cp < 0xff5f) /* full-width ASCII */
        label = arena_printf(c->tmp, "write `%c`", (int)(cp - 0xfee0));
    for (size_t i = 0; i < BASE_LEN(mistaken); i++)
        if (str_starts(rest, mistaken[i].text))
            label = arena_printf(c->tmp, "write `%s`", mistaken[i].write);
    if (cp < 0x20 || cp == 0x7f)
        comp_err(c, "X001", c->pos, c->pos + 1, NULL, NULL, "unexpected control character U+%04X",
                 cp);
    else
        comp_err(c, "X001", c->pos, c->pos + (uint32_t)n,
                 label       ? label
                 : cp > 0x7f ? "text stands in quotes: '…'"
                             : NULL,
                 NULL, "unexpected `%.*s`", (int)n, rest.p);
    c->pos += (uint32_t)n;
    c->tok.t = T_BAD;
}

static void lex_punct(struct comp *c)
{
    struct str rest = {c->src->text.p + c->pos, c->src->text.n - c->pos};
    for (size_t i = 0; i < BASE_LEN(puncts); i++)
        if (str_starts(rest, puncts[i].text)) {
            c->pos += (uint32_t)strlen(puncts[i].text);
            c->tok.t = (enum tok)puncts[i].t;
            return;
        }
    lex_unknown(c);
}

static void lex_ident(struct comp *c)
{
    while (is_letter(at(c, c->pos)) || is_digit(at(c, c->pos)))
        c->pos++;
    c->tok.s = (struct str){c->src->text.p + c->tok.start, c->pos - c->tok.start};
    c->tok.t = str_eqc(c->tok.s, "in") ? T_IN : T_IDENT;
}

static void lex_quoted(struct comp *c)
{
    uint32_t i = c->pos + 1;
    while (at(c, i) >= 0 && at(c, i) != '`' && at(c, i) != '\n')
        i++;
    if (at(c, i) != '`' || i == c->pos + 1) {
        comp_err(c, "X002", c->pos, c->pos + 1, NULL, NULL, "quoted name without an end");
        c->pos = (uint32_t)c->src->text.n;
        c->tok.t = T_BAD;
        return;
    }
    c->tok.s = (struct str){c->src->text.p + c->pos + 1, i - c->pos - 1};
    c->tok.t = T_QUOTED;
    c->pos = i + 1;
}

/* Can the token before be followed by `.name`? */
static bool selectable(enum tok t)
{
    return t == T_IDENT || t == T_QUOTED || t == T_RPAREN || t == T_RBRACKET || t == T_RBRACE ||
           t == T_STRING;
}

void lex_next(struct comp *c)
{
    enum tok before = c->tok.t;
    skip_blank(c);
    c->tok = (struct token){.t = T_END, .start = c->pos};
    int ch = at(c, c->pos);
    if (ch >= 0) {
        if (is_letter(ch)) {
            if (!lex_prefixed(c))
                lex_ident(c);
        } else if (is_digit(ch) && before == T_DOT) {
            lex_ident(c); /* member.30d_orders: no such name, but the checker knows a near one */
        } else if (ch == '\'' || ch == '"') {
            lex_string(c, false, false);
        } else if (is_digit(ch) ||
                   (ch == '.' && is_digit(at(c, c->pos + 1)) && !selectable(before))) {
            lex_number(c);
        } else if (ch == '`') {
            lex_quoted(c);
        } else {
            lex_punct(c);
        }
    }
    c->tok.end = c->pos;
}
