/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adapter: a gateway as data.  One YAML file a gateway (format: README.md), read key by key from a
 * table; what is not in the table is refused with a suggestion, what belongs to a later version is
 * refused as such: an adapter that is half understood would send half the truth.
 *
 * Checked here, because at send time it would be too late: a catch-all at the end of `classify`, no
 * rule that says ok without a byte sent, no secret in the address, no retry of what may have arrived
 * at a receiver that cannot tell a repeat.
 */
#include "webhook_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ALLOW 32
#define MAX_FILE (256 << 10)

typedef void key_fn(struct adapter_load *l, const struct yaml_node *v);
struct key {
    const char *name;
    key_fn *fn; /* NULL = belongs to a later version */
};

void adapter_bad(struct adapter_load *l, const char *code, const struct yaml_node *at,
                 const char *text)
{
    diags_addf(l->d, code, at->at, STR(""), STR(""), "%s", text);
}

static void unknown_key(struct adapter_load *l, const struct yaml_pair *p, const char *where,
                        const struct key *keys, size_t n)
{
    struct str names[32], near;
    char label[96] = "";
    for (size_t i = 0; i < n; i++)
        names[i] = str_c(keys[i].name);
    near = suggest(p->key, names, n);
    if (near.n)
        (void)snprintf(label, sizeof label, "did you mean `" STR_FMT "`?", STR_ARG(near));
    diags_addf(l->d, "A001", p->key_at, str_c(label), STR(""), "unknown key `" STR_FMT "` in %s",
               STR_ARG(p->key), where);
}

static void read_keys(struct adapter_load *l, const struct yaml_node *map, const char *where,
                      const struct key *keys, size_t n)
{
    if (map->kind != YAML_MAPPING) {
        diags_addf(l->d, "A002", map->at, STR(""), STR(""), "%s must be a mapping", where);
        return;
    }
    for (uint32_t i = 0; i < map->n; i++) {
        const struct yaml_pair *p = &map->pairs[i];
        const struct key *k = NULL;
        for (size_t j = 0; j < n && !k; j++)
            k = str_eqc(p->key, keys[j].name) ? &keys[j] : NULL;
        if (!k)
            unknown_key(l, p, where, keys, n);
        else if (!k->fn)
            diags_addf(l->d, "A003", p->key_at, STR(""), STR(""), "`%s` of %s is not built yet",
                       k->name, where);
        else
            k->fn(l, p->value);
    }
}

/* ---- scalars ------------------------------------------------------------------------------------- */

static struct str text_of(struct adapter_load *l, const struct yaml_node *v, const char *what)
{
    struct str s;
    if (yaml_text(v, &s) && s.n)
        return s;
    diags_addf(l->d, "A004", v->at, STR(""), STR(""), "%s must be a text", what);
    return STR("");
}

static bool bool_of(struct adapter_load *l, const struct yaml_node *v, bool *out)
{
    if (yaml_bool(v, out))
        return true;
    adapter_bad(l, "A004", v, "must be true or false");
    return false;
}

bool adapter_length(struct adapter_load *l, const struct yaml_node *v, int64_t most, int64_t *out)
{
    struct str s;
    int64_t ms;
    if (yaml_text(v, &s) && !time_len(s, &ms) && ms > 0 && ms <= most) {
        *out = ms;
        return true;
    }
    diags_addf(l->d, "A004", v->at, STR(""), STR("lengths are written 5s, 10m, 2h, 1d"),
               "must be a length of at most %lld s", (long long)(most / 1000));
    return false;
}

static bool is_name(struct str s)
{
    if (!s.n || s.n > 64 || s.p[0] < 'a' || s.p[0] > 'z')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

static struct str name_of(struct adapter_load *l, const struct yaml_node *v, const char *what)
{
    struct str s = text_of(l, v, what);
    if (s.n && !is_name(s)) {
        adapter_bad(l, "A004", v, "names are lower case letters, digits and _, a letter first");
        return STR("");
    }
    return s;
}

static void key_name(struct adapter_load *l, const struct yaml_node *v)
{
    l->a->name = name_of(l, v, "`name`");
}

static void key_address(struct adapter_load *l, const struct yaml_node *v)
{
    l->a->address = name_of(l, v, "`address`");
}

static void key_kind(struct adapter_load *l, const struct yaml_node *v)
{
    struct str s = text_of(l, v, "`kind`");
    if (s.n && !str_eqc(s, "standard_webhook"))
        diags_addf(l->d, "A003", v->at, STR(""), STR("the only kind yet is standard_webhook"),
                   "kind `" STR_FMT "` is not built yet", STR_ARG(s));
}

static void key_secret(struct adapter_load *l, const struct yaml_node *v)
{
    l->a->secret_file = text_of(l, v, "`secret_file`");
}

static void key_plain(struct adapter_load *l, const struct yaml_node *v)
{
    (void)bool_of(l, v, &l->a->plain_http);
}

static void key_idempotent(struct adapter_load *l, const struct yaml_node *v)
{
    (void)bool_of(l, v, &l->a->idempotent);
}

static void key_accept(struct adapter_load *l, const struct yaml_node *v)
{
    (void)bool_of(l, v, &l->a->accept_duplicates);
}

/* ---- the address --------------------------------------------------------------------------------- */

static void check_url(struct adapter_load *l, const struct yaml_node *v, struct str url)
{
    struct str rest;
    if (str_starts(url, "https://"))
        rest = (struct str){url.p + 8, url.n - 8};
    else if (str_starts(url, "http://"))
        rest = (struct str){url.p + 7, url.n - 7};
    else {
        adapter_bad(l, "A005", v,
                    "`url` must begin with https:// (or http://, or be a path under the base)");
        return;
    }
    const char *end = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
    size_t host = end ? (size_t)(end - rest.p) : rest.n;
    if (!host)
        adapter_bad(l, "A005", v, "`url` has no host");
    else if (memchr(rest.p, '@', host) || memchr(rest.p, '?', rest.n))
        adapter_bad(l, "A005", v,
                    "`url` may not hold a user, password or query: they would be logged");
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= ' ' || (unsigned char)url.p[i] >= 0x7f) {
            adapter_bad(l, "A005", v, "`url` may hold printable ASCII only");
            return;
        }
}

static void key_url(struct adapter_load *l, const struct yaml_node *v)
{
    struct str s = text_of(l, v, "`url`");
    if (s.n && s.p[0] == '/') {
        if (!l->o->base_url && !l->o->check_only) {
            adapter_bad(l, "A005", v,
                        "`url` is a path, and no base address is given (--gateway-base)");
            return;
        }
        const char *base = l->o->base_url ? l->o->base_url : "https://gateway.invalid";
        size_t n = strlen(base);
        while (n && base[n - 1] == '/')
            n--;
        s = str_c(arena_printf(l->a->arena, "%.*s" STR_FMT, (int)n, base, STR_ARG(s)));
    }
    if (!s.n)
        return;
    check_url(l, v, s);
    l->a->url = arena_str(l->a->arena, s);
}

static void key_allow(struct adapter_load *l, const struct yaml_node *v)
{
    if (v->kind != YAML_SEQUENCE || v->n > MAX_ALLOW) {
        adapter_bad(l, "A006", v, "`allow` must be a list of at most 32 address ranges");
        return;
    }
    struct webhook_cidr *c = ARENA_ARRAY(l->a->arena, struct webhook_cidr, v->n);
    for (uint32_t i = 0; i < v->n; i++) {
        struct str s;
        if (!yaml_text(v->items[i], &s) || webhook_cidr_parse(s, &c[i]))
            adapter_bad(l, "A006", v->items[i],
                        "not an address range such as 127.0.0.0/8 or fc00::/7");
    }
    l->a->allow = c;
    l->a->n_allow = v->n;
}

/* ---- limits, timeouts, retry, ambiguous ------------------------------------------------------------ */

static void key_in_flight(struct adapter_load *l, const struct yaml_node *v)
{
    int64_t n;
    if (!yaml_i64(v, &n) || n < 1 || n > 10000)
        adapter_bad(l, "A004", v, "`in_flight` must be a number from 1 to 10000");
    else
        l->a->limits.in_flight = (uint32_t)n;
}

static void key_limits(struct adapter_load *l, const struct yaml_node *v)
{
    static const struct key keys[] = {
        {"in_flight", key_in_flight}, {"rate", NULL},         {"quota", NULL},
        {"per_recipient", NULL},      {"per_template", NULL}, {"concurrency", NULL}};
    read_keys(l, v, "`limits`", keys, BASE_LEN(keys));
}

static void key_connect(struct adapter_load *l, const struct yaml_node *v)
{
    (void)adapter_length(l, v, 5 * TIME_MIN, &l->a->limits.connect_ms);
}

static void key_total(struct adapter_load *l, const struct yaml_node *v)
{
    (void)adapter_length(l, v, 5 * TIME_MIN, &l->a->limits.total_ms);
}

static void key_timeouts(struct adapter_load *l, const struct yaml_node *v)
{
    static const struct key keys[] = {{"connect", key_connect}, {"total", key_total}};
    read_keys(l, v, "`timeouts`", keys, BASE_LEN(keys));
}

static void key_schedule(struct adapter_load *l, const struct yaml_node *v)
{
    if (v->kind != YAML_SEQUENCE || !v->n || v->n > WEBHOOK_MAX_TRIES) {
        adapter_bad(l, "A004", v,
                    "`schedule` must be a list of 1 to 16 lengths, the first of them 0s");
        return;
    }
    struct webhook_schedule *s = ARENA_NEW(l->a->arena, struct webhook_schedule);
    s->n = v->n;
    for (uint32_t i = 0; i < v->n; i++) {
        struct str t;
        if (i == 0 && yaml_text(v->items[0], &t) && str_eqc(t, "0s"))
            continue;
        if (i == 0)
            adapter_bad(l, "A004", v->items[0], "the first try is at once: 0s");
        else
            (void)adapter_length(l, v->items[i], 2 * TIME_DAY, &s->step_ms[i]);
    }
    l->a->schedule = s;
}

static void key_retry(struct adapter_load *l, const struct yaml_node *v)
{
    static const struct key keys[] = {
        {"schedule", key_schedule}, {"jitter", NULL}, {"honour_retry_after", NULL}};
    read_keys(l, v, "`retry`", keys, BASE_LEN(keys));
}

static void key_reconcile(struct adapter_load *l, const struct yaml_node *v)
{
    l->a->ambiguous = WEBHOOK_AMB_RECONCILE;
    (void)adapter_length(l, v, 7 * TIME_DAY, &l->a->reconcile_ms);
}

static void key_then(struct adapter_load *l, const struct yaml_node *v)
{
    struct str s = text_of(l, v, "`then`");
    l->a->retry_once = str_eqc(s, "retry_once");
    if (s.n && !l->a->retry_once && !str_eqc(s, "fail"))
        adapter_bad(l, "A007", v, "`then` must be fail or retry_once");
}

static void key_ambiguous(struct adapter_load *l, const struct yaml_node *v)
{
    static const struct key keys[] = {{"reconcile", key_reconcile}, {"then", key_then}};
    struct str s;
    l->a->has_ambiguous = true;
    if (v->kind == YAML_MAPPING) {
        read_keys(l, v, "`ambiguous`", keys, BASE_LEN(keys));
        if (!yaml_get(v, "reconcile"))
            adapter_bad(l, "A007", v, "`ambiguous` needs `reconcile: LENGTH`");
        return;
    }
    if (yaml_text(v, &s) && str_eqc(s, "retry"))
        l->a->ambiguous = WEBHOOK_AMB_RETRY;
    else if (yaml_text(v, &s) && str_eqc(s, "fail"))
        l->a->ambiguous = WEBHOOK_AMB_FAIL;
    else
        adapter_bad(
            l, "A007", v,
            "`ambiguous` must be retry, fail or {reconcile: LENGTH, then: fail|retry_once}");
}

static void key_later(struct adapter_load *l, const struct yaml_node *v)
{
    (void)l;
    (void)v; /* read after the others: its expressions need `answer` */
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static const struct key adapter_keys[] = {
    {"name", key_name},
    {"kind", key_kind},
    {"address", key_address},
    {"url", key_url},
    {"plain_http", key_plain},
    {"allow", key_allow},
    {"secret_file", key_secret},
    {"idempotent", key_idempotent},
    {"i_accept_duplicates", key_accept},
    {"ambiguous", key_ambiguous},
    {"limits", key_limits},
    {"timeouts", key_timeouts},
    {"retry", key_retry},
    {"answer", adapter_answer},
    {"classify", key_later},
    {"code", key_later},
    {"request", NULL},
    {"auth", NULL},
    {"headers", NULL},
    {"semantics", NULL},
    {"define", NULL},
    {"receipt", NULL},
    {"inbound", NULL},
};

static void check_whole(struct adapter_load *l, const struct yaml_node *root)
{
    static const char *const needed[] = {"name", "kind", "url", "secret_file"};
    struct webhook_adapter *a = l->a;
    for (size_t i = 0; i < BASE_LEN(needed); i++)
        if (!yaml_get(root, needed[i]))
            diags_addf(l->d, "A012", root->at, STR(""), STR(""), "an adapter needs `%s`",
                       needed[i]);
    const struct yaml_node *url = yaml_get(root, "url"), *amb = yaml_get(root, "ambiguous");
    if (str_starts(a->url, "http://") && !a->plain_http)
        diags_addf(l->d, "A005", url->at, STR(""), STR("`plain_http: true` says that it is meant"),
                   "`url` is not encrypted");
    bool resends = a->ambiguous == WEBHOOK_AMB_RETRY ||
                   (a->ambiguous == WEBHOOK_AMB_RECONCILE && a->retry_once);
    if (a->has_ambiguous && resends && !a->idempotent && !a->accept_duplicates)
        diags_addf(l->d, "A007", amb->at, STR(""),
                   STR("use reconcile or fail, or say `i_accept_duplicates: true`"),
                   "sends again what may have arrived, at a gateway that is not idempotent");
    if (!a->has_ambiguous)
        a->ambiguous = a->idempotent ? WEBHOOK_AMB_RETRY : WEBHOOK_AMB_RECONCILE;
    if (a->limits.connect_ms > a->limits.total_ms)
        a->limits.connect_ms = a->limits.total_ms;
}

static int load_secret(struct adapter_load *l, const struct yaml_node *root)
{
    struct webhook_adapter *a = l->a;
    const struct yaml_node *v = yaml_get(root, "secret_file");
    if (l->o->check_only || !a->secret_file.n)
        return 0;
    const char *dir = l->o->secret_dir ? l->o->secret_dir : ".";
    const char *path = a->secret_file.p[0] == '/'
                           ? a->secret_file.p
                           : arena_printf(a->arena, "%s/" STR_FMT, dir, STR_ARG(a->secret_file));
    struct err err = {0};
    if (!webhook_keys_load(path, &a->keys, &err))
        return 0;
    diags_addf(l->d, "A013", v->at, STR(""), STR(""), "%s", err.text);
    return -1;
}

static void read_all(struct adapter_load *l, const struct yaml_node *root)
{
    size_t before = diags_errors(l->d);
    read_keys(l, root, "an adapter", adapter_keys, BASE_LEN(adapter_keys));
    if (root->kind != YAML_MAPPING)
        return;
    const struct yaml_node *rules = yaml_get(root, "classify"), *code = yaml_get(root, "code");
    if (rules)
        adapter_classify(l, rules);
    if (code)
        adapter_code(l, code);
    check_whole(l, root);
    if (diags_errors(l->d) == before)
        (void)load_secret(l, root);
}

int webhook_adapter_read(struct str name, struct str text, const struct webhook_adapter_options *o,
                         struct diags *d, struct webhook_adapter **out, struct err *err)
{
    static const struct type no_answer = {.kind = TYPE_RECORD, .name = {"answer", 6}};
    struct webhook_adapter *a = xcalloc(1, sizeof *a);
    a->arena = arena_new(4u << 20);
    a->scratch = arena_new(4u << 20);
    a->ctx = xcalloc(1, sizeof *a->ctx);
    a->src = (struct srcfile){arena_str(a->arena, name), arena_str(a->arena, text), 0};
    a->limits = (struct webhook_limits){64, 2 * TIME_SEC, 10 * TIME_SEC};
    a->reconcile_ms = 10 * TIME_MIN;
    a->answer = &no_answer;
    struct adapter_load l = {a, o, d};
    const struct yaml_node *root = NULL;
    size_t before = diags_errors(d);
    *out = a;
    if (!yaml_parse(a->arena, &a->src, d, &root) && root)
        read_all(&l, root);
    if (diags_errors(d) != before || !root)
        return err_set(err, ERR_INPUT, "the adapter " STR_FMT " has errors", STR_ARG(name));
    return 0;
}

int webhook_adapter_load(const char *path, const struct webhook_adapter_options *o, struct diags *d,
                         struct webhook_adapter **out, struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe would wait */
    *out = NULL;
    if (fd < 0)
        return err_set(err, ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
    FILE *f = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
    if (!f) {
        (void)close(fd);
        return err_set(err, ERR_INPUT, "cannot read %s: not an ordinary file", path);
    }
    char *text = xmalloc(MAX_FILE + 1);
    size_t n = fread(text, 1, MAX_FILE + 1, f);
    bool failed = ferror(f) != 0 || n > MAX_FILE;
    (void)fclose(f);
    struct webhook_adapter_options own = *o;
    const char *slash = strrchr(path, '/');
    char *dir = slash ? xmemdup0(path, (size_t)(slash - path)) : xstrdup(".");
    if (!own.secret_dir)
        own.secret_dir = dir;
    int rc = failed ? err_set(err, ERR_INPUT, "cannot read %s: an error, or above 256 KiB", path)
                    : webhook_adapter_read(str_c(path), (struct str){text, n}, &own, d, out, err);
    free(dir);
    free(text);
    return rc;
}

void webhook_adapter_free(struct webhook_adapter **ap)
{
    struct webhook_adapter *a = *ap;
    if (!a)
        return;
    explicit_bzero(&a->keys, sizeof a->keys);
    arena_free(&a->arena);
    arena_free(&a->scratch);
    free(a->ctx);
    free(a);
    *ap = NULL;
}

struct str webhook_adapter_name(const struct webhook_adapter *a)
{
    return a->name;
}

struct str webhook_adapter_address(const struct webhook_adapter *a)
{
    return a->address;
}

struct str webhook_adapter_url(const struct webhook_adapter *a)
{
    return a->url;
}

const struct webhook_limits *webhook_adapter_limits(const struct webhook_adapter *a)
{
    return &a->limits;
}

const struct webhook_keys *webhook_adapter_keys(const struct webhook_adapter *a)
{
    return &a->keys;
}

bool webhook_adapter_idempotent(const struct webhook_adapter *a)
{
    return a->idempotent;
}

enum webhook_ambiguous webhook_adapter_ambiguous(const struct webhook_adapter *a, int64_t *wait_ms,
                                                 bool *retry_once)
{
    *wait_ms = a->reconcile_ms;
    *retry_once = a->retry_once;
    return a->ambiguous;
}

const struct webhook_schedule *webhook_adapter_schedule(const struct webhook_adapter *a,
                                                        struct str purpose)
{
    return a->schedule ? a->schedule : webhook_schedule_for(purpose);
}
