/* SPDX-License-Identifier: Apache-2.0 */
/* What the gpu*.c files share: a GPU as NVML has it. */
#ifndef RATCHET_MEASURE_NVIDIA_H
#define RATCHET_MEASURE_NVIDIA_H

#include "measure/device/gpu.h"
#include "measure/device/nvml.h"

/* NVML, and its handle of this GPU; NULL where either is gone. */
const struct nvml *gpu_device(const struct gpu *gpu, nvml_device *device);

/* ERR_HOST with NVML's own words. Always -1. */
int gpu_failed(const struct nvml *nvml, nvml_result result, const char *what, struct err *err);

#endif
