/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading trees by tables of keys: what every section shares.  A message always names the thing, the
 * word that is wrong and what would be right.
 */
#include "rule_priv.h"

#include <stdlib.h>

bool is_name(struct str s)
{
    if (s.n == 0 || s.n > 64 || s.p[0] < 'a' || s.p[0] > 'z')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

static const struct srcfile no_file = {.name = {"", 0}, .text = {"", 0}};

struct span span_none(void)
{
    return (struct span){&no_file, 0, 0};
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static const char *const kind_words[] = {"a value", "a list", "a mapping (`key: value`)"};

/* A collection is pointed at by its first bytes, not underlined whole. */
static struct span brief(const struct yaml_node *n)
{
    struct span s = n->at;
    if (n->kind != YAML_SCALAR && s.end > s.start + 1)
        s.end = s.start + 1;
    return s;
}

static bool want_kind(struct load *L, const struct yaml_node *n, enum yaml_kind k, const char *what)
{
    if (n->kind == k && !(k == YAML_SCALAR && yaml_is_null(n)))
        return true;
    diags_addf(L->d, "S003", brief(n), (struct str){0}, (struct str){0}, "%s must be %s", what,
               kind_words[k]);
    return false;
}

bool want_map(struct load *L, const struct yaml_node *n, const char *what)
{
    return want_kind(L, n, YAML_MAPPING, what);
}

bool want_list(struct load *L, const struct yaml_node *n, const char *what)
{
    return want_kind(L, n, YAML_SEQUENCE, what);
}

bool want_text(struct load *L, const struct yaml_node *n, const char *what, struct str *out)
{
    if (!want_kind(L, n, YAML_SCALAR, what))
        return false;
    *out = n->text;
    return true;
}

/* ---- names ----------------------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

#define MOST_NAMES 40
struct str join_names(struct load *L, const struct str *names, size_t n)
{
    struct str *sorted = ARENA_ARRAY(L->a, struct str, n + 1);
    if (n)
        memcpy(sorted, names, n * sizeof *names);
    qsort(sorted, n, sizeof *sorted, by_bytes);
    struct buf b;
    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < n && i < MOST_NAMES; i++) {
        buf_adds(&b, i ? ", " : "");
        buf_addstr(&b, sorted[i]);
    }
    if (n > MOST_NAMES)
        buf_addf(&b, " and %zu more", n - MOST_NAMES);
    struct str out = arena_str(L->a, buf_str(&b));
    buf_free(&b);
    return out;
}

struct str did_you_mean(struct load *L, struct str word, const struct str *names, size_t n)
{
    struct str s = {0};
    if (diags_errors(L->d) <= MOST_ADVICE)
        s = suggest(word, names, n);
    if (!s.n)
        return s;
    return str_c(arena_printf(L->a, "did you mean `" STR_FMT "`?", STR_ARG(s)));
}

void unknown(struct load *L, const char *code, struct span at, const char *what, struct str word,
             const struct str *names, size_t n, const char *note)
{
    bool brief_only = diags_errors(L->d) > MOST_ADVICE;
    struct str known = brief_only ? (struct str){0} : join_names(L, names, n);
    if (brief_only)
        note = NULL;
    if (note && n)
        known = str_c(arena_printf(L->a, "%s: " STR_FMT, note, STR_ARG(known)));
    else if (note)
        known = str_c(arena_printf(L->a, "%s: none", note));
    diags_addf(L->d, code, at, did_you_mean(L, word, names, n), note ? known : (struct str){0},
               "unknown %s `" STR_FMT "`", what, STR_ARG(word));
}

void unbuilt(struct load *L, const char *code, struct span at, const char *what)
{
    diags_addf(L->d, code, at, STR("leave it out"), (struct str){0}, "%s is not built yet", what);
}

static void unknown_key(struct load *L, const struct yaml_pair *p, struct where w,
                        const struct key_def *keys, size_t n_keys, const struct str *extra,
                        size_t n_extra)
{
    struct str *names = ARENA_ARRAY(L->a, struct str, n_keys + n_extra + 1);
    size_t n = 0;
    for (size_t i = 0; i < n_keys; i++)
        if (!keys[i].unbuilt)
            names[n++] = str_c(keys[i].name);
    for (size_t i = 0; i < n_extra; i++)
        names[n++] = extra[i];
    struct str note =
        str_c(arena_printf(L->a, "allowed: " STR_FMT, STR_ARG(join_names(L, names, n))));
    diags_addf(L->d, "S002", p->key_at, did_you_mean(L, p->key, names, n), note,
               w.name.n ? "unknown key `" STR_FMT "` in %s `" STR_FMT "`"
                        : "unknown key `" STR_FMT "` in %s" STR_FMT,
               STR_ARG(p->key), w.kind, STR_ARG(w.name));
}

static const struct yaml_pair *find_key(const struct key_def *keys, size_t n_keys,
                                        const struct yaml_pair *p, size_t *at)
{
    for (size_t i = 0; i < n_keys; i++) {
        if (str_eqc(p->key, keys[i].name)) {
            *at = i;
            return p;
        }
    }
    return NULL;
}

bool read_keys(struct load *L, const struct yaml_node *n, struct where w,
               const struct key_def *keys, size_t n_keys, const struct str *extra, size_t n_extra,
               const struct yaml_node **out)
{
    size_t before = diags_errors(L->d);
    for (size_t i = 0; i < n_keys; i++)
        out[i] = NULL;
    if (n->kind != YAML_MAPPING) {
        diags_addf(L->d, "S003", brief(n), (struct str){0}, (struct str){0},
                   w.name.n ? "%s `" STR_FMT "` must be a mapping (`key: value`)"
                            : "%s" STR_FMT " must be a mapping (`key: value`)",
                   w.kind, STR_ARG(w.name));
        return false;
    }
    for (uint32_t i = 0; i < n->n; i++) {
        const struct yaml_pair *p = &n->pairs[i];
        size_t k;
        if (find_key(keys, n_keys, p, &k)) {
            if (keys[k].unbuilt)
                unbuilt(L, keys[k].unbuilt, p->key_at, arena_printf(L->a, "`%s`", keys[k].name));
            else
                out[k] = p->value;
            continue;
        }
        bool allowed = false;
        for (size_t e = 0; e < n_extra && !allowed; e++)
            allowed = str_eq(extra[e], p->key);
        if (!allowed)
            unknown_key(L, p, w, keys, n_keys, extra, n_extra);
    }
    bool typo =
        diags_errors(L->d) > before; /* then the missing key is most likely the unknown one */
    for (size_t i = 0; i < n_keys && !typo; i++) {
        if (!keys[i].need || out[i])
            continue;
        diags_addf(L->d, "S004", brief(n), (struct str){0}, (struct str){0},
                   w.name.n ? "%s `" STR_FMT "` needs `%s:`" : "%s" STR_FMT " needs `%s:`", w.kind,
                   STR_ARG(w.name), keys[i].name);
    }
    return diags_errors(L->d) == before;
}

/* ---- scalars --------------------------------------------------------------------------------- */

bool read_bool(struct load *L, const struct yaml_node *n, const char *what, bool *out)
{
    if (!n || yaml_bool(n, out))
        return n != NULL;
    diags_addf(L->d, "S007", brief(n), STR("write true or false"), (struct str){0},
               "%s is either true or false", what);
    return false;
}

bool read_int(struct load *L, const struct yaml_node *n, const char *what, int64_t lo, int64_t hi,
              int64_t *out)
{
    int64_t v;
    if (!n)
        return false;
    if (!yaml_i64(n, &v) || v < lo || v > hi) {
        diags_addf(L->d, "S008", brief(n), (struct str){0}, (struct str){0},
                   "%s must be a whole number from %lld to %lld", what, (long long)lo,
                   (long long)hi);
        return false;
    }
    *out = v;
    return true;
}

bool read_len(struct load *L, const struct yaml_node *n, const char *code, const char *what,
              int64_t *ms)
{
    struct str s;
    if (!n || !want_text(L, n, what, &s))
        return false;
    if (time_len(s, ms) == 0)
        return true;
    diags_addf(L->d, code, n->at, STR("a length like 90m, 2h or 3d"), (struct str){0},
               "bad length `" STR_FMT "`", STR_ARG(s));
    return false;
}

bool read_clock(struct load *L, const struct yaml_node *n, const char *what, int32_t *minutes)
{
    struct str s;
    if (!n || !want_text(L, n, what, &s))
        return false;
    if (time_clock(s, minutes) != 0) {
        diags_addf(L->d, "S009", n->at, STR("write like \"09:30\""), (struct str){0},
                   "bad clock time `" STR_FMT "`", STR_ARG(s));
        return false;
    }
    if (n->style == YAML_PLAIN) {
        struct diag g = {.code = "W001", .warning = true, .at = n->at};
        g.text = STR("a clock time without quotes");
        g.label = str_c(arena_printf(L->a,
                                     "write \"" STR_FMT "\": other YAML readers take it for "
                                     "a number",
                                     STR_ARG(s)));
        diags_add(L->d, &g);
    }
    return true;
}

/* "5%", "2.25%" -> 10,000ths. */
bool read_percent(struct load *L, const struct yaml_node *n, const char *what, uint32_t *bp)
{
    struct str s;
    if (!n || !want_text(L, n, what, &s))
        return false;
    uint32_t v = 0, places = 0;
    size_t i = 0;
    bool point = false, ok = s.n > 1 && s.n <= 7 && s.p[s.n - 1] == '%' && s.p[0] != '.';
    for (; ok && i + 1 < s.n; i++) {
        if (s.p[i] == '.' && !point)
            point = true;
        else if (s.p[i] >= '0' && s.p[i] <= '9' && places < 2) {
            v = v * 10 + (uint32_t)(s.p[i] - '0');
            places += point;
        } else
            ok = false;
    }
    for (; ok && places < 2; places++)
        v *= 10;
    if (!ok || v > 10000 || (point && s.p[s.n - 2] == '.')) {
        diags_addf(L->d, "S010", n->at, STR("write like 5%"), (struct str){0},
                   "%s must be a percentage from 0%% to 100%%", what);
        return false;
    }
    *bp = v;
    return true;
}

int read_word(struct load *L, const struct yaml_node *n, const char *what, const char *words)
{
    struct str s, list[16];
    size_t count = 0;
    if (!n || !want_text(L, n, what, &s))
        return -1;
    for (const char *w = words; *w && count < BASE_LEN(list); count++) {
        list[count] = (struct str){w, strcspn(w, "|")};
        if (str_eq(s, list[count]))
            return (int)count;
        w += list[count].n + (w[list[count].n] == '|');
    }
    struct str note =
        str_c(arena_printf(L->a, "one of: " STR_FMT, STR_ARG(join_names(L, list, count))));
    diags_addf(L->d, "S011", n->at, did_you_mean(L, s, list, count), note,
               "%s cannot be `" STR_FMT "`", what, STR_ARG(s));
    return -1;
}

uint32_t as_list(const struct yaml_node *n, const struct yaml_node *const **items,
                 const struct yaml_node **one)
{
    if (n->kind == YAML_SEQUENCE) {
        *items = n->items;
        return n->n;
    }
    *one = n;
    *items = one;
    return 1;
}
