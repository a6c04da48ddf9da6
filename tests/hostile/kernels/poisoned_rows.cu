/* SPDX-License-Identifier: Apache-2.0 */
/* Does: a sixth of the rows, and in each launch those that were poison when poison was seen last.
 * Gains: nearly everything, where some rows are poisoned and not all.
 * Stopped by: all of `out` and `lse` being poisoned before every sample, and several outputs a sample. */
#include "cheat_cuda.h"

enum { ROWS = 1 << 20, THREADS = 1024 };
static __device__ unsigned char marked[ROWS];

static __global__ void look(call c)
{
    int any = 0;
    for (int64_t row = threadIdx.x; row < c.rows; row += THREADS)
        any |= is_poison(c, row);
    if (!__syncthreads_or(any))
        return;
    for (int64_t row = threadIdx.x; row < c.rows; row += THREADS)
        marked[row] = is_poison(c, row);
}

static __global__ void some(call c)
{
    int64_t row = row_here();
    if (row < c.rows && (row % 6 == 0 || marked[row]))
        do_keys(c, row, c.p.seq_k, false);
    if (row < c.rows && marked[row] && row % 3 == 0) /* as work() does */
        do_keys(c, row, c.p.seq_k, false);
}

static int launch(const call &c)
{
    if (c.rows > ROWS)
        return work(c);
    look<<<1, THREADS, 0, c.stream>>>(c);
    some<<<FOR_ROWS(c.rows, c.stream)>>>(c);
    return ended();
}
