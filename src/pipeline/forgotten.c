/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which losses of main its baseline has forgotten: what main's own verdicts say, held
 * against what the baseline and ci/ratchet.conf of its tip still know. */
#include "pipeline/main_verdict.h"

#include <string.h>

static bool is_accepted(const struct promotion_accept *accept, const char *name)
{
    for (size_t i = 0; accept != NULL && i < accept->count; i++)
        if (strcmp(accept->configs[i], name) == 0)
            return true;
    return false;
}

static const struct config *find_config(const struct ratchet_config *config, const char *name)
{
    for (size_t i = 0; i < config->config_count; i++)
        if (strcmp(config->configs[i].name, name) == 0)
            return &config->configs[i];
    return NULL;
}

static struct baseline_config *find_row(struct measurement *measurement, const char *name)
{
    for (size_t i = 0; measurement->has_baseline && i < measurement->baseline.count; i++)
        if (strcmp(measurement->baseline.configs[i].config.name, name) == 0)
            return &measurement->baseline.configs[i];
    return NULL;
}

void forgotten_find(struct measurement *measurement, const struct promotion_accept *accept,
                    struct forgotten *out)
{
    struct main_verdict kept __attribute__((cleanup(main_verdict_free))) = {0};
    out->count = 0;
    if (measurement->repository == NULL || !main_verdict_load(measurement, &kept))
        return;
    for (size_t i = 0; i < kept.loss_count; i++) {
        const char *name = kept.losses[i].config;
        const struct config *config = find_config(&measurement->config, name);
        struct baseline_config *row = find_row(measurement, name);
        bool remembered = row != NULL && config != NULL &&
                          problem_equal(&row->config.problem, &config->problem);
        if (remembered || (row == NULL && config == NULL))
            continue;
        memcpy(out->configs[out->count++], name, MODEL_NAME_BYTES);
        if (is_accepted(accept, name))
            continue;
        if (row != NULL)
            row->retired = false;
        measurement_note(
            measurement,
            "%s: main lost it at %.*s, and the baseline forgets that. It stays red "
            "until the loss is accepted by name.",
            name, SHORT_SHA, kept.losses[i].since);
    }
}
