/* SPDX-License-Identifier: Apache-2.0 */
/* What decode.c (records into events) and take.c (JSON values into typed ones) share. */
#ifndef ROUSE_MODEL_DECODE_PRIV_H
#define ROUSE_MODEL_DECODE_PRIV_H

#include "model_priv.h"

/* Where a value stands, innermost first, for messages: built on the stack, printed on an error. */
struct at {
    const struct at *up;
    const struct path *path; /* or */
    struct str name;         /* or */
    uint32_t index;          /* when both are empty */
};

/* One Kafka record being decoded. */
struct decoding {
    const struct schema *schema;
    const struct upstream *u;
    const struct decode_limits *lim;
    struct arena *a;
    struct err *err;
    const struct json *root;    /* the event's own data */
    const struct json *element; /* of `each`, else NULL */
    const struct json *env;     /* CloudEvents attributes, else NULL */
};

/* Fill d->err with the path, and the value when it may be shown. Returns -1. */
int take_bad(const struct decoding *d, const struct at *at, const char *code, const char *what,
             const struct json *value, const struct type *t);
int take_value(const struct decoding *d, const struct at *at, const struct json *j,
               const struct type *t, struct val *out);
/* A moment: RFC 3339, seconds or milliseconds since 1970. */
int take_time(const struct decoding *d, const struct at *at, const struct json *j, int64_t *ms);

#endif
