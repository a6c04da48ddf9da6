/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the messages that GitHub has not taken yet, and whose word stands in a place. Does not know what they
 * say. */
#include "publish/outbox_internal.h"

#include "base/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* refusals: how often GitHub refused it. again: said already, and to be said once more. lost: the job whose status
 * is being set there and was not answered yet, -1: several were not; 0: none. */
const char outbox_schema_3[] =
    "ALTER TABLE message ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN again INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE said ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;";

/* Of a status: the verdict that was said last in its place, by which job, and in what words. */
const char outbox_schema_4[] =
    "ALTER TABLE said ADD COLUMN verdict_job INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE said ADD COLUMN verdict_text TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE said ADD COLUMN verdict_state TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE said ADD COLUMN verdict_url TEXT NOT NULL DEFAULT '';";

/* ---- putting in ---- */

void outbox_message_free(struct message *message)
{
    free(message->owned);
}

static struct message in_place(long long job, const char *kind, const char *repository,
                               const char *subject, const char *slot)
{
    struct message message = {.job = job, .kind = kind};
    message.repository = repository;
    message.subject = subject;
    message.slot = slot;
    return message;
}

/* 1: a newer job has spoken in this message's place, 0: none, -1. Jobs of other pull requests may share a
 * commit, a stranger's, too: what did not run neither takes the place of a verdict, nor of one that is being made,
 * and a verdict takes the place of what did not run, however old it is. */
static int is_outdated(struct db *db, const struct message *message, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT 1 FROM said WHERE kind = ?1 AND repository = ?2 AND subject = ?3"
                   " AND slot = ?4 AND CASE WHEN ?6 AND kind = 'status' THEN live <> ?5 AND"
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

/* A verdict is kept in its own words, for when its place was taken by what then did not run. */
static int keep_verdict(struct db *db, const struct message *message, struct err *err)
{
    if (message->weak || strcmp(message->kind, "status") != 0)
        return 0;
    return db_run(db, err,
                  "UPDATE said SET verdict_job = ?, verdict_text = ?, verdict_state = ?,"
                  " verdict_url = ? WHERE kind = 'status' AND repository = ? AND subject = ?"
                  " AND slot = ?",
                  "itttttt", message->job, message->text, message->state, message->url,
                  message->repository, message->subject, message->slot);
}

/* The verdict of another job that was said last in the message's place, where this job had announced one: the
 * message has its words then. 1, 0, -1. */
static int take_verdict(struct db *db, struct message *message, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT verdict_text, verdict_state, verdict_url FROM said"
                   " WHERE kind = 'status' AND repository = ?1 AND subject = ?2 AND slot = ?3"
                   " AND live = ?4 AND verdict_job NOT IN (0, ?4)",
                   "ttti", message->repository, message->subject, message->slot,
                   message->job) != 0)
        return -1;
    int found = db_step(stmt, err);
    if (found <= 0)
        return found;
    const char *text = db_text(stmt, 0), *state = db_text(stmt, 1), *url = db_text(stmt, 2);
    size_t text_bytes = strlen(text) + 1, state_bytes = strlen(state) + 1;
    size_t url_bytes = strlen(url) + 1;
    message->owned = malloc(text_bytes + state_bytes + url_bytes);
    if (message->owned == NULL)
        return err_set(err, ERR_HOST, "status of job %lld: out of memory", message->job);
    message->text = memcpy(message->owned, text, text_bytes);
    message->state = memcpy(message->owned + text_bytes, state, state_bytes);
    message->url = memcpy(message->owned + text_bytes + state_bytes, url, url_bytes);
    message->weak = false;
    return 1;
}

static int put(struct db *db, const struct message *message, bool has_place, struct err *err)
{
    int outdated = has_place ? take_place(db, message, err) : 0;
    if (outdated != 0)
        return outdated < 0 ? -1 : 0;
    if (has_place && keep_verdict(db, message, err) != 0)
        return -1;
    return db_run(db, err,
                  "INSERT OR REPLACE INTO message (job, kind, repository, subject, slot,"
                  " text, state, url, weak) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  "ittttttti", message->job, message->kind, message->repository,
                  message->subject, message->slot, message->text, message->state, message->url,
                  (long long)message->weak);
}

/* 1: another job's verdict stands as the status of that commit, and its comment where this one's would be; 0; -1. */
static int stands(struct db *db, const struct message *comment, const char *sha,
                  const char *context, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT 1 FROM said AS status JOIN said AS comment USING (job, repository)"
                   " WHERE status.kind = 'status' AND comment.kind = 'comment'"
                   " AND status.settled AND comment.settled AND job <> ? AND repository = ?"
                   " AND status.subject = ? AND status.slot = ?"
                   " AND comment.subject = ? AND comment.slot = ?",
                   "ittttt", comment->job, comment->repository, sha, context, comment->subject,
                   comment->slot) != 0)
        return -1;
    return db_step(stmt, err);
}

int outbox_put_comment(struct db *db, long long job, const char *repository,
                       const struct outbox_comment *comment, struct err *err)
{
    if (memchr(comment->body, '\0', comment->len) != NULL)
        return err_set(err, ERR_INPUT, "comment of job %lld: has a NUL byte", job);
    char number[16];
    snprintf(number, sizeof number, "%d", comment->pr);
    MESSAGE_AUTO message = in_place(job, "comment", repository, number, comment->marker);
    int other = comment->weak ? stands(db, &message, comment->sha, comment->context, err) : 0;
    if (other != 0)
        return other < 0 ? -1 : 0;
    message.owned = strndup(comment->body, comment->len);
    if (message.owned == NULL)
        return err_set(err, ERR_HOST, "comment of job %lld: out of memory", job);
    message.text = message.owned;
    message.state = comment->only_update ? "update" : "";
    message.url = "";
    message.weak = comment->weak;
    return put(db, &message, comment->sha[0] != '\0', err);
}

int outbox_is_green(struct db *db, const char *repository, const char *sha,
                    const char *context, bool *green, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT 1 FROM said WHERE kind = 'status' AND repository = ?"
                   " AND subject = ? AND slot = ? AND verdict_state = 'success'",
                   "ttt", repository, sha, context) != 0)
        return -1;
    int found = db_step(stmt, err);
    *green = found > 0;
    return found < 0 ? -1 : 0;
}

/* Another job's verdict has the place of a status which this job had announced: its `pending` may stand there now,
 * so that the verdict is said once more. 1: so it is, 0: there is none, -1. */
static int end_announced(struct db *db, struct message *message, struct err *err)
{
    int found = take_verdict(db, message, err);
    if (found > 0 &&
        (db_run(db, err, "UPDATE said SET live = 0 WHERE kind = 'status' AND live = ?", "i",
                message->job) != 0 ||
         put(db, message, false, err) != 0))
        return -1;
    return found;
}

int outbox_put_status(struct db *db, long long job, const char *repository, const char *sha,
                      const char *context, const char *state, const char *description,
                      const char *url, bool weak, struct err *err)
{
    MESSAGE_AUTO message = in_place(job, "status", repository, sha, context);
    message.weak = weak;
    message.text = description == NULL ? "" : description;
    message.state = state;
    message.url = url == NULL ? "" : url;
    bool has_place = sha[0] != '\0';
    int outdated = has_place ? is_outdated(db, &message, err) : 0;
    int said = outdated > 0 || (outdated == 0 && weak && has_place)
                   ? end_announced(db, &message, err)
                   : outdated;
    if (outdated != 0 || said != 0)
        return outdated < 0 || said < 0 ? -1 : 0;
    return put(db, &message, has_place, err);
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

/* ---- what GitHub may carry out late ---- */

int outbox_begin_post(struct db *db, long long job, const char *repository, const char *sha,
                      const char *context, struct err *err)
{
    return db_run(db, err,
                  "UPDATE said SET lost = CASE lost WHEN 0 THEN ? ELSE -1 END"
                  " WHERE kind = 'status' AND repository = ? AND subject = ? AND slot = ?",
                  "ittt", job, repository, sha, context);
}

int outbox_end_post(struct db *db, long long job, const char *repository, const char *sha,
                    const char *context, struct err *err)
{
    return db_run(db, err,
                  "UPDATE said SET lost = 0 WHERE kind = 'status' AND repository = ?"
                  " AND subject = ? AND slot = ? AND lost = ?",
                  "ttti", repository, sha, context, job);
}

/* The job's message of a kind is not to be sent. */
static int drop(struct db *db, long long job, const char *kind, struct err *err)
{
    return db_run(db, err, "DELETE FROM message WHERE job = ? AND kind = ?", "it", job, kind);
}

int outbox_change_comment(struct db *db, long long job, const char *body, bool only_update,
                          struct err *err)
{
    return db_run(db, err,
                  "UPDATE message SET text = ?, state = ? WHERE job = ? AND kind = 'comment'",
                  "tti", body, only_update ? "update" : "", job);
}

int outbox_drop_comment(struct db *db, long long job, struct err *err)
{
    return drop(db, job, "comment", err);
}

/* The comment of a job that was never pinned takes its place only now, when GitHub has answered it. */
static int place_comment(struct db *db, const struct message *status, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    long long job = status->job;
    if (db_prepare(
            db, &stmt, err,
            "SELECT subject, slot, weak FROM message WHERE job = ? AND kind = 'comment'", "i",
            job) != 0)
        return -1;
    int row = db_step(stmt, err);
    if (row <= 0)
        return row;
    char subject[16], slot[128];
    snprintf(subject, sizeof subject, "%s", db_text(stmt, 0));
    snprintf(slot, sizeof slot, "%s", db_text(stmt, 1));
    struct message message = in_place(job, "comment", status->repository, subject, slot);
    message.weak = db_int(stmt, 2) != 0;
    int outdated = message.weak ? stands(db, &message, status->subject, status->slot, err) : 0;
    if (outdated == 0)
        outdated = take_place(db, &message, err);
    return outdated <= 0 ? outdated : drop(db, job, "comment", err);
}

static int name_head(struct db *db, long long job, const char *repository, const char *sha,
                     const char *context, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT text, state, url, weak FROM message"
                   " WHERE job = ? AND kind = 'status' AND subject = ''",
                   "i", job) != 0)
        return -1;
    int row = db_step(stmt, err);
    if (row <= 0)
        return row;
    struct message message = in_place(job, "status", repository, sha, context);
    message.text = db_text(stmt, 0);
    message.state = db_text(stmt, 1);
    message.url = db_text(stmt, 2);
    message.weak = db_int(stmt, 3) != 0;
    int outdated = take_place(db, &message, err);
    if (outdated < 0 || place_comment(db, &message, err) != 0)
        return -1;
    if (outdated > 0)
        return drop(db, job, "status", err);
    if (keep_verdict(db, &message, err) != 0)
        return -1;
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
