/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the rows of jobs and which state may follow which. Every change is one
 * transaction, on disk before the call returns. Does not know how a job is done, and
 * holds no token. */
#include "intake/queue.h"

#include "base/db.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ENTRY_COLUMNS                                                                  \
    "id, kind, repository, device, key, pr, base_ref, head, base, merge, run_url,"     \
    " state, attempts, exit_code, verdict, accepted_s, finished_s, event_head, uid,"   \
    " secret, clause, why, lane, merge_group, event_base, configs, budget_s, profile," \
    " refused, approved_by, untold"

static const char *const state_names[] = {
    [JOB_ACCEPTED] = "accepted", [JOB_PINNED] = "pinned", [JOB_RUNNING] = "running",
    [JOB_ENDING] = "ending",     [JOB_JUDGED] = "judged", [JOB_DONE] = "done",
};
enum { STATE_COUNT = sizeof state_names / sizeof state_names[0] };

const char *job_state_name(enum job_state state)
{
    return (unsigned)state < STATE_COUNT ? state_names[state] : "?";
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
                .pr = (int)db_int(stmt, 5),
                .choices = {.budget_s = (unsigned)db_int(stmt, 26),
                            .profile = db_int(stmt, 27) != 0}},
        .attempts = (unsigned)db_int(stmt, 12),
        .exit_code = (int)db_int(stmt, 13),
        .accepted_s = db_int(stmt, 15),
        .finished_s = db_int(stmt, 16),
        .uid = db_int(stmt, 18),
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
        {17, job->event_head, sizeof job->event_head},
        {19, entry.secret, sizeof entry.secret},
        {21, entry.why, sizeof entry.why},
        {22, entry.lane, sizeof entry.lane},
        {23, job->group, sizeof job->group},
        {24, job->event_base, sizeof job->event_base},
        {25, job->choices.configs, sizeof job->choices.configs},
        {28, job->choices.refused, sizeof job->choices.refused},
        {29, job->approved_by, sizeof job->approved_by},
        {30, entry.untold, sizeof entry.untold},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (copy_text(stmt, texts[i].column, texts[i].text, texts[i].size, err) != 0)
            return -1;
    if (read_state(stmt, 11, &entry.state, err) != 0)
        return -1;
    if (clause_parse(db_text(stmt, 20), &entry.clause) != 0)
        return err_set(err, ERR_INPUT, "queue: job %lld: unknown clause `%s`", db_int(stmt, 0),
                       db_text(stmt, 20));
    *out = entry;
    return 0;
}

/* The row of a statement that selects one at most. */
static int read_one(struct db_stmt *stmt, struct queue_entry *out, struct err *err)
{
    int row = db_step(stmt, err);
    if (row == 0)
        return err_set(err, ERR_NOT_FOUND, "queue: no such job");
    return row < 0 ? -1 : read_entry(stmt, out, err);
}

int queue_next(struct db *db, const char *device, enum job_state state, long long after,
               struct queue_entry *out, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT " ENTRY_COLUMNS
                   " FROM job WHERE (? = '' OR device = ?) AND state = ? AND id > ?"
                   " ORDER BY id LIMIT 1",
                   "ttti", device == NULL ? "" : device, device == NULL ? "" : device,
                   job_state_name(state), after) < 0)
        return -1;
    return read_one(stmt, out, err);
}

int queue_next_of(struct db *db, const char *repository, enum job_state state, long long after,
                  struct queue_entry *out, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT " ENTRY_COLUMNS
                   " FROM job WHERE repository = ? AND state = ? AND id > ?"
                   " ORDER BY id LIMIT 1",
                   "tti", repository, job_state_name(state), after) < 0)
        return -1;
    return read_one(stmt, out, err);
}

int queue_get(struct db *db, long long id, struct queue_entry *out, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err, "SELECT " ENTRY_COLUMNS " FROM job WHERE id = ?", "i", id) <
        0)
        return -1;
    int row = db_step(stmt, err);
    if (row < 0)
        return -1;
    if (row == 0)
        return err_set(err, ERR_NOT_FOUND, "queue: no job %lld", id);
    return read_entry(stmt, out, err);
}

int queue_place(struct db *db, const struct queue_entry *entry, size_t *place, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT count(*) FROM job WHERE device = ? AND state = ? AND id < ?", "tti",
                   entry->job.device, job_state_name(JOB_PINNED), entry->job.id) < 0 ||
        db_step(stmt, err) < 0)
        return -1;
    *place = (size_t)db_int(stmt, 0) + 1;
    return 0;
}

int queue_list(struct db *db, size_t max, struct queue_entry *out, size_t *count,
               struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
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

static int find_same(struct db *db, const struct job *job, long long uid, long long *id,
                     struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT id FROM job WHERE key = ? AND repository = ? AND device = ?"
                   " AND kind = ? AND pr = ? AND uid IN (?, -1)",
                   "tttiii", job->key, job->repository, job->device, (long long)job->kind,
                   (long long)job->pr, uid) < 0)
        return -1;
    int row = db_step(stmt, err);
    if (row > 0)
        *id = db_int(stmt, 0);
    return row;
}

static int check_room(struct db *db, const struct job *job, const struct limits *limits,
                      struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT count(*) FROM job WHERE device = ?"
                   " AND state IN ('accepted', 'pinned', 'running')",
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
static int accept_job(struct db *db, const struct job *job, const struct queue_owner *owner,
                      const struct limits *limits, long long *id, bool *known, struct err *err)
{
    int found = find_same(db, job, owner->uid, id, err);
    if (found != 0) {
        *known = true;
        return found < 0 ? -1 : 0;
    }
    if (check_room(db, job, limits, err) != 0)
        return -1;
    if (db_run(db, err,
               "INSERT INTO job (kind, repository, device, key, pr, base_ref, event_head,"
               " head, base, merge, run_url, merge_group, event_base, configs, budget_s,"
               " profile, uid, secret, state, accepted_s)"
               " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'accepted', ?)",
               "itttitttttttttiiiti", (long long)job->kind, job->repository, job->device,
               job->key, (long long)job->pr, job->base_ref, job->event_head, job->head,
               job->base, job->merge, job->run_url, job->group, job->event_base,
               job->choices.configs, (long long)job->choices.budget_s,
               (long long)job->choices.profile, owner->uid, owner->secret,
               (long long)time(NULL)) < 0)
        return -1;
    *id = db_last_id(db);
    *known = false;
    return 0;
}

int queue_add(struct db *db, struct job *job, const struct queue_owner *owner,
              const struct limits *limits, bool *known, struct err *err)
{
    if (job->key[0] == '\0' || job->device[0] == '\0')
        return err_set(err, ERR_INPUT, "queue: a job needs a key and a device");
    return accept_job(db, job, owner, limits, &job->id, known, err);
}

int queue_accept(struct db *db, struct job *job, const struct queue_owner *owner,
                 const struct limits *limits, bool *known, struct err *err)
{
    struct job added = *job;
    if (db_begin(db, err) != 0 ||
        db_end(db, queue_add(db, &added, owner, limits, known, err), err) != 0)
        return -1;
    job->id = added.id;
    return 0;
}

/* ---- moving on ---- */

int queue_recover(struct db *db, struct err *err)
{
    return db_run(db, err, "UPDATE job SET state = 'pinned' WHERE state = 'running'", "");
}

/* Of an UPDATE that names the states it may leave: no change means another state. */
static int check_moved(struct db *db, long long id, const char *what, struct err *err)
{
    if (db_changes(db) == 1)
        return 0;
    struct queue_entry entry;
    if (queue_get(db, id, &entry, err) != 0)
        return -1;
    return err_set(err, ERR_CONFLICT, "queue: job %lld is %s, it cannot be %s", id,
                   job_state_name(entry.state), what);
}

/* What is known of a job since it is pinned. */
#define PINNED_SET                                                            \
    "base_ref = ?, head = ?, base = ?, merge = ?, configs = ?, budget_s = ?," \
    " profile = ?, refused = ?, approved_by = ?"
#define PINNED_TYPES "tttttiitt"
#define PINNED_VALUES(job)                                                           \
    (job)->base_ref, (job)->head, (job)->base, (job)->merge, (job)->choices.configs, \
        (long long)(job)->choices.budget_s, (long long)(job)->choices.profile,       \
        (job)->choices.refused, (job)->approved_by

/* What was asked for (repository, pr, key) stays as it was accepted, but for what is not taken of its
 * choices. */
int queue_pin(struct db *db, const struct job *job, struct err *err)
{
    if (db_run(db, err,
               "UPDATE job SET state = 'pinned', " PINNED_SET
               " WHERE id = ? AND state IN ('accepted', 'pinned')",
               PINNED_TYPES "i", PINNED_VALUES(job), job->id) < 0)
        return -1;
    return check_moved(db, job->id, "pinned", err);
}

int queue_start(struct db *db, long long id, const char *lane, struct err *err)
{
    if (db_run(db, err,
               "UPDATE job SET state = 'running', attempts = attempts + 1, lane = ?"
               " WHERE id = ? AND state = 'pinned'",
               "ti", lane, id) < 0)
        return -1;
    return check_moved(db, id, "started", err);
}

int queue_rest(struct db *db, long long id, bool planned, struct err *err)
{
    if (db_run(db, err,
               "UPDATE job SET state = 'pinned', attempts = attempts - ?"
               " WHERE id = ? AND state = 'running'",
               "ii", (long long)planned, id) < 0)
        return -1;
    return check_moved(db, id, "rested", err);
}

int queue_end(struct db *db, long long id, enum clause clause, const char *why,
              struct err *err)
{
    if (db_run(db, err,
               "UPDATE job SET state = 'ending', clause = ?, why = ?"
               " WHERE id = ? AND state IN ('accepted', 'pinned', 'running')",
               "tti", clause_name(clause), why, id) < 0)
        return -1;
    return check_moved(db, id, "ended", err);
}

int queue_supersede(struct db *db, const struct job *job, struct err *err)
{
    if (job->pr == 0)
        return 0;
    return db_run(db, err,
                  "UPDATE job SET state = 'ending', clause = ?,"
                  " why = iif(base_ref = ?, 'superseded by ' || substr(?, 1, 10),"
                  "  'the pull request goes to `' || substr(?, 1, 200) || '` now')"
                  " WHERE repository = ? AND device = ? AND kind = ? AND pr = ? AND id < ?"
                  " AND state = 'pinned' AND (head <> ? OR base_ref <> ?)",
                  "ttttttiiitt", clause_name(CLAUSE_CANCELLED), job->base_ref, job->head,
                  job->base_ref, job->repository, job->device, (long long)job->kind,
                  (long long)job->pr, job->id, job->head, job->base_ref);
}

/* Both: `job` says of what repository, device, kind and pull request. */
#define LIKE_SET \
    " repository = ? AND device = ? AND kind = ? AND pr = ? AND substr(key, 1, ?) = ?"
#define LIKE_TYPES "ttiiit"
#define LIKE_VALUES(job, prefix)                                                    \
    (job)->repository, (job)->device, (long long)(job)->kind, (long long)(job)->pr, \
        (long long)strlen(prefix), (prefix)

int queue_replace(struct db *db, const struct job *job, const char *prefix, struct err *err)
{
    return db_run(db, err,
                  "UPDATE job SET state = 'done', finished_s = ?, exit_code = ?, clause = ?,"
                  " verdict = 'unmeasured', why = 'another took its place before it began'"
                  " WHERE state = 'accepted' AND" LIKE_SET,
                  "iit" LIKE_TYPES, (long long)time(NULL), (long long)EXIT_UNMEASURED,
                  clause_name(CLAUSE_CANCELLED), LIKE_VALUES(job, prefix));
}

int queue_is_at(struct db *db, const struct job *job, const char *prefix, long long from,
                bool *is, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT 1 FROM job WHERE id >= ? AND head = ? AND"
                   " base_ref = ? AND" LIKE_SET,
                   "itt" LIKE_TYPES, from, job->event_head, job->base_ref,
                   LIKE_VALUES(job, prefix)) != 0)
        return -1;
    int row = db_step(stmt, err);
    *is = row > 0;
    return row < 0 ? -1 : 0;
}

int queue_judged(struct db *db, const struct job *job, const char *verdict, int exit_code,
                 struct err *err)
{
    struct queue_entry entry;
    if (strlen(verdict) >= sizeof entry.verdict)
        return err_set(err, ERR_INTERNAL, "queue: job %lld: verdict `%s` is too long", job->id,
                       verdict);
    if (db_run(db, err,
               "UPDATE job SET state = 'judged', verdict = ?, exit_code = ?, " PINNED_SET
               " WHERE id = ? AND state IN ('accepted', 'pinned', 'running', 'ending')",
               "ti" PINNED_TYPES "i", verdict, (long long)exit_code, PINNED_VALUES(job),
               job->id) < 0)
        return -1;
    return check_moved(db, job->id, "judged", err);
}

int queue_done(struct db *db, long long id, struct err *err)
{
    if (db_run(db, err,
               "UPDATE job SET state = 'done', finished_s = ?"
               " WHERE id = ? AND state = 'judged'",
               "ii", (long long)time(NULL), id) < 0)
        return -1;
    return check_moved(db, id, "done", err);
}

int queue_abandon(struct db *db, long long id, struct err *err)
{
    return db_run(db, err,
                  "UPDATE job SET state = 'done', finished_s = ?, exit_code = ?,"
                  " verdict = iif(verdict = '', 'unmeasured', verdict) WHERE id = ?",
                  "iii", (long long)time(NULL), (long long)EXIT_UNMEASURED, id);
}

int queue_start_ids(struct db *db, long long after, struct err *err)
{
    if (db_run(db, err,
               "INSERT INTO sqlite_sequence (name, seq) SELECT 'job', 0"
               " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'job')",
               "") < 0)
        return -1;
    return db_run(db, err, "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'job'",
                  "i", after);
}

int queue_note_untold(struct db *db, long long id, const char *why, struct err *err)
{
    char line[QUEUE_WHY_BYTES];
    snprintf(line, sizeof line, "%s", why);
    for (char *c = line; *c != '\0';
         c++) /* GitHub's words, which may be cut within a character */
        *c = (unsigned char)*c < 0x80 ? *c : '?';
    return db_run(db, err, "UPDATE job SET untold = ?1 WHERE id = ?2 AND untold <> ?1", "ti",
                  line, id);
}

int queue_note_tried(struct db *db, long long seconds, struct err *err)
{
    return db_run(db, err, "UPDATE job SET tried_s = tried_s + ? WHERE state = 'judged'", "i",
                  seconds);
}

/* The first job after `*id` that is to be forgotten. 1: *id is it, 0: none. */
static int next_old(struct db *db, long long before_s, long long tried_s, long long *id,
                    struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT id FROM job WHERE ((state = 'done' AND finished_s < ?)"
                   " OR (state = 'judged' AND tried_s > ?)) AND id > ?"
                   " ORDER BY id LIMIT 1",
                   "iii", before_s, tried_s, *id) < 0)
        return -1;
    int row = db_step(stmt, err);
    if (row > 0)
        *id = db_int(stmt, 0);
    return row;
}

/* The folder goes before the row: killed between the two, it is done again. */
int queue_collect(struct db *db, long long before_s, long long tried_s,
                  int (*each)(void *context, long long id), void *context, struct err *err)
{
    long long left = 0;
    for (long long id = 0;;) {
        int row = next_old(db, before_s, tried_s, &id, err);
        if (row == 0 && left > 0)
            return err_set(err, ERR_HOST, "queue: job %lld could not be removed", left);
        if (row <= 0)
            return row;
        if (each != NULL && each(context, id) < 0) {
            left = id; /* it is in nobody's way */
            continue;
        }
        if (db_run(db, err, "DELETE FROM job WHERE id = ?", "i", id) < 0)
            return -1;
    }
}
