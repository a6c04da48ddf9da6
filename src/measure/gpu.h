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

/* What was read while a replicate was taken: ranges are 0 where nothing could be read. */
struct gpu_watch {
    double sm_mhz[ARM_COUNT]; /* summed over readings, one after each sample of that arm */
    unsigned sm_readings[ARM_COUNT];
    unsigned sm_least, sm_most, celsius_least, celsius_most, watts_least, watts_most;
    unsigned long long reasons; /* NVML's, why clocks were not higher, ored */
};

/* A sample of `arm` has just ended. */
void gpu_watch_sample(const struct gpu *gpu, enum arm arm, struct gpu_watch *watch);
/* A turn has ended: the marks (enum mark) it deserves. Thermal and hardware slowdowns and a
 * power brake mark it; a software power cap, where a 72 W card lives, does not. */
unsigned gpu_watch_turn(const struct gpu *gpu, struct gpu_watch *watch);
/* The replicate has ended: under a power cap, did all arms run at the same clock? */
unsigned gpu_watch_end(const struct gpu_watch *watch);
void gpu_watch_add(struct gpu_watch *to, const struct gpu_watch *from);
/* Facts whose names begin with `seen_`: they differ every time. */
MUST_CHECK int gpu_watch_facts(const struct gpu_watch *watch, struct environment *environment,
                               struct err *err);

/* Facts under fixed names: gpu, gpu_id (a hash), compute_capability, driver, cuda, gpu_memory,
 * persistence, ecc, power_limit, clock_policy, mig. What cannot be read is left out. */
MUST_CHECK int gpu_facts(const struct gpu *gpu, struct environment *environment,
                         struct err *err);

#endif
