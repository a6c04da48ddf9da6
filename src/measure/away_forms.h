/* SPDX-License-Identifier: Apache-2.0 */
/* The sandboxes that ratchet-run makes for another program, and no others: each has its form. Whoever asks
 * chooses which one, of which recipe, on which GPU, and with what ceilings; and what lies below the work/ of
 * one state folder, which is seen read-only. Programs, variables and places are the form's. No folder of sources is
 * taken: a build's come by its stdin, as a commit (base/git_parcel.c), and are written by ratchet-checkout inside. */
#ifndef RATCHET_MEASURE_AWAY_FORMS_H
#define RATCHET_MEASURE_AWAY_FORMS_H

#include "base/err.h"
#include "measure/sandbox.h"

/* ratchet-run's own words, from its command line. */
struct away_bounds {
    const char *state;    /* the state folder of who asks */
    const char *checkout; /* ratchet-checkout's path */
    const char *profiler; /* as ratchetd.conf has it; "": the usual one */
};

/* ERR_INPUT says which part is of no form. Each folder is looked at without following a link that lies
 * below the state folder, and its bind told which one it was (struct sandbox_bind): a name may lead
 * elsewhere a moment later. `binds`, with room for one more, are then *count: what the form itself has is
 * added. */
MUST_CHECK int away_check(const struct sandbox *sandbox, const struct away_bounds *bounds,
                          struct sandbox_bind *binds, size_t *count, struct err *err);

#endif
