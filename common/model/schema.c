/* SPDX-License-Identifier: Apache-2.0 */
/* schema: finding declared events; they stand in name order. */
#include "model_priv.h"

const struct event_def *schema_event(const struct schema *s, struct str name)
{
    uint32_t lo = 0, hi = s ? s->n : 0;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(s->events[mid]->name, name);
        if (c == 0)
            return s->events[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

bool schema_has_topic(const struct schema *s, struct str topic)
{
    for (uint32_t i = 0; s && i < s->n; i++)
        if (str_eq(s->events[i]->topic, topic))
            return true;
    return false;
}
