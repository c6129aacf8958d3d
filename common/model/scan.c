/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan: the single-pass reader's cursor over canonical JSON.  No tree, no white space, no look-back:
 * a key is compared with the bytes that are expected there, a string is a slice of the input unless it
 * had escapes.  It trusts nothing: bounds, UTF-8, number ranges and nesting are checked.
 */
#include "model_priv.h"

#include <stdlib.h>

/* ---- strings ---- */

#define ONES UINT64_C(0x0101010101010101)
#define HIGH UINT64_C(0x8080808080808080)

/* The high bit of the first byte that is a quote, a backslash, a control byte or not ASCII.  (Borrows
 * run upwards only, so bits above the lowest one may lie.) */
static inline uint64_t special8(uint64_t w)
{
    uint64_t quote = (w ^ (ONES * '"')) - ONES;
    uint64_t slash = (w ^ (ONES * '\\')) - ONES;
    uint64_t control = w - ONES * 0x20;
    return (((quote | slash | control) & ~w) | w) & HIGH;
}

/* Up to the first special byte. */
static inline const char *plain_run(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        uint64_t m = special8(w);
        if (m)
            return p + (__builtin_ctzll(m) >> 3);
        p += 8;
#else
        break;
#endif
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\')
        p++;
    return p;
}

static int hex4(const char *p, const char *end)
{
    int v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

/* \uXXXX at s->p (after the u), surrogate pairs joined. Bytes written to `to`, 0 = bad. */
static size_t unescape_u(struct scan *s, char *to)
{
    int hi = hex4(s->p, s->end), lo;
    uint32_t cp = (uint32_t)hi;
    if (hi < 0 || (hi >= 0xdc00 && hi <= 0xdfff))
        return 0;
    s->p += 4;
    if (hi >= 0xd800 && hi <= 0xdbff) {
        if (!scan_lit(s, "\\u"))
            return 0;
        lo = hex4(s->p, s->end);
        if (lo < 0xdc00 || lo > 0xdfff)
            return 0;
        s->p += 4;
        cp = 0x10000U + (((uint32_t)hi - 0xd800U) << 10) + ((uint32_t)lo - 0xdc00U);
    }
    unsigned char *u = (unsigned char *)to;
    if (cp < 0x80) {
        u[0] = (unsigned char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, cp >>= 6)
        u[i] = (unsigned char)(0x80U | (cp & 0x3fU));
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    u[0] = (unsigned char)(lead[n] | cp);
    return n;
}

static size_t unescape(struct scan *s, char *to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (s->p >= s->end)
        return 0;
    char c = *s->p++;
    if (c == 'u')
        return unescape_u(s, to);
    const char *at = c ? strchr(from, c) : NULL;
    if (!at)
        return 0;
    *to = into[at - from];
    return 1;
}

/* The string from `from` (after the quote) whose first escape is at s->p. */
static bool scan_escaped(struct scan *s, const char *from, struct str *out)
{
    const char *close = s->p; /* how much room it can need at most: up to the closing quote */
    while (close < s->end && *close != '"')
        close += *close == '\\' && s->end - close > 1 ? 2 : 1;
    char *to = arena_alloc(s->a, (size_t)(close - from) + 1), *w = to;
    memcpy(w, from, (size_t)(s->p - from));
    w += s->p - from;
    for (;;) {
        if (s->p >= s->end || (unsigned char)*s->p < 0x20)
            return false;
        char c = *s->p++;
        if (c == '"')
            break;
        if (c != '\\') {
            *w++ = c;
            continue;
        }
        size_t n = unescape(s, w);
        if (n == 0)
            return false;
        w += n;
    }
    *w = '\0';
    *out = (struct str){to, (size_t)(w - to)};
    return utf8_valid(*out);
}

bool scan_str(struct scan *s, struct str *out)
{
    if (!scan_c(s, '"'))
        return false;
    const char *from = s->p;
    bool ascii = true;
    for (;;) {
        s->p = plain_run(s->p, s->end);
        if (s->p >= s->end)
            return false;
        if (*s->p == '"')
            break;
        if (*s->p == '\\')
            return scan_escaped(s, from, out);
        if ((unsigned char)*s->p < 0x20)
            return false;
        ascii = false;
        while (s->p < s->end && (unsigned char)*s->p >= 0x80)
            s->p++;
    }
    *out = (struct str){from, (size_t)(s->p - from)};
    s->p++;
    return ascii || utf8_valid(*out);
}

bool scan_text(struct scan *s, char *out, size_t n)
{
    struct str v;
    if (!scan_str(s, &v) || v.n >= n)
        return false;
    memcpy(out, v.p, v.n);
    out[v.n] = '\0';
    return true;
}

int scan_enum(struct scan *s, const char *const *names, int n)
{
    struct str v;
    if (!scan_str(s, &v))
        return -1;
    for (int i = 0; i < n; i++)
        if (str_eqc(v, names[i]))
            return i;
    return -1;
}

/* ---- numbers ---- */

bool scan_u64(struct scan *s, uint64_t *out)
{
    const char *p = s->p;
    uint64_t v = 0;
    while (p < s->end && (unsigned)(*p - '0') <= 9) {
        uint64_t d = (uint64_t)(*p - '0');
        if (p - s->p >= 19 &&
            (__builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, d, &v)))
            return false;
        if (p - s->p < 19)
            v = v * 10 + d;
        p++;
    }
    if (p == s->p || (*s->p == '0' && p - s->p > 1))
        return false;
    s->p = p;
    *out = v;
    return true;
}

bool scan_u32(struct scan *s, uint32_t *out)
{
    uint64_t v;
    if (!scan_u64(s, &v) || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

bool scan_i64(struct scan *s, int64_t *out)
{
    uint64_t v;
    bool neg = scan_c(s, '-');
    if (!scan_u64(s, &v) || v > (uint64_t)INT64_MAX + (neg ? 1 : 0))
        return false;
    *out = neg ? (int64_t)(0 - v) : (int64_t)v;
    /* `1.5` and `1e3` are no integers */
    return s->p >= s->end || (*s->p != '.' && *s->p != 'e' && *s->p != 'E');
}

static bool digits(const char **p, const char *end)
{
    const char *from = *p;
    while (*p < end && (unsigned)(**p - '0') <= 9)
        (*p)++;
    return *p > from;
}

/* The extent of a JSON number at s->p; *plain = no exponent. */
static bool number_end(const struct scan *s, const char **to, bool *plain)
{
    const char *p = s->p;
    if (p < s->end && *p == '-')
        p++;
    const char *from = p;
    if (!digits(&p, s->end) || (*from == '0' && p - from > 1))
        return false;
    if (p < s->end && *p == '.') {
        p++;
        if (!digits(&p, s->end))
            return false;
    }
    *plain = p >= s->end || (*p != 'e' && *p != 'E');
    if (!*plain) {
        p++;
        if (p < s->end && (*p == '+' || *p == '-'))
            p++;
        if (!digits(&p, s->end))
            return false;
    }
    *to = p;
    return true;
}

/* At most 15 digits and no exponent: both parts are exact doubles, so one division rounds right. */
static bool short_double(const char *p, const char *to, double *out)
{
    static const double tens[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool neg = *p == '-';
    int64_t v = 0;
    ptrdiff_t places = 0;
    if (neg)
        p++;
    if (to - p > 16)
        return false;
    for (; p < to; p++) {
        if (*p == '.')
            places = to - p - 1;
        else
            v = v * 10 + (*p - '0');
    }
    if (v >= INT64_C(1000000000000000) || (neg && v == 0))
        return false;
    double d = (double)v / tens[places];
    *out = neg ? -d : d;
    return true;
}

bool scan_double(struct scan *s, double *out)
{
    const char *to;
    bool plain;
    if (!number_end(s, &to, &plain))
        return false;
    if (!plain || !short_double(s->p, to, out)) {
        char tmp[512]; /* more digits than any double has */
        size_t n = (size_t)(to - s->p);
        if (n >= sizeof tmp)
            return false;
        memcpy(tmp, s->p, n);
        tmp[n] = '\0';
        *out = strtod(tmp, NULL);
        if (*out > 1.7976931348623157e308 || *out < -1.7976931348623157e308)
            return false;
    }
    s->p = to;
    return true;
}

bool scan_bool(struct scan *s, bool *out)
{
    *out = scan_lit(s, "true");
    return *out || scan_lit(s, "false");
}

/* ---- structure ---- */

int scan_key(struct scan *s, const struct str *keys, int n, int *at)
{
    struct str other;
    char open = *at == 0 ? '{' : ',';
    if (*at != 0 && scan_c(s, '}'))
        return SCAN_END;
    if (!scan_c(s, open))
        return SCAN_BAD;
    if (*at == 0 && scan_c(s, '}'))
        return SCAN_END;
    int k = *at == 0 ? 0 : *at - 1;
    for (int tried = 0; tried < n; tried++, k++) {
        if (k >= n)
            k = 0;
        if (scan_mem(s, keys[k].p, keys[k].n)) {
            *at = k + 2;
            return k;
        }
    }
    *at = *at == 0 ? 1 : *at;
    return scan_str(s, &other) && scan_c(s, ':') ? n : SCAN_BAD;
}

int scan_item(struct scan *s, int *at)
{
    char open = *at == 0 ? '[' : ',';
    if (*at != 0 && scan_c(s, ']'))
        return SCAN_END;
    if (!scan_c(s, open))
        return SCAN_BAD;
    if (*at == 0 && scan_c(s, ']'))
        return SCAN_END;
    *at = 1;
    return 1;
}

static bool skip(struct scan *s, int left);

static bool skip_object(struct scan *s, int left)
{
    int at = 0, k;
    while ((k = scan_key(s, NULL, 0, &at)) == 0)
        if (!skip(s, left))
            return false;
    return k == SCAN_END;
}

static bool skip_array(struct scan *s, int left)
{
    int at = 0, k;
    while ((k = scan_item(s, &at)) == 1)
        if (!skip(s, left))
            return false;
    return k == SCAN_END;
}

static bool skip(struct scan *s, int left)
{
    struct str v;
    const char *to;
    bool plain;
    if (s->p >= s->end || left == 0)
        return false;
    switch (*s->p) {
    case '"':
        return scan_str(s, &v);
    case '{':
        return skip_object(s, left - 1);
    case '[':
        return skip_array(s, left - 1);
    case 't':
        return scan_lit(s, "true");
    case 'f':
        return scan_lit(s, "false");
    case 'n':
        return scan_lit(s, "null");
    default:
        if (!number_end(s, &to, &plain))
            return false;
        s->p = to;
        return true;
    }
}

bool scan_skip(struct scan *s)
{
    return skip(s, MODEL_DEPTH_MAX);
}

/* ---- common pieces of records ---- */

bool scan_source(struct scan *s, struct source *out)
{
    int64_t partition;
    if (!scan_c(s, '[') || !scan_str(s, &out->topic) || !scan_c(s, ',') ||
        !scan_i64(s, &out->epoch) || !scan_c(s, ',') || !scan_i64(s, &partition) ||
        partition < INT32_MIN || partition > INT32_MAX || !scan_c(s, ',') ||
        !scan_i64(s, &out->offset) || !scan_c(s, ']'))
        return false;
    out->partition = (int32_t)partition;
    return true;
}

bool scan_hex32(struct scan *s, uint8_t out[32])
{
    struct str v;
    return scan_str(s, &v) && v.n == 64 && dec_hex(v, out, 32) == 0;
}
