/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how grouped bars are drawn. */
#include "lab/chart.h"

#include "lab/chart_frame.h"
#include "lab/chart_scale.h"
#include "lab/chart_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WIDTH_LEAST = 360,
    BAR_LEAST = 13, /* so wide that a label beside its bar, turned, has room */
    BAR_MOST = 30,
    BAR_GAP = 2,
    GROUP_GAP = 16,
    VALUE_SIZE = 10, /* of a label above a bar */
    VALUE_ROOM = 38  /* above the highest bar, for its label */
};

struct drawing {
    const struct chart_bars *chart;
    struct frame frame;
    struct scale y;
    double bar, group; /* widths */
    bool turned;       /* labels do not fit side by side */
    struct buf *out;
};

static const struct chart_bar *bar_at(const struct chart_bars *chart, size_t group,
                                      size_t series)
{
    return &chart->bars[group * chart->series_count + series];
}

/* Three digits: a bar is no table. */
static size_t value_text(char out[CHART_VALUE_BYTES], const struct chart_bar *bar)
{
    if (!isfinite(bar->value))
        snprintf(out, CHART_VALUE_BYTES, "%s", bar->missing == NULL ? "" : bar->missing);
    else if (fabs(bar->value) >= 99.95)
        snprintf(out, CHART_VALUE_BYTES, "%.0f", bar->value);
    else
        snprintf(out, CHART_VALUE_BYTES, "%.3g", bar->value);
    return strlen(out);
}

static void set_scale(struct drawing *drawing)
{
    const struct chart_bars *chart = drawing->chart;
    struct extent extent = {.any = true};
    for (size_t i = 0; i < chart->group_count * chart->series_count; i++) {
        extent_add(&extent, &chart->y, chart->bars[i].value);
        extent_add(&extent, &chart->y, chart->bars[i].range.high);
    }
    extent.high *= FRAME_PLOT_HEIGHT / (double)(FRAME_PLOT_HEIGHT - VALUE_ROOM);
    scale_set(&drawing->y, &chart->y, &extent, 6);
}

/* As wide as there is room, and the picture wider where that is too narrow. */
static void set_widths(struct drawing *drawing)
{
    const struct chart_bars *chart = drawing->chart;
    struct frame *frame = &drawing->frame;
    double groups = fmax((double)chart->group_count, 1);
    double bars = fmax((double)chart->series_count, 1);
    double margins = frame_left(&drawing->y) + 18;
    double bar = ((WIDTH_LEAST - margins) / groups - GROUP_GAP) / bars - BAR_GAP;
    drawing->bar = floor(fmin(fmax(bar, BAR_LEAST), BAR_MOST));
    drawing->group = bars * (drawing->bar + BAR_GAP) + GROUP_GAP;
    frame->left = frame_left(&drawing->y);
    frame->width = fmax(ceil(margins + groups * drawing->group), WIDTH_LEAST);
    drawing->group = (frame->width - margins) / groups;
    for (size_t i = 0; i < chart->group_count * chart->series_count; i++) {
        char text[CHART_VALUE_BYTES];
        size_t len = value_text(text, &chart->bars[i]);
        if (chart_text_width(text, len, VALUE_SIZE) > drawing->bar + BAR_GAP)
            drawing->turned = true;
    }
}

/* Above the bar and its whisker, upright or turned. */
static void put_value(struct drawing *drawing, const struct chart_bar *bar, double middle,
                      double top)
{
    char text[CHART_VALUE_BYTES];
    size_t len = value_text(text, bar);
    if (len == 0)
        return;
    if (drawing->turned) {
        len = chart_text_fit(text, len, VALUE_SIZE, top - 4 - drawing->frame.top + 6);
        buf_addf(drawing->out,
                 "<text class=\"value\" transform=\"translate(%.1f %.1f) rotate(-90)\">",
                 middle + 3.5, top - 4);
    } else {
        buf_addf(drawing->out,
                 "<text class=\"value\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", middle,
                 top - 4);
    }
    chart_text_put(drawing->out, text, len);
    buf_adds(drawing->out, "</text>\n");
}

static void put_bar(struct drawing *drawing, size_t group, size_t series, double x)
{
    const struct chart_bars *chart = drawing->chart;
    const struct chart_bar *bar = bar_at(chart, group, series);
    const struct frame *frame = &drawing->frame;
    double top = frame->bottom, label = frame->bottom;
    if (isfinite(bar->value)) {
        const struct frame_tip tip = {chart->series[series], chart->groups[group], bar->value,
                                      bar->range, chart->y.unit};
        label = top = scale_at(&drawing->y, fmax(bar->value, 0));
        buf_addf(drawing->out,
                 "<rect class=\"c%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">",
                 chart->slots[series] % CHART_SLOTS, x, top, drawing->bar,
                 frame->bottom - top);
        frame_tip(&tip, drawing->out);
        buf_adds(drawing->out, "</rect>\n");
        if (isfinite(bar->range.low) && isfinite(bar->range.high)) {
            label = scale_at(&drawing->y, bar->range.high);
            buf_addf(drawing->out, "<path class=\"axis\" d=\"M%.1f %.1fV%.1f\"/>\n",
                     x + drawing->bar / 2, scale_at(&drawing->y, bar->range.low), label);
        }
    }
    put_value(drawing, bar, x + drawing->bar / 2, fmin(label, top));
}

static void put_groups(struct drawing *drawing)
{
    const struct chart_bars *chart = drawing->chart;
    const struct frame *frame = &drawing->frame;
    double bars = (double)chart->series_count * (drawing->bar + BAR_GAP) - BAR_GAP;
    for (size_t g = 0; g < chart->group_count; g++) {
        double middle = frame->left + ((double)g + 0.5) * drawing->group;
        const struct frame_text how = {"tick", "middle", middle, frame->bottom + 17,
                                       (size_t)drawing->group - 4};
        for (size_t s = 0; s < chart->series_count; s++)
            put_bar(drawing, g, s, middle - bars / 2 + (double)s * (drawing->bar + BAR_GAP));
        frame_text(&how, chart->groups[g], drawing->out);
    }
}

int chart_bars(const struct chart_bars *chart, struct buf *out, struct err *err)
{
    if (chart->series_count > CHART_SERIES_MAX)
        return err_set(err, ERR_INTERNAL, "a chart of %zu series, at most %d",
                       chart->series_count, CHART_SERIES_MAX);
    struct drawing drawing = {.chart = chart,
                              .frame = {.title = chart->title,
                                        .subtitle = chart->subtitle,
                                        .x_label = chart->x_label,
                                        .y_label = chart->y.label,
                                        .entry_count = chart->series_count},
                              .out = out};
    struct frame *frame = &drawing.frame;
    for (size_t s = 0; s < chart->series_count; s++)
        frame->entries[s] = (struct frame_entry){chart->series[s], CHART_POINTS,
                                                 chart->slots[s], true};
    set_scale(&drawing);
    set_widths(&drawing);
    frame_open(frame, out);
    drawing.y.from = frame->bottom;
    drawing.y.to = frame->top;
    frame_y_axis(frame, &drawing.y, out);
    put_groups(&drawing);
    frame_x_line(frame, out);
    frame_close(out);
    return buf_check(out, "a chart", err);
}
