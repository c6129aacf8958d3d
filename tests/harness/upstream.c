/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream: for tests that publish.  Makes topics, and gives back the original bytes of dead letters so
 * that they can be compared with what was published.
 *
 *   upstream topics BOOTSTRAP NAME:PARTITIONS …   makes those that are not there yet
 *   upstream letters DIR < LINES    dead letters as `rouse dead --json` prints them: writes each one's bytes
 *          to DIR/TOPIC.PARTITION.OFFSET and prints TOPIC PARTITION OFFSET CODE PATH LENGTH REASON
 *          (PATH `-` = none; LENGTH is that of the record when only its beginning was kept, else 0)
 */
#include "kafka.h"
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const struct err *err)
{
    fprintf(stderr, "upstream: %s\n", err->kind == ERR_NONE ? "cannot write" : err->text);
    return 1;
}

static int topics(int n, char **a)
{
    struct kafka_conf k = {.bootstrap = a[0], .client_id = "upstream"};
    for (int i = 1; i < n; i++) {
        char *colon = strchr(a[i], ':');
        struct err err = {0};
        struct kafka_topic t = {.name = a[i], .replication = -1};
        if (!colon)
            return 2;
        *colon = '\0';
        t.partitions = atoi(colon + 1);
        if (kafka_topic_create(&k, &t, 30000, &err) < 0)
            return fail(&err);
    }
    return 0;
}

static int keep(const char *dir, const struct dead *d)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/" STR_FMT ".%" PRId32 ".%" PRId64, dir,
                   STR_ARG(d->src.topic), d->src.partition, d->src.offset);
    FILE *f = fopen(path, "we");
    if (!f)
        return -1;
    size_t n = fwrite(d->value.p, 1, d->value.n, f);
    return fclose(f) == 0 && n == d->value.n ? 0 : -1;
}

static void tell(const struct dead *d)
{
    printf(STR_FMT " %" PRId32 " %" PRId64 " " STR_FMT " " STR_FMT " %" PRIu64 " " STR_FMT "\n",
           STR_ARG(d->src.topic), d->src.partition, d->src.offset, STR_ARG(d->code),
           STR_ARG(d->path.n ? d->path : STR("-")), d->cut_from, STR_ARG(d->reason));
}

static int letters(const char *dir)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int rc = 0;
    struct err err = {0};
    struct arena *a = arena_new(0);
    while (rc == 0 && (n = getline(&line, &cap, stdin)) > 0) {
        struct dead d;
        arena_reset(a);
        rc = dead_read((struct str){line, (size_t)n - (line[n - 1] == '\n')}, a, &d, &err);
        if (rc == 0)
            rc = keep(dir, &d);
        if (rc == 0)
            tell(&d);
    }
    free(line);
    arena_free(&a);
    return rc == 0 ? 0 : fail(&err);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "topics") == 0 && argc > 3)
        return topics(argc - 2, argv + 2);
    if (strcmp(what, "letters") == 0 && argc == 3)
        return letters(argv[2]);
    fprintf(stderr, "upstream: see the comment at its top\n");
    return 2;
}
