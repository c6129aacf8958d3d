/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source marks: of each upstream partition the greatest offset folded, so that ingest may append a
 * record twice.  A topic that was made anew has a higher epoch; what still comes of a lower one is
 * dropped.
 */
#include "fold_priv.h"

#include <stdlib.h>

static struct mark *mark_get(struct decide *d, struct str topic, int32_t partition, bool make)
{
    buf_reset(&d->mark_key);
    buf_addstr(&d->mark_key, topic);
    buf_addc(&d->mark_key, '\0');
    buf_add(&d->mark_key, &partition, sizeof partition);
    struct mark *m = map_get(d->marks, buf_str(&d->mark_key));
    if (m || !make)
        return m;
    m = xcalloc(1, sizeof *m + topic.n);
    memcpy(m->topic, topic.p, topic.n);
    m->src = (struct decide_src){
        .topic = {m->topic, topic.n}, .epoch = INT64_MIN, .partition = partition, .offset = -1};
    map_put(d->marks, buf_str(&d->mark_key), m);
    return m;
}

bool mark_above(struct decide *d, const struct source *s)
{
    struct mark *m = d->last_mark;
    if (m && m->src.partition == s->partition && m->src.epoch == s->epoch &&
        str_eq(m->src.topic, s->topic))
        return s->offset > m->src.offset;
    struct mark *top = mark_get(d, s->topic, -1, false);
    if (top && s->epoch < top->src.epoch)
        return false;
    m = mark_get(d, s->topic, s->partition, false);
    return !m || s->epoch > m->src.epoch || s->offset > m->src.offset;
}

static void raise_to(struct decide *d, const struct source *s)
{
    struct mark *top = mark_get(d, s->topic, -1, true);
    struct mark *m = mark_get(d, s->topic, s->partition, true);
    if (s->epoch > top->src.epoch)
        top->src.epoch = s->epoch;
    m->src.epoch = s->epoch;
    d->last_mark = m;
}

void mark_move(struct decide *d, const struct source *s)
{
    struct mark *m = d->last_mark;
    if (!m || m->src.partition != s->partition || m->src.epoch != s->epoch ||
        !str_eq(m->src.topic, s->topic)) {
        raise_to(d, s);
        m = d->last_mark;
    }
    m->src.offset = s->offset;
    m->moved = true;
}

static void marks_clear(struct decide *d)
{
    size_t it = 0;
    void *m;
    while (map_next(d->marks, &it, NULL, &m))
        free(m);
    map_clear(d->marks);
    d->last_mark = NULL;
}

void marks_reset(struct decide *d, const struct decide_src *src, size_t n)
{
    marks_clear(d);
    for (size_t i = 0; i < n; i++) {
        const struct source s = {.topic = src[i].topic,
                                 .epoch = src[i].epoch,
                                 .partition = src[i].partition,
                                 .offset = src[i].offset};
        struct mark *m = mark_get(d, s.topic, s.partition, true);
        if (s.epoch < m->src.epoch)
            continue;
        raise_to(d, &s);
        m->src.offset = s.offset;
    }
    d->last_mark = NULL;
}

void marks_free(struct decide *d)
{
    marks_clear(d);
    map_free(&d->marks);
    buf_free(&d->mark_key);
}
