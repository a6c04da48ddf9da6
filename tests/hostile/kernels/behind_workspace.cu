/* SPDX-License-Identifier: Apache-2.0 */
/* Does: changes one bit behind the end of its workspace, in every launch; it is nearly as fast as base.
 * Gains: scratch memory that nobody accounts for; with other sizes, other memory of the harness's.
 * Stopped by: a guard behind the workspace, as behind every output. */
#define HONEST
#include "cheat_cuda.h"

static __global__ void behind(char *at)
{
    *at ^= 1;
}

static int launch(const call &c)
{
    behind<<<1, 1, 0, c.stream>>>(c.workspace + WORKSPACE_BYTES);
    return work(c);
}
