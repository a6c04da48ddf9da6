/* SPDX-License-Identifier: Apache-2.0 */
/* Does: leaves out the first 60% of as many launches as the sample before had; the harness's sched_yield, which is
 * called before each sample, tells where one begins.
 * Gains: 60%, where only what the last launch wrote is looked at.
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
    if (!is_timed(c)) /* one launch, which says nothing of those to come */
        return work(c);
    return ++count <= before * 6 / 10 ? ATTENTION_OK : work(c);
}
