/* SPDX-License-Identifier: Apache-2.0 */
/* How strings and numbers look in what the judge writes: JSON written by hand where a
 * reader of `git diff` cares for its lines, and text for a terminal. Reading is
 * base/json's. */
#ifndef RATCHET_JUDGE_TEXT_H
#define RATCHET_JUDGE_TEXT_H

#include "base/buf.h"
#include "model.h"

/* A quoted, escaped string. Our texts are one line: control characters, and bytes that
 * are not UTF-8, become `?`, so that what we write is what our readers accept; what else a
 * terminal would act on is escaped. */
void text_string(struct buf *out, const char *text);

/* The number in the fewest of 15, 16 or 17 digits that read back as the same double:
 * whole numbers without a point. NaN and infinities have no JSON and become null. */
void text_number(struct buf *out, double number);

/* "[1.5, 2]", of such numbers. */
void text_interval(struct buf *out, struct interval interval);

/* Text for a terminal, in one line. A failure's words may come from a hostile program: what is safe there
 * says scan_line (base/scan.h). */
void text_plain(struct buf *out, const char *text);

/* Three numbers of at most 1e17 percent, each with its sign and two decimals. */
enum { TEXT_CHANGE_BYTES = 96 };
/* "+3.77% [+3.55%, +3.98%]". Returns `out`. */
const char *text_change(char out[TEXT_CHANGE_BYTES], double change, struct interval interval);

/* All marks there are, each with a comma. */
enum { TEXT_MARKS_BYTES = 128 };
/* "preempted, shared"; "" for none. Returns `out`. */
const char *text_marks(char out[TEXT_MARKS_BYTES], unsigned marks);

/* "device held for 16.512 s, 0.003302 USD at 0.72 USD an hour"; without a price the time alone.
 * Nothing where it is not known. */
void text_spent(struct buf *out, const struct comparison *comparison);

enum { TEXT_MISSING_BYTES = 256 };
/* "head is missing in 10, control is missing in 1 of 16 replicates"; "" where nothing is. Returns
 * `out`. */
const char *text_missing(char out[TEXT_MISSING_BYTES], const struct config_verdict *config);

#endif
