/* SPDX-License-Identifier: Apache-2.0 */
/* admin: Kafka and Redis for commands that may wait. */
#ifndef ROUSE_ADMIN_H
#define ROUSE_ADMIN_H

#include "cli.h"
#include "redis.h"

struct admin_conf {
    const char *bootstrap, *settings;
};
#define ADMIN_OPTIONS(type, field)                                                                 \
    {"bootstrap", OPT_STRING, offsetof(type, field.bootstrap), "127.0.0.1:9092",                   \
     0,           0,          "Kafka brokers, host:port,…"},                                       \
    {                                                                                              \
        "kafka", OPT_STRING, offsetof(type, field.settings), "", 0, 0,                             \
            "Further Kafka settings, name=value,name=value; a value @FILE stands in that file."    \
    }
/* Exits the process with a message when the settings are not of that form. */
struct kafka_conf admin_kafka(const struct admin_conf *c);

/* The whole of rouse.control into `ctl`. Records that make no sense are reported on stderr. */
int admin_read_control(const struct admin_conf *c, struct control *ctl, struct err *err);
/* One record, acknowledged. *offset (may be NULL) is where it stands. */
int admin_produce(const struct admin_conf *c, const char *topic, struct str key, struct str value,
                  int64_t *offset, struct err *err);
/* Connected and ready. password_file "" = none. */
int admin_redis(const char *address, const char *user, const char *password_file,
                struct redis **out, struct err *err);

#endif
