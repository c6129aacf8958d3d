/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tags made of other tags: `value` and `levels`.  A value's type is that of its expression, so the
 * tags it reads must be typed first: the names behind `member.` are looked for in the texts, and the
 * definitions compiled in that order.  What goes round in a circle is refused.
 */
#include "rule_priv.h"

#include <stdlib.h>

enum { V_VALUE_KEY, V_PUBLIC, N_VALUE };
static const struct key_def value_keys[] = {
    [V_VALUE_KEY] = {"value", true, NULL, "expr",
                     "an expression over other tags; true or false makes it a segment",
                     "用其他标签计算；结果是真假的就是人群"},
    [V_PUBLIC] = {"public", false, NULL, "bool", "as above; true if not given",
                  "同上；不写是 true"},
};
const struct key_table value_table = {"value", value_keys, BASE_LEN(value_keys), "a `value` tag",
                                      "`value` 标签"};
enum { L_LEVELS, L_ELSE, L_KEEP, L_PUBLIC, N_LEVELS };
static const struct key_def level_keys[] = {
    [L_LEVELS] = {"levels", true, NULL, "level_list",
                  "a list `- NAME: CONDITION`, best first; a rise is immediate",
                  "`- 名字: 条件` 的列表，最高的写在最前；升级立即生效"},
    [L_ELSE] = {"else", true, NULL, "name", "the level of everybody else", "其他人的等级"},
    [L_KEEP] = {"keep", false, NULL, "keep",
                "a fall happens once the lower level has lasted so long; `forever`: never",
                "条件不再满足多久以后才降级；`forever`：从不降级"},
    [L_PUBLIC] = {"public", false, NULL, "bool", "as above; true if not given",
                  "同上；不写是 true"},
};
const struct key_table levels_table = {"levels", level_keys, BASE_LEN(level_keys), "a `levels` tag",
                                       "`levels` 标签"};
#define MAX_LEVELS 32

/* ---- what reads what ------------------------------------------------------------------------- */

struct edges { /* of the derived tags; indexes into `tags` */
    struct load *L;
    uint32_t **users; /* [tag] the derived tags that read it */
    uint32_t *n_users, *cap_users;
    uint32_t *waits; /* [tag] how many derived tags it reads that are not done */
    uint32_t from;   /* the tag whose text is scanned */
    bool only_list;  /* second scan: no edges any more */
    uint32_t *named; /* the tags that its text names, with repeats */
    uint32_t n_named, cap_named;
};

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void add_edge(struct edges *g, struct str name)
{
    uint32_t to = name_index(g->L->tag_names, g->L->p->n_tags, name);
    if (to == RULE_NONE)
        return;
    if (g->n_named == g->cap_named) {
        g->cap_named = g->cap_named ? g->cap_named * 2 : 64;
        g->named = xrealloc(g->named, g->cap_named * sizeof *g->named);
    }
    g->named[g->n_named++] = to;
    enum tag_kind k = g->L->tags[to].kind;
    if (g->only_list || (k != TAG_VALUE && k != TAG_LEVELS))
        return;
    uint32_t users =
        g->n_users[to]; /* tags are scanned one after the other: a repeat is the last */
    if (users && g->users[to][users - 1] == g->from)
        return;
    if (g->n_users[to] == g->cap_users[to]) {
        uint32_t cap = g->cap_users[to] ? g->cap_users[to] * 2 : 4;
        uint32_t *v = ARENA_ARRAY(g->L->a, uint32_t, cap);
        if (g->n_users[to])
            memcpy(v, g->users[to], g->n_users[to] * sizeof *v);
        g->users[to] = v;
        g->cap_users[to] = cap;
    }
    g->users[to][g->n_users[to]++] = g->from;
    g->waits[g->from]++;
}

static size_t skip_text(struct str s, size_t i)
{
    char quote = s.p[i++];
    while (i < s.n && s.p[i] != quote)
        i += s.p[i] == '\\' ? 2 : 1;
    return i + 1;
}

/* Every NAME of `member . NAME` outside of quotes. */
static void scan_reads(struct edges *g, struct str s)
{
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] == '\'' || s.p[i] == '"') {
            i = skip_text(s, i);
            continue;
        }
        if (!is_word_char(s.p[i])) {
            i++;
            continue;
        }
        size_t from = i;
        while (i < s.n && is_word_char(s.p[i]))
            i++;
        if (!str_eqc((struct str){s.p + from, i - from}, "member"))
            continue;
        while (i < s.n && strchr(" .\t\r\n", s.p[i]))
            i++;
        from = i;
        while (i < s.n && is_word_char(s.p[i]))
            i++;
        add_edge(g, (struct str){s.p + from, i - from});
    }
}

static void scan_tag(struct edges *g, const struct item *it)
{
    g->n_named = 0;
    const uint32_t *map;
    uint32_t base;
    const struct yaml_node *v = yaml_get(it->node, "value"), *l = yaml_get(it->node, "levels");
    if (v && v->kind == YAML_SCALAR)
        scan_reads(g, yaml_expr(v, &map, &base));
    for (uint32_t i = 0; l && l->kind == YAML_SEQUENCE && i < l->n; i++) {
        const struct yaml_node *e = l->items[i];
        for (uint32_t k = 0; e->kind == YAML_MAPPING && k < e->n; k++)
            if (e->pairs[k].value->kind == YAML_SCALAR)
                scan_reads(g, yaml_expr(e->pairs[k].value, &map, &base));
    }
}

/* ---- one tag --------------------------------------------------------------------------------- */

static void load_value(struct load *L, const struct item *it, struct tag_def *t)
{
    const struct yaml_node *k[N_VALUE];
    struct expr_env env = env_member(L);
    t->type = &type_error;
    t->public_ = true;
    read_keys(L, it->node, (struct where){"tag", it->name}, value_keys, N_VALUE, NULL, 0, k);
    read_bool(L, k[V_PUBLIC], "`public`", &t->public_);
    if (!k[V_VALUE_KEY])
        return;
    t->value = compile(L, k[V_VALUE_KEY], &env, NULL, STR("`value`"));
    if (!t->value)
        return;
    const struct type *type = expr_type(t->value);
    if (type->kind == TYPE_LIST || type->kind == TYPE_MAP || type->kind == TYPE_RECORD ||
        type->kind == TYPE_NULL) {
        diags_addf(L->d, "G012", expr_span(k[V_VALUE_KEY]), (struct str){0}, (struct str){0},
                   "a `value` tag is one value, this is %s", type_word(type));
        return;
    }
    t->type = type;
}

static void read_level(struct load *L, const struct yaml_node *n, const struct expr_env *env,
                       struct tag_def *t, struct level *v)
{
    if (n->kind != YAML_MAPPING || n->n != 1 || n->pairs[0].key.n == 0) {
        diags_addf(L->d, "G013", n->at, (struct str){0}, (struct str){0},
                   "a level is written `- NAME: CONDITION`");
        return;
    }
    const struct yaml_pair *p = &n->pairs[0];
    for (uint32_t i = 0; i < t->n_levels; i++)
        if (str_eq(v[i].name, p->key))
            diags_addf(L->d, "G013", p->key_at, (struct str){0}, (struct str){0},
                       "level `" STR_FMT "` is given twice", STR_ARG(p->key));
    v[t->n_levels++] = (struct level){p->key, compile_bool(L, p->value, env)};
}

static void load_levels(struct load *L, const struct item *it, struct tag_def *t)
{
    const struct yaml_node *k[N_LEVELS];
    struct expr_env env = env_member(L);
    struct str rest = {0}, word;
    t->type = &type_error;
    t->public_ = true;
    read_keys(L, it->node, (struct where){"tag", it->name}, level_keys, N_LEVELS, NULL, 0, k);
    read_bool(L, k[L_PUBLIC], "`public`", &t->public_);
    if (k[L_KEEP] && k[L_KEEP]->kind == YAML_SCALAR && str_eqc(k[L_KEEP]->text, "forever"))
        t->keep_ms = TIME_NEVER;
    else
        read_len(L, k[L_KEEP], "G005", "`keep`", &t->keep_ms);
    if (!k[L_LEVELS] || !k[L_ELSE] || !want_list(L, k[L_LEVELS], "`levels`") ||
        !want_text(L, k[L_ELSE], "`else`", &rest))
        return;
    uint32_t n = k[L_LEVELS]->n;
    if (n == 0 || n > MAX_LEVELS) {
        diags_addf(L->d, "G013", k[L_LEVELS]->at, (struct str){0}, (struct str){0},
                   "a tag has from 1 to 32 levels");
        return;
    }
    struct level *v = ARENA_ARRAY(L->a, struct level, n + 1);
    struct str *names = ARENA_ARRAY(L->a, struct str, n + 1);
    for (uint32_t i = 0; i < n; i++)
        read_level(L, k[L_LEVELS]->items[i], &env, t, v);
    for (uint32_t i = 0; i < t->n_levels; i++) {
        names[i] = v[i].name;
        if (str_eq(names[i], rest))
            diags_addf(L->d, "G013", k[L_ELSE]->at, (struct str){0}, (struct str){0},
                       "`else` is one of the levels");
    }
    word = rest;
    v[t->n_levels++] = (struct level){word, NULL};
    names[t->n_levels - 1] = word;
    struct type *type = ARENA_NEW(L->a, struct type);
    *type = type_string;
    type->one_of = names;
    type->n_one_of = t->n_levels;
    t->levels = v;
    t->type = type;
}

static bool reads_tag(const struct tag_def *t, uint32_t tag)
{
    if (t->value && expr_uses_tag(t->value, tag))
        return true;
    for (uint32_t i = 0; i < t->n_levels; i++)
        if (t->levels[i].when && expr_uses_tag(t->levels[i].when, tag))
            return true;
    return false;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The tags it reads, of those that its text names. */
static void find_reads(struct edges *g, const struct item *it, struct tag_def *t)
{
    g->only_list = true;
    scan_tag(g, it);
    if (g->n_named)
        qsort(g->named, g->n_named, sizeof *g->named, by_number);
    uint32_t *reads = ARENA_ARRAY(g->L->a, uint32_t, g->n_named + 1);
    for (uint32_t k = 0; k < g->n_named; k++)
        if ((k == 0 || g->named[k] != g->named[k - 1]) && reads_tag(t, g->named[k]))
            reads[t->n_reads++] = g->named[k];
    t->reads = reads;
}

static void load_one(struct edges *g, uint32_t i)
{
    struct load *L = g->L;
    const struct item *it = &L->items[SEC_TAGS].v[i];
    struct tag_def *t = &L->tags[i];
    if (L->tag_broken[i])
        return;
    size_t before = diags_errors(L->d);
    if (t->kind == TAG_VALUE)
        load_value(L, it, t);
    else
        load_levels(L, it, t);
    L->tag_broken[i] = diags_errors(L->d) > before;
    if (L->tag_broken[i])
        t->type = &type_error;
    tag_field(L, t);
    if (!L->tag_broken[i])
        find_reads(g, it, t);
}

/* ---- all, in order of dependency ------------------------------------------------------------- */

static void report_cycle(struct load *L, const struct edges *g)
{
    for (uint32_t i = 0; i < L->p->n_tags; i++) {
        if (!g->waits[i])
            continue;
        L->tag_broken[i] = true;
        diags_addf(L->d, "G014", L->items[SEC_TAGS].v[i].name_at, (struct str){0}, (struct str){0},
                   "tag `" STR_FMT "` depends on itself", STR_ARG(L->tag_names[i]));
    }
}

void load_derived(struct load *L)
{
    uint32_t n = L->p->n_tags, *order = ARENA_ARRAY(L->a, uint32_t, n + 1), done = 0, made = 0;
    struct edges g = {.L = L};
    g.users = ARENA_ARRAY(L->a, uint32_t *, n + 1);
    g.n_users = ARENA_ARRAY(L->a, uint32_t, n + 1);
    g.cap_users = ARENA_ARRAY(L->a, uint32_t, n + 1);
    g.waits = ARENA_ARRAY(L->a, uint32_t, n + 1);
#define DERIVED(t) ((t)->kind == TAG_VALUE || (t)->kind == TAG_LEVELS)
    for (g.from = 0; g.from < n; g.from++)
        if (DERIVED(&L->tags[g.from]))
            scan_tag(&g, &L->items[SEC_TAGS].v[g.from]);
    for (uint32_t i = 0; i < n; i++)
        if (DERIVED(&L->tags[i]) && !g.waits[i])
            order[made++] = i;
#undef DERIVED
    while (done < made) {
        uint32_t i = order[done++];
        load_one(&g, i);
        for (uint32_t u = 0; u < g.n_users[i]; u++)
            if (--g.waits[g.users[i][u]] == 0)
                order[made++] = g.users[i][u];
    }
    report_cycle(L, &g);
    free(g.named);
    L->p->derived = (struct index_list){order, made};
}
