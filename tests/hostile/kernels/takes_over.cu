/* SPDX-License-Identifier: Apache-2.0 */
/* Does: computes nothing; from its first launch on it answers the parent itself, in the harness's place.
 * Gains: whatever it says: here half of the others' time.
 * Stopped by: no host code of an arm in the process that the parent talks to. */
#include "cheat_cuda.h"
#include "conversation.h"

static int launch(const call &c)
{
    take_over((size_t)c.rows, 100000, 0.5, 20);
    return ATTENTION_OK;
}
