/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr: strict static CEL (design rules.md §7).  Lexed in place, so offsets in messages are offsets
 * in the file; AST in an arena; one type pass; constant folding; stack bytecode on 16-byte values
 * that evaluates without allocation.  An accepted expression means exactly what CEL says it means.
 */
#ifndef ROUSE_EXPR_H
#define ROUSE_EXPR_H

#include "model.h"

/* The text of one expression and where it stands. */
struct expr_src {
    const struct srcfile *file;
    struct str text;     /* what is compiled */
    const uint32_t *map; /* text offset -> file offset, text.n + 1 entries; NULL: base + offset */
    uint32_t base;
    struct str what; /* how messages call the whole: "`name`", "`if`"; may be empty */
};

struct expr_table {
    struct str name;
    const struct type *type; /* map or list */
    struct val value;        /* maps sorted by key, so that look-ups are binary searches; lists
                                that are sorted are searched in place, others are copied sorted */
};

/* What an expression may speak of.  NULL type = the variable does not exist here, and `why_not`
 * (may be empty) says why when someone uses it. */
struct expr_env {
    const struct type *event;  /* record */
    const struct type *next;   /* record: `next`; inside a pattern's where also the candidate */
    const struct type *member; /* record of the tags, in tag order; last field is `id` */
    bool old;                  /* `old` has the type of member */
    bool now;                  /* `now` and `tz` exist */
    bool build;                /* with:/set: filter, map, string and list building are allowed */
    struct str event_name;     /* "purchase", for "unknown field `x` of `purchase`" */
    struct str no_event, no_member, no_next, no_old, no_now; /* why_not texts */
    const struct expr_table *tables;
    uint32_t n_tables;
    const struct expr_var *vars; /* further variables (adapters: sent, curl, status …; tests) */
    uint32_t n_vars;
    /* A zone named in a literal, `now.getHours('US/Central')`; NULL = not known.  Without the
     * callback only UTC and fixed offsets are. (Files: zone_load; a bundle: what it embeds.) */
    const struct zone *(*zone)(void *arg, struct str name);
    void *zone_arg;
};
struct expr_var {
    struct str name;
    const struct type *type;
};

struct expr;

/* Compile `src`; `want` (NULL = any) is the type that the result must have.  Errors go to `d` and -1
 * is returned.  Everything lives in `a`.  member/old fields used are noted (expr_uses). */
int expr_compile(struct arena *a, const struct expr_env *env, const struct expr_src *src,
                 const struct type *want, struct diags *d, const struct expr **out);
const struct type *expr_type(const struct expr *e);
bool expr_uses_old(const struct expr *e);
bool expr_uses_now(const struct expr *e);
bool expr_uses_tag(const struct expr *e, uint32_t tag);    /* member or old, direct */
bool expr_is_const(const struct expr *e, struct val *out); /* folded to a constant */
uint32_t expr_cost(const struct expr *e);                  /* static worst case */
struct span expr_at(const struct expr *e);                 /* its text in the file */
void expr_disasm(const struct expr *e, struct buf *out);
/* `event.F == 'literal'` or `in [..]` conjuncts at the top, for the rule index: 1 and the values (a
 * list), or 0. */
int expr_equals(const struct expr *e, uint32_t field, struct val *values);

/* What can be proven of a condition without running it; nothing is guessed (facts.c).  A part that is
 * always or never true: by itself, or together with the part whose text is `with`. */
#define EXPR_ALL_BEFORE "what stands before it" /* as `with`: no value of its one_of is left */
struct expr_fact {
    bool always;
    struct span at;
    struct str with;
};
const struct expr_fact *expr_facts(const struct expr *e, uint32_t *n);
/* Whenever `b` is true, so is `a`, both evaluated at one moment (NULL is always true). */
bool expr_implies(const struct expr *b, const struct expr *a);
/* They are never true at one moment. */
bool expr_excludes(const struct expr *a, const struct expr *b);
/* It may be true while the term ("member.level", "event.channel") has this value; NULL = is absent. */
bool expr_admits(const struct expr *e, struct str term, const struct val *v);
/* Reads of what may be absent, where the expression has not asked with has(). */
struct expr_absent {
    struct span at;
    struct str term; /* "event.coupon" */
    struct str text; /* as written */
};
const struct expr_absent *expr_absent(const struct expr *e, uint32_t *n);
bool expr_requires(const struct expr *e,
                   struct str term); /* it is true only if the term is there */
/* The greatest length of a text that it gives, in code points. */
uint32_t expr_most_points(const struct expr *e);

#define EXPR_SCRATCH 8192
/* One evaluation's inputs.  Reused between evaluations; `scratch_n` is reset by expr_eval. */
struct expr_ctx {
    const struct val *event; /* record values in declared order, or NULL */
    const struct val *next;
    /* Read tag `tag` of the member (old: as it was before).  1 a value, 0 absent, -1 error. */
    int (*member)(void *arg, uint32_t tag, bool old, struct val *out);
    /* member.TAG[key] of a map tag without making the map. 1 found, 0 no such key, -1 error. */
    int (*member_at)(void *arg, uint32_t tag, bool old, const struct val *key, struct val *out);
    void *arg;
    const struct val *vars; /* of env.vars */
    int64_t now_ms;
    const struct zone *tz;
    /* results of a failed evaluation */
    const char *error; /* static text */
    struct span error_at;
    char scratch[EXPR_SCRATCH];
    uint32_t scratch_n;
    uint64_t evals, steps; /* counters */
};
/* 0 and *out (strings and lists may point into scratch: valid until the next call), or -1: an error in
 * the sense of CEL, which a condition takes as false. */
int expr_eval(const struct expr *e, struct expr_ctx *c, struct val *out);
bool expr_true(const struct expr *e, struct expr_ctx *c); /* NULL e = true; error = false */

/* Every X code that expr_compile can give, in order. */
const struct diag_code *expr_codes(size_t *n);

#endif
