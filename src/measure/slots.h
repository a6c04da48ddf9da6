/* SPDX-License-Identifier: Apache-2.0 */
/* The libraries that one harness process loads: each arm's has a copy, and a slot, of its own. */
#ifndef RATCHET_MEASURE_SLOTS_H
#define RATCHET_MEASURE_SLOTS_H

#include "measure/bench.h"
#include "wire.h"

#include <stdbool.h>
#include <stddef.h>

struct slot {
    const char *path; /* of the library; borrowed */
    enum arm arm;
};

struct slots {
    struct slot slots[WIRE_SLOTS_MAX];
    size_t count;
};

/* The order of arms within a step. Of the arms of a check head comes last: when it fails there,
 * the others have just passed. Those with names of their own are set against head, and follow
 * it. */
extern const enum arm slots_order[ARM_COUNT];

/* The slot of an arm's library, or -1: an arm never shares a copy with another arm. */
int slots_find(const struct slots *slots, const struct bench_config *config, enum arm arm);

/* Slots for all these arms of a config, or none: then it waits for another process. */
bool slots_take(struct slots *slots, const struct bench_config *config,
                const bool arms[ARM_COUNT]);

#endif
