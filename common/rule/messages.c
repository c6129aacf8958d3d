/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gateways and the `messages:` section.  A gateway is known by its adapter file (NAME.yaml with
 * `address: TAG`); without a directory of adapters there are two, wechat and sms.
 */
#include "rule_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { K_PARAMS, K_VIA, K_PURPOSE, K_EXPIRE, K_QUIET, N_KEYS };
static const struct key_def message_keys[] = {
    [K_PARAMS] = {"params", false, NULL, "params",
                  "what a rule must give: names (texts), or {skus: [string]} for a list",
                  "规则必须给出的参数：名字（文本），或 {skus: [string]}（列表）"},
    [K_VIA] = {"via", true, NULL, "gateways",
               "the gateways, in order: the next one is tried when one definitely failed",
               "通道，按顺序：确定失败才换下一个"},
    [K_PURPOSE] = {"purpose", false, NULL, "marketing|service|task",
                   "marketing (default); service: no quiet hours, caps, hold or holdout; task: to "
                   "staff or a system, no consent either",
                   "marketing（默认）；service：不受免打扰、频次、暂缓、对照组限制；task：发给员工"
                   "或系统，也不需要同意"},
    [K_EXPIRE] = {"expire", false, NULL, "length",
                  "worth nothing so long after it was first wanted; as in `policy` if not given",
                  "从想发起多久以后就不再发；不写则同 `policy`"},
    [K_QUIET] = {"quiet", false, NULL, "bool",
                 "true: quiet hours hold although it is a service message",
                 "true：虽是服务消息，也遵守免打扰时段"},
};
const struct key_table message_def_table = {"message_def", message_keys, BASE_LEN(message_keys),
                                            "a message", "一条消息"};
enum { B_TEMPLATE, B_TEXT, B_DATA, N_BLOCK };
static const struct key_def block_keys[] = {
    [B_TEMPLATE] = {"template", false, NULL, "text", "the template's number at the gateway",
                    "通道里的模板编号"},
    [B_TEXT] = {"text", false, NULL, "text",
                "the text, with {param}s; marketing SMS begins with 【signature】 and carries the "
                "opt-out phrase",
                "正文，可含 {参数}；营销短信以【签名】开头并写明退订方式"},
    [B_DATA] = {"data", false, NULL, "data", "the template's fields: which parameter each shows",
                "模板的字段分别显示哪个参数"},
};
const struct key_table block_table = {"block", block_keys, BASE_LEN(block_keys),
                                      "a gateway's block of a message", "消息里某个通道的写法"};

/* ---- gateways -------------------------------------------------------------------------------- */

bool is_sms(struct str gateway)
{
    return memmem(gateway.p, gateway.n, "sms", 3) != NULL;
}

uint32_t gateway_index(const struct load *L, struct str name)
{
    for (uint32_t i = 0; i < L->p->n_gateways; i++)
        if (str_eq(L->gateways[i].name, name))
            return i;
    return RULE_NONE;
}

void add_gateway(struct load *L, struct str name, struct str tag)
{
    uint32_t i = gateway_index(L, name);
    if (i == RULE_NONE && L->p->n_gateways == MAX_GATEWAYS)
        return;
    if (i == RULE_NONE)
        i = L->p->n_gateways++;
    L->gateways[i] = (struct gateway_def){.name = arena_str(L->a, name), .address_tag = RULE_NONE};
    L->l->address_tags[i] = arena_str(L->a, tag);
}

#define MAX_ADAPTERS (MAX_GATEWAYS - 6) /* six are built in */

/* The name (its file's, when it gives none) and the address of one adapter; what else it says is the
 * dispatcher's. */
static void read_adapter(struct load *L, const char *path, struct str name, uint32_t order)
{
    struct srcfile *src = ARENA_NEW(L->a, struct srcfile);
    struct err err = {0};
    *src = (struct srcfile){.name = str_c(arena_strdup(L->a, path)), .order = order};
    src->text = STR("");
    struct span at = {src, 0, 0};
    if (file_read(L->a, path, YAML_MAX_BYTES, &src->text, &err) != FILE_READ) {
        diags_addf(L->d, "S014", at, (struct str){0}, (struct str){0}, "%s", err.text);
        return;
    }
    const struct yaml_node *root;
    if (yaml_parse(L->a, src, L->d, &root))
        return;
    const struct yaml_node *own = yaml_get(root, "name");
    if (own && yaml_text(own, &name))
        at = own->at;
    if (!is_name(name)) {
        diags_addf(L->d, "S005", at,
                   STR("use lower-case letters, digits and _, beginning with a letter"),
                   (struct str){0}, "`" STR_FMT "` cannot be the name of a gateway", STR_ARG(name));
        return;
    }
    struct str tag = {0};
    yaml_text(yaml_get(root, "address"), &tag);
    add_gateway(L, name, tag);
}

static int by_string(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void bad_directory(struct load *L, const char *dir, const char *why)
{
    diags_addf(L->d, "M010", span_none(), (struct str){0}, (struct str){0},
               "the gateways' directory %s: %s", dir, why);
}

/* The *.yaml of the directory, sorted, each in the arena. */
static size_t list_adapters(struct load *L, const char *dir, char *paths[MAX_ADAPTERS])
{
    DIR *d = opendir(dir);
    size_t n = 0;
    struct dirent *e;
    if (!d) {
        bad_directory(L, dir, strerror(errno));
        return 0;
    }
    while ((e = readdir(d)) != NULL) {
        size_t len = strlen(e->d_name);
        if (e->d_name[0] == '.' || len <= 5 || strcmp(e->d_name + len - 5, ".yaml") != 0)
            continue;
        if (n == MAX_ADAPTERS) {
            bad_directory(L, dir, arena_printf(L->a, "more than %d adapters", MAX_ADAPTERS));
            break;
        }
        paths[n++] = arena_printf(L->a, "%s/%s", dir, e->d_name);
    }
    closedir(d);
    qsort(paths, n, sizeof *paths, by_string);
    return n;
}

static void read_adapters(struct load *L, const char *dir)
{
    char *paths[MAX_ADAPTERS];
    size_t n = list_adapters(L, dir, paths);
    for (size_t i = 0; i < n; i++) {
        struct str file = str_c(strrchr(paths[i], '/') + 1);
        read_adapter(L, paths[i], (struct str){file.p, file.n - 5},
                     FIRST_ADAPTER_FILE + (uint32_t)i);
    }
}

static int by_gateway(const void *a, const void *b)
{
    const struct gateway_tag *x = a, *y = b;
    return str_cmp(x->g.name, y->g.name);
}

void load_gateways(struct load *L)
{
    L->gateways = L->gateways ? L->gateways : ARENA_ARRAY(L->a, struct gateway_def, MAX_GATEWAYS);
    if (!L->l->address_tags)
        L->l->address_tags = ARENA_ARRAY(L->a, struct str, MAX_GATEWAYS);
    L->p->gateways = L->gateways;
    if (!L->bundle) { /* a bundle has given them already */
        static const char *const built_in[][2] = {{"wechat", "openid"}, {"sms", "phone"},
                                                  {"email", "email"},   {"points", ""},
                                                  {"coupon", ""},       {"staff", ""}};
        for (size_t i = 0; i < BASE_LEN(built_in); i++)
            add_gateway(L, str_c(built_in[i][0]), str_c(built_in[i][1]));
        if (L->o->gateways_dir)
            read_adapters(L, L->o->gateways_dir);
    }
    struct gateway_tag pairs[MAX_GATEWAYS];
    uint32_t n = L->p->n_gateways;
    for (uint32_t i = 0; i < n; i++)
        pairs[i] = (struct gateway_tag){L->gateways[i], L->l->address_tags[i]};
    qsort(pairs, n, sizeof *pairs, by_gateway);
    for (uint32_t i = 0; i < n; i++) {
        L->gateways[i] = pairs[i].g;
        L->l->address_tags[i] = pairs[i].tag;
    }
}

/* The tags that hold addresses; whether one is missing is said where a message uses the gateway. */
void check_gateways(struct load *L)
{
    for (uint32_t i = 0; i < L->p->n_gateways; i++) {
        uint32_t t = name_index(L->tag_names, L->p->n_tags, L->l->address_tags[i]);
        if (t != RULE_NONE && L->tags[t].kind == TAG_STORED)
            L->gateways[i].address_tag = t;
    }
}

static void check_address(struct load *L, uint32_t g, struct span at)
{
    struct str tag = L->l->address_tags[g];
    uint32_t t = L->gateways[g].address_tag;
    if (!tag.n)
        return;
    if (t != RULE_NONE && (L->tag_broken[t] || L->tags[t].type->kind == TYPE_ADDRESS))
        return;
    diags_addf(
        L->d, "M011", at,
        str_c(arena_printf(L->a, "add `" STR_FMT ": {type: address}` under `tags:`", STR_ARG(tag))),
        (struct str){0}, "gateway `" STR_FMT "` sends to tag `" STR_FMT "`, which is no address",
        STR_ARG(L->gateways[g].name), STR_ARG(tag));
}

/* ---- texts ----------------------------------------------------------------------------------- */

static uint32_t param_index(const struct message_def *m, struct str name)
{
    for (uint32_t i = 0; i < m->n_params; i++)
        if (str_eq(m->params[i], name))
            return i;
    return RULE_NONE;
}

static void bad_param(struct load *L, struct span at, struct str word, const struct message_def *m)
{
    diags_addf(L->d, "M001", at, did_you_mean(L, word, m->params, m->n_params), (struct str){0},
               "`" STR_FMT "` is not a parameter of `" STR_FMT "`", STR_ARG(word),
               STR_ARG(m->name));
}

/* Literal parts and {name}s. */
static void read_parts(struct load *L, const struct yaml_node *n, const struct message_def *m,
                       struct gateway_block *b)
{
    struct str s;
    if (!want_text(L, n, "`text`", &s))
        return;
    uint32_t cap = 1;
    for (size_t i = 0; i < s.n; i++)
        cap += s.p[i] == '{' ? 2 : 0;
    struct text_part *v = ARENA_ARRAY(L->a, struct text_part, cap);
    size_t from = 0;
    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] != '{')
            continue;
        if (i > from)
            v[b->n_text++] = (struct text_part){{s.p + from, i - from}, RULE_NONE};
        if (i == s.n)
            break;
        const char *end = memchr(s.p + i, '}', s.n - i);
        if (!end) {
            diags_addf(L->d, "M002", yaml_sub(n, i, i + 1), STR("`}` is missing"), (struct str){0},
                       "a parameter that does not end");
            return;
        }
        struct str word = {s.p + i + 1, (size_t)(end - s.p) - i - 1};
        uint32_t p = param_index(m, word);
        if (p == RULE_NONE) {
            struct str shown = str_c(arena_printf(L->a, "{" STR_FMT "}", STR_ARG(word)));
            diags_addf(L->d, "M001", yaml_sub(n, i + 1, i + 1 + word.n),
                       did_you_mean(L, word, m->params, m->n_params), (struct str){0},
                       "`" STR_FMT "` is not a parameter of `" STR_FMT "`", STR_ARG(shown),
                       STR_ARG(m->name));
        } else if (m->param_list[p]) {
            diags_addf(L->d, "M005", yaml_sub(n, i + 1, i + 1 + word.n),
                       STR("put it under `data:`"), (struct str){0},
                       "`" STR_FMT "` is a list and cannot stand in a text", STR_ARG(word));
        } else {
            v[b->n_text++] = (struct text_part){{"", 0}, p};
        }
        i = (size_t)(end - s.p);
        from = i + 1;
    }
    b->text = v;
}

static void check_sms(struct load *L, const struct yaml_node *n)
{
    static const char *const opt_out[] = {"拒收", "退订", "回复R", "回复T", "回T", "回R"};
    struct str s = n->text;
    const char *close = memmem(s.p, s.n, "】", 3);
    bool optional = false;
    if (!str_starts(s, "【") || !close || close == s.p + 3)
        diags_addf(L->d, "M003", n->at, STR("begin it like 【悦选】"), (struct str){0},
                   "marketing SMS without a signature");
    for (size_t i = 0; i < BASE_LEN(opt_out); i++)
        optional |= memmem(s.p, s.n, opt_out[i], strlen(opt_out[i])) != NULL;
    if (!optional)
        diags_addf(L->d, "M004", n->at, STR("end it like `拒收请回复R`"), (struct str){0},
                   "marketing SMS without an opt-out phrase");
}

static void read_data(struct load *L, const struct yaml_node *n, const struct message_def *m,
                      struct gateway_block *b)
{
    if (!want_map(L, n, "`data`"))
        return;
    struct str *names = ARENA_ARRAY(L->a, struct str, n->n + 1);
    uint32_t *params = ARENA_ARRAY(L->a, uint32_t, n->n + 1);
    for (uint32_t i = 0; i < n->n; i++) {
        struct str word;
        names[i] = n->pairs[i].key;
        if (!want_text(L, n->pairs[i].value, "a value of `data`", &word))
            continue;
        params[i] = param_index(m, word);
        if (params[i] == RULE_NONE)
            bad_param(L, expr_span(n->pairs[i].value), word, m);
    }
    b->data_names = names;
    b->data_params = params;
    b->n_data = n->n;
}

static void read_block(struct load *L, const struct yaml_node *n, const struct message_def *m,
                       struct gateway_block *b)
{
    const struct yaml_node *k[N_BLOCK];
    struct str gateway = L->gateways[b->gateway].name;
    if (!read_keys(L, n, (struct where){"block", gateway}, block_keys, N_BLOCK, NULL, 0, k))
        return;
    if (k[B_TEMPLATE])
        want_text(L, k[B_TEMPLATE], "`template`", &b->template);
    if (k[B_DATA])
        read_data(L, k[B_DATA], m, b);
    if (!k[B_TEXT])
        return;
    read_parts(L, k[B_TEXT], m, b);
    if (k[B_TEXT]->kind == YAML_SCALAR && m->purpose == PURPOSE_MARKETING && is_sms(gateway))
        check_sms(L, k[B_TEXT]);
}

/* ---- one message ----------------------------------------------------------------------------- */

static bool add_param(struct load *L, struct message_def *m, struct str *names, struct str word,
                      struct span at)
{
    if (!is_name(word) || param_index(m, word) != RULE_NONE) {
        diags_addf(L->d, "M006", at, (struct str){0}, (struct str){0},
                   is_name(word) ? "parameter `" STR_FMT "` is given twice"
                                 : "`" STR_FMT "` cannot be the name of a parameter",
                   STR_ARG(word));
        return false;
    }
    names[m->n_params++] = word;
    return true;
}

/* [name, title] or {name: string, skus: [string]}. */
static void read_params(struct load *L, const struct yaml_node *n, struct message_def *m)
{
    struct str *names = ARENA_ARRAY(L->a, struct str, n->n + 1);
    bool *list = ARENA_ARRAY(L->a, bool, n->n + 1);
    m->params = names;
    m->param_list = list;
    if (n->kind == YAML_SCALAR) {
        want_list(L, n, "`params`");
        return;
    }
    for (uint32_t i = 0; i < n->n; i++) {
        struct str word;
        struct field_type ft = {0};
        if (n->kind == YAML_SEQUENCE) {
            if (want_text(L, n->items[i], "a parameter", &word))
                add_param(L, m, names, word, n->items[i]->at);
            continue;
        }
        const struct yaml_pair *p = &n->pairs[i];
        if (!read_type(L, p->value, "a parameter's type", &ft) ||
            !add_param(L, m, names, p->key, p->key_at))
            continue;
        list[m->n_params - 1] = ft.type->kind == TYPE_LIST;
        const struct type *t = ft.type->kind == TYPE_LIST ? ft.type->elem : ft.type;
        if (t->kind != TYPE_STRING || ft.optional)
            diags_addf(L->d, "M006", p->value->at, STR("string or [string]"), (struct str){0},
                       "a parameter is a string or a list of strings");
    }
}

static void read_via(struct load *L, const struct yaml_node *n, struct message_def *m,
                     struct gateway_block *via)
{
    const struct yaml_node *const *items, *one;
    uint32_t count = as_list(n, &items, &one);
    struct str names[MAX_GATEWAYS];
    for (uint32_t i = 0; i < L->p->n_gateways; i++)
        names[i] = L->gateways[i].name;
    if (count == 0 || count > MAX_GATEWAYS)
        diags_addf(L->d, "M007", n->at, (struct str){0}, (struct str){0},
                   "`via` names the gateways, in order");
    for (uint32_t i = 0; i < count && i < MAX_GATEWAYS; i++) {
        struct str word;
        if (!want_text(L, items[i], "a gateway", &word))
            continue;
        uint32_t g = gateway_index(L, word);
        bool twice = false;
        for (uint32_t k = 0; k < m->n_via; k++)
            twice |= via[k].gateway == g;
        if (g == RULE_NONE) {
            unknown(L, "M008", items[i]->at, "gateway", word, names, L->p->n_gateways, "gateways");
        } else if (twice) {
            diags_addf(L->d, "M007", items[i]->at, (struct str){0}, (struct str){0},
                       "gateway `" STR_FMT "` is given twice", STR_ARG(word));
        } else {
            check_address(L, g, items[i]->at);
            via[m->n_via++].gateway = g;
        }
    }
}

static void load_message(struct load *L, const struct item *it, struct message_def *m)
{
    const struct yaml_node *k[N_KEYS];
    struct str blocks[MAX_GATEWAYS];
    for (uint32_t i = 0; i < L->p->n_gateways; i++)
        blocks[i] = L->gateways[i].name;
    read_keys(L, it->node, (struct where){"message", it->name}, message_keys, N_KEYS, blocks,
              L->p->n_gateways, k);
    uint32_t n_via = k[K_VIA] && k[K_VIA]->kind == YAML_SEQUENCE ? k[K_VIA]->n : 1;
    struct gateway_block *via = ARENA_ARRAY(L->a, struct gateway_block, n_via + 1);
    m->via = via;
    m->expire_ms = L->p->policy.expire_ms;
    read_len(L, k[K_EXPIRE], "M009", "`expire`", &m->expire_ms);
    int purpose = read_word(L, k[K_PURPOSE], "`purpose`", message_keys[K_PURPOSE].type);
    m->purpose = purpose < 0 ? PURPOSE_MARKETING : (enum purpose)purpose;
    m->quiet = m->purpose == PURPOSE_MARKETING;
    bool quiet = m->quiet;
    if (read_bool(L, k[K_QUIET], "`quiet`", &quiet) && m->quiet && !quiet)
        diags_addf(L->d, "M012", k[K_QUIET]->at, STR("`purpose: service` has none"),
                   (struct str){0}, "marketing keeps quiet hours");
    m->quiet |= quiet;
    if (k[K_PARAMS])
        read_params(L, k[K_PARAMS], m);
    if (k[K_VIA])
        read_via(L, k[K_VIA], m, via);
    for (uint32_t i = 0; it->node->kind == YAML_MAPPING && i < it->node->n; i++) {
        uint32_t g = gateway_index(L, it->node->pairs[i].key), v = 0;
        while (v < m->n_via && via[v].gateway != g)
            v++;
        if (g != RULE_NONE && v < m->n_via)
            read_block(L, it->node->pairs[i].value, m, &via[v]);
        else if (g != RULE_NONE)
            diags_addf(L->d, "M013", it->node->pairs[i].key_at, STR("add it to `via:`"),
                       (struct str){0}, "message `" STR_FMT "` never goes this way",
                       STR_ARG(it->name));
    }
}

uint32_t message_index(const struct load *L, struct str name)
{
    return name_index(L->message_names, L->p->n_messages, name);
}

void load_messages(struct load *L)
{
    const struct items *t = &L->items[SEC_MESSAGES];
    struct str *names = ARENA_ARRAY(L->a, struct str, t->n + 1);
    L->messages = ARENA_ARRAY(L->a, struct message_def, t->n + 1);
    L->message_broken = ARENA_ARRAY(L->a, bool, t->n + 1);
    for (uint32_t i = 0; i < t->n; i++)
        names[i] = t->v[i].name;
    L->message_names = names;
    L->p->messages = L->messages;
    L->p->n_messages = t->n;
    for (uint32_t i = 0; i < t->n; i++) {
        struct message_def *m = &L->messages[i];
        *m = (struct message_def){.name = names[i], .index = i};
        size_t before = diags_errors(L->d);
        load_message(L, &t->v[i], m);
        L->message_broken[i] = diags_errors(L->d) > before;
    }
}
