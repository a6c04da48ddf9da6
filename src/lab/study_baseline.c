/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the baseline that a study ends with. */
#include "lab/study_baseline.h"

#include "judge/baseline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One row as a promotion would record it: head's replicates without a mark. Borrows the series. */
static int add_row(const struct study *study, const struct samples *samples, size_t c,
                   struct baseline_config *row, struct err *err)
{
    const struct config_samples *config = &samples->configs[c];
    *row = (struct baseline_config){.config = config->config,
                                    .clock_resolution_ns = config->clock_resolution_ns};
    snprintf(row->commit, sizeof row->commit, "%s", study->best);
    memcpy(row->code, config->arms[ARM_HEAD].code, sizeof row->code);
    memcpy(row->recorded, study->started, sizeof row->recorded);
    snprintf(row->why, sizeof row->why, "new");
    row->replicates = calloc(config->count + 1, sizeof *row->replicates);
    if (row->replicates == NULL ||
        environment_copy(&samples->environment, &row->environment) != 0)
        return err_set(err, ERR_HOST, "out of memory for a baseline");
    for (size_t i = 0; i < config->count; i++)
        if (config->replicates[i].marks == 0 && config->replicates[i].arms[ARM_HEAD].count > 0)
            row->replicates[row->count++] = config->replicates[i].arms[ARM_HEAD];
    return 0;
}

static void free_rows(struct baseline *baseline)
{
    for (size_t i = 0; i < baseline->count; i++) {
        free(baseline->configs[i].replicates); /* the series are the samples' */
        environment_free(&baseline->configs[i].environment);
    }
    free(baseline->configs);
}

int study_baseline_json(const struct study *study, const struct samples *samples,
                        struct buf *out, struct err *err)
{
    struct baseline baseline __attribute__((cleanup(free_rows))) = {.configs = NULL};
    baseline.device = samples->device;
    baseline.configs = calloc(samples->count + 1, sizeof *baseline.configs);
    if (baseline.configs == NULL)
        return err_set(err, ERR_HOST, "out of memory for a baseline");
    for (size_t c = 0; c < samples->count; c++) {
        if (add_row(study, samples, c, &baseline.configs[baseline.count++], err) != 0)
            return -1;
        if (baseline.configs[baseline.count - 1].count > 0)
            continue;
        struct baseline_config *empty = &baseline.configs[--baseline.count];
        free(empty->replicates);
        environment_free(&empty->environment);
    }
    return baseline_format(&baseline, out, err);
}
