/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which samples count, and their medians. */
#include "judge/medians.h"

#include "judge/numbers.h"
#include "judge/stats.h"

#include <stdlib.h>
#include <string.h>

/* The median of a series, 0 for an empty one; `scratch` holds a copy. */
static double series_median(const struct series *series, double *scratch)
{
    if (series->count == 0)
        return 0;
    memcpy(scratch, series->ns, series->count * sizeof *scratch);
    return stats_median(scratch, series->count);
}

static void see(struct medians *medians, enum arm arm, double median)
{
    if (median > medians->slowest[arm])
        medians->slowest[arm] = median;
    if (median > 0 && (medians->fastest[arm] <= 0 || median < medians->fastest[arm]))
        medians->fastest[arm] = median;
}

int medians_of(const struct config_samples *config, struct medians *out, struct err *err)
{
    size_t longest = 0;
    for (size_t i = 0; i < config->count; i++)
        for (int arm = 0; arm < ARM_COUNT; arm++)
            if (config->replicates[i].arms[arm].count > longest)
                longest = config->replicates[i].arms[arm].count;
    NUMBERS_AUTO *scratch = numbers_new(longest);
    struct medians medians = {.rows = calloc(config->count + 1, sizeof *medians.rows),
                              .from = calloc(config->count + 1, sizeof *medians.from)};
    if (scratch == NULL || medians.rows == NULL || medians.from == NULL) {
        medians_free(&medians);
        return err_set(err, ERR_HOST, "judge: out of memory");
    }
    for (size_t i = 0; i < config->count; i++) {
        const struct replicate *replicate = &config->replicates[i];
        if (replicate->marks != 0)
            continue;
        double *row = medians.rows[medians.count];
        for (int arm = 0; arm < ARM_COUNT; arm++) {
            row[arm] = series_median(&replicate->arms[arm], scratch);
            see(&medians, (enum arm)arm, row[arm]);
        }
        if (row[ARM_HEAD] > 0)
            medians.from[medians.count++] = i;
    }
    *out = medians;
    return 0;
}

int medians_stored(const struct baseline_config *config, double **out, struct err *err)
{
    size_t longest = 0;
    for (size_t i = 0; i < config->count; i++)
        if (config->replicates[i].count > longest)
            longest = config->replicates[i].count;
    NUMBERS_AUTO *scratch = numbers_new(longest);
    NUMBERS_AUTO *stored = numbers_new(config->count);
    if (scratch == NULL || stored == NULL)
        return err_set(err, ERR_HOST, "judge: out of memory");
    for (size_t i = 0; i < config->count; i++)
        stored[i] = series_median(&config->replicates[i], scratch);
    *out = stored;
    stored = NULL;
    return 0;
}

void medians_free(struct medians *medians)
{
    free(medians->rows);
    free(medians->from);
    *medians = (struct medians){0};
}

size_t medians_column(const struct medians *medians, enum arm arm, enum arm other, double *out)
{
    size_t count = 0;
    for (size_t i = 0; i < medians->count; i++)
        if (medians->rows[i][arm] > 0 && medians->rows[i][other] > 0)
            out[count++] = medians->rows[i][arm];
    return count;
}
