/* SPDX-License-Identifier: Apache-2.0 */
/* Every job that the daemon accepted, in SQLite, so that a kill at any moment loses nothing. A
 * job is accepted once per key; tokens are never stored.
 *
 *     accepted → pinned → running → judged → done
 *        └──────────────┴─ failed to start `job-attempts` times → judged (unmeasured)
 * `judged` means the verdict stands in the job's folder and only publishing is left. */
#ifndef RATCHET_INTAKE_QUEUE_H
#define RATCHET_INTAKE_QUEUE_H

#include "base/err.h"
#include "limit.h"
#include "model.h"

#include <stdbool.h>
#include <stddef.h>

enum job_state { JOB_ACCEPTED, JOB_PINNED, JOB_RUNNING, JOB_JUDGED, JOB_DONE, JOB_CANCELLED };
const char *job_state_name(enum job_state state);

struct queue;

struct queue_entry {
    struct job job;
    enum job_state state;
    unsigned attempts;                /* how often it was started */
    int exit_code;                    /* once judged */
    char verdict[32];                 /* once judged */
    long long accepted_s, finished_s; /* UTC epoch seconds; 0: not yet */
};

MUST_CHECK int queue_open(const char *path, struct queue **queue, struct err *err);
void queue_close(struct queue **queue);

/* Accept a job, or find the one with the same key (*known true). A full queue is ERR_LIMIT.
 * job->id is set. */
MUST_CHECK int queue_accept(struct queue *queue, struct job *job, const struct limits *limits,
                            bool *known, struct err *err);
/* After a start of the daemon: running goes back to pinned, so it is taken again. */
MUST_CHECK int queue_recover(struct queue *queue, struct err *err);
/* The oldest job of a device in one of the states `accepted`, `pinned` or `judged` as asked;
 * ERR_NOT_FOUND where there is none. `after` skips ids up to it (0: none). */
MUST_CHECK int queue_next(struct queue *queue, const char *device, enum job_state state,
                          long long after, struct queue_entry *out, struct err *err);
MUST_CHECK int queue_get(struct queue *queue, long long id, struct queue_entry *out,
                         struct err *err);
MUST_CHECK int queue_pin(struct queue *queue, const struct job *job, struct err *err);
MUST_CHECK int queue_start(struct queue *queue, long long id,
                           struct err *err); /* attempts+1 */
/* Running goes back to pinned. A rest that was planned (between the two runs of a promotion)
 * does not count as a start. */
MUST_CHECK int queue_rest(struct queue *queue, long long id, bool planned, struct err *err);
MUST_CHECK int queue_judged(struct queue *queue, long long id, const char *verdict,
                            int exit_code, struct err *err);
MUST_CHECK int queue_finish(struct queue *queue, long long id, enum job_state state,
                            struct err *err);
/* Newest first. */
MUST_CHECK int queue_list(struct queue *queue, size_t max, struct queue_entry *out,
                          size_t *count, struct err *err);
/* Forget jobs finished before `before_s`; their ids go to `each`, for removing folders. */
MUST_CHECK int queue_collect(struct queue *queue, long long before_s,
                             int (*each)(void *context, long long id), void *context,
                             struct err *err);

#endif
