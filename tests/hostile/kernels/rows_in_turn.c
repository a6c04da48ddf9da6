/* SPDX-License-Identifier: Apache-2.0 */
/* Does: while timed, every fourth row a launch, others in the next one.
 * Gains: three quarters, where four launches write the same output of the same inputs.
 * Stopped by: all of `out` poisoned, and several outputs and inputs a sample. */
#include "cheat.h"

static int launch(const struct call *c)
{
    static unsigned count;
    if (!is_timed(c) || all_poison(c))
        return work(c);
    count++;
    for (size_t row = 0; row < rows_of(c->p); row++)
        if ((row + count) % 4 == 0 || is_poison(c, row))
            do_row(c, row);
    return ATTENTION_OK;
}
