/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the sentences and tables of a sweep's report. No number stands here without its interval. */
#include "lab/sweep_report.h"

#include "judge/text.h"
#include "lab/sweep.h"
#include "publish/figures.h"

#include <stdio.h>
#include <string.h>

enum { CELL_BYTES = 512 };

/* ---- in words ---- */

void sweep_summary(const struct sweep_result *result, struct buf *out)
{
    size_t wins[SWEEP_ARMS_MAX] = {0}, ties = 0, open = 0, told = 0;
    for (size_t i = 0; i < result->row_count; i++) {
        const struct sweep_row *row = &result->rows[i];
        if (row->won)
            wins[row->fastest]++;
        else if (row->contested > 1 && row->processes >= result->rule->min_replicates)
            ties++;
        else
            open++;
    }
    buf_addf(out, "of %zu shape%s", result->row_count, result->row_count == 1 ? "" : "s");
    for (size_t a = 0; a < result->arm_count; a++)
        if (wins[a] > 0)
            buf_addf(out, told++ == 0 ? ": %s is the fastest at %zu" : ", %s at %zu",
                     result->arms[a].name, wins[a]);
    if (ties > 0)
        buf_addf(out, "%s %zu %s", told++ == 0 ? ":" : ";", ties,
                 ties == 1 ? "is a tie" : "are ties");
    if (open > 0)
        buf_addf(out, "%s %zu cannot be told: too little was measured", told == 0 ? ":" : ";",
                 open);
}

static void put_summary(const struct sweep_result *result, const struct document *document)
{
    const struct rule *rule = result->rule;
    BUF_AUTO summary;
    buf_init(&summary, 4096);
    sweep_summary(result, &summary);
    document_text(document, "In short, %s.", summary.data);
    document_text(document,
                  "All implementations ran in the same fresh processes, in turns of random"
                  " order, and were checked against fp64. A time is device time of one launch:"
                  " the median over processes of each process's median, with its %.3g%%"
                  " interval over processes. With fewer than %u processes that interval is"
                  " their range.",
                  100 * rule->confidence, rule->min_replicates);
    document_text(
        document,
        "One is called the fastest only where every other takes longer by more than"
        " %.2g%%, by which two copies of one binary may differ: the interval of their"
        " paired ratio, corrected for all %zu comparisons of the sweep, lies wholly"
        " above it, in at least %u processes. Else, with so many processes, it is a tie:"
        " of these none is told to be the fastest.",
        100 * rule->control_floor, result->comparisons, rule->min_replicates);
}

static void put_implementations(const struct sweep_result *result,
                                const struct document *document)
{
    const char *name, *why;
    document_heading(document, "Implementations");
    document_list(document);
    for (size_t a = 0; a < result->arm_count; a++) {
        const struct sweep_arm *arm = &result->arms[a];
        document_point(document, "%s%s%s", arm->name, arm->version[0] == '\0' ? "" : ": ",
                       arm->version);
    }
    for (size_t i = 0; sweep_absent(result->samples, &i, &name, &why);)
        document_point(document, "%s is not here: %s", name, why);
    document_list_end(document);
}

static void put_ceilings(const struct sweep_result *result, const struct document *document)
{
    char rate[FIGURE_BYTES], low[FIGURE_BYTES], high[FIGURE_BYTES];
    document_heading(document, "Ceilings");
    if (!result->copy.known && !result->matrix.known) {
        document_text(document, "None was measured, so no share of a ceiling is given.");
        return;
    }
    document_text(document,
                  "Measured in the same processes as everything else, on this device.");
    document_list(document);
    if (result->copy.known)
        document_point(document, "Copying memory, bytes read and written: %s [%s, %s].",
                       figure_rate(rate, result->copy.rate, "B/s"),
                       figure_rate(low, result->copy.ci.low, "B/s"),
                       figure_rate(high, result->copy.ci.high, "B/s"));
    if (result->matrix.known)
        document_point(document, "Multiplying matrices, %s: %s [%s, %s].",
                       result->matrix_dtype, figure_rate(rate, result->matrix.rate, "FLOP/s"),
                       figure_rate(low, result->matrix.ci.low, "FLOP/s"),
                       figure_rate(high, result->matrix.ci.high, "FLOP/s"));
    document_list_end(document);
}

/* ---- tables ---- */

/* config, a column for each arm from `first` on, and with `all` who is the fastest, of how many processes. */
static void begin_table(const struct sweep_result *result, const struct document *document,
                        size_t first, bool all)
{
    const char *columns[SWEEP_ARMS_MAX + 3];
    size_t count = 0;
    columns[count++] = "config";
    for (size_t a = first; a < result->arm_count; a++)
        columns[count++] = result->arms[a].name;
    if (all) {
        columns[count++] = "fastest";
        columns[count++] = "processes";
    }
    document_table(document, columns, count);
}

static void put_times(const struct sweep_result *result, const struct document *document)
{
    document_heading(document, "Device time of a launch");
    begin_table(result, document, 0, true);
    for (size_t i = 0; i < result->row_count; i++) {
        const struct sweep_row *row = &result->rows[i];
        char told[CELL_BYTES], marks[TEXT_MARKS_BYTES];
        document_row(document);
        document_cell(document, "%s", row->config->name);
        for (size_t a = 0; a < result->arm_count; a++) {
            const struct sweep_cell *cell = &row->cells[a];
            char ns[FIGURE_BYTES], low[FIGURE_BYTES], high[FIGURE_BYTES];
            if (cell->missing != NULL)
                document_cell(document, "–");
            else
                document_cell(document, "%s [%s, %s]", figure_time(ns, cell->ns),
                              figure_time(low, cell->ci.low),
                              figure_time(high, cell->ci.high));
        }
        sweep_winner_text(result, row, told, sizeof told);
        document_cell(document, "%s", told);
        if (row->marked > 0)
            document_cell(document, "%zu (%zu left out: %s)", row->processes, row->marked,
                          text_marks(marks, row->marks));
        else
            document_cell(document, "%zu", row->processes);
        document_row_end(document);
    }
    document_table_end(document);
}

static void put_ratio(const struct document *document, const struct change *change)
{
    if (change->known)
        document_cell(document, "%.4f [%.4f, %.4f]", 1 + change->change, 1 + change->ci.low,
                      1 + change->ci.high);
    else
        document_cell(document, "–");
}

static int put_means(const struct sweep_result *result, const struct document *document,
                     struct err *err)
{
    document_row(document);
    document_cell(document, "geometric mean");
    for (size_t a = 1; a < result->arm_count; a++) {
        struct change change;
        size_t configs;
        if (sweep_mean(result->samples, result->arms[a].arm, result->rule, &change, &configs,
                       err) != 0)
            return -1;
        if (change.known)
            document_cell(document, "%.4f [%.4f, %.4f] over %zu", 1 + change.change,
                          1 + change.ci.low, 1 + change.ci.high, configs);
        else
            document_cell(document, "–");
    }
    document_row_end(document);
    return 0;
}

static int put_ratios(const struct sweep_result *result, const struct document *document,
                      struct err *err)
{
    char heading[MODEL_NAME_BYTES + 32];
    if (result->arm_count < 2)
        return 0;
    snprintf(heading, sizeof heading, "Time over that of %s", result->arms[0].name);
    document_heading(document, heading);
    document_text(document,
                  "In each process the ratio of two medians, and of these ratios the geometric"
                  " mean, with its own %.3g%% interval over processes, not corrected. The last"
                  " row is over the processes that were undisturbed at every config; where"
                  " those are fewer than %u, its interval is made of the configs' own,"
                  " corrected for their number.",
                  100 * result->rule->confidence, result->rule->min_replicates);
    begin_table(result, document, 1, false);
    for (size_t i = 0; i < result->row_count; i++) {
        document_row(document);
        document_cell(document, "%s", result->rows[i].config->name);
        for (size_t a = 1; a < result->arm_count; a++)
            put_ratio(document, &result->rows[i].cells[a].to_first);
        document_row_end(document);
    }
    if (put_means(result, document, err) != 0)
        return -1;
    document_table_end(document);
    return 0;
}

static void put_rates(const struct sweep_result *result, const struct document *document)
{
    document_heading(document, "Rates");
    document_text(document, "Operations of the two matrix products that the mask leaves, and"
                            " bytes of Q, K, V and O, each moved once: a kernel that moves"
                            " more gets no credit for it. Their intervals follow from those"
                            " of the times, and are in sweep.json.");
    begin_table(result, document, 0, false);
    for (size_t i = 0; i < result->row_count; i++) {
        const struct sweep_row *row = &result->rows[i];
        document_row(document);
        document_cell(document, "%s", row->config->name);
        for (size_t a = 0; a < result->arm_count; a++) {
            const struct sweep_cell *cell = &row->cells[a];
            char flops[FIGURE_BYTES], bytes[FIGURE_BYTES];
            if (cell->missing != NULL)
                document_cell(document, "–");
            else
                document_cell(document, "%s, %s",
                              figure_rate(flops, row->operations / cell->ns, "FLOP/s"),
                              figure_rate(bytes, row->bytes / cell->ns, "B/s"));
        }
        document_row_end(document);
    }
    document_table_end(document);
}

static void put_missing(const struct sweep_result *result, const struct document *document)
{
    bool any = false;
    for (size_t i = 0; i < result->row_count; i++)
        for (size_t a = 0; a < result->arm_count; a++) {
            const struct sweep_row *row = &result->rows[i];
            if (row->cells[a].missing == NULL)
                continue;
            if (!any) {
                document_heading(document, "What was left out, and why");
                document_list(document);
            }
            any = true;
            document_point(document, "%s, %s: %s", row->config->name, result->arms[a].name,
                           row->cells[a].missing);
        }
    if (any)
        document_list_end(document);
}

static void put_figures(const struct sweep_figures *figures, const struct document *document)
{
    if (figures->count == 0)
        return;
    document_heading(document, "Figures");
    if (figures->drawn < figures->panels)
        document_text(document, "Of the first %zu groups of shapes of %zu.", figures->drawn,
                      figures->panels);
    document_figures(document);
    for (size_t i = 0; i < figures->count; i++) {
        char file[MODEL_NAME_BYTES + 8];
        snprintf(file, sizeof file, "%s.svg", figures->list[i].name);
        document_figure(document, file, figures->list[i].title, &figures->list[i].svg);
    }
    document_figures_end(document);
}

static bool begins(const char *text, const char *front)
{
    return strncmp(text, front, strlen(front)) == 0;
}

/* Of whom and what this is stands above, in words. */
static bool is_told(const char *fact)
{
    return strcmp(fact, SWEEP_FACT_FIRST) == 0 || strcmp(fact, SWEEP_FACT_ASKED) == 0 ||
           begins(fact, SWEEP_FACT_VERSION) || begins(fact, SWEEP_FACT_ABSENT);
}

/* "head 1978, other1 1980 MHz": samples call arms by their place, a reader by their names. */
static void put_clocks(const struct sweep_result *result, const char *text, struct buf *out)
{
    while (*text != '\0') {
        size_t length = strcspn(text, " "), a = 0;
        while (a < result->arm_count &&
               (strlen(arm_name(result->arms[a].arm)) != length ||
                strncmp(text, arm_name(result->arms[a].arm), length) != 0))
            a++;
        if (a < result->arm_count)
            buf_adds(out, result->arms[a].name);
        else
            buf_add(out, text, length);
        text += length;
        for (; *text == ' '; text++)
            buf_addc(out, ' ');
    }
}

static void put_environment(const struct sweep_result *result, const struct document *document)
{
    const struct environment *environment = &result->samples->environment;
    static const char *const columns[] = {"fact", "value"};
    document_heading(document, "Where it was measured");
    document_table(document, columns, 2);
    for (size_t i = 0; i < environment->count; i++) {
        const char *name = environment->facts[i].name, *value = environment->facts[i].value;
        BUF_AUTO clocks;
        buf_init(&clocks, 4096);
        if (is_told(name))
            continue;
        if (strcmp(name, "seen_mean_clocks") == 0)
            put_clocks(result, value, &clocks);
        document_row(document);
        document_cell(document, "%s", name);
        document_cell(document, "%s", clocks.len > 0 && !clocks.failed ? clocks.data : value);
        document_row_end(document);
    }
    document_table_end(document);
}

int sweep_report(const struct sweep_result *result, const struct sweep_figures *figures,
                 enum document_kind kind, struct buf *out, struct err *err)
{
    const struct document document = {kind, out};
    char title[256];
    snprintf(title, sizeof title, "%zu implementation%s of attention on %s", result->arm_count,
             result->arm_count == 1 ? "" : "s", result->samples->device.name);
    document_begin(&document, title);
    put_summary(result, &document);
    put_implementations(result, &document);
    put_ceilings(result, &document);
    put_figures(figures, &document);
    put_times(result, &document);
    if (put_ratios(result, &document, err) != 0)
        return -1;
    put_rates(result, &document);
    put_missing(result, &document);
    put_environment(result, &document);
    document_end(&document);
    return buf_check(out, "the report of a sweep", err);
}
