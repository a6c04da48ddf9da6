/* SPDX-License-Identifier: Apache-2.0 */
/* The witness of a GPU of NVIDIA's: NVML, read every few milliseconds by a thread that runs while
 * a turn is open. */
#ifndef RATCHET_MEASURE_NVIDIA_WITNESS_H
#define RATCHET_MEASURE_NVIDIA_WITNESS_H

#include "measure/device/witness.h"

extern const struct witness_ops nvidia_witness;

#endif
