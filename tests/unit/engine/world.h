/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world for rouse-engine: a broker, a redis-server, rules, a log; the engine as a process; and the
 * oracle, an offline fold over the same log.
 */
#ifndef TEST_ENGINE_WORLD_H
#define TEST_ENGINE_WORLD_H

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "../redis/server.h"
#include "decide.h"
#include "kafka.h"

#define P 4
#define MEMBERS 60
#define DAYS 120
#define T0 INT64_C(1767225600000) /* 2026-01-01 */
#define TOPOLOGY 0x7e57
#define WAIT_MS 60000

/* ---- the world ------------------------------------------------------------------------------------------- */

struct record_text {
    struct str text;
    int64_t ts; /* the broker's, where the clock is `append` */
};
struct world {
    char dir[64], bin[512], bootstrap[128], zone[8];
    pid_t broker;
    struct server redis;
    struct redis *r;
    bool append; /* the clock */
    struct kafka_conf kafka;
    struct arena *a;
    struct program *program;
    struct record_text *log[P];
    size_t n_log[P], cap_log[P];
    int port;
    char group[32];
    int groups;
};

static pid_t spawn(const char *const *argv, const char *log)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int out = open("/dev/null", O_WRONLY), err = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(out, 1);
        dup2(err, 2);
        execv(argv[0], (char *const *)(void *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

static void nap(void)
{
    const struct timespec t = {.tv_nsec = 10 * 1000 * 1000};
    nanosleep(&t, NULL); /* between two questions */
}

static size_t awaited;
static void on_report(void *arg, void *opaque, const char *topic, int32_t partition, int64_t offset,
                      const struct err *err)
{
    (void)arg;
    (void)opaque;
    (void)topic;
    (void)partition;
    (void)offset;
    assert_null(err);
    awaited--;
}

static void produce(struct kafka_producer *k, const char *topic, int32_t p, struct str key,
                    struct str value)
{
    struct err err = {0};
    awaited++;
    while (kafka_produce(k, topic, p, key, value, NULL, 0, NULL, &err) != 0) {
        assert_int_equal(err.kind, ERR_AGAIN);
        err_clear(&err);
        kafka_producer_poll(k, 10, on_report, NULL);
    }
}

/* ---- the log -------------------------------------------------------------------------------------------------- */

static uint32_t part_of(struct str member)
{
    return (hash_murmur2(member) & 0x7fffffff) % P;
}

static void log_add(struct world *w, uint32_t p, const struct record *rec)
{
    struct buf b;
    buf_init(&b, RECORD_MAX * 2);
    record_write(rec, &b);
    if (w->n_log[p] == w->cap_log[p]) {
        w->cap_log[p] = w->cap_log[p] * 2 + 64;
        w->log[p] = xrealloc(w->log[p], w->cap_log[p] * sizeof *w->log[p]);
    }
    w->log[p][w->n_log[p]++].text = arena_str(w->a, buf_str(&b));
    buf_free(&b);
}

static struct event event_make(struct world *w, const char *name, int m, int64_t at, int64_t off)
{
    const struct event_def *def = schema_event(w->program->schema, str_c(name));
    assert_non_null(def);
    struct val *f = ARENA_ARRAY(w->a, struct val, def->fields->n_fields);
    struct str id = str_c(arena_printf(w->a, "%s-%" PRId64, name, off));
    for (uint32_t i = 0; i < def->fields->n_fields; i++) {
        const struct field *d = &def->fields->fields[i];
        if (d->type->kind == TYPE_MONEY)
            f[i] = val_money(1000 + off % 77 * 100);
        else if (d->type->kind == TYPE_TIMESTAMP)
            f[i] = val_time_ms(at);
        else if (str_eqc(d->name, "role"))
            f[i] = val_str(STR(""));
        else
            f[i] = val_str(str_eqc(d->name, "openid") ? str_c(arena_printf(w->a, "o%d", m)) : id);
    }
    return (struct event){
        .def = def, .id = id, .member = str_c(arena_printf(w->a, "M%05d", m)), .at_ms = at, .f = f};
}

static void control_publish(struct world *w, char hash[65])
{
    struct kafka_producer *k;
    struct err err = {0};
    struct buf b;
    char key[128];
    const struct genesis g = {TOPOLOGY, P, !w->append, T0 + (DAYS + 1) * TIME_DAY, 1};
    buf_init(&b, 64 << 20);
    assert_int_equal(kafka_producer_new(&w->kafka, &k, &err), 0);
    genesis_write(&g, &b);
    produce(k, "rouse.control", 0, STR("genesis"), buf_str(&b));
    buf_reset(&b);
    if (bundle_make(w->program, NULL, &b, hash, &err) != 0)
        fail_msg("%s", err.text);
    snprintf(key, sizeof key, "bundle/%s/0", hash);
    produce(k, "rouse.control", 0, str_c(key), buf_str(&b));
    snprintf(key, sizeof key, "bundle/%s/manifest", hash);
    produce(k, "rouse.control", 0, str_c(key),
            str_c(arena_printf(w->a, "{\"chunks\":1,\"bytes\":%zu}", b.n)));
    buf_free(&b);
    assert_int_equal(kafka_producer_flush(k, WAIT_MS, on_report, NULL, &err), 0);
    kafka_producer_free(&k);
}

static void rules_load(struct world *w, const char *rules)
{
    struct diags *d = diags_new();
    const struct rule_options o = {.gateways_dir = NULL};
    const struct str name = STR("rules.yaml"), text = str_c(rules);
    w->program = rule_load_texts(&name, &text, 1, &o, d);
    if (w->program == NULL) {
        struct buf b;
        buf_init(&b, 1 << 20);
        diags_text(d, 20, &b);
        fail_msg("%s", b.p);
    }
    diags_free(&d);
}

static struct world *world_new(const char *rules)
{
    struct world *w = xcalloc(1, sizeof *w);
    struct err err = {0};
    snprintf(w->dir, sizeof w->dir, "/tmp/rouse-engine-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    ssize_t n = readlink("/proc/self/exe", w->bin, sizeof w->bin - 1);
    assert_true(n > 0);
    w->bin[n] = '\0';
    *strrchr(w->bin, '/') = '\0';
    w->a = arena_new(0);
    rules_load(w, rules);
    w->redis.extra[0] = "--appendonly";
    w->redis.extra[1] = "yes";
    server_start(&w->redis, &w->r);
    assert_int_equal(redis_init_library(w->r, 5000, &err), 0);
    for (uint32_t p = 0; p < P; p++)
        assert_int_equal(redis_init_home(w->r, TOPOLOGY, P, p, 5000, &err), 1);
    return w;
}

static int world_stop(void **state)
{
    struct world *w = *state;
    char cmd[128];
    if (w->broker != 0) {
        kill(w->broker, SIGKILL);
        waitpid(w->broker, NULL, 0);
    }
    redis_free(&w->r);
    server_stop(&w->redis);
    for (uint32_t p = 0; p < P; p++)
        free(w->log[p]);
    rule_free(&w->program);
    arena_free(&w->a);
    snprintf(cmd, sizeof cmd, "rm -rf %s", w->dir);
    assert_int_equal(system(cmd), 0);
    free(w);
    return 0;
}

/* ---- engines ---------------------------------------------------------------------------------------------- */

/* Another group each time: nobody has to wait until the dead are missed. */
static pid_t engine_start(struct world *w, bool same_group, const char *const *more)
{
    char exe[600], log[128], http[32];
    snprintf(exe, sizeof exe, "%s/rouse-engine", w->bin);
    snprintf(log, sizeof log, "%s/engine.log", w->dir);
    if (!same_group)
        snprintf(w->group, sizeof w->group, "g%d", ++w->groups);
    snprintf(http, sizeof http, "127.0.0.1:%d", w->port);
    const char *argv[40] = {exe,       "--bootstrap", w->bootstrap, "--redis", w->redis.address,
                            "--group", w->group,      "--session",  "6s",      "--commit-members",
                            "7",       "--batch",     "2KiB",       "--http",  http};
    int n = 15;
    while (more != NULL && *more != NULL)
        argv[n++] = *more++;
    return spawn(argv, log);
}

/* What the engine said, for the reader of a failure. */
static void log_show(struct world *w)
{
    char cmd[160];
    snprintf(cmd, sizeof cmd, "tail -40 %s/engine.log >&2", w->dir);
    (void)!system(cmd);
}

static void engine_stop(struct world *w, pid_t pid)
{
    int status;
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    log_show(w);
    fail_msg("the engine ended with status %d", status);
}

/* ---- the oracle -------------------------------------------------------------------------------------------- */

static int one_program(void *arg, struct str hash, const struct program **out)
{
    struct world *w = arg;
    (void)hash;
    *out = w->program;
    return 0;
}

struct texts {
    struct str *v;
    size_t n, cap, seen;
};
struct oracle {
    struct world *w;
    uint32_t p;
    struct texts decisions, changes; /* of public tags */
    struct map *tags;                /* member \1 tag -> the last change */
};

static void texts_add(struct arena *a, struct texts *t, struct str text)
{
    if (t->n == t->cap) {
        t->cap = t->cap * 2 + 64;
        t->v = xrealloc(t->v, t->cap * sizeof *t->v);
    }
    t->v[t->n++] = arena_str(a, text);
}

static void oracle_change(struct oracle *o, const struct decide_public *c)
{
    const struct tag_change_rec r = {c->member, c->tag,   c->value, c->unset,
                                     c->off,    c->entry, c->at_ms};
    struct tag_change_rec *last = ARENA_ARRAY(o->w->a, struct tag_change_rec, 1);
    struct buf b;
    buf_init(&b, RECORD_MAX);
    tag_change_write(&r, &b);
    texts_add(o->w->a, &o->changes, buf_str(&b));
    assert_int_equal(tag_change_read(o->changes.v[o->changes.n - 1], o->w->a, last, NULL), 0);
    buf_reset(&b);
    buf_addf(&b, STR_FMT "\1" STR_FMT, STR_ARG(c->member), STR_ARG(c->tag));
    map_put(o->tags, buf_str(&b), last);
    buf_free(&b);
}

static void oracle_take(struct oracle *o, struct decide *d)
{
    struct decide_out out;
    decide_out(d, &out);
    for (uint32_t i = 0; i < out.n_decisions; i++)
        texts_add(o->w->a, &o->decisions, out.decisions[i]);
    for (uint32_t i = 0; i < out.n_told; i++)
        oracle_change(o, &out.told[i]);
    decide_committed(d);
}

static void oracle_fold(struct oracle *o)
{
    const struct decide_conf c = {.topology = TOPOLOGY,
                                  .p = o->p,
                                  .partitions = P,
                                  .record_clock = !o->w->append,
                                  .complete = true,
                                  .stagger = true,
                                  .program = one_program,
                                  .arg = o->w};
    const struct decide_meta zero = {0};
    struct err err = {0};
    struct decide *d = decide_new(&c);
    struct arena *a = arena_new(0);
    assert_int_equal(decide_reset(d, &zero, NULL, 0, &err), 0);
    for (size_t i = 0; i < o->w->n_log[o->p]; i++) {
        struct record rec;
        arena_reset(a);
        if (record_read(decide_schema(d), o->w->log[o->p][i].text, a, &rec, &err) != 0)
            fail_msg("%s", err.text);
        enum decide_rc rc;
        while ((rc = decide_record(d, &rec, i, o->w->log[o->p][i].ts, &err)) == DECIDE_FULL)
            oracle_take(o, d);
        if (rc != DECIDE_DONE)
            fail_msg("record %zu: rc %d: %s", i, (int)rc, err.text);
    }
    oracle_take(o, d);
    decide_free(&d);
    arena_free(&a);
}

/* Each first appearance must be the next one of the oracle's. */
static int on_decision(void *arg, const struct kafka_msg *m)
{
    struct oracle *o = arg;
    struct decision dec;
    struct err err = {0};
    struct arena *a = arena_new(0);
    assert_int_equal(decision_read(m->value, a, &dec, &err), 0);
    struct texts *t = &o->decisions;
    if (dec.seq > t->seen || dec.seq >= t->n)
        fail_msg("p %u: seq %" PRIu64 " where %zu was next of %zu", o->p, dec.seq, t->seen, t->n);
    if (!str_eq(m->value, t->v[dec.seq]))
        fail_msg("p %u seq %" PRIu64 ":\n" STR_FMT "\n" STR_FMT, o->p, dec.seq, STR_ARG(m->value),
                 STR_ARG(t->v[dec.seq]));
    if (dec.seq == t->seen)
        t->seen++;
    arena_free(&a);
    return 0;
}

/* The next change, or one that was there before. */
static int on_change(void *arg, const struct kafka_msg *m)
{
    struct oracle *o = arg;
    struct tag_change_rec r;
    struct err err = {0};
    struct arena *a = arena_new(0);
    assert_int_equal(tag_change_read(m->value, a, &r, &err), 0);
    assert_true(str_eq(m->key, r.member));
    arena_free(&a);
    struct texts *t = &o->changes;
    if (t->seen < t->n && str_eq(m->value, t->v[t->seen])) {
        t->seen++;
        return 0;
    }
    for (size_t i = t->seen; i-- > 0;) {
        if (str_eq(m->value, t->v[i]))
            return 0;
    }
    fail_msg("p %u: " STR_FMT " is not the next change of a tag", o->p, STR_ARG(m->value));
    return -1;
}

/* What other systems read in Redis is the last word on each tag. */
static void check_tags(struct oracle *o)
{
    size_t it = 0;
    void *v;
    struct redis_home h;
    redis_home(&h, o->p, P);
    while (map_next(o->tags, &it, NULL, &v)) {
        const struct tag_change_rec *c = v;
        const struct redis_reply *reply;
        char key[256];
        snprintf(key, sizeof key, "%stags:" STR_FMT, h.text, STR_ARG(c->member));
        const struct str argv[] = {STR("HGET"), str_c(key), c->tag};
        assert_int_equal(redis_call(o->w->r, argv, 3, 5000, &reply, NULL), 0);
        if (c->unset)
            assert_int_equal(reply->kind, REDIS_NIL);
        else if (!str_eq(reply->s, c->value))
            fail_msg("%s " STR_FMT ": " STR_FMT " is not " STR_FMT, key, STR_ARG(c->tag),
                     STR_ARG(reply->s), STR_ARG(c->value));
    }
}

static void check_part(struct oracle *o)
{
    const struct kafka_conf *k = &o->w->kafka;
    struct err err = {0};
    oracle_fold(o);
    if (kafka_read_all(k, "rouse.decisions", (int32_t)o->p, KAFKA_BEGINNING, on_decision, o,
                       WAIT_MS, &err) != 0 ||
        kafka_read_all(k, "rouse.tags", (int32_t)o->p, KAFKA_BEGINNING, on_change, o, WAIT_MS,
                       &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(o->decisions.seen, o->decisions.n);
    assert_int_equal(o->changes.seen, o->changes.n);
    check_tags(o);
}

/* Decisions, changes of tags and tags are those of the fold. Returns how many decisions. */
static size_t check(struct world *w)
{
    size_t total = 0;
    for (uint32_t p = 0; p < P; p++) {
        struct oracle o = {.w = w, .p = p, .tags = map_new(true)};
        check_part(&o);
        total += o.decisions.n;
        free(o.decisions.v);
        free(o.changes.v);
        map_free(&o.tags);
    }
    return total;
}

#endif
