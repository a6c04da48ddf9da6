/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the device while it is measured on: its lock, which all of this host take in turn, and its
 * clocks, where the host wants them locked. */
#include "pipeline/hold.h"

#include "base/proc.h"
#include "measure/device/clocks.h"
#include "measure/device/device.h"

#include <stdio.h>
#include <time.h>

/* In this order: nobody else may measure while clocks are still being unlocked. */
void hold_end(struct hold *hold)
{
    struct err err;
    if (hold->begin_ns != 0)
        hold->measurement->device_ns += proc_now_ns() - hold->begin_ns;
    if (clocks_unlock(&hold->clocks, &err) != 0)
        measurement_say(hold->measurement, "the clocks stay locked for now: %s", err.text);
    lane_lock_drop(&hold->lock);
}

enum { TRY_MS = 100, TELL_MS = 60000 };

static int lock_lane(struct measurement *measurement, const struct gpu *gpu, struct hold *hold,
                     struct err *err)
{
    unsigned long long limit_ms = measurement->host->limits.device_wait_ms;
    struct lane_lock *lock = &hold->lock;
    if (hold->wait_ms > 0 && hold->wait_ms < limit_ms)
        limit_ms = hold->wait_ms;
    for (unsigned long long waited_ms = 0;; waited_ms += TRY_MS) {
        if (lane_lock_try(measurement->host, measurement->device, measurement->lane, gpu, lock,
                          err) == 0)
            return 0;
        if (err->class != ERR_CONFLICT)
            return -1;
        if (waited_ms >= limit_ms) {
            err->class = ERR_HOST;
            return err_wrap(err, "waited %llu s for the device", limit_ms / 1000);
        }
        if (waited_ms == 0)
            measurement_stage(measurement, STAGE_DEVICE);
        if (waited_ms % TELL_MS == 0)
            measurement_tell(measurement, PROGRESS_WAITING, "waiting for the device: %s",
                             err->text);
        nanosleep(&(struct timespec){.tv_nsec = TRY_MS * 1000000}, NULL);
    }
}

/* A lock that the host wants and does not get is a fact of the environment, no failure: what
 * is measured with free clocks is sound all the same. */
static int settle_clocks(struct measurement *measurement, const struct gpu *gpu,
                         struct environment *environment, struct hold *hold, struct err *err)
{
    const char *device = measurement->device->slug, *folder = measurement->host->lock_dir;
    unsigned mhz = measurement->device->clock_lock_mhz;
    char policy[64] = "as found"; /* why so is no part of it: checks are told apart by it */
    struct err why = {0};
    bool undone = false;
    if (clocks_undo(device, gpu, folder, &undone, &why) != 0)
        snprintf(policy, sizeof policy, "locked by a run that was killed");
    else if (mhz > 0 && clocks_lock(device, gpu, mhz, folder, hold->lock.device, &hold->clocks,
                                    &why) == 0)
        snprintf(policy, sizeof policy, "locked at %u MHz", mhz);
    else if (mhz > 0)
        snprintf(policy, sizeof policy, "as found; %u MHz were refused", mhz);
    if (why.text[0] != '\0')
        measurement_note(measurement, "Clocks are %s: %s", policy, why.text);
    if (undone)
        measurement_say(measurement, "unlocked the clocks that a killed run had left locked");
    if (environment_set(environment, "clock_policy", policy) != 0)
        return err_set(err, ERR_HOST, "out of memory for the environment");
    return 0;
}

int hold_device(struct measurement *measurement, const struct gpu *gpu,
                struct environment *environment, struct hold *hold, struct err *err)
{
    if (lock_lane(measurement, gpu, hold, err) != 0)
        return -1;
    hold->begin_ns = proc_now_ns();
    return gpu == NULL ? 0 : settle_clocks(measurement, gpu, environment, hold, err);
}

/* The lock is tried, not waited for: whoever has it undoes it. */
static int undo_one(const struct host *host, const struct host_device *device,
                    const struct host_lane *lane, struct err *err)
{
    struct lane_lock lock = LANE_LOCK_NONE;
    bool undone;
    struct gpu gpu;
    if (device_find_gpu(device->slug, lane->gpu, &gpu, err) != 0)
        return -1;
    if (lane_lock_try(host, device, lane, &gpu, &lock, err) != 0)
        return err->class == ERR_CONFLICT ? 0 : -1;
    int result = clocks_undo(device->slug, &gpu, host->lock_dir, &undone, err);
    lane_lock_drop(&lock);
    return result;
}

static int undo_device(const struct host *host, const struct host_device *device,
                       struct err *err)
{
    for (size_t i = 0; i < device->lane_count; i++)
        if (undo_one(host, device, &device->lanes[i], err) != 0)
            return -1;
    return 0;
}

int hold_undo_clocks(const struct host *host, struct err *err)
{
    bool any;
    if (clocks_any(host->lock_dir, &any, err) != 0)
        return -1;
    for (size_t i = 0; any && i < host->device_count; i++)
        if (device_is_gpu(host->devices[i].slug) &&
            undo_device(host, &host->devices[i], err) != 0)
            return err_wrap(err, "device %s", host->devices[i].slug);
    return 0;
}
