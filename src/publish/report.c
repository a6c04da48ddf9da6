/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the order of a report, and the one line of it: what a reader needs in five seconds, then
 * the table and what to do, then, folded, the evidence. Every part has a budget of bytes, and
 * the budgets together stay below REPORT_MAX_BYTES; where the chart is too much, it goes. */
#include "publish/report.h"

#include "publish/figures.h"
#include "publish/report_parts.h"
#include "base/scan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    VERDICTS_BUDGET = 20000,
    NOTES_BUDGET = 5000,
    STATUS_BYTES = 140 /* what GitHub keeps of a status's description */
};

/* ---- heading ---- */

void report_marker(const char *device, bool partial, char out[128])
{
    char slug[MODEL_NAME_BYTES];
    size_t len = 0;
    for (; device[len] != '\0' && len + 1 < sizeof slug; len++) {
        static const char allowed[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
        slug[len] = device[len];
        if (strchr(allowed, device[len]) == NULL)
            slug[len] = '_'; /* nothing that could end the comment it stands in */
    }
    slug[len] = '\0';
    snprintf(out, 128, "<!-- ratchet:v1 device=%s%s -->", partial ? "part." : "", slug);
}

static void write_heading(const struct report_view *view, struct buf *out)
{
    char marker[128];
    const struct comparison *comparison = view->report->comparison;
    bool promotion = parts_is_promotion(view);
    bool partial = comparison->partial[0] != '\0';
    report_marker(comparison->device.slug, partial, marker);
    buf_addf(out, "%s\n### Ratchet: ", marker);
    bool good = promotion && comparison_exit(comparison) == EXIT_HELD;
    if (promotion && !good) {
        parts_name(out, view->report->job->base_ref);
        buf_addc(out, ' ');
    }
    buf_addf(out, "%s on ", good ? "baseline" : verdict_name(comparison->verdict));
    parts_name(out, comparison->device.slug);
    buf_adds(out, partial ? " (partial)\n\n" : "\n\n");
    if (!partial)
        return;
    buf_adds(out, "> **Only a part was checked**, as whoever started this run chose: ");
    parts_text(out, comparison->partial, PARTS_REASON_BYTES);
    buf_adds(out, ". This is not the check that the status `ratchet/");
    parts_text(out, comparison->device.slug, PARTS_REASON_BYTES);
    buf_adds(out, "` is about: that one stays as it is.\n\n");
}

/* ---- notes ---- */

static void write_notes(const struct report_view *view, struct buf *out)
{
    const struct report *report = view->report;
    if (report->note_count == 0)
        return;
    size_t limit = out->len + NOTES_BUDGET;
    if (!parts_is_promotion(view)) /* there they stand right below the heading */
        buf_addc(out, '\n');
    for (size_t i = 0; i < report->note_count; i++) {
        BUF_AUTO note;
        buf_init(&note, NOTES_BUDGET);
        buf_adds(&note, "- ");
        parts_text(&note, report->notes[i], PARTS_REASON_BYTES);
        buf_addc(&note, '\n');
        buf_note_loss(out, &note);
        if (note.failed || out->len + note.len + 64 > limit) {
            buf_addf(out, "- %zu more notes are left out here.\n", report->note_count - i);
            return;
        }
        buf_add(out, note.data, note.len);
    }
}

/* ---- all ---- */

/* Nothing was measured, and nothing had to be. */
static bool is_short(const struct report_view *view)
{
    return view->report->comparison->verdict == VERDICT_HELD &&
           (view->count == 0 || parts_all_identical(view));
}

/* Was there nothing to compare main with? */
static bool is_first(const struct report_view *view)
{
    for (size_t i = 0; i < view->count; i++)
        if (view->rows[i]->clause != CLAUSE_RECORDED || view->rows[i]->change.known)
            return false;
    return view->count > 0;
}

static void write_all(const struct report_view *view, bool chart, struct buf *out)
{
    write_heading(view, out);
    report_drift(view, out);
    if (parts_is_promotion(view)) {
        write_notes(view, out);
        buf_adds(out, view->report->note_count > 0 ? "\n" : "");
        if (!is_first(view)) {
            parts_name(out, view->report->job->base_ref);
            buf_addf(out, " against its anchors: %s. ",
                     verdict_name(view->report->comparison->verdict));
        }
    }
    report_first(view, out);
    if (view->count > 0 && !is_short(view))
        table_verdicts(view, out, VERDICTS_BUDGET);
    if (chart)
        report_chart(view, out);
    report_lines(view, out);
    report_advice(view, out);
    if (!parts_is_promotion(view))
        write_notes(view, out);
    report_log(view, out);
    report_why(view, out);
    report_counters(view, out);
    if (!is_short(view))
        report_folded(view, out);
    report_commits(view, out);
    if (!is_short(view))
        report_footer(view, out);
}

int report_markdown(const struct report *report, struct buf *out, struct err *err)
{
    struct report_view view;
    parts_view(&view, report);
    BUF_AUTO text;
    buf_init(&text, REPORT_MAX_BYTES);
    write_all(&view, true, &text);
    if (text.failed && !text.no_memory) { /* all that the chart shows, the tables say */
        buf_free(&text);
        buf_init(&text, REPORT_MAX_BYTES);
        write_all(&view, false, &text);
    }
    if (text.failed && !text.no_memory)
        return err_set(err, ERR_INTERNAL, "the report is longer than %d bytes",
                       REPORT_MAX_BYTES);
    buf_note_loss(out, &text);
    buf_add(out, text.data, text.len);
    return buf_check(out, "the report", err);
}

/* ---- one line ---- */

/* `text` and, whole, `suffix`, cut to `max` bytes on one line, whole characters. */
static void keep_line(const char *text, const char *suffix, char *out, size_t max)
{
    const char *at = text, *stop = text + strlen(text);
    size_t tail = strlen(suffix);
    if (tail + 16 > max)
        suffix = "", tail = 0;
    BUF_AUTO line;
    buf_init(&line, 4096);
    size_t fits = 0; /* bytes that leave room for "…" */
    for (uint32_t c; (c = scan_next(&at, stop)) != SCAN_END;) {
        scan_put(&line, c == '\n' || c == '\t' ? ' ' : c);
        if (line.len + strlen("…") + tail <= max)
            fits = line.len;
    }
    bool cut = line.len + tail > max;
    BUF_AUTO whole;
    buf_init(&whole, 4096);
    buf_add(&whole, line.data, cut ? fits : line.len);
    buf_addf(&whole, "%s%s", cut ? "…" : "", suffix);
    size_t len = whole.len < max ? whole.len : max;
    memcpy(out, whole.data, len);
    out[len] = '\0';
}

/* What must stand beside a change, else "held +5.12%" would look like a mistake. */
static const char *beside_change(enum clause clause)
{
    switch (clause) {
    case CLAUSE_LOST_ON_MAIN:
        return ", already lost on base";
    case CLAUSE_RECORDED:
        return ", recorded in the baseline";
    case CLAUSE_GAPS:
        return ", but samples are missing";
    case CLAUSE_MARKED:
        return ", but too much was marked";
    default:
        return "";
    }
}

static void put_worst(const struct report_view *view, struct buf *line)
{
    const struct config_verdict *row = view->rows[0];
    char number[FIGURE_BYTES];
    buf_adds(line, row->config.name);
    if (row->verdict == VERDICT_UNMEASURED)
        buf_addf(line, ": %s (%s)", row->reason, fault_name(row->fault));
    else if (row->change.known)
        buf_addf(line, " %s%s", figure_percent(number, row->change.change),
                 beside_change(parts_clause(view, row)));
    else
        buf_addf(line, ": %s", row->reason);
    if (view->count > 1)
        buf_addf(line, " (%zu of %zu held)", view->of_verdict[VERDICT_HELD], view->count);
}

void report_line(const struct comparison *comparison, char *out, size_t size)
{
    const struct report report = {.comparison = comparison};
    struct report_view view;
    char number[FIGURE_BYTES], suffix[FIGURE_BYTES + 64] = "";
    BUF_AUTO line;
    buf_init(&line, 4096);
    parts_view(&view, &report);
    buf_addf(&line, "%s%s: ", comparison->partial[0] != '\0' ? "partial, " : "",
             verdict_name(comparison->verdict));
    if (parts_is_whole(&view)) {
        buf_adds(&line, comparison->reason);
        if (comparison->verdict == VERDICT_UNMEASURED && comparison->fault != FAULT_NONE)
            buf_addf(&line, " (%s)", fault_name(comparison->fault));
    } else if (parts_all_identical(&view)) {
        buf_adds(&line, "identical machine code");
    } else {
        put_worst(&view, &line);
    }
    const struct config_verdict *drifted = parts_drifted(&view, NULL);
    if (drifted != NULL)
        snprintf(suffix, sizeof suffix, "; anchor reads %s against its stored samples",
                 figure_percent(number, drifted->anchor_drift));
    if (size > 0)
        keep_line(line.data, suffix, out, size - 1 < STATUS_BYTES ? size - 1 : STATUS_BYTES);
}
