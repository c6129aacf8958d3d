/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry: when a message is tried again.  Two schedules by purpose (delivery.md §8), jitter of a fifth
 * in both directions from a random number that the caller brings, and Retry-After, which a gateway may
 * fill with anything: seconds, an HTTP date, a year far away, or nonsense.
 */
#include "webhook.h"

#define S TIME_SEC
#define M TIME_MIN
#define H TIME_HOUR

static const struct webhook_schedule service_schedule = {
    .n = 6, .step_ms = {0, 5 * S, 30 * S, 2 * M, 10 * M, 1 * H}};
static const struct webhook_schedule long_schedule = {
    .n = 8, .step_ms = {0, 5 * S, 5 * M, 30 * M, 2 * H, 5 * H, 10 * H, 10 * H}};

const struct webhook_schedule *webhook_schedule_for(struct str purpose)
{
    return str_eqc(purpose, "service") ? &service_schedule : &long_schedule;
}

int64_t webhook_retry_wait(const struct webhook_schedule *s, uint32_t tries, uint32_t random)
{
    if (tries >= s->n)
        return -1;
    int64_t step = s->step_ms[tries];
    /* 0.8 .. 1.2 in steps of 2^-20, in integers: the same everywhere */
    int64_t permille20 = 838861 + (int64_t)(((uint64_t)random * 419431) >> 32);
    return (step >> 20) * permille20 + (((step & 0xfffff) * permille20) >> 20);
}

static int two(const char *p)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return -1;
    return (p[0] - '0') * 10 + (p[1] - '0');
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 §5.6.7, the form that senders must use). */
static int http_date(struct str s, int64_t *ms)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (s.n != 29 || s.p[3] != ',' || s.p[4] != ' ' || s.p[7] != ' ' || s.p[11] != ' ' ||
        s.p[16] != ' ' || s.p[19] != ':' || s.p[22] != ':' || memcmp(s.p + 25, " GMT", 4) != 0)
        return -1;
    int mon = 0, hi = two(s.p + 12), lo = two(s.p + 14);
    for (int i = 0; i < 12; i++)
        if (memcmp(s.p + 8, months + (size_t)i * 3, 3) == 0)
            mon = i + 1;
    int day = two(s.p + 5), hour = two(s.p + 17), min = two(s.p + 20), sec = two(s.p + 23);
    int year = hi * 100 + lo;
    if (!mon || hi < 0 || lo < 0 || day < 1 || day > time_mdays(year, mon) || hour < 0 ||
        hour > 23 || min < 0 || min > 59 || sec < 0 || sec > 60)
        return -1;
    *ms = time_days(year, mon, day) * TIME_DAY + hour * H + min * M + sec * S;
    return 0;
}

int64_t webhook_retry_after(struct str header, int64_t now_ms)
{
    int64_t v;
    while (header.n && header.p[0] == ' ')
        header = (struct str){header.p + 1, header.n - 1};
    if (!str_i64(header, &v))
        return v <= 0 ? 0 : v > INT64_MAX / S ? INT64_MAX : v * S;
    if (http_date(header, &v) || v <= now_ms)
        return 0;
    return v - now_ms;
}

int64_t webhook_retry_clamp(int64_t after_ms, int64_t step_ms, int64_t left_ms)
{
    int64_t most = left_ms < TIME_DAY ? left_ms : TIME_DAY;
    int64_t wait = after_ms > step_ms ? after_ms : step_ms;
    if (after_ms > 0 && wait > most && step_ms <= most)
        wait = most;
    return wait;
}
