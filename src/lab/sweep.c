/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which medians are set against which. The interval is judge/change's. */
#include "lab/sweep.h"

#include "judge/change.h"
#include "judge/num.h"

#include <stdlib.h>

static int set_against(const struct medians *medians, const struct sweep_pair *arms,
                       double tick_ns, const struct rule *rule, struct change *change,
                       size_t *pairs, struct err *err)
{
    const struct levels levels = {.bootstrap = {rule->resamples, rule->seed, rule->confidence},
                                  .looks = (double)arms->comparisons,
                                  .family = 1};
    const struct pair pair = {.arm = arms->arm, .other = arms->other, .tick_ns = tick_ns};
    struct estimate estimate __attribute__((cleanup(estimate_free))) = {.logs = NULL};
    if (change_paired(medians, &pair, &levels, &estimate, err) != 0)
        return -1;
    *change = estimate.change;
    if (pairs != NULL)
        *pairs = estimate.replicates;
    return 0;
}

int sweep_compare(const struct config_samples *config, const struct sweep_pair *pair,
                  const struct rule *rule, struct change *change, size_t *pairs,
                  struct err *err)
{
    struct medians medians __attribute__((cleanup(medians_free))) = {0};
    if (medians_of(config, &medians, err) != 0)
        return -1;
    return set_against(&medians, pair, config->clock_resolution_ns, rule, change, pairs, err);
}

int sweep_ratio(const struct config_samples *config, enum arm arm, const struct rule *rule,
                struct change *change, struct err *err)
{
    const struct sweep_pair pair = {arm, ARM_HEAD, 1};
    return sweep_compare(config, &pair, rule, change, NULL, err);
}

int sweep_first_look(const struct config_samples *config, enum arm arm,
                     const struct rule *rule, struct change *change, struct err *err)
{
    struct config_samples all = *config; /* its series are borrowed */
    if (sweep_ratio(config, arm, rule, change, err) != 0)
        return -1;
    if (change->known || config->count == 0)
        return 0;
    all.replicates = calloc(config->count, sizeof *all.replicates);
    if (all.replicates == NULL)
        return err_set(err, ERR_HOST, "out of memory for a first look");
    for (size_t i = 0; i < config->count; i++) {
        all.replicates[i] = config->replicates[i];
        all.replicates[i].marks = 0;
    }
    int result = sweep_ratio(&all, arm, rule, change, err);
    free(all.replicates);
    return result;
}

/* What one process read, over configs: the logs of its ratios, and of how many there was one. */
struct processes {
    double *sums;   /* owned */
    size_t *counts; /* owned */
    size_t room;
    size_t configs; /* that have a ratio: two processes with both arms */
    size_t fewest;  /* processes of one of these */
};

static void processes_free(struct processes *processes)
{
    free(processes->sums);
    free(processes->counts);
}

static int processes_new(const struct samples *samples, struct processes *out, struct err *err)
{
    for (size_t i = 0; i < samples->count; i++)
        if (samples->configs[i].count > out->room)
            out->room = samples->configs[i].count;
    out->sums = calloc(out->room + 1, sizeof *out->sums);
    out->counts = calloc(out->room + 1, sizeof *out->counts);
    return out->sums != NULL && out->counts != NULL
               ? 0
               : err_set(err, ERR_HOST, "out of memory for a mean");
}

static int add_config(const struct config_samples *config, enum arm arm,
                      struct processes *processes, struct err *err)
{
    struct medians medians __attribute__((cleanup(medians_free))) = {0};
    size_t found = 0;
    if (config->fault != FAULT_NONE)
        return 0;
    if (medians_of(config, &medians, err) != 0)
        return -1;
    for (size_t i = 0; i < medians.count; i++)
        found += medians.rows[i][arm] > 0 && medians.rows[i][ARM_HEAD] > 0;
    if (found < 2)
        return 0;
    for (size_t i = 0; i < medians.count; i++) {
        const double *row = medians.rows[i];
        if (!(row[arm] > 0 && row[ARM_HEAD] > 0))
            continue;
        processes->sums[medians.from[i]] += num_log(row[arm] / row[ARM_HEAD]);
        processes->counts[medians.from[i]]++;
    }
    if (processes->configs++ == 0 || found < processes->fewest)
        processes->fewest = found;
    return 0;
}

/* The mean of the configs' own changes. Its interval is the mean of theirs, corrected for their number: all of
 * them hold at once, so their mean does, however configs hang together. */
static int mean_of_configs(const struct samples *samples, enum arm arm,
                           const struct rule *rule, size_t configs, struct change *change,
                           struct err *err)
{
    struct rule strict = *rule;
    double sum = 0, low = 0, high = 0, count = (double)configs;
    strict.confidence = 1 - (1 - rule->confidence) / count;
    for (size_t i = 0; i < samples->count; i++) {
        struct change one;
        if (samples->configs[i].fault != FAULT_NONE)
            continue;
        if (sweep_ratio(&samples->configs[i], arm, &strict, &one, err) != 0)
            return -1;
        if (!one.known)
            continue;
        sum += num_log(1 + one.change);
        low += num_log(1 + one.ci.low);
        high += num_log(1 + one.ci.high);
    }
    const struct interval ci = {num_exp(low / count) - 1, num_exp(high / count) - 1};
    *change = (struct change){true, num_exp(sum / count) - 1, ci, ci};
    return 0;
}

int sweep_mean(const struct samples *samples, enum arm arm, const struct rule *rule,
               struct change *change, size_t *configs, struct err *err)
{
    struct processes processes __attribute__((cleanup(processes_free))) = {0};
    struct medians medians __attribute__((cleanup(medians_free))) = {0};
    if (processes_new(samples, &processes, err) != 0)
        return -1;
    for (size_t i = 0; i < samples->count; i++)
        if (add_config(&samples->configs[i], arm, &processes, err) != 0)
            return -1;
    size_t found = *configs = processes.configs;
    size_t enough = processes.fewest < rule->min_replicates ? processes.fewest
                                                            : rule->min_replicates;
    medians.rows = calloc(processes.room + 1, sizeof *medians.rows);
    if (medians.rows == NULL)
        return err_set(err, ERR_HOST, "out of memory for a mean");
    for (size_t i = 0; i < processes.room; i++) {
        if (found == 0 || processes.counts[i] != found)
            continue;
        medians.rows[medians.count][ARM_HEAD] = 1.0;
        medians.rows[medians.count++][arm] = num_exp(processes.sums[i] / (double)found);
    }
    if (medians.count < enough)
        return mean_of_configs(samples, arm, rule, found, change, err);
    const struct sweep_pair pair = {arm, ARM_HEAD, 1};
    return set_against(&medians, &pair, 0, rule, change, NULL, err);
}
