/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse: tokens -> tree, by a precedence table.  `&&` and `||` become one node with all their
 * operands, so a long condition is not a deep one.  The first syntax error ends the parse: what
 * follows it would be guesswork.  NULL from any function here = reported.
 */
#include "expr_priv.h"

static const struct binary {
    uint8_t tok, prec, kind;
} binaries[] = {
    {T_OR, 1, N_OR},       {T_AND, 2, N_AND},       {T_LT, 3, N_CMP},      {T_LE, 3, N_CMP},
    {T_GT, 3, N_CMP},      {T_GE, 3, N_CMP},        {T_EQ, 3, N_CMP},      {T_NE, 3, N_CMP},
    {T_IN, 3, N_IN},       {T_PLUS, 4, N_ARITH},    {T_MINUS, 4, N_ARITH}, {T_STAR, 5, N_ARITH},
    {T_SLASH, 5, N_ARITH}, {T_PERCENT, 5, N_ARITH},
};

static const char *const reserved[] = {
    "as",  "break", "const",   "continue",  "else", "false",  "for",  "function", "if",   "import",
    "let", "loop",  "package", "namespace", "null", "return", "true", "var",      "void", "while",
};

static struct node *parse_expr(struct comp *c);

struct node *node_new(struct comp *c, enum node_kind kind, uint32_t start, uint32_t end, uint32_t n)
{
    struct node *node = ARENA_NEW(c->tmp, struct node);
    node->kind = (uint8_t)kind;
    node->start = start;
    node->end = end;
    node->op_start = start;
    node->op_end = end;
    node->n = n;
    node->height = 1;
    node->type = &type_error;
    node->kids = n ? ARENA_ARRAY(c->tmp, struct node *, n) : NULL;
    return node;
}

static struct node *too_deep(struct comp *c, uint32_t start, uint32_t end)
{
    comp_err(c, "X003", start, end, NULL, NULL, "nested deeper than %d", EXPR_MAX_DEPTH);
    return NULL;
}

/* Kids are in place: heights. */
static struct node *closed(struct comp *c, struct node *n)
{
    for (uint32_t i = 0; i < n->n; i++) {
        if (!n->kids[i])
            return NULL;
        if (n->kids[i]->height >= n->height)
            n->height = (uint16_t)(n->kids[i]->height + 1);
    }
    return n->height > EXPR_MAX_DEPTH ? too_deep(c, n->op_start, n->op_end) : n;
}

static const char *token_text(struct comp *c)
{
    if (c->tok.t == T_END)
        return "the end";
    return arena_printf(c->tmp, "`%.*s`", (int)(c->tok.end - c->tok.start),
                        c->src->text.p + c->tok.start);
}

static struct node *unexpected(struct comp *c, const char *wanted)
{
    static const char *const words[][2] = {
        {"and", "write `&&`"}, {"or", "write `||`"},
        {"AND", "write `&&`"}, {"OR", "write `||`"},
        {"is", "write `==`"},  {"not", "write `!`"},
        {"then", NULL},        {"contains", "write `x.contains(y)`"},
    };
    const char *label = NULL;
    for (size_t i = 0; i < BASE_LEN(words) && c->tok.t == T_IDENT; i++)
        if (str_eqc(c->tok.s, words[i][0]))
            label = words[i][1];
    uint32_t at = c->tok.start;
    const char *p = c->src->text.p;
    if (c->tok.t == T_COMMA && at && at + 1 < c->src->text.n && p[at - 1] >= '0' &&
        p[at - 1] <= '9' && p[at + 1] >= '0' && p[at + 1] <= '9')
        label = "a decimal point is written `.`";
    if (c->tok.t != T_BAD)
        comp_err(c, "X001", c->tok.start, c->tok.end, label, NULL, "expected %s, found %s", wanted,
                 token_text(c));
    c->tok.t = T_BAD;
    return NULL;
}

static bool expect(struct comp *c, enum tok t, const char *wanted)
{
    if (c->tok.t != t) {
        (void)unexpected(c, wanted);
        return false;
    }
    lex_next(c);
    return true;
}

static struct node *refuse(struct comp *c, uint32_t start, uint32_t end, const char *what,
                           const char *label)
{
    comp_err(c, "X011", start, end, label, NULL, "%s not part of this language", what);
    c->tok.t = T_BAD;
    return NULL;
}

/* ---- lists of nodes ---- */

struct nodes {
    struct node **v;
    uint32_t n, cap;
};

static void nodes_add(struct comp *c, struct nodes *l, struct node *n)
{
    if (l->n == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 4;
        struct node **v = ARENA_ARRAY(c->tmp, struct node *, cap);
        if (l->n)
            memcpy(v, l->v, l->n * sizeof *v);
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = n;
}

static struct node *nodes_close(struct comp *c, struct nodes *l, enum node_kind kind,
                                uint32_t start, uint32_t end)
{
    struct node *n = node_new(c, kind, start, end, 0);
    n->kids = l->v;
    n->n = l->n;
    return closed(c, n);
}

/* Expressions up to `stop`, which stays; a comma may stand behind the last if `trailing`. */
static bool parse_items(struct comp *c, enum tok stop, bool trailing, struct nodes *out)
{
    while (c->tok.t != stop) {
        if (c->tok.t == T_QUESTION)
            return refuse(c, c->tok.start, c->tok.end, "optional elements are", NULL) != NULL;
        struct node *n = parse_expr(c);
        if (!n)
            return false;
        nodes_add(c, out, n);
        if (c->tok.t != T_COMMA)
            break;
        lex_next(c);
        if (c->tok.t == stop && !trailing)
            return unexpected(c, "an argument") != NULL;
    }
    return true;
}

static struct node *parse_list(struct comp *c)
{
    struct nodes items = {0};
    uint32_t start = c->tok.start;
    lex_next(c);
    if (!parse_items(c, T_RBRACKET, true, &items))
        return NULL;
    uint32_t end = c->tok.end;
    if (!expect(c, T_RBRACKET, "`,` or `]`"))
        return NULL;
    return nodes_close(c, &items, N_LIST, start, end);
}

static struct node *parse_map(struct comp *c)
{
    struct nodes items = {0};
    uint32_t start = c->tok.start, end;
    lex_next(c);
    while (c->tok.t != T_RBRACE) {
        if (c->tok.t == T_QUESTION)
            return refuse(c, c->tok.start, c->tok.end, "optional entries are", NULL);
        struct node *key = parse_expr(c);
        if (!key || !expect(c, T_COLON, "`:`"))
            return NULL;
        struct node *value = parse_expr(c);
        if (!value)
            return NULL;
        nodes_add(c, &items, key);
        nodes_add(c, &items, value);
        if (c->tok.t != T_COMMA)
            break;
        lex_next(c);
    }
    end = c->tok.end;
    if (!expect(c, T_RBRACE, "`,` or `}`"))
        return NULL;
    return nodes_close(c, &items, N_MAP, start, end);
}

/* ---- primaries ---- */

static struct node *constant(struct comp *c, const struct type *type, struct val v)
{
    struct node *n = node_new(c, N_CONST, c->tok.start, c->tok.end, 0);
    n->type = type;
    n->val = v;
    lex_next(c);
    return n;
}

static struct node *bad_constant(struct comp *c, const char *what, const char *label)
{
    comp_err(c, "X011", c->tok.start, c->tok.end, label, NULL, "%s not part of this language",
             what);
    struct node *n = node_new(c, N_BAD, c->tok.start, c->tok.end, 0);
    lex_next(c);
    return n;
}

static struct node *parse_int(struct comp *c, bool negative, uint32_t start)
{
    uint64_t most = (uint64_t)INT64_MAX + negative;
    if (c->tok.u > most) {
        comp_err(c, "X002", start, c->tok.end, NULL, NULL,
                 "a number that does not fit into 64 bits");
        c->tok.t = T_BAD;
        return NULL;
    }
    int64_t v = negative ? (int64_t)(0 - c->tok.u) : (int64_t)c->tok.u;
    struct node *n = constant(c, &type_int, val_int(v));
    n->start = n->op_start = start;
    return n;
}

/* Behind `(`: arguments, with the receiver (NULL = none) in front. */
static struct node *parse_call(struct comp *c, struct node *receiver, struct token name)
{
    struct nodes args = {0};
    if (receiver)
        nodes_add(c, &args, receiver);
    lex_next(c);
    if (!parse_items(c, T_RPAREN, false, &args))
        return NULL;
    uint32_t end = c->tok.end;
    if (!expect(c, T_RPAREN, "`,` or `)`"))
        return NULL;
    struct node *n = nodes_close(c, &args, N_CALL, receiver ? receiver->start : name.start, end);
    if (!n)
        return NULL;
    n->method = receiver != NULL;
    n->name = name.s;
    n->op_start = name.start;
    n->op_end = name.end;
    return n;
}

static struct node *parse_ident(struct comp *c)
{
    struct token name = c->tok;
    if (str_eqc(name.s, "true") || str_eqc(name.s, "false"))
        return constant(c, &type_bool, val_bool(str_eqc(name.s, "true")));
    if (str_eqc(name.s, "null"))
        return constant(c, &type_null, (struct val){.t = V_NULL});
    for (size_t i = 0; i < BASE_LEN(reserved); i++)
        if (str_eqc(name.s, reserved[i])) {
            comp_err(c, "X011", name.start, name.end, NULL, NULL, "`%s` is a reserved word",
                     reserved[i]);
            c->tok.t = T_BAD;
            return NULL;
        }
    lex_next(c);
    if (c->tok.t == T_LPAREN)
        return parse_call(c, NULL, name);
    if (c->tok.t == T_LBRACE)
        return refuse(c, name.start, c->tok.end, "building messages is", NULL);
    struct node *n = node_new(c, N_IDENT, name.start, name.end, 0);
    n->name = name.s;
    return n;
}

static struct node *parse_paren(struct comp *c)
{
    uint32_t start = c->tok.start;
    lex_next(c);
    struct node *n = parse_expr(c);
    uint32_t end = c->tok.end;
    if (!n || !expect(c, T_RPAREN, "`)`"))
        return NULL;
    n->start = start;
    n->end = end;
    return n;
}

static struct node *parse_primary(struct comp *c)
{
    /* Only what can begin an expression; everything else is a surprise. */
    if (c->tok.t == T_IDENT)
        return parse_ident(c);
    if (c->tok.t == T_LPAREN)
        return parse_paren(c);
    if (c->tok.t == T_LBRACKET)
        return parse_list(c);
    if (c->tok.t == T_LBRACE)
        return parse_map(c);
    if (c->tok.t == T_STRING)
        return constant(c, &type_string, val_str(c->tok.s));
    if (c->tok.t == T_INT)
        return parse_int(c, false, c->tok.start);
    if (c->tok.t == T_DOUBLE)
        return constant(c, &type_double, val_double(c->tok.d));
    if (c->tok.t == T_UINT)
        return bad_constant(c, "`uint` is", "write it without `u`");
    if (c->tok.t == T_BYTES)
        return bad_constant(c, "`bytes` are", "write it without `b`");
    if (c->tok.t == T_DOT)
        return refuse(c, c->tok.start, c->tok.end, "a leading dot is", NULL);
    return unexpected(c, "a value");
}

static struct node *parse_select(struct comp *c, struct node *of)
{
    lex_next(c);
    if (c->tok.t == T_QUESTION)
        return refuse(c, c->tok.start, c->tok.end, "optional selection is", "write has(…)");
    if (c->tok.t == T_IN) /* `in` is a word, not a name, but a fine name of a field */
        c->tok.t = T_IDENT;
    if (c->tok.t != T_IDENT && c->tok.t != T_QUOTED)
        return unexpected(c, "a name behind `.`");
    struct token name = c->tok;
    lex_next(c);
    if (c->tok.t == T_LPAREN && name.t == T_IDENT)
        return parse_call(c, of, name);
    struct node *n = node_new(c, N_SELECT, of->start, name.end, 1);
    n->kids[0] = of;
    n->name = name.s;
    n->op_start = name.start;
    n->op_end = name.end;
    return closed(c, n);
}

static struct node *parse_index(struct comp *c, struct node *of)
{
    uint32_t open = c->tok.start;
    lex_next(c);
    if (c->tok.t == T_QUESTION)
        return refuse(c, c->tok.start, c->tok.end, "optional selection is", "write has(…)");
    struct node *key = parse_expr(c);
    uint32_t end = c->tok.end;
    if (!key || !expect(c, T_RBRACKET, "`]`"))
        return NULL;
    struct node *n = node_new(c, N_INDEX, of->start, end, 2);
    n->kids[0] = of;
    n->kids[1] = key;
    n->op_start = open;
    n->op_end = end;
    return closed(c, n);
}

static struct node *parse_member(struct comp *c)
{
    struct node *n = parse_primary(c);
    while (n && (c->tok.t == T_DOT || c->tok.t == T_LBRACKET))
        n = c->tok.t == T_DOT ? parse_select(c, n) : parse_index(c, n);
    return n;
}

static struct node *parse_unary(struct comp *c)
{
    if (c->tok.t != T_NOT && c->tok.t != T_MINUS)
        return parse_member(c);
    struct token op = c->tok;
    struct node *kid = NULL;
    lex_next(c);
    if (op.t == T_MINUS && c->tok.t == T_INT)
        return parse_int(c, true, op.start); /* -9223372036854775808 is a literal */
    if (++c->depth > EXPR_MAX_DEPTH)
        (void)too_deep(c, op.start, op.end);
    else
        kid = parse_unary(c);
    c->depth--;
    if (!kid)
        return NULL;
    struct node *n = node_new(c, op.t == T_NOT ? N_NOT : N_NEG, op.start, kid->end, 1);
    n->kids[0] = kid;
    n->op_end = op.end;
    return closed(c, n);
}

/* ---- operators ---- */

static const struct binary *binary_of(enum tok t)
{
    for (size_t i = 0; i < BASE_LEN(binaries); i++)
        if (binaries[i].tok == t)
            return &binaries[i];
    return NULL;
}

static struct node *parse_binary(struct comp *c, int least);

static struct node *parse_chain(struct comp *c, struct node *left, const struct binary *b)
{
    struct nodes all = {0};
    nodes_add(c, &all, left);
    while (c->tok.t == (enum tok)b->tok) {
        lex_next(c);
        struct node *n = parse_binary(c, b->prec + 1);
        if (!n)
            return NULL;
        nodes_add(c, &all, n);
    }
    struct node *n =
        nodes_close(c, &all, (enum node_kind)b->kind, left->start, all.v[all.n - 1]->end);
    if (n)
        n->op = b->tok;
    return n;
}

static struct node *parse_binary(struct comp *c, int least)
{
    struct node *left = parse_unary(c);
    const struct binary *b;
    while (left && (b = binary_of(c->tok.t)) != NULL && b->prec >= least) {
        if (b->kind == N_AND || b->kind == N_OR) {
            left = parse_chain(c, left, b);
            continue;
        }
        struct token op = c->tok;
        lex_next(c);
        struct node *right = parse_binary(c, b->prec + 1);
        if (!right)
            return NULL;
        struct node *n = node_new(c, (enum node_kind)b->kind, left->start, right->end, 2);
        n->op = b->tok;
        n->op_start = op.start;
        n->op_end = op.end;
        n->kids[0] = left;
        n->kids[1] = right;
        left = closed(c, n);
    }
    return left;
}

static struct node *parse_cond(struct comp *c)
{
    struct node *cond = parse_binary(c, 1);
    if (!cond || c->tok.t != T_QUESTION)
        return cond;
    struct token op = c->tok;
    lex_next(c);
    struct node *yes = parse_binary(c, 1);
    if (!yes || !expect(c, T_COLON, "`:` of `… ? … : …`"))
        return NULL;
    struct node *no = parse_expr(c);
    if (!no)
        return NULL;
    struct node *n = node_new(c, N_COND, cond->start, no->end, 3);
    n->op_start = op.start;
    n->op_end = op.end;
    n->kids[0] = cond;
    n->kids[1] = yes;
    n->kids[2] = no;
    return closed(c, n);
}

static struct node *parse_expr(struct comp *c)
{
    struct node *n = NULL;
    if (++c->depth > EXPR_MAX_DEPTH)
        (void)too_deep(c, c->tok.start, c->tok.end);
    else
        n = parse_cond(c);
    c->depth--;
    return n;
}

struct node *parse(struct comp *c)
{
    lex_next(c);
    if (c->tok.t == T_END) {
        comp_err(c, "X001", 0, (uint32_t)c->src->text.n, NULL, NULL, "the expression is empty");
        return NULL;
    }
    struct node *n = parse_expr(c);
    if (n && c->tok.t != T_END)
        return unexpected(c, "an operator or the end");
    return n;
}
