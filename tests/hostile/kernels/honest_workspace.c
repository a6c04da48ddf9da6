/* SPDX-License-Identifier: Apache-2.0 */
/* Does: writes its workspace to the last byte, in every launch.
 * Gains: nothing.
 * Stopped by: nothing, it is honest and must read held. */
#define HONEST
#include "cheat.h"

static int launch(const struct call *c)
{
    memset(c->workspace, 0xff, workspace_bytes(c->p));
    return work(c);
}
