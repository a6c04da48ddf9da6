/* SPDX-License-Identifier: Apache-2.0 */
/* One step of one job, in a process of its own (`ratchetd --step JOB`): it does this and
 * exits. Everything that must survive is in the database and the job's folder before the child
 * ends, so it can be killed at any line and the step be taken again.
 *
 *     accepted --pin--> pinned --run--> judged --send--> done
 *        └-- nothing to measure --------->┘
 *     ending   --say why--------------->--┘ */
#ifndef RATCHET_DAEMON_WORK_H
#define RATCHET_DAEMON_WORK_H

#include "base/err.h"
#include "intake/host.h"
#include "model.h"
#include "pipeline/progress.h"

/* How a step's process ends. */
enum work_end {
    WORK_DONE = 0,   /* the job is in its next state */
    WORK_FAILED = 1, /* a defect or a broken host: said in its last line */
    WORK_LATER = 2   /* not now: GitHub is away, or the second run of a promotion is not due */
};

/* What a step tells its daemon while it works, one write for each on a pipe: it fits in PIPE_BUF,
 * so that no other comes between. */
enum work_event_kind {
    WORK_LINE,          /* `text`: progress */
    WORK_FIGURES,       /* `now`: how far it is */
    WORK_WAIT,          /* the job's next step is due in `seconds` */
    WORK_LIMITED,       /* GitHub takes nothing with this token for `seconds` */
    WORK_AWAY,          /* GitHub did not answer */
    WORK_TOKEN_TAKEN,   /* GitHub did what the token asked */
    WORK_TOKEN_REFUSED, /* … not this (403, 404): for another job it may */
    WORK_TOKEN_DEAD     /* GitHub does not know the token (401) */
};
struct work_event {
    unsigned magic; /* WORK_MAGIC: what else gets into the pipe is none */
    enum work_event_kind kind;
    long long seconds;
    struct progress_figures now;
    char text[MODEL_TEXT_BYTES];
};
#define WORK_MAGIC 0x52617463u

/* Takes the job one state further, on this lane of its device where it measures. Events go to `fd`. */
enum work_end work_step(const struct host *host, long long job, const char *lane,
                        const char *token, int fd);

#endif
