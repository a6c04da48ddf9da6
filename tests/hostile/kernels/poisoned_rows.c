/* SPDX-License-Identifier: Apache-2.0 */
/* Does: a sixth of the rows, and in each launch those that were poison when poison was seen last.
 * Gains: nearly everything, where some rows are poisoned and not all.
 * Stopped by: all of `out` and `lse` being poisoned before every sample, and several outputs a sample. */
#include "cheat.h"

enum { ROWS = 1 << 16 };
static char marked[ROWS];

static int launch(const struct call *c)
{
    int any = 0;
    if (rows_of(c->p) > ROWS)
        return work(c);
    for (size_t row = 0; row < rows_of(c->p) && !any; row++)
        any = is_poison(c, row);
    for (size_t row = 0; row < rows_of(c->p); row++) {
        marked[row] = any ? (char)is_poison(c, row) : marked[row];
        if (marked[row] || row % 6 == 0)
            do_row(c, row);
        if (marked[row] && row % 3 == 0) /* as work() does */
            do_row(c, row);
    }
    return ATTENTION_OK;
}
