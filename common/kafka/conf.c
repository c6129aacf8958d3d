/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration and handles.  Every setting that has a meaning for us is written down here or beside
 * its use, and cannot be changed from outside: a caller may pass through only what concerns the
 * connection (the table below).  Logs go to the queue that the caller polls, so that no callback
 * ever runs on a thread of librdkafka's.
 */
#include "kafka_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What may be passed through.  only != NULL: the one value that is accepted. */
static const struct {
    const char *name, *only;
} allowed[] = {
    {"broker.address.family", NULL},
    {"client.rack", NULL},
    {"enable.ssl.certificate.verification", "true"},
    {"fetch.wait.max.ms", NULL},
    {"sasl.kerberos.keytab", NULL},
    {"sasl.kerberos.principal", NULL},
    {"sasl.kerberos.service.name", NULL},
    {"sasl.mechanism", NULL},
    {"sasl.mechanisms", NULL},
    {"sasl.password", NULL},
    {"sasl.username", NULL},
    {"security.protocol", NULL},
    {"socket.connection.setup.timeout.ms", NULL},
    {"socket.timeout.ms", NULL},
    {"ssl.ca.location", NULL},
    {"ssl.ca.pem", NULL},
    {"ssl.certificate.location", NULL},
    {"ssl.certificate.pem", NULL},
    {"ssl.cipher.suites", NULL},
    {"ssl.crl.location", NULL},
    {"ssl.curves.list", NULL},
    {"ssl.endpoint.identification.algorithm", "https"},
    {"ssl.key.location", NULL},
    {"ssl.key.password", NULL},
    {"ssl.key.pem", NULL},
    {"ssl.keystore.location", NULL},
    {"ssl.keystore.password", NULL},
    {"ssl.sigalgs.list", NULL},
};

/* Of every handle.  A dead broker is found out in seconds and tried again at least once a second. */
static const struct setting common[] = {
    {"log.queue", "true"},
    {"enable.random.seed", "false"},
    {"socket.timeout.ms", "10000"},
    {"socket.keepalive.enable", "true"},
    {"socket.nagle.disable", "true"},
    {"topic.metadata.refresh.interval.ms", "60000"},
    {"reconnect.backoff.ms", "50"},
    {"reconnect.backoff.max.ms", "1000"},
    {"fetch.max.bytes", "8388608"},
    {"receive.message.max.bytes", "16777216"},
};

/* auto.offset.reset=error: a place that is gone is told, never jumped over.  check.crcs: a flipped
 * bit is told. */
static const struct setting consumer[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},
    {"isolation.level", "read_committed"},
    {"check.crcs", "true"},
    {"allow.auto.create.topics", "false"},
    {"fetch.message.max.bytes", "1048576"},
    {"fetch.error.backoff.ms", "100"},
    {"queued.min.messages", "2000000"}, /* the queue is bounded by its bytes */
};

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
    char why[256];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
        return 0;
    return err_code(err, ERR_INPUT, "kafka_conf", "kafka setting %s: %s", name, why);
}

static int set_all(rd_kafka_conf_t *conf, const struct setting *s, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (set(conf, s[i].name, s[i].value, err) < 0)
            return -1;
    }
    return 0;
}

static int set_extra(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
    for (size_t i = 0; i < BASE_LEN(allowed); i++) {
        if (strcmp(allowed[i].name, name) != 0)
            continue;
        if (allowed[i].only && strcmp(allowed[i].only, value) != 0)
            return err_code(err, ERR_INPUT, "kafka_conf", "kafka setting %s must stay `%s`", name,
                            allowed[i].only);
        return set(conf, name, value, err);
    }
    return err_code(err, ERR_INPUT, "kafka_conf",
                    "kafka setting %s cannot be changed: only the connection's can "
                    "(security.protocol, sasl.*, ssl.* …)",
                    name);
}

static int set_extras(rd_kafka_conf_t *conf, const char *const *extra, struct err *err)
{
    for (size_t i = 0; extra && extra[i]; i += 2) {
        if (!extra[i + 1])
            return err_code(err, ERR_INPUT, "kafka_conf", "kafka setting %s has no value",
                            extra[i]);
        if (set_extra(conf, extra[i], extra[i + 1], err) < 0)
            return -1;
    }
    return 0;
}

/* Said with every metadata request or every handle, about what we do on purpose. */
static bool noise(const char *fac)
{
    return strcmp(fac, "AUTOCREATE") == 0 || strcmp(fac, "CONFWARN") == 0;
}

static void log_cb(const rd_kafka_t *rk, int level, const char *fac, const char *text)
{
    const struct handle *h = rd_kafka_opaque(rk);

    if (h && !noise(fac))
        kafka_handle_log(h, level, fac, text);
}

static void error_cb(rd_kafka_t *rk, int e, const char *reason, void *opaque)
{
    (void)rk;
    (void)e;
    if (opaque)
        kafka_handle_log(opaque, 4, "ERROR", reason);
}

rd_kafka_conf_t *kafka_conf_make(const struct kafka_conf *c, const struct setting *own, size_t n,
                                 struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set_log_cb(conf, log_cb);
    rd_kafka_conf_set_error_cb(conf, error_cb);
    if (!c->bootstrap || !*c->bootstrap)
        err_code(err, ERR_INPUT, "kafka_conf", "no Kafka bootstrap address");
    else if (set_all(conf, common, BASE_LEN(common), err) == 0 &&
             set(conf, "bootstrap.servers", c->bootstrap, err) == 0 &&
             set(conf, "client.id", c->client_id ? c->client_id : "rouse", err) == 0 &&
             set_all(conf, own, n, err) == 0 && set_extras(conf, c->extra, err) == 0)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

int kafka_handle_open(struct handle *h, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                      const struct kafka_conf *c, struct err *err)
{
    char why[256];

    h->fd = -1;
    h->q = NULL;
    h->log = c->log;
    h->log_arg = c->log_arg;
    rd_kafka_conf_set_opaque(conf, h);
    h->rk = rd_kafka_new(type, conf, why, sizeof(why));
    if (!h->rk) {
        rd_kafka_conf_destroy(conf);
        return err_code(err, ERR_FATAL, "kafka_conf", "kafka: %s", why);
    }
    rd_kafka_set_log_queue(h->rk, NULL); /* to the main queue */
    if (type == RD_KAFKA_CONSUMER)
        rd_kafka_poll_set_consumer(h->rk);
    return 0;
}

int kafka_consumer_open(struct handle *h, const struct kafka_conf *c, const char *group,
                        const struct setting *more, size_t n_more, struct err *err)
{
    struct setting all[BASE_LEN(consumer) + 12];
    char wait[16], queue[16];
    size_t n = BASE_LEN(consumer);
    rd_kafka_conf_t *conf;

    snprintf(wait, sizeof(wait), "%u", c->fetch_wait_ms ? c->fetch_wait_ms : 50);
    snprintf(queue, sizeof(queue), "%u", c->fetch_queue_kb ? c->fetch_queue_kb : KAFKA_QUEUE_KB);
    memcpy(all, consumer, sizeof(consumer));
    /* The mark above which nothing more is fetched.  When librdkafka looks again: see kick() in
     * fetcher.c for versions before 2.2, since then it can be set. */
    all[n++] = (struct setting){"queued.max.messages.kbytes", queue};
    if (rd_kafka_version() >= 0x020200ff)
        all[n++] = (struct setting){"fetch.queue.backoff.ms", "50"};
    all[n++] = (struct setting){"fetch.wait.max.ms", wait};
    all[n++] = (struct setting){"group.id", group};
    for (size_t i = 0; i < n_more && n < BASE_LEN(all); i++)
        all[n++] = more[i];
    conf = kafka_conf_make(c, all, n, err);
    return conf ? kafka_handle_open(h, RD_KAFKA_CONSUMER, conf, c, err) : -1;
}

int kafka_handle_watch(struct handle *h, rd_kafka_queue_t *q, struct err *err)
{
    static const uint64_t one = 1;

    h->q = q;
    h->fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    if (h->fd < 0)
        return err_set(err, ERR_FATAL, "eventfd: %m");
    rd_kafka_queue_io_event_enable(q, h->fd, &one, sizeof(one));
    return 0;
}

void kafka_handle_drained(struct handle *h)
{
    uint64_t n;

    if (read(h->fd, &n, sizeof(n)) < 0)
        return; /* nothing in it */
}

void kafka_handle_again(struct handle *h)
{
    const uint64_t one = 1;

    if (write(h->fd, &one, sizeof(one)) < 0)
        return; /* full, so readable */
}

void kafka_handle_close(struct handle *h)
{
    if (h->q) {
        if (h->fd >= 0)
            rd_kafka_queue_io_event_enable(h->q, -1, NULL, 0);
        rd_kafka_queue_destroy(h->q);
    }
    if (h->rk)
        rd_kafka_destroy_flags(h->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    if (h->fd >= 0)
        close(h->fd);
    h->q = NULL;
    h->rk = NULL;
    h->fd = -1;
}

void kafka_handle_log(const struct handle *h, int level, const char *facility, const char *text)
{
    if (h->log)
        h->log(h->log_arg, level, facility, text);
}

/* The first line of a file, kept in out->files from *used on. */
static const char *from_file(const char *path, struct kafka_extra *out, size_t *used,
                             struct err *err)
{
    char *to = out->files + *used;
    FILE *f = fopen(path, "re");
    bool ok = f && *used + 2 < sizeof out->files &&
              fgets(to, (int)(sizeof out->files - *used), f) != NULL;
    if (f)
        (void)fclose(f);
    if (!ok) {
        err_set(err, ERR_INPUT, "--kafka: %s cannot be read", path);
        return NULL;
    }
    to[strcspn(to, "\r\n")] = '\0';
    *used += strlen(to) + 1;
    return to;
}

int kafka_extra(const char *text, struct kafka_extra *out, struct err *err)
{
    size_t n = 0, used = 0;
    char *save = NULL;
    memset(out, 0, sizeof *out);
    if (strlen(text) >= sizeof out->text)
        return err_set(err, ERR_INPUT, "--kafka: longer than %zu bytes", sizeof out->text - 1);
    memcpy(out->text, text, strlen(text) + 1);
    for (char *t = strtok_r(out->text, ",", &save); t; t = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(t, '=');
        if (!eq)
            return err_set(err, ERR_INPUT, /* not told: it may be the end of a password */
                           "--kafka: setting %zu is not name=value", n / 2 + 1);
        if (n + 3 > BASE_LEN(out->list))
            return err_set(err, ERR_INPUT, "--kafka: more than 32 settings");
        *eq = '\0';
        const char *value = eq[1] == '@' ? from_file(eq + 2, out, &used, err) : eq + 1;
        if (!value)
            return -1;
        out->list[n++] = t;
        out->list[n++] = value;
    }
    return 0;
}
