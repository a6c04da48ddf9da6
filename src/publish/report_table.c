/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the tables of verdicts, evidence and speed. */
#include "cost.h"
#include "peaks.h"
#include "base/name.h"
#include "publish/figures.h"
#include "publish/markdown.h"
#include "publish/report_parts.h"
#include "publish/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ALL_SHOWN = 12 };

static bool any(const struct report_view *view,
                bool (*wanted)(const struct report_view *, const struct config_verdict *))
{
    for (size_t i = 0; i < view->count; i++)
        if (wanted(view, view->rows[i]))
            return true;
    return false;
}

/* Every row that `wanted` picks. */
static void rows(struct table *table,
                 bool (*wanted)(const struct report_view *, const struct config_verdict *),
                 void (*write)(const struct report_view *, const struct config_verdict *,
                               struct buf *))
{
    for (size_t i = 0; i < table->view->count; i++) {
        const struct config_verdict *config = table->view->rows[i];
        if (wanted != NULL && !wanted(table->view, config))
            continue;
        BUF_AUTO row;
        buf_init(&row, TABLE_ROW_BYTES);
        buf_adds(&row, "| ");
        parts_name(&row, config->config.name);
        write(table->view, config, &row);
        buf_adds(&row, " |\n");
        table_take(table, &row);
    }
}

/* ---- verdicts ---- */

/* One sign for each, behind the word: the word is what counts. */
static const char *const signs[] = {
    [VERDICT_HELD] = "✓",       [VERDICT_IMPROVED] = "▼",  [VERDICT_UNCLEAR] = "?",
    [VERDICT_UNMEASURED] = "–", [VERDICT_REGRESSED] = "▲",
};

static void verdict_cell(const struct report_view *view, const struct config_verdict *row,
                         struct buf *out)
{
    const char *name = verdict_name(row->verdict);
    bool plain = row->verdict == VERDICT_HELD;
    buf_addf(out, " | %s%s%s %s", plain ? "" : "**", name, plain ? "" : "**",
             signs[row->verdict]);
    if (parts_already_lost(view, row)) {
        buf_adds(out, " already lost on ");
        parts_branch(view, out);
    } else if (row->clause == CLAUSE_RECORDED || row->clause == CLAUSE_RETIRED) {
        buf_addf(out, " %s", clause_name(row->clause));
    }
}

static void change_cell(const struct report_view *view, const struct config_verdict *row,
                        struct buf *out)
{
    static const char *const beside[] = {[AGAINST_NONE] = "",
                                         [AGAINST_ANCHOR] = "",
                                         [AGAINST_BASE] = " against base",
                                         [AGAINST_STORED] = " against stored samples"};
    char text[FIGURE_BYTES];
    buf_adds(out, " | ");
    if (parts_identical(view, row))
        buf_adds(out, "identical machine code");
    else if (row->change.known)
        buf_addf(out, "%s%s", figure_change(text, &row->change), beside[row->against]);
    else
        parts_text(out, row->reason, 160);
}

/* Base is not measured where it is the anchor's own machine code: what is added to base is
 * then the change itself. */
static bool base_is_anchor(const struct report_view *view, const struct config_verdict *row)
{
    const struct config_samples *samples = parts_samples(view, row);
    const struct job *job = view->report->job;
    return job != NULL && job->kind == JOB_CHECK && name_is_sha(job->base) &&
           row->against == AGAINST_ANCHOR && !row->own.known && samples != NULL &&
           samples->arms[ARM_ANCHOR].present && !samples->arms[ARM_BASE].present;
}

static void own_cell(const struct report_view *view, const struct config_verdict *row,
                     struct buf *out)
{
    char text[FIGURE_BYTES];
    const struct change *own = base_is_anchor(view, row) ? &row->change : &row->own;
    buf_addf(out, " | %s", own->known ? figure_change(text, own) : "–");
}

/* Has head a time that its clock can tell? */
static bool is_seen(const struct config_verdict *row)
{
    return row->median_ns[ARM_HEAD] > 0 && row->clause != CLAUSE_BELOW_CLOCK;
}

static void median_cell(const struct config_verdict *row, struct buf *out)
{
    char text[FIGURE_BYTES];
    enum arm from = row->against == AGAINST_BASE ? ARM_BASE : ARM_ANCHOR;
    buf_adds(out, " | ");
    if (!is_seen(row)) {
        buf_adds(out, "–");
        return;
    }
    if (row->median_ns[from] > 0)
        buf_addf(out, "%s → ", figure_time(text, row->median_ns[from]));
    buf_adds(out, figure_time(text, row->median_ns[ARM_HEAD]));
}

/* Those that were judged; where there was nothing to compare with, those that were recorded. */
static void replicates_cell(const struct report_view *view, const struct config_verdict *row,
                            struct buf *out)
{
    const struct config_samples *samples = parts_samples(view, row);
    size_t count = row->replicates;
    if (count == 0 && row->clause == CLAUSE_RECORDED && samples != NULL)
        count = samples->count;
    if (count > 0)
        buf_addf(out, " | %zu", count);
    else
        buf_adds(out, " | –");
}

/* Where base is measured for no row there is one change, and no column for what is added to base. */
static bool has_own(const struct report_view *view, const struct config_verdict *row)
{
    (void)view;
    return row->own.known;
}

static void verdict_row(const struct report_view *view, const struct config_verdict *row,
                        struct buf *out)
{
    verdict_cell(view, row, out);
    change_cell(view, row, out);
    if (any(view, has_own))
        own_cell(view, row, out);
    median_cell(row, out);
    replicates_cell(view, row, out);
    if (row->marked > 0)
        buf_addf(out, " (%zu left out)", row->marked);
}

static void verdict_header(struct table *table)
{
    const char *names[6];
    size_t count = 0;
    names[count++] = "config";
    names[count++] = "verdict";
    names[count++] = "change, 95% interval";
    if (any(table->view, has_own))
        names[count++] = parts_is_pull_request(table->view) ? "added by this pull request"
                                                            : "head against base";
    names[count++] = "median per launch";
    names[count++] = "replicates";
    table_header(table, names, count);
}

/* Of no news: held, main lost nothing there either, and the baseline keeps it as it is. */
static bool is_quiet(const struct report_view *view, const struct config_verdict *row)
{
    enum clause clause = parts_clause(view, row);
    return row->verdict == VERDICT_HELD && clause != CLAUSE_LOST_ON_MAIN &&
           clause != CLAUSE_RETIRED && clause != CLAUSE_RECORDED;
}

static bool is_news(const struct report_view *view, const struct config_verdict *row)
{
    return !is_quiet(view, row);
}

void table_verdicts(const struct report_view *view, struct buf *out, size_t budget)
{
    size_t quiet = 0;
    for (size_t i = 0; i < view->count; i++)
        quiet += is_quiet(view, view->rows[i]);
    bool fold = view->count > ALL_SHOWN && quiet > 0;
    size_t start = out->len;
    struct table table = table_begin(view, out, fold ? budget * 2 / 3 : budget);
    if (!fold || quiet < view->count) {
        verdict_header(&table);
        rows(&table, fold ? is_news : NULL, verdict_row);
        table_end(&table);
    }
    if (!fold)
        return;
    struct table held = table_begin(view, out, budget - (out->len - start) - 128);
    buf_addf(out, "\n<details><summary>%zu %s held</summary>\n", quiet,
             quiet == 1 ? "config" : "configs");
    verdict_header(&held);
    rows(&held, is_quiet, verdict_row);
    table_end(&held);
    buf_adds(out, "\n</details>\n");
}

/* ---- evidence ---- */

static void number_cell(struct buf *out, bool known, double value)
{
    buf_adds(out, " | ");
    if (known && isfinite(value))
        buf_addf(out, "%.2f", value);
    else if (known && isinf(value))
        buf_adds(out, value > 0 ? "∞" : "-∞");
    else
        buf_adds(out, "–");
}

static void line_cell(struct buf *out, const struct change *change)
{
    char text[FIGURE_BYTES];
    buf_addf(out, " | %s", change->known ? figure_change(text, change) : "–");
}

static void replicate_cell(const struct config_verdict *row, struct buf *out)
{
    size_t attempts = row->attempts > 0 ? row->attempts : row->replicates + row->marked;
    buf_addf(out, " | %zu of %zu", row->replicates, attempts);
    const char *before = " (";
    for (unsigned bit = 0; bit < MARK_BITS; bit++) {
        if ((row->marks & 1u << bit) == 0)
            continue;
        buf_addf(out, "%s%s", before, mark_name(bit));
        before = ", ";
    }
    if (before[0] == ',')
        buf_addc(out, ')');
}

static bool has_evidence(const struct report_view *view, const struct config_verdict *row)
{
    (void)view;
    return row->change.known || row->control.known || row->stored.known ||
           row->replicates > 0 || row->marked > 0;
}

static void evidence_row(const struct report_view *view, const struct config_verdict *row,
                         struct buf *out)
{
    (void)view;
    char text[FIGURE_BYTES];
    buf_addf(out, " | %s",
             row->change.known ? figure_interval(text, row->change.ci_decision) : "–");
    line_cell(out, &row->control);
    line_cell(out, &row->stored);
    buf_addf(out, " | %s",
             row->anchor_drift_known ? figure_percent(text, row->anchor_drift) : "–");
    number_cell(out, row->effects_known, row->hedges_g);
    number_cell(out, row->effects_known, row->cliffs_delta);
    if (row->effects_known && isfinite(row->p_value))
        buf_addf(out, " | %.2g", row->p_value);
    else
        buf_adds(out, " | –");
    buf_addf(out, " | %s", !row->effects_known ? "–" : row->ci_overlap ? "yes" : "no");
    replicate_cell(row, out);
}

void table_evidence(const struct report_view *view, struct buf *out, size_t budget)
{
    static const char *const names[] = {"config",
                                        "deciding interval",
                                        "control arm",
                                        "against stored samples",
                                        "anchor's drift",
                                        "Hedges' g",
                                        "Cliff's delta",
                                        "p",
                                        "medians' intervals overlap",
                                        "judged of attempts"};
    struct table table = table_begin(view, out, budget);
    table_header(&table, names, sizeof names / sizeof names[0]);
    rows(&table, has_evidence, evidence_row);
    table_end(&table);
}

bool table_has_evidence(const struct report_view *view)
{
    return any(view, has_evidence);
}

/* ---- speed ---- */

static bool is_timed(const struct report_view *view, const struct config_verdict *row)
{
    (void)view;
    return is_seen(row) && problem_known(&row->config.problem);
}

static void problem_cell(const struct problem *problem, struct buf *out)
{
    buf_addf(out, " | B%d H%d", problem->batch, problem->heads);
    if (problem->heads_kv != problem->heads)
        buf_addf(out, "/%d", problem->heads_kv);
    buf_addf(out, " S%d", problem->seq_q);
    if (problem->seq_k != problem->seq_q)
        buf_addf(out, "/%d", problem->seq_k);
    buf_addf(out, " D%d %s%s", problem->head_dim, dtype_name(problem->dtype),
             problem->causal ? " causal" : "");
}

/* The peaks of the device, where it is one that is known. */
static const struct peaks *peaks_of(const struct report_view *view)
{
    const struct samples *samples = view->report->samples;
    const char *capability = samples == NULL ? NULL
                                             : environment_get(&samples->environment,
                                                               "compute_capability");
    return capability == NULL ? NULL : peaks_find(samples->device.name, capability);
}

/* A rate, and what share of the peak it is. More than memory can give came out of a cache. */
static void rate_cell(struct buf *out, double per_ns, const char *unit, double peak_per_ns,
                      const char *beyond)
{
    char text[FIGURE_BYTES];
    buf_addf(out, " | %s", figure_rate(text, per_ns, unit));
    if (!(peak_per_ns > 0))
        return;
    if (per_ns > peak_per_ns)
        buf_addf(out, " (%s)", beyond);
    else
        buf_addf(out, " (%.0f%%)", 100 * per_ns / peak_per_ns);
}

static void memory_cell(const struct config_samples *samples, enum arm from, struct buf *out)
{
    char text[FIGURE_BYTES];
    unsigned long long peak = samples == NULL ? 0 : samples->peak_bytes[ARM_HEAD];
    unsigned long long before = samples == NULL ? 0 : samples->peak_bytes[from];
    buf_addf(out, " | %s", peak > 0 ? figure_bytes(text, (double)peak) : "–");
    if (peak > before && before > 0)
        buf_addf(out, " (+%s)", figure_bytes(text, (double)(peak - before)));
    else if (peak > 0 && peak < before)
        buf_addf(out, " (-%s)", figure_bytes(text, (double)(before - peak)));
}

static void speed_row(const struct report_view *view, const struct config_verdict *row,
                      struct buf *out)
{
    const struct problem *problem = &row->config.problem;
    const struct peaks *peaks = peaks_of(view);
    enum arm from = row->against == AGAINST_BASE ? ARM_BASE : ARM_ANCHOR;
    double operations = cost_operations(problem);
    double ns = row->median_ns[ARM_HEAD];
    bool tensor = problem->dtype != DTYPE_FP32;
    char text[FIGURE_BYTES];
    problem_cell(problem, out);
    buf_addf(out, " | %s",
             row->median_ns[from] > 0
                 ? figure_rate(text, operations / row->median_ns[from], "FLOP/s")
                 : "–");
    rate_cell(out, operations / ns, "FLOP/s",
              peaks != NULL && tensor ? 1000 * peaks->fp16_tflop_s : 0, "above the peak");
    rate_cell(out, cost_compulsory_bytes(problem) / ns, "B/s",
              peaks != NULL ? peaks->dram_gb_s : 0, "from cache");
    memory_cell(parts_samples(view, row), from, out);
}

static bool is_from_cache(const struct report_view *view, const struct config_verdict *row)
{
    return is_timed(view, row) && cost_compulsory_bytes(&row->config.problem) >
                                      peaks_of(view)->dram_gb_s * row->median_ns[ARM_HEAD];
}

void table_peaks(const struct report_view *view, struct buf *out)
{
    const struct peaks *peaks = peaks_of(view);
    const struct samples *samples = view->report->samples;
    if (peaks != NULL) {
        buf_addf(out, " Shares are of the vendor's peaks: %g TFLOP/s of dense fp16, %g GB/s.",
                 peaks->fp16_tflop_s, peaks->dram_gb_s);
        if (any(view, is_from_cache))
            buf_adds(out,
                     " Bandwidth beyond DRAM's is from cache: inputs were still in L2 when "
                     "the kernel read them again.");
    } else if (samples != NULL &&
               environment_get(&samples->environment, "compute_capability") != NULL) {
        buf_adds(out, " The peaks of this device are not in our table: no shares.");
    }
}

void table_speed(const struct report_view *view, struct buf *out, size_t budget)
{
    static const char *const names[] = {
        "config", "problem", "before", "head", "head, compulsory bytes", "head, peak memory"};
    struct table table = table_begin(view, out, budget);
    table_header(&table, names, sizeof names / sizeof names[0]);
    rows(&table, is_timed, speed_row);
    table_end(&table);
}

bool table_has_speed(const struct report_view *view)
{
    return any(view, is_timed);
}
