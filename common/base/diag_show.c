/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diag: messages about text files as people, editors and GitHub read them.
 *
 *   bad.yaml:7:15: error[X010]: unknown field `amuont` of `purchase`
 *     |
 *   7 |     if: event.amuont > 100
 *     |               ^^^^^^ did you mean `amount`?
 *     = known: amount, channel
 *
 * One coordinate system: byte offsets in the file.  Columns are 1-based code points; the underline
 * counts display columns and copies tabs, so it stands below what it means in any terminal.  What
 * comes from a file is not trusted: bytes that are no UTF-8 and characters that move the cursor are
 * shown as U+FFFD, and of a long line only the part around the place.
 */
#include "base.h"

#include <stdio.h>

#define LINE_COLS 160 /* of a longer line this much is shown … */
#define LEAD_COLS 60  /* … so much of it before the place */

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

/* ---- what may be shown ------------------------------------------------------------------------ */

/* The next character as it is shown: control and direction characters would move or hide what stands
 * around them. */
static size_t next_shown(struct str s, size_t i, uint32_t *cp)
{
    size_t n = utf8_next(s, i, cp);
    uint32_t c = *cp;
    bool direction = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    if ((c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
        direction)
        *cp = 0xfffd;
    return n;
}

static void add_shown(struct buf *out, struct str s)
{
    uint32_t cp, raw;
    for (size_t i = 0, n; i < s.n; i += n) {
        n = next_shown(s, i, &cp);
        (void)utf8_next(s, i, &raw);
        if (cp == 0xfffd && (raw != cp || n == 1))
            buf_adds(out, "\xef\xbf\xbd");
        else
            buf_add(out, s.p + i, n);
    }
}

/* Display width of the character at s[i], whose bytes are *n. */
static int width_at(struct str s, size_t i, size_t *n)
{
    uint32_t cp;
    *n = next_shown(s, i, &cp);
    return cp == '\t' ? 1 : utf8_width(cp);
}

/* The bytes of s[from …) that fill `cols` columns, and not one character more. */
static size_t ahead(struct str s, size_t from, int cols)
{
    size_t i = from, n;
    while (i < s.n && (cols -= width_at(s, i, &n)) >= 0)
        i += n;
    return i;
}

static size_t back(struct str s, size_t from, int cols)
{
    size_t i = from, n;
    while (i > 0 && cols > 0) {
        do
            i--;
        while (i > 0 && ((unsigned char)s.p[i] & 0xc0) == 0x80);
        cols -= width_at(s, i, &n);
    }
    return i;
}

/* The part of the line that is shown for byte `at` of it. */
static void window(struct str line, size_t at, size_t *from, size_t *to)
{
    *from = 0;
    *to = ahead(line, 0, LINE_COLS);
    if (*to == line.n)
        return;
    *from = back(line, at < line.n ? at : line.n, LEAD_COLS);
    *to = ahead(line, *from, LINE_COLS);
}

static bool has_place(const struct diag *g)
{
    return g->at.file && g->at.file->name.n > 0;
}

/* ---- text -------------------------------------------------------------------------------------- */

/* Blanks (tabs as they are) up to byte `to` of the line, then carets below [to, end). */
static void underline(struct str line, size_t to, size_t end, struct buf *out)
{
    size_t i = 0, n;
    int carets = 0;
    for (; i < to && i < line.n; i += n) {
        int w = width_at(line, i, &n);
        if (line.p[i] == '\t')
            buf_addc(out, '\t');
        else
            for (; w > 0; w--)
                buf_addc(out, ' ');
    }
    for (; i < end && i < line.n; i += n)
        for (int w = width_at(line, i, &n); w > 0; w--, carets++)
            buf_addc(out, '^');
    if (carets == 0)
        buf_addc(out, '^');
}

/* Nothing can be shown: of a file that was not read, or of several files as a whole. */
static void advice(const struct diag *g, struct buf *out)
{
    for (int i = 0; i < 2; i++) {
        struct str s = i ? g->note : g->label;
        if (!s.n)
            continue;
        buf_adds(out, "  = ");
        add_shown(out, s);
        buf_addc(out, '\n');
    }
}

static void excerpt(const struct diag *g, int number, struct buf *out)
{
    size_t bol, from, to;
    char margin[16];
    struct str line = line_of(g->at.file, g->at.start, &bol);
    size_t at = g->at.start > bol ? g->at.start - bol : 0,
           end = g->at.end > bol ? g->at.end - bol : 0;
    int width = snprintf(margin, sizeof margin, "%d", number);
    window(line, at, &from, &to);
    struct str part = {line.p + from, to - from};
    buf_addf(out, "%*s |\n%s | %s", width, "", margin, from ? "… " : "");
    add_shown(out, part);
    buf_addf(out, "%s\n%*s | %s", to < line.n ? " …" : "", width, "", from ? "  " : "");
    underline(part, at - from, end > from ? end - from : 0, out);
    if (g->label.n) {
        buf_addc(out, ' ');
        add_shown(out, g->label);
    }
    buf_addc(out, '\n');
    if (g->note.n) {
        buf_addf(out, "%*s = ", width, "");
        add_shown(out, g->note);
        buf_addc(out, '\n');
    }
}

static void one_text(const struct diag *g, struct buf *out)
{
    int line = 0, col = 0;
    if (has_place(g)) {
        srcfile_pos(g->at.file, g->at.start, &line, &col);
        add_shown(out, g->at.file->name);
        buf_addf(out, ":%d:%d: ", line, col);
    }
    buf_addf(out, "%s[%s]: ", g->warning ? "warning" : "error", g->code);
    add_shown(out, g->text);
    buf_addc(out, '\n');
    if (has_place(g) && g->at.file->text.n)
        excerpt(g, line, out);
    else
        advice(g, out);
}

void diags_text(struct diags *d, size_t most, struct buf *out)
{
    size_t shown = 0, all = diags_errors(d) + diags_warnings(d);
    diags_sort(d);
    for (; shown < diags_len(d) && shown < most; shown++) {
        one_text(diags_get(d, shown), out);
        buf_addc(out, '\n');
    }
    if (shown < all)
        buf_addf(out, "… and %zu more\n", all - shown);
    buf_addf(out, "%zu errors, %zu warnings\n", diags_errors(d), diags_warnings(d));
}

/* ---- JSON -------------------------------------------------------------------------------------- */

static void json_string(struct str s, struct buf *out)
{
    uint32_t cp;
    buf_addc(out, '"');
    for (size_t i = 0, n; i < s.n; i += n) {
        n = utf8_next(s, i, &cp);
        if (cp == '"' || cp == '\\')
            buf_addf(out, "\\%c", (char)cp);
        else if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
            buf_addf(out, "\\u%04x", cp);
        else if (cp == 0xfffd)
            buf_adds(out, "\xef\xbf\xbd");
        else
            buf_add(out, s.p + i, n);
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

static void json_place(const struct diag *g, struct buf *out)
{
    int line = 0, col = 0, line2 = 0, col2 = 0;
    srcfile_pos(g->at.file, g->at.start, &line, &col);
    srcfile_pos(g->at.file, g->at.end, &line2, &col2);
    buf_adds(out, ",\"file\":");
    json_string(g->at.file->name, out);
    buf_addf(out, ",\"line\":%d,\"col\":%d,\"utf16\":%zu", line, col,
             utf16_col(g->at.file, g->at.start));
    buf_addf(out, ",\"end_line\":%d,\"end_col\":%d,\"end_utf16\":%zu", line2, col2,
             utf16_col(g->at.file, g->at.end));
}

void diags_json(struct diags *d, size_t most, struct buf *out)
{
    size_t shown = 0, all = diags_errors(d) + diags_warnings(d);
    diags_sort(d);
    for (; shown < diags_len(d) && shown < most; shown++) {
        const struct diag *g = diags_get(d, shown);
        buf_addf(out,
                 "{\"severity\":\"%s\",\"code\":\"%s\",\"text\":", g->warning ? "warning" : "error",
                 g->code);
        json_string(g->text, out);
        if (has_place(g))
            json_place(g, out);
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
    if (shown < all)
        buf_addf(out, "{\"severity\":\"note\",\"code\":\"\",\"text\":\"and %zu more\"}\n",
                 all - shown);
}

/* ---- GitHub ------------------------------------------------------------------------------------ */

/* Workflow commands end at a line break; in a property `,` and `:` mean something too. */
static void github_text(struct str s, bool property, struct buf *out)
{
    uint32_t cp;
    for (size_t i = 0, n; i < s.n; i += n) {
        n = next_shown(s, i, &cp);
        if (cp == '%' || (property && (cp == ':' || cp == ',')))
            buf_addf(out, "%%%02X", cp);
        else
            add_shown(out, (struct str){s.p + i, n});
    }
}

void diags_github(struct diags *d, size_t most, struct buf *out)
{
    size_t shown = 0, all = diags_errors(d) + diags_warnings(d);
    diags_sort(d);
    for (; shown < diags_len(d) && shown < most; shown++) {
        const struct diag *g = diags_get(d, shown);
        int line = 0, col = 0, line2 = 0, col2 = 0;
        buf_addf(out, "::%s ", g->warning ? "warning" : "error");
        if (has_place(g)) {
            srcfile_pos(g->at.file, g->at.start, &line, &col);
            srcfile_pos(g->at.file, g->at.end, &line2, &col2);
            buf_adds(out, "file=");
            github_text(g->at.file->name, true, out);
            buf_addf(out, ",line=%d,col=%d,endLine=%d,endColumn=%d,", line, col, line2, col2);
        }
        buf_addf(out, "title=%s::", g->code);
        github_text(g->text, false, out);
        if (g->label.n) {
            buf_adds(out, " (");
            github_text(g->label, false, out);
            buf_addc(out, ')');
        }
        if (g->note.n) {
            buf_adds(out, "%0A");
            github_text(g->note, false, out);
        }
        buf_addc(out, '\n');
    }
    if (shown < all)
        buf_addf(out, "::notice ::and %zu more\n", all - shown);
}
