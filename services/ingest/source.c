/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: the partitions that this process reads.
 *
 *      not ours ─► ours, no place ─► placed ─► (check of the record before) ─► reading
 *                        ▲               │
 *                        └── forget ◄────┤
 *                                        └─► parked: until its epoch is raised, or it is assigned anew
 *
 * The place is the committed offset.  Its metadata says epoch and CRC32C of the record before it: when that
 * record is another one, or the partition ends below, the topic was made anew under the same name and
 * nothing that is committed or folded fits it.  That is for a person to decide.
 */
#include "ingest_priv.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PLACE_RETRY_MS 1000
#define ASK_MS 3000

/* ---- the set ---- */

struct src *source_find(struct ingest *in, const char *topic, int32_t partition)
{
    for (size_t i = in->last_src, tried = 0; tried < in->n_src; tried++, i++) {
        if (i >= in->n_src)
            i = 0;
        struct src *s = in->src[i];
        if (s->partition == partition && strcmp(s->topic, topic) == 0) {
            in->last_src = i;
            return s;
        }
    }
    return NULL;
}

static struct src *add(struct ingest *in, const char *topic, int32_t partition)
{
    struct src *s = xcalloc(1, sizeof *s);
    s->in = in;
    s->topic = xstrdup(topic);
    s->partition = partition;
    s->kind = strcmp(topic, TOPIC_OUTCOMES) == 0   ? SOURCE_OUTCOMES
              : strcmp(topic, TOPIC_RECEIPTS) == 0 ? SOURCE_RECEIPTS
                                                   : SOURCE_UPSTREAM;
    s->a = arena_new(0);
    in->src = xrealloc(in->src, (in->n_src + 1) * sizeof(struct src *));
    in->src[in->n_src++] = s;
    return s;
}

void source_free(struct src *s)
{
    lapse_forget(s);
    arena_free(&s->a);
    free(s->queue);
    free(s->topic);
    free(s);
}

uint32_t source_crc(const struct kafka_msg *m)
{
    return hash_crc32c(hash_crc32c(0, m->key.p, m->key.n), m->value.p, m->value.n);
}

int64_t source_epoch_of(struct ingest *in, const char *topic)
{
    char key[300];
    int64_t epoch = 0;
    struct err err = {0};
    (void)snprintf(key, sizeof key, "source/%s", topic);
    const char *v = control_value(in->control, key);
    if (v && source_epoch_read(str_c(v), &epoch, &err) != 0)
        log_err(LOG_LEVEL_ERROR, "source_epoch", &err, "topic=%s", topic);
    return epoch;
}

/* ---- assignment ---- */

/* Time-lapse: there is one ingest, and it reads everything. */
static bool all_of_it(struct ingest *in, size_t n)
{
    size_t want = 0;
    struct err err = {0};
    for (size_t i = 0; i < in->subscribed; i++) {
        int parts = kafka_topic_partitions(&in->kafka, in->topics[i], ASK_MS, &err);
        if (parts < 0) {
            log_err(LOG_LEVEL_WARN, "partitions", &err, "topic=%s", in->topics[i]);
            in->subscribed = 0; /* join again in a while: nobody else would ask */
            in->group_retry_ms = in->mono_ms + PLACE_RETRY_MS;
            return false;
        }
        if (parts == 0)
            log_warn("no_topic", "topic=%s", in->topics[i]);
        want += (size_t)parts;
    }
    if (n < want)
        log_warn("not_alone", "assigned=%zu partitions=%zu hint=%s", n, want,
                 "the record clock has one ingest");
    return n >= want;
}

void source_assign(struct ingest *in, const struct kafka_tp *tp, size_t n)
{
    for (size_t i = 0; i < in->n_src; i++)
        in->src[i]->ours = false;
    in->assigned = n > 0 && (!in->genesis.record_clock || all_of_it(in, n));
    in->placing = in->assigned;
    in->place_retry_ms = 0;
    for (size_t i = 0; in->assigned && i < n; i++) {
        struct src *s = source_find(in, tp[i].topic, tp[i].partition);
        if (!s)
            s = add(in, tp[i].topic, tp[i].partition);
        s->ours = true;
    }
    log_info("partitions", "n=%zu", n);
}

static void unplace(struct src *s)
{
    if (s->placed)
        (void)kafka_fetch_unassign(s->in->fetcher, s->topic, s->partition);
    s->placed = s->check = s->moved = s->paused = s->ended = false;
    lapse_forget(s);
}

void source_forget(struct ingest *in)
{
    for (size_t i = 0; i < in->n_src; i++) {
        unplace(in->src[i]);
        in->src[i]->parked = false;
    }
    in->placing = in->assigned;
}

void source_park(struct src *s, const char *code, const char *why)
{
    unplace(s);
    s->parked = true;
    log_error("source_parked", "topic=%s p=%d epoch=%" PRId64 " code=%s why=%s hint=%s", s->topic,
              s->partition, s->epoch, code, why, "raise its epoch in rouse.control");
}

void source_epochs(struct ingest *in)
{
    for (size_t i = 0; i < in->n_src; i++) {
        struct src *s = in->src[i];
        int64_t epoch = source_epoch_of(in, s->topic);
        if (!s->ours || epoch <= s->epoch)
            continue;
        log_info("source_epoch", "topic=%s p=%d epoch=%" PRId64, s->topic, s->partition, epoch);
        unplace(s);
        s->parked = false;
        in->placing = true;
    }
}

/* ---- places ---- */

static void read_at(struct src *s, int64_t offset)
{
    struct err err = {0};
    if (kafka_fetch_assign(s->in->fetcher, s->topic, s->partition, offset, &err) != 0) {
        log_err(LOG_LEVEL_WARN, "assign", &err, "topic=%s p=%d", s->topic, s->partition);
        s->in->placing = true;
        return;
    }
    s->placed = true;
}

/* "epoch:crc" of a commit. Without it the offset alone counts. */
static void place_one(struct src *s, int64_t committed, struct str metadata, int64_t end)
{
    char text[80], *at = text;
    (void)snprintf(text, sizeof text, STR_FMT, STR_ARG(metadata));
    int64_t was = strtoll(at, &at, 10);
    s->epoch = source_epoch_of(s->in, s->topic);
    s->crc_known = s->check = false;
    s->next = 0;
    if (s->kind == SOURCE_OUTCOMES)
        lapse_place(s, committed >= 0 && was >= s->epoch ? text : "");
    if (committed <= 0 || was < s->epoch) {
        read_at(s, KAFKA_BEGINNING);
        return;
    }
    if (end < committed) {
        source_park(s, "shrunk", "it ends below what was read of it");
        return;
    }
    s->next = committed;
    if (*at == ':' && isxdigit((unsigned char)at[1])) {
        s->check = true;
        s->check_crc = (uint32_t)strtoul(at + 1, &at, 16);
        s->crc = s->check_crc;
        s->crc_known = true;
    }
    read_at(s, s->check ? committed - 1 : committed);
}

void source_place(struct ingest *in)
{
    struct err err = {0};
    struct kafka_tp *tp, *ends;
    struct src **who;
    size_t n = 0;
    if (!in->placing || !in->assigned || in->mono_ms < in->place_retry_ms)
        return;
    arena_reset(in->a);
    tp = ARENA_ARRAY(in->a, struct kafka_tp, in->n_src);
    ends = ARENA_ARRAY(in->a, struct kafka_tp, in->n_src);
    who = ARENA_ARRAY(in->a, struct src *, in->n_src);
    for (size_t i = 0; i < in->n_src; i++) {
        struct src *s = in->src[i];
        if (!s->ours || s->placed || s->parked)
            continue;
        who[n] = s;
        tp[n++] = (struct kafka_tp){.topic = s->topic, .partition = s->partition, .offset = -1};
    }
    memcpy(ends, tp, n * sizeof *tp);
    if (kafka_committed(&in->kafka, in->conf.group, tp, n, in->a, ASK_MS, &err) != 0 ||
        kafka_watch_ends(in->ends, ends, n, ASK_MS, &err) != 0) {
        log_err(LOG_LEVEL_WARN, "places", &err, "n=%zu", n);
        in->place_retry_ms = in->mono_ms + PLACE_RETRY_MS;
        return;
    }
    in->placing = false;
    in->place_retry_ms = in->mono_ms + PLACE_RETRY_MS; /* if one fails again */
    for (size_t i = 0; i < n; i++)
        place_one(who[i], tp[i].offset, tp[i].metadata, ends[i].offset);
}

/* ---- what comes ---- */

/* Is the record before our place still the one we read?  Retention or compaction may have taken it. */
static int check(struct src *s, const struct kafka_msg *m)
{
    s->check = false;
    if (m->offset >= s->next)
        return 1;
    if (source_crc(m) == s->check_crc)
        return 0;
    source_park(s, "replaced", "another record stands where we read: the topic was made anew");
    return 0;
}

int source_accept(struct src *s, const struct kafka_msg *m)
{
    if (!s->ours || !s->placed || s->parked)
        return 0;
    if (s->check)
        return check(s, m);
    return m->offset >= s->next;
}

void source_taken(struct src *s, const struct kafka_msg *m)
{
    s->next = m->offset + 1;
    s->crc = source_crc(m);
    s->crc_known = true;
    s->moved = true;
}

/* Our place is not there.  Above the low watermark it is a topic made anew; below it retention has been
 * faster than we: what is gone is gone, and said. */
void source_error(struct src *s, const struct kafka_msg *m)
{
    struct ingest *in = s->in;
    int64_t low, high;
    struct err err = {0};
    if (!s->placed)
        return;
    if (m->err->kind == ERR_AGAIN) { /* the topic is away */
        unplace(s);
        in->placing = true;
        in->place_retry_ms = in->mono_ms + PLACE_RETRY_MS;
        return;
    }
    /* Under the record clock what was read ahead ends where the hole begins. */
    if (strcmp(m->err->code, "out_of_range") != 0 || (in->genesis.record_clock && !s->check)) {
        source_park(s, m->err->code, m->err->text);
        return;
    }
    if (kafka_watermarks(&in->kafka, s->topic, s->partition, &low, &high, ASK_MS, &err) != 0) {
        log_err(LOG_LEVEL_WARN, "watermarks", &err, "topic=%s p=%d", s->topic, s->partition);
        unplace(s);
        in->placing = true;
        in->place_retry_ms = in->mono_ms + PLACE_RETRY_MS;
        return;
    }
    if (high < s->next) {
        source_park(s, "shrunk", "it ends below what was read of it");
        return;
    }
    if (low > s->next)
        log_error("records_lost", "topic=%s p=%d from=%" PRId64 " to=%" PRId64 " why=%s", s->topic,
                  s->partition, s->next, low, "deleted before they were read");
    s->check = false;
    s->placed = false;
    read_at(s, low > s->next ? low : s->next);
}

/* ---- what is committed ---- */

void source_commit(struct ingest *in, bool wait)
{
    const struct places *p = progress_take(in->progress);
    struct err err = {0};
    if (!p || !in->group || p->n == 0 || in->producer_failed)
        return;
    struct kafka_tp *tp = xcalloc(p->n, sizeof *tp);
    for (size_t i = 0; i < p->n; i++)
        tp[i] = (struct kafka_tp){.topic = p->v[i].topic,
                                  .partition = p->v[i].partition,
                                  .offset = p->v[i].offset,
                                  .metadata = str_c(p->v[i].metadata)};
    if ((wait ? kafka_group_commit_sync(in->group, tp, p->n, &err)
              : kafka_group_commit(in->group, tp, p->n, &err)) != 0)
        log_err(LOG_LEVEL_WARN, "commit", &err, "n=%zu", p->n);
    free(tp);
}

/* The positions stand for what was appended so far, so nothing may be left open in the packer. */
void source_positions(struct ingest *in, bool now)
{
    struct place *v;
    size_t n = 0;
    if (in->producer_failed || !in->assigned)
        return;
    if (!now && in->mono_ms - in->positions_ms < in->conf.commit_ms)
        return;
    in->positions_ms = in->mono_ms;
    pack_flush(in->pack);
    v = xcalloc(in->n_src ? in->n_src : 1, sizeof *v);
    for (size_t i = 0; i < in->n_src; i++) {
        struct src *s = in->src[i];
        if (!s->ours || !s->placed || !s->moved)
            continue;
        v[n] = (struct place){.topic = s->topic, .partition = s->partition, .offset = s->next};
        int at = s->crc_known
                     ? snprintf(v[n].metadata, sizeof v[n].metadata, "%" PRId64 ":%08" PRIx32,
                                s->epoch, s->crc)
                     : snprintf(v[n].metadata, sizeof v[n].metadata, "%" PRId64 ":", s->epoch);
        if (in->genesis.record_clock && s->kind == SOURCE_OUTCOMES)
            lapse_metadata(s, v[n].metadata + at, sizeof v[n].metadata - (size_t)at);
        s->moved = false;
        n++;
    }
    if (n)
        progress_close(in->progress, v, n);
    free(v);
}
