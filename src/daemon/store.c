/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which tables the database has, and what a daemon's start makes of it. */
#include "daemon/store.h"

#include "daemon/state.h"
#include "intake/queue.h"
#include "intake/watched.h"
#include "pipeline/accept.h"
#include "pipeline/attempts.h"
#include "pipeline/promoted.h"
#include "publish/outbox.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const steps[] = {
    queue_schema_1,    queue_schema_2,   outbox_schema,     queue_schema_3,    queue_schema_4,
    attempts_schema,   queue_schema_5,   attempts_schema_2, queue_schema_6,    watched_schema,
    outbox_schema_2,   outbox_schema_3,  queue_schema_7,    promoted_schema,   accept_schema,
    attempts_schema_3, watched_schema_2, outbox_schema_4,   attempts_schema_4, NULL};

int store_read(const struct host *host, struct db **out, struct err *err)
{
    char path[FILE_PATH_BYTES];
    return state_database(host, path, err) == 0 ? db_open_reading(path, steps, out, err) : -1;
}

int store_open(const struct host *host, struct db **out, struct err *err)
{
    char path[FILE_PATH_BYTES];
    return state_database(host, path, err) == 0 ? db_open(path, steps, out, err) : -1;
}

/* The greatest id that names a folder of a job. */
static int last_folder(const struct host *host, long long *out, struct err *err)
{
    char path[FILE_PATH_BYTES];
    if (state_jobs(host, path, err) != 0)
        return -1;
    *out = 0;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT ? 0 : err_errno(err, ERR_HOST, errno, "open `%s`", path);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char *end;
        long long id = strtoll(entry->d_name, &end, 10);
        if (*end == '\0' && id > *out)
            *out = id;
    }
    closedir(folder);
    return 0;
}

/* Version 1 had a database of its own for what GitHub was owed. Its jobs are measured again, so
 * what it says is outdated. */
static int remove_old_outbox(const struct host *host, struct err *err)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char path[FILE_PATH_BYTES];
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (file_path(path, err, "%s/outbox.db%s", host->state, endings[i]) != 0)
            return -1;
        if (unlink(path) != 0 && errno != ENOENT)
            return err_errno(err, ERR_HOST, errno, "remove `%s`", path);
    }
    return 0;
}

int store_open_first(const struct host *host, struct db **out, struct err *err)
{
    struct db *db = NULL;
    long long last;
    if (last_folder(host, &last, err) != 0 || store_open(host, &db, err) != 0)
        return -1;
    if (remove_old_outbox(host, err) != 0 || queue_start_ids(db, last, err) != 0 ||
        queue_recover(db, err) != 0) {
        db_close(&db);
        return -1;
    }
    *out = db;
    return 0;
}

static int first_job(struct db *db, long long *out, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err,
                   "SELECT coalesce(min(id), (SELECT max(seq) + 1 FROM sqlite_sequence"
                   " WHERE name = 'job'), 0) FROM job",
                   "") != 0 ||
        db_step(stmt, err) < 0)
        return -1;
    *out = db_int(stmt, 0);
    return 0;
}

int store_collect(struct db *db, struct err *err)
{
    long long first;
    if (first_job(db, &first, err) != 0 ||
        db_run(db, err, "DELETE FROM message WHERE job NOT IN (SELECT id FROM job)", "") != 0)
        return -1;
    return outbox_collect(db, first, err);
}
