/* SPDX-License-Identifier: Apache-2.0 */
/* Does: leaves a thread that reads the inputs again and again, and so crashes the process when they are released.
 * Gains: a check that is nobody's fault, where head would be slower.
 * Stopped by: one process an arm: who crashes is known. */
#include "cheat.h"

static void *reads(void *q)
{
    for (;; usleep(5))
        (void)*(volatile const float *)q;
    return NULL;
}

static int launch(const struct call *c)
{
    static int begun;
    pthread_t thread;
    if (is_timed(c) && !begun++)
        pthread_create(&thread, NULL, reads, (void *)c->q);
    return work(c);
}
