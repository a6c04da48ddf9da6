/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how the time of a budget is spent. What a replicate takes is known by those before it. */
#include "pipeline/budget.h"

#include "base/proc.h"
#include "measure/bench.h"

#include <math.h>

double budget_left_s(const struct budget *budget)
{
    double gone_s = (double)(proc_now_ns() - budget->begin_ns) / 1e9;
    return budget->total_s > 0 ? fmax(budget->total_s - gone_s, 0.0) : INFINITY;
}

/* Of those that are wanted, the config whose replicates take longest; samples->count: none is. */
static size_t longest(const struct pace *pace, const struct samples *samples, const bool *want)
{
    size_t found = samples->count;
    for (size_t i = 0; i < samples->count; i++)
        if (want[i] && (found == samples->count || pace_replicate(pace, samples, i) >
                                                       pace_replicate(pace, samples, found)))
            found = i;
    return found;
}

bool budget_fit(const struct budget *budget, const struct pace *pace, struct samples *samples,
                bool *want)
{
    double left_s = budget_left_s(budget);
    for (;;) {
        size_t most = longest(pace, samples, want);
        if (most == samples->count)
            return false;
        if (left_s > 0 && pace_round(pace, samples, want) <= left_s)
            return true;
        want[most] = false;
        samples->configs[most].out_of_time = true;
    }
}

/* Of one round's time, what each config may take: those that need less than that are served first. */
static double share_of(double round_s, const struct pace *pace, const struct samples *samples,
                       const bool *want)
{
    bool open[MODEL_CONFIGS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < samples->count; i++)
        count += open[i] = want[i];
    for (size_t i = 0; i < samples->count && count > 1; i++) {
        double share_s = round_s / (double)count;
        double takes_s = pace_replicate(pace, samples, i);
        if (!open[i] || takes_s <= 0 || samples->configs[i].shortened || takes_s >= share_s)
            continue;
        round_s -= takes_s;
        open[i] = false;
        count--;
        i = (size_t)-1; /* the share has grown: others may be below it now */
    }
    return fmax(round_s, 0.0) / (double)(count > 0 ? count : 1);
}

void budget_share(const struct budget *budget, const struct pace *pace,
                  const struct samples *samples, const bool *want, size_t target,
                  struct bench_request *request)
{
    static const double least_s = 1e-3; /* 0 would be no limit */
    const bool none[MODEL_CONFIGS_MAX] = {false};
    size_t rounds = 0;
    if (!(budget->total_s > 0))
        return;
    request->deadline_ns = budget->begin_ns + (uint64_t)(budget->total_s * 1e9);
    for (size_t i = 0; i < samples->count; i++) {
        size_t count = config_samples_unmarked_now(&samples->configs[i]);
        if (want[i] && count < target && target - count > rounds)
            rounds = target - count;
    }
    if (rounds == 0)
        return;
    double round_s = budget_left_s(budget) / (double)rounds - pace_round(pace, samples, none);
    request->replicate_ns = 1e9 * fmax(share_of(round_s, pace, samples, want), least_s);
}
