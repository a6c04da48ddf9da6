/* SPDX-License-Identifier: Apache-2.0 */
/* How a job ends. Every end is written here, and what GitHub is told of it is said here:
 *
 *     judged --publish--> done     with a verdict, that it could not be measured included
 *     cancelled                    without one: its client cancelled it, or it was given up
 *
 * A job's step calls this, and for `cancelled` the daemon itself. */
#ifndef RATCHET_DAEMON_ENDING_H
#define RATCHET_DAEMON_ENDING_H

#include "base/err.h"
#include "intake/queue.h"
#include "pipeline/pipeline.h"
#include "publish/outbox.h"

/* The pipeline has its verdict: the files go into the job's folder, and only then is the job
 * `judged`, so that a kill in between has it measured again and not published half. */
MUST_CHECK int ending_judged(struct queue *queue, struct pipeline *pipeline, struct err *err);

/* Comment and status of the verdict that stands in the job's folder. The job is `done` unless
 * result->waiting says that something is to be sent again. */
MUST_CHECK int ending_publish(struct queue *queue, struct pipeline *pipeline,
                              struct outbox_result *result, struct err *err);

MUST_CHECK int ending_cancelled(struct queue *queue, long long job, struct err *err);

/* A cancelled job leaves no status behind that says pending for ever. */
MUST_CHECK int ending_tell_cancelled(struct pipeline *pipeline, struct err *err);

#endif
