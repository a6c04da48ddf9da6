/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the answer to `ratchet status`. */
#include "daemon/status.h"

#include "daemon/message.h"
#include "daemon/waits.h"

enum { STATUS_JOBS = 50 };

static const char *kind_of(const struct job *job)
{
    return job->kind == JOB_PROMOTE         ? "promote"
           : choices_partial(&job->choices) ? "partial"
                                            : "check";
}

static int add_job(const struct schedule *schedule, const struct queue_entry *entry,
                   struct buf *out, struct err *err)
{
    struct waits waits;
    char text[PROGRESS_TEXT_BYTES];
    if (waits_find(schedule, entry, &waits, err) != 0)
        return -1;
    waits_words(&waits, text);
    return message_add(
        out,
        json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:I, s:I, s:s}", "type",
                  "job", "id", (json_int_t)entry->job.id, "kind", kind_of(&entry->job),
                  "repository", entry->job.repository, "device", entry->job.device, "lane",
                  entry->lane, "pr", entry->job.pr, "branch", entry->job.base_ref, "state",
                  job_state_name(entry->state), "verdict", entry->verdict, "accepted",
                  (json_int_t)entry->accepted_s, "finished", (json_int_t)entry->finished_s,
                  "waits", text),
        err);
}

int status_add(const struct schedule *schedule, struct db *db, struct buf *out,
               struct err *err)
{
    static struct queue_entry entries[STATUS_JOBS];
    size_t count;
    if (queue_list(db, STATUS_JOBS, entries, &count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (add_job(schedule, &entries[i], out, err) != 0)
            return -1;
    return message_add(out, json_pack("{s:s}", "type", "end"), err);
}
