/* SPDX-License-Identifier: Apache-2.0 */
/* The only user of SQLite: open with a schema version, statements with bound parameters,
 * transactions. One connection per process (open again after fork). */
#ifndef RATCHET_BASE_DB_H
#define RATCHET_BASE_DB_H

#include "base/err.h"

#include <stdint.h>

struct db;
struct db_stmt;

/* Open or create `path` (0600), WAL, foreign keys on, busy timeout 10 s. steps[i] is the SQL that
 * leads from schema version i to i + 1; NULL ends them. A new file gets them all, an older one
 * those that it lacks, in one transaction. A newer one, a damaged one, or a file of somebody
 * else's is ERR_INPUT. */
MUST_CHECK int db_open(const char *path, const char *const steps[], struct db **db,
                       struct err *err);
/* The same file for reading alone, beside those who write it: nothing is made or changed, not even a log
 * beside it. No file is ERR_NOT_FOUND; one that is not of the last version ERR_INPUT. */
MUST_CHECK int db_open_reading(const char *path, const char *const steps[], struct db **db,
                               struct err *err);
void db_close(struct db **db);

MUST_CHECK int db_exec(struct db *db, const char *sql, struct err *err);

/* `types` has one letter per parameter: i (long long), t (const char *, NULL is NULL),
 * r (double). */
MUST_CHECK int db_prepare(struct db *db, struct db_stmt **stmt, struct err *err,
                          const char *sql, const char *types, ...);
/* 1: a row, 0: done, -1: error. */
MUST_CHECK int db_step(struct db_stmt *stmt, struct err *err);
long long db_int(struct db_stmt *stmt, int column);
double db_real(struct db_stmt *stmt, int column);
const char *db_text(struct db_stmt *stmt,
                    int column); /* borrowed until the next step; NULL → "" */
void db_finish(struct db_stmt **stmt);
#define DB_STMT_AUTO __attribute__((cleanup(db_finish))) struct db_stmt

/* Prepare, step to the end, finish: for writes. */
MUST_CHECK int db_run(struct db *db, struct err *err, const char *sql, const char *types, ...);
long long db_last_id(struct db *db);
long long db_changes(struct db *db);

MUST_CHECK int db_begin(struct db *db, struct err *err); /* BEGIN IMMEDIATE */
MUST_CHECK int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);
/* Ends the transaction that `result` is of: committed where it is 0, else rolled back, and -1. */
MUST_CHECK int db_end(struct db *db, int result, struct err *err);

#endif
