/* SPDX-License-Identifier: Apache-2.0 */
/* One fresh harness process: copies and loads the libraries, and takes one replicate of each
 * of some configs. Says what each arm did; bench_fault.c makes faults of it. */
#ifndef RATCHET_MEASURE_PROCESS_H
#define RATCHET_MEASURE_PROCESS_H

#include "base/err.h"
#include "measure/bench.h"
#include "measure/bits.h"
#include "measure/experiment.h"
#include "measure/machine.h"
#include "measure/trouble.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of what head gave in launches on the inputs that `seed` makes. */
struct hashes {
    uint64_t seed;
    uint64_t launches[BITS_LAUNCHES];
};

struct process_config {
    const struct bench_config *bench;
    bool arms[ARM_COUNT]; /* which take part; bench->library has a path for each */
    struct hashes
        *hashes; /* to be filled in place of a replicate, for head alone; else NULL */

    bool started;   /* false: no slots were left, or the process ended before */
    bool done;      /* `replicate` is whole (perhaps marked) */
    bool shortened; /* … with fewer samples, launches or warm-up than the request says */
    struct replicate replicate;
    double seconds;                           /* that it took, whatever came of it */
    struct slowed slowed;                     /* of an experiment */
    unsigned long long peak_bytes[ARM_COUNT]; /* as in config_samples; 0 unless `done` */
    struct trouble trouble[TROUBLE_COUNT];
    struct code_listing *launches; /* not NULL: nothing is timed, and these ARM_COUNT get the
                                      kernels that each arm launches; see launches.h */
};

/* Configs run in random order. Where somebody else is on the GPU before, all are marked. Only the
 * host's own trouble is an error. With an experiment, which may be NULL, configs that went through
 * it are `done` with their times in `slowed`. */
MUST_CHECK int process_run(const struct bench_request *request, const struct machine *machine,
                           struct process_config *configs, size_t count,
                           const struct experiment *experiment, struct err *err);

#endif
