/* SPDX-License-Identifier: Apache-2.0 */
/* What all charts have around their data: title, legend, axes. Private to the charts.
 *
 * From above: title, subtitle, legend, label of the y axis, plot, ticks of the x axis, its label. All places
 * are in the units of the viewBox, which are pixels where it is shown as wide as it is. */
#ifndef RATCHET_LAB_CHART_FRAME_H
#define RATCHET_LAB_CHART_FRAME_H

#include "base/buf.h"
#include "lab/chart.h"
#include "lab/chart_scale.h"

#include <stddef.h>

enum { CHART_SLOTS = 9 };

struct frame_entry {
    const char *name;
    enum chart_kind kind;
    unsigned slot;
    bool bar;
};

struct frame {
    const char *title, *subtitle;
    const char *x_label, *y_label;
    struct frame_entry entries[CHART_SERIES_MAX]; /* of the legend */
    size_t entry_count;
    double width;
    double height;                   /* of the plot; 0: FRAME_PLOT_HEIGHT */
    double left, right, top, bottom; /* of the plot: set by frame_open */
};

enum { FRAME_PLOT_HEIGHT = 190, FRAME_LABEL_SIZE = 11 };

/* Write everything above the plot and set the plot's edges; `left` and `width` are given. */
void frame_open(struct frame *frame, struct buf *out);
void frame_close(struct buf *out);

/* How far the plot's left edge has to be from the picture's for these ticks. */
double frame_left(const struct scale *y);
/* Grid, ticks and axis; the scales have their places already. */
void frame_y_axis(const struct frame *frame, const struct scale *y, struct buf *out);
void frame_x_axis(const struct frame *frame, const struct scale *x, struct buf *out);
/* The axis' own line and label. */
void frame_x_line(const struct frame *frame, struct buf *out);

/* The stylesheet: src/lab/chart_style.c. */
const char *chart_style(void);

/* One line of text. `anchor`: start, middle or end. */
struct frame_text {
    const char *class, *anchor;
    double x, y;
    size_t room; /* cut to so many units; 0: as long as it is */
};
void frame_text(const struct frame_text *how, const char *text, struct buf *out);

/* A series' mark around (x, y). The element stays open for a <title>: frame_mark_end. */
void frame_mark(unsigned slot, double x, double y, struct buf *out);
/* What is shown where somebody points at it: "name, where: value [low, high]". */
struct frame_tip {
    const char *name, *where;
    double value;
    struct interval range;
    enum chart_unit unit;
};
void frame_tip(const struct frame_tip *tip, struct buf *out);
/* A whisker from `low` to `high`, places. */
void frame_whisker(unsigned slot, double x, double low, double high, struct buf *out);

#endif
