/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a commit says of itself: its rules, its baseline and calibration, how its kernel is
 * built. */
#include "pipeline/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file of baselines/<device> at a commit. `name` becomes how errors call it. */
static int read_recorded(struct measurement *measurement, const char *commit, const char *file,
                         struct buf *out, char name[FILE_PATH_BYTES], struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (file_path(path, err, "baselines/%s/%s", measurement->job.device, file) != 0 ||
        file_path(name, err, "%s at %.*s", path, SHORT_SHA, commit) != 0)
        return -1;
    if (git_read_file(measurement->repo, commit, path, out, err) == 0)
        return 0;
    err->class = err->class == ERR_LIMIT ? ERR_INPUT : err->class;
    return err_wrap(err, "%s", name);
}

static int right_device(const struct measurement *measurement, const struct device *device,
                        const char *name, struct err *err)
{
    if (strcmp(device->slug, measurement->job.device) == 0)
        return 0;
    return err_set(err, ERR_INPUT, "%s: recorded on device `%s`, expected `%s`", name,
                   device->slug, measurement->job.device);
}

int rules_read_baseline(struct measurement *measurement, const char *commit,
                        struct baseline *out, bool *found, struct err *err)
{
    const struct limits *limits = &measurement->host->limits;
    char name[FILE_PATH_BYTES];
    struct err problem = {0};
    BUF_AUTO json;
    buf_init(&json, limits->baseline_bytes);
    *found = false;
    if (read_recorded(measurement, commit, "baseline.json", &json, name, &problem) != 0) {
        if (problem.class == ERR_NOT_FOUND)
            return 0;
        *err = problem;
        return -1;
    }
    if (baseline_parse(json.data, json.len, name, limits, out, err) != 0 ||
        right_device(measurement, &out->device, name, err) != 0)
        return -1;
    *found = true;
    return 0;
}

static int read_baseline(struct measurement *measurement, const char *commit, struct err *err)
{
    baseline_free(&measurement->baseline);
    measurement->has_baseline = false;
    measurement->clause_if_input = CLAUSE_BAD_BASELINE;
    if (measurement->no_baseline)
        return 0;
    return rules_read_baseline(measurement, commit, &measurement->baseline,
                               &measurement->has_baseline, err);
}

static void read_calibration(struct measurement *measurement, const char *commit)
{
    const struct limits *limits = &measurement->host->limits;
    char name[FILE_PATH_BYTES];
    struct err problem = {0};
    BUF_AUTO json;
    buf_init(&json, limits->calibration_bytes);
    measurement->calibration_problem[0] = '\0';
    measurement->has_calibration =
        read_recorded(measurement, commit, "calibration.json", &json, name, &problem) == 0 &&
        calibration_parse(json.data, json.len, name, limits, &measurement->calibration,
                          &problem) == 0 &&
        right_device(measurement, &measurement->calibration.device, name, &problem) == 0;
    if (measurement->has_calibration || problem.class == ERR_NOT_FOUND)
        return;
    err_write_context(&problem, "calibration.json %s",
                      problem.class == ERR_INPUT ? "is malformed" : "cannot be read");
    memcpy(measurement->calibration_problem, problem.text, sizeof problem.text);
}

/* ci/ratchet.conf of a commit; `name` becomes how errors call it. */
static int read_conf(struct measurement *measurement, const char *commit, struct buf *out,
                     char name[FILE_PATH_BYTES], struct err *err)
{
    if (file_path(name, err, CONFIG_PATH " at %.*s", SHORT_SHA, commit) != 0)
        return -1;
    if (git_read_file(measurement->repo, commit, CONFIG_PATH, out, err) == 0)
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
void rules_mark_retired(struct measurement *measurement)
{
    const struct ratchet_config *config = &measurement->config;
    for (size_t i = 0; i < measurement->baseline.count; i++) {
        struct baseline_config *entry = &measurement->baseline.configs[i];
        entry->retired = true;
        for (size_t c = 0; c < config->config_count && entry->retired; c++)
            entry->retired = strcmp(config->configs[c].name, entry->config.name) != 0;
    }
}

/* All of it, for this device. */
static int parse_conf(struct measurement *measurement, const char *commit,
                      struct ratchet_config *out, struct err *err)
{
    const struct limits *limits = &measurement->host->limits;
    char name[FILE_PATH_BYTES];
    BUF_AUTO text;
    buf_init(&text, limits->config_bytes);
    if (read_conf(measurement, commit, &text, name, err) == 0 &&
        config_parse(text.data, text.len, name, measurement->job.device, limits, out, err) ==
            0)
        return 0;
    err->class = err->class == ERR_LIMIT ? ERR_INPUT : err->class; /* whose file it is */
    return -1;
}

int rules_read(struct measurement *measurement, const char *commit, struct err *err)
{
    measurement->clause_if_input = CLAUSE_BAD_CONFIG;
    if (parse_conf(measurement, commit, &measurement->config, err) != 0)
        return -1;
    measurement->has_config = true;
    read_calibration(measurement, commit);
    if (read_baseline(measurement, commit, err) != 0)
        return -1;
    rules_mark_retired(measurement);
    measurement->clause_if_input = CLAUSE_BAD_CONFIG;
    return 0;
}

int rules_read_local(struct measurement *measurement, const char *path, const char *commit,
                     struct err *err)
{
    return git_open_existing(path, &measurement->repo, err) == 0
               ? rules_read(measurement, commit, err)
               : -1;
}

int rules_try(struct measurement *measurement, const char *commit, enum clause *clause,
              struct err *err)
{
    struct ratchet_config *config
        __attribute__((cleanup(free_config))) = calloc(1, sizeof *config);
    BASELINE_AUTO baseline = {0};
    bool found;
    if (config == NULL)
        return err_set(err, ERR_HOST, "out of memory for " CONFIG_PATH);
    *clause = CLAUSE_BAD_CONFIG;
    if (parse_conf(measurement, commit, config, err) != 0)
        return -1;
    *clause = CLAUSE_BAD_BASELINE;
    return rules_read_baseline(measurement, commit, &baseline, &found, err);
}

int rules_read_config(struct measurement *measurement, const char *commit,
                      struct ratchet_config *out, struct err *err)
{
    return parse_conf(measurement, commit, out, err);
}

int rules_read_source(struct measurement *measurement, const char *commit,
                      struct kernel_source *out, struct err *err)
{
    const struct limits *limits = &measurement->host->limits;
    char name[FILE_PATH_BYTES];
    BUF_AUTO text;
    buf_init(&text, limits->config_bytes);
    return read_conf(measurement, commit, &text, name, err) != 0 ||
                   config_parse_source(text.data, text.len, name, measurement->job.device,
                                       limits, out, err) != 0
               ? -1
               : 0;
}
