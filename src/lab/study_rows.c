/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the numbers of one config: what is told of its samples, and how it stands to the first kernel. */
#include "lab/study_rows.h"

#include "cost.h"
#include "judge/medians.h"
#include "judge/num.h"
#include "judge/numbers.h"
#include "judge/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum arm study_first_arm(const struct config_samples *config)
{
    for (size_t i = 0; i < config->count; i++)
        if (config->replicates[i].arms[ARM_BASE].count > 0)
            return ARM_BASE;
    return ARM_ANCHOR;
}

/* ---- of the best kernel alone ---- */

static void set_spread(const double *medians, size_t count, struct study_row *row)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += medians[i];
    row->mean_ns = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (medians[i] - row->mean_ns) * (medians[i] - row->mean_ns);
    row->sd_ns = count > 1 ? num_sqrt(squares / (double)(count - 1)) : (double)NAN;
}

/* The nearest rank: the least value that so many per cent do not pass. */
static double rank_of(double *values, size_t count, size_t percent)
{
    size_t rank = (percent * count + 99) / 100;
    return stats_select(values, count, rank == 0 ? 0 : rank - 1);
}

static int set_tails(const struct config_samples *samples, struct study_row *row,
                     struct err *err)
{
    size_t room = 0, count = 0;
    for (size_t i = 0; i < samples->count; i++)
        room += samples->replicates[i].arms[ARM_HEAD].count;
    NUMBERS_AUTO *values = numbers_new(room);
    if (values == NULL)
        return err_set(err, ERR_HOST, "out of memory for a study's samples");
    for (size_t i = 0; i < samples->count; i++) {
        const struct series *series = &samples->replicates[i].arms[ARM_HEAD];
        if (samples->replicates[i].marks != 0 || series->count == 0)
            continue;
        memcpy(values + count, series->ns, series->count * sizeof *values);
        count += series->count;
    }
    row->sample_count = count;
    if (count == 0)
        return 0;
    row->p95_ns = rank_of(values, count, 95);
    row->p99_ns = rank_of(values, count, 99);
    return 0;
}

/* "140.40 GiB", as env.json has it; NAN where it has nothing. */
static double memory_of(const struct environment *environment)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    const char *text = environment_get(environment, "gpu_memory");
    char *end;
    double bytes = text == NULL ? (double)NAN : strtod(text, &end);
    if (text == NULL || !(bytes > 0))
        return (double)NAN;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (*end == ' ' && strcmp(end + 1, units[i]) == 0)
            return bytes;
        bytes *= 1024;
    }
    return (double)NAN;
}

static void set_rates(const struct study_files *files, struct study_row *row)
{
    const struct problem *problem = &row->samples->config.problem;
    double peak = (double)row->samples->peak_bytes[ARM_HEAD];
    if (problem_known(problem)) {
        row->sequences_s = problem->batch / row->median_ns * 1e9;
        row->flop_ns = cost_operations(problem) / row->median_ns;
        row->byte_ns = cost_compulsory_bytes(problem) / row->median_ns;
    }
    if (peak > 0) {
        row->memory_bytes = peak;
        row->memory_share = peak / memory_of(&files->environment.environment);
    }
}

/* ---- beside the first ---- */

static bool overlap(struct interval a, struct interval b)
{
    return a.low <= b.high && b.low <= a.high;
}

static int set_effects(const struct study_files *files, const struct medians *medians,
                       enum arm first, struct study_row *row, struct err *err)
{
    NUMBERS_AUTO *best = numbers_new(medians->count);
    NUMBERS_AUTO *other = numbers_new(medians->count);
    if (best == NULL || other == NULL)
        return err_set(err, ERR_HOST, "out of memory for a study's medians");
    size_t n = medians_column(medians, ARM_HEAD, first, best);
    size_t m = medians_column(medians, first, ARM_HEAD, other);
    if (n < 2 || m < 2)
        return 0;
    row->effects_known = true;
    row->hedges_g = stats_hedges_g(best, n, other, m);
    row->cliffs_delta = stats_cliffs_delta(best, n, other, m);
    row->p_value = stats_mann_whitney_p(best, n, other, m);
    row->ci_overlap = overlap(stats_median_interval(best, n, files->rule.confidence),
                              stats_median_interval(other, m, files->rule.confidence));
    return 0;
}

static struct interval inverse(struct interval of)
{
    return (struct interval){1 / (1 + of.high) - 1, 1 / (1 + of.low) - 1};
}

/* The judge's change is the best's time over the first's. */
static void set_speedup(enum arm first, struct study_row *row)
{
    const struct config_verdict *verdict = row->verdict;
    const struct change *change = first == ARM_BASE && verdict->against != AGAINST_BASE
                                      ? &verdict->own
                                      : &verdict->change;
    row->first_ns = verdict->median_ns[first];
    row->first_ci = verdict->median_ci[first];
    if (change->known)
        row->speedup = (struct change){true, 1 / (1 + change->change) - 1, inverse(change->ci),
                                       inverse(change->ci_decision)};
}

/* ---- all ---- */

static const char *why_missing(const struct study_row *row)
{
    const struct config_samples *samples = row->samples;
    return samples->fault != FAULT_NONE            ? samples->failure
           : row->verdict->median_ns[ARM_HEAD] > 0 ? NULL
           : samples->identical ? "the machine code of both kernels is the same"
                                : "every process was disturbed, and left out";
}

int study_row_of(const struct study_files *files, const struct config_samples *samples,
                 const struct config_verdict *verdict, bool compared, struct study_row *out,
                 struct err *err)
{
    double none = (double)NAN;
    struct study_row row = {.samples = samples,
                            .verdict = verdict,
                            .median_ns = verdict->median_ns[ARM_HEAD],
                            .mean_ns = none,
                            .sd_ns = none,
                            .p95_ns = none,
                            .p99_ns = none,
                            .median_ci = verdict->median_ci[ARM_HEAD],
                            .sequences_s = none,
                            .flop_ns = none,
                            .byte_ns = none,
                            .memory_bytes = none,
                            .memory_share = none,
                            .first_ns = none,
                            .hedges_g = none,
                            .cliffs_delta = none,
                            .p_value = none};
    struct medians medians __attribute__((cleanup(medians_free))) = {0};
    enum arm first = study_first_arm(samples);
    row.missing = why_missing(&row);
    if (row.missing != NULL) {
        *out = row;
        return 0;
    }
    if (medians_of(samples, &medians, err) != 0)
        return -1;
    NUMBERS_AUTO *column = numbers_new(medians.count);
    if (column == NULL)
        return err_set(err, ERR_HOST, "out of memory for a study's medians");
    row.processes = medians_column(&medians, ARM_HEAD, ARM_HEAD, column);
    set_spread(column, row.processes, &row);
    set_rates(files, &row);
    if (compared)
        set_speedup(first, &row);
    if (set_tails(samples, &row, err) != 0 ||
        (compared && set_effects(files, &medians, first, &row, err) != 0))
        return -1;
    *out = row;
    return 0;
}
