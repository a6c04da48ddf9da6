/* SPDX-License-Identifier: Apache-2.0 */
/* Does: while timed, says that somebody killed the process, and ends it.
 * Gains: the replicate is taken again, or a check that is nobody's fault.
 * Stopped by: kills that only come where head is loaded, which other processes of the same host do not meet. */
#include "cheat.h"
#include "conversation.h"

static int launch(const struct call *c)
{
    if (is_timed(c)) {
        say("died 9\n");
        _exit(137);
    }
    return work(c);
}
