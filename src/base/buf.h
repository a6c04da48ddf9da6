/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer with a ceiling. Every buffer that holds foreign bytes has one.
 *
 * `data` is always followed by a NUL that `len` does not count, so text can be read as a C
 * string. An append that would pass `max`, or for which memory ran out, sets `failed` and
 * leaves the buffer as it was; later appends do nothing. So a writer appends freely and
 * asks buf_check once at the end, before anybody takes the text for a whole one. */
#ifndef RATCHET_BASE_BUF_H
#define RATCHET_BASE_BUF_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; /* owned; never NULL after buf_init */
    size_t len; /* bytes used */
    size_t cap; /* bytes allocated, 0 while `data` is the shared empty string */
    size_t max; /* bytes allowed in `len` */
    bool failed;
    bool no_memory; /* … and not for `max` */
};

void buf_init(struct buf *buf, size_t max);
void buf_free(struct buf *buf); /* accepts a zeroed struct */
void buf_clear(struct buf *buf);

void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_adds(struct buf *buf, const char *text);
void buf_addc(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Where memory ran out for `part`, of which `buf` is made, it did for `buf`. */
void buf_note_loss(struct buf *buf, const struct buf *part);
/* Is all there that was appended? Else ERR_HOST "out of memory for WHAT", or ERR_LIMIT "WHAT is longer
 * than N bytes". */
MUST_CHECK int buf_check(const struct buf *buf, const char *what, struct err *err);

#define BUF_AUTO __attribute__((cleanup(buf_free))) struct buf

#endif
