/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of decide.  tags.c & co. keep what is remembered about one member (this header's first
 * half); the rest is the fold over it.  A member's state is decoded into a struct tagset and a struct
 * life when something happens to him, and encoded again when it is over.
 */
#ifndef ROUSE_DECIDE_PRIV_H
#define ROUSE_DECIDE_PRIV_H

#include "decide.h"

/* ---- varint reader and writer for the state blob -------------------------------------------------- */

struct rd {
    const uint8_t *p, *end;
    bool bad; /* ran past the end: everything read since is 0 */
};
uint64_t rd_u64(struct rd *r);   /* LEB128 */
int64_t rd_i64(struct rd *r);    /* zigzag */
struct str rd_str(struct rd *r); /* length, bytes; points into the blob */
double rd_f64(struct rd *r);
void wr_u64(struct buf *b, uint64_t v);
void wr_i64(struct buf *b, int64_t v);
void wr_str(struct buf *b, struct str s);
void wr_f64(struct buf *b, double v);

/* ---- the hash of everything that is kept in a state: FNV-1a, 64 bits --------------------------- */

#define FOLD_SEED UINT64_C(0xcbf29ce484222325)
uint64_t fold_hash(uint64_t h, struct str s); /* FNV-1a, 64 bits; start with FOLD_SEED */
uint64_t fold_mix(uint64_t h);                /* never 0 in its low 32 bits */

/* ---- tags of one member ----------------------------------------------------------------------------- */

struct tagset; /* reused from member to member: no allocation per event once it has grown */
struct tagset *tagset_new(void);
void tagset_free(struct tagset **t);
/* A member nobody has met. */
void tagset_begin(struct tagset *t, const struct program *p);
/* Whom expressions read as `member.id` (borrowed); empty after begin and read. */
void tagset_member(struct tagset *t, struct str id);
/* Decode what tagset_write wrote, under `p` (slots of other (name, definition)s are kept when the tag
 * still exists with that definition and dropped otherwise; a tag that the blob does not know is one
 * added later: absent until one full window has passed since now_ms). */
int tagset_read(struct tagset *t, const struct program *p, struct rd *in, int64_t now_ms,
                struct err *err);
void tagset_write(struct tagset *t, struct buf *out);
/* True when it holds nothing that a new member would not have at now_ms. */
bool tagset_is_new(struct tagset *t, int64_t now_ms);

/* Step 2: move the aggregates and `from` tags of this event (profile: the stored tags it sets).
 * ctx has event, tz set; counts errors of of/by/where in ctx. */
void tagset_event(struct tagset *t, const struct event *ev, struct expr_ctx *ctx, int64_t now_ms);
/* A write to a stored tag; V_NULL unsets. 1 changed, 0 not (older than the last write, same value).
 * at_ms is the event time of the write, ttl counts from it. */
int tagset_set(struct tagset *t, uint32_t tag, const struct val *v, int64_t at_ms);
/* Read at now_ms. Computes aggregates and value (through ctx->member of the caller, see
 * tagset_ctx). 1 a value, 0 absent, -1 error. Strings live until the next write to t. */
int tagset_get(struct tagset *t, uint32_t tag, int64_t now_ms, struct val *out);
int tagset_get_at(struct tagset *t, uint32_t tag, const struct val *key, int64_t now_ms,
                  struct val *out);
/* Remember the present values for `old`; then tagset_old reads them. Called before an event or change
 * only when program.uses_old. */
void tagset_snapshot(struct tagset *t, int64_t now_ms);
int tagset_old(struct tagset *t, uint32_t tag, struct val *out);
int tagset_old_at(struct tagset *t, uint32_t tag, const struct val *key, struct val *out);
/* Set ctx->member, member_at and arg so that expressions read this tagset at ctx->now_ms. */
void tagset_ctx(struct tagset *t, struct expr_ctx *ctx);

/* What indexed collections gained and lost since begin, read or the last call. A key may stand there
 * more than once; the last one counts. Valid until the next write to t. */
struct tag_link {
    uint32_t tag;
    bool on;
    struct str key;
};
uint32_t tagset_links(struct tagset *t, const struct tag_link **out);
/* Tell of every key of every indexed collection: what an index that is new has to learn. */
void tagset_link_all(struct tagset *t);
/* Is key in the collection? */
bool tagset_holds(struct tagset *t, uint32_t tag, struct str key);

/* Bring value and levels up to now_ms, in dependency order, and tell what changed since the last
 * settle among program.watched and the stored tags that were set (deduplicated, tag order of
 * dependency).  `first`: this definition was evaluated for the first time for a known member: it fires
 * no {tag} rule. */
struct tag_change {
    uint32_t tag;
    bool had, has; /* a value before, now */
    bool first;
    struct val before, after; /* valid until the next settle */
};
uint32_t tagset_settle(struct tagset *t, int64_t now_ms, const struct tag_change **out);
/* The next moment after now_ms at which time alone may change a tag: ttl expiry, a level's keep, a
 * window's edge (local midnight when the member has something that expires, whole minutes for
 * WIN_LENGTH) – only as far as something watched or stored depends on it – and when everything in it
 * has expired (idle). TIME_NEVER if none. */
int64_t tagset_next(struct tagset *t, int64_t now_ms);
/* When the last thing in it that can expire has expired (idle timer); TIME_NEVER if something stays. */
int64_t tagset_idle(struct tagset *t, int64_t now_ms);
/* Collections trim oldest first until about `bytes` less is written; returns bytes saved. */
size_t tagset_trim(struct tagset *t, size_t bytes);
uint64_t tagset_evictions(const struct tagset *t); /* `by` keys that left since begin/read */
uint64_t tagset_errors(const struct tagset *t);    /* errors of of/by/where since begin/read */
/* A slot of the blob did not decode: it reads as nothing and its bytes are written back as they are.
 * Never with a blob of ours; whoever finds it true should say so. */
bool tagset_bad(const struct tagset *t);
void tagset_show(struct tagset *t, int64_t now_ms,
                 struct buf *out); /* JSON object, addresses masked */

#endif
