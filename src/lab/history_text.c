/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how a history looks on a terminal: a line for each move, a chart for each config, what the months
 * took. Intervals are drawn in plain characters. */
#include "lab/history.h"

#include "base/plot.h"
#include "judge/text.h"
#include "publish/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double span_least = 0.03; /* of the middle, to either side */
enum {
    ROWS_MAX = 12,    /* of a config's chart, the newest */
    CONFIGS_MAX = 16, /* charts */
    COLUMNS = 45      /* of it: 80 with what stands before it */
};

static void put_move(const struct history_move *move, struct buf *out)
{
    char day[UTC_BYTES];
    BUF_AUTO who;
    buf_init(&who, MODEL_WHO_BYTES);
    text_plain(&who, move->who);
    buf_note_loss(out, &who);
    if (move->inherited)
        buf_addf(out, "^%.*s  %.10s", HISTORY_SHORT_SHA - 1, move->commit, move->recorded);
    else
        buf_addf(out, "%.*s  %s", HISTORY_SHORT_SHA, move->commit,
                 history_day(move->time, day));
    buf_addf(out, "  %-28s %-8s kernel %.*s%s%s\n", move->config, move->why, HISTORY_SHORT_SHA,
             move->kernel, who.len > 0 ? "  by " : "", who.data);
}

/* ---- charts ---- */

/* A line of a chart: what was recorded, or what a check read of its head. */
struct row {
    long long time;
    const char *what;
    double ns;
    struct interval ci;
};

static int oldest_first(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->time != y->time ? (x->time < y->time ? -1 : 1) : 0;
}

static size_t gather(const struct history *history, const struct history_series *series,
                     struct row *rows)
{
    size_t count = 0;
    for (size_t i = history->move_count; i > 0; i--) {
        const struct history_move *move = &history->moves[i - 1];
        if (move->ns > 0 && history_is_of(series, move->config, move->protocol))
            rows[count++] = (struct row){move->time, "recorded", move->ns, move->ci};
    }
    for (size_t i = 0; i < history->check_count; i++)
        for (size_t j = 0; j < history->checks[i].count; j++) {
            const struct history_reading *reading = &history->checks[i].readings[j];
            if (reading->ns > 0 &&
                history_is_of(series, reading->config, history->checks[i].protocol))
                rows[count++] = (struct row){history->checks[i].time,
                                             verdict_name(reading->verdict), reading->ns,
                                             reading->ci};
        }
    return count;
}

/* printf counts bytes: the width to give for so many columns, µ being two bytes of one. */
static int field(int columns, const char *text)
{
    return columns + (strstr(text, "µ") != NULL);
}

static void put_rows(const struct row *rows, size_t count, struct buf *out)
{
    char low[FIGURE_BYTES], high[FIGURE_BYTES], time[FIGURE_BYTES], day[UTC_BYTES];
    char cells[PLOT_COLUMNS_MAX + 1];
    struct plot plot = {HUGE_VAL, 0, COLUMNS, NULL, 0};
    for (size_t i = 0; i < count; i++) {
        plot.low = fmin(plot.low, rows[i].ci.low);
        plot.high = fmax(plot.high, rows[i].ci.high);
    }
    /* Noise must not look like news. */
    double middle = (plot.low + plot.high) / 2;
    plot.low = fmin(plot.low, (1 - span_least) * middle);
    plot.high = fmax(plot.high, (1 + span_least) * middle);
    figure_time(low, plot.low);
    figure_time(high, plot.high);
    buf_addf(out, "%35s%s%*s\n", "", low,
             field(COLUMNS + field(0, low) - (int)strlen(low), high), high);
    for (size_t i = 0; i < count; i++) {
        plot_begin(&plot, cells);
        plot_interval(&plot, rows[i].ci.low, rows[i].ns, rows[i].ci.high, 'o', cells);
        figure_time(time, rows[i].ns);
        size_t end = strlen(cells);
        while (end > 0 && cells[end - 1] == ' ')
            cells[--end] = '\0';
        buf_addf(out, "  %s %-10s %*s %s\n", history_day(rows[i].time, day), rows[i].what,
                 field(10, time), time, cells);
    }
}

static void put_steps(const struct history *history, const struct history_series *series,
                      struct buf *out)
{
    char day[UTC_BYTES], text[FIGURE_BYTES], words[HISTORY_TITLE_BYTES];
    for (size_t i = history->move_count; i > 0; i--) {
        const struct history_move *move = &history->moves[i - 1];
        if (!history_is_of(series, move->config, move->protocol))
            continue;
        if (move->step.known)
            buf_addf(out, "  step %s %.*s  %s  %s\n", history_day(move->time, day),
                     HISTORY_SHORT_SHA, move->commit, figure_change(text, &move->step),
                     move->why);
        else if (move->before[0] != '\0')
            buf_addf(out, "  no step %s %.*s  %s: not to be set side by side\n",
                     history_day(move->time, day), HISTORY_SHORT_SHA, move->commit,
                     history_break(move, words));
    }
}

static int put_chart(const struct history *history, const struct history_series *series,
                     struct buf *out, struct err *err)
{
    char title[HISTORY_TITLE_BYTES];
    struct row *rows = calloc(history_times_max(history) + 1, sizeof *rows);
    if (rows == NULL)
        return err_set(err, ERR_HOST, "out of memory for a history");
    size_t count = gather(history, series, rows);
    size_t shown = count < ROWS_MAX ? count : ROWS_MAX;
    qsort(rows, count, sizeof *rows, oldest_first);
    buf_addf(out, "\n%s", history_title(series, title));
    if (shown < count)
        buf_addf(out, "  (the newest %zu of %zu)", shown, count);
    buf_addc(out, '\n');
    put_rows(rows + (count - shown), shown, out);
    put_steps(history, series, out);
    free(rows);
    return 0;
}

static int put_charts(const struct history *history, struct buf *out, struct err *err)
{
    struct history_series *list;
    size_t count;
    int rc = 0;
    if (history_series(history, &list, &count, err) != 0)
        return -1;
    if (count > 0)
        buf_adds(
            out,
            "\nMedians of a launch (o) and their 95% intervals (|--|; their range, of "
            "fewer\nthan six processes): as the baseline recorded them, and as checks here "
            "read\ntheir heads.\n");
    for (size_t i = 0; rc == 0 && i < count && i < CONFIGS_MAX; i++)
        rc = put_chart(history, &list[i], out, err);
    free(list);
    if (count > CONFIGS_MAX)
        buf_addf(out, "\n%zu more charts are left out here: --config-name picks a config.\n",
                 count - CONFIGS_MAX);
    return rc;
}

/* ---- all ---- */

static void put_months(const struct history *history, struct buf *out)
{
    if (history->check_count == 0) {
        buf_addf(out, "\nNo check of %s is kept on this host, so nothing is said of cost.\n",
                 history->device);
        return;
    }
    buf_adds(out, "\nChecks kept on this host, by month:\n");
    for (size_t i = 0; i < history->month_count; i++) {
        const struct history_month *month = &history->months[i];
        buf_addf(out, "  %04d-%02d  ", month->year, month->month);
        history_month_text(history, month, out);
        buf_addc(out, '\n');
    }
}

int history_text(const struct history *history, struct buf *out, struct err *err)
{
    for (size_t i = 0; i < history->move_count; i++)
        put_move(&history->moves[i], out);
    if (history->move_count + history->check_count == 0)
        return buf_check(out, "a history", err);
    if (history->move_count > 0)
        buf_adds(out,
                 "\nA line is a move of the baseline: the commit that made it (^: or an "
                 "earlier\none), its day, the config, why, and the commit whose kernel was "
                 "recorded.\n");
    if (put_charts(history, out, err) != 0)
        return -1;
    put_months(history, out);
    return buf_check(out, "a history", err);
}
