/* SPDX-License-Identifier: Apache-2.0 */
/* What a problem costs: the pairs that a mask leaves, against counting them one by one, and
 * the bytes. */
#include "cost.h"

#include "tap.h"

static double counted_pairs(const struct problem *p)
{
    double pairs = 0;
    for (int i = 0; i < p->seq_q; i++)
        for (int j = 0; j < p->seq_k; j++)
            pairs += !p->causal || j <= i + p->seq_k - p->seq_q;
    return pairs;
}

static void test_operations(void)
{
    static const int lengths[] = {1, 2, 7, 64, 65, 200};
    enum { COUNT = sizeof lengths / sizeof lengths[0] };
    tap_case("operations are 4·B·H·D for each pair that the mask leaves");
    for (int i = 0; i < COUNT * COUNT * 2; i++) {
        struct problem p = {.batch = 3,
                            .heads = 5,
                            .heads_kv = 1,
                            .seq_q = lengths[i % COUNT],
                            .seq_k = lengths[i / COUNT % COUNT],
                            .head_dim = 64,
                            .causal = i >= COUNT * COUNT};
        if (!OK(cost_operations(&p) == 4.0 * 3 * 5 * 64 * counted_pairs(&p)))
            printf("# %d queries, %d keys, causal %d\n", p.seq_q, p.seq_k, p.causal);
    }
}

static void test_bytes(void)
{
    struct problem p = {.batch = 2,
                        .heads = 8,
                        .heads_kv = 2,
                        .seq_q = 10,
                        .seq_k = 100,
                        .head_dim = 64,
                        .dtype = DTYPE_BF16};
    double q = 2.0 * 8 * 10 * 64;
    double k = 2.0 * 2 * 100 * 64;
    tap_case("bytes count the heads of keys and values once");
    NEAR(cost_input_bytes(&p), 2 * (q + 2 * k), 0);
    NEAR(cost_output_bytes(&p), 2 * q + 4 * 2 * 8 * 10, 0);
    NEAR(cost_compulsory_bytes(&p), 2 * (2 * q + 2 * k), 0);
    p.dtype = DTYPE_FP32;
    NEAR(cost_input_bytes(&p), 4 * (q + 2 * k), 0);
    NEAR(cost_compulsory_bytes(&p), 4 * (2 * q + 2 * k), 0);
    tap_case("the largest problem keeps its figures");
    p = (struct problem){PROBLEM_DIM_MAX, PROBLEM_DIM_MAX, 1,     PROBLEM_DIM_MAX,
                         PROBLEM_DIM_MAX, 1,               DTYPE_FP32, false};
    OK(cost_operations(&p) == 0x1p82);
}

int main(void)
{
    test_operations();
    test_bytes();
    return tap_done();
}
