/* SPDX-License-Identifier: Apache-2.0 */
/* A small schema written by hand, as the rule loader would make it, for the tests of model. */
#ifndef TEST_SHOP_H
#define TEST_SHOP_H

#include "model_priv.h"

#define S(text)                                                                                    \
    {                                                                                              \
        "" text, sizeof(text) - 1                                                                  \
    }
#define EXTRA                                                                                      \
    {S("id"), &type_string, false, 0}, {S("time"), &type_timestamp, false, 0},                     \
    {                                                                                              \
        S("role"), &type_string, false, 0                                                          \
    }
#define PATH(name, ...)                                                                            \
    static const struct str name##_keys[] = {__VA_ARGS__};                                         \
    static const struct path name = {name##_keys, BASE_LEN(name##_keys)}

static const struct str channels[] = {S("app"), S("store"), S("mini")};
static const struct type channel = {
    .kind = TYPE_STRING, .max = 256, .one_of = channels, .n_one_of = 3};
static const struct type short_text = {.kind = TYPE_STRING, .max = 4};
static const struct field item_fields[] = {{S("sku"), &type_string, false, 0},
                                           {S("qty"), &type_int, false, 0},
                                           {S("price"), &type_money, true, 0}};
static const struct type item = {.kind = TYPE_RECORD, .fields = item_fields, .n_fields = 3};
static const struct type items = {.kind = TYPE_LIST, .max = 3, .elem = &item};

static const struct field purchase_fields[] = {{S("order_id"), &type_string, false, 0},
                                               {S("amount"), &type_money, false, 0},
                                               {S("coupon"), &type_string, true, 0},
                                               {S("channel"), &channel, false, 0},
                                               {S("items"), &items, true, 0},
                                               {S("rate"), &type_double, true, 0},
                                               {S("first"), &type_bool, true, 0},
                                               {S("when"), &type_timestamp, true, 0},
                                               {S("born"), &type_date, true, 0},
                                               {S("moon"), &type_lunar_date, true, 0},
                                               {S("note"), &short_text, true, 0},
                                               {S("phone"), &type_address, true, 0},
                                               EXTRA};
static const struct type purchase_type = {
    .kind = TYPE_RECORD, .fields = purchase_fields, .n_fields = BASE_LEN(purchase_fields)};
PATH(p_order, S("order_id"));
PATH(p_member, S("member_id"));
PATH(p_paid, S("paid_at"));
PATH(p_status, S("type"));

static const struct field pair_fields[] = {{S("level"), &type_int, false, 0}, EXTRA};
static const struct type pair_type = {.kind = TYPE_RECORD, .fields = pair_fields, .n_fields = 4};
static const struct field line_fields[] = {
    {S("sku"), &type_string, false, 0}, {S("order_id"), &type_string, false, 0}, EXTRA};
static const struct type line_type = {.kind = TYPE_RECORD, .fields = line_fields, .n_fields = 5};
static const struct field profile_fields[] = {{S("name"), &type_string, true, 0},
                                              {S("vip"), &type_bool, true, 0},
                                              {S("phone"), &type_address, true, 0},
                                              EXTRA};
static const struct type profile_type = {
    .kind = TYPE_RECORD, .fields = profile_fields, .n_fields = 6};
PATH(p_inviter, S("data"), S("from"));
PATH(p_invitee, S("data"), S("to"));
PATH(p_level, S("data"), S("level"));
PATH(p_items, S("items"));

/* Filled by shop_schema: paths cannot be copied in a static initialiser. */
static struct event_match paid[1];
static struct event_def def_invite, def_line, def_profile, def_purchase, def_stock;
static const struct event_def *const shop_events[] = {&def_invite, &def_line, &def_profile,
                                                      &def_purchase, &def_stock};

static inline struct schema shop_schema(void)
{
    paid[0] = (struct event_match){p_status, STR("PAID")};
    def_purchase = (struct event_def){.name = STR("purchase"),
                                      .topic = STR("trade"),
                                      .index = 3,
                                      .match = paid,
                                      .n_match = 1,
                                      .id = p_order,
                                      .member = {{STR(""), p_member}},
                                      .n_member = 1,
                                      .time = p_paid,
                                      .fields = &purchase_type};
    def_line = (struct event_def){.name = STR("order_line"),
                                  .topic = STR("trade"),
                                  .index = 1,
                                  .id = p_order,
                                  .member = {{STR(""), p_member}},
                                  .n_member = 1,
                                  .time = p_paid,
                                  .each = p_items,
                                  .match = paid,
                                  .n_match = 1,
                                  .fields = &line_type};
    def_invite =
        (struct event_def){.name = STR("invite"),
                           .topic = STR("crm"),
                           .member = {{STR("inviter"), p_inviter}, {STR("invitee"), p_invitee}},
                           .n_member = 2,
                           .fields = &pair_type,
                           .paths = &p_level};
    def_profile = (struct event_def){.name = STR("profile"),
                                     .topic = STR("profile"),
                                     .index = 2,
                                     .profile = true,
                                     .member = {{STR(""), {NULL, 0}}},
                                     .fields = &profile_type};
    def_stock = (struct event_def){
        .name = STR("stock"), .topic = STR("stock"), .index = 4, .fields = &pair_type};
    return (struct schema){shop_events, BASE_LEN(shop_events), zone_utc()};
}

#endif
