/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of yaml: positions, quoted scalars, and what people mean when libyaml gives up.
 */
#ifndef ROUSE_YAML_PRIV_H
#define ROUSE_YAML_PRIV_H

#include "yaml.h"

/* libyaml counts code points; we count bytes.  One checkpoint each PLACE_STEP code points. */
#define PLACE_STEP 64
struct places {
    struct str text;
    const uint32_t *at; /* byte offset of code point i * PLACE_STEP; NULL: all ASCII */
    uint32_t n;
};
void places_init(struct places *p, struct arena *a, struct str text);
uint32_t places_byte(const struct places *p, size_t code_point);

/* Where each decoded byte of a quoted scalar stands: raw is the file's text from quote to quote at
 * `base`; decoded is what libyaml made of it.  n + 1 entries. */
const uint32_t *quoted_map(struct arena *a, struct str raw, uint32_t base, struct str decoded);

/* ( and [ minus ) and ] outside of string quotes, and the quote that is open; goes on from *p. */
struct parens {
    int depth;
    char quote;
};
void paren_scan(struct str s, struct parens *p);

/* Report a syntax error that libyaml found: `problem` (its words) at byte `at`, in a construct that
 * began at `began` (UINT32_MAX: unknown). */
void hint_syntax(struct diags *d, const struct srcfile *f, const char *problem, uint32_t at,
                 uint32_t began);
/* Report a value that starts with `!` (or a real tag). */
void hint_tag(struct diags *d, struct span at);

#endif
