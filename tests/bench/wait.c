/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait: ends once a group has committed the end of every partition of the topics.  The ends are those at
 * the start: what is appended meanwhile does not count.
 *
 *   bench_wait BOOTSTRAP GROUP SECONDS TOPIC…
 */
#include "kafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ASK_MS 10000
#define PAUSE_NS 50000000

static int die(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "bench_wait: %s%s%s\n", what, err ? ": " : "", err ? err->text : "");
    return 1;
}

/* Every partition of every topic. */
static struct kafka_tp *partitions(const struct kafka_conf *k, char **topics, int n, size_t *total,
                                   struct err *err)
{
    struct kafka_tp *tp = NULL;
    *total = 0;
    for (int i = 0; i < n; i++) {
        int parts = kafka_topic_partitions(k, topics[i], ASK_MS, err);
        if (parts < 0)
            return NULL;
        tp = xrealloc(tp, (*total + (size_t)parts + 1) * sizeof *tp);
        for (int p = 0; p < parts; p++)
            tp[(*total)++] = (struct kafka_tp){.topic = topics[i], .partition = p, .offset = -1};
    }
    return tp;
}

static bool there(const struct kafka_tp *ends, const struct kafka_tp *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ends[i].offset > 0 && at[i].offset < ends[i].offset)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct kafka_watch *w;
    size_t n;
    if (argc < 5)
        return die("BOOTSTRAP GROUP SECONDS TOPIC…", NULL);
    struct kafka_conf k = {.bootstrap = argv[1], .client_id = "bench-wait"};
    struct kafka_tp *ends = partitions(&k, argv + 4, argc - 4, &n, &err);
    if (!ends || kafka_watch_new(&k, argv[2], &w, &err) != 0 ||
        kafka_watch_ends(w, ends, n, ASK_MS, &err) != 0)
        return die(argv[2], &err);
    struct kafka_tp *at = xmalloc(n * sizeof *at);
    for (time_t until = time(NULL) + strtol(argv[3], NULL, 10); time(NULL) <= until;) {
        memcpy(at, ends, n * sizeof *at);
        if (kafka_watch_committed(w, at, n, ASK_MS, &err) != 0)
            return die(argv[2], &err);
        if (there(ends, at, n)) {
            kafka_watch_free(&w);
            free(ends);
            free(at);
            return 0;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return die("it does not catch up", NULL);
}
