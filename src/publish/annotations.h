/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a compiler that name a place in the tree, for GitHub to show there. A compiler's output is
 * its author's: what is found here is bounded and clean, and no promise that the file exists. */
#ifndef RATCHET_PUBLISH_ANNOTATIONS_H
#define RATCHET_PUBLISH_ANNOTATIONS_H

#include "base/buf.h"

#include <stdbool.h>

enum { ANNOTATIONS_MAX = 10, ANNOTATION_PATH_BYTES = 256, ANNOTATION_TEXT_BYTES = 1024 };

struct annotation {
    char path[ANNOTATION_PATH_BYTES]; /* within the tree: relative, no `..` */
    unsigned line, column;            /* from 1; column 0: not told */
    char text[ANNOTATION_TEXT_BYTES]; /* one line, UTF-8, not empty */
};

/* The first error at or after *at, which moves on behind its line, as gcc, clang or nvcc say it:
 *     a.c:3:5: error: text     a.c:3: fatal error: text     a.cu(12): error: text
 * Other lines, warnings among them, and places outside the tree are passed over. False: there is none. */
bool annotation_next(const char **at, struct annotation *out);

/* Append it as gcc would say it, and a newline: annotation_next reads it as it was. */
void annotation_put(struct buf *out, const struct annotation *annotation);

#endif
