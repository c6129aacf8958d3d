/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rouse apply: rule files become the active bundle.  Checked and tested first; the bundle goes to
 * rouse.control in chunks with its manifest last, then one `active` record switches to it.  Going
 * back is applying the old files.
 */
#include "admin.h"

#include <inttypes.h>
#include <stdio.h>

struct conf {
    struct admin_conf kafka;
    const char *gateways;
    bool dry_run;
};
static const struct option_def options[] = {
    ADMIN_OPTIONS(struct conf, kafka),
    {"gateways", OPT_STRING, offsetof(struct conf, gateways), "", 0, 0,
     "Directory of gateway adapters; without it wechat (openid), sms (phone), email (email), "
     "points, coupon and staff exist."},
    {"dry-run", OPT_BOOL, offsetof(struct conf, dry_run), "false", 0, 0,
     "Check, test and make the bundle, but change nothing."},
};
static const struct service_spec spec = {
    "apply", "rouse apply [OPTIONS] DIR | FILE…: check, test, bundle and activate rules.", options,
    BASE_LEN(options)};

static int publish(const struct conf *c, const char *hash, struct str bundle, struct err *err)
{
    char key[128], manifest[96];
    size_t chunks = (bundle.n + BUNDLE_CHUNK - 1) / BUNDLE_CHUNK;
    for (size_t i = 0; i < chunks; i++) {
        size_t from = i * BUNDLE_CHUNK;
        size_t n = bundle.n - from < BUNDLE_CHUNK ? bundle.n - from : BUNDLE_CHUNK;
        (void)snprintf(key, sizeof key, "bundle/%s/%zu", hash, i);
        if (admin_produce(&c->kafka, "rouse.control", str_c(key), (struct str){bundle.p + from, n},
                          NULL, err) != 0)
            return -1;
    }
    (void)snprintf(key, sizeof key, "bundle/%s/manifest", hash);
    (void)snprintf(manifest, sizeof manifest, "{\"chunks\":%zu,\"bytes\":%zu}", chunks, bundle.n);
    return admin_produce(&c->kafka, "rouse.control", str_c(key), str_c(manifest), NULL, err);
}

static int activate(const struct conf *c, const char *hash, struct err *err)
{
    struct active v = {.level = RULE_LEVEL};
    struct buf b;
    int64_t n = 0;
    (void)snprintf(v.hash, sizeof v.hash, "%s", hash);
    buf_init(&b, 4096);
    active_write(&v, &b);
    int rc = admin_produce(&c->kafka, "rouse.control", STR("active"), buf_str(&b), &n, err);
    buf_free(&b);
    if (rc == 0)
        (void)printf("active: bundle %.12s, activation %" PRId64 "\n", hash, n);
    return rc;
}

/* The bundle of `p`, taking over earlier texts from what is active now; then out with it. */
static int switch_to(const struct conf *c, const struct program *p, struct err *err)
{
    char hash[65];
    uint64_t n = 0;
    struct buf bundle;
    struct control *ctl = control_new();
    const struct program *prev = NULL;
    buf_init(&bundle, BUNDLE_MAX_BYTES);
    int rc = c->dry_run ? 0 : admin_read_control(&c->kafka, ctl, err);
    if (rc == 0 && !c->dry_run && !control_genesis(ctl))
        rc = err_set(err, ERR_INPUT, "there is no genesis record yet: rouse init first");
    const struct active *now = rc == 0 ? control_active(ctl, &n) : NULL;
    if (now && control_program(ctl, str_c(now->hash), &prev, err) < 0)
        rc = err_wrap(err, "the active bundle");
    if (rc == 0)
        rc = bundle_make(p, prev, &bundle, hash, err);
    if (rc == 0)
        (void)printf("bundle: %s, %zu bytes\n", hash, bundle.n);
    if (rc == 0 && now && strcmp(now->hash, hash) == 0) {
        (void)printf("active: unchanged, activation %" PRIu64 "\n", n);
    } else if (rc == 0 && !c->dry_run) {
        rc = publish(c, hash, buf_str(&bundle), err);
        if (rc == 0)
            rc = activate(c, hash, err);
    }
    buf_free(&bundle);
    control_free(&ctl);
    return rc;
}

int cli_apply(int argc, char **argv)
{
    struct conf c = {0};
    struct err err = {0};
    int code;
    size_t n = 0, ran = 0;
    struct arena *a = arena_new(0);
    const char **paths = ARENA_ARRAY(a, const char *, (size_t)argc);
    if (cli_options(&spec, argc, argv, &c, a, paths, &n, &code) != 0) {
        arena_free(&a);
        return code;
    }
    struct rule_options o = {.gateways_dir = c.gateways[0] ? c.gateways : NULL, .tests = true};
    if (n == 0) {
        (void)err_set(&err, ERR_INPUT, "name a directory or files");
        code = cli_fail("apply", &err);
    } else {
        struct program *p = cli_load_rules("apply", paths, n, &o, "text", false, &code);
        size_t failed = p ? cli_run_tests(p, NULL, true, &ran) : 0;
        if (p)
            (void)printf("tests: %zu run, %zu failed\n", ran, failed);
        if (failed)
            code = 1;
        else if (p && switch_to(&c, p, &err) != 0)
            code = cli_fail("apply", &err);
        rule_free(&p);
    }
    arena_free(&a);
    return code;
}
