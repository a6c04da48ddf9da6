/* SPDX-License-Identifier: Apache-2.0 */
/* Does: while timed, every fourth row a launch, others in the next one, and what is poison.
 * Gains: three quarters, where launches write the same output of the same inputs.
 * Stopped by: all of `out` poisoned, and several outputs and inputs a sample. */
#include "cheat_cuda.h"

static __device__ unsigned number;

static __global__ void some(call c)
{
    int64_t row = row_here();
    if (row < c.rows && (!is_timed(c) || (row + number) % 4 == 0 || is_poison(c, row)))
        do_keys(c, row, c.p.seq_k, false);
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
