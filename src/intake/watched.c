/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what was seen of watched repositories, and which jobs follow from what is new. */
#include "intake/watched.h"

#include "intake/queue.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A row for each pull request that was ever seen. page: of the list of open ones, 0: on none. turn:
 * how many times it was new; job: the first of those that were made the last time. updated, labeled:
 * of its label, see watched_label. */
const char watched_schema[] = "CREATE TABLE watched ("
                              " repository TEXT PRIMARY KEY COLLATE NOCASE,"
                              " branch TEXT NOT NULL,"
                              " tip TEXT NOT NULL DEFAULT '',"
                              " pushes INTEGER NOT NULL DEFAULT 0,"
                              " job INTEGER NOT NULL DEFAULT 0,"
                              " comment INTEGER NOT NULL DEFAULT -1);"
                              "CREATE TABLE watched_pull ("
                              " repository TEXT NOT NULL COLLATE NOCASE,"
                              " pr INTEGER NOT NULL,"
                              " head TEXT NOT NULL DEFAULT '',"
                              " draft INTEGER NOT NULL DEFAULT 0,"
                              " open INTEGER NOT NULL DEFAULT 0,"
                              " page INTEGER NOT NULL DEFAULT 0,"
                              " turn INTEGER NOT NULL DEFAULT 0,"
                              " job INTEGER NOT NULL DEFAULT 0,"
                              " updated TEXT NOT NULL DEFAULT '',"
                              " labeled TEXT NOT NULL DEFAULT '',"
                              " PRIMARY KEY (repository, pr));";

/* run: the greatest id of a run that was seen, -1: none was looked for yet. */
const char watched_schema_2[] =
    "ALTER TABLE watched ADD COLUMN run INTEGER NOT NULL DEFAULT -1;"
    "CREATE TABLE watched_run ("
    " repository TEXT NOT NULL COLLATE NOCASE,"
    " run INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL,"
    " PRIMARY KEY (repository, run));";

/* How the keys of jobs begin that nobody but us has asked for. */
#define OF_HEADS "watch/head/"
#define OF_PUSHES "watch/push/"

int watched_open(const struct watched *watched, struct err *err)
{
    const char *name = watched->repository->name, *branch = watched->repository->branch;
    if (db_run(watched->db, err,
               "INSERT OR IGNORE INTO watched (repository, branch) VALUES (?, ?)", "tt", name,
               branch) != 0)
        return -1;
    return db_run(
        watched->db, err,
        "UPDATE watched SET branch = ?, tip = '' WHERE repository = ? AND branch <> ?", "ttt",
        branch, name, branch);
}

/* ---- jobs ---- */

/* `like` for each device. Where `prefix` is one, it takes the place of those that were not begun, and is
 * left out where one from `from` on has found the same head. */
static int add_jobs(const struct watched *watched, const struct job *like, const char *prefix,
                    long long from, struct watched_jobs *out, struct err *err)
{
    const struct queue_owner owner = {.uid = (long long)geteuid(), .secret = ""};
    const struct host_repository *repository = watched->repository;
    *out = (struct watched_jobs){.count = 0};
    for (size_t i = 0; i < host_watched_devices(watched->host, repository); i++) {
        struct job job = *like;
        bool there = false, known = false;
        snprintf(job.repository, sizeof job.repository, "%s", repository->name);
        snprintf(job.base_ref, sizeof job.base_ref, "%s", repository->branch);
        snprintf(job.device, sizeof job.device, "%s",
                 host_watched_device(watched->host, repository, i));
        if (prefix != NULL && (queue_replace(watched->db, &job, prefix, err) != 0 ||
                               queue_is_at(watched->db, &job, prefix, from, &there, err) != 0))
            return -1;
        if (there)
            continue;
        if (job.kind == JOB_CHECK)
            job.base_ref[0] = '\0'; /* GitHub says it when the job is pinned */
        if (queue_add(watched->db, &job, &owner, &watched->host->limits, &known, err) != 0)
            return -1;
        if (!known)
            out->id[out->count++] = job.id;
    }
    return 0;
}

static long long first_of(const struct watched_jobs *jobs, long long otherwise)
{
    return jobs->count > 0 ? jobs->id[0] : otherwise;
}

/* ---- pull requests ---- */

struct row {
    char head[MODEL_SHA_BYTES];
    bool draft, open;
    unsigned page;
    long long turn, job;
};

/* One that was never seen is a closed one without a head. */
static int read_row(const struct watched *watched, int pr, struct row *out, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    *out = (struct row){.head = ""};
    if (db_prepare(watched->db, &stmt, err,
                   "SELECT head, draft, open, page, turn, job FROM watched_pull"
                   " WHERE repository = ? AND pr = ?",
                   "ti", watched->repository->name, (long long)pr) != 0)
        return -1;
    int found = db_step(stmt, err);
    if (found <= 0)
        return found;
    snprintf(out->head, sizeof out->head, "%s", db_text(stmt, 0));
    out->draft = db_int(stmt, 1) != 0;
    out->open = db_int(stmt, 2) != 0;
    out->page = (unsigned)db_int(stmt, 3);
    out->turn = db_int(stmt, 4);
    out->job = db_int(stmt, 5);
    return 0;
}

static int write_row(const struct watched *watched, const struct watched_pull *pull,
                     const struct row *row, struct err *err)
{
    return db_run(
        watched->db, err,
        "INSERT INTO watched_pull (repository, pr, head, draft, open, page, turn, job)"
        " VALUES (?, ?, ?, ?, 1, ?, ?, ?) ON CONFLICT (repository, pr) DO UPDATE SET"
        " head = excluded.head, draft = excluded.draft, open = 1,"
        " page = excluded.page, turn = excluded.turn, job = excluded.job",
        "titiiii", watched->repository->name, (long long)pull->number, pull->head,
        (long long)pull->draft, (long long)row->page, row->turn, row->job);
}

static int see_pull(const struct watched *watched, unsigned page,
                    const struct watched_pull *pull, struct watched_jobs *out, struct err *err)
{
    struct row row;
    *out = (struct watched_jobs){.count = 0};
    if (read_row(watched, pull->number, &row, err) != 0)
        return -1;
    bool ready = row.draft && !pull->draft && watched->repository->skip_drafts;
    bool moved = row.open && strcmp(row.head, pull->head) != 0;
    if (row.open && !moved && row.draft == pull->draft && row.page == page)
        return 0;
    row.page = page;
    if (!row.open || moved || ready) {
        struct job job = {.kind = JOB_CHECK, .pr = pull->number};
        memcpy(job.event_head, pull->head, sizeof job.event_head);
        snprintf(job.key, sizeof job.key, OF_HEADS "%lld", ++row.turn);
        /* What was found while it was closed, or not ready, counts no more. */
        if (add_jobs(watched, &job, OF_HEADS, moved && !ready ? row.job : LLONG_MAX, out,
                     err) != 0)
            return -1;
        row.job = first_of(out, row.job);
    }
    return write_row(watched, pull, &row, err);
}

int watched_see_pull(const struct watched *watched, unsigned page,
                     const struct watched_pull *pull, struct watched_jobs *out,
                     struct err *err)
{
    if (db_begin(watched->db, err) != 0)
        return -1;
    return db_end(watched->db, see_pull(watched, page, pull, out, err), err);
}

/* Of those who stood on the page: -1 is an error, 0: there is none who is not among `pulls`. */
static int find_gone(const struct watched *watched, unsigned page,
                     const struct watched_pull *pulls, size_t count, long long *pr,
                     struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    int row;
    if (db_prepare(watched->db, &stmt, err,
                   "SELECT pr FROM watched_pull WHERE repository = ? AND page = ?", "ti",
                   watched->repository->name, (long long)page) != 0)
        return -1;
    while ((row = db_step(stmt, err)) > 0) {
        bool stays = false;
        *pr = db_int(stmt, 0);
        for (size_t i = 0; i < count; i++)
            stays = stays || pulls[i].number == *pr;
        if (!stays)
            return 1;
    }
    return row;
}

int watched_see_page(const struct watched *watched, unsigned page,
                     const struct watched_pull *pulls, size_t count, struct err *err)
{
    long long pr = 0;
    int found;
    while ((found = find_gone(watched, page, pulls, count, &pr, err)) > 0)
        if (db_run(watched->db, err,
                   "UPDATE watched_pull SET page = 0 WHERE repository = ? AND pr = ?", "ti",
                   watched->repository->name, pr) != 0)
            return -1;
    return found;
}

int watched_settle(const struct watched *watched, unsigned pages, struct err *err)
{
    return db_run(watched->db, err,
                  "UPDATE watched_pull SET open = 0, page = 0"
                  " WHERE repository = ? AND open = 1 AND (page = 0 OR page > ?)",
                  "ti", watched->repository->name, (long long)pages);
}

/* ---- the branch ---- */

static int read_watched(const struct watched *watched, struct db_stmt **stmt, struct err *err)
{
    if (db_prepare(watched->db, stmt, err,
                   "SELECT tip, pushes, job, comment FROM watched WHERE repository = ?", "t",
                   watched->repository->name) != 0)
        return -1;
    int row = db_step(*stmt, err);
    return row > 0    ? 0
           : row == 0 ? err_set(err, ERR_INTERNAL, "watch: `%s` was not opened",
                                watched->repository->name)
                      : -1;
}

int watched_tip(const struct watched *watched, char tip[MODEL_SHA_BYTES], struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (read_watched(watched, &stmt, err) != 0)
        return -1;
    snprintf(tip, MODEL_SHA_BYTES, "%s", db_text(stmt, 0));
    return 0;
}

static int see_tip(const struct watched *watched, const char *tip, bool news,
                   struct watched_jobs *out, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    *out = (struct watched_jobs){.count = 0};
    if (read_watched(watched, &stmt, err) != 0)
        return -1;
    long long pushes = db_int(stmt, 1) + 1, from = db_int(stmt, 2);
    db_finish(&stmt);
    struct job job = {.kind = JOB_PROMOTE};
    snprintf(job.event_head, sizeof job.event_head, "%s", tip);
    snprintf(job.key, sizeof job.key, OF_PUSHES "%lld", pushes);
    if (news && add_jobs(watched, &job, OF_PUSHES, from, out, err) != 0)
        return -1;
    return db_run(watched->db, err,
                  "UPDATE watched SET tip = ?, pushes = ?, job = ? WHERE repository = ?",
                  "tiit", tip, pushes, first_of(out, from), watched->repository->name);
}

int watched_see_tip(const struct watched *watched, const char *tip, bool news,
                    struct watched_jobs *out, struct err *err)
{
    if (db_begin(watched->db, err) != 0)
        return -1;
    return db_end(watched->db, see_tip(watched, tip, news, out, err), err);
}

/* ---- words ---- */

int watched_comment(const struct watched *watched, long long *id, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (read_watched(watched, &stmt, err) != 0)
        return -1;
    *id = db_int(stmt, 3);
    return 0;
}

int watched_see_comment(const struct watched *watched, long long id, struct err *err)
{
    return db_run(watched->db, err,
                  "UPDATE watched SET comment = max(comment, ?) WHERE repository = ?", "it",
                  id, watched->repository->name);
}

int watched_label(const struct watched *watched, int pr, const char *updated, bool *same,
                  char when[32], struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(watched->db, &stmt, err,
                   "SELECT updated, labeled FROM watched_pull WHERE repository = ? AND pr = ?",
                   "ti", watched->repository->name, (long long)pr) != 0)
        return -1;
    int row = db_step(stmt, err);
    *same = row > 0 && updated[0] != '\0' && strcmp(db_text(stmt, 0), updated) == 0;
    snprintf(when, 32, "%s", row > 0 ? db_text(stmt, 1) : "");
    return row < 0 ? -1 : 0;
}

int watched_see_label(const struct watched *watched, int pr, const char *updated,
                      struct err *err)
{
    return db_run(watched->db, err,
                  "UPDATE watched_pull SET updated = ? WHERE repository = ? AND pr = ?", "tti",
                  updated, watched->repository->name, (long long)pr);
}

/* ---- runs ---- */

static int newest_run(const struct watched *watched, long long *id, struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    if (db_prepare(watched->db, &stmt, err, "SELECT run FROM watched WHERE repository = ?",
                   "t", watched->repository->name) != 0 ||
        db_step(stmt, err) < 0)
        return -1;
    *id = db_int(stmt, 0);
    return 0;
}

int watched_run_is_news(const struct watched *watched, const struct watched_run *run,
                        struct err *err)
{
    DB_STMT_AUTO *stmt = NULL;
    long long newest;
    if (newest_run(watched, &newest, err) != 0 ||
        db_prepare(watched->db, &stmt, err,
                   "SELECT attempt FROM watched_run WHERE repository = ? AND run = ?", "ti",
                   watched->repository->name, run->id) != 0)
        return -1;
    int row = db_step(stmt, err);
    return row < 0 ? -1 : row > 0 ? db_int(stmt, 0) < run->attempt : run->id > newest;
}

static int see_run(const struct watched *watched, const struct watched_run *run,
                   struct err *err)
{
    const char *name = watched->repository->name;
    return db_run(watched->db, err,
                  "INSERT INTO watched_run (repository, run, attempt) VALUES (?, ?, ?)"
                  " ON CONFLICT (repository, run) DO UPDATE SET attempt ="
                  " max(attempt, excluded.attempt)",
                  "tii", name, run->id, (long long)run->attempt) != 0
               ? -1
               : db_run(watched->db, err,
                        "UPDATE watched SET run = max(run, ?) WHERE repository = ?", "it",
                        run->id, name);
}

int watched_see_run(const struct watched *watched, const struct watched_run *run,
                    struct err *err)
{
    if (db_begin(watched->db, err) != 0)
        return -1;
    return db_end(watched->db, see_run(watched, run, err), err);
}

static int begin_runs(const struct watched *watched, const struct watched_run *runs,
                      size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (see_run(watched, &runs[i], err) != 0)
            return -1;
    return db_run(watched->db, err,
                  "UPDATE watched SET run = max(run, 0) WHERE repository = ?", "t",
                  watched->repository->name);
}

int watched_begin_runs(const struct watched *watched, const struct watched_run *runs,
                       size_t count, bool *begun, struct err *err)
{
    long long newest;
    if (newest_run(watched, &newest, err) != 0)
        return -1;
    *begun = newest < 0;
    if (newest >= 0)
        return 0;
    if (db_begin(watched->db, err) != 0)
        return -1;
    return db_end(watched->db, begin_runs(watched, runs, count, err), err);
}

int watched_forget_runs(const struct watched *watched, long long before, struct err *err)
{
    return db_run(watched->db, err, "DELETE FROM watched_run WHERE repository = ? AND run < ?",
                  "ti", watched->repository->name, before);
}

/* ---- a word that is taken ---- */

static int take_word(const struct watched *watched, const struct watched_word *word,
                     struct watched_jobs *out, struct err *err)
{
    struct job job = {.kind = JOB_CHECK, .pr = word->pr};
    memcpy(job.event_head, word->head, sizeof job.event_head);
    if (word->comment > 0)
        snprintf(job.key, sizeof job.key, "watch/comment/%lld", word->comment);
    else if (word->run.id > 0)
        snprintf(job.key, sizeof job.key, "watch/run/%lld/%d", word->run.id,
                 word->run.attempt);
    else
        snprintf(job.key, sizeof job.key, "watch/label/%s", word->labeled);
    if (add_jobs(watched, &job, NULL, 0, out, err) != 0)
        return -1;
    if (word->run.id > 0)
        return see_run(watched, &word->run, err);
    return word->comment > 0
               ? watched_see_comment(watched, word->comment, err)
               : db_run(watched->db, err,
                        "UPDATE watched_pull SET labeled = ? WHERE repository = ? AND pr = ?",
                        "tti", word->labeled, watched->repository->name, (long long)word->pr);
}

int watched_take_word(const struct watched *watched, const struct watched_word *word,
                      struct watched_jobs *out, struct err *err)
{
    if (db_begin(watched->db, err) != 0)
        return -1;
    return db_end(watched->db, take_word(watched, word, out, err), err);
}
