/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal can do, and what people want there: its width, colours, one line that is drawn again. */
#ifndef RATCHET_CLI_TERMINAL_H
#define RATCHET_CLI_TERMINAL_H

#include "base/buf.h"
#include "base/err.h"

#include "model.h"

#include <stdbool.h>
#include <stddef.h>

/* Is that descriptor a terminal whose lines can be drawn again? Not where TERM is `dumb` or not set. */
bool terminal_is_live(int fd);
/* Columns of the terminal at that descriptor, 80 where they are not known. */
size_t terminal_width(int fd);
/* The width that a table may have there: 0, as wide as it is, in a file or a pipe, where no name may be
 * shortened. */
size_t terminal_columns(int fd);
/* May what is written there have colours? Not where NO_COLOR is set (no-color.org). */
bool terminal_has_colour(int fd);

/* Draw the one line of stderr anew: made safe (base/scan.h), and what is wider than the terminal is
 * cut. Until terminal_clear, Ctrl-C leaves no half of it behind. */
void terminal_draw(const char *line);
void terminal_clear(void);

/* Print text to stdout, made safe. On a terminal long lines are broken between words, and verdicts that begin a row
 * or stand second in it have colours where that is wanted. */
MUST_CHECK int terminal_print(const struct buf *text, struct err *err);
/* The table of verdicts, likewise; on a terminal long names are shortened. */
MUST_CHECK int terminal_print_verdicts(const struct comparison *comparison, struct err *err);

#endif
