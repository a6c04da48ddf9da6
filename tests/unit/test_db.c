/* SPDX-License-Identifier: Apache-2.0 */
/* base/db: a file is whole or refused by name, whoever was killed while writing it. */
#include "base/db.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char schema[] = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c REAL);"
                             "CREATE TABLE u (a INTEGER UNIQUE);";
static const char *const steps[] = {schema, NULL};
static const char *const two_steps[] = {schema, "CREATE TABLE later (a INTEGER);", NULL};
static char folder[] = "/tmp/ratchet-test-db-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[4][128];
    static unsigned next;
    char *out = path[next++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    OK(file != NULL);
    if (file == NULL)
        return;
    fputs(text, file);
    fclose(file);
}

static long long count(struct db *db, const char *sql)
{
    struct err err;
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(db, &stmt, &err, sql, "") < 0 || db_step(stmt, &err) != 1)
        return -1;
    return db_int(stmt, 0);
}

static void test_values(void)
{
    struct err err;
    struct db *db = NULL;
    tap_case("values go in and come out");
    OK(db_open(path_of("a"), steps, &db, &err) == 0);
    if (db == NULL)
        return;
    struct stat st;
    OK(stat(path_of("a"), &st) == 0);
    EQ_INT(st.st_mode & 0777, 0600);
    OK(db_run(db, &err, "INSERT INTO t VALUES (?, ?, ?)", "itr", 7ll << 40, "ä';--", 0.5)
       == 0);
    EQ_INT(db_last_id(db), 7ll << 40);
    EQ_INT(db_changes(db), 1);
    OK(db_run(db, &err, "INSERT INTO t (b) VALUES (?)", "t", (const char *)NULL) == 0);
    struct db_stmt *stmt = NULL;
    OK(db_prepare(db, &stmt, &err, "SELECT a, b, c FROM t ORDER BY a", "") == 0);
    EQ_INT(db_step(stmt, &err), 1);
    EQ_INT(db_int(stmt, 0), 7ll << 40);
    EQ_STR(db_text(stmt, 1), "ä';--");
    NEAR(db_real(stmt, 2), 0.5, 0);
    EQ_INT(db_step(stmt, &err), 1);
    EQ_STR(db_text(stmt, 1), "");
    EQ_INT(db_step(stmt, &err), 0);
    db_finish(&stmt);
    db_finish(&stmt);
    EQ_INT(count(db, "PRAGMA synchronous"), 2);
    EQ_INT(count(db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);

    tap_case("mistakes and refusals have their class");
    OK(db_run(db, &err, "INSERT INTO t VALUES (?, ?, ?)", "it", 1ll, "x") < 0);
    EQ_INT(err.class, ERR_INTERNAL);
    OK(db_run(db, &err, "SELEKT 1", "") < 0);
    EQ_INT(err.class, ERR_INTERNAL);
    OK(db_run(db, &err, "INSERT INTO u VALUES (?)", "i", 1ll) == 0);
    OK(db_run(db, &err, "INSERT INTO u VALUES (?)", "i", 1ll) < 0);
    EQ_INT(err.class, ERR_CONFLICT);

    tap_case("a transaction happens or does not");
    OK(db_begin(db, &err) == 0);
    OK(db_run(db, &err, "INSERT INTO u VALUES (2)", "") == 0);
    db_rollback(db);
    db_rollback(db);
    EQ_INT(count(db, "SELECT count(*) FROM u"), 1);
    OK(db_begin(db, &err) == 0);
    OK(db_run(db, &err, "INSERT INTO u VALUES (2)", "") == 0);
    OK(db_commit(db, &err) == 0);
    db_close(&db);
    db_close(&db);
    OK(db_open(path_of("a"), steps, &db, &err) == 0);
    EQ_INT(count(db, "SELECT count(*) FROM u"), 2);
    db_close(&db);
}

static void check_refused(const char *name, const char *says)
{
    struct err err;
    struct db *db = NULL;
    OK(db_open(path_of(name), steps, &db, &err) < 0);
    OK(db == NULL);
    EQ_INT(err.class, ERR_INPUT);
    HAS(err.text, name);
    HAS(err.text, says);
    db_close(&db);
}

/* Two pages of the middle of a file overwritten. */
static void damage(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    static const char noise[4096] = "this was a page of the table once";
    for (off_t at = 4096; at < 8 * 4096; at += 4096)
        OK(pwrite(fd, noise, sizeof noise, at) == (ssize_t)sizeof noise);
    close(fd);
}

static void test_refused(void)
{
    struct err err;
    struct db *db = NULL;
    tap_case("an older schema version is brought up to date, and nothing is lost");
    OK(db_open(path_of("a"), two_steps, &db, &err) == 0);
    EQ_INT(count(db, "SELECT count(*) FROM u"), 2);
    EQ_INT(count(db, "SELECT count(*) FROM later"), 0);
    db_close(&db);
    tap_case("a newer schema version");
    check_refused("a", "version 2");
    tap_case("not a database");
    write_file(path_of("text"),
               "[daemon]\nthis is some configuration file, not a database\n");
    check_refused("text", "not a database");
    tap_case("somebody else's database");
    static const char *const nothing[] = {NULL};
    OK(db_open(path_of("other"), nothing, &db, &err) == 0);
    OK(db_exec(db, "CREATE TABLE x (y)", &err) == 0);
    db_close(&db);
    check_refused("other", "version 0");
    tap_case("a folder in its place");
    OK(mkdir(path_of("folder"), 0700) == 0);
    check_refused("folder", "regular");
    tap_case("damaged in the middle");
    OK(db_open(path_of("broken"), steps, &db, &err) == 0);
    OK(db_begin(db, &err) == 0);
    for (int i = 0; i < 2000; i++)
        if (db_run(db, &err, "INSERT INTO t (b) VALUES (?)", "t",
                   "some text that fills up pages, some text that fills up pages") < 0)
            OK(false);
    OK(db_commit(db, &err) == 0);
    db_close(&db);
    damage(path_of("broken"));
    check_refused("broken", "broken");
    tap_case("a folder that is not there is the host's problem");
    OK(db_open(path_of("no/such/place"), steps, &db, &err) < 0);
    EQ_INT(err.class, ERR_HOST);
}

static void test_empty(void)
{
    struct err err;
    struct db *db = NULL;
    tap_case("a creator killed before the schema leaves an empty file: made anew");
    write_file(path_of("empty"), "");
    OK(db_open(path_of("empty"), steps, &db, &err) == 0);
    OK(db_run(db, &err, "INSERT INTO u VALUES (1)", "") == 0);
    db_close(&db);

    tap_case("a bad schema leaves nothing half");
    static const char *const bad[] = {"CREATE TABLE v (a); CREATE TABLE v (a);", NULL};
    OK(db_open(path_of("half"), bad, &db, &err) < 0);
    OK(db_open(path_of("half"), steps, &db, &err) == 0);
    EQ_INT(count(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'v'"), 0);
    db_close(&db);
}

static void test_fork(void)
{
    struct err err;
    struct db *db = NULL;
    tap_case("a forked child cannot use its parent's connection, nor harm it");
    OK(db_open(path_of("fork"), steps, &db, &err) == 0);
    OK(db_run(db, &err, "INSERT INTO u VALUES (1)", "") == 0);
    pid_t child = fork();
    if (child == 0) {
        bool refused = db_run(db, &err, "INSERT INTO u VALUES (2)", "") < 0
                       && err.class == ERR_INTERNAL;
        db_close(&db);
        _exit(refused ? 0 : 1);
    }
    int status = 0;
    OK(waitpid(child, &status, 0) == child);
    EQ_INT(status, 0);
    OK(db_run(db, &err, "INSERT INTO u VALUES (2)", "") == 0);
    EQ_INT(count(db, "SELECT count(*) FROM u"), 2);
    db_close(&db);
}

/* The child is killed once it said that its transaction is open and has written. */
static void test_killed(void)
{
    struct err err;
    struct db *db = NULL;
    tap_case("killed in the middle of a transaction: none of it happened");
    OK(db_open(path_of("killed"), steps, &db, &err) == 0);
    OK(db_run(db, &err, "INSERT INTO u VALUES (1)", "") == 0);
    db_close(&db);
    int pipe_fds[2];
    OK(pipe(pipe_fds) == 0);
    pid_t child = fork();
    if (child == 0) {
        bool ok = db_open(path_of("killed"), steps, &db, &err) == 0
                  && db_exec(db, "PRAGMA cache_size = 2", &err) == 0
                  && db_begin(db, &err) == 0;
        for (long long i = 2; ok && i < 5000; i++)
            ok = db_run(db, &err, "INSERT INTO u VALUES (?)", "i", i) == 0;
        if (write(pipe_fds[1], ok ? "1" : "0", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    char said = '?';
    OK(read(pipe_fds[0], &said, 1) == 1);
    EQ_INT(said, '1');
    OK(kill(child, SIGKILL) == 0);
    OK(waitpid(child, NULL, 0) == child);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    OK(db_open(path_of("killed"), steps, &db, &err) == 0);
    EQ_INT(count(db, "SELECT count(*) FROM u"), 1);
    OK(db_run(db, &err, "INSERT INTO u VALUES (2)", "") == 0);
    db_close(&db);
}

/* Several processes create the same file at once and each adds its rows. */
static void test_together(void)
{
    enum { CHILDREN = 4, ROWS = 10 };
    struct err err;
    pid_t children[CHILDREN];
    tap_case("four processes open a new file at the same moment");
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        struct db *db = NULL;
        int failed = db_open(path_of("together"), steps, &db, &err);
        for (int row = 0; failed == 0 && row < ROWS; row++)
            failed = db_run(db, &err, "INSERT INTO t (b) VALUES ('x')", "");
        if (failed != 0)
            printf("# %s\n", err.text);
        fflush(stdout);
        _exit(failed == 0 ? 0 : 1);
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status = 0;
        OK(waitpid(children[i], &status, 0) == children[i]);
        EQ_INT(status, 0);
    }
    struct db *db = NULL;
    OK(db_open(path_of("together"), steps, &db, &err) == 0);
    EQ_INT(count(db, "SELECT count(*) FROM t"), CHILDREN * ROWS);
    db_close(&db);
}

static int count_files(void)
{
    char command[256];
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
    FILE *pipe = popen(command, "r");
    int files = -1;
    if (pipe != NULL && fscanf(pipe, "%d", &files) != 1)
        files = -1;
    if (pipe != NULL)
        pclose(pipe);
    return files;
}

static void test_reading(void)
{
    struct err err;
    struct db *db = NULL, *reader = NULL;
    tap_case("for reading alone");
    OK(db_open_reading(path_of("none"), steps, &reader, &err) != 0);
    EQ_INT(err.class, ERR_NOT_FOUND);
    const char *path = path_of("odd ?#%20'name");
    if (!OK(db_open(path, steps, &db, &err) == 0))
        return;
    OK(db_run(db, &err, "INSERT INTO u VALUES (5)", "") == 0);
    int files = count_files();
    OK(db_open_reading(path, steps, &reader, &err) == 0); /* beside who writes it */
    EQ_INT(count(reader, "SELECT a FROM u"), 5);
    OK(db_run(db, &err, "INSERT INTO u VALUES (6)", "") == 0);
    EQ_INT(count(reader, "SELECT count(*) FROM u"), 2);
    OK(db_run(reader, &err, "INSERT INTO u VALUES (7)", "") != 0);
    db_close(&reader);
    EQ_INT(count_files(), files);
    db_close(&db);
    files = count_files();
    OK(db_open_reading(path, steps, &reader, &err) == 0); /* alone: no log is made */
    EQ_INT(count(reader, "SELECT count(*) FROM u"), 2);
    EQ_INT(count_files(), files);
    db_close(&reader);
    EQ_INT(count_files(), files);
    OK(db_open_reading(path, two_steps, &reader, &err) != 0);
    HAS(err.text, "has schema version 1, this program reads 2");
    EQ_INT(count_files(), files);
    write_file(path_of("garbage"), "no database at all, and long enough to be read as one");
    OK(db_open_reading(path_of("garbage"), steps, &reader, &err) != 0);
    EQ_INT(err.class, ERR_INPUT);
    OK(db_open_reading(folder, steps, &reader, &err) != 0);
    EQ_INT(err.class, ERR_INPUT);
}

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return 99;
    test_values();
    test_refused();
    test_empty();
    test_fork();
    test_killed();
    test_together();
    test_reading();
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    OK(system(command) == 0);
    return tap_done();
}
