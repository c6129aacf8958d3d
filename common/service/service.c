/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service: the frame of every daemon.  One epoll set holds the service's descriptors, the HTTP
 * server's and the signals'; service_wait serves what is ready and returns.  The clocks and the only
 * source of randomness are here, so that "who reads a clock" is a question grep can answer.
 */
#include "service_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_FD 65536
#define MAX_REQUEST (1U << 20)

struct watch {
    service_fd_fn *fn;
    void *arg;
    uint32_t events; /* 0 = not watched */
};
struct service {
    const struct service_spec *spec;
    struct arena *arena;
    int epoll_fd, signal_fd;
    struct watch *watches; /* by fd */
    int n_watches;
    struct http_server *http;
    bool stopping, ready, told;
    char health[256];
};

/* ---- clocks and randomness ---- */

static int64_t clock_ms(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t service_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t service_mono_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

void service_random(uint8_t *p, size_t n)
{
    while (n) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        }
    }
}

void service_kafka_log(void *arg, int level, const char *facility, const char *text)
{
    (void)arg;
    if (level <= 4)
        log_warn("kafka", "facility=%s text=%s", facility, text);
    else
        log_debug("kafka", "facility=%s text=%s", facility, text);
}

/* ---- the options every service has ---- */

#define BASE_OPTION(field) (SERVICE_BASE_BIT | offsetof(struct service_base_conf, field))
static const struct option_def base_options[] = {
    {"log-level", OPT_STRING, BASE_OPTION(log_level), "info", 0, 0,
     "Least level that is logged: debug info warn error."},
    {"http", OPT_STRING, BASE_OPTION(http), "127.0.0.1:0", 0, 0,
     "Address of /metrics and /healthz; port 0 takes a free one and logs it."},
};

/* The service's table with the common options behind it. */
static struct service_spec whole_spec(const struct service_spec *spec, struct arena *a)
{
    size_t n = spec->n_options;
    struct option_def *all = ARENA_ARRAY(a, struct option_def, n + BASE_LEN(base_options));
    memcpy(all, spec->options, n * sizeof *all);
    memcpy(all + n, base_options, sizeof base_options);
    return (struct service_spec){spec->name, spec->summary, all, n + BASE_LEN(base_options)};
}

static void print_reference(const struct service_spec *spec)
{
    (void)printf("## %s\n\n%s\n\n| option | default | meaning |\n|---|---|---|\n", spec->name,
                 spec->summary);
    for (size_t i = 0; i < spec->n_options; i++) {
        const struct option_def *o = &spec->options[i];
        (void)printf("| `--%s` | %s%s%s | %s |\n", o->name, o->dflt && o->dflt[0] ? "`" : "",
                     o->dflt ? o->dflt : "required", o->dflt && o->dflt[0] ? "`" : "", o->help);
    }
}

/* --help, --version, --options-md: true when one was there. */
static bool print_pages(const struct service_spec *spec, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            struct buf b;
            buf_init(&b, 1 << 16);
            options_help(spec, &b);
            (void)fputs(b.p, stdout);
            (void)puts("  --config                 A YAML file of `name: value` lines.\n"
                       "  --help --version --options-md");
            buf_free(&b);
            return true;
        }
        if (strcmp(argv[i], "--version") == 0) {
            (void)printf("%s %s\n", spec->name, ROUSE_VERSION);
            return true;
        }
        if (strcmp(argv[i], "--options-md") == 0) {
            print_reference(spec);
            return true;
        }
    }
    return false;
}

/* ---- HTTP ---- */

static void on_http(void *arg, const struct http_request *r, struct http_response *out)
{
    struct service *s = arg;
    if (str_eqc(r->path, "/metrics")) {
        out->content_type = "text/plain; version=0.0.4; charset=utf-8";
        metrics_write(&out->body);
        return;
    }
    if (str_eqc(r->path, "/healthz")) {
        out->status = s->ready ? 200 : 503;
        buf_adds(&out->body, s->ready ? "ok" : "not ready");
        buf_addf(&out->body, "%s%s\n", s->health[0] ? ": " : "", s->health);
        return;
    }
    out->status = 404;
    buf_adds(&out->body, "not found\n");
}

static void on_http_fd(void *arg)
{
    struct service *s = arg;
    http_server_poll(s->http);
}

static void on_signal(void *arg)
{
    struct service *s = arg;
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (!s->stopping)
            log_info("stopping", "signal=%d", (int)info.ssi_signo);
        s->stopping = true;
    }
}

/* ---- start and end ---- */

static int open_loop(struct service *s, const char *address, struct err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL); /* library threads inherit it */
    (void)signal(SIGPIPE, SIG_IGN);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s->epoll_fd < 0 || s->signal_fd < 0)
        return err_set(err, ERR_FATAL, "cannot make an event loop: %m");
    if (http_server_new(address, MAX_REQUEST, on_http, s, &s->http, err) != 0)
        return err_wrap(err, "--http");
    (void)service_watch(s, s->signal_fd, on_signal, s);
    (void)service_watch(s, http_server_fd(s->http), on_http_fd, s);
    return 0;
}

static int start(struct service *s, const struct service_spec *all, int argc, char **argv,
                 void *conf, struct err *err)
{
    enum log_level level;
    if (options_parse(all, argc, argv, conf, s->arena, NULL, NULL, err) != 0)
        return -1;
    if (log_level_parse(service_base.log_level, &level) != 0)
        return err_set(err, ERR_INPUT, "--log-level must be debug, info, warn or error, not `%s`",
                       service_base.log_level);
    log_init(s->spec->name, level, service_now_ms);
    return open_loop(s, service_base.http, err);
}

/* Said when the loop begins, so that a start that fails says one line: why. */
static void tell(struct service *s)
{
    if (!s->told)
        log_info("started", "version=%s http_port=%d pid=%d", ROUSE_VERSION, http_port(s->http),
                 (int)getpid());
    s->told = true;
}

struct service *service_start(const struct service_spec *spec, int argc, char **argv, void *conf,
                              int *exit_code)
{
    struct err err = {0};
    struct service *s = xcalloc(1, sizeof *s);
    s->epoll_fd = s->signal_fd = -1;
    s->arena = arena_new(0);
    s->spec = spec;
    struct service_spec all = whole_spec(spec, s->arena);
    *exit_code = 0;
    if (print_pages(&all, argc, argv)) {
        service_free(&s);
        return NULL;
    }
    if (start(s, &all, argc, argv, conf, &err) != 0) {
        (void)fprintf(stderr, "%s: %s\n", spec->name, err.text);
        *exit_code = 2;
        service_free(&s);
        return NULL;
    }
    return s;
}

void service_free(struct service **s)
{
    if (!*s)
        return;
    http_server_free(&(*s)->http);
    if ((*s)->signal_fd >= 0)
        (void)close((*s)->signal_fd);
    if ((*s)->epoll_fd >= 0)
        (void)close((*s)->epoll_fd);
    free((*s)->watches);
    arena_free(&(*s)->arena);
    free(*s);
    *s = NULL;
}

/* ---- the loop ---- */

static int watch(struct service *s, int fd, uint32_t events, service_fd_fn *fn, void *arg)
{
    if (fd < 0 || fd >= MAX_FD)
        return -1;
    if (fd >= s->n_watches) {
        int n = fd + 64;
        s->watches = xrealloc(s->watches, (size_t)n * sizeof *s->watches);
        memset(s->watches + s->n_watches, 0, (size_t)(n - s->n_watches) * sizeof *s->watches);
        s->n_watches = n;
    }
    struct watch *w = &s->watches[fd];
    struct epoll_event e = {.events = events, .data = {.fd = fd}};
    int op = w->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (!(w->events == events) && epoll_ctl(s->epoll_fd, op, fd, &e) != 0) {
        /* The descriptor was closed and opened again behind our back: epoll forgot it. */
        op = op == EPOLL_CTL_MOD ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
        if (epoll_ctl(s->epoll_fd, op, fd, &e) != 0)
            return -1;
    }
    *w = (struct watch){fn, arg, events};
    return 0;
}

int service_watch(struct service *s, int fd, service_fd_fn *fn, void *arg)
{
    return watch(s, fd, EPOLLIN, fn, arg);
}

int service_watch_rw(struct service *s, int fd, bool want_write, service_fd_fn *fn, void *arg)
{
    return watch(s, fd, EPOLLIN | (want_write ? (uint32_t)EPOLLOUT : 0), fn, arg);
}

void service_unwatch(struct service *s, int fd)
{
    if (fd < 0 || fd >= s->n_watches || !s->watches[fd].events)
        return;
    (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    memset(&s->watches[fd], 0, sizeof s->watches[fd]);
}

bool service_wait(struct service *s, int timeout_ms)
{
    struct epoll_event events[64];
    int64_t http_ms = http_server_timeout_ms(s->http);
    tell(s);
    if (http_ms >= 0 && (timeout_ms < 0 || http_ms < timeout_ms))
        timeout_ms = (int)http_ms;
    int n = epoll_wait(s->epoll_fd, events, BASE_LEN(events), timeout_ms);
    for (int i = 0; i < n; i++) {
        int fd = events[i].data.fd;
        if (fd < s->n_watches && s->watches[fd].events)
            s->watches[fd].fn(s->watches[fd].arg);
    }
    if (http_ms >= 0)
        http_server_poll(s->http);
    return !s->stopping;
}

void service_health(struct service *s, bool ready, const char *text)
{
    s->ready = ready;
    (void)snprintf(s->health, sizeof s->health, "%s", text ? text : "");
}
