/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what stands in the table. Every figure is the judge's or lab/sweep's. */
#include "cli/sweep_table.h"

#include "cli/bench_table.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "lab/sweep.h"
#include "lab/sweep_report.h"
#include "publish/figures.h"

#include <stdio.h>
#include <unistd.h>

struct printing {
    const struct samples *samples;
    const struct comparison *comparison;
    const struct rule *rule;
    const char *first;
    size_t shapes; /* of the configs, the first that are no ceilings */
    struct table table;
};

static void free_printing(struct printing *printing)
{
    table_free(&printing->table);
}

static const char *name_of(const struct printing *printing, int arm)
{
    return arm == ARM_HEAD ? printing->first : printing->samples->others[arm - ARM_OTHER];
}

/* A ratio of times needs no sign and no percent: 2 is twice as slow. */
static void ratio(struct table_row *row, const struct change *change)
{
    if (change->known)
        table_cell(row, "%.4f [%.4f, %.4f]", 1 + change->change, 1 + change->ci.low,
                   1 + change->ci.high);
    else
        table_cell(row, "n/a");
}

static int add_arm(struct printing *printing, size_t index, int arm, struct err *err)
{
    const struct config_samples *config = &printing->samples->configs[index];
    const struct config_verdict *verdict = &printing->comparison->configs[index];
    struct table_row *row = table_row(&printing->table);
    struct change change = {.known = false};
    char text[FIGURE_BYTES];
    table_cell(row, "%s", arm == ARM_HEAD ? config->config.name : "");
    table_cell(row, "%s", name_of(printing, arm));
    if (arm == ARM_HEAD ? config->fault != FAULT_NONE
                        : config->left_out[arm - ARM_OTHER][0] != '\0') {
        table_cell(row, "%s", arm == ARM_HEAD ? "unmeasured" : "left out");
        return 0;
    }
    if (!(verdict->median_ns[arm] > 0)) {
        table_cell(row, "no samples");
        return 0;
    }
    table_cell(row, "%.60s", figure_time(text, verdict->median_ns[arm]));
    bench_interval(row, verdict->median_ci[arm]);
    if (arm == ARM_HEAD)
        table_cell(row, "1");
    else if (sweep_ratio(config, (enum arm)arm, printing->rule, &change, err) != 0)
        return -1;
    else
        ratio(row, &change);
    bench_processes(row, config);
    return 0;
}

static int add_mean(struct printing *printing, int arm, bool is_first, struct err *err)
{
    struct change change;
    size_t configs;
    if (sweep_mean(printing->samples, (enum arm)arm, printing->rule, &change, &configs, err) !=
        0)
        return -1;
    if (configs == 0)
        return 0;
    struct table_row *row = table_row(&printing->table);
    table_cell(row, "%s", is_first ? "geometric mean" : "");
    table_cell(row, "%s", name_of(printing, arm));
    table_cell(row, "%s", "");
    table_cell(row, "%s", "");
    ratio(row, &change);
    table_cell(row, "over %zu config%s", configs, configs == 1 ? "" : "s");
    return 0;
}

static bool is_there(const struct samples *samples, int arm)
{
    return arm == ARM_HEAD ||
           (arm >= ARM_OTHER && samples->others[arm - ARM_OTHER][0] != '\0');
}

/* Why some are not there, in full. */
static void add_reasons(const struct printing *printing, struct buf *out)
{
    const struct samples *samples = printing->samples;
    const char *name, *why;
    for (size_t i = 0; i < samples->count; i++) {
        const struct config_samples *config = &samples->configs[i];
        if (config->fault != FAULT_NONE)
            buf_addf(out, "%s: unmeasured, %s: %s\n", config->config.name,
                     i < printing->shapes ? printing->first : "its library", config->failure);
        for (int arm = ARM_OTHER; arm < ARM_COUNT; arm++)
            if (config->left_out[arm - ARM_OTHER][0] != '\0')
                buf_addf(out, "%s: %s left out: %s\n", config->config.name,
                         name_of(printing, arm), config->left_out[arm - ARM_OTHER]);
    }
    for (size_t i = 0; sweep_absent(samples, &i, &name, &why);)
        buf_addf(out, "%s is not here: %s\n", name, why);
}

static void add_ceilings(const struct sweep_result *result, struct buf *out)
{
    char rate[FIGURE_BYTES], low[FIGURE_BYTES], high[FIGURE_BYTES];
    if (result->copy.known)
        buf_addf(out, "ceiling, copying: %s [%s, %s]\n",
                 figure_rate(rate, result->copy.rate, "B/s"),
                 figure_rate(low, result->copy.ci.low, "B/s"),
                 figure_rate(high, result->copy.ci.high, "B/s"));
    if (result->matrix.known)
        buf_addf(out, "ceiling, multiplying in %s: %s [%s, %s]\n", result->matrix_dtype,
                 figure_rate(rate, result->matrix.rate, "FLOP/s"),
                 figure_rate(low, result->matrix.ci.low, "FLOP/s"),
                 figure_rate(high, result->matrix.ci.high, "FLOP/s"));
}

/* Who is the fastest, config by config, and in all. */
static void add_fastest(const struct sweep_result *result, struct buf *out)
{
    if (result->arm_count < 2)
        return;
    for (size_t i = 0; i < result->row_count; i++) {
        char told[MODEL_TEXT_BYTES];
        sweep_winner_text(result, &result->rows[i], told, sizeof told);
        buf_addf(out, "%s: fastest: %s\n", result->rows[i].config->name, told);
    }
    sweep_summary(result, out);
    buf_addc(out, '\n');
}

int sweep_table(const struct samples *samples, const struct comparison *comparison,
                const struct rule *rule, const struct sweep_result *result, struct buf *out,
                struct err *err)
{
    struct printing printing
        __attribute__((cleanup(free_printing))) = {.samples = samples,
                                                   .comparison = comparison,
                                                   .rule = rule,
                                                   .first = result->arms[0].name,
                                                   .shapes = result->row_count};
    struct table_row *row = table_row(&printing.table);
    const char *const names[] = {"config", "arm", "median",
                                 bench_interval_name(samples, rule)};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        table_cell(row, "%s", names[i]);
    table_cell(row, "time / %.64s, 95%% interval", printing.first);
    table_cell(row, "processes");
    for (size_t i = 0; i < result->row_count; i++)
        for (int arm = 0; arm < ARM_COUNT; arm++)
            if (is_there(samples, arm) && add_arm(&printing, i, arm, err) != 0)
                return -1;
    for (int arm = ARM_OTHER; arm < ARM_COUNT; arm++)
        if (is_there(samples, arm) && add_mean(&printing, arm, arm == ARM_OTHER, err) != 0)
            return -1;
    table_print(&printing.table, terminal_columns(STDOUT_FILENO), out);
    add_fastest(result, out);
    add_ceilings(result, out);
    add_reasons(&printing, out);
    return 0;
}
