/* SPDX-License-Identifier: Apache-2.0 */
/* One arm of one config under a profiler: a harness process of its own in the sandbox of a bench, which
 * the profiler starts. Nothing is timed, and what comes out is a stranger's word. */
#ifndef RATCHET_MEASURE_PROFILE_H
#define RATCHET_MEASURE_PROFILE_H

#include "base/buf.h"
#include "measure/bench.h"
#include "measure/profiler.h"
#include "measure/sandbox.h"
#include "metrics.h"

struct profile_request {
    /* Of it: device, GPU, harness, folders, user and limits. */
    const struct bench_request *bench;
    size_t config; /* of the bench's… */
    enum arm arm;  /* …and its arm */
    const struct profiler *profiler;
    unsigned wall_ms; /* then it is stopped; all tries together */
};

/* The readings of one call of forward. A metric that this profiler or GPU does not know is NaN. `said`,
 * which may be NULL, gets what was run and what it printed, whatever comes of it. No permission, a
 * profiler that fails, no kernel, too little time: an error of its class with one line; nothing depends
 * on it. */
MUST_CHECK int profile_run(const struct profile_request *request, struct buf *said,
                           struct metric_readings *out, struct err *err);

/* What is run inside, what is shown there, and the variables besides the device's: where its lock lies, and
 * no locale, of which the sandbox has no files. profile_binds() returns how many. */
enum { PROFILE_WORDS_MAX = 32, PROFILE_BINDS_MAX = 4 };
#define PROFILE_VARIABLES "TMPDIR=/tmp", "LC_ALL=C"
void profile_words(const char *program, const char *metrics, const struct device_kind *kind,
                   const char *words[PROFILE_WORDS_MAX]);
size_t profile_binds(const char *folder, const struct profiler *profiler,
                     struct sandbox_bind binds[PROFILE_BINDS_MAX]);

#endif
