/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest: upstream topics, outcomes and receipts become records of rouse.log; what cannot be read goes to
 * rouse.dead.
 */
#ifndef ROUSE_INGEST_H
#define ROUSE_INGEST_H

#include "service.h"

struct ingest_conf {
    const char *bootstrap, *kafka, *group, *engine_group, *dispatcher_group;
    int64_t session_ms, pack_wait_ms, linger_ms, commit_ms, fetch_wait_ms, ahead_ms;
    int64_t record_bytes, max_bytes, queue_bytes, source_bytes;
};
extern const struct service_spec ingest_spec;

struct ingest;
/* 0, or -1 when an option makes no sense. */
int ingest_new(const struct ingest_conf *c, struct service *s, struct ingest **out,
               struct err *err);
void ingest_run(struct ingest *in); /* until SIGTERM; then drains */
void ingest_free(struct ingest **in);

#endif
