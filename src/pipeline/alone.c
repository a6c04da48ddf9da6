/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the look at head without any other arm. Judges nothing. */
#include "pipeline/alone.h"

#include "pipeline/hold.h"
#include "pipeline/bench_setup.h"

#include <stdio.h>

/* Verify head, once per wanted config. */
static int verify(struct measurement *measurement, const struct library *head,
                  const bool *wanted, struct samples *out, struct err *err)
{
    struct bench_config benches[MODEL_CONFIGS_MAX] = {0};
    struct bench_request request;
    struct gpu gpu;
    for (size_t i = 0; i < measurement->config.config_count; i++) {
        benches[i].config = measurement->config.configs[i];
        request_set_arm(&benches[i], ARM_HEAD, head);
    }
    if (request_fill(measurement, benches, NULL, &gpu, NULL, &request, err) != 0)
        return -1;
    request.samples = 1;
    HOLD_AUTO hold = {measurement, .lock = LANE_LOCK_NONE};
    if (bench_begin(&request, out, err) != 0 ||
        hold_device(measurement, request.gpu, &out->environment, &hold, err) != 0)
        return -1;
    return bench_replicate(&request, wanted, out, err);
}

static void note(struct measurement *measurement, const struct samples *alone,
                 const bool *wanted)
{
    const struct config_samples *one = NULL, *bad = NULL;
    size_t count = 0, failed = 0;
    for (size_t i = 0; i < alone->count; i++) {
        const struct config_samples *config = &alone->configs[i];
        if (!wanted[i])
            continue;
        count++;
        one = one == NULL ? config : one;
        failed += config->fault != FAULT_NONE;
        bad = bad == NULL && config->fault != FAULT_NONE ? config : bad;
    }
    char names[MODEL_NAME_BYTES + 32];
    if (count > 1)
        snprintf(names, sizeof names, "%zu configs", count);
    else
        snprintf(names, sizeof names, "`%s`", one == NULL ? "" : one->config.name);
    if (bad == NULL)
        measurement_note(measurement,
                         "Base cannot be measured on %s. Head was looked at alone there: it "
                         "builds, and its results are right; how fast it is was not judged.",
                         names);
    else
        measurement_note(measurement,
                         "Base cannot be measured on %s. Head was looked at alone there: it "
                         "builds, and fails on %zu of %zu. `%s`: %.240s.",
                         names, failed, count, bad->config.name, bad->failure);
}

void alone_look(struct measurement *measurement, const struct arms *arms)
{
    SAMPLES_AUTO alone = {0};
    struct err problem = {0};
    bool wanted[MODEL_CONFIGS_MAX] = {false}, any = false;
    if (arms->base == NULL || !arms->head->result.built)
        return;
    bool unbuilt = !arms->base->result.built;
    for (size_t i = 0; i < measurement->config.config_count; i++) {
        const struct config_verdict *row = unbuilt ? NULL
                                                   : &measurement->comparison.configs[i];
        wanted[i] = unbuilt ||
                    (row->verdict == VERDICT_UNMEASURED && row->fault == FAULT_BASE &&
                     row->clause != CLAUSE_EVERY_ARM && /* of head as well */
                     row->clause != CLAUSE_FEW_REPLICATES);
        any = any || wanted[i];
    }
    if (!any)
        return;
    if (verify(measurement, arms->head, wanted, &alone, &problem) == 0)
        note(measurement, &alone, wanted);
    else
        measurement_note(measurement,
                         "Head builds; whether its results are right is not known: %.300s",
                         problem.text);
}
