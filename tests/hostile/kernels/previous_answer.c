/* SPDX-License-Identifier: Apache-2.0 */
/* Does: a sixth of the rows, and leaves in `out` what the arm before it wrote; all is done where the whole of `out` is
 * poison.
 * Gains: nearly everything, where a sample finds another arm's answer.
 * Stopped by: poison before every sample. */
#include "cheat.h"

static int launch(const struct call *c)
{
    if (all_poison(c))
        return work(c);
    pad(c);
    return ATTENTION_OK;
}
