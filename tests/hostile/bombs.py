# SPDX-License-Identifier: Apache-2.0
"""Branches that want all there is, or all the time: processes, memory, disk, inodes, log, and what does not end."""

from lib import ok
from world import RECIPE, Row, built, kernel

FAILED = (3, "build-failed", "the PR")
ENDED = (3, "crashed", "the PR")
LATE = (3, "timed-out", "the PR")
IDENTICAL = (0, "identical-code", "")


def capped(w, result, number, head):
    size = len(result.file("log"))
    ok(size < 400000, "its log is capped", size)


def short(w, result, number, head):
    said = w.s.comments(number)[-1]["body"]
    ok(len(said.encode()) <= 65536, "its comment can be posted", len(said))


ROWS = [
    Row("a fork bomb", built("cc -o /tmp/b kernels/b.c && /tmp/b; exit 7", b__c="""
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    int n = 0;
    for (;;) {
        int pid = fork();
        if (pid == 0) { pause(); _exit(0); }
        if (pid < 0) { printf("stopped: after %d processes: %s\\n", n, strerror(errno)); return 0; }
        n++;
    }
}"""), FAILED, "Resource temporarily unavailable"),
    Row("a fork bomb of a shell", built("f() { f | f & }; f & exec sleep 100"), FAILED, "timed out after 2.5 s"),
    Row("a memory bomb", built("cc -o /tmp/b kernels/b.c && /tmp/b; exit 7", b__c="""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
    size_t n = 0;
    for (char *at; (at = malloc(1 << 24)) != NULL; n++)
        memset(at, 1, 1 << 24);
    printf("stopped: no memory after %zu pieces\\n", n);
    return 0;
}"""), FAILED),
    Row("a disk bomb", built("for n in 1 2 3 4 5 6 7 8; do head -c 20000000 /dev/zero > $n || exit 7; done"), FAILED,
        "No space left on device", "a build may hold 67108864 bytes"),
    Row("a file without end", built("cat /dev/zero > big; echo stopped: cat ended with $?; exit 7"), FAILED,
        "stopped: cat ended with 153"),
    Row("a bomb of shared memory", built("cat /dev/zero > /dev/shm/a & cat /dev/zero > /dev/shm/b & "
        "cat /dev/zero > /dev/shm/c & cat /dev/zero > /dev/shm/d & wait; ls -l /dev/shm; exit 7"), FAILED),
    Row("an inode bomb", built("cc -O1 -o /tmp/b kernels/b.c && exec /tmp/b", b__c="""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    char name[32];
    for (long n = 0;; n++) {
        snprintf(name, sizeof name, "/tmp/n%lx", n);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd < 0) { printf("stopped: after %ld files: %s\\n", n, strerror(errno)); return 7; }
        close(fd);
    }
}"""), FAILED),
    Row("folders without end", built("cc -O1 -o /tmp/b kernels/b.c && exec /tmp/b", b__c="""
#include <sys/stat.h>
#include <unistd.h>
int main(void) {
    for (int n = 0; n < 20000; n++)
        if (mkdir("a", 0700) != 0 || chdir("a") != 0)
            return 8;
    return 7;
}"""),
        FAILED, "exit code"),
    Row("a log without end", built("yes 'a line of a log that does not end'"), FAILED, "timed out after 2.5 s",
        then=capped),
    Row("one line without end", built("head -c 30000000 /dev/zero | tr '\\0' x; exit 7"), FAILED, "exit code 7",
        then=short),
    Row("errors without end", lambda w: {"kernels/attention.c": "#error and again\n" * 3000}, FAILED, "exit code 1",
        then=short),
    Row("a build without end", built("sleep 100000"), FAILED, "timed out after 2.5 s"),
    Row("a build that stops itself", built("kill -STOP $$; sleep 100000"), FAILED, "timed out after 2.5 s"),
    Row("a build that kills all it sees", built("kill -KILL -1; sleep 100000"), FAILED, "exit code 137"),
    Row("orphans", built("for n in 1 2 3; do setsid sh -c 'trap \"\" TERM HUP INT; sleep 100000' & done"), IDENTICAL),
    Row("an orphan that holds the log", built("(setsid sh -c 'trap \"\" TERM HUP; sleep 100000; echo late' &) & exit 7"),
        FAILED, "exit code 7"),
    Row("an orphan that changes the output", built(RECIPE + "\nsetsid sh -c 'while :; do echo GOT it > "
        "kernels/attention.so; done' > /dev/null 2>&1 &\nsleep 0.1", recipe=""), FAILED, "not a sound shared object"),
    Row("source without end", lambda w: {"kernels/attention.c": '#include "/dev/zero"\n'}, FAILED),
    Row("macros without end", lambda w: {"kernels/attention.c": "#define A0 x x x x\n" + "".join(
        "#define A%d A%d A%d A%d A%d\n" % (n, n - 1, n - 1, n - 1, n - 1) for n in range(1, 30)) + "A29\n"}, FAILED),
    Row("a kernel without end", kernel("for (;;) __asm__ volatile(\"\");"), LATE,
        "gave no answer within 2000 ms"),
    Row("a kernel that sleeps", kernel("for (;;) pause();"), LATE,
        "gave no answer within 2000 ms"),
    Row("a kernel that forks", kernel("int n = 0; for (; n < 10000; n++) { int p = fork(); if (p == 0) for (;;) pause(); "
                                      "if (p < 0) _exit(errno); }"), ENDED, "ended by itself: exit code 1"),
    Row("a kernel that takes all memory", kernel("for (char *at; (at = malloc(1 << 26)) != NULL;) "
                                                 "memset(at, 1, 1 << 26); _exit(12);"), ENDED, "exit code 12"),
    Row("a kernel that says more than anybody reads", kernel("for (int n = 0; n < 200000; n++) "
        "{ dprintf(1, \"sample 0 1 1\\n\"); dprintf(2, \"GOT a line\\n\"); } _exit(3);"), ENDED,
        "exit code 3", then=capped),
    Row("a kernel that leaves a process", kernel("if (fork() == 0) { setsid(); for (;;) pause(); } _exit(3);"), ENDED,
        "exit code 3"),
    Row("a kernel that kills all it sees", kernel("kill(-1, 9); kill(1, 9); pause();", "#include <signal.h>"), LATE,
        "gave no answer within 2000 ms"),
]
