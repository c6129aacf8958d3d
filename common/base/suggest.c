/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suggest: the nearest known name.  Optimal string alignment (insert, delete, replace, swap two
 * neighbours), case-folded, at most max(len, 3) / 3 away; if none is, the same words in another order.
 */
#include "base.h"

#define SUGGEST_MAX 64

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : (unsigned char)c;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

static size_t distance(struct str a, struct str b)
{
    size_t row[3][SUGGEST_MAX + 1];
    if (a.n > SUGGEST_MAX || b.n > SUGGEST_MAX)
        return SIZE_MAX;
    size_t *prev2 = row[0], *prev = row[1], *now = row[2];
    for (size_t j = 0; j <= b.n; j++)
        prev[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t cost = lower(a.p[i - 1]) != lower(b.p[j - 1]);
            now[j] = min3(prev[j] + 1, now[j - 1] + 1, prev[j - 1] + cost);
            if (i > 1 && j > 1 && lower(a.p[i - 1]) == lower(b.p[j - 2]) &&
                lower(a.p[i - 2]) == lower(b.p[j - 1]) && prev2[j - 2] + 1 < now[j])
                now[j] = prev2[j - 2] + 1;
        }
        size_t *t = prev2;
        prev2 = prev;
        prev = now;
        now = t;
    }
    return prev[b.n];
}

/* Take the next word of s (separated by '_') from *i; false at the end. */
static bool next_word(struct str s, size_t *i, struct str *word)
{
    if (*i > s.n)
        return false;
    size_t from = *i;
    while (*i < s.n && s.p[*i] != '_')
        ++*i;
    *word = (struct str){s.p + from, *i - from};
    ++*i;
    return true;
}

static bool has_word(struct str s, struct str word)
{
    size_t i = 0;
    struct str w;
    while (next_word(s, &i, &w))
        if (w.n == word.n && distance(w, word) == 0)
            return true;
    return false;
}

static bool same_words(struct str a, struct str b)
{
    size_t i = 0;
    struct str w;
    if (a.n != b.n)
        return false;
    while (next_word(a, &i, &w))
        if (!has_word(b, w))
            return false;
    return true;
}

struct str suggest(struct str word, const struct str *names, size_t n)
{
    struct str best = {"", 0};
    size_t most = (word.n > 3 ? word.n : 3) / 3, least = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, names[i]);
        if (d <= most && (d < least || (d == least && str_cmp(names[i], best) < 0))) {
            best = names[i];
            least = d;
        }
    }
    for (size_t i = 0; i < n && best.n == 0; i++)
        if (same_words(word, names[i]))
            best = names[i];
    return best;
}
