/* SPDX-License-Identifier: Apache-2.0 */
/* One step of one job, in a process of its own (`ratchetd --step JOB`): it does this and
 * exits. Everything that must survive is in the queue, the outbox and the job's folder before
 * the child ends, so it can be killed at any line and the step be taken again.
 *
 *     accepted --pin--> pinned --run--> judged --publish--> done */
#ifndef RATCHET_DAEMON_WORK_H
#define RATCHET_DAEMON_WORK_H

#include "base/err.h"
#include "intake/host.h"

/* How a step's process ends. */
enum work_end {
    WORK_DONE = 0,   /* the job is in its next state */
    WORK_FAILED = 1, /* a defect or a broken host: said on the progress pipe */
    WORK_LATER = 2   /* not now: GitHub is away, or the second run of a promotion is not due;
                        the last line on the pipe is `later <seconds>` */
};

/* Takes the job one state further. Lines of progress go to `fd`. */
enum work_end work_step(const struct host *host, long long job, const char *token, int fd);

#endif
