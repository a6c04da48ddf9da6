/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the lanes, and what is known of a job beyond the queue: its token, delays, failures.
 * Blocks for nothing but SQLite. */
#include "daemon/schedule.h"

#include "daemon/ending.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    NOTES_MAX = 1024, /* jobs with a token, a delay or a failure */
    FAILURES_MAX = 3, /* steps that ended badly, in a row, before a job is dropped */
    FAILURE_PAUSE_S = 5
};

/* Lost with the process: a client that waits brings its token again. */
struct note {
    long long job; /* 0: free */
    char token[MESSAGE_TOKEN_BYTES];
    time_t since; /* when it was first seen here, for token_wait_ms */
    time_t not_before;
    unsigned failures;
    enum { CANCEL_NONE, CANCEL_WANTED, CANCEL_TOLD } cancel; /* is GitHub to be told? */
};

struct schedule {
    const struct host *host;
    struct queue *queue;
    struct schedule_watch watch;
    struct lanes lanes;
    struct note notes[NOTES_MAX];
};

int schedule_open(const struct host *host, const char *config, struct queue *queue,
                  const struct schedule_watch *watch, struct schedule **out, struct err *err)
{
    if (queue_recover(queue, err) != 0)
        return -1;
    struct schedule *schedule = calloc(1, sizeof *schedule);
    if (schedule == NULL)
        return err_set(err, ERR_HOST, "out of memory for the schedule");
    schedule->host = host;
    schedule->queue = queue;
    schedule->watch = *watch;
    lanes_init(&schedule->lanes, host, config);
    *out = schedule;
    return 0;
}

void schedule_close(struct schedule **schedule)
{
    if (*schedule == NULL)
        return;
    lanes_kill_all(&(*schedule)->lanes);
    explicit_bzero(*schedule, sizeof **schedule);
    free(*schedule);
    *schedule = NULL;
}

/* ---- notes ---- */

/* A new one where there is none yet; NULL where there is no place. */
static struct note *note_of(struct schedule *schedule, long long job)
{
    struct note *free_note = NULL;
    for (size_t i = 0; i < NOTES_MAX; i++) {
        if (schedule->notes[i].job == job)
            return &schedule->notes[i];
        if (schedule->notes[i].job == 0 && free_note == NULL)
            free_note = &schedule->notes[i];
    }
    if (free_note != NULL)
        *free_note = (struct note){.job = job, .since = time(NULL)};
    return free_note;
}

static int no_note(struct err *err)
{
    return err_set(err, ERR_LIMIT, "too many jobs are known to this daemon");
}

static void forget(struct schedule *schedule, long long job)
{
    for (size_t i = 0; i < NOTES_MAX; i++)
        if (schedule->notes[i].job == job)
            explicit_bzero(&schedule->notes[i], sizeof schedule->notes[i]);
}

/* ---- a client's wishes ---- */

int schedule_accept(struct schedule *schedule, struct request *request,
                    struct queue_entry *entry, bool *known, struct err *err)
{
    struct job *job = &request->job;
    if (queue_accept(schedule->queue, job, &schedule->host->limits, known, err) != 0 ||
        queue_get(schedule->queue, job->id, entry, err) != 0)
        return -1;
    struct note *note = note_of(schedule, job->id);
    if (note == NULL)
        return no_note(err);
    memcpy(note->token, request->token, sizeof note->token);
    fprintf(stderr, "ratchetd: job %lld: %s %s #%d on %s\n", job->id,
            *known ? "again" : "accepted", job->repository, job->pr, job->device);
    if (entry->state == JOB_DONE ||
        (entry->state == JOB_CANCELLED && note->cancel == CANCEL_NONE))
        forget(schedule, job->id);
    return 0;
}

int schedule_cancel(struct schedule *schedule, long long job, struct err *err)
{
    lanes_kill(&schedule->lanes, job);
    if (ending_cancelled(schedule->queue, job, err) != 0)
        return -1;
    struct note *note = note_of(schedule, job);
    if (note != NULL)
        note->cancel = CANCEL_WANTED;
    struct err cancelled;
    err_set(&cancelled, ERR_HOST, "job %lld was cancelled", job);
    schedule->watch.dropped(schedule->watch.context, job, &cancelled);
    return 0;
}

/* ---- the choice of the next step ---- */

static void give_up(struct schedule *schedule, long long job, const char *why)
{
    struct err problem, err;
    err_set(&problem, ERR_INTERNAL, "job %lld was given up: %s", job, why);
    fprintf(stderr, "ratchetd: %s\n", problem.text);
    if (ending_cancelled(schedule->queue, job, &err) != 0)
        fprintf(stderr, "ratchetd: %s\n", err.text);
    schedule->watch.dropped(schedule->watch.context, job, &problem);
    forget(schedule, job);
}

/* May this job take its next step now? */
static bool ready(struct schedule *schedule, const struct queue_entry *entry)
{
    const struct host_repository *repository = host_find_repository(schedule->host,
                                                                    entry->job.repository);
    const struct note *note = note_of(schedule, entry->job.id);
    if (repository == NULL || note == NULL || note->not_before > time(NULL) ||
        lanes_busy_with(&schedule->lanes, entry->job.id))
        return false;
    return repository->host_token || note->token[0] != '\0';
}

/* A job whose token never came back cannot be finished. */
static bool waited_enough(struct schedule *schedule, const struct queue_entry *entry)
{
    const struct note *note = note_of(schedule, entry->job.id);
    const struct host_repository *repository = host_find_repository(schedule->host,
                                                                    entry->job.repository);
    return repository == NULL ||
           (note != NULL && note->token[0] == '\0' && !repository->host_token &&
            difftime(time(NULL), note->since) * 1000 >
                (double)schedule->host->limits.token_wait_ms);
}

/* The oldest job in `state` that may step now. */
static bool next_job(struct schedule *schedule, const char *device, enum job_state state,
                     long long *job)
{
    struct queue_entry entry;
    struct err err;
    for (long long after = 0;; after = entry.job.id) {
        if (queue_next(schedule->queue, device, state, after, &entry, &err) != 0) {
            if (err.class != ERR_NOT_FOUND)
                fprintf(stderr, "ratchetd: %s\n", err.text);
            return false;
        }
        if (waited_enough(schedule, &entry)) {
            give_up(schedule, entry.job.id, "no token came back for it");
        } else if (ready(schedule, &entry)) {
            *job = entry.job.id;
            return true;
        }
    }
}

/* A cancelled job whose own step has ended, so that the clerk may tell GitHub. */
static bool next_cancelled(struct schedule *schedule, long long *job)
{
    for (size_t i = 0; i < NOTES_MAX; i++) {
        struct note *note = &schedule->notes[i];
        if (note->cancel != CANCEL_WANTED || lanes_busy_with(&schedule->lanes, note->job))
            continue;
        note->cancel = CANCEL_TOLD;
        *job = note->job;
        return true;
    }
    return false;
}

/* The clerk: what is only to be told before what is to be asked. */
static bool choose(struct schedule *schedule, const struct lane *lane, long long *job)
{
    static const enum job_state clerk_states[] = {JOB_JUDGED, JOB_ACCEPTED};
    if (lane->device != NULL)
        return next_job(schedule, lane->device, JOB_PINNED, job);
    if (next_cancelled(schedule, job))
        return true;
    for (size_t s = 0; s < sizeof clerk_states / sizeof clerk_states[0]; s++)
        for (size_t i = 0; i < schedule->host->device_count; i++)
            if (next_job(schedule, schedule->host->devices[i].slug, clerk_states[s], job))
                return true;
    return false;
}

void schedule_start(struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->lanes.count; i++) {
        struct lane *lane = &schedule->lanes.lane[i];
        long long job;
        struct err err;
        if (lane->pid != 0 || !choose(schedule, lane, &job))
            continue;
        const struct note *note = note_of(schedule, job);
        if (lanes_start(&schedule->lanes, lane, job, note == NULL ? NULL : note->token,
                        &err) != 0)
            fprintf(stderr, "ratchetd: %s\n", err.text);
    }
}

/* ---- the end of a step ---- */

static void step_ended(struct schedule *schedule, struct lane *lane)
{
    long long job = lane->job;
    enum work_end end = lanes_reap(lane);
    struct note *note = note_of(schedule, job);
    struct queue_entry entry;
    struct err err;
    if (note == NULL ? no_note(&err) != 0
                     : queue_get(schedule->queue, job, &entry, &err) != 0) {
        fprintf(stderr, "ratchetd: job %lld: %s\n", job, err.text);
        return;
    }
    if (entry.state == JOB_CANCELLED) {
        if (note->cancel == CANCEL_TOLD)
            forget(schedule, job);
        return;
    }
    note->failures = end == WORK_FAILED ? note->failures + 1 : 0;
    if (end == WORK_FAILED && note->failures >= FAILURES_MAX) {
        give_up(schedule, job, "its steps kept failing; see the daemon's log");
        return;
    }
    if (entry.state == JOB_RUNNING && queue_rest(schedule->queue, job, false, &err) != 0)
        fprintf(stderr, "ratchetd: %s\n", err.text);
    if (end != WORK_DONE)
        note->not_before = time(NULL) + (end == WORK_LATER ? lane->later_s : FAILURE_PAUSE_S);
    if (entry.state == JOB_DONE || (entry.state == JOB_JUDGED && end == WORK_LATER))
        schedule->watch.judged(schedule->watch.context, &entry); /* GitHub may be away */
    if (entry.state == JOB_DONE)
        forget(schedule, job);
}

size_t schedule_poll(const struct schedule *schedule, struct pollfd *fds)
{
    for (size_t i = 0; i < schedule->lanes.count; i++)
        fds[i] = (struct pollfd){.fd = schedule->lanes.lane[i].fd, .events = POLLIN};
    return schedule->lanes.count;
}

void schedule_handle(struct schedule *schedule, const struct pollfd *fds)
{
    for (size_t i = 0; i < schedule->lanes.count; i++) {
        struct lane *lane = &schedule->lanes.lane[i];
        if (fds[i].revents != 0 && lane->fd >= 0 &&
            !lanes_read(lane, schedule->watch.line, schedule->watch.context))
            step_ended(schedule, lane);
    }
}
