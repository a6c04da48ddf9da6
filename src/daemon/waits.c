/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the answer to the question why a job has not ended yet. Reads what the schedule decides by, and
 * decides nothing. */
#include "daemon/waits.h"

#include "base/proc.h"
#include "daemon/schedule_internal.h"

#include <stdio.h>
#include <string.h>

static long long seconds_until(uint64_t due_ns)
{
    uint64_t now = proc_now_ns();
    return due_ns <= now ? 0 : (long long)((due_ns - now + 999999999u) / 1000000000u);
}

static const struct lane *lane_of(const struct schedule *schedule, long long job)
{
    for (size_t i = 0; i < schedule->lanes.count; i++)
        if (schedule->lanes.lane[i].pid != 0 && schedule->lanes.lane[i].job == job)
            return &schedule->lanes.lane[i];
    return NULL;
}

/* A pause of the job's own. True: it is in one. */
static bool rests(const struct schedule *schedule, const struct queue_entry *entry,
                  struct waits *out)
{
    const struct note *note = schedule_find_note(schedule, entry->job.id);
    out->due_s = note == NULL ? 0 : seconds_until(note->not_before_ns);
    bool second = entry->job.kind == JOB_PROMOTE && entry->state == JOB_PINNED &&
                  note != NULL && note->failures == 0;
    out->what = second ? WAITS_RUN : WAITS_RETRY;
    return out->due_s > 0;
}

/* What a job of this repository that needs its servers waits for. */
static void find_server(const struct schedule *schedule, const struct queue_entry *entry,
                        struct waits *out)
{
    const struct host_repository *repository = host_find_repository(schedule->host,
                                                                    entry->job.repository);
    out->what = WAITS_CLERK;
    if (repository == NULL)
        return;
    const struct place *place = &schedule->places[repository - schedule->host->repositories];
    out->due_s = seconds_until(place->not_before_ns);
    if (out->due_s > 0) {
        out->what = place->away ? WAITS_AWAY : WAITS_LIMIT;
        return;
    }
    out->due_s = repository->credential != CREDENTIAL_JOB
                     ? 0
                     : seconds_until(schedule_limited_until_ns(schedule, repository, entry));
    if (out->due_s > 0)
        out->what = WAITS_LIMIT;
    else if (repository->credential == CREDENTIAL_JOB &&
             schedule_token_for(schedule, repository, entry) == NULL)
        out->what = WAITS_TOKEN;
}

static int find_turn(const struct schedule *schedule, const struct queue_entry *entry,
                     struct waits *out, struct err *err)
{
    const struct host_repository *repository = host_find_repository(schedule->host,
                                                                    entry->job.repository);
    bool token = repository == NULL || repository->credential != CREDENTIAL_JOB ||
                 schedule_token_for(schedule, repository, entry) != NULL;
    out->what = token ? WAITS_TURN : WAITS_TOKEN;
    return queue_place(schedule->db, entry, &out->place, err);
}

int waits_find(const struct schedule *schedule, const struct queue_entry *entry,
               struct waits *out, struct err *err)
{
    const struct lane *lane = lane_of(schedule, entry->job.id);
    *out = (struct waits){.what = WAITS_NOTHING, .state = entry->state};
    if (entry->state == JOB_DONE)
        return 0;
    if (lane != NULL) {
        out->what = WAITS_STEP;
        out->now = lane->now;
        return 0;
    }
    if (rests(schedule, entry, out))
        return 0;
    if (entry->state == JOB_PINNED)
        return find_turn(schedule, entry, out, err);
    if (entry->state == JOB_ACCEPTED || entry->state == JOB_JUDGED)
        find_server(schedule, entry, out);
    else
        out->what = WAITS_CLERK;
    return 0;
}

bool waits_same(const struct waits *a, const struct waits *b)
{
    return a->what == b->what && a->state == b->state && a->place == b->place &&
           a->now.stage == b->now.stage;
}

static void step_words(const struct waits *waits, char out[PROGRESS_TEXT_BYTES])
{
    if (waits->now.stage != STAGE_NONE)
        progress_words(&waits->now, out);
    else
        snprintf(out, PROGRESS_TEXT_BYTES, "%s",
                 waits->state == JOB_ACCEPTED ? "asking GitHub and fetching"
                 : waits->state == JOB_JUDGED ? "telling GitHub"
                 : waits->state == JOB_ENDING ? "ending"
                                              : "at work");
}

void waits_words(const struct waits *waits, char out[PROGRESS_TEXT_BYTES])
{
    const char *told = waits->state == JOB_JUDGED ? "the verdict stands; " : "";
    switch (waits->what) {
    case WAITS_NOTHING:
        out[0] = '\0';
        break;
    case WAITS_STEP:
        step_words(waits, out);
        break;
    case WAITS_TURN:
        snprintf(out, PROGRESS_TEXT_BYTES, "place %zu in the queue of its device",
                 waits->place);
        break;
    case WAITS_CLERK:
        snprintf(out, PROGRESS_TEXT_BYTES, "%swaiting to talk to GitHub", told);
        break;
    case WAITS_LIMIT:
        snprintf(out, PROGRESS_TEXT_BYTES, "%sGitHub's limit, %lld s", told, waits->due_s);
        break;
    case WAITS_AWAY:
        snprintf(out, PROGRESS_TEXT_BYTES, "%sGitHub did not answer, again in %lld s", told,
                 waits->due_s);
        break;
    case WAITS_TOKEN:
        snprintf(out, PROGRESS_TEXT_BYTES, "%sno token that GitHub takes", told);
        break;
    case WAITS_RUN:
        snprintf(out, PROGRESS_TEXT_BYTES, "second run in %lld s", waits->due_s);
        break;
    case WAITS_RETRY:
        snprintf(out, PROGRESS_TEXT_BYTES, "%strying again in %lld s", told, waits->due_s);
        break;
    }
}
