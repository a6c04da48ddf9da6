/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of several commits, built side by side, each in a process of its own, while the caller does
 * something else. For `ratchet autotune`. */
#ifndef RATCHET_PIPELINE_BUILDS_H
#define RATCHET_PIPELINE_BUILDS_H

#include "base/err.h"
#include "measure/build.h"
#include "pipeline/measurement.h"

struct builds;

struct built {
    struct build_result result;
    long long spills; /* see pipeline/spills.h; -1: not known, or nobody asked */
};

/* `at_once` processes at most, which look for spills as well where `spills`. The measurement is borrowed until
 * builds_stop; the caller must have one thread. */
MUST_CHECK int builds_open(struct measurement *measurement, size_t at_once, bool spills,
                           struct builds **out, struct err *err);
/* Build this commit by its own recipe, as soon as there is room. `tag` is the caller's. */
MUST_CHECK int builds_add(struct builds *builds, const char *commit, size_t tag,
                          struct err *err);
/* One that has ended: its tag and what came of it, 1. None has: 0; `wait`: only if none is left. A build
 * that the host could not do is an error; the others go on. */
MUST_CHECK int builds_next(struct builds *builds, bool wait, size_t *tag, struct built *built,
                           struct err *err);
/* The first line of the log that speaks of an error, behind "build failed: exit code 1". */
void builds_add_error(const struct measurement *measurement, struct build_result *result);
/* Kills those that are left. NULL is fine. */
void builds_stop(struct builds **builds);

#endif
