/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the verdict of a whole comparison. */
#include "judge/verdict.h"

#include <stdio.h>
#include <string.h>

static void set_text(char out[MODEL_TEXT_BYTES], const char *text)
{
    snprintf(out, MODEL_TEXT_BYTES, "%s", text);
}

/* A config that main dropped says nothing about what is left. */
static bool all_retired(const struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->configs[i].clause != CLAUSE_RETIRED)
            return false;
    return true;
}

void verdict_roll_up(struct comparison *comparison)
{
    if (all_retired(comparison)) {
        comparison->verdict = VERDICT_UNMEASURED;
        comparison->fault = FAULT_US;
        comparison->clause = CLAUSE_NO_SAMPLES;
        set_text(comparison->reason, "no configs: nothing was measured");
        return;
    }
    const struct config_verdict *worst = &comparison->configs[0];
    bool one_reason = true;
    for (size_t i = 1; i < comparison->count; i++) {
        const struct config_verdict *config = &comparison->configs[i];
        one_reason = one_reason && strcmp(config->reason, worst->reason) == 0;
        if (config_verdict_before(config, worst))
            worst = config;
    }
    comparison->verdict = worst->verdict;
    comparison->fault = worst->fault;
    comparison->clause = worst->clause;
    if (one_reason)
        set_text(comparison->reason, worst->reason);
    else
        snprintf(comparison->reason, sizeof comparison->reason, "%s: %.440s",
                 worst->config.name, worst->reason);
}

void verdict_whole(struct comparison *out, const struct device *device, enum verdict verdict,
                   enum fault fault, enum clause clause, const char *reason)
{
    *out = (struct comparison){
        .device = *device, .verdict = verdict, .fault = fault, .clause = clause};
    set_text(out->reason, reason);
}
