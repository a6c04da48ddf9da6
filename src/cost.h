/* SPDX-License-Identifier: Apache-2.0 */
/* What one launch of a problem costs at least, whatever the kernel: operations and bytes. For what
 * fits into a device's memory and the time below which no measurement can be true (measure/),
 * and for rates (publish/, cli/). */
#ifndef RATCHET_COST_H
#define RATCHET_COST_H

#include "model.h"

/* Floating-point operations of the two matrix products: 4·B·H·D for each pair of query and key that
 * the mask leaves, which is j ≤ i + seq_k − seq_q where it is causal. */
double cost_operations(const struct problem *problem);
/* Bytes of one set of inputs: Q, K and V. */
double cost_input_bytes(const struct problem *problem);
/* Bytes of the outputs: O, and a float of log-sum-exp for each of its rows. */
double cost_output_bytes(const struct problem *problem);
/* Bytes that any kernel must move: Q, K and V read once, O written once. */
double cost_compulsory_bytes(const struct problem *problem);
/* A larger tensor is a typing mistake; and products stay far from overflow. */
#define COST_ELEMENTS_MAX 68719476736.0 /* 2^36 */
bool cost_too_large(const struct problem *problem);

#endif
