/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the simulation of one check. */
#include "bench/check.h"

#include "judge/compare.h"

#include <stdio.h>
#include <string.h>

static int add_config(struct samples *samples, const struct trace *trace, size_t at)
{
    struct config_samples *config = samples_add(samples);
    if (config == NULL)
        return -1;
    config->config.problem = trace->config->config.problem;
    config->clock_resolution_ns = trace->config->clock_resolution_ns;
    snprintf(config->config.name, sizeof config->config.name, "c%zu", at);
    return 0;
}

static int measure(const struct trace *trace, const struct truth *truth,
                   struct draw draws[CHECK_CONFIGS], const bool open[CHECK_CONFIGS],
                   size_t until, struct random *random, struct samples *samples)
{
    for (size_t i = 0; i < truth->configs; i++)
        while (open[i] && samples->configs[i].count < until)
            if (trace_draw(trace, &draws[i], random, &samples->configs[i]) != 0)
                return -1;
    return 0;
}

static void prepare(const struct truth *truth, size_t first_look, struct random *random,
                    struct draw draws[CHECK_CONFIGS], bool open[CHECK_CONFIGS])
{
    for (size_t i = 0; i < truth->configs; i++) {
        open[i] = true;
        draws[i] = (struct draw){
            .samples = CHECK_SAMPLES,
            .head = i == 0 ? truth->first : truth->rest,
            .base = truth->base,
            .with_base = truth->with_base,
            .disturbance = truth->disturbance,
            .middle = draw_below(random, first_look),
            .sign = draw_below(random, 2) == 0 ? 1 : -1,
        };
    }
}

int check_run(const struct trace *trace, const struct truth *truth,
              const struct rule *rule, size_t most, struct random *random,
              struct outcome *out, struct err *err)
{
    struct draw draws[CHECK_CONFIGS];
    bool open[CHECK_CONFIGS];
    __attribute__((cleanup(samples_free))) struct samples samples = {
        .device = *trace->device};
    prepare(truth, rule->looks[0], random, draws, open);
    for (size_t i = 0; i < truth->configs; i++)
        if (add_config(&samples, trace, i) != 0)
            return err_set(err, ERR_HOST, "out of memory");
    for (unsigned look = 0; look < rule->look_count && rule->looks[look] <= most; look++) {
        __attribute__((cleanup(comparison_free))) struct comparison comparison = {0};
        if (measure(trace, truth, draws, open, rule->looks[look], random, &samples) != 0)
            return err_set(err, ERR_HOST, "trace `%s` cannot be drawn from",
                           trace->config->config.name);
        if (compare_samples(&samples, NULL, rule, &comparison, err) != 0)
            return -1;
        bool any = false;
        for (size_t i = 0; i < truth->configs; i++) {
            open[i] = comparison.configs[i].wants_more;
            any = any || open[i];
            out->configs[i] = comparison.configs[i].verdict;
        }
        out->whole = comparison.verdict;
        out->change = comparison.configs[0].change;
        out->replicates = comparison.configs[0].replicates;
        if (!any)
            break;
    }
    return 0;
}
