/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the guardian's process: what it is given, and both sides of the socket between it and its
 * parent. What it does in the end is its caller's. */
#include "measure/device/guardian.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char watching[] = "watching";

static const int ignored[] = {SIGHUP, SIGINT, SIGTERM};

/* `from`, wherever it lies, becomes `to`, which survives the exec. */
static bool place(int from, int to)
{
    return from == to ? fcntl(to, F_SETFD, 0) == 0 : dup2(from, to) == to;
}

/* The child's side, up to its exec. A descriptor too many would keep others waiting for its end.
 * Nothing lies open at 0 to 3 when they are placed but what is placed there. */
static _Noreturn void become_guardian(char *const argv[], char *const env[], int parent,
                                      int kept)
{
    enum { ABOVE = GUARDIAN_KEPT + 1 };
    setsid();
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    parent = fcntl(parent, F_DUPFD_CLOEXEC, ABOVE);
    kept = fcntl(kept, F_DUPFD_CLOEXEC, ABOVE);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (parent >= 0 && kept >= 0 && null >= 0 && place(null, 1) && place(null, 2) &&
        place(parent, GUARDIAN_PARENT) && place(kept, GUARDIAN_KEPT) &&
        close_range(ABOVE, ~0u, CLOSE_RANGE_CLOEXEC) == 0 && chdir("/") == 0)
        execve("/proc/self/exe", argv, env);
    _exit(1);
}

/* What the guardian says first. */
static int hear(const struct guardian *guardian, struct err *err)
{
    char said[sizeof err->text];
    ssize_t got;
    do {
        got = recv(guardian->parent, said, sizeof said - 1, 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0)
        return err_set(err, ERR_HOST, "the guardian does not start");
    said[got] = '\0';
    return strcmp(said, watching) == 0 ? 0 : err_set(err, ERR_HOST, "the guardian: %s", said);
}

int guardian_start(const char *const argv[], int kept, struct guardian *out, struct err *err)
{
    /* exec's arguments are not const for historical reasons; exec does not write them. */
    union {
        const char *const *in;
        char *const *out;
    } words = {.in = argv};
    const char *libraries = getenv("LD_LIBRARY_PATH");
    char *variable = NULL;
    if (libraries != NULL && asprintf(&variable, "LD_LIBRARY_PATH=%s", libraries) < 0)
        return err_set(err, ERR_HOST, "out of memory for a guardian");
    char *const env[] = {variable, NULL};
    int ends[2];
    int result = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
    if (result != 0) {
        free(variable);
        return err_errno(err, ERR_HOST, errno, "make a pair of sockets");
    }
    struct guardian guardian = {.parent = ends[1], .pid = fork()};
    if (guardian.pid == 0)
        become_guardian(words.out, env, ends[0], kept);
    result = guardian.pid < 0 ? err_errno(err, ERR_HOST, errno, "fork") : 0;
    free(variable);
    close(ends[0]);
    if (result == 0)
        result = hear(&guardian, err);
    if (result != 0)
        guardian_end(&guardian);
    else
        *out = guardian;
    return result;
}

void guardian_end(struct guardian *guardian)
{
    if (guardian->pid == 0)
        return;
    file_close(&guardian->parent);
    while (guardian->pid > 0 && waitpid(guardian->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *guardian = (struct guardian){0};
}

int guardian_watch(const char *name, const struct err *problem)
{
    const char *word = problem == NULL ? watching : problem->text;
    char byte;
    prctl(PR_SET_NAME, name);
    /* A parent that is gone already has done nothing yet. */
    if (send(GUARDIAN_PARENT, word, strlen(word), MSG_NOSIGNAL) < 0 || problem != NULL)
        return -1;
    while (recv(GUARDIAN_PARENT, &byte, 1, 0) < 0 && errno == EINTR)
        ;
    return 0;
}
