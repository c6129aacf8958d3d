/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox: for tests of the dispatcher alone.  Plays the engine (writes genesis and chained decisions),
 * reads what the dispatcher wrote, waits for it, and compares the two with the gateways' journal.
 *
 *   outbox genesis BOOTSTRAP PARTITIONS append|record   makes the topics too, where the broker lets it
 *   outbox publish BOOTSTRAP STATE LIST COUNT [option=value …]
 *          STATE: file that keeps seq and chain of every partition between calls (made when missing)
 *          LIST: file to which one line a decision is appended: p seq id kind gateway
 *          gateway=sms|wechat|mix  purpose=service  expire_ms=N (from now)  back=K (write the last K of
 *          every partition again)  gap=1 (leave one out)  quiet=1 (quiet hours all day)  at_ms=N
 *   outbox wait BOOTSTRAP PARTITIONS SECONDS     until every decision is final (committed = end)
 *   outbox rounds BOOTSTRAP STATE LIST ROUNDS    one decision a partition, wait, again: ms a round
 *   outbox outcomes BOOTSTRAP PARTITIONS         dumps rouse.outcomes, a JSON object a line
 *   outbox judge LIST OUTCOMES JOURNAL           compares; prints the counts, 1 = something is wrong
 */
#include "kafka.h"
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TOPOLOGY 0x7e57u
#define MAX_PARTITIONS 64

static int fail(const struct err *err)
{
    fprintf(stderr, "outbox: %s\n", err->text);
    return 1;
}

static int64_t wall_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void on_report(void *arg, void *opaque, const char *topic, int32_t partition, int64_t offset,
                      const struct err *err)
{
    (void)opaque;
    (void)topic;
    (void)partition;
    (void)offset;
    *(int *)arg += err != NULL;
}

static int flush(struct kafka_producer **k, struct err *err)
{
    int bad = 0, rc = kafka_producer_flush(*k, 30000, on_report, &bad, err);
    kafka_producer_free(k);
    return rc || bad ? err_set(err, ERR_FATAL, "not everything was taken") : 0;
}

static int put(struct kafka_producer *k, const char *topic, int32_t p, struct str key,
               struct str value, struct err *err)
{
    int bad = 0;
    while (kafka_produce(k, topic, p, key, value, NULL, 0, NULL, err)) {
        if (err->kind != ERR_AGAIN)
            return -1;
        err_clear(err);
        (void)kafka_producer_poll(k, 100, on_report, &bad);
    }
    return 0;
}

/* ---- genesis, publish --------------------------------------------------------------------------------------- */

/* The sandbox broker has its topics already and makes none. */
static int make_topics(const struct kafka_conf *c, int32_t partitions, struct err *err)
{
    static const char *const names[] = {"rouse.control", "rouse.decisions", "rouse.outcomes"};
    for (size_t i = 0; i < BASE_LEN(names); i++) {
        struct kafka_topic t = {
            .name = names[i], .partitions = i ? partitions : 1, .replication = -1};
        if (kafka_topic_create(c, &t, 30000, err) < 0) {
            if (strcmp(err->code, "unsupported") != 0)
                return -1;
            err_clear(err);
        }
    }
    return 0;
}

static int genesis(char **a)
{
    struct err err = {0};
    struct kafka_conf c = {.bootstrap = a[0], .client_id = "outbox"};
    struct kafka_producer *k = NULL;
    struct genesis g = {.topology = TOPOLOGY,
                        .partitions = (uint32_t)atoi(a[1]),
                        .record_clock = strcmp(a[2], "record") == 0,
                        .end_ms = INT64_MAX / 2,
                        .version = 1};
    struct buf b;
    buf_init(&b, 65536);
    genesis_write(&g, &b);
    int rc = make_topics(&c, (int32_t)g.partitions, &err) || kafka_producer_new(&c, &k, &err) ||
             put(k, "rouse.control", 0, STR("genesis"), buf_str(&b), &err) || flush(&k, &err);
    kafka_producer_free(&k);
    buf_free(&b);
    return rc ? fail(&err) : 0;
}

struct state {
    uint32_t partitions;
    struct chain {
        uint64_t next;
        uint8_t chain[32];
    } p[MAX_PARTITIONS];
};
struct publish {
    uint32_t count, back;
    const char *gateway, *purpose;
    int64_t expire_ms, at_ms;
    bool gap, quiet;
};

static void publish_option(struct publish *o, const char *arg)
{
    const char *v = strchr(arg, '=');
    v = v ? v + 1 : "";
    if (str_starts(str_c(arg), "gateway="))
        o->gateway = v;
    else if (str_starts(str_c(arg), "purpose="))
        o->purpose = v;
    else if (str_starts(str_c(arg), "expire_ms="))
        o->expire_ms = atoll(v);
    else if (str_starts(str_c(arg), "at_ms="))
        o->at_ms = atoll(v);
    else if (str_starts(str_c(arg), "back="))
        o->back = (uint32_t)atoi(v);
    else if (str_starts(str_c(arg), "gap="))
        o->gap = true;
    else if (str_starts(str_c(arg), "quiet="))
        o->quiet = true;
}

static void make(struct state *s, uint32_t p, uint32_t i, const struct publish *o,
                 struct decision *d, char member[32], struct buf *out)
{
    static const struct param data[] = {{{"name", 4}, {.t = V_STRING, .n = 6, .s = "张三"}}};
    bool sms = strcmp(o->gateway, "mix") == 0 ? i % 2 : strcmp(o->gateway, "sms") == 0;
    (void)snprintf(member, 32, "m%" PRIu32 "-%" PRIu64, p, s->p[p].next);
    *d = (struct decision){.kind = i % 10 == 9 ? DEC_WITHHOLD : DEC_SEND,
                           .p = p,
                           .seq = s->p[p].next++,
                           .at_ms = o->at_ms,
                           .member = str_c(member),
                           .rule = STR("welcome"),
                           .key = STR(""),
                           .message = STR("hello"),
                           .send_key = STR("k"),
                           .purpose = str_c(o->purpose),
                           .template = STR("T01"),
                           .text = STR("您好"),
                           .data = data,
                           .n_data = 1,
                           .quiet_from = -1,
                           .quiet_to = -1};
    d->gateway = sms ? STR("sms") : STR("wechat");
    d->to = sms ? STR("13800000000") : STR("o-1");
    d->expire_ms = o->at_ms + o->expire_ms;
    if (o->quiet) {
        d->quiet_from = 0;
        d->quiet_to = 1439;
    }
    if (d->kind == DEC_WITHHOLD) {
        d->reason = STR("limit");
        d->gateway = d->to = d->template = d->text = STR("");
        d->n_data = 0;
    }
    buf_reset(out);
    decision_write(d, TOPOLOGY, s->p[p].chain, out);
}

static int load_state(const char *path, struct state *s)
{
    FILE *f = fopen(path, "re");
    memset(s, 0, sizeof *s);
    size_t n = f ? fread(s, sizeof *s, 1, f) : 0;
    if (f)
        (void)fclose(f);
    if (n == 1)
        return 0;
    const char *partitions = getenv("PARTITIONS");
    s->partitions = partitions ? (uint32_t)atoi(partitions) : 4;
    return s->partitions > MAX_PARTITIONS ? -1 : 0;
}

static int publish(char **a, int n)
{
    struct err err = {0};
    struct kafka_conf c = {.bootstrap = a[0], .client_id = "outbox", .linger_ms = 5};
    struct kafka_producer *k = NULL;
    struct state s;
    struct publish o = {.count = (uint32_t)atoi(a[3]),
                        .gateway = "sms",
                        .purpose = "service",
                        .expire_ms = 86400000,
                        .at_ms = wall_ms()};
    for (int i = 4; i < n; i++)
        publish_option(&o, a[i]);
    FILE *list = fopen(a[2], "ae");
    if (!list || load_state(a[1], &s) || kafka_producer_new(&c, &k, &err))
        return fail(&err);
    struct buf b, again[MAX_PARTITIONS];
    buf_init(&b, 65536);
    for (uint32_t p = 0; p < s.partitions; p++)
        buf_init(&again[p], 64u << 20);
    int rc = 0;
    for (uint32_t i = 0; i < o.count && !rc; i++) {
        struct decision d;
        char member[32];
        uint32_t p = i % s.partitions;
        make(&s, p, i / s.partitions, &o, &d, member, &b);
        if (!(o.gap && i == 0)) {
            rc = put(k, "rouse.decisions", (int32_t)p, STR(""), buf_str(&b), &err);
            (void)fprintf(list, "%" PRIu32 " %" PRIu64 " %s %s %.*s\n", p, d.seq, d.id,
                          d.kind == DEC_SEND ? "send" : "withhold", STR_ARG(d.gateway));
        }
        if (i / s.partitions + o.back >= o.count / s.partitions) {
            buf_addstr(&again[p], buf_str(&b));
            buf_addc(&again[p], '\n');
        }
    }
    for (uint32_t p = 0; p < s.partitions; p++) {
        for (size_t at = 0; o.back && at < again[p].n && !rc;) {
            const char *line = again[p].p + at, *nl = memchr(line, '\n', again[p].n - at);
            rc = put(k, "rouse.decisions", (int32_t)p, STR(""),
                     (struct str){line, (size_t)(nl - line)}, &err);
            at += (size_t)(nl - line) + 1;
        }
        buf_free(&again[p]);
    }
    rc = rc || flush(&k, &err);
    kafka_producer_free(&k);
    buf_free(&b);
    FILE *f = fopen(a[1], "we");
    rc |= !f || fwrite(&s, sizeof s, 1, f) != 1 || fclose(f) || fclose(list);
    return rc ? fail(&err) : 0;
}

/* ---- wait, outcomes --------------------------------------------------------------------------------------------- */

static bool caught_up(struct kafka_watch *w, uint32_t partitions, struct err *err)
{
    struct kafka_tp done[MAX_PARTITIONS], ends[MAX_PARTITIONS];
    for (uint32_t p = 0; p < partitions; p++)
        done[p] = ends[p] = (struct kafka_tp){"rouse.decisions", (int32_t)p, -1, {0}};
    if (kafka_watch_committed(w, done, partitions, 5000, err) ||
        kafka_watch_ends(w, ends, partitions, 5000, err))
        return false;
    for (uint32_t p = 0; p < partitions; p++)
        if (ends[p].offset > 0 && done[p].offset < ends[p].offset)
            return false;
    return true;
}

static int wait_for(char **a)
{
    struct err err = {0};
    struct kafka_conf c = {.bootstrap = a[0], .client_id = "outbox"};
    struct kafka_watch *w = NULL;
    int64_t end = wall_ms() + atoll(a[2]) * 1000;
    bool done = false;
    if (kafka_watch_new(&c, "rouse-dispatcher", &w, &err))
        return fail(&err);
    while (!done && wall_ms() < end) {
        struct timespec t = {0, 20000000};
        err_clear(&err);
        done = caught_up(w, (uint32_t)atoi(a[1]), &err);
        if (!done)
            (void)nanosleep(&t, NULL);
    }
    kafka_watch_free(&w);
    if (!done)
        fprintf(stderr, "outbox: not caught up in time %s\n", err.text);
    return done ? 0 : 1;
}

/* What a barrier of the time-lapse costs: decisions to committed offsets, one round after another. */
static int rounds(char **a)
{
    struct err err = {0};
    struct kafka_conf c = {.bootstrap = a[0], .client_id = "outbox"};
    struct kafka_watch *w = NULL;
    struct kafka_producer *k = NULL;
    struct publish o = {
        .gateway = "mix", .purpose = "service", .expire_ms = 86400000, .at_ms = wall_ms()};
    struct state s;
    struct buf b;
    FILE *list = fopen(a[2], "ae");
    int bad = 0, n = atoi(a[3]);
    if (!list || load_state(a[1], &s) || kafka_producer_new(&c, &k, &err) ||
        kafka_watch_new(&c, "rouse-dispatcher", &w, &err))
        return fail(&err);
    buf_init(&b, 65536);
    int64_t from = 0;
    for (int i = 0; i <= n; i++) {
        if (i == 1)
            from = wall_ms(); /* the first round is for connecting */
        for (uint32_t p = 0; p < s.partitions; p++) {
            struct decision d;
            char member[32];
            make(&s, p, (uint32_t)i, &o, &d, member, &b);
            if (put(k, "rouse.decisions", (int32_t)p, STR(""), buf_str(&b), &err))
                return fail(&err);
            (void)fprintf(list, "%" PRIu32 " %" PRIu64 " %s %s %.*s\n", p, d.seq, d.id,
                          d.kind == DEC_SEND ? "send" : "withhold", STR_ARG(d.gateway));
        }
        if (kafka_producer_flush(k, 10000, on_report, &bad, &err))
            return fail(&err);
        while (!caught_up(w, s.partitions, &err)) {
            struct timespec t = {0, 1000000};
            (void)nanosleep(&t, NULL);
        }
    }
    printf("ms a round: %.1f\n", (double)(wall_ms() - from) / n);
    kafka_watch_free(&w);
    kafka_producer_free(&k);
    buf_free(&b);
    FILE *f = fopen(a[1], "we");
    return !f || fwrite(&s, sizeof s, 1, f) != 1 || fclose(f) || fclose(list);
}

static int print_one(void *arg, const struct kafka_msg *m)
{
    (void)arg;
    if (m->err)
        return -1;
    printf("%.*s\n", STR_ARG(m->value));
    return 0;
}

static int outcomes(char **a)
{
    struct err err = {0};
    struct kafka_conf c = {.bootstrap = a[0], .client_id = "outbox"};
    for (int p = 0; p < atoi(a[1]); p++)
        if (kafka_read_all(&c, "rouse.outcomes", p, KAFKA_BEGINNING, print_one, NULL, 10000, &err))
            return fail(&err);
    return 0;
}

/* ---- judge -------------------------------------------------------------------------------------------------------- */

struct message {
    bool send, processed, listed, final;
    unsigned requests, taken; /* taken: requests that the gateway would have applied */
    char status[16];
};
struct judge {
    struct map *by_id;
    unsigned bad;
    unsigned sends, withheld, requests, again, listed, by_status[8];
};
static const char *const statuses[] = {"sent", "failed", "ambiguous", "expired", "returned"};

static void wrong(struct judge *j, const char *what, const char *id)
{
    if (j->bad++ < 20)
        fprintf(stderr, "outbox: %s: %s\n", what, id);
}

static int read_list(struct judge *j, const char *path)
{
    char id[64], kind[16], line[256];
    unsigned p;
    uint64_t seq;
    FILE *f = fopen(path, "re");
    if (!f)
        return -1;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "%u %" SCNu64 " %63s %15s", &p, &seq, id, kind) == 4) {
            struct message *m = xcalloc(1, sizeof *m);
            m->send = strcmp(kind, "send") == 0;
            j->sends += m->send;
            j->withheld += !m->send;
            map_put(j->by_id, str_c(id), m);
        }
    return fclose(f);
}

static void read_result(struct judge *j, struct str line, struct arena *a)
{
    struct outcome o;
    if (outcome_read(line, a, &o, NULL) || o.kind != OUT_RESULT)
        return;
    struct message *m = map_get(j->by_id, str_c(o.id));
    if (!m || !m->send) {
        wrong(j, "a result of a message that is none", o.id);
        return;
    }
    m->listed |= str_eqc(o.result_class, "ambiguous");
    if (!o.final || m->final)
        return;
    m->final = true;
    (void)snprintf(m->status, sizeof m->status, STR_FMT, STR_ARG(o.status));
}

static void read_request(struct judge *j, struct str line, struct arena *a)
{
    const struct json *r = NULL;
    if (json_parse(line, 8, a, &r, NULL))
        return;
    struct str id = json_str(r, "id"), fault = json_str(r, "fault");
    struct message *m = map_get(j->by_id, id);
    const struct json *p = json_get(r, "processed"), *d = json_get(r, "duplicate");
    j->requests++;
    if (!m || !m->send) {
        wrong(j, "the gateway got what was not decided", id.n ? id.p : "");
        return;
    }
    m->requests++;
    if (p && p->b && m->processed)
        wrong(j, "processed twice", id.p);
    m->processed |= p && p->b;
    m->taken += (p && p->b) || (d && d->b &&
                                (str_eqc(fault, "none") || str_eqc(fault, "lost") ||
                                 str_eqc(fault, "stall") || str_eqc(fault, "half")));
}

static int each_line(struct judge *j, const char *path,
                     void (*fn)(struct judge *, struct str, struct arena *))
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    struct arena *a = arena_new(0);
    FILE *f = fopen(path, "re");
    while (f && (n = getline(&line, &cap, f)) > 0) {
        if (line[n - 1] == '\n')
            n--;
        arena_reset(a);
        fn(j, (struct str){line, (size_t)n}, a);
    }
    free(line);
    arena_free(&a);
    return f ? fclose(f) : -1;
}

static void judge_one(struct judge *j, const char *id, const struct message *m)
{
    if (!m->send)
        return;
    for (size_t i = 0; i < BASE_LEN(statuses); i++)
        j->by_status[i] += m->final && strcmp(m->status, statuses[i]) == 0;
    j->listed += m->listed;
    j->again += m->taken > 1;
    if (!m->final)
        wrong(j, "no final result", id);
    else if (strcmp(m->status, "sent") == 0 && !m->processed)
        wrong(j, "called sent, but the gateway has not taken it", id);
    else if (strcmp(m->status, "sent") != 0 && strcmp(m->status, "ambiguous") != 0 && m->processed)
        wrong(j, "the gateway has taken it, but it is not called sent", id);
    if (m->taken > 1 && !m->listed)
        wrong(j, "applied twice and never listed as ambiguous", id);
}

static int judge(char **a)
{
    struct judge j = {.by_id = map_new(true)};
    size_t it = 0;
    struct str id;
    void *v;
    if (read_list(&j, a[0]) || each_line(&j, a[1], read_result) ||
        each_line(&j, a[2], read_request)) {
        fprintf(stderr, "outbox: cannot read %s, %s or %s\n", a[0], a[1], a[2]);
        return 1;
    }
    while (map_next(j.by_id, &it, &id, &v)) {
        char text[64];
        (void)snprintf(text, sizeof text, STR_FMT, STR_ARG(id));
        judge_one(&j, text, v);
        free(v);
    }
    map_free(&j.by_id);
    printf("sends=%u withheld=%u sent=%u failed=%u ambiguous=%u expired=%u returned=%u requests=%u "
           "applied_again=%u listed=%u wrong=%u\n",
           j.sends, j.withheld, j.by_status[0], j.by_status[1], j.by_status[2], j.by_status[3],
           j.by_status[4], j.requests, j.again, j.listed, j.bad);
    return j.bad ? 1 : 0;
}

int main(int argc, char **argv)
{
    char **a = argv + 2;
    int n = argc - 2;
    const char *cmd = argc > 1 ? argv[1] : "";
    if (strcmp(cmd, "genesis") == 0 && n == 3)
        return genesis(a);
    if (strcmp(cmd, "publish") == 0 && n >= 4)
        return publish(a, n);
    if (strcmp(cmd, "wait") == 0 && n == 3)
        return wait_for(a);
    if (strcmp(cmd, "rounds") == 0 && n == 4)
        return rounds(a);
    if (strcmp(cmd, "outcomes") == 0 && n == 2)
        return outcomes(a);
    if (strcmp(cmd, "judge") == 0 && n == 3)
        return judge(a);
    fprintf(stderr, "outbox: genesis | publish | wait | outcomes | judge; see the source\n");
    return 2;
}
