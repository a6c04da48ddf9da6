/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what follows from a step: what it told while it worked, and how it ended. */
#include "daemon/schedule_internal.h"

#include "base/proc.h"

#include <stdio.h>

enum { FAILURES_MAX = 3 }; /* steps that ended badly, in a row, before a job ends unmeasured */

static void on_event(void *context, struct lane *lane, const struct work_event *event)
{
    struct schedule *schedule = context;
    struct note *note = schedule_take_note(schedule, lane->job);
    struct place *place = lane->repository == NULL
                              ? NULL
                              : schedule_place_of(schedule, lane->repository);
    switch (event->kind) {
    case WORK_LINE:
        schedule->watch.line(schedule->watch.context, lane->job, event->text);
        break;
    case WORK_FIGURES:
        lane->now = event->now;
        break;
    case WORK_WAIT:
        if (note != NULL)
            note->not_before_ns = schedule_in_seconds(event->seconds);
        break;
    case WORK_LIMITED:
        /* The limit of a token that nobody knows yet may be a stranger's doing. */
        if (place != NULL &&
            (lane->token == 0 || tokens_limit(&schedule->tokens, lane->token,
                                              schedule_in_seconds(event->seconds)))) {
            place->away = false;
            place->not_before_ns = schedule_in_seconds(event->seconds);
        }
        break;
    case WORK_AWAY:
        if (place != NULL) {
            place->away = true;
            place->not_before_ns = schedule_in_seconds(event->seconds);
            if (place->not_before_ns < schedule_after_failures(schedule, 1))
                place->not_before_ns = schedule_after_failures(schedule, 1);
        }
        if (note != NULL)
            note->away = true;
        break;
    case WORK_TOKEN_REFUSED:
        if (note != NULL)
            note->refused[note->refused_count++ % TOKENS_REFUSED_MAX] = lane->token;
        break;
    case WORK_TOKEN_TAKEN:
    case WORK_TOKEN_DEAD:
        tokens_note(&schedule->tokens, lane->token, event->kind == WORK_TOKEN_TAKEN);
        if (place != NULL)
            place->away = false;
        break;
    }
}

/* A job that GitHub tells nothing about: no token is left to ask with, or it has been away for longer
 * than a job waits. */
static void end_refused(struct schedule *schedule, const struct lane *lane,
                        const struct queue_entry *entry)
{
    struct err err;
    if (entry->state != JOB_ACCEPTED || lane->repository == NULL)
        return;
    const struct token *token = lane->token == 0
                                    ? NULL
                                    : schedule_token_for(schedule, lane->repository, entry);
    bool none = lane->token != 0 && token == NULL &&
                !tokens_is_limited(&schedule->tokens, lane->token);
    const struct note *note = schedule_find_note(schedule, entry->job.id);
    bool too_long = note != NULL && note->away && schedule_waited_enough(schedule, entry);
    if ((none || too_long) &&
        queue_end(schedule->db, entry->job.id, CLAUSE_HOST_FAILED, lane->last, &err) != 0)
        schedule_log(entry->job.id, &err);
}

/* It is tried again, later each time; in the end without measuring. A verdict that stands, or an end
 * that is only to be written down, is never given up. */
static void step_failed(struct schedule *schedule, const struct lane *lane, struct note *note,
                        const struct queue_entry *entry)
{
    struct err err;
    char why[QUEUE_WHY_BYTES];
    note->not_before_ns = schedule_after_failures(schedule, ++note->failures);
    if (note->failures < FAILURES_MAX || entry->state == JOB_ENDING ||
        entry->state == JOB_JUDGED)
        return;
    snprintf(why, sizeof why, "its steps kept failing: %.400s",
             lane->last[0] == '\0' ? "see the daemon's log" : lane->last);
    if (queue_end(schedule->db, entry->job.id, CLAUSE_INTERNAL, why, &err) != 0)
        schedule_log(entry->job.id, &err);
    else
        note->not_before_ns = 0;
}

/* Whoever waits for a verdict hears of it once GitHub does, or cannot be told now: it is away, no token
 * may, or a limit lasts longer than a call would be tried. Until then the step waits, for its token
 * dies with it. */
static void tell_judged(struct schedule *schedule, const struct lane *lane,
                        const struct queue_entry *entry, enum work_end end)
{
    const struct schedule_watch *watch = &schedule->watch;
    const struct place *place = lane->repository == NULL
                                    ? NULL
                                    : schedule_place_of(schedule, lane->repository);
    bool short_limit = (place != NULL && !place->away &&
                        place->not_before_ns > proc_now_ns()) ||
                       tokens_is_limited(&schedule->tokens, lane->token);
    if (entry->state == JOB_DONE || schedule_is_put_off(schedule, entry) ||
        (entry->state == JOB_JUDGED && end == WORK_LATER && !short_limit))
        watch->judged(watch->context, entry);
}

static void step_ended(struct schedule *schedule, struct lane *lane)
{
    long long job = lane->job;
    enum work_end end = lanes_reap(lane);
    struct note *note = schedule_take_note(schedule, job);
    struct queue_entry entry;
    struct err err;
    if (queue_get(schedule->db, job, &entry, &err) != 0) {
        schedule_log(job, &err);
        return;
    }
    if (note != NULL && lane->killed)
        note->not_before_ns =
            0; /* when it wanted to go on, as it was cancelled, counts no more */
    if (note != NULL && end == WORK_FAILED && !lane->killed)
        step_failed(schedule, lane, note, &entry);
    else if (note != NULL && note->away && !lane->killed)
        note->not_before_ns = schedule_after_failures(schedule, ++note->failures);
    else if (note != NULL)
        note->failures = 0;
    if (end == WORK_LATER)
        end_refused(schedule, lane, &entry);
    if (note != NULL)
        note->away = false;
    tell_judged(schedule, lane, &entry, end);
    if (entry.state == JOB_DONE)
        schedule_forget(schedule, job);
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
