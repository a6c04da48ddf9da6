/* SPDX-License-Identifier: Apache-2.0 */
/* How much a library's kernels spill: registers that did not fit, kept in memory. Read from its machine code. */
#ifndef RATCHET_PIPELINE_SPILLS_H
#define RATCHET_PIPELINE_SPILLS_H

#include "codefacts.h"
#include "pipeline/measurement.h"

/* Bytes a thread of the kernel that spills most, on this measurement's GPU; -1: not known, as on any other device,
 * or where its code cannot be read. Takes seconds. */
long long spills_of(const struct measurement *measurement, const char *library);

/* The same of kernels that were read. */
long long spills_worst(const struct code_listing *listing);

#endif
