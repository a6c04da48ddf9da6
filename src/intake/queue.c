/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table of jobs and which state may follow which. Every change is one
 * transaction, on disk before the call returns. Does not know how a job is done, and
 * holds no token. */
#include "intake/queue.h"

#include "base/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SCHEMA_VERSION = 1 };

/* AUTOINCREMENT: folders are named after ids, so an id is never given twice. The key
 * alone does not make a job: the legs of a matrix over devices share it, and a step could
 * name the key of a run that is not its own. */
static const char schema[] =
    "CREATE TABLE job ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " kind INTEGER NOT NULL,"
    " repository TEXT NOT NULL,"
    " device TEXT NOT NULL,"
    " key TEXT NOT NULL CHECK (key <> ''),"
    " pr INTEGER NOT NULL,"
    " base_ref TEXT NOT NULL,"
    " head TEXT NOT NULL,"
    " base TEXT NOT NULL,"
    " merge TEXT NOT NULL,"
    " run_url TEXT NOT NULL,"
    " state TEXT NOT NULL"
    "  CHECK (state IN ('accepted', 'pinned', 'running', 'judged', 'done', 'cancelled')),"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " exit_code INTEGER NOT NULL DEFAULT 0,"
    " verdict TEXT NOT NULL DEFAULT '',"
    " accepted_s INTEGER NOT NULL,"
    " finished_s INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE (key, repository, device, kind, pr));"
    "CREATE INDEX job_lane ON job (device, state, id);";

#define ENTRY_COLUMNS                                                              \
    "id, kind, repository, device, key, pr, base_ref, head, base, merge, run_url," \
    " state, attempts, exit_code, verdict, accepted_s, finished_s"

struct queue {
    struct db *db;
};

static const char *const state_names[] = {
    [JOB_ACCEPTED] = "accepted", [JOB_PINNED] = "pinned", [JOB_RUNNING] = "running",
    [JOB_JUDGED] = "judged",     [JOB_DONE] = "done",     [JOB_CANCELLED] = "cancelled",
};
enum { STATE_COUNT = sizeof state_names / sizeof state_names[0] };

const char *job_state_name(enum job_state state)
{
    return (unsigned)state < STATE_COUNT ? state_names[state] : "?";
}

int queue_open(const char *path, struct queue **out, struct err *err)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return err_set(err, ERR_HOST, "open queue `%s`: out of memory", path);
    if (db_open(path, schema, SCHEMA_VERSION, &queue->db, err) != 0) {
        free(queue);
        return -1;
    }
    *out = queue;
    return 0;
}

void queue_close(struct queue **queue)
{
    if (*queue == NULL)
        return;
    db_close(&(*queue)->db);
    free(*queue);
    *queue = NULL;
}

/* ---- reading ---- */

static int copy_text(struct db_stmt *stmt, int column, char *out, size_t size, struct err *err)
{
    const char *text = db_text(stmt, column);
    size_t length = strlen(text);
    if (length >= size)
        return err_set(err, ERR_INPUT, "queue: job %lld: column %d is longer than %zu bytes",
                       db_int(stmt, 0), column, size - 1);
    memcpy(out, text, length + 1);
    return 0;
}

static int read_state(struct db_stmt *stmt, int column, enum job_state *out, struct err *err)
{
    const char *name = db_text(stmt, column);
    for (unsigned i = 0; i < STATE_COUNT; i++) {
        if (strcmp(state_names[i], name) == 0) {
            *out = (enum job_state)i;
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "queue: job %lld: unknown state `%s`", db_int(stmt, 0),
                   name);
}

/* A row selected by ENTRY_COLUMNS. */
static int read_entry(struct db_stmt *stmt, struct queue_entry *out, struct err *err)
{
    struct queue_entry entry = {
        .job = {.id = db_int(stmt, 0),
                .kind = db_int(stmt, 1) == JOB_PROMOTE ? JOB_PROMOTE : JOB_CHECK,
                .pr = (int)db_int(stmt, 5)},
        .attempts = (unsigned)db_int(stmt, 12),
        .exit_code = (int)db_int(stmt, 13),
        .accepted_s = db_int(stmt, 15),
        .finished_s = db_int(stmt, 16),
    };
    struct job *job = &entry.job;
    const struct {
        int column;
        char *text;
        size_t size;
    } texts[] = {
        {2, job->repository, sizeof job->repository},
        {3, job->device, sizeof job->device},
        {4, job->key, sizeof job->key},
        {6, job->base_ref, sizeof job->base_ref},
        {7, job->head, sizeof job->head},
        {8, job->base, sizeof job->base},
        {9, job->merge, sizeof job->merge},
        {10, job->run_url, sizeof job->run_url},
        {14, entry.verdict, sizeof entry.verdict},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (copy_text(stmt, texts[i].column, texts[i].text, texts[i].size, err) != 0)
            return -1;
    if (read_state(stmt, 11, &entry.state, err) != 0)
        return -1;
    *out = entry;
    return 0;
}

int queue_next(struct queue *queue, const char *device, enum job_state state, long long after,
               struct queue_entry *out, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(queue->db, &stmt, err,
                   "SELECT " ENTRY_COLUMNS
                   " FROM job WHERE device = ? AND state = ? AND id > ?"
                   " ORDER BY id LIMIT 1",
                   "tti", device, job_state_name(state), after) < 0)
        return -1;
    int row = db_step(stmt, err);
    if (row < 0)
        return -1;
    if (row == 0)
        return err_set(err, ERR_NOT_FOUND, "queue: no %s job for %s", job_state_name(state),
                       device);
    return read_entry(stmt, out, err);
}

int queue_get(struct queue *queue, long long id, struct queue_entry *out, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(queue->db, &stmt, err, "SELECT " ENTRY_COLUMNS " FROM job WHERE id = ?",
                   "i", id) < 0)
        return -1;
    int row = db_step(stmt, err);
    if (row < 0)
        return -1;
    if (row == 0)
        return err_set(err, ERR_NOT_FOUND, "queue: no job %lld", id);
    return read_entry(stmt, out, err);
}

int queue_list(struct queue *queue, size_t max, struct queue_entry *out, size_t *count,
               struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(queue->db, &stmt, err,
                   "SELECT " ENTRY_COLUMNS " FROM job ORDER BY id DESC LIMIT ?", "i",
                   (long long)max) < 0)
        return -1;
    for (size_t i = 0; i <= max; i++) {
        int row = db_step(stmt, err);
        if (row < 0 || (row > 0 && read_entry(stmt, &out[i], err) != 0))
            return -1;
        if (row == 0) {
            *count = i;
            return 0;
        }
    }
    return err_set(err, ERR_INTERNAL, "queue: more rows than asked for");
}

/* ---- accepting ---- */

static int find_same(struct queue *queue, const struct job *job, long long *id,
                     struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(queue->db, &stmt, err,
                   "SELECT id FROM job WHERE key = ? AND repository = ? AND device = ?"
                   " AND kind = ? AND pr = ?",
                   "tttii", job->key, job->repository, job->device, (long long)job->kind,
                   (long long)job->pr) < 0)
        return -1;
    int row = db_step(stmt, err);
    if (row > 0)
        *id = db_int(stmt, 0);
    return row;
}

static int check_room(struct queue *queue, const struct job *job, const struct limits *limits,
                      struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(queue->db, &stmt, err,
                   "SELECT count(*) FROM job WHERE device = ?"
                   " AND state IN ('accepted', 'pinned', 'running', 'judged')",
                   "t", job->device) < 0 ||
        db_step(stmt, err) < 0)
        return -1;
    if ((unsigned long long)db_int(stmt, 0) >= limits->queue_jobs)
        return err_set(err, ERR_LIMIT,
                       "queue: %lld jobs wait for %s already, queue-jobs allows %llu",
                       db_int(stmt, 0), job->device, limits->queue_jobs);
    return 0;
}

/* Inside a transaction. */
static int accept_job(struct queue *queue, const struct job *job, const struct limits *limits,
                      long long *id, bool *known, struct err *err)
{
    int found = find_same(queue, job, id, err);
    if (found != 0) {
        *known = true;
        return found < 0 ? -1 : 0;
    }
    if (check_room(queue, job, limits, err) != 0)
        return -1;
    if (db_run(queue->db, err,
               "INSERT INTO job (kind, repository, device, key, pr, base_ref, head,"
               " base, merge, run_url, state, accepted_s)"
               " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'accepted', ?)",
               "itttittttti", (long long)job->kind, job->repository, job->device, job->key,
               (long long)job->pr, job->base_ref, job->head, job->base, job->merge,
               job->run_url, (long long)time(NULL)) < 0)
        return -1;
    *id = db_last_id(queue->db);
    *known = false;
    return 0;
}

int queue_accept(struct queue *queue, struct job *job, const struct limits *limits,
                 bool *known, struct err *err)
{
    if (job->key[0] == '\0' || job->device[0] == '\0')
        return err_set(err, ERR_INPUT, "queue: a job needs a key and a device");
    long long id = 0;
    bool was_known = false;
    if (db_begin(queue->db, err) != 0)
        return -1;
    if (accept_job(queue, job, limits, &id, &was_known, err) != 0) {
        db_rollback(queue->db);
        return -1;
    }
    if (db_commit(queue->db, err) != 0)
        return -1;
    job->id = id;
    *known = was_known;
    return 0;
}

/* ---- moving on ---- */

int queue_recover(struct queue *queue, struct err *err)
{
    return db_run(queue->db, err, "UPDATE job SET state = 'pinned' WHERE state = 'running'",
                  "");
}

/* Of an UPDATE that names the states it may leave: no change means another state. */
static int check_moved(struct queue *queue, long long id, const char *what, struct err *err)
{
    if (db_changes(queue->db) == 1)
        return 0;
    struct queue_entry entry;
    if (queue_get(queue, id, &entry, err) != 0)
        return -1;
    return err_set(err, ERR_CONFLICT, "queue: job %lld is %s, it cannot be %s", id,
                   job_state_name(entry.state), what);
}

/* What was asked for (repository, pr, key) stays as it was accepted. */
int queue_pin(struct queue *queue, const struct job *job, struct err *err)
{
    if (db_run(queue->db, err,
               "UPDATE job SET state = 'pinned', base_ref = ?, head = ?, base = ?,"
               " merge = ? WHERE id = ? AND state IN ('accepted', 'pinned')",
               "tttti", job->base_ref, job->head, job->base, job->merge, job->id) < 0)
        return -1;
    return check_moved(queue, job->id, "pinned", err);
}

int queue_start(struct queue *queue, long long id, struct err *err)
{
    if (db_run(queue->db, err,
               "UPDATE job SET state = 'running', attempts = attempts + 1"
               " WHERE id = ? AND state = 'pinned'",
               "i", id) < 0)
        return -1;
    return check_moved(queue, id, "started", err);
}

int queue_rest(struct queue *queue, long long id, bool planned, struct err *err)
{
    if (db_run(queue->db, err,
               "UPDATE job SET state = 'pinned', attempts = attempts - ?"
               " WHERE id = ? AND state = 'running'",
               "ii", (long long)planned, id) < 0)
        return -1;
    return check_moved(queue, id, "rested", err);
}

int queue_judged(struct queue *queue, long long id, const char *verdict, int exit_code,
                 struct err *err)
{
    struct queue_entry entry;
    if (strlen(verdict) >= sizeof entry.verdict)
        return err_set(err, ERR_INTERNAL, "queue: job %lld: verdict `%s` is too long", id,
                       verdict);
    if (db_run(queue->db, err,
               "UPDATE job SET state = 'judged', verdict = ?, exit_code = ?"
               " WHERE id = ? AND state IN ('accepted', 'pinned', 'running')",
               "tii", verdict, (long long)exit_code, id) < 0)
        return -1;
    return check_moved(queue, id, "judged", err);
}

int queue_finish(struct queue *queue, long long id, enum job_state state, struct err *err)
{
    if (state != JOB_DONE && state != JOB_CANCELLED)
        return err_set(err, ERR_INTERNAL, "queue: `%s` is not the end of a job",
                       job_state_name(state));
    const char *sql = state == JOB_DONE
                          ? "UPDATE job SET state = 'done', finished_s = ?"
                            " WHERE id = ? AND state = 'judged'"
                          : "UPDATE job SET state = 'cancelled', finished_s = ?"
                            " WHERE id = ?"
                            " AND state IN ('accepted', 'pinned', 'running', 'judged')";
    if (db_run(queue->db, err, sql, "ii", (long long)time(NULL), id) < 0)
        return -1;
    return check_moved(queue, id, job_state_name(state), err);
}

/* The first job after `*id` that finished before `before_s`. 1: *id is it, 0: none. */
static int next_finished(struct queue *queue, long long before_s, long long *id,
                         struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(queue->db, &stmt, err,
                   "SELECT id FROM job WHERE state IN ('done', 'cancelled')"
                   " AND finished_s < ? AND id > ? ORDER BY id LIMIT 1",
                   "ii", before_s, *id) < 0)
        return -1;
    int row = db_step(stmt, err);
    if (row > 0)
        *id = db_int(stmt, 0);
    return row;
}

/* The folder goes before the row: killed between the two, it is done again. */
int queue_collect(struct queue *queue, long long before_s,
                  int (*each)(void *context, long long id), void *context, struct err *err)
{
    for (long long id = 0;;) {
        int row = next_finished(queue, before_s, &id, err);
        if (row <= 0)
            return row;
        if (each != NULL && each(context, id) < 0)
            return err_set(err, ERR_HOST, "queue: job %lld could not be removed", id);
        if (db_run(queue->db, err, "DELETE FROM job WHERE id = ?", "i", id) < 0)
            return -1;
    }
}
