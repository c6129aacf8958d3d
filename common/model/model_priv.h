/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this module share: number texts, the cursor of the single-pass reader, and the
 * helpers by which the record codecs write and read objects with keys in a fixed order.
 */
#ifndef ROUSE_MODEL_PRIV_H
#define ROUSE_MODEL_PRIV_H

#include "model.h"

#define MODEL_STRING_MAX 256 /* code points, where a type names no maximum */
#define MODEL_LIST_MAX 64    /* items */
#define MODEL_DEPTH_MAX 64   /* nesting that the single-pass reader skips over */

/* Shortest text that reads back as the same double; whole numbers without a point. */
size_t model_double_text(double d, char out[32]);
void model_add_double(struct buf *b, double d);

/* ---- scan: a cursor over canonical JSON ---- */

/* Every function returns false at the first byte that does not fit and leaves the cursor somewhere;
 * whoever wants to go on remembers `p`. */
struct scan {
    const char *p, *end;
    struct arena *a; /* for strings that had escapes */
};
static inline bool scan_c(struct scan *s, char c)
{
    if (s->p >= s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}
static inline bool scan_mem(struct scan *s, const char *lit, size_t n)
{
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, lit, n) != 0)
        return false;
    s->p += n;
    return true;
}
#define scan_lit(s, lit) scan_mem((s), "" lit, sizeof(lit) - 1)
bool scan_str(struct scan *s, struct str *out);
bool scan_i64(struct scan *s, int64_t *out);
bool scan_u64(struct scan *s, uint64_t *out);
bool scan_double(struct scan *s, double *out);
bool scan_bool(struct scan *s, bool *out);
bool scan_skip(struct scan *s); /* any value */

/* ---- keys: objects in a fixed order of keys, most of which may be left out ---- */

/* A table of keys in the order in which they are written, each as KEY("name"). */
#define KEY(name) STR("\"" name "\":")
#define SCAN_END (-1)
#define SCAN_BAD (-2)
/* The next key of an object: its index in `keys`, `n` = an unknown one (skip its value), SCAN_END,
 * SCAN_BAD.  *at starts 0 at the object's `{` and remembers where in the table to look first. */
int scan_key(struct scan *s, const struct str *keys, int n, int *at);
/* The next item of an array, *at as above: 1 = an item follows, SCAN_END, SCAN_BAD. */
int scan_item(struct scan *s, int *at);

/* "key":value, with a comma before it unless it is the first of its object. */
void put_key(struct buf *b, const char *key);
void put_name(struct buf *b, bool first, struct str name);
void put_str(struct buf *b, const char *key, struct str v);     /* always */
void put_str_opt(struct buf *b, const char *key, struct str v); /* left out when empty */
void put_i64(struct buf *b, const char *key, int64_t v);
void put_u64(struct buf *b, const char *key, uint64_t v);
void put_bool(struct buf *b, const char *key, bool v);
void put_hex32(struct buf *b, const char *key, const uint8_t v[32]);
void put_source(struct buf *b, const char *key, const struct source *s);
bool scan_source(struct scan *s, struct source *out);
bool scan_hex32(struct scan *s, uint8_t out[32]);
/* A string into a char array of n bytes with a NUL; false when it does not fit. */
bool scan_text(struct scan *s, char *out, size_t n);
bool scan_u32(struct scan *s, uint32_t *out);
/* Another string table: which of `names` the string is, or -1. */
int scan_enum(struct scan *s, const char *const *names, int n);
void add_u64(struct buf *b, uint64_t v);

/* A value of type `t` from canonical JSON; false = it does not fit. */
bool scan_val(struct scan *s, const struct type *t, struct val *out);
/* An object with these fields into f[0..n), which starts absent. `nulls`: JSON null becomes V_NULL;
 * else it is absent like a missing key. */
bool scan_fields(struct scan *s, const struct field *fields, uint32_t n, bool nulls, struct val *f);
/* What is wrong with a text for a string, date, lunar date or address. */
enum text_fault { TEXT_OK, TEXT_TOO_LONG, TEXT_ONE_OF, TEXT_BAD_DATE };
enum text_fault model_text_fault(const struct type *t, struct str v);
bool model_date_ok(struct str v);
bool model_lunar_ok(struct str v);

/* One own parser for the common form of JSON: 1 = *out is the tree, 0 = leave it to jansson (also when
 * it is wrong: jansson finds the words). Numbers carry their text in `s`. */
int json_fast(struct str text, uint32_t max_depth, struct arena *a, const struct json **out);
/* jansson alone, for comparing the two. */
int json_slow(struct str text, uint32_t max_depth, struct arena *a, const struct json **out,
              struct err *err);

#endif
