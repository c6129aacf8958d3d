/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rouse init: topics, home slots, genesis – in this order, so that a genesis record means that all
 * the rest is there.  Run again it completes what it began; what exists is checked, never changed.
 */
#include "admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct conf {
    struct admin_conf kafka;
    const char *redis, *redis_user, *redis_password_file;
    const char *clock, *end, *topology;
    int64_t partitions, replication, retention_ms;
};
static const struct option_def options[] = {
    ADMIN_OPTIONS(struct conf, kafka),
    {"redis", OPT_STRING, offsetof(struct conf, redis), "127.0.0.1:6379", 0, 0,
     "Address of redis-server, or unix:/path."},
    {"redis-user", OPT_STRING, offsetof(struct conf, redis_user), "", 0, 0,
     "An administrator: init loads the function library."},
    {"redis-password-file", OPT_STRING, offsetof(struct conf, redis_password_file), "", 0, 0,
     "File that holds the password."},
    {"partitions", OPT_INT, offsetof(struct conf, partitions), "64", 1, 1024,
     "P: fixed for ever. The unit of ownership, not of size."},
    {"replication", OPT_INT, offsetof(struct conf, replication), "-1", -1, 9,
     "Replicas of each topic; -1 = the broker's default."},
    {"retention", OPT_DURATION, offsetof(struct conf, retention_ms), "7d", 7 * TIME_DAY,
     3650 * TIME_DAY, "How long rouse.log keeps records; decisions and outcomes keep 7 d more."},
    {"clock", OPT_STRING, offsetof(struct conf, clock), "append", 0, 0,
     "append (production: the broker's clock) or record (time-lapse: the records' own)."},
    {"end", OPT_STRING, offsetof(struct conf, end), "", 0, 0,
     "With --clock record: RFC 3339; no event may be later."},
    {"topology", OPT_STRING, offsetof(struct conf, topology), "", 0, 0,
     "8 hex digits that name this installation; default: random."},
};
static const struct service_spec spec = {
    "init", "rouse init: create the topics, the home slots and the genesis record.", options,
    BASE_LEN(options)};

struct wanted {
    const char *name;
    bool per_p;            /* P partitions, else one */
    const char *config[9]; /* name, value …; "@retention" and "@long" are filled in */
};
static const struct wanted topics[] = {
    {"rouse.control", false, {"cleanup.policy", "compact", "max.message.bytes", "1048588"}},
    {"rouse.log",
     true,
     {"cleanup.policy", "delete", "retention.ms", "@retention", "message.timestamp.type",
      "@clock"}},
    {"rouse.decisions", true, {"cleanup.policy", "delete", "retention.ms", "@long"}},
    {"rouse.outcomes", true, {"cleanup.policy", "delete", "retention.ms", "@long"}},
    {"rouse.receipts", false, {"cleanup.policy", "delete", "retention.ms", "@long"}},
    {"rouse.tags", true, {"cleanup.policy", "delete", "retention.ms", "@retention"}},
    {"rouse.dead", false, {"cleanup.policy", "delete", "retention.ms", "@long"}},
};

static bool append(const struct conf *c)
{
    return strcmp(c->clock, "append") == 0;
}

/* 1 created, 0 was there and fits, -1. */
static int one_topic(const struct conf *c, const struct wanted *w, struct err *err)
{
    char keep[32], longer[32];
    const char *config[9];
    size_t n = 0;
    struct kafka_conf k = admin_kafka(&c->kafka);
    int32_t want = w->per_p ? (int32_t)c->partitions : 1;
    (void)snprintf(keep, sizeof keep, "%" PRId64, append(c) ? c->retention_ms : INT64_C(-1));
    (void)snprintf(longer, sizeof longer, "%" PRId64,
                   append(c) ? c->retention_ms + 7 * TIME_DAY : INT64_C(-1));
    for (; w->config[n]; n++) {
        config[n] = w->config[n];
        if (strcmp(config[n], "@retention") == 0)
            config[n] = keep;
        else if (strcmp(config[n], "@long") == 0)
            config[n] = longer;
        else if (strcmp(config[n], "@clock") == 0)
            config[n] = append(c) ? "LogAppendTime" : "CreateTime";
    }
    config[n] = NULL;
    int have = kafka_topic_partitions(&k, w->name, 10000, err);
    if (have < 0)
        return -1;
    if (have == 0) {
        struct kafka_topic t = {w->name, want, (int32_t)c->replication, config};
        return kafka_topic_create(&k, &t, 30000, err);
    }
    if (have != want)
        return err_set(err, ERR_INPUT,
                       "topic %s has %d partitions, %d are wanted: name another --partitions or "
                       "remove the topic",
                       w->name, have, want);
    return 0;
}

/* In append mode time is what the broker says: a topic that was there must be of that kind. */
static int check_clock(const struct conf *c, struct err *err)
{
    char value[64] = "";
    struct kafka_conf k = admin_kafka(&c->kafka);
    if (!append(c))
        return 0;
    int rc = kafka_topic_config(&k, "rouse.log", "message.timestamp.type", value, sizeof value,
                                10000, err);
    if (rc < 0)
        return err_wrap(err, "rouse.log's message.timestamp.type cannot be read (--clock append "
                             "needs a broker with LogAppendTime)");
    if (strcmp(value, "LogAppendTime") != 0)
        return err_set(err, ERR_INPUT,
                       "rouse.log has message.timestamp.type=%s: --clock append needs "
                       "LogAppendTime",
                       value);
    return 0;
}

static int make_topics(const struct conf *c, struct err *err)
{
    for (size_t i = 0; i < BASE_LEN(topics); i++) {
        int rc = one_topic(c, &topics[i], err);
        if (rc < 0)
            return err_wrap(err, "topic %s", topics[i].name);
        (void)printf("topic %-16s %s\n", topics[i].name, rc ? "created" : "is there");
    }
    return check_clock(c, err);
}

static int log_is_empty(const struct conf *c, struct err *err)
{
    struct kafka_conf k = admin_kafka(&c->kafka);
    for (int32_t p = 0; p < c->partitions; p++) {
        int64_t low, high;
        if (kafka_watermarks(&k, "rouse.log", p, &low, &high, 10000, err) != 0)
            return -1;
        if (high != 0)
            return err_set(err, ERR_INPUT,
                           "rouse.log is not empty (partition %d ends at %" PRId64
                           ") and there is no genesis record: this log belongs to something else",
                           (int)p, high);
    }
    return 0;
}

static int make_homes(const struct conf *c, uint32_t topology, struct err *err)
{
    struct redis *r;
    int made = 0;
    if (admin_redis(c->redis, c->redis_user, c->redis_password_file, &r, err) != 0)
        return -1;
    int rc = redis_init_library(r, 10000, err);
    for (uint32_t p = 0; rc >= 0 && p < c->partitions; p++) {
        rc = redis_init_home(r, topology, (uint32_t)c->partitions, p, 10000, err);
        made += rc == 1;
    }
    redis_free(&r);
    if (rc < 0)
        return -1;
    (void)printf("home slots: %d made, %d were there\n", made, (int)c->partitions - made);
    return 0;
}

static int fill_genesis(const struct conf *c, struct genesis *g, struct err *err)
{
    uint8_t bytes[4];
    *g = (struct genesis){
        .partitions = (uint32_t)c->partitions, .record_clock = !append(c), .version = 1};
    if (!append(c) && strcmp(c->clock, "record") != 0)
        return err_set(err, ERR_INPUT, "--clock is append or record, not `%s`", c->clock);
    if (c->topology[0]) {
        if (dec_hex(str_c(c->topology), bytes, 4) != 0)
            return err_set(err, ERR_INPUT, "--topology is 8 hex digits, not `%s`", c->topology);
    } else {
        service_random(bytes, 4);
    }
    g->topology =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    if (g->record_clock && time_parse_ms(str_c(c->end), NULL, &g->end_ms) != 0)
        return err_set(err, ERR_INPUT, "--clock record needs --end, an RFC 3339 time");
    return 0;
}

static bool same(const struct genesis *a, const struct genesis *b, bool topology)
{
    return a->partitions == b->partitions && a->record_clock == b->record_clock &&
           a->end_ms == b->end_ms && (!topology || a->topology == b->topology);
}

static int run(const struct conf *c, struct err *err)
{
    struct genesis g;
    struct buf b;
    struct control *ctl = control_new();
    int rc = fill_genesis(c, &g, err);
    if (rc == 0)
        rc = make_topics(c, err);
    if (rc == 0)
        rc = admin_read_control(&c->kafka, ctl, err);
    const struct genesis *old = rc == 0 ? control_genesis(ctl) : NULL;
    if (old && !same(old, &g, c->topology[0] != '\0'))
        rc = err_set(err, ERR_INPUT,
                     "this cluster was initialised otherwise: %u partitions, topology %08x, clock "
                     "%s",
                     old->partitions, old->topology, old->record_clock ? "record" : "append");
    if (old)
        g = *old;
    else if (rc == 0)
        rc = log_is_empty(c, err);
    if (rc == 0)
        rc = make_homes(c, g.topology, err);
    if (rc == 0 && !old) {
        buf_init(&b, 4096);
        genesis_write(&g, &b);
        rc = admin_produce(&c->kafka, "rouse.control", STR("genesis"), buf_str(&b), NULL, err);
        buf_free(&b);
    }
    if (rc == 0)
        (void)printf("genesis: topology %08x, %u partitions, clock %s%s\n", g.topology,
                     g.partitions, g.record_clock ? "record" : "append", old ? " (was there)" : "");
    control_free(&ctl);
    return rc;
}

int cli_init(int argc, char **argv)
{
    struct conf c = {0};
    struct err err = {0};
    int code;
    struct arena *a = arena_new(0);
    if (cli_options(&spec, argc, argv, &c, a, NULL, NULL, &code) == 0)
        code = run(&c, &err) == 0 ? 0 : cli_fail("init", &err);
    arena_free(&a);
    return code;
}
