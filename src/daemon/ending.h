/* SPDX-License-Identifier: Apache-2.0 */
/* How a job ends. Every job that was accepted ends here, with a verdict: a measured one, or one that
 * says why nothing was measured (it could not be pinned, it was cancelled, its steps kept failing).
 * The verdict's files, then in one transaction the end of the job and what GitHub is owed for it:
 *
 *     accepted, pinned, running, ending --ending_judged--> judged --ending_send--> done
 *
 * `done` is a job for which nothing is owed any more. */
#ifndef RATCHET_DAEMON_ENDING_H
#define RATCHET_DAEMON_ENDING_H

#include "base/db.h"
#include "base/err.h"
#include "intake/queue.h"
#include "pipeline/pipeline.h"
#include "publish/outbox.h"

/* The pipeline has its verdict. Killed before the end of this, the job takes its step again. */
MUST_CHECK int ending_judged(struct db *db, struct pipeline *pipeline, struct err *err);

/* The same for a job that is `ending`: the verdict is made of its reason. */
MUST_CHECK int ending_unmeasured(struct db *db, struct pipeline *pipeline,
                                 const struct queue_entry *entry, struct err *err);

/* Send what is owed. The job is `done` unless result->waiting says that something is to be sent
 * again. */
MUST_CHECK int ending_send(struct db *db, struct pipeline *pipeline,
                           struct outbox_result *result, struct err *err);

#endif
