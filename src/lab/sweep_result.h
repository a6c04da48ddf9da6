/* SPDX-License-Identifier: Apache-2.0 */
/* What a sweep found, worked out once for all that is written of it: tables, JSON and figures. Measures
 * nothing and writes nothing.
 *
 * Of an arm that is not there the samples' environment says why (SWEEP_FACT_ABSENT), and of those that
 * are what they were built from (SWEEP_FACT_VERSION), each fact's name ending with the arm's. */
#ifndef RATCHET_LAB_SWEEP_RESULT_H
#define RATCHET_LAB_SWEEP_RESULT_H

#include "base/err.h"
#include "model.h"

#include <stdbool.h>
#include <stddef.h>

enum { SWEEP_ARMS_MAX = 1 + ARM_OTHERS_MAX };
#define SWEEP_FACT_FIRST "arm_head"
#define SWEEP_FACT_VERSION "version_"
#define SWEEP_FACT_ABSENT "absent_"
#define SWEEP_FACT_ASKED "sweep_asked" /* a hash of what was asked */

/* Shapes whose kernels are no attention: see kernels/ceilings. */
#define SWEEP_COPY "ceiling_copy"
#define SWEEP_MATRIX "ceiling_matrix"

struct sweep_arm {
    enum arm arm;
    const char *name;    /* borrowed of the samples */
    const char *version; /* likewise; "" where nobody said */
};

/* One arm at one shape. */
struct sweep_cell {
    const char *missing;      /* why there are no samples, one line; NULL: there are */
    double ns;                /* median over processes of medians */
    struct interval ci;       /* of it */
    struct change to_first;   /* this arm's time ÷ the first arm's − 1, paired */
    struct change to_fastest; /* … ÷ the fastest's */
    size_t pairs;             /* processes that the latter is over */
    /* The judge cannot tell it from the fastest: its interval, corrected for all pairs of arms of all shapes,
     * is not wholly above control-floor, by which two copies of one binary may differ. */
    bool tied;
};

struct sweep_row {
    const struct config *config; /* borrowed */
    double operations, bytes;    /* of a launch */
    struct sweep_cell cells[SWEEP_ARMS_MAX];
    size_t processes, marked;
    unsigned marks;   /* of those that were marked */
    size_t fastest;   /* index of the arm with the least median; arm_count: none */
    size_t contested; /* arms that were measured */
    /* The fastest is the winner: every other arm that was measured is slower, in no fewer processes than
     * min-replicates. */
    bool won;
};

/* A ceiling of the device, measured in the same processes. */
struct sweep_ceiling {
    bool known;
    double rate;        /* bytes per ns, or operations per ns */
    struct interval ci; /* of it */
};

struct sweep_result {
    const struct samples *samples;
    const struct rule *rule;
    struct sweep_arm arms[SWEEP_ARMS_MAX];
    size_t arm_count;
    struct sweep_row *rows; /* owned; one for each shape that is no ceiling */
    size_t row_count;
    struct sweep_ceiling copy, matrix;
    const char *matrix_dtype; /* of the matrix rate, or "" */
    size_t comparisons;       /* that ties are corrected for */
};
void sweep_result_free(struct sweep_result *result);

/* `comparison` is of these samples; all three have to outlive *out. */
MUST_CHECK int sweep_result_of(const struct samples *samples,
                               const struct comparison *comparison, const struct rule *rule,
                               struct sweep_result *out, struct err *err);

/* Rates of a cell: operations or bytes per ns, and the interval, low first. */
double sweep_rate(const struct sweep_cell *cell, double amount, struct interval *ci);
/* Of the fastest's speed: 1 ÷ (1 + to_fastest); NAN where that is not known. */
double sweep_share(const struct sweep_cell *cell, struct interval *ci);

/* "sm90", "sm90 and flash: a tie", "sm90, but too few processes to tell", "nobody". */
void sweep_winner_text(const struct sweep_result *result, const struct sweep_row *row,
                       char *out, size_t size);

/* The next arm that is not there, from *i on: its name and why, or false. */
bool sweep_absent(const struct samples *samples, size_t *i, const char **name,
                  const char **why);

#endif
