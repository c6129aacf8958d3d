/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: a small server (the only libmicrohttpd), driven from the caller's loop without a thread of its
 * own.  Bounded: request body, connections, time.
 */
#ifndef ROUSE_HTTP_H
#define ROUSE_HTTP_H

#include "base.h"

struct http_request {
    struct str method, path, query, body;
};
struct http_response {
    int status;               /* 200 */
    const char *content_type; /* "text/plain; charset=utf-8" */
    struct buf body;          /* filled by the handler */
};
typedef void http_handler_fn(void *arg, const struct http_request *r, struct http_response *out);

struct http_server;
/* address "127.0.0.1:0" (port 0 = any free one; see http_port). */
int http_server_new(const char *address, size_t max_body, http_handler_fn *fn, void *arg,
                    struct http_server **out, struct err *err);
void http_server_free(struct http_server **s);
int http_port(const struct http_server *s);
int http_server_fd(
    const struct http_server *s); /* an epoll fd: readable when http_server_poll has work */
void http_server_poll(struct http_server *s);
int64_t http_server_timeout_ms(const struct http_server *s); /* -1 = none */

#endif
