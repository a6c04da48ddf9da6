/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which files of a study's folder documents are made of. */
#include "lab/study.h"

#include "intake/config.h"
#include "judge/compare.h"
#include "judge/samples.h"
#include "judge/verdict.h"
#include "lab/study_means.h"
#include "pipeline/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_BYTES = 4 << 20 };

struct reading {
    const char *path;
    const struct limits *limits;
    struct study_files *files;
    struct err *err;
};

/* Append the file; 0 where it is not there and does not have to be, 1 where it is. */
static int get(const struct reading *reading, const char *name, bool needed, struct buf *out)
{
    struct err why = {0};
    if (study_folder_read(reading->path, name, out, &why) == 0)
        return 1;
    if (why.class == ERR_NOT_FOUND && !needed)
        return 0;
    if (why.class == ERR_NOT_FOUND)
        return err_set(reading->err, ERR_INPUT,
                       "%s: missing, though " STUDY_FILE " says that it was made", name);
    return err_set(reading->err, why.class, "%s", why.text);
}

static bool is_done(const struct reading *reading, enum study_phase phase)
{
    const struct study_step *step = study_step_find(&reading->files->study, phase, "");
    return step != NULL && step->state == STUDY_DONE;
}

static int read_study(const struct reading *reading)
{
    struct study *study = &reading->files->study;
    BUF_AUTO text;
    buf_init(&text, SMALL_BYTES);
    return study_folder_read(reading->path, STUDY_FILE, &text, reading->err) != 0 ||
                   study_parse(text.data, text.len, STUDY_FILE, study, reading->err) != 0 ||
                   file_path(study->path, reading->err, "%s", reading->path) != 0
               ? -1
               : 0;
}

static int read_rule(const struct reading *reading)
{
    static const char name[] = "ratchet.conf";
    struct ratchet_config *config = calloc(1, sizeof *config);
    BUF_AUTO text;
    buf_init(&text, reading->limits->config_bytes);
    int rc = config == NULL ? err_set(reading->err, ERR_HOST, "out of memory for %s", name)
             : get(reading, name, true, &text) < 0
                 ? -1
                 : config_parse(text.data, text.len, name, reading->files->study.asked.device,
                                reading->limits, config, reading->err);
    if (rc == 0)
        reading->files->rule = config->rule;
    free(config);
    return rc;
}

static int read_environment(const struct reading *reading)
{
    BUF_AUTO text;
    buf_init(&text, ENVIRONMENT_MAX_BYTES);
    int there = get(reading, "env.json", is_done(reading, STUDY_ENVIRONMENT), &text);
    return there <= 0 ? there
                      : environment_read(text.data, text.len, "env.json",
                                         &reading->files->environment, reading->err);
}

/* 1: they are there; with `judged`, so is the judge's word on them. */
static int read_samples(const struct reading *reading, const char *name, bool needed,
                        struct samples *out, struct comparison *judged)
{
    const struct study *study = &reading->files->study;
    BUF_AUTO text;
    buf_init(&text, reading->limits->samples_bytes);
    int there = get(reading, name, needed, &text);
    if (there <= 0)
        return there;
    if (samples_parse_all(text.data, text.len, name, reading->limits, out, reading->err) != 0)
        return -1;
    if (strcmp(out->device.slug, study->asked.device) != 0)
        return err_set(reading->err, ERR_INPUT, "%s: of device `%s`, the study is of `%s`",
                       name, out->device.slug, study->asked.device);
    if (judged != NULL &&
        compare_samples(out, NULL, &reading->files->rule, judged, reading->err) != 0)
        return err_wrap(reading->err, "%s", name);
    return 1;
}

static int read_measured(const struct reading *reading)
{
    struct study_files *files = reading->files;
    const struct {
        const char *name;
        enum study_phase phase;
        struct samples *samples;
        struct comparison *judged;
        bool *there;
    } parts[] = {
        {"benchmark.json", STUDY_BENCHMARK, &files->benchmark, &files->first,
         &files->benchmark_there},
        {"backends/samples.json", STUDY_BACKENDS, &files->backends, NULL,
         &files->backends_there},
        {"shapes/samples.json", STUDY_SHAPES, &files->shapes, NULL, &files->shapes_there},
        {"samples.json", STUDY_END, &files->end, &files->comparison, &files->end_there}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        int there = read_samples(reading, parts[i].name, is_done(reading, parts[i].phase),
                                 parts[i].samples, parts[i].judged);
        if (there < 0)
            return -1;
        *parts[i].there = there == 1;
    }
    return 0;
}

/* What was kept is no matter of belief: the samples say it. */
static int check_kept(const struct reading *reading, const struct study_step *step,
                      const struct study_judged *judged)
{
    return step->kept == judged->better
               ? 0
               : err_set(reading->err, ERR_INPUT,
                         STUDY_FILE ": %s: %s, which is not what its samples give", step->name,
                         step->kept ? "kept" : "not kept");
}

static int read_proposals(const struct reading *reading)
{
    struct study_files *files = reading->files;
    for (size_t i = 0; i < files->study.step_count; i++) {
        const struct study_step *step = &files->study.steps[i];
        char name[STUDY_FILE_PATH_BYTES];
        if (!step->proposal)
            continue;
        snprintf(name, sizeof name, "optimise/%s/samples.json", step->name);
        if (read_samples(reading, name, true, &files->proposals[i], NULL) < 0)
            return -1;
        if (strcmp(files->proposals[i].others[0], STUDY_PROPOSAL) != 0)
            return err_set(reading->err, ERR_INPUT, "%s: no arm `%s`", name, STUDY_PROPOSAL);
        if (study_judge(&files->proposals[i], &files->rule, files->study.asked.proposals,
                        &files->judged[i], reading->err) != 0)
            return err_wrap(reading->err, "%s", name);
        if (check_kept(reading, step, &files->judged[i]) != 0)
            return -1;
    }
    return 0;
}

static int read_check(const struct reading *reading)
{
    static const char name[] = "end/verdict.json";
    struct study_files *files = reading->files;
    BUF_AUTO text;
    buf_init(&text, SMALL_BYTES);
    int there = get(reading, name, false, &text);
    if (there <= 0)
        return there;
    files->check_there = true;
    return verdict_parse_json(text.data, text.len, name, &files->check, reading->err);
}

static int list_raw(const struct reading *reading)
{
    struct study_listing *raw = &reading->files->raw;
    size_t kept = 0;
    if (study_folder_list(reading->path, raw, reading->err) != 0)
        return -1;
    for (size_t i = 0; i < raw->count; i++)
        if (!study_is_document(raw->files[i].path))
            raw->files[kept++] = raw->files[i];
    raw->count = kept;
    return 0;
}

static int read_all(const struct reading *reading)
{
    struct study_files *files = reading->files;
    files->judged = calloc(STUDY_STEPS_MAX, sizeof *files->judged);
    if (files->judged == NULL)
        return err_set(reading->err, ERR_HOST, "out of memory for a study");
    return list_raw(reading) != 0 || read_study(reading) != 0 || read_rule(reading) != 0 ||
                   read_environment(reading) < 0 || read_measured(reading) != 0 ||
                   read_proposals(reading) != 0 || read_check(reading) < 0
               ? -1
               : 0;
}

int study_files_read(const char *path, const struct limits *limits, struct study_files *out,
                     struct err *err)
{
    *out = (struct study_files){.judged = NULL};
    const struct reading reading = {path, limits, out, err};
    if (read_all(&reading) == 0)
        return 0;
    study_files_free(out);
    return -1;
}

void study_files_free(struct study_files *files)
{
    environment_file_free(&files->environment);
    samples_free(&files->benchmark);
    samples_free(&files->end);
    samples_free(&files->backends);
    samples_free(&files->shapes);
    comparison_free(&files->first);
    comparison_free(&files->comparison);
    comparison_free(&files->check);
    for (size_t i = 0; i < STUDY_STEPS_MAX; i++)
        samples_free(&files->proposals[i]);
    free(files->judged);
    study_listing_free(&files->raw);
    *files = (struct study_files){.judged = NULL};
}
