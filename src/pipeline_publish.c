/* SPDX-License-Identifier: Apache-2.0 */
/* What stays of a check: the files of its folder, its comment and its status. */
#include "pipeline.h"

#include "base/name.h"
#include "judge/compare.h"
#include "judge/explain.h"
#include "judge/samples.h"
#include "judge/verdict.h"
#include "publish/report.h"

#include <stdio.h>
#include <string.h>

enum { STATUS_CONTEXT_BYTES = 255 }; /* as GitHub keeps; the end of a long branch name goes */

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
        .calibration_problem = pipeline->calibration_problem[0] != '\0'
                                   ? pipeline->calibration_problem
                                   : NULL,
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

/* One context for each promise. `ratchet/<device>` is earned by pull requests into the promoted
 * branch alone: whoever writes another branch writes its rules and its kernel, too. A fast-forward
 * shares the pull request's SHA, so main's own verdict has a context as well. */
static void status_context(const struct pipeline *pipeline, char out[STATUS_CONTEXT_BYTES])
{
    const struct job *job = &pipeline->job;
    if (job->kind == JOB_PROMOTE)
        snprintf(out, STATUS_CONTEXT_BYTES, "ratchet/%s (promotion)", job->device);
    else if (pipeline->repository != NULL && job->base_ref[0] != '\0' &&
             strcmp(job->base_ref, pipeline->repository->branch) != 0)
        snprintf(out, STATUS_CONTEXT_BYTES, "ratchet/%s (%s%.150s)", job->device,
                 strcmp(job->base_ref, "promotion") == 0 ? "branch " : "", job->base_ref);
    else
        snprintf(out, STATUS_CONTEXT_BYTES, "ratchet/%s", job->device);
}

int pipeline_announce(struct pipeline *pipeline, const char *state, const char *text,
                      struct err *err)
{
    const struct job *job = &pipeline->job;
    char context[STATUS_CONTEXT_BYTES];
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
    if (name_is_sha(job->head)) {
        char context[STATUS_CONTEXT_BYTES], line[256];
        status_context(pipeline, context);
        report_line(&pipeline->comparison, line, sizeof line);
        const char *state = comparison_exit(&pipeline->comparison) == EXIT_HELD ? "success"
                            : pipeline->comparison.verdict == VERDICT_REGRESSED ? "failure"
                                                                                : "error";
        if (outbox_put_status(outbox, job->id, job->repository, job->head, context, state,
                              line, job->run_url, err) != 0)
            return -1;
    }
    return outbox_send(outbox, job->id, &pipeline->github, result, err);
}
