/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which medians are set against which. The interval is judge/change's. */
#include "lab/sweep.h"

#include "judge/change.h"
#include "judge/num.h"
#include "judge/numbers.h"

#include <stdlib.h>

static struct levels levels_of(const struct rule *rule)
{
    return (struct levels){
        .bootstrap = {rule->resamples, rule->seed, rule->confidence}, .looks = 1, .family = 1};
}

static int set_against_head(const struct medians *medians, enum arm arm, double tick_ns,
                            const struct rule *rule, struct change *change, struct err *err)
{
    const struct levels levels = levels_of(rule);
    const struct pair pair = {.arm = arm, .other = ARM_HEAD, .tick_ns = tick_ns};
    struct estimate estimate __attribute__((cleanup(estimate_free))) = {.logs = NULL};
    if (change_paired(medians, &pair, &levels, &estimate, err) != 0)
        return -1;
    *change = estimate.change;
    return 0;
}

int sweep_ratio(const struct config_samples *config, enum arm arm, const struct rule *rule,
                struct change *change, struct err *err)
{
    struct medians medians __attribute__((cleanup(medians_free))) = {0};
    if (medians_of(config, &medians, err) != 0)
        return -1;
    return set_against_head(&medians, arm, config->clock_resolution_ns, rule, change, err);
}

/* Add the logs of one config's ratios to `sums`, one for each process, and cut *count down to
 * those that it has. False: it has no ratio. */
static int add_config(const struct config_samples *config, enum arm arm, double *sums,
                      size_t *count, size_t *configs, struct err *err)
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
    if (*configs == 0 || found < *count)
        *count = found;
    found = 0;
    for (size_t i = 0; i < medians.count && found < *count; i++) {
        const double *row = medians.rows[i];
        if (row[arm] > 0 && row[ARM_HEAD] > 0)
            sums[found++] += num_log(row[arm] / row[ARM_HEAD]);
    }
    ++*configs;
    return 0;
}

int sweep_mean(const struct samples *samples, enum arm arm, const struct rule *rule,
               struct change *change, size_t *configs, struct err *err)
{
    size_t most = 1, count = 0, found = 0;
    for (size_t i = 0; i < samples->count; i++)
        if (samples->configs[i].count > most)
            most = samples->configs[i].count;
    NUMBERS_AUTO *sums = numbers_new(most);
    struct medians medians
        __attribute__((cleanup(medians_free))) = {.rows = calloc(most, sizeof *medians.rows)};
    if (sums == NULL || medians.rows == NULL)
        return err_set(err, ERR_HOST, "out of memory for a mean");
    for (size_t i = 0; i < samples->count; i++)
        if (add_config(&samples->configs[i], arm, sums, &count, &found, err) != 0)
            return -1;
    for (size_t i = 0; i < count; i++) {
        medians.rows[i][ARM_HEAD] = 1.0;
        medians.rows[i][arm] = num_exp(sums[i] / (double)found);
    }
    medians.count = count;
    if (set_against_head(&medians, arm, 0, rule, change, err) != 0)
        return -1;
    *configs = found;
    return 0;
}
