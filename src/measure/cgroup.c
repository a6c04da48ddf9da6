/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the files of cgroup v2: finding what was delegated to us, limits, the end. What runs
 * in a cgroup, and what is said when there is none, is its callers' affair. */
#include "measure/cgroup.h"

#include "base/buf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* Where we ourselves are below a delegated cgroup. */
#define CGROUP_LEAF "ratchet-self"
/* …and what others are called, up to the number of the process that made them. */
#define CGROUP_NAME "sandbox-"
#define CGROUP_CONTROLLERS "+memory +pids"

enum { END_TRIES = 250, END_WAIT_MS = 20, NAME_TRIES = 1000 };

static int read_file(const char *folder, const char *name, struct buf *out)
{
    char path[FILE_PATH_BYTES];
    return file_path(path, NULL, "%s/%s", folder, name) == 0 ? file_read(path, out, NULL) : -1;
}

/* 0, or errno. The kernel takes one value by one write. */
static int write_file(const char *folder, const char *name, const char *value)
{
    char path[FILE_PATH_BYTES];
    if (file_path(path, NULL, "%s/%s", folder, name) != 0)
        return ENAMETOOLONG;
    FD_AUTO fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ssize_t put = write(fd, value, strlen(value));
    return put == (ssize_t)strlen(value) ? 0 : put < 0 ? errno : EIO;
}

/* ---- what was delegated ---- */

static bool has_controllers(const char *folder, const char *file)
{
    BUF_AUTO text;
    buf_init(&text, 4096);
    bool memory = false, pids = false;
    if (read_file(folder, file, &text) != 0)
        return false;
    char *rest = NULL;
    for (char *word = strtok_r(text.data, " \n", &rest); word != NULL;
         word = strtok_r(NULL, " \n", &rest)) {
        memory = memory || strcmp(word, "memory") == 0;
        pids = pids || strcmp(word, "pids") == 0;
    }
    return memory && pids;
}

static bool has_file(const char *folder, const char *name)
{
    char path[FILE_PATH_BYTES];
    return file_path(path, NULL, "%s/%s", folder, name) == 0 && access(path, F_OK) == 0;
}

/* Our own cgroup, or the one above it where we have moved into our leaf already. */
static int own_folder(const char *mount, const char *self, char out[FILE_PATH_BYTES])
{
    BUF_AUTO text;
    buf_init(&text, 64 << 10);
    if (file_read(self, &text, NULL) != 0)
        return -1;
    const char *line = text.data;
    while (strncmp(line, "0::/", 4) != 0) {
        line += strcspn(line, "\n");
        if (*line++ == '\0')
            return -1;
    }
    line += 3;
    int length = (int)strcspn(line, "\n");
    if (memmem(line, (size_t)length, "/..", 3) != NULL || /* of another namespace */
        file_path(out, NULL, "%s%.*s", mount, length, line) != 0)
        return -1;
    char *last = strrchr(out, '/');
    if (last[1] == '\0' || strcmp(last + 1, CGROUP_LEAF) == 0)
        *last = '\0';
    return 0;
}

static bool is_alone(const char *folder, pid_t pid)
{
    BUF_AUTO text;
    buf_init(&text, 64 << 10);
    char own[24];
    snprintf(own, sizeof own, "%ld\n", (long)pid);
    return read_file(folder, "cgroup.procs", &text) == 0 && strcmp(text.data, own) == 0;
}

static int move_to_leaf(const char *folder, pid_t pid, struct err *err)
{
    char leaf[FILE_PATH_BYTES], own[24];
    if (!is_alone(folder, pid))
        return err_set(err, ERR_NOT_FOUND, "other processes are in our cgroup `%s`", folder);
    snprintf(own, sizeof own, "%ld", (long)pid);
    if (file_path(leaf, err, "%s/" CGROUP_LEAF, folder) != 0)
        return -1;
    int problem = mkdir(leaf, 0755) == 0 || errno == EEXIST ? 0 : errno;
    if (problem == 0)
        problem = write_file(leaf, "cgroup.procs", own);
    if (problem == 0)
        problem = write_file(folder, "cgroup.subtree_control", CGROUP_CONTROLLERS);
    return problem == 0 ? 0 : err_errno(err, ERR_NOT_FOUND, problem, "cgroup `%s`", folder);
}

static int not_delegated(struct err *err)
{
    return err_set(err, ERR_NOT_FOUND,
                   "no cgroup v2 controllers are delegated to this process "
                   "(systemd unit: Delegate=memory pids)");
}

int cgroup_find_in(const char *mount, const char *self, pid_t pid,
                   char folder[FILE_PATH_BYTES], struct err *err)
{
    char own[FILE_PATH_BYTES];
    /* The root of all cgroups has no type; its controllers cannot be taken. */
    if (own_folder(mount, self, own) != 0 || !has_file(own, "cgroup.type") ||
        !has_controllers(own, "cgroup.controllers") || access(own, W_OK) != 0)
        return not_delegated(err);
    if (!has_controllers(own, "cgroup.subtree_control") && move_to_leaf(own, pid, err) != 0)
        return -1;
    memcpy(folder, own, sizeof own);
    return 0;
}

int cgroup_find(char folder[FILE_PATH_BYTES], struct err *err)
{
    static const char mount[] = "/sys/fs/cgroup";
    struct statfs fs;
    /* Where the first version is mounted there, the second one has no controllers. */
    if (statfs(mount, &fs) != 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
        return not_delegated(err);
    return cgroup_find_in(mount, "/proc/self/cgroup", getpid(), folder, err);
}

/* ---- one sandbox's ---- */

static void write_limit(char text[32], unsigned long long value)
{
    if (value == 0)
        snprintf(text, 32, "max");
    else
        snprintf(text, 32, "%llu", value);
}

int cgroup_limit(const struct cgroup *cgroup, const struct cgroup_limits *limits,
                 struct err *err)
{
    char memory[32], processes[32];
    write_limit(memory, limits->memory_bytes);
    write_limit(processes, limits->processes);
    const struct {
        const char *file, *value;
        bool needed; /* a kernel without swap has no file for it */
    } files[] = {
        {"memory.max", memory, true},
        {"memory.swap.max", "0", false},
        {"memory.oom.group", "1", false}, /* all of the job, not its largest process */
        {"pids.max", processes, true}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        int problem = write_file(cgroup->folder, files[i].file, files[i].value);
        if (problem != 0 && (files[i].needed || problem != ENOENT))
            return err_errno(err, ERR_HOST, problem, "cgroup: `%s/%s`", cgroup->folder,
                             files[i].file);
    }
    return 0;
}

int cgroup_make(const char *folder, const struct cgroup_limits *limits, struct cgroup *out,
                struct err *err)
{
    static atomic_uint made;
    struct cgroup cgroup;
    int rc = -1;
    /* A run that was killed may have left its folder, and process numbers come again. */
    for (int i = 0; rc != 0 && i < NAME_TRIES; i++) {
        if (file_path(cgroup.folder, err, "%s/" CGROUP_NAME "%ld-%u", folder, (long)getpid(),
                      atomic_fetch_add(&made, 1)) != 0)
            return -1;
        rc = mkdir(cgroup.folder, 0755);
        if (rc != 0 && errno != EEXIST)
            break;
    }
    if (rc != 0)
        return err_errno(err, ERR_HOST, errno, "create cgroup `%s`", cgroup.folder);
    if (cgroup_limit(&cgroup, limits, err) != 0) {
        rmdir(cgroup.folder);
        return -1;
    }
    *out = cgroup;
    return 0;
}

/* `oom` is of the cgroup's own limit, `oom_kill` of any. */
enum cgroup_memory cgroup_memory(const struct cgroup *cgroup)
{
    BUF_AUTO text;
    buf_init(&text, 4096);
    unsigned long long own = 0, killed = 0;
    if (read_file(cgroup->folder, "memory.events", &text) != 0)
        return CGROUP_FITS;
    char *rest = NULL;
    for (char *line = strtok_r(text.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "oom ", 4) == 0)
            own = strtoull(line + 4, NULL, 10);
        if (strncmp(line, "oom_kill ", 9) == 0)
            killed = strtoull(line + 9, NULL, 10);
    }
    return killed == 0 ? CGROUP_FITS : own > 0 ? CGROUP_RAN_OUT : CGROUP_HOST_RAN_OUT;
}

/* For kernels before 5.14, which have no cgroup.kill. */
static void kill_each(const char *folder)
{
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    if (read_file(folder, "cgroup.procs", &text) != 0)
        return;
    char *rest = NULL;
    for (char *line = strtok_r(text.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        long pid = strtol(line, NULL, 10);
        if (pid > 1)
            kill((pid_t)pid, SIGKILL);
    }
}

int cgroup_end(const struct cgroup *cgroup, struct err *err)
{
    int problem = EBUSY;
    for (int i = 0; problem == EBUSY && i < END_TRIES; i++) {
        problem = rmdir(cgroup->folder) == 0 || errno == ENOENT ? 0 : errno;
        if (problem != EBUSY)
            break;
        if (write_file(cgroup->folder, "cgroup.kill", "1") != 0)
            kill_each(cgroup->folder);
        nanosleep(&(struct timespec){.tv_nsec = END_WAIT_MS * 1000000L}, NULL);
    }
    return problem == 0
               ? 0
               : err_errno(err, ERR_HOST, problem, "remove cgroup `%s`", cgroup->folder);
}

void cgroup_sweep(const char *folder)
{
    DIR *all = opendir(folder);
    struct dirent *entry;
    while (all != NULL && (entry = readdir(all)) != NULL) {
        struct cgroup cgroup;
        long maker = 0;
        if (sscanf(entry->d_name, CGROUP_NAME "%ld-", &maker) != 1 || maker <= 0 ||
            kill((pid_t)maker, 0) == 0 || errno != ESRCH ||
            file_path(cgroup.folder, NULL, "%s/%s", folder, entry->d_name) != 0)
            continue;
        if (rmdir(cgroup.folder) == 0)
            continue;
        if (write_file(cgroup.folder, "cgroup.kill", "1") != 0)
            kill_each(cgroup.folder);
        rmdir(cgroup.folder);
    }
    if (all != NULL)
        closedir(all);
}
