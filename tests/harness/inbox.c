/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbox: for tests of ingest alone.  Puts records into topics, waits for a group, and says what stands in
 * rouse.log.
 *
 *   inbox put BOOTSTRAP TOPIC PARTITION KEY FILE [header=value …]   FILE is one record; - = a record a line
 *   inbox wait BOOTSTRAP GROUP SECONDS TOPIC:PARTITIONS …   until the committed offsets are the ends
 *   inbox mark BOOTSTRAP GROUP TOPIC PARTITION OFFSET METADATA   commit it (the group must be empty)
 *   inbox dump BOOTSTRAP TOPIC PARTITIONS                   p, offset, value: a line each
 *   inbox audit BOOTSTRAP PARTITIONS     rouse.log: how many entries, different sources, events, rules and
 *          receipts; entries seen twice; entries whose source offset goes back before it was seen; events
 *          that stand under an activation whose `rules` are not before them
 */
#include "kafka.h"
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int fail(const struct err *err)
{
    fprintf(stderr, "inbox: %s\n", err->text);
    return 1;
}

static void on_report(void *arg, void *opaque, const char *topic, int32_t partition, int64_t offset,
                      const struct err *err)
{
    (void)opaque, (void)topic, (void)partition, (void)offset;
    *(int *)arg += err != NULL;
}

/* ---- put ---- */

struct put {
    struct kafka_producer *k;
    const char *topic;
    int32_t partition;
    struct str key;
    struct kafka_header h[16];
    uint32_t n_h;
};

static int put_one(struct put *p, struct str value, struct err *err)
{
    int bad = 0;
    while (kafka_produce(p->k, p->topic, p->partition, p->key, value, p->h, p->n_h, NULL, err)) {
        if (err->kind != ERR_AGAIN)
            return -1;
        err_clear(err);
        (void)kafka_producer_poll(p->k, 100, on_report, &bad);
    }
    return 0;
}

#define MAX_FILE (4U << 20)

static int put_file(struct put *p, const char *name, struct err *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int rc = 0;
    FILE *f = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    if (!f)
        return err_set(err, ERR_FATAL, "%s cannot be read", name);
    if (f != stdin) { /* one record, whatever bytes it has */
        line = xmalloc(MAX_FILE);
        rc = put_one(p, (struct str){line, fread(line, 1, MAX_FILE, f)}, err);
    } else {
        while (rc == 0 && (n = getline(&line, &cap, f)) > 0)
            rc = put_one(p, (struct str){line, (size_t)n - (line[n - 1] == '\n')}, err);
    }
    free(line);
    if (f != stdin)
        (void)fclose(f);
    return rc;
}

static int put(int argc, char **argv)
{
    struct err err = {0};
    struct kafka_conf c = {.bootstrap = argv[0], .client_id = "inbox"};
    struct put p = {.topic = argv[1], .partition = atoi(argv[2]), .key = str_c(argv[3])};
    int bad = 0;
    for (int i = 5; i < argc && p.n_h < BASE_LEN(p.h); i++) {
        char *eq = strchr(argv[i], '=');
        if (!eq)
            return 2;
        *eq = '\0';
        p.h[p.n_h++] = (struct kafka_header){argv[i], str_c(eq + 1)};
    }
    int rc = kafka_producer_new(&c, &p.k, &err) || put_file(&p, argv[4], &err) ||
             kafka_producer_flush(p.k, 30000, on_report, &bad, &err) || bad;
    kafka_producer_free(&p.k);
    return rc ? fail(&err) : 0;
}

/* ---- wait ---- */

static bool reached(struct kafka_watch *w, struct kafka_tp *tp, struct kafka_tp *ends, size_t n,
                    struct err *err)
{
    if (kafka_watch_ends(w, ends, n, 5000, err) != 0 ||
        kafka_watch_committed(w, tp, n, 5000, err) != 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((tp[i].offset < 0 ? 0 : tp[i].offset) < ends[i].offset)
            return false;
    return true;
}

static int wait_for(int argc, char **argv)
{
    struct err err = {0};
    struct kafka_conf c = {.bootstrap = argv[0], .client_id = "inbox"};
    struct kafka_watch *w = NULL;
    struct kafka_tp tp[256], ends[256];
    size_t n = 0;
    for (int i = 3; i < argc; i++) {
        char *colon = strchr(argv[i], ':');
        if (!colon)
            return 2;
        *colon = '\0';
        for (int32_t p = 0; p < atoi(colon + 1) && n < BASE_LEN(tp); p++)
            tp[n++] = (struct kafka_tp){.topic = argv[i], .partition = p};
    }
    memcpy(ends, tp, sizeof ends);
    if (kafka_watch_new(&c, argv[1], &w, &err) != 0)
        return fail(&err);
    int tries = atoi(argv[2]) * 50;
    while (!reached(w, tp, ends, n, &err) && --tries > 0) {
        err_clear(&err);
        (void)usleep(20000);
    }
    kafka_watch_free(&w);
    if (tries <= 0)
        fprintf(stderr, "inbox: the group has not caught up\n");
    return tries > 0 ? 0 : 1;
}

/* ---- mark ---- */

static void on_assign(void *arg, const struct kafka_tp *tp, size_t n)
{
    (void)tp;
    *(size_t *)arg = n;
}

static int mark(char **argv)
{
    struct err err = {0};
    struct kafka_conf c = {.bootstrap = argv[0], .client_id = "inbox", .session_ms = 6000};
    struct kafka_group *g = NULL;
    const char *topics[] = {argv[2]};
    struct kafka_tp tp = {.topic = argv[2],
                          .partition = atoi(argv[3]),
                          .offset = atoll(argv[4]),
                          .metadata = str_c(argv[5])};
    size_t assigned = 0;
    int rc = kafka_group_new(&c, argv[1], topics, 1, &g, &err);
    while (rc == 0 && assigned == 0)
        rc = kafka_group_poll(g, 100, on_assign, &assigned, &err);
    if (rc == 0)
        rc = kafka_group_commit_sync(g, &tp, 1, &err);
    kafka_group_free(&g);
    return rc ? fail(&err) : 0;
}

/* ---- dump, audit ---- */

static int read_all(char **argv, const char *topic, int partitions, kafka_read_fn *fn, void *arg)
{
    struct err err = {0};
    struct kafka_conf c = {.bootstrap = argv[0], .client_id = "inbox"};
    for (int32_t p = 0; p < partitions; p++)
        if (kafka_read_all(&c, topic, p, KAFKA_BEGINNING, fn, arg, 10000, &err) != 0)
            return fail(&err);
    return 0;
}

static int dump_one(void *arg, const struct kafka_msg *m)
{
    (void)arg;
    printf("%d %" PRId64 " " STR_FMT "\n", m->partition, m->offset, STR_ARG(m->value));
    return 0;
}

struct audit {
    struct arena *a;
    struct map *seen;    /* "p topic/epoch/partition/offset" */
    struct map *last;    /* "p topic/epoch/partition" -> greatest offset + 1 */
    struct map *sources; /* "topic/epoch/partition/offset" */
    uint64_t entries, events, twice, back, rules, receipts, bad, early;
    int32_t p;
    int64_t n; /* activation by the rules seen in p */
};

static void audit_entry(struct audit *t, const struct json *e)
{
    const struct json *s = json_get(e, "s"), *v = json_get(e, "v");
    if (!s || !v || s->n != 4) {
        t->bad++;
        return;
    }
    struct str topic = s->items[0].s;
    char *place = arena_printf(t->a, STR_FMT "/%" PRId64 "/%" PRId64, STR_ARG(topic), s->items[1].i,
                               s->items[2].i);
    char *source = arena_printf(t->a, "%s/%" PRId64, place, s->items[3].i);
    char *here = arena_printf(t->a, "%d %s", t->p, source);
    char *line = arena_printf(t->a, "%d %s", t->p, place);
    uintptr_t last = (uintptr_t)map_get(t->last, str_c(line));
    t->entries++;
    if (map_get(t->seen, str_c(here))) {
        t->twice++;
        return;
    }
    if ((uintptr_t)s->items[3].i < last)
        t->back++;
    map_put(t->seen, str_c(here), t);
    map_put(t->sources, str_c(source), t);
    map_put(t->last, str_c(line), (void *)(uintptr_t)(s->items[3].i + 1));
    t->events += v->n;
}

static int audit_one(void *arg, const struct kafka_msg *m)
{
    struct audit *t = arg;
    const struct json *j;
    if (m->partition != t->p)
        t->n = -1;
    t->p = m->partition;
    if (json_parse(m->value, 32, t->a, &j, NULL) != 0) {
        t->bad++;
        return 0;
    }
    struct str kind = json_str(j, "t");
    t->receipts += str_eqc(kind, "receipt");
    if (str_eqc(kind, "rules")) {
        t->rules++;
        t->n = json_i64(j, "n", -1);
    }
    const struct json *e = str_eqc(kind, "event") ? json_get(j, "e") : NULL;
    t->early += e && json_i64(j, "n", -2) != t->n;
    for (uint32_t i = 0; e && i < e->n; i++)
        audit_entry(t, &e->items[i]);
    return 0;
}

static int audit(char **argv)
{
    struct audit t = {.a = arena_new(0),
                      .seen = map_new(true),
                      .last = map_new(true),
                      .sources = map_new(true),
                      .p = -1};
    int rc = read_all(argv, "rouse.log", atoi(argv[1]), audit_one, &t);
    printf("sources=%zu events=%" PRIu64 " entries=%" PRIu64 " twice=%" PRIu64 " back=%" PRIu64
           " early=%" PRIu64 " bad=%" PRIu64 " rules=%" PRIu64 " receipts=%" PRIu64 "\n",
           map_len(t.sources), t.events, t.entries, t.twice, t.back, t.early, t.bad, t.rules,
           t.receipts);
    map_free(&t.seen);
    map_free(&t.last);
    map_free(&t.sources);
    arena_free(&t.a);
    return rc;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "put") == 0 && argc >= 7)
        return put(argc - 2, argv + 2);
    if (strcmp(what, "wait") == 0 && argc >= 6)
        return wait_for(argc - 2, argv + 2);
    if (strcmp(what, "mark") == 0 && argc == 8)
        return mark(argv + 2);
    if (strcmp(what, "dump") == 0 && argc == 5)
        return read_all(argv + 2, argv[3], atoi(argv[4]), dump_one, NULL);
    if (strcmp(what, "audit") == 0 && argc == 4)
        return audit(argv + 2);
    fprintf(stderr, "inbox: see the comment at its top\n");
    return 2;
}
