/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is compared with what: every estimate that a config can have. */
#include "judge/compare_internal.h"
#include "judge/num.h"

/* Samples whose file does not name the clock's tick are taken to be whole nanoseconds. */
static const double tick_unknown_ns = 1;

double tick_of(const struct config_samples *samples)
{
    double tick = samples->clock_resolution_ns;
    return tick > 0 ? tick : tick_unknown_ns;
}

/* Where there is no control, base against the anchor tells as well what is not head's doing. */
static int main_scatter(struct config_log *log, struct err *err)
{
    const struct pair pair = {.arm = ARM_BASE, .other = ARM_ANCHOR, .tick_ns = log->tick_ns};
    double variance, df;
    log->main_scatter = log->control.scatter;
    if (log->control.change.known)
        return 0;
    if (change_variance(&log->medians, &pair, &variance, &df, err) != 0)
        return -1;
    log->main_scatter = df > 0 ? num_sqrt(variance) : 0;
    return 0;
}

int estimate_stored(const struct judged *judged, const struct missing *missing,
                    struct estimate *out, struct err *err)
{
    const struct config_log *log = judged->log;
    return change_stored(&log->medians, log->stored_medians, log->stored_count,
                         log->stored_tick_ns, judged->rule->drift_margin, missing,
                         judged->levels, out, err);
}

int estimate_all(struct judged *judged, struct err *err)
{
    struct config_log *log = judged->log;
    const struct medians *medians = &log->medians;
    double tick = tick_of(judged->samples);
    log->tick_ns = tick;
    const struct pair control = {.arm = ARM_CONTROL, .other = ARM_ANCHOR, .tick_ns = tick};
    if (change_paired(medians, &control, judged->levels, &log->control, err) != 0)
        return -1;
    struct pair head = {.arm = ARM_HEAD,
                        .other = ARM_ANCHOR,
                        .tick_ns = tick,
                        .scatter = log->control.scatter,
                        .shrink = true};
    if (change_paired(medians, &head, judged->levels, &log->anchor, err) != 0)
        return -1;
    head.other = ARM_BASE;
    if (change_paired(medians, &head, judged->levels, &log->base, err) != 0 ||
        main_scatter(log, err) != 0)
        return -1;
    const struct baseline_config *stored = judged->stored_config;
    if (stored == NULL)
        return 0;
    log->stored_tick_ns = stored->clock_resolution_ns > tick ? stored->clock_resolution_ns
                                                             : tick;
    log->stored_count = stored->count;
    if (medians_stored(stored, &log->stored_medians, err) != 0)
        return -1;
    return estimate_stored(judged, NULL, &log->stored, err);
}
