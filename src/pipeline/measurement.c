/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a measurement holds, says and notes, and what an error means for its verdict. */
#include "pipeline/measurement.h"

#include "base/proc.h"
#include "base/scan.h"
#include "judge/compare.h"
#include "judge/explain.h"
#include "judge/verdict.h"
#include "pipeline/lane_lock.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void measurement_init(struct measurement *measurement, const struct host *host,
                      progress_function *progress, void *context)
{
    /* A capped log has some lines more: what was run, and how much was left out. */
    enum { LOG_MARGIN_BYTES = 64 << 10 };
    *measurement = (struct measurement){
        .host = host, .progress = progress, .context = context};
    buf_init(&measurement->build_log, host->limits.log_bytes + LOG_MARGIN_BYTES);
    buf_init(&measurement->explanation, host->limits.samples_bytes);
}

int measurement_set_device(struct measurement *measurement, const char *device,
                           const char *lane, struct err *err)
{
    struct device *samples = &measurement->samples.device;
    measurement->device = host_need_device(measurement->host, device, err);
    if (measurement->device == NULL)
        return -1;
    measurement->lane = lane == NULL ? lane_lock_free(measurement->host, measurement->device)
                                     : host_find_lane(measurement->device, lane);
    if (measurement->lane == NULL)
        return err_set(err, ERR_INPUT, "device `%s` has no lane `%s` on this host", device,
                       lane);
    memcpy(measurement->job.device, measurement->device->slug, sizeof measurement->job.device);
    memcpy(samples->slug, measurement->device->slug, sizeof samples->slug);
    return 0;
}

int measurement_name_device(struct measurement *measurement, const char *device,
                            struct err *err)
{
    if (!model_name_ok(device))
        return err_set(err, ERR_INPUT, "device `%s` is no slug", device);
    snprintf(measurement->job.device, sizeof measurement->job.device, "%s", device);
    snprintf(measurement->samples.device.slug, sizeof measurement->samples.device.slug, "%s",
             device);
    return 0;
}

void measurement_set_config(struct measurement *measurement,
                            const struct ratchet_config *config)
{
    measurement->config = *config;
    measurement->has_config = true;
}

void measurement_drop_baseline(struct measurement *measurement)
{
    baseline_free(&measurement->baseline);
    measurement->has_baseline = false;
}

void measurement_free(struct measurement *measurement)
{
    git_close(&measurement->repo);
    checkout_submodules_free(&measurement->submodules);
    baseline_free(&measurement->baseline);
    samples_free(&measurement->samples);
    comparison_free(&measurement->comparison);
    buf_free(&measurement->explanation);
    buf_free(&measurement->build_log);
}

static void tell(const struct measurement *measurement, enum progress_kind kind,
                 const char *text)
{
    struct progress_event event = {kind, text, measurement->now};
    if (measurement->progress == NULL)
        return;
    if (event.now.least_s >= 0) {
        double gone = (double)(proc_now_ns() - measurement->now_ns) / 1e9;
        event.now.least_s = fmax(0.0, event.now.least_s - gone);
        event.now.most_s = fmax(0.0, event.now.most_s - gone);
    }
    measurement->progress(measurement->context, &event);
}

void measurement_set_left(struct measurement *measurement, double least_s, double most_s)
{
    measurement->now.least_s = least_s;
    measurement->now.most_s = most_s;
    measurement->now_ns = proc_now_ns();
}

const char *measurement_change(const struct measurement *measurement)
{
    return measurement->repository != NULL ? "pull request" : "change";
}

const char *measurement_branch(const struct measurement *measurement)
{
    return measurement->repository != NULL ? measurement->repository->branch : "main";
}

void measurement_stage(struct measurement *measurement, enum progress_stage stage)
{
    measurement->now = (struct progress_figures){.stage = stage, .least_s = -1, .most_s = -1};
    tell(measurement, PROGRESS_STAGE, "");
}

void measurement_tell(const struct measurement *measurement, enum progress_kind kind,
                      const char *format, ...)
{
    char line[MODEL_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    scan_line(line); /* names of files are a pull request's own */
    tell(measurement, kind, line);
}

void measurement_note(struct measurement *measurement, const char *format, ...)
{
    char note[MODEL_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(note, sizeof note, format, args);
    va_end(args);
    scan_line(note);
    for (size_t i = 0; i < measurement->note_count; i++)
        if (strcmp(measurement->notes[i], note) == 0)
            return; /* a promotion measures twice */
    if (measurement->note_count < MEASUREMENT_NOTES_MAX)
        memcpy(measurement->notes[measurement->note_count++], note, sizeof note);
}

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

void measurement_unmeasured(struct measurement *measurement, enum fault input,
                            enum clause clause, const struct err *problem)
{
    comparison_free(&measurement->comparison);
    buf_clear(&measurement->explanation);
    verdict_whole(&measurement->comparison, &measurement->samples.device, VERDICT_UNMEASURED,
                  fault_of(problem->class, input), clause_of(problem->class, clause),
                  problem->text);
}

int measurement_compare(struct measurement *measurement, struct err *err)
{
    struct compare_log log __attribute__((cleanup(compare_log_free))) = {0};
    const struct rule *rule = &measurement->config.rule;
    comparison_free(&measurement->comparison);
    buf_clear(&measurement->explanation);
    if (compare_logged(&measurement->samples,
                       measurement->has_baseline ? &measurement->baseline : NULL, rule,
                       &measurement->comparison, &log, err) != 0)
        return -1;
    explain_text(&measurement->samples, rule, &measurement->comparison, &log,
                 &measurement->explanation);
    return 0;
}
