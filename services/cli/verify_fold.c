/* SPDX-License-Identifier: Apache-2.0 */
/* The log folded offline, and rouse.decisions held against it, byte for byte. */
#include "verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define READ_MS 30000
#define PART_TEXT_MAX ((size_t)4 << 30)

/* ---- the fold ---- */

struct folding {
    struct verify *v;
    struct part *part;
    struct decide *fold;
    struct arena *arena; /* one record */
    struct err err;
};

static int find_program(void *arg, struct str hash, const struct program **out)
{
    struct verify *v = arg;
    struct err err = {0};
    return control_program(v->ctl, hash, out, &err) == 1 ? 0 : -1;
}

static void add_decision(struct part *part, struct str json)
{
    if (part->n == part->cap) {
        part->cap = part->cap ? part->cap * 2 : 1024;
        part->v = xrealloc(part->v, part->cap * sizeof *part->v);
    }
    struct verdict *d = &part->v[part->n++];
    memset(d, 0, sizeof *d);
    d->at = part->text.n;
    d->json.n = json.n;
    buf_addstr(&part->text, json);
}

static void take(struct folding *f)
{
    struct decide_out o;
    decide_out(f->fold, &o);
    for (uint32_t i = 0; i < o.n_decisions; i++)
        add_decision(f->part, o.decisions[i]);
    decide_committed(f->fold);
}

static void note_source(struct verify *v, const struct source *s, uint32_t p)
{
    char key[512];
    static char there;
    int n = snprintf(key, sizeof key, "%u " STR_FMT "/%" PRId64 "/%d/%" PRId64, p,
                     STR_ARG(s->topic), s->epoch, s->partition, s->offset);
    struct str whole = {key, (size_t)n};
    v->c.entries++;
    if (map_get(v->sources, whole))
        v->c.duplicate_entries++;
    else
        map_put(v->sources, whole, &there);
    const char *blank = strchr(key, ' ') + 1;
    map_put(v->sources, str_c(blank), &there);
}

static void note_record(struct folding *f, const struct record *r, uint32_t p)
{
    f->v->c.records++;
    for (uint32_t i = 0; i < r->n_entries; i++) {
        note_source(f->v, &r->entries[i].src, p);
        f->v->c.events += r->entries[i].n_events;
    }
}

static int on_log(void *arg, const struct kafka_msg *m)
{
    struct folding *f = arg;
    struct record r;
    enum decide_rc rc;
    arena_reset(f->arena);
    if (record_read(decide_schema(f->fold), m->value, f->arena, &r, &f->err) != 0)
        return err_wrap(&f->err, "rouse.log, offset %" PRId64, m->offset);
    note_record(f, &r, (uint32_t)m->partition);
    decide_want(f->fold, &r);
    while ((rc = decide_record(f->fold, &r, (uint64_t)m->offset, m->ts_ms, &f->err)) == DECIDE_FULL)
        take(f);
    take(f);
    if (rc == DECIDE_DONE)
        return 0;
    return err_set(&f->err, ERR_FATAL, "the fold wants something that it should have");
}

static void finish(struct folding *f)
{
    struct decide_stats st;
    struct part *part = f->part;
    decide_stats(f->fold, &st);
    f->v->c.members += st.members;
    memcpy(part->chain, decide_meta(f->fold)->chain, 32);
    for (size_t i = 0; i < part->n; i++) {
        struct verdict *d = &part->v[i];
        struct decision dec;
        struct err err = {0};
        d->json.p = part->text.p + d->at;
        arena_reset(f->arena);
        if (decision_read(d->json, f->arena, &dec, &err) != 0)
            continue;
        d->kind = dec.kind;
        memcpy(d->id, dec.id, sizeof d->id);
        map_put(f->v->ids, str_c(d->id), d);
    }
}

int verify_fold(struct verify *v, uint32_t p, struct err *err)
{
    struct decide_conf conf = {.topology = v->g->topology,
                               .p = p,
                               .partitions = v->g->partitions,
                               .record_clock = v->g->record_clock,
                               .complete = true,
                               .stagger = true,
                               .max_members = (uint32_t)v->bite,
                               .program = find_program,
                               .arg = v};
    struct decide_meta meta = {0};
    struct kafka_conf k = admin_kafka(&v->kafka);
    struct folding f = {.v = v, .part = &v->parts[p]};
    buf_init(&f.part->text, PART_TEXT_MAX);
    f.arena = arena_new(0);
    f.fold = decide_new(&conf);
    int rc = decide_reset(f.fold, &meta, NULL, 0, err);
    if (rc == 0)
        rc = kafka_read_all(&k, "rouse.log", (int32_t)p, KAFKA_BEGINNING, on_log, &f, READ_MS, err);
    if (f.err.kind != ERR_NONE) {
        *err = f.err;
        rc = -1;
    }
    if (rc == 0)
        finish(&f);
    decide_free(&f.fold);
    arena_free(&f.arena);
    return rc;
}

/* ---- rouse.decisions ---- */

static int on_decision(void *arg, const struct kafka_msg *m)
{
    struct folding *f = arg;
    struct decision d;
    arena_reset(f->arena);
    if (decision_read(m->value, f->arena, &d, &f->err) != 0)
        return err_wrap(&f->err, "rouse.decisions, offset %" PRId64, m->offset);
    if (d.seq >= f->part->n) {
        f->v->c.spurious++;
        return 0;
    }
    struct verdict *v = &f->part->v[d.seq];
    if (v->seen++)
        f->v->c.duplicates++;
    if (!str_eq(v->json, m->value))
        v->divergent = true;
    return 0;
}

int verify_decisions(struct verify *v, uint32_t p, struct err *err)
{
    struct kafka_conf k = admin_kafka(&v->kafka);
    struct folding f = {.v = v, .part = &v->parts[p], .arena = arena_new(0)};
    int rc = kafka_read_all(&k, "rouse.decisions", (int32_t)p, KAFKA_BEGINNING, on_decision, &f,
                            READ_MS, err);
    if (f.err.kind != ERR_NONE) {
        *err = f.err;
        rc = -1;
    }
    arena_free(&f.arena);
    return rc;
}
