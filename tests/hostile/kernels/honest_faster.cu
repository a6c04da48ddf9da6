/* SPDX-License-Identifier: Apache-2.0 */
/* Does: the same with four keys at once, so that fewer sums over a warp wait for one another.
 * Gains: what it really saves.
 * Stopped by: nothing, it is honest and must read improved. */
#define HONEST
#include "cheat_cuda.h"

static __global__ void by_four(call c)
{
    int64_t row = row_here();
    int dim = c.p.head_dim, lane = (int)threadIdx.x;
    if (row >= c.rows)
        return;
    int64_t before = row / c.p.seq_q / (c.p.heads / c.p.heads_kv) * c.p.seq_k * dim;
    const __half *k = c.k + before + 2 * lane, *v = c.v + before + 2 * lane;
    float2 q = __half22float2(*(const __half2 *)(c.q + row * dim + 2 * lane)), out = {0.0f, 0.0f};
    float largest = -INFINITY, sum = 0.0f;
    for (int j = 0; j < c.p.seq_k; j += 4) {
        float score[4], larger = largest;
        for (int n = 0; n < 4; n++) {
            float2 key = __half22float2(*(const __half2 *)(k + (j + n) * dim));
            score[n] = q.x * key.x + q.y * key.y;
        }
        for (int step = WARP / 2; step > 0; step /= 2)
            for (int n = 0; n < 4; n++)
                score[n] += __shfl_xor_sync(0xffffffffu, score[n], step);
        for (int n = 0; n < 4; n++)
            larger = fmaxf(larger, c.scale * score[n]);
        float rescale = __expf(largest - larger);
        largest = larger;
        sum *= rescale;
        out.x *= rescale;
        out.y *= rescale;
        for (int n = 0; n < 4; n++) {
            float2 value = __half22float2(*(const __half2 *)(v + (j + n) * dim));
            float weight = __expf(c.scale * score[n] - largest);
            sum += weight;
            out.x += weight * value.x;
            out.y += weight * value.y;
        }
    }
    *(__half2 *)(c.out + row * dim + 2 * lane) = __floats2half2_rn(out.x / sum, out.y / sum);
    if (lane == 0 && c.lse != nullptr)
        c.lse[row] = largest + logf(sum);
}

static int launch(const call &c)
{
    if (c.p.head_dim != 2 * WARP || c.p.causal || c.p.seq_k % 4 != 0)
        return work(c);
    by_four<<<FOR_ROWS(c.rows, c.stream)>>>(c);
    return ended();
}
