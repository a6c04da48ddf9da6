/* SPDX-License-Identifier: Apache-2.0 */
/* Charts in plain characters: one row for each thing, all on one scale, for a terminal or a code block.
 * An interval is `|--o--|`, its ends in the columns where they fall. Pure. */
#ifndef RATCHET_BASE_PLOT_H
#define RATCHET_BASE_PLOT_H

#include <stddef.h>

enum { PLOT_COLUMNS_MAX = 80 };

struct plot {
    double low, high;    /* values in the middle of the first and of the last column */
    size_t columns;      /* 2 to PLOT_COLUMNS_MAX */
    const double *lines; /* values that have a line through all rows, `:` */
    size_t line_count;
};

/* A row of blanks and lines. */
void plot_begin(const struct plot *plot, char row[PLOT_COLUMNS_MAX + 1]);

/* `mark` at a value; `<` or `>` at the edge for one beyond it, nothing for what is not finite. A
 * value that is not on a line never stands on it or on its other side, however wide columns are. */
void plot_mark(const struct plot *plot, double value, char mark,
               char row[PLOT_COLUMNS_MAX + 1]);

/* An interval with `mark` at `middle`. Where it passes a line, the line is a `+`. */
void plot_interval(const struct plot *plot, double low, double middle, double high, char mark,
                   char row[PLOT_COLUMNS_MAX + 1]);

#endif
