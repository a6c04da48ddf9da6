/* SPDX-License-Identifier: Apache-2.0 */
/* Does: changes one bit behind the end of its workspace, in every launch; it is as fast as base.
 * Gains: scratch memory that nobody accounts for; with other sizes, other memory of the harness's.
 * Stopped by: a guard behind the workspace, as behind every output. */
#define HONEST
#include "cheat.h"

static int launch(const struct call *c)
{
    work(c);
    ((unsigned char *)c->workspace)[workspace_bytes(c->p)] ^= 1;
    return ATTENTION_OK;
}
