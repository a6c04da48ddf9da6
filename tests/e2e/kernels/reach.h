/* SPDX-License-Identifier: Apache-2.0 */
/* The ways in which a process may take hold of another one of its own user: trace it, read and write its
 * memory, look at its environment, take a descriptor of it, stop it. */
#ifndef REACH_H
#define REACH_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static inline int reach_opens(int pid, const char *name, int flags)
{
    char path[64], byte;
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, flags | O_CLOEXEC);
    int got = fd >= 0 && (flags == O_RDWR || read(fd, &byte, 1) >= 0);
    if (fd >= 0)
        close(fd);
    return got;
}

static inline int reach_links(int pid, const char *name)
{
    char path[64], to[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    return readlink(path, to, sizeof to) >= 0;
}

static inline int reach_takes(int pid)
{
    int of = (int)syscall(SYS_pidfd_open, pid, 0);
    int fd = of < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, of, 0, 0);
    if (fd >= 0)
        close(fd);
    if (of >= 0)
        close(of);
    return fd >= 0;
}

/* The state stands behind the name, in round brackets: T is stopped, t traced. */
static inline int reach_is_stopped(int pid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, text, sizeof text - 1) < 0)
        text[0] = '\0';
    if (fd >= 0)
        close(fd);
    const char *behind = strrchr(text, ')');
    return behind == NULL || behind[2] == 'T' || behind[2] == 't';
}

/* On a busy machine that takes its time: a second is waited for it. */
static inline int reach_stops(int pid)
{
    int stopped = 0;
    kill(pid, SIGSTOP);
    for (int i = 0; i < 1000 && !stopped; i++) {
        usleep(1000);
        stopped = reach_is_stopped(pid);
    }
    kill(pid, SIGCONT);
    return stopped;
}

/* A bit for each way that worked. */
static inline int reaches(int pid)
{
    static char of[64]; /* what is written is what was read */
    struct iovec ours = {of, sizeof of}, theirs = {(void *)(size_t)0x400000, sizeof of};
    int ways = 0;
    ways |= reach_stops(pid) << 0;
    ways |= reach_opens(pid, "mem", O_RDWR) << 1;
    ways |= reach_opens(pid, "environ", O_RDONLY) << 2;
    ways |= reach_opens(pid, "maps", O_RDONLY) << 3;
    ways |= reach_links(pid, "exe") << 4;
    ways |= reach_links(pid, "fd/4") << 5;
    ways |= reach_takes(pid) << 6;
    /* An address where nothing is was permitted, too. */
    ways |= (process_vm_readv(pid, &ours, 1, &theirs, 1, 0) > 0 || errno == EFAULT) << 7;
    ways |= (process_vm_writev(pid, &ours, 1, &theirs, 1, 0) > 0 || errno == EFAULT) << 8;
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0) {
        ways |= 1 << 9;
        ptrace(PTRACE_DETACH, pid, NULL, NULL);
    }
    if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0)
        ways |= 1 << 10;
    return ways;
}
#endif
