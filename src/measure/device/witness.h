/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever watches from outside the sandbox what disturbs turns, by the kind of device: the time
 * that a hypervisor takes from a CPU; of a GPU its clocks, what slows it down, and who else is
 * on it. */
#ifndef RATCHET_MEASURE_WITNESS_H
#define RATCHET_MEASURE_WITNESS_H

#include "base/err.h"
#include "measure/device/gpu.h"
#include "model.h"

/* Each kind's own struct begins with this. */
struct witness {
    const struct witness_ops *ops;
};

/* As the functions below; NULL where a kind has nothing to do. */
struct witness_ops {
    int (*open)(const struct gpu *gpu, struct witness **out, struct err *err);
    void (*begin)(struct witness *witness, enum arm at_work);
    void (*sample)(struct witness *witness, enum arm at_work);
    unsigned (*end)(struct witness *witness, unsigned long long tolerated,
                    unsigned of[ARM_COUNT]);
    unsigned (*marks)(struct witness *witness, unsigned of[ARM_COUNT]);
    void (*close)(struct witness *witness, struct gpu_watch *seen); /* frees */
};

/* *out is NULL where nobody watches: fine for all of what follows. */
MUST_CHECK int witness_open(const char *device, const struct gpu *gpu, struct witness **out,
                            struct err *err);
/* A turn begins. `at_work`: whose sample comes first. */
void witness_begin(struct witness *witness, enum arm at_work);
/* A sample has ended, and the next begins: of this arm. ARM_COUNT: that was the last. */
void witness_sample(struct witness *witness, enum arm at_work);
/* The turn is over: the marks (enum mark, ored) that it deserves, where `tolerated` ticks of stolen
 * time (10 ms each) are ignored. Those that were seen while one arm was at work are ored into
 * that arm's of `of` as well. */
unsigned witness_end(struct witness *witness, unsigned long long tolerated,
                     unsigned of[ARM_COUNT]);
/* The replicate is over: the marks that all its turns together deserve, likewise. */
unsigned witness_marks(struct witness *witness, unsigned of[ARM_COUNT]);
/* Adds what was read to `seen`, which may be NULL. */
void witness_close(struct witness **witness, struct gpu_watch *seen);

#endif
