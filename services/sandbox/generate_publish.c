/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate: to the topics.  The partition is Java's default for the key, given explicitly, so that the
 * same year lies in the same partitions on every broker.  Kafka's timestamps are not set: a broker may
 * refuse what is ahead and delete what is old; the time that counts is in the payload.
 */
#include "generate_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ASK_MS = 20000, WAIT_MS = 120000 };

static const char *const names[GEN_TOPICS] = {
    [GEN_MEMBER] = "crm.member",
    [GEN_PROFILE] = "profile",
    [GEN_ORDER] = "trade.order.paid",
    [GEN_CART] = "trade.cart",
    [GEN_BROWSE] = "web.browse",
    [GEN_COUPON] = "promo.coupon",
    [GEN_POST] = "community.post",
    [GEN_EMPTY + 0] = "crm.referral",
    [GEN_EMPTY + 1] = "crm.store_event",
    [GEN_EMPTY + 2] = "trade.order.created",
    [GEN_EMPTY + 3] = "trade.refund",
    [GEN_EMPTY + 4] = "trade.delivered",
    [GEN_EMPTY + 5] = "store.pickup",
    [GEN_EMPTY + 6] = "web.favorite",
    [GEN_EMPTY + 7] = "ad.touch",
    [GEN_EMPTY + 8] = "store.visit",
    [GEN_EMPTY + 9] = "wecom.friend",
    [GEN_EMPTY + 10] = "device.scan",
    [GEN_EMPTY + 11] = "device.filter",
    [GEN_EMPTY + 12] = "live.enter",
    [GEN_EMPTY + 13] = "promo.claim",
    [GEN_EMPTY + 14] = "promo.redeem",
    [GEN_EMPTY + 15] = "community.question",
    [GEN_EMPTY + 16] = "community.review",
    [GEN_EMPTY + 17] = "service.appointment",
    [GEN_EMPTY + 18] = "service.complaint",
    [GEN_EMPTY + 19] = "erp.stock",
    [GEN_EMPTY + 20] = "erp.product_new",
};

const char *gen_topic_name(enum gen_topic t)
{
    return names[t];
}

static int find_topic(const struct kafka_conf *k, const char *name, int32_t partitions,
                      struct err *err)
{
    static const char *const keep[] = {"retention.ms", "-1", "cleanup.policy", "delete", NULL};
    struct kafka_topic t = {name, partitions, -1, keep};
    struct err e = {0};
    int n = kafka_topic_partitions(k, name, ASK_MS, err);

    if (n != 0)
        return n;
    if (kafka_topic_create(k, &t, ASK_MS, &e) >= 0)
        return partitions;
    if (strcmp(e.code, "unsupported") == 0)
        return err_set(err, ERR_FATAL, "topic %s is not there: name it in the broker's --topics",
                       name);
    *err = e;
    return -1;
}

int gen_publish_open(struct gen_publish *u, const char *bootstrap, int32_t partitions,
                     uint32_t mask, uint32_t linger_ms, struct err *err)
{
    struct kafka_conf k = {
        .bootstrap = bootstrap, .client_id = "rouse-generate", .linger_ms = linger_ms};

    for (int t = 0; t < GEN_TOPICS; t++) {
        if (!(mask >> t & 1))
            continue;
        u->partitions[t] = find_topic(&k, names[t], partitions, err);
        if (u->partitions[t] < 0)
            return -1;
        u->part_bytes[t] = xcalloc((size_t)u->partitions[t], sizeof(uint64_t));
    }
    return kafka_producer_new(&k, &u->p, err);
}

void gen_publish_close(struct gen_publish *u)
{
    kafka_producer_free(&u->p);
    for (int t = 0; t < GEN_TOPICS; t++)
        free(u->part_bytes[t]);
}

static void on_report(void *arg, void *opaque, const char *topic, int32_t partition, int64_t offset,
                      const struct err *err)
{
    struct gen_publish *u = arg;

    (void)opaque;
    (void)topic;
    (void)partition;
    (void)offset;
    if (err && u->err.kind == ERR_NONE)
        u->err = *err;
}

static int failed(const struct gen_publish *u, struct err *err)
{
    if (u->err.kind == ERR_NONE)
        return 0;
    *err = u->err;
    return -1;
}

static int append(struct gen_publish *u, enum gen_topic t, int32_t partition, struct str key,
                  struct str value, const struct kafka_header *h, struct err *err)
{
    struct err e = {0};

    while (kafka_produce(u->p, names[t], partition, key, value, h, h ? 1 : 0, NULL, &e) < 0) {
        if (e.kind != ERR_AGAIN) {
            *err = e;
            return -1;
        }
        kafka_producer_poll(u->p, 100, on_report, u);
        if (failed(u, err) < 0)
            return -1;
        err_clear(&e);
    }
    return 0;
}

int gen_publish_one(struct gen_publish *u, enum gen_topic t, struct str key, struct str value,
                    struct err *err)
{
    int32_t partition = (int32_t)((hash_murmur2(key) & 0x7fffffff) % (uint32_t)u->partitions[t]);

    if (append(u, t, partition, key, value, NULL, err) < 0)
        return -1;
    u->bytes[t] += key.n + value.n;
    u->part_bytes[t][partition] += key.n + value.n;
    if (++u->records[t] % 512 == 0)
        kafka_producer_poll(u->p, 0, on_report, u);
    return failed(u, err);
}

void gen_publish_poll(struct gen_publish *u, int timeout_ms)
{
    kafka_producer_poll(u->p, timeout_ms, on_report, u);
}

int gen_publish_flush(struct gen_publish *u, struct err *err)
{
    if (kafka_producer_flush(u->p, WAIT_MS, on_report, u, err) < 0)
        return -1;
    return failed(u, err);
}

int gen_publish_ends(struct gen_publish *u, struct err *err)
{
    static const struct kafka_header end = {"rouse-end", {"1", 1}};

    if (gen_publish_flush(u, err) < 0)
        return -1;
    for (int t = 0; t < GEN_TOPICS; t++) {
        for (int32_t p = 0; p < u->partitions[t]; p++) {
            if (append(u, (enum gen_topic)t, p, (struct str){0}, STR(""), &end, err) < 0)
                return -1;
        }
    }
    return gen_publish_flush(u, err);
}

void gen_publish_report(const struct gen_publish *u)
{
    uint64_t records = 0, bytes = 0;

    for (int t = 0; t < GEN_TOPICS; t++) {
        uint64_t most = 0;

        if (u->records[t] == 0)
            continue;
        for (int32_t p = 0; p < u->partitions[t]; p++)
            most = u->part_bytes[t][p] > most ? u->part_bytes[t][p] : most;
        printf("topic=%s partitions=%d records=%" PRIu64 " bytes=%" PRIu64
               " largest_partition=%" PRIu64 "\n",
               names[t], u->partitions[t], u->records[t], u->bytes[t], most);
        records += u->records[t];
        bytes += u->bytes[t];
    }
    printf("total records=%" PRIu64 " bytes=%" PRIu64 "\n", records, bytes);
}
