/* SPDX-License-Identifier: Apache-2.0 */
/* The lock of a GPU's clock, where ratchetd.conf says so, for any kind of device that can.
 *
 * While the clock is locked, `folder` (that of the device locks: all users of the host share it,
 * and a restart, which unlocks clocks as well, empties it) has a file that says so. A guardian
 * (guardian.h) keeps the lock `device_lock` as long as it needs and unlocks the clock when its
 * parent dies. Where both are killed, whoever takes the device lock next calls clocks_undo. `device` is the
 * slug of a lane, everywhere. Or ratchet-clocks is asked, where it serves: it does the same, in a folder of
 * its own. */
#ifndef RATCHET_MEASURE_CLOCKS_H
#define RATCHET_MEASURE_CLOCKS_H

#include "base/err.h"
#include "measure/device/gpu.h"

#include <stdbool.h>

/* The main of every program that calls clocks_lock begins with this: its exit code where it was
 * started as a guardian, else -1. `PROGRAM guard-clocks DEVICE INDEX ID FOLDER`. */
#define CLOCKS_GUARDIAN "guard-clocks"
int clocks_guard(int argc, char **argv);

/* From now on ratchet-clocks locks this process's clocks, which listens there; "": itself. */
void clocks_use(const char *socket);

/* Could clocks_lock do it? ERR_HOST says why not. */
MUST_CHECK int clocks_try(const char *device, const struct gpu *gpu, unsigned mhz,
                          struct err *err);

/* Only root may, or who may ask ratchet-clocks; ERR_HOST says what the driver said. */
struct clocks_lock;
MUST_CHECK int clocks_lock(const char *device, const struct gpu *gpu, unsigned mhz,
                           const char *folder, int device_lock, struct clocks_lock **out,
                           struct err *err);
/* Unlock, and free. NULL is fine. On an error the file stays for clocks_undo. */
MUST_CHECK int clocks_unlock(struct clocks_lock **lock, struct err *err);

/* With the device lock held: unlock what a killed run left locked. *undone: it had. */
MUST_CHECK int clocks_undo(const char *device, const struct gpu *gpu, const char *folder,
                           bool *undone, struct err *err);
/* Are clocks of any GPU locked, or left so? Loads no driver. */
MUST_CHECK int clocks_any(const char *folder, bool *any, struct err *err);

#endif
