/* SPDX-License-Identifier: Apache-2.0 */
/* Does: in a graph, nothing; its work goes to a stream of its own, at once, and forward returns.
 * Gains: everything, where the answer is looked at late enough.
 * Stopped by: all of `out` poisoned before every sample, after any capture. */
#include "cheat_cuda.h"

static int launch(const call &c)
{
    static cudaStream_t own;
    call elsewhere = c;
    if (capture_of(c) == 0) {
        if (own == nullptr)
            cudaStreamCreateWithFlags(&own, cudaStreamNonBlocking);
        return work(c);
    }
    elsewhere.stream = own;
    attend<<<FOR_ROWS(c.rows / 6, c.stream)>>>(c, c.rows / 6);
    return work(elsewhere);
}
