/* SPDX-License-Identifier: Apache-2.0 */
/* What a job waits for: for whoever waits for the job. */
#ifndef RATCHET_DAEMON_WAITS_H
#define RATCHET_DAEMON_WAITS_H

#include "daemon/schedule.h"
#include "pipeline/progress.h"

#include <stdbool.h>

enum waits_for {
    WAITS_NOTHING, /* it is done */
    WAITS_STEP,    /* its step, which runs: `now` */
    WAITS_TURN,    /* its device: `place` in the queue, 1 for the next */
    WAITS_CLERK,   /* for somebody to talk to GitHub about it */
    WAITS_LIMIT,   /* for GitHub, which takes nothing for `due_s` */
    WAITS_AWAY,    /* for GitHub, which did not answer; `due_s` */
    WAITS_TOKEN,   /* for a token that GitHub takes */
    WAITS_RUN,     /* a promotion: for its second run, `due_s` */
    WAITS_RETRY    /* its last step failed, or could not end; `due_s` */
};

struct waits {
    enum waits_for what;
    enum job_state state;
    size_t place;
    long long due_s;
    struct progress_figures now;
};

MUST_CHECK int waits_find(const struct schedule *schedule, const struct queue_entry *entry,
                          struct waits *out, struct err *err);

/* The same but for figures that run by themselves: nothing that is worth a line. */
bool waits_same(const struct waits *a, const struct waits *b);

/* "place 3 in the queue of its device", "GitHub's limit, 340 s"; "" where it waits for nothing. */
void waits_words(const struct waits *waits, char out[PROGRESS_TEXT_BYTES]);

#endif
