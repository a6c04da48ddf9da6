/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the arithmetic of an attention problem's size. In doubles, because a product of six 32-bit
 * numbers can overflow 64 bits. */
#include "cost.h"

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

/* With a causal mask query i sees keys up to i + seq_k - seq_q (kernels/attention.h). The last
 * query sees all keys, each one before it one key less, down to none. */
static double visible_pairs(const struct problem *p)
{
    double queries = p->seq_q;
    double keys = p->seq_k;
    if (!p->causal)
        return queries * keys;
    double rows = queries < keys ? queries : keys; /* that see any key at all */
    return rows * keys - rows * (rows - 1) / 2;
}

double cost_operations(const struct problem *p)
{
    return 4.0 * p->batch * p->heads * p->head_dim * visible_pairs(p);
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

double cost_compulsory_bytes(const struct problem *p)
{
    return cost_input_bytes(p) + element_bytes(p) * query_elements(p);
}

bool cost_too_large(const struct problem *problem)
{
    return query_elements(problem) > COST_ELEMENTS_MAX ||
           key_elements(problem) > COST_ELEMENTS_MAX;
}
