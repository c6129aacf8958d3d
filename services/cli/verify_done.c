/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was done: rouse.outcomes by the rules of architecture §6 (an attempt counts only under the
 * newest claim before it, a result with its attempt), dead letters, upstream, the gateways' journal.
 */
#include "verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define READ_MS 30000

/* ---- outcomes ---- */

struct attempts { /* the latest valid attempt of a seq */
    char tok[33];
    uint32_t attempt;
    bool valid, closed;
};
struct outcomes {
    struct verify *v;
    struct part *part;
    struct attempts *a;
    char claim[33];
    struct arena *arena;
    struct err err;
};

static enum fate fate_of(struct str status)
{
    static const struct {
        const char *status;
        enum fate fate;
    } table[] = {{"sent", FATE_SENT},
                 {"failed", FATE_FAILED},
                 {"ambiguous", FATE_AMBIGUOUS},
                 {"expired", FATE_EXPIRED},
                 {"returned", FATE_RETURNED}};
    for (size_t i = 0; i < BASE_LEN(table); i++)
        if (str_eqc(status, table[i].status))
            return table[i].fate;
    return FATE_PENDING;
}

static void take_attempt(struct outcomes *o, const struct outcome *x)
{
    struct attempts *a = &o->a[x->seq];
    if (strcmp(x->tok, o->claim) != 0)
        return;                 /* under an older claim: never sent */
    if (a->valid && !a->closed) /* open when the next began: nobody knows */
        o->part->v[x->seq].listed_ambiguous = true;
    *a = (struct attempts){.attempt = x->attempt, .valid = true};
    memcpy(a->tok, x->tok, sizeof a->tok);
    o->part->v[x->seq].attempts++;
}

static void take_result(struct outcomes *o, const struct outcome *x)
{
    struct attempts *a = &o->a[x->seq];
    struct verdict *d = &o->part->v[x->seq];
    if (!a->valid || a->attempt != x->attempt)
        return;
    a->closed = true;
    d->bytes_left |= x->sent;
    if (str_eqc(x->result_class, "ambiguous") || str_eqc(x->status, "ambiguous"))
        d->listed_ambiguous = true;
    if (x->final && d->fate == FATE_PENDING)
        d->fate = fate_of(x->status);
}

static int on_outcome(void *arg, const struct kafka_msg *m)
{
    struct outcomes *o = arg;
    struct outcome x;
    arena_reset(o->arena);
    if (outcome_read(m->value, o->arena, &x, &o->err) != 0)
        return err_wrap(&o->err, "rouse.outcomes, offset %" PRId64, m->offset);
    if (x.kind == OUT_CLAIM)
        memcpy(o->claim, x.tok, sizeof o->claim);
    if ((x.kind != OUT_ATTEMPT && x.kind != OUT_RESULT) || x.seq >= o->part->n)
        return 0;
    if (x.kind == OUT_ATTEMPT)
        take_attempt(o, &x);
    else
        take_result(o, &x);
    return 0;
}

int verify_outcomes(struct verify *v, uint32_t p, struct err *err)
{
    struct kafka_conf k = admin_kafka(&v->kafka);
    struct outcomes o = {.v = v, .part = &v->parts[p], .arena = arena_new(0)};
    o.a = xcalloc(o.part->n + 1, sizeof *o.a);
    int rc = kafka_read_all(&k, "rouse.outcomes", (int32_t)p, KAFKA_BEGINNING, on_outcome, &o,
                            READ_MS, err);
    if (o.err.kind != ERR_NONE) {
        *err = o.err;
        rc = -1;
    }
    free(o.a);
    arena_free(&o.arena);
    return rc;
}

/* ---- dead letters and upstream ---- */

static char *source_key(struct arena *a, struct str topic, int32_t partition, int64_t offset)
{
    return arena_printf(a, STR_FMT "/0/%d/%" PRId64, STR_ARG(topic), partition, offset);
}

static int on_dead(void *arg, const struct kafka_msg *m)
{
    struct verify *v = arg;
    static char there;
    struct dead d;
    struct err err = {0};
    struct arena *a = arena_new(0);
    if (dead_read(m->value, a, &d, &err) == 0) {
        v->c.dead++;
        map_put(v->sources, str_c(source_key(a, d.src.topic, d.src.partition, d.src.offset)),
                &there);
    }
    arena_free(&a);
    return 0;
}

int verify_dead(struct verify *v, struct err *err)
{
    struct kafka_conf k = admin_kafka(&v->kafka);
    int parts = kafka_topic_partitions(&k, "rouse.dead", 10000, err);
    for (int32_t p = 0; p < parts; p++)
        if (kafka_read_all(&k, "rouse.dead", p, KAFKA_BEGINNING, on_dead, v, READ_MS, err) != 0)
            return -1;
    return parts < 0 ? -1 : 0;
}

/* Does any event of the rules in force match it?  What nobody declared leaves no trace in the log. */
static bool declared(const struct verify *v, const struct kafka_msg *m, const struct str *headers,
                     uint32_t n_headers, struct arena *a)
{
    const struct decode_limits lim = {
        .max_bytes = SIZE_MAX, .max_depth = 32, .latest_ms = INT64_MAX, .need_time = false};
    const struct upstream u = {
        .src = {str_c(m->topic), 0, m->partition, m->offset},
        .kafka_ms = m->ts_ms,
        .key = m->key,
        .value = m->value,
        .headers = headers,
        .n_headers = n_headers,
    };
    struct event *ev;
    uint32_t n = 0;
    struct err err = {0};
    return model_decode(v->schema, &u, &lim, a, &ev, &n, &err) != 0 || n > 0;
}

static int on_upstream(void *arg, const struct kafka_msg *m)
{
    struct verify *v = arg;
    struct arena *a = arena_new(0);
    const struct str *h;
    uint32_t n = kafka_msg_headers(m, a, &h);
    bool end = false;
    for (uint32_t i = 0; i < n; i++)
        end |= str_eqc(h[2 * i], "rouse-end");
    if (!end) {
        v->c.upstream++;
        if (!map_get(v->sources, str_c(source_key(a, str_c(m->topic), m->partition, m->offset))) &&
            declared(v, m, h, n, a))
            v->c.upstream_missing++;
    }
    arena_free(&a);
    return 0;
}

int verify_upstream(struct verify *v, struct err *err)
{
    struct kafka_conf k = admin_kafka(&v->kafka);
    uint64_t n;
    const struct program *p = NULL;
    const struct active *now = control_active(v->ctl, &n);
    if (!now || control_program(v->ctl, str_c(now->hash), &p, err) != 1)
        return err_set(err, ERR_INPUT, "no rules are active: which topics are upstream?");
    v->schema = p->schema;
    for (uint32_t i = 0; i < p->schema->n; i++) {
        struct str topic = p->schema->events[i]->topic;
        bool before = topic.n == 0 || p->schema->events[i]->receipt;
        for (uint32_t j = 0; j < i; j++)
            before |= str_eq(topic, p->schema->events[j]->topic);
        if (before)
            continue;
        char *name = xmemdup0(topic.p, topic.n);
        int parts = kafka_topic_partitions(&k, name, 10000, err), rc = parts < 0 ? -1 : 0;
        for (int32_t q = 0; rc == 0 && q < parts; q++)
            rc = kafka_read_all(&k, name, q, KAFKA_BEGINNING, on_upstream, v, READ_MS, err);
        free(name);
        if (rc != 0)
            return -1;
    }
    return 0;
}

/* ---- the journal ---- */

struct seen_id {
    uint32_t requests, processed;
};

static int journal_line(struct verify *v, struct map *ids, struct str line, struct err *err)
{
    const struct json *j;
    struct arena *a = arena_new(0);
    int rc = json_parse(line, 16, a, &j, err);
    struct str id = rc == 0 ? json_str(j, "id") : STR("");
    if (id.n) {
        const struct json *processed = json_get(j, "processed");
        struct seen_id *s = map_get(ids, id);
        if (!s) {
            s = ARENA_NEW(v->arena, struct seen_id);
            map_put(ids, id, s);
        }
        v->c.journal++;
        s->requests++;
        s->processed += processed && processed->kind == JSON_BOOL && processed->b;
    }
    arena_free(&a);
    return rc;
}

static int read_journal(struct verify *v, const char *path, struct map *ids, struct err *err)
{
    char *line = NULL;
    size_t cap = 0;
    int rc = 0, number = 0;
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(err, ERR_INPUT, "%s: cannot be read: %m", path);
    for (ssize_t n; rc == 0 && (n = getline(&line, &cap, f)) > 0;) {
        number++;
        rc = journal_line(v, ids, (struct str){line, (size_t)n}, err);
        if (rc != 0)
            err_wrap(err, "%s:%d", path, number);
    }
    free(line);
    (void)fclose(f);
    return rc;
}

/* A send that must be in the journal: whatever was not ambiguous, expired, returned, or failed without
 * a byte having left. */
static bool must_be_there(const struct verdict *d)
{
    return d->fate == FATE_SENT || (d->fate == FATE_FAILED && d->bytes_left);
}

int verify_journal(struct verify *v, const char *path, struct err *err)
{
    size_t it = 0;
    struct str id;
    void *p;
    struct map *ids = map_new(true);
    int rc = read_journal(v, path, ids, err);
    v->c.journal_ids = map_len(ids);
    while (rc == 0 && map_next(ids, &it, &id, &p)) {
        const struct seen_id *s = p;
        const struct verdict *d = map_get(v->ids, id);
        if (!d || (!must_be_there(d) && !d->listed_ambiguous))
            v->c.journal_spurious++;
        else if (s->processed > 1 && !d->listed_ambiguous)
            v->c.journal_repeated++;
    }
    it = 0;
    while (rc == 0 && map_next(v->ids, &it, &id, &p)) {
        const struct verdict *d = p;
        if (d->kind == DEC_SEND && must_be_there(d) && !map_get(ids, id))
            v->c.journal_missing++;
    }
    map_free(&ids);
    return rc;
}
