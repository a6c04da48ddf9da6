/* SPDX-License-Identifier: Apache-2.0 */
/* The locks that whoever measures on a lane of this host holds, whatever program and configuration it
 * has. Files in lock-dir:
 *
 *     ratchet-gpu-HASH.lock   a GPU, under whichever device name; HASH: of its UUID, as in reports (gpu_id)
 *     ratchet-cpu.lock        the CPU: shared by lanes that are pinned, alone where one is not
 *     ratchet-cpu-N.lock      of a pinned lane each physical core, by its first processor
 *     ratchet-cpu-turn.lock   who waits for the CPU alone: no further lane begins meanwhile */
#ifndef RATCHET_PIPELINE_LANE_LOCK_H
#define RATCHET_PIPELINE_LANE_LOCK_H

#include "base/err.h"
#include "intake/host.h"
#include "measure/device/gpu.h"

#include <stdbool.h>

struct lane_lock {
    int device, turn; /* descriptors, or -1 */
    int cores[HOST_CPUS_MAX];
    size_t core_count;
};
#define LANE_LOCK_NONE ((struct lane_lock){.device = -1, .turn = -1})

/* Take all locks of a lane, or none but the turn. One that is held is ERR_CONFLICT, and the text says
 * by whom: try again with the same struct. `gpu` NULL: not a GPU. */
MUST_CHECK int lane_lock_try(const struct host *host, const struct host_device *device,
                             const struct host_lane *lane, const struct gpu *gpu,
                             struct lane_lock *lock, struct err *err);
void lane_lock_drop(struct lane_lock *lock);

/* The first lane of a device that nobody measures on now, or else the first. */
const struct host_lane *lane_lock_free(const struct host *host,
                                       const struct host_device *device);

/* Distinct physical cores that a lane is pinned to; 0: it is not. */
unsigned lane_cores(const struct host_lane *lane);

/* Every processor of a lane has to be there, and lanes at work at the same time must not share a physical core (`core_of`: machine_core_of) or a GPU:
 * ERR_INPUT names the two. A GPU that is not to be found now is nobody's. */
MUST_CHECK int lanes_check(const struct host *host, unsigned (*core_of)(unsigned cpu),
                           struct err *err);

#endif
