/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fold's tests share: a program from YAML text, a log written by hand, and a driver in
 * complete mode that keeps every decision.  Times are given as local text of the program's zone.
 */
#ifndef FOLD_UTIL_H
#define FOLD_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "decide.h"

#define FU_UNUSED __attribute__((unused))

/* ---- programs ---------------------------------------------------------------------------------------- */

FU_UNUSED static struct program *fu_program(const char *const *texts, uint32_t n)
{
    struct str names[8], body[8];
    static char label[8][24];
    struct diags *d = diags_new();
    struct rule_options o = {.max_errors = 20};
    for (uint32_t i = 0; i < n; i++) {
        (void)snprintf(label[i], sizeof label[i], "t%u.yaml", i);
        names[i] = str_c(label[i]);
        body[i] = str_c(texts[i]);
    }
    struct program *p = rule_load_texts(names, body, n, &o, d);
    if (!p || diags_errors(d)) {
        struct buf b;
        buf_init(&b, 1 << 20);
        diags_text(d, 20, &b);
        fail_msg("the program does not load:\n%s", b.p ? b.p : "");
        buf_free(&b);
    }
    diags_free(&d);
    return p;
}

/* The program as it comes out of the bundle that takes `prev` over: with prev's texts of rules that
 * changed.  Frees p. */
FU_UNUSED static struct program *fu_bundled(struct program *p, const struct program *prev)
{
    struct buf b;
    char hash[65];
    struct err err = {0};
    buf_init(&b, 64 << 20);
    if (bundle_make(p, prev, &b, hash, &err) != 0)
        fail_msg("bundle: %s", err.text);
    rule_free(&p);
    p = bundle_load(buf_str(&b), &err);
    if (!p)
        fail_msg("bundle: %s", err.text);
    buf_free(&b);
    return p;
}

/* ---- logs --------------------------------------------------------------------------------------------- */

struct fu_rec {
    struct str bytes;
    int64_t log_ms;
};
struct fu_log {
    struct arena *a;
    struct fu_rec *v;
    uint32_t n, cap;
    int64_t offset; /* of the next source record */
    const struct zone *tz;
};

FU_UNUSED static int64_t fu_at(const struct zone *tz, const char *local)
{
    int64_t ms;
    char text[40];
    (void)snprintf(text, sizeof text, "%s", local);
    if (strchr(text, ' '))
        *strchr(text, ' ') = 'T';
    if (strlen(text) == 16)
        (void)strcat(text, ":00");
    if (time_parse_ms(str_c(text), tz, &ms) != 0)
        fail_msg("not a local time: %s", local);
    return ms;
}

FU_UNUSED static void fu_add(struct fu_log *l, struct str bytes, int64_t log_ms)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 256;
        l->v = xrealloc(l->v, l->cap * sizeof *l->v);
    }
    l->v[l->n++] = (struct fu_rec){arena_str(l->a, bytes), log_ms};
}

FU_UNUSED static void fu_record(struct fu_log *l, const struct record *r, int64_t log_ms)
{
    struct buf b;
    buf_init(&b, RECORD_MAX);
    record_write(r, &b);
    assert_false(b.over);
    fu_add(l, buf_str(&b), log_ms);
    buf_free(&b);
}

/* Activation n of program `which`, whose hash is that digit 64 times. */
FU_UNUSED static void fu_rules(struct fu_log *l, uint64_t n, int which, int64_t log_ms)
{
    char hash[65];
    memset(hash, '0' + which, 64);
    hash[64] = '\0';
    fu_record(l,
              &(struct record){
                  .kind = REC_RULES, .n = n, .at_ms = log_ms, .hash = str_c(hash), .level = 1},
              log_ms);
}

FU_UNUSED static void fu_tick(struct fu_log *l, int64_t log_ms)
{
    fu_record(l, &(struct record){.kind = REC_TICK, .at_ms = log_ms}, log_ms);
}

/* One upstream record of `topic`, kafka time at_ms, as ingest would have appended it. */
FU_UNUSED static void fu_event(struct fu_log *l, const struct program *p, const char *topic,
                               const char *json, int64_t at_ms, int64_t log_ms)
{
    struct event *ev;
    uint32_t n;
    struct err err = {0};
    struct buf b;
    const struct upstream u = {.src = {.topic = str_c(topic), .offset = l->offset++},
                               .kafka_ms = at_ms,
                               .value = str_c(json)};
    const struct decode_limits lim = {.max_bytes = 65536, .max_depth = 32, .latest_ms = TIME_NEVER};
    if (model_decode(p->schema, &u, &lim, l->a, &ev, &n, &err) != 0)
        fail_msg("%s: %s %s: %s", json, err.code, err.file, err.text);
    const struct entry e = {.src = u.src, .at_ms = at_ms, .events = ev, .n_events = n};
    buf_init(&b, RECORD_MAX);
    record_begin_event(&b, 1);
    record_add_entry(&b, &e, true);
    record_end_event(&b);
    fu_add(l, buf_str(&b), log_ms);
    buf_free(&b);
}

FU_UNUSED static void fu_receipt(struct fu_log *l, const struct receipt *x, int64_t log_ms)
{
    fu_record(l,
              &(struct record){.kind = REC_RECEIPT,
                               .at_ms = log_ms,
                               .src = {.topic = STR("rouse.outcomes"), .offset = l->offset++},
                               .receipt = *x},
              log_ms);
}

/* ---- a driver in complete mode ------------------------------------------------------------------------ */

struct fu_dec {
    struct decision d;
    struct str bytes;
};
struct fu {
    struct decide *d;
    struct program *p; /* the current one */
    struct program *by_hash[8];
    uint32_t n_programs;
    struct arena *a;
    struct fu_log log;
    uint32_t folded;
    struct fu_dec *dec;
    uint32_t n_dec, cap_dec, seen;
    int64_t now;
    bool append; /* log time is the broker's: what a jump of time passes is folded late */
};

FU_UNUSED static int fu_lookup(void *arg, struct str hash, const struct program **out)
{
    const struct fu *f = arg;
    uint32_t i = hash.n ? (uint32_t)(hash.p[0] - '0') : 9;
    if (i >= f->n_programs)
        return -1;
    *out = f->by_hash[i];
    return 0;
}

FU_UNUSED static void fu_start_clock(struct fu *f, const char *const *texts, uint32_t n,
                                     const char *local, bool append)
{
    *f = (struct fu){0};
    f->p = f->by_hash[f->n_programs++] = fu_program(texts, n);
    f->a = arena_new(0);
    f->log = (struct fu_log){.a = f->a, .tz = f->p->tz};
    f->now = fu_at(f->p->tz, local);
    f->d = decide_new(&(struct decide_conf){.topology = 7,
                                            .partitions = 1,
                                            .complete = true,
                                            .record_clock = !append,
                                            .program = fu_lookup,
                                            .arg = f});
    f->append = append;
    fu_rules(&f->log, 1, 0, f->now);
}

FU_UNUSED static void fu_start(struct fu *f, const char *const *texts, uint32_t n,
                               const char *local)
{
    fu_start_clock(f, texts, n, local, false);
}

FU_UNUSED static void fu_stop(struct fu *f)
{
    decide_free(&f->d);
    for (uint32_t i = 0; i < f->n_programs; i++)
        rule_free(&f->by_hash[i]);
    free(f->log.v);
    free(f->dec);
    arena_free(&f->a);
}

FU_UNUSED static void fu_take(struct fu *f)
{
    struct decide_out out;
    struct err err = {0};
    decide_out(f->d, &out);
    for (uint32_t i = 0; i < out.n_decisions; i++) {
        if (f->n_dec == f->cap_dec) {
            f->cap_dec = f->cap_dec ? f->cap_dec * 2 : 64;
            f->dec = xrealloc(f->dec, f->cap_dec * sizeof *f->dec);
        }
        struct fu_dec *to = &f->dec[f->n_dec++];
        to->bytes = arena_str(f->a, out.decisions[i]);
        if (decision_read(to->bytes, f->a, &to->d, &err) != 0)
            fail_msg("%s: " STR_FMT, err.text, STR_ARG(to->bytes));
    }
    decide_committed(f->d);
}

/* Fold what has been written. */
FU_UNUSED static void fu_fold(struct fu *f)
{
    for (; f->folded < f->log.n; f->folded++) {
        struct record r;
        struct err err = {0};
        enum decide_rc rc;
        const struct fu_rec *in = &f->log.v[f->folded];
        if (record_read(decide_schema(f->d), in->bytes, f->a, &r, &err) != 0)
            fail_msg("%s: " STR_FMT, err.text, STR_ARG(in->bytes));
        while ((rc = decide_record(f->d, &r, f->folded, in->log_ms, &err)) == DECIDE_FULL)
            fu_take(f);
        if (rc != DECIDE_DONE)
            fail_msg("rc %d: %s", (int)rc, err.text);
        fu_take(f);
    }
}

FU_UNUSED static void fu_go(struct fu *f, const char *local)
{
    f->now = fu_at(f->p->tz, local);
    fu_tick(&f->log, f->now);
    fu_fold(f);
}

/* An event now; its time is that of the JSON. */
FU_UNUSED static void fu_send(struct fu *f, const char *topic, const char *json)
{
    if (!f->append)
        fu_tick(&f->log, f->now);
    fu_event(&f->log, f->p, topic, json, f->now, f->now);
    fu_fold(f);
}

FU_UNUSED static void fu_go_send(struct fu *f, const char *local, const char *topic,
                                 const char *json)
{
    f->now = fu_at(f->p->tz, local);
    fu_send(f, topic, json);
}

FU_UNUSED static void fu_result(struct fu *f, uint32_t dec, const char *status)
{
    const struct decision *d = &f->dec[dec].d;
    fu_receipt(&f->log,
               &(struct receipt){.era = d->era,
                                 .seq = d->seq,
                                 .member = d->member,
                                 .rule = d->rule,
                                 .message = d->message,
                                 .gateway = d->gateway,
                                 .status = str_c(status)},
               f->now);
    fu_fold(f);
}

/* The decisions since the last call, one a line: "send MESSAGE MEMBER GATEWAY LOCAL-TIME" or
 * "withhold MESSAGE MEMBER REASON LOCAL-TIME" or "convert RULE MEMBER VALUE". */
FU_UNUSED static const char *fu_news(struct fu *f)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_adds(&b, "");
    for (; f->seen < f->n_dec; f->seen++) {
        const struct decision *d = &f->dec[f->seen].d;
        char at[40];
        size_t n = time_format_local(f->p->tz, d->at_ms, at);
        if (b.n)
            buf_addc(&b, '\n');
        if (d->kind == DEC_CONVERT) {
            buf_addf(&b, "convert " STR_FMT " " STR_FMT " %g", STR_ARG(d->rule), STR_ARG(d->member),
                     d->value);
            continue;
        }
        buf_addf(&b, "%s " STR_FMT " " STR_FMT " " STR_FMT " %.*s",
                 d->kind == DEC_SEND ? "send" : "withhold", STR_ARG(d->message), STR_ARG(d->member),
                 STR_ARG(d->kind == DEC_SEND ? d->gateway : d->reason), (int)n, at);
    }
    const char *s = arena_strdup(f->a, b.p ? b.p : "");
    buf_free(&b);
    return s;
}

FU_UNUSED static const char *fu_tag(struct fu *f, const char *member, const char *tag)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_adds(&b, "");
    const char *s =
        decide_tag_text(f->d, str_c(member), str_c(tag), &b) ? arena_strdup(f->a, b.p) : "-";
    buf_free(&b);
    return s;
}

#define EXPECT(f, text) assert_string_equal(fu_news(f), text)

#endif
