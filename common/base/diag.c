/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diag: messages about text files, with a place and a way out.
 *
 *   bad.yaml:7:15: error[X010]: unknown field `amuont` of `purchase`
 *     |
 *   7 |     if: event.amuont > 100
 *     |               ^^^^^^ did you mean `amount`?
 *     = known: amount, channel
 *
 * One coordinate system: byte offsets in the file.  Columns are 1-based code points; the underline
 * counts display columns and copies tabs, so it stands below what it means in any terminal.
 */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>

struct diags {
    struct arena *arena;
    struct diag *v;
    size_t n, cap, errors;
};

struct diags *diags_new(void)
{
    struct diags *d = xcalloc(1, sizeof *d);
    d->arena = arena_new(0);
    return d;
}

void diags_free(struct diags **d)
{
    if (!*d)
        return;
    arena_free(&(*d)->arena);
    free((*d)->v);
    free(*d);
    *d = NULL;
}

static bool same_place(const struct diag *a, const struct diag *b)
{
    return a->at.file == b->at.file && a->at.start == b->at.start && strcmp(a->code, b->code) == 0;
}

void diags_add(struct diags *d, const struct diag *g)
{
    for (size_t i = d->n; i > 0 && d->n - i < 64; i--) /* repeats are neighbours */
        if (same_place(&d->v[i - 1], g) && str_eq(d->v[i - 1].text, g->text))
            return;
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 16;
        d->v = xrealloc(d->v, d->cap * sizeof *d->v);
    }
    struct diag *to = &d->v[d->n++];
    *to = *g;
    to->text = arena_str(d->arena, g->text);
    to->label = arena_str(d->arena, g->label);
    to->note = arena_str(d->arena, g->note);
    d->errors += !g->warning;
}

void diags_addf(struct diags *d, const char *code, struct span at, struct str label,
                struct str note, const char *fmt, ...)
{
    struct diag g = {.warning = code[0] == 'W', .at = at, .label = label, .note = note};
    char text[1024];
    va_list ap;
    (void)snprintf(g.code, sizeof g.code, "%s", code);
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    g.text = str_c(text);
    diags_add(d, &g);
}

size_t diags_errors(const struct diags *d)
{
    return d->errors;
}

size_t diags_warnings(const struct diags *d)
{
    return d->n - d->errors;
}

size_t diags_len(const struct diags *d)
{
    return d->n;
}

const struct diag *diags_get(const struct diags *d, size_t i)
{
    return &d->v[i];
}

static int by_place(const void *pa, const void *pb)
{
    const struct diag *a = pa, *b = pb;
    uint32_t fa = a->at.file ? a->at.file->order : 0, fb = b->at.file ? b->at.file->order : 0;
    if (fa != fb)
        return fa < fb ? -1 : 1;
    if (a->at.start != b->at.start)
        return a->at.start < b->at.start ? -1 : 1;
    if (a->warning != b->warning)
        return a->warning ? 1 : -1;
    int c = strcmp(a->code, b->code);
    return c != 0 ? c : str_cmp(a->text, b->text);
}

void diags_sort(struct diags *d)
{
    if (d->n)
        qsort(d->v, d->n, sizeof *d->v, by_place);
}

void diags_own(struct diags *d)
{
    const struct srcfile *from = NULL,
                         *to = NULL; /* sorted, so messages of a file are neighbours */
    diags_sort(d);
    for (size_t i = 0; i < d->n; i++) {
        const struct srcfile *f = d->v[i].at.file;
        if (f && f != from) {
            struct srcfile *copy = ARENA_NEW(d->arena, struct srcfile);
            *copy = (struct srcfile){.name = arena_str(d->arena, f->name),
                                     .text = arena_str(d->arena, f->text),
                                     .order = f->order};
            from = f;
            to = copy;
        }
        if (f)
            d->v[i].at.file = to;
    }
}

void srcfile_pos(const struct srcfile *f, uint32_t off, int *line, int *col)
{
    const char *p = f->text.p;
    size_t end = off < f->text.n ? off : f->text.n, bol = 0;
    *line = 1;
    for (size_t i = 0; i < end; i++)
        if (p[i] == '\n') {
            ++*line;
            bol = i + 1;
        }
    *col = 1 + (int)utf8_len((struct str){p + bol, end - bol});
}

/* The line that holds `off`, without its end. */
static struct str line_of(const struct srcfile *f, uint32_t off, size_t *bol)
{
    size_t from = off < f->text.n ? off : f->text.n, to = from;
    while (from > 0 && f->text.p[from - 1] != '\n')
        from--;
    while (to < f->text.n && f->text.p[to] != '\n' && f->text.p[to] != '\r')
        to++;
    *bol = from;
    return (struct str){f->text.p + from, to - from};
}

/* Blanks (tabs as they are) up to byte `to` of the line, then carets below [to, end). */
static void underline(struct str line, size_t to, size_t end, struct buf *out)
{
    uint32_t cp;
    size_t i = 0;
    int carets = 0;
    while (i < to && i < line.n) {
        size_t n = utf8_next(line, i, &cp);
        if (cp == '\t')
            buf_addc(out, '\t');
        else
            for (int w = utf8_width(cp); w > 0; w--)
                buf_addc(out, ' ');
        i += n;
    }
    while (i < end && i < line.n) {
        size_t n = utf8_next(line, i, &cp);
        for (int w = cp == '\t' ? 1 : utf8_width(cp); w > 0; w--, carets++)
            buf_addc(out, '^');
        i += n;
    }
    if (carets == 0)
        buf_addc(out, '^');
}

static void one_text(const struct diag *g, struct buf *out)
{
    int line = 0, col = 0, width;
    char number[16];
    size_t bol;
    const char *word = g->warning ? "warning" : "error";
    if (!g->at.file) {
        buf_addf(out, "%s[%s]: " STR_FMT "\n", word, g->code, STR_ARG(g->text));
        return;
    }
    srcfile_pos(g->at.file, g->at.start, &line, &col);
    buf_addf(out, STR_FMT ":%d:%d: %s[%s]: " STR_FMT "\n", STR_ARG(g->at.file->name), line, col,
             word, g->code, STR_ARG(g->text));
    struct str text = line_of(g->at.file, g->at.start, &bol);
    width = snprintf(number, sizeof number, "%d", line);
    buf_addf(out, "%*s |\n%s | " STR_FMT "\n%*s | ", width, "", number, STR_ARG(text), width, "");
    underline(text, g->at.start - bol, g->at.end > bol ? g->at.end - bol : 0, out);
    if (g->label.n)
        buf_addf(out, " " STR_FMT, STR_ARG(g->label));
    buf_addc(out, '\n');
    if (g->note.n)
        buf_addf(out, "%*s = " STR_FMT "\n", width, "", STR_ARG(g->note));
}

void diags_text(struct diags *d, size_t most, struct buf *out)
{
    size_t shown = 0;
    diags_sort(d);
    for (size_t i = 0; i < d->n && shown < most; i++, shown++) {
        one_text(&d->v[i], out);
        buf_addc(out, '\n');
    }
    if (shown < d->n)
        buf_addf(out, "… and %zu more\n", d->n - shown);
    buf_addf(out, "%zu errors, %zu warnings\n", d->errors, d->n - d->errors);
}

static void json_string(struct str s, struct buf *out)
{
    buf_addc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c < 0x20)
            buf_addf(out, "\\u%04x", c);
        else
            buf_addc(out, (char)c);
    }
    buf_addc(out, '"');
}

static size_t utf16_col(const struct srcfile *f, uint32_t off)
{
    size_t bol, n = 1;
    uint32_t cp;
    struct str line = line_of(f, off, &bol);
    for (size_t i = 0; i < line.n && bol + i < off;) {
        i += utf8_next(line, i, &cp);
        n += cp > 0xffff ? 2 : 1;
    }
    return n;
}

void diags_json(struct diags *d, struct buf *out)
{
    diags_sort(d);
    for (size_t i = 0; i < d->n; i++) {
        const struct diag *g = &d->v[i];
        int line = 0, col = 0, line2 = 0, col2 = 0;
        buf_addf(out,
                 "{\"severity\":\"%s\",\"code\":\"%s\",\"text\":", g->warning ? "warning" : "error",
                 g->code);
        json_string(g->text, out);
        if (g->at.file) {
            srcfile_pos(g->at.file, g->at.start, &line, &col);
            srcfile_pos(g->at.file, g->at.end, &line2, &col2);
            buf_adds(out, ",\"file\":");
            json_string(g->at.file->name, out);
            buf_addf(out, ",\"line\":%d,\"col\":%d,\"utf16\":%zu", line, col,
                     utf16_col(g->at.file, g->at.start));
            buf_addf(out, ",\"end_line\":%d,\"end_col\":%d,\"end_utf16\":%zu", line2, col2,
                     utf16_col(g->at.file, g->at.end));
        }
        if (g->label.n) {
            buf_adds(out, ",\"label\":");
            json_string(g->label, out);
        }
        if (g->note.n) {
            buf_adds(out, ",\"note\":");
            json_string(g->note, out);
        }
        buf_adds(out, "}\n");
    }
}

void diags_github(struct diags *d, struct buf *out)
{
    diags_sort(d);
    for (size_t i = 0; i < d->n; i++) {
        const struct diag *g = &d->v[i];
        int line = 0, col = 0;
        buf_addf(out, "::%s ", g->warning ? "warning" : "error");
        if (g->at.file) {
            srcfile_pos(g->at.file, g->at.start, &line, &col);
            buf_addf(out, "file=" STR_FMT ",line=%d,col=%d,", STR_ARG(g->at.file->name), line, col);
        }
        buf_addf(out, "title=%s::" STR_FMT, g->code, STR_ARG(g->text));
        if (g->label.n)
            buf_addf(out, " (" STR_FMT ")", STR_ARG(g->label));
        buf_addc(out, '\n');
    }
}
