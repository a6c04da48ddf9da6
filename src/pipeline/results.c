/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the files that stay of a measurement. */
#include "pipeline/pipeline.h"

#include "judge/samples.h"
#include "judge/text.h"
#include "judge/verdict.h"
#include "pipeline/choices.h"
#include "pipeline/environment.h"
#include "publish/annotations.h"
#include "publish/report.h"
#include "result_files.h"

#include <stdio.h>
#include <string.h>

enum { LOOKUP_BYTES = 4 << 20 }; /* of folders, to see whether files are there */

static int report_text(struct measurement *measurement, struct buf *out, struct err *err)
{
    BUF_AUTO timing;
    buf_init(&timing, 512);
    buf_addf(&timing, "build %.1f s (%u of %u from the cache), bench %.1f s%s",
             measurement->build_s, measurement->cached, measurement->builds,
             measurement->bench_s, measurement->comparison.spent.known ? "; " : "");
    text_spent(&timing, &measurement->comparison);
    const char *notes[MEASUREMENT_NOTES_MAX];
    for (size_t i = 0; i < measurement->note_count; i++)
        notes[i] = measurement->notes[i];
    struct report report = {
        .job = &measurement->job,
        .comparison = &measurement->comparison,
        .samples = measurement->samples.count > 0 ? &measurement->samples : NULL,
        .baseline = measurement->has_baseline ? &measurement->baseline : NULL,
        .rule = measurement->has_config ? &measurement->config.rule : NULL,
        .calibration = measurement->has_calibration ? &measurement->calibration : NULL,
        .calibration_problem = measurement->calibration_problem[0] != '\0'
                                   ? measurement->calibration_problem
                                   : NULL,
        .log = measurement->build_log.len > 0 ? measurement->build_log.data : NULL,
        .log_len = measurement->build_log.len,
        .notes = notes,
        .note_count = measurement->note_count,
        .timing = measurement->builds > 0 ? timing.data : NULL,
    };
    return report_markdown(&report, out, err);
}

static int write_in_folder(struct measurement *measurement, const char *name,
                           const struct buf *text, struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (buf_check(text, name, err) != 0 ||
        file_path(path, err, "%s/%s", measurement->folder, name) != 0)
        return -1;
    return file_write(path, text->data, text->len, 0644, err);
}

/* A verdict stands without its env.json; a full disk is another matter. */
static int write_environment(struct measurement *measurement, struct err *err)
{
    const struct samples *samples = &measurement->samples;
    struct err problem = {0};
    BUF_AUTO text;
    buf_init(&text, ENVIRONMENT_MAX_BYTES);
    environment_complete(measurement);
    if (samples->environment.count == 0)
        return 0;
    if (environment_write(&samples->device, &samples->environment, &text, &problem) == 0)
        return write_in_folder(measurement, RESULT_ENVIRONMENT, &text, err);
    measurement_say(measurement, "no " RESULT_ENVIRONMENT ": %s", problem.text);
    return 0;
}

/* A file of head's own: behind a link or in a submodule GitHub shows none. */
static bool is_in_tree(struct git_lookup *lookup, const struct annotation *annotation)
{
    struct err ignored;
    enum git_path_kind kind = GIT_PATH_ABSENT;
    return git_lookup_path(lookup, annotation->path, &kind, &ignored) == 0 &&
           kind == GIT_PATH_FILE;
}

/* Where head does not compile: the first places that are head's. A verdict stands without them. */
static int write_annotations(struct measurement *measurement, struct err *err)
{
    const struct comparison *comparison = &measurement->comparison;
    struct git_lookup *lookup __attribute__((cleanup(git_lookup_close))) = NULL;
    const char *at = measurement->build_log.data;
    struct annotation found;
    struct err problem = {0};
    BUF_AUTO text;
    buf_init(&text, ANNOTATIONS_MAX * 2 * ANNOTATION_TEXT_BYTES);
    if (comparison->clause != CLAUSE_BUILD_FAILED || comparison->fault != FAULT_PR ||
        measurement->build_log.len == 0)
        return 0;
    if (git_lookup_open(measurement->repo, measurement->job.merge, LOOKUP_BYTES, &lookup,
                        &problem) != 0) {
        measurement_say(measurement, "no annotations: %s", problem.text);
        return 0;
    }
    for (size_t count = 0; count < ANNOTATIONS_MAX && annotation_next(&at, &found);) {
        BUF_AUTO line;
        buf_init(&line, 2 * ANNOTATION_TEXT_BYTES);
        annotation_put(&line, &found);
        if (!is_in_tree(lookup, &found) || strstr(text.data, line.data) != NULL)
            continue; /* or said before: nvcc compiles a file several times */
        buf_adds(&text, line.data);
        count++;
    }
    return text.len == 0 ? 0 : write_in_folder(measurement, RESULT_ANNOTATIONS, &text, err);
}

/* A promotion has two runs, which may be two processes. */
static void set_spent(struct measurement *measurement)
{
    measurement->comparison.spent = (struct spent){
        .known = measurement->device != NULL && !measurement->device_untold,
        .device_ms = measurement->device_ns / 1000000};
    if (measurement->device != NULL)
        measurement->comparison.spent.price = measurement->device->price;
}

static void set_partial(struct measurement *measurement)
{
    choices_words(&measurement->job.choices, measurement->comparison.partial);
}

int results_write(struct measurement *measurement, struct err *err)
{
    BUF_AUTO report;
    BUF_AUTO verdict;
    BUF_AUTO samples;
    buf_init(&report, REPORT_MAX_BYTES);
    buf_init(&verdict, measurement->host->limits.samples_bytes);
    buf_init(&samples, measurement->host->limits.samples_bytes);
    set_spent(measurement);
    set_partial(measurement);
    if (report_text(measurement, &report, err) != 0 ||
        write_in_folder(measurement, RESULT_REPORT, &report, err) != 0 ||
        verdict_format_json(&measurement->comparison, &verdict, err) != 0 ||
        write_in_folder(measurement, RESULT_VERDICT, &verdict, err) != 0 ||
        write_environment(measurement, err) != 0 || write_annotations(measurement, err) != 0)
        return -1;
    if (measurement->samples.count == 0)
        return 0;
    if (samples_format(&measurement->samples, &samples, err) != 0)
        return -1;
    if (write_in_folder(measurement, RESULT_SAMPLES, &samples, err) != 0)
        return -1;
    /* What the verdict rests on, number by number: as `ratchet compare --explain` would say. */
    return measurement->comparison.count > 0
               ? write_in_folder(measurement, RESULT_EXPLAIN, &measurement->explanation, err)
               : 0;
}
