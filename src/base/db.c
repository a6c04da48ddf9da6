/* SPDX-License-Identifier: Apache-2.0 */
/* Owns every call of SQLite: opening with a schema version, statements, transactions, and
 * whose fault a failure is. Knows no table. */
#include "base/db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUSY_MS = 10000 };

struct db {
    sqlite3 *handle;
    char *path;
    pid_t owner; /* SQLite's locks do not survive a fork: only this process may use it */
};

struct db_stmt {
    sqlite3_stmt *handle;
    struct db *db; /* borrowed */
};

static enum err_class class_of(int code)
{
    static const struct {
        int code;
        enum err_class class;
    } classes[] = {
        {SQLITE_NOTADB, ERR_INPUT},  {SQLITE_CORRUPT, ERR_INPUT},
        {SQLITE_FULL, ERR_HOST},     {SQLITE_IOERR, ERR_HOST},
        {SQLITE_CANTOPEN, ERR_HOST}, {SQLITE_READONLY, ERR_HOST},
        {SQLITE_PERM, ERR_HOST},     {SQLITE_NOMEM, ERR_HOST},
        {SQLITE_PROTOCOL, ERR_HOST}, {SQLITE_NOLFS, ERR_HOST},
        {SQLITE_BUSY, ERR_TIMEOUT},  {SQLITE_LOCKED, ERR_TIMEOUT},
        {SQLITE_TOOBIG, ERR_LIMIT},  {SQLITE_CONSTRAINT, ERR_CONFLICT},
    };
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (classes[i].code == (code & 0xff))
            return classes[i].class;
    return ERR_INTERNAL;
}

static int fail(const struct db *db, int code, struct err *err)
{
    return err_set(err, class_of(code), "database `%s`: %s", db->path,
                   db->handle == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(db->handle));
}

/* ---- open and close ---- */

/* SQLite would create the file under the umask; ours may name private repositories. Only
 * a file that is not there yet is opened here: closing a descriptor of one that another
 * connection of this process has open would drop that connection's locks. */
static int create_private(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    if (errno != EEXIST)
        return err_errno(err, ERR_HOST, errno, "create database `%s`", path);
    struct stat st;
    if (stat(path, &st) < 0)
        return err_errno(err, ERR_HOST, errno, "open database `%s`", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INPUT, "database `%s`: not a regular file", path);
    return 0;
}

static int query_int(struct db *db, const char *sql, long long *out, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err, sql, "") < 0)
        return -1;
    int row = db_step(stmt, err);
    if (row < 0)
        return -1;
    *out = row == 0 ? 0 : db_int(stmt, 0);
    return 0;
}

/* Two processes that open a new file at the same time want its exclusive lock for the
 * switch to WAL, and SQLite's busy handler is not asked where that could deadlock. */
static int switch_to_wal(struct db *db, struct err *err)
{
    for (int waited_ms = 0;; waited_ms += 10) {
        struct err trouble;
        if (db_exec(db, "PRAGMA journal_mode = WAL", &trouble) == 0)
            return 0;
        if (trouble.class != ERR_TIMEOUT || waited_ms >= BUSY_MS)
            return err_set(err, trouble.class, "%s", trouble.text);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

/* The schema and its version go in together or not at all, so a file whose creator was
 * killed is either empty or whole. */
static int check_or_create(struct db *db, const char *const steps[], struct err *err)
{
    long long there = 0;
    long long tables = 0;
    int version = 0;
    while (steps[version] != NULL)
        version++;
    if (query_int(db, "PRAGMA user_version", &there, err) != 0 ||
        query_int(db, "SELECT count(*) FROM sqlite_schema", &tables, err) != 0)
        return -1;
    if (there < 0 || there > version || (there == 0 && tables != 0))
        return err_set(err, ERR_INPUT,
                       "database `%s`: has schema version %lld, this program needs %d",
                       db->path, there, version);
    for (long long step = there; step < version; step++)
        if (db_exec(db, steps[step], err) != 0)
            return -1;
    char pragma[64];
    sqlite3_snprintf(sizeof pragma, pragma, "PRAGMA user_version = %d", version);
    return there == version ? 0 : db_exec(db, pragma, err);
}

static int check_pages(struct db *db, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, err, "PRAGMA quick_check(1)", "") < 0)
        return -1;
    int row = db_step(stmt, err);
    if (row < 0)
        return -1;
    if (row == 0 || strcmp(db_text(stmt, 0), "ok") != 0)
        return err_set(err, ERR_INPUT, "database `%s`: damaged: %s", db->path,
                       row == 0 ? "no answer" : db_text(stmt, 0));
    return 0;
}

static int set_up(struct db *db, const char *const steps[], struct err *err)
{
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    sqlite3_extended_result_codes(db->handle, 1);
    if (switch_to_wal(db, err) != 0 ||
        db_exec(db,
                "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                "PRAGMA trusted_schema = OFF",
                err) != 0 ||
        check_pages(db, err) != 0 || db_begin(db, err) != 0)
        return -1;
    return db_end(db, check_or_create(db, steps, err), err);
}

static struct db *new_db(const char *path, struct err *err)
{
    struct db *db = calloc(1, sizeof *db);
    char *copy = strdup(path);
    if (db == NULL || copy == NULL) {
        free(db);
        free(copy);
        err_set(err, ERR_HOST, "open database `%s`: out of memory", path);
        return NULL;
    }
    *db = (struct db){.path = copy, .owner = getpid()};
    return db;
}

int db_open(const char *path, const char *const steps[], struct db **out, struct err *err)
{
    if (create_private(path, err) != 0)
        return -1;
    struct db *db = new_db(path, err);
    if (db == NULL)
        return -1;
    int code = sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE, NULL);
    if (code != SQLITE_OK)
        fail(db, code, err);
    if (code != SQLITE_OK || set_up(db, steps, err) != 0) {
        db_close(&db);
        return -1;
    }
    *out = db;
    return 0;
}

/* ---- for reading alone ---- */

/* As an address, since only there SQLite takes `immutable`. Without a log beside it nobody has the file
 * open, and SQLite would make one to read it. */
static void put_address(const char *path, char *out, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789/._-";
    char log[PATH_MAX];
    size_t len = 5;
    memcpy(out, "file:", len);
    for (const char *at = path; *at != '\0' && len + 32 < size; at++) {
        if (strchr(plain, *at) != NULL) {
            out[len++] = *at;
            continue;
        }
        out[len++] = '%';
        out[len++] = hex[(unsigned char)*at >> 4];
        out[len++] = hex[(unsigned char)*at & 15];
    }
    bool open_elsewhere = (size_t)snprintf(log, sizeof log, "%s-wal", path) < sizeof log &&
                          access(log, F_OK) == 0;
    snprintf(out + len, size - len, "%s", open_elsewhere ? "" : "?immutable=1");
}

static int check_version(struct db *db, const char *const steps[], struct err *err)
{
    long long there = 0;
    int version = 0;
    while (steps[version] != NULL)
        version++;
    if (db_exec(db, "PRAGMA trusted_schema = OFF", err) != 0 ||
        query_int(db, "PRAGMA user_version", &there, err) != 0)
        return -1;
    return there == version
               ? 0
               : err_set(err, ERR_INPUT,
                         "database `%s`: has schema version %lld, this program reads %d",
                         db->path, there, version);
}

int db_open_reading(const char *path, const char *const steps[], struct db **out,
                    struct err *err)
{
    char address[3 * PATH_MAX + 64];
    struct stat info;
    if (stat(path, &info) != 0)
        return err_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_HOST, errno,
                         "open database `%s`", path);
    if (!S_ISREG(info.st_mode))
        return err_set(err, ERR_INPUT, "database `%s`: not a regular file", path);
    struct db *db = new_db(path, err);
    if (db == NULL)
        return -1;
    put_address(path, address, sizeof address);
    int code = sqlite3_open_v2(address, &db->handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
                               NULL);
    if (code != SQLITE_OK)
        fail(db, code, err);
    else
        sqlite3_busy_timeout(db->handle, BUSY_MS);
    if (code != SQLITE_OK || check_version(db, steps, err) != 0) {
        db_close(&db);
        return -1;
    }
    *out = db;
    return 0;
}

void db_close(struct db **db)
{
    if (*db == NULL)
        return;
    /* In a forked child a close could check-point and remove the parent's WAL. */
    if ((*db)->owner == getpid())
        sqlite3_close_v2((*db)->handle);
    free((*db)->path);
    free(*db);
    *db = NULL;
}

/* ---- statements ---- */

static int check_owner(const struct db *db, struct err *err)
{
    if (db->owner == getpid())
        return 0;
    return err_set(err, ERR_INTERNAL, "database `%s`: used after a fork", db->path);
}

int db_exec(struct db *db, const char *sql, struct err *err)
{
    if (check_owner(db, err) != 0)
        return -1;
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : fail(db, code, err);
}

static int bind(sqlite3_stmt *stmt, const char *types, va_list args)
{
    if (sqlite3_bind_parameter_count(stmt) != (int)strlen(types))
        return SQLITE_MISUSE;
    for (int i = 1; types[i - 1] != '\0'; i++) {
        int code = SQLITE_MISUSE;
        if (types[i - 1] == 'i')
            code = sqlite3_bind_int64(stmt, i, va_arg(args, long long));
        else if (types[i - 1] == 'r')
            code = sqlite3_bind_double(stmt, i, va_arg(args, double));
        else if (types[i - 1] == 't')
            code = sqlite3_bind_text(stmt, i, va_arg(args, const char *), -1,
                                     SQLITE_TRANSIENT);
        if (code != SQLITE_OK)
            return code;
    }
    return SQLITE_OK;
}

static int prepare(struct db *db, struct db_stmt **out, struct err *err, const char *sql,
                   const char *types, va_list args)
{
    if (check_owner(db, err) != 0)
        return -1;
    struct db_stmt *stmt = calloc(1, sizeof *stmt);
    if (stmt == NULL)
        return fail(db, SQLITE_NOMEM, err);
    stmt->db = db;
    int code = sqlite3_prepare_v2(db->handle, sql, -1, &stmt->handle, NULL);
    if (code == SQLITE_OK) {
        code = bind(stmt->handle, types, args);
        if (code == SQLITE_MISUSE)
            err_set(err, ERR_INTERNAL, "database `%s`: parameters `%s` do not fit `%s`",
                    db->path, types, sql);
    }
    if (code != SQLITE_OK) {
        if (code != SQLITE_MISUSE)
            fail(db, code, err);
        db_finish(&stmt);
        return -1;
    }
    *out = stmt;
    return 0;
}

int db_prepare(struct db *db, struct db_stmt **stmt, struct err *err, const char *sql,
               const char *types, ...)
{
    va_list args;
    va_start(args, types);
    int result = prepare(db, stmt, err, sql, types, args);
    va_end(args);
    return result;
}

int db_step(struct db_stmt *stmt, struct err *err)
{
    int code = sqlite3_step(stmt->handle);
    if (code == SQLITE_ROW)
        return 1;
    return code == SQLITE_DONE ? 0 : fail(stmt->db, code, err);
}

long long db_int(struct db_stmt *stmt, int column)
{
    return sqlite3_column_int64(stmt->handle, column);
}

double db_real(struct db_stmt *stmt, int column)
{
    return sqlite3_column_double(stmt->handle, column);
}

const char *db_text(struct db_stmt *stmt, int column)
{
    const unsigned char *text = sqlite3_column_text(stmt->handle, column);
    return text == NULL ? "" : (const char *)text;
}

void db_finish(struct db_stmt **stmt)
{
    if (*stmt == NULL)
        return;
    sqlite3_finalize((*stmt)->handle);
    free(*stmt);
    *stmt = NULL;
}

int db_run(struct db *db, struct err *err, const char *sql, const char *types, ...)
{
    DB_STMT_AUTO *stmt = NULL;
    va_list args;
    va_start(args, types);
    int result = prepare(db, &stmt, err, sql, types, args);
    va_end(args);
    while (result == 0) {
        int row = db_step(stmt, err);
        if (row <= 0)
            return row;
    }
    return -1;
}

long long db_last_id(struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

long long db_changes(struct db *db)
{
    return sqlite3_changes64(db->handle);
}

/* ---- transactions ---- */

int db_begin(struct db *db, struct err *err)
{
    return db_exec(db, "BEGIN IMMEDIATE", err);
}

int db_commit(struct db *db, struct err *err)
{
    if (db_exec(db, "COMMIT", err) == 0)
        return 0;
    db_rollback(db); /* a failed commit leaves the transaction open */
    return -1;
}

void db_rollback(struct db *db)
{
    if (db->owner == getpid() && !sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int db_end(struct db *db, int result, struct err *err)
{
    if (result == 0)
        return db_commit(db, err);
    db_rollback(db);
    return -1;
}
