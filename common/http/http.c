/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: libmicrohttpd in external epoll mode: its epoll descriptor goes into the caller's set, and no
 * thread is started.  A request is collected whole (up to max_body), answered by the handler at once.
 */
#include "http.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include <microhttpd.h>

#define HTTP_CONNECTIONS 512
#define HTTP_TIMEOUT_S 30
#define HTTP_MAX_ANSWER (64U << 20)

struct http_server {
    struct MHD_Daemon *daemon;
    http_handler_fn *fn;
    void *arg;
    size_t max_body;
};
struct pending {
    struct buf body;
};

static enum MHD_Result respond(struct MHD_Connection *c, struct http_response *r)
{
    struct MHD_Response *m =
        MHD_create_response_from_buffer(r->body.n, r->body.p, MHD_RESPMEM_MUST_COPY);
    buf_free(&r->body);
    if (!m)
        return MHD_NO;
    (void)MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE, r->content_type);
    enum MHD_Result rc = MHD_queue_response(c, (unsigned)r->status, m);
    MHD_destroy_response(m);
    return rc;
}

static enum MHD_Result refuse(struct MHD_Connection *c, int status, const char *text)
{
    struct http_response r = {status, "text/plain; charset=utf-8", {0}};
    buf_init(&r.body, 1024);
    buf_adds(&r.body, text);
    return respond(c, &r);
}

static enum MHD_Result on_query(void *arg, enum MHD_ValueKind kind, const char *key,
                                const char *value)
{
    struct buf *b = arg;
    (void)kind;
    buf_addf(b, "%s%s=%s", b->n ? "&" : "", key, value ? value : "");
    return MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    struct http_server *s = arg;
    struct pending *p = *state;
    (void)version;
    if (!p) { /* the head alone */
        p = xcalloc(1, sizeof *p);
        buf_init(&p->body, s->max_body);
        *state = p;
        return MHD_YES;
    }
    if (*size) {
        buf_add(&p->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (p->body.over)
        return refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, "body too large\n");
    struct buf query;
    buf_init(&query, 8192);
    (void)MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, on_query, &query);
    struct http_request r = {str_c(method), str_c(url), buf_str(&query), buf_str(&p->body)};
    struct http_response out = {200, "text/plain; charset=utf-8", {0}};
    buf_init(&out.body, HTTP_MAX_ANSWER);
    s->fn(s->arg, &r, &out);
    buf_free(&query);
    return respond(c, &out);
}

static void on_done(void *arg, struct MHD_Connection *c, void **state,
                    enum MHD_RequestTerminationCode why)
{
    struct pending *p = *state;
    (void)arg;
    (void)c;
    (void)why;
    if (p)
        buf_free(&p->body);
    free(p);
    *state = NULL;
}

static int parse_address(const char *address, struct sockaddr_in *out, struct err *err)
{
    char host[64];
    const char *colon = strrchr(address, ':');
    int64_t port;
    memset(out, 0, sizeof *out);
    out->sin_family = AF_INET;
    if (!colon || (size_t)(colon - address) >= sizeof host ||
        str_i64(str_c(colon + 1), &port) != 0 || port < 0 || port > 65535)
        return err_set(err, ERR_INPUT, "not an address like 127.0.0.1:8080: `%s`", address);
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    out->sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, host, &out->sin_addr) != 1)
        return err_set(err, ERR_INPUT, "not an IPv4 address: `%s`", host);
    return 0;
}

int http_server_new(const char *address, size_t max_body, http_handler_fn *fn, void *arg,
                    struct http_server **out, struct err *err)
{
    struct sockaddr_in at;
    if (parse_address(address, &at, err) != 0)
        return -1;
    struct http_server *s = xcalloc(1, sizeof *s);
    s->fn = fn;
    s->arg = arg;
    s->max_body = max_body;
    s->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR,
                                 (struct sockaddr *)&at, MHD_OPTION_NOTIFY_COMPLETED, on_done, NULL,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS,
                                 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_S,
                                 MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_END);
    if (!s->daemon) {
        free(s);
        return err_set(err, ERR_FATAL, "cannot listen on %s", address);
    }
    *out = s;
    return 0;
}

void http_server_free(struct http_server **s)
{
    if (!*s)
        return;
    MHD_stop_daemon((*s)->daemon);
    free(*s);
    *s = NULL;
}

int http_port(const struct http_server *s)
{
    const union MHD_DaemonInfo *i = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return i ? i->port : 0;
}

int http_server_fd(const struct http_server *s)
{
    const union MHD_DaemonInfo *i = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return i ? i->epoll_fd : -1;
}

void http_server_poll(struct http_server *s)
{
    (void)MHD_run(s->daemon);
}

int64_t http_server_timeout_ms(const struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG ms;
    return MHD_get_timeout(s->daemon, &ms) == MHD_YES ? (int64_t)ms : -1;
}
