/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine counts: this table is the documentation of its metrics. */
#include "engine_priv.h"

static const double stage_seconds[] = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                                       0.1,    0.2,   0.5,   1,     2,    5};

struct metric engine_metrics[EM_N] = {
    [EM_RECORDS] = {.name = "rouse_engine_records_total",
                    .kind = METRIC_COUNTER,
                    .help = "Records of rouse.log folded."},
    [EM_EVENTS] = {.name = "rouse_engine_events_total",
                   .kind = METRIC_COUNTER,
                   .help = "Events folded, duplicates not counted."},
    [EM_DUPLICATES] = {.name = "rouse_engine_duplicates_total",
                       .kind = METRIC_COUNTER,
                       .help = "Entries and events dropped because they were seen before."},
    [EM_LATE] = {.name = "rouse_engine_late_total",
                 .kind = METRIC_COUNTER,
                 .help = "Events that came later than the policy allows."},
    [EM_DROPPED] = {.name = "rouse_engine_dropped_total",
                    .kind = METRIC_COUNTER,
                    .help = "Events that do not fit the present declaration."},
    [EM_DECISIONS] = {.name = "rouse_engine_sends_total",
                      .kind = METRIC_COUNTER,
                      .help = "Decisions to send."},
    [EM_WITHHELD] = {.name = "rouse_engine_withholds_total",
                     .kind = METRIC_COUNTER,
                     .help = "Decisions not to send."},
    [EM_TAG_CHANGES] = {.name = "rouse_engine_tag_changes_total",
                        .kind = METRIC_COUNTER,
                        .help = "Changes of public tags told in rouse.tags."},
    [EM_TIMERS] = {.name = "rouse_engine_timers_fired_total",
                   .kind = METRIC_COUNTER,
                   .help = "Timers fired."},
    [EM_EXPR_ERRORS] = {.name = "rouse_engine_expression_errors_total",
                        .kind = METRIC_COUNTER,
                        .help = "Expressions that failed and counted as false."},
    [EM_COMMITS] = {.name = "rouse_engine_commits_total",
                    .kind = METRIC_COUNTER,
                    .help = "COMMITs that Redis confirmed."},
    [EM_MEMBERS] = {.name = "rouse_engine_commit_members_total",
                    .kind = METRIC_COUNTER,
                    .help = "Member states written."},
    [EM_LOADED] = {.name = "rouse_engine_loaded_members_total",
                   .kind = METRIC_COUNTER,
                   .help = "Member states read because the cache had them not."},
    [EM_CLAIMS] = {.name = "rouse_engine_claims_total",
                   .kind = METRIC_COUNTER,
                   .help = "Partitions claimed."},
    [EM_AGAIN] = {.name = "rouse_engine_surprises_total",
                  .kind = METRIC_COUNTER,
                  .help = "Times a partition dropped everything to claim again.",
                  .labels = "cause"},
    [EM_TICKS] = {.name = "rouse_engine_ticks_total",
                  .kind = METRIC_COUNTER,
                  .help = "Ticks appended to rouse.log."},
    [EM_PARTITIONS] = {.name = "rouse_engine_partitions",
                       .kind = METRIC_GAUGE,
                       .help = "Partitions by state; anything parked needs a person.",
                       .labels = "state"},
    [EM_BEHIND] = {.name = "rouse_engine_log_time_seconds",
                   .kind = METRIC_GAUGE,
                   .help = "Log time of the partition that is furthest behind, Unix seconds."},
    [EM_LAG] = {.name = "rouse_engine_lag_records",
                .kind = METRIC_GAUGE,
                .help =
                    "Records of rouse.log, over the partitions owned, that are not committed yet; "
                    "that of a parked partition stands still."},
    [EM_CACHE] = {.name = "rouse_engine_cache_bytes",
                  .kind = METRIC_GAUGE,
                  .help = "Member states held in memory."},
    [EM_QUEUED] = {.name = "rouse_engine_queued_bytes",
                   .kind = METRIC_GAUGE,
                   .help = "Records fetched and not folded yet."},
    [EM_REDIS_BYTES] = {.name = "rouse_engine_redis_bytes",
                        .kind = METRIC_GAUGE,
                        .help = "Bytes to and from Redis since the start.",
                        .labels = "direction"},
    [EM_STAGE] = {.name = "rouse_engine_stage_seconds",
                  .kind = METRIC_HISTOGRAM,
                  .help = "How long a partition spent in a stage of a bite.",
                  .labels = "stage",
                  .buckets = stage_seconds,
                  .n_buckets = BASE_LEN(stage_seconds)},
};

static void count(enum engine_metric m, uint64_t now, uint64_t before)
{
    if (now > before)
        metric_add(&engine_metrics[m], NULL, (double)(now - before));
}

void metrics_stats(struct part *t)
{
    struct decide_stats s;
    decide_stats(t->d, &s);
    count(EM_EVENTS, s.events, t->stats.events);
    count(EM_DUPLICATES, s.duplicates, t->stats.duplicates);
    count(EM_LATE, s.late, t->stats.late);
    count(EM_DROPPED, s.dropped, t->stats.dropped);
    count(EM_DECISIONS, s.sends, t->stats.sends);
    count(EM_WITHHELD, s.withholds, t->stats.withholds);
    count(EM_TIMERS, s.timers_fired, t->stats.timers_fired);
    count(EM_EXPR_ERRORS, s.expr_errors, t->stats.expr_errors);
    t->stats = s;
}

/* From what is committed to the end that the broker told with the last fetch; 0 when it has not yet. */
static int64_t lag(const struct part *t)
{
    int64_t end;
    if (t->state < PART_POSITIONING ||
        kafka_fetch_end(t->e->fetcher, TOPIC_LOG, (int32_t)t->p, &end) != 1)
        return 0;
    return end > (int64_t)t->committed.off ? end - (int64_t)t->committed.off : 0;
}

void metrics_gauges(struct engine *e)
{
    int64_t behind_records = 0;
    uint32_t by_state[PART_STATES] = {0};
    uint64_t cache = 0;
    int64_t behind = INT64_MAX;
    for (uint32_t p = 0; e->started && p < e->genesis.partitions; p++) {
        struct part *t = &e->parts[p];
        by_state[t->state]++;
        behind_records += lag(t);
        cache += t->d != NULL ? t->stats.cache_bytes : 0;
        if (t->d != NULL && t->committed.now_ms < behind)
            behind = t->committed.now_ms;
    }
    for (int s = 0; s < PART_STATES; s++)
        metric_set(&engine_metrics[EM_PARTITIONS], part_state_names[s], by_state[s]);
    if (behind != INT64_MAX)
        metric_set(&engine_metrics[EM_BEHIND], NULL, (double)behind / 1000);
    metric_set(&engine_metrics[EM_LAG], NULL, (double)behind_records);
    metric_set(&engine_metrics[EM_CACHE], NULL, (double)cache);
    metric_set(&engine_metrics[EM_QUEUED], NULL, (double)e->queued_bytes);
    metric_set(&engine_metrics[EM_REDIS_BYTES], "out", (double)redis_bytes_out(e->redis));
    metric_set(&engine_metrics[EM_REDIS_BYTES], "in", (double)redis_bytes_in(e->redis));
}
