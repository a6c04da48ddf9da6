/* SPDX-License-Identifier: Apache-2.0 */
/* One measurement on a device of this host at a time. */
#ifndef RATCHET_PIPELINE_HOLD_H
#define RATCHET_PIPELINE_HOLD_H

#include "base/err.h"
#include "base/file.h"
#include "intake/host.h"
#include "measure/device/gpu.h"
#include "pipeline/measurement.h"

/* What is held while a device is measured on. Begin with {measurement, .lock = -1}. */
struct hold {
    struct measurement *measurement;
    int lock;                   /* file descriptor */
    struct clocks_lock *clocks; /* NULL: left as they were */
};
#define HOLD_AUTO __attribute__((cleanup(hold_end))) struct hold

/* Wait for the device, and lock its clocks where the host wants that; what became of them is a fact
 * of `environment`, that of the samples to be taken. `gpu` NULL: not a GPU. */
MUST_CHECK int hold_device(struct measurement *measurement, const struct gpu *gpu,
                           struct environment *environment, struct hold *hold,
                           struct err *err);
void hold_end(struct hold *hold);

/* The lock that whoever measures on a device of this host holds, and one at a time can:
 * lock-dir/ratchet-cpu.lock, or of a GPU, under whichever device name, ratchet-gpu-HASH.lock with
 * the hash of its UUID that reports have as gpu_id. */
MUST_CHECK int hold_lock_path(const struct host *host, const char *device,
                              const struct gpu *gpu, char out[FILE_PATH_BYTES],
                              struct err *err);

/* At the start of a daemon: unlock the clocks that a killed run left locked, of GPUs that
 * nobody measures on. Does nothing, and loads no driver, where none were. */
MUST_CHECK int hold_undo_clocks(const struct host *host, struct err *err);

#endif
