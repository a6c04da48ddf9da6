/* SPDX-License-Identifier: Apache-2.0 */
/* The one escaper between foreign text and a GitHub comment. */
#ifndef RATCHET_PUBLISH_MARKDOWN_H
#define RATCHET_PUBLISH_MARKDOWN_H

#include "base/buf.h"

#include <stddef.h>

/* Inline text, safe in a paragraph and in a table cell: Markdown and HTML characters escaped,
 * line ends become spaces, control and bidirectional characters dropped, invalid UTF-8
 * replaced, `@name`, `#12`, `owner/repo#1`, commit hashes and URLs do not link. */
void markdown_text(struct buf *out, const char *text);
/* A code span that is safe in a table cell; nothing at all for text without a character to
 * show. Two of them must not touch. */
void markdown_code(struct buf *out, const char *text);
/* A fenced block with a fence longer than any run of backticks inside; keeps the last
 * `max_bytes` bytes from the start of a line on, behind a line that says what is missing. */
void markdown_fenced(struct buf *out, const char *text, size_t len, size_t max_bytes);

#endif
