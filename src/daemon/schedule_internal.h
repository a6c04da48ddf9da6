/* SPDX-License-Identifier: Apache-2.0 */
/* What the schedule knows beyond the database, for those files that are part of it. */
#ifndef RATCHET_DAEMON_SCHEDULE_INTERNAL_H
#define RATCHET_DAEMON_SCHEDULE_INTERNAL_H

#include "daemon/schedule.h"
#include "daemon/tokens.h"

#include <stdint.h>

/* Of a job. Lost with the process: then everything is due at once, and a client that waits brings
 * its token again. All times are of the monotonic clock. */
struct note {
    long long job; /* 0: free */
    uint64_t since_ns;
    uint64_t not_before_ns;
    unsigned failures; /* steps in a row that failed, or found GitHub away */
    bool away;         /* the step that runs has found it so */
    unsigned long long refused[TOKENS_REFUSED_MAX]; /* serials of tokens that may not for it */
    size_t refused_count;
};

/* Of a repository. */
struct place {
    uint64_t not_before_ns; /* GitHub has asked for a pause, or did not answer */
    bool away;              /* … the latter, the last time */
};

struct schedule {
    const struct host *host;
    struct db *db;
    struct schedule_watch watch;
    struct lanes lanes;
    struct tokens tokens;
    struct place places[HOST_REPOSITORIES_MAX];
    struct note *notes; /* owned */
    size_t note_count;
    uint64_t due_ns; /* when time alone lets a job step that could not */
};

struct note *schedule_find_note(const struct schedule *schedule,
                                long long job); /* NULL: none */
/* A new one where there is none yet; NULL: out of memory. */
struct note *schedule_take_note(struct schedule *schedule, long long job);
/* Its note and its tokens. */
void schedule_forget(struct schedule *schedule, long long job);
struct place *schedule_place_of(struct schedule *schedule,
                                const struct host_repository *repository);

/* Until when those tokens that would do are over their limit; 0: one is not, or there is none. */
uint64_t schedule_limited_until_ns(const struct schedule *schedule,
                                   const struct host_repository *repository,
                                   const struct queue_entry *entry);

/* Times of the monotonic clock: after so many failures in a row; in so many seconds. */
uint64_t schedule_after_failures(const struct schedule *schedule, unsigned failures);
uint64_t schedule_in_seconds(long long seconds);
/* Longer than `token-wait-ms`: for its token, or for GitHub. */
bool schedule_waited_enough(struct schedule *schedule, const struct queue_entry *entry);

void schedule_log(long long job, const struct err *err);

/* The token that the next step of a job would be given; NULL: there is none. */
const struct token *schedule_token_for(const struct schedule *schedule,
                                       const struct host_repository *repository,
                                       const struct queue_entry *entry);

#endif
