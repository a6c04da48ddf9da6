/* SPDX-License-Identifier: Apache-2.0 */
/* For unit tests that start sandboxed jobs: run a program of the host, see whether a job
 * has left processes behind, run the whole test once more as a plain user. */
#ifndef RATCHET_TESTS_JOBS_H
#define RATCHET_TESTS_JOBS_H

#include "base/file.h"
#include "base/proc.h"
#include "tests/tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_NOBODY = 65534 };

/* Run a host program; its output goes to `out` (NULL: thrown away). True on exit code 0. */
static inline bool jobs_run_host(const char *const *argv, const char *cwd, struct buf *out)
{
    const char *const env[] = {"PATH=/usr/bin:/bin", "HOME=/nonexistent",
                               "GIT_CONFIG_NOSYSTEM=1", NULL};
    struct proc_spec spec = {.argv = argv, .envp = env, .cwd = cwd, .stdin_fd = -1};
    spec.uid = (uid_t)-1;
    spec.gid = (gid_t)-1;
    spec.limits.wall_ms = 300000;
    struct proc_result result;
    BUF_AUTO said;
    buf_init(&said, 1 << 20);
    bool ok = proc_run(&spec, &said, &result, NULL) == 0 && result.end == PROC_EXITED &&
              result.code == 0;
    if (out != NULL)
        buf_add(out, said.data, said.len);
    else if (!ok)
        printf("# %s: %s\n", argv[0], said.data);
    return ok;
}

/* Is there a process, other than ourselves, whose command line contains `mark`? */
static inline bool jobs_running(const char *mark)
{
    bool found = false;
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (!found && proc != NULL && (entry = readdir(proc)) != NULL) {
        char path[300], line[4096] = "";
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
            atoi(entry->d_name) == getpid())
            continue;
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
        found = got > 0 && memmem(line, (size_t)got, mark, strlen(mark)) != NULL;
    }
    if (proc != NULL)
        closedir(proc);
    return found;
}

/* Gone within ten seconds: the kernel takes a namespace down after bwrap has ended. */
static inline bool jobs_gone(const char *mark)
{
    for (int i = 0; i < 500; i++) {
        if (!jobs_running(mark))
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return false;
}

/* As root: this very test program once more, as a plain user from the start. */
static inline void jobs_again_as_nobody(const char *temp)
{
    tap_case("all of this as a plain user");
    char self[256];
    snprintf(self, sizeof self, "%s/this-test", temp);
    if (!OK(file_copy("/proc/self/exe", self, 0755, NULL) == 0))
        return;
    const char *const argv[] = {"setpriv", "--reuid=65534", "--regid=65534",
                                "--clear-groups", self, NULL};
    BUF_AUTO said;
    buf_init(&said, 1 << 20);
    OK(jobs_run_host(argv, NULL, &said));
    HAS(said.data, "\n1..");
    for (char *line = strtok(said.data, "\n"); line != NULL; line = strtok(NULL, "\n"))
        printf("#   %s\n", line);
}

#endif
