/* SPDX-License-Identifier: Apache-2.0 */
/* The NVIDIA GPUs of this host as NVML, the driver's own library, tells of them from outside
 * any sandbox. NVML is opened at run time: a host without a driver has no GPUs. */
#ifndef RATCHET_MEASURE_GPU_H
#define RATCHET_MEASURE_GPU_H

#include "base/err.h"
#include "model.h"

#include <stdbool.h>

struct gpu {
    unsigned index;               /* NVML's */
    unsigned minor;               /* of /dev/nvidiaN */
    char uuid[96];                /* "GPU-…": never shown; reports have a hash of it */
    char name[96];                /* "NVIDIA H200" */
    char capability[8];           /* compute capability, "9.0" */
    char driver[64];              /* "580.159.04" */
    char cuda[16];                /* newest CUDA the driver speaks, "13.0" */
    unsigned long long memory_bytes;
};

/* The GPU that lane `slug` measures on. `choice` is the host's: an index, a UUID, or NULL for
 * the first whose name makes that slug ("NVIDIA H200" makes nvidia-h200). A choice of another
 * kind of GPU than the slug says, no such GPU, or no driver is ERR_HOST. */
MUST_CHECK int gpu_find(const char *slug, const char *choice, struct gpu *out, struct err *err);

/* Is this slug a GPU's ("nvidia-…")? */
bool gpu_is_slug(const char *slug);

/* Facts under fixed names: gpu, gpu_id (a hash), compute_capability, driver, cuda, gpu_memory,
 * persistence, ecc, power_limit, clock_policy, mig. What cannot be read is left out. */
MUST_CHECK int gpu_facts(const struct gpu *gpu, struct environment *environment,
                         struct err *err);

#endif
