/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the answer to `ratchet status`. */
#include "daemon/status.h"

#include "daemon/message.h"
#include "daemon/waits.h"

#include <stdio.h>

enum { STATUS_JOBS = 50, WAIT_BYTES = PROGRESS_TEXT_BYTES + QUEUE_WHY_BYTES + 64 };

static const char *kind_of(const struct job *job)
{
    return job->kind == JOB_PROMOTE         ? "promote"
           : choices_partial(&job->choices) ? "partial"
                                            : "check";
}

/* What the job waits for, and why GitHub was not told. */
static void wait_words(const struct queue_entry *entry, const struct waits *waits,
                       char out[WAIT_BYTES])
{
    char text[PROGRESS_TEXT_BYTES];
    waits_words(waits, text);
    bool untold = entry->untold[0] != '\0' && entry->state >= JOB_JUDGED;
    snprintf(out, WAIT_BYTES, "%s%s%s%s", text, untold && text[0] != '\0' ? "; " : "",
             !untold                    ? ""
             : entry->state == JOB_DONE ? "GitHub was not told all: "
                                        : "GitHub did not take it: ",
             untold ? entry->untold : "");
}

static int add_job(const struct schedule *schedule, const struct queue_entry *entry,
                   struct buf *out, struct err *err)
{
    struct waits waits;
    char text[WAIT_BYTES];
    if (waits_find(schedule, entry, &waits, err) != 0)
        return -1;
    wait_words(entry, &waits, text);
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
