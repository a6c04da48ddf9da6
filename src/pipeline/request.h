/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the bench for a measurement. Private to src/pipeline. */
#ifndef RATCHET_PIPELINE_REQUEST_H
#define RATCHET_PIPELINE_REQUEST_H

#include "measure/bench.h"
#include "pipeline/arms.h"
#include "pipeline/measurement.h"

/* An arm of a config; NULL: it has none. Borrows the library. */
void request_set_arm(struct bench_config *bench, enum arm arm, const struct library *library);

/* By the host, the rules and the job of a measurement; with a GPU, that is found, into *gpu. `ready`
 * and `watch` may be NULL. *out borrows all of them. */
MUST_CHECK int request_fill(struct measurement *measurement,
                            const struct bench_config *benches,
                            const struct measurement_libraries *ready, struct gpu *gpu,
                            struct gpu_watch *watch, struct bench_request *out,
                            struct err *err);

#endif
