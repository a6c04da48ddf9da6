/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the search: which candidates are built and measured when, and which go on. */
#include "lab/autotune_internal.h"

#include "base/proc.h"
#include "judge/num.h"
#include "lab/sweep.h"
#include "lab/tune_log.h"
#include "measure/bench.h"
#include "measure/device/device.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shares of the budget, after which a part of the search begins nothing more. */
static const double first_round_share = 0.5, rounds_share = 0.7;
enum { ROUND_SAMPLES_LEAST = 10 };

void autotune_free(struct autotune *tune)
{
    for (size_t i = 0; i < tune->count; i++)
        free(tune->trials[i].logs);
    free(tune->trials);
    samples_free(&tune->samples);
    tune_sources_free(&tune->sources);
}

static double spent_s(const struct autotune *tune)
{
    return tune->before_s + (double)(proc_now_ns() - tune->start_ns) / 1e9;
}

/* ---- measuring ---- */

static void set_library(struct bench_config *bench, enum arm arm,
                        const struct build_result *library, const char *commit)
{
    bench->library[arm] = library->library;
    bench->info[arm].present = true;
    snprintf(bench->info[arm].commit, sizeof bench->info[arm].commit, "%s", commit);
    memcpy(bench->info[arm].code, library->code, sizeof bench->info[arm].code);
}

/* Today's kernel and these candidates in the same processes; measurement->samples has them. */
static int measure(struct search *search, const size_t *trials, size_t count,
                   unsigned replicates, unsigned samples, struct err *err)
{
    struct autotune *tune = search->tune;
    struct measurement *measurement = tune->measurement;
    struct ratchet_config config = tune->config;
    char others[ARM_OTHERS_MAX][MODEL_NAME_BYTES] = {""}, work[FILE_PATH_BYTES];
    struct bench_config *benches = calloc(config.config_count, sizeof *benches);
    if (benches == NULL)
        return err_set(err, ERR_HOST, "out of memory for a group");
    config.bench.samples = samples;
    config.rule.looks[0] = replicates;
    config.rule.look_count = 1;
    for (size_t c = 0; c < config.config_count; c++) {
        benches[c].config = config.configs[c];
        set_library(&benches[c], ARM_HEAD, &tune->today, measurement->job.head);
        for (size_t i = 0; i < count; i++)
            set_library(&benches[c], (enum arm)(ARM_OTHER + (int)i),
                        &tune->trials[trials[i]].library, tune->trials[trials[i]].commit);
    }
    for (size_t i = 0; i < count; i++)
        tune_log_arm(trials[i], others[i]);
    const struct measurement_libraries libraries = {
        .configs = benches, .others = (const char(*)[MODEL_NAME_BYTES])others};
    uint64_t begin = proc_now_ns(), held_ns = measurement->device_ns;
    measurement_set_config(measurement, &config);
    int result = file_path(work, err, "%s", measurement->work) != 0
                     ? -1
                     : measurement_sweep(measurement, &libraries, work, err);
    tune->held_s += (double)(measurement->device_ns - held_ns) / 1e9;
    search->seconds_each = (double)(proc_now_ns() - begin) / 1e9 / replicates /
                           (double)(count + 1);
    free(benches);
    for (size_t c = 0; result == 0 && c < measurement->samples.count; c++) {
        const struct config_samples *one = &measurement->samples.configs[c];
        if (one->fault != FAULT_NONE)
            result = err_set(err, ERR_INPUT,
                             "today's kernel cannot be measured on `%s`: %.380s",
                             one->config.name, one->failure);
    }
    return result;
}

/* Why an arm has no place among the others any more: one line, or "". */
static void find_trouble(const struct samples *samples, size_t other,
                         char text[MODEL_TEXT_BYTES])
{
    text[0] = '\0';
    for (size_t c = 0; c < samples->count && text[0] == '\0'; c++)
        if (samples->configs[c].left_out[other][0] != '\0')
            snprintf(text, MODEL_TEXT_BYTES, "%s: %.420s", samples->configs[c].config.name,
                     samples->configs[c].left_out[other]);
}

/* From samples to logs of ratios; a candidate without them in some config is out. */
static int score(struct search *search, unsigned round, size_t trial, size_t other,
                 struct err *err)
{
    struct autotune *tune = search->tune;
    const struct samples *samples = &tune->measurement->samples;
    char why[MODEL_TEXT_BYTES];
    double mean = 0;
    find_trouble(samples, other, why);
    for (size_t c = 0; why[0] == '\0' && c < samples->count; c++) {
        struct change change;
        if (sweep_first_look(&samples->configs[c], (enum arm)(ARM_OTHER + (int)other),
                             &tune->config.rule, &change, err) != 0)
            return -1;
        if (!change.known)
            snprintf(why, sizeof why, "%s: fewer than two processes timed it",
                     samples->configs[c].config.name);
        tune->trials[trial].logs[c] = change.known ? num_log(1 + change.change) : 0;
        mean += tune->trials[trial].logs[c] / (double)samples->count;
    }
    tune->trials[trial].mean = mean;
    tune->trials[trial].rounds = round;
    return why[0] == '\0' ? 0 : tune_log_reject(tune, trial, round, why, err);
}

static int measure_group(struct search *search, unsigned round, const size_t *trials,
                         size_t count, struct err *err)
{
    struct autotune *tune = search->tune;
    unsigned samples = tune->config.bench.samples;
    unsigned third = samples / 3 > ROUND_SAMPLES_LEAST ? samples / 3 : ROUND_SAMPLES_LEAST;
    uint64_t begin = proc_now_ns();
    if (round == 1 && third < samples)
        samples = third;
    if (measure(search, trials, count, (unsigned)AUTOTUNE_FIRST_REPLICATES << (round - 1),
                samples, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (score(search, round, trials[i], i, err) != 0)
            return -1;
    return tune_log_group(tune, round, trials, count, (double)(proc_now_ns() - begin) / 1e9,
                          err);
}

static void tell(const struct search *search, unsigned round, size_t done, size_t all)
{
    const struct autotune *tune = search->tune;
    double left = tune->options->budget_s - spent_s(tune);
    BUF_AUTO spent;
    buf_init(&spent, 256);
    autotune_spent(tune, &spent);
    measurement_say(tune->measurement,
                    "autotune: round %u, %zu of %zu candidates; at most %.0f s left; %s",
                    round, done, all, left > 0 ? left : 0.0, spent.data);
}

/* ---- rounds ---- */

/* Candidates, as places in tune->trials. */
struct list {
    const size_t *trials;
    size_t length;
};
struct group {
    size_t trials[AUTOTUNE_GROUP];
    size_t count;
    bool known; /* to the log: it was measured */
};

/* Those of a list, from `at` on, that belong in a group; returns where the next group begins. */
static size_t form_group(const struct autotune *tune, unsigned round, const struct list *list,
                         size_t at, struct group *group)
{
    group->count = 0;
    for (; at < list->length && group->count < AUTOTUNE_GROUP; at++)
        if (trial_is_in(&tune->trials[list->trials[at]], round))
            group->trials[group->count++] = list->trials[at];
    return at;
}

/* Build what is in the group. *whole: all of it can be built, and is nothing that was there before. */
static int build_group(struct search *search, unsigned round, const struct group *group,
                       bool *whole, struct err *err)
{
    struct autotune *tune = search->tune;
    *whole = true;
    for (size_t i = 0; i < group->count; i++) {
        char why[MODEL_TEXT_BYTES];
        size_t trial = group->trials[i];
        if (trials_wait_for(search, trial, err) != 0)
            return -1;
        bool twin = round == 1 && trial_is_in(&tune->trials[trial], 1) &&
                    trials_has_twin(tune, trial, why, sizeof why);
        if (twin && tune_log_reject(tune, trial, 0, why, err) != 0)
            return -1;
        *whole = *whole && trial_is_in(&tune->trials[trial], round);
    }
    return 0;
}

static int begin_builds(struct search *search, unsigned round, const struct list *list,
                        size_t at, size_t end, struct err *err)
{
    for (; at < list->length && at < end; at++)
        if (trial_is_in(&search->tune->trials[list->trials[at]], round) &&
            trials_begin_build(search, list->trials[at], err) != 0)
            return -1;
    return 0;
}

/* Of a list, from `at` on: those that nothing was said against. */
static size_t count_left(const struct autotune *tune, const struct list *list, size_t at)
{
    size_t count = 0;
    for (; at < list->length; at++)
        count += tune->trials[list->trials[at]].rejected[0] == '\0';
    return count;
}

/* The next group of a list, from *at on: known to the log, or built. 1: what the log has not is left, as this part of
 * the budget is spent. The first group of all is begun in any case. */
static int next_group(struct search *search, unsigned round, double share,
                      const struct list *list, size_t *at, struct group *group,
                      struct err *err)
{
    struct autotune *tune = search->tune;
    bool begun = round > 1 || *at > 0;
    for (;; begun = true) {
        bool whole;
        size_t next = form_group(tune, round, list, *at, group);
        int found = group->count == 0
                        ? 1
                        : tune_log_find(tune, round, group->trials, group->count, err);
        group->known = found > 0;
        if (found < 0)
            return -1;
        if (!group->known && begun && spent_s(tune) > share * tune->options->budget_s)
            return 1;
        if (!group->known &&
            (begin_builds(search, round, list, *at,
                          search->ahead ? next + AUTOTUNE_GROUP : next, err) != 0 ||
             build_group(search, round, group, &whole, err) != 0))
            return -1;
        if (group->known || whole) {
            *at = next;
            return 0;
        }
    }
}

/* *left: how many were not measured in this round for want of time. */
static int run_round(struct search *search, unsigned round, const struct list *list,
                     double share, size_t *left, struct err *err)
{
    struct autotune *tune = search->tune;
    struct group group;
    *left = 0;
    for (size_t at = 0; at < list->length;) {
        tell(search, round, at, list->length);
        int next = next_group(search, round, share, list, &at, &group, err);
        if (next != 0) {
            *left = count_left(tune, list, at);
            return next < 0 ? -1 : 0;
        }
        for (size_t i = 0; group.known && i < group.count; i++)
            tune->trials[group.trials[i]].rounds = round;
        if (group.count > 0 && !group.known &&
            measure_group(search, round, group.trials, group.count, err) != 0)
            return -1;
    }
    return 0;
}

struct ranked {
    double mean;
    size_t trial;
};

static int by_mean(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->mean < b->mean || a->mean > b->mean)
        return a->mean < b->mean ? -1 : 1;
    return a->trial < b->trial ? -1 : a->trial > b->trial;
}

/* The best of those that this round measured, `keep` of them, and the best one of each config. */
static size_t choose(const struct autotune *tune, unsigned round, bool half, size_t most,
                     struct ranked *ranked, size_t *out)
{
    size_t count = 0, chosen = 0;
    for (size_t i = 0; i < tune->count; i++)
        if (tune->trials[i].rounds == round && tune->trials[i].rejected[0] == '\0')
            ranked[count++] = (struct ranked){tune->trials[i].mean, i};
    qsort(ranked, count, sizeof *ranked, by_mean);
    size_t keep = half ? (count + 1) / 2 : 1;
    for (size_t i = 0; i < count && i < keep && chosen < most; i++)
        out[chosen++] = ranked[i].trial;
    for (size_t c = 0; c < tune->config.config_count; c++) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; i < count; i++)
            if (best == SIZE_MAX || tune->trials[ranked[i].trial].logs[c] <
                                        tune->trials[ranked[best].trial].logs[c])
                best = i;
        bool there = best == SIZE_MAX;
        for (size_t i = 0; !there && i < chosen; i++)
            there = out[i] == ranked[best].trial;
        if (!there && chosen < most)
            out[chosen++] = ranked[best].trial;
    }
    return chosen;
}

/* ---- the end ---- */

static int compare(struct autotune *tune, size_t trial, struct err *err)
{
    struct finalist *finalist = &tune->finalists[tune->finalist_count];
    struct rule rule = tune->config.rule;
    size_t configs;
    *finalist = (struct finalist){.trial = trial};
    samples_free(&tune->samples);
    if (tune_log_samples(tune, trial, &tune->samples, err) != 0)
        return -1;
    struct rule strict = rule;
    strict.confidence = 1 - (1 - rule.confidence) / (double)tune->comparisons;
    if (sweep_mean(&tune->samples, ARM_ANCHOR, &strict, &finalist->mean, &configs, err) != 0)
        return -1;
    finalist->better = finalist->mean.known && finalist->mean.ci_decision.high < 0;
    for (size_t c = 0; c < tune->samples.count; c++) {
        const struct config_samples *config = &tune->samples.configs[c];
        struct change
            alone; /* against a candidate counts what one interval shows, not corrected */
        if (sweep_ratio(config, ARM_ANCHOR, &strict, &finalist->configs[c], err) != 0 ||
            sweep_ratio(config, ARM_ANCHOR, &rule, &alone, err) != 0)
            return -1;
        finalist->better = finalist->better && alone.known && alone.ci_decision.low <= 0;
    }
    tune->finalist_count++;
    return 0;
}

static unsigned end_replicates(const struct search *search, size_t count)
{
    const struct rule *rule = &search->tune->config.rule;
    double left = search->tune->options->budget_s - spent_s(search->tune);
    double each = search->seconds_each * (double)(count + 1);
    unsigned most = rule->looks[rule->look_count - 1], least = rule->min_replicates;
    double fit = each > 0 ? left / each : most;
    return fit >= most ? most : fit <= least ? least : (unsigned)fit;
}

static int measure_end(struct search *search, const size_t *trials, size_t count,
                       struct err *err)
{
    struct autotune *tune = search->tune;
    struct measurement *measurement = tune->measurement;
    int known = tune_log_find_end(tune, trials, count, err);
    if (known != 0)
        return known < 0 ? -1 : 0;
    for (size_t i = 0; i < count; i++)
        if (trials_begin_build(search, trials[i], err) != 0 ||
            trials_wait_for(search, trials[i], err) != 0)
            return -1;
    unsigned replicates = end_replicates(search, count);
    measurement_say(measurement,
                    "autotune: %zu of the best against today's kernel, %u fresh processes",
                    count, replicates);
    uint64_t begin = proc_now_ns();
    if (measure(search, trials, count, replicates, tune->config.bench.samples, err) != 0)
        return -1;
    return tune_log_end(tune, &measurement->samples, trials, count,
                        (double)(proc_now_ns() - begin) / 1e9, err);
}

static int finish(struct search *search, const size_t *trials, size_t count, struct err *err)
{
    struct autotune *tune = search->tune;
    tune->comparisons = count * (tune->config.config_count + 1);
    if (count == 0)
        return 0;
    if (measure_end(search, trials, count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (compare(tune, trials[i], err) != 0)
            return -1;
    return 0;
}

/* ---- all ---- */

static bool was_measured(const struct autotune *tune, unsigned round)
{
    for (size_t i = 0; i < tune->count; i++)
        if (tune->trials[i].rounds == round && tune->trials[i].rejected[0] == '\0')
            return true;
    return false;
}

static int search_all(struct search *search, struct ranked *ranked, size_t *list,
                      struct err *err)
{
    struct autotune *tune = search->tune;
    size_t length = tune->count;
    unsigned round = 1;
    for (size_t i = 0; i < length; i++)
        list[i] = i;
    if (run_round(search, round, &(struct list){list, length}, first_round_share,
                  &tune->untried, err) != 0)
        return -1;
    while (round < AUTOTUNE_ROUNDS_MAX && tune->cut_off == 0) {
        length = choose(tune, round, true, tune->count, ranked, list);
        if (length <= AUTOTUNE_ENOUGH)
            break;
        if (run_round(search, round + 1, &(struct list){list, length}, rounds_share,
                      &tune->cut_off, err) != 0)
            return -1;
        if (!was_measured(tune, round + 1))
            break;
        round++;
    }
    length = choose(tune, round, false, AUTOTUNE_GROUP, ranked, list);
    return finish(search, list, length, err);
}

static int run(struct autotune *tune, struct err *err)
{
    struct search search = {.tune = tune,
                            .ahead = device_is_gpu(tune->measurement->job.device)};
    struct ranked *ranked = calloc(tune->count + 1, sizeof *ranked);
    size_t *list = calloc(tune->count + AUTOTUNE_GROUP, sizeof *list);
    int result = ranked == NULL || list == NULL
                     ? err_set(err, ERR_HOST, "out of memory for candidates")
                     : builds_open(tune->measurement, tune->options->jobs, true,
                                   &search.builds, err);
    if (result == 0)
        result = trials_build_today(&search, err) != 0
                     ? -1
                     : search_all(&search, ranked, list, err);
    builds_stop(&search.builds);
    free(ranked);
    free(list);
    return result;
}

int autotune_run(struct measurement *measurement, const struct autotune_options *options,
                 struct autotune *tune, struct err *err)
{
    *tune = (struct autotune){.options = options,
                              .measurement = measurement,
                              .config = measurement->config,
                              .start_ns = proc_now_ns()};
    if (tune->config.tune.parameter_count == 0)
        return err_set(err, ERR_INPUT,
                       "%s at %.10s: there is no [tune \"%s\"] with a parameter", CONFIG_PATH,
                       measurement->job.head, measurement->job.device);
    if (trials_make(tune, err) != 0 || tune_log_open(tune, err) != 0)
        return -1;
    return run(tune, err);
}
