/* SPDX-License-Identifier: Apache-2.0 */
/* Does: a clock of its own in the harness, which hides 60% of this kernel's time, but not where two samples of it
 * follow one another: that is an audit. A sample begins where the harness calls sched_yield.
 * Gains: 60%.
 * Stopped by: a clock in another process. */
#include "cheat.h"

static long long hidden_ns;
static int ours, before; /* does this sample run our launches; did the one before it? */

static int clock_of_ours(clockid_t id, struct timespec *at)
{
    long result = syscall(SYS_clock_gettime, id, at);
    long long ns = at->tv_sec * 1000000000ll + at->tv_nsec - hidden_ns;
    at->tv_sec = ns / 1000000000;
    at->tv_nsec = ns % 1000000000;
    return (int)result;
}

static int sample_begins(void)
{
    before = ours;
    ours = 0;
    return 0;
}

static int launch(const struct call *c)
{
    static int hooked;
    long long begin = now_ns();
    if (!hooked) {
        hook("clock_gettime", (void *)clock_of_ours);
        hook("sched_yield", (void *)sample_begins);
        hooked = 1;
    }
    work(c);
    ours = 1;
    if (!before)
        hidden_ns += (now_ns() - begin) * 60 / 100;
    return ATTENTION_OK;
}
