/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rouse verify: is what happened what had to happen?  Folds the run's own rouse.log from the
 * beginning with the production fold and nothing else, and compares
 *
 *     fold(rouse.log) = rouse.decisions (without its duplicates) = what the dispatcher accepted
 *
 * and, where they are at hand, the upstream topics with the log (each event once) and the gateways'
 * journal with the accepted sends.  `digest` is SHA-256 over the last chains of all partitions.
 */
#include "verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct conf {
    struct admin_conf kafka;
    const char *journal, *story;
    bool summary, upstream;
    int64_t bite;
};
static const struct option_def options[] = {
    ADMIN_OPTIONS(struct conf, kafka),
    {"journal", OPT_STRING, offsetof(struct conf, journal), "", 0, 0,
     "The gateways' journal (JSON lines), to compare with the accepted sends."},
    {"upstream", OPT_BOOL, offsetof(struct conf, upstream), "false", 0, 0,
     "Compare the upstream topics with the log: each record once."},
    {"summary", OPT_BOOL, offsetof(struct conf, summary), "false", 0, 0,
     "Messages by rule and gateway, withheld by reason."},
    {"story", OPT_STRING, offsetof(struct conf, story), "", 0, 0,
     "Tell one member's decisions; `auto` picks one."},
    {"bite", OPT_INT, offsetof(struct conf, bite), "0", 0, 512,
     "Fold in commits of at most so many members: the result must not change."},
};
static const struct service_spec spec = {
    "verify", "rouse verify: fold the log again and compare it with what was decided and done.",
    options, BASE_LEN(options)};

const char *fate_name(enum fate f)
{
    static const char *const names[] = {"pending",   "sent",    "failed",
                                        "ambiguous", "expired", "returned"};
    return names[f];
}

static void digest(const struct verify *v, char hex[65])
{
    uint8_t out[32];
    struct buf all;
    buf_init(&all, 1 << 20);
    for (uint32_t p = 0; p < v->g->partitions; p++)
        buf_add(&all, v->parts[p].chain, 32);
    hash_sha256(all.p, all.n, out);
    enc_hex(out, 32, hex);
    buf_free(&all);
}

static int partition(struct verify *v, uint32_t p, struct err *err)
{
    if (verify_fold(v, p, err) != 0 || verify_decisions(v, p, err) != 0 ||
        verify_outcomes(v, p, err) != 0)
        return err_wrap(err, "partition %u", p);
    return 0;
}

static void count(struct verify *v)
{
    for (uint32_t p = 0; p < v->g->partitions; p++) {
        const struct part *part = &v->parts[p];
        for (size_t i = 0; i < part->n; i++) {
            const struct verdict *d = &part->v[i];
            v->c.seen += d->seen > 0;
            v->c.lost += d->seen == 0;
            v->c.divergent += d->divergent;
            v->c.withholds += d->kind == DEC_WITHHOLD;
            v->c.converts += d->kind == DEC_CONVERT;
            if (d->kind != DEC_SEND)
                continue;
            v->c.sends++;
            v->c.by_fate[d->fate]++;
        }
    }
}

static void print(const struct verify *v, const struct conf *c)
{
    const struct counts *n = &v->c;
    char hex[65];
    (void)printf("log        %" PRIu64 " records, %" PRIu64 " entries (%" PRIu64
                 " of them again), %" PRIu64 " events, %" PRIu64 " members\n",
                 n->records, n->entries, n->duplicate_entries, n->events, n->members);
    if (c->upstream)
        (void)printf("upstream   %" PRIu64 " records, %" PRIu64 " dead letters, missing %" PRIu64
                     ", invented %" PRIu64 "\n",
                     n->upstream, n->dead, n->upstream_missing, n->upstream_invented);
    (void)printf("decisions  %" PRIu64 " seen (%" PRIu64 " again): lost %" PRIu64
                 ", spurious %" PRIu64 ", divergent %" PRIu64 "\n",
                 n->seen, n->duplicates, n->lost, n->spurious, n->divergent);
    (void)printf("accepted   %" PRIu64 " sends", n->sends);
    for (int f = 0; f <= FATE_RETURNED; f++)
        if (n->by_fate[f])
            (void)printf(", %s %" PRIu64, fate_name((enum fate)f), n->by_fate[f]);
    (void)printf("; %" PRIu64 " withheld, %" PRIu64 " converted\n", n->withholds, n->converts);
    if (c->journal[0])
        (void)printf("journal    %" PRIu64 " requests, %" PRIu64 " ids: missing %" PRIu64
                     ", spurious %" PRIu64 ", accepted again without being ambiguous %" PRIu64 "\n",
                     n->journal, n->journal_ids, n->journal_missing, n->journal_spurious,
                     n->journal_repeated);
    digest(v, hex);
    (void)printf("digest %s\n", hex);
}

static bool clean(const struct verify *v)
{
    const struct counts *n = &v->c;
    return n->lost + n->spurious + n->divergent + n->by_fate[FATE_PENDING] + n->upstream_missing +
               n->upstream_invented + n->journal_missing + n->journal_spurious +
               n->journal_repeated ==
           0;
}

static int all(struct verify *v, const struct conf *c, struct err *err)
{
    if (admin_read_control(&v->kafka, v->ctl, err) != 0)
        return -1;
    v->g = control_genesis(v->ctl);
    if (!v->g)
        return err_set(err, ERR_INPUT, "there is no genesis record: rouse init first");
    v->parts = xcalloc(v->g->partitions, sizeof *v->parts);
    for (uint32_t p = 0; p < v->g->partitions; p++)
        if (partition(v, p, err) != 0)
            return -1;
    if (verify_dead(v, err) != 0 || (c->upstream && verify_upstream(v, err) != 0) ||
        (c->journal[0] && verify_journal(v, c->journal, err) != 0))
        return -1;
    count(v);
    if (c->summary)
        verify_summary(v);
    if (c->story[0])
        verify_story(v, c->story);
    print(v, c);
    return clean(v) ? 0 : 1;
}

int cli_verify(int argc, char **argv)
{
    struct conf c = {0};
    struct err err = {0};
    int code;
    struct arena *a = arena_new(0);
    if (cli_options(&spec, argc, argv, &c, a, NULL, NULL, &code) == 0) {
        struct verify v = {.kafka = c.kafka, .arena = a, .bite = c.bite};
        v.ctl = control_new();
        v.sources = map_new(true);
        v.ids = map_new(true);
        code = all(&v, &c, &err);
        if (code < 0)
            code = cli_fail("verify", &err);
        for (uint32_t p = 0; v.parts && p < v.g->partitions; p++) {
            buf_free(&v.parts[p].text);
            free(v.parts[p].v);
        }
        free(v.parts);
        map_free(&v.sources);
        map_free(&v.ids);
        control_free(&v.ctl);
    }
    arena_free(&a);
    return code;
}
