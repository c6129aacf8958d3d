/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundle: a program as one canonical text (README.md has the format), and back.  One record a
 * definition, in section and name order, each in YAML's normal form; so the same rules give the same
 * bytes whatever their files looked like, and no file of many megabytes is ever parsed as one.
 */
#include "rule_priv.h"

#include <stdlib.h>

#define MAGIC "rouse-bundle 1\n"
#define MAX_OLD 7
#define BUNDLE_MAX (64u << 20)
static const enum section bundled[] = {SEC_EVENTS,   SEC_TABLES, SEC_TAGS,
                                       SEC_MESSAGES, SEC_POLICY, SEC_RULES};

/* ---- writing --------------------------------------------------------------------------------- */

/* KIND [WORD…] LENGTH\n and LENGTH bytes and \n */
static void put_record(struct buf *out, const char *kind, struct str a, struct str b,
                       struct str text)
{
    buf_adds(out, kind);
    if (a.n) {
        buf_addc(out, ' ');
        buf_addstr(out, a);
    }
    if (b.n) {
        buf_addc(out, ' ');
        buf_addstr(out, b);
    }
    buf_addf(out, " %zu\n", text.n);
    buf_addstr(out, text);
    buf_addc(out, '\n');
}

static void put_zone(struct buf *out, const char *kind, const struct zone *z)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    zone_write(z, &b);
    put_record(out, kind, (struct str){0}, (struct str){0}, buf_str(&b));
    buf_free(&b);
}

static void put_items(struct buf *out, enum section s, const struct items *t)
{
    struct buf b;
    buf_init(&b, 4 * YAML_MAX_BYTES);
    for (uint32_t i = 0; i < t->n; i++) {
        bool tests =
            s == SEC_POLICY && str_eqc(t->v[i].name, "tests"); /* says nothing to the fold */
        if (tests)
            continue;
        buf_reset(&b);
        yaml_write(t->v[i].node, &b);
        put_record(out, section_names[s], t->v[i].name, (struct str){0}, buf_str(&b));
    }
    buf_free(&b);
}

/* The earlier texts of one rule: what `prev` ran, then what it carried, newest first. */
struct olds {
    const struct loaded *prev;
    uint32_t rule, carried; /* walk both lists, which are in name order */
    struct buf *out;
};

static void put_olds_of(struct olds *o, struct str name, struct str now)
{
    struct str seen[MAX_OLD + 1] = {now};
    uint32_t n = now.n ? 1 : 0, put = 0;
    const struct program *p = &o->prev->p;
    bool had = o->rule < p->n_rules && str_eq(p->rules[o->rule].name, name);
    struct old_text t = {0};
    if (had) {
        const struct rule_def *r = &p->rules[o->rule++];
        t = (struct old_text){r->name, r->hash, r->text};
    }
    for (bool first = had;; first = false) {
        if (!first) {
            if (o->carried >= o->prev->n_olds || !str_eq(o->prev->olds[o->carried].rule, name))
                break;
            t = o->prev->olds[o->carried++];
        }
        bool again = put == MAX_OLD;
        for (uint32_t i = 0; i < n && !again; i++)
            again = str_eq(seen[i], t.hash);
        if (again)
            continue;
        put_record(o->out, "old", t.rule, t.hash, t.text);
        if (n < BASE_LEN(seen))
            seen[n++] = t.hash;
        put++;
    }
}

/* All names of prev's rules and carried texts, merged with those of the new program. */
static void put_olds(struct buf *out, const struct program *p, const struct loaded *prev)
{
    struct olds o = {.prev = prev, .out = out};
    while (o.rule < prev->p.n_rules || o.carried < prev->n_olds) {
        struct str name;
        if (o.rule >= prev->p.n_rules)
            name = prev->olds[o.carried].rule;
        else if (o.carried >= prev->n_olds ||
                 str_cmp(prev->p.rules[o.rule].name, prev->olds[o.carried].rule) <= 0)
            name = prev->p.rules[o.rule].name;
        else
            name = prev->olds[o.carried].rule;
        uint32_t now = program_rule(p, name);
        put_olds_of(&o, name, now == RULE_NONE ? (struct str){0} : p->rules[now].hash);
    }
}

static void put_gateways(struct buf *out, const struct loaded *l)
{
    for (uint32_t i = 0; i < l->p.n_gateways; i++)
        put_record(out, "gateway", l->p.gateways[i].name, l->address_tags[i], (struct str){0});
}

int bundle_make(const struct program *p, const struct program *prev, struct buf *out, char hash[65],
                struct err *err)
{
    const struct loaded *l = (const struct loaded *)p;
    struct buf b;
    buf_init(&b, BUNDLE_MAX);
    buf_adds(&b, MAGIC);
    buf_addf(&b, "level %d\n", RULE_LEVEL);
    put_zone(&b, "zone", p->tz);
    for (uint32_t i = 0; i < l->n_zones; i++)
        put_zone(&b, "named_zone", l->zones[i]);
    put_gateways(&b, l);
    for (size_t i = 0; i < BASE_LEN(bundled); i++)
        put_items(&b, bundled[i], &l->items[bundled[i]]);
    for (uint32_t i = 0; i < l->n_csvs; i++)
        put_record(&b, "csv", l->csvs[i].table, (struct str){0}, l->csvs[i].text);
    if (prev)
        put_olds(&b, p, (const struct loaded *)prev);
    int rc = 0;
    if (b.over) {
        rc = err_code(err, ERR_INPUT, "bundle_big", "a bundle may have at most 64 MiB");
    } else {
        uint8_t sha[32];
        hash_sha256(b.p, b.n, sha);
        enc_hex(sha, 32, hash);
        buf_addstr(out, buf_str(&b));
        if (out->over)
            rc = err_code(err, ERR_INPUT, "bundle_big", "the bundle does not fit");
    }
    buf_free(&b);
    return rc;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct reader {
    struct load *L;
    struct str bytes;
    size_t i;
    struct old_text *olds;
    uint32_t n_olds, cap_olds;
    struct csv_text *csvs;
    uint32_t n_csvs, cap_csvs;
    struct err *err;
};

static int bad_bundle(struct reader *r, const char *why)
{
    return err_code(r->err, ERR_INPUT, "bundle", "not a bundle: %s at byte %zu", why, r->i);
}

struct rec {
    struct str word[4]; /* kind, then names */
    uint32_t n;         /* words without the length */
    struct str text;
};

/* One record; 1, 0 at the end, -1. */
static int next_record(struct reader *r, struct rec *out)
{
    *out = (struct rec){0};
    if (r->i == r->bytes.n)
        return 0;
    const char *line = r->bytes.p + r->i;
    const char *end = memchr(line, '\n', r->bytes.n - r->i);
    if (!end || end - line > 512)
        return bad_bundle(r, "no header line");
    size_t from = 0, n = (size_t)(end - line);
    for (size_t i = 0; i <= n; i++) {
        if (i < n && line[i] != ' ')
            continue;
        if (out->n == BASE_LEN(out->word))
            return bad_bundle(r, "a header with too many words");
        out->word[out->n++] = (struct str){line + from, i - from};
        from = i + 1;
    }
    int64_t len;
    if (out->n < 2 || str_i64(out->word[--out->n], &len) != 0 || len < 0)
        return bad_bundle(r, "a header without a length");
    r->i += n + 1;
    if ((uint64_t)len + 1 > r->bytes.n - r->i || r->bytes.p[r->i + (size_t)len] != '\n')
        return bad_bundle(r, "a wrong length");
    out->text = (struct str){r->bytes.p + r->i, (size_t)len};
    r->i += (size_t)len + 1;
    return 1;
}

static int parse_text(struct reader *r, struct str name, struct str text,
                      const struct yaml_node **out)
{
    struct load *L = r->L;
    struct srcfile *f = ARENA_NEW(L->a, struct srcfile);
    *f = (struct srcfile){.name = name, .text = text};
    if (yaml_parse(L->a, f, L->d, out))
        return bad_bundle(r, "a text that is not YAML");
    return 0;
}

static int take_item(struct reader *r, enum section s, const struct rec *rec)
{
    struct item it = {.name = rec->word[1]};
    if (rec->n != 2 || parse_text(r, rec->word[1], rec->text, &it.node))
        return bad_bundle(r, "a definition");
    it.name_at = (struct span){it.node->at.file, 0, 0};
    items_add(r->L, s, it);
    return 0;
}

static int take_old(struct reader *r, const struct rec *rec)
{
    if (rec->n != 3)
        return bad_bundle(r, "an earlier text");
    if (r->n_olds == r->cap_olds) {
        uint32_t cap = r->cap_olds ? r->cap_olds * 2 : 16;
        struct old_text *v = ARENA_ARRAY(r->L->a, struct old_text, cap);
        if (r->n_olds)
            memcpy(v, r->olds, r->n_olds * sizeof *v);
        r->olds = v;
        r->cap_olds = cap;
    }
    r->olds[r->n_olds++] = (struct old_text){rec->word[1], rec->word[2], rec->text};
    return 0;
}

static int take_csv(struct reader *r, const struct rec *rec)
{
    if (rec->n != 2)
        return bad_bundle(r, "a table");
    if (r->n_csvs == r->cap_csvs) {
        uint32_t cap = r->cap_csvs ? r->cap_csvs * 2 : 16;
        struct csv_text *v = ARENA_ARRAY(r->L->a, struct csv_text, cap);
        if (r->n_csvs)
            memcpy(v, r->csvs, r->n_csvs * sizeof *v);
        r->csvs = v;
        r->cap_csvs = cap;
    }
    r->csvs[r->n_csvs++] = (struct csv_text){rec->word[1], rec->text};
    return 0;
}

static int take_record(struct reader *r, const struct rec *rec)
{
    struct load *L = r->L;
    struct str kind = rec->word[0];
    if (str_eqc(kind, "zone") || str_eqc(kind, "named_zone")) {
        const struct zone *z = zone_read(L->a, rec->text, r->err);
        if (!z)
            return -1;
        if (str_eqc(kind, "zone"))
            L->p->tz = z;
        else
            zones_add(L, z);
        return 0;
    }
    if (str_eqc(kind, "gateway")) {
        if (rec->n < 2 || rec->n > 3)
            return bad_bundle(r, "a gateway");
        add_gateway(L, rec->word[1], rec->n == 3 ? rec->word[2] : (struct str){"", 0});
        return 0;
    }
    if (str_eqc(kind, "csv"))
        return take_csv(r, rec);
    if (str_eqc(kind, "old"))
        return take_old(r, rec);
    for (size_t i = 0; i < BASE_LEN(bundled); i++)
        if (str_eqc(kind, section_names[bundled[i]]))
            return take_item(r, bundled[i], rec);
    return bad_bundle(r, "an unknown kind of record");
}

static int csv_of_bundle(struct load *L, struct str table, struct str path, struct str *out,
                         struct err *err)
{
    const struct reader *r = L->csv_arg;
    (void)path;
    for (uint32_t i = 0; i < r->n_csvs; i++) {
        if (str_eq(r->csvs[i].table, table)) {
            *out = r->csvs[i].text;
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "the bundle lacks the contents of a table");
}

/* ---- earlier texts --------------------------------------------------------------------------- */

/* Compiled against the present events, tags and messages; what no longer compiles is left out, and its
 * runs end `superseded`. */
static void load_olds(struct reader *r)
{
    struct load *L = r->L;
    struct diags *keep = L->d;
    struct rule_def *v = ARENA_ARRAY(L->a, struct rule_def, r->n_olds + 1);
    uint32_t n = 0;
    L->l->versions = map_new(true);
    for (uint32_t i = 0; i < r->n_olds; i++) {
        const struct old_text *o = &r->olds[i];
        struct item it = {.name = o->rule};
        L->d = diags_new();
        struct rule_def def = {0};
        if (parse_text(r, o->rule, o->text, &it.node) == 0) {
            it.name_at = (struct span){it.node->at.file, 0, 0};
            if (load_rule(L, &it, &def) == 0 && str_eq(def.hash, o->hash)) {
                def.index = n;
                v[n] = def;
                char key[128];
                size_t len = o->rule.n + 1 + o->hash.n;
                memcpy(key, o->rule.p, o->rule.n);
                key[o->rule.n] = 0;
                memcpy(key + o->rule.n + 1, o->hash.p, o->hash.n);
                map_put(L->l->versions, (struct str){key, len}, &v[n]);
                n++;
            }
        }
        diags_free(&L->d);
    }
    L->d = keep;
    L->p->old_rules = v;
    L->p->n_old_rules = n;
    L->l->olds = r->olds;
    L->l->n_olds = r->n_olds;
}

static int read_bundle(struct reader *r)
{
    struct load *L = r->L;
    struct rec rec;
    int rc;
    size_t magic = sizeof MAGIC - 1;
    if (r->bytes.n < magic || memcmp(r->bytes.p, MAGIC, magic) != 0)
        return bad_bundle(r, "it begins otherwise");
    r->i = magic;
    const char *end = memchr(r->bytes.p + magic, '\n', r->bytes.n - magic);
    int64_t level;
    if (!end || !str_starts((struct str){r->bytes.p + magic, r->bytes.n - magic}, "level ") ||
        str_i64((struct str){r->bytes.p + magic + 6, (size_t)(end - r->bytes.p) - magic - 6},
                &level) != 0)
        return bad_bundle(r, "no level");
    if (level < 1 || level > RULE_LEVEL)
        return err_code(r->err, ERR_FATAL, "bundle_level",
                        "the bundle is for level %lld of the fold, this binary knows up to %d",
                        (long long)level, RULE_LEVEL);
    L->p->level = (uint32_t)level;
    r->i = (size_t)(end - r->bytes.p) + 1;
    L->gateways = ARENA_ARRAY(L->a, struct gateway_def, MAX_GATEWAYS);
    L->l->address_tags = ARENA_ARRAY(L->a, struct str, MAX_GATEWAYS);
    while ((rc = next_record(r, &rec)) > 0)
        if (take_record(r, &rec))
            return -1;
    if (rc == 0 && !L->p->tz)
        return bad_bundle(r, "no zone");
    for (uint32_t i = 0; rc == 0 && i < r->n_olds; i++)
        if (r->olds[i].rule.n > 64 || r->olds[i].hash.n != 16)
            return bad_bundle(r, "an earlier text without a hash");
    return rc;
}

static int load_all(struct reader *r)
{
    struct load *L = r->L;
    if (load_program(L) == 0)
        return 0;
    diags_sort(L->d);
    const struct diag *g = diags_get(L->d, 0);
    for (size_t i = 0; i < diags_len(L->d) && g->warning; i++)
        g = diags_get(L->d, i);
    int line, col;
    srcfile_pos(g->at.file, g->at.start, &line, &col);
    return err_code(r->err, ERR_INPUT, g->code, "`" STR_FMT "`:%d: " STR_FMT,
                    STR_ARG(g->at.file->name), col, STR_ARG(g->text));
}

struct program *bundle_load(struct str bytes, struct err *err)
{
    struct load L;
    struct loaded *l = loaded_new();
    struct diags *d = diags_new();
    load_begin(&L, l, d, NULL);
    struct reader r = {.L = &L, .err = err};
    r.bytes = arena_str(l->a, bytes); /* everything points into our copy */
    L.bundle = true;
    L.csv = csv_of_bundle;
    L.csv_arg = &r;
    L.olds = &r;
    L.load_olds = load_olds;
    uint8_t sha[32];
    hash_sha256(bytes.p, bytes.n, sha);
    enc_hex(sha, 32, l->p.hash);
    struct program *p = &l->p;
    if (read_bundle(&r) || load_all(&r))
        rule_free(&p);
    diags_free(&d);
    return p;
}
