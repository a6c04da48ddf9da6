/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how values with their ranges are drawn, one below the other. */
#include "lab/chart.h"

#include "lab/chart_frame.h"
#include "lab/chart_scale.h"
#include "lab/chart_text.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 360, ROW_HEIGHT = 34, NAME_GAP = 8, LEFT = 16 };

struct drawing {
    const struct chart_forest *chart;
    struct frame frame;
    struct scale x;
    size_t count;
    struct buf *out;
};

static bool has_range(const struct chart_forest_row *row)
{
    return isfinite(row->range.low) && isfinite(row->range.high);
}

static void set_scale(struct drawing *drawing)
{
    const struct chart_forest *chart = drawing->chart;
    struct extent extent = {.any = false};
    extent_add(&extent, &chart->x, chart->line);
    for (size_t i = 0; i < drawing->count; i++) {
        extent_add(&extent, &chart->x, chart->rows[i].value);
        if (has_range(&chart->rows[i])) {
            extent_add(&extent, &chart->x, chart->rows[i].range.low);
            extent_add(&extent, &chart->x, chart->rows[i].range.high);
        }
    }
    scale_set(&drawing->x, &chart->x, &extent, 5);
}

static void put_range(struct drawing *drawing, const struct chart_forest_row *row, double y)
{
    double low = scale_at(&drawing->x, row->range.low);
    double high = scale_at(&drawing->x, row->range.high);
    buf_addf(drawing->out,
             "<path class=\"whisker l%u\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv5M%.1f %.1fv5\"/>\n",
             row->slot % CHART_SLOTS, low, y, high, low, y - 2.5, high, y - 2.5);
}

static void put_row(struct drawing *drawing, const struct chart_forest_row *row, double top)
{
    const struct frame *frame = &drawing->frame;
    double told = chart_text_width(row->told, strlen(row->told), FRAME_LABEL_SIZE);
    double room = frame->right - frame->left - told - NAME_GAP;
    const struct frame_text name = {"name", "start", frame->left, top + 12,
                                    (size_t)fmax(room, FRAME_LABEL_SIZE)};
    const struct frame_text value = {"tick", "end", frame->right, top + 12, 0};
    double y = top + 22;
    frame_text(&name, row->name, drawing->out);
    frame_text(&value, row->told, drawing->out);
    if (!scale_takes(&drawing->chart->x, row->value))
        return;
    if (has_range(row))
        put_range(drawing, row, y);
    const struct frame_tip tip = {row->name, drawing->chart->x.label, row->value, row->range,
                                  drawing->chart->x.unit};
    frame_mark(row->slot, scale_at(&drawing->x, row->value), y, drawing->out);
    frame_tip(&tip, drawing->out);
    buf_adds(drawing->out, "</path>\n");
}

/* Behind the marks, in each row's lower part, where no text stands. */
static void put_line(struct drawing *drawing)
{
    const struct frame *frame = &drawing->frame;
    double x = scale_at(&drawing->x, drawing->chart->line);
    for (size_t i = 0; i < drawing->count; i++)
        buf_addf(drawing->out, "<path class=\"axis\" d=\"M%.1f %.1fv12\"/>\n", x,
                 frame->top + (double)(i * ROW_HEIGHT) + 16);
}

int chart_forest(const struct chart_forest *chart, struct buf *out, struct err *err)
{
    struct drawing drawing = {.chart = chart,
                              .frame = {.title = chart->title,
                                        .subtitle = chart->subtitle,
                                        .x_label = chart->x.label,
                                        .y_label = "",
                                        .width = WIDTH,
                                        .left = LEFT},
                              .count = chart->count < CHART_ROWS_MAX ? chart->count
                                                                     : CHART_ROWS_MAX,
                              .out = out};
    struct frame *frame = &drawing.frame;
    for (size_t i = 0; i < chart->legend_count && i < CHART_SERIES_MAX; i++)
        frame->entries[frame->entry_count++] = (struct frame_entry){
            chart->legend[i], CHART_POINTS, (unsigned)i, false};
    frame->height = (double)(drawing.count * ROW_HEIGHT) + 4;
    set_scale(&drawing);
    frame_open(frame, out);
    drawing.x.from = frame->left + 6;
    drawing.x.to = frame->right - 6;
    frame_x_axis(frame, &drawing.x, out);
    put_line(&drawing);
    for (size_t i = 0; i < drawing.count; i++)
        put_row(&drawing, &chart->rows[i], frame->top + (double)(i * ROW_HEIGHT));
    frame_close(out);
    return buf_check(out, "a chart", err);
}
