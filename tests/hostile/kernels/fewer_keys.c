/* SPDX-License-Identifier: Apache-2.0 */
/* Does: while timed, leaves out the last two fifths of the keys of every row.
 * Gains: two fifths, where what is timed is not compared as strictly as what is verified.
 * Stopped by: rows compared in fp64 while timed, too, by the same tolerance. */
#include "cheat.h"

static int launch(const struct call *c)
{
    if (!is_timed(c))
        return work(c);
    for (size_t row = 0; row < rows_of(c->p); row++)
        do_keys(c, row, c->p->seq_k * 3 / 5);
    return ATTENTION_OK;
}
