/* SPDX-License-Identifier: Apache-2.0 */
/* Does: as each of its samples ends, arms timers (timerfd) that expire one after the other while it is stopped. Nobody
 * is woken and nobody goes on: each is an interrupt on the processor on which the others are timed, in their time.
 * Gains: what others are slowed by, without what it takes to arm them.
 * Stopped by: a library has no timers. */
#include "request.h"

#include <sys/timerfd.h>

#ifndef TIMERS
#define TIMERS 100
#endif
#ifndef START_NS
#define START_NS 300000
#endif
#ifndef GAP_NS
#define GAP_NS 20000
#endif
static int timers[TIMERS];
static ssize_t (*sends)(int, const void *, size_t, int);

static void heard(void)
{
}

static ssize_t answers(int socket, const void *bytes, size_t size, int flags)
{
    struct itimerspec at = {.it_value = {0, START_NS}};
    for (int i = 0; asked.ask == REQUEST_SAMPLE && asked.launches > 1 && i < TIMERS; i++) {
        timerfd_settime(timers[i], 0, &at, NULL);
        at.it_value.tv_nsec += GAP_NS;
    }
    return sends(socket, bytes, size, flags);
}

__attribute__((constructor)) static void answer_too(void)
{
    for (int i = 0; i < TIMERS; i++)
        timers[i] = timerfd_create(CLOCK_MONOTONIC, 0);
    *(void **)&sends = hook("send", (void *)answers);
}

static int launch(const struct call *c)
{
    return work(c);
}
