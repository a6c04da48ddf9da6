/* SPDX-License-Identifier: Apache-2.0 */
/* Does: in a graph, every third launch, so that the first, and the last of as many as the graph before had, are done.
 * Gains: two thirds, where what is left out is not what is looked at.
 * Stopped by: one launch of each input set captured, and samples put together of these by the harness. */
#include "cheat_cuda.h"

static int launch(const call &c)
{
    static unsigned long long graph;
    static unsigned count, before;
    unsigned long long id = capture_of(c);
    if (id == 0)
        return work(c);
    if (id != graph) {
        before = count;
        count = 0;
        graph = id;
    }
    unsigned left = before - ++count; /* launches to come, where there are as many */
    return count > 1 && left < before && left % 3 != 0 ? ATTENTION_OK : work(c);
}
