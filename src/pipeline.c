/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the road for a check. What each step does stands in its room. */
#include "pipeline.h"

#include "judge/verdict.h"
#include "measure/checkout.h"
#include "pipeline_main.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void pipeline_say(struct pipeline *pipeline, const char *format, ...)
{
    if (pipeline->progress == NULL)
        return;
    char line[MODEL_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    pipeline->progress(pipeline->context, line);
}

void pipeline_note(struct pipeline *pipeline, const char *format, ...)
{
    char note[MODEL_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(note, sizeof note, format, args);
    va_end(args);
    for (size_t i = 0; i < pipeline->note_count; i++)
        if (strcmp(pipeline->notes[i], note) == 0)
            return; /* a promotion measures twice */
    if (pipeline->note_count < PIPELINE_NOTES_MAX)
        memcpy(pipeline->notes[pipeline->note_count++], note, sizeof note);
}

/* ---- open ---- */

static int open_cache(struct pipeline *pipeline, const char *name, struct err *err)
{
    char key[FILE_KEY_BYTES];
    file_key(name, key);
    char path[FILE_PATH_BYTES];
    if (file_path(path, err, "%s/repos", pipeline->host->state) != 0 ||
        file_mkdirs(path, 0700, err) != 0 ||
        file_path(path, err, "%s/repos/%s.git", pipeline->host->state, key) != 0)
        return -1;
    return git_open(path, &pipeline->repo, err);
}

/* Where submodules may be fetched from; their caches lie beside the repository's own. */
static int allow_submodules(struct pipeline *pipeline, struct err *err)
{
    const struct host_repository *repository = pipeline->repository;
    struct checkout_submodules *submodules = &pipeline->submodules;
    for (size_t i = 0; i < repository->submodule_count; i++)
        submodules->addresses[submodules->address_count++] = (struct checkout_address){
            repository->submodules[i].path, repository->submodules[i].git};
    return file_path(submodules->folder, err, "%s/repos", pipeline->host->state);
}
_Static_assert((int)HOST_SUBMODULES_MAX <= (int)CHECKOUT_SUBMODULES_MAX,
               "room for every address");

static void set_remote(struct pipeline *pipeline, const char *url)
{
    const struct limits *limits = &pipeline->host->limits;
    pipeline->remote = (struct git_remote_spec){
        .url = url,
        .token = pipeline->token[0] == '\0' ? NULL : pipeline->token,
        .timeout_ms = (unsigned)limits->fetch_ms,
        .max_bytes = limits->fetch_bytes,
    };
}

static int open_github(struct pipeline *pipeline, const char *token, struct err *err)
{
    const struct host_repository *repository = host_find_repository(pipeline->host,
                                                                    pipeline->job.repository);
    if (repository == NULL)
        return err_set(err, ERR_INPUT, "repository `%s` is not allowed on this host",
                       pipeline->job.repository);
    pipeline->repository = repository;
    memcpy(pipeline->job.repository, repository->name, sizeof pipeline->job.repository);
    if (repository->host_token) {
        if (host_read_token(repository, pipeline->token, err) != 0)
            return -1;
    } else if (token != NULL) {
        snprintf(pipeline->token, sizeof pipeline->token, "%s", token);
    }
    set_remote(pipeline, repository->git);
    pipeline->github = (struct github){.api = repository->api,
                                       .token = pipeline->token,
                                       .repository = repository->name,
                                       .author = repository->author,
                                       .limits = &pipeline->host->limits};
    return allow_submodules(pipeline, err) == 0 ? open_cache(pipeline, repository->name, err)
                                                : -1;
}

int pipeline_open(struct pipeline *pipeline, const struct pipeline_request *request,
                  struct err *err)
{
    *pipeline = (struct pipeline){.host = request->host,
                                  .job = *request->job,
                                  .progress = request->progress,
                                  .context = request->context};
    /* A capped log has some lines more: what was run, and how much was left out. */
    enum { LOG_MARGIN_BYTES = 64 << 10 };
    buf_init(&pipeline->log, request->host->limits.log_bytes + LOG_MARGIN_BYTES);
    if (file_path(pipeline->folder, err, "%s", request->folder) != 0 ||
        file_path(pipeline->work, err, "%s", request->work) != 0)
        return -1;
    pipeline->device = host_find_device(pipeline->host, pipeline->job.device);
    if (pipeline->device == NULL)
        return err_set(err, ERR_INPUT, "device `%s` is not configured on this host",
                       pipeline->job.device);
    snprintf(pipeline->samples.device.slug, sizeof pipeline->samples.device.slug, "%s",
             pipeline->job.device);
    if (request->local == NULL)
        return open_github(pipeline, request->token, err);
    set_remote(pipeline, request->local);
    return open_cache(pipeline, request->local, err);
}

void pipeline_close(struct pipeline *pipeline)
{
    git_close(&pipeline->repo);
    checkout_submodules_free(&pipeline->submodules);
    baseline_free(&pipeline->baseline);
    samples_free(&pipeline->samples);
    comparison_free(&pipeline->comparison);
    buf_free(&pipeline->log);
    explicit_bzero(pipeline->token, sizeof pipeline->token);
}

/* ---- pin ---- */

/* Whose pull request is it, and may its code run here? */
static int ask_github(struct pipeline *pipeline, struct err *err)
{
    struct job *job = &pipeline->job;
    struct github_pull pull;
    if (github_get_pull(&pipeline->github, job->pr, &pull, err) != 0)
        return -1;
    if (!pull.open)
        return err_set(err, ERR_INPUT, "pull request #%d is not open", job->pr);
    if (strcmp(pull.base_repository, job->repository) != 0)
        return err_set(err, ERR_INPUT, "pull request #%d goes to `%s`, not to `%s`", job->pr,
                       pull.base_repository, job->repository);
    memcpy(job->head, pull.head, sizeof job->head);
    memcpy(job->base_ref, pull.base_ref, sizeof job->base_ref);
    if (strcmp(pull.head_repository, job->repository) != 0)
        return err_set(
            err, ERR_INPUT,
            "pull request #%d comes from the fork `%s`: code of forks is not run on "
            "this host",
            job->pr, pull.head_repository[0] == '\0' ? "(deleted)" : pull.head_repository);
    return 0;
}

static int pin_branch(struct pipeline *pipeline, struct err *err)
{
    struct job *job = &pipeline->job;
    char ref[JOB_REF_BYTES + 16];
    snprintf(ref, sizeof ref, "refs/heads/%s", job->base_ref);
    char tip[GIT_SHA_BYTES];
    if (git_fetch(pipeline->repo, &pipeline->remote, ref, tip, err) != 0)
        return -1;
    memcpy(job->head, tip, sizeof job->head);
    memcpy(job->base, tip, sizeof job->base);
    memcpy(job->merge, tip, sizeof job->merge);
    return 0;
}

/* Bring base and head here. A merge is made again from them: the same two commits give the
 * same one. */
static int need_commits(struct pipeline *pipeline, struct err *err)
{
    const char *const commits[] = {pipeline->job.base, pipeline->job.head};
    for (size_t i = 0; i < 2; i++)
        if (checkout_need(pipeline->repo, &pipeline->remote, commits[i], err) != 0)
            return -1;
    return 0;
}

int pipeline_pin(struct pipeline *pipeline, struct err *err)
{
    static const struct git_remote_spec here = {.url = NULL};
    struct job *job = &pipeline->job;
    if (job->kind == JOB_PROMOTE)
        return pin_branch(pipeline, err);
    if (job->merge[0] != '\0')
        return need_commits(pipeline, err);
    if (job->pr > 0 && ask_github(pipeline, err) != 0)
        return -1;
    if (job->pr == 0 && need_commits(pipeline, err) != 0)
        return -1;
    if (checkout_pin(pipeline->repo, job->pr == 0 ? &here : &pipeline->remote, job, err) != 0)
        return -1;
    pipeline_say(pipeline, "head %.*s into base %.*s: measuring %.*s", SHORT_SHA, job->head,
                 SHORT_SHA, job->base, SHORT_SHA, job->merge);
    return 0;
}

/* ---- check ---- */

static enum fault fault_of(enum err_class class, enum fault input)
{
    switch (class) {
    case ERR_CONFLICT:
        return FAULT_PR;
    case ERR_INPUT:
        return input;
    case ERR_INTERNAL:
        return FAULT_US;
    default:
        return FAULT_HOST;
    }
}

static enum clause clause_of(enum err_class class, enum clause input)
{
    switch (class) {
    case ERR_CONFLICT:
        return CLAUSE_CONFLICT;
    case ERR_INPUT:
        return input;
    case ERR_NOT_FOUND: /* at GitHub: the pull request, or its commit */
        return input == CLAUSE_NOT_PINNED ? input : CLAUSE_HOST_FAILED;
    case ERR_INTERNAL:
        return CLAUSE_INTERNAL;
    default:
        return CLAUSE_HOST_FAILED;
    }
}

void pipeline_unmeasured(struct pipeline *pipeline, enum fault input, enum clause clause,
                         const struct err *problem)
{
    comparison_free(&pipeline->comparison);
    verdict_whole(&pipeline->comparison, &pipeline->samples.device, VERDICT_UNMEASURED,
                  fault_of(problem->class, input), clause_of(problem->class, clause),
                  problem->text);
}

/* How head is built, where that is not how base is. */
static void note_recipe(struct pipeline *pipeline, const struct kernel_source *merge)
{
    const struct kernel_source *base = &pipeline->config.source;
    struct kernel_source same_recipe = *merge;
    same_recipe.recipe = base->recipe;
    if (!kernel_source_equal(base, &same_recipe))
        pipeline_note(
            pipeline,
            "This pull request changes [kernel] path: each build sees the files under "
            "its own commit's paths.");
    if (strcmp(base->recipe.command, merge->recipe.command) != 0 ||
        strcmp(base->recipe.output, merge->recipe.output) != 0)
        pipeline_note(
            pipeline,
            "This pull request changes how the kernel is built: head is built by its "
            "own recipe, `%.180s`; base by its own, `%.180s`.",
            merge->recipe.command, base->recipe.command);
}

/* A build sees what lies under its commit's paths, and its recipe: where base and merge agree in
 * both, they build the same. */
static int kernel_touched(struct pipeline *pipeline, const struct kernel_source *merge,
                          bool *touched, struct err *err)
{
    const struct kernel_source *base = &pipeline->config.source;
    char first[256];
    bool same = false;
    if (pipeline_same_kernel(pipeline, base, pipeline->job.base, pipeline->job.merge, &same,
                             first, err) != 0)
        return -1;
    *touched = !same;
    if (*touched)
        pipeline_say(pipeline, "kernel touched: `%s`", first);
    if (kernel_source_equal(base, merge))
        return 0;
    *touched = true;
    pipeline_say(pipeline, "kernel touched: [kernel] or [build \"%s\"] of " CONFIG_PATH,
                 pipeline->job.device);
    note_recipe(pipeline, merge);
    return 0;
}

/* The PR's own copies of what decides about it are not honoured; say so. */
static int note_ignored_edits(struct pipeline *pipeline, struct err *err)
{
    const char *const paths[] = {CONFIG_PATH, "baselines"};
    char first[256];
    bool differs;
    if (git_differs(pipeline->repo, pipeline->job.base, pipeline->job.merge, paths, 2,
                    &differs, first, err) != 0)
        return -1;
    if (differs)
        pipeline_note(pipeline,
                      "This pull request edits %s. A check takes rule, [bench], configs and "
                      "baseline from the base commit: what it changes there counts once it is "
                      "merged.",
                      first);
    /* Whoever breaks ci/ratchet.conf hears of it before it is main's. */
    struct err problem = {0};
    if (differs && pipeline_try_rules(pipeline, pipeline->job.merge, &problem) != 0)
        pipeline_note(pipeline,
                      "As this pull request leaves it, " CONFIG_PATH
                      " cannot be used: %.300s. "
                      "Once merged, nothing could be judged.",
                      problem.text);
    return 0;
}

/* What the merge says of its own kernel, and whether both lists of paths can be used. 1: they can;
 * 0: the verdict stands; -1: error. */
static int read_merge(struct pipeline *pipeline, struct kernel_source *source, struct err *err)
{
    const char *const commits[] = {pipeline->job.base, pipeline->job.merge};
    size_t at = 0;
    struct err problem = {0};
    enum clause clause = CLAUSE_BAD_PATH;
    enum fault fault = FAULT_PR;
    if (pipeline_read_source(pipeline, pipeline->job.merge, source, &problem) != 0)
        clause = CLAUSE_BAD_RECIPE;
    else if (pipeline_check_paths(pipeline, &pipeline->config.source, commits, 2, &at,
                                  &problem) != 0)
        fault = at == 1 ? FAULT_PR : FAULT_BASE;
    else if (pipeline_check_paths(pipeline, source, commits, 2, &at, &problem) == 0)
        return 1;
    if (problem.class != ERR_INPUT) {
        *err = problem;
        return -1;
    }
    pipeline_unmeasured(pipeline, fault, clause, &problem);
    return 0;
}

static int check(struct pipeline *pipeline, struct err *err)
{
    bool touched;
    struct kernel_source source;
    if (pipeline_read_rules(pipeline, pipeline->job.base, err) != 0 ||
        note_ignored_edits(pipeline, err) != 0)
        return -1;
    int read = read_merge(pipeline, &source, err);
    if (read <= 0)
        return read;
    if (kernel_touched(pipeline, &source, &touched, err) != 0)
        return -1;
    if (touched)
        return pipeline_measure(pipeline, pipeline->job.merge, true, err);
    verdict_whole(&pipeline->comparison, &pipeline->samples.device, VERDICT_HELD, FAULT_NONE,
                  CLAUSE_NOT_TOUCHED, "kernel not touched");
    return 0;
}

int pipeline_check(struct pipeline *pipeline, struct err *err)
{
    struct err problem = {0};
    if (check(pipeline, &problem) != 0) {
        if (problem.class == ERR_NONE)
            return err_set(err, ERR_INTERNAL, "a stage failed without saying why");
        pipeline_unmeasured(pipeline, FAULT_BASE, pipeline->stage, &problem);
    }
    pipeline_quote_main(pipeline);
    pipeline_say(pipeline, "%s: %s", verdict_name(pipeline->comparison.verdict),
                 pipeline->comparison.reason);
    return 0;
}
