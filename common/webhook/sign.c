/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sign: Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).
 * Signed is `{id}.{unix seconds}.{raw body}` with HMAC-SHA256; the header lists `v1,BASE64` for every
 * key in force, so that a receiver may hold either during a rotation.
 */
#include "webhook.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MIN_KEY 24
#define MAX_SECRET_FILE 8192

static int one_key(struct str line, int no, struct webhook_keys *out, struct err *err)
{
    static const char bad[] = "line %d is not a secret: `whsec_` and base64 of 24 to 64 bytes";
    if (str_starts(line, "whsk_"))
        return err_set(err, ERR_INPUT, "line %d: ed25519 keys (whsk_) are not built yet", no);
    if (!str_starts(line, "whsec_"))
        return err_set(err, ERR_INPUT, bad, no);
    if (out->n == WEBHOOK_MAX_KEYS)
        return err_set(err, ERR_INPUT, "line %d: more than %d secrets", no, WEBHOOK_MAX_KEYS);
    struct str b64 = {line.p + 6, line.n - 6};
    int n = dec_base64(b64, out->k[out->n].key, sizeof out->k[out->n].key);
    if (n < MIN_KEY)
        return err_set(err, ERR_INPUT, bad, no);
    out->k[out->n++].n = (uint32_t)n;
    return 0;
}

int webhook_keys_parse(struct str text, struct webhook_keys *out, struct err *err)
{
    struct webhook_keys keys = {0};
    int no = 0;
    while (text.n) {
        const char *nl = memchr(text.p, '\n', text.n);
        struct str line = {text.p, nl ? (size_t)(nl - text.p) : text.n};
        size_t used = line.n + (nl ? 1 : 0);
        text = (struct str){text.p + used, text.n - used};
        no++;
        while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\r'))
            line.n--;
        if (line.n && line.p[0] != '#' && one_key(line, no, &keys, err))
            return -1;
    }
    if (!keys.n)
        return err_set(err, ERR_INPUT, "holds no secret");
    *out = keys;
    explicit_bzero(&keys, sizeof keys);
    return 0;
}

int webhook_keys_load(const char *path, struct webhook_keys *out, struct err *err)
{
    char text[MAX_SECRET_FILE + 1];
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(err, ERR_INPUT, "cannot read the secret file %s: %s", path, strerror(errno));
    size_t n = fread(text, 1, sizeof text, f);
    int rc = -1;
    if (ferror(f))
        (void)err_set(err, ERR_INPUT, "%s", strerror(errno));
    else if (n > MAX_SECRET_FILE)
        (void)err_set(err, ERR_INPUT, "is larger than %d bytes", MAX_SECRET_FILE);
    else
        rc = webhook_keys_parse((struct str){text, n}, out, err);
    (void)fclose(f);
    explicit_bzero(text, sizeof text);
    return rc ? err_wrap(err, "secret file %s", path) : 0;
}

/* `id.timestamp.` before the body, in one piece for the MAC. */
static void mac(const uint8_t *key, size_t nk, struct str id, struct str ts, struct str body,
                uint8_t out[32])
{
    size_t n = id.n + ts.n + body.n + 2;
    char small[2048];
    char *p = n <= sizeof small ? small : xmalloc(n), *to = p;
    memcpy(to, id.p, id.n);
    to += id.n;
    *to++ = '.';
    memcpy(to, ts.p, ts.n);
    to += ts.n;
    *to++ = '.';
    if (body.n)
        memcpy(to, body.p, body.n);
    hash_hmac_sha256(key, nk, p, n, out);
    if (p != small)
        free(p);
}

void webhook_sign(const struct webhook_keys *k, struct str id, int64_t unix_s, struct str body,
                  char out[WEBHOOK_SIGNATURE_MAX])
{
    char ts[24], *to = out;
    int n = snprintf(ts, sizeof ts, "%lld", (long long)unix_s);
    *to = '\0';
    for (uint32_t i = 0; i < k->n; i++) {
        uint8_t sum[32];
        mac(k->k[i].key, k->k[i].n, id, (struct str){ts, (size_t)n}, body, sum);
        if (i)
            *to++ = ' ';
        memcpy(to, "v1,", 3);
        to += 3 + enc_base64(sum, sizeof sum, to + 3);
    }
}

/* Constant time in the content. */
static bool same(const uint8_t *a, const uint8_t *b, size_t n)
{
    unsigned diff = 0;
    for (size_t i = 0; i < n; i++)
        diff |= (unsigned)(a[i] ^ b[i]);
    return diff == 0;
}

static bool any_matches(const struct webhook_keys *k, struct str id, struct str ts, struct str sigs,
                        struct str body)
{
    uint8_t want[WEBHOOK_MAX_KEYS][32], got[33];
    for (uint32_t i = 0; i < k->n; i++)
        mac(k->k[i].key, k->k[i].n, id, ts, body, want[i]);
    bool found = false;
    while (sigs.n) {
        const char *sp = memchr(sigs.p, ' ', sigs.n);
        struct str one = {sigs.p, sp ? (size_t)(sp - sigs.p) : sigs.n};
        size_t used = one.n + (sp ? 1 : 0);
        sigs = (struct str){sigs.p + used, sigs.n - used};
        if (!str_starts(one, "v1,") ||
            dec_base64((struct str){one.p + 3, one.n - 3}, got, sizeof got) != 32)
            continue;
        for (uint32_t i = 0; i < k->n; i++)
            found |= same(got, want[i], 32);
    }
    return found;
}

const char *webhook_verify(const struct webhook_keys *k, struct str id, struct str timestamp,
                           struct str signatures, struct str body, int64_t now_s,
                           int64_t tolerance_s)
{
    int64_t ts;
    if (!id.n || memchr(id.p, '.', id.n))
        return "bad_id";
    if (str_i64(timestamp, &ts) || ts < 0)
        return "bad_timestamp";
    if (tolerance_s && ts < now_s - tolerance_s)
        return "too_old";
    if (tolerance_s && ts > now_s + tolerance_s)
        return "too_new";
    return any_matches(k, id, timestamp, signatures, body) ? NULL : "bad_signature";
}
