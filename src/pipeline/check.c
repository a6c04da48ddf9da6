/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the order of a check, from pinned commits to a comparison. What each step does stands in its
 * own file. */
#include "pipeline/pipeline.h"

#include "judge/verdict.h"
#include "pipeline/anchor_again.h"
#include "pipeline/choices.h"
#include "pipeline/main_verdict.h"
#include "pipeline/paths.h"
#include "pipeline/rules.h"

#include <stdio.h>
#include <string.h>

/* How head is built, where that is not how base is. */
static void note_recipe(struct measurement *measurement, const struct kernel_source *merge)
{
    const struct kernel_source *base = &measurement->config.source;
    struct kernel_source same_recipe = *merge;
    same_recipe.recipe = base->recipe;
    if (!kernel_source_equal(base, &same_recipe))
        measurement_note(measurement,
                         "This %s changes [kernel] path: each build sees the files under "
                         "its own commit's paths.",
                         measurement_change(measurement));
    if (strcmp(base->recipe.command, merge->recipe.command) != 0 ||
        strcmp(base->recipe.output, merge->recipe.output) != 0)
        measurement_note(measurement,
                         "This %s changes how the kernel is built: head is built by its "
                         "own recipe, `%.180s`; base by its own, `%.180s`.",
                         measurement_change(measurement), merge->recipe.command,
                         base->recipe.command);
}

enum { TOUCHED_BYTES = 320 };

/* A build sees what lies under its commit's paths, and its recipe: where base and merge agree in
 * both, they build the same. 1: the kernel is touched, by `what`; 0: it is not; -1: error. */
static int kernel_touched(struct measurement *measurement, const struct kernel_source *merge,
                          char what[TOUCHED_BYTES], struct err *err)
{
    const struct kernel_source *base = &measurement->config.source;
    char first[256];
    bool same = false;
    if (paths_same(measurement, base, measurement->job.base, measurement->job.merge, &same,
                   first, err) != 0)
        return -1;
    if (!same)
        snprintf(what, TOUCHED_BYTES, "`%s`", first);
    if (kernel_source_equal(base, merge))
        return !same;
    snprintf(what, TOUCHED_BYTES, "[kernel] or [build \"%s\"] of " CONFIG_PATH,
             measurement->job.device);
    note_recipe(measurement, merge);
    return 1;
}

/* Whether the PR's own copies of what decides about it are others than base's; a note says that
 * they are not honoured. */
static int note_ignored_edits(struct measurement *measurement, bool *differs, struct err *err)
{
    const char *const paths[] = {CONFIG_PATH, "baselines"};
    char first[256];
    if (git_differs(measurement->repo, measurement->job.base, measurement->job.merge, paths, 2,
                    differs, first, err) != 0)
        return -1;
    if (*differs)
        measurement_note(measurement,
                         "This %s edits %s. A check takes rule, [bench], configs and "
                         "baseline from the base commit: what it changes there counts once it "
                         "is merged.",
                         measurement_change(measurement), first);
    return 0;
}

/* Whether a change mends the rules of a base that has none to use. */
static void note_mended(struct measurement *measurement)
{
    struct err problem = {0};
    enum clause ignored;
    bool differs = false;
    if (note_ignored_edits(measurement, &differs, &problem) != 0 || !differs)
        return; /* a note that could not be made changes nothing */
    if (rules_try(measurement, measurement->job.merge, &ignored, &problem) == 0)
        measurement_note(
            measurement,
            "As this %s leaves them, " CONFIG_PATH " and the baseline can "
            "be used: once it is merged, checks can judge again. Its kernel was not "
            "looked at.",
            measurement_change(measurement));
    else
        measurement_note(measurement,
                         "As this %s leaves them, " CONFIG_PATH " and the baseline "
                         "cannot be used either: %.300s.",
                         measurement_change(measurement), problem.text);
}

/* Rules of base that cannot be used are the verdict. */
static int read_base(struct measurement *measurement, bool *edited, struct err *err)
{
    if (rules_read(measurement, measurement->job.base, err) == 0)
        return note_ignored_edits(measurement, edited, err);
    if (err->class == ERR_INPUT)
        note_mended(measurement);
    return -1;
}

/* What the next check would go by, once this is merged. */
static int try_next(struct measurement *measurement, const struct kernel_source *source,
                    bool edited, enum clause *clause, struct err *err)
{
    const char *const merge[] = {measurement->job.merge};
    size_t at;
    if (edited && rules_try(measurement, merge[0], clause, err) != 0)
        return -1;
    *clause = CLAUSE_BAD_PATH;
    return paths_check(measurement, source, merge, 1, &at, err);
}

/* Whoever breaks it hears of it before it is main's. */
static int try_merge(struct measurement *measurement, const struct kernel_source *source,
                     bool edited, enum clause *clause, struct err *err)
{
    if (try_next(measurement, source, edited, clause, err) == 0)
        return 0;
    return err->class == ERR_INPUT
               ? err_wrap(err, "once this is merged, nothing could be judged")
               : -1;
}

/* What the merge says of its own kernel, whether both lists of paths can be used, and whether what
 * it leaves could judge. 1: all of it; 0: the verdict stands; -1: error. */
static int read_merge(struct measurement *measurement, struct kernel_source *source,
                      bool edited, struct err *err)
{
    const char *const commits[] = {measurement->job.base, measurement->job.merge};
    size_t at = 0;
    struct err problem = {0};
    enum clause clause = CLAUSE_BAD_PATH;
    enum fault fault = FAULT_PR;
    if (rules_read_source(measurement, measurement->job.merge, source, &problem) != 0)
        clause = CLAUSE_BAD_RECIPE;
    else if (paths_check(measurement, &measurement->config.source, commits, 2, &at,
                         &problem) != 0)
        fault = at == 1 ? FAULT_PR : FAULT_BASE;
    else if (try_merge(measurement, source, edited, &clause, &problem) == 0)
        return 1;
    if (problem.class != ERR_INPUT) {
        *err = problem;
        return -1;
    }
    struct err ignored;
    if (fault == FAULT_BASE &&
        paths_check(measurement, source, commits + 1, 1, &at, &ignored) == 0)
        measurement_note(measurement, "As this %s leaves it, [kernel] path can be used.",
                         measurement_change(measurement));
    measurement_unmeasured(measurement, fault, clause, &problem);
    return 0;
}

/* As after a merge, or where the branch that was meant is not checked out. */
static void note_merged(struct measurement *measurement)
{
    const struct job *job = &measurement->job;
    struct err ignored;
    bool merged = false;
    if (git_is_ancestor(measurement->repo, job->head, job->base, &merged, &ignored) == 0 &&
        merged)
        measurement_note(measurement,
                         "Head %.*s is in base %.*s already: there is nothing to merge.",
                         SHORT_SHA, job->head, SHORT_SHA, job->base);
}

/* What can be said without measuring. 1: `what` touches the kernel; 0: the verdict stands; -1. */
static int look(struct measurement *measurement, char what[TOUCHED_BYTES], struct err *err)
{
    struct kernel_source source;
    struct err problem = {0};
    bool edited = false;
    if (read_base(measurement, &edited, err) != 0)
        return -1;
    if (choices_apply(measurement, &problem) != 0) {
        measurement_unmeasured(measurement, FAULT_NONE, CLAUSE_NOT_PINNED, &problem);
        return 0;
    }
    if (measurement->job.approved_by[0] != '\0')
        measurement_note(measurement,
                         "This is a fork's code: %s, who may write here, let it run.",
                         measurement->job.approved_by);
    int read = read_merge(measurement, &source, edited, err);
    if (read <= 0)
        return read;
    note_merged(measurement);
    int touched = kernel_touched(measurement, &source, what, err);
    if (touched == 0)
        verdict_whole(&measurement->comparison, &measurement->samples.device, VERDICT_HELD,
                      FAULT_NONE, CLAUSE_NOT_TOUCHED, "kernel not touched");
    return touched;
}

static void note_missing_baseline(struct measurement *measurement)
{
    if (measurement->no_baseline)
        measurement_note(measurement, "Compared with the base commit alone, as it was asked: "
                                      "no baseline was read.");
    else if (!measurement->has_baseline)
        measurement_note(
            measurement,
            "No baseline for %s yet: compared with the base commit. %s%s "
            "records it.",
            measurement->job.device,
            measurement->repository != NULL ? "The first merge to "
                                            : "On a runner, the first push to the branch",
            measurement->repository != NULL ? measurement_branch(measurement) : "");
}

/* `result` is the last stage's, `problem` its error. */
static int conclude(struct measurement *measurement, int result, const struct err *problem,
                    struct err *err)
{
    if (result < 0 && problem->class == ERR_NONE)
        return err_set(err, ERR_INTERNAL, "a stage failed without saying why");
    if (result < 0)
        measurement_unmeasured(measurement, FAULT_BASE, measurement->clause_if_input, problem);
    main_verdict_quote(measurement);
    measurement_tell(measurement, PROGRESS_VERDICT, "%s: %s",
                     verdict_name(measurement->comparison.verdict),
                     measurement->comparison.reason);
    return 0;
}

int pipeline_look(struct measurement *measurement, bool *settled, struct err *err)
{
    struct err problem = {0};
    char what[TOUCHED_BYTES];
    int touched = look(measurement, what, &problem);
    *settled = touched <= 0;
    return *settled ? conclude(measurement, touched, &problem, err) : 0;
}

/* A pull request that takes back what was promoted: what its merge will do. */
static void note_anchor_again(struct measurement *measurement)
{
    static struct anchors_again again;
    anchors_again_find(measurement, measurement->job.base, &again);
    for (size_t i = 0; i < again.count; i++)
        measurement_note(
            measurement,
            "%s: its machine code is that of an anchor of before, %.*s: should this "
            "be merged, the baseline goes back to it.",
            again.configs[i].name, SHORT_SHA, again.configs[i].commit);
}

int pipeline_check(struct measurement *measurement, struct err *err)
{
    struct err problem = {0};
    char what[TOUCHED_BYTES];
    int result = look(measurement, what, &problem);
    if (result > 0) {
        measurement_say(measurement, "kernel touched: %s", what);
        note_missing_baseline(measurement);
        result = measurement_take(measurement, measurement->job.merge, true, &problem);
        if (result == 0)
            note_anchor_again(measurement);
    }
    return conclude(measurement, result, &problem, err);
}
