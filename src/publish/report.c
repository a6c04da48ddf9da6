/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the words of a report and their order: first what a reader needs in five seconds, then
 * the table and what to do, then, folded, the evidence. Every part has a budget of bytes, and
 * the budgets together stay below REPORT_MAX_BYTES. */
#include "publish/report.h"

#include "publish/figures.h"
#include "publish/markdown.h"
#include "publish/report_parts.h"
#include "publish/scan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ACCEPT_LABEL "ratchet:accept-loss"

enum {
    VERDICTS_BUDGET = 20000,
    EVIDENCE_BUDGET = 9000,
    SPEED_BUDGET = 6000,
    ENVIRONMENT_BUDGET = 5000,
    LOG_BUDGET = 8000,
    NOTES_BUDGET = 5000,
    REASON_BYTES = 400, /* of foreign text, before escaping */
    LISTED = 5          /* names in a sentence */
};

/* ---- parts that the tables share ---- */

const struct config_samples *parts_samples(const struct report_view *view,
                                           const struct config_verdict *row)
{
    const struct samples *samples = view->report->samples;
    for (size_t i = 0; samples != NULL && i < samples->count; i++)
        if (strcmp(samples->configs[i].config.name, row->config.name) == 0)
            return &samples->configs[i];
    return NULL;
}

bool parts_identical(const struct report_view *view, const struct config_verdict *row)
{
    const struct config_samples *samples = parts_samples(view, row);
    if (samples != NULL)
        return samples->identical && row->verdict == VERDICT_HELD;
    return row->verdict == VERDICT_HELD && row->replicates == 0 && !row->change.known;
}

bool parts_already_lost(const struct report_view *view, const struct config_verdict *row)
{
    if (row->verdict != VERDICT_HELD || !row->change.known)
        return false;
    return view->threshold > 0 ? row->change.ci_decision.low > view->threshold
                               : strstr(row->reason, "already lost on main") != NULL;
}

void parts_text(struct buf *out, const char *text, size_t max)
{
    size_t len = strlen(text);
    if (len <= max) {
        markdown_text(out, text);
        return;
    }
    BUF_AUTO cut;
    buf_init(&cut, max + 8);
    while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--; /* not inside a character */
    buf_add(&cut, text, max);
    buf_adds(&cut, "…");
    markdown_text(out, cut.data);
}

void parts_name(struct buf *out, const char *name)
{
    size_t before = out->len;
    markdown_code(out, name);
    if (out->len == before)
        buf_addc(out, '?');
}

static bool is_commit(const char *sha)
{
    return strspn(sha, "0123456789abcdef") == MODEL_SHA_BYTES - 1 &&
           sha[MODEL_SHA_BYTES - 1] == '\0';
}

void parts_commit(struct buf *out, const char *sha)
{
    if (is_commit(sha))
        buf_add(out, sha, PARTS_SHORT_SHA);
    else
        buf_addc(out, '?');
}

/* ---- the view ---- */

/* Worst verdict first; of those that are alike, what is of more concern. */
static bool comes_before(const struct report_view *view, const struct config_verdict *a,
                         const struct config_verdict *b)
{
    if (a->verdict != b->verdict)
        return a->verdict > b->verdict;
    bool lost_a = parts_already_lost(view, a), lost_b = parts_already_lost(view, b);
    if (lost_a != lost_b)
        return lost_a;
    if (a->change.known != b->change.known)
        return a->change.known;
    if (!a->change.known || !isfinite(a->change.change) || !isfinite(b->change.change))
        return false;
    if (a->verdict == VERDICT_IMPROVED)
        return a->change.change < b->change.change;
    if (a->verdict == VERDICT_HELD && !lost_a)
        return fabs(a->change.change) > fabs(b->change.change);
    return a->change.change > b->change.change;
}

static void view_fill(struct report_view *view, const struct report *report)
{
    const struct comparison *comparison = report->comparison;
    *view = (struct report_view){.report = report};
    view->threshold = report->rule == NULL ? 0 : report->rule->threshold;
    for (size_t i = 0; i < comparison->count && i < MODEL_CONFIGS_MAX; i++) {
        const struct config_verdict *row = &comparison->configs[i];
        size_t at = view->count++;
        for (; at > 0 && comes_before(view, row, view->rows[at - 1]); at--)
            view->rows[at] = view->rows[at - 1];
        view->rows[at] = row;
        view->of_verdict[row->verdict]++;
    }
}

static bool is_pull_request(const struct report_view *view)
{
    return view->report->job != NULL && view->report->job->pr > 0;
}

static bool is_promotion(const struct report_view *view)
{
    return view->report->job != NULL && view->report->job->kind == JOB_PROMOTE;
}

/* "this pull request", or what else the head is. */
static const char *subject(const struct report_view *view)
{
    return is_pull_request(view) ? "this pull request" : is_promotion(view) ? "main"
                                                                            : "the head commit";
}

static size_t count_lost(const struct report_view *view)
{
    size_t count = 0;
    for (size_t i = 0; i < view->count; i++)
        count += parts_already_lost(view, view->rows[i]);
    return count;
}

static bool all_identical(const struct report_view *view)
{
    for (size_t i = 0; i < view->count; i++)
        if (!parts_identical(view, view->rows[i]))
            return false;
    return view->count > 0;
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
    report_marker(comparison->device.slug, marker);
    buf_addf(out, "%s\n### Ratchet%s: %s on ", marker, is_promotion(view) ? " on main" : "",
             verdict_name(comparison->verdict));
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
        !is_commit(samples->arms[ARM_ANCHOR].commit))
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

static void write_reason(struct buf *out, const char *lead, const char *reason)
{
    if (reason[0] == '\0')
        return;
    buf_adds(out, lead);
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
    write_reason(out, " Why: ", row->reason);
}

static void first_unmeasured(const struct report_view *view, const struct config_verdict *row,
                             struct buf *out)
{
    (void)view;
    buf_adds(out, "**");
    parts_name(out, row->config.name);
    buf_adds(out, " could not be measured: ");
    parts_text(out, row->reason, REASON_BYTES);
    buf_addf(out, ".** The cause is %s.", whose(row->fault));
}

static void first_moved(const struct report_view *view, const struct config_verdict *row,
                        struct buf *out)
{
    if (row->change.known) {
        write_change(view, row, out);
        buf_addc(out, '.');
        write_reason(out, " Why: ", row->reason);
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
    if (all_identical(view)) {
        buf_adds(out, "**Identical machine code**: there was nothing to measure.");
        return;
    }
    if (parts_already_lost(view, row)) {
        write_change(view, row, out);
        buf_addf(out, ", but %s does not add to it: **already lost on main**.", subject(view));
        write_reason(out, " Why: ", row->reason);
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
    if (view->count < 2 || all_identical(view))
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
        if (comparison->verdict == VERDICT_UNMEASURED)
            buf_addf(out, " Nothing was measured; the cause is %s.", whose(comparison->fault));
    } else {
        sentences[view->rows[0]->verdict](view, view->rows[0], out);
        write_counts(view, out);
    }
    buf_addc(out, '\n');
}

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

/* The stored samples of baseline.json, on a line of their own. */
static void write_stored(const struct report_view *view, struct buf *out)
{
    char text[FIGURE_BYTES];
    const struct config_verdict *row = NULL;
    for (size_t i = 0; i < view->count; i++)
        if (view->rows[i]->stored.known &&
            (row == NULL || (lines_disagree(view, view->rows[i]) && !lines_disagree(view, row))))
            row = view->rows[i];
    if (row == NULL)
        return;
    buf_adds(out, "- Stored samples of the baseline: ");
    parts_name(out, row->config.name);
    buf_addf(out, " %s", figure_change(text, &row->stored));
    if (view->report->rule != NULL)
        buf_addf(out, ", widened by %s for drift",
                 figure_percent(text, view->report->rule->drift_margin) + 1);
    if (row->anchor_drift_known)
        buf_addf(out, "; the anchor itself reads %s against them today",
                 figure_percent(text, row->anchor_drift));
    buf_addc(out, '.');
    if (lines_disagree(view, row)) {
        size_t facts = table_environment_differs(view);
        buf_addf(out, " **The two lines disagree**: the anchor drifted, and %zu facts of the "
                      "environment differ from the baseline's (below).",
                 facts);
    }
    buf_addc(out, '\n');
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
    if (most == NULL)
        return;
    buf_addf(out, "- Control arm, the anchor against its own copy: at most %s, on ",
             figure_change(text, &most->control));
    parts_name(out, most->config.name);
    buf_adds(out, ".\n");
}

static void write_marked(const struct report_view *view, struct buf *out)
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
    buf_addf(out, "- Left out: %zu of %zu replicates (", marked, judged + marked);
    const char *before = "";
    for (unsigned bit = 0; bit < MARK_BITS; bit++) {
        if ((marks & 1u << bit) == 0)
            continue;
        buf_addf(out, "%s%s", before, mark_name(bit));
        before = ", ";
    }
    buf_adds(out, ").\n");
}

/* Anchors that cannot run any more: there the stored samples decide. */
static void write_failed_anchors(const struct report_view *view, struct buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < view->count; i++) {
        const struct config_samples *samples = parts_samples(view, view->rows[i]);
        if (samples == NULL || !samples->anchor_failed || count++ >= LISTED)
            continue;
        buf_adds(out, "- The anchor of ");
        parts_name(out, view->rows[i]->config.name);
        buf_adds(out, " cannot run, so its stored samples decide: ");
        parts_text(out, samples->anchor_failure, 200);
        buf_adds(out, ".\n");
    }
}

static void write_lines(const struct report_view *view, struct buf *out)
{
    buf_addc(out, '\n');
    write_stored(view, out);
    write_control(view, out);
    write_marked(view, out);
    write_failed_anchors(view, out);
}

/* ---- what to do next ---- */

/* Names of the rows that `wanted` picks, a few of them. */
static void write_names(const struct report_view *view,
                        bool (*wanted)(const struct report_view *,
                                       const struct config_verdict *),
                        struct buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < view->count; i++) {
        if (!wanted(view, view->rows[i]) || count++ >= LISTED)
            continue;
        buf_adds(out, count > 1 ? ", " : "");
        parts_name(out, view->rows[i]->config.name);
    }
    if (count > LISTED)
        buf_addf(out, " and %zu more", count - LISTED);
}

static void write_reproduce(const struct report_view *view, struct buf *out)
{
    const struct job *job = view->report->job;
    if (job == NULL || !is_commit(job->head) || !is_commit(job->base) ||
        !model_name_ok(view->report->comparison->device.slug))
        return;
    buf_addf(out,
             "- See it yourself, on a machine of this kind:\n\n  ```sh\n"
             "  ratchet check --repo . --base %s --head %s --device %s\n  ```\n",
             job->base, job->head, view->report->comparison->device.slug);
}

static void next_regressed(const struct report_view *view, struct buf *out)
{
    write_reproduce(view, out);
    if (is_pull_request(view))
        buf_adds(out, "- Worth its price? Somebody who may write to this repository can accept "
                      "the loss with the label `" ACCEPT_LABEL "`. It takes effect at the "
                      "promotion after the merge, under that person's name; this check stays "
                      "regressed.\n");
    else if (is_promotion(view))
        buf_adds(out, "- The baseline stays where it is. To accept the loss, put the label "
                      "`" ACCEPT_LABEL "` on the pull request that brought it and run this job "
                      "again, or name it: `ratchet promote --accept CONFIG --by NAME`.\n");
}

static void next_unclear(const struct report_view *view, struct buf *out)
{
    buf_adds(out, "- Run this job again for a second look with fresh processes, best when "
                  "nothing else uses the machine.");
    if (view->report->comparison->unclear_passes)
        buf_adds(out, " The rule here lets unclear pass.");
    buf_addc(out, '\n');
    if (view->threshold > 0)
        buf_adds(out, "- If it stays unclear, the change is close to the line: look at the "
                      "interval, not at the colour.\n");
    write_reproduce(view, out);
}

static void next_unmeasured(const struct report_view *view, struct buf *out)
{
    static const char *const advice[] = {
        [FAULT_NONE] = "- Run this job again.\n",
        [FAULT_PR] = "- Fix it in this pull request and push: the check runs again by itself.\n",
        [FAULT_BASE] = "- The base branch has to be fixed first: this pull request is not at "
                       "fault, and cannot be judged until then.\n",
        [FAULT_HOST] = "- Nothing to fix in this pull request. Run this job again; if it comes "
                       "back, the host's owner finds the cause with `ratchet doctor`.\n",
        [FAULT_US] = "- Nothing to fix in this pull request. Please report this as a defect of "
                     "Ratchet, with the run below.\n",
    };
    const struct comparison *comparison = view->report->comparison;
    enum fault fault = view->count > 0 ? view->rows[0]->fault : comparison->fault;
    buf_adds(out, advice[fault]);
    if (fault == FAULT_PR)
        write_reproduce(view, out);
}

static void next_improved(const struct report_view *view, struct buf *out)
{
    if (is_pull_request(view))
        buf_adds(out, "- Nothing. After the merge, main is measured again in two runs, and only "
                      "those move the anchor.\n");
}

static void next_held(const struct report_view *view, struct buf *out)
{
    if (count_lost(view) == 0)
        return;
    buf_adds(out, "- Nobody is blocked for what main has already lost: ");
    write_names(view, parts_already_lost, out);
    buf_adds(out, ". The anchor stays until a config is as fast again, or until its loss is "
                  "accepted by name: `ratchet promote --accept CONFIG --by NAME`.\n");
}

static void write_next(const struct report_view *view, struct buf *out)
{
    static void (*const next[])(const struct report_view *, struct buf *) = {
        [VERDICT_HELD] = next_held,           [VERDICT_IMPROVED] = next_improved,
        [VERDICT_UNCLEAR] = next_unclear,     [VERDICT_UNMEASURED] = next_unmeasured,
        [VERDICT_REGRESSED] = next_regressed,
    };
    BUF_AUTO steps;
    buf_init(&steps, 8192);
    next[view->report->comparison->verdict](view, &steps);
    if (steps.failed)
        out->failed = true;
    if (steps.len == 0)
        return;
    buf_adds(out, "\n**What to do**\n\n");
    buf_add(out, steps.data, steps.len);
}

/* ---- notes, log ---- */

static void write_notes(const struct report_view *view, struct buf *out)
{
    const struct report *report = view->report;
    size_t limit = out->len + NOTES_BUDGET;
    for (size_t i = 0; i < report->note_count; i++) {
        BUF_AUTO note;
        buf_init(&note, NOTES_BUDGET);
        buf_adds(&note, i == 0 ? "\n- " : "- ");
        parts_text(&note, report->notes[i], REASON_BYTES);
        buf_addc(&note, '\n');
        if (note.failed || out->len + note.len + 64 > limit) {
            buf_addf(out, "- %zu more notes are left out here.\n", report->note_count - i);
            return;
        }
        buf_add(out, note.data, note.len);
    }
}

static void write_log(const struct report_view *view, struct buf *out)
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

/* ---- folded evidence ---- */

static bool any_measured(const struct report_view *view)
{
    for (size_t i = 0; i < view->count; i++)
        if (view->rows[i]->median_ns[ARM_HEAD] > 0 || view->rows[i]->attempts > 0)
            return true;
    return false;
}

static void write_folded(const struct report_view *view, struct buf *out)
{
    if (any_measured(view)) {
        buf_adds(out, "\n<details><summary>How sure: deciding intervals, control, stored "
                      "samples, effect sizes</summary>\n");
        table_evidence(view, out, EVIDENCE_BUDGET);
        buf_adds(out, "\nReplicates are fresh processes in which all arms take turns on the "
                      "same buffers. Effect sizes and p are taken over the replicates' medians."
                      "\n\n</details>\n");
        buf_adds(out, "\n<details><summary>Speed: throughput, bandwidth, memory</summary>\n");
        table_speed(view, out, SPEED_BUDGET);
        buf_adds(out, "\nOperations are 4·B·H·D for every pair of query and key that the mask "
                      "leaves visible; compulsory bytes are Q, K and V read once and O written "
                      "once.\n\n</details>\n");
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

/* ---- commits, footer ---- */

/* The anchors of the configs, each commit once, a few of them. */
static void write_anchors(const struct report_view *view, struct buf *out)
{
    char seen[LISTED][MODEL_SHA_BYTES];
    size_t count = 0, others = 0;
    for (size_t i = 0; i < view->count; i++) {
        const struct config_samples *samples = parts_samples(view, view->rows[i]);
        if (samples == NULL || !is_commit(samples->arms[ARM_ANCHOR].commit))
            continue;
        const char *commit = samples->arms[ARM_ANCHOR].commit;
        size_t at = 0;
        while (at < count && strcmp(seen[at], commit) != 0)
            at++;
        if (at < count)
            continue;
        if (count == LISTED) {
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

static void write_commits(const struct report_view *view, struct buf *out)
{
    const struct job *job = view->report->job;
    buf_addc(out, '\n');
    if (job != NULL && is_commit(job->head)) {
        bool merged = is_commit(job->merge) && strcmp(job->merge, job->head) != 0;
        buf_adds(out, "Measured: ");
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
        buf_adds(out, "Measured: ");
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

static void write_rule(const struct rule *rule, struct buf *out)
{
    char text[FIGURE_BYTES];
    buf_addf(out, "Rule: regressed or improved when the %g%% interval, corrected for ",
             100 * rule->confidence);
    if (rule->look_count > 1) {
        buf_adds(out, "looks at ");
        for (unsigned i = 0; i < rule->look_count && i < RULE_LOOKS_MAX; i++)
            buf_addf(out, "%s%u", i == 0 ? "" : i + 1 == rule->look_count ? " and " : ", ",
                     rule->looks[i]);
        buf_adds(out, " replicates and for ");
    }
    buf_addf(out, "the configs claimed, is wholly beyond ±%s of the anchor",
             figure_percent(text, rule->threshold) + 1);
    buf_addf(out, ", and regressed only if the change also adds more than %s to base. ",
             rule->own_floor > 0 ? figure_percent(text, rule->own_floor) + 1 : "0.00%");
}

static void write_footer(const struct report_view *view, struct buf *out)
{
    buf_adds(out, "\n<sub>");
    if (view->report->rule != NULL)
        write_rule(view->report->rule, out);
    buf_adds(out, "Positive is slower. Calibration: none recorded for this device yet.</sub>\n");
}

/* ---- all ---- */

/* Nothing was measured, and nothing had to be. */
static bool is_short(const struct report_view *view)
{
    return view->report->comparison->verdict == VERDICT_HELD &&
           (view->count == 0 || all_identical(view));
}

int report_markdown(const struct report *report, struct buf *out, struct err *err)
{
    struct report_view view;
    view_fill(&view, report);
    BUF_AUTO text;
    buf_init(&text, REPORT_MAX_BYTES);
    write_heading(&view, &text);
    write_first_sentence(&view, &text);
    if (view.count > 0 && !is_short(&view)) {
        table_verdicts(&view, &text, VERDICTS_BUDGET);
        write_lines(&view, &text);
    }
    write_next(&view, &text);
    write_notes(&view, &text);
    write_log(&view, &text);
    if (!is_short(&view))
        write_folded(&view, &text);
    write_commits(&view, &text);
    if (!is_short(&view))
        write_footer(&view, &text);
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
    view_fill(&view, &report);
    buf_addf(&line, "%s: ", verdict_name(comparison->verdict));
    if (view.count == 0) {
        buf_adds(&line, comparison->reason);
        if (comparison->verdict == VERDICT_UNMEASURED && comparison->fault != FAULT_NONE)
            buf_addf(&line, " (%s)", fault_name(comparison->fault));
    } else if (all_identical(&view)) {
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
        if (view.count > 1)
            buf_addf(&line, " (%zu of %zu held)", view.of_verdict[VERDICT_HELD], view.count);
    }
    if (size > 0)
        keep_line(line.data, out, size);
}
