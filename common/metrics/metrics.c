/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: see metrics.h.  A series is found by a walk over its metric's list: there are few, and the
 * hot paths add once a batch.
 */
#include "metrics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

struct metric_series {
    struct metric_series *next;
    char *labels; /* "a,b"; NULL = the one without */
    double value; /* counter, gauge; histogram: sum */
    uint64_t count;
    uint64_t buckets[];
};

static struct metric *first, **last = &first;

void metrics_register(struct metric *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        table[i].next = NULL;
        table[i].series = NULL;
        *last = &table[i];
        last = &table[i].next;
    }
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static struct metric_series *series(struct metric *m, const char *labels)
{
    struct metric_series **at = &m->series;
    for (; *at; at = &(*at)->next)
        if (same((*at)->labels, labels))
            return *at;
    struct metric_series *s = xcalloc(1, sizeof *s + (m->n_buckets + 1) * sizeof s->buckets[0]);
    s->labels = labels ? xstrdup(labels) : NULL;
    *at = s;
    return s;
}

void metric_add(struct metric *m, const char *labels, double v)
{
    series(m, labels)->value += v;
}

void metric_set(struct metric *m, const char *labels, double v)
{
    series(m, labels)->value = v;
}

void metric_observe(struct metric *m, const char *labels, double v)
{
    struct metric_series *s = series(m, labels);
    uint32_t i = 0;
    assert(m->kind == METRIC_HISTOGRAM);
    while (i < m->n_buckets && v > m->buckets[i])
        i++;
    s->buckets[i]++;
    s->count++;
    s->value += v;
}

double metric_get(const struct metric *m, const char *labels)
{
    for (const struct metric_series *s = m->series; s; s = s->next)
        if (same(s->labels, labels))
            return s->value;
    return 0;
}

/* name="value" pairs from the two comma-separated lists. */
static void write_labels(const char *label_names, const char *values, const char *le,
                         struct buf *out)
{
    const char *sep = "{";
    while (label_names && values && *label_names) {
        size_t n = strcspn(label_names, ","), v = strcspn(values, ",");
        buf_addf(out, "%s%.*s=\"", sep, (int)n, label_names);
        for (size_t i = 0; i < v; i++) {
            if (values[i] == '"' || values[i] == '\\')
                buf_addc(out, '\\');
            buf_addc(out, values[i] == '\n' ? ' ' : values[i]);
        }
        buf_addc(out, '"');
        sep = ",";
        label_names += n + (label_names[n] == ',');
        values += v + (values[v] == ',');
    }
    if (le) {
        buf_addf(out, "%sle=\"%s\"", sep, le);
        sep = ",";
    }
    if (*sep == ',')
        buf_addc(out, '}');
}

static void write_number(double v, struct buf *out)
{
    if (v == floor(v) && fabs(v) < 1e15)
        buf_addi64(out, (int64_t)v);
    else
        buf_addf(out, "%.17g", v);
}

static void write_histogram(const struct metric *m, const struct metric_series *s, struct buf *out)
{
    uint64_t sum = 0;
    char le[32];
    for (uint32_t i = 0; i <= m->n_buckets; i++) {
        struct buf n;
        buf_init(&n, sizeof le - 1);
        if (i < m->n_buckets)
            buf_addf(&n, "%g", m->buckets[i]);
        else
            buf_adds(&n, "+Inf");
        sum += s->buckets[i];
        buf_addf(out, "%s_bucket", m->name);
        write_labels(m->labels, s->labels, n.p, out);
        buf_addf(out, " %llu\n", (unsigned long long)sum);
        buf_free(&n);
    }
    buf_addf(out, "%s_sum", m->name);
    write_labels(m->labels, s->labels, NULL, out);
    buf_addf(out, " %.9g\n%s_count", s->value, m->name);
    write_labels(m->labels, s->labels, NULL, out);
    buf_addf(out, " %llu\n", (unsigned long long)s->count);
}

void metrics_write(struct buf *out)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    for (const struct metric *m = first; m; m = m->next) {
        buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, kinds[m->kind]);
        if (!m->series && !m->labels && m->kind != METRIC_HISTOGRAM)
            buf_addf(out, "%s 0\n", m->name);
        for (const struct metric_series *s = m->series; s; s = s->next) {
            if (m->kind == METRIC_HISTOGRAM) {
                write_histogram(m, s, out);
                continue;
            }
            buf_adds(out, m->name);
            write_labels(m->labels, s->labels, NULL, out);
            buf_addc(out, ' ');
            write_number(s->value, out);
            buf_addc(out, '\n');
        }
    }
}

void metrics_clear(void)
{
    for (struct metric *m = first; m; m = m->next) {
        for (struct metric_series *s = m->series; s;) {
            struct metric_series *next = s->next;
            free(s->labels);
            free(s);
            s = next;
        }
        m->series = NULL;
    }
    first = NULL;
    last = &first;
}
