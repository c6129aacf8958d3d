/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking a partition over: CLAIM (a new token shuts every other owner out, reads included) -> topology
 * and level -> the fetcher is assigned at the fingerprint's record -> that record must come first and
 * be the same -> what is below `off` is dropped -> READY.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine_priv.h"

#define ASK_MS 1500
#define POSITION_MS 5000 /* no record in that time: is the log shorter than we are? */

/* ---- CLAIM ------------------------------------------------------------------------------------------------ */

static uint64_t meta_u64(const struct redis_reply *m, const char *field)
{
    int64_t v = 0;
    struct str s = redis_meta(m, field);
    if (s.n > 0)
        (void)str_i64(s, &v);
    return v < 0 ? 0 : (uint64_t)v;
}

static int meta_text(const struct redis_reply *m, const char *field, char *out, size_t n)
{
    struct str s = redis_meta(m, field);
    if (s.n >= n)
        return -1;
    if (s.n > 0)
        memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return 0;
}

static int meta_read(const struct redis_reply *m, struct decide_meta *out)
{
    *out = (struct decide_meta){
        .off = meta_u64(m, "off"),
        .sub = meta_u64(m, "sub"),
        .seq = meta_u64(m, "seq"),
        .era = (uint32_t)meta_u64(m, "era"),
        .now_ms = (int64_t)meta_u64(m, "now"),
        .n = meta_u64(m, "n"),
        .level = (uint32_t)meta_u64(m, "level"),
    };
    if (meta_text(m, "pos", out->pos, sizeof out->pos) != 0 ||
        meta_text(m, "hash", out->hash, sizeof out->hash) != 0 ||
        meta_text(m, "sweep", out->sweep, sizeof out->sweep) != 0)
        return -1;
    return dec_hex(redis_meta(m, "chain"), out->chain, sizeof out->chain) < 0 ? -1 : 0;
}

static void fingerprint_read(const struct redis_reply *m, struct fingerprint *fp)
{
    *fp = (struct fingerprint){.known = redis_meta(m, "fp_off").p != NULL};
    fp->off = (int64_t)meta_u64(m, "fp_off");
    fp->ts = (int64_t)meta_u64(m, "fp_ts");
    fp->crc = (uint32_t)meta_u64(m, "fp_crc");
}

/* "src:<epoch>:<topic>:<partition>" -> greatest offset folded */
static bool source_read(struct str name, struct str value, struct decide_src *out)
{
    if (!str_starts(name, "src:"))
        return false;
    int64_t epoch, partition, offset;
    const char *p = name.p + 4, *end = name.p + name.n;
    const char *a = memchr(p, ':', (size_t)(end - p));
    const char *b = memrchr(p, ':', (size_t)(end - p));
    if (a == NULL || a == b || str_i64((struct str){p, (size_t)(a - p)}, &epoch) != 0 ||
        str_i64((struct str){b + 1, (size_t)(end - b - 1)}, &partition) != 0 ||
        str_i64(value, &offset) != 0)
        return false;
    *out = (struct decide_src){
        .topic = {a + 1, (size_t)(b - a - 1)},
        .epoch = epoch,
        .partition = (int32_t)partition,
        .offset = offset,
    };
    return true;
}

static size_t sources_read(const struct redis_reply *m, struct decide_src *out)
{
    size_t n = 0;
    for (uint32_t i = 0; i + 1 < m->n; i += 2)
        n += source_read(m->items[i]->s, m->items[i + 1]->s, &out[n]);
    return n;
}

static int on_program(void *arg, struct str hash, const struct program **out)
{
    struct engine *e = arg;
    return control_program(e->control, hash, out, NULL) == 1 ? 0 : -1;
}

static struct decide *fold_new(struct part *t)
{
    struct engine *e = t->e;
    const struct decide_conf c = {
        .topology = e->genesis.topology,
        .p = t->p,
        .partitions = e->genesis.partitions,
        .record_clock = e->record_clock,
        .stagger = true,
        .cache_bytes = (size_t)e->conf.cache_bytes / (e->n_owned > 0 ? e->n_owned : 1),
        .max_members = (uint32_t)e->conf.max_members,
        .max_bytes = DECIDE_MAX_BYTES,
        .program = on_program,
        .arg = e,
    };
    return decide_new(&c);
}

/* Is the place that meta names one at which this binary can go on? */
static bool meta_fits(struct part *t, const struct redis_reply *m, const struct decide_meta *meta)
{
    char topo[40];
    redis_topo(topo, t->e->genesis.topology, t->e->genesis.partitions, t->p);
    struct str there = redis_meta(m, "topo");
    if (!str_eqc(there, topo)) {
        part_park(t, "topology", "home slot belongs to " STR_FMT ", genesis says %s",
                  STR_ARG(there), topo);
        return false;
    }
    if (meta->level > RULE_LEVEL) {
        part_park(t, "level", "folded at level %" PRIu32 ", this program knows %d", meta->level,
                  RULE_LEVEL);
        return false;
    }
    return true;
}

/* The fold takes over from meta, and the fetcher goes to the fingerprint's record. */
static void adopt(struct part *t, const struct redis_reply *m, const struct decide_meta *meta)
{
    struct err err = {0};
    t->bundle_told = false;
    t->committed = *meta;
    t->sent_lo = t->sent_lo_stored = meta_u64(m, "sent_lo");
    fingerprint_read(m, &t->fp);
    struct decide_src *src = xcalloc(m->n / 2 + 1, sizeof *src);
    size_t n = sources_read(m, src);
    t->d = fold_new(t);
    t->stats = (struct decide_stats){0};
    int rc = decide_reset(t->d, meta, src, n, &err);
    free(src);
    if (rc != 0) {
        part_park(t, "meta", "%.150s", err.text);
        return;
    }
    int64_t from = t->fp.known ? t->fp.off : (int64_t)meta->off;
    if (kafka_fetch_assign(t->e->fetcher, TOPIC_LOG, (int32_t)t->p, from, &err) != 0) {
        part_again(t, "assign", &err);
        return;
    }
    metric_add(&engine_metrics[EM_CLAIMS], NULL, 1);
    part_move(t, PART_POSITIONING, "claimed");
    engine_chaos(t->e, "claimed");
}

static void claimed(struct part *t, const struct redis_reply *m)
{
    struct decide_meta meta;
    if (m->kind != REDIS_ARRAY || meta_read(m, &meta) != 0) {
        part_park(t, "meta", "the home slot's meta cannot be read");
        return;
    }
    t->cursor.off = meta.off;
    t->cursor.sub = meta.sub;
    if (!meta_fits(t, m, &meta))
        return;
    const struct program *program;
    struct err err = {0};
    int rc = meta.n == 0 ? 1 : control_program(t->e->control, str_c(meta.hash), &program, &err);
    if (rc < 0) {
        part_park(t, "bundle", "bundle %.12s: %.100s", meta.hash, err.text);
        return;
    }
    if (rc == 0) { /* rouse.control is followed: it will come */
        if (!t->bundle_told)
            log_warn("bundle_awaited", "p=%" PRIu32 " hash=%s", t->p, meta.hash);
        t->bundle_told = true;
        t->retry_ms = t->e->mono_ms + 500;
        part_move(t, PART_BUNDLE, "bundle");
        return;
    }
    adopt(t, m, &meta);
}

static void on_claim(void *arg, const struct redis_result *res)
{
    struct request *q = arg;
    struct part *t = q->t;
    if (!request_stale(q)) {
        if (res->outcome == REDIS_DONE)
            claimed(t, res->reply);
        else
            part_refused(t, "CLAIM", res);
    }
    request_free(q);
}

void claim_begin(struct part *t)
{
    uint8_t random[16];
    if (redis_state(t->e->redis) != REDIS_READY)
        return;
    service_random(random, sizeof random);
    enc_hex(random, sizeof random, t->cursor.tok);
    struct request *q = request_new(t);
    struct err err = {0};
    part_move(t, PART_CLAIMING, "claim");
    if (redis_claim(t->e->redis, &t->home, t->cursor.tok,
                    t->e->mono_ms + t->e->conf.redis_timeout_ms, on_claim, q, &err) != 0) {
        request_free(q);
        part_again(t, "redis", &err);
    }
}

/* ---- the fingerprint --------------------------------------------------------------------------------------- */

/* The place cannot be read from, or nothing comes from it: what does the log still hold? */
static void position_lost(struct part *t)
{
    int64_t low, high;
    struct err err = {0};
    int64_t off = (int64_t)t->cursor.off, from = t->fp.known ? t->fp.off : off;
    if (t->e->mono_ms < t->e->ask_retry_ms)
        return;
    t->since_ms = t->e->mono_ms;
    if (kafka_watermarks(&t->e->kafka, TOPIC_LOG, (int32_t)t->p, &low, &high, ASK_MS, &err) != 0) {
        /* Everything waits while one asks: the others do not ask as well. */
        t->e->ask_retry_ms = service_mono_ms() + ASK_MS;
        part_again(t, "watermarks", &err);
    } else if (off < low) {
        part_park(t, "log_expired",
                  "the log begins at %" PRId64 ", %" PRId64 " is needed: retention was too short",
                  low, off);
    } else if (off > high || (t->fp.known && from >= high)) {
        part_park(t, "log_diverged",
                  "the log ends at %" PRId64 ", %" PRId64 " was folded: truncated or re-created",
                  high, off);
    } else if (from < low) { /* only the record already folded is gone */
        log_warn("fingerprint_expired", "p=%" PRIu32 " fp_off=%" PRId64 " low=%" PRId64, t->p, from,
                 low);
        t->fp.known = false;
        if (kafka_fetch_assign(t->e->fetcher, TOPIC_LOG, (int32_t)t->p, off, &err) != 0)
            part_again(t, "assign", &err);
        else
            part_move(t, PART_READY, "fingerprint_expired");
    }
}

static bool same_record(const struct fingerprint *fp, const struct kafka_msg *m)
{
    return m->offset == fp->off && m->ts_ms == fp->ts &&
           hash_crc32c(0, m->value.p, m->value.n) == fp->crc;
}

bool claim_position(struct part *t)
{
    if (!t->fp.known) {
        part_move(t, PART_READY, "beginning");
        return true;
    }
    struct kafka_msg *front = part_front(t);
    if (front == NULL) {
        if (t->e->mono_ms - t->since_ms > POSITION_MS)
            position_lost(t);
        return false;
    }
    struct kafka_msg m = part_pop(t);
    bool lost = m.err != NULL && strcmp(m.err->code, "out_of_range") == 0;
    bool same = m.err == NULL && same_record(&t->fp, &m);
    int64_t offset = m.offset;
    struct err err = {0};
    if (m.err != NULL)
        err = *m.err;
    kafka_msg_done(&m);
    if (lost) {
        position_lost(t);
    } else if (err.kind == ERR_AGAIN) {
        part_again(t, err.code, &err);
    } else if (err.kind != ERR_NONE) {
        part_park(t, "log", "offset %" PRId64 ": %.120s", offset, err.text);
    } else if (!same) {
        part_park(t, "log_diverged",
                  "the record at %" PRId64 " is not the one that was folded (%" PRId64
                  "): re-created log",
                  offset, t->fp.off);
    } else {
        log_info("partition_ready", "p=%" PRIu32 " off=%" PRIu64 " sub=%" PRIu64 " seq=%" PRIu64,
                 t->p, t->cursor.off, t->cursor.sub, t->committed.seq);
        t->tick_ms = t->e->mono_ms;
        t->off_dirty = true;
        t->e->offsets_urgent |= t->e->record_clock;
        part_move(t, PART_READY, "same_record");
    }
    return t->state == PART_READY;
}
