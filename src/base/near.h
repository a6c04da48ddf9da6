/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean …?": of some names the one that a misspelt word is nearest to. */
#ifndef RATCHET_BASE_NEAR_H
#define RATCHET_BASE_NEAR_H

#include <stddef.h>

enum { NEAR_TEXT_BYTES = 96 };

/* Begun as {.word = WORD, .len = bytes of it}; all text is borrowed. */
struct near {
    const char *word;
    size_t len;
    size_t distance;
    const char *name; /* the nearest so far; NULL: none is near */
};

/* Look at one more name. Near is what at most two letters, put in, left out or changed, make of the
 * word, and fewer than half of the name's. */
void near_offer(struct near *near, const char *name);

/* "; did you mean `PREFIXNAME`?", or "" where none is near. */
const char *near_text(const struct near *near, const char *prefix, char out[NEAR_TEXT_BYTES]);

#endif
