/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the order in which configs are judged, and what they have in common. */
#include "judge/compare.h"

#include "judge/compare_internal.h"
#include "judge/levels.h"
#include "judge/numbers.h"
#include "judge/verdict.h"

#include <stdlib.h>
#include <string.h>

static void free_config_log(struct config_log *log)
{
    medians_free(&log->medians);
    free(log->stored_medians);
    estimate_free(&log->anchor);
    estimate_free(&log->base);
    estimate_free(&log->control);
    estimate_free(&log->stored);
    estimate_free(&log->filled);
    estimate_free(&log->own_filled);
    *log = (struct config_log){0};
}

void compare_log_free(struct compare_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        free_config_log(&log->configs[i]);
    free(log->configs);
    *log = (struct compare_log){0};
}

/* ---- what all configs share ---- */

/* Of every config that is measured; the others have none. */
static int take_medians(const struct samples *samples, struct compare_log *log,
                        struct err *err)
{
    log->configs = calloc(samples->count + 1, sizeof *log->configs);
    if (log->configs == NULL)
        return err_set(err, ERR_HOST, "judge: out of memory");
    for (; log->count < samples->count; log->count++) {
        const struct config_samples *config = &samples->configs[log->count];
        if (config->fault == FAULT_NONE && !config->identical &&
            medians_of(config, &log->configs[log->count].medians, err) != 0)
            return -1;
    }
    return 0;
}

/* How many configs could be called regressed or improved. */
static size_t family_of(const struct samples *samples, unsigned run)
{
    size_t count = 0;
    for (size_t i = 0; i < samples->count; i++)
        count += samples->configs[i].fault == FAULT_NONE && !samples->configs[i].identical &&
                 config_samples_until(&samples->configs[i], run) != 0;
    return count > 0 ? count : 1;
}

/* Without what later runs measured. Borrows. */
static struct medians medians_until(const struct medians *medians, size_t end)
{
    struct medians out = *medians;
    while (out.count > 0 && out.from[out.count - 1] >= end)
        out.count--;
    return out;
}

/* How far head scatters against the anchor, or base where there is none, in all configs. */
static int spread_over(const struct samples *samples, const struct compare_log *log,
                       unsigned run, struct spread *out, struct err *err)
{
    size_t count = 0;
    NUMBERS_AUTO *variances = numbers_new(samples->count);
    NUMBERS_AUTO *dfs = numbers_new(samples->count);
    if (variances == NULL || dfs == NULL)
        return err_set(err, ERR_HOST, "judge: out of memory");
    for (size_t i = 0; i < samples->count; i++) {
        const struct medians medians = medians_until(
            &log->configs[i].medians, config_samples_until(&samples->configs[i], run));
        struct pair pair = {
            .arm = ARM_HEAD, .other = ARM_ANCHOR, .tick_ns = tick_of(&samples->configs[i])};
        if (change_variance(&medians, &pair, &variances[count], &dfs[count], err) != 0)
            return -1;
        pair.other = ARM_BASE;
        if (dfs[count] <= 0 &&
            change_variance(&medians, &pair, &variances[count], &dfs[count], err) != 0)
            return -1;
        count += dfs[count] > 0;
    }
    *out = spread_of(variances, dfs, count);
    return 0;
}

static int set_levels(const struct samples *samples, const struct rule *rule,
                      struct compare_log *log, struct err *err)
{
    log->runs = 1;
    for (size_t i = 0; i < samples->count; i++)
        if (samples->configs[i].earlier_count >= log->runs)
            log->runs = samples->configs[i].earlier_count + 1;
    for (unsigned run = 0; run < log->runs; run++) {
        double looks = levels_divisor(rule, run);
        log->family[run] = family_of(samples, run);
        log->levels[run] = (struct levels){
            .bootstrap = {.resamples = rule->resamples,
                          .seed = rule->seed,
                          .confidence = rule->confidence},
            .looks = looks,
            .family = looks * (double)log->family[run],
        };
        if (spread_over(samples, log, run, &log->levels[run].spread, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- one config ---- */

static bool same_device(const struct samples *samples, const struct baseline *baseline)
{
    return strcmp(baseline->device.slug, samples->device.slug) == 0;
}

/* The config's row in the baseline, if it is one that can be compared. */
static void find_stored(struct judged *judged)
{
    const struct config *config = &judged->samples->config;
    const struct baseline_config *stored = baseline_find(judged->baseline, config->name);
    judged->other_problem = stored != NULL &&
                            !problem_matches(&stored->config.problem, &config->problem);
    judged->other_protocol = stored != NULL &&
                             strcmp(environment_protocol(&stored->environment),
                                    judged->protocol) != 0;
    judged->stored_config = judged->other_problem || judged->other_protocol ? NULL : stored;
}

/* As far as the samples lead. */
static int judge_samples(struct judged *judged, struct err *err)
{
    struct config_verdict *out = judged->out;
    if (judge_unmeasured(judged) || judge_claims(judged))
        return 0;
    if (estimate_all(judged, err) != 0)
        return -1;
    choose(judged);
    if (describe(judged, err) != 0)
        return -1;
    if (out->against == AGAINST_NONE || judge_unusable(judged))
        return 0;
    decide(judged);
    if (judge_gaps(judged, err) != 0 || judge_beside(judged, err) != 0)
        return -1;
    judge_unseen(judged);
    judged->passes = doubt_passes(judged);
    if (judged->samples->out_of_time && out->wants_more)
        add_reason(out, "; the time budget was spent after %zu replicates", out->replicates);
    return 0;
}

static int judge_config(struct judged *judged, struct err *err)
{
    const struct config_samples *samples = judged->samples;
    *judged->out = (struct config_verdict){.config = samples->config,
                                           .attempts = samples->attempts,
                                           .looks = judged->rule->look_count};
    if (judged->baseline != NULL && !judged->other_device)
        find_stored(judged);
    if (samples->fault == FAULT_NONE && !samples->identical)
        count_gaps(samples, judged->out);
    if (judge_samples(judged, err) != 0)
        return -1;
    add_notes(judged);
    return 0;
}

static int judge_configs(const struct samples *samples, const struct baseline *baseline,
                         const struct rule *rule, struct compare_log *log,
                         struct comparison *out, struct err *err)
{
    for (size_t i = 0; i < samples->count; i++) {
        struct judged judged = {
            .rule = rule,
            .levels = &log->levels[samples->configs[i].earlier_count],
            .samples = &samples->configs[i],
            .baseline = baseline,
            .other_device = baseline != NULL && !same_device(samples, baseline),
            .device = samples->device.slug,
            .protocol = environment_protocol(&samples->environment),
            .log = &log->configs[i],
            .out = &out->configs[out->count++],
        };
        if (judge_config(&judged, err) != 0)
            return err_wrap(err, "config `%s`", samples->configs[i].config.name);
        if (judged.out->verdict == VERDICT_UNCLEAR && !judged.passes)
            out->unclear_passes = false;
    }
    return 0;
}

/* ---- configs that nobody measured ---- */

/* What the baseline has and the samples lack is no pass, unless main dropped it. */
static int add_missing(const struct samples *samples, const struct baseline *baseline,
                       unsigned looks, struct comparison *out, struct err *err)
{
    for (size_t i = 0; i < baseline->count; i++) {
        const struct baseline_config *stored = &baseline->configs[i];
        if (samples_find(samples, stored->config.name) != NULL)
            continue;
        if (out->count == MODEL_CONFIGS_MAX)
            return err_set(err, ERR_INPUT,
                           "more than %d configs, with those that are in the baseline alone",
                           MODEL_CONFIGS_MAX);
        struct config_verdict *row = &out->configs[out->count++];
        *row = (struct config_verdict){
            .config = stored->config,
            .verdict = stored->retired ? VERDICT_HELD : VERDICT_UNMEASURED,
            .clause = stored->retired ? CLAUSE_RETIRED : CLAUSE_NOT_MEASURED,
            .fault = stored->retired ? FAULT_NONE : FAULT_US,
            .looks = looks};
        if (stored->retired)
            add_reason(row,
                       "ci/ratchet.conf lists it no more: the next promotion retires it from "
                       "the baseline");
        else
            add_reason(row, "`%s` is in the baseline and was not measured", row->config.name);
    }
    return 0;
}

/* ---- the whole ---- */

int compare_logged(const struct samples *samples, const struct baseline *baseline,
                   const struct rule *rule, struct comparison *out, struct compare_log *log,
                   struct err *err)
{
    size_t rows = samples->count + (baseline == NULL ? 0 : baseline->count);
    __attribute__((cleanup(compare_log_free))) struct compare_log numbers = {0};
    COMPARISON_AUTO comparison = {
        .device = samples->device,
        .configs = calloc(rows + 1, sizeof *comparison.configs),
        .unclear_passes = rule->unclear_passes,
    };
    if (comparison.configs == NULL)
        return err_set(err, ERR_HOST, "judge: out of memory");
    if (take_medians(samples, &numbers, err) != 0 ||
        set_levels(samples, rule, &numbers, err) != 0 ||
        judge_configs(samples, baseline, rule, &numbers, &comparison, err) != 0)
        return -1;
    if (baseline != NULL && same_device(samples, baseline) &&
        add_missing(samples, baseline, rule->look_count, &comparison, err) != 0)
        return -1;
    verdict_roll_up(&comparison);
    *out = comparison;
    comparison = (struct comparison){0};
    if (log != NULL) {
        *log = numbers;
        numbers = (struct compare_log){0};
    }
    return 0;
}

int compare_samples(const struct samples *samples, const struct baseline *baseline,
                    const struct rule *rule, struct comparison *out, struct err *err)
{
    return compare_logged(samples, baseline, rule, out, NULL, err);
}
