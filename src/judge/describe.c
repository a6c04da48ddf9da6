/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is shown of a config, whatever its verdict. */
#include "judge/compare_internal.h"

#include "judge/numbers.h"
#include "judge/stats.h"

#include <math.h>
#include <string.h>

/* The interval that decides, put where it is reported. */
static struct change with_decision(const struct estimate *estimate, double threshold)
{
    struct change change = estimate->change;
    if (change.ci_decision.low > threshold || change.ci_decision.high < -threshold)
        change.ci_decision = estimate->family;
    return change;
}

static void describe_arms(struct judged *judged, double *column)
{
    struct config_verdict *out = judged->out;
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        size_t count = medians_column(&judged->log->medians, (enum arm)arm, (enum arm)arm,
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

/* Of head against what it is compared with. */
static void describe_effects(struct judged *judged, double *head, double *other)
{
    struct config_verdict *out = judged->out;
    size_t n;
    size_t m;
    if (out->against == AGAINST_STORED) {
        n = medians_column(&judged->log->medians, ARM_HEAD, ARM_HEAD, head);
        m = judged->stored_config->count;
        memcpy(other, judged->log->stored_medians, m * sizeof *other);
    } else {
        enum arm arm = out->against == AGAINST_ANCHOR ? ARM_ANCHOR : ARM_BASE;
        n = medians_column(&judged->log->medians, ARM_HEAD, arm, head);
        m = medians_column(&judged->log->medians, arm, ARM_HEAD, other);
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
    size_t count = medians_column(&judged->log->medians, ARM_ANCHOR, ARM_ANCHOR, column);
    if (count == 0)
        return;
    struct config_verdict *out = judged->out;
    const struct rule *rule = judged->rule;
    out->anchor_drift = change_of_means(column, count, judged->log->stored_medians,
                                        judged->stored_config->count);
    out->anchor_drift_known = true;
    out->anchor_drifted = fabs(out->anchor_drift) > rule->threshold + rule->drift_margin;
}

/* The mean of the logs of the rows that are of one run, `at` the first of them. */
static struct run_change run_of(const struct judged *judged, size_t *row, size_t *at,
                                size_t end)
{
    const struct medians *medians = &judged->log->medians;
    const struct estimate *estimate = deciding(judged);
    enum against against = judged->out->against;
    enum arm other = against == AGAINST_ANCHOR ? ARM_ANCHOR
                     : against == AGAINST_BASE ? ARM_BASE
                                               : ARM_HEAD;
    struct run_change run = {0};
    double sum = 0;
    for (; *row < medians->count && medians->from[*row] < end; (*row)++) {
        if (medians->rows[*row][other] <= 0)
            continue;
        sum += estimate->logs[(*at)++];
        run.replicates++;
    }
    run.known = run.replicates > 0;
    if (run.known)
        run.change = change_of_log(estimate, sum / (double)run.replicates);
    return run;
}

/* What each check of this code showed by itself. */
static void describe_runs(struct judged *judged)
{
    struct config_verdict *out = judged->out;
    unsigned runs = judged->samples->earlier_count + 1;
    size_t row = 0, at = 0;
    if (runs == 1 || deciding(judged)->logs == NULL)
        return;
    out->run_count = runs;
    for (unsigned i = 0; i < runs; i++)
        out->runs[i] = run_of(judged, &row, &at, config_samples_until(judged->samples, i));
}

int describe(struct judged *judged, struct err *err)
{
    size_t room = judged->log->medians.count;
    if (judged->stored_config != NULL && judged->stored_config->count > room)
        room = judged->stored_config->count;
    NUMBERS_AUTO *one = numbers_new(room);
    NUMBERS_AUTO *other = numbers_new(room);
    if (one == NULL || other == NULL)
        return err_set(err, ERR_HOST, "judge: out of memory");
    struct config_verdict *out = judged->out;
    double threshold = judged->rule->threshold;
    out->own = judged->log->base.change;
    if (judged->log->base.change.ci_decision.low > judged->rule->own_floor)
        out->own.ci_decision = judged->log->base.family;
    out->control = judged->log->control.change;
    out->stored = with_decision(&judged->log->stored, threshold);
    describe_arms(judged, one);
    describe_drift(judged, one);
    if (out->against == AGAINST_NONE)
        return 0;
    const struct estimate *estimate = deciding(judged);
    out->replicates = estimate->replicates;
    out->change = with_decision(estimate, threshold);
    describe_effects(judged, one, other);
    describe_runs(judged);
    return 0;
}
