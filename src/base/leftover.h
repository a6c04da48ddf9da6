/* SPDX-License-Identifier: Apache-2.0 */
/* What git leaves in a file in place of what was meant: the markers of a merge that nobody
 * finished, a pointer of Git LFS. Asked when a text could not be read, to say why. */
#ifndef RATCHET_BASE_LEFTOVER_H
#define RATCHET_BASE_LEFTOVER_H

#include <stddef.h>

/* A name for the first leftover, "conflict marker `<<<<<<<`" or "pointer of Git LFS", and its line,
 * counted from 1; NULL where there is none. Markers are seven of <, = , | or > at the start of a
 * line; < and > also inside of one, where what comes before lost its end of line. */
const char *leftover_find(const char *bytes, size_t len, size_t *line);

#endif
