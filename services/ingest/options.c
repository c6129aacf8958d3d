/* SPDX-License-Identifier: Apache-2.0 */
/* The options of rouse-ingest: this table is their documentation. */
#include "ingest_priv.h"

#define AT(field) offsetof(struct ingest_conf, field)

static const struct option_def options[] = {
    {"bootstrap", OPT_STRING, AT(bootstrap), "127.0.0.1:9092", 0, 0, "Kafka brokers, host:port,…"},
    {"kafka", OPT_STRING, AT(kafka), "", 0, 0,
     "Further Kafka settings, name=value,name=value (security.protocol, ssl.*, sasl.*); a value "
     "@FILE stands in that file."},
    {"group", OPT_STRING, AT(group), "rouse-ingest", 0, 0,
     "Consumer group: its processes share the upstream partitions."},
    {"session", OPT_DURATION, AT(session_ms), "10s", 1000, 300000,
     "A process that is silent for so long loses its partitions."},
    {"record-bytes", OPT_SIZE, AT(record_bytes), "64KiB", 1024, RECORD_MAX,
     "A record of rouse.log is at most so large."},
    {"pack-wait", OPT_DURATION, AT(pack_wait_ms), "2ms", 0, 10000,
     "An open record waits at most so long for more entries."},
    {"linger", OPT_DURATION, AT(linger_ms), "1ms", 0, 10000,
     "How long the producer waits to fill a batch."},
    {"fetch-wait", OPT_DURATION, AT(fetch_wait_ms), "10ms", 1, 10000,
     "How long a broker may hold a fetch that finds nothing."},
    {"commit-every", OPT_DURATION, AT(commit_ms), "200ms", 10, 60000,
     "How often upstream offsets are committed (append clock)."},
    {"max-bytes", OPT_SIZE, AT(max_bytes), "64KiB", 256, 1 << 20,
     "An upstream record that is larger is a dead letter."},
    {"max-ahead", OPT_DURATION, AT(ahead_ms), "5m", 1000, 86400000,
     "An event further ahead of this host's clock is a dead letter (append clock)."},
    {"queue", OPT_SIZE, AT(queue_bytes), "16MiB", 1 << 16, 48 << 20,
     "So much may be appended and not acknowledged before reading waits."},
    {"source-queue", OPT_SIZE, AT(source_bytes), "4MiB", 1 << 16, 1 << 30,
     "Read ahead of one upstream partition at most (record clock)."},
    {"engine-group", OPT_STRING, AT(engine_group), "rouse-engine", 0, 0,
     "Whose offsets on rouse.log a virtual day waits for (record clock)."},
    {"dispatcher-group", OPT_STRING, AT(dispatcher_group), "rouse-dispatcher", 0, 0,
     "Whose offsets on rouse.decisions a virtual day waits for (record clock)."},
};
const struct service_spec ingest_spec = {
    "rouse-ingest",
    "rouse-ingest: upstream topics, outcomes and receipts become records of rouse.log.", options,
    BASE_LEN(options)};
