/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how inputs are drawn. Does not know where they are stored. */
#include "harness/inputs.h"

#include "harness/storage.h"

size_t inputs_rows(const struct attention_problem *problem, enum inputs_tensor tensor)
{
    size_t heads = (size_t)(tensor == INPUTS_Q ? problem->heads : problem->heads_kv);
    size_t seq = (size_t)(tensor == INPUTS_Q ? problem->seq_q : problem->seq_k);
    return (size_t)problem->batch * heads * seq;
}

/* Factors of a row by eighths of the chance. Queries up to 64 against keys up to 8 reach
 * scores of some hundreds at head_dim 64; the exponential in float overflows at 88. */
static const float scales[][8] = {
    [INPUTS_Q] = {1.0F, 1.0F, 1.0F, 2.0F, 4.0F, 16.0F, 64.0F, 0.0F},
    [INPUTS_K] = {1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 2.0F, 8.0F},
    [INPUTS_V] = {1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 4.0F, 0.015625F, 256.0F},
};

void inputs_row(const struct inputs *inputs, enum inputs_tensor tensor, size_t row, float *out)
{
    uint64_t state = inputs_mix(inputs->seed ^ inputs_mix(3 * (uint64_t)row + tensor));
    float scale = 1.0F;
    if (inputs->kind == INPUTS_VERIFY)
        scale = scales[tensor][inputs_mix(state ^ 0xff) >> 61];
    int32_t dim = inputs->problem->head_dim;
    int dtype = inputs->problem->dtype;
    for (int32_t e = 0; e < dim; e += 2) {
        state += 0x9e3779b97f4a7c15u;
        uint64_t bits = inputs_mix(state);
        /* 24 bits each, as many as a float holds */
        int32_t low = (int32_t)(bits & 0xffffff) - 0x800000;
        int32_t high = (int32_t)(bits >> 40) - 0x800000;
        out[e] = storage_round(dtype, scale * ((float)low / 8388608.0F));
        if (e + 1 < dim)
            out[e + 1] = storage_round(dtype, scale * ((float)high / 8388608.0F));
    }
}
