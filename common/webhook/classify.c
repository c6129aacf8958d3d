/* SPDX-License-Identifier: Apache-2.0 */
/*
 * classify: from what came back to what it means.  Three questions in an order that no adapter can
 * change: did bytes leave? did a whole answer come? what does it say?  Only the last is the adapter's
 * (WeChat, WeCom and Tencent say 200 for errors); without rules of its own a receiver is a standard
 * webhook and its status is its word.
 */
#include "webhook_priv.h"

#include <stdio.h>

#include <curl/curl.h>

static const char *const class_names[WEBHOOK_N_CLASSES] = {
    [WEBHOOK_OK] = "ok",
    [WEBHOOK_DUPLICATE_OK] = "duplicate_ok",
    [WEBHOOK_THROTTLE] = "throttle",
    [WEBHOOK_TOKEN_REFRESH] = "token_refresh",
    [WEBHOOK_RETRY] = "retry",
    [WEBHOOK_AMBIGUOUS] = "ambiguous",
    [WEBHOOK_PERMANENT_RECIPIENT] = "permanent_recipient",
    [WEBHOOK_PERMANENT_CONTENT] = "permanent_content",
    [WEBHOOK_ACCOUNT_STOP] = "account_stop",
    [WEBHOOK_DEFER] = "defer",
};

const char *webhook_class_name(enum webhook_class c)
{
    return class_names[c];
}

int webhook_class_parse(struct str s, enum webhook_class *out)
{
    for (int i = 0; i < WEBHOOK_N_CLASSES; i++)
        if (str_eqc(s, class_names[i])) {
            *out = (enum webhook_class)i;
            return 0;
        }
    return -1;
}

/* ---- the values that rules speak of ---------------------------------------------------------------- */

static struct val json_value(struct arena *a, const struct json *j, const struct type *t);

static struct val record_value(struct arena *a, const struct json *j, const struct type *t)
{
    struct val *f = ARENA_ARRAY(a, struct val, t->n_fields + 1);
    for (uint32_t i = 0; i < t->n_fields; i++)
        for (uint32_t k = 0; j && j->kind == JSON_OBJECT && k < j->n; k++)
            if (str_eq(j->keys[k], t->fields[i].name))
                f[i] = json_value(a, &j->items[k], t->fields[i].type);
    return (struct val){.t = V_RECORD, .n = t->n_fields, .list = f};
}

static struct val list_value(struct arena *a, const struct json *j, const struct type *t)
{
    struct val *v = ARENA_ARRAY(a, struct val, j->n + 1);
    uint32_t n = j->n < t->max ? j->n : t->max, to = 0;
    for (uint32_t i = 0; i < n; i++) {
        v[to] = json_value(a, &j->items[i], t->elem);
        to += v[to].t != V_ABSENT;
    }
    return (struct val){.t = V_LIST, .n = to, .list = v};
}

/* What does not have the declared type is absent: a rule that needs it does not match. */
static struct val json_value(struct arena *a, const struct json *j, const struct type *t)
{
    struct val none = {0};
    if (t->kind == TYPE_RECORD)
        return j->kind == JSON_OBJECT ? record_value(a, j, t) : none;
    if (t->kind == TYPE_LIST)
        return j->kind == JSON_ARRAY ? list_value(a, j, t) : none;
    if (t->kind == TYPE_INT && j->kind == JSON_INT)
        return val_int(j->i);
    if (t->kind == TYPE_DOUBLE && (j->kind == JSON_INT || j->kind == JSON_REAL))
        return val_double(j->d);
    if (t->kind == TYPE_BOOL && j->kind == JSON_BOOL)
        return val_bool(j->b);
    if (t->kind == TYPE_STRING && j->kind == JSON_STRING)
        return val_str(j->s);
    return none;
}

/* "name: value\n"… as a map sorted by name; of a repeated name the first. */
static struct val header_map(struct arena *a, struct str h)
{
    enum { MOST = 128 };
    struct val *kv = ARENA_ARRAY(a, struct val, MOST * 2);
    uint32_t n = 0;
    while (h.n && n < MOST) {
        const char *nl = memchr(h.p, '\n', h.n);
        struct str line = {h.p, nl ? (size_t)(nl - h.p) : h.n};
        size_t used = line.n + (nl ? 1 : 0);
        h = (struct str){h.p + used, h.n - used};
        const char *colon = memchr(line.p, ':', line.n);
        if (!colon || !utf8_valid(line))
            continue;
        struct str name = {line.p, (size_t)(colon - line.p)}, v = {colon + 1, 0};
        v.n = line.n - name.n - 1;
        while (v.n && v.p[0] == ' ')
            v = (struct str){v.p + 1, v.n - 1};
        uint32_t at = 0;
        while (at < n && str_cmp(val_get_str(kv[2 * (size_t)at]), name) < 0)
            at++;
        if (at < n && str_eq(val_get_str(kv[2 * (size_t)at]), name))
            continue;
        memmove(kv + 2 * (size_t)at + 2, kv + 2 * (size_t)at, (n - at) * 2 * sizeof(struct val));
        kv[2 * (size_t)at] = val_str(name);
        kv[2 * (size_t)at + 1] = val_str(v);
        n++;
    }
    return (struct val){.t = V_MAP, .n = n, .list = kv};
}

static void set_vars(const struct webhook_adapter *a, const struct webhook_answer *w,
                     int64_t now_ms)
{
    struct val *v = ARENA_ARRAY(a->scratch, struct val, N_VARS);
    const struct json *j = NULL;
    bool text = !memchr(w->body.n ? w->body.p : "", 0, w->body.n) && utf8_valid(w->body);
    if (w->body.n && !w->truncated)
        (void)json_parse(w->body, 32, a->scratch, &j, NULL);
    v[VAR_SENT] = val_bool(w->sent);
    v[VAR_CURL] = val_int(w->curl);
    v[VAR_STATUS] = val_int(w->status);
    v[VAR_H] = header_map(a->scratch, w->headers);
    v[VAR_BODY] = val_str(text ? w->body : STR(""));
    v[VAR_J] = record_value(a->scratch, j, a->answer);
    a->ctx->vars = v;
    a->ctx->now_ms = now_ms;
    a->ctx->tz = zone_utc();
}

const struct adapter_rule *adapter_match(const struct webhook_adapter *a,
                                         const struct webhook_answer *w, int64_t now_ms)
{
    arena_reset(a->scratch);
    set_vars(a, w, now_ms);
    for (uint32_t i = 0; i < a->n_rules; i++)
        if (expr_true(a->rules[i].when, a->ctx))
            return &a->rules[i];
    return NULL;
}

/* ---- the order ---------------------------------------------------------------------------------------- */

/* What is wrong at our side of a connection that was never used: no retry mends it. */
static bool needs_a_human(int curl)
{
    static const int codes[] = {CURLE_UNSUPPORTED_PROTOCOL,     CURLE_URL_MALFORMAT,
                                CURLE_SSL_CERTPROBLEM,          CURLE_SSL_CIPHER,
                                CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
                                CURLE_SSL_ISSUER_ERROR,         CURLE_SSL_PINNEDPUBKEYNOTMATCH,
                                CURLE_SSL_INVALIDCERTSTATUS,    CURLE_SSL_CLIENTCERT};
    for (size_t i = 0; i < BASE_LEN(codes); i++)
        if (codes[i] == curl)
            return true;
    return false;
}

static enum webhook_class by_status(int s)
{
    static const struct {
        int status;
        enum webhook_class cls;
    } table[] = {
        {400, WEBHOOK_PERMANENT_CONTENT},
        {401, WEBHOOK_ACCOUNT_STOP},
        {402, WEBHOOK_ACCOUNT_STOP},
        {403, WEBHOOK_ACCOUNT_STOP},
        {405, WEBHOOK_PERMANENT_CONTENT},
        {406, WEBHOOK_PERMANENT_CONTENT},
        {408, WEBHOOK_RETRY},
        {409, WEBHOOK_DUPLICATE_OK},
        {410, WEBHOOK_ACCOUNT_STOP},
        {411, WEBHOOK_PERMANENT_CONTENT},
        {413, WEBHOOK_PERMANENT_CONTENT},
        {414, WEBHOOK_PERMANENT_CONTENT},
        {415, WEBHOOK_PERMANENT_CONTENT},
        {422, WEBHOOK_PERMANENT_CONTENT},
        {425, WEBHOOK_RETRY},
        {429, WEBHOOK_THROTTLE},
    };
    for (size_t i = 0; i < BASE_LEN(table); i++)
        if (table[i].status == s)
            return table[i].cls;
    if (s >= 200 && s < 300)
        return WEBHOOK_OK;
    if (s >= 300 && s < 400)
        return WEBHOOK_PERMANENT_CONTENT; /* redirects are not followed */
    if (s >= 400 && s < 500)
        return WEBHOOK_PERMANENT_RECIPIENT;
    return s >= 500 && s < 600 ? WEBHOOK_RETRY : WEBHOOK_AMBIGUOUS;
}

/* The gateway's own code; what cannot be a code (an address, a sentence) is not let through. */
static void own_code(const struct webhook_adapter *a, struct webhook_verdict *out)
{
    struct val v;
    if (!a->code || expr_eval(a->code, a->ctx, &v) || v.t != V_STRING || !v.n ||
        v.n >= sizeof out->code)
        return;
    for (uint32_t i = 0; i < v.n; i++) {
        char c = v.s[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              memchr("._-:", c, 4)))
            return;
    }
    memcpy(out->code, v.s, v.n);
    out->code[v.n] = '\0';
}

static void code_of_curl(const struct webhook_answer *w, struct webhook_verdict *out)
{
    if (w->blocked)
        (void)snprintf(out->code, sizeof out->code, "address_forbidden");
    else if (w->resent)
        (void)snprintf(out->code, sizeof out->code, "resend_stopped");
    else if (w->curl)
        (void)snprintf(out->code, sizeof out->code, "curl_%d", w->curl);
    else
        (void)snprintf(out->code, sizeof out->code, "cut_answer");
}

static void by_answer(const struct webhook_adapter *a, const struct webhook_answer *w,
                      int64_t now_ms, struct webhook_verdict *out)
{
    const struct adapter_rule *r = a->n_rules ? adapter_match(a, w, now_ms) : NULL;
    (void)snprintf(out->code, sizeof out->code, "http_%d", w->status);
    if (a->n_rules) {
        out->cls = r ? r->then : WEBHOOK_AMBIGUOUS;
        out->after_ms = r ? r->delay_ms : 0;
        own_code(a, out);
    } else {
        out->cls = by_status(w->status);
    }
    int64_t after = webhook_retry_after(w->retry_after, now_ms);
    if (after && (out->cls == WEBHOOK_THROTTLE || out->cls == WEBHOOK_RETRY))
        out->after_ms = after;
}

void webhook_classify(const struct webhook_adapter *a, const struct webhook_answer *w,
                      int64_t now_ms, struct webhook_verdict *out)
{
    memset(out, 0, sizeof *out);
    if (!w->sent) {
        out->cls = w->blocked || needs_a_human(w->curl) ? WEBHOOK_ACCOUNT_STOP : WEBHOOK_RETRY;
        code_of_curl(w, out);
    } else if (!w->complete) {
        out->cls = WEBHOOK_AMBIGUOUS;
        code_of_curl(w, out);
    } else {
        by_answer(a, w, now_ms, out);
    }
}
