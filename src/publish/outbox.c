/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the messages that GitHub has not taken yet: stored before the first try, removed
 * after the last. Killed between a try and the removal, the same message is sent again,
 * which both kinds bear. Does not know what they say. */
#include "publish/outbox.h"

#include "base/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCHEMA_VERSION = 1 };

/* subject: number of the PR, or SHA. slot: marker, or context. text: body, or
 * description. AUTOINCREMENT: a message that replaces another gets a new id, so the
 * removal of the one that was just sent cannot hit it. */
static const char schema[] = "CREATE TABLE message ("
                             " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             " job INTEGER NOT NULL,"
                             " kind TEXT NOT NULL CHECK (kind IN ('comment', 'status')),"
                             " repository TEXT NOT NULL,"
                             " subject TEXT NOT NULL,"
                             " slot TEXT NOT NULL,"
                             " text TEXT NOT NULL,"
                             " state TEXT NOT NULL,"
                             " url TEXT NOT NULL,"
                             " UNIQUE (job, kind));";

struct outbox {
    struct db *db;
};

enum { MESSAGE_TEXTS = 6 };
struct message {
    long long id, job;
    const char *kind;
    union {
        struct {
            const char *repository, *subject, *slot, *text, *state, *url;
        };
        const char *texts[MESSAGE_TEXTS]; /* the same, in the order of the columns */
    };
    char *owned; /* what they point into, where the message was read from the box */
};

static void message_free(struct message *message)
{
    free(message->owned);
}
#define MESSAGE_AUTO __attribute__((cleanup(message_free))) struct message

int outbox_open(const char *path, struct outbox **out, struct err *err)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (outbox == NULL)
        return err_set(err, ERR_HOST, "open outbox `%s`: out of memory", path);
    if (db_open(path, schema, SCHEMA_VERSION, &outbox->db, err) != 0) {
        free(outbox);
        return -1;
    }
    *out = outbox;
    return 0;
}

void outbox_close(struct outbox **outbox)
{
    if (*outbox == NULL)
        return;
    db_close(&(*outbox)->db);
    free(*outbox);
    *outbox = NULL;
}

/* ---- putting in ---- */

/* Inside a transaction. An older job's word on the same comment or status is outdated:
 * sent late, after an outage, it would overwrite this one. */
static int replace(struct outbox *outbox, const struct message *message, struct err *err)
{
    if (db_run(outbox->db, err,
               "DELETE FROM message WHERE kind = ? AND repository = ? AND subject = ?"
               " AND slot = ? AND job < ?",
               "tttti", message->kind, message->repository, message->subject, message->slot,
               message->job) < 0)
        return -1;
    return db_run(outbox->db, err,
                  "INSERT OR REPLACE INTO message (job, kind, repository, subject, slot,"
                  " text, state, url) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                  "ittttttt", message->job, message->kind, message->repository,
                  message->subject, message->slot, message->text, message->state,
                  message->url);
}

static int put(struct outbox *outbox, const struct message *message, struct err *err)
{
    if (db_begin(outbox->db, err) != 0)
        return -1;
    if (replace(outbox, message, err) != 0) {
        db_rollback(outbox->db);
        return -1;
    }
    return db_commit(outbox->db, err);
}

int outbox_put_comment(struct outbox *outbox, long long job, const char *repository, int pr,
                       const char *marker, const char *body, size_t len, struct err *err)
{
    if (memchr(body, '\0', len) != NULL)
        return err_set(err, ERR_INPUT, "comment of job %lld: has a NUL byte", job);
    char number[16];
    snprintf(number, sizeof number, "%d", pr);
    MESSAGE_AUTO message = {.job = job, .kind = "comment", .owned = strndup(body, len)};
    if (message.owned == NULL)
        return err_set(err, ERR_HOST, "comment of job %lld: out of memory", job);
    message.repository = repository;
    message.subject = number;
    message.slot = marker;
    message.text = message.owned;
    message.state = "";
    message.url = "";
    return put(outbox, &message, err);
}

int outbox_put_status(struct outbox *outbox, long long job, const char *repository,
                      const char *sha, const char *context, const char *state,
                      const char *description, const char *url, struct err *err)
{
    struct message message = {.job = job, .kind = "status"};
    message.repository = repository;
    message.subject = sha;
    message.slot = context;
    message.text = description == NULL ? "" : description;
    message.state = state;
    message.url = url == NULL ? "" : url;
    return put(outbox, &message, err);
}

int outbox_waiting(struct outbox *outbox, long long job, bool *waiting, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(outbox->db, &stmt, err, "SELECT count(*) FROM message WHERE job = ?", "i",
                   job) < 0 ||
        db_step(stmt, err) < 0)
        return -1;
    *waiting = db_int(stmt, 0) > 0;
    return 0;
}

/* ---- sending ---- */

/* 1: *out is the job's message of that kind, 0: none waits, -1. The texts are copied, for
 * no statement shall stay open while the network is waited for. */
static int take(struct outbox *outbox, long long job, const char *kind, struct message *out,
                struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(outbox->db, &stmt, err,
                   "SELECT repository, subject, slot, text, state, url, id FROM message"
                   " WHERE job = ? AND kind = ?",
                   "it", job, kind) < 0)
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

/* The message is gone and the status knows the comment's address, or neither. */
static int forget(struct outbox *outbox, const struct message *message, const char *url,
                  struct err *err)
{
    if (db_begin(outbox->db, err) != 0)
        return -1;
    if (db_run(outbox->db, err, "DELETE FROM message WHERE id = ?", "i", message->id) < 0 ||
        db_run(outbox->db, err,
               "UPDATE message SET url = ?"
               " WHERE job = ? AND kind = 'status' AND url = ''",
               "ti", url, message->job) < 0) {
        db_rollback(outbox->db);
        return -1;
    }
    return db_commit(outbox->db, err);
}

/* `github` and its token are one repository's: no other's message goes out with it. */
static int check_repository(const struct message *message, const struct github *github,
                            struct err *err)
{
    if (strcmp(message->repository, github->repository) == 0)
        return 0;
    return err_set(err, ERR_INTERNAL, "outbox: job %lld is of %s, not of %s", message->job,
                   message->repository, github->repository);
}

/* Unreachable, rate-limited, too slow, overtaken: later it may go through. */
static bool may_pass(enum err_class class)
{
    return class == ERR_HOST || class == ERR_TIMEOUT || class == ERR_CONFLICT;
}

/* Settle what became of a message: `sent` is the result of the call, `trouble` its error.
 * `url` is the comment's, "" for a status. */
static int settle(struct outbox *outbox, const struct message *message, int sent,
                  const struct err *trouble, const char *url, struct outbox_result *result,
                  struct err *err)
{
    if (sent < 0)
        snprintf(result->refusal, sizeof result->refusal, "%.*s",
                 (int)sizeof result->refusal - 1, trouble->text);
    if (sent < 0 && may_pass(trouble->class)) {
        result->waiting++;
        return 0;
    }
    if (sent < 0)
        result->refused++;
    else
        result->sent++;
    return forget(outbox, message, url, err);
}

static int send_comment(struct outbox *outbox, long long job, const struct github *github,
                        struct outbox_result *result, struct err *err)
{
    MESSAGE_AUTO message = {0};
    int row = take(outbox, job, "comment", &message, err);
    if (row <= 0)
        return row;
    if (check_repository(&message, github, err) != 0)
        return -1;
    struct err trouble = {0};
    char url[JOB_URL_BYTES] = "";
    int sent = github_upsert_comment(github, (int)strtol(message.subject, NULL, 10),
                                     message.slot, message.text, strlen(message.text), url,
                                     &trouble);
    if (sent == 0)
        memcpy(result->comment_url, url, sizeof url);
    return settle(outbox, &message, sent, &trouble, url, result, err);
}

static int send_status(struct outbox *outbox, long long job, const struct github *github,
                       struct outbox_result *result, struct err *err)
{
    MESSAGE_AUTO message = {0};
    int row = take(outbox, job, "status", &message, err);
    if (row <= 0)
        return row;
    if (check_repository(&message, github, err) != 0)
        return -1;
    struct github here = *github;
    /* Where the comment has used up its time in vain, the status gets one try: it is what
     * merging waits for. */
    struct limits once = *github->limits;
    if (result->waiting > 0 && once.http_ms < once.github_ms) {
        once.github_ms = once.http_ms;
        here.limits = &once;
    }
    struct err trouble = {0};
    int sent = github_set_status(&here, message.subject, message.slot, message.state,
                                 message.text, message.url[0] == '\0' ? NULL : message.url,
                                 &trouble);
    return settle(outbox, &message, sent, &trouble, "", result, err);
}

/* The comment first, so that the status can link to it. */
int outbox_send(struct outbox *outbox, long long job, const struct github *github,
                struct outbox_result *out, struct err *err)
{
    struct outbox_result result = {0};
    if (send_comment(outbox, job, github, &result, err) < 0 ||
        send_status(outbox, job, github, &result, err) < 0)
        return -1;
    *out = result;
    return 0;
}
