/* SPDX-License-Identifier: Apache-2.0 */
/* Every job that the daemon accepted, in SQLite, so that a kill at any moment loses nothing. A
 * job is accepted once per key; tokens are never stored.
 *
 *     accepted → pinned → running → judged → done
 *        └─────────┴─────────┴→ ending ─┘
 * `ending`: there will be no measurement, and `clause` and `why` say the reason. `judged`: the
 * verdict stands in the job's folder, and what GitHub is owed stands in the outbox, which lies in
 * the same database; only sending is left. All functions are given that database. */
#ifndef RATCHET_INTAKE_QUEUE_H
#define RATCHET_INTAKE_QUEUE_H

#include "base/db.h"
#include "base/err.h"
#include "intake/host.h"
#include "limit.h"
#include "model.h"

#include <stdbool.h>
#include <stddef.h>

enum job_state { JOB_ACCEPTED, JOB_PINNED, JOB_RUNNING, JOB_ENDING, JOB_JUDGED, JOB_DONE };
const char *job_state_name(enum job_state state);

enum { QUEUE_SECRET_BYTES = 33, QUEUE_WHY_BYTES = 512 };

struct queue_entry {
    struct job job;
    enum job_state state;
    long long uid;                   /* of who submitted it; -1: not known */
    char secret[QUEUE_SECRET_BYTES]; /* that its submitter was given; "": none */
    enum clause clause;              /* once ending… */
    char why[QUEUE_WHY_BYTES];       /* …the reason, one line */
    char untold[QUEUE_WHY_BYTES]; /* once judged: why GitHub was not told, one line; or "" */
    unsigned attempts;            /* how often it was started */
    int exit_code;                /* once judged */
    char verdict[32];             /* once judged */
    char lane[HOST_LANE_BYTES];   /* of its device, that it was started on; "": any */
    long long accepted_s, finished_s; /* UTC epoch seconds; 0: not yet */
};

/* Steps of the schema, in this order, for db_open. */
extern const char queue_schema_1[], queue_schema_2[], queue_schema_3[], queue_schema_4[],
    queue_schema_5[], queue_schema_6[], queue_schema_7[];

/* The next id will be greater than `after`, whatever the database remembers: for one that was lost
 * while the folders of its jobs are still there. */
MUST_CHECK int queue_start_ids(struct db *db, long long after, struct err *err);

struct queue_owner {
    long long uid;
    const char *secret;
};
/* Accept a job, or find the same user's with the same key (*known true; its secret stays). A full queue is
 * ERR_LIMIT. job->id is set. */
MUST_CHECK int queue_accept(struct db *db, struct job *job, const struct queue_owner *owner,
                            const struct limits *limits, bool *known, struct err *err);
/* The same within a transaction of the caller's, together with what else it writes. */
MUST_CHECK int queue_add(struct db *db, struct job *job, const struct queue_owner *owner,
                         const struct limits *limits, bool *known, struct err *err);
/* After a start of the daemon: running goes back to pinned, so it is taken again. */
MUST_CHECK int queue_recover(struct db *db, struct err *err);
/* The oldest job of a device (NULL: of any) in the state that is asked for;
 * ERR_NOT_FOUND where there is none. `after` skips ids up to it (0: none). */
MUST_CHECK int queue_next(struct db *db, const char *device, enum job_state state,
                          long long after, struct queue_entry *out, struct err *err);
/* … of a repository. */
MUST_CHECK int queue_next_of(struct db *db, const char *repository, enum job_state state,
                             long long after, struct queue_entry *out, struct err *err);
MUST_CHECK int queue_get(struct db *db, long long id, struct queue_entry *out,
                         struct err *err);
MUST_CHECK int queue_pin(struct db *db, const struct job *job, struct err *err);
/* One attempt more. */
MUST_CHECK int queue_start(struct db *db, long long id, const char *lane, struct err *err);
/* Running goes back to pinned. A rest that was planned (between the two runs of a promotion)
 * does not count as a start. */
MUST_CHECK int queue_rest(struct db *db, long long id, bool planned, struct err *err);
/* There will be no measurement of a job that is not judged yet: ERR_CONFLICT if it is. */
MUST_CHECK int queue_end(struct db *db, long long id, enum clause clause, const char *why,
                         struct err *err);
/* `job` is pinned: what waits of its pull request on its device, made for another head or for
 * another branch, ends. What runs already sees it when it is told. */
MUST_CHECK int queue_supersede(struct db *db, const struct job *job, struct err *err);
/* Within a transaction of the caller's, of jobs that nobody waits for, whose keys begin with `prefix`: those of the same
 * repository, device, kind and pull request as `job` that were not begun yet are over, without a word
 * to GitHub, as `job` takes their place. */
MUST_CHECK int queue_replace(struct db *db, const struct job *job, const char *prefix,
                             struct err *err);
/* … is one of them, with an id of `from` or later, pinned at job->event_head, into job->base_ref? */
MUST_CHECK int queue_is_at(struct db *db, const struct job *job, const char *prefix,
                           long long from, bool *is, struct err *err);
/* The commits of the job are kept, too: it may have been pinned in part only. */
MUST_CHECK int queue_judged(struct db *db, const struct job *job, const char *verdict,
                            int exit_code, struct err *err);
/* What GitHub answered, which did not take what it was told; "": it did. */
MUST_CHECK int queue_note_untold(struct db *db, long long id, const char *why,
                                 struct err *err);
MUST_CHECK int queue_done(struct db *db, long long id, struct err *err);
/* Over without a word to GitHub, whatever its state: its repository is not this host's any more. */
MUST_CHECK int queue_abandon(struct db *db, long long id, struct err *err);
/* A pinned job's place among those that wait for its device: 1 for the next. */
MUST_CHECK int queue_place(struct db *db, const struct queue_entry *entry, size_t *place,
                           struct err *err);
/* Newest first. */
MUST_CHECK int queue_list(struct db *db, size_t max, struct queue_entry *out, size_t *count,
                          struct err *err);
/* What GitHub is owed could not be told for so many seconds more. A clock that jumps must not end it. */
MUST_CHECK int queue_note_tried(struct db *db, long long seconds, struct err *err);
/* Forget jobs finished before `before_s`, and those that could not be told in more than `tried_s`;
 * their ids go to `each`, for removing folders. */
MUST_CHECK int queue_collect(struct db *db, long long before_s, long long tried_s,
                             int (*each)(void *context, long long id), void *context,
                             struct err *err);

#endif
