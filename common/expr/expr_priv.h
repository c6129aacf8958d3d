/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of expr: text -> tokens (lex.c) -> tree (parse.c) -> typed tree (check.c, func.c) ->
 * folded tree (fold.c) -> cost (cost.c) -> bytecode (gen.c) -> values (vm.c, with lib.c and text.c).
 * The tree lives in a scratch arena that goes when the compilation is over; constants, types and code
 * live in the caller's.
 */
#ifndef ROUSE_EXPR_PRIV_H
#define ROUSE_EXPR_PRIV_H

#include "expr.h"

#define EXPR_MAX_POINTS 4096 /* code points of one expression */
#define EXPR_MAX_DEPTH 64    /* of the text (brackets) and of the tree */
#define EXPR_MAX_NEST 2      /* comprehensions inside each other */
#define EXPR_MAX_COST 10000
#define EXPR_STACK_ITEMS 32   /* of `x in [a, b, …]` that is compared without building the list */
#define EXPR_MAX_STACK 96     /* values; the tree's depth bounds it */
#define EXPR_MAX_STEPS 200000 /* the run-time backstop behind the static cost */

/* ---- tokens ------------------------------------------------------------------------------------ */

enum tok {
    T_END,
    T_BAD, /* reported already */
    T_IDENT,
    T_QUOTED, /* `field` */
    T_INT,    /* u = magnitude */
    T_UINT,
    T_DOUBLE,
    T_STRING,
    T_BYTES,
    T_LPAREN,
    T_RPAREN,
    T_LBRACKET,
    T_RBRACKET,
    T_LBRACE,
    T_RBRACE,
    T_DOT,
    T_COMMA,
    T_COLON,
    T_QUESTION,
    T_NOT,
    T_MINUS,
    T_PLUS,
    T_STAR,
    T_SLASH,
    T_PERCENT,
    T_LT,
    T_LE,
    T_GT,
    T_GE,
    T_EQ,
    T_NE,
    T_IN,
    T_AND,
    T_OR,
};
struct token {
    enum tok t;
    uint32_t start, end; /* bytes of the text */
    uint64_t u;
    double d;
    struct str s; /* identifier, or the content of a string (permanent) */
};

/* ---- the tree ---------------------------------------------------------------------------------- */

enum node_kind {
    N_CONST,
    N_IDENT,  /* a variable: root, index */
    N_LOCAL,  /* a macro's variable: index = its level */
    N_SELECT, /* kid.name; index = field when the kid is a record */
    N_HAS,    /* has(kid.name) */
    N_INDEX,  /* kid[kid] */
    N_CALL,   /* fn; method: the first kid is the receiver */
    N_LIST,
    N_MAP, /* key, value, key, value … */
    N_NOT,
    N_NEG,
    N_ARITH, /* op = token */
    N_CMP,   /* op = token */
    N_IN,
    N_AND, /* any number of kids */
    N_OR,
    N_COND,
    N_COMP, /* op = macro; kids: range, body [, result]; index = level */
    N_BAD,  /* reported already */
};
enum root { ROOT_NONE, ROOT_EVENT, ROOT_NEXT, ROOT_MEMBER, ROOT_OLD, ROOT_NOW, ROOT_TZ, ROOT_VAR };
enum macro { MACRO_ALL, MACRO_EXISTS, MACRO_ONE, MACRO_FILTER, MACRO_MAP };

struct fn;
struct node {
    uint8_t kind, op;
    bool method;  /* N_CALL: x.f() */
    bool fails;   /* evaluating it may be an error */
    bool noted;   /* that a part of it is constant */
    uint8_t free; /* FREE_… : what its value depends on */
    enum root root;
    uint16_t height;
    uint32_t start, end;       /* bytes of the text */
    uint32_t op_start, op_end; /* the operator, or the field's or function's name */
    uint32_t index;            /* field, variable, level */
    uint32_t len, elem;        /* bounds: code points or items; of the items */
    struct str name;           /* as written */
    struct node **kids;
    uint32_t n;
    const struct type *type;
    const struct fn *fn;
    const struct zone *zone; /* time fields; NULL with free & FREE_ENV: the policy's */
    struct val val;          /* N_CONST */
};
#define FREE_ENV 1u
#define FREE_LOCAL(level) (2u << (level))

/* ---- bytecode ---------------------------------------------------------------------------------- */

enum opcode {
    OP_RET,
    OP_CONST,
    OP_EVENT,
    OP_NEXT,
    OP_EVENT_ALL,
    OP_NEXT_ALL,
    OP_VAR,
    OP_MEMBER,
    OP_NOW,
    OP_TZ,
    OP_LOCAL,
    OP_LOCAL_FIELD,
    OP_FIELD,
    OP_HAS_EVENT,
    OP_HAS_NEXT,
    OP_HAS_MEMBER,
    OP_HAS_FIELD,
    OP_MEMBER_AT,
    OP_MEMBER_IN,
    OP_INDEX,
    OP_MAP_AT,
    OP_MAP_IN,
    OP_IN_LIST,
    OP_IN_STACK, /* the items lie above the needle: nothing is built */
    OP_IN_SORTED,
    OP_NOT,
    OP_NEG_I,
    OP_NEG_D,
    OP_ADD_I,
    OP_SUB_I,
    OP_MUL_I,
    OP_DIV_I,
    OP_MOD_I,
    OP_ADD_D,
    OP_SUB_D,
    OP_MUL_D,
    OP_DIV_D,
    OP_ADD_S,
    OP_ADD_L,
    OP_ADD_T,
    OP_ADD_DT,
    OP_SUB_T,
    OP_DIFF_T,
    OP_I2D,
    /* comparisons: the six of a kind in the order of enum tok, T_LT … T_NE */
    OP_LT_I,
    OP_LE_I,
    OP_GT_I,
    OP_GE_I,
    OP_EQ_I,
    OP_NE_I,
    OP_LT_D,
    OP_LE_D,
    OP_GT_D,
    OP_GE_D,
    OP_EQ_D,
    OP_NE_D,
    OP_LT_S,
    OP_LE_S,
    OP_GT_S,
    OP_GE_S,
    OP_EQ_S,
    OP_NE_S,
    OP_LT_T,
    OP_LE_T,
    OP_GT_T,
    OP_GE_T,
    OP_EQ_T,
    OP_NE_T,
    OP_LT_B,
    OP_LE_B,
    OP_GT_B,
    OP_GE_B,
    OP_EQ_B,
    OP_NE_B,
    OP_EQ_V,
    OP_NE_V,
    /* the same with a constant on the right: what conditions mostly are */
    OP_LT_IK,
    OP_LE_IK,
    OP_GT_IK,
    OP_GE_IK,
    OP_EQ_IK,
    OP_NE_IK,
    OP_LT_DK,
    OP_LE_DK,
    OP_GT_DK,
    OP_GE_DK,
    OP_EQ_DK,
    OP_NE_DK,
    OP_EQ_SK,
    OP_NE_SK,
    OP_JUMP,
    OP_JF,        /* pop; jump if false */
    OP_JF_OR_POP, /* operands that cannot fail */
    OP_JT_OR_POP,
    OP_JF_KEEP, /* operands that can: what is below is true or an error mark */
    OP_JT_KEEP,
    OP_AND_JF,
    OP_OR_JT,
    OP_AND_END,
    OP_OR_END,
    OP_LOOP,
    OP_ALL_NEXT,
    OP_EXISTS_NEXT,
    OP_ONE_NEXT,
    OP_FILTER_NEXT,
    OP_MAP_NEXT,
    OP_MAP_SKIP,
    OP_LIST_NEW,
    OP_LIST_SET,
    OP_MAP_NEW,
    OP_MAP_SET,
    OP_SIZE_S,
    OP_SIZE_L,
    OP_CONTAINS,
    OP_STARTS,
    OP_ENDS,
    OP_D2I,
    OP_S2I,
    OP_T2I,
    OP_S2D,
    OP_TO_S,
    OP_S2B,
    OP_S2T,
    OP_I2T,
    OP_S2L, /* string -> duration */
    OP_DAYS,
    OP_DATE,
    OP_YUAN,
    OP_TIME_FIELD,
    OP_DUR_FIELD,
    OP_TO_MONEY,
    OP_CHECK,
    OP_RAISE,
    OP_COUNT_,
};
struct ins {
    uint8_t op;
    uint8_t kind; /* enum val_kind that a load must give; macro of a loop */
    uint16_t a;   /* level, old, sorted, time field */
    uint32_t b;   /* field, constant, jump target … */
};
struct handler { /* an error at [from, to) goes to `target` with a mark on a stack of `depth` */
    uint32_t from, to, target;
    uint16_t depth;
    bool mark; /* what the mark counts as when it is tested */
};
struct code {
    const struct ins *ins;
    const uint32_t *start, *end; /* of the text in the file, for messages; one each */
    uint32_t n;
    const struct val *consts;
    uint32_t n_consts;
    const struct handler *handlers; /* innermost first */
    uint32_t n_handlers;
    const struct zone *const *zones; /* [0] = NULL: the policy's */
    uint32_t n_zones;
    const struct type *check; /* OP_CHECK */
    const struct srcfile *file;
    uint32_t stack;
};
struct op_info {
    const char *name;
    int effect;       /* on the stack; jumps: when it does not jump */
    const char *args; /* which of k(ind) a b are shown */
};
extern const struct op_info op_infos[OP_COUNT_];

struct equality {
    uint32_t field;
    struct val values; /* a list */
};
/* What a condition says of one term (facts.c). */
enum atom_op { ATOM_IN, ATOM_NOT_IN, ATOM_LT, ATOM_LE, ATOM_GT, ATOM_GE };
struct atom {
    enum atom_op op;
    struct str term; /* canonical */
    const struct type *type;
    const struct val *v; /* IN, NOT_IN: n values; else the bound */
    uint32_t n;
    const struct node *node; /* while compiling */
};
struct expr {
    const struct type *type;
    bool is_const, uses_old, uses_now;
    struct val value; /* is_const */
    struct span at;   /* its text */
    struct code code;
    uint32_t cost;
    const uint32_t *tags; /* ascending */
    uint32_t n_tags;
    const struct equality *equals;
    uint32_t n_equals;
    const struct atom *atoms; /* that hold when it is true */
    uint32_t n_atoms;
    bool atoms_all; /* it is true when they hold */
    const struct expr_fact *facts;
    uint32_t n_facts;
    const struct expr_absent *absent;
    uint32_t n_absent;
    const struct str *needs; /* terms that are there when it is true */
    uint32_t n_needs;
    uint32_t most_points; /* of a text: its greatest length */
};

/* 0 and *out, or -1 with c->error and c->error_at. */
int vm_run(const struct code *k, struct expr_ctx *c, struct val *out);

/* ---- one compilation --------------------------------------------------------------------------- */

struct local {
    struct str name;
    const struct type *type;
    uint32_t len, elem;
};
struct comp {
    struct arena *a;   /* permanent */
    struct arena *tmp; /* the tree */
    const struct expr_env *env;
    const struct expr_src *src;
    struct diags *d;
    uint32_t errors;
    struct token tok; /* parse.c */
    uint32_t pos, depth;
    struct local locals[EXPR_MAX_NEST];
    uint32_t n_locals;
    bool uses_old, uses_now;
    struct expr_ctx *ctx; /* fold.c */
    struct expr_fact *facts;
    uint32_t n_facts;
};

void lex_next(struct comp *c); /* the next token into c->tok */
struct node *parse(struct comp *c);
struct node *node_new(struct comp *c, enum node_kind kind, uint32_t start, uint32_t end,
                      uint32_t n);
const struct type *check(struct comp *c, struct node *n);
const struct type *check_call(struct comp *c, struct node *n);
const struct type *check_select(struct comp *c, struct node *n); /* names.c; N_HAS too */
const struct type *check_alone(struct comp *c, struct node *n);
void check_want(struct comp *c, struct node *n, const struct type *want);
struct node *fold(struct comp *c, struct node *n);
uint32_t cost_of(struct comp *c, struct node *n); /* saturating; fills len, elem and fails */
void fact_add(struct comp *c, const struct node *n, bool always, const char *with);
/* facts.c: equal text means equal value at one moment; false: not a term. */
bool term_text(const struct node *n, struct buf *b);
/* The condition `n`, or its negation, as an atom; false: it is none. */
bool atom_of(struct comp *c, const struct node *n, bool negate, struct atom *a);
void find_absent(struct comp *c, const struct node *n, struct expr *e); /* after cost_of */
void find_facts(struct comp *c, struct node *n, struct expr *e);        /* after cost_of */
int gen(struct comp *c, struct arena *to, struct node *n, const struct type *want,
        struct code *out);

/* Messages. Offsets are of the text. */
struct span comp_span(const struct comp *c, uint32_t start, uint32_t end);
void comp_err(struct comp *c, const char *code, uint32_t start, uint32_t end, const char *label,
              const char *note, const char *fmt, ...) BASE_PRINTF(7, 8);
void comp_err_at(struct comp *c, const char *code, struct span at, const char *label,
                 const char *note, const char *fmt, ...) BASE_PRINTF(6, 7);
const char *comp_text(struct comp *c, const struct node *n); /* its text */
const char *comp_suggest(struct comp *c, struct str word, const struct str *names, size_t n);
const char *comp_known(struct comp *c, const char *lead, const struct str *names, size_t n);

/* Types. */
static inline bool type_poison(const struct type *t)
{
    return t->kind == TYPE_ERROR;
}
const struct type *type_read(const struct type *declared); /* as expressions see it */
const struct type *type_unify(struct comp *c, const struct type *a, const struct type *b);
const char *type_text(struct comp *c, const struct type *t);
const struct type *type_list(struct comp *c, const struct type *elem, uint32_t max);
enum val_kind type_val(const struct type *t); /* the kind of its values on the stack */

/* Functions: one row an overload. */
enum fn_style { FN_GLOBAL = 1, FN_METHOD = 2, FN_BOTH = 3 };
enum fn_flag { FN_ZONE = 1 /* takes a zone too */, FN_SAME = 2 /* gives its argument */ };
struct fn {
    const char *name;
    uint8_t style, flags;
    uint8_t op;
    uint8_t field;            /* time field */
    enum type_kind arg, arg2; /* TYPE_ERROR = none */
    const struct type *result;
    uint32_t len; /* bound of a string result */
};
const struct fn *fn_rows(size_t *n);

/* ---- values at run time (lib.c) ---------------------------------------------------------------- */

/* Time fields, in the order of the names in func.c. */
enum time_field {
    TF_DATE,
    TF_DAY_OF_MONTH,
    TF_DAY_OF_WEEK,
    TF_DAY_OF_YEAR,
    TF_FULL_YEAR,
    TF_HOURS,
    TF_MILLIS,
    TF_MINUTES,
    TF_MONTH,
    TF_SECONDS,
};

double money_double_slow(int64_t fen);
static inline double money_double(int64_t fen)
{
    /* Exact operands and one division: correctly rounded. */
    if (fen > -(INT64_C(1) << 53) && fen < (INT64_C(1) << 53))
        return (double)fen / 100.0;
    return money_double_slow(fen);
}
bool value_eq(const struct val *a, const struct val *b);   /* as CEL; money is a double */
int value_order(const struct val *a, const struct val *b); /* of two scalars of one kind */
const struct val *map_find(struct val map, const struct val *key, bool sorted); /* value or NULL */
bool list_sorted(const struct val *list, uint32_t n);
void list_sort(struct val *list, uint32_t n, uint32_t step); /* step 2: pairs by key */
bool list_has_sorted(struct val list, const struct val *v);

void *scratch(struct expr_ctx *c, size_t n, size_t align); /* NULL = full */
/* Each gives NULL or what went wrong. */
const char *lib_concat(struct expr_ctx *c, struct val a, struct val b, struct val *out);
const char *lib_append(struct expr_ctx *c, struct val a, struct val b, struct val *out);
const char *lib_to_string(struct expr_ctx *c, struct val v, struct val *out);
const char *lib_yuan(struct expr_ctx *c, double d, struct val *out);
const char *lib_date(struct expr_ctx *c, struct val t, struct val *out);
const char *lib_parse_int(struct str s, int64_t *out);
const char *lib_parse_double(struct str s, double *out);
const char *lib_parse_bool(struct str s, bool *out);
const char *lib_parse_time(struct str s, struct val *out);
const char *lib_parse_duration(struct str s, int64_t *ns);
const char *lib_double_int(double d, int64_t *out);
const char *lib_time_add(struct val t, int64_t ns, struct val *out);
const char *lib_time_diff(struct val a, struct val b, int64_t *ns);
const char *lib_to_money(double d, struct val *out);
int64_t lib_time_field(enum time_field f, struct val t, const struct zone *z);
int64_t lib_duration_field(enum time_field f, int64_t ns);
bool time_in_range(struct val t);
const char *value_check(const struct type *t, struct val v); /* one_of, dates; NULL = good */

#endif
