/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: one table is the parser, the --help page and the reference.  Sources in rising order of
 * precedence: default, --config file (YAML mapping), environment ROUSE_<NAME>, command line.
 */
#include "service_priv.h"
#include "yaml.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const type_names[] = {
    [OPT_STRING] = "text",
    [OPT_INT] = "number",
    [OPT_BOOL] = "true|false",
    [OPT_DURATION] = "length, like 500ms 30s 5m",
    [OPT_SIZE] = "size, like 512KiB 64MiB",
};

struct service_base_conf service_base;

static char *place(const struct option_def *o, void *conf)
{
    if (o->offset & SERVICE_BASE_BIT)
        return (char *)&service_base + (o->offset & ~SERVICE_BASE_BIT);
    return (char *)conf + o->offset;
}

struct unit {
    const char *name;
    int64_t factor;
};
static const struct unit durations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
static const struct unit sizes[] = {{"B", 1}, {"KiB", 1024}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};

static int with_unit(struct str s, const struct unit *u, size_t n, int64_t *out)
{
    size_t d = 0;
    int64_t v;
    while (d < s.n && s.p[d] >= '0' && s.p[d] <= '9')
        d++;
    struct str number = {s.p, d}, unit = {s.p + d, s.n - d};
    if (str_i64(number, &v) != 0)
        return -1;
    if (unit.n == 0 && v == 0) {
        *out = 0;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        if (str_eqc(unit, u[i].name))
            return __builtin_mul_overflow(v, u[i].factor, out) ? -1 : 0;
    return -1;
}

static int set_number(const struct option_def *o, struct str text, int64_t *to)
{
    int64_t v;
    int rc = o->type == OPT_INT        ? str_i64(text, &v)
             : o->type == OPT_DURATION ? with_unit(text, durations, BASE_LEN(durations), &v)
                                       : with_unit(text, sizes, BASE_LEN(sizes), &v);
    if (rc != 0)
        return -1;
    if (o->min == 0 && o->max == 0 ? v < 0 : v < o->min || v > o->max)
        return 1;
    *to = v;
    return 0;
}

static int set_value(const struct option_def *o, struct str text, void *conf, struct arena *a,
                     const char *where, struct err *err)
{
    char *at = place(o, conf);
    int64_t number;
    if (o->type == OPT_STRING) {
        const char *s = arena_str(a, text).p;
        memcpy(at, &s, sizeof s);
        return 0;
    }
    if (o->type == OPT_BOOL) {
        bool on = str_eqc(text, "true");
        if (!on && !str_eqc(text, "false"))
            return err_set(err, ERR_INPUT, "%s: --%s must be true or false, not `" STR_FMT "`",
                           where, o->name, STR_ARG(text));
        memcpy(at, &on, sizeof on);
        return 0;
    }
    int rc = set_number(o, text, &number);
    if (rc < 0)
        return err_set(err, ERR_INPUT, "%s: --%s needs a %s, not `" STR_FMT "`", where, o->name,
                       type_names[o->type], STR_ARG(text));
    if (rc > 0)
        return err_set(err, ERR_INPUT,
                       "%s: --%s must be between %lld and %lld%s, `" STR_FMT "` is not", where,
                       o->name, (long long)o->min, (long long)o->max,
                       o->type == OPT_DURATION ? " ms"
                       : o->type == OPT_SIZE   ? " bytes"
                                               : "",
                       STR_ARG(text));
    memcpy(at, &number, sizeof number);
    return 0;
}

static const struct option_def *find(const struct service_spec *spec, struct str name)
{
    for (size_t i = 0; i < spec->n_options; i++)
        if (str_eqc(name, spec->options[i].name))
            return &spec->options[i];
    return NULL;
}

static int unknown(const struct service_spec *spec, const char *where, struct str name,
                   struct err *err)
{
    struct str names[128];
    size_t n = 0;
    for (; n < spec->n_options && n < BASE_LEN(names); n++)
        names[n] = str_c(spec->options[n].name);
    struct str near = suggest(name, names, n);
    if (near.n)
        return err_set(err, ERR_INPUT,
                       "%s: unknown option `" STR_FMT "`: did you mean `" STR_FMT "`?", where,
                       STR_ARG(name), STR_ARG(near));
    return err_set(err, ERR_INPUT, "%s: unknown option `" STR_FMT "`: see --help", where,
                   STR_ARG(name));
}

static int from_defaults(const struct service_spec *spec, void *conf, struct arena *a,
                         struct err *err)
{
    for (size_t i = 0; i < spec->n_options; i++) {
        const struct option_def *o = &spec->options[i];
        if (o->dflt && set_value(o, str_c(o->dflt), conf, a, "default", err) != 0)
            return -1;
    }
    return 0;
}

static char *read_file(const char *path, size_t *n, struct err *err)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        err_set(err, ERR_INPUT, "%s: cannot be read: %m", path);
        return NULL;
    }
    char *text = xmalloc(YAML_MAX_BYTES + 2);
    *n = fread(text, 1, YAML_MAX_BYTES + 1, f);
    (void)fclose(f);
    return text;
}

static int from_tree(const struct service_spec *spec, const struct yaml_node *root, void *conf,
                     struct arena *a, const struct srcfile *file, struct err *err)
{
    char where[256];
    int line, col;
    if (root->kind != YAML_MAPPING)
        return err_set(err, ERR_INPUT, STR_FMT ": options are `name: value` lines",
                       STR_ARG(file->name));
    for (uint32_t i = 0; i < root->n; i++) {
        const struct yaml_pair *p = &root->pairs[i];
        struct str text;
        srcfile_pos(file, p->key_at.start, &line, &col);
        (void)snprintf(where, sizeof where, STR_FMT ":%d:%d", STR_ARG(file->name), line, col);
        const struct option_def *o = find(spec, p->key);
        if (!o)
            return unknown(spec, where, p->key, err);
        if (p->value->kind != YAML_SCALAR || !yaml_text(p->value, &text))
            return err_set(err, ERR_INPUT, "%s: `%s` needs one value", where, o->name);
        if (set_value(o, text, conf, a, where, err) != 0)
            return -1;
    }
    return 0;
}

static int from_file(const struct service_spec *spec, const char *path, void *conf, struct arena *a,
                     struct err *err)
{
    size_t n;
    const struct yaml_node *root;
    struct arena *tree = arena_new(0);
    char *text = read_file(path, &n, err);
    int rc = -1;
    if (text) {
        struct srcfile *file = ARENA_NEW(tree, struct srcfile);
        file->name = str_c(path);
        file->text = (struct str){text, n};
        rc = yaml_parse_err(tree, file, &root, err);
        if (rc != 0 && err->line)
            err_wrap(err, "%s:%d:%d", path, err->line, err->col);
        if (rc == 0)
            rc = from_tree(spec, root, conf, a, file, err);
    }
    free(text);
    arena_free(&tree);
    return rc;
}

static int from_environment(const struct service_spec *spec, void *conf, struct arena *a,
                            struct err *err)
{
    for (size_t i = 0; i < spec->n_options; i++) {
        const struct option_def *o = &spec->options[i];
        char name[96] = "ROUSE_";
        size_t k = strlen(name);
        for (const char *p = o->name; *p && k < sizeof name - 1; p++)
            name[k++] = *p == '-' ? '_' : (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
        name[k] = '\0';
        const char *v = getenv(name);
        if (v && set_value(o, str_c(v), conf, a, name, err) != 0)
            return -1;
    }
    return 0;
}

/* One "--name value", "--name=value", "--flag" or "--no-flag" at argv[*i]. */
static int from_argument(const struct service_spec *spec, int argc, char **argv, int *i, void *conf,
                         struct arena *a, struct err *err)
{
    const char *arg = argv[*i] + 2;
    struct str name = {arg, strcspn(arg, "=")};
    const struct option_def *o = find(spec, name);
    struct str value;
    if (!o && str_starts(name, "no-")) {
        o = find(spec, (struct str){name.p + 3, name.n - 3});
        if (o && o->type == OPT_BOOL && arg[name.n] == '\0')
            return set_value(o, STR("false"), conf, a, "command line", err);
        o = NULL;
    }
    if (!o)
        return unknown(spec, "command line", name, err);
    if (arg[name.n] == '=')
        value = str_c(arg + name.n + 1);
    else if (o->type == OPT_BOOL)
        value = STR("true");
    else if (*i + 1 < argc)
        value = str_c(argv[++*i]);
    else
        return err_set(err, ERR_INPUT, "command line: --%s needs a value", o->name);
    return set_value(o, value, conf, a, "command line", err);
}

static const char *config_path(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0)
            return argv[i] + 9;
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            return argv[i + 1];
    }
    return NULL;
}

static int check_given(const struct service_spec *spec, void *conf, struct err *err)
{
    for (size_t i = 0; i < spec->n_options; i++) {
        const struct option_def *o = &spec->options[i];
        const char *s;
        if (o->dflt || o->type != OPT_STRING)
            continue;
        memcpy(&s, place(o, conf), sizeof s);
        if (!s)
            return err_set(err, ERR_INPUT, "--%s must be given: %s", o->name, o->help);
    }
    return 0;
}

int options_parse(const struct service_spec *spec, int argc, char **argv, void *conf,
                  struct arena *a, const char **rest, size_t *n_rest, struct err *err)
{
    const char *path = config_path(argc, argv);
    size_t n = 0;
    if (from_defaults(spec, conf, a, err) != 0 ||
        (path && from_file(spec, path, conf, a, err) != 0) ||
        from_environment(spec, conf, a, err) != 0)
        return -1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0) {
            i++;
        } else if (strncmp(argv[i], "--config=", 9) == 0) {
            continue;
        } else if (strncmp(argv[i], "--", 2) == 0 && argv[i][2]) {
            if (from_argument(spec, argc, argv, &i, conf, a, err) != 0)
                return -1;
        } else if (rest) {
            rest[n++] = argv[i];
        } else {
            return err_set(err, ERR_INPUT, "command line: unexpected `%s`: see --help", argv[i]);
        }
    }
    if (n_rest)
        *n_rest = n;
    return check_given(spec, conf, err);
}

void options_help(const struct service_spec *spec, struct buf *out)
{
    buf_addf(out,
             "%s\n\nOptions (command line, then ROUSE_<NAME> in the environment, then the "
             "--config file):\n",
             spec->summary);
    for (size_t i = 0; i < spec->n_options; i++) {
        const struct option_def *o = &spec->options[i];
        buf_addf(out, "  --%-22s %s", o->name, o->help);
        if (!o->dflt)
            buf_adds(out, " (required)\n");
        else if (o->dflt[0])
            buf_addf(out, " (default %s)\n", o->dflt);
        else
            buf_addc(out, '\n');
    }
}
