/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever our programs say to a person, on stderr and on stdout, goes through here and is made safe for a
 * terminal (base/scan.h): names, paths, reasons and notes may hold what a stranger chose. Whether
 * stdout took all of it is asked once, at the end (base/program.h). */
#ifndef RATCHET_BASE_LINE_H
#define RATCHET_BASE_LINE_H

#include "base/buf.h"

#include <stddef.h>
#include <stdio.h>

/* One line and its end, on stderr. One that is longer than 16 KiB is cut. */
void line_err(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same on stdout. */
void line_out(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Several lines, each made safe. Whoever wants them seen before the end flushes. */
void line_text(FILE *out, const char *text, size_t len);
/* As it is: Markdown and JSON, which publish/markdown and base/json have made safe, and lines for the
 * Actions runner (publish/actions). */
void line_document(const struct buf *document);
/* The errno with which stdout did not take something of it, or 0: what is kept until a flush may be lost
 * then. */
int line_lost(void);

#endif
