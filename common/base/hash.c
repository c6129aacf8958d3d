/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash: the hashes and encodings of the wire formats.  SHA-256 and HMAC come from OpenSSL's libcrypto;
 * murmur2 is Kafka's variant (org.apache.kafka.common.utils.Utils.murmur2, seed 0x9747b28c), so that
 * upstream systems can compute a member's partition; CRC32C is RFC 3720's.
 */
#include "base.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

uint32_t hash_murmur2(struct str s)
{
    const uint32_t m = 0x5bd1e995;
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = s.n;
    uint32_t h = 0x9747b28cU ^ (uint32_t)n;
    for (; n >= 4; n -= 4, p += 4) {
        uint32_t k =
            (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        k *= m;
        k ^= k >> 24;
        k *= m;
        h = (h * m) ^ k;
    }
    if (n >= 3)
        h ^= (uint32_t)p[2] << 16;
    if (n >= 2)
        h ^= (uint32_t)p[1] << 8;
    if (n >= 1)
        h = (h ^ p[0]) * m;
    h ^= h >> 13;
    h *= m;
    h ^= h >> 15;
    return h;
}

static uint32_t crc_table[256];

__attribute__((constructor)) static void crc_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? (c >> 1) ^ 0x82f63b78U : c >> 1;
        crc_table[i] = c;
    }
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_fast(uint32_t crc, const unsigned char *p,
                                                           size_t n)
{
    uint64_t c = crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        c = __builtin_ia32_crc32di(c, w);
    }
    for (; n; n--, p++)
        c = __builtin_ia32_crc32qi((uint32_t)c, *p);
    return (uint32_t)c;
}
#endif

uint32_t hash_crc32c(uint32_t crc, const void *data, size_t n)
{
    const unsigned char *p = data;
    uint32_t c = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc_fast(c, p, n);
#endif
    for (; n; n--, p++)
        c = crc_table[(c ^ *p) & 0xff] ^ (c >> 8);
    return ~c;
}

/* wyhash-like multiply-fold over 8-byte words with fixed keys: for tables in memory only. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 r = (unsigned __int128)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

uint64_t hash_bytes(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = s.n;
    uint64_t h = UINT64_C(0xa0761d6478bd642f) ^ n, w;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&w, p, 8);
        h = fold(h ^ w, UINT64_C(0xe7037ed1a0b428db));
    }
    w = 0;
    if (n)
        memcpy(&w, p, n);
    h = fold(h ^ w, UINT64_C(0x8ebc6af09c88c6e3));
    return h ^ (h >> 32);
}

void hash_sha256(const void *p, size_t n, uint8_t out[32])
{
    (void)SHA256(p, n, out);
}

void hash_sha256_2(const void *a, size_t na, const void *b, size_t nb, uint8_t out[32])
{
    unsigned len = 32;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    if (!c || EVP_DigestInit_ex(c, EVP_sha256(), NULL) != 1 || EVP_DigestUpdate(c, a, na) != 1 ||
        EVP_DigestUpdate(c, b, nb) != 1 || EVP_DigestFinal_ex(c, out, &len) != 1)
        abort();
    EVP_MD_CTX_free(c);
}

void hash_hmac_sha256(const void *key, size_t nk, const void *p, size_t n, uint8_t out[32])
{
    unsigned len = 32;
    if (!HMAC(EVP_sha256(), key, (int)nk, p, n, out, &len))
        abort();
}

void enc_hex(const uint8_t *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int dec_hex(struct str s, uint8_t *out, size_t n)
{
    if (s.n != 2 * n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int hi = hex_digit(s.p[2 * i]), lo = hex_digit(s.p[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return -1;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return 0;
}

size_t enc_base32(const uint8_t *p, size_t n, char *out) /* RFC 4648 alphabet, lower case */
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    size_t to = 0;
    unsigned bits = 0;
    uint32_t acc = 0;
    for (size_t i = 0; i < n; i++) {
        acc = acc << 8 | p[i];
        for (bits += 8; bits >= 5; bits -= 5)
            out[to++] = digits[acc >> (bits - 5) & 31];
        acc &= (1U << bits) - 1;
    }
    if (bits)
        out[to++] = digits[acc << (5 - bits) & 31];
    out[to] = '\0';
    return to;
}

size_t enc_base64(const uint8_t *p, size_t n, char *out)
{
    return (size_t)EVP_EncodeBlock((unsigned char *)out, p, (int)n);
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int dec_base64(struct str s, uint8_t *out, size_t max)
{
    size_t to = 0, pad = 0;
    unsigned bits = 0;
    uint32_t acc = 0;
    if (s.n % 4 != 0)
        return -1;
    while (pad < 2 && pad < s.n && s.p[s.n - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < s.n - pad; i++) {
        int d = base64_digit(s.p[i]);
        if (d < 0)
            return -1;
        acc = (acc << 6 | (uint32_t)d) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (to == max)
                return -1;
            out[to++] = (uint8_t)(acc >> bits);
        }
    }
    return (int)to;
}
