/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what stands below the table: the lines of other evidence, the log, the folded sections,
 * the commits. The tables in them are report_table.c's. */
#include "publish/figures.h"
#include "base/name.h"
#include "publish/markdown.h"
#include "publish/report_parts.h"

#include <math.h>
#include <string.h>

enum {
    LINES_BUDGET = 16000, /* never reached: a few lines of bounded text */
    EVIDENCE_BUDGET = 9000,
    REASONS_BUDGET = 2000,
    SPEED_BUDGET = 6000,
    ENVIRONMENT_BUDGET = 5000,
    LOG_BUDGET = 8000
};

/* ---- the lines below the table ---- */

/* Which side of ±threshold a deciding interval is on: 1 slower, -1 faster, 0 inside; 2 where
 * it straddles a line. */
static int side_of(const struct change *change, double threshold)
{
    struct interval interval = change->ci_decision;
    if (interval.low > threshold)
        return 1;
    if (interval.high < -threshold)
        return -1;
    return interval.low > -threshold && interval.high < threshold ? 0 : 2;
}

static bool lines_disagree(const struct report_view *view, const struct config_verdict *row)
{
    if (!row->change.known || !row->stored.known || row->against == AGAINST_STORED ||
        !(view->threshold > 0))
        return false;
    int live = side_of(&row->change, view->threshold);
    int stored = side_of(&row->stored, view->threshold);
    return live != 2 && stored != 2 && live != stored;
}

/* The stored samples of baseline.json, on a line of their own: above the folded parts only where they
 * `disagree`. */
static void write_stored(const struct report_view *view, bool disagree, struct buf *out)
{
    char text[FIGURE_BYTES];
    const struct config_verdict *row = NULL;
    for (size_t i = 0; i < view->count; i++)
        if (view->rows[i]->stored.known &&
            (row == NULL ||
             (lines_disagree(view, view->rows[i]) && !lines_disagree(view, row))))
            row = view->rows[i];
    if (row == NULL || lines_disagree(view, row) != disagree)
        return;
    buf_adds(out, "- Stored samples of the baseline: ");
    parts_name(out, row->config.name);
    buf_addf(out, " %s", figure_change(text, &row->stored));
    if (view->report->rule != NULL)
        buf_addf(out, ", widened by %s for drift",
                 figure_share(text, view->report->rule->drift_margin));
    if (row->anchor_drift_known)
        buf_addf(out, "; the anchor itself reads %s against them today",
                 figure_percent(text, row->anchor_drift));
    buf_addc(out, '.');
    if (disagree) {
        size_t facts = table_environment_differs(view);
        buf_addf(out,
                 " **The two lines disagree**: the anchor drifted, and %zu %s of the "
                 "environment %s from the baseline's (below).",
                 facts, facts == 1 ? "fact" : "facts", facts == 1 ? "differs" : "differ");
    }
    buf_addc(out, '\n');
}

/* A line about the rows that `wanted` picks: a few of their names between two texts. */
static void write_names(const struct report_view *view,
                        bool (*wanted)(const struct report_view *,
                                       const struct config_verdict *),
                        const char *before, const char *after, struct buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < view->count; i++) {
        if (!wanted(view, view->rows[i]) || count++ >= PARTS_LISTED)
            continue;
        buf_adds(out, count == 1 ? before : ", ");
        parts_name(out, view->rows[i]->config.name);
    }
    if (count > PARTS_LISTED)
        buf_addf(out, " and %zu more", count - PARTS_LISTED);
    if (count > 0)
        buf_adds(out, after);
}

/* Judged, and no control says what bias there was. One that is missing is told with the gaps. */
static bool has_no_control(const struct report_view *view, const struct config_verdict *row)
{
    (void)view;
    return row->change.known && !row->control.known && row->missing[ARM_CONTROL] == 0;
}

static void write_control(const struct report_view *view, struct buf *out)
{
    char text[FIGURE_BYTES];
    const struct config_verdict *most = NULL;
    for (size_t i = 0; i < view->count; i++) {
        const struct config_verdict *row = view->rows[i];
        if (row->control.known &&
            (most == NULL || fabs(row->control.change) > fabs(most->control.change)))
            most = row;
    }
    if (most != NULL) {
        buf_addf(out, "- Control arm, the anchor against its own copy: at most %s, on ",
                 figure_change(text, &most->control));
        parts_name(out, most->config.name);
        buf_adds(out, ".\n");
    }
}

static void write_no_control(const struct report_view *view, struct buf *out)
{
    write_names(
        view, has_no_control, "- No control arm: on ",
        " nobody checked what the machine reads between two copies of the same code.\n", out);
}

/* Gaps: arms without samples in rounds that the host did not mark. */
static void write_missing(const struct report_view *view, struct buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < view->count; i++) {
        BUF_AUTO missing;
        buf_init(&missing, 512);
        if (!parts_missing(view->rows[i], &missing) || count++ >= PARTS_LISTED)
            continue;
        buf_adds(out, count == 1 ? "- Samples are missing: " : "; ");
        parts_name(out, view->rows[i]->config.name);
        buf_addf(out, " %s", missing.data);
        buf_note_loss(out, &missing);
    }
    if (count > PARTS_LISTED)
        buf_addf(out, "; and in %zu more configs", count - PARTS_LISTED);
    if (count > 0)
        buf_adds(out, ". What is missing never counts in anybody's favour.\n");
}

/* Marked rounds of all configs, and in how many of them which arm was at work. */
static size_t count_provoked(const struct report_view *view, size_t rounds[ARM_COUNT])
{
    size_t marked = 0;
    memset(rounds, 0, ARM_COUNT * sizeof *rounds);
    for (size_t i = 0; i < view->count; i++) {
        const struct config_samples *samples = parts_samples(view, view->rows[i]);
        for (size_t r = 0; samples != NULL && r < samples->count; r++) {
            marked += samples->replicates[r].marks != 0;
            for (int arm = 0; arm < ARM_COUNT; arm++)
                rounds[arm] += samples->replicates[r].provoked[arm] != 0;
        }
    }
    return marked;
}

/* An arm that was at work clearly more often than any other while the host saw something. It
 * changes no verdict: whoever reads it knows where to look. */
static void write_provoked(const struct report_view *view, struct buf *out)
{
    enum { LEAST = 4, TIMES = 3 };
    size_t rounds[ARM_COUNT], others = 0;
    size_t marked = count_provoked(view, rounds);
    int most = 0;
    for (int arm = 1; arm < ARM_COUNT; arm++)
        most = rounds[arm] > rounds[most] ? arm : most;
    for (int arm = 0; arm < ARM_COUNT; arm++)
        others = arm != most && rounds[arm] > others ? rounds[arm] : others;
    if (most >= ARM_OTHER || rounds[most] < LEAST || rounds[most] < TIMES * others)
        return;
    buf_addf(out,
             " **Of %zu marked rounds, %s was at work in %zu**, and no other arm in more "
             "than %zu.",
             marked, arm_name((enum arm)most), rounds[most], others);
}

/* What was left out: above the folded parts only where one arm `provoked` it. */
static void write_marked(const struct report_view *view, bool provoked, struct buf *out)
{
    size_t judged = 0, marked = 0;
    unsigned marks = 0;
    for (size_t i = 0; i < view->count; i++) {
        judged += view->rows[i]->replicates;
        marked += view->rows[i]->marked;
        marks |= view->rows[i]->marks;
    }
    if (marked == 0)
        return;
    BUF_AUTO arm;
    buf_init(&arm, 512);
    write_provoked(view, &arm);
    if ((arm.len > 0) != provoked)
        return;
    buf_addf(out, "- Left out: %zu of %zu replicates (", marked, judged + marked);
    const char *before = "";
    for (unsigned bit = 0; bit < MARK_BITS; bit++) {
        if ((marks & 1u << bit) == 0)
            continue;
        buf_addf(out, "%s%s", before, mark_name(bit));
        before = ", ";
    }
    buf_addf(out, ").%s\n", arm.data);
    buf_note_loss(out, &arm);
}

/* Samples from elsewhere may say nothing of the problem. */
static bool has_no_problem(const struct report_view *view, const struct config_verdict *row)
{
    const struct config_samples *samples = parts_samples(view, row);
    return samples != NULL && !problem_known(&samples->config.problem);
}

/* Were the stored samples measured otherwise? */
static bool has_other_protocol(const struct report_view *view,
                               const struct config_verdict *row)
{
    const struct samples *samples = view->report->samples;
    const struct baseline_config *stored = parts_stored(view, row);
    return samples != NULL && stored != NULL &&
           strcmp(environment_protocol(&samples->environment),
                  environment_protocol(&stored->environment)) != 0;
}

static void write_problems(const struct report_view *view, struct buf *out)
{
    write_names(view, has_other_protocol,
                "- The baseline's samples were taken by another way of measuring: ",
                ". They are not compared; the rebuilt anchor is.\n", out);

    write_names(view, has_no_problem, "- No `problem` in the samples of ",
                ": a baseline is matched by name, and no throughput is given.\n", out);
    write_names(view, parts_other_problem, "- By this name the baseline has another problem: ",
                ". Its stored samples are not compared.\n", out);
}

/* Anchors that cannot run any more. What follows from it stands in the verdict. */
static void write_failed_anchors(const struct report_view *view, struct buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < view->count; i++) {
        const struct config_verdict *row = view->rows[i];
        const struct config_samples *samples = parts_samples(view, row);
        if (samples == NULL || !samples->anchor_failed || count++ >= PARTS_LISTED)
            continue;
        buf_adds(out, "- The anchor of ");
        parts_name(out, row->config.name);
        buf_adds(out, " cannot run");
        if (row->clause == CLAUSE_ANCHOR_UNBUILT)
            buf_adds(out, ", so nothing is decided");
        else if (row->against == AGAINST_STORED && row->change.known)
            buf_adds(out, ", so its stored samples decide");
        buf_adds(out, ": ");
        parts_text(out, samples->anchor_failure, 200);
        buf_adds(out, ".\n");
    }
}

/* Memory that grew is said beside the time; it changes no verdict. */
static void write_memory(const struct report_view *view, struct buf *out)
{
    const double least_share = 0.01, least_bytes = 1 << 20;
    char before_text[FIGURE_BYTES], text[FIGURE_BYTES], percent[FIGURE_BYTES];
    size_t count = 0;
    for (size_t i = 0; i < view->count && count < PARTS_LISTED; i++) {
        const struct config_verdict *row = view->rows[i];
        const struct config_samples *samples = parts_samples(view, row);
        enum arm from = row->against == AGAINST_BASE ? ARM_BASE : ARM_ANCHOR;
        double before = samples == NULL ? 0 : (double)samples->peak_bytes[from];
        double grown = samples == NULL ? 0 : (double)samples->peak_bytes[ARM_HEAD] - before;
        if (before <= 0 || grown < least_bytes || grown < least_share * before)
            continue;
        buf_adds(out, count++ == 0 ? "- Peak memory grew: " : ", ");
        parts_name(out, row->config.name);
        buf_addf(out, " %s → %s (%s)", figure_bytes(before_text, before),
                 figure_bytes(text, before + grown), figure_percent(percent, grown / before));
    }
    if (count > 0)
        buf_adds(out, ".\n");
}

void report_lines(const struct report_view *view, struct buf *out)
{
    BUF_AUTO lines;
    buf_init(&lines, LINES_BUDGET);
    write_stored(view, true, &lines);
    write_no_control(view, &lines);
    write_memory(view, &lines);
    write_missing(view, &lines);
    write_marked(view, true, &lines);
    write_problems(view, &lines);
    write_failed_anchors(view, &lines);
    buf_note_loss(out, &lines);
    if (lines.failed)
        out->failed = true;
    if (lines.len == 0)
        return;
    buf_addc(out, '\n');
    buf_add(out, lines.data, lines.len);
}

/* ---- log and folded evidence ---- */

void report_log(const struct report_view *view, struct buf *out)
{
    const struct report *report = view->report;
    if (report->log == NULL || report->log_len == 0)
        return;
    bool fold = report->comparison->verdict != VERDICT_UNMEASURED;
    buf_adds(out, fold ? "\n<details><summary>The end of the log</summary>\n\n"
                       : "\nThe end of the log:\n\n");
    markdown_fenced(out, report->log, report->log_len, LOG_BUDGET);
    if (fold)
        buf_adds(out, "\n</details>\n");
}

/* By which interval the first of those that are not held were decided, in the judge's words. */
static void write_reasons(const struct report_view *view, struct buf *out)
{
    size_t limit = out->len + REASONS_BUDGET;
    for (size_t i = 0; i < view->count; i++) {
        const struct config_verdict *row = view->rows[i];
        if (!parts_by_interval(row->clause) || row->reason[0] == '\0')
            continue;
        BUF_AUTO line;
        buf_init(&line, REASONS_BUDGET);
        buf_adds(&line, "- ");
        parts_name(&line, row->config.name);
        buf_adds(&line, ": ");
        parts_text(&line, row->reason, PARTS_REASON_BYTES);
        buf_adds(&line, ".\n");
        buf_note_loss(out, &line);
        if (line.failed || out->len + line.len > limit)
            return;
        buf_add(out, line.data, line.len);
    }
}

/* What stands behind the table of evidence: what is of no news, and by what it was decided. */
static void write_evidence(const struct report_view *view, struct buf *out)
{
    BUF_AUTO lines;
    buf_init(&lines, LINES_BUDGET);
    write_reasons(view, &lines);
    write_stored(view, false, &lines);
    write_control(view, &lines);
    write_marked(view, false, &lines);
    buf_note_loss(out, &lines);
    out->failed = out->failed || lines.failed;
    if (lines.len == 0)
        return;
    buf_addc(out, '\n');
    buf_add(out, lines.data, lines.len);
}

void report_folded(const struct report_view *view, struct buf *out)
{
    if (table_has_evidence(view)) {
        buf_adds(out, "\n<details><summary>How sure: deciding intervals, control, stored "
                      "samples, effect sizes</summary>\n");
        table_evidence(view, out, EVIDENCE_BUDGET);
        write_evidence(view, out);
        buf_adds(out,
                 "\nThe anchor is the commit that the baseline names, or base where it names "
                 "none, built again and measured now beside head; the control arm is a copy "
                 "of it, and shows what "
                 "this machine makes of no change at all. Replicates are fresh processes in "
                 "which all of them take turns on the same buffers. Effect sizes and p are "
                 "taken over the replicates' medians."
                 "\n\n</details>\n");
    }
    if (table_has_speed(view)) {
        buf_adds(out, "\n<details><summary>Speed: throughput, bandwidth, memory</summary>\n");
        table_speed(view, out, SPEED_BUDGET);
        buf_adds(out,
                 "\nOperations are 4·B·H·D for every pair of query and key that the mask "
                 "leaves visible; compulsory bytes are Q, K and V read once and O written "
                 "once.");
        table_peaks(view, out);
        buf_adds(out, "\n\n</details>\n");
    }
    const struct samples *samples = view->report->samples;
    if (samples == NULL || samples->environment.count == 0)
        return;
    size_t differ = table_environment_differs(view);
    buf_adds(out, "\n<details><summary>Environment");
    if (differ > 0)
        buf_addf(out, ": %zu %s from the baseline's", differ,
                 differ == 1 ? "fact differs" : "facts differ");
    buf_adds(out, "</summary>\n");
    table_environment(view, out, ENVIRONMENT_BUDGET);
    buf_adds(out, "\n</details>\n");
}
/* ---- commits ---- */

/* The anchors of the configs, each commit once, a few of them. */
static void write_anchors(const struct report_view *view, struct buf *out)
{
    char seen[PARTS_LISTED][MODEL_SHA_BYTES];
    size_t count = 0, others = 0;
    for (size_t i = 0; i < view->count; i++) {
        const struct config_samples *samples = parts_samples(view, view->rows[i]);
        if (samples == NULL || !name_is_sha(samples->arms[ARM_ANCHOR].commit))
            continue;
        const char *commit = samples->arms[ARM_ANCHOR].commit;
        size_t at = 0;
        while (at < count && strcmp(seen[at], commit) != 0)
            at++;
        if (at < count)
            continue;
        if (count == PARTS_LISTED) {
            others++;
            continue;
        }
        memcpy(seen[count++], commit, MODEL_SHA_BYTES);
        buf_adds(out, count == 1 ? "; anchor " : ", ");
        parts_commit(out, commit);
    }
    if (others > 0)
        buf_adds(out, " and others");
}

/* Addresses come from the Actions environment, so from a stranger. */
static bool is_plain_url(const char *url)
{
    return (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0) &&
           url[strspn(url, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                           ":/._-")] == '\0';
}

void report_commits(const struct report_view *view, struct buf *out)
{
    const struct job *job = view->report->job;
    const char *lead = table_has_speed(view) ? "Measured: " : "Checked: ";
    buf_addc(out, '\n');
    if (job != NULL && name_is_sha(job->head)) {
        bool merged = name_is_sha(job->merge) && strcmp(job->merge, job->head) != 0;
        buf_adds(out, lead);
        parts_commit(out, merged ? job->merge : job->head);
        if (merged) {
            buf_adds(out, ", which is ");
            parts_commit(out, job->head);
            buf_adds(out, " merged into ");
            parts_commit(out, job->base);
            if (job->base_ref[0] != '\0') {
                buf_adds(out, " of ");
                parts_name(out, job->base_ref);
            }
        }
    } else if (view->report->samples != NULL && view->report->samples->count > 0) {
        buf_adds(out, lead);
        parts_commit(out, view->report->samples->configs[0].arms[ARM_HEAD].commit);
    } else {
        buf_adds(out, "Nothing was pinned");
    }
    write_anchors(view, out);
    buf_addc(out, '.');
    if (job != NULL && is_plain_url(job->run_url))
        buf_addf(out, " [The run](%s).", job->run_url);
    if (view->report->timing != NULL) {
        buf_adds(out, " Took: ");
        parts_text(out, view->report->timing, 200);
        buf_addc(out, '.');
    }
    buf_addc(out, '\n');
}
