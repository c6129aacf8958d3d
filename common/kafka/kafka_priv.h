/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this module share: the configuration of a librdkafka handle, its one queue with
 * an eventfd that stays readable while there is something to poll, and the mapping of its errors.
 */
#ifndef ROUSE_KAFKA_PRIV_H
#define ROUSE_KAFKA_PRIV_H

#include "kafka.h"

#include <librdkafka/rdkafka.h>

enum { KAFKA_QUEUE_KB = 16384 };

struct setting {
    const char *name, *value;
};

/* The first member of everything that owns a librdkafka handle, and that handle's opaque. */
struct handle {
    rd_kafka_t *rk;
    rd_kafka_queue_t *q; /* what is polled; NULL in handles without an fd */
    int fd;              /* eventfd; -1 = none */
    void (*log)(void *arg, int level, const char *facility, const char *text);
    void *log_arg;
};

/* Common settings, then `own` (n), then the caller's allow-listed extras. NULL and err on failure. */
rd_kafka_conf_t *kafka_conf_make(const struct kafka_conf *c, const struct setting *own, size_t n,
                                 struct err *err);
/* Takes `conf` in every case. */
int kafka_handle_open(struct handle *h, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                      const struct kafka_conf *c, struct err *err);
/* A consumer that never joins a group: the base of the fetcher, watches and tools. */
int kafka_consumer_open(struct handle *h, const struct kafka_conf *c, const char *group,
                        const struct setting *more, size_t n_more, struct err *err);
int kafka_handle_watch(struct handle *h, rd_kafka_queue_t *q, struct err *err); /* takes q */
void kafka_handle_drained(struct handle *h);                                    /* before a poll */
void kafka_handle_again(struct handle *h); /* the fd stays readable: more is waiting */
/* Never waits for a group to be left; every object of the handle must be gone. */
void kafka_handle_close(struct handle *h);
void kafka_handle_log(const struct handle *h, int level, const char *facility, const char *text);

/* Fill err from a librdkafka code; what = what was tried. Returns -1. */
int kafka_err(struct err *err, rd_kafka_resp_err_t e, const char *what, const char *detail);
/* The same from an error object, which is destroyed. */
int kafka_err_obj(struct err *err, rd_kafka_error_t *e, const char *what);

rd_kafka_topic_partition_list_t *kafka_tp_list(const struct kafka_tp *tp, size_t n, bool metadata);
void kafka_msg_fill(struct kafka_msg *m, rd_kafka_message_t *rkm, const char *topic);

#endif
