/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of rule.  A load gathers the named items of all sections (from files or from a bundle),
 * then fills the program section by section in dependency order: policy's zone, events, tables,
 * gateways, tags, messages, policy, rules, tests, indexes.  Names are registered before definitions
 * are read, so that one broken definition makes one message and not one at each use.
 */
#ifndef ROUSE_RULE_PRIV_H
#define ROUSE_RULE_PRIV_H

#include "rule.h"

enum section { SEC_EVENTS, SEC_TABLES, SEC_TAGS, SEC_MESSAGES, SEC_POLICY, SEC_RULES, SEC_TESTS };
#define N_SECTIONS 7
extern const char *const section_names[N_SECTIONS];

/* One named definition, wherever it was written. */
struct item {
    struct str name;
    struct span name_at;
    const struct yaml_node *node;
};
struct items {
    struct item *v;
    uint32_t n, cap;
    struct map *names; /* name -> position + 1 */
};

/* An earlier text of a rule, as a bundle carries it. */
struct old_text {
    struct str rule, hash, text;
};

/* A program with what it stands on; struct program is its first member. */
struct loaded {
    struct program p;
    struct arena *a;
    struct map *versions;        /* "NAME\0HASH" -> rule_def of old_rules */
    const struct old_text *olds; /* as carried, also those that no longer compile */
    uint32_t n_olds;
    struct items items[N_SECTIONS]; /* for bundle_make: the trees, sorted by name */
    const struct csv_text *csvs;
    uint32_t n_csvs;
    const struct zone *const *zones; /* that expressions name, besides tz */
    uint32_t n_zones;
    struct str *address_tags; /* [gateway] the name of the tag, or empty */
};
#define MAX_GATEWAYS 64
struct gateway_tag { /* for sorting the two together */
    struct gateway_def g;
    struct str tag;
};
struct csv_text { /* the contents of a table's file */
    struct str table, text;
};

struct reader; /* of a bundle */
struct load {
    struct arena *a;
    struct diags *d;
    struct loaded *l;
    struct program *p; /* = &l->p */
    const struct rule_options *o;
    struct items *items; /* = l->items */
    bool bundle;         /* from a bundle: zone and gateways are given, files are not read */
    bool unread;         /* a file could not be read: what it defines would be missed */
    /* The contents of a table's file, beside the file that names it: 0, or -1 and err. */
    int (*csv)(struct load *L, struct str table, struct str path, struct str *out, struct err *err);
    void *csv_arg;
    /* A bundle's earlier texts, compiled once the rules stand and before the indexes. */
    void (*load_olds)(struct reader *r);
    struct reader *olds;
    /* while loading: the same objects as in *p, still writable */
    struct event_def **events;
    struct tag_def *tags;
    struct field *member_fields;
    struct gateway_def *gateways;
    uint32_t gateways_cap;
    struct message_def *messages;
    const struct expr **exprs; /* all of them, for the warnings; from files only */
    uint32_t n_exprs, cap_exprs;
    bool *tag_broken, *message_broken;
    const struct str *event_names, *tag_names, *message_names, *rule_names, *table_names;
};

/* ---- shape.c: reading trees ------------------------------------------------------------------ */

struct where { /* "rule `d`" */
    const char *kind;
    struct str name;
};
struct key_def {
    const char *name;
    bool need;
    const char *unbuilt; /* the code with which it is refused by name; NULL: it is built */
    const char *type;    /* how its value is written: a name of schema.c, or words `a|b` */
    const char *en, *zh; /* what it is for: the schema and the reference print it */
};
struct key_table {
    const char *name; /* of the definition in the schema */
    const struct key_def *keys;
    size_t n;
    const char *en, *zh; /* what has these keys */
};
extern const struct key_table rule_table, goal_table, trigger_form_table, cycle_table,
    pattern_table, wait_to_table, arm_table, branch_table, event_def_table, members_table,
    long_type_table, table_table, value_table, levels_table, message_def_table, block_table,
    hold_table, workdays_table, policy_table, test_table, test_step_table, expect_table,
    withheld_table, receipt_table;
const struct key_table *key_table_at(size_t i); /* NULL after the last */
#define TAG_KEYS_MAX 10
#define STEP_KEYS_MAX 3
size_t tag_kind_keys(enum tag_kind k, struct key_def keys[TAG_KEYS_MAX]); /* its own key first */
const struct key_def *tag_kind_key(enum tag_kind k);
size_t step_keys_of(size_t verb, struct key_def keys[STEP_KEYS_MAX]); /* 0 after the last verb */
const char *type_word_at(size_t i);                                   /* NULL after the last */
#define MOST_ADVICE 200     /* errors; then names are no longer compared and listed */
bool is_name(struct str s); /* [a-z][a-z0-9_]* */
struct span span_none(void);
/* First error of a node's shape; false = reported (S003). */
bool want_map(struct load *L, const struct yaml_node *n, const char *what);
bool want_list(struct load *L, const struct yaml_node *n, const char *what);
bool want_text(struct load *L, const struct yaml_node *n, const char *what, struct str *out);
/* A mapping with exactly these keys: out[i] = value of keys[i] or NULL.  extra (may be NULL): further
 * names that are allowed and left to the caller.  false: reported, but out is filled as far as it
 * goes (all NULL when it is no mapping). */
bool read_keys(struct load *L, const struct yaml_node *n, struct where w,
               const struct key_def *keys, size_t n_keys, const struct str *extra, size_t n_extra,
               const struct yaml_node **out);
/* "unknown … `x`" with a suggestion and the list of what is known. */
void unknown(struct load *L, const char *code, struct span at, const char *what, struct str word,
             const struct str *names, size_t n, const char *note);
/* "`streak` is not built yet" */
void unbuilt(struct load *L, const char *code, struct span at, const char *what);
/* "a", "b" sorted and joined by ", ", at most 40 names. */
struct str join_names(struct load *L, const struct str *names, size_t n);
struct str did_you_mean(struct load *L, struct str word, const struct str *names, size_t n);
/* Scalars. NULL node: false, nothing reported. `what` names it in messages. */
bool read_bool(struct load *L, const struct yaml_node *n, const char *what, bool *out);
bool read_int(struct load *L, const struct yaml_node *n, const char *what, int64_t lo, int64_t hi,
              int64_t *out);
bool read_len(struct load *L, const struct yaml_node *n, const char *code, const char *what,
              int64_t *ms);
bool read_clock(struct load *L, const struct yaml_node *n, const char *what, int32_t *minutes);
bool read_percent(struct load *L, const struct yaml_node *n, const char *what, uint32_t *bp);
/* Which of the words `a|b|c` it is, from 0; or -1 and reported. */
int read_word(struct load *L, const struct yaml_node *n, const char *what, const char *words);
/* A single node as a list of itself, or the list. */
uint32_t as_list(const struct yaml_node *n, const struct yaml_node *const **items,
                 const struct yaml_node **one);

/* ---- files.c --------------------------------------------------------------------------------- */

#define TABLE_MAX_BYTES (16u << 20)
/* struct srcfile's order: messages about tables and adapters come after those about rule files. */
#define FIRST_TABLE_FILE 0x80000000u
#define FIRST_ADAPTER_FILE 0xc0000000u
enum file_got { FILE_READ, FILE_TOO_LARGE, FILE_UNREADABLE };
/* An ordinary file of at most `max` bytes; else err says why, without the path. Never waits. */
enum file_got file_read(struct arena *a, const char *path, size_t max, struct str *out,
                        struct err *err);
/* The *.yaml of directories (sorted by path) and files.  0, though some may be missing: reported, and
 * L->unread.  -1 and err: no program can come of this. */
int files_read(struct load *L, const char *const *paths, size_t n, struct srcfile **out,
               size_t *n_out, struct err *err);

/* ---- gather.c -------------------------------------------------------------------------------- */

void items_add(struct load *L, enum section s, struct item it);
void items_sort(struct load *L);
const struct item *items_get(const struct items *t, struct str name);
/* The sections of one parsed file. */
void gather(struct load *L, const struct yaml_node *root);

/* ---- types.c --------------------------------------------------------------------------------- */

struct field_type {
    const struct type *type;
    bool optional;
    struct path path; /* n = 0: under its own name */
};
bool read_type(struct load *L, const struct yaml_node *n, const char *what, struct field_type *out);
bool read_path(struct load *L, const struct yaml_node *n, const char *what, struct path *out);
struct path path_of(struct load *L, struct str text);
bool type_same(const struct type *a, const struct type *b);
const struct type *type_list_of(struct load *L, const struct type *elem, uint32_t max);
/* A scalar as a value of a type: default:, tags of tests' members, cells of tables. */
bool read_value(struct load *L, const struct yaml_node *n, const struct type *t, struct val *out);
/* The same from text alone; false = it is not one. */
bool text_value(struct load *L, struct str s, const struct type *t, struct val *out);
const char *type_word(const struct type *t); /* "string", "a list" … for messages */
/* What an expression sees of several events (rule.h). */
struct event_view make_view(struct load *L, const uint32_t *events, uint32_t n);

/* ---- exprs.c --------------------------------------------------------------------------------- */

/* Compile a scalar; NULL = reported. `what` names the value in messages ("`name`"). */
const struct expr *compile(struct load *L, const struct yaml_node *n, const struct expr_env *env,
                           const struct type *want, struct str what);
const struct expr *compile_bool(struct load *L, const struct yaml_node *n,
                                const struct expr_env *env);
void zones_add(struct load *L, const struct zone *z);
/* Span of an expression's text, without quotes. */
struct span expr_span(const struct yaml_node *n);
/* The environments. */
struct expr_env env_event(struct load *L, uint32_t event); /* event and tables: of, by, where */
struct expr_env env_member(struct load *L);                /* member and now */

/* ---- the sections ---------------------------------------------------------------------------- */

void load_zone(struct load *L);
void load_events(struct load *L);
void load_fans(struct load *L);
void load_profile(struct load *L); /* after the stored tags' types are known */
void load_tables(struct load *L);
void load_gateways(struct load *L);
void check_gateways(struct load *L); /* after the tags */
void load_tags(struct load *L);
void load_derived(struct load *L);                       /* value and levels */
void tag_field(struct load *L, const struct tag_def *t); /* its field of `member` */
void load_messages(struct load *L);
void load_policy(struct load *L);
void load_rules(struct load *L);
void load_tests(struct load *L);
void build_indexes(struct load *L);

/* ---- lint*.c: warnings, on a program without errors ------------------------------------------------- */

void lint(struct load *L);
void lint_reach(struct load *L);   /* what is never reached */
void lint_cascade(struct load *L); /* tags and rules that may go round in circles */
/* Instructions that are reached without waiting for time to pass, from pc 0; of a targeted walk: not
 * behind the condition of a branch or an event that was waited for. */
enum reach { REACH_ALL, REACH_AT_ONCE, REACH_UNTARGETED };
/* The condition of the branch of `choose` in which instruction `pc` stands; NULL: in none. */
const struct expr *lint_branch(const struct instr *choose, uint32_t pc);
bool *lint_reached(struct load *L, const struct rule_def *r, enum reach how);

void add_gateway(struct load *L, struct str name, struct str tag);
/* Reads the event named by a node; RULE_NONE = reported. */
uint32_t read_event(struct load *L, const struct yaml_node *n);
uint32_t event_index(const struct load *L, struct str name);
uint32_t message_index(const struct load *L, struct str name);
uint32_t gateway_index(const struct load *L, struct str name);
uint32_t name_index(const struct str *names, uint32_t n, struct str name);
bool read_limit(struct load *L, const struct yaml_node *n, struct limit *out);
bool is_sms(struct str gateway);
bool read_date_word(struct str s, int64_t *day); /* YYYY-MM-DD -> day number */

/* One rule from its tree.  0 or -1 with errors in L->d. */
int load_rule(struct load *L, const struct item *it, struct rule_def *r);
/* The steps of a rule; fills code. See step.c. */
struct rule_load {
    struct load *L;
    struct rule_def *r;
    struct expr_env env;                /* event, member, now and, until it may wait, old */
    const struct event_view *next_view; /* of the place that is being compiled */
    bool next_mixed;                    /* branches left different ones */
    bool waited;                        /* time may have passed since the start */
    struct instr *code;
    uint32_t n, cap;
    struct str salts[16]; /* of the splits so far */
    uint32_t n_salts;
    bool bad; /* the trigger's event is unknown */
};
#define PC_END (UINT32_MAX - 1) /* until the program's last instruction is known */
void load_steps(struct rule_load *R, const struct yaml_node *steps);
bool read_pattern(struct rule_load *R, const struct yaml_node *n, struct pattern *out);
uint32_t read_patterns(struct rule_load *R, const struct yaml_node *n, const struct pattern **out);
void load_trigger(struct rule_load *R, const struct yaml_node *n);

/* The whole of a load once the items are gathered: 0 when there are no errors. */
int load_program(struct load *L);
struct loaded *loaded_new(void);
void load_begin(struct load *L, struct loaded *l, struct diags *d, const struct rule_options *o);
/* Text that names a rule's version: 16 hex digits; `note` is not counted. */
struct str rule_hash(struct load *L, const struct yaml_node *node, struct str *text);

#endif
