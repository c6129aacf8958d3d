/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a scalar to a compiled expression.  Expressions are compiled where they stand in the file, so
 * that a place in the expression is a place in the file; what YAML may have done to the text before
 * is caught here.
 */
#include "rule_priv.h"

struct span expr_span(const struct yaml_node *n)
{
    struct span s = n->at;
    if ((n->style == YAML_SINGLE || n->style == YAML_DOUBLE) && s.end > s.start + 2) {
        s.start++;
        s.end--;
    }
    return s;
}

/* Folding turns line ends into spaces: a `//` comment would swallow the next line, and a text of
 * several lines would change. */
static bool folds_badly(const struct yaml_node *n)
{
    if (n->style != YAML_PLAIN && n->style != YAML_FOLDED)
        return false;
    struct str raw = {n->at.file->text.p + n->at.start, n->at.end - n->at.start};
    if (!raw.n || !memchr(raw.p, '\n', raw.n))
        return false;
    char quote = 0;
    for (size_t i = 0; i + 1 < raw.n; i++) {
        char c = raw.p[i];
        if (quote) {
            if (c == '\\')
                i++;
            else if (c == quote)
                quote = 0;
        } else if (c == '/' && raw.p[i + 1] == '/') {
            return true;
        } else if (c == '\'' || c == '"') {
            if (i + 2 < raw.n && raw.p[i + 1] == c && raw.p[i + 2] == c)
                return true;
            quote = c;
        }
    }
    return false;
}

/* `t: 'gold'` inside { }: YAML has eaten the quotes, and a bare word is left. */
static bool lost_quotes(struct load *L, const struct yaml_node *n)
{
    static const char *const variables[] = {"event", "next", "member", "old",  "now",
                                            "tz",    "true", "false",  "null", NULL};
    if (n->style != YAML_SINGLE && n->style != YAML_DOUBLE)
        return false;
    if (name_index(L->table_names, L->p->n_tables, n->text) != RULE_NONE)
        return false;
    for (size_t i = 0; variables[i]; i++)
        if (str_eqc(n->text, variables[i]))
            return false;
    for (size_t i = 0; i < n->text.n; i++) {
        char c = n->text.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (uint8_t)c >= 0x80 ||
              (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return n->text.n > 0;
}

static bool usable(struct load *L, const struct yaml_node *n)
{
    struct str s;
    struct span hash;
    if (!want_text(L, n, "an expression", &s))
        return false;
    if (yaml_cut_by_comment(n, &hash)) {
        diags_addf(L->d, "Y017", hash, STR("put the whole expression in quotes"), (struct str){0},
                   "` #` begins a comment, so the expression ends here");
        return false;
    }
    if (folds_badly(n)) {
        diags_addf(L->d, "Y018", n->at, STR("write it after `|`"), (struct str){0},
                   "a comment or a text of several lines does not survive YAML's folding");
        return false;
    }
    if (lost_quotes(L, n)) {
        diags_addf(L->d, "Y019", n->at,
                   str_c(arena_printf(L->a, "for a text write \"'" STR_FMT "'\"", STR_ARG(s))),
                   (struct str){0},
                   "these quotes belong to YAML, what is left is the name `" STR_FMT "`",
                   STR_ARG(s));
        return false;
    }
    return true;
}

static void keep_expr(struct load *L, const struct expr *e)
{
    if (L->n_exprs == L->cap_exprs) {
        uint32_t cap = L->cap_exprs ? L->cap_exprs * 2 : 256;
        const struct expr **v = ARENA_ARRAY(L->a, const struct expr *, cap);
        if (L->n_exprs)
            memcpy(v, L->exprs, L->n_exprs * sizeof *v);
        L->exprs = v;
        L->cap_exprs = cap;
    }
    L->exprs[L->n_exprs++] = e;
}

const struct expr *compile(struct load *L, const struct yaml_node *n, const struct expr_env *env,
                           const struct type *want, struct str what)
{
    if (!usable(L, n))
        return NULL;
    struct expr_src src = {.file = n->at.file, .what = what};
    src.text = yaml_expr(n, &src.map, &src.base);
    const struct expr *e = NULL;
    if (expr_compile(L->a, env, &src, want, L->d, &e) != 0)
        return NULL;
    if (!L->bundle)
        keep_expr(L, e);
    return e;
}

const struct expr *compile_bool(struct load *L, const struct yaml_node *n,
                                const struct expr_env *env)
{
    return compile(L, n, env, &type_bool, STR("a condition"));
}

/* A zone that an expression names. Files read tzdata; a bundle brings what its expressions need. */
static const struct zone *find_zone(void *arg, struct str name)
{
    struct load *L = arg;
    struct loaded *l = L->l;
    for (uint32_t i = 0; i < l->n_zones; i++)
        if (str_eq(zone_name(l->zones[i]), name))
            return l->zones[i];
    struct err err = {0};
    const struct zone *z = L->bundle ? NULL : zone_load(L->a, L->o->zone_dir, name, &err);
    if (z)
        zones_add(L, z);
    return z;
}

void zones_add(struct load *L, const struct zone *z)
{
    struct loaded *l = L->l;
    const struct zone **v = ARENA_ARRAY(L->a, const struct zone *, l->n_zones + 1);
    if (l->n_zones)
        memcpy(v, l->zones, l->n_zones * sizeof *v);
    v[l->n_zones++] = z;
    l->zones = v;
}

struct expr_env env_event(struct load *L, uint32_t event)
{
    const struct event_def *e = L->events[event];
    return (struct expr_env){
        .event = e->fields,
        .event_name = e->name,
        .no_member = STR("this is worked out from the event alone"),
        .no_next = STR("this is worked out from the event alone"),
        .no_old = STR("this is worked out from the event alone"),
        .no_now = STR("this is worked out from the event alone; `event.time` is when it happened"),
        .tables = L->p->tables,
        .n_tables = L->p->n_tables,
        .zone = find_zone,
        .zone_arg = L,
    };
}

struct expr_env env_member(struct load *L)
{
    return (struct expr_env){
        .member = L->p->member,
        .now = true,
        .no_event = STR("only the member is known here"),
        .no_next = STR("only the member is known here"),
        .no_old = STR("only the member's present tags are known here"),
        .tables = L->p->tables,
        .n_tables = L->p->n_tables,
        .zone = find_zone,
        .zone_arg = L,
    };
}
