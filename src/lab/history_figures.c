/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what the figures of a history show. */
#include "lab/history_figures.h"

#include "lab/chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was recorded, then a series for each verdict. */
enum { SERIES = 1 + VERDICT_REGRESSED + 1 };

struct drawing {
    struct chart_point *points; /* owned, of all series one behind the other */
    struct chart_series series[SERIES];
    size_t used, count; /* points, series */
};

static void begin_series(struct drawing *drawing, const char *name, enum chart_kind kind,
                         unsigned slot)
{
    drawing->series[drawing->count] = (struct chart_series){
        name, kind, slot, drawing->points + drawing->used, 0};
}

static void add_point(struct drawing *drawing, long long time, double ns, struct interval ci)
{
    drawing->points[drawing->used++] = (struct chart_point){(double)time, ns, ci};
    drawing->series[drawing->count].count++;
}

/* One without points has no place in the legend. */
static void end_series(struct drawing *drawing)
{
    drawing->count += drawing->series[drawing->count].count > 0;
}

static void draw_moves(const struct history *history, const struct history_series *series,
                       struct drawing *drawing)
{
    begin_series(drawing, "recorded in the baseline", CHART_LINE, 0);
    for (size_t i = history->move_count; i > 0; i--) {
        const struct history_move *move = &history->moves[i - 1];
        if (move->ns > 0 && history_is_of(series, move->config, move->protocol))
            add_point(drawing, move->time, move->ns, move->ci);
    }
    end_series(drawing);
}

static void draw_checks(const struct history *history, const struct history_series *series,
                        enum verdict verdict, struct drawing *drawing)
{
    static const char *const names[] = {"heads: held", "heads: improved", "heads: unclear",
                                        "heads: unmeasured", "heads: regressed"};
    begin_series(drawing, names[verdict], CHART_POINTS, 1 + (unsigned)verdict);
    for (size_t i = 0; i < history->check_count; i++)
        for (size_t j = 0; j < history->checks[i].count; j++) {
            const struct history_reading *reading = &history->checks[i].readings[j];
            if (reading->verdict == verdict && reading->ns > 0 &&
                history_is_of(series, reading->config, history->checks[i].protocol))
                add_point(drawing, history->checks[i].time, reading->ns, reading->ci);
        }
    end_series(drawing);
}

int history_figure_config(const struct history *history, const struct history_series *series,
                          struct buf *out, struct err *err)
{
    char title[HISTORY_TITLE_BYTES];
    struct drawing drawing = {0};
    drawing.points = calloc(history_times_max(history) + 1, sizeof *drawing.points);
    if (drawing.points == NULL)
        return err_set(err, ERR_HOST, "out of memory for a figure");
    draw_moves(history, series, &drawing);
    for (int verdict = 0; verdict <= VERDICT_REGRESSED; verdict++)
        draw_checks(history, series, (enum verdict)verdict, &drawing);
    const struct chart_lines chart = {
        history_title(series, title),
        "Medians, 95% intervals. The line only joins.",
        {"", CHART_DATE, false, false, NULL, 0, 0},
        {"device time of a launch", CHART_TIME, false, false, NULL, 0, 0},
        drawing.series,
        drawing.count};
    int rc = chart_lines(&chart, out, err);
    free(drawing.points);
    return rc;
}

int history_figure_months(const struct history *history, struct buf *out, struct err *err)
{
    static const char *const series[] = {"device held"};
    static const unsigned slots[] = {0};
    char names[HISTORY_MONTHS_DRAWN][16];
    const char *groups[HISTORY_MONTHS_DRAWN];
    struct chart_bar bars[HISTORY_MONTHS_DRAWN];
    size_t count = history->month_count < HISTORY_MONTHS_DRAWN ? history->month_count
                                                               : HISTORY_MONTHS_DRAWN;
    for (size_t i = 0; i < count; i++) {
        const struct history_month *month = &history->months[history->month_count - count + i];
        double minutes = (double)month->device_ms / 60e3;
        bool told = month->checks > month->untold;
        snprintf(names[i], sizeof names[i], "%04d-%02d", month->year % 10000, month->month);
        groups[i] = names[i];
        bars[i] = (struct chart_bar){
            told ? minutes : NAN, {NAN, NAN}, told ? NULL : "not told"};
    }
    const struct chart_bars chart = {
        "Time of the device by month",
        "Of checks whose verdicts this host keeps and that tell it.",
        "",
        {"minutes held", CHART_NUMBER, false, true, NULL, 0, 0},
        groups,
        count,
        series,
        slots,
        1,
        bars};
    return chart_bars(&chart, out, err);
}
