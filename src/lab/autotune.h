/* SPDX-License-Identifier: Apache-2.0 */
/* The search for better values of a kernel's parameters (`ratchet autotune`):
 *
 *     round 1   every candidate that builds, beside today's kernel in the same fresh processes, a few
 *               processes each
 *     round 2…  the better half of those, and the best one for each config, twice as many processes
 *     the end   the best few on as many fresh processes as a check takes at most, against today's. Their
 *               intervals hold for all these comparisons together (Bonferroni)
 *
 * What was found is written down as it comes: a search that was killed goes on where it was. */
#ifndef RATCHET_LAB_AUTOTUNE_H
#define RATCHET_LAB_AUTOTUNE_H

#include "base/err.h"
#include "lab/tune_space.h"
#include "measure/build.h"
#include "model.h"
#include "pipeline/measurement.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    AUTOTUNE_GROUP = ARM_OTHERS_MAX, /* candidates in one process, beside today's kernel */
    AUTOTUNE_ROUNDS_MAX = 3,
    AUTOTUNE_FIRST_REPLICATES = 2,
    AUTOTUNE_ENOUGH = 4 /* candidates: no further round */
};
#define AUTOTUNE_LOG "autotune.jsonl"
#define AUTOTUNE_SAMPLES "samples.json"

struct trial {
    struct tune_candidate candidate;
    char commit[MODEL_SHA_BYTES];    /* with the candidate's sources; in our own cache only */
    char rejected[MODEL_TEXT_BYTES]; /* why, or "" */
    unsigned rejected_in;            /* which round; 0: when it was built */
    char code[MODEL_CODE_BYTES];     /* once it was built, perhaps by an earlier call */
    bool begun;                      /* to be built by this one… */
    struct build_result library;     /* …and once it is */
    unsigned rounds;                 /* that it was measured in */
    double *logs; /* owned: of the last round, per config: ln(its time / today's) */
    double mean;  /* of these */
};

/* One that was measured at the end, against today's. */
struct finalist {
    size_t trial;
    struct change mean;                       /* over all configs */
    struct change configs[MODEL_CONFIGS_MAX]; /* ci_decision: for all comparisons together */
    bool better; /* mean wholly below 0, and no config wholly above */
};

struct autotune_options {
    double budget_s;    /* of the whole search */
    size_t jobs;        /* builds at once */
    const char *folder; /* for what stays; it is there */
};

struct autotune {
    const struct autotune_options *options;
    struct measurement *measurement;
    struct ratchet_config config; /* as it was given */
    struct tune_sources sources;
    struct trial *trials; /* owned */
    size_t count;
    struct build_result today;
    long long today_spills; /* bytes a thread; -1: not known */
    uint64_t start_ns;
    double before_s; /* spent by earlier calls, as the log has it */
    double told_s;   /* … of held_s, what the log has */
    double held_s;   /* … of both, with the device at work */
    size_t untried;  /* for want of time */
    size_t cut_off;  /* measured, but not once more in a later round, for the same reason */
    struct samples samples; /* owned: of the end, today's kernel as head */
    struct finalist finalists[AUTOTUNE_GROUP];
    size_t finalist_count, comparisons;
};
void autotune_free(struct autotune *tune);

/* Search, with the rules and sources of measurement->job.head. Nothing found is no error. A kernel that
 * cannot be measured as it is, parameters that are not in the sources, or a folder that holds another
 * search is ERR_INPUT. The caller frees *tune in any case. */
MUST_CHECK int autotune_run(struct measurement *measurement,
                            const struct autotune_options *options, struct autotune *tune,
                            struct err *err);

/* The finalist that may take today's place: the best that is better; NULL: none is. */
const struct finalist *autotune_best(const struct autotune *tune);

/* "; 12 s of the device, 0.0023 USD": what it took up to now; without a price the time alone. */
void autotune_spent(const struct autotune *tune, struct buf *out);

/* suggestions.md */
MUST_CHECK int autotune_report(const struct autotune *tune, struct buf *out, struct err *err);

#endif
