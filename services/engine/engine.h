/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine: folds the partitions of rouse.log that the group gives us, appends their decisions to
 * rouse.decisions and the changes of public tags to rouse.tags, and commits their states to Redis.
 */
#ifndef ROUSE_ENGINE_H
#define ROUSE_ENGINE_H

#include "service.h"

struct engine_conf {
    const char *bootstrap, *kafka, *group;
    const char *redis, *redis_user, *redis_password_file;
    const char *chaos_point;
    int64_t cache_bytes, batch_bytes, queue_bytes;
    int64_t window_ms, linger_ms, fetch_wait_ms, session_ms, tick_ms, redis_timeout_ms,
        sent_keep_ms, guard_ms;
    int64_t max_members;
};
extern const struct service_spec engine_spec;

struct engine;
/* 0, or -1 when an option makes no sense. */
int engine_new(const struct engine_conf *c, struct service *s, struct engine **out,
               struct err *err);
/* Until SIGTERM; then drains. */
void engine_run(struct engine *e);
void engine_free(struct engine **e);

#endif
