/* SPDX-License-Identifier: Apache-2.0 */
/* What a study says in numbers, worked out once for all that is written of it. Measures nothing and writes nothing. */
#ifndef RATCHET_LAB_STUDY_RESULT_H
#define RATCHET_LAB_STUDY_RESULT_H

#include "base/buf.h"
#include "base/err.h"
#include "lab/study.h"
#include "lab/sweep_figures.h"
#include "lab/sweep_result.h"

/* One config of the end's check, or of the first kernel's benchmark where there is none. NAN: not known. */
struct study_row {
    const struct config_samples *samples; /* borrowed, as the next */
    const struct config_verdict *verdict;
    const char *missing;              /* why there are no numbers, one line; NULL: there are */
    double median_ns, mean_ns, sd_ns; /* of the medians of the processes */
    struct interval median_ci;        /* the rule's confidence */
    double p95_ns, p99_ns;            /* of all samples of all processes, by nearest rank */
    double sequences_s, flop_ns, byte_ns; /* rates: a second, and a nanosecond */
    double memory_bytes, memory_share;    /* share: of the device's memory */
    size_t processes, sample_count;
    /* Against the first kernel: */
    double first_ns;
    struct interval first_ci;
    struct change speedup; /* time of the first ÷ time of the best − 1, as the judge has it */
    bool effects_known;    /* over the medians of the processes, best and first: */
    double hedges_g, cliffs_delta, p_value;
    bool ci_overlap; /* do the intervals of the two medians overlap? */
};

enum study_target {
    STUDY_TARGET_NONE,
    STUDY_TARGET_MET,
    STUDY_TARGET_MISSED,
    STUDY_TARGET_OPEN
};

struct study_sweep {
    bool there;
    struct comparison comparison; /* owned, as the rest */
    struct sweep_result result;
    struct sweep_figures figures;
};

struct study_result {
    const struct study_files *files;
    bool compared; /* rows are the best kernel beside the first; else the first alone */
    struct study_row *rows;         /* owned */
    size_t row_count, row_measured; /* the latter: of those that have numbers */
    size_t processes;               /* the fewest of these */
    /* Geometric mean over configs of time of the first ÷ time of the best − 1. `ci_decision` is corrected for the
     * looks at which the check could have stopped, and decides about the target. */
    struct change speedup;
    size_t speedup_configs;
    enum study_target target;
    size_t proposed, measured, kept; /* steps of the optimisation */
    struct study_sweep backends, shapes;
};
MUST_CHECK int study_result_of(const struct study_files *files, struct study_result *out,
                               struct err *err);
void study_result_free(struct study_result *result);

/* The samples that the rows are of; NULL: none. */
const struct samples *study_result_samples(const struct study_result *result);

#endif
