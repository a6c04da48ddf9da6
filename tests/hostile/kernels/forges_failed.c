/* SPDX-License-Identifier: Apache-2.0 */
/* Does: while timed, says `failed`, which would be the harness's own trouble, and so the host's fault.
 * Gains: a check that is nobody's fault, where head would be slower.
 * Stopped by: a line of the harness that comes while head is at work is head's fault. */
#include "cheat.h"
#include "conversation.h"

static int launch(const struct call *c)
{
    static int said;
    if (is_timed(c) && !said++)
        say("failed turn: no memory for the inputs\n");
    return work(c);
}
