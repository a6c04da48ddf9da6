/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the children that are no steps: found in /proc, since one that comes to us says nothing. */
#include "daemon/strays.h"

#include "base/file.h"
#include "measure/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int strays_adopt(struct strays *strays, struct err *err)
{
    struct timespec now;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return err_errno(err, ERR_HOST, errno, "adopt what steps leave behind");
    clock_gettime(CLOCK_BOOTTIME, &now);
    const unsigned long long ticks = (unsigned long long)sysconf(_SC_CLK_TCK);
    strays->may_kill = getpid() != 1;
    strays->since = (unsigned long long)now.tv_sec * ticks +
                    (unsigned long long)now.tv_nsec * ticks / 1000000000u;
    return 0;
}

/* "17 (any name) S PARENT …", and the 22nd word is when it started. */
static bool is_child(pid_t pid, unsigned long long *born)
{
    char path[64];
    int parent;
    BUF_AUTO text;
    buf_init(&text, 4096);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    const char *rest = file_read(path, &text, NULL) == 0 ? strrchr(text.data, ')') : NULL;
    return rest != NULL &&
           sscanf(rest,
                  ") %*c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                  "%*s %llu",
                  &parent, born) == 2 &&
           parent == getpid();
}

static bool is_step(const struct lanes *lanes, pid_t pid)
{
    for (size_t i = 0; lanes != NULL && i < lanes->count; i++)
        if (lanes->lane[i].pid == pid)
            return true;
    return false;
}

/* As our own user: a stranger's code could start our program, too. */
static bool runs_our_program(pid_t pid)
{
    char path[64];
    struct stat process, its, ours;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    if (stat(path, &process) != 0 || process.st_uid != geteuid())
        return false;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return stat(path, &its) == 0 && stat("/proc/self/exe", &ours) == 0 &&
           its.st_dev == ours.st_dev && its.st_ino == ours.st_ino;
}

/* Nobody else waits for it, so its number stays its own until we do. False: it is gone. */
static bool end_stray(const struct strays *strays, pid_t pid, unsigned long long born)
{
    if (waitpid(pid, NULL, WNOHANG) == pid || !strays->may_kill || born <= strays->since ||
        runs_our_program(pid))
        return false;
    kill(pid, SIGKILL);
    return true;
}

/* Sandboxes of steps that were killed. */
static void end_sandboxes(void)
{
    char folder[FILE_PATH_BYTES];
    if (cgroup_find(folder, NULL) == 0)
        cgroup_sweep(folder);
}

unsigned strays_end(const struct strays *strays, const struct lanes *lanes, pid_t other)
{
    end_sandboxes();
    unsigned dying = 0;
    DIR *all = opendir("/proc");
    struct dirent *entry;
    while (all != NULL && (entry = readdir(all)) != NULL) {
        unsigned long long born;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && pid != other && is_child(pid, &born) && !is_step(lanes, pid))
            dying += end_stray(strays, pid, born);
    }
    if (all != NULL)
        closedir(all);
    return dying;
}

void strays_end_all(const struct strays *strays)
{
    enum { TRIES = 200, TRY_MS = 5 };
    for (int i = 0; i < TRIES && strays_end(strays, NULL, 0) > 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = TRY_MS * 1000000}, NULL);
}
