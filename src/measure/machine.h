/* SPDX-License-Identifier: Apache-2.0 */
/* What the host says about itself: its processor, and facts for the environment of samples. */
#ifndef RATCHET_MEASURE_MACHINE_H
#define RATCHET_MEASURE_MACHINE_H

#include "base/err.h"
#include "model.h"

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

/* Threads that a kernel on the CPU is given: `wanted`, or where that is 0 one for each core; at
 * most WIRE_THREADS_MAX. */
unsigned machine_threads(const struct machine *machine, unsigned wanted);

/* The physical core of a processor, as its first processor's number; itself where /sys does not say. */
unsigned machine_core_of(unsigned cpu);

/* Facts under fixed names: os, kernel, cpu, cores, governor. */
MUST_CHECK int machine_facts(const struct machine *machine, struct environment *environment,
                             struct err *err);

#endif
