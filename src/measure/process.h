/* SPDX-License-Identifier: Apache-2.0 */
/* One fresh harness process: copies and loads the libraries, and takes one replicate of each
 * of some configs. Says what each arm did; bench.c makes faults of it. */
#ifndef RATCHET_MEASURE_PROCESS_H
#define RATCHET_MEASURE_PROCESS_H

#include "base/err.h"
#include "measure/bench.h"
#include "measure/machine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trouble_kind {
    TROUBLE_NONE,
    TROUBLE_REFUSED, /* the library does not load */
    TROUBLE_WRONG,   /* a wrong result, an error returned, a problem not supported */
    TROUBLE_CRASH,
    TROUBLE_HANG,
    TROUBLE_GARBLED, /* something spoke in the harness's place */
    TROUBLE_LIE,     /* a time that cannot be */
    TROUBLE_HOST     /* no memory, or killed from outside */
};

struct trouble {
    enum trouble_kind kind;
    bool whole; /* of the library, whatever the config */
    char text[MODEL_TEXT_BYTES];
};

/* What a lab wants timed in place of a replicate: arms slowed on the device by a share of what
 * the anchor takes in this very process, all in the same turns. */
enum { PROCESS_ENTRIES_MAX = 16 };
struct process_experiment {
    struct process_entry {
        enum arm arm;
        double slower; /* 0.04 is 4% */
    } entries[PROCESS_ENTRIES_MAX];
    size_t count;
};

struct process_config {
    const struct bench_config *bench;
    bool arms[ARM_COUNT]; /* which take part; bench->library has a path for each */

    bool started; /* false: no slots were left, or the process ended before */
    bool done;    /* `replicate` is whole (perhaps marked) */
    struct replicate replicate;
    struct slowed {
        struct series entries[PROCESS_ENTRIES_MAX]; /* of the experiment; owned */
        unsigned marks;
        double seconds; /* that all turns took */
    } slowed;
    /* One set of inputs, outputs, workspace, and what launches took of device memory besides:
     * each library loads its code by itself. */
    unsigned long long peak_bytes[ARM_COUNT];
    unsigned long long grown_bytes[ARM_COUNT];
    struct trouble trouble[ARM_COUNT + 1]; /* the last: of no arm in particular */
};

/* Configs run in random order. Where somebody else is on the GPU before, all are marked. Only the host's own trouble is an error. With an experiment,
 * configs that went through it are `done` with their times in `slowed`. */
MUST_CHECK int process_run(const struct bench_request *request, const struct machine *machine,
                           struct process_config *configs, size_t count,
                           const struct process_experiment *experiment, struct err *err);

/* 64 random bits from the kernel; each seed is fresh, so that no seed tells another. */
MUST_CHECK int process_random(uint64_t *out, struct err *err);

#endif
