/* SPDX-License-Identifier: Apache-2.0 */
/* verify: the run's own topics, folded again and compared; see verify.c. */
#ifndef ROUSE_VERIFY_H
#define ROUSE_VERIFY_H

#include "admin.h"
#include "decide.h"

enum fate { /* what became of a send, by its first valid final result */
            FATE_PENDING,
            FATE_SENT,
            FATE_FAILED,
            FATE_AMBIGUOUS,
            FATE_EXPIRED,
            FATE_RETURNED,
};
struct verdict {     /* one decision of the fold */
    struct str json; /* canonical bytes; valid until the next decision is made while folding */
    size_t at;       /* where it stands in part.text */
    uint32_t seen;   /* times in rouse.decisions */
    bool divergent;
    enum decision_kind kind;
    enum fate fate;
    bool bytes_left;       /* an attempt of it says that bytes may have left */
    bool listed_ambiguous; /* a valid result or takeover says ambiguous */
    uint32_t attempts;
    char id[40];
};
struct part {
    struct buf text; /* every decision's bytes, one after another */
    struct verdict *v;
    size_t n, cap;
    uint8_t chain[32];
};
struct counts {
    uint64_t records, entries, duplicate_entries, events, members, seen, duplicates, lost, spurious,
        divergent, sends, withholds, converts, by_fate[FATE_RETURNED + 1];
    uint64_t upstream, upstream_missing, upstream_invented, dead;
    uint64_t journal, journal_ids, journal_missing, journal_spurious, journal_repeated;
};
struct verify {
    struct admin_conf kafka;
    struct control *ctl;
    const struct genesis *g;
    const struct schema *schema; /* of the rules in force, for what upstream holds */
    struct arena *arena;
    struct part *parts;
    struct map
        *sources; /* "topic/epoch/partition/offset" -> non-NULL, of the log and the dead letters */
    struct map *ids; /* decision id -> struct verdict */
    struct counts c;
    int64_t bite; /* smaller bites of the fold, 0 = normal */
};

int verify_fold(struct verify *v, uint32_t p, struct err *err);
int verify_decisions(struct verify *v, uint32_t p, struct err *err);
int verify_outcomes(struct verify *v, uint32_t p, struct err *err);
int verify_dead(struct verify *v, struct err *err);
int verify_upstream(struct verify *v, struct err *err);
int verify_journal(struct verify *v, const char *path, struct err *err);
/* By rule and gateway, by reason; one member's story ("auto" = the one with most to tell). */
void verify_summary(const struct verify *v);
void verify_story(const struct verify *v, const char *member);
const char *fate_name(enum fate f);

#endif
