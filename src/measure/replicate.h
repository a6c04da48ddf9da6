/* SPDX-License-Identifier: Apache-2.0 */
/* One config in a harness process that has loaded its libraries: checked, timed, checked again. */
#ifndef RATCHET_MEASURE_REPLICATE_H
#define RATCHET_MEASURE_REPLICATE_H

#include "measure/device/device.h"
#include "measure/process.h"
#include "measure/slots.h"

/* The process, as far as one config needs it. */
struct stage {
    const struct bench_request *request;
    const struct device_kind *kind;
    struct device_use use;
    bool clock_apart; /* no library reaches the harness's: it is not held against ours */
    unsigned long long free_bytes; /* of a GPU, before any library; 0: not known */
    const struct slots *slots;
    const struct experiment *experiment; /* NULL: replicates */
    struct session *session;
};

/* All steps of one config; what they came to is in it. The session may be lost afterwards. Only the
 * host's own trouble is an error. */
MUST_CHECK int replicate_run(const struct stage *stage, struct process_config *config,
                             struct err *err);

#endif
