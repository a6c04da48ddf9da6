/* SPDX-License-Identifier: Apache-2.0 */
/* What the host says about itself: facts for the environment of samples, how many threads
 * and how large a rotation of inputs make sense, and a witness that watches from outside the
 * sandbox what disturbs a turn. */
#ifndef RATCHET_MEASURE_MACHINE_H
#define RATCHET_MEASURE_MACHINE_H

#include "base/err.h"
#include "model.h"

#include <stdbool.h>

struct machine {
    char cpu[128];               /* "Intel(R) Xeon(R) …" */
    unsigned cores;              /* physical, that this process may use */
    unsigned processors;         /* logical, that this process may use */
    unsigned long long l2_bytes; /* of one core; 0: unknown */
    unsigned long long llc_bytes;
    char governor[64];           /* "" where there is none to read */
    double tick_ns;              /* of CLOCK_MONOTONIC_RAW */
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

/* What is watched around a turn, per kind of device. `begin` notes the state, `end` returns
 * the marks (enum mark, ored) that the time between deserves. */
struct witness_state {
    unsigned long long stolen_ticks;
};
struct witness {
    const char *device; /* front of the slug */
    void (*begin)(struct witness_state *state);
    unsigned (*end)(const struct witness_state *state);
};
const struct witness *witness_of(const char *device); /* NULL: nobody watches that device */

#endif
