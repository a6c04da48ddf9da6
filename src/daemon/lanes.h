/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's worker processes: one for each lane of each device, for measuring, and a few clerks for what
 * only talks to GitHub and git: a server that does not answer holds one of them, not all. A lane
 * has one process at a time or none. */
#ifndef RATCHET_DAEMON_LANES_H
#define RATCHET_DAEMON_LANES_H

#include "base/buf.h"
#include "base/err.h"
#include "daemon/work.h"
#include "intake/host.h"

#include <stdbool.h>
#include <sys/types.h>

enum { LANES_CLERKS = 4, LANES_MAX = HOST_DEVICES_MAX * HOST_LANES_MAX + LANES_CLERKS };

struct lane {
    const struct host_device *device; /* NULL: a clerk */
    const char *name;                 /* of its lane of that device */
    pid_t pid;                        /* 0: idle */
    bool killed;                      /* by lanes_kill: its end is no failure */
    long long job;
    const struct host_repository
        *repository;             /* whose servers it may wait for; NULL: nobody's */
    unsigned long long token;    /* serial of the one it was given; 0: none */
    int fd;                      /* pipe of events, -1 when idle */
    struct buf bytes;            /* of the pipe, not yet a whole event */
    char last[MODEL_TEXT_BYTES]; /* the last line of progress */
    struct progress_figures now; /* how far its step is */
};

struct lanes {
    const char *config;          /* ratchetd.conf, for the steps' own reading; may be NULL */
    struct lane lane[LANES_MAX]; /* the clerks come first */
    size_t count;
};

void lanes_init(struct lanes *lanes, const struct host *host, const char *config);

/* A pipe to a child and one from it, or neither; not carried over an exec. */
MUST_CHECK int lanes_pipes(int to[2], int from[2], struct err *err);

/* Start `ratchetd --step JOB`, which takes the job one step further. The token goes through a
 * pipe, never through arguments or environment. */
MUST_CHECK int lanes_start(struct lanes *lanes, struct lane *lane, long long job,
                           const char *token, struct err *err);

/* Read what the lane's pipe has; `each` gets whole events. False at the pipe's end: then
 * lanes_reap tells how the process ended. */
bool lanes_read(struct lane *lane,
                void (*each)(void *context, struct lane *lane, const struct work_event *event),
                void *context);
enum work_end lanes_reap(struct lane *lane);

/* Does a step of this job run? */
bool lanes_busy_with(const struct lanes *lanes, long long job);

/* Kill the process of a job, if one runs, and what it started. */
void lanes_kill(struct lanes *lanes, long long job);
void lanes_kill_all(struct lanes *lanes);

#endif
