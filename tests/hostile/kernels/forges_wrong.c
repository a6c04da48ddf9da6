/* SPDX-License-Identifier: Apache-2.0 */
/* Does: while timed, says that the anchor gave a wrong result.
 * Gains: a check without its anchor, or one that is nobody's fault.
 * Stopped by: the anchor being tried alone; the line is then known to be a lie. */
#include "cheat.h"
#include "conversation.h"

static int launch(const struct call *c)
{
    static int said;
    if (is_timed(c) && !said++)
        say("wrong anchor while timed, out at batch 0 head 0 row 1 column 2 is 1, expected 2 within 1e-06\n");
    return work(c);
}
