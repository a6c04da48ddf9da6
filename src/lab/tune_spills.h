/* SPDX-License-Identifier: Apache-2.0 */
/* Does a candidate's machine code spill registers where today's does not? For autotune: what spills is rejected
 * before it costs time on the device. */
#ifndef RATCHET_LAB_TUNE_SPILLS_H
#define RATCHET_LAB_TUNE_SPILLS_H

#include "base/err.h"
#include "codefacts.h"
#include "pipeline/measurement.h"

#include <stdbool.h>

/* The kernels of a library on this measurement's GPU; none on another device, or where they cannot be read: then
 * nothing is known of spills. The caller frees *out. */
void tune_spills_read(const struct measurement *measurement, const char *library,
                      struct code_listing *out);

/* True where some kernel spills more bytes a thread than any of today's does: `why` is one line. */
bool tune_spills_more(const struct code_listing *today, const struct code_listing *candidate,
                      char *why, size_t size);

#endif
