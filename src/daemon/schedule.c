/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the lanes, and what is known of jobs and repositories beyond the database: tokens, delays,
 * failures. Blocks for nothing but SQLite. */
#include "daemon/schedule_internal.h"

#include "base/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    FAILURES_MAX = 3, /* steps that ended badly, in a row, before a job ends unmeasured */
    PAUSES_MAX = 12   /* times `retry-ms` */
};

/* ---- notes ---- */

struct note *schedule_find_note(const struct schedule *schedule, long long job)
{
    for (size_t i = 0; i < schedule->note_count; i++)
        if (schedule->notes[i].job == job)
            return &schedule->notes[i];
    return NULL;
}

/* The job's note, a new one where there is none yet; NULL: out of memory. */
static struct note *take_note(struct schedule *schedule, long long job)
{
    struct note *note = schedule_find_note(schedule, job);
    if (note != NULL)
        return note;
    note = schedule_find_note(schedule, 0);
    if (note == NULL) {
        size_t count = schedule->note_count + 64;
        struct note *more = realloc(schedule->notes, count * sizeof *more);
        if (more == NULL)
            return NULL;
        memset(more + schedule->note_count, 0, 64 * sizeof *more);
        note = more + schedule->note_count;
        schedule->notes = more;
        schedule->note_count = count;
    }
    *note = (struct note){.job = job, .since_ns = proc_now_ns()};
    return note;
}

static void forget(struct schedule *schedule, long long job)
{
    struct note *note = schedule_find_note(schedule, job);
    if (note != NULL)
        *note = (struct note){0};
    tokens_forget(&schedule->tokens, job);
}

/* After the first failure `retry-ms`, then twice as long, … */
static uint64_t after_failures(const struct schedule *schedule, unsigned failures)
{
    unsigned times = 1u << (failures > 4 ? 4 : failures - (failures > 0));
    return proc_now_ns() + 1000000u * schedule->host->limits.retry_ms *
                               (times < PAUSES_MAX ? times : PAUSES_MAX);
}

static uint64_t in_seconds(long long seconds)
{
    return proc_now_ns() + (uint64_t)(seconds > 0 ? seconds : 0) * 1000000000u;
}

static struct place *place_of(struct schedule *schedule,
                              const struct host_repository *repository)
{
    return &schedule->places[repository - schedule->host->repositories];
}

static void log_error(long long job, const struct err *err)
{
    fprintf(stderr, "ratchetd: job %lld: %s\n", job, err->text);
}

/* ---- start and stop ---- */

/* Jobs of a repository or device that this host has no longer. */
static void end_orphans(struct schedule *schedule)
{
    static const enum job_state states[] = {JOB_ACCEPTED, JOB_PINNED, JOB_ENDING, JOB_JUDGED};
    const struct host *host = schedule->host;
    struct queue_entry entry = {0};
    struct err err;
    for (size_t s = 0; s < sizeof states / sizeof states[0]; s++)
        for (long long after = 0;
             queue_next(schedule->db, NULL, states[s], after, &entry, &err) == 0;
             after = entry.job.id) {
            int ended = 0;
            if (host_find_repository(host, entry.job.repository) == NULL) {
                fprintf(stderr,
                        "ratchetd: job %lld is dropped: repository `%s` is not this host's\n",
                        entry.job.id, entry.job.repository);
                ended = queue_abandon(schedule->db, entry.job.id, &err);
            } else if (host_find_device(host, entry.job.device) == NULL &&
                       (states[s] == JOB_ACCEPTED || states[s] == JOB_PINNED)) {
                char why[QUEUE_WHY_BYTES];
                snprintf(why, sizeof why,
                         "device `%s` is not configured on this host any more",
                         entry.job.device);
                ended = queue_end(schedule->db, entry.job.id, CLAUSE_HOST_FAILED, why, &err);
            }
            if (ended != 0)
                log_error(entry.job.id, &err);
        }
}

int schedule_open(const struct host *host, const char *config, struct db *db,
                  const struct schedule_watch *watch, struct schedule **out, struct err *err)
{
    struct schedule *schedule = calloc(1, sizeof *schedule);
    if (schedule == NULL)
        return err_set(err, ERR_HOST, "out of memory for the schedule");
    schedule->host = host;
    schedule->db = db;
    schedule->watch = *watch;
    lanes_init(&schedule->lanes, host, config);
    end_orphans(schedule);
    *out = schedule;
    return 0;
}

void schedule_close(struct schedule **schedule)
{
    if (*schedule == NULL)
        return;
    lanes_kill_all(&(*schedule)->lanes);
    tokens_wipe(&(*schedule)->tokens);
    free((*schedule)->notes);
    free(*schedule);
    *schedule = NULL;
}

/* ---- a client's wishes ---- */

int schedule_accept(struct schedule *schedule, struct request *request,
                    const struct queue_owner *owner, struct queue_entry *entry, bool *known,
                    struct err *err)
{
    struct job *job = &request->job;
    if (queue_accept(schedule->db, job, owner, &schedule->host->limits, known, err) != 0 ||
        queue_get(schedule->db, job->id, entry, err) != 0)
        return -1;
    /* Whoever names another's job by its key hears nothing of it. */
    if (*known && owner->uid != 0 && entry->uid >= 0 && entry->uid != owner->uid)
        return err_set(err, ERR_AUTH, "job %lld was submitted by another user", job->id);
    fprintf(stderr, "ratchetd: job %lld: %s %s #%d on %s\n", job->id,
            *known ? "again" : "accepted", job->repository, job->pr, job->device);
    if (entry->state != JOB_DONE)
        tokens_add(&schedule->tokens, host_find_repository(schedule->host, job->repository),
                   job->id, request->token);
    return 0;
}

int schedule_cancel(struct schedule *schedule, long long job, struct err *err)
{
    struct err ended = {0};
    lanes_kill(&schedule->lanes, job);
    if (queue_end(schedule->db, job, CLAUSE_CANCELLED, "cancelled by its workflow run",
                  &ended) != 0 &&
        ended.class != ERR_CONFLICT) /* judged already: the verdict stands */
        return *err = ended, -1;
    return 0;
}

void schedule_add_token(struct schedule *schedule, const struct host_repository *repository,
                        long long bringer, const char *token)
{
    tokens_add(&schedule->tokens, repository, bringer, token);
}

void schedule_drop_token(struct schedule *schedule, long long bringer)
{
    tokens_forget(&schedule->tokens, bringer);
}

bool schedule_owes(const struct schedule *schedule, const struct host_repository *repository)
{
    static const enum job_state states[] = {JOB_ENDING, JOB_JUDGED};
    struct queue_entry entry = {0};
    struct err err;
    for (size_t s = 0; s < sizeof states / sizeof states[0]; s++)
        for (long long after = 0;
             queue_next(schedule->db, NULL, states[s], after, &entry, &err) == 0;
             after = entry.job.id)
            if (strcasecmp(entry.job.repository, repository->name) == 0)
                return true;
    return false;
}

/* ---- the choice of the next step ---- */

/* A limit that lasts longer than a call would be tried. */
static bool is_put_off(const struct schedule *schedule, const struct place *place)
{
    return !place->away &&
           place->not_before_ns > proc_now_ns() + schedule->host->limits.github_ms * 1000000u;
}

bool schedule_is_put_off(const struct schedule *schedule, const struct queue_entry *entry)
{
    const struct host_repository *repository = host_find_repository(schedule->host,
                                                                    entry->job.repository);
    return entry->state == JOB_JUDGED && repository != NULL &&
           is_put_off(schedule, &schedule->places[repository - schedule->host->repositories]);
}

/* The token that the next step of a job is given; a promotion pushes, and what other jobs may do is
 * not known. */
const struct token *schedule_token_for(const struct schedule *schedule,
                                       const struct host_repository *repository,
                                       const struct queue_entry *entry)
{
    return tokens_pick(&schedule->tokens, repository, entry->job.id,
                       entry->job.kind == JOB_PROMOTE && entry->state != JOB_JUDGED);
}

/* A job whose token never came back cannot be measured. What it is owed stays. */
static bool waited_enough(struct schedule *schedule, const struct queue_entry *entry)
{
    const struct note *note = take_note(schedule, entry->job.id);
    return note != NULL &&
           (proc_now_ns() - note->since_ns) / 1000000u > schedule->host->limits.token_wait_ms;
}

static bool repository_is_busy(const struct schedule *schedule,
                               const struct host_repository *repository)
{
    for (size_t i = 0; i < schedule->lanes.count; i++) {
        const struct lane *lane = &schedule->lanes.lane[i];
        if (lane->pid != 0 && lane->device == NULL && lane->repository == repository)
            return true;
    }
    return false;
}

static size_t idle_clerks(const struct schedule *schedule)
{
    size_t idle = 0;
    for (size_t i = 0; i < schedule->lanes.count; i++)
        idle += schedule->lanes.lane[i].device == NULL && schedule->lanes.lane[i].pid == 0;
    return idle;
}

/* May a clerk talk to this repository's servers now? One at a time; and one that did not answer
 * lately does not get the last clerk. */
static bool may_talk(struct schedule *schedule, const struct host_repository *repository)
{
    const struct place *place = place_of(schedule, repository);
    return place->not_before_ns <= proc_now_ns() &&
           !repository_is_busy(schedule, repository) &&
           (!place->away || idle_clerks(schedule) > 1);
}

/* May this job take its next step now? Then the lane is told whose servers it waits for and which
 * token it has. */
static bool ready(struct schedule *schedule, const struct queue_entry *entry,
                  struct lane *lane, const char **token)
{
    const struct note *note = schedule_find_note(schedule, entry->job.id);
    const struct host_repository *repository = host_find_repository(schedule->host,
                                                                    entry->job.repository);
    if (repository == NULL || lanes_busy_with(&schedule->lanes, entry->job.id) ||
        (note != NULL && note->not_before_ns > proc_now_ns()))
        return false;
    lane->repository = NULL;
    lane->token = 0;
    *token = NULL;
    if (entry->state == JOB_ENDING)
        return true; /* no server is asked */
    if (lane->device == NULL && !may_talk(schedule, repository))
        return false;
    const struct token *own = repository->host_token
                                  ? NULL
                                  : schedule_token_for(schedule, repository, entry);
    if (own == NULL && !repository->host_token) {
        struct err err;
        if (entry->state != JOB_JUDGED && waited_enough(schedule, entry) &&
            queue_end(schedule->db, entry->job.id, CLAUSE_HOST_FAILED,
                      "no token came back for it", &err) != 0)
            log_error(entry->job.id, &err);
        return false;
    }
    lane->repository = repository;
    lane->token = own == NULL ? 0 : own->serial;
    *token = own == NULL ? NULL : own->text;
    return true;
}

/* The oldest job in `state` that may step now. */
static bool next_job(struct schedule *schedule, enum job_state state, struct lane *lane,
                     long long *job, const char **token)
{
    struct queue_entry entry;
    struct err err;
    for (long long after = 0;; after = entry.job.id) {
        if (queue_next(schedule->db, lane->device, state, after, &entry, &err) != 0) {
            if (err.class != ERR_NOT_FOUND)
                fprintf(stderr, "ratchetd: %s\n", err.text);
            return false;
        }
        if (ready(schedule, &entry, lane, token)) {
            *job = entry.job.id;
            return true;
        }
    }
}

/* A clerk: what is only to be told before what is to be asked. */
static bool choose(struct schedule *schedule, struct lane *lane, long long *job,
                   const char **token)
{
    static const enum job_state clerk_states[] = {JOB_ENDING, JOB_JUDGED, JOB_ACCEPTED};
    if (lane->device != NULL)
        return next_job(schedule, JOB_PINNED, lane, job, token);
    for (size_t s = 0; s < sizeof clerk_states / sizeof clerk_states[0]; s++)
        if (next_job(schedule, clerk_states[s], lane, job, token))
            return true;
    return false;
}

/* A step that ended while the disk was full may have left its job `running`. */
static void rest(struct schedule *schedule)
{
    struct queue_entry entry = {0};
    struct err err;
    for (long long after = 0;
         queue_next(schedule->db, NULL, JOB_RUNNING, after, &entry, &err) == 0;
         after = entry.job.id)
        if (!lanes_busy_with(&schedule->lanes, entry.job.id) &&
            queue_rest(schedule->db, entry.job.id, false, &err) != 0)
            log_error(entry.job.id, &err);
}

void schedule_start(struct schedule *schedule)
{
    rest(schedule);
    for (size_t i = 0; i < schedule->lanes.count; i++) {
        struct lane *lane = &schedule->lanes.lane[i];
        const char *token;
        long long job;
        struct err err;
        if (lane->pid == 0 && choose(schedule, lane, &job, &token) &&
            lanes_start(&schedule->lanes, lane, job, token, &err) != 0)
            fprintf(stderr, "ratchetd: %s\n", err.text);
    }
}

/* ---- what a step tells, and its end ---- */

static void on_event(void *context, struct lane *lane, const struct work_event *event)
{
    struct schedule *schedule = context;
    struct note *note = take_note(schedule, lane->job);
    struct place *place = lane->repository == NULL ? NULL
                                                   : place_of(schedule, lane->repository);
    switch (event->kind) {
    case WORK_LINE:
        schedule->watch.line(schedule->watch.context, lane->job, event->text);
        break;
    case WORK_FIGURES:
        lane->now = event->now;
        break;
    case WORK_WAIT:
        if (note != NULL)
            note->not_before_ns = in_seconds(event->seconds);
        break;
    case WORK_LIMITED:
    case WORK_AWAY:
        if (place != NULL) {
            place->away = event->kind == WORK_AWAY;
            place->not_before_ns = in_seconds(event->seconds);
            if (place->away && place->not_before_ns < after_failures(schedule, 1))
                place->not_before_ns = after_failures(schedule, 1);
        }
        if (note != NULL)
            note->away = event->kind == WORK_AWAY;
        break;
    case WORK_TOKEN_TAKEN:
    case WORK_TOKEN_REFUSED:
        tokens_note(&schedule->tokens, lane->token, event->kind == WORK_TOKEN_TAKEN);
        if (place != NULL)
            place->away = false;
        break;
    }
}

/* A job that GitHub refused to tell anything about, and no other token to ask with. */
static void end_refused(struct schedule *schedule, const struct lane *lane,
                        const struct queue_entry *entry)
{
    struct err err;
    if (entry->state == JOB_ACCEPTED && lane->token != 0 && lane->repository != NULL &&
        schedule_token_for(schedule, lane->repository, entry) == NULL &&
        queue_end(schedule->db, entry->job.id, CLAUSE_HOST_FAILED, lane->last, &err) != 0)
        log_error(entry->job.id, &err);
}

/* It is tried again, later each time; in the end without measuring. A verdict that stands, or an end
 * that is only to be written down, is never given up. */
static void step_failed(struct schedule *schedule, const struct lane *lane, struct note *note,
                        const struct queue_entry *entry)
{
    struct err err;
    char why[QUEUE_WHY_BYTES];
    note->not_before_ns = after_failures(schedule, ++note->failures);
    if (note->failures < FAILURES_MAX || entry->state == JOB_ENDING ||
        entry->state == JOB_JUDGED)
        return;
    snprintf(why, sizeof why, "its steps kept failing: %.400s",
             lane->last[0] == '\0' ? "see the daemon's log" : lane->last);
    if (queue_end(schedule->db, entry->job.id, CLAUSE_INTERNAL, why, &err) != 0)
        log_error(entry->job.id, &err);
    else
        note->not_before_ns = 0;
}

/* Whoever waits for a verdict hears of it once GitHub does, or cannot be told now: it is away, or a
 * limit lasts longer than a call would be tried. Until then the step waits, for its token dies with
 * it. */
static void tell_judged(struct schedule *schedule, const struct queue_entry *entry,
                        enum work_end end)
{
    const struct schedule_watch *watch = &schedule->watch;
    const struct host_repository *repository = host_find_repository(schedule->host,
                                                                    entry->job.repository);
    const struct place *place = repository == NULL ? NULL : place_of(schedule, repository);
    bool limited = place != NULL && !place->away && place->not_before_ns > proc_now_ns();
    if (entry->state == JOB_DONE ||
        (entry->state == JOB_JUDGED && end == WORK_LATER && !limited))
        watch->judged(watch->context, entry);
    if (!limited || !is_put_off(schedule, place))
        return;
    struct queue_entry other = {0};
    struct err err;
    for (long long after = 0;
         queue_next(schedule->db, NULL, JOB_JUDGED, after, &other, &err) == 0;
         after = other.job.id)
        if (strcasecmp(other.job.repository, repository->name) == 0)
            watch->judged(watch->context, &other);
}

static void step_ended(struct schedule *schedule, struct lane *lane)
{
    long long job = lane->job;
    enum work_end end = lanes_reap(lane);
    struct note *note = take_note(schedule, job);
    struct queue_entry entry;
    struct err err;
    if (queue_get(schedule->db, job, &entry, &err) != 0) {
        log_error(job, &err);
        return;
    }
    if (note != NULL && end == WORK_FAILED)
        step_failed(schedule, lane, note, &entry);
    else if (note != NULL && note->away)
        note->not_before_ns = after_failures(schedule, ++note->failures);
    else if (note != NULL)
        note->failures = 0;
    if (note != NULL)
        note->away = false;
    if (end == WORK_LATER)
        end_refused(schedule, lane, &entry);
    tell_judged(schedule, &entry, end);
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
        if (fds[i].revents != 0 && lane->fd >= 0 && !lanes_read(lane, on_event, schedule))
            step_ended(schedule, lane);
    }
}
