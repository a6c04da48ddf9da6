/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the order in which a job's end is made durable. */
#include "daemon/ending.h"

#include "base/file.h"
#include "daemon/state.h"
#include "judge/verdict.h"

#include <string.h>

static int judged(struct db *db, struct pipeline *pipeline, struct err *err)
{
    const struct measurement *measurement = &pipeline->measurement;
    const struct comparison *comparison = &measurement->comparison;
    if (queue_judged(db, &measurement->job, verdict_name(comparison->verdict),
                     comparison_exit(comparison), err) != 0)
        return -1;
    struct outbox_owed owed;
    if (pipeline_owe(pipeline, db, err) != 0 ||
        outbox_owed(db, measurement->job.id, &owed, err) != 0)
        return -1;
    /* Who owes GitHub nothing need not wait for it, nor for a token. */
    return owed.comment || owed.status ? 0 : queue_done(db, measurement->job.id, err);
}

int ending_judged(struct db *db, struct pipeline *pipeline, struct err *err)
{
    if (results_write(&pipeline->measurement, err) != 0 || db_begin(db, err) != 0)
        return -1;
    return db_end(db, judged(db, pipeline, err), err);
}

/* Nobody is at fault where somebody wanted no result. */
static enum fault fault_of(enum clause clause)
{
    switch (clause) {
    case CLAUSE_CANCELLED:
        return FAULT_NONE;
    case CLAUSE_INTERNAL:
        return FAULT_US;
    default:
        return FAULT_HOST;
    }
}

int ending_unmeasured(struct db *db, struct pipeline *pipeline,
                      const struct queue_entry *entry, struct err *err)
{
    struct err reason;
    err_set(&reason, ERR_INPUT, "%s", entry->why);
    measurement_unmeasured(&pipeline->measurement, fault_of(entry->clause), entry->clause,
                           &reason);
    return ending_judged(db, pipeline, err);
}

static int keep_comment_url(const struct pipeline *pipeline, const char *url, struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (file_path(path, err, "%s/" STATE_COMMENT, pipeline->measurement.folder) != 0)
        return -1;
    return file_write(path, url, strlen(url), 0600, err);
}

int ending_send(struct db *db, struct pipeline *pipeline, struct outbox_result *result,
                struct err *err)
{
    struct outbox_owed owed;
    if (pipeline_send(pipeline, db, result, err) != 0 ||
        (result->comment_url[0] != '\0' &&
         keep_comment_url(pipeline, result->comment_url, err) != 0) ||
        queue_note_untold(db, pipeline->measurement.job.id, result->refusal, err) != 0 ||
        outbox_owed(db, pipeline->measurement.job.id, &owed, err) != 0)
        return -1;
    return owed.comment || owed.status ? 0 : queue_done(db, pipeline->measurement.job.id, err);
}
