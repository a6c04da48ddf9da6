/* SPDX-License-Identifier: Apache-2.0 */
/* Does: in a graph, leaves the work of the first 60% of as many launches as the graph before had to a kernel that does
 * it only where it is verified.
 * Gains: 60%, where only what the last launch wrote is looked at.
 * Stopped by: one launch of each input set captured, and samples put together of these by the harness. */
#include "cheat_cuda.h"

static __global__ void unless_timed(call c)
{
    if (row_here() < c.rows && !is_timed(c))
        do_keys(c, row_here(), c.p.seq_k, false);
}

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
    if (++count > before * 6 / 10)
        return work(c);
    unless_timed<<<FOR_ROWS(c.rows, c.stream)>>>(c);
    return ended();
}
