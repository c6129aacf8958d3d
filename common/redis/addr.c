/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: "host:port", "[ipv6]:port" and "unix:/path" into a non-blocking socket that connects. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "redis_priv.h"

/* EINPROGRESS is the good case of TCP; a unix socket's full backlog is EAGAIN. */
static int start(int fd, const struct sockaddr *a, socklen_t n, const char *name, struct err *err)
{
    if (connect(fd, a, n) == 0 || errno == EINPROGRESS)
        return 0;
    int e = errno;
    close(fd);
    return err_set(err, ERR_AGAIN, "redis %s: %s", name, strerror(e));
}

static int unix_connect(const char *path, int *out, struct err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path)
        return err_set(err, ERR_FATAL, "redis: socket path too long: %s", path);
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, ERR_AGAIN, "redis: socket: %s", strerror(errno));
    if (start(fd, (const struct sockaddr *)&a, sizeof a, path, err) != 0)
        return -1;
    *out = fd;
    return 0;
}

/* "host:port" or "[v6]:port" */
static int split(const char *address, char *host, size_t n, const char **port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == '\0' || strlen(colon + 1) > 5)
        return -1;
    const char *from = address;
    size_t len = (size_t)(colon - address);
    if (len >= 2 && from[0] == '[' && from[len - 1] == ']') {
        from++;
        len -= 2;
    }
    if (len == 0 || len >= n)
        return -1;
    memcpy(host, from, len);
    host[len] = '\0';
    *port = colon + 1;
    return 0;
}

bool addr_ok(const char *address)
{
    char host[256];
    const char *port;
    if (strncmp(address, "unix:", 5) == 0)
        return address[5] == '/';
    if (split(address, host, sizeof host, &port) != 0)
        return false;
    return strspn(port, "0123456789") == strlen(port);
}

static int tcp_connect(struct redis *r, int *out, struct err *err)
{
    char host[256];
    const char *port;
    if (split(r->address, host, sizeof host, &port) != 0)
        return err_set(err, ERR_FATAL, "redis: not an address: %s", r->address);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc != 0)
        return err_set(err, ERR_AGAIN, "redis %s: %s", r->address, gai_strerror(rc));
    unsigned n = 0;
    for (struct addrinfo *i = list; i != NULL; i = i->ai_next)
        n++;
    struct addrinfo *a = list;
    for (unsigned i = r->tries++ % n; i > 0; i--)
        a = a->ai_next;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        freeaddrinfo(list);
        return err_set(err, ERR_AGAIN, "redis: socket: %s", strerror(errno));
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    rc = start(fd, a->ai_addr, a->ai_addrlen, r->address, err);
    freeaddrinfo(list);
    if (rc == 0)
        *out = fd;
    return rc;
}

int addr_connect(struct redis *r, int *fd, struct err *err)
{
    if (strncmp(r->address, "unix:", 5) == 0)
        return unix_connect(r->address + 5, fd, err);
    return tcp_connect(r, fd, err);
}
