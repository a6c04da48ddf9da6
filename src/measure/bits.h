/* SPDX-License-Identifier: Apache-2.0 */
/* Does a kernel give the same bits again? Head of each config is launched on the same inputs several
 * times in a process, in a second process, and on the CPU with another number of threads. */
#ifndef RATCHET_MEASURE_BITS_H
#define RATCHET_MEASURE_BITS_H

#include "measure/bench.h"

enum { BITS_LAUNCHES = 4 /* in each process */ };

/* With what they vary, ored. What varies from launch to launch says nothing of processes, and
 * what varies from process to process nothing of threads. */
enum bits_varies {
    BITS_BY_LAUNCH = 1 << 0,
    BITS_BY_PROCESS = 1 << 1,
    BITS_BY_THREADS = 1 << 2
};

/* Of one config. */
struct bits {
    bool known;
    unsigned varies;            /* enum bits_varies; 0: they are the same */
    unsigned threads[2];        /* that were tried; 0: threads cannot be varied */
    char why[MODEL_TEXT_BYTES]; /* not known: one line */
};

/* The device has to be held. Configs of `samples` with a fault are left as they are in `out`, which
 * has one for each; a process that fails is told there. Only the host's own trouble is an error. */
MUST_CHECK int bits_look(const struct bench_request *request, const struct samples *samples,
                         struct bits *out, struct err *err);

#endif
