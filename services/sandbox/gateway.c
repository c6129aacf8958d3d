/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway: SMS and WeChat gateways for demos and tests, all in one process: the path names the gateway.
 * They verify the Standard Webhooks signature, write every request to a journal (one JSON object a line)
 * before they answer, know an id that they have taken before, and fail as they are told, at the start
 * (--faults) or while they run:
 *
 *     POST /_control   body: a fault list as of --faults, or `clear`
 *     GET  /_stats     counts as JSON
 *
 * Journal: {"at_ns","gateway","id","member","rule","message","to","template","text","sha256","fault",
 * "status","processed","duplicate"}; `processed` is true in exactly one line of an id that was taken.
 */
#include "gateway_priv.h"

#include "model.h"
#include "sandbox.h"
#include "webhook.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define TAKEN ((void *)1)

struct gw_conf {
    const char *listen, *port_file, *journal, *secret_file, *faults;
    int64_t tolerance_ms;
};

struct gw {
    struct gw_conf conf;
    struct webhook_keys keys;
    struct faults faults;
    struct gw_server *server;
    struct map *taken; /* ids */
    struct arena *arena;
    struct buf lines;
    int journal_fd;
    bool failed; /* the journal could not be written */
    uint64_t requests, processed, duplicates, refused_signature, by_fault[FAULT_N];
};

#define AT(field) offsetof(struct gw_conf, field)
static const struct option_def options[] = {
    {"listen", OPT_STRING, AT(listen), "127.0.0.1:0", 0, 0, "Address; port 0 = any free one."},
    {"port-file", OPT_STRING, AT(port_file), "", 0, 0, "Write the port here once it listens."},
    {"journal", OPT_STRING, AT(journal), NULL, 0, 0, "File to append every request to."},
    {"secret-file", OPT_STRING, AT(secret_file), NULL, 0, 0, "whsec_ secrets, one a line."},
    {"faults", OPT_STRING, AT(faults), "", 0, 0,
     "FAULT=GATEWAY:SHARE,…; GATEWAY may be *. Faults: fail err200 busy200 refuse throttle stop "
     "drop "
     "lost stall half redirect. Also next=FAULT:GATEWAY:N and down=LENGTH."},
    {"tolerance", OPT_DURATION, AT(tolerance_ms), "5m", 0, 86400000,
     "How old or new a timestamp may be; 0s = any (time-lapse)."},
};
static const struct service_spec spec = {
    "rouse-sandbox gateway",
    "rouse-sandbox gateway: SMS and WeChat gateways that answer, fail, stall and drop as told.",
    options, BASE_LEN(options)};

/* ---- the journal ------------------------------------------------------------------------------------------ */

static int64_t wall_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void text_field(struct buf *b, const char *key, struct str v)
{
    buf_addf(b, ",\"%s\":", key);
    json_write_str(b, v);
}

struct seen { /* what a request was */
    struct str gateway;
    const struct json *data;
    enum fault fault;
    const char *refused; /* a word; NULL = genuine */
    int status;
    bool processed, duplicate;
};

static void journal(struct gw *g, const struct gw_request *r, const struct seen *e)
{
    static const char *const fields[] = {"member", "rule", "message", "to", "template", "text"};
    uint8_t sum[32];
    char hex[65];
    struct buf *b = &g->lines;
    buf_addf(b, "{\"at_ns\":%" PRId64, wall_ns());
    text_field(b, "gateway", e->gateway);
    text_field(b, "id", r->id);
    for (size_t i = 0; i < BASE_LEN(fields); i++)
        text_field(b, fields[i], e->data ? json_str(e->data, fields[i]) : STR(""));
    hash_sha256(r->body.p, r->body.n, sum);
    enc_hex(sum, sizeof sum, hex);
    text_field(b, "sha256", str_c(hex));
    text_field(b, "fault", str_c(e->refused ? e->refused : fault_names[e->fault]));
    buf_addf(b, ",\"status\":%d,\"processed\":%s,\"duplicate\":%s}\n", e->status,
             e->processed ? "true" : "false", e->duplicate ? "true" : "false");
}

static void write_journal(void *arg)
{
    struct gw *g = arg;
    size_t done = 0;
    while (done < g->lines.n) {
        ssize_t n = write(g->journal_fd, g->lines.p + done, g->lines.n - done);
        if (n < 0 && errno != EINTR) {
            fprintf(stderr, "rouse-sandbox gateway: the journal cannot be written: %s\n",
                    strerror(errno));
            g->failed = true;
            break;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    buf_reset(&g->lines);
}

/* ---- a message --------------------------------------------------------------------------------------------- */

static const struct {
    int status;
    enum gw_action action;
    bool takes;
    const char *headers, *body;
} fates[FAULT_N] = {
    [FAULT_NONE] = {200, GW_ANSWER, true, "", "{\"errcode\":0,\"errmsg\":\"ok\"}"},
    [FAULT_FAIL] = {503, GW_ANSWER, false, "", "{\"errmsg\":\"unavailable\"}"},
    [FAULT_ERR200] = {200, GW_ANSWER, false, "",
                      "{\"errcode\":43004,\"errmsg\":\"require subscribe\"}"},
    [FAULT_BUSY200] = {200, GW_ANSWER, false, "", "{\"errcode\":-1,\"errmsg\":\"system busy\"}"},
    [FAULT_REFUSE] = {404, GW_ANSWER, false, "", "{\"errmsg\":\"no such recipient\"}"},
    [FAULT_THROTTLE] = {429, GW_ANSWER, false, "Retry-After: 1\r\n", "{\"errmsg\":\"slow down\"}"},
    [FAULT_STOP] = {403, GW_ANSWER, false, "", "{\"errmsg\":\"account stopped\"}"},
    [FAULT_DROP] = {0, GW_CLOSE, false, "", ""},
    [FAULT_LOST] = {0, GW_CLOSE, true, "", ""},
    [FAULT_STALL] = {0, GW_STALL, true, "", ""},
    [FAULT_HALF] = {200, GW_HALF, true, "", "{\"errcode\":0,\"errmsg\":\"ok\"}"},
    [FAULT_REDIRECT] = {307, GW_ANSWER, false, "Location: http://169.254.169.254/\r\n", ""},
};

static void meet(struct gw *g, const struct gw_request *r, struct seen *e, struct str content,
                 struct gw_reply *out)
{
    bool before = map_get(g->taken, r->id) != NULL;
    e->fault = faults_meet(&g->faults, e->gateway, content);
    e->status = fates[e->fault].status;
    e->processed = fates[e->fault].takes && !before;
    e->duplicate = before;
    if (e->processed)
        map_put(g->taken, r->id, TAKEN);
    g->processed += e->processed;
    g->duplicates += before;
    g->by_fault[e->fault]++;
    out->status = e->status;
    out->action = fates[e->fault].action;
    out->headers = fates[e->fault].headers;
    buf_adds(&out->body, fates[e->fault].body);
}

/* The bytes of "data" in the body as they came, the send content: what the fate is a function of. */
static struct str content_of(struct str body)
{
    static const char key[] = "\"data\":";
    const char *at = body.n ? memmem(body.p, body.n, key, sizeof key - 1) : NULL;
    return at ? (struct str){at, body.n - (size_t)(at - body.p)} : body;
}

static void message(struct gw *g, const struct gw_request *r, struct gw_reply *out)
{
    const struct json *j = NULL;
    struct seen e = {.gateway = {r->path.p + 1, r->path.n - 1}};
    g->requests++;
    arena_reset(g->arena);
    if (json_parse(r->body, 16, g->arena, &j, NULL) == 0)
        e.data = json_get(j, "data");
    e.refused = webhook_verify(&g->keys, r->id, r->timestamp, r->signature, r->body,
                               wall_ns() / 1000000000, g->conf.tolerance_ms / 1000);
    if (!e.refused && (!e.data || !str_eq(json_str(j, "id"), r->id)))
        e.refused = "bad_body";
    if (e.refused) {
        g->refused_signature++;
        out->status = e.status = 401;
        buf_addf(&out->body, "{\"errmsg\":\"%s\"}", e.refused);
    } else {
        meet(g, r, &e, content_of(r->body), out);
    }
    journal(g, r, &e);
}

/* ---- control and counts ------------------------------------------------------------------------------------- */

static void control(struct gw *g, struct str spec_text, struct gw_reply *out)
{
    struct err err = {0};
    if (faults_parse(spec_text, &g->faults, &err)) {
        out->status = 400;
        json_write_str(&out->body, str_c(err.text));
        return;
    }
    buf_adds(&out->body, "{\"ok\":true}");
}

static void stats(const struct gw *g, struct gw_reply *out)
{
    buf_addf(&out->body,
             "{\"requests\":%" PRIu64 ",\"processed\":%" PRIu64 ",\"duplicates\":%" PRIu64
             ",\"refused\":%" PRIu64,
             g->requests, g->processed, g->duplicates, g->refused_signature);
    for (int i = FAULT_FAIL; i < FAULT_N; i++)
        if (g->by_fault[i])
            buf_addf(&out->body, ",\"%s\":%" PRIu64, fault_names[i], g->by_fault[i]);
    buf_adds(&out->body, "}\n");
}

static void handle(void *arg, const struct gw_request *r, struct gw_reply *out)
{
    struct gw *g = arg;
    bool post = str_eqc(r->method, "POST");
    if (post && str_eqc(r->path, "/_control")) {
        control(g, r->body, out);
    } else if (!post && str_eqc(r->path, "/_stats")) {
        stats(g, out);
    } else if (post && r->path.n > 1 && r->path.n <= 33) {
        message(g, r, out);
    } else {
        out->status = 404;
        buf_adds(&out->body, "{\"errmsg\":\"POST /GATEWAY, POST /_control or GET /_stats\"}");
    }
}

/* ---- the process ------------------------------------------------------------------------------------------- */

static int write_port(const struct gw *g, struct err *err)
{
    char tmp[1024];
    if (!g->conf.port_file[0])
        return 0;
    (void)snprintf(tmp, sizeof tmp, "%s.new", g->conf.port_file);
    FILE *f = fopen(tmp, "we");
    if (!f)
        return err_set(err, ERR_FATAL, "cannot write %s: %s", tmp, strerror(errno));
    int bad = fprintf(f, "%d\n", gw_server_port(g->server)) < 0;
    bad |= fclose(f) != 0;
    if (bad || rename(tmp, g->conf.port_file))
        return err_set(err, ERR_FATAL, "cannot write %s", g->conf.port_file);
    return 0;
}

/* Ids taken before a restart are taken. */
static void recall(struct gw *g)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    FILE *f = fopen(g->conf.journal, "re");
    while (f && (n = getline(&line, &cap, f)) > 0) {
        const struct json *j = NULL;
        arena_reset(g->arena);
        if (json_parse((struct str){line, (size_t)n}, 4, g->arena, &j, NULL))
            continue;
        const struct json *p = json_get(j, "processed");
        if (p && p->kind == JSON_BOOL && p->b)
            map_put(g->taken, json_str(j, "id"), TAKEN);
    }
    free(line);
    if (f)
        (void)fclose(f);
}

static int set_up(struct gw *g, struct err *err)
{
    if (webhook_keys_load(g->conf.secret_file, &g->keys, err) ||
        faults_parse(str_c(g->conf.faults), &g->faults, err))
        return -1;
    recall(g);
    g->journal_fd = open(g->conf.journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (g->journal_fd < 0)
        return err_set(err, ERR_INPUT, "cannot open %s: %s", g->conf.journal, strerror(errno));
    if (gw_server_new(g->conf.listen, handle, write_journal, g, &g->server, err))
        return -1;
    return write_port(g, err);
}

static int stop_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int sandbox_gateway(int argc, char **argv)
{
    struct gw g = {.journal_fd = -1};
    struct err err = {0};
    struct arena *a = arena_new(0);
    int rc = sandbox_options(&spec, argc, argv, &g.conf, a), code = rc < 0 ? 2 : 0;
    if (rc) {
        arena_free(&a);
        return code;
    }
    g.taken = map_new(true);
    g.arena = arena_new(0);
    buf_init(&g.lines, 256u << 20);
    int stop = stop_signals();
    if (set_up(&g, &err)) {
        code = sandbox_fail(spec.name, &err) + (err.kind == ERR_INPUT);
    } else {
        while (!g.failed && gw_server_turn(g.server, 200, stop)) {
            if (g.faults.down_ms)
                gw_server_down(g.server, g.faults.down_ms);
            g.faults.down_ms = 0;
        }
        code = g.failed ? 1 : 0;
    }
    gw_server_free(&g.server);
    if (g.journal_fd >= 0)
        (void)close(g.journal_fd);
    (void)close(stop);
    map_free(&g.taken);
    arena_free(&g.arena);
    arena_free(&a);
    buf_free(&g.lines);
    explicit_bzero(&g.keys, sizeof g.keys);
    return code;
}
