/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages and lists of partitions, between librdkafka's form and ours.
 */
#include "kafka_priv.h"

#include <stdlib.h>

void kafka_msg_fill(struct kafka_msg *m, rd_kafka_message_t *rkm, const char *topic)
{
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;

    m->topic = topic;
    m->partition = rkm->partition;
    m->offset = rkm->offset;
    m->ts_ms = rd_kafka_message_timestamp(rkm, &type);
    m->append_time = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
    m->tombstone = rkm->payload == NULL;
    m->key = (struct str){rkm->key, rkm->key_len};
    m->value = (struct str){rkm->payload, rkm->len};
    m->handle = rkm;
    m->err = NULL;
}

void kafka_msg_done(struct kafka_msg *m)
{
    if (m->handle)
        rd_kafka_message_destroy(m->handle);
    free(m->err);
    m->handle = NULL;
    m->err = NULL;
}

uint32_t kafka_msg_headers(const struct kafka_msg *m, struct arena *a, const struct str **out)
{
    rd_kafka_headers_t *hs;
    struct str *pairs;
    size_t n;

    *out = NULL;
    if (!m->handle || rd_kafka_message_headers(m->handle, &hs) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    n = rd_kafka_header_cnt(hs);
    pairs = ARENA_ARRAY(a, struct str, 2 * n);
    for (size_t i = 0; i < n; i++) {
        const char *name;
        const void *value;
        size_t len;

        rd_kafka_header_get_all(hs, i, &name, &value, &len);
        pairs[2 * i] = arena_str(a, str_c(name));
        pairs[2 * i + 1] = arena_str(a, (struct str){value, value ? len : 0});
    }
    *out = pairs;
    return (uint32_t)n;
}

rd_kafka_topic_partition_list_t *kafka_tp_list(const struct kafka_tp *tp, size_t n, bool metadata)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new((int)n);

    for (size_t i = 0; i < n; i++) {
        rd_kafka_topic_partition_t *e =
            rd_kafka_topic_partition_list_add(l, tp[i].topic, tp[i].partition);

        e->offset = tp[i].offset;
        if (metadata && tp[i].metadata.n) { /* the list frees it */
            e->metadata = xmemdup0(tp[i].metadata.p, tp[i].metadata.n);
            e->metadata_size = tp[i].metadata.n;
        }
    }
    return l;
}
