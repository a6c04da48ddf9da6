/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which column a value falls into. */
#include "base/plot.h"

#include <math.h>
#include <string.h>

/* -1 and plot->columns are beyond the edges. */
static long rough_column(const struct plot *plot, double value)
{
    double last = (double)plot->columns - 1;
    double at = plot->high > plot->low
                    ? round(last * (value - plot->low) / (plot->high - plot->low))
                    : floor(last / 2);
    return at < 0 ? -1 : at > last ? (long)plot->columns : (long)at;
}

/* Rounding to a column must not put a value on a line, or beyond it. */
static long column(const struct plot *plot, double value)
{
    long at = rough_column(plot, value);
    for (size_t i = 0; i < plot->line_count; i++) {
        long line = rough_column(plot, plot->lines[i]);
        if (value > plot->lines[i] && at <= line)
            at = line + 1;
        if (value < plot->lines[i] && at >= line)
            at = line - 1;
    }
    return at;
}

static long within(const struct plot *plot, long at)
{
    long last = (long)plot->columns - 1;
    return at < 0 ? 0 : at > last ? last : at;
}

void plot_begin(const struct plot *plot, char row[PLOT_COLUMNS_MAX + 1])
{
    memset(row, ' ', plot->columns);
    row[plot->columns] = '\0';
    for (size_t i = 0; i < plot->line_count; i++) {
        long at = rough_column(plot, plot->lines[i]);
        if (at == within(plot, at))
            row[at] = ':';
    }
}

void plot_mark(const struct plot *plot, double value, char mark,
               char row[PLOT_COLUMNS_MAX + 1])
{
    if (!isfinite(value))
        return;
    long at = column(plot, value);
    long shown = within(plot, at);
    row[shown] = at < shown ? '<' : at > shown ? '>' : mark;
}

void plot_interval(const struct plot *plot, double low, double middle, double high, char mark,
                   char row[PLOT_COLUMNS_MAX + 1])
{
    if (isfinite(low) && isfinite(high) && low <= high) {
        long last = within(plot, column(plot, high));
        for (long at = within(plot, column(plot, low)); at <= last; at++)
            row[at] = row[at] == ':' ? '+' : '-';
        plot_mark(plot, low, '|', row);
        plot_mark(plot, high, '|', row);
    }
    plot_mark(plot, middle, mark, row);
}
