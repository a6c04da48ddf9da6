/* SPDX-License-Identifier: Apache-2.0 */
/* CUPTI's activity records: the time of each kernel by itself, as the vendor's tools see it.
 * Looked up at run time; only a study asks for it, never a check. */
#ifndef RATCHET_HARNESS_CUPTI_H
#define RATCHET_HARNESS_CUPTI_H

#include "base/err.h"

/* From here on kernels of this process are recorded. Must come before the launches, may come
 * after the context. */
MUST_CHECK int cupti_begin(struct err *err);

/* The device is idle: forget what was recorded so far. */
void cupti_forget(void);

/* The device is idle: stop recording, and sum up the kernels of the last `last` of `samples`
 * samples that were taken since cupti_begin; each was of equally many kernels. Kernels of one
 * thread, the harness's own, do not count. */
MUST_CHECK int cupti_end(unsigned long samples, unsigned long last,
                         unsigned long long *total_ns, struct err *err);

#endif
