/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what becomes of a message that is sent: stored before the first try, removed after the last. Killed
 * between a try and the removal, the same message is sent again, which both kinds bear. */
#include "publish/outbox_internal.h"

#include "base/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    DOUBLINGS = 16,
    PAUSE_MAX_S = 3600,
    COMMENT_TRIES = 8 /* ten minutes, with the default of `retry-ms` */
};

/* 1: *out is the job's message of that kind, 0: none waits, -1. The texts are copied, for
 * no statement shall stay open while the network is waited for. */
static int take(struct db *db, long long job, const char *kind, struct message *out,
                struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT repository, subject, slot, text, state, url, id, again, refusals"
                   " FROM message"
                   " WHERE job = ? AND kind = ? AND subject <> ''",
                   "it", job, kind) != 0)
        return -1;
    int row = db_step(stmt, err);
    if (row <= 0)
        return row;
    size_t bytes = 0;
    for (int i = 0; i < MESSAGE_TEXTS; i++)
        bytes += strlen(db_text(stmt, i)) + 1;
    char *at = malloc(bytes);
    if (at == NULL)
        return err_set(err, ERR_HOST, "outbox: job %lld: out of memory", job);
    *out = (struct message){.job = job, .kind = kind, .owned = at};
    out->id = db_int(stmt, MESSAGE_TEXTS);
    out->again = db_int(stmt, MESSAGE_TEXTS + 1) != 0;
    out->refusals = db_int(stmt, MESSAGE_TEXTS + 2);
    for (int i = 0; i < MESSAGE_TEXTS; i++) {
        size_t size = strlen(db_text(stmt, i)) + 1;
        out->texts[i] = memcpy(at, db_text(stmt, i), size);
        at += size;
    }
    return 1;
}

/* What was told of a comment goes on to the status; the message is gone, or neither. */
static int forget(struct db *db, const struct message *message, const char *url,
                  long long comment, struct err *err)
{
    if (db_begin(db, err) != 0)
        return -1;
    bool failed =
        db_run(db, err, "DELETE FROM message WHERE id = ?", "i", message->id) != 0 ||
        db_run(db, err,
               "UPDATE message SET url = ?"
               " WHERE job = ? AND kind = 'status' AND url = ''",
               "ti", url, message->job) != 0 ||
        (comment > 0 &&
         db_run(db, err,
                "UPDATE said SET comment = ? WHERE kind = 'comment' AND repository = ?"
                " AND subject = ? AND slot = ?",
                "ittt", comment, message->repository, message->subject, message->slot) != 0);
    return db_end(db, failed ? -1 : 0, err);
}

static int known_comment(struct db *db, const struct message *message, long long *out,
                         struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT comment FROM said WHERE kind = 'comment' AND repository = ?"
                   " AND subject = ? AND slot = ?",
                   "ttt", message->repository, message->subject, message->slot) != 0)
        return -1;
    int row = db_step(stmt, err);
    *out = row > 0 ? db_int(stmt, 0) : 0;
    return row < 0 ? -1 : 0;
}

/* `github` and its token are one repository's: no other's message goes out with it. */
static int check_repository(const struct message *message, const struct github *github,
                            struct err *err)
{
    if (strcasecmp(message->repository, github->repository) == 0)
        return 0;
    return err_set(err, ERR_INTERNAL, "outbox: job %lld is of %s, not of %s", message->job,
                   message->repository, github->repository);
}

static bool was_sent_on(const struct github_trouble *trouble, enum err_class class)
{
    return (trouble->status == 0 && class == ERR_AUTH) ||
           (trouble->status >= 300 && trouble->status < 400);
}

/* Unreachable, limited, too slow, overtaken: later it may go through. So may what was sent on to
 * another server (a network's gate, or a name that is to be mended here), which was not followed, and
 * what a token was not allowed that is not ours: it dies with its job, and what it may is the
 * workflow's word. A token that is not known (401) may be a new one tomorrow. */
static bool may_pass(const struct github *github, const struct github_trouble *trouble,
                     enum err_class class)
{
    if (class == ERR_HOST || class == ERR_TIMEOUT || class == ERR_CONFLICT ||
        trouble->status == 401 || was_sent_on(trouble, class))
        return true;
    return github->borrowed && (trouble->status == 403 || trouble->status == 404);
}

static void note_waiting(const struct github_trouble *trouble, struct outbox_result *result)
{
    result->waiting++;
    if (trouble->wait_s > result->wait_s)
        result->wait_s = trouble->wait_s;
    result->limited = result->limited || trouble->limited;
    result->token_dead = result->token_dead || trouble->status == 401;
    result->token_refused = result->token_refused ||
                            (!trouble->limited &&
                             (trouble->status == 403 || trouble->status == 404));
}

static void note_problem(const struct err *problem, struct outbox_result *result)
{
    snprintf(result->refusal, sizeof result->refusal, "%.*s", (int)sizeof result->refusal - 1,
             problem->text);
}

/* ---- what was refused ---- */

/* Twice as long each time, an hour at most. */
static long long pause_s(const struct github *github, long long refusals)
{
    unsigned long long ms = github->limits->retry_ms
                            << (refusals < DOUBLINGS ? (unsigned)refusals : DOUBLINGS);
    unsigned long long s = (ms + 999) / 1000;
    return s < PAUSE_MAX_S ? (long long)s : PAUSE_MAX_S;
}

static void put_off(long long seconds, struct outbox_result *result)
{
    result->waiting++;
    result->put_off++;
    if (result->again_s == 0 || seconds < result->again_s)
        result->again_s = seconds;
}

/* A comment that is too long would be refused again, and nobody's merge waits for it. */
static bool is_worth_it(const struct message *message, const struct github_trouble *trouble)
{
    return strcmp(message->kind, "status") == 0 ||
           ((trouble->status == 403 || trouble->status == 404) &&
            message->refusals + 1 < COMMENT_TRIES);
}

static int refuse_again(struct db *db, const struct message *message,
                        const struct github *github, struct outbox_result *result,
                        struct err *err)
{
    put_off(pause_s(github, message->refusals), result);
    return db_run(db, err, "UPDATE message SET refusals = refusals + 1 WHERE id = ?", "i",
                  message->id);
}

int outbox_put_off(struct db *db, long long job, const struct github *github,
                   const struct err *problem, struct outbox_result *result, struct err *err)
{
    note_problem(problem, result);
    if (may_pass(github, github->trouble, problem->class)) {
        note_waiting(github->trouble, result);
        return 0;
    }
    result->refused++;
    return db_run(db, err, "DELETE FROM message WHERE job = ?", "i", job);
}

/* Settle what became of a message: `sent` is the result of the call, `problem` its error.
 * `url` and `comment` are the comment's, "" and 0 for a status. */
static int settle(struct db *db, const struct message *message, const struct github *github,
                  int sent, const struct err *problem, const char *url, long long comment,
                  struct outbox_result *result, struct err *err)
{
    const struct github_trouble *trouble = github->trouble;
    if (sent == 0) {
        result->sent++;
        return forget(db, message, url, comment, err);
    }
    note_problem(problem, result);
    if (may_pass(github, trouble, problem->class)) {
        note_waiting(trouble, result);
        return 0;
    }
    if (is_worth_it(message, trouble))
        return refuse_again(db, message, github, result, err);
    result->refused++;
    return forget(db, message, "", 0, err);
}

static int send_comment(struct db *db, long long job, const struct github *github,
                        struct outbox_result *result, struct err *err)
{
    MESSAGE_AUTO message = {0};
    int row = take(db, job, "comment", &message, err);
    if (row <= 0)
        return row;
    struct github_comment comment = {.pr = (int)strtol(message.subject, NULL, 10),
                                     .marker = message.slot,
                                     .body = message.text,
                                     .len = strlen(message.text),
                                     .only_update = message.state[0] != '\0'};
    if (check_repository(&message, github, err) != 0 ||
        known_comment(db, &message, &comment.id, err) != 0)
        return -1;
    struct err problem = {0};
    *github->trouble = (struct github_trouble){0};
    int sent = github_upsert_comment(github, &comment, &problem);
    if (sent == 0)
        memcpy(result->comment_url, comment.url, sizeof comment.url);
    return settle(db, &message, github, sent, &problem, comment.url, comment.id, result, err);
}

/* ---- what may come late ---- */

/* 1: another job has announced a status in this message's place, and will end it; 0; -1. *lost: a request that
 * set one there was not answered, whoever's. */
static int look_at_place(struct db *db, const struct message *message, bool *lost,
                         struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT live NOT IN (0, ?), lost FROM said WHERE kind = 'status'"
                   " AND repository = ? AND subject = ? AND slot = ?",
                   "ittt", message->job, message->repository, message->subject,
                   message->slot) != 0)
        return -1;
    int row = db_step(stmt, err);
    *lost = row > 0 && db_int(stmt, 1) != 0;
    return row > 0 ? db_int(stmt, 0) != 0 : row;
}

/* `twice`: what was said for the second time is the last word, and nothing older comes any more. */
static int end_post(struct db *db, const struct message *message, bool twice, struct err *err)
{
    if (!twice)
        return outbox_end_post(db, message->job, message->repository, message->subject,
                               message->slot, err);
    return db_run(db, err,
                  "UPDATE said SET lost = 0 WHERE kind = 'status' AND repository = ?"
                  " AND subject = ? AND slot = ?",
                  "ttt", message->repository, message->subject, message->slot);
}

/* GitHub is done with a request, or never will be, as soon after as we would wait for its answer. */
static int say_again(struct db *db, const struct message *message, const struct github *github,
                     struct outbox_result *result, struct err *err)
{
    put_off((long long)(github->limits->http_ms / 1000) + 1, result);
    result->sent++;
    return db_run(db, err, "UPDATE message SET again = 1 WHERE id = ?", "i", message->id);
}

static int send_status(struct db *db, long long job, const struct github *github,
                       struct outbox_result *result, struct err *err)
{
    MESSAGE_AUTO message = {0};
    int row = take(db, job, "status", &message, err);
    if (row <= 0)
        return row;
    if (check_repository(&message, github, err) != 0)
        return -1;
    if (result->limited) {
        result->waiting++; /* this would only be asking again */
        return 0;
    }
    struct github here = *github;
    /* Where the comment has used up its time in vain, the status gets one try: it is what
     * merging waits for. */
    struct limits once = limits_once(github->limits);
    if (result->waiting > 0)
        here.limits = &once;
    bool lost;
    int other = look_at_place(db, &message, &lost, err);
    if (other < 0 || (other > 0 && message.again))
        return other < 0 ? -1 : forget(db, &message, "", 0, err);
    struct err problem = {0};
    *github->trouble = (struct github_trouble){0};
    if (outbox_begin_post(db, job, message.repository, message.subject, message.slot, err) !=
        0)
        return -1;
    int sent = github_set_status(&here, message.subject, message.slot, message.state,
                                 message.text, message.url[0] == '\0' ? NULL : message.url,
                                 &problem);
    bool answered = !github->trouble->lost;
    /* Once it is set, trouble with looking again changes nothing. */
    if (sent == 0 && !here.borrowed && other == 0) {
        struct err ignored;
        here.no_wait = true;
        if (github_guard_status(&here, message.subject, message.slot, message.state,
                                message.text, message.url[0] == '\0' ? NULL : message.url,
                                result->seen, &ignored) != 0)
            *github->trouble = (struct github_trouble){0};
    }
    if (sent == 0 && lost && !message.again)
        return say_again(db, &message, github, result, err);
    if (answered && end_post(db, &message, sent == 0 && lost, err) != 0)
        return -1;
    return settle(db, &message, github, sent, &problem, "", 0, result, err);
}

/* The comment first, so that the status can link to it. */
int outbox_send(struct db *db, long long job, const struct github *given,
                struct outbox_result *out, struct err *err)
{
    struct outbox_result result = {0};
    struct github_trouble trouble = {0};
    struct github github = *given;
    github.trouble = &trouble;
    if (send_comment(db, job, &github, &result, err) < 0 ||
        send_status(db, job, &github, &result, err) < 0)
        return -1;
    *out = result;
    return 0;
}
