/* SPDX-License-Identifier: Apache-2.0 */
/* What the nvidia*.c files share: a GPU of NVIDIA's as NVML, the driver's own library, tells of it
 * from outside any sandbox. NVML is opened at run time: a host without a driver has no GPUs. */
#ifndef RATCHET_MEASURE_NVIDIA_H
#define RATCHET_MEASURE_NVIDIA_H

#include "measure/device/gpu.h"
#include "measure/device/nvml.h"
#include "measure/device/witness.h"

/* NVML, and its handle of this GPU; NULL where either is gone. */
const struct nvml *nvidia_device(const struct gpu *gpu, nvml_device *device);

/* ERR_HOST with NVML's own words. Always -1. */
int nvidia_failed(const struct nvml *nvml, nvml_result result, const char *what,
                  struct err *err);

/* The GPU that lane `slug` measures on. `choice` is the host's: an index, a UUID, or NULL for
 * the first whose name makes that slug ("NVIDIA H200" makes nvidia-h200). A choice of another
 * kind of GPU than the slug says, one in MIG mode, no such GPU, or no driver is ERR_HOST. */
MUST_CHECK int nvidia_find(const char *slug, const char *choice, struct gpu *out,
                           struct err *err);

/* Facts under fixed names: gpu, gpu_id (a hash), compute_capability, driver, cuda, gpu_memory,
 * persistence, ecc, mig, power_limit, default_power_limit, max_sm_clock, max_memory_clock,
 * application_sm_clock, application_memory_clock, clock_policy. What cannot be read is left out. */
MUST_CHECK int nvidia_facts(const struct gpu *gpu, struct environment *environment,
                            struct err *err);

/* ---- who else is there ---- */

/* Processes on the GPU, for compute or graphics, that are neither ours nor started by us.
 * `at_work`: a harness of ours is on it now, and where the driver tells nothing of it under a
 * name that /proc knows (another pid namespace), one nameless process is taken to be it. */
unsigned nvidia_other_processes(const struct gpu *gpu, bool at_work);

/* A CUDA context takes more of a GPU's memory than this, and a console's picture less. */
#define NVIDIA_CONTEXT_BYTES (100ull << 20)

/* Bytes of its memory that are in use, by whomever, without what the driver keeps for itself.
 * False: not known. */
bool nvidia_used_bytes(const struct gpu *gpu, unsigned long long *bytes);

/* While no harness of ours runs: does another process use it? A container is told nothing of
 * processes outside, but their memory shows. `text`, one line, says what was seen. */
bool nvidia_is_in_use(const struct gpu *gpu, char *text, size_t size);

/* ---- its clocks ---- */

void nvidia_read(const struct gpu *gpu, struct gpu_reading *out);
/* NVML's reasons why clocks are not higher as ours (enum gpu_reason), both ored. What slows
 * nothing down, such as idling, is none. */
unsigned nvidia_reasons(unsigned long long reasons);

/* The row's lock_clock and unlock_clock. */
MUST_CHECK int nvidia_lock_clock(const struct gpu *gpu, unsigned mhz, struct err *err);
MUST_CHECK int nvidia_unlock_clock(const struct gpu *gpu, struct err *err);

/* NVML, read every few milliseconds by a thread that runs while a turn is open. */
extern const struct witness_ops nvidia_witness;

#endif
