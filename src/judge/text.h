/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text written by hand where a reader of `git diff` cares for its lines: quoted
 * strings and numbers. Reading is base/json's. */
#ifndef RATCHET_JUDGE_TEXT_H
#define RATCHET_JUDGE_TEXT_H

#include "base/buf.h"

/* A quoted, escaped string. Our texts are one line: control characters, and bytes that
 * are not UTF-8, become `?`, so that what we write is what our readers accept. */
void text_string(struct buf *out, const char *text);

/* The number in the fewest of 15, 16 or 17 digits that read back as the same double:
 * whole numbers without a point. NaN and infinities have no JSON and become null. */
void text_number(struct buf *out, double number);

#endif
