/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping: exit 0 as soon as a broker answers a request for metadata, 1 when the time is up.  For scripts
 * that start a broker: asking is better than sleeping.
 */
#include "sandbox.h"
#include "sandbox_priv.h"

#include <stddef.h>
#include <stdio.h>

struct conf {
    const char *bootstrap;
    int64_t timeout;
};

static const struct option_def options[] = {
    {"bootstrap", OPT_STRING, offsetof(struct conf, bootstrap), NULL, 0, 0,
     "Kafka's address, host:port."},
    {"timeout", OPT_DURATION, offsetof(struct conf, timeout), "30s", 1, 600000,
     "How long to wait for an answer."},
};
static const struct service_spec spec = {"rouse-sandbox ping", "Wait until a Kafka broker answers.",
                                         options, BASE_LEN(options)};

int sandbox_ping(int argc, char **argv)
{
    struct conf c = {0};
    struct arena *a = arena_new(0);
    struct err err = {0};
    int r = sandbox_options(&spec, argc, argv, &c, a);

    if (r == 0) {
        struct kafka_conf k = {.bootstrap = c.bootstrap, .client_id = "rouse-ping"};

        /* The topic need not be there: the answer is what counts. */
        r = kafka_topic_partitions(&k, "rouse.log", (int)c.timeout, &err) < 0
                ? sandbox_fail(spec.name, &err)
                : 0;
    } else {
        r = r < 0 ? 2 : 0;
    }
    arena_free(&a);
    return r;
}
