/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the estimate of the time that is left: means of what was measured, nothing else. */
#include "pipeline/pace.h"

void pace_add(struct pace *pace, size_t config, double seconds)
{
    pace->config_s[config] += seconds;
    pace->rest_s -= seconds; /* until the round's end brings all of it */
}

void pace_end_round(struct pace *pace, double seconds)
{
    pace->rest_s += seconds;
    pace->rounds++;
}

/* What a round takes besides. */
static double rest_s(const struct pace *pace)
{
    return pace->rounds > 0 && pace->rest_s > 0 ? pace->rest_s / (double)pace->rounds : 0.0;
}

double pace_replicate(const struct pace *pace, const struct samples *samples, size_t config)
{
    size_t count = samples->configs[config].count;
    return count == 0 ? 0.0 : pace->config_s[config] / (double)count;
}

double pace_round(const struct pace *pace, const struct samples *samples, const bool *want)
{
    double seconds = rest_s(pace);
    for (size_t i = 0; i < samples->count; i++)
        seconds += want[i] ? pace_replicate(pace, samples, i) : 0.0;
    return seconds;
}

double pace_left(const struct pace *pace, const struct samples *samples, const bool *open,
                 size_t target)
{
    double left = 0.0;
    size_t rounds = 0;
    for (size_t i = 0; i < samples->count; i++) {
        size_t count = config_samples_unmarked_now(&samples->configs[i]);
        if (!open[i] || count >= target)
            continue;
        if (count <= pace->before[i] || pace->rounds == 0)
            return -1.0;
        left += (double)(target - count) * pace->config_s[i] /
                (double)(count - pace->before[i]);
        rounds = target - count > rounds ? target - count : rounds;
    }
    return left + (double)rounds * rest_s(pace);
}
