/* SPDX-License-Identifier: Apache-2.0 */
/* Owns by which recipe each arm is built, and whose fault it is where one is not. A recipe is
 * part of the kernel: each arm has its own commit's, so that a pull request that changes how the
 * kernel is built is measured like one that changes the kernel. */
#include "pipeline/arms.h"

#include "intake/values.h"
#include "judge/verdict.h"
#include "pipeline/paths.h"
#include "pipeline/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void arms_free(struct arms **arms)
{
    if (*arms != NULL) {
        free((*arms)->libraries);
        free((*arms)->anchors);
    }
    free(*arms);
}

/* Room for head, base and every config's anchor, which may need a second recipe. */
struct arms *arms_new(const struct measurement *measurement, struct err *err)
{
    size_t configs = measurement->config.config_count;
    struct arms *arms = calloc(1, sizeof *arms);
    if (arms != NULL) {
        arms->libraries = calloc(2 * configs + 2, sizeof *arms->libraries);
        arms->anchors = calloc(configs + 1, sizeof *arms->anchors);
    }
    if (arms != NULL && arms->libraries != NULL && arms->anchors != NULL)
        return arms;
    arms_free(&arms);
    err_write(err, ERR_HOST, "out of memory for the arms");
    return NULL;
}

bool arms_same_code(const struct library *a, const struct library *b)
{
    return a != NULL && b != NULL && strcmp(a->result.code, b->result.code) == 0;
}

const struct library *arms_anchor(const struct arms *arms, size_t config)
{
    const struct anchor *anchor = arms->of_config[config];
    return anchor == NULL ? arms->base : anchor->library;
}

/* ---- one library ---- */

static bool may_store(struct measurement *measurement, const char *commit)
{
    const struct job *job = &measurement->job;
    bool ancestor = false;
    struct err ignored;
    if (measurement->repository != NULL &&
        strcmp(job->base_ref, measurement->repository->branch) != 0)
        return false; /* only commits on main may enter the cache */
    return git_is_ancestor(measurement->repo, commit, job->base, &ancestor, &ignored) == 0 &&
           ancestor;
}

static const struct library *find(const struct arms *arms, const char *commit,
                                  const struct kernel_source *source)
{
    for (size_t i = 0; i < arms->count; i++)
        if (strcmp(arms->libraries[i].commit, commit) == 0 &&
            kernel_source_equal(&arms->libraries[i].source, source))
            return &arms->libraries[i];
    return NULL;
}

int arms_build_library(struct measurement *measurement, struct library *library,
                       struct err *err)
{
    const struct kernel_source *source = &library->source;
    const char *paths[MODEL_PATHS_MAX];
    size_t path_count = paths_of(source, paths);
    char cache[FILE_PATH_BYTES];
    if (file_path(cache, err, "%s/cache", measurement->host->state) != 0 ||
        file_mkdirs(cache, 0700, err) != 0)
        return -1;
    struct build_request request = {.repo = measurement->repo,
                                    .commit = library->commit,
                                    .paths = paths,
                                    .path_count = path_count,
                                    .submodules = &measurement->submodules,
                                    .command = source->recipe.command,
                                    .output = source->recipe.output,
                                    .device = measurement->job.device,
                                    .work = measurement->work,
                                    .cache = cache,
                                    .may_store = may_store(measurement, library->commit),
                                    .uid = measurement->host->sandbox_uid,
                                    .gid = measurement->host->sandbox_gid,
                                    .cpus = measurement->lane->cpus,
                                    .cpu_count = measurement->lane->cpu_count,
                                    .limits = &measurement->host->limits};
    buf_clear(&measurement->build_log);
    return build_kernel(&request, &library->result, &measurement->build_log, err);
}

static int build(struct measurement *measurement, struct arms *arms, const char *commit,
                 const struct kernel_source *source, const char *role,
                 const struct library **out, struct err *err)
{
    *out = find(arms, commit, source);
    if (*out != NULL)
        return 0;
    struct library *library = &arms->libraries[arms->count];
    snprintf(library->commit, sizeof library->commit, "%s", commit);
    library->source = *source;
    measurement_stage(measurement, STAGE_BUILD);
    if (arms_build_library(measurement, library, err) != 0)
        return err_wrap(err, "build %s %.10s", role, commit);
    const struct build_result *result = &library->result;
    measurement->builds++;
    measurement->cached += result->cached;
    measurement->build_s += result->seconds;
    measurement_tell(measurement, PROGRESS_BUILD, "build %s %.10s: %s, %.1f s", role, commit,
                     !result->built   ? result->failure
                     : result->cached ? "from the cache"
                                      : "done",
                     result->seconds);
    if (result->built)
        buf_clear(&measurement->build_log); /* kept only of a build that failed */
    arms->count++;
    *out = library;
    return 0;
}

/* ---- head and base ---- */

static int unmeasured(struct measurement *measurement, enum fault fault, enum clause clause,
                      const char *reason)
{
    verdict_whole(&measurement->comparison, &measurement->samples.device, VERDICT_UNMEASURED,
                  fault, clause, reason);
    return 0;
}

static int unbuilt(struct measurement *measurement, const struct library *library,
                   enum fault fault)
{
    char reason[MODEL_TEXT_BYTES];
    snprintf(reason, sizeof reason, "%.10s: %.480s", library->commit, library->result.failure);
    return unmeasured(measurement, fault, CLAUSE_BUILD_FAILED, reason);
}

/* Base by its own recipe; where its commit has none (`bench --compare` of an old one), by the
 * recipe that the rules came with. */
static int build_base(struct measurement *measurement, struct arms *arms, struct err *err)
{
    struct kernel_source source;
    struct err problem = {0};
    if (rules_read_source(measurement, measurement->job.base, &source, &problem) != 0) {
        if (problem.class != ERR_INPUT) {
            *err = problem;
            return -1;
        }
        source = measurement->config.source;
        measurement_note(measurement, "Base %.10s was built by head's recipe: %.300s",
                         measurement->job.base, problem.text);
    }
    return build(measurement, arms, measurement->job.base, &source, "base", &arms->base, err);
}

/* Head does not build. Whose fault is it? Base's, if that does not build either. */
static int settle_head(struct measurement *measurement, struct arms *arms, bool with_base,
                       struct err *err)
{
    if (!with_base)
        return unbuilt(measurement, arms->head, FAULT_BASE);
    struct buf log = measurement->build_log; /* of head: the one to show if base is fine */
    buf_init(&measurement->build_log, log.max);
    int rc = build_base(measurement, arms, err);
    if (rc != 0 || !arms->base->result.built) {
        buf_free(&log);
        return rc != 0 ? -1 : unbuilt(measurement, arms->base, FAULT_BASE);
    }
    buf_free(&measurement->build_log);
    measurement->build_log = log;
    return unbuilt(measurement, arms->head, FAULT_PR);
}

/* 1: both are built; 0: the verdict stands; -1: error. */
static int build_head_and_base(struct measurement *measurement, struct arms *arms,
                               const char *head, bool with_base, struct err *err)
{
    struct kernel_source source;
    struct err problem = {0};
    if (rules_read_source(measurement, head, &source, &problem) != 0) {
        if (problem.class == ERR_INPUT)
            return unmeasured(measurement, with_base ? FAULT_PR : FAULT_BASE,
                              CLAUSE_BAD_RECIPE, problem.text);
        *err = problem;
        return -1;
    }
    if (build(measurement, arms, head, &source, "head", &arms->head, err) != 0)
        return -1;
    if (!arms->head->result.built)
        return settle_head(measurement, arms, with_base, err);
    if (!with_base)
        return 1;
    if (build_base(measurement, arms, err) != 0)
        return -1;
    return arms->base->result.built ? 1 : unbuilt(measurement, arms->base, FAULT_BASE);
}

/* ---- anchors ---- */

/* How the anchor is built: as its own commit says, or as its baseline records, or as base is.
 * Whatever is not the first is said aloud. */
static int anchor_source(struct measurement *measurement, const struct baseline_config *entry,
                         struct kernel_source *out, struct err *err)
{
    struct err problem = {0};
    if (rules_read_source(measurement, entry->commit, out, &problem) == 0)
        return 0;
    if (problem.class != ERR_INPUT) {
        *err = problem;
        return -1;
    }
    const char *command = environment_get(&entry->environment, ARMS_FACT_COMMAND);
    const char *output = environment_get(&entry->environment, ARMS_FACT_OUTPUT);
    *out = measurement->config.source;
    bool recorded = command != NULL && strlen(command) < sizeof out->recipe.command;
    if (recorded)
        snprintf(out->recipe.command, sizeof out->recipe.command, "%s", command);
    if (recorded && output != NULL && strlen(output) < sizeof out->recipe.output &&
        value_is_tree_path(output))
        snprintf(out->recipe.output, sizeof out->recipe.output, "%s", output);
    measurement_note(measurement, "Anchor %.10s is built %s: %.300s", entry->commit,
                     recorded ? "as its baseline records" : "by base's recipe", problem.text);
    return 0;
}

static int build_anchor(struct measurement *measurement, struct arms *arms,
                        const struct baseline_config *entry, struct anchor *anchor,
                        struct err *err)
{
    struct kernel_source source;
    const struct library *library;
    if (anchor_source(measurement, entry, &source, err) != 0 ||
        build(measurement, arms, entry->commit, &source, "anchor", &library, err) != 0)
        return -1;
    char first[MODEL_TEXT_BYTES];
    snprintf(first, sizeof first, "%s", library->result.failure);
    if (!library->result.built && !kernel_source_equal(&source, &measurement->config.source)) {
        if (build(measurement, arms, entry->commit, &measurement->config.source,
                  "anchor, by base's recipe,", &library, err) != 0)
            return -1;
        if (library->result.built)
            measurement_note(
                measurement,
                "Anchor %.10s no longer builds by its own recipe (%.300s): it is built "
                "by base's.",
                entry->commit, first);
    }
    if (library->result.built) {
        anchor->library = library;
        return 0;
    }
    anchor->unbuilt = true;
    snprintf(anchor->failure, sizeof anchor->failure,
             "anchor %.10s builds neither by its own recipe nor by base's: %.400s",
             entry->commit, first);
    return 0;
}

/* Why an anchor could not be fetched; NULL: it was. */
static const struct err *why_gone(const struct measurement *measurement, const char *commit)
{
    for (size_t i = 0; i < measurement->gone_count; i++)
        if (strcmp(measurement->gone[i].commit, commit) == 0)
            return &measurement->gone[i].why;
    return NULL;
}

/* Build the anchor of one commit, or say why it cannot be. */
static int add_anchor(struct measurement *measurement, struct arms *arms,
                      const struct baseline_config *entry, struct err *err)
{
    struct anchor *anchor = &arms->anchors[arms->anchor_count++];
    const struct err *why = why_gone(measurement, entry->commit);
    snprintf(anchor->commit, sizeof anchor->commit, "%s", entry->commit);
    if (why == NULL)
        return build_anchor(measurement, arms, entry, anchor, err);
    if (why->class != ERR_NOT_FOUND) {
        *err = *why;
        return err_wrap(err, "fetch anchor %.10s", entry->commit);
    }
    snprintf(anchor->failure, sizeof anchor->failure,
             "anchor %.10s is not in the repository any more", entry->commit);
    return 0;
}

/* A config's anchor is the commit that baseline.json records for it; a config without one is
 * compared with base. */
static int find_anchor(struct measurement *measurement, struct arms *arms, size_t index,
                       struct err *err)
{
    const struct config *config = &measurement->config.configs[index];
    const struct baseline_config *entry = measurement->has_baseline
                                              ? baseline_find(&measurement->baseline,
                                                              config->name)
                                              : NULL;
    if (entry != NULL && !problem_equal(&entry->config.problem, &config->problem)) {
        measurement_note(
            measurement,
            "%s: the baseline's entry of that name is another problem: compared with "
            "base.",
            config->name);
        return 0;
    }
    if (entry == NULL)
        return 0;
    size_t i = 0;
    while (i < arms->anchor_count && strcmp(arms->anchors[i].commit, entry->commit) != 0)
        i++;
    if (i == arms->anchor_count && add_anchor(measurement, arms, entry, err) != 0)
        return -1;
    arms->of_config[index] = &arms->anchors[i];
    return 0;
}

/* ---- all ---- */

int arms_build(struct measurement *measurement, struct arms *arms, const char *head,
               bool with_base, struct err *err)
{
    int built = build_head_and_base(measurement, arms, head, with_base, err);
    if (built <= 0)
        return built;
    for (size_t i = 0; i < measurement->config.config_count; i++)
        if (find_anchor(measurement, arms, i, err) != 0)
            return -1;
    buf_clear(&measurement->build_log); /* an anchor's trouble is a line, not a log */
    return 1;
}

int arms_build_one(struct measurement *measurement, struct arms *arms, const char *commit,
                   const char *role, const struct library **out, struct err *err)
{
    struct kernel_source source;
    return rules_read_source(measurement, commit, &source, err) != 0
               ? -1
               : build(measurement, arms, commit, &source, role, out, err);
}
