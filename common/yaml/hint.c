/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person most likely meant where libyaml stops.  Almost all accidents are an expression that
 * was not quoted: so the line is looked at again, and the message says how to write it.
 */
#include "yaml_priv.h"

#include <stdio.h>

/* The line that holds `at`, and what stands on it as a value: after `key: ` or `- `. */
struct line {
    uint32_t start, end; /* without the line break */
    uint32_t key;        /* first byte after indentation and dashes */
    uint32_t value;      /* first byte of the value; == end: none */
    uint32_t value_end;  /* without trailing blanks */
};

static struct line line_at(const struct srcfile *f, uint32_t at)
{
    const char *p = f->text.p;
    uint32_t n = (uint32_t)f->text.n;
    struct line l = {.start = at < n ? at : n};
    while (l.start > 0 && p[l.start - 1] != '\n')
        l.start--;
    l.end = l.start;
    while (l.end < n && p[l.end] != '\n' && p[l.end] != '\r')
        l.end++;
    uint32_t i = l.start;
    while (i < l.end && (p[i] == ' ' || p[i] == '-'))
        i++;
    l.key = i;
    uint32_t v = i;
    while (v < l.end && p[v] != ':' && p[v] != '"' && p[v] != '\'')
        v++;
    if (v + 1 < l.end && p[v] == ':' && p[v + 1] == ' ')
        i = v + 1;
    while (i < l.end && p[i] == ' ')
        i++;
    l.value = i;
    l.value_end = l.end;
    while (l.value_end > l.value && (p[l.value_end - 1] == ' ' || p[l.value_end - 1] == '\t'))
        l.value_end--;
    return l;
}

/* "put the whole value in quotes: '…'", with the quote that the value does not use. */
static struct str quote_it(char *out, size_t size, struct str value)
{
    bool dbl = value.n && memchr(value.p, '"', value.n);
    bool single = value.n && memchr(value.p, '\'', value.n);
    if (dbl && single)
        return STR("write it on the next line after `|`");
    char q = dbl ? '\'' : '"';
    bool fits = value.n > 0 && value.n <= 80;
    int n = fits ? snprintf(out, size, "put the whole value in quotes: %c" STR_FMT "%c", q,
                            STR_ARG(value), q)
                 : snprintf(out, size, "put the whole value in quotes");
    return (struct str){out, n > 0 ? (size_t)n : 0};
}

static struct span span_of(const struct srcfile *f, uint32_t from, uint32_t to)
{
    uint32_t n = (uint32_t)f->text.n;
    from = from < n ? from : n;
    to = to < n ? to : n;
    return (struct span){f, from, to > from ? to : from};
}

static uint32_t one_char(const struct srcfile *f, uint32_t at)
{
    uint32_t cp;
    if (at >= f->text.n || f->text.p[at] == '\n')
        return at;
    return at + (uint32_t)utf8_next(f->text, at, &cp);
}

void hint_tag(struct diags *d, struct span at)
{
    char label[128];
    struct str value = {at.file->text.p + at.start, at.end - at.start};
    diags_addf(d, "Y007", at, quote_it(label, sizeof label, value), (struct str){0},
               "a value that starts with `!` is a tag to YAML");
}

/* An unquoted value that begins with a character that means something to YAML: 1 = reported.
 * went_on: the complaint is about what follows a value, so a list or quoted text may have ended. */
static int hint_start(struct diags *d, const struct srcfile *f, struct line l, bool went_on)
{
    if (l.value >= l.value_end)
        return 0;
    char c = f->text.p[l.value], label[160];
    struct span at = span_of(f, l.value, l.value_end);
    struct str value = {f->text.p + l.value, l.value_end - l.value};
    struct str fix = quote_it(label, sizeof label, value);
    if (c == '!') {
        hint_tag(d, at);
    } else if (c == '[' && went_on) {
        diags_addf(d, "Y015", at, fix, (struct str){0},
                   "a value that starts with `[` is a list to YAML, and cannot go on after `]`");
    } else if ((c == '"' || c == '\'') && went_on) {
        diags_addf(d, "Y015", at,
                   STR("put the whole value in another pair of quotes, or after `|`"),
                   (struct str){0}, "a value that starts with a quote ends at the next one");
    } else if (strchr("&*%@`|>", c)) {
        diags_addf(d, "Y015", at, fix, (struct str){0},
                   "a value cannot start with `%c` without quotes", c);
    } else {
        return 0;
    }
    return 1;
}

/* The line above stands in the same column and is no `key: value`: true = reported. */
static bool lacks_colon(struct diags *d, const struct srcfile *f, struct line l)
{
    if (l.start == 0)
        return false;
    struct line above = line_at(f, l.start - 1);
    struct str text = {f->text.p + above.key, above.end - above.key};
    if (above.key - above.start != l.key - l.start || !text.n || memchr(text.p, ':', text.n) ||
        strchr("#-", text.p[0]))
        return false;
    diags_addf(d, "Y010", span_of(f, above.key, above.value_end), STR("no `: ` on this line"),
               (struct str){0}, "expected `key: value`");
    return true;
}

static void hint_colon(struct diags *d, const struct srcfile *f, uint32_t at, struct line l)
{
    char label[160];
    struct str value = {f->text.p + l.value, l.value_end - l.value};
    bool ternary = memmem(value.p, value.n, " ? ", 3) != NULL;
    struct str fix = quote_it(label, sizeof label, value);
    if (l.value >= at && lacks_colon(d, f, l))
        return;
    if (l.value >= at) /* a key below a value: the indentation is wrong */
        diags_addf(d, "Y010", span_of(f, l.key, at), STR("check the indentation"), (struct str){0},
                   "a key cannot stand here");
    else if (ternary)
        diags_addf(d, "Y015", span_of(f, at, at + 1), fix, (struct str){0},
                   "`a ? b : c` needs quotes: to YAML `: ` ends a key");
    else
        diags_addf(d, "Y015", span_of(f, at, at + 1), fix, (struct str){0},
                   "`: ` inside a value needs quotes: to YAML it ends a key");
}

/* libyaml's words, ours, and the way out.  `began`: point at where the construct began. */
static const struct {
    const char *theirs, *ours, *label;
    bool began;
} known[] = {
    {"could not find expected ':'", "expected `key: value`", "no `: ` on this line", false},
    {"found unexpected end of stream", "this is never closed", "the closing quote is missing",
     true},
    {"found unexpected document indicator", "this is never closed", "the closing quote is missing",
     true},
    {"did not find expected ',' or '}'", "this does not fit into `{…}`",
     "expected `,` or `}`; inside { } put expressions in quotes", false},
    {"did not find expected ',' or ']'", "this does not fit into `[…]`",
     "expected `,` or `]`; inside [ ] put expressions in quotes", false},
    {"did not find expected key", "this line does not belong to what stands above it",
     "check the indentation", false},
    {"did not find expected '-' indicator", "this line does not belong to the list above it",
     "check the indentation", false},
    {"block sequence entries are not allowed in this context", "a list cannot begin here",
     "put `- ` on a line of its own", false},
    {"did not find expected <document start>", "the text goes on after its end",
     "check the indentation", false},
    {"found unknown escape character", "unknown escape in a double-quoted text",
     "write `\\\\` for a backslash, or use single quotes", false},
    {"did not find expected hexdecimal number", "unknown escape in a double-quoted text",
     "write `\\\\` for a backslash, or use single quotes", false},
    {"control characters are not allowed", "a control character", "remove it", false},
};

void hint_syntax(struct diags *d, const struct srcfile *f, const char *problem, uint32_t at,
                 uint32_t began)
{
    struct line l = line_at(f, at);
    if (began < f->text.n && f->text.p[began] == '!') {
        hint_tag(d, span_of(f, began, at > began ? at : began + 1));
        return;
    }
    if (at < f->text.n && f->text.p[at] == '\t' && l.value >= at) {
        diags_addf(d, "Y014", span_of(f, at, at + 1), STR("use spaces"), (struct str){0},
                   "a tab cannot indent a line");
        return;
    }
    if (strcmp(problem, "mapping values are not allowed in this context") == 0) {
        hint_colon(d, f, at, l);
        return;
    }
    bool went_on = strstr(problem, "expected key") || strstr(problem, "expected '-'") ||
                   strstr(problem, "expected <document start>");
    if (hint_start(d, f, l, went_on))
        return;
    /* A list or quoted text that went on after its end is noticed on the next line. */
    if (began != UINT32_MAX && l.start > 0 && went_on) {
        struct line above = line_at(f, l.start - 1);
        if (above.start >= began && hint_start(d, f, above, true))
            return;
    }
    if (at >= f->text.n && began < f->text.n && strchr("[{", f->text.p[began])) {
        diags_addf(d, "Y010", span_of(f, began, began + 1),
                   f->text.p[began] == '[' ? STR("the closing `]` is missing")
                                           : STR("the closing `}` is missing"),
                   (struct str){0}, "this is never closed");
        return;
    }
    for (size_t i = 0; i < BASE_LEN(known); i++) {
        if (strcmp(known[i].theirs, problem) != 0)
            continue;
        uint32_t from = known[i].began && began != UINT32_MAX ? began : at;
        diags_addf(d, "Y010", span_of(f, from, one_char(f, from)), str_c(known[i].label),
                   (struct str){0}, "%s", known[i].ours);
        return;
    }
    diags_addf(d, "Y010", span_of(f, at, one_char(f, at)), (struct str){0}, (struct str){0},
               "not YAML: %s", problem);
}
