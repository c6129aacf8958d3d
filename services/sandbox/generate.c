/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate: a seeded retail year to the upstream topics, or records for a benchmark.  Options, and the
 * order of things; see generate_priv.h.
 */
#include "sandbox.h"
#include "generate_priv.h"

#include "time.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct conf {
    const char *bootstrap, *from;
    int64_t members, seed, days, partitions, malformed_per, linger, count, rate;
    bool bench, dry_run, end;
};

static const struct option_def options[] = {
    {"bootstrap", OPT_STRING, offsetof(struct conf, bootstrap), "", 0, 0,
     "Kafka's address, host:port."},
    {"members", OPT_INT, offsetof(struct conf, members), "2000", 1, 9999999,
     "How many members (a year: at most 200000)."},
    {"seed", OPT_INT, offsetof(struct conf, seed), "1", 0, INT64_MAX,
     "The same seed gives the same records."},
    {"from", OPT_STRING, offsetof(struct conf, from), "2025-01-01", 0, 0,
     "The year's first day in China, YYYY-MM-DD."},
    {"days", OPT_INT, offsetof(struct conf, days), "365", 1, 3660, "How many days."},
    {"partitions", OPT_INT, offsetof(struct conf, partitions), "4", 1, 1024,
     "Partitions of a topic that is not there yet, where the broker can make one."},
    {"malformed-per", OPT_INT, offsetof(struct conf, malformed_per), "2000", 0, INT32_MAX,
     "One record that cannot be read per so many; 0 = none."},
    {"end", OPT_BOOL, offsetof(struct conf, end), "true", 0, 0,
     "Mark the end of every partition (header rouse-end: 1)."},
    {"dry-run", OPT_BOOL, offsetof(struct conf, dry_run), "false", 0, 0,
     "Make the year and print its counts and digest, publish nothing."},
    {"linger", OPT_DURATION, offsetof(struct conf, linger), "20ms", 0, 1000,
     "How long to gather a batch."},
    {"bench", OPT_BOOL, offsetof(struct conf, bench), "false", 0, 0,
     "No year: browse, purchase and post records of now, as fast as they are taken."},
    {"count", OPT_INT, offsetof(struct conf, count), "1000000", 1, INT64_MAX / 1000,
     "With --bench: how many records."},
    {"rate", OPT_INT, offsetof(struct conf, rate), "0", 0, 10000000,
     "With --bench: records a second; 0 = as fast as possible."},
};
static const struct service_spec spec = {
    "rouse-sandbox generate",
    "Publish a seeded retail year to the upstream topics, or records for a benchmark.", options,
    BASE_LEN(options)};

#define ALL_TOPICS ((1U << GEN_TOPICS) - 1)
#define BENCH_TOPICS (1U << GEN_BROWSE | 1U << GEN_ORDER | 1U << GEN_POST)

static int publish_year(const struct gen_year *y, struct gen_publish *u, struct err *err)
{
    char key[16];

    for (size_t i = 0; i < y->n; i++) {
        const struct gen_record *r = &y->records[i];
        size_t n = gen_key(r->member, key);

        if (gen_publish_one(u, (enum gen_topic)r->topic, (struct str){key, n}, r->value, err) < 0)
            return -1;
    }
    return 0;
}

static void count_only(const struct gen_year *y, struct gen_publish *u)
{
    char key[16];

    for (size_t i = 0; i < y->n; i++) {
        const struct gen_record *r = &y->records[i];

        u->records[r->topic]++;
        u->bytes[r->topic] += gen_key(r->member, key) + r->value.n;
    }
    for (int t = 0; t < GEN_TOPICS; t++)
        printf("topic=%s records=%" PRIu64 " bytes=%" PRIu64 "\n",
               gen_topic_name((enum gen_topic)t), u->records[t], u->bytes[t]);
}

static int year(const struct conf *c, struct gen_publish *u, struct err *err)
{
    struct gen_year y = {.seed = (uint64_t)c->seed,
                         .members = (uint32_t)c->members,
                         .days = (int32_t)c->days,
                         .bad_per = (uint32_t)c->malformed_per};
    int32_t yy, mm, dd;
    char digest[65];
    int r = 0;

    if (time_date(str_c(c->from), &yy, &mm, &dd) < 0)
        return err_set(err, ERR_INPUT, "--from must be a day, YYYY-MM-DD, not `%s`", c->from);
    if (c->members > 200000)
        return err_set(err, ERR_INPUT, "--members: at most 200000 without --bench");
    y.from_ms = time_days(yy, mm, dd) * TIME_DAY - 8 * TIME_HOUR;
    gen_year_make(&y);
    if (c->dry_run) {
        count_only(&y, u);
    } else {
        r = publish_year(&y, u, err);
        if (r == 0)
            r = c->end ? gen_publish_ends(u, err) : gen_publish_flush(u, err);
        if (r == 0)
            gen_publish_report(u);
    }
    gen_year_digest(&y, digest);
    if (r == 0)
        printf("year members=%u days=%d records=%zu good=%" PRIu64 " twice=%" PRIu64
               " malformed=%" PRIu64 " digest=%s\n",
               y.members, y.days, y.n, y.kinds[GEN_GOOD], y.kinds[GEN_TWICE], y.kinds[GEN_BAD],
               digest);
    gen_year_free(&y);
    return r;
}

static int run(const struct conf *c, struct err *err)
{
    struct gen_publish u = {0};
    struct gen_bench b = {c->count, c->members, c->rate, c->seed};
    int r = 0;

    if (!c->dry_run) {
        if (!*c->bootstrap)
            return err_set(err, ERR_INPUT, "--bootstrap must be given");
        r = gen_publish_open(&u, c->bootstrap, (int32_t)c->partitions,
                             c->bench ? BENCH_TOPICS : ALL_TOPICS, (uint32_t)c->linger, err);
    }
    if (r == 0 && c->bench && !c->dry_run) {
        r = gen_bench(&u, &b, err);
        if (r == 0)
            gen_publish_report(&u);
    } else if (r == 0) {
        r = year(c, &u, err);
    }
    gen_publish_close(&u);
    return r;
}

int sandbox_generate(int argc, char **argv)
{
    struct conf c = {0};
    struct arena *a = arena_new(0);
    struct err err = {0};
    int r = sandbox_options(&spec, argc, argv, &c, a);

    if (r != 0)
        r = r < 0 ? 2 : 0;
    else if (run(&c, &err) < 0)
        r = sandbox_fail(spec.name, &err) + (err.kind == ERR_INPUT);
    arena_free(&a);
    return r;
}
