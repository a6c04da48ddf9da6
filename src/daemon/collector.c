/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how old and how large what is kept may be. */
#include "daemon/collector.h"

#include "base/file.h"
#include "base/line.h"
#include "base/proc.h"
#include "daemon/state.h"
#include "daemon/store.h"
#include "measure/build.h"
#include "pipeline/attempts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DAY_S = 86400 };

/* ---- folders ---- */

/* Of one entry, whose path and time of last change are given: is it to go? 1, 0, or -1. */
typedef int sweep_function(void *context, const char *name, const char *path, time_t changed,
                           struct err *err);

/* Ask about each entry of a folder, which need not be there, and remove what is to go. */
static int sweep(const char *folder, sweep_function *goes, void *context, struct err *err)
{
    DIR *dir = opendir(folder);
    int result = 0;
    if (dir == NULL)
        return errno == ENOENT ? 0 : err_errno(err, ERR_HOST, errno, "open `%s`", folder);
    for (struct dirent *entry; result == 0 && (entry = readdir(dir)) != NULL;) {
        char path[FILE_PATH_BYTES];
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        result = file_path(path, err, "%s/%s", folder, entry->d_name);
        if (result != 0 || lstat(path, &st) != 0)
            continue; /* gone meanwhile */
        int go = goes(context, entry->d_name, path, st.st_mtim.tv_sec, err);
        result = go > 0 ? file_remove_tree(path, err) : go;
    }
    closedir(dir);
    return result;
}

struct age {
    struct db *db; /* NULL: not asked */
    time_t before;
};

static int is_old(void *context, const char *name, const char *path, time_t changed,
                  struct err *err)
{
    (void)name, (void)path, (void)err;
    const struct age *age = context;
    return changed < age->before;
}

/* A cache that nobody has opened for so long. Whoever uses one holds a shared lock on its folder
 * (base/git_cache.c), and touches it; what is no folder is a lock that stays. */
static int remove_unused(void *context, const char *name, const char *path, time_t changed,
                         struct err *err)
{
    (void)name;
    const struct age *age = context;
    if (changed >= age->before)
        return 0;
    FD_AUTO fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    /* Removed here, while nobody can open it. */
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? file_remove_tree(path, err) : 0;
}

/* A folder of a job that is in no row: of a database that was lost. */
static int is_unknown(void *context, const char *name, const char *path, time_t changed,
                      struct err *err)
{
    (void)path;
    const struct age *age = context;
    struct queue_entry entry;
    if (changed >= age->before)
        return 0;
    if (queue_get(age->db, strtoll(name, NULL, 10), &entry, err) == 0)
        return 0;
    return err->class == ERR_NOT_FOUND ? 1 : -1;
}

/* ---- scratch ---- */

/* Commands hold a lock beside their scratch, and make it first: who gets it removes both. Steps do
 * not: `context` says that none runs. */
static int is_abandoned(void *context, const char *name, const char *path, time_t changed,
                        struct err *err)
{
    (void)changed;
    const bool *no_steps = context;
    static const char run[] = "run-", ending[] = ".lock";
    char other[FILE_PATH_BYTES];
    FD_AUTO fd = -1;
    size_t len = strlen(name);
    if (strncmp(name, run, sizeof run - 1) != 0)
        return *no_steps;
    bool is_lock = len > sizeof ending && strcmp(name + len - sizeof ending + 1, ending) == 0;
    if (!is_lock)
        return file_path(other, err, "%s%s", path, ending) != 0 ? -1
               : access(other, F_OK) == 0                       ? 0
                                                                : 1;
    if (file_lock(path, &fd, err) != 0)
        return err->class == ERR_CONFLICT ? 0 : -1;
    int shown = (int)(strlen(path) - sizeof ending + 1);
    return file_path(other, err, "%.*s", shown, path) == 0 && file_remove_tree(other, err) == 0
               ? 1
               : -1;
}

static int collect_scratch(const struct host *host, bool no_steps, struct err *err)
{
    char scratch[FILE_PATH_BYTES];
    if (state_scratch(host, scratch, err) != 0 ||
        sweep(scratch, is_abandoned, &no_steps, err) != 0)
        return -1;
    return file_mkdirs(scratch, 0711, err);
}

int collector_empty_scratch(const struct host *host, struct err *err)
{
    return collect_scratch(host, true, err);
}

int collector_drop_abandoned(const struct host *host, struct err *err)
{
    return collect_scratch(host, false, err);
}

/* ---- all of it ---- */

static int remove_job(void *context, long long job)
{
    const struct collector *collector = context;
    char folder[FILE_PATH_BYTES];
    struct err err;
    struct queue_entry entry;
    if (queue_get(collector->db, job, &entry, &err) == 0 && entry.state == JOB_JUDGED)
        line_err(
            "ratchetd: job %lld is given up: GitHub has not taken its verdict in %llu days"
            "%s%s",
            job, collector->host->limits.keep_days, entry.untold[0] == '\0' ? "" : ": ",
            entry.untold);
    if (state_job(collector->host, job, folder, &err) == 0 &&
        file_remove_tree(folder, &err) == 0)
        return 0;
    line_err("ratchetd: %s", err.text);
    return -1;
}

/* What is in the way in one folder is not in that of the others. */
static int collect_old(const struct host *host, struct db *db, time_t before, struct err *err)
{
    struct age age = {.db = db, .before = before};
    const struct {
        const char *folder;
        sweep_function *goes;
    } kinds[] = {{"jobs", is_unknown}, {"runs", is_old}, {"repos", remove_unused}};
    char folder[FILE_PATH_BYTES];
    int result = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct err why = {0};
        if (file_path(folder, &why, "%s/%s", host->state, kinds[i].folder) == 0 &&
            sweep(folder, kinds[i].goes, &age, &why) == 0)
            continue;
        *err = why;
        result = -1;
    }
    return result;
}

static int collect_cache(const struct host *host, struct err *err)
{
    char cache[FILE_PATH_BYTES];
    if (file_path(cache, err, "%s/cache", host->state) != 0 ||
        file_mkdirs(cache, 0700, err) != 0)
        return -1;
    return build_cache_collect(cache, host->limits.cache_bytes, err);
}

/* What is in the way of one is not in that of the others. */
void collector_collect(struct collector *collector)
{
    const struct host *host = collector->host;
    struct err err = {0};
    if (collector->due_ns > proc_now_ns())
        return;
    long long passed_s = collector->last_ns == 0
                             ? 0
                             : (long long)((proc_now_ns() - collector->last_ns) / 1000000000u);
    collector->last_ns = proc_now_ns();
    collector->due_ns = collector->last_ns + 1000000ull * host->limits.collect_ms;
    long long keep_s = (long long)host->limits.keep_days * DAY_S;
    time_t before = time(NULL) - keep_s;
    if (queue_note_tried(collector->db, passed_s, &err) != 0 ||
        queue_collect(collector->db, before, keep_s, remove_job, collector, &err) != 0)
        line_err("ratchetd: collect jobs: %s", err.text);
    if (attempts_collect(collector->db, before, &err) != 0 ||
        store_collect(collector->db, &err) != 0)
        line_err("ratchetd: collect what was owed: %s", err.text);
    if (collect_old(host, collector->db, before, &err) != 0)
        line_err("ratchetd: collect: %s", err.text);
    if (collect_scratch(host, false, &err) != 0)
        line_err("ratchetd: collect scratch: %s", err.text);
    if (collect_cache(host, &err) != 0)
        line_err("ratchetd: collect libraries: %s", err.text);
}
