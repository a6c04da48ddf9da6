/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the order in which a job's end is made durable. */
#include "daemon/ending.h"

#include "base/file.h"
#include "daemon/state.h"
#include "judge/verdict.h"
#include "result_files.h"

#include <string.h>

int ending_judged(struct queue *queue, struct pipeline *pipeline, struct err *err)
{
    const struct comparison *comparison = &pipeline->measurement.comparison;
    if (results_write(&pipeline->measurement, err) != 0)
        return -1;
    return queue_judged(queue, pipeline->measurement.job.id, verdict_name(comparison->verdict),
                        comparison_exit(comparison), err);
}

static int load_verdict(struct pipeline *pipeline, struct err *err)
{
    char path[FILE_PATH_BYTES];
    BUF_AUTO text;
    buf_init(&text, pipeline->measurement.host->limits.samples_bytes);
    if (file_path(path, err, "%s/" RESULT_VERDICT, pipeline->measurement.folder) != 0 ||
        file_read(path, &text, err) != 0)
        return -1;
    return verdict_parse_json(text.data, text.len, path, &pipeline->measurement.comparison,
                              err);
}

static int keep_comment_url(const struct pipeline *pipeline, const char *url, struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (file_path(path, err, "%s/" STATE_COMMENT, pipeline->measurement.folder) != 0)
        return -1;
    return file_write(path, url, strlen(url), 0600, err);
}

int ending_publish(struct queue *queue, struct pipeline *pipeline,
                   struct outbox_result *result, struct err *err)
{
    struct outbox *outbox = NULL;
    char path[FILE_PATH_BYTES];
    if (state_outbox(pipeline->measurement.host, path, err) != 0 ||
        load_verdict(pipeline, err) != 0 || outbox_open(path, &outbox, err) != 0)
        return -1;
    int sent = pipeline_publish(pipeline, outbox, result, err);
    outbox_close(&outbox);
    if (sent != 0 || (result->comment_url[0] != '\0' &&
                      keep_comment_url(pipeline, result->comment_url, err) != 0))
        return -1;
    return result->waiting > 0
               ? 0
               : queue_finish(queue, pipeline->measurement.job.id, JOB_DONE, err);
}

int ending_cancelled(struct queue *queue, long long job, struct err *err)
{
    return queue_finish(queue, job, JOB_CANCELLED, err);
}

int ending_tell_cancelled(struct pipeline *pipeline, struct err *err)
{
    const struct job *job = &pipeline->measurement.job;
    if (job->kind != JOB_CHECK || job->head[0] == '\0')
        return 0;
    return pipeline_announce(pipeline, "error", "cancelled", err);
}
