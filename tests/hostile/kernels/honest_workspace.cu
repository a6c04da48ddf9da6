/* SPDX-License-Identifier: Apache-2.0 */
/* Does: writes its workspace to the last byte, in every launch.
 * Gains: nothing against itself: base is the same kernel.
 * Stopped by: nothing, it is honest and must read held. */
#define HONEST
#include "cheat_cuda.h"

static int launch(const call &c)
{
    cudaMemsetAsync(c.workspace, 0xff, WORKSPACE_BYTES, c.stream);
    return work(c);
}
