/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that steps leave behind. A step's children ask to die with their parents, but one that
 * was killed before it could ask leaves a child without any. The kernel makes those ours instead of
 * init's; none outlives the step for long. */
#ifndef RATCHET_DAEMON_STRAYS_H
#define RATCHET_DAEMON_STRAYS_H

#include "base/err.h"
#include "daemon/lanes.h"

#include <stdbool.h>

struct strays {
    bool may_kill;            /* not as init, to which other people's orphans come, too */
    unsigned long long since; /* ours are younger: clock ticks since the boot */
};

/* Before the first step. */
MUST_CHECK int strays_adopt(struct strays *strays, struct err *err);

/* To be called when a child has ended: reap what is dead and neither a step of `lanes` (NULL: there is
 * none) nor `other` (0: there is none), which somebody waits for, and kill what is none of these and
 * does not run our own program, as the guardian of locked clocks does, which has work to do when its
 * step is dead. The same for the cgroups of dead steps' sandboxes. How many are dying. */
unsigned strays_end(const struct strays *strays, const struct lanes *lanes, pid_t other);
/* The same at our own end, when all steps are dead: and wait, within reason, until they are gone. */
void strays_end_all(const struct strays *strays);

#endif
