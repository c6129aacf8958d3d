/* SPDX-License-Identifier: Apache-2.0 */
/* generate: random numbers and what the shop is made of. */
#include "generate_priv.h"

struct gen_rng gen_rng(uint64_t seed, uint64_t stream)
{
    struct gen_rng r = {seed * 0x9e3779b97f4a7c15U ^ (stream + 1) * 0xd1342543de82ef95U};

    gen_next(&r);
    return r;
}

/* splitmix64 (Steele, Lea, Flood 2014) */
uint64_t gen_next(struct gen_rng *r)
{
    uint64_t z = r->s += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint32_t gen_below(struct gen_rng *r, uint32_t n)
{
    return (uint32_t)(((gen_next(r) >> 32) * n) >> 32);
}

int64_t gen_between(struct gen_rng *r, int64_t low, int64_t high)
{
    return low + (int64_t)gen_below(r, (uint32_t)(high - low + 1));
}

bool gen_chance(struct gen_rng *r, uint32_t percent)
{
    return gen_below(r, 100) < percent;
}

static const struct gen_sku milk[] = {
    {"MILK-1", "鲜牛奶 950ml", 1990},        {"MILK-2", "纯牛奶 250ml×16", 6990},
    {"MILK-3", "有机纯牛奶 200ml×12", 8990}, {"MILK-4", "婴儿奶粉 1段 800g", 29800},
    {"MILK-5", "婴儿奶粉 2段 800g", 28800},  {"MILK-6", "儿童成长奶粉 3段 800g", 25800},
};
static const struct gen_sku daily[] = {
    {"RICE-1", "东北大米 10kg", 7990},  {"OIL-1", "花生油 5L", 13990},
    {"TEA-1", "龙井茶 250g", 19900},    {"TEA-2", "茉莉花茶 100g", 5990},
    {"FRUIT-1", "赣南脐橙 5斤", 3990},  {"FRUIT-2", "红富士苹果 10斤", 6990},
    {"NUT-1", "每日坚果 30包", 9990},   {"SNACK-1", "肉松饼 1kg", 2990},
    {"SNACK-2", "海苔 16包", 2590},     {"COFFEE-1", "挂耳咖啡 20包", 7990},
    {"WASH-1", "洗衣液 3kg", 3990},     {"WASH-2", "洗洁精 1.5kg", 1490},
    {"PAPER-1", "抽纸 24包", 4990},     {"CARE-1", "氨基酸洗发水 500ml", 5990},
    {"CARE-2", "身体乳 400ml", 4590},   {"MASK-1", "补水面膜 20片", 9900},
    {"PET-1", "全价猫粮 2kg", 8800},    {"PET-2", "宠物驱虫滴剂 3支", 13900},
    {"HOME-1", "四件套 1.8米", 19900},  {"HOME-2", "保温杯 500ml", 9900},
    {"BABY-1", "纸尿裤 L 54片", 11900}, {"BABY-2", "婴儿湿巾 80抽×10", 5990},
    {"SPORT-1", "瑜伽垫", 8900},        {"SPORT-2", "运动毛巾", 2900},
};
static const struct gen_sku premium[] = {
    {"PHONE-1", "降噪耳机", 89900},      {"HOME-7", "扫地机器人", 159900},
    {"HOME-8", "空气炸锅", 39900},       {"BEAUTY-1", "修护精华 50ml", 68000},
    {"BEAUTY-2", "抗皱面霜 50g", 79000}, {"WINE-1", "干红葡萄酒 6支", 59900},
    {"SPORT-7", "跑步鞋", 69900},        {"TEA-9", "大红袍礼盒", 49900},
};
static const struct {
    const struct gen_sku *skus;
    uint32_t n;
} shelves[] = {
    [GEN_MILK] = {milk, BASE_LEN(milk)},
    [GEN_DAILY] = {daily, BASE_LEN(daily)},
    [GEN_PREMIUM] = {premium, BASE_LEN(premium)},
};

const struct gen_sku *gen_pick_sku(struct gen_rng *r, enum gen_shelf shelf)
{
    return &shelves[shelf].skus[gen_below(r, shelves[shelf].n)];
}

static const char *const surnames[] = {"王", "李", "张", "刘", "陈", "杨",  "赵",
                                       "黄", "周", "吴", "徐", "孙", "胡",  "朱",
                                       "高", "林", "何", "郭", "马", "欧阳"};
static const char *const givens[] = {"伟",   "芳",   "娜",   "敏",   "静",   "秀英", "丽",   "强",
                                     "磊",   "军",   "洋",   "勇",   "艳",   "杰",   "娟",   "涛",
                                     "明",   "超",   "秀兰", "霞",   "平",   "刚",   "桂英", "子涵",
                                     "雨桐", "欣怡", "浩然", "一诺", "宇轩", "梓萱"};
static const char *const boards[] = {"晒单", "育儿", "厨房", "宠物",
                                     "美妆", "跑步", "读书", "旅行"};

const char *gen_surname(struct gen_rng *r)
{
    return surnames[gen_below(r, BASE_LEN(surnames))];
}

const char *gen_given(struct gen_rng *r)
{
    return givens[gen_below(r, BASE_LEN(givens))];
}

const char *gen_board(struct gen_rng *r)
{
    return boards[gen_below(r, BASE_LEN(boards))];
}

/* Out of 160: quiet nights, a peak at noon and one in the evening. */
static const uint8_t hours[24] = {2,  1, 0, 0, 0, 0, 1,  3,  6,  7,  8,  8,
                                  11, 9, 7, 7, 7, 8, 10, 13, 16, 15, 13, 8};

int64_t gen_clock_ms(struct gen_rng *r)
{
    uint32_t at = gen_below(r, 160), hour = 0;

    while (hour < 23 && at >= hours[hour])
        at -= hours[hour++];
    return ((int64_t)hour * 3600 + gen_below(r, 3600)) * 1000;
}
