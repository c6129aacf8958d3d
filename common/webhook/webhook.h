/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook: how a message leaves.  Gateway adapters (data, not code), the Standard Webhooks signature,
 * the request body, the classes of answers, retry schedules and addresses that may be connected to
 * are pure functions; the HTTP client is the only user of libcurl and is driven from the caller's
 * loop.  Nothing here reads a clock, sleeps, logs or decides what is sent when: that is the
 * dispatcher's.
 *
 * Sent = libcurl's pre-request hook was called, which is just before the first byte of a request
 * leaves on a connection.  No decision rests on a CURLcode alone (28 comes before and after sending,
 * and a response cut inside its headers gives CURLE_OK and 200).
 */
#ifndef ROUSE_WEBHOOK_H
#define ROUSE_WEBHOOK_H

#include "expr.h"
#include "yaml.h"

/* ---- what an answer means (delivery.md §5) ------------------------------------------------------ */

enum webhook_class {
    WEBHOOK_OK,
    WEBHOOK_DUPLICATE_OK,
    WEBHOOK_THROTTLE,            /* too fast: not counted as a try, the gateway waits */
    WEBHOOK_TOKEN_REFRESH,       /* the access token is stale (no gateway with tokens yet) */
    WEBHOOK_RETRY,               /* surely not applied, may work later */
    WEBHOOK_AMBIGUOUS,           /* bytes left and nobody knows: the adapter's policy decides */
    WEBHOOK_PERMANENT_RECIPIENT, /* this member cannot get it */
    WEBHOOK_PERMANENT_CONTENT,   /* the message itself is wrong */
    WEBHOOK_ACCOUNT_STOP,        /* credentials, balance, certificate: the gateway pauses */
    WEBHOOK_DEFER,               /* the gateway's own legal window: the fold decides again */
};
#define WEBHOOK_N_CLASSES 10
const char *webhook_class_name(enum webhook_class c);
int webhook_class_parse(struct str s, enum webhook_class *out); /* 0, or -1 no such class */

/* ---- retry schedules (delivery.md §8) ------------------------------------------------------------ */

#define WEBHOOK_MAX_TRIES 16
struct webhook_schedule {
    uint32_t n;                         /* tries, >= 1 */
    int64_t step_ms[WEBHOOK_MAX_TRIES]; /* wait before try i; [0] is 0 */
};
/* "service" has its own; every other purpose the long one. */
const struct webhook_schedule *webhook_schedule_for(struct str purpose);
/* Wait before try number `tries` (0-based: tries already made) with ±20 % of jitter, from a uniformly
 * random number.  -1 = the tries are used up. */
int64_t webhook_retry_wait(const struct webhook_schedule *s, uint32_t tries, uint32_t random);
/* Retry-After: seconds or an HTTP date -> wait in ms, 0 = none or nonsense. now_ms for dates. */
int64_t webhook_retry_after(struct str header, int64_t now_ms);
/* The wait that is used: `after_ms` (0 = none) clamped to [step_ms, min(24 h, left_ms)]. */
int64_t webhook_retry_clamp(int64_t after_ms, int64_t step_ms, int64_t left_ms);

/* ---- addresses ------------------------------------------------------------------------------------ */

struct webhook_cidr {
    uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint32_t bits;    /* of 128 */
};
int webhook_cidr_parse(struct str s, struct webhook_cidr *out); /* "127.0.0.0/8", "::1"; 0 or -1 */
/* May this address (text or sockaddr) be connected to?  Special ranges only if `allow` covers them. */
bool webhook_addr_ok(const char *ip, const struct webhook_cidr *allow, uint32_t n);

/* ---- Standard Webhooks ---------------------------------------------------------------------------- */

#define WEBHOOK_MAX_KEYS 8
struct webhook_keys {
    uint32_t n;
    struct {
        uint8_t key[64];
        uint32_t n;
    } k[WEBHOOK_MAX_KEYS];
};
/* One `whsec_` secret a line (blank lines and # comments aside); all sign, the first is the current
 * one.  Errors never contain the secret. */
int webhook_keys_parse(struct str text, struct webhook_keys *out, struct err *err);
int webhook_keys_load(const char *path, struct webhook_keys *out, struct err *err);
/* "v1,BASE64 v1,BASE64" for the header webhook-signature. */
#define WEBHOOK_SIGNATURE_MAX (WEBHOOK_MAX_KEYS * 48)
void webhook_sign(const struct webhook_keys *k, struct str id, int64_t unix_s, struct str body,
                  char out[WEBHOOK_SIGNATURE_MAX]);
/* NULL = genuine, or a word saying why not: bad_id bad_timestamp too_old too_new bad_signature.
 * tolerance_s 0 = any age. */
const char *webhook_verify(const struct webhook_keys *k, struct str id, struct str timestamp,
                           struct str signatures, struct str body, int64_t now_s,
                           int64_t tolerance_s);

/* The request body of a standard webhook, canonical: {"id","type":"rouse.message","timestamp",
 * "data":{"member","rule","message","to","template","text","data":{…}}}.  The same bytes on every try. */
void webhook_body(const struct decision *d, struct buf *out);

/* ---- adapters -------------------------------------------------------------------------------------- */

enum webhook_ambiguous { WEBHOOK_AMB_RETRY, WEBHOOK_AMB_FAIL, WEBHOOK_AMB_RECONCILE };

struct webhook_adapter; /* immutable once loaded */
struct webhook_adapter_options {
    const char *base_url;   /* for an adapter whose url is a path; NULL = such an url is an error */
    const char *secret_dir; /* for a relative secret_file; NULL = the adapter file's folder */
    bool check_only;        /* do not read the secret */
};
/* From one file.  0 ok.  -1: every problem is in `d` with its place (or, the file not being readable,
 * in err alone); *out may still be there, because the places point into its text: free it after `d` was
 * printed, use it for nothing else. */
int webhook_adapter_load(const char *path, const struct webhook_adapter_options *o, struct diags *d,
                         struct webhook_adapter **out, struct err *err);
/* The same from text, for tests. */
int webhook_adapter_read(struct str name, struct str text, const struct webhook_adapter_options *o,
                         struct diags *d, struct webhook_adapter **out, struct err *err);
void webhook_adapter_free(struct webhook_adapter **a);
/* Every A code that a diagnostic may carry (Y and X codes are yaml's and expr's), in order. */
const struct diag_code *webhook_codes(size_t *n);

struct webhook_limits {
    uint32_t in_flight; /* requests at once */
    int64_t connect_ms, total_ms;
};
struct str webhook_adapter_name(const struct webhook_adapter *a);
struct str webhook_adapter_address(const struct webhook_adapter *a); /* tag; empty = none */
struct str webhook_adapter_url(const struct webhook_adapter *a);
const struct webhook_limits *webhook_adapter_limits(const struct webhook_adapter *a);
const struct webhook_keys *webhook_adapter_keys(const struct webhook_adapter *a);
bool webhook_adapter_idempotent(const struct webhook_adapter *a);
/* *wait_ms and *retry_once are of reconcile. */
enum webhook_ambiguous webhook_adapter_ambiguous(const struct webhook_adapter *a, int64_t *wait_ms,
                                                 bool *retry_once);
/* The adapter's own schedule, or the purpose's. */
const struct webhook_schedule *webhook_adapter_schedule(const struct webhook_adapter *a,
                                                        struct str purpose);

/* What came back, as facts. */
struct webhook_answer {
    bool sent;          /* bytes of the request may have left */
    bool complete;      /* headers to their end and no transfer error */
    bool resent;        /* libcurl wanted to send it a second time and was stopped */
    bool blocked;       /* the address is one of the special ranges: no connection was made */
    bool truncated;     /* the body was larger than we read */
    int curl;           /* CURLcode */
    int status;         /* HTTP, 0 = none */
    struct str headers; /* "name: value\n", names in lower case */
    struct str body;    /* at most WEBHOOK_MAX_BODY */
    struct str retry_after;
    int64_t took_us;
};
#define WEBHOOK_MAX_BODY 65536

struct webhook_verdict {
    enum webhook_class cls;
    char code[48];    /* the gateway's own code, "http_503", or curl's name; never an address */
    int64_t after_ms; /* wait asked for (Retry-After or the rule's delay), 0 = none */
};
/* The order: not sent -> retry (certificate troubles, forbidden address: account_stop); no complete
 * answer -> ambiguous, whatever the rules say of ok; then the adapter's rules, or the standard ones. */
void webhook_classify(const struct webhook_adapter *a, const struct webhook_answer *w,
                      int64_t now_ms, struct webhook_verdict *out);

/* ---- the client ------------------------------------------------------------------------------------- */

struct webhook_client;
/* Called once per request that webhook_send took. The answer is borrowed for the call. */
typedef void webhook_done_fn(void *arg, void *opaque, const struct webhook_answer *w);
/* max_transfers: of one multi handle; more handles are made as needed. 0 = 1000. */
int webhook_client_new(uint32_t max_transfers, webhook_done_fn *fn, void *arg,
                       struct webhook_client **out, struct err *err);
void webhook_client_free(struct webhook_client **c);   /* what is in flight gets no answer */
int webhook_client_fd(const struct webhook_client *c); /* an epoll fd: readable = poll */
/* Starts a request: signs, copies everything. `unix_s` is the signature's time. */
int webhook_send(struct webhook_client *c, const struct webhook_adapter *a, const char *id,
                 int64_t unix_s, struct str body, void *opaque, int64_t mono_ms, struct err *err);
void webhook_client_poll(struct webhook_client *c, int64_t mono_ms);
/* When to poll at the latest, though the fd says nothing: ms from mono_ms, -1 = no need. */
int64_t webhook_client_timeout_ms(const struct webhook_client *c, int64_t mono_ms);
uint32_t webhook_client_in_flight(const struct webhook_client *c);

#endif
