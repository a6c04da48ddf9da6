/* SPDX-License-Identifier: Apache-2.0 */
/* Owns by which recipe each arm is built, and whose fault it is where one is not. A recipe is
 * part of the kernel: each arm has its own commit's, so that a pull request that changes how the
 * kernel is built is measured like one that changes the kernel. */
#include "pipeline/arms.h"

#include "intake/values.h"
#include "judge/verdict.h"
#include "measure/checkout.h"

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
struct arms *arms_new(const struct pipeline *pipeline, struct err *err)
{
    size_t configs = pipeline->config.config_count;
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

static bool may_store(struct pipeline *pipeline, const char *commit)
{
    const struct job *job = &pipeline->job;
    bool ancestor = false;
    struct err ignored;
    if (pipeline->repository != NULL &&
        strcmp(job->base_ref, pipeline->repository->branch) != 0)
        return false; /* only commits on main may enter the cache */
    return git_is_ancestor(pipeline->repo, commit, job->base, &ancestor, &ignored) == 0 &&
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

static int run_build(struct pipeline *pipeline, struct library *library, struct err *err)
{
    const struct kernel_source *source = &library->source;
    const char *paths[MODEL_PATHS_MAX];
    size_t path_count = pipeline_paths(source, paths);
    char cache[FILE_PATH_BYTES];
    if (file_path(cache, err, "%s/cache", pipeline->host->state) != 0 ||
        file_mkdirs(cache, 0700, err) != 0)
        return -1;
    struct build_request request = {.repo = pipeline->repo,
                                    .commit = library->commit,
                                    .paths = paths,
                                    .path_count = path_count,
                                    .submodules = &pipeline->submodules,
                                    .command = source->recipe.command,
                                    .output = source->recipe.output,
                                    .device = pipeline->job.device,
                                    .work = pipeline->work,
                                    .cache = cache,
                                    .may_store = may_store(pipeline, library->commit),
                                    .uid = pipeline->host->sandbox_uid,
                                    .gid = pipeline->host->sandbox_gid,
                                    .limits = &pipeline->host->limits};
    buf_clear(&pipeline->log);
    return build_kernel(&request, &library->result, &pipeline->log, err);
}

static int build(struct pipeline *pipeline, struct arms *arms, const char *commit,
                 const struct kernel_source *source, const char *role,
                 const struct library **out, struct err *err)
{
    *out = find(arms, commit, source);
    if (*out != NULL)
        return 0;
    struct library *library = &arms->libraries[arms->count];
    snprintf(library->commit, sizeof library->commit, "%s", commit);
    library->source = *source;
    if (run_build(pipeline, library, err) != 0)
        return err_wrap(err, "build %s %.10s", role, commit);
    const struct build_result *result = &library->result;
    pipeline->builds++;
    pipeline->cached += result->cached;
    pipeline->build_s += result->seconds;
    pipeline_say(pipeline, "build %s %.10s: %s, %.1f s", role, commit,
                 !result->built   ? result->failure
                 : result->cached ? "from the cache"
                                  : "done",
                 result->seconds);
    if (result->built)
        buf_clear(&pipeline->log); /* kept only of a build that failed */
    arms->count++;
    *out = library;
    return 0;
}

/* ---- head and base ---- */

static int unmeasured(struct pipeline *pipeline, enum fault fault, enum clause clause,
                      const char *reason)
{
    verdict_whole(&pipeline->comparison, &pipeline->samples.device, VERDICT_UNMEASURED, fault,
                  clause, reason);
    return 0;
}

static int unbuilt(struct pipeline *pipeline, const struct library *library, enum fault fault)
{
    char reason[MODEL_TEXT_BYTES];
    snprintf(reason, sizeof reason, "%.10s: %.480s", library->commit, library->result.failure);
    return unmeasured(pipeline, fault, CLAUSE_BUILD_FAILED, reason);
}

/* Base by its own recipe; where its commit has none (`bench --compare` of an old one), by the
 * recipe that the rules came with. */
static int build_base(struct pipeline *pipeline, struct arms *arms, struct err *err)
{
    struct kernel_source source;
    struct err problem = {0};
    if (pipeline_read_source(pipeline, pipeline->job.base, &source, &problem) != 0) {
        if (problem.class != ERR_INPUT) {
            *err = problem;
            return -1;
        }
        source = pipeline->config.source;
        pipeline_note(pipeline, "Base %.10s was built by head's recipe: %.300s",
                      pipeline->job.base, problem.text);
    }
    return build(pipeline, arms, pipeline->job.base, &source, "base", &arms->base, err);
}

/* Head does not build. Whose fault is it? Base's, if that does not build either. */
static int settle_head(struct pipeline *pipeline, struct arms *arms, bool with_base,
                       struct err *err)
{
    if (!with_base)
        return unbuilt(pipeline, arms->head, FAULT_BASE);
    struct buf log = pipeline->log; /* of head: the one to show if base is fine */
    buf_init(&pipeline->log, log.max);
    int rc = build_base(pipeline, arms, err);
    if (rc != 0 || !arms->base->result.built) {
        buf_free(&log);
        return rc != 0 ? -1 : unbuilt(pipeline, arms->base, FAULT_BASE);
    }
    buf_free(&pipeline->log);
    pipeline->log = log;
    return unbuilt(pipeline, arms->head, FAULT_PR);
}

/* 1: both are built; 0: the verdict stands; -1: error. */
static int build_head_and_base(struct pipeline *pipeline, struct arms *arms, const char *head,
                               bool with_base, struct err *err)
{
    struct kernel_source source;
    struct err problem = {0};
    if (pipeline_read_source(pipeline, head, &source, &problem) != 0) {
        if (problem.class == ERR_INPUT)
            return unmeasured(pipeline, with_base ? FAULT_PR : FAULT_BASE, CLAUSE_BAD_RECIPE,
                              problem.text);
        *err = problem;
        return -1;
    }
    if (build(pipeline, arms, head, &source, "head", &arms->head, err) != 0)
        return -1;
    if (!arms->head->result.built)
        return settle_head(pipeline, arms, with_base, err);
    if (!with_base)
        return 1;
    if (build_base(pipeline, arms, err) != 0)
        return -1;
    if (arms->base->result.built)
        return 1;
    pipeline_note(pipeline,
                  "Head builds, and base does not: this pull request mends the build. "
                  "Whether its results are right, and how fast it is, is not known.");
    return unbuilt(pipeline, arms->base, FAULT_BASE);
}

/* ---- anchors ---- */

/* How the anchor is built: as its own commit says, or as its baseline records, or as base is.
 * Whatever is not the first is said aloud. */
static int anchor_source(struct pipeline *pipeline, const struct baseline_config *entry,
                         struct kernel_source *out, struct err *err)
{
    struct err problem = {0};
    if (pipeline_read_source(pipeline, entry->commit, out, &problem) == 0)
        return 0;
    if (problem.class != ERR_INPUT) {
        *err = problem;
        return -1;
    }
    const char *command = environment_get(&entry->environment, ARMS_FACT_COMMAND);
    const char *output = environment_get(&entry->environment, ARMS_FACT_OUTPUT);
    *out = pipeline->config.source;
    bool recorded = command != NULL && strlen(command) < sizeof out->recipe.command;
    if (recorded)
        snprintf(out->recipe.command, sizeof out->recipe.command, "%s", command);
    if (recorded && output != NULL && strlen(output) < sizeof out->recipe.output &&
        value_is_tree_path(output))
        snprintf(out->recipe.output, sizeof out->recipe.output, "%s", output);
    pipeline_note(pipeline, "Anchor %.10s is built %s: %.300s", entry->commit,
                  recorded ? "as its baseline records" : "by base's recipe", problem.text);
    return 0;
}

static int build_anchor(struct pipeline *pipeline, struct arms *arms,
                        const struct baseline_config *entry, struct anchor *anchor,
                        struct err *err)
{
    struct kernel_source source;
    const struct library *library;
    if (anchor_source(pipeline, entry, &source, err) != 0 ||
        build(pipeline, arms, entry->commit, &source, "anchor", &library, err) != 0)
        return -1;
    char first[MODEL_TEXT_BYTES];
    snprintf(first, sizeof first, "%s", library->result.failure);
    if (!library->result.built && !kernel_source_equal(&source, &pipeline->config.source)) {
        if (build(pipeline, arms, entry->commit, &pipeline->config.source,
                  "anchor, by base's recipe,", &library, err) != 0)
            return -1;
        if (library->result.built)
            pipeline_note(
                pipeline,
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

/* Fetch and build the anchor of one commit, or say why it cannot be. */
static int add_anchor(struct pipeline *pipeline, struct arms *arms,
                      const struct baseline_config *entry, struct err *err)
{
    struct anchor *anchor = &arms->anchors[arms->anchor_count++];
    struct err problem = {0};
    snprintf(anchor->commit, sizeof anchor->commit, "%s", entry->commit);
    if (checkout_need(pipeline->repo, &pipeline->remote, entry->commit, &problem) == 0)
        return build_anchor(pipeline, arms, entry, anchor, err);
    if (problem.class != ERR_NOT_FOUND) {
        *err = problem;
        return err_wrap(err, "fetch anchor %.10s", entry->commit);
    }
    snprintf(anchor->failure, sizeof anchor->failure,
             "anchor %.10s is not in the repository any more", entry->commit);
    return 0;
}

/* A config's anchor is the commit that baseline.json records for it; a config without one is
 * compared with base. */
static int find_anchor(struct pipeline *pipeline, struct arms *arms, size_t index,
                       struct err *err)
{
    const struct config *config = &pipeline->config.configs[index];
    const struct baseline_config *entry = pipeline->has_baseline
                                              ? baseline_find(&pipeline->baseline,
                                                              config->name)
                                              : NULL;
    if (entry != NULL && !problem_equal(&entry->config.problem, &config->problem)) {
        pipeline_note(
            pipeline,
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
    if (i == arms->anchor_count && add_anchor(pipeline, arms, entry, err) != 0)
        return -1;
    arms->of_config[index] = &arms->anchors[i];
    return 0;
}

/* ---- all ---- */

int arms_build(struct pipeline *pipeline, struct arms *arms, const char *head, bool with_base,
               struct err *err)
{
    int built = build_head_and_base(pipeline, arms, head, with_base, err);
    if (built <= 0)
        return built;
    for (size_t i = 0; i < pipeline->config.config_count; i++)
        if (find_anchor(pipeline, arms, i, err) != 0)
            return -1;
    buf_clear(&pipeline->log); /* an anchor's trouble is a line, not a log */
    return 1;
}

int arms_build_one(struct pipeline *pipeline, struct arms *arms, const char *commit,
                   const char *role, const struct library **out, struct err *err)
{
    struct kernel_source source;
    return pipeline_read_source(pipeline, commit, &source, err) != 0
               ? -1
               : build(pipeline, arms, commit, &source, role, out, err);
}
