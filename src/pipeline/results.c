/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the files that stay of a measurement. */
#include "pipeline/pipeline.h"

#include "judge/samples.h"
#include "judge/text.h"
#include "judge/verdict.h"
#include "pipeline/choices.h"
#include "pipeline/environment.h"
#include "publish/report.h"
#include "result_files.h"

#include <stdio.h>

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

/* Of a check. A promotion has two runs, which may be two processes: what the first took is not
 * known here. */
static void set_spent(struct measurement *measurement)
{
    measurement->comparison.spent = (struct spent){
        .known = measurement->job.kind == JOB_CHECK && measurement->device != NULL,
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
        write_environment(measurement, err) != 0)
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
