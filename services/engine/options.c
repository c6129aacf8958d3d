/* SPDX-License-Identifier: Apache-2.0 */
/* The options of rouse-engine: this table is their documentation. */
#include "engine_priv.h"

#define AT(field) offsetof(struct engine_conf, field)

static const struct option_def options[] = {
    {"bootstrap", OPT_STRING, AT(bootstrap), "127.0.0.1:9092", 0, 0, "Kafka brokers, host:port,…"},
    {"kafka", OPT_STRING, AT(kafka), "", 0, 0,
     "Further Kafka settings, name=value,name=value (security.protocol, ssl.*, sasl.*); a value "
     "@FILE stands in that file."},
    {"group", OPT_STRING, AT(group), "rouse-engine", 0, 0,
     "Consumer group: its processes share the partitions."},
    {"session", OPT_DURATION, AT(session_ms), "10s", 1000, 300000,
     "A process that is silent for so long loses its partitions."},
    {"redis", OPT_STRING, AT(redis), "127.0.0.1:6379", 0, 0,
     "Address of redis-server, or unix:/path."},
    {"redis-user", OPT_STRING, AT(redis_user), "", 0, 0,
     "Redis user; needs ~rouse:* +fcall "
     "+fcall_ro +info."},
    {"redis-password-file", OPT_STRING, AT(redis_password_file), "", 0, 0,
     "File that holds the password."},
    {"redis-timeout", OPT_DURATION, AT(redis_timeout_ms), "10s", 100, 600000,
     "No reply for so long ends the connection; the outcome is then unknown."},
    {"cache", OPT_SIZE, AT(cache_bytes), "256MiB", 1 << 20, INT64_C(1) << 40,
     "Member states kept in memory, shared out over the partitions owned."},
    {"queue", OPT_SIZE, AT(queue_bytes), "64MiB", 1 << 20, INT64_C(1) << 34,
     "Records fetched ahead, all partitions together."},
    {"batch", OPT_SIZE, AT(batch_bytes), "256KiB", 1 << 10, 64 << 20,
     "Records of one partition that are read, loaded and folded together."},
    {"commit-members", OPT_INT, AT(max_members), "512", 1, DECIDE_MAX_MEMBERS,
     "A commit carries at most so many members."},
    {"commit-window", OPT_DURATION, AT(window_ms), "5ms", 0, 10000,
     "While Redis is busy, what is folded waits at most so long for more before it is committed."},
    {"linger", OPT_DURATION, AT(linger_ms), "1ms", 0, 10000,
     "How long the producer waits to fill a batch."},
    {"fetch-wait", OPT_DURATION, AT(fetch_wait_ms), "10ms", 1, 10000,
     "How long the broker may hold an empty fetch."},
    {"tick", OPT_DURATION, AT(tick_ms), "10s", 1000, 600000,
     "Time passes at least so often in a silent partition (append clock)."},
    {"clock-guard", OPT_DURATION, AT(guard_ms), "10m", 1000, 86400000,
     "A record further ahead of this host's clock parks its partition (append clock)."},
    {"sent-keep", OPT_DURATION, AT(sent_keep_ms), "35d", 3600000, INT64_C(315360000000),
     "How long it is remembered whom a sequence number was for; as rouse.decisions."},
    {"chaos-point", OPT_STRING, AT(chaos_point), "", 0, 0,
     "For tests: NAME:N, the process kills itself at the N-th pass of the point (claimed, loaded, "
     "folded, produced, reported, committing, committed)."},
};
const struct service_spec engine_spec = {"rouse-engine",
                                         "rouse-engine: folds rouse.log into member states (Redis) "
                                         "and decisions (rouse.decisions), and tells "
                                         "changes of public tags (rouse.tags).",
                                         options, BASE_LEN(options)};
