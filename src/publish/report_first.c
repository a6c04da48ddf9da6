/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the first words of a report: whether today's anchor is what was recorded, and then, of the
 * worst config, what its verdict is and why. What is said of a config follows from its verdict
 * and clause; no reason is read. */
#include "publish/figures.h"
#include "base/name.h"
#include "publish/report_parts.h"

#include <math.h>
#include <string.h>

static const char *whose(const struct report_view *view, enum fault fault)
{
    static const char *const words[] = {
        [FAULT_NONE] = "nobody's",          [FAULT_PR] = "the pull request's",
        [FAULT_BASE] = "the base branch's", [FAULT_HOST] = "the measuring host's",
        [FAULT_US] = "Ratchet's own",
    };
    if (fault == FAULT_PR && !parts_is_pull_request(view))
        return parts_is_promotion(view) ? "the branch's" : "the head commit's";
    return words[fault];
}

/* ---- the anchor ---- */

/* "takes 29.1 times as long (+2813%) as", or in percent. */
static void write_drift(struct buf *out, double drift)
{
    char text[FIGURE_BYTES];
    double times = 1 + drift;
    if (times > 10001)
        buf_adds(out, "takes over 10000 times as long as");
    else if (times >= 2)
        buf_addf(out, "takes %.*f times as long (%s) as", times < 99.95 ? 1 : 0, times,
                 figure_percent(text, drift));
    else
        buf_addf(out, "takes %s %s time than", figure_share(text, fabs(drift)),
                 drift > 0 ? "more" : "less");
}

/* Is its machine code that which was recorded? Where both are known. */
static void write_code(const struct report_view *view, const struct config_verdict *row,
                       struct buf *out)
{
    const struct config_samples *samples = parts_samples(view, row);
    const struct baseline_config *stored = parts_stored(view, row);
    if (samples == NULL || stored == NULL || stored->code[0] == '\0' ||
        samples->arms[ARM_ANCHOR].code[0] == '\0')
        return;
    buf_adds(out, strcmp(stored->code, samples->arms[ARM_ANCHOR].code) == 0
                      ? " Its machine code is the very same."
                      : " Its machine code is another than the recorded one.");
}

void report_drift(const struct report_view *view, struct buf *out)
{
    size_t count;
    const struct config_verdict *row = parts_drifted(view, &count);
    if (row == NULL)
        return;
    buf_adds(out, "> **Today's anchor is not what was recorded**: on ");
    parts_name(out, row->config.name);
    buf_adds(out, " it ");
    write_drift(out, row->anchor_drift);
    buf_adds(out, " its stored samples");
    if (count > 1)
        buf_addf(out, ", and %zu more %s far from theirs", count - 1,
                 count == 2 ? "config's is" : "configs' are");
    buf_adds(out, ". ");
    BUF_AUTO facts;
    buf_init(&facts, 8192);
    if (table_differences(view, row, &facts) > 0)
        buf_addf(out, "What differs: %s.", facts.data);
    else
        buf_adds(out, "No fact of the environment that was recorded differs.");
    buf_note_loss(out, &facts);
    write_code(view, row, out);
    if (row->against == AGAINST_ANCHOR)
        buf_adds(out, " Verdicts below compare with the anchor as it runs today.");
    buf_adds(out, "\n\n");
}

/* ---- the first sentences ---- */

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
        !name_is_sha(samples->arms[ARM_ANCHOR].commit))
        return;
    const struct baseline_config *stored = parts_stored(view, row);
    bool named = stored != NULL &&
                 strcmp(stored->commit, samples->arms[ARM_ANCHOR].commit) == 0;
    buf_adds(out, named ? ", the baseline's commit " : ", commit ");
    parts_commit(out, samples->arms[ARM_ANCHOR].commit);
}

/* "**`a` takes 4.12% more time per launch than its anchor, the baseline's commit 1a2b3c4d5e**, 95%
 * interval … from 8 replicates". */
static void write_change(const struct report_view *view, const struct config_verdict *row,
                         struct buf *out)
{
    char text[FIGURE_BYTES];
    int sign = figure_sign(row->change.change);
    buf_adds(out, "**");
    parts_name(out, row->config.name);
    if (sign != 0)
        buf_addf(out, " takes %s %s time per launch than %s",
                 figure_share(text, fabs(row->change.change)), sign > 0 ? "more" : "less",
                 against_what(row));
    else
        buf_addf(out, " takes as long per launch as %s", against_what(row));
    write_anchor(view, row, out);
    buf_addf(out, "**, 95%% interval %s from %zu replicates",
             figure_interval(text, row->change.ci), row->replicates);
}

/* What the sentence and its interval do not say already. The interval that decides, which is wider, stands
 * under "How sure". */
static void write_reason(struct buf *out, const struct config_verdict *row)
{
    if (row->reason[0] == '\0' || parts_by_interval(row->clause))
        return;
    buf_adds(out, " Why: ");
    parts_text(out, row->reason, PARTS_REASON_BYTES);
    buf_addc(out, '.');
}

/* Is what the change adds to base another number than the one that was said? */
static bool adds_another(const struct config_verdict *row)
{
    char change[FIGURE_BYTES], own[FIGURE_BYTES];
    return row->own.known && row->against != AGAINST_BASE &&
           strcmp(figure_change(change, &row->change), figure_change(own, &row->own)) != 0;
}

static void first_regressed(const struct report_view *view, const struct config_verdict *row,
                            struct buf *out)
{
    char text[FIGURE_BYTES];
    write_change(view, row, out);
    if (adds_another(row))
        buf_addf(out, "; against base, %s adds %s %s", parts_subject(view),
                 figure_percent(text, row->own.change),
                 figure_interval((char[FIGURE_BYTES]){0}, row->own.ci));
    buf_addc(out, '.');
    write_reason(out, row);
}

/* What is missing may hide a loss: never to the good of whoever brought the change. */
static void first_gaps(const struct report_view *view, const struct config_verdict *row,
                       struct buf *out)
{
    BUF_AUTO missing;
    buf_init(&missing, 512);
    buf_adds(out, "**");
    parts_name(out, row->config.name);
    buf_addf(out, " is %s: samples are missing", verdict_name(row->verdict));
    if (parts_missing(row, &missing))
        buf_addf(out, " (%s)", missing.data);
    buf_note_loss(out, &missing);
    buf_addf(out,
             ", and what is missing never counts in favour of %s. Find out why, and run "
             "this job again.**",
             parts_subject(view));
    write_reason(out, row);
}

static void first_unmeasured(const struct report_view *view, const struct config_verdict *row,
                             struct buf *out)
{
    if (row->clause == CLAUSE_NOT_MEASURED) {
        buf_adds(out, "**The baseline has ");
        parts_name(out, row->config.name);
        buf_adds(out, ", and nobody measured it.**");
    } else {
        buf_adds(out, "**");
        parts_name(out, row->config.name);
        buf_adds(out, " could not be measured: ");
        parts_text(out, row->reason, PARTS_REASON_BYTES);
        buf_adds(out, ".**");
    }
    buf_addf(out, " The fault is %s.", whose(view, row->fault));
}

/* Does the interval that the sentence shows reach over a line? */
static bool reaches(const struct change *change, double threshold)
{
    return (change->ci.low <= threshold && threshold <= change->ci.high) ||
           (change->ci.low <= -threshold && -threshold <= change->ci.high);
}

static void first_moved(const struct report_view *view, const struct config_verdict *row,
                        struct buf *out)
{
    char text[FIGURE_BYTES];
    if (row->clause == CLAUSE_GAPS) {
        first_gaps(view, row, out);
    } else if (row->change.known) {
        write_change(view, row, out);
        if (row->clause == CLAUSE_STRADDLES && view->threshold > 0)
            buf_addf(out, ": too close to the line of ±%s to tell%s",
                     figure_share(text, view->threshold),
                     reaches(&row->change, view->threshold)
                         ? ""
                         : ", as the interval that decides is wider (see How sure)");
        else if (row->clause == CLAUSE_OWN_UNCLEAR)
            buf_addf(out, ": whether %s adds to that could not be told", parts_subject(view));
        buf_addc(out, '.');
        write_reason(out, row);
    } else {
        buf_adds(out, "**");
        parts_name(out, row->config.name);
        buf_addf(out, " is %s**: ", verdict_name(row->verdict));
        parts_text(out, row->reason, PARTS_REASON_BYTES);
        buf_addc(out, '.');
    }
}

/* ---- held: what is true of each ---- */

/* "No config moved by more than 3%" is true of those that were measured against the rule. */
static void write_within(const struct report_view *view, const struct config_verdict *largest,
                         size_t within, struct buf *out)
{
    char text[FIGURE_BYTES];
    if (within == view->count)
        buf_adds(out, "**No config moved by more than ");
    else if (within == 1)
        buf_adds(out, "**The one config that was measured did not move by more than ");
    else
        buf_addf(out, "**None of the %zu configs that were measured moved by more than ",
                 within);
    if (view->threshold > 0)
        buf_addf(out, "%s.**", figure_share(text, view->threshold));
    else
        buf_adds(out, "the rule allows.**");
    buf_adds(out, within == 1 && view->count > 1 ? " It is " : " The largest change is ");
    parts_name(out, largest->config.name);
    buf_addf(out, ", %s against %s.", figure_change(text, &largest->change),
             against_what(largest));
}

/* Those that were held for another reason than a measurement, by name. */
static void write_others(const struct report_view *view, struct buf *out)
{
    static const struct {
        enum clause clause;
        const char *words;
    } others[] = {
        {CLAUSE_IDENTICAL_CODE, "Identical machine code, so nothing to measure"},
        {CLAUSE_NOT_TOUCHED, "Not touched, so not measured"},
        {CLAUSE_RETIRED, "Retired, as `ci/ratchet.conf` lists it no more"},
        {CLAUSE_RECORDED, "Recorded in the baseline"},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        BUF_AUTO names;
        buf_init(&names, 8192);
        if (parts_names(view, others[i].clause, &names) > 0)
            buf_addf(out, " %s: %s.", others[i].words, names.data);
        buf_note_loss(out, &names);
    }
}

static void first_held(const struct report_view *view, const struct config_verdict *row,
                       struct buf *out)
{
    const struct config_verdict *largest = NULL;
    size_t within = 0, recorded = 0;
    for (size_t i = 0; i < view->count; i++) {
        enum clause clause = parts_clause(view, view->rows[i]);
        recorded += clause == CLAUSE_RECORDED;
        if (clause != CLAUSE_WITHIN)
            continue;
        within++;
        if (largest == NULL) /* rows come in the order of their changes */
            largest = view->rows[i];
    }
    if (parts_all_identical(view)) {
        buf_adds(out, "**Identical machine code**: there was nothing to measure.");
        return;
    }
    enum clause first = parts_clause(view, row);
    if (parts_already_lost(view, row)) {
        write_change(view, row, out);
        buf_addf(out, ", but %s does not add to it: **already lost on ", parts_subject(view));
        parts_branch(view, out);
        buf_adds(out, "**.");
        write_reason(out, row);
    } else if (within > 0) {
        write_within(view, largest, within, out);
    } else if (recorded > 0 && !row->change.known) {
        buf_adds(out, "**There was no anchor to compare with.**"); /* the first baseline */
    } else if (recorded > 0) {
        buf_adds(out, "**The baseline was recorded anew.**");
    } else if (first == CLAUSE_IDENTICAL_CODE || first == CLAUSE_NOT_TOUCHED ||
               first == CLAUSE_RETIRED) {
        buf_adds(out, "**Nothing was measured.**");
    } else {
        first_moved(view, row, out);
    }
    write_others(view, out);
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

void report_first(const struct report_view *view, struct buf *out)
{
    static void (*const sentences[])(const struct report_view *, const struct config_verdict *,
                                     struct buf *) = {
        [VERDICT_HELD] = first_held,           [VERDICT_IMPROVED] = first_moved,
        [VERDICT_UNCLEAR] = first_moved,       [VERDICT_UNMEASURED] = first_unmeasured,
        [VERDICT_REGRESSED] = first_regressed,
    };
    const struct comparison *comparison = view->report->comparison;
    if (parts_is_whole(view)) {
        buf_adds(out, "**");
        parts_text(out, comparison->reason, PARTS_REASON_BYTES);
        buf_adds(out, ".**");
        if (comparison->verdict == VERDICT_HELD)
            buf_adds(out, " Nothing had to be measured.");
        else if (comparison->verdict == VERDICT_UNMEASURED)
            buf_addf(out, " Nothing was measured; the fault is %s.",
                     whose(view, comparison->fault));
        write_others(view, out);
    } else {
        sentences[view->rows[0]->verdict](view, view->rows[0], out);
        write_counts(view, out);
    }
    buf_addc(out, '\n');
}
