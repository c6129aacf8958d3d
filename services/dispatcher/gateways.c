/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateways: the adapters of a folder, a queue and a cap of attempts in flight for each, so that one that
 * answers slowly or not at all keeps its own messages waiting and nobody else's.
 *
 * A gateway that throttles or refuses us as a customer is left alone for a while and then probed with
 * one message.  In record mode the same is done while there is no connection, because there it costs no
 * try (architecture §5, Time-lapse).
 */
#include "dispatcher_priv.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define AWAY_MS 200       /* record mode: between two knocks at a closed door */
#define THROTTLED_MS 1000 /* without Retry-After */
#define STOPPED_MS 60000
#define TELL_MS 1000
#define MAX_GATEWAYS 256

/* ---- loading ------------------------------------------------------------------------------------------ */

static int is_yaml(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    return e->d_name[0] != '.' && dot && strcmp(dot, ".yaml") == 0;
}

static int add(struct dispatcher *x, const char *file, struct diags *d, struct err *err)
{
    char path[1024];
    struct webhook_adapter_options o = {.base_url =
                                            x->conf.gateway_base[0] ? x->conf.gateway_base : NULL,
                                        .secret_dir = x->conf.secrets[0] ? x->conf.secrets : NULL};
    if (snprintf(path, sizeof path, "%s/%s", x->conf.gateways, file) >= (int)sizeof path)
        return err_set(err, ERR_INPUT, "the path of %s is too long", file);
    struct gateway *g = &x->gateways[x->n_gateways++];
    if (webhook_adapter_load(path, &o, d, &g->adapter, err))
        return -1;
    (void)snprintf(g->name, sizeof g->name, STR_FMT, STR_ARG(webhook_adapter_name(g->adapter)));
    for (uint32_t i = 0; i + 1 < x->n_gateways; i++)
        if (strcmp(x->gateways[i].name, g->name) == 0)
            return err_set(err, ERR_INPUT, "%s: there is another adapter named %s", path, g->name);
    g->x = x;
    g->view.index = x->n_gateways - 1;
    g->view.ambiguous =
        webhook_adapter_ambiguous(g->adapter, &g->view.reconcile_ms, &g->view.retry_once);
    const struct webhook_schedule *own = webhook_adapter_schedule(g->adapter, STR("service"));
    g->view.schedule = own == webhook_schedule_for(STR("service")) ? NULL : own;
    return 0;
}

static void print_diags(struct diags *d)
{
    struct buf text;
    buf_init(&text, 1u << 20);
    diags_text(d, 50, &text);
    (void)fwrite(text.p ? text.p : "", 1, text.n, stderr);
    buf_free(&text);
}

int gateways_load(struct dispatcher *x, struct err *err)
{
    struct dirent **files;
    int n = scandir(x->conf.gateways, &files, is_yaml, alphasort), rc = 0;
    if (n < 0)
        return err_set(err, ERR_INPUT, "cannot read the folder %s: %s", x->conf.gateways,
                       strerror(errno));
    if (n == 0 || n > MAX_GATEWAYS)
        rc = err_set(err, ERR_INPUT, "%s holds %d adapters (*.yaml); 1 to %d are possible",
                     x->conf.gateways, n, MAX_GATEWAYS);
    x->gateways = xcalloc((size_t)n + 1, sizeof *x->gateways);
    struct diags *d = diags_new();
    for (int i = 0; i < n && n <= MAX_GATEWAYS; i++) {
        struct err one = {0};
        if (add(x, files[i]->d_name, d, &one) && !rc) {
            rc = -1;
            if (err)
                *err = one;
        }
    }
    if (diags_len(d))
        print_diags(d);
    diags_free(&d);
    for (int i = 0; i < n; i++)
        free(files[i]);
    free(files);
    return rc;
}

void gateways_free(struct dispatcher *x)
{
    for (uint32_t i = 0; i < x->n_gateways; i++)
        webhook_adapter_free(&x->gateways[i].adapter);
    free(x->gateways);
    free(x->failed);
}

const struct dispatch_gateway *gateways_find(void *arg, struct str name)
{
    struct dispatcher *x = arg;
    for (uint32_t i = 0; i < x->n_gateways; i++)
        if (str_eqc(name, x->gateways[i].name))
            return &x->gateways[i].view;
    char label[65];
    (void)snprintf(label, sizeof label, STR_FMT, STR_ARG(name));
    metric_add(&dispatcher_metrics[DM_NO_ADAPTER], label, 1);
    if (strcmp(label, x->no_adapter) != 0)
        log_warn("no_adapter", "gateway=%s effect=%s", label,
                 "its messages wait until they expire");
    memcpy(x->no_adapter, label, sizeof label);
    return NULL;
}

/* ---- queues ---------------------------------------------------------------------------------------------- */

void gateway_push(struct gateway *g, struct work *w)
{
    w->q_prev = g->tail;
    w->q_next = NULL;
    if (g->tail)
        g->tail->q_next = w;
    else
        g->head = w;
    g->tail = w;
    g->n_queued++;
    w->in_queue = true;
}

void gateway_remove(struct gateway *g, struct work *w)
{
    if (!w->in_queue)
        return;
    if (w->q_prev)
        w->q_prev->q_next = w->q_next;
    else
        g->head = w->q_next;
    if (w->q_next)
        w->q_next->q_prev = w->q_prev;
    else
        g->tail = w->q_prev;
    w->q_prev = w->q_next = NULL;
    w->in_queue = false;
    g->n_queued--;
}

/* ---- requests --------------------------------------------------------------------------------------------- */

static void refused(struct dispatcher *x, struct work *w, bool fatal)
{
    if (x->n_failed == x->cap_failed) {
        x->cap_failed = x->cap_failed ? x->cap_failed * 2 : 16;
        x->failed = xrealloc(x->failed, x->cap_failed * sizeof *x->failed);
    }
    x->failed[x->n_failed++] = (struct failed){w, fatal};
}

void gateway_send(struct gateway *g, struct work *w)
{
    struct dispatcher *x = g->x;
    struct err err = {0};
    int64_t s = (x->record ? w->at_ms : x->now_ms) / 1000;
    dispatcher_chaos(x, "attempt-read");
    if (webhook_send(x->client, g->adapter, w->id, s, w->body, w, x->mono_ms, &err)) {
        log_err(LOG_LEVEL_WARN, "send", &err, "gateway=%s", g->name);
        refused(x, w, err.kind == ERR_FATAL);
        return;
    }
    dispatcher_chaos(x, "sent");
}

/* Once, and again when it is another trouble. */
static void say_trouble(struct gateway *g, const struct webhook_verdict *v)
{
    bool other = strcmp(g->told, v->code) != 0 && g->x->mono_ms - g->told_ms >= TELL_MS;
    if (!g->down || other) {
        log_warn("gateway_trouble", "gateway=%s class=%s code=%s queued=%" PRIu32, g->name,
                 webhook_class_name(v->cls), v->code, g->n_queued);
        (void)snprintf(g->told, sizeof g->told, "%s", v->code);
        g->told_ms = g->x->mono_ms;
    }
    g->down = true;
}

static void well(struct gateway *g)
{
    if (g->down)
        log_info("gateway_well", "gateway=%s queued=%" PRIu32, g->name, g->n_queued);
    g->down = g->probing = false;
    g->blocked_ms = 0;
}

static void leave_alone(struct gateway *g, int64_t ms)
{
    int64_t until = g->x->mono_ms + ms;
    if (until > g->blocked_ms)
        g->blocked_ms = until;
    g->probing = true;
}

/* What an answer says about the gateway, beside what it says about the message. */
static void judge_gateway(struct gateway *g, const struct webhook_verdict *v, bool sent)
{
    bool record = g->x->record;
    if (v->cls == WEBHOOK_RETRY || v->cls == WEBHOOK_ACCOUNT_STOP || v->cls == WEBHOOK_THROTTLE)
        say_trouble(g, v);
    else if (v->cls != WEBHOOK_AMBIGUOUS)
        well(g);
    if (record && !sent)
        leave_alone(g, AWAY_MS);
    else if (record)
        g->probing = false;
    else if (v->cls == WEBHOOK_THROTTLE)
        leave_alone(g, v->after_ms > THROTTLED_MS ? v->after_ms : THROTTLED_MS);
    else if (v->cls == WEBHOOK_ACCOUNT_STOP)
        leave_alone(g, strcmp(v->code, "http_410") == 0 ? TIME_DAY * 3650 : STOPPED_MS);
}

static void answered(struct gateway *g, struct work *w, const struct webhook_verdict *v, bool sent)
{
    struct dispatcher *x = g->x;
    struct part *t = &x->parts[dispatch_partition(w->d)];
    char label[128];
    judge_gateway(g, v, sent);
    (void)snprintf(label, sizeof label, "%s,%s", g->name, webhook_class_name(v->cls));
    metric_add(&dispatcher_metrics[DM_RESULTS], label, 1);
    dispatcher_chaos(x, "answered");
    struct dispatch_now now = dispatcher_now(x);
    dispatch_answer(w, v, sent, &now);
    part_effects(t);
}

void gateways_answer(void *arg, void *opaque, const struct webhook_answer *a)
{
    struct dispatcher *x = arg;
    struct work *w = opaque;
    struct gateway *g = &x->gateways[w->gw->index];
    struct webhook_verdict v;
    webhook_classify(g->adapter, a, x->record ? w->at_ms : x->now_ms, &v);
    metric_observe(&dispatcher_metrics[DM_ANSWER], g->name, (double)a->took_us / 1e6);
    answered(g, w, &v, a->sent);
}

/* ---- a turn ------------------------------------------------------------------------------------------------ */

static void pump(struct gateway *g)
{
    struct dispatcher *x = g->x;
    uint32_t cap = g->probing ? 1 : webhook_adapter_limits(g->adapter)->in_flight;
    if (g->blocked_ms > x->mono_ms)
        return;
    while (g->head && g->busy < cap) {
        struct work *w = g->head;
        struct part *t = &x->parts[dispatch_partition(w->d)];
        gateway_remove(g, w);
        w->busy = true;
        g->busy++;
        struct dispatch_now now = dispatcher_now(x);
        dispatch_try(w, &now);
        part_effects(t);
        dispatcher_chaos(x, "attempt-written");
    }
}

void gateways_turn(struct dispatcher *x)
{
    webhook_client_poll(x->client, x->mono_ms);
    for (size_t i = 0; i < x->n_failed; i++) {
        struct work *w = x->failed[i].w;
        struct webhook_verdict v = {.cls =
                                        x->failed[i].fatal ? WEBHOOK_ACCOUNT_STOP : WEBHOOK_RETRY};
        (void)snprintf(v.code, sizeof v.code, "not_started");
        answered(&x->gateways[w->gw->index], w, &v, false);
    }
    x->n_failed = 0;
    if (!x->started || x->draining || x->suspended || !x->producer || x->backlog)
        return;
    for (uint32_t i = 0; i < x->n_gateways; i++)
        pump(&x->gateways[i]);
}

uint32_t gateways_busy(const struct dispatcher *x)
{
    uint32_t n = webhook_client_in_flight(x->client);
    for (uint32_t i = 0; i < x->n_gateways; i++)
        n += x->gateways[i].busy;
    return n;
}
