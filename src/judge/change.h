/* SPDX-License-Identifier: Apache-2.0 */
/* One arm against another, or against stored samples: from medians to a relative change with
 * its intervals. Positive is slower, everywhere: change = this / that − 1.
 * Decides nothing; that is judge/compare's. */
#ifndef RATCHET_JUDGE_CHANGE_H
#define RATCHET_JUDGE_CHANGE_H

#include "base/err.h"
#include "judge/bootstrap.h"
#include "judge/medians.h"
#include "model.h"

#include <stddef.h>

/* How intervals are taken. There are three of each change: the plain one, the one of the looks,
 * which α is split by, and the family-wise one, where it is split by looks times configs. */
struct levels {
    struct bootstrap bootstrap;
    double looks, family; /* divisors of α, by judge/levels.h; the second times the configs */
    struct spread spread; /* of head's logs in all configs; df 0: not to be shrunk towards */
};

/* Each number on the way from ratios to these intervals, for the decision log. Logs unless
 * said otherwise. */
struct workings {
    struct bootstrap_result result;
    struct corrected looks, family;
    struct bounds plain_bounds, looks_bounds, family_bounds; /* ticks included */
    double half_tick;                                        /* relative */
    double margin;       /* relative, added on either side at the end */
    double scatter;      /* the least that was believed */
    double tick_scatter; /* … of it, what rounding to a tick alone makes */
};

struct estimate {
    struct change change;   /* ci_decision is corrected for the looks */
    struct interval family; /* the family-wise interval: corrected for looks and configs */
    size_t replicates;      /* that went in */
    double scatter;         /* standard deviation of the logs of their ratios */
    double *logs;           /* owned, `replicates` of them: of ratios, or of head's medians
                            * where the comparison is unpaired; NULL below two */
    struct workings workings;
};
void estimate_free(struct estimate *estimate);

/* Values that are missing, and what each is taken to be. */
struct missing {
    size_t count;
    double log;
};

/* One arm against another, in the replicates that have both. */
struct pair {
    enum arm arm, other;
    double tick_ns; /* of the clock; no interval is narrower than half of it on either side */
    double scatter; /* the least standard deviation of single logs that is believed: that of
                     * control against anchor, the same binary twice; 0: nothing known */
    bool shrink;    /* the variance, towards that of the other configs, levels->spread */
    const struct missing *missing; /* NULL: none */
};

/* The mean over replicates of ln(median arm / median other), what is missing in its place.
 * Fewer than two values leave `known` false. The intervals that decide assume that single
 * replicates scatter no less than rounding alone makes, too: a median read to a tick is off by
 * anything within half of it, standard deviation tick / √12, and a ratio of two by √2 as
 * much; replicates that agree to the tick do so by luck. The caller frees *out. */
MUST_CHECK int change_paired(const struct medians *medians, const struct pair *pair,
                             const struct levels *levels, struct estimate *out,
                             struct err *err);

/* Variance of those logs, none in the place of what is missing, no less than rounding to a
 * tick makes, and its degrees of freedom; 0 where there are fewer than two. */
MUST_CHECK int change_variance(const struct medians *medians, const struct pair *pair,
                               double *variance, double *df, struct err *err);

/* Head against stored medians, unpaired, every interval widened by `margin` on both
 * sides; `missing`: of head, NULL for none. The caller frees *out. */
MUST_CHECK int change_stored(const struct medians *medians, const double *stored, size_t count,
                             double tick_ns, double margin, const struct missing *missing,
                             const struct levels *levels, struct estimate *out,
                             struct err *err);

/* The change when the values that are missing are in their place; nothing was drawn. */
double change_mean(const struct estimate *estimate, const struct missing *missing);

/* The change that some of its logs show, whose mean this is. */
double change_of_log(const struct estimate *estimate, double mean);

/* The lower end of the family-wise interval, when the values that are missing are in their
 * place and all of them scatter by `scatter`. */
double change_family_low(const struct estimate *estimate, const struct missing *missing,
                         double scatter);

/* exp(mean ln a − mean ln b) − 1 of two groups of medians, counts ≥ 1. */
double change_of_means(const double *a, size_t n, const double *b, size_t m);

#endif
