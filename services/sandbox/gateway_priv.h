/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_priv: the sandbox's gateways: a small HTTP server (gateway_http.c), faults (gateway_faults.c)
 * and what they are for (gateway.c). */
#ifndef ROUSE_GATEWAY_PRIV_H
#define ROUSE_GATEWAY_PRIV_H

#include "sandbox_priv.h"

/* ---- faults -------------------------------------------------------------------------------------------- */

/* What happens to a request.  Which of these a message meets depends on gateway and content alone, so
 * every try of a message, in every run, meets the same. */
enum fault {
    FAULT_NONE,
    FAULT_FAIL,     /* 503, not taken */
    FAULT_ERR200,   /* 200 and {"errcode":43004}: refused in the body, not taken */
    FAULT_BUSY200,  /* 200 and {"errcode":-1}: try later, not taken */
    FAULT_REFUSE,   /* 404: no such recipient, not taken */
    FAULT_THROTTLE, /* 429 with Retry-After: 1, not taken */
    FAULT_STOP,     /* 403: account stopped, not taken */
    FAULT_DROP,     /* the connection ends without an answer, not taken */
    FAULT_LOST,     /* the connection ends without an answer, but taken */
    FAULT_STALL,    /* taken, and no answer ever comes */
    FAULT_HALF,     /* taken, and the answer is cut off in its body */
    FAULT_REDIRECT, /* 307 to another address, not taken */
    FAULT_N,
};
extern const char *const fault_names[FAULT_N];

#define FAULTS_MAX 32
struct faults {
    uint32_t n;
    struct fault_rule {
        enum fault fault;
        char gateway[33]; /* "*" = all */
        double share;     /* 0..1 */
    } rule[FAULTS_MAX];
    struct fault_next { /* the next `left` requests, whatever they say */
        enum fault fault;
        char gateway[33];
        uint32_t left;
    } next;
    int64_t down_ms; /* close the door for so long; taken by the server */
};
/* "fail=wechat:0.05,lost=sms:0.01,next=fail:sms:3,down=500ms" or "clear"; adds to what is there. */
int faults_parse(struct str spec, struct faults *f, struct err *err);
enum fault faults_meet(struct faults *f, struct str gateway, struct str content);

/* ---- the server ------------------------------------------------------------------------------------------ */

struct gw_request {
    struct str method, path, body;
    struct str id, timestamp, signature; /* of the webhook headers, empty = none */
};
enum gw_action { GW_ANSWER, GW_CLOSE, GW_STALL, GW_HALF };
struct gw_reply {
    int status;
    const char *headers; /* "Name: value\r\n"…, "" = none */
    enum gw_action action;
    struct buf body;
};
typedef void gw_handler_fn(void *arg, const struct gw_request *r, struct gw_reply *out);
struct gw_server;
/* address "127.0.0.1:0". before_answers is called once a turn, after the requests that have come were
 * handled and before an answer leaves. */
int gw_server_new(const char *address, gw_handler_fn *fn, void (*before_answers)(void *arg),
                  void *arg, struct gw_server **out, struct err *err);
void gw_server_free(struct gw_server **s);
int gw_server_port(const struct gw_server *s);
/* One turn; waits up to wait_ms. False once stop_fd is readable. */
bool gw_server_turn(struct gw_server *s, int wait_ms, int stop_fd);
/* Cut every connection and take no new one before `ms` have passed. */
void gw_server_down(struct gw_server *s, int64_t ms);

#endif
