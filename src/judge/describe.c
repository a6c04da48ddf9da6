/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is computed of a config before anything is decided, and what is shown of it. */
#include "judge/compare_internal.h"

#include "judge/num.h"
#include "judge/numbers.h"
#include "judge/stats.h"

#include <math.h>
#include <string.h>

/* Samples whose file does not name the clock's tick are taken to be whole nanoseconds. */
static const double tick_unknown_ns = 1;

double tick_of(const struct config_samples *samples)
{
    double tick = samples->clock_resolution_ns;
    return tick > 0 ? tick : tick_unknown_ns;
}

struct change with_decision(const struct estimate *estimate, double threshold)
{
    struct change change = estimate->change;
    if (change.ci_decision.low > threshold || change.ci_decision.high < -threshold)
        change.ci_decision = estimate->claim;
    return change;
}

static void describe_arms(struct judged *judged, double *column)
{
    struct config_verdict *out = judged->out;
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        size_t count = medians_column(&judged->log.medians, (enum arm)arm, (enum arm)arm,
                                      column);
        if (count == 0)
            continue;
        out->median_ci[arm] = stats_median_interval(column, count, judged->rule->confidence);
        out->median_ns[arm] = stats_median(column, count);
    }
}

static bool overlap(struct interval a, struct interval b)
{
    return a.low <= b.high && b.low <= a.high;
}

/* Effects of head against `arm`, or against the stored medians. */
static void describe_effects(struct judged *judged, enum against against, double *head,
                             double *other)
{
    struct config_verdict *out = judged->out;
    size_t n;
    size_t m;
    if (against == AGAINST_STORED) {
        n = medians_column(&judged->log.medians, ARM_HEAD, ARM_HEAD, head);
        m = judged->stored_config->count;
        memcpy(other, judged->log.stored_medians, m * sizeof *other);
    } else {
        enum arm arm = against == AGAINST_ANCHOR ? ARM_ANCHOR : ARM_BASE;
        n = medians_column(&judged->log.medians, ARM_HEAD, arm, head);
        m = medians_column(&judged->log.medians, arm, ARM_HEAD, other);
    }
    if (n < 2 || m < 2)
        return;
    out->effects_known = true;
    out->hedges_g = stats_hedges_g(head, n, other, m);
    out->cliffs_delta = stats_cliffs_delta(head, n, other, m);
    out->p_value = stats_mann_whitney_p(head, n, other, m);
    double confidence = judged->rule->confidence;
    out->ci_overlap = overlap(stats_median_interval(head, n, confidence),
                              stats_median_interval(other, m, confidence));
}

static void describe_drift(struct judged *judged, double *column)
{
    if (judged->stored_config == NULL)
        return;
    size_t count = medians_column(&judged->log.medians, ARM_ANCHOR, ARM_ANCHOR, column);
    if (count == 0)
        return;
    struct config_verdict *out = judged->out;
    const struct rule *rule = judged->rule;
    out->anchor_drift = change_of_means(column, count, judged->log.stored_medians,
                                        judged->stored_config->count);
    out->anchor_drift_known = true;
    out->anchor_drifted = fabs(out->anchor_drift) > rule->threshold + rule->drift_margin;
}

/* Where there is no control, base against the anchor tells as well what is not head's doing. */
static int main_scatter(struct judged *judged, struct err *err)
{
    struct config_log *log = &judged->log;
    double variance, df;
    log->main_scatter = log->control.scatter;
    if (log->control.change.known)
        return 0;
    if (change_variance(&log->medians, ARM_BASE, ARM_ANCHOR, log->tick_ns, &variance, &df,
                        err) != 0)
        return -1;
    log->main_scatter = df > 0 ? num_sqrt(variance) : 0;
    return 0;
}

int draw_lines(struct judged *judged, struct err *err)
{
    const struct levels *levels = judged->levels;
    double tick = tick_of(judged->samples);
    judged->log.tick_ns = tick;
    struct estimate *control = &judged->log.control;
    if (change_between(&judged->log.medians, ARM_CONTROL, ARM_ANCHOR, tick, 0, false, levels,
                       control, err) != 0 ||
        change_between(&judged->log.medians, ARM_HEAD, ARM_ANCHOR, tick, control->scatter,
                       true, levels, &judged->log.anchor, err) != 0 ||
        change_between(&judged->log.medians, ARM_HEAD, ARM_BASE, tick, control->scatter, true,
                       levels, &judged->log.base, err) != 0 ||
        main_scatter(judged, err) != 0)
        return -1;
    if (judged->stored_config == NULL)
        return 0;
    if (judged->stored_config->clock_resolution_ns > tick)
        tick = judged->stored_config->clock_resolution_ns;
    judged->log.stored_tick_ns = tick;
    judged->log.stored_count = judged->stored_config->count;
    if (medians_stored(judged->stored_config, &judged->log.stored_medians, err) != 0)
        return -1;
    return change_stored(&judged->log.medians, judged->log.stored_medians,
                         judged->stored_config->count, tick, judged->rule->drift_margin, NULL,
                         levels, &judged->log.stored, err);
}

int describe(struct judged *judged, enum against against, struct err *err)
{
    size_t room = judged->log.medians.count;
    if (judged->stored_config != NULL && judged->stored_config->count > room)
        room = judged->stored_config->count;
    NUMBERS_AUTO *one = numbers_new(room);
    NUMBERS_AUTO *other = numbers_new(room);
    if (one == NULL || other == NULL)
        return err_set(err, ERR_HOST, "judge: out of memory");
    struct config_verdict *out = judged->out;
    double threshold = judged->rule->threshold;
    out->own = judged->log.base.change;
    if (judged->log.base.change.ci_decision.low > judged->rule->own_floor)
        out->own.ci_decision = judged->log.base.claim;
    out->control = judged->log.control.change;
    out->stored = with_decision(&judged->log.stored, threshold);
    describe_arms(judged, one);
    describe_drift(judged, one);
    if (against != AGAINST_NONE)
        describe_effects(judged, against, one, other);
    return 0;
}
