/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's events -> the positioned tree.  Open collections stand on a stack of frames; their
 * finished children on one vector above the frame's base, moved to the arena when the collection
 * ends.  So depth costs no C stack, and the limits (depth, events) are checked before libyaml can be
 * made to do quadratic work.  What can be passed over (a second value for a key, an anchor) is
 * reported and the tree goes on; after a syntax error there is no tree.
 */
#include "yaml_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#define MOST_DUPLICATES 100 /* reported in a file */

struct frame {
    enum yaml_kind kind;
    enum yaml_style style;
    uint32_t start, end;
    size_t base; /* of its children in `vec` */
    bool have_key;
    struct str key;
    struct span key_at;
    bool key_plain;
};

struct parse {
    struct arena *a;
    const struct srcfile *file;
    struct diags *d;
    struct places places;
    struct frame frames[YAML_MAX_DEPTH];
    uint32_t depth;
    struct yaml_pair *vec; /* sequences use the value only */
    size_t n, cap;
    uint32_t events, documents, duplicates;
    bool bad;
    bool no_tree; /* what stands for an alias or a merge would only be misunderstood */
    const struct yaml_node *root;
};

static struct span sp(const struct parse *p, uint32_t from, uint32_t to)
{
    return (struct span){p->file, from, to};
}

static struct span mark_span(const struct parse *p, const yaml_event_t *e)
{
    return sp(p, places_byte(&p->places, e->start_mark.index),
              places_byte(&p->places, e->end_mark.index));
}

static struct str slice(const struct parse *p, struct span s)
{
    return (struct str){p->file->text.p + s.start, s.end - s.start};
}

static void report(struct parse *p, const char *code, struct span at, const char *label,
                   const char *text)
{
    p->bad = true;
    diags_addf(p->d, code, at, str_c(label), (struct str){0}, "%s", text);
}

/* ---- scalars --------------------------------------------------------------------------------- */

/* From the `|` or `>` of a block scalar to its text: after the header line, without the blanks and
 * breaks around it. */
static struct span block_content(const struct parse *p, struct span s)
{
    const char *t = p->file->text.p;
    uint32_t i = s.start, header = s.start;
    while (i < s.end && t[i] != '\n' && t[i] != '\r')
        i++;
    while (i < s.end && strchr(" \t\r\n", t[i]))
        i++;
    while (s.end > i && strchr(" \t\r\n", t[s.end - 1]))
        s.end--;
    if (i >= s.end)
        return sp(p, header, header + 1);
    return sp(p, i, s.end);
}

static enum yaml_style scalar_style(yaml_scalar_style_t s)
{
    switch (s) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        return YAML_SINGLE;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        return YAML_DOUBLE;
    case YAML_LITERAL_SCALAR_STYLE:
        return YAML_LITERAL;
    case YAML_FOLDED_SCALAR_STYLE:
        return YAML_FOLDED;
    case YAML_ANY_SCALAR_STYLE:
    case YAML_PLAIN_SCALAR_STYLE:
        break;
    }
    return YAML_PLAIN;
}

static void refuse_anchor(struct parse *p, const yaml_char_t *anchor, struct span at)
{
    if (anchor)
        report(p, "Y006", sp(p, at.start, at.start + 1), "write the value out",
               "anchors are not allowed");
}

/* A tag before a plain value is nearly always an expression that begins with `!`: report it once
 * and take the text as it was meant. */
static void take_tagged(struct parse *p, struct yaml_node *n)
{
    const char *t = p->file->text.p;
    uint32_t i = n->at.start, end = n->at.end;
    while (i < p->file->text.n && t[i] != '\n' && t[i] != '\r')
        i++;
    while (i > n->at.start && (t[i - 1] == ' ' || t[i - 1] == '\t'))
        i--;
    if (n->style == YAML_PLAIN && (n->text.n == 0 || end < n->at.start))
        end = i;
    if (n->text.n == 0 && p->depth && p->frames[p->depth - 1].style == YAML_FLOW) {
        end = n->at.start; /* inside { } the line may hold more than the value */
        while (end < i && !strchr(",}] ", t[end]))
            end++;
    }
    n->at.end = end;
    n->text = arena_str(p->a, slice(p, n->at));
    p->bad = true;
    hint_tag(p->d, n->at);
}

static struct yaml_node *scalar(struct parse *p, const yaml_event_t *e)
{
    struct yaml_node *n = ARENA_NEW(p->a, struct yaml_node);
    n->kind = YAML_SCALAR;
    n->style = scalar_style(e->data.scalar.style);
    n->at = mark_span(p, e);
    n->text =
        arena_str(p->a, (struct str){(const char *)e->data.scalar.value, e->data.scalar.length});
    refuse_anchor(p, e->data.scalar.anchor, n->at);
    if (e->data.scalar.tag && n->style == YAML_PLAIN)
        take_tagged(p, n);
    else if (e->data.scalar.tag)
        report(p, "Y007", n->at, "remove it", "tags are not allowed");
    else if (n->style == YAML_SINGLE || n->style == YAML_DOUBLE)
        n->map = quoted_map(p->a, slice(p, n->at), n->at.start, n->text);
    else if (n->style != YAML_PLAIN)
        n->at = block_content(p, n->at);
    if (memchr(n->text.p, 0, n->text.n)) {
        report(p, "Y002", n->at, "remove it", "a NUL character");
        n->text = (struct str){"", 0};
        n->map = n->map ? quoted_map(p->a, (struct str){0}, n->at.start, n->text) : NULL;
    }
    return n;
}

/* ---- collections ----------------------------------------------------------------------------- */

static void push(struct parse *p, struct yaml_pair v)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 256;
        p->vec = xrealloc(p->vec, p->cap * sizeof *p->vec);
    }
    p->vec[p->n++] = v;
}

/* A finished value: to the open collection, or the root. */
static void place(struct parse *p, const struct yaml_node *v)
{
    if (p->depth == 0) {
        p->root = v;
        return;
    }
    struct frame *f = &p->frames[p->depth - 1];
    struct yaml_pair pair = {.value = v};
    if (f->kind == YAML_MAPPING) {
        pair.key = f->key;
        pair.key_at = f->key_at;
        f->have_key = false;
    }
    if (v->at.end > f->end)
        f->end = v->at.end;
    push(p, pair);
}

static bool is_open_key(const struct parse *p)
{
    return p->depth && p->frames[p->depth - 1].kind == YAML_MAPPING &&
           !p->frames[p->depth - 1].have_key;
}

static int take_key(struct parse *p, const yaml_event_t *e)
{
    struct frame *f = &p->frames[p->depth - 1];
    const struct yaml_node *n = scalar(p, e);
    f->key = n->text;
    f->key_at = n->at;
    f->have_key = true;
    if (n->at.end > f->end)
        f->end = n->at.end;
    if (n->text.n > 256) {
        report(p, "Y012", n->at, "at most 256 bytes", "a key is too long");
        return -1;
    }
    if (n->style == YAML_PLAIN && str_eqc(n->text, "<<")) {
        report(p, "Y011", n->at, "write the keys out", "merge keys are not allowed");
        p->no_tree = true;
    }
    return 0;
}

static int open_frame(struct parse *p, const yaml_event_t *e, enum yaml_kind kind, bool flow,
                      const yaml_char_t *anchor, const yaml_char_t *tag)
{
    struct span at = mark_span(p, e);
    if (is_open_key(p)) {
        report(p, "Y012", at, "put an expression that begins with { or [ in quotes",
               "a key must be a plain word");
        return -1;
    }
    if (p->depth == YAML_MAX_DEPTH) {
        report(p, "Y004", sp(p, at.start, at.start), "", "nested more than 32 deep");
        return -1;
    }
    refuse_anchor(p, anchor, at);
    if (tag)
        report(p, "Y007", sp(p, at.start, at.start + 1), "remove it", "tags are not allowed");
    p->frames[p->depth++] = (struct frame){.kind = kind,
                                           .style = flow ? YAML_FLOW : YAML_BLOCK,
                                           .start = at.start,
                                           .end = at.end,
                                           .base = p->n};
    return 0;
}

#define MEND_PARTS 32

/* The part of a broken value that pair `v` of the frame is; false when it is something of its own. */
static bool loose_part(const struct frame *f, const struct yaml_pair *v, struct span *at)
{
    const struct yaml_node *n = v->value;
    if (n->kind != YAML_SCALAR || n->style != YAML_PLAIN)
        return false;
    *at = f->kind == YAML_SEQUENCE ? n->at : v->key_at;
    return f->kind == YAML_SEQUENCE || (n->text.n == 0 && n->at.start == n->at.end);
}

/* How many of the pairs after `r` belong to the value of `r`: those up to where its parentheses close. */
static size_t loose_parts(const struct parse *p, const struct frame *f, size_t r, struct span *last)
{
    struct parens open = {0};
    const struct yaml_node *n = p->vec[r].value;
    if (n->kind != YAML_SCALAR || n->style != YAML_PLAIN)
        return 0;
    paren_scan(n->text, &open);
    for (size_t k = 1; open.depth > 0 && k <= MEND_PARTS && r + k < p->n; k++) {
        if (!loose_part(f, &p->vec[r + k], last))
            return 0;
        paren_scan(slice(p, *last), &open);
        if (open.depth <= 0)
            return k;
    }
    return 0;
}

/* Inside { } and [ ], `f(a, b)` without quotes falls apart at the comma: put it together again, and
 * say so.  Only where a parenthesis is left open and what follows closes it. */
static void mend_commas(struct parse *p, const struct frame *f)
{
    size_t w = f->base;
    for (size_t r = f->base; r < p->n; r++) {
        struct yaml_pair whole = p->vec[r];
        struct span last;
        size_t parts = loose_parts(p, f, r, &last);
        if (parts) {
            struct yaml_node *n = ARENA_NEW(p->a, struct yaml_node);
            *n = *whole.value;
            report(p, "Y016", sp(p, n->at.end, n->at.end + 1), "put the whole expression in quotes",
                   f->kind == YAML_SEQUENCE ? "inside [ ] a comma ends the value"
                                            : "inside { } a comma ends the value");
            n->at.end = last.end;
            n->text = arena_str(p->a, slice(p, n->at));
            whole.value = n;
            r += parts;
        }
        p->vec[w++] = whole;
    }
    p->n = w;
}

static void report_duplicate(struct parse *p, const struct yaml_pair *first,
                             const struct yaml_pair *again)
{
    int line, col;
    char label[64];
    p->bad = true;
    if (++p->duplicates > MOST_DUPLICATES) /* each costs a walk through the file */
        return;
    srcfile_pos(p->file, first->key_at.start, &line, &col);
    snprintf(label, sizeof label, "first given at line %d", line);
    diags_addf(p->d, "Y013", again->key_at, str_c(label), (struct str){0},
               "duplicate key `" STR_FMT "`", STR_ARG(again->key));
}

/* Small mappings pairwise, large ones with a table. The later one is left out. */
static void drop_duplicates(struct parse *p, const struct frame *f)
{
    struct map *seen = p->n - f->base > 16 ? map_new(false) : NULL;
    size_t w = f->base;
    for (size_t r = f->base; r < p->n; r++) {
        const struct yaml_pair *first = NULL;
        if (seen) { /* positions + 1 as pointers: the vector does not move meanwhile */
            first = map_get(seen, p->vec[r].key);
        } else {
            for (size_t i = f->base; i < w && !first; i++)
                if (str_eq(p->vec[i].key, p->vec[r].key))
                    first = &p->vec[i];
        }
        if (first) {
            report_duplicate(p, first, &p->vec[r]);
            continue;
        }
        p->vec[w] = p->vec[r];
        if (seen)
            map_put(seen, p->vec[w].key, &p->vec[w]);
        w++;
    }
    p->n = w;
    map_free(&seen);
}

static void close_frame(struct parse *p, const yaml_event_t *e)
{
    struct frame *f = &p->frames[p->depth - 1];
    if (f->style == YAML_FLOW) {
        f->end = mark_span(p, e).end;
        mend_commas(p, f);
    }
    if (f->kind == YAML_MAPPING)
        drop_duplicates(p, f);
    struct yaml_node *n = ARENA_NEW(p->a, struct yaml_node);
    *n = (struct yaml_node){.kind = f->kind, .style = f->style, .at = sp(p, f->start, f->end)};
    n->text = (struct str){"", 0};
    n->n = (uint32_t)(p->n - f->base);
    if (f->kind == YAML_MAPPING) {
        struct yaml_pair *pairs = ARENA_ARRAY(p->a, struct yaml_pair, n->n);
        if (n->n)
            memcpy(pairs, p->vec + f->base, n->n * sizeof *pairs);
        n->pairs = pairs;
    } else {
        const struct yaml_node **items = ARENA_ARRAY(p->a, const struct yaml_node *, n->n);
        for (uint32_t i = 0; i < n->n; i++)
            items[i] = p->vec[f->base + i].value;
        n->items = items;
    }
    p->n = f->base;
    p->depth--;
    place(p, n);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void alias(struct parse *p, const yaml_event_t *e)
{
    struct span at = mark_span(p, e);
    report(p, "Y006", at, "write the value out, or quote it", "aliases are not allowed");
    p->no_tree = true;
    struct yaml_node *n = ARENA_NEW(p->a, struct yaml_node);
    *n = (struct yaml_node){.kind = YAML_SCALAR, .style = YAML_PLAIN, .at = at};
    n->text = arena_str(p->a, slice(p, at));
    place(p, n);
}

static int document(struct parse *p, const yaml_event_t *e)
{
    struct span at = mark_span(p, e);
    if (e->data.document_start.version_directive ||
        e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end) {
        report(p, "Y008", sp(p, at.start, at.start + 1), "remove this line",
               "directives are not allowed");
        return -1;
    }
    if (++p->documents > 1) {
        report(p, "Y009", at, "use two files", "a second document is not allowed");
        return -1;
    }
    return 0;
}

/* 1 = go on, 0 = end, -1 = no tree. */
static int event(struct parse *p, const yaml_event_t *e)
{
    if (++p->events > YAML_MAX_EVENTS) {
        struct span at = mark_span(p, e);
        report(p, "Y005", sp(p, at.start, at.start), "split the file",
               "too many nodes in one file");
        return -1;
    }
    switch (e->type) {
    case YAML_STREAM_END_EVENT:
        return 0;
    case YAML_DOCUMENT_START_EVENT:
        return document(p, e) ? -1 : 1;
    case YAML_ALIAS_EVENT:
        if (is_open_key(p)) {
            report(p, "Y006", mark_span(p, e), "quote it", "aliases are not allowed");
            return -1;
        }
        alias(p, e);
        return 1;
    case YAML_SCALAR_EVENT:
        if (is_open_key(p))
            return take_key(p, e) ? -1 : 1;
        place(p, scalar(p, e));
        return 1;
    case YAML_SEQUENCE_START_EVENT:
        return open_frame(p, e, YAML_SEQUENCE,
                          e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE,
                          e->data.sequence_start.anchor, e->data.sequence_start.tag)
                   ? -1
                   : 1;
    case YAML_MAPPING_START_EVENT:
        return open_frame(p, e, YAML_MAPPING,
                          e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE,
                          e->data.mapping_start.anchor, e->data.mapping_start.tag)
                   ? -1
                   : 1;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_frame(p, e);
        return 1;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return 1;
}

static void syntax_error(struct parse *p, const yaml_parser_t *y)
{
    p->bad = true;
    const char *problem = y->problem ? y->problem : "unreadable";
    uint32_t n = (uint32_t)p->file->text.n;
    uint32_t at = y->error == YAML_READER_ERROR
                      ? (uint32_t)(y->problem_offset < n ? y->problem_offset : n)
                      : places_byte(&p->places, y->problem_mark.index);
    uint32_t began = y->context ? places_byte(&p->places, y->context_mark.index) : UINT32_MAX;
    hint_syntax(p->d, p->file, problem, at, began);
}

static int read_events(struct parse *p)
{
    yaml_parser_t y;
    if (!yaml_parser_initialize(&y))
        abort();
    yaml_parser_set_encoding(&y, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&y, (const unsigned char *)p->file->text.p, p->file->text.n);
    int rc = 1;
    while (rc > 0) {
        yaml_event_t e;
        if (!yaml_parser_parse(&y, &e)) {
            syntax_error(p, &y);
            rc = -1;
            break;
        }
        rc = event(p, &e);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&y);
    return rc;
}

/* What libyaml must not see: it would stop at a NUL as if the text ended there. */
static int check_bytes(struct parse *p)
{
    struct str t = p->file->text;
    if (t.n > YAML_MAX_BYTES) {
        report(p, "Y003", sp(p, 0, 0), "split it", "a file may have at most 1 MiB");
        return -1;
    }
    const char *nul = t.n ? memchr(t.p, 0, t.n) : NULL;
    if (nul) {
        uint32_t at = (uint32_t)(nul - t.p);
        report(p, "Y002", sp(p, at, at + 1), "remove it", "a NUL character");
        return -1;
    }
    if (utf8_valid(t))
        return 0;
    for (size_t i = 0; i < t.n;) {
        uint32_t cp;
        size_t took = utf8_next(t, i, &cp);
        if (cp == 0xfffd && took == 1) {
            report(p, "Y001", sp(p, (uint32_t)i, (uint32_t)i + 1), "save the file as UTF-8",
                   "not UTF-8");
            return -1;
        }
        i += took;
    }
    return -1;
}

int yaml_parse(struct arena *a, const struct srcfile *file, struct diags *d,
               const struct yaml_node **out)
{
    struct parse p = {.a = a, .file = file, .d = d};
    *out = NULL;
    if (check_bytes(&p))
        return -1;
    places_init(&p.places, a, file->text);
    int rc = read_events(&p);
    free(p.vec);
    if (rc || p.no_tree)
        return -1;
    if (!p.root) {
        struct yaml_node *n = ARENA_NEW(a, struct yaml_node);
        *n = (struct yaml_node){.kind = YAML_MAPPING, .style = YAML_BLOCK, .at = sp(&p, 0, 0)};
        n->text = (struct str){"", 0};
        p.root = n;
    }
    *out = p.root;
    return p.bad ? -1 : 0;
}

int yaml_parse_err(struct arena *a, const struct srcfile *file, const struct yaml_node **out,
                   struct err *err)
{
    struct diags *d = diags_new();
    const struct yaml_node *root;
    int rc = yaml_parse(a, file, d, &root);
    if (rc == 0) {
        *out = root;
    } else {
        diags_sort(d);
        const struct diag *g = diags_get(d, 0);
        int line, col;
        srcfile_pos(file, g->at.start, &line, &col);
        err_code(err, ERR_INPUT, g->code, STR_FMT "%s" STR_FMT, STR_ARG(g->text),
                 g->label.n ? ": " : "", STR_ARG(g->label));
        if (err && !err->line) {
            err->line = line;
            err->col = col;
            snprintf(err->file, sizeof err->file, STR_FMT, STR_ARG(file->name));
        }
    }
    diags_free(&d);
    return rc;
}
