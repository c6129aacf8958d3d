/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: counters, gauges and histograms of one process, printed as Prometheus text.  A metric is a
 * static struct registered once; the table of them is their documentation.  Single-threaded.
 */
#ifndef ROUSE_METRICS_H
#define ROUSE_METRICS_H

#include "base.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
struct metric {
    const char *name; /* "rouse_engine_events_total" */
    enum metric_kind kind;
    const char *help;      /* a sentence for operators */
    const char *labels;    /* comma-separated label names, NULL = none */
    const double *buckets; /* histogram: ascending upper bounds */
    uint32_t n_buckets;
    struct metric_series *series; /* private */
    struct metric *next;          /* private */
};
void metrics_register(struct metric *table, size_t n);
/* label values in the order of `labels`, comma-separated ("wechat,ok"); NULL without labels. */
void metric_add(struct metric *m, const char *labels, double v);
void metric_set(struct metric *m, const char *labels, double v);
void metric_observe(struct metric *m, const char *labels, double v);
double metric_get(const struct metric *m, const char *labels);
void metrics_write(struct buf *out); /* Prometheus text format 0.0.4, in order of registration */
void metrics_clear(void);            /* frees all series and unregisters: for tests and exit */

#endif
