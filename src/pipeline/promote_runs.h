/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a promotion that measures: given a struct measurement, it has neither network nor
 * token. Private to src/pipeline. */
#ifndef RATCHET_PIPELINE_PROMOTE_RUNS_H
#define RATCHET_PIPELINE_PROMOTE_RUNS_H

#include "pipeline/anchor_again.h"
#include "pipeline/forgotten.h"

/* Both runs, and what they say against the baseline of the tip that is decided from. The second is
 * the measurement's own samples. */
struct promote_runs {
    struct samples first;            /* owned; empty while that run is to be taken */
    bool is_second;                  /* the first is here */
    struct comparison first_verdict; /* owned */
    struct forgotten forgotten;
    struct anchors_again again; /* what takes back what was promoted */
};
void promote_runs_free(struct promote_runs *runs);

/* Read main's tip, and take the run that is due: the first, or where that is kept, the second.
 * *wait_s > 0: that is not due yet, and nothing was run. */
MUST_CHECK int promote_measure(struct measurement *measurement,
                               const struct promotion_accept *accept,
                               struct promote_runs *runs, unsigned *wait_s, struct err *err);

/* What was measured is the first run: keep it. *wait_s says when the second is due; 0: now, by
 * promote_measure once more. */
MUST_CHECK int promote_keep_first(struct measurement *measurement, struct promote_runs *runs,
                                  unsigned *wait_s, struct err *err);

#endif
