/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which step a state of the queue asks for. What is done in it is the pipeline's, how a
 * job ends ending.c's. */
#include "daemon/work.h"

#include "base/file.h"
#include "daemon/ending.h"
#include "daemon/state.h"
#include "intake/queue.h"
#include "pipeline/pipeline.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PUBLISH_RETRY_S = 60 };

struct step {
    const struct host *host;
    struct queue *queue;
    struct queue_entry entry;
    struct pipeline pipeline;
    int fd; /* progress */
};

/* One line on the pipe; the daemon splits at newlines. */
static void say(const struct step *step, const char *line)
{
    char text[MODEL_TEXT_BYTES + 1];
    int len = snprintf(text, sizeof text - 1, "%s", line);
    size_t used = len < 0 ? 0 : strlen(text);
    text[used] = '\n';
    ssize_t ignored = write(step->fd, text, used + 1);
    (void)ignored;
}

static void show(void *context, const struct progress_event *event)
{
    say(context, event->text);
}

static enum work_end fail(struct step *step, const struct err *err)
{
    say(step, err->text);
    return WORK_FAILED;
}

static enum work_end later(struct step *step, unsigned seconds)
{
    char line[64];
    snprintf(line, sizeof line, "later %u", seconds);
    say(step, line);
    return WORK_LATER;
}

/* The scratch folder is for strangers' code: the sandbox's user passes through, no more. */
static int open_pipeline(struct step *step, const char *token, struct err *err)
{
    const struct host *host = step->host;
    long long id = step->entry.job.id;
    char folder[FILE_PATH_BYTES], scratch[FILE_PATH_BYTES];
    if (state_job(host, id, folder, err) != 0 || file_mkdirs(folder, 0700, err) != 0 ||
        state_job_scratch(host, id, scratch, err) != 0 ||
        file_remove_tree(scratch, err) != 0 || file_mkdirs(scratch, 0711, err) != 0)
        return -1;
    struct pipeline_request request = {.host = host,
                                       .job = &step->entry.job,
                                       .token = token,
                                       .folder = folder,
                                       .work = scratch,
                                       .progress = show,
                                       .context = step};
    return pipeline_open(&step->pipeline, &request, err);
}

/* ---- pin ---- */

/* Whose it is that a job names what cannot be had: of a promotion, the host's configuration's. */
static enum fault fault_of_pin(const struct pipeline *pipeline)
{
    return pipeline->measurement.job.kind == JOB_PROMOTE ? FAULT_HOST : FAULT_PR;
}

static enum work_end pin(struct step *step)
{
    struct err err = {0}, problem = {0};
    struct pipeline *pipeline = &step->pipeline;
    if (pipeline_pin(pipeline, &problem) != 0) {
        say(step, problem.text);
        measurement_unmeasured(&pipeline->measurement, fault_of_pin(pipeline),
                               CLAUSE_NOT_PINNED, &problem);
        return ending_judged(step->queue, pipeline, &err) == 0 ? WORK_DONE : fail(step, &err);
    }
    if (queue_pin(step->queue, &pipeline->measurement.job, &err) != 0)
        return fail(step, &err);
    /* A status that cannot be set is no reason not to measure. */
    if (pipeline->measurement.job.kind == JOB_CHECK &&
        pipeline_announce(pipeline, "pending", "waiting for its turn on the device",
                          &problem) != 0)
        say(step, problem.text);
    return WORK_DONE;
}

/* ---- run ---- */

static int given_up(struct step *step, struct err *err)
{
    struct err problem;
    err_set(&problem, ERR_INTERNAL, "started %u times and never ended; see the daemon's log",
            step->entry.attempts);
    measurement_unmeasured(&step->pipeline.measurement, FAULT_US, CLAUSE_INTERNAL, &problem);
    return ending_judged(step->queue, &step->pipeline, err);
}

/* Keeps only what publishing needs; a checkout and its libraries are of no use any more. */
static void drop_scratch(struct step *step)
{
    struct err err;
    char scratch[FILE_PATH_BYTES];
    if (state_job_scratch(step->host, step->entry.job.id, scratch, &err) != 0 ||
        file_remove_tree(scratch, &err) != 0)
        say(step, err.text);
}

static enum work_end run(struct step *step)
{
    struct err err = {0};
    struct pipeline *pipeline = &step->pipeline;
    long long id = step->entry.job.id;
    if (step->entry.attempts >= step->host->limits.job_attempts)
        return given_up(step, &err) == 0 ? WORK_DONE : fail(step, &err);
    if (queue_start(step->queue, id, &err) != 0)
        return fail(step, &err);
    unsigned wait_s = 0;
    struct err problem = {0};
    if (pipeline_pin(pipeline, &problem) != 0)
        measurement_unmeasured(&pipeline->measurement, fault_of_pin(pipeline),
                               CLAUSE_NOT_PINNED, &problem);
    else if (pipeline->measurement.job.kind == JOB_PROMOTE
                 ? pipeline_promote(pipeline, NULL, &wait_s, &err) != 0
                 : pipeline_check(pipeline, &err) != 0)
        return fail(step, &err);
    drop_scratch(step);
    if (wait_s > 0)
        return queue_rest(step->queue, id, true, &err) == 0 ? later(step, wait_s)
                                                            : fail(step, &err);
    return ending_judged(step->queue, pipeline, &err) == 0 ? WORK_DONE : fail(step, &err);
}

/* ---- publish ---- */

static enum work_end publish(struct step *step)
{
    struct err err = {0};
    struct outbox_result result = {0};
    int published = ending_publish(step->queue, &step->pipeline, &result, &err);
    if (result.refusal[0] != '\0')
        say(step, result.refusal);
    if (published != 0)
        return fail(step, &err);
    return result.waiting > 0 ? later(step, PUBLISH_RETRY_S) : WORK_DONE;
}

/* Tried once. */
static enum work_end tell_cancelled(struct step *step)
{
    struct err problem;
    if (ending_tell_cancelled(&step->pipeline, &problem) != 0)
        say(step, problem.text);
    return WORK_DONE;
}

/* ---- the step ---- */

enum work_end work_step(const struct host *host, long long job, const char *token, int fd)
{
    struct err err = {0};
    struct step step = {.host = host, .fd = fd};
    char path[FILE_PATH_BYTES];
    if (state_queue(host, path, &err) != 0 || queue_open(path, &step.queue, &err) != 0 ||
        queue_get(step.queue, job, &step.entry, &err) != 0 ||
        open_pipeline(&step, token, &err) != 0) {
        queue_close(&step.queue);
        return fail(&step, &err);
    }
    enum work_end end = WORK_FAILED;
    switch (step.entry.state) {
    case JOB_ACCEPTED:
        end = pin(&step);
        break;
    case JOB_PINNED:
        end = run(&step);
        break;
    case JOB_JUDGED:
        end = publish(&step);
        break;
    case JOB_CANCELLED:
        end = tell_cancelled(&step);
        break;
    case JOB_RUNNING:
    case JOB_DONE:
        err_set(&err, ERR_INTERNAL, "job %lld is %s: no step to take", job,
                job_state_name(step.entry.state));
        end = fail(&step, &err);
        break;
    }
    pipeline_close(&step.pipeline);
    queue_close(&step.queue);
    return end;
}
