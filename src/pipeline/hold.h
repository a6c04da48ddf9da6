/* SPDX-License-Identifier: Apache-2.0 */
/* One measurement on a lane of this host at a time. */
#ifndef RATCHET_PIPELINE_HOLD_H
#define RATCHET_PIPELINE_HOLD_H

#include "base/err.h"
#include "intake/host.h"
#include "measure/device/gpu.h"
#include "pipeline/lane_lock.h"
#include "pipeline/measurement.h"

/* What is held while a lane is measured on. Begin with {measurement, .lock = LANE_LOCK_NONE}. */
struct hold {
    struct measurement *measurement;
    struct lane_lock lock;
    unsigned long long
        wait_ms; /* for the lane, at most; 0: as long as the host lets a measurement wait */
    uint64_t begin_ns;          /* 0: not yet held */
    struct clocks_lock *clocks; /* NULL: left as they were */
};
#define HOLD_AUTO __attribute__((cleanup(hold_end))) struct hold

/* Wait for the measurement's lane, and lock its clocks where the host wants that; what became of them is a fact
 * of `environment`, that of the samples to be taken. `gpu` NULL: not a GPU. */
MUST_CHECK int hold_device(struct measurement *measurement, const struct gpu *gpu,
                           struct environment *environment, struct hold *hold,
                           struct err *err);
/* What it took is added to measurement->device_ns. */
void hold_end(struct hold *hold);

/* At the start of a daemon: unlock the clocks that a killed run left locked, of GPUs that
 * nobody measures on. Does nothing, and loads no driver, where none were. */
MUST_CHECK int hold_undo_clocks(const struct host *host, struct err *err);

#endif
