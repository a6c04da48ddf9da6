/* SPDX-License-Identifier: Apache-2.0 */
/* Which job takes its next step when, and on which lane: a device's lane measures one job at a
 * time, oldest first; the clerk's does what only talks to GitHub and git. A job that was in
 * the middle of a step when the daemon was killed takes that step again. */
#ifndef RATCHET_DAEMON_SCHEDULE_H
#define RATCHET_DAEMON_SCHEDULE_H

#include "base/err.h"
#include "daemon/lanes.h"
#include "daemon/request.h"
#include "intake/host.h"
#include "intake/queue.h"

#include <poll.h>
#include <stdbool.h>

/* Who hears of jobs. */
struct schedule_watch {
    void *context;
    /* A line of a job's progress. */
    void (*line)(void *context, long long job, const char *line);
    /* A verdict stands; told again when GitHub knows of it, too. */
    void (*judged)(void *context, const struct queue_entry *entry);
    /* There will be no verdict: the job was cancelled or given up. */
    void (*dropped)(void *context, long long job, const struct err *problem);
};

struct schedule;

/* `host`, `config` (where it was read from, or NULL), `queue` and the watch's context are borrowed
 * until schedule_close, which kills all steps. */
MUST_CHECK int schedule_open(const struct host *host, const char *config, struct queue *queue,
                             const struct schedule_watch *watch, struct schedule **out,
                             struct err *err);
void schedule_close(struct schedule **schedule);

/* Take in the job of a request, or find the one that is known by its key; request->job.id is
 * set, and *entry is the job as it stands. The token is kept for the steps to come. */
MUST_CHECK int schedule_accept(struct schedule *schedule, struct request *request,
                               struct queue_entry *entry, bool *known, struct err *err);
/* Kill the job's step and drop the job. */
MUST_CHECK int schedule_cancel(struct schedule *schedule, long long job, struct err *err);

/* Start a step in every lane that is idle, where there is one to take. */
void schedule_start(struct schedule *schedule);

/* What to poll: fills fds[LANES_MAX] and returns how many there are. After the poll they are
 * handed to schedule_handle, before any other call. */
size_t schedule_poll(const struct schedule *schedule, struct pollfd *fds);
void schedule_handle(struct schedule *schedule, const struct pollfd *fds);

#endif
