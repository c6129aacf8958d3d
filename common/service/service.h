/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service: what every main() shares.  Options from one table (YAML file, environment, command line,
 * --help and the generated reference), logging, /metrics and /healthz, signals as a file descriptor,
 * and the clocks: only a main loop may call service_now_ms and service_mono_ms.
 *
 * Precedence: command line, then ROUSE_<NAME> in the environment, then the --config file, then the
 * default.  An unknown option or a bad value is one line on stderr and exit 2.
 */
#ifndef ROUSE_SERVICE_H
#define ROUSE_SERVICE_H

#include "http.h"
#include "log.h"
#include "metrics.h"

enum option_type {
    OPT_STRING,   /* const char * */
    OPT_INT,      /* int64_t, between min and max */
    OPT_BOOL,     /* bool: --name, --no-name, true, false */
    OPT_DURATION, /* int64_t ms: 500ms 30s 5m 2h 7d */
    OPT_SIZE,     /* int64_t bytes: 512KiB 64MiB 1GiB */
};
struct option_def {
    const char
        *name; /* "bootstrap"; command line --bootstrap, file key bootstrap, ROUSE_BOOTSTRAP */
    enum option_type type;
    size_t offset;    /* in the service's conf struct */
    const char *dflt; /* as text; NULL = must be given */
    int64_t min, max; /* INT, DURATION, SIZE; both 0 = any >= 0 */
    const char *help; /* a sentence */
};
struct service_spec {
    const char *name;    /* "rouse-engine" */
    const char *summary; /* first lines of --help */
    const struct option_def *options;
    size_t n_options;
};
/* Options every service has, besides its own: --config --log-level --http --help --version
 * --options-md (prints the reference). */
struct service;
/* Parses, starts logging, the HTTP server and signals. Returns NULL after --help and the like with
 * *exit_code 0, after an error with 2. Strings in conf live as long as the service. */
struct service *service_start(const struct service_spec *spec, int argc, char **argv, void *conf,
                              int *exit_code);
void service_free(struct service **s);
/* Parsing alone, for tools with subcommands: -1 and err. Positional arguments are left in rest. */
int options_parse(const struct service_spec *spec, int argc, char **argv, void *conf,
                  struct arena *a, const char **rest, size_t *n_rest, struct err *err);
void options_help(const struct service_spec *spec, struct buf *out);

int64_t service_now_ms(void);  /* wall clock */
int64_t service_mono_ms(void); /* for deadlines */
void service_random(uint8_t *p, size_t n);

/* For kafka_conf.log: what librdkafka has to say, levels up to warning (4) as warnings, else debug. */
void service_kafka_log(void *arg, int syslog_level, const char *facility, const char *text);

/* The loop: an epoll set. */
typedef void service_fd_fn(void *arg);
int service_watch(struct service *s, int fd, service_fd_fn *fn, void *arg); /* readable */
void service_unwatch(struct service *s, int fd);
/* Also writable (for sockets that are connecting or have a backlog). */
int service_watch_rw(struct service *s, int fd, bool want_write, service_fd_fn *fn, void *arg);
/* Wait up to timeout_ms for something, serve it (HTTP too). false once SIGTERM or SIGINT has come:
 * drain and stop. */
bool service_wait(struct service *s, int timeout_ms);
/* /healthz: ready = true gives 200 "ok", else 503 and the text. */
void service_health(struct service *s, bool ready, const char *text);

#endif
