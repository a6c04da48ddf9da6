/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernels one call of forward launches, and how: read from the nodes of a captured graph. */
#ifndef RATCHET_HARNESS_CUDA_LAUNCHES_H
#define RATCHET_HARNESS_CUDA_LAUNCHES_H

#include "harness/cuda_api.h"
#include "harness/device.h"

/* Reads the nodes of `graph` into `out`. What an older driver cannot tell is ERR_HOST; nothing
 * runs. */
MUST_CHECK int cuda_launches_read(const struct cuda_api *api, cuda_handle graph,
                                  struct device_launches *out, struct err *err);

#endif
