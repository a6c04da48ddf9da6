/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals for a mean, or for a difference of two means, from few independent values.
 * Works on logs of medians of replicates; knows no rule.
 *
 * Expanded percentile bootstrap (Hesterberg, What Teachers Should Know About the
 * Bootstrap, The American Statistician 69, 2015, section 5.3): the interval is taken at
 * the quantiles a and 1 − a of the bootstrapped means, Φ⁻¹(a) = −√(n/(n − 1)) t(α/2, n −
 * 1) instead of −z(α/2). That repairs the two reasons why the plain percentile interval
 * is too short: the resampling divides by n, not n − 1, and z is used where t belongs.
 * For a difference of means, n is the smaller group's.
 *
 * Two additions, each for what simulation shows (30 000 trials each at n = 6, 8, 12, 16;
 * both sides together):
 * 1. Neither side is shorter than Student's. Alone the expanded percentile interval at 95%
 *    misses 4.5–6.7% of the time on normal, t(3) and uniform values, with it 3.5–5.5%.
 * 2. At n = 6 no bootstrapped mean lies below the smallest value, and six values lie all
 *    on one side of their median once in 32 times: percentiles cannot go to the levels
 *    that looks and configs ask for. So an interval for a smaller α is the 95% one with
 *    each side scaled about the estimate by t(α′/2, n − 1) / t(α/2, n − 1). Where
 *    α′ = 0.33% is asked for it misses 0.1–0.4% (normal, t(3)) and 0.4–0.8% (uniform).
 * Both rest on the scatter of n values, which by luck can be far too small, or too large.
 * Where configs scatter alike, their variances are shrunk: see judge/spread. And where a same-
 * binary control was measured, its scatter is the least that is believed at the smaller α:
 * see `scatter` below. A check of 5 configs exactly on the line, with its looks, is then
 * called regressed in 0.2–0.5% instead of 1.4–2.5%. Skewed values (a slow process now and
 * then) are covered worse on the side away from their tail, as by every interval from so
 * few: 7–8% misses in all for lognormal values with σ = ½. */
#ifndef RATCHET_JUDGE_BOOTSTRAP_H
#define RATCHET_JUDGE_BOOTSTRAP_H

#include "base/err.h"
#include "judge/spread.h"
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

/* What a side of an interval rests on: what reached farthest out. */
enum bound {
    BOUND_BOOTSTRAP, /* the resampled means, scaled where α is smaller */
    BOUND_STUDENT,   /* Student's t on the values' own scatter */
    BOUND_SCATTER,   /* … on the least scatter that is believed */
    BOUND_TICK       /* half a tick of the clock; judge/change's, not used here */
};
struct bounds {
    enum bound low, high;
};

struct bootstrap_result {
    double estimate;            /* mean of a, or mean of a − mean of b */
    struct interval plain;      /* at `confidence` */
    struct bounds bounds;       /* of `plain` */
    double level;               /* a: the expanded interval's lower quantile */
    struct interval percentile; /* the resampled means at a and 1 − a */
    double standard_error;      /* Student's; Welch's for two groups */
    unsigned df;                /* n − 1 of the smaller group */
    double t;                   /* Student's quantile of the plain interval */
};

/* `b.count` 0: the mean of `a`. Each group needs 2 values. ERR_HOST when memory ran out. */
MUST_CHECK int bootstrap_mean(struct sample a, struct sample b,
                              const struct bootstrap *settings, struct bootstrap_result *out,
                              struct err *err);

/* An interval corrected for several comparisons, and how it came to be. */
struct corrected {
    struct interval interval;
    struct bounds bounds;
    double tail;       /* α′ / 2 */
    unsigned prior_df; /* prior degrees of freedom, from the other configs */
    double t;          /* Student's quantile at `tail` */
    double factor;     /* that each side of the plain interval was scaled by */
    double error;      /* the standard error that `t` was applied to */
};

/* The interval at confidence 1 − (1 − confidence) / `comparisons` (Bonferroni). The variance is
 * shrunk towards that of the other configs, `others`, as judge/spread says (NULL: not), and the
 * standard error is taken to be at least `scatter` / √n: the standard deviation of single values that
 * is believed whatever these few show, 0 where there is none. Never narrower than the plain
 * interval. */
struct corrected bootstrap_correct(const struct bootstrap_result *result, double confidence,
                                   double comparisons, double scatter,
                                   const struct spread *others);

#endif
