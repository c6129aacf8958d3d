/* SPDX-License-Identifier: Apache-2.0 */
/* The options of rouse-dispatcher: this table is their documentation. */
#include "dispatcher_priv.h"

#define AT(field) offsetof(struct dispatcher_conf, field)

static const struct option_def options[] = {
    {"bootstrap", OPT_STRING, AT(bootstrap), "127.0.0.1:9092", 0, 0, "Kafka brokers, host:port,…"},
    {"kafka", OPT_STRING, AT(kafka), "", 0, 0,
     "Further Kafka settings, name=value,name=value (security.protocol, ssl.*, sasl.*); a value "
     "@FILE stands in that file."},
    {"group", OPT_STRING, AT(group), "rouse-dispatcher", 0, 0,
     "Consumer group: its processes share the partitions."},
    {"session", OPT_DURATION, AT(session_ms), "10s", 1000, 300000,
     "A process that is silent for so long loses its partitions."},
    {"gateways", OPT_STRING, AT(gateways), "deploy/gateways", 0, 0,
     "Folder of the gateway adapters, *.yaml."},
    {"gateway-base", OPT_STRING, AT(gateway_base), "", 0, 0,
     "Address under which an adapter stands whose url is a path (demos, tests, a local relay)."},
    {"secrets", OPT_STRING, AT(secrets), "", 0, 0,
     "Folder of the adapters' secret files; empty = where the adapter is."},
    {"linger", OPT_DURATION, AT(linger_ms), "1ms", 0, 1000,
     "How long the producer waits to fill a batch."},
    {"fetch-wait", OPT_DURATION, AT(fetch_wait_ms), "50ms", 1, 5000,
     "How long the broker may hold an empty fetch (the sandbox broker: 5ms)."},
    {"commit-interval", OPT_DURATION, AT(commit_ms), "200ms", 1, 60000,
     "How often the group's offsets are committed (record clock: at once)."},
    {"max-pending", OPT_INT, AT(max_pending), "20000", 16, 30000,
     "Messages of a partition that may be unfinished before its decisions are read no further."},
    {"max-queued", OPT_INT, AT(max_queued), "1000000", 1000, 100000000,
     "The same for all partitions together: bounds memory, about 1 KiB each."},
    {"snapshot-every", OPT_DURATION, AT(snapshot_ms), "6h", 1000, INT64_C(2592000000),
     "A snapshot is written at least so often; at most a quarter of the retention of "
     "rouse.outcomes."},
    {"snapshot-records", OPT_INT, AT(snapshot_records), "50000", 10, 100000000,
     "… and after so many records, so that taking over reads little."},
    {"drain", OPT_DURATION, AT(drain_ms), "15s", 0, 600000,
     "After SIGTERM: how long answers are waited for."},
    {"chaos-point", OPT_STRING, AT(chaos_point), "", 0, 0,
     "For tests: NAME:N, the process kills itself at the N-th pass of the point (claimed, "
     "attempt-written, attempt-read, sent, answered, result-written, snapshot, committed)."},
};
const struct service_spec dispatcher_spec = {"rouse-dispatcher",
                                             "rouse-dispatcher: sends what rouse.decisions says "
                                             "through the gateways, and writes what became "
                                             "of it to rouse.outcomes.",
                                             options, BASE_LEN(options)};
