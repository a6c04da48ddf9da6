/* SPDX-License-Identifier: Apache-2.0 */
/* Distributions: the normal's and Student's t. Built on judge/num alone. */
#ifndef RATCHET_JUDGE_DIST_H
#define RATCHET_JUDGE_DIST_H

/* Φ(x) = P(Z ≤ x). Below −2.5 Laplace's continued fraction of Mills' ratio (Abramowitz
 * and Stegun 26.2.14), above it the series 26.2.11. Relative error below 1e-12 for x >
 * −37. */
double dist_normal_cdf(double x);

/* P(T > t) for Student's t with `df` ≥ 1 degrees of freedom, t ≥ 0: half the incomplete
 * beta ratio I(df / (df + t²); df/2, 1/2) (26.7.1) by its continued fraction
 * (DLMF 8.17.22). Relative error below 1e-12 for df up to 1000. */
double dist_student_tail(double t, unsigned df);

/* The t ≥ 0 with P(T > t) = tail, 0 < tail ≤ ½; relative error below 1e-11. */
double dist_student_quantile(double tail, unsigned df);

#endif
