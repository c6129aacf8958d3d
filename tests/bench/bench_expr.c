/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_expr: nanoseconds per evaluation of typical expressions, beside the same thing written in C
 * and measured in the same run (the floor).  The best of several rounds counts; nothing is asserted.
 */
#include "expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 15
#define EVALS 400000

enum { F_AMOUNT, F_CHANNEL, F_COUPON, F_TITLE, F_ITEMS };
enum { TAG_ORDERS, TAG_LAST, TAG_VIEWS, TAG_NAME };

static const struct field item_fields[] = {{.name = {"sku", 3}, .type = &type_string},
                                           {.name = {"qty", 3}, .type = &type_int},
                                           {.name = {"price", 5}, .type = &type_money}};
static const struct type item = {.kind = TYPE_RECORD, .fields = item_fields, .n_fields = 3};
static const struct type items = {.kind = TYPE_LIST, .elem = &item};
static const struct type views = {.kind = TYPE_MAP, .key = &type_string, .elem = &type_int};
static const struct field event_fields[] = {
    {.name = {"amount", 6}, .type = &type_money},
    {.name = {"channel", 7}, .type = &type_string},
    {.name = {"coupon", 6}, .type = &type_string, .optional = true},
    {.name = {"title", 5}, .type = &type_string},
    {.name = {"items", 5}, .type = &items}};
static const struct type event = {.kind = TYPE_RECORD, .fields = event_fields, .n_fields = 5};
static const struct field member_fields[] = {
    {.name = {"orders_30d", 10}, .type = &type_int},
    {.name = {"last_purchase", 13}, .type = &type_timestamp, .optional = true},
    {.name = {"views", 5}, .type = &views},
    {.name = {"name", 4}, .type = &type_string}};
static const struct type member = {.kind = TYPE_RECORD, .fields = member_fields, .n_fields = 4};

static struct val fields[5], list[4], parts[4][3];
static int64_t tags[] = {4, 0, 0, 0};
static volatile int sink;

static int read_member(void *arg, uint32_t tag, bool old, struct val *out)
{
    (void)old;
    if (tag == TAG_LAST)
        return 0;
    *out = tag == TAG_NAME ? val_str(STR("张三")) : val_int(((const int64_t *)arg)[tag]);
    return 1;
}

static int read_member_at(void *arg, uint32_t tag, bool old, const struct val *key, struct val *out)
{
    (void)arg, (void)tag, (void)old;
    *out = val_int(key->n);
    return 1;
}

static bool str_is(const struct val *v, const char *s, uint32_t n)
{
    return v->t == V_STRING && v->n == n && memcmp(v->s, s, n) == 0;
}

/* ---- the floors ---- */

static bool floor_three(void)
{
    struct val v;
    return (double)fields[F_AMOUNT].i / 100.0 > 100 && str_is(&fields[F_CHANNEL], "app", 3) &&
           read_member(tags, TAG_ORDERS, false, &v) == 1 && v.i >= 3;
}

static bool floor_exists(void)
{
    for (uint32_t i = 0; i < fields[F_ITEMS].n; i++)
        if (str_is(&fields[F_ITEMS].list[i].list[0], "MILK9", 5))
            return true;
    return false;
}

static bool floor_money(void)
{
    for (uint32_t i = 0; i < fields[F_ITEMS].n; i++)
        if ((double)fields[F_ITEMS].list[i].list[2].i / 100.0 > 1000.0)
            return true;
    return false;
}

static bool floor_contains(void)
{
    return memmem(fields[F_TITLE].s, fields[F_TITLE].n, "猫粮", 6) != NULL;
}

static bool floor_absent(void)
{
    struct val v;
    return read_member(tags, TAG_LAST, false, &v) == 1 && v.i < 5;
}

static bool floor_none(void)
{
    return true;
}

static const struct bench {
    const char *text;
    bool build;
    bool (*floor)(void);
} benches[] = {
    {"event.amount > 100 && event.channel == 'app' && member.orders_30d >= 3", false, floor_three},
    {"event.items.exists(i, i.sku == 'MILK9')", false, floor_exists},
    {"event.items.exists(i, i.price > 1000)", false, floor_money},
    {"event.items.exists(i, i.sku.startsWith('X'))", false, floor_exists},
    {"event.title.contains('猫粮')", false, floor_contains},
    {"event.channel in ['a', 'b', 'c', 'd', 'app', 'store', 'mini']", false, floor_none},
    {"member.views[event.channel] >= 3", false, floor_none},
    {"member.last_purchase < now - days(7)", false, floor_absent},
    {"!has(event.coupon) || event.coupon == 'K1'", false, floor_none},
    {"has(member.last_purchase) ? member.last_purchase < now : event.amount >= 199.9", false,
     floor_absent},
    {"date(now) == '2026-11-11'", false, floor_none},
    {"member.name + '，' + event.title + '，' + yuan(event.amount)", true, floor_none},
};

static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_expr(const struct expr *e, struct expr_ctx *c)
{
    double best = 1e18;
    struct val v;
    for (int r = 0; r < ROUNDS; r++) {
        double from = now_ns();
        for (int i = 0; i < EVALS; i++)
            sink += expr_eval(e, c, &v);
        double ns = (now_ns() - from) / EVALS;
        best = ns < best ? ns : best;
    }
    return best;
}

static double time_floor(bool (*f)(void))
{
    double best = 1e18;
    for (int r = 0; r < ROUNDS; r++) {
        double from = now_ns();
        for (int i = 0; i < EVALS; i++) {
            sink += f();
            __asm__ volatile("" ::: "memory");
        }
        double ns = (now_ns() - from) / EVALS;
        best = ns < best ? ns : best;
    }
    return best;
}

static void fill(void)
{
    static const char *const skus[] = {"MILK1", "MILK2", "BREAD", "MILK4"};
    for (int i = 0; i < 4; i++) {
        parts[i][0] = val_str(str_c(skus[i]));
        parts[i][1] = val_int(1);
        parts[i][2] = val_money(9900);
        list[i] = (struct val){.t = V_RECORD, .n = 3, .list = parts[i]};
    }
    fields[F_AMOUNT] = val_money(29900);
    fields[F_CHANNEL] = val_str(STR("app"));
    fields[F_TITLE] = val_str(STR("皇家室内成猫全价猫粮"));
    fields[F_ITEMS] = (struct val){.t = V_LIST, .n = 4, .list = list};
}

int main(void)
{
    struct arena *a = arena_new(0);
    struct diags *d = diags_new();
    struct expr_ctx *c = xcalloc(1, sizeof *c);
    fill();
    c->event = fields;
    c->member = read_member;
    c->member_at = read_member_at;
    c->arg = tags;
    c->tz = zone_utc();
    c->now_ms = INT64_C(1795000000000);
    (void)printf("%8s %8s %6s %5s  expression\n", "ns", "floor", "ratio", "cost");
    for (size_t i = 0; i < BASE_LEN(benches); i++) {
        const struct expr *e;
        struct srcfile file = {.name = STR("bench"), .text = str_c(benches[i].text)};
        struct expr_src src = {.file = &file, .text = file.text};
        struct expr_env env = {
            .event = &event, .member = &member, .now = true, .build = benches[i].build};
        if (expr_compile(a, &env, &src, NULL, d, &e) != 0) {
            struct buf b;
            buf_init(&b, 1 << 16);
            diags_text(d, 5, &b);
            (void)fputs(b.p, stderr);
            buf_free(&b);
            return 1;
        }
        double ns = time_expr(e, c), floor = time_floor(benches[i].floor);
        (void)printf("%8.1f %8.1f %6.1f %5u  %s\n", ns, floor, ns / floor, expr_cost(e),
                     benches[i].text);
    }
    free(c);
    diags_free(&d);
    arena_free(&a);
    return 0;
}
