/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what stands in the table. Every figure is the judge's; none is made here. */
#include "cli/bench_table.h"

#include "base/line.h"

#include "cli/terminal.h"
#include "cost.h"
#include "judge/detectable.h"
#include "judge/text.h"
#include "peaks.h"
#include "publish/figures.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void rate(struct table_row *row, double per_ns, const char *unit, double peak)
{
    char text[FIGURE_BYTES];
    figure_rate(text, per_ns, unit);
    if (peak > 0 && per_ns <= peak)
        table_cell(row, "%.60s (%.0f%%)", text, 100 * per_ns / peak);
    else
        table_cell(row, "%.60s%s", text, peak > 0 ? " (cache)" : "");
}

void bench_interval(struct table_row *row, struct interval ci)
{
    char low[FIGURE_BYTES], high[FIGURE_BYTES];
    table_cell(row, "%.40s to %.40s", figure_time(low, ci.low), figure_time(high, ci.high));
}

/* Fewer than six processes have no interval worth the name: the judge gives their range. */
const char *bench_interval_name(const struct samples *samples, const struct rule *rule)
{
    for (size_t i = 0; i < samples->count; i++) {
        size_t unmarked = config_samples_unmarked(&samples->configs[i]);
        if (unmarked > 0 && unmarked < rule->min_replicates)
            return "95% interval/range";
    }
    return "95% interval";
}

static void changes(struct table_row *row, const struct config_verdict *verdict)
{
    char text[FIGURE_BYTES];
    table_cell(row, "%.60s", figure_time(text, verdict->median_ns[ARM_ANCHOR]));
    table_cell(row, "%.60s", figure_change(text, &verdict->change));
    if (verdict->effects_known)
        table_cell(row, "%.2f, %.2f, %.2g", verdict->hedges_g, verdict->cliffs_delta,
                   verdict->p_value);
    else
        table_cell(row, "-");
}

const char *bench_fault(enum fault fault)
{
    return fault == FAULT_PR ? "the kernel" : fault_name(fault);
}

/* With `compared`, of one build against the other, in the same processes. */
static int detect(struct table_row *row, const struct config_samples *config,
                  const struct rule *rule, bool compared, struct err *err)
{
    char text[FIGURE_BYTES];
    double change;
    if (detectable(config, compared ? ARM_ANCHOR : ARM_HEAD, rule, &change, err) != 0)
        return -1;
    table_cell(row, "%.60s", change > 0 ? figure_share(text, change) : "-");
    return 0;
}

void bench_processes(struct table_row *row, const struct config_samples *config)
{
    char text[TEXT_MARKS_BYTES];
    size_t marked = config->count - config_samples_unmarked(config);
    if (marked > 0)
        table_cell(row, "%zu, %zu marked: %s", config->count, marked,
                   text_marks(text, config_samples_marks(config)));
    else
        table_cell(row, "%zu", config->count);
}

struct printing {
    const struct samples *samples;
    const struct comparison *comparison;
    const struct rule *rule;
    const struct peaks *peaks;
    bool compared;
};

static int fill(const struct printing *printing, struct table_row *row, size_t index,
                struct err *err)
{
    const struct samples *samples = printing->samples;
    const struct config_verdict *verdict = &printing->comparison->configs[index];
    const struct peaks *peaks = printing->peaks;
    const struct config_samples *config = &samples->configs[index];
    const struct problem *problem = &config->config.problem;
    double ns = verdict->median_ns[ARM_HEAD];
    bool tensor = problem->dtype != DTYPE_FP32;
    char text[FIGURE_BYTES];
    table_cell(row, "%s", config->config.name);
    if (config->fault != FAULT_NONE) {
        table_cell(row, "unmeasured, %s", bench_fault(config->fault));
        return 0;
    }
    if (!(ns > 0)) {
        table_cell(row, "%s", config->identical ? "identical machine code" : "no samples");
        return 0;
    }
    table_cell(row, "%.60s", figure_time(text, ns));
    bench_interval(row, verdict->median_ci[ARM_HEAD]);
    rate(row, cost_operations(problem) / ns, "FLOP/s",
         peaks != NULL && tensor ? 1000 * peaks->fp16_tflop_s : 0);
    rate(row, cost_compulsory_bytes(problem) / ns, "B/s",
         peaks != NULL ? peaks->dram_gb_s : 0);
    table_cell(row, "%.60s", figure_bytes(text, (double)config->peak_bytes[ARM_HEAD]));
    bench_processes(row, config);
    if (detect(row, config, printing->rule, printing->compared, err) != 0)
        return -1;
    if (printing->compared)
        changes(row, verdict);
    return 0;
}

static const char *const names[] = {"config",
                                    "median",
                                    "", /* bench_interval_name */
                                    "FLOP/s",
                                    "bytes/s",
                                    "memory",
                                    "processes",
                                    "can tell a change of",
                                    "the other's median",
                                    "change, 95% interval",
                                    "Hedges' g, Cliff's delta, p"};

int bench_table(const struct samples *samples, const struct comparison *comparison,
                const struct rule *rule, bool compared, struct buf *out, struct err *err)
{
    const char *capability = environment_get(&samples->environment, "compute_capability");
    const struct printing printing = {
        .samples = samples,
        .comparison = comparison,
        .rule = rule,
        .peaks = capability == NULL ? NULL : peaks_find(samples->device.name, capability),
        .compared = compared};
    struct table table __attribute__((cleanup(table_free))) = {0};
    struct table_row *row = table_row(&table);
    for (size_t c = 0; c < (compared ? 11u : 8u); c++)
        table_cell(row, "%s", c == 2 ? bench_interval_name(samples, rule) : names[c]);
    for (size_t i = 0; i < samples->count && i < comparison->count; i++)
        if (fill(&printing, table_row(&table), i, err) != 0)
            return -1;
    table_print(&table, terminal_columns(STDOUT_FILENO), out);
    for (size_t i = 0; i < samples->count; i++)
        if (samples->configs[i].fault != FAULT_NONE)
            buf_addf(out, "%s: %s\n", samples->configs[i].config.name,
                     samples->configs[i].failure);
    return 0;
}

void bench_print_against(const struct config_verdict *verdict, const char *name)
{
    char text[FIGURE_BYTES], effects[128] = "";
    if (verdict->effects_known)
        snprintf(effects, sizeof effects, ", Hedges' g %.2f, Cliff's delta %.2f, p %.2g",
                 verdict->hedges_g, verdict->cliffs_delta, verdict->p_value);
    line_out("%s against %s: %s%s", verdict->config.name, name,
             figure_change(text, &verdict->change), effects);
}
