/* SPDX-License-Identifier: Apache-2.0 */
/* rouse member ID, rouse dead: looking at one member, and at what could not be read. */
#include "admin.h"
#include "decide.h"

#include <inttypes.h>
#include <stdio.h>

struct conf {
    struct admin_conf kafka;
    const char *redis, *redis_user, *redis_password_file;
    bool json;
    int64_t most;
};

/* ---- member ---- */

static const struct option_def member_options[] = {
    ADMIN_OPTIONS(struct conf, kafka),
    {"redis", OPT_STRING, offsetof(struct conf, redis), "127.0.0.1:6379", 0, 0,
     "Address of redis-server, or unix:/path."},
    {"redis-user", OPT_STRING, offsetof(struct conf, redis_user), "", 0, 0, "Redis user."},
    {"redis-password-file", OPT_STRING, offsetof(struct conf, redis_password_file), "", 0, 0,
     "File that holds the password."},
};
static const struct service_spec member_spec = {
    "member",
    "rouse member [OPTIONS] MEMBER: tags, runs, waiting messages and limits of one member.",
    member_options, BASE_LEN(member_options)};

static int show(struct str member, struct control *ctl, struct redis *r, struct err *err)
{
    struct redis_member m;
    const struct program *p = NULL;
    char now[40] = "never", due[40] = "never";
    struct buf b;
    const struct genesis *g = control_genesis(ctl);
    if (!g)
        return err_set(err, ERR_INPUT, "there is no genesis record yet: rouse init first");
    int known = redis_read_member(r, g->partitions, member, 10000, &m, err);
    if (known < 0)
        return -1;
    if (!known) {
        (void)printf("member " STR_FMT " is not known (partition %u)\n", STR_ARG(member),
                     (hash_murmur2(member) & 0x7fffffffU) % g->partitions);
        return 1;
    }
    if (control_program(ctl, m.hash, &p, err) != 1)
        return err_set(err, ERR_FATAL, "the bundle " STR_FMT " is not in rouse.control",
                       STR_ARG(m.hash));
    buf_init(&b, 4 << 20);
    int rc = decide_show(p, member, m.state, m.now_ms, &b, err);
    if (rc == 0) {
        if (m.now_ms > 0)
            (void)time_format_local(p->tz, m.now_ms, now);
        if (m.due_ms != TIME_NEVER)
            (void)time_format_local(p->tz, m.due_ms, due);
        (void)printf("{\"member\":\"" STR_FMT "\",\"partition\":%u,\"offset\":%" PRIu64
                     ",\"now\":\"%s\",\"next_timer\":\"%s\",\"state_bytes\":%zu,\"state\":%.*s}\n",
                     STR_ARG(member), (hash_murmur2(member) & 0x7fffffffU) % g->partitions, m.off,
                     now, due, m.state.n, (int)b.n, b.p);
    }
    buf_free(&b);
    return rc;
}

int cli_member(int argc, char **argv)
{
    struct conf c = {0};
    struct err err = {0};
    int code;
    size_t n = 0;
    struct arena *a = arena_new(0);
    const char **names = ARENA_ARRAY(a, const char *, (size_t)argc);
    if (cli_options(&member_spec, argc, argv, &c, a, names, &n, &code) == 0) {
        struct control *ctl = control_new();
        struct redis *r = NULL;
        int rc = n == 1 ? 0 : err_set(&err, ERR_INPUT, "name one member");
        if (rc == 0)
            rc = admin_read_control(&c.kafka, ctl, &err);
        if (rc == 0)
            rc = admin_redis(c.redis, c.redis_user, c.redis_password_file, &r, &err);
        if (rc == 0)
            rc = show(str_c(names[0]), ctl, r, &err);
        code = rc < 0 ? cli_fail("member", &err) : rc;
        redis_free(&r);
        control_free(&ctl);
    }
    arena_free(&a);
    return code;
}

/* ---- dead ---- */

static const struct option_def dead_options[] = {
    ADMIN_OPTIONS(struct conf, kafka),
    {"json", OPT_BOOL, offsetof(struct conf, json), "false", 0, 0, "The records as they are."},
    {"most", OPT_INT, offsetof(struct conf, most), "100", 1, 1000000, "Print at most so many."},
};
static const struct service_spec dead_spec = {
    "dead", "rouse dead [OPTIONS]: records that could not be read, with code, path and reason.",
    dead_options, BASE_LEN(dead_options)};

struct dead_list {
    const struct conf *c;
    struct arena *arena;
    struct map *codes; /* code -> count */
    int64_t n;
};

static int on_dead(void *arg, const struct kafka_msg *m)
{
    struct dead_list *l = arg;
    struct dead d;
    struct err err = {0};
    uint64_t *count;
    if (dead_read(m->value, l->arena, &d, &err) != 0) {
        (void)fprintf(stderr, "rouse dead: offset %lld: %s\n", (long long)m->offset, err.text);
        return 0;
    }
    count = map_get(l->codes, d.code);
    if (!count) {
        count = ARENA_NEW(l->arena, uint64_t);
        map_put(l->codes, d.code, count);
    }
    ++*count;
    if (l->n++ >= l->c->most)
        return 0;
    if (l->c->json)
        (void)printf(STR_FMT "\n", STR_ARG(m->value));
    else
        (void)printf(STR_FMT "/%d/%lld " STR_FMT " " STR_FMT ": " STR_FMT "\n",
                     STR_ARG(d.src.topic), d.src.partition, (long long)d.src.offset,
                     STR_ARG(d.code), STR_ARG(d.path), STR_ARG(d.reason));
    return 0;
}

static void print_codes(const struct dead_list *l)
{
    size_t it = 0;
    struct str code;
    void *v;
    (void)printf("%lld dead letters", (long long)l->n);
    while (map_next(l->codes, &it, &code, &v)) {
        const uint64_t *count = v;
        (void)printf(", " STR_FMT " %llu", STR_ARG(code), (unsigned long long)*count);
    }
    (void)putchar('\n');
}

int cli_dead(int argc, char **argv)
{
    struct conf c = {0};
    struct err err = {0};
    int code, rc = 0;
    struct arena *a = arena_new(0);
    if (cli_options(&dead_spec, argc, argv, &c, a, NULL, NULL, &code) == 0) {
        struct kafka_conf k = admin_kafka(&c.kafka);
        struct dead_list l = {&c, a, map_new(true), 0};
        int parts = kafka_topic_partitions(&k, "rouse.dead", 10000, &err);
        if (parts == 0)
            rc = err_set(&err, ERR_INPUT, "there is no topic rouse.dead: rouse init first");
        for (int32_t p = 0; rc == 0 && p < parts; p++)
            rc = kafka_read_all(&k, "rouse.dead", p, KAFKA_BEGINNING, on_dead, &l, 15000, &err);
        if (rc == 0 && parts > 0 && !c.json)
            print_codes(&l);
        code = rc == 0 && parts >= 0 ? 0 : cli_fail("dead", &err);
        map_free(&l.codes);
    }
    arena_free(&a);
    return code;
}
