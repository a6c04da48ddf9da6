/* SPDX-License-Identifier: Apache-2.0 */
/* Does: continues (SIGCONT) the processes of the other libraries by tkill.
 * Gains: an honest library that seems to have gone on while it was stopped; a harness that is stopped or killed.
 * Stopped by: a filter of calls; and arms of main are believed to be broken only when they are alone, too. */
#include "cheat.h"

#include <signal.h>

#ifndef WHAT
#define WHAT SIGCONT
#define OTHERS 1
#endif

static int launch(const struct call *c)
{
    static int launches;
    if (is_timed(c) && ++launches == 200)
        for (pid_t pid = 2; pid < 64; pid++)
            if (pid != getpid() && (pid == getppid()) != OTHERS)
                syscall(SYS_tkill, pid, WHAT);
    return work(c);
}
