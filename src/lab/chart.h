/* SPDX-License-Identifier: Apache-2.0 */
/* Charts as SVG: data in, text out. Draws and measures nothing else, and knows nothing of kernels.
 *
 * A chart is one <svg> with its colours in it, for light and dark (prefers-color-scheme); it needs no font,
 * script or file from elsewhere. The same data give the same bytes. Text may come from anywhere: it is
 * escaped, and cut with an ellipsis where there is no room. Series are told apart by colour, by shape and by
 * their order in the legend, which stands above the plot and never on it. Pointing at a mark shows
 * its value.
 *
 * Nothing is drawn of a point that is not finite, or not above 0 on a logarithmic axis. Ranges are
 * drawn as whiskers; one that is not finite is none. */
#ifndef RATCHET_LAB_CHART_H
#define RATCHET_LAB_CHART_H

#include "base/buf.h"
#include "base/err.h"
#include "model.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    CHART_SERIES_MAX = 12, /* the tenth has the first one's colour and shape again */
    CHART_TICKS_MAX = 24
};

/* What values of an axis are, and so how they are written. */
enum chart_unit {
    CHART_NUMBER,
    CHART_TIME,    /* ns, written in ns, µs, ms or s */
    CHART_PERCENT, /* 0.5 is 50% */
    CHART_DATE     /* seconds since 1970, UTC */
};

struct chart_axis {
    const char *label; /* with its unit where the ticks have none */
    enum chart_unit unit;
    bool log;
    bool from_zero; /* of a linear axis */
    /* Where ticks stand; NULL: at round numbers. */
    const double *ticks;
    size_t tick_count;
    double most; /* no value above it is shown, ranges end there; 0: any is */
};

enum chart_kind {
    CHART_LINE,   /* marks joined by a line */
    CHART_POINTS, /* marks alone */
    CHART_CEILING /* a broken line without marks, in the colour of text: what cannot be passed */
};

struct chart_point {
    double x, y;
    struct interval range; /* of y */
};

struct chart_series {
    const char *name;
    enum chart_kind kind;
    unsigned
        slot; /* which colour and shape, so that a name keeps its own from chart to chart */
    const struct chart_point *points; /* in the order of the line */
    size_t count;
};

struct chart_lines {
    const char *title, *subtitle; /* subtitle may be NULL */
    struct chart_axis x, y;
    const struct chart_series *series;
    size_t count; /* at most CHART_SERIES_MAX */
};
/* Appends an <svg>. More series than that are ERR_INTERNAL. */
MUST_CHECK int chart_lines(const struct chart_lines *chart, struct buf *out, struct err *err);

struct chart_bar {
    double value;          /* not finite: none, and `missing` is written in its place */
    struct interval range; /* of value */
    const char *missing;   /* a word or two; NULL: nothing is written */
};

struct chart_bars {
    const char *title, *subtitle;
    const char *x_label;
    struct chart_axis y; /* linear, from zero */
    const char *const *groups;
    size_t group_count;
    const char *const *series; /* names */
    const unsigned *slots;     /* of them */
    size_t series_count;
    const struct chart_bar *bars; /* [group_count][series_count] */
};
/* Appends an <svg> with a bar for each series in each group, its value above it. It is as wide as the bars
 * need. */
MUST_CHECK int chart_bars(const struct chart_bars *chart, struct buf *out, struct err *err);

struct chart_forest_row {
    const char *name, *told; /* `told` stands at the right: the value in words */
    double value;
    struct interval range; /* of value */
    unsigned slot;
};

struct chart_forest {
    const char *title, *subtitle;
    struct chart_axis x;
    double line; /* what nothing would read: drawn from top to bottom */
    const struct chart_forest_row *rows;
    size_t count;              /* at most CHART_ROWS_MAX are drawn */
    const char *const *legend; /* a name for each slot used; NULL: none */
    size_t legend_count;
};
enum { CHART_ROWS_MAX = 64 };
/* Appends an <svg>: a row for each value, with its range from left to right. */
MUST_CHECK int chart_forest(const struct chart_forest *chart, struct buf *out,
                            struct err *err);

#endif
