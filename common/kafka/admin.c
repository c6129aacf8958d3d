/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics: made, looked at and deleted.  One request, one answer, bounded in time.  The sandbox broker
 * knows none of it and says "unsupported".
 */
#include "kafka_priv.h"

#include <stdio.h>

struct admin {
    struct handle h;
    rd_kafka_queue_t *q;
    rd_kafka_AdminOptions_t *opt;
    rd_kafka_event_t *ev;
};

static void admin_close(struct admin *a)
{
    if (a->ev)
        rd_kafka_event_destroy(a->ev);
    if (a->opt)
        rd_kafka_AdminOptions_destroy(a->opt);
    if (a->q)
        rd_kafka_queue_destroy(a->q);
    kafka_handle_close(&a->h);
}

/* librdkafka 2.0.2's mock cluster names a controller that is none of its brokers; an admin request
 * would wait for it until its time is up. */
static int controller_is_a_broker(struct admin *a, int timeout_ms, struct err *err)
{
    int32_t id = rd_kafka_controllerid(a->h.rk, timeout_ms);
    const struct rd_kafka_metadata *md;
    rd_kafka_resp_err_t e;
    bool found = false;

    if (id < 0)
        return err_code(err, ERR_AGAIN, "timeout", "Kafka has named no controller in %d ms",
                        timeout_ms);
    e = rd_kafka_metadata(a->h.rk, 0, NULL, &md, timeout_ms);
    if (e)
        return kafka_err(err, e, "brokers", NULL);
    for (int i = 0; i < md->broker_cnt; i++)
        found = found || md->brokers[i].id == id;
    rd_kafka_metadata_destroy(md);
    return found ? 0
                 : err_code(err, ERR_FATAL, "unsupported",
                            "this broker has no administration of topics (a sandbox broker?)");
}

static int admin_open(struct admin *a, const struct kafka_conf *c, rd_kafka_admin_op_t op,
                      int timeout_ms, struct err *err)
{
    char why[256];

    *a = (struct admin){.h = {.fd = -1}};
    if (kafka_consumer_open(&a->h, c, "rouse-tools", NULL, 0, err) < 0)
        return -1;
    a->q = rd_kafka_queue_new(a->h.rk);
    a->opt = rd_kafka_AdminOptions_new(a->h.rk, op);
    if (rd_kafka_AdminOptions_set_request_timeout(a->opt, timeout_ms, why, sizeof(why)) ||
        ((op == RD_KAFKA_ADMIN_OP_CREATETOPICS || op == RD_KAFKA_ADMIN_OP_DELETETOPICS) &&
         rd_kafka_AdminOptions_set_operation_timeout(a->opt, timeout_ms, why, sizeof(why))))
        return err_set(err, ERR_INPUT, "time-out %d ms: %s", timeout_ms, why);
    return controller_is_a_broker(a, timeout_ms, err);
}

static int admin_wait(struct admin *a, const char *what, int timeout_ms, struct err *err)
{
    rd_kafka_resp_err_t e;

    a->ev = rd_kafka_queue_poll(a->q, timeout_ms + 1000);
    if (!a->ev)
        return err_code(err, ERR_AGAIN, "timeout", "%s: no answer in %d ms", what, timeout_ms);
    e = rd_kafka_event_error(a->ev);
    return e ? kafka_err(err, e, what, rd_kafka_event_error_string(a->ev)) : 0;
}

static int topic_result(const rd_kafka_topic_result_t *const *res, size_t n, const char *what,
                        rd_kafka_resp_err_t fine, struct err *err)
{
    rd_kafka_resp_err_t e = n ? rd_kafka_topic_result_error(res[0]) : RD_KAFKA_RESP_ERR__FAIL;

    if (!e)
        return 1;
    if (e == fine)
        return 0;
    return kafka_err(err, e, what, n ? rd_kafka_topic_result_error_string(res[0]) : NULL);
}

static rd_kafka_NewTopic_t *new_topic(const struct kafka_topic *t, struct err *err)
{
    char why[256];
    rd_kafka_NewTopic_t *nt =
        rd_kafka_NewTopic_new(t->name, t->partitions, t->replication, why, sizeof(why));

    if (!nt) {
        err_set(err, ERR_INPUT, "topic %s: %s", t->name, why);
        return NULL;
    }
    for (size_t i = 0; t->config && t->config[i] && t->config[i + 1]; i += 2)
        rd_kafka_NewTopic_set_config(nt, t->config[i], t->config[i + 1]);
    return nt;
}

int kafka_topic_create(const struct kafka_conf *c, const struct kafka_topic *t, int timeout_ms,
                       struct err *err)
{
    rd_kafka_NewTopic_t *nt = new_topic(t, err);
    struct admin a;
    char what[300];
    size_t n = 0;
    int r = -1;

    if (!nt)
        return -1;
    snprintf(what, sizeof(what), "create topic %.250s", t->name);
    if (admin_open(&a, c, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms, err) == 0) {
        rd_kafka_CreateTopics(a.h.rk, &nt, 1, a.opt, a.q);
        if (admin_wait(&a, what, timeout_ms, err) == 0) {
            const rd_kafka_topic_result_t **res =
                rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(a.ev), &n);
            r = topic_result(res, n, what, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, err);
        }
    }
    admin_close(&a);
    rd_kafka_NewTopic_destroy(nt);
    return r;
}

int kafka_topic_delete(const struct kafka_conf *c, const char *topic, int timeout_ms,
                       struct err *err)
{
    rd_kafka_DeleteTopic_t *dt = rd_kafka_DeleteTopic_new(topic);
    struct admin a;
    char what[300];
    size_t n = 0;
    int r = -1;

    snprintf(what, sizeof(what), "delete topic %.250s", topic);
    if (admin_open(&a, c, RD_KAFKA_ADMIN_OP_DELETETOPICS, timeout_ms, err) == 0) {
        rd_kafka_DeleteTopics(a.h.rk, &dt, 1, a.opt, a.q);
        if (admin_wait(&a, what, timeout_ms, err) == 0) {
            const rd_kafka_topic_result_t **res =
                rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(a.ev), &n);
            r = topic_result(res, n, what, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, err);
        }
    }
    admin_close(&a);
    rd_kafka_DeleteTopic_destroy(dt);
    return r;
}

/* 1 found, 0 no such name. */
static int config_value(const rd_kafka_ConfigResource_t *res, const char *name, char *out, size_t n,
                        const char *what, struct err *err)
{
    size_t n_entries;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(res, &n_entries);
    rd_kafka_resp_err_t e = rd_kafka_ConfigResource_error(res);

    if (e)
        return kafka_err(err, e, what, rd_kafka_ConfigResource_error_string(res));
    for (size_t i = 0; i < n_entries; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);

        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) != 0)
            continue;
        snprintf(out, n, "%s", value ? value : "");
        return 1;
    }
    return 0;
}

int kafka_topic_config(const struct kafka_conf *c, const char *topic, const char *name, char *out,
                       size_t n, int timeout_ms, struct err *err)
{
    rd_kafka_ConfigResource_t *res = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    struct admin a;
    char what[300];
    size_t n_res = 0;
    int r = -1;

    snprintf(what, sizeof(what), "settings of topic %.250s", topic);
    if (admin_open(&a, c, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms, err) == 0) {
        rd_kafka_DescribeConfigs(a.h.rk, &res, 1, a.opt, a.q);
        if (admin_wait(&a, what, timeout_ms, err) == 0) {
            const rd_kafka_ConfigResource_t **got = rd_kafka_DescribeConfigs_result_resources(
                rd_kafka_event_DescribeConfigs_result(a.ev), &n_res);
            r = n_res ? config_value(got[0], name, out, n, what, err) : 0;
        }
    }
    admin_close(&a);
    rd_kafka_ConfigResource_destroy(res);
    return r;
}
