/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is learnt from the results that a host keeps: verdict.json in jobs/ID of a daemon and in runs/… of
 * people, with the queue's row of a job. Such a folder may be half removed, somebody else's, or hostile. */
#include "lab/history.h"

#include "base/file.h"
#include "base/name.h"
#include "intake/queue.h"
#include "judge/environment.h"
#include "judge/samples.h"
#include "judge/verdict.h"
#include "result_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 48, NAMES_MAX = 32 };
static const size_t verdict_bytes_max = 16u << 20;
static const unsigned long long all_bytes_max = 512ull << 20; /* read in all */

/* A folder of results, or what might be one. */
struct found {
    char name[64]; /* below the state folder */
    long long id;  /* of a job, or 0 */
    long long time;
};

struct reader {
    const struct history_state *from;
    struct history *history;
    uid_t owner;        /* of the state folder */
    struct found *list; /* owned */
    size_t count, cap;
    unsigned long long bytes;                    /* read so far */
    char names[NAMES_MAX][JOB_REPOSITORY_BYTES]; /* what the queue calls `from->repo` */
    size_t name_count;
    size_t elsewhere;   /* checks of other repositories */
    size_t untold;      /* results without a verdict… */
    char untold_as[64]; /* …such as this one */
};

/* ---- which folders there are ---- */

static int add_found(struct reader *reader, const char *kind, const char *name, long long time,
                     struct err *err)
{
    if (reader->count == reader->cap) {
        size_t cap = 2 * reader->cap + 64;
        struct found *more = realloc(reader->list, cap * sizeof *more);
        if (more == NULL)
            return err_set(err, ERR_HOST, "out of memory for a history");
        reader->list = more;
        reader->cap = cap;
    }
    struct found *found = &reader->list[reader->count++];
    *found = (struct found){.time = time};
    snprintf(found->name, sizeof found->name, "%s/%.*s", kind, NAME_BYTES, name);
    found->id = strcmp(kind, "jobs") == 0 ? strtoll(name, NULL, 10) : 0;
    return 0;
}

/* A job's folder is its number; a run's, process and time. Files of other names are nobody's. */
static bool is_folder_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < NAME_BYTES && name[0] != '-' && strspn(name, "0123456789-") == len;
}

static int list_folder(struct reader *reader, const char *kind, struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct stat info;
    int rc = 0;
    if (file_path(path, err, "%s/%s", reader->from->folder, kind) != 0)
        return -1;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT ? 0
                               : history_note(reader->history, err, "%s cannot be read: %s",
                                              path, strerror(errno));
    for (struct dirent *entry; rc == 0 && (entry = readdir(folder)) != NULL;)
        if (is_folder_name(entry->d_name) &&
            fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0)
            rc = add_found(reader, kind, entry->d_name, info.st_mtim.tv_sec, err);
    closedir(folder);
    return rc;
}

static int newest_first(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? 1 : -1;
    return strcmp(y->name, x->name);
}

/* ---- one file ---- */

/* What is opened is what is looked at: no link, and of the state folder's owner, root or us. 1: *fd; 0: it is not
 * there; -1 with a reason. */
static int open_plain(const struct reader *reader, int folder, const char *path,
                      bool is_folder, int *fd, struct stat *info, struct err *problem)
{
    const char *name = is_folder ? "it" : path;
    *fd = openat(folder, path,
                 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
                     (is_folder ? O_DIRECTORY : 0));
    if (*fd < 0 && errno == ENOENT)
        return 0;
    if (*fd < 0 && errno != ELOOP && errno != ENOTDIR)
        return err_errno(problem, ERR_INPUT, errno, "open `%s`", name);
    if (*fd < 0 || fstat(*fd, info) != 0 || (!is_folder && !S_ISREG(info->st_mode)))
        return err_set(problem, ERR_INPUT, "`%s` is no plain %s", name,
                       is_folder ? "folder" : "file");
    if (info->st_uid != reader->owner && info->st_uid != 0 && info->st_uid != geteuid())
        return err_set(problem, ERR_INPUT, "`%s` is another user's", name);
    return 1;
}

/* A file of one check. 1: read, with its time; 0: there is none; -1 with a reason. */
static int read_file(struct reader *reader, const struct found *found, const char *file,
                     size_t max, struct buf *out, long long *time, struct err *problem)
{
    char path[FILE_PATH_BYTES];
    struct stat info;
    FD_AUTO folder = -1;
    FD_AUTO fd = -1;
    if (file_path(path, problem, "%s/%s", reader->from->folder, found->name) != 0)
        return -1;
    int opened = open_plain(reader, AT_FDCWD, path, true, &folder, &info, problem);
    if (opened == 1)
        opened = open_plain(reader, folder, file, false, &fd, &info, problem);
    if (opened != 1)
        return opened;
    buf_init(out, max);
    if (file_read_fd(fd, file, out, problem) != 0)
        return -1;
    reader->bytes += out->len;
    *time = info.st_mtim.tv_sec;
    return 1;
}

/* ---- one check ---- */

/* An interval that is none, or not around its value, is not shown. */
static struct interval around(struct interval ci, double value)
{
    return isfinite(ci.low) && isfinite(ci.high) && ci.low >= 0 && ci.low <= value &&
                   value <= ci.high
               ? ci
               : (struct interval){value, value};
}

static int take_readings(const struct reader *reader, const struct comparison *comparison,
                         struct history_check *check, struct err *err)
{
    const char *only = reader->from->config;
    check->readings = calloc(comparison->count + 1, sizeof *check->readings);
    if (check->readings == NULL)
        return err_set(err, ERR_HOST, "out of memory for a history");
    for (size_t i = 0; i < comparison->count; i++) {
        const struct config_verdict *row = &comparison->configs[i];
        if (only != NULL && strcmp(only, row->config.name) != 0)
            continue;
        struct history_reading *reading = &check->readings[check->count++];
        memcpy(reading->config, row->config.name, sizeof reading->config);
        reading->verdict = row->verdict;
        reading->ns = row->median_ns[ARM_HEAD];
        reading->ci = around(row->median_ci[ARM_HEAD], reading->ns);
        reading->change = row->change;
    }
    return 0;
}

/* ---- of which repository ---- */

static bool is_here(const struct reader *reader, const char *sha)
{
    struct git_commit_info ignored;
    struct err err;
    return name_is_sha(sha) && git_read_commit(reader->from->repo, sha, &ignored, &err) == 0;
}

static bool has_name(const struct reader *reader, const char *name)
{
    for (size_t i = 0; i < reader->name_count; i++)
        if (strcasecmp(reader->names[i], name) == 0)
            return true;
    return false;
}

/* Names in the queue of the repository that is asked about: of jobs whose base or head it has. That
 * of another job it may lack: a head that was never fetched, or was squashed. */
static void find_names(struct reader *reader)
{
    struct queue_entry entry;
    struct err ignored;
    if (reader->from->db == NULL || reader->from->repository != NULL)
        return;
    for (size_t i = 0; i < reader->count && reader->name_count < NAMES_MAX; i++) {
        const struct job *job = &entry.job;
        if (reader->list[i].id > 0 &&
            queue_get(reader->from->db, reader->list[i].id, &entry, &ignored) == 0 &&
            !has_name(reader, job->repository) &&
            (is_here(reader, job->base) || is_here(reader, job->head)))
            memcpy(reader->names[reader->name_count++], job->repository,
                   sizeof job->repository);
    }
}

/* Has it none of the commits that were measured? Not known where there are none. */
static bool has_none(const struct reader *reader, const struct config_samples *config)
{
    size_t named = 0;
    for (size_t arm = 0; arm < ARM_COUNT; arm++) {
        const char *commit = config->arms[arm].commit;
        if (is_here(reader, commit))
            return false;
        named += commit[0] != '\0';
    }
    return named > 0;
}

/* Of a run nobody keeps which head it was: its samples know what was measured. False: another
 * repository's. */
static bool find_head(struct reader *reader, const struct found *found,
                      char head[MODEL_SHA_BYTES])
{
    bool ours = true;
    struct err ignored = {0};
    long long time;
    struct buf text = {0};
    SAMPLES_AUTO samples = {0};
    if (read_file(reader, found, RESULT_SAMPLES, reader->from->limits->samples_bytes, &text,
                  &time, &ignored) == 1 &&
        samples_parse(text.data, text.len, RESULT_SAMPLES, reader->from->limits, &samples,
                      &ignored) == 0 &&
        samples.count > 0) {
        memcpy(head, samples.configs[0].arms[ARM_HEAD].commit, MODEL_SHA_BYTES);
        ours = !has_none(reader, &samples.configs[0]);
    }
    buf_free(&text);
    return ours;
}

static void take_job(const struct queue_entry *entry, struct history_check *check)
{
    const struct job *job = &entry->job;
    check->queued = true;
    check->kind = job->kind;
    check->pr = job->pr;
    check->starts = entry->attempts;
    memcpy(check->repository, job->repository, sizeof check->repository);
    if (name_is_sha(job->head))
        memcpy(check->head, job->head, sizeof check->head);
    if (entry->finished_s > 0)
        check->time = entry->finished_s;
}

/* By env.json: how its times were measured, or "". */
static void find_protocol(struct reader *reader, const struct found *found,
                          char out[MODEL_PROTOCOL_BYTES])
{
    ENVIRONMENT_FILE_AUTO file = {.hash = ""};
    struct err ignored = {0};
    long long time;
    struct buf text = {0};
    if (read_file(reader, found, RESULT_ENVIRONMENT, ENVIRONMENT_MAX_BYTES, &text, &time,
                  &ignored) == 1 &&
        environment_parse(text.data, text.len, RESULT_ENVIRONMENT, &file, &ignored) == 0) {
        const char *name = environment_protocol(&file.environment);
        bool ok = model_name_ok(name) && strlen(name) < MODEL_PROTOCOL_BYTES;
        snprintf(out, MODEL_PROTOCOL_BYTES, "%s", ok ? name : "?");
    }
    buf_free(&text);
}

/* What the queue says of the job; false where it is not one that is asked for. */
static bool is_wanted(const struct reader *reader, const struct queue_entry *entry)
{
    const char *only = reader->from->repository;
    return only == NULL || (entry != NULL && strcasecmp(only, entry->job.repository) == 0);
}

static int take_check(struct reader *reader, const struct found *found,
                      const struct queue_entry *entry, const struct comparison *comparison,
                      long long time, struct err *err)
{
    char head[MODEL_SHA_BYTES] = "";
    bool named = entry != NULL && name_is_sha(entry->job.head);
    bool ours = named || find_head(reader, found, head);
    if (reader->from->repository == NULL &&
        (entry != NULL ? !has_name(reader, entry->job.repository) : !ours)) {
        reader->elsewhere++;
        return 0;
    }
    struct history_check *check = history_add_check(reader->history, err);
    if (check == NULL)
        return -1;
    check->time = time;
    memcpy(check->result, found->name, sizeof check->result);
    memcpy(check->head, head, sizeof check->head);
    find_protocol(reader, found, check->protocol);
    if (entry != NULL)
        take_job(entry, check);
    check->verdict = comparison->verdict;
    snprintf(check->reason, sizeof check->reason, "%s%.400s",
             comparison->partial[0] != '\0' ? "partial, no verdict of the pull request: " : "",
             comparison->reason);
    check->spent = comparison->spent;
    check->cost_micro = comparison_cost_micro(comparison);
    return take_readings(reader, comparison, check, err);
}

static int read_check(struct reader *reader, const struct found *found, struct err *err)
{
    struct err problem = {0};
    struct queue_entry entry;
    COMPARISON_AUTO comparison = {0};
    struct buf text = {0};
    long long time = 0;
    bool queued = found->id > 0 && reader->from->db != NULL &&
                  queue_get(reader->from->db, found->id, &entry, &problem) == 0;
    if (!is_wanted(reader, queued ? &entry : NULL) ||
        (queued && entry.state != JOB_JUDGED && entry.state != JOB_DONE))
        return 0;
    int got = read_file(reader, found, RESULT_VERDICT, verdict_bytes_max, &text, &time,
                        &problem);
    if (got > 0 &&
        verdict_parse_json(text.data, text.len, RESULT_VERDICT, &comparison, &problem) != 0)
        got = -1;
    buf_free(&text);
    if (got == 0) {
        if (reader->untold++ == 0)
            memcpy(reader->untold_as, found->name, sizeof reader->untold_as);
        return 0;
    }
    if (got < 0)
        return history_note(reader->history, err, "%s: %s", found->name, problem.text);
    return strcmp(comparison.device.slug, reader->history->device) != 0
               ? 0
               : take_check(reader, found, queued ? &entry : NULL, &comparison, time, err);
}

/* ---- all ---- */

static int oldest_first(const void *a, const void *b)
{
    const struct history_check *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return strcmp(x->result, y->result);
}

static int read_all(struct reader *reader, struct err *err)
{
    struct history *history = reader->history;
    if (list_folder(reader, "jobs", err) != 0 || list_folder(reader, "runs", err) != 0)
        return -1;
    if (reader->count > 0)
        qsort(reader->list, reader->count, sizeof *reader->list, newest_first);
    find_names(reader);
    for (size_t i = 0; i < reader->count; i++) {
        if (history->check_count == HISTORY_CHECKS_MAX || reader->bytes > all_bytes_max) {
            if (history_note(history, err, "%zu older results were not looked at",
                             reader->count - i) != 0)
                return -1;
            break;
        }
        if (read_check(reader, &reader->list[i], err) != 0)
            return -1;
    }
    if (reader->elsewhere > 0 &&
        history_note(history, err,
                     "checks of commits that this repository has not, left out: %zu "
                     "(--repository OWNER/NAME tells those of another)",
                     reader->elsewhere) != 0)
        return -1;
    if (reader->untold > 0 &&
        history_note(history, err,
                     "results without " RESULT_VERDICT ", of checks that run or were cut off: "
                     "%zu, such as %s",
                     reader->untold, reader->untold_as) != 0)
        return -1;
    if (history->check_count > 0)
        qsort(history->checks, history->check_count, sizeof *history->checks, oldest_first);
    return 0;
}

int history_read_state(const struct history_state *from, struct history *history,
                       struct err *err)
{
    struct stat info;
    struct reader reader = {.from = from, .history = history};
    if (stat(from->folder, &info) != 0)
        return errno == ENOENT ? 0
                               : history_note(history, err, "%s cannot be read: %s",
                                              from->folder, strerror(errno));
    reader.owner = info.st_uid;
    int rc = read_all(&reader, err);
    free(reader.list);
    return rc;
}
