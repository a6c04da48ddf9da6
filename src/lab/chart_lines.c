/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how points and lines are drawn. */
#include "lab/chart.h"

#include "lab/chart_frame.h"
#include "lab/chart_scale.h"
#include "lab/chart_text.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 360 };

struct drawing {
    const struct chart_lines *chart;
    struct frame frame;
    struct scale x, y;
    struct buf *out;
};

static bool is_drawn(const struct chart_lines *chart, const struct chart_point *point)
{
    return scale_takes(&chart->x, point->x) && scale_takes(&chart->y, point->y);
}

/* The point's range as far as the axis goes; false: it has none. */
static bool range_of(const struct chart_lines *chart, const struct chart_point *point,
                     struct interval *out)
{
    const struct chart_axis *y = &chart->y;
    *out = point->range;
    if (!isfinite(out->low) || !isfinite(out->high))
        return false;
    if (y->most != 0)
        out->high = fmin(out->high, y->most);
    if (y->from_zero)
        out->low = fmax(out->low, 0);
    return scale_takes(y, out->low) && scale_takes(y, out->high);
}

static void set_scales(struct drawing *drawing)
{
    const struct chart_lines *chart = drawing->chart;
    struct extent x = {0}, y = {0};
    for (size_t s = 0; s < chart->count; s++)
        for (size_t i = 0; i < chart->series[s].count; i++) {
            const struct chart_point *point = &chart->series[s].points[i];
            if (!is_drawn(chart, point))
                continue;
            extent_add(&x, &chart->x, point->x);
            extent_add(&y, &chart->y, point->y);
            struct interval range;
            if (range_of(chart, point, &range)) {
                extent_add(&y, &chart->y, range.low);
                extent_add(&y, &chart->y, range.high);
            }
        }
    scale_set(&drawing->x, &chart->x, &x, 6);
    scale_set(&drawing->y, &chart->y, &y, 5);
}

static void put_line(struct drawing *drawing, const struct chart_series *series)
{
    const char *join = "M";
    for (size_t i = 0; i < series->count; i++) {
        const struct chart_point *point = &series->points[i];
        if (!is_drawn(drawing->chart, point)) {
            join = i == 0 || join[0] == 'M' ? "M" : " M";
            continue;
        }
        if (strcmp(join, "M") == 0) {
            if (series->kind == CHART_CEILING)
                buf_adds(drawing->out, "<path class=\"ceiling\" d=\"");
            else
                buf_addf(drawing->out, "<path class=\"line l%u\" d=\"",
                         series->slot % CHART_SLOTS);
        }
        buf_addf(drawing->out, "%s%.1f %.1f", join, scale_at(&drawing->x, point->x),
                 scale_at(&drawing->y, point->y));
        join = "L";
    }
    if (strcmp(join, "M") != 0)
        buf_adds(drawing->out, "\"/>\n");
}

static void put_marks(struct drawing *drawing, const struct chart_series *series)
{
    const struct chart_lines *chart = drawing->chart;
    for (size_t i = 0; i < series->count; i++) {
        const struct chart_point *point = &series->points[i];
        char where[CHART_VALUE_BYTES];
        if (!is_drawn(chart, point))
            continue;
        double x = scale_at(&drawing->x, point->x);
        struct interval range;
        if (range_of(chart, point, &range))
            frame_whisker(series->slot, x, scale_at(&drawing->y, range.low),
                          scale_at(&drawing->y, range.high), drawing->out);
        const struct frame_tip tip = {series->name,
                                      chart_value(where, point->x, chart->x.unit), point->y,
                                      point->range, chart->y.unit};
        frame_mark(series->slot, x, scale_at(&drawing->y, point->y), drawing->out);
        frame_tip(&tip, drawing->out);
        buf_adds(drawing->out, "</path>\n");
    }
}

static void put_series(struct drawing *drawing)
{
    const struct chart_lines *chart = drawing->chart;
    for (size_t s = 0; s < chart->count; s++)
        if (chart->series[s].kind != CHART_POINTS)
            put_line(drawing, &chart->series[s]);
    for (size_t s = 0; s < chart->count; s++)
        if (chart->series[s].kind != CHART_CEILING)
            put_marks(drawing, &chart->series[s]);
}

int chart_lines(const struct chart_lines *chart, struct buf *out, struct err *err)
{
    if (chart->count > CHART_SERIES_MAX)
        return err_set(err, ERR_INTERNAL, "a chart of %zu series, at most %d", chart->count,
                       CHART_SERIES_MAX);
    struct drawing drawing = {.chart = chart,
                              .frame = {.title = chart->title,
                                        .subtitle = chart->subtitle,
                                        .x_label = chart->x.label,
                                        .y_label = chart->y.label,
                                        .entry_count = chart->count,
                                        .width = WIDTH},
                              .out = out};
    struct frame *frame = &drawing.frame;
    for (size_t s = 0; s < chart->count; s++)
        frame->entries[s] = (struct frame_entry){chart->series[s].name, chart->series[s].kind,
                                                 chart->series[s].slot, false};
    set_scales(&drawing);
    frame->left = frame_left(&drawing.y);
    frame_open(frame, out);
    drawing.x.from = frame->left;
    drawing.x.to = frame->right;
    drawing.y.from = frame->bottom;
    drawing.y.to = frame->top;
    frame_y_axis(frame, &drawing.y, out);
    frame_x_axis(frame, &drawing.x, out);
    put_series(&drawing);
    frame_close(out);
    return buf_check(out, "a chart", err);
}
