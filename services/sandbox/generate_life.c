/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate: what a member does in the year.  A member joins, has a rhythm of buying and a liking for
 * looking, is given coupons, may post, may fall asleep and may wake up.  The numbers are chosen so that
 * every rule of a retail playbook finds somebody: carts left and carts bought, a third look at the same
 * thing, coupons used and expired, silence of ninety days, silver and gold, milk that runs out, authors
 * whose posts are liked.
 */
#include "generate_priv.h"

#include "time.h"

#include <stdio.h>
#include <stdlib.h>

struct kind {
    uint32_t share;      /* percent */
    int32_t least, most; /* days between purchases */
    int32_t look;        /* about so many days between visits without buying */
    enum gen_shelf shelf;
    uint32_t true_to_shelf; /* percent of main items from the shelf, the rest daily goods */
    int32_t max_items;
};
static const struct kind kinds[] = {
    {44, 38, 95, 22, GEN_DAILY, 100, 2}, /* now and then */
    {25, 15, 32, 17, GEN_DAILY, 100, 3}, /* regular */
    {13, 23, 32, 18, GEN_MILK, 80, 3},   /* a family that drinks milk */
    {7, 7, 13, 15, GEN_PREMIUM, 55, 3},  /* spends */
    {11, 60, 200, 7, GEN_DAILY, 100, 1}, /* mostly looks */
};

enum { MAX_COUPONS = 8 };

struct coupon {
    int64_t at;
    char id[24];
    int32_t yuan;
    bool used;
};

struct life {
    struct gen_member m;
    const struct kind *kind;
    int32_t joined, sleeps, wakes; /* days of the year; sleeps >= wakes: never */
    struct coupon coupons[MAX_COUPONS];
    size_t n_coupons;
    const struct gen_sku *favourite;
};

static int64_t moment(struct life *l, int32_t day)
{
    return l->m.y->from_ms + (int64_t)day * TIME_DAY + gen_clock_ms(&l->m.r);
}

static bool awake(const struct life *l, int32_t day)
{
    return day < l->sleeps || day >= l->wakes;
}

static const struct kind *pick_kind(struct gen_rng *r)
{
    uint32_t at = gen_below(r, 100);
    size_t i = 0;

    while (i + 1 < BASE_LEN(kinds) && at >= kinds[i].share)
        at -= kinds[i++].share;
    return &kinds[i];
}

/* ---- joining ---- */

/* 29 February is somebody's birthday. */
static void pick_birthday(struct gen_rng *r, char *out, size_t n)
{
    int year = (int)gen_between(r, 1955, 2006), mon = (int)gen_between(r, 1, 12);

    if (gen_chance(r, 1))
        snprintf(out, n, "1988-02-29");
    else
        snprintf(out, n, "%d-%02d-%02d", year, mon, (int)gen_between(r, 1, time_mdays(year, mon)));
}

static void pick_person(struct life *l, struct gen_person *p)
{
    struct gen_rng *r = &l->m.r;

    *p = (struct gen_person){.sms_ok = !gen_chance(r, 8), .follows = !gen_chance(r, 6)};
    if (!gen_chance(r, 4))
        snprintf(p->name, sizeof(p->name), "%s%s", gen_surname(r), gen_given(r));
    if (!gen_chance(r, 15))
        pick_birthday(r, p->birthday, sizeof(p->birthday));
    if (!gen_chance(r, 12))
        snprintf(p->openid, sizeof(p->openid), "o6_%016llx", (unsigned long long)gen_next(r));
    if (!gen_chance(r, 10))
        snprintf(p->phone, sizeof(p->phone), "199%08u", l->m.i);
}

/* A third joins with the opening, the others through the year. The CRM tells the profile just before. */
static void join(struct life *l)
{
    struct gen_rng *r = &l->m.r;
    int32_t days = l->m.y->days, first = days < 14 ? days : 14;
    static const char *const channels[] = {"app", "app", "mini", "store"};
    struct gen_person p;
    int64_t at;

    l->joined = (int32_t)(gen_chance(r, 35) ? gen_below(r, (uint32_t)first)
                                            : gen_below(r, (uint32_t)(days * 95 / 100 + 1)));
    at = moment(l, l->joined) + 10 * TIME_SEC;
    pick_person(l, &p);
    if (!gen_chance(r, 5))
        gen_profile(&l->m, at - 5 * TIME_SEC, &p);
    gen_register(&l->m, at, channels[gen_below(r, BASE_LEN(channels))]);
    l->m.since_ms = at;
    if (gen_chance(r, 4))
        gen_consent(&l->m, moment(l, l->joined + (int32_t)gen_between(r, 10, 150)),
                    gen_chance(r, 50) ? "sms_ok" : "follows", gen_chance(r, 25));
}

/* ---- coupons ---- */

static void be_given_coupons(struct life *l)
{
    struct gen_rng *r = &l->m.r;
    static const int32_t values[] = {5, 10, 20, 30, 50};
    int32_t day = l->joined + (int32_t)gen_between(r, 3, 40);

    while (l->n_coupons < MAX_COUPONS && day < l->m.y->days) {
        struct coupon *c = &l->coupons[l->n_coupons];

        c->at = moment(l, day);
        c->yuan = values[gen_below(r, BASE_LEN(values))];
        snprintf(c->id, sizeof(c->id), "q%s-%02u", l->m.id + 1, (unsigned)l->n_coupons);
        l->n_coupons++;
        gen_coupon(&l->m, c->at, c->id, c->yuan);
        day += (int32_t)gen_between(r, 45, 120);
    }
}

static struct coupon *open_coupon(struct life *l, int64_t at)
{
    for (size_t i = 0; i < l->n_coupons; i++) {
        if (!l->coupons[i].used && l->coupons[i].at < at && at < l->coupons[i].at + 7 * TIME_DAY)
            return &l->coupons[i];
    }
    return NULL;
}

/* ---- buying ---- */

static const struct gen_sku *main_item(struct life *l)
{
    struct gen_rng *r = &l->m.r;

    if (!gen_chance(r, l->kind->true_to_shelf))
        return gen_pick_sku(r, GEN_DAILY);
    return gen_chance(r, 60) ? l->favourite : gen_pick_sku(r, l->kind->shelf);
}

/* Looks and a cart on the way to it. Some carts are older than two hours when they are bought. */
static void lead_up(struct life *l, int64_t at, const struct gen_sku *s)
{
    struct gen_rng *r = &l->m.r;

    for (uint32_t k = gen_below(r, 4); k > 0; k--)
        gen_browse(&l->m, at - gen_between(r, 300, 200000) * TIME_SEC, s);
    if (gen_chance(r, 60))
        gen_cart(&l->m, at - gen_between(r, 60, gen_chance(r, 25) ? 40000 : 5000) * TIME_SEC, s);
}

static void buy(struct life *l, int64_t at)
{
    struct gen_rng *r = &l->m.r;
    struct gen_item items[4];
    size_t n = 1 + gen_below(r, (uint32_t)l->kind->max_items);
    uint32_t where = gen_below(r, 100);
    struct coupon *c = open_coupon(l, at);
    char store[8] = "";

    items[0] = (struct gen_item){main_item(l), 1 + (int32_t)gen_below(r, 2)};
    for (size_t i = 1; i < n; i++)
        items[i] = (struct gen_item){gen_pick_sku(r, GEN_DAILY), 1 + (int32_t)gen_below(r, 2)};
    if (where < 30)
        snprintf(store, sizeof(store), "S%03u", 1 + l->m.i % 40);
    else
        lead_up(l, at, items[0].sku);
    if (c && gen_chance(r, 65))
        c->used = true;
    else
        c = NULL;
    gen_order(&l->m, at,
              where < 30   ? "store"
              : where < 75 ? "app"
                           : "mini",
              store, items, n, c ? c->id : "", c ? c->yuan * 100 : 0);
}

static void buy_in_rhythm(struct life *l)
{
    struct gen_rng *r = &l->m.r;
    int32_t cycle = (int32_t)gen_between(r, l->kind->least, l->kind->most);
    int32_t day =
        l->joined + (int32_t)(gen_chance(r, 60) ? gen_between(r, 0, 6) : gen_between(r, 5, cycle));

    while (day < l->m.y->days) {
        if (awake(l, day))
            buy(l, moment(l, day));
        else
            day = l->wakes - cycle + (int32_t)gen_below(r, 10);
        day += 1 + (int32_t)(cycle * gen_between(r, 70, 130) / 100);
    }
}

/* A coupon brings some who would not have come. */
static void buy_for_coupons(struct life *l)
{
    for (size_t i = 0; i < l->n_coupons; i++) {
        int64_t at = l->coupons[i].at + gen_between(&l->m.r, 3600, 6 * 86400) * TIME_SEC;

        if (!l->coupons[i].used && gen_chance(&l->m.r, 18))
            buy(l, at);
    }
}

/* ---- looking, and posting ---- */

/* The same thing three or four times within three days. */
static void look_again_and_again(struct life *l, int64_t at)
{
    const struct gen_sku *s = gen_pick_sku(&l->m.r, GEN_DAILY);

    for (int64_t k = gen_between(&l->m.r, 3, 4); k > 0; k--) {
        gen_browse(&l->m, at, s);
        at += gen_between(&l->m.r, 600, 60000) * TIME_SEC;
    }
}

static void look_around(struct life *l)
{
    struct gen_rng *r = &l->m.r;
    int32_t day = l->joined;

    while ((day += 1 + (int32_t)gen_between(r, l->kind->look / 2, l->kind->look * 3 / 2)) <
           l->m.y->days) {
        int64_t at = moment(l, day);
        const struct gen_sku *s = gen_pick_sku(r, gen_chance(r, 20) ? GEN_PREMIUM : GEN_DAILY);

        if (!awake(l, day))
            continue;
        if (gen_chance(r, 12)) {
            look_again_and_again(l, at);
            continue;
        }
        for (uint32_t k = 1 + gen_below(r, 2); k > 0; k--)
            gen_browse(&l->m, at - gen_between(r, 10, 1200) * TIME_SEC, gen_pick_sku(r, GEN_DAILY));
        if (gen_chance(r, 14))
            gen_cart(&l->m, at, s);
    }
}

static void write_posts(struct life *l)
{
    struct gen_rng *r = &l->m.r;
    uint32_t who = gen_below(r, 100);
    bool author = who < 3;
    int32_t day = l->joined;

    if (who >= 25)
        return;
    while ((day += (int32_t)(author ? gen_between(r, 5, 12) : gen_between(r, 20, 60))) <
           l->m.y->days) {
        uint32_t likes =
            gen_chance(r, author ? 50 : 12) ? 10 + gen_below(r, 500) : gen_below(r, 10);

        if (awake(l, day))
            gen_post(&l->m, moment(l, day), gen_board(r), likes);
    }
}

void gen_life(struct gen_year *y, uint32_t i)
{
    struct life l = {.m = {.y = y, .r = gen_rng(y->seed, i), .i = i, .since_ms = INT64_MIN}};
    struct gen_rng *r = &l.m.r;

    gen_key(i, l.m.id);
    l.kind = pick_kind(r);
    l.favourite = gen_pick_sku(r, l.kind->shelf);
    join(&l);
    if (gen_chance(r, 33)) {
        l.sleeps = l.joined + (int32_t)gen_between(r, 15, 160);
        l.wakes = gen_chance(r, 60) ? l.sleeps + (int32_t)gen_between(r, 92, 200) : INT32_MAX / 2;
    }
    be_given_coupons(&l);
    buy_in_rhythm(&l);
    buy_for_coupons(&l);
    look_around(&l);
    write_posts(&l);
}

/* ---- the year ---- */

static int by_time(const void *va, const void *vb)
{
    const struct gen_record *a = va, *b = vb;

    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    if (a->topic != b->topic)
        return a->topic < b->topic ? -1 : 1;
    if (a->member != b->member)
        return a->member < b->member ? -1 : 1;
    if (a->seq != b->seq)
        return a->seq < b->seq ? -1 : 1;
    return (int)a->kind - (int)b->kind;
}

void gen_year_make(struct gen_year *y)
{
    y->arena = arena_new(0);
    y->end_ms = y->from_ms + y->days * TIME_DAY;
    for (uint32_t i = 1; i <= y->members; i++)
        gen_life(y, i);
    if (y->n)
        qsort(y->records, y->n, sizeof(*y->records), by_time);
}

void gen_year_free(struct gen_year *y)
{
    arena_free(&y->arena);
    free(y->records);
    y->records = NULL;
    y->n = y->cap = 0;
}

void gen_year_digest(const struct gen_year *y, char hex[65])
{
    uint8_t d[32] = {0}, line[36];

    for (size_t i = 0; i < y->n; i++) {
        memcpy(line, d, sizeof(d));
        for (int k = 0; k < 4; k++) /* topic and member */
            line[32 + k] = (uint8_t)(k == 3 ? y->records[i].topic : y->records[i].member >> 8 * k);
        hash_sha256_2(line, sizeof(line), y->records[i].value.p, y->records[i].value.n, d);
    }
    enc_hex(d, sizeof(d), hex);
}
