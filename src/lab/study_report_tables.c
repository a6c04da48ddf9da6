/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the tables of times in a study's report. */
#include "lab/study_report.h"

#include "lab/study_rows.h"
#include "lab/study_words.h"
#include "lab/sweep.h"
#include "lab/sweep_report.h"
#include "publish/figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the kernel itself ---- */

static void put_median(const struct document *document, double ns, struct interval ci)
{
    char median[FIGURE_BYTES], low[FIGURE_BYTES], high[FIGURE_BYTES];
    document_cell(document, "%s [%s, %s]", figure_time(median, ns), figure_time(low, ci.low),
                  figure_time(high, ci.high));
}

static void put_time_cells(const struct document *document, const struct study_row *row)
{
    char a[FIGURE_BYTES], b[FIGURE_BYTES];
    put_median(document, row->median_ns, row->median_ci);
    document_cell(document, "%s ± %s", figure_time(a, row->mean_ns),
                  figure_time(b, row->sd_ns));
    document_cell(document, "%s", figure_time(a, row->p95_ns));
    document_cell(document, "%s", figure_time(a, row->p99_ns));
}

static void put_rate_cells(const struct document *document, const struct study_row *row)
{
    char text[FIGURE_BYTES], share[FIGURE_BYTES];
    if (row->sequences_s < 1000)
        document_cell(document, "%.4g /s", row->sequences_s);
    else
        document_cell(document, "%s", figure_rate(text, row->sequences_s / 1e9, "/s"));
    document_cell(document, "%s", figure_rate(text, row->flop_ns, "FLOP/s"));
    document_cell(document, "%s", figure_rate(text, row->byte_ns, "B/s"));
    figure_bytes(text, row->memory_bytes);
    if (isfinite(row->memory_share))
        document_cell(document, "%s (%s)", text, figure_share(share, row->memory_share));
    else
        document_cell(document, "%s", text);
    document_cell(document, "%zu", row->processes);
}

static void put_how_timed(const struct study_page *page)
{
    const struct document *document = &page->document;
    const struct study_result *result = page->result;
    char confidence[STUDY_WORDS_BYTES], samples[STUDY_WORDS_BYTES];
    study_confidence_text(confidence, result->files->rule.confidence);
    document_text(
        document,
        "Times are device time of one launch of the %s kernel. The median is that over"
        " fresh processes of each process's median, with its %s interval over processes (of"
        " fewer than %u, their range); mean and standard deviation are of the same medians. "
        "p95 and p99 are of all"
        " samples of all processes, %s: they are no tail of single launches, unless a"
        " launch takes that long by itself.",
        result->compared ? "best" : "first", confidence, result->files->rule.min_replicates,
        study_sample_text(samples, study_result_samples(result)));
    document_text(
        document,
        "Sequences a second are the batch over the median; FLOP/s count the two matrix"
        " products that the mask leaves; B/s count Q, K, V and O, each moved once. The"
        " relative interval of a rate is that of its median. Memory is what one launch"
        " needs: its inputs, outputs and workspace, and device memory that the launch itself"
        " took; in brackets its share of all that the device has, where that is"
        " recorded.");
}

static void put_missing_rows(const struct study_page *page)
{
    const struct study_result *result = page->result;
    bool any = false;
    for (size_t i = 0; i < result->row_count; i++) {
        const struct study_row *row = &result->rows[i];
        if (row->missing == NULL)
            continue;
        if (!any)
            document_list(&page->document);
        any = true;
        document_point(&page->document, "%s has no times: %s", row->samples->config.name,
                       row->missing);
    }
    if (any)
        document_list_end(&page->document);
}

static void put_kernel(const struct study_page *page)
{
    static const char *const columns[] = {
        "shape",       "median", "mean ± sd", "p95 of samples", "p99 of samples",
        "sequences/s", "FLOP/s", "B/s",       "peak memory",    "processes"};
    const struct document *document = &page->document;
    const struct study_result *result = page->result;
    put_how_timed(page);
    document_table(document, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < result->row_count; i++) {
        const struct study_row *row = &result->rows[i];
        if (row->missing != NULL)
            continue;
        document_row(document);
        document_cell(document, "%s", row->samples->config.name);
        put_time_cells(document, row);
        put_rate_cells(document, row);
        document_row_end(document);
    }
    document_table_end(document);
    put_missing_rows(page);
}

/* ---- beside the first ---- */

static void put_effect_cells(const struct document *document, const struct study_row *row)
{
    if (!row->effects_known) {
        for (int i = 0; i < 4; i++)
            document_cell(document, "n/a");
        return;
    }
    if (isfinite(row->hedges_g))
        document_cell(document, "%+.2f", row->hedges_g);
    else
        document_cell(document, "no scatter");
    document_cell(document, "%+.2f", row->cliffs_delta);
    document_cell(document, "%s", row->ci_overlap ? "yes" : "no");
    document_cell(document, "%.3g", row->p_value);
}

static void put_speedup_row(const struct document *document, const struct study_row *row)
{
    char text[STUDY_WORDS_BYTES];
    document_row(document);
    document_cell(document, "%s", row->samples->config.name);
    put_median(document, row->first_ns, row->first_ci);
    put_median(document, row->median_ns, row->median_ci);
    document_cell(document, "%s", study_speedup_text(text, &row->speedup, row->speedup.ci));
    put_effect_cells(document, row);
    document_cell(document, "%s", verdict_name(row->verdict->verdict));
    document_row_end(document);
}

/* A rule that was changed since gives the check's samples other intervals than its own files have. */
static bool told_otherwise(const struct study_result *result)
{
    for (size_t i = 0; i < result->row_count; i++) {
        const struct config_verdict *now = result->rows[i].verdict;
        const struct config_verdict *then = comparison_find(&result->files->check,
                                                            now->config.name);
        if (then != NULL && (then->change.ci_decision.low != now->change.ci_decision.low ||
                             then->change.ci_decision.high != now->change.ci_decision.high))
            return true;
    }
    return false;
}

static void put_reasons(const struct study_page *page)
{
    const struct study_result *result = page->result;
    document_text(
        &page->document,
        "Why the judge says so: the change in time from the first kernel, its anchor,"
        " to the best, with the interval that decides.");
    document_list(&page->document);
    for (size_t i = 0; i < result->row_count; i++)
        document_point(&page->document, "%s: %s", result->rows[i].samples->config.name,
                       result->rows[i].verdict->reason);
    document_list_end(&page->document);
    if (told_otherwise(result))
        document_text(&page->document,
                      "These are of this version's rule, from the samples. What end/ says was"
                      " written by the check itself, by the rule of its version: from the same"
                      " samples, it has other intervals.");
}

/* In words, of those configs where somebody looked; what a line is of: `of`. */
static void put_lines(const struct study_page *page, const char *intro,
                      const char *(*of)(const struct config_verdict *))
{
    const struct comparison *check = &page->result->files->check;
    bool any = false;
    for (size_t i = 0; i < check->count; i++) {
        const char *line = of(&check->configs[i]);
        if (line[0] == '\0')
            continue;
        if (!any) {
            document_text(&page->document, "%s", intro);
            document_list(&page->document);
        }
        any = true;
        document_point(&page->document, "%s: %s", check->configs[i].config.name, line);
    }
    if (any)
        document_list_end(&page->document);
}

static const char *code_line(const struct config_verdict *config)
{
    return config->code.line;
}

static const char *metrics_line(const struct config_verdict *config)
{
    return config->metrics.line;
}

static void put_looks(const struct study_page *page)
{
    put_lines(page,
              "How the machine code of the best kernel (head) differs from that of the first"
              " (the anchor), which need not be the cause:",
              code_line);
    put_lines(
        page,
        "What a profiler counted of the two, in one call of each that was not timed, and so"
        " without an interval; end/report.md has the table:",
        metrics_line);
}

static void put_commit(const struct document *document, const char *name, const char *commit,
                       const char *code)
{
    document_row(document);
    document_cell(document, "%s", name);
    document_cell_code(document, commit);
    if (code[0] == '\0')
        document_cell(document, "not known");
    else
        document_cell_code(document, code);
    document_row_end(document);
}

static void put_commits(const struct document *document, const struct study_result *result)
{
    static const char *const columns[] = {"kernel", "commit", "machine code"};
    const struct study *study = &result->files->study;
    const struct config_samples *samples = result->row_count == 0 ? NULL
                                                                  : result->rows[0].samples;
    document_table(document, columns, 3);
    put_commit(document, "first", study->asked.commit,
               samples == NULL ? "" : samples->arms[study_first_arm(samples)].code);
    put_commit(document, "best", study->best,
               samples == NULL ? "" : samples->arms[ARM_HEAD].code);
    document_table_end(document);
}

static void put_against_first(const struct study_page *page)
{
    static const char *const columns[] = {"shape",       "first",     "best",
                                          "speed-up",    "Hedges' g", "Cliff's delta",
                                          "CIs overlap", "p",         "the judge says"};
    const struct document *document = &page->document;
    const struct study_result *result = page->result;
    char confidence[STUDY_WORDS_BYTES], mean[STUDY_WORDS_BYTES];
    document_heading(document, "The best kernel against the first");
    put_commits(document, result);
    document_text(
        document,
        "The baseline is the first kernel, which the judge calls the anchor; the best is"
        " that kernel with what was kept of the proposals. Both ran in the same fresh"
        " processes, in turns of random order. Speed-up is time of the first over time of"
        " the best: in each process the ratio of the two medians, and of these ratios the"
        " geometric mean over processes, so it need not be the quotient of the two columns"
        " before it. In brackets stand %s intervals over processes, each for that shape"
        " alone; the judge decides by wider ones, corrected for looks and shapes.",
        study_confidence_text(confidence, result->files->rule.confidence));
    document_table(document, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < result->row_count; i++)
        if (result->rows[i].missing == NULL)
            put_speedup_row(document, &result->rows[i]);
    document_row(document);
    document_cell(document, "geometric mean, corrected for looks");
    document_cell(document, "–");
    document_cell(document, "–");
    document_cell(document, "%s",
                  study_speedup_text(mean, &result->speedup, result->speedup.ci_decision));
    for (int i = 0; i < 5; i++)
        document_cell(document, "–");
    document_row_end(document);
    document_table_end(document);
    document_text(
        document,
        "Hedges' g and Cliff's delta are of the medians of processes, best minus first:"
        " negative where the best's are smaller. p is of the two-sided Mann–Whitney test"
        " of the same, for one shape, not corrected; with six processes a side it cannot be"
        " less than 0.00216. Whether the intervals of the two medians overlap is told as a"
        " fact; nothing is concluded from it. Improved: the judge's whole interval is beyond"
        " the threshold of %.3g%%; held: all of it is within.",
        100 * result->files->rule.threshold);
    study_put_figures(page, STUDY_END);
    put_reasons(page);
    put_looks(page);
}

void study_put_times(const struct study_page *page)
{
    const struct study_result *result = page->result;
    if (study_result_samples(result) == NULL)
        return;
    document_heading(&page->document, result->compared ? "Times of the best kernel"
                                                       : "Times of the first kernel");
    put_kernel(page);
    if (result->compared)
        put_against_first(page);
}

/* ---- the sweeps ---- */

static void put_cell(const struct document *document, const struct sweep_cell *cell)
{
    if (cell->missing != NULL)
        document_cell(document, "–");
    else
        put_median(document, cell->ns, cell->ci);
}

static void put_sweep_table(const struct document *document, const struct sweep_result *sweep)
{
    const char *columns[SWEEP_ARMS_MAX + 3];
    size_t count = 0;
    columns[count++] = "shape";
    for (size_t a = 0; a < sweep->arm_count; a++)
        columns[count++] = sweep->arms[a].name;
    if (sweep->arm_count > 1)
        columns[count++] = "fastest";
    columns[count++] = "processes";
    document_table(document, columns, count);
    for (size_t i = 0; i < sweep->row_count; i++) {
        char told[MODEL_TEXT_BYTES];
        document_row(document);
        document_cell(document, "%s", sweep->rows[i].config->name);
        for (size_t a = 0; a < sweep->arm_count; a++)
            put_cell(document, &sweep->rows[i].cells[a]);
        sweep_winner_text(sweep, &sweep->rows[i], told, sizeof told);
        if (sweep->arm_count > 1)
            document_cell(document, "%s", told);
        document_cell(document, "%zu", sweep->rows[i].processes);
        document_row_end(document);
    }
    document_table_end(document);
}

static int put_means(const struct document *document, const struct sweep_result *sweep,
                     struct err *err)
{
    char confidence[STUDY_WORDS_BYTES];
    if (sweep->arm_count < 2)
        return 0;
    document_text(document,
                  "Geometric means of the paired ratios over the shapes where both ran, with"
                  " their %s intervals over the processes that were undisturbed at every one"
                  " of these shapes; where those are fewer than %u, the interval is made of"
                  " the shapes' own, corrected for their number:",
                  study_confidence_text(confidence, sweep->rule->confidence),
                  sweep->rule->min_replicates);
    document_list(document);
    for (size_t a = 1; a < sweep->arm_count; a++) {
        struct change change;
        size_t configs;
        if (sweep_mean(sweep->samples, sweep->arms[a].arm, sweep->rule, &change, &configs,
                       err) != 0)
            return -1;
        if (change.known)
            document_point(
                document, "%s takes %.4f [%.4f, %.4f] times as long as %s, over %zu shape%s",
                sweep->arms[a].name, 1 + change.change, 1 + change.ci.low, 1 + change.ci.high,
                sweep->arms[0].name, configs, configs == 1 ? "" : "s");
    }
    document_list_end(document);
    return 0;
}

static void put_arms(const struct document *document, const struct sweep_result *sweep)
{
    const char *name, *why;
    document_list(document);
    for (size_t a = 0; a < sweep->arm_count; a++)
        document_point(document, "%s%s%s%s", sweep->arms[a].name,
                       a == 0 ? " (the first kernel)" : "",
                       sweep->arms[a].version[0] == '\0' ? "" : ": ", sweep->arms[a].version);
    for (size_t i = 0; sweep_absent(sweep->samples, &i, &name, &why);)
        document_point(document, "%s is not here: %s", name, why);
    for (size_t i = 0; i < sweep->row_count; i++)
        for (size_t a = 0; a < sweep->arm_count; a++)
            if (sweep->rows[i].cells[a].missing != NULL)
                document_point(document, "%s has no time at %s: %s", sweep->arms[a].name,
                               sweep->rows[i].config->name, sweep->rows[i].cells[a].missing);
    document_list_end(document);
}

static void put_brackets(const struct document *document, const struct sweep_result *sweep)
{
    char confidence[STUDY_WORDS_BYTES];
    document_text(document,
                  "Times are medians of a launch over fresh processes, in brackets their %s"
                  " intervals over processes; of fewer than %u processes, their range.",
                  study_confidence_text(confidence, sweep->rule->confidence),
                  sweep->rule->min_replicates);
}

static void put_short(const struct study_page *page, const struct sweep_result *sweep)
{
    BUF_AUTO summary;
    buf_init(&summary, 2000);
    if (sweep->arm_count < 2) {
        document_text(&page->document, "Only the first kernel ran: nobody is set against it.");
        return;
    }
    sweep_summary(sweep, &summary);
    document_text(
        &page->document,
        "In short, %s. One is the fastest only where every other takes longer by more"
        " than %.2g%% with an interval that is corrected for all %zu comparisons of this"
        " section, in at least %u processes; else, with so many processes, it is a tie.",
        summary.data, 100 * page->result->files->rule.control_floor, sweep->comparisons,
        sweep->rule->min_replicates);
}

static int put_sweep(const struct study_page *page, const char *heading,
                     enum study_phase phase, const struct study_sweep *sweep, struct err *err)
{
    const struct document *document = &page->document;
    const struct study_step *step = study_step_find(&page->result->files->study, phase, "");
    char file[64];
    document_heading(document, heading);
    if (!sweep->there) {
        document_text(document, "Not done%s%s.",
                      step == NULL || step->why[0] == '\0' ? "" : ": ",
                      step == NULL ? "" : step->why);
        return 0;
    }
    put_short(page, &sweep->result);
    put_arms(document, &sweep->result);
    put_brackets(document, &sweep->result);
    put_sweep_table(document, &sweep->result);
    if (put_means(document, &sweep->result, err) != 0)
        return -1;
    study_put_figures(page, phase);
    snprintf(file, sizeof file, "%s/sweep.md", study_phase_name(phase));
    document_list(document);
    document_link(document, file, "all tables and figures of this section");
    document_list_end(document);
    return 0;
}

int study_put_sweeps(const struct study_page *page, struct err *err)
{
    const struct study_result *result = page->result;
    return put_sweep(page, "Beside other implementations", STUDY_BACKENDS, &result->backends,
                     err) != 0 ||
                   put_sweep(page, "More shapes", STUDY_SHAPES, &result->shapes, err) != 0
               ? -1
               : 0;
}
