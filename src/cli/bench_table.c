/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the layout of the table. Every figure is the judge's; none is made here. */
#include "cli/bench_table.h"

#include "peaks.h"
#include "publish/figures.h"

#include <stdio.h>
#include <string.h>

enum { CELLS_MAX = 10, CELL_BYTES = 96 };

struct row {
    char cells[CELLS_MAX][CELL_BYTES];
    size_t count;
};

static char *cell(struct row *row)
{
    return row->count < CELLS_MAX ? row->cells[row->count++] : row->cells[CELLS_MAX - 1];
}

/* Columns of a terminal that a UTF-8 text takes: our units have no wide characters. */
static int width(const char *text)
{
    int columns = 0;
    for (; *text != '\0'; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

static void rate(struct row *row, double per_ns, const char *unit, double peak)
{
    char text[FIGURE_BYTES];
    char *out = cell(row);
    figure_rate(text, per_ns, unit);
    if (peak > 0 && per_ns <= peak)
        snprintf(out, CELL_BYTES, "%.60s (%.0f%%)", text, 100 * per_ns / peak);
    else
        snprintf(out, CELL_BYTES, "%.60s%s", text, peak > 0 ? " (cache)" : "");
}

/* Fewer than six processes have no interval worth the name: the judge gives their range. */
static void interval(struct row *row, const struct config_verdict *verdict)
{
    char low[FIGURE_BYTES], high[FIGURE_BYTES];
    snprintf(cell(row), CELL_BYTES, "%.40s to %.40s",
             figure_time(low, verdict->median_ci[ARM_HEAD].low),
             figure_time(high, verdict->median_ci[ARM_HEAD].high));
}

static void changes(struct row *row, const struct config_verdict *verdict)
{
    char text[FIGURE_BYTES];
    snprintf(cell(row), CELL_BYTES, "%.60s", figure_time(text, verdict->median_ns[ARM_ANCHOR]));
    snprintf(cell(row), CELL_BYTES, "%.60s", figure_change(text, &verdict->change));
    if (verdict->effects_known)
        snprintf(cell(row), CELL_BYTES, "%.2f, %.2f, %.2g", verdict->hedges_g,
                 verdict->cliffs_delta, verdict->p_value);
    else
        snprintf(cell(row), CELL_BYTES, "-");
}

static void fill(struct row *row, const struct samples *samples, size_t index,
                 const struct config_verdict *verdict, const struct peaks *peaks, bool compared)
{
    const struct config_samples *config = &samples->configs[index];
    const struct problem *problem = &config->config.problem;
    double ns = verdict->median_ns[ARM_HEAD];
    bool tensor = problem->dtype != DTYPE_FP32;
    char text[FIGURE_BYTES];
    snprintf(cell(row), CELL_BYTES, "%s", config->config.name);
    if (config->fault != FAULT_NONE) {
        snprintf(cell(row), CELL_BYTES, "unmeasured, %s", fault_name(config->fault));
        return;
    }
    if (!(ns > 0)) {
        snprintf(cell(row), CELL_BYTES, "%s",
                 config->identical ? "identical machine code" : "no samples");
        return;
    }
    snprintf(cell(row), CELL_BYTES, "%.60s", figure_time(text, ns));
    interval(row, verdict);
    rate(row, figure_operations(problem) / ns, "FLOP/s",
         peaks != NULL && tensor ? 1000 * peaks->fp16_tflop_s : 0);
    rate(row, figure_compulsory_bytes(problem) / ns, "B/s",
         peaks != NULL ? peaks->dram_gb_s : 0);
    snprintf(cell(row), CELL_BYTES, "%.60s",
             figure_bytes(text, (double)config->peak_bytes[ARM_HEAD]));
    size_t marked = 0;
    for (size_t i = 0; i < config->count; i++)
        marked += config->replicates[i].marks != 0;
    snprintf(cell(row), CELL_BYTES, marked > 0 ? "%zu, %zu marked" : "%zu", config->count, marked);
    if (compared)
        changes(row, verdict);
}

static void print(const struct row *row, const int *widths, struct buf *out)
{
    for (size_t i = 0; i < row->count; i++) {
        int pad = i + 1 < row->count ? widths[i] - width(row->cells[i]) + 2 : 0;
        buf_addf(out, "%s%*s", row->cells[i], pad > 0 ? pad : 0, "");
    }
    buf_addc(out, '\n');
}

static const char *const names[] = {"config",   "median", "95% interval",  "FLOP/s",
                                    "bytes/s",  "memory", "processes",     "the other's median",
                                    "change, 95% interval", "Hedges' g, Cliff's delta, p"};

void bench_table(const struct samples *samples, const struct comparison *comparison,
                 bool compared, struct buf *out)
{
    const char *capability = environment_get(&samples->environment, "compute_capability");
    const struct peaks *peaks =
        capability == NULL ? NULL : peaks_find(samples->device.name, capability);
    int widths[CELLS_MAX] = {0};
    for (int print_it = 0; print_it < 2; print_it++) {
        for (size_t i = 0; i < samples->count + 1; i++) {
            struct row row = {.count = 0};
            for (size_t c = 0; i == 0 && c < (compared ? 10u : 7u); c++)
                snprintf(cell(&row), CELL_BYTES, "%s", names[c]);
            if (i > 0 && i <= comparison->count)
                fill(&row, samples, i - 1, &comparison->configs[i - 1], peaks, compared);
            if (print_it == 1)
                print(&row, widths, out);
            for (size_t c = 0; c + 1 < row.count; c++)
                widths[c] = width(row.cells[c]) > widths[c] ? width(row.cells[c]) : widths[c];
        }
    }
    for (size_t i = 0; i < samples->count; i++)
        if (samples->configs[i].fault != FAULT_NONE)
            buf_addf(out, "%s: %s\n", samples->configs[i].config.name,
                     samples->configs[i].failure);
}

void bench_print_against(const struct config_verdict *verdict, const char *name)
{
    char text[FIGURE_BYTES];
    printf("%s against %s: %s", verdict->config.name, name,
           figure_change(text, &verdict->change));
    if (verdict->effects_known)
        printf(", Hedges' g %.2f, Cliff's delta %.2f, p %.2g", verdict->hedges_g,
               verdict->cliffs_delta, verdict->p_value);
    putchar('\n');
}
