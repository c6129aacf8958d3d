/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tags of one member: events and writes come in, expressions read.  Aggregates and values are
 * computed when they are read and remembered until the next write; levels are read as the last settle
 * left them.  Reading never changes what is kept.
 */
#include "tags_priv.h"

/* ---- small facts ---- */

bool tags_told_initial(const struct tag_def *d, struct val *v)
{
    const struct type *type = tags_told_type(d);
    if (d->by) {
        *v = val_int((int64_t)fold_hash(FOLD_SEED, (struct str){"", 0}));
        return true;
    }
    if (d->kind == TAG_VALUE) {
        *v = val_bool(false);
        return type->kind == TYPE_BOOL;
    }
    struct cells none = {0};
    return tags_cells_value(d, &none, 0, v);
}

int64_t tags_stored_end(const struct slot *s, const struct tag_def *d)
{
    int64_t end;
    if (d->ttl_ms == 0 || __builtin_add_overflow(s->at, d->ttl_ms, &end))
        return TIME_NEVER;
    return end;
}

bool tags_stored_alive(const struct slot *s, const struct tag_def *d, int64_t now_ms)
{
    return s->written && now_ms < tags_stored_end(s, d);
}

int tags_stored_value(const struct slot *s, const struct tag_def *d, bool live, struct val *out)
{
    if (live && s->has)
        *out = s->v;
    else if (d->has_default)
        *out = d->dflt;
    else
        return 0;
    return 1;
}

bool tags_later(struct tagset *t, uint32_t slot, int64_t now_ms)
{
    const struct slot *s = &t->s[slot];
    if (!s->later || t->plan->slot_kind[slot] != SLOT_CELLS)
        return s->later;
    const struct window *w = &t->plan->slot_def[slot]->window;
    return w->kind == WIN_EVER || tags_win_lower(t, w, now_ms) <= s->since;
}

/* ---- moving on ---- */

void tags_mark(struct tagset *t, uint32_t tag)
{
    const struct index_list *l = &t->plan->rev[tag];
    for (uint32_t i = 0; i < l->n; i++)
        t->need[l->v[i]] = true;
    t->unsettled |= l->n > 0;
}

void tags_mutate(struct tagset *t, uint32_t slot)
{
    struct slot *s = &t->s[slot];
    t->version++;
    arena_reset(t->tmp);
    s->dirty = true;
    s->cached = false;
    tags_mark(t, t->plan->slot_tag[slot]);
}

bool tags_prune(struct tagset *t, uint32_t slot, int64_t now_ms)
{
    const struct tag_def *d = t->plan->slot_def[slot];
    enum slot_kind k = t->plan->slot_kind[slot];
    bool went = false;
    if (k == SLOT_CELLS && t->s[slot].later && !tags_later(t, slot, now_ms)) {
        t->s[slot].later = false;
        t->version++;
        tags_mark(t, d->index);
    }
    if (!t->s[slot].raw && !t->s[slot].open)
        return false;
    if (k == SLOT_STORED) {
        struct slot *s = tags_open(t, slot);
        went = s->written && !s->has && !tags_stored_alive(s, d, now_ms);
        s->written &= !went; /* an expired value stays until settle has told of it */
    } else if (k == SLOT_CELLS && d->window.kind != WIN_EVER) {
        int64_t lower = tags_win_lower(t, &d->window, now_ms);
        if (!d->by && !t->s[slot].open &&
            tags_peek_oldest(d, t->s[slot].raw, t->s[slot].raw_n) >= lower)
            return false;
        struct slot *s = tags_open(t, slot);
        went = d->by ? tags_keys_prune(t, s, d, lower) : tags_cells_prune(&s->c, lower);
    }
    if (went)
        tags_mutate(t, slot);
    return went;
}

void tags_advance(struct tagset *t, int64_t now_ms)
{
    if (now_ms > t->now)
        t->now = now_ms;
    int64_t day = tags_win_today(t, now_ms)->day;
    if (day == t->day)
        return;
    for (uint32_t i = 0; t->day != INT64_MIN && i < t->plan->fading.n; i++) {
        const struct slot *s = &t->s[t->plan->fading.v[i]];
        if (s->raw || s->open || s->later)
            (void)tags_prune(t, t->plan->fading.v[i], now_ms);
    }
    t->day = day;
}

/* ---- writes ---- */

static void remember_before(struct tagset *t, struct slot *s, const struct tag_def *d)
{
    struct val v = {.t = V_ABSENT};
    if (s->touched)
        return;
    s->touched = true;
    s->had = tags_stored_value(s, d, true, &v) == 1; /* as told: expiry was not told yet */
    s->before = s->had ? val_dup(t->chg[t->chg_at], v) : v;
}

static bool same_value(int had, const struct val *a, int has, const struct val *b)
{
    return had == has && (!has || val_eq(a, b));
}

int tagset_set(struct tagset *t, uint32_t tag, const struct val *v, int64_t at_ms)
{
    const struct tag_def *d = &t->p->tags[tag];
    struct val in = *v, was = {.t = V_ABSENT}, is = {.t = V_ABSENT};
    uint32_t slot = t->plan->tag_slot[tag];
    if (d->kind != TAG_STORED || in.t == V_ABSENT ||
        (in.t != V_NULL && !tags_val_coerce(d->type, &in)))
        return 0;
    struct slot *s = tags_open(t, slot);
    if (s->written && at_ms < s->at)
        return 0;
    int had = tags_stored_value(s, d, tags_stored_alive(s, d, t->now), &was);
    remember_before(t, s, d);
    bool same = in.t != V_NULL && s->has && val_eq(&s->v, &in);
    in = same ? s->v : val_dup(t->strs, in); /* it may stand where the next line forgets it */
    tags_mutate(t, slot);
    t->unsettled = true;
    if (!t->has_t0) {
        t->t0 = at_ms;
        t->has_t0 = true;
    }
    s->written = true;
    s->at = at_ms;
    s->has = in.t != V_NULL;
    s->v = in;
    int has = tags_stored_value(s, d, tags_stored_alive(s, d, t->now), &is);
    return !same_value(had, &was, has, &is);
}

/* ---- events ---- */

/* Evaluate; false and counted on an error. */
static bool eval(struct tagset *t, const struct expr *e, struct expr_ctx *ctx, struct val *out)
{
    if (expr_eval(e, ctx, out) == 0)
        return true;
    t->errors++;
    return false;
}

/* What is aggregated. False: this event has none. */
static bool argument(struct tagset *t, const struct tag_def *d, const struct event *ev,
                     struct expr_ctx *ctx, struct val *v)
{
    *v = (struct val){.t = V_ABSENT};
    if (d->of) {
        if (!eval(t, d->of, ctx, v))
            return false;
    } else if (d->field != RULE_NONE) {
        *v = ev->f[d->field];
    } else {
        return true;
    }
    if (v->t == V_ABSENT || v->t == V_NULL)
        return false;
    if (d->kind == TAG_COUNT || d->kind == TAG_GAP || tags_val_coerce(d->arg, v))
        return true;
    t->errors++;
    return false;
}

static void move(struct tagset *t, const struct tag_def *d, const struct event *ev,
                 struct expr_ctx *ctx, int64_t now_ms)
{
    struct val v, key;
    int64_t b = tags_win_bucket(t, &d->window, ev->at_ms),
            lower = tags_win_lower(t, &d->window, now_ms);
    uint32_t slot = t->plan->tag_slot[d->index];
    if (b < lower || slot == RULE_NONE)
        return;
    if (d->where && (!eval(t, d->where, ctx, &v) || v.t != V_BOOL || !v.b))
        return;
    struct slot *s = tags_open(t, slot);
    if (s->bad || !argument(t, d, ev, ctx, &v))
        return;
    struct cells *c = &s->c;
    if (d->by) {
        if (d->of && v.t == V_STRING) /* evaluating `by` reuses the scratch that v may stand in */
            v = val_dup(t->strs, v);
        if (!eval(t, d->by, ctx, &key))
            return;
        if (key.t != V_STRING) {
            t->errors++;
            return;
        }
        struct bykey *k = tags_keys_touch(t, s, d, val_get_str(key), lower);
        c = tags_key_open(t, s, d, k);
        if (s->bad)
            return;
        k->dirty = true;
    }
    if (d->kind == TAG_STREAK && d->window.kind == WIN_LENGTH)
        (void)tags_cells_prune(c, lower); /* a run that nobody sees any more is not continued */
    tags_cells_add(t, d, c, b, ev->at_ms, v);
    tags_mutate(t, slot);
    if (d->window.kind == WIN_LENGTH) /* the others were pruned when the day began */
        (void)tags_prune(t, slot, now_ms);
}

/* What another event takes off (less) or out of the set (drop). */
static void take(struct tagset *t, const struct tag_def *d, const struct event *ev, int64_t now_ms)
{
    struct val v = {.t = V_ABSENT};
    int64_t b = tags_win_bucket(t, &d->window, ev->at_ms);
    uint32_t slot = t->plan->tag_slot[d->index];
    if (slot == RULE_NONE || b < tags_win_lower(t, &d->window, now_ms))
        return;
    if (d->less_field != RULE_NONE) {
        v = ev->f[d->less_field];
        if (v.t == V_ABSENT || v.t == V_NULL)
            return;
        if (!tags_val_coerce(d->arg, &v)) {
            t->errors++;
            return;
        }
    }
    struct slot *s = tags_open(t, slot);
    if (s->bad)
        return;
    tags_cells_take(d, &s->c, b, v);
    tags_mutate(t, slot);
    if (d->window.kind == WIN_LENGTH)
        (void)tags_prune(t, slot, now_ms);
}

static void drop(struct tagset *t, const struct tag_def *d, const struct event *ev)
{
    uint32_t slot = t->plan->tag_slot[d->index];
    const struct val *v = &ev->f[d->drop_field];
    if (slot == RULE_NONE || v->t != V_STRING)
        return;
    struct slot *s = tags_open(t, slot);
    if (s->bad || !tags_cells_drop(&s->c, val_get_str(*v), ev->at_ms))
        return;
    tags_link(t, d, arena_str(t->strs, val_get_str(*v)), false);
    tags_mutate(t, slot);
}

static void aggregate(struct tagset *t, const struct tag_def *d, const struct event *ev,
                      struct expr_ctx *ctx, int64_t now_ms)
{
    if (d->event == ev->def->index)
        move(t, d, ev, ctx, now_ms);
    if (d->has_less && d->less_event == ev->def->index)
        take(t, d, ev, now_ms);
    if (d->has_drop && d->drop_event == ev->def->index)
        drop(t, d, ev);
}

void tagset_event(struct tagset *t, const struct event *ev, struct expr_ctx *ctx, int64_t now_ms)
{
    tags_advance(t, now_ms);
    if (!ev->def)
        return;
    const struct index_list *l = &t->p->tags_by_event[ev->def->index];
    for (uint32_t i = 0; i < l->n; i++) {
        const struct tag_def *d = &t->p->tags[l->v[i]];
        if (d->kind != TAG_STORED)
            aggregate(t, d, ev, ctx, now_ms);
        else if (d->from_event == ev->def->index && d->from_field != RULE_NONE)
            (void)tagset_set(t, l->v[i], &ev->f[d->from_field], ev->at_ms);
    }
    const uint32_t *profile = t->plan->profile[ev->def->index];
    for (uint32_t i = 0; profile && i < ev->def->fields->n_fields; i++)
        if (profile[i] != RULE_NONE)
            (void)tagset_set(t, profile[i], &ev->f[i], ev->at_ms);
}

/* ---- reading aggregates ---- */

/* The keys shown, in order of bytes, so that the map is what expressions expect of one. */
static struct val make_map(struct tagset *t, const struct tag_def *d, struct slot *s, int64_t lower)
{
    struct val *to = arena_alloc(t->tmp, (2 * (size_t)s->n_keys + 1) * sizeof *to);
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_keys; i++) {
        struct val v, key = val_str(s->keys[i].key);
        if (!tags_cells_value(d, tags_key_open(t, s, d, &s->keys[i]), lower, &v))
            continue;
        uint32_t at = n++;
        while (at > 0 && tags_val_order(&to[2 * (at - 1)], &key) > 0) {
            memcpy(&to[2 * at], &to[2 * (at - 1)], 2 * sizeof *to);
            at--;
        }
        to[2 * at] = key;
        to[2 * at + 1] = v;
    }
    return (struct val){.t = V_MAP, .n = n, .list = to};
}

static struct val make_list(struct tagset *t, const struct cells *c)
{
    struct val *to = arena_alloc(t->tmp, ((size_t)c->n + 1) * sizeof *to);
    for (uint32_t i = 0; i < c->n; i++)
        to[i] = c->v[c->n - 1 - i].v;
    return (struct val){.t = V_LIST, .n = c->n, .list = to};
}

int tags_aggregate(struct tagset *t, uint32_t tag, int64_t now_ms, struct val *out)
{
    const struct tag_def *d = &t->p->tags[tag];
    uint32_t slot = t->plan->tag_slot[tag];
    if (tags_later(t, slot, now_ms))
        return 0;
    struct slot *s = tags_open(t, slot);
    int64_t lower = tags_win_lower(t, &d->window, now_ms);
    bool made = d->by || d->kind == TAG_COLLECT; /* in tmp, which the next write resets */
    if (!s->cached || s->clower != lower || (made && s->cver != t->version)) {
        s->chas = true;
        if (d->by)
            s->cval = make_map(t, d, s, lower);
        else if (made)
            s->cval = make_list(t, &s->c);
        else
            s->chas = tags_cells_value(d, &s->c, lower, &s->cval);
        s->cached = true;
        s->clower = lower;
        s->cver = t->version;
    }
    if (s->chas)
        *out = s->cval;
    return s->chas;
}

int tagset_get_at(struct tagset *t, uint32_t tag, const struct val *key, int64_t now_ms,
                  struct val *out)
{
    struct val map;
    if (tag >= t->p->n_tags)
        return -1;
    const struct tag_def *d = &t->p->tags[tag];
    if (d->by && t->plan->tag_slot[tag] != RULE_NONE) {
        if (tags_later(t, t->plan->tag_slot[tag], now_ms) || key->t != V_STRING)
            return tags_later(t, t->plan->tag_slot[tag], now_ms) ? -1 : 0;
        struct slot *s = tags_open(t, t->plan->tag_slot[tag]);
        for (uint32_t i = s->n_keys; i-- > 0;)
            if (str_eq(s->keys[i].key, val_get_str(*key)))
                return tags_cells_value(d, tags_key_open(t, s, d, &s->keys[i]),
                                        tags_win_lower(t, &d->window, now_ms), out);
        return 0;
    }
    if (tagset_get(t, tag, now_ms, &map) != 1 || map.t != V_MAP)
        return -1;
    for (uint32_t i = 0; i < map.n; i++)
        if (val_eq(&map.list[2 * i], key)) {
            *out = map.list[2 * i + 1];
            return 1;
        }
    return 0;
}

bool tagset_holds(struct tagset *t, uint32_t tag, struct str key)
{
    uint32_t slot = tag < t->p->n_tags ? t->plan->tag_slot[tag] : RULE_NONE;
    if (slot == RULE_NONE || t->p->tags[tag].kind != TAG_COLLECT)
        return false;
    const struct slot *s = tags_open(t, slot);
    for (uint32_t i = s->c.n; i > 0; i--)
        if (str_eq(val_get_str(s->c.v[i - 1].v), key))
            return true;
    return false;
}

void tagset_link_all(struct tagset *t)
{
    for (uint32_t i = 0; i < t->plan->n_layout; i++) {
        const struct tag_def *d = t->plan->slot_def[i];
        if (t->plan->slot_kind[i] != SLOT_CELLS || !d->indexed)
            continue;
        const struct slot *s = tags_open(t, i);
        for (uint32_t k = 0; k < s->c.n; k++)
            tags_link(t, d, val_get_str(s->c.v[k].v), true);
    }
}

uint32_t tagset_links(struct tagset *t, const struct tag_link **out)
{
    uint32_t n = t->n_links;
    *out = t->links;
    t->n_links = 0;
    return n;
}

/* ---- reading values ---- */

static int inner_get(void *arg, uint32_t tag, bool old, struct val *out)
{
    struct tagset *t = arg;
    (void)old; /* value and levels have no `old` */
    return tagset_get(t, tag, t->ctx.now_ms, out);
}

static int inner_get_at(void *arg, uint32_t tag, bool old, const struct val *key, struct val *out)
{
    struct tagset *t = arg;
    (void)old;
    return tagset_get_at(t, tag, key, t->ctx.now_ms, out);
}

struct expr_ctx *tags_inner(struct tagset *t, int64_t now_ms)
{
    t->ctx.member = inner_get;
    t->ctx.member_at = inner_get_at;
    t->ctx.arg = t;
    t->ctx.event = t->ctx.next = NULL;
    t->ctx.now_ms = now_ms;
    t->ctx.tz = t->tz;
    return &t->ctx;
}

/* The values that a value reads come first: evaluations share one context and do not nest. */
static int get_value(struct tagset *t, uint32_t tag, int64_t now_ms, struct val *out)
{
    const struct tag_def *d = &t->p->tags[tag];
    struct vcache *c = &t->vc[tag];
    struct val v = {.t = V_ABSENT};
    if (c->version != t->version || c->now != now_ms) {
        if (t->evaluating)
            return -1; /* not among `reads`: a program that the loader did not make */
        for (uint32_t i = 0; i < d->n_reads; i++)
            if (d->reads[i] < t->p->n_tags && t->p->tags[d->reads[i]].kind == TAG_VALUE)
                (void)get_value(t, d->reads[i], now_ms, &v);
        t->evaluating = true;
        c->rc = expr_eval(d->value, tags_inner(t, now_ms), &v) == 0 && tags_val_coerce(d->type, &v);
        t->evaluating = false;
        if (!c->rc && d->type->kind == TYPE_BOOL) {
            v = val_bool(false);
            c->rc = 1;
        }
        c->v = c->rc ? val_dup(t->tmp, v) : v;
        c->version = t->version;
        c->now = now_ms;
    }
    if (c->rc)
        *out = c->v;
    return c->rc;
}

static int get_level(struct tagset *t, uint32_t tag, struct val *out)
{
    const struct slot *s = tags_open(t, t->plan->tag_slot[tag]);
    if (s->later)
        return 0;
    *out = val_str(t->p->tags[tag].levels[s->held].name);
    return 1;
}

int tagset_get(struct tagset *t, uint32_t tag, int64_t now_ms, struct val *out)
{
    if (tag == t->p->n_tags) { /* member.id */
        *out = val_str(t->member);
        return 1;
    }
    if (tag > t->p->n_tags)
        return -1;
    const struct tag_def *d = &t->p->tags[tag];
    if (d->kind == TAG_VALUE)
        return get_value(t, tag, now_ms, out);
    if (t->plan->tag_slot[tag] == RULE_NONE)
        return 0;
    if (d->kind == TAG_LEVELS)
        return get_level(t, tag, out);
    if (d->kind == TAG_STORED) {
        const struct slot *s = tags_open(t, t->plan->tag_slot[tag]);
        return tags_stored_value(s, d, tags_stored_alive(s, d, now_ms), out);
    }
    return tags_aggregate(t, tag, now_ms, out);
}

/* ---- old ---- */

void tagset_snapshot(struct tagset *t, int64_t now_ms)
{
    struct val v = {.t = V_ABSENT};
    arena_reset(t->olds);
    for (uint32_t i = 0; i < t->plan->olds.n; i++) {
        struct oldval *o = &t->old[t->plan->olds.v[i]];
        o->rc = tagset_get(t, t->plan->olds.v[i], now_ms, &v);
        o->v = o->rc == 1 ? val_dup(t->olds, v) : (struct val){.t = V_ABSENT};
    }
}

int tagset_old(struct tagset *t, uint32_t tag, struct val *out)
{
    if (tag == t->p->n_tags) {
        *out = val_str(t->member);
        return 1;
    }
    if (tag > t->p->n_tags || !t->plan->old || !t->plan->old[tag])
        return -1;
    *out = t->old[tag].v;
    return t->old[tag].rc;
}

int tagset_old_at(struct tagset *t, uint32_t tag, const struct val *key, struct val *out)
{
    struct val map;
    if (tagset_old(t, tag, &map) != 1 || map.t != V_MAP)
        return -1;
    for (uint32_t i = 0; i < map.n; i++)
        if (val_eq(&map.list[2 * i], key)) {
            *out = map.list[2 * i + 1];
            return 1;
        }
    return 0;
}

/* ---- for callers' expressions ---- */

static int reader_get(void *arg, uint32_t tag, bool old, struct val *out)
{
    struct tagset *t = arg;
    return old ? tagset_old(t, tag, out) : tagset_get(t, tag, t->reader->now_ms, out);
}

static int reader_get_at(void *arg, uint32_t tag, bool old, const struct val *key, struct val *out)
{
    struct tagset *t = arg;
    return old ? tagset_old_at(t, tag, key, out)
               : tagset_get_at(t, tag, key, t->reader->now_ms, out);
}

void tagset_ctx(struct tagset *t, struct expr_ctx *ctx)
{
    t->reader = ctx;
    ctx->member = reader_get;
    ctx->member_at = reader_get_at;
    ctx->arg = t;
}

void tagset_member(struct tagset *t, struct str id)
{
    t->member = id;
}

uint64_t tagset_evictions(const struct tagset *t)
{
    return t->evictions;
}

uint64_t tagset_errors(const struct tagset *t)
{
    return t->errors;
}

bool tagset_bad(const struct tagset *t)
{
    return t->bad;
}
