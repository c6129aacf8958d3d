/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diag: messages about text files, collected with their places.  How they are shown is in
 * diag_show.c.
 */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST_KEPT 10000 /* beyond it they are counted: nobody reads so far */

struct diags {
    struct arena *arena;
    struct diag *v;
    size_t n, cap, errors, warnings;
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
    d->errors += !g->warning;
    d->warnings += g->warning;
    if (d->n == MOST_KEPT)
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
}

/* What did not fit ends at a whole character and says so. */
static struct str cut_text(char *text, size_t n)
{
    static const char more[] = "…";
    n -= sizeof more - 1;
    while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    memcpy(text + n, more, sizeof more - 1);
    return (struct str){text, n + sizeof more - 1};
}

void diags_addf(struct diags *d, const char *code, struct span at, struct str label,
                struct str note, const char *fmt, ...)
{
    struct diag g = {.warning = code[0] == 'W', .at = at, .label = label, .note = note};
    char text[1024];
    va_list ap;
    (void)snprintf(g.code, sizeof g.code, "%s", code);
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    g.text = n < (int)sizeof text ? str_c(text) : cut_text(text, sizeof text - 1);
    diags_add(d, &g);
}

size_t diags_errors(const struct diags *d)
{
    return d->errors;
}

size_t diags_warnings(const struct diags *d)
{
    return d->warnings;
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
