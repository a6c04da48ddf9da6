/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a study claims. */
#include "lab/study_result.h"

#include "judge/compare.h"
#include "lab/study_means.h"
#include "lab/study_rows.h"

#include <stdlib.h>

const struct samples *study_result_samples(const struct study_result *result)
{
    const struct study_files *files = result->files;
    return files->end_there ? &files->end : files->benchmark_there ? &files->benchmark : NULL;
}

static int set_rows(struct study_result *result, struct err *err)
{
    const struct samples *samples = study_result_samples(result);
    const struct study_files *files = result->files;
    const struct comparison *word = result->compared ? &files->comparison : &files->first;
    if (samples == NULL)
        return 0;
    result->rows = calloc(samples->count + 1, sizeof *result->rows);
    if (result->rows == NULL)
        return err_set(err, ERR_HOST, "out of memory for a study's result");
    for (size_t i = 0; i < samples->count && i < word->count; i++) {
        struct study_row *row = &result->rows[result->row_count++];
        if (study_row_of(files, &samples->configs[i], &word->configs[i], result->compared, row,
                         err) != 0)
            return -1;
        if (row->missing != NULL)
            continue;
        if (result->row_measured++ == 0 || row->processes < result->processes)
            result->processes = row->processes;
    }
    return 0;
}

static enum study_target target_of(const struct study_result *result)
{
    double target = result->files->study.asked.target_speedup;
    const struct change *speedup = &result->speedup;
    if (!(target > 0))
        return STUDY_TARGET_NONE;
    if (result->speedup_configs < result->row_count || /* of the others nobody knows */
        result->processes < result->files->rule.min_replicates)
        return STUDY_TARGET_OPEN;
    return speedup->known && 1 + speedup->ci_decision.low > target    ? STUDY_TARGET_MET
           : speedup->known && 1 + speedup->ci_decision.high < target ? STUDY_TARGET_MISSED
                                                                      : STUDY_TARGET_OPEN;
}

static void count_proposals(struct study_result *result)
{
    const struct study *study = &result->files->study;
    for (size_t i = 0; i < study->step_count; i++) {
        const struct study_step *step = &study->steps[i];
        if (step->phase != STUDY_OPTIMISE)
            continue;
        result->proposed++;
        result->measured += step->proposal;
        result->kept += step->kept;
    }
}

static int set_sweep(const struct study_files *files, const struct samples *samples,
                     struct study_sweep *out, struct err *err)
{
    if (compare_samples(samples, NULL, &files->rule, &out->comparison, err) != 0 ||
        sweep_result_of(samples, &out->comparison, &files->rule, &out->result, err) != 0)
        return -1;
    out->there = true;
    return sweep_figures_of(&out->result, &out->figures, err);
}

int study_result_of(const struct study_files *files, struct study_result *out, struct err *err)
{
    struct study_result result = {.files = files, .compared = files->end_there};
    count_proposals(&result);
    int rc = set_rows(&result, err);
    if (rc == 0 && files->end_there)
        rc = study_speedup(&files->end, &files->rule, &result.speedup, &result.speedup_configs,
                           err);
    if (rc == 0 && files->backends_there)
        rc = set_sweep(files, &files->backends, &result.backends, err);
    if (rc == 0 && files->shapes_there)
        rc = set_sweep(files, &files->shapes, &result.shapes, err);
    if (rc != 0) {
        study_result_free(&result);
        return -1;
    }
    result.target = target_of(&result);
    *out = result;
    return 0;
}

static void sweep_free(struct study_sweep *sweep)
{
    sweep_figures_free(&sweep->figures);
    sweep_result_free(&sweep->result);
    comparison_free(&sweep->comparison);
}

void study_result_free(struct study_result *result)
{
    sweep_free(&result->backends);
    sweep_free(&result->shapes);
    free(result->rows);
    *result = (struct study_result){.files = NULL};
}
