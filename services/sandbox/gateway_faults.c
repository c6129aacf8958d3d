/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults as a function of the message: a hash of gateway and content gives a number between 0 and 1,
 * and the rules divide that range among them.  Not of the id and not of the try, so that a year played
 * twice meets the same faults in the same places.
 */
#include "gateway_priv.h"

#include "time.h"

#include <stdio.h>
#include <stdlib.h>

const char *const fault_names[FAULT_N] = {"none",   "fail",     "err200", "busy200",
                                          "refuse", "throttle", "stop",   "drop",
                                          "lost",   "stall",    "half",   "redirect"};

static int fault_named(struct str s, enum fault *out)
{
    for (int i = 0; i < FAULT_N; i++)
        if (str_eqc(s, fault_names[i])) {
            *out = (enum fault)i;
            return 0;
        }
    return -1;
}

/* Up to `sep`; the rest goes on after it. */
static struct str cut(struct str *s, char sep)
{
    const char *at = s->n ? memchr(s->p, sep, s->n) : NULL;
    struct str part = {s->p, at ? (size_t)(at - s->p) : s->n};
    size_t used = part.n + (at ? 1 : 0);
    *s = (struct str){s->p + used, s->n - used};
    return part;
}

static int gateway_named(struct str s, char out[33])
{
    if (!s.n || s.n > 32)
        return -1;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return 0;
}

/* "fail:sms:3" */
static int parse_next(struct str v, struct faults *f)
{
    struct fault_next n;
    int64_t left;
    struct str fault = cut(&v, ':'), gateway = cut(&v, ':');
    if (fault_named(fault, &n.fault) || gateway_named(gateway, n.gateway) || str_i64(v, &left) ||
        left < 0 || left > 1000000)
        return -1;
    n.left = (uint32_t)left;
    f->next = n;
    return 0;
}

/* "wechat:0.05" */
static int parse_rule(struct str key, struct str v, struct faults *f)
{
    struct fault_rule r;
    char number[32], *end;
    struct str gateway = cut(&v, ':');
    if (fault_named(key, &r.fault) || gateway_named(gateway, r.gateway) || !v.n ||
        v.n >= sizeof number || f->n == FAULTS_MAX)
        return -1;
    memcpy(number, v.p, v.n);
    number[v.n] = '\0';
    r.share = strtod(number, &end);
    if (*end || !(r.share >= 0 && r.share <= 1))
        return -1;
    f->rule[f->n++] = r;
    return 0;
}

int faults_parse(struct str spec, struct faults *f, struct err *err)
{
    struct faults made = *f;
    while (spec.n && spec.p[spec.n - 1] == '\n')
        spec.n--;
    while (spec.n) {
        struct str value = cut(&spec, ','), whole = value, key = cut(&value, '=');
        int rc;
        if (str_eqc(whole, "clear")) {
            memset(&made, 0, sizeof made);
            rc = 0;
        } else if (str_eqc(key, "next")) {
            rc = parse_next(value, &made);
        } else if (str_eqc(key, "down")) {
            rc = time_len(value, &made.down_ms);
        } else {
            rc = parse_rule(key, value, &made);
        }
        if (rc)
            return err_set(err, ERR_INPUT,
                           "`" STR_FMT "` is not FAULT=GATEWAY:SHARE, next=FAULT:GATEWAY:N, "
                           "down=LENGTH or clear (faults: fail err200 busy200 refuse throttle stop "
                           "drop lost stall half redirect)",
                           STR_ARG(whole));
    }
    *f = made;
    return 0;
}

enum fault faults_meet(struct faults *f, struct str gateway, struct str content)
{
    uint8_t sum[32];
    uint64_t u = 0;
    double at, from = 0;
    if (f->next.left && (str_eqc(gateway, f->next.gateway) || !strcmp(f->next.gateway, "*"))) {
        f->next.left--;
        return f->next.fault;
    }
    if (!f->n)
        return FAULT_NONE;
    hash_sha256_2(gateway.p, gateway.n, content.p, content.n, sum);
    for (int i = 0; i < 6; i++)
        u = u << 8 | sum[i];
    at = (double)u / 281474976710656.0;
    for (uint32_t i = 0; i < f->n; i++) {
        const struct fault_rule *r = &f->rule[i];
        if (!str_eqc(gateway, r->gateway) && strcmp(r->gateway, "*") != 0)
            continue;
        if (at < from + r->share)
            return r->fault;
        from += r->share;
    }
    return FAULT_NONE;
}
