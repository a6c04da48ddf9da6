/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the chart of a report: head, base and anchor of each config on one line.
 *
 * It is plain characters in a code block. GitHub draws Mermaid, too, but that has no intervals, and points
 * without them would say more than was measured; nor does anything in a code block act, whatever a
 * config is called. */
#include "base/plot.h"
#include "publish/figures.h"
#include "publish/markdown.h"
#include "publish/report_parts.h"
#include "base/scan.h"

#include <math.h>
#include <string.h>

enum {
    CHART_ROWS = 16,
    CHART_COLUMNS = 41, /* odd: what head is compared with stands in the middle */
    CHART_NAME = 28,    /* characters */
    CHART_BYTES = 4000  /* never reached */
};

/* What has no interval, or no verdict, has no place on a scale. */
static bool is_drawn(const struct config_verdict *row)
{
    return row->change.known && row->verdict != VERDICT_UNMEASURED &&
           isfinite(row->change.change);
}

/* So that both lines are seen, and one config that is far away does not press all others together. */
static double half_width(const struct report_view *view, double threshold)
{
    double most = 1.5 * threshold;
    for (size_t i = 0; i < view->count; i++) {
        const struct change *change = &view->rows[i]->change;
        if (is_drawn(view->rows[i]))
            most = fmax(most, fmax(fabs(change->ci.low), fabs(change->ci.high)));
    }
    return 1.05 * fmin(most, 4 * threshold);
}

/* The name in so many characters, an ellipsis behind a cut. */
static void put_name(struct buf *out, const char *name, size_t width)
{
    const char *at = name, *end = name + strlen(name);
    size_t shown = 0, fits = out->len;
    for (uint32_t c; (c = scan_next(&at, end)) != SCAN_END; shown++) {
        if (shown + 1 == width)
            fits = out->len;
        if (shown == width) {
            out->len = fits;
            buf_adds(out, "…");
            break;
        }
        scan_put(out, scan_is_space(c) ? ' ' : c);
    }
    for (; shown < width; shown++)
        buf_addc(out, ' ');
}

static size_t name_width(const struct report_view *view)
{
    size_t widest = 0, drawn = 0;
    for (size_t i = 0; i < view->count && drawn < CHART_ROWS; i++) {
        size_t bytes = strlen(view->rows[i]->config.name);
        if (!is_drawn(view->rows[i]))
            continue;
        drawn++;
        if (bytes > widest)
            widest = bytes;
    }
    return widest < CHART_NAME ? widest : CHART_NAME;
}

static void put_row(const struct plot *plot, const struct config_verdict *row, size_t width,
                    struct buf *out)
{
    static const char *const beside[] = {[AGAINST_NONE] = "",
                                         [AGAINST_ANCHOR] = "",
                                         [AGAINST_BASE] = ", 0 is base",
                                         [AGAINST_STORED] = ", 0 is the stored samples"};
    char cells[PLOT_COLUMNS_MAX + 1], text[FIGURE_BYTES];
    const struct change *change = &row->change;
    plot_begin(plot, cells);
    if (row->own.known && row->against != AGAINST_BASE && row->own.change > -1)
        plot_mark(plot, (1 + change->change) / (1 + row->own.change) - 1, 'b', cells);
    plot_interval(plot, change->ci.low, change->change, change->ci.high, 'h', cells);
    put_name(out, row->config.name, width);
    buf_addf(out, "  %s  %s%s\n", cells, figure_percent(text, change->change),
             beside[row->against]);
}

/* The scale: where 0 and the lines are. */
static void put_scale(const struct plot *plot, double threshold, size_t width, struct buf *out)
{
    char text[FIGURE_BYTES], cells[PLOT_COLUMNS_MAX + 1];
    plot_begin(plot, cells);
    const char *first = strchr(cells, ':'), *last = strrchr(cells, ':');
    int left = (int)(first - cells), right = (int)(last - cells);
    const char *share = figure_share(text, threshold);
    int digits = (int)strlen(share) + 1; /* with the sign */
    int start = left - digits / 2 > 0 ? left - digits / 2 : 0;
    int middle = CHART_COLUMNS / 2, end = right - digits / 2;
    buf_addf(out, "%*s-%s%*s%*s+%s\n", (int)width + 2 + start, "", share,
             middle - start - digits + 1 > 1 ? middle - start - digits + 1 : 1, "0",
             end - middle - 1 > 1 ? end - middle - 1 : 1, "", share);
}

static void put_rows(const struct report_view *view, double threshold, size_t *drawn,
                     size_t *others, struct buf *out)
{
    const double half = half_width(view, threshold);
    const double lines[] = {-threshold, 0, threshold};
    const struct plot plot = {-half, half, CHART_COLUMNS, lines, 3};
    const size_t width = name_width(view);
    put_scale(&plot, threshold, width, out);
    *drawn = *others = 0;
    for (size_t i = 0; i < view->count; i++) {
        if (!is_drawn(view->rows[i]))
            continue;
        if (*drawn == CHART_ROWS) {
            ++*others;
            continue;
        }
        ++*drawn;
        put_row(&plot, view->rows[i], width, out);
    }
}

void report_chart(const struct report_view *view, struct buf *out)
{
    size_t drawn, others;
    BUF_AUTO rows;
    buf_init(&rows, CHART_BYTES);
    if (!(view->threshold > 0))
        return;
    put_rows(view, view->threshold, &drawn, &others, &rows);
    buf_note_loss(out, &rows);
    if (drawn == 0 || rows.failed)
        return;
    buf_addc(out, '\n');
    markdown_fenced(out, rows.data, rows.len, CHART_BYTES);
    buf_adds(out, "\n`|-h-|` is head with its 95% interval, `b` base where it was measured, "
                  "0 the anchor; right is slower.");
    if (others > 0)
        buf_addf(out, " %zu more %s not drawn.", others,
                 others == 1 ? "config is" : "configs are");
    buf_addc(out, '\n');
}
