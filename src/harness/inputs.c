/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how inputs are drawn. Does not know where they are stored. */
#include "harness/inputs.h"

#include "harness/storage.h"

#include <errno.h>
#include <sys/random.h>

int inputs_secret(uint64_t *out, struct err *err)
{
    if (getrandom(out, sizeof *out, 0) == (ssize_t)sizeof *out)
        return 0;
    return err_errno(err, ERR_HOST, errno, "random numbers");
}

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

/* Two elements of a row, 16 bits each: the finaliser of MurmurHash3 (Appleby 2011), since the
 * inputs of a whole turn are made again before it. */
static uint32_t pair_of(uint64_t state, uint32_t pair)
{
    uint32_t x = (uint32_t)state + pair * 0x9e3779b9u;
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return x ^ x >> 16 ^ (uint32_t)(state >> 32);
}

static float scale_of(enum inputs_kind kind, enum inputs_tensor tensor, uint64_t state)
{
    uint64_t bits = inputs_mix(state ^ 0xff);
    if (kind == INPUTS_TIMING && (bits & 31) != 0)
        return 1.0F;
    return scales[tensor][bits >> 61];
}

void inputs_row(const struct inputs *inputs, enum inputs_tensor tensor, size_t row, float *out)
{
    uint64_t state = inputs_mix(inputs->seed[tensor] ^ inputs_mix(3 * (uint64_t)row + tensor));
    float scale = scale_of(inputs->kind, tensor, state) / 32768.0F;
    uint32_t dim = (uint32_t)inputs->problem->head_dim;
    int dtype = inputs->problem->dtype;
    for (uint32_t e = 0; e < dim; e += 2) {
        uint32_t bits = pair_of(state, e / 2);
        out[e] = scale * (float)((int32_t)(bits & 0xffff) - 32768);
        if (e + 1 < dim)
            out[e + 1] = scale * (float)((int32_t)(bits >> 16) - 32768);
    }
    for (uint32_t e = 0; dtype != ATTENTION_FP32 && e < dim; e++)
        out[e] = storage_round(dtype, out[e]);
}
