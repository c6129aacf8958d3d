/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate: how what happened is written, and the list of it.  Each topic writes its times in its own
 * way, as the systems of a shop do; all are whole seconds.  On top of the good records come a few that
 * are published twice, and a few that no reader can use: each made from the good one before it.
 */
#include "generate_priv.h"

#include "time.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_VALUE = 2048, TWICE_PER = 1000 };

#define LOCAL_MS (8 * TIME_HOUR) /* China has no summer time */

/* ---- pieces ---- */

/* "2026-03-02T10:00:00" of UTC+8, or of UTC. */
static void add_civil(struct buf *b, int64_t at, bool utc)
{
    int64_t local = utc ? at : at + LOCAL_MS;
    int64_t day = local / TIME_DAY, s = local % TIME_DAY / TIME_SEC;
    struct civil c;

    time_civil(day, &c);
    buf_addf(b, "%04d-%02d-%02dT%02d:%02d:%02d", c.year, c.mon, c.day, (int)(s / 3600),
             (int)(s / 60 % 60), (int)(s % 60));
}

static void add_fen(struct buf *b, int32_t fen)
{
    buf_addf(b, "%d.%02d", fen / 100, fen % 100);
}

size_t gen_key(uint32_t member, char out[16])
{
    return (size_t)snprintf(out, 16, "m%06u", member);
}

/* ---- the list ---- */

static void append(struct gen_year *y, const struct gen_record *r)
{
    if (y->n == y->cap) {
        y->cap = y->cap ? 2 * y->cap : 4096;
        y->records = xrealloc(y->records, y->cap * sizeof(*y->records));
    }
    y->records[y->n++] = *r;
    y->kinds[r->kind]++;
}

/* The value of a top-level field replaced by `with`; with NULL: the field left out. Fields are looked
 * for as they are written here, so the first match is the right one. */
static void without(struct buf *b, struct str v, const char *field, const char *with)
{
    char needle[64];
    const char *at, *end;
    int depth = 0;
    bool quoted = false;

    snprintf(needle, sizeof(needle), "\"%s\":", field);
    at = memmem(v.p, v.n, needle, strlen(needle));
    if (!at) {
        buf_addstr(b, v);
        return;
    }
    for (end = at + strlen(needle); quoted || depth > 0 || (*end != ',' && *end != '}'); end++) {
        quoted ^= *end == '"';
        depth += quoted ? 0 : (*end == '{' || *end == '[') - (*end == '}' || *end == ']');
    }
    buf_add(b, v.p, (size_t)(at - v.p));
    if (with)
        buf_addf(b, "%s%s", needle, with);
    else if (*end == ',')
        end++;
    buf_add(b, end, (size_t)(v.p + v.n - end));
}

/* What is wrong with a malformed record, by turns. */
static const struct {
    const char *member, *field, *value; /* of the topic: who; a field, and what it cannot be */
} wrong[GEN_TOPICS] = {
    [GEN_MEMBER] = {"member_id", "channel", "\"fax\""},
    [GEN_PROFILE] = {"member", "time", "\"yesterday\""},
    [GEN_ORDER] = {"member_id", "amount", "\"a lot\""},
    [GEN_CART] = {"member_id", "price", "[]"},
    [GEN_BROWSE] = {"member_id", "sku", "5"},
    [GEN_COUPON] = {"member_id", "value", "true"},
    [GEN_POST] = {"member_id", "likes", "\"many\""},
};

static struct str spoil(struct arena *a, enum gen_topic t, struct str v, uint32_t turn)
{
    struct buf b;
    struct str out;

    buf_init(&b, MAX_VALUE);
    switch (turn % 5) {
    case 0: /* cut off */
        buf_add(&b, v.p, v.n / 2);
        break;
    case 1: /* nobody's */
        without(&b, v, wrong[t].member, NULL);
        break;
    case 2: /* a member that is none */
        without(&b, v, wrong[t].member, "{}");
        break;
    case 3: /* not text */
        without(&b, v, wrong[t].member, "\"m\xff\xfe\"");
        break;
    default:
        without(&b, v, wrong[t].field, wrong[t].value);
        break;
    }
    out = arena_str(a, buf_str(&b));
    buf_free(&b);
    return out;
}

static void add(struct gen_member *m, enum gen_topic t, int64_t at, struct buf *b)
{
    struct gen_year *y = m->y;
    struct gen_record r = {.at_ms = at,
                           .member = m->i,
                           .seq = m->seq,
                           .topic = (uint8_t)t,
                           .kind = GEN_GOOD,
                           .value = arena_str(y->arena, buf_str(b))};
    struct gen_rng luck = gen_rng(y->seed ^ 0x5eed, ((uint64_t)m->i << 32) | m->seq);

    append(y, &r);
    if (gen_below(&luck, TWICE_PER) == 0) {
        r.kind = GEN_TWICE;
        append(y, &r);
    }
    if (y->bad_per && gen_below(&luck, y->bad_per) == 0) {
        r.kind = GEN_BAD;
        r.value = spoil(y->arena, t, r.value, gen_below(&luck, 1000));
        append(y, &r);
    }
    buf_free(b);
}

/* Is it in the year, and the member's? Then the buffer is begun and the member's counter moved. */
static bool begin(struct gen_member *m, int64_t at, struct buf *b)
{
    if (at < m->since_ms || at < m->y->from_ms || at >= m->y->end_ms)
        return false;
    m->seq++;
    buf_init(b, MAX_VALUE);
    return true;
}

/* {"id":"<letter>000123-0045","member_id":"m000123", */
static void add_head(struct buf *b, const struct gen_member *m, const char *field, char letter)
{
    buf_addf(b, "{\"%s\":\"%c%s-%04u\",\"member_id\":\"%s\",", field, letter, m->id + 1, m->seq,
             m->id);
}

/* ---- the records ---- */

void gen_register(struct gen_member *m, int64_t at, const char *channel)
{
    struct buf b;

    if (!begin(m, at, &b))
        return;
    add_head(&b, m, "id", 'r');
    buf_adds(&b, "\"created_at\":\"");
    add_civil(&b, at, false);
    buf_addf(&b, "+08:00\",\"channel\":\"%s\"}", channel);
    add(m, GEN_MEMBER, at, &b);
}

static void add_profile_head(struct buf *b, const struct gen_member *m, int64_t at)
{
    buf_addf(b, "{\"member\":\"%s\",\"time\":\"", m->id);
    add_civil(b, at, false);
    buf_adds(b, "+08:00\",\"set\":{");
}

static void add_text(struct buf *b, const char *tag, const char *value)
{
    if (*value)
        buf_addf(b, "\"%s\":\"%s\",", tag, value);
}

void gen_profile(struct gen_member *m, int64_t at, const struct gen_person *p)
{
    struct buf b;

    if (!begin(m, at, &b))
        return;
    add_profile_head(&b, m, at);
    add_text(&b, "name", p->name);
    add_text(&b, "birthday", p->birthday);
    add_text(&b, "openid", p->openid);
    add_text(&b, "phone", p->phone);
    buf_addf(&b, "\"sms_ok\":%s,\"follows\":%s}}", p->sms_ok ? "true" : "false",
             p->follows ? "true" : "false");
    add(m, GEN_PROFILE, at, &b);
}

void gen_consent(struct gen_member *m, int64_t at, const char *tag, bool value)
{
    struct buf b;

    if (!begin(m, at, &b))
        return;
    add_profile_head(&b, m, at);
    buf_addf(&b, "\"%s\":%s}}", tag, value ? "true" : "false");
    add(m, GEN_PROFILE, at, &b);
}

void gen_browse(struct gen_member *m, int64_t at, const struct gen_sku *s)
{
    struct buf b;

    if (!begin(m, at, &b))
        return;
    add_head(&b, m, "id", 'b');
    buf_adds(&b, "\"ts\":");
    buf_addi64(&b, at);
    buf_addf(&b, ",\"sku\":\"%s\",\"title\":\"%s\"}", s->sku, s->title);
    add(m, GEN_BROWSE, at, &b);
}

void gen_cart(struct gen_member *m, int64_t at, const struct gen_sku *s)
{
    struct buf b;

    if (!begin(m, at, &b))
        return;
    add_head(&b, m, "id", 'c');
    buf_adds(&b, "\"ts\":\"");
    add_civil(&b, at, true);
    buf_addf(&b, "Z\",\"sku\":\"%s\",\"title\":\"%s\",\"price\":", s->sku, s->title);
    add_fen(&b, s->fen);
    buf_adds(&b, "}");
    add(m, GEN_CART, at, &b);
}

void gen_coupon(struct gen_member *m, int64_t at, const char *coupon, int32_t yuan)
{
    struct buf b;

    if (!begin(m, at, &b))
        return;
    buf_addf(&b, "{\"coupon_id\":\"%s\",\"member_id\":\"%s\",\"ts\":", coupon, m->id);
    buf_addi64(&b, at / TIME_SEC);
    buf_addf(&b, ",\"value\":%d}", yuan);
    add(m, GEN_COUPON, at, &b);
}

void gen_post(struct gen_member *m, int64_t at, const char *board, uint32_t likes)
{
    struct buf b;

    if (!begin(m, at, &b))
        return;
    add_head(&b, m, "id", 'p');
    buf_adds(&b, "\"ts\":\"");
    add_civil(&b, at, false);
    buf_addf(&b, "\",\"topic_name\":\"%s\",\"likes\":%u}", board, likes);
    add(m, GEN_POST, at, &b);
}

void gen_order(struct gen_member *m, int64_t at, const char *channel, const char *store,
               const struct gen_item *items, size_t n, const char *coupon, int32_t off_fen)
{
    struct buf b;
    int32_t fen = -off_fen;

    if (!begin(m, at, &b))
        return;
    for (size_t i = 0; i < n; i++)
        fen += items[i].sku->fen * items[i].qty;
    add_head(&b, m, "order_id", 'o');
    buf_adds(&b, "\"paid_at\":\"");
    add_civil(&b, at, false);
    buf_adds(&b, "+08:00\",\"amount\":\"");
    add_fen(&b, fen < 100 ? 100 : fen);
    buf_addf(&b, "\",\"channel\":\"%s\",", channel);
    add_text(&b, "store", store);
    add_text(&b, "coupon", coupon);
    buf_adds(&b, "\"items\":[");
    for (size_t i = 0; i < n; i++) {
        buf_addf(&b, "%s{\"sku\":\"%s\",\"qty\":%d,\"price\":", i ? "," : "", items[i].sku->sku,
                 items[i].qty);
        add_fen(&b, items[i].sku->fen);
        buf_adds(&b, "}");
    }
    buf_adds(&b, "]}");
    add(m, GEN_ORDER, at, &b);
}
