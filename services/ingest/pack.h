/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack: events become records of rouse.log.  One open record a partition; an upstream record's events go
 * to the partitions of their members as one entry each; a record leaves when the next entry would make
 * it too large, when it is old enough, or when it is told to.  Pure: records leave through a function.
 *
 *      upstream record ──► entry for p3 ──► [ p3: {"t":"event",…,"e":[entry,entry, ┄ ]} ──► emit
 *                     └──► entry for p9 ──► [ p9: …                              ]
 */
#ifndef ROUSE_INGEST_PACK_H
#define ROUSE_INGEST_PACK_H

#include "model.h"

typedef void pack_emit_fn(void *arg, uint32_t p, struct str record);
struct pack;
struct pack *pack_new(uint32_t partitions, size_t max_bytes, pack_emit_fn *fn, void *arg);
void pack_free(struct pack **k);
uint32_t pack_partition(const struct pack *k,
                        struct str member); /* murmur2, as Kafka's Java client */
/* Take one upstream record's events, decoded under activation n (flush before n changes). 0, or -1
 * ("too_big": the entry alone is larger than a record may be; nothing was taken).  now: any clock. */
int pack_add(struct pack *k, uint64_t n, const struct source *src, const struct event *ev,
             uint32_t n_ev, int64_t now_ms, struct err *err);
void pack_flush(struct pack *k);
void pack_flush_older(struct pack *k, int64_t than_ms); /* begun at or before it */
void pack_reset(struct pack *k);                        /* forget what is open */
int64_t pack_oldest_ms(const struct pack *k);           /* TIME_NEVER = nothing is open */

#endif
