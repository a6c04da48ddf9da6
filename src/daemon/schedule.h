/* SPDX-License-Identifier: Apache-2.0 */
/* Which job takes its next step when, and on which lane: a device's lanes measure one job each at
 * a time, oldest first; a clerk's does what only talks to GitHub and git, one job of a repository at a
 * time. A job that was in the middle of a step when the daemon was killed takes that step again. */
#ifndef RATCHET_DAEMON_SCHEDULE_H
#define RATCHET_DAEMON_SCHEDULE_H

#include "base/err.h"
#include "daemon/lanes.h"
#include "daemon/request.h"
#include "intake/host.h"
#include "intake/queue.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Who hears of jobs. */
struct schedule_watch {
    void *context;
    /* A line of a job's progress. */
    void (*line)(void *context, long long job, const char *line);
    /* A verdict stands, and GitHub knows of it or cannot be told now. */
    void (*judged)(void *context, const struct queue_entry *entry);
};

struct schedule;

/* `host`, `config` (where it was read from, or NULL), `db` and the watch's context are borrowed
 * until schedule_close, which kills all steps. */
MUST_CHECK int schedule_open(const struct host *host, const char *config, struct db *db,
                             const struct schedule_watch *watch, struct schedule **out,
                             struct err *err);
void schedule_close(struct schedule **schedule);

/* Take in the job of a request, or find the one that is known by its key; request->job.id is
 * set, and *entry is the job as it stands. The token is
 * kept for the steps to come, beside those that the job has. */
MUST_CHECK int schedule_accept(struct schedule *schedule, struct request *request,
                               const struct queue_owner *owner, struct queue_entry *entry,
                               bool *known, struct err *err);
/* Kill the job's step. The job ends unmeasured, unless its verdict stands already. */
MUST_CHECK int schedule_cancel(struct schedule *schedule, long long job, struct err *err);

/* A token that comes without a job (`submit --settle`), for what its repository is owed. `bringer`
 * is a negative number of the caller's, by which it is dropped again. */
void schedule_add_token(struct schedule *schedule, const struct host_repository *repository,
                        long long bringer, const char *token);
void schedule_drop_token(struct schedule *schedule, long long bringer);
/* Does a verdict of this repository's still wait to be told? */
bool schedule_owes(const struct schedule *schedule, const struct host_repository *repository);

/* Until when GitHub is to be asked nothing of this repository's (monotonic), with a credential of the host's;
 * and that it was said so. */
uint64_t schedule_quiet_until_ns(struct schedule *schedule,
                                 const struct host_repository *repository);
void schedule_be_quiet(struct schedule *schedule, const struct host_repository *repository,
                       long long seconds);

/* Is every job done, and everything said that GitHub was owed? */
bool schedule_is_idle(const struct schedule *schedule);

/* A verdict stands, and GitHub takes nothing of this repository's for a long time. */
bool schedule_is_put_off(const struct schedule *schedule, const struct queue_entry *entry);

const struct lanes *schedule_lanes(const struct schedule *schedule);

/* Start a step in every lane that is idle, where there is one to take. Returns when this is to be done
 * again (monotonic) where nothing else happens; UINT64_MAX: not at all. */
uint64_t schedule_start(struct schedule *schedule);

/* What to poll: fills fds[LANES_MAX] and returns how many there are. After the poll they are
 * handed to schedule_handle, before any other call. */
size_t schedule_poll(const struct schedule *schedule, struct pollfd *fds);
void schedule_handle(struct schedule *schedule, const struct pollfd *fds);

#endif
