/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where commits fall changes nothing.  Seeded random logs (events, late ones, duplicates, ticks, receipts,
 * erasures, changes of rules) are folded whole in complete mode, and then through a store with random
 * batches, small bites, a small cache and crashes before, in and after commits: decisions, chain,
 * states, public tags and all their changes and cursor must be the same bytes.
 */
#include "fold_util.h"
#include "store_sim.h"
#include "shop.h"

#define SEEDS 6

static uint64_t rng;
static uint32_t n_members = 40, n_records = 350;
static uint64_t rnd(void)
{
    uint64_t z = (rng += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
static uint32_t below(uint32_t n)
{
    return (uint32_t)(rnd() % n);
}

/* ---- programs: the second changes some rules, the third takes some away and adds others ---- */

static const char policy_1[] =
    "policy:\n"
    "  tz: Asia/Shanghai\n"
    "  consent: {sms: member.sms_ok, wechat: member.follows}\n"
    "  quiet: \"21:00-09:00\"\n"
    "  caps: {any: [2 per day, 5 per 7d], sms: [1 per 24h]}\n"
    "  holdout: 10%\n"
    "  hold: [{if: has(member.open_complaints) && member.open_complaints > 0, as: grievance}]\n"
    "  late: 1h\n"
    "  expire: 24h\n";
static const char policy_2[] = "policy:\n"
                               "  tz: Asia/Shanghai\n"
                               "  consent: {sms: member.sms_ok, wechat: member.follows}\n"
                               "  quiet: \"22:00-08:30\"\n"
                               "  caps: {any: [3 per day], wechat: [2 per week]}\n"
                               "  late: 2h\n"
                               "  expire: 12h\n";

#define RULES_COMMON                                                                               \
    "rules:\n"                                                                                     \
    "  welcome:\n"                                                                                 \
    "    trigger: register\n"                                                                      \
    "    limit: 1 ever\n"                                                                          \
    "    goal: {event: purchase, within: 5d, value: next.amount}\n"                                \
    "    do:\n"                                                                                    \
    "      - split: {a: {share: 60, do: [{send: hello, with: {name: member.name}}]}, none: "       \
    "{share: "                                                                                     \
    "40}}\n"                                                                                       \
    "      - wait: \"1d 10:00\"\n"                                                                 \
    "      - choose: [{if: member.orders > 0, do: [{stop: true}]}]\n"                              \
    "      - {send: text, with: {name: member.name}}\n"                                            \
    "  cart_left:\n"                                                                               \
    "    trigger: cart\n"                                                                          \
    "    if: event.price >= 50\n"                                                                  \
    "    again: restart\n"                                                                         \
    "    cancel: {event: purchase, where: \"!has(next.sku) || next.sku == event.sku\"}\n"          \
    "    limit: 2 per 7d\n"                                                                        \
    "    priority: 60\n"                                                                           \
    "    do:\n"                                                                                    \
    "      - wait: 2h\n"                                                                           \
    "      - {send: cart, with: {name: member.name, sku: event.sku}}\n"                            \
    "  hot:\n"                                                                                     \
    "    trigger: browse\n"                                                                        \
    "    key: event.sku\n"                                                                         \
    "    if: member.views_3d[event.sku] >= 2\n"                                                    \
    "    limit: 1 per 24h\n"                                                                       \
    "    do:\n"                                                                                    \
    "      - wait: 6h\n"                                                                           \
    "        until: [purchase, cart]\n"                                                            \
    "        else: [{send: note, with: {name: event.sku}}]\n"                                      \
    "      - {set: {kol: \"true\"}}\n"                                                             \
    "  thanks: {trigger: [purchase, register], do: [{send: receipt_note, with: {name: "            \
    "event.id}}]}\n"                                                                               \
    "  loyal: {trigger: {tag: loyal}, if: member.loyal, do: [{send: note, with: {name: "           \
    "member.name}}]}\n"                                                                            \
    "  kol: {trigger: {tag: kol}, if: has(member.kol), do: [{wait: 1h}, {send: text, with: "       \
    "{name: "                                                                                      \
    "member.name}}]}\n"                                                                            \
    "  answered: {trigger: receipt, if: event.status == 'clicked', do: [{send: receipt_note, "     \
    "with: "                                                                                       \
    "{name: event.rule}}]}\n"

static const char rules_1[] = RULES_COMMON
    "  level: {trigger: {tag: level}, if: member.level != old.level, do: [{send: hello, with: "
    "{name: "
    "old.level}}]}\n"
    "  birthday: {trigger: {date: member.birthday, before: 1d, at: \"10:00\"}, do: [{send: hello, "
    "with: {name: member.name}}]}\n";
static const char rules_2[] = RULES_COMMON
    "  level: {trigger: {tag: level}, mode: shadow, do: [{send: hello, with: {name: "
    "member.level}}]}\n"
    "  winback: {trigger: {silence: [purchase, register], for: 4d, at: \"10:00\"}, limit: 1 per "
    "30d, "
    "do: [{send: text, with: {name: member.name}}, {wait: 1d}, {send: note, with: {name: "
    "member.name}}]}\n"
    "  weekday: {trigger: {every: \"mon-fri 17:00\"}, if: member.orders > 1, priority: 20, do: "
    "[{send: note, with: {name: member.name}}]}\n";
static const char rules_3[] = RULES_COMMON
    "  birthday: {trigger: {date: member.birthday, at: \"09:30\"}, do: [{send: hello, with: {name: "
    "member.name}}]}\n"
    "  winback: {trigger: {silence: purchase, for: 2d}, limit: 1 per 30d, do: [{send: text, with: "
    "{name: member.name}}]}\n"
    "  payday: {trigger: {every: \"month 15 12:00\"}, do: [{send: hello, with: {name: "
    "member.name}}]}\n";

/* A fan-out event, and a collection that is an index in the first, none in the second, and another one
 * of the same name in the third. */
#define FANS(how)                                                                                  \
    "tags:\n"                                                                                      \
    "  favorites: {collect: cart.sku, drop: browse.sku, max: 2, public: true" how "}\n"            \
    "  run: {streak: browse.sku, window: 2h, public: true}\n"
#define FAN_RULES                                                                                  \
    "events:\n"                                                                                    \
    "  low: {topic: stock, id: id, time: ts, members: {in: favorites, key: sku}, fields: {id: "    \
    "string, sku: string, left: int}}\n"                                                           \
    "rules:\n"                                                                                     \
    "  low: {trigger: low, if: event.left > 1, limit: 2 per 24h, do: [{send: receipt_note, with: " \
    "{name: event.sku}}]}\n"                                                                       \
    "  till_low: {trigger: purchase, do: [{wait: 3d, until: low}, {send: note, with: {name: "      \
    "next.sku}}]}\n"
static const char fans_1[] = FANS("") FAN_RULES;
static const char fans_2[] = FANS("");
static const char fans_3[] = FANS(", where: event.price >= 30") FAN_RULES;

struct world {
    struct fu_log log;
    struct arena *a;
    struct program *p[3];
    bool append;
};

static int lookup(void *arg, struct str hash, const struct program **out)
{
    const struct world *w = arg;
    uint32_t i = (uint32_t)(hash.p[0] - '0');
    if (i > 2)
        return -1;
    *out = w->p[i];
    return 0;
}

static struct decide *fold_new(struct world *w, bool complete)
{
    struct decide_conf c = {.topology = 9,
                            .p = 3,
                            .partitions = 8,
                            .record_clock = !w->append,
                            .complete = complete,
                            .stagger = true,
                            .program = lookup,
                            .arg = w};
    if (!complete) {
        c.cache_bytes = below(3) ? 1 + below(30000) : 0;
        c.max_members = 1 + below(below(2) ? 4 : 40);
        c.max_bytes = below(2) ? 1 + below(4000) : (size_t)DECIDE_MAX_BYTES;
    }
    return decide_new(&c);
}

/* ---- a log, made while it is folded, so that receipts are about decisions that exist ---- */

static void member_name(char *to, size_t n)
{
    uint32_t i = below(n_members);
    (void)snprintf(to, n, "m%u", i);
    if (i % 5 == 1)
        (void)snprintf(to, n, "会员%u", i);
    if (i % 5 == 2)
        (void)snprintf(to, n, "x %u y", i);
}

struct maker {
    struct world *w;
    int64_t now;
    uint32_t ids;
    uint32_t program;
    uint64_t n;
};

static void time_text(const struct maker *m, char *to, size_t n)
{
    char at[40];
    int64_t ms = m->now - (below(4) ? 0 : (int64_t)below(3 * 3600) * 1000);
    at[time_format_ms(ms, at)] = '\0';
    (void)snprintf(to, n, "%s", at);
}

static void make_json(struct maker *m, char *topic, char *json, size_t n)
{
    char who[32], other[32], ts[48];
    uint32_t id = below(6) ? m->ids++ : m->ids - (m->ids > 5 ? below(5) : 0);
    member_name(who, sizeof who);
    member_name(other, sizeof other);
    time_text(m, ts, sizeof ts);
    switch (below(9)) {
    case 8:
        (void)strcpy(topic, "stock");
        (void)snprintf(json, n, "{\"id\":\"%u\",\"ts\":\"%s\",\"sku\":\"%c\",\"left\":%u}", id, ts,
                       'A' + (int)below(3), below(6));
        return;
    case 0:
        (void)strcpy(topic, "crm");
        (void)snprintf(json, n, "{\"id\":\"%u\",\"m\":\"%s\",\"ts\":\"%s\"}", id, who, ts);
        return;
    case 1:
    case 2:
        (void)strcpy(topic, "order");
        (void)snprintf(json, n, "{\"id\":\"%u\",\"m\":\"%s\",\"ts\":\"%s\",\"amount\":%u.5%s}", id,
                       who, ts, below(400), below(2) ? ",\"sku\":\"A\"" : "");
        return;
    case 3:
        (void)strcpy(topic, "cart");
        (void)snprintf(json, n,
                       "{\"id\":\"%u\",\"m\":\"%s\",\"ts\":\"%s\",\"sku\":\"%c\",\"price\":%u}", id,
                       who, ts, 'A' + (int)below(3), below(100));
        return;
    case 4:
        (void)strcpy(topic, "invite");
        (void)snprintf(json, n, "{\"id\":\"%u\",\"a\":\"%s\",\"b\":\"%s\",\"ts\":\"%s\"}", id, who,
                       other, ts);
        return;
    case 5:
        (void)strcpy(topic, "profile");
        (void)snprintf(json, n,
                       "{\"member\":\"%s\",\"time\":\"%s\",\"set\":{\"openid\":%s,\"phone\":\"%u\","
                       "\"birthday\":\"19%02u-%02u-%02u\"%s%s}}",
                       who, ts, below(3) ? "\"o\"" : "null", below(1000), 10 + below(80),
                       1 + below(12), 1 + below(28), below(4) ? "" : ",\"open_complaints\":1",
                       below(5) ? "" : ",\"sms_ok\":false");
        return;
    default:
        (void)strcpy(topic, "browse");
        (void)snprintf(json, n, "{\"id\":\"%u\",\"m\":\"%s\",\"ts\":\"%s\",\"sku\":\"%c\"}", id,
                       who, ts, 'A' + (int)below(3));
        return;
    }
}

static void make_events(struct maker *m)
{
    struct fu_log *l = &m->w->log;
    struct buf b;
    uint32_t entries = 1 + below(n_members > 512 ? 60 : 4);
    buf_init(&b, RECORD_MAX);
    record_begin_event(&b, m->n);
    for (uint32_t i = 0; i < entries; i++) {
        char topic[16], json[512];
        struct event *ev;
        uint32_t n;
        struct err err = {0};
        make_json(m, topic, json, sizeof json);
        int64_t offset = below(12) || l->offset < 4 ? l->offset++ : l->offset - 1 - below(3);
        const struct upstream u = {
            .src = {.topic = str_c(topic), .partition = (int32_t)(offset % 3), .offset = offset},
            .kafka_ms = m->now,
            .value = str_c(json)};
        const struct decode_limits lim = {
            .max_bytes = 65536, .max_depth = 32, .latest_ms = TIME_NEVER};
        if (model_decode(m->w->p[m->program]->schema, &u, &lim, l->a, &ev, &n, &err) != 0)
            fail_msg("%s: %s %s", json, err.code, err.text);
        const struct entry e = {
            .src = u.src, .at_ms = n ? ev[0].at_ms : m->now, .events = ev, .n_events = n};
        record_add_entry(&b, &e, i == 0);
    }
    record_end_event(&b);
    fu_add(l, buf_str(&b), m->now);
    buf_free(&b);
}

static void make_receipt(struct maker *m, const struct sim *s)
{
    static const char *const statuses[] = {"sent",     "delivered", "failed",  "failed",
                                           "returned", "ambiguous", "clicked", "opted_out",
                                           "expired",  "sent"};
    struct decision d;
    struct err err = {0};
    if (s->n_decisions == 0)
        return;
    size_t i = s->n_decisions - 1 - below((uint32_t)(s->n_decisions < 12 ? s->n_decisions : 12));
    assert_int_equal(
        decision_read((struct str){s->decisions[i].p, s->decisions[i].n}, m->w->a, &d, &err), 0);
    if (d.kind != DEC_SEND)
        return;
    bool named = below(3);
    fu_receipt(&m->w->log,
               &(struct receipt){.era = d.era,
                                 .seq = d.seq,
                                 .member = named ? d.member : STR(""),
                                 .rule = named ? d.rule : STR(""),
                                 .message = named ? d.message : STR(""),
                                 .gateway = d.gateway,
                                 .status = str_c(statuses[below((uint32_t)BASE_LEN(statuses))])},
               m->now);
}

static void make_one(struct maker *m, const struct sim *s)
{
    char who[32];
    uint32_t what = below(100);
    m->now += below(3) ? (int64_t)below(600) * 1000
                       : (int64_t)below(below(4) ? 8 * 3600 : 60 * 3600) * 1000 + below(1000);
    if (what < 55) {
        make_events(m);
    } else if (what < 78) {
        make_receipt(m, s);
    } else if (what < 95) {
        fu_tick(&m->w->log, m->now);
    } else if (what < 97) {
        member_name(who, sizeof who);
        fu_record(&m->w->log,
                  &(struct record){.kind = REC_ERASE, .at_ms = m->now, .member = str_c(who)},
                  m->now);
    } else {
        m->program = below(3);
        fu_rules(&m->w->log, ++m->n - (below(4) == 0), (int)m->program, m->now);
    }
}

/* ---- folding ---- */

static bool read_one(struct world *w, struct decide *d, uint32_t i, struct arena *a,
                     struct record *r)
{
    struct err err = {0};
    arena_reset(a);
    if (record_read(decide_schema(d), w->log.v[i].bytes, a, r, &err) == 0)
        return true;
    fail_msg("%s: " STR_FMT, err.text, STR_ARG(w->log.v[i].bytes));
    return false;
}

/* Fold record i; commits when FULL, and then maybe crashes.  False: crashed, start again at meta.off. */
static bool fold_one(struct world *w, struct sim *s, struct decide *d, uint32_t i, struct arena *a,
                     bool crashes)
{
    struct record r;
    struct err err = {0};
    enum decide_rc rc;
    if (!read_one(w, d, i, a, &r))
        return false;
    while ((rc = decide_record(d, &r, i, w->log.v[i].log_ms, &err)) != DECIDE_DONE) {
        if (rc == DECIDE_PARK)
            fail_msg("record %u: %s", i, err.text);
        if (rc == DECIDE_NEED)
            assert_true(sim_serve(s, d));
        if (crashes && below(40) == 0) {
            sim_crash(s, d, (int)below(4), below(1000));
            return false;
        }
        if (rc == DECIDE_FULL)
            sim_commit(s, d);
    }
    return true;
}

static void whole(struct world *w, struct sim *s)
{
    struct arena *a = arena_new(0);
    struct decide *d = fold_new(w, true);
    struct maker m = {.w = w, .now = fu_at(w->p[0]->tz, "2026-02-26 08:00"), .ids = 10, .n = 1};
    w->log.offset = 1;
    fu_rules(&w->log, 1, 0, m.now);
    for (uint32_t i = 0; i < n_records; i++) {
        while (w->log.n <= i)
            make_one(&m, s);
        (void)fold_one(w, s, d, i, a, false);
        sim_commit(s, d);
    }
    decide_free(&d);
    arena_free(&a);
}

static void in_pieces(struct world *w, struct sim *s)
{
    struct arena *a = arena_new(0);
    struct decide *d = fold_new(w, false);
    bool crashes = below(4) != 0;
    sim_claim(s, d);
    for (uint32_t i = 0; i < w->log.n;) {
        uint32_t batch = 1 + below(20);
        struct record r;
        for (uint32_t k = i; below(2) && k < i + batch && k < w->log.n; k++) {
            struct err err = {0};
            arena_reset(a);
            if (record_read(decide_schema(d), w->log.v[k].bytes, a, &r, &err) == 0)
                decide_want(d, &r);
        }
        if (below(2))
            (void)sim_serve(s, d);
        bool up = true;
        for (uint32_t k = 0; up && k < batch && i < w->log.n; k++)
            if ((up = fold_one(w, s, d, i, a, crashes)))
                i++;
        if (!up) {
            i = (uint32_t)s->meta.off;
        } else if (crashes && below(10) == 0) {
            sim_crash(s, d, (int)below(4), below(1000));
            i = (uint32_t)s->meta.off;
        } else {
            sim_commit(s, d);
            if (below(8) == 0) { /* another owner */
                decide_free(&d);
                d = fold_new(w, false);
                sim_claim(s, d);
            }
        }
    }
    decide_free(&d);
    arena_free(&a);
}

/* ---- comparing ---- */

static void same_texts(const struct map *x, const struct map *y)
{
    size_t it = 0;
    struct str key;
    void *v;
    assert_int_equal(map_len(x), map_len(y));
    while (map_next(x, &it, &key, &v)) {
        const struct sim_text *a = v, *b = map_get(y, key);
        assert_non_null(b);
        assert_string_equal(a->p, b->p);
    }
}

static void same(const struct world *w, const struct sim *x, const struct sim *y)
{
    size_t it = 0;
    struct str key;
    void *v;
    for (size_t i = 0; i < x->n_decisions && i < y->n_decisions; i++)
        assert_string_equal(x->decisions[i].p, y->decisions[i].p);
    assert_int_equal(x->n_decisions, y->n_decisions);
    assert_memory_equal(x->meta.chain, y->meta.chain, 32);
    assert_int_equal(x->meta.off, y->meta.off);
    assert_int_equal(x->meta.sub, y->meta.sub);
    assert_int_equal(x->meta.now_ms, y->meta.now_ms);
    assert_int_equal(x->meta.n, y->meta.n);
    assert_string_equal(x->meta.sweep, y->meta.sweep);
    assert_int_equal(map_len(x->members), map_len(y->members));
    while (map_next(x->members, &it, &key, &v)) {
        const struct sim_member *a = v, *b = map_get(y->members, key);
        assert_non_null(b);
        assert_int_equal(a->due, b->due);
        assert_int_equal(a->n, b->n);
        if (memcmp(a->state, b->state, a->n) == 0)
            continue;
        struct buf out;
        struct err err = {0};
        buf_init(&out, 1 << 20);
        (void)decide_show(w->p[0], key, (struct str){a->state, a->n}, x->meta.now_ms, &out, &err);
        buf_addc(&out, '\n');
        (void)decide_show(w->p[0], key, (struct str){b->state, b->n}, x->meta.now_ms, &out, &err);
        fail_msg("%s", out.p);
    }
    same_texts(x->publics, y->publics);
    assert_true(x->told.n > 0);
    assert_string_equal(x->told.p, y->told.p);
    same_texts(x->sent, y->sent);
}

static void programs(struct world *w)
{
    const char *one[] = {shop, policy_1, rules_1, fans_1},
               *two[] = {shop, policy_2, rules_2, fans_2},
               *three[] = {shop, policy_1, rules_3, fans_3};
    w->p[0] = fu_program(one, 4);
    w->p[1] = fu_bundled(fu_program(two, 4), w->p[0]);
    w->p[2] = fu_bundled(fu_program(three, 4), w->p[1]); /* switched back to 0, runs lose theirs */
}

/* With FOLD_SEEDS=N [FOLD_SEED=FIRST] in the environment: what was covered, and the digest. */
static void tell(const struct sim *s)
{
    char chain[65];
    enc_hex(s->meta.chain, 32, chain);
    print_message(
        "  %s: %zu decisions, %llu appended, %llu commits, %llu loads, %llu fetches, at most "
        "%zu members and %zu bytes\n",
        chain, s->n_decisions, (unsigned long long)s->appended, (unsigned long long)s->commits,
        (unsigned long long)s->loads, (unsigned long long)s->dues, s->most_members, s->most_bytes);
}

static void one_seed(uint64_t seed, const struct world *with, uint64_t *total)
{
    struct world w = *with;
    struct sim *x = sim_new();
    rng = seed;
    w.a = arena_new(0);
    w.append = seed % 2;
    w.log = (struct fu_log){.a = w.a, .tz = w.p[0]->tz};
    whole(&w, x);
    w.log.n = n_records;
    for (int i = 0; i < 4; i++) {
        struct sim *y = sim_new();
        in_pieces(&w, y);
        same(&w, x, y);
        if (getenv("FOLD_SEEDS"))
            tell(y);
        sim_free(&y);
    }
    *total += x->n_decisions;
    sim_free(&x);
    free(w.log.v);
    arena_free(&w.a);
}

static void commits_fall_anywhere(void **state)
{
    struct world w = {0};
    const char *env = getenv("FOLD_SEEDS");
    uint64_t total = 0, n = env ? strtoull(env, NULL, 10) : SEEDS;
    const char *from = getenv("FOLD_SEED");
    uint64_t first = from ? strtoull(from, NULL, 10) : 1;
    (void)state;
    programs(&w);
    for (uint64_t seed = first; seed < first + n; seed++) {
        if (env || from)
            print_message("seed %llu\n", (unsigned long long)seed);
        one_seed(seed, &w, &total);
    }
    assert_true(total > 20 * n); /* or the logs say nothing */
    for (int i = 0; i < 3; i++)
        rule_free(&w.p[i]);
}

/* A state whose bytes were changed or cut is refused or read as something else, never past its end. */
static void damaged_states(void **state)
{
    struct world w = {0};
    struct sim *s = sim_new();
    size_t it = 0;
    struct str key;
    void *v;
    uint32_t refused = 0, all = 0;
    (void)state;
    rng = 77;
    n_members = 40;
    n_records = 200;
    programs(&w);
    w.a = arena_new(0);
    w.log = (struct fu_log){.a = w.a, .tz = w.p[0]->tz};
    whole(&w, s);
    while (map_next(s->members, &it, &key, &v)) {
        const struct sim_member *m = v;
        for (int i = 0; i < 60; i++) {
            struct err err = {0};
            struct buf out;
            size_t n = below(5) ? m->n : below((uint32_t)m->n);
            char *bytes = xmemdup0(m->state, m->n); /* n + 1 bytes: see below */
            char *exact = xmalloc(n);
            for (uint32_t k = below(4); k > 0; k--)
                bytes[below((uint32_t)m->n)] = (char)rnd();
            memcpy(exact, bytes, n); /* so that the sanitizer sees the end */
            buf_init(&out, 1 << 22);
            refused +=
                decide_show(w.p[0], key, (struct str){exact, n}, s->meta.now_ms, &out, &err) != 0;
            all++;
            buf_free(&out);
            free(exact);
            free(bytes);
        }
    }
    assert_in_range(refused, all / 20, all - 1);
    free(w.log.v);
    arena_free(&w.a);
    sim_free(&s);
    for (int i = 0; i < 3; i++)
        rule_free(&w.p[i]);
}

/* More members than a bite of the sweep has. */
static void sweeps_fall_anywhere(void **state)
{
    struct world w = {0};
    uint64_t total = 0;
    (void)state;
    n_members = 1500;
    n_records = 220;
    programs(&w);
    for (uint64_t seed = 1000; seed < 1001; seed++)
        one_seed(seed, &w, &total);
    for (int i = 0; i < 3; i++)
        rule_free(&w.p[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(commits_fall_anywhere),
                                       cmocka_unit_test(damaged_states),
                                       cmocka_unit_test(sweeps_fall_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
