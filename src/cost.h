/* SPDX-License-Identifier: Apache-2.0 */
/* What a problem costs at least, whatever the kernel: operations and bytes. For what fits into a
 * device's memory, and for the time below which no measurement can be true. */
#ifndef RATCHET_COST_H
#define RATCHET_COST_H

#include "model.h"

/* Of the two matrix products: 4·B·H·D for each pair of query and key that a mask leaves. */
double cost_operations(const struct problem *problem);
/* Bytes of one set of inputs: Q, K and V. */
double cost_input_bytes(const struct problem *problem);
/* Bytes of the outputs: O, and a float of log-sum-exp for each of its rows. */
double cost_output_bytes(const struct problem *problem);

#endif
