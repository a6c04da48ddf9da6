/* SPDX-License-Identifier: Apache-2.0 */
/* What GitHub is owed, kept in SQLite until it was said: a comment and a status for a job at most. A
 * message is put in with the end of its job, in one transaction, and sent until GitHub took it or
 * refused it for good; then it is gone. In one place (the comment of a device on a pull request, a
 * context on a commit) the newest job has the last word. All functions are given the database. */
#ifndef RATCHET_PUBLISH_OUTBOX_H
#define RATCHET_PUBLISH_OUTBOX_H

#include "base/db.h"
#include "base/err.h"
#include "model.h"
#include "publish/github.h"

#include <stdbool.h>

/* Steps of the schema, for db_open. */
extern const char outbox_schema[], outbox_schema_2[], outbox_schema_3[], outbox_schema_4[];

/* A final status and a comment for a job, in the caller's transaction; a second
 * call for the same job replaces what was not sent yet. Where a newer job has spoken already
 * nothing is put in. `sha` may be "": not known yet, see outbox_name_head. */
MUST_CHECK int outbox_put_status(struct db *db, long long job, const char *repository,
                                 const char *sha, const char *context, const char *state,
                                 const char *description, const char *url, bool weak,
                                 struct err *err);
/* `weak`: the job did not run, so that it says nothing of the commit, which may be other pull requests', too. Such
 * a status takes the place of no verdict, nor of one that is announced by another job; and a verdict takes
 * its place, however old. */
struct outbox_comment {
    int pr;
    const char *marker, *body;
    size_t len;
    bool only_update; /* see github.h */
    bool weak;        /* as its status, which is put in first; in `context` */
    const char *sha, *context;
};
MUST_CHECK int outbox_put_comment(struct db *db, long long job, const char *repository,
                                  const struct outbox_comment *comment, struct err *err);
/* Where a status of that kind gives way, the comment of the job that it gives way to stays as well, if it is of the same
 * pull request: the one says what the other says.
 *
 * Before `pending` is set. 1: a newer job's verdict stands there, and this one's would not be sent; 0; -1. */
MUST_CHECK int outbox_announce(struct db *db, long long job, const char *repository,
                               const char *sha, const char *context, struct err *err);
/* Around each request that sets a status in a place which is announced or taken: one without an answer, or in
 * whose midst we were killed, may be carried out late, over whatever was said since. So after the first of
 * these two without the second, the next final status in that place is said twice. */
MUST_CHECK int outbox_begin_post(struct db *db, long long job, const char *repository,
                                 const char *sha, const char *context, struct err *err);
MUST_CHECK int outbox_end_post(struct db *db, long long job, const char *repository,
                               const char *sha, const char *context, struct err *err);
/* The verdict that was said last, or is owed, as that status of a commit: does it let merge? */
MUST_CHECK int outbox_is_green(struct db *db, const char *repository, const char *sha,
                               const char *context, bool *green, struct err *err);
/* The status that had no commit yet gets one, and a context. */
MUST_CHECK int outbox_name_head(struct db *db, long long job, const char *repository,
                                const char *sha, const char *context, struct err *err);
/* Another text for the comment that waits, if it does. */
MUST_CHECK int outbox_change_comment(struct db *db, long long job, const char *body,
                                     bool only_update, struct err *err);
/* A newer head has taken the comment's place. */
MUST_CHECK int outbox_drop_comment(struct db *db, long long job, struct err *err);

/* What still waits for a job. */
struct outbox_owed {
    bool comment, status;
    bool no_head; /* the status has no commit yet: it is not sent */
};
MUST_CHECK int outbox_owed(struct db *db, long long job, struct outbox_owed *out,
                           struct err *err);

struct outbox_result {
    unsigned sent;
    unsigned refused; /* for good */
    unsigned waiting; /* still in the box */
    unsigned put_off; /* of these: refused, or to be said once more, after `again_s` */
    long long again_s;
    long long wait_s;   /* that GitHub asks for before the next try; 0: nothing */
    bool limited;       /* … by a limit on all that the token asks */
    bool token_refused; /* something waits for another token: this may not (403, 404) */
    bool token_dead;    /* … nobody knows this one (401) */
    char refusal[MODEL_TEXT_BYTES]; /* the last refusal or trouble, one line */
    char comment_url[JOB_URL_BYTES];
    char seen[MODEL_TEXT_BYTES]; /* who else has set the status, one line; "": nobody seen */
};
/* Nothing of this job can be sent, as GitHub does not tell its head: `problem`, with
 * github->trouble. It waits, or is dropped where that lasts. */
MUST_CHECK int outbox_put_off(struct db *db, long long job, const struct github *github,
                              const struct err *problem, struct outbox_result *result,
                              struct err *err);
/* Send what waits for one job. Trouble with GitHub is a result, not an error. A status that is refused is tried
 * again, later each time, until its job is collected: what GitHub refuses now it may take in an hour, and
 * `pending` would stand there for ever. So is a comment that a token may not make, a few times. */
MUST_CHECK int outbox_send(struct db *db, long long job, const struct github *github,
                           struct outbox_result *result, struct err *err);
/* Forget which statuses jobs before this one set. */
MUST_CHECK int outbox_collect(struct db *db, long long before, struct err *err);

#endif
