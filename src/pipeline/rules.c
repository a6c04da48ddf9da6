/* SPDX-License-Identifier: Apache-2.0 */
/* What a commit says of itself: its rules, its baseline and calibration, how its kernel is built
 * and from what, and whether two commits have the same one. */
#include "pipeline/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    pipeline->stage = CLAUSE_BAD_BASELINE;
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
    pipeline->has_calibration = read_recorded(pipeline, commit, "calibration.json", &json,
                                              name, &problem) == 0 &&
                                calibration_parse(json.data, json.len, name, limits,
                                                  &pipeline->calibration, &problem) == 0 &&
                                right_device(pipeline, &pipeline->calibration.device, name,
                                             &problem) == 0;
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
    err->class = err->class == ERR_NOT_FOUND || err->class == ERR_LIMIT ? ERR_INPUT
                                                                        : err->class;
    return err_wrap(err, "%s", name);
}

static void free_config(struct ratchet_config **config)
{
    free(*config);
}

/* What the baseline has and ci/ratchet.conf lists no more is not waited for. */
void pipeline_mark_retired(struct pipeline *pipeline)
{
    const struct ratchet_config *config = &pipeline->config;
    for (size_t i = 0; i < pipeline->baseline.count; i++) {
        struct baseline_config *entry = &pipeline->baseline.configs[i];
        entry->retired = true;
        for (size_t c = 0; c < config->config_count && entry->retired; c++)
            entry->retired = strcmp(config->configs[c].name, entry->config.name) != 0;
    }
}

/* All of it, for this device. */
static int parse_conf(struct pipeline *pipeline, const char *commit,
                      struct ratchet_config *out, struct err *err)
{
    const struct limits *limits = &pipeline->host->limits;
    char name[FILE_PATH_BYTES];
    BUF_AUTO text;
    buf_init(&text, limits->config_bytes);
    return read_conf(pipeline, commit, &text, name, err) != 0 ||
                   config_parse(text.data, text.len, name, pipeline->job.device, limits, out,
                                err) != 0
               ? -1
               : 0;
}

int pipeline_read_rules(struct pipeline *pipeline, const char *commit, struct err *err)
{
    pipeline->stage = CLAUSE_BAD_CONFIG;
    if (parse_conf(pipeline, commit, &pipeline->config, err) != 0)
        return -1;
    pipeline->has_config = true;
    read_calibration(pipeline, commit);
    if (read_baseline(pipeline, commit, err) != 0)
        return -1;
    pipeline_mark_retired(pipeline);
    pipeline->stage = CLAUSE_BAD_CONFIG;
    return 0;
}

int pipeline_try_rules(struct pipeline *pipeline, const char *commit, struct err *err)
{
    struct ratchet_config *config
        __attribute__((cleanup(free_config))) = calloc(1, sizeof *config);
    return config == NULL ? err_set(err, ERR_HOST, "out of memory for " CONFIG_PATH)
                          : parse_conf(pipeline, commit, config, err);
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

/* ---- paths, and what lies there ---- */

/* A path in a submodule is looked for in the commit that this one pins. */
static int look_inside(struct pipeline *pipeline, const char *path, const char *commit,
                       struct err *err)
{
    const char *const paths[] = {path};
    return checkout_submodules(&pipeline->submodules, pipeline->repo, commit, paths, 1,
                               &pipeline->host->limits, err);
}

/* What a path is in one commit; *near gets a name that differs in case alone, if there is one. */
static int check_path_at(struct pipeline *pipeline, const char *path, const char *commit,
                         bool *there, char near[256], struct err *err)
{
    enum git_path_kind kind;
    char where[256];
    if (git_check_path(pipeline->repo, commit, path, &kind, where, err) != 0)
        return -1;
    if (kind == GIT_PATH_LINK)
        return err_set(err, ERR_INPUT,
                       CONFIG_PATH ": kernel.path: `%s`: `%s` is a link at %.*s: name what it "
                                   "points to",
                       path, where, SHORT_SHA, commit);
    if (kind == GIT_PATH_SUBMODULE && strcmp(where, path) != 0 &&
        look_inside(pipeline, path, commit, err) != 0)
        return err_wrap(err, CONFIG_PATH ": kernel.path: `%s` at %.*s", path, SHORT_SHA,
                        commit);
    *there = *there || kind != GIT_PATH_ABSENT;
    if (kind == GIT_PATH_ABSENT && where[0] != '\0')
        memcpy(near, where, sizeof where);
    return 0;
}

static int check_path(struct pipeline *pipeline, const char *path, const char *const *commits,
                      size_t count, size_t *at, struct err *err)
{
    bool there = false;
    char near[256] = "";
    for (*at = 0; *at < count; (*at)++)
        if (check_path_at(pipeline, path, commits[*at], &there, near, err) != 0)
            return -1;
    if (there)
        return 0;
    return err_set(
        err, ERR_INPUT,
        CONFIG_PATH ": kernel.path: `%s` names no file or folder%s%s%s: nothing would "
                    "be guarded",
        path, near[0] != '\0' ? " (there is `" : "", near, near[0] != '\0' ? "`)" : "");
}

int pipeline_check_paths(struct pipeline *pipeline, const struct kernel_source *source,
                         const char *const *commits, size_t count, size_t *at, struct err *err)
{
    pipeline->stage = CLAUSE_BAD_PATH;
    for (size_t i = 0; i < source->path_count; i++)
        if (check_path(pipeline, source->paths[i], commits, count, at, err) != 0)
            return -1;
    pipeline->stage = CLAUSE_BAD_CONFIG;
    return 0;
}

size_t pipeline_paths(const struct kernel_source *source, const char *out[MODEL_PATHS_MAX])
{
    for (size_t i = 0; i < source->path_count; i++)
        out[i] = source->paths[i];
    return source->path_count;
}

int pipeline_same_kernel(struct pipeline *pipeline, const struct kernel_source *source,
                         const char *old_commit, const char *new_commit, bool *same,
                         char first[256], struct err *err)
{
    const char *paths[MODEL_PATHS_MAX];
    size_t count = pipeline_paths(source, paths);
    char before[GIT_KEY_BYTES], after[GIT_KEY_BYTES];
    bool named = false;
    if (git_paths_key(pipeline->repo, old_commit, paths, count, before, err) != 0 ||
        git_paths_key(pipeline->repo, new_commit, paths, count, after, err) != 0)
        return -1;
    *same = strcmp(before, after) == 0;
    first[0] = '\0';
    if (*same)
        return 0;
    /* The key decides; this finds a name for it, where it is not within a submodule. */
    if (git_differs(pipeline->repo, old_commit, new_commit, paths, count, &named, first,
                    err) != 0)
        return -1;
    if (!named)
        snprintf(first, 256, "a submodule");
    return 0;
}
