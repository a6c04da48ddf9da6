/* SPDX-License-Identifier: Apache-2.0 */
/* Variance shrinkage: the variance of a config is pooled with a prior that all configs of the
 * check make.
 *
 * Six replicates know their own standard deviation badly: half of the time it is 10% or more
 * off, and an interval for a small α pays for that with a quantile of Student's t of 4 and
 * more. The configs of one check were measured by the same processes on the same device, and
 * where their variances agree, each may be shrunk towards what they have in common. How far
 * they agree is estimated from the variances themselves (empirical Bayes): they are taken as
 * σ² χ²(d)/d, and 1/σ² as χ²(d₀)/(d₀ s₀²) (Smyth, Linear Models and Empirical Bayes Methods for
 * Assessing Differential Expression in Microarray Experiments, Statistical Applications in
 * Genetics and Molecular Biology 3, 2004, section 6.2). A variance s² of d degrees of freedom
 * then becomes (d s² + d₀ s₀²) / (d + d₀), of d + d₀ degrees of freedom.
 *
 * Which d₀ is believed is bounded by d itself: the others weigh at most as much as the config's
 * own replicates. Simulated (normal values, five configs, looks at 6, 8 and 16, 20 000 checks):
 * with σ = 0.45%, a config that is 4% slower is called within 8 replicates in 98.4% of checks,
 * not 89.8%. A check of configs that are all exactly 3% slower is called in 1.9%, not 2.1%; in
 * 3.1% where their σ lie between 0.06 and 0.14%, or between 0.07 and 0.45%, since five
 * variances do not always show that they differ. That is without a control, whose scatter is
 * believed as well wherever there is one, as in every check of ours: with it, below 1%. Were the
 * others allowed to weigh twice as much, it would be 98.9%, and up to 3.4%. */
#ifndef RATCHET_JUDGE_SPREAD_H
#define RATCHET_JUDGE_SPREAD_H

#include <stddef.h>

struct spread {
    double df;       /* d₀, the prior's, at most SPREAD_DF_MAX; 0: they do not agree */
    double variance; /* s₀², the prior's, of single values */
};
enum { SPREAD_DF_MAX = 1000, SPREAD_LEAST = 3 };

/* From variances > 0 of single values and their degrees of freedom ≥ 1; from fewer than
 * SPREAD_LEAST of them nothing is learnt. */
struct spread spread_of(const double *variances, const double *dfs, size_t count);

/* ψ(x) and ψ′(x) for x > 0, relative error below 1e-12 (of ψ: or 1e-12 absolute). */
double spread_digamma(double x);
double spread_trigamma(double x);

#endif
