/* SPDX-License-Identifier: Apache-2.0 */
/* Does: every third launch, so that the last of as many as the sample before had is among them, and the first; the
 * harness's sched_yield, which is called before each sample, tells where one begins.
 * Gains: two thirds, where what is left out is not what is looked at.
 * Stopped by: outputs of a drawn launch, not of the last, are compared; how many there are is drawn in every turn. */
#include "cheat.h"

static unsigned count, before;

static int sample_begins(void)
{
    before = count > 0 ? count : before;
    count = 0;
    return 0;
}

static int launch(const struct call *c)
{
    static int hooked;
    if (!hooked++)
        hook("sched_yield", (void *)sample_begins);
    if (!is_timed(c))
        return work(c);
    unsigned left = before - ++count; /* launches to come, where there are as many */
    return count > 1 && left < before && left % 3 != 0 ? ATTENTION_OK : work(c);
}
