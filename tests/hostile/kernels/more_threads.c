/* SPDX-License-Identifier: Apache-2.0 */
/* Does: shares its rows with a thread that stays, though it was given one thread.
 * Gains: nearly half, where there is another processor.
 * Stopped by: one process an arm on the processors it was given, whose time is counted; a thread left is seen. */
#include "cheat.h"

static struct call job;
static float scratch[1 << 16];
static unsigned long asked, next_row, rows, done_rows; /* atomic */

static void share(float *workspace)
{
    struct call call = job;
    call.workspace = workspace;
    for (;;) {
        unsigned long row = __atomic_fetch_add(&next_row, 1, __ATOMIC_ACQ_REL);
        if (row >= __atomic_load_n(&rows, __ATOMIC_ACQUIRE))
            return;
        do_row(&call, row);
        if (row % 3 == 0)
            do_row(&call, row);
        __atomic_fetch_add(&done_rows, 1, __ATOMIC_ACQ_REL);
    }
}

static void *works(void *unused)
{
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    sched_setaffinity(0, sizeof all, &all);
    for (unsigned long number = 0;;) {
        unsigned long now = __atomic_load_n(&asked, __ATOMIC_ACQUIRE);
        if (now != number)
            share(scratch);
        number = now;
    }
    return unused;
}

static int launch(const struct call *c)
{
    static pthread_t thread;
    if (asked == 0)
        pthread_create(&thread, NULL, works, NULL);
    job = *c;
    __atomic_store_n(&done_rows, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&rows, rows_of(c->p), __ATOMIC_RELEASE);
    __atomic_store_n(&next_row, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&asked, asked + 1, __ATOMIC_RELEASE);
    share(c->workspace);
    while (__atomic_load_n(&done_rows, __ATOMIC_ACQUIRE) != rows_of(c->p))
        ;
    return ATTENTION_OK;
}
