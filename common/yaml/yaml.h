/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml: text files as positioned trees.  The only module that includes libyaml: its event API feeds
 * our own tree, in which every node and key knows its bytes in the file, so that whoever gives the
 * tree a meaning (rules, service configuration, gateway adapters) can point at what is wrong.
 *
 * A strict subset of YAML 1.1: UTF-8, one document, no aliases, anchors, tags, directives or `<<`,
 * scalar keys, each once.  Scalars have no type of their own: the schema of the reader decides (the
 * yaml_* conversions below), so `no` is text and `10:00` is not 600.
 */
#ifndef ROUSE_YAML_H
#define ROUSE_YAML_H

#include "base.h"

#define YAML_MAX_BYTES (1u << 20)
#define YAML_MAX_DEPTH 32
#define YAML_MAX_EVENTS 200000

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };
enum yaml_style {
    YAML_PLAIN, /* the five of scalars */
    YAML_SINGLE,
    YAML_DOUBLE,
    YAML_LITERAL,
    YAML_FOLDED,
    YAML_BLOCK, /* the two of collections */
    YAML_FLOW,
};

struct yaml_node;
struct yaml_pair {
    struct str key;     /* decoded; never NULL, may be empty */
    struct span key_at; /* with its quotes, if it has some */
    const struct yaml_node *value;
};
struct yaml_node {
    enum yaml_kind kind;
    enum yaml_style style;
    struct span at;  /* scalar: its content (quoted: with the quotes; `|` and `>`: from the first
                       character of the first line to the last of the last); collection: all of it */
    struct str text; /* scalar: decoded, as YAML says; NUL-terminated after the slice */
    const uint32_t *map; /* quoted scalar: decoded byte -> file offset, text.n + 1 entries */
    uint32_t n;          /* items, or pairs in the order written */
    const struct yaml_node *const *items;
    const struct yaml_pair *pairs;
};

/* Parse one file.  0 ok.  -1: problems went to `d` (Y codes); then *out is the tree if the problem
 * was one that can be passed over (a duplicate key, an anchor …), else NULL.  An empty file is an
 * empty mapping.  The tree lives in `a` and points into file->text. */
int yaml_parse(struct arena *a, const struct srcfile *file, struct diags *d,
               const struct yaml_node **out);
/* The same for those who want one error only: -1 and err (ERR_INPUT, code, file, line, column). */
int yaml_parse_err(struct arena *a, const struct srcfile *file, const struct yaml_node **out,
                   struct err *err);

/* Value of a key of a mapping; NULL = not there, or not a mapping. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
const struct yaml_pair *yaml_pair(const struct yaml_node *map, struct str key);

/* The text of an expression that is lexed in place.  Plain and block scalars: the bytes as they
 * stand in the file (*map NULL, offset + *base = file offset); quoted ones: the decoded text with
 * its map. */
struct str yaml_expr(const struct yaml_node *scalar, const uint32_t **map, uint32_t *base);
/* The span in the file of bytes [from, to) of a scalar's decoded text. */
struct span yaml_sub(const struct yaml_node *scalar, size_t from, size_t to);
/* A plain scalar that a ` #` comment cut short in the middle of a quoted string: 1 and the span of
 * the `#`. */
int yaml_cut_by_comment(const struct yaml_node *scalar, struct span *hash);

/* What a scalar says.  false = it is not one of these. Quoted text is never a bool, number or null. */
bool yaml_is_null(const struct yaml_node *n);           /* plain `null`, `~` or nothing */
bool yaml_bool(const struct yaml_node *n, bool *out);   /* plain `true` or `false` */
bool yaml_i64(const struct yaml_node *n, int64_t *out); /* plain decimal, sign allowed */
bool yaml_f64(const struct yaml_node *n,
              double *out); /* plain decimal, fraction, exponent; finite */
/* A scalar that is not null: its text. */
bool yaml_text(const struct yaml_node *n, struct str *out);

/* The tree (or any part) as text in one normal form: comments, white space, key quoting and block
 * or flow style do not show; a scalar keeps whether it was quoted.  Parses back to an equal tree. */
void yaml_write(const struct yaml_node *n, struct buf *out);

#endif
