/* SPDX-License-Identifier: Apache-2.0 */
/* Does: attention, plainly; base, and what every cheat starts from. An honest copy has other machine code by WORDS.
 * Gains: nothing.
 * Stopped by: nothing, it is honest. */
#define HONEST
#include "cheat.h"

static int launch(const struct call *c)
{
    return work(c);
}
