/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the messages that GitHub has not taken yet: stored before the first try, removed
 * after the last. Killed between a try and the removal, the same message is sent again,
 * which both kinds bear. Does not know what they say. */
#include "publish/outbox.h"

#include "base/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* subject: number of the PR, or SHA ("" until GitHub has told it). slot: marker, or context. text:
 * body, or description. state: of a comment "update" where none is to be made. AUTOINCREMENT: a message that replaces another gets a new id, so the removal
 * of the one that was just sent cannot hit it. `said`: which job spoke last in a place, and the
 * comment that stands there (0: not known). */
const char outbox_schema[] = "CREATE TABLE message ("
                             " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             " job INTEGER NOT NULL,"
                             " kind TEXT NOT NULL CHECK (kind IN ('comment', 'status')),"
                             " repository TEXT NOT NULL COLLATE NOCASE,"
                             " subject TEXT NOT NULL,"
                             " slot TEXT NOT NULL,"
                             " text TEXT NOT NULL,"
                             " state TEXT NOT NULL,"
                             " url TEXT NOT NULL,"
                             " UNIQUE (job, kind));"
                             "CREATE TABLE said ("
                             " kind TEXT NOT NULL,"
                             " repository TEXT NOT NULL COLLATE NOCASE,"
                             " subject TEXT NOT NULL,"
                             " slot TEXT NOT NULL,"
                             " job INTEGER NOT NULL,"
                             " comment INTEGER NOT NULL DEFAULT 0,"
                             " PRIMARY KEY (kind, repository, subject, slot)) WITHOUT ROWID;";

/* Of statuses. weak: its job did not run, so that it says nothing of the commit; settled: what was said last is
 * a verdict; live: the job that has announced one, 0: none. */
const char outbox_schema_2[] =
    "ALTER TABLE message ADD COLUMN weak INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE said ADD COLUMN settled INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE said ADD COLUMN live INTEGER NOT NULL DEFAULT 0;";

enum { MESSAGE_TEXTS = 6 };
struct message {
    long long id, job;
    bool weak;
    const char *kind;
    union {
        struct {
            const char *repository, *subject, *slot, *text, *state, *url;
        };
        const char *texts[MESSAGE_TEXTS]; /* the same, in the order of the columns */
    };
    char *owned; /* what they point into, where the message was read from the box */
};

static struct message in_place(long long job, const char *kind, const char *repository,
                               const char *subject, const char *slot)
{
    struct message message = {.job = job, .kind = kind};
    message.repository = repository;
    message.subject = subject;
    message.slot = slot;
    return message;
}

static void message_free(struct message *message)
{
    free(message->owned);
}
#define MESSAGE_AUTO __attribute__((cleanup(message_free))) struct message

/* ---- putting in ---- */

/* 1: a newer job has spoken in this message's place, 0: none, -1. Jobs of other pull requests may share a
 * commit, a stranger's, too: what did not run neither takes the place of a verdict, nor of one that is being made,
 * and a verdict takes the place of what did not run, however old it is. */
static int is_outdated(struct db *db, const struct message *message, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT 1 FROM said WHERE kind = ?1 AND repository = ?2 AND subject = ?3"
                   " AND slot = ?4 AND CASE WHEN ?6 THEN live <> ?5 AND"
                   " (job > ?5 OR live <> 0 OR (settled AND job <> ?5))"
                   " ELSE job > ?5 AND settled END",
                   "ttttii", message->kind, message->repository, message->subject,
                   message->slot, message->job, (long long)message->weak) != 0)
        return -1;
    return db_step(stmt, err);
}

/* 1: the message is outdated. 0: it is not, and what older jobs were still to say there is gone: sent
 * late, after an outage, it would overwrite this one. -1. */
static int take_place(struct db *db, const struct message *message, struct err *err)
{
    int newer = is_outdated(db, message, err);
    if (newer != 0)
        return newer;
    if (db_run(db, err,
               "DELETE FROM message WHERE kind = ?1 AND repository = ?2 AND subject = ?3"
               " AND slot = ?4 AND (job < ?5 OR (weak AND job <> ?5))",
               "tttti", message->kind, message->repository, message->subject, message->slot,
               message->job) != 0)
        return -1;
    return db_run(db, err,
                  "INSERT INTO said (kind, repository, subject, slot, job, settled)"
                  " VALUES (?, ?, ?, ?, ?, ?)"
                  " ON CONFLICT (kind, repository, subject, slot) DO UPDATE SET"
                  " job = excluded.job, settled = excluded.settled,"
                  " live = CASE live WHEN excluded.job THEN 0 ELSE live END",
                  "ttttii", message->kind, message->repository, message->subject,
                  message->slot, message->job, (long long)!message->weak);
}

static int put(struct db *db, const struct message *message, bool has_place, struct err *err)
{
    int outdated = has_place ? take_place(db, message, err) : 0;
    if (outdated != 0)
        return outdated < 0 ? -1 : 0;
    return db_run(db, err,
                  "INSERT OR REPLACE INTO message (job, kind, repository, subject, slot,"
                  " text, state, url, weak) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  "ittttttti", message->job, message->kind, message->repository,
                  message->subject, message->slot, message->text, message->state, message->url,
                  (long long)message->weak);
}

int outbox_put_comment(struct db *db, long long job, const char *repository, int pr,
                       const char *sha, const char *marker, const char *body, size_t len,
                       bool only_update, struct err *err)
{
    if (memchr(body, '\0', len) != NULL)
        return err_set(err, ERR_INPUT, "comment of job %lld: has a NUL byte", job);
    char number[16];
    snprintf(number, sizeof number, "%d", pr);
    MESSAGE_AUTO message = in_place(job, "comment", repository, number, marker);
    message.owned = strndup(body, len);
    if (message.owned == NULL)
        return err_set(err, ERR_HOST, "comment of job %lld: out of memory", job);
    message.text = message.owned;
    message.state = only_update ? "update" : "";
    message.url = "";
    return put(db, &message, sha[0] != '\0', err);
}

int outbox_put_status(struct db *db, long long job, const char *repository, const char *sha,
                      const char *context, const char *state, const char *description,
                      const char *url, bool weak, struct err *err)
{
    struct message message = in_place(job, "status", repository, sha, context);
    message.weak = weak;
    message.text = description == NULL ? "" : description;
    message.state = state;
    message.url = url == NULL ? "" : url;
    return put(db, &message, sha[0] != '\0', err);
}

static int announce(struct db *db, const struct message *message, struct err *err)
{
    int outdated = is_outdated(db, message, err);
    if (outdated != 0)
        return outdated;
    return db_run(db, err,
                  "INSERT INTO said (kind, repository, subject, slot, job, settled, live)"
                  " VALUES (?, ?, ?, ?, 0, 0, ?)"
                  " ON CONFLICT (kind, repository, subject, slot) DO UPDATE SET"
                  " live = excluded.live",
                  "tttti", message->kind, message->repository, message->subject, message->slot,
                  message->job);
}

int outbox_announce(struct db *db, long long job, const char *repository, const char *sha,
                    const char *context, struct err *err)
{
    const struct message message = in_place(job, "status", repository, sha, context);
    if (db_begin(db, err) != 0)
        return -1;
    int outdated = announce(db, &message, err);
    return db_end(db, outdated < 0 ? -1 : 0, err) != 0 ? -1 : outdated;
}

/* The job's message of a kind is not to be sent. */
static int drop(struct db *db, long long job, const char *kind, struct err *err)
{
    return db_run(db, err, "DELETE FROM message WHERE job = ? AND kind = ?", "it", job, kind);
}

int outbox_drop_comment(struct db *db, long long job, struct err *err)
{
    return drop(db, job, "comment", err);
}

/* The comment of a job that was never pinned takes its place only now, when GitHub has answered it. */
static int place_comment(struct db *db, long long job, const char *repository, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT subject, slot FROM message WHERE job = ? AND kind = 'comment'", "i",
                   job) != 0)
        return -1;
    int row = db_step(stmt, err);
    if (row <= 0)
        return row;
    char subject[16], slot[128];
    snprintf(subject, sizeof subject, "%s", db_text(stmt, 0));
    snprintf(slot, sizeof slot, "%s", db_text(stmt, 1));
    const struct message message = in_place(job, "comment", repository, subject, slot);
    int outdated = take_place(db, &message, err);
    return outdated <= 0 ? outdated : drop(db, job, "comment", err);
}

/* Did the job of this message not run? 1, 0, -1. */
static int is_weak(struct db *db, long long job, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT 1 FROM message WHERE job = ? AND kind = 'status' AND weak", "i",
                   job) != 0)
        return -1;
    return db_step(stmt, err);
}

static int name_head(struct db *db, long long job, const char *repository, const char *sha,
                     const char *context, struct err *err)
{
    int weak = is_weak(db, job, err);
    if (weak < 0)
        return -1;
    struct message message = in_place(job, "status", repository, sha, context);
    message.weak = weak > 0;
    int outdated = take_place(db, &message, err);
    if (outdated < 0 || place_comment(db, job, repository, err) != 0)
        return -1;
    if (outdated > 0)
        return drop(db, job, "status", err);
    return db_run(db, err,
                  "UPDATE message SET subject = ?, slot = ?"
                  " WHERE job = ? AND kind = 'status' AND subject = ''",
                  "tti", sha, context, job);
}

int outbox_name_head(struct db *db, long long job, const char *repository, const char *sha,
                     const char *context, struct err *err)
{
    if (db_begin(db, err) != 0)
        return -1;
    return db_end(db, name_head(db, job, repository, sha, context, err), err);
}

int outbox_owed(struct db *db, long long job, struct outbox_owed *out, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT coalesce(sum(kind = 'comment'), 0),"
                   " coalesce(sum(kind = 'status'), 0),"
                   " coalesce(sum(kind = 'status' AND subject = ''), 0)"
                   " FROM message WHERE job = ?",
                   "i", job) != 0 ||
        db_step(stmt, err) < 0)
        return -1;
    *out = (struct outbox_owed){.comment = db_int(stmt, 0) > 0,
                                .status = db_int(stmt, 1) > 0,
                                .no_head = db_int(stmt, 2) > 0};
    return 0;
}

/* A commit's status is settled for ever once its jobs are forgotten; a comment's number is worth
 * keeping as long as its pull request may be checked again. */
int outbox_collect(struct db *db, long long before, struct err *err)
{
    return db_run(db, err, "DELETE FROM said WHERE kind = 'status' AND job < ?1 AND live < ?1",
                  "i", before);
}

/* ---- sending ---- */

/* 1: *out is the job's message of that kind, 0: none waits, -1. The texts are copied, for
 * no statement shall stay open while the network is waited for. */
static int take(struct db *db, long long job, const char *kind, struct message *out,
                struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT repository, subject, slot, text, state, url, id FROM message"
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
    struct err problem = {0};
    *github->trouble = (struct github_trouble){0};
    int sent = github_set_status(&here, message.subject, message.slot, message.state,
                                 message.text, message.url[0] == '\0' ? NULL : message.url,
                                 &problem);
    /* Once it is set, trouble with looking again changes nothing. */
    if (sent == 0 && !here.borrowed) {
        struct err ignored;
        here.no_wait = true;
        if (github_guard_status(&here, message.subject, message.slot, message.state,
                                message.text, message.url[0] == '\0' ? NULL : message.url,
                                result->seen, &ignored) != 0)
            *github->trouble = (struct github_trouble){0};
    }
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
