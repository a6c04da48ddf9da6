/* SPDX-License-Identifier: Apache-2.0 */
/* Does: while timed, leaves out the last two fifths of the keys of every row.
 * Gains: two fifths, where what is timed is not compared as strictly as what is verified.
 * Stopped by: rows compared in fp64 while timed, too, by the same tolerance. */
#include "cheat_cuda.h"

static __global__ void some(call c)
{
    if (row_here() < c.rows)
        do_keys(c, row_here(), is_timed(c) ? c.p.seq_k * 3 / 5 : c.p.seq_k, false);
}

static int launch(const call &c)
{
    some<<<FOR_ROWS(c.rows, c.stream)>>>(c);
    return ended();
}
