/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a study decides by: means over configs, with intervals that are corrected. */
#include "lab/study_means.h"

#include "lab/study_rows.h"
#include "lab/sweep.h"

#include <stdlib.h>

/* Bonferroni. */
static struct rule corrected_for(size_t comparisons, const struct rule *rule)
{
    struct rule strict = *rule;
    strict.confidence = 1 -
                        (1 - rule->confidence) / (double)(comparisons == 0 ? 1 : comparisons);
    return strict;
}

/* ARM_OTHER over head; `ci_decision` by `strict`. */
static int set_mean(const struct samples *samples, const struct rule *rule,
                    const struct rule *strict, struct change *out, size_t *configs,
                    struct err *err)
{
    struct change corrected;
    if (sweep_mean(samples, ARM_OTHER, rule, out, configs, err) != 0 ||
        sweep_mean(samples, ARM_OTHER, strict, &corrected, configs, err) != 0)
        return -1;
    out->ci_decision = corrected.ci;
    return 0;
}

/* ---- a proposal, over the best kernel before it ---- */

static bool config_is_better(const struct change *change)
{
    return change->known && change->ci.low <= 0;
}

int study_judge(const struct samples *samples, const struct rule *rule, size_t proposals,
                struct study_judged *out, struct err *err)
{
    const struct rule strict = corrected_for(proposals, rule);
    struct study_judged judged = {.config_count = samples->count};
    struct change corrected;
    size_t configs;
    if (set_mean(samples, rule, &strict, &judged.mean, &configs, err) != 0)
        return -1;
    judged.better = judged.mean.known && judged.mean.ci_decision.high < 0;
    for (size_t i = 0; i < samples->count; i++) {
        struct change *change = &judged.configs[i];
        size_t unmarked = config_samples_unmarked(&samples->configs[i]);
        if (sweep_ratio(&samples->configs[i], ARM_OTHER, rule, change, err) != 0 ||
            sweep_ratio(&samples->configs[i], ARM_OTHER, &strict, &corrected, err) != 0)
            return -1;
        change->ci_decision = corrected.ci;
        if (i == 0 || unmarked < judged.replicates)
            judged.replicates = unmarked;
        judged.better = judged.better && config_is_better(change);
    }
    judged.better = judged.better && judged.replicates >= rule->min_replicates;
    *out = judged;
    return 0;
}

/* ---- the first kernel, over the best ---- */

/* Samples whose first kernels all stand in one place. Borrows every series. */
struct view {
    struct samples samples;
    struct replicate *replicates; /* owned: of all configs */
};

static void view_free(struct view *view)
{
    free(view->samples.configs);
    free(view->replicates);
}

static int view_of(const struct samples *samples, struct view *out, struct err *err)
{
    size_t count = 0;
    for (size_t i = 0; i < samples->count; i++)
        count += samples->configs[i].count;
    out->samples = *samples;
    out->samples.configs = calloc(samples->count + 1, sizeof *samples->configs);
    out->replicates = calloc(count + 1, sizeof *out->replicates);
    if (out->samples.configs == NULL || out->replicates == NULL)
        return err_set(err, ERR_HOST, "out of memory for a study's mean");
    struct replicate *at = out->replicates;
    for (size_t i = 0; i < samples->count; i++) {
        const struct config_samples *from = &samples->configs[i];
        enum arm first = study_first_arm(from);
        out->samples.configs[i] = *from;
        out->samples.configs[i].replicates = at;
        for (size_t r = 0; r < from->count; r++, at++) {
            *at = from->replicates[r];
            at->arms[ARM_OTHER] = at->arms[first];
        }
    }
    return 0;
}

int study_speedup(const struct samples *samples, const struct rule *rule, struct change *out,
                  size_t *configs, struct err *err)
{
    struct view view __attribute__((cleanup(view_free))) = {.replicates = NULL};
    const struct rule strict = corrected_for(rule->look_count, rule);
    return view_of(samples, &view, err) != 0
               ? -1
               : set_mean(&view.samples, rule, &strict, out, configs, err);
}
