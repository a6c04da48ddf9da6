/* SPDX-License-Identifier: Apache-2.0 */
/* Does: while timed, leaves out a quarter of the rows, others in every launch.
 * Gains: a quarter, where too few rows are compared.
 * Stopped by: rows that are drawn after the sample, one at least of every sample. */
#include "cheat_cuda.h"

static __device__ unsigned number;

static __global__ void some(call c)
{
    int64_t row = row_here();
    if (row >= c.rows)
        return;
    if (!is_timed(c) || (row + number) % 4 != 0)
        do_keys(c, row, c.p.seq_k, false);
    else
        for (int e = (int)threadIdx.x; e < c.p.head_dim; e += WARP)
            c.out[row * c.p.head_dim + e] = __float2half(0.0f);
}

static __global__ void next(void)
{
    number++;
}

static int launch(const call &c)
{
    some<<<FOR_ROWS(c.rows, c.stream)>>>(c);
    next<<<1, 1, 0, c.stream>>>();
    return ended();
}
