/* SPDX-License-Identifier: Apache-2.0 */
/* Does: computes nothing; from its first launch on it answers the parent itself, in the harness's place.
 * Gains: whatever it says: here half of the others' time.
 * Stopped by: one process an arm; a parent that compares the answers, and has the clock, itself. */
#include "cheat.h"
#include "conversation.h"

static int launch(const struct call *c)
{
    take_over(rows_of(c->p), 40000, 0.5, 8);
    return ATTENTION_OK;
}
