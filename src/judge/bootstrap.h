/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals for a mean, or for a difference of two means, from few independent values:
 * the expanded percentile bootstrap, and its stretching to levels that a bootstrap of few
 * values cannot resolve. Works on logs of medians of replicates; knows no rule.
 *
 * Expanded percentile bootstrap (Hesterberg, What Teachers Should Know About the
 * Bootstrap, The American Statistician 69, 2015, section 5.3): the interval is taken at
 * the quantiles a and 1 − a of the bootstrapped means, where Φ⁻¹(a) = −√(n/(n − 1))
 * t(α/2, n − 1) instead of −z(α/2). That repairs the two reasons why the plain percentile
 * interval is too short: the resampling divides by n, not n − 1, and z is used where t
 * belongs. For a difference of means, n is the smaller group's.
 *
 * At n = 6 the smallest of all bootstrapped means is the smallest value, and six values
 * lie all above their true median once in 64 times: no percentile is valid beyond that.
 * So an interval for a smaller α is the 95% one with each side stretched about the
 * estimate by t(α′/2, n − 1) / t(α/2, n − 1), and neither side shorter than Student's own
 * interval at α′. README "The judge's figures" has the coverage of both, measured. */
#ifndef RATCHET_JUDGE_BOOTSTRAP_H
#define RATCHET_JUDGE_BOOTSTRAP_H

#include "base/err.h"
#include "model.h"

#include <stddef.h>
#include <stdint.h>

struct bootstrap {
    unsigned resamples;
    uint64_t seed;
    double confidence; /* of the plain interval, 0.95 */
};

struct sample {
    const double *values;
    size_t count;
};

struct bootstrap_result {
    double estimate;       /* mean of a, or mean of a − mean of b */
    struct interval plain; /* expanded percentile */
    double standard_error; /* Student's; Welch's for two groups */
    unsigned df;           /* n − 1 of the smaller group */
    double t;              /* Student's quantile of the plain interval */
};

/* `b.count` 0: the mean of `a`. Each group needs 2 values. ERR_HOST when memory ran out. */
MUST_CHECK int bootstrap_mean(struct sample a, struct sample b,
                              const struct bootstrap *settings,
                              struct bootstrap_result *out, struct err *err);

/* The interval at confidence 1 − (1 − confidence) / `comparisons` (Bonferroni). */
struct interval bootstrap_stretch(const struct bootstrap_result *result,
                                  double confidence, double comparisons);

#endif
