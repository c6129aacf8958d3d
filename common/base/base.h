/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base: what every other module stands on.  Errors, memory, strings, containers, UTF-8, hashes and
 * the positioned diagnostics that all compilers of this tree share.  Nothing here logs, exits,
 * reads a clock, the environment or randomness.  Running out of memory aborts.
 */
#ifndef ROUSE_BASE_H
#define ROUSE_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BASE_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define BASE_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* ---- err: what went wrong, and what to do about it ------------------------------------------- */

enum err_kind {
    ERR_NONE = 0,
    ERR_INPUT, /* the input is bad: dead letter, or tell the user */
    ERR_AGAIN, /* the world is busy or away: retry */
    ERR_FATAL, /* cannot go on: stop or park */
};

/* A fixed-size value; start with {0}.  The first error wins: a filled err is not overwritten. */
struct err {
    enum err_kind kind;
    int line, col;  /* 1-based; 0 = none */
    char code[24];  /* stable code such as "json_depth" or "R010"; may be empty */
    char file[128]; /* or the JSON path of a value; may be empty */
    char text[512];
};

/* Fill `err` (NULL is allowed) and return -1, so `return err_set(err, ERR_INPUT, "…")` works. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) BASE_PRINTF(3, 4);
int err_code(struct err *err, enum err_kind kind, const char *code, const char *fmt, ...)
    BASE_PRINTF(4, 5);
/* Put "fmt: " before the text of a filled err; returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) BASE_PRINTF(2, 3);
void err_clear(struct err *err);

/* ---- memory: abort instead of NULL ------------------------------------------------------------ */

void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xmemdup0(const char *p, size_t n); /* copies n bytes and adds a NUL */

/* ---- str: a borrowed slice of bytes, not NUL-terminated ---------------------------------------- */

struct str {
    const char *p;
    size_t n;
};
#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

struct str str_c(const char *s); /* of a C string; NULL gives the empty slice */
static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
bool str_eqc(struct str a, const char *b);
int str_cmp(struct str a, struct str b); /* by bytes, shorter first when a prefix */
bool str_starts(struct str s, const char *prefix);
/* Whole slice as a decimal integer. 0 ok, -1 not one or out of range. */
int str_i64(struct str s, int64_t *out);

/* ---- arena: many allocations, one end ---------------------------------------------------------- */

struct arena;
struct arena *arena_new(size_t max); /* max bytes in all, 0 = no limit; above it: abort */
void arena_free(struct arena **a);
void arena_reset(struct arena *a);            /* keeps the memory for the next use */
void *arena_alloc(struct arena *a, size_t n); /* 16-byte aligned, not zeroed */
void *arena_zalloc(struct arena *a, size_t n);
struct str arena_str(struct arena *a, struct str s); /* copy, with a NUL after it */
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) BASE_PRINTF(2, 3);
size_t arena_used(const struct arena *a);
#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_zalloc((a), sizeof(type) * (size_t)(n)))

/* ---- buf: growing bytes with a maximum --------------------------------------------------------- */

struct buf {
    char *p;  /* always NUL-terminated after the first add */
    size_t n; /* bytes used */
    size_t cap;
    size_t max; /* above it nothing is added and `over` is set */
    bool over;
};
void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);
static inline void buf_reset(struct buf *b)
{
    b->n = 0;
    b->over = false;
}
char *buf_room(struct buf *b, size_t n); /* room for n more bytes, or NULL and `over` */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_addc(struct buf *b, char c);
void buf_adds(struct buf *b, const char *s);
void buf_addstr(struct buf *b, struct str s);
void buf_addf(struct buf *b, const char *fmt, ...) BASE_PRINTF(2, 3);
void buf_addi64(struct buf *b, int64_t v); /* decimal, fast */
struct str buf_str(const struct buf *b);

/* ---- map: from bytes to a pointer; iterates in order of insertion ------------------------------ */

struct map;
struct map *map_new(bool copy_keys);
void map_free(struct map **m);
void *map_get(const struct map *m, struct str key);     /* NULL = absent */
void map_put(struct map *m, struct str key, void *val); /* val must not be NULL */
void *map_del(struct map *m, struct str key);
size_t map_len(const struct map *m);
void map_clear(struct map *m);
/* Start with *it = 0; 1 = an entry, 0 = end.  Do not change the map meanwhile. */
int map_next(const struct map *m, size_t *it, struct str *key, void **val);

/* ---- heap: a binary min-heap of pointers ------------------------------------------------------- */

struct heap;
/* less(a, b): a before b.  set_pos (may be NULL) is told where an item stands, for heap_remove. */
struct heap *heap_new(bool (*less)(const void *, const void *), void (*set_pos)(void *, size_t));
void heap_free(struct heap **h);
void heap_push(struct heap *h, void *item);
void *heap_top(const struct heap *h); /* NULL = empty */
void *heap_pop(struct heap *h);
void heap_remove(struct heap *h, size_t pos);
void heap_moved(struct heap *h, size_t pos); /* the item at pos changed its key */
size_t heap_len(const struct heap *h);

/* ---- utf8 -------------------------------------------------------------------------------------- */

bool utf8_valid(struct str s); /* no surrogates, no overlong forms, at most U+10FFFF */
size_t utf8_len(struct str s); /* code points of valid text */
size_t utf8_next(struct str s, size_t i, uint32_t *cp); /* bytes taken, >= 1; bad byte: U+FFFD, 1 */
int utf8_width(uint32_t cp);                            /* 0, 1 or 2 columns */

/* ---- suggest: did you mean? -------------------------------------------------------------------- */

/* The nearest of `names` by optimal string alignment, case-folded, at most max(len, 3) / 3 away;
 * then the same words in another order.  Empty slice = none. */
struct str suggest(struct str word, const struct str *names, size_t n);

/* ---- hashes and encodings ---------------------------------------------------------------------- */

uint32_t
hash_murmur2(struct str s); /* Kafka's Java default partitioner: partition = (h & 0x7fffffff) % P */
uint32_t hash_crc32c(uint32_t crc, const void *p, size_t n); /* start with 0 */
uint64_t hash_bytes(struct str s); /* fast, for tables in memory only; stable across runs */
void hash_sha256(const void *p, size_t n, uint8_t out[32]);
void hash_sha256_2(const void *a, size_t na, const void *b, size_t nb, uint8_t out[32]);
void hash_hmac_sha256(const void *key, size_t nk, const void *p, size_t n, uint8_t out[32]);
void enc_hex(const uint8_t *p, size_t n, char *out); /* 2n + NUL */
int dec_hex(struct str s, uint8_t *out, size_t n);
size_t enc_base32(const uint8_t *p, size_t n,
                  char *out); /* lower case, no padding, NUL; returns length */
size_t enc_base64(const uint8_t *p, size_t n, char *out); /* padded, NUL */
int dec_base64(struct str s, uint8_t *out, size_t max);   /* bytes, or -1 */

/* ---- diag: messages about text files, with a place and a way out (rules.md §9) ------------------ */

/* A text that messages point into.  Offsets are bytes from its start. */
struct srcfile {
    struct str name; /* as shown */
    struct str text;
    uint32_t order; /* files sort by it */
};
struct span {
    const struct srcfile *file;
    uint32_t start, end; /* half-open byte offsets in file->text */
};
struct diag {
    char code[8]; /* "X010" */
    bool warning;
    struct span at;
    struct str text;  /* one line, no full stop */
    struct str label; /* beside the ^^^^ underline: "did you mean `amount`?"; may be empty */
    struct str note;  /* the "  = …" line; may be empty */
};
struct diags;
struct diags *diags_new(void);
void diags_free(struct diags **d);
/* The strings are copied. Equal (place, code) is kept once. */
void diags_add(struct diags *d, const struct diag *g);
void diags_addf(struct diags *d, const char *code, struct span at, struct str label,
                struct str note, const char *fmt, ...) BASE_PRINTF(6, 7);
size_t diags_errors(const struct diags *d);
size_t diags_warnings(const struct diags *d);
void diags_sort(struct diags *d); /* by (file order, offset) */
/* Copy the files that messages point into, so that the originals may be freed. */
void diags_own(struct diags *d);
size_t diags_len(const struct diags *d);
const struct diag *diags_get(const struct diags *d, size_t i);
/* As people read it, at most `most`, blank line between, then "N errors, M warnings". */
void diags_text(struct diags *d, size_t most, struct buf *out);
/* One JSON object a line: severity code text; file line col utf16 end_line end_col end_utf16 (utf16:
 * the column in UTF-16 units, as editors count); label and note where there are. */
void diags_json(struct diags *d, size_t most, struct buf *out);
void diags_github(struct diags *d, size_t most,
                  struct buf *out); /* ::error file=…,line=…,col=…:: */
/* What a code means and the way out, for `rouse explain` and the reference. */
struct code_text {
    const char *meaning; /* one line, no full stop */
    const char *advice;  /* one to three sentences */
};
struct diag_code {
    const char *code;
    struct code_text en, zh;
};
/* 1-based line and column (code points) of a byte offset. */
void srcfile_pos(const struct srcfile *f, uint32_t off, int *line, int *col);

#endif
