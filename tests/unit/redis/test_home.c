/* SPDX-License-Identifier: Apache-2.0 */
/* Home slots on a real redis-server: fences, pages, limits, what is refused and what stays. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server.h"

#define TOK_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TOK_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct server server;
static struct redis *r;
static struct redis_home home;

/* ---- one request, waited for ---------------------------------------------------------------------- */

struct got {
    int calls;
    enum redis_outcome outcome;
    enum redis_fault fault;
    struct err err;
    char text[4096]; /* the reply, flat: items joined by blanks, nil as ~ */
};

static void flat(const struct redis_reply *o, struct got *g)
{
    size_t n = strlen(g->text);
    if (n > sizeof g->text - 300)
        return;
    if (o->kind == REDIS_NIL)
        snprintf(g->text + n, sizeof g->text - n, "~ ");
    else if (o->kind == REDIS_INT)
        snprintf(g->text + n, sizeof g->text - n, "%lld ", (long long)o->i);
    else if (o->kind != REDIS_ARRAY)
        snprintf(g->text + n, sizeof g->text - n, "%.200s ", o->s.p);
    for (uint32_t i = 0; o->kind == REDIS_ARRAY && i < o->n; i++)
        flat(o->items[i], g);
}

static void on_got(void *arg, const struct redis_result *res)
{
    struct got *g = arg;
    g->calls++;
    g->outcome = res->outcome;
    g->fault = res->fault;
    g->err = res->err;
    if (res->outcome == REDIS_DONE)
        flat(res->reply, g);
}

static void drain(void)
{
    struct err err = {0};
    assert_int_equal(redis_drain(r, 10000, &err), 0);
}

static struct redis_cursor at(const char *tok, uint64_t off, uint64_t sub)
{
    struct redis_cursor c = {.off = off, .sub = sub};
    memcpy(c.tok, tok, 33);
    return c;
}

static struct got claim(const char *tok)
{
    struct got g = {0};
    assert_int_equal(redis_claim(r, &home, tok, INT64_MAX, on_got, &g, NULL), 0);
    drain();
    return g;
}

static struct got commit(struct redis_cursor c, const struct redis_commit *w)
{
    struct got g = {0};
    assert_int_equal(redis_commit(r, &home, &c, w, INT64_MAX, on_got, &g, NULL), 0);
    drain();
    return g;
}

static struct got load(struct redis_cursor c, const char *member)
{
    struct got g = {0};
    struct str m = str_c(member);
    assert_int_equal(redis_load(r, &home, &c, &m, 1, 0, NULL, 0, INT64_MAX, on_got, &g, NULL), 0);
    drain();
    return g;
}

struct got_state {
    char text[64];
};

static void on_state(void *arg, const struct redis_result *res)
{
    struct got_state *g = arg;
    assert_int_equal(res->outcome, REDIS_DONE);
    struct str s = redis_load_state(res->reply, 0);
    snprintf(g->text, sizeof g->text, "%.*s", (int)s.n, s.p != NULL ? s.p : "");
}

static const char *load_state(struct redis_cursor c, const char *member)
{
    static struct got_state g;
    struct str m = str_c(member);
    assert_int_equal(redis_load(r, &home, &c, &m, 1, 0, NULL, 0, INT64_MAX, on_state, &g, NULL), 0);
    drain();
    return g.text;
}

static struct got due(struct redis_cursor c, int64_t after, const char *member, int64_t upto,
                      uint32_t n)
{
    struct got g = {0};
    struct redis_due q = {after, str_c(member), upto, n, false};
    assert_int_equal(redis_due(r, &home, &c, &q, INT64_MAX, on_got, &g, NULL), 0);
    drain();
    return g;
}

static struct got timers_after(struct redis_cursor c, int64_t after, const char *member,
                               int64_t upto, uint32_t n)
{
    struct got g = {0};
    struct redis_due q = {after, str_c(member), upto, n, false};
    do { /* "~ ": ask again */
        g = (struct got){0};
        assert_int_equal(redis_timers(r, &home, &c, &q, INT64_MAX, on_got, &g, NULL), 0);
        drain();
    } while (strcmp(g.text, "~ ") == 0);
    return g;
}

static struct got timers(struct redis_cursor c, int64_t upto, uint32_t n)
{
    return timers_after(c, INT64_MIN, "", upto, n);
}

static struct got cmd(const char *a, const char *b, const char *c, const char *d)
{
    const char *in[] = {a, b, c, d};
    struct str argv[4];
    size_t n = 0;
    while (n < 4 && in[n] != NULL) {
        argv[n] = str_c(in[n]);
        n++;
    }
    struct got g = {0};
    assert_int_equal(redis_send(r, argv, n, INT64_MAX, on_got, &g, NULL), 0);
    drain();
    return g;
}

static const char *key(const char *what)
{
    static char k[2][300];
    static int i;
    i = 1 - i;
    snprintf(k[i], sizeof k[i], "%s%s", home.text, what);
    return k[i];
}

/* A commit of one member from (off, sub) to off + 1. */
static struct redis_field next_off[] = {{STR("off"), STR("")}, {STR("sub"), STR("0")}};
static struct got commit_one(struct redis_cursor c, const char *member, const char *state,
                             int64_t due_ms)
{
    char off[24];
    snprintf(off, sizeof off, "%llu", (unsigned long long)c.off + 1);
    next_off[0].value = str_c(off);
    struct redis_change ch = {str_c(member), str_c(state), due_ms, false, true};
    struct redis_commit w = {.changes = &ch, .n_changes = 1, .meta = next_off, .n_meta = 2};
    return commit(c, &w);
}

static int fresh(void **state)
{
    (void)state;
    cmd("FLUSHALL", NULL, NULL, NULL);
    redis_home(&home, 3, 64);
    struct err err = {0};
    assert_int_equal(redis_init_home(r, 0xabcd, 64, 3, 5000, &err), 1);
    return 0;
}

/* ---- tests ------------------------------------------------------------------------------------------- */

static void test_init(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(redis_init_home(r, 0xabcd, 64, 3, 5000, &err), 0); /* again: there */
    assert_int_equal(redis_check_home(r, 0xabcd, 64, 3, 5000, &err), 1);
    assert_int_equal(redis_check_home(r, 0xabcd, 64, 4, 5000, &err), 0);
    assert_int_equal(redis_check_home(r, 0xabce, 64, 3, 5000, &err), -1);
    assert_string_equal(err.code, "topology");
    assert_non_null(strstr(err.text, "0000abcd/64/3"));
    struct got g = claim(TOK_A);
    assert_int_equal(g.outcome, REDIS_DONE);
    assert_non_null(strstr(g.text, "topo 0000abcd/64/3"));
    assert_non_null(strstr(g.text, "off 0 sub 0"));
    assert_non_null(strstr(g.text, "tok " TOK_A));
}

static void test_nometa(void **state)
{
    (void)state;
    cmd("FLUSHALL", NULL, NULL, NULL);
    struct got g = claim(TOK_A);
    assert_int_equal(g.outcome, REDIS_REFUSED);
    assert_int_equal(g.fault, REDIS_FAULT_NOMETA);
    assert_int_equal(load(at(TOK_A, 0, 0), "m").fault, REDIS_FAULT_NOMETA);
    assert_int_equal(commit_one(at(TOK_A, 0, 0), "m", "s", 1).fault, REDIS_FAULT_NOMETA);
    assert_string_equal(cmd("DBSIZE", NULL, NULL, NULL).text, "0 "); /* nothing starts over */
}

static void test_fences(void **state)
{
    (void)state;
    claim(TOK_A);
    assert_int_equal(commit_one(at(TOK_A, 0, 0), "m1", "one", 100).outcome, REDIS_DONE);
    assert_string_equal(load_state(at(TOK_A, 1, 0), "m1"), "one");
    /* off, sub and tok, each on reads and on writes */
    const struct redis_cursor bad[] = {at(TOK_A, 0, 0), at(TOK_A, 2, 0), at(TOK_A, 1, 1),
                                       at(TOK_B, 1, 0)};
    for (size_t i = 0; i < BASE_LEN(bad); i++) {
        assert_int_equal(load(bad[i], "m1").fault, REDIS_FAULT_CONFLICT);
        assert_int_equal(due(bad[i], INT64_MIN, "", INT64_MAX, 9).fault, REDIS_FAULT_CONFLICT);
        assert_int_equal(commit_one(bad[i], "m1", "two", 200).fault, REDIS_FAULT_CONFLICT);
    }
    assert_string_equal(load_state(at(TOK_A, 1, 0), "m1"), "one");
    /* a new owner shuts the old one out */
    claim(TOK_B);
    assert_int_equal(load(at(TOK_A, 1, 0), "m1").fault, REDIS_FAULT_CONFLICT);
    assert_int_equal(commit_one(at(TOK_A, 1, 0), "m1", "two", 200).fault, REDIS_FAULT_CONFLICT);
    assert_int_equal(commit_one(at(TOK_B, 1, 0), "m1", "two", 200).outcome, REDIS_DONE);
}

/* A script that fails half way would leave its first writes: so types are checked first. */
static void test_types_first(void **state)
{
    (void)state;
    claim(TOK_A);
    const struct redis_tag tag = {STR("m1"), STR("tier"), STR("gold"), false};
    const struct redis_sent sent = {7, STR("m1"), STR("welcome"), STR("hello")};
    const struct redis_link link = {STR("stores"), STR("s1"), STR("m1"), false};
    const struct redis_change ch = {STR("m1"), STR("one"), 100, false, true};
    const struct redis_field meta[] = {{STR("off"), STR("1")}, {STR("sub"), STR("0")}};
    struct redis_commit w = {.changes = &ch,
                             .n_changes = 1,
                             .tags = &tag,
                             .n_tags = 1,
                             .sent = &sent,
                             .n_sent = 1,
                             .links = &link,
                             .n_links = 1,
                             .meta = meta,
                             .n_meta = 2};
    const char *const spoiled[] = {"timers", "tags:m1", "sent:0:0", "x:stores:s1"};
    for (size_t i = 0; i < BASE_LEN(spoiled); i++) {
        cmd("SET", key(spoiled[i]), "a string", NULL);
        struct got g = commit(at(TOK_A, 0, 0), &w);
        assert_int_equal(g.outcome, REDIS_REFUSED);
        assert_int_equal(g.fault, REDIS_FAULT_BUG);
        assert_string_equal(load(at(TOK_A, 0, 0), "m1").text, "~ "); /* not one write */
        cmd("DEL", key(spoiled[i]), NULL, NULL);
    }
    assert_int_equal(commit(at(TOK_A, 0, 0), &w).outcome, REDIS_DONE);
    assert_string_equal(cmd("HGET", key("tags:m1"), "tier", NULL).text, "gold ");
    assert_string_equal(cmd("HGET", key("sent:0:0"), "7", NULL).text, "2:m1,7:welcome,5:hello, ");
}

static void test_gone_and_unset(void **state)
{
    (void)state;
    claim(TOK_A);
    struct redis_tag tags[] = {{STR("m1"), STR("a"), STR("1"), false},
                               {STR("m1"), STR("b"), STR("2"), false},
                               {STR("m2"), STR("a"), STR("3"), false}};
    struct redis_change ch[] = {{STR("m1"), STR("s1"), 100, false, true},
                                {STR("m2"), STR("s2"), INT64_MAX, false, true}};
    struct redis_field meta[] = {{STR("off"), STR("1")}, {STR("sub"), STR("0")}};
    struct redis_commit w = {
        .changes = ch, .n_changes = 2, .tags = tags, .n_tags = 3, .meta = meta, .n_meta = 2};
    assert_int_equal(commit(at(TOK_A, 0, 0), &w).outcome, REDIS_DONE);
    assert_string_equal(due(at(TOK_A, 1, 0), INT64_MIN, "", INT64_MAX, 9).text, "m1 100 m2 inf ");
    tags[0].unset = true;
    ch[0].gone = true;
    ch[1].due_changed = false;
    ch[1].state = STR("s2b");
    w.n_tags = 2;
    meta[0].value = STR("2");
    assert_int_equal(commit(at(TOK_A, 1, 0), &w).outcome, REDIS_DONE);
    assert_string_equal(due(at(TOK_A, 2, 0), INT64_MIN, "", INT64_MAX, 9).text, "m2 inf ");
    assert_string_equal(load(at(TOK_A, 2, 0), "m1").text, "~ ");
    assert_string_equal(load_state(at(TOK_A, 2, 0), "m2"), "s2b");
    assert_string_equal(cmd("HGETALL", key("tags:m1"), NULL, NULL).text, "b 2 ");
}

static void test_due_pages(void **state)
{
    (void)state;
    claim(TOK_A);
    /* Equal moments go by the member's bytes, high bytes and NUL among them. */
    const struct str names[] = {STR("a"), STR("a\0x"),     STR("ab"),
                                STR("b"), STR("\xc3\xa9"), STR("z")};
    struct redis_change ch[BASE_LEN(names)];
    for (size_t i = 0; i < BASE_LEN(names); i++)
        ch[i] = (struct redis_change){names[i], STR("s"), i == 5 ? 200 : 100, false, true};
    struct redis_field meta[] = {{STR("off"), STR("1")}, {STR("sub"), STR("0")}};
    struct redis_commit w = {
        .changes = ch, .n_changes = BASE_LEN(names), .meta = meta, .n_meta = 2};
    assert_int_equal(commit(at(TOK_A, 0, 0), &w).outcome, REDIS_DONE);
    struct redis_cursor c = at(TOK_A, 1, 0);
    assert_string_equal(due(c, INT64_MIN, "", 100, 99).text,
                        "a 100 a 100 ab 100 b 100 \xc3\xa9 100 ");
    assert_string_equal(due(c, INT64_MIN, "", 100, 1).text, "a 100 ");
    assert_string_equal(due(c, 100, "a", 100, 2).text, "a 100 ab 100 ");
    /* after a member that is not there (any more) */
    assert_string_equal(due(c, 100, "aa", 100, 2).text, "ab 100 b 100 ");
    assert_string_equal(due(c, 100, "0", 100, 1).text, "a 100 ");
    assert_string_equal(due(c, 100, "zz", 200, 9).text, "\xc3\xa9 100 z 200 ");
    assert_string_equal(due(c, 100, "\xff", 200, 9).text, "z 200 ");
    assert_string_equal(due(c, 99, "zzz", 100, 1).text, "a 100 ");
    assert_string_equal(due(c, INT64_MIN, "", 99, 9).text, "");
    assert_string_equal(due(c, 200, "z", INT64_MAX, 9).text, "");
}

/* Page by page in any size gives the same list as at once. */
static void test_due_many(void **state)
{
    (void)state;
    claim(TOK_A);
    static char names[500][32];
    static struct redis_change ch[500];
    for (int i = 0; i < 500; i++) {
        snprintf(names[i], sizeof names[i], "m%04d", i);
        ch[i] =
            (struct redis_change){str_c(names[i]), STR("s"), 1000 + (i * 7919) % 5, false, true};
    }
    struct redis_field meta[] = {{STR("off"), STR("1")}, {STR("sub"), STR("0")}};
    struct redis_commit w = {.changes = ch, .n_changes = 500, .meta = meta, .n_meta = 2};
    assert_int_equal(commit(at(TOK_A, 0, 0), &w).outcome, REDIS_DONE);
    for (uint32_t page = 1; page < 300; page = page * 3 + 1) {
        char after[16] = "";
        int64_t ms = INT64_MIN;
        int seen = 0;
        for (;;) {
            struct got g = due(at(TOK_A, 1, 0), ms, after, INT64_MAX, page);
            char *save, *m = strtok_r(g.text, " ", &save);
            if (m == NULL)
                break;
            for (; m != NULL; m = strtok_r(NULL, " ", &save)) {
                long long d = atoll(strtok_r(NULL, " ", &save));
                assert_true(d > ms || (d == ms && strcmp(m, after) > 0));
                ms = d;
                snprintf(after, sizeof after, "%s", m);
                seen++;
            }
        }
        assert_int_equal(seen, 500);
        if (page >= 40)
            break; /* got.text holds no more */
    }
}

/* The index may be early, what redis_timers tells never is. */
static void test_timers_lazy(void **state)
{
    (void)state;
    claim(TOK_A);
    struct redis_change ch[] = {{STR("a"), STR("s"), 100, false, true},
                                {STR("b"), STR("s"), 200, false, true},
                                {STR("c"), STR("s"), 300, false, true},
                                {STR("d"), STR("s"), INT64_MAX, false, true}};
    struct redis_field meta[] = {{STR("off"), STR("1")}, {STR("sub"), STR("0")}};
    struct redis_commit w = {.changes = ch, .n_changes = 4, .meta = meta, .n_meta = 2};
    assert_int_equal(commit(at(TOK_A, 0, 0), &w).outcome, REDIS_DONE);
    assert_string_equal(timers(at(TOK_A, 1, 0), INT64_MAX, 9).text, "a 100 b 200 c 300 d inf ");
    ch[0].due_ms = 250;       /* later */
    ch[1].due_ms = INT64_MAX; /* none any more */
    ch[2].due_ms = 50;        /* earlier: moved at once */
    ch[3].due_ms = 220;
    meta[0].value = STR("2");
    assert_int_equal(commit(at(TOK_A, 1, 0), &w).outcome, REDIS_DONE);
    struct redis_cursor c = at(TOK_A, 2, 0);
    assert_string_equal(due(c, INT64_MIN, "", INT64_MAX, 9).text, "c 50 a 100 b 200 d 220 ");
    assert_string_equal(timers(c, 60, 9).text, "c 50 ");
    assert_string_equal(due(c, INT64_MIN, "", 199, 9).text, "c 50 a 100 "); /* untouched so far */
    /* a stands below the place asked for, and belongs above it */
    assert_string_equal(timers_after(c, 150, "", 300, 9).text, "d 220 a 250 ");
    assert_string_equal(due(c, INT64_MIN, "", INT64_MAX, 9).text, "c 50 d 220 a 250 b inf ");
    assert_string_equal(timers(c, INT64_MAX, 3).text, "c 50 d 220 a 250 ");
    assert_string_equal(timers_after(c, 220, "d", INT64_MAX, 1).text, "a 250 ");
    ch[0].due_ms = 900; /* moved at once */
    w.exact = true;
    meta[0].value = STR("3");
    assert_int_equal(commit(c, &w).outcome, REDIS_DONE);
    c = at(TOK_A, 3, 0);
    assert_string_equal(due(c, INT64_MIN, "", INT64_MAX, 9).text, "c 50 d 220 a 900 b inf ");
    /* fenced like everything */
    struct got g = {0};
    struct redis_due q = {INT64_MIN, {NULL, 0}, INT64_MAX, 9, false};
    struct redis_cursor old = at(TOK_A, 2, 0);
    redis_timers(r, &home, &old, &q, INT64_MAX, on_got, &g, NULL);
    drain();
    assert_int_equal(g.fault, REDIS_FAULT_CONFLICT);
}

/* More stand below the place than a page holds. */
static void test_timers_pages(void **state)
{
    (void)state;
    claim(TOK_A);
    static char names[512][32];
    static struct redis_change ch[512];
    struct redis_field meta[] = {{STR("off"), STR("1")}, {STR("sub"), STR("0")}};
    struct redis_commit w = {.changes = ch, .n_changes = 512, .meta = meta, .n_meta = 2};
    for (int k = 0; k < 4; k++) {
        char off[24];
        snprintf(off, sizeof off, "%d", k + 1);
        meta[0].value = str_c(off);
        for (int i = 0; i < 512; i++) {
            snprintf(names[i], sizeof names[i], "m%04d", k * 512 + i);
            ch[i] = (struct redis_change){str_c(names[i]), STR("s"), k * 512 + i, false, true};
        }
        assert_int_equal(commit(at(TOK_A, (uint64_t)k, 0), &w).outcome, REDIS_DONE);
    }
    struct redis_cursor c = at(TOK_A, 4, 0);
    assert_string_equal(timers_after(c, 2000, "m2000", 2003, 9).text,
                        "m2001 2001 m2002 2002 m2003 2003 ");
    assert_string_equal(timers_after(c, 700, "", INT64_MAX, 2).text, "m0700 700 m0701 701 ");
    ch[0] = (struct redis_change){STR("m1000"), STR("s"), 2002, false, true};
    w.n_changes = 1;
    meta[0].value = STR("5");
    assert_int_equal(commit(c, &w).outcome, REDIS_DONE);
    c.off = 5;
    assert_string_equal(timers_after(c, 2000, "m2000", 2003, 9).text,
                        "m2001 2001 m1000 2002 m2002 2002 m2003 2003 ");
}

static void test_index(void **state)
{
    (void)state;
    claim(TOK_A);
    const struct redis_link in[] = {{STR("stores"), STR("s1"), STR("m1"), false},
                                    {STR("stores"), STR("s1"), STR("m3"), false},
                                    {STR("stores"), STR("s1"), STR("m2"), false},
                                    {STR("stores"), STR("s2"), STR("m9"), false}};
    struct redis_field meta[] = {{STR("off"), STR("1")}, {STR("sub"), STR("0")}};
    struct redis_commit w = {.links = in, .n_links = 4, .meta = meta, .n_meta = 2};
    assert_int_equal(commit(at(TOK_A, 0, 0), &w).outcome, REDIS_DONE);
    struct redis_cursor c = at(TOK_A, 1, 0);
    struct got g = {0};
    redis_index(r, &home, &c, STR("stores"), STR("s1"), STR(""), 2, INT64_MAX, on_got, &g, NULL);
    drain();
    assert_string_equal(g.text, "m1 m2 ");
    g = (struct got){0};
    redis_index(r, &home, &c, STR("stores"), STR("s1"), STR("m2"), 2, INT64_MAX, on_got, &g, NULL);
    drain();
    assert_string_equal(g.text, "m3 ");
    const struct redis_link out = {STR("stores"), STR("s1"), STR("m3"), true};
    meta[0].value = STR("2");
    struct redis_commit w2 = {.links = &out, .n_links = 1, .meta = meta, .n_meta = 2};
    assert_int_equal(commit(c, &w2).outcome, REDIS_DONE);
    assert_string_equal(cmd("ZCARD", key("x:stores:s1"), NULL, NULL).text, "2 ");
}

static void test_sent(void **state)
{
    (void)state;
    claim(TOK_A);
    const struct redis_sent sent[] = {{998, STR("m\0a"), STR("r"), STR("x,y:z")},
                                      {999, STR("m2"), STR(""), STR("x")},
                                      {1000, STR("m3"), STR("r"), STR("x")}};
    struct redis_field meta[] = {{STR("off"), STR("1")}, {STR("sub"), STR("0")}};
    struct redis_commit w = {.sent = sent, .n_sent = 3, .meta = meta, .n_meta = 2, .now_ms = 5000};
    assert_int_equal(commit(at(TOK_A, 0, 0), &w).outcome, REDIS_DONE);
    const struct redis_reply *reply;
    const struct str argv[] = {STR("FCALL_RO"),
                               STR("rouse_load"),
                               STR("4"),
                               str_c(key("meta")),
                               str_c(key("s:none")),
                               str_c(key("sent:0:0")),
                               STR("k4"),
                               STR(TOK_A),
                               STR("1"),
                               STR("0"),
                               STR("1"),
                               STR("998"),
                               STR("5")};
    struct str fixed[13];
    memcpy(fixed, argv, sizeof argv);
    char k0[64], k1[64], k2[64];
    snprintf(k0, sizeof k0, "%smeta", home.text);
    snprintf(k1, sizeof k1, "%ss:none", home.text);
    snprintf(k2, sizeof k2, "%ssent:0:0", home.text);
    fixed[3] = str_c(k0);
    fixed[4] = str_c(k1);
    fixed[5] = str_c(k2);
    fixed[6] = str_c(k2);
    assert_int_equal(redis_call(r, fixed, 13, 5000, &reply, NULL), 0);
    struct str m, rule, message;
    assert_int_equal(redis_load_sent(reply, 0, &m, &rule, &message), 1);
    assert_true(str_eq(m, STR("m\0a")) && str_eqc(rule, "r") && str_eqc(message, "x,y:z"));
    assert_int_equal(redis_load_sent(reply, 1, &m, &rule, &message), 0); /* seq 5: not known */
    assert_int_equal(redis_load_sent(reply, 2, &m, &rule, &message), 0);
    /* the blocks go by age, from the oldest, and stop at the first young one */
    struct redis_commit w2 = {
        .meta = meta, .n_meta = 2, .drop_from = 0, .drop_to = 2, .drop_before_ms = 5000};
    meta[0].value = STR("2");
    assert_string_equal(commit(at(TOK_A, 1, 0), &w2).text, "OK 0 ");
    meta[0].value = STR("3");
    w2.drop_before_ms = 5001;
    assert_string_equal(commit(at(TOK_A, 2, 0), &w2).text, "OK 2 ");
    assert_string_equal(cmd("EXISTS", key("sent:0:0"), key("sent:0:1"), NULL).text, "0 ");
}

/* 512 members with 1 KiB each, all meta fields that fit: one call. */
static void test_limits(void **state)
{
    (void)state;
    claim(TOK_A);
    static char names[513][32], blob[1025], fields[REDIS_MAX_META + 1][32];
    static struct redis_change ch[513];
    static struct redis_field meta[REDIS_MAX_META + 1];
    memset(blob, 'x', 1024);
    for (int i = 0; i < 513; i++) {
        snprintf(names[i], sizeof names[i], "m%04d", i);
        ch[i] = (struct redis_change){str_c(names[i]), {blob, 1024}, i, false, true};
    }
    meta[0] = (struct redis_field){STR("off"), STR("1")};
    meta[1] = (struct redis_field){STR("sub"), STR("0")};
    for (int i = 2; i <= REDIS_MAX_META; i++) {
        snprintf(fields[i], sizeof fields[i], "src:0:t:%d", i);
        meta[i] = (struct redis_field){str_c(fields[i]), STR("17")};
    }
    struct redis_commit w = {
        .changes = ch, .n_changes = 512, .meta = meta, .n_meta = REDIS_MAX_META};
    assert_int_equal(commit(at(TOK_A, 0, 0), &w).outcome, REDIS_DONE);
    assert_string_equal(cmd("ZCARD", key("timers"), NULL, NULL).text, "512 ");
    struct redis_cursor c = at(TOK_A, 1, 0);
    struct err err = {0};
    w.n_changes = 513;
    assert_int_equal(redis_commit(r, &home, &c, &w, 0, on_got, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    w.n_changes = 512;
    w.n_meta = REDIS_MAX_META + 1;
    assert_int_equal(redis_commit(r, &home, &c, &w, 0, on_got, NULL, NULL), -1);
    w.n_meta = 0;
    assert_int_equal(redis_commit(r, &home, &c, &w, 0, on_got, NULL, NULL), -1);
    static char big[REDIS_MAX_COMMIT];
    ch[0].state = (struct str){big, sizeof big};
    w.n_meta = 2;
    assert_int_equal(redis_commit(r, &home, &c, &w, 0, on_got, NULL, NULL), -1);
    /* LOAD at its limit */
    static struct str members[REDIS_MAX_LOAD + 1];
    for (int i = 0; i <= REDIS_MAX_LOAD; i++)
        members[i] = ch[i % 512].member;
    struct got g = {0};
    assert_int_equal(
        redis_load(r, &home, &c, members, REDIS_MAX_LOAD, 0, NULL, 0, INT64_MAX, on_got, &g, NULL),
        0);
    drain();
    assert_int_equal(g.outcome, REDIS_DONE);
    assert_int_equal(redis_load(r, &home, &c, members, REDIS_MAX_LOAD + 1, 0, NULL, 0, INT64_MAX,
                                on_got, &g, NULL),
                     -1);
}

static void test_read(void **state)
{
    (void)state;
    claim(TOK_A);
    struct redis_member m;
    struct err err = {0};
    /* the member's own partition: find one of partition 3 of 64 */
    char name[24];
    for (int i = 0;; i++) {
        snprintf(name, sizeof name, "m%d", i);
        if ((hash_murmur2(str_c(name)) & 0x7fffffff) % 64 == 3)
            break;
    }
    assert_int_equal(redis_read_member(r, 64, str_c(name), 5000, &m, &err), 0);
    assert_int_equal(m.off, 0);
    assert_int_equal(commit_one(at(TOK_A, 0, 0), name, "the state", 77).outcome, REDIS_DONE);
    assert_int_equal(redis_read_member(r, 64, str_c(name), 5000, &m, &err), 1);
    assert_true(str_eqc(m.state, "the state"));
    assert_int_equal(m.due_ms, 77);
    assert_int_equal(m.off, 1);
    cmd("FLUSHALL", NULL, NULL, NULL);
    assert_int_equal(redis_read_member(r, 64, str_c(name), 5000, &m, &err), -1);
    assert_string_equal(err.code, "nometa");
}

static void test_slots(void **state)
{
    (void)state;
    assert_int_equal(redis_slot(STR("123456789")), 0x31c3); /* the specification's check value */
    assert_int_equal(redis_slot(STR("{user1000}.following")), redis_slot(STR("user1000")));
    assert_int_equal(redis_slot(STR("foo{}{bar}")),
                     8363); /* an empty tag is none; asked of redis */
    const uint32_t sizes[] = {1, 2, 3, 64, 100, 1024};
    for (size_t k = 0; k < BASE_LEN(sizes); k++) {
        for (uint32_t p = 0; p < sizes[k]; p++) {
            struct redis_home h;
            redis_home(&h, p, sizes[k]);
            assert_int_equal(redis_slot(h.prefix), (uint64_t)p * 16384 / sizes[k]);
            assert_true(h.prefix.n <= 13);
        }
    }
    redis_home(&home, 0, 64);
    assert_string_equal(home.text, "rouse:{1bz}:"); /* fixed for ever */
}

static int group_start(void **state)
{
    (void)state;
    struct err err = {0};
    server_start(&server, &r);
    return redis_init_library(r, 5000, &err);
}

static int group_stop(void **state)
{
    (void)state;
    redis_free(&r);
    server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_init, fresh),
        cmocka_unit_test_setup(test_nometa, fresh),
        cmocka_unit_test_setup(test_fences, fresh),
        cmocka_unit_test_setup(test_types_first, fresh),
        cmocka_unit_test_setup(test_gone_and_unset, fresh),
        cmocka_unit_test_setup(test_due_pages, fresh),
        cmocka_unit_test_setup(test_due_many, fresh),
        cmocka_unit_test_setup(test_timers_lazy, fresh),
        cmocka_unit_test_setup(test_timers_pages, fresh),
        cmocka_unit_test_setup(test_index, fresh),
        cmocka_unit_test_setup(test_sent, fresh),
        cmocka_unit_test_setup(test_limits, fresh),
        cmocka_unit_test_setup(test_read, fresh),
        cmocka_unit_test_setup(test_slots, fresh),
    };
    return cmocka_run_group_tests(tests, group_start, group_stop);
}
