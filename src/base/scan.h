/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign bytes as characters that are safe to show: UTF-8 decoded and checked, terminal
 * sequences, control and invisible direction characters left out, or `?` in their place. What the
 * characters may mean to Markdown or to the Actions runner is the business of those who call this. */
#ifndef RATCHET_BASE_SCAN_H
#define RATCHET_BASE_SCAN_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define SCAN_END UINT32_MAX

/* The next character worth showing of what lies between *at and `end`, which are moved on;
 * SCAN_END at the end. Line ends of every kind are '\n', a tab stays one, every byte that is
 * not UTF-8 is U+FFFD. */
uint32_t scan_next(const char **at, const char *end);

/* A character as UTF-8; its length. */
enum { SCAN_CHARACTER_BYTES = 4 };
size_t scan_encode(uint32_t character, char out[SCAN_CHARACTER_BYTES]);

/* Append a character as UTF-8. (Here, so that errors, which buffers need, can be made of this file.) */
static inline void scan_put(struct buf *out, uint32_t character)
{
    char bytes[SCAN_CHARACTER_BYTES];
    buf_add(out, bytes, scan_encode(character, bytes));
}

/* In place, one line for a terminal or a log: a tab becomes a space, and a `?` what a terminal would act
 * on or a reader not see: control, format and direction characters, line ends of every kind, and each
 * byte that is not UTF-8. */
void scan_line(char *text);
/* The same, but '\n' stays; the length that is left. */
size_t scan_lines(char *text, size_t len);

/* Bytes of a hidden character beyond ASCII that begins at `text`, or 0. For JSON, which can write it in
 * another way. */
size_t scan_hidden(const char *text, const char *end, uint32_t *character);

/* Would a terminal, browser or .NET's String.Trim take it for white space? */
bool scan_is_space(uint32_t character);

#endif
