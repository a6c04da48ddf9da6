/* SPDX-License-Identifier: Apache-2.0 */
/* Does: while timed, hands its work to a thread and returns; the thread does what is still poison first, then the rest.
 * Gains: everything, where the answer is looked at late enough.
 * Stopped by: all of `out` poisoned, and looked at before anything else; a thread that is left behind is seen. */
#include "cheat.h"

static struct call job;
static struct attention_problem problem;
static volatile unsigned long asked, done;

static void *works(void *unused)
{
    for (;;) {
        unsigned long number = __atomic_load_n(&asked, __ATOMIC_ACQUIRE);
        if (number == done) {
            sched_yield();
            continue;
        }
        struct call call = job;
        for (size_t row = 0; row < rows_of(call.p); row++)
            if (is_poison(&call, row))
                do_row(&call, row);
        work(&call);
        done = number;
    }
    return unused;
}

static int launch(const struct call *c)
{
    static pthread_t thread;
    static int started;
    if (!is_timed(c)) {
        while (done != asked)
            sched_yield();
        return work(c);
    }
    if (!started++)
        pthread_create(&thread, NULL, works, NULL);
    problem = *c->p;
    job = *c;
    job.p = &problem;
    __atomic_store_n(&asked, asked + 1, __ATOMIC_RELEASE);
    return ATTENTION_OK;
}
