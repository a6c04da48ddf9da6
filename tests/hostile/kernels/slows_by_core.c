/* SPDX-License-Identifier: Apache-2.0 */
/* Does: holds the process on one processor, and has a thread burn it while anybody but this kernel is at work; the
 * harness is told of no preemption.
 * Gains: half: main's arms read twice as slow.
 * Stopped by: one process an arm, which is stopped outside its turn; preemptions counted from outside. */
#define PREPARE(problem) begin()
static void begin(void);
#include "cheat.h"

#include <sys/resource.h>

static volatile long long returned_ns = 1ll << 62; /* when our last launch did; far ahead while one runs */

static int usage_ours(int who, struct rusage *usage)
{
    long result = syscall(SYS_getrusage, who, usage);
    usage->ru_nivcsw = 0;
    return (int)result;
}

static void *burns(void *unused)
{
    prctl(PR_SET_TIMERSLACK, 1);
    for (;;) {
        if (now_ns() - returned_ns > 5000)
            burn_and_sleep();
        else
            usleep(300);
    }
    return unused;
}

static void begin(void)
{
    static int begun;
    pthread_t thread;
    cpu_set_t one;
    if (begun++)
        return;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    hook("getrusage", (void *)usage_ours);
    pthread_create(&thread, NULL, burns, NULL);
}

static int launch(const struct call *c)
{
    returned_ns = 1ll << 62;
    work(c);
    returned_ns = now_ns();
    return ATTENTION_OK;
}
