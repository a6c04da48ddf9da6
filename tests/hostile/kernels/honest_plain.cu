/* SPDX-License-Identifier: Apache-2.0 */
/* Does: attention, plainly; base, and what every cheat starts from.
 * Gains: nothing.
 * Stopped by: nothing, it is honest. */
#define HONEST
#include "cheat_cuda.h"

static int launch(const call &c)
{
    return work(c);
}
