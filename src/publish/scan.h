/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign bytes as characters that are safe to show: UTF-8 decoded and checked, terminal
 * sequences, control and invisible direction characters left out. What the characters may
 * mean to Markdown or to the Actions runner is the business of those who call this. */
#ifndef RATCHET_PUBLISH_SCAN_H
#define RATCHET_PUBLISH_SCAN_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define SCAN_END UINT32_MAX

/* The next character worth showing of what lies between *at and `end`, which are moved on;
 * SCAN_END at the end. Line ends of every kind are '\n', a tab stays one, every byte that is
 * not UTF-8 is U+FFFD. */
uint32_t scan_next(const char **at, const char *end);

/* Append a character as UTF-8. */
void scan_put(struct buf *out, uint32_t character);

/* Would a terminal, browser or .NET's String.Trim take it for white space? */
bool scan_is_space(uint32_t character);

#endif
