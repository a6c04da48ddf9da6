/* SPDX-License-Identifier: Apache-2.0 */
/* CUPTI's activity records: the time of each kernel by itself, as the vendor's tools see it.
 * Looked up at run time; only a study asks for it, never a check. */
#ifndef RATCHET_HARNESS_CUPTI_H
#define RATCHET_HARNESS_CUPTI_H

#include "base/err.h"

/* From here on kernels of this process are recorded. May come after the context, but graphs
 * that were made before are not seen. */
MUST_CHECK int cupti_begin(struct err *err);

/* The device is idle: forget what was recorded so far. */
void cupti_forget(void);

/* The device is idle: the kernels recorded since cupti_forget, summed up. Kernels of one thread,
 * the harness's own, do not count. */
MUST_CHECK int cupti_sum(unsigned long long *total_ns, struct err *err);

#endif
