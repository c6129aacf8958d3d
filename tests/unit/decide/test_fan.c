/* SPDX-License-Identifier: Apache-2.0 */
/* Fan-out where rules change: what becomes an index learns whom it has to know, what it knows too much is
 * not believed, who is erased has left. */
#include "fold_util.h"
#include "shop.h"

static const char policy[] = "policy:\n"
                             "  tz: Asia/Shanghai\n"
                             "  consent: {sms: member.sms_ok, wechat: member.follows}\n";
static const char plain[] = "tags: {favorites: {collect: cart.sku}}\n";
#define LOW                                                                                        \
    "events:\n"                                                                                    \
    "  low: {topic: stock, id: id, members: {in: favorites, key: sku}, fields: {id: string, sku: " \
    "string}}\n"                                                                                   \
    "rules:\n"                                                                                     \
    "  low: {trigger: low, do: [{send: receipt_note, with: {name: event.sku}}]}\n"
static const char indexed[] = "tags: {favorites: {collect: cart.sku}}\n" LOW;
static const char other[] = "tags: {favorites: {collect: cart.sku, where: event.price > 50}}\n" LOW;

static void begin(struct fu *f, const char *what)
{
    const char *texts[] = {shop, policy, what};
    fu_start(f, texts, 3, "2026-03-02 10:00");
    fu_fold(f);
    for (int i = 1; i <= 3; i++) {
        char json[160];
        (void)snprintf(json, sizeof json, "{\"member\":\"m%d\",\"set\":{\"openid\":\"o\"}}", i);
        fu_send(f, "profile", json);
        (void)snprintf(json, sizeof json,
                       "{\"id\":\"c%d\",\"m\":\"m%d\",\"sku\":\"%c\",\"price\":%d}", i, i,
                       i == 2 ? 'B' : 'A', i == 3 ? 60 : 40);
        fu_send(f, "cart", json);
    }
}

static void change(struct fu *f, const char *what)
{
    const char *texts[] = {shop, policy, what};
    f->p = f->by_hash[f->n_programs] = fu_program(texts, 3);
    fu_rules(&f->log, f->n_programs + 1, (int)f->n_programs, f->now);
    f->n_programs++;
    fu_fold(f);
    fu_tick(&f->log, f->now); /* the sweep goes on with each record */
    fu_fold(f);
}

static const char stock[] = "{\"id\":\"s1\",\"sku\":\"A\"}";

static void becomes_an_index(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, plain);
    change(&f, indexed);
    fu_send(&f, "stock", stock);
    assert_string_equal(fu_news(&f), "send receipt_note m1 wechat 2026-03-02 10:00\n"
                                     "send receipt_note m3 wechat 2026-03-02 10:00");
    fu_stop(&f);
}

static void another_collection_of_the_name(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, indexed);
    change(&f, other);
    fu_send(&f, "stock", stock); /* the index still knows m1 and m3 under A */
    assert_string_equal(fu_news(&f), "");
    fu_send(&f, "cart", "{\"id\":\"c9\",\"m\":\"m3\",\"sku\":\"A\",\"price\":60}");
    fu_send(&f, "stock", "{\"id\":\"s2\",\"sku\":\"A\"}");
    assert_string_equal(fu_news(&f), "send receipt_note m3 wechat 2026-03-02 10:00");
    fu_stop(&f);
}

static void erased(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, indexed);
    fu_record(&f.log, &(struct record){.kind = REC_ERASE, .at_ms = f.now, .member = STR("m1")},
              f.now);
    fu_fold(&f);
    fu_send(&f, "stock", stock);
    assert_string_equal(fu_news(&f), "send receipt_note m3 wechat 2026-03-02 10:00");
    fu_stop(&f);
}

static void unknown_key(void **state)
{
    struct fu f;
    (void)state;
    begin(&f, indexed);
    fu_send(&f, "stock", "{\"id\":\"s1\",\"sku\":\"\"}");
    fu_send(&f, "stock", "{\"id\":\"s2\",\"sku\":\"Z\"}");
    assert_string_equal(fu_news(&f), "");
    fu_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(becomes_an_index),
        cmocka_unit_test(another_collection_of_the_name),
        cmocka_unit_test(erased),
        cmocka_unit_test(unknown_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
