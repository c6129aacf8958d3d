/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net: which addresses may be connected to.  A gateway's name may resolve to anything, today or after
 * the next look-up, so the address of the connection itself is judged: the special ranges (IANA
 * special-purpose registries, multicast, what carries an IPv4 address inside) only by explicit CIDR.
 */
#include "webhook.h"

#include <arpa/inet.h>

/* IPv4 as ::ffff:a.b.c.d, so that one comparison serves both. */
static int address(const char *text, uint8_t out[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (inet_pton(AF_INET, text, out + 12) == 1) {
        memcpy(out, mapped, sizeof mapped);
        return 4;
    }
    return inet_pton(AF_INET6, text, out) == 1 ? 6 : 0;
}

int webhook_cidr_parse(struct str s, struct webhook_cidr *out)
{
    char text[64];
    const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
    size_t n = slash ? (size_t)(slash - s.p) : s.n;
    if (n >= sizeof text)
        return -1;
    memcpy(text, s.p, n);
    text[n] = '\0';
    struct webhook_cidr c = {.bits = 128};
    int family = address(text, c.addr);
    if (!family)
        return -1;
    if (slash) {
        int64_t bits;
        if (str_i64((struct str){slash + 1, s.n - n - 1}, &bits) || bits < 0 ||
            bits > (family == 4 ? 32 : 128))
            return -1;
        c.bits = (uint32_t)bits + (family == 4 ? 96 : 0);
    }
    *out = c;
    return 0;
}

static bool inside(const uint8_t a[16], const struct webhook_cidr *c)
{
    uint32_t whole = c->bits / 8, rest = c->bits % 8;
    if (memcmp(a, c->addr, whole) != 0)
        return false;
    return !rest || ((a[whole] ^ c->addr[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

#define V4(a, b, c, d, n)                                                                          \
    {                                                                                              \
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, 96 + (n)                           \
    }
static const struct webhook_cidr special[] = {
    V4(0, 0, 0, 0, 8),
    V4(10, 0, 0, 0, 8),
    V4(100, 64, 0, 0, 10),
    V4(127, 0, 0, 0, 8),
    V4(169, 254, 0, 0, 16),
    V4(172, 16, 0, 0, 12),
    V4(192, 0, 0, 0, 24),
    V4(192, 0, 2, 0, 24),
    V4(192, 88, 99, 0, 24),
    V4(192, 168, 0, 0, 16),
    V4(198, 18, 0, 0, 15),
    V4(198, 51, 100, 0, 24),
    V4(203, 0, 113, 0, 24),
    V4(224, 0, 0, 0, 4),
    V4(240, 0, 0, 0, 4),
    {{0}, 96},                                  /* ::, ::1 and the old v4-compatible form */
    {{0x00, 0x64, 0xff, 0x9b}, 96},             /* 64:ff9b::/96 NAT64 */
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48}, /* 64:ff9b:1::/48 */
    {{0x01}, 64},                               /* 100::/64 discard */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},             /* documentation */
    {{0x20, 0x01, 0x00, 0x00}, 32},             /* Teredo */
    {{0x20, 0x02}, 16},                         /* 6to4 */
    {{0x3f, 0xff}, 20},                         /* documentation */
    {{0x5f}, 16},                               /* segment routing */
    {{0xfc}, 7},                                /* unique local */
    {{0xfe, 0x80}, 10},                         /* link local */
    {{0xfe, 0xc0}, 10},                         /* site local, deprecated */
    {{0xff}, 8},                                /* multicast */
};

bool webhook_addr_ok(const char *ip, const struct webhook_cidr *allow, uint32_t n)
{
    uint8_t a[16];
    if (!address(ip, a))
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (inside(a, &allow[i]))
            return true;
    for (size_t i = 0; i < BASE_LEN(special); i++)
        if (inside(a, &special[i]))
            return false;
    return true;
}
