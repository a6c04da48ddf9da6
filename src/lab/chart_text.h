/* SPDX-License-Identifier: Apache-2.0 */
/* Text in a chart: escaped, measured without a font, and broken into lines. Private to the charts and
 * pages of src/lab. */
#ifndef RATCHET_LAB_CHART_TEXT_H
#define RATCHET_LAB_CHART_TEXT_H

#include "base/buf.h"
#include "lab/chart.h"

#include <stddef.h>

/* Append `len` bytes for XML or HTML, as content or within a quoted attribute. Bytes that are not UTF-8,
 * control characters and those that change the direction of writing become `?`. */
void chart_text_put(struct buf *out, const char *text, size_t len);

/* How wide it is at most in a common sans-serif font of `size`, which is the height of a line. */
double chart_text_width(const char *text, size_t len, double size);

/* Bytes from the front that fit into `width`, whole characters. */
size_t chart_text_fit(const char *text, size_t len, double size, double width);

enum { CHART_LINES_MAX = 4 };
struct chart_line {
    const char *text; /* borrowed */
    size_t len;
    bool cut; /* an ellipsis belongs behind it */
};
/* Break at blanks into up to `max` lines, the last cut where it is too long. Returns how many; none
 * of "" and NULL. */
size_t chart_text_wrap(const char *text, double size, double width, size_t max,
                       struct chart_line lines[CHART_LINES_MAX]);

/* A value as a tick or a label has it: a few digits, and its unit where it has one. */
enum { CHART_VALUE_BYTES = 48 };
const char *chart_value(char out[CHART_VALUE_BYTES], double value, enum chart_unit unit);

#endif
