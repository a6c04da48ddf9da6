/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the road for a check. What each step does stands in its room. */
#include "pipeline.h"

#include "base/json.h"
#include "intake/event.h"
#include "judge/compare.h"
#include "judge/explain.h"
#include "judge/samples.h"
#include "judge/verdict.h"
#include "measure/checkout.h"
#include "pipeline_main.h"
#include "publish/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT_SHA = 10 };
#define CONFIG_PATH "ci/ratchet.conf"

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
    if (pipeline->note_count == PIPELINE_NOTES_MAX)
        return;
    char *note = pipeline->notes[pipeline->note_count++];
    va_list args;
    va_start(args, format);
    vsnprintf(note, MODEL_TEXT_BYTES, format, args);
    va_end(args);
}

/* ---- open ---- */

/* Repositories are keyed by a hash, so that no name can climb out of the folder. */
static int open_cache(struct pipeline *pipeline, const char *name, struct err *err)
{
    char key[FILE_SHA256_BYTES];
    file_sha256(name, strlen(name), key);
    char path[FILE_PATH_BYTES];
    if (file_path(path, err, "%s/repos", pipeline->host->state) != 0 ||
        file_mkdirs(path, 0700, err) != 0 ||
        file_path(path, err, "%s/repos/%.32s.git", pipeline->host->state, key) != 0)
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
    const struct host_repository *repository =
        host_find_repository(pipeline->host, pipeline->job.repository);
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
    return allow_submodules(pipeline, err) == 0 ? open_cache(pipeline, repository->name, err) : -1;
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
        return err_set(err, ERR_INPUT,
                       "pull request #%d comes from the fork `%s`: code of forks is not run on "
                       "this host",
                       job->pr,
                       pull.head_repository[0] == '\0' ? "(deleted)" : pull.head_repository);
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

/* A file of baselines/<device> at a commit. `name` becomes how errors call it. */
static int read_recorded(struct pipeline *pipeline, const char *commit, const char *file,
                         struct buf *out, char name[FILE_PATH_BYTES], struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (file_path(path, err, "baselines/%s/%s", pipeline->job.device, file) != 0 ||
        file_path(name, err, "%s at %.*s", path, SHORT_SHA, commit) != 0)
        return -1;
    if (git_read_file(pipeline->repo, commit, path, out, err) == 0)
        return 0;
    err->class = err->class == ERR_LIMIT ? ERR_INPUT : err->class;
    return err_wrap(err, "%s", name);
}

static int right_device(const struct pipeline *pipeline, const struct device *device,
                        const char *name, struct err *err)
{
    if (strcmp(device->slug, pipeline->job.device) == 0)
        return 0;
    return err_set(err, ERR_INPUT, "%s: recorded on device `%s`, expected `%s`", name,
                   device->slug, pipeline->job.device);
}

static int read_baseline(struct pipeline *pipeline, const char *commit, struct err *err)
{
    const struct limits *limits = &pipeline->host->limits;
    char name[FILE_PATH_BYTES];
    struct err problem = {0};
    BUF_AUTO json;
    buf_init(&json, limits->baseline_bytes);
    baseline_free(&pipeline->baseline);
    pipeline->has_baseline = false;
    if (read_recorded(pipeline, commit, "baseline.json", &json, name, &problem) != 0) {
        if (problem.class == ERR_NOT_FOUND)
            return 0; /* none yet: base is the anchor */
        *err = problem;
        return -1;
    }
    if (baseline_parse(json.data, json.len, name, limits, &pipeline->baseline, err) != 0 ||
        right_device(pipeline, &pipeline->baseline.device, name, err) != 0)
        return -1;
    pipeline->has_baseline = true;
    return 0;
}

static void read_calibration(struct pipeline *pipeline, const char *commit)
{
    const struct limits *limits = &pipeline->host->limits;
    char name[FILE_PATH_BYTES];
    struct err problem = {0};
    BUF_AUTO json;
    buf_init(&json, limits->calibration_bytes);
    pipeline->calibration_problem[0] = '\0';
    pipeline->has_calibration =
        read_recorded(pipeline, commit, "calibration.json", &json, name, &problem) == 0 &&
        calibration_parse(json.data, json.len, name, limits, &pipeline->calibration,
                          &problem) == 0 &&
        right_device(pipeline, &pipeline->calibration.device, name, &problem) == 0;
    if (pipeline->has_calibration || problem.class == ERR_NOT_FOUND)
        return;
    err_write_context(&problem, "calibration.json %s",
                      problem.class == ERR_INPUT ? "is malformed" : "cannot be read");
    memcpy(pipeline->calibration_problem, problem.text, sizeof problem.text);
}

/* ci/ratchet.conf of a commit; `name` becomes how errors call it. */
static int read_conf(struct pipeline *pipeline, const char *commit, struct buf *out,
                     char name[FILE_PATH_BYTES], struct err *err)
{
    if (file_path(name, err, CONFIG_PATH " at %.*s", SHORT_SHA, commit) != 0)
        return -1;
    if (git_read_file(pipeline->repo, commit, CONFIG_PATH, out, err) == 0)
        return 0;
    err->class = err->class == ERR_NOT_FOUND || err->class == ERR_LIMIT ? ERR_INPUT : err->class;
    return err_wrap(err, "%s", name);
}

static void free_config(struct ratchet_config **config)
{
    free(*config);
}

/* What the baseline has and ci/ratchet.conf lists no more is not waited for. */
static void mark_retired(struct pipeline *pipeline)
{
    const struct ratchet_config *config = &pipeline->config;
    for (size_t i = 0; i < pipeline->baseline.count; i++) {
        struct baseline_config *entry = &pipeline->baseline.configs[i];
        entry->retired = true;
        for (size_t c = 0; c < config->config_count && entry->retired; c++)
            entry->retired = strcmp(config->configs[c].name, entry->config.name) != 0;
    }
}

int pipeline_read_rules(struct pipeline *pipeline, const char *commit, struct err *err)
{
    const struct limits *limits = &pipeline->host->limits;
    char name[FILE_PATH_BYTES];
    BUF_AUTO text;
    buf_init(&text, limits->config_bytes);
    if (read_conf(pipeline, commit, &text, name, err) != 0 ||
        config_parse(text.data, text.len, name, pipeline->job.device, limits, &pipeline->config,
                     err) != 0)
        return -1;
    pipeline->has_config = true;
    read_calibration(pipeline, commit);
    if (read_baseline(pipeline, commit, err) != 0)
        return -1;
    mark_retired(pipeline);
    return 0;
}

int pipeline_read_source(struct pipeline *pipeline, const char *commit,
                         struct kernel_source *out, struct err *err)
{
    const struct limits *limits = &pipeline->host->limits;
    char name[FILE_PATH_BYTES];
    BUF_AUTO text;
    buf_init(&text, limits->config_bytes);
    return read_conf(pipeline, commit, &text, name, err) != 0 ||
                   config_parse_source(text.data, text.len, name, pipeline->job.device, limits,
                                       out, err) != 0
               ? -1
               : 0;
}

static int check_path(struct pipeline *pipeline, const char *path, const char *const *commits,
                      size_t count, size_t *link_at, struct err *err)
{
    bool there = false;
    char near[256] = "";
    for (size_t i = 0; i < count; i++) {
        enum git_path_kind kind;
        char where[256];
        if (git_check_path(pipeline->repo, commits[i], path, &kind, where, err) != 0)
            return -1;
        if (kind == GIT_PATH_LINK) {
            *link_at = i;
            return err_set(err, ERR_INPUT,
                           CONFIG_PATH ": kernel.path: `%s`: `%s` is a link at %.*s: name what it "
                                       "points to",
                           path, where, SHORT_SHA, commits[i]);
        }
        there = there || kind != GIT_PATH_ABSENT;
        if (kind == GIT_PATH_ABSENT && where[0] != '\0')
            memcpy(near, where, sizeof near);
    }
    if (there)
        return 0;
    return err_set(err, ERR_INPUT,
                   CONFIG_PATH ": kernel.path: `%s` names no file or folder%s%s%s: nothing would "
                               "be guarded",
                   path, near[0] != '\0' ? " (there is `" : "", near,
                   near[0] != '\0' ? "`)" : "");
}

int pipeline_check_paths(struct pipeline *pipeline, const struct kernel_source *source,
                         const char *const *commits, size_t count, size_t *link_at,
                         struct err *err)
{
    *link_at = count;
    for (size_t i = 0; i < source->path_count; i++)
        if (check_path(pipeline, source->paths[i], commits, count, link_at, err) != 0)
            return -1;
    return 0;
}

/* A build sees what lies under its commit's paths, and its recipe: where base and merge agree in
 * both, they build the same. */
static int kernel_touched(struct pipeline *pipeline, const struct kernel_source *merge,
                          bool *touched, struct err *err)
{
    const struct kernel_source *base = &pipeline->config.source;
    const char *paths[MODEL_PATHS_MAX];
    for (size_t i = 0; i < base->path_count; i++)
        paths[i] = base->paths[i];
    char first[256], base_key[GIT_KEY_BYTES], merge_key[GIT_KEY_BYTES];
    bool named = false;
    if (git_paths_key(pipeline->repo, pipeline->job.base, paths, base->path_count, base_key,
                      err) != 0 ||
        git_paths_key(pipeline->repo, pipeline->job.merge, paths, base->path_count, merge_key,
                      err) != 0 ||
        git_differs(pipeline->repo, pipeline->job.base, pipeline->job.merge, paths,
                    base->path_count, &named, first, err) != 0)
        return -1;
    *touched = named || strcmp(base_key, merge_key) != 0;
    if (*touched)
        pipeline_say(pipeline, "kernel touched: `%s`", named ? first : "a submodule");
    if (kernel_source_equal(base, merge))
        return 0;
    *touched = true;
    pipeline_say(pipeline, "kernel touched: [kernel] or [build \"%s\"] of " CONFIG_PATH,
                 pipeline->job.device);
    pipeline_note(pipeline,
                  "This pull request changes how the kernel is built: head is built by its own "
                  "recipe, `%.180s`; base by its own, `%.180s`.",
                  merge->recipe.command, base->recipe.command);
    return 0;
}

/* Whoever breaks ci/ratchet.conf hears of it before it is main's. */
static int note_broken_conf(struct pipeline *pipeline, struct err *err)
{
    const struct limits *limits = &pipeline->host->limits;
    char name[FILE_PATH_BYTES];
    struct err problem = {0};
    BUF_AUTO text;
    buf_init(&text, limits->config_bytes);
    struct ratchet_config *config __attribute__((cleanup(free_config))) =
        calloc(1, sizeof *config);
    if (config == NULL)
        return err_set(err, ERR_HOST, "out of memory for " CONFIG_PATH);
    if (read_conf(pipeline, pipeline->job.merge, &text, name, &problem) != 0 ||
        config_parse(text.data, text.len, name, pipeline->job.device, limits, config,
                     &problem) != 0)
        pipeline_note(pipeline,
                      "As this pull request leaves it, " CONFIG_PATH " cannot be used: %.300s. "
                      "Once merged, nothing could be judged.",
                      problem.text);
    return 0;
}

/* The PR's own copies of what decides about it are not honoured; say so. */
static int note_ignored_edits(struct pipeline *pipeline, struct err *err)
{
    const char *const paths[] = {CONFIG_PATH, "baselines"};
    char first[256];
    bool differs;
    if (git_differs(pipeline->repo, pipeline->job.base, pipeline->job.merge, paths, 2, &differs,
                    first, err) != 0)
        return -1;
    if (differs)
        pipeline_note(pipeline,
                      "This pull request edits %s. A check takes rule, [bench], configs and "
                      "baseline from the base commit: what it changes there counts once it is "
                      "merged.",
                      first);
    return differs ? note_broken_conf(pipeline, err) : 0;
}

/* What the merge says of its own kernel, and whether both lists of paths can be used. 1: they can;
 * 0: the verdict stands; -1: error. */
static int read_merge(struct pipeline *pipeline, struct kernel_source *source, struct err *err)
{
    const char *const commits[] = {pipeline->job.base, pipeline->job.merge};
    size_t link_at;
    struct err problem = {0};
    enum clause clause = CLAUSE_BAD_PATH;
    enum fault fault = FAULT_PR;
    if (pipeline_read_source(pipeline, pipeline->job.merge, source, &problem) != 0)
        clause = CLAUSE_BAD_RECIPE;
    else if (pipeline_check_paths(pipeline, &pipeline->config.source, commits, 2, &link_at,
                                  &problem) != 0)
        fault = link_at == 1 ? FAULT_PR : FAULT_BASE;
    else if (pipeline_check_paths(pipeline, source, commits, 2, &link_at, &problem) == 0)
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
        pipeline_unmeasured(pipeline, FAULT_BASE, CLAUSE_BAD_CONFIG, &problem);
    }
    pipeline_quote_main(pipeline);
    pipeline_say(pipeline, "%s: %s", verdict_name(pipeline->comparison.verdict),
                 pipeline->comparison.reason);
    return 0;
}

/* ---- write and publish ---- */

static int report_text(struct pipeline *pipeline, struct buf *out, struct err *err)
{
    char timing[128];
    snprintf(timing, sizeof timing, "build %.1f s (%u of %u from the cache), bench %.1f s",
             pipeline->build_s, pipeline->cached, pipeline->builds, pipeline->bench_s);
    const char *notes[PIPELINE_NOTES_MAX];
    for (size_t i = 0; i < pipeline->note_count; i++)
        notes[i] = pipeline->notes[i];
    struct report report = {
        .job = &pipeline->job,
        .comparison = &pipeline->comparison,
        .samples = pipeline->samples.count > 0 ? &pipeline->samples : NULL,
        .baseline = pipeline->has_baseline ? &pipeline->baseline : NULL,
        .rule = pipeline->has_config ? &pipeline->config.rule : NULL,
        .calibration = pipeline->has_calibration ? &pipeline->calibration : NULL,
        .calibration_problem =
            pipeline->calibration_problem[0] != '\0' ? pipeline->calibration_problem : NULL,
        .log = pipeline->log.len > 0 ? pipeline->log.data : NULL,
        .log_len = pipeline->log.len,
        .notes = notes,
        .note_count = pipeline->note_count,
        .timing = pipeline->builds > 0 ? timing : NULL,
    };
    return report_markdown(&report, out, err);
}

static int write_in_folder(struct pipeline *pipeline, const char *name, const struct buf *text,
                           struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (file_path(path, err, "%s/%s", pipeline->folder, name) != 0)
        return -1;
    return file_write(path, text->data, text->len, 0644, err);
}

/* What the verdict rests on, number by number: as `ratchet compare --explain` would say. */
static int write_explanation(struct pipeline *pipeline, struct err *err)
{
    struct compare_log log __attribute__((cleanup(compare_log_free))) = {0};
    struct comparison again __attribute__((cleanup(comparison_free))) = {0};
    BUF_AUTO text;
    buf_init(&text, pipeline->host->limits.samples_bytes);
    if (compare_logged(&pipeline->samples, pipeline->has_baseline ? &pipeline->baseline : NULL,
                       &pipeline->config.rule, &again, &log, err) != 0)
        return -1;
    explain_text(&pipeline->samples, &pipeline->config.rule, &again, &log, &text);
    return write_in_folder(pipeline, "explain.txt", &text, err);
}

int pipeline_write(struct pipeline *pipeline, struct err *err)
{
    BUF_AUTO report;
    BUF_AUTO verdict;
    BUF_AUTO samples;
    buf_init(&report, REPORT_MAX_BYTES);
    buf_init(&verdict, pipeline->host->limits.samples_bytes);
    buf_init(&samples, pipeline->host->limits.samples_bytes);
    if (report_text(pipeline, &report, err) != 0 ||
        write_in_folder(pipeline, "report.md", &report, err) != 0 ||
        verdict_format_json(&pipeline->comparison, &verdict, err) != 0 ||
        write_in_folder(pipeline, "verdict.json", &verdict, err) != 0)
        return -1;
    if (pipeline->samples.count == 0)
        return 0;
    if (samples_format(&pipeline->samples, &samples, err) != 0)
        return -1;
    if (write_in_folder(pipeline, "samples.json", &samples, err) != 0)
        return -1;
    return pipeline->comparison.count > 0 ? write_explanation(pipeline, err) : 0;
}

static void status_context(const struct pipeline *pipeline, char out[128])
{
    /* A fast-forward shares the pull request's SHA, so main's own verdict has its own. */
    snprintf(out, 128, "ratchet/%s%s", pipeline->job.device,
             pipeline->job.kind == JOB_PROMOTE ? " (promotion)" : "");
}

int pipeline_announce(struct pipeline *pipeline, const char *state, const char *text,
                      struct err *err)
{
    const struct job *job = &pipeline->job;
    char context[128];
    status_context(pipeline, context);
    return github_set_status(&pipeline->github, job->head, context, state, text, job->run_url,
                             err);
}

/* A pull request whose head moved on while it was measured has a job of its own for the new
 * head: this one's comment would only overwrite the newer word. Its status still counts, on
 * the commit that was measured. */
static bool superseded(struct pipeline *pipeline)
{
    struct github_pull pull;
    struct err ignored;
    return github_get_pull(&pipeline->github, pipeline->job.pr, &pull, &ignored) == 0 &&
           strcmp(pull.head, pipeline->job.head) != 0;
}

static int put_comment(struct pipeline *pipeline, struct outbox *outbox, struct err *err)
{
    const struct job *job = &pipeline->job;
    if (superseded(pipeline)) {
        pipeline_say(pipeline, "the pull request has moved on: no comment for %.*s", SHORT_SHA,
                     job->head);
        return 0;
    }
    char marker[128], path[FILE_PATH_BYTES];
    report_marker(job->device, marker);
    BUF_AUTO body;
    buf_init(&body, REPORT_MAX_BYTES);
    if (file_path(path, err, "%s/report.md", pipeline->folder) != 0 ||
        file_read(path, &body, err) != 0)
        return -1;
    return outbox_put_comment(outbox, job->id, job->repository, job->pr, marker, body.data,
                              body.len, err);
}

int pipeline_publish(struct pipeline *pipeline, struct outbox *outbox,
                     struct outbox_result *result, struct err *err)
{
    const struct job *job = &pipeline->job;
    *result = (struct outbox_result){0};
    if (job->pr > 0 && put_comment(pipeline, outbox, err) != 0)
        return -1;
    if (git_is_sha(job->head)) {
        char context[128], line[256];
        status_context(pipeline, context);
        report_line(&pipeline->comparison, line, sizeof line);
        const char *state = comparison_exit(&pipeline->comparison) == EXIT_HELD ? "success"
                            : pipeline->comparison.verdict == VERDICT_REGRESSED ? "failure"
                                                                                : "error";
        if (outbox_put_status(outbox, job->id, job->repository, job->head, context, state, line,
                              job->run_url, err) != 0)
            return -1;
    }
    return outbox_send(outbox, job->id, &pipeline->github, result, err);
}
