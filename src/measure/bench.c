/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the rounds: as many harness processes as it takes until each config that was asked for has
 * its replicate or a fault. */
#include "measure/bench_internal.h"

#include "measure/machine.h"

#include <stdlib.h>

static int keep_replicate(struct round *round, size_t i, struct process_config *ran,
                          struct err *err)
{
    struct config_samples *config = &round->samples->configs[i];
    struct replicate *replicate = config_samples_add(config);
    if (replicate == NULL)
        return err_set(err, ERR_HOST, "out of memory for replicates");
    *replicate = ran->replicate;
    ran->replicate = (struct replicate){0};
    for (int arm = 0; arm < ARM_COUNT; arm++)
        if (ran->peak_bytes[arm] > config->peak_bytes[arm])
            config->peak_bytes[arm] = ran->peak_bytes[arm];
    config->shortened |= ran->shortened;
    const struct bench_event event = {
        .kind = BENCH_REPLICATE, .config = i, .seconds = ran->seconds};
    bench_say(round->request, event, "%s: replicate %zu, %zu samples an arm%s",
              config->config.name, config->count, replicate->arms[ARM_HEAD].count,
              replicate->marks != 0 ? ", marked" : "");
    return 0;
}

/* What a process made of one config. True in *moved when the config came any further. */
static int digest(struct round *round, size_t i, struct process_config *ran, bool *moved,
                  struct err *err)
{
    struct config_samples *config = &round->samples->configs[i];
    if (config->fault != FAULT_NONE) { /* another config's crash settled this one */
        round->pending[i].wanted = false;
        *moved = true;
        return 0;
    }
    bool troubled = trouble_any(ran->trouble);
    round->pending[i].begun |= ran->started;
    if (!ran->started || (!ran->done && !troubled))
        return 0;
    *moved = true;
    int rc = ran->done && !troubled ? keep_replicate(round, i, ran, err)
                                    : bench_settle(round, i, ran, err);
    bool again = !ran->done && config->fault == FAULT_NONE;
    round->pending[i].wanted = again;
    if (config->fault != FAULT_NONE)
        bench_say(round->request, (struct bench_event){.config = i},
                  "%s: unmeasured, %s: %.440s", config->config.name,
                  config->fault == FAULT_PR ? "head" : fault_name(config->fault),
                  config->failure);
    return rc;
}

/* One process for as many of the pending configs as it has room for. */
static int run_process(struct round *round, struct process_config *configs, size_t *index,
                       bool *moved, struct err *err)
{
    const struct bench_request *request = round->request;
    size_t count = 0;
    for (size_t i = 0; i < request->config_count; i++) {
        if (!round->pending[i].wanted)
            continue;
        configs[count] = (struct process_config){.bench = &request->configs[i]};
        for (int arm = 0; arm < ARM_COUNT; arm++)
            configs[count].arms[arm] = bench_takes_part(round, i, (enum arm)arm);
        index[count++] = i;
    }
    int rc = process_run(request, round->machine, configs, count, NULL, err);
    for (size_t c = 0; rc == 0 && c < count; c++)
        rc = digest(round, index[c], &configs[c], moved, err);
    for (size_t c = 0; c < count; c++)
        replicate_free(&configs[c].replicate);
    return rc;
}

static bool any_pending(const struct round *round)
{
    for (size_t i = 0; i < round->request->config_count; i++)
        if (round->pending[i].wanted)
            return true;
    return false;
}

static int run_round(struct round *round, struct err *err)
{
    size_t count = round->request->config_count;
    struct process_config *configs = calloc(count, sizeof *configs);
    size_t *index = calloc(count, sizeof *index);
    int rc = configs == NULL || index == NULL
                 ? err_set(err, ERR_HOST, "out of memory for a replicate")
                 : 0;
    while (rc == 0 && any_pending(round) && !bench_is_late(round->request)) {
        bool moved = false;
        rc = run_process(round, configs, index, &moved, err);
        if (rc == 0 && !moved && !bench_is_late(round->request))
            rc = err_set(err, ERR_INTERNAL, "a harness process brought no config any further");
    }
    free(configs);
    free(index);
    return rc;
}

int bench_replicate(const struct bench_request *request, const bool *want,
                    struct samples *samples, struct err *err)
{
    struct machine machine;
    const struct device_kind *kind;
    if (bench_check(request, &kind, err) != 0)
        return -1;
    if (samples->count != request->config_count)
        return err_set(err, ERR_INTERNAL, "%zu configs in the samples, %zu in the request",
                       samples->count, request->config_count);
    machine_read(&machine);
    struct round round = {
        .request = request,
        .machine = &machine,
        .samples = samples,
        .pending = calloc(request->config_count, sizeof(struct pending)),
    };
    if (round.pending == NULL)
        return err_set(err, ERR_HOST, "out of memory for a replicate");
    for (size_t i = 0; i < samples->count; i++) {
        round.pending[i].wanted = want[i] && samples->configs[i].fault == FAULT_NONE;
        samples->configs[i].attempts += round.pending[i].wanted;
    }
    int rc = run_round(&round, err);
    for (size_t i = 0; i < samples->count; i++)
        samples->configs[i].attempts -= round.pending[i].wanted && !round.pending[i].begun;
    free(round.pending);
    return rc;
}
