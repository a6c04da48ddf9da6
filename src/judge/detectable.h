/* SPDX-License-Identifier: Apache-2.0 */
/* How small a change a measurement could have seen: of its own samples, whatever they read.
 *
 * With w half the width of the 95% interval of the mean log ratio, t = t(α/2, ν) that it was
 * taken at, ν = n − 1, the standard error is about w / t. A true change δ (a log) is told from
 * none where the interval about its estimate leaves out 0, so the estimate has to be beyond w; it
 * is, in 95% of measurements, where δ is t(5%, ν) standard errors beyond w:
 *
 *     δ = w · (1 + t(5%, ν) / t(α/2, ν)) / (1 − 1 / 4ν)
 *
 * (α 5%, power 95%; with n = 6 that is 1.88 w.) The last factor is for w: the standard deviation of
 * few values reads low by that on average (of normal ones, c4(n) ≈ 1 − 1 / 4ν). Half a tick of the clock and a drift margin
 * widen the interval, and are added. It is what calibration calls the smallest change seen, from
 * one measurement in place of many: w is itself an estimate, from n values. */
#ifndef RATCHET_JUDGE_DETECTABLE_H
#define RATCHET_JUDGE_DETECTABLE_H

#include "base/err.h"
#include "judge/change.h"
#include "model.h"

/* Relative, 0.01 is 1%. 0: not known, there are fewer than two replicates. */
double detectable_of(const struct estimate *estimate);

/* Of head against `other`, paired in the same processes. ARM_HEAD: of head alone, against another
 * measurement like this one: head against itself, unpaired. */
MUST_CHECK int detectable(const struct config_samples *config, enum arm other,
                          const struct rule *rule, double *out, struct err *err);

#endif
