/* SPDX-License-Identifier: Apache-2.0 */
/* A process that outlives its parent, to tidy up after it. It is the parent's own program, started
 * anew: a driver's library does not work in a forked child, and nothing else that the parent has open
 * is carried over either. It is of a session of its own, ignores the signals that end a service, and works
 * in `/`.
 *
 * It has four descriptors, 1 and 2 of which lead nowhere, no environment but LD_LIBRARY_PATH, and
 * what its arguments say. */
#ifndef RATCHET_MEASURE_GUARDIAN_H
#define RATCHET_MEASURE_GUARDIAN_H

#include "base/err.h"

#include <sys/types.h>

enum { GUARDIAN_PARENT = 0, GUARDIAN_KEPT = 3 };

/* The parent's side. Zeroed: none. */
struct guardian {
    int parent; /* closed by our death, if not before: the guardian waits for it */
    pid_t pid;
};

/* Start this program with the arguments `argv` (ends with NULL; argv[0] is its name) and wait until
 * it watches; its own words come back where it cannot. It has `kept` as GUARDIAN_KEPT. */
MUST_CHECK int guardian_start(const char *const argv[], int kept, struct guardian *out,
                              struct err *err);
/* Let it do its work, and wait for its end. */
void guardian_end(struct guardian *guardian);

/* In the guardian: tell the parent that it is watched, and wait for its end, under this name. With a
 * `problem` it is told that one. -1: there is nothing to be done. */
MUST_CHECK int guardian_watch(const char *name, const struct err *problem);

#endif
