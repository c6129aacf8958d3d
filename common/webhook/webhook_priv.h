/* SPDX-License-Identifier: Apache-2.0 */
/* webhook_priv: what an adapter is once loaded; for adapter.c, classify.c and client.c. */
#ifndef ROUSE_WEBHOOK_PRIV_H
#define ROUSE_WEBHOOK_PRIV_H

#include "webhook.h"

struct adapter_rule {
    const struct expr *when;
    enum webhook_class then;
    int64_t delay_ms; /* 0 = none */
    struct span at;
};

/* Variables of `classify` and `code`, in this order. */
enum { VAR_SENT, VAR_CURL, VAR_STATUS, VAR_H, VAR_BODY, VAR_J, N_VARS };

struct webhook_adapter {
    struct arena *arena;   /* everything below */
    struct arena *scratch; /* one classification */
    struct expr_ctx *ctx;
    struct srcfile src;
    struct str name, address, url, secret_file;
    bool plain_http, idempotent, accept_duplicates, has_ambiguous;
    const struct webhook_cidr *allow;
    uint32_t n_allow;
    struct webhook_keys keys;
    struct webhook_limits limits;
    enum webhook_ambiguous ambiguous;
    int64_t reconcile_ms;
    bool retry_once;
    const struct webhook_schedule *schedule; /* NULL = by purpose */
    const struct type *answer;               /* record: type of j */
    const struct adapter_rule *rules;        /* n_rules 0: the standard ones */
    uint32_t n_rules;
    const struct expr *code; /* string; NULL = the status */
};

/* ---- loading (adapter.c, adapter_rules.c) ---- */

struct adapter_load {
    struct webhook_adapter *a;
    const struct webhook_adapter_options *o;
    struct diags *d;
};
void adapter_bad(struct adapter_load *l, const char *code, const struct yaml_node *at,
                 const char *text);
bool adapter_length(struct adapter_load *l, const struct yaml_node *v, int64_t most, int64_t *out);
void adapter_answer(struct adapter_load *l, const struct yaml_node *v);
void adapter_classify(struct adapter_load *l, const struct yaml_node *v);
void adapter_code(struct adapter_load *l, const struct yaml_node *v);

/* ---- classify.c ---- */

/* The first matching rule for these facts, or NULL (cannot be: there is a catch-all). */
const struct adapter_rule *adapter_match(const struct webhook_adapter *a,
                                         const struct webhook_answer *w, int64_t now_ms);

#endif
