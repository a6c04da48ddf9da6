/* SPDX-License-Identifier: Apache-2.0 */
/* What watch mode has seen of a repository, in SQLite beside the queue: what is new becomes jobs in the same
 * transaction in which it becomes known, so that a kill at any moment loses nothing and doubles nothing.
 * Asks nobody: whoever calls brings what GitHub says. */
#ifndef RATCHET_INTAKE_WATCHED_H
#define RATCHET_INTAKE_WATCHED_H

#include "base/db.h"
#include "base/err.h"
#include "intake/host.h"
#include "model.h"

#include <stdbool.h>
#include <stddef.h>

/* Steps of the schema, for db_open. */
extern const char watched_schema[], watched_schema_2[];

struct watched {
    struct db *db;
    const struct host *host;
    const struct host_repository *repository;
};

/* What came of a call: a job for each device that is watched for. */
struct watched_jobs {
    long long id[HOST_DEVICES_MAX];
    size_t count;
};

/* Before the calls below, in each process. Another branch than before is one that nothing is known of. */
MUST_CHECK int watched_open(const struct watched *watched, struct err *err);

struct watched_pull {
    int number;
    char head[MODEL_SHA_BYTES];
    bool draft;
};
/* This pull request into the promoted branch is open, and stands on that page of the list. Jobs where it is new, was
 * closed, has another head, or is ready for review and was not measured for that. ERR_LIMIT: the queue
 * is full, nothing was noted. */
MUST_CHECK int watched_see_pull(const struct watched *watched, unsigned page,
                                const struct watched_pull *pull, struct watched_jobs *out,
                                struct err *err);
/* These are all that stand on the page. Who stood there before is closed, or on another one. */
MUST_CHECK int watched_see_page(const struct watched *watched, unsigned page,
                                const struct watched_pull *pulls, size_t count,
                                struct err *err);
/* There are so many pages, and none has changed while all were read: who stands on none is closed. */
MUST_CHECK int watched_settle(const struct watched *watched, unsigned pages, struct err *err);

/* The tip that was seen last, "": none. */
MUST_CHECK int watched_tip(const struct watched *watched, char tip[MODEL_SHA_BYTES],
                           struct err *err);
/* Another one; a job where it is `news`: neither the first, nor nothing but promotions of ours. */
MUST_CHECK int watched_see_tip(const struct watched *watched, const char *tip, bool news,
                               struct watched_jobs *out, struct err *err);

/* The greatest id of a comment that was seen, -1: none was looked for yet. */
MUST_CHECK int watched_comment(const struct watched *watched, long long *id, struct err *err);
MUST_CHECK int watched_see_comment(const struct watched *watched, long long id,
                                   struct err *err);

/* A run of Actions, of which each attempt is news once. One that there was when nothing was known of runs
 * is none, and what is older than the newest that was seen is news where it was seen with fewer attempts. */
struct watched_run {
    long long id;
    int attempt;
};
/* -1: error, else whether it is news. */
MUST_CHECK int watched_run_is_news(const struct watched *watched,
                                   const struct watched_run *run, struct err *err);
MUST_CHECK int watched_see_run(const struct watched *watched, const struct watched_run *run,
                               struct err *err);
/* Where nothing is known of runs these are all that there are, and none of them is news: *begun. */
MUST_CHECK int watched_begin_runs(const struct watched *watched,
                                  const struct watched_run *runs, size_t count, bool *begun,
                                  struct err *err);
/* No run before this one is asked for any more. */
MUST_CHECK int watched_forget_runs(const struct watched *watched, long long before,
                                   struct err *err);

/* A person's word that a pull request is to be checked again, by comment, label or run. */
struct watched_word {
    int pr;
    char head[MODEL_SHA_BYTES]; /* of the pull request, when the word was taken */
    long long comment;          /* its id; 0: none */
    struct watched_run run;     /* 0: none */
    const char *labeled;        /* when it was put on, where it is a label */
};
/* Of a label: is the pull request as it was when its label was looked at last? *when is when the label
 * that was taken last had been put on, "" for none. */
MUST_CHECK int watched_label(const struct watched *watched, int pr, const char *updated,
                             bool *same, char when[32], struct err *err);
MUST_CHECK int watched_see_label(const struct watched *watched, int pr, const char *updated,
                                 struct err *err);
/* Jobs for it; with that the word is seen, and will not be taken again. */
MUST_CHECK int watched_take_word(const struct watched *watched,
                                 const struct watched_word *word, struct watched_jobs *out,
                                 struct err *err);

#endif
