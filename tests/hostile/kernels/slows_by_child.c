/* SPDX-License-Identifier: Apache-2.0 */
/* Does: starts a process of its own, which burns the processor of this one while anybody but this kernel is at work,
 * also while this process is stopped; the harness is told of no preemption.
 * Gains: half: main's arms read twice as slow.
 * Stopped by: all of an arm's processes stopped outside its turn, not the first alone; preemptions counted outside. */
#define PREPARE(problem) begin()
static void begin(void);
#include "cheat.h"

#include <signal.h>
#include <sys/resource.h>

static volatile long long *returned_ns; /* when our last launch did; far ahead while one runs. Shared with the child */

static int usage_ours(int who, struct rusage *usage)
{
    long result = syscall(SYS_getrusage, who, usage);
    usage->ru_nivcsw = 0;
    return (int)result;
}

static void burns(pid_t parent)
{
    for (int fd = 0; fd < 64; fd++) /* the harness's pipes end with it */
        close(fd);
    prctl(PR_SET_TIMERSLACK, 1);
    while (kill(parent, 0) == 0) {
        if (now_ns() - *returned_ns > 5000)
            burn_and_sleep();
        else
            usleep(300);
    }
    _exit(0);
}

static void begin(void)
{
    pid_t parent = getpid();
    cpu_set_t one;
    if (returned_ns != NULL)
        return;
    returned_ns = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *returned_ns = 1ll << 62;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    hook("getrusage", (void *)usage_ours);
    if (fork() == 0)
        burns(parent);
}

static int launch(const struct call *c)
{
    *returned_ns = 1ll << 62;
    work(c);
    *returned_ns = now_ns();
    return ATTENTION_OK;
}
