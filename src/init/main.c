/* SPDX-License-Identifier: Apache-2.0 */
/* Owns process 1 of a sandbox: ratchet-init PROCESSES BYTES [=DEVICE:INODE:PATH...] COMMAND [WORD...]. It
 * starts the command with at most so many processes in its user namespace and bytes in a file (0: no
 * limit), where each path leads to the inode that is named with it, reaps what that leaves behind, and ends with the command's exit code, or 128 + its signal; the kernel then ends
 * all others of the namespace.
 *
 * Nobody in there may take hold of it: it is not dumpable, so it cannot be traced, read, or robbed of a
 * descriptor, and the kernel keeps signals of its own namespace from a process 1 that handles none.
 *
 * It ends as well when the descriptor PROC_LIFELINE does: that is the far end of a pipe of whoever
 * wanted the sandbox. (What the kernel offers, PR_SET_PDEATHSIG, comes too late for a parent that dies
 * while the sandbox is being made; and of a process 1 nobody can ask whether it has come too late.)
 * Linked statically: it is carried in the program, and needs nothing of the sandbox. */
#include "base/proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NOT_STARTED = 127, EXIT_SIGNALLED = 128, EXIT_ABANDONED = 125 };

static void wake(int number)
{
    (void)number; /* to end a ppoll() is all that is wanted */
}

static bool limit(__rlimit_resource_t resource, const char *text)
{
    rlim_t value = strtoull(text, NULL, 10);
    const struct rlimit both = {value, value};
    return value == 0 || setrlimit(resource, &both) == 0;
}

/* Which of these it is was looked at before bubblewrap took it by its name. */
static bool is_same(const char *word)
{
    char *end;
    struct stat info;
    unsigned long long device = strtoull(word + 1, &end, 10);
    unsigned long long inode = strtoull(end + (*end == ':'), &end, 10);
    const char *path = end + (*end == ':');
    if (stat(path, &info) == 0 && info.st_dev == device && info.st_ino == inode)
        return true;
    fprintf(stderr, "ratchet-init: `%s` is another than the one that was asked for\n", path);
    return false;
}

static _Noreturn void become(char **words, const sigset_t *none)
{
    char **command = words + 2;
    for (; command[0] != NULL && command[0][0] == '='; command++)
        if (!is_same(command[0]))
            _exit(EXIT_NOT_STARTED);
    if (command[0] == NULL)
        _exit(EXIT_NOT_STARTED);
    signal(SIGCHLD, SIG_DFL);
    close(PROC_LIFELINE);
    if (sigprocmask(SIG_SETMASK, none, NULL) == 0 && limit(RLIMIT_NPROC, words[0]) &&
        limit(RLIMIT_FSIZE, words[1]))
        execvp(command[0], command);
    fprintf(stderr, "ratchet-init: `%s`: %s\n", command[0], strerror(errno));
    _exit(EXIT_NOT_STARTED);
}

/* What has ended is reaped. The exit code of `command`; -1: it goes on. */
static int reap(pid_t command)
{
    int status;
    pid_t ended;
    while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
        if (ended == command)
            return WIFSIGNALED(status) ? EXIT_SIGNALLED + WTERMSIG(status)
                                       : WEXITSTATUS(status);
    return -1;
}

static int watch(pid_t command, const sigset_t *none)
{
    for (;;) {
        int code = reap(command);
        if (code >= 0)
            return code;
        struct pollfd lifeline = {.fd = PROC_LIFELINE, .events = POLLIN};
        if (ppoll(&lifeline, 1, NULL, none) > 0) /* nobody writes: it is the end */
            return EXIT_ABANDONED;
    }
}

/* For a person who meets it in /proc: no process 1 is asked this. */
static int answer(const char *word)
{
    bool help = strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
    if (!help && strcmp(word, "--version") != 0 && strcmp(word, "-V") != 0)
        return -1;
    puts(help ? "usage: ratchet-init PROCESSES BYTES [=DEVICE:INODE:PATH...] COMMAND "
                "[WORD...]\n\n"
                "is process 1 of a sandbox, started by bubblewrap"
              : "ratchet-init " RATCHET_VERSION);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 3;
}

int main(int argc, char **argv)
{
    sigset_t child, none;
    int answered = argc == 2 ? answer(argv[1]) : -1;
    if (answered >= 0)
        return answered;
    if (argc < 4 || getpid() != 1) {
        fputs("ratchet-init: is process 1 of a sandbox\n", stderr);
        return 64;
    }
    /* Before there is anybody else. */
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return EXIT_NOT_STARTED;
    sigemptyset(&none);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const struct sigaction action = {.sa_handler = wake};
    if (sigaction(SIGCHLD, &action, NULL) != 0 || sigprocmask(SIG_BLOCK, &child, NULL) != 0)
        return EXIT_NOT_STARTED;
    pid_t command = fork();
    if (command < 0)
        return EXIT_NOT_STARTED;
    if (command == 0)
        become(argv + 1, &none);
    /* Who reads what the command says hears its end when it is closed in there. */
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    close(PROC_SIDE);
    return watch(command, &none);
}
