/* SPDX-License-Identifier: Apache-2.0 */
/* The search between its files: autotune.c says what is measured when, tune_trials.c makes candidates and
 * builds them. */
#ifndef RATCHET_LAB_AUTOTUNE_INTERNAL_H
#define RATCHET_LAB_AUTOTUNE_INTERNAL_H

#include "lab/autotune.h"
#include "pipeline/builds.h"

/* What a search needs while it runs. */
struct search {
    struct autotune *tune;
    struct builds *builds;
    bool ahead;          /* build further candidates while others are measured */
    double seconds_each; /* of one replicate of one arm of all configs, as seen last */
};

/* Does it belong in this round, as it was when the round began? */
static inline bool trial_is_in(const struct trial *trial, unsigned round)
{
    return trial->rejected[0] == '\0' || trial->rejected_in >= round;
}

/* tune->sources and tune->trials, of measurement->job.head. */
MUST_CHECK int trials_make(struct autotune *tune, struct err *err);

/* Today's kernel, at once. */
MUST_CHECK int trials_build_today(struct search *search, struct err *err);
/* Begin to build a candidate, unless that was done. */
MUST_CHECK int trials_begin_build(struct search *search, size_t i, struct err *err);
/* Until it is built, or rejected because it cannot be. */
MUST_CHECK int trials_wait_for(struct search *search, size_t i, struct err *err);
/* Does a candidate spill more than today's kernel, in bytes a thread of the worst kernel (-1: not known)? `why` is one
 * line. */
bool trials_spills_more(long long today, long long now, char why[MODEL_TEXT_BYTES]);
/* Is its machine code that of today's, or of a candidate before it? Then `text` says whose. */
bool trials_has_twin(const struct autotune *tune, size_t i, char *text, size_t size);

#endif
