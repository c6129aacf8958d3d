/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress: when may upstream offsets be committed?  What is appended between two looks at the positions
 * is a window; positions may be committed when their window and all before it are acknowledged.  Pure.
 *
 *      sent sent sent │ close(positions A) │ sent sent │ close(B) │ sent ┄
 *      reports come in any order           ─► take() gives A, then B, or B at once
 */
#ifndef ROUSE_INGEST_PROGRESS_H
#define ROUSE_INGEST_PROGRESS_H

#include "base.h"

struct places { /* owned by progress */
    struct place *v;
    size_t n;
};
struct place { /* of one source partition: what goes into a commit */
    const char *topic;
    int32_t partition;
    int64_t offset;
    char metadata[80];
};
struct progress;
struct progress *progress_new(void);
void progress_free(struct progress **p);
uint64_t progress_sent(struct progress *p); /* the window's id: give it back with the report */
void progress_reported(struct progress *p, uint64_t id); /* an unknown id is ignored */
uint64_t progress_open(const struct progress *p);        /* sent and not reported */
/* Copies the places; they stand for everything sent so far. */
void progress_close(struct progress *p, const struct place *v, size_t n);
/* The newest places that may be committed, once; NULL = none. Valid until the next call. */
const struct places *progress_take(struct progress *p);
/* Reports of what was sent before are ignored from now on. */
void progress_reset(struct progress *p);

#endif
