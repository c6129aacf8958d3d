/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one event costs in tags: read the blob, move the aggregates, settle, ask for the next moment,
 * write the blob.  The tags are those of a small shop (eight stored, twelve aggregates, a segment, a
 * level); members browse most of the time and buy now and then.  Prints
 * nanoseconds of CPU and bytes.
 */
#include "../unit/decide/tags_help.h"

#include <time.h>

#define MEMBERS 500

static uint64_t rng = 88172645463325252;
static uint64_t rnd(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (rng >> 11) % n;
}

static double clock_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct world *bench_shop(void)
{
    static const char *const names[] = {"gold", "silver", "basic"};
    static const char *const when[] = {"member.spend_365d >= 10000", "member.spend_365d >= 3000"};
    struct world *w = world_new("Asia/Shanghai");
    agg_add(w, "avg_basket", TAG_AVG, F_AMOUNT, WIN_DAYS, 180);
    agg_add(w, "biggest_order", TAG_MAX, F_AMOUNT, WIN_EVER, 0);
    tag_add(w, "birthday", TAG_STORED, &type_date);
    agg_add(w, "first_store", TAG_FIRST, F_NOTE, WIN_EVER, 0);
    tag_add(w, "follows", TAG_STORED, &type_bool);
    tag_add(w, "kol", TAG_STORED, &type_bool)->ttl_ms = 90 * TIME_DAY;
    agg_add(w, "last_purchase", TAG_LAST, N_BUY + 1, WIN_EVER, 0);
    agg_add(w, "liked_posts_30d", TAG_COUNT, RULE_NONE, WIN_DAYS, 30);
    tag_add(w, "lunar_birthday", TAG_STORED, &type_lunar_date);
    tag_add(w, "name", TAG_STORED, &type_string);
    tag_add(w, "openid", TAG_STORED, &type_address);
    agg_add(w, "orders", TAG_COUNT, RULE_NONE, WIN_EVER, 0);
    agg_add(w, "orders_30d", TAG_COUNT, RULE_NONE, WIN_DAYS, 30);
    tag_add(w, "phone", TAG_STORED, &type_address);
    agg_add(w, "skus_seen_7d", TAG_DISTINCT, F_SKU, WIN_DAYS, 7)->event = EV_LOOK;
    tag_add(w, "sms_ok", TAG_STORED, &type_bool);
    agg_add(w, "spend_365d", TAG_SUM, F_AMOUNT, WIN_DAYS, 365);
    agg_add(w, "spend_this_year", TAG_SUM, F_AMOUNT, WIN_YEAR, 0);
    struct tag_def *by = agg_add(w, "views_3d", TAG_COUNT, RULE_NONE, WIN_DAYS, 3);
    by->event = EV_LOOK;
    agg_by(w, by, "event.sku");
    value_add(w, "x_loyal", "member.orders_30d >= 3 && member.avg_basket > 200", &type_bool);
    levels_add(w, "y_level", names, when, 3, 30 * TIME_DAY);
    world_done(w);
    w->tags[7].event = EV_PROFILE; /* posts: not played here */
    w->p.uses_old = false;
    return w;
}

struct play {
    struct world *w;
    struct tagset *t;
    struct buf state[MEMBERS];
    struct test_event event[MEMBERS];
    char sku[MEMBERS][16];
    double ns[2], bytes;
    uint64_t n[2];
};

static void profile(struct play *p, int64_t now)
{
    static const char *const v[] = {
        "1990-05-06", "", "", "", "Zhang San", "oABC123456789012345678901234", "13800001111"};
    static const char *const tag[] = {"birthday", "follows", "sms_ok", "",
                                      "name",     "openid",  "phone"};
    for (uint32_t i = 0; i < BASE_LEN(tag); i++)
        for (uint32_t k = 0; k < p->w->p.n_tags; k++) {
            struct val x = v[i][0] ? val_str(str_c(v[i])) : val_bool(true);
            if (str_eqc(p->w->tags[k].name, tag[i]))
                (void)tagset_set(p->t, k, &x, now);
        }
}

static void one(struct play *p, uint32_t m, int64_t now)
{
    const struct tag_change *c;
    struct buf *b = &p->state[m];
    struct rd r = {(const uint8_t *)b->p, (const uint8_t *)b->p + b->n, false};
    if (tagset_read(p->t, &p->w->p, &r, now, NULL) != 0)
        abort();
    event_put(p->t, &p->event[m], now);
    (void)tagset_settle(p->t, now, &c);
    (void)tagset_next(p->t, now);
    buf_reset(b);
    tagset_write(p->t, b);
}

static void round_of(struct play *p, int64_t now)
{
    for (uint32_t m = 0; m < MEMBERS; m++) {
        struct test_event *e = &p->event[m];
        event_make(p->w, rnd(25) != 0 ? EV_LOOK : EV_BUY, now + m, e);
        (void)snprintf(p->sku[m], sizeof p->sku[m], "SKU%04u",
                       (unsigned)(rnd(4) ? m % 200 + rnd(5) : rnd(300)));
        e->f[F_SKU] = val_str(str_c(p->sku[m]));
        e->f[F_AMOUNT] = val_money((int64_t)rnd(50000));
        e->f[F_NOTE] = val_str(STR("store-12"));
    }
    for (int look = 0; look < 2; look++) {
        double from = clock_ns();
        for (uint32_t m = 0; m < MEMBERS; m++)
            if ((p->event[m].ev.def->index == EV_LOOK) == look) {
                one(p, m, now + m);
                p->n[look]++;
            }
        p->ns[look] += clock_ns() - from;
    }
}

/* Members with an event every `hours` on average. */
static void play(const char *name, int64_t hours, int events)
{
    struct play *p = xcalloc(1, sizeof *p);
    int64_t now = INT64_C(1740000000000);
    p->w = bench_shop();
    p->t = tagset_new();
    for (uint32_t m = 0; m < MEMBERS; m++) {
        buf_init(&p->state[m], 1 << 20);
        tagset_begin(p->t, &p->w->p);
        profile(p, now);
        tagset_write(p->t, &p->state[m]);
    }
    for (int i = 0; i < events; i++, now += (int64_t)rnd(2 * (uint64_t)hours * TIME_HOUR)) {
        if (i == events / 2)
            memset(p->ns, 0, sizeof p->ns), memset(p->n, 0, sizeof p->n);
        round_of(p, now);
    }
    for (uint32_t m = 0; m < MEMBERS; m++) {
        p->bytes += (double)p->state[m].n;
        buf_free(&p->state[m]);
    }
    (void)printf("%-7s browse %5.0f ns  purchase %5.0f ns  mean %5.0f ns  state %4.0f bytes\n",
                 name, p->ns[1] / (double)p->n[1], p->ns[0] / (double)p->n[0],
                 (p->ns[0] + p->ns[1]) / (double)(p->n[0] + p->n[1]), p->bytes / MEMBERS);
    tagset_free(&p->t);
    world_free(p->w);
    free(p);
}

int main(void)
{
    play("quiet", 96, 300);
    play("regular", 24, 600);
    play("busy", 4, 2000);
    return 0;
}
