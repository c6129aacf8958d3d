/* SPDX-License-Identifier: Apache-2.0 */
/* admin: Kafka and Redis for commands that may wait. */
#include "admin.h"

#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 15000

struct kafka_conf admin_kafka(const struct admin_conf *c)
{
    static struct kafka_extra extra; /* one set of settings a process */
    struct err err = {0};
    if (kafka_extra(c->settings, &extra, &err) != 0) {
        (void)fprintf(stderr, "rouse: %s\n", err.text);
        exit(2);
    }
    return (struct kafka_conf){
        .bootstrap = c->bootstrap, .client_id = "rouse", .extra = extra.list};
}

struct reading {
    struct control *ctl;
};

static int on_control(void *arg, const struct kafka_msg *m)
{
    struct reading *r = arg;
    struct err err = {0};
    if (control_record(r->ctl, m->key, m->value, m->tombstone, m->offset, &err) != 0)
        (void)fprintf(stderr, "rouse: rouse.control, offset %lld: %s\n", (long long)m->offset,
                      err.text);
    return 0;
}

int admin_read_control(const struct admin_conf *c, struct control *ctl, struct err *err)
{
    struct kafka_conf k = admin_kafka(c);
    struct reading r = {ctl};
    return kafka_read_all(&k, "rouse.control", 0, KAFKA_BEGINNING, on_control, &r, WAIT_MS, err);
}

struct report {
    bool done;
    int64_t offset;
    struct err err;
};

static void on_report(void *arg, void *opaque, const char *topic, int32_t partition, int64_t offset,
                      const struct err *err)
{
    struct report *r = opaque;
    (void)arg;
    (void)topic;
    (void)partition;
    r->done = true;
    r->offset = offset;
    if (err)
        r->err = *err;
}

int admin_produce(const struct admin_conf *c, const char *topic, struct str key, struct str value,
                  int64_t *offset, struct err *err)
{
    struct kafka_conf k = admin_kafka(c);
    struct kafka_producer *p;
    struct report r = {0};
    if (kafka_producer_new(&k, &p, err) != 0)
        return -1;
    int rc = kafka_produce(p, topic, 0, key, value, NULL, 0, &r, err);
    if (rc == 0)
        rc = kafka_producer_flush(p, WAIT_MS, on_report, NULL, err);
    if (rc == 0 && r.err.kind != ERR_NONE) {
        *err = r.err;
        rc = -1;
    }
    if (rc == 0 && !r.done)
        rc = err_set(err, ERR_AGAIN, "%s: no answer from the broker", topic);
    if (rc == 0 && offset)
        *offset = r.offset;
    kafka_producer_free(&p);
    return rc;
}

int admin_redis(const char *address, const char *user, const char *password_file,
                struct redis **out, struct err *err)
{
    char password[512] = "";
    if (password_file[0]) {
        FILE *f = fopen(password_file, "re");
        if (!f || !fgets(password, sizeof password, f)) {
            if (f)
                (void)fclose(f);
            return err_set(err, ERR_INPUT, "%s: cannot be read", password_file);
        }
        (void)fclose(f);
        password[strcspn(password, "\r\n")] = '\0';
    }
    struct redis_conf c = {.address = address, .user = user, .password = password};
    if (redis_new(&c, out, err) != 0)
        return -1;
    if (redis_connect_wait(*out, WAIT_MS, err) != 0) {
        redis_free(out);
        return -1;
    }
    return 0;
}
