/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is proposed, and what of it is kept. */
#include "lab/study_internal.h"

#include "lab/study_means.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After this share of the budget no proposal is begun, so that the end has its time. Of what is left before it, autotune
 * gets half where there are patches as well. */
static const double proposals_share = 0.85;
static const double autotune_least_s = 10;

static double left_for_proposals(const struct study_making *making)
{
    return study_left(making) - (1 - proposals_share) * making->study->asked.budget_s;
}

/* ---- is it better? ---- */

static void free_judged(struct study_judged **judged)
{
    free(*judged);
}

/* Its samples, and what they say. */
static int judge(struct study_making *making, const struct study_step *step,
                 struct samples *samples, struct study_judged *judged, struct err *err)
{
    char name[MODEL_NAME_BYTES * 2];
    snprintf(name, sizeof name, "optimise/%s/samples.json", step->name);
    return study_read_samples(making, name, samples, err) != 0 ||
                   study_judge(samples, &making->config.rule, making->study->asked.proposals,
                               judged, err) != 0
               ? -1
               : 0;
}

/* Why the proposal has no samples at some config, or "". */
static void find_trouble(const struct samples *samples, char out[STUDY_TEXT_BYTES])
{
    out[0] = '\0';
    for (size_t c = 0; c < samples->count && out[0] == '\0'; c++) {
        const struct config_samples *config = &samples->configs[c];
        const char *why = config->fault != FAULT_NONE ? config->failure : config->left_out[0];
        if (why[0] != '\0')
            snprintf(out, STUDY_TEXT_BYTES, "%s: %.400s", config->config.name, why);
    }
}

static int decide(struct study_making *making, struct study_step *step, const char *commit,
                  struct err *err)
{
    SAMPLES_AUTO samples = {0};
    struct study *study = making->study;
    struct study_judged *judged
        __attribute__((cleanup(free_judged))) = calloc(1, sizeof *judged);
    char trouble[STUDY_TEXT_BYTES];
    if (judged == NULL)
        return err_set(err, ERR_HOST, "out of memory for a judgement");
    if (judge(making, step, &samples, judged, err) != 0)
        return -1;
    find_trouble(&samples, trouble);
    if (trouble[0] != '\0')
        return study_settle(making, step, STUDY_FAILED, err, "%s", trouble);
    step->proposal = true;
    step->kept = judged->better;
    if (step->kept)
        snprintf(study->best, sizeof study->best, "%s", commit);
    return study_settle(making, step, STUDY_DONE, err, NULL);
}

/* ---- one proposal ---- */

static int measure(struct study_making *making, struct study_step *step, int *code,
                   struct err *err)
{
    struct study_words words = {.count = 0};
    char output[MODEL_NAME_BYTES * 2];
    snprintf(output, sizeof output, "optimise/%s/samples.json", step->name);
    study_add(&words, "sweep");
    study_add_where(&words, making);
    study_add(&words, "--head");
    study_add(&words, making->study->asked.commit);
    study_add(&words, "--output");
    study_add(&words, output);
    study_add_as(&words, "best=" STUDY_WORK "/best.so", "best=best.so");
    study_add_as(&words, STUDY_PROPOSAL "=" STUDY_WORK "/proposal.so",
                 STUDY_PROPOSAL "=proposal.so");
    study_show(step, &words);
    return study_child(making, &words, code, err);
}

/* Of several proposals on top of the same kernel, it is built once. */
static int build_best(struct study_making *making, struct err *err)
{
    const char *best = making->study->best;
    bool built = true;
    study_show_best(making);
    if (strcmp(making->built, best) == 0)
        study_show_build(making, STUDY_WORK "/best.so");
    else if (study_build(making, best, "HEAD", STUDY_WORK "/best.so", &built, err) != 0)
        return -1;
    if (!built)
        return err_set(err, ERR_HOST, "%s: the best kernel builds no more: %.400s",
                       making->step->name, study_said(making));
    snprintf(making->built, sizeof making->built, "%s", best);
    return 0;
}

/* Build both, measure both, keep the better. */
static int try_proposal(struct study_making *making, struct study_step *step, struct err *err)
{
    char commit[GIT_SHA_BYTES];
    struct err why = {0};
    bool built;
    int code;
    if (study_commit(making, step->name, making->study->best, commit, &why) != 0) {
        if (why.class == ERR_INPUT)
            return study_settle(making, step, STUDY_FAILED, err, "%s%.400s",
                                strcmp(making->study->best, making->study->asked.commit) == 0
                                    ? ""
                                    : "on top of what was kept: ",
                                why.text);
        *err = why;
        return -1;
    }
    if (build_best(making, err) != 0)
        return -1;
    study_show_patch(step, step->name);
    if (study_build(making, commit, "HEAD", STUDY_WORK "/proposal.so", &built, err) != 0)
        return -1;
    if (!built)
        return study_settle(making, step, STUDY_FAILED, err, "%.400s", study_said(making));
    if (measure(making, step, &code, err) != 0)
        return -1;
    if (code >= EXIT_USAGE)
        return err_set(err, ERR_HOST, "%s: %.400s", step->name, study_said(making));
    return decide(making, step, commit, err);
}

/* ---- where it comes from ---- */

static int autotune(struct study_making *making, struct study_step *step, int *code,
                    struct err *err)
{
    struct study_words words = {.count = 0};
    char output[MODEL_NAME_BYTES * 2], budget[32];
    double seconds = left_for_proposals(making) * (making->patch_count > 0 ? 0.5 : 0.8);
    snprintf(output, sizeof output, "optimise/%s", step->name);
    snprintf(budget, sizeof budget, "%.0fs",
             seconds > autotune_least_s ? seconds : autotune_least_s);
    study_add(&words, "autotune");
    study_add_where(&words, making);
    study_add(&words, "--head");
    study_add(&words, making->study->best);
    study_add(&words, "--time-budget");
    study_add(&words, budget);
    study_add(&words, "--output");
    study_add(&words, output);
    study_show(step, &words);
    return study_child(making, &words, code, err);
}

/* What autotune found becomes a proposal as any other: it has to be better once more, in processes of its own. */
static int try_autotune(struct study_making *making, struct study_step *step, struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct err why = {0};
    BUF_AUTO patch;
    int code;
    buf_init(&patch, STUDY_PATCH_BYTES);
    if (autotune(making, step, &code, err) != 0)
        return -1;
    if (code != 0)
        return study_settle(making, step, STUDY_FAILED, err, "%.400s", study_said(making));
    if (study_path(making, path, err, "optimise/%s/suggestions.patch", step->name) != 0)
        return -1;
    if (file_read(path, &patch, &why) != 0) {
        if (why.class == ERR_NOT_FOUND)
            return study_settle(making, step, STUDY_DONE, err,
                                "nothing better than today's values was found");
        *err = why;
        return -1;
    }
    return study_keep_patch(making, step->name, &patch, err) != 0
               ? -1
               : try_proposal(making, step, err);
}

static int try_patch(struct study_making *making, struct study_step *step, struct err *err)
{
    for (size_t i = 0; i < making->patch_count; i++)
        if (strcmp(making->patches[i].name, step->name) == 0)
            return study_keep_patch(making, step->name, &making->patches[i].text, err) != 0
                       ? -1
                       : try_proposal(making, step, err);
    return err_set(err, ERR_INTERNAL, "%s: no such patch", step->name);
}

/* ---- all ---- */

/* By what was kept, each measured against the one before it: the end says what it is worth. */
static int speedup(struct study_making *making, double *out, struct err *err)
{
    struct study_judged *judged
        __attribute__((cleanup(free_judged))) = calloc(1, sizeof *judged);
    if (judged == NULL)
        return err_set(err, ERR_HOST, "out of memory for a judgement");
    *out = 1;
    for (size_t i = 0; i < making->study->step_count; i++) {
        const struct study_step *step = &making->study->steps[i];
        SAMPLES_AUTO samples = {0};
        if (!step->kept)
            continue;
        if (judge(making, step, &samples, judged, err) != 0)
            return -1;
        *out /= 1 + judged->mean.change;
    }
    return 0;
}

static int try_step(struct study_making *making, struct study_step *step, struct err *err)
{
    double reached, target = making->study->asked.target_speedup;
    if (speedup(making, &reached, err) != 0)
        return -1;
    if (target > 0 && reached >= target)
        return study_settle(making, step, STUDY_SKIPPED, err,
                            "what was kept before seemed to meet the target");
    if (!(left_for_proposals(making) > 0))
        return study_settle(making, step, STUDY_SKIPPED, err, "the budget was spent");
    return making->tunes && strcmp(step->name, "01-autotune") == 0
               ? try_autotune(making, step, err)
               : try_patch(making, step, err);
}

int study_optimise(struct study_making *making, struct err *err)
{
    for (struct study_step *step; (step = study_next(making, STUDY_OPTIMISE)) != NULL;)
        if (try_step(making, step, err) != 0)
            return -1;
    return 0;
}
