/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which losses of main its baseline has forgotten: what main's own verdicts say, held
 * against what the baseline and ci/ratchet.conf of its tip still know. */
#include "pipeline/forgotten.h"

#include "pipeline/main_verdict.h"

#include <string.h>

static bool is_accepted(const struct promotion_accept *accept, const char *name)
{
    for (size_t i = 0; i < accept->count; i++)
        if (strcmp(accept->configs[i], name) == 0)
            return true;
    return false;
}

static bool is_listed(const struct ratchet_config *config, const struct baseline_config *row,
                      const char *name, bool *same)
{
    *same = false;
    for (size_t i = 0; i < config->config_count; i++) {
        if (strcmp(config->configs[i].name, name) != 0)
            continue;
        *same = row != NULL &&
                problem_equal(&row->config.problem, &config->configs[i].problem);
        return true;
    }
    return false;
}

void forgotten_find(const struct measurement *measurement, struct forgotten *out)
{
    MAIN_VERDICT_AUTO kept = {0};
    out->count = 0;
    if (measurement->repository == NULL || !main_verdict_load(measurement, &kept))
        return;
    for (size_t i = 0; i < kept.loss_count; i++) {
        const struct main_loss *loss = &kept.losses[i];
        const struct baseline_config *row = measurement->has_baseline
                                                ? baseline_find(&measurement->baseline,
                                                                loss->config)
                                                : NULL;
        bool remembered;
        bool listed = is_listed(&measurement->config, row, loss->config, &remembered);
        if (remembered || (row == NULL && !listed))
            continue;
        memcpy(out->since[out->count], loss->since, sizeof loss->since);
        memcpy(out->configs[out->count++], loss->config, sizeof loss->config);
    }
}

void forgotten_keep_rows(struct measurement *measurement, const struct forgotten *forgotten,
                         const struct promotion_accept *accept)
{
    for (size_t i = 0; i < forgotten->count; i++) {
        const char *name = forgotten->configs[i];
        if (is_accepted(accept, name))
            continue;
        for (size_t r = 0; measurement->has_baseline && r < measurement->baseline.count; r++)
            if (strcmp(measurement->baseline.configs[r].config.name, name) == 0)
                measurement->baseline.configs[r].retired = false;
        measurement_note(
            measurement,
            "%s: `%s` lost it at %.*s, and the baseline forgets that. It stays red "
            "until the loss is accepted by name.",
            name, measurement_branch(measurement), SHORT_SHA, forgotten->since[i]);
    }
}
