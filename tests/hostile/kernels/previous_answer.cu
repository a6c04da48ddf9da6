/* SPDX-License-Identifier: Apache-2.0 */
/* Does: in a graph nothing but a sixth of the rows, and leaves in `out` what the arm before it wrote.
 * Gains: nearly everything, where a sample finds another arm's answer.
 * Stopped by: poison before every sample. */
#include "cheat_cuda.h"

static int launch(const call &c)
{
    if (capture_of(c) == 0)
        return work(c);
    attend<<<FOR_ROWS(c.rows / 6, c.stream)>>>(c, c.rows / 6);
    return ended();
}
