/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the arithmetic of an attention problem's size. Doubles: a product of six 32-bit numbers
 * has no room elsewhere. */
#include "cost.h"

#include <math.h>

static double element_bytes(const struct problem *p)
{
    return p->dtype == DTYPE_FP32 ? 4.0 : 2.0;
}

static double query_elements(const struct problem *p)
{
    return (double)p->batch * p->heads * p->seq_q * p->head_dim;
}

static double key_elements(const struct problem *p)
{
    return (double)p->batch * p->heads_kv * p->seq_k * p->head_dim;
}

double cost_operations(const struct problem *p)
{
    double pairs = 0.0;
    for (int i = 0; i < p->seq_q; i++) {
        double seen = (double)i + p->seq_k - p->seq_q + 1.0;
        pairs += p->causal ? fmax(seen, 0.0) : (double)p->seq_k;
    }
    return 4.0 * p->batch * p->heads * p->head_dim * pairs;
}

double cost_input_bytes(const struct problem *p)
{
    return element_bytes(p) * (query_elements(p) + 2.0 * key_elements(p));
}

double cost_output_bytes(const struct problem *p)
{
    double rows = (double)p->batch * p->heads * p->seq_q;
    return element_bytes(p) * query_elements(p) + sizeof(float) * rows;
}
