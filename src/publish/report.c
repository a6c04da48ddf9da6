/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the order of a report and its first words: what a reader needs in five seconds, then
 * the table and what to do, then, folded, the evidence. Every part has a budget of bytes, and
 * the budgets together stay below REPORT_MAX_BYTES. */
#include "publish/report.h"

#include "publish/figures.h"
#include "publish/report_parts.h"
#include "publish/scan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    VERDICTS_BUDGET = 20000,
    NOTES_BUDGET = 5000,
    REASON_BYTES = 400 /* of foreign text, before escaping */
};

/* "this pull request", or what else the head is. */
static const char *subject(const struct report_view *view)
{
    if (parts_is_pull_request(view))
        return "this pull request";
    return parts_is_promotion(view) ? "main" : "the head commit";
}

static const char *whose(enum fault fault)
{
    static const char *const words[] = {
        [FAULT_NONE] = "nobody's",
        [FAULT_PR] = "the pull request's",
        [FAULT_BASE] = "the base branch's",
        [FAULT_HOST] = "the measuring host's",
        [FAULT_US] = "Ratchet's own",
    };
    return words[fault];
}

/* ---- heading and first sentence ---- */

void report_marker(const char *device, char out[128])
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
    snprintf(out, 128, "<!-- ratchet:v1 device=%s -->", slug);
}

static void write_heading(const struct report_view *view, struct buf *out)
{
    char marker[128];
    const struct comparison *comparison = view->report->comparison;
    bool promotion = parts_is_promotion(view);
    report_marker(comparison->device.slug, marker);
    buf_addf(out, "%s\n### Ratchet: ", marker);
    if (promotion && comparison_exit(comparison) == EXIT_HELD)
        buf_adds(out, "baseline of ");
    else
        buf_addf(out, "%s%s on ", promotion ? "main " : "", verdict_name(comparison->verdict));
    parts_name(out, comparison->device.slug);
    buf_adds(out, "\n\n");
}

static const char *against_what(const struct config_verdict *row)
{
    static const char *const words[] = {
        [AGAINST_NONE] = "nothing",
        [AGAINST_ANCHOR] = "its anchor",
        [AGAINST_BASE] = "base",
        [AGAINST_STORED] = "the stored samples of its anchor",
    };
    return words[row->against];
}

static void write_anchor(const struct report_view *view, const struct config_verdict *row,
                         struct buf *out)
{
    const struct config_samples *samples = parts_samples(view, row);
    if (row->against != AGAINST_ANCHOR || samples == NULL ||
        !parts_is_commit(samples->arms[ARM_ANCHOR].commit))
        return;
    buf_addc(out, ' ');
    parts_commit(out, samples->arms[ARM_ANCHOR].commit);
}

/* "**`a` takes 4.12% more time per launch than its anchor 1a2b3c4d5e** (95% interval …, from
 * 8 replicates)". */
static void write_change(const struct report_view *view, const struct config_verdict *row,
                         struct buf *out)
{
    char text[FIGURE_BYTES];
    const char *percent = figure_percent(text, row->change.change);
    bool slower = percent[0] == '+';
    buf_adds(out, "**");
    parts_name(out, row->config.name);
    if (percent[0] == '+' || percent[0] == '-')
        buf_addf(out, " takes %s %s time per launch than %s", percent + 1,
                 slower ? "more" : "less", against_what(row));
    else
        buf_addf(out, " takes as long per launch as %s", against_what(row));
    write_anchor(view, row, out);
    buf_addf(out, "**, 95%% interval %s from %zu replicates",
             figure_interval(text, row->change.ci), row->replicates);
}

/* The first interval of the sentence is the plain one; those of the reason decide. */
static void write_reason(struct buf *out, const char *reason)
{
    if (reason[0] == '\0')
        return;
    buf_addf(out, " Why%s: ", strchr(reason, '[') != NULL ? ", by the deciding interval" : "");
    parts_text(out, reason, REASON_BYTES);
    buf_addc(out, '.');
}

static void first_regressed(const struct report_view *view, const struct config_verdict *row,
                            struct buf *out)
{
    char text[FIGURE_BYTES];
    write_change(view, row, out);
    if (row->own.known && row->against != AGAINST_BASE)
        buf_addf(out, "; against base, %s adds %s %s", subject(view),
                 figure_percent(text, row->own.change),
                 figure_interval((char[FIGURE_BYTES]){0}, row->own.ci));
    buf_addc(out, '.');
    write_reason(out, row->reason);
}

static void first_unmeasured(const struct report_view *view, const struct config_verdict *row,
                             struct buf *out)
{
    (void)view;
    buf_adds(out, "**");
    parts_name(out, row->config.name);
    buf_adds(out, " could not be measured: ");
    parts_text(out, row->reason, REASON_BYTES);
    buf_addf(out, ".** The fault is %s.", whose(row->fault));
}

static void first_moved(const struct report_view *view, const struct config_verdict *row,
                        struct buf *out)
{
    if (row->change.known) {
        write_change(view, row, out);
        buf_addc(out, '.');
        write_reason(out, row->reason);
        return;
    }
    buf_adds(out, "**");
    parts_name(out, row->config.name);
    buf_addf(out, " is %s**: ", verdict_name(row->verdict));
    parts_text(out, row->reason, REASON_BYTES);
    buf_addc(out, '.');
}

static void first_held(const struct report_view *view, const struct config_verdict *row,
                       struct buf *out)
{
    char text[FIGURE_BYTES];
    if (parts_all_identical(view)) {
        buf_adds(out, "**Identical machine code**: there was nothing to measure.");
        return;
    }
    if (parts_already_lost(view, row)) {
        write_change(view, row, out);
        buf_addf(out, ", but %s does not add to it: **already lost on main**.", subject(view));
        write_reason(out, row->reason);
        return;
    }
    if (row->against == AGAINST_NONE && !row->change.known) {
        buf_adds(out, "**There was no anchor to compare with.**"); /* the first baseline */
        return;
    }
    if (view->threshold > 0)
        buf_addf(out, "**No config moved by more than %s.**",
                 figure_percent(text, view->threshold) + 1);
    else
        buf_adds(out, "**No config moved.**");
    if (row->change.known) {
        buf_adds(out, " The largest change is ");
        parts_name(out, row->config.name);
        buf_addf(out, ", %s against %s.", figure_change(text, &row->change),
                 against_what(row));
    }
}

/* How many configs have which verdict, where there is more than one. */
static void write_counts(const struct report_view *view, struct buf *out)
{
    if (view->count < 2 || parts_all_identical(view))
        return;
    buf_addf(out, " Of %zu configs, ", view->count);
    const char *before = "";
    for (int verdict = VERDICT_REGRESSED; verdict >= 0; verdict--) {
        if (view->of_verdict[verdict] == 0)
            continue;
        buf_addf(out, "%s%zu %s", before, view->of_verdict[verdict],
                 verdict_name((enum verdict)verdict));
        before = ", ";
    }
    buf_addc(out, '.');
}

static void write_first_sentence(const struct report_view *view, struct buf *out)
{
    static void (*const sentences[])(const struct report_view *, const struct config_verdict *,
                                     struct buf *) = {
        [VERDICT_HELD] = first_held,           [VERDICT_IMPROVED] = first_moved,
        [VERDICT_UNCLEAR] = first_moved,       [VERDICT_UNMEASURED] = first_unmeasured,
        [VERDICT_REGRESSED] = first_regressed,
    };
    const struct comparison *comparison = view->report->comparison;
    if (view->count == 0) {
        buf_adds(out, "**");
        parts_text(out, comparison->reason, REASON_BYTES);
        buf_adds(out, ".**");
        if (comparison->verdict == VERDICT_HELD)
            buf_adds(out, " Nothing had to be measured.");
        else if (comparison->verdict == VERDICT_UNMEASURED)
            buf_addf(out, " Nothing was measured; the fault is %s.", whose(comparison->fault));
    } else {
        sentences[view->rows[0]->verdict](view, view->rows[0], out);
        write_counts(view, out);
    }
    buf_addc(out, '\n');
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
        parts_text(&note, report->notes[i], REASON_BYTES);
        buf_addc(&note, '\n');
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

int report_markdown(const struct report *report, struct buf *out, struct err *err)
{
    struct report_view view;
    parts_view(&view, report);
    BUF_AUTO text;
    buf_init(&text, REPORT_MAX_BYTES);
    write_heading(&view, &text);
    if (parts_is_promotion(&view)) {
        write_notes(&view, &text);
        buf_adds(&text, report->note_count > 0 ? "\nMain" : "Main");
        buf_addf(&text, " against its anchors: %s. ",
                 verdict_name(report->comparison->verdict));
    }
    write_first_sentence(&view, &text);
    if (view.count > 0 && !is_short(&view)) {
        table_verdicts(&view, &text, VERDICTS_BUDGET);
        report_lines(&view, &text);
    }
    report_advice(&view, &text);
    if (!parts_is_promotion(&view))
        write_notes(&view, &text);
    report_log(&view, &text);
    if (!is_short(&view))
        report_folded(&view, &text);
    report_commits(&view, &text);
    if (!is_short(&view))
        report_footer(&view, &text);
    if (text.failed)
        return err_set(err, ERR_INTERNAL, "the report is longer than %d bytes",
                       REPORT_MAX_BYTES);
    buf_add(out, text.data, text.len);
    return out->failed ? err_set(err, ERR_LIMIT, "the report is longer than %zu bytes", out->max)
                       : 0;
}

/* ---- one line ---- */

/* Cut to `size`, at most 140 bytes, on one line, whole characters. */
static void keep_line(const char *text, char *out, size_t size)
{
    enum { STATUS_BYTES = 140 }; /* what GitHub keeps of a status's description */
    size_t max = size - 1 < STATUS_BYTES ? size - 1 : STATUS_BYTES;
    const char *at = text, *stop = text + strlen(text);
    BUF_AUTO line;
    buf_init(&line, 4096);
    size_t fits = 0; /* bytes that leave room for "…" */
    for (uint32_t c; (c = scan_next(&at, stop)) != SCAN_END;) {
        scan_put(&line, c == '\n' || c == '\t' ? ' ' : c);
        if (line.len + 3 <= max)
            fits = line.len;
    }
    if (line.len <= max)
        snprintf(out, size, "%s", line.data);
    else
        snprintf(out, size, "%.*s…", (int)fits, line.data);
}

void report_line(const struct comparison *comparison, char *out, size_t size)
{
    const struct report report = {.comparison = comparison};
    struct report_view view;
    char number[FIGURE_BYTES];
    BUF_AUTO line;
    buf_init(&line, 4096);
    parts_view(&view, &report);
    buf_addf(&line, "%s: ", verdict_name(comparison->verdict));
    if (view.count == 0) {
        buf_adds(&line, comparison->reason);
        if (comparison->verdict == VERDICT_UNMEASURED && comparison->fault != FAULT_NONE)
            buf_addf(&line, " (%s)", fault_name(comparison->fault));
    } else if (parts_all_identical(&view)) {
        buf_adds(&line, "identical machine code");
    } else {
        const struct config_verdict *row = view.rows[0];
        buf_adds(&line, row->config.name);
        if (row->verdict == VERDICT_UNMEASURED)
            buf_addf(&line, ": %s (%s)", row->reason, fault_name(row->fault));
        else if (row->change.known)
            buf_addf(&line, " %s", figure_percent(number, row->change.change));
        else
            buf_addf(&line, ": %s", row->reason);
        if (parts_already_lost(&view, row)) /* else "held +5.12%" would look like a mistake */
            buf_adds(&line, ", already lost on main");
        if (view.count > 1)
            buf_addf(&line, " (%zu of %zu held)", view.of_verdict[VERDICT_HELD], view.count);
    }
    if (size > 0)
        keep_line(line.data, out, size);
}
