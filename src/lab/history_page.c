/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the page of a history: its sentences, figures and tables. */
#include "lab/history_figures.h"

#include "lab/document.h"
#include "publish/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIGURES_MAX = 64, /* that are drawn */
    MOVES_MAX = 200,  /* rows of a table, the newest */
    CHECKS_MAX = 200
};

/* ---- what it is ---- */

static void put_summary(const struct history *history, const struct document *document)
{
    char first[UTC_BYTES], last[UTC_BYTES];
    if (history->move_count + history->check_count == 0)
        document_text(document, "Nothing is recorded yet for %s.", history->device);
    if (history->move_count > 0)
        document_text(
            document,
            "%zu row%s of baseline.json %s added, changed or removed between %s and %s, "
            "up to commit %.*s.",
            history->move_count, history->move_count == 1 ? "" : "s",
            history->move_count == 1 ? "was" : "were",
            history_day(history->moves[history->move_count - 1].time, first),
            history_day(history->moves[0].time, last), HISTORY_SHORT_SHA, history->head);
    if (history->check_count > 0)
        document_text(document,
                      "%zu check%s kept on the host where this page was made, from %s to %s. "
                      "Older ones may have been removed; others ran elsewhere.",
                      history->check_count, history->check_count == 1 ? " is" : "s are",
                      history_day(history->checks[0].time, first),
                      history_day(history->checks[history->check_count - 1].time, last));
    if (history->check_count > 0)
        document_text(document,
                      "What a check read of its head is a proposal's time, not the branch's.");
}

/* ---- figures ---- */

static int put_figures(const struct history *history, const struct document *document,
                       struct err *err)
{
    struct history_series *list;
    size_t count;
    bool mixed = false;
    int rc = 0;
    if (history_series(history, &list, &count, err) != 0)
        return -1;
    if (count > 0)
        document_heading(document, "Device time of a launch");
    if (count > FIGURES_MAX)
        document_text(document, "The first %d figures of %zu.", FIGURES_MAX, count);
    for (size_t i = 0; i < count; i++)
        mixed = mixed || !list[i].alone;
    if (mixed)
        document_text(document, "What was measured by another protocol stands in a figure of "
                                "its own: the two are not to be set side by side.");
    document_figures(document);
    for (size_t i = 0; rc == 0 && i < count && i < FIGURES_MAX; i++) {
        BUF_AUTO svg;
        buf_init(&svg, 64u << 20);
        char title[HISTORY_TITLE_BYTES];
        rc = history_figure_config(history, &list[i], &svg, err);
        if (rc == 0 && (rc = buf_check(&svg, "a figure", err)) == 0)
            document_figure(document, "", history_title(&list[i], title), &svg);
    }
    document_figures_end(document);
    free(list);
    return rc;
}

/* ---- tables ---- */

static void put_moves(const struct history *history, const struct document *document)
{
    static const char *const columns[] = {"day",    "commit", "config", "moved",
                                          "median", "step",   "kernel", "accepted by"};
    size_t count = history->move_count < MOVES_MAX ? history->move_count : MOVES_MAX;
    if (count == 0)
        return;
    document_heading(document, "How the baseline moved");
    document_text(
        document,
        "A step is the row's samples against those of the row before it, with a 95%% "
        "interval over processes. They were recorded at different times: what the "
        "machine did between them is in it. The gate judged head and anchor side by side. "
        "Over a change of the measuring "
        "protocol there is no step.");
    if (count < history->move_count)
        document_text(document, "The newest %zu of %zu.", count, history->move_count);
    document_table(document, columns, 8);
    for (size_t i = 0; i < count; i++) {
        const struct history_move *move = &history->moves[i];
        char day[UTC_BYTES], ns[FIGURE_BYTES], low[FIGURE_BYTES], high[FIGURE_BYTES];
        char words[HISTORY_TITLE_BYTES];
        document_row(document);
        document_cell(document, "%s%s", history_day(move->time, day),
                      move->inherited ? " or before" : "");
        document_cell(document, "%.*s", HISTORY_SHORT_SHA, move->commit);
        document_cell(document, "%s", move->config);
        document_cell(document, "%s", move->why);
        if (move->ns > 0)
            document_cell(document, "%s [%s, %s]", figure_time(ns, move->ns),
                          figure_time(low, move->ci.low), figure_time(high, move->ci.high));
        else
            document_cell(document, "–");
        document_cell(document, "%s",
                      move->step.known          ? figure_change(ns, &move->step)
                      : move->before[0] != '\0' ? history_break(move, words)
                                                : "–");
        document_cell(document, "%.*s", HISTORY_SHORT_SHA, move->kernel);
        document_cell(document, "%s", move->who[0] != '\0' ? move->who : "–");
        document_row_end(document);
    }
    document_table_end(document);
}

static void put_check(const struct history *history, const struct history_check *check,
                      const struct document *document)
{
    char stamp[UTC_BYTES], text[HISTORY_COST_BYTES];
    document_row(document);
    utc_text(stamp, check->time);
    document_cell(document, "%.10s %.5s", stamp, stamp + strlen("2026-11-21T"));
    document_cell(document, "%s", check->result);
    if (!check->queued)
        document_cell(document, "–");
    else if (check->kind == JOB_PROMOTE)
        document_cell(document, "%s, promotion", check->repository);
    else
        document_cell(document, "%s#%d", check->repository, check->pr);
    document_cell(document, "%.*s", HISTORY_SHORT_SHA,
                  check->head[0] != '\0' ? check->head : "–");
    document_cell(document, "%s", verdict_name(check->verdict));
    document_cell(document, "%s",
                  check->spent.known ? history_seconds(history, check->spent.device_ms, text)
                                     : "not told");
    document_cell(document, "%s",
                  !check->spent.known ? "–"
                  : check->spent.price.currency[0] == '\0'
                      ? "no price"
                      : history_money(check->cost_micro, check->spent.price.currency, text));
    document_cell(document, "%s%.*s", check->again > 0 ? "again; " : "", 160, check->reason);
    document_row_end(document);
}

static void put_checks(const struct history *history, const struct document *document)
{
    static const char *const columns[] = {"ended (UTC)", "result", "of",   "head",
                                          "verdict",     "time",   "cost", "why"};
    size_t count = history->check_count < CHECKS_MAX ? history->check_count : CHECKS_MAX;
    size_t again = 0, starts = 0;
    if (count == 0)
        return;
    for (size_t i = 0; i < history->check_count; i++) {
        again += history->checks[i].again > 0;
        starts += history->checks[i].starts > 1;
    }
    document_heading(document, "Checks");
    document_text(
        document,
        "%zu of %zu checked a head that had been checked before; %zu %s started more "
        "than once by the daemon.",
        again, history->check_count, starts, starts == 1 ? "job was" : "jobs were");
    if (count < history->check_count)
        document_text(document, "The newest %zu.", count);
    document_table(document, columns, 8);
    for (size_t i = history->check_count; i > history->check_count - count; i--)
        put_check(history, &history->checks[i - 1], document);
    document_table_end(document);
}

static int put_months(const struct history *history, const struct document *document,
                      struct err *err)
{
    static const char *const columns[] = {"month", "what it took"};
    BUF_AUTO svg;
    buf_init(&svg, 1u << 20);
    document_heading(document, "Cost by month");
    if (history->check_count == 0) {
        document_text(document,
                      "No check of %s is kept on this host, so nothing is said of cost.",
                      history->device);
        return 0;
    }
    document_table(document, columns, 2);
    for (size_t i = 0; i < history->month_count; i++) {
        const struct history_month *month = &history->months[i];
        BUF_AUTO text;
        buf_init(&text, 1024);
        history_month_text(history, month, &text);
        document_row(document);
        document_cell(document, "%04d-%02d", month->year, month->month);
        document_cell(document, "%s", text.data);
        document_row_end(document);
    }
    document_table_end(document);
    document_text(document, "Each check is priced as its host's configuration said then.");
    if (history_figure_months(history, &svg, err) != 0 ||
        buf_check(&svg, "a figure", err) != 0)
        return -1;
    document_figures(document);
    document_figure(document, "", "Time of the device by month", &svg);
    document_figures_end(document);
    return 0;
}

static void put_notes(const struct history *history, const struct document *document)
{
    if (history->note_count == 0)
        return;
    document_heading(document, "What is not in it");
    document_list(document);
    for (size_t i = 0; i < history->note_count; i++)
        document_point(document, "%s", history->notes[i]);
    if (history->notes_left_out > 0)
        document_point(document, "%zu more notes.", history->notes_left_out);
    document_list_end(document);
}

int history_page(const struct history *history, struct buf *out, struct err *err)
{
    const struct document document = {DOCUMENT_HTML, out};
    char title[128];
    snprintf(title, sizeof title, "Kernels on %s: history", history->device);
    document_begin(&document, title);
    put_summary(history, &document);
    if (put_figures(history, &document, err) != 0)
        return -1;
    put_moves(history, &document);
    put_checks(history, &document);
    if (put_months(history, &document, err) != 0)
        return -1;
    put_notes(history, &document);
    document_end(&document);
    return buf_check(out, "the page of a history", err);
}
