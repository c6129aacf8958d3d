/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker: librdkafka's mock cluster as a process, for the demo and for tests of error paths.  It listens
 * on loopback at a port of its own choosing, which it prints and writes to a file.
 *
 * It is no Kafka: nothing is kept after it ends; a partition holds at most 5 MiB and silently drops
 * what is older; LogAppendTime, transactions and administration are not there; a topic that is asked
 * for but was not listed is made with four partitions.  So every topic is listed at the start.
 */
#include "sandbox.h"
#include "sandbox_priv.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_TOPICS = 256, MAX_PARTITIONS = 1024 };

struct conf {
    const char *topics, *bootstrap_file;
    int64_t brokers;
};

static const struct option_def options[] = {
    {"topics", OPT_STRING, offsetof(struct conf, topics), NULL, 0, 0,
     "The topics to make: name:partitions,name:partitions …"},
    {"bootstrap-file", OPT_STRING, offsetof(struct conf, bootstrap_file), "", 0, 0,
     "Write the address to this file as well, once it can be used."},
    {"brokers", OPT_INT, offsetof(struct conf, brokers), "1", 1, 9, "How many brokers to play."},
};
static const struct service_spec spec = {
    "rouse-sandbox",
    "A Kafka broker in one process, on loopback, for demos and tests. Keeps nothing.", options,
    BASE_LEN(options)};

struct broker {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *cluster;
};

static void log_cb(const rd_kafka_t *rk, int level, const char *fac, const char *text)
{
    (void)rk;
    if (level <= 4)
        log_warn("broker", "facility=%s text=%s", fac, text);
    else
        log_debug("broker", "facility=%s text=%s", fac, text);
}

static int make_topic(struct broker *b, struct str item, struct err *err)
{
    const char *colon = memchr(item.p, ':', item.n);
    size_t len = colon ? (size_t)(colon - item.p) : item.n;
    int64_t n = 0;
    char name[256];

    if (!colon || len == 0 || len >= sizeof(name) ||
        str_i64((struct str){colon + 1, item.n - len - 1}, &n) < 0 || n < 1 || n > MAX_PARTITIONS)
        return err_set(err, ERR_INPUT, "--topics: `" STR_FMT "` is not name:partitions (1 to %d)",
                       STR_ARG(item), MAX_PARTITIONS);
    memcpy(name, item.p, len);
    name[len] = '\0';
    if (rd_kafka_mock_topic_create(b->cluster, name, (int)n, 1))
        return err_set(err, ERR_INPUT, "--topics: `%s` is listed twice", name);
    return 0;
}

static int make_topics(struct broker *b, const char *list, struct err *err)
{
    while (*list) {
        size_t n = strcspn(list, ",");

        if (n > 0 && make_topic(b, (struct str){list, n}, err) < 0)
            return -1;
        list += n + (list[n] == ',');
    }
    return 0;
}

static int start(struct broker *b, const struct conf *c, struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];

    rd_kafka_conf_set_log_cb(conf, log_cb);
    if (rd_kafka_conf_set(conf, "log.queue", "true", why, sizeof(why)) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return err_set(err, ERR_FATAL, "%s", why);
    }
    b->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (!b->rk) {
        rd_kafka_conf_destroy(conf);
        return err_set(err, ERR_FATAL, "%s", why);
    }
    rd_kafka_set_log_queue(b->rk, NULL);
    b->cluster = rd_kafka_mock_cluster_new(b->rk, (int)c->brokers);
    if (!b->cluster)
        return err_set(err, ERR_FATAL, "the cluster cannot be made");
    return make_topics(b, c->topics, err);
}

/* Whole or not at all: a reader never sees half an address. */
static int write_file(const char *path, const char *text, struct err *err)
{
    char tmp[4096];
    FILE *f;
    bool ok;

    if (snprintf(tmp, sizeof(tmp), "%s.%d", path, (int)getpid()) >= (int)sizeof(tmp))
        return err_set(err, ERR_INPUT, "--bootstrap-file: the path is too long");
    f = fopen(tmp, "we");
    ok = f && fprintf(f, "%s\n", text) > 0;
    if (f && fclose(f) != 0)
        ok = false;
    if (!ok || rename(tmp, path) != 0)
        return err_set(err, ERR_FATAL, "%s cannot be written: %m", path);
    return 0;
}

static int announce(const struct broker *b, const struct conf *c, struct err *err)
{
    const char *at = rd_kafka_mock_cluster_bootstraps(b->cluster);

    if (*c->bootstrap_file && write_file(c->bootstrap_file, at, err) < 0)
        return -1;
    printf("%s\n", at);
    fflush(stdout);
    log_info("broker_ready", "bootstrap=%s", at);
    return 0;
}

static void stop(struct broker *b)
{
    if (b->cluster)
        rd_kafka_mock_cluster_destroy(b->cluster);
    if (b->rk)
        rd_kafka_destroy(b->rk);
}

int sandbox_broker(int argc, char **argv)
{
    struct conf c = {0};
    struct broker b = {0};
    struct err err = {0};
    int code;
    struct service *s = service_start(&spec, argc, argv, &c, &code);

    if (!s)
        return code;
    if (start(&b, &c, &err) < 0 || announce(&b, &c, &err) < 0) {
        code = sandbox_fail(spec.name, &err) + (err.kind == ERR_INPUT);
    } else {
        service_health(s, true, NULL);
        while (service_wait(s, 500))
            rd_kafka_poll(b.rk, 0);
    }
    stop(&b);
    service_free(&s);
    return code;
}
