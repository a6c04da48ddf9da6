/* SPDX-License-Identifier: Apache-2.0 */
/* CUPTI's activity records: the time of each kernel by itself, as the vendor's tools see it.
 * Looked up at run time; only a study asks for it, never a check. */
#ifndef RATCHET_HARNESS_CUPTI_H
#define RATCHET_HARNESS_CUPTI_H

#include "base/err.h"

/* From here on kernels of this process are recorded. Must come before the launches, may come
 * after the context. */
MUST_CHECK int cupti_begin(struct err *err);

/* The device is idle: stop recording, and sum up the last `last` of `launches` launches that were
 * made since cupti_begin; each was of equally many kernels. */
MUST_CHECK int cupti_end(unsigned long long launches, unsigned long long last,
                         unsigned long long *total_ns, unsigned long long *kernels,
                         struct err *err);

#endif
