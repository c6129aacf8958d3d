/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fold over records.  A record is an event record's entries, or one thing; each of these is done
 * in three phases, and the cursor says how far:
 *
 *   sweep    of an activation: exactly the next 512 members of the index
 *   timers   every timer due by its time, one at a time, the least first
 *   apply    the entry's events (no timer fires between them), the receipt, the switch of rules
 *
 * A unit is one member's part of one of these.  Before each there may be a commit (FULL); what a unit
 * lacks is asked for before it begins (NEED), so a unit never stops in the middle.
 */
#include "fold_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define OUT_MAX (64 << 20)

/* ---- life of the fold ---------------------------------------------------------------------------------- */

struct decide *decide_new(const struct decide_conf *conf)
{
    struct decide *d = xcalloc(1, sizeof *d);
    d->conf = *conf;
    d->max_members = conf->max_members ? conf->max_members : DECIDE_MAX_MEMBERS;
    d->max_bytes = conf->max_bytes ? conf->max_bytes : DECIDE_MAX_BYTES;
    d->tags = tagset_new();
    d->a = arena_new(0);
    d->out = arena_new(0);
    d->all = arena_new(0);
    d->seq_arena = arena_new(0);
    d->sweep_arena = arena_new(0);
    d->fan_arena = arena_new(0);
    d->index = map_new(true);
    buf_init(&d->fan_after, 4096);
    buf_init(&d->fan_key, 1 << 20);
    d->marks = map_new(true);
    d->seqs = map_new(true);
    buf_init(&d->blob, OUT_MAX);
    buf_init(&d->text, OUT_MAX);
    buf_init(&d->dec, OUT_MAX);
    buf_init(&d->bound_member, 4096);
    buf_init(&d->ask_member, 4096);
    buf_init(&d->mark_key, 4096);
    (void)decide_reset(d, &(struct decide_meta){0}, NULL, 0, NULL);
    return d;
}

void decide_free(struct decide **pd)
{
    struct decide *d = *pd;
    if (!d)
        return;
    members_free(d);
    marks_free(d);
    out_free(d);
    for (uint32_t i = 0; i < d->n_ixs; i++)
        prog_free(&d->ixs[i]);
    free(d->ixs);
    free(d->want);
    free(d->want_seq);
    free(d->sweep);
    map_free(&d->seqs);
    fan_clear(d);
    map_free(&d->index);
    free(d->fan);
    arena_free(&d->fan_arena);
    buf_free(&d->fan_after);
    buf_free(&d->fan_key);
    tagset_free(&d->tags);
    arena_free(&d->a);
    arena_free(&d->seq_arena);
    arena_free(&d->sweep_arena);
    buf_free(&d->blob);
    buf_free(&d->text);
    buf_free(&d->bound_member);
    buf_free(&d->ask_member);
    free(d);
    *pd = NULL;
}

int fold_switch(struct decide *d, const struct program *p, struct err *err)
{
    struct prog_ix *ix = NULL;
    for (uint32_t i = 0; i < d->n_ixs && !ix; i++)
        ix = d->ixs[i]->p == p ? d->ixs[i] : NULL;
    if (!ix) {
        ix = prog_new(p, d->conf.test, err);
        if (!ix)
            return -1;
        d->ixs = xrealloc(d->ixs, (d->n_ixs + 1) * sizeof(struct prog_ix *));
        d->ixs[d->n_ixs++] = ix;
    }
    d->ix = ix;
    d->prog = p;
    ctx_bind(d);
    return 0;
}

static int find_program(struct decide *d, struct str hash, uint32_t level,
                        const struct program **out, struct err *err)
{
    if (level > RULE_LEVEL || level + 1 < RULE_LEVEL)
        return err_code(err, ERR_FATAL, "rules_level",
                        "rules of level %u: this binary folds levels %d and below; run a newer one",
                        level, RULE_LEVEL);
    if (!d->conf.program || d->conf.program(d->conf.arg, hash, out) != 0)
        return err_code(err, ERR_FATAL, "rules_unknown",
                        "the rules with hash " STR_FMT " are not in rouse.control", STR_ARG(hash));
    return 0;
}

static const char phases[] = "sta"; /* enum phase, as `pos` writes it */

static int read_pos(struct decide *d, struct err *err)
{
    char phase;
    int end = 0;
    d->entry = d->place = 0;
    d->phase = PHASE_SWEEP;
    d->inside = d->meta.pos[0] != '\0';
    if (!d->inside)
        return 0;
    if (sscanf(d->meta.pos, "%" SCNu32 " %c %" SCNu32 "%n", &d->entry, &phase, &d->place, &end) !=
            3 ||
        !strchr(phases, phase) || phase == '\0')
        return err_code(err, ERR_FATAL, "cursor", "the place `%s` in record %llu is not one",
                        d->meta.pos, (unsigned long long)d->meta.off);
    d->phase = (enum phase)(strchr(phases, phase) - phases);
    if (d->meta.pos[end] == ' ')
        buf_adds(&d->fan_after, d->meta.pos + end + 1);
    return 0;
}

static void window_reset(struct decide *d)
{
    d->ask = ASK_NONE;
    d->horizon = TIME_MIN;
    buf_reset(&d->bound_member);
    d->bound_due = d->conf.complete ? TIME_NEVER : INT64_MIN;
    d->bound_all = d->conf.complete;
    sweep_forget(d);
    d->n_want = d->n_want_seq = 0;
    map_clear(d->seqs);
    arena_reset(d->seq_arena);
}

int decide_reset(struct decide *d, const struct decide_meta *meta, const struct decide_src *src,
                 size_t n_src, struct err *err)
{
    const struct program *p = NULL;
    struct decide_meta m = *meta;
    d->meta = m;
    members_clear(d);
    window_reset(d);
    marks_reset(d, src, n_src);
    d->n_sent = 0;
    fan_clear(d);
    arena_reset(d->all);
    out_clear(d);
    d->sub = m.sub;
    d->moved = false;
    d->prog = NULL;
    d->ix = NULL;
    if (read_pos(d, err) != 0)
        return -1;
    if (m.n == 0 && m.hash[0] == '\0')
        return 0;
    if (find_program(d, str_c(m.hash), m.level, &p, err) != 0)
        return -1;
    return fold_switch(d, p, err);
}

const struct decide_meta *decide_meta(const struct decide *d)
{
    return &d->meta;
}

const struct schema *decide_schema(const struct decide *d)
{
    static struct schema none;
    none.tz = zone_utc();
    return d->prog ? d->prog->schema : &none;
}

const struct program *decide_program(const struct decide *d)
{
    return d->prog;
}

bool decide_dirty(const struct decide *d)
{
    return d->moved;
}

void decide_stats(const struct decide *d, struct decide_stats *out)
{
    *out = d->stats;
    out->cache_bytes = d->cache_bytes;
}

/* ---- units --------------------------------------------------------------------------------------------- */

bool fold_room(const struct decide *d, const struct node *m)
{
    if (d->n_dirty == 0 && d->n_dec == 0)
        return true;
    if (!m->dirty && d->n_dirty >= d->max_members)
        return false;
    return d->dirty_bytes + DECIDE_MAX_STATE <= d->max_bytes && d->dec.n < FOLD_OUT_BYTES &&
           arena_used(d->out) < FOLD_OUT_ARENA && d->n_pub < FOLD_OUT_TAGS &&
           d->n_link < FOLD_OUT_LINKS;
}

static void progress(struct decide *d)
{
    d->inside = d->moved = true;
}

/* The member's state is here and may be changed? DONE, or what is lacking. */
enum decide_rc fold_ready(struct decide *d, struct node *m)
{
    if (!m->loaded && d->conf.complete)
        node_state(d, m, STR(""));
    if (!m->loaded) {
        want_member(d, m);
        return DECIDE_NEED;
    }
    return fold_room(d, m) ? DECIDE_DONE : DECIDE_FULL;
}

static bool member_ok(struct str member)
{
    return member.n > 0 && member.n <= DECIDE_MAX_MEMBER && !memchr(member.p, 0, member.n);
}

/* ---- sweep, timers ------------------------------------------------------------------------------------- */

static int sweep_one(struct decide *d, struct node *m, int64_t due, struct err *err)
{
    char key[sizeof d->meta.sweep];
    (void)snprintf(key, sizeof key, "%" PRId64 " " STR_FMT, due, STR_ARG(node_name(m)));
    int64_t now = d->meta.now_ms;
    if (unit_open(d, m, now, now, err) != 0 || unit_close(d, err) != 0)
        return -1;
    memcpy(d->meta.sweep, key, sizeof key);
    return 0;
}

/* All that a bite will need is asked for at once. */
static void want_bite(struct decide *d, struct node *m)
{
    want_member(d, m);
    for (uint32_t i = d->sweep_at; i < d->n_sweep && i < d->sweep_at + DECIDE_SWEEP - d->place; i++)
        want_member(d, node_get(d, d->sweep[i].member));
}

static enum decide_rc do_sweep(struct decide *d, struct err *err)
{
    while (d->prog && d->meta.sweep[0] && d->place < DECIDE_SWEEP) {
        struct node *m;
        int64_t due;
        int more = sweep_next(d, &m, &due);
        if (more < 0)
            return DECIDE_NEED;
        if (more == 0) {
            d->meta.sweep[0] = '\0';
            progress(d);
            break;
        }
        if (!m->loaded)
            want_bite(d, m);
        enum decide_rc rc = fold_ready(d, m);
        if (rc != DECIDE_DONE)
            return rc;
        if (sweep_one(d, m, due, err) != 0)
            return DECIDE_PARK;
        d->place++;
        progress(d);
    }
    return DECIDE_DONE;
}

static enum decide_rc do_timers(struct decide *d, int64_t until, struct err *err)
{
    while (d->prog) {
        struct node *m = tree_min(&d->tree);
        if (!m || m->due > until) {
            if (window_covers(d, until))
                break;
            window_ask(d, until);
            return DECIDE_NEED;
        }
        if (!m->loaded)
            want_due(d, until);
        enum decide_rc rc = fold_ready(d, m);
        if (rc != DECIDE_DONE)
            return rc;
        if (fire_one(d, m, d->conf.record_clock ? m->due : until, err) != 0)
            return DECIDE_PARK;
        progress(d);
    }
    return DECIDE_DONE;
}

/* ---- apply --------------------------------------------------------------------------------------------- */

static bool fits(const struct decide *d, const struct event *ev)
{
    return ev->def && d->prog && ev->def->fan_tag.n == 0 && member_ok(ev->member);
}

static enum decide_rc do_event(struct decide *d, const struct event *ev, struct err *err)
{
    const struct schema *s = decide_schema(d);
    bool fan = ev->def && d->prog && ev->def->fan_tag.n > 0;
    if (!fan && !fits(d, ev)) {
        d->stats.dropped++;
        return DECIDE_DONE;
    }
    if (ev->def->index >= s->n || s->events[ev->def->index] != ev->def) {
        (void)err_set(err, ERR_FATAL, "the record was read by another schema than the current one");
        return DECIDE_PARK;
    }
    if (fan)
        return fan_event(d, ev, err);
    struct node *m = node_get(d, ev->member);
    enum decide_rc rc = fold_ready(d, m);
    if (rc == DECIDE_DONE && apply_event(d, m, ev, err) != 0)
        rc = DECIDE_PARK;
    return rc;
}

static enum decide_rc do_events(struct decide *d, const struct entry *e, struct err *err)
{
    if (d->place == 0 && !mark_above(d, &e->src)) {
        d->stats.sources_seen++;
        return DECIDE_DONE;
    }
    while (d->place < e->n_events) {
        enum decide_rc rc = do_event(d, &e->events[d->place], err);
        if (rc != DECIDE_DONE)
            return rc;
        d->place++;
        progress(d);
    }
    mark_move(d, &e->src);
    return DECIDE_DONE;
}

static enum decide_rc do_receipt(struct decide *d, const struct record *r, struct err *err)
{
    struct str member;
    if (!mark_above(d, &r->src)) {
        d->stats.sources_seen++;
        return DECIDE_DONE;
    }
    int known = receipt_member(d, r, &member);
    if (known < 0)
        return DECIDE_NEED;
    if (known && d->prog && member_ok(member)) {
        struct node *m = node_get(d, member);
        enum decide_rc rc = fold_ready(d, m);
        if (rc != DECIDE_DONE)
            return rc;
        if (apply_receipt(d, m, r, err) != 0)
            return DECIDE_PARK;
    } else {
        d->stats.dropped++;
    }
    mark_move(d, &r->src);
    return DECIDE_DONE;
}

static enum decide_rc do_rules(struct decide *d, const struct record *r, struct err *err)
{
    const struct program *p = NULL;
    if (d->prog && r->n <= d->meta.n)
        return DECIDE_DONE;
    if (r->hash.n >= sizeof d->meta.hash) {
        (void)err_set(err, ERR_FATAL, "a rules record without a hash of 64 digits");
        return DECIDE_PARK;
    }
    if (find_program(d, r->hash, r->level, &p, err) != 0 || fold_switch(d, p, err) != 0)
        return DECIDE_PARK;
    d->meta.n = r->n;
    d->meta.level = r->level;
    memset(d->meta.hash, 0, sizeof d->meta.hash);
    memcpy(d->meta.hash, r->hash.p, r->hash.n);
    sweep_start(d);
    return DECIDE_DONE;
}

static enum decide_rc do_erase(struct decide *d, const struct record *r, struct err *err)
{
    if (!member_ok(r->member) || !d->prog)
        return DECIDE_DONE;
    struct node *m = node_get(d, r->member);
    enum decide_rc rc = fold_ready(d, m);
    if (rc == DECIDE_DONE && unit_erase(d, m, d->meta.now_ms, err) != 0)
        rc = DECIDE_PARK;
    return rc;
}

static enum decide_rc do_apply(struct decide *d, const struct record *r, struct err *err)
{
    switch (r->kind) {
    case REC_EVENT:
        return do_events(d, &r->entries[d->entry], err);
    case REC_RECEIPT:
        return do_receipt(d, r, err);
    case REC_RULES:
        return do_rules(d, r, err);
    case REC_ERASE:
        return do_erase(d, r, err);
    case REC_TICK:
        break;
    }
    return DECIDE_DONE;
}

/* ---- records ------------------------------------------------------------------------------------------- */

static enum decide_rc do_entry(struct decide *d, const struct record *r, int64_t log_ms,
                               struct err *err)
{
    enum decide_rc rc = DECIDE_DONE;
    int64_t at = log_ms;
    if (d->conf.record_clock)
        at = r->kind == REC_EVENT ? r->entries[d->entry].at_ms : r->at_ms;
    if (at < d->meta.now_ms)
        at = d->meta.now_ms;
    if (d->phase == PHASE_SWEEP) {
        if ((rc = do_sweep(d, err)) != DECIDE_DONE)
            return rc;
        d->phase = PHASE_TIMERS;
        d->place = 0;
    }
    if (d->phase == PHASE_TIMERS) {
        if ((rc = do_timers(d, at, err)) != DECIDE_DONE)
            return rc;
        d->phase = PHASE_APPLY;
    }
    d->meta.now_ms = at;
    return do_apply(d, r, err);
}

static enum decide_rc do_record(struct decide *d, const struct record *r, int64_t log_ms,
                                struct err *err)
{
    uint32_t n = r->kind == REC_EVENT ? r->n_entries : 1;
    while (d->entry < n) {
        if (r->kind == REC_EVENT)
            members_prefetch(d, r, d->entry);
        enum decide_rc rc = do_entry(d, r, log_ms, err);
        if (rc != DECIDE_DONE)
            return rc;
        d->entry++;
        d->phase = PHASE_SWEEP;
        d->place = 0;
        progress(d);
    }
    return DECIDE_DONE;
}

enum decide_rc decide_record(struct decide *d, const struct record *r, uint64_t off, int64_t log_ms,
                             struct err *err)
{
    if (off < d->meta.off)
        return DECIDE_DONE;
    if (d->inside && off != d->meta.off) {
        (void)err_code(err, ERR_FATAL, "cursor",
                       "record %llu is begun, but record %llu was given to go on with",
                       (unsigned long long)d->meta.off, (unsigned long long)off);
        return DECIDE_PARK;
    }
    d->meta.off = off;
    enum decide_rc rc = do_record(d, r, log_ms, err);
    if (rc == DECIDE_DONE) {
        d->inside = false;
        d->moved = true;
        d->entry = 0;
        d->sub = 0;
        d->meta.off = off + 1;
    }
    d->meta.sub = d->inside ? d->sub + d->moved : 0;
    d->meta.pos[0] = '\0';
    if (d->inside)
        (void)snprintf(d->meta.pos, sizeof d->meta.pos, "%" PRIu32 " %c %" PRIu32 "%s" STR_FMT,
                       d->entry, phases[d->phase], d->place, d->fan_after.n ? " " : "",
                       STR_ARG(buf_str(&d->fan_after)));
    return rc;
}

static void want_receipt(struct decide *d, const struct record *r)
{
    struct str member;
    if (mark_above(d, &r->src) && receipt_member(d, r, &member) == 1 && member_ok(member))
        want_member(d, node_get(d, member));
}

void decide_want(struct decide *d, const struct record *r)
{
    if (d->conf.complete)
        return;
    if (r->kind == REC_ERASE && member_ok(r->member))
        want_member(d, node_get(d, r->member));
    if (r->kind == REC_RECEIPT)
        want_receipt(d, r);
    for (uint32_t i = 0; r->kind == REC_EVENT && i < r->n_entries; i++) {
        const struct entry *e = &r->entries[i];
        if (!mark_above(d, &e->src))
            continue;
        for (uint32_t k = 0; k < e->n_events; k++)
            if (fits(d, &e->events[k]))
                want_member(d, node_get(d, e->events[k].member));
    }
}
