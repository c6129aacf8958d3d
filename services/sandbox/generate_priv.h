/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generator's inner interfaces: a year is made in memory (life: who does what when; records: how
 * it is written), sorted by time, and published.  Making it is a pure function of the options: whole
 * numbers only, no libm, no clock, and every member has a random stream of its own, so that a member's
 * life does not depend on how many others there are.
 */
#ifndef ROUSE_GENERATE_PRIV_H
#define ROUSE_GENERATE_PRIV_H

#include "sandbox_priv.h"

/* The year is written into the first seven; the others of rules/events.yaml are there and stay empty: a
 * time-lapse waits for the end of every topic that the rules name. */
enum gen_topic { GEN_MEMBER, GEN_PROFILE, GEN_ORDER, GEN_CART, GEN_BROWSE, GEN_COUPON, GEN_POST };
enum { GEN_EMPTY = GEN_POST + 1, GEN_TOPICS = GEN_EMPTY + 21 };
const char *gen_topic_name(enum gen_topic t);

/* ---- random ---- */

struct gen_rng {
    uint64_t s;
};
struct gen_rng gen_rng(uint64_t seed, uint64_t stream);
uint64_t gen_next(struct gen_rng *r);
uint32_t gen_below(struct gen_rng *r, uint32_t n);                 /* 0 .. n-1 */
int64_t gen_between(struct gen_rng *r, int64_t low, int64_t high); /* both included */
bool gen_chance(struct gen_rng *r, uint32_t percent);

/* ---- data ---- */

struct gen_sku {
    const char *sku, *title;
    int32_t fen;
};
enum gen_shelf { GEN_MILK, GEN_DAILY, GEN_PREMIUM };
const struct gen_sku *gen_pick_sku(struct gen_rng *r, enum gen_shelf shelf);
const char *gen_surname(struct gen_rng *r);
const char *gen_given(struct gen_rng *r);
const char *gen_board(struct gen_rng *r); /* a community topic */
int64_t gen_clock_ms(struct gen_rng *r);  /* a moment of a day as shops see it, whole seconds */

/* ---- a year ---- */

enum gen_kind { GEN_GOOD, GEN_TWICE, GEN_BAD };
struct gen_record {
    int64_t at_ms;
    struct str value;
    uint32_t member, seq; /* seq: the member's how-manieth */
    uint8_t topic;        /* enum gen_topic */
    uint8_t kind;         /* enum gen_kind; also the order of what is equal otherwise */
};
struct gen_year {
    uint64_t seed;
    int64_t from_ms, end_ms; /* local midnights of UTC+8 */
    uint32_t members;
    int32_t days;
    uint32_t bad_per; /* one malformed record per so many; 0 = none */
    struct arena *arena;
    struct gen_record *records;
    size_t n, cap;
    uint64_t kinds[3];
};
void gen_year_make(struct gen_year *y); /* fills and sorts records */
void gen_year_free(struct gen_year *y);
void gen_year_digest(const struct gen_year *y, char hex[65]);
size_t gen_key(uint32_t member, char out[16]); /* "m000123" */

/* ---- a member while the life is written ---- */

struct gen_member {
    struct gen_year *y;
    struct gen_rng r;
    uint32_t i, seq;
    int64_t since_ms; /* nothing happens before */
    char id[16];
};
struct gen_item {
    const struct gen_sku *sku;
    int32_t qty;
};
struct gen_person {
    char name[32], birthday[16], openid[32], phone[16]; /* empty = unknown */
    bool sms_ok, follows;
};
/* What is outside the year or before the member is left out silently. */
void gen_register(struct gen_member *m, int64_t at, const char *channel);
void gen_profile(struct gen_member *m, int64_t at, const struct gen_person *p);
void gen_consent(struct gen_member *m, int64_t at, const char *tag, bool value);
void gen_browse(struct gen_member *m, int64_t at, const struct gen_sku *s);
void gen_cart(struct gen_member *m, int64_t at, const struct gen_sku *s);
void gen_coupon(struct gen_member *m, int64_t at, const char *coupon, int32_t yuan);
void gen_post(struct gen_member *m, int64_t at, const char *board, uint32_t likes);
void gen_order(struct gen_member *m, int64_t at, const char *channel, const char *store,
               const struct gen_item *items, size_t n, const char *coupon, int32_t off_fen);
/* One member's whole year (life.c). */
void gen_life(struct gen_year *y, uint32_t i);

/* ---- publishing ---- */

struct gen_publish {
    struct kafka_producer *p;
    int32_t partitions[GEN_TOPICS]; /* 0 = topic not used */
    uint64_t records[GEN_TOPICS], bytes[GEN_TOPICS];
    uint64_t *part_bytes[GEN_TOPICS];
    struct err err; /* of the first failed report */
};
/* Finds the topics' partitions; makes them, with `partitions`, where the broker can and they are not
 * there. mask: bit = topic. */
int gen_publish_open(struct gen_publish *u, const char *bootstrap, int32_t partitions,
                     uint32_t mask, uint32_t linger_ms, struct err *err);
int gen_publish_one(struct gen_publish *u, enum gen_topic t, struct str key, struct str value,
                    struct err *err);
void gen_publish_poll(struct gen_publish *u, int timeout_ms);
int gen_publish_flush(struct gen_publish *u, struct err *err);
/* The mark at the end of every partition. */
int gen_publish_ends(struct gen_publish *u, struct err *err);
void gen_publish_report(const struct gen_publish *u);
void gen_publish_close(struct gen_publish *u);

struct gen_bench {
    int64_t count, members, rate, seed;
};
int gen_bench(struct gen_publish *u, const struct gen_bench *b, struct err *err);

#endif
