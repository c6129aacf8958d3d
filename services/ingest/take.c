/* SPDX-License-Identifier: Apache-2.0 */
/*
 * take: what one Kafka record becomes.  Upstream: entries in the open records of its members' partitions.
 * rouse.outcomes: a final result is a receipt in the same partition.  rouse.receipts: a report that names
 * a decision is a receipt in that decision's partition.  What cannot be read: rouse.dead, with the bytes.
 */
#include "ingest_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define DEAD_MAX 990000 /* the producer takes messages up to 1,000,000 */
#define DEAD_CUT 100000 /* six times as long when every byte is escaped */

struct source take_source(const struct src *s, const struct kafka_msg *m)
{
    return (struct source){str_c(s->topic), s->epoch, m->partition, m->offset};
}

/* ---- dead letters ---- */

void take_dead(struct src *s, const struct kafka_msg *m, const struct err *why)
{
    struct ingest *in = s->in;
    struct dead d = {.src = take_source(s, m),
                     .at_ms = in->genesis.record_clock ? m->ts_ms : in->now_ms,
                     .code = str_c(why->code),
                     .path = str_c(why->file),
                     .reason = str_c(why->text),
                     .key = m->key,
                     .value = m->value};
    struct buf b;
    buf_init(&b, DEAD_MAX);
    if (!utf8_valid(d.reason)) /* a long reason may have been cut inside a character */
        d.reason = STR("the value cannot be shown");
    if (d.key.n > 4096)
        d.key.n = 4096;
    dead_write(&d, &b);
    if (b.over) {
        d.cut_from = d.value.n;
        d.value.n = d.value.n > DEAD_CUT ? DEAD_CUT : d.value.n;
        buf_reset(&b);
        dead_write(&d, &b);
    }
    count(IM_DEAD, why->code, 1);
    log_debug("dead_letter", "topic=%s p=%d off=%lld code=%s path=%s", s->topic, m->partition,
              (long long)m->offset, why->code, why->file);
    world_append(in, TOPIC_DEAD, -1, str_c(s->topic), buf_str(&b));
    buf_free(&b);
}

/* ---- upstream ---- */

/* An empty value with the header `rouse-end` says that nothing follows (time-lapse). */
bool take_is_end(struct ingest *in, const struct kafka_msg *m)
{
    const struct str *h;
    if (m->value.n)
        return false;
    uint32_t n = kafka_msg_headers(m, in->a, &h);
    for (uint32_t i = 0; i < n; i++)
        if (str_eqc(h[2 * i], "rouse-end"))
            return true;
    return false;
}

int take_decode(struct src *s, const struct kafka_msg *m, struct arena *a, struct event **ev,
                uint32_t *n)
{
    struct ingest *in = s->in;
    struct err err = {0};
    const bool record = in->genesis.record_clock;
    const struct decode_limits lim = {.max_bytes = (size_t)in->conf.max_bytes,
                                      .max_depth = 32,
                                      .latest_ms = record ? in->genesis.end_ms
                                                          : in->now_ms + in->conf.ahead_ms,
                                      .need_time = record};
    struct upstream u = {
        .src = take_source(s, m), .kafka_ms = m->ts_ms, .key = m->key, .value = m->value};
    u.n_headers = kafka_msg_headers(m, a, &u.headers);
    if (model_decode(in->program->schema, &u, &lim, a, ev, n, &err) == 0) {
        count(IM_EVENTS, NULL, *n);
        return 0;
    }
    take_dead(s, m, &err);
    return -1;
}

static void take_upstream(struct src *s, const struct kafka_msg *m)
{
    struct ingest *in = s->in;
    struct source src = take_source(s, m);
    struct err err = {0};
    struct event *ev;
    uint32_t n;
    if (take_is_end(in, m) || take_decode(s, m, in->a, &ev, &n) != 0)
        return;
    if (n && !in->announced)
        world_announce(in, in->now_ms);
    if (pack_add(in->pack, in->n, &src, ev, n, in->mono_ms, &err) != 0)
        take_dead(s, m, &err);
}

/* ---- receipts ---- */

void take_receipt(struct ingest *in, uint32_t p, const struct source *src, int64_t at_ms,
                  const struct receipt *r)
{
    struct record rec = {.kind = REC_RECEIPT, .at_ms = at_ms, .src = *src, .receipt = *r};
    char status[32];
    (void)snprintf(status, sizeof status, STR_FMT, STR_ARG(r->status));
    buf_reset(&in->b);
    record_write(&rec, &in->b);
    count(IM_RECEIPTS, status, 1);
    world_append(in, TOPIC_LOG, (int32_t)p, (struct str){NULL, 0}, buf_str(&in->b));
}

/* The dispatcher's journal: only a final result that makes a receipt matters. */
static void take_outcome(struct src *s, const struct kafka_msg *m)
{
    struct ingest *in = s->in;
    struct outcome o;
    struct err err = {0};
    if (outcome_read(m->value, in->a, &o, &err) != 0) {
        take_dead(s, m, &err);
        return;
    }
    if (o.kind != OUT_RESULT || !o.final || !o.status.n)
        return;
    struct source src = take_source(s, m);
    struct receipt r = {.era = o.era,
                        .seq = o.seq,
                        .member = o.member,
                        .rule = o.rule,
                        .message = o.message,
                        .gateway = o.gateway,
                        .status = o.status};
    take_receipt(in, (uint32_t)m->partition, &src, in->now_ms, &r);
}

/* {"id":DECISION,"status":STATUS,"gateway":…}: whom it was for the fold knows. */
static void take_report(struct src *s, const struct kafka_msg *m)
{
    struct ingest *in = s->in;
    const struct json *j;
    struct receipt r = {.member = STR(""), .rule = STR(""), .message = STR("")};
    struct err err = {0};
    uint32_t p = 0;
    int rc = json_parse(m->value, 32, in->a, &j, &err);
    if (rc == 0) {
        r.status = json_str(j, "status");
        r.gateway = json_str(j, "gateway");
        if (!receipt_status_ok(r.status))
            rc = err_code(&err, ERR_INPUT, "receipt", "status is none that a receipt can have");
        else if (decision_id_read(json_str(j, "id"), in->genesis.topology, &r.era, &p, &r.seq) !=
                     0 ||
                 p >= in->genesis.partitions)
            rc = err_code(&err, ERR_INPUT, "receipt", "id is not that of a decision made here");
    }
    if (rc != 0) {
        take_dead(s, m, &err);
        return;
    }
    struct source src = take_source(s, m);
    take_receipt(in, p, &src, in->now_ms, &r);
}

void take_record(struct src *s, const struct kafka_msg *m)
{
    count(IM_RECORDS, s->topic, 1);
    arena_reset(s->in->a);
    switch (s->kind) {
    case SOURCE_UPSTREAM:
        take_upstream(s, m);
        return;
    case SOURCE_OUTCOMES:
        take_outcome(s, m);
        return;
    case SOURCE_RECEIPTS:
        take_report(s, m);
        return;
    }
}
