/* SPDX-License-Identifier: Apache-2.0 */
/* Records a pool of processes on this very device (`ratchet calibrate`). */
#ifndef RATCHET_LAB_CALIBRATE_H
#define RATCHET_LAB_CALIBRATE_H

#include "base/err.h"
#include "lab/pool.h"
#include "pipeline/measurement.h"

/* Build the kernel of `commit`, hold the device, and record fresh processes into the file
 * until it has `processes`. Each is written as it ends: a recording that was cut off goes on
 * where it ended, if kernel, device, samples and configs are the same; else ERR_INPUT.
 * The caller frees *out. */
MUST_CHECK int calibrate_record(struct measurement *measurement, const char *commit,
                                const char *path, size_t processes, struct pool *out,
                                struct err *err);

/* Read a pool's file. A last line that was cut off is ERR_INPUT unless `used` is given: then
 * *used is how many bytes are whole lines. */
MUST_CHECK int calibrate_read(const char *path, const struct limits *limits, struct pool *out,
                              size_t *used, struct err *err);

#endif
