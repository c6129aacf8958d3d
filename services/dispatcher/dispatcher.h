/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatcher: turns `send` decisions into webhook calls.  dispatch.h is the protocol as a pure step, one
 * a partition; this is the shell around it: Kafka, the gateways, clocks, chance.
 */
#ifndef ROUSE_DISPATCHER_H
#define ROUSE_DISPATCHER_H

#include "service.h"

struct dispatcher_conf {
    const char *bootstrap, *kafka, *group;
    const char *gateways, *gateway_base, *secrets;
    const char *chaos_point;
    int64_t session_ms, linger_ms, fetch_wait_ms, commit_ms, snapshot_ms, drain_ms;
    int64_t max_pending, max_queued, snapshot_records;
};
extern const struct service_spec dispatcher_spec;

struct dispatcher;
/* -1: the adapters have errors; they were printed. */
int dispatcher_new(const struct dispatcher_conf *conf, struct service *s, struct dispatcher **out,
                   struct err *err);
void dispatcher_run(struct dispatcher *x);
void dispatcher_free(struct dispatcher **x);

#endif
