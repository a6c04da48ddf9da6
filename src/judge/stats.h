/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions and tests of small samples, each with its source. The bootstrap is in
 * judge/bootstrap, distributions in judge/dist. Numbers alone: no rule, no samples.
 *
 * Inputs are finite; counts may be 0 only where said. */
#ifndef RATCHET_JUDGE_STATS_H
#define RATCHET_JUDGE_STATS_H

#include "model.h"

#include <stddef.h>

/* The value of that rank, counted from 0, rank < count. Reorders `values`: nothing above
 * it before it and nothing below it after. */
double stats_select(double *values, size_t count, size_t rank);

/* The middle value, or the mean of the two middle ones; count ≥ 1. Reorders `values`. */
double stats_median(double *values, size_t count);

/* Distribution-free interval of the median from order statistics (David and Nagaraja,
 * Order Statistics, 3rd ed. 2003, section 7.1): [x(k), x(n + 1 − k)] with the largest k
 * for which P(Bin(n, ½) < k) ≤ (1 − confidence) / 2. Below six values no k reaches 95%:
 * then it is [x(1), x(n)], whose confidence is 1 − 2^(1 − n). count ≥ 1. Reorders
 * `values`. */
struct interval stats_median_interval(double *values, size_t count, double confidence);

/* Hedges' g = J · (mean a − mean b) / s, s² the pooled variance and J = 1 − 3 / (4 df −
 * 1) with df = n + m − 2 (Hedges, Distribution Theory for Glass's Estimator of Effect
 * Size, 1981). Counts ≥ 2. Without any scatter: 0 for equal means, else infinite with its
 * sign. */
double stats_hedges_g(const double *a, size_t n, const double *b, size_t m);

/* Cliff's delta = P(a > b) − P(a < b) over all pairs (Cliff, Dominance Statistics, 1993);
 * counts ≥ 1. */
double stats_cliffs_delta(const double *a, size_t n, const double *b, size_t m);

/* Two-sided p of the Mann–Whitney U test (Mann and Whitney, 1947), counts ≥ 1. Up to 32
 * values together it is exact also where values are tied: the share of all assignments of
 * the midranks to the groups whose rank sum is as far out, the smaller tail doubled.
 * Above, the normal approximation with the variance corrected for ties and for
 * continuity. */
double stats_mann_whitney_p(const double *a, size_t n, const double *b, size_t m);

#endif
