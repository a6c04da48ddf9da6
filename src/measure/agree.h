/* SPDX-License-Identifier: Apache-2.0 */
/* Do the times that a harness claims agree with the host's own clock? On a GPU the harness runs code whose
 * author gains by a short time, and reads the clock within reach of it; our clock is out of reach.
 *
 * Each turn, every arm takes a number of launches that was drawn for it. So the wall time of turns,
 *
 *     wall = what a turn costs besides + part * waited + sum over arms of slope[arm] * claimed[arm],
 *
 * grows with what an arm claims by as much as was claimed where the claim is true: its slope is 1. A
 * clock that runs at 0.85 has a slope of 1.18. What the harness waited for a processor (waited.h) is
 * wall time where it did so between samples, and within what is claimed where it did so in one: how
 * much of it counts is found as well. What a turn costs besides needs no allowance, as long
 * as it is the same in all turns. Least squares, without turns that a fit by least absolute deviations
 * leaves far beyond the others (the host was busy between two samples): a quarter of them at most. */
#ifndef RATCHET_MEASURE_AGREE_H
#define RATCHET_MEASURE_AGREE_H

#include "model.h"

#include <stdbool.h>
#include <stddef.h>

enum { AGREE_ARMS_MAX = 16 };

/* Turns, one after another. */
struct agree {
    size_t arms;
    double *rows; /* owned; of each turn what each arm claims, what was waited, wall: ns */
    size_t count;
};

/* False where there is no memory. */
bool agree_add(struct agree *agree, const double *claimed_ns, double waited_ns,
               double wall_ns);
/* One slope for each arm; none where there are too few turns. False: there are enough, and they do not tell the arms apart, as when
 * what is claimed does not depend on how many launches there were; or there is no memory. */
bool agree_slopes(const struct agree *agree, struct clock_slope *out);
void agree_free(struct agree *agree);

#endif
