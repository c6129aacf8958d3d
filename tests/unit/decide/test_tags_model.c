/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aggregates against a reference that keeps every event and computes from scratch: thousands of seeded
 * sequences with late, early and out-of-order events across midnights and DST changes, the state
 * written and read again after every event.
 */
#include "tags_help.h"

#define MAX_EVENTS 700

static uint64_t rng;
static uint64_t rnd(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (rng >> 11) % n;
}

/* ---- the reference ---- */

struct ref_key {
    char text[32];
};
struct ref_tag {
    bool dead[MAX_EVENTS]; /* evicted, or not counted on arrival */
    struct ref_key keys[64];
    uint32_t n_keys;
};
struct ref {
    const struct world *w;
    int64_t now[MAX_EVENTS]; /* when it arrived */
    struct test_event *ev;
    char (*sku)[32], (*note)[64];
    uint32_t n;
    struct ref_tag tag[MAX_TAGS];
};

static int64_t ref_bucket(const struct world *w, const struct window *win, int64_t ms)
{
    struct civil c;
    int64_t day = time_local_day(w->p.tz, ms);
    time_civil(day, &c);
    switch (win->kind) {
    case WIN_EVER:
        return 0;
    case WIN_LENGTH:
        return ms / 60000;
    case WIN_DAYS:
    case WIN_DAY:
        return day;
    case WIN_WEEK:
        return day - time_weekday(day);
    case WIN_MONTH:
        return c.year * 100 + c.mon;
    case WIN_YEAR:
        return c.year;
    }
    return 0;
}

static bool ref_visible(const struct world *w, const struct window *win, int64_t at, int64_t now)
{
    int64_t b = ref_bucket(w, win, at), n = ref_bucket(w, win, now);
    if (win->kind == WIN_DAYS)
        return b > n - win->n;
    if (win->kind == WIN_LENGTH)
        return b > n - win->n / 60000;
    return b >= n;
}

/* A tag's `where` and `of` in the worlds below, written out in C. */
static bool ref_counts(const struct tag_def *d, const struct test_event *e, struct val *v)
{
    if (d->where && e->f[F_QTY].i < 3)
        return false;
    if (d->of)
        *v = val_int(e->f[F_QTY].i * 2);
    else if (d->field == RULE_NONE)
        *v = val_int(1);
    else
        *v = e->f[d->field];
    return v->t != V_ABSENT;
}

static bool ref_key_visible(const struct ref *r, const struct tag_def *d, const char *key,
                            int64_t now)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (!r->tag[d->index].dead[i] && strcmp(r->sku[i], key) == 0 &&
            ref_visible(r->w, &d->window, r->ev[i].ev.at_ms, now))
            return true;
    return false;
}

static void ref_touch(struct ref *r, const struct tag_def *d, uint32_t e, int64_t now)
{
    struct ref_tag *t = &r->tag[d->index];
    const char *key = r->sku[e];
    uint32_t i = 0;
    while (i < t->n_keys && strcmp(t->keys[i].text, key) != 0)
        i++;
    if (i == t->n_keys && t->n_keys == 64) { /* the invisible ones leave; then the oldest */
        t->dead[e] = true;
        for (uint32_t k = t->n_keys; k-- > 0;)
            if (!ref_key_visible(r, d, t->keys[k].text, now))
                memmove(&t->keys[k], &t->keys[k + 1], (--t->n_keys - k) * sizeof t->keys[0]);
        t->dead[e] = false;
        i = t->n_keys;
        if (t->n_keys == 64) {
            for (uint32_t k = 0; k < e; k++)
                t->dead[k] |= strcmp(r->sku[k], t->keys[0].text) == 0;
            memmove(&t->keys[0], &t->keys[1], (--t->n_keys) * sizeof t->keys[0]);
            i = t->n_keys;
        }
    } else if (i < t->n_keys) {
        memmove(&t->keys[i], &t->keys[i + 1], (--t->n_keys - i) * sizeof t->keys[0]);
    }
    (void)snprintf(t->keys[t->n_keys++].text, sizeof t->keys[0].text, "%s", key);
}

static void ref_event(struct ref *r, int64_t now)
{
    uint32_t e = r->n++;
    struct val v;
    r->now[e] = now;
    for (uint32_t i = 0; i < r->w->p.n_tags; i++) {
        const struct tag_def *d = &r->w->tags[i];
        r->tag[i].dead[e] =
            !ref_visible(r->w, &d->window, r->ev[e].ev.at_ms, now) || !ref_counts(d, &r->ev[e], &v);
        if (d->by && !r->tag[i].dead[e])
            ref_touch(r, d, e, now);
    }
}

static bool less(const struct val *a, const struct val *b)
{
    if (a->t == V_STRING)
        return str_cmp(val_get_str(*a), val_get_str(*b)) < 0;
    return a->t == V_DOUBLE ? a->d < b->d : a->i < b->i;
}

/* Replays the arrivals: how many in a row, and the latest moment of the run. */
static void ref_streak(const struct ref *r, const struct tag_def *d, int64_t now, struct val *out)
{
    int64_t n = 0, latest = 0;
    struct val v, run = {0};
    for (uint32_t i = 0; i < r->n; i++) {
        int64_t at = r->ev[i].ev.at_ms;
        if (r->tag[d->index].dead[i] || !ref_counts(d, &r->ev[i], &v))
            continue;
        if (n && !ref_visible(r->w, &d->window, latest, r->now[i]))
            n = 0;
        bool on = n && val_eq(&run, &v) && ref_visible(r->w, &d->window, latest, at);
        latest = n && latest > at ? latest : at;
        n = on ? n + 1 : 1;
        run = v;
    }
    *out = val_int(n && ref_visible(r->w, &d->window, latest, now) ? n : 0);
}

/* The three different texts that came last, newest first. */
static void ref_set(const struct ref *r, const struct tag_def *d, struct val *out)
{
    static struct val list[4];
    uint32_t n = 0;
    struct val v;
    for (uint32_t i = r->n; i-- > 0 && n < 3;) {
        if (r->tag[d->index].dead[i] || !ref_counts(d, &r->ev[i], &v))
            continue;
        uint32_t k = 0;
        while (k < n && !val_eq(&list[k], &v))
            k++;
        list[k] = v;
        n = k == n ? n + 1 : n;
    }
    *out = (struct val){.t = V_LIST, .n = n, .list = list};
}

/* Of one key (or all when NULL). */
static bool ref_value(const struct ref *r, const struct tag_def *d, const char *key, int64_t now,
                      struct val *out)
{
    int64_t n = 0, first = INT64_MAX, last = INT64_MIN;
    struct val v, best = {0}, seen[MAX_EVENTS];
    uint32_t n_seen = 0;
    __int128 sum = 0;
    double dsum = 0;
    if (d->kind == TAG_STREAK)
        return ref_streak(r, d, now, out), true;
    if (d->kind == TAG_COLLECT)
        return ref_set(r, d, out), true;
    for (uint32_t i = 0; i < r->n; i++) {
        int64_t at = r->ev[i].ev.at_ms;
        if (r->tag[d->index].dead[i] || (key && strcmp(r->sku[i], key) != 0) ||
            !ref_visible(r->w, &d->window, at, now) || !ref_counts(d, &r->ev[i], &v))
            continue;
        bool take = n == 0 || (d->kind == TAG_MIN && less(&v, &best)) ||
                    (d->kind == TAG_MAX && less(&best, &v)) ||
                    (d->kind == TAG_FIRST && at < first) || (d->kind == TAG_LAST && at >= last);
        best = take ? v : best;
        first = at < first ? at : first;
        last = at > last ? at : last;
        if (v.t == V_DOUBLE)
            dsum += v.d;
        else
            sum += v.i;
        uint32_t k = 0;
        while (k < n_seen && !val_eq(&seen[k], &v))
            k++;
        if (k == n_seen)
            seen[n_seen++] = v;
        n++;
    }
    for (uint32_t i = 0; d->has_less && i < r->n; i++) {
        bool in = ref_visible(r->w, &d->window, r->ev[i].ev.at_ms, r->now[i]) &&
                  ref_visible(r->w, &d->window, r->ev[i].ev.at_ms, now);
        n -= d->kind == TAG_COUNT && in;
        dsum -= in ? (double)r->ev[i].f[F_QTY].i : 0;
    }
    switch ((int)d->kind) {
    case TAG_COUNT:
        n = n < 0 ? 0 : n;
        *out = val_int(n);
        return !key || n;
    case TAG_DISTINCT:
        *out = val_int(n_seen > 256 ? 256 : n_seen);
        return !key || n;
    case TAG_SUM:
        *out = d->arg->kind == TYPE_MONEY    ? val_money((int64_t)sum)
               : d->arg->kind == TYPE_DOUBLE ? val_double(dsum)
                                             : val_int((int64_t)sum);
        return !key || n;
    case TAG_AVG: /* all of it below 2^53: one division is correctly rounded */
        *out = val_double(d->arg->kind == TYPE_MONEY    ? (double)sum / (double)(100 * n)
                          : d->arg->kind == TYPE_DOUBLE ? dsum / (double)n
                                                        : (double)sum / (double)n);
        return n > 0;
    case TAG_GAP:
        *out = (struct val){.t = V_DURATION, .i = n > 1 ? (last - first) * 1000000 / (n - 1) : 0};
        return n > 1;
    default:
        *out = best;
        return n > 0;
    }
}

static void check_tag(const struct ref *r, struct tagset *t, const struct tag_def *d, int64_t now)
{
    struct val got = {0}, want = {0}, one;
    char a[256], b[256];
    int rc = tagset_get(t, d->index, now, &got);
    if (!d->by) {
        bool has = ref_value(r, d, NULL, now, &want);
        if (rc != has || (has && !val_eq(&got, &want))) {
            val_show(&got, a, sizeof a);
            val_show(&want, b, sizeof b);
            fail_msg("%s at %lld: got %d %s, want %d %s", d->name.p, (long long)now, rc, a, has, b);
        }
        return;
    }
    uint32_t n = 0;
    assert_int_equal(rc, 1);
    for (uint32_t k = 0; k < r->tag[d->index].n_keys; k++) {
        const char *key = r->tag[d->index].keys[k].text;
        struct val kv = val_str(str_c(key));
        bool has = ref_value(r, d, key, now, &want);
        assert_int_equal(tagset_get_at(t, d->index, &kv, now, &one), has);
        n += has;
        if (has && !val_eq(&one, &want)) {
            val_show(&one, a, sizeof a);
            val_show(&want, b, sizeof b);
            fail_msg("%s[%s]: got %s, want %s", d->name.p, key, a, b);
        }
        for (uint32_t i = 0; has && i < got.n; i++)
            if (val_eq(&got.list[2 * i], &kv))
                assert_true(val_eq(&got.list[2 * i + 1], &want));
    }
    if (got.n != n)
        fail_msg("%s at %lld: %u keys, want %u", d->name.p, (long long)now, got.n, n);
    for (uint32_t i = 1; i < got.n; i++)
        assert_true(less(&got.list[2 * (i - 1)], &got.list[2 * i]));
}

/* ---- worlds ---- */

static const struct window windows[] = {
    {WIN_EVER, 0},
    {WIN_DAYS, 1},
    {WIN_DAYS, 7},
    {WIN_DAYS, 30},
    {WIN_LENGTH, 90 * TIME_MIN},
    {WIN_LENGTH, 48 * TIME_HOUR},
    {WIN_DAY, 0},
    {WIN_WEEK, 0},
    {WIN_MONTH, 0},
    {WIN_YEAR, 0},
};
struct kind_field {
    enum tag_kind kind;
    uint32_t field;
};
static const struct kind_field kinds[] = {
    {TAG_COUNT, RULE_NONE}, {TAG_COUNT, F_NOTE},    {TAG_SUM, F_AMOUNT},   {TAG_SUM, F_SCORE},
    {TAG_SUM, F_QTY},       {TAG_AVG, F_AMOUNT},    {TAG_AVG, F_QTY},      {TAG_AVG, F_SCORE},
    {TAG_MIN, F_AMOUNT},    {TAG_MAX, F_AMOUNT},    {TAG_MIN, F_SCORE},    {TAG_MAX, F_NOTE},
    {TAG_FIRST, F_NOTE},    {TAG_FIRST, F_AMOUNT},  {TAG_LAST, F_NOTE},    {TAG_LAST, N_BUY + 1},
    {TAG_FIRST, N_BUY + 1}, {TAG_DISTINCT, F_NOTE}, {TAG_DISTINCT, F_QTY}, {TAG_GAP, RULE_NONE},
    {TAG_FIRST, F_DAY},     {TAG_LAST, F_BIG},      {TAG_STREAK, F_NOTE},  {TAG_STREAK, F_QTY},
    {TAG_STREAK, F_BIG},    {TAG_COLLECT, F_SKU},   {TAG_COLLECT, F_NOTE},
};

static bool less_goes(const struct kind_field *k)
{
    return (k->kind == TAG_COUNT && k->field == F_NOTE) ||
           (k->kind == TAG_SUM && k->field == F_SCORE);
}

/* Twelve tags of the kinds and windows, some with by, where, of or less. */
static struct world *random_world(const char *zone)
{
    struct world *w = world_new(zone);
    for (uint32_t i = 0; i < 12; i++) {
        const struct kind_field *k = &kinds[rnd(BASE_LEN(kinds))];
        const struct window *win = &windows[rnd(BASE_LEN(windows))];
        bool pause = k->kind == TAG_STREAK, set = k->kind == TAG_COLLECT;
        if (set || (pause && win->kind != WIN_LENGTH))
            win = &windows[0];
        struct tag_def *d = agg_add(w,
                                    arena_printf(w->a, "t%02u_%d_%d_%d_%d", i, k->kind,
                                                 (int)k->field, win->kind, (int)(win->n % 1000)),
                                    k->kind, k->field, win->kind, win->n);
        if (k->kind == TAG_SUM && k->field == F_QTY && rnd(2)) {
            d->of = world_expr(w, false, "event.qty * 2", &type_int);
            d->field = RULE_NONE;
        }
        if (less_goes(k) && rnd(2)) {
            d->has_less = true;
            d->less_event = EV_BUY;
            d->less_field = k->kind == TAG_SUM ? F_QTY : RULE_NONE;
            d->def_hash++;
            continue;
        }
        if (rnd(3) == 0)
            d->where = world_expr(w, false, "event.qty >= 3", &type_bool);
        if (rnd(3) == 0 && !pause && !set)
            agg_by(w, d, "event.sku");
    }
    world_done(w);
    return w;
}

static int64_t random_step(void)
{
    static const int64_t scale[] = {TIME_SEC, TIME_MIN, TIME_HOUR, TIME_DAY, 3 * TIME_DAY};
    return (int64_t)rnd(20) * scale[rnd(BASE_LEN(scale))] / 4 +
           (int64_t)rnd(2) * (int64_t)rnd(1000);
}

static int64_t random_late(void)
{
    switch (rnd(8)) {
    case 0:
        return (int64_t)rnd(40) * TIME_DAY;
    case 1:
        return (int64_t)rnd(50) * TIME_HOUR;
    case 2:
        return (int64_t)rnd(7200) * TIME_SEC;
    case 3:
        return -(int64_t)rnd(300) * TIME_SEC; /* a clock ahead */
    default:
        return 0;
    }
}

static void random_event(struct ref *r, uint32_t keys, int64_t now)
{
    uint32_t i = r->n;
    struct test_event *e = &r->ev[i];
    struct world *w = (struct world *)(uintptr_t)r->w;
    event_make(w, EV_BUY, now - random_late(), e);
    if (i > 0 && rnd(10) == 0)
        e->ev.at_ms = r->ev[rnd(i)].ev.at_ms; /* ties */
    e->f[N_BUY + 1] = val_time_ms(e->ev.at_ms);
    e->f[F_AMOUNT] = val_money((int64_t)rnd(100000));
    e->f[F_BIG] = val_bool(rnd(2));
    e->f[F_DAY] = val_str(rnd(2) ? STR("2000-02-29") : STR("L1999-13-99"));
    e->f[F_QTY] = val_int((int64_t)rnd(keys > 100 ? 400 : 8));
    e->f[F_SCORE] = val_double(((double)rnd(1000) - 500) / 4);
    (void)snprintf(r->sku[i], 32, "sku%u", (unsigned)rnd(keys));
    e->f[F_SKU] = val_str(str_c(r->sku[i]));
    if (rnd(4)) { /* may be absent */
        (void)snprintf(r->note[i], 64,
                       rnd(2) ? "n%u" : "a note that is longer than twenty bytes %u",
                       (unsigned)rnd(keys));
        e->f[F_NOTE] = val_str(str_c(r->note[i]));
    }
}

static void sequence(const char *zone, int64_t start, uint64_t seed, uint32_t events, uint32_t keys)
{
    rng = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    struct ref *r = xcalloc(1, sizeof *r);
    struct world *w = random_world(zone);
    struct tagset *t = tagset_new();
    const struct tag_change *c;
    int64_t now = start;
    r->w = w;
    r->ev = xcalloc(MAX_EVENTS, sizeof *r->ev);
    r->sku = xcalloc(MAX_EVENTS, sizeof *r->sku);
    r->note = xcalloc(MAX_EVENTS, sizeof *r->note);
    tagset_begin(t, &w->p);
    for (uint32_t i = 0; i < events; i++) {
        now += keys > 100 ? (int64_t)rnd(2 * TIME_HOUR) : random_step();
        random_event(r, keys, now);
        ref_event(r, now);
        event_put(t, &r->ev[i], now);
        if (rnd(4) == 0)
            (void)tagset_settle(t, now, &c);
        again(t, &w->p, now);
        for (uint32_t k = 0; k < w->p.n_tags && (keys < 100 || i % 16 == 0); k++)
            check_tag(r, t, &w->tags[k], now);
        int64_t later = now + random_step();
        for (uint32_t k = 0; k < w->p.n_tags && i % 4 == 0; k++)
            check_tag(r, t, &w->tags[k], later);
    }
    assert_int_equal(tagset_errors(t), 0);
    tagset_free(&t);
    world_free(w);
    free(r->ev);
    free(r->sku);
    free(r->note);
    free(r);
}

static void test_shanghai(void **state)
{
    (void)state;
    for (uint64_t s = 0; s < 1200; s++)
        sequence("Asia/Shanghai", INT64_C(1772416800000), s, 40, 5);
}

static void test_new_york(void **state)
{
    (void)state; /* 2026-03-08 and 2026-11-01 are the days of the change */
    for (uint64_t s = 0; s < 600; s++)
        sequence("America/New_York", INT64_C(1772730000000), 5000 + s, 40, 5);
    for (uint64_t s = 0; s < 600; s++)
        sequence("America/New_York", INT64_C(1793300000000), 9000 + s, 40, 5);
}

static void test_many_keys(void **state)
{
    (void)state; /* evictions, and distinct beyond 256 */
    for (uint64_t s = 0; s < 12; s++)
        sequence("Asia/Shanghai", INT64_C(1772416800000), 20000 + s, 600, s % 2 ? 400 : 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shanghai),
        cmocka_unit_test(test_new_york),
        cmocka_unit_test(test_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
