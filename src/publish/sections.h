/* SPDX-License-Identifier: Apache-2.0 */
/* Several reports in one comment: a section for each device, which begins with a line that is its
 * marker (`<!-- ratchet:v1 device=SLUG -->`) and ends before the next one. Markers that are the same
 * up to their `=` are of one family, and share a comment. Pure text; `marker` is one of ours. */
#ifndef RATCHET_PUBLISH_SECTIONS_H
#define RATCHET_PUBLISH_SECTIONS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Is its first line a marker of that family? */
bool sections_are(const char *text, size_t len, const char *marker);
/* Is there a section of that very marker? */
bool sections_have(const char *text, size_t len, const char *marker);
/* … of another one of the family? */
bool sections_have_others(const char *text, size_t len, const char *marker);

/* `old` (may be empty) with the section of `marker` replaced by `body`, or with it at the end, into
 * `out`, whose `max` is the longest comment. What does not fit loses its folded parts, the others'
 * before its own, then all but the others' headings; ERR_LIMIT where even that is too long. `body`
 * begins with its marker's line; no other line of it counts as one. The same again changes
 * nothing. */
MUST_CHECK int sections_put(const char *old, size_t old_len, const char *marker,
                            const char *body, size_t len, struct buf *out, struct err *err);

#endif
