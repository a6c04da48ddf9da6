/* SPDX-License-Identifier: Apache-2.0 */
/* Owns processes without head, which tell what main's own code takes when nobody is beside it. */
#include "measure/bench_internal.h"

#include "measure/machine.h"

#include <stdlib.h>
#include <string.h>

static int compare_ns(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts. */
static double median(struct series *series)
{
    size_t n = series->count;
    qsort(series->ns, n, sizeof *series->ns, compare_ns);
    return (series->ns[(n - 1) / 2] + series->ns[n / 2]) / 2;
}

/* The arms of main that take part; the first of them is the one that is asked about. */
static enum arm set_arms(const struct round *round, size_t i, bool arms[ARM_COUNT])
{
    bool anchor = bench_takes_part(round, i, ARM_ANCHOR);
    arms[ARM_ANCHOR] = arms[ARM_CONTROL] = anchor;
    arms[ARM_BASE] = !anchor && bench_takes_part(round, i, ARM_BASE);
    return anchor ? ARM_ANCHOR : ARM_BASE;
}

static int keep(struct round *round, size_t i, enum arm arm, struct process_config *ran,
                struct err *err)
{
    struct config_samples *config = &round->samples->configs[i];
    struct series *series = &ran->replicate.arms[arm];
    if (!ran->done || trouble_any(ran->trouble) || ran->replicate.marks != 0 ||
        series->count == 0)
        return 0;
    double ns = median(series);
    bench_say(round->request, (struct bench_event){.config = i}, "%s: %s without head",
              config->config.name, arm_name(arm));
    return series_add(&config->without_head, ns) == 0
               ? 0
               : err_set(err, ERR_HOST, "out of memory for samples");
}

static int run_without_head(struct round *round, const bool *want,
                            struct process_config *configs, size_t *index, struct err *err)
{
    const struct bench_request *request = round->request;
    size_t count = 0;
    enum arm asked[MODEL_CONFIGS_MAX];
    for (size_t i = 0; i < request->config_count; i++) {
        if (!want[i])
            continue;
        configs[count] = (struct process_config){.bench = &request->configs[i]};
        asked[count] = set_arms(round, i, configs[count].arms);
        if (configs[count].arms[asked[count]])
            index[count++] = i;
    }
    int rc = count == 0 ? 0 : process_run(request, round->machine, configs, count, NULL, err);
    for (size_t c = 0; rc == 0 && c < count; c++)
        rc = keep(round, index[c], asked[c], &configs[c], err);
    for (size_t c = 0; c < count; c++)
        replicate_free(&configs[c].replicate);
    return rc;
}

int bench_without_head(const struct bench_request *request, const bool *want,
                       struct samples *samples, struct err *err)
{
    struct machine machine;
    machine_read(&machine);
    struct round round = {.request = request, .machine = &machine, .samples = samples};
    struct process_config *configs = calloc(request->config_count, sizeof *configs);
    size_t *index = calloc(request->config_count, sizeof *index);
    int rc = configs == NULL || index == NULL
                 ? err_set(err, ERR_HOST, "out of memory for a process without head")
                 : run_without_head(&round, want, configs, index, err);
    free(configs);
    free(index);
    return rc;
}
