/* SPDX-License-Identifier: Apache-2.0 */
/* A small shop for the tests of expr: its types, one event, one member, and compiling on one line. */
#ifndef EXPR_FIXTURE_H
#define EXPR_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "expr.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME(s)                                                                                    \
    {                                                                                              \
        "" s, sizeof(s) - 1                                                                        \
    }
#define FIELD(n, t)                                                                                \
    {                                                                                              \
        .name = NAME(n), .type = t                                                                 \
    }
#define OPTIONAL(n, t)                                                                             \
    {                                                                                              \
        .name = NAME(n), .type = t, .optional = true                                               \
    }

static const struct str channels[] = {NAME("app"), NAME("store"), NAME("mini")};
static const struct str levels[] = {NAME("gold"), NAME("silver"), NAME("basic")};
static const struct type channel_type = {
    .kind = TYPE_STRING, .max = 256, .one_of = channels, .n_one_of = 3};
static const struct type level_type = {
    .kind = TYPE_STRING, .max = 256, .one_of = levels, .n_one_of = 3};
static const struct field item_fields[] = {FIELD("sku", &type_string), FIELD("qty", &type_int),
                                           FIELD("price", &type_money),
                                           OPTIONAL("note", &type_string)};
static const struct type item_type = {
    .kind = TYPE_RECORD, .fields = item_fields, .n_fields = BASE_LEN(item_fields)};
static const struct type items_type = {.kind = TYPE_LIST, .max = 20, .elem = &item_type};
static const struct type prices_type = {.kind = TYPE_LIST, .elem = &type_money};
static const struct type words_type = {.kind = TYPE_LIST, .elem = &type_string};
static const struct field event_fields[] = {
    FIELD("order_id", &type_string), FIELD("amount", &type_money),
    OPTIONAL("store", &type_string), OPTIONAL("coupon", &type_string),
    FIELD("channel", &channel_type), FIELD("items", &items_type),
    FIELD("qty", &type_int),         FIELD("prices", &prices_type),
    FIELD("gift", &type_bool),       FIELD("id", &type_string),
    FIELD("time", &type_timestamp),  FIELD("role", &type_string)};
static const struct type event_type = {.kind = TYPE_RECORD,
                                       .name = NAME("purchase"),
                                       .fields = event_fields,
                                       .n_fields = BASE_LEN(event_fields)};
enum { T_NAME, T_BIRTHDAY, T_LUNAR, T_PHONE, T_ORDERS, T_SPEND, T_LAST, T_LEVEL, T_VIEWS, T_LIKES };
static const struct type counted_type = {.kind = TYPE_INT, .name = NAME("int"), .most = 256};
static const struct type views_type = {
    .kind = TYPE_MAP, .key = &type_string, .elem = &counted_type};
static const struct field member_fields[] = {FIELD("name", &type_string),
                                             OPTIONAL("birthday", &type_date),
                                             OPTIONAL("lunar", &type_lunar_date),
                                             OPTIONAL("phone", &type_address),
                                             FIELD("orders_30d", &type_int),
                                             FIELD("spend_365d", &type_money),
                                             OPTIONAL("last_purchase", &type_timestamp),
                                             FIELD("level", &level_type),
                                             FIELD("views", &views_type),
                                             FIELD("likes", &words_type),
                                             FIELD("id", &type_string)};
static const struct type member_type = {.kind = TYPE_RECORD,
                                        .name = NAME("member"),
                                        .fields = member_fields,
                                        .n_fields = BASE_LEN(member_fields)};
static const struct field product_fields[] = {FIELD("category", &type_string),
                                              OPTIONAL("stage", &type_int)};
static const struct type product_type = {
    .kind = TYPE_RECORD, .name = NAME("products"), .fields = product_fields, .n_fields = 2};
static const struct type products_type = {
    .kind = TYPE_MAP, .key = &type_string, .elem = &product_type};

struct shop {
    struct arena *a;
    struct diags *d;
    struct expr_env env;
    struct expr_ctx *ctx;
    struct val event[12], items[2], item[2][4], prices[2], views[4], likes[2];
    struct val products[4], product[2][2], words[3];
    struct expr_table tables[2];
    bool no_last; /* member.last_purchase is absent */
    bool broken;  /* every read of a tag fails */
    int reads;    /* calls of member and member_at */
    struct srcfile file;
};

static int shop_member(void *arg, uint32_t tag, bool old, struct val *out)
{
    struct shop *s = arg;
    s->reads++;
    if (s->broken)
        return -1;
    switch (tag) {
    case T_NAME:
        *out = val_str(STR("张三"));
        return 1;
    case T_BIRTHDAY:
        *out = val_str(STR("1990-03-02"));
        return 1;
    case T_PHONE:
        *out = val_str(STR("138"));
        return 1;
    case T_ORDERS:
        *out = val_int(old ? 2 : 3);
        return 1;
    case T_SPEND:
        *out = val_money(1999999);
        return 1;
    case T_LAST:
        *out = val_time_ms(INT64_C(1772000000000));
        return !s->no_last;
    case T_LEVEL:
        *out = val_str(old ? STR("silver") : STR("gold"));
        return 1;
    case T_VIEWS:
        *out = (struct val){.t = V_MAP, .n = 2, .list = s->views};
        return 1;
    case T_LIKES:
        *out = (struct val){.t = V_LIST, .n = 2, .list = s->likes};
        return 1;
    case BASE_LEN(member_fields) - 1:
        *out = val_str(STR("m1"));
        return 1;
    default:
        return 0;
    }
}

static int shop_member_at(void *arg, uint32_t tag, bool old, const struct val *key, struct val *out)
{
    struct shop *s = arg;
    (void)old;
    s->reads++;
    if (s->broken || tag != T_VIEWS)
        return -1;
    for (int i = 0; i < 2; i++)
        if (val_eq(&s->views[2 * i], key)) {
            *out = s->views[2 * i + 1];
            return 1;
        }
    return 0;
}

static inline void shop_event(struct shop *s)
{
    for (int i = 0; i < 2; i++) {
        s->item[i][0] = val_str(i ? STR("BREAD") : STR("MILK1"));
        s->item[i][1] = val_int(i + 1);
        s->item[i][2] = val_money(i ? 1250 : 9900);
        s->items[i] = (struct val){.t = V_RECORD, .n = 4, .list = s->item[i]};
        s->prices[i] = val_money(i ? 1250 : 19990);
    }
    s->item[1][3] = val_str(STR("cold"));
    s->event[0] = val_str(STR("p1"));
    s->event[1] = val_money(19990);
    s->event[3] = val_str(STR("K1"));
    s->event[4] = val_str(STR("app"));
    s->event[5] = (struct val){.t = V_LIST, .n = 2, .list = s->items};
    s->event[6] = val_int(7);
    s->event[7] = (struct val){.t = V_LIST, .n = 2, .list = s->prices};
    s->event[8] = val_bool(true);
    s->event[9] = val_str(STR("e1"));
    s->event[10] = val_time_ms(INT64_C(1772416800123)); /* 2026-03-02T02:00:00.123Z */
    s->event[11] = val_str(STR(""));
}

static inline void shop_tables(struct shop *s)
{
    s->views[0] = val_str(STR("MILK1"));
    s->views[1] = val_int(5);
    s->views[2] = val_str(STR("app"));
    s->views[3] = val_int(1);
    s->likes[0] = val_str(STR("tea"));
    s->likes[1] = val_str(STR("p1"));
    s->products[0] = val_str(STR("BREAD"));
    s->products[2] = val_str(STR("MILK1"));
    s->product[0][0] = val_str(STR("bakery"));
    s->product[1][0] = val_str(STR("dairy"));
    s->product[1][1] = val_int(2);
    for (int i = 0; i < 2; i++)
        s->products[2 * i + 1] = (struct val){.t = V_RECORD, .n = 2, .list = s->product[i]};
    s->words[0] = val_str(STR("tea"));
    s->words[1] = val_str(STR("BREAD"));
    s->words[2] = val_str(STR("app"));
    s->tables[0] = (struct expr_table){
        STR("products"), &products_type, {.t = V_MAP, .n = 2, .list = s->products}};
    s->tables[1] =
        (struct expr_table){STR("words"), &words_type, {.t = V_LIST, .n = 3, .list = s->words}};
}

static inline struct shop *shop_new(void)
{
    struct shop *s = xcalloc(1, sizeof *s);
    s->a = arena_new(0);
    s->d = diags_new();
    s->ctx = xcalloc(1, sizeof *s->ctx);
    shop_event(s);
    shop_tables(s);
    s->env = (struct expr_env){.event = &event_type,
                               .next = &event_type,
                               .member = &member_type,
                               .old = true,
                               .now = true,
                               .tables = s->tables,
                               .n_tables = 2};
    *s->ctx = (struct expr_ctx){.event = s->event,
                                .next = s->event,
                                .member = shop_member,
                                .member_at = shop_member_at,
                                .arg = s,
                                .now_ms = INT64_C(1772416800000),
                                .tz = zone_fixed(s->a, STR("+08:00"))};
    return s;
}

static inline void shop_free(struct shop *s)
{
    free(s->ctx);
    diags_free(&s->d);
    arena_free(&s->a);
    free(s);
}

/* NULL = refused; the reasons are in s->d. */
static inline const struct expr *shop_compile(struct shop *s, struct str text,
                                              const struct type *want)
{
    const struct expr *e = NULL;
    struct srcfile *file = ARENA_NEW(s->a, struct srcfile);
    *file = (struct srcfile){.name = STR("t"), .text = text};
    struct expr_src src = {.file = file, .text = text};
    return expr_compile(s->a, &s->env, &src, want, s->d, &e) == 0 ? e : NULL;
}

/* The result as text, "error: …" or "refused: CODE". */
static inline const char *shop_eval(struct shop *s, const char *text)
{
    struct buf b;
    struct val v;
    const char *out;
    const struct expr *e = shop_compile(s, str_c(text), NULL);
    if (!e) {
        out = arena_printf(s->a, "refused: %s", diags_get(s->d, diags_len(s->d) - 1)->code);
        diags_free(&s->d);
        s->d = diags_new();
        return out;
    }
    if (expr_eval(e, s->ctx, &v) != 0)
        return arena_printf(s->a, "error: %s", s->ctx->error);
    buf_init(&b, 1 << 16);
    val_text(&v, &b);
    out = arena_str(s->a, buf_str(&b)).p;
    buf_free(&b);
    return out;
}

#endif
