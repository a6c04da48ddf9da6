/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what GitHub is told: the comment and the status of a job. */
#include "pipeline/pipeline.h"

#include "base/name.h"
#include "publish/report.h"

#include <stdio.h>
#include <string.h>

enum { STATUS_CONTEXT_BYTES = 255 }; /* as GitHub keeps; the end of a long branch name goes */

/* One context for each promise. `ratchet/<device>` is earned by pull requests into the promoted
 * branch alone: whoever writes another branch writes its rules and its kernel, too. A fast-forward
 * shares the pull request's SHA, so main's own verdict has a context as well. */
static void status_context(const struct pipeline *pipeline, char out[STATUS_CONTEXT_BYTES])
{
    const struct measurement *measurement = &pipeline->measurement;
    const struct job *job = &measurement->job;
    if (job->kind == JOB_PROMOTE)
        snprintf(out, STATUS_CONTEXT_BYTES, "ratchet/%s (promotion)", job->device);
    else if (measurement->repository != NULL && job->base_ref[0] != '\0' &&
             strcmp(job->base_ref, measurement->repository->branch) != 0)
        snprintf(out, STATUS_CONTEXT_BYTES, "ratchet/%s (%s%.150s)", job->device,
                 strcmp(job->base_ref, "promotion") == 0 ? "branch " : "", job->base_ref);
    else
        snprintf(out, STATUS_CONTEXT_BYTES, "ratchet/%s", job->device);
}

int pipeline_announce(struct pipeline *pipeline, const char *state, const char *text,
                      struct err *err)
{
    const struct job *job = &pipeline->measurement.job;
    char context[STATUS_CONTEXT_BYTES];
    status_context(pipeline, context);
    return github_set_status(&pipeline->origin.github, job->head, context, state, text,
                             job->run_url, err);
}

/* A pull request whose head moved on while it was measured has a job of its own for the new
 * head: this one's comment would only overwrite the newer word. Its status still counts, on
 * the commit that was measured. */
static bool superseded(struct pipeline *pipeline)
{
    struct measurement *measurement = &pipeline->measurement;
    struct github_pull pull;
    struct err ignored;
    return github_get_pull(&pipeline->origin.github, measurement->job.pr, &pull, &ignored) ==
               0 &&
           strcmp(pull.head, measurement->job.head) != 0;
}

static int put_comment(struct pipeline *pipeline, struct outbox *outbox, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    const struct job *job = &measurement->job;
    if (superseded(pipeline)) {
        measurement_say(measurement, "the pull request has moved on: no comment for %.*s",
                        SHORT_SHA, job->head);
        return 0;
    }
    char marker[128], path[FILE_PATH_BYTES];
    report_marker(job->device, marker);
    BUF_AUTO body;
    buf_init(&body, REPORT_MAX_BYTES);
    if (file_path(path, err, "%s/report.md", measurement->folder) != 0 ||
        file_read(path, &body, err) != 0)
        return -1;
    return outbox_put_comment(outbox, job->id, job->repository, job->pr, marker, body.data,
                              body.len, err);
}

int pipeline_publish(struct pipeline *pipeline, struct outbox *outbox,
                     struct outbox_result *result, struct err *err)
{
    struct measurement *measurement = &pipeline->measurement;
    const struct job *job = &measurement->job;
    *result = (struct outbox_result){0};
    if (job->pr > 0 && put_comment(pipeline, outbox, err) != 0)
        return -1;
    if (name_is_sha(job->head)) {
        char context[STATUS_CONTEXT_BYTES], line[256];
        status_context(pipeline, context);
        report_line(&measurement->comparison, line, sizeof line);
        const char *state = comparison_exit(&measurement->comparison) == EXIT_HELD ? "success"
                            : measurement->comparison.verdict == VERDICT_REGRESSED ? "failure"
                                                                                   : "error";
        if (outbox_put_status(outbox, job->id, job->repository, job->head, context, state,
                              line, job->run_url, err) != 0)
            return -1;
    }
    return outbox_send(outbox, job->id, &pipeline->origin.github, result, err);
}
