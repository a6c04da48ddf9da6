/* SPDX-License-Identifier: Apache-2.0 */
/* From libraries to a comparison: the device held, and replicates until the judge has seen
 * enough. */
#include "pipeline/measurement.h"

#include "base/proc.h"
#include "judge/verdict.h"
#include "measure/bench.h"
#include "measure/bits.h"
#include "measure/build.h"
#include "measure/device/device.h"
#include "pipeline/alone.h"
#include "pipeline/arms.h"
#include "pipeline/attempts.h"
#include "pipeline/counters.h"
#include "pipeline/environment.h"
#include "pipeline/hold.h"
#include "pipeline/bench_setup.h"
#include "pipeline/why.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- bench ---- */

/* Where base runs the anchor's own machine code, a base arm would measure the anchor a third
 * time: the change against the anchor is the PR's own contribution then. */
static void set_arms(const struct measurement *measurement, const struct arms *arms,
                     struct bench_config *benches)
{
    for (size_t i = 0; i < measurement->config.config_count; i++) {
        benches[i].config = measurement->config.configs[i];
        request_set_arm(&benches[i], ARM_HEAD, arms->head);
        request_set_arm(&benches[i], ARM_ANCHOR, arms_anchor(arms, i));
        if (!arms_same_code(arms->base, arms_anchor(arms, i)))
            request_set_arm(&benches[i], ARM_BASE, arms->base);
    }
}

/* What is known before anything runs: identical machine code, and anchors that cannot run. */
static void set_known(struct samples *samples, const struct arms *arms,
                      const struct bench_config *benches)
{
    for (size_t i = 0; i < samples->count; i++) {
        struct config_samples *config = &samples->configs[i];
        memcpy(config->arms, benches[i].info, sizeof config->arms);
        config->arms[ARM_CONTROL] = config->arms[ARM_ANCHOR];
        const struct anchor *anchor = arms->of_config[i];
        if (arms_same_code(arms->head, arms_anchor(arms, i))) {
            config->identical = true;
            config->identical_to = ARM_ANCHOR;
        } else if (arms_same_code(arms->head, arms->base)) {
            config->identical = true;
            config->identical_to = ARM_BASE;
        }
        if (anchor != NULL && anchor->library == NULL) {
            config->anchor_failed = true;
            config->anchor_unbuilt = anchor->unbuilt;
            memcpy(config->anchor_failure, anchor->failure, MODEL_TEXT_BYTES);
        }
    }
}

/* Marked replicates are taken again, up to as many again as were planned. */
static size_t attempts_max(const struct measurement *measurement)
{
    const struct rule *rule = &measurement->config.rule;
    size_t planned = rule->looks[rule->look_count - 1];
    size_t limit = measurement->host->limits.replicates;
    return 2 * planned < limit ? 2 * planned : limit;
}

/* Of those that are `open`, the configs that lack replicates for `target`. */
static bool choose(const struct measurement *measurement, size_t target, const bool *open,
                   bool *want)
{
    bool any = false;
    for (size_t i = 0; i < measurement->samples.count; i++) {
        const struct config_samples *config = &measurement->samples.configs[i];
        want[i] = open[i] && !config->identical && config->fault == FAULT_NONE &&
                  !config->out_of_time && config_samples_unmarked_now(config) < target &&
                  config->attempts - measurement->pace.started_before[i] <
                      attempts_max(measurement);
        any = any || want[i];
    }
    return any;
}

/* How far it is, and how long it will take: to this look, and to the last. */
static void set_figures(struct measurement *measurement, size_t target, const bool *open,
                        const bool *want)
{
    const struct samples *samples = &measurement->samples;
    const struct rule *rule = &measurement->config.rule;
    struct progress_figures *now = &measurement->now;
    size_t budget = rule->looks[rule->look_count - 1];
    bool all[MODEL_CONFIGS_MAX]; /* that could be measured until then */
    now->configs = 0;
    now->replicates = now->replicates_max = budget;
    for (size_t i = 0; i < samples->count; i++) {
        size_t count = config_samples_unmarked_now(&samples->configs[i]);
        now->configs += want[i];
        now->replicates = want[i] && count < now->replicates ? count : now->replicates;
    }
    double left_s = budget_left_s(&measurement->budget);
    double most_s = choose(measurement, budget, open, all)
                        ? pace_left(&measurement->pace, samples, all, budget)
                        : 0;
    measurement_set_left(measurement,
                         fmin(pace_left(&measurement->pace, samples, want, target), left_s),
                         fmin(most_s, left_s));
}

/* One more replicate of each config that is wanted. */
static int take_round(struct measurement *measurement, const struct bench_request *request,
                      const bool *want, struct err *err)
{
    uint64_t begin = proc_now_ns();
    int rc = bench_replicate(request, want, &measurement->samples, err);
    pace_end_round(&measurement->pace, (double)(proc_now_ns() - begin) / 1e9);
    return rc;
}

/* Replicates of the config that has most. */
static size_t most_unmarked(const struct samples *samples)
{
    size_t most = 0;
    for (size_t i = 0; i < samples->count; i++) {
        size_t count = config_samples_unmarked_now(&samples->configs[i]);
        most = count > most ? count : most;
    }
    return most;
}

/* Look, and go on with the configs that more replicates could settle, of those that are open in
 * `attempts` (NULL: all). */
static int look_until_settled(struct measurement *measurement,
                              const struct bench_request *asked, struct attempts *attempts,
                              struct err *err)
{
    const bool *may = attempts == NULL ? NULL : attempts->open;
    const struct rule *rule = &measurement->config.rule;
    struct bench_request request = *asked;
    bool open[MODEL_CONFIGS_MAX], want[MODEL_CONFIGS_MAX];
    memset(open, true, sizeof open);
    if (may != NULL)
        memcpy(open, may, sizeof open);
    for (unsigned look = 0; look < rule->look_count; look++) {
        size_t before = most_unmarked(&measurement->samples);
        while (choose(measurement, rule->looks[look], open, want) &&
               budget_fit(&measurement->budget, &measurement->pace, &measurement->samples,
                          want)) {
            set_figures(measurement, rule->looks[look], open, want);
            budget_share(&measurement->budget, &measurement->pace, &measurement->samples, want,
                         rule->looks[0], &request);
            if (take_round(measurement, &request, want, err) != 0 ||
                (attempts != NULL && look == 0 &&
                 attempts_save_round(measurement, attempts, want, err) != 0))
                return -1;
            measurement_tell(measurement, PROGRESS_ROUND, "%s", "");
        }
        if (measurement_compare(measurement, err) != 0 ||
            (attempts != NULL && attempts_save(measurement, attempts, err) != 0))
            return -1;
        bool any = false;
        for (size_t i = 0; i < measurement->samples.count; i++) { /* rows of more may follow */
            open[i] = (may == NULL || may[i]) &&
                      measurement->comparison.configs[i].wants_more &&
                      !measurement->samples.configs[i].out_of_time;
            any = any || open[i];
        }
        size_t taken = most_unmarked(&measurement->samples);
        if (rule->look_count > 1 && taken > before) /* else nothing ran, or nothing counts */
            measurement_tell(measurement, PROGRESS_LOOK, "after %zu replicates: %s", taken,
                             measurement->comparison.reason);
        if (!any)
            break;
    }
    return 0;
}

/* What head is compared with, without head beside it, where the judge asks for that. */
static int look_without_head(struct measurement *measurement,
                             const struct bench_request *request, struct attempts *attempts,
                             struct err *err)
{
    for (int process = 0; process < WITHOUT_HEAD_PROCESSES; process++) {
        bool want[MODEL_CONFIGS_MAX], any = false;
        for (size_t i = 0; i < measurement->samples.count; i++) {
            want[i] = (attempts == NULL || attempts->open[i]) &&
                      measurement->comparison.configs[i].wants_without_head &&
                      !measurement->samples.configs[i].out_of_time;
            any = any || want[i];
        }
        if (!any)
            return 0;
        bool fits = budget_fit(&measurement->budget, &measurement->pace, &measurement->samples,
                               want);
        measurement_tell(measurement, PROGRESS_ROUND, "%s", "");
        if ((fits && bench_without_head(request, want, &measurement->samples, err) != 0) ||
            measurement_compare(measurement, err) != 0 ||
            (attempts != NULL && attempts_save(measurement, attempts, err) != 0))
            return -1;
    }
    return 0;
}

/* What every measurement of this job begins with, the environment's facts included. `built`:
 * head, NULL where the libraries are `ready` ones that were not built here. */
static int begin(struct measurement *measurement, const struct bench_config *benches,
                 const struct library *built, const struct measurement_libraries *ready,
                 struct gpu *gpu, struct gpu_watch *watch, struct bench_request *out,
                 struct err *err)
{
    if (request_fill(measurement, benches, ready, gpu, watch, out, err) != 0)
        return -1;
    samples_free(&measurement->samples);
    if (bench_begin(out, &measurement->samples, err) != 0)
        return -1;
    return built == NULL ? 0 : environment_add_build(measurement, &built->source, err);
}

/* What a time budget cost, where it cost anything. */
static void note_budget(struct measurement *measurement)
{
    const struct samples *samples = &measurement->samples;
    const struct budget *budget = &measurement->budget;
    size_t shortened = 0, ended = 0, first = samples->count;
    for (size_t i = 0; i < samples->count; i++) {
        shortened += samples->configs[i].shortened;
        ended += samples->configs[i].out_of_time;
        first = first == samples->count && samples->configs[i].out_of_time ? i : first;
    }
    double took_s = (double)(proc_now_ns() - budget->begin_ns) / 1e9;
    char what[MODEL_TEXT_BYTES / 2] = "";
    if (ended == 1)
        snprintf(what, sizeof what, " It was spent before `%s` had enough replicates.",
                 samples->configs[first].config.name);
    else if (ended > 1)
        snprintf(what, sizeof what,
                 " It was spent before %zu configs had enough replicates, `%s` among them.",
                 ended, samples->configs[first].config.name);
    if (shortened > 0 || ended > 0)
        measurement_note(measurement,
                         "Time budget: %.3g s, measuring took %.3g s. Samples, launches or "
                         "warm-up were cut for it in %zu of %zu configs.%s",
                         budget->total_s, took_s, shortened, samples->count, what);
}

/* Replicates until all that is open (NULL: everything) is settled. */
static int take_rounds(struct measurement *measurement, const struct bench_request *request,
                       double budget_ns, struct attempts *attempts, struct bits *bits,
                       struct err *err)
{
    uint64_t start = proc_now_ns();
    measurement->pace = (struct pace){.rounds = 0};
    measurement->budget = (struct budget){.begin_ns = start, .total_s = budget_ns / 1e9};
    for (size_t i = 0; i < measurement->samples.count; i++) {
        const struct config_samples *config = &measurement->samples.configs[i];
        measurement->pace.before[i] = config_samples_unmarked_now(config);
        if (config->earlier_count > 0)
            measurement->pace.started_before[i] = config->attempts;
    }
    measurement_stage(measurement, STAGE_MEASURE);
    int result = look_until_settled(measurement, request, attempts, err);
    if (result == 0)
        result = look_without_head(measurement, request, attempts, err);
    if (result == 0 && bits != NULL)
        result = bits_look(request, &measurement->samples, bits, err);
    measurement_stage(measurement, STAGE_NONE);
    if (result == 0 && request->gpu != NULL)
        result = gpu_watch_facts(request->watch, &measurement->samples.environment, err);
    measurement->bench_s += (double)(proc_now_ns() - start) / 1e9;
    note_budget(measurement);
    return result;
}

/* What earlier checks of this code leave open; nothing where all of it is settled. */
static int take_open(struct measurement *measurement, const struct bench_request *request,
                     double budget_ns, struct bits *bits, struct err *err)
{
    ATTEMPTS_AUTO attempts;
    struct err problem = {0};
    if (attempts_take_up(measurement, &attempts, err) != 0)
        return -1;
    if (attempts.settled)
        return measurement_compare(measurement, err);
    int result = take_rounds(measurement, request, budget_ns, &attempts, bits, err);
    if (attempts_keep(measurement, &attempts, result == 0, &problem) == 0)
        return result;
    if (result == 0)
        *err = problem;
    return -1;
}

/* Take all the replicates that it needs, with the device held. `budget_ns`: 0: as long as it takes.
 * `remembers`: earlier checks are gone on with. `bits` may be NULL: nobody asks. */
static int take(struct measurement *measurement, const struct bench_request *request,
                double budget_ns, bool remembers, struct bits *bits, struct err *err)
{
    HOLD_AUTO hold = {measurement, .lock = LANE_LOCK_NONE};
    if (hold_device(measurement, request->gpu, &measurement->samples.environment, &hold,
                    err) != 0)
        return -1;
    return remembers ? take_open(measurement, request, budget_ns, bits, err)
                     : take_rounds(measurement, request, budget_ns, NULL, bits, err);
}

static int bench(struct measurement *measurement, const struct arms *arms,
                 struct bench_config *benches, struct bits *bits, struct err *err)
{
    struct gpu gpu;
    struct gpu_watch watch = {0};
    struct bench_request request;
    if (begin(measurement, benches, arms->head, NULL, &gpu, &watch, &request, err) != 0)
        return -1;
    set_known(&measurement->samples, arms, benches);
    double budget_ns = measurement->budget_ns > 0 ? measurement->budget_ns
                                                  : measurement->config.bench.budget_ns;
    /* Nobody waits for a promotion, and what it records is what checks are held against. */
    return take(measurement, &request, measurement->job.kind == JOB_PROMOTE ? 0 : budget_ns,
                true, bits, err);
}

/* Facts that are known before anything is measured have to be what they were then. */
static int check_same_place(const struct samples *before, const struct samples *now,
                            struct err *err)
{
    for (size_t i = 0; i < now->environment.count; i++) {
        const struct fact *fact = &now->environment.facts[i];
        const char *was = environment_get(&before->environment, fact->name);
        if (was != NULL && strcmp(was, fact->value) != 0)
            return err_set(err, ERR_INPUT,
                           "it was begun with %s `%.80s`, now it is `%.80s`: begin another",
                           fact->name, was, fact->value);
    }
    return 0;
}

/* Go on from what was measured before, config by config in the same order. */
static int take_over(struct samples *before, struct samples *now, struct err *err)
{
    if (before->count != now->count)
        return err_set(err, ERR_INTERNAL, "%zu configs before, %zu now", before->count,
                       now->count);
    if (check_same_place(before, now, err) != 0)
        return -1;
    for (size_t i = 0; i < now->count; i++) {
        struct config_samples *from = &before->configs[i], *to = &now->configs[i];
        to->replicates = from->replicates;
        to->count = from->count;
        to->attempts = from->attempts;
        from->replicates = NULL;
        from->count = 0;
        to->fault = from->fault;
        to->clause = from->clause;
        memcpy(to->failure, from->failure, sizeof to->failure);
        memcpy(to->left_out, from->left_out, sizeof to->left_out);
        memcpy(to->peak_bytes, from->peak_bytes, sizeof to->peak_bytes);
    }
    return 0;
}

int measurement_sweep(struct measurement *measurement,
                      const struct measurement_libraries *libraries, const char *work,
                      struct err *err)
{
    struct gpu gpu;
    struct gpu_watch watch = {0};
    struct bench_request request;
    if (file_path(measurement->work, err, "%s", work) != 0 ||
        begin(measurement, libraries->configs, NULL, libraries, &gpu, &watch, &request, err) !=
            0)
        return -1;
    if (libraries->before != NULL &&
        take_over(libraries->before, &measurement->samples, err) != 0)
        return -1;
    return take(measurement, &request, libraries->budget_ns, false, NULL, err);
}

/* Without a driver, or without the GPU that the host's configuration names, nothing needs to be
 * built. */
static int need_gpu(const struct measurement *measurement, struct err *err)
{
    const struct host_device *device = measurement->device;
    struct gpu gpu;
    return device_is_gpu(device->slug)
               ? device_find_gpu(device->slug, measurement->lane->gpu, &gpu, err)
               : 0;
}

int measurement_verify(struct measurement *measurement, const char *head, bool with_base,
                       struct bits *bits, struct err *err)
{
    struct arms *arms __attribute__((cleanup(arms_free))) = arms_new(measurement, err);
    struct bench_config benches[MODEL_CONFIGS_MAX] = {0};
    if (arms == NULL || need_gpu(measurement, err) != 0)
        return -1;
    int built = arms_build(measurement, arms, head, with_base, err);
    if (built == 0 && with_base)
        alone_look(measurement, arms);
    if (built <= 0)
        return built;
    set_arms(measurement, arms, benches);
    if (bench(measurement, arms, benches, bits, err) != 0)
        return -1;
    if (with_base)
        alone_look(measurement, arms);
    if (with_base ||
        measurement->job.kind == JOB_PROMOTE) { /* what is measured alone never moves */
        why_look(measurement, arms);
        counters_look(measurement, arms);
    }
    return 0;
}

int measurement_take(struct measurement *measurement, const char *head, bool with_base,
                     struct err *err)
{
    return measurement_verify(measurement, head, with_base, NULL, err);
}

int measurement_lend(struct measurement *measurement, const char *commit,
                     const struct measurement_lab *lab, struct err *err)
{
    struct arms *arms __attribute__((cleanup(arms_free))) = arms_new(measurement, err);
    struct bench_config benches[MODEL_CONFIGS_MAX] = {0};
    struct bench_request request;
    struct gpu_watch watch = {0};
    struct gpu gpu;
    if (arms == NULL ||
        arms_build_one(measurement, arms, commit, "kernel", &arms->head, err) != 0)
        return -1;
    if (!arms->head->result.built)
        return err_set(err, ERR_INPUT, "%.10s: %.480s", commit, arms->head->result.failure);
    for (size_t i = 0; i < measurement->config.config_count; i++) {
        benches[i].config = measurement->config.configs[i];
        for (int arm = 0; arm < ARM_OTHER; arm++)
            request_set_arm(&benches[i], (enum arm)arm, arms->head);
    }
    if (begin(measurement, benches, arms->head, NULL, &gpu, &watch, &request, err) != 0)
        return -1;
    for (size_t i = 0; i < measurement->samples.count; i++)
        if (measurement->samples.configs[i].fault != FAULT_NONE)
            return err_set(err, ERR_INPUT, "%s: %.480s", benches[i].config.name,
                           measurement->samples.configs[i].failure);
    HOLD_AUTO hold = {measurement, .lock = LANE_LOCK_NONE};
    if (hold_device(measurement, request.gpu, &measurement->samples.environment, &hold, err) !=
        0)
        return -1;
    return lab->use(lab->context, &request, err);
}
