/* SPDX-License-Identifier: Apache-2.0 */
/* What the dispatcher counts: this table is the documentation of its metrics. */
#include "dispatcher_priv.h"

#include <stdio.h>

static const double answer_seconds[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,
                                        0.2,   0.5,   1,     2,    5,    10};

struct metric dispatcher_metrics[DM_N] = {
    [DM_ACCEPTED] = {.name = "rouse_dispatcher_accepted_total",
                     .kind = METRIC_COUNTER,
                     .help = "Decisions accepted, those that send nothing included."},
    [DM_DUPLICATES] = {.name = "rouse_dispatcher_duplicates_total",
                       .kind = METRIC_COUNTER,
                       .help = "Decisions read again and dropped."},
    [DM_RESULTS] = {.name = "rouse_dispatcher_attempts_total",
                    .kind = METRIC_COUNTER,
                    .help = "Attempts that ended, by gateway and class.",
                    .labels = "gateway,class"},
    [DM_FINALS] = {.name = "rouse_dispatcher_finished_total",
                   .kind = METRIC_COUNTER,
                   .help = "Messages finished, by gateway and status.",
                   .labels = "gateway,status"},
    [DM_AMBIGUOUS] = {.name = "rouse_dispatcher_ambiguous_total",
                      .kind = METRIC_COUNTER,
                      .help = "Messages of which nobody knows whether they arrived."},
    [DM_SENDS] = {.name = "rouse_dispatcher_requests_total",
                  .kind = METRIC_COUNTER,
                  .help = "Requests started."},
    [DM_INVALID] = {.name = "rouse_dispatcher_invalid_attempts_total",
                    .kind = METRIC_COUNTER,
                    .help = "Attempts read that stood under an older claim and were not sent."},
    [DM_CLAIMS] = {.name = "rouse_dispatcher_claims_total",
                   .kind = METRIC_COUNTER,
                   .help = "Partitions claimed."},
    [DM_LOST] = {.name = "rouse_dispatcher_lost_total",
                 .kind = METRIC_COUNTER,
                 .help = "Partitions that another process claimed while we had them."},
    [DM_AGAIN] = {.name = "rouse_dispatcher_surprises_total",
                  .kind = METRIC_COUNTER,
                  .help = "Times a partition dropped everything to claim again.",
                  .labels = "cause"},
    [DM_SNAPSHOTS] = {.name = "rouse_dispatcher_snapshots_total",
                      .kind = METRIC_COUNTER,
                      .help = "Snapshots written."},
    [DM_PARTITIONS] = {.name = "rouse_dispatcher_partitions",
                       .kind = METRIC_GAUGE,
                       .help = "Partitions by state; anything parked needs a person.",
                       .labels = "state"},
    [DM_PENDING] = {.name = "rouse_dispatcher_pending",
                    .kind = METRIC_GAUGE,
                    .help = "Messages accepted and not finished."},
    [DM_QUEUED] = {.name = "rouse_dispatcher_queued",
                   .kind = METRIC_GAUGE,
                   .help = "Messages that wait for room at their gateway.",
                   .labels = "gateway"},
    [DM_IN_FLIGHT] = {.name = "rouse_dispatcher_in_flight",
                      .kind = METRIC_GAUGE,
                      .help = "Attempts begun and not ended.",
                      .labels = "gateway"},
    [DM_TROUBLE] = {.name = "rouse_dispatcher_gateway_trouble",
                    .kind = METRIC_GAUGE,
                    .help =
                        "1 while the gateway's last answer was that it cannot (away, throttled, "
                        "stopped).",
                    .labels = "gateway"},
    [DM_NO_ADAPTER] = {.name = "rouse_dispatcher_no_adapter_total",
                       .kind = METRIC_COUNTER,
                       .help = "Messages for a gateway without an adapter: they wait until they "
                               "expire.",
                       .labels = "gateway"},
    [DM_ANSWER] = {.name = "rouse_dispatcher_answer_seconds",
                   .kind = METRIC_HISTOGRAM,
                   .help = "From the start of a request to its end.",
                   .labels = "gateway",
                   .buckets = answer_seconds,
                   .n_buckets = BASE_LEN(answer_seconds)},
};

static void count(enum dispatcher_metric m, uint64_t now, uint64_t before)
{
    if (now > before)
        metric_add(&dispatcher_metrics[m], NULL, (double)(now - before));
}

void metrics_part(struct part *t)
{
    const struct dispatch_stats *s = dispatch_stats(t->d);
    count(DM_ACCEPTED, s->accepted, t->told.accepted);
    count(DM_DUPLICATES, s->duplicates, t->told.duplicates);
    count(DM_SENDS, s->sends, t->told.sends);
    count(DM_AMBIGUOUS, s->ambiguous, t->told.ambiguous);
    count(DM_INVALID, s->invalid_attempts, t->told.invalid_attempts);
    t->told = *s;
}

void metrics_gauges(struct dispatcher *x)
{
    uint32_t by_state[PART_STATES] = {0};
    for (uint32_t p = 0; x->started && p < x->genesis.partitions; p++) {
        by_state[x->parts[p].state]++;
        metrics_part(&x->parts[p]);
    }
    for (int s = 0; s < PART_STATES; s++)
        metric_set(&dispatcher_metrics[DM_PARTITIONS], part_state_names[s], by_state[s]);
    metric_set(&dispatcher_metrics[DM_PENDING], NULL, (double)x->n_pending);
    for (uint32_t i = 0; i < x->n_gateways; i++) {
        const struct gateway *g = &x->gateways[i];
        metric_set(&dispatcher_metrics[DM_QUEUED], g->name, g->n_queued);
        metric_set(&dispatcher_metrics[DM_IN_FLIGHT], g->name, g->busy);
        metric_set(&dispatcher_metrics[DM_TROUBLE], g->name, g->down);
    }
}
