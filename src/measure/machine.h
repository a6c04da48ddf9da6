/* SPDX-License-Identifier: Apache-2.0 */
/* What the host says about itself: facts for the environment of samples, how many threads
 * and how large a rotation of inputs make sense, and a witness that watches from outside the
 * sandbox what disturbs a turn. */
#ifndef RATCHET_MEASURE_MACHINE_H
#define RATCHET_MEASURE_MACHINE_H

#include "base/err.h"
#include "measure/gpu.h"
#include "model.h"

#include <stdbool.h>

struct machine {
    char cpu[128];               /* "Intel(R) Xeon(R) …" */
    unsigned cores;              /* physical, that this process may use */
    unsigned processors;         /* logical, that this process may use */
    unsigned long long l2_bytes; /* of one core; 0: unknown */
    unsigned long long llc_bytes;
    char governor[64]; /* "" where there is none to read */
    double tick_ns;    /* of CLOCK_MONOTONIC_RAW */
};

void machine_read(struct machine *machine);

/* Bytes of input sets to rotate over with `threads` threads, and why in one line. */
unsigned long long machine_rotation(const struct machine *machine, unsigned threads, bool warm,
                                    char *text, size_t size);

/* A kernel's time cannot be below operations ÷ this many per ns: 64 a cycle (two AVX-512
 * fused multiply-adds) at 6 GHz on every thread, more than any processor of today does. */
double machine_peak_ops_per_ns(unsigned threads);

/* Facts under fixed names: os, kernel, cpu, cores, governor. */
MUST_CHECK int machine_facts(const struct machine *machine, struct environment *environment,
                             struct err *err);

/* Whoever watches from outside the sandbox what disturbs turns, by the kind of device: the time
 * that a hypervisor takes from a CPU; of a GPU its clocks, read every few milliseconds by a
 * thread that runs while a turn is open, what slows it down, and who else is on it. */
struct witness;
MUST_CHECK int witness_open(const char *device, const struct gpu *gpu, struct witness **out,
                            struct err *err);
/* A turn begins. `at_work`: whose sample comes first. */
void witness_begin(struct witness *witness, enum arm at_work);
/* A sample has ended, and the next begins: of this arm. ARM_COUNT: that was the last. */
void witness_sample(struct witness *witness, enum arm at_work);
/* The turn is over: the marks (enum mark, ored) that it deserves, where `borne` ticks of stolen
 * time (10 ms each) spoil nothing. Those that were seen while one arm was at work are ored into
 * that arm's of `of` as well. */
unsigned witness_end(struct witness *witness, unsigned long long borne,
                     unsigned of[ARM_COUNT]);
/* The replicate is over: the marks that all its turns together deserve, likewise. */
unsigned witness_marks(struct witness *witness, unsigned of[ARM_COUNT]);
/* Adds what was read to `seen`, which may be NULL. NULL is fine. */
void witness_close(struct witness **witness, struct gpu_watch *seen);

#endif
