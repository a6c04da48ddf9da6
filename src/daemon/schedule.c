/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the lanes, and what is known of jobs and repositories beyond the database: tokens, delays,
 * failures. Blocks for nothing but SQLite. */
#include "daemon/schedule_internal.h"

#include "base/line.h"
#include "base/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAUSES_MAX = 12 /* times `retry-ms` */
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
struct note *schedule_take_note(struct schedule *schedule, long long job)
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

void schedule_forget(struct schedule *schedule, long long job)
{
    struct note *note = schedule_find_note(schedule, job);
    if (note != NULL)
        *note = (struct note){0};
    tokens_forget(&schedule->tokens, job);
}

/* After the first failure `retry-ms`, then twice as long, … */
uint64_t schedule_after_failures(const struct schedule *schedule, unsigned failures)
{
    unsigned times = 1u << (failures > 4 ? 4 : failures - (failures > 0));
    return proc_now_ns() + 1000000u * schedule->host->limits.retry_ms *
                               (times < PAUSES_MAX ? times : PAUSES_MAX);
}

uint64_t schedule_in_seconds(long long seconds)
{
    return proc_now_ns() + (uint64_t)(seconds > 0 ? seconds : 0) * 1000000000u;
}

struct place *schedule_place_of(struct schedule *schedule,
                                const struct host_repository *repository)
{
    return &schedule->places[repository - schedule->host->repositories];
}

void schedule_log(long long job, const struct err *err)
{
    line_err("ratchetd: job %lld: %s", job, err->text);
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
                line_err("ratchetd: job %lld is dropped: repository `%s` is not this host's",
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
                schedule_log(entry.job.id, &err);
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

const struct lanes *schedule_lanes(const struct schedule *schedule)
{
    return &schedule->lanes;
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
    line_err("ratchetd: job %lld: %s %s #%d on %s", job->id, *known ? "again" : "accepted",
             job->repository, job->pr, job->device);
    if (entry->state != JOB_DONE)
        tokens_add(&schedule->tokens, host_find_repository(schedule->host, job->repository),
                   job->id, request->token);
    return 0;
}

int schedule_cancel(struct schedule *schedule, long long job, struct err *err)
{
    struct err ended = {0};
    struct note *note = schedule_find_note(schedule, job);
    lanes_kill(&schedule->lanes, job);
    if (note != NULL)
        note->not_before_ns = 0; /* a promotion between its two runs waits no more */
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
    struct queue_entry entry;
    struct err err;
    return queue_next_of(schedule->db, repository->name, JOB_ENDING, 0, &entry, &err) == 0 ||
           queue_next_of(schedule->db, repository->name, JOB_JUDGED, 0, &entry, &err) == 0;
}

/* Whoever is away is asked all the same: that costs nobody anything. */
uint64_t schedule_quiet_until_ns(struct schedule *schedule,
                                 const struct host_repository *repository)
{
    const struct place *place = schedule_place_of(schedule, repository);
    return place->away ? 0 : place->not_before_ns;
}

void schedule_be_quiet(struct schedule *schedule, const struct host_repository *repository,
                       long long seconds)
{
    struct place *place = schedule_place_of(schedule, repository);
    place->away = false;
    place->not_before_ns = schedule_in_seconds(seconds);
}

bool schedule_is_idle(const struct schedule *schedule)
{
    struct queue_entry entry = {0};
    struct err err = {0};
    for (int state = JOB_ACCEPTED; state < JOB_DONE; state++)
        if (queue_next(schedule->db, NULL, (enum job_state)state, 0, &entry, &err) == 0 ||
            err.class != ERR_NOT_FOUND)
            return false;
    return true;
}

/* ---- the choice of the next step ---- */

/* A job, whose servers it waits for (NULL: nobody's), and the token for that (NULL: none). */
struct choice {
    long long job;
    const struct host_repository *repository;
    const struct token *token;
};

/* What was found is to be looked at again then, even if nothing happens until then. */
static void look_again(struct schedule *schedule, uint64_t at_ns)
{
    if (at_ns < schedule->due_ns)
        schedule->due_ns = at_ns;
}

/* The database or the system did not do as it was told: that may be over soon. */
static void look_again_soon(struct schedule *schedule, const struct err *err)
{
    line_err("ratchetd: %s", err->text);
    look_again(schedule, schedule_in_seconds(1));
}

/* What only tells may go out with another job's token, if GitHub has once taken the job's own: that
 * is where its head is from. Whatever asks and measures is done with the job's own, so that nobody acts
 * with what others may. */
static const struct token *token_at(const struct schedule *schedule,
                                    const struct host_repository *repository,
                                    const struct queue_entry *entry, uint64_t at_ns)
{
    static const unsigned long long none[TOKENS_REFUSED_MAX] = {0};
    const struct note *note = schedule_find_note(schedule, entry->job.id);
    bool lent = entry->state == JOB_JUDGED && entry->job.head[0] != '\0';
    return tokens_pick(&schedule->tokens, repository, entry->job.id, !lent,
                       note == NULL ? none : note->refused, at_ns);
}

const struct token *schedule_token_for(const struct schedule *schedule,
                                       const struct host_repository *repository,
                                       const struct queue_entry *entry)
{
    return token_at(schedule, repository, entry, proc_now_ns());
}

uint64_t schedule_limited_until_ns(const struct schedule *schedule,
                                   const struct host_repository *repository,
                                   const struct queue_entry *entry)
{
    const struct token *later = token_at(schedule, repository, entry, UINT64_MAX);
    return schedule_token_for(schedule, repository, entry) != NULL || later == NULL
               ? 0
               : later->limited_until_ns;
}

/* When a call would have been given up. */
static uint64_t end_of_patience(const struct schedule *schedule)
{
    return proc_now_ns() + schedule->host->limits.github_ms * 1000000u;
}

bool schedule_is_put_off(const struct schedule *schedule, const struct queue_entry *entry)
{
    const struct host_repository *repository = host_find_repository(schedule->host,
                                                                    entry->job.repository);
    if (entry->state != JOB_JUDGED || repository == NULL)
        return false;
    uint64_t then_ns = end_of_patience(schedule);
    const struct place *place = &schedule->places[repository - schedule->host->repositories];
    return (!place->away && place->not_before_ns > then_ns) ||
           (repository->credential == CREDENTIAL_JOB &&
            token_at(schedule, repository, entry, then_ns) == NULL);
}

bool schedule_waited_enough(struct schedule *schedule, const struct queue_entry *entry)
{
    const struct note *note = schedule_take_note(schedule, entry->job.id);
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
    const struct place *place = schedule_place_of(schedule, repository);
    if (place->not_before_ns > proc_now_ns()) {
        look_again(schedule, place->not_before_ns);
        return false;
    }
    return !repository_is_busy(schedule, repository) &&
           (!place->away || idle_clerks(schedule) > 1);
}

/* A job that was started before, such as a promotion between its two runs, stays on its lane. */
static bool may_go_to(const struct queue_entry *entry, const struct lane *lane)
{
    return lane->device == NULL || entry->lane[0] == '\0' ||
           strcmp(entry->lane, lane->name) == 0 ||
           host_find_lane(lane->device, entry->lane) == NULL; /* it is gone */
}

/* No token may be used for this job: until a limit is over, or one is brought. What is not judged
 * does not wait for that for ever. */
static void miss_token(struct schedule *schedule, const struct host_repository *repository,
                       const struct queue_entry *entry)
{
    struct err err;
    const struct note *note = schedule_take_note(schedule, entry->job.id);
    look_again(schedule, tokens_due_ns(&schedule->tokens, repository));
    if (entry->state == JOB_JUDGED || note == NULL)
        return;
    if (!schedule_waited_enough(schedule, entry))
        look_again(schedule,
                   note->since_ns + 1000000u * (schedule->host->limits.token_wait_ms + 1));
    else if (queue_end(schedule->db, entry->job.id, CLAUSE_HOST_FAILED,
                       "no token came back for it", &err) != 0)
        look_again_soon(schedule, &err);
    else
        look_again(schedule, proc_now_ns()); /* it is to be told that */
}

/* May this job take its next step now? On this lane, where it has one to
 * itself; then *choice is it. A clerk asks its servers. */
static bool ready(struct schedule *schedule, const struct queue_entry *entry,
                  const struct lane *lane, struct choice *choice)
{
    const struct note *note = schedule_find_note(schedule, entry->job.id);
    const struct host_repository *repository = host_find_repository(schedule->host,
                                                                    entry->job.repository);
    if (repository == NULL || !may_go_to(entry, lane) ||
        lanes_busy_with(&schedule->lanes, entry->job.id))
        return false;
    if (note != NULL && note->not_before_ns > proc_now_ns()) {
        look_again(schedule, note->not_before_ns);
        return false;
    }
    *choice = (struct choice){.job = entry->job.id};
    if (entry->state == JOB_ENDING)
        return true; /* no server is asked */
    if (lane->device == NULL && !may_talk(schedule, repository))
        return false;
    choice->repository = repository;
    if (repository->credential != CREDENTIAL_JOB)
        return true;
    choice->token = schedule_token_for(schedule, repository, entry);
    if (choice->token == NULL)
        miss_token(schedule, repository, entry);
    return choice->token != NULL;
}

/* The oldest job in `state` that may step now on this lane: of its device, or for a clerk of a
 * repository, or (NULL) of all. */
static bool next_job(struct schedule *schedule, const struct lane *lane,
                     const char *repository, enum job_state state, struct choice *choice)
{
    const char *device = lane->device == NULL ? NULL : lane->device->slug;
    struct queue_entry entry;
    struct err err;
    for (long long after = 0;; after = entry.job.id) {
        int found = repository == NULL
                        ? queue_next(schedule->db, device, state, after, &entry, &err)
                        : queue_next_of(schedule->db, repository, state, after, &entry, &err);
        if (found == 0 && ready(schedule, &entry, lane, choice))
            return true;
        if (found == 0)
            continue;
        if (err.class != ERR_NOT_FOUND)
            look_again_soon(schedule, &err);
        return false;
    }
}

/* What is only to be told goes out with any token of the repository's. */
static bool can_tell(struct schedule *schedule, const struct host_repository *repository)
{
    static const unsigned long long none[TOKENS_REFUSED_MAX] = {0};
    if (repository->credential != CREDENTIAL_JOB ||
        tokens_pick(&schedule->tokens, repository, 0, false, none, proc_now_ns()) != NULL)
        return true;
    look_again(schedule, tokens_due_ns(&schedule->tokens, repository));
    return false;
}

/* The oldest job that may step now, of those whose servers are asked. Thousands may be owed by a repository
 * that may not be talked to, so that its jobs are not looked at. */
static bool next_to_talk(struct schedule *schedule, const struct lane *lane,
                         enum job_state state, struct choice *out)
{
    const struct host *host = schedule->host;
    struct queue_entry entry;
    struct err err;
    bool found = false;
    if (queue_next(schedule->db, NULL, state, 0, &entry, &err) != 0) {
        if (err.class != ERR_NOT_FOUND)
            look_again_soon(schedule, &err);
        return false;
    }
    for (size_t i = 0; i < host->repository_count; i++) {
        const struct host_repository *repository = &host->repositories[i];
        struct choice choice;
        if (!may_talk(schedule, repository) ||
            (state == JOB_JUDGED && !can_tell(schedule, repository)) ||
            !next_job(schedule, lane, repository->name, state, &choice) ||
            (found && choice.job > out->job))
            continue;
        *out = choice;
        found = true;
    }
    return found;
}

/* A clerk: what is only to be told before what is to be asked. */
static bool choose(struct schedule *schedule, const struct lane *lane, struct choice *choice)
{
    return lane->device != NULL ? next_job(schedule, lane, NULL, JOB_PINNED, choice)
                                : next_job(schedule, lane, NULL, JOB_ENDING, choice) ||
                                      next_to_talk(schedule, lane, JOB_JUDGED, choice) ||
                                      next_to_talk(schedule, lane, JOB_ACCEPTED, choice);
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
            look_again_soon(schedule, &err);
}

uint64_t schedule_start(struct schedule *schedule)
{
    bool clerk_found_none = false; /* nor does the next */
    schedule->due_ns = UINT64_MAX;
    rest(schedule);
    for (size_t i = 0; i < schedule->lanes.count; i++) {
        struct lane *lane = &schedule->lanes.lane[i];
        struct choice choice;
        struct err err;
        bool clerk = lane->device == NULL;
        if (lane->pid != 0 || (clerk && clerk_found_none))
            continue;
        if (!choose(schedule, lane, &choice)) {
            clerk_found_none = clerk_found_none || clerk;
            continue;
        }
        lane->repository = choice.repository;
        lane->token = choice.token == NULL ? 0 : choice.token->serial;
        if (lanes_start(&schedule->lanes, lane, choice.job,
                        choice.token == NULL ? NULL : choice.token->text, &err) != 0)
            look_again_soon(schedule, &err);
    }
    return schedule->due_ns;
}
